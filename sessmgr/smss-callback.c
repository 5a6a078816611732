/*
 * The callbacks: what smss asks subsystems over their SbApiPorts, and the calls that need
 * it. Nothing waits: a callback that is under way remembers which call is answered with it.
 *
 *   struct foreign_session  an environment session: made by SERVER (psxss), for CREATOR,
 *                           another subsystem, or for CLIENT, whose CTL_EXEC it is
 *   struct callback         one that a subsystem has not answered yet; whoever it was for may
 *                           have given up by then
 */
#include "log.h"
#include "smss.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { FOREIGN_MAX = 64, CALLBACKS_MAX = 256 }; /* of one subsystem */

struct foreign_session {
	LIST_ENTRY(foreign_session) entry;
	uint32_t id;
	struct subsystem *server, *creator; /* CREATOR is NULL once it is gone */
	struct client *client;              /* of CTL_EXEC; NULL once it is gone */
	bool made;                          /* SERVER has said so */
};

struct callback {
	LIST_ENTRY(callback) entry;
	struct subsystem *to;
	uint32_t number, api, session;
	struct call *call; /* answered with it; NULL: none */
	int pidfd;         /* of SbCreateProcess; owned; -1: none */
	bool debug;        /* likewise: it stays suspended */
	struct event *timeout;
};

static LIST_HEAD(, foreign_session) sessions = LIST_HEAD_INITIALIZER(sessions);
static LIST_HEAD(, callback) callbacks = LIST_HEAD_INITIALIZER(callbacks);
static uint32_t last_session, last_number;

static void complete(struct callback *callback, int32_t status);
static void abandon(struct callback *callback);

/* ---- asking ---- */

static void on_timeout(int fd, short what, void *argument)
{
	struct callback *callback = argument;

	(void)fd;
	(void)what;
	log_warn("session %u: %s does not answer a callback", callback->to->session->id,
	    callback->to->name);
	if (callback->api == SbCreateSessionApi)
		abandon(callback);
	else
		complete(callback, STATUS_IO_TIMEOUT);
}

static unsigned callbacks_of(const struct subsystem *to)
{
	const struct callback *callback;
	unsigned count = 0;

	LIST_FOREACH(callback, &callbacks, entry)
	count += callback->to == to;
	return count;
}

/* A callback to TO about foreign SESSION, with CALL, which is answered with it. NULL where
   memory is out; CALL is answered then. */
static struct callback *callback_create(
    struct subsystem *to, uint32_t api, uint32_t session, struct call *call)
{
	struct callback *callback = NULL;

	if (to->callback && callbacks_of(to) < CALLBACKS_MAX)
		callback = calloc(1, sizeof(*callback));
	if (callback)
		callback->timeout = evtimer_new(to->session->smss->base, on_timeout, callback);
	if (!callback || !callback->timeout) {
		free(callback);
		call_answer(call, STATUS_NO_MEMORY);
		return NULL;
	}
	callback->to = to;
	callback->api = api;
	callback->session = session;
	callback->number = ++last_number;
	callback->call = call;
	callback->pidfd = -1;
	LIST_INSERT_HEAD(&callbacks, callback, entry);
	return callback;
}

static void callback_send(struct callback *callback, SBAPIMSG *m, int passed)
{
	const struct musess_config *config = callback->to->session->smss->config;
	struct timeval in = { .tv_sec = config->SubsystemTimeout / 1000,
		.tv_usec = config->SubsystemTimeout % 1000 * 1000 };

	m->ApiNumber = callback->api;
	m->ReturnedStatus = STATUS_PENDING;
	port_header(&m->h, LPC_REQUEST, sizeof(*m), callback->number);
	event_add(callback->timeout, &in);
	/* one that cannot be sent ends the port, and with it the callback */
	client_send(callback->to->callback, &m->h, passed);
}

static void callback_free(struct callback *callback)
{
	LIST_REMOVE(callback, entry);
	event_free(callback->timeout);
	fd_close(&callback->pidfd);
	free(callback);
}

/* ---- foreign sessions ---- */

static struct foreign_session *find_session(uint32_t id)
{
	struct foreign_session *f;

	LIST_FOREACH(f, &sessions, entry)
	if (f->id == id)
		return f;
	return NULL;
}

static void free_session(struct foreign_session *f)
{
	LIST_REMOVE(f, entry);
	free(f);
}

static struct foreign_session *create_session(struct subsystem *server)
{
	struct foreign_session *f;
	unsigned count = 0;

	LIST_FOREACH(f, &sessions, entry)
	count += f->server == server;
	f = count < FOREIGN_MAX ? calloc(1, sizeof(*f)) : NULL;
	if (!f)
		return NULL;
	do
		last_session++;
	while (last_session == 0 || find_session(last_session));
	f->id = last_session;
	f->server = server;
	LIST_INSERT_HEAD(&sessions, f, entry);
	return f;
}

/* SERVER is to make a session for CALL, whose port goes with it. Takes CALL. */
static void ask_to_create(struct subsystem *server, struct subsystem *creator, struct call *call)
{
	struct foreign_session *f = create_session(server);
	struct callback *callback;
	SBAPIMSG m = { 0 };

	if (!f) {
		call_answer(call, STATUS_NO_MEMORY);
		return;
	}
	callback = callback_create(server, SbCreateSessionApi, f->id, call);
	if (!callback) {
		free_session(f);
		return;
	}
	f->creator = creator;
	f->client = creator ? NULL : call->client;
	m.u.CreateSession.SessionId = f->id;
	callback_send(callback, &m, call->passed);
	client_let_go(call->client, &call->passed);
}

static void ask_to_terminate(struct foreign_session *f, struct call *call)
{
	struct callback *callback = callback_create(f->server, SbTerminateSessionApi, f->id, call);
	SBAPIMSG m = { .u.TerminateSession.SessionId = f->id };

	if (callback)
		callback_send(callback, &m, -1);
}

/* Its creator is told how it ended, and it is forgotten. */
static void session_ended(struct foreign_session *f, int32_t status)
{
	struct callback *callback = NULL;
	SBAPIMSG m = { .u.ForeignSessionComplete = { f->id, status } };

	if (f->creator && f->creator->connected && f->made)
		callback = callback_create(f->creator, SbForeignSessionCompleteApi, f->id, NULL);
	if (callback)
		callback_send(callback, &m, -1);
	free_session(f);
}

int32_t SmpCreateForeignSession(SMAPIMSG *SmApiMsg, struct client *CallingClient, int CallPort)
{
	struct subsystem *creator = CallingClient->subsystem;
	struct subsystem *server =
	    subsystem_by_type(creator->session, SmApiMsg->u.CreateForeignSession.SubsystemType);
	struct call *call;

	(void)CallPort;
	if (!server)
		return STATUS_NO_SUCH_PACKAGE;
	call = call_keep(CallingClient, &SmApiMsg->h, sizeof(*SmApiMsg), CallingClient->passed);
	CallingClient->passed = -1;
	if (!call)
		return STATUS_NO_MEMORY;
	ask_to_create(server, creator, call);
	return STATUS_PENDING;
}

int32_t SmpSessionComplete(SMAPIMSG *SmApiMsg, struct client *CallingClient, int CallPort)
{
	const SMSESSIONCOMPLETE *request = &SmApiMsg->u.SessionComplete;
	struct foreign_session *f = find_session(request->SessionId);

	(void)CallPort;
	if (!f || f->server != CallingClient->subsystem)
		return STATUS_OBJECT_NAME_NOT_FOUND;
	session_ended(f, request->SessionStatus);
	return STATUS_SUCCESS;
}

int32_t SmpTerminateForeignSession(SMAPIMSG *SmApiMsg, struct client *CallingClient, int CallPort)
{
	struct foreign_session *f = find_session(SmApiMsg->u.TerminateForeignComplete.SessionId);
	struct call *call;

	(void)CallPort;
	if (!f || f->creator != CallingClient->subsystem || !f->made)
		return STATUS_OBJECT_NAME_NOT_FOUND;
	call = call_keep(CallingClient, &SmApiMsg->h, sizeof(*SmApiMsg), -1);
	if (!call)
		return STATUS_NO_MEMORY;
	ask_to_terminate(f, call);
	return STATUS_PENDING;
}

void callback_exec(struct subsystem *posix, struct call *call)
{
	if (!call->client)
		call_drop(call); /* nobody is there to see what it does */
	else
		ask_to_create(posix, NULL, call);
}

/* ---- ExecPgm ---- */

int32_t SmpExecPgm(SMAPIMSG *SmApiMsg, struct client *CallingClient, int CallPort)
{
	struct subsystem *subsystem = CallingClient->subsystem;
	SBAPIMSG m = { .u.CreateProcess = {
		           SmApiMsg->u.ExecPgm.ProcessId, SmApiMsg->u.ExecPgm.DebugFlag } };
	struct callback *callback;
	pid_t pid, inner;
	bool suspended;
	struct call *call;

	(void)CallPort;
	if (CallingClient->passed < 0)
		return STATUS_INVALID_PARAMETER;
	/* the process is the one behind the pidfd, whatever the message claims */
	if (process_identify(
	        CallingClient->passed, subsystem->session->namespace, &pid, &inner, &suspended) < 0)
		return STATUS_UNSUCCESSFUL;
	if ((uint32_t)inner != m.u.CreateProcess.ProcessId || !suspended || inner == 1)
		return STATUS_INVALID_PARAMETER;
	call = call_keep(CallingClient, &SmApiMsg->h, sizeof(*SmApiMsg), -1);
	if (!call)
		return STATUS_NO_MEMORY;
	callback = callback_create(subsystem, SbCreateProcessApi, 0, call);
	if (!callback)
		return STATUS_PENDING; /* it is answered */
	callback->pidfd = CallingClient->passed;
	callback->debug = SmApiMsg->u.ExecPgm.DebugFlag != 0;
	CallingClient->passed = -1;
	callback_send(callback, &m, callback->pidfd);
	return STATUS_PENDING;
}

/* Releases the process that was adopted, or kills it. The call's status. */
static int32_t adopted(const struct callback *callback, int32_t status)
{
	int number = status == STATUS_SUCCESS ? SIGCONT : SIGKILL;

	if (status == STATUS_SUCCESS && callback->debug)
		return status;
	if (syscall(SYS_pidfd_send_signal, callback->pidfd, number, NULL, 0) < 0 &&
	    status == STATUS_SUCCESS)
		return STATUS_UNSUCCESSFUL;
	return status;
}

/* ---- answers ---- */

/* SERVER made the session, or did not. */
static int32_t created(const struct callback *callback, int32_t status)
{
	struct foreign_session *f = find_session(callback->session);
	struct call *call = callback->call;

	if (!f)
		return status == STATUS_SUCCESS ? STATUS_DELETE_PENDING : status;
	f->made = true;
	if (status != STATUS_SUCCESS)
		free_session(f);
	else if (!f->creator && !f->client)
		ask_to_terminate(f, NULL); /* who asked for it is gone */
	else if (call && call->m.h.type == LPC_REQUEST)
		call->m.sm.u.CreateForeignSession.SessionId = f->id;
	return status;
}

static void complete(struct callback *callback, int32_t status)
{
	struct foreign_session *f;

	if (callback->api == SbCreateSessionApi) {
		status = created(callback, status);
	} else if (callback->api == SbCreateProcessApi) {
		status = adopted(callback, status);
	} else if (callback->api == SbTerminateSessionApi && status == STATUS_SUCCESS) {
		f = find_session(callback->session); /* it may have completed meanwhile */
		if (f)
			free_session(f);
	}
	call_answer(callback->call, status);
	callback_free(callback);
}

/* Who asked for a session is told that there is none; the callback stays, for one that is made
   late has to be ended. */
static void abandon(struct callback *callback)
{
	struct foreign_session *f = find_session(callback->session);

	if (f) {
		f->creator = NULL;
		f->client = NULL;
	}
	call_answer(callback->call, STATUS_IO_TIMEOUT);
	callback->call = NULL;
}

int callback_reply(struct client *client, const SBAPIMSG *reply)
{
	struct callback *callback;
	int32_t status = reply->ReturnedStatus;

	LIST_FOREACH(callback, &callbacks, entry)
	if (callback->number == reply->h.message_id && callback->to == client->subsystem)
		break;
	if (!callback)
		return 0; /* it came too late */
	if (callback->api != reply->ApiNumber)
		return -1;
	complete(callback, status == STATUS_PENDING ? STATUS_UNSUCCESSFUL : status);
	return 0;
}

void callback_forget_subsystem(struct subsystem *subsystem)
{
	struct callback *callback, *next_callback;
	struct foreign_session *f, *next;

	for (callback = LIST_FIRST(&callbacks); callback; callback = next_callback) {
		next_callback = LIST_NEXT(callback, entry);
		if (callback->to == subsystem)
			complete(callback, STATUS_PORT_DISCONNECTED);
	}
	for (f = LIST_FIRST(&sessions); f; f = next) {
		next = LIST_NEXT(f, entry);
		if (f->creator == subsystem) {
			f->creator = NULL;
			if (f->server != subsystem && f->made)
				ask_to_terminate(f, NULL);
		}
		if (f->server == subsystem)
			session_ended(f, STATUS_PORT_DISCONNECTED);
	}
}

void callback_forget_client(const struct client *client)
{
	struct foreign_session *f;

	LIST_FOREACH(f, &sessions, entry)
	if (f->client == client) {
		f->client = NULL;
		if (f->made)
			ask_to_terminate(f, NULL);
	}
}
