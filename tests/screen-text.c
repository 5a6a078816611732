/*
 * Reads a screenshot and prints the text on it, one line a row of cells, without blanks at
 * the end:
 *
 *   screen-text FILE.ppm X Y [FONT BOLD]
 *
 * FILE is a binary PPM (P6); X and Y are where the desktop's top left pixel is in it.
 *
 * A cell's background is the colour most of its pixels have and its foreground the one
 * farthest from that; each pixel's place between the two is compared with the atlas, both
 * ways round, and the glyph with the least squared error is it. What no glyph comes near
 * to is printed as U+FFFD. Of glyphs that look alike (Latin and Cyrillic; an upper half
 * block and a lower one in exchanged colours) the lowest code point is printed; an
 * underlined blank is an underscore.
 */
#include "glyphs.h"
#include "messages.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FONT "/usr/share/fonts/truetype/dejavu/DejaVuSansMono.ttf"
#define BOLD "/usr/share/fonts/truetype/dejavu/DejaVuSansMono-Bold.ttf"

enum { SIDE_MAX = 32768, CODE_FIRST = 0x21, CODE_END = 0x10000, REPLACEMENT = 0xfffd };
enum { UNDERLINE = 14 * CELL_WIDTH }; /* first pixel of the underline's row */

/* Squared distance of two colours that still counts as one; squared error of a whole cell
   that is still a likeness, and how much of that 16-bit colours and rounding may make. */
enum {
	SAME_COLOUR = 3 * 12 * 12,
	LIKENESS = GLYPH_SIZE * 40 * 40,
	NOISE = GLYPH_SIZE * 6 * 6,
};

struct picture {
	int width, height;
	uint8_t *pixels; /* red, green, blue */
};

/* A glyph of the atlas: its coverage, and the same stretched to the full range, as a cell's
   is when it is measured between its own extremes. In an underlined cell these are the
   underline's, and nothing is stretched. */
struct candidate {
	uint32_t code;
	int16_t plain[GLYPH_SIZE], stretched[GLYPH_SIZE];
};

struct candidates {
	struct candidate *all;
	size_t count;
};

/* The next number of a PPM header, past blanks and comments; -1 where there is none. */
static int header_number(FILE *file)
{
	int c = getc(file), value = -1;

	while (c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '#') {
		while (c == '#' && (c = getc(file)) != '\n' && c != EOF)
			c = '#';
		c = getc(file);
	}
	for (; c >= '0' && c <= '9' && value <= SIDE_MAX; c = getc(file))
		value = (value < 0 ? 0 : value) * 10 + (c - '0');
	return value;
}

static int read_picture(struct picture *p, FILE *file)
{
	char magic[2];
	size_t size;

	if (fread(magic, 1, 2, file) != 2 || memcmp(magic, "P6", 2) != 0)
		return -1;
	p->width = header_number(file);
	p->height = header_number(file);
	if (header_number(file) != 255 || p->width < 1 || p->width > SIDE_MAX || p->height < 1 ||
	    p->height > SIDE_MAX)
		return -1;
	size = (size_t)p->width * (size_t)p->height * 3;
	p->pixels = malloc(size);
	return p->pixels != NULL && fread(p->pixels, 1, size, file) == size ? 0 : -1;
}

static void add_candidate(struct candidates *c, uint32_t code, const uint8_t *glyph)
{
	struct candidate *new = &c->all[c->count];
	int most = 0;

	for (int i = 0; i < GLYPH_SIZE; i++)
		most = glyph[i] > most ? glyph[i] : most;
	if (most == 0)
		return;
	new->code = code;
	for (int i = 0; i < GLYPH_SIZE; i++) {
		new->plain[i] = glyph[i];
		new->stretched[i] = (int16_t)(glyph[i] * 255 / most);
	}
	c->count++;
}

/* All glyphs by code point, so that of two that look alike the lower one is found. */
static int make_candidates(struct candidates *c, const struct glyphs *g)
{
	const uint8_t *missing = glyphs_lookup(g, 0x10ffff, false);

	c->count = 0;
	c->all = calloc(2 * (CODE_END - CODE_FIRST), sizeof(*c->all));
	if (c->all == NULL)
		return -1;
	for (uint32_t code = CODE_FIRST; code < CODE_END; code++) {
		const uint8_t *glyph = glyphs_lookup(g, code, false);

		if (glyph == missing)
			continue;
		add_candidate(c, code, glyph);
		if (glyphs_lookup(g, code, true) != glyph)
			add_candidate(c, code, glyphs_lookup(g, code, true));
	}
	return 0;
}

static int distance(const uint8_t *a, const uint8_t *b)
{
	int sum = 0;

	for (int i = 0; i < 3; i++)
		sum += (a[i] - b[i]) * (a[i] - b[i]);
	return sum;
}

/* Measures each pixel of a cell between background (0) and foreground (255). Returns -1
   where the cell has but one colour. */
static int measure(int16_t *cover, uint8_t cell[GLYPH_SIZE][3])
{
	int back = 0, fore = 0, most = 0, length;

	/* most cells of a screen; the rest is slow */
	if (memcmp(cell[0], cell[1], sizeof(cell[0]) * (GLYPH_SIZE - 1)) == 0)
		return -1;
	for (int i = 0; i < GLYPH_SIZE; i++) {
		int same = 0;

		for (int j = 0; j < GLYPH_SIZE; j++)
			same += distance(cell[i], cell[j]) == 0;
		if (same > most) {
			most = same;
			back = i;
		}
	}
	for (int i = 0; i < GLYPH_SIZE; i++)
		if (distance(cell[i], cell[back]) > distance(cell[fore], cell[back]))
			fore = i;
	length = distance(cell[fore], cell[back]);
	if (length <= SAME_COLOUR)
		return -1;
	for (int i = 0; i < GLYPH_SIZE; i++) {
		int along = 0;

		for (int j = 0; j < 3; j++)
			along += (cell[i][j] - cell[back][j]) * (cell[fore][j] - cell[back][j]);
		cover[i] = (int16_t)(along * 255 / length);
	}
	return 0;
}

/* Squared error of a glyph for a cell, INVERTED or not, with the underline's row left out
   or not; stops once it is no better than BEST. */
static int error_of(
    const int16_t *cover, const struct candidate *c, bool inverted, bool underlined, int best)
{
	const int16_t *glyph = underlined ? c->plain : c->stretched;
	int sum = 0;

	for (int row = 0; row < GLYPH_SIZE && sum < best; row += CELL_WIDTH) {
		if (underlined && row == UNDERLINE)
			continue;
		for (int i = row; i < row + CELL_WIDTH; i++) {
			int want = inverted ? 255 - glyph[i] : glyph[i];

			sum += (cover[i] - want) * (cover[i] - want);
		}
	}
	return sum;
}

/* A line right through the underline's row: the cell may be underlined. */
static bool has_underline(const int16_t *cover)
{
	for (int i = UNDERLINE; i < UNDERLINE + CELL_WIDTH; i++)
		if (cover[i] < 192)
			return false;
	return true;
}

/* The glyph with the least error, which has to be less than *BEST and becomes it. One that
   is better by no more than NOISE does not replace a lower code point. */
static uint32_t find_code(
    const struct candidates *c, const int16_t *cover, bool underlined, int *best)
{
	static const struct candidate blank = { .code = ' ' };
	uint32_t code = REPLACEMENT;

	for (size_t i = 0; i <= c->count; i++) {
		const struct candidate *try = i == 0 ? &blank : &c->all[i - 1];

		for (int inverted = 0; inverted < 2; inverted++) {
			int limit = code == REPLACEMENT ? *best : *best - NOISE;
			int error = error_of(cover, try, inverted, underlined, limit);

			if (error < limit) {
				*best = error;
				code = try->code;
			}
		}
	}
	return code;
}

static uint32_t read_cell(const struct candidates *c, const struct picture *p, int left, int top)
{
	uint8_t cell[GLYPH_SIZE][3];
	int16_t cover[GLYPH_SIZE];
	uint32_t code, other;
	int best = LIKENESS;

	for (int y = 0; y < CELL_HEIGHT; y++)
		memcpy(cell[y * CELL_WIDTH],
		    p->pixels + ((size_t)(top + y) * (size_t)p->width + (size_t)left) * 3,
		    3 * CELL_WIDTH);
	if (measure(cover, cell) != 0)
		return ' ';
	code = find_code(c, cover, false, &best);
	if (has_underline(cover)) {
		best -= NOISE;
		other = find_code(c, cover, true, &best);
		code = other == REPLACEMENT ? code : other;
	}
	return code;
}

static void put_utf8(uint32_t c)
{
	if (c < 0x80) {
		putchar((int)c);
	} else if (c < 0x800) {
		putchar((int)(0xc0 | c >> 6));
		putchar((int)(0x80 | (c & 0x3f)));
	} else {
		putchar((int)(0xe0 | c >> 12));
		putchar((int)(0x80 | (c >> 6 & 0x3f)));
		putchar((int)(0x80 | (c & 0x3f)));
	}
}

static void print_text(const struct candidates *c, const struct picture *p, int x, int y)
{
	for (; y + CELL_HEIGHT <= p->height; y += CELL_HEIGHT) {
		int blanks = 0;

		for (int left = x; left + CELL_WIDTH <= p->width; left += CELL_WIDTH) {
			uint32_t code = read_cell(c, p, left, y);

			if (code == ' ') {
				blanks++;
				continue;
			}
			for (; blanks > 0; blanks--)
				putchar(' ');
			put_utf8(code);
		}
		putchar('\n');
	}
}

static int usage(void)
{
	fprintf(stderr, "usage: screen-text FILE.ppm X Y [FONT BOLD]\n");
	return 2;
}

/* A coordinate, -1 for what is none. */
static int coordinate(const char *text)
{
	char *end;
	long value = strtol(text, &end, 10);

	return *text == 0 || *end != 0 || value < 0 || value > SIDE_MAX ? -1 : (int)value;
}

int main(int argc, char **argv)
{
	struct candidates candidates = { 0 };
	struct picture picture = { 0 };
	struct glyphs *glyphs;
	char error[512];
	FILE *file;
	int x, y, status = 1;

	if (argc != 4 && argc != 6)
		return usage();
	x = coordinate(argv[2]);
	y = coordinate(argv[3]);
	if (x < 0 || y < 0)
		return usage();
	file = fopen(argv[1], "rb");
	if (file == NULL) {
		fprintf(stderr, "screen-text: %s: %s\n", argv[1], strerror(errno));
		return 1;
	}
	glyphs = glyphs_create(
	    argc == 6 ? argv[4] : FONT, argc == 6 ? argv[5] : BOLD, error, sizeof(error));
	if (glyphs == NULL) {
		fprintf(stderr, "screen-text: %s\n", error);
	} else if (read_picture(&picture, file) != 0) {
		fprintf(stderr, "screen-text: %s: not a whole PPM (P6) picture\n", argv[1]);
	} else if (make_candidates(&candidates, glyphs) != 0) {
		fprintf(stderr, "screen-text: no memory\n");
	} else {
		print_text(&candidates, &picture, x, y);
		status = fflush(stdout) == 0 ? 0 : 1;
	}
	fclose(file);
	free(candidates.all);
	free(picture.pixels);
	glyphs_destroy(glyphs);
	return status;
}
