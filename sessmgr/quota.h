/* How often somebody may do something: so many times in a window of time, which begins with the first. */
#ifndef MUSESS_QUOTA_H
#define MUSESS_QUOTA_H

#include <stdbool.h>
#include <stdint.h>

struct quota {
	uint64_t since; /* when the window began; microseconds */
	unsigned used;  /* in it, what was refused included */
};

/* Counts one more at NOW. Whether it is among the first MOST of its WINDOW (microseconds). */
static inline bool quota_take(struct quota *quota, unsigned most, uint64_t window, uint64_t now)
{
	if (now - quota->since >= window) {
		quota->since = now;
		quota->used = 0;
	}
	return quota->used++ < most;
}

#endif
