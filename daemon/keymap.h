/*
 * From RDP keyboard events, scancodes or Unicode, to what a terminal wants: characters,
 * or keys of enum key_special, with modifiers. Pure: no I/O, no allocation.
 *
 * Known layouts are US (0409), UK (0809) and German (0407). A variant of one of them is taken for it, and
 * every other layout for US, which keymap_init tells. Clients that send Unicode events need no layout at all.
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
	bool e1;        /* the byte before was E1, sent as if it were a key */
	bool pause;     /* the Pause key was begun: the Num Lock that comes next is its */
};

/* What is to be sent to the terminal. */
struct key_out {
	uint32_t code;      /* a Unicode code point or enum key_special */
	uint32_t modifiers; /* KEY_MOD_* */
};

/* Begins with nothing held and Num Lock on. KEYBOARD_LAYOUT is the client's (MS-RDPBCGR 2.2.1.3.2): a
   language, alone or below a layout or a variant. Returns whether the layout is known. */
bool keymap_init(struct keymap *k, uint32_t keyboard_layout);

/* The name of the layout that keys have: "US". */
const char *keymap_layout(const struct keymap *k);

/* The Synchronize event: FLAGS are the locks that are on; no key is down. An accent goes on waiting. */
void keymap_sync(struct keymap *k, uint32_t flags);

/* The byte before a scancode. */
enum keymap_prefix { KEYMAP_PLAIN, KEYMAP_E0, KEYMAP_E1 };

/* One event gives two keys where an accent does not go with what comes next. */
enum { KEYMAP_KEYS = 2 };

/*
 * A scancode event. Returns how many keys of OUT are to be sent: one for presses, also
 * repeated ones, of keys that mean something; two where an accent waited that does not go with it.
 *
 * The Pause key is Ctrl after E1 and Num Lock (MS-RDPBCGR 2.2.8.1.1.3.1.1.1), and means nothing here;
 * rdesktop sends its bytes (E1 1D 45 E1 9D C5) as if each were a key's.
 *
 * A character made with Shift or AltGr does not carry them as modifiers. With Ctrl, a
 * letter is the lower-case one. Alt is the left Alt key and, on the US layout, also the
 * right one, which is AltGr elsewhere. Keys of enum key_special carry all modifiers.
 */
unsigned keymap_scancode(struct keymap *k, bool pressed, enum keymap_prefix prefix, uint8_t code,
    struct key_out out[KEYMAP_KEYS]);

/* A Unicode event: one UTF-16 unit. Surrogates make one key out of two events; a lone one
   is ignored. Returns how many keys of OUT are to be sent. */
unsigned keymap_unicode(
    struct keymap *k, bool pressed, uint16_t utf16, struct key_out out[KEYMAP_KEYS]);

#endif
