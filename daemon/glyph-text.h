/*
 * Text that was drawn with a glyph atlas, read back from its pixels: what a screenshot of a desktop
 * says, for tests, and for scripts that wait for a text. It knows the atlas's glyphs and no others.
 *
 * A cell's background is the colour most of its pixels have and its foreground the one farthest
 * from that; each pixel's place between the two is compared with the atlas, both ways round, and
 * the glyph with the least squared error is it. What no glyph comes near to is U+FFFD. Of glyphs
 * that look alike (Latin and Cyrillic; an upper half block and a lower one in exchanged colours)
 * the lowest code point is read; an underlined blank is an underscore.
 */
#ifndef MUSESS_GLYPH_TEXT_H
#define MUSESS_GLYPH_TEXT_H

#include "glyphs.h"

enum {
	GLYPH_TEXT_HEIGHT = 16,  /* pixels of a line */
	GLYPH_TEXT_LINE = 16384, /* bytes that are enough for one */
};

struct glyph_text;

struct glyph_picture {
	int width, height;
	int bytes;             /* of a pixel; the first three are its colours, in any order */
	const uint8_t *pixels; /* row by row from the top, without padding */
};

/* Copies what it needs of GLYPHS. NULL: memory is short. */
struct glyph_text *glyph_text_create(const struct glyphs *glyphs);
void glyph_text_destroy(struct glyph_text *text); /* NULL is allowed */

/* The text of the cells whose top left pixels are X, Y and to the right of it, as UTF-8 without
   blanks at its end, in LINE (SIZE bytes; what does not fit is cut off). The line has to be in
   the picture. What was read is remembered: TEXT is used by one thread at a time. */
void glyph_text_line(struct glyph_text *text, const struct glyph_picture *picture, int x, int y,
    char *line, size_t size);

#endif
