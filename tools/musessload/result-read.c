/*
 * Reading the file of results, line by line (result-file.h). A line that is no record changes
 * nothing in the summary; the function that finds that returns what is wrong with it.
 */
#include "password-file.h"
#include "result-file.h"
#include "run-info.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum {
	NAMED_LINES = 5,
	BAD_LINES = 1000, /* so many before any record, and what is read is something else */
	LINE_LENGTH = 4 << 20,
};

static const char no_memory[] = "memory is short";

/* ---- fields ---- */

/* Sets *NUMBER from a field that may be missing. Returns false where it is no time. */
static bool read_number(const json_t *object, const char *name, uint64_t *number)
{
	const json_t *value = json_object_get(object, name);
	json_int_t n = json_integer_value(value);

	if (!value)
		return true;
	if (!json_is_integer(value) || n < 0 || (uint64_t)n > LOAD_TIME_MAX)
		return false;
	*number = (uint64_t)n;
	return true;
}

static bool read_text(const json_t *object, const char *name, char *text, size_t size)
{
	const json_t *value = json_object_get(object, name);

	if (value && !json_is_string(value))
		return false;
	snprintf(text, size, "%s", value ? json_string_value(value) : "");
	return true;
}

static bool read_flag(const json_t *object, const char *name, bool *flag)
{
	const json_t *value = json_object_get(object, name);

	*flag = json_is_true(value);
	return !value || json_is_boolean(value);
}

/* ---- records ---- */

static const char *read_run(struct summary *summary, const json_t *object)
{
	struct run_info info = { 0 };
	const char *bad = run_info_read(&info, object);
	int status;

	if (bad)
		return bad;
	status = summary_add_run(summary, &info);
	run_info_free(&info);
	return status < 0 ? no_memory : NULL;
}

static const char *read_end(struct summary *summary, const json_t *object)
{
	struct run_end end = { 0 };
	const char *bad = run_end_read(&end, object);
	int status;

	if (bad)
		return bad;
	status = summary_add_end(summary, &end);
	run_end_free(&end);
	return status < 0 ? no_memory : NULL;
}

static const char *read_missed(struct summary *summary, const json_t *object)
{
	struct missed missed = { 0 };
	char why[LOAD_DETAIL_SIZE];

	if (!read_number(object, "planned", &missed.planned))
		return "planned";
	if (!read_text(object, "why", why, sizeof(why)))
		return "why";
	missed.why = why;
	return summary_add_missed(summary, &missed) < 0 ? no_memory : NULL;
}

static const char *read_phases(struct result *r, const json_t *object)
{
	const json_t *phases = json_object_get(object, "phases");

	if (phases && !json_is_object(phases))
		return "phases";
	for (unsigned i = 0; i < LOAD_PHASE_COUNT; i++) {
		r->phase[i] = NOT_REACHED;
		if (!read_number(phases, metric_name(i), &r->phase[i]))
			return metric_name(i);
	}
	return NULL;
}

static const char *read_echo(struct result *r, const json_t *object)
{
	const json_t *echo = json_object_get(object, "echo");

	if ((echo && !json_is_array(echo)) || json_array_size(echo) > LOAD_ECHOES)
		return "echo";
	for (r->echoes = 0; r->echoes < json_array_size(echo); r->echoes++) {
		const json_t *value = json_array_get(echo, r->echoes);
		json_int_t n = json_integer_value(value);

		if (!json_is_integer(value) || n < 0 || (uint64_t)n > LOAD_TIME_MAX)
			return "echo";
		r->echo[r->echoes] = (uint64_t)n;
	}
	return NULL;
}

/* How it went. An error of a later build is not known here: then the line says so. */
static const char *read_error(struct result *r, const json_t *object)
{
	const char *error = json_string_value(json_object_get(object, "error"));
	const json_t *failed_in = json_object_get(object, "failed_in");
	const json_t *status = json_object_get(object, "status");
	int found = error ? load_error_find(error) : -1;
	int phase = failed_in ? -1 : 0;
	uint64_t errinfo = 0;

	if (found < 0)
		return "error";
	r->error = (enum load_error)found;
	if (json_is_string(failed_in))
		phase = load_phase_find(json_string_value(failed_in));
	if (phase < 0)
		return "failed_in";
	r->failed_in = (enum load_phase)phase;
	if (!read_number(object, "errinfo", &errinfo) || errinfo > UINT32_MAX)
		return "errinfo";
	r->errinfo = (uint32_t)errinfo;
	r->status = (int32_t)json_integer_value(status);
	return !status || json_is_integer(status) ? NULL : "status";
}

static const char *read_session(struct summary *summary, const json_t *object)
{
	struct result r = { .total = NOT_REACHED };
	const char *bad = read_error(&r, object);

	if (!bad)
		bad = read_phases(&r, object);
	if (!bad)
		bad = read_echo(&r, object);
	if (bad)
		return bad;
	if (!read_number(object, "planned", &r.planned))
		return "planned";
	if (!read_number(object, "started", &r.started))
		return "started";
	if (!read_number(object, "total", &r.total))
		return "total";
	if (!read_number(object, "held", &r.held))
		return "held";
	if (!read_text(object, "detail", r.detail, sizeof(r.detail)))
		return "detail";
	if (!read_flag(object, "certificate_mismatch", &r.certificate_mismatch))
		return "certificate_mismatch";
	if (!read_flag(object, "reconnected", &r.reconnected))
		return "reconnected";
	if (!read_flag(object, "not_logged_off", &r.not_logged_off))
		return "not_logged_off";
	return summary_add_session(summary, &r) < 0 ? no_memory : NULL;
}

/* ---- lines ---- */

typedef const char *reader(struct summary *summary, const json_t *object);

static reader *find_reader(const char *type)
{
	static const struct {
		const char *type;
		reader *read;
	} readers[] = { { "run", read_run }, { "session", read_session }, { "missed", read_missed },
		{ "end", read_end } };

	for (size_t i = 0; type && i < sizeof(readers) / sizeof(*readers); i++)
		if (strcmp(type, readers[i].type) == 0)
			return readers[i].read;
	return NULL;
}

struct reading {
	const char *name;
	uint64_t line, good, bad;
	bool begun; /* a run of this file: records belong to none of an earlier file */
};

/* Returns NULL, or what is bad. */
static const char *take_record(
    struct reading *reading, struct summary *summary, reader *read, const json_t *object)
{
	if (read != read_run && !reading->begun && summary_add_run(summary, NULL) < 0)
		return no_memory;
	reading->begun = true;
	return read(summary, object);
}

/* Returns 0, or -1 and what is wrong with the line in ERROR. */
static int read_line(struct reading *reading, struct summary *summary, const char *line,
    size_t length, char *error, size_t size)
{
	json_error_t json;
	json_t *object = json_loadb(line, length, 0, &json);
	const char *type = json_string_value(json_object_get(object, "type"));
	reader *read = find_reader(type);
	const char *bad = NULL;

	error[0] = 0;
	if (!object)
		snprintf(error, size, "no JSON (column %d: %s)", json.column, json.text);
	else if (!read)
		snprintf(error, size, "no record of musessload (its type is %.40s)",
		    type ? type : "missing");
	else
		bad = take_record(reading, summary, read, object);
	if (bad == no_memory)
		snprintf(error, size, "%s", bad);
	else if (bad)
		snprintf(error, size, "the field \"%s\" is missing, or not what it has to be", bad);
	json_decref(object);
	return error[0] ? -1 : 0;
}

static void name_line(struct reading *reading, char *error)
{
	load_clean(error);
	if (reading->bad++ < NAMED_LINES)
		fprintf(stderr, "musessload: %s:%llu: %s; the line is left out\n", reading->name,
		    (unsigned long long)reading->line, error);
}

/* The last line, where it has no end: it is what a run that was cut off was writing. All of it
   may have come but the newline. */
static void take_line(
    struct reading *reading, struct summary *summary, const char *line, size_t length)
{
	bool whole = line[length - 1] == '\n';
	char error[256];

	reading->line++;
	if (read_line(reading, summary, line, length, error, sizeof(error)) == 0)
		reading->good++;
	else if (whole)
		name_line(reading, error);
	else
		summary->torn_files++;
	if (!whole)
		fprintf(stderr,
		    "musessload: %s:%llu: the last line is torn: the run was cut off%s\n",
		    reading->name, (unsigned long long)reading->line,
		    error[0] ? "; the line is left out" : ", but all of it is there");
}

/* It is no file of results, and may have no end either. */
static bool is_hopeless(const struct reading *reading)
{
	return reading->good == 0 && reading->bad == BAD_LINES;
}

int result_read_stream(FILE *stream, const char *name, struct summary *summary)
{
	struct reading reading = { .name = name };
	size_t size = 0;
	char *line = NULL;
	ssize_t length = 0;

	while (
	    !is_hopeless(&reading) && (length = load_line(&line, &size, LINE_LENGTH, stream)) > 0) {
		size_t skip = reading.line ? 0 : text_mark_length(line);

		if ((size_t)length > skip)
			take_line(&reading, summary, line + skip, (size_t)length - skip);
	}
	free(line);
	if (ferror(stream) || (length < 0 && errno)) {
		fprintf(stderr, "musessload: cannot read %s: %s\n", name,
		    errno == EFBIG ? "a line is longer than any result" : strerror(errno));
		return -1;
	}
	summary->bad_lines += reading.bad;
	if (reading.bad > NAMED_LINES)
		fprintf(stderr, "musessload: %s: %llu more such lines\n", name,
		    (unsigned long long)reading.bad - NAMED_LINES);
	if (reading.good == 0) {
		fprintf(stderr, "musessload: %s: there is no result of musessload in it\n", name);
		return -1;
	}
	return 0;
}

int result_read(const char *path, struct summary *summary)
{
	FILE *stream = fopen(path, "re");
	int status;

	if (!stream) {
		fprintf(stderr, "musessload: cannot open %s: %s\n", path, strerror(errno));
		return -1;
	}
	status = result_read_stream(stream, path, summary);
	fclose(stream);
	return status;
}
