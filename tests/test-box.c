/* Unit tests of sessmgr/box.c and cells.c: where a box is drawn, and what of its text is in it;
   which is shown, how it is answered, and when it goes by itself. */
#include "box.h"
#include "cells.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	SECOND = 1000000,
	NOW = 77 * SECOND,
	BEFORE = 0xdead, /* what is in a cell that nothing was drawn over */
	GUARD = 8,
	/* the smallest desktop, below its status line */
	NARROW = DESKTOP_MIN / CELL_WIDTH,
	LOW = DESKTOP_MIN / CELL_HEIGHT - 1
};

static struct boxes boxes;

static int no_boxes(void **state)
{
	(void)state;
	memset(&boxes, 0, sizeof(boxes));
	return 0;
}

static uint32_t add(uint32_t number, const char *text, uint32_t seconds, uint64_t now)
{
	struct msg_box m = { .number = number, .seconds = seconds };

	assert_true(strlen(text) < sizeof(m.text));
	memcpy(m.text, text, strlen(text) + 1);
	snprintf(m.title, sizeof(m.title), "Title %u", number);
	return box_add(&boxes, &m, now);
}

/* ---- a screen ---- */

static struct {
	int columns, rows;
	char *text[ROWS_MAX]; /* UTF-8, what was not drawn over is '.' */
} screen;

static int forget_screen(void **state)
{
	(void)state;
	for (int i = 0; i < ROWS_MAX; i++) {
		free(screen.text[i]);
		screen.text[i] = NULL;
	}
	return 0;
}

static char *put_code(char *to, uint32_t code)
{
	if (code == BEFORE)
		*to++ = '.';
	else if (code < 0x80)
		*to++ = (char)code;
	else if (code < 0x800)
		to += snprintf(to, 3, "%c%c", 0xc0 | code >> 6, 0x80 | (code & 0x3f));
	else if (code < 0x10000)
		to += snprintf(to, 4, "%c%c%c", 0xe0 | code >> 12, 0x80 | (code >> 6 & 0x3f),
		    0x80 | (code & 0x3f));
	else
		to += snprintf(to, 5, "%c%c%c%c", 0xf0 | code >> 18, 0x80 | (code >> 12 & 0x3f),
		    0x80 | (code >> 6 & 0x3f), 0x80 | (code & 0x3f));
	*to = 0;
	return to;
}

/* Draws all rows, as csrss does one by one; no cell beside the COLUMNS is touched. */
static void draw(int columns, int rows)
{
	size_t count = (size_t)columns + 2 * (size_t)GUARD;
	struct cell *cells = calloc(count, sizeof(*cells));
	char *to;

	assert_non_null(cells);
	forget_screen(NULL);
	screen.columns = columns;
	screen.rows = rows;
	for (int row = 0; row < rows; row++) {
		for (size_t i = 0; i < count; i++)
			cells[i].code = BEFORE;
		box_draw(&boxes, row, rows, cells + GUARD, columns);
		for (int i = 0; i < GUARD; i++) {
			assert_int_equal(cells[i].code, BEFORE);
			assert_int_equal(cells[GUARD + columns + i].code, BEFORE);
		}
		to = screen.text[row] = malloc((size_t)columns * 4 + 1);
		assert_non_null(to);
		*to = 0;
		for (int i = 0; i < columns; i++)
			to = put_code(to, cells[GUARD + i].code);
	}
	free(cells);
}

/* ROW of the screen, from its top, is TEXT. */
static void row_is(int row, const char *text)
{
	assert_true(row < screen.rows);
	assert_string_equal(screen.text[row], text);
}

static bool on_screen(const char *text)
{
	for (int row = 0; row < screen.rows; row++)
		if (strstr(screen.text[row], text))
			return true;
	return false;
}

/* ---- layout ---- */

static void test_nothing_is_drawn_without_a_box(void **state)
{
	(void)state;
	draw(10, 2);
	row_is(0, "..........");
	row_is(1, "..........");
}

static void test_a_box_is_in_the_middle(void **state)
{
	(void)state;
	add(1, "Hello", 0, NOW);
	draw(29, 9);
	row_is(0, ".............................");
	row_is(1, ".............................");
	row_is(2, "..  Title 1                ..");
	row_is(3, "..                         ..");
	row_is(4, "..  Hello                  ..");
	row_is(5, "..                         ..");
	row_is(6, "..  [ OK ]  press any key  ..");
	row_is(7, ".............................");
	row_is(8, ".............................");
}

static void test_an_odd_cell_is_right_and_below(void **state)
{
	(void)state;
	add(1, "Hello", 0, NOW);
	draw(28, 6);
	row_is(0, ".  Title 1                ..");
	row_is(5, "............................");
}

static void test_the_longest_line_is_the_width(void **state)
{
	(void)state;
	add(1, "a\n0123456789012345678901234\nb", 0, NOW);
	draw(31, 7);
	row_is(2, ".  a                          .");
	row_is(3, ".  0123456789012345678901234  .");
	row_is(4, ".  b                          .");
}

static void test_lines_are_broken_at_blanks(void **state)
{
	(void)state;
	add(1, "The service ends at noon. Please save your work.", 0, NOW);
	draw(NARROW, LOW);
	assert_int_equal(NARROW, 25);
	assert_int_equal(LOW, 11);
	row_is(2, "  Title 1                ");
	row_is(4, "  The service ends at    ");
	row_is(5, "  noon. Please save      ");
	row_is(6, "  your work.             ");
	row_is(8, "  [ OK ]  press any key  ");
}

static void test_a_word_that_just_fits_is_not_broken(void **state)
{
	(void)state;
	add(1, "012345678901234567890 next\n012345678901234567890\nlast", 0, NOW);
	draw(NARROW, LOW);
	row_is(3, "  012345678901234567890  ");
	row_is(4, "  next                   ");
	row_is(5, "  012345678901234567890  ");
	row_is(6, "  last                   ");
}

static void test_long_words_are_broken_anywhere(void **state)
{
	(void)state;
	add(1, "see 0123456789012345678901234567890123456789", 0, NOW);
	draw(NARROW, LOW);
	row_is(4, "  see                    ");
	row_is(5, "  012345678901234567890  ");
	row_is(6, "  1234567890123456789    ");
}

static void test_several_blanks_break_once(void **state)
{
	(void)state;
	add(1, "012345678901234567890   next", 0, NOW);
	draw(NARROW, LOW);
	row_is(4, "  012345678901234567890  ");
	row_is(5, "  next                   ");
	no_boxes(NULL);
	/* those that a text begins with are its own, but no line of theirs */
	add(1, "  0123456789012345678901234", 0, NOW);
	draw(NARROW, LOW);
	row_is(4, "    0123456789012345678  ");
	row_is(5, "  901234                 ");
}

static void test_empty_lines_stay(void **state)
{
	(void)state;
	add(1, "a\n\n\nb\n", 0, NOW);
	draw(NARROW, LOW);
	row_is(3, "  a                      ");
	row_is(4, "                         ");
	row_is(5, "                         ");
	row_is(6, "  b                      ");
	row_is(8, "  [ OK ]  press any key  ");
}

static void test_blanks_alone_end(void **state)
{
	char text[BOX_TEXT_SIZE];

	(void)state;
	memset(text, ' ', sizeof(text) - 1);
	text[sizeof(text) - 1] = 0;
	add(1, text, 0, NOW);
	draw(NARROW, LOW);
	assert_true(on_screen("press any key"));
	no_boxes(NULL);
	memset(text, '\n', sizeof(text) - 1);
	add(1, text, 0, NOW);
	draw(NARROW, LOW);
	assert_true(on_screen("press any key"));
}

static void test_no_text_is_a_title_and_a_hint(void **state)
{
	(void)state;
	add(1, "", 0, NOW);
	draw(NARROW, 4);
	row_is(0, "  Title 1                ");
	row_is(3, "  [ OK ]  press any key  ");
}

/* A text with as many lines as it may have bytes: what does not fit is left out, the hint is not. */
static void test_a_long_text_is_cut(void **state)
{
	char text[BOX_TEXT_SIZE];

	(void)state;
	for (size_t i = 0; i < sizeof(text) - 1; i++)
		text[i] = (char)(i % 2 ? '\n' : 'a' + i / 2 % 26);
	text[sizeof(text) - 1] = 0;
	add(1, text, 0, NOW);
	draw(NARROW, LOW);
	row_is(0, "  Title 1                ");
	row_is(2, "  a                      ");
	row_is(8, "  g                      ");
	row_is(10, "  [ OK ]  press any key  ");
}

static void test_1023_bytes_are_all_there(void **state)
{
	char text[BOX_TEXT_SIZE];
	int found = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(text) - 1; i++)
		text[i] = (char)('a' + i % 26);
	text[sizeof(text) - 1] = 0;
	add(1, text, 0, NOW);
	draw(128, 47);
	for (int row = 0; row < screen.rows; row++) {
		const char *from = screen.text[row] + 32 + 2;
		size_t length = strspn(from, "abcdefghijklmnopqrstuvwxyz");
		if (length < 3) /* 1,023 are 17 lines of 60, and 3 */
			continue;
		assert_memory_equal(from, text + 60 * (size_t)found, length);
		found++;
	}
	assert_int_equal(found, 18);
}

static void test_utf8_is_a_cell_for_each_code_point(void **state)
{
	(void)state;
	add(1, "gr\u00fc\u00dfe \u20ac5 \U0001f600", 0, NOW);
	snprintf(boxes.box[0].title, sizeof(boxes.box[0].title), "\u00dcberschrift");
	draw(NARROW, LOW);
	row_is(3, "  \u00dcberschrift            ");
	row_is(5, "  gr\u00fc\u00dfe \u20ac5 \U0001f600             ");
}

/* 341 characters of three bytes and nothing to break at. */
static void test_utf8_is_broken_between_code_points(void **state)
{
	char text[BOX_TEXT_SIZE] = "";
	int count = 0;

	(void)state;
	for (size_t i = 0; i + 3 < sizeof(text); i += 3)
		memcpy(text + i, "\u20ac", 4);
	assert_int_equal(strlen(text), 1023);
	add(1, text, 0, NOW);
	draw(64, 20);
	for (int row = 0; row < screen.rows; row++)
		for (const char *at = screen.text[row]; (at = strstr(at, "\u20ac")); at += 3)
			count++;
	assert_int_equal(count, 341);
}

static void test_a_long_title_is_cut(void **state)
{
	(void)state;
	add(1, "x", 0, NOW);
	memset(boxes.box[0].title, 'T', sizeof(boxes.box[0].title) - 1);
	draw(NARROW, LOW);
	row_is(3, "  TTTTTTTTTTTTTTTTTTTTT  ");
	draw(90, LOW);
	assert_true(on_screen("TTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTT  "));
}

/* No desktop is so small that anything is drawn beside it (draw looks), or that it takes for
   ever; from the smallest that a client may have on, what to do is there to read. */
static void test_every_size_of_desktop(void **state)
{
	static const char *const texts[] = { "", "x", "\n\n\n", "several words in one line",
		"a-word-of-many-characters-without-a-place-to-break-it-at-in-it-at-all", "  x  " };
	char longest[BOX_TEXT_SIZE];

	(void)state;
	memset(longest, 'y', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = 0;
	for (size_t i = 0; i <= sizeof(texts) / sizeof(*texts); i++) {
		no_boxes(NULL);
		add(1, i < sizeof(texts) / sizeof(*texts) ? texts[i] : longest, 0, NOW);
		for (int columns = 1; columns < 80; columns++)
			for (int rows = 1; rows < 30; rows++) {
				draw(columns, rows);
				if (columns >= NARROW && rows >= LOW)
					assert_true(on_screen("[ OK ]  press any key"));
			}
	}
	draw(COLUMNS_MAX, ROWS_MAX - 1);
	assert_true(on_screen("[ OK ]  press any key"));
}

/* ---- the queue ---- */

static void test_they_are_shown_one_after_another(void **state)
{
	uint32_t number;

	(void)state;
	assert_int_equal(add(1, "first", 0, NOW), 0);
	assert_int_equal(add(2, "second", 0, NOW), 0);
	draw(NARROW, LOW);
	assert_true(on_screen("first"));
	assert_false(on_screen("second"));
	assert_true(box_key(&boxes, NOW + SECOND, &number));
	assert_int_equal(number, 1);
	draw(NARROW, LOW);
	assert_true(on_screen("second"));
}

static void test_too_many_push_the_first_out(void **state)
{
	uint32_t number;

	(void)state;
	for (uint32_t i = 1; i <= BOXES_MAX; i++)
		assert_int_equal(add(i, "x", 0, NOW), 0);
	assert_int_equal(add(100, "y", 0, NOW + 5 * SECOND), 1);
	assert_int_equal(add(101, "z", 0, NOW + 5 * SECOND), 2);
	assert_int_equal(boxes.count, BOXES_MAX);
	draw(NARROW, LOW);
	assert_true(on_screen("Title 3"));
	/* it is shown since then, and not read before */
	assert_true(box_key(&boxes, NOW + 5 * SECOND + SECOND / 2, &number));
	assert_int_equal(number, 0);
	for (uint32_t i = 3; i <= BOXES_MAX; i++) {
		assert_true(box_key(&boxes, NOW + (10 + i) * SECOND, &number));
		assert_int_equal(number, i);
	}
	assert_true(box_key(&boxes, NOW + 30 * SECOND, &number));
	assert_int_equal(number, 100);
	assert_true(box_key(&boxes, NOW + 40 * SECOND, &number));
	assert_int_equal(number, 101);
	assert_false(box_key(&boxes, NOW + 50 * SECOND, &number));
	assert_int_equal(number, 0);
}

/* ---- keys ---- */

static void test_what_was_being_typed_is_no_answer(void **state)
{
	uint32_t number = 42;

	(void)state;
	assert_false(box_key(&boxes, NOW, &number));
	assert_int_equal(number, 0);
	add(1, "x", 0, NOW);
	assert_true(box_key(&boxes, NOW, &number));
	assert_int_equal(number, 0);
	assert_true(box_key(&boxes, NOW + SECOND - 1, &number));
	assert_int_equal(number, 0);
	assert_true(box_key(&boxes, NOW + SECOND, &number));
	assert_int_equal(number, 1);
	assert_int_equal(boxes.count, 0);
}

static void test_the_next_has_a_second_of_its_own(void **state)
{
	uint32_t number;

	(void)state;
	add(1, "x", 0, NOW);
	add(2, "y", 0, NOW);
	assert_true(box_key(&boxes, NOW + 5 * SECOND, &number));
	assert_int_equal(number, 1);
	assert_true(box_key(&boxes, NOW + 6 * SECOND - 1, &number));
	assert_int_equal(number, 0);
	assert_true(box_key(&boxes, NOW + 6 * SECOND, &number));
	assert_int_equal(number, 2);
}

/* ---- time ---- */

static void test_a_box_goes_when_its_time_is_over(void **state)
{
	(void)state;
	assert_int_equal(box_take_expired(&boxes, NOW), 0);
	add(1, "x", 3, NOW);
	assert_int_equal(box_take_expired(&boxes, NOW + 3 * SECOND - 1), 0);
	assert_int_equal(box_take_expired(&boxes, NOW + 3 * SECOND), 1);
	assert_int_equal(box_take_expired(&boxes, NOW + 3 * SECOND), 0);
	assert_int_equal(boxes.count, 0);
	add(2, "y", 0, NOW);
	assert_int_equal(box_take_expired(&boxes, UINT64_MAX), 0);
}

static void test_those_that_wait_go_too(void **state)
{
	uint32_t number;

	(void)state;
	add(1, "x", 9, NOW);
	add(2, "y", 3, NOW);
	add(3, "z", 9, NOW);
	assert_int_equal(box_take_expired(&boxes, NOW + 5 * SECOND), 2);
	assert_int_equal(boxes.count, 2);
	assert_int_equal(box_take_expired(&boxes, NOW + 9 * SECOND), 1);
	assert_int_equal(box_take_expired(&boxes, NOW + 9 * SECOND), 3);
	assert_int_equal(boxes.count, 0);
	/* what comes up as another goes is shown since then */
	add(4, "x", 1, NOW);
	add(5, "y", 0, NOW);
	assert_int_equal(box_take_expired(&boxes, NOW + SECOND), 4);
	assert_true(box_key(&boxes, NOW + 2 * SECOND - 1, &number));
	assert_int_equal(number, 0);
	assert_true(box_key(&boxes, NOW + 2 * SECOND, &number));
	assert_int_equal(number, 5);
}

static void test_timeouts(void **state)
{
	uint64_t until = NOW + (uint64_t)BOX_SECONDS_MAX * SECOND;

	(void)state;
	assert_int_equal(box_timeout(&boxes, NOW), -1);
	add(1, "x", 0, NOW);
	assert_int_equal(box_timeout(&boxes, NOW), -1);
	add(2, "y", BOX_SECONDS_MAX, NOW);
	assert_in_range(
	    box_timeout(&boxes, NOW), BOX_SECONDS_MAX * 1000, BOX_SECONDS_MAX * 1000 + 1);
	add(3, "z", 2, NOW);
	assert_in_range(box_timeout(&boxes, NOW), 2000, 2001);
	/* whoever waits as long finds it over, and does not have to look twice */
	assert_in_range(box_timeout(&boxes, NOW + 2 * SECOND - 1), 1, 2);
	assert_int_equal(box_timeout(&boxes, NOW + 2 * SECOND), 0);
	assert_int_equal(box_timeout(&boxes, NOW + 3 * SECOND), 0);
	assert_int_equal(box_take_expired(&boxes, NOW + 3 * SECOND), 3);
	assert_int_equal(box_timeout(&boxes, until), 0);
	assert_int_equal(box_take_expired(&boxes, until), 2);
	assert_int_equal(box_timeout(&boxes, until), -1);
}

/* ---- cells ---- */

static void test_code_points(void **state)
{
	const char *text = "a\u00e9\u20ac\U0001f600";

	(void)state;
	assert_int_equal(cells_next_code(&text), 'a');
	assert_int_equal(cells_next_code(&text), 0xe9);
	assert_int_equal(cells_next_code(&text), 0x20ac);
	assert_int_equal(cells_next_code(&text), 0x1f600);
	assert_int_equal(*text, 0);
}

/* One that was cut off does not lead behind the end of the text. */
static void test_half_a_code_point(void **state)
{
	static const char *const halves[] = { "\xc3", "\xe2", "\xe2\x82", "\xf0\x9f\x98" };

	(void)state;
	for (size_t i = 0; i < sizeof(halves) / sizeof(*halves); i++) {
		const char *text = halves[i];
		cells_next_code(&text);
		assert_ptr_equal(text, halves[i] + strlen(halves[i]));
	}
}

static void test_cells_are_filled(void **state)
{
	struct cell cells[5];

	(void)state;
	memset(cells, 0xff, sizeof(cells));
	cells_put(cells, 4, "\u20acb", 1, 2);
	assert_int_equal(cells[0].code, 0x20ac);
	assert_int_equal(cells[1].code, 'b');
	assert_int_equal(cells[2].code, ' ');
	assert_int_equal(cells[3].code, ' ');
	assert_int_equal(cells[3].foreground, 1);
	assert_int_equal(cells[3].background, 2);
	assert_int_equal(cells[4].code, UINT32_MAX);
	cells_put(cells, 1, "xyz", 1, 2);
	assert_int_equal(cells[0].code, 'x');
	assert_int_equal(cells[1].code, 'b');
	cells_put(cells, 0, "q", 1, 2);
	assert_int_equal(cells[0].code, 'x');
}

int main(void)
{
#define BOX_TEST(test) cmocka_unit_test_setup_teardown(test, no_boxes, forget_screen)
	const struct CMUnitTest tests[] = {
		BOX_TEST(test_nothing_is_drawn_without_a_box),
		BOX_TEST(test_a_box_is_in_the_middle),
		BOX_TEST(test_an_odd_cell_is_right_and_below),
		BOX_TEST(test_the_longest_line_is_the_width),
		BOX_TEST(test_lines_are_broken_at_blanks),
		BOX_TEST(test_a_word_that_just_fits_is_not_broken),
		BOX_TEST(test_long_words_are_broken_anywhere),
		BOX_TEST(test_several_blanks_break_once),
		BOX_TEST(test_empty_lines_stay),
		BOX_TEST(test_blanks_alone_end),
		BOX_TEST(test_no_text_is_a_title_and_a_hint),
		BOX_TEST(test_a_long_text_is_cut),
		BOX_TEST(test_1023_bytes_are_all_there),
		BOX_TEST(test_utf8_is_a_cell_for_each_code_point),
		BOX_TEST(test_utf8_is_broken_between_code_points),
		BOX_TEST(test_a_long_title_is_cut),
		BOX_TEST(test_every_size_of_desktop),
		BOX_TEST(test_they_are_shown_one_after_another),
		BOX_TEST(test_too_many_push_the_first_out),
		BOX_TEST(test_what_was_being_typed_is_no_answer),
		BOX_TEST(test_the_next_has_a_second_of_its_own),
		BOX_TEST(test_a_box_goes_when_its_time_is_over),
		BOX_TEST(test_those_that_wait_go_too),
		BOX_TEST(test_timeouts),
		cmocka_unit_test(test_code_points),
		cmocka_unit_test(test_half_a_code_point),
		cmocka_unit_test(test_cells_are_filled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
