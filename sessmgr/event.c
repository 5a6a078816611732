/*
 * The table of events, and a record made from a row and its values: each value as text, Windows'
 * text with them put in, and the JSON document. The values are made printable and cut once,
 * so that the journal, the file and the subscriber show the same.
 *
 * The document is written by a few lines of our own. jansson takes 14 us for one (two thirds of
 * what an event may cost altogether) and twenty allocations that can fail, and smss, which is
 * privileged, would have one library more.
 */
#include "event.h"

#include "event-sink.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* clang-format off */
#define ROW_T(field) { #field, EVENT_TEXT },
#define ROW_N(field) { #field, EVENT_NUMBER },
#define ROW_H(field) { #field, EVENT_HEX },
#define ROW_L(field) { #field, EVENT_LOGON_ID },
#define ROW(event, channel, id, level, kind, fields, text)                                         \
	[event] = { channel, id, level, kind, text,                                                \
		sizeof(struct fields_of_##event) / sizeof(union event_value),                      \
		{ fields(ROW_T, ROW_N, ROW_H, ROW_L) } },
/* clang-format on */
static const struct event_definition definitions[] = { EVENT_TABLE(ROW) };

#define CHECK(event, channel, id, level, kind, fields, text)                                       \
	_Static_assert(                                                                            \
	    sizeof(struct fields_of_##event) % sizeof(union event_value) == 0 &&                   \
	        sizeof(struct fields_of_##event) <= EVENT_FIELDS_MAX * sizeof(union event_value),  \
	    #event);
EVENT_TABLE(CHECK)

static uint64_t last_number;
static void (*subscriber)(const char *json, size_t length);

const struct event_definition *event_definition(enum event_name name)
{
	return &definitions[name];
}

void event_subscribe(void (*function)(const char *json, size_t length))
{
	subscriber = function;
}

void buffer_add(struct buffer *buffer, const void *bytes, size_t length)
{
	if (length > buffer->size - buffer->used) {
		buffer->full = true;
		return;
	}
	memcpy(buffer->bytes + buffer->used, bytes, length);
	buffer->used += length;
}

void buffer_text(struct buffer *buffer, const char *text)
{
	buffer_add(buffer, text, strlen(text));
}

void buffer_format(struct buffer *buffer, const char *format, ...)
{
	char text[128];
	va_list arguments;

	va_start(arguments, format);
	int length = vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	if (length < 0 || (size_t)length >= sizeof(text))
		buffer->full = true;
	else
		buffer_add(buffer, text, (size_t)length);
}

/* Copies TEXT, made printable, as far as LIMIT bytes hold whole characters of it. */
static void copy_printable(char *out, size_t limit, const char *text)
{
	const unsigned char *p = (const unsigned char *)text;
	size_t used = 0;

	while (*p) {
		size_t length = utf8_length(p, strnlen((const char *)p, 4));
		bool printable = length > 0 && *p >= 0x20 && *p != 0x7f;
		if (!printable)
			length = 1;
		if (used + length > limit)
			break;
		memcpy(out + used, printable ? (const char *)p : "?", length);
		used += length;
		p += length;
	}
	out[used] = 0;
}

static void fill_values(struct event_record *r, const union event_value *values, size_t limit)
{
	for (size_t i = 0; i < r->definition->count; i++) {
		char *out = r->values[i];
		switch (r->definition->fields[i].type) {
		case EVENT_TEXT:
			copy_printable(out, limit, values[i].text ? values[i].text : "");
			break;
		case EVENT_NUMBER:
			snprintf(out, sizeof(r->values[i]), "%" PRIu32, values[i].number);
			break;
		case EVENT_HEX:
			snprintf(out, sizeof(r->values[i]), "0x%" PRIx32, values[i].number);
			break;
		case EVENT_LOGON_ID:
			snprintf(out, sizeof(r->values[i]), "0x%" PRIx64, values[i].logon_id);
			break;
		}
	}
}

/* Returns whether it fits. */
static bool fill_text(struct event_record *r)
{
	struct buffer out = { .bytes = r->text, .size = sizeof(r->text) - 1 };

	for (const char *p = r->definition->text; *p; p++)
		if (*p == '%')
			buffer_text(&out, r->values[*++p - '1']);
		else
			buffer_add(&out, p, 1);
	r->text[out.used] = 0;
	return !out.full;
}

/* What has to be escaped of a printable text: its quotes, and the table's newlines and tabs. */
static void json_text(struct buffer *out, const char *text)
{
	static const char special[] = "\"\\\n\t", *const escaped[] = { "\\\"", "\\\\", "\\n",
		"\\t" };

	buffer_text(out, "\"");
	for (size_t length; *text; text += length) {
		const char *found = strchr(special, *text);
		length = found ? 1 : strcspn(text, special);
		if (found)
			buffer_text(out, escaped[found - special]);
		else
			buffer_add(out, text, length);
	}
	buffer_text(out, "\"");
}

static void json_head(struct buffer *out, const struct event_record *r)
{
	struct tm t;

	gmtime_r(&r->time.tv_sec, &t);
	buffer_format(out, "{\"time\":\"%04d-%02d-%02dT%02d:%02d:%02d.%06ldZ\",", t.tm_year + 1900,
	    t.tm_mon + 1, t.tm_mday, t.tm_hour, t.tm_min, t.tm_sec, r->time.tv_nsec / 1000);
	buffer_format(out, "\"record\":%" PRIu64 ",\"channel\":\"", r->number);
	buffer_text(out, r->definition->channel);
	buffer_format(out,
	    "\",\"id\":%" PRIu32 ",\"level\":%" PRIu32 ",\"session\":", r->definition->id,
	    r->definition->level);
	if (r->session == NO_SESSION)
		buffer_text(out, "null");
	else
		buffer_format(out, "%" PRIu32, r->session);
}

/* Returns whether it fits. */
static bool fill_json(struct event_record *r)
{
	struct buffer out = { .bytes = r->json, .size = sizeof(r->json) - 1 };

	json_head(&out, r);
	buffer_text(&out, ",\"text\":");
	json_text(&out, r->text);
	buffer_text(&out, ",\"data\":{");
	for (size_t i = 0; i < r->definition->count; i++) {
		buffer_format(&out, "%s\"%s\":", i > 0 ? "," : "", r->definition->fields[i].name);
		if (r->definition->fields[i].type == EVENT_NUMBER)
			buffer_text(&out, r->values[i]);
		else
			json_text(&out, r->values[i]);
	}
	buffer_text(&out, "}}");
	r->json[out.used] = 0;
	r->json_length = out.used;
	return !out.full;
}

/* Where it is too long, the longest values are cut first, and only as far as it takes. Without
   any text each row of the table fits (tests/test-event.c). */
static void fill(struct event_record *r, const union event_value *values)
{
	bool fits = false;

	for (size_t limit = sizeof(r->values[0]) - 1; !fits; limit = limit * 3 / 4) {
		fill_values(r, values, limit);
		fits = (fill_text(r) && fill_json(r)) || limit == 0;
	}
}

void event_write_values(enum event_name name, uint32_t session, const union event_value *values)
{
	struct event_record r;

	r.definition = &definitions[name];
	r.number = ++last_number;
	r.session = session;
	clock_gettime(CLOCK_REALTIME, &r.time);
	fill(&r, values);
	event_sink_journal(&r);
	event_sink_file(&r);
	if (subscriber)
		subscriber(r.json, r.json_length);
}
