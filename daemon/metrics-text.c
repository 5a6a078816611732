/*
 * The text, metric by metric: a family's HELP and TYPE, then its samples. Times are counted in
 * microseconds and written in seconds.
 */
#include "metrics-text.h"

#include "histogram.h"
#include "words.h"

#include <string.h>

typedef unsigned long long number;

void metrics_write_label(FILE *out, const char *text)
{
	for (; *text; text++)
		if (*text == '\\' || *text == '"')
			fprintf(out, "\\%c", *text);
		else if (*text == '\n')
			fputs("\\n", out);
		else
			fputc(*text, out);
}

static void family(FILE *out, const char *name, const char *type, const char *help)
{
	fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void one(FILE *out, const char *name, const char *type, const char *help, uint64_t value)
{
	family(out, name, type, help);
	fprintf(out, "%s %llu\n", name, (number)value);
}

/* A sample of each row of WORDS, by LABEL. */
static void by_words(
    FILE *out, const char *name, const char *label, enum words words, const uint64_t *values)
{
	char word[WORD_SIZE];

	for (unsigned i = 0; i < words_count(words); i++)
		fprintf(out, "%s{%s=\"%s\"} %llu\n", name, label, word_of(words, i, word),
		    (number)values[i]);
}

static void seconds(FILE *out, uint64_t microseconds)
{
	fprintf(out, " %llu.%06llu\n", (number)(microseconds / 1000000),
	    (number)(microseconds % 1000000));
}

/* LABELS are those beside le: "phase=\"csrss\",", or none. */
static void histogram(FILE *out, const char *name, const char *labels, const struct histogram *h)
{
	uint64_t below = 0;
	/* the same without its comma, in its braces */
	int length = (int)strlen(labels) - 1;
	const char *open = length > 0 ? "{" : "", *close = length > 0 ? "}" : "";

	for (unsigned i = 0; i < HISTOGRAM_BUCKETS - 1; i++) {
		below += h->counts[i];
		fprintf(out, "%s_bucket{%sle=\"%g\"} %llu\n", name, labels,
		    (double)histogram_bounds[i] / 1e6, (number)below);
	}
	fprintf(out, "%s_bucket{%sle=\"+Inf\"} %llu\n", name, labels, (number)histogram_count(h));
	fprintf(out, "%s_sum%s%.*s%s", name, open, length > 0 ? length : 0, labels, close);
	seconds(out, h->sum);
	fprintf(out, "%s_count%s%.*s%s %llu\n", name, open, length > 0 ? length : 0, labels, close,
	    (number)histogram_count(h));
}

/* ---- families ---- */

static void write_sessions(FILE *out, const struct msg_stats *m)
{
	char word[WORD_SIZE];

	family(out, "musess_build_info", "gauge", "Always 1; the version of the service.");
	fputs("musess_build_info{version=\"", out);
	metrics_write_label(out, m->version);
	fputs("\"} 1\n", out);
	one(out, "musess_start_time_seconds", "gauge",
	    "When the session manager was started, since 1970; counters begin anew then.",
	    m->since);
	family(out, "musess_sessions", "gauge",
	    "Sessions by state, the console, the pool's and the listener included.");
	by_words(out, "musess_sessions", "state", WORDS_STATE, m->sessions);
	one(out, "musess_sessions_limit", "gauge",
	    "MaxInstanceCount: how many sessions there may be.", m->max_instances);
	one(out, "musess_draining", "gauge", "1 where new sessions are refused.",
	    m->drain != DRAIN_OFF);
	family(out, "musess_session_creations_total", "counter",
	    "Sessions that were created, and that were not, by the reason.");
	fprintf(out, "musess_session_creations_total{result=\"created\",reason=\"success\"} %llu\n",
	    (number)m->created);
	for (unsigned i = 0; i < STATUS_COUNT; i++) {
		word_of(WORDS_STATUS, i, word);
		if (strcmp(word, "success") != 0 && strcmp(word, "pending") != 0)
			fprintf(out,
			    "musess_session_creations_total{result=\"failed\",reason=\"%s\"} "
			    "%llu\n",
			    word, (number)m->failures[i]);
	}
	family(out, "musess_session_ends_total", "counter", "Sessions that ended, by the reason.");
	by_words(out, "musess_session_ends_total", "reason", WORDS_END, m->ends);
}

static void write_clients(FILE *out, const struct msg_stats *m)
{
	one(out, "musess_connections_total", "counter",
	    "Connections that began with a connection request.", m->connections);
	one(out, "musess_connections_waiting", "gauge",
	    "Connections that wait for a worker (rdpwd).", m->waiting);
	one(out, "musess_connections_logging_on", "gauge",
	    "Connections that have a worker and no session yet.", m->logging_on);
	one(out, "musess_workers_warm", "gauge", "Workers that wait for a connection.", m->warm);
	one(out, "musess_logons_total", "counter", "Users who logged on to a new session.",
	    m->logons);
	one(out, "musess_reconnects_total", "counter",
	    "Users who came back to a session of theirs.", m->reconnects);
	family(out, "musess_disconnects_total", "counter",
	    "Sessions that went on without their client, by the reason.");
	by_words(out, "musess_disconnects_total", "reason", WORDS_END, m->disconnections);
	family(out, "musess_refusals_total", "counter",
	    "Clients, and attempts to log on, that were refused, by the cause.");
	by_words(out, "musess_refusals_total", "cause", WORDS_REFUSAL, m->refusals);
}

static void write_starts(FILE *out, const struct msg_stats *m)
{
	one(out, "musess_starts_waiting", "gauge", "StartCsr calls that wait for their turn.",
	    m->queued);
	one(out, "musess_starts_running", "gauge", "Sessions that are being created.",
	    m->in_flight);
	one(out, "musess_pool_limit", "gauge", "Idle sessions that there shall be.", m->pool_size);
	one(out, "musess_pool_idle", "gauge", "Idle sessions that there are.", m->pool_idle);
	one(out, "musess_pool_hits_total", "counter",
	    "StartCsr calls that an idle session answered.", m->pool_hits);
	one(out, "musess_pool_misses_total", "counter",
	    "StartCsr calls that found no idle session.", m->pool_misses);
}

static void write_phases(FILE *out, const struct msg_stats *m)
{
	char word[WORD_SIZE], labels[WORD_SIZE + 16];

	family(out, "musess_spinup_phase_seconds", "histogram",
	    "How long each phase of a session's spin-up took.");
	for (unsigned i = 0; i < SPINUP_COUNT; i++) {
		snprintf(labels, sizeof(labels), "phase=\"%s\",", word_of(WORDS_SPINUP, i, word));
		histogram(out, "musess_spinup_phase_seconds", labels, &m->spinup[i]);
	}
	family(out, "musess_reconnect_seconds", "histogram",
	    "How long coming back to a session took, from accept to the first picture.");
	histogram(out, "musess_reconnect_seconds", "", &m->reconnect);
}

static void write_processes(FILE *out, const struct msg_stats *m)
{
	char word[WORD_SIZE];
	uint64_t values[3][USAGE_COUNT];

	for (int i = 0; i < USAGE_COUNT; i++) {
		values[0][i] = m->usage[i].processes;
		values[1][i] = m->usage[i].resident;
		values[2][i] = m->usage[i].anonymous;
	}
	family(out, "musess_processes", "gauge", "Processes, by what they are.");
	by_words(out, "musess_processes", "kind", WORDS_USAGE, values[0]);
	family(out, "musess_process_cpu_seconds_total", "counter",
	    "Processor time of processes, those that have ended included.");
	for (unsigned i = 0; i < USAGE_COUNT; i++) {
		fprintf(out, "musess_process_cpu_seconds_total{kind=\"%s\"}",
		    word_of(WORDS_USAGE, i, word));
		seconds(out, m->usage[i].processor);
	}
	family(out, "musess_process_resident_memory_bytes", "gauge",
	    "Memory that processes have resident; what several share counts in each.");
	by_words(out, "musess_process_resident_memory_bytes", "kind", WORDS_USAGE, values[1]);
	family(out, "musess_process_anonymous_memory_bytes", "gauge",
	    "The part of it that is no file's.");
	by_words(out, "musess_process_anonymous_memory_bytes", "kind", WORDS_USAGE, values[2]);
}

void metrics_write(FILE *out, const struct msg_stats *m)
{
	write_sessions(out, m);
	write_clients(out, m);
	write_starts(out, m);
	write_phases(out, m);
	write_processes(out, m);
}

/* ---- windows_exporter's ---- */

#define WINDOWS "windows_terminal_services_"

static void write_info(FILE *out, const struct msg_mt_session *s, unsigned state)
{
	char word[WORD_SIZE];

	fprintf(out, WINDOWS "session_info{session_name=\"");
	metrics_write_label(out, s->winstation);
	fputs("\",user=\"", out);
	metrics_write_label(out, s->name);
	fputs("\",host=\"", out);
	metrics_write_label(out, s->station);
	fprintf(out, "\",state=\"%s\",id=\"%u\"} %d\n", word_of(WORDS_STATE, state, word),
	    s->session, s->state == state);
}

/* Of each session, by its name. Times are in microseconds; MODE may be NULL. */
static void by_session(
    FILE *out, const char *name, const struct msg_mt_session *s, const char *mode, uint64_t value)
{
	fprintf(out, WINDOWS "%s{session_name=\"", name);
	metrics_write_label(out, s->winstation);
	if (mode) {
		fprintf(out, "\",mode=\"%s\"}", mode);
		seconds(out, value);
	} else {
		fprintf(out, "\"} %llu\n", (number)value);
	}
}

static const struct {
	const char *name, *type, *help;
	size_t offset; /* in struct session_usage */
} per_session[] = {
#define USED(field) offsetof(struct session_usage, field)
	{ "handles", "gauge", "Descriptors that a session's processes have open.", USED(handles) },
	{ "threads", "gauge", "Threads of a session's processes.", USED(threads) },
	{ "working_set_bytes", "gauge", "Resident memory of a session's processes.",
	    USED(resident) },
	{ "private_bytes", "gauge", "The part of it that is no file's.", USED(anonymous) },
	{ "virtual_bytes", "gauge", "Addresses that a session's processes use.", USED(size) },
	{ "page_fault_total", "counter", "Page faults of a session's processes.", USED(faults) },
#undef USED
};

static uint64_t used_at(const struct msg_mt_session *s, size_t offset)
{
	uint64_t value;

	memcpy(&value, (const char *)&s->used + offset, sizeof(value));
	return value;
}

static void write_broker(FILE *out, const struct msg_stats *m)
{
	static const char name[] = WINDOWS "connection_broker_performance_total";
	uint64_t failed = 0;

	for (int i = 0; i < REFUSAL_COUNT; i++)
		failed += m->refusals[i];
	family(out, name, "counter", "Connections that got a session, wait for one, got none.");
	fprintf(
	    out, "%s{connection=\"Successful\"} %llu\n", name, (number)m->logons + m->reconnects);
	fprintf(out, "%s{connection=\"Pending\"} %llu\n", name, (number)m->waiting + m->logging_on);
	fprintf(out, "%s{connection=\"Failed\"} %llu\n", name, (number)failed);
}

void metrics_write_windows(
    FILE *out, const struct msg_stats *m, const struct msg_mt_session *sessions, size_t count)
{
	char name[64];

	family(out, WINDOWS "session_info", "gauge", "1 for the state that a session is in.");
	for (size_t i = 0; i < count; i++)
		for (unsigned state = 0; state < WTS_STATE_COUNT; state++)
			write_info(out, &sessions[i], state);
	for (size_t k = 0; k < sizeof(per_session) / sizeof(*per_session); k++) {
		snprintf(name, sizeof(name), WINDOWS "%s", per_session[k].name);
		family(out, name, per_session[k].type, per_session[k].help);
		for (size_t i = 0; i < count; i++)
			by_session(out, per_session[k].name, &sessions[i], NULL,
			    used_at(&sessions[i], per_session[k].offset));
	}
	family(out, WINDOWS "cpu_time_seconds_total", "counter",
	    "Processor time of a session's processes; processor is the sum of the other two.");
	for (size_t i = 0; i < count; i++) {
		const struct session_usage *used = &sessions[i].used;
		by_session(out, "cpu_time_seconds_total", &sessions[i], "privileged", used->system);
		by_session(out, "cpu_time_seconds_total", &sessions[i], "processor",
		    used->user + used->system);
		by_session(out, "cpu_time_seconds_total", &sessions[i], "user", used->user);
	}
	write_broker(out, m);
}
