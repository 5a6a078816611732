/* musessload's plan: what it parses, when starts are due, whose they are; and its users. */
#include "plan.h"
#include "result.h"
#include "users.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
/* cmocka wants the four above it */
#include <cmocka.h>

#define S UINT64_C(1000000)

static struct plan empty(void)
{
	return (struct plan){ .segment = 1, .segments = 1 };
}

static void test_values(void **data)
{
	static const char *const bad_rates[] = { "", "x", "-1", "20/d", "20 /s", "inf", "nan",
		"/s" };
	static const char *const bad_times[] = { "", "3", "0.5", "s", "-1s", "3d", "1s ", "1e9h",
		"0x10x" };
	double rate;
	uint64_t us;

	(void)data;
	assert_int_equal(plan_parse_rate("20/s", &rate), 0);
	assert_true(rate == 20);
	assert_int_equal(plan_parse_rate("90/m", &rate), 0);
	assert_true(rate == 1.5);
	assert_int_equal(plan_parse_rate(".5", &rate), 0);
	assert_true(rate == 0.5);
	for (size_t i = 0; i < sizeof(bad_rates) / sizeof(*bad_rates); i++)
		assert_int_equal(plan_parse_rate(bad_rates[i], &rate), -1);
	assert_int_equal(plan_parse_time("1.5m", &us), 0);
	assert_int_equal(us, 90 * S);
	assert_int_equal(plan_parse_time("250ms", &us), 0);
	assert_int_equal(us, 250000);
	assert_int_equal(plan_parse_time("0", &us), 0);
	assert_int_equal(us, 0);
	for (size_t i = 0; i < sizeof(bad_times) / sizeof(*bad_times); i++)
		assert_int_equal(plan_parse_time(bad_times[i], &us), -1);
}

static void test_rate(void **data)
{
	struct plan p = empty();

	(void)data;
	plan_set_rate(&p, 20, 10 * S, 0);
	assert_int_equal(plan_count(&p), 200);
	for (uint64_t i = 0; i < 200; i++)
		assert_int_equal(plan_due(&p, i), i * 50000);
	plan_set_rate(&p, 3, 0, 10);
	assert_int_equal(plan_count(&p), 10);
	assert_int_equal(plan_due(&p, 3), S);
	assert_true(plan_rate(&p, S) == 3);
	assert_true(plan_rate(&p, 100 * S) == 0);
	/* less than one start in all that time: the first is at its begin */
	plan_set_rate(&p, 1.0 / 3600, 1000, 0);
	assert_int_equal(plan_count(&p), 1);
	assert_int_equal(plan_due(&p, 0), 0);
}

static void test_stages(void **data)
{
	struct plan p = empty();
	char error[256];
	uint64_t before = 0;

	(void)data;
	assert_int_equal(plan_parse_stages(&p, "0:0,10s:20/s,10s:20/s,0:5,10s:5/s", error, 256), 0);
	/* the areas: a triangle, a rectangle, a step down, a rectangle */
	assert_int_equal(p.count, 100 + 200 + 50);
	assert_int_equal(p.duration, 30 * S);
	assert_int_equal(plan_due(&p, 0), 0);
	assert_int_equal(plan_due(&p, 25), 5 * S); /* t^2 starts after t seconds */
	assert_int_equal(plan_due(&p, 100), 10 * S);
	assert_int_equal(plan_due(&p, 200), 15 * S);
	assert_int_equal(plan_due(&p, 300), 20 * S);
	assert_int_equal(plan_due(&p, 349), 30 * S - S / 5);
	for (uint64_t i = 1; i < p.count; i++) {
		assert_true(plan_due(&p, i) > before);
		before = plan_due(&p, i);
	}
	assert_true(plan_rate(&p, 5 * S) == 10);
	assert_true(plan_rate(&p, 25 * S) == 5);
}

static void test_bad_stages(void **data)
{
	static const struct {
		const char *text, *error;
	} bad[] = { { "", "no stage" }, { "0:0", "no start" }, { "1m:0,1m:0", "no start" },
		{ "0:0,2m", "\"2m\" is no stage" }, { "0:x", "no stage" }, { "x:1", "no stage" },
		{ "0:0,1h:1000000", "100 million" } };
	char error[256], many[1024] = "0:1";

	(void)data;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct plan p = empty();

		assert_int_equal(plan_parse_stages(&p, bad[i].text, error, sizeof(error)), -1);
		assert_non_null(strstr(error, bad[i].error));
	}
	for (size_t i = 0, used = strlen(many); i < PLAN_STAGES_MAX; i++)
		used += (size_t)snprintf(many + used, sizeof(many) - used, ",1s:1");
	assert_int_equal(
	    plan_parse_stages(&(struct plan){ .stages = 0 }, many, error, sizeof(error)), -1);
	assert_non_null(strstr(error, "more than 64"));
}

/* Segments share all starts, each once. */
static void test_segments(void **data)
{
	static const char *const bad[] = { "", "0/4", "5/4", "1", "1/", "/4", "1/4x", "-1/4" };
	int seen[10] = { 0 };

	(void)data;
	for (unsigned k = 1; k <= 4; k++) {
		struct plan p = empty();
		char text[8];

		plan_set_rate(&p, 10, 0, 10);
		snprintf(text, sizeof(text), "%u/4", k);
		assert_int_equal(plan_parse_segment(&p, text), 0);
		for (uint64_t i = 0; i < plan_count(&p); i++)
			seen[plan_number(&p, i)]++;
	}
	for (int i = 0; i < 10; i++)
		assert_int_equal(seen[i], 1);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_int_equal(plan_parse_segment(&(struct plan){ .segment = 1 }, bad[i]), -1);
}

/* A seed orders users: the same one in the same way, each user once. */
static void test_seed(void **data)
{
	struct plan a = empty(), b = empty(), c = empty();
	int seen[100] = { 0 }, same = 0;

	(void)data;
	plan_set_rate(&a, 10, 0, 100);
	b = c = a;
	assert_int_equal(plan_turn(&a, 42), 42);
	assert_int_equal(plan_shuffle(&a, 7), 0);
	assert_int_equal(plan_shuffle(&b, 7), 0);
	assert_int_equal(plan_shuffle(&c, 8), 0);
	for (uint64_t i = 0; i < 100; i++) {
		assert_int_equal(plan_turn(&a, i), plan_turn(&b, i));
		same += plan_turn(&a, i) == plan_turn(&c, i);
		seen[plan_turn(&a, i)]++;
	}
	assert_in_range(same, 0, 10);
	for (int i = 0; i < 100; i++)
		assert_int_equal(seen[i], 1);
	/* another plan has nothing of the order of this one */
	a.first_turn = 100;
	plan_set_rate(&a, 20, 0, 200);
	assert_int_equal(plan_turn(&a, 199), 299);
	assert_int_equal(plan_shuffle(&a, 7), 0);
	for (uint64_t i = 0; i < 200; i++)
		assert_in_range(plan_turn(&a, i), 100, 299);
	plan_finish(&a);
	plan_finish(&b);
	plan_finish(&c);
}

static void test_ramp_down(void **data)
{
	struct plan p = empty();

	(void)data;
	plan_set_rate(&p, 1, 0, 11); /* the last at 10 s */
	assert_int_equal(plan_end(&p, 3, 60 * S, 0), 0);
	for (uint64_t i = 0; i < 11; i++)
		assert_int_equal(plan_end(&p, i, 60 * S, 11 * S), 11 * S + i * S);
	/* held for 4 s: those of 7 s and later are still there */
	assert_int_equal(plan_end(&p, 6, 4 * S, 2 * S), 0);
	assert_int_equal(plan_end(&p, 7, 4 * S, 2 * S), 10 * S + S / 2);
	assert_int_equal(plan_end(&p, 10, 4 * S, 2 * S), 12 * S);
}

/* ---- users ---- */

static void check_name(const char *pattern, uint64_t turn, const char *want)
{
	struct users users = { 0 };
	char error[256], name[64];

	assert_int_equal(users_set_pattern(&users, pattern, error, sizeof(error)), 0);
	users_name(&users, turn, name, sizeof(name));
	assert_string_equal(name, want);
	users_finish(&users);
}

static void test_names(void **data)
{
	static const char *const bad[] = { "", "lab%s", "lab%", "%d%d", "%ld", "%n", "%5", "%-4d",
		"%0999999999999d", "%i" };
	char error[256], pattern[LOAD_USER_SIZE + 1];

	(void)data;
	check_name("lab%04d", 0, "lab0001");
	check_name("lab%d", 9, "lab10");
	check_name("DOM\\u%3dx", 4, "DOM\\u  5x");
	check_name("100%%", 3, "100%");
	check_name("one", 3, "one");
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_int_equal(
		    users_set_pattern(&(struct users){ 0 }, bad[i], error, sizeof(error)), -1);
	/* what has no room is refused, of whatever turn: a number may have ten digits */
	for (int digits = 0; digits <= 10; digits += 10) {
		struct users users = { 0 };
		size_t most = LOAD_USER_SIZE - 1 - (size_t)digits;
		const char *number = digits ? "%d" : "";

		snprintf(pattern, sizeof(pattern), "%0*d%s", (int)most, 0, number);
		assert_int_equal(users_set_pattern(&users, pattern, error, sizeof(error)), 0);
		snprintf(pattern, sizeof(pattern), "%0*d%s", (int)most + 1, 0, number);
		assert_int_equal(users_set_pattern(&users, pattern, error, sizeof(error)), -1);
		assert_non_null(strstr(error, "more than 127 bytes"));
		users_finish(&users);
	}
}

static int read_file(struct users *users, const char *text, mode_t mode, char error[512])
{
	char path[] = "/tmp/test-load-plan.XXXXXX";
	int fd = mkstemp(path), status;

	assert_true(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	fchmod(fd, mode);
	close(fd);
	status = users_read_passwords(users, path, error, 512);
	unlink(path);
	return status;
}

static void check_bad_file(const char *text, mode_t mode, const char *want)
{
	struct users users = { 0 };
	char error[512];

	assert_int_equal(read_file(&users, text, mode, error), -1);
	assert_non_null(strstr(error, want));
	users_finish(&users);
}

static void test_passwords(void **data)
{
	struct users one = { 0 }, three = { 0 }, marked = { 0 }, longest = { 0 };
	char error[512], name[16], text[1024];

	(void)data;
	assert_int_equal(read_file(&one, "secret word\n", 0600, error), 0);
	assert_int_equal(one.file.count, 1);
	assert_string_equal(users_password(&one, 17), "secret word");
	assert_int_equal(read_file(&three, "a\r\nb\nc", 0640, error), 0);
	assert_string_equal(users_password(&three, 3), "a");
	assert_string_equal(users_password(&three, 5), "c");
	/* so many users take turns */
	assert_int_equal(users_set_pattern(&three, "u%d", error, sizeof(error)), 0);
	users_name(&three, 4, name, sizeof(name));
	assert_string_equal(name, "u2");
	users_finish(&one);
	users_finish(&three);
	assert_int_equal(read_file(&marked, "\xef\xbb\xbfsecret\r\n", 0600, error), 0);
	assert_string_equal(users_password(&marked, 0), "secret");
	users_finish(&marked);
	/* 255 characters, of one byte or of two; one more is refused */
	snprintf(text, sizeof(text), "%0255d\n", 0);
	for (int i = 0; i < 255; i++)
		memcpy(text + 256 + 2 * (size_t)i, "\xc3\xa4", 3);
	assert_int_equal(read_file(&longest, text, 0600, error), 0);
	assert_int_equal(strlen(users_password(&longest, 0)), 255);
	assert_int_equal(strlen(users_password(&longest, 1)), 510);
	users_finish(&longest);
	strcat(text, "x");
	check_bad_file(text, 0600, ":2: the password in this line is too long");
	check_bad_file("", 0600, "no password in it");
	check_bad_file("\n", 0600, ":1: there is no password");
	check_bad_file("a\n\nb\n", 0600, ":2: there is no password");
	check_bad_file("a\n", 0604, "others may read");
	assert_int_equal(
	    users_read_passwords(&(struct users){ 0 }, "/nonexistent", error, 512), -1);
	assert_non_null(strstr(error, "/nonexistent: No such file"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_rate),
		cmocka_unit_test(test_stages),
		cmocka_unit_test(test_bad_stages),
		cmocka_unit_test(test_segments),
		cmocka_unit_test(test_seed),
		cmocka_unit_test(test_ramp_down),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_passwords),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
