/* Log lines: formatted into one buffer, written with one write(2), or sent to who has the log. */
#include "log.h"

#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>

static const char nobody[] = "musess", *process = nobody;
static uint32_t session = UINT32_MAX;
static bool journal, looked; /* standard error is the journal's; that was looked at */
static bool journal_has_events;

/* Whom the socket leads to says it in every process, also in those without the service's environment
   (JOURNAL_STREAM); a journal of the unit's own (LogNamespace=) has a directory of its own. */
static void look(void)
{
	static const char begin[] = "/run/systemd/journal", end[] = "/stdout";
	struct sockaddr_un peer = { 0 };
	socklen_t size = sizeof(peer) - 1;

	looked = true;
	journal = false;
	if (getpeername(STDERR_FILENO, (struct sockaddr *)&peer, &size) < 0 ||
	    peer.sun_family != AF_UNIX)
		return;
	size_t length = strlen(peer.sun_path);
	journal = length >= sizeof(begin) + sizeof(end) - 2 &&
	          strncmp(peer.sun_path, begin, sizeof(begin) - 1) == 0 &&
	          strcmp(peer.sun_path + length + 1 - sizeof(end), end) == 0;
}

void log_process(const char *name)
{
	process = name;
	look();
}

void log_journal_has_events(bool has)
{
	journal_has_events = has;
}

void log_session(uint32_t id)
{
	session = id;
}

static const int *lines_port; /* NULL: they are written */

void log_leave(void)
{
#ifndef MUSESS_SANITIZE
	dup2(STDIN_FILENO, STDOUT_FILENO);
	dup2(STDIN_FILENO, STDERR_FILENO);
#endif
}

void log_through(const int *port)
{
	lines_port = port;
	log_leave();
}

bool log_line_valid(const struct msg_log *m)
{
	return m->level < LOG_LEVEL_COUNT && port_text_valid(m->text, sizeof(m->text));
}

/* The journal has the level, and the program's name, beside the text. */
static const struct {
	int priority;
	const char *word;
} levels[] = { [LOG_LEVEL_INFO] = { LOG_INFO, "" },
	[LOG_LEVEL_WARN] = { LOG_WARNING, "warning: " },
	[LOG_LEVEL_ERROR] = { LOG_ERR, "error: " } };

/* What is before a line's text. Returns its length. */
static int begin(char *text, size_t size, const char *name, uint32_t of, enum log_level level)
{
	char id[16] = "";

	if (!looked)
		look();
	if (of != UINT32_MAX)
		snprintf(id, sizeof(id), "[%u]", of);
	if (journal && name == nobody)
		return snprintf(text, size, "<%d>", levels[level].priority);
	if (journal)
		return snprintf(text, size, "<%d>%s%s: ", levels[level].priority, name, id);
	return snprintf(text, size, "musess: %s%s: %s", name, id, levels[level].word);
}

void log_write(const char *name, uint32_t of, enum log_level level, const char *text)
{
	struct pollfd log = { STDERR_FILENO, POLLOUT, 0 };
	char line[1024];
	int used = begin(line, sizeof(line), name, of, level);

	used += snprintf(line + used, sizeof(line) - 1 - (size_t)used, "%s", text);
	if (used > (int)sizeof(line) - 2)
		used = sizeof(line) - 2;
	line[used++] = '\n';
	/* a terminal that was stopped, or a reader that is stuck, must not stop us: then, and
	   when the log is gone, the line is lost */
	if (poll(&log, 1, 0) > 0)
		(void)!write(STDERR_FILENO, line, (size_t)used);
}

static void send_line(enum log_level level, const char *text)
{
	struct msg_log m = { .level = level, .session = NO_SESSION };

	port_text_take(m.text, sizeof(m.text), text);
	port_header(&m.h, LOG_LINE, sizeof(m), 0);
	if (*lines_port >= 0)
		port_send(*lines_port, &m.h, -1);
}

static void line(enum log_level level, const char *format, va_list arguments)
{
	char text[1024];

	vsnprintf(text, sizeof(text), format, arguments);
	if (lines_port)
		send_line(level, text);
	else
		log_write(process, session, level, text);
}

#define LOG_LEVEL(name, level)                                                                     \
	void name(const char *format, ...)                                                         \
	{                                                                                          \
		va_list arguments;                                                                 \
		va_start(arguments, format);                                                       \
		line(level, format, arguments);                                                    \
		va_end(arguments);                                                                 \
	}
LOG_LEVEL(log_info, LOG_LEVEL_INFO)
LOG_LEVEL(log_warn, LOG_LEVEL_WARN)
LOG_LEVEL(log_error, LOG_LEVEL_ERROR)

void log_event(const char *format, ...)
{
	va_list arguments;

	if (journal && journal_has_events)
		return;
	va_start(arguments, format);
	line(LOG_LEVEL_INFO, format, arguments);
	va_end(arguments);
}

void log_complaint(const char *format, ...)
{
	va_list arguments;

	if (!looked)
		look();
	va_start(arguments, format);
	if (journal) {
		line(LOG_LEVEL_ERROR, format, arguments);
	} else {
		vfprintf(stderr, format, arguments);
		fputc('\n', stderr);
	}
	va_end(arguments);
}

void log_lines(char *lines, void (*say)(const char *format, ...))
{
	char *line;

	while ((line = strsep(&lines, "\n")))
		if (*line)
			say("%s", line);
}

const char *log_quote(char *buffer, size_t size, const char *text)
{
	size_t n = 0;

	for (; text[n] && n + 1 < size; n++) {
		unsigned char c = (unsigned char)text[n];
		buffer[n] = c < 0x20 || c == 0x7f || c == '"' ? '?' : (char)c;
	}
	buffer[n] = 0;
	return buffer;
}
