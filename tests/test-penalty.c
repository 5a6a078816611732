/* Penalties of sources, by a clock that the test is. */
#include "../daemon/penalty.h"

#include "networks.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

enum { SECOND = 1000000, MINUTE = 60 * SECOND };
#define MOST ((uint64_t)10 * MINUTE)
#define START ((uint64_t)1000 * SECOND)

static struct in6_addr host(const char *text)
{
	struct network networks[NETWORKS_MAX];

	assert_int_equal(networks_parse(text, networks), 1);
	return networks[0].address;
}

static uint64_t failed(struct penalty *p, const char *from, uint64_t now)
{
	struct in6_addr address = host(from);

	return penalty_add(p, &address, now, MOST);
}

static uint64_t left(const struct penalty *p, const char *from, uint64_t now)
{
	struct in6_addr address = host(from);

	return penalty_left(p, &address, now);
}

/* Five for nothing, then a second, two, four …; and no more than the most. */
static void test_grows(void **unused)
{
	struct penalty *p = penalty_create(16);
	uint64_t wait = SECOND;

	(void)unused;
	assert_int_equal(left(p, "192.0.2.1", START), 0);
	for (int i = 0; i < 5; i++)
		assert_int_equal(failed(p, "192.0.2.1", START), 0);
	assert_int_equal(left(p, "192.0.2.1", START), 0);
	for (int i = 0; i < 40; i++, wait *= 2) {
		if (wait > MOST)
			wait = MOST;
		assert_int_equal(failed(p, "192.0.2.1", START), wait);
		assert_int_equal(left(p, "192.0.2.1", START), wait);
	}
	assert_int_equal(left(p, "192.0.2.1", START + MOST - 1), 1);
	assert_int_equal(left(p, "192.0.2.1", START + MOST), 0);
	assert_int_equal(left(p, "192.0.2.2", START), 0);
	penalty_destroy(p);
}

/* A minute forgets a failure: who fails once a minute never waits. */
static void test_forgets(void **unused)
{
	struct penalty *p = penalty_create(16);
	uint64_t now = START;

	(void)unused;
	for (int i = 0; i < 1000; i++, now += MINUTE)
		assert_int_equal(failed(p, "192.0.2.1", now), 0);
	for (int i = 0; i < 20; i++)
		failed(p, "192.0.2.1", now);
	now += 30ull * MINUTE; /* more than are ever remembered */
	for (int i = 0; i < 5; i++)
		assert_int_equal(failed(p, "192.0.2.1", now), 0);
	assert_int_equal(failed(p, "192.0.2.1", now), SECOND);
	penalty_destroy(p);
}

/* Whoever tries whenever he may has no more than one try a minute, and the first few. */
static void test_guesses(void **unused)
{
	struct penalty *p = penalty_create(16);
	uint64_t now = START;
	unsigned guesses = 0;

	(void)unused;
	while (now < START + 1000ull * MINUTE) {
		now += left(p, "192.0.2.1", now);
		failed(p, "192.0.2.1", now);
		guesses++;
	}
	assert_in_range(guesses, 500, 1020);
	penalty_destroy(p);
}

/* What operations.md says of whoever guesses whenever he may: with one address, with those of 64 bits and
   with those of 48. */
static void test_first_minutes(void **unused)
{
	static const struct {
		const char *from;
		unsigned two_minutes, next_hour; /* guesses */
	} cases[] = {
		{ "192.0.2.1", 13, 60 },
		{ "2001:db8::1", 13, 60 },
		{ "2001:db8::%x", 32, 240 },
		{ "2001:db8:0:%x::1", 73, 600 },
	};

	(void)unused;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct penalty *p = penalty_create(1024);
		unsigned guesses[2] = { 0 }, number = 0;
		uint64_t now = START;
		while (now < START + 62ull * MINUTE) {
			char text[64];
			snprintf(text, sizeof(text), cases[i].from, number++);
			now += left(p, text, now);
			failed(p, text, now);
			guesses[now >= START + 2ull * MINUTE]++;
		}
		assert_int_equal(guesses[0], cases[i].two_minutes);
		assert_in_range(guesses[1], cases[i].next_hour, cases[i].next_hour + 1);
		penalty_destroy(p);
	}
}

/* The networks around a source have penalties too, and allow more. */
static void test_prefixes(void **unused)
{
	struct penalty *p = penalty_create(300);
	char text[64];

	(void)unused;
	for (int i = 0; i < 20; i++)
		failed(p, "2001:db8:0:1::1", START + (uint64_t)i * 30 * SECOND);
	assert_true(left(p, "2001:db8:0:1::1", START + 570ull * SECOND) > 0);
	assert_int_equal(left(p, "2001:db8:0:1::2", START + 570ull * SECOND), 0);
	for (int i = 0; i < 21; i++) {
		snprintf(text, sizeof(text), "2001:db8:1:1::%x", i);
		failed(p, text, START);
	}
	assert_int_equal(left(p, "2001:db8:1:1:ffff::1", START), SECOND);
	assert_int_equal(left(p, "2001:db8:1:2::1", START), 0);
	for (int i = 0; i < 51; i++) {
		snprintf(text, sizeof(text), "198.51.100.%d", i);
		failed(p, text, START);
		snprintf(text, sizeof(text), "2001:db8:7:%x::1", i);
		failed(p, text, START);
	}
	assert_int_equal(left(p, "198.51.100.200", START), SECOND);
	assert_int_equal(left(p, "198.51.101.1", START), 0);
	assert_int_equal(left(p, "2001:db8:7:ffff::1", START), SECOND);
	assert_int_equal(left(p, "2001:db8:8::1", START), 0);
	penalty_destroy(p);
}

static void assert_share(const char *one, const char *other, bool same)
{
	struct in6_addr a = host(one), b = host(other);

	a = penalty_source(&a);
	b = penalty_source(&b);
	assert_int_equal(IN6_ARE_ADDR_EQUAL(&a, &b), same);
}

/* A host has all addresses of its 64 bits, but for those of a link, where each neighbour has one. */
static void test_source(void **unused)
{
	(void)unused;
	assert_share("2001:db8::1", "2001:db8::ffff:1", true);
	assert_share("2001:db8::1", "2001:db8:0:1::1", false);
	assert_share("fe80::1", "fe80::ffff:1", false);
	assert_share("fe80::1", "fe80:0:0:1::1", false); /* the number of a link */
	assert_share("192.0.2.7", "192.0.2.7", true);
	assert_share("192.0.2.7", "192.0.2.8", false);
}

/* Nobody frees himself by filling the table from elsewhere. */
static void test_full(void **unused)
{
	struct penalty *p = penalty_create(8);
	char text[64];

	(void)unused;
	for (int i = 0; i < 10; i++)
		failed(p, "192.0.2.1", START);
	for (unsigned i = 0; i < 1000; i++) {
		snprintf(text, sizeof(text), "10.%u.%u.1", i / 256, i % 256);
		failed(p, text, START + i);
		failed(p, text, START + i);
	}
	assert_true(left(p, "192.0.2.1", START) > 0);
	/* one that comes late is remembered as well */
	for (int i = 0; i < 6; i++)
		failed(p, "203.0.113.1", START + SECOND);
	assert_int_equal(left(p, "203.0.113.1", START + SECOND), SECOND);
	penalty_destroy(p);
}

static void test_networks(void **unused)
{
	static const struct {
		const char *text;
		int count;
	} cases[] = {
		{ "", 0 },
		{ "  ", 0 },
		{ "127.0.0.1", 1 },
		{ " 127.0.0.0/8\t::1 2001:db8::/32 ", 3 },
		{ "0.0.0.0/0", 1 },
		{ "::/0", 1 },
		{ "192.0.2.1/33", -1 },
		{ "2001:db8::/129", -1 },
		{ "192.0.2.1/", -1 },
		{ "192.0.2.1/-1", -1 },
		{ "192.0.2.1/8/8", -1 },
		{ "192.0.2.1,192.0.2.2", -1 },
		{ "example.com", -1 },
		{ "::ffff:192.0.2.1/999999999999", -1 },
	};
	struct network networks[NETWORKS_MAX];
	struct in6_addr four = host("192.0.2.7"), loop = host("127.9.9.9"),
	                six = host("2001:db8::7");

	(void)unused;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		if (networks_parse(cases[i].text, networks) != cases[i].count)
			fail_msg("networks \"%s\"", cases[i].text);
	assert_int_equal(networks_parse("192.0.2.9/29 2001:db8::/32", networks), 2);
	assert_false(networks_hold(networks, 2, &four));
	assert_true(networks_hold(networks, 2, &six));
	assert_int_equal(networks_parse("192.0.2.1/29 127.0.0.0/8", networks), 2);
	assert_true(networks_hold(networks, 2, &four));
	assert_true(networks_hold(networks, 2, &loop));
	assert_false(networks_hold(networks, 2, &six));
	assert_int_equal(networks_parse("0.0.0.0/0", networks), 1);
	assert_true(networks_hold(networks, 1, &four));
	assert_false(networks_hold(networks, 1, &six));
	assert_false(networks_hold(networks, 0, &four));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_grows),
		cmocka_unit_test(test_forgets),
		cmocka_unit_test(test_guesses),
		cmocka_unit_test(test_first_minutes),
		cmocka_unit_test(test_prefixes),
		cmocka_unit_test(test_source),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_networks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
