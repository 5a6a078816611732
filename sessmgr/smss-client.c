/*
 * Clients: connected ports. What a client sends is read one message a turn, and of who has strangers
 * behind him so many in a while, so that none can keep smss from the others; what it does not read is
 * queued up to a bound, and then the client is cut off. What sessions passed is closed elsewhere
 * (smss-bury.c), and so are their ports where something may wait in them.
 */
#include "log.h"
#include "smss.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	QUEUE_MAX = 16 << 20,
	USER_QUEUE_MAX = 16 << 10, /* of what a session's users may have smss keep */
	QUEUE_DESCRIPTORS_MAX = 64,
	WINDOW_US = 100000, /* of what is counted of a client */
	LAST_MESSAGES = 256,
};

/* How many messages smss reads of one client in WINDOW_US, of those that read what strangers say: what
   is beyond waits, and then the sender. 0: all that come. */
static const unsigned messages_max[CLIENT_ROLE_COUNT] = {
	[CLIENT_SUBSYSTEM] = 500, /* psxss has four for each command */
	[CLIENT_CALLBACK] = 500,
	[CLIENT_METRICSD] = 20,
	[CLIENT_USER] = 20,
};

struct queued_message {
	STAILQ_ENTRY(queued_message) entry;
	int passed; /* owned; -1: none */
	PORT_MESSAGE message[];
};

static bool is_of_session(const struct client *client)
{
	return client->role == CLIENT_SUBSYSTEM || client->role == CLIENT_CALLBACK ||
	       client->role == CLIENT_USER;
}

void client_let_go(const struct client *client, int *fd)
{
	if (!client || is_of_session(client))
		bury_descriptor(Smp, fd);
	else
		fd_close(fd);
}

static void let_all_go(const struct client *client, struct port_luggage *luggage)
{
	while (luggage->count > 0)
		client_let_go(client, &luggage->passed[--luggage->count]);
}

/* The peer sees the end at once. */
static void close_port(struct client *client)
{
	if (is_of_session(client) && port_at_end(client->port)) {
		fd_close(&client->port);
		return;
	}
	shutdown(client->port, SHUT_RDWR);
	client_let_go(client, &client->port);
}

static void message_free(struct client *client, struct queued_message *m)
{
	client_let_go(client, &m->passed);
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
	struct service *service = services_of(client);
	struct call *call;

	/* first: what begins anew below must not find this one still */
	if (service) {
		service->client = NULL;
		service->ready = false;
		/* without its port it is of no use, and its end starts the next */
		if (service->pid > 0)
			kill(service->pid, SIGKILL);
	}
	if (client->role == CLIENT_TERMSRV)
		forget_termsrv(client);
	stats_forget(smss, client);
	LIST_FOREACH(call, &smss->calls, in_all)
	if (call->client == client)
		call->client = NULL;
	accounts_forget(client);
	callback_forget_client(client);
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
	alive_forget(client);
	client_says_no_more(client);
	if (client->role == CLIENT_SUBSYSTEM)
		set_calling(client, false);
	else if (client_session(client))
		client_session(client)->users--;
	forget(client);
	if (client->readable)
		event_free(client->readable);
	if (client->writable)
		event_free(client->writable);
	if (client->resume)
		event_free(client->resume);
	close_port(client);
	while ((m = STAILQ_FIRST(&client->queue))) {
		STAILQ_REMOVE_HEAD(&client->queue, entry);
		message_free(client, m);
	}
	client_let_go(client, &client->passed);
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
	static struct quota lines;

	return client->role != CLIENT_USER || quota_take(&lines, 1, 1000000, clock_us());
}

static void on_resume(int fd, short what, void *argument)
{
	struct client *client = argument;

	(void)fd;
	(void)what;
	event_add(client->readable, NULL);
}

/* It has sent what it may for now. */
static void pause_reading(struct client *client)
{
	const struct timeval in = { .tv_usec = WINDOW_US };

	if (!client->resume)
		client->resume = evtimer_new(client->smss->base, on_resume, client);
	if (client->resume && event_add(client->resume, &in) == 0)
		event_del(client->readable);
}

/* Reads one message, and does what it says. 0, or -1: it was the last. */
static int read_message(struct client *client)
{
	union {
		PORT_MESSAGE h;
		char space[PORT_MAX_MESSAGE];
	} message;
	struct port_luggage luggage;
	ssize_t got = port_receive_all(client->port, &message, sizeof(message), &luggage);
	int passed = -1, result = -1;

	if (got < 0 && errno == EAGAIN)
		return 0;
	if (got > 0) {
		if (luggage.count > 0)
			passed = luggage.passed[--luggage.count];
		result = SmpApiLoop(client, &message.h, (size_t)got, &passed);
		client_let_go(client, &passed);
	} else if (got < 0 && errno == EBADMSG && client_may_be_logged(client)) {
		log_warn("process %d sent a packet that is no message: cut off", client->pid);
	}
	let_all_go(client, &luggage);
	return result;
}

void client_hear_out(struct client *client)
{
	union {
		PORT_MESSAGE h;
		struct msg_log log;
		char space[PORT_MAX_MESSAGE];
	} message;
	struct port_luggage luggage;
	ssize_t got = client && client->role != CLIENT_LSASS ? 1 : 0; /* that has the log itself */

	for (int i = 0; i < LAST_MESSAGES && got > 0; i++) {
		got = port_receive_all(client->port, &message, sizeof(message), &luggage);
		if (got == sizeof(message.log) && message.h.type == LOG_LINE &&
		    luggage.count == 0 && client_speaks(client, &message.h, NULL) < 0)
			got = -1;
		let_all_go(client, &luggage);
	}
}

static void on_readable(int port, short what, void *argument)
{
	struct client *client = argument;
	unsigned most = messages_max[client->role];

	(void)port;
	(void)what;
	if (read_message(client) < 0) {
		end_unrecognised(client);
		client_destroy(client);
	} else if (most && !quota_take(&client->messages, most - 1, WINDOW_US, clock_us())) {
		pause_reading(client);
	}
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
		message_free(client, m);
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
	if (is_of_session(client))
		port_mark(port);
	client->readable = event_new(smss->base, port, EV_READ | EV_PERSIST, on_readable, client);
	client->writable = event_new(smss->base, port, EV_WRITE | EV_PERSIST, on_writable, client);
	if (!client->readable || !client->writable || event_add(client->readable, NULL) < 0) {
		client_destroy(client);
		return NULL;
	}
	return client;
}

void client_set_session(struct client *client, struct session *session)
{
	client->session_id = session->id;
	client->session = session->generation;
	session->users++;
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
	m->passed = passed < 0 ? -1 : fcntl(passed, F_DUPFD_CLOEXEC, 0);
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
		client_let_go(client, &passed);
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
	client_let_go(call->client, &call->passed);
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
