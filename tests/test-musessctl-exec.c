/*
 * musessctl exec and pool, with the test as smss and as the session's psxss. What comes
 * from a session is not to be trusted: half of it is what no psxss sends.
 */
#include "../sessmgr/ntstatus.h"
#include "fake-smss.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- being smss and psxss ---- */

/* Expects CTL_EXEC for SESSION, with a port beside it, and answers. Returns the port. */
static int answer_exec(struct fake *f, uint32_t session, int32_t status)
{
	struct msg_exec m;
	int port = -1;

	fake_await(f->listener);
	f->port = accept4(f->listener, NULL, NULL, SOCK_CLOEXEC);
	fake_await(f->port);
	assert_int_equal(port_receive(f->port, &m, sizeof(m), &port), sizeof(m));
	assert_int_equal(m.h.type, CTL_EXEC);
	assert_int_equal(m.session, session);
	assert_true(port >= 0);
	m.status = status;
	FAKE_ANSWER(f, m, CTL_EXEC, m.h.message_id);
	return port;
}

static void receive_command(int port, uint32_t count, const char *words, size_t length)
{
	struct ex_command m;

	fake_await(port);
	assert_int_equal(port_receive(port, &m, sizeof(m), NULL), sizeof(m));
	assert_int_equal(m.h.type, EX_COMMAND);
	assert_int_equal(m.count, count);
	assert_int_equal(m.length, length);
	assert_memory_equal(m.arguments, words, length);
	for (size_t i = length; i < sizeof(m.arguments); i++)
		assert_int_equal(m.arguments[i], 0);
}

#define RECEIVE_COMMAND(port, count, words) receive_command(port, count, words, sizeof(words))

/* Returns its length. */
static uint32_t receive_input(int port, char *text)
{
	struct ex_data m;

	fake_await(port);
	assert_int_equal(port_receive(port, &m, sizeof(m), NULL), sizeof(m));
	assert_int_equal(m.h.type, EX_INPUT);
	assert_true(m.length <= sizeof(m.data));
	memcpy(text, m.data, m.length);
	return m.length;
}

static int send_output(int port, uint32_t stream, const char *data, size_t length)
{
	struct ex_data m = { .stream = stream, .length = (uint32_t)length };

	memcpy(m.data, data, length < sizeof(m.data) ? length : sizeof(m.data));
	port_header(&m.h, EX_OUTPUT, sizeof(m), 0);
	return port_send(port, &m.h, -1);
}

static void send_exit(int port, uint32_t status, int error)
{
	struct ex_exit m = { .status = status, .error = error };

	port_header(&m.h, EX_EXIT, sizeof(m), 0);
	assert_int_equal(port_send(port, &m.h, -1), 0);
}

static void make_blocking(int port)
{
	assert_int_equal(fcntl(port, F_SETFL, 0), 0);
}

/* Runs "exec 7 -- cmd" until its command has come. Returns psxss's end of the port. */
static int begun(struct fake *f)
{
	fake_run(f, "exec", "7", "--", "cmd");
	int port = answer_exec(f, 7, STATUS_SUCCESS);
	RECEIVE_COMMAND(port, 1, "cmd");
	return port;
}

/* ---- exec ---- */

static void test_output(void **data)
{
	struct fake *f = *data;

	fake_run(f, "exec", "7", "--", "cmd", "--json", "", "--", "-x");
	int port = answer_exec(f, 7, STATUS_SUCCESS);
	RECEIVE_COMMAND(port, 5, "cmd\0--json\0\0--\0-x");
	assert_int_equal(send_output(port, 1, "out\n", 4), 0);
	assert_int_equal(send_output(port, 2, "error\n", 6), 0);
	assert_int_equal(send_output(port, 1, "\0end", 4), 0);
	send_exit(port, 3, 0);
	close(port);
	assert_int_equal(fake_exit_status(f), 3);
	assert_memory_equal(f->out, "out\n\0end", 9);
	assert_string_equal(f->error, "error\n");
}

static void test_exit_statuses(void **data)
{
	static const uint32_t statuses[] = { 0, 1, 2, 125, 126, 127, 137, 255 };
	struct fake *f = *data;

	for (size_t i = 0; i < sizeof(statuses) / sizeof(*statuses); i++) {
		int port = begun(f);
		send_exit(port, statuses[i], 0);
		close(port);
		assert_int_equal(fake_exit_status(f), statuses[i]);
		assert_string_equal(f->error, "");
	}
}

static void test_cannot_run(void **data)
{
	struct fake *f = *data;
	int port = begun(f);

	send_exit(port, 127, ENOENT);
	fake_assert_failure(f, 127, "musessctl: exec: cmd: No such file or directory\n");
	close(port);
	port = begun(f);
	send_exit(port, 126, EACCES);
	fake_assert_failure(f, 126, "musessctl: exec: cmd: Permission denied\n");
	close(port);
}

static void test_input(void **data)
{
	struct fake *f = *data;
	char text[EX_DATA_SIZE];

	fake_run_with(f, "some input", "exec", "0", "--", "cat", NULL);
	int port = answer_exec(f, 0, STATUS_SUCCESS);
	RECEIVE_COMMAND(port, 1, "cat");
	assert_int_equal(receive_input(port, text), 10);
	assert_memory_equal(text, "some input", 10);
	assert_int_equal(receive_input(port, text), 0);
	send_exit(port, 0, 0);
	fake_assert_success(f);
	close(port);
}

/* More input than the port holds is taken as fast as psxss reads. */
static void test_much_input(void **data)
{
	enum { SIZE = 3000000 };
	struct fake *f = *data;
	char *input = malloc(SIZE + 1), text[EX_DATA_SIZE];
	size_t got = 0;
	uint32_t length;

	assert_non_null(input);
	for (size_t i = 0; i < SIZE; i++)
		input[i] = (char)('a' + i % 23);
	input[SIZE] = 0;
	fake_run_with(f, input, "exec", "7", "--", "cmd", NULL);
	int port = answer_exec(f, 7, STATUS_SUCCESS);
	RECEIVE_COMMAND(port, 1, "cmd");
	usleep(100000);
	while ((length = receive_input(port, text)) > 0) {
		assert_true(got + length <= SIZE);
		assert_memory_equal(text, input + got, length);
		got += length;
	}
	assert_int_equal(got, SIZE);
	send_exit(port, 0, 0);
	fake_assert_success(f);
	close(port);
	free(input);
}

/* Its end comes through although it left input unread. */
static void test_unread_input(void **data)
{
	enum { SIZE = 1000000 };
	struct fake *f = *data;
	char *input = malloc(SIZE + 1);

	assert_non_null(input);
	memset(input, 'x', SIZE);
	input[SIZE] = 0;
	fake_run_with(f, input, "exec", "7", "--", "cmd", NULL);
	int port = answer_exec(f, 7, STATUS_SUCCESS);
	RECEIVE_COMMAND(port, 1, "cmd");
	usleep(100000);
	assert_int_equal(send_output(port, 1, "done\n", 5), 0);
	send_exit(port, 4, 0);
	close(port);
	assert_int_equal(fake_exit_status(f), 4);
	assert_string_equal(f->out, "done\n");
	assert_string_equal(f->error, "");
	free(input);
}

static void test_much_output(void **data)
{
	enum { BLOCKS = 900 };
	struct fake *f = *data;
	char block[EX_DATA_SIZE];
	int port = begun(f);

	make_blocking(port);
	for (int i = 0; i < BLOCKS; i++) {
		memset(block, 'a' + i % 26, sizeof(block));
		assert_int_equal(send_output(port, 1, block, sizeof(block)), 0);
	}
	send_exit(port, 0, 0);
	fake_assert_success(f);
	close(port);
	assert_int_equal(strlen(f->out), BLOCKS * sizeof(block));
	for (size_t i = 0; i < BLOCKS; i++)
		assert_int_equal(f->out[i * sizeof(block)], 'a' + i % 26);
}

static void test_refused(void **data)
{
	struct fake *f = *data;

	fake_run(f, "exec", "7", "--", "cmd");
	close(answer_exec(f, 7, STATUS_OBJECT_NAME_NOT_FOUND));
	fake_assert_failure(f, 125,
	    "musessctl: exec 7: STATUS_OBJECT_NAME_NOT_FOUND: no such session, image or account\n");
}

static void test_broken_smss(void **data)
{
	struct fake *f = *data;
	struct msg_pool other = { 0 };
	struct msg_plain end;
	int port;

	fake_run(f, "--socket", "/nonexistent/port", "exec", "7", "--", "cmd");
	fake_assert_failure(f, 125, "musessctl: no service at /nonexistent/port: ");
	fake_run(f, "exec", "7", "--", "cmd");
	fake_await(f->listener);
	f->port = accept4(f->listener, NULL, NULL, SOCK_CLOEXEC);
	fd_close(&f->port);
	fake_assert_failure(f, 125, "musessctl: exec 7: STATUS_PORT_DISCONNECTED: ");
	for (int i = 0; i < 2; i++) {
		struct msg_exec m;
		fake_run(f, "exec", "7", "--", "cmd");
		fake_await(f->listener);
		f->port = accept4(f->listener, NULL, NULL, SOCK_CLOEXEC);
		fake_await(f->port);
		assert_int_equal(port_receive(f->port, &m, sizeof(m), &port), sizeof(m));
		if (i == 0)
			FAKE_ANSWER(f, end, CTL_EXEC, m.h.message_id); /* too short */
		else
			FAKE_ANSWER(f, other, CTL_POOL, m.h.message_id);
		fake_assert_failure(f, 125, "musessctl: exec: what answers at ");
		close(port);
	}
}

static void test_session_ends(void **data)
{
	struct fake *f = *data;
	int port = begun(f);

	close(port);
	fake_assert_failure(f, 125, "musessctl: exec 7: STATUS_PORT_DISCONNECTED: ");
	/* before the command was sent */
	fake_run(f, "exec", "7", "--", "cmd");
	close(answer_exec(f, 7, STATUS_SUCCESS));
	fake_assert_failure(f, 125, "musessctl: exec 7: STATUS_PORT_DISCONNECTED: ");
}

static void assert_strange(struct fake *f, int port)
{
	fake_assert_failure(
	    f, 125, "musessctl: exec 7: the session's psxss sent what is not its to send\n");
	close(port);
}

static void strange_output(struct fake *f, uint32_t stream, size_t length)
{
	int port = begun(f);

	assert_int_equal(send_output(port, stream, "x", length), 0);
	assert_strange(f, port);
}

static void test_strange_messages(void **data)
{
	struct fake *f = *data;
	static const char large[EX_DATA_SIZE + 1];
	struct ex_data input = { .length = 1 };
	struct ex_exit end = { 0 };
	int port;

	strange_output(f, 0, 1);
	strange_output(f, 3, 1);
	strange_output(f, 1, 0);
	port = begun(f);
	assert_int_equal(send_output(port, 1, large, sizeof(large)), 0);
	assert_strange(f, port);
	port = begun(f);
	port_header(&input.h, EX_INPUT, sizeof(input), 0);
	assert_int_equal(port_send(port, &input.h, -1), 0);
	assert_strange(f, port);
	port = begun(f);
	port_header(&input.h, EX_OUTPUT, sizeof(input) - 4, 0);
	assert_int_equal(port_send(port, &input.h, -1), 0);
	assert_strange(f, port);
	port = begun(f);
	port_header(&end.h, EX_EXIT, sizeof(end), 0);
	assert_int_equal(port_send(port, &end.h, port), 0); /* a descriptor beside it */
	assert_strange(f, port);
	port = begun(f);
	assert_int_equal(send(port, "x", 1, MSG_NOSIGNAL), 1);
	assert_strange(f, port);
}

static void test_strange_ends(void **data)
{
	static const struct {
		uint32_t status;
		int error;
	} ends[] = { { 256, 0 }, { UINT32_MAX, 0 }, { 0, ENOENT }, { 1, ENOENT }, { 127, -1 } };
	struct fake *f = *data;

	for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++) {
		int port = begun(f);
		send_exit(port, ends[i].status, ends[i].error);
		assert_strange(f, port);
	}
}

/* Its port is closed when it is interrupted. */
static void test_interrupted(void **data)
{
	struct fake *f = *data;
	char text[EX_DATA_SIZE];
	int port = begun(f);

	assert_int_equal(receive_input(port, text), 0);
	kill(f->pid, SIGINT);
	fake_await(port);
	assert_int_equal(port_receive(port, text, sizeof(text), NULL), 0);
	assert_int_equal(fake_exit_status(f), -1);
	close(port);
}

static void test_usage(void **data)
{
	struct fake *f = *data;
	char words[EX_COMMAND_SIZE + 1];

	fake_run(f, "exec");
	fake_assert_failure(f, 2, "musessctl: exec: ID|SESSIONNAME is missing\n");
	fake_run(f, "exec", "--", "7", "cmd");
	fake_assert_failure(f, 2, "musessctl: exec: ID|SESSIONNAME is missing\n");
	fake_run(f, "--", "exec", "7", "cmd");
	fake_assert_failure(f, 2, "musessctl: exec: ID|SESSIONNAME is missing\n");
	fake_run(f, "exec", "7");
	fake_assert_failure(f, 2, "musessctl: exec: there is no command behind --\n");
	fake_run(f, "exec", "7", "--");
	fake_assert_failure(f, 2, "musessctl: exec: there is no command behind --\n");
	fake_run(f, "exec", "7", "ls");
	fake_assert_failure(f, 2, "musessctl: exec: too many arguments: ls; ");
	fake_run(f, "exec", "7", "ls", "--", "x");
	fake_assert_failure(f, 2, "musessctl: exec: too many arguments: ls; ");
	fake_run(f, "exec", "--json", "7", "--", "ls");
	fake_assert_failure(f, 2, "musessctl: exec has no option --json\n");
	fake_run(f, "exec", "--kd", "7", "--", "ls");
	fake_assert_failure(f, 2, "musessctl: exec has no option --kd\n");
	fake_run(f, "exec", "4294967295", "--", "ls");
	fake_assert_failure(f, 2, "musessctl: exec: \"4294967295\" is no session id: ");
	fake_run(f, "exec", "x", "--", "ls");
	fake_answer_list(f, fake_sample, FAKE_SAMPLE_COUNT);
	fake_assert_failure(f, 125, "musessctl: Session name x not found\n");
	memset(words, 'x', sizeof(words));
	words[EX_COMMAND_SIZE] = 0; /* and its terminator is too much */
	fake_run(f, "exec", "7", "--", words);
	fake_assert_failure(f, 2, "musessctl: exec: a command has at most ");
}

/* ---- pool ---- */

/* Expects CTL_POOL with SIZE, and answers. */
static void answer_pool(struct fake *f, uint32_t size, struct msg_pool answer)
{
	struct msg_pool m;

	fd_close(&f->port);
	fake_await(f->listener);
	f->port = accept4(f->listener, NULL, NULL, SOCK_CLOEXEC);
	fake_await(f->port);
	assert_int_equal(port_receive(f->port, &m, sizeof(m), NULL), sizeof(m));
	assert_int_equal(m.h.type, CTL_POOL);
	assert_int_equal(m.size, size);
	FAKE_ANSWER(f, answer, CTL_POOL, m.h.message_id);
}

static void test_pool(void **data)
{
	struct fake *f = *data;

	fake_run(f, "pool");
	answer_pool(f, POOL_ASK, (struct msg_pool){ .size = 2, .idle = 2 });
	fake_assert_success(f);
	assert_string_equal(f->out, "idle 2 of 2\n");
	fake_run(f, "pool", "64");
	answer_pool(f, 64, (struct msg_pool){ .size = 64, .idle = 1 });
	fake_assert_success(f);
	assert_string_equal(f->out, "idle 1 of 64\n");
	fake_run(f, "pool", "0", "--json");
	answer_pool(f, 0, (struct msg_pool){ .size = 0, .idle = 3 });
	fake_assert_output_json(f, "{'size': 0, 'idle': 3}");
	fake_run(f, "pool", "3");
	answer_pool(f, 3, (struct msg_pool){ .status = STATUS_INVALID_PARAMETER });
	fake_assert_failure(f, 1, "musessctl: pool 3: STATUS_INVALID_PARAMETER: ");
}

static void test_pool_strange(void **data)
{
	static const char *const sizes[] = { "", "x", "65", "-1", "1x", "4294967295" };
	struct fake *f = *data;
	struct msg_exec other = { 0 };

	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		fake_run(f, "pool", "--", sizes[i]);
		fake_assert_failure(f, 2, "musessctl: pool: \"");
	}
	fake_run(f, "pool", "1", "2");
	fake_assert_failure(f, 2, "musessctl: pool: too many arguments: 2\n");
	fake_run(f, "pool");
	FAKE_ANSWER(
	    f, other, CTL_EXEC, fake_asked(f, CTL_POOL, sizeof(struct msg_pool)).h.message_id);
	fake_assert_failure(f, 1, "musessctl: pool: what answers at ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FAKE_TEST(test_output),
		FAKE_TEST(test_exit_statuses),
		FAKE_TEST(test_cannot_run),
		FAKE_TEST(test_input),
		FAKE_TEST(test_much_input),
		FAKE_TEST(test_unread_input),
		FAKE_TEST(test_much_output),
		FAKE_TEST(test_refused),
		FAKE_TEST(test_broken_smss),
		FAKE_TEST(test_session_ends),
		FAKE_TEST(test_strange_messages),
		FAKE_TEST(test_strange_ends),
		FAKE_TEST(test_interrupted),
		FAKE_TEST(test_usage),
		FAKE_TEST(test_pool),
		FAKE_TEST(test_pool_strange),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
