/* Unit tests of sessmgr/port.c: framing, passed descriptors, and text of messages. */
#include "messages.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int make_pair(void **state)
{
	static int pair[2];

	*state = pair;
	return port_pair(pair);
}

static int close_pair(void **state)
{
	int *pair = *state;

	fd_close(&pair[0]);
	fd_close(&pair[1]);
	return 0;
}

static void test_message_arrives_whole(void **state)
{
	int *pair = *state;
	struct msg_end out = { .reason = 7 }, in;

	port_header(&out.h, DSP_END, sizeof(out), 42);
	assert_int_equal(port_send(pair[0], &out.h, -1), 0);
	assert_int_equal(port_receive(pair[1], &in, sizeof(in), NULL), sizeof(in));
	assert_int_equal(in.reason, 7);
	assert_int_equal(in.h.type, DSP_END);
	assert_int_equal(in.h.message_id, 42);
	assert_int_equal(in.h.data_length, sizeof(in) - sizeof(in.h));
}

static void test_nothing_there(void **state)
{
	int *pair = *state;
	struct msg_plain in;

	assert_int_equal(port_receive(pair[1], &in, sizeof(in), NULL), -1);
	assert_int_equal(errno, EAGAIN);
	fd_close(&pair[0]);
	assert_int_equal(port_receive(pair[1], &in, sizeof(in), NULL), 0);
}

/* What a peer said before its end is there, though it read nothing of what it was told. */
static void test_last_words(void **state)
{
	int *pair = *state;
	struct msg_plain question;
	struct msg_end out = { .reason = 4 }, in;

	port_header(&question.h, DSP_READY, sizeof(question), 0);
	port_header(&out.h, DSP_END, sizeof(out), 0);
	assert_int_equal(port_send(pair[1], &question.h, -1), 0);
	assert_int_equal(port_send(pair[0], &out.h, -1), 0);
	fd_close(&pair[0]);
	assert_int_equal(port_receive(pair[1], &in, sizeof(in), NULL), sizeof(in));
	assert_int_equal(in.reason, 4);
	assert_int_equal(port_receive(pair[1], &in, sizeof(in), NULL), 0);
}

static void test_descriptor_comes_along(void **state)
{
	int *pair = *state, passed = -1, pipes[2];
	struct msg_plain m;
	char byte = 0;

	assert_int_equal(pipe(pipes), 0);
	port_header(&m.h, TS_LSASS, sizeof(m), 0);
	assert_int_equal(port_send(pair[0], &m.h, pipes[1]), 0);
	assert_int_equal(port_receive(pair[1], &m, sizeof(m), &passed), sizeof(m));
	assert_true(passed >= 0);
	assert_int_equal(fcntl(passed, F_GETFD), FD_CLOEXEC);
	assert_int_equal(write(passed, "x", 1), 1);
	assert_int_equal(read(pipes[0], &byte, 1), 1);
	assert_int_equal(byte, 'x');
	close(passed);
	close(pipes[0]);
	close(pipes[1]);
}

/* Sends SIZE raw bytes, and COUNT descriptors, as one packet. */
static void send_raw(int port, const void *bytes, size_t size, int count)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(8 * sizeof(int))];
	} control = { 0 };
	struct iovec data = { (void *)(uintptr_t)bytes, size };
	struct msghdr m = { .msg_iov = &data, .msg_iovlen = 1 };

	if (count > 0) {
		m.msg_control = &control;
		m.msg_controllen = CMSG_SPACE((size_t)count * sizeof(int));
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN((size_t)count * sizeof(int));
		for (int i = 0; i < count; i++)
			((int *)(void *)CMSG_DATA(&control.header))[i] = 0;
	}
	assert_int_equal(sendmsg(port, &m, 0), (ssize_t)size);
}

static int open_descriptors(void)
{
	int count = 0;

	for (int fd = 0; fd < 256; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

static void assert_refused(int port, int *passed)
{
	char buffer[64] __attribute__((aligned(8)));

	assert_int_equal(port_receive(port, buffer, sizeof(buffer), passed), -1);
	assert_int_equal(errno, EBADMSG);
	if (passed)
		assert_int_equal(*passed, -1);
}

static void test_broken_framing_is_refused(void **state)
{
	int *pair = *state, passed, before = open_descriptors();
	char big[128] = { 0 };
	PORT_MESSAGE h;

	send_raw(pair[0], "short", 5, 0);
	assert_refused(pair[1], &passed);
	port_header(&h, CTL_LIST, sizeof(h) + 8, 0); /* says more than it is */
	send_raw(pair[0], &h, sizeof(h), 0);
	assert_refused(pair[1], &passed);
	port_header(&h, CTL_LIST, sizeof(h), 0);
	h.data_length = 1; /* its two lengths contradict one another */
	send_raw(pair[0], &h, sizeof(h), 0);
	assert_refused(pair[1], &passed);
	send_raw(pair[0], big, sizeof(big), 0); /* longer than the buffer */
	assert_refused(pair[1], &passed);
	assert_int_equal(open_descriptors(), before);
}

static void test_descriptors_too_many_are_closed(void **state)
{
	int *pair = *state, passed, before = open_descriptors();
	PORT_MESSAGE h;

	port_header(&h, CTL_LIST, sizeof(h), 0);
	send_raw(pair[0], &h, sizeof(h), 1);
	assert_refused(pair[1], NULL); /* none is accepted */
	send_raw(pair[0], &h, sizeof(h), 2);
	assert_refused(pair[1], &passed);
	send_raw(pair[0], &h, sizeof(h), 7);
	assert_refused(pair[1], &passed);
	send_raw(pair[0], "", 0, 7); /* beside nothing, which reads as the port's end does */
	assert_int_equal(port_receive(pair[1], &h, sizeof(h), &passed), 0);
	assert_int_equal(passed, -1);
	assert_int_equal(open_descriptors(), before);
}

/* Who has to know it is told whether that was the end. */
static void test_end_is_told_from_nothing(void **state)
{
	struct port_luggage luggage;
	int *pair = *state;
	PORT_MESSAGE h;

	port_mark(pair[1]);
	assert_false(port_at_end(pair[1]));
	send_raw(pair[0], "", 0, 0);
	send_raw(pair[0], "", 0, 2);
	port_header(&h, CTL_LIST, sizeof(h), 0);
	send_raw(pair[0], &h, sizeof(h), 3);
	shutdown(pair[0], SHUT_RDWR);
	for (unsigned count = 0; count < 4; count++) {
		assert_int_equal(port_at_end(pair[1]), count == 3);
		assert_int_equal(
		    port_receive_all(pair[1], &h, sizeof(h), &luggage) < 0, count == 2);
		assert_int_equal(luggage.count, ((unsigned[]){ 0, 2, 3, 0 })[count]);
		while (luggage.count > 0)
			close(luggage.passed[--luggage.count]);
	}
}

static void test_text(void **state)
{
	(void)state;
	assert_true(port_text_valid("", 1));
	assert_true(port_text_valid("J\xc3\xb6rg \xe2\x82\xac \xf0\x9f\x98\x80", 32));
	assert_false(port_text_valid("abc", 3));  /* not terminated */
	assert_false(port_text_valid("a\nb", 8)); /* control characters */
	assert_false(port_text_valid("a\x7f", 8));
	assert_false(port_text_valid("\xc2\x85", 8));
	assert_false(port_text_valid("\xd8\x9c", 8)); /* what changes the direction of text */
	assert_true(port_text_valid("\xd8\x9b\xe2\x80\x8d\xe2\x80\xa7\xe2\x80\xaf", 32));
	for (const char *end = "\x8e\x8f\xa8\xa9\xaa\xab\xac\xad\xae"; *end; end++)
		assert_false(port_text_valid((char[]){ '\xe2', '\x80', *end, 0 }, 4));
	for (const char *end = "\xa6\xa7\xa8\xa9"; *end; end++)
		assert_false(port_text_valid((char[]){ '\xe2', '\x81', *end, 0 }, 4));
	assert_true(port_text_valid("\xe2\x81\xa5\xe2\x81\xaa", 8));
	assert_false(port_text_valid("\xff", 8));     /* no UTF-8 */
	assert_false(port_text_valid("\xc3", 8));     /* cut off */
	assert_false(port_text_valid("\xc0\xaf", 8)); /* overlong */
	assert_false(port_text_valid("\xe0\x80\xaf", 8));
	assert_false(port_text_valid("\xed\xa0\x80", 8));     /* a surrogate */
	assert_false(port_text_valid("\xf4\x90\x80\x80", 8)); /* beyond Unicode */
}

static void test_text_taken(void **state)
{
	static const struct {
		const char *text, *taken;
		bool whole;
	} cases[] = {
		{ NULL, "", true },
		{ "", "", true },
		{ "1234567", "1234567", true },
		{ "12345678", "1234567", false },
		{ "12345\xc3\xa4", "12345\xc3\xa4", true },
		{ "123456\xc3\xa4", "123456", false }, /* no half a character */
		{ "a\tb\x7f\xff"
		  "c",
		    "a?b??c", false },
		{ "\xed\xa0\x80", "???", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char field[8] = { 0 };
		assert_int_equal(
		    port_text_take(field, sizeof(field), cases[i].text), cases[i].whole);
		assert_string_equal(field, cases[i].taken);
		assert_true(port_text_valid(field, sizeof(field)));
	}
}

static void test_reasons_and_states_have_names(void **state)
{
	(void)state;
	assert_string_equal(end_reason_text(END_USER_LOGOFF), "logged off by the user");
	assert_string_equal(end_reason_text(0x7777), "unknown reason");
	assert_string_equal(session_state_text(WTS_ACTIVE), "Active");
	assert_string_equal(session_state_text(WTS_STATE_COUNT), "?");
}

/* No line is cut, and so no character. */
static void test_lines(void **state)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{ "", "" },
		{ "a\nb\n", "a\nb\n" },
		{ "1234567", "1234567" },
		{ "123456\n", "123456\n" },
		{ "1234567\n", "" },
		{ "12\n45\n78\n", "12\n45\n" },
		{ "12\n\303\244\303\244\303\244\n", "12\n" },
	};
	char field[8];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		memset(field, 'x', sizeof(field));
		port_text_lines(field, sizeof(field), cases[i].text);
		assert_string_equal(field, cases[i].want);
		assert_int_equal(field[sizeof(field) - 1], 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_message_arrives_whole, make_pair, close_pair),
		cmocka_unit_test_setup_teardown(test_nothing_there, make_pair, close_pair),
		cmocka_unit_test_setup_teardown(test_last_words, make_pair, close_pair),
		cmocka_unit_test_setup_teardown(test_descriptor_comes_along, make_pair, close_pair),
		cmocka_unit_test_setup_teardown(
		    test_broken_framing_is_refused, make_pair, close_pair),
		cmocka_unit_test_setup_teardown(
		    test_descriptors_too_many_are_closed, make_pair, close_pair),
		cmocka_unit_test_setup_teardown(
		    test_end_is_told_from_nothing, make_pair, close_pair),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_text_taken),
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_reasons_and_states_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
