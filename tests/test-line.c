/* The line at a prompt: keys in, text and what the screen gets out. */
#include "../sessmgr/line.h"

#include "vt-check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

enum { SIZE = 16, TAKEN_SIZE = 4096, COLUMNS = 80 };
#define PROMPT "Name: "
#define AGAIN "\r\033[J" PROMPT

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

	line_begin(&line, PROMPT, t.text, sizeof(t.text), shown);
	for (; *keys && !t.ended; keys++) {
		t.ended = line_take(&line, *keys, COLUMNS, echo);
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

/* ---- on a screen ---- */

enum { LONG_SIZE = 128, SCREEN_SIZE = 4096, HIGH = 2 * LONG_SIZE };

/* A prompt on a screen of COLUMNS and ROWS, below so many LINES. */
struct prompt {
	int columns, rows, lines;
	struct vt vt;
	struct line line;
	char text[LONG_SIZE];
};

static void write_text(struct vt *vt, const char *text)
{
	vt_write(vt, text, strlen(text));
	vt_check(vt);
}

static void write_lines(struct vt *vt, int lines)
{
	char line[8] = "a\r\n";

	for (; lines > 0; lines--) {
		line[0] = (char)('a' + lines % 26);
		write_text(vt, line);
	}
	write_text(vt, PROMPT);
}

static void make_screen(struct vt *vt, int columns, int rows)
{
	vt_init(vt, columns, rows, NULL, NULL);
	assert_int_equal(vt_start(vt), 0);
}

static void begin(struct prompt *p, int columns, int rows, int lines)
{
	p->columns = columns;
	p->rows = rows;
	p->lines = lines;
	make_screen(&p->vt, columns, rows);
	write_lines(&p->vt, lines);
	line_begin(&p->line, PROMPT, p->text, sizeof(p->text), true);
}

/* The screen's text as far as the cursor's row, below which there is none. */
static void read_screen(const struct vt *vt, char *text)
{
	char *end = text - 1;

	strcat((char *)vt_text(vt, text, SCREEN_SIZE - 1), "|");
	for (int row = 0; row <= vt->row; row++)
		end = strchr(end + 1, '|');
	assert_int_equal(strspn(end, "|"), strlen(end));
	*end = 0;
}

/* What is seen is the end of what a screen of any height would show, had it been written at once. */
static void assert_as_written(const struct prompt *p)
{
	char seen[SCREEN_SIZE], all[SCREEN_SIZE], *end;
	static struct vt high;

	make_screen(&high, p->columns, HIGH / p->columns + 16);
	write_lines(&high, p->lines);
	write_text(&high, p->text);
	read_screen(&high, all);
	read_screen(&p->vt, seen);
	assert_true(strlen(seen) <= strlen(all));
	end = all + strlen(all) - strlen(seen);
	if (strcmp(seen, end) != 0 || (end > all && end[-1] != '|') ||
	    p->vt.column != high.column || p->vt.wrap != high.wrap)
		fail_msg("%d x %d, below %d: \"%s\", not the end of \"%s\"", p->columns, p->rows,
		    p->lines, seen, all);
	vt_finish(&high);
}

static void press(struct prompt *p, char key)
{
	char echo[LONG_SIZE + LINE_ECHO_MORE];

	assert_false(line_take(&p->line, key, p->columns, echo));
	assert_true(strlen(echo) < sizeof(echo));
	write_text(&p->vt, echo);
}

static void press_all(struct prompt *p, const char *keys)
{
	for (; *keys; keys++) {
		press(p, *keys);
		if (p->line.character_used == 0)
			assert_as_written(p);
	}
}

/* One, two and no cells wide; a wide one that has no room at a row's end. */
#define LONG "abcdefghijklmnopq\344\270\255r\344\270\255\344\270\255s\303\244e\314\201tu"

/* Wherever on the screen the prompt is, however often the line goes on on the next row. */
static void test_screen(void **unused)
{
	static const int columns[] = { 1, 2, 3, 6, 7, 13, 25, 80 };
	static struct prompt p;

	(void)unused;
	for (size_t i = 0; i < sizeof(columns) / sizeof(*columns); i++)
		for (int rows = 1; rows <= 4; rows++)
			for (int lines = 0; lines <= rows; lines += rows) {
				begin(&p, columns[i], rows, lines);
				press_all(&p, LONG);
				press_all(&p, "\177\177\177vwx");
				while (p.line.used > 0)
					press_all(&p, "\b");
				press_all(&p, LONG LONG "\025y\177z");
				vt_finish(&p.vt);
			}
}

/* A desktop of another size: the whole line stands below once more, and goes on there. */
static void test_size(void **unused)
{
	static const int columns[] = { 12, 80, 7, 20 };
	char seen[SCREEN_SIZE], wanted[SCREEN_SIZE];
	static struct prompt p;
	static struct vt other;

	(void)unused;
	begin(&p, 30, 5, 5);
	press_all(&p, "abcdefghijklmnopqrstuvwxyz");
	for (size_t i = 0; i < sizeof(columns) / sizeof(*columns); i++) {
		p.columns = columns[i];
		assert_int_equal(vt_resize(&p.vt, p.columns, 40), 0);
		press(&p, '\177');
		press(&p, '\177');
		make_screen(&other, p.columns, 40);
		write_text(&other, PROMPT);
		write_text(&other, p.text);
		read_screen(&other, wanted);
		read_screen(&p.vt, seen);
		assert_true(strlen(seen) > strlen(wanted));
		assert_string_equal(seen + strlen(seen) - strlen(wanted), wanted);
		assert_int_equal(p.vt.column, other.column);
		vt_finish(&other);
	}
	vt_finish(&p.vt);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ends),
		cmocka_unit_test(test_taken_back),
		cmocka_unit_test(test_other_keys),
		cmocka_unit_test(test_characters),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_screen),
		cmocka_unit_test(test_size),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
