/*
 * Callbacks: foreign sessions, commands and adopted processes, and who of those that take part
 * leaves at which moment, on tests/smss-harness.c.
 */
#include "smss-play.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- foreign sessions ---- */

/* A session with psxss. */
struct pair {
	struct up up;
	int posix, sb;
};

static struct pair pair_up(void)
{
	struct pair p = { .up = session_up() };

	assert_int_equal(call_load(&p.up, "Posix"), STATUS_PENDING);
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

static int32_t call_about(int port, uint32_t number, uint32_t session)
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
	assert_int_equal(call_about(p.up.csrss, 1, first), STATUS_OBJECT_NAME_NOT_FOUND);
	assert_int_equal(call_about(p.posix, 2, first), STATUS_OBJECT_NAME_NOT_FOUND);
	assert_int_equal(call_about(p.posix, 1, first), STATUS_SUCCESS);
	assert_int_equal(called_back(p.up.sb, SbForeignSessionCompleteApi, STATUS_SUCCESS), first);
	assert_int_equal(call_about(p.posix, 1, first), STATUS_OBJECT_NAME_NOT_FOUND);
	assert_int_equal(call_about(p.up.csrss, 2, second), STATUS_PENDING);
	assert_int_equal(called_back(p.sb, SbTerminateSessionApi, STATUS_SUCCESS), second);
	expect_reply(p.up.csrss, STATUS_SUCCESS);
	assert_int_equal(call_about(p.up.csrss, 2, second), STATUS_OBJECT_NAME_NOT_FOUND);
	pair_down(&p);
}

static void who_serves_ends(void **state)
{
	struct pair p = pair_up();
	uint32_t session = foreign(&p, STATUS_SUCCESS);

	(void)state;
	assert_int_equal(call_about(p.up.csrss, 2, session), STATUS_PENDING);
	harness_reap(subsystem_by_type(p.up.session, SUBSYSTEM_POSIX)->pid, SIGKILL);
	expect_reply(p.up.csrss, STATUS_PORT_DISCONNECTED);
	assert_int_equal(
	    called_back(p.up.sb, SbForeignSessionCompleteApi, STATUS_SUCCESS), session);
	pair_down(&p);
}

static void callbacks_time_out(void **state)
{
	struct pair p = pair_up();
	static const int32_t answers[] = { STATUS_UNSUCCESSFUL, STATUS_SUCCESS };
	SMAPIMSG m = { .u.CreateForeignSession.SubsystemType = SUBSYSTEM_POSIX };
	SBAPIMSG late, end;

	(void)state;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(
		    harness_call(p.up.csrss, &m, SmCreateForeignSessionApi, false), STATUS_PENDING);
		harness_pass(harness.config.SubsystemTimeout);
		expect_reply(p.up.csrss, STATUS_IO_TIMEOUT);
		assert_int_equal(harness_receive(p.sb, &late, sizeof(late)), sizeof(late));
		late.ReturnedStatus = answers[i];
		harness_send(p.sb, &late.h, LPC_REPLY, sizeof(late), false);
		assert_int_equal(harness_receive(p.up.csrss, &m, sizeof(m)), -1);
		m = (SMAPIMSG){ .u.CreateForeignSession.SubsystemType = SUBSYSTEM_POSIX };
		if (i == 0)
			assert_int_equal(harness_receive(p.sb, &end, sizeof(end)), -1);
	}
	/* one that was made after all is nobody's, and ended */
	assert_int_equal(called_back(p.sb, SbTerminateSessionApi, STATUS_SUCCESS),
	    late.u.CreateSession.SessionId);
	assert_int_equal(
	    call_about(p.posix, 1, late.u.CreateSession.SessionId), STATUS_OBJECT_NAME_NOT_FOUND);
	/* who makes it ends, and never says */
	assert_int_equal(
	    harness_call(p.up.csrss, &m, SmCreateForeignSessionApi, false), STATUS_PENDING);
	harness_pass(harness.config.SubsystemTimeout);
	expect_reply(p.up.csrss, STATUS_IO_TIMEOUT);
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

static void executes(void **state)
{
	struct up up = session_up();
	int port, sb, other = harness_client(CLIENT_ADMINISTRATOR, 2);
	struct msg_exec m;
	uint32_t session;

	(void)state;
	assert_int_equal(call_exec(admin, 7, true), STATUS_OBJECT_NAME_NOT_FOUND);
	assert_int_equal(call_exec(admin, 1, false), STATUS_INVALID_PARAMETER);
	assert_int_equal(call_exec(admin, 1, true), STATUS_PENDING);
	assert_int_equal(call_exec(other, 1, true), STATUS_PENDING);
	close(other); /* before psxss is there */
	harness_run();
	port = posix_up(&up, &sb);
	session = called_back(sb, SbCreateSessionApi, STATUS_SUCCESS);
	assert_true(session > 0);
	assert_int_equal(harness_receive(admin, &m, sizeof(m)), sizeof(m));
	assert_int_equal(m.status, STATUS_SUCCESS);
	assert_int_equal(call_about(port, 1, session), STATUS_SUCCESS);
	/* who asked leaves: before psxss answers, and after */
	other = harness_client(CLIENT_ADMINISTRATOR, 2);
	assert_int_equal(call_exec(other, 1, true), STATUS_PENDING);
	close(other);
	harness_run();
	session = called_back(sb, SbCreateSessionApi, STATUS_SUCCESS);
	assert_int_equal(called_back(sb, SbTerminateSessionApi, STATUS_SUCCESS), session);
	other = harness_client(CLIENT_ADMINISTRATOR, 2);
	assert_int_equal(call_exec(other, 1, true), STATUS_PENDING);
	session = called_back(sb, SbCreateSessionApi, STATUS_SUCCESS);
	close(other);
	harness_run();
	assert_int_equal(called_back(sb, SbTerminateSessionApi, STATUS_SUCCESS), session);
	assert_int_equal(call_exec(admin, 1, true), STATUS_PENDING);
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

enum { STARTED = 7 }; /* exit status of one that was let run */

/* A stopped child, and its pidfd. */
static pid_t stopped(int *pidfd)
{
	pid_t pid = fork();
	siginfo_t how;

	if (pid == 0) {
		raise(SIGSTOP);
		_exit(STARTED);
	}
	assert_true(pid > 0);
	assert_int_equal(waitid(P_PID, (id_t)pid, &how, WSTOPPED), 0);
	*pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	assert_true(*pidfd >= 0);
	return pid;
}

/* It is to be adopted by csrss. */
static pid_t adopt(const struct up *up)
{
	SMAPIMSG m = { .ApiNumber = SmExecPgmApi, .u.ExecPgm = { 12, 0 } };
	int pidfd;
	pid_t pid = stopped(&pidfd);

	harness.pidfd_inner = 12;
	harness.pidfd_suspended = true;
	port_header(&m.h, LPC_REQUEST, sizeof(m), 5);
	assert_int_equal(port_send(up->csrss, &m.h, pidfd), 0);
	close(pidfd);
	harness_run();
	return pid;
}

/* PID was let run, or killed. */
static void expect_end(pid_t pid, bool ran)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (ran)
		assert_true(WIFEXITED(status) && WEXITSTATUS(status) == STARTED);
	else
		assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void releases_or_kills(void **state)
{
	struct up up = session_up();
	SMAPIMSG m = { .u.ExecPgm = { 1, 0 } };
	pid_t pid;

	(void)state;
	pid = adopt(&up);
	assert_int_equal(called_back(up.sb, SbCreateProcessApi, STATUS_SUCCESS), 12);
	expect_reply(up.csrss, STATUS_SUCCESS);
	expect_end(pid, true);
	pid = adopt(&up);
	assert_int_equal(called_back(up.sb, SbCreateProcessApi, STATUS_UNSUCCESSFUL), 12);
	expect_reply(up.csrss, STATUS_UNSUCCESSFUL);
	expect_end(pid, false);
	/* it was killed before it was adopted */
	pid = adopt(&up);
	kill(pid, SIGKILL);
	expect_end(pid, false);
	assert_int_equal(called_back(up.sb, SbCreateProcessApi, STATUS_SUCCESS), 12);
	expect_reply(up.csrss, STATUS_UNSUCCESSFUL);
	harness.pidfd_inner = 1; /* process 1 of the session is nobody's to adopt */
	assert_int_equal(harness_call(up.csrss, &m, SmExecPgmApi, true), STATUS_INVALID_PARAMETER);
	/* no answer: it does not stay suspended for ever */
	pid = adopt(&up);
	harness_pass(harness.config.SubsystemTimeout);
	expect_reply(up.csrss, STATUS_IO_TIMEOUT);
	expect_end(pid, false);
	pid = adopt(&up);
	harness_down(up.session);
	expect_end(pid, false);
	close(up.csrss);
	close(up.sb);
}

/* ---- more subsystems than one ---- */

/* A session with psxss and Extra. */
struct three {
	struct pair p;
	int extra, sb;
};

static struct three three_up(void)
{
	struct three t;

	begin_with_extra();
	t.p = pair_up();
	assert_int_equal(call_load(&t.p.up, "Extra"), STATUS_PENDING);
	t.extra = connects(harness_done(t.p.up.session, 0), EXTRA_TYPE, &t.sb);
	expect_reply(t.p.up.csrss, STATUS_SUCCESS);
	return t;
}

static void three_down(struct three *t)
{
	pair_down(&t->p);
	close(t->extra);
	close(t->sb);
}

/* psxss has Extra make a session; Extra's end of that. */
static void ask(const struct three *t)
{
	SMAPIMSG m = { .u.CreateForeignSession.SubsystemType = EXTRA_TYPE };

	assert_int_equal(
	    harness_call(t->p.posix, &m, SmCreateForeignSessionApi, false), STATUS_PENDING);
}

static void lose_posix(struct three *t)
{
	harness_reap(subsystem_by_type(t->p.up.session, SUBSYSTEM_POSIX)->pid, SIGKILL);
}

static void creator_ends_before(void **state)
{
	struct three t = three_up();
	uint32_t session;

	(void)state;
	ask(&t);
	lose_posix(&t);
	session = called_back(t.sb, SbCreateSessionApi, STATUS_SUCCESS);
	assert_true(session > 0);
	assert_int_equal(called_back(t.sb, SbTerminateSessionApi, STATUS_SUCCESS), session);
	assert_int_equal(call_about(t.extra, 1, session), STATUS_OBJECT_NAME_NOT_FOUND);
	three_down(&t);
}

static void creator_ends_after(void **state)
{
	struct three t = three_up();
	uint32_t session;

	(void)state;
	ask(&t);
	session = called_back(t.sb, SbCreateSessionApi, STATUS_SUCCESS);
	lose_posix(&t);
	assert_int_equal(called_back(t.sb, SbTerminateSessionApi, STATUS_SUCCESS), session);
	three_down(&t);
}

/* Who makes it ends before it has said so. */
static void server_ends_before(void **state)
{
	struct three t = three_up();
	SBAPIMSG m;

	(void)state;
	ask(&t);
	harness_reap(subsystem_by_type(t.p.up.session, EXTRA_TYPE)->pid, SIGKILL);
	expect_reply(t.p.posix, STATUS_PORT_DISCONNECTED);
	assert_int_equal(harness_receive(t.p.sb, &m, sizeof(m)), -1); /* no second word of it */
	three_down(&t);
}

/* It completes before it was said to be made; it refuses to end. */
static void early_and_late(void **state)
{
	struct three t = three_up();
	uint32_t session;
	SBAPIMSG m;

	(void)state;
	ask(&t);
	assert_int_equal(harness_receive(t.sb, &m, sizeof(m)), sizeof(m));
	assert_int_equal(call_about(t.p.posix, 2, m.u.CreateSession.SessionId),
	    STATUS_OBJECT_NAME_NOT_FOUND); /* not made yet */
	assert_int_equal(call_about(t.extra, 1, m.u.CreateSession.SessionId), STATUS_SUCCESS);
	m.ReturnedStatus = STATUS_SUCCESS;
	harness_send(t.sb, &m.h, LPC_REPLY, sizeof(m), false);
	expect_reply(t.p.posix, STATUS_DELETE_PENDING);
	ask(&t);
	session = called_back(t.sb, SbCreateSessionApi, STATUS_SUCCESS);
	expect_reply(t.p.posix, STATUS_SUCCESS);
	assert_int_equal(call_about(t.p.posix, 2, session), STATUS_PENDING);
	called_back(t.sb, SbTerminateSessionApi, STATUS_ACCESS_DENIED);
	expect_reply(t.p.posix, STATUS_ACCESS_DENIED);
	assert_int_equal(call_about(t.p.posix, 2, session), STATUS_PENDING);
	called_back(t.sb, SbTerminateSessionApi, STATUS_SUCCESS);
	expect_reply(t.p.posix, STATUS_SUCCESS);
	three_down(&t);
}

/* An answer to what was not asked is nothing; one of another kind than was asked breaks off. */
static void wrong_answers(void **state)
{
	struct three t = three_up();
	SBAPIMSG m;

	(void)state;
	ask(&t);
	assert_int_equal(harness_receive(t.sb, &m, sizeof(m)), sizeof(m));
	m.ReturnedStatus = STATUS_SUCCESS;
	harness_send(t.p.up.sb, &m.h, LPC_REPLY, sizeof(m), false); /* by csrss */
	m.h.message_id += 1000;
	harness_send(t.sb, &m.h, LPC_REPLY, sizeof(m), false);
	m.h.message_id -= 1000;
	m.ReturnedStatus = STATUS_PENDING; /* no result */
	harness_send(t.sb, &m.h, LPC_REPLY, sizeof(m), false);
	expect_reply(t.p.posix, STATUS_UNSUCCESSFUL);
	ask(&t);
	assert_int_equal(harness_receive(t.sb, &m, sizeof(m)), sizeof(m));
	m.ApiNumber = SbCreateProcessApi;
	harness_send(t.sb, &m.h, LPC_REPLY, sizeof(m), false);
	expect_reply(t.p.posix, STATUS_PORT_DISCONNECTED);
	assert_true(closed(t.extra));
	assert_int_equal(t.p.up.session->step, SESSION_RUNNING);
	three_down(&t);
}

/* What csrss alone may send. */
static void psxss_is_not_csrss(void **state)
{
	static const uint16_t of_csrss[] = { CSR_SHELL, CSR_INPUT };

	(void)state;
	for (size_t i = 0; i < sizeof(of_csrss) / sizeof(*of_csrss); i++) {
		struct pair p = pair_up();
		struct msg_plain m = { 0 };
		harness_send(p.posix, &m.h, of_csrss[i], sizeof(m), false);
		assert_true(closed(p.posix));
		assert_int_equal(p.up.session->step, SESSION_RUNNING);
		pair_down(&p);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { T(foreign_sessions), T(who_serves_ends),
		T(callbacks_time_out), T(foreign_sessions_are_bounded), T(executes), T(adoptions),
		T(releases_or_kills), T(creator_ends_before), T(creator_ends_after),
		T(server_ends_before), T(early_and_late), T(wrong_answers), T(psxss_is_not_csrss) };

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests_name("smss-callback", tests, NULL, NULL);
}
