/* What is known of runs: records are added, sums and rates are asked for (summary.h). */
#include "summary.h"
#include "ntstatus.h"
#include "run-info.h"

#include <freerdp/error.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- names ---- */

struct name {
	const char *name, *text;
};

#define X(id, name, text) [id] = { name, text },
static const struct name metrics[METRIC_COUNT] = { LOAD_PHASES(X) LOAD_METRICS(X) };
static const struct name errors[LOAD_ERROR_COUNT] = { LOAD_ERRORS(X) };
#undef X

const char *metric_name(unsigned metric)
{
	return metrics[metric].name;
}

const char *metric_text(unsigned metric)
{
	return metrics[metric].text;
}

const char *load_error_name(enum load_error error)
{
	return errors[error].name;
}

const char *load_error_text(enum load_error error)
{
	return errors[error].text;
}

static int find(const struct name *names, int count, const char *name)
{
	for (int i = 0; i < count; i++)
		if (strcmp(names[i].name, name) == 0)
			return i;
	return -1;
}

int metric_find(const char *name)
{
	return find(metrics, METRIC_COUNT, name);
}

int load_phase_find(const char *name)
{
	return find(metrics, LOAD_PHASE_COUNT, name);
}

int load_error_find(const char *name)
{
	return find(errors, LOAD_ERROR_COUNT, name);
}

/* ---- counters by text ---- */

static void count(struct summary_counts *counts, unsigned kind, uint32_t code, const char *text)
{
	struct summary_count *row = counts->rows, seen = { .kind = kind, .code = code };

	snprintf(seen.text, sizeof(seen.text), "%s", text);
	load_clean(seen.text);
	for (size_t i = 0; i < counts->count; i++, row++)
		if (row->kind == kind && row->code == code && strcmp(row->text, seen.text) == 0)
			break;
	if (row == counts->rows + SUMMARY_COUNTS) {
		row--; /* its own count goes on among the others' */
		snprintf(row->text, sizeof(row->text), "others");
	} else if (row == counts->rows + counts->count) {
		*row = seen;
		counts->count++;
	}
	row->count++;
}

/* ---- runs ---- */

int summary_add_run(struct summary *summary, const struct run_info *info)
{
	static const struct run_info unknown = { 0 };
	struct summary_run run = { .has_info = info != NULL };
	struct summary_run *runs =
	    reallocarray(summary->runs, summary->run_count + 1, sizeof(*runs));

	if (!runs)
		return -1;
	summary->runs = runs;
	if (run_info_copy(&run.info, info ? info : &unknown) < 0)
		return -1;
	if (run_end_copy(&run.end, &(struct run_end){ 0 }) < 0) {
		run_info_free(&run.info);
		return -1;
	}
	runs[summary->run_count++] = run;
	return 0;
}

/* The run to which records belong now; one of which nothing is known where none was begun. NULL:
   no memory. */
static struct summary_run *current_run(struct summary *summary)
{
	if (summary->run_count == 0 && summary_add_run(summary, NULL) < 0)
		return NULL;
	return &summary->runs[summary->run_count - 1];
}

int summary_add_end(struct summary *summary, const struct run_end *end)
{
	struct summary_run *run = current_run(summary);

	if (!run || run_end_copy(&run->end, end) < 0)
		return -1;
	run->ended = true;
	if (run->last < end->duration_us)
		run->last = end->duration_us;
	return 0;
}

/* ---- starts ---- */

static int add_point(struct summary *summary, struct summary_point point)
{
	struct summary_run *run = current_run(summary);
	size_t capacity = summary->point_capacity ? summary->point_capacity * 2 : 256;
	struct summary_point *points;

	if (!run)
		return -1;
	if (summary->point_count == summary->point_capacity) {
		points = reallocarray(summary->points, capacity, sizeof(*points));
		if (!points)
			return -1;
		summary->points = points;
		summary->point_capacity = capacity;
	}
	point.run = (uint32_t)(summary->run_count - 1);
	summary->points[summary->point_count++] = point;
	if (run->last < point.end)
		run->last = point.end;
	return 0;
}

/* PART: of a session's samples of one metric. */
static int add_sample(struct summary *summary, unsigned metric, uint64_t sample,
    const struct result *r, unsigned part)
{
	uint64_t run = summary->run_count - 1;
	int status = dist_add(&summary->metric[metric], sample);

	if (!summary->with_series)
		return status;
	status |= dist_add(&summary->series[metric], (run << 48) + r->started + part);
	return status | dist_add(&summary->series[metric], sample);
}

static int add_samples(struct summary *summary, const struct result *r)
{
	uint64_t late = r->started > r->planned ? r->started - r->planned : 0;
	int status = 0;

	for (int i = 0; i < LOAD_PHASE_COUNT; i++)
		if (r->phase[i] != NOT_REACHED)
			status |= add_sample(summary, (unsigned)i, r->phase[i], r, 0);
	for (unsigned i = 0; i < r->echoes && i < LOAD_ECHOES; i++)
		status |= add_sample(summary, METRIC_ECHO, r->echo[i], r, i);
	if (r->total != NOT_REACHED) {
		status |= add_sample(summary, METRIC_TOTAL, r->total, r, 0);
		status |= add_sample(summary, METRIC_RESPONSE, r->total + late, r, 0);
		status |= add_sample(summary, METRIC_HELD, r->held, r, 0);
	}
	return status;
}

/* Set Error Info codes have FreeRDP's names, statuses ours; else what the engine found. */
static const char *cause(const struct result *r)
{
	if (r->error == LOAD_ERRINFO && r->errinfo)
		return freerdp_get_error_info_name(r->errinfo);
	if (r->error == LOAD_SM && r->status)
		return ntstatus_name(r->status);
	return r->detail;
}

static void count_session(struct summary *summary, const struct result *r)
{
	summary->started++;
	summary->errors[r->error]++;
	if (r->error == LOAD_OK)
		summary->ok++;
	else {
		summary->failed_in[r->error][r->failed_in]++;
		count(&summary->causes, r->error, 0, cause(r));
		if (r->error != LOAD_INTERRUPTED)
			summary->failed++;
	}
	if (r->errinfo)
		count(&summary->errinfo, 0, r->errinfo, freerdp_get_error_info_name(r->errinfo));
	summary->certificate_mismatches += r->certificate_mismatch;
	summary->reconnected += r->reconnected;
	summary->not_logged_off += r->not_logged_off;
}

int summary_add_session(struct summary *summary, const struct result *result)
{
	struct summary_point point = { .planned = result->planned,
		.started = result->started,
		.total = result->total,
		.end = result->started + result->held,
		.error = (uint8_t)result->error };

	if (result->total != NOT_REACHED)
		point.end += result->total;
	if (add_point(summary, point) < 0)
		return -1;
	count_session(summary, result);
	return add_samples(summary, result);
}

int summary_add_missed(struct summary *summary, const struct missed *missed)
{
	struct summary_point point = { .planned = missed->planned,
		.started = missed->planned,
		.total = NOT_REACHED,
		.end = missed->planned,
		.missed = true };

	if (add_point(summary, point) < 0)
		return -1;
	summary->missed++;
	count(&summary->why, 0, 0, missed->why);
	return 0;
}

/* ---- time ---- */

/* The run not yet placed that began first; NULL where all are. */
static struct summary_run *next_run(struct summary *summary, const bool *placed)
{
	struct summary_run *first = NULL;

	for (size_t i = 0; i < summary->run_count; i++)
		if (!placed[i] && (!first || summary->runs[i].info.epoch_us < first->info.epoch_us))
			first = &summary->runs[i];
	return first;
}

uint64_t summary_align(struct summary *summary)
{
	bool *placed = calloc(summary->run_count + 1, sizeof(*placed));
	uint64_t end = 0, clock = 0; /* of the axis so far; the clock's time at its begin */
	struct summary_run *run;

	for (bool first = true; placed && (run = next_run(summary, placed)); first = false) {
		uint64_t epoch = run->info.epoch_us;

		placed[run - summary->runs] = true;
		if (first || epoch - clock > end)
			clock = epoch - end; /* none ran in between */
		run->shift = epoch - clock;
		if (end < run->shift + run->last)
			end = run->shift + run->last;
	}
	free(placed);
	return end;
}

struct span {
	uint64_t count, first, last;
};

static void extend(struct span *span, uint64_t at)
{
	if (span->count == 0 || at < span->first)
		span->first = at;
	if (span->count == 0 || at > span->last)
		span->last = at;
	span->count++;
}

static double per_second(const struct span *span)
{
	if (span->count < 2 || span->last == span->first)
		return 0;
	return (double)(span->count - 1) * 1e6 / (double)(span->last - span->first);
}

double summary_rate_planned(struct summary *summary)
{
	struct span span = { 0 };

	summary_align(summary);
	for (size_t i = 0; i < summary->point_count; i++) {
		const struct summary_point *p = &summary->points[i];
		extend(&span, summary->runs[p->run].shift + p->planned);
	}
	return per_second(&span);
}

bool summary_point_good(const struct summary_point *point)
{
	return point->total != NOT_REACHED &&
	       (point->error == LOAD_OK || point->error == LOAD_INTERRUPTED);
}

double summary_rate_reached(struct summary *summary)
{
	struct span span = { 0 };

	summary_align(summary);
	for (size_t i = 0; i < summary->point_count; i++) {
		const struct summary_point *p = &summary->points[i];
		if (summary_point_good(p))
			extend(&span, summary->runs[p->run].shift + p->started + p->total);
	}
	return per_second(&span);
}

/* ---- sums ---- */

double summary_fail_ratio(const struct summary *summary)
{
	uint64_t of = summary->ok + summary->failed;

	return of ? (double)summary->failed / (double)of : 0;
}

double summary_missed_ratio(const struct summary *summary)
{
	uint64_t of = summary->started + summary->missed;

	return of ? (double)summary->missed / (double)of : 0;
}

struct summary_client summary_client(const struct summary *summary)
{
	struct summary_client client = { 0 };
	uint64_t live = 0;

	for (size_t i = 0; i < summary->run_count; i++) {
		const struct run_end *end = &summary->runs[i].end;

		client.cpu_us += (double)end->cpu_us;
		client.memory += (double)end->memory;
		live += end->memory_live;
		if (client.late_us < end->late_us)
			client.late_us = end->late_us;
	}
	client.cpu_us = summary->started ? client.cpu_us / (double)summary->started : 0;
	client.memory = live ? client.memory / (double)live : 0;
	return client;
}

bool summary_client_limited(const struct summary *summary, char *text, size_t size)
{
	for (size_t i = 0; i < summary->run_count; i++)
		if (summary->runs[i].end.client_limited) {
			snprintf(text, size, "%s", summary->runs[i].end.limit);
			return true;
		}
	for (size_t i = 0; i < summary->why.count; i++)
		if (strcmp(summary->why.rows[i].text, "late") == 0) {
			snprintf(text, size, "%llu starts were missed as it was too late for them",
			    (unsigned long long)summary->why.rows[i].count);
			return true;
		}
	if (summary->errors[LOAD_LOCAL]) {
		snprintf(text, size, "%llu sessions failed for want of its own resources",
		    (unsigned long long)summary->errors[LOAD_LOCAL]);
		return true;
	}
	snprintf(text, size, "%s", "");
	return false;
}

void summary_free(struct summary *summary)
{
	for (size_t i = 0; i < summary->run_count; i++) {
		run_info_free(&summary->runs[i].info);
		run_end_free(&summary->runs[i].end);
	}
	for (int i = 0; i < METRIC_COUNT; i++) {
		dist_free(&summary->metric[i]);
		dist_free(&summary->series[i]);
	}
	free(summary->runs);
	free(summary->points);
	*summary = (struct summary){ 0 };
}
