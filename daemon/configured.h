/*
 * The files that the configuration names, as musessd sees them: before smss moves into its root, and
 * again when they are to be read once more. Of each the directory stays reachable, as programs that
 * renew a file put a new one, or another link, in its place.
 *
 * REPORT gets lines: where -1 is returned they say why, where 0 is, what is not as it should be.
 */
#ifndef MUSESS_CONFIGURED_H
#define MUSESS_CONFIGURED_H

#include "messages.h"
#include "options.h"

/* The largest file, in bytes. */
enum { CONFIGURED_MAX = 1 << 20 };

/* How the memory file with certificate and key begins: the sizes of the two, which follow. */
struct configured_pair {
	uint64_t certificate, key;
};

/* The configuration file is the one at PATH. Returns a copy of it, which stays: the words of the
   command line make room for the name that ps shows. */
const char *configured_keep(const char *path);
/* Opens it again. NULL: it cannot be. */
FILE *configured_open(FILE *report);

/* Reads the certificate and the key that CONFIG names into a memory file, *PAIR, which is the
   caller's; -1 where it names none. 0 or -1. */
int configured_pair(const struct musess_config *config, int *pair, FILE *report);
/* The same files once more; *PAIR is -1 where they are as the memory file OLD has them, or OLD is
   -1. 0 or -1. */
int configured_pair_again(int old, int *pair, FILE *report);

/* Names them all in FILES, NAMED_FILES of them (struct msg_reloaded). */
void configured_name(struct named_file *files);

#endif
