/*
 * Addresses with prefixes, as options name them: "192.0.2.7 2001:db8::/32". Pure.
 */
#ifndef MUSESS_NETWORKS_H
#define MUSESS_NETWORKS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { NETWORKS_MAX = 128 }; /* more than an option's text has room for */

/* An address of IPv4 is in its IPv6 form, ::ffff:192.0.2.7, with 96 bits more. */
struct network {
	struct in6_addr address;
	unsigned bits;
};

/* Fills NETWORKS (NETWORKS_MAX of them) with those in TEXT, which blanks separate. Returns how many,
   or -1 where one is no address, or its prefix none of its kind's. */
int networks_parse(const char *text, struct network *networks);

/* Sets all bits of ADDRESS from number BITS on to 0. */
void network_mask(struct in6_addr *address, unsigned bits);

/* True where one of the COUNT networks holds ADDRESS. */
bool networks_hold(const struct network *networks, size_t count, const struct in6_addr *address);

/* A number that the address is found by in tables. */
uint32_t network_hash(const struct in6_addr *address);

#endif
