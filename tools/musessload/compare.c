/*
 * The sub-command `compare`: two files of results, metric by metric (report.h).
 *
 * A metric changed where the rank test and the interval of the difference of its medians both
 * say so, or where the interval of p95 does; both at a level at which of a hundred comparisons of
 * the same thing one is wrong.
 */
#include "format.h"
#include "report.h"
#include "result-file.h"
#include "run-info.h"
#include "stats.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#define CONFIDENCE 0.99
enum { ENOUGH = 8 }; /* samples of each, for the rank test's approximation */

/* ---- what is compared ---- */

enum verdict { SAME, BETTER, WORSE, MIXED, TOO_FEW };
static const char *const verdict_texts[] = { [SAME] = "no difference beyond noise",
	[BETTER] = "better",
	[WORSE] = "worse",
	[MIXED] = "mixed: p50 and p95 went opposite ways",
	[TOO_FEW] = "too few samples to tell" };
static const char *const verdict_names[] = { "same", "better", "worse", "mixed", "too_few" };

/* One of both runs, and what changed. */
struct change {
	struct dist *a, *b;
	double percentile[2][2]; /* p50 and p95 of A, and of B */
	struct rank_test rank;
	struct interval difference[2]; /* of p50, p95 */
	enum verdict verdict;
	const char *where; /* "", or the only percentile that changed */
};

/* -1 where all of the interval is below 0 (B takes less time), 1 above, 0 where it has 0. */
static int sign(const struct interval *i)
{
	return i->high < 0 ? -1 : i->low > 0;
}

static void judge(struct change *c)
{
	int median = c->rank.p < 1 - CONFIDENCE ? sign(&c->difference[0]) : 0;
	int tail = sign(&c->difference[1]);

	if (median * tail < 0)
		c->verdict = MIXED;
	else if (median + tail == 0)
		c->verdict = SAME;
	else
		c->verdict = median + tail < 0 ? BETTER : WORSE;
	c->where = median == tail ? "" : !tail ? " in p50" : !median ? " in p95" : "";
}

static void compare_metric(struct change *c, struct dist *a, struct dist *b)
{
	static const double percents[] = { 50, 95 };
	size_t n = dist_count(a), m = dist_count(b);

	*c = (struct change){ .a = a, .b = b, .verdict = TOO_FEW, .where = "" };
	for (int i = 0; i < 2; i++) {
		c->percentile[0][i] = (double)dist_percentile(a, percents[i]);
		c->percentile[1][i] = (double)dist_percentile(b, percents[i]);
	}
	if (n < ENOUGH || m < ENOUGH)
		return;
	c->rank = stats_rank_test(dist_samples(a), n, dist_samples(b), m);
	for (int i = 0; i < 2; i++)
		c->difference[i] = stats_percentile_difference(
		    dist_samples(a), n, dist_samples(b), m, percents[i], CONFIDENCE);
	judge(c);
}

/* Failures and misses: less is better. */
struct share {
	const char *name;
	uint64_t count[2], of[2];
	double p;
	enum verdict verdict;
};

static void compare_share(
    struct share *s, const char *name, const uint64_t count[2], const uint64_t of[2])
{
	*s = (struct share){ .name = name };
	memcpy(s->count, count, sizeof(s->count));
	memcpy(s->of, of, sizeof(s->of));
	s->p = stats_share_test(count[0], of[0], count[1], of[1]);
	if (of[0] == 0 || of[1] == 0)
		s->verdict = TOO_FEW;
	else if (s->p < 1 - CONFIDENCE)
		s->verdict = (double)count[1] / (double)of[1] < (double)count[0] / (double)of[0]
		                 ? BETTER
		                 : WORSE;
}

enum { SHARES = 2 };
static void compare_shares(struct share shares[SHARES], const struct summary s[2])
{
	uint64_t failed[2] = { s[0].failed, s[1].failed };
	uint64_t sessions[2] = { s[0].ok + s[0].failed, s[1].ok + s[1].failed };
	uint64_t missed[2] = { s[0].missed, s[1].missed };
	uint64_t starts[2] = { s[0].started + s[0].missed, s[1].started + s[1].missed };

	compare_share(&shares[0], "failed", failed, sessions);
	compare_share(&shares[1], "missed", missed, starts);
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

static void text_settings(FILE *out, const struct summary s[2])
{
	bool alike = true;

	for (size_t i = 0; i < run_info_fields(); i++) {
		char a[128], b[128];
		const char *name = run_info_field(&s[0].runs[0].info, i, a, sizeof(a));

		run_info_field(&s[1].runs[0].info, i, b, sizeof(b));
		if (strcmp(a, b) == 0 || strcmp(name, "epoch_us") == 0)
			continue;
		fprintf(
		    out, "  %-12s %s -> %s\n", name, *a ? a : "(unknown)", *b ? b : "(unknown)");
		alike = alike && !is_load(name);
	}
	if (!alike)
		fputs("  THE LOADS DIFFER: part of what follows comes of that\n", out);
}

static void text_difference(FILE *out, const struct change *c, int i)
{
	double a = c->percentile[0][i], b = c->percentile[1][i];
	char from[32], to[32], low[32], high[32];

	fprintf(out, "  %s %s -> %s", i ? "p95" : "p50", format_time(from, sizeof(from), a),
	    format_time(to, sizeof(to), b));
	if (a > 0)
		fprintf(out, " (%+.1f%%)", 100 * (b - a) / a);
	if (c->verdict != TOO_FEW)
		fprintf(out, " [%s, %s]", format_difference(low, sizeof(low), c->difference[i].low),
		    format_difference(high, sizeof(high), c->difference[i].high));
}

static void text_metric(FILE *out, unsigned metric, const struct change *c)
{
	fprintf(out, "%-14s %s%s", metric_name(metric), verdict_texts[c->verdict], c->where);
	fprintf(out, " (n %zu, %zu", dist_count(c->a), dist_count(c->b));
	if (c->verdict != TOO_FEW)
		fprintf(out, "; rank test p %.2g", c->rank.p);
	fputs(")\n", out);
	if (dist_count(c->a) && dist_count(c->b)) {
		text_difference(out, c, 0);
		fputc('\n', out);
		text_difference(out, c, 1);
		fputc('\n', out);
	}
}

static void text_share(FILE *out, const struct share *s)
{
	fprintf(out, "%-14s %s (%llu of %llu -> %llu of %llu; p %.2g)\n", s->name,
	    verdict_texts[s->verdict], (unsigned long long)s->count[0],
	    (unsigned long long)s->of[0], (unsigned long long)s->count[1],
	    (unsigned long long)s->of[1], s->p);
}

static void text_comparison(FILE *out, struct summary s[2], const char *const names[2])
{
	struct share shares[SHARES];
	struct change change;

	fprintf(out, "A %s -> B %s\n", names[0], names[1]);
	text_settings(out, s);
	fprintf(out, "  %-12s %.2f/s -> %.2f/s\n\n", "rate reached", summary_rate_reached(&s[0]),
	    summary_rate_reached(&s[1]));
	compare_shares(shares, s);
	for (int i = 0; i < SHARES; i++)
		text_share(out, &shares[i]);
	for (unsigned i = 0; i < METRIC_COUNT; i++) {
		compare_metric(&change, &s[0].metric[i], &s[1].metric[i]);
		if (i != METRIC_HELD && dist_count(change.a) + dist_count(change.b))
			text_metric(out, i, &change);
	}
	fputs("\nIn brackets: where the difference is, with 99 % confidence, by chance within the "
	      "runs. Runs of\nthe same thing differ by more from day to day: repeat them in turn, "
	      "A B A B, before believing\na small difference.\n",
	    out);
}

/* ---- for programs ---- */

static json_t *interval_json(const struct change *c, int i)
{
	if (c->verdict == TOO_FEW)
		return json_null();
	return json_pack("[f,f]", c->difference[i].low, c->difference[i].high);
}

static json_t *change_json(const struct change *c)
{
	bool told = c->verdict != TOO_FEW;

	return json_pack("{s:s,s:[I,I],s:[f,f],s:[f,f],s:o,s:o,s:o,s:o}", "verdict",
	    verdict_names[c->verdict], "n", (json_int_t)dist_count(c->a),
	    (json_int_t)dist_count(c->b), "p50", c->percentile[0][0], c->percentile[1][0], "p95",
	    c->percentile[0][1], c->percentile[1][1], "p50_difference", interval_json(c, 0),
	    "p95_difference", interval_json(c, 1), "rank_p",
	    told ? json_real(c->rank.p) : json_null(), "b_smaller",
	    told ? json_real(c->rank.b_smaller) : json_null());
}

static json_t *shares_json(const struct summary s[2])
{
	struct share shares[SHARES];
	json_t *object = json_object();

	compare_shares(shares, s);
	for (int i = 0; i < SHARES; i++)
		json_object_set_new(object, shares[i].name,
		    json_pack("{s:s,s:[I,I],s:[I,I],s:f}", "verdict",
		        verdict_names[shares[i].verdict], "count", (json_int_t)shares[i].count[0],
		        (json_int_t)shares[i].count[1], "of", (json_int_t)shares[i].of[0],
		        (json_int_t)shares[i].of[1], "p", shares[i].p));
	return object;
}

static json_t *comparison_json(struct summary s[2])
{
	json_t *metrics = json_object();
	struct change change;

	for (unsigned i = 0; i < METRIC_COUNT; i++) {
		compare_metric(&change, &s[0].metric[i], &s[1].metric[i]);
		if (i != METRIC_HELD && dist_count(change.a) + dist_count(change.b))
			json_object_set_new(metrics, metric_name(i), change_json(&change));
	}
	return json_pack("{s:i,s:f,s:[o,o],s:[f,f],s:o,s:o}", "schema", 1, "confidence", CONFIDENCE,
	    "runs", run_info_json(&s[0].runs[0].info), run_info_json(&s[1].runs[0].info),
	    "rate_reached", summary_rate_reached(&s[0]), summary_rate_reached(&s[1]), "shares",
	    shares_json(s), "metrics", metrics);
}

static int write_json(struct summary s[2])
{
	json_t *document = comparison_json(s);
	int status =
	    document ? json_dumpf(document, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(12)) : -1;

	json_decref(document);
	putchar('\n');
	return status;
}

/* ---- the command line ---- */

static const char help[] =
    "Usage: musessload compare [--json] A B\n"
    "What changed from the run whose results are in A to that in B, and whether it is more than\n"
    "noise: a rank test (Mann-Whitney), and bootstrap intervals of the differences of p50 and\n"
    "p95. The verdict is better, worse, or no difference beyond noise.\n\n"
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

int compare_main(int argc, char **argv)
{
	static const struct option options[] = { { "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' }, { 0 } };
	struct summary s[2] = { 0 };
	bool json = false;
	int option, status = 0;

	optind = 1;
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 'h')
			fputs(help, stdout);
		if (option != 'j')
			return option == 'h' ? 0 : usage_error("the options cannot be read");
		json = true;
	}
	if (argc - optind != 2)
		return usage_error("two files of results are compared");
	for (int i = 0; i < 2 && status == 0; i++)
		if (result_read(argv[optind + i], &s[i]) < 0)
			status = 2;
	if (status == 0 && json)
		status = write_json(s) < 0;
	else if (status == 0)
		text_comparison(stdout, s, (const char *const *)argv + optind);
	if (status == 0 && (fflush(stdout) != 0 || ferror(stdout))) {
		fprintf(stderr, "musessload: cannot write: %s\n", strerror(errno));
		status = 1;
	}
	summary_free(&s[0]);
	summary_free(&s[1]);
	return status;
}
