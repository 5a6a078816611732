/*
 * The sessions of an smss that has ended go on, and this one finds them: by its record
 * (smss-record.c), by their processes, which the kernel tells apart from later ones of their
 * numbers, and by each csrss, which looks for an smss as soon as it has lost one.
 *
 *   a record of a session that ran    its csrss is awaited, for ADOPT_MS
 *                                     its other subsystems ended with the earlier smss: the
 *                                     Required ones are loaded again, or it ends
 *   of any other                      it was half made, or ended already: it is killed, and its id
 *                                     and slot are free when the kernel has ended its processes
 *
 * Until all are there nobody is served: a user whose session is on its way must not get a second
 * one. What an adopted process ends with the kernel tells its parent alone, which this smss is
 * not; that it ended, a pidfd tells.
 */
#include "log.h"
#include "smss.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { ADOPT_MS = 10000 };

static unsigned awaited, adopted, lost;
static struct event *deadline;
static const struct session *old_console; /* it ends; the next one has its id */
static bool replaces;

/* A pidfd of PID, where that is the process that was born at BORN; else -1. */
static int open_process(pid_t pid, uint64_t born)
{
	int pidfd = pid > 0 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;

	if (pidfd >= 0 && process_born(pid) != born)
		fd_close(&pidfd);
	return pidfd;
}

/* What it was when it was recorded. */
static void restore(struct session *s, const struct record *r)
{
	s->step = SESSION_RUNNING;
	s->state = (enum session_state)r->state;
#define X(field) s->field = r->field;
	RECORD_SAME(X)
#undef X
	s->smss->pooled_count += s->pooled;
	s->csrss_born = r->csrss_born;
	s->winlogon_born = r->winlogon_born;
	s->csrss_id = (uint32_t)r->csrss;
	s->winlogon_id = (uint32_t)r->winlogon;
	memcpy(s->cookie, r->cookie, sizeof(s->cookie));
	memcpy(s->command, r->command, sizeof(s->command));
	if (r->logged_on)
		table_add_user(s);
}

/* PIDFD, of PID, is the table's. 0, or -1 where memory is out: PID is killed then. */
static int adopt_process(struct session *s, struct subsystem *subsystem, pid_t pid, int *pidfd)
{
	int fd = *pidfd;

	*pidfd = -1;
	if (table_adopt_process(s, subsystem, pid, fd) == 0)
		return 0;
	table_kill(s->smss, pid);
	table_remove_process(s->smss, pid);
	return -1;
}

/* It is known, with those of its processes that are there; its csrss has not come yet. 0, or -1. */
static int take_in(struct session *s, const struct record *r, int *csrss, int *winlogon)
{
	restore(s, r);
	if (process_space_create(s) < 0 ||
	    !(s->windows = subsystem_create(s, subsystem_windows(s->smss))))
		return -1;
	s->windows->required = true;
	if (adopt_process(s, s->windows, r->csrss, csrss) < 0)
		return -1;
	s->windows->pid = r->csrss;
	s->space->starts[s->windows->start].state = PROCESS_RUNS;
	if (*winlogon < 0)
		return 0;
	if (adopt_process(s, NULL, r->winlogon, winlogon) < 0)
		return -1;
	s->winlogon = r->winlogon;
	return 0;
}

/* Half made, or ending, or one of its processes is gone: the rest of it goes too. */
/* FAILED: it was to go on. */
static void end_rest(struct session *s, const struct record *r, bool failed)
{
	if (s->pooled)
		start_idle_ends(s); /* here: its end is no failure */
	if (r->step < SESSION_RUNNING) {
		s->step = SESSION_STARTING;
		s->csrss_id = 0; /* its start was told to nobody */
	}
	if (s->id == 0)
		old_console = s;
	session_stop(s, failed ? END_CSRSS_CRASH : END_NONE, STATUS_UNSUCCESSFUL);
}

static void find_one(struct smss *smss, uint32_t slot, const struct record *r)
{
	int csrss = open_process(r->csrss, r->csrss_born);
	int winlogon = open_process(r->winlogon, r->winlogon_born);
	/* one that was started for a client who has nobody now to bring him there is nobody's */
	bool wanted = r->step == SESSION_RUNNING && !r->awaits_client;
	bool whole = wanted && csrss >= 0 && winlogon >= 0;
	/* without csrss, process 1 of it, nothing is left */
	struct session *s = csrss < 0 ? NULL : session_restore(smss, slot, r->id, r->generation);

	if (s && take_in(s, r, &csrss, &winlogon) < 0) {
		whole = false;
		if (!s->windows || !s->windows->pid) {
			smss->pooled_count -= s->pooled;
			session_forget(s);
			s = NULL;
		}
	}
	if (s && whole) {
		/* its limits: systemd may have had to take the controllers away meanwhile */
		int cgroup = cgroup_create(smss->cgroup, s->id, smss->config);
		fd_close(&cgroup);
		s->awaited = true;
		awaited++;
		return;
	}
	lost += wanted;
	if (s)
		end_rest(s, r, wanted);
	else
		record_clear(&(struct session){ .slot = slot });
	if (csrss >= 0)
		syscall(SYS_pidfd_send_signal, csrss, SIGKILL, NULL, 0);
	fd_close(&csrss);
	fd_close(&winlogon);
}

/* ---- until they are there ---- */

static void done(struct smss *smss)
{
	if (deadline)
		event_free(deadline);
	deadline = NULL;
	if (adopted || lost)
		log_info("%u sessions were found again, %u were lost", adopted, lost);
	if (!smss->stopping && smss_begin_service(smss) < 0)
		smss_stop(smss, 1);
}

static void came(struct session *s)
{
	if (!s->awaited)
		return;
	s->awaited = false;
	if (--awaited == 0 && !old_console)
		done(s->smss);
}

/* Who has not come is ended. */
static void on_deadline(int fd, short what, void *argument)
{
	struct smss *smss = argument;

	(void)fd;
	(void)what;
	for (uint32_t slot = 0; slot < smss->capacity; slot++) {
		struct session *s = smss->slots[slot];
		if (!s || !s->awaited)
			continue;
		s->awaited = false;
		lost++;
		if (s->step == SESSION_RUNNING)
			log_warn("session %u: its csrss does not come: ended", s->id);
		session_stop(s, END_CSRSS_CRASH, STATUS_IO_TIMEOUT);
	}
	awaited = 0;
	if (old_console && !smss->stopping) {
		log_error("the console session of an earlier smss does not end");
		smss_stop(smss, 1);
	}
	done(smss);
}

bool adopt_any(void)
{
	return adopted > 0;
}

bool adopt_replaces(void)
{
	return replaces;
}

bool adopt_lost(struct session *session)
{
	bool replaced = session == old_console;

	if (!session->awaited && !replaced)
		return false;
	if (replaced)
		old_console = NULL;
	if (session->awaited) {
		session->awaited = false;
		lost++;
		awaited--;
	}
	/* in the next turn, when its id and slot are free */
	if (awaited == 0 && !old_console && deadline)
		event_active(deadline, EV_TIMEOUT, 0);
	return replaced;
}

int adopt_begin(struct smss *smss)
{
	const struct timeval in = { .tv_sec = ADOPT_MS / 1000 };
	struct record r;

	record_read_counters(smss);
	for (uint32_t slot = 0; slot < record_capacity(); slot++)
		if (record_read(slot, &r)) {
			replaces = true;
			if (table_resize(smss, slot + 1) < 0)
				return -1;
			find_one(smss, slot, &r);
		}
	if (awaited == 0 && !old_console)
		return smss_begin_service(smss);
	if (awaited > 0)
		log_info("%u sessions are there still: their csrss are awaited", awaited);
	deadline = evtimer_new(smss->base, on_deadline, smss);
	return deadline ? event_add(deadline, &in) : -1;
}

/* ---- csrss ---- */

/* What csrss knows better: which client it has, if any. */
static void reconcile(struct session *s, const struct msg_csr_adopt *m)
{
	/* at a logon prompt or a choice: who asks has nobody any more who would answer */
	bool asking = s->id != 0 && !s->logged_on && !s->pooled && !s->command[0] && s->connection;

	if (asking) {
		session_stop(s, END_ADMIN_DISCONNECT, STATUS_PORT_DISCONNECTED);
		return;
	}
	s->connection = m->connection;
	if (s->logged_on && !m->connection && s->state != WTS_DISCONNECTED)
		winstation_lost(s);
	else
		session_set_state(s, s->logged_on && m->connection ? WTS_ACTIVE : s->state);
	limits_changed(s);
	/* an earlier smss logged its user off: its timer went with it, and csrss may not have heard of it */
	if (s->leaving != END_NONE)
		session_logoff(s, s->leaving);
}

int adopt_csrss(struct client *client, const PORT_MESSAGE *m, int *passed)
{
	const struct msg_csr_adopt *message = (const void *)m;
	struct subsystem *windows = subsystem_of_process(client->smss, client->pid);
	struct session *s = windows ? windows->session : NULL;
	struct msg_csr_connect reply = { .status = STATUS_SUCCESS };
	int pair[2];

	if (!s || windows != s->windows || windows->connected || s->step != SESSION_RUNNING ||
	    message->generation != s->generation)
		return -1;
	(void)passed;
	/* smss's own end: one of csrss's making could be made to wait */
	if (port_pair(pair) < 0)
		return -1;
	windows->callback = client_create(client->smss, pair[0], CLIENT_CALLBACK, client->pid);
	if (!windows->callback) {
		close(pair[1]);
		return -1;
	}
	windows->callback->subsystem = windows;
	client->subsystem = windows;
	windows->client = client;
	windows->type = SUBSYSTEM_WINDOWS;
	windows->connected = true;
	alive_watch(client, false); /* it may be of an earlier build */
	reply.session = s->id;
	reply.generation = s->generation;
	reply.keep = client->smss->keeps;
	port_header(&reply.h, CSR_CONNECT, sizeof(reply), m->message_id);
	client_send(client, &reply.h, pair[1]);
	close(pair[1]);
	if (message->shell && !s->info.phase[PHASE_SHELL])
		s->info.phase[PHASE_SHELL] = clock_within(message->shell, 1, clock_us());
	s->shell_told = message->shell;
	adopted++;
	reconcile(s, message);
	if (s->step == SESSION_RUNNING)
		subsystem_load_required(s);
	came(s);
	return 0;
}
