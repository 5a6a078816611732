/* For each source one time says all: each that it has puts it off by an interval, and it may be as far ahead
   as a burst takes. Sources are in a hash table, in which each has a few places that may be its. */
#include "pace.h"

#include "networks.h"

#include <stddef.h>

/* Its place; or one that it gets, of the source whose burst is, or is soonest, whole again. */
static struct pace_source *place_of(struct pace *pace, const struct in6_addr *source)
{
	uint32_t hash = network_hash(source);
	struct pace_source *place = NULL;

	for (unsigned i = 0; i < PACE_TRIES; i++) {
		struct pace_source *s = &pace->sources[(hash + i) % PACE_SOURCES];
		if (IN6_ARE_ADDR_EQUAL(&s->source, source))
			return s;
		if (!place || s->until < place->until)
			place = s;
	}
	*place = (struct pace_source){ .source = *source };
	return place;
}

static bool is_in_time(uint64_t until, const struct pace_rate *rate, uint64_t now)
{
	return until <= now || until - now <= (rate->burst - 1) * rate->interval;
}

static uint64_t one_later(uint64_t until, const struct pace_rate *rate, uint64_t now)
{
	return (until > now ? until : now) + rate->interval;
}

bool pace_take(struct pace *pace, const struct in6_addr *source, uint64_t now)
{
	struct pace_source *s = place_of(pace, source);

	if (!is_in_time(s->until, &pace->each, now) ||
	    !is_in_time(pace->all_until, &pace->all, now)) {
		pace->refused++;
		return false;
	}
	s->until = one_later(s->until, &pace->each, now);
	pace->all_until = one_later(pace->all_until, &pace->all, now);
	return true;
}
