/*
 * The sub-command `compare`: two sides of files of results, metric by metric (report.h). compare-judge.c has the
 * verdicts; here they are read, and written for people and for programs. The intervals are shown beside the verdicts,
 * and decide nothing.
 */
#include "compare-judge.h"
#include "format.h"
#include "report.h"
#include "result-file.h"
#include "run-info.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#define CONFIDENCE 0.99

static const char *const verdict_texts[] = { [SAME] = "no difference beyond noise",
	[BETTER] = "better",
	[WORSE] = "worse",
	[MIXED] = "mixed: p50 and p95 went opposite ways",
	[TOO_FEW] = "too few samples to tell" };
static const char *const verdict_names[] = { "same", "better", "worse", "mixed", "too_few" };

/* What the command line names. */
struct request {
	bool json;
	char **names[2]; /* of the files of each side */
	int count[2];
	struct side side[2];
	struct comparison comparison;
};

static struct interval interval_of(const struct change *c, int i)
{
	return stats_percentile_difference(dist_samples(c->a), dist_count(c->a), dist_samples(c->b),
	    dist_count(c->b), i ? 95 : 50, CONFIDENCE);
}

static double rate_reached(const struct side *side)
{
	double sum = 0;

	for (size_t f = 0; f < side->count; f++)
		sum += summary_rate_reached(&side->files[f]);
	return sum / (double)side->count;
}

/* The metric is compared, and somebody measured it. */
static bool is_shown(unsigned metric, const struct change *c)
{
	return metric != METRIC_HELD && dist_count(c->a) + dist_count(c->b) > 0;
}

/* ---- for people ---- */

/* Whether a field of the run is part of the load, and not of what is loaded. */
static bool is_load(const char *name)
{
	static const char *const names[] = { "model", "plan", "hold_us", "until", "end",
		"security" };

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return false;
}

static bool same_value(const struct run_info *one, const struct run_info *other, size_t field)
{
	char a[RUN_INFO_NUMBER_SIZE], b[RUN_INFO_NUMBER_SIZE];

	return strcmp(run_info_value(one, field, a), run_info_value(other, field, b)) == 0;
}

/* The load of a file is that of ONE. */
static bool same_load(const struct run_info *one, const struct run_info *other)
{
	for (size_t i = 0; i < run_info_fields(); i++)
		if (is_load(run_info_name(i)) && !same_value(one, other, i))
			return false;
	return true;
}

/* The first line of the first run of a file. */
static const struct run_info *info_of(const struct side *side, size_t file)
{
	return &side->files[file].runs[0].info;
}

static void text_settings(FILE *out, const struct side sides[2])
{
	const struct run_info *first = info_of(&sides[0], 0), *other = info_of(&sides[1], 0);
	bool alike = true;

	for (size_t i = 0; i < run_info_fields(); i++) {
		const char *name = run_info_name(i), *from, *to;
		char a[RUN_INFO_NUMBER_SIZE], b[RUN_INFO_NUMBER_SIZE];

		if (strcmp(name, "epoch_us") == 0 || same_value(first, other, i))
			continue;
		from = run_info_value(first, i, a);
		to = run_info_value(other, i, b);
		fprintf(out, "  %-12s %s -> %s\n", name, *from ? from : "(unknown)",
		    *to ? to : "(unknown)");
	}
	for (int s = 0; s < 2; s++)
		for (size_t f = 0; f < sides[s].count; f++)
			alike = alike && same_load(first, info_of(&sides[s], f));
	if (!alike)
		fputs("  THE LOADS DIFFER: part of what follows comes of that\n", out);
}

static void text_changes(FILE *out, const struct side *side, char **names)
{
	for (size_t f = 0; f < side->count; f++)
		for (size_t i = 0; i < side->files[f].run_count; i++) {
			char changes[256];

			run_end_changes(&side->files[f].runs[i].end, changes, sizeof(changes));
			if (*changes)
				fprintf(out, "  NOT MADE AS PLANNED: %s: %s\n", names[f], changes);
		}
}

static void text_difference(FILE *out, const struct change *c, int i)
{
	double a = c->percentile[0][i], b = c->percentile[1][i];
	char from[32], to[32], low[32], high[32];

	fprintf(out, "  %s %s -> %s", i ? "p95" : "p50", format_time(from, sizeof(from), a),
	    format_time(to, sizeof(to), b));
	if (a > 0)
		fprintf(out, " (%+.1f%%)", 100 * (b - a) / a);
	if (c->verdict != TOO_FEW) {
		struct interval is = interval_of(c, i);

		fprintf(out, " [%s, %s]", format_difference(low, sizeof(low), is.low),
		    format_difference(high, sizeof(high), is.high));
	}
	if (c->finding[i].made)
		fprintf(out, " p %.2g", c->finding[i].family);
	fputc('\n', out);
}

static void text_metric(FILE *out, unsigned metric, const struct change *c)
{
	fprintf(out, "%-14s %s%s (n %zu, %zu)\n", metric_name(metric), verdict_texts[c->verdict],
	    c->where, dist_count(c->a), dist_count(c->b));
	if (!dist_count(c->a) || !dist_count(c->b))
		return;
	text_difference(out, c, 0);
	text_difference(out, c, 1);
}

static void text_share(FILE *out, const struct share *s)
{
	fprintf(out, "%-14s %s (%llu of %llu -> %llu of %llu; p %.2g)\n", s->name,
	    verdict_texts[s->verdict], (unsigned long long)s->count[0],
	    (unsigned long long)s->of[0], (unsigned long long)s->count[1],
	    (unsigned long long)s->of[1], s->finding.made ? s->finding.family : 1.0);
}

static void text_names(FILE *out, const struct request *r)
{
	for (int s = 0; s < 2; s++) {
		fputs(s ? " -> B" : "A", out);
		for (int f = 0; f < r->count[s]; f++)
			fprintf(out, " %s", r->names[s][f]);
	}
	fputc('\n', out);
}

static void text_comparison(FILE *out, const struct request *r)
{
	const struct comparison *c = &r->comparison;

	text_names(out, r);
	text_settings(out, r->side);
	for (int s = 0; s < 2; s++)
		text_changes(out, &r->side[s], r->names[s]);
	fprintf(out, "  %-12s %.2f/s -> %.2f/s\n\n", "rate reached", rate_reached(&r->side[0]),
	    rate_reached(&r->side[1]));
	for (int i = 0; i < SHARES; i++)
		text_share(out, &c->share[i]);
	for (unsigned i = 0; i < METRIC_COUNT; i++)
		if (is_shown(i, &c->change[i]))
			text_metric(out, i, &c->change[i]);
	fputs("\np is how likely so much of a difference is where there is none, corrected for all "
	      "that "
	      "is compared\nhere: below 0.01 it counts. In brackets: where the difference is, each "
	      "by itself with 99 %\nconfidence, by chance within the runs.\n",
	    out);
	if (r->count[0] + r->count[1] == 2)
		fputs("Runs of the same thing differ by more, from minute to minute on a busy "
		      "machine: "
		      "before believing\na difference, repeat them in turn, A B A B A B, and "
		      "compare them all (A1 A2 A3 vs B1 B2 B3).\n",
		    out);
}

/* ---- for programs ---- */

static json_t *interval_json(const struct change *c, int i)
{
	struct interval is;

	if (c->verdict == TOO_FEW)
		return json_null();
	is = interval_of(c, i);
	return json_pack("[f,f]", is.low, is.high);
}

static json_t *p_json(const struct finding *f)
{
	return f->made ? json_real(f->family) : json_null();
}

static json_t *change_json(const struct change *c)
{
	bool told = c->verdict != TOO_FEW;

	return json_pack("{s:s,s:[I,I],s:[f,f],s:[f,f],s:o,s:o,s:o,s:o,s:o,s:o}", "verdict",
	    verdict_names[c->verdict], "n", (json_int_t)dist_count(c->a),
	    (json_int_t)dist_count(c->b), "p50", c->percentile[0][0], c->percentile[1][0], "p95",
	    c->percentile[0][1], c->percentile[1][1], "p50_difference", interval_json(c, 0),
	    "p95_difference", interval_json(c, 1), "p50_p", p_json(&c->finding[0]), "p95_p",
	    p_json(&c->finding[1]), "rank_p", told ? json_real(c->rank.p) : json_null(),
	    "b_smaller", told ? json_real(c->rank.b_smaller) : json_null());
}

static json_t *share_json(const struct share *s)
{
	return json_pack("{s:s,s:[I,I],s:[I,I],s:o}", "verdict", verdict_names[s->verdict], "count",
	    (json_int_t)s->count[0], (json_int_t)s->count[1], "of", (json_int_t)s->of[0],
	    (json_int_t)s->of[1], "p", p_json(&s->finding));
}

static json_t *comparison_json(const struct request *r)
{
	const struct comparison *c = &r->comparison;
	json_t *metrics = json_object(), *shares = json_object();

	for (int i = 0; i < SHARES; i++)
		json_object_set_new(shares, c->share[i].name, share_json(&c->share[i]));
	for (unsigned i = 0; i < METRIC_COUNT; i++)
		if (is_shown(i, &c->change[i]))
			json_object_set_new(metrics, metric_name(i), change_json(&c->change[i]));
	return json_pack("{s:i,s:f,s:[i,i],s:[o,o],s:[f,f],s:o,s:o}", "schema", 1, "confidence",
	    CONFIDENCE, "files", r->count[0], r->count[1], "runs",
	    run_info_json(info_of(&r->side[0], 0)), run_info_json(info_of(&r->side[1], 0)),
	    "rate_reached", rate_reached(&r->side[0]), rate_reached(&r->side[1]), "shares", shares,
	    "metrics", metrics);
}

static int write_json(const struct request *r)
{
	json_t *document = comparison_json(r);
	int status =
	    document ? json_dumpf(document, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(12)) : -1;

	json_decref(document);
	putchar('\n');
	return status;
}

/* ---- the command line ---- */

static const char help[] =
    "Usage: musessload compare [--json] A B\n"
    "       musessload compare [--json] A... vs B...\n"
    "What changed from the runs whose results are in A to those in B, and whether it is more than\n"
    "noise. The verdict is better, worse, or no difference beyond noise. Of a hundred comparisons\n"
    "of the same thing about one finds anything: with one file a side, as long as runs differ by "
    "no\n"
    "more than what happens within them, sessions in a row being alike for a while included; with\n"
    "several files a side (five are a good number), also where runs differ by more, as they do.\n\n"
    "  --json    one JSON document\n"
    "  --help    print this and leave\n\n"
    "Exit status: 0, whatever changed; 1 it cannot be written; 2 the command line or a file is\n"
    "wrong.\n";

static int usage_error(const char *text)
{
	fprintf(
	    stderr, "musessload compare: %s\nmusessload compare --help lists the options\n", text);
	return 2;
}

/* Returns -1 to go on, or an exit status. */
static int parse(struct request *r, int argc, char **argv)
{
	static const struct option options[] = { { "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' }, { 0 } };
	int option, first;

	optind = 1;
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 'h')
			fputs(help, stdout);
		if (option != 'j')
			return option == 'h' ? 0 : usage_error("the options cannot be read");
		r->json = true;
	}
	for (first = optind; first < argc && strcmp(argv[first], "vs") != 0; first++)
		;
	r->names[0] = argv + optind;
	r->count[0] = first < argc ? first - optind : 1;
	r->names[1] = argv + optind + r->count[0] + (first < argc);
	r->count[1] = argc - optind - r->count[0] - (first < argc);
	if (r->count[0] < 1 || r->count[1] < 1 || (first == argc && r->count[1] != 1))
		return usage_error("two files of results are compared, or several: A1 A2 vs B1 B2");
	return -1;
}

/* The first runs of both are one: no two begin in the same microsecond with the same part of a plan. */
static bool same_run(const struct side *side, size_t file, size_t other)
{
	const struct run_info *a = info_of(side, file), *b = info_of(side, other);

	return a->epoch_us && a->epoch_us == b->epoch_us && a->segment == b->segment;
}

/* Returns an exit status. */
static int read_side(struct side *side, char **names, int count)
{
	for (int i = 0; i < count; i++) {
		struct summary *file = side_add(side);

		if (!file || result_read(names[i], file) < 0)
			return 2;
		for (int other = 0; other < i; other++)
			if (same_run(side, (size_t)i, (size_t)other)) {
				fprintf(stderr,
				    "musessload compare: %s and %s are one run, which counts "
				    "once\n",
				    names[other], names[i]);
				return 2;
			}
	}
	return side_pool(side) < 0 ? 1 : 0;
}

/* Returns an exit status. */
static int compare(struct request *r)
{
	int status = 0;

	for (int s = 0; s < 2 && status == 0; s++)
		status = read_side(&r->side[s], r->names[s], r->count[s]);
	if (status == 0)
		status = judge(&r->comparison, r->side) < 0;
	if (status == 0 && r->json)
		status = write_json(r) < 0;
	else if (status == 0)
		text_comparison(stdout, r);
	if (status == 0 && (fflush(stdout) != 0 || ferror(stdout))) {
		fprintf(stderr, "musessload: cannot write: %s\n", strerror(errno));
		status = 1;
	}
	return status;
}

int compare_main(int argc, char **argv)
{
	struct request r = { 0 };
	int status = parse(&r, argc, argv);

	if (status < 0)
		status = compare(&r);
	side_free(&r.side[0]);
	side_free(&r.side[1]);
	return status;
}
