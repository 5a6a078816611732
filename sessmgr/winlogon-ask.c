/* The logon prompt, and the list of a user's sessions. */
#include "winlogon.h"

#include "line.h"
#include "ntstatus.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

enum { TRIES = 3, PROMPT_SECONDS = 120 };

static void say(int terminal, const char *text)
{
	(void)!write(terminal, text, strlen(text));
}

#define CHOICE_PROMPT "The session's number, or nothing for a new session: "

/* How many columns the screen has, 0 where that is not known. */
static int columns(int terminal)
{
	struct winsize size;

	return ioctl(terminal, TIOCGWINSZ, &size) < 0 ? 0 : size.ws_col;
}

/* Reads a line behind PROMPT; an empty one does not end where it is NEEDED. Returns 0, or -1 at the
   terminal's end. */
static int read_line(
    int terminal, const char *prompt, char *text, size_t size, bool shown, bool needed)
{
	char echo[PASSWORD_SIZE + LINE_ECHO_MORE], c;
	struct line line;
	bool ended = false;

	line_begin(&line, prompt, text, size, shown);
	say(terminal, prompt);
	while (!ended) {
		ssize_t got = read(terminal, &c, 1);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return -1;
		ended = line_take(&line, c, columns(terminal), echo) && (line.used > 0 || !needed);
		say(terminal, echo);
	}
	say(terminal, "\n");
	return 0;
}

/* Whether keys come here one by one, and nothing is shown but what is written; or as a program of the
   user expects it. */
static void prompting(int terminal, bool on)
{
	const tcflag_t line = ICANON | ECHO | ISIG | IEXTEN;
	struct termios t;

	if (tcgetattr(terminal, &t) < 0)
		return;
	t.c_lflag = on ? t.c_lflag & ~line : t.c_lflag | line;
	tcsetattr(terminal, TCSANOW, &t);
}

/* Of a name /etc/passwd and a directory are made. */
static bool is_verdict(const struct msg_verdict *m, ssize_t got)
{
	return got == sizeof(*m) && port_text_valid(m->user, sizeof(m->user)) &&
	       port_text_valid(m->station, sizeof(m->station)) &&
	       port_text_valid(m->winstation, sizeof(m->winstation)) &&
	       (m->status != STATUS_SUCCESS ||
	           (m->user[0] && m->user[0] != '.' && !strpbrk(m->user, ":/")));
}

int winlogon_receive(int port, union told *told, int *terminal)
{
	ssize_t got = port_receive(port, told, sizeof(*told), terminal);
	bool first = terminal != NULL, good;

	switch (got > 0 ? told->h.type : 0) {
	case WL_LOGON:
		good = first && is_verdict(&told->verdict, got) &&
		       told->verdict.status == STATUS_SUCCESS;
		break;
	case WL_VERDICT:
		good = !first && is_verdict(&told->verdict, got);
		break;
	case WL_CHOICES:
		good = got == sizeof(told->choices) && told->choices.count <= CHOICES_MAX;
		break;
	case WL_PROMPT:
		good = first;
		break;
	default:
		good = false; /* WL_LOGOFF too: there is nothing to end yet */
	}
	return good ? 0 : -1;
}

/* One question for name and password. Fills *TOLD with the answer. 0 or -1. */
static int ask_once(int port, int terminal, union told *told)
{
	struct msg_credentials m = { 0 };
	int result = -1;

	if (read_line(terminal, "User name: ", m.user, sizeof(m.user), true, true) < 0)
		return -1;
	if (read_line(terminal, "Password:  ", m.password, sizeof(m.password), false, true) == 0) {
		port_header(&m.h, WL_CREDENTIALS, sizeof(m), 0);
		if (port_send(port, &m.h, -1) == 0)
			result = winlogon_receive(port, told, NULL);
	}
	explicit_bzero(&m, sizeof(m));
	return result;
}

static void on_alarm(int number)
{
	(void)number;
	_exit(WINLOGON_NO_LOGON);
}

/* The logon prompt: TRIES tries in PROMPT_SECONDS, for nobody knows yet who has this session.
   0, or -1. */
static int ask(int port, int terminal, union told *told)
{
	signal(SIGALRM, on_alarm);
	alarm(PROMPT_SECONDS);
	say(terminal, "\r\nThis session has no user yet. Please log on.\r\n\r\n");
	for (int i = 0; i < TRIES; i++) {
		if (ask_once(port, terminal, told) < 0)
			return -1;
		alarm(told->h.type == WL_CHOICES || told->verdict.status == STATUS_SUCCESS
		          ? 0
		          : PROMPT_SECONDS);
		if (told->h.type == WL_CHOICES || told->verdict.status == STATUS_SUCCESS)
			return 0;
		say(terminal,
		    told->verdict.status == STATUS_LOGON_FAILURE
		        ? "The user name or password is incorrect.\r\n\r\n"
		        : "Too many logons from your address have failed. Please wait.\r\n\r\n");
	}
	return -1;
}

/* ---- which session it shall be ---- */

static void show_time(uint64_t seconds, char *text, size_t size)
{
	time_t t = (time_t)seconds;
	const struct tm *local = localtime(&t); /* NULL: no calendar reaches that far */

	if (!local || strftime(text, size, "%Y-%m-%d %H:%M", local) == 0)
		snprintf(text, size, "%16s", "-");
}

static void show_choices(int terminal, const struct msg_choices *m)
{
	char line[160], since[32], at[32];

	say(terminal, m->refused ? "\r\nThat session is not there any more.\r\n"
	                         : "\r\nYou have sessions that are disconnected.\r\n");
	say(terminal, "\r\n  SESSION  LOGGED ON         DISCONNECTED\r\n");
	for (uint32_t i = 0; i < m->count; i++) {
		show_time(m->choices[i].started, since, sizeof(since));
		show_time(m->choices[i].disconnected, at, sizeof(at));
		snprintf(line, sizeof(line), "  %7u  %s  %s\r\n", m->choices[i].session, since, at);
		say(terminal, line);
	}
	say(terminal, "\r\n");
}

/* Whether TEXT names one of M's sessions by its id, or, empty, a new one. */
static bool parse_choice(const char *text, const struct msg_choices *m, uint32_t *session)
{
	char *end;
	unsigned long id;

	*session = NO_SESSION;
	if (!*text)
		return true;
	id = strtoul(text, &end, 10);
	for (uint32_t i = 0; !*end && i < m->count; i++)
		if (m->choices[i].session == id) {
			*session = (uint32_t)id;
			return true;
		}
	return false;
}

/* Asks until the user named a session. 0, or -1 at the terminal's end. */
static int ask_session(int terminal, const struct msg_choices *m, uint32_t *session)
{
	char text[16];

	do {
		if (read_line(terminal, CHOICE_PROMPT, text, sizeof(text), true, false) < 0)
			return -1;
	} while (!parse_choice(text, m, session));
	return 0;
}

/* The list, until csrss says who logs on here; the choice of another session ends this one. */
static int choose(int port, int terminal, union told *told)
{
	struct msg_choice m = { 0 };

	signal(SIGALRM, on_alarm);
	alarm(PROMPT_SECONDS);
	do {
		show_choices(terminal, &told->choices);
		if (ask_session(terminal, &told->choices, &m.session) < 0)
			return -1;
		port_header(&m.h, WL_CHOICE, sizeof(m), 0);
		if (port_send(port, &m.h, -1) < 0 || winlogon_receive(port, told, NULL) < 0)
			return -1;
	} while (told->h.type == WL_CHOICES);
	alarm(0);
	return told->verdict.status == STATUS_SUCCESS ? 0 : -1;
}

int winlogon_ask_user(int port, int terminal, union told *told)
{
	prompting(terminal, true);
	if (told->h.type == WL_PROMPT && ask(port, terminal, told) < 0)
		return -1;
	if (told->h.type == WL_CHOICES && choose(port, terminal, told) < 0)
		return -1;
	prompting(terminal, false);
	return 0;
}
