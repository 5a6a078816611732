/*
 * psxss: the Posix subsystem of one session. It runs commands that have no terminal and no
 * window, for musessctl exec; smss starts it when the first is wanted.
 *
 *   psxss SESSION
 *
 * Each command is an environment session, which smss asks for with SbCreateSession:
 *
 *   port     to musessctl: EX_COMMAND comes first, then input; output goes out, EX_EXIT last
 *   pipes    the command's standard input, output and errors; one message of input and one
 *            of output is held, and nothing more is read before it has gone
 *   process  begins stopped, and stays so until smss has been told of it (ExecPgm)
 *
 *   EMPTY     no session
 *   WAITING   for its command
 *   STOPPING  the command's process has not stopped yet
 *   ASKED     it has, and ExecPgm is not answered
 *   RUNNING
 *   ENDED     reaped (or never was): what it wrote is passed on, then EX_EXIT
 *
 * Who closes the port, or smss with SbTerminateSession, has the command's process group
 * hung up on, and killed GRACE later. Its leader is not reaped before, for its id is the
 * group's. What a command leaves in the background is pid 1's.
 */
#include "clock.h"
#include "conceal.h"
#include "log.h"
#include "messages.h"
#include "ntstatus.h"
#include "subsystem-port.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define SB_PORT "/run/session/PosixSbApiPort"
#define SEARCH_PATH "/usr/local/bin:/usr/bin:/bin:/usr/local/games:/usr/games"

enum { SESSIONS_MAX = 64, USER_ID = 1000, GRACE = 1000000 /* microseconds */ };
enum { EXIT_CANNOT = 126, EXIT_NOT_FOUND = 127 };

enum state { EMPTY, WAITING, STOPPING, ASKED, RUNNING, ENDED };

struct exec {
	enum state state;
	uint32_t id;
	int port;            /* -1: musessctl is gone */
	pid_t process;       /* 0: none */
	uint32_t message_id; /* of ExecPgm */
	int input, output[2];
	int error;        /* errno comes here where the command cannot be run */
	int left[2];      /* ENDED: bytes of each output that the command wrote */
	uint64_t kill_at; /* not 0: it has been hung up on */
	bool in_held, out_held;
	uint32_t in_at; /* bytes of the input that have gone */
	struct ex_exit end;
	struct ex_data in, out;
};

struct psxss {
	struct subsystem sm;
	int children; /* SIGCHLD */
	uint32_t message_id;
	const char *session;
	char user[USER_SIZE], home[COMMAND_SIZE], shell[COMMAND_SIZE];
	struct exec execs[SESSIONS_MAX];
};

/* The descriptors of a session in the set that is polled. */
enum { PORT, INPUT, OUTPUT, ERRORS, EXEC_POLLS };
enum { SMSS, CALLBACKS, CHILDREN, COMMON_POLLS };
enum { POLLS = COMMON_POLLS + SESSIONS_MAX * EXEC_POLLS };

/* ---- the command's process ---- */

/* One line of /etc/passwd; true where it is the session's user. */
static bool parse_passwd(struct psxss *p, char *line)
{
	enum { NAME, PASSWORD, USER, GROUP, COMMENT, HOME, SHELL, FIELDS };
	char *fields[FIELDS], *rest = line;

	line[strcspn(line, "\n")] = 0;
	for (int i = 0; i < FIELDS; i++)
		if (!(fields[i] = strsep(&rest, ":")))
			return false;
	if (strtoul(fields[USER], NULL, 10) != USER_ID)
		return false;
	snprintf(p->user, sizeof(p->user), "%s", fields[NAME]);
	snprintf(p->home, sizeof(p->home), "%s", fields[HOME]);
	snprintf(p->shell, sizeof(p->shell), "%s", fields[SHELL]);
	return true;
}

/* Without the C library's services, whose modules a session need not have. Asked before
   each command: the user may have logged on meanwhile. */
static void find_user(struct psxss *p)
{
	FILE *file = fopen("/etc/passwd", "re");
	char line[2048];

	snprintf(p->user, sizeof(p->user), "system");
	snprintf(p->home, sizeof(p->home), "/");
	snprintf(p->shell, sizeof(p->shell), "/bin/bash");
	while (file && fgets(line, sizeof(line), file))
		if (parse_passwd(p, line))
			break;
	if (file)
		fclose(file);
}

/* Splits the message's strings. Returns false where they are not as EX_COMMAND has to be. */
static bool split_command(struct ex_command *m, char **words)
{
	uint32_t count = 0, at = 0;

	if (m->count == 0 || m->count > EX_ARGUMENTS_MAX || m->length > sizeof(m->arguments))
		return false;
	while (at < m->length && count < m->count) {
		words[count++] = m->arguments + at;
		at += (uint32_t)strnlen(m->arguments + at, m->length - at);
		if (at == m->length) /* no terminator */
			return false;
		at++;
	}
	words[count] = NULL;
	return count == m->count && at == m->length;
}

static void set_environment(const struct psxss *p)
{
	clearenv();
	setenv("PATH", SEARCH_PATH, 1);
	setenv("USER", p->user, 1);
	setenv("LOGNAME", p->user, 1);
	setenv("HOME", p->home, 1);
	setenv("SHELL", p->shell, 1);
	setenv("TERM", "dumb", 1);
	setenv("LC_CTYPE", "C.UTF-8", 1);
	setenv("MUSESSIONID", p->session, 1);
}

/* Becomes the program. Returns with errno. Not execvp, which takes for a shell script what
   is no program at all. */
static void search_and_exec(char **words)
{
	const char *directory = SEARCH_PATH;
	char path[COMMAND_SIZE + EX_COMMAND_SIZE];
	int error = ENOENT;

	if (strchr(words[0], '/') || !*words[0]) {
		execv(words[0], words);
		return;
	}
	while (*directory) {
		int length = (int)strcspn(directory, ":");
		snprintf(path, sizeof(path), "%.*s/%s", length, directory, words[0]);
		execv(path, words);
		if (errno == EACCES)
			error = EACCES; /* there may be another that can be run */
		else if (errno != ENOENT && errno != ENOTDIR)
			return;
		directory += length + (directory[length] == ':');
	}
	errno = error;
}

static void default_signals(void)
{
	sigset_t none;

	for (int number = 1; number < NSIG; number++)
		signal(number, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* In the child. Does not return. */
static void run(const struct psxss *p, char **words, const int *standard, int error)
{
	int number;

	default_signals();
	setsid();
	for (int fd = 0; fd < 3; fd++)
		dup2(standard[fd], fd);
	/* at once, for while it is stopped nobody's end of a port may stay open here */
	dup3(error, 3, O_CLOEXEC);
	close_range(4, ~0U, 0);
	set_environment(p);
	if (chdir(p->home) < 0 && chdir("/") < 0)
		_exit(EXIT_CANNOT);
	prctl(PR_SET_PDEATHSIG, SIGKILL); /* nobody else would ever let it go on */
	raise(SIGSTOP);                   /* until smss knows of it */
	prctl(PR_SET_PDEATHSIG, 0);
	search_and_exec(words);
	number = errno;
	(void)!write(3, &number, sizeof(number));
	_exit(EXIT_CANNOT);
}

/* Pipes for a command: *OURS our ends, *ITS the command's; both are input, output, errors,
   and where it says why it cannot be run. */
enum { PIPES = 4 };
static int make_pipes(int *ours, int *its)
{
	for (int i = 0; i < PIPES; i++) {
		int pair[2];
		if (pipe2(pair, O_CLOEXEC) < 0)
			return -1;
		ours[i] = pair[i == 0 ? 1 : 0];
		its[i] = pair[i == 0 ? 0 : 1];
		if (fcntl(ours[i], F_SETFL, O_NONBLOCK) < 0)
			return -1;
	}
	return 0;
}

/* Starts the command. Returns 0, or -1 with errno. */
static int start_command(const struct psxss *p, struct exec *e, char **words)
{
	int ours[PIPES] = { -1, -1, -1, -1 }, its[PIPES] = { -1, -1, -1, -1 };
	pid_t process = make_pipes(ours, its) < 0 ? -1 : fork();
	int error = errno;

	if (process == 0)
		run(p, words, its, its[PIPES - 1]);
	for (int i = 0; i < PIPES; i++) {
		fd_close(&its[i]);
		if (process < 0)
			fd_close(&ours[i]);
	}
	errno = error;
	if (process < 0)
		return -1;
	e->input = ours[0];
	e->output[0] = ours[1];
	e->output[1] = ours[2];
	e->error = ours[3];
	e->process = process;
	return 0;
}

/* ---- the life of a session ---- */

/* Everything is closed, and smss told. */
static void complete(struct psxss *p, struct exec *e)
{
	SMAPIMSG m = { .ApiNumber = SmSessionCompleteApi, .ReturnedStatus = STATUS_PENDING };

	fd_close(&e->port);
	fd_close(&e->input);
	fd_close(&e->output[0]);
	fd_close(&e->output[1]);
	fd_close(&e->error);
	m.u.SessionComplete.SessionId = e->id;
	m.u.SessionComplete.SessionStatus = STATUS_SUCCESS;
	port_header(&m.h, LPC_REQUEST, sizeof(m), ++p->message_id);
	port_send(p->sm.smss, &m.h, -1); /* one that is gone is noticed in the loop */
	e->state = EMPTY;
}

/* The last message, once nothing is before it. Who was hung up on waits for no reader. */
static void finish(struct psxss *p, struct exec *e)
{
	if (e->state != ENDED)
		return;
	if (e->port >= 0 && !e->kill_at && (e->out_held || e->left[0] > 0 || e->left[1] > 0))
		return;
	port_header(&e->end.h, EX_EXIT, sizeof(e->end), 0);
	if (e->port >= 0 && port_send(e->port, &e->end.h, -1) < 0 && errno == EAGAIN && !e->kill_at)
		return;
	complete(p, e);
}

/* No command runs any longer. */
static void end(struct psxss *p, struct exec *e, uint32_t status, int error)
{
	e->state = ENDED;
	e->process = 0;
	e->in_held = false;
	e->end.status = status;
	e->end.error = error;
	fd_close(&e->input);
	/* what comes later is another process's, and that could go on forever */
	for (int i = 0; i < 2; i++)
		if (e->output[i] < 0 || ioctl(e->output[i], FIONREAD, &e->left[i]) < 0)
			e->left[i] = 0;
	finish(p, e);
}

/* The process is reaped: how did it end? */
static void end_reaped(struct psxss *p, struct exec *e, const siginfo_t *how)
{
	int error = 0;

	if (read(e->error, &error, sizeof(error)) == sizeof(error) && error > 0)
		end(p, e, error == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT, error);
	else if (how->si_code == CLD_EXITED)
		end(p, e, (uint32_t)how->si_status & 0xff, 0);
	else
		end(p, e, 128 + (uint32_t)how->si_status, 0);
}

/* Hangs up on the command; one that has not begun needs no time to end. */
static void hang_up(struct psxss *p, struct exec *e)
{
	if (e->state == WAITING) {
		complete(p, e);
	} else if (e->state == ENDED) {
		e->kill_at = 1;
		finish(p, e);
	} else if (!e->kill_at) {
		e->kill_at = clock_us();
		if (e->state == RUNNING) {
			e->kill_at += GRACE;
			kill(-e->process, SIGHUP);
			kill(-e->process, SIGCONT); /* one that is stopped would not hear it */
		} else {
			kill(e->process, SIGKILL); /* it may not have its group yet */
		}
	}
}

/* musessctl is gone, or does what it may not. */
static void lose_port(struct psxss *p, struct exec *e)
{
	fd_close(&e->port);
	hang_up(p, e);
}

/* The time of grace is over. */
static void kill_group(struct psxss *p, struct exec *e)
{
	siginfo_t how = { 0 };

	kill(-e->process, SIGKILL);
	kill(e->process, SIGKILL);
	if (waitid(P_PID, (id_t)e->process, &how, WEXITED) == 0)
		end_reaped(p, e, &how);
	else
		end(p, e, 128 + SIGKILL, 0);
}

/* It has stopped: smss is told, with the process beside it. */
static void ask_smss(struct psxss *p, struct exec *e)
{
	SMAPIMSG m = { .ApiNumber = SmExecPgmApi, .ReturnedStatus = STATUS_PENDING };
	int process = (int)syscall(SYS_pidfd_open, e->process, 0);

	m.u.ExecPgm.ProcessId = (uint32_t)e->process;
	e->message_id = ++p->message_id;
	e->state = ASKED;
	port_header(&m.h, LPC_REQUEST, sizeof(m), e->message_id);
	if (process < 0 || port_send(p->sm.smss, &m.h, process) < 0)
		kill(e->process, SIGKILL);
	fd_close(&process);
}

static void on_child(struct psxss *p, struct exec *e)
{
	int what = WEXITED | WNOHANG | (e->state == STOPPING ? WSTOPPED : 0);
	siginfo_t how = { 0 };

	if (waitid(P_PID, (id_t)e->process, &how, what | WNOWAIT) < 0 || how.si_pid == 0)
		return;
	if (how.si_code == CLD_STOPPED) {
		waitid(P_PID, (id_t)e->process, &how, WSTOPPED | WNOHANG);
		if (!e->kill_at)
			ask_smss(p, e);
	} else if (!e->kill_at) { /* one that was hung up on is reaped when its time is over */
		waitid(P_PID, (id_t)e->process, &how, WEXITED | WNOHANG);
		end_reaped(p, e, &how);
	}
}

static void on_children(struct psxss *p)
{
	struct signalfd_siginfo info;

	/* signals of one kind are counted as one: look at all */
	while (read(p->children, &info, sizeof(info)) == sizeof(info))
		;
	for (int i = 0; i < SESSIONS_MAX; i++)
		if (p->execs[i].process && p->execs[i].state != EMPTY)
			on_child(p, &p->execs[i]);
}

/* ---- smss ---- */

static int error_of(int32_t status)
{
	return status == STATUS_NO_MEMORY ? ENOMEM : status == STATUS_ACCESS_DENIED ? EACCES : EIO;
}

/* ExecPgm is answered: the command runs, or may not. */
static void on_exec_answer(struct psxss *p, struct exec *e, int32_t status)
{
	siginfo_t how;

	if (status == STATUS_SUCCESS) {
		e->state = RUNNING;
		return;
	}
	log_warn("smss refused a command: %s", ntstatus_name(status));
	kill(e->process, SIGKILL);
	waitid(P_PID, (id_t)e->process, &how, WEXITED);
	end(p, e, EXIT_CANNOT, error_of(status));
}

/* Returns -1 when smss is gone. */
static int on_smss(struct psxss *p)
{
	SMAPIMSG m;
	ssize_t got = port_receive(p->sm.smss, &m, sizeof(m), NULL);

	if (got <= 0)
		return got < 0 && errno == EAGAIN ? 0 : -1;
	if (got != sizeof(m) || m.h.type != LPC_REPLY || m.ApiNumber != SmExecPgmApi)
		return 0; /* SessionComplete's says nothing */
	for (int i = 0; i < SESSIONS_MAX; i++) {
		struct exec *e = &p->execs[i];
		if (e->state == ASKED && e->message_id == m.h.message_id && !e->kill_at)
			on_exec_answer(p, e, m.ReturnedStatus);
	}
	return 0;
}

static struct exec *find_session(struct psxss *p, uint32_t id)
{
	for (int i = 0; i < SESSIONS_MAX; i++)
		if (p->execs[i].state != EMPTY && p->execs[i].id == id)
			return &p->execs[i];
	return NULL;
}

/* True where FD is a port, which then never blocks. */
static bool take_port(int fd)
{
	int type = 0;
	socklen_t length = sizeof(type);

	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) == 0 && type == SOCK_SEQPACKET &&
	       fcntl(fd, F_SETFL, O_NONBLOCK) == 0;
}

static int32_t create_session(struct psxss *p, uint32_t id, int *passed)
{
	if (*passed < 0 || !take_port(*passed) || find_session(p, id))
		return STATUS_INVALID_PARAMETER;
	for (int i = 0; i < SESSIONS_MAX; i++) {
		struct exec *e = &p->execs[i];
		if (e->state != EMPTY)
			continue;
		*e = (struct exec){ .state = WAITING,
			.id = id,
			.port = *passed,
			.input = -1,
			.output = { -1, -1 },
			.error = -1 };
		*passed = -1;
		return STATUS_SUCCESS;
	}
	return STATUS_NO_MEMORY;
}

static int32_t terminate_session(struct psxss *p, uint32_t id)
{
	struct exec *e = find_session(p, id);

	if (!e)
		return STATUS_OBJECT_NAME_NOT_FOUND;
	hang_up(p, e);
	return STATUS_SUCCESS;
}

/* smss adopts only what was shown to it. */
static int32_t create_process(const struct psxss *p, uint32_t process)
{
	for (int i = 0; i < SESSIONS_MAX; i++)
		if (p->execs[i].state == ASKED && (uint32_t)p->execs[i].process == process)
			return STATUS_SUCCESS;
	return STATUS_OBJECT_NAME_NOT_FOUND;
}

static int32_t on_callback(void *data, SBAPIMSG *m, int *passed)
{
	struct psxss *p = data;

	switch (m->ApiNumber) {
	case SbCreateSessionApi:
		return create_session(p, m->u.CreateSession.SessionId, passed);
	case SbTerminateSessionApi:
		return terminate_session(p, m->u.TerminateSession.SessionId);
	case SbForeignSessionCompleteApi:
		return STATUS_SUCCESS;
	case SbCreateProcessApi:
		return create_process(p, m->u.CreateProcess.ProcessId);
	default:
		return STATUS_NOT_IMPLEMENTED;
	}
}

/* ---- musessctl and the pipes ---- */

static void on_command(struct psxss *p, struct exec *e, struct ex_command *m)
{
	char *words[EX_ARGUMENTS_MAX + 1];

	if (!split_command(m, words)) {
		lose_port(p, e);
		return;
	}
	find_user(p);
	e->state = STOPPING;
	if (start_command(p, e, words) < 0)
		end(p, e, EXIT_CANNOT, errno);
}

/* As much of the held input as the pipe takes. */
static void write_input(struct exec *e)
{
	ssize_t wrote = 0;

	if (!e->in_held)
		return;
	if (e->input >= 0 && e->in.length > 0)
		wrote = write(e->input, e->in.data + e->in_at, e->in.length - e->in_at);
	if (wrote < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (wrote < 0 || e->in.length == 0)
		fd_close(&e->input); /* its end, or nobody reads: the rest is for nothing */
	e->in_at += wrote > 0 ? (uint32_t)wrote : 0;
	e->in_held = e->input >= 0 && e->in_at < e->in.length;
}

static void on_port(struct psxss *p, struct exec *e)
{
	union {
		PORT_MESSAGE h;
		struct ex_command command;
		struct ex_data data;
	} m;
	ssize_t got = port_receive(e->port, &m, sizeof(m), NULL);

	if (got < 0 && errno == EAGAIN)
		return;
	if (got == sizeof(m.command) && m.h.type == EX_COMMAND && e->state == WAITING) {
		on_command(p, e, &m.command);
	} else if (got == sizeof(m.data) && m.h.type == EX_INPUT && e->state != WAITING &&
	           m.data.length <= sizeof(m.data.data)) {
		e->in = m.data;
		e->in_at = 0;
		e->in_held = e->state != ENDED;
		write_input(e);
	} else {
		lose_port(p, e);
	}
}

static void send_output(struct psxss *p, struct exec *e)
{
	if (!e->out_held)
		return;
	if (e->port >= 0 && port_send(e->port, &e->out.h, -1) < 0 && errno == EAGAIN)
		return;
	e->out_held = false; /* that the port is gone is noticed where it is read */
	finish(p, e);
}

static void read_output(struct psxss *p, struct exec *e, int i)
{
	size_t size = sizeof(e->out.data);
	ssize_t got;

	if (e->state == ENDED && (size_t)e->left[i] < size)
		size = (size_t)e->left[i];
	got = read(e->output[i], e->out.data, size);
	if (got < 0 && (errno == EAGAIN || errno == EINTR) && e->state != ENDED)
		return;
	if (got <= 0) { /* or another process has read what was left */
		fd_close(&e->output[i]);
		e->left[i] = 0;
		finish(p, e);
		return;
	}
	memset(e->out.data + got, 0, sizeof(e->out.data) - (size_t)got);
	e->out.stream = (uint32_t)i + 1;
	e->out.length = (uint32_t)got;
	port_header(&e->out.h, EX_OUTPUT, sizeof(e->out), 0);
	e->out_held = true;
	if (e->state == ENDED)
		e->left[i] -= (int)got;
	send_output(p, e);
}

/* ---- the loop ---- */

static bool wants_output(const struct exec *e, int i)
{
	return !e->out_held && (e->state != ENDED || e->left[i] > 0);
}

/* What to poll for a session. No input is taken while some is held. */
static void prepare(const struct exec *e, struct pollfd *polls)
{
	bool send = e->out_held || e->state == ENDED;

	polls[PORT] = (struct pollfd){ e->port,
		(short)((e->in_held ? 0 : POLLIN) | (send ? POLLOUT : 0)), 0 };
	polls[INPUT] = (struct pollfd){ e->in_held ? e->input : -1, POLLOUT, 0 };
	for (int i = 0; i < 2; i++)
		polls[OUTPUT + i] =
		    (struct pollfd){ wants_output(e, i) ? e->output[i] : -1, POLLIN, 0 };
	if (e->state == EMPTY)
		for (int i = 0; i < EXEC_POLLS; i++)
			polls[i].fd = -1;
}

static void serve(struct psxss *p, struct exec *e, const struct pollfd *polls)
{
	if ((polls[PORT].revents & POLLHUP) && e->state != EMPTY && e->port >= 0) {
		lose_port(p, e);
		return;
	}
	if ((polls[PORT].revents & (POLLIN | POLLERR)) && e->state != EMPTY)
		on_port(p, e);
	if ((polls[PORT].revents & POLLOUT) && e->state != EMPTY) {
		send_output(p, e);
		finish(p, e);
	}
	if (polls[INPUT].revents && e->state != EMPTY)
		write_input(e);
	for (int i = 0; i < 2; i++) {
		bool ready = polls[OUTPUT + i].revents ||
		             (e->state == ENDED && (polls[PORT].revents & POLLOUT));
		if (ready && e->state != EMPTY && e->output[i] >= 0 && wants_output(e, i))
			read_output(p, e, i);
	}
}

/* Milliseconds until somebody's time of grace is over; -1: nobody's runs. */
static int kill_due(struct psxss *p)
{
	uint64_t now = clock_us();
	int wait = -1;

	for (int i = 0; i < SESSIONS_MAX; i++) {
		struct exec *e = &p->execs[i];
		if (e->state == EMPTY || !e->kill_at || !e->process)
			continue;
		if (e->kill_at <= now) {
			kill_group(p, e);
			continue;
		}
		int left = (int)((e->kill_at - now + 999) / 1000);
		if (wait < 0 || left < wait)
			wait = left;
	}
	return wait;
}

static int loop(struct psxss *p)
{
	static struct pollfd polls[POLLS];

	for (;;) {
		int wait = kill_due(p);

		polls[SMSS] = (struct pollfd){ p->sm.smss, POLLIN, 0 };
		polls[CALLBACKS] = (struct pollfd){ subsystem_callback_port(&p->sm), POLLIN, 0 };
		polls[CHILDREN] = (struct pollfd){ p->children, POLLIN, 0 };
		for (int i = 0; i < SESSIONS_MAX; i++)
			prepare(&p->execs[i], polls + COMMON_POLLS + (ptrdiff_t)i * EXEC_POLLS);
		if (poll(polls, POLLS, wait) < 0) {
			if (errno == EINTR)
				continue;
			log_error("poll: %s", strerror(errno));
			return -1;
		}
		if (polls[SMSS].revents && on_smss(p) < 0)
			return 0;
		/* before a callback puts a new session where an old one was polled */
		for (int i = 0; i < SESSIONS_MAX; i++)
			serve(p, &p->execs[i], polls + COMMON_POLLS + (ptrdiff_t)i * EXEC_POLLS);
		if (polls[CHILDREN].revents)
			on_children(p);
		if (polls[CALLBACKS].revents)
			subsystem_callback(&p->sm, on_callback, p);
	}
}

/* ---- the start ---- */

static int watch_children(void)
{
	sigset_t set;

	/* whoever started us may have ignored it, and then children vanish */
	signal(SIGCHLD, SIG_DFL);
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

int main(int argc, char **argv)
{
	static struct psxss p = { .sm = SUBSYSTEM_INIT };
	int status;

	log_process("psxss");
	if (argc != 2) {
		log_error("started by smss only");
		return 2;
	}
	p.session = argv[1];
	log_session((uint32_t)strtoul(argv[1], NULL, 10));
	if (conceal() < 0) /* the session's programs have the same id */
		return 1;
	signal(SIGPIPE, SIG_IGN);
	p.children = watch_children();
	if (p.children < 0 || subsystem_connect(&p.sm, SUBSYSTEM_POSIX, SB_PORT) < 0)
		return 1;
	status = loop(&p) < 0 ? 1 : 0;
	subsystem_close(&p.sm);
	return status;
}
