/*
 * Unit tests of sessmgr/log.c: what a line looks like on a terminal or in a file, and in the journal.
 * Standard error is a socket here, and whom it leads to is what the test says.
 */
#include "log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static const char *peer; /* NULL: what standard error is has none */

int __wrap_getpeername(int fd, struct sockaddr *address, socklen_t *size);
int __wrap_getpeername(int fd, struct sockaddr *address, socklen_t *size)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };

	assert_int_equal(fd, STDERR_FILENO);
	if (!peer) {
		errno = ENOTSOCK;
		return -1;
	}
	snprintf(un.sun_path, sizeof(un.sun_path), "%s", peer);
	size_t length = offsetof(struct sockaddr_un, sun_path) + strlen(peer);
	assert_true(length <= *size);
	memcpy(address, &un, length);
	*size = (socklen_t)length;
	return 0;
}

static int stderr_saved, reader;

static int set_up(void **state)
{
	int pair[2];

	(void)state;
	stderr_saved = dup(STDERR_FILENO);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) < 0)
		return -1;
	dup2(pair[0], STDERR_FILENO);
	close(pair[0]);
	reader = pair[1];
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	dup2(stderr_saved, STDERR_FILENO);
	close(stderr_saved);
	close(reader);
	log_session(UINT32_MAX);
	log_journal_has_events(false);
	return 0;
}

static void leads_to(const char *path)
{
	peer = path;
	log_process("lsass");
}

static void assert_written(const char *expected)
{
	char text[2048];
	ssize_t got = read(reader, text, sizeof(text) - 1);

	text[got > 0 ? got : 0] = 0;
	assert_string_equal(text, expected);
}

static void all_kinds(void)
{
	log_error("cannot %s", "go on");
	log_warn("it is late");
	log_info("ready");
	log_session(7);
	log_info("in a session");
}

static void test_file(void **state)
{
	(void)state;
	leads_to(NULL);
	log_journal_has_events(true);
	all_kinds();
	log_event("logged on");
	log_complaint("line 4: frob");
	assert_written("musess: lsass: error: cannot go on\nmusess: lsass: warning: it is late\n"
	               "musess: lsass: ready\nmusess: lsass[7]: in a session\n"
	               "musess: lsass[7]: logged on\nline 4: frob\n");
}

static void test_journal(void **state)
{
	(void)state;
	leads_to("/run/systemd/journal/stdout");
	all_kinds();
	log_complaint("line 4: frob");
	assert_written("<3>lsass: cannot go on\n<4>lsass: it is late\n<6>lsass: ready\n"
	               "<6>lsass[7]: in a session\n<3>lsass[7]: line 4: frob\n");
	leads_to("/run/systemd/journal.lab/stdout");
	log_error("a namespace's");
	assert_written("<3>lsass[7]: a namespace's\n");
}

/* What the journal has as an event is no line of its own there. */
static void test_events(void **state)
{
	(void)state;
	leads_to("/run/systemd/journal/stdout");
	log_event("one");
	log_journal_has_events(true);
	log_event("two");
	log_info("three");
	log_journal_has_events(false);
	log_event("four");
	assert_written("<6>lsass: one\n<6>lsass: three\n<6>lsass: four\n");
}

static void test_other_sockets(void **state)
{
	static const char *const others[] = { "", "/run/systemd/journal/socket",
		"/tmp/run/systemd/journal/stdout", "/run/systemd/stdout",
		"/run/systemd/journal/stdout.old" };

	(void)state;
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
		leads_to(others[i]);
		log_info("ready");
		assert_written("musess: lsass: ready\n");
	}
}

/* A line is cut, and ends. */
static void test_long_line(void **state)
{
	char text[3000], expected[1025];

	(void)state;
	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = 0;
	leads_to("/run/systemd/journal/stdout");
	log_info("%s", text);
	memset(expected, 'a', sizeof(expected));
	memcpy(expected, "<6>lsass: ", strlen("<6>lsass: "));
	memcpy(expected + 1022, "\n", 2);
	assert_written(expected);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_file, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_journal, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_events, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_other_sockets, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_long_line, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
