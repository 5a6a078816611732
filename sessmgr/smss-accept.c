/*
 * Who is let in at the two listeners. On the service's own: administrators. On \SmApiPort, which each
 * session has: a subsystem that is awaited, and users, who ask about their own session. All sessions
 * wait in one queue there, so that it is short, and who fills it is ended: who he is comes first, then
 * how often he has come, and only then what it costs to let him in.
 */
#include "log.h"
#include "smss.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77 /* Linux 6.5 */
#endif

enum {
	BACKLOG = 4096,
	SM_BACKLOG = 64,
	ACCEPTS_A_TURN = 16,
	ACCEPT_PAUSE_US = 100000,
	USER_CLIENTS_MAX = 8, /* of a session */
	KNOCKS_MAX = 20, /* likewise, in KNOCKS_US; of ten times as many the last one is ended */
	KNOCKS_US = 100000,
	LOG_US = 1000000,
};

int client_listen(const char *path, unsigned mode)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd, error;

	if (strlen(path) >= sizeof(address.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(address.sun_path, path, strlen(path));
	unlink(path);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	/* where everybody may knock the queue is short */
	if (fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0 &&
	    chmod(path, mode) == 0 && listen(fd, mode & S_IWOTH ? SM_BACKLOG : BACKLOG) == 0)
		return fd;
	error = errno;
	fd_close(&fd);
	errno = error;
	return -1;
}

/*
 * Who may use the service's own port: the user it runs as, and root. In user mode this
 * process sees itself as user 0, and root as nobody, for root is outside its namespace;
 * the port's directory lets nobody else reach it.
 */
static bool administrator(const struct smss *smss, const struct ucred *caller)
{
	return caller->uid == 0 || caller->uid == geteuid() ||
	       (!smss->privileged && caller->uid == 65534);
}

/* Every user of a session can knock without end: the log gets a line a second of it. */
static void log_refusal(pid_t pid)
{
	static struct quota lines;
	static unsigned unsaid;

	if (!quota_take(&lines, 1, LOG_US, clock_us())) {
		unsaid++;
		return;
	}
	log_warn("process %d is no subsystem: its connection is refused (and %u before it)", pid,
	    unsaid);
	unsaid = 0;
}

/* What waits in a refused port is closed elsewhere; the peer sees the end at once. */
static void refuse(struct smss *smss, int port, pid_t pid)
{
	log_refusal(pid);
	shutdown(port, SHUT_RDWR);
	bury_descriptor(smss, &port);
}

/* A subsystem that is awaited, was let run, and has not come yet. One that was not let run has
   knocked at nothing: who did was an earlier process of its number. */
static bool is_expected(struct smss *smss, pid_t pid)
{
	const struct subsystem *subsystem = subsystem_of_process(smss, pid);
	const struct session *session = subsystem ? subsystem->session : NULL;

	return session && !subsystem->client && !subsystem->calling &&
	       session->step != SESSION_ENDING &&
	       session->space->starts[subsystem->start].state == PROCESS_RUNS;
}

/* Whether the process at the other end of PORT is gone, so that its number may be another's by now.
   Where the kernel cannot tell, it is not. */
static bool peer_is_gone(int port)
{
	int pidfd = -1;
	socklen_t size = sizeof(pidfd);
	bool gone;

	if (getsockopt(port, SOL_SOCKET, SO_PEERPIDFD, &pidfd, &size) < 0)
		return errno == ESRCH ||
		       errno == EINVAL; /* reaped already; some kernels say EINVAL */
	gone = syscall(SYS_pidfd_send_signal, pidfd, 0, NULL, 0) < 0 && errno == ESRCH;
	fd_close(&pidfd);
	return gone;
}

/* SESSION's users knock so often that others wait behind them. */
static void end_who_floods(struct session *session, pid_t pid)
{
	if (session->knocks.used != 10 * KNOCKS_MAX)
		return;
	session->knocks.used = KNOCKS_MAX;
	log_warn("session %u: process %d floods \\SmApiPort: killed", session->id, pid);
	kill(pid, SIGKILL);
}

/* A process in a session, which asks about that; false: it is in none, or one too many. */
static bool accept_user(struct smss *smss, int port, const struct ucred *caller)
{
	struct session *session = process_session(smss, caller->pid, caller->uid);
	struct client *client;

	if (!session || peer_is_gone(port))
		return false;
	if (!quota_take(&session->knocks, KNOCKS_MAX, KNOCKS_US, clock_us())) {
		end_who_floods(session, caller->pid);
		return false;
	}
	if (session->users >= USER_CLIENTS_MAX)
		return false;
	client = client_create(smss, port, CLIENT_USER, caller->pid);
	if (client)
		client_set_session(client, session);
	return true;
}

static void accept_sm(struct smss *smss, int port, const struct ucred *caller)
{
	if (is_expected(smss, caller->pid) && !peer_is_gone(port))
		client_create(smss, port, CLIENT_SUBSYSTEM, caller->pid);
	else if (!accept_user(smss, port, caller))
		refuse(smss, port, caller->pid);
}

static void accept_one(struct smss *smss, int listener, int port)
{
	struct ucred caller;
	socklen_t size = sizeof(caller);

	if (getsockopt(port, SOL_SOCKET, SO_PEERCRED, &caller, &size) < 0) {
		close(port);
	} else if (listener == smss->sm_listener) {
		accept_sm(smss, port, &caller);
	} else if (administrator(smss, &caller)) {
		client_create(smss, port, CLIENT_ADMINISTRATOR, caller.pid);
	} else {
		log_warn(
		    "process %d of user %u may not use the SM API port", caller.pid, caller.uid);
		close(port);
	}
}

static void on_accept_again(int fd, short what, void *argument)
{
	struct smss *smss = argument;

	(void)fd;
	(void)what;
	event_add(smss->admin_event, NULL);
	event_add(smss->sm_event, NULL);
}

/* Out of descriptors: whoever waits would wake smss again and again. */
static void accept_later(struct smss *smss)
{
	struct timeval in = { .tv_usec = ACCEPT_PAUSE_US };

	if (event_base_once(smss->base, -1, EV_TIMEOUT, on_accept_again, smss, &in) < 0)
		return;
	event_del(smss->admin_event);
	event_del(smss->sm_event);
}

/* COUNT of them at most. */
static void accept_some(struct smss *smss, int listener, int count)
{
	while (count-- > 0) {
		int port = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (port < 0) {
			if (errno == EMFILE || errno == ENFILE || errno == ENOMEM) {
				log_warn("%s: a connection to smss waits", strerror(errno));
				accept_later(smss);
			}
			return;
		}
		accept_one(smss, listener, port);
	}
}

void client_accept(int listener, short what, void *argument)
{
	(void)what;
	accept_some(argument, listener, ACCEPTS_A_TURN);
}

void client_accept_waiting(struct smss *smss)
{
	accept_some(smss, smss->sm_listener, SM_BACKLOG + 1);
}
