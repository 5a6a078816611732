/*
 * A client that changes what it sends at random: packets before they are encrypted, what it says
 * after its first picture, and in some connections the encrypted stream instead.
 */
#ifndef MUSESS_RDP_FUZZ_H
#define MUSESS_RDP_FUZZ_H

#include "mutate.h"

#include <freerdp/freerdp.h>
#include <winpr/stream.h>

struct rdp_fuzz {
	struct mutate mutate;
	unsigned first_changed; /* packet, from 1 */
};

/* The connection of NUMBER: the same number makes the same changes. */
void rdp_fuzz_begin(struct rdp_fuzz *f, uint64_t number);

/* Changes the connection's packet NUMBER, from 1, which S holds up to its position, or leaves it as it
   is. */
void rdp_fuzz_packet(struct rdp_fuzz *f, unsigned number, wStream *s);

/* The way to the server that SOCKET is connected to, whose owner it becomes: SOCKET itself, or one
   that changes what goes over it, kept by a process that ends with it. -1 where there is none. */
int rdp_fuzz_way(struct rdp_fuzz *f, int socket);

/* Says what a client says while its user works, a packet each. */
void rdp_fuzz_use(rdpContext *context);

#endif
