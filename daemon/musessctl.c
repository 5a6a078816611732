/*
 * musessctl: asks smss, over its API port, and shows what it answers. One table of options
 * and one of commands are the command line, its check, the help, and what completes it.
 */
#include "musessctl.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Where the service has its port, and where a session sees it. */
#define DEFAULT_PORT_PATH "/run/musess/SmApiPort"
#define SESSION_PORT_PATH "/opt/musess/port/SmApiPort"

/* ---- the tables ---- */

static const struct {
	const char *name;
	const char *argument; /* NULL: it has none */
	const char *help;     /* NULL: people have no use for it */
	char letter;          /* 0: it has none */
} options[OPTION_TOTAL] = {
	[OPTION_SOCKET] = { "socket", "PATH",
	    "the service's port (default: the environment's MUSESS_SM_PORT,\n"
	    "                        else " DEFAULT_PORT_PATH ", in a session its own)",
	    0 },
	[OPTION_JSON] = { "json", NULL, "answer with one JSON document", 0 },
	[OPTION_COMMAND] = { "command", "CMD", "what the session runs instead of a logon", 0 },
	[OPTION_COUNT] = { "count", "N", "end after N intervals", 0 },
	[OPTION_DEST] = { "dest", "SESSIONNAME", "the session whose client it shall be", 0 },
	[OPTION_FOLLOW] = { "follow", NULL, "show events from now on; or -f", 'f' },
	[OPTION_INTERVAL] = { "interval", "SECONDS", "between two looks (default: 2)", 0 },
	[OPTION_KD] = { "kd", NULL, "the processes as a debugger of Windows shows them", 0 },
	[OPTION_PASSWORD_FILE] = { "password-file", "FILE",
	    "take the password from FILE, of one line; -: from standard\n"
	    "                        input's first, as always where that is no terminal",
	    0 },
	[OPTION_TIME] = { "time", "SECONDS", "until the message goes by itself (default: never)",
	    0 },
	[OPTION_TITLE] = { "title", "TEXT", "the message's title", 0 },
	[OPTION_WAIT] = { "wait", NULL, "wait until the message is answered, and say how", 0 },
	[OPTION_VERSION] = { "version", NULL, "print the version and leave", 0 },
	[OPTION_HELP] = { "help", NULL, "print this, or what COMMAND takes, and leave", 0 },
	[OPTION_COMPLETE] = { "complete", NULL, NULL, 0 },
};

enum { EVERYWHERE = TAKES(OPTION_SOCKET) | TAKES(OPTION_VERSION) | TAKES(OPTION_HELP) };

/* In seconds. A subsystem has 60 to connect, and StartCsr waits for it, as exec does for
   psxss; programs that are logged off have a while to end. */
enum { TIMEOUT = 15, START_TIMEOUT = 90 };

#define JSON TAKES(OPTION_JSON)
static const struct command commands[] = {
	{ "list", "qwinsta", "[USER|ID|SESSIONNAME]", "[USER|ID|SESSIONNAME]",
	    "the sessions, as query session lists them", JSON, REST_NONE, TIMEOUT, ctl_list },
	{ "users", "quser", "[USER|ID|SESSIONNAME]", "[USER|ID|SESSIONNAME]",
	    "who is logged on, as query user lists them", JSON, REST_NONE, TIMEOUT, ctl_users },
	{ "show", NULL, "ID|SESSIONNAME", "ID|SESSIONNAME",
	    "all about one session, with the phases of its start", JSON, REST_NONE, TIMEOUT,
	    ctl_show },
	{ "ps", "qprocess", NULL, "[--kd]", "every process of the service and of its sessions",
	    JSON | TAKES(OPTION_KD), REST_NONE, TIMEOUT, ctl_ps },
	{ "top", NULL, NULL, "[--interval SECONDS] [--count N]",
	    "what the sessions use, as it changes",
	    JSON | TAKES(OPTION_INTERVAL) | TAKES(OPTION_COUNT), REST_NONE, START_TIMEOUT,
	    ctl_top },
	{ "disconnect", "tsdiscon", "[ID|SESSIONNAME]", "[ID|SESSIONNAME]",
	    "let a session's client go; one's own without operand", JSON, REST_NONE, TIMEOUT,
	    ctl_disconnect },
	{ "connect", "tscon", "ID|SESSIONNAME", "ID --dest SESSIONNAME",
	    "give a session the client of another", JSON | TAKES(OPTION_DEST), REST_NONE, TIMEOUT,
	    ctl_connect_session },
	{ "logoff", "logoff", "[ID|SESSIONNAME]", "[ID|SESSIONNAME]",
	    "log a session's user off; one's own without operand", JSON, REST_NONE, START_TIMEOUT,
	    ctl_logoff },
	{ "reset", "rwinsta", "ID|SESSIONNAME", "ID|SESSIONNAME", "end a session at once", JSON,
	    REST_NONE, START_TIMEOUT, ctl_reset },
	{ "message", "msg", "ID|SESSIONNAME|USER|*", "ID|SESSIONNAME|USER|* [TEXT]",
	    "a box on screens; its text from standard input too",
	    JSON | TAKES(OPTION_WAIT) | TAKES(OPTION_TIME) | TAKES(OPTION_TITLE), REST_TEXT,
	    TIMEOUT, ctl_message },
	{ "start", NULL, NULL, "[--command CMD]", "start a session without a client (StartCsr)",
	    JSON | TAKES(OPTION_COMMAND), REST_NONE, START_TIMEOUT, ctl_start },
	{ "stop", NULL, "ID|SESSIONNAME", "ID|SESSIONNAME",
	    "end a session and everything in it (StopCsr)", JSON, REST_NONE, TIMEOUT, ctl_stop },
	{ "exec", NULL, "ID|SESSIONNAME", "ID|SESSIONNAME -- CMD...",
	    "run a command in a session, on these pipes", 0, REST_COMMAND, START_TIMEOUT,
	    ctl_exec },
	{ "pool", NULL, "[SIZE]", "[SIZE]", "how many idle sessions there are, or shall be", JSON,
	    REST_NONE, TIMEOUT, ctl_pool },
	{ "drain", NULL, "[on|off|until-restart]", "[on|off|until-restart]",
	    "whether new sessions are refused", JSON, REST_NONE, TIMEOUT, ctl_drain },
	{ "reload", NULL, NULL, "", "read the configuration again", JSON, REST_NONE, TIMEOUT,
	    ctl_reload },
	{ "stats", NULL, NULL, "", "what the service has done so far", JSON, REST_NONE, TIMEOUT,
	    ctl_stats },
	{ "events", NULL, NULL, "-f", "each event when it happens", JSON | TAKES(OPTION_FOLLOW),
	    REST_NONE, TIMEOUT, ctl_events },
	{ "account add", NULL, "NAME", "NAME [--password-file FILE]", "add an account",
	    JSON | TAKES(OPTION_PASSWORD_FILE), REST_NONE, TIMEOUT, ctl_account_add },
	{ "account remove", NULL, "ACCOUNT", "ACCOUNT", "remove an account", JSON, REST_NONE,
	    TIMEOUT, ctl_account_remove },
	{ "account list", NULL, NULL, "", "the names of the accounts", JSON, REST_NONE, TIMEOUT,
	    ctl_account_list },
	{ "account passwd", NULL, "ACCOUNT", "ACCOUNT [--password-file FILE]", "change a password",
	    JSON | TAKES(OPTION_PASSWORD_FILE), REST_NONE, TIMEOUT, ctl_account_passwd },
	{ "version", NULL, NULL, "", "the versions of musessctl and of the service", JSON,
	    REST_NONE, TIMEOUT, ctl_version },
};
enum { COMMAND_COUNT = sizeof(commands) / sizeof(*commands) };

/* ---- help and completion ---- */

static void print_options(unsigned set)
{
	fputs("\nOptions:\n", stdout);
	for (int i = 0; i < OPTION_TOTAL; i++) {
		const char *argument = options[i].argument ? options[i].argument : "";
		int rest = 18 - (int)strlen(options[i].name);
		if (options[i].help && (set & TAKES(i)))
			printf(
			    "  --%s %-*s %s\n", options[i].name, rest, argument, options[i].help);
	}
}

static void print_help(void)
{
	fputs("Usage: musessctl [OPTION]... COMMAND\nControls musess.\n\nCommands:\n", stdout);
	for (int i = 0; i < COMMAND_COUNT; i++) {
		const struct command *c = &commands[i];
		int rest = 45 - (int)strlen(c->name);
		printf("  %s %-*s %s\n", c->name, rest, c->arguments, c->help);
	}
	print_options(~0u);
	fputs("\nCommands of Windows do the same when musessctl is started by their names:\n ",
	    stdout);
	for (int i = 0; i < COMMAND_COUNT; i++)
		if (commands[i].windows)
			printf(" %s", commands[i].windows);
	fputs("\n\nExit status: 0; 1 refused, or no service; 2 the command line or its input is "
	      "wrong.\nexec's is the command's own, or 125 for 1.\n",
	    stdout);
}

/* Of COMMAND alone. */
static void print_command_help(const struct command *command)
{
	printf("Usage: musessctl %s%s%s [OPTION]...\n", command->name,
	    *command->arguments ? " " : "", command->arguments);
	printf("%c%s.\n", toupper((unsigned char)command->help[0]), command->help + 1);
	if (command->windows)
		printf("Windows calls it %s.\n", command->windows);
	print_options(command->options | EVERYWHERE);
}

static void print_completed_options(unsigned set)
{
	const char *separator = "";

	for (int i = 0; i < OPTION_TOTAL; i++)
		if (options[i].help && (set & TAKES(i))) {
			printf("%s--%s%s%s", separator, options[i].name,
			    options[i].argument ? "=" : "",
			    options[i].argument ? options[i].argument : "");
			separator = " ";
		}
	putchar('\n');
}

/* For the shell's completion: a line for each command, of its name, its operand and its
   options, with colons between them. The first, without a name, has the options of all. */
static void print_completion(void)
{
	fputs("::", stdout);
	print_completed_options(EVERYWHERE);
	for (int i = 0; i < COMMAND_COUNT; i++) {
		const struct command *c = &commands[i];
		printf("%s:%s:", c->name, c->operand ? c->operand : "");
		print_completed_options(c->options);
	}
}

/* ---- the command line ---- */

/* The command that WORDS begin with; sets *USED to how many of them it is. */
static const struct command *find_command(char *const *words, int count, int *used)
{
	char two[64];

	if (count < 1)
		return NULL;
	snprintf(two, sizeof(two), "%s %s", words[0], count > 1 ? words[1] : "");
	for (int i = 0; i < COMMAND_COUNT; i++) {
		*used = strchr(commands[i].name, ' ') ? 2 : 1;
		if (strcmp(commands[i].name, *used == 2 ? two : words[0]) == 0)
			return &commands[i];
	}
	return NULL;
}

/* The command that Windows has a program of its own for. NULL: PROGRAM is none of them. */
static const struct command *find_program(const char *program)
{
	const char *slash = strrchr(program, '/');
	const char *name = slash ? slash + 1 : program;

	for (int i = 0; i < COMMAND_COUNT; i++)
		if (commands[i].windows && strcmp(commands[i].windows, name) == 0)
			return &commands[i];
	return NULL;
}

/* Of COMMAND, or the one that WORDS begin with, COUNT of them; where that has none of two words, of all
   that begin so; else of everything. */
static void print_help_of(const struct command *command, char *const *words, int count)
{
	size_t length = count > 0 ? strlen(words[0]) : 0;
	bool found = false;
	int used;

	if (!command)
		command = find_command(words, count, &used);
	if (command)
		print_command_help(command);
	for (int i = 0; !command && length > 0 && i < COMMAND_COUNT; i++)
		if (strncmp(commands[i].name, words[0], length) == 0 &&
		    commands[i].name[length] == ' ') {
			fputs(found ? "\n" : "", stdout);
			print_command_help(&commands[i]);
			found = true;
		}
	if (!command && !found)
		print_help();
}

/* An option that the command has not got. Returns 0 or CTL_USAGE. */
static int check_options(const struct request *r)
{
	for (int i = 0; i < OPTION_TOTAL; i++)
		if (r->option[i] && !((r->command->options | EVERYWHERE) & TAKES(i)))
			return ctl_usage_error(
			    "%s has no option --%s", r->command->name, options[i].name);
	return 0;
}

/* The COUNT words behind the command's name. Returns 0 or CTL_USAGE. */
static int take_operand(struct request *r, char *const *words, int count)
{
	const struct command *c = r->command;

	if (count < (c->operand && *c->operand != '[' ? 1 : 0))
		return ctl_usage_error("%s: %s is missing", c->name, c->operand);
	if (count > (c->operand ? 1 : 0) && c->rest != REST_TEXT)
		return ctl_usage_error("%s: too many arguments: %s%s", c->name, words[count - 1],
		    c->rest == REST_COMMAND ? "; the command to run stands behind --" : "");
	if (count > 0)
		r->operand = words[0];
	if (c->rest == REST_TEXT)
		r->words = words + 1;
	return 0;
}

/* Without a command among WORDS. Returns CTL_USAGE. */
static int no_command(char *const *words, int count)
{
	if (count == 0)
		return ctl_usage_error("no command");
	if (strcmp(words[0], "account") == 0)
		return ctl_usage_error("account: allowed are add, remove, list and passwd");
	return ctl_usage_error(
	    "unknown command: %s%s%s", words[0], count > 1 ? " " : "", count > 1 ? words[1] : "");
}

/* Of COUNT words, which end in NULL, BEFORE stood before "--". The command may be known
   already. Returns 0 or CTL_USAGE. */
static int parse_command(struct request *r, char *const *words, int count, int before)
{
	int used = 0, status;

	if (!r->command)
		r->command = find_command(words, count, &used);
	if (!r->command)
		return no_command(words, count);
	if (r->command->rest == REST_COMMAND) {
		r->words = words + before;
		count = before;
	}
	status = take_operand(r, words + used, count - used);
	if (status == 0 && r->command->rest == REST_COMMAND && !*r->words)
		status = ctl_usage_error("%s: there is no command behind --", r->command->name);
	return status ? status : check_options(r);
}

/* getopt's options, and its letters, "-" before them: words come in their turn, for getopt's
   own sorting would hide where "--" stood. */
enum { FIRST_OPTION = 256 };
static void make_getopt(struct option longs[OPTION_TOTAL + 1], char letters[OPTION_TOTAL + 2])
{
	*letters++ = '-';
	for (int i = 0; i < OPTION_TOTAL; i++) {
		longs[i] = (struct option){ options[i].name,
			options[i].argument ? required_argument : no_argument, NULL,
			FIRST_OPTION + i };
		if (options[i].letter)
			*letters++ = options[i].letter;
	}
}

/* The row of what getopt returned, or OPTION_TOTAL. */
static int option_row(int option)
{
	for (int i = 0; i < OPTION_TOTAL; i++)
		if (option == FIRST_OPTION + i ||
		    (options[i].letter && option == options[i].letter))
			return i;
	return OPTION_TOTAL;
}

/* Fills *R, and moves the words that are no options to the front of ARGV, behind its first:
   *COUNT before "--". Returns -1 to go on, or an exit status. */
static int parse_options(struct request *r, int argc, char **argv, int *count)
{
	enum { WORD = 1 };
	struct option longs[OPTION_TOTAL + 1] = { 0 };
	char letters[OPTION_TOTAL + 2] = "";
	int option;

	make_getopt(longs, letters);
	while ((option = getopt_long(argc, argv, letters, longs, NULL)) != -1) {
		int row = option_row(option);

		if (option == WORD)
			argv[++*count] = optarg;
		else if (row < OPTION_TOTAL)
			r->option[row] = optarg ? optarg : "";
		else {
			fputs("musessctl --help lists the options\n", stderr);
			return CTL_USAGE;
		}
	}
	if (r->option[OPTION_VERSION])
		printf("musessctl %s\n", MUSESS_VERSION);
	else if (r->option[OPTION_HELP])
		print_help_of(r->command, argv + 1, *count);
	else if (r->option[OPTION_COMPLETE])
		print_completion();
	else
		return -1;
	return 0;
}

static const char *port_path(const struct request *r)
{
	const char *path = r->option[OPTION_SOCKET];

	if (!path)
		path = getenv("MUSESS_SM_PORT");
	if (path && *path)
		return path;
	return access(DEFAULT_PORT_PATH, F_OK) < 0 && access(SESSION_PORT_PATH, F_OK) == 0
	           ? SESSION_PORT_PATH
	           : DEFAULT_PORT_PATH;
}

/* Returns an exit status. */
static int run(struct request *r, int argc, char **argv)
{
	int before = 0, count, status = parse_options(r, argc, argv, &before);

	if (status >= 0)
		return status;
	count = before;
	for (int i = optind; i < argc; i++)
		argv[++count] = argv[i];
	argv[count + 1] = NULL;
	r->path = port_path(r);
	r->json = r->option[OPTION_JSON] != NULL;
	status = parse_command(r, argv + 1, count, before);
	return status ? status : r->command->handler(r);
}

int main(int argc, char **argv)
{
	struct request r = { .command = find_program(argv[0]), .port = -1 };
	int status;

	setlocale(LC_CTYPE, "C.UTF-8"); /* of the command, for mbrtoc16 */
	status = run(&r, argc, argv);
	fd_close(&r.port);
	if ((fflush(stdout) != 0 || ferror(stdout)) && status == 0) {
		fprintf(stderr, "musessctl: cannot write: %s\n", strerror(errno));
		status = CTL_REFUSED;
	}
	return status;
}
