/*
 * What the services' filters keep from calls that they let through for something else. Each try is
 * made without a filter first: it has to have another outcome there, so that the filter it is that
 * refuses it. The descriptors that the tries use are made for them.
 */
#include "../daemon/sandbox-filter.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

/* The tries' descriptors; the directory is where lsass has it. */
enum { DIRECTORY = SANDBOX_DIRECTORY, TCP = 20, PORT, TIMER };

static char page[65536] __attribute__((aligned(4096)));
static struct sockaddr_in nowhere = { .sin_family = AF_INET };
static struct iovec byte = { page, 1 };
static struct msghdr message = {
	.msg_name = &nowhere, .msg_namelen = sizeof(nowhere), .msg_iov = &byte, .msg_iovlen = 1
};
static const struct linger linger = { 1, 1 }; /* is a number for other options */
static socklen_t linger_size = sizeof(linger);
static struct rlimit limit = { 1024, 1024 };
static struct timespec moment = { 0, 1 };
static int pair[2];

struct attempt {
	const char *name;
	long call;
	long arguments[6];
	int error; /* with the filter; 0: it is let through, as it is without one */
};

#define P(pointer) (long)(intptr_t)(pointer)
#define UPPER (1L << 32)
/* clang-format off */
static const struct attempt everyones[] = {
	{ "sendmsg, FASTOPEN", SYS_sendmsg, { TCP, P(&message), MSG_FASTOPEN | MSG_NOSIGNAL }, EPERM },
	{ "sendmsg, ZEROCOPY", SYS_sendmsg, { TCP, P(&message), MSG_ZEROCOPY | MSG_NOSIGNAL }, EPERM },
	{ "recvmsg, ERRQUEUE", SYS_recvmsg, { TCP, P(&message), MSG_ERRQUEUE }, EPERM },
	{ "mmap, code", SYS_mmap, { 0, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1 }, EPERM },
	{ "mmap, all", SYS_mmap, { 0, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1 }, EPERM },
	{ "mmap, shared", SYS_mmap, { 0, 4096, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1 }, EPERM },
	{ "mmap, locked", SYS_mmap, { 0, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED, -1 }, EPERM },
	{ "mprotect, code", SYS_mprotect, { P(page), 4096, PROT_READ | PROT_EXEC }, EPERM },
	{ "mprotect, all", SYS_mprotect, { P(page), 4096, PROT_READ | PROT_WRITE | PROT_EXEC }, EPERM },
	{ "mprotect, growing", SYS_mprotect, { P(page), 4096, PROT_READ | PROT_GROWSDOWN }, EPERM },
	{ "mremap, FIXED", SYS_mremap, { P(page), 4096, 4096, MREMAP_MAYMOVE | MREMAP_FIXED, P(page + 8192) }, EPERM },
	{ "madvise, DONTFORK", SYS_madvise, { P(page), 4096, MADV_DONTFORK }, EPERM },
	{ "madvise, WILLNEED", SYS_madvise, { P(page), 4096, MADV_WILLNEED }, EPERM },
	{ "futex, LOCK_PI", SYS_futex, { P(page), FUTEX_LOCK_PI }, EPERM },
	{ "futex, TRYLOCK_PI", SYS_futex, { P(page), FUTEX_TRYLOCK_PI | FUTEX_PRIVATE_FLAG }, EPERM },
	{ "futex, CMP_REQUEUE_PI", SYS_futex, { P(page), FUTEX_CMP_REQUEUE_PI, 1, 0, P(page + 64) }, EPERM },
	{ "getrandom, GRND_RANDOM", SYS_getrandom, { P(page), 1, GRND_RANDOM | GRND_NONBLOCK }, EPERM },
	{ "memory", SYS_mmap, { 0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1 }, 0 },
};

static const struct attempt servers[] = {
	{ "sendto, FASTOPEN", SYS_sendto, { TCP, P(page), 1, MSG_FASTOPEN | MSG_NOSIGNAL, P(&nowhere), sizeof(nowhere) }, EPERM },
	{ "sendto, FASTOPEN without an address", SYS_sendto, { TCP, P(page), 1, MSG_FASTOPEN | MSG_NOSIGNAL }, EPERM },
	{ "sendto, an address", SYS_sendto, { TCP, P(page), 1, MSG_NOSIGNAL, P(&nowhere), sizeof(nowhere) }, EPERM },
	{ "sendto, out of band", SYS_sendto, { PORT, P(page), 1, MSG_OOB | MSG_NOSIGNAL }, EPERM },
	{ "sendto, upper half", SYS_sendto, { PORT, P(page), 1, UPPER | MSG_NOSIGNAL }, EPERM },
	{ "recvfrom, ERRQUEUE", SYS_recvfrom, { TCP, P(page), 1, MSG_ERRQUEUE }, EPERM },
	{ "recvfrom, an address", SYS_recvfrom, { TCP, P(page), 1, MSG_DONTWAIT, P(&nowhere), P(&linger_size) }, EPERM },
	{ "shutdown, reading", SYS_shutdown, { TCP, SHUT_RD }, EPERM },
	{ "connect", SYS_connect, { TCP, P(&nowhere), sizeof(nowhere) }, EPERM },
	{ "socket", SYS_socket, { AF_UNIX, SOCK_STREAM, 0 }, EPERM },
	{ "setsockopt, SO_LINGER", SYS_setsockopt, { TCP, SOL_SOCKET, SO_LINGER, P(&linger), sizeof(linger) }, EPERM },
	{ "setsockopt, TCP_ULP", SYS_setsockopt, { TCP, IPPROTO_TCP, TCP_ULP, P(&linger), sizeof(linger) }, EPERM },
	{ "setsockopt, TCP_FASTOPEN_CONNECT", SYS_setsockopt, { TCP, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, P(&linger), sizeof(linger) }, EPERM },
	{ "getsockopt, SO_PEERCRED", SYS_getsockopt, { PORT, SOL_SOCKET, SO_PEERCRED, P(page), P(&linger_size) }, EPERM },
	{ "getsockopt, TCP_INFO", SYS_getsockopt, { TCP, IPPROTO_TCP, TCP_INFO, P(page), P(&linger_size) }, EPERM },
	{ "fcntl, F_DUPFD", SYS_fcntl, { PORT, F_DUPFD, 30 }, EPERM },
	{ "fcntl, O_ASYNC", SYS_fcntl, { PORT, F_SETFL, O_RDWR | O_ASYNC }, EPERM },
	{ "fcntl, O_APPEND", SYS_fcntl, { PORT, F_SETFL, O_RDWR | O_APPEND }, EPERM },
	{ "fcntl, F_SETOWN", SYS_fcntl, { PORT, F_SETOWN, 0 }, EPERM },
	{ "fcntl, F_SETSIG", SYS_fcntl, { PORT, F_SETSIG, 0 }, EPERM },
	{ "fcntl, F_NOTIFY", SYS_fcntl, { DIRECTORY, F_NOTIFY, 0 }, EPERM },
	{ "fcntl, F_SETLEASE", SYS_fcntl, { DIRECTORY, F_SETLEASE, F_UNLCK }, EPERM },
	{ "fcntl, F_GETLK", SYS_fcntl, { PORT, F_GETLK, P(page) }, EPERM },
	{ "fcntl, F_SETPIPE_SZ", SYS_fcntl, { PORT, F_SETPIPE_SZ, 4096 }, EPERM },
	{ "fcntl, F_GET_SEALS", SYS_fcntl, { PORT, F_GET_SEALS }, EPERM },
	{ "ioctl, FIONBIO", SYS_ioctl, { PORT, FIONBIO, P(page) }, EPERM },
	{ "ioctl, FIOASYNC", SYS_ioctl, { PORT, FIOASYNC, P(page) }, EPERM },
	{ "ioctl, SIOCGIFCONF", SYS_ioctl, { TCP, SIOCGIFCONF, P(page) }, EPERM },
	{ "ioctl, TIOCSTI", SYS_ioctl, { PORT, TIOCSTI, P(page) }, EPERM },
	{ "ioctl, TIOCSCTTY", SYS_ioctl, { PORT, TIOCSCTTY, 0 }, EPERM },
	{ "clock_nanosleep, unknown", SYS_clock_nanosleep, { CLOCK_MONOTONIC, 2, P(&moment) }, EPERM },
	{ "eventfd2, SEMAPHORE", SYS_eventfd2, { 0, EFD_SEMAPHORE }, EPERM },
	{ "timerfd_create, REALTIME", SYS_timerfd_create, { CLOCK_REALTIME, 0 }, EPERM },
	{ "timerfd_create, unknown", SYS_timerfd_create, { CLOCK_MONOTONIC, 1 }, EPERM },
	{ "timerfd_settime, CANCEL", SYS_timerfd_settime, { TIMER, TFD_TIMER_CANCEL_ON_SET, P(page) }, EPERM },
	{ "epoll_create1, unknown", SYS_epoll_create1, { 1 }, EPERM },
	{ "dup3, unknown", SYS_dup3, { PORT, 30, 1 }, EPERM },
	{ "setitimer, VIRTUAL", SYS_setitimer, { ITIMER_VIRTUAL, P(page) }, EPERM },
	{ "tgkill", SYS_tgkill, { 0, 0, SIGUSR1 }, EPERM },
	{ "prlimit64, setting", SYS_prlimit64, { 0, RLIMIT_CORE, P(&limit) }, EPERM },
	{ "prlimit64, another's", SYS_prlimit64, { -1, RLIMIT_CORE, 0, P(page) }, EPERM },
	{ "a file", SYS_openat, { AT_FDCWD, P("/"), O_RDONLY }, ENOENT },
	{ "the log's kind", SYS_ioctl, { PORT, TCGETS, P(page) }, 0 },
	{ "bytes to read", SYS_ioctl, { PORT, FIONREAD, P(page) }, 0 },
	{ "SO_KEEPALIVE", SYS_setsockopt, { TCP, SOL_SOCKET, SO_KEEPALIVE, P(&linger), sizeof(linger) }, 0 },
	{ "SO_RCVLOWAT", SYS_setsockopt, { TCP, SOL_SOCKET, SO_RCVLOWAT, P(&linger), sizeof(linger) }, 0 },
	{ "TCP_NODELAY", SYS_setsockopt, { TCP, IPPROTO_TCP, TCP_NODELAY, P(&linger), sizeof(linger) }, 0 },
	{ "the end of what is sent", SYS_shutdown, { PORT, SHUT_WR }, 0 },
};

/* They have no call that the others have. */
static const struct attempt rdpwds[] = {
	{ "accept4", SYS_accept4, { TCP, 0, 0, 0 }, EPERM },
	{ "socketpair", SYS_socketpair, { AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, P(pair) }, EPERM },
	{ "kill", SYS_kill, { INT32_MAX, SIGKILL }, EPERM },
	{ "shutdown, both", SYS_shutdown, { TCP, SHUT_RDWR }, EPERM },
};

static const struct attempt termsrvs[] = {
	{ "accept4, unknown", SYS_accept4, { TCP, 0, 0, 1 }, EPERM },
	{ "socketpair, Internet", SYS_socketpair, { AF_INET, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, P(pair) }, EPERM },
	{ "socketpair, streams", SYS_socketpair, { AF_UNIX, SOCK_STREAM, 0, P(pair) }, EPERM },
	{ "kill, to stop", SYS_kill, { INT32_MAX, SIGSTOP }, EPERM },
	{ "wait4, blocking", SYS_wait4, { -1, 0, 0 }, EPERM },
	{ "waitid, blocking", SYS_waitid, { P_ALL, 0, 0, WEXITED | WNOWAIT }, EPERM },
	{ "waitid of one", SYS_waitid, { P_PID, 1, 0, WEXITED | WNOHANG | WNOWAIT }, EPERM },
	{ "shutdown, both", SYS_shutdown, { TCP, SHUT_RDWR }, EPERM },
	{ "a port", SYS_socketpair, { AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, P(pair) }, 0 },
};

static const struct attempt metricsds[] = {
	{ "accept4, unknown", SYS_accept4, { TCP, 0, 0, 1 }, EPERM },
	{ "kill", SYS_kill, { INT32_MAX, SIGKILL }, EPERM },
	{ "a slow client's end", SYS_shutdown, { TCP, SHUT_RDWR }, 0 },
};

#ifndef __SANITIZE_ADDRESS__
static const struct attempt lsasss[] = {
	{ "openat, reading", SYS_openat, { DIRECTORY, P("accounts"), O_RDONLY }, EPERM },
	{ "openat, from here", SYS_openat, { AT_FDCWD, P("."), O_RDONLY | O_DIRECTORY | O_CLOEXEC }, EPERM },
	{ "openat, writing", SYS_openat, { DIRECTORY, P("accounts"), O_WRONLY }, EPERM },
	{ "openat, O_TMPFILE", SYS_openat, { DIRECTORY, P("."), O_TMPFILE | O_RDWR, 0600 }, EPERM },
	{ "renameat, elsewhere", SYS_renameat, { DIRECTORY, P("a"), AT_FDCWD, P("b") }, EPERM },
	{ "renameat2, exchange", SYS_renameat2, { DIRECTORY, P("a"), DIRECTORY, P("b"), 2 }, EPERM },
	{ "unlinkat, a directory", SYS_unlinkat, { DIRECTORY, P("a"), AT_REMOVEDIR }, EPERM },
	{ "newfstatat, by name", SYS_newfstatat, { DIRECTORY, P("accounts"), P(page), 0 }, EPERM },
	{ "fcntl", SYS_fcntl, { DIRECTORY, F_GETFD }, EPERM },
	{ "ioctl", SYS_ioctl, { PORT, FIONREAD, P(page) }, EPERM },
	{ "a look", SYS_openat, { DIRECTORY, P("."), O_RDONLY | O_DIRECTORY | O_CLOEXEC }, 0 },
};
#endif
/* clang-format on */

static long call(const struct attempt *t)
{
	const long *a = t->arguments;
	long result = syscall(t->call, a[0], a[1], a[2], a[3], a[4], a[5]);

	return result < 0 ? -errno : 0;
}

/* Makes the try in a child of its own: 0 or -errno, or INT32_MIN where it was killed for it. */
static long outcome(const struct attempt *t, const struct sock_fprog *filter)
{
	int result[2], status = 0;
	long error = 0;
	pid_t pid;

	assert_int_equal(pipe2(result, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (filter && (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || bpf_load(filter) < 0))
			_exit(1);
		error = call(t);
		_exit(write(result[1], &error, sizeof(error)) == sizeof(error) ? 0 : 1);
	}
	close(result[1]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS)
		error = INT32_MIN;
	else if (read(result[0], &error, sizeof(error)) != sizeof(error))
		fail_msg("%s: its process ended with %x", t->name, status);
	close(result[0]);
	return error;
}

/* WRONG where it is killed for a call that is not allowed. */
static void make(
    const struct attempt *tries, size_t count, const struct sock_fprog *filter, long wrong)
{
	for (size_t i = 0; i < count; i++) {
		const struct attempt *t = &tries[i];
		long without = outcome(t, NULL), with = outcome(t, filter);
		long expected = t->error ? -t->error : without;

		if (t->error == EPERM && wrong)
			expected = wrong;
		if (t->error && without == -t->error)
			fail_msg("%s: without a filter it ends like that, too", t->name);
		if (with != expected)
			fail_msg(
			    "%s: %ld with the filter, %ld without one", t->name, with, without);
	}
}

#define COUNT(table) (sizeof(table) / sizeof(*(table)))

static void put_at(int fd, int number)
{
	assert_int_equal(dup2(fd, number), number);
	close(fd);
}

static int set_up(void **state)
{
	int ports[2];

	(void)state;
	put_at(socket(AF_INET, SOCK_STREAM, 0), TCP);
	put_at(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK), TIMER);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ports), 0);
	put_at(ports[0], PORT);
	put_at(open("/", O_RDONLY | O_DIRECTORY), DIRECTORY);
	return 0;
}

static void server(enum sandbox_kind kind, const struct attempt *own, size_t count)
{
	struct sock_fprog filter;

	assert_int_equal(sandbox_build_filter(kind, &filter), 0);
	make(everyones, COUNT(everyones), &filter, 0);
	make(servers, COUNT(servers), &filter, 0);
	make(own, count, &filter, 0);
}

static void test_rdpwd(void **state)
{
	(void)state;
	server(SANDBOX_RDPWD, rdpwds, COUNT(rdpwds));
}

static void test_termsrv(void **state)
{
	(void)state;
	server(SANDBOX_TERMSRV, termsrvs, COUNT(termsrvs));
}

static void test_metricsd(void **state)
{
	(void)state;
	server(SANDBOX_METRICSD, metricsds, COUNT(metricsds));
}

#ifndef __SANITIZE_ADDRESS__ /* such a build of lsass has no filter: the sanitizer would be killed */
static void test_lsass(void **state)
{
	struct sock_fprog filter;

	(void)state;
	assert_int_equal(sandbox_build_filter(SANDBOX_LSASS, &filter), 0);
	make(everyones, COUNT(everyones), &filter, INT32_MIN);
	make(lsasss, COUNT(lsasss), &filter, INT32_MIN);
}
#endif

/* The way out that a listener was: its reading side is shut down, and it is connected. */
static int leave(const struct sock_fprog *filter)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int listener = socket(AF_INET, SOCK_STREAM, 0), other = socket(AF_INET, SOCK_STREAM, 0);
	socklen_t size = sizeof(at);

	if (bind(other, (struct sockaddr *)&at, size) < 0 || listen(other, 1) < 0 ||
	    getsockname(other, (struct sockaddr *)&at, &size) < 0 || listen(listener, 1) < 0)
		return 1;
	if (filter && (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || bpf_load(filter) < 0))
		return 1;
	shutdown(listener, SHUT_RDWR);
	sendto(listener, "x", 1, MSG_FASTOPEN | MSG_NOSIGNAL, (struct sockaddr *)&at, size);
	/* bound to nothing where it did not get that far */
	return getpeername(listener, (struct sockaddr *)&at, &size) == 0 ? 3 : 0;
}

static int leave_status(const struct sock_fprog *filter)
{
	int status = -1;
	pid_t pid = fork();

	if (pid == 0)
		_exit(leave(filter));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void test_listener_connects_nowhere(void **state)
{
	static const enum sandbox_kind kinds[] = { SANDBOX_TERMSRV, SANDBOX_METRICSD };
	struct sock_fprog filter;

	(void)state;
	assert_int_equal(leave_status(NULL), 3); /* this kernel would let it out */
	for (size_t i = 0; i < COUNT(kinds); i++) {
		assert_int_equal(sandbox_build_filter(kinds[i], &filter), 0);
		assert_int_equal(leave_status(&filter), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rdpwd),
		cmocka_unit_test(test_termsrv),
		cmocka_unit_test(test_metricsd),
#ifndef __SANITIZE_ADDRESS__
		cmocka_unit_test(test_lsass),
#endif
		cmocka_unit_test(test_listener_connects_nowhere),
	};

	return cmocka_run_group_tests_name("sandbox-filter", tests, set_up, NULL);
}
