/* Exact distributions: an array of all samples, sorted when somebody asks (dist.h). */
#include "dist.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

int dist_add(struct dist *dist, uint64_t sample)
{
	if (dist->count == dist->capacity) {
		size_t capacity = dist->capacity ? dist->capacity * 2 : 64;
		uint64_t *samples = reallocarray(dist->samples, capacity, sizeof(*samples));

		if (!samples)
			return -1;
		dist->samples = samples;
		dist->capacity = capacity;
	}
	dist->samples[dist->count++] = sample;
	return 0;
}

size_t dist_count(const struct dist *dist)
{
	return dist->count;
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* Merges the new samples, in order too, into those before them: from the end, so that only the
   new ones need a copy. Returns 0, or -1 where there is no memory for that. */
static int merge(struct dist *d)
{
	size_t old = d->sorted, fresh = d->count - old, to = d->count;
	uint64_t *copy = calloc(fresh, sizeof(*copy));

	if (!copy)
		return -1;
	memcpy(copy, d->samples + old, fresh * sizeof(*copy));
	while (fresh > 0) {
		bool from_old = old > 0 && d->samples[old - 1] > copy[fresh - 1];

		d->samples[--to] = from_old ? d->samples[--old] : copy[--fresh];
	}
	free(copy);
	return 0;
}

static void sort(struct dist *d)
{
	size_t fresh = d->count - d->sorted;

	if (fresh == 0)
		return;
	qsort(d->samples + d->sorted, fresh, sizeof(*d->samples), compare);
	if (d->sorted > 0 && merge(d) < 0)
		qsort(d->samples, d->count, sizeof(*d->samples), compare);
	d->sorted = d->count;
}

const uint64_t *dist_samples(struct dist *dist)
{
	sort(dist);
	return dist->samples;
}

uint64_t dist_percentile(struct dist *dist, double percent)
{
	/* 64.4 % of 1,000 are 644, whatever a double makes of it */
	double rank = ceil(percent * (double)dist->count / 100 - 1e-6);
	size_t i = rank < 1 ? 0 : (size_t)rank - 1;

	if (dist->count == 0)
		return 0;
	sort(dist);
	return dist->samples[i < dist->count ? i : dist->count - 1];
}

uint64_t dist_min(struct dist *dist)
{
	return dist_percentile(dist, 0);
}

uint64_t dist_max(struct dist *dist)
{
	return dist_percentile(dist, 100);
}

double dist_mean(const struct dist *dist)
{
	double sum = 0;

	for (size_t i = 0; i < dist->count; i++)
		sum += (double)dist->samples[i];
	return dist->count ? sum / (double)dist->count : 0;
}

double dist_deviation(const struct dist *dist)
{
	double mean = dist_mean(dist), sum = 0;

	for (size_t i = 0; i < dist->count; i++) {
		double off = (double)dist->samples[i] - mean;
		sum += off * off;
	}
	return dist->count ? sqrt(sum / (double)dist->count) : 0;
}

void dist_free(struct dist *dist)
{
	free(dist->samples);
	*dist = (struct dist){ 0 };
}
