/* The plan that the command line asks for, and what contradicts what in it. */
#include "run-parse.h"

#include <stdint.h>

static int make_rate(struct parse *p, uint64_t duration, uint64_t count)
{
	double rate;

	if (plan_parse_rate(p->rate, &rate) < 0)
		return usage_error("--rate: \"%s\" is no rate: 20/s, 90/m and 0.5 are", p->rate);
	if (rate <= 0 || rate > 1e6)
		return usage_error("--rate: %s %s", p->rate,
		    rate > 0 ? "is more than a million per second" : "starts nothing");
	if (p->duration && p->count)
		return usage_error("--duration and --count contradict each other: the rate makes "
		                   "one of the other");
	if (!p->duration && !p->count)
		return usage_error("--rate needs an end: --duration or --count");
	if (rate * (double)duration / 1e6 > 1e8 || (double)count / rate > 3e7)
		return usage_error("--rate %s for %s: this has no end", p->rate,
		    p->duration ? p->duration : p->count);
	plan_set_rate(&p->o->plan, rate, duration, count);
	p->o->plan_text = p->rate;
	return 0;
}

static int no_length(const struct parse *p, const char *model)
{
	if (p->duration || p->count)
		return usage_error("--%s says itself when it ends: --%s contradicts it", model,
		    p->duration ? "duration" : "count");
	return 0;
}

static int make_stages(struct parse *p)
{
	char error[256];
	int status = no_length(p, "stages");

	if (status)
		return status;
	if (plan_parse_stages(&p->o->plan, p->stages, error, sizeof(error)) < 0)
		return usage_error("--stages: %s", error);
	p->o->plan_text = p->stages;
	return 0;
}

static int make_storm(struct parse *p)
{
	int status = no_length(p, "storm");

	if (status)
		return status;
	if (parse_whole(p->storm, 1, MAX_LIVE_MOST, &p->o->plan.count) < 0)
		return usage_error("--storm: \"%s\" is no number of sessions", p->storm);
	if (p->max_live_given && p->o->max_live < p->o->plan.count)
		return usage_error("--storm %s and --max-live %llu contradict each other", p->storm,
		    (unsigned long long)p->o->max_live);
	if (p->o->max_live < p->o->plan.count)
		p->o->max_live = p->o->plan.count;
	p->o->plan.model = PLAN_STORM;
	p->o->plan_text = p->storm;
	return 0;
}

static int make_loop(struct parse *p, uint64_t duration, uint64_t count)
{
	uint64_t lanes;

	if (parse_whole(p->concurrency, 1, MAX_LIVE_MOST, &lanes) < 0)
		return usage_error(
		    "--concurrency: \"%s\" is no number of sessions", p->concurrency);
	if (!p->duration && !p->count)
		return usage_error("--concurrency needs an end: --duration or --count");
	if (p->count && count < lanes)
		return usage_error(
		    "--concurrency %s and --count %s contradict each other: there are "
		    "never that many sessions",
		    p->concurrency, p->count);
	if (p->max_live_given && p->o->max_live < lanes)
		return usage_error("--concurrency %s and --max-live %llu contradict each other",
		    p->concurrency, (unsigned long long)p->o->max_live);
	if (p->o->max_live < lanes)
		p->o->max_live = lanes;
	if (p->segment)
		return usage_error(
		    "--segment and --concurrency contradict each other: a closed loop "
		    "has no plan to share");
	p->o->plan.model = PLAN_CONCURRENCY;
	p->o->plan.lanes = (unsigned)lanes;
	p->o->plan.count = count;
	p->o->plan.duration = duration;
	p->o->plan_text = p->concurrency;
	return 0;
}

static int make_model(struct parse *p)
{
	uint64_t duration = 0, count = 0;
	const char *const given[] = { p->rate ? "--rate" : NULL, p->stages ? "--stages" : NULL,
		p->storm ? "--storm" : NULL, p->concurrency ? "--concurrency" : NULL };
	const char *first = NULL;

	for (int i = 0; i < 4; i++) {
		if (given[i] && first)
			return usage_error("%s and %s contradict each other: a run has one model",
			    first, given[i]);
		first = given[i] ? given[i] : first;
	}
	if (!first)
		return usage_error(
		    "there is no plan: --rate, --stages, --storm or --concurrency makes one");
	if (p->duration && take_time("duration", p->duration, &duration))
		return LOAD_EXIT_USAGE;
	if (p->duration && duration == 0)
		return usage_error(
		    "--duration: %s is no time in which to start anything", p->duration);
	if (p->count && parse_whole(p->count, 1, 100000000, &count) < 0)
		return usage_error("--count: \"%s\" is no number of sessions", p->count);
	return p->rate     ? make_rate(p, duration, count)
	       : p->stages ? make_stages(p)
	       : p->storm  ? make_storm(p)
	                   : make_loop(p, duration, count);
}

int make_plan(struct parse *p)
{
	struct plan *plan = &p->o->plan;
	int status = make_model(p);

	if (status)
		return status;
	if (p->segment && plan_parse_segment(plan, p->segment) < 0)
		return usage_error("--segment: \"%s\" is no K/N with K from 1 to N", p->segment);
	if (plan->count && plan_count(plan) == 0)
		return usage_error("--segment %s: the plan has only %llu starts, none for this one",
		    p->segment, (unsigned long long)plan->count);
	if (plan->model == PLAN_CONCURRENCY && p->o->ramp_down)
		return usage_error(
		    "--ramp-down and --concurrency contradict each other: a closed loop "
		    "has no last start that is known ahead");
	if (!p->seed)
		return 0;
	if (parse_whole(p->seed, 0, UINT64_MAX, &p->o->seed) < 0)
		return usage_error("--seed: \"%s\" is no number", p->seed);
	if (plan->count == 0)
		return usage_error(
		    "--seed needs --count: it orders as many users as there are starts");
	return plan_shuffle(plan, p->o->seed) < 0 ? LOAD_EXIT_FAILED : 0;
}
