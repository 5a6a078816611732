/* How reports write times and sizes. No I/O. */
#ifndef MUSESS_LOAD_FORMAT_H
#define MUSESS_LOAD_FORMAT_H

#include <stddef.h>

/* Microseconds, of which three or four digits count: "840us", "12.3ms", "1.24s", "3m05s".
   Returns TEXT. */
const char *format_time(char *text, size_t size, double microseconds);

/* A difference of times, with its sign. Returns TEXT. */
const char *format_difference(char *text, size_t size, double microseconds);

/* Bytes: "1.5 MB". Returns TEXT. */
const char *format_bytes(char *text, size_t size, double bytes);

#endif
