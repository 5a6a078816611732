/*
 * Fuzzer of the keys: scancodes with every prefix, Unicode events and synchronizations, on each layout.
 * What is sent is a key that exists; no event is lost but those that mean nothing; and after a
 * synchronization nothing is left of what was before.
 */
#include "keymap.h"
#include "messages.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SCANCODE, UNICODE, SYNCHRONIZE, KINDS };

static void check(bool holds)
{
	if (!holds)
		abort();
}

static void check_keys(const struct keymap *k, const struct key_out *out, unsigned n)
{
	check(n <= KEYMAP_KEYS);
	check(n < 2 || k->dead == 0);
	for (unsigned i = 0; i < n; i++) {
		check(out[i].code >= ' ' && out[i].code <= KEY_LAST);
		check(out[i].code < 0xd800 || out[i].code >= 0xe000);
		check((out[i].modifiers & ~(KEY_MOD_SHIFT | KEY_MOD_ALT | KEY_MOD_CTRL)) == 0);
		check(out[i].code >= KEY_ENTER || (out[i].modifiers & KEY_MOD_SHIFT) == 0);
	}
}

/* As if it had begun just now. */
static void synchronize(struct keymap *k, uint32_t layout, uint32_t flags)
{
	struct keymap fresh;

	keymap_init(&fresh, layout);
	fresh.locks = flags & (KEYMAP_NUM_LOCK | KEYMAP_CAPS_LOCK);
	keymap_sync(k, flags);
	check(k->layout == fresh.layout && k->held == 0 && k->locks == fresh.locks);
	check(k->dead == 0 && k->high == 0 && !k->e1 && !k->pause);
}

/* Three bytes each: kind, press and prefix; code. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint32_t layouts[] = { 0x409, 0x809, 0x407, 0x40c };
	uint32_t layout = layouts[size % 4];
	struct keymap k;

	check(keymap_init(&k, layout) == (layout != 0x40c));
	for (; size >= 3; data += 3, size -= 3) {
		struct key_out out[KEYMAP_KEYS];
		uint16_t unit = (uint16_t)(data[1] << 8 | data[2]);
		uint32_t accent = k.dead;
		bool pressed = !(data[0] & 0x80);
		unsigned n = 0;

		if (data[0] % KINDS == SCANCODE)
			n = keymap_scancode(&k, pressed, data[1] % 3, data[2], out);
		else if (data[0] % KINDS == UNICODE)
			n = keymap_unicode(&k, pressed, unit, out);
		else
			synchronize(&k, layout, data[1]);
		check_keys(&k, out, n);
		/* an accent that waited waits, went with what came, or came before it */
		if (data[0] % KINDS != SYNCHRONIZE && accent != 0 && k.dead != accent)
			check(n > 0 && k.dead == 0 && (n == 1 || out[0].code == accent));
	}
	return 0;
}
