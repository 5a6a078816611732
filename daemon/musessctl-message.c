/*
 * musessctl message: a box on the screens of sessions, as msg makes one. Each session meant
 * is a delivery; they are asked one after the other, and answered in any order, as users
 * answer when they like.
 */
#include "musessctl-show.h"
#include "musessctl.h"
#include "ntstatus.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

struct delivery {
	const struct msg_session *session;
	bool answered, delivered;
	uint32_t response; /* enum box_response */
};

struct deliveries {
	struct request *request;
	struct msg_box box;
	struct delivery *all; /* asked as message FIRST and those after it */
	size_t count, asked, answered;
	uint32_t first;
};

/* ---- the box ---- */

/* A box has lines, whose ends are newlines, and no tabs. */
static void tidy_lines(char *text)
{
	char *to = text;

	for (const char *from = text; *from; from++)
		if (*from != '\r' || from[1] != '\n')
			*to++ = *from == '\t' ? ' ' : *from;
	while (to > text && to[-1] == '\n')
		to--;
	*to = 0;
}

/* What musessctl's user is called. */
static void own_name(char *name, size_t size)
{
	const struct passwd *p = getpwuid(geteuid());

	if (p)
		snprintf(name, size, "%s", p->pw_name);
	else
		snprintf(name, size, "user %u", (unsigned)geteuid());
}

/* Returns 0 or CTL_USAGE. */
static int fill(char *field, size_t size, const char *what, const char *text,
    bool (*valid)(const char *, size_t))
{
	size_t length = strlen(text);

	if (length >= size)
		return ctl_usage_error("message: the %s has at most %zu bytes", what, size - 1);
	memcpy(field, text, length + 1);
	return valid(field, size)
	           ? 0
	           : ctl_usage_error("message: the %s is UTF-8 without control characters", what);
}

int ctl_fill_box(struct msg_box *box, const char *title, const char *text)
{
	char own[BOX_TITLE_SIZE - sizeof("Message from ")], from[BOX_TITLE_SIZE];
	int status;

	own_name(own, sizeof(own));
	snprintf(from, sizeof(from), "Message from %s", own);
	status =
	    fill(box->title, sizeof(box->title), "title", title ? title : from, port_text_valid);
	if (status == 0)
		status = fill(box->text, sizeof(box->text), "text", text, ctl_lines_valid);
	if (status == 0 && !*text)
		status = ctl_usage_error("message: the text is empty");
	return status;
}

/* All of standard input into TEXT, or more of it than a box has room for. */
static int read_text(const struct request *r, char *text, size_t size)
{
	size_t length = fread(text, 1, size - 1, stdin);

	if (ferror(stdin))
		return ctl_failed(r, "standard input");
	text[length] = 0;
	return strlen(text) == length
	           ? 0
	           : ctl_usage_error("message: the text is UTF-8 without control characters");
}

/* The words of the command line, with a blank between them. */
static void join_words(char *const *words, char *text, size_t size)
{
	size_t at = 0;

	text[0] = 0;
	for (; *words && at < size; words++)
		at += (size_t)snprintf(text + at, size - at, "%s%s", at ? " " : "", *words);
}

/* Title, text and time from the command line. Returns 0 or an exit status. */
static int make_box(const struct request *r, struct msg_box *box)
{
	const char *time = r->option[OPTION_TIME];
	char text[2 * BOX_TEXT_SIZE];
	int status = 0;

	if (time && (!ctl_parse_id(time, &box->seconds) || box->seconds > BOX_SECONDS_MAX))
		return ctl_usage_error(
		    "message: \"%s\" is no time: a number from 0 to %d is", time, BOX_SECONDS_MAX);
	if (*r->words && (strcmp(r->words[0], "-") != 0 || r->words[1]))
		join_words(r->words, text, sizeof(text));
	else if (*r->words || !isatty(STDIN_FILENO))
		status = read_text(r, text, sizeof(text));
	else
		return ctl_usage_error("message: TEXT is missing");
	if (status)
		return status;
	tidy_lines(text);
	status = ctl_fill_box(box, r->option[OPTION_TITLE], text);
	box->wait = r->option[OPTION_WAIT] != NULL;
	return status;
}

/* ---- whom it is for ---- */

static bool is_user_of(const struct msg_session *s, const char *name)
{
	return s->user[0] && (!name || strcmp(s->user, name) == 0);
}

/* Keeps the sessions that the box goes to: a user's, or everybody's, as far as they have a
   client. Those that were named themselves stay, whatever they are. */
static void keep_reachable(struct answers *list, const char *name)
{
	struct msg_session *s = list->messages;
	bool everybody = strcmp(name, "*") == 0;
	uint32_t id;
	size_t kept = 0;

	for (size_t i = 0; i < list->count; i++) {
		bool by_user = everybody ||
		               (!ctl_parse_id(name, &id) && strcasecmp(s[i].winstation, name) != 0);
		if (!by_user ||
		    (is_user_of(&s[i], everybody ? NULL : name) && s[i].state == WTS_ACTIVE))
			s[kept++] = s[i];
	}
	list->count = kept;
}

/* Its name as msg has it, or its id. Returns NAME. */
static const char *delivery_name(const struct delivery *d, char name[WINSTATION_SIZE])
{
	show_name(d->session, name);
	if (!*name)
		snprintf(name, WINSTATION_SIZE, "%u", d->session->session);
	return name;
}

/* ---- what became of it ---- */

static const char *response_key(uint32_t response)
{
	switch (response) {
	case BOX_OK:
		return "ok";
	case BOX_TIMEOUT:
		return "timeout";
	default:
		return NULL; /* nobody waited for it */
	}
}

static void show_response(const struct delivery *d)
{
	char name[WINSTATION_SIZE];

	delivery_name(d, name);
	if (d->response == BOX_OK)
		printf("Message to session %s responded to by user\n", name);
	else if (d->response == BOX_TIMEOUT)
		printf("Timeout on message to session %s before user response\n", name);
	else
		printf("Async message sent to session %s\n", name);
	fflush(stdout); /* the next answer may take its time */
}

static json_t *deliveries_json(const struct deliveries *v)
{
	json_t *array = json_array();

	for (size_t i = 0; array && i < v->count; i++) {
		const struct msg_session *s = v->all[i].session;
		if (v->all[i].delivered)
			json_array_append_new(
			    array, json_pack("{s:I, s:s, s:s, s:s?}", "id", (json_int_t)s->session,
			               "name", s->winstation, "user", s->user, "response",
			               response_key(v->all[i].response)));
	}
	return array;
}

/* Receives one answer. Returns 0 or an exit status. */
static int take_answer(struct deliveries *v)
{
	union answer a;
	char name[WINSTATION_SIZE];
	int status = ctl_receive_any(v->request, v->first, &a);
	struct delivery *d;

	if (status)
		return status;
	d = &v->all[a.h.message_id - v->first];
	if (a.h.type != CTL_MESSAGE || d->answered)
		return ctl_bad_answer(v->request);
	d->answered = true;
	v->answered++;
	d->delivered = a.control.status == STATUS_SUCCESS;
	d->response = a.control.response;
	if (!d->delivered)
		ctl_error("Error sending message to session %s: %s: %s", delivery_name(d, name),
		    ntstatus_name(a.control.status), ntstatus_text(a.control.status));
	else if (v->box.wait && !v->request->json)
		show_response(d);
	return 0;
}

/* Returns 0 or an exit status. */
static int deliver(struct deliveries *v)
{
	int status = 0;

	v->first = v->request->message_id + 1;
	for (; status == 0 && v->asked < v->count; v->asked++) {
		v->box.session = v->all[v->asked].session->session;
		status = ctl_ask(v->request, &v->box.h, CTL_MESSAGE, sizeof(v->box));
		/* smss gets rid of its answers, but does not wait for those of users */
		while (status == 0 && v->answered <= v->asked &&
		       (!v->box.wait || ctl_wait(v->request, CTL_WAIT_SMSS, 0) & CTL_WAIT_SMSS))
			status = take_answer(v);
	}
	while (status == 0 && v->answered < v->count)
		status = take_answer(v);
	for (size_t i = 0; status == 0 && i < v->count; i++)
		if (!v->all[i].delivered)
			status = CTL_REFUSED;
	return status;
}

/* Until when the answers must be there: a box has to go before its own says so. */
static uint64_t deadline(const struct request *r, const struct msg_box *box)
{
	if (!box->wait)
		return 0; /* the usual one */
	if (!box->seconds)
		return CTL_NEVER;
	return ctl_now() + (uint64_t)(box->seconds + (uint32_t)r->command->timeout) * 1000;
}

static int deliver_all(struct request *r, struct deliveries *v, const struct answers *list)
{
	const struct msg_session *s = list->messages;
	int status;

	if (list->count == 0)
		return ctl_error("%s does not exist or is disconnected", r->operand);
	v->all = calloc(list->count, sizeof(*v->all));
	if (!v->all)
		return ctl_failed(r, "the list");
	for (; v->count < list->count; v->count++)
		v->all[v->count].session = &s[v->count];
	r->deadline = deadline(r, &v->box);
	status = deliver(v);
	/* what was delivered is said, though other sessions refused it */
	if (r->json && v->answered == v->count) {
		int printed = ctl_print_json(r, deliveries_json(v));
		status = status ? status : printed;
	}
	free(v->all);
	return status;
}

int ctl_message(struct request *r)
{
	struct deliveries v = { .request = r };
	struct answers list = { 0 };
	bool everybody = strcmp(r->operand, "*") == 0;
	int status = make_box(r, &v.box);

	if (status == 0)
		status = ctl_ask_meant(r, everybody ? NULL : r->operand, &list);
	if (status == 0) {
		keep_reachable(&list, r->operand);
		status = deliver_all(r, &v, &list);
	}
	free(list.messages);
	return status;
}
