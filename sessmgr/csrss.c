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
 *   boxes     messages on top of it, until they are answered
 *
 * Clients come and go; each has smss's number, which csrss repeats when it tells of it.
 *
 * Its end is the session's: the kernel ends every other process with it. Where smss ends first,
 * it goes on, and looks for the next smss, which has this session on its record.
 */
#include "csrss.h"
#include "clock.h"
#include "conceal.h"
#include "log.h"
#include "ntstatus.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define AP_PORT "/run/Windows/ApiPort"
#define SB_PORT "/run/Windows/SbApiPort"

enum { INPUT_PAUSE_US = 1000000, ASK_PAUSE_US = 100000 };

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

/* What cannot be sent, as smss has ended, the next one is told in another way, or has no use for. */
static int tell_smss(struct csrss *c, const PORT_MESSAGE *m, int passed)
{
	if (c->sm.smss >= 0)
		port_send(c->sm.smss, m, passed);
	return 0;
}

static int tell_smss_plainly(struct csrss *c, uint16_t type)
{
	struct msg_plain m;

	port_header(&m.h, type, sizeof(m), 0);
	return tell_smss(c, &m.h, -1);
}

/* What winlogon is told first: whom to log on, or to ask who it is, or which session it shall
   be. */
static int tell_winlogon(struct csrss *c, int terminal)
{
	struct msg_verdict m = { .session = c->sm.session };
	const char *user = c->command ? "system" : c->client.user;

	if (!c->command && c->choices.count > 0) {
		c->choices.h.type = WL_CHOICES;
		return port_send(c->winlogon, &c->choices.h, terminal);
	}
	if (!user[0])
		return send_plain(c->winlogon, WL_PROMPT, terminal);
	memcpy(m.user, user, strlen(user) + 1);
	memcpy(m.station, c->client.station, sizeof(m.station));
	memcpy(m.winstation, c->client.winstation, sizeof(m.winstation));
	port_header(&m.h, WL_LOGON, sizeof(m), 0);
	return port_send(c->winlogon, &m.h, terminal);
}

/* winlogon begins once it and a client are there; the terminal goes with the message. A user
   that is known is logged on though his client may have gone. */
static int send_logon(struct csrss *c)
{
	int slave, result;

	if (c->logon_sent || !c->hello || (!c->command && !c->client.connection))
		return 0;
	slave = terminal_open_slave(c->terminal);
	if (slave < 0)
		return die("cannot open the terminal");
	result = tell_winlogon(c, slave);
	close(slave);
	c->logon_sent = true;
	return result;
}

/* The client is told why, and let go. */
static void end_display(struct csrss *c, uint32_t reason)
{
	struct msg_end m = { .reason = reason };

	if (c->display < 0)
		return;
	port_header(&m.h, DSP_END, sizeof(m), 0);
	port_send(c->display, &m.h, -1);
	fd_close(&c->display);
	frame_forget(c);
}

static int display_lost(struct csrss *c);

/* A client for this session's screen: in the place of another perhaps. */
static int on_client(struct csrss *c, const struct msg_client *m, int *passed)
{
	end_display(c, END_REPLACED);
	c->client = *m;
	if (*passed < 0) /* out of descriptors */
		return display_lost(c);
	c->display = *passed;
	*passed = -1;
	c->wanted = m->wanted;
	c->in_frame = false;
	c->unknown_layout = 0; /* it says so with its next question */
	c->columns = m->width / CELL_WIDTH;
	c->rows = m->height / CELL_HEIGHT;
	if (terminal_resize(c->terminal, c->columns, c->rows - 1) < 0)
		log_warn("the terminal stays as large as it was: %s", strerror(errno));
	frame_redraw(c);
	return send_logon(c);
}

/* The client becomes another session's: its port goes back to smss, unless it has just gone. */
static int on_yield(struct csrss *c)
{
	struct msg_connection m = { .connection = c->client.connection, .wanted = c->wanted };
	int result;

	if (c->display < 0)
		return 0;
	port_header(&m.h, CSR_DISPLAY, sizeof(m), 0);
	result = tell_smss(c, &m.h, c->display);
	fd_close(&c->display);
	frame_forget(c);
	return result;
}

/* The user that lsass agreed to, as smss says: not rdpwd's word, which has a client. */
static int on_user(struct csrss *c, const struct msg_user *m)
{
	struct msg_verdict verdict = { .session = c->sm.session, .status = STATUS_SUCCESS };

	memcpy(c->client.user, m->user, sizeof(c->client.user));
	c->choices.count = 0;
	c->status_changed = true;
	if (c->winlogon < 0)
		return 0;
	memcpy(verdict.user, m->user, sizeof(verdict.user));
	memcpy(verdict.station, c->client.station, sizeof(verdict.station));
	memcpy(verdict.winstation, c->client.winstation, sizeof(verdict.winstation));
	port_header(&verdict.h, WL_VERDICT, sizeof(verdict), 0);
	return port_send(c->winlogon, &verdict.h, -1);
}

/* The user is to say which session it shall be: asked now, or when winlogon is there. */
static int on_choices(struct csrss *c, const struct msg_choices *m)
{
	c->choices = *m;
	if (c->choices.count > CHOICES_MAX)
		return -1;
	return c->logon_sent && c->winlogon >= 0 ? tell_winlogon(c, -1) : 0;
}

static int respond(struct csrss *c, uint32_t number, uint32_t response)
{
	struct msg_response m = { .number = number, .response = response };

	if (number == 0)
		return 0;
	frame_redraw(c);
	port_header(&m.h, CSR_RESPONSE, sizeof(m), 0);
	return tell_smss(c, &m.h, -1);
}

static int on_message(struct csrss *c, struct msg_box *m)
{
	m->title[sizeof(m->title) - 1] = m->text[sizeof(m->text) - 1] = 0;
	frame_redraw(c);
	return respond(c, box_add(&c->boxes, m, clock_us()), BOX_TIMEOUT);
}

/* smss is told of keys and the mouse, but not of each. */
static int on_input(struct csrss *c)
{
	uint64_t now = clock_us();

	if (now - c->input_told < INPUT_PAUSE_US)
		return 0;
	c->input_told = now;
	return tell_smss_plainly(c, CSR_INPUT);
}

static int on_key(struct csrss *c, const struct msg_key *key)
{
	uint32_t answered;

	if (on_input(c) < 0)
		return -1;
	if (box_key(&c->boxes, clock_us(), &answered))
		return respond(c, answered, BOX_OK);
	terminal_key(c->terminal, key);
	return 0;
}

static int on_logoff(struct csrss *c)
{
	return c->winlogon < 0 ? 0 : send_plain(c->winlogon, WL_LOGOFF, -1);
}

/* smss has ended, or the one that was asked knows nothing of this session. */
static int smss_lost(struct csrss *c)
{
	subsystem_lose(&c->sm);
	if (!c->sm.keep)
		return -1;
	if (!c->lost_smss)
		c->lost_smss = clock_us();
	return 0;
}

/* Looks for the next smss, for as long as the last one said. */
static int find_smss(struct csrss *c)
{
	uint64_t now = clock_us();

	if (c->sm.smss >= 0 || !c->lost_smss || now - c->asked < ASK_PAUSE_US)
		return 0;
	if (now - c->lost_smss > c->sm.keep * UINT64_C(1000000)) {
		log_warn("no smss came in %u s: the session ends", c->sm.keep);
		end_display(c, END_CSRSS_CRASH);
		return -1;
	}
	c->asked = now;
	subsystem_ask_adoption(&c->sm, c->display >= 0 ? c->client.connection : 0, c->shell);
	return 0;
}

/* It knows this session; its callbacks come by the port beside the answer. */
static void adopted(struct csrss *c, const struct msg_csr_connect *m, int *passed)
{
	if (m->status != STATUS_SUCCESS || *passed < 0)
		return;
	fd_close(&c->sm.callbacks);
	c->sm.callbacks = *passed;
	*passed = -1;
	c->lost_smss = 0;
	c->sm.keep = m->keep;
}

static int on_smss(struct csrss *c)
{
	union {
		PORT_MESSAGE h;
		struct msg_client client;
		struct msg_user user;
		struct msg_end end;
		struct msg_choices choices;
		struct msg_box box;
		struct msg_csr_connect connect;
	} m;
	int passed = -1, result = 0;
	ssize_t got = port_receive(c->sm.smss, &m, sizeof(m), &passed);

	if (got < 0 && errno == EAGAIN)
		return 0;
	if (got <= 0)
		return smss_lost(c);
	if (m.h.type == CSR_CLIENT && got == sizeof(m.client)) {
		result = on_client(c, &m.client, &passed);
	} else if (m.h.type == CSR_USER && got == sizeof(m.user)) {
		result = on_user(c, &m.user);
	} else if (m.h.type == CSR_TERMINATE && got == sizeof(m.end)) {
		end_display(c, m.end.reason);
		result = -1;
	} else if (m.h.type == CSR_CONNECT && got == sizeof(m.connect)) {
		adopted(c, &m.connect, &passed);
	} else if (m.h.type == CSR_DETACH && got == sizeof(m.end)) {
		end_display(c, m.end.reason);
	} else if (m.h.type == CSR_YIELD) {
		result = on_yield(c);
	} else if (m.h.type == CSR_CHOICES && got == sizeof(m.choices)) {
		result = on_choices(c, &m.choices);
	} else if (m.h.type == CSR_MESSAGE && got == sizeof(m.box)) {
		result = on_message(c, &m.box);
	} else if (m.h.type == CSR_LOGOFF) {
		result = on_logoff(c);
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
		struct msg_choice choice;
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
	if (m.h.type == WL_LOGOFF)
		return tell_smss_plainly(c, CSR_LOGOFF);
	if (m.h.type == WL_CHOICE && got == sizeof(m.choice)) {
		m.choice.h.type = CSR_CHOICE;
		return tell_smss(c, &m.choice.h, -1);
	}
	if (m.h.type == WL_SHELL && got == sizeof(m.process)) {
		c->shell = clock_us();
		c->status_changed = true;
		return tell_smss_plainly(c, CSR_SHELL);
	}
	return 0;
}

/* rdpwd is gone. What the session comes to is smss's decision. */
static int display_lost(struct csrss *c)
{
	struct msg_connection m = { .connection = c->client.connection };

	fd_close(&c->display);
	frame_forget(c);
	port_header(&m.h, CSR_DISCONNECTED, sizeof(m), 0);
	return tell_smss(c, &m.h, -1);
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
		c->status_changed = c->status_changed || c->unknown_layout != m.h.message_id;
		c->unknown_layout = m.h.message_id;
	} else if (m.h.type == DSP_KEY && got == sizeof(m.key) && m.key.code <= KEY_LAST) {
		return on_key(c, &m.key);
	} else if (m.h.type == DSP_INPUT && got == sizeof(m.plain)) {
		return on_input(c);
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

static int timeout(const struct csrss *c)
{
	int box = box_timeout(&c->boxes, clock_us());

	if (c->lost_smss && (box < 0 || box > ASK_PAUSE_US / 1000))
		return ASK_PAUSE_US / 1000;
	return box;
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

		if (poll(p, COUNT, timeout(c)) < 0 && errno != EINTR)
			return die("poll");
		if (p[SMSS].revents && on_smss(c) < 0)
			return 0;
		if (find_smss(c) < 0)
			return 0;
		/* another's by now, perhaps */
		if (p[CALLBACKS].revents && p[CALLBACKS].fd == subsystem_callback_port(&c->sm))
			subsystem_callback(&c->sm, on_callback, c);
		if (p[LISTENER].revents)
			on_connect(c);
		if (p[WINLOGON].revents && on_winlogon(c) < 0)
			return -1;
		if (p[TERMINAL].revents && terminal_read(c->terminal) < 0)
			programs = false; /* winlogon leaves as well */
		/* smss may have taken it meanwhile */
		if (c->display >= 0 && (p[DISPLAY].revents & (POLLIN | POLLHUP | POLLERR)) &&
		    on_display(c) < 0)
			return -1;
		if (respond(c, box_take_expired(&c->boxes, clock_us()), BOX_TIMEOUT) < 0)
			return -1;
		if (frame_send(c) < 0 && display_lost(c) < 0)
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
	if (conceal() < 0) /* in user mode the shell has the same id */
		return 1;
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
