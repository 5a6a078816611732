/* Keys, as xterm encodes them. */
#include "vt-private.h"

#include <stdio.h>
#include <string.h>

/* CSI or SS3 and a letter, or CSI, a number and a tilde. */
static const struct key {
	char letter;
	bool application; /* SS3 where programs asked for it: the keys of the cursor */
	bool ss3;         /* always, but with modifiers */
	uint8_t number;
} keys[] = {
	/* from KEY_UP on */
	[0] = { .letter = 'A', .application = true },
	[KEY_DOWN - KEY_UP] = { .letter = 'B', .application = true },
	[KEY_LEFT - KEY_UP] = { .letter = 'D', .application = true },
	[KEY_RIGHT - KEY_UP] = { .letter = 'C', .application = true },
	[KEY_INSERT - KEY_UP] = { .number = 2 },
	[KEY_DELETE - KEY_UP] = { .number = 3 },
	[KEY_HOME - KEY_UP] = { .letter = 'H', .application = true },
	[KEY_END - KEY_UP] = { .letter = 'F', .application = true },
	[KEY_PAGE_UP - KEY_UP] = { .number = 5 },
	[KEY_PAGE_DOWN - KEY_UP] = { .number = 6 },
	[KEY_F1 - KEY_UP] = { .letter = 'P', .ss3 = true },
	[KEY_F1 + 1 - KEY_UP] = { .letter = 'Q', .ss3 = true },
	[KEY_F1 + 2 - KEY_UP] = { .letter = 'R', .ss3 = true },
	[KEY_F1 + 3 - KEY_UP] = { .letter = 'S', .ss3 = true },
	[KEY_F1 + 4 - KEY_UP] = { .number = 15 },
	[KEY_F1 + 5 - KEY_UP] = { .number = 17 },
	[KEY_F1 + 6 - KEY_UP] = { .number = 18 },
	[KEY_F1 + 7 - KEY_UP] = { .number = 19 },
	[KEY_F1 + 8 - KEY_UP] = { .number = 20 },
	[KEY_F1 + 9 - KEY_UP] = { .number = 21 },
	[KEY_F1 + 10 - KEY_UP] = { .number = 23 },
	[KEY_LAST - KEY_UP] = { .number = 24 },
};

/* The character that CODE is with control. */
static uint32_t control_of(uint32_t code)
{
	static const char digits[] = "\0\x1b\x1c\x1d\x1e\x1f\x7f"; /* 2 to 8 */

	if ((code >= '@' && code <= '_') || (code >= 'a' && code <= 'z') || code == ' ')
		return code & 0x1f;
	if (code >= '2' && code <= '8')
		return (uint32_t)digits[code - '2'];
	if (code == '/' || code == '-')
		return 0x1f;
	return code == '?' ? 0x7f : code;
}

static size_t put_character(uint32_t code, char *bytes)
{
	if (code < 0x80) {
		bytes[0] = (char)code;
		return 1;
	}
	if (code < 0x800) {
		bytes[0] = (char)(0xc0 | code >> 6);
		bytes[1] = (char)(0x80 | (code & 0x3f));
		return 2;
	}
	if (code < 0x10000) {
		bytes[0] = (char)(0xe0 | code >> 12);
		bytes[1] = (char)(0x80 | (code >> 6 & 0x3f));
		bytes[2] = (char)(0x80 | (code & 0x3f));
		return 3;
	}
	bytes[0] = (char)(0xf0 | code >> 18);
	bytes[1] = (char)(0x80 | (code >> 12 & 0x3f));
	bytes[2] = (char)(0x80 | (code >> 6 & 0x3f));
	bytes[3] = (char)(0x80 | (code & 0x3f));
	return 4;
}

/* A character, or a key that stands for one. Alt is ESC before it. */
static size_t character(uint32_t code, uint32_t modifiers, char *bytes)
{
	size_t n = 0;

	if (modifiers & KEY_MOD_ALT)
		bytes[n++] = 0x1b;
	return n + put_character(modifiers & KEY_MOD_CTRL ? control_of(code) : code, bytes + n);
}

/* Keys that stand for a character: Ctrl and Shift change none of them but Tab. */
static size_t plain_key(const struct vt *vt, uint32_t code, uint32_t modifiers, char *bytes)
{
	size_t n;

	modifiers &= KEY_MOD_ALT | KEY_MOD_SHIFT;
	if (code == KEY_TAB && modifiers & KEY_MOD_SHIFT)
		return (size_t)snprintf(
		    bytes, VT_KEY_SIZE, "%s\033[Z", modifiers & KEY_MOD_ALT ? "\033" : "");
	n = character(code == KEY_ENTER       ? '\r'
	              : code == KEY_TAB       ? '\t'
	              : code == KEY_BACKSPACE ? 0x7f
	                                      : 0x1b,
	    modifiers, bytes);
	if (code == KEY_ENTER && vt->modes & VT_NEW_LINE)
		bytes[n++] = '\n';
	return n;
}

size_t vt_key(const struct vt *vt, uint32_t code, uint32_t modifiers, char bytes[VT_KEY_SIZE])
{
	const struct key *k;
	int m = (int)(modifiers & (KEY_MOD_SHIFT | KEY_MOD_ALT | KEY_MOD_CTRL)) + 1;

	if (code > KEY_LAST)
		return 0;
	if (code < KEY_ENTER)
		return character(code, modifiers, bytes);
	if (code < KEY_UP)
		return plain_key(vt, code, modifiers, bytes);
	k = &keys[code - KEY_UP];
	if (k->letter && m == 1)
		return (size_t)snprintf(bytes, VT_KEY_SIZE, "\033%c%c",
		    k->ss3 || (k->application && vt->modes & VT_CURSOR_KEYS) ? 'O' : '[',
		    k->letter);
	if (k->letter)
		return (size_t)snprintf(bytes, VT_KEY_SIZE, "\033[1;%d%c", m, k->letter);
	if (m == 1)
		return (size_t)snprintf(bytes, VT_KEY_SIZE, "\033[%d~", k->number);
	return (size_t)snprintf(bytes, VT_KEY_SIZE, "\033[%d;%d~", k->number, m);
}
