/*
 * The pen: SGR. Colours are worked out when they are chosen, and reverse, faint and hidden text when the
 * pen is dipped, so that a cell holds what is shown.
 */
#include "vt-private.h"

/* The sixteen colours of programs: the blue of VGA cannot be read on black. */
static const uint32_t palette[] = { 0x000000, 0xcc0000, 0x4e9a06, 0xc4a000, 0x3465a4, 0x75507b,
	0x06989a, 0xd3d7cf, 0x555753, 0xef2929, 0x8ae234, 0xfce94f, 0x729fcf, 0xad7fa8, 0x34e2e2,
	0xeeeeec };

enum { PALETTE = 16, CUBE = 216, COLOURS = 256 };
enum { FOREGROUND = 38, BACKGROUND = 48, UNDERLINE_COLOUR = 58 };

/* Colour N of 256: the palette, a cube of 6 x 6 x 6, and greys. */
static uint32_t indexed(int n)
{
	static const uint8_t levels[] = { 0, 95, 135, 175, 215, 255 };

	if (n < PALETTE)
		return palette[n];
	if (n >= PALETTE + CUBE)
		return 0x010101u * (uint32_t)(8 + 10 * (n - PALETTE - CUBE));
	n -= PALETTE;
	return (uint32_t)levels[n / 36] << 16 | (uint32_t)levels[n / 6 % 6] << 8 | levels[n % 6];
}

void vt_dip(struct vt *vt)
{
	uint32_t foreground = vt->pen.foreground, background = vt->pen.background;
	uint32_t attributes = vt->pen.attributes;

	if (attributes & VT_REVERSE) {
		foreground = vt->pen.background;
		background = vt->pen.foreground;
	}
	if (attributes & VT_FAINT) /* halfway to the background */
		foreground = ((foreground & 0xfefefe) + (background & 0xfefefe)) / 2;
	if (attributes & VT_HIDDEN)
		foreground = background;
	vt->ink = (struct cell){ .foreground = foreground,
		.background = background | (attributes & (VT_BOLD | VT_UNDERLINE)) << 24 };
}

void vt_reset_pen(struct vt *vt)
{
	vt->pen = (struct vt_pen){ VT_FOREGROUND, VT_BACKGROUND, 0 };
	vt_dip(vt);
}

/* A colour of a KIND whose numbers, COUNT of them, begin at parameter FIRST. *RESULT stays where there
   is none. */
static void colour(
    const struct vt_parser *p, int kind, unsigned first, unsigned count, uint32_t *result)
{
	int n[3];

	for (unsigned i = 0; i < 3; i++) {
		n[i] = vt_parameter(p, first + i, 0);
		if (i < count && n[i] >= COLOURS)
			return;
	}
	if (kind == 5 && count >= 1)
		*result = indexed(n[0]);
	else if (kind == 2 && count >= 3)
		*result = (uint32_t)n[0] << 16 | (uint32_t)n[1] << 8 | (uint32_t)n[2];
}

/*
 * A colour that is no single number, in parameters: 38;5;N and 38;2;R;G;B, as xterm has it, or
 * 38:5:N, 38:2:R:G:B and 38:2:SPACE:R:G:B, as the standard has it. Returns how many parameters are
 * its own, the first one not counted.
 */
static unsigned extended(const struct vt_parser *p, unsigned i, uint32_t *result)
{
	int kind = vt_parameter(p, i + 1, 0);
	unsigned sub = vt_subordinates(p, i), numbers = kind == 2 ? 3 : kind == 5 ? 1 : 0;

	if (sub > 0) {
		unsigned space = kind == 2 && sub >= 5 ? 1 : 0;
		colour(p, kind, i + 2 + space, sub - 1 - space, result);
		return sub;
	}
	if (i + 1 + numbers < p->count)
		colour(p, kind, i + 2, numbers, result);
	return 1 + numbers;
}

static void set(struct vt *vt, uint32_t attributes, bool on)
{
	vt->pen.attributes =
	    on ? vt->pen.attributes | attributes : vt->pen.attributes & ~attributes;
}

/* What is on and off by a number; what has no look here has no attribute: italics, blinking, crossed
   out, fonts, frames, lines above. */
static const struct {
	uint8_t on, off;
	uint8_t attribute;
} attributes[] = {
	{ 1, 22, VT_BOLD }, { 2, 22, VT_FAINT }, { 3, 23, 0 }, { 4, 24, VT_UNDERLINE },
	{ 21, 24, VT_UNDERLINE }, /* twice */
	{ 5, 25, 0 }, { 6, 25, 0 }, { 7, 27, VT_REVERSE }, { 8, 28, VT_HIDDEN }, { 9, 29, 0 },
	{ 53, 55, 0 }, { 59, 10, 0 }, /* the default colour of lines and the default font */
};

static bool attribute(struct vt *vt, int n)
{
	bool known = false;

	for (unsigned i = 0; i < sizeof(attributes) / sizeof(*attributes); i++)
		if (n == attributes[i].on || n == attributes[i].off) {
			set(vt, attributes[i].attribute, n == attributes[i].on);
			known = true;
		}
	return known;
}

static bool plain_colour(struct vt *vt, int n)
{
	if (n >= 30 && n <= 37)
		vt->pen.foreground = palette[n - 30];
	else if (n == 39)
		vt->pen.foreground = VT_FOREGROUND;
	else if (n >= 40 && n <= 47)
		vt->pen.background = palette[n - 40];
	else if (n == 49)
		vt->pen.background = VT_BACKGROUND;
	else if (n >= 90 && n <= 97)
		vt->pen.foreground = palette[n - 90 + 8];
	else if (n >= 100 && n <= 107)
		vt->pen.background = palette[n - 100 + 8];
	else
		return false;
	return true;
}

/* Parameter I. Returns how many after it are its own. */
static unsigned select_rendition(struct vt *vt, unsigned i)
{
	const struct vt_parser *p = &vt->parser;
	int n = vt_parameter(p, i, 0);
	uint32_t unused;

	if (n == FOREGROUND || n == BACKGROUND || n == UNDERLINE_COLOUR)
		return extended(p, i,
		    n == FOREGROUND   ? &vt->pen.foreground
		    : n == BACKGROUND ? &vt->pen.background
		                      : &unused);
	if (n == 0)
		vt_reset_pen(vt);
	else if (n == 4 && vt_subordinates(p, i) > 0) /* its kind; the first is none */
		set(vt, VT_UNDERLINE, vt_parameter(p, i + 1, 0) > 0);
	else if (!attribute(vt, n) && !plain_colour(vt, n))
		vt->unknown++;
	return vt_subordinates(p, i);
}

void vt_attributes(struct vt *vt)
{
	if (vt->parser.count == 0)
		vt_reset_pen(vt);
	for (unsigned i = 0; i < vt->parser.count; i++)
		i += select_rendition(vt, i);
	vt_dip(vt);
}
