/*
 * The account commands. A password comes from a prompt, a file or standard input's first line, and is
 * wiped where it was.
 */
#include "musessctl.h"

#include "ntstatus.h"
#include "password-file.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

/* ---- passwords ---- */

/* Reads a line into TEXT, without its end. Byte by byte: what follows is not ours, and no
   buffer keeps a copy. Returns its length, or -1 with errno (E2BIG: no room). */
static ssize_t read_line(int fd, char *text, size_t size)
{
	size_t length = 0;

	for (;;) {
		char c;
		ssize_t got = read(fd, &c, 1);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -1;
		if (got == 0 || c == '\n')
			break;
		if (length + 1 >= size) {
			errno = E2BIG;
			return -1;
		}
		text[length++] = c;
	}
	text[length] = 0;
	return (ssize_t)length;
}

static int too_long(const char *source)
{
	return ctl_usage_error("%s: a password has at most %d bytes", source, PASSWORD_SIZE - 1);
}

/* Takes the password in LINE, without what editors add. Returns 0, or an exit status after saying what is wrong. */
static int take_line(const char *source, char *line, char *password)
{
	const char *text = password_of_line(line, 1);
	size_t length = strlen(text);

	if (length >= PASSWORD_SIZE)
		return too_long(source);
	if (length == 0)
		return ctl_usage_error("%s: no password", source);
	if (!port_text_valid(text, PASSWORD_SIZE))
		return ctl_usage_error(
		    "%s: a password is UTF-8 without control characters", source);
	memcpy(password, text, length + 1);
	return 0;
}

/* HIDDEN: the line's end was not seen on the terminal. Returns 0, or an exit status after
   saying what is wrong. */
static int take_password(
    const struct request *r, int fd, const char *source, bool hidden, char *password)
{
	char line[PASSWORD_SIZE + 4]; /* and a byte order mark and a carriage return */
	ssize_t length = read_line(fd, line, sizeof(line));
	int error = errno, status;

	if (hidden)
		fputc('\n', stderr);
	errno = error;
	if (length < 0)
		status = error == E2BIG ? too_long(source) : ctl_failed(r, source);
	else if (strlen(line) != (size_t)length)
		status = ctl_usage_error("%s: it is no text", source);
	else
		status = take_line(source, line, password);
	explicit_bzero(line, sizeof(line));
	return status;
}

/* The password of a file, which has one. */
static int read_file(const char *path, char *password)
{
	struct password_file file;
	char error[512];
	int status = 0;

	if (password_file_read(&file, path, error, sizeof(error)) < 0)
		status = ctl_usage_error("%s", error);
	else if (file.count != 1)
		status = ctl_usage_error(
		    "%s: it has %zu passwords, and an account has one", path, file.count);
	else
		status = take_line(path, file.password[0], password);
	password_file_finish(&file);
	return status;
}

static struct termios terminal;

/* Whoever ends the program during the prompt gets the terminal back as it was. */
static void restore_terminal(int number)
{
	tcsetattr(STDIN_FILENO, TCSANOW, &terminal);
	raise(number); /* the default, once this handler returns */
}

static int hide_typing(void)
{
	static const int signals[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM };
	struct sigaction action = { .sa_handler = restore_terminal, .sa_flags = (int)SA_RESETHAND };
	struct termios hidden;

	if (tcgetattr(STDIN_FILENO, &terminal) < 0)
		return -1;
	for (size_t i = 0; i < sizeof(signals) / sizeof(*signals); i++)
		sigaction(signals[i], &action, NULL);
	hidden = terminal;
	hidden.c_lflag &= ~(tcflag_t)ECHO;
	hidden.c_cc[VSUSP] = _POSIX_VDISABLE; /* a shell would get a terminal without echo */
	return tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden);
}

static int prompt(const struct request *r, char *password)
{
	char again[PASSWORD_SIZE] = "";
	int status;

	if (hide_typing() < 0)
		return ctl_failed(r, "the terminal");
	fprintf(stderr, "Password for %s: ", r->operand);
	status = take_password(r, STDIN_FILENO, "the terminal", true, password);
	if (status == 0) {
		fputs("The same again: ", stderr);
		status = take_password(r, STDIN_FILENO, "the terminal", true, again);
	}
	if (status == 0 && strcmp(password, again) != 0)
		status = ctl_usage_error("the two passwords differ");
	tcsetattr(STDIN_FILENO, TCSANOW, &terminal);
	explicit_bzero(again, sizeof(again));
	return status;
}

/* Leaves the password in PASSWORD (PASSWORD_SIZE bytes). Returns 0 or an exit status. */
static int get_password(const struct request *r, char *password)
{
	const char *path = r->option[OPTION_PASSWORD_FILE];

	if (!path && isatty(STDIN_FILENO))
		return prompt(r, password);
	if (!path || strcmp(path, "-") == 0)
		return take_password(r, STDIN_FILENO, "standard input", false, password);
	return read_file(path, password);
}

/* ---- accounts ---- */

/* What can be done about it; NULL: nothing is known. */
static const char *account_hint(uint16_t type, int32_t status)
{
	if (type != ACCT_ADD)
		return NULL;
	if (status == STATUS_ACCESS_DENIED)
		return "the configuration allows names that end in '*' with AccountPatterns = 1";
	if (status == STATUS_INVALID_PARAMETER)
		return "a name has up to 63 letters, digits, '.', '_' and '-', and begins with "
		       "neither '.' nor '-'";
	return NULL;
}

static int account_result(const struct request *r, uint16_t type, const struct lsa_answer *a)
{
	if (a->status != STATUS_SUCCESS)
		return ctl_refused(r, a->status, account_hint(type, a->status));
	return r->json ? ctl_print_json(r, json_pack("{s:s}", "name", r->operand)) : 0;
}

/* ACCT_ADD, ACCT_REMOVE, ACCT_PASSWD. */
static int account_change(struct request *r, uint16_t type)
{
	struct lsa_request m = { 0 };
	union answer answer;
	size_t length = strlen(r->operand);
	int status;

	if (length == 0 || length >= sizeof(m.user) || !port_text_valid(r->operand, length + 1))
		return ctl_usage_error(
		    "%s: a name is UTF-8 without control characters, of 1 to %zu bytes",
		    r->command->name, sizeof(m.user) - 1);
	memcpy(m.user, r->operand, length);
	status = ctl_connect(r);
	if (status == 0 && type != ACCT_REMOVE)
		status = get_password(r, m.password);
	if (status == 0)
		status = ctl_ask(r, &m.h, type, sizeof(m));
	explicit_bzero(&m, sizeof(m));
	if (status == 0)
		status = ctl_receive(r, &answer);
	if (status)
		return status;
	return answer.h.type == LSA_ANSWER ? account_result(r, type, &answer.account)
	                                   : ctl_bad_answer(r);
}

int ctl_account_add(struct request *r)
{
	return account_change(r, ACCT_ADD);
}

int ctl_account_remove(struct request *r)
{
	return account_change(r, ACCT_REMOVE);
}

int ctl_account_passwd(struct request *r)
{
	return account_change(r, ACCT_PASSWD);
}

static json_t *account_json(const void *account)
{
	return json_pack("{s:s}", "name", ((const struct lsa_answer *)account)->user);
}

int ctl_account_list(struct request *r)
{
	struct answers accounts = { 0 };
	union answer last;
	int status = ctl_connect(r);

	if (status == 0)
		status = ctl_ask_plainly(r, ACCT_LIST);
	if (status == 0)
		status = ctl_receive_list(r, ACCT_ENTRY, LSA_ANSWER, &accounts, &last);
	if (status == 0 && last.account.status != STATUS_SUCCESS)
		status = ctl_refused(r, last.account.status, NULL);
	const struct lsa_answer *a = accounts.messages;
	if (status == 0 && r->json)
		status = ctl_print_json(r, ctl_array_json(&accounts, sizeof(*a), account_json));
	else if (status == 0)
		for (size_t i = 0; i < accounts.count; i++)
			puts(a[i].user);
	free(accounts.messages);
	return status;
}
