/* musessctl's account commands: what reaches lsass, and where passwords come from. */
#include "../sessmgr/ntstatus.h"
#include "fake-smss.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

/* ---- accounts ---- */

/* Expects a call about the account NAME, and answers it. */
static void answer_change(
    struct fake *f, uint16_t type, const char *name, const char *password, int32_t status)
{
	struct lsa_request zero = { 0 };
	union fake_request r = fake_asked(f, type, sizeof(struct lsa_request));

	zero.h = r.h;
	snprintf(zero.user, sizeof(zero.user), "%s", name);
	snprintf(zero.password, sizeof(zero.password), "%s", password);
	assert_memory_equal(&r.account, &zero, sizeof(zero));
	fake_answer_account(f, &r, status);
}

static void test_account_changes(void **data)
{
	struct fake *f = *data;

	fake_run_with(f, "secret\nmore\n", "account", "add", "joe", NULL);
	answer_change(f, ACCT_ADD, "joe", "secret", STATUS_SUCCESS);
	fake_assert_success(f);
	assert_string_equal(f->out, "");
	fake_run_with(
	    f, "a b\xc3\xa4", "account", "passwd", "joe", "--password-file", "-", "--json", NULL);
	answer_change(f, ACCT_PASSWD, "joe", "a b\xc3\xa4", STATUS_SUCCESS);
	fake_assert_output_json(f, "{'name': 'joe'}");
	fake_run(f, "account", "remove", "joe");
	answer_change(f, ACCT_REMOVE, "joe", "", STATUS_SUCCESS);
	fake_assert_success(f);
}

static void test_account_refused(void **data)
{
	struct fake *f = *data;

	fake_run_with(f, "x\n", "account", "add", "joe", NULL);
	answer_change(f, ACCT_ADD, "joe", "x", STATUS_OBJECT_NAME_COLLISION);
	fake_assert_failure(f, 1,
	    "musessctl: account add joe: STATUS_OBJECT_NAME_COLLISION: an account of that name "
	    "exists already\n");
	fake_run_with(f, "x\n", "account", "add", "lab*", NULL);
	answer_change(f, ACCT_ADD, "lab*", "x", STATUS_ACCESS_DENIED);
	fake_assert_failure(f, 1, "musessctl: account add lab*: STATUS_ACCESS_DENIED: ");
	assert_non_null(strstr(f->error, "AccountPatterns = 1"));
	fake_run_with(f, "x\n", "account", "add", "j/oe", NULL);
	answer_change(f, ACCT_ADD, "j/oe", "x", STATUS_INVALID_PARAMETER);
	fake_assert_failure(f, 1, "musessctl: account add j/oe: STATUS_INVALID_PARAMETER: ");
	fake_run(f, "account", "remove", "joe");
	answer_change(f, ACCT_REMOVE, "joe", "", STATUS_OBJECT_NAME_NOT_FOUND);
	fake_assert_failure(f, 1, "musessctl: account remove joe: STATUS_OBJECT_NAME_NOT_FOUND: ");
}

/* A file as musessload reads it too. */
static void write_file(const char *path, const char *text, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

static void refused_file(
    struct fake *f, const char *path, const char *text, mode_t mode, const char *why)
{
	write_file(path, text, mode);
	fake_run(f, "account", "add", "joe", "--password-file", path);
	fake_assert_failure(f, 2, "musessctl: ");
	if (!strstr(f->error, why))
		fail_msg("\"%s\" is not in \"%s\"", why, f->error);
}

static void test_password_file(void **data)
{
	static const char *const good[] = { "from a file\n", "from a file", "from a file\r\n",
		"\357\273\277from a file\r\n" };
	struct fake *f = *data;
	char path[128], text[PASSWORD_SIZE + 1] = "";

	snprintf(path, sizeof(path), "%s/password", f->directory);
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		write_file(path, good[i], 0640);
		fake_run_with(f, "wrong\n", "account", "add", "joe", "--password-file", path, NULL);
		answer_change(f, ACCT_ADD, "joe", "from a file", STATUS_SUCCESS);
		fake_assert_success(f);
		fake_run_with(f, good[i], "account", "add", "joe", NULL);
		answer_change(f, ACCT_ADD, "joe", "from a file", STATUS_SUCCESS);
		fake_assert_success(f);
	}
	refused_file(f, path, "one\ntwo\n", 0600, "it has 2 passwords, and an account has one");
	refused_file(f, path, "one\n", 0644, "others may read or write it");
	refused_file(f, path, "\xef\xbb\xbf\r\n", 0600, ":1: there is no password");
	refused_file(f, path, "x\ty\n", 0600, "UTF-8 without control");
	memset(text, 'x', PASSWORD_SIZE);
	refused_file(f, path, text, 0600, "at most 255 bytes");
	assert_int_equal(unlink(path), 0);
	fake_run(f, "account", "add", "joe", "--password-file", path);
	fake_assert_failure(f, 2, "musessctl: /tmp/test-musessctl.");
	assert_non_null(strstr(f->error, ": No such file or directory\n"));
}

static void test_password_bounds(void **data)
{
	struct fake *f = *data;
	char password[PASSWORD_SIZE + 1] = "";

	memset(password, 'x', PASSWORD_SIZE - 1);
	fake_run_with(f, password, "account", "add", "joe", NULL);
	answer_change(f, ACCT_ADD, "joe", password, STATUS_SUCCESS);
	fake_assert_success(f);
	password[PASSWORD_SIZE - 1] = 'x';
	fake_run_with(f, password, "account", "add", "joe", NULL);
	fake_assert_failure(f, 2, "musessctl: standard input: a password has at most 255 bytes\n");
	fake_run_with(f, "\nx\n", "account", "add", "joe", NULL);
	fake_assert_failure(f, 2, "musessctl: standard input: no password\n");
	fake_run_with(f, "x\ty\n", "account", "add", "joe", NULL);
	fake_assert_failure(f, 2, "musessctl: standard input: a password is UTF-8 without control");
	fake_run_with(f, "x\xff\n", "account", "add", "joe", NULL);
	fake_assert_failure(f, 2, "musessctl: standard input: a password is UTF-8 without control");
}

static void test_account_name_bounds(void **data)
{
	struct fake *f = *data;
	char name[USER_SIZE + 1] = "";

	memset(name, 'n', USER_SIZE - 1);
	fake_run(f, "account", "remove", name);
	answer_change(f, ACCT_REMOVE, name, "", STATUS_SUCCESS);
	fake_assert_success(f);
	name[USER_SIZE - 1] = 'n';
	fake_run(f, "account", "remove", name);
	fake_assert_failure(f, 2, "musessctl: account remove: a name is ");
	fake_run(f, "account", "remove", "");
	fake_assert_failure(f, 2, "musessctl: account remove: a name is ");
	fake_run(f, "account", "remove", "j\noe");
	fake_assert_failure(f, 2, "musessctl: account remove: a name is ");
}

static void answer_account_list(struct fake *f)
{
	struct lsa_answer joe = { .user = "joe" }, lab = { .user = "lab*" };
	union fake_request r = fake_asked(f, ACCT_LIST, sizeof(struct msg_plain));

	FAKE_ANSWER(f, joe, ACCT_ENTRY, r.h.message_id);
	FAKE_ANSWER(f, lab, ACCT_ENTRY, r.h.message_id);
	fake_answer_account(f, &r, STATUS_SUCCESS);
}

static void test_account_list(void **data)
{
	struct fake *f = *data;
	union fake_request r;

	fake_run(f, "account", "list");
	answer_account_list(f);
	fake_assert_success(f);
	assert_string_equal(f->out, "joe\nlab*\n");
	fake_run(f, "account", "list", "--json");
	answer_account_list(f);
	fake_assert_output_json(f, "[{'name': 'joe'}, {'name': 'lab*'}]");
	fake_run(f, "account", "list", "--json");
	r = fake_asked(f, ACCT_LIST, sizeof(struct msg_plain));
	fake_answer_account(f, &r, STATUS_SUCCESS);
	fake_assert_output_json(f, "[]");
	fake_run(f, "account", "list");
	r = fake_asked(f, ACCT_LIST, sizeof(struct msg_plain));
	fake_answer_account(f, &r, STATUS_PORT_DISCONNECTED);
	fake_assert_failure(
	    f, 1, "musessctl: account list: STATUS_PORT_DISCONNECTED: the peer is gone\n");
}

/* ---- the prompt ---- */

static char *const add_joe[] = { "musessctl", "account", "add", "joe", NULL };

/* Reads from the terminal into SCREEN until TEXT is there; NULL: until it is closed. */
static void read_terminal(int terminal, char *screen, size_t size, const char *text)
{
	size_t used = 0;

	screen[0] = 0;
	while (!text || !strstr(screen, text)) {
		fake_await(terminal);
		ssize_t got = read(terminal, screen + used, size - 1 - used);
		if (got < 0 && errno == EIO && !text)
			return;
		if (got <= 0)
			fail_msg("no '%s' on the terminal: %s", text, screen);
		used += (size_t)got;
		screen[used] = 0;
	}
}

static void type(int terminal, const char *text)
{
	assert_int_equal(write(terminal, text, strlen(text)), strlen(text));
}

static bool echoes(int terminal)
{
	struct termios t;

	assert_int_equal(tcgetattr(terminal, &t), 0);
	return t.c_lflag & ECHO;
}

static void test_prompt(void **data)
{
	struct fake *f = *data;
	char screen[1024];
	int terminal = fake_run_on_terminal(f, add_joe);

	read_terminal(terminal, screen, sizeof(screen), "Password for joe: ");
	assert_false(echoes(terminal));
	type(terminal, "secret\n");
	read_terminal(terminal, screen, sizeof(screen), "The same again: ");
	assert_null(strstr(screen, "secret"));
	type(terminal, "secret\n");
	answer_change(f, ACCT_ADD, "joe", "secret", STATUS_SUCCESS);
	read_terminal(terminal, screen, sizeof(screen), NULL);
	assert_string_equal(screen, "\r\n");
	assert_int_equal(fake_exit_status(f), 0);
	close(terminal);
}

static void test_prompt_differs(void **data)
{
	struct fake *f = *data;
	char screen[1024];
	int terminal = fake_run_on_terminal(f, add_joe);

	read_terminal(terminal, screen, sizeof(screen), "Password for joe: ");
	type(terminal, "secret\n");
	read_terminal(terminal, screen, sizeof(screen), "The same again: ");
	type(terminal, "secrets\n");
	read_terminal(terminal, screen, sizeof(screen), NULL);
	assert_non_null(strstr(screen, "musessctl: the two passwords differ\r\n"));
	assert_null(strstr(screen, "secret"));
	assert_int_equal(fake_exit_status(f), 2);
	close(terminal);
}

static void test_prompt_interrupted(void **data)
{
	struct fake *f = *data;
	char screen[1024], slave_name[64];
	int terminal = fake_run_on_terminal(f, add_joe), slave;

	/* kept open: the terminal's state outlives the program */
	assert_int_equal(ptsname_r(terminal, slave_name, sizeof(slave_name)), 0);
	slave = open(slave_name, O_RDWR | O_NOCTTY | O_CLOEXEC);
	assert_true(slave >= 0);
	read_terminal(terminal, screen, sizeof(screen), "Password for joe: ");
	type(terminal, "sec\003");
	assert_int_equal(fake_exit_status(f), -1);
	assert_true(echoes(terminal));
	close(slave);
	close(terminal);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FAKE_TEST(test_account_changes),
		FAKE_TEST(test_account_refused),
		FAKE_TEST(test_password_file),
		FAKE_TEST(test_password_bounds),
		FAKE_TEST(test_account_name_bounds),
		FAKE_TEST(test_account_list),
		FAKE_TEST(test_prompt),
		FAKE_TEST(test_prompt_differs),
		FAKE_TEST(test_prompt_interrupted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
