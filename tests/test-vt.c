/*
 * Unit tests of the emulator (sessmgr/vt*.c): what programs write, as text, cursor, cells and answers.
 * Each case is written whole, byte by byte, and cut at every place: the outcome is the same.
 */
#include "vt-check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COLUMNS = 10, ROWS = 4, TEXT_SIZE = 4096 };

/* What was answered. */
static char answers[256];

static void answer(void *user, const char *bytes, size_t count)
{
	(void)user;
	strncat(answers, bytes, count);
}

static void begin(struct vt *vt, int columns, int rows)
{
	answers[0] = 0;
	vt_init(vt, columns, rows, answer, NULL);
	assert_int_equal(vt_start(vt), 0);
}

static void write_text(struct vt *vt, const char *text)
{
	vt_write(vt, text, strlen(text));
	vt_check(vt);
}

/* INPUT in one piece into VT; then in two, and byte by byte, with the same outcome. */
static void write_split(struct vt *vt, const char *input)
{
	static struct vt other;
	size_t length = strlen(input);
	char whole[sizeof(answers)];

	begin(vt, COLUMNS, ROWS);
	write_text(vt, input);
	memcpy(whole, answers, sizeof(whole));
	for (size_t cut = 1; cut < length; cut++) {
		begin(&other, COLUMNS, ROWS);
		vt_write(&other, input, cut);
		vt_write(&other, input + cut, length - cut);
		vt_check_same(vt, &other);
		assert_string_equal(answers, whole);
		vt_finish(&other);
	}
	begin(&other, COLUMNS, ROWS);
	for (size_t i = 0; i < length; i++)
		vt_write(&other, input + i, 1);
	vt_check_same(vt, &other);
	assert_string_equal(answers, whole);
	vt_finish(&other);
}

struct golden {
	const char *input, *text;
	int row, column;
};

static void check_goldens(const struct golden *g, size_t count)
{
	static struct vt vt;
	char text[TEXT_SIZE];

	for (size_t i = 0; i < count; i++) {
		write_split(&vt, g[i].input);
		vt_text(&vt, text, sizeof(text));
		if (strcmp(text, g[i].text) != 0 || vt.row != g[i].row || vt.column != g[i].column)
			fail_msg("case %zu: \"%s\" at %d, %d, not \"%s\" at %d, %d", i, text,
			    vt.row, vt.column, g[i].text, g[i].row, g[i].column);
		vt_finish(&vt);
	}
}

#define GOLDENS(...)                                                                               \
	do {                                                                                       \
		static const struct golden goldens[] = { __VA_ARGS__ };                            \
		check_goldens(goldens, sizeof(goldens) / sizeof(*goldens));                        \
	} while (0)

/* Of what goldens set up: rows 2 and 3 of 4 are between the margins. */
#define FOUR "a\r\nb\r\nc\r\nd"
#define REGION FOUR "\033[2;3r"

static void test_text(void **state)
{
	(void)state;
	GOLDENS({ "", "|||", 0, 0 }, { "hello", "hello|||", 0, 5 },
	    { "0123456789", "0123456789|||", 0, 9 }, { "0123456789a", "0123456789|a||", 1, 1 },
	    { "0123456789\r\nx", "0123456789|x||", 1, 1 },
	    { "0123456789\bx", "01234567x9|||", 0, 9 },
	    { "0123456789\033[Kx", "012345678x|||", 0, 9 },
	    { "0123456789\033[Dx", "01234567x9|||", 0, 9 },
	    { "0123456789\n", "0123456789|||", 1, 9 },
	    { "\033[?7l0123456789ab", "012345678b|||", 0, 9 },
	    { "\033[?7l0123456789ab\033[?7hcd", "012345678c|d||", 1, 1 },
	    { "ab\a\033[5C\b\b\rx\x7f\005", "xb|||", 0, 1 }, { "\b\bx", "x|||", 0, 1 },
	    { "a\nb\vc\fd", "a| b|  c|   d", 3, 4 }, { FOUR "\r\ne", "b|c|d|e", 3, 1 },
	    { "\033[20ha\nb", "a|b||", 1, 1 }, { FOUR "\033[H\033Me", "e|a|b|c", 0, 1 },
	    { "a\033Eb\033Dc", "a|b| c|", 2, 2 },
	    { "a\302\205b\302\204c\302\215\302\215d", "a d|b| c|", 0, 3 }, );
}

static void test_cursor(void **state)
{
	(void)state;
	GOLDENS({ "\033[2;3Hx", "|  x||", 1, 3 }, { "\033[2;3fx", "|  x||", 1, 3 },
	    { "\033[99;99Hx", "|||         x", 3, 9 }, { "\033[0;0Hx", "x|||", 0, 1 },
	    { "\033[;5Hx", "    x|||", 0, 5 }, { "\033[3Hx", "||x|", 2, 1 },
	    { "\033[65536;99999999999Hx", "|||         x", 3, 9 },
	    { "\033[3;5H\033[Ax", "|    x||", 1, 5 }, { "\033[3;5H\033[9Ax", "    x|||", 0, 5 },
	    { "\033[2Bx", "||x|", 2, 1 }, { "\033[9Bx", "|||x", 3, 1 },
	    { "\033[3Cx", "   x|||", 0, 4 }, { "\033[99Cx", "         x|||", 0, 9 },
	    { "abc\033[2Dx", "axc|||", 0, 2 }, { "abc\033[99Dx", "xbc|||", 0, 1 },
	    { "abc\033[2Ex", "abc||x|", 2, 1 }, { "\n\nabc\033[Fx", "|x|abc|", 1, 1 },
	    { "abc\033[6Gx", "abc  x|||", 0, 6 }, { "abc\033[6`x", "abc  x|||", 0, 6 },
	    { "abc\033[2ax", "abc  x|||", 0, 6 }, { "abc\033[3dx", "abc||   x|", 2, 4 },
	    { "abc\033[2ex", "abc||   x|", 2, 4 }, { "abc\033[2jx\033[k", "axc|||", 0, 2 },
	    { "ab\0337\033[3;3Hcd\0338e", "abe||  cd|", 0, 3 },
	    { "ab\033[s\033[3;3Hcd\033[ue", "abe||  cd|", 0, 3 }, { "ab\n\0338x", "xb|||", 0, 1 },
	    { "0123456789\0337\033[H\0338x", "0123456789|x||", 1, 1 },
	    { "ab\033[?1048h\033[3;3Hcd\033[?1048le", "abe||  cd|", 0, 3 }, );
}

static void test_tabs(void **state)
{
	(void)state;
	GOLDENS({ "a\tb\tc", "a       bc|||", 0, 9 }, { "\033[3g\tx", "         x|||", 0, 9 },
	    { "\033[9G\033[g\r\tx", "         x|||", 0, 9 },
	    { "\033[4G\033H\033[H\tx", "   x|||", 0, 4 },
	    { "\033[10G\033[Zx", "        x|||", 0, 9 }, { "\033[10G\033[2Zx", "x|||", 0, 1 },
	    { "\033[9Zx", "x|||", 0, 1 },
	    { "\033[3G\302\210\033[6G\302\210\r\033[2Ix", "     x|||", 0, 6 },
	    { "\033[9999Ix", "         x|||", 0, 9 },
	    { "\033[4G\033H\033c\tx", "        x|||", 0, 9 },
	    { "0123456789\tx", "012345678x|||", 0, 9 }, );
}

static void test_margins(void **state)
{
	(void)state;
	GOLDENS({ REGION, "a|b|c|d", 0, 0 }, { REGION "\033[3;1H\ne", "a|c|e|d", 2, 1 },
	    { REGION "\033[2;1H\033Me", "a|e|b|d", 1, 1 },
	    { REGION "\033[4;1H\n\ne", "a|b|c|e", 3, 1 }, { REGION "\033M\033Me", "e|b|c|d", 0, 1 },
	    { REGION "\033[Se", "e|c||d", 0, 1 }, { REGION "\033[T", "a||b|d", 0, 0 },
	    { REGION "\033[9T", "a|||d", 0, 0 }, { REGION "\033[65535S", "a|||d", 0, 0 },
	    { REGION "\033[3;2H\033[9A", "a|b|c|d", 1, 1 },
	    { REGION "\033[2;2H\033[9B", "a|b|c|d", 2, 1 }, { REGION "\033[9B", "a|b|c|d", 2, 0 },
	    { REGION "\033[4;2H\033[9B", "a|b|c|d", 3, 1 },
	    { REGION "\033[r\033[S", "b|c|d|", 0, 0 }, { REGION "\033[3;3r\033[S", "a|c||d", 0, 0 },
	    { REGION "\033[3;2r\033[S", "a|c||d", 0, 0 },
	    { REGION "\033[3;99r\033[S", "a|b|d|", 0, 0 },
	    { REGION "\033[?6hx\033[9;9Hy\033[Az", "a|x        z|c       y|d", 1, 9 },
	    { REGION "\033[?6h\033[2dx\033[3Gy", "a|b|x y|d", 2, 3 },
	    { REGION "\033[?6h\033[?6lx", "x|b|c|d", 0, 1 },
	    { REGION "\033[?6h\0337\033[?6l\0338x", "a|x|c|d", 1, 1 }, );
}

/* DECSLRM. */
static void test_columns(void **state)
{
	(void)state;
	GOLDENS({ "\033[?69h\033[3;5s\033[1;3Habcd", "  abc|  d||", 1, 3 },
	    { "\033[?69h\033[3;5s12\033[1;3Habcd", "12abc|  d||", 1, 3 },
	    { "\033[?69h\033[3;5s\033[1;4H\rx", "  x|||", 0, 3 },
	    { "\033[?69h\033[3;5s\033[2G\rx", "x|||", 0, 1 },
	    { "\033[?69h\033[3;5s\033[7Gabcdef", "      abcd|  ef||", 1, 4 },
	    { "\033[?69h\033[3;5s\033[4G\033[9C\033[1Kx", "    x|||", 0, 4 },
	    { "\033[?69h\033[3;5s\033[4G\033[9D", "|||", 0, 2 },
	    { "\033[?69h\033[3;5s\033[3G\bx", "  x|||", 0, 3 },
	    { "abcdefgh\033[?69h\033[3;5s\033[3G\033[P", "abde fgh|||", 0, 2 },
	    { "abcdefgh\033[?69h\033[3;5s\033[3G\033[@", "ab cdfgh|||", 0, 2 },
	    { "abcdefgh\033[?69h\033[3;5s\033[7G\033[@", "abcdefgh|||", 0, 6 },
	    { "abcdef\r\nghijkl\033[?69h\033[3;5s\033[S", "abijkf|gh   l||", 0, 0 },
	    { "abcdef\r\nghijkl\033[?69h\033[3;5s\033[T", "ab   f|ghcdel|  ijk|", 0, 0 },
	    { "abcdef\r\nghijkl\033[?69h\033[3;5s\033[3G\033[L", "ab   f|ghcdel|  ijk|", 0, 2 },
	    { "abcdef\r\nghijkl\033[?69h\033[3;5s\033[M", "abcdef|ghijkl||", 0, 0 },
	    { "abcdef\033[?69h\033[3;5s\033[4;1H\n", "abcdef|||", 3, 0 },
	    { "ab\344\270\226\344\270\226\344\270\226\033[?69h\033[4;5s\033[S",
	        "ab    \344\270\226|||", 0, 0 },
	    { "\033[?69h\033[3;5s\033[?6h\033[1;1Hx\033[9;9Hy", "  x|||    y", 3, 4 },
	    { "\033[?69h\033[3;5s\033[?69l\033[3Gabcd", "  abcd|||", 0, 6 },
	    { "ab\033[3;5s\033[4G\033[ux", "abx|||", 0, 3 },
	    { "\033[?69h\033[5;5sx\033[6;3sy", "xy|||", 0, 2 },
	    /* what waited at a margin waits no more */
	    { "\033[?69h\033[1;5sabcde\033[?69lf", "abcdf|||", 0, 5 },
	    { "\033[?69h\033[1;5sabcde\033[!pf", "abcdf|||", 0, 5 },
	    { "0123456789\033[?7lX", "012345678X|||", 0, 9 }, );
}

static void test_erasing(void **state)
{
	(void)state;
	GOLDENS({ "abcde\033[3G\033[K", "ab|||", 0, 2 },
	    { "abcde\033[3G\033[1K", "   de|||", 0, 2 }, { "abcde\033[3G\033[2K", "|||", 0, 2 },
	    { "abcde\033[3G\033[7K", "abcde|||", 0, 2 }, { "abcde\033[3G\033[?K", "ab|||", 0, 2 },
	    { "aaa\r\nbbb\r\nccc\033[2;2H\033[J", "aaa|b||", 1, 1 },
	    { "aaa\r\nbbb\r\nccc\033[2;2H\033[1J", "|  b|ccc|", 1, 1 },
	    { "aaa\r\nbbb\r\nccc\033[2;2H\033[2J", "|||", 1, 1 },
	    { "aaa\r\nbbb\r\nccc\033[2;2H\033[3J", "aaa|bbb|ccc|", 1, 1 },
	    { "aaa\r\nbbb\r\nccc\033[2;2H\033[?J", "aaa|b||", 1, 1 },
	    { "abcde\033[2G\033[2X", "a  de|||", 0, 1 }, { "abcde\033[2G\033[99X", "a|||", 0, 1 },
	    { "abcde\033[2G\033[2P", "ade|||", 0, 1 }, { "abcde\033[2G\033[99P", "a|||", 0, 1 },
	    { "abcde\033[2G\033[2@", "a  bcde|||", 0, 1 }, { "abcde\033[2G\033[99@", "a|||", 0, 1 },
	    { "0123456789\033[2G\033[@", "0 12345678|||", 0, 1 },
	    { "abc\r\033[4hxy\033[4lz", "xyzbc|||", 0, 3 },
	    { "0123456789\r\033[4hab", "ab01234567|||", 0, 2 },
	    { FOUR "\033[2;2H\033[L", "a||b|c", 1, 0 }, { FOUR "\033[2;2H\033[99L", "a|||", 1, 0 },
	    { FOUR "\033[2;2H\033[M", "a|c|d|", 1, 0 }, { FOUR "\033[2;2H\033[99M", "a|||", 1, 0 },
	    { REGION "\033[2;2H\033[L", "a||b|d", 1, 0 },
	    { REGION "\033[4;1H\033[L", "a|b|c|d", 3, 0 },
	    { REGION "\033[2;2H\033[M", "a|c||d", 1, 0 }, { REGION "\033[M", "a|b|c|d", 0, 0 },
	    { "\033[3;3H\033#8", "EEEEEEEEEE|EEEEEEEEEE|EEEEEEEEEE|EEEEEEEEEE", 0, 0 }, );
}

static void test_charsets(void **state)
{
	(void)state;
	GOLDENS({ "\033(0lqk\033(Bq", "\342\224\214\342\224\200\342\224\220q|||", 0, 4 },
	    { "\033)0q\016q\017q", "q\342\224\200q|||", 0, 3 },
	    { "\033*0\033Nqq\033+0\033Oqq", "\342\224\200q\342\224\200q|||", 0, 4 },
	    { "\033*0\302\216qq", "\342\224\200q|||", 0, 2 },
	    { "\033*0\033nq\033+A\033o#", "\342\224\200\302\243|||", 0, 2 },
	    { "\033(A#\033(B#\033(K#", "\302\243##|||", 0, 3 },
	    { "\033(0A\344q~", "A\357\277\275\342\224\200\302\267|||", 0, 4 },
	    { "\033(0\0337\033(B\0338q", "\342\224\200|||", 0, 1 },
	    { "\033(0\033[!pq", "q|||", 0, 1 }, { "\033%G\033 Fq", "q|||", 0, 1 }, );
}

#define W "\344\270\226" /* U+4E16, two cells */

static void test_wide(void **state)
{
	(void)state;
	GOLDENS({ W "x", W "x|||", 0, 3 }, { "12345678" W, "12345678" W "|||", 0, 9 },
	    { "123456789" W, "123456789|" W "||", 1, 2 },
	    { "\033[?7l123456789" W, "12345678" W "|||", 0, 9 },
	    { "\033[?7l123456789" W "x", "12345678 x|||", 0, 9 }, { W "\rx", "x|||", 0, 1 },
	    { W "\033[2Gx", " x|||", 0, 2 }, { W W "\033[2G" W, " " W "|||", 0, 3 },
	    { "a" W "b\033[3G\033[K", "a|||", 0, 2 }, { "a" W "b\033[2G\033[1K", "   b|||", 0, 1 },
	    { "a" W "b\033[3G\033[X", "a  b|||", 0, 2 },
	    { "a" W "b\033[2G\033[X", "a  b|||", 0, 1 },
	    { "a" W "b\033[3G\033[@", "a   b|||", 0, 2 },
	    { "a" W "b\033[2G\033[@", "a " W "b|||", 0, 1 },
	    { "a" W "b\033[3G\033[P", "a b|||", 0, 2 }, { "a" W "b\033[2G\033[P", "a b|||", 0, 1 },
	    { "12345678" W "\033[H\033[@", " 12345678|||", 0, 0 },
	    { W "\r\033[4hx", "x" W "|||", 0, 1 }, { W "\033[2G\033[4hx", " x|||", 0, 2 },
	    { "e\314\201x\342\200\213y", "exy|||", 0, 3 }, { "\314\201", "|||", 0, 0 },
	    { "0123456789\314\201x", "0123456789|x||", 1, 1 },
	    { "\360\237\230\200x", "\360\237\230\200x|||", 0, 3 },
	    { "\302\255x", "\302\255x|||", 0, 2 }, );
}

static void test_repetition(void **state)
{
	(void)state;
	GOLDENS({ "ab\033[3bx", "abbbbx|||", 0, 6 }, { "\033[3bx", "x|||", 0, 1 },
	    { "a\033[9bx", "aaaaaaaaaa|x||", 1, 1 }, { "a\033[65535bx", "aaaaaaaaaa|ax||", 1, 2 },
	    { W "\033[2b", W W W "|||", 0, 6 },
	    { W "\033[999b", W W W W W "|" W W W W W "|" W "|", 2, 2 },
	    { "a\033[bb", "aab|||", 0, 3 },
	    { "\033(0q\033[b\033(B\033[b", "\342\224\200\342\224\200\342\224\200|||", 0, 3 },
	    { "e\314\201\033[2b", "eee|||", 0, 3 });
}

static void test_utf8(void **state)
{
	(void)state;
	GOLDENS({ "\303\244\342\202\254\360\220\215\210", "\303\244\342\202\254\360\220\215\210|||",
	            0, 3 },
	    { "\344\270x", "\357\277\275x|||", 0, 2 },
	    { "\344\270\033[2Cx", "\357\277\275  x|||", 0, 4 },
	    { "\300\257", "\357\277\275\357\277\275|||", 0, 2 },
	    { "\340\200\257", "\357\277\275\357\277\275\357\277\275|||", 0, 3 },
	    { "\355\240\200", "\357\277\275\357\277\275\357\277\275|||", 0, 3 },
	    { "\364\220\200\200x", "\357\277\275\357\277\275\357\277\275\357\277\275x|||", 0, 5 },
	    { "\377\376", "\357\277\275\357\277\275|||", 0, 2 },
	    { "\200", "\357\277\275|||", 0, 1 },
	    { "\344\344\270\226", "\357\277\275" W "|||", 0, 3 },
	    { "\033[3\303\244Cx", "x|||", 0, 1 }, { "\033\303\244x", "x|||", 0, 1 }, );
}

static void test_sequences(void **state)
{
	(void)state;
	GOLDENS({ "\033[1\030x", "x|||", 0, 1 }, { "\033[1\032x", "x|||", 0, 1 },
	    { "a\033[\b1Cx", "ax|||", 0, 2 }, { "\033[3\033[2Cx", "  x|||", 0, 3 },
	    { "\033]0;title\ax", "x|||", 0, 1 }, { "\033]0;title\033\\x", "x|||", 0, 1 },
	    { "\302\2350;t\302\234x", "x|||", 0, 1 }, { "\033]0;t\030x", "x|||", 0, 1 },
	    { "\033]4;1;rgb:ff/00/00\033\\x", "x|||", 0, 1 },
	    { "\033Pabc\n\r\ad\033\\x", "x|||", 0, 1 }, { "\033P1;2|ab\302\234x", "x|||", 0, 1 },
	    { "\033P1<x\033\\x", "x|||", 0, 1 },
	    { "\033X\ato\033\\x\033^pm\033\\y\033_apc\033\\z", "xyz|||", 0, 3 },
	    { "\033]" W "\344\270\234\033\\x", "x|||", 0, 1 },
	    { "\033[<5Cx\033[5<Cy", "xy|||", 0, 2 }, { "\033[5!!!Cx", "x|||", 0, 1 },
	    { "\033[1;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;7Hx", "x|||", 0, 1 },
	    { "\302\2335Cx", "     x|||", 0, 6 }, { "\033#3\033#6\033lx\033my", "xy|||", 0, 2 },
	    { "\033[2 q\033[>4;2m\033[22;0;0t\033[4ix", "x|||", 0, 1 }, );
}

static void test_screens(void **state)
{
	(void)state;
	GOLDENS({ "ab\033[?1049h", "|||", 0, 2 }, { "ab\033[?1049hcd\033[?1049lx", "abx|||", 0, 3 },
	    { "ab\033[?1049h\033[?1049lx", "abx|||", 0, 3 }, { "ab\033[?1049lx", "abx|||", 0, 3 },
	    { "ab\033[?1049hcd\033[?1049l\033[?1049h", "|||", 0, 2 },
	    { "ab\033[?47hcd\033[?47lx\033[?47h", "  cd|||", 0, 5 },
	    { "ab\033[?1047hcd\033[?1047lx\033[?47h", "|||", 0, 5 },
	    { "ab\033[?1047hcd\033[?1047lx", "ab  x|||", 0, 5 },
	    { "ab\033[?1049hcd\033cx", "x|||", 0, 1 },
	    { "ab\033[?1049hcd\033c\033[?47hx", "x|||", 0, 1 },
	    { "ab\033[?1049h\033[Hcd\0337\033[?1049lx", "abx|||", 0, 3 }, );
}

static void test_resets(void **state)
{
	(void)state;
	GOLDENS({ "ab\033[2;3r\033[?6h\033[4h\033[!p\033[Hx", "xb|||", 0, 1 },
	    { "ab\0337\033[!p\0338x", "xb|||", 0, 1 },
	    { "ab\033[?7l\033[!p\033[10Gxy", "ab       x|y||", 1, 1 },
	    { "ab\r\ncd\033cx", "x|||", 0, 1 },
	    { "ab\033[?69h\033[2;3s\033[!p\033[Hxyz1", "xyz1|||", 0, 4 }, );
}

static void test_answers(void **state)
{
	static const struct {
		const char *input, *answer;
	} queries[] = {
		{ "\033[5n", "\033[0n" },
		{ "\033[2;3H\033[6n", "\033[2;3R" },
		{ "\033[2;3H\033[?6n", "\033[?2;3R" },
		{ "\033[2;3r\033[?6h\033[6n", "\033[1;1R" },
		{ "0123456789\033[6n", "\033[1;10R" },
		/* where the margins are others by now */
		{ "\033[1;2r\033[?6h\0337\033[3;4r\0338\033[6n", "\033[1;1R" },
		{ "\033[c", "\033[?62;22c" },
		{ "\033[0c", "\033[?62;22c" },
		{ "\033Z", "\033[?62;22c" },
		{ "\033[1c", "" },
		{ "\033[>c", "\033[>0;100;0c" },
		{ "\033[>1c", "" },
		{ "\033[?25$p", "\033[?25;1$y" },
		{ "\033[?2004$p", "\033[?2004;2$y" },
		{ "\033[?2004h\033[?2004$p", "\033[?2004;1$y" },
		{ "\033[?1047h\033[?1049$p", "\033[?1049;1$y" },
		{ "\033[?12$p", "\033[?12;4$y" },
		{ "\033[?4711$p", "\033[?4711;0$y" },
		{ "\033[4$p", "\033[4;2$y" },
		{ "\033P$qm\033\\", "\033P0$r\033\\" },
		{ "\033P+q544e\302\234", "\033P0+r\033\\" },
		{ "\033P$qm\030", "" },
		{ "\033P$pm\033\\", "" },
	};
	static struct vt vt;

	(void)state;
	for (size_t i = 0; i < sizeof(queries) / sizeof(*queries); i++) {
		write_split(&vt, queries[i].input);
		assert_string_equal(answers, queries[i].answer);
		vt_finish(&vt);
	}
}

/* One cell that INPUT makes: the last one of an x. */
static void test_pen(void **state)
{
	enum { BOLD = CELL_BOLD << 24, UNDERLINE = CELL_UNDERLINE << 24, GREY = 0xd3d7cf };
	static const struct {
		const char *input;
		uint32_t foreground, background;
	} pens[] = {
		{ "x", GREY, 0 },
		{ "\033[1mx", GREY, BOLD },
		{ "\033[1;4mx", GREY, BOLD + UNDERLINE },
		{ "\033[1;4m\033[22mx", GREY, UNDERLINE },
		{ "\033[1;4m\033[24mx", GREY, BOLD },
		{ "\033[1;4m\033[mx", GREY, 0 },
		{ "\033[31;42mx", 0xcc0000, 0x4e9a06 },
		{ "\033[31;42;39;49mx", GREY, 0 },
		{ "\033[91;102mx", 0xef2929, 0x8ae234 },
		{ "\033[31;7mx", 0, 0xcc0000 },
		{ "\033[31;7;27mx", 0xcc0000, 0 },
		{ "\033[2mx", 0x696b67, 0 },
		{ "\033[31;8mx", 0, 0 },
		{ "\033[31;42;7;8mx", 0xcc0000, 0xcc0000 },
		{ "\033[38;5;9mx", 0xef2929, 0 },
		{ "\033[38;5;16mx", 0, 0 },
		{ "\033[38;5;196;48;5;46mx", 0xff0000, 0x00ff00 },
		{ "\033[38;5;232;48;5;255mx", 0x080808, 0xeeeeee },
		{ "\033[38;5;67mx", 0x5f87af, 0 },
		{ "\033[38;5;256mx", GREY, 0 },
		{ "\033[38;2;1;2;3;48;2;4;5;6mx", 0x010203, 0x040506 },
		{ "\033[38;2;1;2;256mx", GREY, 0 },
		{ "\033[38;2;1;2mx", GREY, 0 },
		{ "\033[38;5mx", GREY, 0 },
		{ "\033[38mx", GREY, 0 },
		{ "\033[38;7;1mx", GREY, BOLD },
		{ "\033[38:5:196mx", 0xff0000, 0 },
		{ "\033[38:2:1:2:3;1mx", 0x010203, BOLD },
		{ "\033[38:2::1:2:3;1mx", 0x010203, BOLD },
		{ "\033[38:2:9:1:2:3:7:8;1mx", 0x010203, BOLD },
		{ "\033[38:5:256;1mx", GREY, BOLD },
		{ "\033[38:5;1mx", GREY, BOLD },
		{ "\033[58;2;1;2;3;1mx", GREY, BOLD },
		{ "\033[58:5:1;1mx", GREY, BOLD },
		{ "\033[4:3mx", GREY, UNDERLINE },
		{ "\033[4m\033[4:0mx", GREY, 0 },
		{ "\033[21mx", GREY, UNDERLINE },
		{ "\033[3;5;6;9;53;10mx", GREY, 0 },
		{ "\033[?1mx\033[>1mx", GREY, 0 },
		{ "\033[31m\0337\033[m\0338x", 0xcc0000, 0 },
		{ "\033[31;44m\033[Kx\033[m", 0xcc0000, 0x3465a4 },
	};
	static struct vt vt;
	struct cell cells[COLUMNS];

	(void)state;
	for (size_t i = 0; i < sizeof(pens) / sizeof(*pens); i++) {
		write_split(&vt, pens[i].input);
		vt_cells(&vt, 0, cells, COLUMNS);
		if (cells[vt.column - 1].code != 'x' ||
		    cells[vt.column - 1].foreground != pens[i].foreground ||
		    cells[vt.column - 1].background != pens[i].background)
			fail_msg("pen %zu: %06x on %08x", i, cells[vt.column - 1].foreground,
			    cells[vt.column - 1].background);
		vt_finish(&vt);
	}
}

/* Blanks have the background's colour, and no line below. */
static void test_erased_cells(void **state)
{
	static const char *const inputs[] = { "\033[4;7;44m\033[2J", "\033[4;44m\033[K\r",
		"ab\r\033[44m\033[2P\033[2@", "\033[44m\033[2X", "\033[44m\033[S\033[T",
		"\033[44m\033[L", "\033[44m\033M" };
	static struct vt vt;
	struct cell c[COLUMNS];

	(void)state;
	for (size_t i = 0; i < sizeof(inputs) / sizeof(*inputs); i++) {
		write_split(&vt, inputs[i]);
		vt_cells(&vt, 0, c, COLUMNS);
		assert_int_equal(c[1].code, ' ');
		assert_int_equal(c[1].background, 0x3465a4);
		vt_finish(&vt);
	}
	write_split(&vt, "\033[44mx\033[m\033[?5h");
	vt_cells(&vt, 0, c, COLUMNS);
	assert_int_equal(c[0].foreground, 0x3465a4);
	assert_int_equal(c[0].background, 0xd3d7cf);
	assert_int_equal(c[9].background, 0xd3d7cf);
	write_text(&vt, "\033[?5l");
	vt_cells(&vt, 0, c, COLUMNS);
	assert_int_equal(c[9].background, 0);
	vt_finish(&vt);
}

static void test_modes_are_kept(void **state)
{
	static const struct {
		const char *number;
		uint32_t mode;
	} modes[] = { { "?1", VT_CURSOR_KEYS }, { "?9", VT_MOUSE_PRESS }, { "?66", VT_KEYPAD },
		{ "?1000", VT_MOUSE_BUTTON }, { "?1002", VT_MOUSE_DRAG }, { "?1003", VT_MOUSE_ANY },
		{ "?1004", VT_FOCUS }, { "?1006", VT_MOUSE_SGR }, { "?2004", VT_PASTE },
		{ "4", VT_INSERT }, { "20", VT_NEW_LINE } };
	static struct vt vt;
	char text[32];

	(void)state;
	for (size_t i = 0; i < sizeof(modes) / sizeof(*modes); i++) {
		snprintf(text, sizeof(text), "\033[%sh", modes[i].number);
		write_split(&vt, text);
		assert_int_equal(vt.modes, (uint32_t)VT_MODES | modes[i].mode);
		snprintf(text, sizeof(text), "\033[%sl", modes[i].number);
		write_text(&vt, text);
		assert_int_equal(vt.modes, VT_MODES);
		vt_finish(&vt);
	}
	write_split(&vt, "\033[?1;2004h\033=\033[?25l");
	assert_int_equal(vt.modes, VT_AUTOWRAP | VT_CURSOR_KEYS | VT_PASTE | VT_KEYPAD);
	write_text(&vt, "\033>\033c");
	assert_int_equal(vt.modes, VT_MODES);
	vt_finish(&vt);
}

static void take_marks(struct vt *vt, char *rows)
{
	for (int row = 0; row < vt->rows; row++) {
		rows[row] = vt->marks[row] ? '#' : '.';
		vt->marks[row] = false;
	}
	rows[vt->rows] = 0;
	vt->changed = false;
}

static void test_marks(void **state)
{
	static const struct {
		const char *input, *marks;
		bool changed;
	} cases[] = {
		{ "", "....", false },
		{ "x", "#...", true },
		{ "\033[3;3H", "....", true },
		{ "\033]0;title\a\033[31m", "....", false },
		{ "\033[3;1Hx\r\ny", "..##", true },
		{ "\033[4;1H\n", "####", true },
		{ "\033[2;3r\033[3;1H\n", ".##.", true },
		{ "\033[2;1H\033[M", ".###", true },
		{ "\033[2J", "####", true },
		{ "\033[?25l", "....", true },
		{ "\033[?1049h", "####", true },
		{ "\033[?5h", "####", true },
		{ "\033[2;1H\033[P", ".#..", true },
	};
	static struct vt vt;
	char rows[ROWS + 1];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		begin(&vt, COLUMNS, ROWS);
		take_marks(&vt, rows);
		assert_string_equal(rows, "####");
		write_text(&vt, cases[i].input);
		assert_int_equal(vt.changed, cases[i].changed);
		take_marks(&vt, rows);
		assert_string_equal(rows, cases[i].marks);
		vt_finish(&vt);
	}
}

static void resize_to(struct vt *vt, int columns, int rows, const char *text, int row, int column)
{
	char got[TEXT_SIZE];

	assert_int_equal(vt_resize(vt, columns, rows), 0);
	vt_check(vt);
	assert_string_equal(vt_text(vt, got, sizeof(got)), text);
	assert_int_equal(vt->row, row);
	assert_int_equal(vt->column, column);
}

static void test_sizes(void **state)
{
	static struct vt vt;

	(void)state;
	begin(&vt, COLUMNS, ROWS);
	write_text(&vt, FOUR);
	resize_to(&vt, 10, 2, "c|d", 1, 1); /* text above the cursor scrolls out */
	resize_to(&vt, 10, 4, "c|d||", 1, 1);
	write_text(&vt, "\033[H");
	resize_to(&vt, 10, 1, "c", 0, 0);
	resize_to(&vt, 12, 3, "c||", 0, 0);
	write_text(&vt, "\033[2J0123456789ab");
	resize_to(&vt, 5, 3, "01234||", 0, 4);
	write_text(&vt, "xy"); /* not at the end of a line any more */
	resize_to(&vt, 8, 3, "0123x|y|", 1, 1);
	vt_finish(&vt);
}

/* Margins, wide characters at the edge, the other screen, the saved cursor. */
static void test_sizes_of_everything(void **state)
{
	static struct vt vt;
	char text[TEXT_SIZE];

	(void)state;
	begin(&vt, COLUMNS, ROWS);
	write_text(&vt, FOUR "\r12345678" W "\033[2;3r\033[?69h\033[3;9s\033[4;9H\0337");
	resize_to(&vt, 9, 3, "b|c|12345678", 2, 8);
	assert_int_equal(vt.bottom, 2);
	assert_int_equal(vt.right, 8);
	write_text(&vt, "\033[?69l\033[?1049h\033[Hx\r\ny\r\nz");
	resize_to(&vt, 2, 2, "y|z", 1, 1);
	write_text(&vt, "\033[?1049l\033[4mu");
	assert_string_equal(vt_text(&vt, text, sizeof(text)), "c|1u");
	resize_to(&vt, 1, 1, "1", 0, 0);
	write_text(&vt, W "\033[99b\033[@\033[P\033[L\033[M\033[S\033[T\033M\n\tx");
	assert_string_equal(vt_text(&vt, text, sizeof(text)), "x");
	resize_to(&vt, 0, -5, "x", 0, 0);
	assert_int_equal(vt_resize(&vt, 1 << 20, 1 << 20), 0);
	assert_int_equal(vt.columns, COLUMNS_MAX);
	assert_int_equal(vt.rows, ROWS_MAX);
	vt_check(&vt);
	vt_finish(&vt);
}

static void test_no_memory(void **state)
{
	static struct vt vt;
	char text[TEXT_SIZE];

	(void)state;
	begin(&vt, COLUMNS, ROWS);
	write_text(&vt, FOUR);
	vt_no_memory = true;
	assert_int_equal(vt_resize(&vt, 20, 2), -1);
	assert_int_equal(vt.columns, COLUMNS);
	write_text(&vt, "\033[?1049h!\033[?1049l");
	assert_string_equal(vt_text(&vt, text, sizeof(text)), "a|b|c|d!");
	vt_no_memory = false;
	resize_to(&vt, 20, 2, "c|d!", 1, 2);
	vt_finish(&vt);
	vt_init(&vt, COLUMNS, ROWS, answer, NULL);
	assert_int_equal(vt_resize(&vt, 5, 5), 0); /* without a screen */
	vt_no_memory = true;
	assert_int_equal(vt_start(&vt), -1);
	vt_no_memory = false;
	vt_finish(&vt);
}

/* Work that few bytes make is told, so that it can be bounded. */
static void test_work(void **state)
{
	static struct vt vt;

	(void)state;
	begin(&vt, COLUMNS, ROWS);
	for (int i = 0; i < 2; i++) {
		static const char *const inputs[] = { "\033[2J", "\033#8", "\033[4S", "\033c" };
		for (size_t k = 0; k < sizeof(inputs) / sizeof(*inputs); k++) {
			uint64_t before = vt.work;
			write_text(&vt, inputs[k]);
			assert_true(vt.work - before >= (uint64_t)COLUMNS * ROWS);
		}
	}
	vt_finish(&vt);
}

static void assert_key(const struct vt *vt, uint32_t code, uint32_t modifiers, const char *expected)
{
	char bytes[VT_KEY_SIZE + 1];
	size_t n = vt_key(vt, code, modifiers, bytes);

	bytes[n] = 0;
	assert_string_equal(bytes, expected);
	assert_int_equal(n, strlen(expected));
}

static void test_keys(void **state)
{
	static struct vt vt;

	(void)state;
	begin(&vt, COLUMNS, ROWS);
	assert_key(&vt, KEY_UP, 0, "\033[A");
	assert_key(&vt, KEY_END, KEY_MOD_SHIFT | KEY_MOD_CTRL | KEY_MOD_ALT, "\033[1;8F");
	assert_key(&vt, KEY_DELETE, KEY_MOD_ALT, "\033[3;3~");
	assert_key(&vt, KEY_F1 + 3, 0, "\033OS");
	assert_key(&vt, KEY_F1 + 3, KEY_MOD_SHIFT, "\033[1;2S");
	assert_key(&vt, KEY_LAST, KEY_MOD_CTRL, "\033[24;5~");
	assert_key(&vt, KEY_TAB, KEY_MOD_ALT | KEY_MOD_SHIFT, "\033\033[Z");
	assert_key(&vt, 0x10ffff, KEY_MOD_ALT, "\033\364\217\277\277");
	assert_key(&vt, KEY_LAST + 1, 0, "");
	write_text(&vt, "\033[?1h\033[20h");
	assert_key(&vt, KEY_UP, 0, "\033OA");
	assert_key(&vt, KEY_HOME, 0, "\033OH");
	assert_key(&vt, KEY_UP, KEY_MOD_CTRL, "\033[1;5A");
	assert_key(&vt, KEY_PAGE_UP, 0, "\033[5~");
	assert_key(&vt, KEY_ENTER, 0, "\r\n");
	vt_finish(&vt);
}

/* What another emulator died of or never ended with. */
static void test_cases(void **state)
{
	static struct vt vt;
	char text[TEXT_SIZE];

	(void)state;
	write_split(&vt, "a" W "\033(B\033[999b");
	assert_string_equal(
	    vt_text(&vt, text, sizeof(text)), "a" W W W W "|" W W W W W "|" W W "|");
	vt_finish(&vt);
	write_split(&vt, "\342\200\213\033(B\033[5b");
	assert_string_equal(vt_text(&vt, text, sizeof(text)), "|||");
	vt_finish(&vt);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_cursor),
		cmocka_unit_test(test_tabs),
		cmocka_unit_test(test_margins),
		cmocka_unit_test(test_columns),
		cmocka_unit_test(test_erasing),
		cmocka_unit_test(test_charsets),
		cmocka_unit_test(test_wide),
		cmocka_unit_test(test_repetition),
		cmocka_unit_test(test_utf8),
		cmocka_unit_test(test_sequences),
		cmocka_unit_test(test_screens),
		cmocka_unit_test(test_resets),
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_pen),
		cmocka_unit_test(test_erased_cells),
		cmocka_unit_test(test_modes_are_kept),
		cmocka_unit_test(test_marks),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_sizes_of_everything),
		cmocka_unit_test(test_no_memory),
		cmocka_unit_test(test_work),
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_cases),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
