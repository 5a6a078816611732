/*
 * musessctl: asks smss, over its API port, and shows what it answers. One table of
 * commands is dispatch and help.
 */
#include "musessctl.h"
#include "musessctl-show.h"
#include "ntstatus.h"
#include "proctree.h"

#include <errno.h>
#include <getopt.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uchar.h>
#include <wchar.h>

#define DEFAULT_PORT_PATH "/run/musess/SmApiPort"

bool ctl_parse_id(const char *text, uint32_t *id)
{
	char *end;
	unsigned long long number;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	number = strtoull(text, &end, 10);
	*id = (uint32_t)number;
	return errno == 0 && !*end && number < NO_SESSION;
}

int ctl_bad_id(const struct request *r)
{
	return ctl_usage_error("%s: \"%s\" is no session id: a number from 0 to %u is",
	    r->command->name, r->operand, NO_SESSION - 1);
}

/* ---- list, show, ps ---- */

static int ask_list(struct request *r, uint16_t ask_type, uint16_t item, struct answers *list)
{
	union answer last;
	int status = ctl_ask_plainly(r, ask_type);

	return status ? status : ctl_receive_list(r, item, CTL_END, list, &last);
}

/* The sessions, sorted. Returns 0 or an exit status. */
static int ask_sessions(struct request *r, struct answers *list)
{
	int status = ask_list(r, CTL_LIST, CTL_SESSION, list);

	if (status == 0 && list->count)
		show_sort(list->messages, list->count);
	return status;
}

static uint32_t own_session(void)
{
	const char *text = getenv("MUSESSIONID");
	uint32_t id;

	return text && ctl_parse_id(text, &id) ? id : NO_SESSION;
}

static json_t *session_json(const void *session)
{
	return show_session_json(session);
}

static int list(struct request *r)
{
	struct answers sessions = { 0 };
	int status = ctl_connect(r);

	if (status == 0)
		status = ask_sessions(r, &sessions);
	if (status == 0 && r->json)
		status = ctl_print_json(
		    r, ctl_array_json(&sessions, sizeof(struct msg_session), session_json));
	else if (status == 0)
		show_list(stdout, sessions.messages, sessions.count, own_session());
	free(sessions.messages);
	return status;
}

static int show(struct request *r)
{
	struct answers sessions = { 0 };
	const struct msg_session *s;
	uint32_t id;
	int status;

	if (!ctl_parse_id(r->operand, &id))
		return ctl_bad_id(r);
	status = ctl_connect(r);
	if (status == 0)
		status = ask_sessions(r, &sessions);
	s = show_find(sessions.messages, sessions.count, id);
	if (status == 0 && !s)
		status = ctl_refused(r, STATUS_OBJECT_NAME_NOT_FOUND, NULL);
	else if (status == 0 && r->json)
		status = ctl_print_json(r, show_session_json(s));
	else if (status == 0)
		show_session(stdout, s);
	free(sessions.messages);
	return status;
}

/* What smss names: the service's processes, and those of each session. Sets
   *MANAGER to smss. Freed by the caller; NULL where memory is short. */
static struct proctree_root *roots_of(
    const struct answers *service, const struct answers *sessions, size_t *count, pid_t *manager)
{
	const struct msg_process *p = service->messages;
	const struct msg_session *s = sessions->messages;
	struct proctree_root *roots =
	    calloc(service->count + 2 * sessions->count + 1, sizeof(*roots));

	*count = 0;
	*manager = 0;
	for (size_t i = 0; roots && i < service->count; i++) {
		roots[(*count)++] = (struct proctree_root){ (pid_t)p[i].process, p[i].session };
		if (p[i].session == NO_SESSION && strcmp(p[i].image, "smss") == 0)
			*manager = (pid_t)p[i].process;
	}
	for (size_t i = 0; roots && i < sessions->count; i++) {
		if (s[i].csrss)
			roots[(*count)++] =
			    (struct proctree_root){ (pid_t)s[i].csrss, s[i].session };
		if (s[i].winlogon)
			roots[(*count)++] =
			    (struct proctree_root){ (pid_t)s[i].winlogon, s[i].session };
	}
	return roots;
}

static int show_all_processes(
    const struct request *r, const struct answers *service, const struct answers *sessions)
{
	struct proctree_entry *processes = NULL;
	size_t root_count, count = 0;
	pid_t manager;
	struct proctree_root *roots = roots_of(service, sessions, &root_count, &manager);
	int status = 0;

	if (roots && manager == 0) {
		free(roots);
		return ctl_bad_answer(r);
	}
	if (roots)
		processes = proctree_read(roots, root_count, manager, &count);
	if (!processes)
		status = ctl_failed(r, "/proc");
	else if (r->kd)
		show_kd(stdout, processes, count);
	else if (r->json)
		status = ctl_print_json(
		    r, show_processes_json(processes, count, sessions->messages, sessions->count));
	else
		show_processes(stdout, processes, count, sessions->messages, sessions->count);
	free(processes);
	free(roots);
	return status;
}

static int ps(struct request *r)
{
	struct answers service = { 0 }, sessions = { 0 };
	int status = ctl_connect(r);

	if (status == 0)
		status = ask_list(r, CTL_SERVICE, CTL_PROCESS, &service);
	if (status == 0)
		status = ask_sessions(r, &sessions);
	if (status == 0)
		status = show_all_processes(r, &service, &sessions);
	free(service.messages);
	free(sessions.messages);
	return status;
}

/* ---- start, stop ---- */

/* What can be done about it; NULL: nothing is known. */
static const char *call_hint(const SMAPIMSG *call)
{
	if (call->ApiNumber == SmStopCsrApi && call->u.StopCsr.MuSessionId == 0)
		return "the console ends with the service";
	if (call->ApiNumber == SmStartCsrApi && call->ReturnedStatus == STATUS_NO_MEMORY)
		return "see the log, and MaxInstanceCount";
	return NULL;
}

/* Makes one of the seven calls, and leaves its reply in *CALL. Returns 0 or an exit
   status. */
static int sm_call(struct request *r, SMAPIMSG *call, SMAPINUMBER number)
{
	union answer reply;
	int status = ctl_connect(r);

	call->ApiNumber = number;
	if (status == 0)
		status = ctl_ask(r, &call->h, LPC_REQUEST, sizeof(*call));
	if (status == 0)
		status = ctl_receive(r, &reply);
	if (status)
		return status;
	if (reply.h.type != LPC_REPLY || reply.call.ApiNumber != number)
		return ctl_bad_answer(r);
	*call = reply.call;
	return call->ReturnedStatus == STATUS_SUCCESS
	           ? 0
	           : ctl_refused(r, call->ReturnedStatus, call_hint(call));
}

/* The initial command as UTF-16. Returns 0, or CTL_USAGE after saying why. */
static int encode_command(const char *text, SMSTARTCSR *call)
{
	size_t left = strlen(text), count = 0, got;
	mbstate_t state = { 0 };
	char16_t unit;

	do {
		got = mbrtoc16(&unit, text, left, &state);
		if (got == (size_t)-1 || got == (size_t)-2)
			return ctl_usage_error("start: the command is not UTF-8");
		if (got == (size_t)-3) /* the second half of a pair */
			got = 0;
		if (count < SM_COMMAND_CHARS)
			call->InitialCommand[count] = unit;
		count++;
		text += got;
		left -= got;
	} while (left > 0 || !mbsinit(&state));
	call->InitialCommandLength = (uint32_t)(count * sizeof(unit));
	if (count > SM_COMMAND_CHARS)
		return ctl_usage_error(
		    "start: the command has %zu bytes of UTF-16, and %zu are the most",
		    count * sizeof(unit), sizeof(call->InitialCommand));
	return 0;
}

static int start(struct request *r)
{
	SMAPIMSG call = { .u.StartCsr = { .MuSessionId = SM_NO_MUSESSION } };
	const SMSTARTCSR *answer = &call.u.StartCsr;
	int status;

	if (r->initial && !*r->initial)
		return ctl_usage_error("start: the command is empty");
	status = r->initial ? encode_command(r->initial, &call.u.StartCsr) : 0;
	if (status == 0)
		status = sm_call(r, &call, SmStartCsrApi);
	if (status)
		return status;
	if (r->json)
		return ctl_print_json(
		    r, json_pack("{s:I, s:I, s:I}", "id", (json_int_t)answer->MuSessionId,
		           "csrss_pid", (json_int_t)answer->WindowsSubSysProcessId, "winlogon_pid",
		           (json_int_t)answer->InitialCommandProcessId));
	printf("session %u: csrss %u, winlogon %u\n", answer->MuSessionId,
	    answer->WindowsSubSysProcessId, answer->InitialCommandProcessId);
	return 0;
}

static int stop(struct request *r)
{
	SMAPIMSG call = { 0 };
	uint32_t id;
	int status;

	if (!ctl_parse_id(r->operand, &id))
		return ctl_bad_id(r);
	call.u.StopCsr.MuSessionId = id;
	status = sm_call(r, &call, SmStopCsrApi);
	if (status == 0 && r->json)
		status = ctl_print_json(r, json_pack("{s:I}", "id", (json_int_t)id));
	return status;
}

/* ---- pool ---- */

enum { POOL_MAX = 64 };

static int pool(struct request *r)
{
	struct msg_pool m = { .size = POOL_ASK };
	union answer answer;
	int status;

	if (r->operand && (!ctl_parse_id(r->operand, &m.size) || m.size > POOL_MAX))
		return ctl_usage_error(
		    "pool: \"%s\" is no size: a number from 0 to %d is", r->operand, POOL_MAX);
	status = ctl_connect(r);
	if (status == 0)
		status = ctl_ask(r, &m.h, CTL_POOL, sizeof(m));
	if (status == 0)
		status = ctl_receive(r, &answer);
	if (status)
		return status;
	if (answer.h.type != CTL_POOL)
		return ctl_bad_answer(r);
	if (answer.pool.status != STATUS_SUCCESS)
		return ctl_refused(r, answer.pool.status, NULL);
	if (r->json)
		return ctl_print_json(
		    r, json_pack("{s:I, s:I}", "size", (json_int_t)answer.pool.size, "idle",
		           (json_int_t)answer.pool.idle));
	printf("idle %u of %u\n", answer.pool.idle, answer.pool.size);
	return 0;
}

/* ---- version ---- */

static int version(struct request *r)
{
	union answer answer;
	int status = ctl_connect(r);

	if (status == 0)
		status = ctl_ask_plainly(r, CTL_VERSION);
	if (status == 0)
		status = ctl_receive(r, &answer);
	if (status == 0 && answer.h.type != CTL_VERSION)
		status = ctl_bad_answer(r);
	if (status == 0 && r->json)
		return ctl_print_json(r, json_pack("{s:s, s:s}", "musessctl", MUSESS_VERSION,
		                             "service", answer.version.version));
	if (!r->json)
		printf("musessctl %s\n", MUSESS_VERSION);
	if (status == 0)
		printf("service   %s\n", answer.version.version);
	return status;
}

/* ---- the command line ---- */

/* A subsystem has 60 seconds to connect, and StartCsr waits for it, as exec does for psxss. */
enum { TIMEOUT = 15, START_TIMEOUT = 90 };

static const struct command commands[] = {
	{ "list", NULL, "", "the sessions, as query session lists them", 0, TIMEOUT, list },
	{ "show", "ID", "ID", "all about one session, with the phases of its start", 0, TIMEOUT,
	    show },
	{ "ps", NULL, "[--kd]", "every process of the service and of its sessions", OPTION_KD,
	    TIMEOUT, ps },
	{ "start", NULL, "[--command CMD]", "start a session without a client (StartCsr)",
	    OPTION_COMMAND, START_TIMEOUT, start },
	{ "stop", "ID", "ID", "end a session and everything in it (StopCsr)", 0, TIMEOUT, stop },
	{ "exec", "ID", "ID -- CMD...", "run a command in a session, on these pipes",
	    OPTION_NO_JSON | OPTION_WORDS, START_TIMEOUT, ctl_exec },
	{ "pool", "[SIZE]", "[SIZE]", "how many idle sessions there are, or shall be", 0, TIMEOUT,
	    pool },
	{ "account add", "NAME", "NAME [--password-file FILE]", "add an account",
	    OPTION_PASSWORD_FILE, TIMEOUT, ctl_account_add },
	{ "account remove", "NAME", "NAME", "remove an account", 0, TIMEOUT, ctl_account_remove },
	{ "account list", NULL, "", "the names of the accounts", 0, TIMEOUT, ctl_account_list },
	{ "account passwd", "NAME", "NAME [--password-file FILE]", "change a password",
	    OPTION_PASSWORD_FILE, TIMEOUT, ctl_account_passwd },
	{ "version", NULL, "", "the versions of musessctl and of the service", 0, TIMEOUT,
	    version },
};

static void print_help(void)
{
	fputs("Usage: musessctl [OPTION]... COMMAND\nControls musess.\n\nCommands:\n", stdout);
	for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++) {
		const struct command *c = &commands[i];
		int rest = 42 - (int)strlen(c->name);
		printf("  %s %-*s %s\n", c->name, rest, c->arguments, c->help);
	}
	fputs(
	    "\nOptions:\n"
	    "  --socket PATH         the service's port (default: the environment's "
	    "MUSESS_SM_PORT,\n"
	    "                        else " DEFAULT_PORT_PATH ")\n"
	    "  --json                answer with one JSON document\n"
	    "  --command CMD         what the session runs instead of a logon\n"
	    "  --kd                  the processes as a debugger of Windows shows them\n"
	    "  --password-file FILE  take the password from FILE's first line; -: from standard\n"
	    "                        input, as always where that is no terminal\n"
	    "  --version             print the version and leave\n"
	    "  --help                print this and leave\n\n"
	    "Exit status: 0; 1 refused, or no service; 2 the command line or its input is wrong.\n"
	    "exec's is the command's own, or 125 for 1.\n",
	    stdout);
}

/* The command that WORDS begin with; sets *USED to how many of them it is. */
static const struct command *find_command(char *const *words, int count, int *used)
{
	char two[64];

	if (count < 1)
		return NULL;
	snprintf(two, sizeof(two), "%s %s", words[0], count > 1 ? words[1] : "");
	for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++) {
		*used = strchr(commands[i].name, ' ') ? 2 : 1;
		if (strcmp(commands[i].name, *used == 2 ? two : words[0]) == 0)
			return &commands[i];
	}
	return NULL;
}

/* An option that the command has not got. Returns 0 or CTL_USAGE. */
static int check_options(const struct request *r)
{
	const struct command *c = r->command;

	if (r->initial && !(c->options & OPTION_COMMAND))
		return ctl_usage_error("%s has no option --command", c->name);
	if (r->password_file && !(c->options & OPTION_PASSWORD_FILE))
		return ctl_usage_error("%s has no option --password-file", c->name);
	if (r->kd && !(c->options & OPTION_KD))
		return ctl_usage_error("%s has no option --kd", c->name);
	if (r->json && (c->options & OPTION_NO_JSON))
		return ctl_usage_error("%s has no option --json", c->name);
	if (r->kd && r->json)
		return ctl_usage_error("%s: --kd and --json are two formats: choose one", c->name);
	return 0;
}

/* The COUNT words behind the command's name. Returns 0 or CTL_USAGE. */
static int take_operand(struct request *r, char *const *words, int count)
{
	const struct command *c = r->command;

	if (count < (c->operand && *c->operand != '[' ? 1 : 0))
		return ctl_usage_error("%s: %s is missing", c->name, c->operand);
	if (count > (c->operand ? 1 : 0))
		return ctl_usage_error("%s: too many arguments: %s%s", c->name, words[count - 1],
		    c->options & OPTION_WORDS ? "; the command to run stands behind --" : "");
	if (count > 0)
		r->operand = words[0];
	return 0;
}

/* Of COUNT words, which end in NULL, BEFORE stood before "--". Returns 0 or CTL_USAGE. */
static int parse_command(struct request *r, char *const *words, int count, int before)
{
	const struct command *c;
	int used = 0, status;

	if (count == 0)
		return ctl_usage_error("no command");
	c = r->command = find_command(words, count, &used);
	if (!c && strcmp(words[0], "account") == 0)
		return ctl_usage_error("account: allowed are add, remove, list and passwd");
	if (!c)
		return ctl_usage_error("unknown command: %s%s%s", words[0], count > 1 ? " " : "",
		    count > 1 ? words[1] : "");
	if (c->options & OPTION_WORDS) {
		r->words = words + before;
		count = before;
	}
	status = take_operand(r, words + used, count - used);
	if (status == 0 && r->words && !*r->words)
		status = ctl_usage_error("%s: there is no command behind --", c->name);
	return status ? status : check_options(r);
}

/* Fills *R, and moves the words that are no options to the front of ARGV, behind its first:
   *COUNT before "--". Returns -1 to go on, or an exit status. */
static int parse_options(struct request *r, int argc, char **argv, int *count)
{
	enum { WORD = 1, SOCKET = 256, JSON, KD, COMMAND, PASSWORD_FILE, VERSION, HELP };
	static const struct option options[] = { { "socket", required_argument, NULL, SOCKET },
		{ "json", no_argument, NULL, JSON }, { "kd", no_argument, NULL, KD },
		{ "command", required_argument, NULL, COMMAND },
		{ "password-file", required_argument, NULL, PASSWORD_FILE },
		{ "version", no_argument, NULL, VERSION }, { "help", no_argument, NULL, HELP },
		{ 0 } };
	int option;

	/* "-": words in their turn, for getopt's own sorting would hide where "--" stood */
	while ((option = getopt_long(argc, argv, "-", options, NULL)) != -1)
		switch (option) {
		case WORD:
			argv[++*count] = optarg;
			break;
		case SOCKET:
			r->path = optarg;
			break;
		case JSON:
			r->json = true;
			break;
		case KD:
			r->kd = true;
			break;
		case COMMAND:
			r->initial = optarg;
			break;
		case PASSWORD_FILE:
			r->password_file = optarg;
			break;
		case VERSION:
			printf("musessctl %s\n", MUSESS_VERSION);
			return 0;
		case HELP:
			print_help();
			return 0;
		default:
			fputs("musessctl --help lists the options\n", stderr);
			return CTL_USAGE;
		}
	return -1;
}

int main(int argc, char **argv)
{
	struct request r = { .path = getenv("MUSESS_SM_PORT"), .port = -1 };
	int before = 0, count, status = parse_options(&r, argc, argv, &before);

	setlocale(LC_CTYPE, "C.UTF-8"); /* of the command, for mbrtoc16 */
	if (!r.path || !*r.path)
		r.path = DEFAULT_PORT_PATH;
	count = before;
	for (int i = optind; i < argc; i++)
		argv[++count] = argv[i];
	argv[count + 1] = NULL;
	if (status < 0)
		status = parse_command(&r, argv + 1, count, before);
	if (status == 0 && r.command)
		status = r.command->handler(&r);
	fd_close(&r.port);
	if ((fflush(stdout) != 0 || ferror(stdout)) && status == 0) {
		fprintf(stderr, "musessctl: cannot write: %s\n", strerror(errno));
		status = CTL_REFUSED;
	}
	return status;
}
