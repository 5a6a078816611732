/*
 * Fuzzer of termsrv's workers and logons, on fuzz-io.c, with events in memory as well: workers, which
 * strangers may have taken over, say anything; the nursery, lsass and smss, which are believed, answer, or
 * do not; clients come, deadlines pass.
 *
 * What has to hold: nobody comes to a session but whom lsass found right, or who has its cookie; a worker
 * asks for few passwords; lsass has few questions; a session that was started is somebody's, or is
 * stopped; no descriptor is forgotten.
 */
#include "fuzz-io.h"
#include "termsrv.h"

#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SLOTS = 64, QUESTIONS = 2, PROOFS = 1 };

/* What is known of the worker in a slot. */
struct known {
	uint32_t number;
	unsigned proofs, passwords;
	char right[USER_SIZE]; /* the user that lsass, or a cookie, answered for */
	bool starts;           /* StartCsr is not answered */
	uint32_t session;      /* that was started for it */
	bool connects, asks_cookie;
};

static struct termsrv t;
static struct worker *workers[WORKERS_MAX];
static uint16_t turns[WORKERS_MAX];
static struct known known[SLOTS];
static uint32_t questions[QUESTIONS]; /* that lsass has */
static unsigned question_count;
static uint32_t last_session; /* that was started */
static bool pairs_fail;
static bool accounted; /* it is somebody's, or stopped */

/* ---- events ---- */

struct event {
	event_callback_fn callback;
	void *argument;
	bool pending;
};

struct event *__wrap_event_new(
    struct event_base *base, evutil_socket_t fd, short what, event_callback_fn f, void *argument);
struct event *__wrap_event_new(
    struct event_base *base, evutil_socket_t fd, short what, event_callback_fn f, void *argument)
{
	struct event *event = calloc(1, sizeof(*event));

	(void)base;
	(void)fd;
	(void)what;
	io_must(event != NULL, "no memory");
	event->callback = f;
	event->argument = argument;
	return event;
}

void __wrap_event_free(struct event *event);
void __wrap_event_free(struct event *event)
{
	free(event);
}

int __wrap_event_add(struct event *event, const struct timeval *limit);
int __wrap_event_add(struct event *event, const struct timeval *limit)
{
	(void)limit;
	event->pending = true;
	return 0;
}

int __wrap_event_del(struct event *event);
int __wrap_event_del(struct event *event)
{
	event->pending = false;
	return 0;
}

int __wrap_event_pending(const struct event *event, short what, struct timeval *at);
int __wrap_event_pending(const struct event *event, short what, struct timeval *at)
{
	(void)what;
	(void)at;
	return event->pending;
}

/* ---- other calls ---- */

int __wrap_port_pair(int pair[2]);
int __wrap_port_pair(int pair[2])
{
	errno = EMFILE;
	if (pairs_fail)
		return -1;
	pair[0] = io_open();
	pair[1] = io_open();
	return 0;
}

int __wrap_kill(pid_t pid, int number);
int __wrap_kill(pid_t pid, int number)
{
	io_must(pid > 1 && number == SIGKILL, "somebody else is killed");
	return 0;
}

int __wrap_clock_getcpuclockid(pid_t pid, clockid_t *clock);
int __wrap_clock_getcpuclockid(pid_t pid, clockid_t *clock)
{
	(void)pid;
	(void)clock;
	return ESRCH;
}

void connection_destroy(struct connection *c)
{
	fair_remove(&c->t->queue, &c->place);
	fd_close(&c->socket);
	free(c);
}

struct connection *connection_at(struct fair_node *place)
{
	return (void *)((char *)place - offsetof(struct connection, place));
}

bool connection_left(const struct connection *c)
{
	return c->accepted % 16 == 0;
}

void connection_keep_out(struct termsrv *termsrv, const char *address)
{
	(void)termsrv;
	(void)address;
}

int certificate_offered(struct termsrv *termsrv, int fd)
{
	(void)termsrv;
	(void)fd;
	return 0;
}

/* ---- what termsrv says ---- */

/* What is known of the worker of that number. */
static struct known *find(uint32_t number)
{
	struct known *k = &known[(number & 0xffff) % SLOTS];

	if (k->number != number)
		*k = (struct known){ .number = number, .session = NO_SESSION };
	return k;
}

static void to_lsass(const PORT_MESSAGE *h)
{
	struct known *k = find(h->message_id);

	io_must(question_count < QUESTIONS, "lsass has too many questions");
	questions[question_count++] = h->message_id;
	if (h->type == LSA_NTLM)
		io_must(++k->proofs <= PROOFS, "a worker tries proofs");
	else
		io_must(h->type == LSA_LOGON && ++k->passwords <= 2 + PROMPT_TRIES,
		    "a worker tries passwords");
}

static void connect_client(const struct msg_client *m, int passed)
{
	struct known *k = find(m->h.message_id);

	io_must(passed >= 0, "there is no port");
	io_must(m->user[0] ? strcmp(m->user, k->right) == 0
	                   : m->session != NO_SESSION && m->session == k->session,
	    "somebody comes to a session who was not found right");
	accounted = accounted || m->session == last_session;
	k->connects = true;
}

static void to_smss(const PORT_MESSAGE *h, int passed)
{
	const SMAPIMSG *call = (const void *)h;

	if (h->type == WS_CONNECT) {
		connect_client((const void *)h, passed);
	} else if (h->type == LPC_REQUEST && call->ApiNumber == SmStartCsrApi) {
		io_must(!find(h->message_id)->starts, "two sessions are started for one");
		find(h->message_id)->starts = true;
	} else if (h->type == LPC_REQUEST) {
		accounted = accounted || call->u.StopCsr.MuSessionId == last_session;
	} else if (h->type == WS_COOKIE) {
		find(h->message_id)->asks_cookie = true;
	} else if (h->type == WS_LOGON) {
		const struct msg_user *m = (const void *)h;
		bool right = false;
		for (int i = 0; i < SLOTS; i++)
			right = right || strcmp(m->user, known[i].right) == 0;
		io_must(m->user[0] && right, "somebody logs on who was not found right");
	} else if (h->type == WS_EVENT) {
		const struct msg_ws_event *m = (const void *)h;
		io_must(port_text_valid(m->user, sizeof(m->user)) &&
		            port_text_valid(m->domain, sizeof(m->domain)) &&
		            port_text_valid(m->station, sizeof(m->station)),
		    "smss is told what is no text");
	} else {
		io_must(h->type == WS_PAINTED || h->type == TS_FIGURES, "smss is told more");
	}
}

void fuzz_sent(int fd, const void *bytes, size_t size, int passed)
{
	(void)size;
	if (fd == t.lsass)
		to_lsass(bytes);
	else if (fd == t.smss)
		to_smss(bytes, passed);
}

void fuzz_took(int fd, const void *bytes, size_t size)
{
	(void)fd;
	(void)bytes;
	(void)size;
}

void fuzz_check(void)
{
}

void fuzz_act(const struct pollfd *p, nfds_t count)
{
	(void)p;
	(void)count;
}

/* ---- what happens ---- */

/* A worker, or NULL where there is none. */
static struct worker *some_worker(void)
{
	uint8_t first = io_take();

	for (uint32_t i = 0; i < t.slots_used; i++)
		if (workers[(first + i) % t.slots_used])
			return workers[(first + i) % t.slots_used];
	return NULL;
}

static void say_logon(const struct worker *w)
{
	struct msg_rw_logon m = { .width = 800, .height = 600 };
	uint8_t flags = io_take();

	m.session = flags & 1 ? w->client.session : NO_SESSION;
	m.has_cookie = flags & 2;
	m.logon_id = 7;
	m.unusable = flags & 4;
	if (flags & 8) {
		io_take_text(m.user, sizeof(m.user));
		m.password[0] = 'p';
	}
	if (flags & 16)
		io_take_bytes(m.station, sizeof(m.station));
	if ((flags & 0xe0) == 0xe0)
		m.width = io_take();
	port_header(&m.h, RW_LOGON, sizeof(m), 0);
	io_say(w->port, &m, sizeof(m), -1);
}

static void say_proof(const struct worker *w)
{
	static struct lsa_ntlm m;
	uint8_t odd = io_take();

	memset(&m, 0, sizeof(m));
	io_take_text(m.user, sizeof(m.user));
	m.blob_size = odd & 1 ? io_take_number() : 16;
	if (odd & 2)
		io_take_bytes(m.domain, sizeof(m.domain));
	port_header(&m.h, RW_NTLM, sizeof(m), 0);
	io_say(w->port, &m, sizeof(m), -1);
}

static void worker_acts(void)
{
	struct worker *w = some_worker();
	struct msg_painted painted = { .session = io_take() };
	struct msg_plain plain;
	uint8_t kind = io_take();

	if (!w)
		return;
	if (kind % 8 < 2 || w->step == WORKER_FRESH) {
		port_header(&plain.h, RW_READY, sizeof(plain), 0);
		io_say(w->port, &plain, sizeof(plain), -1);
	} else if (kind % 8 < 5) {
		say_logon(w);
	} else if (kind % 8 == 5) {
		say_proof(w);
	} else if (kind % 8 == 6) {
		port_header(
		    &painted.h, kind & 64 ? RW_PAINTED : io_take() + RW_READY, sizeof(painted), 0);
		io_say(w->port, &painted, sizeof(painted), -1);
	} else if (kind & 8) {
		io_set_room(w->port, kind >> 4 & 1);
		return;
	} else {
		io_end(w->port);
	}
	w->readable->callback(w->port, EV_READ, w->readable->argument);
}

static void client_comes(void)
{
	struct connection *c = calloc(1, sizeof(*c));
	uint8_t host = io_take();

	io_must(c != NULL, "no memory");
	c->t = &t;
	c->socket = io_open();
	c->requested = c->accepted = io_now;
	c->from.s6_addr[0] = 0x20;
	c->from.s6_addr[3] = host % 4;
	c->host = penalty_source(&c->from);
	snprintf(c->address, sizeof(c->address), "[20::%u]:1", host);
	fair_push(&t.queue, &c->place, &c->host);
	worker_dispatch(&t);
}

static void lsass_answers(void)
{
	struct lsa_answer m = { .status = io_take() & 1 ? STATUS_LOGON_FAILURE : STATUS_SUCCESS };
	unsigned which = io_take() % QUESTIONS;
	uint32_t number;

	if (t.lsass < 0 || question_count == 0)
		return;
	which = which < question_count ? which : 0;
	number = questions[which];
	questions[which] = questions[--question_count];
	io_take_text(m.user, sizeof(m.user));
	m.user[0] = m.user[0] ? m.user[0] : 'u';
	if (m.status == STATUS_SUCCESS)
		memcpy(find(number)->right, m.user, sizeof(m.user));
	port_header(&m.h, LSA_ANSWER, sizeof(m), number);
	io_must(logon_lsass(&t, &m.h, sizeof(m)) == 0, "lsass is not believed");
}

static void answer_start(struct known *k)
{
	SMAPIMSG m = { .ApiNumber = SmStartCsrApi };
	int passed = -1;

	port_header(&m.h, LPC_REPLY, sizeof(m), k->number);
	m.h.client_view_size = 5;
	m.ReturnedStatus = io_take() & 1 ? STATUS_NO_MEMORY : STATUS_SUCCESS;
	accounted = true;
	if (m.ReturnedStatus == STATUS_SUCCESS) {
		m.u.StartCsr.MuSessionId = k->session = ++last_session;
		accounted = false;
	}
	k->starts = false;
	io_must(logon_smss(&t, &m.h, sizeof(m), &passed) == 0, "smss is not believed");
	io_must(accounted || io_has_ended(t.smss), "a session was started for nobody");
}

static void smss_answers(void)
{
	struct known *k = &known[io_take() % SLOTS];
	struct msg_ws_session session = { .status = STATUS_SUCCESS };
	struct msg_cookie cookie = { .session = 7 };
	uint8_t kind = io_take();
	int passed = -1;

	for (int i = 0; i < SLOTS && !k->starts && !k->connects && !k->asks_cookie; i++)
		k = &known[i];
	if (k->starts) {
		answer_start(k);
	} else if (k->connects) {
		k->connects = false;
		session.session = kind & 1 ? NO_SESSION : 9;
		session.status = kind & 2 ? STATUS_ACCESS_DENIED : STATUS_SUCCESS;
		port_header(&session.h, WS_SESSION, sizeof(session), k->number);
		logon_smss(&t, &session.h, sizeof(session), &passed);
	} else if (k->asks_cookie) {
		k->asks_cookie = false;
		io_take_text(cookie.user, sizeof(cookie.user));
		cookie.user[0] = cookie.user[0] ? cookie.user[0] : 'u';
		cookie.cookie[0] = kind & 1; /* zero: there is none */
		if (kind & 1)
			memcpy(k->right, cookie.user, sizeof(k->right));
		port_header(&cookie.h, WS_COOKIE, sizeof(cookie), k->number);
		logon_smss(&t, &cookie.h, sizeof(cookie), &passed);
	}
}

static void new_lsass(void)
{
	struct msg_plain m;
	int passed = io_open();

	port_header(&m.h, TS_LSASS, sizeof(m), 0);
	question_count = 0; /* those of before are asked again */
	for (int i = 0; i < SLOTS; i++)
		known[i].proofs = known[i].passwords = 0;
	io_must(logon_smss(&t, &m.h, sizeof(m), &passed) == 0, "smss is not believed");
	logon_ask_again(&t);
}

static void passes(void)
{
	struct worker *w = some_worker();
	uint8_t kind = io_take();

	io_now += kind * UINT64_C(20000);
	pairs_fail = (kind & 0xf0) == 0xf0;
	if (kind & 1)
		t.refill->pending = false;
	if ((kind & 6) == 6 && w && w->deadline->pending) {
		w->deadline->pending = false;
		w->deadline->callback(-1, EV_TIMEOUT, w->deadline->argument);
	} else if ((kind & 6) == 4 && w && w->pid == 0 && w->step <= WORKER_WARM) {
		worker_born(&t, worker_number(w), kind & 8 ? -1 : 100 + (pid_t)w->slot, EAGAIN);
	} else {
		worker_dispatch(&t);
	}
}

/* ---- what holds after each ---- */

static void check(void)
{
	unsigned held = 3 + t.queue.count;

	for (uint32_t slot = 0; slot < t.slots_used; slot++)
		if (workers[slot])
			held +=
			    (workers[slot]->port >= 0) + (unsigned)(workers[slot]->display >= 0);
	io_must(held == io_held_count(), "a descriptor was forgotten");
	io_must(t.asked == question_count, "questions are counted wrongly");
}

static void begin(void)
{
	memset(&t, 0, sizeof(t));
	memset(workers, 0, sizeof(*workers) * SLOTS);
	memset(turns, 0, sizeof(*turns) * SLOTS);
	memset(known, 0, sizeof(known));
	pairs_fail = false;
	question_count = 0;
	last_session = 100;
	t.config.LogonTimeout = 60000;
	t.config.MaxInstanceCount = 16;
	t.config.LogonPenaltyMax = io_take() & 1 ? 60000 : 0;
	t.smss = io_open();
	t.lsass = io_open();
	t.nursery = io_open();
	t.workers = workers;
	t.turns = turns;
	fair_init(&t.queue);
	fair_init(&t.logons);
	TAILQ_INIT(&t.warm);
	TAILQ_INIT(&t.fresh);
	fair_init(&t.questions);
	t.penalty = penalty_create(64);
	t.refill = __wrap_event_new(NULL, -1, 0, NULL, NULL);
	t.resume = __wrap_event_new(NULL, -1, 0, NULL, NULL);
	t.tell = __wrap_event_new(NULL, -1, 0, NULL, NULL);
	worker_refill(&t);
}

static void finish(void)
{
	while (t.queue.count > 0)
		connection_destroy(connection_at(fair_first(&t.queue)));
	t.refill->pending = true; /* no more of them */
	for (uint32_t slot = 0; slot < t.slots_used; slot++)
		if (workers[slot])
			worker_destroy(workers[slot]);
	penalty_destroy(t.penalty);
	free(t.refill);
	free(t.resume);
	free(t.tell);
	io_finish();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	io_begin(data, size);
	begin();
	while (io_left() > 0 && t.slots_used < SLOTS) {
		switch (io_take() % 8) {
		case 0:
		case 1:
		case 2:
			worker_acts();
			break;
		case 3:
			client_comes();
			break;
		case 4:
			lsass_answers();
			break;
		case 5:
			smss_answers();
			break;
		case 6:
			passes();
			break;
		default:
			if (io_take() % 8 == 0)
				new_lsass();
		}
		check();
	}
	finish();
	return 0;
}
