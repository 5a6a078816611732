/*
 * Unit tests of what musessload makes of results: statistics against known values, bins over time,
 * HdrHistogram's text, and a page in which nothing of a file becomes markup.
 */
#include "format.h"
#include "report.h"
#include "stats.h"
#include "timeline.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static struct summary summary;

static int clear(void **state)
{
	(void)state;
	summary_free(&summary);
	return 0;
}

static void assert_near(double is, double expected, double within)
{
	if (!(fabs(is - expected) <= within))
		fail_msg("%.9g is not %.9g", is, expected);
}

/* ---- statistics ---- */

/* The sets of SciPy's documentation of mannwhitneyu, which gives these figures. */
static void test_rank_test(void **state)
{
	static const uint64_t males[] = { 16, 19, 22, 24, 29 }, females[] = { 11, 12, 17, 20 };
	struct rank_test test = stats_rank_test(males, 5, females, 4);

	(void)state;
	assert_near(test.u, 17, 0);
	assert_near(test.p, 0.11134688653314041, 1e-12);
	assert_near(test.b_smaller, 0.85, 1e-12);
	test = stats_rank_test(females, 4, males, 5);
	assert_near(test.u, 3, 0);
	assert_near(test.p, 0.11134688653314041, 1e-12);
}

/* By counting all pairs. */
static void test_rank_test_ties(void **state)
{
	static const uint64_t a[] = { 1, 2, 2, 3, 3, 3, 4, 5, 6, 9 };
	static const uint64_t b[] = { 3, 4, 4, 5, 5, 6, 7, 7, 8, 9, 9, 10 };
	static const uint64_t same[] = { 7, 7, 7 };
	struct rank_test test = stats_rank_test(a, 10, b, 12);

	(void)state;
	assert_near(test.u, 23, 0);
	assert_near(test.p, 0.015354500582061918, 1e-12);
	assert_near(stats_rank_test(same, 3, same, 3).p, 1, 0);
}

static void test_share_test(void **state)
{
	(void)state;
	assert_near(stats_share_test(8, 10, 1, 6), 0.03496503496503497, 1e-12);
	assert_near(stats_share_test(3, 4, 1, 4), 0.4857142857142857, 1e-12);
	assert_near(stats_share_test(57, 3985, 47, 4000), 0.3251589704968369, 1e-9);
	assert_near(stats_share_test(0, 4000, 0, 4000), 1, 0);
	assert_near(stats_share_test(0, 0, 3, 4000), 1, 0);
}

/* Against a set that does not vary the interval is the other's own: that of the median of 1,000
   even numbers is 500 +- 2.576 * sqrt(250) of them. */
static void test_interval(void **state)
{
	uint64_t constant[1000], even[1000];
	struct interval i, again;

	(void)state;
	for (uint64_t n = 0; n < 1000; n++) {
		constant[n] = 2000;
		even[n] = 2000 + n;
	}
	i = stats_percentile_difference(constant, 1000, even, 1000, 50, 0.99);
	again = stats_percentile_difference(constant, 1000, even, 1000, 50, 0.99);
	assert_memory_equal(&i, &again, sizeof(i));
	assert_near(i.low, 500 - 40.7, 5);
	assert_near(i.high, 500 + 40.7, 5);
	i = stats_percentile_difference(even, 1000, constant, 1000, 95, 0.99);
	assert_near(i.low, -950 - 17.8, 4);
	assert_near(i.high, -950 + 17.8, 4);
	i = stats_percentile_difference(constant, 1, even, 1, 50, 0.99);
	assert_near(i.low, 0, 0);
	assert_near(i.high, 0, 0);
}

static int by_size(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void draw(uint64_t *set, size_t count, uint32_t *state)
{
	for (size_t i = 0; i < count; i++) {
		*state = *state * 1664525 + 1013904223;
		set[i] = *state >> 8;
	}
	qsort(set, count, sizeof(*set), by_size);
}

/* Of the same source, with 95 % confidence: the interval leaves 0 out about one time in twenty, as
   the rank test says that they differ. */
static void test_false_alarms(void **state)
{
	enum { SIZE = 120, TIMES = 300 };
	uint64_t a[SIZE], b[SIZE];
	unsigned intervals = 0, ranks = 0;
	uint32_t seed = 1;

	(void)state;
	for (int i = 0; i < TIMES; i++) {
		struct interval difference;

		draw(a, SIZE, &seed);
		draw(b, SIZE, &seed);
		difference = stats_percentile_difference(a, SIZE, b, SIZE, 50, 0.95);
		intervals += difference.low > 0 || difference.high < 0;
		ranks += stats_rank_test(a, SIZE, b, SIZE).p < 0.05;
	}
	assert_in_range(intervals, TIMES / 100, TIMES / 10);
	assert_in_range(ranks, TIMES / 50, TIMES / 10);
}

/* ---- reports ---- */

static void add(uint64_t started, uint64_t total, uint64_t held, enum load_error error)
{
	struct result r = { .planned = started,
		.started = started,
		.total = total,
		.held = held,
		.error = error,
		.failed_in = LOAD_TLS,
		.detail = "</script><script>alert(1)</script>" };

	for (int i = 0; i < LOAD_PHASE_COUNT; i++)
		r.phase[i] = NOT_REACHED;
	r.phase[LOAD_TCP] = 250;
	assert_int_equal(summary_add_session(&summary, &r), 0);
}

/* What a report writes. To be freed. */
static char *written(void (*report)(FILE *))
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	report(out);
	fclose(out);
	return text;
}

static void hdr(FILE *out)
{
	report_hdr(out, &summary, METRIC_TOTAL);
}

static void csv(FILE *out)
{
	report_csv(out, &summary);
}

static void page(FILE *out)
{
	assert_int_equal(report_html(out, &summary, NULL, 0), 0);
}

static void text(FILE *out)
{
	report_text(out, &summary);
}

static void test_hdr(void **state)
{
	char *t;

	(void)state;
	for (uint64_t i = 1; i <= 1000; i++)
		add(0, i * 1000, 0, LOAD_OK);
	t = written(hdr);
	assert_non_null(strstr(t, "       Value     Percentile TotalCount 1/(1-Percentile)\n\n"));
	assert_non_null(strstr(t, "\n       1.000 0.000000000000          1           1.00\n"));
	assert_non_null(strstr(t, "\n     500.000 0.500000000000        500           2.00\n"));
	assert_non_null(strstr(t, "\n     550.000 0.550000000000        550           2.22\n"));
	assert_non_null(strstr(t, "\n     991.000 0.990625000000        991         106.67\n"));
	assert_non_null(strstr(t, "\n    1000.000 1.000000000000       1000\n"));
	assert_non_null(strstr(t, "#[Mean    =      500.500, StdDeviation   =      288.675]\n"));
	assert_non_null(strstr(t, "#[Max     =     1000.000, Total count    =         1000]\n"));
	free(t);
	t = written(csv);
	assert_non_null(strstr(t, "\ntotal,1000,500500.0,288675.0,1000,500000,900000,950000,"
	                          "990000,999000,1000000\n"));
	free(t);
}

static uint64_t sum(json_t *counts)
{
	uint64_t all = 0;

	for (size_t i = 0; i < json_array_size(counts); i++)
		all += (uint64_t)json_integer_value(json_array_get(counts, i));
	return all;
}

/* Each session is in one bin of each kind, and there for as long as it lived. */
static void test_timeline(void **state)
{
	json_t *t, *live, *cells;
	double seconds = 0;
	uint64_t in_cells = 0;

	(void)state;
	for (uint64_t i = 0; i < 100; i++)
		add(i * 100000, 50000 + i * 3000, 2000000, LOAD_OK);
	add(5000000, NOT_REACHED, 1000000, LOAD_DEADLINE);
	assert_int_equal(
	    summary_add_missed(&summary, &(struct missed){ .planned = 9000000, .why = "late" }), 0);
	t = timeline_json(&summary);
	live = json_object_get(t, "live");
	cells = json_object_get(json_object_get(t, "heat"), "cells");
	assert_int_equal(sum(json_object_get(t, "planned")), 102);
	assert_int_equal(sum(json_object_get(t, "started")), 101);
	assert_int_equal(sum(json_object_get(t, "reached")), 100);
	assert_int_equal(sum(json_object_get(t, "missed")), 1);
	assert_int_equal(sum(json_object_get(json_object_get(t, "errors"), "deadline")), 1);
	for (size_t i = 0; i < json_array_size(live); i++)
		seconds += json_real_value(json_array_get(live, i)) *
		           (double)json_integer_value(json_object_get(t, "width")) / 1e6;
	assert_near(seconds, 100 * 2.05 + 4950 * 0.003 + 1, 0.1);
	for (size_t i = 0; i < json_array_size(cells); i++)
		in_cells +=
		    (uint64_t)json_integer_value(json_array_get(json_array_get(cells, i), 2));
	assert_int_equal(in_cells, 100);
	json_decref(t);
}

/* What is shown is bounded, however many sessions there are, and however long they took. */
static void test_timeline_extremes(void **state)
{
	json_t *t = timeline_json(&summary);

	(void)state;
	assert_int_equal(json_array_size(json_object_get(t, "started")), 1);
	json_decref(t);
	for (uint64_t i = 0; i < 5000; i++)
		add(i << 40, 1u << i % 32, 0, LOAD_OK);
	add(0, UINT64_C(1) << 53, UINT64_C(1) << 53, LOAD_OK);
	t = timeline_json(&summary);
	assert_in_range(json_array_size(json_object_get(t, "started")), 20, 121);
	assert_in_range(
	    json_integer_value(json_object_get(json_object_get(t, "heat"), "rows")), 20, 54);
	json_decref(t);
	t = timeline_curve(&summary.metric[METRIC_TOTAL]);
	assert_in_range(json_array_size(t), 80, 120);
	json_decref(t);
}

static unsigned occurrences(const char *t, const char *what)
{
	unsigned n = 0;

	for (; (t = strstr(t, what)); t++)
		n++;
	return n;
}

static void test_escaping(void **state)
{
	struct run_info info = {
		.target = "<img src=x onerror=alert(2)>", .model = "concurrency", .plan = "<!--"
	};
	char *t;

	(void)state;
	t = written(page);
	assert_int_equal(occurrences(t, "<script"), 2);
	free(t);
	assert_int_equal(summary_add_run(&summary, &info), 0);
	add(0, NOT_REACHED, 0, LOAD_RESET);
	t = written(page);
	assert_non_null(strstr(t, "alert(1)"));
	assert_non_null(strstr(t, "alert(2)"));
	assert_int_equal(occurrences(t, "<script"), 2);
	assert_int_equal(occurrences(t, "</script"), 2);
	assert_int_equal(occurrences(t, "<img"), 0);
	assert_int_equal(occurrences(t, "<!--"), 1); /* the page's own */
	free(t);
}

/* The closed loop is said plainly, and so is what limited the run. */
static void test_text(void **state)
{
	struct run_info info = { .target = "server", .model = "concurrency", .plan = "8" };
	struct run_end end = { .client_limited = true,
		.limit = "no processor time left",
		.stopped = true,
		.pauses = 2,
		.not_started = 7 };
	char *t;

	(void)state;
	assert_int_equal(summary_add_run(&summary, &info), 0);
	add(0, 1000000, 0, LOAD_OK);
	add(1000000, NOT_REACHED, 0, LOAD_TLS_FAILED);
	assert_int_equal(summary_add_end(&summary, &end), 0);
	t = written(text);
	assert_non_null(strstr(t, "CLOSED LOOP of 8"));
	assert_non_null(strstr(t, "CLOSED LOOP: a start waits"));
	assert_non_null(
	    strstr(t, "THE CLIENT WAS THE LIMIT, not the server: no processor time left"));
	assert_non_null(strstr(t, "\n  NOT MADE AS PLANNED: stopped by a key, paused by a key (2), "
	                          "7 starts of its plan not made\n"));
	assert_non_null(strstr(t, "ok 1, failed 1 (50%)"));
	assert_non_null(strstr(t, "the TLS handshake failed; in tls 1\n"));
	free(t);
}

static void test_format(void **state)
{
	static const struct {
		double us;
		const char *text;
	} times[] = { { 0, "0us" }, { 999.4, "999us" }, { 999.6, "1.00ms" }, { 9996, "10.0ms" },
		{ 99960, "100ms" }, { 999400, "999ms" }, { 999600, "1.00s" }, { 99.96e6, "100s" },
		{ 119.6e6, "2m00s" }, { 659.7e6, "11m00s" } };
	char t[32];

	(void)state;
	for (size_t i = 0; i < sizeof(times) / sizeof(*times); i++)
		assert_string_equal(format_time(t, sizeof(t), times[i].us), times[i].text);
	assert_string_equal(format_difference(t, sizeof(t), -1500), "-1.50ms");
	assert_string_equal(format_bytes(t, sizeof(t), 1.5e6), "1.5 MB");
}

#define TEST(name) cmocka_unit_test_teardown(name, clear)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rank_test),
		cmocka_unit_test(test_rank_test_ties),
		cmocka_unit_test(test_share_test),
		cmocka_unit_test(test_interval),
		cmocka_unit_test(test_false_alarms),
		TEST(test_hdr),
		TEST(test_timeline),
		TEST(test_timeline_extremes),
		TEST(test_escaping),
		TEST(test_text),
		cmocka_unit_test(test_format),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
