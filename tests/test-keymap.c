/*
 * Tests of daemon/keymap.c: what is typed as scancodes and Unicode events is what comes
 * out, layout by layout.
 */
#include "keymap.h"
#include "messages.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* cmocka wants the four above it */
#include <cmocka.h>

enum { US = 0x409, UK = 0x809, GERMAN = 0x407 };
enum { CTRL = 0x1d, SHIFT = 0x2a, SHIFT_RIGHT = 0x36, ALT = 0x38, CAPS = 0x3a, NUM = 0x45 };
enum { EXTENDED = 0x100, UP = 0x200, E1 = 0x400, NOTHING = 0xffffffff };

/* One event: a scancode, with EXTENDED or E1, with UP for a release. */
static unsigned keys(struct keymap *k, int what, struct key_out out[KEYMAP_KEYS])
{
	return keymap_scancode(k, !(what & UP),
	    what & EXTENDED ? KEYMAP_E0
	    : what & E1     ? KEYMAP_E1
	                    : KEYMAP_PLAIN,
	    (uint8_t)(what & 0xff), out);
}

/* The one key that it gives. */
static uint32_t event(struct keymap *k, int what, uint32_t *modifiers)
{
	struct key_out out[KEYMAP_KEYS] = { { 0 } };
	unsigned n = keys(k, what, out);

	assert_true(n <= 1);
	if (modifiers != NULL)
		*modifiers = out[0].modifiers;
	return n == 1 ? out[0].code : NOTHING;
}

/* An accent that waited, and what did not go with it. */
static void two(struct keymap *k, int what, uint32_t accent, uint32_t code, uint32_t modifiers)
{
	struct key_out out[KEYMAP_KEYS];

	assert_int_equal(keys(k, what, out), 2);
	assert_int_equal(out[0].code, accent);
	assert_int_equal(out[0].modifiers, 0);
	assert_int_equal(out[1].code, code);
	assert_int_equal(out[1].modifiers, modifiers);
}

static void hold(struct keymap *k, int what)
{
	assert_int_equal(event(k, what, NULL), NOTHING);
}

/* Presses and releases a key, which must give CODE and MODIFIERS. */
static void type(struct keymap *k, int what, uint32_t code, uint32_t modifiers)
{
	uint32_t got = 0;

	assert_int_equal(event(k, what, &got), code);
	if (code != NOTHING)
		assert_int_equal(got, modifiers);
	assert_int_equal(event(k, what | UP, NULL), NOTHING);
}

static void unicode(struct keymap *k, uint16_t utf16, uint32_t code, uint32_t modifiers)
{
	struct key_out out[KEYMAP_KEYS] = { { NOTHING, 0 } };

	assert_int_equal(keymap_unicode(k, true, utf16, out), code != NOTHING ? 1 : 0);
	assert_int_equal(out[0].code, code);
	if (code != NOTHING)
		assert_int_equal(out[0].modifiers, modifiers);
	assert_int_equal(keymap_unicode(k, false, utf16, out), 0);
}

static void test_us(void **state)
{
	static const struct {
		uint8_t code;
		char plain, shift;
	} keys[] = {
		{ 0x02, '1', '!' },
		{ 0x0b, '0', ')' },
		{ 0x0d, '=', '+' },
		{ 0x10, 'q', 'Q' },
		{ 0x1b, ']', '}' },
		{ 0x1e, 'a', 'A' },
		{ 0x28, '\'', '"' },
		{ 0x29, '`', '~' },
		{ 0x2b, '\\', '|' },
		{ 0x2c, 'z', 'Z' },
		{ 0x35, '/', '?' },
		{ 0x39, ' ', ' ' },
		{ 0x56, '\\', '|' },
	};
	struct keymap k;

	(void)state;
	keymap_init(&k, US);
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		type(&k, keys[i].code, (uint8_t)keys[i].plain, 0);
		hold(&k, SHIFT);
		type(&k, keys[i].code, (uint8_t)keys[i].shift, 0);
		hold(&k, SHIFT | UP);
		hold(&k, SHIFT_RIGHT);
		type(&k, keys[i].code, (uint8_t)keys[i].shift, 0);
		hold(&k, SHIFT_RIGHT | UP);
	}
	/* a repeated press counts, unknown codes and E0 2A do not */
	assert_int_equal(event(&k, 0x1e, NULL), 'a');
	assert_int_equal(event(&k, 0x1e, NULL), 'a');
	type(&k, 0x00, NOTHING, 0);
	type(&k, 0xff, NOTHING, 0);
	type(&k, 0x5b | EXTENDED, NOTHING, 0);
	hold(&k, SHIFT | EXTENDED);
	type(&k, 0x1e, 'a', 0);
}

static void test_unknown_layout(void **state)
{
	static const uint32_t variants[] = { 0x10407, 0xf0010407, 0x10409, 0x20409, 0xf0020409 };
	struct keymap k;

	(void)state;
	assert_false(keymap_init(&k, 0x40c));
	type(&k, 0x10, 'q', 0);
	assert_true(keymap_init(&k, US));
	/* a variant has other keys in some places: it is taken for its language's layout, but not known */
	for (size_t i = 0; i < sizeof(variants) / sizeof(*variants); i++) {
		assert_false(keymap_init(&k, variants[i]));
		type(&k, 0x15, (variants[i] & 0xffff) == 0x407 ? 'z' : 'y', 0);
	}
	assert_string_equal(keymap_layout(&k), "US");
	/* a language with a layout, its own or another's */
	assert_true(keymap_init(&k, 0x04090409));
	assert_true(keymap_init(&k, 0x04070409));
	assert_string_equal(keymap_layout(&k), "German");
	type(&k, 0x15, 'z', 0);
	assert_false(keymap_init(&k, 0x040c0407));
	type(&k, 0x15, 'y', 0);
}

static void test_uk(void **state)
{
	struct keymap k;

	(void)state;
	keymap_init(&k, UK);
	type(&k, 0x2b, '#', 0);
	hold(&k, SHIFT);
	type(&k, 0x03, '"', 0);
	type(&k, 0x04, 0xa3, 0);
	type(&k, 0x28, '@', 0);
	type(&k, 0x29, 0xac, 0);
	hold(&k, SHIFT | UP);
	hold(&k, ALT | EXTENDED);
	type(&k, 0x05, 0x20ac, 0);
	type(&k, 0x12, 0xe9, 0);
	type(&k, 0x29, 0xa6, 0);
	type(&k, 0x2c, NOTHING, 0);
	hold(&k, SHIFT);
	type(&k, 0x12, 0xc9, 0);
}

static void test_german(void **state)
{
	static const struct {
		uint8_t code;
		uint32_t c;
	} alt_gr[] = {
		{ 0x10, '@' },
		{ 0x12, 0x20ac },
		{ 0x08, '{' },
		{ 0x09, '[' },
		{ 0x0a, ']' },
		{ 0x0b, '}' },
		{ 0x0c, '\\' },
		{ 0x1b, '~' },
		{ 0x56, '|' },
		{ 0x32, 0xb5 },
		{ 0x03, 0xb2 },
		{ 0x1e, NOTHING },
		{ 0x2c, NOTHING },
	};
	struct keymap k;

	(void)state;
	keymap_init(&k, GERMAN);
	type(&k, 0x15, 'z', 0);
	type(&k, 0x2c, 'y', 0);
	type(&k, 0x0c, 0xdf, 0);
	type(&k, 0x27, 0xf6, 0);
	hold(&k, SHIFT);
	type(&k, 0x08, '/', 0);
	type(&k, 0x27, 0xd6, 0);
	hold(&k, SHIFT | UP);
	for (size_t i = 0; i < sizeof(alt_gr) / sizeof(alt_gr[0]); i++) {
		hold(&k, ALT | EXTENDED);
		type(&k, alt_gr[i].code, alt_gr[i].c, 0);
		/* Windows clients press Ctrl with it */
		hold(&k, CTRL);
		type(&k, alt_gr[i].code, alt_gr[i].c, 0);
		hold(&k, CTRL | UP);
		hold(&k, ALT | EXTENDED | UP);
	}
	/* the right Ctrl with AltGr is someone's own */
	hold(&k, ALT | EXTENDED);
	hold(&k, CTRL | EXTENDED);
	type(&k, 0x09, '[', KEY_MOD_CTRL);
}

static void test_dead(void **state)
{
	struct keymap k;

	(void)state;
	keymap_init(&k, GERMAN);
	type(&k, 0x0d, NOTHING, 0); /* ´ */
	type(&k, 0x12, 0xe9, 0);
	type(&k, 0x12, 'e', 0);
	hold(&k, SHIFT);
	type(&k, 0x0d, NOTHING, 0); /* ` */
	type(&k, 0x1e, 0xc0, 0);
	hold(&k, SHIFT | UP);
	type(&k, 0x29, NOTHING, 0); /* ^ */
	hold(&k, SHIFT);            /* between them, which counts for nothing */
	type(&k, 0x18, 0xd4, 0);
	hold(&k, SHIFT | UP);
	type(&k, 0x29, NOTHING, 0);
	type(&k, 0x39, '^', 0);
	type(&k, 0x0d, NOTHING, 0);
	type(&k, 0x0d, 0xb4, 0);
	/* what does not go with it comes after it */
	type(&k, 0x0d, NOTHING, 0);
	two(&k, 0x2d, 0xb4, 'x', 0);
	type(&k, 0x0d, NOTHING, 0);
	two(&k, 0x29, 0xb4, '^', 0);
	type(&k, 0x0d, NOTHING, 0);
	two(&k, 0x1c, 0xb4, KEY_ENTER, 0);
	type(&k, 0x12, 'e', 0);
	type(&k, 0x0d, NOTHING, 0);
	hold(&k, CTRL);
	two(&k, 0x12, 0xb4, 'e', KEY_MOD_CTRL);
	hold(&k, CTRL | UP);
	type(&k, 0x0d, NOTHING, 0);
	hold(&k, CAPS); /* keys that give nothing leave it waiting */
	hold(&k, CAPS | UP);
	type(&k, 0x12, 0xc9, 0);
	hold(&k, CAPS);
	hold(&k, CAPS | UP);
	type(&k, 0x0d, NOTHING, 0);
	keymap_sync(&k, 0); /* the window was left, and come back to */
	type(&k, 0x12, 0xe9, 0);
	hold(&k, CTRL);
	type(&k, 0x29, '^', KEY_MOD_CTRL);
	hold(&k, CTRL | UP);
	keymap_init(&k, US);
	type(&k, 0x29, '`', 0);
}

/* Neither Num Lock nor Ctrl is anything but Pause's, and nothing of it stays. */
static void test_pause(void **state)
{
	enum { NUM_7 = 0x47 };
	static const int sequences[][6] = {
		{ CTRL | E1, NUM, CTRL | E1 | UP, NUM | UP }, /* as MS-RDPBCGR has it */
		{ CTRL | E1, CTRL | E1 | UP, NUM, NUM | UP },
		{ CTRL | E1, NUM, CTRL | E1, NUM, CTRL | E1 | UP, NUM | UP }, /* repeated */
		{ 0xe1, CTRL, NUM, 0xe1, CTRL | 0x80, NUM | 0x80 }, /* as rdesktop has it */
		{ 0x46 | EXTENDED, 0x46 | EXTENDED | UP },          /* with Ctrl: Break */
		{ CTRL | E1 },                                      /* cut off */
	};
	struct keymap k;

	(void)state;
	for (size_t i = 0; i < sizeof(sequences) / sizeof(sequences[0]); i++) {
		keymap_init(&k, US);
		for (int n = 0; n < 6 && sequences[i][n] != 0; n++)
			hold(&k, sequences[i][n]);
		type(&k, NUM_7, '7', 0);
		type(&k, 0x1e, 'a', 0);
		hold(&k, NUM);
		hold(&k, NUM | UP);
		type(&k, NUM_7, KEY_HOME, 0);
	}
}

static void test_modifiers(void **state)
{
	struct keymap k;

	(void)state;
	keymap_init(&k, US);
	hold(&k, CTRL);
	type(&k, 0x2e, 'c', KEY_MOD_CTRL);
	hold(&k, SHIFT);
	type(&k, 0x2e, 'c', KEY_MOD_CTRL);
	hold(&k, SHIFT | UP);
	hold(&k, ALT);
	type(&k, 0x2e, 'c', KEY_MOD_CTRL | KEY_MOD_ALT);
	hold(&k, CTRL | UP);
	type(&k, 0x21, 'f', KEY_MOD_ALT);
	hold(&k, SHIFT);
	type(&k, 0x21, 'F', KEY_MOD_ALT);
	type(&k, 0x0f, KEY_TAB, KEY_MOD_ALT | KEY_MOD_SHIFT);
	hold(&k, ALT | UP);
	type(&k, 0x0f, KEY_TAB, KEY_MOD_SHIFT);
	hold(&k, SHIFT | UP);
	hold(&k, ALT | EXTENDED);
	type(&k, 0x21, 'f', KEY_MOD_ALT);
	hold(&k, ALT | EXTENDED | UP);
	/* one of two that are held */
	hold(&k, SHIFT);
	hold(&k, SHIFT_RIGHT);
	hold(&k, SHIFT | UP);
	type(&k, 0x1e, 'A', 0);
	/* a synchronize event lets go of everything */
	keymap_sync(&k, 0);
	type(&k, 0x1e, 'a', 0);
}

static void test_specials(void **state)
{
	static const struct {
		int what;
		uint32_t key;
	} keys[] = {
		{ 0x01, KEY_ESCAPE },
		{ 0x0e, KEY_BACKSPACE },
		{ 0x0f, KEY_TAB },
		{ 0x1c, KEY_ENTER },
		{ 0x1c | EXTENDED, KEY_ENTER },
		{ 0x48 | EXTENDED, KEY_UP },
		{ 0x50 | EXTENDED, KEY_DOWN },
		{ 0x4b | EXTENDED, KEY_LEFT },
		{ 0x4d | EXTENDED, KEY_RIGHT },
		{ 0x47 | EXTENDED, KEY_HOME },
		{ 0x4f | EXTENDED, KEY_END },
		{ 0x49 | EXTENDED, KEY_PAGE_UP },
		{ 0x51 | EXTENDED, KEY_PAGE_DOWN },
		{ 0x52 | EXTENDED, KEY_INSERT },
		{ 0x53 | EXTENDED, KEY_DELETE },
		{ 0x57, KEY_F1 + 10 },
		{ 0x58, KEY_F1 + 11 },
	};
	struct keymap k;

	(void)state;
	keymap_init(&k, GERMAN);
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		type(&k, keys[i].what, keys[i].key, 0);
		hold(&k, SHIFT);
		hold(&k, CTRL);
		type(&k, keys[i].what, keys[i].key, KEY_MOD_SHIFT | KEY_MOD_CTRL);
		hold(&k, SHIFT | UP);
		hold(&k, CTRL | UP);
	}
	for (int i = 0; i < 10; i++)
		type(&k, 0x3b + i, KEY_F1 + (uint32_t)i, 0);
}

static void test_caps_lock(void **state)
{
	struct keymap k;

	(void)state;
	keymap_init(&k, GERMAN);
	hold(&k, CAPS);
	hold(&k, CAPS); /* repeated */
	hold(&k, CAPS | UP);
	type(&k, 0x1e, 'A', 0);
	type(&k, 0x28, 0xc4, 0);
	type(&k, 0x02, '1', 0);
	type(&k, 0x0c, 0xdf, 0);
	hold(&k, SHIFT);
	type(&k, 0x1e, 'a', 0);
	type(&k, 0x02, '!', 0);
	hold(&k, SHIFT | UP);
	hold(&k, CTRL);
	type(&k, 0x1e, 'a', KEY_MOD_CTRL);
	hold(&k, CTRL | UP);
	hold(&k, CAPS);
	hold(&k, CAPS | UP);
	type(&k, 0x1e, 'a', 0);
	keymap_sync(&k, KEYMAP_CAPS_LOCK);
	type(&k, 0x1e, 'A', 0);
}

static void test_keypad(void **state)
{
	static const char digits[] = "789-456+1230";
	static const uint32_t others[] = { KEY_HOME, KEY_UP, KEY_PAGE_UP, 0, KEY_LEFT, NOTHING,
		KEY_RIGHT, 0, KEY_END, KEY_DOWN, KEY_PAGE_DOWN, KEY_INSERT };
	struct keymap k;

	(void)state;
	keymap_init(&k, US);
	for (int pass = 0; pass < 2; pass++) {
		for (int i = 0; i < 12; i++)
			if (others[i] != 0)
				type(&k, 0x47 + i, pass == 0 ? (uint32_t)digits[i] : others[i], 0);
		type(&k, 0x53, pass == 0 ? '.' : KEY_DELETE, 0);
		type(&k, 0x4a, '-', 0);
		type(&k, 0x4e, '+', 0);
		type(&k, 0x37, '*', 0);
		type(&k, 0x35 | EXTENDED, '/', 0);
		hold(&k, NUM);
		hold(&k, NUM | UP);
	}
	hold(&k, SHIFT);
	type(&k, 0x47, KEY_HOME, KEY_MOD_SHIFT);
	keymap_init(&k, GERMAN);
	type(&k, 0x53, ',', 0);
	keymap_sync(&k, 0);
	type(&k, 0x53, KEY_DELETE, 0);
}

static void test_unicode(void **state)
{
	struct keymap k;

	(void)state;
	keymap_init(&k, US);
	unicode(&k, 'A', 'A', 0);
	unicode(&k, 0xe4, 0xe4, 0);
	unicode(&k, 0x20ac, 0x20ac, 0);
	unicode(&k, 0xd83d, NOTHING, 0);
	unicode(&k, 0xde00, 0x1f600, 0);
	unicode(&k, 0xde00, NOTHING, 0);
	unicode(&k, 0xd83d, NOTHING, 0);
	unicode(&k, 'x', 'x', 0);
	unicode(&k, 0xde00, NOTHING, 0);
	unicode(&k, 0xd83d, NOTHING, 0);
	unicode(&k, 0xdbff, NOTHING, 0);
	unicode(&k, 0xdfff, 0x10ffff, 0);
	unicode(&k, '\r', KEY_ENTER, 0);
	unicode(&k, '\b', KEY_BACKSPACE, 0);
	unicode(&k, '\t', KEY_TAB, 0);
	unicode(&k, 0x1b, KEY_ESCAPE, 0);
	unicode(&k, 0, NOTHING, 0);
	unicode(&k, 3, NOTHING, 0);
	unicode(&k, 0x9b, NOTHING, 0);
	/* a Ctrl that came as a scancode */
	hold(&k, CTRL);
	unicode(&k, 'C', 'c', KEY_MOD_CTRL);
	/* an accent that came as one waits for a character, however that comes */
	keymap_init(&k, GERMAN);
	type(&k, 0x0d, NOTHING, 0);
	unicode(&k, 'e', 0xe9, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_us),
		cmocka_unit_test(test_unknown_layout),
		cmocka_unit_test(test_uk),
		cmocka_unit_test(test_german),
		cmocka_unit_test(test_dead),
		cmocka_unit_test(test_pause),
		cmocka_unit_test(test_modifiers),
		cmocka_unit_test(test_specials),
		cmocka_unit_test(test_caps_lock),
		cmocka_unit_test(test_keypad),
		cmocka_unit_test(test_unicode),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
