/*
 * Files that outlive a process and are written as a whole: the accounts, the certificate, lab.env.
 * Whoever is ended while one is written, by a full disk or otherwise, leaves the one of before.
 */
#ifndef MUSESS_REPLACE_H
#define MUSESS_REPLACE_H

#include <stddef.h>

/*
 * NAME in DIRECTORY (a descriptor, of O_PATH perhaps) becomes a file of SIZE bytes of TEXT, which its
 * owner alone may read, whole or not at all. It is written as NAME.new, which one that an earlier
 * process left makes way for. What was replaced is on the disk when this returns. 0, or -1 with errno
 * and nothing left behind.
 */
int replace_file(int directory, const char *name, const char *text, size_t size);

#endif
