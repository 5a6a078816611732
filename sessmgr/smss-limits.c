/*
 * Limits on time. Each session has one timer, which stands at the next moment at which
 * something may be due; what is due then is worked out anew, so that a key costs nothing:
 *
 *   disconnected                  MaxDisconnectionTime: the session ends
 *   a client is at its screen     MaxIdleTime since the last key or use of the mouse, and
 *                                 MaxConnectionTime: the client is disconnected, or the
 *                                 session ended (fResetBroken); two minutes before a box says so
 */
#include "log.h"
#include "smss.h"

#include <stdio.h>
#include <time.h>

enum { WARNING_MS = 120000 };

/* A limit of a session that has a client. */
struct limit {
	uint64_t end, warn; /* microseconds of CLOCK_MONOTONIC; 0: never */
	enum end_reason reason;
};

/* A limit too short for a warning of two minutes has one in its middle. */
static struct limit make_limit(uint64_t since, uint64_t milliseconds, enum end_reason reason)
{
	struct limit l = { .reason = reason };
	uint64_t before = milliseconds > WARNING_MS ? WARNING_MS : milliseconds / 2;

	if (milliseconds == 0)
		return l;
	l.end = since + milliseconds * 1000;
	l.warn = l.end - before * 1000;
	return l;
}

/* The one that is reached first. */
static struct limit first_limit(const struct session *s)
{
	const struct musess_config *config = s->smss->config;
	struct limit idle = make_limit(s->input, config->MaxIdleTime, END_IDLE_LIMIT);
	struct limit time = make_limit(s->connected, config->MaxConnectionTime, END_TIME_LIMIT);

	if (idle.end == 0 || (time.end != 0 && time.end < idle.end))
		return time;
	return idle;
}

static void set_timer(struct session *s, uint64_t at, uint64_t now)
{
	uint64_t in = at > now ? at - now : 0;
	struct timeval t = { .tv_sec = (time_t)(in / 1000000),
		.tv_usec = (suseconds_t)(in % 1000000) };

	event_add(s->limit, &t);
}

static void warn(struct session *s, const struct limit *l, uint64_t now)
{
	/* rounded; not down to 0, which is a box that stays */
	unsigned seconds = (unsigned)((l->end - now + 500000) / 1000000);
	const char *end = s->smss->config->fResetBroken ? "ended" : "disconnected";
	char text[BOX_TEXT_SIZE], left[48];

	if (seconds == 0)
		seconds = 1;
	if (seconds >= 120 && seconds % 60 == 0)
		snprintf(left, sizeof(left), "%u minutes", seconds / 60);
	else
		snprintf(left, sizeof(left), "%u seconds", seconds);
	if (l->reason == END_IDLE_LIMIT)
		snprintf(text, sizeof(text),
		    "This session has been idle. It will be %s in %s. Press any key to keep it.",
		    end, left);
	else
		snprintf(text, sizeof(text),
		    "The time limit of this session is nearly reached. It will be %s in %s.", end,
		    left);
	manage_box(s, l->reason == END_IDLE_LIMIT ? "Idle timer expired" : "Session time limit",
	    text, seconds);
	s->warned = l->reason;
}

static void reached(struct session *s, enum end_reason reason)
{
	log_event("session %u: %s", s->id, end_reason_text(reason));
	if (s->smss->config->fResetBroken)
		session_stop(s, reason, STATUS_SUCCESS);
	else
		winstation_detach(s, reason);
}

static void check_disconnected(struct session *s, uint64_t now)
{
	uint64_t limit = s->smss->config->MaxDisconnectionTime * 1000;

	if (limit == 0)
		return;
	if (now >= s->disconnected + limit) {
		log_event("session %u: it was disconnected for MaxDisconnectionTime", s->id);
		session_stop(s, END_TIME_LIMIT, STATUS_SUCCESS);
	} else {
		set_timer(s, s->disconnected + limit, now);
	}
}

static void check(struct session *s)
{
	uint64_t now = clock_us();
	struct limit l;

	event_del(s->limit);
	if (s->step != SESSION_RUNNING || !s->logged_on)
		return;
	if (!s->connection) {
		check_disconnected(s, now);
		return;
	}
	l = first_limit(s);
	if (l.end == 0)
		return;
	if (now >= l.end) {
		reached(s, l.reason);
		return;
	}
	if (now < l.warn && s->warned == l.reason) /* the limit is another by now */
		s->warned = END_NONE;
	if (now >= l.warn && s->warned != l.reason)
		warn(s, &l, now);
	set_timer(s, now < l.warn ? l.warn : l.end, now);
}

static void on_timer(int fd, short what, void *argument)
{
	(void)fd;
	(void)what;
	check(argument);
}

int limits_create(struct session *session)
{
	session->limit = evtimer_new(session->smss->base, on_timer, session);
	return session->limit ? 0 : -1;
}

void limits_destroy(struct session *session)
{
	if (session->limit)
		event_free(session->limit);
	session->limit = NULL;
}

void limits_changed(struct session *session)
{
	session->warned = END_NONE;
	check(session);
}

void limits_reloaded(struct smss *smss)
{
	for (uint32_t slot = 0; slot < smss->capacity; slot++)
		if (smss->slots[slot])
			check(smss->slots[slot]);
}

int limits_input(struct client *client, const PORT_MESSAGE *message, int *passed)
{
	struct session *s = client->subsystem->session;

	(void)message;
	(void)passed;
	if (!s->connection)
		return 0;
	s->input = clock_us();
	s->info.input = (uint64_t)time(NULL);
	record_update(s);
	if (s->warned == END_IDLE_LIMIT) { /* the timer stands at an end that is none any more */
		s->warned = END_NONE;
		check(s);
	}
	return 0;
}
