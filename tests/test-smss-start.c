/*
 * The creation and the end of sessions, by StartCsr and StopCsr: ids, turns and the queue, who
 * fails on the way, and termsrv, on tests/smss-harness.c.
 */
#include "smss-play.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

/* ---- StartCsr, StopCsr ---- */

static void creation_fails(void **state)
{
	static const struct {
		int error;
		int32_t status;
	} cases[] = { { ENOMEM, STATUS_NO_MEMORY }, { EAGAIN, STATUS_NO_MEMORY },
		{ EMFILE, STATUS_NO_MEMORY }, { ENOSPC, STATUS_NO_MEMORY },
		{ EPERM, STATUS_ACCESS_DENIED }, { ENOENT, STATUS_OBJECT_NAME_NOT_FOUND },
		{ ENOEXEC, STATUS_INVALID_IMAGE_FORMAT }, { EIO, STATUS_UNSUCCESSFUL } };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct session *session = begun(admin);
		session->space->starts[0].executing = true;
		harness_done(session, cases[i].error);
		harness_down(session);
		expect_reply(admin, cases[i].status);
		/* the program of csrss itself could not be executed */
		session = begun(admin);
		pid_t pid = harness_done(session, 0);
		session->space->starts[0].executing = true;
		session->space->starts[0].error = cases[i].error;
		session->space->starts[0].what[0] = 'x';
		harness_reap(pid, 1 << 8);
		harness_down(session);
		expect_reply(admin, cases[i].status);
	}
	harness.fail_create = ENOMEM;
	SMAPIMSG m = { .u.StartCsr.MuSessionId = SM_NO_MUSESSION };
	assert_int_equal(harness_call(admin, &m, SmStartCsrApi, false), STATUS_NO_MEMORY);
	harness_run();
	assert_int_equal(harness.smss.session_count, 1);
	assert_int_equal(harness.smss.in_flight, 0);
}

static void stops(void **state)
{
	struct up up = session_up();
	int other = harness_client(CLIENT_ADMINISTRATOR, 2);

	(void)state;
	assert_int_equal(call_stop(admin, 9, 0), STATUS_OBJECT_NAME_NOT_FOUND);
	assert_int_equal(call_stop(admin, 0, 0), STATUS_ACCESS_DENIED);
	assert_int_equal(
	    call_stop(admin, 1, up.session->generation + 1), STATUS_OBJECT_NAME_NOT_FOUND);
	assert_int_equal(call_stop(admin, 1, up.session->generation), STATUS_PENDING);
	assert_int_equal(call_stop(other, 1, 0), STATUS_DELETE_PENDING);
	session_down(&up);
	expect_reply(admin, STATUS_SUCCESS);
	close(other);
}

/* The id is free when the last process has been reaped, not before. */
static void ids(void **state)
{
	struct up first = session_up(), second = session_up(), third;
	struct session *session = first.session;
	pid_t csrss = session->windows->pid, winlogon = session->winlogon;

	(void)state;
	assert_int_equal(first.session->id, 1);
	assert_int_equal(second.session->id, 2);
	session_stop(session, END_ADMIN_LOGOFF, STATUS_SUCCESS);
	harness_reap(csrss, SIGKILL);
	assert_ptr_equal(session_find(&harness.smss, 1), session);
	third = session_up();
	assert_int_equal(third.session->id, 3);
	session_down(&third);
	harness_reap(winlogon, SIGKILL);
	assert_null(session_find(&harness.smss, 1));
	third = session_up();
	assert_int_equal(third.session->id, 1);
	close(first.csrss);
	close(first.sb);
	session_down(&second);
	session_down(&third);
}

static void increasing_ids(void **state)
{
	struct musess_config config = harness.config;
	struct up up;

	(void)state;
	config.SessionIdPolicy = SESSION_ID_INCREASING;
	begin_again(&config);
	for (uint32_t id = 1; id < 4; id++) {
		up = session_up();
		assert_int_equal(up.session->id, id);
		session_down(&up);
	}
	harness.smss.last_id = LISTENER_ID - 2;
	up = session_up();
	assert_int_equal(up.session->id, LISTENER_ID - 1);
	session_down(&up);
	up = session_up(); /* below the listener's */
	assert_int_equal(up.session->id, 1);
	session_down(&up);
}

/* A message for a session that had this id before reaches nobody. */
static void generations(void **state)
{
	int termsrv = harness_client(CLIENT_TERMSRV, 3), csrss, sb;
	struct session *session = begun(termsrv);
	struct msg_client m = { .session = 1, .width = 800, .height = 600 };
	SMAPIMSG reply;

	(void)state;
	harness_up(session, &csrss, &sb);
	assert_int_equal(harness_receive(termsrv, &reply, sizeof(reply)), sizeof(reply));
	assert_int_equal(reply.h.client_view_size, session->generation);
	m.generation = session->generation - 1;
	harness_send(termsrv, &m.h, WS_CONNECT, sizeof(m), true);
	assert_true(session->awaits_client);
	m.generation = session->generation;
	harness_send(termsrv, &m.h, WS_CONNECT, sizeof(m), true);
	assert_false(session->awaits_client);
	harness_down(session);
	close(csrss);
	close(sb);
	close(termsrv);
}

/* ---- turns ---- */

static void turns(enum session_creation creation, unsigned most)
{
	struct musess_config config = harness.config;
	struct session *sessions[64];
	int csrss, sb;

	config.SessionCreation = creation;
	begin_again(&config);
	assert_int_equal(harness.smss.in_flight_max, most);
	for (unsigned i = 0; i < most; i++)
		assert_non_null(sessions[i] = begun(admin));
	assert_null(begun(admin)); /* in the queue */
	assert_null(begun(admin));
	assert_int_equal(harness.smss.queued_starts, 2);
	harness_up(sessions[0], &csrss, &sb);
	expect_reply(admin, STATUS_SUCCESS);
	assert_int_equal(harness.smss.queued_starts, 1);
	assert_int_equal(harness.smss.in_flight, most);
	close(csrss);
	close(sb);
	/* a failure makes room as well */
	if (most > 1) {
		harness_down(sessions[1]);
		harness_run();
		assert_int_equal(harness.smss.queued_starts, 0);
	}
}

static void serial(void **state)
{
	(void)state;
	turns(SESSION_CREATION_SERIAL, 1);
}

static void parallel(void **state)
{
	long processors = sysconf(_SC_NPROCESSORS_ONLN);

	(void)state;
	turns(SESSION_CREATION_PARALLEL, processors > 4 ? (unsigned)processors : 4);
}

/* What an administrator asked for is begun, though he has left; what termsrv asked for is not. */
static void queue_without_clients(void **state)
{
	struct musess_config config = harness.config;
	int other, termsrv;
	struct session *session;

	(void)state;
	config.SessionCreation = SESSION_CREATION_SERIAL;
	begin_again(&config);
	session = begun(admin);
	other = harness_client(CLIENT_ADMINISTRATOR, 2);
	termsrv = harness_client(CLIENT_TERMSRV, 3);
	assert_null(begun(termsrv));
	assert_null(begun(other));
	close(other);
	close(termsrv);
	harness_run();
	assert_int_equal(harness.smss.queued_starts, 1);
	harness_down(session);
	harness_run();
	assert_int_equal(harness.smss.queued_starts, 0);
	assert_non_null(session_find(&harness.smss, 1));
}

static void too_many(void **state)
{
	struct musess_config config = harness.config;
	SMAPIMSG m = { .u.StartCsr.MuSessionId = SM_NO_MUSESSION };

	(void)state;
	config.MaxInstanceCount = 3;
	config.SessionCreation = SESSION_CREATION_SERIAL;
	begin_again(&config);
	begun(admin);
	begun(admin);
	begun(admin);
	assert_int_equal(harness_call(admin, &m, SmStartCsrApi, false), STATUS_NO_MEMORY);
	m = (SMAPIMSG){ .u.StartCsr.MuSessionId = 1 };
	assert_int_equal(harness_call(admin, &m, SmStartCsrApi, false), STATUS_ALREADY_COMMITTED);
}

/* ---- the console, and the end ---- */

static void the_console(void **state)
{
	const struct session *console = session_find(&harness.smss, 0);
	SMAPIMSG m = { 0 };

	(void)state;
	assert_int_equal(harness_call(admin, &m, SmStartCsrApi, false), STATUS_SUCCESS);
	assert_int_equal(m.u.StartCsr.WindowsSubSysProcessId, console->windows->pid);
	assert_int_equal(m.u.StartCsr.InitialCommandProcessId, console->winlogon);
	play_end(NULL);
	harness_begin(NULL); /* it is not loaded yet */
	admin = harness_client(CLIENT_ADMINISTRATOR, 1);
	m = (SMAPIMSG){ 0 };
	assert_int_equal(harness_call(admin, &m, SmStartCsrApi, false), STATUS_UNSUCCESSFUL);
}

/* The service ends: nobody gets a session, and who waits is told. */
static void stopping(void **state)
{
	struct musess_config config = harness.config;
	SMAPIMSG m;

	(void)state;
	config.SessionCreation = SESSION_CREATION_SERIAL;
	begin_again(&config);
	assert_non_null(begun(admin));
	assert_null(begun(admin));
	harness.smss.stopping = true;
	assert_int_equal(call_start("", &m), STATUS_DELETE_PENDING);
	harness_down(session_find(&harness.smss, 1));
	expect_reply(admin, STATUS_DELETE_PENDING);
	expect_reply(admin, STATUS_DELETE_PENDING);
}

/* ---- what fails on the way ---- */

static void time_is_up(struct event *timer)
{
	assert_true(event_pending(timer, EV_TIMEOUT, NULL));
	event_active(timer, EV_TIMEOUT, 1);
	harness_run();
}

static void too_slow(void **state)
{
	struct session *session = begun(admin);
	int32_t status;
	int port;
	pid_t pid;

	(void)state;
	pid = harness_done(session, 0); /* csrss does not connect */
	time_is_up(session->windows->timeout);
	assert_int_equal(harness_signal(pid), SIGKILL);
	harness_down(session);
	expect_reply(admin, STATUS_IO_TIMEOUT);
	/* winlogon is not created; csrss does not leave */
	session = begun(admin);
	pid = harness_done(session, 0);
	port = harness_shake(pid, SUBSYSTEM_WINDOWS, &status);
	assert_int_equal(session->step, SESSION_STARTING);
	time_is_up(session->timeout);
	assert_int_equal(session->step, SESSION_ENDING);
	assert_int_equal(harness_signal(pid), 0); /* it was told to */
	time_is_up(session->timeout);
	assert_int_equal(harness_signal(pid), SIGKILL);
	harness_down(session);
	expect_reply(admin, STATUS_IO_TIMEOUT);
	close(port);
}

/* What the console is made of has all the time that it wants. */
static void console_is_awaited(void **state)
{
	UNICODE_STRING command = { .Buffer = "" };
	uint32_t id = 0, process = 0;
	struct session *session;
	pid_t pid;

	(void)state;
	play_end(NULL);
	harness_begin(NULL);
	admin = harness_client(CLIENT_ADMINISTRATOR, 1);
	assert_int_equal(SmpLoadSubSystemsForMuSession(&id, &process, &command), STATUS_PENDING);
	session = session_find(&harness.smss, 0);
	assert_int_equal(event_pending(session->windows->timeout, EV_TIMEOUT, NULL), 0);
	harness_pass(100 * harness.config.SubsystemTimeout);
	assert_int_equal(session->step, SESSION_LOADING);
	harness_up(session, &harness.console[0], &harness.console[1]);
	assert_int_equal(session->step, SESSION_RUNNING);
	/* of another session's csrss it is not so */
	harness.smss.was_ready = true;
	session = begun(admin);
	assert_int_not_equal(event_pending(session->windows->timeout, EV_TIMEOUT, NULL), 0);
	pid = harness_done(session, 0);
	harness_pass(harness.config.SubsystemTimeout);
	assert_int_equal(harness_signal(pid), SIGKILL);
	harness_down(session);
	expect_reply(admin, STATUS_IO_TIMEOUT);
}

/* Who creates ends at each step; what it did not report is ended, and awaited. */
static void creator_is_lost(void **state)
{
	struct session *session = begun(admin);
	pid_t pid, creator = session->creator;
	int32_t status;
	int port;

	(void)state;
	harness_reap(creator, SIGKILL);
	expect_reply(admin, STATUS_UNSUCCESSFUL);
	session = begun(admin);
	pid = harness_unreported(session);
	harness_reap(session->creator, SIGKILL);
	assert_int_equal(harness_signal(pid), SIGKILL);
	assert_ptr_equal(session_find(&harness.smss, 1), session);
	harness_reap(pid, SIGKILL);
	assert_null(session_find(&harness.smss, 1));
	expect_reply(admin, STATUS_UNSUCCESSFUL);
	session = begun(admin);
	port = harness_shake(harness_done(session, 0), SUBSYSTEM_WINDOWS, &status);
	pid = harness_unreported(session); /* winlogon */
	harness_reap(session->creator, SIGKILL);
	assert_int_equal(harness_signal(pid), SIGKILL);
	assert_int_equal(session->winlogon, pid);
	harness_down(session);
	expect_reply(admin, STATUS_UNSUCCESSFUL);
	close(port);
}

/* Whom the kernel tells of first is chance: here of csrss, then of who created it, and what that one
   said of it is still to be read. */
static void report_is_unread(void **state)
{
	struct session *session = begun(admin);
	pid_t pid = harness_unread(session), creator = session->creator;

	(void)state;
	session_stop(session, END_CSRSS_CRASH, STATUS_UNSUCCESSFUL);
	harness_reap(pid, SIGKILL);
	assert_ptr_equal(session_find(&harness.smss, 1), session);
	harness_reap(creator, 0);
	assert_null(session_find(&harness.smss, 1));
	expect_reply(admin, STATUS_UNSUCCESSFUL);
	session = begun(admin);
	pid = harness_unread(session);
	creator = session->creator;
	session_stop(session, END_CSRSS_CRASH, STATUS_UNSUCCESSFUL);
	harness_reap(creator, 0);
	harness_reap(pid, SIGKILL);
	assert_null(session_find(&harness.smss, 1));
	expect_reply(admin, STATUS_UNSUCCESSFUL);
}

/* A command that ends at once: winlogon is reaped before the end of who created it is read. That
   it began is told first, and a session that began did not fail. */
static void command_ends_at_once(void **state)
{
	static const int ends[] = { 0, 1 << 8, SIGSEGV };

	(void)state;
	for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++) {
		struct session *session = begun(admin);
		int32_t status;
		int port = harness_shake(harness_done(session, 0), SUBSYSTEM_WINDOWS, &status);
		pid_t winlogon = harness_unread(session), creator = session->creator;

		harness_reap(winlogon, ends[i]);
		expect_reply(admin, STATUS_SUCCESS);
		harness_reap(creator, 0);
		harness_down(session);
		close(port);
		assert_int_equal(harness.smss.stats.created, i + 2); /* and the console */
		assert_int_equal(harness.smss.stats.ended, i + 1);
		assert_int_equal(harness.smss.stats.failed, i);
	}
}

/* But where csrss has ended, which takes winlogon with it, nothing ever ran. */
static void csrss_ends_at_once(void **state)
{
	struct session *session = begun(admin);
	int32_t status;
	int port = harness_shake(harness_done(session, 0), SUBSYSTEM_WINDOWS, &status);
	pid_t winlogon = harness_unread(session);

	(void)state;
	close(port);
	session_hear_of(&harness.smss, winlogon);
	harness_reap(winlogon, SIGKILL);
	harness_down(session);
	expect_reply(admin, STATUS_UNSUCCESSFUL);
	assert_int_equal(harness.smss.stats.failed, 1);
}

/* Every Required subsystem is loaded, one after another, before the initial command. */
static void required(void **state)
{
	struct musess_config config = harness.config;
	struct session *session;
	int csrss, sb, extra;
	int32_t status;
	pid_t pid;

	(void)state;
	snprintf(config.Required, sizeof(config.Required), "Debug Windows Extra None");
	snprintf(config.commands[2].name, sizeof(config.commands[2].name), "Extra");
	snprintf(config.commands[2].command, sizeof(config.commands[2].command), "extra");
	play_end(NULL);
	harness_begin(&config);
	admin = harness_client(CLIENT_ADMINISTRATOR, 1);
	assert_int_equal(harness.smss.required_count, 2);
	session = begun(admin);
	csrss = harness_shake(harness_done(session, 0), SUBSYSTEM_WINDOWS, &status);
	sb = harness.sb_port;
	harness.sb_port = -1;
	assert_int_equal(session->step, SESSION_LOADING);
	pid = harness_done(session, 0);
	extra = harness_shake(pid, 100, &status);
	assert_int_equal(status, STATUS_SUCCESS);
	assert_int_equal(session->step, SESSION_STARTING);
	harness_done(session, 0);
	assert_int_equal(session->step, SESSION_STARTING);
	harness_reap(session->creator, 0); /* only now */
	assert_int_equal(session->step, SESSION_RUNNING);
	expect_reply(admin, STATUS_SUCCESS);
	harness_reap(pid, SIGKILL);
	assert_int_equal(session->step, SESSION_ENDING);
	close(csrss);
	close(sb);
	close(extra);
}

/* Ids, and places, run out. */
static void exhausted(void **state)
{
	SMAPIMSG m;

	(void)state;
	harness.smss.capacity = 1; /* the console's */
	assert_int_equal(call_start("", &m), STATUS_NO_MEMORY);
	assert_int_equal(harness.smss.session_count, 1);
}

/* ---- termsrv ---- */

/* What termsrv alone knew of ends with it, what has a client does not. */
static void termsrv_ends(void **state)
{
	int termsrv = harness_client(CLIENT_TERMSRV, 3);
	struct session *first = begun(termsrv), *second = begun(termsrv), *third;
	struct up a = { .session = first }, b = { .session = second };
	struct msg_client m = { .session = first->id, .width = 800, .height = 600 };
	struct msg_ws_session told;

	(void)state;
	m.generation = first->generation;
	harness_up(first, &a.csrss, &a.sb);
	harness_up(second, &b.csrss, &b.sb);
	expect_reply(termsrv, STATUS_SUCCESS);
	expect_reply(termsrv, STATUS_SUCCESS);
	harness_send(termsrv, &m.h, WS_CONNECT, sizeof(m), true);
	assert_int_equal(harness_receive(termsrv, &told, sizeof(told)), sizeof(told));
	third = begun(termsrv);
	close(termsrv);
	harness_run();
	assert_int_equal(first->step, SESSION_RUNNING);
	assert_int_equal(second->step, SESSION_ENDING);
	assert_int_equal(third->step, SESSION_ENDING);
	session_down(&a);
	session_down(&b);
}

/* The client comes, logs on, has its picture; a message out of turn is nothing. */
static void client_comes(void **state)
{
	int termsrv = harness_client(CLIENT_TERMSRV, 3);
	struct up up = { .session = begun(termsrv) };
	struct msg_client m = { .session = 1, .width = 800, .height = 600 };
	struct msg_user user = { .session = 1, .user = "lab" };
	struct msg_painted painted = { .session = 1, .active = 5, .painted = 6 };

	(void)state;
	m.generation = user.generation = painted.generation = up.session->generation;
	harness_send(termsrv, &m.h, WS_CONNECT, sizeof(m), true); /* it is not there yet */
	assert_true(up.session->awaits_client);
	harness_up(up.session, &up.csrss, &up.sb);
	harness_send(termsrv, &user.h, WS_LOGON, sizeof(user), false);
	assert_int_equal(up.session->state, WTS_IDLE);
	harness_send(termsrv, &m.h, WS_CONNECT, sizeof(m), true);
	assert_int_equal(up.session->state, WTS_CONNECTED);
	harness_send(termsrv, &user.h, WS_LOGON, sizeof(user), false);
	assert_int_equal(up.session->state, WTS_ACTIVE);
	user.user[0] = 'x'; /* somebody has logged on */
	harness_send(termsrv, &user.h, WS_LOGON, sizeof(user), false);
	assert_string_equal(up.session->info.user, "lab");
	harness_send(termsrv, &painted.h, WS_PAINTED, sizeof(painted), false);
	assert_int_equal(up.session->info.phase[PHASE_PAINTED], 6);
	session_down(&up);
	close(termsrv);
}

/* The port to the client is lost on the way where descriptors are out. */
static void port_is_lost(void **state)
{
	int termsrv = harness_client(CLIENT_TERMSRV, 3);
	struct up up = { .session = begun(termsrv) };
	struct msg_client m = { .session = 1, .width = 800, .height = 600 };

	(void)state;
	m.generation = up.session->generation;
	harness_up(up.session, &up.csrss, &up.sb);
	harness_send(termsrv, &m.h, WS_CONNECT, sizeof(m), false);
	assert_int_equal(up.session->step, SESSION_ENDING);
	assert_int_equal(up.session->reason, END_OUT_OF_MEMORY);
	session_down(&up);
	close(termsrv);
}

/* Fields of a client that no termsrv of this build sends. */
static void client_fields(void **state)
{
	static const struct {
		uint16_t width, height;
		size_t text; /* offset of what is no text */
	} cases[] = { { DESKTOP_MIN - 1, 600, 0 }, { DESKTOP_MAX + 1, 600, 0 },
		{ 800, DESKTOP_MIN - 1, 0 }, { 800, DESKTOP_MAX + 1, 0 },
		{ 800, 600, offsetof(struct msg_client, user) },
		{ 800, 600, offsetof(struct msg_client, domain) },
		{ 800, 600, offsetof(struct msg_client, station) },
		{ 800, 600, offsetof(struct msg_client, address) } };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		int termsrv = harness_client(CLIENT_TERMSRV, 3);
		struct msg_client m = { .width = cases[i].width, .height = cases[i].height };
		if (cases[i].text)
			((char *)&m)[cases[i].text] = 1;
		harness_send(termsrv, &m.h, WS_CONNECT, sizeof(m), true);
		assert_true(closed(termsrv));
		close(termsrv);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { T(creation_fails), T(stops), T(ids), T(increasing_ids),
		T(generations), T(serial), T(parallel), T(queue_without_clients), T(too_many),
		T(the_console), T(stopping), T(too_slow), T(console_is_awaited), T(creator_is_lost),
		T(report_is_unread), T(command_ends_at_once), T(csrss_ends_at_once), T(required),
		T(exhausted), T(termsrv_ends), T(client_comes), T(port_is_lost), T(client_fields) };

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests_name("smss-start", tests, NULL, NULL);
}
