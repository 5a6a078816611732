/*
 * From RDP keyboard events, scancodes or Unicode, to what a terminal wants: characters,
 * or keys of enum key_special, with modifiers. Pure: no I/O, no allocation.
 *
 * Known layouts are US (0409), UK (0809) and German (0407); every other one is taken for
 * US. Clients that send Unicode events need no layout at all.
 */
#ifndef MUSESS_KEYMAP_H
#define MUSESS_KEYMAP_H

#include <stdbool.h>
#include <stdint.h>

/* Flags of the Synchronize event (MS-RDPBCGR 2.2.8.1.1.3.1.1.5). */
enum { KEYMAP_NUM_LOCK = 2, KEYMAP_CAPS_LOCK = 4 };

struct layout;

struct keymap {
	const struct layout *layout;
	uint32_t held;  /* modifier and lock keys that are down: private bits */
	uint32_t locks; /* KEYMAP_NUM_LOCK, KEYMAP_CAPS_LOCK */
	uint32_t dead;  /* the accent that waits for its letter, 0: none */
	uint16_t high;  /* the high surrogate that waits for its low one, 0: none */
};

/* What is to be sent to the terminal. */
struct key_out {
	uint32_t code;      /* a Unicode code point or enum key_special */
	uint32_t modifiers; /* KEY_MOD_* */
};

/* Begins with nothing held and Num Lock on. KEYBOARD_LAYOUT is the client's; its low word
   counts. */
void keymap_init(struct keymap *k, uint32_t keyboard_layout);

/* The Synchronize event: FLAGS are the locks that are on, and no key is down. */
void keymap_sync(struct keymap *k, uint32_t flags);

/*
 * A scancode event: CODE with EXTENDED for those after E0. Returns true where *OUT is to
 * be sent: for presses, also repeated ones, of keys that mean something.
 *
 * A character made with Shift or AltGr does not carry them as modifiers. With Ctrl, a
 * letter is the lower-case one. Alt is the left Alt key and, on the US layout, also the
 * right one, which is AltGr elsewhere. Keys of enum key_special carry all modifiers.
 */
bool keymap_scancode(
    struct keymap *k, bool pressed, bool extended, uint8_t code, struct key_out *out);

/* A Unicode event: one UTF-16 unit. Surrogates make one key out of two events; a lone one
   is ignored. Returns true where *OUT is to be sent. */
bool keymap_unicode(struct keymap *k, bool pressed, uint16_t utf16, struct key_out *out);

#endif
