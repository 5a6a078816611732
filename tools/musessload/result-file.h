/*
 * The file of results: result.h's records as JSON lines, each written with one write(2) when it is
 * there, so that whatever ends the run leaves a file of whole lines (but for the last, where the
 * machine itself went down).
 *
 * Where a line cannot be written (the disk is full), that is said once, what reached the file of
 * it is cut off again, and the next one is tried all the same: there may be room by then. Lines
 * that were lost are counted and said at the end.
 */
#ifndef MUSESS_LOAD_RESULT_FILE_H
#define MUSESS_LOAD_RESULT_FILE_H

#include "result.h"
#include "summary.h"
#include "whole-file.h"

#include <stdio.h>
#include <sys/types.h>

struct result_file {
	int fd;                  /* -1: there is none, and nothing is written */
	const char *path;        /* the caller's, until it is closed */
	struct whole_file whole; /* in its place when its first line is written */
	off_t length;            /* of whole lines; -1: it cannot be cut (a pipe) */
	uint64_t lost;           /* lines */
};
#define RESULT_FILE_NONE { .fd = -1 }

/* Makes PATH, in place of one that is there when the first line is written. Ignores SIGXFSZ from then on: a limit of the file's size is an
   error like a full disk. Returns 0, or -1 with a message to people. */
int result_file_open(struct result_file *file, const char *path);

/* A line each; nothing without a file. What cannot be written is counted. */
void result_file_write_run(struct result_file *file, const struct run_info *info);
void result_file_write_session(struct result_file *file, const struct result *result);
void result_file_write_missed(struct result_file *file, const struct missed *missed);
void result_file_write_end(struct result_file *file, const struct run_end *end);

/* Returns 0, or -1 where lines were lost: it has been said. */
int result_file_close(struct result_file *file);

/*
 * Adds a file's records to SUMMARY. A last line without an end is a torn one (the run was cut
 * off): said, counted, and no error. Any other line that is no record is named (FILE:LINE and why;
 * of many only the first ones), counted and left out. Fields that are not known are ignored.
 * Returns 0, or -1 with a message to people: the file cannot be read, or has no record at all.
 */
int result_read(const char *path, struct summary *summary);
int result_read_stream(FILE *stream, const char *name, struct summary *summary);

#endif
