/*
 * The session table, and the chain that starts a session:
 *
 *   SmpStartCsr -> SmpLoadSubSystemsForMuSession -> SmpExecuteCommand -> SmpLoadSubSystem
 *   -> SmpExecuteImage -> process_create
 *
 * as in the transcript (lines 103-115). Nothing waits: the chain returns STATUS_PENDING
 * once csrss is created, and what happens later (csrss connects, the helper reports, a
 * child ends, time is up) moves the session on.
 */
#include "log.h"
#include "smss.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct session *session_find(struct smss *smss, uint32_t id)
{
	return id < smss->capacity ? smss->sessions[id] : NULL;
}

struct session *session_of_process(struct smss *smss, pid_t pid)
{
	for (uint32_t id = 0; id < smss->capacity; id++) {
		struct session *s = smss->sessions[id];
		if (s && (s->csrss == pid || s->winlogon == pid || s->helper == pid))
			return s;
	}
	return NULL;
}

static uint32_t lowest_slot(struct smss *smss)
{
	uint32_t slot = 0;

	while (smss->slots[slot])
		slot++;
	return slot; /* there are as many slots as sessions */
}

static void on_timeout(int fd, short what, void *argument)
{
	struct session *session = argument;

	(void)fd;
	(void)what;
	if (session->step == SESSION_ENDING)
		return;
	log_warn("session %u: its subsystem did not connect in %u ms: ended", session->id,
	    session->smss->config->SubsystemTimeout);
	session_stop(session, END_CLOSED, STATUS_IO_TIMEOUT);
}

struct session *session_create(struct smss *smss, bool console, int32_t *status)
{
	uint32_t id = console ? 0 : 1;
	struct session *session;

	while (id < smss->capacity && smss->sessions[id])
		id++;
	session = id < smss->capacity ? calloc(1, sizeof(*session)) : NULL;
	if (session)
		session->timeout = evtimer_new(smss->base, on_timeout, session);
	if (!session || !session->timeout) {
		free(session);
		*status = STATUS_NO_MEMORY;
		return NULL;
	}
	session->smss = smss;
	session->id = id;
	session->slot = lowest_slot(smss);
	session->generation =
	    ++smss->last_generation ? smss->last_generation : ++smss->last_generation;
	session->csrss_pidfd = -1;
	session->state = WTS_INIT;
	session->info.session = id;
	session->info.started = (uint64_t)time(NULL);
	if (console)
		snprintf(session->info.winstation, WINSTATION_SIZE, "Console");
	else
		snprintf(session->info.winstation, WINSTATION_SIZE, "RDP-Tcp#%u", id);
	smss->slots[session->slot] = 1;
	smss->sessions[id] = session;
	smss->session_count++;
	return session;
}

/* The whole system goes down with it, and says which process did that, as Windows does. */
static void console_died(struct smss *smss, bool logon_process)
{
	if (!smss->was_ready) {
		log_error("cannot load the console session: are all kinds of namespaces allowed "
		          "here? (sysctl user.max_*_namespaces)");
		smss_stop(smss, 1);
		return;
	}
	log_error("the console session is gone: the service ends (%s)",
	    logon_process ? "Windows Logon Process" : "Windows SubSystem");
	smss_stop(smss, logon_process ? EXIT_WINDOWS_LOGON_PROCESS : EXIT_WINDOWS_SUBSYSTEM);
}

/* Every process is gone: the id is free, and who waits is told. */
static void session_free(struct session *session)
{
	struct smss *smss = session->smss;
	bool console = session->id == 0, logon_process_died = session->logon_process_died;

	cgroup_remove(smss->cgroup, session->id);
	smss->sessions[session->id] = NULL;
	smss->slots[session->slot] = 0;
	smss->session_count--;
	if (session->subsystem) {
		struct client *client = session->subsystem;
		session->subsystem = NULL;
		client->session = NULL;
		client_destroy(client);
	}
	sm_reply(session->starter, &session->start_call,
	    session->status ? session->status : STATUS_UNSUCCESSFUL);
	sm_reply(session->stopper, &session->stop_call, STATUS_SUCCESS);
	fd_close(&session->csrss_pidfd);
	process_forget(session->csrss_start);
	event_free(session->timeout);
	if (!console || !smss->stopping) /* it ends because the service does */
		log_info("session %u has ended: %s", session->id, end_reason_text(session->reason));
	free(session);
	if (console && !smss->stopping)
		console_died(smss, logon_process_died);
}

static void free_if_gone(struct session *session)
{
	if (session->step == SESSION_ENDING && !session->csrss && !session->helper &&
	    !session->winlogon)
		session_free(session);
}

void session_stop(struct session *session, enum end_reason reason, int32_t status)
{
	struct msg_end end = { .reason = reason };

	if (session->step == SESSION_ENDING)
		return;
	session->step = SESSION_ENDING;
	session->state = WTS_DOWN;
	session->reason = reason;
	session->status = status;
	port_header(&end.h, CSR_TERMINATE, sizeof(end), 0);
	/* csrss tells the client why and leaves; whoever is left then is killed with it,
	   for it is process 1 of the session */
	if (!session->subsystem || client_send(session->subsystem, &end.h, -1) < 0) {
		if (session->csrss > 0)
			kill(session->csrss, SIGKILL);
	} else {
		session_expect(session, 1000);
	}
}

/* csrss was told to leave and did not. */
static void on_lingering(int fd, short what, void *argument)
{
	struct session *session = argument;

	(void)fd;
	(void)what;
	if (session->csrss > 0)
		kill(session->csrss, SIGKILL);
}

void session_expect(struct session *session, uint32_t milliseconds)
{
	struct timeval in = { .tv_sec = milliseconds / 1000,
		.tv_usec = milliseconds % 1000 * 1000 };

	event_del(session->timeout);
	event_assign(session->timeout, session->smss->base, -1, 0,
	    session->step == SESSION_ENDING ? on_lingering : on_timeout, session);
	event_add(session->timeout, &in);
}

static void session_failed(struct session *session, const char *what, int error)
{
	log_warn("session %u: cannot start %s: %s", session->id, what, strerror(error));
	session_stop(session, END_OUT_OF_MEMORY,
	    error == EAGAIN || error == ENOMEM || error == ENOSPC || error == EMFILE ||
	            error == ENFILE
	        ? STATUS_NO_MEMORY
	        : STATUS_UNSUCCESSFUL);
}

void session_ready(struct session *session)
{
	int cgroup = cgroup_create(session->smss->cgroup, session->id, session->smss->config);

	event_del(session->timeout);
	process_forget(session->csrss_start);
	session->csrss_start = NULL;
	session->info.phase[PHASE_CSRSS] = clock_us();
	session->step = SESSION_STARTING;
	session->helper = process_start_winlogon(session->smss, session, cgroup);
	fd_close(&cgroup);
	if (session->helper < 0) {
		session->helper = 0;
		session_failed(session, "winlogon", errno);
	}
}

static bool ended_before_report(const struct smss *smss, pid_t pid)
{
	uint64_t now = clock_us();

	for (int i = 0; i < UNKNOWN_MAX; i++)
		if (smss->unknown[i].pid == pid && now - smss->unknown[i].reaped < UNKNOWN_US)
			return true;
	return false;
}

void session_log_started(const struct session *session)
{
	log_info("session %u has started with initial command process id %d and Windows subsystem "
	         "process id %d",
	    session->id, session->winlogon, session->csrss);
}

void session_started(struct smss *smss, const struct process_report *report)
{
	struct session *session = session_find(smss, report->session);

	if (!session || session->helper != report->helper)
		return; /* of a session that had this id before */
	if (report->winlogon <= 0) {
		session_failed(session, "winlogon", report->error);
		return;
	}
	if (ended_before_report(smss, report->winlogon)) {
		session_failed(session, "winlogon", ECHILD);
		return;
	}
	session->winlogon = report->winlogon;
	if (session->step != SESSION_STARTING)
		return; /* it is being ended */
	session->step = SESSION_RUNNING;
	session->state = session->id == 0 ? WTS_CONNECTED : WTS_IDLE;
	session->info.phase[PHASE_WINLOGON] = clock_us();
	session->start_call.u.StartCsr.MuSessionId = session->id;
	session->start_call.u.StartCsr.InitialCommandProcessId = (uint32_t)session->winlogon;
	session->start_call.u.StartCsr.WindowsSubSysProcessId = (uint32_t)session->csrss;
	session->info.phase[PHASE_ANSWERED] = clock_us();
	if (session->id != 0) /* the console's is said once all is well */
		session_log_started(session);
	sm_reply(session->starter, &session->start_call, STATUS_SUCCESS);
	session->starter = NULL;
	if (session->id == 0)
		services_check(smss);
}

/* When csrss ends the kernel ends winlogon too, which is reaped first then; the port's end
   came before. */
static bool subsystem_gone(const struct session *session)
{
	char byte;

	return !session->subsystem ||
	       recv(session->subsystem->port, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

/* What the end of csrss or winlogon says of how the session ended. */
static void process_ended(struct session *session, bool winlogon, int wait_status)
{
	const char *name = winlogon ? "winlogon" : "csrss";

	if (winlogon && session->step != SESSION_ENDING && !subsystem_gone(session))
		session->logon_process_died = true;
	if (winlogon && WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == 0) {
		session_stop(session, END_USER_LOGOFF, STATUS_SUCCESS);
		return;
	}
	if (!winlogon && session->csrss_start && session->csrss_start->what[0])
		log_error("session %u: cannot set up %.*s: %s", session->id,
		    (int)sizeof(session->csrss_start->what) - 1, session->csrss_start->what,
		    strerror(session->csrss_start->error));
	/* the end of its port may have come first; SIGKILL is what it gets from us then */
	if (WIFSIGNALED(wait_status) &&
	    (session->step != SESSION_ENDING || WTERMSIG(wait_status) != SIGKILL))
		log_warn("session %u: %s was ended by signal %d", session->id, name,
		    WTERMSIG(wait_status));
	else if (!winlogon && WEXITSTATUS(wait_status) == CSRSS_NO_TERMINAL)
		log_error("session %u: no pseudo-terminal is left: raise the sysctl kernel.pty.max",
		    session->id);
	else if (session->step != SESSION_ENDING)
		log_warn("session %u: %s ended with status %d", session->id, name,
		    WEXITSTATUS(wait_status));
	session_stop(session, winlogon && WIFEXITED(wait_status) ? END_DENIED : END_CLOSED,
	    STATUS_UNSUCCESSFUL);
}

bool session_reaped(struct smss *smss, pid_t pid, int wait_status)
{
	struct session *session = session_of_process(smss, pid);

	if (!session)
		return false;
	if (pid == session->helper) {
		session->helper = 0;
		if (session->step == SESSION_STARTING && wait_status != 0)
			session_failed(session, "winlogon", ECHILD);
	} else if (pid == session->winlogon) {
		session->winlogon = 0;
		process_ended(session, true, wait_status);
	} else {
		session->csrss = 0;
		process_ended(session, false, wait_status);
	}
	free_if_gone(session);
	return true;
}

/* Creates a session's process from its image, suspended, and lets it run. */
SMP_FRAME static int32_t SmpExecuteImage(
    struct smss *smss, struct session *session, const char *FileName, pid_t *ProcessId)
{
	int cgroup = cgroup_create(smss->cgroup, session->id, smss->config);
	struct process_new created;
	int result = process_create(smss, session, cgroup, &created);
	int error = errno;

	fd_close(&cgroup);
	if (result < 0) {
		log_warn(
		    "session %u: cannot create %s: %s", session->id, FileName, strerror(error));
		return error == EPERM || error == EACCES ? STATUS_ACCESS_DENIED : STATUS_NO_MEMORY;
	}
	session->csrss_pidfd = created.pidfd;
	session->csrss_start = created.start;
	*ProcessId = session->csrss = created.pid;
	process_release(created.start);
	return STATUS_PENDING;
}

/* Starts a subsystem's process and awaits its connection. */
SMP_FRAME static int32_t SmpLoadSubSystem(
    struct smss *smss, struct session *session, const char *FileName, pid_t *ProcessId)
{
	int32_t Status = SmpExecuteImage(smss, session, FileName, ProcessId);

	if (Status == STATUS_PENDING && session->id != 0)
		session_expect(session, smss->config->SubsystemTimeout);
	return Status;
}

/* Runs one command of the subsystem list: here always a subsystem's. */
SMP_FRAME static int32_t SmpExecuteCommand(
    struct smss *smss, struct session *session, const char *Command, pid_t *ProcessId)
{
	return SmpLoadSubSystem(smss, session, Command, ProcessId);
}

SMP_FRAME int32_t SmpLoadSubSystemsForMuSession(struct smss *smss, uint32_t *pMuSessionId,
    uint32_t *pWindowsSubSysProcessId, const char *InitialCommand)
{
	int32_t Status = STATUS_NO_MEMORY;
	struct session *session = session_create(smss, *pMuSessionId == 0, &Status);
	pid_t ProcessId = 0;

	if (!session)
		return Status;
	snprintf(session->command, sizeof(session->command), "%s", InitialCommand);
	session->info.phase[PHASE_START_CSR] = clock_us();
	Status = SmpExecuteCommand(smss, session, ROOT_BIN "/csrss", &ProcessId);
	if (Status != STATUS_PENDING) {
		session_stop(session, END_OUT_OF_MEMORY, Status);
		free_if_gone(session);
		return Status;
	}
	*pMuSessionId = session->id;
	*pWindowsSubSysProcessId = (uint32_t)ProcessId;
	return Status;
}

/* UTF-16 of a message to UTF-8. Returns 0, or -1 where it is none. */
static int command_text(const SMSTARTCSR *call, char *text, size_t size)
{
	size_t count = call->InitialCommandLength / 2, used = 0;

	if (call->InitialCommandLength > sizeof(call->InitialCommand) ||
	    call->InitialCommandLength % 2)
		return -1;
	for (size_t i = 0; i < count; i++) {
		uint32_t c = call->InitialCommand[i];
		if (c >= 0xd800 && c < 0xdc00 && i + 1 < count) {
			uint32_t low = call->InitialCommand[++i];
			if (low < 0xdc00 || low > 0xdfff)
				return -1;
			c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
		} else if (c == 0 || (c >= 0xd800 && c < 0xe000)) {
			return -1;
		}
		if (used + 5 > size)
			return -1;
		if (c < 0x80) {
			text[used++] = (char)c;
		} else {
			unsigned more = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
			text[used++] = (char)((0xff00u >> (more + 1) & 0xff) | c >> (6 * more));
			while (more-- > 0)
				text[used++] = (char)(0x80 | ((c >> (6 * more)) & 0x3f));
		}
	}
	text[used] = 0;
	return 0;
}

/* StartCsr of a session that exists: session 0 is the console, loaded at the start. */
static int32_t existing(struct smss *smss, SMSTARTCSR *call)
{
	struct session *session = session_find(smss, call->MuSessionId);

	if (!session)
		return call->MuSessionId == 0 ? STATUS_UNSUCCESSFUL : STATUS_INVALID_PARAMETER;
	if (call->MuSessionId != 0)
		return STATUS_ALREADY_COMMITTED;
	call->InitialCommandProcessId = (uint32_t)session->winlogon;
	call->WindowsSubSysProcessId = (uint32_t)session->csrss;
	return STATUS_SUCCESS;
}

SMP_FRAME int32_t SmpStartCsr(SMAPIMSG *SmApiMsg, struct client *CallingClient, int CallPort)
{
	struct smss *smss = CallingClient->smss;
	uint32_t MuSessionId = SmApiMsg->u.StartCsr.MuSessionId;
	uint32_t WindowsSubSysProcessId = 0;
	char InitialCommand[COMMAND_SIZE];
	struct session *session;
	int32_t Status;

	(void)CallPort;
	if (command_text(&SmApiMsg->u.StartCsr, InitialCommand, sizeof(InitialCommand)) < 0)
		return STATUS_INVALID_PARAMETER;
	if (MuSessionId != SM_NO_MUSESSION)
		return existing(smss, &SmApiMsg->u.StartCsr);
	if (smss->stopping)
		return STATUS_DELETE_PENDING;
	Status = SmpLoadSubSystemsForMuSession(
	    smss, &MuSessionId, &WindowsSubSysProcessId, InitialCommand);
	if (Status != STATUS_PENDING)
		return Status;
	session = session_find(smss, MuSessionId);
	session->starter = CallingClient;
	session->awaits_client = CallingClient->role == CLIENT_TERMSRV;
	session->start_call = *SmApiMsg;
	session->start_call.h.client_view_size = session->generation;
	return STATUS_PENDING;
}

SMP_FRAME int32_t SmpStopCsr(SMAPIMSG *SmApiMsg, struct client *CallingClient, int CallPort)
{
	struct session *session =
	    session_find(CallingClient->smss, SmApiMsg->u.StopCsr.MuSessionId);

	(void)CallPort;
	if (!session ||
	    (SmApiMsg->h.client_view_size && SmApiMsg->h.client_view_size != session->generation))
		return STATUS_OBJECT_NAME_NOT_FOUND;
	if (session->id == 0)
		return STATUS_ACCESS_DENIED;
	if (session->stopper)
		return STATUS_DELETE_PENDING;
	session->stopper = CallingClient;
	session->stop_call = *SmApiMsg;
	session_stop(session,
	    CallingClient->role == CLIENT_TERMSRV ? END_USER_DISCONNECT : END_ADMIN_LOGOFF,
	    STATUS_DELETE_PENDING);
	return STATUS_PENDING;
}
