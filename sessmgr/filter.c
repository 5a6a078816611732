/* What a session's programs may call, as tables of libseccomp's rules. docs/architecture.md has its gaps. */
#include "filter.h"

#include "bpf.h"

#include <asm/ioctls.h>
#include <asm/termbits.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <linux/netlink.h>
#include <linux/random.h>
#include <linux/sched.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/personality.h>
#include <sys/resource.h>
#include <sys/socket.h>

static struct sock_fprog program;

#define COUNT(table) (sizeof(table) / sizeof(*(table)))

/* systemd's @system-service, @sandbox and ptrace, less
     what makes a session hold what the host counts as a whole: aio's requests, inotify's instances;
     what has no bound, or reaches to the host's files: keys, sync, name_to_handle_at;
     what has its flags behind a pointer: clone3 (C libraries fall back to clone);
     namespaces, userfaultfd, vmsplice, pidfd_getfd, moving pages, old kinds of calls
   and less what has rules for its arguments below. */
static const int allowed[] = { SCMP_SYS(close), SCMP_SYS(close_range), SCMP_SYS(dup),
	SCMP_SYS(dup2), SCMP_SYS(dup3), SCMP_SYS(lseek), SCMP_SYS(pread64), SCMP_SYS(preadv),
	SCMP_SYS(preadv2), SCMP_SYS(pwrite64), SCMP_SYS(pwritev), SCMP_SYS(pwritev2),
	SCMP_SYS(read), SCMP_SYS(readv), SCMP_SYS(write), SCMP_SYS(writev), SCMP_SYS(chown),
	SCMP_SYS(fchown), SCMP_SYS(fchownat), SCMP_SYS(lchown), SCMP_SYS(arch_prctl), SCMP_SYS(brk),
	SCMP_SYS(clock_getres), SCMP_SYS(clock_gettime), SCMP_SYS(clock_nanosleep),
	SCMP_SYS(execve), SCMP_SYS(exit), SCMP_SYS(exit_group), SCMP_SYS(futex),
	SCMP_SYS(futex_waitv), SCMP_SYS(get_robust_list), SCMP_SYS(getegid), SCMP_SYS(geteuid),
	SCMP_SYS(getgid), SCMP_SYS(getgroups), SCMP_SYS(getpgid), SCMP_SYS(getpgrp),
	SCMP_SYS(getpid), SCMP_SYS(getppid), SCMP_SYS(getrandom), SCMP_SYS(getresgid),
	SCMP_SYS(getresuid), SCMP_SYS(getrlimit), SCMP_SYS(getsid), SCMP_SYS(gettid),
	SCMP_SYS(gettimeofday), SCMP_SYS(getuid), SCMP_SYS(membarrier), SCMP_SYS(mmap),
	SCMP_SYS(mprotect), SCMP_SYS(munmap), SCMP_SYS(nanosleep), SCMP_SYS(pause),
	SCMP_SYS(restart_syscall), SCMP_SYS(rseq), SCMP_SYS(rt_sigreturn),
	SCMP_SYS(sched_getaffinity), SCMP_SYS(sched_yield), SCMP_SYS(set_robust_list),
	SCMP_SYS(set_tid_address), SCMP_SYS(time), SCMP_SYS(access), SCMP_SYS(chdir),
	SCMP_SYS(chmod), SCMP_SYS(creat), SCMP_SYS(faccessat), SCMP_SYS(faccessat2),
	SCMP_SYS(fallocate), SCMP_SYS(fchdir), SCMP_SYS(fchmod), SCMP_SYS(fchmodat),
	SCMP_SYS(fgetxattr), SCMP_SYS(flistxattr), SCMP_SYS(fremovexattr), SCMP_SYS(fsetxattr),
	SCMP_SYS(fstat), SCMP_SYS(fstatfs), SCMP_SYS(ftruncate), SCMP_SYS(futimesat),
	SCMP_SYS(getcwd), SCMP_SYS(getdents), SCMP_SYS(getdents64), SCMP_SYS(getxattr),
	SCMP_SYS(lgetxattr), SCMP_SYS(link), SCMP_SYS(linkat), SCMP_SYS(listxattr),
	SCMP_SYS(llistxattr), SCMP_SYS(lremovexattr), SCMP_SYS(lsetxattr), SCMP_SYS(lstat),
	SCMP_SYS(mkdir), SCMP_SYS(mkdirat), SCMP_SYS(mknod), SCMP_SYS(mknodat),
	SCMP_SYS(newfstatat), SCMP_SYS(open), SCMP_SYS(openat), SCMP_SYS(openat2),
	SCMP_SYS(readlink), SCMP_SYS(readlinkat), SCMP_SYS(removexattr), SCMP_SYS(rename),
	SCMP_SYS(renameat), SCMP_SYS(renameat2), SCMP_SYS(rmdir), SCMP_SYS(setxattr),
	SCMP_SYS(stat), SCMP_SYS(statfs), SCMP_SYS(statx), SCMP_SYS(symlink), SCMP_SYS(symlinkat),
	SCMP_SYS(truncate), SCMP_SYS(unlink), SCMP_SYS(unlinkat), SCMP_SYS(utime),
	SCMP_SYS(utimensat), SCMP_SYS(utimes), SCMP_SYS(epoll_create), SCMP_SYS(epoll_create1),
	SCMP_SYS(epoll_ctl), SCMP_SYS(epoll_pwait), SCMP_SYS(epoll_pwait2), SCMP_SYS(epoll_wait),
	SCMP_SYS(eventfd), SCMP_SYS(eventfd2), SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(pselect6),
	SCMP_SYS(select), SCMP_SYS(mq_getsetattr), SCMP_SYS(mq_notify), SCMP_SYS(mq_open),
	SCMP_SYS(mq_timedreceive), SCMP_SYS(mq_timedsend), SCMP_SYS(mq_unlink), SCMP_SYS(pipe),
	SCMP_SYS(pipe2), SCMP_SYS(process_madvise), SCMP_SYS(process_vm_readv),
	SCMP_SYS(process_vm_writev), SCMP_SYS(semctl), SCMP_SYS(semget), SCMP_SYS(semop),
	SCMP_SYS(semtimedop), SCMP_SYS(mlock), SCMP_SYS(mlock2), SCMP_SYS(mlockall),
	SCMP_SYS(munlock), SCMP_SYS(munlockall), SCMP_SYS(accept), SCMP_SYS(accept4),
	SCMP_SYS(bind), SCMP_SYS(connect), SCMP_SYS(getpeername), SCMP_SYS(getsockname),
	SCMP_SYS(getsockopt), SCMP_SYS(listen), SCMP_SYS(recvfrom), SCMP_SYS(recvmmsg),
	SCMP_SYS(recvmsg), SCMP_SYS(sendmmsg), SCMP_SYS(sendmsg), SCMP_SYS(sendto),
	SCMP_SYS(shutdown), SCMP_SYS(capget), SCMP_SYS(execveat), SCMP_SYS(fork),
	SCMP_SYS(getrusage), SCMP_SYS(kill), SCMP_SYS(pidfd_open), SCMP_SYS(pidfd_send_signal),
	SCMP_SYS(prctl), SCMP_SYS(rt_sigqueueinfo), SCMP_SYS(rt_tgsigqueueinfo), SCMP_SYS(tgkill),
	SCMP_SYS(tkill), SCMP_SYS(vfork), SCMP_SYS(wait4), SCMP_SYS(waitid), SCMP_SYS(ioprio_set),
	SCMP_SYS(mbind), SCMP_SYS(sched_setaffinity), SCMP_SYS(sched_setattr),
	SCMP_SYS(sched_setparam), SCMP_SYS(sched_setscheduler), SCMP_SYS(set_mempolicy),
	SCMP_SYS(setpriority), SCMP_SYS(setgid), SCMP_SYS(setgroups), SCMP_SYS(setregid),
	SCMP_SYS(setresgid), SCMP_SYS(setresuid), SCMP_SYS(setreuid), SCMP_SYS(setuid),
	SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigpending), SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(rt_sigsuspend), SCMP_SYS(rt_sigtimedwait), SCMP_SYS(sigaltstack),
	SCMP_SYS(signalfd), SCMP_SYS(signalfd4), SCMP_SYS(fdatasync), SCMP_SYS(fsync),
	SCMP_SYS(msync), SCMP_SYS(sync_file_range), SCMP_SYS(alarm), SCMP_SYS(getitimer),
	SCMP_SYS(setitimer), SCMP_SYS(timer_create), SCMP_SYS(timer_delete),
	SCMP_SYS(timer_getoverrun), SCMP_SYS(timer_gettime), SCMP_SYS(timer_settime),
	SCMP_SYS(timerfd_create), SCMP_SYS(timerfd_gettime), SCMP_SYS(timerfd_settime),
	SCMP_SYS(times), SCMP_SYS(capset), SCMP_SYS(copy_file_range), SCMP_SYS(fadvise64),
	SCMP_SYS(flock), SCMP_SYS(get_mempolicy), SCMP_SYS(getcpu), SCMP_SYS(getpriority),
	SCMP_SYS(ioprio_get), SCMP_SYS(kcmp), SCMP_SYS(madvise), SCMP_SYS(mremap),
	SCMP_SYS(readahead), SCMP_SYS(sched_get_priority_max), SCMP_SYS(sched_get_priority_min),
	SCMP_SYS(sched_getattr), SCMP_SYS(sched_getparam), SCMP_SYS(sched_getscheduler),
	SCMP_SYS(sched_rr_get_interval), SCMP_SYS(sendfile), SCMP_SYS(setfsgid), SCMP_SYS(setfsuid),
	SCMP_SYS(setpgid), SCMP_SYS(setsid), SCMP_SYS(splice), SCMP_SYS(sysinfo), SCMP_SYS(tee),
	SCMP_SYS(umask), SCMP_SYS(uname), SCMP_SYS(landlock_add_rule),
	SCMP_SYS(landlock_create_ruleset), SCMP_SYS(landlock_restrict_self), SCMP_SYS(seccomp),
	SCMP_SYS(pkey_alloc), SCMP_SYS(pkey_free), SCMP_SYS(pkey_mprotect), SCMP_SYS(ptrace) };

/* Memory that is no process's: no limit of processes holds it, and the kernel finds nobody to end when it
   is too much. */
static const int with_bounded_memory[] = { SCMP_SYS(memfd_create), SCMP_SYS(shmget),
	SCMP_SYS(shmat), SCMP_SYS(shmctl), SCMP_SYS(shmdt), SCMP_SYS(msgget), SCMP_SYS(msgsnd),
	SCMP_SYS(msgrcv), SCMP_SYS(msgctl) };

/* Terminals, but for typing into one that is not one's own (TIOCSTI) and using one as a modem or a bus
   (TIOCSETD); files, sockets, and looking at the network's interfaces. */
static const uint32_t ioctls[] = { TCGETS, TCSETS, TCSETSW, TCSETSF, TCGETA, TCSETA, TCSETAW,
	TCSETAF, TCGETS2, TCSETS2, TCSETSW2, TCSETSF2, TCSBRK, TCSBRKP, TCXONC, TCFLSH, TIOCEXCL,
	TIOCNXCL, TIOCGEXCL, TIOCSCTTY, TIOCNOTTY, TIOCGPGRP, TIOCSPGRP, TIOCGSID, TIOCOUTQ,
	TIOCGWINSZ, TIOCSWINSZ, TIOCMGET, TIOCPKT, TIOCGPKT, TIOCGETD, TIOCGPTN, TIOCSPTLCK,
	TIOCGPTLCK, TIOCGPTPEER, TIOCGDEV, TIOCSIG, FIONREAD, FIONBIO, FIOASYNC, FIONCLEX, FIOCLEX,
	FIOQSIZE, FICLONE, FICLONERANGE, FIGETBSZ, FS_IOC_FIEMAP, FS_IOC_GETFLAGS, SIOCATMARK,
	SIOCGPGRP, SIOCGIFNAME, SIOCGIFCONF, SIOCGIFFLAGS, SIOCGIFADDR, SIOCGIFDSTADDR,
	SIOCGIFBRDADDR, SIOCGIFNETMASK, SIOCGIFMTU, SIOCGIFHWADDR, SIOCGIFINDEX, SIOCGIFTXQLEN,
	SIOCGIFMETRIC, SIOCGIFMAP, RNDGETENTCNT };

/* Not F_NOTIFY, which brings inotify back, and not F_SETLEASE: in user mode it holds up whoever opens a file of
   /etc, which has the user's id. */
static const uint32_t fcntls[] = { F_DUPFD, F_DUPFD_CLOEXEC, F_GETFD, F_SETFD, F_GETFL, F_SETFL,
	F_GETLK, F_SETLK, F_SETLKW, F_OFD_GETLK, F_OFD_SETLK, F_OFD_SETLKW, F_SETOWN, F_GETOWN,
	F_SETOWN_EX, F_GETOWN_EX, F_SETSIG, F_GETSIG, F_GETLEASE, F_SETPIPE_SZ, F_GETPIPE_SZ,
	F_ADD_SEALS, F_GET_SEALS };

/* What debuggers ask for is among them; READ_IMPLIES_EXEC is not. */
static const uint32_t personalities[] = { 0xffffffff, PER_LINUX, PER_LINUX32, ADDR_NO_RANDOMIZE };

/*
 * A socket that waits when it is closed makes whoever closes it wait: smss, where one comes beside a
 * message that it refuses, even one that it does not read. SO_LINGER asks for that; what the kernel lays
 * over TCP, TLS and SMC, has waits of its own.
 */
static const uint32_t socket_options[] = { SO_DEBUG, SO_REUSEADDR, SO_TYPE, SO_ERROR, SO_DONTROUTE,
	SO_BROADCAST, SO_SNDBUF, SO_RCVBUF, SO_KEEPALIVE, SO_OOBINLINE, SO_PRIORITY, SO_REUSEPORT,
	SO_PASSCRED, SO_RCVLOWAT, SO_SNDLOWAT, SO_RCVTIMEO, SO_SNDTIMEO, SO_BINDTODEVICE,
	SO_ATTACH_FILTER, SO_DETACH_FILTER, SO_TIMESTAMP, SO_TIMESTAMPNS, SO_TIMESTAMPING,
	SO_PASSSEC, SO_MARK, SO_PEEK_OFF, SO_BUSY_POLL, SO_INCOMING_CPU, SO_MAX_PACING_RATE };
static const uint32_t tcp_options[] = { TCP_NODELAY, TCP_MAXSEG, TCP_CORK, TCP_KEEPIDLE,
	TCP_KEEPINTVL, TCP_KEEPCNT, TCP_SYNCNT, TCP_LINGER2, TCP_DEFER_ACCEPT, TCP_WINDOW_CLAMP,
	TCP_QUICKACK, TCP_CONGESTION, TCP_USER_TIMEOUT, TCP_FASTOPEN, TCP_FASTOPEN_CONNECT,
	TCP_NOTSENT_LOWAT };
static const uint32_t option_levels[] = { IPPROTO_IP, IPPROTO_UDP, IPPROTO_IPV6, IPPROTO_ICMPV6,
	IPPROTO_RAW, SOL_NETLINK };

/* The families that a session has a use for, with their protocols; all others reach rarely tried code. */
static const struct {
	unsigned family, protocol;
} sockets[] = { { AF_UNIX, 0 }, { AF_UNIX, PF_UNIX }, { AF_INET, 0 }, { AF_INET, IPPROTO_ICMP },
	{ AF_INET, IPPROTO_TCP }, { AF_INET, IPPROTO_UDP }, { AF_INET6, 0 },
	{ AF_INET6, IPPROTO_TCP }, { AF_INET6, IPPROTO_UDP }, { AF_INET6, IPPROTO_ICMPV6 },
	{ AF_NETLINK, NETLINK_ROUTE }, { AF_NETLINK, NETLINK_SOCK_DIAG } };
static const unsigned families[] = { AF_UNIX, AF_INET, AF_INET6, AF_NETLINK };

/* The lower half of argument N, all that the kernel looks at, is VALUE. */
static struct scmp_arg_cmp is(unsigned n, uint32_t value)
{
	return (struct scmp_arg_cmp){ n, SCMP_CMP_MASKED_EQ, 0xffffffff, value };
}

static int allow_all(scmp_filter_ctx ctx, const int *calls, size_t count)
{
	int result = 0;

	for (size_t i = 0; result == 0 && i < count; i++)
		result = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, calls[i], 0);
	return result;
}

/* Where argument N of CALL is one of VALUES. */
static int allow_values(
    scmp_filter_ctx ctx, int call, unsigned n, const uint32_t *values, size_t count)
{
	int result = 0;

	for (size_t i = 0; result == 0 && i < count; i++)
		result = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, call, 1, is(n, values[i]));
	return result;
}

static int allow_options(scmp_filter_ctx ctx, uint32_t level, const uint32_t *options, size_t count)
{
	int result = 0;

	for (size_t i = 0; result == 0 && i < count; i++)
		result = seccomp_rule_add(
		    ctx, SCMP_ACT_ALLOW, SCMP_SYS(setsockopt), 2, is(1, level), is(2, options[i]));
	return result;
}

/*
 * The limit of core dumps is 1, which is none at all; 0 would send them through the pipe of
 * the host's kernel.core_pattern. Programs that want none set it to 0, and some give up
 * where they cannot: they are told that it is done.
 */
static int allow_limits(scmp_filter_ctx ctx)
{
	const uint32_t done = SCMP_ACT_ERRNO(0);
	int result = seccomp_rule_add(ctx, done, SCMP_SYS(setrlimit), 1, is(0, RLIMIT_CORE));

	if (result == 0)
		result = seccomp_rule_add(ctx, done, SCMP_SYS(prlimit64), 2, is(1, RLIMIT_CORE),
		    SCMP_A2(SCMP_CMP_NE, 0, 0));
	if (result == 0)
		result = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(prlimit64), 2,
		    is(1, RLIMIT_CORE), SCMP_A2(SCMP_CMP_EQ, 0, 0));
	for (uint32_t i = 0; result == 0 && i < RLIM_NLIMITS; i++) {
		if (i == RLIMIT_CORE)
			continue;
		result = allow_values(ctx, SCMP_SYS(setrlimit), 0, &i, 1);
		if (result == 0)
			result = allow_values(ctx, SCMP_SYS(prlimit64), 1, &i, 1);
	}
	return result;
}

/* Others are told as by a kernel that is built without them. */
static int refuse_families(scmp_filter_ctx ctx, int call)
{
	const uint32_t no = SCMP_ACT_ERRNO(EAFNOSUPPORT);
	unsigned family = 0;
	int result = 0;

	for (size_t i = 0; result == 0 && i < COUNT(families); i++) {
		for (; result == 0 && family < families[i]; family++)
			result =
			    seccomp_rule_add(ctx, no, call, 1, SCMP_A0(SCMP_CMP_EQ, family, 0));
		family++;
	}
	return result < 0 ? result
	                  : seccomp_rule_add(ctx, no, call, 1, SCMP_A0(SCMP_CMP_GE, family, 0));
}

static int allow_sockets(scmp_filter_ctx ctx, int call)
{
	int result = refuse_families(ctx, call);

	for (size_t i = 0; result == 0 && i < COUNT(sockets); i++)
		result = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, call, 2,
		    SCMP_A0(SCMP_CMP_EQ, sockets[i].family, 0), is(2, sockets[i].protocol));
	return result;
}

static int allow_processes(scmp_filter_ctx ctx)
{
	static const uint64_t namespaces = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID |
	                                   CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS |
	                                   CLONE_NEWCGROUP;

	return seccomp_rule_add(
	    ctx, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1, SCMP_A0(SCMP_CMP_MASKED_EQ, namespaces, 0));
}

static int add_rules(scmp_filter_ctx ctx, bool memory_bounded)
{
	const int results[] = { allow_all(ctx, allowed, COUNT(allowed)),
		memory_bounded ? allow_all(ctx, with_bounded_memory, COUNT(with_bounded_memory))
		               : 0,
		allow_values(ctx, SCMP_SYS(ioctl), 1, ioctls, COUNT(ioctls)),
		allow_values(ctx, SCMP_SYS(fcntl), 1, fcntls, COUNT(fcntls)),
		allow_values(ctx, SCMP_SYS(personality), 0, personalities, COUNT(personalities)),
		allow_options(ctx, SOL_SOCKET, socket_options, COUNT(socket_options)),
		allow_options(ctx, IPPROTO_TCP, tcp_options, COUNT(tcp_options)),
		allow_values(ctx, SCMP_SYS(setsockopt), 1, option_levels, COUNT(option_levels)),
		allow_limits(ctx), allow_sockets(ctx, SCMP_SYS(socket)),
		allow_sockets(ctx, SCMP_SYS(socketpair)), allow_processes(ctx) };

	for (size_t i = 0; i < COUNT(results); i++)
		if (results[i] < 0)
			return results[i];
	return 0;
}

int filter_prepare(bool memory_bounded)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
	int result;

	if (!ctx) {
		errno = ENOMEM;
		return -1;
	}
	result = add_rules(ctx, memory_bounded);
	errno = -result;
	if (result == 0)
		result = bpf_compile(ctx, &program);
	seccomp_release(ctx);
	return result < 0 ? -1 : 0;
}

int filter_load(void)
{
	return bpf_load(&program);
}
