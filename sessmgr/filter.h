/*
 * The system call filter of a session: what programs of a shell need, after systemd's
 * @system-service; for all else the kernel is one that does not have it (ENOSYS), for which C libraries
 * and programs have other ways. Built once, loaded by every session's first process and by winlogon,
 * inherited by all they start.
 */
#ifndef MUSESS_FILTER_H
#define MUSESS_FILTER_H

#include <stdbool.h>

/* Builds it. MEMORY_BOUNDED: sessions' memory has a limit of the kernel's, whoever holds it; without
   one there is none that belongs to no process (memfd_create, System V's). Returns 0, or -1 with errno. */
int filter_prepare(bool memory_bounded);

/* Loads it into this process, for good; needs no_new_privs. Returns 0, or -1 with errno. */
int filter_load(void);

#endif
