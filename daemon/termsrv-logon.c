/*
 * A connection's logon, between its worker, lsass and smss: the credentials to lsass;
 * once they are right StartCsr to smss; once that is answered a port between the worker
 * and the new session's csrss. Nothing waits: each request carries its worker's number.
 */
#include "log.h"
#include "termsrv.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* What cannot be sent now is asked later: of the lsass that replaces this one, or when it
   has answered another question and there is room in its port. */
static void ask(struct worker *w)
{
	w->asking = true;
	w->unsent = w->t->lsass < 0 || port_send(w->t->lsass, &w->question.h, -1) < 0;
	if (w->unsent)
		w->t->unsent = true;
}

/* Asks lsass about credentials; they are remembered until it answers. */
static void ask_lsass(struct worker *w, uint16_t type, const struct lsa_request *request)
{
	w->question = *request;
	memcpy(w->question.address, w->address, sizeof(w->address));
	port_header(&w->question.h, type, sizeof(w->question), worker_number(w));
	ask(w);
}

void logon_ask_again(struct termsrv *t, bool all)
{
	t->unsent = false;
	for (uint32_t slot = 0; slot < t->slots_used; slot++)
		if (t->workers[slot] && t->workers[slot]->asking &&
		    (all || t->workers[slot]->unsent))
			ask(t->workers[slot]);
}

int logon_hash(struct worker *w, const struct lsa_request *m)
{
	/* a worker that was taken over must not collect the hashes of other names */
	if (w->step != WORKER_HANDSHAKE || w->asked_hash || w->asking ||
	    !port_text_valid(m->user, sizeof(m->user)) ||
	    !port_text_valid(m->domain, sizeof(m->domain)))
		return -1;
	w->asked_hash = true;
	memcpy(w->proving_user, m->user, sizeof(w->proving_user));
	ask_lsass(w, LSA_NTLM, m);
	return 0;
}

static void start_session(struct worker *w)
{
	SMAPIMSG call = { .ApiNumber = SmStartCsrApi, .u.StartCsr.MuSessionId = SM_NO_MUSESSION };

	w->step = WORKER_STARTING;
	event_del(w->deadline); /* it has been the client's; the rest is ours */
	port_header(&call.h, LPC_REQUEST, sizeof(call), worker_number(w));
	if (port_send(w->t->smss, &call.h, -1) < 0)
		worker_deny(w, STATUS_PORT_DISCONNECTED, END_OUT_OF_MEMORY);
}

/* Sessions for nobody yet: a part of all, so that who has no account cannot take them all. */
static bool prompts_full(const struct termsrv *t)
{
	unsigned max = t->config.MaxInstanceCount / PROMPTS_PART, count = 0;

	for (uint32_t slot = 0; slot < t->slots_used; slot++) {
		const struct worker *w = t->workers[slot];
		count += w && w->step >= WORKER_STARTING && !w->denied && !w->client.user[0];
	}
	return count >= (max ? max : 1);
}

/* winlogon asks for name and password on the desktop. */
static void start_prompt(struct worker *w)
{
	if (prompts_full(w->t)) {
		log_warn("%s came without credentials and is refused: 1/%d of MaxInstanceCount "
		         "sessions show a logon prompt",
		    w->address, PROMPTS_PART);
		worker_deny(w, STATUS_NO_MEMORY, END_OUT_OF_MEMORY);
		return;
	}
	w->client.phase[PHASE_LOGON] = clock_us();
	start_session(w);
}

static bool logon_valid(const struct msg_rw_logon *m)
{
	return port_text_valid(m->user, sizeof(m->user)) &&
	       port_text_valid(m->domain, sizeof(m->domain)) &&
	       port_text_valid(m->password, sizeof(m->password)) &&
	       port_text_valid(m->station, sizeof(m->station)) && m->width >= DESKTOP_MIN &&
	       m->width <= DESKTOP_MAX && m->height >= DESKTOP_MIN && m->height <= DESKTOP_MAX;
}

static void question_of(const struct msg_rw_logon *m, struct lsa_request *request)
{
	*request = (struct lsa_request){ 0 };
	memcpy(request->user, m->user, sizeof(m->user));
	memcpy(request->domain, m->domain, sizeof(m->domain));
	memcpy(request->password, m->password, sizeof(m->password));
}

int logon_request(struct worker *w, const struct msg_rw_logon *m)
{
	struct lsa_request request;

	if (w->asking || !logon_valid(m))
		return -1;
	if (w->step == WORKER_SESSION && m->session == w->client.session && !w->client.user[0] &&
	    w->prompts < PROMPT_TRIES) {
		w->prompts++;
	} else if (w->step == WORKER_HANDSHAKE && m->session == NO_SESSION) {
		w->step = WORKER_LOGON;
		w->proving = false;
		w->client.width = m->width;
		w->client.height = m->height;
		w->client.phase[PHASE_NEGOTIATED] = m->negotiated;
		memcpy(w->client.domain, m->domain, sizeof(m->domain));
		memcpy(w->client.station, m->station, sizeof(m->station));
	} else {
		return -1;
	}
	if (m->session == NO_SESSION && (!m->user[0] || !m->password[0])) {
		start_prompt(w);
		return 0;
	}
	question_of(m, &request);
	ask_lsass(w, LSA_LOGON, &request);
	explicit_bzero(&request, sizeof(request));
	return 0;
}

int logon_painted(struct worker *w, const struct msg_painted *m)
{
	struct msg_painted message = *m;

	if (w->step != WORKER_SESSION)
		return -1;
	message.session = w->client.session;
	message.generation = w->client.generation;
	port_header(&message.h, WS_PAINTED, sizeof(message), 0);
	port_send(w->t->smss, &message.h, -1);
	return 0;
}

static void tell(struct worker *w, uint16_t type, int32_t status, int passed)
{
	struct msg_rw_session m = { .session = w->client.session, .status = status };

	port_header(&m.h, type, sizeof(m), 0);
	port_send(w->port, &m.h, passed);
}

/* The user of a session whose winlogon had to ask. */
static void logged_on_at_prompt(struct worker *w, const struct lsa_answer *answer)
{
	struct msg_user m = { .session = w->client.session, .generation = w->client.generation };

	if (answer->status != STATUS_SUCCESS) {
		tell(w, RW_DENIED, answer->status, -1);
		return;
	}
	memcpy(w->client.user, answer->user, sizeof(w->client.user));
	memcpy(m.user, answer->user, sizeof(m.user));
	port_header(&m.h, WS_LOGON, sizeof(m), 0);
	port_send(w->t->smss, &m.h, -1);
}

int logon_lsass(struct termsrv *t, const PORT_MESSAGE *m, size_t size)
{
	struct lsa_answer answer;
	struct worker *w = worker_of(t, m->message_id);
	bool hash;

	if (m->type != LSA_ANSWER || size != sizeof(answer))
		return -1;
	memcpy(&answer, m, sizeof(answer));
	if (t->unsent)
		logon_ask_again(t, false);
	if (!w || !w->asking)
		return 0;
	hash = w->question.h.type == LSA_NTLM;
	w->asking = false;
	explicit_bzero(&w->question, sizeof(w->question));
	if (hash) {
		w->proving = answer.status == STATUS_SUCCESS;
		port_header(&answer.h, RW_NTLM_HASH, sizeof(answer), 0);
		port_send(w->port, &answer.h, -1);
	} else if (w->step == WORKER_SESSION) {
		logged_on_at_prompt(w, &answer);
	} else if (answer.status != STATUS_SUCCESS) {
		worker_deny(w, answer.status, END_DENIED);
	} else {
		memcpy(w->client.user, answer.user, sizeof(w->client.user));
		w->client.phase[PHASE_LOGON] = clock_us();
		start_session(w);
	}
	explicit_bzero(&answer, sizeof(answer));
	return 0;
}

static void stop_session(struct termsrv *t, const SMAPIMSG *started)
{
	SMAPIMSG call = { .ApiNumber = SmStopCsrApi,
		.u.StopCsr.MuSessionId = started->u.StartCsr.MuSessionId };

	port_header(&call.h, LPC_REQUEST, sizeof(call), 0);
	call.h.client_view_size = started->h.client_view_size; /* not a later one of its id */
	port_send(t->smss, &call.h, -1);
}

void logon_abandon(struct worker *w)
{
	char quoted[USER_SIZE];

	/* under NLA the worker finds a password wrong; lsass logs all other failures */
	if (w->proving)
		log_info("logon failed for user \"%s\" from %s: unknown user or wrong password",
		    log_quote(quoted, sizeof(quoted), w->proving_user), w->address);
}

/* The session is there: a port between the worker and csrss, one end to each. */
static void connect_session(struct worker *w, const SMAPIMSG *started)
{
	int pair[2];

	if (port_pair(pair) < 0) {
		stop_session(w->t, started);
		worker_deny(w, STATUS_NO_MEMORY, END_OUT_OF_MEMORY);
		return;
	}
	w->step = WORKER_SESSION;
	w->client.session = started->u.StartCsr.MuSessionId;
	w->client.generation = started->h.client_view_size;
	memcpy(w->client.address, w->address, sizeof(w->client.address));
	port_header(&w->client.h, WS_CONNECT, sizeof(w->client), 0);
	if (port_send(w->t->smss, &w->client.h, pair[0]) < 0) {
		close(pair[0]);
		close(pair[1]);
		stop_session(w->t, started);
		worker_deny(w, STATUS_NO_MEMORY, END_OUT_OF_MEMORY);
		return;
	}
	tell(w, RW_SESSION, STATUS_SUCCESS, pair[1]);
	close(pair[0]);
	close(pair[1]);
}

static int started(struct termsrv *t, const SMAPIMSG *reply)
{
	struct worker *w = worker_of(t, reply->h.message_id);

	if (reply->ApiNumber != SmStartCsrApi)
		return 0; /* StopCsr's: nobody waits */
	if (!w || w->step != WORKER_STARTING) {
		if (reply->ReturnedStatus == STATUS_SUCCESS)
			stop_session(t, reply);
		return 0;
	}
	if (reply->ReturnedStatus != STATUS_SUCCESS) {
		log_warn("no session for %s: %s (%s)", w->address,
		    ntstatus_text(reply->ReturnedStatus), ntstatus_name(reply->ReturnedStatus));
		worker_deny(w, reply->ReturnedStatus, END_OUT_OF_MEMORY);
		return 0;
	}
	connect_session(w, reply);
	return 0;
}

int logon_smss(struct termsrv *t, PORT_MESSAGE *m, size_t size, int *passed)
{
	if (m->type == LPC_REPLY && size == sizeof(SMAPIMSG))
		return started(t, (const SMAPIMSG *)(const void *)m);
	if (m->type != TS_LSASS || *passed < 0)
		return -1;
	if (t->lsass_event) {
		event_free(t->lsass_event);
		t->lsass_event = NULL;
	}
	fd_close(&t->lsass);
	t->lsass = *passed;
	*passed = -1;
	return 0;
}
