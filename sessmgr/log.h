/*
 * Log lines for people: "musess: PROCESS[SESSION]: text", one write(2) each, to
 * standard error, which the service manager or the terminal reads. Where it is the journal's
 * stream a line is "<PRIORITY>PROCESS[SESSION]: text" (sd-daemon(3)). Text that came
 * from a client is quoted by the caller with log_quote.
 */
#ifndef MUSESS_LOG_H
#define MUSESS_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Names the process for every later line, and looks at what standard error is: before a sandbox is
   entered. NAME is kept, not copied. */
void log_process(const char *name);

/* Sets the session id of every later line; UINT32_MAX (the default) shows none. */
void log_session(uint32_t session);

/* One line each. The text ends without a newline. */
void log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* As log_info, of what the journal has as an event (event.h): nothing where that is where lines go to.
   log_journal_has_events says whether it gets them. */
void log_event(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_journal_has_events(bool has);

/* An error for whoever started the program: the bare text, but in the journal as log_error's. */
void log_complaint(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Each of the LINES as one of SAY's, log_warn say. LINES is taken apart. */
void log_lines(char *lines, void (*say)(const char *format, ...));

/*
 * Copies TEXT into BUFFER (SIZE bytes) with control characters and quotes replaced by
 * '?', so that a client cannot forge a line. Returns BUFFER.
 */
const char *log_quote(char *buffer, size_t size, const char *text);

#endif
