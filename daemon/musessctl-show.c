/* Sessions as tables, at length, and as JSON. */
#include "musessctl-show.h"
#include "musessctl-line.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- sessions ---- */

static int by_id(const void *one, const void *other)
{
	const struct msg_session *a = one, *b = other;

	return (a->session > b->session) - (a->session < b->session);
}

void show_sort(struct msg_session *sessions, size_t count)
{
	qsort(sessions, count, sizeof(*sessions), by_id);
}

const struct msg_session *show_find(
    const struct msg_session *sessions, size_t count, uint32_t session)
{
	struct msg_session key = { .session = session };

	return count ? bsearch(&key, sessions, count, sizeof(key), by_id) : NULL;
}

/* The driver that query session shows: of the console, and of RDP. */
static const char *session_type(const struct msg_session *s)
{
	if (!s->winstation[0])
		return "";
	return s->session == 0 ? "wdcon" : "rdpwd";
}

const char *show_name(const struct msg_session *s, char name[WINSTATION_SIZE])
{
	size_t i = 0;

	for (; s->winstation[i]; i++) {
		char c = s->winstation[i];
		name[i] = (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
	}
	name[i] = 0;
	return name;
}

enum { LIST_NAME = 1, LIST_USER = 19, LIST_ID_END = 45, LIST_STATE = 48, LIST_TYPE = 56 };

static void show_row(FILE *out, const struct msg_session *s)
{
	struct line l = { .out = out };
	char name[WINSTATION_SIZE];
	/* what the id leaves, a blank between them */
	int user_width = LIST_ID_END - line_digits(s->session) - LIST_USER;

	line_put(&l, 0, 1, s->own ? ">" : "");
	line_put(&l, LIST_NAME, LIST_USER - LIST_NAME - 1, show_name(s, name));
	line_put(&l, LIST_USER, user_width, s->user);
	line_put_number(&l, LIST_ID_END, s->session);
	line_put(&l, LIST_STATE, LIST_TYPE - LIST_STATE - 1, session_state_text(s->state));
	line_put(&l, LIST_TYPE, 12, session_type(s));
	fputc('\n', out);
}

void show_list(FILE *out, const struct msg_session *sessions, size_t count)
{
	fputs(" SESSIONNAME       USERNAME                 ID  STATE   TYPE        DEVICE\n", out);
	for (size_t i = 0; i < count; i++)
		show_row(out, &sessions[i]);
}

/* ---- users ---- */

uint64_t show_idle_seconds(const struct msg_session *s, uint64_t now)
{
	return now > s->input ? now - s->input : 0;
}

void show_idle(const struct msg_session *s, uint64_t now, char text[SHOW_IDLE_SIZE])
{
	uint64_t minutes = show_idle_seconds(s, now) / 60, days = minutes / (24 * 60);
	unsigned hour = (unsigned)(minutes / 60 % 24), minute = (unsigned)(minutes % 60);

	if (!s->input)
		snprintf(text, SHOW_IDLE_SIZE, "none");
	else if (minutes == 0)
		snprintf(text, SHOW_IDLE_SIZE, ".");
	else if (minutes < 60)
		snprintf(text, SHOW_IDLE_SIZE, "%u", minute);
	else if (days == 0)
		snprintf(text, SHOW_IDLE_SIZE, "%u:%02u", hour, minute);
	else
		snprintf(
		    text, SHOW_IDLE_SIZE, "%llu+%02u:%02u", (unsigned long long)days, hour, minute);
}

void show_time(uint64_t seconds, const char *format, char *text, size_t size)
{
	time_t at = (time_t)seconds;
	struct tm local;

	text[0] = 0;
	if (seconds && localtime_r(&at, &local))
		strftime(text, size, format, &local);
}

enum {
	USERS_NAME = 1,
	USERS_SESSION = 23,
	USERS_ID_END = 43,
	USERS_STATE = 46,
	USERS_IDLE_END = 62,
	USERS_LOGON = 65
};

static void show_user(FILE *out, const struct msg_session *s, uint64_t now)
{
	struct line l = { .out = out };
	char name[WINSTATION_SIZE], idle[SHOW_IDLE_SIZE], logon[32];

	show_idle(s, now, idle);
	show_time(s->logon, "%Y-%m-%d %H:%M", logon, sizeof(logon));
	line_put(&l, 0, 1, s->own ? ">" : "");
	line_put(&l, USERS_NAME, USERS_SESSION - USERS_NAME - 1, s->user);
	line_put(&l, USERS_SESSION, USERS_ID_END - line_digits(s->session) - USERS_SESSION,
	    show_name(s, name));
	line_put_number(&l, USERS_ID_END, s->session);
	line_put(&l, USERS_STATE, 7, session_state_text(s->state));
	line_put_right(&l, USERS_IDLE_END, idle);
	line_put(&l, USERS_LOGON, (int)sizeof(logon), logon);
	fputc('\n', out);
}

void show_users(FILE *out, const struct msg_session *sessions, size_t count, uint64_t now)
{
	fputs(" USERNAME              SESSIONNAME        ID  STATE   IDLE TIME  LOGON TIME\n", out);
	for (size_t i = 0; i < count; i++)
		show_user(out, &sessions[i], now);
}

/* ---- phases ---- */

static const char *const phase_names[PHASE_COUNT] = {
	[PHASE_ACCEPT] = "accept",
	[PHASE_REQUEST] = "request",
	[PHASE_NEGOTIATED] = "negotiated",
	[PHASE_LOGON] = "logon",
	[PHASE_START_CSR] = "start-csr",
	[PHASE_CSRSS] = "csrss",
	[PHASE_WINLOGON] = "winlogon",
	[PHASE_ANSWERED] = "answered",
	[PHASE_SHELL] = "shell",
	[PHASE_ACTIVE] = "active",
	[PHASE_PAINTED] = "painted",
};

/* The first and the last moment reached, in microseconds; both 0 where none was. */
static void phase_range(const struct msg_session *s, uint64_t *first, uint64_t *last)
{
	*first = *last = 0;
	for (int i = 0; i < PHASE_COUNT; i++) {
		uint64_t at = s->phase[i];
		if (at && (!*first || at < *first))
			*first = at;
		if (at > *last)
			*last = at;
	}
}

static double milliseconds(uint64_t from, uint64_t to)
{
	return (double)(to - from) / 1000;
}

static void show_phases(FILE *out, const struct msg_session *s)
{
	uint64_t first, last;

	phase_range(s, &first, &last);
	if (!last)
		return;
	fputs("phases       ms\n", out);
	for (int i = 0; i < PHASE_COUNT; i++) {
		if (s->phase[i])
			fprintf(out, "  %-10s %9.3f\n", phase_names[i],
			    milliseconds(first, s->phase[i]));
		else
			fprintf(out, "  %-10s %9s\n", phase_names[i], "-");
	}
	fprintf(out, "  %-10s %9.3f\n", "total", milliseconds(first, last));
}

/* ---- one session ---- */

static void show_text(FILE *out, const char *label, const char *text)
{
	fprintf(out, "%-12s %s\n", label, *text ? text : "-");
}

static void show_pid(FILE *out, const char *label, uint32_t pid)
{
	char text[16] = "";

	if (pid)
		snprintf(text, sizeof(text), "%u", pid);
	show_text(out, label, text);
}

static void show_moment(FILE *out, const char *label, uint64_t seconds)
{
	char text[64];

	show_time(seconds, "%Y-%m-%d %H:%M:%S", text, sizeof(text));
	show_text(out, label, text);
}

void show_session(FILE *out, const struct msg_session *s)
{
	char desktop[32] = "";

	if (s->width)
		snprintf(desktop, sizeof(desktop), "%ux%u", s->width, s->height);
	fprintf(out, "%-12s %u\n", "id", s->session);
	show_text(out, "name", s->winstation);
	show_text(out, "user", s->user);
	show_text(out, "domain", s->domain);
	show_text(out, "state", session_state_text(s->state));
	show_text(out, "client", s->station);
	show_text(out, "address", s->address);
	show_text(out, "desktop", desktop);
	show_pid(out, "csrss", s->csrss);
	show_pid(out, "winlogon", s->winlogon);
	show_moment(out, "started", s->started);
	show_moment(out, "logon", s->logon);
	show_moment(out, "disconnected", s->disconnected);
	show_moment(out, "input", s->input);
	show_phases(out, s);
}

/* ---- JSON ---- */

static json_t *number_or_null(uint64_t number)
{
	return number ? json_integer((json_int_t)number) : json_null();
}

/* Sets *TOTAL too. */
static json_t *phases_json(const struct msg_session *s, json_t **total)
{
	json_t *phases = json_object();
	uint64_t first, last;

	phase_range(s, &first, &last);
	for (int i = 0; i < PHASE_COUNT; i++) {
		char key[32];
		snprintf(key, sizeof(key), "%s", phase_names[i]);
		for (char *dash = key; (dash = strchr(dash, '-'));)
			*dash = '_';
		json_object_set_new(phases, key,
		    s->phase[i] ? json_real(milliseconds(first, s->phase[i])) : json_null());
	}
	*total = last ? json_real(milliseconds(first, last)) : json_null();
	return phases;
}

json_t *show_session_json(const struct msg_session *s, uint64_t now)
{
	json_t *total, *phases = phases_json(s, &total);
	json_t *idle = s->input ? json_integer((json_int_t)show_idle_seconds(s, now)) : json_null();

	return json_pack(
	    "{s:I, s:b, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, "
	    "s:o, s:o, s:o}",
	    "id", (json_int_t)s->session, "own", s->own != 0, "name", s->winstation, "user",
	    s->user, "domain", s->domain, "state", session_state_text(s->state), "type",
	    session_type(s), "client_name", s->station, "client_address", s->address, "width",
	    number_or_null(s->width), "height", number_or_null(s->height), "csrss_pid",
	    number_or_null(s->csrss), "winlogon_pid", number_or_null(s->winlogon), "started",
	    number_or_null(s->started), "logon", number_or_null(s->logon), "disconnected",
	    number_or_null(s->disconnected), "input", number_or_null(s->input), "idle_s", idle,
	    "phases_ms", phases, "total_ms", total);
}
