/*
 * A session of a worker, from its start to its result.
 *
 *   CONNECTING --thread--> WAITING --until--> HELD --> (LOGGING_OFF) --> result, gone
 *        ^                                      |
 *        +---------------- --reconnect, once ---+
 */
#ifndef MUSESS_LOAD_SESSION_H
#define MUSESS_LOAD_SESSION_H

#include "rdp.h"
#include "script-play.h"
#include "worker.h"

/* A server that has not ended a session so long after its logoff will not. */
enum { SESSION_LOGOFF_US = 10000000 };

enum session_state { SESSION_CONNECTING, SESSION_WAITING, SESSION_HELD, SESSION_LOGGING_OFF };

struct session {
	struct session *next, *previous;
	struct worker *worker;
	enum session_state state;
	struct order order;
	struct result result;
	const struct source *from;
	struct rdp *prepared;      /* what the thread begins with; NULL: it makes one */
	_Atomic(struct rdp *) rdp; /* made by the thread; but for cutting it off, ours when that
	                              has finished */
	atomic_int cut;            /* enum load_error: why it shall be cut off */
	bool connected;            /* what the thread came to */
	bool interrupted;
	struct event *readable, *timer;
	uint64_t reached; /* when it had what --until names */
	struct play play;
	bool playing;
	struct rdp_cookie cookie; /* of the connection before */
	bool again;               /* it is the second connection */
};

/* Begins one. What cannot be made is reported. */
void session_start(struct worker *worker, const struct order *order);

/* The thread has finished. */
void session_connected(struct session *session);

/* Ends it now, in order. */
void session_interrupt(struct session *session);

#endif
