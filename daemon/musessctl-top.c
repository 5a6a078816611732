/*
 * musessctl top: samples what the sessions use, and shows it: on a terminal as a view that
 * takes keys, elsewhere as a table, or a line of JSON, for each interval. smss is asked over
 * one connection; what a key asks for has one of its own, as a logoff is answered when it is
 * done, and the view goes on meanwhile. In the view nothing is written to standard error before the terminal is
 * what it was.
 */
#include "musessctl-top.h"
#include "musessctl-show.h"
#include "musessctl.h"
#include "ntstatus.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

struct top {
	struct request *request;
	uint64_t interval; /* milliseconds */
	uint64_t left;     /* snapshots until the end; 0: without one */
	struct top_sample sample;
	struct top_view view;
	bool typing; /* a message to SESSION */
	struct top_text text;
	uint32_t session;
	struct request action; /* what a key asked for last; no port: it was answered */
	char what[64];         /* it is called */
};

/* ---- samples ---- */

/* Sessions see no processes of the service, and smss names none to them: then there are none,
   which is no error. Returns 0 or an exit status. */
static int read_processes(struct request *r, const struct answers *sessions,
    struct proctree_entry **processes, size_t *count)
{
	const struct msg_session *s = sessions->messages;

	for (size_t i = 0; i < sessions->count; i++)
		if (s[i].own)
			return 0;
	return ctl_ask_processes(r, sessions, processes, count);
}

/* Replaces the sample by one of now. Returns 0 or an exit status. */
static int take_sample(struct top *t)
{
	struct request *r = t->request;
	struct answers list = { 0 };
	struct proctree_entry *processes = NULL;
	struct tcpinfo *connections;
	struct top_sample now = { .at = ctl_now() };
	size_t process_count = 0, connection_count = 0;
	int status;

	r->deadline = 0; /* each time anew */
	status = ctl_ask_sessions(r, &list);
	if (status == 0)
		status = read_processes(r, &list, &processes, &process_count);
	connections = tcpinfo_read(&connection_count);
	if (status == 0 && top_fill(&now, list.messages, list.count, processes, process_count,
	                       connections, connections ? connection_count : 0) < 0)
		status = ctl_failed(r, "the list");
	if (status == 0) {
		top_rates(&now, &t->sample, (double)sysconf(_SC_CLK_TCK));
		top_free(&t->sample);
		t->sample = now;
	}
	free(connections);
	free(processes);
	free(list.messages);
	return status;
}

/* ---- without a terminal ---- */

/* Returns an exit status. */
static int show_sample(struct top *t)
{
	if (t->request->json)
		return ctl_print_json_line(t->request, top_json(&t->sample));
	top_show(stdout, &t->sample);
	putchar('\n');
	fflush(stdout); /* an error is found at the end */
	return 0;
}

/* Until a signal, the reader or the count ends it. Rates need two samples: the first is not
   shown. Returns an exit status. */
static int run_plainly(struct top *t)
{
	uint64_t next = ctl_now();
	int status = take_sample(t);

	while (status == 0) {
		unsigned events;

		next += t->interval;
		do
			events = ctl_wait(t->request, 0, next);
		while (!(events & CTL_WAIT_END) && ctl_now() < next);
		if (events & CTL_WAIT_END)
			break;
		status = take_sample(t);
		if (status == 0)
			status = show_sample(t);
		if (t->left && --t->left == 0)
			break;
	}
	return status;
}

/* ---- what keys do ---- */

static uint32_t selected_session(const struct top *t)
{
	return t->sample.count ? t->sample.rows[t->view.selected].session.session : NO_SESSION;
}

/* Asks for something about a session. smss goes on with what was asked before, but nobody
   hears of it. Returns 0 or an exit status. */
static int act(
    struct top *t, const char *what, uint32_t session, PORT_MESSAGE *m, uint16_t type, size_t size)
{
	int status;

	fd_close(&t->action.port);
	t->action = *t->request;
	t->action.port = -1;
	t->action.deadline = 0;
	snprintf(t->what, sizeof(t->what), "%s session %u", what, session);
	snprintf(t->view.status, sizeof(t->view.status), "%s ...", t->what);
	status = ctl_connect(&t->action);
	return status ? status : ctl_ask(&t->action, m, type, size);
}

/* Says on the last line what came of it. Returns 0 or an exit status. */
static int take_answer(struct top *t)
{
	union answer answer;
	int status = ctl_receive(&t->action, &answer);

	if (status)
		return status;
	if (answer.h.type != CTL_DISCONNECT && answer.h.type != CTL_LOGOFF &&
	    answer.h.type != CTL_MESSAGE)
		return ctl_bad_answer(t->request);
	fd_close(&t->action.port);
	if (!t->typing)
		snprintf(t->view.status, sizeof(t->view.status), "%s: %s", t->what,
		    answer.control.status == STATUS_SUCCESS ? "done"
		                                            : ntstatus_text(answer.control.status));
	return 0;
}

static int act_on_selected(struct top *t, const char *what, uint16_t type)
{
	struct msg_control m = { .session = selected_session(t) };

	return m.session == NO_SESSION ? 0 : act(t, what, m.session, &m.h, type, sizeof(m));
}

static int send_message(struct top *t)
{
	struct msg_box box = { .session = t->session };

	if (!port_text_valid(t->text.text, sizeof(t->text.text))) {
		snprintf(t->view.status, sizeof(t->view.status), "The message is not UTF-8");
		return 0;
	}
	if (ctl_fill_box(&box, NULL, t->text.text) != 0)
		return CTL_USAGE;
	return act(t, "Message to", t->session, &box.h, CTL_MESSAGE, sizeof(box));
}

/* The last line shows the end of what is typed. */
static void show_typed(struct top *t)
{
	char label[64];
	int room = t->view.width - 1 -
	           snprintf(label, sizeof(label), "Message to session %u: ", t->session);
	const char *end = t->text.text + t->text.length;

	for (int i = 0; i < room && end > t->text.text; i++)
		do
			end--;
		while (end > t->text.text && (*end & 0xc0) == 0x80);
	snprintf(t->view.status, sizeof(t->view.status), "%s%.180s", label, end);
}

/* Returns 0 or an exit status. */
static int type_byte(struct top *t, char byte)
{
	enum top_typed typed = top_type(&t->text, byte);

	t->typing = typed == TOP_TYPING;
	t->view.status[0] = 0;
	if (t->typing)
		show_typed(t);
	return typed == TOP_ENTERED ? send_message(t) : 0;
}

static void begin_message(struct top *t)
{
	t->session = selected_session(t);
	t->typing = t->session != NO_SESSION;
	t->text = (struct top_text){ 0 };
	if (t->typing)
		show_typed(t);
}

/* Returns 0 to go on, an exit status, or -1 to end quietly. */
static int do_key(struct top *t, enum top_key key)
{
	t->view.status[0] = 0;
	switch (key) {
	case TOP_UP:
	case TOP_DOWN:
		top_move(&t->view, &t->sample, key == TOP_UP ? -1 : 1);
		return 0;
	case TOP_DISCONNECT:
		return act_on_selected(t, "Disconnect", CTL_DISCONNECT);
	case TOP_LOGOFF:
		return act_on_selected(t, "Log off", CTL_LOGOFF);
	case TOP_MESSAGE:
		begin_message(t);
		return 0;
	case TOP_QUIT:
		return -1;
	case TOP_NONE:
		return 0;
	}
	return 0;
}

/* As do_key. */
static int read_keys(struct top *t)
{
	char bytes[64];
	ssize_t got = read(STDIN_FILENO, bytes, sizeof(bytes));
	int status = 0;

	if (got <= 0)
		return got < 0 && (errno == EINTR || errno == EAGAIN) ? 0 : -1;
	for (size_t at = 0, used; status == 0 && at < (size_t)got; at += used) {
		used = 1;
		if (t->typing)
			status = type_byte(t, bytes[at]);
		else
			status = do_key(t, top_key(bytes + at, (size_t)got - at, &used));
	}
	return status;
}

/* ---- the terminal ---- */

static struct termios terminal;

/* Keys come at once and unseen; Ctrl-C is still a signal. Returns 0, or -1 with errno. */
static int enter_terminal(void)
{
	struct termios raw;

	if (tcgetattr(STDIN_FILENO, &terminal) < 0)
		return -1;
	raw = terminal;
	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	raw.c_cc[VMIN] = 1;
	raw.c_cc[VTIME] = 0;
	raw.c_cc[VSUSP] = _POSIX_VDISABLE; /* a shell would get this terminal as it is */
	if (tcsetattr(STDIN_FILENO, TCSAFLUSH, &raw) < 0)
		return -1;
	fputs("\033[?1049h\033[?25l\033[2J", stdout); /* a screen of its own, no cursor */
	return 0;
}

static void leave_terminal(void)
{
	fputs("\033[?25h\033[?1049l", stdout);
	fflush(stdout);
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &terminal);
}

static void measure(struct top_view *view)
{
	struct winsize size;
	bool known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row && size.ws_col;

	view->width = known ? size.ws_col : 80;
	view->height = known ? size.ws_row : 24;
}

static void draw(struct top *t)
{
	show_time((uint64_t)time(NULL), "%H:%M:%S", t->view.clock, sizeof(t->view.clock));
	measure(&t->view);
	top_move(&t->view, &t->sample, 0); /* the selection stays on the screen */
	top_draw(stdout, &t->view, &t->sample);
	fflush(stdout);
}

/* A new sample, where the same session is selected. Returns 0 or an exit status. */
static int refresh(struct top *t)
{
	uint32_t selected = selected_session(t);
	int status = take_sample(t);

	if (status == 0)
		top_select(&t->view, &t->sample, selected == NO_SESSION ? 0 : selected);
	return status;
}

/* As run_plainly, with keys. */
static int run_live(struct top *t)
{
	uint64_t next = ctl_now() + t->interval;
	int status = refresh(t);

	while (status == 0) {
		unsigned events;

		draw(t);
		events = ctl_wait(&t->action, CTL_WAIT_INPUT | CTL_WAIT_SMSS, next);
		if (events & CTL_WAIT_END)
			break;
		if (events & CTL_WAIT_SMSS)
			status = take_answer(t);
		if (status)
			break;
		if (events & CTL_WAIT_INPUT)
			status = read_keys(t);
		if (status || ctl_now() < next)
			continue;
		if (t->left && --t->left == 0)
			break;
		next = ctl_now() + t->interval;
		status = refresh(t);
	}
	return status < 0 ? 0 : status;
}

static int run_on_terminal(struct top *t)
{
	static char errors[1024];
	int status;

	/* the screen goes with what is written on it: errors are said behind it */
	setvbuf(stderr, errors, _IOFBF, sizeof(errors));
	if (enter_terminal() < 0)
		status = ctl_failed(t->request, "the terminal");
	else {
		status = run_live(t);
		leave_terminal();
	}
	fflush(stderr);
	return status;
}

/* ---- the command ---- */

/* A number of seconds. Returns false where TEXT is none. */
static bool parse_interval(const char *text, uint64_t *milliseconds)
{
	char *end;
	double seconds = strtod(text, &end);

	/* written so that what is no number is wrong too */
	if (end == text || *end || !(seconds >= 0.1 && seconds <= 86400))
		return false;
	*milliseconds = (uint64_t)(seconds * 1000);
	return true;
}

int ctl_top(struct request *r)
{
	struct top t = { .request = r, .interval = 2000, .action = { .port = -1 } };
	const char *interval = r->option[OPTION_INTERVAL], *count = r->option[OPTION_COUNT];
	uint32_t number = 0;
	int status;

	if (interval && !parse_interval(interval, &t.interval))
		return ctl_usage_error(
		    "top: \"%s\" is no interval: 0.1 to 86400 seconds are", interval);
	if (count && (!ctl_parse_id(count, &number) || number == 0))
		return ctl_usage_error("top: \"%s\" is no count: a number from 1 on is", count);
	t.left = number;
	ctl_catch_signals();
	status = ctl_connect(r);
	if (status == 0 && !r->json && isatty(STDIN_FILENO) && isatty(STDOUT_FILENO))
		status = run_on_terminal(&t);
	else if (status == 0)
		status = run_plainly(&t);
	fd_close(&t.action.port);
	top_free(&t.sample);
	return status;
}
