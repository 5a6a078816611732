/*
 * What processes use: processor time and memory, by kind.
 *
 * Of a process that ends the kernel tells smss what it used, when it is reaped; that is exact,
 * and costs two system calls. Those that are there are looked at only when somebody asks: a child
 * of smss walks /proc, at smss's leisure, and puts what it found into memory that it shares with
 * smss. It is smss's child and not metricsd, as only whoever owns the sessions' user namespaces
 * may look where /proc hides the processes of others. For thousands of sessions a walk takes
 * tenths of a second of another processor's time; it is not begun again before REST times as long
 * has passed.
 *
 *   ended   by kind, of processes that were reaped until a walk began; so none counts twice
 *   figures ended and what the last walk found
 *
 * What a process's children used is in its own figures when it has waited for them: of csrss,
 * winlogon and the shell they are users' programs, of termsrv rdpwd's.
 */
#include "log.h"
#include "proctree.h"
#include "smss.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum {
	REST = 50, /* a walk may take 2 % of a processor */
	REST_MIN_US = 1000000,
	WALK_MAX_US = 60000000,
	NICE = 10, /* sessions first */
};

/* Of a session, by slot. */
struct usage_row {
	uint32_t generation; /* 0: none was there */
	uint64_t processor[USAGE_COUNT];
	struct session_usage used;
};

/* What a walk finds. */
struct walk {
	bool whole;
	uint32_t capacity;
	struct usage usage[USAGE_COUNT];
	struct usage_row rows[];
};

static uint64_t ended[USAGE_COUNT], ended_then[USAGE_COUNT]; /* microseconds; when a walk began */
static struct usage figures[USAGE_COUNT];
static struct walk *last, *running;
static pid_t walker, manager;
static uint64_t rest_until, walks_until; /* then it is ended */

/* ---- kinds ---- */

/* What children are that were waited for. */
static enum usage_kind kind_of_children(enum usage_kind kind)
{
	switch (kind) {
	case USAGE_TERMSRV:
		return USAGE_RDPWD;
	case USAGE_CSRSS:
	case USAGE_WINLOGON:
	case USAGE_SUBSYSTEM:
		return USAGE_SHELL;
	default:
		return kind;
	}
}

/* What smss knows PID for; USAGE_COUNT: for nothing. */
static enum usage_kind known_kind(struct smss *smss, pid_t pid)
{
	static const enum usage_kind services[SERVICE_COUNT] = { [SERVICE_LSASS] = USAGE_LSASS,
		[SERVICE_TERMSRV] = USAGE_TERMSRV,
		[SERVICE_METRICSD] = USAGE_METRICSD };
	const struct session *session = session_of_process(smss, pid);
	const struct subsystem *subsystem = subsystem_of_process(smss, pid);

	for (int i = 0; i < SERVICE_COUNT; i++)
		if (smss->services[i].pid == pid)
			return services[i];
	if (pid == smss->digger)
		return USAGE_SMSS;
	if (!session)
		return USAGE_COUNT;
	if (subsystem)
		return subsystem == session->windows ? USAGE_CSRSS : USAGE_SUBSYSTEM;
	return pid == session->winlogon ? USAGE_WINLOGON : USAGE_SMSS;
}

/* ---- processes that have ended ---- */

uint64_t usage_of_process(pid_t pid)
{
	struct timespec used = { 0 };
	clockid_t clock;

	if (clock_getcpuclockid(pid, &clock) == 0)
		clock_gettime(clock, &used);
	return (uint64_t)used.tv_sec * 1000000 + (uint64_t)used.tv_nsec / 1000;
}

static uint64_t microseconds(const struct timeval *t)
{
	return (uint64_t)t->tv_sec * 1000000 + (uint64_t)t->tv_usec;
}

void usage_reaped(struct smss *smss, pid_t pid, uint64_t own, const struct rusage *used)
{
	enum usage_kind kind = known_kind(smss, pid);
	uint64_t all = microseconds(&used->ru_utime) + microseconds(&used->ru_stime);

	if (pid == walker)
		kind = USAGE_SMSS;
	else if (kind == USAGE_COUNT)
		kind = USAGE_RDPWD; /* which has lost its termsrv */
	ended[kind] += own;
	if (all > own)
		ended[kind_of_children(kind)] += all - own;
}

/* What the last walk found of SESSION, or NULL. */
static const struct usage_row *row_of(const struct session *session)
{
	const struct usage_row *row =
	    last && session->slot < last->capacity ? &last->rows[session->slot] : NULL;

	return row && row->generation == session->generation ? row : NULL;
}

void usage_adopted_ended(const struct session *session, const struct subsystem *subsystem)
{
	const struct usage_row *row = row_of(session);
	enum usage_kind kind = subsystem ? USAGE_CSRSS : USAGE_WINLOGON;

	if (!row)
		return;
	ended[kind] += row->processor[kind];
	if (subsystem)
		ended[USAGE_SHELL] += row->processor[USAGE_SHELL];
}

/* ---- the walk, in a child ---- */

/* Which processes smss knows. Their number into *COUNT; NULL where memory is out. */
static struct proctree_root *find_roots(
    struct smss *smss, const struct proctree_entry *entries, size_t entry_count, size_t *count)
{
	size_t room = entry_count + 1;
	struct proctree_root *roots = calloc(room, sizeof(*roots));

	*count = 0;
	for (size_t i = 0; roots && i < entry_count; i++) {
		const struct proctree_entry *e = &entries[i];
		const struct session *s = session_of_process(smss, e->pid);
		bool child = e->parent == manager, orphan = strcmp(e->image, "rdpwd") == 0;

		if (s)
			roots[(*count)++] =
			    (struct proctree_root){ e->pid, s->id, child ? 0 : e->started };
		else if (e->pid == manager || known_kind(smss, e->pid) != USAGE_COUNT ||
		         (child && orphan))
			roots[(*count)++] = (struct proctree_root){ e->pid, NO_SESSION, 0 };
	}
	return roots;
}

static enum usage_kind kind_of(struct smss *smss, const struct proctree_entry *e)
{
	enum usage_kind kind = known_kind(smss, e->pid);

	if (e->pid == manager)
		return USAGE_SMSS;
	if (kind != USAGE_COUNT)
		return kind;
	if (e->session != NO_SESSION)
		return USAGE_SHELL;
	return strcmp(e->image, "termsrv") == 0 ? USAGE_TERMSRV : USAGE_RDPWD;
}

/* Of E's resident memory what is no file's, in bytes. */
static uint64_t anonymous(const struct proctree_entry *e)
{
	unsigned long resident = 0, shared = 0;
	char path[32], text[128], *at = text;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/statm", e->pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	fd_close(&fd);
	text[got > 0 ? got : 0] = 0;
	strtoul(at, &at, 10);
	resident = strtoul(at, &at, 10);
	shared = strtoul(at, &at, 10);
	return resident > shared ? (resident - shared) * (uint64_t)sysconf(_SC_PAGESIZE) : 0;
}

/* Clock ticks in microseconds. */
static uint64_t of_ticks(uint64_t ticks)
{
	return ticks * (1000000 / (uint64_t)sysconf(_SC_CLK_TCK));
}

static void add_to_session(struct usage_row *row, uint32_t generation,
    const struct proctree_entry *e, const struct usage *used, bool handles)
{
	struct session_usage *f = &row->used;
	int open = handles ? proctree_handles(e->pid) : 0;

	row->generation = generation;
	f->handles += open > 0 ? (uint64_t)open : 0;
	f->threads += e->threads;
	f->user += of_ticks(e->user);
	f->system += of_ticks(e->ticks - e->user);
	f->resident += used->resident;
	f->anonymous += used->anonymous;
	f->size += e->size;
	f->faults += e->faults;
}

static void add_entry(struct smss *smss, struct walk *w, const struct proctree_entry *e)
{
	const struct session *s = e->session == NO_SESSION ? NULL : session_find(smss, e->session);
	struct usage_row *row = s && s->slot < w->capacity ? &w->rows[s->slot] : NULL;
	enum usage_kind kind = kind_of(smss, e), children = kind_of_children(kind);
	uint64_t waited = of_ticks(e->ticks - e->own);
	struct usage used = { .processor = usage_of_process(e->pid),
		.resident = e->resident * (uint64_t)sysconf(_SC_PAGESIZE),
		.anonymous = anonymous(e) };

	w->usage[kind].processes++;
	w->usage[kind].processor += used.processor;
	w->usage[kind].resident += used.resident;
	w->usage[kind].anonymous += used.anonymous;
	if (kind != USAGE_SMSS) /* that of smss's children counts as ended */
		w->usage[children].processor += waited;
	if (!row)
		return;
	row->processor[kind] += used.processor;
	row->processor[children] += waited;
	add_to_session(row, s->generation, e, &used, smss->config->WindowsNames);
}

_Noreturn static void walk(struct smss *smss, struct walk *w)
{
	struct proctree_entry *entries;
	struct proctree_root *roots;
	size_t count, root_count;

	(void)!nice(NICE);
	/* clients of smss must see their end when smss closes their ports */
	if (syscall(SYS_close_range, 3, ~0u, 0) < 0)
		_exit(1);
	entries = proctree_walk(&count);
	roots = entries ? find_roots(smss, entries, count, &root_count) : NULL;
	if (!roots)
		_exit(1);
	count = proctree_assign(entries, count, roots, root_count, manager);
	for (size_t i = 0; i < count; i++)
		add_entry(smss, w, &entries[i]);
	w->whole = true;
	_exit(0);
}

/* ---- rounds ---- */

static size_t walk_size(uint32_t capacity)
{
	return sizeof(struct walk) + capacity * sizeof(struct usage_row);
}

static void walk_free(struct walk **w)
{
	if (*w)
		munmap(*w, walk_size((*w)->capacity));
	*w = NULL;
}

bool usage_running(void)
{
	return walker > 0;
}

bool usage_refresh(struct smss *smss)
{
	void *space;

	if (walker > 0 && clock_us() > walks_until)
		kill(walker, SIGKILL); /* its end is that of the walk */
	if (walker > 0 || clock_us() < rest_until)
		return walker > 0;
	space = mmap(NULL, walk_size(smss->capacity), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (space == MAP_FAILED)
		return false;
	running = space;
	running->capacity = smss->capacity;
	memcpy(ended_then, ended, sizeof(ended));
	manager = getpid();
	walks_until = clock_us() + WALK_MAX_US;
	walker = child_spawn(0, -1, NULL, NULL);
	if (walker == 0)
		walk(smss, running);
	if (walker > 0)
		return true;
	walker = 0;
	walk_free(&running);
	return false;
}

static void take_figures(void)
{
	for (int i = 0; i < USAGE_COUNT; i++) {
		uint64_t before = figures[i].processor;
		figures[i] = last->usage[i];
		figures[i].processor += ended_then[i];
		/* one that ended while the walk was under way may be in neither: for a while */
		if (figures[i].processor < before)
			figures[i].processor = before;
	}
}

bool usage_walked(struct smss *smss, pid_t pid, const struct rusage *used)
{
	uint64_t took = microseconds(&used->ru_utime) + microseconds(&used->ru_stime);

	if (pid != walker || walker == 0)
		return false;
	walker = 0;
	rest_until = clock_us() + (REST * took > REST_MIN_US ? REST * took : REST_MIN_US);
	if (running->whole) {
		walk_free(&last);
		last = running;
		running = NULL;
		take_figures();
	} else {
		log_warn("processes could not be looked at");
		walk_free(&running);
	}
	stats_advance(smss);
	return true;
}

void usage_figures(struct usage usage[USAGE_COUNT])
{
	memcpy(usage, figures, sizeof(figures));
}

void usage_session(const struct session *session, struct session_usage *used)
{
	const struct usage_row *row = row_of(session);

	memset(used, 0, sizeof(*used));
	if (row)
		*used = row->used;
}
