/* What the emulator's files share. Rows and columns count from 0. */
#ifndef MUSESS_VT_PRIVATE_H
#define MUSESS_VT_PRIVATE_H

#include "vt.h"

enum { VT_FOREGROUND = 0xd3d7cf, VT_BACKGROUND = 0 }; /* a zeroed cell's background is the latter */

/* What the terminal says that it is: a VT220 with colours. */
#define VT_ATTRIBUTES "\033[?62;22c"

static inline int vt_min(int a, int b)
{
	return a < b ? a : b;
}

static inline int vt_clamp(int value, int first, int last)
{
	return value < first ? first : value > last ? last : value;
}

static inline struct vt_screen *vt_screen(struct vt *vt)
{
	return &vt->screens[(vt->modes & VT_OTHER_SCREEN) != 0];
}

/* The cells of a row of the screen that is shown. */
static inline struct cell *vt_line(struct vt *vt, int row)
{
	struct vt_screen *s = vt_screen(vt);

	return s->cells + (size_t)s->order[row] * (size_t)vt->columns;
}

/* ---- vt-screen.c: the cells. Rows and columns are in the grid; FROM to TO leaves TO out. ---- */

/* Makes a screen's cells, blank, where they are not there. 0, or -1 with errno. */
int vt_make_screen(struct vt *vt, struct vt_screen *s);
/* No wide character lies across the edge before COLUMN any more. */
void vt_split(struct vt *vt, int row, int column);
/* Blanks cells of a row. */
void vt_erase(struct vt *vt, int row, int from, int to);
/* Blanks whole rows. */
void vt_erase_rows(struct vt *vt, int from, int to);
/* Moves what is between the margins from TOP down by COUNT rows: up; with a negative COUNT down. */
void vt_scroll(struct vt *vt, int top, int count);
/* Moves what is from the cursor to the right margin by COUNT columns: left; negative: right. */
void vt_shift(struct vt *vt, int count);
/* DECALN. */
void vt_fill(struct vt *vt, uint32_t code);

/* ---- vt.c: the cursor, and what is printed ---- */

/* Puts the cursor to the place that is nearest to ROW and COLUMN in the grid. */
void vt_move(struct vt *vt, int row, int column);
/* The same, counted from the margins in origin mode. */
void vt_address(struct vt *vt, int row, int column);
/* One row down or up; at the margin what is between the margins scrolls. */
void vt_index(struct vt *vt);
void vt_reverse_index(struct vt *vt);
/* To the left margin. */
void vt_return(struct vt *vt);
/* COUNT tabulator stops to the right, or with a negative COUNT to the left. */
void vt_tab(struct vt *vt, int count);
void vt_set_tab(struct vt *vt, int column, bool set);
/* Prints a character as often, on one line at most. */
void vt_repeat(struct vt *vt, uint32_t code, int count);
/* DECSC, DECRC: of the screen that is shown. */
void vt_save(struct vt *vt);
void vt_restore(struct vt *vt);
/* DECSTR, RIS. */
void vt_soft_reset(struct vt *vt);
void vt_reset(struct vt *vt);
/* Sends an answer, formatted; at most 63 bytes. */
void vt_reply(struct vt *vt, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* ---- vt-csi.c, vt-sgr.c, vt-mode.c: control sequences. The parser has their parameters. ---- */

void vt_control(struct vt *vt);
void vt_attributes(struct vt *vt);
/* The pen is as in the beginning. */
void vt_reset_pen(struct vt *vt);
/* The pen was changed. */
void vt_dip(struct vt *vt);
/* SM, RM; DECSET, DECRST where PRIVATE. */
void vt_set_modes(struct vt *vt, bool private, bool on);
/* DECRQM: 0 not known, 1 on, 2 off, 4 always off. */
int vt_mode_state(const struct vt *vt, bool private, int number);

#endif
