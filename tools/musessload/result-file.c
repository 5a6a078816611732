/* Writing and reading the file of results (result-file.h). */
#include "result-file.h"
#include "run-info.h"

#include <errno.h>
#include <jansson.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- writing ---- */

int result_file_open(struct result_file *file, const char *path)
{
	struct whole_file whole;
	int fd = whole_file_open(&whole, path);
	struct stat is;

	if (fd < 0) {
		fprintf(stderr, "musessload: cannot write the results to %s: %s\n", path,
		    strerror(errno));
		return -1;
	}
	*file = (struct result_file){ .fd = fd, .path = path, .whole = whole, .length = -1 };
	if (fstat(fd, &is) == 0 && S_ISREG(is.st_mode))
		file->length = 0;
	signal(SIGXFSZ, SIG_IGN);
	return 0;
}

/* Cuts off what was written of a line. Where nothing can be cut, the line is ended, so that it
   spoils no other. */
static void take_back(struct result_file *file, ssize_t written)
{
	if (written <= 0)
		return;
	if (file->length < 0)
		(void)!write(file->fd, "\n", 1);
	else if (ftruncate(file->fd, file->length) == 0)
		lseek(file->fd, file->length, SEEK_SET);
}

static void lose(struct result_file *file, const char *why)
{
	if (file->lost++ == 0)
		fprintf(stderr,
		    "musessload: cannot write a result to %s: %s; the run goes on, what was "
		    "written "
		    "stays\n",
		    file->path, why);
}

static void write_line(struct result_file *file, const char *line, size_t length)
{
	ssize_t written;

	do
		written = write(file->fd, line, length);
	while (written < 0 && errno == EINTR);
	if (written == (ssize_t)length) {
		if (file->length >= 0)
			file->length += written;
		if (whole_file_place(&file->whole) < 0)
			lose(file, strerror(errno));
		return;
	}
	/* the kernel says why only where nothing at all was written */
	lose(file, written < 0 ? strerror(errno) : "it is full");
	take_back(file, written);
}

/* Takes the reference to RECORD (NULL: memory was short), whose type is TYPE. */
static void write_record(struct result_file *file, const char *type, json_t *record)
{
	json_t *line = json_pack("{s:s}", "type", type);
	char *text = NULL;
	size_t length;

	if (line && record && json_object_update(line, record) == 0)
		text = json_dumps(line, JSON_COMPACT);
	json_decref(line);
	json_decref(record);
	if (!text) {
		lose(file, strerror(ENOMEM));
		return;
	}
	length = strlen(text);
	text[length] = '\n'; /* in place of the terminator: one write */
	write_line(file, text, length + 1);
	free(text);
}

void result_file_write_run(struct result_file *file, const struct run_info *info)
{
	if (file->fd >= 0)
		write_record(file, "run", run_info_json(info));
}

void result_file_write_end(struct result_file *file, const struct run_end *end)
{
	if (file->fd >= 0)
		write_record(file, "end", run_end_json(end));
}

void result_file_write_missed(struct result_file *file, const struct missed *missed)
{
	if (file->fd >= 0)
		write_record(file, "missed",
		    json_pack("{s:I,s:I,s:o}", "number", (json_int_t)missed->number, "planned",
		        (json_int_t)missed->planned, "why", load_json_text(missed->why)));
}

static json_t *phases_json(const struct result *r)
{
	json_t *phases = json_object();

	for (unsigned i = 0; i < LOAD_PHASE_COUNT; i++)
		if (r->phase[i] != NOT_REACHED)
			json_object_set_new(
			    phases, metric_name(i), json_integer((json_int_t)r->phase[i]));
	return phases;
}

static json_t *echo_json(const struct result *r)
{
	json_t *echo = json_array();

	for (unsigned i = 0; i < r->echoes && i < LOAD_ECHOES; i++)
		json_array_append_new(echo, json_integer((json_int_t)r->echo[i]));
	return echo;
}

/* What only some sessions have. */
static int add_rest(json_t *o, const struct result *r)
{
	int status = 0;

	if (r->from[0])
		status |= json_object_set_new(o, "from", load_json_text(r->from));
	if (r->total != NOT_REACHED)
		status |= json_object_set_new(o, "total", json_integer((json_int_t)r->total));
	if (r->echoes)
		status |= json_object_set_new(o, "echo", echo_json(r));
	if (r->error != LOAD_OK)
		status |=
		    json_object_set_new(o, "failed_in", json_string(metric_name(r->failed_in)));
	if (r->errinfo)
		status |= json_object_set_new(o, "errinfo", json_integer(r->errinfo));
	if (r->status)
		status |= json_object_set_new(o, "status", json_integer(r->status));
	if (r->detail[0])
		status |= json_object_set_new(o, "detail", load_json_text(r->detail));
	if (r->certificate_mismatch)
		status |= json_object_set_new(o, "certificate_mismatch", json_true());
	if (r->reconnected)
		status |= json_object_set_new(o, "reconnected", json_true());
	if (r->not_logged_off)
		status |= json_object_set_new(o, "not_logged_off", json_true());
	return status;
}

void result_file_write_session(struct result_file *file, const struct result *result)
{
	json_t *o;

	if (file->fd < 0)
		return;
	o = json_pack("{s:I,s:o,s:I,s:I,s:s,s:o,s:I}", "number", (json_int_t)result->number, "user",
	    load_json_text(result->user), "planned", (json_int_t)result->planned, "started",
	    (json_int_t)result->started, "error", load_error_name(result->error), "phases",
	    phases_json(result), "held", (json_int_t)result->held);
	if (o && add_rest(o, result) < 0) {
		json_decref(o);
		o = NULL;
	}
	write_record(file, "session", o);
}

int result_file_close(struct result_file *file)
{
	bool lost = file->lost > 0;

	if (file->fd < 0)
		return 0;
	/* a network's file system says here what it could not keep */
	if (close(file->fd) < 0) {
		fprintf(stderr, "musessload: cannot write the results to %s: %s\n", file->path,
		    strerror(errno));
		lost = true;
	}
	whole_file_end(&file->whole);
	if (file->lost)
		fprintf(stderr, "musessload: %llu results are not in %s\n",
		    (unsigned long long)file->lost, file->path);
	file->fd = -1;
	return lost ? -1 : 0;
}
