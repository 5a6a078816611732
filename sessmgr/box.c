/* A box is as wide as its longest line, and in the middle: title, text, and what to do. */
#include "box.h"

#include "cells.h"

#include <string.h>

enum {
	TEXT_COLUMNS = 60, /* at most */
	MARGIN = 2,        /* cells beside the text */
	FRAME_ROWS = 4,    /* title, a blank row above and below the text, the hint */
	TYPED_BEFORE_US = 1000000,
	TITLE_FOREGROUND = 0xffffff,
	TITLE_BACKGROUND = 0x204a87,
	FOREGROUND = 0x000000,
	BACKGROUND = 0xd3d7cf
};

static const char hint[] = "[ OK ]  press any key";

static void take_away(struct boxes *b, unsigned which)
{
	b->count--;
	memmove(&b->box[which], &b->box[which + 1], (b->count - which) * sizeof(*b->box));
}

uint32_t box_add(struct boxes *b, const struct msg_box *m, uint64_t now)
{
	uint32_t lost = 0;
	struct box *box;

	if (b->count == BOXES_MAX) {
		lost = b->box[0].number;
		take_away(b, 0);
	}
	box = &b->box[b->count++];
	*box = (struct box){ .number = m->number,
		.until = m->seconds ? now + m->seconds * UINT64_C(1000000) : 0 };
	memcpy(box->title, m->title, sizeof(box->title));
	memcpy(box->text, m->text, sizeof(box->text));
	if (!b->box[0].shown)
		b->box[0].shown = now;
	return lost;
}

/* The next one is shown from now on. */
static uint32_t answer(struct boxes *b, unsigned which, uint64_t now)
{
	uint32_t number = b->box[which].number;

	take_away(b, which);
	if (b->count > 0 && !b->box[0].shown)
		b->box[0].shown = now;
	return number;
}

uint32_t box_take_expired(struct boxes *b, uint64_t now)
{
	for (unsigned i = 0; i < b->count; i++)
		if (b->box[i].until && now >= b->box[i].until)
			return answer(b, i, now);
	return 0;
}

bool box_key(struct boxes *b, uint64_t now, uint32_t *number)
{
	*number = 0;
	if (b->count == 0)
		return false;
	if (now - b->box[0].shown >= TYPED_BEFORE_US)
		*number = answer(b, 0, now);
	return true;
}

int box_timeout(const struct boxes *b, uint64_t now)
{
	uint64_t first = 0;

	for (unsigned i = 0; i < b->count; i++)
		if (b->box[i].until && (!first || b->box[i].until < first))
			first = b->box[i].until;
	if (!first)
		return -1;
	return first > now ? (int)((first - now) / 1000 + 1) : 0;
}

/* ---- layout ---- */

/* The line at *TEXT, of at most WIDTH code points: where it ends; *TEXT moves to the next. A
   line is broken at its last blanks, or where it has none but those that it begins with, in the
   middle of a word. */
static const char *next_line(const char **text, int width, int *length)
{
	const char *p = *text, *end = NULL;
	int n = 0, kept = 0;
	bool word = false;

	for (; *p && *p != '\n' && n < width; n++) {
		if (*p != ' ') {
			word = true;
		} else if (word) { /* the first one behind it */
			word = false;
			end = p;
			kept = n;
		}
		cells_next_code(&p);
	}
	if (!*p || *p == '\n' || (*p == ' ' && word) || !end) {
		end = p;
		kept = n;
	}
	for (p = end; *p == ' ';)
		p++;
	*text = *p == '\n' ? p + 1 : p;
	*length = kept;
	return end;
}

/* Line NUMBER of TEXT at *LINE; its end, or NULL where there are not as many. */
static const char *find_line(
    const char *text, int width, int number, const char **line, int *length)
{
	const char *end = NULL;

	for (int i = 0; i <= number; i++) {
		if (!*text)
			return NULL;
		*line = text;
		end = next_line(&text, width, length);
	}
	return end;
}

static int code_points(const char *text)
{
	int n = 0;

	for (; *text; n++)
		cells_next_code(&text);
	return n;
}

static int text_limit(int columns)
{
	return columns - 2 * MARGIN < TEXT_COLUMNS ? columns - 2 * MARGIN : TEXT_COLUMNS;
}

struct layout {
	int width, lines;             /* of the text */
	int left, top, columns, rows; /* of the box */
};

static struct layout lay_out(const struct box *box, int columns, int rows)
{
	struct layout l = { .width = code_points(box->title) };
	int limit = text_limit(columns);
	const char *text = box->text;
	int length;

	if (l.width < (int)sizeof(hint) - 1)
		l.width = sizeof(hint) - 1;
	while (*text) {
		next_line(&text, limit, &length);
		l.width = length > l.width ? length : l.width;
		l.lines++;
	}
	l.width = l.width > limit ? limit : l.width;
	l.lines = l.lines > rows - FRAME_ROWS ? rows - FRAME_ROWS : l.lines;
	l.columns = l.width + 2 * MARGIN;
	l.rows = l.lines + FRAME_ROWS;
	l.left = (columns - l.columns) / 2;
	l.top = (rows - l.rows) / 2;
	return l;
}

void box_draw(const struct boxes *b, int row, int rows, struct cell *cells, int columns)
{
	const struct box *box = b->box;
	char copy[BOX_TEXT_SIZE] = "";
	const char *text = copy, *line, *end;
	struct layout l;
	bool title;
	int length;

	if (b->count == 0 || text_limit(columns) < 1)
		return;
	l = lay_out(box, columns, rows);
	row -= l.top;
	if (row < 0 || row >= l.rows)
		return;
	title = row == 0;
	if (title) {
		text = box->title;
	} else if (row == l.rows - 1) {
		text = hint;
	} else if (row - 2 >= 0 && row - 2 < l.lines) {
		end = find_line(box->text, text_limit(columns), row - 2, &line, &length);
		if (end)
			memcpy(copy, line, (size_t)(end - line));
	}
	cells += l.left;
	cells_put(cells, l.columns, "", title ? TITLE_FOREGROUND : FOREGROUND,
	    title ? TITLE_BACKGROUND : BACKGROUND);
	cells_put(cells + MARGIN, l.width, text, title ? TITLE_FOREGROUND : FOREGROUND,
	    title ? TITLE_BACKGROUND : BACKGROUND);
}
