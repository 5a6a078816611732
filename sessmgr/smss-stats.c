/*
 * What the service counts, for musessctl stats and for metricsd.
 *
 *   counts      smss's own, added to where things happen (struct msg_stats)
 *   histograms  of a session's phases: creation when it runs, the rest when its client has its
 *               first picture
 *   termsrv's   asked for when somebody asks; what an earlier termsrv had counted stays counted
 *   usage       of processes, by kind (smss-usage.c)
 *
 * Whoever asks begins a round, or joins the one that is under way: termsrv is asked, processes are
 * looked at, and all are answered when both are done, or ROUND_US later with what there is. So
 * that however often is asked, and by however many, there is one round at a time.
 */
#include "histogram.h"
#include "smss.h"

#include <string.h>

enum { ROUND_US = 2000000 };

static bool termsrv_asked, usage_asked;
static struct msg_ts_figures now;    /* termsrv's */
static struct msg_ts_figures before; /* what earlier ones had counted */

/* ---- histograms ---- */

/* The phases from FIRST to LAST of S into the histograms from SPINUP on, each from the latest
   moment before it. */
static void count_phases(struct session *s, int first, int last, enum spinup spinup)
{
	struct histogram *h = &s->smss->stats.spinup[spinup];
	uint64_t latest = 0;

	for (int i = PHASE_ACCEPT; i <= last; i++) {
		uint64_t moment = s->info.phase[i];
		bool counted = i >= first && i != PHASE_CSRSS && i != PHASE_WINLOGON;
		if (moment && latest && counted)
			histogram_add(h, moment > latest ? moment - latest : 0);
		if (moment > latest)
			latest = moment;
		h += counted;
	}
}

void stats_created(struct session *s)
{
	struct histogram *h = s->smss->stats.spinup;
	const uint64_t *phase = s->info.phase;
	uint64_t begin = phase[PHASE_START_CSR], csrss = phase[PHASE_CSRSS], at = clock_us();

	s->smss->stats.created++;
	if (csrss)
		histogram_add(&h[SPINUP_CSRSS], csrss - begin);
	if (csrss && phase[PHASE_WINLOGON])
		histogram_add(&h[SPINUP_WINLOGON], phase[PHASE_WINLOGON] - csrss);
	histogram_add(&h[SPINUP_CREATED], at - begin);
}

void stats_painted(struct session *s)
{
	uint64_t total = s->info.phase[PHASE_PAINTED] - s->info.phase[PHASE_ACCEPT];

	if (!s->info.phase[PHASE_START_CSR]) { /* it was there before this client */
		histogram_add(&s->smss->stats.reconnect, total);
		return;
	}
	count_phases(s, PHASE_REQUEST, PHASE_PAINTED, SPINUP_REQUEST);
	histogram_add(&s->smss->stats.spinup[SPINUP_TOTAL], total);
}

/* ---- counts ---- */

void stats_ended(struct session *s, bool ran)
{
	struct msg_stats *stats = &s->smss->stats;

	if (ran) {
		stats->ended++;
		stats->failed += end_reason_failed(s->reason);
		stats->ends[end_reason_row(s->reason)]++;
	} else {
		stats->failed++;
		stats->failures[status_row(s->status)]++;
	}
}

void stats_disconnected(struct smss *smss, enum end_reason reason)
{
	smss->stats.disconnects++;
	smss->stats.disconnections[end_reason_row(reason)]++;
}

void stats_refused(struct smss *smss, enum refusal cause)
{
	smss->stats.refusals[cause]++;
}

/* ---- termsrv's ---- */

int stats_termsrv(struct client *client, const PORT_MESSAGE *m, int *passed)
{
	(void)passed;
	if (!termsrv_asked)
		return 0; /* nobody waits for it */
	now = *(const struct msg_ts_figures *)(const void *)m;
	termsrv_asked = false;
	stats_advance(client->smss);
	return 0;
}

void stats_forget_termsrv(struct smss *smss)
{
	before.connections += now.connections;
	for (int i = 0; i < REFUSAL_COUNT; i++)
		before.refusals[i] += now.refusals[i];
	memset(&now, 0, sizeof(now));
	termsrv_asked = false;
	stats_advance(smss);
}

static void add_termsrv(struct msg_stats *m)
{
	m->waiting = now.waiting;
	m->logging_on = now.logons;
	m->warm = now.warm;
	m->connections = before.connections + now.connections;
	for (int i = 0; i < REFUSAL_COUNT; i++)
		m->refusals[i] += before.refusals[i] + now.refusals[i];
}

void stats_forget(struct smss *smss, const struct client *client)
{
	struct call *call, *next;

	for (call = TAILQ_FIRST(&smss->stats_asked); call; call = next) {
		next = TAILQ_NEXT(call, entry);
		if (call->client != client)
			continue;
		TAILQ_REMOVE(&smss->stats_asked, call, entry);
		call_drop(call);
	}
}

/* ---- rounds ---- */

static void answer(struct smss *smss, struct call *call)
{
	struct msg_stats m = smss->stats;

	for (uint32_t slot = 0; slot < smss->capacity; slot++)
		if (smss->slots[slot])
			m.sessions[smss->slots[slot]->state]++;
	m.sessions[WTS_LISTEN] += smss->services[SERVICE_TERMSRV].ready;
	m.queued = smss->queued_starts;
	m.in_flight = smss->in_flight;
	start_resize(smss, POOL_ASK, &m.pool_idle);
	m.pool_size = smss->pool_size;
	m.max_instances = smss->config->MaxInstanceCount;
	m.drain = manage_drain_mode(smss);
	add_termsrv(&m);
	usage_figures(m.usage);
	memcpy(m.version, MUSESS_VERSION, sizeof(MUSESS_VERSION));
	port_header(&m.h, CTL_STATS, sizeof(m), call->m.h.message_id);
	client_send(call->client, &m.h, -1);
	call_drop(call);
}

static void answer_all(struct smss *smss)
{
	struct call *call;

	event_del(smss->stats_deadline);
	while ((call = TAILQ_FIRST(&smss->stats_asked))) {
		TAILQ_REMOVE(&smss->stats_asked, call, entry);
		answer(smss, call);
	}
}

static void on_deadline(int fd, short what, void *argument)
{
	(void)fd;
	(void)what;
	answer_all(argument);
}

void stats_advance(struct smss *smss)
{
	usage_asked = usage_asked && usage_running();
	if (!termsrv_asked && !usage_asked && smss->stats_deadline)
		answer_all(smss);
}

static void begin_round(struct smss *smss)
{
	const struct timeval in = { .tv_sec = ROUND_US / 1000000 };
	struct msg_plain m;

	event_add(smss->stats_deadline, &in);
	port_header(&m.h, TS_FIGURES, sizeof(m), 0);
	/* one that has not answered the last time is not asked again */
	if (!termsrv_asked && smss->services[SERVICE_TERMSRV].ready)
		termsrv_asked = client_send(smss->services[SERVICE_TERMSRV].client, &m.h, -1) == 0;
	usage_asked = usage_refresh(smss);
	stats_advance(smss);
}

int stats_ask(struct client *client, const PORT_MESSAGE *m, int *passed)
{
	struct smss *smss = client->smss;
	bool first = TAILQ_EMPTY(&smss->stats_asked);
	struct call *call;

	(void)passed;
	if (client->role == CLIENT_METRICSD && client->calls > 0)
		return -1; /* it has read what strangers send: it asks once at a time */
	call = call_keep(client, m, sizeof(struct msg_plain), -1);
	if (!call)
		return -1;
	TAILQ_INSERT_TAIL(&smss->stats_asked, call, entry);
	if (first)
		begin_round(smss);
	return 0;
}

/* ---- sessions under Windows' names ---- */

int stats_list(struct client *client, const PORT_MESSAGE *m, int *passed)
{
	struct smss *smss = client->smss;
	struct msg_plain end;

	(void)passed;
	for (uint32_t slot = 0; slot < smss->capacity; slot++) {
		const struct session *s = smss->slots[slot];
		struct msg_mt_session row = { 0 };

		if (!s || !smss->config->WindowsNames)
			continue;
		usage_session(s, &row.used);
		row.session = s->id;
		row.state = s->state;
		memcpy(row.winstation, s->info.winstation, sizeof(row.winstation));
		memcpy(row.name, s->info.user, sizeof(row.name));
		memcpy(row.station, s->info.station, sizeof(row.station));
		port_header(&row.h, MT_SESSION, sizeof(row), m->message_id);
		client_send(client, &row.h, -1);
	}
	port_header(&end.h, CTL_END, sizeof(end), m->message_id);
	client_send(client, &end.h, -1);
	return 0;
}

/* ---- beginning and end ---- */

int stats_init(struct smss *smss)
{
	termsrv_asked = usage_asked = false;
	memset(&now, 0, sizeof(now));
	memset(&before, 0, sizeof(before));
	TAILQ_INIT(&smss->stats_asked);
	smss->stats_deadline = evtimer_new(smss->base, on_deadline, smss);
	return smss->stats_deadline ? 0 : -1;
}

void stats_finish(struct smss *smss)
{
	struct call *call;

	while ((call = TAILQ_FIRST(&smss->stats_asked))) {
		TAILQ_REMOVE(&smss->stats_asked, call, entry);
		call_drop(call);
	}
	if (smss->stats_deadline)
		event_free(smss->stats_deadline);
	smss->stats_deadline = NULL;
}
