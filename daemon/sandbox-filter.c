/*
 * The services' allow-lists of system calls: what everyone needs, what a server needs, and what
 * each service adds.
 */
#include "sandbox-filter.h"

#include "sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>

/* A call, and what COUNT of its arguments have to be. Several of one call are alternatives. */
struct rule {
	int call;
	unsigned count;
	struct scmp_arg_cmp arguments[3];
};

/* Argument N, counted from 0, is VALUE, or has no bits but those of MASK. All 64 bits count, an int's upper
   half too. */
#define ARG_IS(n, value) { n, SCMP_CMP_EQ, (uint64_t)(value), 0 }
#define ARG_WITHIN(n, mask) { n, SCMP_CMP_MASKED_EQ, ~(uint64_t)(mask), 0 }
#define COUNT(table) (sizeof(table) / sizeof(*(table)))

enum {
	/* none opens a connection, as MSG_FASTOPEN does, or keeps the kernel at one's memory */
	SEND_FLAGS = MSG_NOSIGNAL | MSG_DONTWAIT,
	RECEIVE_FLAGS = MSG_PEEK | MSG_DONTWAIT | MSG_CMSG_CLOEXEC,
	/* memory is nothing but memory, and never code */
	MAP_FLAGS = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED | MAP_STACK,
	MAP_PROTECTION = PROT_READ | PROT_WRITE,
	/* who else is in a call does not matter here */
	FUTEX_FLAGS = FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME
};

/* Without the operations that hand a mutex on, which no program here has. */
#define FUTEX(operation)                                                                           \
	{                                                                                          \
		SCMP_SYS(futex), 1,                                                                \
		{                                                                                  \
			{                                                                          \
				1, SCMP_CMP_MASKED_EQ, ~(uint64_t)FUTEX_FLAGS, operation           \
			}                                                                          \
		}                                                                                  \
	}
#define ADVICE(advice)                                                                             \
	{                                                                                          \
		SCMP_SYS(madvise), 1,                                                              \
		{                                                                                  \
			ARG_IS(2, advice)                                                          \
		}                                                                                  \
	}
#define OPTION(call, level, option)                                                                \
	{                                                                                          \
		SCMP_SYS(call), 2,                                                                 \
		{                                                                                  \
			ARG_IS(1, level), ARG_IS(2, option)                                        \
		}                                                                                  \
	}

/* clang-format off */
static const struct rule everyones[] = {
	{ SCMP_SYS(read), 0, { { 0 } } },
	{ SCMP_SYS(write), 0, { { 0 } } },
	{ SCMP_SYS(recvmsg), 1, { ARG_WITHIN(2, RECEIVE_FLAGS) } },
	{ SCMP_SYS(sendmsg), 1, { ARG_WITHIN(2, SEND_FLAGS) } },
	{ SCMP_SYS(poll), 0, { { 0 } } },
	{ SCMP_SYS(ppoll), 0, { { 0 } } },
	{ SCMP_SYS(close), 0, { { 0 } } },
	{ SCMP_SYS(fstat), 0, { { 0 } } },
	{ SCMP_SYS(mmap), 2, { ARG_WITHIN(2, MAP_PROTECTION), ARG_WITHIN(3, MAP_FLAGS) } },
	{ SCMP_SYS(mprotect), 1, { ARG_WITHIN(2, MAP_PROTECTION) } },
	{ SCMP_SYS(mremap), 1, { ARG_WITHIN(3, MREMAP_MAYMOVE) } },
	{ SCMP_SYS(munmap), 0, { { 0 } } },
	{ SCMP_SYS(brk), 0, { { 0 } } },
	ADVICE(MADV_DONTNEED),
	ADVICE(MADV_FREE),
	FUTEX(FUTEX_WAIT),
	FUTEX(FUTEX_WAKE),
	FUTEX(FUTEX_WAIT_BITSET),
	FUTEX(FUTEX_WAKE_BITSET),
	{ SCMP_SYS(getrandom), 1, { ARG_WITHIN(2, GRND_NONBLOCK) } },
	{ SCMP_SYS(getpid), 0, { { 0 } } },
	{ SCMP_SYS(clock_gettime), 0, { { 0 } } },
	{ SCMP_SYS(gettimeofday), 0, { { 0 } } },
	{ SCMP_SYS(rt_sigaction), 0, { { 0 } } },
	{ SCMP_SYS(rt_sigprocmask), 0, { { 0 } } },
	{ SCMP_SYS(rt_sigreturn), 0, { { 0 } } },
	{ SCMP_SYS(restart_syscall), 0, { { 0 } } },
	{ SCMP_SYS(exit), 0, { { 0 } } },
	{ SCMP_SYS(exit_group), 0, { { 0 } } },
};

/* What FreeRDP, OpenSSL, libevent and the C library need beside that. No socket, no file, no process is
   made. A socket that waits when it is closed, SO_LINGER's, would hold up whoever a worker passes it
   to, and who closes it last: termsrv, or a csrss. A listener whose reading side is shut down is one that
   can be connected. */
static const struct rule servers[] = {
	{ SCMP_SYS(readv), 0, { { 0 } } },
	{ SCMP_SYS(writev), 0, { { 0 } } },
	{ SCMP_SYS(recvfrom), 2, { ARG_WITHIN(3, RECEIVE_FLAGS), ARG_IS(4, 0) } },
	{ SCMP_SYS(sendto), 2, { ARG_WITHIN(3, SEND_FLAGS), ARG_IS(4, 0) } },
	{ SCMP_SYS(select), 0, { { 0 } } },
	{ SCMP_SYS(pselect6), 0, { { 0 } } },
	{ SCMP_SYS(fcntl), 1, { ARG_IS(1, F_GETFD) } },
	{ SCMP_SYS(fcntl), 2, { ARG_IS(1, F_SETFD), ARG_WITHIN(2, FD_CLOEXEC) } },
	{ SCMP_SYS(fcntl), 1, { ARG_IS(1, F_GETFL) } },
	{ SCMP_SYS(fcntl), 2, { ARG_IS(1, F_SETFL), ARG_WITHIN(2, O_ACCMODE | O_NONBLOCK) } },
	{ SCMP_SYS(fcntl), 1, { ARG_IS(1, F_DUPFD_CLOEXEC) } },
	{ SCMP_SYS(ioctl), 1, { ARG_IS(1, FIONREAD) } },
	{ SCMP_SYS(ioctl), 1, { ARG_IS(1, TCGETS) } }, /* is the log a terminal? */
	{ SCMP_SYS(shutdown), 1, { ARG_IS(1, SHUT_WR) } },
	OPTION(setsockopt, SOL_SOCKET, SO_KEEPALIVE),
	OPTION(setsockopt, SOL_SOCKET, SO_RCVLOWAT),
	OPTION(setsockopt, SOL_SOCKET, SO_RCVBUF),
	OPTION(setsockopt, SOL_SOCKET, SO_SNDBUF),
	OPTION(setsockopt, SOL_SOCKET, SO_RCVTIMEO),
	OPTION(setsockopt, SOL_SOCKET, SO_SNDTIMEO),
	OPTION(setsockopt, IPPROTO_TCP, TCP_NODELAY),
	OPTION(setsockopt, IPPROTO_TCP, TCP_KEEPIDLE),
	OPTION(setsockopt, IPPROTO_TCP, TCP_KEEPINTVL),
	OPTION(setsockopt, IPPROTO_TCP, TCP_KEEPCNT),
	OPTION(setsockopt, IPPROTO_TCP, TCP_USER_TIMEOUT),
	OPTION(getsockopt, SOL_SOCKET, SO_ERROR),
	OPTION(getsockopt, SOL_SOCKET, SO_TYPE),
	OPTION(getsockopt, SOL_SOCKET, SO_RCVBUF),
	OPTION(getsockopt, SOL_SOCKET, SO_SNDBUF),
	{ SCMP_SYS(getsockname), 0, { { 0 } } },
	{ SCMP_SYS(getpeername), 0, { { 0 } } },
	{ SCMP_SYS(clock_getres), 0, { { 0 } } },
	{ SCMP_SYS(time), 0, { { 0 } } },
	{ SCMP_SYS(nanosleep), 0, { { 0 } } },
	{ SCMP_SYS(clock_nanosleep), 1, { ARG_WITHIN(1, TIMER_ABSTIME) } },
	{ SCMP_SYS(sched_yield), 0, { { 0 } } },
	{ SCMP_SYS(gettid), 0, { { 0 } } },
	{ SCMP_SYS(getppid), 0, { { 0 } } },
	{ SCMP_SYS(getuid), 0, { { 0 } } },
	{ SCMP_SYS(geteuid), 0, { { 0 } } },
	{ SCMP_SYS(getgid), 0, { { 0 } } },
	{ SCMP_SYS(getegid), 0, { { 0 } } },
	{ SCMP_SYS(eventfd2), 1, { ARG_WITHIN(1, EFD_CLOEXEC | EFD_NONBLOCK) } },
	{ SCMP_SYS(timerfd_create), 2,
	    { ARG_IS(0, CLOCK_MONOTONIC), ARG_WITHIN(1, TFD_CLOEXEC | TFD_NONBLOCK) } },
	{ SCMP_SYS(timerfd_settime), 1, { ARG_WITHIN(1, TFD_TIMER_ABSTIME) } },
	{ SCMP_SYS(timerfd_gettime), 0, { { 0 } } },
	{ SCMP_SYS(epoll_create1), 1, { ARG_WITHIN(0, EPOLL_CLOEXEC) } },
	{ SCMP_SYS(epoll_ctl), 0, { { 0 } } },
	{ SCMP_SYS(epoll_wait), 0, { { 0 } } },
	{ SCMP_SYS(epoll_pwait), 0, { { 0 } } },
	{ SCMP_SYS(sigaltstack), 0, { { 0 } } },
	{ SCMP_SYS(dup), 0, { { 0 } } },
	{ SCMP_SYS(dup2), 0, { { 0 } } },
	{ SCMP_SYS(dup3), 1, { ARG_WITHIN(2, O_CLOEXEC) } },
	{ SCMP_SYS(lseek), 0, { { 0 } } },
	{ SCMP_SYS(uname), 0, { { 0 } } },
	{ SCMP_SYS(sysinfo), 0, { { 0 } } },
	{ SCMP_SYS(setitimer), 1, { ARG_IS(0, ITIMER_REAL) } },
	{ SCMP_SYS(sched_getaffinity), 0, { { 0 } } },
	{ SCMP_SYS(set_robust_list), 0, { { 0 } } },
	{ SCMP_SYS(rseq), 0, { { 0 } } },
	{ SCMP_SYS(tgkill), 1, { ARG_IS(2, SIGABRT) } }, /* abort's */
	{ SCMP_SYS(getrusage), 0, { { 0 } } },
	{ SCMP_SYS(prlimit64), 2, { ARG_IS(0, 0), ARG_IS(2, 0) } }, /* one's own, to look at */
};

static const struct rule termsrvs[] = {
	{ SCMP_SYS(accept4), 1, { ARG_WITHIN(3, SOCK_CLOEXEC | SOCK_NONBLOCK) } },
	{ SCMP_SYS(socketpair), 3,
	    { ARG_IS(0, AF_UNIX), ARG_IS(1, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC),
	        ARG_IS(2, 0) } },
	{ SCMP_SYS(kill), 1, { ARG_IS(1, SIGKILL) } }, /* a worker */
	{ SCMP_SYS(wait4), 1, { ARG_IS(2, WNOHANG) } },
	{ SCMP_SYS(waitid), 2, { ARG_IS(0, P_ALL), ARG_IS(3, WEXITED | WNOHANG | WNOWAIT) } },
};

static const struct rule metricsds[] = {
	{ SCMP_SYS(accept4), 1, { ARG_WITHIN(3, SOCK_CLOEXEC | SOCK_NONBLOCK) } },
	{ SCMP_SYS(shutdown), 1, { ARG_IS(1, SHUT_RDWR) } }, /* on a client that is too slow */
};

enum {
	NEW_FILE = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
	LOOK = O_RDONLY | O_DIRECTORY | O_CLOEXEC /* to have a rename written to the disk */
};

/* The file of accounts is read before, and replaced. */
static const struct rule lsasss[] = {
	{ SCMP_SYS(openat), 2, { ARG_IS(0, SANDBOX_DIRECTORY), ARG_IS(2, NEW_FILE) } },
	{ SCMP_SYS(openat), 2, { ARG_IS(0, SANDBOX_DIRECTORY), ARG_IS(2, LOOK) } },
	{ SCMP_SYS(renameat), 2, { ARG_IS(0, SANDBOX_DIRECTORY), ARG_IS(2, SANDBOX_DIRECTORY) } },
	{ SCMP_SYS(renameat2), 3,
	    { ARG_IS(0, SANDBOX_DIRECTORY), ARG_IS(2, SANDBOX_DIRECTORY), ARG_IS(4, 0) } },
	{ SCMP_SYS(unlinkat), 2, { ARG_IS(0, SANDBOX_DIRECTORY), ARG_IS(2, 0) } },
	{ SCMP_SYS(fsync), 0, { { 0 } } },
	{ SCMP_SYS(newfstatat), 1, { ARG_IS(3, AT_EMPTY_PATH) } }, /* fstat of older C libraries */
};
/* clang-format on */

static const struct {
	const struct rule *rules;
	size_t count;
} own[] = { [SANDBOX_RDPWD] = { NULL, 0 },
	[SANDBOX_TERMSRV] = { termsrvs, COUNT(termsrvs) },
	[SANDBOX_METRICSD] = { metricsds, COUNT(metricsds) },
	[SANDBOX_LSASS] = { lsasss, COUNT(lsasss) } };

/* Who asks for a file is told that there is none. */
static const int no_file[] = { SCMP_SYS(open), SCMP_SYS(openat), SCMP_SYS(access),
	SCMP_SYS(faccessat), SCMP_SYS(faccessat2), SCMP_SYS(stat), SCMP_SYS(lstat),
	SCMP_SYS(newfstatat), SCMP_SYS(statx), SCMP_SYS(readlink), SCMP_SYS(readlinkat) };

static int add_rules(scmp_filter_ctx ctx, const struct rule *rules, size_t count)
{
	int result = 0;

	for (size_t i = 0; result == 0 && i < count; i++)
		result = seccomp_rule_add_array(
		    ctx, SCMP_ACT_ALLOW, rules[i].call, rules[i].count, rules[i].arguments);
	return result;
}

static int add_servers(scmp_filter_ctx ctx)
{
	int result = add_rules(ctx, servers, COUNT(servers));

	for (size_t i = 0; result == 0 && i < COUNT(no_file); i++)
		result = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOENT), no_file[i], 0);
	return result;
}

int sandbox_build_filter(enum sandbox_kind kind, struct sock_fprog *program)
{
	bool server = kind != SANDBOX_LSASS;
	scmp_filter_ctx ctx = seccomp_init(server ? SCMP_ACT_ERRNO(EPERM) : SCMP_ACT_KILL_PROCESS);
	int result = ctx ? add_rules(ctx, everyones, COUNT(everyones)) : -ENOMEM;

	if (result == 0 && server)
		result = add_servers(ctx);
	if (result == 0)
		result = add_rules(ctx, own[kind].rules, own[kind].count);
	errno = -result;
	if (result == 0)
		result = bpf_compile(ctx, program);
	if (ctx)
		seccomp_release(ctx);
	return result < 0 ? -1 : 0;
}

int sandbox_lock_in(enum sandbox_kind kind)
{
	struct sock_fprog filter;

	if (sandbox_empty_root() < 0 || sandbox_drop_privileges() < 0)
		return -1;
	return sandbox_build_filter(kind, &filter) < 0 ? -1 : bpf_load(&filter);
}
