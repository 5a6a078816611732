/*
 * Scancodes are those of the PC's set 1. A layout is five stretches of neighbouring keys,
 * each with three strings: the characters of its keys alone, with Shift and with AltGr. A
 * space or a string's end means that there is none.
 */
#include "keymap.h"

#include "messages.h"

#include <stddef.h>
#include <uchar.h>

enum {
	HELD_SHIFT_LEFT = 0x1,
	HELD_SHIFT_RIGHT = 0x2,
	HELD_CTRL_LEFT = 0x4,
	HELD_CTRL_RIGHT = 0x8,
	HELD_ALT_LEFT = 0x10,
	HELD_ALT_RIGHT = 0x20,
	HELD_CAPS_LOCK = 0x40, /* so that a repeated press does not switch it back */
	HELD_NUM_LOCK = 0x80,
	HELD_SHIFT = HELD_SHIFT_LEFT | HELD_SHIFT_RIGHT,
};

struct layout {
	uint16_t id;
	const char *name;
	bool alt_gr;
	char16_t decimal; /* of the keypad */
	const char16_t *dead;
	struct stretch {
		uint8_t first, count;
		const char16_t *plain, *shift, *alt_gr;
	} stretches[5];
};

static const struct layout layouts[] = {
	{
	    .id = 0x409, /* the first is what others fall back to */
	    .name = "US",
	    .decimal = u'.',
	    .dead = u"",
	    .stretches = {
		{ 0x02, 12, u"1234567890-=", u"!@#$%^&*()_+", u"" },
		{ 0x10, 12, u"qwertyuiop[]", u"QWERTYUIOP{}", u"" },
		{ 0x1e, 12, u"asdfghjkl;'`", u"ASDFGHJKL:\"~", u"" },
		{ 0x2b, 11, u"\\zxcvbnm,./", u"|ZXCVBNM<>?", u"" },
		{ 0x56, 1, u"\\", u"|", u"" },
	    },
	},
	{
	    .id = 0x809,
	    .name = "UK",
	    .alt_gr = true,
	    .decimal = u'.',
	    .dead = u"",
	    .stretches = {
		{ 0x02, 12, u"1234567890-=", u"!\"£$%^&*()_+", u"   €" },
		{ 0x10, 12, u"qwertyuiop[]", u"QWERTYUIOP{}", u"  é   úíó" },
		{ 0x1e, 12, u"asdfghjkl;'`", u"ASDFGHJKL:@¬", u"á          ¦" },
		{ 0x2b, 11, u"#zxcvbnm,./", u"~ZXCVBNM<>?", u"" },
		{ 0x56, 1, u"\\", u"|", u"" },
	    },
	},
	{
	    .id = 0x407,
	    .name = "German",
	    .alt_gr = true,
	    .decimal = u',',
	    .dead = u"´`^",
	    .stretches = {
		{ 0x02, 12, u"1234567890ß´", u"!\"§$%&/()=?`", u" ²³   {[]}\\" },
		{ 0x10, 12, u"qwertzuiopü+", u"QWERTZUIOPÜ*", u"@ €        ~" },
		{ 0x1e, 12, u"asdfghjklöä^", u"ASDFGHJKLÖÄ°", u"" },
		{ 0x2b, 11, u"#yxcvbnm,.-", u"'YXCVBNM;:_", u"       µ" },
		{ 0x56, 1, u"<", u">", u"|" },
	    },
	},
};

/* What becomes of an accent and a letter: the same place in the two strings. */
static const struct {
	char16_t accent;
	const char16_t *letters, *composed;
} accents[] = {
	{ u'´', u"aeiouyAEIOUY ", u"áéíóúýÁÉÍÓÚÝ´" },
	{ u'`', u"aeiouAEIOU ", u"àèìòùÀÈÌÒÙ`" },
	{ u'^', u"aeiouAEIOU ", u"âêîôûÂÊÎÔÛ^" },
};

/* Keys that are the same on every layout. Those of the keypad are 0x47 to 0x53. */
struct special {
	uint8_t code;
	uint32_t key;
};
static const struct special plain_specials[] = {
	{ 0x01, KEY_ESCAPE },
	{ 0x0e, KEY_BACKSPACE },
	{ 0x0f, KEY_TAB },
	{ 0x1c, KEY_ENTER },
	{ 0x39, ' ' },
	{ 0x37, '*' },
	{ 0x4a, '-' },
	{ 0x4e, '+' },
	{ 0x3b, KEY_F1 },
	{ 0x3c, KEY_F1 + 1 },
	{ 0x3d, KEY_F1 + 2 },
	{ 0x3e, KEY_F1 + 3 },
	{ 0x3f, KEY_F1 + 4 },
	{ 0x40, KEY_F1 + 5 },
	{ 0x41, KEY_F1 + 6 },
	{ 0x42, KEY_F1 + 7 },
	{ 0x43, KEY_F1 + 8 },
	{ 0x44, KEY_F1 + 9 },
	{ 0x57, KEY_F1 + 10 },
	{ 0x58, KEY_F1 + 11 },
	{ 0, 0 },
};
/* After E0; and without it, the keypad while Num Lock is off. */
static const struct special extended_specials[] = {
	{ 0x47, KEY_HOME },
	{ 0x48, KEY_UP },
	{ 0x49, KEY_PAGE_UP },
	{ 0x4b, KEY_LEFT },
	{ 0x4d, KEY_RIGHT },
	{ 0x4f, KEY_END },
	{ 0x50, KEY_DOWN },
	{ 0x51, KEY_PAGE_DOWN },
	{ 0x52, KEY_INSERT },
	{ 0x53, KEY_DELETE },
	{ 0x1c, KEY_ENTER },
	{ 0x35, '/' },
	{ 0, 0 },
};

/*
 * The layout of a client's active input locale (MS-RDPBCGR 2.2.1.3.2, keyboardLayout). Its low half is a
 * language. The high half is 0 where the layout is that language's own; the number of a variant
 * (0001 to 03ff, or f000 and more); or else the layout, which may be another language's. Leaves in
 * VARIANT whether it is one.
 */
static uint16_t layout_id(uint32_t locale, bool *variant)
{
	uint16_t high = (uint16_t)(locale >> 16);

	*variant = high != 0 && (high < 0x400 || high >= 0xf000);
	return high == 0 || *variant ? (uint16_t)locale : high;
}

bool keymap_init(struct keymap *k, uint32_t keyboard_layout)
{
	bool variant;
	uint16_t id = layout_id(keyboard_layout, &variant);

	*k = (struct keymap){ .layout = &layouts[0], .locks = KEYMAP_NUM_LOCK };
	for (size_t i = 0; i < sizeof(layouts) / sizeof(layouts[0]); i++)
		if (layouts[i].id == id) {
			k->layout = &layouts[i];
			return !variant;
		}
	return false;
}

const char *keymap_layout(const struct keymap *k)
{
	return k->layout->name;
}

void keymap_sync(struct keymap *k, uint32_t flags)
{
	*k = (struct keymap){ .layout = k->layout,
		.dead = k->dead,
		.locks = flags & (KEYMAP_NUM_LOCK | KEYMAP_CAPS_LOCK) };
}

static size_t length(const char16_t *text)
{
	size_t n = 0;

	while (text[n] != 0)
		n++;
	return n;
}

static bool contains(const char16_t *text, uint32_t c)
{
	for (; *text != 0; text++)
		if (*text == c)
			return true;
	return false;
}

/* Letters of Latin-1 that have both cases. */
static bool is_lower(uint32_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= 0xe0 && c <= 0xfe && c != 0xf7);
}

static bool is_upper(uint32_t c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 0xc0 && c <= 0xde && c != 0xd7);
}

static bool alt_gr_held(const struct keymap *k)
{
	return k->layout->alt_gr && (k->held & HELD_ALT_RIGHT);
}

static uint32_t modifiers(const struct keymap *k)
{
	uint32_t held = k->held, result = 0;

	/* Windows clients press the left Ctrl with AltGr, of their own accord. */
	if (alt_gr_held(k))
		held &= ~(uint32_t)(HELD_ALT_RIGHT | HELD_CTRL_LEFT);
	if (held & HELD_SHIFT)
		result |= KEY_MOD_SHIFT;
	if (held & (HELD_CTRL_LEFT | HELD_CTRL_RIGHT))
		result |= KEY_MOD_CTRL;
	if (held & (HELD_ALT_LEFT | HELD_ALT_RIGHT))
		result |= KEY_MOD_ALT;
	return result;
}

/* The bit of HELD that a modifier or lock key has, 0 for every other key. */
static uint32_t held_bit(bool extended, uint8_t code)
{
	switch (code) {
	case 0x1d:
		return extended ? HELD_CTRL_RIGHT : HELD_CTRL_LEFT;
	case 0x38:
		return extended ? HELD_ALT_RIGHT : HELD_ALT_LEFT;
	}
	if (extended) /* E0 2A and E0 36 are shifts that no one pressed */
		return 0;
	switch (code) {
	case 0x2a:
		return HELD_SHIFT_LEFT;
	case 0x36:
		return HELD_SHIFT_RIGHT;
	case 0x3a:
		return HELD_CAPS_LOCK;
	case 0x45:
		return HELD_NUM_LOCK;
	}
	return 0;
}

static void hold(struct keymap *k, uint32_t bit, bool pressed)
{
	if (pressed && !(k->held & bit)) {
		if (bit == HELD_CAPS_LOCK)
			k->locks ^= KEYMAP_CAPS_LOCK;
		if (bit == HELD_NUM_LOCK)
			k->locks ^= KEYMAP_NUM_LOCK;
	}
	k->held = pressed ? k->held | bit : k->held & ~bit;
}

static uint32_t find_special(const struct special *table, uint8_t code)
{
	while (table->code != 0 && table->code != code)
		table++;
	return table->key;
}

/* A key of the keypad that is a digit or something else, depending on Num Lock. Shift
   turns that round. */
static uint32_t keypad(const struct keymap *k, uint8_t code)
{
	static const char digits[] = "789-456+1230";

	if (!(k->locks & KEYMAP_NUM_LOCK) || (k->held & HELD_SHIFT))
		return find_special(extended_specials, code);
	return code == 0x53 ? k->layout->decimal : (uint32_t)digits[code - 0x47];
}

/* The character of a key of the layout, 0 where there is none. */
static uint32_t character(const struct keymap *k, uint8_t code)
{
	for (size_t i = 0; i < sizeof(k->layout->stretches) / sizeof(struct stretch); i++) {
		const struct stretch *s = &k->layout->stretches[i];
		size_t at = code - s->first;
		bool shift = (k->held & HELD_SHIFT) != 0;
		uint32_t c;

		if (code < s->first || at >= s->count)
			continue;
		if (alt_gr_held(k)) {
			c = at < length(s->alt_gr) && s->alt_gr[at] != ' ' ? s->alt_gr[at] : 0;
			if ((k->locks & KEYMAP_CAPS_LOCK) != 0)
				shift = !shift;
			return shift && is_lower(c) ? c - 0x20 : c;
		}
		/* Caps Lock is for letters; ß has no other case on a key */
		if ((k->locks & KEYMAP_CAPS_LOCK) && is_lower(s->plain[at]) &&
		    is_upper(s->shift[at]))
			shift = !shift;
		return shift ? s->shift[at] : s->plain[at];
	}
	return 0;
}

/* What an accent and a character come to, 0 where they do not go together. An accent that is typed twice or
   before a space is itself. */
static uint32_t compose(uint32_t accent, uint32_t c)
{
	if (accent == c)
		return accent;
	for (size_t i = 0; i < sizeof(accents) / sizeof(accents[0]); i++) {
		if (accents[i].accent != accent)
			continue;
		for (size_t at = 0; accents[i].letters[at] != 0; at++)
			if (accents[i].letters[at] == c)
				return accents[i].composed[at];
	}
	return 0;
}

/* The accent that waits, if any, as a key of its own. */
static unsigned send_accent(struct keymap *k, struct key_out *out)
{
	*out = (struct key_out){ .code = k->dead };
	k->dead = 0;
	return out->code != 0 ? 1 : 0;
}

/* A character with the modifiers that are left to it, behind an accent that does not go with it. */
static unsigned send_character(struct keymap *k, uint32_t c, struct key_out *out)
{
	uint32_t held = modifiers(k) & ~(uint32_t)KEY_MOD_SHIFT;
	uint32_t composed = k->dead != 0 && held == 0 ? compose(k->dead, c) : 0;
	unsigned n = 0;

	if (composed != 0) {
		c = composed;
		k->dead = 0;
	} else {
		n = send_accent(k, out);
	}
	if ((held & KEY_MOD_CTRL) && c >= 'A' && c <= 'Z')
		c += 'a' - 'A';
	out[n] = (struct key_out){ .code = c, .modifiers = held };
	return n + 1;
}

static unsigned send_special(struct keymap *k, uint32_t key, struct key_out *out)
{
	unsigned n = send_accent(k, out);

	out[n] = (struct key_out){ .code = key, .modifiers = modifiers(k) };
	return n + 1;
}

/* Whether an event is a part of the Pause key. */
static bool is_pause(struct keymap *k, bool pressed, enum keymap_prefix prefix, uint8_t code)
{
	bool e1 = prefix == KEYMAP_E1 || k->e1, pause = k->pause;

	k->e1 = prefix == KEYMAP_PLAIN && code == 0xe1;
	/* until the Num Lock that is its, and Ctrl's release, which may come before that one's */
	k->pause = e1 ? pause || (pressed && code == 0x1d) : k->e1 && pause;
	return e1 || k->e1 || (pause && pressed && prefix == KEYMAP_PLAIN && code == 0x45);
}

unsigned keymap_scancode(struct keymap *k, bool pressed, enum keymap_prefix prefix, uint8_t code,
    struct key_out out[KEYMAP_KEYS])
{
	bool extended = prefix == KEYMAP_E0;
	uint32_t bit, c;

	if (is_pause(k, pressed, prefix, code))
		return 0;
	bit = held_bit(extended, code);
	if (bit != 0)
		hold(k, bit, pressed);
	if (bit != 0 || !pressed)
		return 0;
	c = find_special(extended ? extended_specials : plain_specials, code);
	if (c == 0 && !extended)
		c = code >= 0x47 && code <= 0x53 ? keypad(k, code) : character(k, code);
	if (c == 0)
		return 0;
	if (c >= KEY_ENTER)
		return send_special(k, c, out);
	if (k->dead == 0 && contains(k->layout->dead, c) && modifiers(k) <= KEY_MOD_SHIFT) {
		k->dead = c;
		return 0;
	}
	return send_character(k, c, out);
}

/* Some clients send the keys of a screen keyboard as control characters. */
static uint32_t control_key(uint32_t c)
{
	switch (c) {
	case '\r':
	case '\n':
		return KEY_ENTER;
	case '\t':
		return KEY_TAB;
	case '\b':
		return KEY_BACKSPACE;
	case 0x1b:
		return KEY_ESCAPE;
	case 0x7f:
		return KEY_DELETE;
	}
	return 0;
}

unsigned keymap_unicode(
    struct keymap *k, bool pressed, uint16_t utf16, struct key_out out[KEYMAP_KEYS])
{
	uint32_t c = utf16, key, high;

	if (!pressed)
		return 0;
	high = k->high;
	k->high = 0;
	if (c >= 0xd800 && c < 0xdc00) {
		k->high = utf16;
		return 0;
	}
	if (c >= 0xdc00 && c < 0xe000) {
		if (high == 0)
			return 0;
		c = 0x10000 + ((high - 0xd800) << 10) + (c - 0xdc00);
	}
	key = control_key(c);
	if (key != 0)
		return send_special(k, key, out);
	if (c < ' ' || (c >= 0x80 && c < 0xa0))
		return 0;
	return send_character(k, c, out);
}
