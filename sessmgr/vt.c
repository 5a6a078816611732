/*
 * The cursor, characters, control characters and escape sequences.
 *
 * The cursor stays in the grid at all times: vt_move is the one place that puts it anywhere, and each
 * step that does not go through it is bounded by a margin. After a character in the last column it
 * stays there, and WRAP says that the next one begins a line.
 */
#include "vt-private.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BS = 8, HT, LF, VT, FF, CR, SO, SI };
enum { REPLY_SIZE = 64 };

/* DEC's special graphics, from '`' to '~'. */
static const uint16_t graphics[] = { 0x25c6, 0x2592, 0x2409, 0x240c, 0x240d, 0x240a, 0xb0, 0xb1,
	0x2424, 0x240b, 0x2518, 0x2510, 0x250c, 0x2514, 0x253c, 0x23ba, 0x23bb, 0x2500, 0x23bc,
	0x23bd, 0x251c, 0x2524, 0x2534, 0x252c, 0x2502, 0x2264, 0x2265, 0x3c0, 0x2260, 0xa3, 0xb7 };

/* ---- the cursor ---- */

void vt_move(struct vt *vt, int row, int column)
{
	vt->row = vt_clamp(row, 0, vt->rows - 1);
	vt->column = vt_clamp(column, 0, vt->columns - 1);
	vt->wrap = false;
}

void vt_address(struct vt *vt, int row, int column)
{
	if (vt->modes & VT_ORIGIN)
		vt_move(vt, vt_clamp(vt->top + row, vt->top, vt->bottom),
		    vt_clamp(vt->left + column, vt->left, vt->right));
	else
		vt_move(vt, row, column);
}

/* Margins at the left and right hold the cursor only while it is between them. */
static bool between(const struct vt *vt)
{
	return vt->column >= vt->left && vt->column <= vt->right;
}

void vt_index(struct vt *vt)
{
	vt->wrap = false;
	if (vt->row != vt->bottom)
		vt_move(vt, vt->row + 1, vt->column);
	else if (between(vt))
		vt_scroll(vt, vt->top, 1);
}

void vt_reverse_index(struct vt *vt)
{
	vt->wrap = false;
	if (vt->row != vt->top)
		vt_move(vt, vt->row - 1, vt->column);
	else if (between(vt))
		vt_scroll(vt, vt->top, -1);
}

void vt_return(struct vt *vt)
{
	vt_move(vt, vt->row, vt->column >= vt->left ? vt->left : 0);
}

/* The last column that text goes to. */
static int last_column(const struct vt *vt)
{
	return vt->column <= vt->right ? vt->right : vt->columns - 1;
}

static bool is_tab(const struct vt *vt, int column)
{
	return vt->tabs[column / 8] >> column % 8 & 1;
}

void vt_set_tab(struct vt *vt, int column, bool set)
{
	uint8_t bit = (uint8_t)(1u << column % 8);

	vt->tabs[column / 8] = set ? vt->tabs[column / 8] | bit : vt->tabs[column / 8] & ~bit;
}

void vt_tab(struct vt *vt, int count)
{
	int step = count > 0 ? 1 : -1, end = count > 0 ? last_column(vt) : 0, column = vt->column;

	for (; count != 0 && column != end; count -= step)
		do
			column += step;
		while (column != end && !is_tab(vt, column));
	vt_move(vt, vt->row, column);
}

void vt_save(struct vt *vt)
{
	vt_screen(vt)->saved = (struct vt_saved){ .row = vt->row,
		.column = vt->column,
		.wrap = vt->wrap,
		.origin = (vt->modes & VT_ORIGIN) != 0,
		.pen = vt->pen,
		.charsets = vt->charsets };
}

void vt_restore(struct vt *vt)
{
	const struct vt_saved *s = &vt_screen(vt)->saved;

	vt->modes = s->origin ? vt->modes | VT_ORIGIN : vt->modes & ~(uint32_t)VT_ORIGIN;
	vt->pen = s->pen;
	vt->charsets = s->charsets;
	vt_dip(vt);
	vt_move(vt, s->row, s->column);
	if (s->origin) /* there is no place outside of the margins that are now */
		vt_address(vt, vt->row - vt->top, vt->column - vt->left);
	vt->wrap = s->wrap && vt->column == last_column(vt);
}

/* ---- characters ---- */

static void wrap(struct vt *vt)
{
	vt_return(vt);
	vt_index(vt);
}

/* Makes room for a character of WIDTH cells. */
static void make_room(struct vt *vt, int width)
{
	if (vt->wrap)
		wrap(vt);
	if (vt->column + width - 1 > last_column(vt)) {
		if (vt->modes & VT_AUTOWRAP)
			wrap(vt);
		else
			vt_move(vt, vt->row, vt->column - 1);
	}
	if (vt->modes & VT_INSERT && between(vt))
		vt_shift(vt, -width);
}

/* Behind WIDTH cells that were written. */
static void advance(struct vt *vt, int width)
{
	int last = last_column(vt);

	vt->wrap = vt->column + width > last && vt->modes & VT_AUTOWRAP;
	vt->column = vt_min(vt->column + width, last);
}

static void put(struct vt *vt, uint32_t code, int width)
{
	struct cell *c;

	/* no grid has room for half a character */
	if (width == 2 && (vt->columns < 2 || vt->left == vt->right)) {
		code = VT_REPLACEMENT;
		width = 1;
	}
	make_room(vt, width);
	vt_split(vt, vt->row, vt->column);
	vt_split(vt, vt->row, vt->column + width);
	c = vt_line(vt, vt->row) + vt->column;
	c[0] = vt->ink;
	c[0].code = code;
	if (width == 2) {
		c[1] = vt->ink;
		c[1].code = VT_REST;
	}
	vt_mark(vt, vt->row);
	advance(vt, width);
}

void vt_repeat(struct vt *vt, uint32_t code, int count)
{
	int width = vt_width(code);

	for (int i = vt_min(count, vt->columns); i > 0 && width > 0; i--)
		put(vt, code, width);
}

static enum vt_charset charset(const struct vt *vt)
{
	return vt->charsets.g[vt->single ? vt->single : vt->charsets.shift];
}

static void print(struct vt *vt, uint32_t code)
{
	int width;

	if (charset(vt) == VT_GRAPHICS && code >= '`' && code <= '~')
		code = graphics[code - '`'];
	else if (charset(vt) == VT_UK && code == '#')
		code = 0xa3;
	vt->single = 0;
	width = vt_width(code);
	if (width == 0)
		return;
	vt->last = code;
	put(vt, code, width);
}

/* How many of BYTES are plain text, which needs no look at each. */
static size_t plain(const struct vt *vt, const char *bytes, size_t count)
{
	size_t n = 0;

	if (!vt_parser_idle(&vt->parser) || charset(vt) != VT_ASCII || vt->single ||
	    vt->modes & VT_INSERT)
		return 0;
	while (n < count && bytes[n] >= ' ' && bytes[n] <= '~')
		n++;
	return n;
}

/* Prints plain text: a line's worth at a time. */
static void print_plain(struct vt *vt, const char *bytes, size_t count)
{
	while (count > 0) {
		struct cell *c;
		int room, n;

		make_room(vt, 1);
		room = last_column(vt) + 1 - vt->column;
		n = count < (size_t)room ? (int)count : room;
		vt_split(vt, vt->row, vt->column);
		vt_split(vt, vt->row, vt->column + n);
		c = vt_line(vt, vt->row) + vt->column;
		for (int i = 0; i < n; i++) {
			c[i] = vt->ink;
			c[i].code = (unsigned char)bytes[i];
		}
		vt_mark(vt, vt->row);
		advance(vt, n);
		bytes += n;
		count -= (size_t)n;
		vt->last = (unsigned char)bytes[-1];
	}
}

/* ---- control characters and escape sequences ---- */

void vt_reply(struct vt *vt, const char *format, ...)
{
	char text[REPLY_SIZE];
	va_list arguments;
	int n;

	va_start(arguments, format);
	n = vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	if (n > 0 && n < (int)sizeof(text))
		vt->answer(vt->user, text, (size_t)n);
}

static void control_character(struct vt *vt, uint32_t code)
{
	switch (code) {
	case BS:
		if (vt->column != vt->left)
			vt_move(vt, vt->row, vt->column - 1);
		break;
	case HT:
		vt_tab(vt, 1);
		break;
	case LF:
	case VT:
	case FF:
		vt_index(vt);
		if (vt->modes & VT_NEW_LINE)
			vt_return(vt);
		break;
	case CR:
		vt_return(vt);
		break;
	case SO:
	case SI:
		vt->charsets.shift = code == SO;
		break;
	default: /* the rest has no meaning for a screen */
		break;
	}
}

static void align(struct vt *vt)
{
	vt->top = vt->left = 0;
	vt->bottom = vt->rows - 1;
	vt->right = vt->columns - 1;
	vt_move(vt, 0, 0);
	vt_fill(vt, 'E');
}

/* Those of C1 too, which are ESC and a letter in 7 bits. */
static void plain_escape(struct vt *vt, uint32_t final)
{
	switch (final) {
	case '7':
		vt_save(vt);
		break;
	case '8':
		vt_restore(vt);
		break;
	case '=':
		vt->modes |= VT_KEYPAD;
		break;
	case '>':
		vt->modes &= ~(uint32_t)VT_KEYPAD;
		break;
	case 'D':
		vt_index(vt);
		break;
	case 'E':
		vt_index(vt);
		vt_return(vt);
		break;
	case 'H':
		vt_set_tab(vt, vt->column, true);
		break;
	case 'M':
		vt_reverse_index(vt);
		break;
	case 'N':
	case 'O':
		vt->single = final == 'N' ? 2 : 3;
		break;
	case 'Z':
		vt_reply(vt, VT_ATTRIBUTES);
		break;
	case 'c':
		vt_reset(vt);
		break;
	case 'n':
	case 'o':
		vt->charsets.shift = final == 'n' ? 2 : 3;
		break;
	case 'l': /* memory lock: nothing scrolls out that could be kept */
	case 'm':
	case '\\': /* ST, of a string */
		break;
	default:
		vt->unknown++;
		break;
	}
}

/* SCS: '(' to '+' and a final character. */
static void designate(struct vt *vt, uint32_t which, uint32_t final)
{
	uint8_t set = final == '0' ? VT_GRAPHICS : final == 'A' ? VT_UK : VT_ASCII;

	vt->charsets.g[which - '('] = set;
	if (set == VT_ASCII && final != 'B')
		vt->unknown++;
}

static void escape(struct vt *vt, uint32_t collected, uint32_t final)
{
	if (collected == 0)
		plain_escape(vt, final);
	else if (collected >= '(' && collected <= '+')
		designate(vt, collected, final);
	else if (collected == '#' && final == '8')
		align(vt);
	else if (collected != '%' && collected != ' ' && collected != '#')
		/* it is always UTF-8, answers have 7 bits, and lines one size */
		vt->unknown++;
}

/* What asks for a setting (DECRQSS) or a capability (XTGETTCAP) is told that it is not known. */
static void string(struct vt *vt, uint32_t began)
{
	if (began == ('$' << 8 | 'q'))
		vt_reply(vt, "\033P0$r\033\\");
	else if (began == ('+' << 8 | 'q'))
		vt_reply(vt, "\033P0+r\033\\");
}

static void perform(struct vt *vt, enum vt_action action)
{
	const struct vt_parser *p = &vt->parser;

	switch (action) {
	case VT_NONE:
		break;
	case VT_PRINT:
		print(vt, p->code);
		break;
	case VT_EXECUTE:
		if (p->code < 0x80)
			control_character(vt, p->code);
		else
			plain_escape(vt, p->code - 0x40);
		break;
	case VT_ESCAPE:
		escape(vt, p->collected, p->code);
		break;
	case VT_CONTROL:
		vt_control(vt);
		break;
	case VT_STRING:
		string(vt, p->string);
		break;
	}
}

void vt_write(struct vt *vt, const char *bytes, size_t count)
{
	int row = vt->row, column = vt->column;
	uint32_t visible = vt->modes & VT_CURSOR_VISIBLE;

	for (size_t i = 0; i < count;) {
		size_t n = plain(vt, bytes + i, count - i);
		bool again = false;

		if (n > 0) {
			print_plain(vt, bytes + i, n);
			i += n;
			continue;
		}
		perform(vt, vt_parse(&vt->parser, (uint8_t)bytes[i], &again));
		i += again ? 0 : 1;
	}
	if (vt->row != row || vt->column != column || (vt->modes & VT_CURSOR_VISIBLE) != visible)
		vt->changed = true;
}

/* ---- resets ---- */

void vt_soft_reset(struct vt *vt)
{
	vt->modes &= ~(uint32_t)(VT_INSERT | VT_ORIGIN | VT_CURSOR_KEYS | VT_KEYPAD | VT_MARGINS);
	vt->modes |= VT_MODES;
	vt->top = vt->left = 0;
	vt->bottom = vt->rows - 1;
	vt->right = vt->columns - 1;
	vt->wrap = false;
	vt->charsets = (struct vt_charsets){ 0 };
	vt->single = 0;
	vt_reset_pen(vt);
	vt_screen(vt)->saved = (struct vt_saved){ .pen = vt->pen };
}

void vt_reset(struct vt *vt)
{
	vt->modes = VT_MODES;
	vt_soft_reset(vt);
	free(vt->screens[1].cells);
	vt->screens[1].cells = NULL;
	vt->screens[1].saved = vt->screens[0].saved;
	vt->last = 0;
	memset(vt->tabs, 1, sizeof(vt->tabs)); /* a byte is eight columns: the first of each */
	vt_move(vt, 0, 0);
	if (vt->screens[0].cells)
		vt_erase_rows(vt, 0, vt->rows);
	vt_mark(vt, -1);
}
