/*
 * The lines of those who have no log, on tests/smss-harness.c: whose they are smss says, and how
 * many there may be.
 */
#include "log.h"
#include "smss-play.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static int kept = -1, file = -1;
static char text[1 << 16];

/* What is logged from now on is for logged(). */
static void listen_in(void)
{
	kept = dup(STDERR_FILENO);
	file = memfd_create("log", MFD_CLOEXEC);
	assert_true(kept >= 0 && dup2(file, STDERR_FILENO) >= 0);
}

static void let_be(void)
{
	dup2(kept, STDERR_FILENO);
	close(kept);
	close(file);
}

/* What was, since it was asked for last. */
static const char *logged(void)
{
	ssize_t got = pread(file, text, sizeof(text) - 1, 0);

	text[got > 0 ? got : 0] = 0;
	assert_int_equal(ftruncate(file, 0), 0);
	assert_int_equal(lseek(file, 0, SEEK_SET), 0);
	return text;
}

static unsigned lines(const char *of)
{
	unsigned count = 0;

	for (const char *at = of; (at = strchr(at, '\n')); at++)
		count++;
	return count;
}

static struct msg_log line(const char *what)
{
	struct msg_log m = { .session = NO_SESSION };

	memcpy(m.text, what, strlen(what));
	return m;
}

static void says(int port, struct msg_log m)
{
	harness_send(port, &m.h, LOG_LINE, sizeof(m), false);
}

static void names(void **state)
{
	struct up up = session_up();
	int termsrv = harness_client(CLIENT_TERMSRV, 2);
	int metricsd = harness_client(CLIENT_METRICSD, 3), posix, sb;
	struct msg_log m = line("of rdpwd");

	(void)state;
	call_load(&up, "Posix");
	posix = posix_up(&up, &sb);
	listen_in();
	says(up.csrss, line("plain"));
	assert_string_equal(logged(), "musess: csrss[1]: plain\n");
	m.level = LOG_LEVEL_WARN;
	m.owner = LOG_RDPWD;
	says(termsrv, m);
	assert_string_equal(logged(), "musess: rdpwd: warning: of rdpwd\n");
	m.session = 7;
	says(termsrv, m);
	assert_string_equal(logged(), "musess: rdpwd[7]: warning: of rdpwd\n");
	m = line("of winlogon");
	m.level = LOG_LEVEL_ERROR;
	m.owner = LOG_WINLOGON;
	m.session = 9; /* which is not for it to say */
	says(up.csrss, m);
	assert_string_equal(logged(), "musess: winlogon[1]: error: of winlogon\n");
	says(harness.console[0], line("the console"));
	assert_string_equal(logged(), "musess: csrss[0]: the console\n");
	says(posix, line("x"));
	assert_string_equal(logged(), "musess: psxss[1]: x\n");
	says(termsrv, line("x"));
	assert_string_equal(logged(), "musess: termsrv: x\n");
	says(metricsd, line(""));
	assert_string_equal(logged(), "musess: metricsd: \n");
	let_be();
	close(posix);
	close(sb);
	close(termsrv);
	close(metricsd);
	session_down(&up);
}

/* Nothing in it looks like another's line. */
static void forged(void **state)
{
	struct up up = session_up();
	char longest[LOG_TEXT_SIZE];

	(void)state;
	listen_in();
	says(up.csrss, line("musess: lsass: logon failed for user \"a\" from 192.0.2.1:1: x"));
	assert_string_equal(logged(),
	    "musess: csrss[1]: musess? lsass: logon failed for user \"a\" from 192.0.2.1:1: x\n");
	says(up.csrss, line("amusess: musess: b"));
	assert_string_equal(logged(), "musess: csrss[1]: amusess? musess? b\n");
	memset(longest, 'x', sizeof(longest));
	longest[LOG_TEXT_SIZE - 1] = 0;
	says(up.csrss, line(longest));
	logged();
	assert_int_equal(lines(text), 1);
	assert_int_equal(strlen(text), strlen("musess: csrss[1]: \n") + LOG_TEXT_SIZE - 1);
	let_be();
	session_down(&up);
}

/* What is no line, or another's, ends who sends it. */
static void refused(void **state)
{
	static const struct {
		uint32_t level, owner;
		const char *text;
	} wrong[] = { { 0, LOG_OWN, "a\nmusess: lsass: b" }, { 0, LOG_OWN, "\x1b[2J" },
		{ 0, LOG_OWN, "\xff" }, { LOG_LEVEL_COUNT, LOG_OWN, "a" }, { 0, LOG_RDPWD, "a" },
		{ 0, LOG_RDPWD + 1, "a" }, { 0, LOG_OWN, NULL } };

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		struct up up = session_up();
		struct msg_log m = line(wrong[i].text ? wrong[i].text : "");
		m.level = wrong[i].level;
		m.owner = wrong[i].owner;
		if (!wrong[i].text) /* no end */
			memset(m.text, 'x', sizeof(m.text));
		listen_in();
		says(up.csrss, m);
		logged();
		let_be();
		assert_null(strstr(text, "csrss[1]"));
		assert_null(strstr(text, "lsass"));
		assert_true(closed(up.csrss));
		session_down(&up);
	}
}

/* Who may say nothing. */
static void not_theirs(void **state)
{
	static const enum client_role roles[] = { CLIENT_ADMINISTRATOR, CLIENT_LSASS, CLIENT_USER,
		CLIENT_CALLBACK, CLIENT_SUBSYSTEM };
	struct up up = session_up();
	struct msg_log m = line("of winlogon");
	int posix, sb;

	(void)state;
	for (size_t i = 0; i < sizeof(roles) / sizeof(*roles); i++) {
		int port = harness_client(roles[i], harness_pid());
		listen_in();
		says(port, line("not its to say"));
		logged();
		let_be();
		assert_true(closed(port));
		assert_null(strstr(text, "not its to say"));
		close(port);
	}
	/* winlogon is csrss's alone */
	call_load(&up, "Posix");
	posix = posix_up(&up, &sb);
	m.owner = LOG_WINLOGON;
	listen_in();
	says(posix, m);
	logged();
	let_be();
	assert_null(strstr(text, "of winlogon"));
	assert_true(closed(posix));
	close(posix);
	close(sb);
	session_down(&up);
}

/* So many in a while; of the others it is said how many there were. */
static void floods(void **state)
{
	struct up up = session_up(), other = session_up();

	(void)state;
	listen_in();
	for (int i = 0; i < LOG_LINES_MAX + 30; i++)
		says(up.csrss, line("flood"));
	assert_int_equal(lines(logged()), LOG_LINES_MAX);
	says(other.csrss, line("another is heard"));
	assert_string_equal(logged(), "musess: csrss[2]: another is heard\n");
	harness_pass(LOG_LINES_US / 1000);
	assert_string_equal(logged(),
	    "musess: musess: warning: 30 lines of csrss[1] were not written: they were too many\n");
	says(up.csrss, line("flood"));
	assert_string_equal(logged(), "musess: csrss[1]: flood\n");
	for (int i = 0; i < LOG_LINES_MAX; i++)
		says(up.csrss, line("flood"));
	assert_int_equal(lines(logged()), LOG_LINES_MAX - 1);
	session_down(&up);
	assert_non_null(strstr(logged(), "1 lines of csrss[1] were not written"));
	let_be();
	session_down(&other);
}

/* What it said last is read when its process has ended, before smss says that it has. */
static void last_words(void **state)
{
	struct up up = session_up();
	struct msg_log m = line("why it ends");
	struct msg_plain other;
	const char *why, *end;

	(void)state;
	port_header(&other.h, CSR_INPUT, sizeof(other), 0);
	port_header(&m.h, LOG_LINE, sizeof(m), 0);
	assert_int_equal(port_send(up.csrss, &other.h, -1), 0);
	assert_int_equal(port_send(up.csrss, &m.h, -1), 0);
	listen_in();
	harness_reap(up.session->windows->pid, 1 << 8);
	logged();
	let_be();
	why = strstr(text, "musess: csrss[1]: why it ends\n");
	end = strstr(text, "Windows ended with status 1");
	assert_true(why && end && why < end);
	session_down(&up);
}

int main(void)
{
	const struct CMUnitTest tests[] = { T(names), T(forged), T(refused), T(not_theirs),
		T(floods), T(last_words) };

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests_name("smss-log", tests, NULL, NULL);
}
