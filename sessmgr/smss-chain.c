/*
 * The chain that starts a session, with the names of the transcript (lines 9-19, 79-89 and
 * 103-115), for whoever attaches a debugger:
 *
 *   SmpApiLoop -> SmpStartCsr -> SmpLoadSubSystemsForMuSession -> SmpExecuteCommand
 *   -> SmpLoadSubSystem -> SmpExecuteImage -> process_create
 *
 * It is compiled without optimization, so that every frame, parameter and local is there.
 * Nothing waits: the chain returns STATUS_PENDING once the creation of csrss is under way, and
 * SmpStartCsr is answered when the initial command runs (smss-session.c).
 */
#include "fault.h"
#include "log.h"
#include "probe.h"
#include "smss.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

struct smss *Smp;

/* ---- text ---- */

/* One code point of UTF-16 at *AT, which moves behind it. Returns it, or 0 where there is none. */
static uint32_t next_code(const uint16_t *text, size_t count, size_t *at)
{
	uint32_t c = text[(*at)++], low;

	if (c < 0xd800 || c > 0xdfff)
		return c;
	if (c > 0xdbff || *at == count)
		return 0;
	low = text[(*at)++];
	return low < 0xdc00 || low > 0xdfff ? 0 : 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
}

/* UTF-16 of a message to UTF-8. Returns 0, or -1 where it is none, or does not fit. */
static int to_utf8(const uint16_t *text, size_t count, char *buffer, size_t size)
{
	size_t used = 0, at = 0;

	while (at < count) {
		uint32_t c = next_code(text, count, &at);
		if (c == 0 || used + 5 > size)
			return -1;
		if (c < 0x80) {
			buffer[used++] = (char)c;
			continue;
		}
		unsigned more = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
		buffer[used++] = (char)((0xff00u >> (more + 1) & 0xff) | c >> (6 * more));
		while (more-- > 0)
			buffer[used++] = (char)(0x80 | ((c >> (6 * more)) & 0x3f));
	}
	buffer[used] = 0;
	return 0;
}

/* LENGTH bytes of UTF-16 as *STRING, with BUFFER for its text. 0 or -1. */
static int read_string(
    const uint16_t *text, uint32_t length, UNICODE_STRING *string, char *buffer, size_t size)
{
	*string = (UNICODE_STRING){ .Buffer = buffer, .MaximumLength = (uint16_t)size };
	buffer[0] = 0;
	if (length % sizeof(*text) || to_utf8(text, length / sizeof(*text), buffer, size) < 0)
		return -1;
	string->Length = (uint16_t)strlen(buffer);
	return 0;
}

/* ---- creating one process ---- */

/* Creates a process from its image, suspended. What smss creates itself is there at once. */
SMP_FRAME static int32_t SmpExecuteImage(UNICODE_STRING *FileName, struct session *MuSession,
    struct subsystem *KnownSubSys, uint32_t *pProcessId)
{
	int32_t Status = STATUS_PENDING;
	pid_t ProcessId = 0;
	struct process_order Order = { .kind = PROCESS_INITIAL_COMMAND,
		.start = SPACE_INITIAL_COMMAND,
		.last = KnownSubSys == NULL };

	PROBE_ENTRY(SmpExecuteImage, MuSession->id);
	audit_execute(MuSession, FileName->Buffer);
	if (KnownSubSys) {
		Order.kind =
		    KnownSubSys == MuSession->windows ? PROCESS_WINDOWS : PROCESS_SUBSYSTEM;
		Order.start = KnownSubSys->start;
	}
	if (Order.kind != PROCESS_WINDOWS)
		Order.windows = MuSession->windows->pid;
	snprintf(Order.command, sizeof(Order.command), "%s", FileName->Buffer);
	if (fault("SmpExecuteImage", MuSession->id) ||
	    process_create(MuSession, &Order, &ProcessId) < 0) {
		log_warn("session %u: cannot create %s: %s", MuSession->id, FileName->Buffer,
		    strerror(errno));
		Status = session_status(errno, false);
		if (Status == STATUS_UNSUCCESSFUL)
			Status = STATUS_NO_MEMORY;
	} else if (ProcessId > 0) {
		struct process_report Created = { Order.kind, Order.start, ProcessId, 0 };
		*pProcessId = (uint32_t)ProcessId;
		session_created(MuSession, &Created);
	} else if (KnownSubSys) {
		KnownSubSys->ordered = true;
	}
	PROBE_RETURN(SmpExecuteImage, MuSession->id, Status);
	return Status;
}

/* Starts a subsystem's process; it has to connect. */
SMP_FRAME static int32_t SmpLoadSubSystem(UNICODE_STRING *FileName, struct session *MuSession,
    struct subsystem *KnownSubSys, uint32_t *pProcessId)
{
	int32_t Status;

	PROBE_ENTRY(SmpLoadSubSystem, MuSession->id);
	audit_load(MuSession, KnownSubSys->name);
	Status = SmpExecuteImage(FileName, MuSession, KnownSubSys, pProcessId);
	if (Status == STATUS_PENDING)
		subsystem_expect(KnownSubSys);
	PROBE_RETURN(SmpLoadSubSystem, MuSession->id, Status);
	return Status;
}

int32_t SmpExecuteCommand(UNICODE_STRING *CommandLine, struct session *MuSession,
    struct subsystem *KnownSubSys, uint32_t *pProcessId)
{
	int32_t Status;

	PROBE_ENTRY(SmpExecuteCommand, MuSession->id);
	Status = SmpLoadSubSystem(CommandLine, MuSession, KnownSubSys, pProcessId);
	PROBE_RETURN(SmpExecuteCommand, MuSession->id, Status);
	return Status;
}

int32_t SmpExecuteInitialCommand(struct session *MuSession, UNICODE_STRING *InitialCommand)
{
	uint32_t ProcessId = 0;
	int32_t Status;

	PROBE_ENTRY(SmpExecuteInitialCommand, MuSession->id);
	Status = SmpExecuteImage(InitialCommand, MuSession, NULL, &ProcessId);
	PROBE_RETURN(SmpExecuteInitialCommand, MuSession->id, Status);
	return Status;
}

/* ---- a session ---- */

int32_t SmpLoadSubSystemsForMuSession(
    uint32_t *pMuSessionId, uint32_t *pWindowsSubSysProcessId, UNICODE_STRING *InitialCommand)
{
	int32_t Status = STATUS_NO_SUCH_PACKAGE;
	UNICODE_STRING FileName = { 0 }, Win32kFileName = { 0 };
	struct session *State = NULL;
	int64_t DelayTime = 0;

	PROBE_ENTRY(SmpLoadSubSystemsForMuSession, *pMuSessionId);
	if (subsystem_windows(Smp))
		State = session_create(Smp, *pMuSessionId == 0, &Status);
	if (State) {
		snprintf(State->command, sizeof(State->command), "%s", InitialCommand->Buffer);
		DelayTime = (int64_t)Smp->config->SubsystemTimeout * -10000;
		/* the Kmode subsystem comes before the Required ones (lines 94-97) */
		Win32kFileName.Buffer = (char *)(uintptr_t)Smp->config->Kmode;
		Win32kFileName.Length = (uint16_t)strlen(Win32kFileName.Buffer);
		FileName.Buffer = (char *)(uintptr_t)subsystem_windows(Smp)->command;
		FileName.Length = (uint16_t)strlen(FileName.Buffer);
		Status = process_space_create(State) < 0 ? STATUS_NO_MEMORY : STATUS_PENDING;
		if (Status == STATUS_PENDING)
			State->windows = subsystem_create(State, subsystem_windows(Smp));
		if (!State->windows)
			Status = STATUS_NO_MEMORY;
	}
	if (State && Status == STATUS_PENDING) {
		State->windows->required = true;
		Status =
		    SmpExecuteCommand(&FileName, State, State->windows, pWindowsSubSysProcessId);
	}
	if (State && Status != STATUS_PENDING)
		session_stop(State, END_OUT_OF_MEMORY, Status);
	else if (State)
		*pMuSessionId = State->id;
	(void)DelayTime; /* SubsystemTimeout, as Windows counts it */
	PROBE_RETURN(SmpLoadSubSystemsForMuSession, *pMuSessionId, Status);
	return Status;
}

/* StartCsr of a session that exists: session 0 is the console, loaded at the start. */
static int32_t existing(SMSTARTCSR *call)
{
	const struct session *session = session_find(Smp, call->MuSessionId);

	if (!session)
		return call->MuSessionId == 0 ? STATUS_UNSUCCESSFUL : STATUS_INVALID_PARAMETER;
	if (call->MuSessionId != 0)
		return STATUS_ALREADY_COMMITTED;
	if (session->step != SESSION_RUNNING)
		return STATUS_UNSUCCESSFUL;
	call->InitialCommandProcessId = (uint32_t)session->winlogon;
	call->WindowsSubSysProcessId = (uint32_t)session->windows->pid;
	return STATUS_SUCCESS;
}

/* SESSION, which was made ahead, or is being made, becomes the caller's. */
static int32_t take(struct session *session, SMAPIMSG *call, struct client *client)
{
	session->awaits_client = client && client->role == CLIENT_TERMSRV;
	record_update(session); /* whose it is: with that it is nobody's idle one any more */
	if (session->step != SESSION_RUNNING) {
		if (client)
			session->starter = call_keep(client, &call->h, sizeof(*call), -1);
		if (!client || session->starter)
			return STATUS_PENDING;
		session_stop(session, END_OUT_OF_MEMORY, STATUS_NO_MEMORY);
		return STATUS_NO_MEMORY;
	}
	call->u.StartCsr.MuSessionId = session->id;
	call->u.StartCsr.InitialCommandProcessId = (uint32_t)session->winlogon;
	call->u.StartCsr.WindowsSubSysProcessId = (uint32_t)session->windows->pid;
	call->h.client_view_size = session->generation;
	session->info.phase[PHASE_ANSWERED] = clock_us();
	session_log_started(session);
	return STATUS_SUCCESS;
}

/* A session made ahead, for a call that names no command and gets winlogon then. */
static struct session *idle_session(const SMSTARTCSR *call)
{
	bool winlogon = call->InitialCommandLength == 0 && !Smp->config->Execute[0];

	return winlogon ? start_take_idle(Smp) : NULL;
}

int32_t SmpStartCsr(SMAPIMSG *SmApiMsg, struct client *CallingClient, int CallPort)
{
	struct session *State = NULL;
	uint32_t InitialCommandProcessId = 0;
	struct session *InitialCommandProcess = NULL;
	UNICODE_STRING InitialCommand = { 0 }, DefaultInitialCommand = { 0 };
	uint32_t WindowsSubSysProcessId = 0;
	uint32_t MuSessionId = SmApiMsg->u.StartCsr.MuSessionId;
	char Command[COMMAND_SIZE];
	int32_t Status = STATUS_INVALID_PARAMETER;

	PROBE_ENTRY(SmpStartCsr, MuSessionId);
	DefaultInitialCommand.Buffer = (char *)(uintptr_t)Smp->config->Execute;
	DefaultInitialCommand.Length = (uint16_t)strlen(Smp->config->Execute);
	if (SmApiMsg->u.StartCsr.InitialCommandLength <=
	        sizeof(SmApiMsg->u.StartCsr.InitialCommand) &&
	    read_string(SmApiMsg->u.StartCsr.InitialCommand,
	        SmApiMsg->u.StartCsr.InitialCommandLength, &InitialCommand, Command,
	        sizeof(Command)) == 0)
		Status = STATUS_SUCCESS;
	if (Status == STATUS_SUCCESS && MuSessionId != SM_NO_MUSESSION) {
		Status = existing(&SmApiMsg->u.StartCsr);
	} else if (Status == STATUS_SUCCESS && Smp->stopping) {
		Status = STATUS_DELETE_PENDING;
	} else if (Status == STATUS_SUCCESS && start_must_wait(Smp, SmApiMsg)) {
		Status = start_enqueue(Smp, CallingClient, SmApiMsg);
	} else if (Status == STATUS_SUCCESS &&
	           (State = idle_session(&SmApiMsg->u.StartCsr)) != NULL) {
		MuSessionId = State->id;
		Status = take(State, SmApiMsg, CallingClient);
	} else if (Status == STATUS_SUCCESS) {
		Status = SmpLoadSubSystemsForMuSession(&MuSessionId, &WindowsSubSysProcessId,
		    InitialCommand.Length ? &InitialCommand : &DefaultInitialCommand);
		if (Status == STATUS_PENDING)
			Status = take(session_find(Smp, MuSessionId), SmApiMsg, CallingClient);
	}
	(void)CallPort;
	(void)InitialCommandProcessId; /* known when it is answered */
	(void)InitialCommandProcess;
	PROBE_RETURN(SmpStartCsr, MuSessionId, Status);
	return Status;
}

int32_t SmpStopCsr(SMAPIMSG *SmApiMsg, struct client *CallingClient, int CallPort)
{
	struct session *State = session_find(Smp, SmApiMsg->u.StopCsr.MuSessionId);
	uint32_t Generation = SmApiMsg->h.client_view_size;
	int32_t Status = STATUS_PENDING;

	(void)CallPort;
	PROBE_ENTRY(SmpStopCsr, SmApiMsg->u.StopCsr.MuSessionId);
	if (!State || (Generation && Generation != State->generation))
		Status = STATUS_OBJECT_NAME_NOT_FOUND;
	else if (State->id == 0)
		Status = STATUS_ACCESS_DENIED;
	else if (State->stopper && State->stopper->client)
		Status = STATUS_DELETE_PENDING;
	if (Status == STATUS_PENDING) {
		call_drop(State->stopper);
		State->stopper = call_keep(CallingClient, &SmApiMsg->h, sizeof(*SmApiMsg), -1);
		if (!State->stopper)
			Status = STATUS_NO_MEMORY;
	}
	if (Status == STATUS_PENDING)
		session_stop(State,
		    CallingClient->role == CLIENT_TERMSRV ? END_USER_DISCONNECT : END_ADMIN_LOGOFF,
		    STATUS_DELETE_PENDING);
	PROBE_RETURN(SmpStopCsr, SmApiMsg->u.StopCsr.MuSessionId, Status);
	return Status;
}
