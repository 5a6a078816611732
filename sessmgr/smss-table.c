/*
 * The session table. A session has a slot, which is also its block of host ids; an id, which
 * people and Windows' calls know; and a generation, which no other session ever had. Three hash
 * tables find it: by id; by process, for what the kernel says of a sender is its process; and,
 * once it has one, by its user.
 */
#include "smss.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { BUCKETS = 4096 };

struct pid_entry {
	LIST_ENTRY(pid_entry) entry;
	pid_t pid;
	struct session *session;
	struct subsystem *subsystem; /* NULL: winlogon, or the short-lived smss */
	int pidfd;                   /* of one that is no child of this smss; else -1 */
	struct event *ended;
};

int table_init(struct smss *smss, uint32_t capacity)
{
	smss->capacity = capacity;
	smss->slots = calloc(capacity, sizeof(struct session *));
	smss->ids = calloc(BUCKETS, sizeof(*smss->ids));
	smss->pids = calloc(BUCKETS, sizeof(*smss->pids));
	smss->users = calloc(BUCKETS, sizeof(*smss->users));
	return smss->slots && smss->ids && smss->pids && smss->users ? 0 : -1;
}

void table_finish(struct smss *smss)
{
	free(smss->slots);
	free(smss->ids);
	free(smss->pids);
	free(smss->users);
}

int table_resize(struct smss *smss, uint32_t capacity)
{
	struct session **slots;

	if (capacity <= smss->capacity)
		return 0; /* what is taken beyond stays until it is free */
	slots = reallocarray(smss->slots, capacity, sizeof(struct session *));
	if (!slots)
		return -1;
	memset(slots + smss->capacity, 0, (capacity - smss->capacity) * sizeof(struct session *));
	smss->slots = slots;
	smss->capacity = capacity;
	return 0;
}

static struct id_bucket *id_bucket(struct smss *smss, uint32_t id)
{
	return &smss->ids[id % BUCKETS];
}

struct session *session_find(struct smss *smss, uint32_t id)
{
	struct session *session;

	LIST_FOREACH(session, id_bucket(smss, id), same_bucket)
	if (session->id == id)
		return session;
	return NULL;
}

/* 0 where every id is taken. */
static uint32_t free_id(struct smss *smss)
{
	uint32_t id = 0;

	for (uint32_t tried = 0; tried < LISTENER_ID - 1; tried++) {
		if (smss->config->SessionIdPolicy == SESSION_ID_INCREASING)
			id = smss->last_id = smss->last_id % (LISTENER_ID - 1) + 1;
		else
			id++;
		if (!session_find(smss, id))
			return id;
	}
	return 0;
}

int table_add(struct smss *smss, struct session *session, bool console)
{
	uint32_t slot = 0, id = 0;

	while (slot < smss->capacity && smss->slots[slot])
		slot++;
	if (slot == smss->capacity)
		return -1;
	if (!console && (id = free_id(smss)) == 0)
		return -1;
	session->smss = smss;
	session->slot = slot;
	session->id = id;
	if (++smss->last_generation == 0)
		smss->last_generation = 1;
	session->generation = smss->last_generation;
	record_counters(smss);
	return table_add_at(smss, session);
}

int table_add_at(struct smss *smss, struct session *session)
{
	if (session->slot >= smss->capacity || smss->slots[session->slot] ||
	    session_find(smss, session->id))
		return -1;
	smss->slots[session->slot] = session;
	smss->session_count++;
	LIST_INSERT_HEAD(id_bucket(smss, session->id), session, same_bucket);
	return 0;
}

void table_remove(struct session *session)
{
	struct smss *smss = session->smss;

	record_clear(session);
	smss->slots[session->slot] = NULL;
	smss->session_count--;
	smss->ending_idle -= session->ends_idle;
	LIST_REMOVE(session, same_bucket);
	if (session->of_user)
		LIST_REMOVE(session, same_user);
}

struct user_bucket *table_users(struct smss *smss, const char *user)
{
	uint32_t hash = 2166136261u; /* FNV-1a */

	for (; *user; user++)
		hash = (hash ^ (unsigned char)*user) * 16777619u;
	return &smss->users[hash % BUCKETS];
}

void table_add_user(struct session *session)
{
	if (session->of_user)
		return;
	session->of_user = true;
	LIST_INSERT_HEAD(table_users(session->smss, session->info.user), session, same_user);
}

static struct pid_bucket *pid_bucket(struct smss *smss, pid_t pid)
{
	return &smss->pids[(unsigned)pid % BUCKETS];
}

static struct pid_entry *find_process(struct smss *smss, pid_t pid)
{
	struct pid_entry *p;

	LIST_FOREACH(p, pid_bucket(smss, pid), entry)
	if (p->pid == pid)
		return p;
	return NULL;
}

struct session *session_of_process(struct smss *smss, pid_t pid)
{
	const struct pid_entry *p = find_process(smss, pid);

	return p ? p->session : NULL;
}

struct subsystem *subsystem_of_process(struct smss *smss, pid_t pid)
{
	const struct pid_entry *p = find_process(smss, pid);

	return p ? p->subsystem : NULL;
}

int table_add_process(struct session *session, struct subsystem *subsystem, pid_t pid)
{
	struct pid_entry *p = calloc(1, sizeof(*p));

	if (!p)
		return -1;
	p->pid = pid;
	p->session = session;
	p->subsystem = subsystem;
	p->pidfd = -1;
	LIST_INSERT_HEAD(pid_bucket(session->smss, pid), p, entry);
	return 0;
}

enum { TOLD_US = 200000 };

/* An adopted process has ended; with what, only its parent knows. Of a winlogon csrss tells that
   all is well: it may be a moment behind. */
static void on_ended(int fd, short what, void *argument)
{
	struct pid_entry *p = argument;
	struct smss *smss = p->session->smss;
	bool winlogon = !p->subsystem, well = p->session->command_ended;

	(void)fd;
	if (winlogon && !well && !(what & EV_TIMEOUT)) {
		const struct timeval in = { .tv_usec = TOLD_US };
		event_assign(p->ended, smss->base, -1, 0, on_ended, p);
		event_add(p->ended, &in);
		return;
	}
	usage_adopted_ended(p->session, p->subsystem);
	session_reaped(smss, p->pid, winlogon && !well ? SIGKILL : 0);
	if (smss->stopping && smss->child_event) /* it may be the last that the end waits for */
		event_active(smss->child_event, EV_READ, 1);
}

int table_adopt_process(struct session *session, struct subsystem *subsystem, pid_t pid, int pidfd)
{
	struct pid_entry *p;

	pidfd = fd_keep(pidfd);
	if (table_add_process(session, subsystem, pid) < 0) {
		close(pidfd);
		return -1;
	}
	p = find_process(session->smss, pid);
	p->pidfd = pidfd;
	p->ended = event_new(session->smss->base, pidfd, EV_READ, on_ended, p);
	return p->ended ? event_add(p->ended, NULL) : -1;
}

void table_kill(struct smss *smss, pid_t pid)
{
	const struct pid_entry *p = find_process(smss, pid);

	if (p && p->pidfd >= 0)
		syscall(SYS_pidfd_send_signal, p->pidfd, SIGKILL, NULL, 0);
	else
		kill(pid, SIGKILL);
}

void table_remove_process(struct smss *smss, pid_t pid)
{
	struct pid_entry *p = find_process(smss, pid);

	if (!p)
		return;
	LIST_REMOVE(p, entry);
	if (p->ended)
		event_free(p->ended);
	fd_close(&p->pidfd);
	free(p);
}

uint32_t table_used(const struct smss *smss)
{
	uint32_t console = session_find((struct smss *)(uintptr_t)smss, 0) ? 1 : 0;

	return smss->session_count - smss->pooled_count - smss->ending_idle - console;
}
