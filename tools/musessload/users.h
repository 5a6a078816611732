/*
 * Who the sessions' users are: a pattern with a number in it, or one name, and passwords from a
 * file, which has one for all users, or a line for each of them. What is longer than a name or a password can be
 * is refused, and never cut.
 */
#ifndef MUSESS_LOAD_USERS_H
#define MUSESS_LOAD_USERS_H

#include "password-file.h"

#include <stddef.h>
#include <stdint.h>

struct users {
	char *pattern;
	struct password_file file; /* more than 1 password: so many users take turns */
};

/* PATTERN has one integer conversion (%d, %4d, %04d), or none; %% is a percent sign. Its longest name is shorter than
   LOAD_USER_SIZE. Returns 0, or -1 and in ERROR (SIZE bytes) what is wrong. */
int users_set_pattern(struct users *users, const char *pattern, char *error, size_t size);

/* Returns 0, or -1 and in ERROR (SIZE bytes) what is wrong with the file (password-file.h). */
int users_read_passwords(struct users *users, const char *path, char *error, size_t size);

/* The user whose turn TURN is, counted from 0; the first one's number is 1. Returns the length of the whole name, of which
   NAME has what fits into SIZE bytes. */
size_t users_name(const struct users *users, uint64_t turn, char *name, size_t size);

/* How many there are, who take turns; 0: as many as are asked for. */
uint64_t users_count(const struct users *users);

/* Until users_finish. */
const char *users_password(const struct users *users, uint64_t turn);

/* Wipes the passwords. */
void users_finish(struct users *users);

#endif
