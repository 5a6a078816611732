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

bool outcome_exempt(const struct termsrv *t, const struct in6_addr *host)
{
	return networks_hold(t->exempt, t->exempt_count, host);
}

uint64_t outcome_wait(const struct termsrv *t, const struct in6_addr *host)
{
	if (t->config.LogonPenaltyMax == 0 || outcome_exempt(t, host))
		return 0;
	return penalty_left(t->penalty, host, clock_us());
}

static void tell_penalty(struct worker *w)
{
	struct msg_ws_event m = { .event = WS_EVENT_PENALTY };

	memcpy(m.address, w->address, sizeof(m.address));
	port_header(&m.h, WS_EVENT, sizeof(m), 0);
	port_send(w->t->smss, &m.h, -1);
}

/* What a failed logon costs the worker's client. */
static void penalize(struct worker *w)
{
	const struct termsrv *t = w->t;
	uint64_t most = (uint64_t)t->config.LogonPenaltyMax * 1000, wait;

	if (most == 0 || outcome_exempt(t, &w->host))
		return;
	wait = penalty_add(t->penalty, &w->host, clock_us(), most);
	if (wait == 0)
		return;
	log_info("%s: too many logons have failed: nobody is let in from there for %llu s",
	    w->address, (unsigned long long)(wait + 999999) / 1000000);
	tell_penalty(w);
}

static void tell_failure(struct worker *w, int32_t status, const char *user, const char *domain)
{
	struct msg_ws_event m = { .event = WS_EVENT_LOGON_FAILED, .status = status };

	snprintf(m.user, sizeof(m.user), "%s", user ? user : "");
	snprintf(m.domain, sizeof(m.domain), "%s", domain ? domain : "");
	memcpy(m.station, w->client.station, sizeof(m.station));
	memcpy(m.address, w->address, sizeof(m.address));
	memcpy(m.winstation, w->client.winstation, sizeof(m.winstation));
	port_header(&m.h, WS_EVENT, sizeof(m), 0);
	port_send(w->t->smss, &m.h, -1);
}

void outcome_worker(struct worker *w, enum refusal cause, const char *user, const char *domain)
{
	if (w->refused && w->step != WORKER_SESSION)
		return;
	w->refused = true;
	outcome_refused(w->t, cause);
	if (statuses[cause] != 0) {
		tell_failure(w, statuses[cause], user, domain);
		penalize(w);
	}
}
