/*
 * The plan of a run: when each start is due, and whose it is. Pure: it reads no clock and asks
 * nobody, so that several machines, and the same one again, make the same plan of the same
 * options.
 *
 * The rate is a line through stages: so many starts per second at so many microseconds after the
 * run's begin, and linear between two of them. Start i is due when the area under the line is i,
 * so starts are evenly spaced where the rate is constant. A storm is all starts at 0. A closed
 * loop (concurrency) has no times: the next start is due when a session has ended.
 *
 * A segment takes every segments-th start of the plan.
 */
#ifndef MUSESS_LOAD_PLAN_H
#define MUSESS_LOAD_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum plan_model { PLAN_NONE, PLAN_RATE, PLAN_STAGES, PLAN_STORM, PLAN_CONCURRENCY };

/* Their names in files and messages. */
const char *plan_model_name(enum plan_model model);

enum { PLAN_STAGES_MAX = 64 };

struct plan_stage {
	uint64_t at; /* microseconds since the begin */
	double rate; /* starts per second at that moment */
};

struct plan {
	enum plan_model model;
	struct plan_stage stage[PLAN_STAGES_MAX];
	unsigned stages;
	unsigned lanes;    /* of a closed loop: sessions at a time */
	uint64_t count;    /* starts, those of all segments; 0: a closed loop until duration */
	uint64_t duration; /* microseconds; 0: until count is reached */
	unsigned segment, segments; /* 1 of 1 */
	uint32_t *order;            /* with a seed: which user's turn start i is, else NULL */
	uint64_t first_turn;        /* of users: those before it were another run's */
};

/* "20/s", "30/m", "1.5/h"; a number alone is per second. Returns 0 or -1. */
int plan_parse_rate(const char *text, double *rate);

/* "30s", "2m", "1.5h", "500ms", and 0. Any other number without a unit is none: in musess.conf it is
   milliseconds, and who is used to other programs takes it for seconds. Returns 0 or -1. */
int plan_parse_time(const char *text, uint64_t *us);

/* "0:0,2m:20/s,5m:20/s": after each time, from the point before, there is that rate. Returns 0,
   or -1 and in ERROR (SIZE bytes) what is wrong. */
int plan_parse_stages(struct plan *plan, const char *text, char *error, size_t size);

/* "1/4". Returns 0 or -1. */
int plan_parse_segment(struct plan *plan, const char *text);

/* Stages and count of a constant rate for DURATION (at least one start, at its begin) or, where that is 0, until
   COUNT starts. Users are in order. */
void plan_set_rate(struct plan *plan, double rate, uint64_t duration, uint64_t count);

/* Has SEED choose whose turn it is, of as many as there are starts now. Returns 0, or -1 where memory is
   short. */
int plan_shuffle(struct plan *plan, uint64_t seed);

void plan_finish(struct plan *plan);

/* Starts of this segment. */
uint64_t plan_count(const struct plan *plan);

/* The segment's start INDEX: its number in the whole plan, and when it is due. */
uint64_t plan_number(const struct plan *plan, uint64_t index);
uint64_t plan_due(const struct plan *plan, uint64_t number);

/* Whose turn start NUMBER is: users take theirs in the order of what this returns. */
uint64_t plan_turn(const struct plan *plan, uint64_t number);

/* Whether a start counts however late it is: a storm is so many at once, and how late the last was is
   in its response time. Elsewhere a start that is not made in time is missed. */
bool plan_may_be_late(const struct plan *plan);

/* The rate at a moment, of the whole plan; 0 where the model has none. */
double plan_rate(const struct plan *plan, uint64_t at);

/*
 * When start NUMBER's session has to end where the run ends within RAMP_DOWN after its last
 * start, however long it was to be held: those that would still be held by then (HOLD after
 * their start) end evenly spaced, in the order in which they started. 0: not at all.
 */
uint64_t plan_end(const struct plan *plan, uint64_t number, uint64_t hold, uint64_t ramp_down);

#endif
