/*
 * What winlogon takes from csrss, over a real port; the rest of it is tests/fuzz-winlogon.c's and the
 * scripts'.
 */
#include "winlogon.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static int port, csrss;
static union told told;

static int set_up(void **state)
{
	int pair[2];

	(void)state;
	assert_int_equal(port_pair(pair), 0);
	port = pair[0];
	csrss = pair[1];
	memset(&told, 0, sizeof(told));
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	fd_close(&port);
	fd_close(&csrss);
	return 0;
}

static int receive(void *message, uint16_t type, size_t size, bool first)
{
	PORT_MESSAGE *h = message;
	int terminal = -1;

	port_header(h, type, size, 0);
	assert_int_equal(port_send(csrss, h, -1), 0);
	return winlogon_receive(port, &told, first ? &terminal : NULL);
}

static int verdict(uint16_t type, int32_t status, const char *user, bool first)
{
	struct msg_verdict m = { .status = status };

	snprintf(m.user, sizeof(m.user), "%s", user);
	return receive(&m, type, sizeof(m), first);
}

/* What csrss may say depends on what it was asked: else an old answer would count as a new one. */
static void test_order(void **state)
{
	struct msg_plain plain;

	(void)state;
	assert_int_equal(verdict(WL_LOGON, STATUS_SUCCESS, "joe", true), 0);
	assert_int_equal(verdict(WL_LOGON, STATUS_LOGON_FAILURE, "joe", true), -1);
	assert_int_equal(verdict(WL_LOGON, STATUS_SUCCESS, "joe", false), -1);
	assert_int_equal(verdict(WL_VERDICT, STATUS_SUCCESS, "joe", true), -1);
	assert_int_equal(verdict(WL_VERDICT, STATUS_SUCCESS, "joe", false), 0);
	assert_int_equal(verdict(WL_VERDICT, STATUS_LOGON_FAILURE, "", false), 0);
	assert_int_equal(receive(&plain, WL_PROMPT, sizeof(plain), true), 0);
	assert_int_equal(receive(&plain, WL_PROMPT, sizeof(plain), false), -1);
	assert_int_equal(receive(&plain, WL_LOGOFF, sizeof(plain), true), -1);
	assert_int_equal(receive(&plain, WL_VERDICT, sizeof(plain), false), -1);
}

/* /etc/passwd and a home are made of the name. */
static void test_names(void **state)
{
	static const char *const bad[] = { "", ".", "..", "a/b", "a:b", "a\nb", "\xc2\x9b" };
	struct msg_verdict endless = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_int_equal(verdict(WL_LOGON, STATUS_SUCCESS, bad[i], true), -1);
	memset(endless.user, 'a', sizeof(endless) - offsetof(struct msg_verdict, user));
	assert_int_equal(receive(&endless, WL_VERDICT, sizeof(endless), false), -1);
}

/* The list of sessions is shown whatever the times are. */
static void test_times(void **state)
{
	struct msg_choices m = { .count = 1,
		.choices = { { .session = 5, .started = UINT64_MAX / 2 } } };
	char shown[2048] = "";
	int pipes[2];

	(void)state;
	assert_int_equal(receive(&m, WL_CHOICES, sizeof(m), true), 0);
	assert_int_equal(pipe2(pipes, O_CLOEXEC | O_NONBLOCK), 0);
	assert_int_equal(
	    winlogon_ask_user(port, pipes[1], &told), -1); /* it is not to be read from */
	assert_true(read(pipes[0], shown, sizeof(shown) - 1) > 0);
	assert_non_null(strstr(shown, "      5                 -  1970-01-01 "));
	close(pipes[0]);
	close(pipes[1]);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = { TEST(test_order), TEST(test_names), TEST(test_times) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
