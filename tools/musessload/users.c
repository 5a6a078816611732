/* Users and their passwords. */
#include "users.h"

#include "run-info.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	FILE_MAX = 16 << 20,
	WIDTH_MAX = 18,
	PASSWORD_MAX = 255, /* UTF-16 units: [MS-RDPBCGR] 2.2.1.11.1.1 has room for 512 bytes */
};

/* The conversion at P, which is behind its '%': its length with the 'd', its WIDTH and whether
   zeros fill it. 0: it is none that is allowed. */
static size_t conversion(const char *p, int *width, int *zeros)
{
	const char *begin = p;

	*width = 0;
	*zeros = *p == '0';
	while (isdigit((unsigned char)*p) && *width <= WIDTH_MAX)
		*width = *width * 10 + (*p++ - '0');
	return *p == 'd' && *width <= WIDTH_MAX ? (size_t)(p - begin) + 1 : 0;
}

int users_set_pattern(struct users *users, const char *pattern, char *error, size_t size)
{
	int width, zeros, conversions = 0;

	for (const char *p = pattern; (p = strchr(p, '%')); p++) {
		size_t length = conversion(++p, &width, &zeros);

		if (*p == '%')
			continue;
		if (length == 0 || ++conversions > 1) {
			snprintf(error, size,
			    length ? "the user \"%s\" has more than one number"
			           : "the user \"%s\": only %%d, with a width as in %%04d, and "
			             "%%%% are "
			             "understood",
			    pattern);
			return -1;
		}
	}
	if (!*pattern) {
		snprintf(error, size, "the user is empty");
		return -1;
	}
	free(users->pattern);
	users->pattern = strdup(pattern);
	if (!users->pattern) {
		snprintf(error, size, "memory is short");
		return -1;
	}
	/* more starts than that has no plan */
	if (users_name(users, UINT32_MAX, NULL, 0) < LOAD_USER_SIZE)
		return 0;
	snprintf(error, size, "the user \"%.40s...\" has names of more than %d bytes", pattern,
	    LOAD_USER_SIZE - 1);
	return -1;
}

/* ---- passwords ---- */

/* Of a file that others may read everybody knows the passwords; a pipe is its reader's alone. */
static int check_mode(int fd, const char *path, char *error, size_t size)
{
	struct stat st;

	if (fstat(fd, &st) < 0) {
		snprintf(error, size, "%s: %s", path, strerror(errno));
		return -1;
	}
	if (S_ISREG(st.st_mode) && (st.st_mode & S_IRWXO)) {
		snprintf(error, size, "%s: others may read or write it (mode %04o): chmod o= %s",
		    path, st.st_mode & 07777, path);
		return -1;
	}
	return 0;
}

/* Returns 0, or -1 with errno. */
static int read_all(int fd, char *text, size_t size, size_t *length)
{
	*length = 0;
	for (;;) {
		ssize_t got = read(fd, text + *length, size - *length);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -1;
		if (got == 0)
			return 0;
		*length += (size_t)got;
		if (*length == size) {
			errno = EFBIG;
			return -1;
		}
	}
}

/* How many UTF-16 units a client sends of it. */
static size_t sent_length(const char *password)
{
	size_t length = 0;

	for (const unsigned char *p = (const unsigned char *)password; *p; p++)
		length += ((*p & 0xc0) != 0x80) + (*p >= 0xf0);
	return length;
}

/* Adds a line without its end. Returns 0, or -1 with a message. */
static int add_password(struct users *users, char *line, const char *path, char *error, size_t size)
{
	size_t length = sent_length(line);

	if (length > 0 && length <= PASSWORD_MAX) {
		users->password[users->passwords++] = line;
		return 0;
	}
	snprintf(error, size,
	    length
	        ? "%s:%zu: the password in this line is too long: 255 characters are sent at most"
	        : "%s:%zu: there is no password in this line",
	    path, users->passwords + 1);
	return -1;
}

/* Makes a password of each line. Returns 0, or -1 with a message. */
static int split(struct users *users, size_t length, const char *path, char *error, size_t size)
{
	char *rest = users->text + load_mark_length(users->text), *line;
	size_t lines = 1;

	for (size_t i = 0; i < length; i++)
		lines += users->text[i] == '\n';
	users->password = calloc(lines, sizeof(*users->password));
	if (!users->password || strlen(users->text) != length) {
		snprintf(
		    error, size, users->password ? "%s: it is no text" : "memory is short", path);
		return -1;
	}
	while ((line = strsep(&rest, "\n"))) {
		size_t end = strlen(line);

		if (end && line[end - 1] == '\r')
			line[--end] = 0;
		if (!rest && !end)
			break; /* behind the last line's end */
		if (add_password(users, line, path, error, size) < 0)
			return -1;
	}
	if (users->passwords == 0)
		snprintf(error, size, "%s: there is no password in it", path);
	return users->passwords ? 0 : -1;
}

int users_read_passwords(struct users *users, const char *path, char *error, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), status;

	if (fd < 0) {
		snprintf(error, size, "%s: %s", path, strerror(errno));
		return -1;
	}
	status = check_mode(fd, path, error, size);
	users->text = status == 0 ? calloc(1, FILE_MAX + 1) : NULL;
	if (users->text && read_all(fd, users->text, FILE_MAX, &users->length) == 0)
		status = split(users, users->length, path, error, size);
	else if (status == 0) {
		snprintf(error, size, "%s: %s", path, strerror(errno));
		status = -1;
	}
	close(fd);
	return status;
}

/* ---- asked for ---- */

static uint64_t user_of(const struct users *users, uint64_t turn)
{
	return users->passwords > 1 ? turn % users->passwords : turn;
}

size_t users_name(const struct users *users, uint64_t turn, char *name, size_t size)
{
	unsigned long long number = user_of(users, turn) + 1;
	size_t used = 0;

	if (size)
		*name = 0;
	for (const char *p = users->pattern; p && *p; p++) {
		char part[32];
		int width, zeros;
		size_t length = *p == '%' ? conversion(p + 1, &width, &zeros) : 0;

		if (length)
			snprintf(part, sizeof(part), zeros ? "%0*llu" : "%*llu", width, number);
		p += length ? length : *p == '%';
		if (!length)
			snprintf(part, sizeof(part), "%c", *p);
		if (used < size)
			snprintf(name + used, size - used, "%s", part);
		used += strlen(part);
	}
	return used;
}

const char *users_password(const struct users *users, uint64_t turn)
{
	if (users->passwords == 0)
		return "";
	return users->password[users->passwords > 1 ? turn % users->passwords : 0];
}

void users_finish(struct users *users)
{
	if (users->text)
		explicit_bzero(users->text, users->length);
	free(users->text);
	free(users->password);
	free(users->pattern);
	*users = (struct users){ 0 };
}
