/*
 * What failed logons cost their source. Pure: no I/O, and the time is the caller's.
 *
 * A source is an address; and, less strictly, each network around it: of IPv6 that of 64 bits, which a
 * host may have to itself, or share with all of its LAN, and that of 48 bits, a site's; of IPv4 that of 24
 * bits. Of each the failures are remembered: the first few cost nothing, with the next the source has to
 * wait a second, and twice as long with each one more, up to the most that the caller allows. Time makes
 * them forgotten.
 *
 *   an address              5 cost nothing, one is forgotten with each minute
 *   64 bits of IPv6        20, with each 15 seconds
 *   24 of IPv4, 48 of IPv6 50, with each 6 seconds
 *
 * So whoever guesses for long has one guess a minute, or four, or ten, by what he has got, and whoever
 * mistypes does not notice. The others of a network wait only where so many of it fail.
 *
 * Each kind of source has a table of fixed size. Who is put into a full one drives out the source that
 * is forgotten first: to be forgotten early one would need as many other sources with more failures.
 */
#ifndef MUSESS_PENALTY_H
#define MUSESS_PENALTY_H

#include <netinet/in.h>
#include <stdint.h>

struct penalty;

/* Sources of each kind that are remembered in the service: 384 KB of all three. */
enum { PENALTY_SOURCES = 4096 };

/* A table of SOURCES of each kind. Freed with penalty_destroy. NULL where memory is short. */
struct penalty *penalty_create(unsigned sources);
void penalty_destroy(struct penalty *penalty);

/* The address whose share HOST's is, where shares and turns are by source: all of IPv4's (in its IPv6
   form), and of IPv6 the first 64 bits, as one host may have any number of addresses in them. Hosts of a
   LAN have one share so; but those of a link, whose addresses all begin alike (fe80::), one each. */
struct in6_addr penalty_source(const struct in6_addr *host);

/* A logon from HOST has failed at NOW. Times are microseconds of a clock that never goes back. Returns
   how long HOST has to wait from then on, MOST at most; 0: not at all. */
uint64_t penalty_add(
    struct penalty *penalty, const struct in6_addr *host, uint64_t now, uint64_t most);

/* How long HOST still has to wait; 0: not at all. */
uint64_t penalty_left(const struct penalty *penalty, const struct in6_addr *host, uint64_t now);

#endif
