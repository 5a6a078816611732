/* Unit tests of sessmgr/terminal.c: what programs write, as cells and marks; keys. */
#include "terminal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

static struct terminal *t;
static int slave;

static int make_terminal(void **state)
{
	struct termios raw;

	(void)state;
	t = terminal_create(40, 10);
	slave = t ? terminal_open_slave(t) : -1;
	if (slave < 0 || tcgetattr(slave, &raw) < 0)
		return -1;
	cfmakeraw(&raw);
	return tcsetattr(slave, TCSANOW, &raw);
}

static int close_slave(void **state)
{
	(void)state;
	terminal_destroy(t);
	return 0;
}

static void drain_marks(void)
{
	int row, column;

	while (terminal_take_dirty(t, 0) >= 0)
		;
	terminal_cursor(t, &row, &column);
	assert_false(terminal_changed(t));
}

static void programs_write(const char *text)
{
	struct pollfd p = { terminal_master(t), POLLIN, 0 };

	assert_int_equal(write(slave, text, strlen(text)), (ssize_t)strlen(text));
	assert_int_equal(poll(&p, 1, 5000), 1);
	terminal_read(t);
}

static void test_new_terminal_is_all_marked_and_blank(void **state)
{
	struct cell cells[40];

	(void)state;
	for (int row = 0; row < 10; row++) {
		assert_int_equal(terminal_take_dirty(t, 0), row);
		terminal_cells(t, row, cells, 40);
		for (int i = 0; i < 40; i++)
			assert_int_equal(cells[i].code, ' ');
	}
	assert_int_equal(terminal_take_dirty(t, 0), -1);
}

static void test_text_and_colours(void **state)
{
	struct cell cells[44];

	(void)state;
	drain_marks();
	programs_write("\x1b[3;5Ha\x1b[1;38;2;1;2;3;48;2;4;5;6m\xc3\xa4\x1b[0;4mu\x1b[0;7mr");
	assert_true(terminal_changed(t));
	assert_int_equal(terminal_take_dirty(t, 0), 2);
	assert_int_equal(terminal_take_dirty(t, 0), -1);
	terminal_cells(t, 2, cells, 44); /* beyond the last column: blank */
	assert_int_equal(cells[4].code, 'a');
	assert_int_equal(cells[5].code, 0xe4);
	assert_int_equal(cells[5].foreground, 0x010203);
	assert_int_equal(cells[5].background, 0x040506 | CELL_BOLD << 24);
	assert_int_equal(cells[6].background >> 24, CELL_UNDERLINE);
	assert_int_equal(cells[7].background & 0xffffff, cells[4].foreground);
	assert_int_equal(cells[43].code, ' ');
}

/* Asked for in pieces. */
static void test_other_screen(void **state)
{
	struct cell cells[40];

	(void)state;
	programs_write("first\033[?10");
	programs_write("49h\033[Hother");
	terminal_cells(t, 0, cells, 40);
	assert_int_equal(cells[0].code, 'o');
	programs_write("\033[?1049l");
	terminal_cells(t, 0, cells, 40);
	assert_int_equal(cells[0].code, 'f');
	assert_int_equal(cells[4].code, 't');
}

static void test_no_program_no_key(void **state)
{
	struct terminal *idle = terminal_create(20, 5);
	struct msg_key key = { .code = 'k' };
	struct cell cells[20];

	(void)state;
	assert_non_null(idle);
	assert_int_equal(terminal_resize(idle, 20, 6), 0);
	terminal_key(idle, &key);
	terminal_cells(idle, 5, cells, 20);
	assert_int_equal(cells[19].code, ' ');
	terminal_destroy(idle);
}

static void test_wide_character_takes_two_cells(void **state)
{
	struct cell cells[40];

	(void)state;
	programs_write("\xe4\xb8\xad!");
	terminal_cells(t, 0, cells, 40);
	assert_int_equal(cells[0].code, 0x4e2d);
	assert_int_equal(cells[1].code, 0);
	assert_int_equal(cells[2].code, '!');
}

/* What an emulator of before died of, or never ended with. */
static void test_repetition(void **state)
{
	struct cell cells[40];

	(void)state;
	programs_write("a\xe4\xb8\x96\033(B\033[999b");
	programs_write("\033[3;1H\xe2\x80\x8b\033(B\033[5b");
	programs_write("\033[5;1H-\033[");
	programs_write("3b!");
	terminal_cells(t, 0, cells, 40);
	assert_int_equal(cells[1].code, 0x4e16);
	assert_int_equal(cells[3].code, 0x4e16);
	assert_int_equal(cells[39].code, ' ');
	terminal_cells(t, 2, cells, 40);
	assert_int_equal(cells[0].code, 0x4e16); /* the last character that has a width */
	terminal_cells(t, 4, cells, 40);
	assert_int_equal(cells[3].code, '-');
	assert_int_equal(cells[4].code, '!');
}

/* The desktop shrinks while its lower rows have text: the cursor stays in the grid, and what is written
   then is shown. */
static void test_shrinks(void **state)
{
	struct cell cells[30];
	int row, column;

	(void)state;
	programs_write("top\033[10;1Hbottom");
	for (int i = 0; i < 2; i++) {
		assert_int_equal(terminal_resize(t, 30 - i, 3), 0);
		for (int k = 0; k < 3; k++)
			assert_int_equal(terminal_take_dirty(t, 0), k);
		assert_int_equal(terminal_take_dirty(t, 0), -1);
		terminal_cursor(t, &row, &column);
		assert_int_equal(row, 2);
		assert_int_equal(column, 6 + i);
		programs_write("!");
		terminal_cells(t, 2, cells, 30);
		assert_int_equal(cells[0].code, 'b');
		assert_int_equal(cells[6 + i].code, '!');
	}
}

/* The same while a program has the other screen; the first one's text is above when it comes back. */
static void test_shrinks_full_screen(void **state)
{
	struct cell cells[20];

	(void)state;
	programs_write("top\033[10;1Hbottom\033[?1049h\033[2Jfull\033[10;1Hscreen");
	assert_int_equal(terminal_resize(t, 20, 4), 0);
	programs_write("\033[H1\r\n2\r\n3\r\n4\r\n5");
	terminal_cells(t, 3, cells, 20);
	assert_int_equal(cells[0].code, '5');
	programs_write("\033[?1049l!");
	terminal_cells(t, 3, cells, 20);
	assert_int_equal(cells[5].code, 'm');
	assert_int_equal(cells[6].code, '!');
}

/* Few bytes that change every cell of a large screen do not keep csrss from all else. */
static void test_reading_is_bounded(void **state)
{
	struct cell cells[1];
	char text[8000] = ""; /* zeros mean nothing */
	struct pollfd p = { terminal_master(t), POLLIN, 0 };

	(void)state;
	assert_int_equal(terminal_resize(t, COLUMNS_MAX, ROWS_MAX), 0);
	for (size_t i = 0; i < 20; i++)
		memcpy(text + 4 * i, "\033#8", 3);
	assert_int_equal(write(slave, text, sizeof(text)), (ssize_t)sizeof(text));
	memcpy(text, "\033[2J", 4);
	assert_int_equal(write(slave, text, 4), 4);
	assert_int_equal(poll(&p, 1, 5000), 1);
	terminal_read(t);
	terminal_cells(t, 0, cells, 1);
	assert_int_equal(cells[0].code, 'E'); /* the last ones are not read yet */
}

static void test_cursor(void **state)
{
	int row, column;

	(void)state;
	drain_marks();
	programs_write("\x1b[4;7H");
	assert_true(terminal_changed(t)); /* though no row is marked */
	assert_true(terminal_cursor(t, &row, &column));
	assert_int_equal(row, 3);
	assert_int_equal(column, 6);
	programs_write("\x1b[?25l");
	assert_false(terminal_cursor(t, &row, &column));
}

static void assert_reads(uint32_t code, uint32_t modifiers, const char *expected)
{
	struct msg_key key = { .code = code, .modifiers = modifiers };
	struct pollfd p = { slave, POLLIN, 0 };
	size_t wanted = *expected ? strlen(expected) : 1, got = 0;
	char bytes[32] = "";

	terminal_key(t, &key);
	while (got < wanted) { /* a key may come in pieces */
		assert_int_equal(poll(&p, 1, 5000), 1);
		ssize_t n = read(slave, bytes + got, sizeof(bytes) - 1 - got);
		assert_true(n > 0);
		got += (size_t)n;
	}
	assert_int_equal(got, wanted);
	assert_string_equal(bytes, expected);
}

static void test_keys(void **state)
{
	(void)state;
	assert_reads('x', 0, "x");
	assert_reads(0xdf, 0, "\xc3\x9f");
	assert_reads('c', KEY_MOD_CTRL, "\x03");
	assert_reads('x', KEY_MOD_ALT, "\x1bx");
	assert_reads(KEY_ENTER, 0, "\r");
	assert_reads(KEY_BACKSPACE, 0, "\x7f");
	assert_reads(KEY_UP, 0, "\x1b[A");
	assert_reads(KEY_F1, 0, "\x1bOP");
	assert_reads(KEY_F1 + 4, 0, "\x1b[15~");
	assert_reads(KEY_LAST, 0, "\x1b[24~");
	assert_reads(KEY_DELETE, 0, "\x1b[3~");
}

/* As xterm, which TERM says that this is. */
static void test_keys_with_control(void **state)
{
	static const struct {
		uint32_t code, modifiers;
		const char *expected;
	} keys[] = {
		{ '[', KEY_MOD_CTRL, "\033" },
		{ 'j', KEY_MOD_CTRL, "\n" },
		{ 'm', KEY_MOD_CTRL, "\r" },
		{ 'i', KEY_MOD_CTRL, "\t" },
		{ 'i', KEY_MOD_CTRL | KEY_MOD_ALT, "\033\t" },
		{ 'C', KEY_MOD_CTRL | KEY_MOD_SHIFT, "\003" },
		{ ']', KEY_MOD_CTRL, "\x1d" },
		{ '_', KEY_MOD_CTRL | KEY_MOD_SHIFT, "\x1f" },
		{ '/', KEY_MOD_CTRL, "\x1f" },
		{ '3', KEY_MOD_CTRL, "\033" },
		{ '6', KEY_MOD_CTRL, "\x1e" },
		{ '8', KEY_MOD_CTRL, "\x7f" },
		{ '1', KEY_MOD_CTRL, "1" },
		{ ' ', KEY_MOD_SHIFT, " " },
		{ ' ', KEY_MOD_CTRL, "" }, /* a byte of 0 */
		{ 0xe9, KEY_MOD_ALT, "\033\xc3\xa9" },
		{ KEY_BACKSPACE, KEY_MOD_SHIFT, "\x7f" },
		{ KEY_BACKSPACE, KEY_MOD_CTRL, "\x7f" },
		{ KEY_BACKSPACE, KEY_MOD_ALT, "\033\x7f" },
		{ KEY_ENTER, KEY_MOD_SHIFT, "\r" },
		{ KEY_ENTER, KEY_MOD_CTRL, "\r" },
		{ KEY_ESCAPE, KEY_MOD_SHIFT, "\033" },
		{ KEY_TAB, KEY_MOD_CTRL, "\t" },
		{ KEY_TAB, KEY_MOD_SHIFT, "\033[Z" },
		{ KEY_LEFT, KEY_MOD_CTRL, "\033[1;5D" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++)
		assert_reads(keys[i].code, keys[i].modifiers, keys[i].expected);
}

static void test_resize_reaches_programs(void **state)
{
	struct winsize size;
	struct cell cells[60];

	(void)state;
	drain_marks();
	assert_int_equal(terminal_resize(t, 60, 20), 0);
	assert_int_equal(ioctl(slave, TIOCGWINSZ, &size), 0);
	assert_int_equal(size.ws_col, 60);
	assert_int_equal(size.ws_row, 20);
	for (int row = 0; row < 20; row++)
		assert_int_equal(terminal_take_dirty(t, 0), row);
	programs_write("\x1b[20;60HZ");
	terminal_cells(t, 19, cells, 60);
	assert_int_equal(cells[59].code, 'Z');
}

static int open_program(void)
{
	return ioctl(terminal_master(t), TIOCGPTPEER, O_RDWR | O_NOCTTY);
}

/* All that had the terminal open have closed it: that is no end. */
static void test_programs_come_back(void **state)
{
	struct pollfd p = { terminal_master(t), POLLIN, 0 };
	struct cell cells[1];
	int program = open_program();

	(void)state;
	assert_true(program >= 0);
	close(program);
	assert_int_equal(poll(&p, 1, 0), 0);
	terminal_read(t);
	program = open_program();
	assert_int_equal(write(program, "x", 1), 1);
	assert_int_equal(poll(&p, 1, 5000), 1);
	terminal_read(t);
	terminal_cells(t, 0, cells, 1);
	assert_int_equal(cells[0].code, 'x');
	close(program);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    test_new_terminal_is_all_marked_and_blank, make_terminal, close_slave),
		cmocka_unit_test_setup_teardown(test_text_and_colours, make_terminal, close_slave),
		cmocka_unit_test_setup_teardown(test_other_screen, make_terminal, close_slave),
		cmocka_unit_test(test_no_program_no_key),
		cmocka_unit_test_setup_teardown(
		    test_wide_character_takes_two_cells, make_terminal, close_slave),
		cmocka_unit_test_setup_teardown(test_repetition, make_terminal, close_slave),
		cmocka_unit_test_setup_teardown(test_shrinks, make_terminal, close_slave),
		cmocka_unit_test_setup_teardown(
		    test_shrinks_full_screen, make_terminal, close_slave),
		cmocka_unit_test_setup_teardown(
		    test_reading_is_bounded, make_terminal, close_slave),
		cmocka_unit_test_setup_teardown(test_cursor, make_terminal, close_slave),
		cmocka_unit_test_setup_teardown(test_keys, make_terminal, close_slave),
		cmocka_unit_test_setup_teardown(test_keys_with_control, make_terminal, close_slave),
		cmocka_unit_test_setup_teardown(
		    test_resize_reaches_programs, make_terminal, close_slave),
		cmocka_unit_test_setup_teardown(
		    test_programs_come_back, make_terminal, close_slave),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
