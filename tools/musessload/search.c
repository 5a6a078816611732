/*
 * The search for the highest rate: it is doubled until a threshold is crossed (or halved until
 * none is), and then halved between the highest good one and the lowest bad one.
 */
#include "run.h"

#include "engine.h"

#include <stdio.h>
#include <stdlib.h>

enum { TRIES = 20 };

/* What is near enough: the highest good rate and the lowest bad one. */
#define NEAR 1.05

/* The plan of a try. Nothing of the one before is in it: that has left sessions, to which its users would
   come back. */
static int plan_try(struct options *o, double rate, unsigned number)
{
	bool shuffled = o->plan.order != NULL;

	if (number > 1)
		o->plan.first_turn += o->plan.count;
	plan_set_rate(&o->plan, rate, o->plan.duration, 0);
	return shuffled ? plan_shuffle(&o->plan, o->seed) : 0;
}

/* A run of the plan, with its rate as its plan's text. Returns an exit status. */
static int run_try(struct options *o, double rate, unsigned number, struct summary *summary)
{
	const char *given = o->plan_text;
	char text[32], *file = NULL;
	int status = LOAD_EXIT_FAILED;

	snprintf(text, sizeof(text), "%.6g/s", rate);
	o->plan_text = text;
	if (plan_try(o, rate, number) < 0 ||
	    (o->out && asprintf(&file, "%s.%u", o->out, number) < 0))
		fputs("musessload: memory is short\n", stderr);
	else
		status = engine_run(o, file, summary);
	if (o->out)
		free(file);
	o->plan_text = given;
	return status;
}

/* Adds what it started to STARTS. Returns an exit status: LOAD_EXIT_OK, LOAD_EXIT_THRESHOLD, or that of what went wrong. */
static int try_rate(struct options *o, double rate, unsigned number, uint64_t *starts)
{
	struct summary summary = { 0 };
	int status = run_try(o, rate, number, &summary);
	unsigned crossed;

	*starts += summary.started;

	if (status == LOAD_EXIT_INTERRUPTED || summary.started == 0) {
		summary_free(&summary);
		return status;
	}
	printf("%u. %.2f/s: %llu sessions, %llu failed, %llu missed\n", number, rate,
	    (unsigned long long)summary.started, (unsigned long long)summary.failed,
	    (unsigned long long)summary.missed);
	crossed = threshold_report(stdout, o->threshold, o->thresholds, &summary);
	/* starts that were not made say nothing: that rate was not reached */
	if (summary.missed && !crossed)
		puts("   not counted as kept: starts were missed");
	fflush(stdout);
	crossed += summary.missed > 0;
	summary_free(&summary);
	return crossed ? LOAD_EXIT_THRESHOLD : LOAD_EXIT_OK;
}

static double next_rate(double good, double bad, double first)
{
	if (bad == 0)
		return good == 0 ? first : good * 2;
	return good == 0 ? bad / 2 : (good + bad) / 2;
}

/* Returns an exit status. */
static int say_found(double good, double bad)
{
	if (good == 0) {
		printf("no rate kept the thresholds\n");
		return LOAD_EXIT_THRESHOLD;
	}
	printf("highest rate that kept the thresholds: %.2f/s", good);
	if (bad > 0)
		printf(" (%.2f/s did not)", bad);
	putchar('\n');
	return LOAD_EXIT_OK;
}

int search_main(struct options *o)
{
	double good = 0, bad = 0, first = o->plan.stage[0].rate;
	uint64_t starts = 0;
	int found;

	for (unsigned i = 1; i <= TRIES && (good == 0 || bad == 0 || bad / good > NEAR); i++) {
		double rate = next_rate(good, bad, first);
		int status;

		if (rate * (double)o->plan.duration / 1e6 < 1)
			break; /* not even one start */
		status = try_rate(o, rate, i, &starts);
		if (status == LOAD_EXIT_OK)
			good = rate;
		else if (status == LOAD_EXIT_THRESHOLD)
			bad = rate;
		else
			return status;
	}
	found = say_found(good, bad);
	run_note_users(o, starts);
	return found;
}
