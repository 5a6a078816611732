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
#include "open-files.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define AP_PORT "/run/Windows/ApiPort"
#define SB_PORT "/run/Windows/SbApiPort"

enum { ASK_PAUSE_US = 100000, LAST_WORDS = 16 };

static int die(const char *what)
{
	log_error("%s: %s", what, strerror(errno));
	return -1;
}

/* Looks for the next smss, for as long as the last one said. */
static int find_smss(struct csrss *c)
{
	uint64_t now = clock_us();

	if (c->sm.smss >= 0 || !c->lost_smss || now - c->asked < ASK_PAUSE_US)
		return 0;
	if (now - c->lost_smss > c->sm.keep * UINT64_C(1000000)) { /* and nobody to tell it to */
		csrss_end_display(c, END_CSRSS_CRASH);
		return -1;
	}
	c->asked = now;
	subsystem_ask_adoption(&c->sm, c->display >= 0 ? c->client.connection : 0, c->shell);
	return 0;
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

/* winlogon has ended, perhaps, and said why: smss's word of that end overtakes it. */
static void hear_winlogon_out(struct csrss *c)
{
	struct pollfd p = { c->winlogon, POLLIN, 0 };

	for (int i = 0; i < LAST_WORDS && c->winlogon >= 0 && poll(&p, 1, 0) > 0; i++)
		csrss_on_winlogon(c);
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

	for (;;) {
		struct pollfd p[COUNT] = { { c->sm.smss, POLLIN, 0 },
			{ subsystem_callback_port(&c->sm), POLLIN, 0 }, { c->listener, POLLIN, 0 },
			{ c->winlogon, POLLIN, 0 },
			{ c->display, (short)(c->in_frame ? POLLIN | POLLOUT : POLLIN), 0 },
			{ c->logon_sent ? terminal_master(c->terminal) : -1, POLLIN, 0 } };

		if (poll(p, COUNT, timeout(c)) < 0 && errno != EINTR)
			return die("poll");
		if (p[SMSS].revents && csrss_on_smss(c) < 0)
			return 0;
		if (find_smss(c) < 0)
			return 0;
		/* another's by now, perhaps */
		if (p[CALLBACKS].revents && p[CALLBACKS].fd == subsystem_callback_port(&c->sm))
			subsystem_callback(&c->sm, csrss_on_callback, c);
		if (p[LISTENER].revents)
			on_connect(c);
		if (p[WINLOGON].revents && csrss_on_winlogon(c) < 0)
			return -1;
		if (p[TERMINAL].revents)
			terminal_read(c->terminal);
		/* smss may have taken it meanwhile */
		if (c->display >= 0 && (p[DISPLAY].revents & (POLLIN | POLLHUP | POLLERR)) &&
		    csrss_on_display(c) < 0)
			return -1;
		if (csrss_respond(c, box_take_expired(&c->boxes, clock_us()), BOX_TIMEOUT) < 0)
			return -1;
		if (frame_send(c) < 0 && csrss_display_lost(c) < 0)
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
	open_files_raise();
	signal(SIGPIPE, SIG_IGN);
	signal(SIGCHLD, SIG_IGN); /* orphans of the session come to process 1: reaped at once */
	c.listener = subsystem_listen(AP_PORT);
	if (c.listener < 0)
		die("cannot listen at " AP_PORT);
	c.terminal = terminal_create(c.columns, c.rows - 1);
	if (c.listener < 0 || !c.terminal) /* nobody takes lines yet */
		return c.terminal ? 1 : CSRSS_NO_TERMINAL;
	if (subsystem_connect(&c.sm, SUBSYSTEM_WINDOWS, SB_PORT) < 0)
		return 1;
	status = loop(&c) < 0 ? 1 : 0;
	hear_winlogon_out(&c);
	terminal_destroy(c.terminal);
	return status;
}
