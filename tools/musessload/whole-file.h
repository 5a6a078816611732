/*
 * A file of results or a report that takes the place of an earlier one of its name only when there is
 * something in it: a full disk leaves the earlier one as it was.
 */
#ifndef MUSESS_LOAD_WHOLE_FILE_H
#define MUSESS_LOAD_WHOLE_FILE_H

struct whole_file {
	char *path; /* with links followed */
	char *
	    beside; /* where it is written; NULL: at its place, which is no regular file's, or it is there */
};

/* Opens it for writing: beside PATH, where PATH is a regular file or none; else PATH itself. Returns the
   descriptor, the caller's, or -1 with errno. */
int whole_file_open(struct whole_file *file, const char *path);
/* It takes PATH's place. 0, or -1 with errno; nothing where it has it already. */
int whole_file_place(struct whole_file *file);
/* Frees it; what did not take its place is removed. */
void whole_file_end(struct whole_file *file);

#endif
