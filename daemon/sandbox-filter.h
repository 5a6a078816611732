/* The system call filter of termsrv, of its workers and of metricsd. */
#ifndef MUSESS_SANDBOX_FILTER_H
#define MUSESS_SANDBOX_FILTER_H

#include "bpf.h"

#include <stddef.h>

/* Builds the system call filter of a process that neither opens nor makes anything: what
   FreeRDP, libevent and the C library need, and COUNT calls MORE. bpf_load loads it. Returns
   0 or -1. */
int sandbox_build_filter(const int *more, size_t count, struct sock_fprog *program);

/* Locks this process in, for good: an empty root, no privilege, and that filter. Returns 0 or -1. */
int sandbox_lock_in(const int *more, size_t count);

#endif
