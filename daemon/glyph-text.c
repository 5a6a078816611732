/* Reading cells. Comparing one with all glyphs takes a millisecond or two, and screens have the
   same ones again and again: what was found is kept, by the cell's pixels. */
#include "glyph-text.h"

#include "messages.h"

#include <stdlib.h>
#include <string.h>

enum { CODE_FIRST = 0x21, CODE_END = 0x10000, REPLACEMENT = 0xfffd };
enum { UNDERLINE = 14 * CELL_WIDTH }; /* first pixel of the underline's row */
enum { KEPT = 1024 };                 /* a power of two */

_Static_assert((int)GLYPH_TEXT_HEIGHT == (int)CELL_HEIGHT, "a line is a row of cells");

/* Squared distance of two colours that still counts as one; squared error of a whole cell
   that is still a likeness, and how much of that 16-bit colours and rounding may make. */
enum {
	SAME_COLOUR = 3 * 12 * 12,
	LIKENESS = GLYPH_SIZE * 40 * 40,
	NOISE = GLYPH_SIZE * 6 * 6,
};

/* A glyph of the atlas: its coverage, and the same stretched to the full range, as a cell's
   is when it is measured between its own extremes. In an underlined cell these are the
   underline's, and nothing is stretched. */
struct candidate {
	uint32_t code;
	int16_t plain[GLYPH_SIZE], stretched[GLYPH_SIZE];
};

/* A cell that was read. Code 0: none yet. */
struct kept {
	uint8_t cell[GLYPH_SIZE][3];
	uint32_t code;
};

struct glyph_text {
	struct candidate *all;
	size_t count;
	struct kept kept[KEPT];
};

static void add_candidate(struct glyph_text *c, uint32_t code, const uint8_t *glyph)
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
struct glyph_text *glyph_text_create(const struct glyphs *g)
{
	const uint8_t *missing = glyphs_lookup(g, 0x10ffff, false);
	struct glyph_text *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return NULL;
	t->all = calloc(2 * (CODE_END - CODE_FIRST), sizeof(*t->all));
	if (t->all == NULL) {
		free(t);
		return NULL;
	}
	for (uint32_t code = CODE_FIRST; code < CODE_END; code++) {
		const uint8_t *glyph = glyphs_lookup(g, code, false);

		if (glyph == missing)
			continue;
		add_candidate(t, code, glyph);
		if (glyphs_lookup(g, code, true) != glyph)
			add_candidate(t, code, glyphs_lookup(g, code, true));
	}
	return t;
}

void glyph_text_destroy(struct glyph_text *t)
{
	if (t)
		free(t->all);
	free(t);
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
    const struct glyph_text *c, const int16_t *cover, bool underlined, int *best)
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

static uint32_t find_cell(const struct glyph_text *t, uint8_t cell[GLYPH_SIZE][3])
{
	int16_t cover[GLYPH_SIZE];
	uint32_t code, other;
	int best = LIKENESS;

	if (measure(cover, cell) != 0)
		return ' ';
	code = find_code(t, cover, false, &best);
	if (has_underline(cover)) {
		best -= NOISE;
		other = find_code(t, cover, true, &best);
		code = other == REPLACEMENT ? code : other;
	}
	return code;
}

/* Where a cell is kept, if it is. */
static struct kept *place_of(struct glyph_text *t, uint8_t cell[GLYPH_SIZE][3])
{
	const uint8_t *bytes = cell[0];
	uint32_t hash = 2166136261u;

	for (size_t i = 0; i < sizeof(t->kept->cell); i++)
		hash = (hash ^ bytes[i]) * 16777619u;
	return &t->kept[(hash ^ hash >> 16) % KEPT];
}

static uint32_t read_cell(struct glyph_text *t, const struct glyph_picture *p, int left, int top)
{
	uint8_t cell[GLYPH_SIZE][3];
	struct kept *kept;

	for (int i = 0; i < GLYPH_SIZE; i++)
		memcpy(cell[i],
		    p->pixels + ((size_t)(top + i / CELL_WIDTH) * (size_t)p->width +
		                    (size_t)(left + i % CELL_WIDTH)) *
		                    (size_t)p->bytes,
		    3);
	/* most cells of a screen */
	if (memcmp(cell[0], cell[1], sizeof(cell[0]) * (GLYPH_SIZE - 1)) == 0)
		return ' ';
	kept = place_of(t, cell);
	if (kept->code == 0 || memcmp(kept->cell, cell, sizeof(cell)) != 0) {
		memcpy(kept->cell, cell, sizeof(cell));
		kept->code = find_cell(t, cell);
	}
	return kept->code;
}

/* Returns how many bytes of TO (at least 3) it is. */
static size_t put_utf8(uint32_t c, char *to)
{
	if (c < 0x80) {
		to[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		to[0] = (char)(0xc0 | c >> 6);
		to[1] = (char)(0x80 | (c & 0x3f));
		return 2;
	}
	to[0] = (char)(0xe0 | c >> 12);
	to[1] = (char)(0x80 | (c >> 6 & 0x3f));
	to[2] = (char)(0x80 | (c & 0x3f));
	return 3;
}

void glyph_text_line(
    struct glyph_text *t, const struct glyph_picture *p, int x, int y, char *line, size_t size)
{
	size_t used = 0, end = 0;

	for (; x + CELL_WIDTH <= p->width && used + 4 <= size; x += CELL_WIDTH) {
		uint32_t code = read_cell(t, p, x, y);

		used += put_utf8(code, line + used);
		end = code == ' ' ? end : used;
	}
	line[end] = 0;
}
