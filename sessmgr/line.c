/*
 * The states: plain text, and what an Escape begins (ECMA-35, ECMA-48): a control sequence up to its
 * final byte, or a single shift and one byte more. A terminal's keys send nothing else.
 *
 * To take a character back, its row is written anew, as a character may be two cells wide and the line
 * more than one row long. Where that row is, is counted from the cursor: a place that the terminal was
 * told to remember (DECSC) is another line's once the screen has scrolled.
 */
#include "line.h"

#include "cells.h"
#include "port.h"
#include "vt.h"

#include <stdio.h>
#include <string.h>

#define UP "\033[%dA"                /* CUU */
#define FROM_HERE "\r\033[J"         /* ED, from the row's beginning */
#define SINGLE_SHIFTED "ABCDFHMPQRS" /* cursor keys, Enter and F1 to F4 behind an SS3 */

enum { BACKSPACE = 0x08, KILL = 0x15, ESCAPE = 0x1b, DELETE = 0x7f };

void line_begin(struct line *l, const char *prompt, char *text, size_t size, bool shown)
{
	*l = (struct line){ .prompt = prompt, .text = text, .size = size, .shown = shown };
	text[0] = 0;
}

/* ---- where the line is on the screen ---- */

/* Behind some of the line. What follows a full row begins the next one. */
struct place {
	int row, column;
	size_t begin; /* of the row, in bytes from the prompt's beginning */
};

/* Moves PLACE, which is BEFORE bytes from the prompt's beginning, behind SIZE bytes of TEXT. */
static void pass(struct place *place, size_t before, const char *text, size_t size, int columns)
{
	const char *p = text;

	while (p < text + size) {
		size_t at = before + (size_t)(p - text);
		int width = vt_width(cells_next_code(&p));

		if (width > columns)
			width = columns;
		if (place->column + width > columns)
			*place = (struct place){ place->row + 1, 0, at };
		place->column += width;
	}
}

/* The place behind LENGTH bytes of the text. */
static struct place place_behind(const struct line *l, size_t length)
{
	size_t prompt = strlen(l->prompt);
	struct place place = { 0 };

	if (l->columns > 0) {
		pass(&place, 0, l->prompt, prompt, l->columns);
		pass(&place, prompt, l->text, length, l->columns);
	}
	return place;
}

/* ---- the text ---- */

/* Appends the line to ECHO, from the place BEGIN on. */
static void show_from(const struct line *l, size_t begin, char *echo)
{
	size_t prompt = strlen(l->prompt);

	echo += strlen(echo);
	if (begin < prompt)
		sprintf(echo, "%s%s", l->prompt + begin, l->text);
	else
		sprintf(echo, "%s", l->text + begin - prompt);
}

/* Cuts the line to LENGTH bytes, which the screen has to show. */
static void cut(struct line *l, size_t length, char *echo)
{
	struct place from = place_behind(l, l->used), to = place_behind(l, length);

	if (length == l->used)
		return;
	memset(l->text + length, 0, l->used - length);
	l->used = length;
	if (!l->shown)
		return;
	if (from.row > to.row)
		sprintf(echo, UP FROM_HERE, from.row - to.row);
	else
		sprintf(echo, FROM_HERE);
	show_from(l, to.begin, echo);
}

static void take_back(struct line *l, char *echo)
{
	size_t length = l->used;

	if (length == 0)
		return;
	do
		length--;
	while (length > 0 && ((unsigned char)l->text[length] & 0xc0) == 0x80);
	cut(l, length, echo);
}

/* Puts a whole character at the end. */
static void append(struct line *l, const char *character, size_t size, char *echo)
{
	if (l->used + size >= l->size)
		return;
	memcpy(l->text + l->used, character, size);
	l->used += size;
	l->text[l->used] = 0;
	if (l->shown)
		strncat(echo, character, size);
}

/* A byte of a character of several: the first says how many. */
static void collect(struct line *l, unsigned char byte, char *echo)
{
	if ((byte & 0xc0) != 0x80) {
		l->character_used = 0;
		l->character_size = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
	} else if (l->character_used == 0) {
		return; /* the rest of nothing */
	}
	l->character[l->character_used++] = (char)byte;
	if (l->character_used < l->character_size)
		return;
	if (utf8_length((unsigned char *)l->character, l->character_used) == l->character_size)
		append(l, l->character, l->character_size, echo);
	l->character_used = 0;
}

static bool take_text(struct line *l, char byte, char *echo)
{
	unsigned char b = (unsigned char)byte;

	if (b < 0x80)
		l->character_used = 0;
	if (b == '\r' || b == '\n' || b == '\t')
		return true;
	if (b == DELETE || b == BACKSPACE)
		take_back(l, echo);
	else if (b == KILL)
		cut(l, 0, echo);
	else if (b == ESCAPE)
		l->state = LINE_ESCAPE;
	else if (b >= 0x80)
		collect(l, b, echo);
	else if (b >= ' ')
		append(l, &byte, 1, echo);
	return false;
}

/* Behind an Escape. Whatever begins no sequence is text: the Escape key alone does nothing. */
static bool take_escaped(struct line *l, char byte, char *echo)
{
	l->state = byte == '[' ? LINE_CSI : byte == 'O' ? LINE_SS3 : LINE_TEXT;
	return l->state == LINE_TEXT && take_text(l, byte, echo);
}

static bool take_control(struct line *l, char byte, char *echo)
{
	unsigned char b = (unsigned char)byte;

	if (b >= 0x20 && b < 0x40)
		return false;
	l->state = LINE_TEXT;
	return (b < 0x20 || b >= DELETE) && take_text(l, byte, echo);
}

static bool take_shifted(struct line *l, char byte, char *echo)
{
	l->state = LINE_TEXT;
	if (byte && strchr(SINGLE_SHIFTED, byte))
		return false;
	append(l, "O", 1, echo); /* it was typed */
	return take_text(l, byte, echo);
}

bool line_take(struct line *l, char byte, int columns, char *echo)
{
	static bool (*const take[])(struct line *, char, char *) = {
		[LINE_TEXT] = take_text,
		[LINE_ESCAPE] = take_escaped,
		[LINE_CSI] = take_control,
		[LINE_SS3] = take_shifted,
	};
	bool other = l->columns && columns != l->columns, ended;

	echo[0] = 0;
	l->columns = columns;
	ended = take[l->state](l, byte, echo);
	if (other && l->shown && !ended) { /* what stands there is where it was with the old ones */
		sprintf(echo, "\r\n");
		show_from(l, 0, echo);
	}
	return ended;
}
