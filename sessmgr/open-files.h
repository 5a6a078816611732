/*
 * How many descriptors a session's processes may have. The kernel counts those that are under way in
 * sockets for a user as a whole, and whoever may have fewer than there are may send none. In user mode
 * all sessions have one user. So musess's own processes may have more than users' programs: what those
 * can keep under way stops nobody but programs like them.
 */
#ifndef MUSESS_OPEN_FILES_H
#define MUSESS_OPEN_FILES_H

/* The soft limit is that of programs, as smss set it; the hard one is the caller's own from here on. */
void open_files_raise(void);

/* In a child, before it executes a user's program: that has what open_files_raise found. */
void open_files_limit(void);

#endif
