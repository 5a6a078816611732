/*
 * musessctl as people run it. What it asks is checked byte by byte, what it prints is
 * compared with what the reference shows.
 */
#include "../sessmgr/ntstatus.h"
#include "fake-smss.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- list and show ---- */

static void test_list(void **data)
{
	struct fake *f = *data;

	struct msg_session sessions[FAKE_SAMPLE_COUNT];

	memcpy(sessions, fake_sample, sizeof(sessions));
	sessions[FAKE_LAB].own = 1;
	setenv("MUSESSIONID", "2", 1); /* nobody asks that */
	fake_run(f, "list");
	unsetenv("MUSESSIONID");
	fake_answer_list(f, sessions, FAKE_SAMPLE_COUNT);
	fake_assert_success(f);
	assert_string_equal(f->out,
	    " SESSIONNAME       USERNAME                 ID  STATE   TYPE        DEVICE\n"
	    " console                                     0  Conn    wdcon\n"
	    ">rdp-tcp#1         lab                       1  Active  rdpwd\n"
	    "                   eve                       2  Disc\n"
	    " rdp-tcp                                 65536  Listen  rdpwd\n");
}

static void test_list_own_session_is_none(void **data)
{
	struct fake *f = *data;

	fake_run(f, "--socket", f->path, "list");
	fake_answer_list(f, fake_sample, FAKE_SAMPLE_COUNT);
	fake_assert_success(f);
	assert_null(strchr(f->out, '>'));
	assert_non_null(strstr(f->out, "\n rdp-tcp#1         lab"));
}

static void test_list_cuts_long_texts(void **data)
{
	static const struct msg_session sessions[] = {
		{ .session = 12345,
		    .state = WTS_ACTIVE,
		    .winstation = "RDP-Tcp#12345678901234567890",
		    .user = "a-name-of-more-than-twenty-characters" },
		{ .session = 3,
		    .state = WTS_CONNECT_QUERY,
		    .winstation = "RDP-Tcp#3",
		    .user = "\xc3\xa4\xc3\xb6\xc3\xbc" }, /* three characters */
	};
	struct fake *f = *data;

	fake_run(f, "list");
	fake_answer_list(f, sessions, 2);
	fake_assert_success(f);
	assert_string_equal(f->out,
	    " SESSIONNAME       USERNAME                 ID  STATE   TYPE        DEVICE\n"
	    " rdp-tcp#3         \xc3\xa4\xc3\xb6\xc3\xbc                       3  ConnQ   rdpwd\n"
	    " rdp-tcp#123456789 a-name-of-more-than-t 12345  Active  rdpwd\n");
}

/* More answers than a socket holds. */
static void test_list_of_thousands(void **data)
{
	enum { COUNT = 3000 };
	struct fake *f = *data;
	struct msg_session *sessions = calloc(COUNT, sizeof(*sessions));
	size_t lines = 0;

	assert_non_null(sessions);
	for (uint32_t i = 0; i < COUNT; i++)
		sessions[i].session = COUNT - 1 - i;
	fake_run(f, "--json", "list");
	fake_answer_list(f, sessions, COUNT);
	json_t *array = fake_parse_output(f);
	assert_int_equal(json_array_size(array), COUNT);
	for (; lines < COUNT; lines++)
		assert_int_equal(
		    json_integer_value(json_object_get(json_array_get(array, lines), "id")), lines);
	json_decref(array);
	free(sessions);
}

static const char sample_json[] =
    "{'id': 1, 'own': false, 'name': 'RDP-Tcp#1', 'user': 'lab', 'domain': 'LAB', 'state': "
    "'Active',"
    " 'type': 'rdpwd', 'client_name': 'DESK-7', 'client_address': '[2001:db8::7]:50000',"
    " 'width': 1024, 'height': 768, 'csrss_pid': 1748, 'winlogon_pid': 1750,"
    " 'started': 1700000000, 'logon': 1700000001, 'disconnected': null, 'input': null,"
    " 'idle_s': null, 'phases_ms': {'accept': 0.0, 'request': 1.5, 'negotiated': 20.0,"
    " 'logon': 21.0, 'start_csr': 21.25, 'csrss': 24.0, 'winlogon': 30.0,"
    " 'answered': 30.5, 'shell': null,"
    " 'active': 29.0, 'painted': 41.125}, 'total_ms': 41.125}";

static void test_list_json(void **data)
{
	static const char listener[] =
	    "{'id': 65536, 'own': false, 'name': 'RDP-Tcp', 'user': '', 'domain': '', 'state': "
	    "'Listen',"
	    " 'type': 'rdpwd', 'client_name': '', 'client_address': '', 'width': null,"
	    " 'height': null, 'csrss_pid': null, 'winlogon_pid': null, 'started': null,"
	    " 'logon': null, 'disconnected': null, 'input': null, 'idle_s': null,"
	    " 'phases_ms': {'accept': null, 'request': null, 'negotiated': null, 'logon': null,"
	    " 'start_csr': null, 'csrss': null, 'winlogon': null, 'answered': null, 'shell': null,"
	    " 'active': null,"
	    " 'painted': null}, 'total_ms': null}";
	const struct msg_session two[] = { fake_sample[FAKE_LISTENER], fake_sample[FAKE_LAB] };
	struct fake *f = *data;
	char expected[2048];

	snprintf(expected, sizeof(expected), "[%s, %s]", sample_json, listener);
	fake_run(f, "list", "--json");
	fake_answer_list(f, two, 2);
	fake_assert_output_json(f, expected);
}

static void test_show(void **data)
{
	struct fake *f = *data;

	fake_run(f, "show", "1");
	fake_answer_list(f, fake_sample, FAKE_SAMPLE_COUNT);
	fake_assert_success(f);
	assert_string_equal(f->out, "id           1\n"
	                            "name         RDP-Tcp#1\n"
	                            "user         lab\n"
	                            "domain       LAB\n"
	                            "state        Active\n"
	                            "client       DESK-7\n"
	                            "address      [2001:db8::7]:50000\n"
	                            "desktop      1024x768\n"
	                            "csrss        1748\n"
	                            "winlogon     1750\n"
	                            "started      2023-11-14 22:13:20\n"
	                            "logon        2023-11-14 22:13:21\n"
	                            "disconnected -\n"
	                            "input        -\n"
	                            "phases       ms\n"
	                            "  accept         0.000\n"
	                            "  request        1.500\n"
	                            "  negotiated    20.000\n"
	                            "  logon         21.000\n"
	                            "  start-csr     21.250\n"
	                            "  csrss         24.000\n"
	                            "  winlogon      30.000\n"
	                            "  answered      30.500\n"
	                            "  shell              -\n"
	                            "  active        29.000\n"
	                            "  painted       41.125\n"
	                            "  total         41.125\n");
	fake_run(f, "show", "1", "--json");
	fake_answer_list(f, fake_sample, FAKE_SAMPLE_COUNT);
	fake_assert_output_json(f, sample_json);
}

static void test_show_of_little(void **data)
{
	struct fake *f = *data;

	fake_run(f, "show", "65536");
	fake_answer_list(f, fake_sample, FAKE_SAMPLE_COUNT);
	fake_assert_success(f);
	assert_string_equal(f->out, "id           65536\n"
	                            "name         RDP-Tcp\n"
	                            "user         -\n"
	                            "domain       -\n"
	                            "state        Listen\n"
	                            "client       -\n"
	                            "address      -\n"
	                            "desktop      -\n"
	                            "csrss        -\n"
	                            "winlogon     -\n"
	                            "started      -\n"
	                            "logon        -\n"
	                            "disconnected -\n"
	                            "input        -\n");
	fake_run(f, "show", "7");
	fake_answer_list(f, fake_sample, FAKE_SAMPLE_COUNT);
	fake_assert_failure(f, 1, "musessctl: Session ID 7 not found\n");
	fake_run(f, "show", "0");
	fake_answer_list(f, NULL, 0);
	fake_assert_failure(f, 1, "musessctl: Session ID 0 not found\n");
}

/* ---- start and stop ---- */

/* Expects a StartCsr without an id, and answers it. */
static SMSTARTCSR answer_start(struct fake *f, int32_t status)
{
	SMAPIMSG call = fake_asked(f, LPC_REQUEST, sizeof(SMAPIMSG)).call;
	SMSTARTCSR start = call.u.StartCsr;

	assert_int_equal(call.ApiNumber, SmStartCsrApi);
	assert_int_equal(start.MuSessionId, SM_NO_MUSESSION);
	call.u.StartCsr.MuSessionId = 7;
	call.u.StartCsr.InitialCommandProcessId = 1002;
	call.u.StartCsr.WindowsSubSysProcessId = 1001;
	fake_answer_call(f, call, status);
	return start;
}

static void test_start(void **data)
{
	struct fake *f = *data;

	fake_run(f, "start");
	assert_int_equal(answer_start(f, STATUS_SUCCESS).InitialCommandLength, 0);
	fake_assert_success(f);
	assert_string_equal(f->out, "session 7: csrss 1001, winlogon 1002\n");
	fake_run(f, "start", "--json");
	answer_start(f, STATUS_SUCCESS);
	fake_assert_output_json(f, "{'id': 7, 'csrss_pid': 1001, 'winlogon_pid': 1002}");
	fake_run(f, "start");
	answer_start(f, STATUS_NO_MEMORY);
	fake_assert_failure(f, 1, "musessctl: start: STATUS_NO_MEMORY: memory, processes");
}

static void test_start_command(void **data)
{
	/* one, two, three and four bytes of UTF-8 */
	static const uint16_t expected[] = { 'l', 's', ' ', 0xe4, 0x20ac, 0xd83d, 0xde00 };
	struct fake *f = *data;
	SMSTARTCSR start;

	fake_run(f, "start", "--command", "ls \xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80");
	start = answer_start(f, STATUS_SUCCESS);
	fake_assert_success(f);
	assert_int_equal(start.InitialCommandLength, sizeof(expected));
	assert_memory_equal(start.InitialCommand, expected, sizeof(expected));
}

static void test_start_command_bounds(void **data)
{
	struct fake *f = *data;
	char command[200] = "";

	memset(command, 'x', 128);
	fake_run(f, "start", "--command", command);
	assert_int_equal(answer_start(f, STATUS_SUCCESS).InitialCommandLength, 256);
	fake_assert_success(f);
	command[128] = 'x';
	fake_run(f, "start", "--command", command);
	fake_assert_failure(
	    f, 2, "musessctl: start: the command has 258 bytes of UTF-16, and 256 are the most\n");
	memcpy(command + 127, "\xf0\x9f\x98\x80", 5); /* half of it would fit */
	fake_run(f, "start", "--command", command);
	fake_assert_failure(f, 2, "musessctl: start: the command has 258 bytes");
	fake_run(f, "start", "--command", "");
	fake_assert_failure(f, 2, "musessctl: start: the command is empty\n");
	fake_run(f, "start", "--command", "a\xff");
	fake_assert_failure(f, 2, "musessctl: start: the command is not UTF-8\n");
	fake_run(f, "start", "--command", "a\xe2\x82"); /* broken off */
	fake_assert_failure(f, 2, "musessctl: start: the command is not UTF-8\n");
}

static void answer_stop(struct fake *f, uint32_t id, int32_t status)
{
	SMAPIMSG call = fake_asked(f, LPC_REQUEST, sizeof(SMAPIMSG)).call;

	assert_int_equal(call.ApiNumber, SmStopCsrApi);
	assert_int_equal(call.u.StopCsr.MuSessionId, id);
	fake_answer_call(f, call, status);
}

static void test_stop(void **data)
{
	struct fake *f = *data;

	fake_run(f, "stop", "7");
	answer_stop(f, 7, STATUS_SUCCESS);
	fake_assert_success(f);
	assert_string_equal(f->out, "");
	fake_run(f, "stop", "4294967294", "--json");
	answer_stop(f, 4294967294u, STATUS_SUCCESS);
	fake_assert_output_json(f, "{'id': 4294967294}");
	fake_run(f, "stop", "7");
	answer_stop(f, 7, STATUS_OBJECT_NAME_NOT_FOUND);
	fake_assert_failure(f, 1,
	    "musessctl: stop 7: STATUS_OBJECT_NAME_NOT_FOUND: no such session, image or account\n");
	fake_run(f, "stop", "7");
	answer_stop(f, 7, (int32_t)0xc0ffee00);
	fake_assert_failure(f, 1, "musessctl: stop 7: STATUS_UNKNOWN: unknown status\n");
}

/* ---- no service, or a strange one ---- */

static void test_no_service(void **data)
{
	struct fake *f = *data;
	char expected[256];

	fd_close(&f->listener);
	snprintf(expected, sizeof(expected),
	    "musessctl: no service at %s: is musess running? (--socket PATH or MUSESS_SM_PORT "
	    "names "
	    "another)\n",
	    f->path);
	fake_run(f, "list");
	fake_assert_failure(f, 1, expected);
	unlink(f->path);
	fake_run(f, "start");
	fake_assert_failure(f, 1, expected);
	fake_run(f, "--socket", "/nonexistent", "list");
	fake_assert_failure(f, 1, "musessctl: no service at /nonexistent: ");
}

static void test_path_too_long(void **data)
{
	struct fake *f = *data;
	char path[200] = "";

	memset(path, '/', 108);
	fake_run(f, "list", "--socket", path);
	fake_assert_failure(f, 2, "musessctl: the path of a socket has 1 to 107 bytes: ");
}

static void test_no_permission(void **data)
{
	struct fake *f = *data;
	char expected[256];

	snprintf(expected, sizeof(expected),
	    "musessctl: no permission to use %s: only root and the service's own user may\n",
	    f->path);
	assert_int_equal(chmod(f->path, 0), 0);
	f->powerless = true;
	fake_run(f, "list");
	fake_assert_failure(f, 1, expected);
}

static void test_cut_off(void **data)
{
	struct fake *f = *data;

	fake_run(f, "stop", "3");
	fake_asked(f, LPC_REQUEST, sizeof(SMAPIMSG));
	fd_close(&f->port);
	fake_assert_failure(
	    f, 1, "musessctl: stop 3: STATUS_PORT_DISCONNECTED: the peer is gone; ");
}

/* Starts "list", and receives its request. Returns the message's id. */
static uint32_t list_begun(struct fake *f)
{
	fake_run(f, "list");
	return fake_asked_plainly(f, CTL_LIST);
}

static void assert_strange(struct fake *f)
{
	char expected[256];

	snprintf(expected, sizeof(expected),
	    "musessctl: list: what answers at %s is not this version's smss\n", f->path);
	fake_assert_failure(f, 1, expected);
}

static void test_strange_answers(void **data)
{
	struct fake *f = *data;
	struct msg_session s = fake_sample[FAKE_LAB];
	struct msg_process p = { 0 };
	struct msg_plain end;
	uint32_t id = list_begun(f);

	FAKE_ANSWER(f, end, CTL_END, id + 1); /* of another request */
	assert_strange(f);
	id = list_begun(f);
	FAKE_ANSWER(f, end, CTL_SESSION, id); /* too short */
	assert_strange(f);
	id = list_begun(f);
	FAKE_ANSWER(f, p, CTL_PROCESS, id); /* not asked for */
	assert_strange(f);
	id = list_begun(f);
	FAKE_ANSWER(f, end, TS_READY, id); /* no answer at all */
	assert_strange(f);
	id = list_begun(f);
	memset(s.user, 'x', sizeof(s.user)); /* not terminated */
	FAKE_ANSWER(f, s, CTL_SESSION, id);
	assert_strange(f);
	id = list_begun(f);
	s = fake_sample[FAKE_LAB];
	memcpy(s.station, "\033[2J", 5);
	FAKE_ANSWER(f, s, CTL_SESSION, id);
	assert_strange(f);
	list_begun(f);
	assert_int_equal(send(f->port, "x", 1, MSG_NOSIGNAL), 1);
	assert_strange(f);
}

static void test_strange_reply(void **data)
{
	struct fake *f = *data;
	SMAPIMSG call;

	fake_run(f, "start");
	call = fake_asked(f, LPC_REQUEST, sizeof(SMAPIMSG)).call;
	call.ApiNumber = SmStopCsrApi;
	fake_answer_call(f, call, STATUS_SUCCESS);
	fake_assert_failure(f, 1, "musessctl: start: what answers at ");
}

/* ---- the command line ---- */

static void test_usage(void **data)
{
	struct fake *f = *data;

	fake_run_with(f, "", NULL);
	fake_assert_failure(f, 2, "musessctl: no command\n");
	fake_run(f, "lists");
	fake_assert_failure(f, 2, "musessctl: unknown command: lists\n");
	fake_run(f, "account", "drop", "joe");
	fake_assert_failure(f, 2, "musessctl: account: allowed are add, remove, list and passwd\n");
	fake_run(f, "account add", "joe");
	fake_assert_failure(f, 2, "musessctl: unknown command: account add joe\n");
	fake_run(f, "stop");
	fake_assert_failure(f, 2, "musessctl: stop: ID|SESSIONNAME is missing\n");
	fake_run(f, "list", "1", "2");
	fake_assert_failure(f, 2, "musessctl: list: too many arguments: 2\n");
	fake_run(f, "account", "add", "joe", "secret");
	fake_assert_failure(f, 2, "musessctl: account add: too many arguments: secret\n");
	fake_run(f, "list", "--command", "x");
	fake_assert_failure(f, 2, "musessctl: list has no option --command\n");
	fake_run(f, "account", "remove", "joe", "--password-file", "x");
	fake_assert_failure(f, 2, "musessctl: account remove has no option --password-file\n");
	fake_run(f, "list", "--frob");
	fake_assert_failure(f, 2, "musessctl: unrecognized option '--frob'\n");
}

/* What consists of digits is an id, or nothing; the rest is a name. */
static void test_bad_ids(void **data)
{
	static const char *const ids[] = { "", "4294967295", "4294967296",
		"99999999999999999999999" };
	static const char *const commands[] = { "stop", "show", "list", "users", "disconnect",
		"logoff", "reset" };
	struct fake *f = *data;
	char expected[64];

	for (size_t i = 0; i < sizeof(ids) / sizeof(*ids); i++)
		for (size_t c = 0; c < sizeof(commands) / sizeof(*commands); c++) {
			snprintf(expected, sizeof(expected), "musessctl: %s: \"%s\" is",
			    commands[c], ids[i]);
			fake_run(f, commands[c], "--", ids[i]);
			fake_assert_failure(f, 2, expected);
		}
}

static void test_names_that_nobody_has(void **data)
{
	static const char *const names[] = { "x", "1x", " 1", "+1", "-1", "0x1" };
	struct fake *f = *data;
	char expected[64];

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		snprintf(
		    expected, sizeof(expected), "musessctl: Session name %s not found\n", names[i]);
		fake_run(f, "stop", "--", names[i]);
		fake_answer_list(f, fake_sample, FAKE_SAMPLE_COUNT);
		fake_assert_failure(f, 1, expected);
	}
}

static void test_help(void **data)
{
	static const char *const lines[] = { "\n  list ", "\n  show ID|SESSIONNAME ", "\n  ps ",
		"\n  start [--command CMD] ", "\n  stop ID|SESSIONNAME ",
		"\n  exec ID|SESSIONNAME -- CMD... ", "\n  message ID|SESSIONNAME|USER|* [TEXT] ",
		"\n  events -f ", " qwinsta quser qprocess tsdiscon tscon logoff rwinsta msg\n",
		"\n  pool [SIZE] ", "\n  account add NAME ", "\n  account remove ACCOUNT ",
		"\n  account list ", "\n  account passwd ACCOUNT ", "\n  version ",
		"\n  --socket PATH ", "\n  --json ", "\n  --help " };
	struct fake *f = *data;

	fake_run(f, "--help");
	fake_assert_success(f);
	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++)
		assert_non_null(strstr(f->out, lines[i]));
	fake_run(f, "--version");
	fake_assert_success(f);
	assert_string_equal(f->out, "musessctl " MUSESS_VERSION "\n");
}

/* Of one command, or of those that begin with a word, alone. */
static void test_help_of_a_command(void **data)
{
	static const char add[] = "Usage: musessctl account add NAME [--password-file FILE] ";
	struct fake *f = *data;

	fake_run(f, "pool", "--help");
	fake_assert_success(f);
	assert_ptr_equal(
	    strstr(f->out, "Usage: musessctl pool [SIZE] [OPTION]...\nHow many "), f->out);
	assert_non_null(strstr(f->out, "\n  --json "));
	assert_null(strstr(f->out, "--password-file"));
	assert_null(strstr(f->out, "reload"));
	fake_run(f, "--help", "account", "add");
	fake_assert_success(f);
	assert_ptr_equal(strstr(f->out, add), f->out);
	assert_null(strstr(f->out, "account remove"));
	fake_run(f, "account", "--help");
	fake_assert_success(f);
	assert_non_null(strstr(f->out, add));
	assert_non_null(strstr(f->out, "Usage: musessctl account remove ACCOUNT "));
	assert_null(strstr(f->out, "pool"));
	fake_run(f, "frob", "--help");
	fake_assert_success(f);
	assert_non_null(strstr(f->out, "\n  pool [SIZE] "));
}

static void test_version(void **data)
{
	struct fake *f = *data;
	struct msg_version service = { .version = "9.8.7" };

	fake_run(f, "version");
	FAKE_ANSWER(f, service, CTL_VERSION, fake_asked_plainly(f, CTL_VERSION));
	fake_assert_success(f);
	assert_string_equal(f->out, "musessctl " MUSESS_VERSION "\nservice   9.8.7\n");
	fake_run(f, "version", "--json");
	FAKE_ANSWER(f, service, CTL_VERSION, fake_asked_plainly(f, CTL_VERSION));
	fake_assert_output_json(f, "{'musessctl': '" MUSESS_VERSION "', 'service': '9.8.7'}");
}

/* ---- time is up ---- */

/* The timeout is one for all answers. It begins with the first test and is awaited in the
   last. */
static void *slow;

static int group_setup(void **data)
{
	struct msg_session s = { .state = WTS_CONNECTED };

	(void)data;
	fake_setup(&slow);
	struct fake *f = slow;
	fake_run(f, "list");
	FAKE_ANSWER(f, s, CTL_SESSION, fake_asked_plainly(f, CTL_LIST));
	return 0;
}

static int group_teardown(void **data)
{
	(void)data;
	return fake_teardown(&slow);
}

static void test_timeout(void **data)
{
	(void)data;
	fake_assert_failure(slow, 1, "musessctl: list: STATUS_IO_TIMEOUT: no answer in time\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FAKE_TEST(test_list),
		FAKE_TEST(test_list_own_session_is_none),
		FAKE_TEST(test_list_cuts_long_texts),
		FAKE_TEST(test_list_of_thousands),
		FAKE_TEST(test_list_json),
		FAKE_TEST(test_show),
		FAKE_TEST(test_show_of_little),
		FAKE_TEST(test_start),
		FAKE_TEST(test_start_command),
		FAKE_TEST(test_start_command_bounds),
		FAKE_TEST(test_stop),
		FAKE_TEST(test_no_service),
		FAKE_TEST(test_path_too_long),
		FAKE_TEST(test_no_permission),
		FAKE_TEST(test_cut_off),
		FAKE_TEST(test_strange_answers),
		FAKE_TEST(test_strange_reply),
		FAKE_TEST(test_usage),
		FAKE_TEST(test_bad_ids),
		FAKE_TEST(test_names_that_nobody_has),
		FAKE_TEST(test_help),
		FAKE_TEST(test_help_of_a_command),
		FAKE_TEST(test_version),
		cmocka_unit_test(test_timeout),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
