/*
 * The atlas is, for each of the two faces, a growing array of glyphs and a table of 256
 * pages of 256 indices into it. Index 0 is "the font has none"; pages with nothing but
 * that share one.
 *
 * Box drawing and block elements (U+2500 to U+259F) do not come from the font, whose
 * lines are as long as its own line height and leave gaps in a cell that is taller: they
 * are drawn by rule, on pixels, from edge to edge.
 */
#include "glyphs.h"

#include "messages.h"

#include <assert.h>
#include <ft2build.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include FT_FREETYPE_H

static_assert(GLYPH_SIZE == CELL_WIDTH * CELL_HEIGHT, "a glyph fills a cell");

/* At 13 pixels DejaVu Sans Mono is 8 wide, and from accents on capitals to descenders it
   needs 16 rows, of which 4 are below the baseline. */
enum { FONT_PIXELS = 13, BASELINE = 12 };
enum { PAGES = 256, PAGE_CODES = 256, BOX_FIRST = 0x2500, BLOCK_FIRST = 0x2580, BOX_END = 0x25a0 };

struct face {
	uint16_t *pages[PAGES];
	uint8_t (*glyphs)[GLYPH_SIZE];
	uint32_t count, room;
};

struct glyphs {
	struct face faces[2]; /* regular, bold */
	uint16_t no_page[PAGE_CODES];
	uint8_t blank[GLYPH_SIZE], missing[GLYPH_SIZE];
};

/* --- by rule --- */

/* The centre of a cell's lines. Heavy lines are three pixels, double ones two with one
   between, so that both reach REACH to either side of it. */
enum { CENTRE_X = 3, CENTRE_Y = 7, REACH = 1 };
enum weight { NONE, LIGHT, HEAVY, DOUBLE };
enum arm { LEFT, RIGHT, UP, DOWN, ARMS };

/* The arms of U+2500 to U+257F as hexadecimal digits: left, right, up, down. Dashes are
   lines with gaps, arcs are corners, and diagonals (0) are drawn apart. */
static const uint16_t box_arms[] = {
	/* 2500 */ 0x1100,
	0x2200,
	0x0011,
	0x0022,
	0x1100,
	0x2200,
	0x0011,
	0x0022,
	/* 2508 */ 0x1100,
	0x2200,
	0x0011,
	0x0022,
	0x0101,
	0x0201,
	0x0102,
	0x0202,
	/* 2510 */ 0x1001,
	0x2001,
	0x1002,
	0x2002,
	0x0110,
	0x0210,
	0x0120,
	0x0220,
	/* 2518 */ 0x1010,
	0x2010,
	0x1020,
	0x2020,
	0x0111,
	0x0211,
	0x0121,
	0x0112,
	/* 2520 */ 0x0122,
	0x0221,
	0x0212,
	0x0222,
	0x1011,
	0x2011,
	0x1021,
	0x1012,
	/* 2528 */ 0x1022,
	0x2021,
	0x2012,
	0x2022,
	0x1101,
	0x2101,
	0x1201,
	0x2201,
	/* 2530 */ 0x1102,
	0x2102,
	0x1202,
	0x2202,
	0x1110,
	0x2110,
	0x1210,
	0x2210,
	/* 2538 */ 0x1120,
	0x2120,
	0x1220,
	0x2220,
	0x1111,
	0x2111,
	0x1211,
	0x2211,
	/* 2540 */ 0x1121,
	0x1112,
	0x1122,
	0x2121,
	0x1221,
	0x2112,
	0x1212,
	0x2221,
	/* 2548 */ 0x2212,
	0x2122,
	0x1222,
	0x2222,
	0x1100,
	0x2200,
	0x0011,
	0x0022,
	/* 2550 */ 0x3300,
	0x0033,
	0x0301,
	0x0103,
	0x0303,
	0x3001,
	0x1003,
	0x3003,
	/* 2558 */ 0x0310,
	0x0130,
	0x0330,
	0x3010,
	0x1030,
	0x3030,
	0x0311,
	0x0133,
	/* 2560 */ 0x0333,
	0x3011,
	0x1033,
	0x3033,
	0x3301,
	0x1103,
	0x3303,
	0x3310,
	/* 2568 */ 0x1130,
	0x3330,
	0x3311,
	0x1133,
	0x3333,
	0x0101,
	0x1001,
	0x1010,
	/* 2570 */ 0x0110,
	0x0000,
	0x0000,
	0x0000,
	0x1000,
	0x0010,
	0x0100,
	0x0001,
	/* 2578 */ 0x2000,
	0x0020,
	0x0200,
	0x0002,
	0x1200,
	0x0012,
	0x2100,
	0x0021,
};
static_assert(sizeof(box_arms) / sizeof(box_arms[0]) == BLOCK_FIRST - BOX_FIRST, "one each");

static void fill(uint8_t *glyph, int left, int top, int right, int bottom, uint8_t cover)
{
	for (int y = top; y < bottom; y++)
		for (int x = left; x < right; x++)
			glyph[y * CELL_WIDTH + x] = cover;
}

static enum weight weight_of(uint16_t arms, enum arm arm)
{
	return (enum weight)(arms >> 4 * (ARMS - 1 - arm) & 0xf);
}

/*
 * How far a line of an arm goes past the centre (negative: it ends before). OFFSET is the
 * line's distance from the middle of its arm, -1 or 1 for double lines; NEAR is the arm
 * across on that side, FAR the one on the other.
 */
static int line_end(enum weight near, enum weight far, enum weight opposite, int offset)
{
	if (offset != 0)
		return near == DOUBLE ? -REACH : near == NONE && far == DOUBLE ? REACH : 0;
	if (near == DOUBLE && far == DOUBLE && opposite == NONE)
		return -REACH;
	return near >= HEAVY || far >= HEAVY ? REACH : 0;
}

/* One line of an arm, one pixel wide. */
static void arm_line(uint8_t *glyph, uint16_t arms, enum arm arm, int offset)
{
	bool across = arm == LEFT || arm == RIGHT; /* the line itself is horizontal */
	enum weight low = weight_of(arms, across ? UP : LEFT);
	enum weight high = weight_of(arms, across ? DOWN : RIGHT);
	bool double_line = weight_of(arms, arm) == DOUBLE;
	int end = line_end(offset < 0 ? low : high, offset < 0 ? high : low,
	    weight_of(arms, arm ^ 1), double_line ? offset : 0);

	if (arm == LEFT)
		fill(glyph, 0, CENTRE_Y + offset, CENTRE_X + end + 1, CENTRE_Y + offset + 1, 255);
	else if (arm == RIGHT)
		fill(glyph, CENTRE_X - end, CENTRE_Y + offset, CELL_WIDTH, CENTRE_Y + offset + 1,
		    255);
	else if (arm == UP)
		fill(glyph, CENTRE_X + offset, 0, CENTRE_X + offset + 1, CENTRE_Y + end + 1, 255);
	else
		fill(glyph, CENTRE_X + offset, CENTRE_Y - end, CENTRE_X + offset + 1, CELL_HEIGHT,
		    255);
}

static void draw_arms(uint8_t *glyph, uint16_t arms)
{
	for (enum arm arm = LEFT; arm < ARMS; arm++) {
		enum weight weight = weight_of(arms, arm);

		if (weight == LIGHT || weight == HEAVY)
			arm_line(glyph, arms, arm, 0);
		if (weight == HEAVY || weight == DOUBLE) {
			arm_line(glyph, arms, arm, -REACH);
			arm_line(glyph, arms, arm, REACH);
		}
	}
}

/* Cuts gaps into a line so that COUNT dashes remain. */
static void cut_dashes(uint8_t *glyph, int count, bool vertical)
{
	int length = vertical ? CELL_HEIGHT : CELL_WIDTH;

	for (int i = 1; i <= count; i++) {
		int at = i * length / count - 1;

		if (vertical)
			fill(glyph, 0, at, CELL_WIDTH, at + 1, 0);
		else
			fill(glyph, at, 0, at + 1, CELL_HEIGHT, 0);
	}
}

static void draw_box(uint8_t *glyph, uint32_t code)
{
	draw_arms(glyph, box_arms[code - BOX_FIRST]);
	if ((code >= 0x2504 && code <= 0x250b) || (code >= 0x254c && code <= 0x254f))
		cut_dashes(glyph, code >= 0x254c ? 2 : code >= 0x2508 ? 4 : 3, code & 2);
	if (code >= 0x256d && code <= 0x2570) /* arcs: the corner's tip is off */
		fill(glyph, CENTRE_X, CENTRE_Y, CENTRE_X + 1, CENTRE_Y + 1, 0);
	for (int y = 0; y < CELL_HEIGHT; y++) {
		int x = y * CELL_WIDTH / CELL_HEIGHT;

		if (code == 0x2571 || code == 0x2573)
			glyph[y * CELL_WIDTH + CELL_WIDTH - 1 - x] = 255;
		if (code == 0x2572 || code == 0x2573)
			glyph[y * CELL_WIDTH + x] = 255;
	}
}

static void draw_block(uint8_t *glyph, uint32_t code)
{
	/* quadrants of U+2596 on: 1 upper left, 2 upper right, 4 lower left, 8 lower right */
	static const uint8_t quadrants[] = { 4, 8, 1, 13, 9, 7, 11, 2, 6, 14 };
	enum { MIDDLE_X = CELL_WIDTH / 2, MIDDLE_Y = CELL_HEIGHT / 2 };
	int n = (int)(code - BLOCK_FIRST);
	unsigned parts;

	if (n == 0)
		fill(glyph, 0, 0, CELL_WIDTH, MIDDLE_Y, 255);
	else if (n <= 8) /* lower eighths */
		fill(glyph, 0, CELL_HEIGHT - n * CELL_HEIGHT / 8, CELL_WIDTH, CELL_HEIGHT, 255);
	else if (n <= 15) /* left eighths, seven to one */
		fill(glyph, 0, 0, (16 - n) * CELL_WIDTH / 8, CELL_HEIGHT, 255);
	else if (n == 16)
		fill(glyph, MIDDLE_X, 0, CELL_WIDTH, CELL_HEIGHT, 255);
	else if (n <= 19) /* shades */
		fill(glyph, 0, 0, CELL_WIDTH, CELL_HEIGHT, (uint8_t)((n - 16) * 64));
	else if (n == 20)
		fill(glyph, 0, 0, CELL_WIDTH, CELL_HEIGHT / 8, 255);
	else if (n == 21)
		fill(glyph, CELL_WIDTH * 7 / 8, 0, CELL_WIDTH, CELL_HEIGHT, 255);
	if (n < 22)
		return;
	parts = quadrants[n - 22];
	fill(glyph, 0, 0, MIDDLE_X, MIDDLE_Y, parts & 1 ? 255 : 0);
	fill(glyph, MIDDLE_X, 0, CELL_WIDTH, MIDDLE_Y, parts & 2 ? 255 : 0);
	fill(glyph, 0, MIDDLE_Y, MIDDLE_X, CELL_HEIGHT, parts & 4 ? 255 : 0);
	fill(glyph, MIDDLE_X, MIDDLE_Y, CELL_WIDTH, CELL_HEIGHT, parts & 8 ? 255 : 0);
}

static void draw_missing(uint8_t *glyph)
{
	fill(glyph, 1, 3, CELL_WIDTH - 1, BASELINE, 255);
	fill(glyph, 2, 4, CELL_WIDTH - 2, BASELINE - 1, 0);
}

/* --- from the font --- */

/* Copies the bitmap that FreeType rendered to where it belongs in the cell. */
static void place_bitmap(uint8_t *glyph, const FT_GlyphSlot slot)
{
	const FT_Bitmap *bitmap = &slot->bitmap;
	int left = slot->bitmap_left, top = BASELINE - slot->bitmap_top;

	for (int y = 0; y < (int)bitmap->rows; y++) {
		for (int x = 0; x < (int)bitmap->width; x++) {
			if (top + y < 0 || top + y >= CELL_HEIGHT || left + x < 0 ||
			    left + x >= CELL_WIDTH)
				continue;
			glyph[(top + y) * CELL_WIDTH + left + x] =
			    bitmap->buffer[y * bitmap->pitch + x];
		}
	}
}

/* A new, empty glyph of a code point, or NULL without memory. */
static uint8_t *add_glyph(struct glyphs *g, struct face *f, uint32_t code)
{
	uint16_t **page = &f->pages[code / PAGE_CODES];

	if (f->count >= f->room) {
		uint32_t room = f->room ? f->room * 2 : 1024;
		void *larger = realloc(f->glyphs, (size_t)room * GLYPH_SIZE);

		if (larger == NULL)
			return NULL;
		f->glyphs = larger;
		f->room = room;
	}
	if (*page == g->no_page) {
		uint16_t *fresh = calloc(PAGE_CODES, sizeof(*fresh));

		if (fresh == NULL)
			return NULL;
		*page = fresh;
	}
	(*page)[code % PAGE_CODES] = (uint16_t)f->count;
	return memset(f->glyphs[f->count++], 0, GLYPH_SIZE);
}

/* One glyph of FONT. One that does not render stays missing. Returns 0 or -1. */
static int render_glyph(
    struct glyphs *g, struct face *f, FT_Face font, FT_ULong code, FT_UInt index)
{
	uint8_t *glyph;

	if (glyphs_is_blank((uint32_t)code) || (code >= BOX_FIRST && code < BOX_END))
		return 0;
	if (FT_Load_Glyph(font, index, FT_LOAD_RENDER | FT_LOAD_TARGET_LIGHT) != 0 ||
	    font->glyph->bitmap.pixel_mode != FT_PIXEL_MODE_GRAY)
		return 0;
	glyph = add_glyph(g, f, (uint32_t)code);
	if (glyph == NULL)
		return -1;
	place_bitmap(glyph, font->glyph);
	return 0;
}

static int render_face(struct glyphs *g, struct face *f, FT_Face font)
{
	FT_UInt index;
	FT_ULong code = FT_Get_First_Char(font, &index);

	while (index != 0 && code < PAGES * PAGE_CODES) {
		if (render_glyph(g, f, font, code, index) < 0)
			return -1;
		code = FT_Get_Next_Char(font, code, &index);
	}
	return 0;
}

static int draw_rules(struct glyphs *g, struct face *f)
{
	for (uint32_t code = BOX_FIRST; code < BOX_END; code++) {
		uint8_t *glyph = add_glyph(g, f, code);

		if (glyph == NULL)
			return -1;
		if (code < BLOCK_FIRST)
			draw_box(glyph, code);
		else
			draw_block(glyph, code);
	}
	return 0;
}

/* Renders one font file into a face. Returns NULL or what went wrong. */
static const char *load_face(struct glyphs *g, struct face *f, FT_Library library, const char *path)
{
	const char *problem = NULL;
	struct stat status;
	FT_Face font;
	FT_Error code;

	if (stat(path, &status) == 0 && !S_ISREG(status.st_mode))
		return "is no file"; /* which may never end */
	code = FT_New_Face(library, path, 0, &font);
	if (code != 0)
		return code == FT_Err_Cannot_Open_Resource ? "cannot be opened"
		                                           : "is no font that FreeType reads";
	if (FT_Select_Charmap(font, FT_ENCODING_UNICODE) != 0)
		problem = "has no Unicode characters";
	else if (FT_Set_Pixel_Sizes(font, 0, FONT_PIXELS) != 0)
		problem = "cannot be scaled";
	else if (render_face(g, f, font) != 0 || draw_rules(g, f) != 0)
		problem = "needs more memory than there is";
	FT_Done_Face(font);
	return problem;
}

struct glyphs *glyphs_create(const char *font, const char *bold, char *error, size_t size)
{
	const char *paths[] = { font, bold }, *problem = NULL;
	struct glyphs *g = calloc(1, sizeof(*g));
	FT_Library library;

	if (g == NULL || FT_Init_FreeType(&library) != 0) {
		snprintf(error, size, "no memory for the font");
		free(g);
		return NULL;
	}
	draw_missing(g->missing);
	for (int i = 0; i < 2 && problem == NULL; i++) {
		for (int page = 0; page < PAGES; page++)
			g->faces[i].pages[page] = g->no_page;
		g->faces[i].count = 1; /* index 0 is none */
		problem = load_face(g, &g->faces[i], library, paths[i]);
		if (problem != NULL)
			snprintf(error, size,
			    "font %s %s; install the package fonts-dejavu-core or configure "
			    "another monospaced font",
			    paths[i], problem);
	}
	FT_Done_FreeType(library);
	if (problem != NULL) {
		glyphs_destroy(g);
		return NULL;
	}
	return g;
}

void glyphs_destroy(struct glyphs *g)
{
	if (g == NULL)
		return;
	for (int i = 0; i < 2; i++) {
		for (int page = 0; page < PAGES; page++)
			if (g->faces[i].pages[page] != g->no_page)
				free(g->faces[i].pages[page]);
		free(g->faces[i].glyphs);
	}
	free(g);
}

const uint8_t *glyphs_lookup(const struct glyphs *g, uint32_t code, bool bold)
{
	if (glyphs_is_blank(code))
		return g->blank;
	if (code >= PAGES * PAGE_CODES)
		return g->missing;
	for (int i = bold; i >= 0; i--) {
		const struct face *f = &g->faces[i];
		uint32_t index = f->pages[code / PAGE_CODES][code % PAGE_CODES];

		if (index != 0)
			return f->glyphs[index];
	}
	return g->missing;
}
