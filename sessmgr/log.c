/* Log lines: formatted into one buffer, written with one write(2). */
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

static void line(const char *level, const char *format, va_list arguments)
{
	struct pollfd log = { STDERR_FILENO, POLLOUT, 0 };
	char text[1024];
	size_t used;

	if (session == UINT32_MAX)
		used = (size_t)snprintf(text, sizeof(text), "musess: %s: %s", process, level);
	else
		used = (size_t)snprintf(
		    text, sizeof(text), "musess: %s[%u]: %s", process, session, level);
	int more = vsnprintf(text + used, sizeof(text) - used - 1, format, arguments);
	if (more > 0)
		used += (size_t)more;
	if (used > sizeof(text) - 2)
		used = sizeof(text) - 2;
	text[used++] = '\n';
	/* a terminal that was stopped, or a reader that is stuck, must not stop us: then, and
	   when the log is gone, the line is lost */
	if (poll(&log, 1, 0) > 0)
		(void)!write(STDERR_FILENO, text, used);
}

#define LOG_LEVEL(name, level)                                                                     \
	void name(const char *format, ...)                                                         \
	{                                                                                          \
		va_list arguments;                                                                 \
		va_start(arguments, format);                                                       \
		line(level, format, arguments);                                                    \
		va_end(arguments);                                                                 \
	}
LOG_LEVEL(log_info, "")
LOG_LEVEL(log_warn, "warning: ")
LOG_LEVEL(log_error, "error: ")

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
