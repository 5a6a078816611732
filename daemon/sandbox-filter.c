/* termsrv's and its workers' allow-list of system calls. */
#include "sandbox-filter.h"

#include "sandbox.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

/* What FreeRDP, OpenSSL, libevent and the C library need. No socket, no file, no process is
   made; what asks for a file is told that there is none. */
static const int allowed[] = { SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(readv), SCMP_SYS(writev),
	SCMP_SYS(recvmsg), SCMP_SYS(sendmsg), SCMP_SYS(recvfrom), SCMP_SYS(sendto), SCMP_SYS(poll),
	SCMP_SYS(ppoll), SCMP_SYS(select), SCMP_SYS(pselect6), SCMP_SYS(close), SCMP_SYS(fcntl),
	SCMP_SYS(ioctl), SCMP_SYS(getsockopt), SCMP_SYS(getsockname), SCMP_SYS(getpeername),
	SCMP_SYS(shutdown), SCMP_SYS(futex), SCMP_SYS(mmap), SCMP_SYS(munmap), SCMP_SYS(mprotect),
	SCMP_SYS(mremap), SCMP_SYS(brk), SCMP_SYS(madvise), SCMP_SYS(clock_gettime),
	SCMP_SYS(clock_getres), SCMP_SYS(gettimeofday), SCMP_SYS(time), SCMP_SYS(nanosleep),
	SCMP_SYS(clock_nanosleep), SCMP_SYS(sched_yield), SCMP_SYS(getpid), SCMP_SYS(gettid),
	SCMP_SYS(getppid), SCMP_SYS(getuid), SCMP_SYS(geteuid), SCMP_SYS(getgid), SCMP_SYS(getegid),
	SCMP_SYS(getrandom), SCMP_SYS(eventfd2), SCMP_SYS(timerfd_create),
	SCMP_SYS(timerfd_settime), SCMP_SYS(timerfd_gettime), SCMP_SYS(epoll_create1),
	SCMP_SYS(epoll_ctl), SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait), SCMP_SYS(exit),
	SCMP_SYS(exit_group), SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(rt_sigreturn), SCMP_SYS(sigaltstack), SCMP_SYS(restart_syscall), SCMP_SYS(dup),
	SCMP_SYS(dup2), SCMP_SYS(dup3), SCMP_SYS(lseek), SCMP_SYS(fstat), SCMP_SYS(uname),
	SCMP_SYS(sysinfo), SCMP_SYS(setitimer), SCMP_SYS(sched_getaffinity),
	SCMP_SYS(set_robust_list), SCMP_SYS(rseq), SCMP_SYS(tgkill), SCMP_SYS(getrusage) };
static const int no_file[] = { SCMP_SYS(open), SCMP_SYS(openat), SCMP_SYS(access),
	SCMP_SYS(faccessat), SCMP_SYS(faccessat2), SCMP_SYS(stat), SCMP_SYS(lstat),
	SCMP_SYS(newfstatat), SCMP_SYS(statx), SCMP_SYS(readlink), SCMP_SYS(readlinkat) };

/* A socket that waits when it is closed, SO_LINGER's, would hold up whoever a worker passes it
   to, and who closes it last: termsrv, or a csrss. */
static const struct {
	int level, option;
} socket_options[] = { { SOL_SOCKET, SO_KEEPALIVE }, { SOL_SOCKET, SO_RCVLOWAT },
	{ SOL_SOCKET, SO_RCVBUF }, { SOL_SOCKET, SO_SNDBUF }, { SOL_SOCKET, SO_RCVTIMEO },
	{ SOL_SOCKET, SO_SNDTIMEO }, { IPPROTO_TCP, TCP_NODELAY }, { IPPROTO_TCP, TCP_KEEPIDLE },
	{ IPPROTO_TCP, TCP_KEEPINTVL }, { IPPROTO_TCP, TCP_KEEPCNT },
	{ IPPROTO_TCP, TCP_USER_TIMEOUT } };

static int allow_socket_options(scmp_filter_ctx ctx)
{
	for (size_t i = 0; i < sizeof(socket_options) / sizeof(*socket_options); i++)
		if (seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(setsockopt), 2,
		        SCMP_A1(SCMP_CMP_EQ, (unsigned)socket_options[i].level, 0),
		        SCMP_A2(SCMP_CMP_EQ, (unsigned)socket_options[i].option, 0)) < 0)
			return -1;
	return 0;
}

int sandbox_build_filter(const int *more, size_t count, struct sock_fprog *program)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int result = ctx ? 0 : -1;

	for (size_t i = 0; result == 0 && i < sizeof(allowed) / sizeof(*allowed); i++)
		result = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, allowed[i], 0);
	for (size_t i = 0; result == 0 && i < count; i++)
		result = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, more[i], 0);
	for (size_t i = 0; result == 0 && i < sizeof(no_file) / sizeof(*no_file); i++)
		result = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOENT), no_file[i], 0);
	if (result == 0)
		result = allow_socket_options(ctx);
	/* looking at limits, not setting those of another */
	if (result == 0)
		result = seccomp_rule_add(
		    ctx, SCMP_ACT_ALLOW, SCMP_SYS(prlimit64), 1, SCMP_A2(SCMP_CMP_EQ, 0, 0));
	if (result == 0)
		result = bpf_compile(ctx, program);
	if (ctx)
		seccomp_release(ctx);
	return result < 0 ? -1 : 0;
}

int sandbox_lock_in(const int *more, size_t count)
{
	struct sock_fprog filter;

	if (sandbox_empty_root() < 0 || sandbox_drop_privileges() < 0)
		return -1;
	return sandbox_build_filter(more, count, &filter) < 0 ? -1 : bpf_load(&filter);
}
