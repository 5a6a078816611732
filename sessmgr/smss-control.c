/*
 * What musessctl asks: the sessions, the service's processes, the version; and the calls
 * about accounts, which lsass answers. A call to lsass travels under a number of smss's
 * own; the table below leads its answer back.
 */
#include "log.h"
#include "smss.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct account_call {
	LIST_ENTRY(account_call) entry;
	uint32_t number, message_id;
	struct client *client; /* NULL once it is gone */
	uint16_t type;         /* ACCT_ADD and so on */
};

static LIST_HEAD(, account_call) waiting = LIST_HEAD_INITIALIZER(waiting);
static uint32_t last_number;

static void end_of_list(struct client *client, uint32_t message_id)
{
	struct msg_plain end;

	port_header(&end.h, CTL_END, sizeof(end), message_id);
	client_send(client, &end.h, -1);
}

static void send_session(struct client *client, uint32_t message_id, const struct session *s)
{
	struct msg_session row = s->info;

	port_header(&row.h, CTL_SESSION, sizeof(row), message_id);
	row.state = s->state;
	row.csrss = s->windows ? (uint32_t)s->windows->pid : 0;
	row.winlogon = (uint32_t)s->winlogon;
	row.csrss_born = s->csrss_born;
	row.winlogon_born = s->winlogon_born;
	row.own = client_session(client) == s;
	if (s->id != 0 && !row.width) /* nobody is at its screen */
		memset(row.winstation, 0, sizeof(row.winstation));
	client_send(client, &row.h, -1);
}

void control_list(struct client *client, uint32_t message_id)
{
	struct smss *smss = client->smss;
	struct msg_session listener = {
		.session = LISTENER_ID, .state = WTS_LISTEN, .winstation = "RDP-Tcp"
	};

	if (client->role == CLIENT_USER) {
		if (client_session(client))
			send_session(client, message_id, client_session(client));
		end_of_list(client, message_id);
		return;
	}
	for (uint32_t slot = 0; slot < smss->capacity; slot++)
		if (smss->slots[slot])
			send_session(client, message_id, smss->slots[slot]);
	port_header(&listener.h, CTL_SESSION, sizeof(listener), message_id);
	if (!smss->services[SERVICE_TERMSRV].ready)
		listener.state = WTS_DOWN;
	client_send(client, &listener.h, -1);
	end_of_list(client, message_id);
}

static void send_process(
    struct client *client, uint32_t message_id, pid_t pid, const char *image, uint32_t session)
{
	struct msg_process row = { .process = (uint32_t)pid, .session = session };

	port_header(&row.h, CTL_PROCESS, sizeof(row), message_id);
	snprintf(row.image, sizeof(row.image), "%s", image);
	client_send(client, &row.h, -1);
}

/* What SESSION has beside csrss and winlogon, which its row of the list names. */
static void send_others(struct client *client, uint32_t message_id, const struct session *session)
{
	const struct subsystem *subsystem;

	if (session->creator)
		send_process(client, message_id, session->creator, "smss", session->id);
	LIST_FOREACH(subsystem, &session->subsystems, entry)
	if (subsystem->pid && subsystem != session->windows)
		send_process(client, message_id, subsystem->pid, "", session->id);
}

void control_service(struct client *client, uint32_t message_id)
{
	struct smss *smss = client->smss;

	send_process(client, message_id, getpid(), "smss", NO_SESSION);
	for (int i = 0; i < SERVICE_COUNT; i++)
		if (smss->services[i].pid > 0)
			send_process(client, message_id, smss->services[i].pid,
			    smss->services[i].name, NO_SESSION);
	for (uint32_t slot = 0; slot < smss->capacity; slot++)
		if (smss->slots[slot])
			send_others(client, message_id, smss->slots[slot]);
	end_of_list(client, message_id);
}

void control_version(struct client *client, uint32_t message_id)
{
	struct msg_version reply = { .version = MUSESS_VERSION };

	port_header(&reply.h, CTL_VERSION, sizeof(reply), message_id);
	client_send(client, &reply.h, -1);
}

void control_pool(struct client *client, const struct msg_pool *call)
{
	struct msg_pool reply = { .status = STATUS_SUCCESS };

	if (call->size != POOL_ASK && call->size > POOL_MAX)
		reply.status = STATUS_INVALID_PARAMETER;
	start_resize(
	    client->smss, reply.status == STATUS_SUCCESS ? call->size : POOL_ASK, &reply.idle);
	reply.size = client->smss->pool_size;
	port_header(&reply.h, CTL_POOL, sizeof(reply), call->h.message_id);
	client_send(client, &reply.h, -1);
}

/* The Posix subsystem runs commands. */
static const char posix[] = "Posix";

/* What a command leaves in an idle session is not for whoever logs on next: where it can be run
   there, the session is the pool's no more. */
static void exec_in(struct session *session, struct call *call)
{
	struct subsystem *subsystem = subsystem_by_name(session, posix, strlen(posix));

	if (!start_may_keep(session)) {
		call_answer(call, STATUS_NO_MEMORY);
	} else if (subsystem && subsystem->connected) { /* a Required one, perhaps */
		start_keep(session);
		callback_exec(subsystem, call);
	} else if (subsystem_demand(session, posix, strlen(posix), call)) {
		start_keep(session);
	}
}

void control_exec(struct client *client, const struct msg_exec *m, int *passed)
{
	struct session *session = session_find(client->smss, m->session);
	bool port = *passed >= 0;
	struct call *call = call_keep(client, &m->h, sizeof(*m), *passed);
	struct msg_exec reply = { .session = m->session, .status = STATUS_NO_MEMORY };

	*passed = -1;
	if (!call) {
		port_header(&reply.h, CTL_EXEC, sizeof(reply), m->h.message_id);
		client_send(client, &reply.h, -1);
	} else if (!port) {
		call_answer(call, STATUS_INVALID_PARAMETER);
	} else if (!session) {
		call_answer(call, STATUS_OBJECT_NAME_NOT_FOUND);
	} else {
		exec_in(session, call);
	}
}

static void account_reply(struct client *client, uint32_t message_id, int32_t status)
{
	struct lsa_answer reply = { .status = status };

	if (!client)
		return;
	port_header(&reply.h, LSA_ANSWER, sizeof(reply), message_id);
	client_send(client, &reply.h, -1);
}

/* Whether CALL asks for a pattern where the configuration allows none. */
static bool forbidden_pattern(const struct smss *smss, const PORT_MESSAGE *call)
{
	const struct lsa_request *request = (const void *)call;
	size_t length = strnlen(request->user, sizeof(request->user));

	return call->type == ACCT_ADD && !smss->config->AccountPatterns && length > 0 &&
	       request->user[length - 1] == '*';
}

static bool account_text_valid(const PORT_MESSAGE *call)
{
	const struct lsa_request *r = (const void *)call;

	return call->type == ACCT_LIST || (port_text_valid(r->user, sizeof(r->user)) &&
	                                      port_text_valid(r->domain, sizeof(r->domain)) &&
	                                      port_text_valid(r->password, sizeof(r->password)) &&
	                                      port_text_valid(r->address, sizeof(r->address)));
}

static int pass_on(struct smss *smss, const PORT_MESSAGE *call, uint32_t number)
{
	union {
		PORT_MESSAGE h;
		struct lsa_request request;
	} copy;
	int result;

	memcpy(&copy, call, call->total_length);
	copy.h.message_id = number;
	result = client_send(smss->services[SERVICE_LSASS].client, &copy.h, -1);
	explicit_bzero(&copy, sizeof(copy));
	return result;
}

void accounts_ask(struct client *client, const PORT_MESSAGE *call)
{
	struct account_call *w;

	if (!account_text_valid(call)) {
		account_reply(client, call->message_id, STATUS_INVALID_PARAMETER);
		return;
	}
	if (forbidden_pattern(client->smss, call)) {
		account_reply(client, call->message_id, STATUS_ACCESS_DENIED);
		return;
	}
	w = calloc(1, sizeof(*w));
	if (!w || pass_on(client->smss, call, ++last_number) < 0) {
		free(w);
		account_reply(client, call->message_id, STATUS_PORT_DISCONNECTED);
		return;
	}
	*w = (struct account_call){ .number = last_number,
		.message_id = call->message_id,
		.client = client,
		.type = call->type };
	LIST_INSERT_HEAD(&waiting, w, entry);
}

int accounts_set(struct smss *smss, uint16_t type, const char *name, const char *password)
{
	struct lsa_request request = { 0 };
	int result;

	port_header(&request.h, type, sizeof(request), 0);
	snprintf(request.user, sizeof(request.user), "%s", name);
	snprintf(request.password, sizeof(request.password), "%s", password);
	result = pass_on(smss, &request.h, 0);
	explicit_bzero(&request, sizeof(request));
	return result;
}

/* USERS: as in struct lsa_answer. */
static bool is_among(const char *user, const char *users)
{
	size_t length = strlen(users);

	return length > 0 && users[length - 1] == '*' ? strncmp(user, users, length - 1) == 0
	                                              : strcmp(user, users) == 0;
}

/* A client whose account has another password, or none is left, comes back by logging on; and whoever has an
   account of that name later is somebody else. */
static void account_changed(struct smss *smss, uint16_t type, const char *users)
{
	for (uint32_t slot = 0; slot < smss->capacity; slot++) {
		struct session *s = smss->slots[slot];

		if (!s || !s->info.user[0] || !is_among(s->info.user, users) || type == ACCT_ADD)
			continue;
		memset(s->cookie, 0, sizeof(s->cookie));
		record_update(s);
		if (type == ACCT_REMOVE)
			session_logoff(s, END_ADMIN_LOGOFF);
	}
}

void accounts_answer(struct smss *smss, const PORT_MESSAGE *answer)
{
	struct lsa_answer copy = *(const struct lsa_answer *)answer;
	struct account_call *w;

	if (copy.h.message_id == 0) {
		smss->account_status = copy.status;
		smss->account_set = true;
		services_check(smss);
		return;
	}
	LIST_FOREACH(w, &waiting, entry)
	if (w->number == copy.h.message_id)
		break;
	if (!w)
		return;
	if (copy.h.type == LSA_ANSWER && copy.status == STATUS_SUCCESS)
		account_changed(smss, w->type, copy.user);
	copy.h.message_id = w->message_id;
	client_send(w->client, &copy.h, -1);
	if (copy.h.type == LSA_ANSWER) {
		LIST_REMOVE(w, entry);
		free(w);
	}
}

void accounts_forget(const struct client *client)
{
	struct account_call *w;

	LIST_FOREACH(w, &waiting, entry)
	if (w->client == client)
		w->client = NULL;
}

void accounts_fail(void)
{
	struct account_call *w;

	while ((w = LIST_FIRST(&waiting))) {
		LIST_REMOVE(w, entry);
		account_reply(w->client, w->message_id, STATUS_PORT_DISCONNECTED);
		free(w);
	}
}
