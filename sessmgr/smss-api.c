/*
 * SmpApiLoop: every message that smss receives passes the two tables below. They are the
 * policy: what may be asked, how large it is exactly, who may ask, whether a descriptor
 * comes along, and who handles it. A call that breaks the table of SM API calls is
 * answered with its status; any other message that breaks its table ends the sender.
 */
#include "log.h"
#include "probe.h"
#include "smss.h"

#include <string.h>
#include <unistd.h>

#define FROM(role) (1u << CLIENT_##role)

/* A subsystem: once it has shaken hands; csrss alone, then. */
enum when { ANY_TIME, CONNECTED, WINDOWS };

/* The seven calls, by number (session-manager.md section 2); each is a whole SMAPIMSG. Who may not make one is answered
   as the last column says. */
static const struct {
	const char *name;
	unsigned from;
	enum when when;
	bool descriptor; /* one may come along */
	int32_t (*handler)(SMAPIMSG *, struct client *, int);
	int32_t refusal;
} calls[SmMaxApiNumber] = {
	[SmCreateForeignSessionApi] = { "CreateForeignSession", FROM(SUBSYSTEM), CONNECTED, true,
	    SmpCreateForeignSession, STATUS_INVALID_PARAMETER },
	[SmSessionCompleteApi] = { "SessionComplete", FROM(SUBSYSTEM), CONNECTED, false,
	    SmpSessionComplete, STATUS_INVALID_PARAMETER },
	[SmTerminateForeignSessionApi] = { "TerminateForeignSession", FROM(SUBSYSTEM), CONNECTED,
	    false, SmpTerminateForeignSession, STATUS_INVALID_PARAMETER },
	[SmExecPgmApi] = { "ExecPgm", FROM(SUBSYSTEM), CONNECTED, true, SmpExecPgm,
	    STATUS_ACCESS_DENIED },
	[SmLoadDeferedApi] = { "LoadDefered", FROM(SUBSYSTEM) | FROM(ADMINISTRATOR) | FROM(TERMSRV),
	    CONNECTED, false, SmpLoadDefered, STATUS_ACCESS_DENIED },
	[SmStartCsrApi] = { "StartCsr", FROM(ADMINISTRATOR) | FROM(TERMSRV), ANY_TIME, false,
	    SmpStartCsr, STATUS_ACCESS_DENIED },
	[SmStopCsrApi] = { "StopCsr", FROM(ADMINISTRATOR) | FROM(TERMSRV), ANY_TIME, false,
	    SmpStopCsr, STATUS_ACCESS_DENIED },
};

void sm_reply(struct client *client, SMAPIMSG *call, int32_t status)
{
	PORT_MESSAGE request = call->h;

	if (!client)
		return;
	if (client->role == CLIENT_TERMSRV && call->ApiNumber == SmStartCsrApi &&
	    status != STATUS_SUCCESS)
		stats_refused(
		    client->smss, client->smss->start_full ? REFUSAL_FULL : REFUSAL_CREATION);
	client->smss->start_full = false;
	port_header(&call->h, LPC_REPLY, sizeof(*call), request.message_id);
	call->h.client_view_size = request.client_view_size;
	call->ReturnedStatus = status;
	client_send(client, &call->h, -1);
}

/* Whether CLIENT is one of FROM, and its time has come. */
static bool may_send(const struct client *client, unsigned from, enum when when)
{
	const struct subsystem *subsystem = client->subsystem;

	if (!(from & (1u << client->role)))
		return false;
	if (client->role != CLIENT_SUBSYSTEM || when == ANY_TIME)
		return true;
	return subsystem && (when == CONNECTED || subsystem == subsystem->session->windows);
}

static int32_t dispatch(struct client *client, SMAPIMSG *call)
{
	if (call->ApiNumber >= SmMaxApiNumber)
		return STATUS_NOT_IMPLEMENTED;
	if (!may_send(client, calls[call->ApiNumber].from, calls[call->ApiNumber].when))
		return calls[call->ApiNumber].refusal;
	if (client->subsystem && client->subsystem->session->step == SESSION_ENDING)
		return STATUS_PROCESS_IS_TERMINATING;
	return calls[call->ApiNumber].handler(call, client, client->port);
}

static bool takes_descriptor(const struct client *client, uint32_t number)
{
	return number < SmMaxApiNumber && calls[number].descriptor &&
	       (calls[number].from & (1u << client->role));
}

/* A descriptor beside a call that takes none breaks framing. */
static int sm_call(struct client *client, SMAPIMSG *call, int *passed)
{
	uint32_t session = client->subsystem ? client->subsystem->session->id : NO_SESSION;
	int32_t status;

	if (*passed >= 0 && !takes_descriptor(client, call->ApiNumber))
		return -1;
	client->passed = *passed;
	*passed = -1;
	call->ReturnedStatus = STATUS_PENDING;
	PROBE_ENTRY(SmpApiLoop, session);
	status = dispatch(client, call);
	PROBE_RETURN(SmpApiLoop, session, status);
	client_let_go(client, &client->passed);
	if (status != STATUS_PENDING)
		sm_reply(client, call, status);
	return 0;
}

static int sb_reply(struct client *client, const PORT_MESSAGE *m, int *passed)
{
	(void)passed;
	return callback_reply(client, (const void *)m);
}

static int csr_shell(struct client *client, const PORT_MESSAGE *m, int *passed)
{
	struct session *s = client->subsystem->session;

	(void)m;
	(void)passed;
	if (s->shell_told)
		return 0; /* it says so once */
	s->shell_told = true;
	s->info.phase[PHASE_SHELL] = clock_us();
	if (s->logged_on)
		audit_shell(s);
	if (s->painted_early)
		stats_painted(s);
	s->painted_early = false;
	return 0;
}

/* The user's command has ended, and winlogon is about to. */
static int csr_logoff(struct client *client, const PORT_MESSAGE *m, int *passed)
{
	(void)m;
	(void)passed;
	client->subsystem->session->command_ended = true;
	return 0;
}

/* The first picture is out: told once of each client, by who serves it, and as of when it can be. */
static int ws_painted(struct client *client, const PORT_MESSAGE *m, int *passed)
{
	const struct msg_painted *message = (const void *)m;
	struct session *s = session_find(client->smss, message->session);
	uint64_t *phase = s ? s->info.phase : NULL, now = clock_us();

	(void)passed;
	if (!s || s->generation != message->generation || s->worker != m->message_id ||
	    phase[PHASE_PAINTED])
		return 0; /* it has another client by now */
	phase[PHASE_PAINTED] = clock_within(message->painted, phase[PHASE_ACCEPT], now);
	phase[PHASE_ACTIVE] =
	    clock_within(message->active, phase[PHASE_ACCEPT], phase[PHASE_PAINTED]);
	audit_painted(s);
	/* csrss's word of the shell, which precedes a user's picture, comes another way */
	s->painted_early = s->logged_on && phase[PHASE_START_CSR] && !phase[PHASE_SHELL];
	if (!s->painted_early)
		stats_painted(s);
	return 0;
}

static int service_ready(struct client *client, const PORT_MESSAGE *m, int *passed)
{
	struct smss *smss = client->smss;

	if (m->type == TS_READY) {
		smss->listening_port =
		    (uint16_t)((const struct msg_listening *)(const void *)m)->port;
		if (*passed >= 0) {
			fd_close(&smss->rdp_listener);
			smss->rdp_listener = *passed;
			*passed = -1;
			if (smss->keep_listener)
				smss->keep_listener(smss->rdp_listener);
		}
	}
	return services_ready(client);
}

/* Accounts: administrators ask, lsass answers; the message id finds the way back. */
static int account_call(struct client *client, const PORT_MESSAGE *m, int *passed)
{
	(void)passed;
	accounts_ask(client, m);
	return 0;
}

static int account_answer(struct client *client, const PORT_MESSAGE *m, int *passed)
{
	(void)passed;
	accounts_answer(client->smss, m);
	return 0;
}

static int ctl_list(struct client *client, const PORT_MESSAGE *m, int *passed)
{
	(void)passed;
	control_list(client, m->message_id);
	return 0;
}

static int ctl_service(struct client *client, const PORT_MESSAGE *m, int *passed)
{
	(void)passed;
	control_service(client, m->message_id);
	return 0;
}

static int ctl_version(struct client *client, const PORT_MESSAGE *m, int *passed)
{
	(void)passed;
	control_version(client, m->message_id);
	return 0;
}

static int ctl_pool(struct client *client, const PORT_MESSAGE *m, int *passed)
{
	(void)passed;
	control_pool(client, (const void *)m);
	return 0;
}

static int ctl_exec(struct client *client, const PORT_MESSAGE *m, int *passed)
{
	control_exec(client, (const void *)m, passed);
	return 0;
}

/* All other messages. */
static const struct {
	uint16_t type;
	size_t size;
	unsigned from;
	enum when when;
	bool descriptor;
	int (*handler)(struct client *, const PORT_MESSAGE *, int *);
} messages[] = {
	{ SM_PING, sizeof(struct msg_plain),
	    FROM(SUBSYSTEM) | FROM(LSASS) | FROM(TERMSRV) | FROM(METRICSD), CONNECTED, false,
	    alive_answer },
	{ CSR_CONNECT, sizeof(struct msg_csr_connect), FROM(SUBSYSTEM), ANY_TIME, false,
	    subsystem_connect },
	{ CSR_SHELL, sizeof(struct msg_plain), FROM(SUBSYSTEM), WINDOWS, false, csr_shell },
	{ CSR_LOGOFF, sizeof(struct msg_plain), FROM(SUBSYSTEM), WINDOWS, false, csr_logoff },
	{ CSR_DISCONNECTED, sizeof(struct msg_connection), FROM(SUBSYSTEM), WINDOWS, false,
	    winstation_disconnected },
	{ CSR_DISPLAY, sizeof(struct msg_connection), FROM(SUBSYSTEM), WINDOWS, true,
	    winstation_display },
	{ CSR_ADOPT, sizeof(struct msg_csr_adopt), FROM(SUBSYSTEM), ANY_TIME, false, adopt_csrss },
	{ CSR_CHOICE, sizeof(struct msg_choice), FROM(SUBSYSTEM), WINDOWS, false,
	    winstation_choice },
	{ CSR_INPUT, sizeof(struct msg_plain), FROM(SUBSYSTEM), WINDOWS, false, limits_input },
	{ CSR_RESPONSE, sizeof(struct msg_response), FROM(SUBSYSTEM), WINDOWS, false,
	    manage_response },
	{ LPC_REPLY, sizeof(SBAPIMSG), FROM(CALLBACK), ANY_TIME, false, sb_reply },
	{ LOG_LINE, sizeof(struct msg_log), FROM(SUBSYSTEM) | FROM(TERMSRV) | FROM(METRICSD),
	    CONNECTED, false, client_speaks },
	{ TS_READY, sizeof(struct msg_listening), FROM(TERMSRV), ANY_TIME, true, service_ready },
	{ TS_LSASS, sizeof(struct msg_plain), FROM(TERMSRV), ANY_TIME, false, services_reconnect },
	{ WS_CONNECT, sizeof(struct msg_client), FROM(TERMSRV), ANY_TIME, true,
	    winstation_connect },
	{ WS_LOGON, sizeof(struct msg_user), FROM(TERMSRV), ANY_TIME, false, winstation_logon },
	{ WS_EVENT, sizeof(struct msg_ws_event), FROM(TERMSRV), ANY_TIME, false, audit_termsrv },
	{ WS_COOKIE, sizeof(struct msg_cookie), FROM(TERMSRV), ANY_TIME, false, winstation_cookie },
	{ WS_PAINTED, sizeof(struct msg_painted), FROM(TERMSRV), ANY_TIME, false, ws_painted },
	{ TS_FIGURES, sizeof(struct msg_ts_figures), FROM(TERMSRV), ANY_TIME, false,
	    stats_termsrv },
	{ TS_CERTIFICATE, sizeof(struct msg_ts_certificate), FROM(TERMSRV), ANY_TIME, false,
	    reload_termsrv },
	{ MT_READY, sizeof(struct msg_plain), FROM(METRICSD), ANY_TIME, false, service_ready },
	{ MT_LIST, sizeof(struct msg_plain), FROM(METRICSD), ANY_TIME, false, stats_list },
	{ LSA_READY, sizeof(struct msg_plain), FROM(LSASS), ANY_TIME, false, service_ready },
	{ LSA_ANSWER, sizeof(struct lsa_answer), FROM(LSASS), ANY_TIME, false, account_answer },
	{ ACCT_ENTRY, sizeof(struct lsa_answer), FROM(LSASS), ANY_TIME, false, account_answer },
	{ ACCT_ADD, sizeof(struct lsa_request), FROM(ADMINISTRATOR), ANY_TIME, false,
	    account_call },
	{ ACCT_REMOVE, sizeof(struct lsa_request), FROM(ADMINISTRATOR), ANY_TIME, false,
	    account_call },
	{ ACCT_PASSWD, sizeof(struct lsa_request), FROM(ADMINISTRATOR), ANY_TIME, false,
	    account_call },
	{ ACCT_LIST, sizeof(struct msg_plain), FROM(ADMINISTRATOR), ANY_TIME, false, account_call },
	{ CTL_LIST, sizeof(struct msg_plain), FROM(ADMINISTRATOR) | FROM(USER), ANY_TIME, false,
	    ctl_list },
	{ CTL_SERVICE, sizeof(struct msg_plain), FROM(ADMINISTRATOR), ANY_TIME, false,
	    ctl_service },
	{ CTL_VERSION, sizeof(struct msg_plain), FROM(ADMINISTRATOR) | FROM(USER), ANY_TIME, false,
	    ctl_version },
	{ CTL_POOL, sizeof(struct msg_pool), FROM(ADMINISTRATOR), ANY_TIME, false, ctl_pool },
	{ CTL_EXEC, sizeof(struct msg_exec), FROM(ADMINISTRATOR), ANY_TIME, true, ctl_exec },
	{ CTL_DISCONNECT, sizeof(struct msg_control), FROM(ADMINISTRATOR) | FROM(USER), ANY_TIME,
	    false, manage_disconnect },
	{ CTL_CONNECT, sizeof(struct msg_control), FROM(ADMINISTRATOR), ANY_TIME, false,
	    manage_connect },
	{ CTL_LOGOFF, sizeof(struct msg_control), FROM(ADMINISTRATOR) | FROM(USER), ANY_TIME, false,
	    manage_logoff },
	{ CTL_RESET, sizeof(struct msg_control), FROM(ADMINISTRATOR), ANY_TIME, false,
	    manage_reset },
	{ CTL_MESSAGE, sizeof(struct msg_box), FROM(ADMINISTRATOR), ANY_TIME, false,
	    manage_message },
	{ CTL_DRAIN, sizeof(struct msg_drain), FROM(ADMINISTRATOR), ANY_TIME, false, manage_drain },
	{ CTL_RELOAD, sizeof(struct msg_plain), FROM(ADMINISTRATOR), ANY_TIME, false,
	    reload_asked },
	{ CTL_EVENTS, sizeof(struct msg_plain), FROM(ADMINISTRATOR), ANY_TIME, false,
	    manage_events },
	{ CTL_STATS, sizeof(struct msg_plain), FROM(ADMINISTRATOR) | FROM(METRICSD), ANY_TIME,
	    false, stats_ask },
};

int SmpApiLoop(struct client *client, PORT_MESSAGE *message, size_t size, int *passed)
{
	if (message->type == LPC_REQUEST && size == sizeof(SMAPIMSG) &&
	    client->role != CLIENT_CALLBACK &&
	    sm_call(client, (SMAPIMSG *)(void *)message, passed) == 0)
		return 0;
	for (size_t i = 0; i < sizeof(messages) / sizeof(*messages); i++)
		if (messages[i].type == message->type) {
			if (messages[i].size != size || (*passed >= 0 && !messages[i].descriptor) ||
			    !may_send(client, messages[i].from, messages[i].when))
				break;
			return messages[i].handler(client, message, passed);
		}
	if (client_may_be_logged(client))
		log_warn(
		    "process %d sent message 0x%x of %zu bytes, which is not its to send: cut off",
		    client->pid, message->type, size);
	return -1;
}
