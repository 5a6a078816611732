/*
 * Files of passwords, one a line: how musessctl and musessload read them. Editors' habits are no part of a password: a byte order mark
 * before the first line, and a carriage return at a line's end.
 */
#ifndef MUSESS_PASSWORD_FILE_H
#define MUSESS_PASSWORD_FILE_H

#include <stddef.h>

struct password_file {
	char *text; /* what passwords point into */
	size_t length;
	char **password; /* in the order of the lines, none of which is empty */
	size_t count;
};

/* Reads the file at PATH, which nobody but its owner and group may read or write, and which has at least one password. Returns 0,
   or -1 and in ERROR (SIZE bytes) what is wrong. The caller finishes FILE in any case. */
int password_file_read(struct password_file *file, const char *path, char *error, size_t size);

/* Wipes it. A zeroed one is allowed. */
void password_file_finish(struct password_file *file);

/* The password in LINE, of which the newline is gone already. FIRST: it is a file's first line. */
char *password_of_line(char *line, int first);

/* How many bytes at the begin of a file's TEXT are UTF-8's byte order mark, which editors on Windows write and nobody
   means: 3 or 0. */
size_t text_mark_length(const char *text);

#endif
