/*
 * The two screens' cells. A row is found by way of the screen's order, so that scrolling moves numbers
 * of lines, and cells only where there are margins at the left and right.
 *
 * Wide characters stay whole: whatever changes cells FROM to TO first splits at both edges, which
 * blanks both halves of what lies across one.
 */
#include "vt-private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void mark_rows(struct vt *vt, int from, int to)
{
	vt->changed = true;
	memset(vt->marks + from, true, (size_t)(to - from) * sizeof(*vt->marks));
}

void vt_mark(struct vt *vt, int row)
{
	if (row < 0)
		mark_rows(vt, 0, vt->rows);
	else if (row < vt->rows)
		mark_rows(vt, row, row + 1);
}

static void blank(const struct vt *vt, struct cell *cells, int count)
{
	const struct cell c = { .code = VT_BLANK, .background = vt->pen.background };

	for (int i = 0; i < count; i++)
		cells[i] = c;
}

static void set_order(struct vt_screen *s, int rows)
{
	for (int i = 0; i < rows; i++)
		s->order[i] = (uint16_t)i;
}

int vt_make_screen(struct vt *vt, struct vt_screen *s)
{
	if (s->cells)
		return 0;
	s->cells = calloc((size_t)vt->rows * (size_t)vt->columns, sizeof(*s->cells));
	set_order(s, vt->rows);
	return s->cells ? 0 : -1;
}

void vt_split(struct vt *vt, int row, int column)
{
	struct cell *c = vt_line(vt, row) + column;

	if (column <= 0 || column >= vt->columns || c->code != VT_REST)
		return;
	c[-1] = (struct cell){ .code = VT_BLANK, .background = c[-1].background & 0xffffff };
	c[0] = c[-1];
}

void vt_erase(struct vt *vt, int row, int from, int to)
{
	vt_split(vt, row, from);
	vt_split(vt, row, to);
	blank(vt, vt_line(vt, row) + from, to - from);
	vt->work += (uint64_t)(to - from);
	vt_mark(vt, row);
}

void vt_erase_rows(struct vt *vt, int from, int to)
{
	for (int row = from; row < to; row++)
		vt_erase(vt, row, 0, vt->columns);
}

/* Exchanges the FIRST lines of an order of COUNT with those behind them. */
static void rotate(uint16_t *order, int count, int first)
{
	uint16_t kept[ROWS_MAX];

	memcpy(kept, order, (size_t)first * sizeof(*order));
	memmove(order, order + first, (size_t)(count - first) * sizeof(*order));
	memcpy(order + count - first, kept, (size_t)first * sizeof(*order));
}

/* Copies what is between the left and right margin to another row. */
static void copy_between(struct vt *vt, int from, int to)
{
	memcpy(vt_line(vt, to) + vt->left, vt_line(vt, from) + vt->left,
	    (size_t)(vt->right + 1 - vt->left) * sizeof(struct cell));
	vt->work += (uint64_t)(vt->right + 1 - vt->left);
}

/* Moves rows TOP to BOTTOM between left and right margins; UP by COUNT, or down. */
static void scroll_between(struct vt *vt, int top, int count, bool up)
{
	int rows = vt->bottom + 1 - top;

	for (int row = top; row <= vt->bottom; row++) {
		vt_split(vt, row, vt->left);
		vt_split(vt, row, vt->right + 1);
	}
	for (int i = 0; i < rows - count; i++)
		if (up)
			copy_between(vt, top + count + i, top + i);
		else
			copy_between(vt, vt->bottom - count - i, vt->bottom - i);
}

void vt_scroll(struct vt *vt, int top, int count)
{
	bool up = count > 0;
	int rows = vt->bottom + 1 - top, n = vt_min(up ? count : -count, rows);
	int new = up ? vt->bottom + 1 - n : top;

	if (vt->left == 0 && vt->right == vt->columns - 1)
		rotate(vt_screen(vt)->order + top, rows, up ? n : rows - n);
	else
		scroll_between(vt, top, n, up);
	for (int row = new; row < new + n; row++)
		vt_erase(vt, row, vt->left, vt->right + 1);
	mark_rows(vt, top, vt->bottom + 1);
}

void vt_shift(struct vt *vt, int count)
{
	struct cell *c = vt_line(vt, vt->row);
	int from = vt->column, to = vt->right + 1;
	int n = vt_min(count > 0 ? count : -count, to - from);

	vt_split(vt, vt->row, from);
	vt_split(vt, vt->row, to);
	vt_split(vt, vt->row, count > 0 ? from + n : to - n);
	if (count > 0)
		memmove(c + from, c + from + n, (size_t)(to - from - n) * sizeof(*c));
	else
		memmove(c + from + n, c + from, (size_t)(to - from - n) * sizeof(*c));
	/* what is blanked holds halves of characters that moved: they are whole elsewhere */
	from = count > 0 ? to - n : from;
	blank(vt, c + from, n);
	vt->work += (uint64_t)(to - vt->column);
	vt_mark(vt, vt->row);
}

void vt_fill(struct vt *vt, uint32_t code)
{
	for (int row = 0; row < vt->rows; row++)
		for (int column = 0; column < vt->columns; column++)
			vt_line(vt, row)[column] =
			    (struct cell){ code, VT_FOREGROUND, VT_BACKGROUND };
	vt->work += (uint64_t)vt->rows * (uint64_t)vt->columns;
	vt_mark(vt, -1);
}

/* ---- sizes ---- */

struct grid {
	struct cell *cells;
	int columns, rows;
};

/* Copies a screen into a new grid, without its first SKIPPED rows. A wide character that the edge
   cuts is left out. */
static void copy_screen(
    const struct vt *vt, const struct vt_screen *s, const struct grid *to, int skipped)
{
	int rows = vt_min(to->rows, vt->rows - skipped), columns = vt_min(to->columns, vt->columns);

	for (int row = 0; row < rows; row++) {
		const struct cell *old =
		    s->cells + (size_t)s->order[row + skipped] * (size_t)vt->columns;
		struct cell *new = to->cells + (size_t)row *(size_t)to->columns;

		memcpy(new, old, (size_t)columns * sizeof(*new));
		if (columns < vt->columns && old[columns].code == VT_REST)
			new[columns - 1] = (struct cell){ .code = VT_BLANK,
				.background = old[columns].background & 0xffffff };
	}
}

/* How many rows scroll out so that the row of the cursor is among ROWS. */
static int skipped_rows(int cursor, int rows)
{
	return cursor < rows ? 0 : cursor + 1 - rows;
}

/* Puts a screen into its new cells. Returns how many rows scrolled out. */
static int exchange(struct vt *vt, struct vt_screen *s, const struct grid *to)
{
	int skipped = skipped_rows(
	    vt_min(s == vt_screen(vt) ? vt->row : s->saved.row, vt->rows - 1), to->rows);

	if (to->cells)
		copy_screen(vt, s, to, skipped);
	free(s->cells);
	s->cells = to->cells;
	set_order(s, to->rows);
	s->saved.row = vt_clamp(s->saved.row - skipped, 0, to->rows - 1);
	s->saved.column = vt_min(s->saved.column, to->columns - 1);
	return skipped;
}

/* Everything that a size bounds. */
static void set_size(struct vt *vt, int columns, int rows)
{
	vt->columns = columns;
	vt->rows = rows;
	vt->top = vt->left = 0;
	vt->bottom = rows - 1;
	vt->right = columns - 1;
	vt_move(vt, vt->row, vt->column);
	memset(vt->marks, false, sizeof(vt->marks)); /* there are none beyond the last row */
	vt_mark(vt, -1);
}

int vt_resize(struct vt *vt, int columns, int rows)
{
	struct grid to[2] = { { NULL, vt_clamp(columns, 1, COLUMNS_MAX),
	    vt_clamp(rows, 1, ROWS_MAX) } };
	int skipped = 0;

	to[1] = to[0];
	if (to[0].columns == vt->columns && to[0].rows == vt->rows) {
		vt_mark(vt, -1);
		return 0;
	}
	for (int i = 0; i < 2; i++)
		if (vt->screens[i].cells)
			to[i].cells =
			    calloc((size_t)to[i].rows * (size_t)to[i].columns, sizeof(struct cell));
	if ((vt->screens[0].cells && !to[0].cells) || (vt->screens[1].cells && !to[1].cells)) {
		free(to[0].cells);
		free(to[1].cells);
		errno = ENOMEM;
		return -1;
	}
	for (int i = 0; i < 2; i++) {
		int n = exchange(vt, &vt->screens[i], &to[i]);
		skipped = &vt->screens[i] == vt_screen(vt) ? n : skipped;
	}
	vt->row -= skipped;
	set_size(vt, to[0].columns, to[0].rows);
	return 0;
}

void vt_init(struct vt *vt, int columns, int rows, vt_answer *answer, void *user)
{
	*vt = (struct vt){ .answer = answer, .user = user };
	set_size(vt, vt_clamp(columns, 1, COLUMNS_MAX), vt_clamp(rows, 1, ROWS_MAX));
	vt_reset(vt);
}

int vt_start(struct vt *vt)
{
	return vt_make_screen(vt, &vt->screens[0]);
}

void vt_finish(struct vt *vt)
{
	free(vt->screens[0].cells);
	free(vt->screens[1].cells);
	vt->screens[0].cells = vt->screens[1].cells = NULL;
}

/* ---- what is shown ---- */

/* The cell as csrss sends it: blanks are blanks, and the rest of a wide character has the code 0. */
static struct cell shown(const struct vt *vt, struct cell c)
{
	uint32_t background = c.background & 0xffffff;

	if (c.code == VT_BLANK)
		c = (struct cell){ ' ', VT_FOREGROUND, c.background };
	else if (c.code == VT_REST)
		c.code = 0;
	if (vt->modes & VT_REVERSE_SCREEN)
		c = (struct cell){ c.code, background, c.foreground | (c.background & 0xff000000) };
	return c;
}

void vt_cells(const struct vt *vt, int row, struct cell *cells, int count)
{
	const struct vt_screen *s = &vt->screens[(vt->modes & VT_OTHER_SCREEN) != 0];
	const struct cell *line = NULL;

	if (s->cells && row >= 0 && row < vt->rows)
		line = s->cells + (size_t)s->order[row] * (size_t)vt->columns;
	for (int i = 0; i < count; i++)
		cells[i] = shown(vt, line && i < vt->columns ? line[i] : (struct cell){ 0 });
}
