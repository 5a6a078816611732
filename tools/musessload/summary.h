/*
 * What is known of one or several runs: filled by `run` while it measures, and by reading files
 * (result-file.h), in the same way. Several files read into one summary make one exact
 * distribution of each metric. A zeroed struct is an empty one.
 *
 * Beside the distributions every start is kept with its times (a point): rates, live sessions and
 * pictures over time are made of those, at whatever resolution somebody wants.
 *
 *   started = ok + failed + interrupted     planned = started + missed
 *
 * A session that was interrupted says nothing about the server: it is neither good nor failed.
 */
#ifndef MUSESS_LOAD_SUMMARY_H
#define MUSESS_LOAD_SUMMARY_H

#include "dist.h"
#include "result.h"

/* What has a distribution: the phases, by their numbers and names, and these. */
#define LOAD_METRICS(X)                                                                            \
	X(METRIC_TOTAL, "total", "service time: from the start until what --until names")          \
	X(METRIC_RESPONSE, "response", "the same from the planned start: what a user waits")       \
	X(METRIC_ECHO, "echo", "key press to picture")                                             \
	X(METRIC_HELD, "held", "from there to the session's end")

enum metric {
	METRIC_FIRST = LOAD_PHASE_COUNT - 1, /* LOAD_METRICS begins behind the last phase */
#define X(id, name, text) id,
	LOAD_METRICS(X)
#undef X
	    METRIC_COUNT
};

/* Never NULL. */
const char *metric_name(unsigned metric);
const char *metric_text(unsigned metric);
const char *load_error_name(enum load_error error);
const char *load_error_text(enum load_error error);

/* The metric, phase or error of that name, or -1. */
int metric_find(const char *name);
int load_phase_find(const char *name);
int load_error_find(const char *name);

struct summary_run {
	struct run_info info; /* copies; no string is NULL */
	struct run_end end;
	bool ended;     /* there was an end line */
	bool has_info;  /* there was a run line */
	uint64_t last;  /* the latest moment of it that is known, since its begin */
	uint64_t shift; /* from the summary's begin to the run's: summary_align() */
};

/* One start, made or not. */
struct summary_point {
	uint64_t planned, started, total, end; /* since its run's begin; total is a duration */
	uint32_t run;                          /* of summary.runs */
	uint8_t error;                         /* enum load_error */
	bool missed;                           /* only planned is set */
};

/* It came to what --until names and did not fail later: what rates count. */
bool summary_point_good(const struct summary_point *point);

/* How often something was seen. */
struct summary_count {
	char text[LOAD_DETAIL_SIZE];
	unsigned kind; /* of causes: enum load_error */
	uint32_t code; /* of errinfo: the Set Error Info code */
	uint64_t count;
};
enum { SUMMARY_COUNTS = 64 };
struct summary_counts {
	struct summary_count rows[SUMMARY_COUNTS]; /* the last one has what no row was left for */
	size_t count;
};

struct summary {
	struct summary_run *runs;
	size_t run_count;
	struct summary_point *points;
	size_t point_count, point_capacity;
	struct dist metric[METRIC_COUNT]; /* microseconds, of the sessions that have it */
	bool with_series;                 /* set before anything is added: series is wanted */
	struct dist series
	    [METRIC_COUNT]; /* of each sample where in its run it began, and itself; not in order */
	uint64_t started, ok, failed, missed;
	uint64_t errors[LOAD_ERROR_COUNT];
	uint64_t failed_in[LOAD_ERROR_COUNT][LOAD_PHASE_COUNT];
	struct summary_counts causes;  /* errors by kind and detail */
	struct summary_counts errinfo; /* Set Error Info codes, of good sessions too */
	struct summary_counts why;     /* why starts were missed */
	uint64_t certificate_mismatches, reconnected, not_logged_off;
	uint64_t bad_lines, torn_files; /* of the files that were read */
};

/* Begins a run, to which what is added next belongs. Copies INFO; NULL: nothing is known of it
   (its file has no first line). As all below returns 0, or -1 where memory is short. */
int summary_add_run(struct summary *summary, const struct run_info *info);
int summary_add_session(struct summary *summary, const struct result *result);
int summary_add_missed(struct summary *summary, const struct missed *missed);
int summary_add_end(struct summary *summary, const struct run_end *end);

/* Puts the runs on one axis of time, that of their clocks, without the gaps in which none ran.
   Returns how long it is, in microseconds. Call it before shift is used. */
uint64_t summary_align(struct summary *summary);

/* Per second; 0 where fewer than two starts do not tell. Planned: starts from the first to the
   last. Reached: sessions that came to what --until names, and did not fail later, from the first
   to the last; so it is the server's throughput, whatever the model. Several runs are on one axis for this:
   what ran at one time is added. */
double summary_rate_planned(struct summary *summary);
double summary_rate_reached(struct summary *summary);

/* Of the sessions that were not interrupted, 0 to 1; 0 where there is none. */
double summary_fail_ratio(const struct summary *summary);
/* Of the starts that were planned. */
double summary_missed_ratio(const struct summary *summary);

/* What making the load cost: processor time per connection, private memory per connection at the
   peak of live ones (microseconds, bytes; 0: not known), and the latest start. */
struct summary_client {
	double cpu_us, memory;
	uint64_t late_us;
};
struct summary_client summary_client(const struct summary *summary);

/* Whether a run was limited by the machine that made the load. TEXT (SIZE bytes) says why. */
bool summary_client_limited(const struct summary *summary, char *text, size_t size);

void summary_free(struct summary *summary);

#endif
