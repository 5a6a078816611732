/*
 * The session's terminal: the emulator (vt.h) and the pseudo-terminal behind it, seen as rows of
 * cells, with a mark on each row that changed. No drawing.
 */
#ifndef MUSESS_TERMINAL_H
#define MUSESS_TERMINAL_H

#include "messages.h"

#include <stdbool.h>

struct terminal;

/* Makes a terminal of COLUMNS x ROWS cells and its pseudo-terminal. NULL with errno. */
struct terminal *terminal_create(int columns, int rows);

/* Closes and frees it. NULL is allowed. */
void terminal_destroy(struct terminal *t);

/* The pseudo-terminal's master, for poll; stays the terminal's. */
int terminal_master(const struct terminal *t);

/* Opens the pseudo-terminal's other end, which stays the terminal's, as programs may all close theirs and
   come back. They may come from now on, and until now it is blank and takes no key. -1 with errno. */
int terminal_open_slave(struct terminal *t);

/* Changes the size; everything is marked. Returns 0, or -1 with errno: then it is what it was. */
int terminal_resize(struct terminal *t, int columns, int rows);

/* Reads what programs wrote, a bounded amount. */
void terminal_read(struct terminal *t);

/* A key for the programs. */
void terminal_key(struct terminal *t, const struct msg_key *key);

/* The first marked row at or below FROM, whose mark is taken away; -1: none. */
int terminal_take_dirty(struct terminal *t, int from);

/* Marks a row, or all with -1. */
void terminal_mark(struct terminal *t, int row);

/* Whether any row is marked or the cursor moved since terminal_cursor was asked. */
bool terminal_changed(const struct terminal *t);

/* The cells of a row, COUNT of them at CELLS. */
void terminal_cells(const struct terminal *t, int row, struct cell *cells, int count);

/* The cursor's place. Returns whether it is visible. */
bool terminal_cursor(struct terminal *t, int *row, int *column);

#endif
