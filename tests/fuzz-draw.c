/*
 * Fuzzer of the picture: rows as csrss could send them, the cursor, and areas as clients ask for them,
 * on desktops of every depth. Each rectangle lies on the desktop and is no larger than it may be; what
 * changed its look is sent, and nothing is sent twice without a reason. (That it is the right picture is
 * test-draw's.)
 */
#include "bitmap.h"
#include "draw.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FONT "/usr/share/fonts/truetype/dejavu/DejaVuSansMono.ttf"
#define BOLD "/usr/share/fonts/truetype/dejavu/DejaVuSansMono-Bold.ttf"

enum { OPERATION = 9, MODEL_COLUMNS = COLUMNS_MAX + 1, MODEL_ROWS = 64, AREA_MAX = 512 * 512 };
enum { HEIGHT_MAX = MODEL_ROWS * CELL_HEIGHT };

static struct glyphs *glyphs;
static struct draw d;
static uint32_t codes[MODEL_ROWS][MODEL_COLUMNS]; /* what each cell shows; 0: nothing yet */
static bool expected[MODEL_ROWS][MODEL_COLUMNS];  /* cells that have to be sent */
static bool sent[MODEL_ROWS][MODEL_COLUMNS];

static void check(bool holds)
{
	if (!holds)
		abort();
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	char error[256];

	(void)argc;
	(void)argv;
	glyphs = glyphs_create(FONT, BOLD, error, sizeof(error));
	if (!glyphs)
		fprintf(stderr, "%s\n", error);
	check(glyphs != NULL);
	return 0;
}

static uint16_t number(const uint8_t *bytes)
{
	return (uint16_t)(bytes[0] | bytes[1] << 8);
}

static void model_row(uint16_t row, uint16_t column, uint16_t count, const struct cell *cells)
{
	for (int i = 0; i < count && column + i < d.columns && row < d.rows && row < MODEL_ROWS;
	    i++) {
		uint32_t *code = &codes[row][column + i];
		if (*code != cells[i].code)
			expected[row][column + i] = true;
		*code = cells[i].code;
	}
}

/* COUNT cells of their own memory, so that one too many is seen. Letters only: each looks different. */
static void put_row(const uint8_t *op)
{
	uint16_t count = number(op + 5) % (COLUMNS_MAX + 1);
	struct cell *cells = calloc(count + !count, sizeof(*cells));

	check(cells != NULL);
	for (uint16_t i = 0; i < count; i++)
		cells[i] = (struct cell){ op[7] % 7 == 0 ? 0x1f600u + op[8]
			                                 : 'A' + (op[7] + i * op[8]) % 26u,
			op[8] * 0x01030507u, op[7] * 0x02000103u };
	draw_row(&d, number(op + 1), number(op + 3), count, cells);
	model_row(number(op + 1), number(op + 3), count, cells);
	free(cells);
}

static void note_sent(const BITMAP_DATA *b)
{
	for (uint32_t row = b->destTop / CELL_HEIGHT; row <= b->destBottom / CELL_HEIGHT; row++)
		for (uint32_t column = b->destLeft / CELL_WIDTH;
		    column <= b->destRight / CELL_WIDTH; column++)
			if (row < MODEL_ROWS && column < MODEL_COLUMNS) {
				check(!sent[row][column]);
				sent[row][column] = true;
			}
}

static void check_bitmap(const BITMAP_DATA *b)
{
	check(b->destLeft <= b->destRight && b->destRight < d.width);
	check(b->destTop <= b->destBottom && b->destBottom < d.height);
	check(b->destLeft % CELL_WIDTH == 0 && b->destTop % CELL_HEIGHT == 0);
	check(b->width % 4 == 0 && b->width - (b->destRight - b->destLeft + 1) < 4);
	check(b->height == b->destBottom - b->destTop + 1);
	check(b->cbUncompressedSize == b->width * b->height * bitmap_bytes(d.bpp));
	check(b->cbUncompressedSize <= 65535 && b->bitmapLength + 64 <= 0x3f80);
	check(b->bitmapLength <= bitmap_bound(b->width, b->height, d.bpp));
}

/* Everything that is due. */
static void drain(void)
{
	BITMAP_DATA b;

	memset(sent, 0, d.grid_rows * sizeof(*sent));
	while (draw_next(&d, &b)) {
		check_bitmap(&b);
		note_sent(&b);
	}
	for (uint32_t row = 0; row < d.grid_rows; row++)
		for (uint32_t column = 0; column < d.grid_columns; column++)
			check(!expected[row][column] || sent[row][column]);
	memset(expected, 0, d.grid_rows * sizeof(*expected));
	check(!draw_next(&d, &b));
}

static void operate(const uint8_t *op)
{
	switch (op[0] % 5) {
	case 0:
	case 1:
		put_row(op);
		break;
	case 2:
		draw_cursor(&d, number(op + 1), number(op + 3), op[5] & 1);
		break;
	case 3:
		draw_invalidate(&d, number(op + 1), number(op + 3), number(op + 5), number(op + 7));
		break;
	case 4:
		drain();
		break;
	}
}

/* Width and height, depth; then operations of nine bytes. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t depths[] = { 15, 16, 24, 32 };
	uint16_t width, height;

	if (size < 5)
		return 0;
	width = DESKTOP_MIN +
	        (data[1] & 0x80 ? number(data) % (DESKTOP_MAX + 1 - DESKTOP_MIN) : data[0]);
	height = DESKTOP_MIN +
	         (data[3] & 0x80 ? number(data + 2) % (HEIGHT_MAX + 1 - DESKTOP_MIN) : data[2]);
	/* what is large in both takes its time, and shows no more */
	if ((uint32_t)width * height > AREA_MAX)
		height = DESKTOP_MIN + height % 8;
	memset(codes, 0, sizeof(codes));
	check(draw_init(&d, glyphs, width, height, depths[data[4] % 4], data[4] & 4) == 0);
	drain(); /* all of it is due */
	for (data += 5, size -= 5; size >= OPERATION; data += OPERATION, size -= OPERATION)
		operate(data);
	drain();
	draw_finish(&d);
	return 0;
}
