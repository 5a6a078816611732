/*
 * Fuzzes the accounts file and the names of users: what was read is written back as it
 * was, and no user is found under a name that would be a path. The first line is a user's
 * name, the rest is the file. No password is tried: a hash may ask for any cost.
 */
#include "../daemon/accounts.h"
#include "../sessmgr/ntstatus.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerInitialize(int *count, char ***arguments);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void ignore(size_t line, const char *problem)
{
	if (line == 0 || !problem)
		abort();
}

static void check(bool good)
{
	if (!good)
		abort();
}

/* The text comes out as it went in, but for a newline that the last line lacked. */
static void check_format(const struct accounts *a, const char *text, size_t size)
{
	size_t got;
	char *made = accounts_format(a, &got);
	bool torn = size > 0 && text[size - 1] != '\n';

	check(made && got == size + (torn ? 1 : 0) && memcmp(made, text, size) == 0);
	check(got == 0 || made[got - 1] == '\n');
	free(made);
}

static void check_user(const struct accounts *a, const char *user)
{
	char found[USER_SIZE];
	uint8_t hash[NT_HASH_SIZE];

	if (accounts_ntlm(a, user, user, found, hash) != STATUS_SUCCESS)
		return;
	check(port_text_valid(found, sizeof(found)) && *found);
	check(!strpbrk(found, ":/*") && strcmp(found, ".") != 0 && strcmp(found, "..") != 0);
}

int LLVMFuzzerInitialize(int *count, char ***arguments)
{
	(void)count;
	(void)arguments;
	return accounts_init();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	const char *newline = memchr(text, '\n', size);
	size_t first = newline ? (size_t)(newline - text) : 0;
	char user[DOMAIN_SIZE] = { 0 };
	const char *name;

	memcpy(user, text, first < sizeof(user) ? first : sizeof(user) - 1);
	if (newline) {
		text += first + 1;
		size -= first + 1;
	}
	struct accounts *a = accounts_parse(text, size, true, ignore);
	check(a != NULL);
	check_format(a, text, size);
	if (port_text_valid(user, sizeof(user)))
		check_user(a, user);
	for (size_t at = 0; (name = accounts_next(a, &at));)
		check_user(a, name);
	accounts_destroy(a);
	return 0;
}
