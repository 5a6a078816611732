/*
 * Whose turn it is to be created, and the pool.
 *
 *   in flight   sessions that are being created: one, or as many as there are processors and
 *               at least four (SessionCreation); whoever comes beyond waits in a queue, in
 *               order, and whoever comes while others wait waits behind them
 *   pool        idle sessions made ahead, up to POOL_SIZE: a StartCsr takes one, or one that
 *               is just being made; it is filled while no StartCsr waits or is in flight, a
 *               little after the last one, and more slowly where creation fails
 */
#include "log.h"
#include "probe.h"
#include "smss.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	PARALLEL_MIN = 4,
	REFILL_MS = 100, /* after the last StartCsr: not in the way of its logon */
	PAUSE_MIN_MS = 2000,
	PAUSE_MAX_MS = 60000,
};

/* ---- turns ---- */

static bool full(const struct smss *smss)
{
	return smss->in_flight >= smss->in_flight_max;
}

/* Whether CALL can be given a session without one being begun. */
static bool idle_will_do(const struct smss *smss, const SMAPIMSG *call)
{
	return smss->pooled_count > 0 && call->u.StartCsr.InitialCommandLength == 0 &&
	       !smss->config->Execute[0];
}

/* The call whose turn it is, while it is being made. */
static const struct call *turn;

bool start_must_wait(const struct smss *smss, const SMAPIMSG *call)
{
	if (!turn && !TAILQ_EMPTY(&smss->starts))
		return true;
	if (!turn && table_used(smss) >= smss->config->MaxInstanceCount)
		return true; /* it is refused in start_enqueue */
	return full(smss) && !idle_will_do(smss, call);
}

/* All sessions that there may be are somebody's, or promised to who waits. */
static bool all_taken(const struct smss *smss)
{
	return table_used(smss) + smss->queued_starts >= smss->config->MaxInstanceCount;
}

int32_t start_enqueue(struct smss *smss, struct client *client, const SMAPIMSG *call)
{
	struct call *kept;

	smss->start_full = all_taken(smss);
	if (smss->start_full)
		return STATUS_NO_MEMORY;
	kept = call_keep(client, &call->h, sizeof(*call), -1);
	if (!kept)
		return STATUS_NO_MEMORY;
	TAILQ_INSERT_TAIL(&smss->starts, kept, entry);
	smss->queued_starts++;
	return STATUS_PENDING;
}

/* Makes the calls whose turn has come: each is kept a second time where it goes on. */
static void on_turn(int fd, short what, void *argument)
{
	struct smss *smss = argument;
	struct call *call;

	(void)fd;
	(void)what;
	while ((call = TAILQ_FIRST(&smss->starts)) &&
	       (!full(smss) || idle_will_do(smss, &call->m.sm))) {
		SMAPIMSG message = call->m.sm;
		int32_t status;

		TAILQ_REMOVE(&smss->starts, call, entry);
		smss->queued_starts--;
		turn = call;
		status =
		    SmpStartCsr(&message, call->client, call->client ? call->client->port : -1);
		turn = NULL;
		if (status == STATUS_PENDING) {
			call_drop(call);
			continue;
		}
		call->m.sm = message;
		call_answer(call, status);
	}
	start_refill(smss);
}

static void next_turn(struct smss *smss)
{
	const struct timeval now = { 0 };

	if (smss->start_event && !event_pending(smss->start_event, EV_TIMEOUT, NULL))
		event_add(smss->start_event, &now);
}

void start_began(struct session *session)
{
	session->in_flight = true;
	session->smss->in_flight++;
}

void start_done(struct session *session)
{
	if (!session->in_flight)
		return;
	session->in_flight = false;
	session->smss->in_flight--;
	next_turn(session->smss);
}

void start_forget(struct smss *smss, const struct client *client)
{
	struct call *call, *next;

	for (call = TAILQ_FIRST(&smss->starts); call; call = next) {
		next = TAILQ_NEXT(call, entry);
		if (call->client != client)
			continue;
		TAILQ_REMOVE(&smss->starts, call, entry);
		smss->queued_starts--;
		call_drop(call);
	}
}

/* ---- the pool ---- */

struct session *start_take_idle(struct smss *smss)
{
	struct session *best = NULL;

	for (uint32_t slot = 0; slot < smss->capacity && smss->pooled_count > 0; slot++) {
		struct session *s = smss->slots[slot];
		if (!s || !s->pooled || s->step == SESSION_ENDING)
			continue;
		if (!best || s->step > best->step ||
		    (s->step == best->step && s->generation < best->generation))
			best = s;
	}
	smss->last_start = clock_us();
	if (smss->pool_pause == 0) /* else it comes when it is due */
		event_del(smss->pool_event);
	start_refill(smss);
	if (!best) {
		smss->stats.pool_misses++;
		return NULL;
	}
	best->pooled = false; /* on record with who gets it */
	smss->pooled_count--;
	smss->stats.pool_hits++;
	memset(best->info.phase, 0, sizeof(best->info.phase));
	best->info.phase[PHASE_START_CSR] = clock_us();
	best->info.started = (uint64_t)time(NULL);
	PROBE_TAKEN(best->id, best->step == SESSION_RUNNING ? STATUS_SUCCESS : STATUS_PENDING);
	return best;
}

bool start_may_keep(const struct session *session)
{
	return !session->pooled || !all_taken(session->smss);
}

void start_keep(struct session *session)
{
	if (!session->pooled)
		return;
	session->pooled = false;
	record_update(session);
	session->smss->pooled_count--;
	start_refill(session->smss);
}

void start_idle_ends(struct session *session)
{
	session->pooled = false;
	session->smss->pooled_count--;
	session->ends_idle = true;
	session->smss->ending_idle++;
}

/* Those that have not failed. */
static uint32_t pooled(const struct smss *smss, bool running)
{
	uint32_t count = 0;

	for (uint32_t slot = 0; slot < smss->capacity && count < smss->pooled_count; slot++) {
		const struct session *s = smss->slots[slot];
		if (s && s->pooled && s->step != SESSION_ENDING &&
		    (!running || s->step == SESSION_RUNNING))
			count++;
	}
	return count;
}

static void make_idle(struct smss *smss)
{
	uint32_t id = SM_NO_MUSESSION, process = 0;
	UNICODE_STRING command = { .Buffer = "" };
	struct session *session;

	if (SmpLoadSubSystemsForMuSession(&id, &process, &command) != STATUS_PENDING) {
		start_pool_lost(smss);
		return;
	}
	session = session_find(smss, id);
	if (!session || session->step == SESSION_ENDING)
		return;
	session->pooled = true;
	record_update(session);
	smss->pooled_count++;
}

static void on_refill(int fd, short what, void *argument)
{
	struct smss *smss = argument;

	(void)fd;
	(void)what;
	if (smss->stopping || !smss->was_ready || smss->config->Execute[0] ||
	    !TAILQ_EMPTY(&smss->starts) || smss->in_flight > 0 ||
	    pooled(smss, false) >= smss->pool_size ||
	    smss->pooled_count + smss->ending_idle >= POOL_MAX) /* the table has no more for it */
		return; /* the end of what is in flight, or of an idle one, comes back here */
	make_idle(smss);
}

void start_refill(struct smss *smss)
{
	uint64_t now = clock_us(), pause = smss->pool_pause * UINT64_C(1000);
	uint64_t since = now - smss->last_start;
	struct timeval in;

	if (event_pending(smss->pool_event, EV_TIMEOUT, NULL))
		return;
	if (since < REFILL_MS * UINT64_C(1000) && pause < REFILL_MS * UINT64_C(1000) - since)
		pause = REFILL_MS * UINT64_C(1000) - since;
	in = (struct timeval){ .tv_sec = (time_t)(pause / 1000000),
		.tv_usec = (suseconds_t)(pause % 1000000) };
	event_add(smss->pool_event, &in);
}

void start_pool_lost(struct smss *smss)
{
	if (smss->stopping)
		return;
	smss->pool_pause = smss->pool_pause == 0 ? PAUSE_MIN_MS : 2 * smss->pool_pause;
	if (smss->pool_pause > PAUSE_MAX_MS)
		smss->pool_pause = PAUSE_MAX_MS;
	log_warn("an idle session failed: the next is made in %u s", smss->pool_pause / 1000);
	event_del(smss->pool_event);
	start_refill(smss);
}

/* Ends idle ones beyond the size, the latest first. */
static void shrink(struct smss *smss)
{
	for (uint32_t slot = smss->capacity; slot-- > 0 && pooled(smss, false) > smss->pool_size;) {
		struct session *s = smss->slots[slot];
		if (!s || !s->pooled || s->step == SESSION_ENDING)
			continue;
		start_idle_ends(s); /* here: its end is no failure */
		session_stop(s, END_ADMIN_LOGOFF, STATUS_DELETE_PENDING);
	}
}

void start_resize(struct smss *smss, uint32_t size, uint32_t *idle)
{
	if (size != POOL_ASK) {
		smss->pool_size = size;
		smss->pool_pause = 0;
		shrink(smss);
		start_refill(smss);
	}
	*idle = pooled(smss, true);
}

/* ---- beginning and end ---- */

int start_init(struct smss *smss)
{
	long processors = sysconf(_SC_NPROCESSORS_ONLN);

	TAILQ_INIT(&smss->starts);
	smss->in_flight_max = 1;
	if (smss->config->SessionCreation == SESSION_CREATION_PARALLEL)
		smss->in_flight_max =
		    processors > PARALLEL_MIN ? (unsigned)processors : PARALLEL_MIN;
	smss->pool_size = smss->config->IdleWinStationPoolCount;
	smss->start_event = evtimer_new(smss->base, on_turn, smss);
	smss->pool_event = evtimer_new(smss->base, on_refill, smss);
	return smss->start_event && smss->pool_event ? 0 : -1;
}

void start_finish(struct smss *smss)
{
	struct call *call;

	while ((call = TAILQ_FIRST(&smss->starts))) {
		TAILQ_REMOVE(&smss->starts, call, entry);
		call_answer(call, STATUS_DELETE_PENDING);
	}
	smss->queued_starts = 0;
	if (smss->start_event)
		event_free(smss->start_event);
	if (smss->pool_event)
		event_free(smss->pool_event);
	smss->start_event = smss->pool_event = NULL;
}
