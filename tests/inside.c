/*
 * Runs inside a session and tries what must fail there, and what must work. A line for
 * each: "ok NAME", or "BAD NAME: what happened". sandbox.sh reads them.
 *
 *   inside forbidden [PATH...]   system calls, devices, ids, other processes; files of
 *                                the host, which cannot be opened or connected to
 *   inside works                 what programs of a user need
 *   inside bounded TASKS         takes all processes, then all space that there is
 *   inside memory bounded|unbounded   memory that is no process's, where a limit holds it or none
 *   inside newcomer NAME         cannot trace a process of that name, which is about to come
 *   inside network PORT ABSTRACT cannot reach the host's TCP port and abstract socket
 *   inside knock COUNT           connects to smss as often as that; some bring a socket
 *   inside ids                   its user ids, for a set-user-id copy of this program
 *   inside serve ABSTRACT        on the host: an abstract socket, until it is ended
 *
 * What is forbidden by the system call filter is tried with arguments that have another
 * error without the filter: so the error tells that it is there. Nothing here would do
 * harm where it succeeds, but it is not made to be run outside of a session.
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/magic.h>
#include <linux/sched.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define SM_PORT "/opt/musess/port/SmApiPort"
#define X32_BIT 0x40000000

/* Never more than this, where a bound is missing. */
enum { TASKS_MAX = 5000, FILES_MAX = 200000, PROCESS_MAX = 32768, FULL_MB = 1024 };

static bool all_well = true;

__attribute__((format(printf, 3, 4))) static void report(
    bool good, const char *name, const char *detail, ...)
{
	va_list arguments;

	printf("%s %s", good ? "ok" : "BAD", name);
	if (!good) {
		va_start(arguments, detail);
		printf(": ");
		vprintf(detail, arguments);
		va_end(arguments);
		all_well = false;
	}
	printf("\n");
	fflush(stdout);
}

/* RESULT is a failure with the errno ERROR (0: any). */
static void refused(const char *name, long result, int error)
{
	int e = errno;

	report(result < 0 && (!error || e == error), name, "%s",
	    result < 0 ? strerror(e) : "it succeeded");
}

/* Also called for what must work. */
static void succeeds(const char *name, bool good)
{
	int e = errno;

	report(good, name, "%s", strerror(e));
}

/* ---- the filter */

static const struct {
	const char *name;
	long number, first, second;
} filtered[] = {
#define CALL(name) #name, SYS_##name
#define ABOVE_ALL "a call of a later kernel", 4000
	{ CALL(mount), 0, 0 },
	{ CALL(umount2), 0, 0 },
	{ CALL(pivot_root), 0, 0 },
	{ CALL(move_mount), -1, 0 },
	{ CALL(open_tree), -1, 0 },
	{ CALL(fsopen), 0, -1 },
	{ CALL(fsconfig), -1, -1 },
	{ CALL(fsmount), -1, -1 },
	{ CALL(fspick), -1, 0 },
	{ CALL(mount_setattr), -1, 0 },
	{ CALL(setns), -1, 0 },
	{ CALL(unshare), -1, 0 },
	{ CALL(unshare), CLONE_NEWUSER, 0 },
	{ CALL(unshare), CLONE_NEWNS, 0 },
	{ CALL(unshare), CLONE_NEWPID, 0 },
	{ CALL(unshare), CLONE_NEWNET, 0 },
	{ CALL(unshare), CLONE_NEWTIME, 0 },
	{ CALL(chroot), 0, 0 },
	{ CALL(acct), -1, 0 },
	{ CALL(fcntl), 0, F_SETLEASE },
	{ CALL(ioctl), 0, TIOCSTI },
	{ CALL(ioctl), 0, TIOCSETD },
	{ CALL(fcntl), 0, F_NOTIFY },
	{ CALL(io_setup), 0, 0 },
	{ CALL(io_submit), -1, 0 },
	{ CALL(name_to_handle_at), -1, 0 },
	{ CALL(pidfd_getfd), -1, 0 },
	{ CALL(vmsplice), -1, 0 },
	{ CALL(syncfs), -1, 0 },
	{ CALL(move_pages), -1, 0 },
	{ CALL(personality), READ_IMPLIES_EXEC, 0 },
	{ CALL(remap_file_pages), 0, 0 },
	{ CALL(inotify_init1), 0, 0 },
	{ CALL(inotify_add_watch), -1, 0 },
	{ CALL(clone3), 0, 0 },
	{ ABOVE_ALL, 0, 0 },
	{ CALL(swapon), 0, -1 },
	{ CALL(swapoff), 0, 0 },
	{ CALL(reboot), 0, 0 },
	{ CALL(init_module), 0, 0 },
	{ CALL(finit_module), -1, 0 },
	{ CALL(delete_module), 0, -1 },
	{ CALL(kexec_load), 0, -1 },
	{ CALL(bpf), -1, 0 },
	{ CALL(perf_event_open), 0, 0 },
	{ CALL(userfaultfd), -1, 0 },
	{ CALL(keyctl), -1, 0 },
	{ CALL(add_key), 0, 0 },
	{ CALL(request_key), 0, 0 },
	{ CALL(open_by_handle_at), -1, 0 },
	{ CALL(quotactl), -1, 0 },
	{ CALL(syslog), -1, 0 },
	{ CALL(settimeofday), 1, 1 },
	{ CALL(clock_settime), -1, 0 },
	{ CALL(adjtimex), 0, 0 },
	{ CALL(fanotify_init), -1, -1 },
	{ CALL(vhangup), 0, 0 },
	{ CALL(sethostname), 0, -1 },
	{ CALL(setdomainname), 0, -1 },
	{ CALL(io_uring_setup), 0, 0 },
	{ CALL(io_uring_enter), -1, 0 },
	{ CALL(io_uring_register), -1, -1 },
#ifdef SYS_iopl
	{ CALL(iopl), 4, 0 },
	{ CALL(ioperm), -1, -1 },
#endif
#undef CALL
};

static void filtered_calls(void)
{
	for (size_t i = 0; i < sizeof(filtered) / sizeof(*filtered); i++) {
		char name[64];

		snprintf(name, sizeof(name), "%s(%ld)", filtered[i].name, filtered[i].first);
		refused(name,
		    syscall(filtered[i].number, filtered[i].first, filtered[i].second, 0, 0, 0, 0),
		    ENOSYS);
	}
}

/* clone as fork does it, with FLAGS. */
static long clone_with(unsigned long flags)
{
	long pid = syscall(SYS_clone, flags | SIGCHLD, 0, 0, 0, 0);

	if (pid == 0)
		_exit(0);
	if (pid > 0)
		waitpid((pid_t)pid, NULL, 0);
	return pid;
}

static void clones(void)
{
	static const struct {
		const char *name;
		unsigned long flags;
	} tries[] = { { "clone(NEWUSER)", CLONE_NEWUSER }, { "clone(NEWNS)", CLONE_NEWNS },
		{ "clone(NEWPID)", CLONE_NEWPID }, { "clone(NEWNET)", CLONE_NEWNET },
		{ "clone(NEWIPC)", CLONE_NEWIPC }, { "clone(NEWUTS)", CLONE_NEWUTS },
		{ "clone(NEWCGROUP)", CLONE_NEWCGROUP },
		{ "clone(NEWUSER | NEWNS)", CLONE_NEWUSER | CLONE_NEWNS },
		{ "clone(NEWUSER, upper half set)", 1UL << 32 | CLONE_NEWUSER } };
	struct clone_args args = { .flags = CLONE_NEWUSER, .exit_signal = SIGCHLD };

	for (size_t i = 0; i < sizeof(tries) / sizeof(*tries); i++)
		refused(tries[i].name, clone_with(tries[i].flags), ENOSYS);
	refused("clone3(NEWUSER)", syscall(SYS_clone3, &args, sizeof(args)), ENOSYS);
	args.flags = 0;
	refused("clone3(0)", syscall(SYS_clone3, &args, 0), ENOSYS);
	refused("inotify_init1", syscall(SYS_inotify_init1, 0), ENOSYS);
}

/* The filter knows one kind of system calls; the processor has others. */
static void other_kind(const char *name, void (*call)(void))
{
	pid_t pid = fork();
	int status = 0;

	if (pid == 0) {
		call();
		_exit(errno == ENOSYS ? 3 : 0);
	}
	waitpid(pid, &status, 0);
	report(WIFSIGNALED(status) || WEXITSTATUS(status) == 3, name, "it was let through");
}

#ifdef __x86_64__
static void call_x32(void)
{
	syscall(X32_BIT | SYS_getpid);
}

static void call_i386(void)
{
	enum { I386_GETPID = 20 };
	long result = I386_GETPID;

	__asm__ volatile("int $0x80" : "+a"(result) : : "memory", "r8", "r9", "r10", "r11");
	errno = result < 0 ? (int)-result : 0;
}
#endif

static void sockets(void)
{
	static const int allowed[] = { AF_UNIX, AF_INET, AF_INET6, AF_NETLINK };
	char name[64];
	int pair[2];

	for (int family = 0; family < 64; family++) {
		bool known = false;
		for (size_t i = 0; i < sizeof(allowed) / sizeof(*allowed); i++)
			known = known || family == allowed[i];
		snprintf(name, sizeof(name), "socket of family %d", family);
		if (!known)
			refused(name, socket(family, SOCK_RAW, 0), EAFNOSUPPORT);
		snprintf(name, sizeof(name), "pair of sockets of family %d", family);
		if (!known)
			refused(name, socketpair(family, SOCK_RAW, 0, pair), EAFNOSUPPORT);
	}
	refused("socket of family 17, upper half set",
	    syscall(SYS_socket, 1L << 32 | AF_PACKET, SOCK_RAW, 0), EAFNOSUPPORT);
	refused("raw socket", socket(AF_INET, SOCK_RAW, IPPROTO_ICMP), EPERM);
	refused("raw IPv6 socket", socket(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6), EPERM);
}

/* What would make a socket wait when it is closed. */
static void lingering(void)
{
	const struct linger on = { 1, 1 };
	int s = socket(AF_INET, SOCK_STREAM, 0), keep = 1;

	refused("SO_LINGER", setsockopt(s, SOL_SOCKET, SO_LINGER, &on, sizeof(on)), ENOSYS);
	refused("SO_LINGER, upper halves set",
	    syscall(
	        SYS_setsockopt, s, 1L << 32 | SOL_SOCKET, 1L << 32 | SO_LINGER, &on, sizeof(on)),
	    ENOSYS);
	refused("TCP_ULP", setsockopt(s, IPPROTO_TCP, TCP_ULP, "tls", 4), ENOSYS);
	refused("SMC", socket(AF_INET, SOCK_STREAM, 256), ENOSYS);
	succeeds("SO_KEEPALIVE", setsockopt(s, SOL_SOCKET, SO_KEEPALIVE, &keep, sizeof(keep)) == 0);
	close(s);
}

/* ---- privileges */

static void ids(void)
{
	uid_t real, effective, saved;

	getresuid(&real, &effective, &saved);
	printf("%u %u %u\n", real, effective, saved);
}

static void privileges(void)
{
	gid_t root = 0;

	refused("setuid(0)", setuid(0), 0);
	refused("setgid(0)", setgid(0), 0);
	refused("setgroups", setgroups(1, &root), 0);
	refused("setuid of csrss", setuid(999), 0);
	report(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1, "no_new_privs", "off");
	for (int capability = 0; capability <= 40; capability++)
		if (prctl(PR_CAPBSET_READ, capability, 0, 0, 0) != 0)
			report(false, "capability bounding set", "%d is in it", capability);
	refused(
	    "mknod of a block device", mknod("/tmp/block", S_IFBLK | 0600, makedev(8, 0)), EPERM);
	refused("mknod of /dev/mem", mknod("/tmp/mem", S_IFCHR | 0600, makedev(1, 1)), EPERM);
	refused("TIOCSTI", ioctl(STDIN_FILENO, TIOCSTI, "x"), ENOSYS);
	refused("TIOCSTI, upper half set",
	    syscall(SYS_ioctl, STDIN_FILENO, 1L << 32 | TIOCSTI, "x"), ENOSYS);
}

/* ---- other processes */

/* CONCEALED: its files in /proc are not its user's. */
static void process_untouchable(pid_t pid, const char *comm, bool concealed)
{
	static const char *const files[] = { "mem", "environ", "maps", "root/etc", "cwd/etc",
		"fd/0", "ns/mnt" };
	char name[64], path[64], byte;
	struct iovec here = { &byte, 1 }, there = { (void *)(uintptr_t)0x400000, 1 };

	snprintf(name, sizeof(name), "ptrace of %s", comm);
	refused(name, ptrace(PTRACE_ATTACH, pid, 0, 0), EPERM);
	snprintf(name, sizeof(name), "seizing %s", comm);
	refused(name, ptrace(PTRACE_SEIZE, pid, 0, 0), EPERM);
	snprintf(name, sizeof(name), "reading the memory of %s", comm);
	refused(name, process_vm_readv(pid, &here, 1, &there, 1, 0), EPERM);
	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
		snprintf(path, sizeof(path), "/proc/%d/%s", pid, files[i]);
		snprintf(name, sizeof(name), "opening %s of %s", files[i], comm);
		refused(name, open(path, O_RDONLY), 0);
	}
	snprintf(path, sizeof(path), "/proc/%d/map_files", pid);
	snprintf(name, sizeof(name), "opening map_files of %s", comm);
	if (concealed)
		refused(name, open(path, O_RDONLY), 0);
	snprintf(name, sizeof(name), "taking a descriptor of %s", comm);
	refused(name, syscall(SYS_pidfd_getfd, syscall(SYS_pidfd_open, pid, 0), 3, 0), ENOSYS);
}

/* The name of process PID into COMM. False where there is none. */
static bool name_of(pid_t pid, char *comm, size_t size)
{
	char path[64];
	ssize_t got;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	got = read(fd, comm, size - 1);
	close(fd);
	if (got <= 0)
		return false;
	comm[got] = 0;
	comm[strcspn(comm, "\n")] = 0;
	return true;
}

/* Every process there is can be seen here: those of the session, and no more. */
static void processes(void)
{
	/* a sanitizer handles SIGSEGV and its like: csrss does not */
	static const int signals[] = { SIGKILL, SIGTERM, SIGSTOP, SIGINT, SIGHUP, SIGQUIT, SIGABRT,
		SIGPIPE, SIGCHLD, SIGUSR1, SIGALRM, SIGTSTP };
	char comm[32];
	int seen = 0;

	for (pid_t pid = 1; pid < PROCESS_MAX; pid++) {
		if (!name_of(pid, comm, sizeof(comm)))
			continue;
		seen++;
		if (strcmp(comm, "csrss") == 0 || strcmp(comm, "winlogon") == 0)
			process_untouchable(pid, comm, true);
		else if (strcmp(comm, "sh") != 0 && strcmp(comm, "inside") != 0)
			report(false, "processes", "%d is %s", pid, comm);
	}
	report(seen >= 4, "csrss, winlogon, sh, inside", "%d are seen", seen);
	/* the kernel may answer yes for process 1, and does nothing then */
	for (size_t i = 0; i < sizeof(signals) / sizeof(*signals); i++)
		kill(1, signals[i]);
	report(kill(1, 0) == 0 || errno == EPERM, "csrss lives after signals", "it does not");
	refused("a signal to all but the session", kill(-1000000, SIGTERM), 0);
}

/* The id of a process named NAME, 0 where there is none. */
static pid_t find_process(const char *name)
{
	char comm[32];

	for (pid_t pid = 1; pid < PROCESS_MAX; pid++) {
		if (name_of(pid, comm, sizeof(comm)) && strcmp(comm, name) == 0)
			return pid;
	}
	return 0;
}

static void newcomer(const char *name)
{
	const struct timespec pause = { .tv_nsec = 1000000 };
	pid_t pid;

	printf("ok waits\n");
	fflush(stdout);
	while (!(pid = find_process(name)))
		nanosleep(&pause, NULL);
	process_untouchable(pid, name, false);
}

/* ---- files */

static void cannot_open(const char *path)
{
	char name[300];
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int s = socket(AF_UNIX, SOCK_SEQPACKET, 0);

	snprintf(name, sizeof(name), "reading %s", path);
	refused(name, open(path, O_RDONLY | O_NONBLOCK), 0);
	snprintf(name, sizeof(name), "writing %s", path);
	refused(name, open(path, O_WRONLY | O_NONBLOCK), 0);
	snprintf(name, sizeof(name), "connecting to %s", path);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	refused(name, connect(s, (struct sockaddr *)&address, sizeof(address)), 0);
	close(s);
}

/* Some files of /proc can be opened by everybody, and refuse what is written. */
static void cannot_write(const char *path)
{
	char name[300];
	int fd = open(path, O_WRONLY | O_NONBLOCK);

	snprintf(name, sizeof(name), "writing %s", path);
	refused(name, fd < 0 ? -1 : write(fd, "0", 1), 0);
	close(fd);
}

static void cannot_create(const char *directory)
{
	char name[64], path[64];

	snprintf(name, sizeof(name), "making a file in %s", directory);
	snprintf(path, sizeof(path), "%s/inside", directory);
	refused(name, open(path, O_WRONLY | O_CREAT, 0600), 0);
}

static bool is_listed(const char *const *list, const char *name)
{
	while (*list && strcmp(*list, name) != 0)
		list++;
	return *list;
}

/* DIRECTORY has no entries but those of LIST. */
static void holds_only(const char *directory, const char *const *list)
{
	DIR *d = opendir(directory);
	struct dirent *e;

	while (d && (e = readdir(d)))
		if (e->d_name[0] != '.' && !is_listed(list, e->d_name))
			report(false, directory, "it has %s", e->d_name);
	succeeds(directory, d);
	if (d)
		closedir(d);
}

static void files(void)
{
	static const char *const top[] = { "bin", "dev", "etc", "home", "lib", "lib32", "lib64",
		"libx32", "mnt", "opt", "proc", "root", "run", "sbin", "srv", "tmp", "usr", "var",
		NULL };
	static const char *const devices[] = { "fd", "full", "null", "ptmx", "pts", "random", "shm",
		"stderr", "stdin", "stdout", "tty", "urandom", "zero", NULL };
	static const char *const var[] = { "log", "run", "tmp", NULL };
	static const char *const run[] = { "Windows", "home", "session", "shm", "tmp", NULL };
	static const char *const none[] = { NULL };
	static const char *const absent[] = { "/etc/shadow", "/etc/gshadow", "/etc/ssl/private",
		"/etc/machine-id", "/dev/mem", "/dev/kmem", "/dev/kmsg", "/dev/vda", "/dev/sda",
		"/dev/loop0", "/dev/kvm", "/dev/fuse", "/dev/net/tun", "/dev/console", "/dev/tty0",
		"/proc/kcore", "/run/systemd/notify", "/run/dbus/system_bus_socket",
		"/sys/kernel" };
	static const char *const read_only[] = { "/dev/pts/ptmx/..", "/proc/sys/kernel/hostname",
		"/proc/sys/kernel/core_pattern", "/proc/sys/net/ipv4/ip_forward",
		"/proc/sys/kernel/ns_last_pid", "/proc/sysrq-trigger", "/proc/self/uid_map",
		"/proc/1/oom_score_adj", "/proc/self/oom_score_adj", "/opt/musess/bin/csrss",
		"/usr/bin/env", "/bin/sh", "/etc/hosts", "/etc/nsswitch.conf" };
	static const char *const directories[] = { "/", "/usr", "/usr/bin", "/etc", "/dev", "/opt",
		"/opt/musess", "/opt/musess/bin", "/proc", "/root", "/var", "/srv", "/mnt" };

	holds_only("/", top);
	holds_only("/dev", devices);
	holds_only("/var", var);
	holds_only("/var/log", none);
	holds_only("/run", run);
	holds_only("/root", none);
	for (size_t i = 0; i < sizeof(absent) / sizeof(*absent); i++)
		cannot_open(absent[i]);
	for (size_t i = 0; i < sizeof(read_only) / sizeof(*read_only); i++)
		cannot_write(read_only[i]);
	for (size_t i = 0; i < sizeof(directories) / sizeof(*directories); i++)
		cannot_create(directories[i]);
}

/* Nothing was handed down but the terminal, and no signal is ignored. */
static void inherited(void)
{
	static const char none[] = "0000000000000000";
	char line[128];
	FILE *status = fopen("/proc/self/status", "r");

	while (status && fgets(line, sizeof(line), status))
		if (strncmp(line, "SigBlk:", 7) == 0 || strncmp(line, "SigIgn:", 7) == 0)
			report(strncmp(line + 8, none, 16) == 0, "no signal is blocked or ignored",
			    "%s", line);
		else if (strncmp(line, "Cap", 3) == 0)
			report(strncmp(line + 8, none, 16) == 0, "no capability", "%s", line);
	if (status)
		fclose(status);
	for (int fd = 3; fd < 64; fd++)
		if (fcntl(fd, F_GETFD) >= 0)
			report(false, "no descriptor is handed down", "%d", fd);
}

static void forbidden(char **paths)
{
	inherited();
	filtered_calls();
	clones();
#ifdef __x86_64__
	other_kind("x32 system calls", call_x32);
	other_kind("i386 system calls", call_i386);
#endif
	sockets();
	lingering();
	privileges();
	processes();
	files();
	while (*paths)
		cannot_open(*paths++);
}

/* ---- the network */

static int reach(const char *address, int port)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	int s = socket(AF_INET, SOCK_STREAM, 0), result;

	inet_pton(AF_INET, address, &to.sin_addr);
	result = connect(s, (struct sockaddr *)&to, sizeof(to));
	close(s);
	return result;
}

static socklen_t abstract(struct sockaddr_un *address, const char *name)
{
	*address = (struct sockaddr_un){ .sun_family = AF_UNIX };
	strncpy(address->sun_path + 1, name, sizeof(address->sun_path) - 2);
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name));
}

static void network(int port, const char *name)
{
	struct sockaddr_un address;
	socklen_t size = abstract(&address, name);
	int s = socket(AF_UNIX, SOCK_STREAM, 0);

	refused("the host's loopback", reach("127.0.0.1", port), ECONNREFUSED);
	refused("the world", reach("192.0.2.1", port), ENETUNREACH);
	refused("the host's abstract socket", connect(s, (struct sockaddr *)&address, size),
	    ECONNREFUSED);
}

static int serve(const char *name)
{
	struct sockaddr_un address;
	socklen_t size = abstract(&address, name);
	int s = socket(AF_UNIX, SOCK_STREAM, 0);

	if (s < 0 || bind(s, (struct sockaddr *)&address, size) < 0 || listen(s, 1) < 0)
		return 1;
	printf("serves\n");
	fflush(stdout);
	pause();
	return 0;
}

/* A socket that nobody reads from, full, and made to wait for that when it is closed. */
static int full_socket(void)
{
	static const char block[65536];
	const struct linger wait = { 1, 20 };
	struct sockaddr_in address = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM, 0), s = socket(AF_INET, SOCK_STREAM, 0);

	if (bind(listener, (struct sockaddr *)&address, size) < 0 || listen(listener, 1) < 0 ||
	    getsockname(listener, (struct sockaddr *)&address, &size) < 0 ||
	    connect(s, (struct sockaddr *)&address, size) < 0)
		return -1;
	(void)!accept(listener, NULL, NULL); /* stays open */
	close(listener);
	while (send(s, block, sizeof(block), MSG_DONTWAIT) > 0)
		;
	setsockopt(s, SOL_SOCKET, SO_LINGER, &wait, sizeof(wait));
	return s;
}

/* Sends it to PORT; the copy that is under way there is the last. */
static void pass_full_socket(int port)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control = { .header = { CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS } };
	char byte = 0;
	struct iovec data = { &byte, 1 };
	struct msghdr m = { .msg_iov = &data,
		.msg_iovlen = 1,
		.msg_control = control.space,
		.msg_controllen = sizeof(control.space) };
	int s = full_socket();

	memcpy(CMSG_DATA(&control.header), &s, sizeof(s));
	report(s >= 0 && sendmsg(port, &m, MSG_NOSIGNAL) == 1, "a full socket goes to smss", "%s",
	    strerror(errno));
	close(s);
}

enum { FULL_SOCKET_EVERY = 1000 };

/* It is no subsystem: whatever it sends, it gets no answer. */
static void knock(int count)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = SM_PORT };
	char bytes[64] = { 0 };
	int answers = 0, failures = 0;

	for (int i = 0; i < count; i++) {
		int s = socket(AF_UNIX, SOCK_SEQPACKET, 0);

		if (connect(s, (struct sockaddr *)&address, sizeof(address)) < 0)
			failures++;
		else {
			if (i % FULL_SOCKET_EVERY == 0)
				pass_full_socket(s);
			(void)!send(s, bytes, sizeof(bytes), MSG_NOSIGNAL);
			answers += recv(s, bytes, sizeof(bytes), 0) > 0;
		}
		close(s);
	}
	report(
	    answers == 0 && failures == 0, "knock", "%d answers, %d failures", answers, failures);
}

/* ---- bounds */

static int fill_processes(void)
{
	static pid_t children[TASKS_MAX];
	int count = 0;

	while (count < TASKS_MAX && (children[count] = fork()) > 0)
		count++;
	if (count < TASKS_MAX && children[count] == 0) {
		pause();
		_exit(0);
	}
	for (int i = 0; i < count; i++) {
		kill(children[i], SIGKILL);
		waitpid(children[i], NULL, 0);
	}
	return count;
}

/* Megabytes until it is full, or cannot be written. */
static int fill_space(const char *path)
{
	static char block[1 << 20] = { 1 };
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600), count = 0;

	while (count < FULL_MB && write(fd, block, sizeof(block)) == sizeof(block))
		count++;
	close(fd);
	unlink(path);
	return count;
}

static int fill_inodes(void)
{
	char path[64];
	int count = 0, fd;

	for (; count < FILES_MAX; count++) {
		snprintf(path, sizeof(path), "/tmp/file-%d", count);
		fd = open(path, O_WRONLY | O_CREAT, 0600);
		if (fd < 0)
			break;
		close(fd);
	}
	for (int i = 0; i < count; i++) {
		snprintf(path, sizeof(path), "/tmp/file-%d", i);
		unlink(path);
	}
	return count;
}

/* A program that crashes leaves no dump: neither a file nor one piped to the host, which
   a limit of 1 prevents and one of 0 does not. */
static void crash(void)
{
	struct rlimit limit = { 0 };
	int status = 0;
	pid_t pid;

	setrlimit(RLIMIT_CORE, &limit);
	pid = fork();
	if (pid == 0)
		abort();
	waitpid(pid, &status, 0);
	report(WIFSIGNALED(status) && !WCOREDUMP(status), "no dump of a crash", "%x", status);
	getrlimit(RLIMIT_CORE, &limit);
	report(limit.rlim_cur == 1 && limit.rlim_max == 1, "the limit of dumps", "%lu %lu",
	    (unsigned long)limit.rlim_cur, (unsigned long)limit.rlim_max);
}

/* The space in DIRECTORY ends, and is no disk's. */
static void bounded_space(const char *directory)
{
	char name[64], path[64];
	struct statfs s = { 0 };
	int count;

	snprintf(path, sizeof(path), "%s/full", directory);
	snprintf(name, sizeof(name), "filling %s", directory);
	count = fill_space(path);
	report(count > 64 && count <= 128, name, "%d MB", count);
	statfs(directory, &s);
	report(s.f_type == TMPFS_MAGIC, directory, "it is of type %lx", (long)s.f_type);
}

/* What belongs to no process is to be had only where the session as a whole has a limit. */
static void no_ones_memory(bool bounded)
{
	const struct {
		const char *name;
		int result;
	} tries[] = { { "memfd_create", memfd_create("inside", MFD_CLOEXEC) },
		{ "shmget", shmget(IPC_PRIVATE, 4096, 0600) },
		{ "msgget", msgget(IPC_PRIVATE, 0600) } };

	for (size_t i = 0; i < sizeof(tries) / sizeof(*tries); i++)
		if (bounded)
			report(tries[i].result >= 0, tries[i].name, "it is refused");
		else
			report(tries[i].result < 0, tries[i].name, "it succeeded");
}

enum { DESCRIPTORS = 250 }; /* a message has 253 at most */

/* Sends descriptors that nobody receives, until it may not. Returns how many. */
static int send_descriptors(void)
{
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(DESCRIPTORS * sizeof(int))];
	} control = { .header = { CMSG_LEN(DESCRIPTORS * sizeof(int)), SOL_SOCKET, SCM_RIGHTS } };
	struct iovec byte = { (char[]){ 'x' }, 1 };
	struct msghdr message = { .msg_iov = &byte,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control) };
	int count = 0, pair[2];

	for (int i = 0; i < DESCRIPTORS; i++)
		memcpy(CMSG_DATA(&control.header) + i * sizeof(int), &(int){ 0 }, sizeof(int));
	while (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) == 0)
		while (sendmsg(pair[0], &message, MSG_DONTWAIT) == 1)
			count += DESCRIPTORS;
	return count;
}

/* Stays, with as many descriptors under way as one program can have. */
static void flight(void)
{
	struct rlimit files;
	int count;

	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	count = send_descriptors();
	report((rlim_t)count > files.rlim_max, "descriptors under way", "%d of %d", count,
	    (int)files.rlim_max);
	fflush(stdout);
	pause();
}

static int fill_terminals(void)
{
	int count = 0;

	while (count < 1000 && posix_openpt(O_RDWR | O_NOCTTY) >= 0)
		count++;
	return count;
}

static void bounded(int tasks)
{
	int count = fill_processes();

	report(count > tasks / 2 && count < tasks, "as many processes as allowed", "%d", count);
	bounded_space("/tmp");
	bounded_space("/dev/shm");
	bounded_space("/run/session");
	bounded_space("/home/system");
	count = fill_inodes();
	report(count > 1000 && count <= 32768, "as many files as allowed", "%d", count);
	count = fill_terminals();
	report(count > 8 && count < 32, "as many terminals as allowed", "%d", count);
	crash();
}

/* ---- what works */

static void *thread(void *argument)
{
	*(int *)argument = 1;
	return NULL;
}

static bool talk_tcp(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM, 0), peer;
	char byte = 0;
	pid_t pid;

	if (bind(listener, (struct sockaddr *)&address, size) < 0 || listen(listener, 1) < 0 ||
	    getsockname(listener, (struct sockaddr *)&address, &size) < 0)
		return false;
	pid = fork();
	if (pid == 0) {
		int s = socket(AF_INET, SOCK_STREAM, 0);
		if (connect(s, (struct sockaddr *)&address, size) == 0)
			(void)!write(s, "x", 1);
		_exit(0);
	}
	peer = accept(listener, NULL, NULL);
	if (read(peer, &byte, 1) < 0)
		byte = 0;
	close(peer);
	close(listener);
	waitpid(pid, NULL, 0);
	return byte == 'x';
}

/* What a debugger does with its child. */
static bool trace_child(void)
{
	pid_t pid = fork();
	int status = 0;

	if (pid == 0) {
		ptrace(PTRACE_TRACEME, 0, 0, 0);
		raise(SIGSTOP);
		_exit(7);
	}
	if (waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status) ||
	    ptrace(PTRACE_SYSCALL, pid, 0, 0) < 0 || waitpid(pid, &status, 0) != pid ||
	    !WIFSTOPPED(status) || ptrace(PTRACE_CONT, pid, 0, 0) < 0 ||
	    waitpid(pid, &status, 0) != pid)
		return false;
	return WIFEXITED(status) && WEXITSTATUS(status) == 7;
}

static bool can_write(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT, 0600);
	bool good = fd >= 0 && write(fd, "x", 1) == 1;

	close(fd);
	return good;
}

static bool shared_memory(void)
{
	int fd = shm_open("/inside", O_RDWR | O_CREAT, 0600);
	bool good = fd >= 0 && ftruncate(fd, 4096) == 0 &&
	            mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) != MAP_FAILED;

	close(fd);
	return good && shm_unlink("/inside") == 0;
}

static void works(void)
{
	char path[128], host[64];
	struct utsname name;
	pthread_t id;
	int done = 0;

	succeeds("a thread",
	    pthread_create(&id, NULL, thread, &done) == 0 && pthread_join(id, NULL) == 0 && done);
	succeeds("/tmp", can_write("/tmp/works") && unlink("/tmp/works") == 0);
	succeeds("/var/tmp", can_write("/var/tmp/works") && unlink("/var/tmp/works") == 0);
	snprintf(path, sizeof(path), "%s/works", getenv("HOME") ? getenv("HOME") : "");
	succeeds("the home directory", can_write(path) && unlink(path) == 0);
	succeeds("/dev/null", can_write("/dev/null"));
	succeeds("/dev/tty", can_write("/dev/tty"));
	succeeds("shared memory", shared_memory());
	succeeds("TCP on the loopback interface", talk_tcp());
	succeeds("ptrace of a child", trace_child());
	snprintf(
	    host, sizeof(host), "session-%s", getenv("MUSESSIONID") ? getenv("MUSESSIONID") : "");
	uname(&name);
	report(strcmp(name.nodename, host) == 0, "the host name", "%s", name.nodename);
}

static int number(const char *text)
{
	return (int)strtol(text, NULL, 10);
}

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "ids") == 0)
		ids();
	else if (argc == 3 && strcmp(argv[1], "serve") == 0)
		return serve(argv[2]);
	else if (getenv("MUSESSIONID") == NULL)
		return 2; /* the rest is not for the host */
	else if (argc >= 2 && strcmp(argv[1], "forbidden") == 0)
		forbidden(argv + 2);
	else if (argc == 2 && strcmp(argv[1], "works") == 0)
		works();
	else if (argc == 3 && strcmp(argv[1], "bounded") == 0)
		bounded(number(argv[2]));
	else if (argc == 3 && strcmp(argv[1], "memory") == 0)
		no_ones_memory(strcmp(argv[2], "bounded") == 0);
	else if (argc == 2 && strcmp(argv[1], "flight") == 0)
		flight();
	else if (argc == 3 && strcmp(argv[1], "newcomer") == 0)
		newcomer(argv[2]);
	else if (argc == 4 && strcmp(argv[1], "network") == 0)
		network(number(argv[2]), argv[3]);
	else if (argc == 3 && strcmp(argv[1], "knock") == 0)
		knock(number(argv[2]));
	else
		return 2;
	return all_well ? 0 : 1;
}
