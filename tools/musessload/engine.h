/*
 * A run: one event loop that hands each start to a worker when it is due, takes the results, and
 * shows how it goes. FreeRDP is called in workers only, but for warming up.
 *
 * The plan has a clock of its own: keys change how fast it goes (the rate), or stop it (pause).
 * It never waits for the server; what cannot be started is missed, and is written down. What the plan still had when
 * the run was ended is counted in its last line: a plan may have more starts than anybody waits for.
 */
#ifndef MUSESS_LOAD_ENGINE_H
#define MUSESS_LOAD_ENGINE_H

#include "pool.h"
#include "result-file.h"
#include "run-options.h"
#include "summary.h"

#include <event2/event.h>

struct engine {
	const struct options *options;
	struct summary *summary;
	struct result_file file;
	struct event_base *base;
	struct pool pool;
	struct event *due, *tick, *patience, *signals[3];

	uint64_t begin; /* of the run, clock_us() */
	/* the plan's clock: at real time clock_at it was clock_plan, and goes factor times as fast */
	uint64_t clock_at, clock_plan;
	double factor;
	bool paused;

	uint64_t next, count; /* starts of this segment: the one that is next, all (0: no end) */
	bool stopped;         /* nothing more is started */
	unsigned interrupts;
	bool ending;  /* all sessions are to end */
	bool gave_up; /* on workers that say nothing any more */
	bool aborted, broken;
	unsigned rate_changes, pauses; /* by keys */
	bool key_stopped;

	uint64_t started, reached; /* sessions so far */
	struct dist totals; /* of those that were reached: the summary has them at their end */
	uint64_t live_peak, late;
	unsigned ticks;
	uint64_t memory, memory_live; /* at the peak so far, and how many there were then */
	uint64_t memory_reached;      /* how many had been reached when it was last looked at */
	uint64_t machine_busy, machine_all;
	struct live *live;
};

/*
 * Makes the run, with its lines in FILE (NULL: none) and everything in SUMMARY. Returns an exit
 * status, in which thresholds are not looked at yet.
 */
int engine_run(const struct options *options, const char *file, struct summary *summary);

/* ---- for keys: what they do is noted in the run's end ---- */

void engine_change_rate(struct engine *engine, double factor);
void engine_pause(struct engine *engine);
void engine_stop(struct engine *engine);

/* Where the plan's clock is. */
uint64_t engine_plan_time(const struct engine *engine);

#endif
