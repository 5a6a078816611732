/*
 * Reads a screenshot and prints the text on it, one line a row of cells, without blanks at
 * the end:
 *
 *   screen-text FILE.ppm X Y [FONT BOLD]
 *
 * FILE is a binary PPM (P6); X and Y are where the desktop's top left pixel is in it.
 *
 * How it is recognised, and what is not: daemon/glyph-text.h.
 */
#include "glyph-text.h"
#include "glyphs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FONT "/usr/share/fonts/truetype/dejavu/DejaVuSansMono.ttf"
#define BOLD "/usr/share/fonts/truetype/dejavu/DejaVuSansMono-Bold.ttf"

enum { SIDE_MAX = 32768 };

struct picture {
	int width, height;
	uint8_t *pixels; /* red, green, blue */
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

static void print_text(struct glyph_text *text, const struct picture *p, int x, int y)
{
	const struct glyph_picture picture = { p->width, p->height, 3, p->pixels };
	char line[GLYPH_TEXT_LINE];

	for (; y + GLYPH_TEXT_HEIGHT <= p->height; y += GLYPH_TEXT_HEIGHT) {
		glyph_text_line(text, &picture, x, y, line, sizeof(line));
		puts(line);
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
	struct glyph_text *text = NULL;
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
	} else if ((text = glyph_text_create(glyphs)) == NULL) {
		fprintf(stderr, "screen-text: no memory\n");
	} else {
		print_text(text, &picture, x, y);
		status = fflush(stdout) == 0 ? 0 : 1;
	}
	fclose(file);
	glyph_text_destroy(text);
	free(picture.pixels);
	glyphs_destroy(glyphs);
	return status;
}
