/* Reading scripts. */
#include "script.h"

#include "keys.h"
#include "password-file.h"
#include "plan.h"
#include "result.h"
#include "run-info.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { STEPS_MAX = 10000, REPEAT_MAX = 1000000, LINE_LENGTH = 64 << 10, FILE_LENGTH = 16 << 20 };

/* What a line is read with. */
struct reader {
	struct script *script;
	struct script_step *step;
	size_t open[SCRIPT_DEPTH]; /* repeats without their end yet */
	unsigned depth;
	char *error;
	size_t size;
	const char *name;
	unsigned line;
};

static int wrong(struct reader *r, const char *what, const char *which)
{
	snprintf(r->error, r->size, "%s:%u: ", r->name, r->line);
	snprintf(r->error + strlen(r->error), r->size - strlen(r->error), what, which);
	return -1;
}

/* Takes \n, \t and \\ for what they stand for, in place. */
static int unescape(struct reader *r, char *text)
{
	char *to = text;

	for (char *from = text; *from; from++) {
		if (*from != '\\') {
			*to++ = *from;
			continue;
		}
		from++;
		if (*from == 'n' || *from == 't' || *from == '\\')
			*to++ = *from == 'n' ? '\n' : *from == 't' ? '\t' : '\\';
		else
			return wrong(r, "\\%.1s is not known: \\n, \\t and \\\\ are", from);
	}
	*to = 0;
	return 0;
}

static int read_text(struct reader *r, const char *rest)
{
	bool shift;

	if (!*rest)
		return wrong(r, "there is nothing to type%s", "");
	r->step->text = strdup(rest);
	if (!r->step->text)
		return wrong(r, "memory is short%s", "");
	if (unescape(r, r->step->text) < 0)
		return -1;
	for (const char *p = r->step->text; *p; p++)
		if (!keys_of_character(*p, &shift))
			return wrong(
			    r, "\"%s\" has a character that no key of a US keyboard makes", rest);
	return 0;
}

/* How often a step here is played; at most so often that its echoes would be too many. */
static uint64_t times(const struct reader *r)
{
	uint64_t product = 1;

	for (unsigned i = 0; i < r->depth && product <= LOAD_ECHOES; i++)
		product *= r->script->step[r->open[i]].count;
	return product;
}

static int read_echo(struct reader *r, const char *rest)
{
	if (read_text(r, rest) < 0)
		return -1;
	r->script->echoes += strlen(r->step->text) * times(r);
	if (r->script->echoes > LOAD_ECHOES) {
		char most[32];

		snprintf(most, sizeof(most), "%d", LOAD_ECHOES);
		return wrong(
		    r, "more keys are measured than the %s that are kept of a session", most);
	}
	return 0;
}

static int read_keys(struct reader *r, const char *rest)
{
	char *copy = strdup(rest), *left = copy, *name;
	int status = copy ? 0 : -1;

	while (status == 0 && (name = strsep(&left, " \t"))) {
		uint16_t key = keys_of_name(name);

		if (!*name)
			continue;
		if (!key)
			status = wrong(r, "there is no key called \"%s\"", name);
		else if (r->step->keys == SCRIPT_KEYS)
			status = wrong(r, "these are too many keys: %s", rest);
		else
			r->step->key[r->step->keys++] = key;
	}
	free(copy);
	if (status == 0 && r->step->keys == 0)
		return wrong(r, "no key is named%s", "");
	return status;
}

static int read_wait(struct reader *r, const char *rest)
{
	if (plan_parse_time(rest, &r->step->time) < 0)
		return wrong(
		    r, "\"%s\" is no time: 5s, 200ms and 1m are, a number needs its unit", rest);
	return 0;
}

/* PATTERN TIMEOUT. The pattern ends at the last blank, and may be quoted. */
static int read_wait_text(struct reader *r, const char *rest)
{
	const char *last = strrchr(rest, ' ');
	size_t length = last ? (size_t)(last - rest) : 0;
	char why[128];
	int status;

	if (!last || plan_parse_time(last + 1, &r->step->time) < 0)
		return wrong(
		    r, "wait-text takes a pattern and a time-out: wait-text '[$#] $' 10s%s", "");
	while (length && isspace((unsigned char)rest[length - 1]))
		length--;
	if (length > 1 && (*rest == '\'' || *rest == '"') && rest[length - 1] == *rest) {
		rest++;
		length -= 2;
	}
	r->step->text = strndup(rest, length);
	status = r->step->text ? regcomp(&r->step->pattern, r->step->text, REG_EXTENDED | REG_NOSUB)
	                       : REG_ESPACE;
	if (status) {
		regerror(status, &r->step->pattern, why, sizeof(why));
		free(r->step->text);
		r->step->text = NULL; /* there is no pattern to free */
		return wrong(r, "this is no regular expression: %s", why);
	}
	r->script->reads_screen = true;
	return 0;
}

static int read_repeat(struct reader *r, const char *rest)
{
	char *end;
	unsigned long count = isdigit((unsigned char)*rest) ? strtoul(rest, &end, 10) : 0;

	if (count < 1 || count > REPEAT_MAX || *end)
		return wrong(r, "\"%s\" is no number of times, 1 to 1000000", rest);
	if (r->depth == SCRIPT_DEPTH)
		return wrong(r, "these are too many repeats in one another%s", "");
	r->step->count = (unsigned)count;
	r->step->depth = r->depth;
	r->open[r->depth++] = r->script->steps;
	return 0;
}

static int read_end(struct reader *r, const char *rest)
{
	if (*rest)
		return wrong(r, "end takes nothing: %s", rest);
	if (r->depth == 0)
		return wrong(r, "there is no repeat that this ends%s", "");
	r->step->count = (unsigned)r->open[--r->depth];
	r->step->depth = r->depth;
	return 0;
}

static const struct {
	const char *name;
	enum script_kind kind;
	int (*read)(struct reader *, const char *rest);
} kinds[] = {
	{ "type", SCRIPT_TYPE, read_text },
	{ "key", SCRIPT_KEY, read_keys },
	{ "wait", SCRIPT_WAIT, read_wait },
	{ "wait-text", SCRIPT_WAIT_TEXT, read_wait_text },
	{ "echo", SCRIPT_ECHO, read_echo },
	{ "repeat", SCRIPT_REPEAT, read_repeat },
	{ "end", SCRIPT_END, read_end },
};

/* Makes room for one more step. */
static int add_step(struct reader *r)
{
	struct script *s = r->script;
	struct script_step *more;

	if (s->steps == STEPS_MAX)
		return wrong(r, "the script is too long%s", "");
	more = realloc(s->step, (s->steps + 1) * sizeof(*more));
	if (!more)
		return wrong(r, "memory is short%s", "");
	s->step = more;
	r->step = &more[s->steps];
	*r->step = (struct script_step){ .line = r->line };
	return 0;
}

static int read_line(struct reader *r, char *line)
{
	size_t length = strcspn(line, " \t");
	char *rest = line + length;

	while (*rest && isspace((unsigned char)*rest))
		*rest++ = 0;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		int status;

		if (strcmp(kinds[i].name, line) != 0)
			continue;
		if (add_step(r) < 0)
			return -1;
		r->step->kind = kinds[i].kind;
		status = kinds[i].read(r, rest);
		r->script->steps++; /* finished with the others, whatever it is */
		return status;
	}
	return wrong(r, "there is no step called \"%s\"", line);
}

/* Without blanks at both ends. */
static char *trim(char *line)
{
	size_t length;

	while (isspace((unsigned char)*line))
		line++;
	length = strlen(line);
	while (length && isspace((unsigned char)line[length - 1]))
		line[--length] = 0;
	return line;
}

int script_read(struct script *script, FILE *file, const char *name, char *error, size_t size)
{
	struct reader r = { .script = script, .error = error, .size = size, .name = name };
	char *line = NULL;
	size_t room = 0, all = 0;
	int status = 0, cause;
	ssize_t length;

	while (status == 0 && (length = load_line(&line, &room, LINE_LENGTH, file)) > 0) {
		char *text = trim(r.line ? line : line + text_mark_length(line));

		r.line++;
		all += (size_t)length;
		if (all > FILE_LENGTH)
			status = wrong(&r, "the script is too long%s", "");
		else if (*text && *text != '#')
			status = read_line(&r, text);
	}
	cause = errno;
	free(line);
	if (status == 0 && cause) {
		r.line++;
		return wrong(
		    &r, cause == EFBIG ? "the line is too long%s" : "it cannot be read%s", "");
	}
	if (status == 0 && r.depth)
		return wrong(&r, "a repeat has no end%s", "");
	if (status == 0 && script->steps == 0)
		return wrong(&r, "there is no step in it%s", "");
	return status;
}

void script_finish(struct script *script)
{
	for (size_t i = 0; i < script->steps; i++) {
		if (script->step[i].kind == SCRIPT_WAIT_TEXT && script->step[i].text)
			regfree(&script->step[i].pattern);
		free(script->step[i].text);
	}
	free(script->step);
	*script = (struct script){ 0 };
}
