/*
 * What a hostile client makes of a packet that a good one sends: octets, lengths and whole parts of it
 * changed by a number. Pure: the same number changes the same packet in the same way.
 */
#ifndef MUSESS_MUTATE_H
#define MUSESS_MUTATE_H

#include <stddef.h>
#include <stdint.h>

struct mutate {
	uint64_t state; /* any number to begin with; each packet changes it */
};

/* A number below BOUND, which is above 0. */
uint32_t mutate_below(struct mutate *m, uint32_t bound);

/*
 * Changes PACKET of SIZE octets, for which there is room for ROOM. Returns its size then. The lengths
 * in front (TPKT's, a TSRequest's) are right in about half of all cases, so that what is behind them is
 * read, too.
 */
size_t mutate_packet(struct mutate *m, uint8_t *packet, size_t size, size_t room);

#endif
