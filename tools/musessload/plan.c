/* The plan: parsing it, and the arithmetic of its starts. */
#include "plan.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECOND 1e6

/* What floating point may be off where a count is a whole number. */
#define EPSILON 1e-6

/* More starts than that are a slip of the finger. */
#define COUNT_MAX 100000000.0

const char *plan_model_name(enum plan_model model)
{
	static const char *const names[] = { "none", "rate", "stages", "storm", "concurrency" };

	return names[model];
}

/* ---- parsing ---- */

/* A number that is not negative; sets *REST to what is behind it. */
static int parse_number(const char *text, double *value, const char **rest)
{
	char *end;

	if (!isdigit((unsigned char)*text) && *text != '.')
		return -1; /* no sign, no blank, no "inf" */
	*value = strtod(text, &end);
	*rest = end;
	return end == text || !isfinite(*value) ? -1 : 0;
}

/* The factor of the unit that REST is, of "NAME" and its FACTOR; -1 for none of them. */
struct unit {
	const char *name;
	double factor;
};
static double find_unit(const struct unit *units, const char *rest)
{
	for (; units->name; units++)
		if (strcmp(units->name, rest) == 0)
			return units->factor;
	return -1;
}

int plan_parse_rate(const char *text, double *rate)
{
	static const struct unit units[] = { { "", 1 }, { "/s", 1 }, { "/m", 1.0 / 60 },
		{ "/h", 1.0 / 3600 }, { NULL, 0 } };
	const char *rest;
	double factor;

	if (parse_number(text, rate, &rest) < 0)
		return -1;
	factor = find_unit(units, rest);
	*rate *= factor;
	return factor < 0 ? -1 : 0;
}

int plan_parse_time(const char *text, uint64_t *us)
{
	static const struct unit units[] = { { "", 0 }, { "s", SECOND }, { "ms", 1e3 },
		{ "m", 60 * SECOND }, { "h", 3600 * SECOND }, { NULL, 0 } };
	const char *rest;
	double value, factor;

	if (parse_number(text, &value, &rest) < 0)
		return -1;
	factor = find_unit(units, rest);
	if (factor < 0 || (factor == 0 && value != 0) || value * factor > 365.0 * 86400 * SECOND)
		return -1;
	*us = (uint64_t)(value * factor + 0.5);
	return 0;
}

int plan_parse_segment(struct plan *plan, const char *text)
{
	unsigned long segment, segments;
	char *end;

	if (!isdigit((unsigned char)*text))
		return -1;
	segment = strtoul(text, &end, 10);
	if (*end != '/' || !isdigit((unsigned char)end[1]))
		return -1;
	segments = strtoul(end + 1, &end, 10);
	if (*end || segment < 1 || segment > segments || segments > 100000)
		return -1;
	plan->segment = (unsigned)segment;
	plan->segments = (unsigned)segments;
	return 0;
}

/* The point "TIME:RATE", TIME after the one before. */
static int parse_stage(struct plan *plan, const char *text)
{
	struct plan_stage *stage = &plan->stage[plan->stages];
	const char *colon = strchr(text, ':');
	char time[32];

	if (!colon || (size_t)(colon - text) >= sizeof(time))
		return -1;
	memcpy(time, text, (size_t)(colon - text));
	time[colon - text] = 0;
	if (plan_parse_time(time, &stage->at) < 0 || plan_parse_rate(colon + 1, &stage->rate) < 0)
		return -1;
	if (plan->stages > 0)
		stage->at += stage[-1].at;
	plan->stages++;
	return 0;
}

/* ---- the area under the line ---- */

/* Starts between two points, the first FROM of which is at T1. */
static double area(const struct plan_stage *from, const struct plan_stage *to)
{
	return (from->rate + to->rate) / 2 * (double)(to->at - from->at) / SECOND;
}

static double total_area(const struct plan *plan)
{
	double sum = 0;

	for (unsigned i = 1; i < plan->stages; i++)
		sum += area(&plan->stage[i - 1], &plan->stage[i]);
	return sum;
}

/* When, after FROM, the area is WANTED. It is there before TO. */
static double time_of_area(
    const struct plan_stage *from, const struct plan_stage *to, double wanted)
{
	double length = (double)(to->at - from->at) / SECOND;
	double slope = (to->rate - from->rate) / length;
	double root = sqrt(fmax(0, from->rate * from->rate + 2 * slope * wanted));

	/* the root that loses no digits where the slope is flat */
	return wanted <= 0 ? 0 : fmin(length, 2 * wanted / (from->rate + root));
}

/* ---- the plan ---- */

int plan_parse_stages(struct plan *plan, const char *text, char *error, size_t size)
{
	char *copy = strdup(text), *rest = copy, *one;
	double count;
	int status = copy ? 0 : -1;

	plan->stages = 0;
	snprintf(error, size, "memory is short");
	while (status == 0 && (one = strsep(&rest, ","))) {
		if (plan->stages == PLAN_STAGES_MAX) {
			snprintf(error, size, "there are more than %d stages", PLAN_STAGES_MAX);
			status = -1;
		} else if (parse_stage(plan, one) < 0) {
			snprintf(error, size,
			    "\"%s\" is no stage: TIME:RATE is, as in 2m:20/s; a time needs its "
			    "unit",
			    one);
			status = -1;
		}
	}
	free(copy);
	if (status < 0)
		return -1;
	count = ceil(total_area(plan) - EPSILON);
	if (count < 1 || count > COUNT_MAX) {
		snprintf(error, size,
		    count < 1 ? "the stages have no start"
		              : "the stages have more than 100 million starts");
		return -1;
	}
	plan->model = PLAN_STAGES;
	plan->count = (uint64_t)count;
	plan->duration = plan->stage[plan->stages - 1].at;
	return 0;
}

void plan_finish(struct plan *plan)
{
	free(plan->order);
	plan->order = NULL;
}

void plan_set_rate(struct plan *plan, double rate, uint64_t duration, uint64_t count)
{
	if (duration == 0)
		duration = (uint64_t)((double)count / rate * SECOND + 0.5);
	else
		count = (uint64_t)fmax(1, ceil(rate * (double)duration / SECOND - EPSILON));
	plan_finish(plan);
	plan->model = PLAN_RATE;
	plan->stage[0] = (struct plan_stage){ 0, rate };
	plan->stage[1] = (struct plan_stage){ duration, rate };
	plan->stages = 2;
	plan->count = count;
	plan->duration = duration;
}

static uint64_t next_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15u; /* splitmix64 */

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

int plan_shuffle(struct plan *plan, uint64_t seed)
{
	plan_finish(plan);
	plan->order = calloc(plan->count, sizeof(*plan->order));
	if (!plan->order)
		return -1;
	for (uint64_t i = 0; i < plan->count; i++) {
		uint64_t other = next_random(&seed) % (i + 1);

		plan->order[i] = plan->order[other];
		plan->order[other] = (uint32_t)i;
	}
	return 0;
}

uint64_t plan_count(const struct plan *plan)
{
	return (plan->count + plan->segments - plan->segment) / plan->segments;
}

uint64_t plan_number(const struct plan *plan, uint64_t index)
{
	return index * plan->segments + plan->segment - 1;
}

uint64_t plan_due(const struct plan *plan, uint64_t number)
{
	double left = (double)number;

	for (unsigned i = 1; i < plan->stages; i++) {
		const struct plan_stage *from = &plan->stage[i - 1], *to = &plan->stage[i];
		double here = area(from, to);

		if (here > 0 && (left <= here || i + 1 == plan->stages))
			return from->at + (uint64_t)(time_of_area(from, to, left) * SECOND + 0.5);
		left -= here;
	}
	return plan->stages ? plan->duration : 0;
}

uint64_t plan_turn(const struct plan *plan, uint64_t number)
{
	return plan->first_turn + (plan->order ? plan->order[number] : number);
}

bool plan_may_be_late(const struct plan *plan)
{
	return plan->model == PLAN_STORM;
}

double plan_rate(const struct plan *plan, uint64_t at)
{
	for (unsigned i = 1; i < plan->stages; i++) {
		const struct plan_stage *from = &plan->stage[i - 1], *to = &plan->stage[i];

		if (at >= from->at && at < to->at)
			return from->rate + (to->rate - from->rate) * (double)(at - from->at) /
			                        (double)(to->at - from->at);
	}
	return 0;
}

/* The first start that is not over by TIME, were it to be held HOLD. */
static uint64_t first_held(const struct plan *plan, uint64_t hold, uint64_t time)
{
	uint64_t low = 0, high = plan->count - 1;

	while (low < high) {
		uint64_t middle = low + (high - low) / 2;

		if (plan_due(plan, middle) + hold > time)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

uint64_t plan_end(const struct plan *plan, uint64_t number, uint64_t hold, uint64_t ramp_down)
{
	uint64_t last, first;

	if (ramp_down == 0 || plan->count == 0)
		return 0;
	last = plan_due(plan, plan->count - 1);
	first = first_held(plan, hold, last);
	if (number < first)
		return 0;
	return last + (uint64_t)((double)ramp_down * (double)(number - first + 1) /
	                         (double)(plan->count - first));
}
