/*
 * What administrators do with sessions, and users with their own: disconnect, connect, log off,
 * reset, say something; and with the service: drain it, follow its events.
 *
 * Who may do what is the table's matter in smss-api.c; that a user's call is about his own
 * session alone is this file's (may_manage).
 */
#include "event.h"
#include "log.h"
#include "smss.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* In the state directory: it is there where the service drains beyond its restart. */
#define DRAIN_FILE "drain"

struct session *client_session(const struct client *client)
{
	struct session *s = session_find(client->smss, client->session_id);

	return client->role == CLIENT_USER && s && s->generation == client->session ? s : NULL;
}

static int answer(struct client *client, const struct msg_control *call, int32_t status)
{
	struct msg_control reply = *call;

	reply.status = status;
	port_header(&reply.h, call->h.type, sizeof(reply), call->h.message_id);
	client_send(client, &reply.h, -1);
	return 0;
}

/* The session that CLIENT's call is about; NULL with *STATUS. */
static struct session *find(struct client *client, uint32_t id, int32_t *status)
{
	struct session *own = client_session(client);
	struct session *s = id == NO_SESSION ? own : session_find(client->smss, id);

	*status = STATUS_ACCESS_DENIED;
	if (client->role == CLIENT_USER && (!own || s != own))
		return NULL; /* not even whether there is such a session */
	*status = STATUS_OBJECT_NAME_NOT_FOUND;
	if (!s || s->step == SESSION_ENDING)
		return NULL;
	*status = STATUS_SUCCESS;
	return s;
}

int manage_disconnect(struct client *client, const PORT_MESSAGE *m, int *passed)
{
	const struct msg_control *call = (const void *)m;
	int32_t status;
	struct session *s = find(client, call->session, &status);

	(void)passed;
	if (s && s->id == 0)
		status = STATUS_ACCESS_DENIED;
	else if (s)
		status = winstation_detach(
		    s, client->role == CLIENT_USER ? END_USER_DISCONNECT : END_ADMIN_DISCONNECT);
	return answer(client, call, status);
}

int manage_connect(struct client *client, const PORT_MESSAGE *m, int *passed)
{
	const struct msg_control *call = (const void *)m;
	int32_t status;
	struct session *to = find(client, call->session, &status);
	struct session *from = to ? find(client, call->target, &status) : NULL;

	(void)passed;
	if (from && (from->id == 0 || to->id == 0))
		status = STATUS_ACCESS_DENIED;
	else if (from)
		status = winstation_move(from, to);
	return answer(client, call, status);
}

/* S ends, or begins to: CALL is answered when it has. */
static int end(struct client *client, const struct msg_control *call, struct session *s, bool reset)
{
	enum end_reason reason = client->role == CLIENT_USER ? END_USER_LOGOFF : END_ADMIN_LOGOFF;

	if (s->id == 0)
		return answer(client, call, STATUS_ACCESS_DENIED);
	if (s->stopper && s->stopper->client)
		return answer(client, call, STATUS_DELETE_PENDING);
	call_drop(s->stopper);
	s->stopper = call_keep(client, &call->h, sizeof(*call), -1);
	if (!s->stopper)
		return answer(client, call, STATUS_NO_MEMORY);
	if (reset)
		session_stop(s, reason, STATUS_DELETE_PENDING);
	else
		session_logoff(s, reason);
	return 0;
}

int manage_logoff(struct client *client, const PORT_MESSAGE *m, int *passed)
{
	const struct msg_control *call = (const void *)m;
	int32_t status;
	struct session *s = find(client, call->session, &status);

	(void)passed;
	return s ? end(client, call, s, false) : answer(client, call, status);
}

int manage_reset(struct client *client, const PORT_MESSAGE *m, int *passed)
{
	const struct msg_control *call = (const void *)m;
	int32_t status;
	struct session *s = find(client, call->session, &status);

	(void)passed;
	return s ? end(client, call, s, true) : answer(client, call, status);
}

/* ---- boxes ---- */

/* Lines of text. */
static bool box_valid(const struct msg_box *m)
{
	char text[BOX_TEXT_SIZE];

	memcpy(text, m->text, sizeof(text));
	for (size_t i = 0; i < sizeof(text); i++)
		if (text[i] == '\n')
			text[i] = ' ';
	return port_text_valid(text, sizeof(text)) && text[0] &&
	       port_text_valid(m->title, sizeof(m->title)) && m->seconds <= BOX_SECONDS_MAX;
}

static int32_t show_box(struct session *s, struct msg_box *m)
{
	if (s->step != SESSION_RUNNING || !s->windows->client)
		return STATUS_OBJECT_NAME_NOT_FOUND;
	m->number = ++s->smss->last_box;
	port_header(&m->h, CSR_MESSAGE, sizeof(*m), 0);
	return client_send(s->windows->client, &m->h, -1) == 0 ? STATUS_SUCCESS
	                                                       : STATUS_PORT_DISCONNECTED;
}

void manage_box(struct session *s, const char *title, const char *text, uint32_t seconds)
{
	struct msg_box m = { .session = s->id, .seconds = seconds };

	snprintf(m.title, sizeof(m.title), "%s", title);
	snprintf(m.text, sizeof(m.text), "%s", text);
	show_box(s, &m);
}

/* Who waits is answered; CALL is dropped. */
static void answer_box(struct call *call, int32_t status, uint32_t response)
{
	struct msg_control reply = {
		.h = call->m.h, .session = call->m.box.session, .response = response
	};

	if (call->client)
		answer(call->client, &reply, status);
	call_drop(call);
}

int manage_message(struct client *client, const PORT_MESSAGE *m, int *passed)
{
	const struct msg_box *call = (const void *)m;
	struct msg_control reply = { .h = *m, .session = call->session, .response = BOX_ASYNC };
	struct msg_box box = *call;
	int32_t status;
	struct session *s = find(client, call->session, &status);
	struct call *kept = NULL;

	(void)passed;
	if (s && !box_valid(call))
		status = STATUS_INVALID_PARAMETER;
	if (status == STATUS_SUCCESS && call->wait &&
	    !(kept = call_keep(client, m, sizeof(*call), -1)))
		status = STATUS_NO_MEMORY;
	if (status == STATUS_SUCCESS)
		status = show_box(s, &box);
	if (kept && status == STATUS_SUCCESS) {
		kept->m.box.number = box.number;
		TAILQ_INSERT_TAIL(&s->boxes, kept, entry);
		return 0;
	}
	call_drop(kept);
	return answer(client, &reply, status);
}

int manage_response(struct client *client, const PORT_MESSAGE *m, int *passed)
{
	const struct msg_response *message = (const void *)m;
	struct session *s = client->subsystem->session;
	struct call *call;

	(void)passed;
	TAILQ_FOREACH(call, &s->boxes, entry)
	if (call->m.box.number == message->number)
		break;
	if (!call) /* nobody waits for it */
		return 0;
	TAILQ_REMOVE(&s->boxes, call, entry);
	answer_box(call, STATUS_SUCCESS, message->response == BOX_OK ? BOX_OK : BOX_TIMEOUT);
	return 0;
}

void manage_forget_session(struct session *s)
{
	struct call *call;

	while ((call = TAILQ_FIRST(&s->boxes))) {
		TAILQ_REMOVE(&s->boxes, call, entry);
		answer_box(call, STATUS_DELETE_PENDING, BOX_TIMEOUT);
	}
}

/* ---- drain ---- */

bool manage_draining(const struct smss *smss)
{
	return smss->config->fDenyTSConnections || smss->drain != DRAIN_OFF;
}

enum drain_mode manage_drain_mode(const struct smss *smss)
{
	if (smss->drain != DRAIN_OFF)
		return smss->drain;
	return smss->config->fDenyTSConnections ? DRAIN_ON : DRAIN_OFF;
}

void manage_init(struct smss *smss)
{
	smss->drain = faccessat(smss->state_dir, DRAIN_FILE, F_OK, 0) == 0 ? DRAIN_ON : DRAIN_OFF;
	if (smss->drain == DRAIN_ON)
		log_info("the service drains: new sessions are refused (musessctl drain off)");
}

static int32_t set_drain(struct smss *smss, enum drain_mode mode)
{
	int fd = -1;

	if (mode == DRAIN_ON)
		fd = openat(
		    smss->state_dir, DRAIN_FILE, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	else if (unlinkat(smss->state_dir, DRAIN_FILE, 0) < 0 && errno != ENOENT)
		return STATUS_UNSUCCESSFUL;
	if (mode == DRAIN_ON && fd < 0) {
		log_warn(
		    "cannot write \"" DRAIN_FILE "\" in the state directory: %s", strerror(errno));
		return STATUS_UNSUCCESSFUL;
	}
	fd_close(&fd);
	smss->drain = mode;
	log_info(mode == DRAIN_OFF ? "new sessions are allowed again"
	                           : "the service drains: new sessions are refused");
	return STATUS_SUCCESS;
}

int manage_drain(struct client *client, const PORT_MESSAGE *m, int *passed)
{
	struct msg_drain reply = *(const struct msg_drain *)(const void *)m;
	struct smss *smss = client->smss;

	(void)passed;
	reply.status = STATUS_SUCCESS;
	if (reply.mode > DRAIN_ASK)
		reply.status = STATUS_INVALID_PARAMETER;
	else if (reply.mode != DRAIN_ASK)
		reply.status = set_drain(smss, (enum drain_mode)reply.mode);
	reply.mode = manage_drain_mode(smss);
	port_header(&reply.h, CTL_DRAIN, sizeof(reply), m->message_id);
	client_send(client, &reply.h, -1);
	return 0;
}

/* ---- events ---- */

/* Who follows them gets each as it is written. */
static void on_event(const char *json, size_t length)
{
	struct msg_event m = { 0 };
	struct client *client;

	memcpy(m.json, json, length + 1);
	LIST_FOREACH(client, &Smp->clients, entry)
	if (client->follows) {
		port_header(&m.h, CTL_EVENT, sizeof(m), client->follows);
		client_send(client, &m.h, -1);
	}
}

int manage_events(struct client *client, const PORT_MESSAGE *m, int *passed)
{
	(void)passed;
	client->follows = m->message_id ? m->message_id : 1;
	event_subscribe(on_event);
	return 0;
}
