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

void outcome_request(struct termsrv *t, const char *name, const char *address)
{
	struct msg_ws_event m = { .event = WS_EVENT_REQUEST };

	snprintf(m.winstation, sizeof(m.winstation), "%s", name);
	snprintf(m.address, sizeof(m.address), "%s", address);
	port_header(&m.h, WS_EVENT, sizeof(m), 0);
	port_send(t->smss, &m.h, -1); /* smss that is busy hears of logons first */
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
	port_header(&m.h, WS_EVENT, sizeof(m), 0);
	port_send(t->smss, &m.h, -1);
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
	port_header(&who->h, WS_EVENT, sizeof(*who), 0);
	port_send(t->smss, &who->h, -1);
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
