/*
 * Subsystems on demand, foreign sessions, commands and adopted processes, and who of them
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

/* ---- who ends at which moment ---- */

/* A second optional subsystem, Extra. */
static void begin_with_extra(void)
{
	struct musess_config config = harness.config;

	snprintf(config.Optional, sizeof(config.Optional), "Posix Extra");
	snprintf(config.commands[2].name, sizeof(config.commands[2].name), "Extra");
	snprintf(config.commands[2].command, sizeof(config.commands[2].command), "extra");
	begin_again(&config);
}

enum { EXTRA_TYPE = 100 };

/* What was just created connects as a subsystem of TYPE. */
static int connects(pid_t pid, uint32_t type, int *sb)
{
	int32_t status;
	int port = harness_shake(pid, type, &status);

	assert_int_equal(status, STATUS_SUCCESS);
	*sb = harness.sb_port;
	harness.sb_port = -1;
	return port;
}

/* One that cannot be created takes nothing with it that is created by the same smss. */
static void one_fails_beside_another(void **state)
{
	struct up up;
	pid_t creator;
	int port, sb;

	(void)state;
	begin_with_extra();
	up = session_up();
	assert_int_equal(load(&up, "Posix"), STATUS_PENDING);
	assert_int_equal(load(&up, "Extra"), STATUS_PENDING);
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
	assert_int_equal(load(&up, "Posix"), STATUS_PENDING);
	pid = harness_unreported(up.session);
	harness_reap(up.session->creator, SIGKILL);
	assert_int_equal(harness_signal(pid), SIGKILL);
	assert_int_equal(load(&up, "Extra"), STATUS_PENDING);
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
	assert_int_equal(load(&up, "Posix"), STATUS_PENDING);
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
	assert_int_equal(load(&up, "Posix"), STATUS_PENDING);
	creator = up.session->creator;
	pid = harness_unreported(up.session);
	event_active(subsystem_by_name(up.session, "Posix", 5)->timeout, EV_TIMEOUT, 1);
	harness_run();
	expect_reply(up.csrss, STATUS_IO_TIMEOUT);
	assert_int_equal(harness_signal(creator), SIGKILL);
	assert_int_equal(load(&up, "Posix"), STATUS_PENDING);
	assert_int_equal(harness.order_count, 0);
	harness_reap(creator, SIGKILL);
	assert_int_equal(harness.order_count, 1);
	harness_reap(pid, SIGKILL);
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
		assert_int_equal(load(&up, "Posix"), STATUS_PENDING);
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
	assert_int_equal(load(&up, "Posix"), STATUS_PENDING);
	assert_int_equal(exec(admin, 1, true), STATUS_PENDING);
	session_stop(up.session, END_ADMIN_LOGOFF, STATUS_SUCCESS);
	assert_int_equal(exec(admin, 1, true), STATUS_PROCESS_IS_TERMINATING);
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
	assert_int_equal(load(&t.p.up, "Extra"), STATUS_PENDING);
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
	assert_int_equal(about(t.extra, 1, session), STATUS_OBJECT_NAME_NOT_FOUND);
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
	assert_int_equal(about(t.p.posix, 2, m.u.CreateSession.SessionId),
	    STATUS_OBJECT_NAME_NOT_FOUND); /* not made yet */
	assert_int_equal(about(t.extra, 1, m.u.CreateSession.SessionId), STATUS_SUCCESS);
	m.ReturnedStatus = STATUS_SUCCESS;
	harness_send(t.sb, &m.h, LPC_REPLY, sizeof(m), false);
	expect_reply(t.p.posix, STATUS_DELETE_PENDING);
	ask(&t);
	session = called_back(t.sb, SbCreateSessionApi, STATUS_SUCCESS);
	expect_reply(t.p.posix, STATUS_SUCCESS);
	assert_int_equal(about(t.p.posix, 2, session), STATUS_PENDING);
	called_back(t.sb, SbTerminateSessionApi, STATUS_ACCESS_DENIED);
	expect_reply(t.p.posix, STATUS_ACCESS_DENIED);
	assert_int_equal(about(t.p.posix, 2, session), STATUS_PENDING);
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
		assert_int_equal(load(&up, "Extra"), STATUS_PENDING);
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

/* What csrss alone may send. */
static void psxss_is_not_csrss(void **state)
{
	static const uint16_t of_csrss[] = { CSR_SHELL, CSR_DISCONNECTED };

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

/* ---- real processes ---- */

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
	harness.config.SubsystemTimeout = 1;
	pid = adopt(&up);
	usleep(5000);
	harness_run();
	expect_reply(up.csrss, STATUS_IO_TIMEOUT);
	expect_end(pid, false);
	harness.config.SubsystemTimeout = 60000;
	pid = adopt(&up);
	harness_down(up.session);
	expect_end(pid, false);
	close(up.csrss);
	close(up.sb);
}

int main(void)
{
	const struct CMUnitTest tests[] = { T(loads), T(loads_fail), T(calls_are_bounded),
		T(foreign_sessions), T(who_serves_ends), T(callbacks_time_out),
		T(foreign_sessions_are_bounded), T(executes), T(adoptions),
		T(one_fails_beside_another), T(unreported), T(created_too_late), T(images),
		T(session_ends_meanwhile), T(creator_ends_before), T(creator_ends_after),
		T(server_ends_before), T(early_and_late), T(wrong_answers), T(types),
		T(psxss_is_not_csrss), T(releases_or_kills) };

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests_name("smss-subsystem", tests, NULL, NULL);
}
