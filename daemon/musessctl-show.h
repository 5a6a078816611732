/*
 * How musessctl shows what smss told it: tables as query session and qprocess have them,
 * and JSON, whose keys docs/musessctl.md lists. No I/O but writing to OUT. Texts of the
 * messages are valid (port_text_valid).
 */
#ifndef MUSESS_MUSESSCTL_SHOW_H
#define MUSESS_MUSESSCTL_SHOW_H

#include "messages.h"
#include "proctree.h"

#include <jansson.h>
#include <stdio.h>

/* Sorts sessions by their ids. */
void show_sort(struct msg_session *sessions, size_t count);

/* The session of that id among sorted ones, or NULL. */
const struct msg_session *show_find(
    const struct msg_session *sessions, size_t count, uint32_t session);

/* The columns of query session. OWN is the caller's session, which is marked; NO_SESSION:
   it is in none. */
void show_list(FILE *out, const struct msg_session *sessions, size_t count, uint32_t own);

/* One session with all that is known of it. */
void show_session(FILE *out, const struct msg_session *session);

/* A row for each process, as qprocess has it, with its parent. User and name are those of
   its session among SESSIONS, which are sorted. */
void show_processes(FILE *out, const struct proctree_entry *processes, size_t count,
    const struct msg_session *sessions, size_t session_count);

/* As a debugger of Windows shows them (the transcript, lines 120 to 175), the oldest first.
   PROCESSES is sorted anew. */
void show_kd(FILE *out, struct proctree_entry *processes, size_t count);

/* The same as JSON: an object, and an array of objects. New references; NULL where memory
   is short. */
json_t *show_session_json(const struct msg_session *session);
json_t *show_processes_json(const struct proctree_entry *processes, size_t count,
    const struct msg_session *sessions, size_t session_count);

#endif
