/* The keys of a US keyboard. */
#include "keys.h"

#include <string.h>
#include <strings.h>

/* A row of the keyboard from FIRST on: its characters without and with Shift. */
static const struct row {
	uint16_t first;
	const char *plain, *shifted;
} rows[] = {
	{ 0x02, "1234567890-=", "!@#$%^&*()_+" },
	{ 0x10, "qwertyuiop[]", "QWERTYUIOP{}" },
	{ 0x1e, "asdfghjkl;'`", "ASDFGHJKL:\"~" },
	{ 0x2b, "\\zxcvbnm,./", "|ZXCVBNM<>?" },
	{ 0x39, " ", "" },
	{ 0x0f, "\t", "" },
	{ 0x1c, "\n", "" },
};

static const struct {
	const char *name;
	uint16_t key;
} names[] = {
	{ "esc", 0x01 },
	{ "backspace", 0x0e },
	{ "tab", 0x0f },
	{ "enter", 0x1c },
	{ "return", 0x1c },
	{ "ctrl", 0x1d },
	{ "shift", KEYS_SHIFT },
	{ "alt", 0x38 },
	{ "space", 0x39 },
	{ "f1", 0x3b },
	{ "f2", 0x3c },
	{ "f3", 0x3d },
	{ "f4", 0x3e },
	{ "f5", 0x3f },
	{ "f6", 0x40 },
	{ "f7", 0x41 },
	{ "f8", 0x42 },
	{ "f9", 0x43 },
	{ "f10", 0x44 },
	{ "f11", 0x57 },
	{ "f12", 0x58 },
	{ "home", 0x47 | KEYS_EXTENDED },
	{ "up", 0x48 | KEYS_EXTENDED },
	{ "pageup", 0x49 | KEYS_EXTENDED },
	{ "left", 0x4b | KEYS_EXTENDED },
	{ "right", 0x4d | KEYS_EXTENDED },
	{ "end", 0x4f | KEYS_EXTENDED },
	{ "down", 0x50 | KEYS_EXTENDED },
	{ "pagedown", 0x51 | KEYS_EXTENDED },
	{ "insert", 0x52 | KEYS_EXTENDED },
	{ "delete", 0x53 | KEYS_EXTENDED },
	{ "win", 0x5b | KEYS_EXTENDED },
};

uint16_t keys_of_character(char c, bool *shift)
{
	for (size_t i = 0; c && i < sizeof(rows) / sizeof(*rows); i++) {
		const char *plain = strchr(rows[i].plain, c);
		const char *shifted = strchr(rows[i].shifted, c);

		*shift = !plain;
		if (plain)
			return (uint16_t)(rows[i].first + (plain - rows[i].plain));
		if (shifted)
			return (uint16_t)(rows[i].first + (shifted - rows[i].shifted));
	}
	return 0;
}

uint16_t keys_of_name(const char *name)
{
	bool shift;
	uint16_t key;

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (strcasecmp(names[i].name, name) == 0)
			return names[i].key;
	key = name[0] && !name[1] ? keys_of_character(name[0], &shift) : 0;
	return key && !shift ? key : 0;
}
