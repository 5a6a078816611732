/*
 * The table: for each kind of source an array that is sorted by address. Of a source there are two
 * times: when it may come again, and when all its failures are forgotten. The latter says how many
 * there are, as each puts it off by the same time.
 */
#include "penalty.h"

#include "networks.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { KINDS = 3, NONE = 0, SECOND = 1000000, DOUBLINGS_MAX = 20 };

static const struct kind {
	unsigned bits4, bits6; /* of an address; IPv4's behind the 96 of its IPv6 form, or NONE */
	unsigned free;         /* failures that cost nothing */
	uint64_t forget;       /* microseconds for each */
} kinds[KINDS] = {
	{ 96 + 32, 128, 5, 60 * SECOND },
	{ NONE, 64, 20, 15 * SECOND },
	{ 96 + 24, 48, 50, 6 * SECOND },
};

struct source {
	struct in6_addr address;
	uint64_t until, forgotten;
};

struct penalty {
	unsigned size;
	struct {
		struct source *sources;
		unsigned count;
	} tables[KINDS];
};

struct penalty *penalty_create(unsigned sources)
{
	struct penalty *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->size = sources;
	for (unsigned k = 0; k < KINDS; k++) {
		p->tables[k].sources = calloc(sources, sizeof(struct source));
		if (!p->tables[k].sources) {
			penalty_destroy(p);
			return NULL;
		}
	}
	return p;
}

void penalty_destroy(struct penalty *p)
{
	for (unsigned k = 0; p && k < KINDS; k++)
		free(p->tables[k].sources);
	free(p);
}

/* Fills *SOURCE with what HOST is of that kind; false where there is none. */
static bool source_of(const struct in6_addr *host, const struct kind *kind, struct in6_addr *source)
{
	unsigned bits = IN6_IS_ADDR_V4MAPPED(host) ? kind->bits4 : kind->bits6;

	*source = *host;
	network_mask(source, bits);
	return bits != NONE;
}

struct in6_addr penalty_source(const struct in6_addr *host)
{
	struct in6_addr source = *host;

	if (!IN6_IS_ADDR_V4MAPPED(host) && !IN6_IS_ADDR_LINKLOCAL(host))
		network_mask(&source, 64);
	return source;
}

/* The place of ADDRESS in table K: where it is, or where it would be. */
static unsigned place_of(const struct penalty *p, unsigned k, const struct in6_addr *address)
{
	unsigned low = 0, high = p->tables[k].count;

	while (low < high) {
		unsigned middle = low + (high - low) / 2;
		if (memcmp(&p->tables[k].sources[middle].address, address, sizeof(*address)) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct source *find(const struct penalty *p, unsigned k, const struct in6_addr *address)
{
	unsigned at = place_of(p, k, address);
	struct source *s = &p->tables[k].sources[at];

	return at < p->tables[k].count && IN6_ARE_ADDR_EQUAL(&s->address, address) ? s : NULL;
}

/* Takes out the one that is forgotten first. */
static void drive_out(struct penalty *p, unsigned k)
{
	struct source *sources = p->tables[k].sources;
	unsigned first = 0;

	for (unsigned i = 1; i < p->tables[k].count; i++)
		if (sources[i].forgotten < sources[first].forgotten)
			first = i;
	p->tables[k].count--;
	memmove(
	    sources + first, sources + first + 1, (p->tables[k].count - first) * sizeof(*sources));
}

static struct source *insert(struct penalty *p, unsigned k, const struct in6_addr *address)
{
	struct source *sources = p->tables[k].sources;
	unsigned at;

	if (p->tables[k].count == p->size)
		drive_out(p, k);
	at = place_of(p, k, address);
	memmove(sources + at + 1, sources + at, (p->tables[k].count - at) * sizeof(*sources));
	p->tables[k].count++;
	sources[at] = (struct source){ .address = *address };
	return &sources[at];
}

/* How long the failures that S has now keep it waiting. */
static uint64_t wait_of(
    const struct source *s, const struct kind *kind, uint64_t now, uint64_t most)
{
	uint64_t failures = (s->forgotten - now + kind->forget - 1) / kind->forget, wait;

	if (failures <= kind->free)
		return 0;
	failures -= kind->free + 1;
	wait = (uint64_t)SECOND << (failures > DOUBLINGS_MAX ? DOUBLINGS_MAX : failures);
	return wait > most ? most : wait;
}

/* One failure more; no more than lead to the longest wait there is are remembered. */
static uint64_t add_to(struct source *s, const struct kind *kind, uint64_t now, uint64_t most)
{
	uint64_t limit = now + (kind->free + 1 + DOUBLINGS_MAX) * kind->forget, wait;

	s->forgotten = (s->forgotten > now ? s->forgotten : now) + kind->forget;
	if (s->forgotten > limit)
		s->forgotten = limit;
	wait = wait_of(s, kind, now, most);
	if (wait && s->until < now + wait)
		s->until = now + wait;
	return wait;
}

uint64_t penalty_add(struct penalty *p, const struct in6_addr *host, uint64_t now, uint64_t most)
{
	uint64_t longest = 0;

	for (unsigned k = 0; k < KINDS; k++) {
		struct in6_addr address;
		struct source *s;
		uint64_t wait;
		if (!source_of(host, &kinds[k], &address))
			continue;
		s = find(p, k, &address);
		if (!s)
			s = insert(p, k, &address);
		wait = add_to(s, &kinds[k], now, most);
		if (wait > longest)
			longest = wait;
	}
	return longest;
}

uint64_t penalty_left(const struct penalty *p, const struct in6_addr *host, uint64_t now)
{
	uint64_t longest = 0;

	for (unsigned k = 0; k < KINDS; k++) {
		struct in6_addr address;
		const struct source *s =
		    source_of(host, &kinds[k], &address) ? find(p, k, &address) : NULL;
		if (s && s->until > now && s->until - now > longest)
			longest = s->until - now;
	}
	return longest;
}
