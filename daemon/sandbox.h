/*
 * Two steps by which a process that handles what strangers send locks itself in:
 * lsass and rdpwd take both, in this order, and then load a seccomp filter of their
 * own. The filter is what keeps a process from making new namespaces afterwards.
 * Nothing else of musess is needed here.
 */
#ifndef MUSESS_SANDBOX_H
#define MUSESS_SANDBOX_H

/*
 * Moves the process into a mount namespace of its own whose only mount is an empty,
 * read-only tmpfs: no file can be opened from here on but relative to descriptors that
 * are open already. Such a descriptor still reaches the parents of its directory, unless
 * it is the root of a detached mount. Needs CAP_SYS_ADMIN in the process's user
 * namespace, and /tmp as a place to mount on; the caller's own mounts stay as they are.
 * Whatever is needed from files (shared objects, locales, providers) has to be loaded
 * before. Returns 0, or -1 with errno; the process must then end.
 */
int sandbox_empty_root(void);

/*
 * Gives up every capability for good: permitted, effective, inheritable and ambient sets
 * are empty, and no_new_privs keeps exec from bringing any back. Returns 0, or -1 with
 * errno; the process must then end.
 */
int sandbox_drop_privileges(void);

#endif
