/*
 * The system call filters of the services: lists of what is allowed. A call that takes flags,
 * commands or options stands there with those that are used; what another argument would turn it
 * into (a connection, code, a signal to others) is as far away as a call that is not listed.
 */
#ifndef MUSESS_SANDBOX_FILTER_H
#define MUSESS_SANDBOX_FILTER_H

#include "bpf.h"

/* Whose. */
enum sandbox_kind { SANDBOX_RDPWD, SANDBOX_TERMSRV, SANDBOX_METRICSD, SANDBOX_LSASS };

/* The descriptor of the directory in which lsass makes, renames and removes files. */
enum { SANDBOX_DIRECTORY = 4 };

/* Builds the filter of KIND. A call that is not allowed fails with EPERM, and whoever asks for a file
   is told that there is none; lsass is killed. bpf_load loads it. Returns 0, or -1 with errno. */
int sandbox_build_filter(enum sandbox_kind kind, struct sock_fprog *program);

/* Locks this process in, for good: an empty root, no privilege, and that filter. Returns 0 or -1. */
int sandbox_lock_in(enum sandbox_kind kind);

#endif
