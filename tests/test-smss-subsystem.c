/*
 * Subsystems on demand, and who of those that take part leaves at which moment, on
 * tests/smss-harness.c.
 */
#include "smss-play.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* ---- LoadDefered ---- */

static void loads(void **state)
{
	struct up up = session_up();
	int port, sb;

	(void)state;
	assert_int_equal(call_load(&up, "None"), STATUS_OBJECT_NAME_NOT_FOUND);
	assert_int_equal(call_load(&up, "Windows"), STATUS_OBJECT_NAME_NOT_FOUND);
	assert_int_equal(call_load(&up, "\x01"), STATUS_OBJECT_NAME_NOT_FOUND);
	assert_int_equal(call_load(&up, ""), STATUS_INVALID_PARAMETER);
	assert_int_equal(
	    call_load(&up, "123456789012345678901234567890123"), STATUS_INVALID_PARAMETER);
	assert_int_equal(call_load(&up, "Posix"), STATUS_PENDING);
	assert_int_equal(call_load(&up, "Posix"), STATUS_PENDING); /* it is begun once */
	assert_int_equal(harness.order_count, 1);
	port = posix_up(&up, &sb);
	expect_reply(up.csrss, STATUS_SUCCESS);
	expect_reply(up.csrss, STATUS_SUCCESS);
	assert_int_equal(call_load(&up, "Posix"), STATUS_SUCCESS);
	/* its end is its own; then it can be loaded again */
	harness_reap(subsystem_by_type(up.session, SUBSYSTEM_POSIX)->pid, SIGKILL);
	assert_int_equal(up.session->step, SESSION_RUNNING);
	close(port);
	close(sb);
	assert_int_equal(call_load(&up, "Posix"), STATUS_PENDING);
	/* the session ends meanwhile */
	harness_down(up.session);
	assert_true(closed(up.csrss));
	close(up.csrss);
	close(up.sb);
}

static void loads_fail(void **state)
{
	struct up up = session_up();
	pid_t pid;

	(void)state;
	assert_int_equal(call_load(&up, "Posix"), STATUS_PENDING);
	harness_done(up.session, ENOMEM);
	expect_reply(up.csrss, STATUS_NO_MEMORY);
	/* who was to create it has not left yet: then it is begun */
	assert_int_equal(call_load(&up, "Posix"), STATUS_PENDING);
	assert_int_equal(harness.order_count, 0);
	harness_reap(up.session->creator, 0);
	assert_int_equal(harness.order_count, 1);
	/* that one ends without having done it */
	harness_reap(up.session->creator, SIGKILL);
	expect_reply(up.csrss, STATUS_UNSUCCESSFUL);
	/* time is up */
	assert_int_equal(call_load(&up, "Posix"), STATUS_PENDING);
	pid = harness_done(up.session, 0);
	harness_pass(harness.config.SubsystemTimeout);
	expect_reply(up.csrss, STATUS_IO_TIMEOUT);
	/* who asks while it is on its way out waits for the next one */
	assert_int_equal(call_load(&up, "Posix"), STATUS_PENDING);
	assert_int_equal(harness.order_count, 0);
	harness_reap(pid, SIGKILL);
	assert_int_equal(harness.order_count, 1);
	harness_done(up.session, ENOMEM);
	expect_reply(up.csrss, STATUS_NO_MEMORY);
	assert_null(subsystem_by_name(up.session, "Posix", 5));
	session_down(&up);
}

/* It is to be created once more when who creates has ended, and smss does not know it yet. */
static void nobody_to_create(void **state)
{
	struct up up = session_up();
	pid_t pid;

	(void)state;
	assert_int_equal(call_load(&up, "Posix"), STATUS_PENDING);
	pid = harness_done(up.session, 0);
	harness_pass(harness.config.SubsystemTimeout);
	expect_reply(up.csrss, STATUS_IO_TIMEOUT);
	assert_int_equal(call_load(&up, "Posix"), STATUS_PENDING);
	harness.fail_create = ECHILD;
	harness_reap(pid, SIGKILL);
	expect_reply(up.csrss, STATUS_NO_MEMORY);
	harness.fail_create = 0;
	harness_reap(up.session->creator, 0);
	assert_int_equal(call_load(&up, "Posix"), STATUS_PENDING);
	assert_int_equal(harness.order_count, 1);
	session_down(&up);
}

/* A subsystem cannot make smss remember more than so many calls. */
static void calls_are_bounded(void **state)
{
	struct up up = session_up();

	(void)state;
	for (int i = 0; i < 16; i++)
		assert_int_equal(call_load(&up, "Posix"), STATUS_PENDING);
	assert_int_equal(call_load(&up, "Posix"), STATUS_NO_MEMORY);
	session_down(&up);
}

/* ---- who ends at which moment ---- */

/* One that cannot be created takes nothing with it that is created by the same smss. */
static void one_fails_beside_another(void **state)
{
	struct up up;
	pid_t creator;
	int port, sb;

	(void)state;
	begin_with_extra();
	up = session_up();
	assert_int_equal(call_load(&up, "Posix"), STATUS_PENDING);
	assert_int_equal(call_load(&up, "Extra"), STATUS_PENDING);
	assert_int_equal(harness.order_count, 2);
	creator = up.session->creator;
	harness_done(up.session, ENOMEM);
	expect_reply(up.csrss, STATUS_NO_MEMORY);
	assert_int_equal(harness_signal(creator), 0);
	port = connects(harness_done(up.session, 0), SUBSYSTEM_POSIX, &sb);
	expect_reply(up.csrss, STATUS_SUCCESS);
	session_down(&up);
	close(port);
	close(sb);
}

/* Who creates it ends after that, without a word: it is ended too, and it alone. */
static void unreported(void **state)
{
	struct up up;
	pid_t pid, creator;
	int port, sb;

	(void)state;
	begin_with_extra();
	up = session_up();
	assert_int_equal(call_load(&up, "Posix"), STATUS_PENDING);
	pid = harness_unreported(up.session);
	harness_reap(up.session->creator, SIGKILL);
	assert_int_equal(harness_signal(pid), SIGKILL);
	assert_int_equal(call_load(&up, "Extra"), STATUS_PENDING);
	creator = up.session->creator;
	assert_true(creator > pid);
	harness_reap(pid, SIGKILL);
	expect_reply(up.csrss, STATUS_UNSUCCESSFUL);
	assert_int_equal(harness_signal(creator), 0);
	port = connects(harness_done(up.session, 0), EXTRA_TYPE, &sb);
	expect_reply(up.csrss, STATUS_SUCCESS);
	close(port);
	close(sb);
	/* the other way round: it ends first */
	harness_reap(up.session->creator, 0);
	assert_int_equal(call_load(&up, "Posix"), STATUS_PENDING);
	harness_reap(harness_unreported(up.session), SIGKILL);
	harness_reap(up.session->creator, SIGKILL);
	expect_reply(up.csrss, STATUS_UNSUCCESSFUL);
	session_down(&up);
}

/* Who creates hangs: it is ended when time is up, and the next caller gets another. */
static void created_too_late(void **state)
{
	struct up up = session_up();
	pid_t pid, creator;
	int port, sb;

	(void)state;
	assert_int_equal(call_load(&up, "Posix"), STATUS_PENDING);
	creator = up.session->creator;
	pid = harness_unreported(up.session);
	harness_pass(harness.config.SubsystemTimeout);
	expect_reply(up.csrss, STATUS_IO_TIMEOUT);
	assert_int_equal(harness_signal(creator), SIGKILL);
	assert_int_equal(call_load(&up, "Posix"), STATUS_PENDING);
	harness_reap(creator, SIGKILL);
	assert_int_equal(harness_signal(pid), SIGKILL);
	assert_int_equal(harness.order_count, 0);
	harness_reap(pid, SIGKILL); /* who asked since waits for the next one */
	assert_int_equal(harness.order_count, 1);
	port = connects(harness_done(up.session, 0), SUBSYSTEM_POSIX, &sb);
	expect_reply(up.csrss, STATUS_SUCCESS);
	session_down(&up);
	close(port);
	close(sb);
}

/* It ends before it has connected: that its program cannot be run is told. */
static void images(void **state)
{
	static const struct {
		int error;
		int32_t status;
	} cases[] = { { 0, STATUS_UNSUCCESSFUL }, { ENOENT, STATUS_OBJECT_NAME_NOT_FOUND },
		{ ENOEXEC, STATUS_INVALID_IMAGE_FORMAT }, { EACCES, STATUS_ACCESS_DENIED } };
	struct up up = session_up();

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		assert_int_equal(call_load(&up, "Posix"), STATUS_PENDING);
		pid_t pid = harness_done(up.session, 0);
		struct subsystem *posix = subsystem_of_process(&harness.smss, pid);
		struct process_start *start = &up.session->space->starts[posix->start];
		start->error = cases[i].error;
		start->executing = cases[i].error != 0;
		start->what[0] = start->executing ? 'x' : 0;
		harness_reap(pid, 1 << 8);
		expect_reply(up.csrss, cases[i].status);
		harness_reap(up.session->creator, 0);
	}
	session_down(&up);
}

/* The session ends while somebody waits for its subsystem. */
static void session_ends_meanwhile(void **state)
{
	struct up up = session_up();
	struct msg_exec m;
	struct msg_end terminate;

	(void)state;
	assert_int_equal(call_load(&up, "Posix"), STATUS_PENDING);
	assert_int_equal(call_exec(admin, 1, true), STATUS_PENDING);
	session_stop(up.session, END_ADMIN_LOGOFF, STATUS_SUCCESS);
	assert_int_equal(call_exec(admin, 1, true), STATUS_PROCESS_IS_TERMINATING);
	harness_down(up.session);
	assert_int_equal(
	    harness_receive(up.csrss, &terminate, sizeof(terminate)), sizeof(terminate));
	expect_reply(up.csrss, STATUS_DELETE_PENDING);
	assert_true(closed(up.csrss));
	assert_int_equal(harness_receive(admin, &m, sizeof(m)), sizeof(m));
	assert_int_equal(m.status, STATUS_DELETE_PENDING);
	close(up.csrss);
	close(up.sb);
}

/* Types: smss's own are kept for their names, and each is served once. */
static void types(void **state)
{
	static const struct {
		uint32_t type;
		int32_t status;
	} cases[] = { { SUBSYSTEM_POSIX, STATUS_ACCESS_DENIED },
		{ SUBSYSTEM_WINDOWS, STATUS_PORT_CONNECTION_REFUSED },
		{ EXTRA_TYPE, STATUS_SUCCESS } };
	struct up up;
	int32_t status;
	int port;

	(void)state;
	begin_with_extra();
	up = session_up();
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		assert_int_equal(call_load(&up, "Extra"), STATUS_PENDING);
		pid_t pid = harness_done(up.session, 0);
		port = harness_shake(pid, cases[i].type, &status);
		assert_int_equal(status, cases[i].status);
		if (status != STATUS_SUCCESS) {
			assert_int_equal(harness_signal(pid), SIGKILL);
			harness_reap(pid, SIGKILL);
		}
		expect_reply(up.csrss, status ? STATUS_PORT_DISCONNECTED : STATUS_SUCCESS);
		if (up.session->creator)
			harness_reap(up.session->creator, 0);
		close(port);
	}
	session_down(&up);
}

int main(void)
{
	const struct CMUnitTest tests[] = { T(loads), T(loads_fail), T(calls_are_bounded),
		T(one_fails_beside_another), T(unreported), T(nobody_to_create),
		T(created_too_late), T(images), T(session_ends_meanwhile), T(types) };

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests_name("smss-subsystem", tests, NULL, NULL);
}
