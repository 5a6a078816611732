/* Where event.c puts a record that it has made: the journal and the file (event-sink.c). */
#ifndef MUSESS_EVENT_SINK_H
#define MUSESS_EVENT_SINK_H

#include "event.h"

#include <time.h>

/* An event, ready to be shown. Text is printable UTF-8 but for the newlines and tabs of the
   table. */
struct event_record {
	const struct event_definition *definition;
	uint64_t number; /* counts from 1 */
	uint32_t session;
	struct timespec time;
	char values[EVENT_FIELDS_MAX][EVENT_JSON_SIZE / 4]; /* as text, cut */
	char text[EVENT_JSON_SIZE];
	char json[EVENT_JSON_SIZE];
	size_t json_length;
};

void event_sink_journal(const struct event_record *record);
void event_sink_file(const struct event_record *record);

/* Bytes that are added to a buffer until it is full. */
struct buffer {
	char *bytes;
	size_t size, used;
	bool full; /* something did not fit */
};
void buffer_add(struct buffer *buffer, const void *bytes, size_t length);
void buffer_text(struct buffer *buffer, const char *text);
__attribute__((format(printf, 2, 3))) void buffer_format(
    struct buffer *buffer, const char *format, ...);

#endif
