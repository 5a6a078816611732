/*
 * csrss's messages: what each of its peers says, and who is told of it. smss is believed; rdpwd is a
 * stranger's, and what it may not say cuts it off; winlogon is the session's.
 */
#include "clock.h"
#include "csrss.h"
#include "log.h"
#include "ntstatus.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { INPUT_PAUSE_US = 1000000, DISPLAY_ROOM = 106496 /* the kernel doubles it */ };

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

/* That winlogon has ended smss learns, and decides; and whoever does not read is not waited for. */
static void tell_winlogon(struct csrss *c, const PORT_MESSAGE *m, int passed)
{
	if (c->winlogon >= 0)
		port_send(c->winlogon, m, passed);
}

static void tell_winlogon_plainly(struct csrss *c, uint16_t type, int passed)
{
	struct msg_plain m;

	port_header(&m.h, type, sizeof(m), 0);
	tell_winlogon(c, &m.h, passed);
}

/* Who is logged on, by the client that is at the screen. */
static void tell_winlogon_user(struct csrss *c, uint16_t type, const char *user, int passed)
{
	struct msg_verdict m = { .session = c->sm.session, .status = STATUS_SUCCESS };

	memcpy(m.user, user, strlen(user) + 1);
	memcpy(m.station, c->client.station, sizeof(m.station));
	memcpy(m.winstation, c->client.winstation, sizeof(m.winstation));
	port_header(&m.h, type, sizeof(m), 0);
	tell_winlogon(c, &m.h, passed);
}

static void ask_choice(struct csrss *c, int terminal)
{
	c->choices.h.type = WL_CHOICES;
	tell_winlogon(c, &c->choices.h, terminal);
}

/* What winlogon is told first: whom to log on, or to ask who it is, or which session it shall
   be. */
static void begin_winlogon(struct csrss *c, int terminal)
{
	const char *user = c->command ? "system" : c->client.user;

	if (!c->command && c->choices.count > 0) {
		ask_choice(c, terminal);
	} else if (!user[0]) {
		tell_winlogon_plainly(c, WL_PROMPT, terminal);
	} else {
		tell_winlogon_user(c, WL_LOGON, user, terminal);
	}
}

/* winlogon begins once it and a client are there; the terminal goes with the message. A user
   that is known is logged on though his client may have gone. */
static int send_logon(struct csrss *c)
{
	int slave;

	if (c->logon_sent || !c->hello || c->winlogon < 0 || (!c->command && !c->client.connection))
		return 0;
	slave = terminal_open_slave(c->terminal);
	if (slave < 0) {
		log_error("cannot open the terminal: %s", strerror(errno));
		return -1;
	}
	c->logon_sent = true;
	begin_winlogon(c, slave);
	return 0;
}

static void set_room(int port, int bytes)
{
	setsockopt(port, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
}

/* Rows that a slow client has not taken may fill the port: what has to reach it all the same gets more
   room for itself. 0 or -1. */
static int tell_display(struct csrss *c, const PORT_MESSAGE *m)
{
	int result;

	if (port_send(c->display, m, -1) == 0)
		return 0;
	set_room(c->display, 2 * DISPLAY_ROOM);
	result = port_send(c->display, m, -1);
	set_room(c->display, DISPLAY_ROOM);
	return result;
}

void csrss_end_display(struct csrss *c, uint32_t reason)
{
	struct msg_end m = { .reason = reason };

	if (c->display < 0)
		return;
	port_header(&m.h, DSP_END, sizeof(m), 0);
	tell_display(c, &m.h);
	fd_close(&c->display);
	frame_forget(c);
}

/* A client for this session's screen: in the place of another perhaps. */
static int on_client(struct csrss *c, const struct msg_client *m, int *passed)
{
	csrss_end_display(c, END_REPLACED);
	c->client = *m;
	if (*passed < 0) /* out of descriptors */
		return csrss_display_lost(c);
	c->display = *passed;
	*passed = -1;
	c->wanted = m->wanted;
	c->in_frame = c->asks = false;
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

/* The user that lsass agreed to, as smss says: not rdpwd's word, which has a client. Where winlogon has
   not begun it begins with him. */
static void on_user(struct csrss *c, const struct msg_user *m)
{
	memcpy(c->client.user, m->user, sizeof(c->client.user));
	c->choices.count = 0;
	c->status_changed = true;
	if (c->logon_sent)
		tell_winlogon_user(c, WL_VERDICT, m->user, -1);
}

/* The user is to say which session it shall be: asked now, or when winlogon is there. */
static int on_choices(struct csrss *c, const struct msg_choices *m)
{
	c->choices = *m;
	if (c->choices.count > CHOICES_MAX)
		return -1;
	if (c->logon_sent)
		ask_choice(c, -1);
	return 0;
}

int csrss_respond(struct csrss *c, uint32_t number, uint32_t response)
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
	if (m->number == 0) /* no box has that */
		return 0;
	m->title[sizeof(m->title) - 1] = m->text[sizeof(m->text) - 1] = 0;
	frame_redraw(c);
	return csrss_respond(c, box_add(&c->boxes, m, clock_us()), BOX_TIMEOUT);
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
		return csrss_respond(c, answered, BOX_OK);
	terminal_key(c->terminal, key);
	return 0;
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

int csrss_on_smss(struct csrss *c)
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
		on_user(c, &m.user);
	} else if (m.h.type == CSR_TERMINATE && got == sizeof(m.end)) {
		csrss_end_display(c, m.end.reason);
		result = -1;
	} else if (m.h.type == SM_PING) {
		ping_answer(c->sm.smss);
	} else if (m.h.type == CSR_CONNECT && got == sizeof(m.connect)) {
		adopted(c, &m.connect, &passed);
	} else if (m.h.type == CSR_DETACH && got == sizeof(m.end)) {
		csrss_end_display(c, m.end.reason);
	} else if (m.h.type == CSR_YIELD) {
		result = on_yield(c);
	} else if (m.h.type == CSR_CHOICES && got == sizeof(m.choices)) {
		result = on_choices(c, &m.choices);
	} else if (m.h.type == CSR_MESSAGE && got == sizeof(m.box)) {
		result = on_message(c, &m.box);
	} else if (m.h.type == CSR_LOGOFF) {
		tell_winlogon_plainly(c, WL_LOGOFF, -1);
	}
	fd_close(&passed);
	return result;
}

int csrss_on_winlogon(struct csrss *c)
{
	union {
		PORT_MESSAGE h;
		struct msg_hello hello;
		struct msg_credentials credentials;
		struct msg_process process;
		struct msg_choice choice;
		struct msg_log log;
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
		c->asks = tell_display(c, &m.credentials.h) == 0;
		explicit_bzero(&m, sizeof(m));
		return 0;
	}
	if (m.h.type == LOG_LINE && got == sizeof(m.log) && log_line_valid(&m.log)) {
		m.log.owner = LOG_WINLOGON;
		return tell_smss(c, &m.log.h, -1);
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

int csrss_display_lost(struct csrss *c)
{
	struct msg_connection m = { .connection = c->client.connection };

	fd_close(&c->display);
	frame_forget(c);
	port_header(&m.h, CSR_DISCONNECTED, sizeof(m), 0);
	return tell_smss(c, &m.h, -1);
}

/* What was typed is wrong: told once for each time that it was asked, as a client that was another session's
   may have asked there, and winlogon has other things to listen for later. */
static void on_refusal(struct csrss *c, int32_t status)
{
	struct msg_verdict m = { .session = c->sm.session, .status = status };

	if (!c->asks)
		return;
	c->asks = false;
	port_header(&m.h, WL_VERDICT, sizeof(m), 0);
	tell_winlogon(c, &m.h, -1);
}

int csrss_on_display(struct csrss *c)
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
		return csrss_display_lost(c);
	if (m.h.type == DSP_READY && got == sizeof(m.plain)) {
		c->wanted = true;
		c->status_changed = c->status_changed || c->unknown_layout != m.h.message_id;
		c->unknown_layout = m.h.message_id;
	} else if (m.h.type == DSP_KEY && got == sizeof(m.key) && m.key.code <= KEY_LAST) {
		return on_key(c, &m.key);
	} else if (m.h.type == DSP_INPUT && got == sizeof(m.plain)) {
		return on_input(c);
	} else if (m.h.type == DSP_VERDICT && got == sizeof(m.verdict) &&
	           m.verdict.status != STATUS_SUCCESS) {
		on_refusal(c, m.verdict.status);
	} else {
		log_warn("rdpwd sent a message that is not its to send: cut off");
		return csrss_display_lost(c);
	}
	return 0;
}

int32_t csrss_on_callback(void *data, SBAPIMSG *m, int *passed)
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
