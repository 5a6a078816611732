/* The report for people: what was run, what came of it, and the table of phases (report.h). */
#include "format.h"
#include "report.h"
#include "run-info.h"

#include <string.h>
#include <time.h>

enum { RUNS_SHOWN = 8 };

typedef unsigned long long ull;

/* ---- what was run ---- */

static const struct {
	const char *model, *says, *means;
} models[] = {
	{ "rate", "open loop at ",
	    "Open loop: starts are planned, and wait for no session. total counts from the actual "
	    "start,\nresponse from the planned one: that is what a user waits." },
	{ "stages", "open loop in stages ",
	    "Open loop: starts are planned, and wait for no session. total counts from the actual "
	    "start,\nresponse from the planned one: that is what a user waits." },
	{ "storm", "a storm of ",
	    "Storm: all starts are planned for one instant. total counts from the actual start,\n"
	    "response from that instant." },
	{ "concurrency", "CLOSED LOOP of ",
	    "CLOSED LOOP: a start waits for the end of a session before it, so a slow server slows "
	    "the\nload down. What users who do not wait for one another would see is worse than "
	    "these times." },
};
enum { MODELS = sizeof(models) / sizeof(*models) };

static int find_model(const struct run_info *info)
{
	for (int i = 0; i < MODELS; i++)
		if (strcmp(models[i].model, info->model) == 0)
			return i;
	return -1;
}

static void text_run(FILE *out, const struct summary_run *run)
{
	const struct run_info *info = &run->info;
	int model = find_model(info);
	time_t begin = (time_t)(info->epoch_us / 1000000);
	struct tm local;
	char text[64], changes[256];

	if (!run->has_info) {
		fputs("A run of which the file does not say anything: it has no first line\n", out);
		return;
	}
	fprintf(out, "musessload %s: %s, %s%s", info->version, info->target,
	    model < 0 ? info->model : models[model].says, info->plan);
	if (*info->security)
		fprintf(out, ", %s", info->security);
	if (*info->until)
		fprintf(out, ", until %s", info->until);
	fprintf(out, ", held %s", format_time(text, sizeof(text), (double)info->hold_us));
	if (*info->end)
		fprintf(out, ", ended by %s", info->end);
	if (info->segments > 1)
		fprintf(out, ", segment %u/%u", info->segment, info->segments);
	localtime_r(&begin, &local);
	strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &local);
	fprintf(out, "\n  from %s (%u processors, kernel %s) at %s", info->host, info->processors,
	    info->kernel, text);
	if (run->ended)
		fprintf(out, ", %s", format_time(text, sizeof(text), (double)run->end.duration_us));
	else
		fputs(", no end is known: it was cut off", out);
	run_end_changes(&run->end, changes, sizeof(changes));
	fprintf(out, "%s%s\n", *changes ? "\n  NOT MADE AS PLANNED: " : "", changes);
}

/* Each model once. */
static void text_models(FILE *out, const struct summary *s)
{
	bool shown[MODELS] = { false };

	for (size_t i = 0; i < s->run_count; i++) {
		int model = find_model(&s->runs[i].info);

		if (model < 0 || shown[model])
			continue;
		shown[model] = true;
		/* rate and stages are the same to the reader */
		if (model == 0 || model == 1)
			shown[0] = shown[1] = true;
		fprintf(out, "\n%s\n", models[model].means);
	}
}

static void text_runs(FILE *out, const struct summary *s)
{
	for (size_t i = 0; i < s->run_count && i < RUNS_SHOWN; i++)
		text_run(out, &s->runs[i]);
	if (s->run_count > RUNS_SHOWN)
		fprintf(out, "and %zu more runs\n", s->run_count - RUNS_SHOWN);
	text_models(out, s);
}

/* ---- what came of it ---- */

static void text_counts(FILE *out, const struct summary *s)
{
	uint64_t planned = s->started + s->missed;

	fprintf(out, "\nstarts    planned %llu, made %llu, missed %llu (%.3g%%)", (ull)planned,
	    (ull)s->started, (ull)s->missed, 100 * summary_missed_ratio(s));
	for (size_t i = 0; i < s->why.count; i++)
		fprintf(out, "%s%s %llu", i ? ", " : ": ", s->why.rows[i].text,
		    (ull)s->why.rows[i].count);
	fprintf(out, "\nsessions  ok %llu, failed %llu (%.3g%%)", (ull)s->ok, (ull)s->failed,
	    100 * summary_fail_ratio(s));
	if (s->errors[LOAD_INTERRUPTED])
		fprintf(out, ", interrupted %llu", (ull)s->errors[LOAD_INTERRUPTED]);
	if (s->reconnected)
		fprintf(out, ", came back to their session %llu", (ull)s->reconnected);
	if (s->not_logged_off)
		fprintf(out,
		    "\n          not logged off by the server within 10 s, and disconnected: %llu",
		    (ull)s->not_logged_off);
	if (s->certificate_mismatches)
		fprintf(out, "\n          certificates of another name, accepted: %llu",
		    (ull)s->certificate_mismatches);
	fputc('\n', out);
}

static void text_rates(FILE *out, struct summary *s)
{
	double planned = summary_rate_planned(s), reached = summary_rate_reached(s);
	uint64_t peak = 0;
	bool closed = false;

	for (size_t i = 0; i < s->run_count; i++) {
		if (peak < s->runs[i].end.live_peak)
			peak = s->runs[i].end.live_peak;
		closed = closed || strcmp(s->runs[i].info.model, "concurrency") == 0;
	}
	fputs("rate      ", out);
	if (closed)
		fputs("planned none (closed loop)", out);
	else if (planned > 0)
		fprintf(out, "planned %.2f/s", planned);
	else
		fputs("planned all at once", out);
	if (reached > 0)
		fprintf(out, ", reached %.2f/s", reached);
	if (peak)
		fprintf(
		    out, "; live at most %llu%s", (ull)peak, s->run_count > 1 ? " in one run" : "");
	fputc('\n', out);
}

/* What the load itself cost: it has to be little for the figures to be the server's. */
static void text_client(FILE *out, const struct summary *s)
{
	struct summary_client client = summary_client(s);
	char text[32], bytes[32], memory[64] = "", late[32], limit[256];

	if (client.memory > 0)
		snprintf(memory, sizeof(memory), " and %s",
		    format_bytes(bytes, sizeof(bytes), client.memory));
	if (client.cpu_us > 0)
		fprintf(out,
		    "client    %s of processor time%s per connection; latest start %s late\n",
		    format_time(text, sizeof(text), client.cpu_us), memory,
		    format_time(late, sizeof(late), (double)client.late_us));
	if (summary_client_limited(s, limit, sizeof(limit)))
		fprintf(out, "THE CLIENT WAS THE LIMIT, not the server: %s\n", limit);
}

static void text_causes(FILE *out, const struct summary *s, unsigned error)
{
	for (size_t i = 0; i < s->causes.count; i++) {
		const struct summary_count *c = &s->causes.rows[i];
		if (c->kind == error && *c->text)
			fprintf(out, "  %12llu  %s\n", (ull)c->count, c->text);
	}
}

static void text_error(FILE *out, const struct summary *s, unsigned error)
{
	const char *separator = "; in ";

	fprintf(out, "  %-13s %7llu  %s", load_error_name(error), (ull)s->errors[error],
	    load_error_text(error));
	for (unsigned phase = 0; phase < LOAD_PHASE_COUNT; phase++)
		if (s->failed_in[error][phase]) {
			fprintf(out, "%s%s %llu", separator, metric_name(phase),
			    (ull)s->failed_in[error][phase]);
			separator = ", ";
		}
	fputc('\n', out);
	text_causes(out, s, error);
}

static void text_errors(FILE *out, const struct summary *s)
{
	if (s->started > s->ok)
		fputs("\nnot ok, by kind and cause\n", out);
	for (unsigned i = LOAD_OK + 1; i < LOAD_ERROR_COUNT; i++)
		if (s->errors[i])
			text_error(out, s, i);
	if (s->errinfo.count)
		fputs("\nwhat the server said at the end (Set Error Info)\n", out);
	for (size_t i = 0; i < s->errinfo.count; i++)
		fprintf(out, "  0x%08x  %7llu  %s\n", s->errinfo.rows[i].code,
		    (ull)s->errinfo.rows[i].count, s->errinfo.rows[i].text);
}

/* ---- the table ---- */

static void text_metrics(FILE *out, struct summary *s)
{
	static const double percents[] = { 0, 50, 90, 95, 99, 100 };
	/* samples, or it would be the largest */
	static const size_t needed[] = { 1, 1, 10, 20, 100, 1 };

	fprintf(out, "\n%-14s %8s %8s %8s %8s %8s %8s %8s\n", "", "n", "min", "p50", "p90", "p95",
	    "p99", "max");
	for (unsigned i = 0; i < METRIC_COUNT; i++) {
		if (dist_count(&s->metric[i]) == 0)
			continue;
		fprintf(out, "%-14s %8zu", metric_name(i), dist_count(&s->metric[i]));
		for (size_t p = 0; p < sizeof(percents) / sizeof(*percents); p++) {
			double us = (double)dist_percentile(&s->metric[i], percents[p]);
			bool enough = dist_count(&s->metric[i]) >= needed[p];
			char text[32];

			fprintf(out, " %8s", enough ? format_time(text, sizeof(text), us) : "-");
		}
		fputc('\n', out);
	}
	if (dist_count(&s->metric[METRIC_TOTAL]) == 0)
		fputs("no session came to what --until names\n", out);
}

void report_text(FILE *out, struct summary *summary)
{
	text_runs(out, summary);
	text_counts(out, summary);
	text_rates(out, summary);
	text_client(out, summary);
	text_errors(out, summary);
	text_metrics(out, summary);
	if (summary->torn_files)
		fprintf(out, "\n%llu torn last lines were left out\n", (ull)summary->torn_files);
	if (summary->bad_lines)
		fprintf(out, "\n%llu lines are no records, and were left out\n",
		    (ull)summary->bad_lines);
}
