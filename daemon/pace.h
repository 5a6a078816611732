/*
 * A pace for sources and for all of them together: so many at once, and then one in each interval. Pure: no
 * I/O, and the time is the caller's.
 *
 * The sources that were heard of last are remembered. Where one of many has to be forgotten early it may have
 * more than its own; the pace for all holds whatever they do.
 */
#ifndef MUSESS_PACE_H
#define MUSESS_PACE_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

enum { PACE_SOURCES = 1024, PACE_TRIES = 8 };

struct pace_rate {
	uint64_t burst;    /* so many at once */
	uint64_t interval; /* microseconds */
};

struct pace {
	struct pace_rate each, all;
	uint64_t all_until; /* as a source's */
	uint64_t refused;   /* since the caller looked last, who sets it to 0 */
	struct pace_source {
		struct in6_addr source;
		uint64_t until; /* its burst is whole again then */
	} sources[PACE_SOURCES];
};

/* Of a zeroed structure the rates are all that has to be set. */

/* Whether SOURCE may have one more at NOW, in microseconds of a clock that never goes back; where it may not,
   that is counted. */
bool pace_take(struct pace *pace, const struct in6_addr *source, uint64_t now);

#endif
