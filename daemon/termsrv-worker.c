/*
 * The workers: kept warm ahead of need, given one connection each, ended at its deadline,
 * and forgotten when they end.
 */
#include "log.h"
#include "termsrv.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

uint32_t worker_number(const struct worker *w)
{
	return (uint32_t)w->turn << 16 | w->slot;
}

struct worker *worker_of(struct termsrv *t, uint32_t number)
{
	struct worker *w = (number & 0xffff) < t->slots_used ? t->workers[number & 0xffff] : NULL;

	return w && w->turn == number >> 16 ? w : NULL;
}

static void on_deadline(int fd, short what, void *argument)
{
	struct worker *w = argument;

	(void)fd;
	(void)what;
	if (w->step == WORKER_FRESH)
		log_warn("a worker did not get warm: ended");
	else if (outcome_may_log(w->t, &w->host))
		log_info(
		    "%s did not log on in %u ms: closed", w->address, w->t->config.LogonTimeout);
	if (w->step == WORKER_HANDSHAKE || w->step == WORKER_LOGON)
		outcome_worker(w, REFUSAL_LATE, NULL, NULL);
	worker_destroy(w);
}

/* Its client has not logged on, or was refused. */
static bool is_strangers(const struct worker *w)
{
	return w->step == WORKER_HANDSHAKE || w->step == WORKER_LOGON || w->denied;
}

/* A line for the log: smss gets it as rdpwd's, of the session that it has. */
static int on_line(struct worker *w, struct msg_log *m)
{
	bool has_session = w->step == WORKER_SESSION && !w->denied;

	if (!log_line_valid(m))
		return -1;
	if (!quota_take(&w->lines, LOG_LINES_MAX, LOG_LINES_US, clock_us())) {
		w->unsaid++;
		return w->lines.used < WORKER_LINES_MAX ? 0 : -1;
	}
	if (is_strangers(w) && !outcome_may_log(w->t, &w->host))
		return 0;
	m->owner = LOG_RDPWD;
	m->session = has_session ? w->client.session : NO_SESSION;
	port_header(&m->h, LOG_LINE, sizeof(*m), 0);
	port_send(w->t->smss, &m->h, -1);
	return 0;
}

static int on_message(struct worker *w, PORT_MESSAGE *m, size_t size)
{
	struct termsrv *t = w->t;

	if (m->type == RW_READY && size == sizeof(struct msg_plain) && w->step == WORKER_FRESH) {
		TAILQ_REMOVE(&t->fresh, w, entry);
		t->fresh_count--;
		w->step = WORKER_WARM;
		event_del(w->deadline);
		TAILQ_INSERT_TAIL(&t->warm, w, entry);
		t->warm_count++;
		worker_dispatch(t);
		return 0;
	}
	if (m->type == RW_NTLM && size == sizeof(struct lsa_ntlm))
		return logon_hash(w, (const void *)m);
	if (m->type == RW_LOGON && size == sizeof(struct msg_rw_logon))
		return logon_request(w, (const void *)m);
	if (m->type == RW_PAINTED && size == sizeof(struct msg_painted))
		return logon_painted(w, (const void *)m);
	if (m->type == LOG_LINE && size == sizeof(struct msg_log))
		return on_line(w, (void *)m);
	return -1;
}

static void on_readable(int port, short what, void *argument)
{
	struct worker *w = argument;
	union {
		PORT_MESSAGE h;
		struct lsa_ntlm largest;
	} m;
	ssize_t got = port_receive(port, &m, sizeof(m), NULL);

	(void)what;
	if (got < 0 && errno == EAGAIN)
		return;
	if (got > 0 && on_message(w, &m.h, (size_t)got) == 0) {
		explicit_bzero(&m, sizeof(m));
		return;
	}
	if (got > 0 && outcome_may_log(w->t, &w->host))
		log_warn("rdpwd %d of %s sent message 0x%x, which is not its to send: ended",
		    w->pid, w->address, m.h.type);
	explicit_bzero(&m, sizeof(m));
	worker_destroy(w);
}

static uint32_t free_slot(struct termsrv *t)
{
	uint32_t slot = 0;

	while (slot < WORKERS_MAX && t->workers[slot])
		slot++;
	return slot;
}

/* Forgets it, and ends its process. */
static void worker_free(struct worker *w)
{
	struct termsrv *t = w->t;

	if (w->step == WORKER_FRESH) {
		TAILQ_REMOVE(&t->fresh, w, entry);
		t->fresh_count--;
	} else if (w->step == WORKER_WARM) {
		TAILQ_REMOVE(&t->warm, w, entry);
		t->warm_count--;
	}
	logon_abandon(w);
	fair_remove(&t->logons, &w->logon);
	if (w->unsaid > 0)
		log_warn("%u lines of rdpwd %d of %s were not written: they were too many",
		    w->unsaid, w->pid, w->address);
	if (w->pid > 0)
		kill(w->pid, SIGKILL); /* ours until it is reaped: no other has its number */
	if (w->readable)
		event_free(w->readable);
	if (w->deadline)
		event_free(w->deadline);
	fd_close(&w->port);
	fd_close(&w->display);
	t->workers[w->slot] = NULL;
	explicit_bzero(w, sizeof(*w));
	free(w);
}

/* Asks for one worker. 0, or -1 where none can be had now. */
static int request_worker(struct termsrv *t)
{
	uint32_t slot = free_slot(t);
	struct worker *w = slot < WORKERS_MAX ? calloc(1, sizeof(*w)) : NULL;
	struct timeval limit = { .tv_sec = 30 };
	struct msg_plain m;
	int pair[2];

	if (!w)
		return -1;
	if (port_pair(pair) < 0) {
		free(w);
		return -1;
	}
	w->t = t;
	w->slot = slot;
	w->turn = ++t->turns[slot];
	w->port = pair[0];
	w->display = -1;
	w->client.session = NO_SESSION;
	snprintf(w->address, sizeof(w->address), "nobody");
	t->workers[slot] = w;
	if (slot >= t->slots_used)
		t->slots_used = slot + 1;
	TAILQ_INSERT_TAIL(&t->fresh, w, entry);
	t->fresh_count++;
	w->readable = event_new(t->base, w->port, EV_READ | EV_PERSIST, on_readable, w);
	w->deadline = evtimer_new(t->base, on_deadline, w);
	port_header(&m.h, RW_READY, sizeof(m), worker_number(w));
	if (!w->readable || !w->deadline || event_add(w->readable, NULL) < 0 ||
	    event_add(w->deadline, &limit) < 0 || port_send(t->nursery, &m.h, pair[1]) < 0) {
		close(pair[1]);
		worker_free(w);
		return -1;
	}
	close(pair[1]);
	t->births_asked++;
	return 0;
}

/* The next try is a while off: what is lacking now is lacking then without a pause. */
static void refill_later(struct termsrv *t)
{
	struct timeval in = { .tv_usec = RETRY_US };

	if (!event_pending(t->refill, EV_TIMEOUT, NULL))
		event_add(t->refill, &in);
}

void worker_refill(struct termsrv *t)
{
	if (event_pending(t->refill, EV_TIMEOUT, NULL))
		return;
	while (t->warm_count + t->fresh_count < WARM_WORKERS)
		if (request_worker(t) < 0) {
			refill_later(t);
			return;
		}
}

void worker_born(struct termsrv *t, uint32_t number, pid_t pid, int error)
{
	struct worker *w = worker_of(t, number);

	t->births_told++;
	if (!w)
		return; /* it has ended; so will its process, whose port is closed */
	if (pid > 0) {
		w->pid = pid;
		return;
	}
	if (quota_take(&t->failure_lines, 1, LINE_US, clock_us())) /* one line a second says it */
		log_warn("cannot make a worker: %s", strerror(error));
	worker_destroy(w);
}

void worker_replace_warm(struct termsrv *t)
{
	for (uint32_t slot = 0; slot < t->slots_used; slot++) {
		struct worker *w = t->workers[slot];
		/* the nursery answers in order: of those forked since, none is born yet */
		if (w && w->step <= WORKER_WARM && w->pid > 0)
			worker_free(w);
	}
	worker_refill(t);
}

void worker_destroy(struct worker *w)
{
	struct termsrv *t = w->t;

	if (w->step == WORKER_FRESH) /* it could not be made, or did not get warm */
		refill_later(t);
	worker_free(w);
	worker_dispatch(t);
}

/* NULL where it is nobody's: its worker was forgotten, or the nursery has not told whose it is. */
static struct worker *worker_of_process(struct termsrv *t, pid_t pid)
{
	for (uint32_t slot = 0; slot < t->slots_used; slot++)
		if (t->workers[slot] && t->workers[slot]->pid == pid)
			return t->workers[slot];
	return NULL;
}

bool worker_may_be_reaped(struct termsrv *t, pid_t pid)
{
	if (worker_of_process(t, pid)) {
		t->awaits_told = false; /* the next one that is not known is another's end */
		return true;
	}
	if (!t->awaits_told) /* it was made before now */
		t->await_told = t->births_asked;
	t->awaits_told = (int32_t)(t->births_told - t->await_told) < 0;
	return !t->awaits_told;
}

/* Why it could not get warm. */
static void hear_out(struct worker *w)
{
	struct msg_log m;

	while (port_receive(w->port, &m, sizeof(m), NULL) > 0)
		if (m.h.type == LOG_LINE && m.h.total_length == sizeof(m))
			on_line(w, &m);
}

void worker_reaped(struct termsrv *t, pid_t pid, int wait_status)
{
	struct worker *w = worker_of_process(t, pid);

	if (w) {
		if (WIFSIGNALED(wait_status))
			log_warn("rdpwd %d of %s was ended by signal %d", pid, w->address,
			    WTERMSIG(wait_status));
		w->pid = 0;
		/* with a client: what it said last is read yet, and then its port's end */
		if (w->step < WORKER_HANDSHAKE) {
			hear_out(w);
			worker_destroy(w);
		}
		return;
	}
	/* its port's end was read first; SIGKILL is what it got then */
	if (WIFSIGNALED(wait_status) && WTERMSIG(wait_status) != SIGKILL)
		log_warn("rdpwd %d was ended by signal %d", pid, WTERMSIG(wait_status));
}

/* It tells its client and ends; a moment later it is made to. */
void worker_deny(struct worker *w, int32_t status, enum end_reason reason)
{
	struct msg_rw_session m = { .session = NO_SESSION, .status = status, .reason = reason };
	struct timeval limit = { .tv_sec = 5 };

	w->step = WORKER_SESSION;
	w->denied = true;
	port_header(&m.h, RW_DENIED, sizeof(m), 0);
	if (port_send(w->port, &m.h, -1) < 0)
		worker_destroy(w);
	else
		event_add(w->deadline, &limit);
}

/* The processor time that PID has used, in ns; 0 where it is gone. */
static uint64_t processor_time(pid_t pid)
{
	struct timespec used = { 0 };
	clockid_t clock;

	if (pid > 0 && clock_getcpuclockid(pid, &clock) == 0)
		clock_gettime(clock, &used);
	return (uint64_t)used.tv_sec * 1000000000 + (uint64_t)used.tv_nsec;
}

static void look_at(struct worker *w, uint64_t now)
{
	uint64_t used = processor_time(w->pid);

	w->idle = used == w->used;
	w->used = used;
	w->looked = now;
}

/* Its handshake is under way, and not just waiting for the client. */
static bool is_busy(struct worker *w, uint64_t now)
{
	if (w->step < WORKER_HANDSHAKE || w->step >= WORKER_SESSION)
		return false;
	if (w->asking)
		return true; /* however long: what waits for lsass is work that others wait behind */
	if (now - w->handed >= STALLED_US)
		return false;
	if (w->step > WORKER_HANDSHAKE)
		return true; /* smss is */
	if (now - w->looked >= IDLE_US)
		look_at(w, now);
	return !w->idle;
}

/* The handshakes that are under way. Returns how many HOSTS were filled in. */
static unsigned busy_handshakes(struct termsrv *t, struct in6_addr *hosts)
{
	uint64_t now = clock_us();
	unsigned busy = 0;

	for (uint32_t slot = 0; slot < t->slots_used && busy < HANDSHAKES_MAX; slot++)
		if (t->workers[slot] && is_busy(t->workers[slot], now))
			hosts[busy++] = t->workers[slot]->host;
	return busy;
}

static unsigned count_host(
    const struct in6_addr *hosts, unsigned count, const struct in6_addr *host)
{
	unsigned found = 0;

	for (unsigned i = 0; i < count; i++)
		found += IN6_ARE_ADDR_EQUAL(&hosts[i], host);
	return found;
}

/* The connection that is served next: that whose address has its turn; but where that has its share of the
   handshakes already, of another that has not. NULL where none may be: an address that has its share of the
   workers without a logon waits for these. */
static struct connection *next_connection(struct termsrv *t)
{
	struct in6_addr hosts[HANDSHAKES_MAX];
	unsigned count = busy_handshakes(t, hosts);
	struct connection *c, *full = NULL;
	struct fair_node *place;

	if (count >= HANDSHAKES_MAX)
		return NULL;
	for (place = fair_first(&t->queue); place; place = fair_next(place)) {
		c = connection_at(place);
		if (!fair_has_room(&t->logons, &c->host, LOGONS_MAX))
			continue;
		if (count_host(hosts, count, &c->host) < HOST_HANDSHAKES_MAX)
			return c;
		if (!full)
			full = c;
	}
	return full;
}

/* The time that the client has left of the whole until logon; its stay in the queue was
   not its fault. */
static uint64_t time_left(const struct connection *c)
{
	uint64_t whole = (uint64_t)c->t->config.LogonTimeout * 1000;
	uint64_t used = c->requested - c->accepted;

	return used < whole ? whole - used : 1;
}

static int hand_over(struct worker *w, struct connection *c)
{
	struct termsrv *t = w->t;
	struct msg_rw_client m = { 0 };
	uint64_t left = time_left(c);
	struct timeval limit = { .tv_sec = (time_t)(left / 1000000),
		.tv_usec = (suseconds_t)(left % 1000000) };
	int one = 1;

	setsockopt(c->socket, SOL_SOCKET, SO_RCVLOWAT, &one, sizeof(one));
	TAILQ_REMOVE(&t->warm, w, entry);
	t->warm_count--;
	w->step = WORKER_HANDSHAKE;
	w->handed = clock_us();
	look_at(w, w->handed);
	w->idle = false;
	memcpy(w->address, c->address, sizeof(w->address));
	w->from = c->from;
	w->host = c->host;
	fair_push(&t->logons, &w->logon, &w->host);
	memcpy(w->client.winstation, c->name, sizeof(w->client.winstation));
	w->client.phase[PHASE_ACCEPT] = c->accepted;
	w->client.phase[PHASE_REQUEST] = c->requested;
	m.deadline = w->handed + left;
	memcpy(m.address, c->address, sizeof(m.address));
	port_header(&m.h, RW_CLIENT, sizeof(m), 0);
	event_add(w->deadline, &limit);
	return port_send(w->port, &m.h, c->socket);
}

void worker_dispatch(struct termsrv *t)
{
	struct timeval soon = { .tv_usec = IDLE_US };
	struct connection *c;
	struct worker *w;

	while (t->queue.count > 0 && (w = TAILQ_FIRST(&t->warm))) {
		c = next_connection(t);
		if (!c) {
			event_add(t->resume, &soon);
			break;
		}
		fair_take(&t->queue, &c->place);
		if (outcome_wait(t, &c->from) > 0) {
			connection_keep_out(t, c->address);
			connection_destroy(c);
			continue;
		}
		if (connection_left(c))
			outcome_refused(t, REFUSAL_HANDSHAKE);
		else if (hand_over(w, c) < 0)
			log_warn("%s: its worker is gone: closed", c->address);
		connection_destroy(c);
	}
	worker_refill(t);
}
