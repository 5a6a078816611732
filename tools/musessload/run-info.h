/*
 * The fields of struct run_info and struct run_end, as tables: one place for what is written, read,
 * copied and shown. No I/O.
 */
#ifndef MUSESS_LOAD_RUN_INFO_H
#define MUSESS_LOAD_RUN_INFO_H

#include "result.h"

#include <jansson.h>
#include <stdio.h>
#include <sys/types.h>

/* JSON objects of them, without a type. New references; NULL where memory is short. Strings that
   are NULL are left out. */
json_t *run_info_json(const struct run_info *info);
json_t *run_end_json(const struct run_end *end);

/* Fill *INFO or *END, zeroed before, from an object. Strings are copies, and none stays NULL.
   Return NULL, or the name of a field that is not what it has to be; then all is freed. */
const char *run_info_read(struct run_info *info, const json_t *object);
const char *run_end_read(struct run_end *end, const json_t *object);

/* Replace *TO, whatever it was, by a copy with clean strings. Return 0, or -1 where memory is short. */
int run_info_copy(struct run_info *to, const struct run_info *from);
int run_end_copy(struct run_end *to, const struct run_end *from);

void run_info_free(struct run_info *info);
void run_end_free(struct run_end *end);

/* In TEXT (SIZE bytes) how the run was not made as it was planned, for people: "interrupted, paused by a key (2)"; ""
   where it was. */
void run_end_changes(const struct run_end *end, char *text, size_t size);

/* The run's first line for people: the name of a field, I of run_info_fields(), and its value, which is
   in NUMBER where it is one; "" where it is not known. */
enum { RUN_INFO_NUMBER_SIZE = 24 };
size_t run_info_fields(void);
const char *run_info_name(size_t i);
const char *run_info_value(
    const struct run_info *info, size_t i, char number[RUN_INFO_NUMBER_SIZE]);

/* Microseconds in a file are at most this: sums of them do not overflow, and JSON's readers
   that know only doubles have them exactly. */
#define LOAD_TIME_MAX (UINT64_C(1) << 53)

/* Replaces what is no UTF-8, and control characters, by '?': texts of files and servers reach
   terminals and pages. */
void load_clean(char *text);

/* As getline, for files that somebody else may have made: a line of more than MOST bytes is none (-1, EFBIG). At the
   file's end errno is 0. */
ssize_t load_line(char **line, size_t *room, size_t most, FILE *file);

/* A JSON string of TEXT, clean. A new reference; NULL where memory is short. */
json_t *load_json_text(const char *text);

#endif
