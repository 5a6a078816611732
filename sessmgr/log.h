/*
 * Log lines for people: "musess: PROCESS[SESSION]: text", one write(2) each, to
 * standard error, which the service manager or the terminal reads. Where it is the journal's
 * stream a line is "<PRIORITY>PROCESS[SESSION]: text" (sd-daemon(3)). Text that came
 * from a client is quoted by the caller with log_quote.
 *
 * Who reads what strangers send has no log: its lines go by its port to who says whose they are
 * (LOG_LINE), and those are counted.
 */
#ifndef MUSESS_LOG_H
#define MUSESS_LOG_H

#include "messages.h"
#include "quota.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum log_level { LOG_LEVEL_INFO, LOG_LEVEL_WARN, LOG_LEVEL_ERROR, LOG_LEVEL_COUNT };

/* Names the process for every later line, and looks at what standard error is: before a sandbox is
   entered. NAME is kept, not copied. */
void log_process(const char *name);

/* Sets the session id of every later line; UINT32_MAX (the default) shows none. */
void log_session(uint32_t session);

/* One line each. The text ends without a newline. */
void log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* As log_info, of what the journal has as an event (event.h): nothing where that is where lines go to. smss alone
   has such.
   log_journal_has_events says whether it gets them. */
void log_event(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_journal_has_events(bool has);

/* An error for whoever started the program: the bare text, but in the journal as log_error's. */
void log_complaint(const char *format, ...) __attribute__((format(printf, 1, 2)));

/*
 * Lines go as LOG_LINE to *PORT from now on; where that is -1, or takes none, they are lost. Standard output
 * and error are standard input, /dev/null, then: nothing is left of the log. PORT is kept, not copied.
 */
void log_through(const int *port);

/* Standard output and error become standard input. Not where a sanitizer is built in: it says what it
   finds there, and has nowhere else to. */
void log_leave(void);

/* How many lines a process that has no log gets written: the first so many in a while. */
enum { LOG_LINES_MAX = 30, LOG_LINES_US = 30000000 };

/* Whether M, of the right size, is a line that may be passed on, or written. */
bool log_line_valid(const struct msg_log *m);

/* Writes TEXT as a line of process NAME and of SESSION (UINT32_MAX: none). */
void log_write(const char *name, uint32_t session, enum log_level level, const char *text);

/* Each of the LINES as one of SAY's, log_warn say. LINES is taken apart. */
void log_lines(char *lines, void (*say)(const char *format, ...));

/*
 * Copies TEXT into BUFFER (SIZE bytes) with control characters and quotes replaced by
 * '?', so that a client cannot forge a line. Returns BUFFER.
 */
const char *log_quote(char *buffer, size_t size, const char *text);

#endif
