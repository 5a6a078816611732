/*
 * csrss: the subsystem process of one session, process 1 of its namespaces. It holds the
 * session's desktop: a status line above a terminal, as a grid of cells that rdpwd draws.
 *
 *   smss      its connection to \SmApiPort: who is at the screen, when to end; and smss's
 *             callbacks, which ask for what a desktop has not got
 *   winlogon  the one client of the session's ApiPort
 *   display   rdpwd: keys come in, frames of changed rows go out, one at a time and only
 *             when rdpwd asked for one, so that a slow client costs no memory
 *   terminal  the pseudo-terminal of the user's programs
 *
 * Its end is the session's: the kernel ends every other process with it.
 */
#include "clock.h"
#include "log.h"
#include "messages.h"
#include "ntstatus.h"
#include "subsystem-port.h"
#include "terminal.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define AP_PORT "/run/Windows/ApiPort"
#define SB_PORT "/run/Windows/SbApiPort"

enum { STATUS_FOREGROUND = 0xffffff, STATUS_BACKGROUND = 0x204a87 };

struct csrss {
	struct subsystem sm; /* smss and its callbacks; the session's id */
	int listener, winlogon, display;
	struct terminal *terminal;
	int columns, rows;        /* of the desktop, the status line included */
	struct msg_client client; /* who is at the screen */
	bool hello, command;      /* winlogon is there; it has a command */
	bool logon_sent;
	uint64_t shell; /* when the user's command was started */
	bool status_changed;
	bool wanted;   /* rdpwd asked for a frame */
	bool in_frame; /* its rows are being sent */
	int next_row;  /* of the terminal */
};

static int die(const char *what)
{
	log_error("%s: %s", what, strerror(errno));
	return -1;
}

/* A message without more than its type. */
static int send_plain(int port, uint16_t type, int passed)
{
	struct msg_plain m;

	port_header(&m.h, type, sizeof(m), 0);
	return port_send(port, &m.h, passed);
}

/* The milliseconds from phase A to phase B, or 0. */
static unsigned between(uint64_t a, uint64_t b)
{
	return a && b > a ? (unsigned)((b - a + 500) / 1000) : 0;
}

/* The same for what is known, in ever fewer words. */
static const struct {
	const char *session, *spin_up, *made_ahead; /* the last: csrss and winlogon were there */
} status_forms[] = {
	{ " %s session %u user %s client %s csrss %u winlogon %u",
	    " spin-up %u ms: tls %u logon %u csrss %u winlogon %u shell %u",
	    " spin-up %u ms: tls %u logon %u (made ahead) shell %u" },
	{ " %s session %u user %s client %s pids %u %u",
	    " spin-up %u ms: tls %u logon %u csrss %u winlogon %u shell %u",
	    " spin-up %u ms: tls %u logon %u (made ahead) shell %u" },
	{ " %s session %u user %s client %s pids %u %u",
	    " %u ms: %u tls %u log %u csr %u win %u sh", " %u ms: %u tls %u log, ahead, %u sh" },
	{ " %s #%u %s %s %u %u", " %u ms: %u tls %u log %u csr %u win %u sh",
	    " %u ms: %u tls %u log, ahead, %u sh" },
};
enum { STATUS_FORMS = sizeof(status_forms) / sizeof(*status_forms) };

static int status_form(const struct csrss *c, int form, char *text, size_t size)
{
	const struct msg_client *m = &c->client;
	uint64_t begin =
	    m->phase[PHASE_ACCEPT] ? m->phase[PHASE_ACCEPT] : m->phase[PHASE_START_CSR];
	int n = snprintf(text, size, status_forms[form].session, m->winstation, c->sm.session,
	    m->user[0] ? m->user : "-", m->station[0] ? m->station : "-", m->csrss, m->winlogon);

	if (n > 0 && (size_t)n < size && c->shell && !m->phase[PHASE_CSRSS])
		n += snprintf(text + n, size - (size_t)n, status_forms[form].made_ahead,
		    between(begin, c->shell), between(begin, m->phase[PHASE_NEGOTIATED]),
		    between(m->phase[PHASE_NEGOTIATED], m->phase[PHASE_LOGON]),
		    between(m->phase[PHASE_ANSWERED], c->shell));
	else if (n > 0 && (size_t)n < size && c->shell)
		n += snprintf(text + n, size - (size_t)n, status_forms[form].spin_up,
		    between(begin, c->shell), between(begin, m->phase[PHASE_NEGOTIATED]),
		    between(m->phase[PHASE_NEGOTIATED], m->phase[PHASE_LOGON]),
		    between(m->phase[PHASE_START_CSR], m->phase[PHASE_CSRSS]),
		    between(m->phase[PHASE_CSRSS], m->phase[PHASE_WINLOGON]),
		    between(m->phase[PHASE_WINLOGON], c->shell));
	return n;
}

/* As long as the desktop is wide. */
static void status_text(const struct csrss *c, char *text, size_t size)
{
	int form = 0;

	while (status_form(c, form, text, size) > c->columns && form + 1 < STATUS_FORMS)
		form++;
}

/* One code point of well-formed UTF-8 at *P, which moves behind it. */
static uint32_t next_code(const char **p)
{
	const unsigned char *u = (const unsigned char *)*p;
	int more = u[0] < 0xc0 ? 0 : u[0] < 0xe0 ? 1 : u[0] < 0xf0 ? 2 : 3;
	uint32_t code = more == 0 ? u[0] : u[0] & (0x3fu >> more);

	(*p)++;
	for (; more > 0 && ((unsigned char)**p & 0xc0) == 0x80; more--, (*p)++)
		code = code << 6 | ((unsigned char)**p & 0x3f);
	return code;
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
	const char *p = text;

	status_text(c, text, sizeof(text));
	for (int i = 0; i < c->columns; i++)
		cells[i] =
		    (struct cell){ *p ? next_code(&p) : ' ', STATUS_FOREGROUND, STATUS_BACKGROUND };
	return send_row(c, 0, cells);
}

static int send_terminal_row(struct csrss *c, int row)
{
	struct cell cells[COLUMNS_MAX];

	terminal_cells(c->terminal, row, cells, c->columns);
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

/* Sends what changed, as far as the port takes it. 0, or -1 where rdpwd is gone. */
static int send_frame(struct csrss *c)
{
	int row;

	if (c->display < 0 || !c->wanted)
		return 0;
	/* the first picture is that of a session with its shell; a logon prompt's has none yet */
	if (!c->shell && c->client.user[0] && (c->listener >= 0 || c->winlogon >= 0))
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

/* winlogon is told to log USER on, or to ask; the terminal goes with it. */
static int send_logon(struct csrss *c)
{
	struct msg_verdict m = { .session = c->sm.session };
	const char *user = c->command ? "system" : c->client.user;
	int slave, result;

	if (c->logon_sent || !c->hello || (!c->command && c->display < 0))
		return 0;
	slave = terminal_open_slave(c->terminal);
	if (slave < 0)
		return die("cannot open the terminal");
	memcpy(m.user, user, strlen(user) + 1);
	memcpy(m.station, c->client.station, sizeof(m.station));
	memcpy(m.winstation, c->client.winstation, sizeof(m.winstation));
	port_header(&m.h, WL_LOGON, sizeof(m), 0);
	result = user[0] ? port_send(c->winlogon, &m.h, slave)
	                 : send_plain(c->winlogon, WL_PROMPT, slave);
	close(slave);
	c->logon_sent = true;
	return result;
}

/* A client for this session's screen. */
static int on_client(struct csrss *c, const struct msg_client *m, int *passed)
{
	if (c->display >= 0 || *passed < 0)
		return 0;
	c->client = *m;
	c->client.csrss = m->csrss;
	c->display = *passed;
	*passed = -1;
	c->columns = m->width / CELL_WIDTH;
	c->rows = m->height / CELL_HEIGHT;
	c->status_changed = true;
	if (terminal_resize(c->terminal, c->columns, c->rows - 1) < 0)
		return die("cannot resize the terminal");
	return send_logon(c);
}

/* The user that lsass agreed to, as smss says: not rdpwd's word, which has a client. */
static int on_user(struct csrss *c, const struct msg_user *m)
{
	struct msg_verdict verdict = { .session = c->sm.session, .status = STATUS_SUCCESS };

	memcpy(c->client.user, m->user, sizeof(c->client.user));
	c->status_changed = true;
	if (c->winlogon < 0)
		return 0;
	memcpy(verdict.user, m->user, sizeof(verdict.user));
	memcpy(verdict.station, c->client.station, sizeof(verdict.station));
	memcpy(verdict.winstation, c->client.winstation, sizeof(verdict.winstation));
	port_header(&verdict.h, WL_VERDICT, sizeof(verdict), 0);
	return port_send(c->winlogon, &verdict.h, -1);
}

static int on_smss(struct csrss *c)
{
	union {
		PORT_MESSAGE h;
		struct msg_client client;
		struct msg_user user;
		struct msg_end end;
	} m;
	int passed = -1, result = 0;
	ssize_t got = port_receive(c->sm.smss, &m, sizeof(m), &passed);

	if (got < 0 && errno == EAGAIN)
		return 0;
	if (got <= 0)
		return -1; /* smss is gone, and with it everything */
	if (m.h.type == CSR_CLIENT && got == sizeof(m.client)) {
		result = on_client(c, &m.client, &passed);
	} else if (m.h.type == CSR_USER && got == sizeof(m.user)) {
		result = on_user(c, &m.user);
	} else if (m.h.type == CSR_TERMINATE && got == sizeof(m.end)) {
		if (c->display >= 0) {
			m.end.h.type = DSP_END;
			port_send(c->display, &m.end.h, -1);
		}
		result = -1;
	}
	fd_close(&passed);
	return result;
}

/* winlogon connects: the only one that may, before any program of the user runs. */
static void on_connect(struct csrss *c)
{
	c->winlogon = accept4(c->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (c->winlogon < 0)
		return;
	fd_close(&c->listener);
	unlink(AP_PORT);
}

static int on_winlogon(struct csrss *c)
{
	union {
		PORT_MESSAGE h;
		struct msg_hello hello;
		struct msg_credentials credentials;
		struct msg_process process;
	} m;
	ssize_t got = port_receive(c->winlogon, &m, sizeof(m), NULL);

	if (got < 0 && errno == EAGAIN)
		return 0;
	if (got <= 0) {
		fd_close(&c->winlogon); /* smss learns of its end, and decides */
		return 0;
	}
	if (m.h.type == WL_HELLO && got == sizeof(m.hello)) {
		c->hello = true;
		c->command = m.hello.command != 0;
		return send_logon(c);
	}
	if (m.h.type == WL_CREDENTIALS && got == sizeof(m.credentials) && c->display >= 0) {
		m.credentials.h.type = DSP_CREDENTIALS;
		port_send(c->display, &m.credentials.h, -1);
		explicit_bzero(&m, sizeof(m));
		return 0;
	}
	if (m.h.type == WL_SHELL && got == sizeof(m.process)) {
		c->shell = clock_us();
		c->status_changed = true;
		return send_plain(c->sm.smss, CSR_SHELL, -1);
	}
	return 0;
}

/* rdpwd is gone. What the session comes to is smss's decision. */
static int display_lost(struct csrss *c)
{
	fd_close(&c->display);
	c->wanted = c->in_frame = false;
	return send_plain(c->sm.smss, CSR_DISCONNECTED, -1);
}

static int on_display(struct csrss *c)
{
	union {
		PORT_MESSAGE h;
		struct msg_plain plain;
		struct msg_key key;
		struct msg_verdict verdict;
	} m;
	ssize_t got = port_receive(c->display, &m, sizeof(m), NULL);

	if (got < 0 && errno == EAGAIN)
		return 0;
	if (got <= 0)
		return display_lost(c);
	if (m.h.type == DSP_READY && got == sizeof(m.plain)) {
		c->wanted = true;
	} else if (m.h.type == DSP_KEY && got == sizeof(m.key) && m.key.code <= KEY_LAST) {
		terminal_key(c->terminal, &m.key);
	} else if (m.h.type == DSP_VERDICT && got == sizeof(m.verdict) && c->winlogon >= 0 &&
	           m.verdict.status != STATUS_SUCCESS) {
		struct msg_verdict no = { .session = c->sm.session, .status = m.verdict.status };
		port_header(&no.h, WL_VERDICT, sizeof(no), 0);
		return port_send(c->winlogon, &no.h, -1);
	} else {
		log_warn("rdpwd sent a message that is not its to send: cut off");
		return display_lost(c);
	}
	return 0;
}

/* What smss asks of a subsystem. There is one desktop, and no session of another kind. */
static int32_t on_callback(void *data, SBAPIMSG *m, int *passed)
{
	(void)data;
	(void)passed;
	switch (m->ApiNumber) {
	case SbCreateSessionApi:
		return STATUS_UNSUCCESSFUL;
	case SbTerminateSessionApi:
		return STATUS_OBJECT_NAME_NOT_FOUND;
	case SbForeignSessionCompleteApi:
	case SbCreateProcessApi: /* every process of the session may use the desktop */
		return STATUS_SUCCESS;
	default:
		return STATUS_NOT_IMPLEMENTED;
	}
}

static int loop(struct csrss *c)
{
	enum { SMSS, CALLBACKS, LISTENER, WINLOGON, DISPLAY, TERMINAL, COUNT };
	bool programs = true; /* that hold the terminal */

	for (;;) {
		struct pollfd p[COUNT] = {
			{ c->sm.smss, POLLIN, 0 }, { subsystem_callback_port(&c->sm), POLLIN, 0 },
			{ c->listener, POLLIN, 0 }, { c->winlogon, POLLIN, 0 },
			{ c->display, (short)(c->in_frame ? POLLIN | POLLOUT : POLLIN), 0 },
			{ c->logon_sent && programs ? terminal_master(c->terminal) : -1, POLLIN, 0 }
		};

		if (poll(p, COUNT, -1) < 0 && errno != EINTR)
			return die("poll");
		if (p[SMSS].revents && on_smss(c) < 0)
			return 0;
		if (p[CALLBACKS].revents)
			subsystem_callback(&c->sm, on_callback, c);
		if (p[LISTENER].revents)
			on_connect(c);
		if (p[WINLOGON].revents && on_winlogon(c) < 0)
			return -1;
		if (p[TERMINAL].revents && terminal_read(c->terminal) < 0)
			programs = false; /* winlogon leaves as well */
		if ((p[DISPLAY].revents & (POLLIN | POLLHUP | POLLERR)) && on_display(c) < 0)
			return -1;
		if (send_frame(c) < 0 && display_lost(c) < 0)
			return -1;
	}
}

int main(int argc, char **argv)
{
	int status;
	struct csrss c = { .sm = SUBSYSTEM_INIT,
		.listener = -1,
		.winlogon = -1,
		.display = -1,
		.columns = 128,
		.rows = 48 };

	log_process("csrss");
	if (argc != 2) {
		log_error("started by smss only");
		return 2;
	}
	log_session((uint32_t)strtoul(argv[1], NULL, 10));
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); /* in user mode the shell has the same id */
	signal(SIGPIPE, SIG_IGN);
	signal(SIGCHLD, SIG_IGN); /* orphans of the session come to process 1: reaped at once */
	c.listener = subsystem_listen(AP_PORT);
	if (c.listener < 0)
		die("cannot listen at " AP_PORT);
	c.terminal = terminal_create(c.columns, c.rows - 1);
	if (c.listener < 0 || !c.terminal) /* there is no log yet */
		return c.terminal ? 1 : CSRSS_NO_TERMINAL;
	if (subsystem_connect(&c.sm, SUBSYSTEM_WINDOWS, SB_PORT) < 0)
		return 1;
	status = loop(&c) < 0 ? 1 : 0;
	terminal_destroy(c.terminal);
	return status;
}
