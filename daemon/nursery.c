/*
 * The nursery. Eventfds are the one thing that a fork shares and that workers must not:
 * FreeRDP's events are made in the nursery, so every worker puts new ones in their place.
 */
#include "nursery.h"

#include "log.h"
#include "messages.h"
#include "port.h"
#include "rdpwd.h"
#include "sandbox.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { EVENTFDS_MAX = 64 };

/* What precedes an eventfd's counter in /proc/PID/fdinfo. */
#define COUNT_KEY "eventfd-count:"

static struct {
	int fd;
	unsigned count;
} eventfds[EVENTFDS_MAX];
static int eventfd_count;

/* The counter of eventfd FD, which tells whether the event is set. */
static unsigned counter_of(int fd)
{
	char path[64], line[128];
	unsigned count = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		if (strncmp(line, COUNT_KEY, strlen(COUNT_KEY)) == 0)
			count = (unsigned)strtoul(line + strlen(COUNT_KEY), NULL, 16);
	if (f)
		fclose(f);
	return count;
}

/* Remembers every eventfd of this process. Returns 0 or -1. */
static int note_eventfds(void)
{
	DIR *d = opendir("/proc/self/fd");
	char target[64];
	struct dirent *e;

	while (d && (e = readdir(d))) {
		ssize_t n = readlinkat(dirfd(d), e->d_name, target, sizeof(target) - 1);
		if (n <= 0)
			continue;
		target[n] = 0;
		if (strcmp(target, "anon_inode:[eventfd]") != 0)
			continue;
		if (eventfd_count == EVENTFDS_MAX) {
			errno = EMFILE;
			closedir(d);
			return -1;
		}
		eventfds[eventfd_count].fd = (int)strtol(e->d_name, NULL, 10);
		eventfds[eventfd_count].count = counter_of(eventfds[eventfd_count].fd);
		eventfd_count++;
	}
	if (d)
		closedir(d);
	return d ? 0 : -1;
}

int nursery_own_events(void)
{
	for (int i = 0; i < eventfd_count; i++) {
		int fd = eventfd(eventfds[i].count, EFD_NONBLOCK | EFD_CLOEXEC);
		if (fd < 0 || dup2(fd, eventfds[i].fd) < 0)
			return -1;
		close(fd);
	}
	return 0;
}

/* A worker: process 1 of its own process ids, termsrv's child. */
static pid_t fork_worker(void)
{
	struct clone_args args = { .flags = CLONE_PARENT | CLONE_NEWPID };

	return (pid_t)syscall(SYS_clone3, &args, sizeof(args));
}

/* The certificate in FD becomes that of workers from now on. 0, or an errno. */
static int renew(struct nursery_kit *kit, int fd)
{
	int result = EINVAL;

	if (fd >= 0 && certificate_read(&kit->certificate, kit->config, fd) == 0)
		result = rdpwd_renew(kit) < 0 ? EINVAL : 0;
	certificate_forget(&kit->certificate);
	return result;
}

static void serve(int port, struct nursery_kit *kit)
{
	for (;;) {
		struct msg_plain request;
		struct msg_process reply = { 0 };
		int worker_port;
		ssize_t got = port_receive(port, &request, sizeof(request), &worker_port);
		pid_t pid;

		if (got <= 0)
			_exit(0); /* termsrv is gone */
		if (request.h.type == RW_CERTIFICATE) {
			reply.session = (uint32_t)renew(kit, worker_port);
			fd_close(&worker_port);
			port_header(&reply.h, RW_CERTIFICATE, sizeof(reply), 0);
			port_send(port, &reply.h, -1);
			continue;
		}
		if (request.h.type == SM_PING) {
			port_header(&reply.h, SM_PING, sizeof(reply), 0);
			port_send(port, &reply.h, -1);
			continue;
		}
		pid = worker_port < 0 ? -1 : fork_worker();
		if (pid == 0) {
			close(port);
			rdpwd_main(worker_port, kit);
		}
		reply.process = pid > 0 ? (uint32_t)pid : 0;
		reply.session = pid > 0 ? 0 : (uint32_t)errno;
		fd_close(&worker_port);
		port_header(&reply.h, RW_READY, sizeof(reply), request.h.message_id);
		port_send(port, &reply.h, -1);
	}
}

/* What needs /proc, and then nothing to be seen of the host's files. 0, or -1 with errno. */
static int prepare(int port, struct nursery_kit *kit)
{
	if (syscall(SYS_close_range, 3, (unsigned)port - 1, 0) < 0 ||
	    syscall(SYS_close_range, (unsigned)port + 1, ~0u, 0) < 0 || rdpwd_prepare(kit) < 0 ||
	    note_eventfds() < 0)
		return -1;
	return sandbox_empty_root();
}

/* The child: prepares everything that workers have in common. */
static void nursery_main(int port, struct nursery_kit *kit)
{
	struct msg_plain ready;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* a worker is 1 of its process ids: OpenSSL would take it for this process, and give all
	   the same random numbers */
	if (getpid() == 1) {
		log_error("the nursery must not be the first of its process ids");
		_exit(1);
	}
	/* the network first: what FreeRDP is prepared with holds a socket */
	if (unshare(CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS) < 0) {
		log_error("cannot lock the workers in: %s (is the sysctl user.max_net_namespaces "
		          "above 0?)",
		    strerror(errno));
		_exit(1);
	}
	if (prepare(port, kit) < 0) {
		log_error("cannot prepare workers: %s", strerror(errno));
		_exit(1);
	}
	certificate_forget(&kit->certificate);
	port_header(&ready.h, RW_READY, sizeof(ready), 0);
	port_send(port, &ready.h, -1);
	serve(port, kit);
}

int nursery_start(struct nursery_kit *kit)
{
	struct msg_plain ready;
	int pair[2];
	pid_t pid;

	if (port_pair(pair) < 0) {
		log_error("cannot start the nursery: %s", strerror(errno));
		return -1;
	}
	fcntl(pair[1], F_SETFL, 0); /* few messages: a blocking port keeps its loop simple */
	pid = fork();
	if (pid == 0) {
		close(pair[0]);
		nursery_main(pair[1], kit);
	}
	close(pair[1]);
	if (pid > 0) {
		struct pollfd p = { pair[0], POLLIN, 0 };
		while (poll(&p, 1, -1) < 0 && errno == EINTR)
			;
		if (port_receive(pair[0], &ready, sizeof(ready), NULL) > 0)
			return pair[0];
	} else {
		log_error("cannot start the nursery: %s", strerror(errno));
	}
	close(pair[0]);
	return -1;
}
