/*
 * disconnect, connect, logoff and reset: what tsdiscon, tscon, logoff and reset session do.
 * smss decides who may; its refusal is said in the tools' words, with its status.
 */
#include "musessctl.h"
#include "ntstatus.h"

#include <stdio.h>

/* A call, and what is said where it was refused. */
struct control {
	uint16_t type;
	const char *could_not;
	const char *console; /* why the console is refused */
};

static const struct control disconnect = { CTL_DISCONNECT, "Could not disconnect",
	"the console has no client" };
static const struct control connect_session = { CTL_CONNECT, "Could not connect",
	"the console has no client, and gets none" };
static const struct control logoff = { CTL_LOGOFF, "Could not log off",
	"the console ends with the service" };
static const struct control reset = { CTL_RESET, "Could not reset",
	"the console ends with the service" };

static int refused(
    const struct request *r, const struct control *c, const struct msg_control *m, int32_t status)
{
	bool console = m->session == 0 || (c->type == CTL_CONNECT && m->target == 0);
	const char *hint = console && status != STATUS_OBJECT_NAME_NOT_FOUND ? c->console : NULL;
	char whom[32], dest[32] = "";

	if (status == STATUS_OBJECT_NAME_NOT_FOUND && c->type != CTL_CONNECT)
		return r->operand ? ctl_no_session(r->operand)
		                  : ctl_error("%s: this is no session of the service: name one",
		                        r->command->name);
	snprintf(whom, sizeof(whom), "sessionID %u", m->session);
	if (c->type == CTL_CONNECT)
		snprintf(dest, sizeof(dest), " to sessionID %u", m->target);
	return ctl_error("%s %s%s: %s: %s%s%s", c->could_not, r->operand ? whom : "this session",
	    dest, ntstatus_name(status), ntstatus_text(status), hint ? "; " : "", hint ? hint : "");
}

/* M names the sessions. Returns an exit status. */
static int control(struct request *r, const struct control *c, struct msg_control *m)
{
	union answer answer;
	int status = ctl_call(r, &m->h, c->type, sizeof(*m), c->type, &answer);

	if (status)
		return status;
	if (answer.control.status != STATUS_SUCCESS)
		return refused(r, c, m, answer.control.status);
	if (!r->json)
		return 0;
	return ctl_print_json(r, json_pack("{s:o}", "id",
	                             answer.control.session == NO_SESSION
	                                 ? json_null()
	                                 : json_integer((json_int_t)answer.control.session)));
}

/* Of the session that the operand names; without one, the caller's. */
static int control_operand(struct request *r, const struct control *c)
{
	struct msg_control m = { .session = NO_SESSION };
	int status = r->operand ? ctl_find_session(r, r->operand, &m.session) : 0;

	return status ? status : control(r, c, &m);
}

int ctl_disconnect(struct request *r)
{
	return control_operand(r, &disconnect);
}

int ctl_logoff(struct request *r)
{
	return control_operand(r, &logoff);
}

int ctl_reset(struct request *r)
{
	return control_operand(r, &reset);
}

int ctl_connect_session(struct request *r)
{
	struct msg_control m = { .session = NO_SESSION };
	int status;

	if (!r->option[OPTION_DEST])
		return ctl_usage_error("connect: --dest SESSIONNAME is missing");
	status = ctl_find_session(r, r->operand, &m.session);
	if (status == 0)
		status = ctl_find_session(r, r->option[OPTION_DEST], &m.target);
	return status ? status : control(r, &connect_session, &m);
}
