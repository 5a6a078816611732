/*
 * csrss's desktop as frames: the status line above the terminal, whose rows have the first box on
 * top. A frame is the rows that changed and their end; one that the port does not take whole goes
 * on where it stopped.
 */
#include "cells.h"
#include "csrss.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { STATUS_FOREGROUND = 0xffffff, STATUS_BACKGROUND = 0x204a87 };

/* The milliseconds from phase A to phase B, or 0. */
static unsigned between(uint64_t a, uint64_t b)
{
	return a && b > a ? (unsigned)((b - a + 500) / 1000) : 0;
}

/* The same for what is known, in ever fewer words. */
static const struct {
	const char *session, *spin_up;
	const char *made_ahead;  /* csrss and winlogon were there */
	const char *reconnected; /* and the user's command */
	const char *layout;      /* is not known */
} status_forms[] = {
	{ " %s session %u user %s client %s csrss %u winlogon %u",
	    " spin-up %u ms: tls %u logon %u csrss %u winlogon %u shell %u",
	    " spin-up %u ms: tls %u logon %u (made ahead) shell %u",
	    " reconnected in %u ms: tls %u logon %u", " keyboard 0x%x unknown" },
	{ " %s session %u user %s client %s pids %u %u",
	    " spin-up %u ms: tls %u logon %u csrss %u winlogon %u shell %u",
	    " spin-up %u ms: tls %u logon %u (made ahead) shell %u",
	    " reconnected in %u ms: tls %u logon %u", " keyboard 0x%x unknown" },
	{ " %s session %u user %s client %s pids %u %u",
	    " %u ms: %u tls %u log %u csr %u win %u sh", " %u ms: %u tls %u log, ahead, %u sh",
	    " back in %u ms: %u tls %u log", " keyboard 0x%x?" },
	{ " %s #%u %s %s %u %u", " %u ms: %u tls %u log %u csr %u win %u sh",
	    " %u ms: %u tls %u log, ahead, %u sh", " back in %u ms: %u tls %u log", " kbd 0x%x?" },
};
enum { STATUS_FORMS = sizeof(status_forms) / sizeof(*status_forms) };

/* How the session came up, once its shell has. Returns its length. */
static int spin_up(const struct csrss *c, int form, char *text, size_t size)
{
	const struct msg_client *m = &c->client;
	uint64_t begin =
	    m->phase[PHASE_ACCEPT] ? m->phase[PHASE_ACCEPT] : m->phase[PHASE_START_CSR];

	if (!c->shell)
		return 0;
	if (begin > c->shell)
		return snprintf(text, size, status_forms[form].reconnected,
		    between(begin, m->phase[PHASE_ANSWERED]),
		    between(begin, m->phase[PHASE_NEGOTIATED]),
		    between(m->phase[PHASE_NEGOTIATED], m->phase[PHASE_LOGON]));
	if (!m->phase[PHASE_CSRSS])
		return snprintf(text, size, status_forms[form].made_ahead, between(begin, c->shell),
		    between(begin, m->phase[PHASE_NEGOTIATED]),
		    between(m->phase[PHASE_NEGOTIATED], m->phase[PHASE_LOGON]),
		    between(m->phase[PHASE_ANSWERED], c->shell));
	return snprintf(text, size, status_forms[form].spin_up, between(begin, c->shell),
	    between(begin, m->phase[PHASE_NEGOTIATED]),
	    between(m->phase[PHASE_NEGOTIATED], m->phase[PHASE_LOGON]),
	    between(m->phase[PHASE_START_CSR], m->phase[PHASE_CSRSS]),
	    between(m->phase[PHASE_CSRSS], m->phase[PHASE_WINLOGON]),
	    between(m->phase[PHASE_WINLOGON], c->shell));
}

/* The line in one form, as far as it fits into SIZE bytes. Returns its length. */
static int status_form(const struct csrss *c, int form, char *text, size_t size)
{
	const struct msg_client *m = &c->client;
	int n = snprintf(text, size, status_forms[form].session, m->winstation, c->sm.session,
	    m->user[0] ? m->user : "-", m->station[0] ? m->station : "-", m->csrss, m->winlogon);

	if ((size_t)n < size && c->unknown_layout)
		n += snprintf(
		    text + n, size - (size_t)n, status_forms[form].layout, c->unknown_layout);
	if ((size_t)n < size)
		n += spin_up(c, form, text + n, size - (size_t)n);
	return n;
}

/* As long as the desktop is wide. */
static void status_text(const struct csrss *c, char *text, size_t size)
{
	int form = 0;

	while (status_form(c, form, text, size) > c->columns && form + 1 < STATUS_FORMS)
		form++;
}

static int send_row(struct csrss *c, int row, const struct cell *cells)
{
	struct msg_row m = { .row = (uint16_t)row, .count = (uint16_t)c->columns };

	memcpy(m.cells, cells, (size_t)c->columns * sizeof(*cells));
	port_header(&m.h, DSP_ROW,
	    offsetof(struct msg_row, cells) + (size_t)c->columns * sizeof(*cells), 0);
	return port_send(c->display, &m.h, -1);
}

static int send_status_line(struct csrss *c)
{
	struct cell cells[COLUMNS_MAX];
	char text[512];

	status_text(c, text, sizeof(text));
	cells_put(cells, c->columns, text, STATUS_FOREGROUND, STATUS_BACKGROUND);
	return send_row(c, 0, cells);
}

static int send_terminal_row(struct csrss *c, int row)
{
	struct cell cells[COLUMNS_MAX];

	terminal_cells(c->terminal, row, cells, c->columns);
	box_draw(&c->boxes, row, c->rows - 1, cells, c->columns);
	return send_row(c, row + 1, cells);
}

static int send_frame_end(struct csrss *c)
{
	struct msg_frame m = { 0 };
	int row, column;

	m.cursor_visible = terminal_cursor(c->terminal, &row, &column);
	m.cursor_row = (uint16_t)(row + 1);
	m.cursor_column = (uint16_t)column;
	port_header(&m.h, DSP_FRAME, sizeof(m), 0);
	return port_send(c->display, &m.h, -1);
}

int frame_send(struct csrss *c)
{
	int row;

	if (c->display < 0 || !c->wanted)
		return 0;
	/* the first picture is that of a session with its shell; a logon prompt's has none yet. One that is
	   begun is ended: POLLOUT is waited for */
	if (!c->in_frame && !c->shell && c->client.user[0] && c->choices.count == 0 &&
	    (c->listener >= 0 || c->winlogon >= 0))
		return 0;
	if (!c->in_frame && !c->status_changed && !terminal_changed(c->terminal))
		return 0;
	if (!c->in_frame) {
		c->in_frame = true;
		c->next_row = 0;
	}
	if (c->status_changed) {
		if (send_status_line(c) < 0)
			return errno == EAGAIN ? 0 : -1;
		c->status_changed = false;
	}
	while ((row = terminal_take_dirty(c->terminal, c->next_row)) >= 0) {
		if (send_terminal_row(c, row) < 0) {
			terminal_mark(c->terminal, row);
			return errno == EAGAIN ? 0 : -1;
		}
		c->next_row = row;
	}
	if (send_frame_end(c) < 0)
		return errno == EAGAIN ? 0 : -1;
	c->in_frame = c->wanted = false;
	return 0;
}

void frame_forget(struct csrss *c)
{
	c->wanted = c->in_frame = false;
}

void frame_redraw(struct csrss *c)
{
	c->status_changed = true;
	terminal_mark(c->terminal, -1);
}
