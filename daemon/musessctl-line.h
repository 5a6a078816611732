/*
 * A line of a table, written from left to right: each text is put at its column, cut to its
 * width, both counted in characters; nothing follows the last one.
 */
#ifndef MUSESS_MUSESSCTL_LINE_H
#define MUSESS_MUSESSCTL_LINE_H

#include <stdint.h>
#include <stdio.h>

struct line {
	FILE *out;
	int column; /* reached so far */
};

void line_put(struct line *l, int column, int width, const char *text);

/* Right-aligned: its last character is at column LAST. */
void line_put_right(struct line *l, int last, const char *text);
void line_put_number(struct line *l, int last, uint32_t number);

/* How many digits NUMBER has. */
int line_digits(uint32_t number);

#endif
