/*
 * The pool of idle sessions: when they are made, who gets one, and how they end, on
 * tests/smss-harness.c.
 */
#include "smss-play.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

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
	make_now();
	for (size_t i = 0; i < sizeof(expected) / sizeof(*expected); i++) {
		assert_non_null(being_made());
		harness_done(being_made(), ENOMEM);
		harness_down(session_find(&harness.smss, 1));
		harness_pass(expected[i] - 1);
		assert_null(being_made());
		harness_pass(1);
	}
	harness_up(being_made(), &csrss, &sb);
	assert_int_equal(harness.smss.pool_pause, 0);
	assert_int_equal(pool(0, &count), 0);
	assert_int_equal(count, 0);
	assert_int_equal(harness.smss.pooled_count, 0);
	close(csrss);
	close(sb);
}

/* The idle sessions are made, COUNT of them. */
static void fill_pool(uint32_t count, struct up *ups)
{
	uint32_t idle;

	pool(count, &idle);
	for (uint32_t i = 0; i < count; i++) {
		make_now();
		ups[i].session = being_made();
		assert_non_null(ups[i].session);
		harness_up(ups[i].session, &ups[i].csrss, &ups[i].sb);
	}
	make_now();
	assert_null(being_made());
	pool(POOL_ASK, &idle);
	assert_int_equal(idle, count);
}

static void close_ports(const struct up *ups, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		close(ups[i].csrss);
		close(ups[i].sb);
	}
}

/* The latest go first, and that is no failure. */
static void shrinks(void **state)
{
	struct up ups[3];
	uint32_t idle;

	(void)state;
	fill_pool(3, ups);
	assert_int_equal(pool(1, &idle), 1);
	assert_int_equal(idle, 1);
	assert_int_equal(ups[0].session->step, SESSION_RUNNING);
	assert_int_equal(ups[1].session->step, SESSION_ENDING);
	assert_int_equal(ups[2].session->step, SESSION_ENDING);
	assert_int_equal(harness.smss.pool_pause, 0);
	assert_int_equal(table_used(&harness.smss), 0);
	make_now();
	assert_null(being_made());
	close_ports(ups, 3);
}

/* A hit is the oldest that is ready; what names a command is none. */
static void hits(void **state)
{
	struct up ups[2];
	uint32_t id;
	SMAPIMSG m;

	(void)state;
	fill_pool(2, ups);
	assert_int_equal(call_start("true", &m), STATUS_PENDING);
	assert_int_equal(harness.smss.pooled_count, 2);
	assert_int_equal(harness.smss.in_flight, 1);
	id = ups[0].session->id;
	assert_int_equal(call_start("", &m), STATUS_SUCCESS);
	assert_int_equal(m.u.StartCsr.MuSessionId, id);
	/* while one is created that somebody waits for, none is made ahead */
	make_now();
	assert_null(being_made());
	close_ports(ups, 2);
}

/* After a StartCsr the pool waits for the logon, a tenth of a second. */
static void refills_later(void **state)
{
	struct up ups[1];
	SMAPIMSG m;

	(void)state;
	fill_pool(1, ups);
	assert_int_equal(call_start("", &m), STATUS_SUCCESS);
	assert_null(being_made());
	harness_pass(99);
	assert_null(being_made());
	harness_pass(1);
	assert_non_null(being_made());
	close_ports(ups, 1);
}

/* An administrator ends an idle one: the next is made at once. It ends by itself: later. */
static void idle_ones_end(void **state)
{
	struct up ups[1];
	uint32_t idle;
	SMAPIMSG m;

	(void)state;
	fill_pool(1, ups);
	assert_int_equal(call_stop(admin, ups[0].session->id, 0), STATUS_PENDING);
	assert_int_equal(harness.smss.pool_pause, 0);
	session_down(&ups[0]);
	expect_reply(admin, STATUS_SUCCESS);
	assert_int_equal(pool(0, &idle), 0);
	fill_pool(1, ups);
	harness_reap(ups[0].session->winlogon, SIGSEGV);
	assert_int_equal(ups[0].session->step, SESSION_ENDING);
	assert_int_equal(harness.smss.pool_pause, 2000);
	assert_int_equal(harness.smss.pooled_count, 0);
	/* it does not count against whoever wants one */
	assert_int_equal(table_used(&harness.smss), 0);
	harness.config.MaxInstanceCount = 1;
	assert_int_equal(call_start("", &m), STATUS_PENDING);
	assert_int_equal(table_used(&harness.smss), 1);
	session_down(&ups[0]);
	assert_int_equal(table_used(&harness.smss), 1);
}

/* However often its size is changed, the pool takes no place of the table from clients. */
static void has_its_places(void **state)
{
	struct up ups[POOL_MAX];
	uint32_t idle;

	(void)state;
	fill_pool(POOL_MAX, ups);
	pool(0, &idle);
	pool(1, &idle);
	make_now();
	assert_null(being_made());
	session_down(&ups[0]);
	assert_non_null(being_made());
	close_ports(ups + 1, POOL_MAX - 1);
}

/* A command that an administrator runs in it makes it nobody's idle session. */
static void exec_takes_it(void **state)
{
	struct msg_exec m = { 0 };
	struct up ups[1];

	(void)state;
	fill_pool(1, ups);
	m.session = ups[0].session->id;
	harness_send(admin, &m.h, CTL_EXEC, sizeof(m), true);
	assert_false(ups[0].session->pooled);
	assert_non_null(being_made()); /* another one */
	assert_int_equal(harness.smss.pooled_count, 1);
	close_ports(ups, 1);
}

/* One that cannot be run there leaves it to whoever logs on next. */
static void exec_in_vain(void **state)
{
	struct musess_config config = harness.config;
	struct up ups[1];
	uint32_t id;

	(void)state;
	fill_pool(1, ups);
	id = ups[0].session->id;
	assert_int_equal(call_exec(admin, id, false), STATUS_INVALID_PARAMETER);
	harness.fail_create = EAGAIN;
	assert_int_equal(call_exec(admin, id, true), STATUS_NO_MEMORY);
	assert_true(ups[0].session->pooled);
	harness.fail_create = 0;
	harness.config.MaxInstanceCount = 0; /* all that there may be are somebody's */
	assert_int_equal(call_exec(admin, id, true), STATUS_NO_MEMORY);
	assert_true(ups[0].session->pooled);
	close_ports(ups, 1);
	config.Optional[0] = 0;
	begin_again(&config);
	fill_pool(1, ups);
	assert_int_equal(call_exec(admin, id, true), STATUS_OBJECT_NAME_NOT_FOUND);
	assert_true(ups[0].session->pooled);
	close_ports(ups, 1);
}

/* With an initial command of its own the service makes none ahead. */
static void no_pool(void **state)
{
	struct musess_config config = harness.config;

	(void)state;
	snprintf(config.Execute, sizeof(config.Execute), "true");
	config.IdleWinStationPoolCount = 2;
	begin_again(&config);
	make_now();
	assert_null(being_made());
}

/* Who comes while another waits is behind him, though an idle session would do. */
static void no_overtaking(void **state)
{
	struct musess_config config = harness.config;
	int second;
	struct up ups[1];
	SMAPIMSG m;

	(void)state;
	config.SessionCreation = SESSION_CREATION_SERIAL;
	begin_again(&config);
	fill_pool(1, ups);
	assert_int_equal(call_start("true", &m), STATUS_PENDING);
	assert_int_equal(call_start("false", &m), STATUS_PENDING);
	assert_int_equal(harness.smss.queued_starts, 1);
	second = admin;
	admin = harness_client(CLIENT_ADMINISTRATOR, 2);
	assert_int_equal(call_start("", &m), STATUS_PENDING);
	assert_int_equal(harness.smss.queued_starts, 2);
	/* the first has failed: it is the second's turn, and the third gets the idle one */
	harness_down(session_find(&harness.smss, 2));
	assert_int_equal(harness.smss.queued_starts, 0);
	assert_int_equal(harness.smss.pooled_count, 0);
	expect_reply(admin, STATUS_SUCCESS);
	assert_int_equal(harness.smss.in_flight, 1);
	close(second);
	close_ports(ups, 1);
}

/* The record of SESSION as the next smss reads it. */
static struct record on_record(const struct session *session)
{
	struct record r;

	assert_true(record_read(session->slot, &r));
	return r;
}

/* Whose an idle session is, is on record at once: the next smss gives it to nobody else, and keeps
   none for a client whom nobody brings there. */
static void taken_is_on_record(void **state)
{
	char directory[] = "/tmp/test-smss.XXXXXX";
	SMAPIMSG m = { .u.StartCsr.MuSessionId = SM_NO_MUSESSION };
	struct session *used, *taken;
	struct up ups[2];
	uint32_t count;
	int termsrv, dir;

	(void)state;
	pool(2, &count);
	fill_pool(2, ups);
	assert_non_null(mkdtemp(directory));
	dir = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(record_open(dir, harness.smss.capacity), 0);
	used = ups[0].session;
	taken = ups[1].session;
	record_update(used);
	record_update(taken);
	assert_int_equal(on_record(used).pooled, 1);
	start_keep(used);
	assert_int_equal(on_record(used).pooled, 0);
	termsrv = harness_client(CLIENT_TERMSRV, 3);
	assert_int_equal(harness_call(termsrv, &m, SmStartCsrApi, false), STATUS_SUCCESS);
	assert_int_equal(m.u.StartCsr.MuSessionId, taken->id);
	assert_int_equal(on_record(taken).pooled, 0);
	assert_int_equal(on_record(taken).awaits_client, 1);
	close(termsrv);
	for (int i = 0; i < 2; i++) {
		close(ups[i].csrss);
		close(ups[i].sb);
	}
	record_close(dir);
	close(dir);
	rmdir(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = { T(idle_sessions), T(pauses), T(shrinks), T(hits),
		T(refills_later), T(idle_ones_end), T(has_its_places), T(exec_takes_it),
		T(exec_in_vain), T(no_pool), T(no_overtaking), T(taken_is_on_record) };

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests_name("smss-pool", tests, NULL, NULL);
}
