/* What musessctl does to sessions as Windows' tools do, and how it is told which. */
#include "../daemon/musessctl-show.h"
#include "../sessmgr/ntstatus.h"
#include "fake-smss.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* eve has two sessions, and there is a user who is called like a session. */
static const struct msg_session several[] = {
	{ .session = 0, .state = WTS_CONNECTED, .winstation = "Console" },
	{ .session = 1,
	    .state = WTS_ACTIVE,
	    .winstation = "RDP-Tcp#1",
	    .user = "lab",
	    .logon = 1700000000,
	    .own = 1 },
	{ .session = 2, .state = WTS_DISCONNECTED, .user = "eve", .logon = 1700000060 },
	{ .session = 3, .state = WTS_ACTIVE, .winstation = "RDP-Tcp#3", .user = "eve" },
	{ .session = 4, .state = WTS_DISCONNECTED, .user = "console" },
	{ .session = 5, .state = WTS_DISCONNECTED, .user = "1" },
	{ .session = LISTENER_ID, .state = WTS_LISTEN, .winstation = "RDP-Tcp" },
};
enum { SEVERAL = sizeof(several) / sizeof(*several) };

/* ---- users ---- */

static void assert_idle(uint64_t seconds, const char *expected)
{
	struct msg_session s = { .input = 1700000000 };
	char text[SHOW_IDLE_SIZE];

	show_idle(&s, s.input + seconds, text);
	assert_string_equal(text, expected);
	assert_int_equal(show_idle_seconds(&s, s.input + seconds), seconds);
}

static void test_idle(void **data)
{
	struct msg_session never = { 0 }, ahead = { .input = 1700000001 };
	char text[SHOW_IDLE_SIZE];

	(void)data;
	assert_idle(0, ".");
	assert_idle(59, ".");
	assert_idle(60, "1");
	assert_idle(3599, "59");
	assert_idle(3600, "1:00");
	assert_idle(86399, "23:59");
	assert_idle(86400, "1+00:00");
	assert_idle(12 * 86400 + 3 * 3600 + 4 * 60 + 5, "12+03:04");
	show_idle(&never, 1700000000, text);
	assert_string_equal(text, "none");
	show_idle(&ahead, 1700000000, text); /* the clock was set back */
	assert_string_equal(text, ".");
	assert_int_equal(show_idle_seconds(&ahead, 1700000000), 0);
	ahead.input = 1;
	show_idle(&ahead, UINT64_MAX, text);
	assert_string_equal(text, "213503982334601+07:00");
}

static void test_users(void **data)
{
	struct fake *f = *data;
	struct msg_session sessions[SEVERAL];

	memcpy(sessions, several, sizeof(sessions));
	sessions[2].input = (uint64_t)time(NULL) - 3 * 86400 - 130;
	sessions[3].input = (uint64_t)time(NULL);
	fake_run(f, "users");
	fake_answer_list(f, sessions, SEVERAL);
	fake_assert_success(f);
	assert_string_equal(f->out,
	    " USERNAME              SESSIONNAME        ID  STATE   IDLE TIME  LOGON TIME\n"
	    ">lab                   rdp-tcp#1           1  Active       none  2023-11-14 22:13\n"
	    " eve                                       2  Disc      3+00:02  2023-11-14 22:14\n"
	    " eve                   rdp-tcp#3           3  Active          .\n"
	    " console                                   4  Disc         none\n"
	    " 1                                         5  Disc         none\n");
}

static void test_users_of_a_name(void **data)
{
	static const char *const rows[][2] = { { "eve",
		                                   " eve                                       2  "
		                                   "Disc         none  2023-11-14 22:14\n"
		                                   " eve                   rdp-tcp#3           3  "
		                                   "Active       none\n" },
		{ "rdp-TCP#1", ">lab                   rdp-tcp#1           1  Active       none  "
		               "2023-11-14 22:13\n" },
		{ "1", ">lab                   rdp-tcp#1           1  Active       none  "
		       "2023-11-14 22:13\n" } };
	static const char *const nobody[] = { "foo", "7", "0", "Console", "EVE" };
	struct fake *f = *data;
	char expected[64];

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		fake_run(f, "users", rows[i][0]);
		fake_answer_list(f, several, SEVERAL);
		fake_assert_success(f);
		assert_string_equal(strchr(f->out, '\n') + 1, rows[i][1]);
	}
	for (size_t i = 0; i < sizeof(nobody) / sizeof(*nobody); i++) {
		snprintf(
		    expected, sizeof(expected), "musessctl: No User exists for %s\n", nobody[i]);
		fake_run(f, "users", nobody[i]);
		fake_answer_list(f, several, SEVERAL);
		fake_assert_failure(f, 1, expected);
	}
	fake_run(f, "users");
	fake_answer_list(f, several, 1);
	fake_assert_failure(f, 1, "musessctl: No User exists for *\n");
}

static void test_users_json(void **data)
{
	struct fake *f = *data;
	struct msg_session s = several[2];
	json_t *array;
	json_int_t idle;

	s.input = (uint64_t)time(NULL) - 100;
	s.disconnected = 1700000100;
	fake_run(f, "users", "--json");
	fake_answer_list(f, &s, 1);
	array = fake_parse_output(f);
	assert_int_equal(json_array_size(array), 1);
	const json_t *user = json_array_get(array, 0);
	idle = json_integer_value(json_object_get(user, "idle_s"));
	assert_in_range(idle, 100, 200);
	assert_int_equal(json_integer_value(json_object_get(user, "input")), s.input);
	assert_int_equal(json_integer_value(json_object_get(user, "logon")), 1700000060);
	assert_int_equal(json_integer_value(json_object_get(user, "disconnected")), 1700000100);
	assert_true(json_is_false(json_object_get(user, "own")));
	json_decref(array);
	fake_run(f, "users", "--json");
	fake_answer_list(f, several, 1);
	fake_assert_output_json(f, "[]");
	fake_run(f, "users", "foo", "--json");
	fake_answer_list(f, several, 1);
	fake_assert_failure(f, 1, "musessctl: No User exists for foo\n");
}

static void test_list_of_a_name(void **data)
{
	struct fake *f = *data;

	fake_run(f, "list", "eve");
	fake_answer_list(f, several, SEVERAL);
	fake_assert_success(f);
	assert_string_equal(strchr(f->out, '\n') + 1,
	    "                   eve                       2  Disc\n"
	    " rdp-tcp#3         eve                       3  Active  rdpwd\n");
	fake_run(f, "list", "console"); /* the session, not the user */
	fake_answer_list(f, several, SEVERAL);
	fake_assert_success(f);
	assert_string_equal(strchr(f->out, '\n') + 1,
	    " console                                     0  Conn    wdcon\n");
	fake_run(f, "list", "foo");
	fake_answer_list(f, several, SEVERAL);
	fake_assert_failure(f, 1, "musessctl: No session exists for foo\n");
	fake_run(f, "list", "99", "--json");
	fake_answer_list(f, several, SEVERAL);
	fake_assert_failure(f, 1, "musessctl: No session exists for 99\n");
}

static void test_show_by_name(void **data)
{
	struct fake *f = *data;

	fake_run(f, "show", "RDP-TCP#3");
	fake_answer_list(f, several, SEVERAL);
	fake_answer_list(f, several, SEVERAL);
	fake_assert_success(f);
	assert_int_equal(strncmp(f->out, "id           3\n", 15), 0);
}

/* ---- disconnect, logoff, reset ---- */

struct verb {
	const char *name;
	uint16_t type;
};
static const struct verb verbs[] = { { "disconnect", CTL_DISCONNECT }, { "logoff", CTL_LOGOFF },
	{ "reset", CTL_RESET } };
enum { VERBS = 3 };

static void test_control(void **data)
{
	static const struct {
		const char *operand;
		bool listed;
		uint32_t session;
	} cases[] = { { "3", false, 3 }, { "4294967294", false, 4294967294u },
		{ "rdp-tcp#3", true, 3 }, { "Rdp-Tcp#1", true, 1 }, { "lab", true, 1 },
		{ "CONSOLE", true, 0 } };
	struct fake *f = *data;

	for (int v = 0; v < VERBS; v++)
		for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
			fake_run(f, verbs[v].name, cases[i].operand);
			if (cases[i].listed)
				fake_answer_list(f, several, SEVERAL);
			fake_answer_control(f, verbs[v].type, cases[i].session, 0, STATUS_SUCCESS);
			fake_assert_success(f);
			assert_string_equal(f->out, "");
		}
	fake_run(f, "disconnect", "3", "--json");
	fake_answer_control(f, CTL_DISCONNECT, 3, 0, STATUS_SUCCESS);
	fake_assert_output_json(f, "{'id': 3}");
}

static void test_control_own(void **data)
{
	struct fake *f = *data;
	struct msg_control answer = { .session = NO_SESSION };

	fake_run(f, "disconnect");
	fake_answer_control(f, CTL_DISCONNECT, NO_SESSION, 0, STATUS_SUCCESS);
	fake_assert_success(f);
	fake_run(f, "logoff", "--json");
	fake_answer_control(f, CTL_LOGOFF, NO_SESSION, 0, STATUS_SUCCESS);
	fake_assert_output_json(f, "{'id': 7}");
	fake_run(f, "logoff", "--json");
	FAKE_ANSWER(f, answer, CTL_LOGOFF,
	    fake_asked(f, CTL_LOGOFF, sizeof(struct msg_control)).h.message_id);
	fake_assert_output_json(f, "{'id': null}");
	fake_run(f, "disconnect");
	fake_answer_control(f, CTL_DISCONNECT, NO_SESSION, 0, STATUS_OBJECT_NAME_NOT_FOUND);
	fake_assert_failure(
	    f, 1, "musessctl: disconnect: this is no session of the service: name one\n");
	fake_run(f, "logoff");
	fake_answer_control(f, CTL_LOGOFF, NO_SESSION, 0, STATUS_ACCESS_DENIED);
	fake_assert_failure(f, 1,
	    "musessctl: Could not log off this session: STATUS_ACCESS_DENIED: the caller may not "
	    "do this\n");
	fake_run(f, "reset");
	fake_assert_failure(f, 2, "musessctl: reset: ID|SESSIONNAME is missing\n");
}

static void test_control_of_none(void **data)
{
	struct fake *f = *data;

	for (int v = 0; v < VERBS; v++) {
		fake_run(f, verbs[v].name, "99");
		fake_answer_control(f, verbs[v].type, 99, 0, STATUS_OBJECT_NAME_NOT_FOUND);
		fake_assert_failure(f, 1, "musessctl: Session ID 99 not found\n");
		fake_run(f, verbs[v].name, "foo");
		fake_answer_list(f, several, SEVERAL);
		fake_assert_failure(f, 1, "musessctl: Session name foo not found\n");
		fake_run(f, verbs[v].name, "eve");
		fake_answer_list(f, several, SEVERAL);
		fake_assert_failure(
		    f, 1, "musessctl: eve has several sessions: ID 2, 3; name one\n");
		/* it ended a moment ago */
		fake_run(f, verbs[v].name, "rdp-tcp#3");
		fake_answer_list(f, several, SEVERAL);
		fake_answer_control(f, verbs[v].type, 3, 0, STATUS_OBJECT_NAME_NOT_FOUND);
		fake_assert_failure(f, 1, "musessctl: Session name rdp-tcp#3 not found\n");
	}
}

static void test_control_of_console(void **data)
{
	static const char *const could_not[VERBS] = { "disconnect", "log off", "reset" };
	struct fake *f = *data;
	char expected[256];

	for (int v = 0; v < VERBS; v++) {
		snprintf(expected, sizeof(expected),
		    "musessctl: Could not %s sessionID 0: STATUS_ACCESS_DENIED: the caller may not "
		    "do this; the console %s\n",
		    could_not[v], v == 0 ? "has no client" : "ends with the service");
		fake_run(f, verbs[v].name, "0");
		fake_answer_control(f, verbs[v].type, 0, 0, STATUS_ACCESS_DENIED);
		fake_assert_failure(f, 1, expected);
	}
}

static void test_control_strange_answers(void **data)
{
	struct fake *f = *data;
	struct msg_control m = { 0 };
	struct msg_plain plain;

	fake_run(f, "reset", "1");
	FAKE_ANSWER(
	    f, m, CTL_LOGOFF, fake_asked(f, CTL_RESET, sizeof(struct msg_control)).h.message_id);
	fake_assert_failure(f, 1, "musessctl: reset: what answers at ");
	fake_run(f, "reset", "1");
	FAKE_ANSWER(
	    f, plain, CTL_RESET, fake_asked(f, CTL_RESET, sizeof(struct msg_control)).h.message_id);
	fake_assert_failure(f, 1, "musessctl: reset: what answers at ");
}

/* ---- connect ---- */

static void test_connect(void **data)
{
	struct fake *f = *data;

	fake_run(f, "connect", "2", "--dest", "rdp-tcp#1");
	fake_answer_list(f, several, SEVERAL);
	fake_answer_control(f, CTL_CONNECT, 2, 1, STATUS_SUCCESS);
	fake_assert_success(f);
	fake_run(f, "connect", "2", "--dest", "3", "--json");
	fake_answer_control(f, CTL_CONNECT, 2, 3, STATUS_SUCCESS);
	fake_assert_output_json(f, "{'id': 2}");
	fake_run(f, "connect", "2");
	fake_assert_failure(f, 2, "musessctl: connect: --dest SESSIONNAME is missing\n");
	fake_run(f, "connect", "2", "--dest", "foo");
	fake_answer_list(f, several, SEVERAL);
	fake_assert_failure(f, 1, "musessctl: Session name foo not found\n");
	fake_run(f, "connect", "2", "--dest", "1");
	fake_answer_control(f, CTL_CONNECT, 2, 1, STATUS_OBJECT_NAME_NOT_FOUND);
	fake_assert_failure(f, 1,
	    "musessctl: Could not connect sessionID 2 to sessionID 1: "
	    "STATUS_OBJECT_NAME_NOT_FOUND: ");
	fake_run(f, "connect", "2", "--dest", "console");
	fake_answer_list(f, several, SEVERAL);
	fake_answer_control(f, CTL_CONNECT, 2, 0, STATUS_INVALID_PARAMETER);
	fake_assert_failure(f, 1, "musessctl: Could not connect sessionID 2 to sessionID 0: ");
	assert_non_null(strstr(f->error, "; the console has no client, and gets none\n"));
	fake_run(f, "disconnect", "2", "--dest", "1");
	fake_assert_failure(f, 2, "musessctl: disconnect has no option --dest\n");
}

/* ---- under the names of Windows ---- */

static void run_as(struct fake *f, const char *program, const char *one, const char *two)
{
	char name[64], first[64], second[64];
	char *words[] = { name, one ? first : NULL, two ? second : NULL, NULL };

	snprintf(name, sizeof(name), "%s", program);
	snprintf(first, sizeof(first), "%s", one ? one : "");
	snprintf(second, sizeof(second), "%s", two ? two : "");
	fake_run_words(f, "", words);
}

static void test_names_of_windows(void **data)
{
	struct fake *f = *data;

	run_as(f, "qwinsta", NULL, NULL);
	fake_answer_list(f, several, SEVERAL);
	fake_assert_success(f);
	assert_non_null(strstr(f->out, "\n>rdp-tcp#1 "));
	run_as(f, "/usr/local/bin/quser", "--json", "lab");
	fake_answer_list(f, several, SEVERAL);
	json_decref(fake_parse_output(f));
	run_as(f, "./tsdiscon", NULL, NULL);
	fake_answer_control(f, CTL_DISCONNECT, NO_SESSION, 0, STATUS_SUCCESS);
	fake_assert_success(f);
	run_as(f, "rwinsta", "rdp-tcp#3", NULL);
	fake_answer_list(f, several, SEVERAL);
	fake_answer_control(f, CTL_RESET, 3, 0, STATUS_SUCCESS);
	fake_assert_success(f);
	run_as(f, "tscon", "2", "--dest=1");
	fake_answer_control(f, CTL_CONNECT, 2, 1, STATUS_SUCCESS);
	fake_assert_success(f);
	run_as(f, "logoff", "2", NULL);
	fake_answer_control(f, CTL_LOGOFF, 2, 0, STATUS_SUCCESS);
	fake_assert_success(f);
	run_as(f, "qprocess", "--kd", "--json");
	fake_assert_failure(f, 2, "musessctl: ps: --kd and --json are two formats");
	run_as(f, "qwinsta", "list", "x");
	fake_assert_failure(f, 2, "musessctl: list: too many arguments: x\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_idle),
		FAKE_TEST(test_users),
		FAKE_TEST(test_users_of_a_name),
		FAKE_TEST(test_users_json),
		FAKE_TEST(test_list_of_a_name),
		FAKE_TEST(test_show_by_name),
		FAKE_TEST(test_control),
		FAKE_TEST(test_control_own),
		FAKE_TEST(test_control_of_none),
		FAKE_TEST(test_control_of_console),
		FAKE_TEST(test_control_strange_answers),
		FAKE_TEST(test_connect),
		FAKE_TEST(test_names_of_windows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
