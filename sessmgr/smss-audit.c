/*
 * What happens to sessions, as the events that Windows writes about it (docs/events.md): each
 * function is one thing that happens, and its events in Windows' order.
 */
#include "event.h"
#include "smss.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* DOMAIN\USER, as Windows names a user; without a domain the user alone. */
struct account {
	char name[DOMAIN_SIZE + 1 + USER_SIZE];
};

static struct account account_of(const struct session *s)
{
	struct account a;

	snprintf(a.name, sizeof(a.name), "%s%s%s", s->info.domain, s->info.domain[0] ? "\\" : "",
	    s->info.user);
	return a;
}

/* An address without its port, and the port: "192.0.2.1:50000", "[2001:db8::1]:50000". */
struct place {
	char address[ADDRESS_SIZE];
	uint32_t port;
};

static struct place place_of(const char *text)
{
	struct place p = { 0 };
	const char *colon = strrchr(text, ':');
	size_t length = colon ? (size_t)(colon - text) : strlen(text);

	if (length > 1 && text[0] == '[' && text[length - 1] == ']') {
		text++;
		length -= 2;
	}
	snprintf(p.address, sizeof(p.address), "%.*s", (int)length, text);
	p.port = colon ? (uint32_t)strtoul(colon + 1, NULL, 10) : 0;
	return p;
}

/* Windows' logon types: by RDP, and to a session that is there. */
enum { LOGON_REMOTE_INTERACTIVE = 10, LOGON_UNLOCK = 7 };

/* ---- connections ---- */

static void request(const struct msg_ws_event *m)
{
	event_write(EVENT_CORE_ACCEPTED, NO_SESSION, "TCP", m->address);
	event_write(EVENT_CORE_TCP, NO_SESSION);
	event_write(EVENT_CORE_CREATED, NO_SESSION, m->winstation);
	event_write(EVENT_RCM_RECEIVED, NO_SESSION, "RDP-Tcp");
}

static void logon_failed(const struct msg_ws_event *m)
{
	struct place place = place_of(m->address);
	uint32_t status = (uint32_t)m->status;

	event_write(EVENT_SECURITY_LOGON_FAILED, NO_SESSION, m->user, m->domain, status,
	    ntstatus_text(m->status), status, LOGON_REMOTE_INTERACTIVE, m->station, place.address,
	    place.port);
	event_write(EVENT_CORE_LOGON_FAILED, NO_SESSION, place.address);
}

static void penalty(const struct msg_ws_event *m)
{
	struct place place = place_of(m->address);

	event_write(EVENT_RCM_LOGON_ATTEMPTS, NO_SESSION, place.address);
}

int audit_termsrv(struct client *client, const PORT_MESSAGE *m, int *passed)
{
	const struct msg_ws_event *message = (const void *)m;

	(void)client;
	(void)passed;
	if (!port_text_valid(message->user, sizeof(message->user)) ||
	    !port_text_valid(message->domain, sizeof(message->domain)) ||
	    !port_text_valid(message->station, sizeof(message->station)) ||
	    !port_text_valid(message->address, sizeof(message->address)) ||
	    !port_text_valid(message->winstation, sizeof(message->winstation)) ||
	    message->event >= WS_EVENT_COUNT)
		return -1;
	if (message->event == WS_EVENT_REQUEST)
		request(message);
	else if (message->event == WS_EVENT_LOGON_FAILED)
		logon_failed(message);
	else
		penalty(message);
	return 0;
}

void audit_authenticated(const char *user, const char *domain, const char *address)
{
	struct place place = place_of(address);

	event_write(EVENT_RCM_AUTHENTICATED, NO_SESSION, user, domain, place.address);
}

void audit_assigned(const struct session *s, const char *name)
{
	event_write(EVENT_CORE_ASSIGNED, s->id, name, s->id);
}

/* ---- users ---- */

static void security_logon(const struct session *s, uint32_t type)
{
	struct place place = place_of(s->info.address);

	event_write(EVENT_SECURITY_LOGON, s->id, s->info.user, s->info.domain, s->generation, type,
	    s->info.station, place.address, place.port);
}

static void arbitration(const struct session *s, const char *user)
{
	event_write(EVENT_LSM_ARBITRATION_BEGIN, s->id, user, s->id);
	event_write(EVENT_LSM_ARBITRATION_END, s->id, user, s->id);
}

void audit_logon(const struct session *s, const char *name)
{
	struct account user = account_of(s);
	struct place place = place_of(s->info.address);

	security_logon(s, LOGON_REMOTE_INTERACTIVE);
	if (name)
		audit_assigned(s, name);
	arbitration(s, user.name);
	event_write(EVENT_LSM_LOGON, s->id, user.name, s->id, place.address);
}

void audit_shell(const struct session *s)
{
	struct account user = account_of(s);
	struct place place = place_of(s->info.address);

	event_write(EVENT_LSM_SHELL, s->id, user.name, s->id, place.address);
}

static void station(const struct session *s, bool reconnected)
{
	struct place place = place_of(s->info.address);

	if (reconnected)
		event_write(EVENT_SECURITY_RECONNECTED, s->id, s->info.user, s->info.domain,
		    s->generation, s->info.winstation, s->info.station, place.address);
	else
		event_write(EVENT_SECURITY_DISCONNECTED, s->id, s->info.user, s->info.domain,
		    s->generation, s->info.winstation, s->info.station, place.address);
}

/* The client at S's screen is let go, or has gone. */
static void connection_ended(const struct session *s, enum end_reason reason)
{
	event_write(EVENT_CORE_TERMINATED, s->id);
	event_write(EVENT_CORE_REASON, s->id, reason);
}

void audit_disconnect(const struct session *s, enum end_reason reason, bool another)
{
	struct account user = account_of(s);
	struct place place = place_of(s->info.address);

	if (reason == END_ADMIN_DISCONNECT)
		event_write(EVENT_LSM_DISCONNECTED_BY, s->id, s->id, 0);
	event_write(EVENT_LSM_DISCONNECTED, s->id, user.name, s->id, place.address);
	if (!another)
		event_write(EVENT_LSM_DISCONNECT_REASON, s->id, s->id, reason);
	station(s, false);
	connection_ended(s, reason);
}

void audit_reconnect(const struct session *s)
{
	struct account user = account_of(s);
	struct place place = place_of(s->info.address);

	security_logon(s, LOGON_UNLOCK);
	arbitration(s, user.name);
	event_write(EVENT_LSM_RECONNECTED, s->id, user.name, s->id, place.address);
	event_write(EVENT_LSM_DISCONNECT_REASON, s->id, s->id, END_REPLACED);
	station(s, true);
}

void audit_leaving(const struct session *s)
{
	bool failed = s->csrss_id && end_reason_failed(s->reason);

	if (failed || (s->logged_on && s->reason != END_USER_LOGOFF))
		event_write(EVENT_LSM_DISCONNECT_REASON, s->id, s->id, s->reason);
	if (s->reason == END_USER_LOGOFF && s->logged_on)
		event_write(
		    EVENT_SECURITY_USER_LOGOFF, s->id, s->info.user, s->info.domain, s->generation);
	if (s->connection)
		connection_ended(s, s->reason);
}

void audit_slow_end(const struct session *s)
{
	event_write(EVENT_LSM_SLOW_TERMINATE, s->id, s->id);
}

void audit_ended(const struct session *s)
{
	struct account user = account_of(s);

	if (s->logged_on) {
		event_write(EVENT_LSM_LOGOFF, s->id, user.name, s->id);
		event_write(EVENT_SECURITY_LOGOFF, s->id, s->info.user, s->info.domain,
		    s->generation, LOGON_REMOTE_INTERACTIVE);
	}
	if (s->csrss_id)
		event_write(EVENT_LSM_ENDED, s->id, s->id, s->winlogon_id, s->csrss_id);
}

/* ---- creation ---- */

void audit_load(const struct session *s, const char *name)
{
	event_write(EVENT_SMSS_LOAD, s->id, s->id, name);
}

void audit_loaded(const struct session *s, int32_t status)
{
	event_write(EVENT_SMSS_LOADED, s->id, (uint32_t)status);
}

void audit_execute(const struct session *s, const char *image)
{
	event_write(EVENT_SMSS_EXECUTE, s->id, 0, image[0] ? image : "winlogon");
}

void audit_executed(const struct session *s, pid_t pid)
{
	event_write(EVENT_SMSS_EXECUTED, s->id, (uint32_t)pid);
}

void audit_started(const struct session *s)
{
	event_write(EVENT_LSM_STARTED, s->id, s->id, (uint32_t)s->winlogon,
	    s->windows ? (uint32_t)s->windows->pid : 0);
}

void audit_painted(const struct session *s)
{
	const uint64_t *phase = s->info.phase;
	uint64_t accept = phase[PHASE_ACCEPT], stack = phase[PHASE_NEGOTIATED];

	event_write(EVENT_RCM_TIMING, s->id, (uint32_t)((phase[PHASE_PAINTED] - accept) / 1000),
	    stack > accept ? (uint32_t)((stack - accept) / 1000) : 0);
}

void audit_draining(void)
{
	event_write(EVENT_RCM_DRAIN, NO_SESSION);
}
