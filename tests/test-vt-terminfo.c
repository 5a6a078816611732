/*
 * terminfo's xterm-256color, which TERM promises to programs, against the emulator: every capability
 * that is written to a terminal is known, and has an effect, but for those listed here that have none.
 * ncurses' infocmp names the capabilities, its tput fills in parameters.
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

#define TERMINAL "xterm-256color"

enum { COLUMNS = 20, ROWS = 6 };

struct named {
	const char *name, *why;
};

/* Keys (their names begin with k) are not written either. */
static const struct named not_written[] = {
	{ "acsc", "a table: which letters of the graphics there are" },
	{ "u6", "the form of an answer" },
	{ "u8", "the form of an answer" },
	{ "xm", "the form of what the mouse makes programs read" },
	{ "PE", "what programs read after a paste" },
	{ "PS", "what programs read before a paste" },
	/* of ncurses 6.5 */
	{ "XR", "asks for the program's name and version, which is not answered" },
	{ "xr", "the form of the answer to that" },
	{ "rv", "the form of an answer" },
};

static const struct named without_effect[] = {
	{ "bel", "there is no sound" },
	{ "blink", "nothing blinks" },
	{ "sitm", "there is no italic font" },
	{ "ritm", "there is no italic font" },
	{ "smxx", "nothing is crossed out" },
	{ "rmxx", "nothing is crossed out" },
	{ "initc", "the colours of the palette are fixed" },
	{ "oc", "the colours of the palette are fixed" },
	{ "Cr", "the cursor has its cell's colours" },
	{ "Cs", "the cursor has its cell's colours" },
	{ "Se", "the cursor has one form" },
	{ "Ss", "the cursor has one form" },
	{ "Ms", "the clipboard is the client's" },
	{ "E3", "nothing that scrolled out is kept" },
	{ "mc0", "there is no printer" },
	{ "mc4", "there is no printer" },
	{ "mc5", "there is no printer" },
	{ "meml", "nothing that scrolled out is kept" },
	{ "memu", "nothing that scrolled out is kept" },
	{ "smm", "Alt is ESC before a character" },
	{ "rmm", "Alt is ESC before a character" },
};

static unsigned answered;

static void answer(void *user, const char *bytes, size_t count)
{
	(void)user;
	(void)bytes;
	answered += count > 0;
}

static const struct named *find(const struct named *names, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(names[i].name, name) == 0)
			return &names[i];
	return NULL;
}
#define FIND(names, name) find(names, sizeof(names) / sizeof(*(names)), name)

/* How many parameters a definition has. */
static int parameters_of(const char *definition)
{
	int most = 0;

	for (const char *p = definition; (p = strstr(p, "%p")); p += 2)
		most = p[2] - '0' > most ? p[2] - '0' : most;
	return most;
}

/* What tput writes for a capability, with parameters from FIRST on. Its length. */
static size_t capability(
    const char *name, const char *definition, int first, char *bytes, size_t size)
{
	char command[256];
	int length = snprintf(command, sizeof(command), "tput -T " TERMINAL " %s", name);
	size_t n;
	FILE *p;

	for (int i = 0; i < parameters_of(definition); i++)
		length += snprintf(
		    command + length, sizeof(command) - (size_t)length, " %d", first + i % 2);
	p = popen(command, "r");
	assert_non_null(p);
	n = fread(bytes, 1, size, p);
	assert_int_equal(pclose(p), 0);
	assert_true(n > 0 && n < size);
	return n;
}

/* A screen with text, and everything as it is in the beginning; or as different from that as can be. */
static void begin(struct vt *vt, bool different)
{
	static const char text[] =
	    "0123456789abcdefghij\r\nklmnop\r\nqrstuv\r\nw\r\nx\r\ny\033[3;4H";
	static const char modes[] =
	    "\033[2;5r\033[?1;5;7;12;1006;1000;1004;1034;2004h\033[?25;7l\033[4h\033="
	    "\033(0\033[1;2;3;4;5;7;8;9;31;42m\033[3;12H\0337\033[?69h\033[2;18s"
	    "\033[?1049h"
	    "abc\r\ndef\033[3;4H\033H";

	vt_init(vt, COLUMNS, ROWS, answer, NULL);
	assert_int_equal(vt_start(vt), 0);
	vt_write(vt, text, sizeof(text) - 1);
	if (different)
		vt_write(vt, modes, sizeof(modes) - 1);
	assert_int_equal(vt->unknown, 0);
	answered = 0;
}

/* Whether BYTES change anything. They are known, and whole. */
static bool has_effect(const char *name, const char *bytes, size_t count, bool different)
{
	static struct vt before, after;
	bool effect;

	begin(&before, different);
	begin(&after, different);
	vt_write(&after, bytes, count);
	vt_check(&after);
	if (after.unknown > 0 || !vt_parser_idle(&after.parser))
		fail_msg("%s is not known", name);
	effect = answered > 0 || vt_difference(&before, &after) != NULL;
	vt_finish(&before);
	vt_finish(&after);
	return effect;
}

static void check_capability(const char *name, const char *definition)
{
	static const char flash[] = "flash"; /* on and off: nothing is left of it */
	const struct named *none = FIND(without_effect, name);
	char bytes[256];
	bool effect = false;

	for (int parameter = 1; parameter < 3; parameter++) {
		size_t n = capability(name, definition, parameter, bytes, sizeof(bytes));
		effect |= has_effect(name, bytes, n, false);
		effect |= has_effect(name, bytes, n, true);
	}
	if (strcmp(name, flash) == 0)
		return;
	if (none && effect)
		fail_msg("%s has an effect, though %s", name, none->why);
	if (!none && !effect)
		fail_msg("%s has no effect", name);
}

static void test_capabilities(void **state)
{
	FILE *p = popen("infocmp -x -1 " TERMINAL, "r");
	char line[512], name[32];
	unsigned count = 0;

	(void)state;
	assert_non_null(p);
	while (fgets(line, sizeof(line), p)) {
		char *equals = strchr(line, '=');
		if (line[0] != '\t' || !equals || sscanf(line, " %31[^=]", name) != 1)
			continue;
		if (name[0] == 'k' || FIND(not_written, name))
			continue;
		check_capability(name, equals);
		count++;
	}
	assert_int_equal(pclose(p), 0);
	assert_true(count > 80);
}

/* What programs write for the graphics is what they mean by it. */
static void test_graphics(void **state)
{
	static struct vt vt;
	char bytes[256] = "\033(0", text[512];
	static const char expected[] = "◆▒°±␋┘┐┌└┼⎺⎻─⎼⎽├┤┴┬│|≤≥π≠£·||||";
	char *p = bytes + 3;
	size_t n = capability("acsc", "", 1, text, sizeof(text));

	(void)state;
	for (size_t i = 0; i + 1 < n; i += 2)
		*p++ = text[i + 1];
	vt_init(&vt, COLUMNS, ROWS, answer, NULL);
	assert_int_equal(vt_start(&vt), 0);
	vt_write(&vt, bytes, (size_t)(p - bytes));
	assert_string_equal(vt_text(&vt, text, sizeof(text)), expected);
	vt_finish(&vt);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_capabilities),
		cmocka_unit_test(test_graphics),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
