/*
 * The accounts. The table is the file: one entry for each line, with the line's own text,
 * so that writing the file is joining the texts, and what was not understood is not lost.
 * An entry that is an account holds what was read from its line besides: the name as
 * spelt and in lower case (a pattern's without its '*'), the yescrypt hash, the NT hash,
 * and, for five minutes after it was proven, a digest of the password under a key that
 * never leaves this process. Changes make a line and read it as if from the file.
 */
#include "accounts.h"

#include "../sessmgr/log.h"
#include "../sessmgr/ntstatus.h"

#include <crypt.h>
#include <limits.h>
#include <locale.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/provider.h>
#include <openssl/rand.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wctype.h>

enum {
	FOLDED_SIZE = 2 * USER_SIZE, /* lower case can be longer: 3 bytes where there were 2 */
	USER_MAX = 63,               /* bytes of a new name */
	DIGEST_SIZE = 32,
	WIDE_SIZE = PASSWORD_SIZE,  /* characters of the longest text here */
	UTF16_SIZE = 4 * WIDE_SIZE, /* bytes */
	LINE_SIZE = USER_SIZE + CRYPT_OUTPUT_SIZE + 2 * NT_HASH_SIZE + 2,
};

/* A name, ready to be compared. */
struct name {
	char folded[FOLDED_SIZE];
	bool pattern; /* ended in '*', which FOLDED lacks */
};

struct line {
	char *text; /* the line without its newline; may hold any byte */
	size_t length;
	bool account; /* the rest holds something */
	char spelt[USER_SIZE];
	struct name name;
	char hash[CRYPT_OUTPUT_SIZE];
	uint8_t nt[NT_HASH_SIZE];
	uint8_t digest[DIGEST_SIZE]; /* of the password proven last */
	uint64_t digest_end;         /* 0: there is none */
};

struct accounts {
	struct line **entries;
	size_t count;
	bool patterns; /* that there are count */
};

static struct {
	OSSL_PROVIDER *standard, *legacy;
	EVP_MD *md4;
	uint8_t key[DIGEST_SIZE];                      /* of the digests */
	char dummy_setting[CRYPT_GENSALT_OUTPUT_SIZE]; /* what unknown users are hashed with */
	uint8_t dummy_nt[NT_HASH_SIZE];                /* likewise */
} state;

int accounts_init(void)
{
	if (!setlocale(LC_CTYPE, "C.UTF-8")) {
		log_error("there is no locale C.UTF-8: install the package libc-bin");
		return -1;
	}
	state.standard = OSSL_PROVIDER_load(NULL, "default");
	state.legacy = OSSL_PROVIDER_load(NULL, "legacy");
	state.md4 = EVP_MD_fetch(NULL, "MD4", NULL);
	if (!state.standard || !state.legacy || !state.md4) {
		log_error("NTLM needs MD4, and OpenSSL's legacy provider cannot be loaded: "
		          "install the package openssl-provider-legacy (Debian 13; in Debian 12 "
		          "it is part of libssl3)");
		accounts_finish();
		return -1;
	}
	if (RAND_bytes(state.key, sizeof(state.key)) != 1 ||
	    RAND_bytes(state.dummy_nt, sizeof(state.dummy_nt)) != 1 ||
	    !crypt_gensalt_rn(
	        "$y$", 0, NULL, 0, state.dummy_setting, sizeof(state.dummy_setting))) {
		log_error("random numbers or yescrypt are not to be had: install the package "
		          "libcrypt1 4.4 or later");
		accounts_finish();
		return -1;
	}
	return 0;
}

void accounts_finish(void)
{
	EVP_MD_free(state.md4);
	if (state.legacy)
		OSSL_PROVIDER_unload(state.legacy);
	if (state.standard)
		OSSL_PROVIDER_unload(state.standard);
	OPENSSL_cleanse(&state, sizeof(state));
}

/* ---- text ---- */

/* TEXT as wide characters in WIDE (WIDE_SIZE). Returns how many, or -1. */
static ssize_t widen(const char *text, wchar_t *wide)
{
	size_t count = mbstowcs(wide, text, WIDE_SIZE);

	return count >= WIDE_SIZE ? -1 : (ssize_t)count;
}

/* The upper case of C as WinPR has it: of one 16-bit unit, from a table that knows no
   capital Georgian letters (nor other, rarer ones that came after Unicode 6). */
static uint32_t upper_case(uint32_t c)
{
	uint32_t upper = c < 0x10000 ? (uint32_t)towupper((wint_t)c) : c;

	return upper >= 0x10000 || (upper >= 0x1c90 && upper <= 0x1cbf) ? c : upper;
}

static void put_unit(uint8_t *out, uint32_t unit)
{
	out[0] = (uint8_t)unit;
	out[1] = (uint8_t)(unit >> 8);
}

/* Writes TEXT as UTF-16LE to OUT (UTF16_SIZE bytes), in upper case where wanted. Returns
   how many bytes, or -1. */
static ssize_t utf16le(const char *text, bool upper, uint8_t *out)
{
	wchar_t wide[WIDE_SIZE];
	ssize_t count = widen(text, wide);
	size_t used = 0;

	for (ssize_t i = 0; i < count; i++) {
		uint32_t c = upper ? upper_case((uint32_t)wide[i]) : (uint32_t)wide[i];
		if (c >= 0x10000) {
			put_unit(out + used, 0xd800 + ((c - 0x10000) >> 10));
			used += 2;
			c = 0xdc00 + (c & 0x3ff);
		}
		put_unit(out + used, c);
		used += 2;
	}
	OPENSSL_cleanse(wide, sizeof(wide));
	return count < 0 ? -1 : (ssize_t)used;
}

/* Takes NAME apart for comparing. Returns 0, or -1 where it is no valid text. */
static int name_fold(struct name *folded, const char *name)
{
	wchar_t wide[WIDE_SIZE];
	ssize_t count = widen(name, wide);

	if (count < 0)
		return -1;
	folded->pattern = count > 0 && wide[count - 1] == L'*';
	if (folded->pattern)
		wide[count - 1] = 0;
	for (wchar_t *w = wide; *w; w++)
		*w = (wchar_t)towlower((wint_t)*w);
	return wcstombs(folded->folded, wide, FOLDED_SIZE) < FOLDED_SIZE ? 0 : -1;
}

static bool name_equal(const struct name *a, const struct name *b)
{
	return a->pattern == b->pattern && strcmp(a->folded, b->folded) == 0;
}

/* True for a name that /etc/passwd and a session's file system can carry. */
static bool user_valid(const char *name)
{
	wchar_t wide[WIDE_SIZE];

	if (strlen(name) > USER_MAX || widen(name, wide) < 1)
		return false;
	if (wide[0] == L'.' || wide[0] == L'-')
		return false;
	for (wchar_t *w = wide; *w; w++)
		if (!iswalnum((wint_t)*w) && *w != L'.' && *w != L'_' && *w != L'-')
			return false;
	return true;
}

/* What keeps NAME (the field of a line) from being an account's; NULL: nothing. */
static const char *name_problem(const char *name)
{
	wchar_t wide[WIDE_SIZE];
	ssize_t count = port_text_valid(name, USER_SIZE) ? widen(name, wide) : -1;
	const char *star = strchr(name, '*');

	if (count < 1)
		return "the name is empty or no printable UTF-8";
	if (strchr(name, '/') || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return "the name would be a path";
	if (iswspace((wint_t)wide[0]) || iswspace((wint_t)wide[count - 1]))
		return "the name begins or ends with a blank";
	if (star && (star == name || star[1]))
		return "a '*' may only be at the end of a name, and not alone";
	return NULL;
}

/* ---- lines ---- */

static void entry_destroy(struct line *e)
{
	if (!e)
		return;
	if (e->text)
		OPENSSL_cleanse(e->text, e->length);
	free(e->text);
	OPENSSL_cleanse(e, sizeof(*e));
	free(e);
}

/* An entry that is just its text yet. NULL where memory is short. */
static struct line *entry_create(const char *text, size_t length)
{
	struct line *e = calloc(1, sizeof(*e));

	if (!e || !(e->text = malloc(length + 1))) {
		entry_destroy(e);
		return NULL;
	}
	memcpy(e->text, text, length);
	e->length = length;
	return e;
}

/* Copies the field from P to END into OUT (SIZE bytes). Returns false where it has no
   place, or holds a zero. */
static bool field_take(char *out, size_t size, const char *p, const char *end)
{
	size_t length = (size_t)(end - p);

	if (length >= size || memchr(p, 0, length))
		return false;
	memcpy(out, p, length);
	out[length] = 0;
	return true;
}

/* 32 hexadecimal digits from P to END into NT. */
static bool hex_take(uint8_t nt[NT_HASH_SIZE], const char *p, const char *end)
{
	char text[2 * NT_HASH_SIZE + 1];
	size_t count = 0;

	if (end - p != 2 * NT_HASH_SIZE || !field_take(text, sizeof(text), p, end))
		return false;
	bool good = strspn(text, "0123456789abcdefABCDEF") == 2 * NT_HASH_SIZE &&
	            OPENSSL_hexstr2buf_ex(nt, NT_HASH_SIZE, &count, text, 0) == 1;
	OPENSSL_cleanse(text, sizeof(text));
	return good;
}

/* True for what may be a yescrypt hash. */
static bool hash_plausible(const char *hash)
{
	static const char set[] =
	    "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz$";

	return strncmp(hash, "$y$", 3) == 0 && hash[strspn(hash, set)] == 0;
}

/* Reads the fields of the entry's text. Returns what is wrong with it, NULL: nothing. */
static const char *entry_read(struct line *e)
{
	const char *end = e->text + e->length;
	const char *hash = memchr(e->text, ':', e->length);
	const char *nt = hash ? memchr(hash + 1, ':', (size_t)(end - hash - 1)) : NULL;

	if (!nt)
		return "not of the form name:yescrypt-hash:nt-hash";
	if (!field_take(e->spelt, sizeof(e->spelt), e->text, hash))
		return "the name is too long or holds a zero";
	const char *problem = name_problem(e->spelt);
	if (problem)
		return problem;
	if (name_fold(&e->name, e->spelt) < 0)
		return "the name is no valid UTF-8";
	if (!field_take(e->hash, sizeof(e->hash), hash + 1, nt) || !hash_plausible(e->hash))
		return "the second field is no yescrypt hash";
	if (!hex_take(e->nt, nt + 1, end))
		return "the third field is no NT hash (32 hexadecimal digits)";
	e->account = true;
	return NULL;
}

/* ---- the table ---- */

/* The account of that very name (a pattern: that pattern), or NULL. */
static struct line *account_named(const struct accounts *a, const struct name *name)
{
	for (size_t i = 0; i < a->count; i++)
		if (a->entries[i]->account && name_equal(&a->entries[i]->name, name))
			return a->entries[i];
	return NULL;
}

/* Takes E over, and destroys it where there is no memory for it. Returns 0 or -1. */
static int entry_append(struct accounts *a, struct line *e)
{
	bool full = (a->count & (a->count - 1)) == 0; /* at every power of two it grows */

	if (e && full) {
		struct line **more =
		    reallocarray(a->entries, a->count ? 2 * a->count : 1, sizeof(*more));
		if (!more) {
			entry_destroy(e);
			return -1;
		}
		a->entries = more;
	}
	if (!e)
		return -1;
	a->entries[a->count++] = e;
	return 0;
}

static int compare_names(const void *one, const void *other)
{
	const struct line *a = one, *b = other;

	return a->name.pattern != b->name.pattern ? a->name.pattern - b->name.pattern
	                                          : strcmp(a->name.folded, b->name.folded);
}

/* Adds the line that is LENGTH bytes of TEXT. NAMED are the accounts of the lines above (tsearch's).
   Returns 0, or -1 where memory is short. */
static int line_add(
    struct accounts *a, const char *text, size_t length, void **named, accounts_report *report)
{
	struct line *e = entry_create(text, length);
	const char *problem = e ? entry_read(e) : NULL;
	struct line *const *first = e && !problem ? tsearch(e, named, compare_names) : NULL;

	if (e && !problem && !first) {
		entry_destroy(e);
		return -1;
	}
	if (first && *first != e) {
		problem = "there is an account of that name in a line above";
		e->account = false;
	} else if (first && e->name.pattern && !a->patterns)
		problem =
		    "a name that ends in '*' wants AccountPatterns = 1: nobody logs on with it";
	if (problem)
		report(a->count + 1, problem);
	return entry_append(a, e);
}

/* The lines of TEXT (SIZE bytes). Returns 0, or -1 where memory is short. */
static int lines_add(
    struct accounts *a, const char *text, size_t size, void **named, accounts_report *report)
{
	const char *end = text + size;

	for (const char *line = text; line < end;) {
		const char *newline = memchr(line, '\n', (size_t)(end - line));
		size_t length = (size_t)((newline ? newline : end) - line);
		if (line_add(a, line, length, named, report) < 0)
			return -1;
		line += length + (newline ? 1 : 0);
	}
	return 0;
}

static void keep(void *entry)
{
	(void)entry;
}

struct accounts *accounts_parse(
    const char *text, size_t size, bool patterns, accounts_report *report)
{
	struct accounts *a = calloc(1, sizeof(*a));
	void *named = NULL;
	int result = -1;

	if (a) {
		a->patterns = patterns;
		result = lines_add(a, text, size, &named, report);
	}
	tdestroy(named, keep);
	if (result == 0)
		return a;
	accounts_destroy(a);
	return NULL;
}

struct accounts *accounts_copy(const struct accounts *accounts)
{
	struct accounts *a = calloc(1, sizeof(*a));

	if (a)
		a->patterns = accounts->patterns;
	for (size_t i = 0; a && i < accounts->count; i++) {
		const struct line *from = accounts->entries[i];
		struct line *e = entry_create(from->text, from->length);
		if (e) {
			char *text = e->text;
			*e = *from;
			e->text = text;
		}
		if (entry_append(a, e) < 0) {
			accounts_destroy(a);
			return NULL;
		}
	}
	return a;
}

void accounts_destroy(struct accounts *a)
{
	if (!a)
		return;
	for (size_t i = 0; i < a->count; i++)
		entry_destroy(a->entries[i]);
	free(a->entries);
	free(a);
}

char *accounts_format(const struct accounts *a, size_t *size)
{
	char *text, *p;

	*size = 0;
	for (size_t i = 0; i < a->count; i++)
		*size += a->entries[i]->length + 1;
	p = text = malloc(*size + 1);
	for (size_t i = 0; text && i < a->count; i++) {
		memcpy(p, a->entries[i]->text, a->entries[i]->length);
		p += a->entries[i]->length;
		*p++ = '\n';
	}
	return text;
}

const char *accounts_next(const struct accounts *a, size_t *at)
{
	while (*at < a->count) {
		const struct line *e = a->entries[(*at)++];
		if (e->account)
			return e->spelt;
	}
	return NULL;
}

/* ---- passwords ---- */

/* The NT hash: MD4 of the password in UTF-16LE. */
static int nt_hash(const char *password, uint8_t nt[NT_HASH_SIZE])
{
	uint8_t wide[UTF16_SIZE];
	ssize_t size = utf16le(password, false, wide);
	int good = size >= 0 ? EVP_Digest(wide, (size_t)size, nt, NULL, state.md4, NULL) : 0;

	OPENSSL_cleanse(wide, sizeof(wide));
	return good == 1 ? 0 : -1;
}

/* PASSWORD under yescrypt with SETTING (a hash is one). OUT is empty where it fails. */
static int yescrypt(const char *password, const char *setting, char out[CRYPT_OUTPUT_SIZE])
{
	static struct crypt_data data; /* 32 KiB: not for the stack */
	char *hash = crypt_rn(password, setting, &data, sizeof(data));

	out[0] = 0;
	if (hash)
		snprintf(out, CRYPT_OUTPUT_SIZE, "%s", hash);
	OPENSSL_cleanse(&data, sizeof(data));
	return hash ? 0 : -1;
}

static bool hash_right(const char *password, const char *hash)
{
	char made[CRYPT_OUTPUT_SIZE];
	size_t length = strlen(hash);

	if (yescrypt(password, hash, made) < 0)
		return false;
	return strlen(made) == length && CRYPTO_memcmp(made, hash, length) == 0;
}

/* What is remembered of a proven password. The lengths keep one field's end from being
   taken for the next one's beginning. */
static int digest_make(const struct line *e, const char *password, uint8_t digest[DIGEST_SIZE])
{
	const char *fields[] = { e->spelt, e->hash, password };
	uint8_t data[USER_SIZE + CRYPT_OUTPUT_SIZE + PASSWORD_SIZE + 3 * sizeof(uint32_t)];
	size_t used = 0;

	for (size_t i = 0; i < 3; i++) {
		uint32_t length = (uint32_t)strlen(fields[i]);
		memcpy(data + used, &length, sizeof(length));
		memcpy(data + used + sizeof(length), fields[i], length);
		used += sizeof(length) + length;
	}
	bool good =
	    HMAC(EVP_sha256(), state.key, sizeof(state.key), data, used, digest, NULL) != NULL;
	OPENSSL_cleanse(data, sizeof(data));
	return good ? 0 : -1;
}

static void digest_forget(struct line *e)
{
	OPENSSL_cleanse(e->digest, sizeof(e->digest));
	e->digest_end = 0;
}

/* True where PASSWORD was proven for the account not long ago. */
static bool digest_right(const struct line *e, const char *password, uint64_t now)
{
	uint8_t digest[DIGEST_SIZE];

	return now < e->digest_end && digest_make(e, password, digest) == 0 &&
	       CRYPTO_memcmp(digest, e->digest, sizeof(digest)) == 0;
}

int accounts_expire(struct accounts *a, uint64_t now)
{
	uint64_t next = UINT64_MAX;

	for (size_t i = 0; i < a->count; i++) {
		struct line *e = a->entries[i];
		if (e->digest_end && e->digest_end <= now)
			digest_forget(e);
		if (e->digest_end && e->digest_end - now < next)
			next = e->digest_end - now;
	}
	return next == UINT64_MAX ? -1 : next > INT_MAX ? INT_MAX : (int)next;
}

/* ---- changes ---- */

/* A name that may be added. */
static bool new_name_valid(const char *name)
{
	char plain[USER_SIZE];
	size_t length = strlen(name);

	if (length >= sizeof(plain))
		return false;
	memcpy(plain, name, length + 1);
	if (length > 0 && plain[length - 1] == '*')
		plain[length - 1] = 0;
	return user_valid(plain);
}

/* The entry of an account from its name and password. NULL with the reason in *STATUS. */
static struct line *account_make(const char *name, const char *password, int32_t *status)
{
	char setting[CRYPT_GENSALT_OUTPUT_SIZE], hash[CRYPT_OUTPUT_SIZE], line[LINE_SIZE];
	char hex[2 * NT_HASH_SIZE + 1];
	uint8_t nt[NT_HASH_SIZE];
	struct line *e;

	*status = STATUS_UNSUCCESSFUL;
	if (!crypt_gensalt_rn("$y$", 0, NULL, 0, setting, sizeof(setting)) ||
	    yescrypt(password, setting, hash) < 0 || nt_hash(password, nt) < 0 ||
	    OPENSSL_buf2hexstr_ex(hex, sizeof(hex), NULL, nt, sizeof(nt), '\0') != 1)
		return NULL;
	int length = snprintf(line, sizeof(line), "%s:%s:%s", name, hash, hex);
	e = entry_create(line, (size_t)length);
	*status = e ? STATUS_SUCCESS : STATUS_NO_MEMORY;
	if (e && entry_read(e)) {
		*status = STATUS_INVALID_PARAMETER;
		entry_destroy(e);
		e = NULL;
	}
	OPENSSL_cleanse(line, sizeof(line));
	OPENSSL_cleanse(hex, sizeof(hex));
	OPENSSL_cleanse(nt, sizeof(nt));
	return e;
}

int32_t accounts_add(struct accounts *a, const char *name, const char *password)
{
	struct name folded;
	struct line *e;
	int32_t status;

	if (!new_name_valid(name) || !*password || name_fold(&folded, name) < 0)
		return STATUS_INVALID_PARAMETER;
	if (account_named(a, &folded))
		return STATUS_OBJECT_NAME_COLLISION;
	e = account_make(name, password, &status);
	if (!e)
		return status;
	return entry_append(a, e) < 0 ? STATUS_NO_MEMORY : STATUS_SUCCESS;
}

/* The place in the table of the account of that very name, COUNT where there is none. */
static size_t account_index(const struct accounts *a, const char *name)
{
	struct name folded;
	const struct line *e = name_fold(&folded, name) == 0 ? account_named(a, &folded) : NULL;
	size_t i = 0;

	while (i < a->count && a->entries[i] != e)
		i++;
	return i;
}

void accounts_users(const struct accounts *a, const char *name, char users[USER_SIZE])
{
	size_t at = account_index(a, name);
	const struct line *e = at < a->count ? a->entries[at] : NULL;

	size_t length = e ? strlen(e->name.folded) : 0;

	memset(users, 0, USER_SIZE);
	if (e && !e->name.pattern)
		memcpy(users, e->spelt, USER_SIZE);
	else if (e && length < USER_SIZE - 1) { /* else nobody's name is as long as that */
		memcpy(users, e->name.folded, length);
		users[length] = '*';
	}
}

int32_t accounts_passwd(struct accounts *a, const char *name, const char *password)
{
	size_t at = account_index(a, name);
	struct line *e;
	int32_t status;

	if (at == a->count)
		return STATUS_OBJECT_NAME_NOT_FOUND;
	if (!*password)
		return STATUS_INVALID_PARAMETER;
	e = account_make(a->entries[at]->spelt, password, &status);
	if (!e)
		return status;
	entry_destroy(a->entries[at]);
	a->entries[at] = e;
	return STATUS_SUCCESS;
}

int32_t accounts_remove(struct accounts *a, const char *name)
{
	size_t at = account_index(a, name);

	if (at == a->count)
		return STATUS_OBJECT_NAME_NOT_FOUND;
	entry_destroy(a->entries[at]);
	a->count--;
	memmove(a->entries + at, a->entries + at + 1, (a->count - at) * sizeof(*a->entries));
	return STATUS_SUCCESS;
}

/* ---- logon ---- */

/* True where pattern E matches the user, and is longer than BEST (which may be NULL). */
static bool pattern_better(const struct line *e, const struct line *best, const char *user)
{
	size_t length = strlen(e->name.folded);

	return strncmp(e->name.folded, user, length) == 0 &&
	       (!best || length > strlen(best->name.folded));
}

/* The account of just that NAME, or else of the longest pattern; NULL: there is none. */
static struct line *account_matching(
    const struct accounts *a, const struct name *name, char found[USER_SIZE])
{
	struct line *best = NULL, *e = account_named(a, name);

	if (e) {
		memcpy(found, e->spelt, USER_SIZE);
		return e;
	}
	for (size_t i = 0; a->patterns && i < a->count; i++) {
		e = a->entries[i];
		if (e->account && e->name.pattern && pattern_better(e, best, name->folded))
			best = e;
	}
	if (!best || !user_valid(name->folded))
		return NULL;
	memcpy(found, name->folded, strlen(name->folded));
	return best;
}

/* Where USER is DOMAIN\name or name@domain: the name and the domain, and their lengths. */
static bool name_split(
    const char *user, const char **name, size_t *length, const char **domain, size_t *domain_length)
{
	const char *mark = strchr(user, '\\'), *end = user + strlen(user);
	bool first = mark != NULL; /* the domain is */

	if (!mark)
		mark = strrchr(user, '@');
	if (!mark)
		return false;
	*name = first ? mark + 1 : user;
	*length = (size_t)((first ? end : mark) - *name);
	*domain = first ? user : mark + 1;
	*domain_length = (size_t)((first ? mark : end) - *domain);
	return true;
}

void accounts_domain(const char *user, char domain[DOMAIN_SIZE])
{
	const char *name, *from;
	size_t length, domain_length;

	memset(domain, 0, DOMAIN_SIZE);
	if (name_split(user, &name, &length, &from, &domain_length) && domain_length < DOMAIN_SIZE)
		memcpy(domain, from, domain_length);
}

/* The account that USER logs on with, and the user's name in FOUND; NULL: there is none. */
static struct line *account_of(const struct accounts *a, const char *user, char found[USER_SIZE])
{
	char plain[USER_SIZE] = { 0 };
	const char *from, *domain;
	size_t length, domain_length;
	struct name name;
	struct line *e;

	memset(found, 0, USER_SIZE);
	if (name_fold(&name, user) < 0 || name.pattern)
		return NULL;
	e = account_matching(a, &name, found);
	if (e || !name_split(user, &from, &length, &domain, &domain_length) ||
	    length >= sizeof(plain))
		return e;
	memcpy(plain, from, length);
	return name_fold(&name, plain) < 0 || name.pattern ? NULL
	                                                   : account_matching(a, &name, found);
}

int32_t accounts_logon(
    struct accounts *a, const char *user, const char *password, uint64_t now, char found[USER_SIZE])
{
	struct line *e = account_of(a, user, found);

	if (e && password && digest_right(e, password, now))
		return STATUS_SUCCESS;
	/* the run for an unknown user is for its cost alone: time must not tell names */
	if (!hash_right(password ? password : "", e ? e->hash : state.dummy_setting) || !e ||
	    !password) {
		memset(found, 0, USER_SIZE);
		return STATUS_LOGON_FAILURE;
	}
	e->digest_end = digest_make(e, password, e->digest) == 0 ? now + ACCOUNTS_REMEMBER : 0;
	return STATUS_SUCCESS;
}

int32_t accounts_ntlm(const struct accounts *a, const char *user, const char *domain,
    char found[USER_SIZE], uint8_t hash[NT_HASH_SIZE])
{
	const struct line *e = account_of(a, user, found);
	uint8_t data[2 * UTF16_SIZE];
	ssize_t first = utf16le(user, true, data);
	ssize_t second = first < 0 ? -1 : utf16le(domain, false, data + first);

	memset(hash, 0, NT_HASH_SIZE);
	if (second >= 0 &&
	    HMAC(EVP_md5(), e ? e->nt : state.dummy_nt, NT_HASH_SIZE, data,
	        (size_t)(first + second), hash, NULL) &&
	    e)
		return STATUS_SUCCESS;
	memset(found, 0, USER_SIZE);
	return STATUS_LOGON_FAILURE;
}
