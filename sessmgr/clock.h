/* The one clock of all phases and deadlines. */
#ifndef MUSESS_CLOCK_H
#define MUSESS_CLOCK_H

#include <stdint.h>
#include <time.h>

/* Microseconds of CLOCK_MONOTONIC: the same for every process of the machine. */
static inline uint64_t clock_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* MOMENT, which somebody told who need not be believed, as far as it can be true: not before FROM and
   not after TO. */
static inline uint64_t clock_within(uint64_t moment, uint64_t from, uint64_t to)
{
	uint64_t latest = moment > to ? to : moment;

	return latest < from ? from : latest;
}

#endif
