/*
 * psxss as it runs in a session. The test is smss and musessctl at once: it has \SmApiPort
 * in a mount namespace of its own, shakes hands, calls back, lets the commands go on, and
 * speaks over their ports. It is in a process id namespace with psxss, as programs of the user
 * are; what connects for smss is outside.
 *
 * The program is in PSXSS; it is opened before directories are covered. So is csrss, in
 * CSRSS: its handshake and what it answers to callbacks are looked at as well.
 */
#include "../sessmgr/messages.h"
#include "../sessmgr/ntstatus.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define SM_PORT "/opt/musess/port/SmApiPort"
#define SB_PORT "/run/session/PosixSbApiPort"
#define CSRSS_SB_PORT "/run/Windows/SbApiPort"

enum { PATIENCE = 20000, IMPOSTORS = 100 };

static int program = -1, csrss = -1, listener = -1;
static int outside = -1; /* to the process that connects for smss */

/* psxss, its two ports, and what a command said. */
struct sm {
	pid_t pid;
	int sm, sb;
	unsigned impostors; /* that connect before smss */
	int impostor_ports[IMPOSTORS];
	uint32_t message_id, next_session;
	int32_t exec_status; /* what ExecPgm is answered */
	char out[2][8 << 20];
	size_t length[2];
	struct ex_exit end;
};

/* ---- the world of it ---- */

static void write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		fail_msg("%s: %s", path, strerror(errno));
	close(fd);
}

static void make_world(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = SM_PORT };
	uid_t user = getuid();
	gid_t group = getgid();
	char map[64];

	assert_int_equal(unshare(CLONE_NEWUSER | CLONE_NEWNS), 0);
	write_text("/proc/self/setgroups", "deny");
	snprintf(map, sizeof(map), "0 %u 1", user);
	write_text("/proc/self/uid_map", map);
	snprintf(map, sizeof(map), "0 %u 1", group);
	write_text("/proc/self/gid_map", map);
	assert_int_equal(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	assert_int_equal(mount("opt", "/opt", "tmpfs", 0, NULL), 0);
	assert_int_equal(mount("run", "/run", "tmpfs", 0, NULL), 0);
	assert_int_equal(mkdir("/opt/musess", 0755), 0);
	assert_int_equal(mkdir("/opt/musess/port", 0755), 0);
	assert_int_equal(mkdir("/run/session", 0755), 0);
	assert_int_equal(mkdir("/run/Windows", 0755), 0);
	assert_int_equal(mkdir("/run/home", 0755), 0);
	write_text("/run/passwd", "root:x:0:0:root:/root:/bin/sh\n"
	                          "joe:x:1000:1000:Joe:/run/home:/bin/bash\n");
	assert_int_equal(mount("/run/passwd", "/etc/passwd", NULL, MS_BIND, NULL), 0);
	write_text("/run/no-program", "no program\n");
	listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(listener, 1), 0);
}

static int connect_to(const char *path, int flags)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | flags, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static int exit_status(int status)
{
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* Connects to the paths that come from PORT, until its other end is gone. */
_Noreturn static void be_outside(int port, pid_t child)
{
	struct msg_plain reply;
	char path[PATH_MAX];
	int status = 0;

	port_header(&reply.h, CSR_CONNECT, sizeof(reply), 0);
	for (ssize_t got; (got = recv(port, path, sizeof(path) - 1, 0)) > 0;) {
		path[got] = 0;
		int fd = connect_to(path, SOCK_NONBLOCK);
		port_send(port, &reply.h, fd);
		close(fd);
	}
	waitpid(child, &status, 0);
	_exit(exit_status(status));
}

/* Process 1 of the namespace: it waits for everybody, so that none stays as a zombie. */
_Noreturn static void be_first(pid_t test)
{
	int status = 0;

	while (wait(&status) != test)
		;
	_exit(exit_status(status));
}

/* Goes on in a process id namespace of its own. */
static void enter_namespace(void)
{
	int pair[2];
	pid_t pid;

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(unshare(CLONE_NEWPID), 0);
	for (int process = 1; process <= 2; process++) {
		pid = fork();
		assert_true(pid >= 0);
		if (pid > 0) {
			close(pair[1]);
			if (process == 1)
				be_outside(pair[0], pid);
			be_first(pid);
		}
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	}
	close(pair[0]);
	outside = pair[1];
	assert_int_equal(mount("proc", "/proc", "proc", 0, NULL), 0);
}

static void await(int fd)
{
	struct pollfd readable = { .fd = fd, .events = POLLIN };

	assert_int_equal(poll(&readable, 1, PATIENCE), 1);
}

/* smss's own connection, made before the handshake is answered. */
static int call_back(const char *path)
{
	struct msg_plain reply;
	struct stat status;
	int fd = -1;

	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 0777, 0666);
	assert_int_equal(send(outside, path, strlen(path), MSG_NOSIGNAL), strlen(path));
	await(outside);
	assert_int_equal(port_receive(outside, &reply, sizeof(reply), &fd), sizeof(reply));
	assert_true(fd >= 0);
	return fd;
}

static void shake_hands(struct sm *s, uint32_t type, const char *sb_port)
{
	struct msg_csr_connect m;

	await(listener);
	s->sm = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	await(s->sm);
	assert_int_equal(port_receive(s->sm, &m, sizeof(m), NULL), sizeof(m));
	assert_int_equal(m.h.type, CSR_CONNECT);
	assert_int_equal(m.subsystem_type, type);
	assert_string_equal(m.sb_port, sb_port);
	for (unsigned i = 0; i < s->impostors; i++)
		s->impostor_ports[i] = connect_to(sb_port, SOCK_NONBLOCK);
	s->sb = call_back(sb_port);
	m.status = STATUS_SUCCESS;
	m.session = 7;
	assert_int_equal(port_send(s->sm, &m.h, -1), 0);
}

static struct sm *start(int fd, uint32_t type, const char *sb_port, unsigned impostors)
{
	struct sm *s = calloc(1, sizeof(*s));

	assert_non_null(s);
	s->impostors = impostors;
	s->pid = fork();
	assert_true(s->pid >= 0);
	if (s->pid == 0) {
		char *words[] = { "subsystem", "7", NULL };
		int null = open("/dev/null", O_RDWR);
		for (int i = 0; i < 3; i++)
			dup2(null, i);
		signal(SIGCHLD, SIG_IGN); /* as whoever starts it may have left it */
		fexecve(fd, words, environ);
		_exit(122);
	}
	shake_hands(s, type, sb_port);
	return s;
}

static int setup(void **data)
{
	*data = start(program, SUBSYSTEM_POSIX, SB_PORT, 0);
	return 0;
}

static int setup_with_impostors(void **data)
{
	*data = start(program, SUBSYSTEM_POSIX, SB_PORT, IMPOSTORS);
	return 0;
}

static int setup_csrss(void **data)
{
	*data = start(csrss, SUBSYSTEM_WINDOWS, CSRSS_SB_PORT, 0);
	return 0;
}

/* It leaves when smss does. */
static int teardown(void **data)
{
	struct sm *s = *data;
	int status = -1;

	fd_close(&s->sm);
	fd_close(&s->sb);
	assert_int_equal(waitpid(s->pid, &status, 0), s->pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	free(s);
	return 0;
}

/* ---- being smss ---- */

static int32_t callback(struct sm *s, SBAPIMSG m, uint32_t number, int passed)
{
	uint32_t id = ++s->message_id;

	m.ApiNumber = number;
	port_header(&m.h, LPC_REQUEST, sizeof(m), id);
	assert_int_equal(port_send(s->sb, &m.h, passed), 0);
	await(s->sb);
	assert_int_equal(port_receive(s->sb, &m, sizeof(m), NULL), sizeof(m));
	assert_int_equal(m.h.type, LPC_REPLY);
	assert_int_equal(m.h.message_id, id);
	assert_int_equal(m.ApiNumber, number);
	return m.ReturnedStatus;
}

/* A new environment session. Returns musessctl's end of its port. */
static int create(struct sm *s)
{
	SBAPIMSG m = { .u.CreateSession.SessionId = ++s->next_session };
	int pair[2];

	assert_int_equal(port_pair(pair), 0);
	assert_int_equal(callback(s, m, SbCreateSessionApi, pair[1]), STATUS_SUCCESS);
	close(pair[1]);
	return pair[0];
}

/* The next call of psxss's, which is NUMBER. */
static SMAPIMSG called(struct sm *s, uint32_t number, int *passed)
{
	SMAPIMSG m;

	await(s->sm);
	assert_int_equal(port_receive(s->sm, &m, sizeof(m), passed), sizeof(m));
	assert_int_equal(m.h.type, LPC_REQUEST);
	assert_int_equal(m.ApiNumber, number);
	return m;
}

static void answer(struct sm *s, SMAPIMSG m, int32_t status)
{
	m.h.type = LPC_REPLY;
	m.ReturnedStatus = status;
	assert_int_equal(port_send(s->sm, &m.h, -1), 0);
}

/* The line for the log that psxss has next. */
static void assert_says(struct sm *s, const char *what)
{
	struct msg_log m;

	await(s->sm);
	assert_int_equal(port_receive(s->sm, &m, sizeof(m), NULL), sizeof(m));
	assert_int_equal(m.h.type, LOG_LINE);
	assert_int_equal(m.owner, LOG_OWN);
	assert_string_equal(m.text, what);
}

static void assert_stopped(uint32_t process)
{
	char path[64], text[512] = { 0 };

	snprintf(path, sizeof(path), "/proc/%u/stat", process);
	FILE *file = fopen(path, "re");
	assert_non_null(file);
	assert_non_null(fgets(text, sizeof(text), file));
	fclose(file);
	assert_int_equal(strrchr(text, ')')[2], 'T');
}

/* ExecPgm: the process is adopted, goes on, and the call is answered. Returns its id. */
static uint32_t let_go_on(struct sm *s)
{
	SBAPIMSG adopt = { 0 };
	int process = -1;
	SMAPIMSG m = called(s, SmExecPgmApi, &process);

	assert_true(process >= 0);
	assert_int_equal(m.u.ExecPgm.DebugFlag, 0);
	assert_stopped(m.u.ExecPgm.ProcessId);
	adopt.u.CreateProcess.ProcessId = m.u.ExecPgm.ProcessId;
	assert_int_equal(callback(s, adopt, SbCreateProcessApi, process), STATUS_SUCCESS);
	if (s->exec_status == STATUS_SUCCESS)
		assert_int_equal(syscall(SYS_pidfd_send_signal, process, SIGCONT, NULL, 0), 0);
	close(process);
	answer(s, m, s->exec_status);
	return m.u.ExecPgm.ProcessId;
}

static void completed(struct sm *s, uint32_t id)
{
	SMAPIMSG m = called(s, SmSessionCompleteApi, NULL);

	assert_int_equal(m.u.SessionComplete.SessionId, id);
	assert_int_equal(m.u.SessionComplete.SessionStatus, 0);
	answer(s, m, STATUS_SUCCESS);
}

/* ---- being musessctl ---- */

static void send_words(int port, const char *const *words)
{
	struct ex_command m = { 0 };

	for (; words[m.count]; m.count++) {
		size_t size = strlen(words[m.count]) + 1;
		memcpy(m.arguments + m.length, words[m.count], size);
		m.length += (uint32_t)size;
	}
	port_header(&m.h, EX_COMMAND, sizeof(m), 0);
	assert_int_equal(port_send(port, &m.h, -1), 0);
}

static void send_script(int port, const char *script)
{
	send_words(port, (const char *const[]){ "sh", "-c", script, NULL });
}

/* Returns false where the port takes no more. */
static bool try_input(int port, const char *data, size_t length)
{
	struct ex_data m = { .length = (uint32_t)length };

	memcpy(m.data, data, length);
	port_header(&m.h, EX_INPUT, sizeof(m), 0);
	if (port_send(port, &m.h, -1) == 0)
		return true;
	assert_int_equal(errno, EAGAIN);
	return false;
}

static void keep_output(struct sm *s, const struct ex_data *m)
{
	assert_in_range(m->stream, 1, 2);
	assert_in_range(m->length, 1, sizeof(m->data));
	size_t *length = &s->length[m->stream - 1];
	assert_true(*length + m->length < sizeof(s->out[0]));
	memcpy(s->out[m->stream - 1] + *length, m->data, m->length);
	*length += m->length;
	s->out[m->stream - 1][*length] = 0;
}

/* One message of output; false where it was EX_EXIT. */
static bool receive(struct sm *s, int port)
{
	union {
		PORT_MESSAGE h;
		struct ex_data data;
		struct ex_exit end;
	} m;
	ssize_t got;

	await(port);
	do
		got = port_receive(port, &m, sizeof(m), NULL);
	while (got < 0 && errno == ECONNRESET); /* it left input unread; what it sent is there */
	if (m.h.type == EX_OUTPUT) {
		assert_int_equal(got, sizeof(m.data));
		keep_output(s, &m.data);
		return true;
	}
	assert_int_equal(got, sizeof(m.end));
	assert_int_equal(m.h.type, EX_EXIT);
	s->end = m.end;
	return false;
}

static void assert_closed(int port)
{
	char rest[PORT_MAX_MESSAGE];
	ssize_t got;

	await(port);
	do
		got = port_receive(port, rest, sizeof(rest), NULL);
	while (got < 0 && errno == ECONNRESET);
	assert_int_equal(got, 0);
	close(port);
}

/* All of its output and its end. */
static void finish(struct sm *s, int port, uint32_t status, int error)
{
	while (receive(s, port))
		;
	assert_int_equal(s->end.status, status);
	assert_int_equal(s->end.error, error);
	assert_closed(port);
	completed(s, s->next_session);
}

static void run(struct sm *s, const char *script, uint32_t status)
{
	int port = create(s);

	memset(s->length, 0, sizeof(s->length));
	s->out[0][0] = s->out[1][0] = 0;
	send_script(port, script);
	let_go_on(s);
	finish(s, port, status, 0);
}

/* Waits for what the command says first. */
static int begin(struct sm *s, const char *script, uint32_t *process)
{
	int port = create(s);

	send_script(port, script);
	*process = let_go_on(s);
	assert_true(receive(s, port));
	return port;
}

static void assert_gone(uint32_t process)
{
	for (int i = 0; i < 200 && kill((pid_t)process, 0) == 0; i++)
		usleep(10000);
	assert_int_equal(kill((pid_t)process, 0), -1);
}

/* ---- the tests ---- */

static void test_output(void **data)
{
	struct sm *s = *data;

	run(s, "echo one; echo two >&2; exit 3", 3);
	assert_string_equal(s->out[0], "one\n");
	assert_string_equal(s->out[1], "two\n");
	run(s, "exit 255", 255);
	run(s, "kill -TERM $$", 128 + SIGTERM);
	assert_int_equal(access(SB_PORT, F_OK), -1); /* smss has connected, and nobody else may */
}

static void test_environment(void **data)
{
	struct sm *s = *data;

	run(s, "pwd; /usr/bin/env | sort | grep -v -e ^_ -e ^PWD -e ^SHLVL -e ^OLDPWD", 0);
	assert_string_equal(s->out[0],
	    "/run/home\nHOME=/run/home\nLC_CTYPE=C.UTF-8\nLOGNAME=joe\nMUSESSIONID=7\n"
	    "PATH=/usr/local/bin:/usr/bin:/bin:/usr/local/games:/usr/games\n"
	    "SHELL=/bin/bash\nTERM=dumb\nUSER=joe\n");
	run(s, "ls /proc/self/fd | wc -l; grep -E 'Sig(Blk|Ign)' /proc/self/status", 0);
	assert_string_equal(s->out[0], "4\nSigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
	run(s, "test $(cut -d' ' -f6 /proc/$$/stat) = $$", 0); /* a session of its own */
}

/* What a user may have put in the place of a file of his. */
static void test_strange_passwd(void **data)
{
	static const char *const strange[] = { "/run/fifo", "/run/endless", "/dev/zero" };
	struct sm *s = *data;

	mkfifo("/run/fifo", 0600);
	write_text("/run/endless", "");
	assert_int_equal(truncate("/run/endless", INT64_C(1) << 40), 0);
	for (size_t i = 0; i < sizeof(strange) / sizeof(*strange); i++) {
		assert_int_equal(mount(strange[i], "/etc/passwd", NULL, MS_BIND, NULL), 0);
		run(s, "echo $USER", 0);
		assert_string_equal(s->out[0], "system\n");
		assert_int_equal(umount2("/etc/passwd", MNT_DETACH), 0);
	}
}

static void test_input(void **data)
{
	struct sm *s = *data;
	int port = create(s);

	send_words(port, (const char *const[]){ "cat", NULL });
	assert_true(try_input(port, "early ", 6)); /* before it runs */
	let_go_on(s);
	assert_true(receive(s, port));
	assert_true(try_input(port, "late", 4));
	assert_true(try_input(port, "", 0));
	finish(s, port, 0, 0);
	assert_string_equal(s->out[0], "early late");
}

/* More than all buffers hold goes in and comes out again. */
static void test_much_input(void **data)
{
	enum { BLOCKS = 1000 };
	struct sm *s = *data;
	char block[EX_DATA_SIZE];
	int port = create(s), sent = 0;

	memset(block, 'x', sizeof(block));
	send_words(port, (const char *const[]){ "cat", NULL });
	let_go_on(s);
	while (sent < BLOCKS)
		if (try_input(port, block, sizeof(block)))
			sent++;
		else
			assert_true(receive(s, port));
	while (!try_input(port, "", 0))
		assert_true(receive(s, port));
	finish(s, port, 0, 0);
	assert_int_equal(s->length[0], BLOCKS * sizeof(block));
}

/* Nobody reads it: the command goes on without. */
static void test_unread_input(void **data)
{
	struct sm *s = *data;
	char block[EX_DATA_SIZE] = { 0 };
	uint32_t process;
	int port = begin(s, "exec <&-; echo begun; sleep 0.3; exit 4", &process);

	for (int i = 0; i < 50; i++)
		while (!try_input(port, block, sizeof(block)))
			usleep(1000);
	finish(s, port, 4, 0);
}

static void test_much_output(void **data)
{
	struct sm *s = *data;

	run(s, "head -c 3000000 /dev/zero & head -c 3000000 /dev/zero >&2; wait", 0);
	assert_int_equal(s->length[0], 3000000);
	assert_int_equal(s->length[1], 3000000);
}

/* The clock ticks that psxss has used. */
static unsigned long ticks(const struct sm *s)
{
	char path[64], text[512] = { 0 }, *field;

	snprintf(path, sizeof(path), "/proc/%d/stat", s->pid);
	FILE *file = fopen(path, "re");
	assert_non_null(file);
	assert_non_null(fgets(text, sizeof(text), file));
	fclose(file);
	field = strrchr(text, ')') + 2;
	for (int i = 3; i < 14; i++)
		field = strchr(field, ' ') + 1;
	unsigned long user = strtoul(field, &field, 10);
	return user + strtoul(field, NULL, 10);
}

/* The reader is slow: nothing is lost, and psxss does not spin. */
static void test_slow_reader(void **data)
{
	struct sm *s = *data;
	int port = create(s);

	send_script(port, "head -c 2000000 /dev/zero");
	let_go_on(s);
	usleep(100000);
	unsigned long before = ticks(s);
	usleep(500000);
	assert_in_range(ticks(s) - before, 0, 5);
	finish(s, port, 0, 0);
	assert_int_equal(s->length[0], 2000000);
}

static void test_background(void **data)
{
	struct sm *s = *data;

	run(s, "echo $$; sleep 100 & exit 5", 5);
	kill(-(pid_t)strtol(s->out[0], NULL, 10), SIGKILL);
	/* one that never stops writing */
	run(s, "echo $$; yes & exit 6", 6);
	kill(-(pid_t)strtol(s->out[0], NULL, 10), SIGKILL);
}

/* What was written before the end is not lost, however much the pipe holds. */
static void test_full_pipe_at_end(void **data)
{
	struct sm *s = *data;
	int port = create(s);

	send_script(port, "sleep 100 & head -c 300000 /dev/zero; echo $$ >&2");
	let_go_on(s);
	usleep(300000);
	finish(s, port, 0, 0);
	assert_int_equal(s->length[0], 300000);
	kill(-(pid_t)strtol(s->out[1], NULL, 10), SIGKILL);
}

static void cannot_run(struct sm *s, const char *name, uint32_t status, int error)
{
	int port = create(s);

	send_words(port, (const char *const[]){ name, NULL });
	let_go_on(s);
	finish(s, port, status, error);
}

static void test_cannot_run(void **data)
{
	struct sm *s = *data;

	cannot_run(s, "no-such-program", 127, ENOENT);
	cannot_run(s, "/no/such/program", 127, ENOENT);
	cannot_run(s, "", 127, ENOENT);
	cannot_run(s, "/etc", 126, EACCES);
	cannot_run(s, "/run/no-program", 126, ENOEXEC);
}

static void test_refused(void **data)
{
	struct sm *s = *data;
	int port = create(s);

	s->exec_status = STATUS_NO_MEMORY;
	send_script(port, "echo never");
	uint32_t process = let_go_on(s);
	assert_says(s, "smss refused a command: STATUS_NO_MEMORY");
	finish(s, port, 126, ENOMEM);
	assert_int_equal(s->length[0], 0);
	assert_gone(process);
}

static void test_no_port(void **data)
{
	struct sm *s = *data;
	SBAPIMSG m = { .u.CreateSession.SessionId = 9 };
	int pipes[2], port;

	assert_int_equal(callback(s, m, SbCreateSessionApi, -1), STATUS_INVALID_PARAMETER);
	assert_int_equal(pipe(pipes), 0);
	assert_int_equal(callback(s, m, SbCreateSessionApi, pipes[1]), STATUS_INVALID_PARAMETER);
	close(pipes[0]);
	close(pipes[1]);
	port = create(s);
	m.u.CreateSession.SessionId = s->next_session; /* which there is */
	assert_int_equal(callback(s, m, SbCreateSessionApi, port), STATUS_INVALID_PARAMETER);
	close(port);
	completed(s, s->next_session);
}

/* smss asks whether it is there. */
static void assert_answers_ping(const struct sm *s)
{
	struct msg_plain m = { 0 };

	port_header(&m.h, SM_PING, sizeof(m), 0);
	assert_int_equal(port_send(s->sm, &m.h, -1), 0);
	await(s->sm);
	assert_int_equal(port_receive(s->sm, &m, sizeof(m), NULL), sizeof(m));
	assert_int_equal(m.h.type, SM_PING);
}

static void test_other_callbacks(void **data)
{
	struct sm *s = *data;
	SBAPIMSG m = { 0 };

	assert_int_equal(callback(s, m, SbForeignSessionCompleteApi, -1), STATUS_SUCCESS);
	assert_int_equal(callback(s, m, SbMaxApiNumber, -1), STATUS_NOT_IMPLEMENTED);
	assert_int_equal(callback(s, m, SbCreateProcessApi, -1), STATUS_OBJECT_NAME_NOT_FOUND);
	m.u.TerminateSession.SessionId = 99;
	assert_int_equal(callback(s, m, SbTerminateSessionApi, -1), STATUS_OBJECT_NAME_NOT_FOUND);
	assert_answers_ping(s);
}

static void test_session_limit(void **data)
{
	enum { LIMIT = 64 };
	struct sm *s = *data;
	SBAPIMSG m = { .u.CreateSession.SessionId = 1000 };
	int ports[LIMIT], extra[2];

	for (int i = 0; i < LIMIT; i++)
		ports[i] = create(s);
	assert_int_equal(port_pair(extra), 0);
	assert_int_equal(callback(s, m, SbCreateSessionApi, extra[1]), STATUS_NO_MEMORY);
	close(extra[1]);
	assert_closed(extra[0]);
	for (int i = 0; i < LIMIT; i++) {
		close(ports[i]);
		completed(s, (uint32_t)i + 1);
	}
	run(s, "exit 7", 7);
}

/* Two at once have nothing to do with each other. */
static void test_two(void **data)
{
	struct sm *s = *data;
	uint32_t processes[2];
	int first = begin(s, "echo 1; read x; exit $x", &processes[0]);
	int second = begin(s, "echo 2; read x; exit $x", &processes[1]);

	assert_true(try_input(first, "8\n", 2));
	while (receive(s, first))
		;
	assert_int_equal(s->end.status, 8);
	assert_closed(first);
	completed(s, s->next_session - 1);
	assert_true(try_input(second, "9\n", 2));
	finish(s, second, 9, 0);
}

static void terminate(struct sm *s)
{
	SBAPIMSG m = { .u.TerminateSession.SessionId = s->next_session };

	assert_int_equal(callback(s, m, SbTerminateSessionApi, -1), STATUS_SUCCESS);
}

static void test_terminate(void **data)
{
	struct sm *s = *data;
	uint32_t process;
	int port = begin(s, "echo begun; sleep 100", &process);

	terminate(s);
	finish(s, port, 128 + SIGHUP, 0);
	assert_gone(process);
	/* one that will not hear of it, and its children */
	memset(s->length, 0, sizeof(s->length));
	port = begin(s, "trap '' HUP; sleep 100 & echo $!; wait", &process);
	terminate(s);
	finish(s, port, 128 + SIGKILL, 0);
	assert_gone(process);
	assert_gone((uint32_t)strtoul(s->out[0], NULL, 10));
}

/* A debugger that does not wait for it keeps it from being reaped: it is over all the same, and others
   are not kept waiting. */
static void test_terminate_traced(void **data)
{
	struct sm *s = *data;
	uint32_t process;
	int port = begin(s, "echo begun; sleep 100", &process);

	assert_int_equal(ptrace(PTRACE_SEIZE, (pid_t)process, NULL, NULL), 0);
	terminate(s);
	finish(s, port, 128 + SIGKILL, 0);
	assert_int_equal(kill((pid_t)process, 0), 0);
	run(s, "exit 5", 5);
	assert_int_equal(waitpid((pid_t)process, NULL, __WALL), process); /* as its debugger */
	assert_gone(process);
}

/* The user's debugger has it before smss refuses it. */
static void test_refused_traced(void **data)
{
	struct sm *s = *data;
	int port = create(s), pidfd = -1;

	send_script(port, "sleep 100");
	SMAPIMSG m = called(s, SmExecPgmApi, &pidfd);
	pid_t process = (pid_t)m.u.ExecPgm.ProcessId;
	assert_int_equal(kill(process, SIGCONT), 0); /* as any program of the user can */
	for (int i = 0; i < 2000 && ptrace(PTRACE_SEIZE, process, NULL, NULL) < 0; i++)
		usleep(10000);
	answer(s, m, STATUS_ACCESS_DENIED);
	assert_says(s, "smss refused a command: STATUS_ACCESS_DENIED");
	finish(s, port, 126, EACCES);
	run(s, "exit 5", 5);
	assert_int_equal(waitpid(process, NULL, __WALL), process);
	assert_gone((uint32_t)process);
	close(pidfd);
}

static void test_terminate_early(void **data)
{
	struct sm *s = *data;
	int process, port = create(s);

	send_script(port, "echo never");
	called(s, SmExecPgmApi, &process); /* and it is not answered */
	terminate(s);
	finish(s, port, 128 + SIGKILL, 0);
	close(process);
	port = create(s);
	terminate(s); /* before its command came */
	completed(s, s->next_session);
	assert_closed(port);
}

/* It has not answered yet when smss has done its part: nothing is sent to nobody. */
static void test_early_close(void **data)
{
	struct sm *s = *data;
	uint32_t process;
	int port = begin(s,
	    "trap 'echo hung up >/run/home/hup; exit' HUP; echo begun;"
	    "while :; do sleep 0.05; done",
	    &process);

	close(port);
	completed(s, s->next_session);
	assert_gone(process);
	assert_int_equal(unlink("/run/home/hup"), 0);
	port = begin(s, "echo begun; yes", &process); /* with its output unread */
	close(port);
	completed(s, s->next_session);
	assert_gone(process);
	close(create(s));
	completed(s, s->next_session);
}

/* Sends M as its first message: the port is closed, and nothing runs. */
static void cut_off(struct sm *s, PORT_MESSAGE *m, uint16_t type, size_t size)
{
	int port = create(s);

	port_header(m, type, size, 0);
	assert_int_equal(port_send(port, m, -1), 0);
	completed(s, s->next_session);
	assert_closed(port);
}

static void cut_off_command(struct sm *s, uint32_t count, uint32_t length, const char *text)
{
	struct ex_command m = { .count = count, .length = length };

	memcpy(m.arguments, text, strlen(text));
	cut_off(s, &m.h, EX_COMMAND, sizeof(m));
}

static void test_malformed(void **data)
{
	struct sm *s = *data;
	struct ex_command m = { .count = 1, .length = 5, .arguments = "true" };
	struct ex_data input = { .length = EX_DATA_SIZE + 1 };

	cut_off_command(s, 0, 0, "");
	cut_off_command(s, 0, 5, "true");
	cut_off_command(s, 2, 5, "true");
	cut_off_command(s, 1, 6, "true"); /* two strings */
	cut_off_command(s, 1, 4, "true"); /* no terminator */
	cut_off_command(s, 1, 0, "true");
	cut_off_command(s, EX_ARGUMENTS_MAX + 1, EX_ARGUMENTS_MAX + 1, "");
	cut_off_command(s, 1, EX_COMMAND_SIZE + 1, "true");
	cut_off_command(s, UINT32_MAX, UINT32_MAX, "true");
	cut_off(s, &m.h, EX_COMMAND, sizeof(m) - 8);
	cut_off(s, &m.h, EX_OUTPUT, sizeof(m));
	cut_off(s, &input.h, EX_INPUT, sizeof(input)); /* before a command */
}

/* The command is hung up on where a later message is wrong. */
static void test_malformed_later(void **data)
{
	struct sm *s = *data;
	struct ex_data input = { .length = EX_DATA_SIZE + 1 };
	uint32_t process;
	int port = begin(s, "echo begun; sleep 100", &process);

	port_header(&input.h, EX_INPUT, sizeof(input), 0);
	assert_int_equal(port_send(port, &input.h, -1), 0);
	completed(s, s->next_session);
	assert_closed(port);
	assert_gone(process);
	port = begin(s, "echo begun; sleep 100", &process);
	send_script(port, "echo twice");
	completed(s, s->next_session);
	assert_closed(port);
	assert_gone(process);
}

/* Bytes that are no callback close that port alone. */
static void test_strange_callback(void **data)
{
	struct sm *s = *data;
	char byte;

	assert_int_equal(send(s->sb, "x", 1, MSG_NOSIGNAL), 1);
	await(s->sb);
	assert_int_equal(recv(s->sb, &byte, 1, 0), 0);
}

/* Programs of the user connect to its port before smss does: they get nothing, and keep smss
   from nothing. */
static void test_impostors(void **data)
{
	struct sm *s = *data;

	run(s, "exit 5", 5);
	for (unsigned i = 0; i < IMPOSTORS; i++)
		assert_closed(s->impostor_ports[i]);
	assert_int_equal(access(SB_PORT, F_OK), -1);
}

/* A desktop has no sessions of another kind, and every process may use it. */
static void test_csrss(void **data)
{
	struct sm *s = *data;
	SBAPIMSG m = { 0 };
	int pair[2];

	assert_int_equal(port_pair(pair), 0);
	assert_int_equal(callback(s, m, SbCreateSessionApi, pair[1]), STATUS_UNSUCCESSFUL);
	close(pair[1]);
	assert_closed(pair[0]);
	assert_int_equal(access(CSRSS_SB_PORT, F_OK), -1);
	assert_int_equal(callback(s, m, SbTerminateSessionApi, -1), STATUS_OBJECT_NAME_NOT_FOUND);
	assert_int_equal(callback(s, m, SbForeignSessionCompleteApi, -1), STATUS_SUCCESS);
	assert_int_equal(callback(s, m, SbCreateProcessApi, -1), STATUS_SUCCESS);
	assert_int_equal(callback(s, m, SbMaxApiNumber, -1), STATUS_NOT_IMPLEMENTED);
	assert_answers_ping(s);
}

int main(void)
{
#define PSXSS_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		PSXSS_TEST(test_output),
		PSXSS_TEST(test_environment),
		PSXSS_TEST(test_strange_passwd),
		PSXSS_TEST(test_input),
		PSXSS_TEST(test_much_input),
		PSXSS_TEST(test_unread_input),
		PSXSS_TEST(test_much_output),
		PSXSS_TEST(test_slow_reader),
		PSXSS_TEST(test_background),
		PSXSS_TEST(test_full_pipe_at_end),
		PSXSS_TEST(test_cannot_run),
		PSXSS_TEST(test_refused),
		PSXSS_TEST(test_no_port),
		PSXSS_TEST(test_other_callbacks),
		PSXSS_TEST(test_session_limit),
		PSXSS_TEST(test_two),
		PSXSS_TEST(test_terminate),
		PSXSS_TEST(test_terminate_traced),
		PSXSS_TEST(test_refused_traced),
		PSXSS_TEST(test_terminate_early),
		PSXSS_TEST(test_early_close),
		PSXSS_TEST(test_malformed),
		PSXSS_TEST(test_malformed_later),
		PSXSS_TEST(test_strange_callback),
		cmocka_unit_test_setup_teardown(test_impostors, setup_with_impostors, teardown),
		cmocka_unit_test_setup_teardown(test_csrss, setup_csrss, teardown),
	};

	const char *path = getenv("PSXSS"), *csrss_path = getenv("CSRSS");

	program = path ? open(path, O_PATH | O_CLOEXEC) : -1;
	csrss = csrss_path ? open(csrss_path, O_PATH | O_CLOEXEC) : -1;
	if (program < 0 || csrss < 0) {
		fputs("PSXSS and CSRSS are not the paths of the programs to test\n", stderr);
		return 1;
	}
	make_world();
	enter_namespace();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
