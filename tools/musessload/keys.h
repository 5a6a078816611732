/* Keys of a US keyboard: scancodes of the first set, for characters and by name. */
#ifndef MUSESS_LOAD_KEYS_H
#define MUSESS_LOAD_KEYS_H

#include <stdbool.h>
#include <stdint.h>

enum {
	KEYS_EXTENDED = 0x100, /* those after E0 */
	KEYS_SHIFT = 0x2a,
};

/* The key that makes an ASCII character, and whether it needs Shift. 0: there is none. */
uint16_t keys_of_character(char c, bool *shift);

/* The key called NAME ("enter", "ctrl", "f4", "a"). 0: there is none. */
uint16_t keys_of_name(const char *name);

#endif
