/* An empty root and no capabilities, by system calls alone: no library does the first,
   and the second is one call. */
#include "sandbox.h"

#include <linux/capability.h>
#include <sched.h>
#include <stddef.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Makes the tmpfs that is mounted at PATH the root, and lets go of the old one. */
static int enter_root(const char *path)
{
	if (chdir(path) < 0)
		return -1;
	/* both names are ".": the old root ends up on top of the new one, where "." finds
	   it, and the new one needs no directory to put it in */
	if (syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", MNT_DETACH) < 0)
		return -1;
	return chdir("/");
}

int sandbox_empty_root(void)
{
	/* even where the caller has a namespace of its own already: a mistake there, by a
	   process that is root, would otherwise cover the host's /tmp */
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return -1;
	if (mount("empty", "/tmp", "tmpfs", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC,
	        "size=4k,mode=555") < 0)
		return -1;
	return enter_root("/tmp");
}

int sandbox_drop_privileges(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = { 0 };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -1;
	/* the kernel empties the ambient set with the permitted one */
	return syscall(SYS_capset, &header, none) < 0 ? -1 : 0;
}
