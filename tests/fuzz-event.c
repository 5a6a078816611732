/* Fuzzer of events: any values of any event give one JSON document that jansson reads back, of
   the fields and numbers that were given, and a journal datagram. */
#include "event.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned seen;
static const struct event_definition *expected;
static const union event_value *given;

static void check(bool holds)
{
	if (!holds)
		abort();
}

static void check_value(json_t *value, size_t i)
{
	switch (expected->fields[i].type) {
	case EVENT_TEXT:
		check(json_is_string(value));
		check(json_string_length(value) <= strlen(given[i].text));
		check(strlen(given[i].text) > 32 ||
		      json_string_length(value) == strlen(given[i].text));
		break;
	case EVENT_NUMBER:
		check(json_integer_value(value) == given[i].number);
		break;
	case EVENT_HEX:
		check(strtoull(json_string_value(value), NULL, 16) == given[i].number);
		break;
	case EVENT_LOGON_ID:
		check(strtoull(json_string_value(value), NULL, 16) == given[i].logon_id);
		break;
	}
}

static void subscriber(const char *json, size_t length)
{
	json_t *document = json_loadb(json, length, JSON_REJECT_DUPLICATES, NULL);
	json_t *fields = json_object_get(document, "data");

	check(document && length < EVENT_JSON_SIZE && strlen(json) == length);
	check(!memchr(json, '\n', length));
	check(json_object_size(fields) == expected->count);
	for (size_t i = 0; i < expected->count; i++)
		check_value(json_object_get(fields, expected->fields[i].name), i);
	json_decref(document);
	seen++;
}

/* The next SIZE bytes of the input, or zeros behind its end. */
static void take(const uint8_t **data, size_t *left, void *bytes, size_t size)
{
	size_t there = *left < size ? *left : size;

	memset(bytes, 0, size);
	memcpy(bytes, *data, there);
	*data += there;
	*left -= there;
}

/* Each text is terminated by a zero of the input. */
static void take_values(const uint8_t *data, size_t left, char *text, union event_value *values)
{
	memcpy(text, data, left);
	text[left] = 0;
	for (size_t i = 0; i < expected->count; i++) {
		size_t used = strlen(text);
		switch (expected->fields[i].type) {
		case EVENT_TEXT:
			values[i].text = text;
			text += used + (used < left);
			left -= used + (used < left);
			break;
		case EVENT_NUMBER:
		case EVENT_HEX:
			values[i].number = (uint32_t)(left * 2654435761u);
			break;
		case EVENT_LOGON_ID:
			values[i].logon_id = left * 0x9e3779b97f4a7c15u;
			break;
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	union event_value values[EVENT_FIELDS_MAX];
	char *text = malloc(size + 1), datagram[16384];
	uint32_t session;
	uint8_t name;
	int pair[2];

	check(text && socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) == 0);
	take(&data, &size, &name, sizeof(name));
	take(&data, &size, &session, sizeof(session));
	expected = event_definition(name % EVENT_COUNT);
	given = values;
	take_values(data, size, text, values);
	event_journal_set(pair[0]);
	event_journal_choose(JOURNAL_EVENTS_ALL);
	event_subscribe(subscriber);
	seen = 0;
	event_write_values(name % EVENT_COUNT, session, values);
	check(seen == 1 && event_lost() == 0);
	ssize_t got = recv(pair[1], datagram, sizeof(datagram), 0);
	check(got > 0 && datagram[got - 1] == '\n');
	event_close();
	close(pair[1]);
	free(text);
	return 0;
}
