/* musessload's scripts: what is read, what is refused, and what is played when. */
#include "keys.h"
#include "script-play.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
/* cmocka wants the four above it */
#include <cmocka.h>

static int read_text(struct script *script, const char *text, char error[256])
{
	FILE *file = fmemopen((char *)text, strlen(text), "r");
	int status;

	assert_non_null(file);
	status = script_read(script, file, "s", error, 256);
	fclose(file);
	return status;
}

static void check_bad(const char *text, const char *want)
{
	struct script script = { 0 };
	char error[256];

	assert_int_equal(read_text(&script, text, error), -1);
	if (!strstr(error, want))
		fail_msg("\"%s\" is not in \"%s\"", want, error);
	script_finish(&script);
}

/* A file that has no end, and no line's end, is read to a bound. */
static void test_endless(void **data)
{
	static const char lines[] = "yes '# a comment'", *const commands[] = { "cat /dev/zero",
		lines };
	static const char *const want[] = { "s:1: the line is too long", "the script is too long" };

	(void)data;
	for (int i = 0; i < 2; i++) {
		struct script script = { 0 };
		FILE *file =
		    popen(commands[i], "re"); // NOLINT(cert-env33-c,bugprone-command-processor)
		char error[256] = "";

		assert_non_null(file);
		assert_int_equal(script_read(&script, file, "s", error, sizeof(error)), -1);
		assert_non_null(strstr(error, want[i]));
		script_finish(&script);
		pclose(file);
	}
}

/* Loops that nobody waits for count for no step behind them. */
static void test_long_loops(void **data)
{
	static const char text[] =
	    "repeat 1000000\nrepeat 1000000\nrepeat 1000000\nrepeat 1000000\n"
	    "wait 1s\nend\nend\nend\nend\n"
	    "echo aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n";
	struct script script = { 0 };
	char error[256];

	(void)data;
	if (read_text(&script, text, error) != 0)
		fail_msg("%s", error);
	assert_int_equal(script.echoes, 40);
	script_finish(&script);
}

static void test_bad(void **data)
{
	char long_echo[512] = "repeat 13\necho abcde\nend\n";

	(void)data;
	check_bad("# only this\n", "s:1: there is no step");
	check_bad("type a\nclick 3\n", "s:2: there is no step called \"click\"");
	check_bad("type\n", "nothing to type");
	check_bad("type a\\x\n", "\\x is not known");
	check_bad("type \xc3\xa4\n", "no key of a US keyboard");
	check_bad("key\n", "no key is named");
	check_bad("key hyper a\n", "no key called \"hyper\"");
	check_bad("key A\n", "no key called \"A\"");
	check_bad("key a b c d e f g h i\n", "too many keys");
	check_bad("wait soon\n", "\"soon\" is no time");
	check_bad("wait 5\n", "a number needs its unit");
	check_bad("\xef\xbb\xbf\n", "there is no step");
	check_bad("\xef\xbb\xbfwait 5s\n\xef\xbb\xbfwait 5s\n", "s:2: there is no step called");
	check_bad("wait-text x\n", "a pattern and a time-out");
	check_bad("wait-text [ 5s\n", "no regular expression");
	check_bad("repeat 0\nend\n", "no number of times");
	check_bad("repeat 2\ntype a\n", "a repeat has no end");
	check_bad("type a\nend\n", "s:2: there is no repeat");
	check_bad("repeat 2\nend now\n", "end takes nothing");
	check_bad(long_echo, "more keys are measured than the 64");
	memset(long_echo, 'a', 80);
	memcpy(long_echo, "echo ", 5);
	long_echo[80] = 0;
	check_bad(long_echo, "more keys are measured");
}

static void test_keys(void **data)
{
	bool shift;

	(void)data;
	assert_int_equal(keys_of_character('a', &shift), 0x1e);
	assert_false(shift);
	assert_int_equal(keys_of_character('A', &shift), 0x1e);
	assert_true(shift);
	assert_int_equal(keys_of_character('\n', &shift), 0x1c);
	assert_int_equal(keys_of_character('~', &shift), 0x29);
	assert_int_equal(keys_of_character('?', &shift), 0x35);
	assert_int_equal(keys_of_character('\x01', &shift), 0);
	for (int c = ' '; c <= '~'; c++)
		assert_int_not_equal(keys_of_character((char)c, &shift), 0);
	assert_int_equal(keys_of_name("Delete"), 0x53 | KEYS_EXTENDED);
	assert_int_equal(keys_of_name("f12"), 0x58);
	assert_int_equal(keys_of_name("x"), 0x2d);
	assert_int_equal(keys_of_name(""), 0);
}

/* ---- playing: a session that notes what is pressed ---- */

static struct {
	uint16_t keys[256];
	size_t count;
	bool text_is_there;
} session;

static void press(void *context, uint16_t key, bool down)
{
	(void)context;
	if (down && session.count < 256)
		session.keys[session.count++] = key;
}

static bool matches(void *context, const regex_t *pattern)
{
	(void)context;
	(void)pattern;
	return session.text_is_there;
}

/* Reads TEXT and plays it until it is at rest, at 1 s. */
static void begin(struct play *play, struct script *script, const char *text)
{
	char error[256];

	memset(&session, 0, sizeof(session));
	*script = (struct script){ 0 };
	if (read_text(script, text, error) != 0)
		fail_msg("%s", error);
	play_init(play, script, (struct play_port){ press, matches, NULL });
}

static void check_go(struct play *play, uint64_t now, uint64_t updates, uint64_t last,
    struct result *result, enum play_state state, uint64_t wake)
{
	uint64_t got = 0;

	assert_int_equal(play_go(play, now, updates, last, result, &got), state);
	if (state == PLAY_WAITING)
		assert_int_equal(got, wake);
}

static void test_rest(void **data)
{
	struct script script;
	struct play play;
	struct result r = { 0 };

	(void)data;
	begin(&play, &script, "type aB\\n\nwait 2s\n");
	check_go(&play, 1000000, 3, 900000, &r, PLAY_WAITING, 900000 + PLAY_REST_US);
	check_go(&play, 1100000, 4, 1100000, &r, PLAY_WAITING, 1100000 + PLAY_REST_US);
	assert_int_equal(session.count, 0);
	check_go(&play, 1400000, 4, 1100000, &r, PLAY_WAITING, 3400000);
	assert_int_equal(session.count, 4);
	assert_int_equal(session.keys[0], 0x1e);
	assert_int_equal(session.keys[1], KEYS_SHIFT);
	assert_int_equal(session.keys[2], 0x30);
	assert_int_equal(session.keys[3], 0x1c);
	check_go(&play, 3399999, 9, 3399999, &r, PLAY_WAITING, 3400000);
	check_go(&play, 3400000, 9, 3399999, &r, PLAY_DONE, 0);
	script_finish(&script);
	/* a screen that is never at rest */
	begin(&play, &script, "type a\n");
	check_go(&play, 1000000, 1, 999999, &r, PLAY_WAITING, 999999 + PLAY_REST_US);
	check_go(
	    &play, 1000000 + PLAY_REST_MOST_US, 1, 1000000 + PLAY_REST_MOST_US, &r, PLAY_DONE, 0);
	script_finish(&script);
}

static void test_repeat(void **data)
{
	struct script script;
	struct play play;
	struct result r = { 0 };

	(void)data;
	begin(&play, &script,
	    "repeat 2\n type a\n repeat 3\n  key ctrl c\n end\nend\n# over\ntype z\n");
	assert_int_equal(script.steps, 7);
	check_go(&play, 1000000, 1, 1, &r, PLAY_DONE, 0);
	assert_int_equal(session.count, 2 * (1 + 3 * 2) + 1);
	assert_int_equal(session.keys[0], 0x1e);
	assert_int_equal(session.keys[1], 0x1d);
	assert_int_equal(session.keys[7], 0x1e);
	assert_int_equal(session.keys[14], 0x2c);
	script_finish(&script);
	/* one that takes long does not keep others out */
	begin(&play, &script, "repeat 1000\ntype a\nend\n");
	check_go(&play, 1000000, 1, 1, &r, PLAY_WAITING, 1000000);
	assert_in_range(session.count, 10, 100);
	script_finish(&script);
}

static void test_echo(void **data)
{
	struct script script;
	struct play play;
	struct result r = { 0 };

	(void)data;
	begin(&play, &script, "echo ab\n");
	assert_int_equal(script.echoes, 2);
	check_go(&play, 1000000, 5, 1, &r, PLAY_WAITING, 1000000 + PLAY_ECHO_US);
	check_go(&play, 1005000, 5, 1, &r, PLAY_WAITING, 1000000 + PLAY_ECHO_US);
	check_go(&play, 1011000, 6, 1010000, &r, PLAY_WAITING, 1011000 + PLAY_PAUSE_US);
	assert_int_equal(r.echoes, 1);
	assert_int_equal(r.echo[0], 10000);
	/* the cursor's own picture is not the next key's */
	check_go(&play, 1015000, 7, 1015000, &r, PLAY_WAITING, 1011000 + PLAY_PAUSE_US);
	check_go(&play, 1031000, 7, 1015000, &r, PLAY_WAITING, 1031000 + PLAY_ECHO_US);
	assert_int_equal(session.count, 2);
	check_go(&play, 1034000, 8, 1033000, &r, PLAY_WAITING, 1034000 + PLAY_PAUSE_US);
	check_go(&play, 1060000, 8, 1033000, &r, PLAY_DONE, 0);
	assert_int_equal(r.echoes, 2);
	assert_int_equal(r.echo[1], 2000);
	script_finish(&script);
	begin(&play, &script, "echo a\n");
	check_go(&play, 1000000, 5, 1, &r, PLAY_WAITING, 1000000 + PLAY_ECHO_US);
	check_go(&play, 1000000 + PLAY_ECHO_US, 5, 1, &r, PLAY_FAILED, 0);
	assert_non_null(strstr(r.detail, "line 1: no picture within 2 s"));
	script_finish(&script);
}

static void test_wait_text(void **data)
{
	struct script script;
	struct play play;
	struct result r = { 0 };

	(void)data;
	begin(&play, &script, "wait-text '[$#] *$' 1s\ntype a\n");
	assert_true(script.reads_screen);
	check_go(&play, 1000000, 1, 1, &r, PLAY_WAITING, 1050000);
	session.text_is_there = true;
	check_go(&play, 1050000, 1, 1, &r, PLAY_DONE, 0);
	assert_int_equal(session.count, 1);
	script_finish(&script);
	begin(&play, &script, "wait-text never 1s\n");
	check_go(&play, 1000000, 1, 1, &r, PLAY_WAITING, 1050000);
	check_go(&play, 2000000, 1, 1, &r, PLAY_FAILED, 0);
	assert_non_null(strstr(r.detail, "does not show never"));
	script_finish(&script);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_long_loops),
		cmocka_unit_test(test_endless),
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_rest),
		cmocka_unit_test(test_repeat),
		cmocka_unit_test(test_echo),
		cmocka_unit_test(test_wait_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
