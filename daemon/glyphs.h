/*
 * The glyph atlas: what every code point looks like in a cell of CELL_WIDTH x CELL_HEIGHT
 * pixels, rendered once before any fork and only read afterwards, so that all processes
 * share its pages.
 */
#ifndef MUSESS_GLYPHS_H
#define MUSESS_GLYPHS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes of one glyph: the coverage of each pixel, 0 to 255, row by row from the top. */
enum { GLYPH_SIZE = 128 };

struct glyphs;

/*
 * Renders the Basic Multilingual Plane of two monospaced font files, regular and BOLD.
 * Returns the atlas, which the caller destroys, or NULL after writing to ERROR (SIZE bytes)
 * which file was at fault, why, and which package has it.
 */
struct glyphs *glyphs_create(const char *font, const char *bold, char *error, size_t size);

/* Frees an atlas. NULL is allowed. */
void glyphs_destroy(struct glyphs *glyphs);

/*
 * The glyph of a code point, GLYPH_SIZE bytes that belong to GLYPHS. Never NULL: what is
 * blank has an empty one, what BOLD lacks is regular, what both lack is a hollow box. A
 * glyph wider than a cell is cut off.
 */
const uint8_t *glyphs_lookup(const struct glyphs *glyphs, uint32_t code, bool bold);

/* True for control characters, spaces and 0, which are blank whatever the font says. */
static inline bool glyphs_is_blank(uint32_t code)
{
	return code <= 0x20 || (code >= 0x7f && code <= 0xa0);
}

#endif
