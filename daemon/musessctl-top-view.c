/*
 * The columns of top, its screen and its keys. Numbers that are not known are "-". A row of
 * the screen is written as the table has it, and cut at the terminal's edge.
 */
#include "musessctl-line.h"
#include "musessctl-show.h"
#include "musessctl-top.h"

#include <stdlib.h>
#include <string.h>

/* ---- samples ---- */

static void add_process(struct top_sample *sample, const struct proctree_entry *p)
{
	for (size_t i = 0; i < sample->count; i++) {
		struct top_row *row = &sample->rows[i];
		if (row->session.session != p->session)
			continue;
		row->processes = true;
		row->ticks += p->ticks;
		row->memory += proctree_memory(p);
		return;
	}
}

int top_fill(struct top_sample *sample, const struct msg_session *sessions, size_t session_count,
    const struct proctree_entry *processes, size_t process_count, const struct tcpinfo *connections,
    size_t connection_count)
{
	sample->count = 0;
	sample->rows = calloc(session_count + 1, sizeof(*sample->rows));
	if (!sample->rows)
		return -1;
	for (size_t i = 0; i < session_count; i++) {
		struct top_row *row = &sample->rows[sample->count];
		const struct tcpinfo *t =
		    tcpinfo_find(connections, connection_count, sessions[i].address);

		if (sessions[i].state == WTS_LISTEN || sessions[i].session >= LISTENER_ID)
			continue;
		sample->count++;
		row->session = sessions[i];
		row->processor = row->received_rate = row->sent_rate = -1;
		row->connection = t != NULL;
		row->received = t ? t->received : 0;
		row->sent = t ? t->sent : 0;
	}
	for (size_t i = 0; i < process_count; i++)
		add_process(sample, &processes[i]);
	return 0;
}

void top_free(struct top_sample *sample)
{
	free(sample->rows);
	*sample = (struct top_sample){ 0 };
}

/* Processes that end take their time with them where nobody waits for them: none is not
   less than none. */
static double rate(uint64_t now, uint64_t before, double seconds)
{
	return now > before ? (double)(now - before) / seconds : 0;
}

void top_rates(struct top_sample *now, const struct top_sample *before, double hertz)
{
	double seconds = (double)(now->at - before->at) / 1000;

	for (size_t i = 0, k = 0; seconds > 0 && i < now->count; i++) {
		struct top_row *row = &now->rows[i];
		const struct top_row *old;

		while (k < before->count && before->rows[k].session.session < row->session.session)
			k++;
		old = k < before->count ? &before->rows[k] : NULL;
		/* a number is given again, but not with the same csrss */
		if (!old || old->session.session != row->session.session ||
		    old->session.csrss != row->session.csrss)
			continue;
		if (row->processes && old->processes)
			row->processor = 100 * rate(row->ticks, old->ticks, seconds) / hertz;
		if (!row->connection || !old->connection ||
		    strcmp(row->session.address, old->session.address) != 0)
			continue;
		row->received_rate = rate(row->received, old->received, seconds);
		row->sent_rate = rate(row->sent, old->sent, seconds);
	}
}

/* ---- the table ---- */

void top_size(double bytes, char text[TOP_SIZE_SIZE])
{
	static const char units[] = " KMGTPE";
	int unit = 0;

	for (; bytes >= 999.5 && units[unit + 1]; unit++)
		bytes /= 1024;
	if (unit == 0)
		snprintf(text, TOP_SIZE_SIZE, "%.0f", bytes);
	else
		snprintf(
		    text, TOP_SIZE_SIZE, bytes < 9.95 ? "%.1f%c" : "%.0f%c", bytes, units[unit]);
}

enum {
	TOP_NAME = 1,
	TOP_USER = 19,
	TOP_ID_END = 45,
	TOP_STATE = 48,
	TOP_PROCESSOR_END = 60,
	TOP_MEMORY_END = 67,
	TOP_IN_END = 73,
	TOP_OUT_END = 79
};
static const char header[] =
    " SESSIONNAME       USERNAME                 ID  STATE   CPU % MEMORY  IN/s OUT/s";

static void put_size(struct line *l, int last, double bytes)
{
	char text[TOP_SIZE_SIZE] = "-";

	if (bytes >= 0)
		top_size(bytes, text);
	line_put_right(l, last, text);
}

static void show_row(FILE *out, const struct top_row *row)
{
	const struct msg_session *s = &row->session;
	struct line l = { .out = out };
	char text[WINSTATION_SIZE];

	line_put(&l, 0, 1, s->own ? ">" : "");
	line_put(&l, TOP_NAME, TOP_USER - TOP_NAME - 1, show_name(s, text));
	line_put(&l, TOP_USER, TOP_ID_END - line_digits(s->session) - TOP_USER, s->user);
	line_put_number(&l, TOP_ID_END, s->session);
	line_put(&l, TOP_STATE, 7, session_state_text(s->state));
	snprintf(text, sizeof(text), "%.1f", row->processor);
	line_put_right(&l, TOP_PROCESSOR_END, row->processor < 0 ? "-" : text);
	put_size(&l, TOP_MEMORY_END, row->processes ? (double)row->memory : -1);
	put_size(&l, TOP_IN_END, row->received_rate);
	put_size(&l, TOP_OUT_END, row->sent_rate);
}

void top_show(FILE *out, const struct top_sample *sample)
{
	fprintf(out, "%s\n", header);
	for (size_t i = 0; i < sample->count; i++) {
		show_row(out, &sample->rows[i]);
		fputc('\n', out);
	}
}

static json_t *real_or_null(double number)
{
	return number < 0 ? json_null() : json_real(number);
}

json_t *top_json(const struct top_sample *sample)
{
	json_t *array = json_array();

	for (size_t i = 0; array && i < sample->count; i++) {
		const struct top_row *row = &sample->rows[i];
		const struct msg_session *s = &row->session;
		json_array_append_new(
		    array, json_pack("{s:I, s:b, s:s, s:s, s:s, s:o, s:o, s:o, s:o}", "id",
		               (json_int_t)s->session, "own", s->own != 0, "name", s->winstation,
		               "user", s->user, "state", session_state_text(s->state),
		               "processor_percent", real_or_null(row->processor), "memory_bytes",
		               row->processes ? json_integer((json_int_t)row->memory) : json_null(),
		               "in_bytes_per_s", real_or_null(row->received_rate),
		               "out_bytes_per_s", real_or_null(row->sent_rate)));
	}
	return json_pack("{s:o}", "sessions", array);
}

/* ---- the screen ---- */

/* Two lines stand above the rows, and one below. */
enum { LINES_AROUND = 3 };

static size_t rows_shown(const struct top_view *view)
{
	return view->height > LINES_AROUND ? (size_t)(view->height - LINES_AROUND) : 1;
}

void top_move(struct top_view *view, const struct top_sample *sample, int steps)
{
	size_t shown = rows_shown(view), last = sample->count ? sample->count - 1 : 0;

	if (steps < 0)
		view->selected -= (size_t)-steps < view->selected ? (size_t)-steps : view->selected;
	else
		view->selected += (size_t)steps;
	if (view->selected > last)
		view->selected = last;
	if (view->first > view->selected)
		view->first = view->selected;
	if (view->selected >= view->first + shown)
		view->first = view->selected + 1 - shown;
}

void top_select(struct top_view *view, const struct top_sample *sample, uint32_t session)
{
	size_t i = 0;

	while (i < sample->count && sample->rows[i].session.session < session)
		i++;
	view->selected = i;
	top_move(view, sample, 0);
}

/* Writes TEXT up to the terminal's edge. */
static void put_screen(FILE *out, const struct top_view *view, const char *text)
{
	struct line l = { .out = out };

	line_put(&l, 0, view->width, text);
}

static void draw_row(FILE *out, const struct top_view *view, const struct top_row *row, bool chosen)
{
	char text[512] = "";
	FILE *memory = fmemopen(text, sizeof(text), "w");

	if (memory) {
		show_row(memory, row);
		fclose(memory);
	}
	fputs(chosen ? "\033[7m" : "", out);
	put_screen(out, view, text);
	fputs(chosen ? "\033[m\033[K\r\n" : "\033[K\r\n", out);
}

static void draw_summary(FILE *out, const struct top_view *view, const struct top_sample *sample)
{
	size_t states[WTS_STATE_COUNT] = { 0 };
	char text[512];
	int at = snprintf(text, sizeof(text), "%s  %zu session%s", view->clock, sample->count,
	    sample->count == 1 ? "" : "s");

	for (size_t i = 0; i < sample->count; i++)
		if (sample->rows[i].session.state < WTS_STATE_COUNT)
			states[sample->rows[i].session.state]++;
	for (uint32_t state = 0; state < WTS_STATE_COUNT; state++)
		if (states[state])
			at += snprintf(text + at, sizeof(text) - (size_t)at, "  %s %zu",
			    session_state_text(state), states[state]);
	put_screen(out, view, text);
	fputs("\033[K\r\n", out);
}

void top_draw(FILE *out, const struct top_view *view, const struct top_sample *sample)
{
	size_t end = view->first + rows_shown(view);

	fputs("\033[H", out);
	draw_summary(out, view, sample);
	put_screen(out, view, header);
	fputs("\033[K\r\n", out);
	for (size_t i = view->first; i < end && i < sample->count; i++)
		draw_row(out, view, &sample->rows[i], i == view->selected);
	fprintf(out, "\033[J\033[%d;1H", view->height);
	put_screen(out, view,
	    view->status[0] ? view->status
	                    : "Up/Down select  d disconnect  l log off  m message  q quit");
	fputs("\033[K", out);
}

/* ---- keys ---- */

static enum top_key letter_key(char letter)
{
	switch (letter) {
	case 'k':
		return TOP_UP;
	case 'j':
		return TOP_DOWN;
	case 'd':
		return TOP_DISCONNECT;
	case 'l':
		return TOP_LOGOFF;
	case 'm':
		return TOP_MESSAGE;
	case 'q':
		return TOP_QUIT;
	default:
		return TOP_NONE;
	}
}

enum top_key top_key(const char *bytes, size_t length, size_t *used)
{
	*used = 1;
	if (bytes[0] != '\033' || length < 2 || (bytes[1] != '[' && bytes[1] != 'O'))
		return letter_key(bytes[0]);
	/* ESC [ parameters letter: none but the arrows mean anything */
	for (*used = 2; *used < length && (bytes[*used] < '@' || bytes[*used] > '~');)
		++*used;
	if (*used == length)
		return TOP_NONE;
	switch (bytes[(*used)++]) {
	case 'A':
		return TOP_UP;
	case 'B':
		return TOP_DOWN;
	default:
		return TOP_NONE;
	}
}

enum top_typed top_type(struct top_text *t, char byte)
{
	if (byte == '\r' || byte == '\n')
		return t->length ? TOP_ENTERED : TOP_CANCELLED;
	if (byte == '\033')
		return TOP_CANCELLED;
	if (byte == '\b' || byte == 0x7f) {
		while (t->length && (t->text[--t->length] & 0xc0) == 0x80)
			; /* the rest of a character */
	} else if ((unsigned char)byte >= 0x20 && t->length + 1 < sizeof(t->text))
		t->text[t->length++] = byte;
	t->text[t->length] = 0;
	return TOP_TYPING;
}
