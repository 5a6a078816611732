/*
 * A connection's logon, between its worker, lsass and smss: the credentials to lsass, or the
 * cookie of a client that was cut off compared with its session's; once they are right
 * WS_CONNECT to smss, with one end of a port between the worker and a csrss, for a session that
 * the user has; where he has none StartCsr, and WS_CONNECT for that. Nothing waits: each
 * request carries its worker's number.
 */
#include "log.h"
#include "termsrv.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void forget_proof(struct worker *w)
{
	if (w->proof)
		explicit_bzero(w->proof, sizeof(*w->proof));
	free(w->proof);
	w->proof = NULL;
}

/* COOKIE: for the next time, or NULL. */
static void tell(struct worker *w, uint16_t type, int32_t status, const uint8_t *cookie, int passed)
{
	struct msg_rw_session m = { .session = w->client.session, .status = status };

	if (cookie)
		memcpy(m.cookie, cookie, sizeof(m.cookie));
	port_header(&m.h, type, sizeof(m), 0);
	port_send(w->port, &m.h, passed);
	explicit_bzero(&m, sizeof(m));
}

/* Its password is not even looked at: its address has to wait. */
static void keep_out(struct worker *w)
{
	w->asking = false;
	explicit_bzero(&w->question, sizeof(w->question));
	outcome_worker(w, REFUSAL_PENALTY, NULL, NULL);
	if (w->step == WORKER_SESSION)
		tell(w, RW_DENIED, STATUS_ACCESS_DENIED, NULL, -1);
	else if (w->proof)
		worker_destroy(w);
	else
		worker_deny(w, STATUS_ACCESS_DENIED, END_DENIED);
}

/* Sends lsass questions, as many as it may have: of each address in turn. What cannot be sent waits
   for an answer, or for the lsass that replaces this one. */
static void ask_next(struct termsrv *t)
{
	struct fair_node *node;

	while (t->lsass >= 0 && t->asked < QUESTIONS_MAX && (node = fair_pop(&t->questions))) {
		struct worker *w = (void *)((char *)node - offsetof(struct worker, waiting));
		if (outcome_wait(t, &w->from) > 0) {
			keep_out(w);
		} else if (port_send(t->lsass, w->proof ? &w->proof->h : &w->question.h, -1) < 0) {
			fair_push(&t->questions, node, &w->host);
			return;
		} else {
			t->asked++;
		}
	}
}

static void ask(struct worker *w)
{
	w->asking = true;
	fair_push(&w->t->questions, &w->waiting, &w->host);
	ask_next(w->t);
}

/* Asks lsass about credentials; they are remembered until it answers. */
static void ask_lsass(struct worker *w, const struct lsa_request *request)
{
	w->question = *request;
	memcpy(w->question.address, w->address, sizeof(w->address));
	port_header(&w->question.h, LSA_LOGON, sizeof(w->question), worker_number(w));
	ask(w);
}

void logon_ask_again(struct termsrv *t)
{
	t->asked = 0;
	outcome_forget(t);
	for (uint32_t slot = 0; slot < t->slots_used; slot++) {
		struct worker *w = t->workers[slot];
		if (w && w->asking && !w->waiting.queued)
			fair_push(&t->questions, &w->waiting, &w->host);
	}
	ask_next(t);
}

static bool ntlm_valid(const struct lsa_ntlm *m)
{
	return port_text_valid(m->user, sizeof(m->user)) &&
	       port_text_valid(m->domain, sizeof(m->domain)) && m->blob_size <= sizeof(m->blob) &&
	       m->messages_size <= sizeof(m->messages);
}

int logon_hash(struct worker *w, const struct lsa_ntlm *m)
{
	/* a worker that was taken over must not try many */
	if (w->step != WORKER_HANDSHAKE || w->asked_hash || w->asking || !ntlm_valid(m))
		return -1;
	w->asked_hash = true;
	w->proof = malloc(sizeof(*w->proof));
	if (!w->proof) {
		outcome_worker(w, REFUSAL_RESOURCES, NULL, NULL);
		return -1;
	}
	*w->proof = *m;
	memcpy(w->proof->address, w->address, sizeof(w->address));
	port_header(&w->proof->h, LSA_NTLM, sizeof(*m), worker_number(w));
	ask(w);
	return 0;
}

/* A session that was started for a client, and is not his after all. */
static void stop_session(struct termsrv *t, uint32_t id, uint32_t generation)
{
	SMAPIMSG call = { .ApiNumber = SmStopCsrApi, .u.StopCsr.MuSessionId = id };

	port_header(&call.h, LPC_REQUEST, sizeof(call), 0);
	call.h.client_view_size = generation; /* not a later one of its id */
	port_send(t->smss, &call.h, -1);
}

static void cannot_connect(struct worker *w)
{
	if (w->started)
		stop_session(w->t, w->client.session, w->client.generation);
	outcome_worker(w, REFUSAL_RESOURCES, NULL, NULL);
	worker_deny(w, STATUS_NO_MEMORY, END_OUT_OF_MEMORY);
}

/* The client's session is smss's to say (WS_SESSION): the one of its cookie, the one that was
   started for it, or whichever its user has. A port goes with the question. */
static void connect_session(struct worker *w)
{
	int pair[2];
	bool sent;

	if (port_pair(pair) < 0) {
		cannot_connect(w);
		return;
	}
	fd_close(&w->display);
	w->display = pair[1];
	w->step = WORKER_CONNECTING;
	memcpy(w->client.address, w->address, sizeof(w->client.address));
	port_header(&w->client.h, WS_CONNECT, sizeof(w->client), worker_number(w));
	sent = port_send(w->t->smss, &w->client.h, pair[0]) == 0;
	close(pair[0]);
	explicit_bzero(w->client.cookie, sizeof(w->client.cookie));
	if (!sent)
		cannot_connect(w); /* it may be gone then */
}

/* The credentials are right, or the cookie was. */
static void proven(struct worker *w)
{
	w->client.phase[PHASE_LOGON] = clock_us();
	event_del(w->deadline); /* it has been the client's; the rest is ours */
	connect_session(w);
}

static void start_session(struct worker *w)
{
	SMAPIMSG call = { .ApiNumber = SmStartCsrApi, .u.StartCsr.MuSessionId = SM_NO_MUSESSION };

	w->step = WORKER_STARTING;
	w->started = true;
	event_del(w->deadline); /* it has been the client's; the rest is ours */
	port_header(&call.h, LPC_REQUEST, sizeof(call), worker_number(w));
	if (port_send(w->t->smss, &call.h, -1) < 0) {
		outcome_worker(w, REFUSAL_RESOURCES, NULL, NULL);
		worker_deny(w, STATUS_PORT_DISCONNECTED, END_OUT_OF_MEMORY);
	}
}

/* Sessions for nobody yet: a part of all, so that who has no account cannot take them all; and of
   that a part for the address that WHO comes from. */
static bool prompts_full(const struct termsrv *t, const struct worker *who)
{
	unsigned max = t->config.MaxInstanceCount / PROMPTS_PART, count = 0, same = 0;

	if (max == 0)
		max = 1;
	for (uint32_t slot = 0; slot < t->slots_used; slot++) {
		const struct worker *w = t->workers[slot];
		if (w && w->step >= WORKER_STARTING && !w->denied && !w->client.user[0]) {
			count++;
			same += IN6_ARE_ADDR_EQUAL(&w->host, &who->host);
		}
	}
	return count >= max || (same >= (max + HOST_PROMPTS_PART - 1) / HOST_PROMPTS_PART &&
	                           !outcome_exempt(t, &who->from));
}

/* winlogon asks for name and password on the desktop. */
static void start_prompt(struct worker *w)
{
	if (prompts_full(w->t, w)) {
		if (outcome_may_log(w->t, &w->host))
			log_warn(
			    "%s came without credentials and is refused: 1/%d of MaxInstanceCount "
			    "sessions show a logon prompt, or half as many for that address",
			    w->address, PROMPTS_PART);
		outcome_worker(w, REFUSAL_PROMPTS, NULL, NULL);
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
	request->unusable = m->unusable;
}

/* What the client gave, or a prompt on the desktop where it gave nothing. */
static void check_credentials(struct worker *w, const struct lsa_request *request)
{
	if (w->step != WORKER_SESSION && !request->unusable &&
	    (!request->user[0] || !request->password[0]))
		start_prompt(w);
	else
		ask_lsass(w, request);
}

/* Asks smss about the session of the client's cookie; the credentials are kept for when it is
   wrong. 0 or -1. */
static int ask_cookie(
    struct worker *w, const struct msg_rw_logon *m, const struct lsa_request *request)
{
	struct msg_cookie ask = { .session = m->logon_id };

	w->question = *request;
	memcpy(w->verifier, m->verifier, sizeof(w->verifier));
	port_header(&ask.h, WS_COOKIE, sizeof(ask), worker_number(w));
	if (port_send(w->t->smss, &ask.h, -1) < 0)
		return -1;
	w->cookie = COOKIE_ASKED;
	return 0;
}

int logon_request(struct worker *w, const struct msg_rw_logon *m)
{
	struct lsa_request request;

	if (w->denied || w->asking || w->cookie != COOKIE_NONE || !logon_valid(m))
		return -1;
	if (w->step == WORKER_SESSION && m->session == w->client.session && !w->client.user[0] &&
	    w->prompts < PROMPT_TRIES) {
		w->prompts++;
	} else if (w->step == WORKER_HANDSHAKE && !w->refused && m->session == NO_SESSION) {
		w->step = WORKER_LOGON;
		w->client.width = m->width;
		w->client.height = m->height;
		w->client.phase[PHASE_NEGOTIATED] = m->negotiated;
		memcpy(w->client.domain, m->domain, sizeof(m->domain));
		memcpy(w->client.station, m->station, sizeof(m->station));
	} else {
		return -1;
	}
	question_of(m, &request);
	if (m->session != NO_SESSION || !m->has_cookie || m->unusable ||
	    ask_cookie(w, m, &request) < 0)
		check_credentials(w, &request);
	explicit_bzero(&request, sizeof(request));
	return 0;
}

static const uint8_t no_cookie[COOKIE_SIZE];

/*
 * Whether the client knew the random bits of its session: the verifier is their HMAC-MD5 over
 * the client random, which with TLS is zero (MS-RDPBCGR 5.5).
 */
static bool verify(const struct worker *w, const struct msg_cookie *m)
{
	static const uint8_t client_random[32];
	uint8_t digest[VERIFIER_SIZE];
	unsigned size = sizeof(digest);

	if (memcmp(m->cookie, no_cookie, COOKIE_SIZE) == 0)
		return false;
	/* whoever gave credentials too comes back to his own session only */
	if (w->question.user[0] && w->question.password[0] &&
	    strcmp(w->question.user, m->user) != 0)
		return false;
	return HMAC(EVP_md5(), m->cookie, COOKIE_SIZE, client_random, sizeof(client_random), digest,
	           &size) &&
	       size == sizeof(digest) && CRYPTO_memcmp(digest, w->verifier, size) == 0;
}

/* What smss knows of the session that a cookie is for. */
static void on_cookie(struct worker *w, const struct msg_cookie *m)
{
	bool right = verify(w, m);

	w->cookie = COOKIE_NONE;
	explicit_bzero(w->verifier, sizeof(w->verifier));
	if (!right) {
		check_credentials(w, &w->question);
		return;
	}
	w->cookie = COOKIE_USED; /* the question stays, should its session just have ended */
	memcpy(w->client.user, m->user, sizeof(w->client.user));
	memcpy(w->client.domain, m->domain, sizeof(w->client.domain));
	memcpy(w->client.cookie, m->cookie, sizeof(w->client.cookie));
	w->client.session = m->session;
	w->client.generation = m->generation;
	proven(w);
}

int logon_painted(struct worker *w, const struct msg_painted *m)
{
	struct msg_painted message = *m;

	if (w->step != WORKER_SESSION || w->painted)
		return -1;
	w->painted = true;
	message.session = w->client.session;
	message.generation = w->client.generation;
	port_header(&message.h, WS_PAINTED, sizeof(message), worker_number(w));
	port_send(w->t->smss, &message.h, -1);
	return 0;
}

/* The user of a session whose winlogon had to ask. */
static void logged_on_at_prompt(struct worker *w, const struct lsa_answer *answer)
{
	struct msg_user m = { .session = w->client.session, .generation = w->client.generation };

	if (answer->status != STATUS_SUCCESS) {
		tell(w, RW_DENIED, answer->status, NULL, -1);
		return;
	}
	memcpy(w->client.user, answer->user, sizeof(w->client.user));
	memcpy(m.user, answer->user, sizeof(m.user));
	port_header(&m.h, WS_LOGON, sizeof(m), 0);
	port_send(w->t->smss, &m.h, -1);
}

/* Whether the password was proven by NLA. Where it was not, the worker goes on with a hash that
   fits nothing, and so ends as for a wrong password. */
static void on_proof(struct worker *w, struct lsa_answer *answer)
{
	if (answer->status != STATUS_SUCCESS)
		outcome_worker(w, REFUSAL_CREDENTIALS, w->proof->user, w->proof->domain);
	forget_proof(w);
	port_header(&answer->h, RW_NTLM_HASH, sizeof(*answer), 0);
	port_send(w->port, &answer->h, -1);
}

/* Whether the password is right. */
static void on_verdict(struct worker *w, const struct lsa_answer *answer)
{
	bool right = answer->status == STATUS_SUCCESS;

	if (!right)
		outcome_worker(w, REFUSAL_CREDENTIALS, w->question.user, w->question.domain);
	explicit_bzero(&w->question, sizeof(w->question));
	if (right && !w->client.domain[0])
		memcpy(w->client.domain, answer->domain, sizeof(w->client.domain));
	if (w->step == WORKER_SESSION) {
		logged_on_at_prompt(w, answer);
	} else if (!right) {
		worker_deny(w, answer->status, END_DENIED);
	} else {
		memcpy(w->client.user, answer->user, sizeof(w->client.user));
		proven(w);
	}
}

int logon_lsass(struct termsrv *t, const PORT_MESSAGE *m, size_t size)
{
	struct lsa_answer answer;
	struct worker *w = worker_of(t, m->message_id);

	if (m->type != LSA_ANSWER || size != sizeof(answer))
		return -1;
	memcpy(&answer, m, sizeof(answer));
	if (t->asked > 0)
		t->asked--;
	if (!w)
		outcome_after(t, m->message_id, answer.status == STATUS_SUCCESS);
	if (w && w->asking && !w->waiting.queued) {
		w->asking = false;
		if (w->proof)
			on_proof(w, &answer);
		else
			on_verdict(w, &answer);
	}
	explicit_bzero(&answer, sizeof(answer));
	ask_next(t);
	return 0;
}

void logon_abandon(struct worker *w)
{
	bool awaited = w->asking && !w->waiting.queued;

	if (awaited && !w->proof)
		outcome_left(w, w->question.user, w->question.domain);
	else if (awaited)
		outcome_left(w, w->proof->user, w->proof->domain);
	else if (w->step == WORKER_HANDSHAKE || w->step == WORKER_LOGON)
		outcome_worker(w, REFUSAL_HANDSHAKE, NULL, NULL);
	fair_remove(&w->t->questions, &w->waiting);
	forget_proof(w);
}

/* What smss is told when it asks. */
static int tell_figures(struct termsrv *t, uint32_t message_id)
{
	struct msg_ts_figures m = t->counted;

	m.waiting = t->queue.count;
	for (uint32_t slot = 0; slot < t->slots_used; slot++)
		m.logons += t->workers[slot] && t->workers[slot]->step >= WORKER_HANDSHAKE &&
		            t->workers[slot]->step < WORKER_SESSION;
	m.warm = t->warm_count;
	port_header(&m.h, TS_FIGURES, sizeof(m), message_id);
	port_send(t->smss, &m.h, -1); /* smss goes on without what cannot be sent */
	return 0;
}

/* Its user has none: one is started, unless that was refused. */
static void no_session(struct worker *w, const struct msg_ws_session *m)
{
	if (w->cookie == COOKIE_USED) { /* it is not good for any other session */
		w->cookie = COOKIE_NONE;
		memset(w->client.user, 0, sizeof(w->client.user));
		w->client.session = NO_SESSION;
		w->step = WORKER_LOGON;
		check_credentials(w, &w->question);
	} else if (m->status == STATUS_SUCCESS && !w->started) {
		start_session(w);
	} else {
		worker_deny(w, m->status, m->reason);
	}
}

/* smss says which session the worker's client has: in answer to WS_CONNECT, or when it was moved
   to another. */
static void on_session(struct worker *w, const struct msg_ws_session *m)
{
	if (w->step != WORKER_CONNECTING && w->step != WORKER_SESSION)
		return;
	if (m->session == NO_SESSION) {
		fd_close(&w->display);
		no_session(w, m);
		return;
	}
	explicit_bzero(&w->question, sizeof(w->question));
	w->cookie = COOKIE_NONE;
	w->client.session = m->session;
	w->client.generation = m->generation;
	if (w->step == WORKER_CONNECTING)
		tell(w, RW_SESSION, STATUS_SUCCESS, m->cookie, w->display);
	else
		tell(w, RW_COOKIE, STATUS_SUCCESS, m->cookie, -1);
	w->step = WORKER_SESSION;
	fair_remove(&w->t->logons, &w->logon);
	fd_close(&w->display);
}

static int started(struct termsrv *t, const SMAPIMSG *reply)
{
	struct worker *w = worker_of(t, reply->h.message_id);

	if (reply->ApiNumber != SmStartCsrApi)
		return 0; /* StopCsr's: nobody waits */
	if (!w || w->step != WORKER_STARTING) {
		if (reply->ReturnedStatus == STATUS_SUCCESS)
			stop_session(t, reply->u.StartCsr.MuSessionId, reply->h.client_view_size);
		return 0;
	}
	if (reply->ReturnedStatus != STATUS_SUCCESS) {
		if (outcome_may_log(t, &w->host))
			log_warn("no session for %s: %s (%s)", w->address,
			    ntstatus_text(reply->ReturnedStatus),
			    ntstatus_name(reply->ReturnedStatus));
		worker_deny(w, reply->ReturnedStatus, END_OUT_OF_MEMORY);
		return 0;
	}
	w->client.session = reply->u.StartCsr.MuSessionId;
	w->client.generation = reply->h.client_view_size;
	connect_session(w);
	return 0;
}

int logon_smss(struct termsrv *t, PORT_MESSAGE *m, size_t size, int *passed)
{
	if (m->type == LPC_REPLY && size == sizeof(SMAPIMSG))
		return started(t, (const SMAPIMSG *)(const void *)m);
	if (m->type == WS_SESSION && size == sizeof(struct msg_ws_session)) {
		struct worker *w = worker_of(t, m->message_id);
		if (w)
			on_session(w, (const void *)m);
		return 0;
	}
	if (m->type == TS_FIGURES && size == sizeof(struct msg_plain))
		return tell_figures(t, m->message_id);
	if (m->type == SM_PING && size == sizeof(struct msg_plain)) {
		port_send(
		    t->nursery, m, -1); /* without it termsrv is of no use: it answers for both */
		return 0;
	}
	if (m->type == TS_CERTIFICATE && size == sizeof(struct msg_plain))
		return *passed < 0 ? -1 : certificate_offered(t, *passed);
	if (m->type == TS_CONFIG && size == sizeof(struct msg_ts_config)) {
		const struct msg_ts_config *config = (const void *)m;
		t->config.KeepAliveEnable = config->KeepAliveEnable;
		t->config.KeepAliveInterval = config->KeepAliveInterval;
		t->config.MaxInstanceCount = config->MaxInstanceCount;
		t->config.LogonPenaltyMax = config->LogonPenaltyMax;
		outcome_configure(t, config->LogonPenaltyExempt);
		return 0;
	}
	if (m->type == WS_COOKIE && size == sizeof(struct msg_cookie)) {
		struct worker *w = worker_of(t, m->message_id);
		if (w && w->cookie == COOKIE_ASKED)
			on_cookie(w, (const void *)m);
		return 0;
	}
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
