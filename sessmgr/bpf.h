/*
 * System call filters as plain BPF: built once with libseccomp in a parent, loaded by
 * each child in one system call.
 */
#ifndef MUSESS_BPF_H
#define MUSESS_BPF_H

#include <linux/filter.h>
#include <seccomp.h>

/* Turns CTX into *PROGRAM, which stays for the life of the process. 0, or -1 with errno. */
int bpf_compile(scmp_filter_ctx ctx, struct sock_fprog *program);

/* Loads it into this process, for good; needs no_new_privs. Returns 0, or -1 with errno. */
int bpf_load(const struct sock_fprog *program);

#endif
