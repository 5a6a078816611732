/*
 * The configuration is read again, as an administrator or a signal asks:
 *
 *   the file         where it has a mistake that is said, and nothing changes
 *   the certificate  where it or its key is another, termsrv looks at both, and serves who comes from
 *                    then on with them; where it refuses them that is said, and nothing changes
 *   the options      those change that may
 *
 * One reload is under way at a time, as termsrv's answer comes when it comes.
 */
#include "event.h"
#include "log.h"
#include "smss.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct {
	bool under_way;
	bool again;        /* a signal came meanwhile */
	struct call *call; /* who asked; NULL: a signal */
	struct musess_config fresh;
	int certificate; /* which termsrv looks at; -1: none */
	FILE *report;
	char *text; /* what REPORT has */
	size_t size;
} now = { .certificate = -1 };

/* Who asked sees paths as they are now; smss has its directories as they were. */
static void name_files(const struct smss *smss, struct msg_reloaded *reply)
{
	if (smss->named)
		smss->named(reply->files);
	for (unsigned i = 0; i < NAMED_FILES; i++)
		if (!port_text_valid(reply->files[i].path, NAMED_PATH_SIZE))
			memset(&reply->files[i], 0, sizeof(reply->files[i]));
}

static void answer(struct client *client, const PORT_MESSAGE *call, int32_t status,
    unsigned changed, const char *text)
{
	struct msg_reloaded reply = { .status = status, .changed = changed };

	if (!client)
		return;
	port_text_lines(reply.text, sizeof(reply.text), text);
	name_files(client->smss, &reply);
	port_header(&reply.h, CTL_RELOADED, sizeof(reply), call->message_id);
	client_send(client, &reply.h, -1);
}

static void begin(struct smss *smss, struct call *call);

/* It is over: for the log, and for whoever asked. */
static void finish(struct smss *smss, int32_t status, unsigned changed)
{
	bool again = now.again;

	fclose(now.report);
	if (now.call)
		answer(now.call->client, &now.call->m.h, status, changed, now.text ? now.text : "");
	log_lines(now.text, status == STATUS_SUCCESS ? log_info : log_error);
	if (status == STATUS_SUCCESS)
		log_info("the configuration was read again: %u options changed", changed);
	else
		log_error("the configuration was not read: the values in force stay");
	call_drop(now.call);
	free(now.text);
	fd_close(&now.certificate);
	memset(&now, 0, sizeof(now));
	now.certificate = -1;
	if (again)
		begin(smss, NULL);
}

/* termsrv has a configuration of its own, which it was started with. */
static void tell_termsrv(struct smss *smss)
{
	struct msg_ts_config m = { .KeepAliveEnable = smss->config->KeepAliveEnable,
		.KeepAliveInterval = smss->config->KeepAliveInterval,
		.MaxInstanceCount = smss->config->MaxInstanceCount,
		.LogonPenaltyMax = smss->config->LogonPenaltyMax };

	_Static_assert(
	    sizeof(m.LogonPenaltyExempt) == sizeof(smss->config->LogonPenaltyExempt), "its text");
	memcpy(
	    m.LogonPenaltyExempt, smss->config->LogonPenaltyExempt, sizeof(m.LogonPenaltyExempt));
	port_header(&m.h, TS_CONFIG, sizeof(m), 0);
	client_send(smss->services[SERVICE_TERMSRV].client, &m.h, -1);
}

static void apply(struct smss *smss)
{
	unsigned changed;

	if (table_resize(smss, now.fresh.MaxInstanceCount + EXTRA_SESSIONS) < 0) {
		finish(smss, STATUS_NO_MEMORY, 0);
		return;
	}
	record_grow(now.fresh.MaxInstanceCount + EXTRA_SESSIONS); /* goes on without, too */
	changed = config_apply(smss->config, &now.fresh, now.report);
	limits_reloaded(smss);
	event_journal_choose(smss->config->JournalEvents);
	tell_termsrv(smss);
	if (event_reopen() < 0)
		fprintf(
		    now.report, "the file of events cannot be opened again: the old one is used\n");
	finish(smss, STATUS_SUCCESS, changed);
}

/* termsrv is to take the certificate. */
static void ask_termsrv(struct smss *smss)
{
	struct service *termsrv = &smss->services[SERVICE_TERMSRV];
	struct msg_plain m;

	port_header(&m.h, TS_CERTIFICATE, sizeof(m), 0);
	if (termsrv->ready && client_send(termsrv->client, &m.h, now.certificate) == 0)
		return;
	fprintf(
	    now.report, "termsrv is being started, and takes no certificate yet: reload again\n");
	finish(smss, STATUS_PORT_DISCONNECTED, 0);
}

static void begin(struct smss *smss, struct call *call)
{
	now.under_way = true;
	now.call = call;
	now.report = open_memstream(&now.text, &now.size);
	if (!now.report) {
		log_error("the configuration was not read: memory is short");
		if (call)
			answer(call->client, &call->m.h, STATUS_NO_MEMORY, 0, "");
		call_drop(call);
		now.under_way = false;
	} else if (!smss->reload) {
		fprintf(now.report, "the service was started without a configuration file\n");
		finish(smss, STATUS_OBJECT_NAME_NOT_FOUND, 0);
	} else if (smss->reload(smss, &now.fresh, &now.certificate, now.report) < 0) {
		finish(smss, STATUS_INVALID_PARAMETER, 0);
	} else if (now.certificate >= 0) {
		ask_termsrv(smss);
	} else {
		apply(smss);
	}
}

/* Lines of text. */
static bool lines_valid(const struct msg_ts_certificate *m)
{
	char text[sizeof(m->text)];

	memcpy(text, m->text, sizeof(text));
	for (size_t i = 0; i < sizeof(text); i++)
		if (text[i] == '\n')
			text[i] = ' ';
	return port_text_valid(text, sizeof(text));
}

int reload_termsrv(struct client *client, const PORT_MESSAGE *message, int *passed)
{
	const struct msg_ts_certificate *m = (const void *)message;
	struct smss *smss = client->smss;

	(void)passed;
	if (!lines_valid(m))
		return -1;
	if (now.certificate < 0)
		return 0; /* it was not asked */
	fputs(m->text, now.report);
	if (m->status != STATUS_SUCCESS) {
		finish(smss, STATUS_INVALID_PARAMETER, 0);
		return 0;
	}
	fd_close(&smss->certificate);
	smss->certificate = now.certificate;
	now.certificate = -1;
	fprintf(now.report, "clients that come from now on get the new certificate\n");
	apply(smss);
	return 0;
}

void reload_forget_termsrv(struct smss *smss)
{
	if (now.certificate < 0)
		return;
	fprintf(now.report, "termsrv has ended while it looked at the certificate\n");
	finish(smss, STATUS_PORT_DISCONNECTED, 0);
}

void reload_signalled(struct smss *smss)
{
	if (now.under_way)
		now.again = true;
	else
		begin(smss, NULL);
}

int reload_asked(struct client *client, const PORT_MESSAGE *m, int *passed)
{
	struct call *call;

	(void)passed;
	if (now.under_way) {
		answer(client, m, STATUS_UNSUCCESSFUL, 0,
		    "the configuration is being read again already\n");
		return 0;
	}
	call = call_keep(client, m, sizeof(struct msg_plain), -1);
	if (call)
		begin(client->smss, call);
	else
		answer(client, m, STATUS_NO_MEMORY, 0, "");
	return 0;
}
