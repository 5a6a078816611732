/* What musessctl asks of the service as a whole, and events. */
#include "../sessmgr/ntstatus.h"
#include "fake-smss.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- drain ---- */

static void answer_drain(struct fake *f, uint32_t asked, uint32_t mode, int32_t status)
{
	union fake_request r = fake_asked(f, CTL_DRAIN, sizeof(struct msg_drain));
	struct msg_drain expected = { .h = r.h, .mode = asked };

	assert_memory_equal(&r.drain, &expected, sizeof(expected));
	expected.mode = mode;
	expected.status = status;
	FAKE_ANSWER(f, expected, CTL_DRAIN, r.h.message_id);
}

static void test_drain(void **data)
{
	static const struct {
		const char *word;
		uint32_t mode;
		const char *text;
	} modes[] = { { "off", DRAIN_OFF, "Session logins are currently ENABLED\n" },
		{ "on", DRAIN_ON,
		    "New user logons are DISABLED, but reconnections to existing sessions are "
		    "ENABLED\n" },
		{ "until-restart", DRAIN_UNTIL_RESTART,
		    "New user logons are DISABLED until the server is restarted, but reconnections "
		    "to existing sessions are ENABLED\n" } };
	struct fake *f = *data;
	char json[64];

	for (int i = 0; i < 3; i++) {
		fake_run(f, "drain");
		answer_drain(f, DRAIN_ASK, modes[i].mode, STATUS_SUCCESS);
		fake_assert_success(f);
		assert_string_equal(f->out, modes[i].text);
		fake_run(f, "drain", modes[i].word);
		answer_drain(f, modes[i].mode, modes[i].mode, STATUS_SUCCESS);
		fake_assert_success(f);
		assert_string_equal(f->out, modes[i].text);
		fake_run(f, "drain", "--json");
		answer_drain(f, DRAIN_ASK, modes[i].mode, STATUS_SUCCESS);
		snprintf(json, sizeof(json), "{'drain': '%s'}", modes[i].word);
		fake_assert_output_json(f, json);
	}
	fake_run(f, "drain", "maybe");
	fake_assert_failure(
	    f, 2, "musessctl: drain: \"maybe\": allowed are on, off and until-restart\n");
	fake_run(f, "drain", "on");
	answer_drain(f, DRAIN_ON, DRAIN_OFF, STATUS_ACCESS_DENIED);
	fake_assert_failure(f, 1, "musessctl: drain on: STATUS_ACCESS_DENIED: ");
	fake_run(f, "drain");
	answer_drain(f, DRAIN_ASK, DRAIN_ASK, STATUS_SUCCESS);
	fake_assert_failure(f, 1, "musessctl: drain: what answers at ");
}

/* ---- reload ---- */

static void answer_reload(struct fake *f, const char *text, uint32_t changed, int32_t status)
{
	struct msg_reloaded m = { .status = status, .changed = changed };

	snprintf(m.text, sizeof(m.text), "%s", text);
	FAKE_ANSWER(f, m, CTL_RELOADED, fake_asked_plainly(f, CTL_RELOAD));
}

static void test_reload(void **data)
{
	struct fake *f = *data;

	fake_run(f, "reload");
	answer_reload(f, "", 0, STATUS_SUCCESS);
	fake_assert_success(f);
	assert_string_equal(f->out, "0 options changed\n");
	fake_run(f, "reload");
	answer_reload(
	    f, "PortNumber: after a restart\nExecute: after a restart", 1, STATUS_SUCCESS);
	fake_assert_success(f);
	assert_string_equal(f->out, "PortNumber: after a restart\nExecute: after a restart\n"
	                            "1 option changed\n");
	fake_run(f, "reload", "--json");
	answer_reload(f, "a\nb\n", 2, STATUS_SUCCESS);
	fake_assert_output_json(f, "{'changed': 2, 'lines': ['a', 'b']}");
}

static void test_reload_of_a_bad_file(void **data)
{
	struct fake *f = *data;

	for (int json = 0; json < 2; json++) {
		if (json)
			fake_run(f, "reload", "--json");
		else
			fake_run(f, "reload");
		answer_reload(f, "line 3: frob\nline 4: frob\n", 0, STATUS_INVALID_PARAMETER);
		fake_assert_failure(f, 1,
		    "musessctl: reload: line 3: frob\nmusessctl: reload: line 4: frob\n"
		    "musessctl: reload: STATUS_INVALID_PARAMETER: a field of the request is out of "
		    "bounds; the running values stay\n");
	}
}

/* The service has read what is in a directory that is not there any more, or is another by now. */
static void test_reload_of_other_files(void **data)
{
	struct fake *f = *data;
	struct msg_reloaded m = { .status = STATUS_SUCCESS };
	struct stat status;

	assert_int_equal(stat("/", &status), 0);
	snprintf(m.files[0].path, sizeof(m.files[0].path), "/musess.conf");
	m.files[0].device = status.st_dev;
	m.files[0].inode = status.st_ino;
	fake_run(f, "reload");
	FAKE_ANSWER(f, m, CTL_RELOADED, fake_asked_plainly(f, CTL_RELOAD));
	fake_assert_success(f);
	m.files[0].inode++;
	fake_run(f, "reload");
	FAKE_ANSWER(f, m, CTL_RELOADED, fake_asked_plainly(f, CTL_RELOAD));
	fake_assert_failure(f, 1,
	    "musessctl: reload: / is another directory than at the service's start, "
	    "which still reads the musess.conf of that one: restart");
	m.files[0].inode--;
	m.files[2] = m.files[0];
	snprintf(m.files[2].path, sizeof(m.files[2].path), "/none/at/all");
	fake_run(f, "reload", "--json");
	FAKE_ANSWER(f, m, CTL_RELOADED, fake_asked_plainly(f, CTL_RELOAD));
	fake_assert_failure(f, 1, "musessctl: reload: /none/at is another directory");
}

static void test_reload_strange_answers(void **data)
{
	struct fake *f = *data;
	struct msg_reloaded m = { 0 };

	fake_run(f, "reload");
	answer_reload(f, "\033[2J", 0, STATUS_SUCCESS);
	fake_assert_failure(f, 1, "musessctl: reload: what answers at ");
	fake_run(f, "reload");
	memset(m.text, 'x', sizeof(m.text));
	FAKE_ANSWER(f, m, CTL_RELOADED, fake_asked_plainly(f, CTL_RELOAD));
	fake_assert_failure(f, 1, "musessctl: reload: what answers at ");
	memset(m.text, 0, sizeof(m.text));
	memset(m.files[1].path, 'x', sizeof(m.files[1].path));
	fake_run(f, "reload");
	FAKE_ANSWER(f, m, CTL_RELOADED, fake_asked_plainly(f, CTL_RELOAD));
	fake_assert_failure(f, 1, "musessctl: reload: what answers at ");
}

/* ---- events ---- */

static const char logon[] =
    "{\"time\": \"2026-11-25T17:00:00.000001Z\", \"record\": 1, \"channel\": "
    "\"Microsoft-Windows-TerminalServices-LocalSessionManager\", \"id\": 21, \"session\": 1, "
    "\"text\": \"Session logon succeeded: lab\", \"data\": {\"User\": \"lab\"}}";
static const char refused[] =
    "{\"time\":\"2026-11-25T17:00:01.000000Z\",\"record\":2,\"channel\":\"Security\",\"id\":4625,"
    "\"session\":null,\"text\":\"An account failed to log on: m\\u00fcller\",\"data\":{}}";

static void send_event(struct fake *f, uint32_t id, const char *json)
{
	struct msg_event m = { 0 };

	snprintf(m.json, sizeof(m.json), "%s", json);
	FAKE_ANSWER(f, m, CTL_EVENT, id);
}

static void test_events(void **data)
{
	struct fake *f = *data;
	uint32_t id;

	fake_run(f, "events", "-f");
	id = fake_asked_plainly(f, CTL_EVENTS);
	send_event(f, id, logon);
	fake_await_output(f, "2026-11-25T17:00:00.000001Z "
	                     "Microsoft-Windows-TerminalServices-LocalSessionManager 21 "
	                     "Session logon succeeded: lab\n");
	send_event(f, id, refused);
	fake_await_output(f, "2026-11-25T17:00:00.000001Z "
	                     "Microsoft-Windows-TerminalServices-LocalSessionManager 21 "
	                     "Session logon succeeded: lab\n"
	                     "2026-11-25T17:00:01.000000Z Security 4625 "
	                     "An account failed to log on: m\xc3\xbcller\n");
	kill(f->pid, SIGINT);
	fake_assert_success(f);
}

/* As it is, at once, and for longer than other answers take. */
static void test_events_json(void **data)
{
	struct fake *f = *data;
	char expected[2048];
	uint32_t id;

	fake_run(f, "events", "--json", "--follow");
	id = fake_asked_plainly(f, CTL_EVENTS);
	send_event(f, id, logon);
	send_event(f, id, refused);
	snprintf(expected, sizeof(expected), "%s\n%s\n", logon, refused);
	fake_await_output(f, expected);
	kill(f->pid, SIGTERM);
	fake_assert_success(f);
	assert_string_equal(f->out, expected);
}

static void test_events_without_smss(void **data)
{
	struct fake *f = *data;
	char file[100], expected[256];

	fake_run(f, "events", "-f");
	fake_asked_plainly(f, CTL_EVENTS);
	fd_close(&f->port);
	fake_assert_failure(f, 1, "musessctl: events: STATUS_PORT_DISCONNECTED: ");
	fake_run(f, "events");
	fake_assert_failure(f, 2,
	    "musessctl: events: -f is missing: those from now on are shown; the journal has the "
	    "rest");
	/* a laboratory's */
	snprintf(file, sizeof(file), "%s/events.jsonl", f->directory);
	snprintf(expected, sizeof(expected),
	    "musessctl: events: -f is missing: those from now on are shown; %s has the rest\n",
	    file);
	close(open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	fake_run(f, "events");
	fake_assert_failure(f, 2, expected);
	unlink(file);
	fake_run(f, "list", "-f");
	fake_assert_failure(f, 2, "musessctl: list has no option --follow\n");
}

/* The reader goes: while nothing happens, and while there is something to write. */
static void test_events_without_reader(void **data)
{
	char *words[] = { "musessctl", "events", "-f", NULL };
	struct fake *f = *data;
	int ends[2];

	for (int written = 0; written < 2; written++) {
		assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
		f->output = ends[1];
		fake_run_words(f, "", words);
		f->output = -1;
		close(ends[1]);
		uint32_t id = fake_asked_plainly(f, CTL_EVENTS);
		if (written) {
			kill(f->pid, SIGSTOP); /* both come at once */
			waitpid(f->pid, NULL, WUNTRACED);
			send_event(f, id, logon);
		}
		close(ends[0]);
		kill(f->pid, SIGCONT);
		fake_assert_success(f);
	}
}

static void test_events_strange_answers(void **data)
{
	static const char *const strange[] = { "", "[]", "{}", "no JSON",
		"{\"time\": \"t\", \"channel\": \"c\", \"id\": 1}",
		"{\"time\": \"t\", \"channel\": \"c\", \"id\": \"1\", \"text\": \"x\"}",
		"{\"time\": \"t\", \"channel\": \"c\", \"id\": 1, \"text\": \"\\u001b[2J\"}",
		"{\"time\": \"t\", \"channel\": 7, \"id\": 1, \"text\": \"x\"}",
		"{\"time\": \"\\n\", \"channel\": \"c\", \"id\": 1, \"text\": \"x\"}", "{\n}" };
	struct fake *f = *data;
	struct msg_plain end;

	for (size_t i = 0; i < sizeof(strange) / sizeof(*strange); i++) {
		fake_run(f, "events", "-f", "--json");
		send_event(f, fake_asked_plainly(f, CTL_EVENTS), strange[i]);
		fake_assert_failure(f, 1, "musessctl: events: what answers at ");
	}
	fake_run(f, "events", "-f");
	FAKE_ANSWER(f, end, CTL_END, fake_asked_plainly(f, CTL_EVENTS));
	fake_assert_failure(f, 1, "musessctl: events: what answers at ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FAKE_TEST(test_drain),
		FAKE_TEST(test_reload),
		FAKE_TEST(test_reload_of_a_bad_file),
		FAKE_TEST(test_reload_of_other_files),
		FAKE_TEST(test_reload_strange_answers),
		FAKE_TEST(test_events),
		FAKE_TEST(test_events_json),
		FAKE_TEST(test_events_without_smss),
		FAKE_TEST(test_events_without_reader),
		FAKE_TEST(test_events_strange_answers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
