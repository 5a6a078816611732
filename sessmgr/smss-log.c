/*
 * The lines of those who have no log: csrss and psxss, winlogon by way of csrss, termsrv, rdpwd by way
 * of termsrv, metricsd. Whose a line is smss knows from the port that it came by, so that none can be
 * taken for lsass's, smss's or another session's; and it has a bound for how many there are.
 */
#include "log.h"
#include "smss.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What termsrv says is about connections, which are many; those of one worker it has counted itself. */
enum { TERMSRV_LINES_MAX = 1000 };

/* How a line begins, and may not go on. */
#define PREFIX "musess: "

struct speaker {
	struct quota lines;
	unsigned unsaid;    /* lines that were too many and are not told of */
	struct event *tell; /* of those */
	uint32_t session;   /* NO_SESSION: it is the service's */
	char name[32];
};

/* The program of a subsystem's COMMAND, without its directory. */
static void name_subsystem(char *name, size_t size, const char *command)
{
	const char *begin = command + strspn(command, " \t");
	const char *end = begin + strcspn(begin, " \t");

	for (const char *p = begin; p < end; p++)
		if (*p == '/')
			begin = p + 1;
	snprintf(name, size, "%.*s", (int)(end - begin), begin);
}

static void name_speaker(const struct client *client, struct speaker *speaker)
{
	speaker->session = NO_SESSION;
	if (client->subsystem) {
		speaker->session = client->subsystem->session->id;
		name_subsystem(speaker->name, sizeof(speaker->name), client->subsystem->command);
	} else {
		snprintf(speaker->name, sizeof(speaker->name), "%s",
		    client->role == CLIENT_TERMSRV ? "termsrv" : "metricsd");
	}
}

static void tell_unsaid(struct speaker *speaker)
{
	char id[16] = "";

	if (speaker->unsaid == 0)
		return;
	if (speaker->session != NO_SESSION)
		snprintf(id, sizeof(id), "[%u]", speaker->session);
	log_warn("%u lines of %s%s were not written: they were too many", speaker->unsaid,
	    speaker->name, id);
	speaker->unsaid = 0;
}

static void on_tell(int fd, short what, void *argument)
{
	(void)fd;
	(void)what;
	tell_unsaid(argument);
}

static struct speaker *speaker_of(struct client *client)
{
	struct speaker *speaker = client->speaker ? client->speaker : calloc(1, sizeof(*speaker));

	if (!speaker || client->speaker)
		return speaker;
	speaker->tell = evtimer_new(client->smss->base, on_tell, speaker);
	if (!speaker->tell) {
		free(speaker);
		return NULL;
	}
	name_speaker(client, speaker);
	client->speaker = speaker;
	return speaker;
}

void client_says_no_more(struct client *client)
{
	if (!client->speaker)
		return;
	tell_unsaid(client->speaker);
	event_free(client->speaker->tell);
	free(client->speaker);
	client->speaker = NULL;
}

/* Whether SPEAKER may have one more line; those that it may not are told of when its time is over. */
static bool may_speak(struct speaker *speaker, unsigned most)
{
	const struct timeval in = { .tv_sec = LOG_LINES_US / 1000000 };

	if (quota_take(&speaker->lines, most, LOG_LINES_US, clock_us()))
		return true;
	if (speaker->unsaid++ == 0)
		event_add(speaker->tell, &in);
	return false;
}

/* Whose a line is that CLIENT passes on for OWNER; NULL: it does not. */
static const char *name_owner(const struct client *client, uint32_t owner)
{
	const struct subsystem *subsystem = client->subsystem;

	if (owner == LOG_WINLOGON && subsystem && subsystem == subsystem->session->windows)
		return "winlogon";
	return owner == LOG_RDPWD && client->role == CLIENT_TERMSRV ? "rdpwd" : NULL;
}

int client_speaks(struct client *client, const PORT_MESSAGE *m, int *passed)
{
	const struct msg_log *message = (const void *)m;
	unsigned most = client->role == CLIENT_TERMSRV ? TERMSRV_LINES_MAX : LOG_LINES_MAX;
	struct speaker *speaker = speaker_of(client);
	const char *name;
	char text[LOG_TEXT_SIZE], *inner;

	(void)passed;
	if (!speaker)
		return 0; /* no memory: the line is lost */
	name = message->owner == LOG_OWN ? speaker->name : name_owner(client, message->owner);
	if (!name || !log_line_valid(message)) {
		log_warn("process %d sent a line for the log that is none: cut off", client->pid);
		return -1;
	}
	if (!may_speak(speaker, most))
		return 0;
	memcpy(text, message->text, sizeof(text));
	while ((inner = strstr(text, PREFIX)))
		inner[sizeof(PREFIX) - 3] = '?';
	log_write(name, message->owner == LOG_RDPWD ? message->session : speaker->session,
	    message->level, text);
	return 0;
}
