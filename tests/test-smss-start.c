/*
 * The creation and the end of sessions, by StartCsr and StopCsr: ids, turns, the queue and the
 * pool, on tests/smss-harness.c.
 */
#include "smss-play.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
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

static int32_t stop(int port, uint32_t id, uint32_t generation)
{
	SMAPIMSG m = { .u.StopCsr.MuSessionId = id };

	m.h.client_view_size = generation;
	return harness_call(port, &m, SmStopCsrApi, false);
}

static void stops(void **state)
{
	struct up up = session_up();
	int other = harness_client(CLIENT_ADMINISTRATOR, 2);

	(void)state;
	assert_int_equal(stop(admin, 9, 0), STATUS_OBJECT_NAME_NOT_FOUND);
	assert_int_equal(stop(admin, 0, 0), STATUS_ACCESS_DENIED);
	assert_int_equal(stop(admin, 1, up.session->generation + 1), STATUS_OBJECT_NAME_NOT_FOUND);
	assert_int_equal(stop(admin, 1, up.session->generation), STATUS_PENDING);
	assert_int_equal(stop(other, 1, 0), STATUS_DELETE_PENDING);
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

/* ---- the pool ---- */

static uint32_t pool(uint32_t size, uint32_t *idle)
{
	struct msg_pool m = { .size = size };

	harness_send(admin, &m.h, CTL_POOL, sizeof(m), false);
	assert_int_equal(harness_receive(admin, &m, sizeof(m)), sizeof(m));
	assert_int_equal(
	    m.status, size != POOL_ASK && size > POOL_MAX ? STATUS_INVALID_PARAMETER : 0);
	*idle = m.idle;
	return m.size;
}

/* The idle session that is being made, or NULL. */
static struct session *being_made(void)
{
	for (uint32_t slot = 0; slot < harness.smss.capacity; slot++) {
		struct session *s = harness.smss.slots[slot];
		if (s && s->pooled && s->step != SESSION_RUNNING && s->step != SESSION_ENDING)
			return s;
	}
	return NULL;
}

static void make_now(void)
{
	event_active(harness.smss.pool_event, EV_TIMEOUT, 1);
	harness_run();
}

static void idle_sessions(void **state)
{
	struct session *idle;
	SMAPIMSG m = { .u.StartCsr.MuSessionId = SM_NO_MUSESSION };
	uint32_t count;
	int ports[4];

	(void)state;
	assert_int_equal(pool(POOL_ASK, &count), 0);
	assert_int_equal(pool(65, &count), 0);
	assert_int_equal(pool(2, &count), 2);
	make_now();
	idle = being_made();
	assert_non_null(idle);
	harness_up(idle, &ports[0], &ports[1]);
	assert_int_equal(idle->state, WTS_IDLE);
	assert_int_equal(pool(POOL_ASK, &count), 2);
	assert_int_equal(count, 1);
	/* a hit is answered at once; the next caller gets the one that is being made */
	assert_int_equal(harness_call(admin, &m, SmStartCsrApi, false), STATUS_SUCCESS);
	assert_int_equal(m.u.StartCsr.MuSessionId, idle->id);
	assert_int_equal(m.h.client_view_size, idle->generation);
	assert_false(idle->pooled);
	idle = being_made();
	if (!idle) {
		make_now();
		idle = being_made();
	}
	assert_non_null(idle);
	m = (SMAPIMSG){ .u.StartCsr.MuSessionId = SM_NO_MUSESSION };
	assert_int_equal(harness_call(admin, &m, SmStartCsrApi, false), STATUS_PENDING);
	assert_false(idle->pooled);
	harness_up(idle, &ports[2], &ports[3]);
	expect_reply(admin, STATUS_SUCCESS);
	/* a command of its own is none of the pool's */
	assert_int_equal(table_used(&harness.smss), 2);
	for (int i = 0; i < 4; i++)
		close(ports[i]);
}

static void pauses(void **state)
{
	static const uint32_t expected[] = { 2000, 4000, 8000, 16000, 32000, 60000, 60000 };
	uint32_t count;
	int csrss, sb;

	(void)state;
	pool(1, &count);
	for (size_t i = 0; i < sizeof(expected) / sizeof(*expected); i++) {
		make_now();
		assert_non_null(being_made());
		harness_done(being_made(), ENOMEM);
		harness_down(session_find(&harness.smss, 1));
		assert_int_equal(harness.smss.pool_pause, expected[i]);
	}
	make_now();
	harness_up(being_made(), &csrss, &sb);
	assert_int_equal(harness.smss.pool_pause, 0);
	assert_int_equal(pool(0, &count), 0);
	assert_int_equal(count, 0);
	assert_int_equal(harness.smss.pooled_count, 0);
	close(csrss);
	close(sb);
}

int main(void)
{
	const struct CMUnitTest tests[] = { T(creation_fails), T(stops), T(ids), T(increasing_ids),
		T(generations), T(serial), T(parallel), T(queue_without_clients), T(too_many),
		T(idle_sessions), T(pauses) };

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests_name("smss-start", tests, NULL, NULL);
}
