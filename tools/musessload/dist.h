/*
 * An exact distribution: every sample is kept, so that distributions of several files become one
 * without an error, and any percentile can be asked for later. A zeroed struct is an empty one.
 *
 * Samples [0, sorted) are in order, those behind them as they came. Whoever asks pays for
 * sorting what came since the last question, and for merging it; so asking every second during a
 * run is cheap.
 */
#ifndef MUSESS_LOAD_DIST_H
#define MUSESS_LOAD_DIST_H

#include <stddef.h>
#include <stdint.h>

struct dist {
	uint64_t *samples;
	size_t count, sorted, capacity;
};

/* Returns 0, or -1 where memory is short: then nothing was added. */
int dist_add(struct dist *dist, uint64_t sample);

size_t dist_count(const struct dist *dist);

/* All samples, in order; the array is the distribution's, until the next dist_add. */
const uint64_t *dist_samples(struct dist *dist);

/* The smallest sample that PERCENT (0 to 100) of all samples do not exceed: always one that was
   measured, never one between two. 0 where there is none; so of the others below. */
uint64_t dist_percentile(struct dist *dist, double percent);

uint64_t dist_min(struct dist *dist);
uint64_t dist_max(struct dist *dist);
double dist_mean(const struct dist *dist);
double dist_deviation(const struct dist *dist); /* of the samples themselves, not an estimate */

void dist_free(struct dist *dist);

#endif
