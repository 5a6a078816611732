/*
 * The processes of the service and of its sessions, as /proc shows them. smss names those
 * that it started, the roots: itself, lsass, termsrv, and each session's csrss and
 * winlogon. A process belongs to whom its nearest root belongs to.
 */
#ifndef MUSESS_PROCTREE_H
#define MUSESS_PROCTREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { PROCTREE_IMAGE_SIZE = 64 };

struct proctree_root {
	pid_t pid;
	uint32_t session; /* NO_SESSION: of the service */
	uint64_t
	    born; /* as in its entry's STARTED; 0: only that it is the manager's child is known */
};

struct proctree_entry {
	pid_t pid, parent;
	uint32_t session;   /* as in its root */
	bool owned;         /* it has a root */
	uint64_t started;   /* clock ticks since boot */
	uint64_t ticks;     /* processor time, with that of children awaited */
	uint64_t own, user; /* the part that is its own; that outside the kernel */
	uint64_t faults;    /* page faults, with those of children awaited */
	uint64_t threads;
	uint64_t size;                   /* bytes of addresses */
	uint64_t resident;               /* pages in memory */
	uint64_t code, arguments;        /* where they begin; 0: this caller may not know */
	int handles;                     /* open descriptors; -1: this caller may not know */
	char image[PROCTREE_IMAGE_SIZE]; /* printable UTF-8, whatever the process calls itself */
};

/*
 * Reads a line of /proc/PID/stat: pid, parent, image, when it started, and where code and
 * arguments begin. LINE is terminated. Returns 0, or -1 where it is no such line.
 */
int proctree_parse(const char *line, struct proctree_entry *entry);

/*
 * Reads /proc/PID/smaps_rollup: sets *BYTES to the memory that the process has for itself,
 * Private_Clean and Private_Dirty. TEXT is terminated. Returns 0, or -1 where it is no such
 * text.
 */
int proctree_parse_rollup(const char *text, uint64_t *bytes);

/* That of a process; what is resident where this caller may not know, or it has ended. */
uint64_t proctree_memory(const struct proctree_entry *entry);

/* All processes that there are, those left out that end meanwhile. *COUNT of them, with room for
   one more, which the caller frees; NULL with errno. */
struct proctree_entry *proctree_walk(size_t *count);

/* How many descriptors PID has open; -1 where this caller may not know, or it has ended. */
int proctree_handles(pid_t pid);

/*
 * Finds the roots of ENTRIES (COUNT of them, in any order), and moves those that have one
 * to the front, service first, then by session, each by process id. MANAGER is smss: a
 * root counts only where it is smss or smss's child, or was born when the root says, so that a
 * process that took a root's id after its end does not; and a child of smss that is no root (a
 * session that was just started) has none. Sorts ROOTS. Returns how many have a root.
 */
size_t proctree_assign(struct proctree_entry *entries, size_t count, struct proctree_root *roots,
    size_t root_count, pid_t manager);

/*
 * proctree_walk, then proctree_assign, then each one's descriptors. Returns the processes that
 * have a root, *COUNT of them, which the caller frees; NULL with errno.
 */
struct proctree_entry *proctree_read(
    struct proctree_root *roots, size_t root_count, pid_t manager, size_t *count);

#endif
