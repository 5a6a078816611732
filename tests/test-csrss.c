/*
 * What csrss makes of its peers' messages, over real ports; the loop is tests/fuzz-csrss.c's, and whole
 * sessions are the scripts'.
 */
#include "csrss.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* csrss, and the other ends of its ports. */
static struct csrss c;
static int smss, winlogon, display;

static void connect_both(int *its, int *ours)
{
	int pair[2];

	assert_int_equal(port_pair(pair), 0);
	*its = pair[0];
	*ours = pair[1];
}

static int set_up(void **state)
{
	(void)state;
	c = (struct csrss){ .sm = SUBSYSTEM_INIT, .listener = -1, .columns = 80, .rows = 25 };
	connect_both(&c.sm.smss, &smss);
	connect_both(&c.winlogon, &winlogon);
	connect_both(&c.display, &display);
	c.terminal = terminal_create(80, 24);
	assert_non_null(c.terminal);
	c.client.connection = 1;
	c.hello = true;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	terminal_destroy(c.terminal);
	fd_close(&c.sm.smss);
	fd_close(&c.winlogon);
	fd_close(&c.display);
	fd_close(&smss);
	fd_close(&winlogon);
	fd_close(&display);
	return 0;
}

static void say(int port, void *message, uint16_t type, size_t size)
{
	PORT_MESSAGE *h = message;

	port_header(h, type, size, 0);
	assert_int_equal(port_send(port, h, -1), 0);
}

/* The next message at PORT; 0: there is none. */
static uint16_t next(int port, void *message, size_t size)
{
	ssize_t got = port_receive(port, message, size, NULL);

	return got > 0 ? ((const PORT_MESSAGE *)message)->type : 0;
}

static void refuse(void)
{
	struct msg_verdict no = { .status = STATUS_LOGON_FAILURE };

	say(display, &no, DSP_VERDICT, sizeof(no));
	assert_int_equal(csrss_on_display(&c), 0);
}

/* rdpwd answers what winlogon asked, and nothing else: winlogon may have stopped asking. */
static void test_refusals_are_answers(void **state)
{
	struct msg_credentials typed = { .user = "joe" };
	struct msg_verdict got;

	(void)state;
	refuse();
	assert_int_equal(next(winlogon, &got, sizeof(got)), 0);
	assert_true(c.display >= 0); /* it may have been asked by another session */
	say(winlogon, &typed, WL_CREDENTIALS, sizeof(typed));
	assert_int_equal(csrss_on_winlogon(&c), 0);
	refuse();
	assert_int_equal(next(winlogon, &got, sizeof(got)), WL_VERDICT);
	assert_int_equal(got.status, STATUS_LOGON_FAILURE);
	refuse();
	assert_int_equal(next(winlogon, &got, sizeof(got)), 0);
}

/* A client that comes was asked nothing. */
static void test_next_client_is_not_asked(void **state)
{
	struct msg_credentials typed = { .user = "joe" };
	struct msg_client m = { .connection = 2, .width = 800, .height = 600 };
	struct msg_verdict got;
	int its, ours;

	(void)state;
	c.logon_sent = true;
	say(winlogon, &typed, WL_CREDENTIALS, sizeof(typed));
	assert_int_equal(csrss_on_winlogon(&c), 0);
	connect_both(&its, &ours);
	port_header(&m.h, CSR_CLIENT, sizeof(m), 0);
	assert_int_equal(port_send(smss, &m.h, its), 0);
	assert_int_equal(csrss_on_smss(&c), 0);
	fd_close(&its);
	fd_close(&display);
	display = ours;
	refuse();
	assert_int_equal(next(winlogon, &got, sizeof(got)), 0);
}

/* The user may be known before winlogon has begun: it begins with him then. */
static void test_user_before_winlogon(void **state)
{
	struct msg_user user = { .user = "joe" };
	struct msg_hello hello = { 0 };
	struct msg_verdict got;
	int terminal = -1;

	(void)state;
	c.hello = false;
	say(smss, &user, CSR_USER, sizeof(user));
	assert_int_equal(csrss_on_smss(&c), 0);
	assert_int_equal(next(winlogon, &got, sizeof(got)), 0);
	say(winlogon, &hello, WL_HELLO, sizeof(hello));
	assert_int_equal(csrss_on_winlogon(&c), 0);
	assert_true(port_receive(winlogon, &got, sizeof(got), &terminal) > 0);
	assert_int_equal(got.h.type, WL_LOGON);
	assert_string_equal(got.user, "joe");
	assert_true(terminal >= 0);
	fd_close(&terminal);
}

/* smss learns of winlogon's end by itself, and says what becomes of the session. */
static void test_winlogon_is_gone(void **state)
{
	struct msg_user user = { .user = "joe" };
	struct msg_choices choices = { .count = 1 };
	struct msg_plain plain;

	(void)state;
	c.logon_sent = true;
	fd_close(&winlogon);
	say(smss, &user, CSR_USER, sizeof(user));
	assert_int_equal(csrss_on_smss(&c), 0);
	say(smss, &choices, CSR_CHOICES, sizeof(choices));
	assert_int_equal(csrss_on_smss(&c), 0);
	say(smss, &plain, CSR_LOGOFF, sizeof(plain));
	assert_int_equal(csrss_on_smss(&c), 0);
	c.asks = true;
	refuse();
	assert_int_equal(csrss_on_winlogon(&c), 0);
	assert_int_equal(c.winlogon, -1);
}

/* What a slow client has not taken keeps neither what was typed from it, nor why it has to go. */
static void test_port_is_full(void **state)
{
	struct msg_credentials typed = { .user = "joe" };
	struct msg_row row = { .count = COLUMNS_MAX };
	uint16_t last[2] = { 0 }, type;

	(void)state;
	port_header(&row.h, DSP_ROW, sizeof(row), 0);
	while (port_send(c.display, &row.h, -1) == 0)
		;
	say(winlogon, &typed, WL_CREDENTIALS, sizeof(typed));
	assert_int_equal(csrss_on_winlogon(&c), 0);
	assert_true(c.asks);
	assert_int_equal(port_send(c.display, &row.h, -1), -1); /* rows have no more than before */
	csrss_end_display(&c, END_IDLE_LIMIT);
	while ((type = next(display, &row, sizeof(row))) > 0) {
		last[0] = last[1];
		last[1] = type;
	}
	assert_int_equal(last[0], DSP_CREDENTIALS);
	assert_int_equal(last[1], DSP_END);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_refusals_are_answers),
		TEST(test_next_client_is_not_asked),
		TEST(test_user_before_winlogon),
		TEST(test_winlogon_is_gone),
		TEST(test_port_is_full),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
