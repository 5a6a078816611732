/*
 * The accounts: their file's lines, names, patterns, passwords and what those cost. Hashes
 * of NTLM are compared with MS-NLMP 4.2.4 and with what WinPR's NTOWFv2A made of the same
 * words. Costs are processor time, so that a busy machine changes nothing.
 */
#include "../daemon/accounts.h"
#include "../sessmgr/ntstatus.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NT "a4f49c406510bdcab6824ee7c30fd852"
#define HASH "$y$j9T$ZginnIqLOGU4ygh6IUVh.0$7.Lf7H8.5y.yrr9bUZo6o3zkF.JDBV4NTpGSvVzars5"
#define REST ":" HASH ":" NT

static size_t reports;
static size_t reported_line;

static void report(size_t line, const char *problem)
{
	assert_non_null(problem);
	reports++;
	reported_line = line;
}

static struct accounts *parse(const char *text, size_t size)
{
	reports = 0;
	struct accounts *a = accounts_parse(text, size, true, report);
	assert_non_null(a);
	return a;
}

static struct accounts *empty(void)
{
	return parse("", 0);
}

static void assert_format(const struct accounts *a, const char *text, size_t size)
{
	size_t got;
	char *made = accounts_format(a, &got);

	assert_non_null(made);
	assert_int_equal(got, size);
	assert_memory_equal(made, text, size);
	free(made);
}

static void test_lines(void **unused)
{
	static const struct {
		const char *line;
		bool account;
	} cases[] = {
		{ "joe" REST, true },
		{ "Joe Smith" REST, true },
		{ "j\xc3\xbcrgen" REST, true },
		{ "lab*" REST, true },
		{ ".joe" REST, true },
		{ "joe:" HASH ":A4F49C406510BDCAB6824EE7C30FD852", true },
		{ "", false },
		{ "joe", false },
		{ "joe:" HASH, false },
		{ "joe:" HASH ":" NT "0", false },
		{ "joe:" HASH ":" NT ":", false },
		{ "joe:" HASH ":" NT "\r", false },
		{ "joe:" HASH ":a4f49c406510bdcab6824ee7c30fd85g", false },
		{ "joe:" HASH ":a4:49c406510bdcab6824ee7c30fd852", false },
		{ "joe:$6$salt$hash:" NT, false },
		{ "joe:$y$j9T$a b:" NT, false },
		{ "joe::" NT, false },
		{ REST, false },
		{ "*" REST, false },
		{ "**" REST, false },
		{ "l*b" REST, false },
		{ "lab**" REST, false },
		{ "a/b" REST, false },
		{ "." REST, false },
		{ ".." REST, false },
		{ " joe" REST, false },
		{ "joe " REST, false },
		{ "jo\te" REST, false },
		{ "jo\x7f" REST, false },
		{ "jo\xff" REST, false },
		{ "jo\xc3" REST, false },
	};

	(void)unused;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char line[512];
		size_t at = 0, size = (size_t)snprintf(line, sizeof(line), "%s\n", cases[i].line);
		struct accounts *a = parse(line, size);
		if ((accounts_next(a, &at) != NULL) != cases[i].account)
			fail_msg("line \"%s\"", cases[i].line);
		assert_int_equal(reports, cases[i].account ? 0 : 1);
		assert_format(a, line, size);
		accounts_destroy(a);
	}
}

static void test_name_length(void **unused)
{
	(void)unused;
	for (size_t length = 127; length <= 128; length++) {
		char line[512];
		size_t at = 0;
		memset(line, 'a', length);
		snprintf(line + length, sizeof(line) - length, "%s", REST);
		struct accounts *a = parse(line, strlen(line));
		assert_true((accounts_next(a, &at) != NULL) == (length == 127));
		accounts_destroy(a);
	}
}

/* Bad input loses nothing, whatever else is done. */
static void test_kept(void **unused)
{
	static const char text[] =
	    "first" REST "\ntorn:$y$\n\nzero\0" REST "\nlast" REST "\nFIRST" REST "\nlas";
	static const char after[] =
	    "torn:$y$\n\nzero\0" REST "\nlast" REST "\nFIRST" REST "\nlas\n";
	size_t at = 0;
	struct accounts *a = parse(text, sizeof(text) - 1);

	(void)unused;
	assert_int_equal(reports, 5);
	assert_int_equal(reported_line, 7);
	assert_string_equal(accounts_next(a, &at), "first");
	assert_string_equal(accounts_next(a, &at), "last");
	assert_null(accounts_next(a, &at));
	assert_int_equal(accounts_remove(a, "First"), STATUS_SUCCESS);
	assert_format(a, after, sizeof(after) - 1);
	accounts_destroy(a);
}

static void test_add_names(void **unused)
{
	static const struct {
		const char *name;
		int32_t status;
	} cases[] = {
		{ "joe", STATUS_SUCCESS },
		{ "JOE", STATUS_OBJECT_NAME_COLLISION },
		{ "joe*", STATUS_SUCCESS },
		{ "Joe*", STATUS_OBJECT_NAME_COLLISION },
		{ "j\xc3\xbcrgen", STATUS_SUCCESS },
		{ "J\xc3\x9cRGEN", STATUS_OBJECT_NAME_COLLISION },
		{ "a.b-c_9", STATUS_SUCCESS },
		{ "", STATUS_INVALID_PARAMETER },
		{ "*", STATUS_INVALID_PARAMETER },
		{ "a**", STATUS_INVALID_PARAMETER },
		{ "*a", STATUS_INVALID_PARAMETER },
		{ "-a", STATUS_INVALID_PARAMETER },
		{ ".a", STATUS_INVALID_PARAMETER },
		{ "a b", STATUS_INVALID_PARAMETER },
		{ "a:b", STATUS_INVALID_PARAMETER },
		{ "a/b", STATUS_INVALID_PARAMETER },
		{ "a\\b", STATUS_INVALID_PARAMETER },
		{ "a\nb", STATUS_INVALID_PARAMETER },
		{ "a\xe2\x82\xac", STATUS_INVALID_PARAMETER }, /* a sign, no letter */
		{ "a23456789012345678901234567890123456789012345678901234567890123",
		    STATUS_SUCCESS },
		{ "a234567890123456789012345678901234567890123456789012345678901234",
		    STATUS_INVALID_PARAMETER },
	};
	struct accounts *a = empty();

	(void)unused;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		if (accounts_add(a, cases[i].name, "secret") != cases[i].status)
			fail_msg("name \"%s\"", cases[i].name);
	assert_int_equal(accounts_add(a, "nopassword", ""), STATUS_INVALID_PARAMETER);
	accounts_destroy(a);
}

/* Which account a user is found as; NULL: as none. */
static void assert_found(const struct accounts *a, const char *user, const char *expected)
{
	char found[USER_SIZE];
	uint8_t hash[NT_HASH_SIZE];
	int32_t status = accounts_ntlm(a, user, "", found, hash);

	if (status != (expected ? STATUS_SUCCESS : STATUS_LOGON_FAILURE) ||
	    strcmp(found, expected ? expected : "") != 0)
		fail_msg("user \"%s\" was found as \"%s\", status %x", user, found, status);
}

static void test_matching(void **unused)
{
	static const char text[] =
	    "lab*" REST "\nLab1" REST "\nl*" REST "\nJoe Smith" REST "\n\xc3\x96*" REST "\n";
	struct accounts *a = parse(text, sizeof(text) - 1);

	(void)unused;
	assert_int_equal(reports, 0);
	assert_found(a, "LAB1", "Lab1");
	assert_found(a, "LAB2", "lab2");
	assert_found(a, "lab", "lab");
	assert_found(a, "La", "la");
	assert_found(a, "joe smith", "Joe Smith");
	assert_found(a, "\xc3\xb6L", "\xc3\xb6l");
	assert_found(a, "joe", NULL);
	assert_found(a, "", NULL);
	assert_found(a, "lab*", NULL);
	assert_found(a, "lab/..", NULL);
	assert_found(a, "lab 1", NULL);
	assert_found(a, "lab:1", NULL);
	assert_found(a,
	    "la\xcc\x88"
	    "b",
	    NULL); /* a combining mark is no letter */
	assert_found(a, "lab456789012345678901234567890123456789012345678901234567890123",
	    "lab456789012345678901234567890123456789012345678901234567890123");
	assert_found(a, "lab4567890123456789012345678901234567890123456789012345678901234", NULL);
	accounts_destroy(a);
}

/* A domain may be with the name, as clients send it; but an account of just that name is it. */
static void test_domains(void **unused)
{
	static const char text[] = "lab*" REST "\nJoe" REST "\neve@home" REST "\nc\\d" REST "\n";
	static const struct {
		const char *user, *found, *domain;
	} cases[] = {
		{ "joe@corp.example", "Joe", "corp.example" },
		{ "CORP\\joe", "Joe", "CORP" },
		{ "lab1@corp.example", "lab1", "corp.example" },
		{ "joe@", "Joe", "" },
		{ "\\joe", "Joe", "" },
		{ "EVE@home", "eve@home", "home" },
		{ "c\\d", "c\\d", "c" },
		{ "eve@corp", NULL, "corp" },
		{ "d", NULL, "" },
		{ "@corp.example", NULL, "corp.example" },
		{ "CORP\\", NULL, "CORP" },
		{ "CORP\\lab*", NULL, "CORP" },
		{ "lab*@corp", NULL, "corp" },
		{ "joe@a@b", NULL, "b" },
		{ "A\\B\\joe", NULL, "A" },
		{ "A\\joe@b", NULL, "A" },
	};
	struct accounts *a = parse(text, sizeof(text) - 1);
	char domain[DOMAIN_SIZE];

	(void)unused;
	assert_int_equal(reports, 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		assert_found(a, cases[i].user, cases[i].found);
		accounts_domain(cases[i].user, domain);
		assert_string_equal(domain, cases[i].domain);
	}
	accounts_domain(
	    "joe@0123456789012345678901234567890123456789012345678901234567890123", domain);
	assert_string_equal(domain, ""); /* too long for one */
	accounts_destroy(a);
}

/* The longest pattern's password is the one that counts, wherever it stands. */
static void test_longest_pattern(void **unused)
{
	char found[USER_SIZE];

	(void)unused;
	for (int turn = 0; turn < 2; turn++) {
		struct accounts *a = empty();
		assert_int_equal(accounts_add(a, turn ? "lab*" : "l*", turn ? "long" : "short"), 0);
		assert_int_equal(accounts_add(a, turn ? "l*" : "lab*", turn ? "short" : "long"), 0);
		assert_int_equal(accounts_logon(a, "lab1", "long", 1, found), STATUS_SUCCESS);
		assert_int_equal(
		    accounts_logon(a, "lab1", "short", 1, found), STATUS_LOGON_FAILURE);
		assert_int_equal(accounts_logon(a, "la", "short", 1, found), STATUS_SUCCESS);
		accounts_destroy(a);
	}
}

/* Where there are to be none, those that are in the file are told of, and let nobody in. */
static void test_no_patterns(void **unused)
{
	static const char text[] = "l*" REST "\nann" REST "\n";
	struct accounts *a;
	char found[USER_SIZE];
	uint8_t hash[NT_HASH_SIZE];
	size_t at = 0;

	(void)unused;
	reports = 0;
	a = accounts_parse(text, sizeof(text) - 1, false, report);
	assert_int_equal(reports, 1);
	assert_int_equal(reported_line, 1);
	assert_int_equal(accounts_ntlm(a, "lab1", "", found, hash), STATUS_LOGON_FAILURE);
	assert_int_equal(accounts_ntlm(a, "ann", "", found, hash), STATUS_SUCCESS);
	assert_int_equal(accounts_passwd(a, "l*", "new"), STATUS_SUCCESS);
	assert_int_equal(accounts_logon(a, "lab1", "new", 1, found), STATUS_LOGON_FAILURE);
	assert_string_equal(accounts_next(a, &at), "l*");
	assert_int_equal(accounts_remove(a, "l*"), STATUS_SUCCESS);
	accounts_destroy(a);
}

/* So many that looking at all lines above each would take an hour. */
static void test_many(void **unused)
{
	enum { MANY = 300000, LINE = 160 };
	char *text = malloc((size_t)MANY * LINE);
	size_t size = 0;

	(void)unused;
	assert_non_null(text);
	for (int i = 0; i < MANY; i++)
		size += (size_t)snprintf(text + size, LINE, "user%d" REST "\n", i - i / (MANY - 1));
	struct accounts *a = parse(text, size);
	assert_int_equal(reports, 1); /* the last is named as the one before it */
	assert_int_equal(reported_line, MANY);
	accounts_destroy(a);
	free(text);
}

static void test_ntlm_vectors(void **unused)
{
	static const struct {
		const char *user, *domain, *password;
		uint8_t hash[NT_HASH_SIZE];
	} cases[] = {
		{ "User", "Domain", "Password",
		    { 0x0c, 0x86, 0x8a, 0x40, 0x3b, 0xfd, 0x7a, 0x93, 0xa3, 0x00, 0x1e, 0xf2, 0x2e,
		        0xf0, 0x2e, 0x3f } },
		{ "j\xc3\xbcrgen",
		    "L\xc3\xa4"
		    "b",
		    "Gru\xc3\x9f\xf0\x9d\x84\x9e\xe2\x82\xac",
		    { 0xc0, 0xeb, 0x29, 0x5d, 0x8d, 0x97, 0x0c, 0x5b, 0xac, 0x16, 0x1f, 0x66, 0xc9,
		        0x09, 0x9b, 0x9e } },
		{ "\xe1\x83\x92\xe1\x83\x98\xe1\x83\x9d\xe1\x83\xa0\xe1\x83\x92\xe1\x83\x98", "",
		    "secret",
		    { 0xce, 0x96, 0xb3, 0x38, 0x64, 0xb2, 0xe3, 0xce, 0x3f, 0x0b, 0x23, 0xaf, 0x38,
		        0xbe, 0xe2, 0xd1 } },
	};
	struct accounts *a = empty();

	(void)unused;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char found[USER_SIZE];
		uint8_t hash[NT_HASH_SIZE];
		assert_int_equal(accounts_add(a, cases[i].user, cases[i].password), STATUS_SUCCESS);
		assert_int_equal(
		    accounts_ntlm(a, cases[i].user, cases[i].domain, found, hash), STATUS_SUCCESS);
		assert_memory_equal(hash, cases[i].hash, NT_HASH_SIZE);
	}
	accounts_destroy(a);
}

static void test_ntlm_unknown(void **unused)
{
	static const uint8_t zero[NT_HASH_SIZE];
	char found[USER_SIZE];
	uint8_t one[NT_HASH_SIZE], other[NT_HASH_SIZE];
	struct accounts *a = empty();

	(void)unused;
	assert_int_equal(accounts_ntlm(a, "eve", "", found, one), STATUS_LOGON_FAILURE);
	assert_int_equal(accounts_ntlm(a, "bob", "", found, other), STATUS_LOGON_FAILURE);
	assert_memory_not_equal(one, zero, NT_HASH_SIZE);
	assert_memory_not_equal(one, other, NT_HASH_SIZE);
	accounts_destroy(a);
}

static double cost(
    struct accounts *a, const char *user, const char *password, uint64_t now, int32_t expected)
{
	struct timespec before, after;
	char found[USER_SIZE];

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
	int32_t status = accounts_logon(a, user, password, now, found);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
	assert_int_equal(status, expected);
	return (double)(after.tv_sec - before.tv_sec) * 1e6 +
	       (double)(after.tv_nsec - before.tv_nsec) / 1e3;
}

static double cheapest(struct accounts *a, const char *user, const char *password, int32_t expected)
{
	double best = 1e9;

	for (int i = 0; i < 5; i++) {
		double one = cost(a, user, password, 1, expected);
		best = one < best ? one : best;
	}
	return best;
}

static void test_remembered(void **unused)
{
	const uint64_t start = 1000, end = start + ACCOUNTS_REMEMBER;
	struct accounts *a = empty();

	(void)unused;
	assert_int_equal(accounts_add(a, "lab*", "secret"), STATUS_SUCCESS);
	assert_int_equal(accounts_expire(a, start), -1);
	double first = cost(a, "lab1", "secret", start, STATUS_SUCCESS);
	assert_true(first > 10 * cost(a, "lab1", "secret", start, STATUS_SUCCESS));
	assert_true(first > 10 * cost(a, "lab2", "secret", end - 1, STATUS_SUCCESS));
	/* a wrong password costs what it did, and the right one stays remembered */
	assert_true(cost(a, "lab1", "wrong", start, STATUS_LOGON_FAILURE) > first / 10);
	assert_true(first > 10 * cost(a, "lab1", "secret", start, STATUS_SUCCESS));
	assert_int_equal(accounts_expire(a, start), ACCOUNTS_REMEMBER);
	assert_int_equal(accounts_expire(a, end - 1), 1);
	assert_true(cost(a, "lab1", "secret", end, STATUS_SUCCESS) > first / 10);
	assert_int_equal(accounts_expire(a, end + ACCOUNTS_REMEMBER), -1);
	assert_true(cost(a, "lab1", "secret", end, STATUS_SUCCESS) > first / 10);
	accounts_destroy(a);
}

static void test_forgotten(void **unused)
{
	struct accounts *a = empty();

	(void)unused;
	assert_int_equal(accounts_add(a, "joe", "one"), STATUS_SUCCESS);
	double first = cost(a, "joe", "one", 1, STATUS_SUCCESS);
	assert_int_equal(accounts_passwd(a, "JOE", ""), STATUS_INVALID_PARAMETER);
	assert_int_equal(accounts_passwd(a, "JOE", "two"), STATUS_SUCCESS);
	cost(a, "joe", "one", 1, STATUS_LOGON_FAILURE);
	assert_true(cost(a, "joe", "two", 1, STATUS_SUCCESS) > first / 10);
	assert_int_equal(accounts_passwd(a, "eve", "two"), STATUS_OBJECT_NAME_NOT_FOUND);
	assert_int_equal(accounts_remove(a, "joe"), STATUS_SUCCESS);
	assert_int_equal(accounts_remove(a, "joe"), STATUS_OBJECT_NAME_NOT_FOUND);
	cost(a, "joe", "two", 1, STATUS_LOGON_FAILURE);
	assert_int_equal(accounts_add(a, "joe", "two"), STATUS_SUCCESS);
	assert_true(cost(a, "joe", "two", 1, STATUS_SUCCESS) > first / 10);
	accounts_destroy(a);
}

static void test_unknown_costs_the_same(void **unused)
{
	struct accounts *a = empty();

	(void)unused;
	assert_int_equal(accounts_add(a, "lab*", "secret"), STATUS_SUCCESS);
	double wrong = cheapest(a, "lab1", "wrong", STATUS_LOGON_FAILURE);
	double unknown = cheapest(a, "eve", "wrong", STATUS_LOGON_FAILURE);
	double refused = cheapest(a, "lab 1", "secret", STATUS_LOGON_FAILURE);
	assert_true(unknown > wrong / 2 && unknown < wrong * 2);
	assert_true(refused > wrong / 2 && refused < wrong * 2);
	accounts_destroy(a);
}

static void test_copy(void **unused)
{
	struct accounts *a = empty(), *b;
	size_t at = 0;

	(void)unused;
	assert_int_equal(accounts_add(a, "joe", "secret"), STATUS_SUCCESS);
	double first = cost(a, "joe", "secret", 1, STATUS_SUCCESS);
	b = accounts_copy(a);
	assert_non_null(b);
	assert_int_equal(accounts_remove(a, "joe"), STATUS_SUCCESS);
	assert_null(accounts_next(a, &at));
	assert_true(first > 10 * cost(b, "joe", "secret", 1, STATUS_SUCCESS));
	accounts_destroy(a);
	accounts_destroy(b);
}

/* What is written is what is read, for a password as long as there are. */
static void test_written(void **unused)
{
	char password[PASSWORD_SIZE], found[USER_SIZE];
	struct accounts *a = empty();
	size_t size;

	(void)unused;
	memset(password, 'p', sizeof(password) - 1);
	password[sizeof(password) - 1] = 0;
	assert_int_equal(accounts_add(a, "J\xc3\xbcrgen", password), STATUS_SUCCESS);
	char *text = accounts_format(a, &size);
	struct accounts *b = parse(text, size);
	assert_int_equal(reports, 0);
	assert_int_equal(accounts_logon(b, "j\xc3\x9crgen", password, 1, found), STATUS_SUCCESS);
	assert_string_equal(found, "J\xc3\xbcrgen");
	password[sizeof(password) - 2] = 'q';
	assert_int_equal(
	    accounts_logon(b, "j\xc3\x9crgen", password, 1, found), STATUS_LOGON_FAILURE);
	assert_string_equal(found, "");
	free(text);
	accounts_destroy(a);
	accounts_destroy(b);
}

static int start(void **unused)
{
	(void)unused;
	return accounts_init();
}

static int end(void **unused)
{
	(void)unused;
	accounts_finish();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_name_length),
		cmocka_unit_test(test_kept),
		cmocka_unit_test(test_add_names),
		cmocka_unit_test(test_matching),
		cmocka_unit_test(test_domains),
		cmocka_unit_test(test_longest_pattern),
		cmocka_unit_test(test_no_patterns),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_ntlm_vectors),
		cmocka_unit_test(test_ntlm_unknown),
		cmocka_unit_test(test_remembered),
		cmocka_unit_test(test_forgotten),
		cmocka_unit_test(test_unknown_costs_the_same),
		cmocka_unit_test(test_copy),
		cmocka_unit_test(test_written),
	};

	return cmocka_run_group_tests(tests, start, end);
}
