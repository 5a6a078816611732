/* A summary over time, in bins (timeline.h). */
#include "timeline.h"

#include <math.h>
#include <stdlib.h>

enum { BINS_MAX = 120, BINS_MIN = 12, STARTS_PER_BIN = 8, ROWS_MIN = 10, ROWS_MAX = 40 };

/* What is counted in each bin. */
enum series { PLANNED, STARTED, REACHED, MISSED, ERRORS, SERIES = ERRORS + LOAD_ERROR_COUNT };

struct timeline {
	struct summary *summary;
	uint64_t duration, width;
	size_t bins;
	uint64_t *counts[SERIES];
	double *live;
	/* the heat map: bins of rows, to the last start only */
	uint64_t heat_duration, heat_width;
	size_t heat_bins, rows;
	int steps, first; /* rows to an octave; its first row */
	uint64_t *heat;
};

/* ---- bins ---- */

/* The smallest of 1, 2, 5, 10, ... that is not below US. */
static uint64_t round_up(double us)
{
	static const uint64_t digits[] = { 1, 2, 5 };

	for (uint64_t decade = 1;; decade *= 10)
		for (int i = 0; i < 3; i++)
			if ((double)(digits[i] * decade) >= us)
				return digits[i] * decade;
}

/* Fewer bins where few starts would make each a matter of luck. */
static uint64_t choose_width(const struct timeline *t, uint64_t duration)
{
	double bins = (double)t->summary->point_count / STARTS_PER_BIN;

	bins = fmax(BINS_MIN, fmin(BINS_MAX, bins));
	return round_up(fmax(1, (double)duration / bins));
}

static void choose_bins(struct timeline *t)
{
	const struct summary *s = t->summary;

	t->width = choose_width(t, t->duration);
	t->bins = (size_t)(t->duration / t->width) + 1;
	for (size_t i = 0; i < s->point_count; i++) {
		uint64_t at = s->runs[s->points[i].run].shift + s->points[i].started;

		if (t->heat_duration < at)
			t->heat_duration = at;
	}
	t->heat_width = choose_width(t, t->heat_duration);
	t->heat_bins = (size_t)(t->heat_duration / t->heat_width) + 1;
}

static uint64_t shift_of(const struct timeline *t, const struct summary_point *p)
{
	return t->summary->runs[p->run].shift;
}

static size_t bin_of(const struct timeline *t, uint64_t at)
{
	size_t bin = (size_t)(at / t->width);

	return bin < t->bins ? bin : t->bins - 1;
}

static void count_point(struct timeline *t, const struct summary_point *p)
{
	uint64_t shift = shift_of(t, p);
	size_t start = bin_of(t, shift + p->started);

	t->counts[PLANNED][bin_of(t, shift + p->planned)]++;
	if (p->missed) {
		t->counts[MISSED][bin_of(t, shift + p->planned)]++;
		return;
	}
	t->counts[STARTED][start]++;
	if (summary_point_good(p))
		t->counts[REACHED][bin_of(t, shift + p->started + p->total)]++;
	if (p->error != LOAD_OK)
		t->counts[ERRORS + p->error][bin_of(t, shift + p->end)]++;
}

/* A session is there for a share of the bins in which it begins and ends, and for all of those
   between: these come from a running sum, so that long sessions cost no more than short ones. */
static void count_live(struct timeline *t, double *through, const struct summary_point *p)
{
	double from = (double)(shift_of(t, p) + p->started) / (double)t->width;
	double to = (double)(shift_of(t, p) + p->end) / (double)t->width;
	size_t first = bin_of(t, shift_of(t, p) + p->started);
	size_t last = bin_of(t, shift_of(t, p) + p->end);

	if (first == last) {
		t->live[first] += to - from;
		return;
	}
	t->live[first] += (double)first + 1 - from;
	t->live[last] += to - (double)last;
	through[first + 1] += 1;
	through[last] -= 1;
}

static void add_through(struct timeline *t, const double *through)
{
	double there = 0;

	for (size_t i = 0; i < t->bins; i++) {
		there += through[i];
		t->live[i] += there;
	}
}

/* ---- the heat map ---- */

static int row_of(int steps, uint64_t us)
{
	return (int)floor(log2((double)(us > 0 ? us : 1)) * steps);
}

/* As fine as ROWS_MAX rows allow; of few sessions coarser, or each would be a cell of its own. */
static void choose_rows(struct timeline *t)
{
	struct dist *total = &t->summary->metric[METRIC_TOTAL];
	double most = fmin(ROWS_MAX, fmax(ROWS_MIN, (double)dist_count(total) / 8));
	int last;

	for (t->steps = 16; t->steps >= 1; t->steps /= 2) {
		t->first = row_of(t->steps, dist_min(total));
		last = row_of(t->steps, dist_max(total));
		t->rows = (size_t)(last - t->first) + 1;
		if ((double)t->rows <= most)
			return;
	}
	t->steps = 1;
}

static void count_heat(struct timeline *t, const struct summary_point *p)
{
	size_t bin = (size_t)((shift_of(t, p) + p->started) / t->heat_width);

	if (!p->missed && p->total != NOT_REACHED)
		t->heat[bin * t->rows + (size_t)(row_of(t->steps, p->total) - t->first)]++;
}

/* ---- all of it ---- */

static void timeline_free(struct timeline *t)
{
	for (int i = 0; i < SERIES; i++)
		free(t->counts[i]);
	free(t->live);
	free(t->heat);
}

/* Returns 0, or -1 where memory is short. */
static int timeline_make(struct timeline *t)
{
	double *through = calloc(t->bins + 1, sizeof(*through));
	bool there = through != NULL;

	for (int i = 0; i < SERIES; i++) {
		t->counts[i] = calloc(t->bins, sizeof(*t->counts[i]));
		there = there && t->counts[i];
	}
	t->live = calloc(t->bins, sizeof(*t->live));
	t->heat = calloc(t->heat_bins * t->rows, sizeof(*t->heat));
	there = there && t->live && t->heat;
	for (size_t i = 0; there && i < t->summary->point_count; i++) {
		const struct summary_point *p = &t->summary->points[i];

		count_point(t, p);
		count_heat(t, p);
		if (!p->missed)
			count_live(t, through, p);
	}
	if (there)
		add_through(t, through);
	free(through);
	return there ? 0 : -1;
}

static json_t *counts_json(const struct timeline *t, int series)
{
	json_t *array = json_array();

	for (size_t i = 0; i < t->bins; i++)
		json_array_append_new(array, json_integer((json_int_t)t->counts[series][i]));
	return array;
}

static json_t *live_json(const struct timeline *t)
{
	json_t *array = json_array();

	for (size_t i = 0; i < t->bins; i++)
		json_array_append_new(array, json_real(round(t->live[i] * 100) / 100));
	return array;
}

static json_t *errors_json(const struct timeline *t)
{
	json_t *errors = json_object();

	for (int i = LOAD_OK + 1; i < LOAD_ERROR_COUNT; i++)
		if (t->summary->errors[i])
			json_object_set_new(errors, load_error_name((enum load_error)i),
			    counts_json(t, ERRORS + i));
	return errors;
}

static json_t *heat_json(const struct timeline *t)
{
	json_t *cells = json_array();

	for (size_t i = 0; i < t->heat_bins * t->rows; i++)
		if (t->heat[i])
			json_array_append_new(
			    cells, json_pack("[I,I,I]", (json_int_t)(i / t->rows),
			               (json_int_t)(i % t->rows), (json_int_t)t->heat[i]));
	return json_pack("{s:I,s:I,s:i,s:i,s:I,s:o}", "width", (json_int_t)t->heat_width,
	    "duration", (json_int_t)t->heat_duration, "steps", t->steps, "first", t->first, "rows",
	    (json_int_t)t->rows, "cells", cells);
}

json_t *timeline_json(struct summary *summary)
{
	struct timeline t = { .summary = summary, .duration = summary_align(summary) };
	json_t *document = NULL;

	choose_bins(&t);
	choose_rows(&t);
	if (timeline_make(&t) == 0)
		document = json_pack("{s:I,s:I,s:o,s:o,s:o,s:o,s:o,s:o,s:o}", "width",
		    (json_int_t)t.width, "duration", (json_int_t)t.duration, "planned",
		    counts_json(&t, PLANNED), "started", counts_json(&t, STARTED), "reached",
		    counts_json(&t, REACHED), "missed", counts_json(&t, MISSED), "live",
		    live_json(&t), "errors", errors_json(&t), "heat", heat_json(&t));
	timeline_free(&t);
	return document;
}

json_t *timeline_curve(struct dist *dist)
{
	double count = (double)dist_count(dist);
	json_t *curve = json_array();

	for (int i = 0; exp2(i / 8.0) < count; i++)
		json_array_append_new(
		    curve, json_pack("[f,I]", exp2(i / 8.0),
		               (json_int_t)dist_percentile(dist, 100 - 100 / exp2(i / 8.0))));
	if (count > 0)
		json_array_append_new(curve, json_pack("[f,I]", count, (json_int_t)dist_max(dist)));
	return curve;
}
