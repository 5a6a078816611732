/*
 * The states: plain text, and what an Escape begins (ECMA-35, ECMA-48): a control sequence up to its
 * final byte, or a single shift and one byte more. A terminal's keys send nothing else. To take a
 * character back, the line is written anew from where it began, as a character may be two cells wide
 * and the line more than one row long.
 */
#include "line.h"

#include "port.h"

#include <stdio.h>
#include <string.h>

#define START "\0337"                /* DECSC */
#define AGAIN "\0338\033[J"          /* DECRC, ED */
#define SINGLE_SHIFTED "ABCDFHMPQRS" /* cursor keys, Enter and F1 to F4 behind an SS3 */

enum { BACKSPACE = 0x08, KILL = 0x15, ESCAPE = 0x1b, DELETE = 0x7f };

void line_begin(struct line *l, char *text, size_t size, bool shown)
{
	*l = (struct line){ .text = text, .size = size, .shown = shown };
	text[0] = 0;
}

const char *line_start(void)
{
	return START;
}

/* Cuts the line to LENGTH bytes, which the screen has to show. */
static void cut(struct line *l, size_t length, char *echo)
{
	if (length == l->used)
		return;
	memset(l->text + length, 0, l->used - length);
	l->used = length;
	if (l->shown)
		sprintf(echo, AGAIN "%s", l->text);
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

bool line_take(struct line *l, char byte, char *echo)
{
	static bool (*const take[])(struct line *, char, char *) = {
		[LINE_TEXT] = take_text,
		[LINE_ESCAPE] = take_escaped,
		[LINE_CSI] = take_control,
		[LINE_SS3] = take_shifted,
	};

	echo[0] = 0;
	return take[l->state](l, byte, echo);
}
