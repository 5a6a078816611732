/* The pace of sources: a burst, then one an interval; and of all of them together. */
#include "../daemon/pace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const struct pace_rate each = { .burst = 10, .interval = 1000 },
                              all = { .burst = 100, .interval = 100 };

static struct in6_addr source(uint32_t number)
{
	struct in6_addr a = { 0 };

	a.s6_addr32[0] = number;
	return a;
}

/* How many of COUNT SOURCE may have at NOW. */
static unsigned take(struct pace *p, uint32_t number, unsigned count, uint64_t now)
{
	struct in6_addr from = source(number);
	unsigned taken = 0;

	while (count-- > 0)
		taken += pace_take(p, &from, now);
	return taken;
}

static void test_burst(void **unused)
{
	static struct pace p;

	(void)unused;
	p = (struct pace){ .each = each, .all = all };
	assert_int_equal(take(&p, 1, 50, 5000000), 10);
	assert_int_equal(p.refused, 40);
	assert_int_equal(take(&p, 2, 50, 5000000), 10);
	assert_int_equal(take(&p, 1, 50, 5000999), 0);
	assert_int_equal(take(&p, 1, 50, 5001000), 1);
	assert_int_equal(take(&p, 1, 50, 5004000), 3);
	assert_int_equal(take(&p, 1, 50, 9000000), 10);
}

static void test_all(void **unused)
{
	static struct pace p;
	unsigned taken = 0;

	(void)unused;
	p = (struct pace){ .each = each, .all = all };
	for (uint32_t i = 1; i <= 50; i++)
		taken += take(&p, i, 5, 5000000);
	assert_int_equal(taken, 100);
	assert_int_equal(take(&p, 1000, 5, 5000000), 0);
	assert_int_equal(take(&p, 1000, 5, 5000300), 3);
}

/* However many come, those who are heard of all the time have no more than their own, but for few. */
static void test_many(void **unused)
{
	static struct pace p;
	unsigned taken = 0, most = 0;

	(void)unused;
	p = (struct pace){ .each = { 5, 1000000 }, .all = { 1000000, 1 } };
	for (uint32_t i = 0; i < 100000; i++) {
		taken += take(&p, 7, 1, 5000000);
		most += take(&p, 1000 + i % 500, 1, 5000000);
	}
	assert_int_equal(taken, 5);
	assert_in_range(most, 1, 2500);
	for (uint32_t i = 0; i < 100000; i++)
		take(&p, 10000 + i, 1, 5000000);
	p.all.burst = 1;
	assert_int_equal(take(&p, 8, 9, 5000001), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_burst),
		cmocka_unit_test(test_all),
		cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
