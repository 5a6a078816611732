/* The fields of the first and the last line of a file of results, as tables (run-info.h). */
#include "run-info.h"
#include "port.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum kind {
	TEXT,   /* char *, the struct's own */
	NUMBER, /* uint64_t up to LOAD_TIME_MAX */
	SEED,   /* uint64_t, any; a file has it as a signed one */
	SMALL,  /* unsigned */
	FLAG,   /* bool */
};

struct field {
	const char *name;
	enum kind kind;
	size_t offset;
};

#define INFO(name, kind) { #name, kind, offsetof(struct run_info, name) }
static const struct field info_fields[] = {
	INFO(version, TEXT),
	INFO(target, TEXT),
	INFO(model, TEXT),
	INFO(plan, TEXT),
	INFO(planned, NUMBER),
	INFO(hold_us, NUMBER),
	INFO(until, TEXT),
	INFO(end, TEXT),
	INFO(security, TEXT),
	INFO(seed, SEED),
	INFO(segment, SMALL),
	INFO(segments, SMALL),
	INFO(epoch_us, NUMBER),
	INFO(command, TEXT),
	INFO(host, TEXT),
	INFO(kernel, TEXT),
	INFO(processor, TEXT),
	INFO(processors, SMALL),
	INFO(memory, NUMBER),
};
enum { INFO_FIELDS = sizeof(info_fields) / sizeof(*info_fields) };

#define END(name, kind) { #name, kind, offsetof(struct run_end, name) }
static const struct field end_fields[] = {
	END(duration_us, NUMBER),
	END(interrupted, FLAG),
	END(aborted, FLAG),
	END(stopped, FLAG),
	END(rate_changes, SMALL),
	END(pauses, SMALL),
	END(not_started, NUMBER),
	END(cpu_us, NUMBER),
	END(memory, NUMBER),
	END(memory_live, NUMBER),
	END(live_peak, NUMBER),
	END(late_us, NUMBER),
	END(client_limited, FLAG),
	END(limit, TEXT),
};
enum { END_FIELDS = sizeof(end_fields) / sizeof(*end_fields) };

/* A field of the struct at BASE, and of one that is only read. */
#define FIELD(type, base, field) ((type *)(void *)((char *)(base) + (field)->offset))
#define CONST_FIELD(type, base, field)                                                             \
	((const type *)(const void *)((const char *)(base) + (field)->offset))

void load_clean(char *text)
{
	for (char *p = text; *p;) {
		size_t length = utf8_length((unsigned char *)p, strlen(p));

		if (length == 0 || (length == 1 && ((unsigned char)*p < 0x20 || *p == 0x7f))) {
			*p = '?';
			length = 1;
		}
		p += length;
	}
}

static int make_room(char **line, size_t *room)
{
	size_t more = *room ? 2 * *room : 256;
	char *text = realloc(*line, more);

	if (!text)
		return -1;
	*line = text;
	*room = more;
	return 0;
}

ssize_t load_line(char **line, size_t *room, size_t most, FILE *file)
{
	size_t length = 0;
	int c = 0;

	errno = 0;
	while (c != '\n' && (c = getc_unlocked(file)) != EOF) {
		if (length == most) {
			errno = EFBIG;
			return -1;
		}
		if (length + 1 >= *room && make_room(line, room) < 0)
			return -1;
		(*line)[length++] = (char)c;
	}
	if (length == 0 || ferror(file))
		return -1;
	(*line)[length] = 0;
	return (ssize_t)length;
}

json_t *load_json_text(const char *text)
{
	char *clean = strdup(text);
	json_t *value = NULL;

	if (clean) {
		load_clean(clean);
		value = json_string(clean);
	}
	free(clean);
	return value;
}

/* ---- to JSON ---- */

static json_t *field_json(const void *base, const struct field *f)
{
	switch (f->kind) {
	case TEXT:
		return load_json_text(*CONST_FIELD(char *, base, f));
	case NUMBER:
	case SEED:
		return json_integer((json_int_t)*CONST_FIELD(uint64_t, base, f));
	case SMALL:
		return json_integer(*CONST_FIELD(unsigned, base, f));
	case FLAG:
		return json_boolean(*CONST_FIELD(bool, base, f));
	}
	return NULL;
}

static json_t *to_json(const void *base, const struct field *fields, size_t count)
{
	json_t *object = json_object();

	for (size_t i = 0; object && i < count; i++) {
		if (fields[i].kind == TEXT && !*CONST_FIELD(char *, base, &fields[i]))
			continue;
		if (json_object_set_new(object, fields[i].name, field_json(base, &fields[i])) < 0) {
			json_decref(object);
			object = NULL;
		}
	}
	return object;
}

json_t *run_info_json(const struct run_info *info)
{
	return to_json(info, info_fields, INFO_FIELDS);
}

json_t *run_end_json(const struct run_end *end)
{
	return to_json(end, end_fields, END_FIELDS);
}

/* ---- from JSON, copies ---- */

static void clear(void *base, const struct field *fields, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (fields[i].kind == TEXT) {
			free(*FIELD(char *, base, &fields[i]));
			*FIELD(char *, base, &fields[i]) = NULL;
		}
}

/* VALUE may be NULL: the field is not there. Returns 0, or -1. */
static int read_field(void *base, const struct field *f, const json_t *value)
{
	json_int_t number = json_integer_value(value);

	if (f->kind == TEXT) {
		if (value && !json_is_string(value))
			return -1;
		*FIELD(char *, base, f) = strdup(value ? json_string_value(value) : "");
		return *FIELD(char *, base, f) ? 0 : -1;
	}
	if (!value)
		return 0;
	if (f->kind == FLAG) {
		*FIELD(bool, base, f) = json_is_true(value);
		return json_is_boolean(value) ? 0 : -1;
	}
	if (!json_is_integer(value))
		return -1;
	if (f->kind == SEED) {
		*FIELD(uint64_t, base, f) = (uint64_t)number;
		return 0;
	}
	if (number < 0 || (uint64_t)number > (f->kind == SMALL ? UINT32_MAX : LOAD_TIME_MAX))
		return -1;
	if (f->kind == SMALL)
		*FIELD(unsigned, base, f) = (unsigned)number;
	else
		*FIELD(uint64_t, base, f) = (uint64_t)number;
	return 0;
}

static const char *from_json(
    void *base, const struct field *fields, size_t count, const json_t *object)
{
	for (size_t i = 0; i < count; i++)
		if (read_field(base, &fields[i], json_object_get(object, fields[i].name)) < 0) {
			clear(base, fields, count);
			return fields[i].name;
		}
	return NULL;
}

const char *run_info_read(struct run_info *info, const json_t *object)
{
	return from_json(info, info_fields, INFO_FIELDS, object);
}

const char *run_end_read(struct run_end *end, const json_t *object)
{
	return from_json(end, end_fields, END_FIELDS, object);
}

/* *TO has the bytes of another struct already, and so its strings. Returns 0, or -1. */
static int own_strings(void *to, const struct field *fields, size_t count)
{
	int status = 0;

	for (size_t i = 0; i < count; i++)
		if (fields[i].kind == TEXT) {
			char **string = FIELD(char *, to, &fields[i]);

			*string = strdup(*string ? *string : "");
			if (*string)
				load_clean(*string);
			else
				status = -1;
		}
	if (status < 0)
		clear(to, fields, count);
	return status;
}

int run_info_copy(struct run_info *to, const struct run_info *from)
{
	struct run_info copy = *from;

	if (own_strings(&copy, info_fields, INFO_FIELDS) < 0)
		return -1;
	run_info_free(to);
	*to = copy;
	return 0;
}

int run_end_copy(struct run_end *to, const struct run_end *from)
{
	struct run_end copy = *from;

	if (own_strings(&copy, end_fields, END_FIELDS) < 0)
		return -1;
	run_end_free(to);
	*to = copy;
	return 0;
}

void run_info_free(struct run_info *info)
{
	clear(info, info_fields, INFO_FIELDS);
}

void run_end_free(struct run_end *end)
{
	clear(end, end_fields, END_FIELDS);
}

/* ---- for people ---- */

void run_end_changes(const struct run_end *end, char *text, size_t size)
{
	char rate[64] = "", pauses[64] = "", rest[64] = "";

	if (end->rate_changes)
		snprintf(rate, sizeof(rate), ", its rate changed by a key (%u)", end->rate_changes);
	if (end->pauses)
		snprintf(pauses, sizeof(pauses), ", paused by a key (%u)", end->pauses);
	if (end->not_started)
		snprintf(rest, sizeof(rest), ", %llu starts of its plan not made",
		    (unsigned long long)end->not_started);
	snprintf(text, size, "%s%s%s%s%s%s", end->interrupted ? ", interrupted" : "",
	    end->aborted ? ", aborted by a threshold" : "",
	    end->stopped ? ", stopped by a key" : "", rate, pauses, rest);
	if (*text) /* the first comma and blank */
		memmove(text, text + 2, strlen(text) - 1);
}

size_t run_info_fields(void)
{
	return INFO_FIELDS;
}

const char *run_info_name(size_t i)
{
	return info_fields[i].name;
}

const char *run_info_value(const struct run_info *info, size_t i, char number[RUN_INFO_NUMBER_SIZE])
{
	const struct field *f = &info_fields[i];
	const char *text;

	if (f->kind == TEXT) {
		text = *CONST_FIELD(char *, info, f);
		return text ? text : "";
	}
	snprintf(number, RUN_INFO_NUMBER_SIZE, "%llu",
	    f->kind == SMALL ? *CONST_FIELD(unsigned, info, f)
	                     : (unsigned long long)*CONST_FIELD(uint64_t, info, f));
	return number;
}
