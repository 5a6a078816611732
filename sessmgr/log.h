/*
 * Log lines for people: "musess: PROCESS[SESSION]: text", one write(2) each, to
 * standard error, which the service manager or the terminal reads. Text that came
 * from a client is quoted by the caller with log_quote.
 */
#ifndef MUSESS_LOG_H
#define MUSESS_LOG_H

#include <stddef.h>
#include <stdint.h>

/* Names the process for every later line. NAME is kept, not copied. */
void log_process(const char *name);

/* Sets the session id of every later line; UINT32_MAX (the default) shows none. */
void log_session(uint32_t session);

/* One line each. The text ends without a newline. */
void log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Each of the LINES as one of SAY's, log_warn say. LINES is taken apart. */
void log_lines(char *lines, void (*say)(const char *format, ...));

/*
 * Copies TEXT into BUFFER (SIZE bytes) with control characters and quotes replaced by
 * '?', so that a client cannot forge a line. Returns BUFFER.
 */
const char *log_quote(char *buffer, size_t size, const char *text);

#endif
