/*
 * The accounts: what their file says, whose password is right, and what NTLM needs. No
 * I/O; lsass reads and writes the file.
 *
 * The file is text, one account a line, name:yescrypt-hash:nt-hash-hex. A name has 1 to
 * 127 bytes of UTF-8 without ':', '/', control characters, and blanks at either end;
 * "." and ".." are none. One that ends in '*' is a pattern: every user whose name begins
 * with what is before the '*' may log on with its password, each a user of their own.
 * A line that is no account is kept where it is, and otherwise ignored.
 *
 * Names are matched without regard to case, as Windows does: each character is compared
 * by its simple lower-case form (towlower in C.UTF-8), nothing is normalised. An account
 * of just that name wins over patterns, and the longest pattern over shorter ones. A user
 * may give a domain with the name, DOMAIN\name or name@domain: where no account has just
 * that name, the domain is taken off, for there is none here.
 *
 * What a logon costs: a wrong password, a right one that was not proven within the last
 * five minutes, and an unknown user each cost one run of yescrypt at libxcrypt's default
 * cost: 16 MiB and 15 to 20 ms (measured on Debian 12). So does a wrong password for an
 * account whose right one is remembered. A password that was proven lately costs
 * microseconds, and so does NTLM. A flood of wrong passwords thus holds a caller back by
 * one run for each that came before: callers bound how many they let through.
 */
#ifndef MUSESS_ACCOUNTS_H
#define MUSESS_ACCOUNTS_H

#include "../sessmgr/messages.h"

/* How long a proven password is remembered, in milliseconds. */
enum { ACCOUNTS_REMEMBER = 5 * 60 * 1000 };

enum { NT_HASH_SIZE = NTLM_HASH_SIZE };

struct accounts;

/* Told about each line that is no account: its number from 1, and what is wrong. */
typedef void accounts_report(size_t line, const char *problem);

/*
 * Once per process, before anything else here, while files can still be opened: sets
 * LC_CTYPE to C.UTF-8, loads OpenSSL's default and legacy providers, makes the random
 * keys. Returns 0, or -1 after logging one line that says what is missing.
 */
int accounts_init(void);

/* Undoes accounts_init but for the locale. */
void accounts_finish(void);

/* The accounts of a file's text (SIZE bytes). PATTERNS: whether anybody logs on with such; without, they are
   there, and reported. Freed with accounts_destroy. NULL where memory is short. */
struct accounts *accounts_parse(
    const char *text, size_t size, bool patterns, accounts_report *report);

/* A copy to try a change on. Freed with accounts_destroy. NULL where memory is short. */
struct accounts *accounts_copy(const struct accounts *accounts);

/* Frees and wipes. NULL is fine. */
void accounts_destroy(struct accounts *accounts);

/* The file's text; *SIZE is its length. The caller wipes and frees it. NULL where memory
   is short. */
char *accounts_format(const struct accounts *accounts, size_t *size);

/*
 * The three changes. NAME and PASSWORD are valid UTF-8 of less than USER_SIZE and
 * PASSWORD_SIZE bytes. A new name, without a '*' at its end, has at most 63 bytes, all
 * letters, digits, '.', '_' or '-', of which the first is neither '.' nor '-'; passwords
 * are not empty. The proven password is forgotten. They return STATUS_SUCCESS,
 * STATUS_INVALID_PARAMETER, STATUS_OBJECT_NAME_COLLISION, STATUS_OBJECT_NAME_NOT_FOUND,
 * STATUS_NO_MEMORY, or STATUS_UNSUCCESSFUL where hashing fails.
 */
int32_t accounts_add(struct accounts *accounts, const char *name, const char *password);
int32_t accounts_passwd(struct accounts *accounts, const char *name, const char *password);
int32_t accounts_remove(struct accounts *accounts, const char *name);

/* What the names are of those who may log on with the account NAME, as accounts_logon finds them: one, or with
   a '*' at its end what they begin with (of whom some have an account of their own); empty where there is no
   such account. */
void accounts_users(const struct accounts *accounts, const char *name, char users[USER_SIZE]);

/* The name of the account at *AT or the next one after it, in the file's order; *AT moves
   behind it. Begin with 0. NULL at the end. */
const char *accounts_next(const struct accounts *accounts, size_t *at);

/*
 * Is PASSWORD (NULL: none that could be) that of USER? NOW is in milliseconds of a clock that never goes back.
 * Returns STATUS_SUCCESS with the user's name in FOUND (as the file spells it; in lower
 * case where a pattern matched), or STATUS_LOGON_FAILURE with FOUND empty. A user matched
 * by a pattern has to have a name that accounts_add would take.
 */
int32_t accounts_logon(struct accounts *accounts, const char *user, const char *password,
    uint64_t now, char found[USER_SIZE]);

/* The domain that USER carries, empty where it carries none or a longer one. */
void accounts_domain(const char *user, char domain[DOMAIN_SIZE]);

/*
 * The NTOWFv2 of USER, with user and domain as the client sent them. Returns as
 * accounts_logon does. For an unknown user HASH fits no password, and has cost as much.
 */
int32_t accounts_ntlm(const struct accounts *accounts, const char *user, const char *domain,
    char found[USER_SIZE], uint8_t hash[NT_HASH_SIZE]);

/* Forgets the passwords whose time is over. Returns the milliseconds until the next one's
   is, or -1 where none is remembered. */
int accounts_expire(struct accounts *accounts, uint64_t now);

#endif
