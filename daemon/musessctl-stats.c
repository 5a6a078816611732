/* musessctl stats: what the service has counted, as lines and as JSON. */
#include "histogram.h"
#include "musessctl-show.h"
#include "musessctl.h"
#include "words.h"

#include <stdio.h>
#include <string.h>

/* What is counted: what people read, and JSON's key. */
struct count {
	const char *label, *key;
	uint64_t value;
};

enum { STATS_COUNTS = 17 };

static void counts_of(const struct msg_stats *m, struct count counts[STATS_COUNTS])
{
	const struct count all[STATS_COUNTS] = {
		{ "sessions created", "created", m->created },
		{ "sessions failed", "failed", m->failed },
		{ "sessions ended", "ended", m->ended },
		{ "connections", "connections", m->connections },
		{ "logons", "logons", m->logons },
		{ "reconnects", "reconnects", m->reconnects },
		{ "disconnects", "disconnects", m->disconnects },
		{ "denied", "denied", m->denied },
		{ "pool hits", "pool_hits", m->pool_hits },
		{ "pool misses", "pool_misses", m->pool_misses },
		{ "waiting clients", "waiting", m->waiting },
		{ "logging on", "logging_on", m->logging_on },
		{ "warm workers", "warm", m->warm },
		{ "waiting starts", "queued", m->queued },
		{ "running starts", "in_flight", m->in_flight },
		{ "pool idle", "pool_idle", m->pool_idle },
		{ "pool size", "pool_size", m->pool_size },
	};

	memcpy(counts, all, sizeof(all));
}

/* Counts by reason: a heading, JSON's key, the words, and where they are. */
struct reasons {
	const char *label, *key;
	enum words words;
	const uint64_t *counts;
};

enum { STATS_REASONS = 4 };

static void reasons_of(const struct msg_stats *m, struct reasons reasons[STATS_REASONS])
{
	const struct reasons all[STATS_REASONS] = {
		{ "failed because", "failures", WORDS_STATUS, m->failures },
		{ "ended because", "ends", WORDS_END, m->ends },
		{ "disconnected because", "disconnections", WORDS_END, m->disconnections },
		{ "refused because", "refusals", WORDS_REFUSAL, m->refusals },
	};

	memcpy(reasons, all, sizeof(all));
}

static uint64_t sessions_in_all(const struct msg_stats *m)
{
	uint64_t total = 0;

	for (uint32_t state = 0; state < WTS_STATE_COUNT; state++)
		total += state == WTS_LISTEN ? 0 : m->sessions[state];
	return total;
}

/* ---- lines ---- */

static void show_count(const char *label, uint64_t value)
{
	printf("%-17s %llu\n", label, (unsigned long long)value);
}

static void show_sessions(const struct msg_stats *m)
{
	char state[32];

	printf("%-17s %llu of %u\n", "sessions", (unsigned long long)sessions_in_all(m),
	    m->max_instances);
	for (uint32_t i = 0; i < WTS_STATE_COUNT; i++) {
		snprintf(state, sizeof(state), "  %s", session_state_text(i));
		if (m->sessions[i])
			show_count(state, m->sessions[i]);
	}
}

/* Those that there were. */
static void show_reasons(const struct reasons *reasons)
{
	char word[WORD_SIZE], label[WORD_SIZE + 2];
	bool headed = false;

	for (unsigned i = 0; i < words_count(reasons->words); i++) {
		if (!reasons->counts[i])
			continue;
		if (!headed)
			puts(reasons->label);
		headed = true;
		snprintf(label, sizeof(label), "  %s", word_of(reasons->words, i, word));
		show_count(label, reasons->counts[i]);
	}
}

/* The bound, in milliseconds, that PERCENT of what was counted do not exceed: a bucket's. */
static void bound_text(const struct histogram *h, unsigned percent, char *text, size_t size)
{
	uint64_t count = histogram_count(h), below = 0;
	unsigned i = 0;

	for (; i < HISTOGRAM_BUCKETS; i++) {
		below += h->counts[i];
		if (below * 100 >= count * percent)
			break;
	}
	if (i < HISTOGRAM_BUCKETS - 1)
		snprintf(text, size, "%g", (double)histogram_bounds[i] / 1000);
	else
		snprintf(text, size, "more");
}

static void show_histogram(const char *word, const struct histogram *h)
{
	uint64_t count = histogram_count(h);
	char half[16], most[16];

	if (!count)
		return;
	bound_text(h, 50, half, sizeof(half));
	bound_text(h, 95, most, sizeof(most));
	printf("  %-15s %9llu %9.3f %9s %9s\n", word, (unsigned long long)count,
	    (double)h->sum / (double)count / 1000, half, most);
}

static void show_histograms(const struct msg_stats *m)
{
	char word[WORD_SIZE];

	printf("%-17s %9s %9s %9s %9s\n", "phases", "count", "mean ms", "50 % <=", "95 % <=");
	for (unsigned i = 0; i < SPINUP_COUNT; i++)
		show_histogram(word_of(WORDS_SPINUP, i, word), &m->spinup[i]);
	show_histogram("reconnect", &m->reconnect);
}

static void show_usage(const struct msg_stats *m)
{
	char word[WORD_SIZE];

	printf("%-17s %9s %9s %9s %9s\n", "processes", "now", "cpu s", "resident", "own MB");
	for (unsigned i = 0; i < USAGE_COUNT; i++) {
		const struct usage *u = &m->usage[i];
		if (u->processes || u->processor)
			printf("  %-15s %9llu %9.3f %9.1f %9.1f\n", word_of(WORDS_USAGE, i, word),
			    (unsigned long long)u->processes, (double)u->processor / 1e6,
			    (double)u->resident / 1e6, (double)u->anonymous / 1e6);
	}
}

static void show_stats(const struct msg_stats *m)
{
	struct count counts[STATS_COUNTS];
	struct reasons reasons[STATS_REASONS];
	char since[32];

	show_time(m->since, "%Y-%m-%d %H:%M:%S", since, sizeof(since));
	printf("%-17s %s\n", "since", *since ? since : "-");
	show_sessions(m);
	counts_of(m, counts);
	for (int i = 0; i < STATS_COUNTS; i++)
		show_count(counts[i].label, counts[i].value);
	printf("%-17s %s\n", "drain", ctl_drain_word(m->drain));
	reasons_of(m, reasons);
	for (int i = 0; i < STATS_REASONS; i++)
		show_reasons(&reasons[i]);
	show_histograms(m);
	show_usage(m);
}

/* ---- JSON ---- */

static json_t *number(uint64_t value)
{
	return json_integer((json_int_t)value);
}

static json_t *seconds(uint64_t microseconds)
{
	return json_real((double)microseconds / 1e6);
}

static json_t *words_json(enum words words, const uint64_t *counts)
{
	json_t *object = json_object();
	char word[WORD_SIZE];

	for (unsigned i = 0; object && i < words_count(words); i++)
		json_object_set_new(object, word_of(words, i, word), number(counts[i]));
	return object;
}

static json_t *histogram_json(const struct histogram *h)
{
	json_t *buckets = json_array();
	uint64_t below = 0;

	for (unsigned i = 0; buckets && i < HISTOGRAM_BUCKETS; i++) {
		below += h->counts[i];
		json_array_append_new(buckets,
		    json_pack("[o, I]",
		        i < HISTOGRAM_BUCKETS - 1 ? seconds(histogram_bounds[i]) : json_null(),
		        (json_int_t)below));
	}
	return json_pack("{s:I, s:o, s:o}", "count", (json_int_t)below, "sum_s", seconds(h->sum),
	    "buckets", buckets);
}

static json_t *histograms_json(const struct msg_stats *m)
{
	json_t *object = json_object();
	char word[WORD_SIZE];

	for (unsigned i = 0; object && i < SPINUP_COUNT; i++)
		json_object_set_new(
		    object, word_of(WORDS_SPINUP, i, word), histogram_json(&m->spinup[i]));
	json_object_set_new(object, "reconnect", histogram_json(&m->reconnect));
	return object;
}

static json_t *usage_json(const struct msg_stats *m)
{
	json_t *object = json_object();
	char word[WORD_SIZE];

	for (unsigned i = 0; object && i < USAGE_COUNT; i++) {
		const struct usage *u = &m->usage[i];
		json_object_set_new(object, word_of(WORDS_USAGE, i, word),
		    json_pack("{s:I, s:o, s:I, s:I}", "count", (json_int_t)u->processes,
		        "processor_s", seconds(u->processor), "resident_bytes",
		        (json_int_t)u->resident, "anonymous_bytes", (json_int_t)u->anonymous));
	}
	return object;
}

static json_t *stats_json(const struct msg_stats *m)
{
	struct count counts[STATS_COUNTS];
	struct reasons reasons[STATS_REASONS];
	json_t *states = json_object();
	json_t *document =
	    json_pack("{s:I, s:o, s:I, s:s, s:o, s:o}", "since", (json_int_t)m->since, "sessions",
	        states, "max_instances", (json_int_t)m->max_instances, "drain",
	        ctl_drain_word(m->drain), "phases", histograms_json(m), "processes", usage_json(m));

	for (uint32_t i = 0; document && i < WTS_STATE_COUNT; i++)
		json_object_set_new(states, session_state_text(i), number(m->sessions[i]));
	counts_of(m, counts);
	for (int i = 0; document && i < STATS_COUNTS; i++)
		json_object_set_new(document, counts[i].key, number(counts[i].value));
	reasons_of(m, reasons);
	for (int i = 0; document && i < STATS_REASONS; i++)
		json_object_set_new(
		    document, reasons[i].key, words_json(reasons[i].words, reasons[i].counts));
	return document;
}

int ctl_stats(struct request *r)
{
	struct msg_plain m;
	union answer answer;
	int status = ctl_call(r, &m.h, CTL_STATS, sizeof(m), CTL_STATS, &answer);

	if (status)
		return status;
	if (!ctl_drain_word(answer.stats.drain))
		return ctl_bad_answer(r);
	if (r->json)
		return ctl_print_json(r, stats_json(&answer.stats));
	show_stats(&answer.stats);
	return 0;
}
