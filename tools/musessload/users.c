/* Users and their passwords. */
#include "users.h"

#include "result.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
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

/* How many UTF-16 units a client sends of it. */
static size_t sent_length(const char *password)
{
	size_t length = 0;

	for (const unsigned char *p = (const unsigned char *)password; *p; p++)
		length += ((*p & 0xc0) != 0x80) + (*p >= 0xf0);
	return length;
}

int users_read_passwords(struct users *users, const char *path, char *error, size_t size)
{
	struct password_file *file = &users->file;

	if (password_file_read(file, path, error, size) < 0)
		return -1;
	for (size_t i = 0; i < file->count; i++)
		if (sent_length(file->password[i]) > PASSWORD_MAX) {
			snprintf(error, size,
			    "%s:%zu: the password in this line is too long: 255 characters are "
			    "sent "
			    "at most",
			    path, i + 1);
			return -1;
		}
	return 0;
}

/* ---- asked for ---- */

static uint64_t user_of(const struct users *users, uint64_t turn)
{
	return users->file.count > 1 ? turn % users->file.count : turn;
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

uint64_t users_count(const struct users *users)
{
	char first[LOAD_USER_SIZE], second[LOAD_USER_SIZE];

	users_name(users, 0, first, sizeof(first));
	users_name(users, 1, second, sizeof(second));
	if (strcmp(first, second) == 0)
		return 1;
	return users->file.count > 1 ? users->file.count : 0;
}

const char *users_password(const struct users *users, uint64_t turn)
{
	if (users->file.count == 0)
		return "";
	return users->file.password[users->file.count > 1 ? turn % users->file.count : 0];
}

void users_finish(struct users *users)
{
	password_file_finish(&users->file);
	free(users->pattern);
	*users = (struct users){ 0 };
}
