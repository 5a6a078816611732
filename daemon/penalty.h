/*
 * What failed logons cost their source. Pure: no I/O, and the time is the caller's.
 *
 * A source is an address of IPv4 or a network of 64 bits of IPv6, which one host has to itself; and,
 * less strictly, the network of 24 or 48 bits around it. Of each the failures are remembered: one is
 * forgotten with each minute that passes (of a network: each six seconds). The first five (fifty) cost
 * nothing; with the next the source has to wait a second, and twice as long with each one more, up to
 * the most that the caller allows. So whoever guesses has one guess a minute, and whoever mistypes
 * does not notice.
 *
 * Each kind of source has a table of fixed size. Who is put into a full one drives out the source that
 * is forgotten first: to be forgotten early one would need as many other sources with more failures.
 */
#ifndef MUSESS_PENALTY_H
#define MUSESS_PENALTY_H

#include <netinet/in.h>
#include <stdint.h>

struct penalty;

/* Sources of each kind that are remembered in the service: a quarter of a megabyte. */
enum { PENALTY_SOURCES = 4096 };

/* A table of SOURCES of each kind. Freed with penalty_destroy. NULL where memory is short. */
struct penalty *penalty_create(unsigned sources);
void penalty_destroy(struct penalty *penalty);

/* The address whose share HOST's is: its first 64 bits, or all of IPv4's (in its IPv6 form). */
struct in6_addr penalty_source(const struct in6_addr *host);

/* A logon from HOST has failed at NOW. Times are microseconds of a clock that never goes back. Returns
   how long HOST has to wait from then on, MOST at most; 0: not at all. */
uint64_t penalty_add(
    struct penalty *penalty, const struct in6_addr *host, uint64_t now, uint64_t most);

/* How long HOST still has to wait; 0: not at all. */
uint64_t penalty_left(const struct penalty *penalty, const struct in6_addr *host, uint64_t now);

#endif
