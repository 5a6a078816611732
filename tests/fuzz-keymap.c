/*
 * Fuzzer of the keys: scancodes with every prefix, Unicode events and synchronizations, on any layout that
 * a client names, before it names one and after it. What is sent is a key that exists; no event is lost but
 * those that mean nothing; and after a synchronization, and with a new layout, nothing is left of what was
 * before.
 */
#include "keymap.h"
#include "messages.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SCANCODE, UNICODE, SYNCHRONIZE, LAYOUT, KINDS };

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

static void check_fresh(const struct keymap *k, uint32_t locks)
{
	check(k->layout && k->held == 0 && k->locks == locks);
	check(k->high == 0 && !k->e1 && !k->pause);
}

static void synchronize(struct keymap *k, uint32_t flags)
{
	const struct layout *layout = k->layout;
	uint32_t accent = k->dead;

	keymap_sync(k, flags);
	check(k->layout == layout && k->dead == accent);
	check_fresh(k, flags & (KEYMAP_NUM_LOCK | KEYMAP_CAPS_LOCK));
}

/* Each half is one that is known or one that may mean anything; the high one may be none, too. */
static void choose_layout(struct keymap *k, uint8_t kind, uint16_t number)
{
	static const uint16_t known[] = { 0x409, 0x809, 0x407 };
	static const uint16_t highs[] = { 0, 0x1, 0xf001, 0x409, 0x809, 0x407 };
	uint16_t low = kind & 0x40 ? number : known[number % 3];
	uint16_t high = kind & 0x20 ? number : highs[number % 6];
	uint16_t id = high ? high : low;

	check(keymap_init(k, (uint32_t)high << 16 | low) ==
	      (id == known[0] || id == known[1] || id == known[2]));
	check(k->dead == 0);
	check_fresh(k, KEYMAP_NUM_LOCK);
}

/* Three bytes each: kind, press and prefix; code. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct keymap k;

	keymap_init(&k, 0x409); /* until the client has said which */
	for (; size >= 3; data += 3, size -= 3) {
		struct key_out out[KEYMAP_KEYS];
		uint16_t unit = (uint16_t)(data[1] << 8 | data[2]);
		uint8_t kind = data[0] % KINDS;
		uint32_t accent = k.dead;
		bool pressed = !(data[0] & 0x80);
		unsigned n = 0;

		if (kind == SCANCODE)
			n = keymap_scancode(&k, pressed, data[1] % 3, data[2], out);
		else if (kind == UNICODE)
			n = keymap_unicode(&k, pressed, unit, out);
		else if (kind == SYNCHRONIZE)
			synchronize(&k, (uint32_t)data[1] << 24 | data[2]);
		else
			choose_layout(&k, data[0], unit);
		check_keys(&k, out, n);
		/* an accent that waited waits, went with what came, or came before it */
		if (kind <= UNICODE && accent != 0 && k.dead != accent)
			check(n > 0 && k.dead == 0 && (n == 1 || out[0].code == accent));
	}
	return 0;
}
