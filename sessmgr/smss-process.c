/*
 * Process creation, seen from smss, which never joins a session's namespaces and never waits.
 *
 * Host ids, where smss may set them (privileged): a block per session slot, and one for
 * the service processes.
 *   HOST_ID_FIRST + slot * HOST_ID_SPAN ..   a session's 0 to HOST_ID_SPAN - 2
 *   the block's last                         a session's 65534 (nobody)
 * In user mode a session knows one id, USER_UID, which is this user.
 *
 * A short-lived smss creates what a session needs. It is forked with the session, and told
 * what to do over a pair of ports; where creation is serial smss creates csrss itself, as in
 * the transcript, and forks the short-lived one for the rest.
 */
#include "fault.h"
#include "log.h"
#include "probe.h"
#include "smss.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/openat2.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

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
	/* Prometheus comes to the host's network */
	[SERVICE_METRICSD] = { ROOT_BIN "/metricsd", 3, 1,
	    CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWPID },
	/* the network is termsrv's job; its workers get namespaces from it */
	[SERVICE_TERMSRV] = { ROOT_BIN "/termsrv", 1, 2,
	    CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS },
};

int process_init(const struct smss *smss)
{
	return child_prepare(smss);
}

uid_t process_service_uid(const struct smss *smss, unsigned which)
{
	return smss->privileged ? HOST_ID_FIRST + services[which].host_id : 0;
}

/* Many spaces in one mapping, which stays: each mapping of its own would be one that every fork
   copies. */
enum { SPACES = 64 };

int process_space_create(struct session *session)
{
	static struct session_space *spaces[(UINT16_MAX + 1) / SPACES]; /* by slot */
	struct session_space **of = &spaces[session->slot / SPACES];
	void *memory;

	if (!*of) {
		memory = mmap(NULL, SPACES * sizeof(**of), PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
		*of = memory == MAP_FAILED ? NULL : memory;
	}
	if (!*of || fault("session-space", session->id))
		return -1;
	session->space = *of + session->slot % SPACES;
	memset(session->space, 0, sizeof(*session->space));
	return 0;
}

void process_space_destroy(struct session *session)
{
	session->space = NULL;
}

void process_release(struct process_start *start)
{
	atomic_store(&start->state, PROCESS_RUNS);
	syscall(SYS_futex, &start->state, FUTEX_WAKE, 1, NULL, NULL, 0);
}

/* ---- the short-lived smss ---- */

void process_creator_reports(struct session *session)
{
	struct process_report report;

	while (session->creator_port >= 0 && recv(session->creator_port, &report, sizeof(report),
	                                         MSG_DONTWAIT) == sizeof(report)) {
		fd_close(&session->creator_far);
		if (session->creator_orders > 0)
			session->creator_orders--;
		session_created(session, &report);
	}
}

static void on_report(int port, short what, void *argument)
{
	struct session *session = argument;
	char byte;

	(void)what;
	process_creator_reports(session);
	/* its end is read again and again until it is reaped: that tells the rest */
	if (session->creator_port == port && recv(port, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0)
		event_del(session->creator_event);
}

static void on_creator_end(int pidfd, short what, void *argument)
{
	struct session *session = argument;

	(void)pidfd;
	(void)what;
	smss_reap(session->smss, session->creator);
}

void process_creator_dismiss(struct session *session)
{
	if (session->creator_event)
		event_free(session->creator_event);
	session->creator_event = NULL;
	fd_close(&session->creator_port);
}

void process_creator_forget(struct session *session)
{
	process_creator_dismiss(session);
	if (session->creator_end)
		event_free(session->creator_end);
	session->creator_end = NULL;
	fd_close(&session->creator_pidfd);
	fd_close(&session->creator_far);
}

static struct event *watch(struct session *session, int fd, event_callback_fn callback)
{
	struct event *e =
	    event_new(session->smss->base, fd, EV_READ | EV_PERSIST, callback, session);

	if (e && event_add(e, NULL) == 0)
		return e;
	if (e)
		event_free(e);
	errno = ENOMEM;
	return NULL;
}

/* Forks it. Among thousands of children the kernel finds the one that has ended by asking each:
   this one is waited for by itself. It has smss's descriptors until it has copied what it needs of
   them, which are thousands too. */
static pid_t creator_fork(struct session *session)
{
	int cgroup = cgroup_create(session->smss->cgroup, session->id, session->smss->config);
	pid_t pid;

	pid = child_spawn(CLONE_FILES, cgroup, NULL, &session->creator_pidfd);
	if (pid == 0)
		child_creator(session, session->creator_far);
	fd_close(&cgroup);
	if (pid < 0)
		return -1;
	session->creator_end = watch(session, session->creator_pidfd, on_creator_end);
	if (session->creator_end && table_add_process(session, NULL, pid) == 0)
		return pid;
	kill(pid, SIGKILL);
	waitpid(pid, NULL, __WALL);
	errno = ENOMEM;
	return -1;
}

/* 0, or -1 with errno. */
static int creator_start(struct session *session)
{
	int pair[2], error;
	pid_t pid = -1;

	if (fault("fork-creator", session->id) || port_pair(pair) < 0)
		return -1;
	session->creator_port = pair[0];
	session->creator_far = pair[1];
	/* it waits for its orders; smss's end does not block */
	if (fcntl(pair[1], F_SETFL, 0) == 0)
		session->creator_event = watch(session, pair[0], on_report);
	if (session->creator_event)
		pid = creator_fork(session);
	error = errno;
	if (pid < 0)
		process_creator_forget(session);
	else
		session->creator = pid;
	errno = error;
	return pid < 0 ? -1 : 0;
}

static int creator_order(struct session *session, const struct process_order *order)
{
	if (!session->creator && creator_start(session) < 0)
		return -1;
	if (send(session->creator_port, order, sizeof(*order), MSG_NOSIGNAL) != sizeof(*order)) {
		errno = errno == EPIPE ? ECHILD : errno;
		return -1;
	}
	session->creator_orders++;
	return 0;
}

/* csrss, by smss itself. */
static int create_windows(
    struct session *session, const struct process_order *order, pid_t *created)
{
	struct process_start *start = &session->space->starts[order->start];
	int cgroup = cgroup_create(session->smss->cgroup, session->id, session->smss->config);
	pid_t pid = fault("create-process", session->id)
	                ? -1
	                : child_spawn(child_session_namespaces, cgroup, NULL, NULL);
	int error;

	if (pid == 0) {
		child_end_before_services();
		child_windows(session, order);
	}
	error = errno;
	fd_close(&cgroup);
	errno = error;
	if (pid < 0)
		return -1;
	*created = pid;
	if (child_map_session(session, pid) < 0) {
		/* it is there, and its end is awaited as that of any other */
		error = errno;
		kill(pid, SIGKILL);
		if (!start->what[0]) { /* it failed by itself before */
			start->error = error;
			snprintf(start->what, sizeof(start->what), "its ids");
		}
	}
	return 0;
}

int process_create(struct session *session, const struct process_order *order, pid_t *pid)
{
	int result;

	PROBE_ENTRY(process_create, session->id);
	*pid = 0;
	/* the console's too, so that a system that allows no sessions is found out at once */
	if (order->kind == PROCESS_WINDOWS &&
	    (session->smss->config->SessionCreation == SESSION_CREATION_SERIAL || session->id == 0))
		result = create_windows(session, order, pid);
	else
		result = creator_order(session, order);
	PROBE_RETURN(process_create, session->id, result);
	return result;
}

/* ---- looking into a session ---- */

/* The file PATH as process PID sees it. -1 with errno. */
static int open_socket_file(pid_t pid, const char *path)
{
	struct open_how how = { .flags = O_PATH | O_CLOEXEC | O_NOFOLLOW,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS };
	char root_path[32];
	struct stat status;
	int root, fd;

	snprintf(root_path, sizeof(root_path), "/proc/%d/root", pid);
	root = open(root_path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return -1;
	fd = (int)syscall(SYS_openat2, root, path, &how, sizeof(how));
	close(root);
	if (fd >= 0 && (fstat(fd, &status) < 0 || !S_ISSOCK(status.st_mode))) {
		fd_close(&fd);
		errno = ENOTSOCK;
	}
	return fd;
}

int process_connect(pid_t pid, const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct ucred listener;
	socklen_t size = sizeof(listener);
	int file = open_socket_file(pid, path), port = -1, error;

	if (file < 0)
		return -1;
	snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d", file);
	port = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (port >= 0 && connect(port, (struct sockaddr *)&address, sizeof(address)) == 0 &&
	    getsockopt(port, SOL_SOCKET, SO_PEERCRED, &listener, &size) == 0) {
		close(file);
		if (listener.pid == pid)
			return port;
		close(port);
		errno = EACCES;
		return -1;
	}
	error = errno;
	close(file);
	fd_close(&port);
	errno = error;
	return -1;
}

/* Looked at before its fdinfo, which the kernel makes as long as the sender likes for other things: a line for
   each watch of an epoll set, for each lock of a file. */
static bool is_pidfd(int fd)
{
	char path[64], name[32];
	ssize_t length;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	length = readlink(path, name, sizeof(name) - 1);
	name[length > 0 ? length : 0] = 0;
	return strcmp(name, "anon_inode:[pidfd]") == 0 || strncmp(name, "pidfd:[", 7) == 0;
}

/* Two numbers of /proc/self/fdinfo/PIDFD: the process's id here, and its innermost. */
static int read_fdinfo(int pidfd, pid_t *pid, pid_t *inner)
{
	char path[64], line[256];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", pidfd);
	f = fopen(path, "re");
	*pid = *inner = -1;
	while (f && fgets(line, sizeof(line), f)) {
		if (strncmp(line, "Pid:", 4) == 0)
			*pid = (pid_t)strtol(line + 4, NULL, 10);
		else if (strncmp(line, "NSpid:", 6) == 0 && strrchr(line, '\t'))
			*inner = (pid_t)strtol(strrchr(line, '\t') + 1, NULL, 10);
	}
	if (f)
		fclose(f);
	return *pid > 0 && *inner > 0 ? 0 : -1;
}

uint64_t process_namespace(pid_t pid)
{
	char path[32];
	struct stat status;

	snprintf(path, sizeof(path), "/proc/%d/ns/pid", pid);
	return stat(path, &status) == 0 ? status.st_ino : 0; /* all are of one file system */
}

/* What /proc/PID/stat has from the end of the name on, which may have anything in it, in LINE
   (SIZE bytes); NULL where there is no such process. */
static const char *read_stat(pid_t pid, char *line, size_t size)
{
	char path[32];
	ssize_t got = -1;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0)
		got = read(fd, line, size - 1);
	fd_close(&fd);
	line[got > 0 ? got : 0] = 0;
	return strrchr(line, ')');
}

char process_state(pid_t pid)
{
	char line[1024];
	const char *rest = read_stat(pid, line, sizeof(line));

	return rest && rest[1] == ' ' ? rest[2] : 0;
}

bool process_traced(pid_t pid)
{
	char path[32], text[1024];
	const char *tracer;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	fd_close(&fd);
	text[got > 0 ? got : 0] = 0;
	tracer = strstr(text, "\nTracerPid:\t");
	/* a tracer outside of this process id namespace has no number here */
	return strstr(text, "\nState:\tt") ||
	       (tracer && strtol(tracer + sizeof("\nTracerPid:"), NULL, 10) != 0);
}

uint64_t process_born(pid_t pid)
{
	char line[1024];
	const char *field = read_stat(pid, line, sizeof(line));

	for (int i = 2; i < 22 && field; i++) /* the 22nd field */
		field = strchr(field + 1, ' ');
	return field ? strtoull(field, NULL, 10) : 0;
}

struct session *process_session(struct smss *smss, pid_t pid, uid_t uid)
{
	uint32_t first = 0, end = smss->capacity;
	uint64_t namespace = process_namespace(pid);

	if (namespace == 0)
		return NULL;
	if (smss->privileged) { /* its id says which it can be */
		if (uid < HOST_ID_FIRST + SERVICE_IDS)
			return NULL;
		first = (uid - HOST_ID_FIRST - SERVICE_IDS) / HOST_ID_SPAN;
		end = first < end ? first + 1 : end;
	}
	for (uint32_t slot = first; slot < end; slot++) {
		struct session *s = smss->slots[slot];
		if (s && s->step == SESSION_RUNNING && s->windows && s->windows->pid > 0 &&
		    s->namespace == namespace)
			return s;
	}
	return NULL;
}

int process_identify(int pidfd, uint64_t namespace, pid_t *pid, pid_t *inner, bool *suspended)
{
	if (!is_pidfd(pidfd) || read_fdinfo(pidfd, pid, inner) < 0)
		return -1;
	*suspended = process_state(*pid) == 'T'; /* what is traced belongs to whoever traces it */
	/* after the questions: the process that was asked about is the pidfd's still */
	if (process_namespace(*pid) != namespace ||
	    syscall(SYS_pidfd_send_signal, pidfd, 0, NULL, 0) < 0)
		return -1;
	return 0;
}

/* ---- lsass, termsrv, metricsd ---- */

/* The configuration for termsrv and metricsd, which are of the same build, in a memory file. A port that
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

pid_t process_start_service(struct smss *smss, unsigned which, int port)
{
	bool termsrv = which == SERVICE_TERMSRV;
	int config = which == SERVICE_LSASS ? -1 : config_file(smss);
	int state = which == SERVICE_LSASS ? smss->accounts_dir : -1;
	const int fds[SERVICE_FDS] = { port, termsrv ? smss->tls_dir : state, config,
		termsrv ? smss->certificate : -1, termsrv ? smss->rdp_listener : -1 };
	char map[64];
	int go[2];
	pid_t pid;

	if (pipe2(go, O_CLOEXEC) < 0) {
		fd_close(&config);
		return -1;
	}
	pid = child_spawn(services[which].namespaces, -1, NULL, NULL);
	if (pid == 0) {
		close(go[1]);
		child_service(smss, which, services[which].image, go[0], fds);
	}
	close(go[0]);
	fd_close(&config);
	snprintf(map, sizeof(map), "0 %u %u\n", process_service_uid(smss, which),
	    smss->privileged ? services[which].ids : 1);
	if (pid > 0 && (child_map_ids(smss, pid, map) < 0 || write(go[1], "g", 1) != 1))
		log_error("cannot start %s: %s", smss->services[which].name, strerror(errno));
	close(go[1]);
	return pid;
}
