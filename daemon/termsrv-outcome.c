/*
 * What becomes of clients that get no session: whoever finds that out says what it is, by a row of
 * REFUSAL_TABLE (messages.h), and all else follows from the row, here and nowhere else: what is
 * counted, and what Windows' events say. lsass logs each failed logon, as it decides each; smss
 * counts what it refuses itself.
 */
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
	if (statuses[cause] != 0)
		tell_failure(w, statuses[cause], user, domain);
}
