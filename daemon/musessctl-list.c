/* The sessions: all of them as query session or query user list them, or one at length. */
#include "musessctl-show.h"
#include "musessctl.h"

#include <stdlib.h>
#include <time.h>

static uint64_t now_s(void)
{
	return (uint64_t)time(NULL);
}

static json_t *session_json(const void *session)
{
	return show_session_json(session, now_s());
}

static int list_json(const struct request *r, const struct answers *list)
{
	return ctl_print_json(r, ctl_array_json(list, sizeof(struct msg_session), session_json));
}

int ctl_list(struct request *r)
{
	struct answers list = { 0 };
	int status = ctl_ask_meant(r, r->operand, &list);

	if (status == 0 && r->operand && list.count == 0)
		status = ctl_error("No session exists for %s", r->operand);
	else if (status == 0 && r->json)
		status = list_json(r, &list);
	else if (status == 0)
		show_list(stdout, list.messages, list.count);
	free(list.messages);
	return status;
}

/* Keeps the sessions that have a user. */
static void keep_users(struct answers *list)
{
	struct msg_session *s = list->messages;
	size_t kept = 0;

	for (size_t i = 0; i < list->count; i++)
		if (s[i].user[0])
			s[kept++] = s[i];
	list->count = kept;
}

int ctl_users(struct request *r)
{
	struct answers list = { 0 };
	int status = ctl_ask_meant(r, r->operand, &list);

	keep_users(&list);
	/* a program that counts users needs no error where there are none */
	if (status == 0 && list.count == 0 && (r->operand || !r->json))
		status = ctl_error("No User exists for %s", r->operand ? r->operand : "*");
	else if (status == 0 && r->json)
		status = list_json(r, &list);
	else if (status == 0)
		show_users(stdout, list.messages, list.count, now_s());
	free(list.messages);
	return status;
}

int ctl_show(struct request *r)
{
	struct answers list = { 0 };
	const struct msg_session *s;
	uint32_t id;
	int status = ctl_find_session(r, r->operand, &id);

	if (status == 0)
		status = ctl_connect(r);
	if (status == 0)
		status = ctl_ask_sessions(r, &list);
	s = status == 0 ? show_find(list.messages, list.count, id) : NULL;
	if (status == 0 && !s)
		status = ctl_no_session(r->operand);
	else if (status == 0 && r->json)
		status = ctl_print_json(r, show_session_json(s, now_s()));
	else if (status == 0)
		show_session(stdout, s);
	free(list.messages);
	return status;
}
