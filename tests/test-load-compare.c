/*
 * `musessload compare`: what it promises of noise. Sessions of one source are divided by chance, again and again, and it
 * may find a difference between the halves once in a hundred times, in all that it compares together. Chance makes
 * sessions independent of one another; so runs are made, too, in which each session is like the one before.
 */
#include "compare-judge.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the four above it */
#include <cmocka.h>

enum { HALVES = 1000 };

/* Of a thousand ten may; more than these come by chance once in two thousand such thousands. */
enum { MOST_ALARMS = 21 };

static uint64_t seed;

static double uniform(void)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return ((double)(seed >> 11) + 0.5) * 0x1p-53;
}

static double normal(void)
{
	double sum = -6;

	for (int i = 0; i < 12; i++)
		sum += uniform();
	return sum;
}

/* A session as servers make them: phases with a tail, one in ten from a slower path, one in twenty failed, a picture
   counted in whole milliseconds (ties). SLOWER times as long. */
static struct result session(uint64_t number, double slower)
{
	struct result r = { .number = number,
		.planned = number * 20000,
		.started = number * 20000 + (uint64_t)(uniform() * 300),
		.total = NOT_REACHED,
		.held = 1000000 };
	double path = slower * (uniform() < 0.1 ? 3 : 1);

	for (int i = 0; i < LOAD_PHASE_COUNT; i++)
		r.phase[i] = NOT_REACHED;
	if (uniform() < 0.05) {
		r.error = LOAD_RESET;
		r.failed_in = LOAD_TLS;
		return r;
	}
	r.total = 0;
	for (int i = LOAD_TCP; i <= LOAD_PICTURE; i++) {
		r.phase[i] = (uint64_t)(2000 * (i + 1) * path * exp(0.4 * normal()));
		if (i == LOAD_PICTURE)
			r.phase[i] = r.phase[i] / 1000 * 1000;
		r.total += r.phase[i];
	}
	r.echo[r.echoes++] = (uint64_t)(5000 * slower * exp(0.3 * normal()));
	return r;
}

/* Puts COUNT numbers in an order of chance. */
static void shuffle(size_t *order, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		size_t other = (size_t)(uniform() * (double)(i + 1));

		order[i] = order[other];
		order[other] = i;
	}
}

static unsigned findings(const struct comparison *c)
{
	unsigned found = 0;

	for (int i = 0; i < SHARES; i++)
		found += c->share[i].verdict != SAME && c->share[i].verdict != TOO_FEW;
	for (unsigned i = 0; i < METRIC_COUNT; i++)
		found += i != METRIC_HELD && c->change[i].verdict != SAME &&
		         c->change[i].verdict != TOO_FEW;
	return found;
}

static struct comparison judged(struct side sides[2])
{
	struct comparison c;

	assert_int_equal(side_pool(&sides[0]), 0);
	assert_int_equal(side_pool(&sides[1]), 0);
	assert_int_equal(judge(&c, sides), 0);
	return c;
}

static void add(struct summary *file, const struct result *r)
{
	assert_int_equal(summary_add_session(file, r), 0);
}

/* Halves of one run of 2 * EACH sessions. Returns how often anything was found. */
static unsigned alarms_of_sessions(size_t each)
{
	struct result *all = calloc(2 * each, sizeof(*all));
	size_t *order = calloc(2 * each, sizeof(*order));
	unsigned alarms = 0;

	assert_true(all && order);
	for (size_t i = 0; i < 2 * each; i++)
		all[i] = session(i, 1);
	for (int times = 0; times < HALVES; times++) {
		struct side sides[2] = { 0 };
		struct comparison c;

		shuffle(order, 2 * each);
		for (size_t i = 0; i < 2 * each; i++)
			add(i % each ? &sides[i / each].files[0] : side_add(&sides[i / each]),
			    &all[order[i]]);
		c = judged(sides);
		alarms += findings(&c) > 0;
		side_free(&sides[0]);
		side_free(&sides[1]);
	}
	free(order);
	free(all);
	return alarms;
}

/* A file of a run of COUNT sessions; runs differ by 5 %, as on a machine that is sometimes busier. */
static void add_run(struct side *side, size_t count, double slower)
{
	struct summary *file = side_add(side);
	double run = slower * exp(0.05 * normal());

	assert_non_null(file);
	for (size_t i = 0; i < count; i++) {
		struct result r = session(i, run);

		add(file, &r);
	}
}

static struct comparison compare_runs(struct side sides[2], size_t files, double slower)
{
	for (int s = 0; s < 2; s++)
		for (size_t f = 0; f < files; f++)
			add_run(&sides[s], 100, s ? slower : 1);
	return judged(sides);
}

/* Of runs that differ among themselves, FILES a side. */
static unsigned alarms_of_runs(size_t files)
{
	unsigned alarms = 0;

	for (int times = 0; times < HALVES; times++) {
		struct side sides[2] = { 0 };
		struct comparison c = compare_runs(sides, files, 1);

		alarms += findings(&c) > 0;
		side_free(&sides[0]);
		side_free(&sides[1]);
	}
	return alarms;
}

/* A run of COUNT sessions of a server that is busy for a while, and then is not: ALIKE is the correlation of neighbours. They
   take longer then, and the busiest twentieth fails. */
static void add_series(struct side *side, size_t count, double alike, double slower)
{
	struct summary *file = side_add(side);
	double busy = normal();

	assert_non_null(file);
	for (size_t i = 0; i < count; i++) {
		struct result r = session(i, slower * exp(0.5 * busy));

		if (busy > 1.645) {
			r.error = LOAD_RESET;
			r.total = NOT_REACHED;
		}
		add(file, &r);
		busy = alike * busy + sqrt(1 - alike * alike) * normal();
	}
}

/* How often anything is found in two such runs, of TIMES. */
static unsigned findings_of_series(int times, size_t each, double alike, double slower)
{
	unsigned found = 0;

	for (int i = 0; i < times; i++) {
		struct side sides[2] = { 0 };
		struct comparison c;

		add_series(&sides[0], each, alike, 1);
		add_series(&sides[1], each, alike, slower);
		c = judged(sides);
		found += findings(&c) > 0;
		side_free(&sides[0]);
		side_free(&sides[1]);
	}
	return found;
}

static void test_series(void **state)
{
	static const struct {
		size_t each;
		double alike;
	} runs[] = { { 30, 0.5 }, { 100, 0.9 }, { 300, 0.9 } };

	(void)state;
	for (size_t i = 0; i < sizeof(runs) / sizeof(*runs); i++) {
		unsigned alarms;

		seed = i + 1;
		alarms = findings_of_series(HALVES, runs[i].each, runs[i].alike, 1);
		print_message("%zu sessions a side, neighbours alike by %.1f: %u of %d differ\n",
		    runs[i].each, runs[i].alike, alarms, HALVES);
		assert_in_range(alarms, 0, MOST_ALARMS);
	}
}

/* A difference that matters is found all the same: the more alike neighbours are, the more sessions it takes. */
static void test_different_series(void **state)
{
	static const struct {
		size_t each;
		double alike, slower;
	} runs[] = { { 100, 0, 1.5 }, { 300, 0.5, 1.5 }, { 1000, 0.9, 2 } };

	(void)state;
	for (size_t i = 0; i < sizeof(runs) / sizeof(*runs); i++) {
		unsigned found;

		seed = i + 1;
		found = findings_of_series(50, runs[i].each, runs[i].alike, runs[i].slower);
		print_message("%zu sessions a side, neighbours alike by %.1f, %.1f times as slow: "
		              "found in %u of 50\n",
		    runs[i].each, runs[i].alike, runs[i].slower, found);
		assert_in_range(found, 40, 50);
	}
}

static void test_halves(void **state)
{
	static const size_t sizes[] = { 8, 30, 200 };

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		unsigned alarms;

		seed = i + 1;
		alarms = alarms_of_sessions(sizes[i]);
		print_message(
		    "%zu sessions a side: %u of %d halves differ\n", sizes[i], alarms, HALVES);
		assert_in_range(alarms, 0, MOST_ALARMS);
	}
}

static void test_halves_of_runs(void **state)
{
	static const size_t sizes[] = { 2, 3, 5 };

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		unsigned alarms;

		seed = i + 1;
		alarms = alarms_of_runs(sizes[i]);
		print_message("%zu runs a side: %u of %d differ\n", sizes[i], alarms, HALVES);
		assert_in_range(alarms, 0, MOST_ALARMS);
	}
}

/* That the test above can fail: with one run a side what runs differ by is taken for a difference. It is
   what the documentation says of one run. */
static void test_one_run_is_not_enough(void **state)
{
	(void)state;
	seed = 1;
	assert_true(alarms_of_runs(1) > MOST_ALARMS);
}

/* What is there is found: in few sessions where it is large, in runs where it is larger than what they differ by. */
static void test_differences(void **state)
{
	struct side sides[2] = { 0 };
	struct comparison c;

	(void)state;
	seed = 1;
	for (int s = 0; s < 2; s++)
		for (uint64_t i = 0; i < 30; i++) {
			struct result r = session(i, s ? 1.8 : 1);

			add(i ? &sides[s].files[0] : side_add(&sides[s]), &r);
		}
	c = judged(sides);
	assert_int_equal(c.change[METRIC_TOTAL].verdict, WORSE);
	assert_int_equal(c.share[0].verdict, SAME);
	assert_int_equal(c.share[1].verdict, SAME);
	side_free(&sides[0]);
	side_free(&sides[1]);
	c = compare_runs(sides, 5, 0.75);
	assert_int_equal(c.change[METRIC_TOTAL].verdict, BETTER);
	side_free(&sides[0]);
	side_free(&sides[1]);
}

/* An outage in one of three runs of a side is no difference of the sides; one in each of them is. */
static void test_share_of_runs(void **state)
{
	struct result good = session(0, 1), bad = good;

	(void)state;
	good.error = LOAD_OK;
	bad.error = LOAD_RESET;
	for (int failing = 1; failing <= 3; failing += 2) {
		struct side sides[2] = { 0 };
		struct comparison c;

		for (int f = 0; f < 6; f++) {
			struct summary *file = side_add(&sides[f / 3]);

			for (int i = 0; i < 100; i++)
				add(file, f < 3 || f - 3 >= failing || i % 2 ? &good : &bad);
		}
		c = judged(sides);
		assert_int_equal(c.share[0].verdict, failing == 3 ? WORSE : SAME);
		assert_int_equal(c.share[0].count[1], failing * 50);
		side_free(&sides[0]);
		side_free(&sides[1]);
	}
}

static void assert_near(double is, double expected)
{
	if (!(fabs(is - expected) <= 1e-9))
		fail_msg("%.12g is not %.12g", is, expected);
}

/* By the closed forms of one, two and four degrees of freedom. */
static void test_mean_test(void **state)
{
	static const double a[] = { 1, 2, 3 }, b[] = { 4, 5, 7 }, c[] = { 9 }, same[] = { 2, 2, 2 };
	double t = 10 / sqrt(10), d = 7 / sqrt(4.0 / 3), s = t / sqrt(4 + t * t);

	(void)state;
	assert_near(stats_mean_test(a, 3, b, 3), 1 - s * (1 + 2 / (4 + t * t)));
	assert_near(stats_mean_test(b, 3, a, 3), 1 - s * (1 + 2 / (4 + t * t)));
	assert_near(stats_mean_test(a, 3, c, 1), 1 - d / sqrt(2 + d * d));
	assert_near(stats_mean_test(a, 2, c, 1), 1 - 2 * atan(7.5 / sqrt(0.75)) / M_PI);
	assert_near(stats_mean_test(same, 3, same, 2), 1);
	assert_near(stats_mean_test(same, 3, c, 1), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_halves),
		cmocka_unit_test(test_halves_of_runs),
		cmocka_unit_test(test_series),
		cmocka_unit_test(test_different_series),
		cmocka_unit_test(test_one_run_is_not_enough),
		cmocka_unit_test(test_differences),
		cmocka_unit_test(test_share_of_runs),
		cmocka_unit_test(test_mean_test),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
