/*
 * A line that a user types at a prompt: printable UTF-8 and nothing else, whatever keys are pressed.
 * Enter and Tab end it; Backspace takes the last character back, Ctrl-U all; other keys do nothing,
 * be they one byte or the sequence of an arrow. What has no place any more is not taken. Pure.
 */
#ifndef MUSESS_LINE_H
#define MUSESS_LINE_H

#include <stdbool.h>
#include <stddef.h>

enum line_state { LINE_TEXT, LINE_ESCAPE, LINE_CSI, LINE_SS3 };

struct line {
	const char *prompt; /* the caller's, what is written before the text */
	char *text;         /* the caller's, SIZE bytes; always terminated */
	size_t size, used;
	bool shown;  /* is on the screen; a password is not */
	int columns; /* of the screen that it was written to; 0: not known, one row without an end */
	enum line_state state;
	char character[4]; /* the bytes of one that is not whole yet */
	size_t character_used, character_size;
};

/* What has to be written to the terminal for a byte: the whole line at most, behind its prompt (less
   than LINE_PROMPT_SIZE bytes, printable) and the sequences that take it off the screen. */
enum { LINE_PROMPT_SIZE = 64, LINE_ECHO_MORE = LINE_PROMPT_SIZE + 32 };

/* Begins an empty line in TEXT (SIZE bytes). PROMPT is to be written by the caller, at the beginning
   of a row. */
void line_begin(struct line *line, const char *prompt, char *text, size_t size, bool shown);

/* Takes one byte. COLUMNS: how many the screen has now. Fills ECHO (the line's size and LINE_ECHO_MORE)
   with what is to be written, a string. Returns true where the line has ended. */
bool line_take(struct line *line, char byte, int columns, char *echo);

#endif
