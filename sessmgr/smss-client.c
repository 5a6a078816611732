/*
 * Clients: connected ports. What a client sends is read one message a turn, so that none
 * can keep smss from the others; what it does not read is queued up to a bound, and then
 * the client is cut off.
 */
#include "log.h"
#include "smss.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77 /* Linux 6.5 */
#endif

enum {
	QUEUE_MAX = 16 << 20,
	USER_QUEUE_MAX = 16 << 10, /* of what a session's users may have smss keep */
	QUEUE_DESCRIPTORS_MAX = 64,
	BACKLOG = 4096,
	ACCEPTS_A_TURN = 4, /* who knocks without end gets its share of smss, and no more */
	ACCEPT_PAUSE_US = 100000,
	USER_CLIENTS_MAX = 8 /* of a session */
};

struct queued_message {
	STAILQ_ENTRY(queued_message) entry;
	int passed; /* owned; -1: none */
	PORT_MESSAGE message[];
};

static void message_free(struct queued_message *m)
{
	fd_close(&m->passed);
	free(m);
}

/* What only termsrv knew of ends with it. */
static void forget_termsrv(const struct client *client)
{
	struct smss *smss = client->smss;

	start_forget(smss, client);
	stats_forget_termsrv(smss);
	winstation_forget_termsrv(smss);
	reload_forget_termsrv(smss);
	for (uint32_t slot = 0; slot < smss->capacity; slot++)
		if (smss->slots[slot] && smss->slots[slot]->awaits_client)
			session_stop(smss->slots[slot], END_NONE, STATUS_PORT_DISCONNECTED);
}

/* Nobody may answer a client that is gone. */
static void forget(struct client *client)
{
	struct smss *smss = client->smss;

	struct call *call;

	if (client->role == CLIENT_TERMSRV)
		forget_termsrv(client);
	stats_forget(smss, client);
	LIST_FOREACH(call, &smss->calls, in_all)
	if (call->client == client)
		call->client = NULL;
	accounts_forget(client);
	callback_forget_client(client);
	for (int i = 0; i < SERVICE_COUNT; i++)
		if (smss->services[i].client == client) {
			smss->services[i].client = NULL;
			smss->services[i].ready = false;
			/* without its port it is of no use, and its end starts the next */
			if (smss->services[i].pid > 0)
				kill(smss->services[i].pid, SIGKILL);
		}
}

static void set_calling(const struct client *client, bool calling)
{
	struct subsystem *subsystem = subsystem_of_process(client->smss, client->pid);

	if (subsystem)
		subsystem->calling = calling;
}

void client_destroy(struct client *client)
{
	struct queued_message *m;
	struct subsystem *subsystem;
	bool callback;

	if (!client)
		return;
	subsystem = client->subsystem;
	callback = client->role == CLIENT_CALLBACK;
	LIST_REMOVE(client, entry);
	if (client->role == CLIENT_SUBSYSTEM)
		set_calling(client, false);
	forget(client);
	if (client->readable)
		event_free(client->readable);
	if (client->writable)
		event_free(client->writable);
	fd_close(&client->port);
	while ((m = STAILQ_FIRST(&client->queue))) {
		STAILQ_REMOVE_HEAD(&client->queue, entry);
		message_free(m);
	}
	fd_close(&client->passed);
	free(client);
	if (!subsystem)
		return;
	if (callback)
		subsystem->callback = NULL;
	else
		subsystem->client = NULL;
	subsystem_failed(subsystem, STATUS_PORT_DISCONNECTED);
}

void client_forget_process(struct smss *smss, pid_t pid)
{
	struct client *client, *next;

	for (client = LIST_FIRST(&smss->clients); client; client = next) {
		next = LIST_NEXT(client, entry);
		if (client->role == CLIENT_SUBSYSTEM && !client->subsystem && client->pid == pid)
			client_destroy(client);
	}
}

/* A subsystem that breaks the rules, or off, before it was recognised can become none. */
static void end_unrecognised(const struct client *client)
{
	struct subsystem *subsystem = NULL;

	if (client->role == CLIENT_SUBSYSTEM && !client->subsystem)
		subsystem = subsystem_of_process(client->smss, client->pid);
	if (!subsystem || subsystem->connected)
		return;
	log_warn("session %u: %s cannot be used: ended", subsystem->session->id, subsystem->name);
	subsystem_failed(subsystem, STATUS_PORT_DISCONNECTED);
}

bool client_may_be_logged(const struct client *client)
{
	static uint64_t next;
	uint64_t now = clock_us();

	if (client->role != CLIENT_USER)
		return true;
	if (now < next)
		return false;
	next = now + 1000000;
	return true;
}

static void on_readable(int port, short what, void *argument)
{
	struct client *client = argument;
	union {
		PORT_MESSAGE h;
		char space[PORT_MAX_MESSAGE];
	} message;
	int passed = -1;
	ssize_t got = port_receive(port, &message, sizeof(message), &passed);

	(void)what;
	if (got < 0 && errno == EAGAIN)
		return;
	if (got <= 0 || SmpApiLoop(client, &message.h, (size_t)got, &passed) < 0) {
		if (got < 0 && errno == EBADMSG && client_may_be_logged(client))
			log_warn(
			    "process %d sent a packet that is no message: cut off", client->pid);
		end_unrecognised(client);
		client_destroy(client);
	}
	fd_close(&passed);
}

static void on_writable(int port, short what, void *argument)
{
	struct client *client = argument;
	struct queued_message *m;

	(void)what;
	while ((m = STAILQ_FIRST(&client->queue))) {
		if (port_send(port, m->message, m->passed) < 0) {
			if (errno != EAGAIN)
				client_destroy(client);
			return;
		}
		STAILQ_REMOVE_HEAD(&client->queue, entry);
		client->queued -= m->message->total_length;
		client->queued_descriptors -= m->passed >= 0;
		message_free(m);
	}
	event_del(client->writable);
}

struct client *client_create(struct smss *smss, int port, enum client_role role, pid_t pid)
{
	struct client *client = calloc(1, sizeof(*client));

	port = fd_keep(port);
	if (!client) {
		close(port);
		return NULL;
	}
	client->smss = smss;
	client->role = role;
	client->port = port;
	client->pid = pid;
	client->passed = -1;
	STAILQ_INIT(&client->queue);
	LIST_INSERT_HEAD(&smss->clients, client, entry);
	if (role == CLIENT_SUBSYSTEM)
		set_calling(client, true);
	client->readable = event_new(smss->base, port, EV_READ | EV_PERSIST, on_readable, client);
	client->writable = event_new(smss->base, port, EV_WRITE | EV_PERSIST, on_writable, client);
	if (!client->readable || !client->writable || event_add(client->readable, NULL) < 0) {
		client_destroy(client);
		return NULL;
	}
	return client;
}

/* Keeps a message until the peer reads. 0, or -1 over the bound or without memory. */
static int enqueue(struct client *client, const PORT_MESSAGE *message, int passed)
{
	struct queued_message *m;

	size_t most = client->role == CLIENT_USER ? USER_QUEUE_MAX : QUEUE_MAX;

	if (client->queued > most || client->queued_descriptors > QUEUE_DESCRIPTORS_MAX)
		return -1;
	m = malloc(sizeof(*m) + message->total_length);
	if (!m)
		return -1;
	memcpy(m->message, message, message->total_length);
	m->passed = passed < 0 ? -1 : dup(passed);
	if (STAILQ_EMPTY(&client->queue))
		event_add(client->writable, NULL);
	STAILQ_INSERT_TAIL(&client->queue, m, entry);
	client->queued += message->total_length;
	client->queued_descriptors += m->passed >= 0;
	return passed >= 0 && m->passed < 0 ? -1 : 0;
}

int client_send(struct client *client, const PORT_MESSAGE *message, int passed)
{
	if (!client || client->cut_off)
		return -1;
	if (STAILQ_EMPTY(&client->queue)) {
		if (port_send(client->port, message, passed) == 0)
			return 0;
		if (errno != EAGAIN)
			return -1; /* its end is read as such from the port */
	}
	if (enqueue(client, message, passed) == 0)
		return 0;
	log_warn("process %d does not read what it asked for: cut off", client->pid);
	client->cut_off = true;
	shutdown(client->port, SHUT_RDWR); /* read as its end in the next turn */
	return -1;
}

/* ---- calls that are answered later ---- */

enum { SUBSYSTEM_CALLS_MAX = 16 }; /* what a session can make smss remember */

struct call *call_keep(struct client *client, const PORT_MESSAGE *message, size_t size, int passed)
{
	bool too_many =
	    client && client->role == CLIENT_SUBSYSTEM && client->calls >= SUBSYSTEM_CALLS_MAX;
	struct call *call = too_many ? NULL : calloc(1, sizeof(*call));

	if (!call) {
		fd_close(&passed);
		return NULL;
	}
	memcpy(&call->m, message, size);
	call->client = client;
	call->passed = passed;
	if (client)
		client->calls++;
	LIST_INSERT_HEAD(&Smp->calls, call, in_all);
	return call;
}

void call_drop(struct call *call)
{
	if (!call)
		return;
	LIST_REMOVE(call, in_all);
	if (call->client)
		call->client->calls--;
	fd_close(&call->passed);
	free(call);
}

void call_answer(struct call *call, int32_t status)
{
	struct client *client = call ? call->client : NULL;

	if (client && call->m.h.type == CTL_EXEC) {
		struct msg_exec reply = { .session = call->m.exec.session, .status = status };
		port_header(&reply.h, CTL_EXEC, sizeof(reply), call->m.h.message_id);
		client_send(client, &reply.h, -1);
	} else if (client && call->m.h.type == LPC_REQUEST) {
		sm_reply(client, &call->m.sm, status);
	} else if (client) {
		struct msg_control reply = call->m.control;
		reply.status = status;
		port_header(&reply.h, call->m.h.type, sizeof(reply), call->m.h.message_id);
		client_send(client, &reply.h, -1);
	}
	call_drop(call);
}

int client_listen(const char *path, unsigned mode)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd, error;

	if (strlen(path) >= sizeof(address.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(address.sun_path, path, strlen(path));
	unlink(path);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0 &&
	    chmod(path, mode) == 0 && listen(fd, BACKLOG) == 0)
		return fd;
	error = errno;
	fd_close(&fd);
	errno = error;
	return -1;
}

/*
 * Who may use the service's own port: the user it runs as, and root. In user mode this
 * process sees itself as user 0, and root as nobody, for root is outside its namespace;
 * the port's directory lets nobody else reach it.
 */
static bool administrator(const struct smss *smss, const struct ucred *caller)
{
	return caller->uid == 0 || caller->uid == geteuid() ||
	       (!smss->privileged && caller->uid == 65534);
}

/* Every user of a session can knock without end: the log gets a line a second of it. */
static void log_refusal(pid_t pid)
{
	static uint64_t next;
	static unsigned unsaid;
	uint64_t now = clock_us();

	if (now < next) {
		unsaid++;
		return;
	}
	log_warn("process %d is no subsystem: its connection is refused (and %u before it)", pid,
	    unsaid);
	next = now + 1000000;
	unsaid = 0;
}

/* A subsystem that is awaited and has not come yet. */
static bool is_expected(struct smss *smss, pid_t pid)
{
	const struct subsystem *subsystem = subsystem_of_process(smss, pid);

	return subsystem && !subsystem->client && !subsystem->calling &&
	       subsystem->session->step != SESSION_ENDING;
}

/* How many connections the users of session GENERATION have. */
static unsigned count_users(const struct smss *smss, uint32_t generation)
{
	const struct client *client;
	unsigned count = 0;

	LIST_FOREACH(client, &smss->clients, entry)
	count += client->role == CLIENT_USER && client->session == generation;
	return count;
}

/* A process in a session, which asks about that; false: it is in none, or one too many. */
static bool accept_user(struct smss *smss, int port, const struct ucred *caller)
{
	int pidfd = -1;
	socklen_t size = sizeof(pidfd);
	const struct session *session;
	struct client *client;
	bool gone;

	/* the caller's number could be another's by now: where the kernel can tell it does */
	if (getsockopt(port, SOL_SOCKET, SO_PEERPIDFD, &pidfd, &size) < 0)
		pidfd = -1;
	session = process_session(smss, caller->pid, caller->uid);
	gone =
	    pidfd >= 0 && syscall(SYS_pidfd_send_signal, pidfd, 0, NULL, 0) < 0 && errno == ESRCH;
	fd_close(&pidfd);
	if (gone || !session || count_users(smss, session->generation) >= USER_CLIENTS_MAX)
		return false;
	client = client_create(smss, port, CLIENT_USER, caller->pid);
	if (client) {
		client->session_id = session->id;
		client->session = session->generation;
	}
	return true;
}

static void accept_one(struct smss *smss, int listener, int port)
{
	struct ucred caller;
	socklen_t size = sizeof(caller);
	enum client_role role =
	    listener == smss->sm_listener ? CLIENT_SUBSYSTEM : CLIENT_ADMINISTRATOR;

	if (getsockopt(port, SOL_SOCKET, SO_PEERCRED, &caller, &size) < 0) {
		close(port);
		return;
	}
	if (role == CLIENT_ADMINISTRATOR && !administrator(smss, &caller)) {
		log_warn(
		    "process %d of user %u may not use the SM API port", caller.pid, caller.uid);
		close(port);
		return;
	}
	if (role == CLIENT_SUBSYSTEM && !is_expected(smss, caller.pid)) {
		if (accept_user(smss, port, &caller))
			return;
		log_refusal(caller.pid);
		close(port);
		return;
	}
	client_create(smss, port, role, caller.pid);
}

static void on_accept_again(int fd, short what, void *argument)
{
	struct smss *smss = argument;

	(void)fd;
	(void)what;
	event_add(smss->admin_event, NULL);
	event_add(smss->sm_event, NULL);
}

/* Out of descriptors: whoever waits would wake smss again and again. */
static void accept_later(struct smss *smss)
{
	struct timeval in = { .tv_usec = ACCEPT_PAUSE_US };

	if (event_base_once(smss->base, -1, EV_TIMEOUT, on_accept_again, smss, &in) < 0)
		return;
	event_del(smss->admin_event);
	event_del(smss->sm_event);
}

void client_accept(int listener, short what, void *argument)
{
	struct smss *smss = argument;

	(void)what;
	for (int i = 0; i < ACCEPTS_A_TURN; i++) {
		int port = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (port < 0) {
			if (errno == EMFILE || errno == ENFILE || errno == ENOMEM) {
				log_warn("%s: a connection to smss waits", strerror(errno));
				accept_later(smss);
			}
			return;
		}
		accept_one(smss, listener, port);
	}
}
