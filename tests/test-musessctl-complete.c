/*
 * The completion of musessctl's command line, in a real bash: the words of a line, the last of
 * which is being typed, give the words that may come. smss is asked for names as by hand.
 */
#include "fake-smss.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct msg_session sessions[] = {
	{ .session = 0, .state = WTS_CONNECTED, .winstation = "Console" },
	{ .session = 1, .state = WTS_ACTIVE, .winstation = "RDP-Tcp#1", .user = "lab" },
	{ .session = 12, .state = WTS_ACTIVE, .winstation = "RDP-Tcp#12", .user = "l\xc3\xa4mmle" },
	{ .session = 13, .state = WTS_DISCONNECTED, .user = "a$(touch /tmp/x)b c" },
	{ .session = 14,
	    .state = WTS_ACTIVE,
	    .winstation = "RDP-Tcp#14",
	    .user = "too-long-a-name-to-be-whole" },
	{ .session = LISTENER_ID, .state = WTS_LISTEN, .winstation = "RDP-Tcp" },
};
enum { SESSIONS = sizeof(sessions) / sizeof(*sessions) };

/* The program that is completed; the harness runs bash in its place. */
static const char *musessctl;

/* Begins to complete LINE, words in bash's syntax behind the program's name. */
static void begin(struct fake *f, const char *line)
{
	char script[2048];
	char *words[] = { "bash", "--norc", "-c", script, NULL };

	snprintf(script, sizeof(script),
	    "source '%s' && COMP_WORDS=('%s' %s) && COMP_CWORD=$((${#COMP_WORDS[@]} - 1)) && "
	    "_musessctl && if [ ${#COMPREPLY[@]} -gt 0 ]; then printf '%%s ' \"${COMPREPLY[@]}\"; "
	    "fi",
	    COMPLETION, musessctl, line);
	fake_run_words(f, "", words);
}

static void end(struct fake *f, const char *expected)
{
	fake_assert_success(f);
	assert_string_equal(f->out, expected);
}

static void assert_completed(struct fake *f, const char *line, const char *expected)
{
	begin(f, line);
	end(f, expected);
}

/* Likewise, where the sessions are asked for TIMES times. */
static void assert_sessions(struct fake *f, const char *line, int times, const char *expected)
{
	begin(f, line);
	for (int i = 0; i < times; i++) {
		fake_answer_list(f, sessions, SESSIONS);
		fd_close(&f->port);
	}
	end(f, expected);
}

static void test_commands(void **data)
{
	struct fake *f = *data;

	assert_completed(f, "''",
	    "account connect disconnect drain events exec list logoff message pool ps reload reset "
	    "show start stats stop top users version ");
	assert_completed(f, "st", "start stats stop ");
	assert_completed(f, "--json re", "reload reset ");
	assert_completed(f, "account ''", "add list passwd remove ");
	assert_completed(f, "account p", "passwd ");
	assert_completed(f, "frob ''", "");
	assert_completed(f, "version ''", "");
	assert_completed(f, "account list ''", "");
	assert_completed(f, "exec 1 -- l", "");
}

static void test_options(void **data)
{
	struct fake *f = *data;

	assert_completed(f, "-", "--socket --version --help ");
	assert_completed(f, "events -", "--json --follow --socket --version --help ");
	assert_completed(f, "message 1 --t", "--time --title ");
	assert_completed(f, "account add joe --p", "--password-file ");
	assert_completed(f, "top --interval ''", "");
	assert_completed(f, "drain --json o", "on off ");
	assert_completed(f, "drain ''", "on off until-restart ");
	assert_completed(f, "--socket /et", "/etc ");
	assert_completed(f, "--socket = /et", "/etc ");
	assert_completed(f, "pool 1 ''", "");
}

static void test_sessions(void **data)
{
	struct fake *f = *data;

	assert_sessions(f, "reset ''", 2, "0 1 12 13 14 console rdp-tcp#1 rdp-tcp#12 rdp-tcp#14 ");
	assert_sessions(f, "logoff 1", 2, "1 12 13 14 ");
	assert_sessions(f, "connect 2 --dest r", 1, "rdp-tcp#1 rdp-tcp#12 rdp-tcp#14 ");
	assert_sessions(f, "connect 2 --dest = con", 1, "console ");
	assert_sessions(f, "connect 2 --dest =", 1, "console rdp-tcp#1 rdp-tcp#12 rdp-tcp#14 ");
	assert_sessions(f, "message l", 3, "lab $'l\\303\\244mmle' ");
	assert_sessions(f, "message '*'", 3, "\\* ");
	assert_sessions(f, "users a", 3, "a\\$\\(touch\\ /tmp/x\\)b\\ c ");
}

static void test_accounts(void **data)
{
	struct fake *f = *data;
	struct lsa_answer joe = { .user = "joe" }, lab = { .user = "lab*" };
	union fake_request r;

	begin(f, "account remove ''");
	r = fake_asked(f, ACCT_LIST, sizeof(struct msg_plain));
	FAKE_ANSWER(f, joe, ACCT_ENTRY, r.h.message_id);
	FAKE_ANSWER(f, lab, ACCT_ENTRY, r.h.message_id);
	fake_answer_account(f, &r, 0);
	end(f, "joe lab\\* ");
	assert_completed(f, "account add ''", "");
}

/* Of another service, where the line names it; of none there is nothing. */
static void test_service_of_the_line(void **data)
{
	struct fake *f = *data;
	char line[256];

	assert_completed(f, "--socket /nonexistent stop ''", "");
	snprintf(line, sizeof(line), "--socket = %s stop 12", f->path);
	assert_sessions(f, line, 2, "12 ");
}

/* The table is musessctl's: each of its commands is offered, and with its options. */
static void test_nothing_drifts(void **data)
{
	char *words[] = { "bash", "--norc", "-c",
		"source \"$COMPLETION\" && \"$COMPLETED\" --complete | tail -n +2 | "
		"while IFS=: read -r name operand options; do "
		"COMP_WORDS=(\"$COMPLETED\" $name) COMP_CWORD=$(wc -w <<<\"$name\") && _musessctl "
		"&& "
		"[[ \" ${COMPREPLY[*]} \" == *\" ${name##* } \"* ]] || echo \"$name\"; "
		"COMP_WORDS+=(-) COMP_CWORD=$((COMP_CWORD + 1)) && _musessctl && "
		"for option in $options; do "
		"[[ \" ${COMPREPLY[*]} \" == *\" ${option%%=*} \"* ]] || echo \"$name $option\"; "
		"done; done",
		NULL };
	struct fake *f = *data;

	fake_run_words(f, "", words);
	end(f, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FAKE_TEST(test_commands),
		FAKE_TEST(test_options),
		FAKE_TEST(test_sessions),
		FAKE_TEST(test_accounts),
		FAKE_TEST(test_service_of_the_line),
		FAKE_TEST(test_nothing_drifts),
	};

	musessctl = getenv("COMPLETED");
	if (!musessctl)
		fail_msg("COMPLETED is not set: the path of musessctl");
	setenv("LC_ALL", "C", 1); /* how bash quotes depends on it */
	setenv("COMPLETION", COMPLETION, 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
