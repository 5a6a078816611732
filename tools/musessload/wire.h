/*
 * What the parent and its workers say to each other: structures of one size, over a stream that
 * neither waits for. Both are one program, so they need no version.
 */
#ifndef MUSESS_LOAD_WIRE_H
#define MUSESS_LOAD_WIRE_H

#include "result.h"

enum order_kind {
	ORDER_START,
	ORDER_FINISH, /* end every session, in order and now */
};

/* Parent to worker. Times are clock_us()'s. */
struct order {
	uint32_t kind, spare;
	uint64_t number, turn; /* of the plan; whose turn it is */
	uint64_t due;
	uint64_t
	    end_by; /* the session ends then, however long it was to be held; 0: no such time */
};

enum report_kind {
	REPORT_REACHED, /* it has reached --until: total and the phases so far are set */
	REPORT_RESULT,  /* a result, and its start goes on: it reconnects */
	REPORT_ENDED,   /* a result, and the end of its start */
	REPORT_LATE,    /* it was not started: this worker was too slow */
};

/* Worker to parent. Times of the result are clock_us()'s here; the parent makes them the plan's. */
struct report {
	uint32_t kind, spare;
	struct result result;
};

/* A start that is so much behind its time is none any more, but in a storm (plan_may_be_late). */
enum { LATE_US = 1000000 };

#endif
