/*
 * Subsystems on demand, foreign sessions, commands and adopted processes, and who of them
 * leaves at which moment, on tests/smss-harness.c.
 */
#include "smss-play.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

/* ---- LoadDefered ---- */

static void name(SMAPIMSG *m, const char *text)
{
	*m = (SMAPIMSG){ .u.LoadDefered.SubsystemNameLength = (uint32_t)(2 * strlen(text)) };
	for (size_t i = 0; text[i] && i < SM_SUBSYSTEM_CHARS; i++)
		m->u.LoadDefered.SubsystemName[i] = (uint16_t)text[i];
}

static int32_t load(const struct up *up, const char *text)
{
	SMAPIMSG m;

	name(&m, text);
	return harness_call(up->csrss, &m, SmLoadDeferedApi, false);
}

/* psxss of UP connects; its port. */
static int posix_up(const struct up *up, int *sb)
{
	int32_t status;
	int port = harness_shake(harness_done(up->session, 0), SUBSYSTEM_POSIX, &status);

	assert_int_equal(status, STATUS_SUCCESS);
	*sb = harness.sb_port;
	harness.sb_port = -1;
	if (up->session->creator)
		harness_reap(up->session->creator, 0);
	return port;
}

static void loads(void **state)
{
	struct up up = session_up();
	int port, sb;

	(void)state;
	assert_int_equal(load(&up, "None"), STATUS_OBJECT_NAME_NOT_FOUND);
	assert_int_equal(load(&up, "Windows"), STATUS_OBJECT_NAME_NOT_FOUND);
	assert_int_equal(load(&up, "\x01"), STATUS_OBJECT_NAME_NOT_FOUND);
	assert_int_equal(load(&up, ""), STATUS_INVALID_PARAMETER);
	assert_int_equal(load(&up, "123456789012345678901234567890123"), STATUS_INVALID_PARAMETER);
	assert_int_equal(load(&up, "Posix"), STATUS_PENDING);
	assert_int_equal(load(&up, "Posix"), STATUS_PENDING); /* it is begun once */
	assert_int_equal(harness.order_count, 1);
	port = posix_up(&up, &sb);
	expect_reply(up.csrss, STATUS_SUCCESS);
	expect_reply(up.csrss, STATUS_SUCCESS);
	assert_int_equal(load(&up, "Posix"), STATUS_SUCCESS);
	/* its end is its own; then it can be loaded again */
	harness_reap(subsystem_by_type(up.session, SUBSYSTEM_POSIX)->pid, SIGKILL);
	assert_int_equal(up.session->step, SESSION_RUNNING);
	close(port);
	close(sb);
	assert_int_equal(load(&up, "Posix"), STATUS_PENDING);
	/* the session ends meanwhile */
	harness_down(up.session);
	assert_true(closed(up.csrss));
	close(up.csrss);
	close(up.sb);
}

static void loads_fail(void **state)
{
	struct up up = session_up();
	struct subsystem *posix;

	(void)state;
	assert_int_equal(load(&up, "Posix"), STATUS_PENDING);
	harness_done(up.session, ENOMEM);
	expect_reply(up.csrss, STATUS_NO_MEMORY);
	/* who was to create it has not left yet: then it is begun */
	assert_int_equal(load(&up, "Posix"), STATUS_PENDING);
	assert_int_equal(harness.order_count, 0);
	harness_reap(up.session->creator, 0);
	assert_int_equal(harness.order_count, 1);
	/* that one ends without having done it */
	harness_reap(up.session->creator, SIGKILL);
	expect_reply(up.csrss, STATUS_UNSUCCESSFUL);
	/* time is up */
	assert_int_equal(load(&up, "Posix"), STATUS_PENDING);
	pid_t pid = harness_done(up.session, 0);
	posix = subsystem_of_process(&harness.smss, pid);
	event_active(posix->timeout, EV_TIMEOUT, 1);
	harness_run();
	expect_reply(up.csrss, STATUS_IO_TIMEOUT);
	harness_reap(pid, SIGKILL);
	assert_null(subsystem_by_name(up.session, "Posix", 5));
	session_down(&up);
}

/* A subsystem cannot make smss remember more than so many calls. */
static void calls_are_bounded(void **state)
{
	struct up up = session_up();

	(void)state;
	for (int i = 0; i < 16; i++)
		assert_int_equal(load(&up, "Posix"), STATUS_PENDING);
	assert_int_equal(load(&up, "Posix"), STATUS_NO_MEMORY);
	session_down(&up);
}

/* ---- foreign sessions ---- */

/* A session with psxss. */
struct pair {
	struct up up;
	int posix, sb;
};

static struct pair pair_up(void)
{
	struct pair p = { .up = session_up() };

	assert_int_equal(load(&p.up, "Posix"), STATUS_PENDING);
	p.posix = posix_up(&p.up, &p.sb);
	expect_reply(p.up.csrss, STATUS_SUCCESS);
	return p;
}

static void pair_down(struct pair *p)
{
	session_down(&p->up);
	close(p->posix);
	close(p->sb);
}

/* Takes a callback of kind API from SB, and answers it. Its foreign session, 0 for none. */
static uint32_t called_back(int sb, uint32_t api, int32_t status)
{
	SBAPIMSG m;

	if (harness_receive(sb, &m, sizeof(m)) != sizeof(m))
		return 0;
	assert_int_equal(m.ApiNumber, api);
	assert_int_equal(m.ReturnedStatus, STATUS_PENDING);
	m.ReturnedStatus = status;
	harness_send(sb, &m.h, LPC_REPLY, sizeof(m), false);
	return m.u.CreateSession.SessionId;
}

static uint32_t foreign(struct pair *p, int32_t status)
{
	SMAPIMSG m = { .u.CreateForeignSession.SubsystemType = SUBSYSTEM_POSIX };
	uint32_t session;

	assert_int_equal(
	    harness_call(p->up.csrss, &m, SmCreateForeignSessionApi, true), STATUS_PENDING);
	session = called_back(p->sb, SbCreateSessionApi, status);
	assert_true(session > 0);
	assert_int_equal(harness_receive(p->up.csrss, &m, sizeof(m)), sizeof(m));
	assert_int_equal(m.ReturnedStatus, status);
	if (status == STATUS_SUCCESS)
		assert_int_equal(m.u.CreateForeignSession.SessionId, session);
	return session;
}

static int32_t about(int port, uint32_t number, uint32_t session)
{
	SMAPIMSG m = { .u.SessionComplete.SessionId = session };

	return harness_call(port, &m, number, false);
}

static void foreign_sessions(void **state)
{
	struct pair p = pair_up();
	uint32_t first = foreign(&p, STATUS_SUCCESS), second = foreign(&p, STATUS_SUCCESS);

	(void)state;
	assert_int_equal(second, first + 1);
	foreign(&p, STATUS_NO_MEMORY);
	/* who serves it may complete it, who had it made may end it, and nobody else */
	assert_int_equal(about(p.up.csrss, 1, first), STATUS_OBJECT_NAME_NOT_FOUND);
	assert_int_equal(about(p.posix, 2, first), STATUS_OBJECT_NAME_NOT_FOUND);
	assert_int_equal(about(p.posix, 1, first), STATUS_SUCCESS);
	assert_int_equal(called_back(p.up.sb, SbForeignSessionCompleteApi, STATUS_SUCCESS), first);
	assert_int_equal(about(p.posix, 1, first), STATUS_OBJECT_NAME_NOT_FOUND);
	assert_int_equal(about(p.up.csrss, 2, second), STATUS_PENDING);
	assert_int_equal(called_back(p.sb, SbTerminateSessionApi, STATUS_SUCCESS), second);
	expect_reply(p.up.csrss, STATUS_SUCCESS);
	assert_int_equal(about(p.up.csrss, 2, second), STATUS_OBJECT_NAME_NOT_FOUND);
	pair_down(&p);
}

static void who_serves_ends(void **state)
{
	struct pair p = pair_up();
	uint32_t session = foreign(&p, STATUS_SUCCESS);

	(void)state;
	assert_int_equal(about(p.up.csrss, 2, session), STATUS_PENDING);
	harness_reap(subsystem_by_type(p.up.session, SUBSYSTEM_POSIX)->pid, SIGKILL);
	expect_reply(p.up.csrss, STATUS_PORT_DISCONNECTED);
	assert_int_equal(
	    called_back(p.up.sb, SbForeignSessionCompleteApi, STATUS_SUCCESS), session);
	pair_down(&p);
}

static void callbacks_time_out(void **state)
{
	struct pair p = pair_up();
	SMAPIMSG m = { .u.CreateForeignSession.SubsystemType = SUBSYSTEM_POSIX };
	SBAPIMSG late;

	(void)state;
	harness.config.SubsystemTimeout = 1;
	assert_int_equal(
	    harness_call(p.up.csrss, &m, SmCreateForeignSessionApi, false), STATUS_PENDING);
	usleep(5000);
	harness_run();
	expect_reply(p.up.csrss, STATUS_IO_TIMEOUT);
	assert_int_equal(harness_receive(p.sb, &late, sizeof(late)), sizeof(late));
	late.ReturnedStatus = STATUS_SUCCESS;
	harness_send(p.sb, &late.h, LPC_REPLY, sizeof(late), false); /* changes nothing */
	assert_int_equal(harness_receive(p.up.csrss, &m, sizeof(m)), -1);
	pair_down(&p);
}

static void foreign_sessions_are_bounded(void **state)
{
	struct pair p = pair_up();
	SMAPIMSG m = { .u.CreateForeignSession.SubsystemType = SUBSYSTEM_POSIX };

	(void)state;
	for (int i = 0; i < 64; i++)
		foreign(&p, STATUS_SUCCESS);
	assert_int_equal(
	    harness_call(p.up.csrss, &m, SmCreateForeignSessionApi, false), STATUS_NO_MEMORY);
	pair_down(&p);
}

/* ---- CTL_EXEC ---- */

static int32_t exec(int port, uint32_t session, bool passed)
{
	struct msg_exec m = { .session = session };

	harness_send(port, &m.h, CTL_EXEC, sizeof(m), passed);
	return harness_receive(port, &m, sizeof(m)) == sizeof(m) ? m.status : STATUS_PENDING;
}

static void executes(void **state)
{
	struct up up = session_up();
	int port, sb, other = harness_client(CLIENT_ADMINISTRATOR, 2);
	struct msg_exec m;
	uint32_t session;

	(void)state;
	assert_int_equal(exec(admin, 7, true), STATUS_OBJECT_NAME_NOT_FOUND);
	assert_int_equal(exec(admin, 1, false), STATUS_INVALID_PARAMETER);
	assert_int_equal(exec(admin, 1, true), STATUS_PENDING);
	assert_int_equal(exec(other, 1, true), STATUS_PENDING);
	close(other); /* before psxss is there */
	harness_run();
	port = posix_up(&up, &sb);
	session = called_back(sb, SbCreateSessionApi, STATUS_SUCCESS);
	assert_true(session > 0);
	assert_int_equal(harness_receive(admin, &m, sizeof(m)), sizeof(m));
	assert_int_equal(m.status, STATUS_SUCCESS);
	assert_int_equal(about(port, 1, session), STATUS_SUCCESS);
	/* who asked leaves: before psxss answers, and after */
	other = harness_client(CLIENT_ADMINISTRATOR, 2);
	assert_int_equal(exec(other, 1, true), STATUS_PENDING);
	close(other);
	harness_run();
	session = called_back(sb, SbCreateSessionApi, STATUS_SUCCESS);
	assert_int_equal(called_back(sb, SbTerminateSessionApi, STATUS_SUCCESS), session);
	other = harness_client(CLIENT_ADMINISTRATOR, 2);
	assert_int_equal(exec(other, 1, true), STATUS_PENDING);
	session = called_back(sb, SbCreateSessionApi, STATUS_SUCCESS);
	close(other);
	harness_run();
	assert_int_equal(called_back(sb, SbTerminateSessionApi, STATUS_SUCCESS), session);
	assert_int_equal(exec(admin, 1, true), STATUS_PENDING);
	harness_down(up.session);
	assert_int_equal(harness_receive(admin, &m, sizeof(m)), sizeof(m));
	assert_int_equal(m.status, STATUS_PORT_DISCONNECTED);
	close(up.csrss);
	close(up.sb);
	close(port);
	close(sb);
}

/* ---- ExecPgm ---- */

static void adoptions(void **state)
{
	struct up up = session_up();
	SMAPIMSG m = { .u.ExecPgm = { 12, 1 } };

	(void)state;
	harness.pidfd_inner = 12;
	harness.pidfd_suspended = true;
	/* with the debug flag it stays suspended: nothing is sent to it */
	assert_int_equal(harness_call(up.csrss, &m, SmExecPgmApi, true), STATUS_PENDING);
	assert_int_equal(called_back(up.sb, SbCreateProcessApi, STATUS_SUCCESS), 12);
	expect_reply(up.csrss, STATUS_SUCCESS);
	m = (SMAPIMSG){ .u.ExecPgm = { 12, 0 } };
	assert_int_equal(harness_call(up.csrss, &m, SmExecPgmApi, true), STATUS_PENDING);
	assert_int_equal(called_back(up.sb, SbCreateProcessApi, STATUS_NO_MEMORY), 12);
	expect_reply(up.csrss, STATUS_NO_MEMORY);
	m = (SMAPIMSG){ .u.ExecPgm = { 13, 0 } };
	assert_int_equal(harness_call(up.csrss, &m, SmExecPgmApi, true), STATUS_INVALID_PARAMETER);
	m = (SMAPIMSG){ .u.ExecPgm = { 12, 0 } };
	assert_int_equal(harness_call(up.csrss, &m, SmExecPgmApi, false), STATUS_INVALID_PARAMETER);
	harness.pidfd_suspended = false;
	m = (SMAPIMSG){ .u.ExecPgm = { 12, 0 } };
	assert_int_equal(harness_call(up.csrss, &m, SmExecPgmApi, true), STATUS_INVALID_PARAMETER);
	harness.pidfd_gone = true; /* or of another session: it has no subsystem here */
	m = (SMAPIMSG){ .u.ExecPgm = { 12, 0 } };
	assert_int_equal(harness_call(up.csrss, &m, SmExecPgmApi, true), STATUS_UNSUCCESSFUL);
	session_down(&up);
}

int main(void)
{
	const struct CMUnitTest tests[] = { T(loads), T(loads_fail), T(calls_are_bounded),
		T(foreign_sessions), T(who_serves_ends), T(callbacks_time_out),
		T(foreign_sessions_are_bounded), T(executes), T(adoptions) };

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests_name("smss-subsystem", tests, NULL, NULL);
}
