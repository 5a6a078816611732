/*
 * The system call filter of a session: what its programs never need and a kernel fault
 * would be reached through answers EPERM. Built once, loaded by every session's first
 * process and by winlogon, inherited by all they start.
 */
#ifndef MUSESS_FILTER_H
#define MUSESS_FILTER_H

/* Builds it. Returns 0, or -1 with errno. */
int filter_prepare(void);

/* Loads it into this process, for good; needs no_new_privs. Returns 0, or -1 with errno. */
int filter_load(void);

#endif
