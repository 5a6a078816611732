/*
 * The terminal emulator: what programs write, as cells. It is a VT220 with what xterm added that
 * programs use, as terminfo's xterm-256color has it. Pure: no I/O; it allocates nothing but cells.
 *
 * Its whole state is in struct vt and in the cells of its two screens. A screen is made when it is
 * needed, and zeroed cells are blank ones: what nothing was written to costs no memory. There is no
 * scrollback, as nothing shows one.
 *
 * A cell holds one code point. A wide character takes two cells: its own, and VT_REST behind it.
 * What has no width of its own (combining marks, joiners) is left out.
 */
#ifndef MUSESS_VT_H
#define MUSESS_VT_H

#include "messages.h"
#include "vt-parser.h"

#include <stdbool.h>
#include <stddef.h>

/* The code of a wide character's second cell, and of a cell that is blank. */
enum { VT_REST = 0x110000, VT_BLANK = 0 };

/* Modes that are on; those of the mouse, of pasting and of the keypad are for whoever sends these. */
enum vt_mode {
	VT_INSERT = 1 << 0,
	VT_NEW_LINE = 1 << 1, /* LF is a new line, Enter sends both */
	VT_CURSOR_KEYS = 1 << 2,
	VT_REVERSE_SCREEN = 1 << 3,
	VT_ORIGIN = 1 << 4, /* rows and columns count from the margins */
	VT_AUTOWRAP = 1 << 5,
	VT_CURSOR_VISIBLE = 1 << 6,
	VT_MARGINS = 1 << 7, /* left and right ones can be set */
	VT_OTHER_SCREEN = 1 << 8,
	VT_KEYPAD = 1 << 9,
	VT_MOUSE_PRESS = 1 << 10,
	VT_MOUSE_BUTTON = 1 << 11,
	VT_MOUSE_DRAG = 1 << 12,
	VT_MOUSE_ANY = 1 << 13,
	VT_FOCUS = 1 << 14,
	VT_MOUSE_SGR = 1 << 15,
	VT_PASTE = 1 << 16
};
enum { VT_MODES = VT_AUTOWRAP | VT_CURSOR_VISIBLE }; /* in the beginning */

enum {
	VT_BOLD = CELL_BOLD,
	VT_UNDERLINE = CELL_UNDERLINE,
	VT_REVERSE = 4,
	VT_FAINT = 8,
	VT_HIDDEN = 16
};
enum vt_charset { VT_ASCII, VT_GRAPHICS, VT_UK };

struct vt_pen {
	uint32_t foreground, background;
	uint32_t attributes; /* VT_BOLD to VT_HIDDEN */
};

struct vt_charsets {
	uint8_t g[4];  /* enum vt_charset */
	uint8_t shift; /* which of them characters are of */
};

/* DECSC. */
struct vt_saved {
	int row, column;
	bool wrap, origin;
	struct vt_pen pen;
	struct vt_charsets charsets;
};

struct vt_screen {
	struct cell *cells;       /* lines of the vt's columns; NULL: not made */
	uint16_t order[ROWS_MAX]; /* of each row the line */
	struct vt_saved saved;
};

/* Takes what a query is answered with. */
typedef void vt_answer(void *user, const char *bytes, size_t count);

struct vt {
	int columns, rows;            /* at most COLUMNS_MAX, ROWS_MAX */
	int row, column;              /* the cursor, always in the grid */
	bool wrap;                    /* the next character goes to the next line */
	int top, bottom, left, right; /* margins: the last row and column included */
	uint32_t modes;               /* enum vt_mode */
	struct vt_pen pen;
	struct cell ink; /* what the pen comes to */
	struct vt_charsets charsets;
	uint8_t single; /* which charset the next character alone is of; 0: none */
	uint32_t last;  /* the last character, for REP; 0: none */
	struct vt_parser parser;
	struct vt_screen screens[2];
	uint8_t tabs[COLUMNS_MAX / 8]; /* a bit each */
	bool marks[ROWS_MAX];          /* rows that changed */
	bool changed;                  /* a mark is set, or the cursor changed */
	uint64_t work;                 /* cells cleared, filled or moved so far */
	unsigned unknown; /* sequences, modes and attributes so far that are not known here */
	vt_answer *answer;
	void *user; /* ANSWER's */
};

/* Begins, with everything marked and without a screen. Sizes are brought within 1 to COLUMNS_MAX and
   1 to ROWS_MAX. */
void vt_init(struct vt *vt, int columns, int rows, vt_answer *answer, void *user);

/* Makes the screen, before anything is written. 0, or -1 with errno. */
int vt_start(struct vt *vt);

/* Frees the screens. A zeroed vt is allowed. */
void vt_finish(struct vt *vt);

/* Changes the size of both screens, and marks everything. Lines above the cursor scroll out where
   there would be no room for it. Returns 0, or -1 with errno: then nothing changed. */
int vt_resize(struct vt *vt, int columns, int rows);

/* Takes what programs wrote, in whatever pieces. */
void vt_write(struct vt *vt, const char *bytes, size_t count);

/* Marks a row, or all with -1. */
void vt_mark(struct vt *vt, int row);

/* A row as it is to be shown: COUNT cells, blank beyond the last column. */
void vt_cells(const struct vt *vt, int row, struct cell *cells, int count);

/* What programs read for a key of msg_key, as xterm sends it. Returns how many bytes. */
enum { VT_KEY_SIZE = 16 };
size_t vt_key(const struct vt *vt, uint32_t code, uint32_t modifiers, char bytes[VT_KEY_SIZE]);

/* How many cells a character takes: 0, 1 or 2. */
int vt_width(uint32_t code);

#endif
