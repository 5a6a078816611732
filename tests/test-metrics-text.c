/* Unit tests of daemon/metrics-text.c: labels, histograms, and the form of every line. */
#include "../daemon/metrics-text.h"
#include "../daemon/words.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static char *text;
static size_t size;

static void label(const char *from, const char *expected)
{
	FILE *out = open_memstream(&text, &size);

	metrics_write_label(out, from);
	assert_int_equal(fclose(out), 0);
	assert_string_equal(text, expected);
	free(text);
}

static void labels_are_escaped(void **state)
{
	(void)state;
	label("", "");
	label("J\xc3\xb6rg", "J\xc3\xb6rg");
	label("a\"} 1\nb\\n", "a\\\"} 1\\nb\\\\n");
}

/* What is written of M, and of COUNT sessions. */
static void write_all(
    const struct msg_stats *m, const struct msg_mt_session *sessions, size_t count)
{
	FILE *out = open_memstream(&text, &size);

	metrics_write(out, m);
	metrics_write_windows(out, m, sessions, count);
	assert_int_equal(fclose(out), 0);
}

static void has(const char *line)
{
	for (const char *at = text; (at = strstr(at, line)); at++)
		if ((at == text || at[-1] == '\n') && at[strlen(line)] == '\n')
			return;
	fail_msg("no line '%s'", line);
}

static void histograms_are_cumulative(void **state)
{
	struct msg_stats m = { .spinup[SPINUP_CSRSS] = { .sum = 1234567,
		                   .counts = { 1, 0, 2, [14] = 3, [15] = 4 } },
		.reconnect = { .sum = 5, .counts = { 1 } } };

	(void)state;
	write_all(&m, NULL, 0);
	has("# TYPE musess_spinup_phase_seconds histogram");
	has("musess_spinup_phase_seconds_bucket{phase=\"csrss\",le=\"0.0005\"} 1");
	has("musess_spinup_phase_seconds_bucket{phase=\"csrss\",le=\"0.001\"} 1");
	has("musess_spinup_phase_seconds_bucket{phase=\"csrss\",le=\"0.002\"} 3");
	has("musess_spinup_phase_seconds_bucket{phase=\"csrss\",le=\"10\"} 3");
	has("musess_spinup_phase_seconds_bucket{phase=\"csrss\",le=\"30\"} 6");
	has("musess_spinup_phase_seconds_bucket{phase=\"csrss\",le=\"+Inf\"} 10");
	has("musess_spinup_phase_seconds_sum{phase=\"csrss\"} 1.234567");
	has("musess_spinup_phase_seconds_count{phase=\"csrss\"} 10");
	has("musess_reconnect_seconds_bucket{le=\"0.0005\"} 1");
	has("musess_reconnect_seconds_sum 0.000005");
	has("musess_reconnect_seconds_count 1");
	free(text);
}

static void figures(void **state)
{
	struct msg_stats m = { .since = 1700000000,
		.sessions = { [WTS_ACTIVE] = 3, [WTS_CONNECT_QUERY] = 2 },
		.created = 5,
		.logons = 6,
		.reconnects = 7,
		.max_instances = 100,
		.drain = DRAIN_UNTIL_RESTART,
		.pool_size = 8,
		.waiting = 9,
		.logging_on = 1,
		.usage[USAGE_SHELL] = { 10, 11000001, 12, 13 },
		.version = "1.2\"3" };

	(void)state;
	m.failures[status_row(STATUS_NO_MEMORY)] = 14;
	m.ends[end_reason_row(END_USER_LOGOFF)] = 15;
	m.disconnections[end_reason_row(END_NONE)] = 16;
	m.refusals[REFUSAL_FULL] = 17;
	write_all(&m, NULL, 0);
	has("musess_build_info{version=\"1.2\\\"3\"} 1");
	has("musess_start_time_seconds 1700000000");
	has("musess_sessions{state=\"active\"} 3");
	has("musess_sessions{state=\"connect_query\"} 2");
	has("musess_sessions{state=\"idle\"} 0");
	has("musess_sessions_limit 100");
	has("musess_draining 1");
	has("musess_session_creations_total{result=\"created\",reason=\"success\"} 5");
	has("musess_session_creations_total{result=\"failed\",reason=\"no_memory\"} 14");
	has("musess_session_ends_total{reason=\"user_logoff\"} 15");
	has("musess_disconnects_total{reason=\"none\"} 16");
	has("musess_refusals_total{cause=\"full\"} 17");
	has("musess_pool_limit 8");
	has("musess_connections_waiting 9");
	has("musess_processes{kind=\"shell\"} 10");
	has("musess_process_cpu_seconds_total{kind=\"shell\"} 11.000001");
	has("musess_process_resident_memory_bytes{kind=\"shell\"} 12");
	has("musess_process_anonymous_memory_bytes{kind=\"shell\"} 13");
	has("windows_terminal_services_connection_broker_performance_total{connection="
	    "\"Successful\"} 13");
	has("windows_terminal_services_connection_broker_performance_total{connection="
	    "\"Pending\"} 10");
	has("windows_terminal_services_connection_broker_performance_total{connection="
	    "\"Failed\"} 17");
	free(text);
}

static void windows_names(void **state)
{
	const struct msg_mt_session s = { .session = 7,
		.state = WTS_DISCONNECTED,
		.used = { 1, 2, 3000000, 4000000, 5, 6, 7, 8 },
		.winstation = "RDP-Tcp#7",
		.name = "a\"b",
		.station = "PC\\1" };
	struct msg_stats m = { 0 };

	(void)state;
	write_all(&m, &s, 1);
#define W "windows_terminal_services_"
#define INFO W "session_info{session_name=\"RDP-Tcp#7\",user=\"a\\\"b\",host=\"PC\\\\1\",state="
	has(INFO "\"disconnected\",id=\"7\"} 1");
	has(INFO "\"active\",id=\"7\"} 0");
	has(INFO "\"init\",id=\"7\"} 0");
	has(W "handles{session_name=\"RDP-Tcp#7\"} 1");
	has(W "threads{session_name=\"RDP-Tcp#7\"} 2");
	has(W "cpu_time_seconds_total{session_name=\"RDP-Tcp#7\",mode=\"user\"} 3.000000");
	has(W "cpu_time_seconds_total{session_name=\"RDP-Tcp#7\",mode=\"privileged\"} 4.000000");
	has(W "cpu_time_seconds_total{session_name=\"RDP-Tcp#7\",mode=\"processor\"} 7.000000");
	has(W "working_set_bytes{session_name=\"RDP-Tcp#7\"} 5");
	has(W "private_bytes{session_name=\"RDP-Tcp#7\"} 6");
	has(W "virtual_bytes{session_name=\"RDP-Tcp#7\"} 7");
	has(W "page_fault_total{session_name=\"RDP-Tcp#7\"} 8");
	free(text);
}

/* The table has a word of its own for each row, none of which another has. */
static void words_differ(void **state)
{
	char one[WORD_SIZE], other[WORD_SIZE];

	(void)state;
	for (int which = WORDS_STATE; which <= WORDS_USAGE; which++)
		for (unsigned i = 0; i < words_count(which); i++)
			for (unsigned j = 0; j < i; j++)
				assert_string_not_equal(
				    word_of(which, i, one), word_of(which, j, other));
	assert_int_equal(words_count(WORDS_STATE), WTS_STATE_COUNT);
	assert_int_equal(words_count(WORDS_STATUS), STATUS_COUNT);
	assert_int_equal(words_count(WORDS_END), END_REASON_COUNT);
	assert_int_equal(words_count(WORDS_SPINUP), SPINUP_COUNT);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(labels_are_escaped),
		cmocka_unit_test(histograms_are_cumulative), cmocka_unit_test(figures),
		cmocka_unit_test(windows_names), cmocka_unit_test(words_differ) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
