/* musessctl message: whom it asks for, what the box has, and what is said of the answers. */
#include "../sessmgr/ntstatus.h"
#include "fake-smss.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* lab and eve are there; eve has another session, and joe one, which nobody is at. */
static const struct msg_session crowd[] = {
	{ .session = 0, .state = WTS_CONNECTED, .winstation = "Console" },
	{ .session = 1, .state = WTS_ACTIVE, .winstation = "RDP-Tcp#1", .user = "lab" },
	{ .session = 2, .state = WTS_DISCONNECTED, .user = "eve" },
	{ .session = 3, .state = WTS_ACTIVE, .winstation = "RDP-Tcp#3", .user = "eve" },
	{ .session = 4, .state = WTS_DISCONNECTED, .user = "joe" },
	{ .session = 5, .state = WTS_CONNECTED, .winstation = "RDP-Tcp#5" },
	{ .session = 6, .state = WTS_IDLE },
	{ .session = LISTENER_ID, .state = WTS_LISTEN, .winstation = "RDP-Tcp" },
};
enum { CROWD = sizeof(crowd) / sizeof(*crowd) };

/* A box for SESSION as it is by default. */
static struct msg_box box_of(uint32_t session, const char *text)
{
	struct msg_box box = { .session = session };
	const struct passwd *p = getpwuid(geteuid());

	if (p)
		snprintf(box.title, sizeof(box.title), "Message from %s", p->pw_name);
	else
		snprintf(box.title, sizeof(box.title), "Message from user %u", (unsigned)geteuid());
	snprintf(box.text, sizeof(box.text), "%s", text);
	return box;
}

static void answer_box(struct fake *f, const struct msg_box *box, int32_t status)
{
	fake_answer_box(f, fake_asked_box(f, box), box->session, status, BOX_ASYNC);
}

static void test_one(void **data)
{
	static const char *const names[] = { "1", "lab", "RDP-tcp#1" };
	struct msg_box box = box_of(1, "Hello there");
	struct fake *f = *data;

	for (int i = 0; i < 3; i++) {
		fake_run(f, "message", names[i], "Hello there");
		fake_answer_list(f, crowd, CROWD);
		answer_box(f, &box, STATUS_SUCCESS);
		fake_assert_success(f);
		assert_string_equal(f->out, "");
	}
	fake_run(f, "message", "--time", "86400", "--title", "Maintenance", "1", "Hello", "there");
	fake_answer_list(f, crowd, CROWD);
	box.seconds = 86400;
	memset(box.title, 0, sizeof(box.title));
	strcpy(box.title, "Maintenance");
	answer_box(f, &box, STATUS_SUCCESS);
	fake_assert_success(f);
}

static void test_text_from_input(void **data)
{
	struct msg_box box = box_of(1, "two\nlines and a tab");
	struct fake *f = *data;

	fake_run_with(f, "two\nlines and\ta tab\n\n", "message", "1", NULL);
	fake_answer_list(f, crowd, CROWD);
	answer_box(f, &box, STATUS_SUCCESS);
	fake_assert_success(f);
	fake_run_with(f, "two\r\nlines", "message", "1", "-", NULL);
	fake_answer_list(f, crowd, CROWD);
	box = box_of(1, "two\nlines");
	answer_box(f, &box, STATUS_SUCCESS);
	fake_assert_success(f);
	fake_run_with(f, "unread", "message", "1", "-", "dash", NULL);
	fake_answer_list(f, crowd, CROWD);
	box = box_of(1, "- dash");
	answer_box(f, &box, STATUS_SUCCESS);
	fake_assert_success(f);
}

static void test_bounds(void **data)
{
	struct fake *f = *data;
	char text[4096] = "";
	struct msg_box box;

	memset(text, 'x', BOX_TEXT_SIZE - 1);
	box = box_of(1, text);
	fake_run(f, "message", "1", text);
	fake_answer_list(f, crowd, CROWD);
	answer_box(f, &box, STATUS_SUCCESS);
	fake_assert_success(f);
	text[BOX_TEXT_SIZE - 1] = 'x';
	fake_run(f, "message", "1", text);
	fake_assert_failure(f, 2, "musessctl: message: the text has at most 1023 bytes\n");
	fake_run_with(f, text, "message", "1", NULL);
	fake_assert_failure(f, 2, "musessctl: message: the text has at most 1023 bytes\n");
	memset(text, 'x', sizeof(text) - 1);
	fake_run(f, "message", "1", text, text);
	fake_assert_failure(f, 2, "musessctl: message: the text has at most 1023 bytes\n");
	fake_run_with(f, text, "message", "1", NULL);
	fake_assert_failure(f, 2, "musessctl: message: the text has at most 1023 bytes\n");
	text[BOX_TITLE_SIZE] = 0;
	fake_run(f, "message", "1", "hi", "--title", text);
	fake_assert_failure(f, 2, "musessctl: message: the title has at most 63 bytes\n");
	fake_run(f, "message", "1", "\033[2J");
	fake_assert_failure(
	    f, 2, "musessctl: message: the text is UTF-8 without control characters\n");
	fake_run(f, "message", "1", "hi", "--title", "\xff");
	fake_assert_failure(
	    f, 2, "musessctl: message: the title is UTF-8 without control characters\n");
}

static void test_usage(void **data)
{
	static const char *const times[] = { "86401", "x", "", "-1", "1.5" };
	struct fake *f = *data;

	fake_run(f, "message");
	fake_assert_failure(f, 2, "musessctl: message: ID|SESSIONNAME|USER|* is missing\n");
	fake_run(f, "message", "1", "");
	fake_assert_failure(f, 2, "musessctl: message: the text is empty\n");
	fake_run_with(f, "\n\n", "message", "1", NULL);
	fake_assert_failure(f, 2, "musessctl: message: the text is empty\n");
	for (size_t i = 0; i < sizeof(times) / sizeof(*times); i++) {
		fake_run(f, "message", "1", "hi", "--time", times[i]);
		fake_assert_failure(f, 2, "musessctl: message: \"");
	}
	fake_run(f, "message", "", "hi");
	fake_assert_failure(f, 2, "musessctl: message: \"\" is no session id: ");
}

static void test_no_text_on_terminal(void **data)
{
	char *words[] = { "musessctl", "message", "1", NULL };
	struct fake *f = *data;
	int terminal = fake_run_on_terminal(f, words);

	assert_int_equal(fake_exit_status(f), 2);
	close(terminal);
}

static void test_several(void **data)
{
	struct msg_box to_lab = box_of(1, "hi"), to_eve = box_of(3, "hi"),
	               to_five = box_of(5, "hi");
	struct fake *f = *data;

	fake_run(f, "message", "*", "hi");
	fake_answer_list(f, crowd, CROWD);
	answer_box(f, &to_lab, STATUS_SUCCESS);
	answer_box(f, &to_eve, STATUS_SUCCESS);
	fake_assert_success(f);
	fake_run(f, "message", "eve", "hi"); /* not the one that nobody is at */
	fake_answer_list(f, crowd, CROWD);
	answer_box(f, &to_eve, STATUS_SUCCESS);
	fake_assert_success(f);
	fake_run(f, "message", "rdp-tcp#5", "hi"); /* whatever it is, it was named */
	fake_answer_list(f, crowd, CROWD);
	answer_box(f, &to_five, STATUS_SUCCESS);
	fake_assert_success(f);
}

static void test_nobody(void **data)
{
	static const char *const names[] = { "foo", "99", "joe", "*" };
	struct fake *f = *data;
	char expected[80];

	for (int i = 0; i < 4; i++) {
		snprintf(expected, sizeof(expected),
		    "musessctl: %s does not exist or is disconnected\n", names[i]);
		fake_run(f, "message", names[i], "hi");
		if (strcmp(names[i], "*") == 0)
			fake_answer_list(f, crowd, 1);
		else
			fake_answer_list(f, crowd, CROWD);
		fake_assert_failure(f, 1, expected);
	}
}

static void test_refused_by_one(void **data)
{
	struct msg_box to_lab = box_of(1, "hi"), to_eve = box_of(3, "hi");
	struct fake *f = *data;

	fake_run(f, "message", "*", "hi");
	fake_answer_list(f, crowd, CROWD);
	answer_box(f, &to_lab, STATUS_DELETE_PENDING);
	answer_box(f, &to_eve, STATUS_SUCCESS);
	fake_assert_failure(f, 1,
	    "musessctl: Error sending message to session rdp-tcp#1: STATUS_DELETE_PENDING: the "
	    "session is being ended\n");
	fake_run(f, "message", "2", "hi");
	fake_answer_list(f, crowd, CROWD);
	to_eve.session = 2;
	answer_box(f, &to_eve, STATUS_ACCESS_DENIED);
	fake_assert_failure(f, 1,
	    "musessctl: Error sending message to session 2: STATUS_ACCESS_DENIED: the caller may "
	    "not do this\n");
}

/* All are asked before the first has answered, and they answer in another order. */
static void test_wait(void **data)
{
	struct msg_box to_lab = box_of(1, "hi"), to_eve = box_of(3, "hi");
	struct fake *f = *data;
	uint32_t lab, eve;

	to_lab.wait = to_eve.wait = 1;
	fake_run(f, "message", "*", "hi", "--wait");
	fake_answer_list(f, crowd, CROWD);
	lab = fake_asked_box(f, &to_lab);
	eve = fake_asked_box(f, &to_eve);
	fake_answer_box(f, eve, 3, STATUS_SUCCESS, BOX_OK);
	fake_await_output(f, "Message to session rdp-tcp#3 responded to by user\n");
	fake_answer_box(f, lab, 1, STATUS_SUCCESS, BOX_TIMEOUT);
	fake_assert_success(f);
	assert_string_equal(f->out,
	    "Message to session rdp-tcp#3 responded to by user\n"
	    "Timeout on message to session rdp-tcp#1 before user response\n");
	fake_run(f, "message", "2", "hi", "--wait", "--time", "60");
	fake_answer_list(f, crowd, CROWD);
	to_eve.session = 2;
	to_eve.seconds = 60;
	fake_answer_box(f, fake_asked_box(f, &to_eve), 2, STATUS_SUCCESS, BOX_ASYNC);
	fake_assert_success(f);
	assert_string_equal(f->out, "Async message sent to session 2\n");
}

static void test_json(void **data)
{
	struct msg_box to_lab = box_of(1, "hi"), to_eve = box_of(3, "hi");
	struct fake *f = *data;
	uint32_t id;

	fake_run(f, "message", "lab", "hi", "--json");
	fake_answer_list(f, crowd, CROWD);
	answer_box(f, &to_lab, STATUS_SUCCESS);
	fake_assert_output_json(
	    f, "[{'id': 1, 'name': 'RDP-Tcp#1', 'user': 'lab', 'response': null}]");
	to_lab.wait = to_eve.wait = 1;
	fake_run(f, "message", "*", "hi", "--json", "--wait");
	fake_answer_list(f, crowd, CROWD);
	id = fake_asked_box(f, &to_lab);
	fake_answer_box(f, fake_asked_box(f, &to_eve), 3, STATUS_SUCCESS, BOX_TIMEOUT);
	fake_answer_box(f, id, 1, STATUS_SUCCESS, BOX_OK);
	fake_assert_output_json(f,
	    "[{'id': 1, 'name': 'RDP-Tcp#1', 'user': 'lab', 'response': 'ok'},"
	    " {'id': 3, 'name': 'RDP-Tcp#3', 'user': 'eve', 'response': 'timeout'}]");
}

static void test_strange_answers(void **data)
{
	struct msg_box to_lab = box_of(1, "hi"), to_eve = box_of(3, "hi");
	struct fake *f = *data;
	struct msg_plain end;
	uint32_t id;

	fake_run(f, "message", "1", "hi");
	fake_answer_list(f, crowd, CROWD);
	FAKE_ANSWER(f, end, CTL_END, fake_asked_box(f, &to_lab));
	fake_assert_failure(f, 1, "musessctl: message: what answers at ");
	to_lab.wait = to_eve.wait = 1;
	for (int wrong = 0; wrong < 3; wrong++) { /* twice, of the list, of none */
		fake_run(f, "message", "*", "hi", "--wait", "--json");
		fake_answer_list(f, crowd, CROWD);
		id = fake_asked_box(f, &to_lab);
		fake_asked_box(f, &to_eve);
		fake_answer_box(f, id, 1, STATUS_SUCCESS, BOX_OK);
		fake_answer_box(f,
		    id + (wrong == 0      ? 0u
		             : wrong == 1 ? -1u
		                          : 2u),
		    1, STATUS_SUCCESS, BOX_OK);
		fake_assert_failure(f, 1, "musessctl: message: what answers at ");
	}
}

static void test_smss_goes(void **data)
{
	struct msg_box to_lab = box_of(1, "hi");
	struct fake *f = *data;

	to_lab.wait = 1;
	fake_run(f, "message", "1", "hi", "--wait");
	fake_answer_list(f, crowd, CROWD);
	fake_asked_box(f, &to_lab);
	fd_close(&f->port);
	fake_assert_failure(f, 1, "musessctl: message 1: STATUS_PORT_DISCONNECTED: ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FAKE_TEST(test_one),
		FAKE_TEST(test_text_from_input),
		FAKE_TEST(test_bounds),
		FAKE_TEST(test_usage),
		FAKE_TEST(test_no_text_on_terminal),
		FAKE_TEST(test_several),
		FAKE_TEST(test_nobody),
		FAKE_TEST(test_refused_by_one),
		FAKE_TEST(test_wait),
		FAKE_TEST(test_json),
		FAKE_TEST(test_strange_answers),
		FAKE_TEST(test_smss_goes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
