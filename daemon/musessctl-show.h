/*
 * How musessctl shows sessions: tables as query session and query user have them, and JSON,
 * whose keys docs/musessctl.md lists. No I/O but writing to OUT. Texts of the messages are
 * valid (port_text_valid). NOW is in seconds since 1970.
 */
#ifndef MUSESS_MUSESSCTL_SHOW_H
#define MUSESS_MUSESSCTL_SHOW_H

#include "messages.h"

#include <jansson.h>
#include <stdio.h>

/* Sorts sessions by their ids. */
void show_sort(struct msg_session *sessions, size_t count);

/* The session of that id among sorted ones, or NULL. */
const struct msg_session *show_find(
    const struct msg_session *sessions, size_t count, uint32_t session);

/* The session's name as the tables have it. Returns NAME. */
const char *show_name(const struct msg_session *session, char name[WINSTATION_SIZE]);

/* How long keyboard and mouse were not used, in seconds; and as query user says it: "none"
   where they never were, "." under a minute, minutes, h:mm, d+hh:mm. */
enum { SHOW_IDLE_SIZE = 40 };
uint64_t show_idle_seconds(const struct msg_session *session, uint64_t now);
void show_idle(const struct msg_session *session, uint64_t now, char text[SHOW_IDLE_SIZE]);

/* Local time in strftime's FORMAT; "" where SECONDS is 0. */
void show_time(uint64_t seconds, const char *format, char *text, size_t size);

/* The columns of query session, and of query user. The caller's own is marked. */
void show_list(FILE *out, const struct msg_session *sessions, size_t count);
void show_users(FILE *out, const struct msg_session *sessions, size_t count, uint64_t now);

/* One session with all that is known of it. */
void show_session(FILE *out, const struct msg_session *session);

/* The same as a JSON object. A new reference; NULL where memory is short. */
json_t *show_session_json(const struct msg_session *session, uint64_t now);

#endif
