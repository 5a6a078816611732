/* Who does not answer smss is killed: csrss of sessions, which the test plays, in its own time. */
#include "smss-play.h"

#include <signal.h>
#include <string.h>

static char told[512]; /* the service manager, one text after the other */

static void notify(const char *text)
{
	strcat(told, text);
}

static int begin(void **state)
{
	int result = play_begin(state);

	told[0] = 0;
	harness.smss.notify = notify;
	return result < 0 ? result : alive_init(&harness.smss);
}

static int end(void **state)
{
	alive_finish();
	return play_end(state);
}

/* So many seconds, of which the loop sees each. */
static void pass(unsigned seconds)
{
	while (seconds-- > 0)
		harness_pass(1000);
}

static void answer(const struct up *up)
{
	struct msg_plain m;

	harness_send(up->csrss, &m.h, SM_PING, sizeof(m), false);
}

/* How often csrss of UP was asked; it answers where it ANSWERS. */
static unsigned asked(const struct up *up, bool answers)
{
	struct msg_plain m;
	unsigned times = 0;

	while (harness_receive(up->csrss, &m, sizeof(m)) > 0)
		times += m.h.type == SM_PING;
	for (unsigned i = 0; answers && i < times; i++)
		answer(up);
	return times;
}

static int killed(const struct up *up)
{
	return harness_signal(up->session->windows->pid) == SIGKILL;
}

static void who_answers_stays(void **state)
{
	struct up up = session_up();

	(void)state;
	for (int i = 0; i < 10; i++) {
		pass(31);
		assert_int_equal(asked(&up, true), 1);
	}
	assert_false(killed(&up));
	session_down(&up);
}

static void who_does_not_is_killed(void **state)
{
	struct up up = session_up(), other = session_up();

	(void)state;
	pass(32);
	assert_int_equal(asked(&up, false), 1);
	asked(&other, true);
	pass(50);
	assert_int_equal(asked(&up, false), 1); /* again: the answer may have been lost */
	asked(&other, true);
	assert_false(killed(&up));
	pass(20);
	asked(&other, true);
	assert_true(killed(&up));
	assert_false(killed(&other));
	session_down(&other);
	session_down(&up);
}

/* An answer that met a full port does not count against him who has his second one through. */
static void a_lost_answer_is_not_the_end(void **state)
{
	struct up up = session_up();

	(void)state;
	for (int i = 0; i < 10; i++) {
		pass(31);
		asked(&up, i % 2 == 1);
	}
	assert_false(killed(&up));
	session_down(&up);
}

static void an_answer_in_time_is_one(void **state)
{
	struct up up = session_up();

	(void)state;
	for (int i = 0; i < 4; i++) {
		while (asked(&up, false) == 0)
			pass(1);
		pass(55);
		assert_false(killed(&up));
		answer(&up);
	}
	session_down(&up);
}

static void time_without_a_turn_does_not_count(void **state)
{
	struct up up = session_up();

	(void)state;
	pass(32);
	for (int i = 0; i < 10; i++)
		harness_pass(1000000);
	assert_false(killed(&up));
	pass(35);
	assert_int_equal(asked(&up, true), 2);
	pass(35);
	assert_false(killed(&up));
	session_down(&up);
}

static void a_debugger_has_its_time(void **state)
{
	struct up up = session_up();

	(void)state;
	harness.traced = up.session->windows->pid;
	pass(600);
	assert_false(killed(&up));
	harness.traced = 0; /* and what it leaves has a moment */
	pass(29);
	assert_false(killed(&up));
	pass(60);
	assert_true(killed(&up));
	session_down(&up);
}

/* csrss of an earlier build does not know the question. */
static void who_never_answered_is_spared(void **state)
{
	struct up up = session_up();
	struct client *client = up.session->windows->client;

	(void)state;
	alive_forget(client);
	alive_watch(client, false);
	pass(600);
	assert_int_equal(asked(&up, true), 1);
	assert_false(killed(&up));
	pass(120); /* now it is known to */
	assert_true(killed(&up));
	session_down(&up);
}

static void many_are_not_asked_at_once(void **state)
{
	enum { MANY = 60 };
	struct up up[MANY];
	unsigned most = 0, all = 0;

	(void)state;
	for (int i = 0; i < MANY; i++)
		up[i] = session_up();
	for (int second = 0; second < 65; second++) {
		unsigned now = 0;
		pass(1);
		for (int i = 0; i < MANY; i++)
			now += asked(&up[i], true);
		most = now > most ? now : most;
		all += now;
	}
	assert_in_range(all, MANY, 2 * MANY);
	assert_in_range(most, 1, 4); /* two a second, and the console's */
	for (int i = 0; i < MANY; i++)
		session_down(&up[i]);
}

static void who_ends_is_not_asked(void **state)
{
	struct up up = session_up();

	(void)state;
	pass(32);
	assert_int_equal(asked(&up, false), 1);
	session_stop(up.session, END_ADMIN_DISCONNECT, STATUS_SUCCESS);
	pass(300);
	assert_int_equal(asked(&up, false), 0);
	session_down(&up);
}

/* Two turns are not too few for it, and a debugger has it wait. */
static void the_service_manager_is_told(void **state)
{
	(void)state;
	alive_finish();
	harness.smss.watchdog = 500000;
	assert_int_equal(alive_init(&harness.smss), 0);
	harness_pass(250);
	assert_string_equal(told, "WATCHDOG=1\n");
	told[0] = 0;
	raise(SIGUSR2);
	assert_string_equal(told, "WATCHDOG_USEC=0\n");
	told[0] = 0;
	harness.traced = getpid();
	harness_pass(250);
	harness_pass(250);
	assert_string_equal(told, "");
	harness.traced = 0;
	pass(9);
	assert_string_equal(told, ""); /* the next one may be on its way */
	pass(2);
	assert_memory_equal(told, "WATCHDOG_USEC=500000\nWATCHDOG=1\n", 32);
}

#undef T
#define T(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(who_answers_stays),
		T(who_does_not_is_killed),
		T(a_lost_answer_is_not_the_end),
		T(an_answer_in_time_is_one),
		T(time_without_a_turn_does_not_count),
		T(a_debugger_has_its_time),
		T(who_never_answered_is_spared),
		T(many_are_not_asked_at_once),
		T(who_ends_is_not_asked),
		T(the_service_manager_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
