/*
 * Which sessions the command line means. A session is named by its id, by its session name,
 * or by its user; what consists of digits alone is an id, and a session name goes before a
 * user of that name. Session names know no case, as on Windows; users do, as accounts do.
 */
#include "musessctl-show.h"
#include "musessctl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

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

int ctl_bad_id(const struct request *r, const char *text)
{
	return ctl_usage_error("%s: \"%s\" is no session id: a number from 0 to %u is",
	    r->command->name, text, NO_SESSION - 1);
}

int ctl_no_session(const char *name)
{
	uint32_t id;

	return ctl_error("Session %s %s not found", ctl_parse_id(name, &id) ? "ID" : "name", name);
}

/* One that can mean nothing: empty, or a number that is no id. */
static bool is_nothing(const char *name)
{
	uint32_t id;

	return !name[strspn(name, "0123456789")] && !ctl_parse_id(name, &id);
}

int ctl_ask_sessions(struct request *r, struct answers *list)
{
	union answer last;
	int status = ctl_ask_plainly(r, CTL_LIST);

	if (status == 0)
		status = ctl_receive_list(r, CTL_SESSION, CTL_END, list, &last);
	if (status == 0 && list->count)
		show_sort(list->messages, list->count);
	return status;
}

static bool has_id(const struct msg_session *s, const char *name)
{
	uint32_t id;

	return ctl_parse_id(name, &id) && s->session == id;
}

static bool has_name(const struct msg_session *s, const char *name)
{
	return strcasecmp(s->winstation, name) == 0;
}

static bool has_user(const struct msg_session *s, const char *name)
{
	return strcmp(s->user, name) == 0;
}

/* Keeps those of LIST that NAME means. */
static void keep_meant(struct answers *list, const char *name)
{
	static bool (*const ways[])(
	    const struct msg_session *, const char *) = { has_id, has_name, has_user };
	struct msg_session *s = list->messages;
	uint32_t id;
	size_t kept = 0, count = ctl_parse_id(name, &id) ? 1 : sizeof(ways) / sizeof(*ways);

	for (size_t way = 0; kept == 0 && way < count; way++)
		for (size_t i = 0; i < list->count; i++)
			if (ways[way](&s[i], name))
				s[kept++] = s[i];
	list->count = kept;
}

int ctl_ask_meant(struct request *r, const char *name, struct answers *list)
{
	int status;

	if (name && is_nothing(name))
		return ctl_bad_id(r, name);
	status = ctl_connect(r);
	if (status == 0)
		status = ctl_ask_sessions(r, list);
	if (status == 0 && name)
		keep_meant(list, name);
	return status;
}

/* A user's several sessions, where one was wanted. */
static int ambiguous(const char *name, const struct answers *list)
{
	const struct msg_session *s = list->messages;

	fprintf(stderr, "musessctl: %s has several sessions: ID", name);
	for (size_t i = 0; i < list->count; i++)
		fprintf(stderr, "%s %u", i ? "," : "", s[i].session);
	fputs("; name one\n", stderr);
	return CTL_REFUSED;
}

int ctl_find_session(struct request *r, const char *name, uint32_t *id)
{
	struct answers list = { 0 };
	int status;

	if (ctl_parse_id(name, id))
		return 0;
	status = ctl_ask_meant(r, name, &list);
	if (status == 0 && list.count == 0)
		status = ctl_no_session(name);
	else if (status == 0 && list.count > 1)
		status = ambiguous(name, &list);
	else if (status == 0)
		*id = ((const struct msg_session *)list.messages)->session;
	free(list.messages);
	return status;
}
