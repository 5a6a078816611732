/*
 * Histograms of times, as Prometheus has them: fixed bounds, of each a count. Counting is two
 * additions.
 */
#ifndef MUSESS_HISTOGRAM_H
#define MUSESS_HISTOGRAM_H

#include "messages.h"

/* The upper bounds of all buckets but the last, which has none, in microseconds. */
extern const uint64_t histogram_bounds[HISTOGRAM_BUCKETS - 1];

/* Counts a time of that many MICROSECONDS. */
void histogram_add(struct histogram *histogram, uint64_t microseconds);

/* How many were counted. */
uint64_t histogram_count(const struct histogram *histogram);

#endif
