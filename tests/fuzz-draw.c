/*
 * Fuzzer of the picture: a worker's client that is activated and activated again, with any size and depth
 * that it may name, and asks for areas; and csrss's messages as they come from its port, with any content.
 * Each rectangle lies on the desktop and is no larger than it may be; what changed its look is sent, and
 * nothing is sent twice without a reason. (That it is the right picture is test-draw's.)
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

enum operation { ACTIVATE, ROW, FRAME, AREA, ALL, PAINT, OPERATIONS };

/* A run ends with the picture with which so many cells have become due: more take their time, and show no
   more. */
enum { WORK_MAX = 32768, AREA_MAX = 512 * 512 };

/* What is left of the input; zeros follow it. */
struct input {
	const uint8_t *at;
	size_t left;
};

static struct glyphs *glyphs;
static struct draw d;
static bool drawing; /* the client is activated */
static uint32_t work;
static uint32_t codes[ROWS_MAX][COLUMNS_MAX]; /* what each cell shows; 0: nothing yet */
static bool expected[ROWS_MAX][COLUMNS_MAX];  /* cells that have to be sent */
static bool sent[ROWS_MAX][COLUMNS_MAX];

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

static uint8_t octet(struct input *in)
{
	if (in->left == 0)
		return 0;
	in->left--;
	return *in->at++;
}

static uint16_t number(struct input *in)
{
	uint16_t low = octet(in);

	return (uint16_t)(low | octet(in) << 8);
}

static uint32_t long_number(struct input *in)
{
	uint32_t low = number(in);

	return low | (uint32_t)number(in) << 16;
}

/* A row or a column: most lie on the desktop, whose last is COUNT - 1, or just behind it. */
static uint16_t place(struct input *in, uint16_t count)
{
	uint16_t n = number(in);

	return n & 0x8000 ? n : n % (count + 2);
}

static bool is_letter(uint32_t code)
{
	return code >= 'A' && code <= 'Z';
}

/* A letter looks like nothing else. */
static void model_row(const struct msg_row *m)
{
	for (int i = 0; i < m->count && m->column + i < d.columns && m->row < d.rows; i++) {
		uint32_t *code = &codes[m->row][m->column + i], new = m->cells[i].code;
		if (*code != new && (is_letter(*code) || is_letter(new)))
			expected[m->row][m->column + i] = true;
		*code = new;
	}
}

/* Cells that follow from one: the same again, or each a step on. */
static void fill_cells(struct input *in, struct cell *cells, uint16_t count)
{
	struct cell c = { long_number(in), long_number(in), long_number(in) };
	uint32_t step = octet(in);

	if (step & 0x80) /* letters, so that something is to be expected */
		c.code = 'A' + c.code % 26;
	for (uint16_t i = 0; i < count; i++) {
		cells[i] = c;
		c.code = step & 0x80 ? 'A' + (c.code + step) % 26 : c.code + step;
		c.foreground += step << 16;
		c.background ^= step << (i % 8 ? 0 : 24);
	}
}

/* A row of COUNT cells in memory of its size, so that one too many is seen, which says that it has some
   other number now and then; nothing of it may be taken then. */
static void send_row(struct input *in)
{
	uint8_t kind = octet(in);
	uint16_t count = number(in) % (COLUMNS_MAX + 1);
	size_t size = kind % 8 == 1 ? sizeof(PORT_MESSAGE) + kind / 8 % 8
	                            : offsetof(struct msg_row, cells) + count * sizeof(struct cell);
	struct msg_row *m = calloc(1, size);
	bool whole = kind % 8 > 2;

	check(m != NULL);
	m->h.type = DSP_ROW;
	if (kind % 8 != 1) {
		m->row = place(in, d.rows);
		m->column = place(in, d.columns);
		m->count = whole ? count : number(in);
		fill_cells(in, m->cells, count);
		if (drawing && m->count == count)
			model_row(m);
	}
	check(!draw_message(drawing ? &d : NULL, &m->h, size));
	free(m);
}

static void send_frame(struct input *in)
{
	uint8_t kind = octet(in);
	size_t size = kind & 0x80 ? sizeof(PORT_MESSAGE) + kind % 16 : sizeof(struct msg_frame);
	struct msg_frame whole = { .cursor_row = place(in, d.rows),
		.cursor_column = place(in, d.columns),
		.cursor_visible = kind & 1 ? number(in) : 1 };
	PORT_MESSAGE *m = calloc(1, size);

	check(m != NULL);
	whole.h.type = DSP_FRAME;
	memcpy(m, &whole, size < sizeof(whole) ? size : sizeof(whole));
	check(draw_message(drawing ? &d : NULL, m, size) == (size == sizeof(whole)));
	free(m);
}

static void note_sent(const BITMAP_DATA *b)
{
	for (uint32_t row = b->destTop / CELL_HEIGHT; row <= b->destBottom / CELL_HEIGHT; row++)
		for (uint32_t column = b->destLeft / CELL_WIDTH;
		    column <= b->destRight / CELL_WIDTH; column++) {
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

/* Numbers as a client names them: small ones mostly, whose pictures take little time. */
static uint32_t pixels(struct input *in)
{
	uint16_t n = number(in);

	return (n & 0xf000) == 0xf000   ? 2 * (n & 0xfffu)
	       : (n & 0xf000) == 0xe000 ? long_number(in)
	                                : DESKTOP_MIN + n % 256u;
}

static void expect_all(void)
{
	for (uint32_t row = 0; row < d.grid_rows; row++)
		memset(expected[row], true, d.grid_columns);
	work += (uint32_t)d.grid_rows * d.grid_columns;
}

/* As rdpwd does it; the picture of before is gone. */
static void activate(struct input *in)
{
	static const uint8_t depths[] = { 15, 16, 24, 32 };
	uint16_t width = draw_bounded(pixels(in)), height = draw_bounded(pixels(in));
	uint8_t kind = octet(in), bpp = kind & 0x80 ? kind & 0x3f : depths[kind & 3];

	/* what is large in both takes its time, and shows little more: it is seldom so */
	if (width * height > AREA_MAX && kind & 8)
		width = DESKTOP_MIN + width % 32;
	else if (width * height > AREA_MAX && (kind & 0xf0) != 0x70)
		height = DESKTOP_MIN + height % 32;
	check(width >= DESKTOP_MIN && width <= DESKTOP_MAX);
	check(height >= DESKTOP_MIN && height <= DESKTOP_MAX);
	if (!draw_has_depth(bpp))
		return;
	memset(expected, 0, d.grid_rows * sizeof(*expected));
	draw_finish(&d);
	check(draw_init(&d, glyphs, width, height, bpp, kind & 4) == 0);
	check(d.grid_rows <= ROWS_MAX && d.grid_columns <= COLUMNS_MAX);
	drawing = true;
	memset(codes, 0, d.grid_rows * sizeof(*codes));
	expect_all();
}

static void ask(struct input *in)
{
	uint16_t left = number(in), top = number(in), right = number(in), bottom = number(in);
	uint32_t last_row, last_column;

	draw_ask(&d, left, top, right, bottom);
	draw_answer(&d);
	if (left >= d.width || top >= d.height || right < left || bottom < top)
		return;
	last_row = (bottom < d.height ? bottom : d.height - 1u) / CELL_HEIGHT;
	last_column = (right < d.width ? right : d.width - 1u) / CELL_WIDTH;
	for (uint32_t row = top / CELL_HEIGHT; row <= last_row; row++)
		for (uint32_t column = left / CELL_WIDTH; column <= last_column; column++)
			expected[row][column] = true;
	work += (last_row + 1) * (last_column + 1);
}

static void ask_for_all(void)
{
	draw_ask_all(&d);
	draw_answer(&d);
	expect_all();
}

static void operate(struct input *in)
{
	switch ((enum operation)(octet(in) % OPERATIONS)) {
	case ACTIVATE:
		activate(in);
		break;
	case ROW:
		send_row(in);
		break;
	case FRAME:
		send_frame(in);
		break;
	case AREA:
		if (drawing)
			ask(in);
		break;
	case ALL:
		if (drawing)
			ask_for_all();
		break;
	case PAINT:
		if (drawing)
			drain();
		break;
	case OPERATIONS:
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };

	memset(&d, 0, offsetof(struct draw, pixels));
	drawing = false;
	work = 0;
	while (in.left > 0 && work < WORK_MAX)
		operate(&in);
	if (drawing)
		drain();
	draw_finish(&d);
	return 0;
}
