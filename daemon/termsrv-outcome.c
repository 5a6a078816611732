/*
 * What becomes of clients that get no session: whoever finds that out says what it is, by a row of
 * REFUSAL_TABLE (messages.h), and all else follows from the row, here and nowhere else: what is
 * counted, what Windows' events say, and what it costs the client's address (penalty.h). lsass logs each failed logon, as it decides each; smss
 * counts what it refuses itself.
 */
#include "log.h"
#include "termsrv.h"

#include <stdio.h>
#include <string.h>

#define STATUS_OF(name, word, text, status) status,
static const int32_t statuses[] = { REFUSAL_TABLE(STATUS_OF) };
#undef STATUS_OF

/* Of one address ten lines, and then one in ten seconds; of all 100, and then five a second. */
static const struct pace_rate line_each = { 10, 10000000 }, line_all = { 100, 200000 };

/* Events of connections: enough for a storm of 1,000 from a load generator, and for 50 a second that go
   on, so that a flood needs half an hour, and not a minute, to fill EventFileMax. */
static const struct pace_rate request_each = { 1000, 20000 }, request_all = { 4000, 5000 };

enum { TELL_SECONDS = 10 };

static void on_tell(int fd, short what, void *argument)
{
	static const char *const of[WS_EVENT_COUNT] = { "connections", "failed logons",
		"addresses that have to wait" };
	struct termsrv *t = argument;

	(void)fd;
	(void)what;
	if (t->lines.refused)
		log_warn("%llu lines about clients were not written: they were too many",
		    (unsigned long long)t->lines.refused);
	if (t->requests.refused)
		log_warn("%llu connections have no event 131: they were too many",
		    (unsigned long long)t->requests.refused);
	t->lines.refused = t->requests.refused = 0;
	for (unsigned i = 0; i < WS_EVENT_COUNT; i++) {
		if (t->lost[i])
			log_warn("events of %llu %s were lost: smss has no time for them",
			    (unsigned long long)t->lost[i], of[i]);
		t->lost[i] = 0;
	}
}

int outcome_init(struct termsrv *t)
{
	t->lines.each = line_each;
	t->lines.all = line_all;
	t->requests.each = request_each;
	t->requests.all = request_all;
	t->penalty = penalty_create(PENALTY_SOURCES);
	t->tell = evtimer_new(t->base, on_tell, t);
	return t->penalty && t->tell ? 0 : -1;
}

/* Something was not written: soon one line says how much. */
static void tell_soon(struct termsrv *t)
{
	const struct timeval in = { .tv_sec = TELL_SECONDS };

	if (!event_pending(t->tell, EV_TIMEOUT, NULL))
		event_add(t->tell, &in);
}

bool outcome_may_log(struct termsrv *t, const struct in6_addr *host)
{
	if (pace_take(&t->lines, host, clock_us()))
		return true;
	tell_soon(t);
	return false;
}

static void send_event(struct termsrv *t, struct msg_ws_event *m)
{
	port_header(&m->h, WS_EVENT, sizeof(*m), 0);
	if (port_send(t->smss, &m->h, -1) == 0)
		return;
	t->lost[m->event]++; /* smss that is busy hears of logons first */
	tell_soon(t);
}

void outcome_request(
    struct termsrv *t, const char *name, const char *address, const struct in6_addr *host)
{
	struct msg_ws_event m = { .event = WS_EVENT_REQUEST };

	if (!pace_take(&t->requests, host, clock_us())) {
		tell_soon(t);
		return;
	}
	snprintf(m.winstation, sizeof(m.winstation), "%s", name);
	snprintf(m.address, sizeof(m.address), "%s", address);
	send_event(t, &m);
}

void outcome_refused(struct termsrv *t, enum refusal cause)
{
	t->counted.refusals[cause]++;
}

void outcome_configure(struct termsrv *t, const char *exempt)
{
	int count = networks_parse(exempt, t->exempt);

	t->exempt_count = count < 0 ? 0 : (size_t)count;
}

bool outcome_exempt(const struct termsrv *t, const struct in6_addr *from)
{
	struct in6_addr address = *from;

	if (IN6_IS_ADDR_LINKLOCAL(from))
		memset(&address.s6_addr[LINK_PLACE], 0, sizeof(uint32_t));
	return networks_hold(t->exempt, t->exempt_count, &address);
}

uint64_t outcome_wait(const struct termsrv *t, const struct in6_addr *from)
{
	if (t->config.LogonPenaltyMax == 0 || outcome_exempt(t, from))
		return 0;
	return penalty_left(t->penalty, from, clock_us());
}

static void tell_penalty(struct termsrv *t, const char address[ADDRESS_SIZE])
{
	struct msg_ws_event m = { .event = WS_EVENT_PENALTY };

	memcpy(m.address, address, sizeof(m.address));
	send_event(t, &m);
}

/* What a failed logon costs the client at FROM, which is ADDRESS as text. */
static void penalize(
    struct termsrv *t, const struct in6_addr *from, const char address[ADDRESS_SIZE])
{
	uint64_t most = (uint64_t)t->config.LogonPenaltyMax * 1000, wait;

	if (most == 0 || outcome_exempt(t, from))
		return;
	wait = penalty_add(t->penalty, from, clock_us(), most);
	if (wait == 0)
		return;
	log_info("%s: too many logons have failed: nobody is let in from there for %llu s", address,
	    (unsigned long long)(wait + 999999) / 1000000);
	tell_penalty(t, address);
}

static void describe(
    const struct worker *w, const char *user, const char *domain, struct msg_ws_event *m)
{
	*m = (struct msg_ws_event){ .event = WS_EVENT_LOGON_FAILED };
	snprintf(m->user, sizeof(m->user), "%s", user ? user : "");
	snprintf(m->domain, sizeof(m->domain), "%s", domain ? domain : "");
	memcpy(m->station, w->client.station, sizeof(m->station));
	memcpy(m->address, w->address, sizeof(m->address));
	memcpy(m->winstation, w->client.winstation, sizeof(m->winstation));
}

/* A refusal of the client at FROM, whom WHO describes. */
static void refused(
    struct termsrv *t, enum refusal cause, const struct in6_addr *from, struct msg_ws_event *who)
{
	outcome_refused(t, cause);
	if (statuses[cause] == 0)
		return;
	who->status = statuses[cause];
	send_event(t, who);
	penalize(t, from, who->address);
}

void outcome_worker(struct worker *w, enum refusal cause, const char *user, const char *domain)
{
	struct msg_ws_event who;

	if (w->refused && w->step != WORKER_SESSION)
		return;
	w->refused = true;
	describe(w, user, domain, &who);
	refused(w->t, cause, &w->from, &who);
}

void outcome_left(struct worker *w, const char *user, const char *domain)
{
	struct termsrv *t = w->t;
	struct left_logon *left = &t->left[t->left_count];

	if (t->left_count == QUESTIONS_MAX)
		return; /* lsass has no more than these */
	t->left_count++;
	left->number = worker_number(w);
	left->counted = w->refused || w->step == WORKER_SESSION;
	left->from = w->from;
	describe(w, user, domain, &left->who);
}

void outcome_after(struct termsrv *t, uint32_t number, bool right)
{
	unsigned i = 0;

	while (i < t->left_count && t->left[i].number != number)
		i++;
	if (i == t->left_count)
		return;
	if (!right)
		refused(t, REFUSAL_CREDENTIALS, &t->left[i].from, &t->left[i].who);
	else if (!t->left[i].counted)
		outcome_refused(t, REFUSAL_HANDSHAKE);
	t->left[i] = t->left[--t->left_count];
}

void outcome_forget(struct termsrv *t)
{
	for (; t->left_count > 0; t->left_count--)
		if (!t->left[t->left_count - 1].counted)
			outcome_refused(t, REFUSAL_HANDSHAKE);
}
