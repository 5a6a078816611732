/*
 * A worker: a process with many sessions. Each is connected by a thread, as FreeRDP blocks there;
 * all that are connected are served by the one event loop.
 */
#ifndef MUSESS_LOAD_WORKER_H
#define MUSESS_LOAD_WORKER_H

#include "run-options.h"
#include "wire.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>

/* How many descriptors a session takes at most: FreeRDP's events and sockets. */
enum { WORKER_SESSION_FDS = 20 };

/* The event loop comes before the connections that are being made, where that is allowed: a start
   that is due must not wait for those before it. */
enum { WORKER_NICE = -10 };

struct rdp;

struct worker {
	const struct options *options;
	struct event_base *base;
	struct bufferevent *parent;
	struct event *connected; /* a thread has finished: its session comes through the pipe */
	int pipe[2];
	struct session *sessions;
	struct rdp **prepared; /* made before a storm, for the sessions to come */
	unsigned prepared_count;
	struct sm_port *sm; /* of --sm */
};

/* The forked child's whole life: makes AHEAD connections ready, says so with a byte, and takes orders
   from PORT until that closes. Never returns. */
_Noreturn void worker_main(const struct options *options, int port, unsigned ahead);

/* A connection that was made ready, or NULL. */
struct rdp *worker_take_prepared(struct worker *worker);

/* Tells the parent. */
void worker_report(struct worker *worker, enum report_kind kind, const struct result *result);

/* An empty result of an order that is carried out now. */
struct result worker_result(const struct order *order);

#endif
