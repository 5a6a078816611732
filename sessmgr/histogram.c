/* The bounds go from a pooled session's half a millisecond to a deadline's half a minute. */
#include "histogram.h"

const uint64_t histogram_bounds[HISTOGRAM_BUCKETS - 1] = { 500, 1000, 2000, 5000, 10000, 20000,
	50000, 100000, 200000, 500000, 1000000, 2000000, 5000000, 10000000, 30000000 };

void histogram_add(struct histogram *histogram, uint64_t microseconds)
{
	unsigned bucket = 0;

	while (bucket < HISTOGRAM_BUCKETS - 1 && microseconds > histogram_bounds[bucket])
		bucket++;
	histogram->counts[bucket]++;
	histogram->sum += microseconds;
}

uint64_t histogram_count(const struct histogram *histogram)
{
	uint64_t count = 0;

	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
		count += histogram->counts[i];
	return count;
}
