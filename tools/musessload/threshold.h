/*
 * Thresholds: what a run has to keep for its exit status to be good.
 *
 *   p95(total)<800ms   p99.9(first_picture)<=2s   max(tls)<1s   mean(response)<250ms
 *   min(held)>=30s     fail<1%                    missed<=0%    rate>=20/s
 *
 * Blanks do not count. The metrics are summary.h's. Times need a unit: us, ms, s or m. fail is of the sessions that
 * were started, missed of the starts that were planned, rate is sessions per second that came to
 * what --until names and did not fail later.
 */
#ifndef MUSESS_LOAD_THRESHOLD_H
#define MUSESS_LOAD_THRESHOLD_H

#include "summary.h"

#include <stdio.h>

enum threshold_kind {
	THRESHOLD_PERCENTILE,
	THRESHOLD_MEAN,
	THRESHOLD_FAIL,
	THRESHOLD_MISSED,
	THRESHOLD_RATE,
};

struct threshold {
	char text[64]; /* as it was given */
	enum threshold_kind kind;
	unsigned metric;   /* enum metric */
	double percent;    /* of THRESHOLD_PERCENTILE: min is 0, max is 100 */
	bool above, equal; /* > instead of <; = allowed too */
	double limit;      /* microseconds, a ratio (0 to 1), or per second */
};

enum threshold_state {
	THRESHOLD_KEPT,
	THRESHOLD_CROSSED,
	THRESHOLD_UNKNOWN, /* nothing was measured yet. At the end that is no better than crossed */
};

/* Returns 0, or -1 and in ERROR (SIZE bytes) what is wrong with TEXT. */
int threshold_parse(struct threshold *threshold, const char *text, char *error, size_t size);

/* FOUND (SIZE bytes; at least 64): what was measured, as people write it. */
enum threshold_state threshold_check(
    const struct threshold *threshold, struct summary *summary, char *found, size_t size);

/* A line for each of COUNT. Returns how many were not kept. */
unsigned threshold_report(
    FILE *out, const struct threshold *thresholds, size_t count, struct summary *summary);

#endif
