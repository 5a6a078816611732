/* The workers: their processes, and what the parent knows of each one's starts. */
#ifndef MUSESS_LOAD_POOL_H
#define MUSESS_LOAD_POOL_H

#include "run-options.h"
#include "wire.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <sys/queue.h>
#include <sys/types.h>

/* A start that a worker has, and has not ended yet. */
struct start {
	TAILQ_ENTRY(start) link;
	struct order order;
	struct result result; /* what the worker has said of it: it may not come to say more */
	uint64_t reached;     /* when that said that it has come to --until; 0: it has not yet */
};
TAILQ_HEAD(start_list, start);

struct pool;

struct pool_worker {
	struct pool *pool;
	pid_t pid;
	struct bufferevent *port; /* NULL: it is gone */
	struct start_list starts;
	uint64_t live;
};

struct pool {
	struct pool_worker *workers;
	unsigned count;
	uint64_t live;    /* starts that workers have */
	uint64_t reached; /* of them, those that have come to --until */
	/* what a worker says, and results of those that went away (LOAD_LOCAL) or are sent away
	   (LOAD_INTERRUPTED) among it */
	void (*report)(void *context, const struct report *report);
	void *context;
	const struct options *options;
};

/* Forks the workers; call it when all that they share is warm. The event loop runs until they are ready. Returns 0, or
   -1; also where something else breaks that loop. */
int pool_start(struct pool *pool, const struct options *options, struct event_base *base);

/* Hands a start to the worker that has the fewest. Returns 0, or -1: there is none, or no memory. */
int pool_order(struct pool *pool, const struct order *order);

/* Has all sessions end. */
void pool_finish(struct pool *pool);

/* Processor time of all workers so far, microseconds. */
uint64_t pool_processor_time(const struct pool *pool);

/* Private memory of all workers, bytes. */
uint64_t pool_memory(const struct pool *pool);

/* Ends the workers, and waits for them. With KILL at once: what they still had is reported as it is
   known. Else they have no sessions left, and some seconds until they are killed. */
void pool_end(struct pool *pool, bool kill);

#endif
