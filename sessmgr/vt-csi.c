/* Control sequences: a table of them, in two parts. Those without private marker and intermediate
   characters, which are nearly all that programs write, are found by their final character. */
#include "vt-private.h"

#include <string.h>

/* Parameter I, a count or a place from 1 on. */
static int number(const struct vt *vt, unsigned i)
{
	return vt_parameter(&vt->parser, i, 1);
}

/* ---- the cursor ---- */

static void up(struct vt *vt)
{
	int limit = vt->row >= vt->top ? vt->top : 0;

	vt_move(vt, vt_clamp(vt->row - number(vt, 0), limit, vt->row), vt->column);
}

static void down(struct vt *vt)
{
	int limit = vt->row <= vt->bottom ? vt->bottom : vt->rows - 1;

	vt_move(vt, vt_clamp(vt->row + number(vt, 0), vt->row, limit), vt->column);
}

static void right(struct vt *vt)
{
	int limit = vt->column <= vt->right ? vt->right : vt->columns - 1;

	vt_move(vt, vt->row, vt_clamp(vt->column + number(vt, 0), vt->column, limit));
}

static void left(struct vt *vt)
{
	int limit = vt->column >= vt->left ? vt->left : 0;

	vt_move(vt, vt->row, vt_clamp(vt->column - number(vt, 0), limit, vt->column));
}

static void next_line(struct vt *vt)
{
	down(vt);
	vt_return(vt);
}

static void previous_line(struct vt *vt)
{
	up(vt);
	vt_return(vt);
}

/* The cursor's place, from the margins in origin mode. */
static int own_row(const struct vt *vt)
{
	return vt->modes & VT_ORIGIN ? vt->row - vt->top : vt->row;
}

static int own_column(const struct vt *vt)
{
	return vt->modes & VT_ORIGIN ? vt->column - vt->left : vt->column;
}

static void to_column(struct vt *vt)
{
	vt_address(vt, own_row(vt), number(vt, 0) - 1);
}

static void to_row(struct vt *vt)
{
	vt_address(vt, number(vt, 0) - 1, own_column(vt));
}

static void to_place(struct vt *vt)
{
	vt_address(vt, number(vt, 0) - 1, number(vt, 1) - 1);
}

static void forward_tabs(struct vt *vt)
{
	vt_tab(vt, number(vt, 0));
}

static void backward_tabs(struct vt *vt)
{
	vt_tab(vt, -number(vt, 0));
}

static void clear_tabs(struct vt *vt)
{
	int what = vt_parameter(&vt->parser, 0, 0);

	if (what == 0)
		vt_set_tab(vt, vt->column, false);
	else if (what == 3)
		memset(vt->tabs, 0, sizeof(vt->tabs));
}

/* ---- cells ---- */

static void erase_line(struct vt *vt)
{
	int what = vt_parameter(&vt->parser, 0, 0);

	vt->wrap = false;
	if (what <= 2)
		vt_erase(vt, vt->row, what == 0 ? vt->column : 0,
		    what == 1 ? vt->column + 1 : vt->columns);
}

static void erase_display(struct vt *vt)
{
	int what = vt_parameter(&vt->parser, 0, 0);

	if (what == 0)
		vt_erase_rows(vt, vt->row + 1, vt->rows);
	else if (what == 1)
		vt_erase_rows(vt, 0, vt->row);
	else if (what == 2)
		vt_erase_rows(vt, 0, vt->rows);
	if (what < 2) /* 3 is of what scrolled out, which is kept nowhere */
		erase_line(vt);
}

static void erase_characters(struct vt *vt)
{
	vt->wrap = false;
	vt_erase(vt, vt->row, vt->column, vt_min(vt->column + number(vt, 0), vt->columns));
}

static bool within_columns(const struct vt *vt)
{
	return vt->column >= vt->left && vt->column <= vt->right;
}

/* Outside of the margins lines and characters are neither inserted nor deleted. */
static bool within(const struct vt *vt)
{
	return within_columns(vt) && vt->row >= vt->top && vt->row <= vt->bottom;
}

static void shift(struct vt *vt, int count)
{
	vt->wrap = false;
	if (within_columns(vt))
		vt_shift(vt, count);
}

static void insert_characters(struct vt *vt)
{
	shift(vt, -number(vt, 0));
}

static void delete_characters(struct vt *vt)
{
	shift(vt, number(vt, 0));
}

static void insert_lines(struct vt *vt)
{
	if (!within(vt))
		return;
	vt_scroll(vt, vt->row, -number(vt, 0));
	vt_return(vt);
}

static void delete_lines(struct vt *vt)
{
	if (!within(vt))
		return;
	vt_scroll(vt, vt->row, number(vt, 0));
	vt_return(vt);
}

static void scroll_up(struct vt *vt)
{
	vt_scroll(vt, vt->top, number(vt, 0));
}

static void scroll_down(struct vt *vt)
{
	vt_scroll(vt, vt->top, -number(vt, 0));
}

static void repeat(struct vt *vt)
{
	if (vt->last)
		vt_repeat(vt, vt->last, number(vt, 0));
}

/* ---- margins, modes, queries ---- */

static void set_rows(struct vt *vt)
{
	int top = number(vt, 0), bottom = vt_min(vt_parameter(&vt->parser, 1, vt->rows), vt->rows);

	if (top >= bottom)
		return;
	vt->top = top - 1;
	vt->bottom = bottom - 1;
	vt_address(vt, 0, 0);
}

/* DECSLRM; the same letter saves the cursor where there are no such margins. */
static void set_columns(struct vt *vt)
{
	int first = number(vt, 0);
	int last = vt_min(vt_parameter(&vt->parser, 1, vt->columns), vt->columns);

	if (!(vt->modes & VT_MARGINS)) {
		vt_save(vt);
		return;
	}
	if (first >= last)
		return;
	vt->left = first - 1;
	vt->right = last - 1;
	vt_address(vt, 0, 0);
}

static void set_modes(struct vt *vt)
{
	vt_set_modes(vt, false, true);
}

static void reset_modes(struct vt *vt)
{
	vt_set_modes(vt, false, false);
}

static void set_private_modes(struct vt *vt)
{
	vt_set_modes(vt, true, true);
}

static void reset_private_modes(struct vt *vt)
{
	vt_set_modes(vt, true, false);
}

static void report_mode(struct vt *vt)
{
	int n = vt_parameter(&vt->parser, 0, 0);

	vt_reply(vt, "\033[%d;%d$y", n, vt_mode_state(vt, false, n));
}

static void report_private_mode(struct vt *vt)
{
	int n = vt_parameter(&vt->parser, 0, 0);

	vt_reply(vt, "\033[?%d;%d$y", n, vt_mode_state(vt, true, n));
}

static void report_status(struct vt *vt)
{
	int what = vt_parameter(&vt->parser, 0, 0);

	if (what == 5)
		vt_reply(vt, "\033[0n");
	else if (what == 6)
		vt_reply(vt, "\033[%d;%dR", own_row(vt) + 1, own_column(vt) + 1);
}

static void report_place(struct vt *vt)
{
	if (vt_parameter(&vt->parser, 0, 0) == 6)
		vt_reply(vt, "\033[?%d;%dR", own_row(vt) + 1, own_column(vt) + 1);
}

static void report_attributes(struct vt *vt)
{
	if (vt_parameter(&vt->parser, 0, 0) == 0)
		vt_reply(vt, VT_ATTRIBUTES);
}

/* A terminal of kind 0 and an early version, of which programs ask for nothing more. */
static void report_version(struct vt *vt)
{
	if (vt_parameter(&vt->parser, 0, 0) == 0)
		vt_reply(vt, "\033[>0;100;0c");
}

static void ignore(struct vt *vt)
{
	(void)vt;
}

/* ---- the table ---- */

typedef void handler(struct vt *vt);

enum { FIRST = '@', LAST = '~' };

static handler *const plain[LAST - FIRST + 1] = {
	['@' - FIRST] = insert_characters,
	['A' - FIRST] = up,
	['B' - FIRST] = down,
	['C' - FIRST] = right,
	['D' - FIRST] = left,
	['E' - FIRST] = next_line,
	['F' - FIRST] = previous_line,
	['G' - FIRST] = to_column,
	['H' - FIRST] = to_place,
	['I' - FIRST] = forward_tabs,
	['J' - FIRST] = erase_display,
	['K' - FIRST] = erase_line,
	['L' - FIRST] = insert_lines,
	['M' - FIRST] = delete_lines,
	['P' - FIRST] = delete_characters,
	['S' - FIRST] = scroll_up,
	['T' - FIRST] = scroll_down,
	['X' - FIRST] = erase_characters,
	['Z' - FIRST] = backward_tabs,
	['`' - FIRST] = to_column,
	['a' - FIRST] = right,
	['b' - FIRST] = repeat,
	['c' - FIRST] = report_attributes,
	['d' - FIRST] = to_row,
	['e' - FIRST] = down,
	['f' - FIRST] = to_place,
	['g' - FIRST] = clear_tabs,
	['h' - FIRST] = set_modes,
	['i' - FIRST] = ignore, /* to the printer, of which there is none */
	['j' - FIRST] = left,
	['k' - FIRST] = up,
	['l' - FIRST] = reset_modes,
	['m' - FIRST] = vt_attributes,
	['n' - FIRST] = report_status,
	['r' - FIRST] = set_rows,
	['s' - FIRST] = set_columns,
	['t' - FIRST] = ignore, /* the window, which is the client's: its size, its title */
	['u' - FIRST] = vt_restore,
};

static const struct {
	uint16_t collected;
	char final;
	handler *handler;
} others[] = {
	{ '?', 'h', set_private_modes }, { '?', 'l', reset_private_modes },
	{ '?', 'J', erase_display }, /* no cell is protected */
	{ '?', 'K', erase_line }, { '?', 'n', report_place },
	{ '?' << 8 | '$', 'p', report_private_mode }, { '$', 'p', report_mode },
	{ '!', 'p', vt_soft_reset }, { '>', 'c', report_version },
	{ ' ', 'q', ignore }, /* the cursor's form */
	{ '>', 'm', ignore }, /* other keys with modifiers: they are sent as xterm's defaults */
};

void vt_control(struct vt *vt)
{
	uint32_t collected = vt->parser.collected, final = vt->parser.code;
	handler *found = NULL;

	if (collected == 0)
		found = plain[final - FIRST];
	for (unsigned i = 0; collected > 0 && i < sizeof(others) / sizeof(*others); i++)
		if (others[i].collected == collected && (uint32_t)others[i].final == final)
			found = others[i].handler;
	if (found)
		found(vt);
	else
		vt->unknown++;
}
