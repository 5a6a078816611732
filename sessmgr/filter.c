/* What it denies, as libseccomp's rules. */
#include "filter.h"

#include "bpf.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <seccomp.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>

static struct sock_fprog program;

static const int denied[] = { SCMP_SYS(mount), SCMP_SYS(umount), SCMP_SYS(umount2),
	SCMP_SYS(pivot_root), SCMP_SYS(move_mount), SCMP_SYS(open_tree), SCMP_SYS(fsopen),
	SCMP_SYS(fsconfig), SCMP_SYS(fsmount), SCMP_SYS(fspick), SCMP_SYS(mount_setattr),
	SCMP_SYS(setns), SCMP_SYS(unshare), SCMP_SYS(chroot), SCMP_SYS(acct), SCMP_SYS(swapon),
	SCMP_SYS(swapoff), SCMP_SYS(reboot), SCMP_SYS(kexec_load), SCMP_SYS(kexec_file_load),
	SCMP_SYS(init_module), SCMP_SYS(finit_module), SCMP_SYS(delete_module), SCMP_SYS(bpf),
	SCMP_SYS(perf_event_open), SCMP_SYS(userfaultfd), SCMP_SYS(keyctl), SCMP_SYS(add_key),
	SCMP_SYS(request_key), SCMP_SYS(open_by_handle_at), SCMP_SYS(name_to_handle_at),
	SCMP_SYS(quotactl), SCMP_SYS(syslog), SCMP_SYS(settimeofday), SCMP_SYS(clock_settime),
	SCMP_SYS(adjtimex), SCMP_SYS(clock_adjtime), SCMP_SYS(iopl), SCMP_SYS(ioperm),
	SCMP_SYS(fanotify_init), SCMP_SYS(lookup_dcookie), SCMP_SYS(vhangup), SCMP_SYS(sethostname),
	SCMP_SYS(setdomainname), SCMP_SYS(nfsservctl), SCMP_SYS(io_uring_setup),
	SCMP_SYS(io_uring_enter), SCMP_SYS(io_uring_register) };

/* As if the kernel had none: watches show what others do with files that all sessions share,
   and instances are counted for the service's user as a whole. Programs poll instead. */
static const int missing[] = { SCMP_SYS(inotify_init), SCMP_SYS(inotify_init1),
	SCMP_SYS(clone3) /* its flags are behind a pointer; C libraries fall back to clone */ };

/* Socket families that a session has a use for; all others reach rarely tried code. */
enum { FAMILY_UNIX = 1, FAMILY_INET = 2, FAMILY_INET6 = 10, FAMILY_NETLINK = 16 };

/*
 * The limit of core dumps is 1, which is none at all; 0 would send them through the pipe of
 * the host's kernel.core_pattern. Programs that want none set it to 0, and some give up
 * where they cannot: they are told that it is done.
 */
static int keep_core_limit(scmp_filter_ctx ctx)
{
	const uint32_t done = SCMP_ACT_ERRNO(0);

	if (seccomp_rule_add(ctx, done, SCMP_SYS(setrlimit), 1,
	        SCMP_A0(SCMP_CMP_MASKED_EQ, 0xffffffff, RLIMIT_CORE)) < 0)
		return -1;
	return seccomp_rule_add(ctx, done, SCMP_SYS(prlimit64), 2,
	    SCMP_A1(SCMP_CMP_MASKED_EQ, 0xffffffff, RLIMIT_CORE), SCMP_A2(SCMP_CMP_NE, 0, 0));
}

static int keep_families(scmp_filter_ctx ctx, int system_call)
{
	const uint32_t no = SCMP_ACT_ERRNO(EAFNOSUPPORT);

	for (unsigned family = 0; family < FAMILY_NETLINK; family++)
		if (family != FAMILY_UNIX && family != FAMILY_INET && family != FAMILY_INET6 &&
		    seccomp_rule_add(ctx, no, system_call, 1, SCMP_A0(SCMP_CMP_EQ, family, 0)) < 0)
			return -1;
	return seccomp_rule_add(ctx, no, system_call, 1, SCMP_A0(SCMP_CMP_GT, FAMILY_NETLINK, 0));
}

static int deny_command(scmp_filter_ctx ctx, int system_call, uint32_t command)
{
	return seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), system_call, 1,
	    SCMP_A1(SCMP_CMP_MASKED_EQ, 0xffffffff, command));
}

static int deny_option(scmp_filter_ctx ctx, int level, int option)
{
	return seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(setsockopt), 2,
	    SCMP_A1(SCMP_CMP_MASKED_EQ, 0xffffffff, (unsigned)level),
	    SCMP_A2(SCMP_CMP_MASKED_EQ, 0xffffffff, (unsigned)option));
}

enum { PROTOCOL_SMC = 256 };

/*
 * A socket that waits when it is closed makes whoever closes it wait: smss, where one comes
 * beside a message that it refuses, even one that it does not read. It lingers where that was
 * asked for; what the kernel lays over TCP, TLS and SMC, has waits of its own.
 */
static int keep_closing_quick(scmp_filter_ctx ctx)
{
	if (deny_option(ctx, SOL_SOCKET, SO_LINGER) < 0 ||
	    deny_option(ctx, IPPROTO_TCP, TCP_ULP) < 0)
		return -1;
	return seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(socket), 1,
	    SCMP_A2(SCMP_CMP_MASKED_EQ, 0xffffffff, PROTOCOL_SMC));
}

static int add_rules(scmp_filter_ctx ctx)
{
	static const uint64_t namespaces = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID |
	                                   CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS |
	                                   CLONE_NEWCGROUP | CLONE_NEWTIME;
	const uint32_t no = SCMP_ACT_ERRNO(EPERM);

	for (size_t i = 0; i < sizeof(denied) / sizeof(*denied); i++)
		if (seccomp_rule_add(ctx, no, denied[i], 0) < 0)
			return -1;
	for (int bit = 0; bit < 32; bit++) {
		uint64_t flag = UINT64_C(1) << bit;
		if ((namespaces & flag) && flag != CLONE_NEWTIME &&
		    seccomp_rule_add(
		        ctx, no, SCMP_SYS(clone), 1, SCMP_A0(SCMP_CMP_MASKED_EQ, flag, flag)) < 0)
			return -1;
	}
	for (size_t i = 0; i < sizeof(missing) / sizeof(*missing); i++)
		if (seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), missing[i], 0) < 0)
			return -1;
	/* typing into a terminal that is not one's own; a terminal as a modem or a bus; and in
	   user mode holding up whoever opens a file of /etc, which has the user's id */
	if (deny_command(ctx, SCMP_SYS(ioctl), TIOCSTI) < 0 ||
	    deny_command(ctx, SCMP_SYS(ioctl), TIOCSETD) < 0 ||
	    deny_command(ctx, SCMP_SYS(fcntl), F_SETLEASE) < 0)
		return -1;
	if (keep_core_limit(ctx) < 0 || keep_closing_quick(ctx) < 0 ||
	    keep_families(ctx, SCMP_SYS(socket)) < 0)
		return -1;
	return keep_families(ctx, SCMP_SYS(socketpair));
}

int filter_prepare(void)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
	int result;

	if (!ctx) {
		errno = ENOMEM;
		return -1;
	}
	result = add_rules(ctx) < 0 ? -1 : bpf_compile(ctx, &program);
	seccomp_release(ctx);
	return result;
}

int filter_load(void)
{
	return bpf_load(&program);
}
