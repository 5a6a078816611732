/* musessctl stats, against an smss that the test plays. */
#include "fake-smss.h"

#include <stdio.h>
#include <string.h>

static struct msg_stats figures(void)
{
	struct msg_stats m = {
		.since = 1700000000,
		.sessions = { [WTS_ACTIVE] = 3,
		    [WTS_CONNECTED] = 1,
		    [WTS_DISCONNECTED] = 2,
		    [WTS_LISTEN] = 1 },
		.created = 11,
		.failed = 1,
		.ended = 4,
		.logons = 12,
		.reconnects = 13,
		.denied = 14,
		.disconnects = 15,
		.pool_hits = 16,
		.pool_misses = 17,
		.queued = 18,
		.in_flight = 19,
		.pool_size = 21,
		.pool_idle = 20,
		.max_instances = 2000,
		.drain = DRAIN_ON,
		.connections = 22,
		.waiting = 23,
		.logging_on = 24,
		.warm = 8,
		/* 90 of up to half a millisecond, 5 of up to a second, 5 of more than all bounds */
		.spinup[SPINUP_TOTAL] = { .sum = 300000000, .counts = { 90, [10] = 5, [15] = 5 } },
		.reconnect = { .sum = 1500, .counts = { [2] = 1 } },
		.usage[USAGE_RDPWD] = { 3, 1500000, 40000000, 12000000 },
		.usage[USAGE_SHELL] = { 0, 2250000, 0, 0 },
		.version = "0",
	};

	m.failures[status_row(STATUS_NO_MEMORY)] = 1;
	m.ends[end_reason_row(END_ADMIN_LOGOFF)] = 4;
	m.disconnections[end_reason_row(END_NONE)] = 15;
	m.refusals[REFUSAL_CREDENTIALS] = 2;
	m.refusals[REFUSAL_FULL] = 1;
	return m;
}

static void test_stats(void **data)
{
	struct fake *f = *data;
	struct msg_stats m = figures();

	fake_run(f, "stats");
	FAKE_ANSWER(f, m, CTL_STATS, fake_asked_plainly(f, CTL_STATS));
	fake_assert_success(f);
	assert_string_equal(f->out, "since             2023-11-14 22:13:20\n"
	                            "sessions          6 of 2000\n"
	                            "  Active          3\n"
	                            "  Conn            1\n"
	                            "  Disc            2\n"
	                            "  Listen          1\n"
	                            "sessions created  11\n"
	                            "sessions failed   1\n"
	                            "sessions ended    4\n"
	                            "connections       22\n"
	                            "logons            12\n"
	                            "reconnects        13\n"
	                            "disconnects       15\n"
	                            "denied            14\n"
	                            "pool hits         16\n"
	                            "pool misses       17\n"
	                            "waiting clients   23\n"
	                            "logging on        24\n"
	                            "warm workers      8\n"
	                            "waiting starts    18\n"
	                            "running starts    19\n"
	                            "pool idle         20\n"
	                            "pool size         21\n"
	                            "drain             on\n"
	                            "failed because\n"
	                            "  no_memory       1\n"
	                            "ended because\n"
	                            "  admin_logoff    4\n"
	                            "disconnected because\n"
	                            "  none            15\n"
	                            "refused because\n"
	                            "  credentials     2\n"
	                            "  full            1\n"
	                            "phases                count   mean ms   50 % <=   95 % <=\n"
	                            "  total                 100  3000.000       0.5      1000\n"
	                            "  reconnect               1     1.500         2         2\n"
	                            "processes               now     cpu s  resident    own MB\n"
	                            "  rdpwd                   3     1.500      40.0      12.0\n"
	                            "  shell                   0     2.250       0.0       0.0\n");
	fake_run(f, "stats");
	m.drain = DRAIN_ASK;
	FAKE_ANSWER(f, m, CTL_STATS, fake_asked_plainly(f, CTL_STATS));
	fake_assert_failure(f, 1, "musessctl: stats: what answers at ");
}

/* What stands at PATH, an object in each step. */
static json_t *at(json_t *document, const char *path)
{
	char copy[128], *rest = NULL;

	snprintf(copy, sizeof(copy), "%s", path);
	for (char *key = strtok_r(copy, "/", &rest); key; key = strtok_r(NULL, "/", &rest)) {
		document = json_object_get(document, key);
		if (!document)
			fail_msg("%s is not there", path);
	}
	return document;
}

static void test_stats_json(void **data)
{
	static const struct {
		const char *path;
		json_int_t value;
	} expected[] = { { "since", 1700000000 }, { "sessions/Active", 3 },
		{ "sessions/Listen", 1 }, { "sessions/Idle", 0 }, { "max_instances", 2000 },
		{ "created", 11 }, { "failed", 1 }, { "ended", 4 }, { "connections", 22 },
		{ "logons", 12 }, { "reconnects", 13 }, { "disconnects", 15 }, { "denied", 14 },
		{ "pool_hits", 16 }, { "pool_misses", 17 }, { "waiting", 23 }, { "logging_on", 24 },
		{ "warm", 8 }, { "queued", 18 }, { "in_flight", 19 }, { "pool_idle", 20 },
		{ "pool_size", 21 }, { "failures/no_memory", 1 }, { "failures/io_timeout", 0 },
		{ "ends/admin_logoff", 4 }, { "disconnections/none", 15 },
		{ "refusals/credentials", 2 }, { "refusals/silent", 0 },
		{ "phases/total/count", 100 }, { "phases/reconnect/count", 1 },
		{ "processes/rdpwd/count", 3 }, { "processes/rdpwd/resident_bytes", 40000000 },
		{ "processes/rdpwd/anonymous_bytes", 12000000 } };
	struct fake *f = *data;
	struct msg_stats m = figures();
	json_t *document, *buckets;

	fake_run(f, "stats", "--json");
	FAKE_ANSWER(f, m, CTL_STATS, fake_asked_plainly(f, CTL_STATS));
	document = fake_parse_output(f);
	for (size_t i = 0; i < sizeof(expected) / sizeof(*expected); i++)
		if (json_integer_value(at(document, expected[i].path)) != expected[i].value)
			fail_msg("%s is another", expected[i].path);
	assert_string_equal(json_string_value(at(document, "drain")), "on");
	assert_true(json_real_value(at(document, "phases/total/sum_s")) == 300);
	assert_true(json_real_value(at(document, "processes/shell/processor_s")) == 2.25);
	/* each has its bound and how many are at most that long; the last has no bound */
	buckets = at(document, "phases/total/buckets");
	assert_int_equal(json_array_size(buckets), HISTOGRAM_BUCKETS);
	assert_true(json_real_value(json_array_get(json_array_get(buckets, 0), 0)) == 0.0005);
	assert_int_equal(json_integer_value(json_array_get(json_array_get(buckets, 0), 1)), 90);
	assert_int_equal(json_integer_value(json_array_get(json_array_get(buckets, 10), 1)), 95);
	assert_true(json_is_null(json_array_get(json_array_get(buckets, 15), 0)));
	assert_int_equal(json_integer_value(json_array_get(json_array_get(buckets, 15), 1)), 100);
	json_decref(document);
}

int main(void)
{
	const struct CMUnitTest tests[] = { FAKE_TEST(test_stats), FAKE_TEST(test_stats_json) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
