/*
 * Known subsystems: the list of the configuration, and those of each session. A subsystem is
 * its process, as the kernel reports it; what it says of itself has to fit.
 *
 *   created    smss knows its process, which is suspended; it is let run
 *   connected  it has shaken hands on \SmApiPort, and smss has connected back to its SbApiPort
 *   gone       its port or its process has ended: a Required one ends its session
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
#include <sys/socket.h>
#include <unistd.h>

/* ---- the list of the configuration ---- */

/* Adds the names in TEXT that have a command. */
static void read_names(const struct smss *smss, const char *option, const char *text,
    struct known_name *names, unsigned *count)
{
	for (const char *at = text + strspn(text, " \t"); *at; at += strspn(at, " \t")) {
		size_t length = strcspn(at, " \t");
		const char *command = config_subsystem_command(smss->config, at, length);
		struct known_name *known = &names[*count];

		if (length == 5 && strncmp(at, "Debug", 5) == 0) {
			at += length; /* there is none to be loaded: as in Windows */
			continue;
		}
		if (!command || length >= sizeof(known->name) || *count == SUBSYSTEMS_MAX) {
			log_warn("%s names %.*s, which has no command: skipped", option,
			    (int)length, at);
		} else {
			memcpy(known->name, at, length);
			known->command = command;
			(*count)++;
		}
		at += length;
	}
}

const struct known_name *subsystem_windows(const struct smss *smss)
{
	for (unsigned i = 0; i < smss->required_count; i++)
		if (strcmp(smss->required[i].name, "Windows") == 0)
			return &smss->required[i];
	return NULL;
}

static bool is_required(const struct smss *smss, const char *name)
{
	for (unsigned i = 0; i < smss->required_count; i++)
		if (strcmp(smss->required[i].name, name) == 0)
			return true;
	return false;
}

int subsystems_init(struct smss *smss)
{
	read_names(smss, "Required", smss->config->Required, smss->required, &smss->required_count);
	read_names(smss, "Optional", smss->config->Optional, smss->optional, &smss->optional_count);
	if (subsystem_windows(smss))
		return 0;
	log_error("no session can be made without the Windows subsystem: name Windows in Required, "
	          "in [SubSystems]");
	return -1;
}

static const struct known_name *optional_name(
    const struct smss *smss, const char *name, size_t length)
{
	for (unsigned i = 0; i < smss->optional_count; i++)
		if (strlen(smss->optional[i].name) == length &&
		    strncmp(smss->optional[i].name, name, length) == 0)
			return &smss->optional[i];
	return NULL;
}

/* ---- those of a session ---- */

static void on_timeout(int fd, short what, void *argument)
{
	struct subsystem *subsystem = argument;

	(void)fd;
	(void)what;
	log_warn("session %u: %s did not connect in %u ms: ended", subsystem->session->id,
	    subsystem->name, subsystem->session->smss->config->SubsystemTimeout);
	subsystem_failed(subsystem, STATUS_IO_TIMEOUT);
}

/* A place in the session space that is nobody's; SUBSYSTEMS_MAX: none. */
static unsigned free_start(struct session *session)
{
	const struct subsystem *subsystem;
	unsigned used = 0, start = 0;

	LIST_FOREACH(subsystem, &session->subsystems, entry)
	used |= 1u << subsystem->start;
	while (start < SUBSYSTEMS_MAX && (used & 1u << start))
		start++;
	return start;
}

struct subsystem *subsystem_create(struct session *session, const struct known_name *known)
{
	unsigned start = free_start(session);
	struct subsystem *subsystem;

	fault_kind(session->windows ? PROCESS_SUBSYSTEM : PROCESS_WINDOWS);
	if (start == SUBSYSTEMS_MAX || fault("subsystem-list", session->id))
		return NULL;
	subsystem = calloc(1, sizeof(*subsystem));
	if (!subsystem)
		return NULL;
	subsystem->timeout = evtimer_new(session->smss->base, on_timeout, subsystem);
	if (!subsystem->timeout) {
		free(subsystem);
		return NULL;
	}
	subsystem->session = session;
	subsystem->command = known->command;
	memcpy(subsystem->name, known->name, sizeof(subsystem->name));
	subsystem->start = start;
	memset(&session->space->starts[start], 0, sizeof(session->space->starts[start]));
	TAILQ_INIT(&subsystem->waiting);
	LIST_INSERT_HEAD(&session->subsystems, subsystem, entry);
	return subsystem;
}

static void answer_waiting(struct subsystem *subsystem, int32_t status)
{
	struct call *call;

	while ((call = TAILQ_FIRST(&subsystem->waiting))) {
		TAILQ_REMOVE(&subsystem->waiting, call, entry);
		if (status == STATUS_SUCCESS && call->m.h.type == CTL_EXEC)
			callback_exec(subsystem, call);
		else
			call_answer(call, status);
	}
}

/* Lets go of its ports, without taking that for its end. */
static void close_ports(struct subsystem *subsystem)
{
	struct client *ports[] = { subsystem->client, subsystem->callback };

	subsystem->client = subsystem->callback = NULL;
	for (size_t i = 0; i < sizeof(ports) / sizeof(*ports); i++)
		if (ports[i]) {
			ports[i]->subsystem = NULL;
			client_destroy(ports[i]);
		}
}

void subsystem_destroy(struct subsystem *subsystem, int32_t status)
{
	struct session *session = subsystem->session;

	LIST_REMOVE(subsystem, entry);
	if (session->windows == subsystem)
		session->windows = NULL;
	answer_waiting(subsystem, status);
	callback_forget_subsystem(subsystem);
	close_ports(subsystem);
	event_free(subsystem->timeout);
	free(subsystem);
}

struct subsystem *subsystem_by_name(struct session *session, const char *name, size_t length)
{
	struct subsystem *subsystem;

	LIST_FOREACH(subsystem, &session->subsystems, entry)
	if (strlen(subsystem->name) == length && strncmp(subsystem->name, name, length) == 0)
		return subsystem;
	return NULL;
}

struct subsystem *subsystem_by_type(struct session *session, uint32_t type)
{
	struct subsystem *subsystem;

	LIST_FOREACH(subsystem, &session->subsystems, entry)
	if (subsystem->connected && subsystem->type == type)
		return subsystem;
	return NULL;
}

void subsystem_expect(struct subsystem *subsystem)
{
	uint32_t milliseconds = subsystem->session->smss->config->SubsystemTimeout;
	struct timeval in = { .tv_sec = milliseconds / 1000,
		.tv_usec = milliseconds % 1000 * 1000 };

	/* what the console is made of has all the time that it wants */
	if (subsystem->session->id != 0 || !subsystem->required)
		event_add(subsystem->timeout, &in);
}

void subsystem_created(struct subsystem *subsystem, pid_t pid)
{
	client_accept_waiting(
	    subsystem->session->smss); /* of earlier processes of its number, perhaps */
	subsystem->pid = pid;
	PROBE_SUBSYSTEM(subsystem->session->id, PROBE_CREATED, STATUS_PENDING, subsystem->name);
	if (subsystem->session->step != SESSION_ENDING)
		process_release(&subsystem->session->space->starts[subsystem->start]);
}

/* One that was forked for a deferred subsystem leaves when it has no more to do, and what it
   created runs by itself: a suspended process ends with its parent. */
static void dismiss_creator(struct session *session)
{
	const struct subsystem *subsystem;

	if (session->step != SESSION_RUNNING || session->creator_orders > 0)
		return;
	LIST_FOREACH(subsystem, &session->subsystems, entry)
	if (subsystem->pid > 0 && !subsystem->connected)
		return;
	process_creator_dismiss(session);
}

static void load(struct subsystem *subsystem);

/* It is gone, but somebody asked for it since. */
static void load_again(struct subsystem *subsystem)
{
	struct process_start *start = &subsystem->session->space->starts[subsystem->start];

	memset(start, 0, sizeof(*start));
	subsystem->type = 0;
	subsystem->ordered = subsystem->failed = false;
	load(subsystem);
}

void subsystem_failed(struct subsystem *subsystem, int32_t status)
{
	struct session *session = subsystem->session;

	event_del(subsystem->timeout);
	if (session->step == SESSION_ENDING)
		return;
	if (!subsystem->connected && !subsystem->failed)
		audit_loaded(session, status);
	if (subsystem->required) {
		session_lose_subsystem(subsystem, status);
		return;
	}
	if (!subsystem->failed)
		answer_waiting(subsystem, status);
	subsystem->failed = true;
	callback_forget_subsystem(subsystem);
	close_ports(subsystem);
	subsystem->connected = false;
	if (subsystem->pid > 0) {
		kill(subsystem->pid, SIGKILL); /* its end comes back here */
		return;
	}
	if (subsystem->ordered && session->creator) {
		kill(session->creator, SIGKILL); /* likewise: session_creator_lost */
		return;
	}
	if (!TAILQ_EMPTY(&subsystem->waiting)) {
		load_again(subsystem);
		return;
	}
	subsystem_destroy(subsystem, status);
	dismiss_creator(session);
}

/* ---- the handshake ---- */

/* The type that smss's own names are to have; 0: any that is free. */
static uint32_t type_of_name(const char *name)
{
	return strcmp(name, "Windows") == 0 ? SUBSYSTEM_WINDOWS
	       : strcmp(name, "Posix") == 0 ? SUBSYSTEM_POSIX
	                                    : 0;
}

/* Why CALL of the process that is SUBSYSTEM is refused. */
static int32_t refusal(const struct subsystem *subsystem, const struct msg_csr_connect *call)
{
	uint32_t type = call->subsystem_type;

	if (!port_text_valid(call->sb_port, sizeof(call->sb_port)))
		return STATUS_INVALID_PARAMETER;
	if ((call->sb_port[0] != 0) != (type != 0))
		return STATUS_INVALID_PARAMETER_MIX;
	if (!subsystem || type == 0)
		return STATUS_ACCESS_DENIED;
	if (subsystem->client || subsystem_by_type(subsystem->session, type))
		return STATUS_PORT_CONNECTION_REFUSED;
	if (subsystem->session->step == SESSION_ENDING)
		return STATUS_PROCESS_IS_TERMINATING;
	if (type_of_name(subsystem->name) ? type != type_of_name(subsystem->name)
	                                  : type == SUBSYSTEM_WINDOWS || type == SUBSYSTEM_POSIX)
		return STATUS_ACCESS_DENIED;
	return STATUS_SUCCESS;
}

/* smss connects back. The status of that. */
static int32_t connect_back(struct subsystem *subsystem, const char *path)
{
	struct smss *smss = subsystem->session->smss;
	int port = -1;

	fault_kind(subsystem == subsystem->session->windows ? PROCESS_WINDOWS : PROCESS_SUBSYSTEM);
	if (!fault("connect-back", subsystem->session->id))
		port = process_connect(subsystem->pid, path);
	if (port < 0) {
		log_warn("session %u: cannot connect to %s of %s: %s", subsystem->session->id, path,
		    subsystem->name, strerror(errno));
		return errno == EMFILE || errno == ENFILE || errno == ENOMEM ? STATUS_NO_MEMORY
		                                                             : STATUS_ACCESS_DENIED;
	}
	subsystem->callback = client_create(smss, port, CLIENT_CALLBACK, subsystem->pid);
	if (!subsystem->callback)
		return STATUS_NO_MEMORY;
	subsystem->callback->subsystem = subsystem;
	return STATUS_SUCCESS;
}

static void connected(struct subsystem *subsystem)
{
	struct session *session = subsystem->session;

	event_del(subsystem->timeout);
	subsystem->connected = true;
	subsystem->required = is_required(session->smss, subsystem->name);
	audit_loaded(session, STATUS_SUCCESS);
	PROBE_SUBSYSTEM(session->id, PROBE_CONNECTED, STATUS_SUCCESS, subsystem->name);
	if (subsystem == session->windows)
		session->info.phase[PHASE_CSRSS] = clock_us();
	dismiss_creator(session);
	if (session->step == SESSION_LOADING && subsystem->required)
		session_advance(session);
	else
		answer_waiting(subsystem, STATUS_SUCCESS);
}

int subsystem_connect(struct client *client, const PORT_MESSAGE *m, int *passed)
{
	struct msg_csr_connect reply = { .session = NO_SESSION };
	const struct msg_csr_connect *call = (const void *)m;
	struct subsystem *subsystem = subsystem_of_process(client->smss, client->pid);
	int log = -1;

	(void)passed;
	reply.status = refusal(subsystem, call);
	if (reply.status == STATUS_SUCCESS)
		reply.status = connect_back(subsystem, call->sb_port);
	if (reply.status == STATUS_SUCCESS) {
		reply.session = subsystem->session->id;
		reply.generation = subsystem->session->generation;
		reply.keep = client->smss->keeps;
	}
	port_header(&reply.h, CSR_CONNECT, sizeof(reply), m->message_id);
#ifdef MUSESS_SANITIZE /* for its reports (log_leave); not where programs of the user run already */
	if (reply.status == STATUS_SUCCESS && subsystem->session->step == SESSION_LOADING)
		log = STDERR_FILENO;
#endif
	client_send(client, &reply.h, log);
	if (reply.status != STATUS_SUCCESS) {
		log_warn("process %d is refused as a subsystem: %s", client->pid,
		    ntstatus_name(reply.status));
		return -1;
	}
	client->subsystem = subsystem;
	subsystem->client = client;
	subsystem->type = call->subsystem_type;
	alive_watch(client, true);
	connected(subsystem);
	return 0;
}

/* ---- on demand ---- */

/* The short-lived smss is to get no more orders, or has closed its port: its end, which is not known
   yet, is when its successor can be made, and what waits is loaded (subsystem_load_waiting). */
static bool creator_leaves(const struct session *session)
{
	char byte;

	if (!session->creator || session->creator_port < 0)
		return session->creator;
	return session->creator_orders == 0 &&
	       recv(session->creator_port, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

/* Its creation is begun, unless that has to wait. */
static void load(struct subsystem *subsystem)
{
	struct session *session = subsystem->session;
	UNICODE_STRING command = { .Buffer = (char *)(uintptr_t)subsystem->command,
		.Length = (uint16_t)strlen(subsystem->command) };
	uint32_t process = 0;
	int32_t status;

	if (session->step != SESSION_RUNNING || creator_leaves(session))
		return;
	status = SmpExecuteCommand(&command, session, subsystem, &process);
	if (status != STATUS_PENDING)
		subsystem_failed(subsystem, status);
}

void subsystem_load_waiting(struct session *session)
{
	struct subsystem *subsystem, *next;

	for (subsystem = LIST_FIRST(&session->subsystems); subsystem; subsystem = next) {
		next = LIST_NEXT(subsystem, entry);
		if (!subsystem->pid && !subsystem->ordered)
			load(subsystem);
	}
}

void subsystem_load_required(struct session *session)
{
	const struct smss *smss = session->smss;

	for (unsigned i = 0; i < smss->required_count; i++) {
		const struct known_name *known = &smss->required[i];
		struct subsystem *subsystem =
		    subsystem_by_name(session, known->name, strlen(known->name));

		if (!subsystem && !(subsystem = subsystem_create(session, known))) {
			log_warn("session %u: no memory for %s", session->id, known->name);
			session_stop(session, END_OUT_OF_MEMORY, STATUS_NO_MEMORY);
			return;
		}
		subsystem->required = true; /* it cannot be loaded: the session ends */
	}
	subsystem_load_waiting(session);
}

bool subsystem_demand(struct session *session, const char *name, size_t length, struct call *call)
{
	const struct known_name *known = optional_name(session->smss, name, length);
	struct subsystem *subsystem = subsystem_by_name(session, name, length);

	if (!known || session->step == SESSION_ENDING) {
		call_answer(
		    call, known ? STATUS_PROCESS_IS_TERMINATING : STATUS_OBJECT_NAME_NOT_FOUND);
		return false;
	}
	if (!subsystem && !(subsystem = subsystem_create(session, known))) {
		call_answer(call, STATUS_NO_MEMORY);
		return false;
	}
	TAILQ_INSERT_TAIL(&subsystem->waiting, call, entry);
	if (subsystem->connected)
		answer_waiting(subsystem, STATUS_SUCCESS);
	else if (!subsystem->pid && !subsystem->ordered)
		load(subsystem); /* of one that has failed this is the end's matter */
	return subsystem_by_name(session, name, length); /* not where it failed at once */
}

int32_t SmpLoadDefered(SMAPIMSG *SmApiMsg, struct client *CallingClient, int CallPort)
{
	const SMLOADDEFERED *request = &SmApiMsg->u.LoadDefered;
	size_t count = request->SubsystemNameLength / 2;
	char name[SM_SUBSYSTEM_CHARS + 1] = "";
	struct call *call;

	(void)CallPort;
	if (request->SubsystemNameLength > sizeof(request->SubsystemName) ||
	    request->SubsystemNameLength % 2 || count == 0)
		return STATUS_INVALID_PARAMETER;
	if (!CallingClient->subsystem)
		return STATUS_OBJECT_NAME_NOT_FOUND; /* the caller is in no session */
	for (size_t i = 0; i < count; i++) {
		uint16_t c = request->SubsystemName[i];
		if (c < '!' || c > '~')
			return STATUS_OBJECT_NAME_NOT_FOUND; /* no name has it */
		name[i] = (char)c;
	}
	call = call_keep(CallingClient, &SmApiMsg->h, sizeof(*SmApiMsg), -1);
	if (!call)
		return STATUS_NO_MEMORY;
	subsystem_demand(CallingClient->subsystem->session, name, count, call);
	return STATUS_PENDING;
}
