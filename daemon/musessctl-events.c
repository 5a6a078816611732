/*
 * musessctl events: each event as smss tells it, a JSON document without a newline. It is
 * printed as it came, or as a line for people; both are written at once, past stdio, as a
 * reader that goes is no error and leaves nothing to be flushed.
 */
#include "musessctl.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LAB_EVENTS "events.jsonl"

/* The text of a field; NULL where it is none that can be printed. */
static const char *text_of(const json_t *event, const char *key)
{
	const char *text = json_string_value(json_object_get(event, key));

	return text && port_text_valid(text, strlen(text) + 1) ? text : NULL;
}

/* Windows' texts have lines and tabs: here they are one line. False where it has what cannot be
   printed, or is none. */
static bool fold(const json_t *event, char *line, size_t size)
{
	const char *text = json_string_value(json_object_get(event, "text"));
	size_t n = 0;

	for (; text && *text && n + 1 < size; text++) {
		bool blank = *text == '\n' || *text == '\t' || *text == ' ';
		if (!blank || (n > 0 && line[n - 1] != ' '))
			line[n++] = blank ? ' ' : *text;
	}
	line[n] = 0;
	return text && port_text_valid(line, n + 1);
}

/* Writes TEXT and a newline. Returns false with errno. */
static bool write_line(const char *text)
{
	char line[2 * EVENT_JSON_SIZE];
	size_t length = (size_t)snprintf(line, sizeof(line), "%s\n", text), at = 0;

	while (at < length) {
		ssize_t wrote = write(STDOUT_FILENO, line + at, length - at);
		if (wrote < 0 && errno != EINTR)
			return false;
		at += wrote > 0 ? (size_t)wrote : 0;
	}
	return true;
}

/* Returns 0, or an exit status; -1 where nobody reads. */
static int show_event(const struct request *r, const struct msg_event *m)
{
	json_t *event = json_loads(m->json, 0, NULL);
	const char *time = text_of(event, "time"), *channel = text_of(event, "channel");
	const json_t *id = json_object_get(event, "id");
	char line[2 * EVENT_JSON_SIZE], text[EVENT_JSON_SIZE];
	int status = 0;

	if (!time || !channel || !json_is_integer(id) || !fold(event, text, sizeof(text)))
		status = ctl_bad_answer(r);
	else if (r->json)
		snprintf(line, sizeof(line), "%s", m->json);
	else
		snprintf(line, sizeof(line), "%s %s %lld %s", time, channel,
		    (long long)json_integer_value(id), text);
	json_decref(event);
	if (status == 0 && !write_line(line))
		status = errno == EPIPE ? -1 : ctl_failed(r, "standard output");
	return status;
}

/* Until smss, a signal or the reader ends it. Returns an exit status. */
static int follow(struct request *r)
{
	union answer answer;
	int status = 0;

	while (status == 0) {
		unsigned events = ctl_wait(r, CTL_WAIT_SMSS, CTL_NEVER);

		if (events & CTL_WAIT_END)
			return 0;
		if (!(events & CTL_WAIT_SMSS))
			continue;
		status = ctl_receive(r, &answer);
		if (status == 0 && answer.h.type != CTL_EVENT)
			status = ctl_bad_answer(r);
		if (status == 0)
			status = show_event(r, &answer.event);
	}
	return status < 0 ? 0 : status;
}

/* Events are shown from now on alone: where those of before are. A laboratory has them in a file beside
   its port. Returns CTL_USAGE. */
static int earlier(const struct request *r)
{
	const char *slash = strrchr(r->path, '/');
	char file[PATH_MAX];

	snprintf(
	    file, sizeof(file), "%.*s" LAB_EVENTS, slash ? (int)(slash - r->path) + 1 : 0, r->path);
	if (access(file, F_OK) == 0)
		return ctl_usage_error(
		    "events: -f is missing: those from now on are shown; %s has the rest", file);
	return ctl_usage_error(
	    "events: -f is missing: those from now on are shown; the journal has the "
	    "rest (journalctl -t musess), or EventFile where it is set");
}

int ctl_events(struct request *r)
{
	int status;

	if (!r->option[OPTION_FOLLOW])
		return earlier(r);
	ctl_catch_signals();
	status = ctl_connect(r);
	if (status == 0)
		status = ctl_ask_plainly(r, CTL_EVENTS);
	return status ? status : follow(r);
}
