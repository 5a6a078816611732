/*
 * Tests of daemon/draw.c, bitmap.c and glyphs.c, and of screen-text: what draw_next gives is
 * decoded by FreeRDP into a frame buffer, which has to be what a naive rendering of the same
 * cells is, pixel by pixel. Prints what drawing costs, without judging it.
 *
 * screen-text is looked for beside this program.
 */
#include "bitmap.h"
#include "draw.h"
#include "glyphs.h"
#include "messages.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above it */
#include <cmocka.h>
#include <freerdp/codec/color.h>
#include <freerdp/codec/interleaved.h>
#include <freerdp/codec/planar.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define FONT "/usr/share/fonts/truetype/dejavu/DejaVuSansMono.ttf"
#define BOLD "/usr/share/fonts/truetype/dejavu/DejaVuSansMono-Bold.ttf"

static struct glyphs *glyphs;
static BITMAP_PLANAR_CONTEXT *planar;
static BITMAP_INTERLEAVED_CONTEXT *interleaved;

/* One client: what draw sends it, what it shows, and what it should show. */
struct client {
	struct draw d;
	struct cell *cells; /* grid_rows x grid_columns */
	uint16_t cursor_row, cursor_column;
	bool cursor_visible;
	uint32_t *frame;  /* width x height pixels, 15, 16 or 24 bits of each as sent */
	uint8_t *covered; /* how often each was sent */
	uint32_t *tile;   /* room for one decoded rectangle */
};

static uint32_t random_state = 1;

static uint32_t random_below(uint32_t limit)
{
	random_state = random_state * 1664525 + 1013904223;
	return (uint32_t)((uint64_t)random_state * limit >> 32);
}

static uint32_t native(uint32_t colour, unsigned bpp)
{
	unsigned r = colour >> 16 & 255, g = colour >> 8 & 255, b = colour & 255;

	if (bpp == 15)
		return (r / 8) * 1024 + (g / 8) * 32 + b / 8;
	if (bpp == 16)
		return (r / 8) * 2048 + (g / 4) * 32 + b / 8;
	return colour & 0xffffff;
}

static void client_open(
    struct client *c, uint16_t width, uint16_t height, uint8_t bpp, bool skip_alpha)
{
	size_t pixels = (size_t)width * height, cells;

	memset(c, 0, sizeof(*c));
	assert_int_equal(draw_init(&c->d, glyphs, width, height, bpp, skip_alpha), 0);
	/* what FreeRDP's client has room for */
	assert_true(freerdp_bitmap_planar_context_reset(planar, width, height));
	cells = (size_t)c->d.grid_columns * c->d.grid_rows;
	c->cells = calloc(cells, sizeof(*c->cells));
	c->frame = malloc(pixels * sizeof(*c->frame));
	c->covered = calloc(pixels, 1);
	c->tile = malloc((size_t)65536 * sizeof(*c->tile));
	assert_true(c->cells && c->frame && c->covered && c->tile);
	memset(c->frame, 0xff, pixels * sizeof(*c->frame));
	for (size_t i = 0; i < cells; i++)
		c->cells[i].foreground = 0xffffff;
}

static void client_close(struct client *c)
{
	draw_finish(&c->d);
	free(c->cells);
	free(c->frame);
	free(c->covered);
	free(c->tile);
}

/* Decodes a bitmap into 32 bits a pixel, native values in the low ones. */
static void decode(
    uint32_t *tile, const uint8_t *data, size_t size, uint32_t width, uint32_t height, uint32_t bpp)
{
	uint32_t format = bpp == 15   ? PIXEL_FORMAT_RGB15
	                  : bpp == 16 ? PIXEL_FORMAT_RGB16
	                              : PIXEL_FORMAT_BGRA32;
	uint32_t bytes = bpp < 24 ? 2 : 4;

	if (bpp == 32)
		assert_true(planar_decompress(planar, data, (UINT32)size, width, height,
		    (BYTE *)tile, format, width * bytes, 0, 0, width, height, TRUE));
	else
		assert_true(interleaved_decompress(interleaved, data, (UINT32)size, width, height,
		    bpp, (BYTE *)tile, format, width * bytes, 0, 0, width, height, NULL));
	for (size_t i = (size_t)width * height; i-- > 0;) {
		uint16_t narrow;

		memcpy(&narrow, (uint8_t *)tile + 2 * i, sizeof(narrow));
		if (bpp == 32 && tile[i] >> 24 != 0xff)
			fail_msg("pixel %zu is %08x, not opaque", i, tile[i]);
		tile[i] = bpp < 24 ? narrow : tile[i] & 0xffffff;
	}
}

static void take(struct client *c, const BITMAP_DATA *b)
{
	uint32_t bpp = c->d.bpp, bytes = bitmap_bytes(bpp);

	assert_int_equal(b->bitsPerPixel, bpp);
	assert_true(b->destLeft <= b->destRight && b->destRight < c->d.width);
	assert_true(b->destTop <= b->destBottom && b->destBottom < c->d.height);
	/* only what the desktop cuts off may be wider than its place */
	assert_int_equal(b->width % 4, 0);
	assert_true(b->destRight - b->destLeft < b->width);
	assert_true(b->destRight - b->destLeft + 1 == b->width || b->destRight == c->d.width - 1u);
	assert_true(b->width - (b->destRight - b->destLeft + 1) < 4);
	assert_int_equal(b->height, b->destBottom - b->destTop + 1);
	assert_true(b->compressed);
	assert_int_equal(b->cbScanWidth, b->width * bytes);
	assert_int_equal(b->cbUncompressedSize, b->width * b->height * bytes);
	assert_int_equal(b->cbCompMainBodySize, b->bitmapLength);
	assert_int_equal(b->cbCompFirstRowSize, 0);
	assert_true(b->cbUncompressedSize <= 65535);
	/* an update without fragments, its headers included */
	assert_true(b->bitmapLength + 64 <= 0x3f80);
	decode(c->tile, b->bitmapDataStream, b->bitmapLength, b->width, b->height, bpp);
	for (uint32_t y = b->destTop; y <= b->destBottom; y++) {
		for (uint32_t x = b->destLeft; x <= b->destRight; x++) {
			size_t at = (size_t)y * c->d.width + x;

			c->frame[at] = c->tile[(y - b->destTop) * b->width + x - b->destLeft];
			c->covered[at]++;
		}
	}
}

static void covered_once(const struct client *c)
{
	for (size_t at = 0; at < (size_t)c->d.width * c->d.height; at++)
		if (c->covered[at] != 1)
			fail_msg("pixel %zu was sent %u times", at, c->covered[at]);
}

/* Takes everything that is due; returns the number of rectangles. */
static int update(struct client *c)
{
	BITMAP_DATA b;
	int n = 0;

	memset(c->covered, 0, (size_t)c->d.width * c->d.height);
	for (; draw_next(&c->d, &b); n++)
		take(c, &b);
	assert_false(draw_next(&c->d, &b));
	return n;
}

static uint32_t naive_pixel(const struct client *c, uint32_t x, uint32_t y)
{
	uint32_t row = y / CELL_HEIGHT, column = x / CELL_WIDTH, result = 0;
	const struct cell *cell = &c->cells[row * c->d.grid_columns + column];
	uint32_t fore = cell->foreground, back = cell->background & 0xffffff;
	uint32_t flags = cell->background >> 24, cover;

	if (c->cursor_visible && row == c->cursor_row && column == c->cursor_column) {
		fore = cell->background & 0xffffff;
		back = cell->foreground;
	}
	cover = glyphs_lookup(glyphs, cell->code, flags & CELL_BOLD)[y % 16 * 8 + x % 8];
	if ((flags & CELL_UNDERLINE) && y % 16 == 14)
		cover = 255;
	if (cover >= 128)
		cover++;
	for (int shift = 0; shift < 24; shift += 8) {
		uint32_t f = fore >> shift & 255, b = back >> shift & 255;

		result |= (b * (256 - cover) + f * cover) / 256 << shift;
	}
	return native(result, c->d.bpp);
}

static void check_frame(const struct client *c)
{
	for (uint32_t y = 0; y < c->d.height; y++) {
		for (uint32_t x = 0; x < c->d.width; x++) {
			uint32_t want = naive_pixel(c, x, y);

			if (c->frame[(size_t)y * c->d.width + x] != want)
				fail_msg("pixel %u,%u is %06x instead of %06x", x, y,
				    c->frame[(size_t)y * c->d.width + x], want);
		}
	}
}

/* Sends cells to the picture and keeps them as what is to be seen. */
static void put(struct client *c, int row, int column, const struct cell *cells, int count)
{
	draw_row(&c->d, (uint16_t)row, (uint16_t)column, (uint16_t)count, cells);
	memcpy(&c->cells[row * c->d.grid_columns + column], cells, sizeof(*cells) * (size_t)count);
}

static void put_text(struct client *c, int row, int column, const char *text, uint32_t foreground,
    uint32_t background)
{
	struct cell cells[COLUMNS_MAX];
	int n = 0;

	for (; text[n] != 0; n++)
		cells[n] = (struct cell){ (uint8_t)text[n], foreground, background };
	put(c, row, column, cells, n);
}

static void move_cursor(struct client *c, uint16_t row, uint16_t column, bool visible)
{
	draw_cursor(&c->d, row, column, visible);
	c->cursor_row = row;
	c->cursor_column = column;
	c->cursor_visible = visible;
}

static uint32_t random_colour(void)
{
	static const uint32_t usual[] = { 0, 0xffffff, 0xc0c0c0, 0x800000, 0x00ff00, 0x000080 };

	return random_below(3) ? usual[random_below(6)] : random_below(0x1000000);
}

static struct cell random_cell(void)
{
	static const uint32_t codes[] = { ' ', 0, 'x', '_', 0x2588, 0x2502, 0xe4, 0x4e2d, 0x1f600 };
	struct cell cell = { ' ', random_colour(), random_colour() };

	cell.code = random_below(2) ? '!' + random_below(94) : codes[random_below(9)];
	if (random_below(4) == 0)
		cell.background |= random_below(4) << 24;
	return cell;
}

static void random_change(struct client *c)
{
	struct cell cells[COLUMNS_MAX];
	int row = (int)random_below(c->d.rows), column = (int)random_below(c->d.columns);
	int count = 1 + (int)random_below((uint32_t)(c->d.columns - column));

	if (random_below(4) == 0) {
		move_cursor(c, (uint16_t)row, (uint16_t)column, random_below(4) != 0);
		return;
	}
	if (random_below(2))
		count = count > 3 ? 3 : count;
	cells[0] = random_cell();
	if (random_below(3) == 0)
		cells[0].code = ' ';
	for (int i = 1; i < count; i++) /* stretches of one and stretches of many */
		cells[i] = random_below(8) ? cells[i - 1] : random_cell();
	put(c, row, column, cells, count);
}

static void test_first_picture(void **state)
{
	static const uint16_t sizes[][2] = { { 1024, 768 }, { 1366, 768 }, { 1021, 767 },
		{ 200, 200 }, { 8192, 200 }, { 201, 2167 }, { 1018, 201 } };
	static const uint8_t depths[] = { 32, 24, 16, 15 };

	(void)state;
	for (size_t i = 0; i < 7 * 4 * 2; i++) {
		const uint16_t *size = sizes[i % 7];
		struct client c;

		client_open(&c, size[0], size[1], depths[i / 7 % 4], i / 28);
		put_text(&c, 0, 0, "status of a session", 0xffffff, 0x0000aa);
		update(&c);
		covered_once(&c);
		check_frame(&c);
		client_close(&c);
	}
}

static void test_random_changes(void **state)
{
	static const uint16_t sizes[][2] = { { 640, 480 }, { 1021, 767 }, { 333, 217 } };
	static const uint8_t depths[] = { 32, 24, 16, 15 };

	(void)state;
	for (size_t i = 0; i < 3 * 4; i++) {
		struct client c;

		client_open(&c, sizes[i % 3][0], sizes[i % 3][1], depths[i / 3], i & 1);
		for (int round = 0; round < 12; round++) {
			for (uint32_t n = random_below(60); n > 0; n--)
				random_change(&c);
			update(&c);
			check_frame(&c);
		}
		client_close(&c);
	}
}

static void test_only_changes(void **state)
{
	struct client c;
	BITMAP_DATA b;

	(void)state;
	client_open(&c, 1024, 768, 32, true);
	update(&c);
	/* blanks on blanks of another foreground, the same text again: nothing */
	put_text(&c, 5, 0, "     ", 0xc0c0c0, 0);
	assert_int_equal(update(&c), 0);
	put_text(&c, 5, 3, "text", 0xc0c0c0, 0);
	assert_int_equal(update(&c), 1);
	put_text(&c, 5, 3, "text", 0xc0c0c0, 0);
	assert_int_equal(update(&c), 0);
	/* one letter */
	put_text(&c, 5, 3, "next", 0xc0c0c0, 0);
	assert_true(draw_next(&c.d, &b));
	assert_int_equal(b.destLeft, 24);
	assert_int_equal(b.destRight, 31);
	assert_int_equal(b.destTop, 80);
	assert_int_equal(b.destBottom, 95);
	take(&c, &b);
	/* two that are near to each other, two that are not */
	put_text(&c, 5, 3, "nixi", 0xc0c0c0, 0);
	assert_int_equal(update(&c), 1);
	put_text(&c, 5, 3, "q", 0xc0c0c0, 0);
	put_text(&c, 5, 90, "q", 0xc0c0c0, 0);
	assert_int_equal(update(&c), 2);
	check_frame(&c);
	/* what lies outside changes nothing */
	draw_row(&c.d, 48, 0, 1, c.cells + 5 * 128 + 3);
	draw_row(&c.d, 5, 128, 1, c.cells + 5 * 128 + 3);
	assert_int_equal(update(&c), 0);
	draw_row(&c.d, 5, 127, 2, c.cells + 5 * 128 + 3);
	assert_int_equal(update(&c), 1);
	client_close(&c);
}

static void test_cursor(void **state)
{
	struct client c;

	(void)state;
	client_open(&c, 645, 485, 16, false);
	put_text(&c, 2, 2, "cursor", 0x00ff00, 0x400000);
	move_cursor(&c, 2, 4, true);
	update(&c);
	check_frame(&c);
	draw_cursor(&c.d, 2, 4, true);
	assert_int_equal(update(&c), 0);
	move_cursor(&c, 10, 40, true); /* on a cell that nobody filled */
	assert_int_equal(update(&c), 2);
	check_frame(&c);
	/* under it a blank's foreground counts */
	put_text(&c, 10, 40, " ", 0x123456, 0);
	assert_int_equal(update(&c), 1);
	check_frame(&c);
	move_cursor(&c, 10, 40, false);
	assert_int_equal(update(&c), 1);
	check_frame(&c);
	draw_cursor(&c.d, 3, 3, false);
	assert_int_equal(update(&c), 0);
	/* outside there is none */
	draw_cursor(&c.d, c.d.rows, 0, true);
	draw_cursor(&c.d, 0, c.d.columns, true);
	assert_int_equal(update(&c), 0);
	check_frame(&c);
	client_close(&c);
}

static void test_invalidate(void **state)
{
	struct client c;

	(void)state;
	client_open(&c, 1021, 767, 32, false);
	put_text(&c, 4, 4, "some text to be drawn again", 0xffffff, 0x000080);
	update(&c);
	draw_ask(&c.d, 50, 70, 1020, 2000);
	draw_answer(&c.d);
	update(&c);
	for (uint32_t y = 0; y < 767; y++)
		for (uint32_t x = 0; x < 1021; x++)
			assert_int_equal(c.covered[y * 1021 + x], x >= 48 && y >= 64);
	draw_ask(&c.d, 1021, 0, 1030, 5);
	draw_ask(&c.d, 0, 767, 5, 800);
	draw_ask(&c.d, 30, 30, 10, 10);
	assert_false(draw_is_asked(&c.d));
	draw_answer(&c.d);
	assert_int_equal(update(&c), 0);
	draw_ask_all(&c.d);
	draw_answer(&c.d);
	update(&c);
	covered_once(&c);
	check_frame(&c);
	client_close(&c);
}

/* Asking makes nothing due by itself; the answer is one area around all that was asked for, once. */
static void test_asked_often(void **state)
{
	struct client c;

	(void)state;
	client_open(&c, 1021, 767, 32, false);
	update(&c);
	for (int i = 0; i < 1000; i++) {
		draw_ask(&c.d, 80, 160, 87, 175);
		draw_ask(&c.d, 16, 320, 23, 335);
		draw_ask(&c.d, 0, 800, 5, 900);
	}
	assert_int_equal(update(&c), 0);
	draw_answer(&c.d);
	update(&c);
	for (uint32_t y = 0; y < 767; y++)
		for (uint32_t x = 0; x < 1021; x++)
			assert_int_equal(
			    c.covered[y * 1021 + x], x >= 16 && x < 88 && y >= 160 && y < 336);
	draw_answer(&c.d);
	assert_int_equal(update(&c), 0);
	client_close(&c);
}

#ifdef __SANITIZE_ADDRESS__
enum { RANDOM_BITMAPS = 600 }; /* each takes ten times as long */
#else
enum { RANDOM_BITMAPS = 6000 };
#endif

/* Every kind of run, raw stretch and length through both codecs. */
static void test_codecs(void **state)
{
	static const uint8_t depths[] = { 32, 24, 16, 15 };
	static uint32_t pixels[65536], sent[65536], tile[65536];
	uint8_t *out = malloc(bitmap_bound(256, 16, 32) + bitmap_bound(1020, 16, 24));

	(void)state;
	assert_non_null(out);
	for (int round = 0; round < RANDOM_BITMAPS; round++) {
		uint32_t bpp = depths[round % 4], kind = random_below(5);
		uint32_t width = 4 * (1 + random_below(64) % 64), height = 1 + random_below(16);
		size_t size;

		for (uint32_t i = 0; i < width * height; i++) {
			uint32_t above = i < width ? 0 : pixels[i - width];

			if (random_below(kind * 24 + 1) != 0)
				pixels[i] = random_below(2) || i == 0 ? above : pixels[i - 1];
			else
				pixels[i] = kind == 4 ? above ^ 0xffffff : random_colour();
			if (i % width == 0 && i > 0 && random_below(3) == 0)
				pixels[i] = pixels[i - 1];
		}
		memcpy(sent, pixels, sizeof(*sent) * width * height);
		size = bitmap_encode(out, sent, width, height, bpp, round / 4 % 2);
		assert_true(size <= bitmap_bound(width, height, bpp));
		assert_true(freerdp_bitmap_planar_context_reset(planar, width, height));
		decode(tile, out, size, width, height, bpp);
		for (uint32_t y = 0; y < height; y++)
			for (uint32_t x = 0; x < width; x++)
				if (tile[(height - 1 - y) * width + x] !=
				    native(pixels[y * width + x], bpp))
					fail_msg("round %d: pixel %u,%u is another", round, x, y);
	}
	for (uint32_t width = 4; width <= 1020; width += 4) {
		uint32_t bpp = depths[width / 4 % 4], colour = random_colour();
		uint32_t height = 1 + random_below(65535 / width / bitmap_bytes(bpp));
		size_t size = bitmap_encode_solid(out, colour, width, height, bpp, width / 16 % 2);

		assert_true(freerdp_bitmap_planar_context_reset(planar, width, height));
		decode(tile, out, size, width, height, bpp);
		for (uint32_t i = 0; i < width * height; i++)
			if (tile[i] != native(colour, bpp))
				fail_msg("pixel %u of %u by %u is another", i, width, height);
	}
	free(out);
}

static void test_glyphs(void **state)
{
	const uint8_t *bar = glyphs_lookup(glyphs, 0x2502, false);
	const uint8_t *line = glyphs_lookup(glyphs, 0x2500, false);
	const uint8_t *missing = glyphs_lookup(glyphs, 0x1f600, false);

	(void)state;
	for (int y = 0; y < CELL_HEIGHT; y++)
		assert_int_equal(bar[y * CELL_WIDTH + 3], 255);
	for (int x = 0; x < CELL_WIDTH; x++)
		assert_int_equal(line[7 * CELL_WIDTH + x], 255);
	/* the two meet in a corner and in a cross */
	assert_int_equal(glyphs_lookup(glyphs, 0x250c, false)[7 * CELL_WIDTH + 3], 255);
	for (int i = 0; i < GLYPH_SIZE; i++) {
		int cross = glyphs_lookup(glyphs, 0x253c, false)[i];

		assert_int_equal(cross, bar[i] | line[i]);
		assert_int_equal(glyphs_lookup(glyphs, 0x2588, false)[i], 255);
		assert_int_equal(glyphs_lookup(glyphs, ' ', true)[i], 0);
		assert_int_equal(glyphs_lookup(glyphs, 0x9b, false)[i], 0);
	}
	/* double lines: their corner's two pixels of each edge, nothing between */
	assert_int_equal(glyphs_lookup(glyphs, 0x2554, false)[7 * CELL_WIDTH + 3], 0);
	assert_int_equal(glyphs_lookup(glyphs, 0x2554, false)[6 * CELL_WIDTH + 2], 255);
	assert_int_equal(glyphs_lookup(glyphs, 0x2554, false)[8 * CELL_WIDTH + 4], 255);
	assert_ptr_equal(glyphs_lookup(glyphs, 0x10ffff, true), missing);
	assert_ptr_equal(glyphs_lookup(glyphs, 0xffffffff, true), missing);
	assert_int_equal(missing[3 * CELL_WIDTH + 1], 255);
	assert_int_equal(missing[7 * CELL_WIDTH + 4], 0);
	assert_memory_not_equal(
	    glyphs_lookup(glyphs, 'A', false), glyphs_lookup(glyphs, 'A', true), GLYPH_SIZE);
	/* letters keep clear of the cell's left and right: descenders and accents fit */
	assert_memory_not_equal(glyphs_lookup(glyphs, 'g', false) + 14 * CELL_WIDTH,
	    glyphs_lookup(glyphs, ' ', false), CELL_WIDTH);
	assert_memory_equal(
	    glyphs_lookup(glyphs, 'A', false), glyphs_lookup(glyphs, ' ', false), 2 * CELL_WIDTH);
}

static void test_font_errors(void **state)
{
	char error[512] = "";

	(void)state;
	assert_null(glyphs_create("/nonexistent/font.ttf", BOLD, error, sizeof(error)));
	assert_non_null(strstr(error, "/nonexistent/font.ttf"));
	assert_non_null(strstr(error, "fonts-dejavu-core"));
	assert_null(glyphs_create(FONT, "/dev/null", error, sizeof(error)));
	assert_non_null(strstr(error, "/dev/null"));
	assert_null(glyphs_create(FONT, "/nonexistent/font.ttf", error, 8));
	assert_int_equal(strlen(error), 7);
	glyphs_destroy(NULL);
}

/* A pixel as a client shows it, in 24 bits. */
static uint32_t shown(uint32_t pixel, unsigned bpp)
{
	uint32_t r = pixel >> 11 & 31, g = pixel >> 5 & 63, b = pixel & 31;

	if (bpp != 16)
		return pixel;
	return (r << 3 | r >> 2) << 16 | (g << 2 | g >> 4) << 8 | (b << 3 | b >> 2);
}

/* The client's window at 5,7 of a screenshot of its own size and some more. */
static void save_picture(const struct client *c, const char *path)
{
	FILE *file = fopen(path, "wb");
	unsigned width = c->d.width + 5u, height = c->d.height + 7u;

	if (!file)
		abort();
	fprintf(file, "P6\n# a screenshot\n%u %u\n255\n", width, height);
	for (unsigned y = 0; y < height; y++) {
		for (unsigned x = 0; x < width; x++) {
			uint32_t p = x < 5 || y < 7
			                 ? x * y
			                 : shown(c->frame[(y - 7) * c->d.width + x - 5], c->d.bpp);

			putc((int)(p >> 16 & 255), file);
			putc((int)(p >> 8 & 255), file);
			putc((int)(p & 255), file);
		}
	}
	assert_int_equal(fclose(file), 0);
}

/* Runs screen-text on a picture and returns what it prints, which the caller frees. */
static char *screen_text(const char *path)
{
	char program[PATH_MAX], command[2 * PATH_MAX], *text = calloc(1, 65536);
	ssize_t length = readlink("/proc/self/exe", program, sizeof(program) - 1);
	FILE *pipe;

	assert_true(length > 0);
	program[length] = 0;
	*strrchr(program, '/') = 0;
	snprintf(command, sizeof(command), "'%s/screen-text' %s 5 7", program, path);
	pipe = popen(command, "r");
	assert_non_null(pipe);
	assert_non_null(text);
	(void)!fread(text, 1, 65535, pipe);
	assert_int_equal(pclose(pipe), 0);
	return text;
}

static void read_back(uint8_t bpp)
{
	static const char *const lines[] = { "user@host:~$ echo 'Hello, World; 0O1lI|'",
		"!\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNO",
		"PQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~",
		"in bold, as a heading: {}[]() _.,:;", "underlined 'text' jumps over, quickly_",
		"black on white", "dim on blue", "last row" };
	static const char extra[] = "\xc3\xa4\xe2\x82\xac\xe2\x94\x82\xe2\x94\x80\xe2\x95\x94";
	static const uint32_t codes[] = { 0xe4, 0x20ac, 0x2502, 0x2500, 0x2554 };
	struct client c;
	char path[] = "/tmp/musess-test-XXXXXX", want[2048] = "", *got;
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	close(fd);
	client_open(&c, 403, 163, bpp, true);
	put_text(&c, 0, 0, lines[0], 0xc0c0c0, 0);
	put_text(&c, 1, 0, lines[1], 0xffffff, 0);
	put_text(&c, 2, 0, lines[2], 0x00cd00, 0x202020);
	put_text(&c, 3, 0, lines[3], 0xcdcd00, (uint32_t)CELL_BOLD << 24);
	put_text(&c, 4, 0, lines[4], 0xc0c0c0, (uint32_t)CELL_UNDERLINE << 24);
	put_text(&c, 5, 0, lines[5], 0, 0xffffff);
	put_text(&c, 6, 0, lines[6], 0x8080ff, 0x0000aa);
	for (int i = 0; i < 5; i++)
		put(&c, 7, 3 + i, &(struct cell){ codes[i], 0xc0c0c0, 0 }, 1);
	put_text(&c, 9, 0, lines[7], 0xc0c0c0, 0);
	move_cursor(&c, 0, 3, true);
	update(&c);
	check_frame(&c);
	save_picture(&c, path);
	for (int i = 0; i < 7; i++)
		snprintf(want + strlen(want), sizeof(want) - strlen(want), "%s\n", lines[i]);
	/* which an underlined blank looks like */
	for (char *at = strstr(want, lines[4]); *at != '\n'; at++)
		*at = *at == ' ' ? '_' : *at;
	snprintf(
	    want + strlen(want), sizeof(want) - strlen(want), "   %s\n\n%s\n", extra, lines[7]);
	got = screen_text(path);
	assert_string_equal(got, want);
	free(got);
	unlink(path);
	client_close(&c);
}

static void test_screen_text(void **state)
{
	(void)state;
	read_back(32);
	read_back(24);
	read_back(16);
}

static double processor_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* Draws a 1024x768 desktop's first picture; FULL: text all over. */
static void print_cost(uint8_t bpp, bool full)
{
	struct client c;
	BITMAP_DATA b;
	size_t bytes = 0;
	int n = 0;
	double begin;

	client_open(&c, 1024, 768, bpp, true);
	begin = processor_ms();
	draw_finish(&c.d);
	draw_init(&c.d, glyphs, 1024, 768, bpp, true);
	for (int row = 0; row < (full ? 48 : 1); row++)
		put_text(&c, row, 0,
		    "The quick brown fox jumps over the lazy dog; pack my box with five dozen "
		    "liquor "
		    "jugs. 0123456789 (sphinx of black quartz, judge)",
		    row % 3 ? 0xc0c0c0 : 0x55ff55, row % 8 ? 0 : 0x0000aa);
	for (; draw_next(&c.d, &b); n++)
		bytes += b.bitmapLength;
	print_message("%s, %d bpp: %.3f ms, %d rectangles, %zu bytes\n",
	    full ? "screen full of text" : "status line and blank screen", bpp,
	    processor_ms() - begin, n, bytes);
	client_close(&c);
}

static void test_cost(void **state)
{
	(void)state;
	for (int full = 0; full < 2; full++) {
		print_cost(32, full);
		print_cost(24, full);
		print_cost(16, full);
	}
}

/* What a client names, and csrss's messages, are judged before anything is drawn. */
static void test_client_numbers(void **state)
{
	uint32_t depths = 0;

	(void)state;
	for (uint32_t bpp = 0; bpp < 70000; bpp++)
		if (draw_has_depth(bpp)) {
			assert_true(bpp == 15 || bpp == 16 || bpp == 24 || bpp == 32);
			depths++;
		}
	assert_int_equal(depths, 4);
	assert_int_equal(draw_bounded(0), DESKTOP_MIN);
	assert_int_equal(draw_bounded(1024), 1024);
	assert_int_equal(draw_bounded(DESKTOP_MAX + 1), DESKTOP_MAX);
	assert_int_equal(draw_bounded(0x10000 + 1024), DESKTOP_MAX);
}

static int drain(struct draw *d)
{
	BITMAP_DATA b;
	int n = 0;

	while (draw_next(d, &b))
		n++;
	return n;
}

static void test_messages(void **state)
{
	static struct msg_row row = { .h.type = DSP_ROW, .count = 2, .cells = { { 'a', 1, 2 } } };
	struct msg_frame frame = { .h.type = DSP_FRAME, .cursor_row = 1, .cursor_visible = 1 };
	size_t whole = offsetof(struct msg_row, cells) + 2 * sizeof(struct cell);
	struct client c;

	(void)state;
	client_open(&c, 640, 480, 32, true);
	drain(&c.d);
	assert_false(draw_message(&c.d, &row.h, whole - 1));
	assert_false(draw_message(&c.d, &row.h, whole + sizeof(struct cell)));
	assert_false(draw_message(&c.d, &row.h, sizeof(row.h)));
	assert_false(draw_message(&c.d, &frame.h, sizeof(frame.h)));
	assert_int_equal(drain(&c.d), 0);
	assert_false(draw_message(&c.d, &row.h, whole));
	assert_int_equal(drain(&c.d), 1);
	assert_true(draw_message(&c.d, &frame.h, sizeof(frame)));
	assert_int_equal(drain(&c.d), 1);
	assert_false(draw_message(NULL, &row.h, whole)); /* before the first picture */
	assert_true(draw_message(NULL, &frame.h, sizeof(frame)));
	client_close(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_glyphs),
		cmocka_unit_test(test_font_errors),
		cmocka_unit_test(test_codecs),
		cmocka_unit_test(test_first_picture),
		cmocka_unit_test(test_random_changes),
		cmocka_unit_test(test_only_changes),
		cmocka_unit_test(test_cursor),
		cmocka_unit_test(test_invalidate),
		cmocka_unit_test(test_asked_often),
		cmocka_unit_test(test_client_numbers),
		cmocka_unit_test(test_messages),
		cmocka_unit_test(test_screen_text),
		cmocka_unit_test(test_cost),
	};
	char error[512];
	double begin = processor_ms();
	int status;

	glyphs = glyphs_create(FONT, BOLD, error, sizeof(error));
	if (glyphs == NULL) {
		fprintf(stderr, "%s\n", error);
		return 1;
	}
	print_message("atlas: %.0f ms\n", processor_ms() - begin);
	planar = freerdp_bitmap_planar_context_new(0, 64, 64);
	interleaved = bitmap_interleaved_context_new(FALSE);
	status = planar && interleaved ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
	freerdp_bitmap_planar_context_free(planar);
	bitmap_interleaved_context_free(interleaved);
	glyphs_destroy(glyphs);
	return status;
}
