/*
 * The options of `musessload run`: one table is the parser, the help and the completion. What is
 * given twice counts once, the last time; --threshold adds up.
 */
#include "run-parse.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int usage_error(const char *format, ...)
{
	va_list list;

	va_start(list, format);
	fputs("musessload: ", stderr);
	vfprintf(stderr, format, list);
	fputc('\n', stderr);
	va_end(list);
	return LOAD_EXIT_USAGE;
}

/* ---- values ---- */

static const char *const until_names[] = { "connected", "first-picture", "logon", "shell", NULL };
static const char *const end_names[] = { "disconnect", "logoff", "drop", NULL };
static const char *const security_names[] = { "nla", "tls", NULL };

const char *options_until_name(enum load_until until)
{
	return until_names[until];
}

const char *options_end_name(enum load_end end)
{
	return end_names[end];
}

/* The place of TEXT among NAMES, or -1. */
static int find_name(const char *const *names, const char *text)
{
	for (int i = 0; names[i]; i++)
		if (strcmp(names[i], text) == 0)
			return i;
	return -1;
}

int parse_whole(const char *text, uint64_t least, uint64_t most, uint64_t *value)
{
	char *end;

	if (!isdigit((unsigned char)*text))
		return -1;
	errno = 0;
	*value = strtoull(text, &end, 10);
	return errno || *end || *value < least || *value > most ? -1 : 0;
}

int take_time(const char *option, const char *text, uint64_t *us)
{
	if (plan_parse_time(text, us) == 0)
		return 0;
	return usage_error(
	    "--%s: \"%s\" is no time: 30s, 500ms and 2m are, a number needs its unit", option,
	    text);
}

/* ---- the table ---- */

#define TEXT_OPTION(name, field)                                                                   \
	static int take_##name(struct parse *p, const char *text)                                  \
	{                                                                                          \
		p->field = text;                                                                   \
		return 0;                                                                          \
	}
TEXT_OPTION(user, user)
TEXT_OPTION(password_file, password_file)
TEXT_OPTION(rate, rate)
TEXT_OPTION(stages, stages)
TEXT_OPTION(storm, storm)
TEXT_OPTION(concurrency, concurrency)
TEXT_OPTION(duration, duration)
TEXT_OPTION(count, count)
TEXT_OPTION(seed, seed)
TEXT_OPTION(segment, segment)
TEXT_OPTION(from, from)
TEXT_OPTION(script, script)
TEXT_OPTION(out, o->out)

#define FLAG_OPTION(name, field)                                                                   \
	static int take_##name(struct parse *p, const char *text)                                  \
	{                                                                                          \
		(void)text;                                                                        \
		p->field = true;                                                                   \
		return 0;                                                                          \
	}
FLAG_OPTION(reconnect, o->reconnect)
FLAG_OPTION(sm, o->sm)
FLAG_OPTION(abort, o->abort_on_fail)
FLAG_OPTION(search, o->max_search)
FLAG_OPTION(help, help)

static int take_hold(struct parse *p, const char *text)
{
	p->hold_given = true;
	return take_time("hold", text, &p->o->hold);
}

static int take_ramp_down(struct parse *p, const char *text)
{
	return take_time("ramp-down", text, &p->o->ramp_down);
}

static int take_deadline(struct parse *p, const char *text)
{
	int status = take_time("deadline", text, &p->o->deadline);

	if (status == 0 && p->o->deadline < 100000)
		return usage_error("--deadline: %s is too short: 100ms is the least", text);
	return status;
}

static int take_max_live(struct parse *p, const char *text)
{
	p->max_live_given = true;
	if (parse_whole(text, 1, MAX_LIVE_MOST, &p->o->max_live) == 0)
		return 0;
	return usage_error("--max-live: \"%s\" is no number of sessions", text);
}

static int take_until(struct parse *p, const char *text)
{
	int found = find_name(until_names, text);

	if (found < 0)
		return usage_error(
		    "--until: \"%s\" is none of connected, first-picture, logon and shell", text);
	p->until_given = true;
	p->o->until = (enum load_until)found;
	return 0;
}

static int take_end(struct parse *p, const char *text)
{
	int found = find_name(end_names, text);

	if (found < 0)
		return usage_error("--end: \"%s\" is none of disconnect, logoff and drop", text);
	p->end_given = true;
	p->o->end = (enum load_end)found;
	return 0;
}

static int take_security(struct parse *p, const char *text)
{
	int found = find_name(security_names, text);

	if (found < 0)
		return usage_error("--security: \"%s\" is none of nla and tls", text);
	p->security_given = true;
	p->o->security = (enum load_security)found;
	return 0;
}

static int take_threshold(struct parse *p, const char *text)
{
	struct options *o = p->o;
	char error[256];

	if (o->thresholds == THRESHOLDS_MAX)
		return usage_error("--threshold: there are more than %d", THRESHOLDS_MAX);
	if (threshold_parse(&o->threshold[o->thresholds], text, error, sizeof(error)) < 0)
		return usage_error("--threshold: %s", error);
	o->thresholds++;
	return 0;
}

static const struct row {
	const char *name, *argument;
	char letter;
	int (*take)(struct parse *, const char *text);
	const char *help;
} table[] = {
	{ "user", "PATTERN", 'u', take_user,
	    "the sessions' users, DOMAIN\\USER where they have a domain; %d or\n"
	    "%04d in it is a number from 1" },
	{ "password-file", "FILE", 'p', take_password_file,
	    "its first line is everybody's password; of several lines each\n"
	    "is one user's, and so many users take turns. - is standard input" },
	{ "rate", "N/s", 0, take_rate,
	    "open loop: so many starts per second (/m, /h too), evenly spaced,\n"
	    "that wait for no slow server; with --duration or --count" },
	{ "stages", "TIME:RATE,...", 0, take_stages,
	    "open loop: each RATE is reached in a line TIME after the one before" },
	{ "storm", "N", 0, take_storm, "open loop: N starts at one moment" },
	{ "concurrency", "N", 0, take_concurrency,
	    "closed loop: N sessions at a time, the next when one has ended;\n"
	    "with --duration or --count. A slow server is asked less: its\n"
	    "times look better than users find them" },
	{ "duration", "TIME", 0, take_duration, "how long sessions are started: 30s, 2m, 1h" },
	{ "count", "N", 0, take_count, "how many are started" },
	{ "hold", "TIME", 0, take_hold,
	    "how long a session stays after it reached --until (0; with a\n"
	    "script at least until that is over)" },
	{ "max-live", "N", 0, take_max_live,
	    "sessions at a time, at most (2000): what would be more is not\n"
	    "started, and counted as missed" },
	{ "ramp-down", "TIME", 0, take_ramp_down,
	    "after the last start those that are held end evenly within TIME" },
	{ "deadline", "TIME", 0, take_deadline,
	    "a session that has not reached --until by then has failed (60s)" },
	{ "security", "nla|tls", 0, take_security, "nla (the default), or tls alone" },
	{ "until", "STATE", 0, take_until,
	    "when a session is there: connected, first-picture (the default),\n"
	    "logon: the server says that the user is logged on (xrdp's Xorg\n"
	    "sessions do not), or shell: the picture has been at rest for\n"
	    "250 ms" },
	{ "end", "HOW", 0, take_end,
	    "disconnect (the default), as a client that is closed does; drop,\n"
	    "which closes the connection without a word; or logoff, which\n"
	    "types exit and Return into the shell, as nothing in RDP logs off,\n"
	    "and waits up to 10 s for the server to end the session" },
	{ "reconnect", NULL, 0, take_reconnect,
	    "each session comes back once after its hold, as a result of its\n"
	    "own, with the server's cookie for that; says whether it is the same" },
	{ "connect-from", "ADDRESS,...", 0, take_from, "source addresses, which take turns" },
	{ "segment", "K/N", 0, take_segment,
	    "this machine makes every N-th start of the plan, from the K-th on" },
	{ "seed", "N", 0, take_seed,
	    "users take their turns in an order that N chooses, the same for\n"
	    "the same N (without: by number). Nothing else in a plan is random" },
	{ "script", "FILE", 0, take_script, "what each session does while it is held: see below" },
	{ "sm", NULL, 0, take_sm,
	    "the session manager alone, without RDP: StartCsr, hold, StopCsr.\n"
	    "The target is the path of its port then (" SM_PORT "\n"
	    "or what MUSESS_SM_PORT says)" },
	{ "out", "FILE", 'o', take_out,
	    "a line of JSON for each session; musessload report reads it" },
	{ "threshold", "TEST", 0, take_threshold,
	    "p95(total)<800ms, fail<1%, ...; may be repeated. Status 99 when\n"
	    "one is crossed" },
	{ "abort-on-fail", NULL, 0, take_abort, "end the run when a threshold is crossed" },
	{ "max-search", NULL, 0, take_search,
	    "find the highest rate that keeps the thresholds: a run of\n"
	    "--duration for each try, from --rate on. --out FILE makes\n"
	    "FILE.1, FILE.2, ..." },
	{ "help", NULL, 'h', take_help, "this" },
};
enum { ROWS = sizeof(table) / sizeof(*table) };

static void print_option(const struct row *row)
{
	char left[40];
	const char *line = row->help;

	snprintf(left, sizeof(left), "%s--%s%s%s", row->letter ? "" : "    ", row->name,
	    row->argument ? " " : "", row->argument ? row->argument : "");
	if (row->letter)
		printf("  -%c, %-26s ", row->letter, left);
	else
		printf("  %-30s ", left);
	for (const char *end; (end = strchr(line, '\n')); line = end + 1)
		printf("%.*s\n%33s", (int)(end - line), line, "");
	puts(line);
}

static void print_help(void)
{
	fputs(
	    "Usage: musessload run HOST[:PORT] -u PATTERN --password-file FILE\n"
	    "                      --rate N/s|--stages ...|--storm N|--concurrency N [OPTION]...\n"
	    "       musessload run --sm [SM-PORT] --rate ...\n"
	    "Loads an RDP server with session creations, and measures each.\n\n",
	    stdout);
	for (int i = 0; i < ROWS; i++)
		print_option(&table[i]);
	fputs(
	    "\nA script has a step a line, # begins a comment:\n"
	    "  type TEXT                   \\n is Return, \\t Tab, \\\\ a backslash\n"
	    "  key NAME [NAME...]          pressed together: ctrl alt delete, enter, f4, a\n"
	    "  wait TIME\n"
	    "  wait-text 'REGEX' TIMEOUT   until a line of the screen matches. It reads the\n"
	    "                              glyphs of musess's font, and nothing else's; such\n"
	    "                              sessions decode pictures, and cost more\n"
	    "  echo TEXT                   types it, and measures each key until its picture\n"
	    "  repeat N ... end\n"
	    "\nOn a terminal: + and - change the rate by 10 %, p pauses and goes on, q starts no\n"
	    "more and waits for the end. Ctrl-C ends every session in order and still reports; a\n"
	    "second one leaves at once.\n"
	    "\nA certificate is never refused; one that is for another name is counted.\n"
	    "\nExit status: 0; 1 some sessions failed; 2 the command line is wrong; 99 a "
	    "threshold\n"
	    "was crossed; 130 interrupted.\n",
	    stdout);
}

void options_print_completion(void)
{
	for (int i = 0; i < ROWS; i++)
		printf("--%s%s%s\n", table[i].name, table[i].argument ? "=" : "",
		    table[i].argument ? table[i].argument : "");
}

/* ---- files ---- */

static int read_script(struct parse *p)
{
	char error[512];
	FILE *file = fopen(p->script, "re");
	int status;

	if (!file)
		return usage_error("--script: %s: %s", p->script, strerror(errno));
	status = script_read(&p->o->script, file, p->script, error, sizeof(error));
	fclose(file);
	return status < 0 ? usage_error("--script: %s", error) : 0;
}

static int read_users(struct parse *p)
{
	struct options *o = p->o;
	uint64_t most = o->plan.model == PLAN_CONCURRENCY ? o->plan.lanes : o->plan.count;
	char error[512] = "";

	if (!p->user)
		return usage_error("who logs on? -u 'lab%%04d'");
	if (!p->password_file)
		return usage_error("there is no password: --password-file FILE");
	if (users_set_pattern(&o->users, p->user, error, sizeof(error)) < 0)
		return usage_error("-u: %s", error);
	if (strcmp(p->password_file, "-") == 0)
		p->password_file = "/dev/stdin";
	if (users_read_passwords(&o->users, p->password_file, error, sizeof(error)) < 0)
		return usage_error("--password-file: %s", error);
	most = most < o->max_live ? most : o->max_live;
	if (o->users.file.count > 1 && o->users.file.count < most)
		return usage_error(
		    "--password-file: %s is too short: it has the passwords of %zu users, "
		    "and up to %llu sessions are there at a time (--max-live)",
		    p->password_file, o->users.file.count, (unsigned long long)most);
	return 0;
}

/* What has no meaning without RDP. */
static int check_sm(const struct parse *p)
{
	const char *option = p->user             ? "user"
	                     : p->password_file  ? "password-file"
	                     : p->security_given ? "security"
	                     : p->until_given    ? "until"
	                     : p->end_given      ? "end"
	                     : p->from           ? "connect-from"
	                     : p->script         ? "script"
	                     : p->o->reconnect   ? "reconnect"
	                     : p->seed           ? "seed"
	                                         : NULL;

	if (option)
		return usage_error("--sm and --%s contradict each other: there is no RDP", option);
	return 0;
}

static int check_rdp(struct parse *p)
{
	int status = 0;

	if (p->o->until == UNTIL_CONNECTED && p->script)
		return usage_error("--script and --until connected contradict each other: a script "
		                   "needs a picture");
	if (p->o->reconnect && p->o->end == END_LOGOFF)
		return usage_error(
		    "--reconnect and --end logoff contradict each other: there would be "
		    "no session to come back to");
	if (p->from)
		status = take_sources(p->o, p->from);
	if (status == 0 && p->script)
		status = read_script(p);
	return status ? status : read_users(p);
}

static int check_search(const struct parse *p)
{
	if (p->o->abort_on_fail && p->o->thresholds == 0)
		return usage_error("--abort-on-fail needs a --threshold to be crossed");
	if (!p->o->max_search)
		return 0;
	if (!p->rate || !p->duration)
		return usage_error("--max-search needs --rate, to begin with, and --duration");
	if (p->o->thresholds == 0)
		return usage_error("--max-search needs a --threshold to be kept");
	return 0;
}

/* ---- the command line ---- */

static void make_getopt(struct option longs[ROWS + 1], char letters[2 * ROWS + 1])
{
	for (int i = 0; i < ROWS; i++) {
		longs[i] = (struct option){ table[i].name,
			table[i].argument ? required_argument : no_argument, NULL, 256 + i };
		if (!table[i].letter)
			continue;
		*letters++ = table[i].letter;
		if (table[i].argument)
			*letters++ = ':';
	}
	*letters = 0;
}

static int parse_words(struct parse *p, int argc, char **argv)
{
	struct option longs[ROWS + 1] = { 0 };
	char letters[2 * ROWS + 1];
	int option, status = 0;

	make_getopt(longs, letters);
	while (status == 0 && (option = getopt_long(argc, argv, letters, longs, NULL)) != -1) {
		int row = option - 256;

		if (option == '?')
			return usage_error("musessload run --help lists the options");
		for (int i = 0; row < 0 && i < ROWS; i++)
			if (table[i].letter == option)
				row = i;
		status = table[row].take(p, optarg);
	}
	return status;
}

/* Passwords are in files: nothing here is secret. */
static char *join(int argc, char **argv)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return NULL;
	fputs("musessload", f);
	for (int i = 0; i < argc; i++)
		fprintf(f, strpbrk(argv[i], " '\"$<>%&;*?()|\\") ? " '%s'" : " %s", argv[i]);
	fclose(f);
	return text;
}

int options_parse(struct options *o, int argc, char **argv)
{
	struct parse p = { .o = o };
	int status;

	*o = (struct options){ .max_live = 2000, .deadline = 60000000, .until = UNTIL_PICTURE };
	o->plan.segment = o->plan.segments = 1;
	o->command = join(argc, argv);
	status = parse_words(&p, argc, argv);
	if (status == 0 && p.help) {
		print_help();
		return LOAD_EXIT_OK;
	}
	if (status == 0)
		status = take_target(o, argc - optind, argv + optind);
	if (status == 0)
		status = make_plan(&p);
	if (status == 0)
		status = o->sm ? check_sm(&p) : check_rdp(&p);
	if (status == 0)
		status = check_search(&p);
	return status ? status : -1;
}

void options_finish(struct options *o)
{
	users_finish(&o->users);
	script_finish(&o->script);
	plan_finish(&o->plan);
	free(o->host);
	free(o->target);
	free(o->command);
}
