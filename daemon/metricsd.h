/*
 * metricsd: what its files share. It reads HTTP from whoever reaches its port, and asks smss for
 * the figures, at most once a second, however many want them.
 *
 *   connection   at most CONNECTIONS_MAX; each is for one request, and has SECONDS_MAX for all of
 *                it. Who comes when there are as many is served: whoever has been there for longest,
 *                without a request that is whole, leaves him the place
 *   request      answered from the text where that is new enough; else it waits for the next
 */
#ifndef MUSESS_METRICSD_H
#define MUSESS_METRICSD_H

#include "options.h"

#include <event2/event.h>
#include <stdint.h>

/* Descriptors that smss gives to metricsd. */
enum { METRICSD_SMSS = 3, METRICSD_CONFIG = 5 };

enum {
	CONNECTIONS_MAX = 64,
	SECONDS_MAX = 10,
	HEADERS_MAX = 8192,  /* bytes of a request */
	FRESH_US = 1000000,  /* a text that is not older is given to the next, too */
	ANSWER_US = 5000000, /* smss answers until then, or a request is told that it does not */
};

/* Listens as CONFIG says, and serves; WANTED is called for a request that needs a new text. Returns
   0, or -1 after logging. */
int http_start(struct event_base *base, const struct musess_config *config, void (*wanted)(void));
/* What all that wait are answered, and those of the next second: TEXT of SIZE bytes, which is
   copied; NULL: smss does not answer. */
void http_answer(const char *text, size_t size);

#endif
