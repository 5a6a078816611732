/* A session's picture and its text. */
#include "screen.h"

#include "glyph-text.h"
#include "glyphs.h"

#include <freerdp/codec/interleaved.h>
#include <freerdp/codec/planar.h>
#include <stdlib.h>
#include <string.h>

#define FONTS "/usr/share/fonts/truetype/dejavu/"

enum { BYTES = 4, BITS_MAX = 32 };

struct screen {
	uint16_t width, height;
	uint8_t pixels[]; /* PIXEL_FORMAT_RGBX32 */
};

/* One of each is enough: a worker's pictures are decoded by its one event loop. */
static BITMAP_PLANAR_CONTEXT *planar;
static BITMAP_INTERLEAVED_CONTEXT *interleaved;
static struct glyph_text *text;

int screen_warm_up(char *error, size_t size)
{
	struct glyphs *glyphs;

	if (text && planar && interleaved)
		return 0; /* of a run before */
	glyphs =
	    glyphs_create(FONTS "DejaVuSansMono.ttf", FONTS "DejaVuSansMono-Bold.ttf", error, size);
	if (!glyphs)
		return -1;
	text = glyph_text_create(glyphs);
	planar = freerdp_bitmap_planar_context_new(0, 1024, 768);
	interleaved = bitmap_interleaved_context_new(FALSE);
	glyphs_destroy(glyphs); /* the text has copies */
	if (text && planar && interleaved)
		return 0;
	snprintf(error, size, "memory is short");
	return -1;
}

struct screen *screen_create(uint16_t width, uint16_t height)
{
	struct screen *s = calloc(1, sizeof(*s) + (size_t)width * height * BYTES);

	if (s) {
		s->width = width;
		s->height = height;
	}
	return s;
}

void screen_destroy(struct screen *screen)
{
	free(screen);
}

/* Bitmaps of less than 32 bits are interleaved, or not compressed at all: then the codec has
   nothing to do, and nobody sends that. */
static void draw(struct screen *s, const BITMAP_DATA *b)
{
	uint32_t width = b->destRight - b->destLeft + 1, height = b->destBottom - b->destTop + 1;

	if (b->destRight < b->destLeft || b->destBottom < b->destTop || b->destRight >= s->width ||
	    b->destBottom >= s->height || !b->compressed || b->width < width || b->height < height)
		return;
	if (b->bitsPerPixel == BITS_MAX)
		planar_decompress(planar, b->bitmapDataStream, b->bitmapLength, b->width, b->height,
		    s->pixels, PIXEL_FORMAT_RGBX32, (uint32_t)s->width * BYTES, b->destLeft,
		    b->destTop, width, height, TRUE);
	else
		interleaved_decompress(interleaved, b->bitmapDataStream, b->bitmapLength, b->width,
		    b->height, b->bitsPerPixel, s->pixels, PIXEL_FORMAT_RGBX32,
		    (uint32_t)s->width * BYTES, b->destLeft, b->destTop, width, height, NULL);
}

void screen_update(struct screen *screen, const BITMAP_UPDATE *update)
{
	for (uint32_t i = 0; i < update->number; i++)
		draw(screen, &update->rectangles[i]);
}

bool screen_matches(const struct screen *s, const regex_t *pattern)
{
	const struct glyph_picture picture = { s->width, s->height, BYTES, s->pixels };
	char line[GLYPH_TEXT_LINE];

	for (int y = 0; y + GLYPH_TEXT_HEIGHT <= s->height; y += GLYPH_TEXT_HEIGHT) {
		glyph_text_line(text, &picture, 0, y, line, sizeof(line));
		if (regexec(pattern, line, 0, NULL, 0) == 0)
			return true;
	}
	return false;
}
