/*
 * Tables and JSON. A line of a table is written from left to right: each text is put at
 * its column, cut to its width, both counted in characters; nothing follows the last one.
 */
#include "musessctl-show.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- lines ---- */

struct line {
	FILE *out;
	int column; /* reached so far */
};

static void put(struct line *l, int column, int width, const char *text)
{
	for (; *text && l->column < column; l->column++)
		fputc(' ', l->out);
	for (; *text && width > 0; width--, l->column++)
		do
			fputc(*text++, l->out);
		while ((*text & 0xc0) == 0x80); /* the rest of a character */
}

/* Right-aligned: its last digit is at column LAST. Returns its first column. */
static int put_number(struct line *l, int last, uint32_t number)
{
	char text[16];
	int length = snprintf(text, sizeof(text), "%u", number);

	put(l, last + 1 - length, length, text);
	return last + 1 - length;
}

static int digits(uint32_t number)
{
	return snprintf(NULL, 0, "%u", number);
}

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

/* The session's name as the tables have it. Returns NAME. */
static const char *table_name(const struct msg_session *s, char name[WINSTATION_SIZE])
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

static void show_row(FILE *out, const struct msg_session *s, bool own)
{
	struct line l = { .out = out };
	char name[WINSTATION_SIZE];
	/* what the id leaves, a blank between them */
	int user_width = LIST_ID_END - digits(s->session) - LIST_USER;

	put(&l, 0, 1, own ? ">" : "");
	put(&l, LIST_NAME, LIST_USER - LIST_NAME - 1, table_name(s, name));
	put(&l, LIST_USER, user_width, s->user);
	put_number(&l, LIST_ID_END, s->session);
	put(&l, LIST_STATE, LIST_TYPE - LIST_STATE - 1, session_state_text(s->state));
	put(&l, LIST_TYPE, 12, session_type(s));
	fputc('\n', out);
}

void show_list(FILE *out, const struct msg_session *sessions, size_t count, uint32_t own)
{
	fputs(" SESSIONNAME       USERNAME                 ID  STATE   TYPE        DEVICE\n", out);
	for (size_t i = 0; i < count; i++)
		show_row(out, &sessions[i], sessions[i].session == own);
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

static void show_started(FILE *out, uint64_t started)
{
	time_t at = (time_t)started;
	struct tm local;
	char text[64] = "";

	if (started && localtime_r(&at, &local))
		strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &local);
	show_text(out, "started", text);
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
	show_started(out, s->started);
	show_phases(out, s);
}

/* ---- processes ---- */

enum {
	PS_USER = 1,
	PS_NAME = 23,
	PS_ID_END = 44,
	PS_PID_END = 51,
	PS_PARENT_END = 59,
	PS_IMAGE = 62
};

static void show_process(FILE *out, const struct proctree_entry *p, const struct msg_session *s)
{
	struct line l = { .out = out };
	char name[WINSTATION_SIZE];

	if (s) {
		put(&l, PS_USER, PS_NAME - PS_USER - 1, s->user);
		put(&l, PS_NAME, PS_ID_END - digits(s->session) - PS_NAME, table_name(s, name));
	}
	if (p->session == NO_SESSION)
		put(&l, PS_ID_END, 1, "-");
	else
		put_number(&l, PS_ID_END, p->session);
	put_number(&l, PS_PID_END, (uint32_t)p->pid);
	put_number(&l, PS_PARENT_END, (uint32_t)p->parent);
	put(&l, PS_IMAGE, PROCTREE_IMAGE_SIZE, p->image);
	fputc('\n', out);
}

void show_processes(FILE *out, const struct proctree_entry *processes, size_t count,
    const struct msg_session *sessions, size_t session_count)
{
	fputs(" USERNAME              SESSIONNAME         ID    PID  PARENT  IMAGE\n", out);
	for (size_t i = 0; i < count; i++)
		show_process(
		    out, &processes[i], show_find(sessions, session_count, processes[i].session));
}

/* ---- as a debugger shows them ---- */

static int by_start(const void *one, const void *other)
{
	const struct proctree_entry *a = one, *b = other;

	if (a->started != b->started)
		return a->started > b->started ? 1 : -1;
	return (a->pid > b->pid) - (a->pid < b->pid);
}

void show_kd(FILE *out, struct proctree_entry *processes, size_t count)
{
	qsort(processes, count, sizeof(*processes), by_start);
	fputs("**** NT ACTIVE PROCESS DUMP ****\n", out);
	for (size_t i = 0; i < count; i++) {
		const struct proctree_entry *p = &processes[i];

		fprintf(out, "PROCESS %08llx SessionId: ", (unsigned long long)p->started);
		if (p->session == NO_SESSION)
			fputs("none", out);
		else
			fprintf(out, "%u", p->session);
		fprintf(out, " Cid: %04x Peb: %08x ParentCid: %04x\n", (unsigned)p->pid,
		    (unsigned)p->arguments, (unsigned)p->parent);
		/* no program may know where the kernel has a table of descriptors */
		fprintf(
		    out, "DirBase: %08x ObjectTable: 00000000 HandleCount: ", (unsigned)p->code);
		if (p->handles < 0)
			fputs("?", out);
		else
			fprintf(out, "%d", p->handles);
		fprintf(out, ".\nImage: %s\n", p->image);
	}
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

json_t *show_session_json(const struct msg_session *s)
{
	json_t *total, *phases = phases_json(s, &total);

	return json_pack(
	    "{s:I, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "id",
	    (json_int_t)s->session, "name", s->winstation, "user", s->user, "domain", s->domain,
	    "state", session_state_text(s->state), "type", session_type(s), "client_name",
	    s->station, "client_address", s->address, "width", number_or_null(s->width), "height",
	    number_or_null(s->height), "csrss_pid", number_or_null(s->csrss), "winlogon_pid",
	    number_or_null(s->winlogon), "started", number_or_null(s->started), "phases_ms", phases,
	    "total_ms", total);
}

static json_t *process_json(const struct proctree_entry *p, const struct msg_session *s)
{
	json_t *session =
	    p->session == NO_SESSION ? json_null() : json_integer((json_int_t)p->session);

	return json_pack("{s:o, s:s, s:s, s:i, s:i, s:s}", "session", session, "user",
	    s ? s->user : "", "session_name", s ? s->winstation : "", "pid", (int)p->pid, "parent",
	    (int)p->parent, "image", p->image);
}

json_t *show_processes_json(const struct proctree_entry *processes, size_t count,
    const struct msg_session *sessions, size_t session_count)
{
	json_t *array = json_array();

	for (size_t i = 0; array && i < count; i++) {
		const struct proctree_entry *p = &processes[i];
		if (json_array_append_new(array,
		        process_json(p, show_find(sessions, session_count, p->session))) < 0) {
			json_decref(array);
			array = NULL;
		}
	}
	return array;
}
