/*
 * A child that shares its parent's memory until it executes its program: nothing is copied, and no
 * page of the parent is written to twice. Where processes are made by the thousand that copying is
 * a good part of what a session costs.
 */
#ifndef MUSESS_SPAWN_H
#define MUSESS_SPAWN_H

#include <stdint.h>
#include <sys/types.h>

enum { SPAWN_STACK = 65536 };

/* A stack for a child; it is in use until the child has executed. */
#define SPAWN_STACK_OF(name) static _Alignas(16) char name[SPAWN_STACK]

/*
 * Runs CHILD, which does not return, with ARGUMENT. FLAGS are clone's; its process id is in *TOLD
 * (unless that is NULL) before it runs. With CLONE_VFORK the caller waits until it has executed or
 * ended. Without, both run at a time: they must not write to the same memory, of which errno is a
 * part, so that neither may make a call that fails meanwhile. Returns the process id, or -1 with
 * errno.
 */
pid_t spawn_sharing(int (*child)(void *), void *argument, char *stack, uint64_t flags, pid_t *told);

#endif
