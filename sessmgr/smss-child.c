/*
 * What the processes that smss forks do before they execute their programs. What goes wrong
 * in one of a session is told in its place of the session space, for such a process has no log
 * yet; in one of the service it is a log line.
 *
 *   csrss            a child in new namespaces, suspended without a descriptor until smss
 *                    knows it; then it mounts what is its session's own
 *   another          forked by the short-lived smss, which has joined csrss's namespaces
 *     subsystem      (smss itself never does); suspended likewise
 *   initial command  likewise, but not suspended: whoever forks it waits until it has executed
 *   short-lived      one per session: does orders, reports, leaves; what it started has smss
 *     smss           for its parent then
 */
#include "fault.h"
#include "filter.h"
#include "log.h"
#include "smss.h"
#include "spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <linux/futex.h>
#include <linux/sched.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { NOBODY_ID = 65534, ARGUMENTS_MAX = 64 };

/* Descriptors. A process may not pass one on while its user has more than its own limit under
   way, and in user mode all sessions are one user: csrss has more than programs can fill. */
/* In user mode fewer than the 1,024 that the user's programs outside have most often: open-files.h. */
enum { PROGRAM_FILES = 1024, SHARED_PROGRAM_FILES = 512, USER_FILES = 4096, CSRSS_FILES = 65536 };

const uint64_t child_session_namespaces = CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS |
                                          CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS |
                                          CLONE_NEWCGROUP;

static char *const session_environment[] = { "PATH=/usr/local/bin:/usr/bin:/bin", NULL };

int child_prepare(const struct smss *smss)
{
	if (filter_prepare(cgroup_bounds_memory(smss->cgroup)) == 0)
		return 0;
	log_error("cannot build the sessions' system call filter: %s", strerror(errno));
	return -1;
}

/* Whether PID is a zombie, or gone. errno stays. */
static bool has_ended(pid_t pid)
{
	int error = errno;
	char state = process_state(pid);

	errno = error;
	return state == 0 || state == 'Z' || state == 'X';
}

static int put_file(pid_t pid, const char *name, const char *text)
{
	char path[64];
	int fd, result;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	result = fd < 0 || write(fd, text, strlen(text)) < 0 ? -1 : 0;
	/* the files of a process that has ended are not its owner's any more: that is no refusal */
	if (result < 0 && has_ended(pid))
		errno = ESRCH;
	fd_close(&fd);
	return result;
}

int child_map_ids(const struct smss *smss, pid_t pid, const char *map)
{
	if (!smss->privileged && put_file(pid, "setgroups", "deny") < 0)
		return -1;
	return put_file(pid, "uid_map", map) < 0 || put_file(pid, "gid_map", map) < 0 ? -1 : 0;
}

int child_map_session(const struct session *session, pid_t pid)
{
	uint32_t first = HOST_ID_FIRST + SERVICE_IDS + session->slot * HOST_ID_SPAN;
	char map[64];

	if (session->smss->privileged)
		snprintf(map, sizeof(map), "0 %u %u\n%u %u 1\n", first, HOST_ID_SPAN - 1, NOBODY_ID,
		    first + HOST_ID_SPAN - 1);
	else
		snprintf(map, sizeof(map), "%u 0 1\n", USER_UID);
	if (fault("map-ids", session->id))
		return -1;
	return child_map_ids(session->smss, pid, map);
}

/* Where this process, which is to execute a session's program, tells what failed. */
static struct process_start *own_start;

void child_end_before_services(void)
{
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	(void)!write(fd, "500", 3);
	close(fd);
}

static void reset_signals(void)
{
	static const int reset[] = { SIGINT, SIGTERM, SIGQUIT, SIGCHLD, SIGPIPE, SIGHUP };
	sigset_t none;

	for (size_t i = 0; i < sizeof(reset) / sizeof(*reset); i++)
		signal(reset[i], SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

pid_t child_spawn(uint64_t flags, int cgroup, pid_t *told, int *pidfd)
{
	struct clone_args args = { .flags = flags, .exit_signal = pidfd ? 0 : SIGCHLD };
	pid_t pid;

	if (pidfd) {
		args.flags |= CLONE_PIDFD;
		args.pidfd = (uintptr_t)pidfd;
	}
	if (told) {
		args.flags |= CLONE_PARENT_SETTID;
		args.parent_tid = (uintptr_t)told;
	}
	if (cgroup >= 0) {
		args.flags |= CLONE_INTO_CGROUP;
		args.cgroup = (uint64_t)cgroup;
	}
	pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
	if (pid != 0)
		return pid;
	setsid();
	reset_signals();
	return 0;
}

static void null_input(void)
{
	int null = open("/dev/null", O_RDWR);

	if (null > 0)
		dup2(null, STDIN_FILENO);
}

_Noreturn static void die(const char *what)
{
	if (own_start) {
		own_start->error = errno;
		snprintf(own_start->what, sizeof(own_start->what), "%s", what);
	} else {
		log_error("cannot set up: %s: %s", what, strerror(errno));
	}
	_exit(1);
}

/* The program could not be executed. */
_Noreturn static void die_executing(const char *image)
{
	if (own_start)
		own_start->executing = true;
	die(image);
}

/* For a place where a test may have this process fail, hang or be killed. */
static void step(const char *name, const struct session *session)
{
	if (fault(name, session->id))
		die(name);
}

/* For a process without descriptors. */
static void null_all(void)
{
	if (open("/dev/null", O_RDWR) != 0 || dup(0) != 1 || dup(0) != 2)
		die("/dev/null");
}

/*
 * The child's side of "suspended": no instruction of its program has run, and it has no
 * descriptor (the transcript, lines 173 to 175: HandleCount 0).
 */
static void suspend(const struct session *session, struct process_start *start)
{
	const struct timespec limit = { .tv_sec = 60 }; /* should smss end before the next line */

	own_start = start;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (syscall(SYS_close_range, 0, ~0u, 0) < 0)
		die("its descriptors");
	step("suspended", session);
	while (atomic_load(&start->state) == PROCESS_SUSPENDED)
		if (syscall(SYS_futex, &start->state, FUTEX_WAIT, PROCESS_SUSPENDED, &limit) < 0 &&
		    errno == ETIMEDOUT)
			_exit(1);
	/* whoever created it may leave from here on */
	prctl(PR_SET_PDEATHSIG, 0);
	step("released", session);
}

/* Becomes ID of the user namespace. Capabilities stay only where that is 0. */
static void become(bool privileged, uid_t id)
{
	if (!privileged)
		return; /* there is but one id */
	if (syscall(SYS_setgroups, 0, NULL) < 0 || syscall(SYS_setresgid, id, id, id) < 0 ||
	    syscall(SYS_setresuid, id, id, id) < 0)
		die("ids");
}

/* For good: no exec regains what is gone from the bounding set. One capability stays, over the execution
   of a program that is musess's OWN (conceal.h). */
static void drop_to(bool privileged, uid_t id, bool own)
{
	const uint32_t kept = own ? 1u << CAP_NET_BIND_SERVICE : 0;
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct set[_LINUX_CAPABILITY_U32S_3] = { { 0, 0, 0 } };

	/* what is inherited has to be in the bounding set when it becomes so */
	if (syscall(SYS_capget, &header, set) < 0)
		die("capabilities");
	set[0].inheritable = kept;
	set[1].inheritable = 0;
	if (syscall(SYS_capset, &header, set) < 0)
		die("capabilities");
	for (int capability = 0; prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) == 0; capability++)
		;
	prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0); /* until the next line but one */
	become(privileged, id);
	set[0] = (struct __user_cap_data_struct){ kept, kept, kept };
	set[1] = (struct __user_cap_data_struct){ 0, 0, 0 };
	if (syscall(SYS_capset, &header, set) < 0 ||
	    (own && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_NET_BIND_SERVICE, 0, 0) < 0))
		die("capabilities");
}

/*
 * A session's limits. Processes, signals and message queues are counted per user and user
 * namespace (from Linux 5.14 on), so that in user mode, too, they are each session's.
 */
static void limit(const struct musess_config *config, const struct rlimit *files)
{
	const rlim_t tasks = config->TasksMax;
	const struct {
		int resource;
		struct rlimit limit;
	} limits[] = { { RLIMIT_NOFILE, *files }, { RLIMIT_NPROC, { tasks, tasks } },
		{ RLIMIT_SIGPENDING, { 4096, 4096 } }, { RLIMIT_MSGQUEUE, { 131072, 131072 } },
		{ RLIMIT_MEMLOCK, { 65536, 65536 } }, { RLIMIT_RTPRIO, { 0, 0 } },
		{ RLIMIT_NICE, { 0, 0 } },
		/* filter.c says why not 0 */
		{ RLIMIT_CORE, { 1, 1 } } };
	struct rlimit old;

	for (size_t i = 0; i < sizeof(limits) / sizeof(*limits); i++) {
		struct rlimit new = limits[i].limit;
		/* in user mode the host's may be lower */
		if (getrlimit(limits[i].resource, &old) == 0 && old.rlim_max < new.rlim_max)
			new.rlim_max = old.rlim_max;
		if (new.rlim_cur > new.rlim_max)
			new.rlim_cur = new.rlim_max;
		if (setrlimit(limits[i].resource, &new) < 0)
			die("limits");
	}
}

/* In a session, as the user's side of it: no way to more privileges from here on. FILES is
   how many descriptors it may have; OWN: what it executes is a program of musess's. */
static void lock_in(const struct smss *smss, uid_t id, rlim_t files, bool own)
{
	const rlim_t programs = smss->privileged ? PROGRAM_FILES : SHARED_PROGRAM_FILES;
	const struct rlimit limits = { programs, own ? files : programs };

	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); /* a copy of smss, with its memory, until it executes */
	limit(smss->config, &limits);
	drop_to(smss->privileged, id, own);
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); /* to change ids may have set it */
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || filter_load() < 0)
		die("system call filter");
}

static void make_directory(const char *path, mode_t mode, uid_t owner, bool own)
{
	if (mkdir(path, mode) < 0 || (own && chown(path, owner, owner) < 0))
		die(path);
}

/* The mounts that are a session's own; all else came with the copy of smss's root. */
static void session_mounts(bool privileged)
{
	static const char *binds[][2] = { { "/run/tmp", "/tmp" }, { "/run/home", "/home" },
		{ "/run/shm", "/dev/shm" } };
	const unsigned long flags = MS_NOSUID | MS_NODEV;

	if (mount("tmpfs", "/run", "tmpfs", flags, "mode=755,size=128m,nr_inodes=32k") < 0)
		die("/run");
	umask(0);
	make_directory("/run/tmp", 01777, 0, false);
	make_directory("/run/shm", 01777, 0, false);
	make_directory("/run/home", 0755, USER_UID, privileged);
	make_directory("/run/session", 0755, USER_UID, privileged);
	make_directory("/run/Windows", 0755, CSRSS_UID, privileged);
	umask(022);
	for (size_t i = 0; i < sizeof(binds) / sizeof(*binds); i++)
		if (mount(binds[i][0], binds[i][1], NULL, MS_BIND, NULL) < 0)
			die(binds[i][1]);
	/* read-only: in oom_score_adj programs could ask to be spared when memory is short */
	if (mount("proc", "/proc", "proc", flags | MS_NOEXEC | MS_RDONLY, NULL) < 0)
		die("/proc");
	if (mount("devpts", "/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC,
	        "newinstance,ptmxmode=0666,mode=620,uid=1000,gid=1000,max=32") < 0)
		die("/dev/pts");
}

static void loopback_up(void)
{
	struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (s < 0 || ioctl(s, SIOCSIFFLAGS, &request) < 0)
		die("the loopback interface");
	close(s);
}

/* Whether COMMAND is a program of musess's own. */
static bool is_own(const char *command)
{
	return command[strspn(command, " \t")] != '/';
}

/* Executes COMMAND, a program (of musess's own, or an absolute path) and its arguments, with
   the session's id before these. */
_Noreturn static void execute_command(const struct session *session, const char *command)
{
	char text[OPTION_TEXT_SIZE], image[OPTION_TEXT_SIZE + sizeof(ROOT_BIN)], id[16];
	char *argv[ARGUMENTS_MAX + 2], *rest = NULL;
	int count = 1;

	snprintf(text, sizeof(text), "%s", command);
	snprintf(id, sizeof(id), "%u", session->id);
	argv[0] = strtok_r(text, " \t", &rest);
	if (!argv[0]) {
		errno = ENOENT;
		die_executing("an empty command");
	}
	snprintf(image, sizeof(image), "%s%s", is_own(argv[0]) ? ROOT_BIN "/" : "", argv[0]);
	argv[count++] = id;
	while (count <= ARGUMENTS_MAX && (argv[count] = strtok_r(NULL, " \t", &rest)))
		count++;
	argv[count] = NULL;
	step("execute", session);
	execve(image, argv, session_environment);
	die_executing(image);
}

_Noreturn void child_windows(const struct session *session, const struct process_order *order)
{
	const struct smss *smss = session->smss;
	char host[32];

	prctl(PR_SET_NAME, "csrss");
	suspend(session, &session->space->starts[order->start]);
	become(smss->privileged, 0);
	snprintf(host, sizeof(host), "session-%u", session->id);
	step("host-name", session);
	if (sethostname(host, strlen(host)) < 0)
		die("the host name");
	step("loopback", session);
	loopback_up();
	step("mounts", session);
	session_mounts(smss->privileged);
	null_all();
	step("lock-in", session);
	lock_in(smss, CSRSS_UID, CSRSS_FILES, is_own(order->command));
	execute_command(session, order->command);
}

/* ---- the short-lived smss ---- */

/* In the session's namespaces: another subsystem. */
_Noreturn static void subsystem_child(
    const struct session *session, const struct process_order *order)
{
	suspend(session, &session->space->starts[order->start]);
	step("subsystem", session);
	setsid();
	become(session->smss->privileged, 0);
	null_all();
	umask(022);
	lock_in(session->smss, USER_UID, USER_FILES, is_own(order->command));
	execute_command(session, order->command);
}

/* What a child is told. */
struct child {
	const struct session *session;
	const struct process_order *order;
};

/* It shares the short-lived smss's memory. While it is suspended it makes no call that fails, and
   once it is released the short-lived smss has reported, and waits. */
static int windows_child(void *argument)
{
	const struct child *child = argument;

	setsid();
	reset_signals();
	child_windows(child->session, child->order);
}

/* In the session's namespaces: winlogon. */
static int initial_child(void *argument)
{
	const struct session *session = ((struct child *)argument)->session;
	const struct process_order *order = ((struct child *)argument)->order;
	const struct smss *smss = session->smss;
	char id[16];
	char *argv[] = { "winlogon", id, (char *)(uintptr_t)smss->config->InitialProgram,
		session->command[0] ? (char *)(uintptr_t)session->command : NULL, NULL };

	own_start = &session->space->starts[order->start];
	setsid();
	reset_signals();
	step("initial-command", session);
	become(smss->privileged, 0);
	snprintf(id, sizeof(id), "%u", session->id);
	null_input();
	log_leave();
	if (syscall(SYS_close_range, 3, ~0u, 0) < 0)
		die("descriptors");
	umask(022);
	lock_in(smss, USER_UID, USER_FILES, true);
	step("execute-initial-command", session);
	execve(ROOT_BIN "/winlogon", argv, session_environment);
	die_executing(ROOT_BIN "/winlogon");
}

/* csrss by its pidfd, opened while it is known to be the one: 0 or -1 with errno. */
static int join(const struct session *session, pid_t windows)
{
	int pidfd, result;

	if (fault("join", session->id))
		return -1;
	pidfd = (int)syscall(SYS_pidfd_open, windows, 0);
	if (pidfd < 0)
		return -1;
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); /* in user mode the session's programs have its id */
	result = setns(pidfd, (int)child_session_namespaces);
	close(pidfd);
	return result < 0 || chdir("/") < 0 ? -1 : 0;
}

static pid_t create_windows(const struct session *session, const struct process_order *order)
{
	SPAWN_STACK_OF(stack);
	static struct process_order kept; /* until it has executed */
	static struct child child;
	struct process_start *start = &session->space->starts[order->start];
	pid_t pid;
	int error;

	kept = *order;
	child = (struct child){ session, &kept };
	pid = spawn_sharing(windows_child, &child, stack, child_session_namespaces, &start->pid);
	if (pid < 0 || child_map_session(session, pid) == 0)
		return pid;
	error = errno;
	kill(pid, SIGKILL);
	/* before it is reaped: smss may ask, and finds no number that is another's */
	start->pid = 0;
	waitpid(pid, NULL, 0);
	errno = error;
	return -1;
}

static pid_t create_subsystem(const struct session *session, const struct process_order *order)
{
	pid_t pid = child_spawn(0, -1, &session->space->starts[order->start].pid, NULL);

	if (pid == 0)
		subsystem_child(session, order);
	return pid;
}

/* Whether PID executes winlogon: the name changes with the program. */
static bool is_winlogon(int proc, pid_t pid)
{
	char path[32], name[16] = "";
	int fd;

	snprintf(path, sizeof(path), "%d/comm", pid);
	fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	if (read(fd, name, sizeof(name) - 1) < 0)
		name[0] = 0;
	close(fd);
	return strcmp(name, "winlogon\n") == 0;
}

/* A child that is still to be reaped. */
static bool is_to_be_reaped(pid_t pid)
{
	siginfo_t info = { 0 };

	return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
	       info.si_pid == pid;
}

/* clone returns when winlogon has executed its program, or ends before: the report says that
   the initial command runs. It may have ended since, as its command has: that is smss's to learn
   when it reaps it. PROC is the host's /proc. */
static pid_t create_initial(
    const struct session *session, const struct process_order *order, int proc)
{
	SPAWN_STACK_OF(stack);
	struct process_start *start = &session->space->starts[order->start];
	struct child child = { session, order };
	pid_t pid = spawn_sharing(initial_child, &child, stack, CLONE_VFORK, &start->pid);

	/* at that moment it neither has its name nor has ended: that follows */
	for (bool ended = false; pid > 0 && !ended; usleep(20)) {
		ended = is_to_be_reaped(pid);
		if (is_winlogon(proc, pid))
			return pid;
	}
	start->pid = 0; /* as above */
	if (pid < 0)
		return pid;
	waitpid(pid, NULL, 0);
	errno = start->what[0] ? start->error : ECHILD; /* killed */
	return -1;
}

static void obey(
    const struct session *session, int port, int proc, const struct process_order *order)
{
	struct process_report report = { .kind = order->kind, .start = order->start };
	static bool joined;

	fault_kind(order->kind);
	errno = 0;
	report.pid = 0;
	if (fault("order", session->id)) {
		report.pid = -1;
	} else if (order->kind != PROCESS_WINDOWS && !joined) {
		report.pid = join(session, order->windows);
		joined = report.pid == 0;
	}
	if (report.pid == 0 && fault("clone", session->id))
		report.pid = -1;
	if (report.pid == 0)
		report.pid = order->kind == PROCESS_WINDOWS ? create_windows(session, order)
		             : order->kind == PROCESS_SUBSYSTEM
		                 ? create_subsystem(session, order)
		                 : create_initial(session, order, proc);
	report.error = report.pid < 0 ? errno : 0;
	if (fault("report", session->id) ||
	    send(port, &report, sizeof(report), MSG_NOSIGNAL) != sizeof(report))
		_exit(1);
}

/* A child of this one has ended, of which smss learns when it becomes smss's. */
static void on_child(int number)
{
	(void)number;
	_exit(0);
}

/* Waits for an order; only here it leaves because a child has ended. 0, or -1: no more. */
static int await_order(int port, struct process_order *order)
{
	struct pollfd readable = { .fd = port, .events = POLLIN };
	sigset_t none;

	sigemptyset(&none);
	while (ppoll(&readable, 1, NULL, &none) < 0 && errno == EINTR)
		;
	return recv(port, order, sizeof(*order), 0) == sizeof(*order) ? 0 : -1;
}

_Noreturn void child_creator(const struct session *session, int port)
{
	struct process_order order;
	sigset_t child;
	int proc;

	/* up to here its descriptors are smss's own */
	if (syscall(SYS_close_range, port + 1, ~0u, CLOSE_RANGE_UNSHARE) < 0)
		_exit(1);
	log_session(session->id);
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_BLOCK, &child, NULL);
	signal(SIGCHLD, on_child);
	child_end_before_services();
	/* clients of smss must see their end when smss closes their ports */
	if (dup2(port, 3) != 3 || syscall(SYS_close_range, 4, ~0u, 0) < 0)
		_exit(1);
	proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (proc < 0 || fault("creator", session->id))
		_exit(1);
	do {
		if (await_order(3, &order) < 0)
			_exit(0); /* smss has no more to do for it, or is gone */
		obey(session, 3, proc, &order);
	} while (!order.last);
	_exit(0);
}

/* ---- lsass, termsrv ---- */

static void await_go(int go)
{
	char byte;

	if (read(go, &byte, 1) != 1)
		_exit(1); /* smss gave up */
}

_Noreturn void child_service(
    const struct smss *smss, unsigned which, const char *image, int go, const int *fds)
{
	bool patterns =
	    which == SERVICE_LSASS && (smss->config->AccountPatterns || smss->lab_account);
	char *argv[] = { (char *)(uintptr_t)smss->services[which].name,
		patterns ? LSASS_PATTERNS : NULL, NULL };
	char *environment[] = { "PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8", "TZ=:/etc/localtime",
		"HOME=/", /* FreeRDP's settings want one */
		/* workers are forked with every function found: where no file can be opened,
		   none has to be */
		"LD_BIND_NOW=1",
		/* one process, one connection: arenas and a large heap only cost memory */
		"MALLOC_ARENA_MAX=1",
		/* libevent's: as smss.c's create_base */
		smss->privileged ? NULL : "EVENT_NOEPOLL=1", NULL };
	int high[SERVICE_FDS];

	prctl(PR_SET_NAME, argv[0]);
	await_go(go);
	become(smss->privileged, 0);
	null_input();
	for (int i = 0; i < SERVICE_FDS; i++) /* out of the way of their new numbers */
		high[i] = fcntl(fds[i] < 0 ? STDIN_FILENO : fds[i], F_DUPFD, 3 + SERVICE_FDS);
	for (int i = 0; i < SERVICE_FDS; i++)
		if (dup2(high[i], 3 + i) < 0)
			die("descriptors");
	syscall(SYS_close_range, 3 + SERVICE_FDS, ~0u, 0);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL); /* the next smss has its own, at the same port */
	execve(image, argv, environment);
	die(image);
}
