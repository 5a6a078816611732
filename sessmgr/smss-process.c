/*
 * Process creation. smss never joins a session's namespaces and never waits: a child
 * prepares itself, and what goes wrong in it is a log line and its exit status.
 *
 * Host ids, where smss may set them (privileged): a block per session slot, and one for
 * the service processes.
 *   HOST_ID_FIRST + slot * HOST_ID_SPAN ..   a session's 0 to HOST_ID_SPAN - 2
 *   the block's last                         a session's 65534 (nobody)
 * In user mode a session knows one id, USER_UID, which is this user.
 */
#include "filter.h"
#include "log.h"
#include "smss.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/futex.h>
#include <linux/sched.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { NOBODY_ID = 65534, SERVICE_IDS = 16 };

/* Descriptors. A process may not pass one on while its user has more than its own limit under
   way, and in user mode all sessions are one user: csrss has more than programs can fill. */
enum { USER_FILES = 4096, CSRSS_FILES = 65536 };

#define SESSION_NAMESPACES                                                                         \
	(CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | \
	    CLONE_NEWCGROUP)

/* Where in each service's block of ids its own begin, and its namespaces. */
static const struct {
	const char *image;
	unsigned host_id; /* offset in the service block */
	unsigned ids;
	uint64_t namespaces;
} services[SERVICE_COUNT] = {
	[SERVICE_LSASS] = { ROOT_BIN "/lsass", 0, 1,
	    CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS |
	        CLONE_NEWPID },
	/* the network is termsrv's job; its workers get namespaces from it */
	[SERVICE_TERMSRV] = { ROOT_BIN "/termsrv", 1, 2,
	    CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS },
};

static char *const session_environment[] = { "PATH=/usr/local/bin:/usr/bin:/bin", NULL };
static char *const service_environment[] = { "PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8",
	"TZ=:/etc/localtime", "HOME=/", /* FreeRDP's settings want one */
	/* one process, one connection: arenas and a large heap only cost memory */
	"MALLOC_ARENA_MAX=1", NULL };

int process_init(void)
{
	if (filter_prepare() == 0)
		return 0;
	log_error("cannot build the sessions' system call filter: %s", strerror(errno));
	return -1;
}

uid_t process_service_uid(const struct smss *smss, unsigned which)
{
	return smss->privileged ? HOST_ID_FIRST + services[which].host_id : 0;
}

static int put_file(pid_t pid, const char *name, const char *text)
{
	char path[64];
	int fd, result;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	result = write(fd, text, strlen(text)) < 0 ? -1 : 0;
	close(fd);
	return result;
}

/* Writes the id maps of PID, a child in a new user namespace. */
static int map_ids(const struct smss *smss, pid_t pid, const char *map)
{
	if (!smss->privileged && put_file(pid, "setgroups", "deny") < 0)
		return -1;
	return put_file(pid, "uid_map", map) < 0 || put_file(pid, "gid_map", map) < 0 ? -1 : 0;
}

static void session_map(const struct smss *smss, uint32_t slot, char *map, size_t size)
{
	uint32_t first = HOST_ID_FIRST + SERVICE_IDS + slot * HOST_ID_SPAN;

	if (smss->privileged)
		snprintf(map, size, "0 %u %u\n%u %u 1\n", first, HOST_ID_SPAN - 1, NOBODY_ID,
		    first + HOST_ID_SPAN - 1);
	else
		snprintf(map, size, "%u 0 1\n", USER_UID);
}

/* The page of the session process that this is until it has executed its program. */
static struct process_start *own_start;

static void await_go(int go)
{
	char byte;

	if (read(go, &byte, 1) != 1)
		_exit(1); /* smss gave up */
}

/* Where memory is out the kernel ends sessions before services. */
static void end_before_services(void)
{
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	(void)!write(fd, "500", 3);
	close(fd);
}

/*
 * clone3 with what all children have in common: a new session of the terminal (signals
 * from a keyboard are smss's alone), default signals, standard input from nowhere.
 */
static pid_t spawn(uint64_t flags, int cgroup, int *pidfd)
{
	static const int reset[] = { SIGINT, SIGTERM, SIGQUIT, SIGCHLD, SIGPIPE, SIGHUP };
	struct clone_args args = { .flags = flags, .exit_signal = SIGCHLD };
	pid_t pid;

	if (pidfd) {
		args.flags |= CLONE_PIDFD;
		args.pidfd = (uintptr_t)pidfd;
	}
	if (cgroup >= 0) {
		args.flags |= CLONE_INTO_CGROUP;
		args.cgroup = (uint64_t)cgroup;
	}
	pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
	if (pid != 0)
		return pid;
	setsid();
	for (size_t i = 0; i < sizeof(reset) / sizeof(*reset); i++)
		signal(reset[i], SIG_DFL);
	return 0;
}

static void null_input(void)
{
	int null = open("/dev/null", O_RDWR);

	if (null > 0)
		dup2(null, STDIN_FILENO);
}

static void die(const char *what)
{
	if (own_start) { /* it has no log yet: smss reads this */
		own_start->error = errno;
		snprintf(own_start->what, sizeof(own_start->what), "%s", what);
	} else {
		log_error("cannot set up: %s: %s", what, strerror(errno));
	}
	_exit(1);
}

/* For a process without descriptors; its log comes when it connects to smss. */
static void null_all(void)
{
	if (open("/dev/null", O_RDWR) != 0 || dup(0) != 1 || dup(0) != 2)
		die("/dev/null");
}

/*
 * The child's side of "suspended": no instruction of its program has run, and it has no
 * descriptor (the transcript, lines 173 to 175: HandleCount 0).
 */
static void suspend(struct process_start *start)
{
	const struct timespec limit = { .tv_sec = 60 }; /* should smss end before the next line */

	own_start = start;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (syscall(SYS_close_range, 0, ~0u, 0) < 0)
		die("its descriptors");
	while (atomic_load(&start->state) == PROCESS_SUSPENDED)
		if (syscall(SYS_futex, &start->state, FUTEX_WAIT, PROCESS_SUSPENDED, &limit) < 0 &&
		    errno == ETIMEDOUT)
			_exit(1);
	if (atomic_load(&start->state) != PROCESS_RUNS)
		_exit(1);
}

static void resume(struct process_start *start, enum process_state state)
{
	atomic_store(&start->state, state);
	syscall(SYS_futex, &start->state, FUTEX_WAKE, 1, NULL, NULL, 0);
}

void process_release(struct process_start *start)
{
	resume(start, PROCESS_RUNS);
}

void process_forget(struct process_start *start)
{
	if (start)
		munmap(start, sizeof(*start));
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

/* For good: no exec regains what is gone from the bounding set. */
static void drop_to(bool privileged, uid_t id)
{
	struct {
		uint32_t version;
		int pid;
	} header = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct {
		uint32_t effective, permitted, inheritable;
	} none[2] = { 0 };

	for (int capability = 0; prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) == 0; capability++)
		;
	become(privileged, id);
	if (syscall(SYS_capset, &header, none) < 0)
		die("capabilities");
}

/*
 * A session's limits. Processes, signals and message queues are counted per user and user
 * namespace (from Linux 5.14 on), so that in user mode, too, they are each session's.
 */
static void limit(const struct musess_config *config, rlim_t files)
{
	const rlim_t tasks = config->TasksMax;
	const struct {
		int resource;
		struct rlimit limit;
	} limits[] = { { RLIMIT_NOFILE, { files / 4, files } }, { RLIMIT_NPROC, { tasks, tasks } },
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
   how many descriptors it may have. */
static void lock_in(const struct smss *smss, uid_t id, rlim_t files)
{
	limit(smss->config, files);
	drop_to(smss->privileged, id);
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
	if (mount("proc", "/proc", "proc", flags | MS_NOEXEC, NULL) < 0)
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

/* The child that becomes csrss: root of its new namespaces until it executes it. */
static void csrss_child(
    const struct smss *smss, const struct session *session, struct process_start *start)
{
	char id[16], host[32];
	char *argv[] = { "csrss", id, NULL };

	prctl(PR_SET_NAME, "csrss");
	suspend(start);
	end_before_services(); /* while this is still its owner */
	become(smss->privileged, 0);
	snprintf(id, sizeof(id), "%u", session->id);
	snprintf(host, sizeof(host), "session-%u", session->id);
	if (sethostname(host, strlen(host)) < 0)
		die("the host name");
	loopback_up();
	session_mounts(smss->privileged);
	null_all();
	lock_in(smss, CSRSS_UID, CSRSS_FILES);
	execve(ROOT_BIN "/csrss", argv, session_environment);
	die(ROOT_BIN "/csrss");
}

int process_create(
    struct smss *smss, const struct session *session, int cgroup, struct process_new *new)
{
	char map[64];
	int error;

	*new = (struct process_new){ .pidfd = -1 };
	new->start = mmap(
	    NULL, sizeof(*new->start), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (new->start == MAP_FAILED)
		return -1;
	new->pid = spawn(SESSION_NAMESPACES, cgroup, &new->pidfd);
	if (new->pid == 0)
		csrss_child(smss, session, new->start);
	session_map(smss, session->slot, map, sizeof(map));
	if (new->pid > 0 && map_ids(smss, new->pid, map) == 0)
		return 0;
	error = errno;
	resume(new->start, PROCESS_GIVEN_UP); /* nobody knows it when it is reaped */
	process_forget(new->start);
	fd_close(&new->pidfd);
	errno = error;
	return -1;
}

/* In the session's namespaces: winlogon itself. Its parent is smss. */
static void winlogon_child(const struct smss *smss, const struct session *session)
{
	char id[16];
	char *argv[] = { "winlogon", id, (char *)(uintptr_t)smss->config->InitialProgram,
		session->command[0] ? (char *)(uintptr_t)session->command : NULL, NULL };

	prctl(PR_SET_NAME, "winlogon");
	log_process("winlogon");
	setsid();
	become(smss->privileged, 0);
	snprintf(id, sizeof(id), "%u", session->id);
	null_input();
	if (syscall(SYS_close_range, 3, ~0u, 0) < 0)
		die("descriptors");
	umask(022);
	lock_in(smss, USER_UID, USER_FILES);
	execve(ROOT_BIN "/winlogon", argv, session_environment);
	die(ROOT_BIN "/winlogon");
}

/* The helper: joins csrss's namespaces, which smss never does, starts winlogon, reports. */
static void helper_child(const struct smss *smss, const struct session *session)
{
	struct process_report report = { .session = session->id, .helper = getpid() };
	/* it returns when winlogon has executed its program or failed to: the report says
	   that the initial command runs */
	struct clone_args args = { .flags = CLONE_PARENT | CLONE_VFORK };

	log_process("winlogon");
	log_session(session->id);
	end_before_services();
	if (setns(session->csrss_pidfd, SESSION_NAMESPACES) < 0 || chdir("/") < 0)
		report.winlogon = -1;
	else
		report.winlogon = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
	if (report.winlogon == 0)
		winlogon_child(smss, session);
	report.error = report.winlogon < 0 ? errno : 0;
	_exit(
	    send(smss->report_to, &report, sizeof(report), MSG_NOSIGNAL) == sizeof(report) ? 0 : 1);
}

pid_t process_start_winlogon(struct smss *smss, const struct session *session, int cgroup)
{
	pid_t pid = spawn(0, cgroup, NULL);

	if (pid == 0)
		helper_child(smss, session);
	return pid;
}

/* The configuration for termsrv, which is of the same build, in a memory file. A port that
   was any before is known to clients by now. */
static int config_file(const struct smss *smss)
{
	struct musess_config config = *smss->config;
	int fd = memfd_create("musess.conf", MFD_CLOEXEC);

	if (smss->listening_port != 0)
		config.PortNumber = smss->listening_port;
	if (fd >= 0 && pwrite(fd, &config, sizeof(config), 0) != sizeof(config))
		fd_close(&fd);
	return fd;
}

/* The descriptors of a service process from 3 on; -1 becomes /dev/null, so that nothing
   else gets that number. */
enum { SERVICE_FDS = 5 };

static void service_child(struct smss *smss, unsigned which, int go, const int *fds)
{
	char *argv[] = { (char *)(uintptr_t)smss->services[which].name, NULL };
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
	execve(services[which].image, argv, service_environment);
	die(services[which].image);
}

pid_t process_start_service(struct smss *smss, unsigned which, int port)
{
	bool termsrv = which == SERVICE_TERMSRV;
	int config = termsrv ? config_file(smss) : -1;
	const int fds[SERVICE_FDS] = { port, termsrv ? smss->tls_dir : smss->accounts_dir, config,
		termsrv ? smss->certificate : -1, termsrv ? smss->private_key : -1 };
	char map[64];
	int go[2];
	pid_t pid;

	if (pipe2(go, O_CLOEXEC) < 0) {
		fd_close(&config);
		return -1;
	}
	pid = spawn(services[which].namespaces, -1, NULL);
	if (pid == 0) {
		close(go[1]);
		service_child(smss, which, go[0], fds);
	}
	close(go[0]);
	fd_close(&config);
	snprintf(map, sizeof(map), "0 %u %u\n", process_service_uid(smss, which),
	    smss->privileged ? services[which].ids : 1);
	if (pid > 0 && (map_ids(smss, pid, map) < 0 || write(go[1], "g", 1) != 1))
		log_error("cannot start %s: %s", smss->services[which].name, strerror(errno));
	close(go[1]);
	return pid;
}
