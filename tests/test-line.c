/* The line at a prompt: keys in, text and what the screen gets out. */
#include "../sessmgr/line.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

enum { SIZE = 16, TAKEN_SIZE = 4096 };
#define AGAIN "\0338\033[J"

struct typed {
	char text[SIZE], screen[TAKEN_SIZE];
	bool ended;
};

/* Types KEYS until the line ends. */
static struct typed type(const char *keys, bool shown)
{
	struct typed t = { 0 };
	char echo[SIZE + LINE_ECHO_MORE];
	struct line line;

	line_begin(&line, t.text, sizeof(t.text), shown);
	for (; *keys && !t.ended; keys++) {
		t.ended = line_take(&line, *keys, echo);
		strcat(t.screen, echo);
	}
	assert_int_equal(line.used, strlen(t.text));
	return t;
}

static void assert_typed(const char *keys, const char *text, const char *screen)
{
	struct typed t = type(keys, true), hidden = type(keys, false);

	if (strcmp(t.text, text) != 0 || strcmp(t.screen, screen) != 0)
		fail_msg("\"%s\" is \"%s\", on the screen \"%s\"", keys, t.text, t.screen);
	assert_string_equal(hidden.text, text);
	assert_string_equal(hidden.screen, "");
}

static void test_ends(void **unused)
{
	static const char *const keys[] = { "joe\rx", "joe\nx", "joe\tx" };

	(void)unused;
	for (size_t i = 0; i < 3; i++) {
		assert_true(type(keys[i], true).ended);
		assert_typed(keys[i], "joe", "joe");
	}
	assert_false(type("joe", true).ended);
	assert_true(type("\t", true).ended);
}

static void test_taken_back(void **unused)
{
	(void)unused;
	assert_typed("jx\x7foe", "joe", "jx" AGAIN "joe");
	assert_typed("jx\boe", "joe", "jx" AGAIN "joe");
	assert_typed("j\xc3\xa4\x7foe", "joe", "j\xc3\xa4" AGAIN "joe");
	assert_typed("\x7fj", "j", "j");
	assert_typed("abc\x15joe", "joe", "abc" AGAIN "joe");
	assert_typed("\x15joe", "joe", "joe");
}

/* Keys that a terminal sends as sequences, and those that are control characters. */
static void test_other_keys(void **unused)
{
	static const char *const keys[] = { "\033[A", "\033[D", "\033OA", "\033OP", "\033[15~",
		"\033[1;5C", "\033[Z", "\033[3~", "\033", "\001", "\003", "\004", "\032", "\034",
		"\033[200~", "\033\033[B" };
	char typed[64];

	(void)unused;
	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
		strcpy(typed, "j");
		strcat(typed, keys[i]);
		strcat(typed, "oe");
		assert_typed(typed, "joe", "joe");
	}
	assert_typed("j\033Oto", "jOto", "jOto"); /* the Escape key, and then an O */
	assert_typed("j\033[3\roe", "j", "j");    /* a sequence that is cut off hides no Enter */
}

static void test_characters(void **unused)
{
	(void)unused;
	assert_typed("\xf0\x9d\x84\x9e\xe2\x82\xac", "\xf0\x9d\x84\x9e\xe2\x82\xac",
	    "\xf0\x9d\x84\x9e\xe2\x82\xac");
	assert_typed("a\xc3"
	             "b",
	    "ab", "ab");
	assert_typed("a\xa4"
	             "b\xff"
	             "c\xed\xa0\x80"
	             "d\xc2\x85",
	    "abcd", "abcd");
	assert_typed("\xc3\xc3\xa4", "\xc3\xa4", "\xc3\xa4");
}

/* What does not fit is not taken, nor shown: no half a character either. */
static void test_full(void **unused)
{
	(void)unused;
	assert_typed("0123456789abcdefgh", "0123456789abcde", "0123456789abcde");
	assert_typed("0123456789abcd\xc3\xa4g", "0123456789abcdg", "0123456789abcdg");
	assert_typed(
	    "0123456789abcdef\x7fg", "0123456789abcdg", "0123456789abcde" AGAIN "0123456789abcdg");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ends),
		cmocka_unit_test(test_taken_back),
		cmocka_unit_test(test_other_keys),
		cmocka_unit_test(test_characters),
		cmocka_unit_test(test_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
