/*
 * Message boxes on a desktop: a queue of them, of which the first is shown, over the rows of
 * the terminal, until a key answers it or its time is over. Pure: the caller has the clock and
 * sends the answers. Times are microseconds of CLOCK_MONOTONIC.
 */
#ifndef MUSESS_BOX_H
#define MUSESS_BOX_H

#include "messages.h"

#include <stdbool.h>

enum { BOXES_MAX = 8 };

struct box {
	uint32_t number;
	uint64_t shown; /* since; 0: not yet */
	uint64_t until; /* 0: it does not go by itself */
	char title[BOX_TITLE_SIZE];
	char text[BOX_TEXT_SIZE];
};

struct boxes {
	unsigned count;
	struct box box[BOXES_MAX];
};

/* Adds the box of M, whose texts are terminated. Where there are too many already the first makes
   room: its number is returned, else 0. */
uint32_t box_add(struct boxes *b, const struct msg_box *m, uint64_t now);

/* Takes away the first one whose time is over: its number, 0 where there is none. */
uint32_t box_take_expired(struct boxes *b, uint64_t now);

/* A key was pressed: takes the box away that it answers, and sets *NUMBER to its number; what was
   typed as it came up is no answer (0). Returns whether the key was for a box at all. */
bool box_key(struct boxes *b, uint64_t now, uint32_t *number);

/* Milliseconds until one has to be taken away; -1: none. */
int box_timeout(const struct boxes *b, uint64_t now);

/* Draws what of the first box is in ROW (of ROWS) of the terminal over its COLUMNS cells. */
void box_draw(const struct boxes *b, int row, int rows, struct cell *cells, int columns);

#endif
