/* Text as cells: one code point a cell. */
#include "cells.h"

uint32_t cells_next_code(const char **p)
{
	const unsigned char *u = (const unsigned char *)*p;
	int more = u[0] < 0xc0 ? 0 : u[0] < 0xe0 ? 1 : u[0] < 0xf0 ? 2 : 3;
	uint32_t code = more == 0 ? u[0] : u[0] & (0x3fu >> more);

	(*p)++;
	for (; more > 0 && ((unsigned char)**p & 0xc0) == 0x80; more--, (*p)++)
		code = code << 6 | ((unsigned char)**p & 0x3f);
	return code;
}

void cells_put(
    struct cell *cells, int count, const char *text, uint32_t foreground, uint32_t background)
{
	for (int i = 0; i < count; i++)
		cells[i] =
		    (struct cell){ *text ? cells_next_code(&text) : ' ', foreground, background };
}
