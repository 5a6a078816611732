/* A line of a table: the column that was reached is all there is to know. */
#include "musessctl-line.h"

#include <string.h>

void line_put(struct line *l, int column, int width, const char *text)
{
	for (; *text && l->column < column; l->column++)
		fputc(' ', l->out);
	for (; *text && width > 0; width--, l->column++)
		do
			fputc(*text++, l->out);
		while ((*text & 0xc0) == 0x80); /* the rest of a character */
}

void line_put_right(struct line *l, int last, const char *text)
{
	int length = (int)strlen(text);

	line_put(l, last + 1 - length, length, text);
}

void line_put_number(struct line *l, int last, uint32_t number)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", number);
	line_put_right(l, last, text);
}

int line_digits(uint32_t number)
{
	return snprintf(NULL, 0, "%u", number);
}
