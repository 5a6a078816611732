/*
 * From cells to encoded rectangles. A cell that is due carries CELL_DUE in the spare bits
 * of its attributes; each row has a range that all its due cells lie in, so that looking
 * for the next one is cheap.
 *
 * A rectangle is either text, a stretch of one row, or solid, cells of one background
 * colour over as many columns and rows as are due. Solid ones cost next to nothing, so
 * that a blank screen is a handful of them.
 */
#include "draw.h"

#include "bitmap.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { CELL_DUE = 0x80, ATTRIBUTES = CELL_BOLD | CELL_UNDERLINE };
enum { UNDERLINE_ROW = 14 };

/* Fewer clean cells than GAP between two due ones are sent along. A stretch of SOLID_MIN
   cells of background ends a text rectangle. */
enum { GAP = 4, SOLID_MIN = 16 };

/* The header of a compressed bitmap gives its decoded size in 16 bits (MS-RDPBCGR
   2.2.9.1.1.3.1.2.3, cbUncompressedSize). FreeRDP 2 and 3 and rdesktop 1.9 would take
   more, but there is no telling what else relies on it. */
enum { DECODED_MAX = 65535 };

static_assert(
    DRAW_PIECE_BYTES >= 1 + 4 * CELL_HEIGHT * (DRAW_PIECE_COLUMNS * CELL_WIDTH * 16 / 15 + 1),
    "bitmap_bound of a piece at 32 bpp");
static_assert(DRAW_PIECE_BYTES >= 16 + 4 * DRAW_PIECE_PIXELS, "bitmap_bound of a piece at 24 bpp");

struct area {
	uint32_t row, column, rows, columns;
};

static struct cell *row_cells(const struct draw *d, uint32_t row)
{
	return d->cells + (size_t)row * d->grid_columns;
}

static bool is_due(const struct cell *c)
{
	return (c->background >> 24 & CELL_DUE) != 0;
}

static bool is_blank(const struct cell *c)
{
	return glyphs_is_blank(c->code) && (c->background >> 24 & CELL_UNDERLINE) == 0;
}

static bool same_look(const struct cell *a, const struct cell *b)
{
	if (is_blank(a) && is_blank(b))
		return ((a->background ^ b->background) & 0xffffff) == 0;
	return a->code == b->code && a->foreground == b->foreground &&
	       ((a->background ^ b->background) & (0xffffff | ATTRIBUTES << 24)) == 0;
}

static bool is_cursor(const struct draw *d, uint32_t row, uint32_t column)
{
	return d->cursor_visible && row == d->cursor_row && column == d->cursor_column;
}

static void make_due(struct draw *d, uint16_t row, uint16_t column)
{
	struct draw_range *due = &d->due[row];

	row_cells(d, row)[column].background |= (uint32_t)CELL_DUE << 24;
	if (due->from >= due->to) {
		due->from = column;
		due->to = column + 1;
	} else if (column < due->from) {
		due->from = column;
	} else if (column >= due->to) {
		due->to = column + 1;
	}
	if (row < d->first_row)
		d->first_row = row;
}

uint16_t draw_bounded(uint32_t pixels)
{
	return (uint16_t)(pixels < DESKTOP_MIN   ? DESKTOP_MIN
	                  : pixels > DESKTOP_MAX ? DESKTOP_MAX
	                                         : pixels);
}

bool draw_has_depth(uint32_t bpp)
{
	return bpp == 15 || bpp == 16 || bpp == 24 || bpp == 32;
}

static void ask_nothing(struct draw *d)
{
	d->asked = (struct draw_asked){ .left = UINT16_MAX, .top = UINT16_MAX };
}

int draw_init(struct draw *d, const struct glyphs *glyphs, uint16_t width, uint16_t height,
    uint8_t bpp, bool skip_alpha)
{
	/* The buffers need no zeroing, and pages that nothing touches cost no memory. */
	memset(d, 0, offsetof(struct draw, pixels));
	d->glyphs = glyphs;
	d->width = width;
	d->height = height;
	d->bpp = bpp;
	d->skip_alpha = skip_alpha;
	d->columns = width / CELL_WIDTH;
	d->rows = height / CELL_HEIGHT;
	d->grid_columns = (width + CELL_WIDTH - 1) / CELL_WIDTH;
	d->grid_rows = (height + CELL_HEIGHT - 1) / CELL_HEIGHT;
	d->cells = calloc((size_t)d->grid_rows * d->grid_columns, sizeof(*d->cells));
	d->due = calloc(d->grid_rows, sizeof(*d->due));
	if (d->cells == NULL || d->due == NULL) {
		draw_finish(d);
		return -1;
	}
	/* A cursor on a cell that nobody filled must be seen. */
	for (size_t i = 0; i < (size_t)d->grid_rows * d->grid_columns; i++)
		d->cells[i].foreground = 0xffffff;
	ask_nothing(d);
	draw_ask_all(d);
	draw_answer(d);
	return 0;
}

void draw_finish(struct draw *d)
{
	free(d->cells);
	free(d->due);
	d->cells = NULL;
	d->due = NULL;
}

void draw_row(
    struct draw *d, uint16_t row, uint16_t column, uint16_t count, const struct cell *cells)
{
	struct cell *old;

	if (row >= d->rows || column >= d->columns)
		return;
	if (count > d->columns - column)
		count = d->columns - column;
	old = row_cells(d, row) + column;
	for (uint16_t i = 0; i < count; i++, old++) {
		struct cell new = cells[i];
		bool same;

		new.foreground &= 0xffffff;
		new.background &= 0xffffff | ATTRIBUTES << 24;
		/* the cursor shows the foreground of a blank cell too */
		same = same_look(old, &new) &&
		       (old->foreground == new.foreground || !is_cursor(d, row, column + i));
		new.background |= old->background &(uint32_t)CELL_DUE << 24;
		*old = new;
		if (!same)
			make_due(d, row, column + i);
	}
}

void draw_cursor(struct draw *d, uint16_t row, uint16_t column, bool visible)
{
	visible = visible && row < d->rows && column < d->columns;
	if (visible == is_cursor(d, row, column) && visible == d->cursor_visible)
		return;
	if (d->cursor_visible)
		make_due(d, d->cursor_row, d->cursor_column);
	d->cursor_row = row;
	d->cursor_column = column;
	d->cursor_visible = visible;
	if (visible)
		make_due(d, row, column);
}

bool draw_message(struct draw *d, const PORT_MESSAGE *message, size_t size)
{
	const struct msg_row *row = (const void *)message;
	const struct msg_frame *frame = (const void *)message;

	if (message->type == DSP_ROW && size >= offsetof(struct msg_row, cells) &&
	    size == offsetof(struct msg_row, cells) + row->count * sizeof(struct cell)) {
		if (d)
			draw_row(d, row->row, row->column, row->count, row->cells);
		return false;
	}
	if (message->type != DSP_FRAME || size != sizeof(*frame))
		return false;
	if (d)
		draw_cursor(d, frame->cursor_row, frame->cursor_column, frame->cursor_visible);
	return true;
}

bool draw_is_asked(const struct draw *d)
{
	return d->asked.left <= d->asked.right && d->asked.top <= d->asked.bottom;
}

void draw_ask_all(struct draw *d)
{
	draw_ask(d, 0, 0, d->width - 1, d->height - 1);
}

static uint16_t least(uint16_t a, uint16_t b)
{
	return a < b ? a : b;
}

static uint16_t most(uint16_t a, uint16_t b)
{
	return a > b ? a : b;
}

void draw_ask(struct draw *d, uint16_t left, uint16_t top, uint16_t right, uint16_t bottom)
{
	if (left >= d->width || top >= d->height || right < left || bottom < top)
		return;
	d->asked.left = least(d->asked.left, left);
	d->asked.top = least(d->asked.top, top);
	d->asked.right = most(d->asked.right, least(right, d->width - 1));
	d->asked.bottom = most(d->asked.bottom, least(bottom, d->height - 1));
}

void draw_answer(struct draw *d)
{
	const struct draw_asked a = d->asked;

	if (!draw_is_asked(d))
		return;
	ask_nothing(d);
	for (int row = a.top / CELL_HEIGHT; row <= a.bottom / CELL_HEIGHT; row++)
		for (int column = a.left / CELL_WIDTH; column <= a.right / CELL_WIDTH; column++)
			make_due(d, (uint16_t)row, (uint16_t)column);
}

/* True where nothing but background of COLOUR is due at a cell. */
static bool is_solid(const struct draw *d, uint32_t row, uint32_t column, uint32_t colour)
{
	const struct cell *c = row_cells(d, row) + column;

	return is_due(c) && is_blank(c) && (c->background & 0xffffff) == colour &&
	       !is_cursor(d, row, column);
}

/* How many solid cells of one colour follow from COLUMN on, MOST at most. */
static uint32_t solid_run(const struct draw *d, uint32_t row, uint32_t column, uint32_t most)
{
	uint32_t colour = row_cells(d, row)[column].background & 0xffffff;
	uint32_t run = 0;

	while (
	    run < most && column + run < d->grid_columns && is_solid(d, row, column + run, colour))
		run++;
	return run;
}

/* The solid area that begins at a cell: as wide as it goes, then as high. No columns: none. */
static struct area solid_area(const struct draw *d, uint32_t row, uint32_t column)
{
	uint32_t cell_bytes = CELL_WIDTH * CELL_HEIGHT * bitmap_bytes(d->bpp);
	uint32_t colour = row_cells(d, row)[column].background & 0xffffff;
	struct area a = { row, column, 1, solid_run(d, row, column, DECODED_MAX / cell_bytes) };

	if (a.columns < SOLID_MIN && column + a.columns < d->due[row].to)
		a.columns = 0;
	while (a.columns > 0 && row + a.rows < d->grid_rows &&
	       (a.rows + 1) * a.columns * cell_bytes <= DECODED_MAX) {
		uint32_t next = row + a.rows;

		if (!is_solid(d, next, column, colour) ||
		    solid_run(d, next, column, a.columns) < a.columns)
			break;
		a.rows++;
	}
	return a;
}

/* The stretch of text that begins at a cell. */
static struct area text_area(const struct draw *d, uint32_t row, uint32_t column)
{
	const struct cell *cells = row_cells(d, row);
	uint32_t end = column + 1, limit = column + DRAW_PIECE_COLUMNS;

	if (limit > d->due[row].to)
		limit = d->due[row].to;
	for (uint32_t at = end; at < limit && at - end < GAP; at++) {
		if (!is_due(&cells[at]))
			continue;
		if (solid_run(d, row, at, SOLID_MIN) == SOLID_MIN)
			break;
		end = at + 1;
	}
	return (struct area){ row, column, 1, end - column };
}

/* Finds the first cell that is due; false where none is. */
static bool find_due(struct draw *d, uint32_t *row, uint32_t *column)
{
	for (; d->first_row < d->grid_rows; d->first_row++) {
		struct draw_range *due = &d->due[d->first_row];
		const struct cell *cells = row_cells(d, d->first_row);

		for (; due->from < due->to; due->from++) {
			if (is_due(&cells[due->from])) {
				*row = d->first_row;
				*column = due->from;
				return true;
			}
		}
	}
	return false;
}

/* Pixels of one cell at OUT, bottom row first, STRIDE pixels from row to row. WIDTH and
   HEIGHT are smaller than a cell's where the desktop cuts it off. */
static void draw_cell(const struct draw *d, const struct cell *c, bool cursor, uint32_t *out,
    uint32_t stride, uint32_t width, uint32_t height)
{
	const uint8_t *cover = glyphs_lookup(d->glyphs, c->code, c->background >> 24 & CELL_BOLD);
	uint32_t fore = c->foreground, back = c->background & 0xffffff;

	if (cursor) {
		fore = back;
		back = c->foreground;
	}
	for (uint32_t y = 0; y < height; y++, cover += CELL_WIDTH) {
		uint32_t *line = out + (height - 1 - y) * stride;
		bool underline = y == UNDERLINE_ROW && (c->background >> 24 & CELL_UNDERLINE);

		for (uint32_t x = 0; x < width; x++) {
			/* red and blue at once, green between them; 255 becomes 256 */
			uint32_t a = underline ? 256 : cover[x] + (cover[x] >> 7);
			uint32_t rb = (back & 0xff00ff) * (256 - a) + (fore & 0xff00ff) * a;
			uint32_t g = (back & 0xff00) * (256 - a) + (fore & 0xff00) * a;

			line[x] = (rb >> 8 & 0xff00ff) | (g >> 8 & 0xff00);
		}
	}
}

static size_t encode_text(struct draw *d, const struct area *a, uint32_t width, uint32_t height)
{
	const struct cell *cells = row_cells(d, a->row) + a->column;

	for (uint32_t i = 0; i < a->columns; i++) {
		uint32_t left = i * CELL_WIDTH;

		draw_cell(d, &cells[i], is_cursor(d, a->row, a->column + i), d->pixels + left,
		    width, width - left < CELL_WIDTH ? width - left : CELL_WIDTH, height);
	}
	return bitmap_encode(d->bytes, d->pixels, width, height, d->bpp, d->skip_alpha);
}

static void not_due(struct draw *d, const struct area *a)
{
	for (uint32_t row = a->row; row < a->row + a->rows; row++)
		for (uint32_t column = a->column; column < a->column + a->columns; column++)
			row_cells(d, row)[column].background &= ~((uint32_t)CELL_DUE << 24);
}

/* A bitmap's width is a multiple of 4; what is too much of that at the desktop's right edge
   is left out by destRight. It is never more: FreeRDP's decoder has room for the desktop's
   width, rounded up to 4, and no check. */
static void describe(const struct draw *d, const struct area *a, BITMAP_DATA *out)
{
	uint32_t right = (a->column + a->columns) * CELL_WIDTH;
	uint32_t bottom = (a->row + a->rows) * CELL_HEIGHT;

	memset(out, 0, sizeof(*out));
	out->destLeft = a->column * CELL_WIDTH;
	out->destTop = a->row * CELL_HEIGHT;
	out->destRight = (right < d->width ? right : d->width) - 1;
	out->destBottom = (bottom < d->height ? bottom : d->height) - 1;
	out->width = (out->destRight - out->destLeft + 4) & ~3u;
	out->height = out->destBottom - out->destTop + 1;
	out->bitsPerPixel = d->bpp;
	out->cbScanWidth = out->width * bitmap_bytes(d->bpp);
	out->cbUncompressedSize = out->cbScanWidth * out->height;
	out->compressed = TRUE; /* FreeRDP makes the flags of it */
}

bool draw_next(struct draw *d, BITMAP_DATA *out)
{
	uint32_t row, column;
	struct area a;
	size_t size;

	if (!find_due(d, &row, &column))
		return false;
	a = solid_area(d, row, column);
	if (a.columns > 0) {
		describe(d, &a, out);
		size =
		    bitmap_encode_solid(d->bytes, row_cells(d, row)[column].background & 0xffffff,
		        out->width, out->height, d->bpp, d->skip_alpha);
	} else {
		a = text_area(d, row, column);
		describe(d, &a, out);
		size = encode_text(d, &a, out->width, out->height);
	}
	out->bitmapLength = out->cbCompMainBodySize = (UINT32)size;
	out->bitmapDataStream = d->bytes;
	not_due(d, &a);
	return true;
}
