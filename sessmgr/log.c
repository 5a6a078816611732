/* Log lines: formatted into one buffer, written with one write(2), or sent to who has the log. */
#include "log.h"

#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char *process = "musess";
static uint32_t session = UINT32_MAX;

void log_process(const char *name)
{
	process = name;
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

void log_write(const char *name, uint32_t of, enum log_level level, const char *text)
{
	static const char *const levels[] = { "", "warning: ", "error: " };
	struct pollfd log = { STDERR_FILENO, POLLOUT, 0 };
	char line[1024], id[16] = "";
	int used;

	if (of != UINT32_MAX)
		snprintf(id, sizeof(id), "[%u]", of);
	used =
	    snprintf(line, sizeof(line) - 1, "musess: %s%s: %s%s", name, id, levels[level], text);
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
