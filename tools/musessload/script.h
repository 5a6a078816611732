/*
 * Scripts: what each session does while it is held, a step a line.
 *
 *   type TEXT                  as on a US keyboard; \n is Return, \t Tab, \\ a backslash
 *   key NAME [NAME...]         pressed together: ctrl alt f4, enter, a
 *   wait TIME                  5s, 200ms, 1m
 *   wait-text PATTERN TIMEOUT  until a line of the screen has it (an extended regular expression
 *                              in quotes where it has blanks)
 *   echo TEXT                  types it, and measures for each key how long its picture takes
 *   repeat N ... end           may be nested
 *   # a comment
 *
 * A script is an array of steps without nesting: the end of a loop knows its begin. Reading is
 * pure; script-play.c is what plays one.
 */
#ifndef MUSESS_LOAD_SCRIPT_H
#define MUSESS_LOAD_SCRIPT_H

#include <regex.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum { SCRIPT_DEPTH = 8, SCRIPT_KEYS = 8 };

enum script_kind {
	SCRIPT_TYPE,
	SCRIPT_KEY,
	SCRIPT_WAIT,
	SCRIPT_WAIT_TEXT,
	SCRIPT_ECHO,
	SCRIPT_REPEAT,
	SCRIPT_END,
};

struct script_step {
	enum script_kind kind;
	unsigned line;
	char *text;      /* of type and echo: code points below; of wait-text the pattern */
	regex_t pattern; /* of wait-text */
	uint64_t time;   /* wait, and the time-out of wait-text, microseconds */
	unsigned count;  /* repeat: how often; end: the step that it repeats from */
	uint16_t key[SCRIPT_KEYS]; /* scancodes, SCRIPT_EXTENDED with them */
	unsigned keys;
	unsigned depth; /* of repeat and end */
};

struct script {
	struct script_step *step;
	size_t steps;
	bool reads_screen; /* a wait-text is in it */
	uint64_t echoes;   /* keys that are measured, loops counted */
};

/* Reads a script; NAME is said in messages. Returns 0, or -1 and in ERROR (SIZE bytes) NAME:LINE
   and what is wrong. The caller finishes SCRIPT in any case. */
int script_read(struct script *script, FILE *file, const char *name, char *error, size_t size);
void script_finish(struct script *script);

#endif
