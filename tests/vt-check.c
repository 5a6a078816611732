#include "vt-check.h"

#include "vt-private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool vt_no_memory;

void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);

void *__wrap_calloc(size_t count, size_t size)
{
	return vt_no_memory ? NULL : __real_calloc(count, size);
}

#define CHECK(condition) check(condition, #condition, __LINE__)

static void check(bool holds, const char *what, int line)
{
	if (holds)
		return;
	fprintf(stderr, "vt-check.c:%d: not so: %s\n", line, what);
	abort();
}

static const struct cell *line_of(const struct vt *vt, const struct vt_screen *s, int row)
{
	return s->cells + (size_t)s->order[row] * (size_t)vt->columns;
}

/* Wide characters are whole, and nothing else has a second half. */
static void check_line(const struct vt *vt, const struct cell *c)
{
	for (int i = 0; i < vt->columns; i++) {
		CHECK(c[i].code <= VT_REST && c[i].foreground <= 0xffffff);
		CHECK(c[i].background >> 24 <= (VT_BOLD | VT_UNDERLINE));
		if (c[i].code == VT_REST)
			CHECK(i > 0 && vt_width(c[i - 1].code) == 2);
		else if (c[i].code != VT_BLANK)
			CHECK(c[i].code >= ' ' &&
			      vt_width(c[i].code) ==
			          (i + 1 < vt->columns && c[i + 1].code == VT_REST ? 2 : 1));
	}
}

static void check_screen(const struct vt *vt, const struct vt_screen *s)
{
	bool seen[ROWS_MAX] = { false };

	CHECK(s->saved.row >= 0 && s->saved.column >= 0);
	for (int row = 0; s->cells && row < vt->rows; row++) {
		CHECK(s->order[row] < vt->rows && !seen[s->order[row]]);
		seen[s->order[row]] = true;
		check_line(vt, line_of(vt, s, row));
	}
}

void vt_check(const struct vt *vt)
{
	CHECK(vt->columns >= 1 && vt->columns <= COLUMNS_MAX);
	CHECK(vt->rows >= 1 && vt->rows <= ROWS_MAX);
	CHECK(vt->row >= 0 && vt->row < vt->rows);
	CHECK(vt->column >= 0 && vt->column < vt->columns);
	CHECK(vt->top >= 0 && vt->bottom < vt->rows);
	CHECK(vt->top < vt->bottom || vt->rows == 1);
	CHECK(vt->left >= 0 && vt->right < vt->columns);
	CHECK(vt->left < vt->right || vt->columns == 1);
	CHECK(!vt->wrap || vt->column == vt->right || vt->column == vt->columns - 1);
	CHECK(!(vt->modes & VT_OTHER_SCREEN) || vt->screens[1].cells);
	CHECK((vt->modes & VT_MARGINS) || (vt->left == 0 && vt->right == vt->columns - 1));
	for (int row = vt->rows; row < ROWS_MAX; row++)
		CHECK(!vt->marks[row]);
	check_screen(vt, &vt->screens[0]);
	check_screen(vt, &vt->screens[1]);
}

static bool same_pen(const struct vt_pen *a, const struct vt_pen *b)
{
	return a->foreground == b->foreground && a->background == b->background &&
	       a->attributes == b->attributes;
}

static bool same_saved(const struct vt_saved *a, const struct vt_saved *b)
{
	return a->row == b->row && a->column == b->column && a->wrap == b->wrap &&
	       a->origin == b->origin && same_pen(&a->pen, &b->pen) &&
	       memcmp(&a->charsets, &b->charsets, sizeof(a->charsets)) == 0;
}

static bool same_cells(const struct vt *vt, const struct vt_screen *a, const struct vt_screen *b)
{
	if (!a->cells != !b->cells)
		return false;
	for (int row = 0; a->cells && row < vt->rows; row++)
		if (memcmp(line_of(vt, a, row), line_of(vt, b, row),
		        (size_t)vt->columns * sizeof(struct cell)) != 0)
			return false;
	return true;
}

/* The part of what programs see that can be compared as it is. */
static bool same_cursor(const struct vt *a, const struct vt *b)
{
	return a->row == b->row && a->column == b->column && a->wrap == b->wrap &&
	       a->single == b->single && a->last == b->last &&
	       memcmp(&a->charsets, &b->charsets, sizeof(a->charsets)) == 0 &&
	       memcmp(&a->ink, &b->ink, sizeof(a->ink)) == 0 && same_pen(&a->pen, &b->pen);
}

static bool same_bounds(const struct vt *a, const struct vt *b)
{
	return a->columns == b->columns && a->rows == b->rows && a->top == b->top &&
	       a->bottom == b->bottom && a->left == b->left && a->right == b->right &&
	       memcmp(a->tabs, b->tabs, sizeof(a->tabs)) == 0;
}

const char *vt_difference(const struct vt *a, const struct vt *b)
{
	if (!same_bounds(a, b))
		return "sizes, margins or tabs";
	if (!same_cursor(a, b))
		return "the cursor or the pen";
	if (a->modes != b->modes)
		return "modes";
	if (a->parser.state != b->parser.state || a->parser.left != b->parser.left)
		return "the parser";
	for (int i = 0; i < 2; i++)
		if (!same_saved(&a->screens[i].saved, &b->screens[i].saved))
			return "the saved cursor";
	for (int i = 0; i < 2; i++)
		if (!same_cells(a, &a->screens[i], &b->screens[i]))
			return "cells";
	return NULL;
}

void vt_check_same(const struct vt *a, const struct vt *b)
{
	const char *difference = vt_difference(a, b);

	if (difference) {
		fprintf(stderr, "vt-check.c: not the same: %s\n", difference);
		abort();
	}
	CHECK(a->unknown == b->unknown);
	CHECK(memcmp(a->marks, b->marks, sizeof(a->marks)) == 0);
}

/* UTF-8 of CODE at TEXT, which ends at END; returns where it goes on. */
static char *put(char *text, const char *end, uint32_t code)
{
	static const uint8_t lead[] = { 0, 0, 0xc0, 0xe0, 0xf0 };
	int n = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;

	if (end - text <= n)
		return text;
	for (int i = n - 1; i > 0; i--, code >>= 6)
		text[i] = (char)(0x80 | (code & 0x3f));
	text[0] = (char)(lead[n] | code);
	return text + n;
}

const char *vt_text(const struct vt *vt, char *text, size_t size)
{
	struct cell cells[COLUMNS_MAX];
	const char *end = text + size;
	char *p = text;

	for (int row = 0; row < vt->rows; row++) {
		int last = vt->columns;

		vt_cells(vt, row, cells, vt->columns);
		while (last > 0 && cells[last - 1].code == ' ')
			last--;
		for (int i = 0; i < last; i++)
			if (cells[i].code)
				p = put(p, end, cells[i].code);
		if (row + 1 < vt->rows)
			p = put(p, end, '|');
	}
	*p = 0;
	return text;
}
