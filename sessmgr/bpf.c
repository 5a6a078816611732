/* libseccomp gives its program out through a descriptor: here, of a memory file. */
#include "bpf.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

int bpf_compile(scmp_filter_ctx ctx, struct sock_fprog *program)
{
	int fd = memfd_create("filter", MFD_CLOEXEC), result;
	struct stat status;
	void *code;

	if (fd < 0)
		return -1;
	/* a search tree: every system call of many processes passes through it */
	seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	result = seccomp_export_bpf(ctx, fd);
	if (result < 0 || fstat(fd, &status) < 0) {
		close(fd);
		errno = result < 0 ? -result : errno;
		return -1;
	}
	code = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	if (code == MAP_FAILED)
		return -1;
	program->len = (unsigned short)((size_t)status.st_size / sizeof(struct sock_filter));
	program->filter = code;
	return 0;
}

int bpf_load(const struct sock_fprog *program)
{
	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, program);
}
