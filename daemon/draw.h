/*
 * The client's picture: a grid of cells, and of each cell whether the client has it yet.
 * There is no frame buffer: what is due is drawn from the glyph atlas, encoded, and
 * forgotten. The grid covers the whole desktop; where that is no multiple of a cell, the
 * last column and row are cut off and always background.
 */
#ifndef MUSESS_DRAW_H
#define MUSESS_DRAW_H

#include "glyphs.h"
#include "messages.h"

#include <freerdp/update.h>
#include <stdbool.h>
#include <stdint.h>

/* What one bitmap of text holds at most: one row of PIECE_COLUMNS cells. Encoded it stays
   below the 16256 bytes of an update that need no fragments, whatever it shows. */
enum {
	DRAW_PIECE_COLUMNS = 32,
	DRAW_PIECE_PIXELS = DRAW_PIECE_COLUMNS * CELL_WIDTH * CELL_HEIGHT,
	DRAW_PIECE_BYTES = 20480,
};

/* Columns outside of it have nothing to send. */
struct draw_range {
	uint16_t from, to;
};

struct draw {
	const struct glyphs *glyphs;
	uint16_t width, height; /* of the desktop, in pixels */
	uint16_t columns, rows; /* whole cells: what draw_row may fill */
	/* The rest is private. */
	uint16_t grid_columns, grid_rows; /* with cells that are cut off */
	uint8_t bpp;
	bool skip_alpha;
	bool cursor_visible;
	uint16_t cursor_row, cursor_column;
	uint16_t first_row;     /* rows above it have nothing to send */
	struct cell *cells;     /* grid_rows x grid_columns */
	struct draw_range *due; /* of each row */
	struct draw_asked {
		uint16_t left, top, right, bottom;
	} asked; /* pixels, inclusive; nothing where it is wrong way round */
	uint32_t pixels[DRAW_PIECE_PIXELS];
	uint8_t bytes[DRAW_PIECE_BYTES];
};

/* The width or height of a client's desktop, brought to DESKTOP_MIN at least and DESKTOP_MAX at most. */
uint16_t draw_bounded(uint32_t pixels);

/* Whether there are pictures of BPP bits a pixel: 15, 16, 24 or 32. A client may name any number. */
bool draw_has_depth(uint32_t bpp);

/*
 * Makes a picture of WIDTH x HEIGHT pixels (DESKTOP_MIN to DESKTOP_MAX), all black and all
 * due. BPP is 15, 16, 24 or 32. SKIP_ALPHA: the client's DRAW_ALLOW_SKIP_ALPHA (the
 * setting DrawAllowSkipAlpha after the capability exchange); rdesktop lacks it and wants
 * the alpha plane. GLYPHS must outlive the picture. Returns 0, or -1 with errno.
 */
int draw_init(struct draw *d, const struct glyphs *glyphs, uint16_t width, uint16_t height,
    uint8_t bpp, bool skip_alpha);

/* Frees what draw_init allocated. A zeroed structure is allowed. */
void draw_finish(struct draw *d);

/* Puts COUNT cells into ROW from COLUMN on; what lies outside columns and rows is left
   out. Only cells that look different afterwards become due. */
void draw_row(
    struct draw *d, uint16_t row, uint16_t column, uint16_t count, const struct cell *cells);

/* Takes a DSP_ROW or a DSP_FRAME, of which SIZE bytes came, a header's at least. One that is not of the
   size that it says is ignored, and both are where D is NULL: there is no picture yet. Returns whether
   it was a DSP_FRAME that is whole. */
bool draw_message(struct draw *d, const PORT_MESSAGE *message, size_t size);

/* Puts the cursor, a cell in exchanged colours, on a cell. */
void draw_cursor(struct draw *d, uint16_t row, uint16_t column, bool visible);

/* The client asks for a rectangle again, edges in pixels and inclusive as in the Refresh Rect PDU;
   whatever lies outside the desktop is ignored. That costs nothing, however often: what was asked
   for is one area, around all that was. */
void draw_ask(struct draw *d, uint16_t left, uint16_t top, uint16_t right, uint16_t bottom);
void draw_ask_all(struct draw *d);
bool draw_is_asked(const struct draw *d);

/* Makes what was asked for due again, at the cost of the desktop once: to be called when draw_next
   has nothing left, so that what it costs is sent before it can cost as much again. */
void draw_answer(struct draw *d);

/*
 * Encodes one rectangle of what is due into *OUT, all fields filled in; its data belongs
 * to D and is valid until the next call. Returns false where nothing is due.
 */
bool draw_next(struct draw *d, BITMAP_DATA *out);

#endif
