/*
 * The stream of events, by Windows' channels, ids and field names (event-table.h): written once,
 * shown three ways: in the journal, in a file of JSON lines, and to one subscriber.
 *
 *   event_write(EVENT_LSM_LOGON, session->id, user, session->id, address);
 *
 * smss alone writes events. Nothing here waits: what the journal or the file does not take at
 * once is lost there, is counted, and the log says so once a minute at most. No sink has to be
 * open.
 *
 * Text may be any bytes. Control characters, and bytes that are no UTF-8, become '?'; what is
 * longer than the document has room for (EVENT_JSON_SIZE) is cut at a character's end, the same
 * in all three.
 */
#ifndef MUSESS_EVENT_H
#define MUSESS_EVENT_H

#include "event-table.h"
#include "messages.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The event of each row of the table. */
#define EVENT_ENUM(name, channel, id, level, kind, fields, text) name,
enum event_name { EVENT_TABLE(EVENT_ENUM) EVENT_COUNT };
#undef EVENT_ENUM

/* One field's value: which member is the field's type. A text of NULL is empty. */
union event_value {
	const char *text;
	uint32_t number; /* EVENT_HEX too: a status's bits */
	uint64_t logon_id;
};

/* The fields of each row as a structure: struct fields_of_EVENT_LSM_LOGON { User; SessionID;
   Address; }, each member where the same place in an array of union event_value has it. */
/* clang-format off */
#define EVENT_MEMBER_T(name) _Alignas(union event_value) const char *name;
#define EVENT_MEMBER_N(name) _Alignas(union event_value) uint32_t name;
#define EVENT_MEMBER_H(name) _Alignas(union event_value) uint32_t name;
#define EVENT_MEMBER_L(name) _Alignas(union event_value) uint64_t name;
#define EVENT_FIELDS(name, channel, id, level, kind, fields, text)                                 \
	struct fields_of_##name {                                                                  \
		fields(EVENT_MEMBER_T, EVENT_MEMBER_N, EVENT_MEMBER_H, EVENT_MEMBER_L)             \
	};
EVENT_TABLE(EVENT_FIELDS)
/* clang-format on */
#undef EVENT_FIELDS

/*
 * Writes the event NAME, a constant of enum event_name, of SESSION (its MuSessionId, NO_SESSION:
 * of none), with the values of all its fields in the table's order. One too few, one too many or
 * of the wrong type does not compile; .Name = value names them.
 */
#define event_write(name, session, ...)                                                            \
	do {                                                                                       \
		_Static_assert(sizeof(#__VA_ARGS__) > 1 || sizeof(struct fields_of_##name) == 0,   \
		    #name " has fields");                                                          \
		const struct fields_of_##name event_fields = { __VA_ARGS__ };                      \
		event_write_values(name, session, (const union event_value *)&event_fields);       \
	} while (0)

/* The same with an array, of as many values as the event has fields. */
void event_write_values(enum event_name name, uint32_t session, const union event_value *values);

/* What the table says of an event, for who shows or checks it. */
enum { EVENT_FIELDS_MAX = 9 };
enum event_type { EVENT_TEXT, EVENT_NUMBER, EVENT_HEX, EVENT_LOGON_ID };
enum event_kind { EVENT_STEP, EVENT_OUTCOME };
struct event_definition {
	const char *channel;
	uint32_t id, level;
	enum event_kind kind;
	const char *text; /* with %1 to %9 for the fields */
	size_t count;     /* of fields */
	struct {
		const char *name;
		enum event_type type;
	} fields[EVENT_FIELDS_MAX];
};
const struct event_definition *event_definition(enum event_name name);

/*
 * Opens the file of JSON lines at PATH ("": none), of MOST bytes (0: as many as come), append-only, and makes it (mode 0640) where it
 * is not there; its directory's descriptor is kept, so that event_reopen works after this process
 * has moved to another root. Returns 0, or -1 after logging what to do.
 */
int event_open(const char *path, uint64_t most);

/* Opens the file at its path once more: after it was renamed (logrotate). Where that fails the old
   one stays in use. Returns 0, or -1 after logging. Without a file nothing happens. */
int event_reopen(void);

/* Connects to the journal, where the service manager has given this process one (JOURNAL_STREAM).
   Before the private root is entered. That there is none is no mistake. */
void event_journal_open(void);

/* Which events the journal gets from now on (JournalEvents): at first the outcomes. */
enum journal_events { JOURNAL_EVENTS_OUTCOMES, JOURNAL_EVENTS_ALL, JOURNAL_EVENTS_NONE };
void event_journal_choose(enum journal_events which);

/* Uses SOCKET, a connected non-blocking datagram socket, as the journal; it is owned from now on.
   -1: none. */
void event_journal_set(int socket);

/* Closes file and journal, and forgets the subscriber. */
void event_close(void);

/* SUBSCRIBER is given every event from now on, as its JSON document: LENGTH bytes without a
   newline, fewer than EVENT_JSON_SIZE, and a terminator. NULL: nobody is. */
void event_subscribe(void (*subscriber)(const char *json, size_t length));

/* How many lines the file and the journal did not take, since the start. */
uint64_t event_lost(void);

#endif
