/* The calls of the SM API that an administrator makes: StartCsr and StopCsr. */
#include "musessctl.h"
#include "ntstatus.h"

#include <stdio.h>
#include <string.h>
#include <uchar.h>
#include <wchar.h>

/* What can be done about it; NULL: nothing is known. */
static const char *call_hint(const SMAPIMSG *call)
{
	if (call->ApiNumber == SmStopCsrApi && call->u.StopCsr.MuSessionId == 0)
		return "the console ends with the service";
	if (call->ApiNumber == SmStartCsrApi && call->ReturnedStatus == STATUS_NO_MEMORY)
		return "see the log, and MaxInstanceCount";
	return NULL;
}

/* Makes one of the seven calls, and leaves its reply in *CALL. Returns 0 or an exit
   status. */
static int sm_call(struct request *r, SMAPIMSG *call, SMAPINUMBER number)
{
	union answer reply;
	int status;

	call->ApiNumber = number;
	status = ctl_call(r, &call->h, LPC_REQUEST, sizeof(*call), LPC_REPLY, &reply);
	if (status)
		return status;
	if (reply.call.ApiNumber != number)
		return ctl_bad_answer(r);
	*call = reply.call;
	return call->ReturnedStatus == STATUS_SUCCESS
	           ? 0
	           : ctl_refused(r, call->ReturnedStatus, call_hint(call));
}

/* The initial command as UTF-16. Returns 0, or CTL_USAGE after saying why. */
static int encode_command(const char *text, SMSTARTCSR *call)
{
	size_t left = strlen(text), count = 0, got;
	mbstate_t state = { 0 };
	char16_t unit;

	do {
		got = mbrtoc16(&unit, text, left, &state);
		if (got == (size_t)-1 || got == (size_t)-2)
			return ctl_usage_error("start: the command is not UTF-8");
		if (got == (size_t)-3) /* the second half of a pair */
			got = 0;
		if (count < SM_COMMAND_CHARS)
			call->InitialCommand[count] = unit;
		count++;
		text += got;
		left -= got;
	} while (left > 0 || !mbsinit(&state));
	call->InitialCommandLength = (uint32_t)(count * sizeof(unit));
	if (count > SM_COMMAND_CHARS)
		return ctl_usage_error(
		    "start: the command has %zu bytes of UTF-16, and %zu are the most",
		    count * sizeof(unit), sizeof(call->InitialCommand));
	return 0;
}

int ctl_start(struct request *r)
{
	SMAPIMSG call = { .u.StartCsr = { .MuSessionId = SM_NO_MUSESSION } };
	const SMSTARTCSR *answer = &call.u.StartCsr;
	const char *initial = r->option[OPTION_COMMAND];
	int status;

	if (initial && !*initial)
		return ctl_usage_error("start: the command is empty");
	status = initial ? encode_command(initial, &call.u.StartCsr) : 0;
	if (status == 0)
		status = sm_call(r, &call, SmStartCsrApi);
	if (status)
		return status;
	if (r->json)
		return ctl_print_json(
		    r, json_pack("{s:I, s:I, s:I}", "id", (json_int_t)answer->MuSessionId,
		           "csrss_pid", (json_int_t)answer->WindowsSubSysProcessId, "winlogon_pid",
		           (json_int_t)answer->InitialCommandProcessId));
	printf("session %u: csrss %u, winlogon %u\n", answer->MuSessionId,
	    answer->WindowsSubSysProcessId, answer->InitialCommandProcessId);
	return 0;
}

int ctl_stop(struct request *r)
{
	SMAPIMSG call = { 0 };
	uint32_t id = NO_SESSION;
	int status;

	status = ctl_find_session(r, r->operand, &id);
	call.u.StopCsr.MuSessionId = id;
	if (status == 0)
		status = sm_call(r, &call, SmStopCsrApi);
	if (status == 0 && r->json)
		status = ctl_print_json(r, json_pack("{s:I}", "id", (json_int_t)id));
	return status;
}
