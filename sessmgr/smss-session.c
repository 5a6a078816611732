/*
 * A session's life, from its first process to the end of its last. Nothing waits: the chain
 * (smss-chain.c) begins the creation of a process, and what happens later moves the session
 * on: whoever creates reports, a subsystem connects, a child ends, time is up.
 *
 *   session_advance    loads the next Required subsystem, then the initial command
 *   session_created    a process of it is there
 *   session_stop       the one way to its end, whatever the reason
 *   session_reaped     a process of it has ended; the last one frees it
 */
#include "fault.h"
#include "log.h"
#include "probe.h"
#include "smss.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

/* For a user's programs to end when he is logged off. */
enum { LOGOFF_MS = 10000 };

static void set_step(struct session *session, enum session_step step)
{
	session->step = step;
	PROBE_STATE(session->id, step, session->status);
}

void session_set_state(struct session *session, enum session_state state)
{
	session->state = state;
	record_update(session);
	PROBE_CONNECT_STATE(session->id, state, session->status);
}

/* ---- time ---- */

/* csrss was told to leave and did not. */
static void on_timeout(int fd, short what, void *argument)
{
	struct session *session = argument;

	(void)fd;
	(void)what;
	if (session->step == SESSION_RUNNING) {
		log_warn("session %u: its programs did not end: killed", session->id);
		session_stop(session, session->leaving, STATUS_DELETE_PENDING);
		return;
	}
	if (session->step == SESSION_ENDING) {
		audit_slow_end(session);
		if (session->windows && session->windows->pid > 0)
			table_kill(session->smss, session->windows->pid);
		return;
	}
	log_warn("session %u: its processes were not created in %u ms: ended", session->id,
	    session->smss->config->SubsystemTimeout);
	session_stop(session, END_CSRSS_CRASH, STATUS_IO_TIMEOUT);
}

static void expect(struct session *session, uint32_t milliseconds)
{
	struct timeval in = { .tv_sec = milliseconds / 1000,
		.tv_usec = milliseconds % 1000 * 1000 };

	event_add(session->timeout, &in);
}

/* ---- the beginning ---- */

/* One that is in no table. NULL where memory is out. */
static struct session *allocate(struct smss *smss)
{
	struct session *session = calloc(1, sizeof(*session));

	if (!session)
		return NULL;
	session->smss = smss;
	session->creator_port = session->creator_far = session->creator_pidfd = -1;
	session->worker = NO_WORKER;
	LIST_INIT(&session->subsystems);
	TAILQ_INIT(&session->boxes);
	session->timeout = evtimer_new(smss->base, on_timeout, session);
	if (session->timeout && limits_create(session) == 0)
		return session;
	if (session->timeout)
		event_free(session->timeout);
	free(session);
	return NULL;
}

static void deallocate(struct session *session)
{
	event_free(session->timeout);
	limits_destroy(session);
	free(session);
}

struct session *session_restore(struct smss *smss, uint32_t slot, uint32_t id, uint32_t generation)
{
	struct session *session = allocate(smss);

	if (!session)
		return NULL;
	session->slot = slot;
	session->id = id;
	session->generation = generation;
	if (table_add_at(smss, session) == 0)
		return session;
	deallocate(session);
	return NULL;
}

struct session *session_create(struct smss *smss, bool console, int32_t *status)
{
	struct session *session =
	    fault("session", console ? 0 : NO_SESSION) ? NULL : allocate(smss);

	*status = STATUS_NO_MEMORY;
	if (!session)
		return NULL;
	if (table_add(smss, session, console) < 0) {
		deallocate(session);
		return NULL;
	}
	session->info.session = session->id;
	session->info.started = (uint64_t)time(NULL);
	session->info.phase[PHASE_START_CSR] = clock_us();
	if (console)
		snprintf(session->info.winstation, WINSTATION_SIZE, "Console");
	else
		snprintf(session->info.winstation, WINSTATION_SIZE, "RDP-Tcp#%u", session->id);
	start_began(session);
	session_set_state(session, WTS_INIT);
	set_step(session, SESSION_LOADING);
	return session;
}

/* What of it is smss's own. */
static void release(struct session *session)
{
	struct subsystem *subsystem;

	while ((subsystem = LIST_FIRST(&session->subsystems)))
		subsystem_destroy(subsystem, STATUS_DELETE_PENDING);
	cgroup_remove(session->smss->cgroup, session->id);
	process_creator_forget(session);
	process_space_destroy(session);
	start_done(session);
	table_remove(session);
	manage_forget_session(session);
	limits_destroy(session);
	event_free(session->timeout);
}

void session_forget(struct session *session)
{
	release(session);
	free(session);
}

int32_t session_status(int error, bool executing)
{
	switch (error) {
	case EAGAIN:
	case ENOMEM:
	case ENOSPC:
	case EMFILE:
	case ENFILE:
	case EUSERS:
		return STATUS_NO_MEMORY;
	case EPERM:
	case EACCES:
		return STATUS_ACCESS_DENIED;
	case ENOENT:
	case ENOTDIR:
		return executing ? STATUS_OBJECT_NAME_NOT_FOUND : STATUS_UNSUCCESSFUL;
	case ENOEXEC:
	case ELIBBAD:
		return executing ? STATUS_INVALID_IMAGE_FORMAT : STATUS_UNSUCCESSFUL;
	default:
		return STATUS_UNSUCCESSFUL;
	}
}

/* The next Required subsystem that has still to be loaded, or NULL. */
static const struct known_name *next_required(struct session *session)
{
	const struct smss *smss = session->smss;

	while (session->next_required < smss->required_count) {
		const struct known_name *known = &smss->required[session->next_required++];
		if (!subsystem_by_name(session, known->name, strlen(known->name)))
			return known;
	}
	return NULL;
}

static void load(struct session *session, const struct known_name *known)
{
	struct subsystem *subsystem = subsystem_create(session, known);
	UNICODE_STRING command = { .Buffer = (char *)(uintptr_t)known->command,
		.Length = (uint16_t)strlen(known->command) };
	uint32_t process = 0;
	int32_t status = STATUS_NO_MEMORY;

	if (subsystem) {
		subsystem->required = true;
		status = SmpExecuteCommand(&command, session, subsystem, &process);
	}
	if (status != STATUS_PENDING)
		session_stop(session, END_OUT_OF_MEMORY, status);
}

void session_advance(struct session *session)
{
	UNICODE_STRING command = { .Buffer = session->command,
		.Length = (uint16_t)strlen(session->command) };
	const struct known_name *known = next_required(session);
	int32_t status;

	if (known) {
		load(session, known);
		return;
	}
	set_step(session, SESSION_STARTING);
	fault_kind(PROCESS_INITIAL_COMMAND);
	status = SmpExecuteInitialCommand(session, &command);
	if (status != STATUS_PENDING)
		session_stop(session, END_OUT_OF_MEMORY, status);
	else if (session->id != 0)
		expect(session, session->smss->config->SubsystemTimeout);
}

void session_log_started(const struct session *session)
{
	/* of one that a client is to have, and of an idle one, its logon's event tells */
	void (*say)(const char *format, ...) =
	    session->awaits_client || session->pooled ? log_event : log_info;

	say("session %u has started with initial command process id %d and Windows subsystem "
	    "process id %d",
	    session->id, session->winlogon, session->windows->pid);
}

/* The initial command runs, and who started it has left. */
static void started(struct session *session)
{
	struct smss *smss = session->smss;
	SMSTARTCSR *answer;

	event_del(session->timeout);
	set_step(session, SESSION_RUNNING);
	session_set_state(session, session->id == 0 ? WTS_CONNECTED : WTS_IDLE);
	session->ready_since = clock_us();
	stats_created(session);
	session->csrss_id = (uint32_t)session->windows->pid;
	session->winlogon_id = (uint32_t)session->winlogon;
	audit_started(session);
	start_done(session);
	if (session->id == 0) { /* it is said once all is well */
		services_check(smss);
		return;
	}
	if (session->pooled)
		smss->pool_pause = 0;
	else
		session_log_started(session);
	if (!session->starter)
		return;
	session->info.phase[PHASE_ANSWERED] = clock_us();
	answer = &session->starter->m.sm.u.StartCsr;
	answer->MuSessionId = session->id;
	answer->InitialCommandProcessId = (uint32_t)session->winlogon;
	answer->WindowsSubSysProcessId = (uint32_t)session->windows->pid;
	session->starter->m.h.client_view_size = session->generation;
	call_answer(session->starter, STATUS_SUCCESS);
	session->starter = NULL;
}

/* A subsystem's process, or NULL where the place of the session space is nobody's. */
static struct subsystem *subsystem_at(struct session *session, unsigned start)
{
	struct subsystem *subsystem;

	LIST_FOREACH(subsystem, &session->subsystems, entry)
	if (subsystem->start == start)
		return subsystem;
	return NULL;
}

static void creation_failed(struct session *session, const struct process_report *report)
{
	const struct process_start *start = &session->space->starts[report->start % SPACE_STARTS];
	struct subsystem *subsystem = subsystem_at(session, report->start);
	/* what it said itself came first: its end lets other things fail */
	int error = start->what[0] ? start->error : report->error;
	int32_t status = session_status(error, start->executing);

	log_warn("session %u: cannot start %s: %.*s%s%s", session->id,
	    subsystem ? subsystem->name : "the initial command", (int)sizeof(start->what) - 1,
	    start->what, start->what[0] ? ": " : "", strerror(error));
	if (subsystem) {
		subsystem->ordered = false;
		PROBE_SUBSYSTEM(session->id, PROBE_GONE, status, subsystem->name);
		subsystem_failed(subsystem, status);
	} else {
		session_stop(session,
		    status == STATUS_NO_MEMORY ? END_OUT_OF_MEMORY : END_WINLOGON_CRASH, status);
	}
}

void session_created(struct session *session, const struct process_report *report)
{
	struct subsystem *subsystem = subsystem_at(session, report->start);

	session->space->starts[report->start].pid = 0; /* it is reported */
	if (report->pid > 0)
		audit_executed(session, report->pid);
	if (subsystem)
		subsystem->ordered = false; /* done, in whatever way */
	if (report->pid <= 0) {
		creation_failed(session, report);
		return;
	}
	/* one that nobody asked for, or not any more */
	if (report->kind != PROCESS_INITIAL_COMMAND && (!subsystem || subsystem->pid)) {
		kill(report->pid, SIGKILL);
		return;
	}
	if (table_add_process(session, report->kind == PROCESS_INITIAL_COMMAND ? NULL : subsystem,
	        report->pid) < 0) {
		kill(report->pid, SIGKILL);
		session_stop(session, END_OUT_OF_MEMORY, STATUS_NO_MEMORY);
		return;
	}
	if (report->kind == PROCESS_INITIAL_COMMAND) {
		session->winlogon = report->pid;
		session->winlogon_born = process_born(report->pid);
		session->info.phase[PHASE_WINLOGON] = clock_us();
	} else if (subsystem) {
		if (subsystem == session->windows) {
			session->csrss_born = process_born(report->pid);
			session->namespace = process_namespace(report->pid);
		}
		subsystem_created(subsystem, report->pid);
		record_update(session);
	}
	if (session->step == SESSION_ENDING)
		kill(report->pid, SIGKILL);
}

void session_creator_lost(struct session *session)
{
	struct subsystem *subsystem, *next;

	session->creator_orders = 0;
	if (session->step == SESSION_ENDING)
		return;
	log_warn("session %u: what creates its processes has ended", session->id);
	if (session->step != SESSION_RUNNING) {
		session_stop(session, END_OUT_OF_MEMORY, STATUS_UNSUCCESSFUL);
		return;
	}
	for (subsystem = LIST_FIRST(&session->subsystems); subsystem; subsystem = next) {
		next = LIST_NEXT(subsystem, entry);
		if (!subsystem->pid && subsystem->ordered)
			subsystem_failed(subsystem, STATUS_UNSUCCESSFUL);
	}
}

/* ---- the end ---- */

void session_log_no_console(void)
{
	log_error("cannot load the console session: are all kinds of namespaces allowed here? "
	          "(sysctl user.max_*_namespaces)");
}

/* The whole system goes down with it, and says which process did that, as Windows does. */
static void console_died(struct smss *smss, const struct session *console)
{
	bool logon_process = console->logon_process_died;
	bool other = console->died[0] && strcmp(console->died, "Windows") != 0;
	int status = logon_process ? EXIT_WINDOWS_LOGON_PROCESS : EXIT_WINDOWS_SUBSYSTEM;
	char reason[64];

	snprintf(reason, sizeof(reason), "%s%s%s",
	    logon_process ? "Windows Logon Process" : "Windows SubSystem", other ? ": " : "",
	    other ? console->died : "");
	if (smss->was_ready)
		log_error("the console session is gone: the service ends (%s)", reason);
	else if (logon_process || console->died[0])
		log_error("the console session ended before the service was ready (%s)", reason);
	else
		session_log_no_console();
	smss_stop(smss, smss->was_ready ? status : 1);
}

static void log_end(const struct session *session)
{
	const char *text = end_reason_text(session->reason);
	/* events 23 and 40 tell of one that somebody had; an idle one was nobody's */
	void (*say)(const char *format, ...) =
	    session->logged_on || session->pooled ? log_event : log_info;

	if (end_reason_failed(session->reason))
		log_error(
		    "session %u has failed: %s (reason %u)", session->id, text, session->reason);
	else
		say("session %u has ended: %s (reason %u)", session->id, text, session->reason);
}

/* Every process is gone: the id is free, and who waits is told. */
static void session_free(struct session *session)
{
	struct smss *smss = session->smss;
	bool console = session->id == 0, replaced = adopt_lost(session);

	audit_ended(session);
	release(session);
	set_step(session, SESSION_GONE);
	call_answer(session->starter, session->status ? session->status : STATUS_UNSUCCESSFUL);
	call_answer(session->stopper, STATUS_SUCCESS);
	if (!console || !smss->stopping) /* it ends because the service does */
		log_end(session);
	/* the pool may have waited for its place */
	if (session->ends_idle && !smss->stopping)
		start_refill(smss);
	if (smss->stopping && smss->child_event) /* it may be the last that the end waits for */
		event_active(smss->child_event, EV_READ, 1);
	if (console && !replaced && !smss->stopping)
		console_died(smss, session);
	free(session);
}

static void free_if_gone(struct session *session)
{
	const struct subsystem *subsystem;

	if (session->step != SESSION_ENDING || session->creator || session->winlogon)
		return;
	LIST_FOREACH(subsystem, &session->subsystems, entry)
	if (subsystem->pid)
		return;
	session_free(session);
}

/* Without any process it has nobody to be reaped. */
static void on_nobody(int fd, short what, void *argument)
{
	(void)fd;
	(void)what;
	free_if_gone(argument);
}

/* An idle session that ends is made anew; at leisure, unless an administrator ended it. */
static void leave_pool(struct session *session)
{
	struct smss *smss = session->smss;

	if (!session->pooled)
		return;
	start_idle_ends(session);
	if (session->reason == END_ADMIN_LOGOFF)
		start_refill(smss);
	else
		start_pool_lost(smss);
}

void session_stop(struct session *session, enum end_reason reason, int32_t status)
{
	struct msg_end end = { .reason = reason };
	struct subsystem *windows = session->windows;
	const struct timeval now = { 0 };

	if (session->step == SESSION_ENDING)
		return;
	event_del(session->limit);
	session->reason = reason;
	session->status = status;
	stats_ended(session, session->step == SESSION_RUNNING);
	session_set_state(session, WTS_DOWN);
	set_step(session, SESSION_ENDING);
	record_update(session);
	audit_leaving(session);
	leave_pool(session);
	start_done(session);
	if (session->creator)
		kill(session->creator, SIGKILL);
	port_header(&end.h, CSR_TERMINATE, sizeof(end), 0);
	/* csrss tells the client why and leaves; whoever is left then is killed with it,
	   for it is process 1 of the session */
	if (windows && windows->client && windows->connected &&
	    client_send(windows->client, &end.h, -1) == 0) {
		expect(session, 1000);
	} else if (windows && windows->pid > 0) {
		table_kill(session->smss, windows->pid);
	} else if (!session->creator) {
		event_del(session->timeout);
		event_assign(session->timeout, session->smss->base, -1, 0, on_nobody, session);
		event_add(session->timeout, &now);
	}
}

void session_logoff(struct session *session, enum end_reason reason)
{
	struct msg_plain m;

	if (session->step != SESSION_RUNNING || !session->logged_on) {
		session_stop(session, reason, STATUS_DELETE_PENDING);
		return;
	}
	session->leaving = reason;
	record_update(session);
	port_header(&m.h, CSR_LOGOFF, sizeof(m), 0);
	client_send(session->windows->client, &m.h, -1);
	/* who asks again and again gets no more time */
	if (!evtimer_pending(session->timeout, NULL))
		expect(session, LOGOFF_MS);
}

/* When csrss ends the kernel ends winlogon too, which is reaped first then; the port's end
   came before. */
static bool windows_gone(const struct session *session)
{
	const struct subsystem *windows = session->windows;

	return !windows || !windows->client || port_at_end(windows->client->port);
}

void session_lose_subsystem(struct subsystem *subsystem, int32_t status)
{
	struct session *session = subsystem->session;
	const struct process_start *start = &session->space->starts[subsystem->start];

	if (session->step == SESSION_ENDING)
		return;
	/* when csrss ends so do the others, as winlogon does */
	if (start->state == PROCESS_RUNS && !start->what[0])
		snprintf(session->died, sizeof(session->died), "%s",
		    windows_gone(session) ? "Windows" : subsystem->name);
	session_stop(
	    session, status == STATUS_NO_MEMORY ? END_OUT_OF_MEMORY : END_CSRSS_CRASH, status);
}

/* What the end of winlogon, which was no logoff, means. */
static enum end_reason winlogon_reason(const struct session *session, int wait_status)
{
	if (WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == WINLOGON_NO_LOGON)
		return END_DENIED;
	return windows_gone(session) ? END_CSRSS_CRASH : END_WINLOGON_CRASH;
}

static void winlogon_ended(struct session *session, int wait_status)
{
	/* it was created, whatever became of it; the end of who created it may be read later */
	if (session->step == SESSION_STARTING && !windows_gone(session))
		started(session);
	session->winlogon = 0;
	if (session->step != SESSION_ENDING && !windows_gone(session))
		session->logon_process_died = true;
	if (WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == 0) {
		session_stop(
		    session, session->leaving ? session->leaving : END_USER_LOGOFF, STATUS_SUCCESS);
		return;
	}
	/* the end of csrss's port may have come first; SIGKILL is what it gets with that */
	if (WIFSIGNALED(wait_status) &&
	    (session->step != SESSION_ENDING || WTERMSIG(wait_status) != SIGKILL))
		log_warn("session %u: winlogon was ended by signal %d", session->id,
		    WTERMSIG(wait_status));
	else if (WIFEXITED(wait_status) && session->step != SESSION_ENDING)
		log_warn("session %u: winlogon ended with status %d%s", session->id,
		    WEXITSTATUS(wait_status),
		    WEXITSTATUS(wait_status) == WINLOGON_NO_CSRSS ? " (no way to csrss)" : "");
	session_stop(session, winlogon_reason(session, wait_status), STATUS_UNSUCCESSFUL);
}

static void log_subsystem_end(const struct subsystem *subsystem, int wait_status)
{
	const struct session *session = subsystem->session;
	const struct process_start *start = &session->space->starts[subsystem->start];

	if (!subsystem->client && start->what[0])
		log_error("session %u: cannot set up %.*s: %s", session->id,
		    (int)sizeof(start->what) - 1, start->what, strerror(start->error));
	if (WIFSIGNALED(wait_status) &&
	    (session->step != SESSION_ENDING || WTERMSIG(wait_status) != SIGKILL))
		log_warn("session %u: %s was ended by signal %d", session->id, subsystem->name,
		    WTERMSIG(wait_status));
	else if (WIFEXITED(wait_status) && subsystem == session->windows &&
	         WEXITSTATUS(wait_status) == CSRSS_NO_TERMINAL)
		log_error("session %u: no pseudo-terminal is left: raise the sysctl kernel.pty.max",
		    session->id);
	else if (WIFEXITED(wait_status) && session->step != SESSION_ENDING)
		log_warn("session %u: %s ended with status %d", session->id, subsystem->name,
		    WEXITSTATUS(wait_status));
}

static void subsystem_ended(struct subsystem *subsystem, int wait_status)
{
	const struct process_start *start = &subsystem->session->space->starts[subsystem->start];
	int32_t status = STATUS_UNSUCCESSFUL;

	subsystem->pid = 0;
	client_hear_out(subsystem->client);
	log_subsystem_end(subsystem, wait_status);
	if (!subsystem->client && start->what[0])
		status = session_status(start->error, start->executing);
	PROBE_SUBSYSTEM(subsystem->session->id, PROBE_GONE, status, subsystem->name);
	subsystem_failed(subsystem, status);
}

/* What was created and not reported is known to the kernel: it has smss for its parent now. It
   is ended, and awaited as any other process of the session. */
static void end_unreported(struct session *session)
{
	struct process_start *start = session->space->starts;

	for (unsigned i = 0; i < SPACE_STARTS; i++, start++) {
		struct subsystem *subsystem = subsystem_at(session, i);
		if (start->pid <= 0 || session_of_process(session->smss, start->pid) ||
		    table_add_process(session, subsystem, start->pid) < 0)
			continue;
		if (subsystem) {
			subsystem->pid = start->pid;
			subsystem->ordered = false; /* a later smss has no part in it */
		} else if (i == SPACE_INITIAL_COMMAND) {
			session->winlogon = start->pid;
		}
		kill(start->pid, SIGKILL);
	}
}

/* Where PID stands that a short-lived smss created and smss has not been told of. */
static struct process_start *find_unreported(struct smss *smss, pid_t pid, struct session **session)
{
	for (uint32_t slot = 0; slot < smss->capacity; slot++) {
		struct session *s = smss->slots[slot];
		if (!s || s->creator_orders == 0)
			continue;
		for (unsigned i = 0; i < SPACE_STARTS; i++)
			if (s->space->starts[i].pid == pid) {
				*session = s;
				return &s->space->starts[i];
			}
	}
	return NULL;
}

void session_hear_of(struct smss *smss, pid_t pid)
{
	struct session *session;

	if (!session_of_process(smss, pid) && find_unreported(smss, pid, &session))
		process_creator_reports(session);
}

/* It was reaped before the short-lived smss that created it, and never said so. */
static bool unreported_reaped(struct smss *smss, pid_t pid)
{
	struct session *session;
	struct process_start *start = find_unreported(smss, pid, &session);

	if (start)
		start->pid = 0;
	return start;
}

static void creator_ended(struct session *session)
{
	process_creator_reports(session); /* sent before its end */
	process_creator_forget(session);
	session->creator = 0;
	if (session->creator_orders > 0)
		end_unreported(session);
	if (session->creator_orders > 0)
		session_creator_lost(session);
	else if (session->step == SESSION_STARTING && session->winlogon)
		started(session);
	if (session->step == SESSION_RUNNING)
		subsystem_load_waiting(session);
}

bool session_reaped(struct smss *smss, pid_t pid, int wait_status)
{
	struct subsystem *subsystem = subsystem_of_process(smss, pid);
	struct session *session = session_of_process(smss, pid);

	if (!session)
		return unreported_reaped(smss, pid);
	table_remove_process(smss, pid);
	if (subsystem) {
		if (subsystem->calling && !subsystem->client)
			client_forget_process(smss, pid);
		subsystem->calling = false;
		subsystem_ended(subsystem, wait_status);
	} else if (pid == session->winlogon) {
		winlogon_ended(session, wait_status);
	} else if (pid == session->creator) {
		creator_ended(session);
	} /* else one that nobody waits for any more */
	free_if_gone(session);
	return true;
}
