/* Log lines: formatted into one buffer, written with one write(2). */
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

/* What is before a line's text. The journal has the program's name and the level beside it. */
static size_t begin(char *text, size_t size, int priority, const char *level)
{
	char id[16] = "";

	if (!looked)
		look();
	if (session != UINT32_MAX)
		snprintf(id, sizeof(id), "[%u]", session);
	if (journal && process == nobody)
		return (size_t)snprintf(text, size, "<%d>", priority);
	if (journal)
		return (size_t)snprintf(text, size, "<%d>%s%s: ", priority, process, id);
	return (size_t)snprintf(text, size, "musess: %s%s: %s", process, id, level);
}

static void line(int priority, const char *level, const char *format, va_list arguments)
{
	struct pollfd log = { STDERR_FILENO, POLLOUT, 0 };
	char text[1024];
	size_t used = begin(text, sizeof(text), priority, level);

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

#define LOG_LEVEL(name, priority, level)                                                           \
	void name(const char *format, ...)                                                         \
	{                                                                                          \
		va_list arguments;                                                                 \
		va_start(arguments, format);                                                       \
		line(priority, level, format, arguments);                                          \
		va_end(arguments);                                                                 \
	}
LOG_LEVEL(log_info, LOG_INFO, "")
LOG_LEVEL(log_warn, LOG_WARNING, "warning: ")
LOG_LEVEL(log_error, LOG_ERR, "error: ")

void log_event(const char *format, ...)
{
	va_list arguments;

	if (journal && journal_has_events)
		return;
	va_start(arguments, format);
	line(LOG_INFO, "", format, arguments);
	va_end(arguments);
}

void log_complaint(const char *format, ...)
{
	va_list arguments;

	if (!looked)
		look();
	va_start(arguments, format);
	if (journal) {
		line(LOG_ERR, "", format, arguments);
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
