/*
 * What smss counts: of sessions, of what termsrv tells, of phases; and who is answered when.
 */
#include "smss-play.h"

#include "histogram.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

static int termsrv, metricsd;

static int begin(void **state)
{
	play_begin(state);
	termsrv = harness_client(CLIENT_TERMSRV, 3);
	metricsd = harness_client(CLIENT_METRICSD, 4);
	harness.smss.services[SERVICE_TERMSRV].ready = true;
	return 0;
}

static int end(void **state)
{
	close(termsrv);
	close(metricsd);
	return play_end(state);
}

static void ask(int port)
{
	struct msg_plain m = { 0 };

	harness_send(port, &m.h, CTL_STATS, sizeof(m), false);
}

/* termsrv is asked, and tells M. */
static void tell(struct msg_ts_figures m)
{
	struct msg_plain asked;

	do /* the replies to its other questions are not looked at here */
		assert_true(harness_receive(termsrv, &asked, sizeof(asked)) != 0);
	while (asked.h.type != TS_FIGURES);
	assert_int_equal(asked.h.type, TS_FIGURES);
	harness_send(termsrv, &m.h, TS_FIGURES, sizeof(m), false);
}

static bool answered(int port, struct msg_stats *m)
{
	ssize_t got = harness_receive(port, m, sizeof(*m));

	if (got < 0)
		return false;
	assert_int_equal(got, sizeof(*m));
	assert_int_equal(m->h.type, CTL_STATS);
	return true;
}

/* All that there is. */
static struct msg_stats stats(void)
{
	struct msg_stats m;

	ask(admin);
	tell((struct msg_ts_figures){ 0 });
	assert_true(answered(admin, &m));
	return m;
}

/* ---- who is answered when ---- */

/* Both are answered at once, when termsrv has told; it is asked once. */
static void one_round(void **state)
{
	struct msg_ts_figures told = { .waiting = 7, .logons = 8, .warm = 9, .connections = 10 };
	struct msg_stats m;
	struct msg_plain more;

	(void)state;
	told.refusals[REFUSAL_SILENT] = 11;
	ask(admin);
	ask(metricsd);
	assert_false(answered(admin, &m));
	assert_false(answered(metricsd, &m));
	tell(told);
	assert_true(harness_receive(termsrv, &more, sizeof(more)) < 0);
	assert_true(answered(metricsd, &m));
	assert_int_equal(m.waiting, 7);
	assert_int_equal(m.logging_on, 8);
	assert_int_equal(m.warm, 9);
	assert_int_equal(m.connections, 10);
	assert_int_equal(m.refusals[REFUSAL_SILENT], 11);
	assert_string_equal(m.version, MUSESS_VERSION);
	assert_true(answered(admin, &m));
	assert_int_equal(m.connections, 10);
}

/* A termsrv that does not tell is not waited for. */
static void silent_termsrv(void **state)
{
	struct msg_stats m;

	(void)state;
	ask(metricsd);
	harness_pass(1900);
	assert_false(answered(metricsd, &m));
	harness_pass(200);
	harness_run();
	assert_true(answered(metricsd, &m));
	/* late, and to the next round, for which it is not asked again */
	ask(metricsd);
	tell((struct msg_ts_figures){ .waiting = 5 });
	assert_true(answered(metricsd, &m));
	assert_int_equal(m.waiting, 5);
}

/* What one has counted stays counted when it ends; what it has now does not. */
static void next_termsrv(void **state)
{
	struct msg_ts_figures told = { .waiting = 1, .connections = 10 };
	struct msg_stats m;

	(void)state;
	told.refusals[REFUSAL_LATE] = 2;
	ask(metricsd);
	tell(told);
	assert_true(answered(metricsd, &m));
	/* it ends while it is asked: nobody waits for it */
	ask(metricsd);
	close(termsrv);
	harness_run();
	assert_true(answered(metricsd, &m));
	assert_int_equal(m.connections, 10);
	assert_int_equal(m.refusals[REFUSAL_LATE], 2);
	assert_int_equal(m.waiting, 0);
	termsrv = harness_client(CLIENT_TERMSRV, 5);
	harness.smss.services[SERVICE_TERMSRV].ready = true;
	told.connections = 3;
	ask(metricsd);
	tell(told);
	assert_true(answered(metricsd, &m));
	assert_int_equal(m.connections, 13);
	assert_int_equal(m.refusals[REFUSAL_LATE], 4);
	assert_int_equal(m.waiting, 1);
}

/* metricsd asks once at a time; who has gone is not answered. */
static void too_many_questions(void **state)
{
	struct msg_stats m;

	(void)state;
	ask(admin);
	close(admin);
	harness_run();
	admin = harness_client(CLIENT_ADMINISTRATOR, 1);
	ask(metricsd);
	ask(metricsd);
	assert_true(closed(metricsd));
	ask(admin);
	tell((struct msg_ts_figures){ 0 });
	assert_true(answered(admin, &m));
}

/* ---- what is counted ---- */

static void creations_and_ends(void **state)
{
	struct up up = session_up();
	struct session *failing;
	struct msg_stats m, before = stats();
	uint32_t failed = 0;

	(void)state;
	assert_int_equal(before.created, 2); /* and the console */
	session_down(&up);
	failing = begun(admin);
	session_stop(failing, END_CSRSS_CRASH, STATUS_IO_TIMEOUT);
	harness_down(failing);
	expect_reply(admin, STATUS_IO_TIMEOUT);
	m = stats();
	assert_int_equal(m.ends[end_reason_row(END_ADMIN_LOGOFF)], 1);
	assert_int_equal(m.failures[status_row(STATUS_IO_TIMEOUT)], 1);
	for (unsigned i = 0; i < STATUS_COUNT; i++)
		failed += m.failures[i];
	assert_int_equal(failed, m.failed);
	assert_int_equal(status_row(0x12345678), status_row(STATUS_UNSUCCESSFUL));
	assert_int_equal(end_reason_row(0x12345678), end_reason_row(END_NONE));
}

/* A session whose csrss or winlogon fails has failed, in whatever order the kernel tells; one that
   nobody logged on to, or whose command ends, has not. */
static void failures(void **state)
{
	static const struct {
		bool csrss, port_closed;
		int status;
		enum end_reason reason;
	} ends[] = { { true, false, SIGSEGV, END_CSRSS_CRASH },
		{ false, true, SIGKILL, END_CSRSS_CRASH }, /* csrss has ended, too */
		{ true, false, 1 << 8, END_CSRSS_CRASH },
		{ false, false, SIGSEGV, END_WINLOGON_CRASH },
		{ false, false, 1 << 8, END_WINLOGON_CRASH },
		{ false, false, WINLOGON_NO_LOGON << 8, END_DENIED },
		{ false, false, 0, END_USER_LOGOFF } };
	uint64_t failed = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++) {
		struct up up = session_up();
		const struct msg_stats *m = &harness.smss.stats;

		if (ends[i].port_closed)
			close(up.csrss);
		harness_reap(ends[i].csrss ? up.session->windows->pid : up.session->winlogon,
		    ends[i].status);
		assert_int_equal(up.session->reason, ends[i].reason);
		failed += end_reason_failed(ends[i].reason);
		assert_int_equal(m->failed, failed);
		assert_int_equal(m->ended, i + 1);
		up.csrss = ends[i].port_closed ? dup(up.sb) : up.csrss;
		session_down(&up);
	}
	assert_int_equal(failed, 5);
	assert_int_equal(harness.smss.stats.ends[end_reason_row(END_CSRSS_CRASH)], 3);
	assert_int_equal(harness.smss.stats.ends[end_reason_row(END_WINLOGON_CRASH)], 2);
}

/* Why a client got none, where smss says so. */
static void refusals(void **state)
{
	struct musess_config config = harness.config;
	SMAPIMSG m = { .u.StartCsr.MuSessionId = SM_NO_MUSESSION };
	struct msg_stats got;

	(void)state;
	config.MaxInstanceCount = 1;
	close(termsrv);
	close(metricsd);
	begin_again(&config);
	termsrv = harness_client(CLIENT_TERMSRV, 3);
	metricsd = harness_client(CLIENT_METRICSD, 4);
	harness.smss.services[SERVICE_TERMSRV].ready = true;
	harness.fail_create = EPERM;
	assert_int_equal(harness_call(termsrv, &m, SmStartCsrApi, false), STATUS_ACCESS_DENIED);
	harness.fail_create = 0;
	harness_run();
	assert_int_equal(stats().refusals[REFUSAL_CREATION], 1);
	begun(termsrv);
	m = (SMAPIMSG){ .u.StartCsr.MuSessionId = SM_NO_MUSESSION };
	assert_int_equal(harness_call(termsrv, &m, SmStartCsrApi, false), STATUS_NO_MEMORY);
	got = stats();
	assert_int_equal(got.refusals[REFUSAL_FULL], 1);
	assert_int_equal(got.refusals[REFUSAL_CREATION], 1);
}

/* ---- phases ---- */

static uint64_t count(const struct histogram *h)
{
	return histogram_count(h);
}

/* WORKER says that its client, who is at UP's screen, has a picture. */
enum { WORKER = 77 };
static void painted(const struct up *up, uint64_t active, uint64_t at)
{
	struct msg_painted m = { .h.message_id = WORKER,
		.session = up->session->id,
		.generation = up->session->generation,
		.active = active,
		.painted = at };

	harness_send(termsrv, &m.h, WS_PAINTED, sizeof(m), false);
}

/* Phases of a client's way, a millisecond, two and so on after one another. */
static void phases(void **state)
{
	struct up up = session_up();
	uint64_t *phase = up.session->info.phase, at;
	struct msg_stats m;

	(void)state;
	harness_pass(1000);
	at = clock_us() - 500000;
	for (int i = PHASE_ACCEPT; i <= PHASE_SHELL; i++)
		phase[i] = at += 1000 * (uint64_t)i;
	up.session->worker = WORKER;
	painted(&up, at - 100, at + 9000); /* it was active before the shell was there */
	m = stats();
	assert_int_equal(m.spinup[SPINUP_REQUEST].sum, PHASE_REQUEST * 1000);
	assert_int_equal(m.spinup[SPINUP_NEGOTIATED].sum, PHASE_NEGOTIATED * 1000);
	assert_int_equal(m.spinup[SPINUP_LOGON].sum, PHASE_LOGON * 1000);
	assert_int_equal(m.spinup[SPINUP_START_CSR].sum, PHASE_START_CSR * 1000);
	assert_int_equal(m.spinup[SPINUP_ANSWERED].sum, PHASE_ANSWERED * 1000);
	assert_int_equal(m.spinup[SPINUP_SHELL].sum, PHASE_SHELL * 1000);
	assert_int_equal(m.spinup[SPINUP_ACTIVE].sum, 0);
	assert_int_equal(count(&m.spinup[SPINUP_ACTIVE]), 1);
	assert_int_equal(m.spinup[SPINUP_PAINTED].sum, 9000);
	/* csrss's and winlogon's are between: all are the whole */
	assert_int_equal(m.spinup[SPINUP_TOTAL].sum, (1 + 2 + 3 + 4 + 5 + 6 + 7 + 8 + 9) * 1000);
	assert_int_equal(count(&m.reconnect), 0);
	assert_int_equal(count(&m.spinup[SPINUP_CREATED]), m.created);
	session_down(&up);
}

/* Whatever a worker says, no time is longer than it was, or negative; and what it says once more
   counts for nothing, as what csrss does. */
static void lying_worker(void **state)
{
	static const uint64_t never[][2] = { { UINT64_MAX - 1, UINT64_MAX }, { 0, 0 }, { 9, 1 } };
	struct msg_stats m;

	(void)state;
	harness_pass(1000);
	for (size_t i = 0; i < 3; i++) {
		struct up up = session_up();
		struct msg_client client = { .h.message_id = WORKER,
			.session = up.session->id,
			.generation = up.session->generation,
			.width = 800,
			.height = 600,
			.user = "ann",
			.phase = {
			    clock_us(), i == 0 ? UINT64_MAX : 1, i == 1 ? UINT64_MAX : 1, 1 } };
		const uint64_t *phase = up.session->info.phase;

		up.session->awaits_client = true;
		harness_send(termsrv, &client.h, WS_CONNECT, sizeof(client), true);
		harness_pass(100);
		for (int again = 0; again < 3; again++)
			painted(&up, never[i][0], never[i][1]);
		for (int p = PHASE_ACCEPT + 1; p < PHASE_COUNT; p++)
			assert_true(!phase[p] || (phase[p] >= 1 && phase[p] <= clock_us()));
		assert_in_range(phase[PHASE_PAINTED], phase[PHASE_ACCEPT], clock_us());
		for (int again = 0; again < 3; again++)
			harness_send(up.csrss, &(struct msg_plain){ 0 }.h, CSR_SHELL,
			    sizeof(struct msg_plain), false);
		session_down(&up);
		m = harness.smss.stats;
		assert_int_equal(count(&m.spinup[SPINUP_TOTAL]), i + 1);
	}
	assert_in_range(m.spinup[SPINUP_TOTAL].sum, 0, 3 * 100000);
	for (int i = 0; i < SPINUP_COUNT; i++)
		assert_in_range(m.spinup[i].sum, 0, 3 * 1100000);
}

/* Who comes back has no spin-up, but a time. */
static void reconnects(void **state)
{
	struct up up = session_up();
	uint64_t *phase = up.session->info.phase;
	struct msg_stats m;

	(void)state;
	harness_pass(1000);
	memset(phase, 0, sizeof(up.session->info.phase));
	phase[PHASE_ACCEPT] = clock_us() - 30000;
	painted(&up, clock_us() - 100, clock_us());
	m = stats(); /* it is another's who served an earlier client */
	assert_int_equal(count(&m.reconnect), 0);
	up.session->worker = WORKER;
	painted(&up, clock_us() - 100, clock_us());
	m = stats();
	assert_int_equal(count(&m.spinup[SPINUP_TOTAL]), 0);
	assert_int_equal(count(&m.reconnect), 1);
	assert_int_equal(m.reconnect.sum, 30000);
	session_down(&up);
}

/* A time is in the first bucket whose bound it does not exceed. */
static void buckets(void **state)
{
	struct histogram h = { 0 };

	(void)state;
	histogram_add(&h, 0);
	histogram_add(&h, histogram_bounds[0]);
	histogram_add(&h, histogram_bounds[0] + 1);
	histogram_add(&h, histogram_bounds[HISTOGRAM_BUCKETS - 2]);
	histogram_add(&h, histogram_bounds[HISTOGRAM_BUCKETS - 2] + 1);
	assert_int_equal(h.counts[0], 2);
	assert_int_equal(h.counts[1], 1);
	assert_int_equal(h.counts[HISTOGRAM_BUCKETS - 2], 1);
	assert_int_equal(h.counts[HISTOGRAM_BUCKETS - 1], 1);
	assert_int_equal(count(&h), 5);
	for (int i = 1; i < HISTOGRAM_BUCKETS - 1; i++)
		assert_true(histogram_bounds[i] > histogram_bounds[i - 1]);
}

/* ---- Windows' names ---- */

static void sessions_by_name(void **state)
{
	struct up up = session_up();
	struct msg_plain m = { 0 };
	struct msg_mt_session row;

	(void)state;
	harness_send(metricsd, &m.h, MT_LIST, sizeof(m), false);
	assert_int_equal(harness_receive(metricsd, &m, sizeof(m)), sizeof(m));
	assert_int_equal(m.h.type, CTL_END); /* nobody asked for names */
	harness.config.WindowsNames = 1;
	memset(&m, 0, sizeof(m));
	harness_send(metricsd, &m.h, MT_LIST, sizeof(m), false);
	assert_int_equal(harness_receive(metricsd, &row, sizeof(row)), sizeof(row));
	assert_string_equal(row.winstation, "Console");
	assert_int_equal(harness_receive(metricsd, &row, sizeof(row)), sizeof(row));
	assert_int_equal(row.session, up.session->id);
	assert_int_equal(row.used.threads, up.session->id); /* the harness's */
	assert_int_equal(row.state, WTS_IDLE);
	assert_int_equal(harness_receive(metricsd, &m, sizeof(m)), sizeof(m));
	assert_int_equal(m.h.type, CTL_END);
	session_down(&up);
}

#define S(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = { S(one_round), S(silent_termsrv), S(next_termsrv),
		S(too_many_questions), S(creations_and_ends), S(failures), S(refusals), S(phases),
		S(lying_worker), S(reconnects), cmocka_unit_test(buckets), S(sessions_by_name) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
