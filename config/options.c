/*
 * The table of options, and what is done with it: parse, check, dump, document.
 *
 * A file is parsed line by line, each line with a call of inih's own. inih decides what
 * the line is; calling it per line makes its verdict one on a known line number, and
 * leaves nothing of how it was built (line numbers, continuation lines, a call for
 * sections) to matter. The value is taken from the line itself, since inih reads no more
 * than 200 bytes of one and cuts a value at " ;", which may be part of a command.
 */
#include "options.h"

#include "log.h"
#include "networks.h"
#include "port.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <ini.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* A WORD is one of those in its note: its number, or itself where the field is text. NAMES are
   separated by blanks, as NETWORKS are; a COMMAND is a program and its arguments. */
enum option_type { NUMBER, FLAG, TIME, SIZE, TEXT, PATH, ADDRESS, NETWORKS, WORD, NAMES, COMMAND };

/* Bounds are in milliseconds, bytes or as they are; a text may be empty where its default
   is, or with a word for 0. The field's width says what is stored: 4 or 8 bytes of number, or text. */
struct option {
	const char *section, *name;
	size_t offset, width;
	enum option_type type;
	uint64_t min, max;
	const char *initial; /* the default, as it would stand in a file */
	const char *help;
	const char *zero; /* the word for 0, where that is allowed below MIN */
	const char *note; /* said with what is allowed */
	bool live;        /* takes effect while the service runs (config_reload) */
};

#define FIELD(field)                                                                               \
	.name = #field, .offset = offsetof(struct musess_config, field),                           \
	.width = sizeof(((struct musess_config *)0)->field)
#define SUBSYSTEM(subsystem, place)                                                                \
	.name = #subsystem, .offset = offsetof(struct musess_config, commands[place].command),     \
	.width = OPTION_TEXT_SIZE
#define FONTS "/usr/share/fonts/truetype/dejavu/"

#define SUBSYSTEMS "SubSystems"
#define LIMITS "Limits"
/* A day less than 2^32 milliseconds, as group policies have it. */
#define LIMIT_MAX 4233600000

static const struct option options[] = {
	{ "Listener", FIELD(PortNumber), NUMBER, 1, 65535, "3389",
	    "The TCP port that clients connect to; any: one that is free.", .zero = "any",
	    .note = ", or any" },
	{ "Listener", FIELD(ListenAddress), ADDRESS, 0, 0, "::",
	    "The address that clients connect to; ::, all of both kinds; 0.0.0.0, all of IPv4." },
	{ "Listener", FIELD(SecurityLayer), NUMBER, 1, 2, "1",
	    "1: NLA and TLS are offered; 2: TLS alone.",
	    .note = "; RDP standard security is not offered" },
	{ "Listener", FIELD(UserAuthentication), FLAG, 0, 1, "0",
	    "1: only clients that use NLA are let in." },
	{ "Listener", FIELD(Certificate), PATH, 0, 0, "",
	    "A PEM file with the certificate and its chain; empty: one is made." },
	{ "Listener", FIELD(PrivateKey), PATH, 0, 0, "",
	    "A PEM file with the certificate's key; empty: one is made." },
	{ "Listener", FIELD(LogonTimeout), TIME, 1000, 600000, "10s",
	    "How long a client may take from connecting to logon." },
	{ "Listener", FIELD(LogonPenaltyMax), TIME, 0, 86400000, "10m",
	    "How long at most an address has to wait after failed logons: the sixth in a row costs "
	    "it "
	    "a second, each further one twice as long; a minute forgets one.",
	    .zero = "none", .live = true },
	{ "Listener", FIELD(LogonPenaltyExempt), NETWORKS, 0, 0, "",
	    "Addresses that never wait: a load generator's, say, or a gateway's, behind which many "
	    "are.",
	    .live = true },
	{ "Sessions", FIELD(MaxInstanceCount), NUMBER, 1, 30000, "4000",
	    "How many sessions there may be, the console not counted.", .live = true },
	{ "Sessions", FIELD(InitialProgram), TEXT, 0, 0, "",
	    "The command that is run for the user; empty: a login shell." },
	{ "Sessions", FIELD(SubsystemTimeout), TIME, 100, 600000, "1m",
	    "How long a session's csrss may take to connect to the session manager." },
	{ "Sessions", FIELD(TasksMax), NUMBER, 16, 32768, "512",
	    "How many processes and threads a session may have." },
	{ "Sessions", FIELD(MemoryMax), SIZE, 16ull << 20, 1ull << 40, "1G",
	    "How much memory a session may have, where the system delegates cgroups." },
	{ "Sessions", FIELD(IdleWinStationPoolCount), NUMBER, 0, POOL_MAX, "2",
	    "How many sessions are made ahead of their logons; 0: none." },
	{ "Sessions", FIELD(SessionIdPolicy), WORD, 0, 0, "lowest",
	    "The number of a new session: the lowest that is free, or one that none had before.",
	    .note = "lowest increasing" },
	{ "Sessions", FIELD(SessionCreation), WORD, 0, 0, "parallel",
	    "parallel: several sessions are created at a time, each by an smss of its own; serial: "
	    "one.",
	    .note = "parallel serial" },
	{ LIMITS, FIELD(MaxDisconnectionTime), TIME, 0, LIMIT_MAX, "never",
	    "How long a session is kept that no client is at; with --lab 1m unless set.",
	    .zero = "never", .live = true },
	{ LIMITS, FIELD(MaxIdleTime), TIME, 0, LIMIT_MAX, "never",
	    "How long a client may use neither keyboard nor mouse; a box warns 2m before.",
	    .zero = "never", .live = true },
	{ LIMITS, FIELD(MaxConnectionTime), TIME, 0, LIMIT_MAX, "never",
	    "How long a client may be at its session; a box warns 2m before.", .zero = "never",
	    .live = true },
	{ LIMITS, FIELD(fResetBroken), FLAG, 0, 1, "0",
	    "1: a session that reaches MaxIdleTime or MaxConnectionTime is ended; 0: disconnected.",
	    .live = true },
	{ LIMITS, FIELD(fSingleSessionPerUser), FLAG, 0, 1, "1",
	    "1: a user has one session, and who logs on again takes it over; 0: a new one, or the "
	    "one "
	    "that is disconnected; of several the user chooses.",
	    .live = true },
	{ LIMITS, FIELD(MaxSessionsPerUser), NUMBER, 0, 30000, "any",
	    "How many sessions a user may have where fSingleSessionPerUser is 0.", .zero = "any",
	    .live = true },
	{ LIMITS, FIELD(fDenyTSConnections), FLAG, 0, 1, "0",
	    "1: nobody gets a new session; who has one can come back to it.", .live = true },
	{ LIMITS, FIELD(fDisableAutoReconnect), FLAG, 0, 1, "0",
	    "1: a client that was cut off has to log on again.", .live = true },
	{ LIMITS, FIELD(KeepAliveEnable), FLAG, 0, 1, "1",
	    "1: a client that says nothing is asked whether it is there, and given up if it is "
	    "not.",
	    .live = true },
	{ LIMITS, FIELD(KeepAliveInterval), NUMBER, 1, 999, "1",
	    "After how many minutes of silence it is asked; of clients that come from then on.",
	    .live = true },
	{ SUBSYSTEMS, FIELD(Kmode), WORD, 0, 0, "win32k",
	    "The session space, which every session gets: namespaces, ids, limits.",
	    .note = "win32k" },
	{ SUBSYSTEMS, FIELD(Required), NAMES, 0, 0, "Debug Windows",
	    "The subsystems that every session loads, Windows first of all; Debug is ignored." },
	{ SUBSYSTEMS, FIELD(Optional), NAMES, 0, 0, "Posix",
	    "The subsystems that a session loads when they are asked for.", .zero = "nothing" },
	{ SUBSYSTEMS, FIELD(Execute), TEXT, 0, 0, "",
	    "The initial command of a session that is started without one; empty: winlogon." },
	{ SUBSYSTEMS, SUBSYSTEM(Windows, 0), COMMAND, 0, 0, "csrss",
	    "The command of the subsystem Windows; one of your own is set likewise, by its name." },
	{ SUBSYSTEMS, SUBSYSTEM(Posix, 1), COMMAND, 0, 0, "psxss",
	    "The command of the subsystem Posix." },
	{ "Accounts", FIELD(AccountPatterns), FLAG, 0, 1, "0",
	    "1: an account whose name ends in * stands for all names that begin so." },
	{ "Display", FIELD(Font), PATH, 0, 0, FONTS "DejaVuSansMono.ttf",
	    "The font of the sessions' terminals, of fixed width." },
	{ "Display", FIELD(FontBold), PATH, 0, 0, FONTS "DejaVuSansMono-Bold.ttf",
	    "The same font in bold." },
	{ "Events", FIELD(EventFile), PATH, 0, 0, "",
	    "A file that gets every event as a line of JSON; empty: none, but with --lab "
	    "events.jsonl." },
	{ "Events", FIELD(EventFileMax), SIZE, 0, 1ull << 40, "100M",
	    "How large that file may become; then it is renamed to its name with .1 behind it, in "
	    "the place of the last one.",
	    .zero = "none" },
	{ "Events", FIELD(JournalEvents), WORD, 0, 0, "outcomes",
	    "Which events the journal gets. outcomes: those that say what has become of a session; "
	    "all: every step as well; none: the log has a line for each outcome.",
	    .note = "outcomes all none", .live = true },
	{ "Metrics", FIELD(MetricsPort), NUMBER, 0, 65535, "none",
	    "The TCP port at which Prometheus reads metrics, by HTTP; none: there is no such port.",
	    .zero = "none" },
	{ "Metrics", FIELD(MetricsAddress), ADDRESS, 0, 0, "127.0.0.1",
	    "The address of that port. Whoever reaches it may read, without a password." },
	{ "Metrics", FIELD(WindowsNames), FLAG, 0, 1, "0",
	    "1: what windows_exporter says of a session host is there too, users' names "
	    "included." },
};
enum { OPTIONS = sizeof(options) / sizeof(*options) };

/* Largest first; the last takes a number without unit. */
struct unit {
	const char *name;
	uint64_t factor;
};
static const struct unit number_units[] = { { "", 1 } };
static const struct unit time_units[] = { { "h", 3600000 }, { "m", 60000 }, { "s", 1000 },
	{ "ms", 1 }, { "", 1 } };
static const struct unit size_units[] = { { "T", 1ull << 40 }, { "G", 1ull << 30 },
	{ "M", 1ull << 20 }, { "K", 1ull << 10 }, { "", 1 } };

static const struct unit *units_of(const struct option *o)
{
	return o->type == TIME ? time_units : o->type == SIZE ? size_units : number_units;
}

static const struct option *find_option(const char *name)
{
	for (const struct option *o = options; o < options + OPTIONS; o++)
		if (strcmp(o->name, name) == 0)
			return o;
	return NULL;
}

static bool begins_section(const struct option *o)
{
	return o == options || strcmp(o->section, o[-1].section) != 0;
}

static void format_quantity(const struct option *o, uint64_t n, char *text, size_t size)
{
	const struct unit *unit = units_of(o);

	while (n % unit->factor != 0)
		unit++;
	if (n == 0 && o->zero)
		snprintf(text, size, "%s", o->zero);
	else
		snprintf(text, size, "%llu%s", (unsigned long long)(n / unit->factor), unit->name);
}

static bool may_be_empty(const struct option *o)
{
	return !*o->initial || o->zero;
}

/* WORDS, which blanks separate, with " or " between them. */
static void format_words(const char *words, char *text, size_t size)
{
	size_t used = 0;

	for (; *words && used + 5 < size; words++)
		used += (size_t)snprintf(
		    text + used, size - used, *words == ' ' ? " or " : "%c", *words);
}

/* Fills TEXT with what is allowed as the option's value. */
static void format_allowed(const struct option *o, char *text, size_t size)
{
	const char *nothing = may_be_empty(o) ? ", or nothing" : "";
	char low[32], high[32];

	format_quantity(o, o->min, low, sizeof(low));
	format_quantity(o, o->max, high, sizeof(high));
	switch (o->type) {
	case NUMBER:
		if (o->zero && o->min == 0)
			snprintf(text, size, "a number up to %s, or %s", high, o->zero);
		else
			snprintf(text, size, "a number from %s to %s%s", low, high,
			    o->note ? o->note : "");
		break;
	case FLAG:
		snprintf(text, size, "0 or 1");
		break;
	case TIME:
		snprintf(text, size,
		    "a time %s%s to %s%s%s; units are h, m, s, ms; without one, ms",
		    o->zero ? "of up" : "from ", o->zero ? "" : low, high, o->zero ? ", or " : "",
		    o->zero ? o->zero : "");
		break;
	case SIZE:
		snprintf(text, size, "a size %s%s to %s%s%s; units are K, M, G, T",
		    o->zero ? "of up" : "from ", o->zero ? "" : low, high, o->zero ? ", or " : "",
		    o->zero ? o->zero : "");
		break;
	case TEXT:
		snprintf(text, size, "up to %d bytes of UTF-8%s", OPTION_TEXT_SIZE - 1, nothing);
		break;
	case PATH:
		snprintf(text, size, "an absolute path of up to %d bytes%s", OPTION_TEXT_SIZE - 1,
		    nothing);
		break;
	case ADDRESS:
		snprintf(text, size, "an IPv4 or IPv6 address");
		break;
	case NETWORKS:
		snprintf(text, size,
		    "addresses of IPv4 and IPv6, each with a prefix (192.0.2.0/24) or without%s",
		    nothing);
		break;
	case WORD:
		format_words(o->note, text, size);
		break;
	case NAMES:
		snprintf(text, size, "names of letters, digits, _ and -, up to %d each%s",
		    SUBSYSTEM_NAME_SIZE - 1, nothing);
		break;
	case COMMAND:
		snprintf(text, size, "a program of musess or an absolute path, and arguments");
		break;
	}
}

/* Reads a number with its unit. Returns what is wrong with it, or NULL. */
static const char *parse_quantity(const struct option *o, const char *text, uint64_t *n)
{
	const struct unit *unit = units_of(o);
	bool negative = *text == '-';
	char *end;

	if (!isdigit((unsigned char)text[negative]))
		return "not a number";
	errno = 0;
	*n = strtoull(text + negative, &end, 10);
	end += strspn(end, " \t");
	while (*unit->name && strcmp(unit->name, end) != 0)
		unit++;
	if (strcmp(unit->name, end) != 0)
		return unit == number_units ? "not a number" : "not in a known unit";
	if (negative || errno == ERANGE || __builtin_mul_overflow(*n, unit->factor, n) ||
	    *n < o->min || *n > o->max)
		return "out of bounds";
	return NULL;
}

static const char *store_quantity(const struct option *o, void *field, const char *text)
{
	uint64_t n = 0;
	const char *why = NULL;

	if (!o->zero || strcmp(text, o->zero) != 0)
		why = parse_quantity(o, text, &n);
	if (!why && o->width == sizeof(uint32_t))
		*(uint32_t *)field = (uint32_t)n;
	else if (!why)
		*(uint64_t *)field = n;
	return why;
}

static bool name_valid(const char *name, size_t length)
{
	if (length == 0 || length >= SUBSYSTEM_NAME_SIZE || !isalpha((unsigned char)*name))
		return false;
	for (size_t i = 0; i < length; i++)
		if (!isalnum((unsigned char)name[i]) && name[i] != '_' && name[i] != '-')
			return false;
	return true;
}

/* The next of the names in *TEXT, which moves behind it: its length, 0 at the end. */
static size_t next_name(const char **text, const char **name)
{
	size_t length;

	*name = *text + strspn(*text, " \t");
	length = strcspn(*name, " \t");
	*text = *name + length;
	return length;
}

static bool names_have(const char *text, const char *wanted)
{
	const char *name;
	size_t length;

	while ((length = next_name(&text, &name)) > 0)
		if (strlen(wanted) == length && strncmp(name, wanted, length) == 0)
			return true;
	return false;
}

static const char *check_names(const char *text)
{
	const char *name;
	size_t length;

	while ((length = next_name(&text, &name)) > 0) {
		if (!name_valid(name, length))
			return "no list of names";
		char one[SUBSYSTEM_NAME_SIZE];
		snprintf(one, sizeof(one), "%.*s", (int)length, name);
		if (names_have(text, one))
			return "with a name twice";
	}
	return NULL;
}

/* Its program is one of musess's, or an absolute path. */
static const char *check_command(const char *text)
{
	size_t length = strcspn(text, " \t");

	if (*text != '/' && memchr(text, '/', length))
		return "not an absolute path";
	return *text == '.' ? "no program" : NULL;
}

static const char *check_networks(const char *text)
{
	struct network networks[NETWORKS_MAX];

	return networks_parse(text, networks) < 0 ? "not all addresses" : NULL;
}

/* The number of TEXT among the words of the note, or -1. */
static int find_word(const struct option *o, const char *text)
{
	const char *words = o->note, *word;
	size_t length;

	for (int i = 0; (length = next_name(&words, &word)) > 0; i++)
		if (strlen(text) == length && strncmp(word, text, length) == 0)
			return i;
	return -1;
}

static const char *store_word(const struct option *o, void *field, const char *text)
{
	int number = find_word(o, text);

	if (number < 0)
		return "none of these";
	if (o->width == sizeof(uint32_t))
		*(uint32_t *)field = (uint32_t)number;
	else
		snprintf(field, o->width, "%s", text);
	return NULL;
}

static const char *store_text(const struct option *o, char *field, const char *text)
{
	uint8_t address[sizeof(struct in6_addr)];
	const char *why = NULL;

	if (!*text && !may_be_empty(o))
		return "empty";
	if (!port_text_valid(text, o->width))
		return "not printable UTF-8";
	if (o->type == PATH && *text && *text != '/')
		return "not an absolute path";
	if (o->type == ADDRESS && inet_pton(AF_INET, text, address) != 1 &&
	    inet_pton(AF_INET6, text, address) != 1)
		return "not an address";
	if (o->type == NAMES)
		why = check_names(text);
	else if (o->type == COMMAND)
		why = check_command(text);
	else if (o->type == NETWORKS)
		why = check_networks(text);
	if (why)
		return why;
	snprintf(field, o->width, "%s", text);
	return NULL;
}

static bool is_text(const struct option *o)
{
	return o->width > sizeof(uint64_t) && o->type != WORD;
}

/* Stores TEXT as the option's value. Returns what is wrong with it, or NULL. */
static const char *store(const struct option *o, struct musess_config *config, const char *text)
{
	void *field = (char *)config + o->offset;

	if (strlen(text) >= OPTION_TEXT_SIZE)
		return "too long";
	if (o->type == WORD)
		return store_word(o, field, text);
	return is_text(o) ? store_text(o, field, text) : store_quantity(o, field, text);
}

static int set_option(const struct option *o, struct musess_config *config, const char *value,
    char *error, size_t error_size)
{
	const char *why = store(o, config, value);
	char found[48], allowed[160];

	if (!why)
		return 0;
	format_allowed(o, allowed, sizeof(allowed));
	snprintf(error, error_size, "%s is \"%s\", %s; allowed: %s", o->name,
	    log_quote(found, sizeof(found), value), why, allowed);
	return -1;
}

void config_defaults(struct musess_config *config)
{
	memset(config, 0, sizeof(*config));
	for (const struct option *o = options; o < options + OPTIONS; o++)
		store(o, config, o->initial);
	/* the two whose commands are options */
	memcpy(config->commands[0].name, "Windows", sizeof("Windows"));
	memcpy(config->commands[1].name, "Posix", sizeof("Posix"));
}

int config_set(struct musess_config *config, const char *name, const char *value, char *error,
    size_t error_size)
{
	const struct option *o = find_option(name);
	char found[48];

	if (!o) {
		snprintf(error, error_size, "\"%s\" is no option; allowed: those of --dump-config",
		    log_quote(found, sizeof(found), name));
		return -1;
	}
	if (o->zero && strcmp(value, "0") == 0)
		value = o->zero;
	return set_option(o, config, value, error, error_size);
}

static void format_word(const struct option *o, uint32_t number, char *text, size_t size)
{
	const char *words = o->note, *word = words;
	size_t length = next_name(&words, &word);

	for (; number > 0; number--)
		length = next_name(&words, &word);
	snprintf(text, size, "%.*s", (int)length, word);
}

/* The subsystems whose commands are no options of the table. */
static void dump_own_subsystems(const struct musess_config *config, FILE *out)
{
	for (size_t i = 2; i < SUBSYSTEMS_MAX && config->commands[i].name[0]; i++)
		fprintf(out, "\n# The command of the subsystem %s.\n%s = %s\n",
		    config->commands[i].name, config->commands[i].name,
		    config->commands[i].command);
}

static void dump_option(const struct option *o, const struct musess_config *config, FILE *out)
{
	const void *field = (const char *)config + o->offset;
	char value[OPTION_TEXT_SIZE], allowed[160];

	if (is_text(o) || (o->type == WORD && o->width != sizeof(uint32_t)))
		snprintf(value, sizeof(value), "%s", (const char *)field);
	else if (o->type == WORD)
		format_word(o, *(const uint32_t *)field, value, sizeof(value));
	else
		format_quantity(o,
		    o->width == sizeof(uint32_t) ? *(const uint32_t *)field
		                                 : *(const uint64_t *)field,
		    value, sizeof(value));
	format_allowed(o, allowed, sizeof(allowed));
	fprintf(out, "# %s\n# Allowed: %s\n# Default: %s\n", o->help, allowed,
	    *o->initial ? o->initial : "nothing");
	fprintf(out, "%s =%s%s\n", o->name, *value ? " " : "", value);
}

void config_dump(const struct musess_config *config, FILE *out)
{
	for (const struct option *o = options; o < options + OPTIONS; o++) {
		if (o > options)
			fputc('\n', out);
		if (begins_section(o))
			fprintf(out, "[%s]\n", o->section);
		dump_option(o, config, out);
		if (strcmp(o->name, "Posix") == 0)
			dump_own_subsystems(config, out);
	}
}

/* A file while it is read. */
struct reader {
	struct musess_config *config;
	const char *path;
	FILE *errors;
	unsigned line;
	unsigned mistakes;
	const char *section;    /* of the table; "" before the first, NULL below an unknown one */
	unsigned seen[OPTIONS]; /* the line that set the option; 0: none did */
	bool wrong[OPTIONS];    /* what it said was a mistake */
	unsigned own[SUBSYSTEMS_MAX]; /* the line of config->commands[], from 2 on */
};

__attribute__((format(printf, 2, 3))) static void mistake(struct reader *r, const char *format, ...)
{
	va_list arguments;

	r->mistakes++;
	if (r->line)
		fprintf(r->errors, "%s:%u: ", r->path, r->line);
	else /* it is the whole file's */
		fprintf(r->errors, "%s: ", r->path);
	va_start(arguments, format);
	vfprintf(r->errors, format, arguments);
	va_end(arguments);
	fputc('\n', r->errors);
}

/* The number of edits that make A of B, upper and lower case being the same. */
static unsigned edits(const char *a, const char *b)
{
	unsigned row[32], length = (unsigned)strnlen(b, 31);

	for (unsigned i = 0; i <= length; i++)
		row[i] = i;
	for (; *a; a++) {
		unsigned corner = row[0]++;
		for (unsigned i = 1; i <= length; i++) {
			unsigned best = corner + (tolower((unsigned char)*a) !=
			                             tolower((unsigned char)b[i - 1]));
			corner = row[i];
			if (best > corner + 1)
				best = corner + 1;
			if (best > row[i - 1] + 1)
				best = row[i - 1] + 1;
			row[i] = best;
		}
	}
	return row[length];
}

/* The option whose name is nearest to NAME, or NULL where none is near. */
static const struct option *nearest_option(const char *name)
{
	const struct option *nearest = NULL;
	unsigned fewest = ~0u;

	for (const struct option *o = options; o < options + OPTIONS; o++) {
		unsigned n = edits(name, o->name);
		if (n < fewest && n <= strlen(o->name) / 3) {
			fewest = n;
			nearest = o;
		}
	}
	return nearest;
}

static void unknown_option(struct reader *r, const char *name)
{
	const struct option *near = nearest_option(name);
	bool known = r->section && *r->section;
	char found[48], list[512] = "";

	log_quote(found, sizeof(found), name);
	if (near) {
		mistake(r, "\"%s\" is no option; allowed: the nearest is %s, in [%s]", found,
		    near->name, near->section);
		return;
	}
	for (const struct option *o = options; o < options + OPTIONS; o++)
		if (!known || strcmp(o->section, r->section) == 0) {
			size_t used = strlen(list);
			snprintf(
			    list + used, sizeof(list) - used, "%s%s", used ? ", " : "", o->name);
		}
	mistake(r, "\"%s\" is no option; allowed: %s", found, list);
}

/* A subsystem of the administrator's own: whether it is one is seen at the end of the file. */
static void read_own_subsystem(struct reader *r, const char *name, const char *value)
{
	static const struct option like = {
		.name = "", .type = COMMAND, .initial = "x", .width = OPTION_TEXT_SIZE
	};
	struct subsystem_command *c = r->config->commands;
	struct option o = like;
	char error[256];
	size_t i = 2;

	while (i < SUBSYSTEMS_MAX && c[i].name[0] && strcmp(c[i].name, name) != 0)
		i++;
	if (i == SUBSYSTEMS_MAX) {
		mistake(r, "%s is one too many; allowed: %d subsystems", name, SUBSYSTEMS_MAX);
		return;
	}
	if (c[i].name[0]) {
		mistake(r, "%s is set again; allowed: once, which line %u did", name, r->own[i]);
		return;
	}
	o.name = name;
	o.offset = (size_t)((char *)c[i].command - (char *)r->config);
	r->own[i] = r->line;
	memcpy(c[i].name, name, strlen(name) + 1);
	if (set_option(&o, r->config, value, error, sizeof(error)) < 0)
		mistake(r, "%s", error);
}

static void read_option(struct reader *r, const char *name, const char *value)
{
	const struct option *o = find_option(name);
	char error[256];

	if (!o && r->section && strcmp(r->section, SUBSYSTEMS) == 0 &&
	    name_valid(name, strlen(name))) {
		read_own_subsystem(r, name, value);
		return;
	}
	if (!o) {
		unknown_option(r, name);
		return;
	}
	if (r->section && strcmp(r->section, o->section) != 0)
		mistake(r, "%s stands %s; allowed: in [%s]", name,
		    *r->section ? "in another section" : "before any section", o->section);
	if (r->seen[o - options]) {
		mistake(r, "%s is set again; allowed: once, which line %u did", name,
		    r->seen[o - options]);
		return;
	}
	r->seen[o - options] = r->line;
	if (set_option(o, r->config, value, error, sizeof(error)) < 0) {
		r->wrong[o - options] = true;
		mistake(r, "%s", error);
	}
}

/* TEXT is the line, SECTION what inih read in its brackets: they are to be all of it. */
static void read_heading(struct reader *r, const char *text, const char *section)
{
	char found[48], list[128] = "";

	r->section = NULL;
	for (const struct option *o = options; o < options + OPTIONS; o++) {
		size_t used = strlen(list);
		if (!begins_section(o))
			continue;
		if (strcmp(o->section, section) == 0 && strlen(text) == strlen(section) + 2)
			r->section = o->section;
		snprintf(list + used, sizeof(list) - used, "%s[%s]", used ? ", " : "", o->section);
	}
	if (!r->section)
		mistake(r, "\"%s\" is no section; allowed: %s",
		    log_quote(found, sizeof(found), text), list);
}

static const char blanks[] = " \t\r\n\v\f";

/* A line while inih reads it, and what inih says that it is. */
struct line {
	const char *text;
	enum { START, LINE, PROBE } at; /* what inih was given last */
	bool is_option;
	char name[64], section[64];
};

/* Gives inih the line, and then an option without name, which makes it tell the section
   that it is in: none, unless the line was a heading. */
static char *feed(char *buffer, int size, void *argument)
{
	struct line *l = argument;

	if (l->at == PROBE)
		return NULL;
	l->at++;
	snprintf(buffer, (size_t)size, "%.*s\n", size - 2, l->at == LINE ? l->text : "=");
	return buffer;
}

/* Returns 0, which inih counts as a fault of the line, for a name without value. */
static int on_option(void *argument, const char *section, const char *name, const char *value)
{
	struct line *l = argument;

	if (l->at == PROBE) {
		snprintf(l->section, sizeof(l->section), "%s", section);
	} else if (name) {
		l->is_option = true;
		snprintf(l->name, sizeof(l->name), "%s", name);
		return value != NULL;
	}
	return 1;
}

static void read_line(struct reader *r, const char *text)
{
	struct line l = { .text = text };
	int fault = ini_parse_stream(feed, &l, on_option, &l);
	char found[48];

	if (*text == '[') {
		read_heading(r, text, l.section);
	} else if (fault) {
		mistake(r, "\"%s\" is neither; allowed: [Section], Name = value, # comment",
		    log_quote(found, sizeof(found), text));
	} else if (l.is_option) {
		text += strcspn(text, "=:") + 1;
		read_option(r, l.name, text + strspn(text, blanks));
	}
}

/* Takes blanks from both ends, and the mark that some editors put before a file. */
static char *strip(char *text, bool first)
{
	size_t length;

	if (first && strncmp(text, "\xef\xbb\xbf", 3) == 0)
		text += 3;
	text += strspn(text, blanks);
	length = strlen(text);
	while (length > 0 && strchr(blanks, text[length - 1]))
		text[--length] = 0;
	return text;
}

static void read_lines(struct reader *r, FILE *file)
{
	char *text = NULL;
	size_t size = 0;
	ssize_t length;

	while ((length = getline(&text, &size, file)) >= 0) {
		r->line++;
		if (strlen(text) != (size_t)length)
			mistake(r, "a byte of value 0; allowed: text");
		else
			read_line(r, strip(text, r->line == 1));
	}
	if (!feof(file))
		mistake(r, "%s; allowed: a file that can be read", strerror(errno));
	free(text);
}

/* Reports a contradiction of two options, unless one was a mistake by itself. */
static void contradiction(struct reader *r, const char *first, const char *second, const char *text)
{
	size_t a = (size_t)(find_option(first) - options);
	size_t b = (size_t)(find_option(second) - options);

	if (r->wrong[a] || r->wrong[b])
		return;
	r->line = r->seen[a] > r->seen[b] ? r->seen[a] : r->seen[b];
	mistake(r, "%s", text);
}

/* Whether who listens at A does so at B. */
static bool addresses_overlap(const char *a, const char *b)
{
	return strcmp(a, b) == 0 || strcmp(a, "::") == 0 || strcmp(b, "::") == 0 ||
	       strcmp(a, "0.0.0.0") == 0 || strcmp(b, "0.0.0.0") == 0;
}

static void find_contradictions(struct reader *r)
{
	const struct musess_config *c = r->config;

	if (c->UserAuthentication == 1 && c->SecurityLayer == 2)
		contradiction(r, "UserAuthentication", "SecurityLayer",
		    "UserAuthentication = 1 requires NLA, SecurityLayer = 2 rules it out; allowed: "
		    "one of the two");
	if (c->MetricsPort && c->MetricsPort == c->PortNumber &&
	    addresses_overlap(c->ListenAddress, c->MetricsAddress))
		contradiction(r, "PortNumber", "MetricsPort",
		    "PortNumber and MetricsPort are the same; allowed: two ports, or two "
		    "addresses");
	if (!*c->Certificate != !*c->PrivateKey)
		contradiction(r, "Certificate", "PrivateKey",
		    "only one of Certificate and PrivateKey is set; allowed: both or neither");
}

/* Own subsystems that no list names are no options; a name in both lists is one too many. */
static void check_subsystems(struct reader *r)
{
	const struct musess_config *c = r->config;
	const char *names = c->Optional, *name;
	size_t length;

	r->section = SUBSYSTEMS;
	if (strcmp(c->Execute, "winlogon") == 0) /* by its name it is what it is without one */
		r->config->Execute[0] = 0;
	for (size_t i = 2; i < SUBSYSTEMS_MAX && c->commands[i].name[0]; i++) {
		r->line = r->own[i];
		if (!names_have(c->Required, c->commands[i].name) &&
		    !names_have(c->Optional, c->commands[i].name))
			unknown_option(r, c->commands[i].name);
	}
	while ((length = next_name(&names, &name)) > 0) {
		char one[SUBSYSTEM_NAME_SIZE];
		snprintf(one, sizeof(one), "%.*s", (int)length, name);
		if (names_have(c->Required, one))
			contradiction(r, "Required", "Optional",
			    "a subsystem is Required and Optional; allowed: one of the two");
	}
	if (!names_have(c->Required, "Windows"))
		contradiction(r, "Required", "Required",
		    "Required does not name Windows; allowed: a list with it");
}

int config_read_file(struct musess_config *config, FILE *file, const char *path, FILE *errors)
{
	struct reader r = { .config = config, .path = path, .errors = errors, .section = "" };
	struct stat status;

	/* what is none may never end, or end at once where nobody writes to it */
	if (fstat(fileno(file), &status) == 0 && !S_ISREG(status.st_mode)) {
		fprintf(errors, "%s: %s; allowed: a file that can be read\n", path,
		    S_ISDIR(status.st_mode) ? strerror(EISDIR) : "it is no file");
		return -1;
	}
	read_lines(&r, file);
	find_contradictions(&r);
	check_subsystems(&r);
	return r.mistakes > 0 ? -1 : 0;
}

int config_read(struct musess_config *config, const char *path, FILE *errors)
{
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC), result;
	FILE *file = fd < 0 ? NULL : fdopen(fd, "r");

	if (!file) {
		fprintf(
		    errors, "%s: %s; allowed: a file that can be read\n", path, strerror(errno));
		return -1;
	}
	result = config_read_file(config, file, path, errors);
	fclose(file);
	return result;
}

unsigned config_apply(
    struct musess_config *running, const struct musess_config *fresh, FILE *report)
{
	unsigned changed = 0;

	for (const struct option *o = options; o < options + OPTIONS; o++) {
		void *field = (char *)running + o->offset;
		const void *other = (const char *)fresh + o->offset;
		if (memcmp(field, other, o->width) == 0)
			continue;
		if (o->live) {
			memcpy(field, other, o->width);
			changed++;
		} else {
			fprintf(
			    report, "%s takes effect when the service is started again\n", o->name);
		}
	}
	return changed;
}

const char *config_subsystem_command(
    const struct musess_config *config, const char *name, size_t length)
{
	for (size_t i = 0; i < SUBSYSTEMS_MAX; i++)
		if (length > 0 && strlen(config->commands[i].name) == length &&
		    strncmp(config->commands[i].name, name, length) == 0)
			return config->commands[i].command;
	return NULL;
}
