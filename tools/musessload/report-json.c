/*
 * The report as one JSON document, as CSV and as HdrHistogram's text (report.h). All times are
 * microseconds, ratios are 0 to 1, rates per second:
 *
 *   schema                 1
 *   runs[]                 the first line of each file (result.h), its last as "ended", or null, and
 *                          in "changes" how it was not made as planned, for people
 *   duration_us            of all runs, without the gaps between them
 *   sessions{}             planned, started, missed, ok, failed, interrupted, fail_ratio,
 *                          missed_ratio, certificate_mismatches, reconnected, not_logged_off
 *   rate{}                 planned, reached; null where there is none
 *   client{}               limited, limit, cpu_us and memory per connection, late_us
 *   metrics{NAME{}}        n, min, mean, deviation, p50, p90, p95, p99, p999, max; of what was
 *                          measured
 *   errors[]               kind, text, count, failed_in{PHASE: count}, causes[]: text, count
 *   errinfo[]              code, name, count: sessions that the server ended, good ones too
 *   missed[]               why, count
 *   bad_lines, torn_files  of the files
 *   thresholds[]           threshold, kept, found
 */
#include "report.h"
#include "run-info.h"

#include <inttypes.h>
#include <math.h>

/* ---- JSON ---- */

static json_t *integer(uint64_t n)
{
	return json_integer((json_int_t)n);
}

static json_t *runs_json(const struct summary *s)
{
	json_t *runs = json_array();

	for (size_t i = 0; i < s->run_count; i++) {
		const struct summary_run *run = &s->runs[i];
		json_t *o = run_info_json(&run->info);
		char changes[256];

		run_end_changes(&run->end, changes, sizeof(changes));
		json_object_set_new(o, "ended", run->ended ? run_end_json(&run->end) : json_null());
		json_object_set_new(o, "changes", json_string(changes));
		json_array_append_new(runs, o);
	}
	return runs;
}

static json_t *sessions_json(const struct summary *s)
{
	return json_pack("{s:o,s:o,s:o,s:o,s:o,s:o,s:f,s:f,s:o,s:o,s:o}", "planned",
	    integer(s->started + s->missed), "started", integer(s->started), "missed",
	    integer(s->missed), "ok", integer(s->ok), "failed", integer(s->failed), "interrupted",
	    integer(s->errors[LOAD_INTERRUPTED]), "fail_ratio", summary_fail_ratio(s),
	    "missed_ratio", summary_missed_ratio(s), "certificate_mismatches",
	    integer(s->certificate_mismatches), "reconnected", integer(s->reconnected),
	    "not_logged_off", integer(s->not_logged_off));
}

static json_t *rate(double per_second)
{
	return per_second > 0 ? json_real(per_second) : json_null();
}

static json_t *client_json(const struct summary *s)
{
	char limit[256];
	bool limited = summary_client_limited(s, limit, sizeof(limit));
	struct summary_client client = summary_client(s);

	return json_pack("{s:b,s:o,s:f,s:f,s:o}", "limited", limited, "limit",
	    load_json_text(limit), "cpu_us", client.cpu_us, "memory", client.memory, "late_us",
	    integer(client.late_us));
}

static json_t *metrics_json(struct summary *s)
{
	json_t *metrics = json_object();

	for (unsigned i = 0; i < METRIC_COUNT; i++) {
		struct dist *d = &s->metric[i];

		if (dist_count(d) == 0)
			continue;
		json_object_set_new(metrics, metric_name(i),
		    json_pack("{s:o,s:o,s:f,s:f,s:o,s:o,s:o,s:o,s:o,s:o}", "n",
		        integer(dist_count(d)), "min", integer(dist_min(d)), "mean", dist_mean(d),
		        "deviation", dist_deviation(d), "p50", integer(dist_percentile(d, 50)),
		        "p90", integer(dist_percentile(d, 90)), "p95",
		        integer(dist_percentile(d, 95)), "p99", integer(dist_percentile(d, 99)),
		        "p999", integer(dist_percentile(d, 99.9)), "max", integer(dist_max(d))));
	}
	return metrics;
}

static json_t *error_json(const struct summary *s, unsigned error)
{
	json_t *causes = json_array(), *failed_in = json_object();

	for (size_t i = 0; i < s->causes.count; i++)
		if (s->causes.rows[i].kind == error)
			json_array_append_new(causes,
			    json_pack("{s:o,s:o}", "text", load_json_text(s->causes.rows[i].text),
			        "count", integer(s->causes.rows[i].count)));
	for (unsigned i = 0; i < LOAD_PHASE_COUNT; i++)
		if (s->failed_in[error][i])
			json_object_set_new(
			    failed_in, metric_name(i), integer(s->failed_in[error][i]));
	return json_pack("{s:s,s:s,s:o,s:o,s:o}", "kind", load_error_name(error), "text",
	    load_error_text(error), "count", integer(s->errors[error]), "failed_in", failed_in,
	    "causes", causes);
}

static json_t *errors_json(const struct summary *s)
{
	json_t *errors = json_array();

	for (unsigned i = LOAD_OK + 1; i < LOAD_ERROR_COUNT; i++)
		if (s->errors[i])
			json_array_append_new(errors, error_json(s, i));
	return errors;
}

static json_t *errinfo_json(const struct summary *s)
{
	json_t *errinfo = json_array();

	for (size_t i = 0; i < s->errinfo.count; i++)
		json_array_append_new(
		    errinfo, json_pack("{s:o,s:o,s:o}", "code", integer(s->errinfo.rows[i].code),
		                 "name", load_json_text(s->errinfo.rows[i].text), "count",
		                 integer(s->errinfo.rows[i].count)));
	return errinfo;
}

static json_t *missed_json(const struct summary *s)
{
	json_t *missed = json_array();

	for (size_t i = 0; i < s->why.count; i++)
		json_array_append_new(
		    missed, json_pack("{s:o,s:o}", "why", load_json_text(s->why.rows[i].text),
		                "count", integer(s->why.rows[i].count)));
	return missed;
}

static json_t *thresholds_json(
    const struct threshold *thresholds, size_t count, struct summary *summary)
{
	json_t *all = json_array();

	for (size_t i = 0; i < count; i++) {
		char found[64];
		enum threshold_state state =
		    threshold_check(&thresholds[i], summary, found, sizeof(found));

		json_array_append_new(
		    all, json_pack("{s:o,s:b,s:s}", "threshold", load_json_text(thresholds[i].text),
		             "kept", state == THRESHOLD_KEPT, "found", found));
	}
	return all;
}

json_t *report_json(struct summary *summary, const struct threshold *thresholds, size_t count)
{
	return json_pack("{s:i,s:o,s:o,s:o,s:{s:o,s:o},s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o}", "schema",
	    1, "runs", runs_json(summary), "duration_us", integer(summary_align(summary)),
	    "sessions", sessions_json(summary), "rate", "planned",
	    rate(summary_rate_planned(summary)), "reached", rate(summary_rate_reached(summary)),
	    "client", client_json(summary), "metrics", metrics_json(summary), "errors",
	    errors_json(summary), "errinfo", errinfo_json(summary), "missed", missed_json(summary),
	    "bad_lines", integer(summary->bad_lines), "torn_files", integer(summary->torn_files),
	    "thresholds", thresholds_json(thresholds, count, summary));
}

/* ---- CSV ---- */

void report_csv(FILE *out, struct summary *summary)
{
	static const double percents[] = { 0, 50, 90, 95, 99, 99.9, 100 };

	fputs("metric,n,mean_us,deviation_us,min_us,p50_us,p90_us,p95_us,p99_us,p999_us,max_us\n",
	    out);
	for (unsigned i = 0; i < METRIC_COUNT; i++) {
		struct dist *d = &summary->metric[i];

		if (dist_count(d) == 0)
			continue;
		fprintf(out, "%s,%zu,%.1f,%.1f", metric_name(i), dist_count(d), dist_mean(d),
		    dist_deviation(d));
		for (size_t p = 0; p < sizeof(percents) / sizeof(*percents); p++)
			fprintf(out, ",%" PRIu64, dist_percentile(d, percents[p]));
		fputc('\n', out);
	}
}

/* ---- HdrHistogram's text ---- */

/* Behind PERCENT, where each half of what is left to 100 has five lines. */
static double next_percent(double percent)
{
	double halves = floor(log2(100 / (100 - percent))) + 1;

	return percent + 100 / (5 * exp2(halves));
}

/* How many samples do not exceed VALUE. */
static size_t count_up_to(struct dist *d, uint64_t value, size_t from)
{
	const uint64_t *samples = dist_samples(d);

	while (from < dist_count(d) && samples[from] <= value)
		from++;
	return from;
}

void report_hdr(FILE *out, struct summary *summary, unsigned metric)
{
	struct dist *d = &summary->metric[metric];
	size_t count = 0, total = dist_count(d);
	double percent = 0;

	fprintf(out, "%12s %14s %10s %14s\n\n", "Value", "Percentile", "TotalCount",
	    "1/(1-Percentile)");
	while (count < total) {
		uint64_t value = dist_percentile(d, percent);

		count = count_up_to(d, value, count);
		if (count < total)
			fprintf(out, "%12.3f %1.12f %10zu %14.2f\n", (double)value / 1e3,
			    percent / 100, count, 100 / (100 - percent));
		percent = next_percent(percent);
	}
	fprintf(out, "%12.3f %1.12f %10zu\n", (double)dist_max(d) / 1e3, 1.0, total);
	fprintf(out, "#[Mean    = %12.3f, StdDeviation   = %12.3f]\n", dist_mean(d) / 1e3,
	    dist_deviation(d) / 1e3);
	fprintf(
	    out, "#[Max     = %12.3f, Total count    = %12zu]\n", (double)dist_max(d) / 1e3, total);
}
