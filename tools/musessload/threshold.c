/* Thresholds: parsed, compared with a summary, and reported (threshold.h). */
#include "threshold.h"
#include "format.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *name;
	double factor;
} units[] = { { "us", 1 }, { "ms", 1e3 }, { "s", 1e6 }, { "m", 60e6 } };

/* ---- parsing ---- */

/* The value behind the comparison, with a unit that its kind has. Returns 0, or -1. */
static int parse_limit(struct threshold *t, const char *text, char *error, size_t size)
{
	char *unit;
	double value = strtod(text, &unit);

	if (unit == text || !isfinite(value) || value < 0) {
		snprintf(error, size, "\"%s\" is no number", text);
		return -1;
	}
	if (t->kind == THRESHOLD_FAIL || t->kind == THRESHOLD_MISSED) {
		t->limit = value / 100;
		if (strcmp(unit, "%") == 0 && value <= 100)
			return 0;
		snprintf(error, size, "fail and missed need a percentage, as 1%%");
		return -1;
	}
	if (t->kind == THRESHOLD_RATE) {
		t->limit = value;
		if (strcmp(unit, "/s") == 0)
			return 0;
		snprintf(error, size, "rate needs a number per second, as 20/s");
		return -1;
	}
	for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++)
		if (strcmp(unit, units[i].name) == 0) {
			t->limit = value * units[i].factor;
			return 0;
		}
	snprintf(error, size, "a time needs a unit: us, ms, s or m, as 800ms");
	return -1;
}

/* STATISTIC is what stands before the metric's parenthesis. Returns 0, or -1. */
static int parse_statistic(struct threshold *t, const char *statistic, char *error, size_t size)
{
	char *end;

	t->kind = THRESHOLD_PERCENTILE;
	if (strcmp(statistic, "mean") == 0) {
		t->kind = THRESHOLD_MEAN;
	} else if (strcmp(statistic, "min") == 0) {
		t->percent = 0;
	} else if (strcmp(statistic, "max") == 0) {
		t->percent = 100;
	} else {
		t->percent = *statistic == 'p' ? strtod(statistic + 1, &end) : -1;
		if (!(t->percent >= 0 && t->percent <= 100) || end == statistic + 1 || *end) {
			snprintf(error, size,
			    "\"%s\" is no statistic: there are min, mean, max and percentiles, as "
			    "p95 or p99.9",
			    statistic);
			return -1;
		}
	}
	return 0;
}

static int parse_metric(struct threshold *t, const char *name, char *error, size_t size)
{
	int metric = metric_find(name);
	size_t used;

	if (metric >= 0) {
		t->metric = (unsigned)metric;
		return 0;
	}
	used = (size_t)snprintf(error, size, "\"%s\" is no metric: there are", name);
	for (unsigned i = 0; i < METRIC_COUNT && used < size; i++)
		used += (size_t)snprintf(
		    error + used, size - used, "%s %s", i ? "," : "", metric_name(i));
	return -1;
}

/* LEFT is what stands before the comparison; it is cut up. Returns 0, or -1. */
static int parse_left(struct threshold *t, char *left, char *error, size_t size)
{
	size_t length = strlen(left);
	char *parenthesis = strchr(left, '(');

	if (strcmp(left, "fail") == 0)
		t->kind = THRESHOLD_FAIL;
	else if (strcmp(left, "missed") == 0)
		t->kind = THRESHOLD_MISSED;
	else if (strcmp(left, "rate") == 0)
		t->kind = THRESHOLD_RATE;
	else if (!parenthesis || left[length - 1] != ')') {
		snprintf(error, size,
		    "\"%s\" cannot be measured: there are fail, missed, rate, and statistics of "
		    "metrics, as p95(total)",
		    left);
		return -1;
	} else {
		left[length - 1] = 0;
		*parenthesis = 0;
		if (parse_statistic(t, left, error, size) < 0)
			return -1;
		return parse_metric(t, parenthesis + 1, error, size);
	}
	return 0;
}

/* TEXT without blanks, which fits. */
static void leave_blanks_out(char *to, const char *text)
{
	for (; *text; text++)
		if (!isspace((unsigned char)*text))
			*to++ = *text;
	*to = 0;
}

int threshold_parse(struct threshold *threshold, const char *text, char *error, size_t size)
{
	char left[sizeof(threshold->text)] = "", *right;

	*threshold = (struct threshold){ 0 };
	if (strlen(text) >= sizeof(left)) {
		snprintf(error, size, "it is longer than %zu bytes", sizeof(left) - 1);
		return -1;
	}
	leave_blanks_out(left, text);
	right = left + strcspn(left, "<>");
	if (*right == 0) {
		snprintf(error, size, "it is no comparison, as p95(total)<800ms or fail<1%%");
		return -1;
	}
	snprintf(threshold->text, sizeof(threshold->text), "%s", text);
	threshold->above = *right == '>';
	*right++ = 0;
	threshold->equal = *right == '=';
	right += threshold->equal;
	if (parse_left(threshold, left, error, size) < 0)
		return -1;
	return parse_limit(threshold, right, error, size);
}

/* ---- checking ---- */

/* Returns false where nothing was measured. */
static bool measure(const struct threshold *t, struct summary *s, double *value)
{
	struct dist *dist = &s->metric[t->metric];

	switch (t->kind) {
	case THRESHOLD_PERCENTILE:
		*value = (double)dist_percentile(dist, t->percent);
		return dist_count(dist) > 0;
	case THRESHOLD_MEAN:
		*value = dist_mean(dist);
		return dist_count(dist) > 0;
	case THRESHOLD_FAIL:
		*value = summary_fail_ratio(s);
		return s->ok + s->failed > 0;
	case THRESHOLD_MISSED:
		*value = summary_missed_ratio(s);
		return s->started + s->missed > 0;
	case THRESHOLD_RATE:
		*value = summary_rate_reached(s);
		return *value > 0;
	}
	return false;
}

static void describe(const struct threshold *t, double value, char *found, size_t size)
{
	switch (t->kind) {
	case THRESHOLD_PERCENTILE:
	case THRESHOLD_MEAN:
		format_time(found, size, value);
		break;
	case THRESHOLD_FAIL:
	case THRESHOLD_MISSED:
		snprintf(found, size, "%.3g%%", value * 100);
		break;
	case THRESHOLD_RATE:
		snprintf(found, size, "%.2f/s", value);
		break;
	}
}

enum threshold_state threshold_check(
    const struct threshold *threshold, struct summary *summary, char *found, size_t size)
{
	double value, limit = threshold->limit;
	bool kept;

	if (!measure(threshold, summary, &value)) {
		snprintf(found, size, "nothing was measured");
		return THRESHOLD_UNKNOWN;
	}
	describe(threshold, value, found, size);
	kept = threshold->above ? value > limit : value < limit;
	kept = kept || (threshold->equal && value == limit);
	return kept ? THRESHOLD_KEPT : THRESHOLD_CROSSED;
}

unsigned threshold_report(
    FILE *out, const struct threshold *thresholds, size_t count, struct summary *summary)
{
	unsigned crossed = 0;

	if (count)
		fputc('\n', out);
	for (size_t i = 0; i < count; i++) {
		char found[64];
		enum threshold_state state =
		    threshold_check(&thresholds[i], summary, found, sizeof(found));

		fprintf(out, "threshold %s: %s (%s)\n", thresholds[i].text,
		    state == THRESHOLD_KEPT ? "kept" : "CROSSED", found);
		crossed += state != THRESHOLD_KEPT;
	}
	return crossed;
}
