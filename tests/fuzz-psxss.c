/*
 * Fuzzer of psxss: the whole process, on fuzz-io.c, with processes in memory as well. smss makes sessions
 * and ends them, answers, or does not; musessctl, which is a stranger's, says anything; commands stop,
 * write, read, end in any way and at any time, or cannot be run.
 *
 * What has to hold: a session is complete once; what commands write comes whole, in order, and before how
 * they ended; so does what they read; nobody is killed or waited for who is not psxss's own child.
 */
#include "fuzz-io.h"
#include "psxss.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int psxss_main(int argc, char **argv);

enum { PROCESSES = 64, FIRST_PID = 100, ENDING_ACTS = 2 * IO_QUEUE, COMMANDS = 128 };

enum life { NONE, STARTED, STOPPED, REPORTED, RUNS, DEAD, REAPED };

/* A child; its number is FIRST_PID and its place. */
struct child {
	enum life life;
	bool traced, was_traced; /* by who does not wait for it: it cannot be reaped */
	int code, status;        /* as in siginfo_t, once it is dead */
};

/* A session that smss has asked for, by its id. */
struct command {
	bool made, complete, exited;
	int port;
	const struct exec *exec;
	struct child *child;
	unsigned wrote[2], passed[2]; /* bytes that came of each output, and that musessctl got */
	unsigned due[2];              /* of those that came, when it was reaped */
	unsigned said, got;           /* bytes of its input: by musessctl, and that it got */
	bool input_over;
	uint32_t asked; /* the number of ExecPgm; 0: none, or it is answered */
};

static struct psxss *p;
static struct child children[PROCESSES];
static unsigned child_count;
static struct command commands[COMMANDS];
static unsigned command_count; /* ids begin with 1 */
static uint32_t last_message;
static int acts_ahead;
static bool may_end, forks_fail;
static char passwd[256];

static struct command *command_of(const struct exec *e)
{
	io_must(e->id > 0 && e->id <= command_count, "a session that nobody asked for");
	return &commands[e->id - 1];
}

/* ---- children ---- */

static struct child *child_of(pid_t pid)
{
	struct child *child = &children[pid - FIRST_PID];

	io_must(pid >= FIRST_PID && pid < FIRST_PID + (pid_t)child_count && child->life < REAPED,
	    "somebody else's process");
	return child;
}

static void tell_of_child(void)
{
	struct signalfd_siginfo info = { .ssi_signo = SIGCHLD };

	if (io_waiting(p->children) == 0) /* it is counted as one */
		io_say(p->children, &info, sizeof(info), -1);
}

static void die(struct child *child, int code, int status)
{
	if (child->life >= DEAD)
		return;
	child->life = DEAD;
	child->code = code;
	child->status = status;
	tell_of_child();
}

pid_t __wrap_fork(void);
pid_t __wrap_fork(void)
{
	errno = EAGAIN;
	if (forks_fail || child_count == PROCESSES)
		return -1;
	children[child_count] = (struct child){ .life = STARTED };
	for (int i = 0; i < SESSIONS_MAX; i++)
		if (p->execs[i].state == STOPPING && p->execs[i].process == 0)
			command_of(&p->execs[i])->child = &children[child_count];
	return FIRST_PID + (pid_t)child_count++;
}

int __wrap_kill(pid_t pid, int number);
int __wrap_kill(pid_t pid, int number)
{
	struct child *child = child_of(pid < 0 ? -pid : pid);

	if (pid < 0 && child->life == STARTED) /* it has no group yet */
		return -1;
	if (number == SIGKILL)
		die(child, CLD_KILLED, SIGKILL);
	else
		io_must(number == SIGHUP || number == SIGCONT, "another signal");
	return 0;
}

int __wrap_waitid(idtype_t type, id_t id, siginfo_t *how, int options);
int __wrap_waitid(idtype_t type, id_t id, siginfo_t *how, int options)
{
	struct child *child = child_of((pid_t)id);

	io_must(type == P_PID, "it waits for anybody");
	memset(how, 0, sizeof(*how));
	if (child->life == STOPPED && (options & WSTOPPED)) {
		how->si_code = CLD_STOPPED;
		if (!(options & WNOWAIT))
			child->life = REPORTED;
	} else if (child->life == DEAD && !child->traced && (options & WEXITED)) {
		how->si_code = child->code;
		how->si_status = child->status;
		if (!(options & WNOWAIT))
			child->life = REAPED;
	} else {
		io_must(options & WNOHANG, "it would wait for ever");
		return 0;
	}
	how->si_pid = (pid_t)id;
	return 0;
}

/* ---- other calls of psxss ---- */

int conceal(void);
int conceal(void)
{
	return 0;
}

int __wrap_subsystem_connect(struct subsystem *s, uint32_t type, const char *sb_port);
int __wrap_subsystem_connect(struct subsystem *s, uint32_t type, const char *sb_port)
{
	(void)type;
	p = (struct psxss *)(void *)s; /* it comes first, and is that of the run before */
	for (int i = 0; i < SESSIONS_MAX; i++)
		p->execs[i] = (struct exec){ .state = EMPTY };
	p->message_id = 0;
	s->sb_port = sb_port;
	s->smss = io_open();
	s->callbacks = io_open();
	return 0;
}

int __wrap_signalfd(int fd, const sigset_t *set, int flags);
int __wrap_signalfd(int fd, const sigset_t *set, int flags)
{
	(void)fd;
	(void)set;
	(void)flags;
	return io_open();
}

int __wrap_pipe2(int pair[2], int flags);
int __wrap_pipe2(int pair[2], int flags)
{
	io_must(flags == O_CLOEXEC, "a pipe that programs would have");
	errno = EMFILE;
	if (forks_fail && io_take() % 4 == 0)
		return -1;
	pair[0] = io_open();
	pair[1] = io_open();
	return 0;
}

int __real_fcntl(int fd, int command, ...);
int __wrap_fcntl(int fd, int command, ...);
int __wrap_fcntl(int fd, int command, ...)
{
	va_list list;
	long argument;

	va_start(list, command);
	argument = va_arg(list, long);
	va_end(list);
	if (fd < IO_FIRST)
		return __real_fcntl(fd, command, argument);
	io_must(io_is_open(fd) && command == F_SETFL, "another fcntl");
	return 0;
}

int __wrap_ioctl(int fd, unsigned long request, int *count);
int __wrap_ioctl(int fd, unsigned long request, int *count)
{
	io_must(request == FIONREAD, "another ioctl");
	*count = (int)io_waiting(fd);
	return 0;
}

int __wrap_getsockopt(int fd, int level, int name, void *value, socklen_t *size);
int __wrap_getsockopt(int fd, int level, int name, void *value, socklen_t *size)
{
	const int type = SOCK_SEQPACKET;

	(void)level;
	io_must(name == SO_TYPE && *size == sizeof(type) && io_is_open(fd), "another option");
	memcpy(value, &type, sizeof(type));
	return 0;
}

long __wrap_syscall(long number, ...);
long __wrap_syscall(long number, ...)
{
	io_must(number == SYS_pidfd_open, "another system call");
	return forks_fail ? -1 : io_open();
}

int __wrap_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...)
{
	int fd;

	io_must(strcmp(path, "/etc/passwd") == 0, "another file is read");
	io_must(flags & O_NONBLOCK, "what is there may be waited for");
	if (!passwd[0])
		return -1;
	fd = io_open();
	io_say(fd, passwd, strlen(passwd), -1);
	return fd;
}

int __wrap_fstat(int fd, struct stat *status);
int __wrap_fstat(int fd, struct stat *status)
{
	io_must(io_is_open(fd), "what is closed is looked at");
	memset(status, 0, sizeof(*status));
	status->st_mode = passwd[0] == '|' ? S_IFIFO : S_IFREG;
	return 0;
}

/* ---- what psxss says ---- */

static struct command *find_command(uint32_t id)
{
	io_must(id > 0 && id <= command_count && commands[id - 1].made, "another session");
	return &commands[id - 1];
}

static void to_smss(const SMAPIMSG *m, size_t size, int passed)
{
	if (m->h.type == LOG_LINE) {
		io_must(size == sizeof(struct msg_log) && passed < 0, "a line that is none");
		return;
	}
	io_must(size == sizeof(*m) && m->h.type == LPC_REQUEST && m->h.message_id > last_message,
	    "a call that is none");
	last_message = m->h.message_id;
	if (m->ApiNumber == SmSessionCompleteApi) {
		struct command *command = find_command(m->u.SessionComplete.SessionId);
		io_must(!command->complete && passed < 0, "a session is complete twice");
		io_must(!command->child || command->child->life == REAPED ||
		            (command->child->traced && command->child->life == DEAD),
		    "nobody waits for it");
		command->complete = true;
		return;
	}
	io_must(m->ApiNumber == SmExecPgmApi && passed >= 0, "another call");
	for (int i = 0; i < SESSIONS_MAX; i++)
		if (p->execs[i].state != EMPTY &&
		    p->execs[i].process == (pid_t)m->u.ExecPgm.ProcessId) {
			struct command *command = command_of(&p->execs[i]);
			io_must(!command->asked && command->child->life >= REPORTED,
			    "it may not run yet");
			command->asked = m->h.message_id;
			return;
		}
	io_must(false, "smss is told of somebody else's process");
}

/* Bytes that are counted are as they were counted. */
static void check_bytes(const void *bytes, size_t size, unsigned *count)
{
	const uint8_t *at = bytes;

	for (size_t i = 0; i < size; i++)
		io_must(at[i] == (uint8_t)(*count)++, "bytes are lost, or come in another order");
}

static void on_exit_message(struct command *command, const struct ex_exit *m, size_t size)
{
	const struct child *child = command->child;

	io_must(size == sizeof(*m), "another size");
	command->exited = true;
	if (!child) {
		io_must(m->status == EXIT_CANNOT && m->error > 0, "it could not be started");
		return;
	}
	io_must(
	    child->life == REAPED || (child->traced && child->life == DEAD), "it has not ended");
	for (int i = 0; i < 2; i++)
		io_must(command->exec->kill_at || command->passed[i] >= command->due[i],
		    "what it wrote was not passed on");
	if (m->error)
		io_must(m->status == EXIT_CANNOT || m->status == EXIT_NOT_FOUND, "another error");
	else if (!child->was_traced || m->status != 128 + SIGKILL)
		io_must(m->status == (child->code == CLD_EXITED ? (uint32_t)child->status & 0xff
		                                                : 128 + (uint32_t)child->status),
		    "it has ended in another way");
}

static void to_musessctl(struct command *command, const PORT_MESSAGE *h, size_t size)
{
	const struct ex_data *m = (const void *)h;

	io_must(!command->exited && !command->complete, "something comes after the last message");
	if (h->type == EX_EXIT) {
		on_exit_message(command, (const void *)h, size);
		return;
	}
	io_must(h->type == EX_OUTPUT && size == sizeof(*m) && m->length > 0 &&
	            m->length <= sizeof(m->data) && (m->stream == 1 || m->stream == 2),
	    "musessctl is told something else");
	check_bytes(m->data, m->length, &command->passed[m->stream - 1]);
	for (size_t i = m->length; i < sizeof(m->data); i++)
		io_must(m->data[i] == 0, "it tells what was there before");
}

void fuzz_sent(int fd, const void *bytes, size_t size, int passed)
{
	if (fd == p->sm.smss) {
		to_smss(bytes, size, passed);
		return;
	}
	if (fd == p->sm.callbacks)
		return;
	io_must(passed < 0, "something is passed");
	for (int i = 0; i < SESSIONS_MAX; i++) {
		struct exec *e = &p->execs[i];
		if (e->state != EMPTY && fd == e->port) {
			to_musessctl(command_of(e), bytes, size);
			return;
		}
		if (e->state != EMPTY && fd == e->input) {
			check_bytes(bytes, size, &command_of(e)->got);
			return;
		}
	}
	io_must(false, "it is told to somebody else");
}

void fuzz_took(int fd, const void *bytes, size_t size)
{
	(void)fd;
	(void)bytes;
	(void)size;
}

/* ---- what holds whenever psxss waits ---- */

/* Each child that is not reaped has its session. */
static void check_children(void)
{
	unsigned alive = 0, known = 0;

	for (unsigned i = 0; i < child_count; i++)
		alive += children[i].life < REAPED;
	for (int i = 0; i < SESSIONS_MAX; i++)
		known += p->execs[i].process > 0;
	io_must(alive == known, "a child was forgotten");
}

static void check_exec(const struct exec *e, unsigned *held)
{
	const int fds[] = { e->port, e->input, e->output[0], e->output[1], e->error };
	struct command *command = command_of(e);

	for (size_t i = 0; i < sizeof(fds) / sizeof(*fds); i++) {
		io_must(fds[i] < 0 || io_is_open(fds[i]), "it holds what is closed");
		*held += fds[i] >= 0;
	}
	io_must(command->made && !command->complete, "the session is complete");
	command->exec = e;
	io_must(e->process == 0 || child_of(e->process) == command->child, "another child");
	io_must(e->state != ENDED || e->process == 0 || child_of(e->process)->traced,
	    "it has ended, and has not");
	io_must(e->state != STOPPING || e->process > 0, "nobody will stop");
}

void fuzz_check(void)
{
	unsigned held = (p->sm.smss >= 0) + (p->sm.callbacks >= 0) + 1;

	for (int i = 0; i < SESSIONS_MAX; i++)
		if (p->execs[i].state != EMPTY)
			check_exec(&p->execs[i], &held);
	io_must(held == io_held_count(), "a descriptor was forgotten");
	check_children();
}

/* ---- what happens ---- */

static void create(void)
{
	SBAPIMSG m = { .ApiNumber = SbCreateSessionApi };
	struct command *command = &commands[command_count];
	uint8_t kind = io_take();

	if (p->sm.callbacks < 0 || command_count == COMMANDS)
		return;
	*command = (struct command){ .port = kind == 0xff ? -1 : io_open() };
	/* one that is refused has no session: there is a place, and the id is new */
	command->made = command->port >= 0;
	m.u.CreateSession.SessionId = ++command_count;
	port_header(&m.h, LPC_REQUEST, sizeof(m), 1);
	if (!io_say(p->sm.callbacks, &m, sizeof(m), command->port))
		command->made = false;
}

static void smss_asks(void)
{
	SBAPIMSG m = { .ApiNumber = io_take() % 5 };

	if (p->sm.callbacks < 0 || m.ApiNumber == SbCreateSessionApi)
		return;
	m.u.TerminateSession.SessionId =
	    m.ApiNumber == SbCreateProcessApi ? FIRST_PID + io_take() % 8u : io_take() % 8u;
	port_header(&m.h, LPC_REQUEST, sizeof(m), 1);
	io_say(p->sm.callbacks, &m, sizeof(m), -1);
}

/* A session, or NULL where there is none. */
static struct exec *some_exec(void)
{
	uint8_t first = io_take();

	for (unsigned i = 0; i < SESSIONS_MAX; i++) {
		struct exec *e = &p->execs[(first + i) % SESSIONS_MAX];
		if (e->state != EMPTY)
			return e;
	}
	return NULL;
}

static void smss_answers(void)
{
	static const int32_t answers[] = { STATUS_SUCCESS, STATUS_SUCCESS, STATUS_NO_MEMORY,
		STATUS_ACCESS_DENIED };
	SMAPIMSG m = { .ApiNumber = SmExecPgmApi };
	const struct exec *e = some_exec();
	uint8_t kind = io_take();

	m.ReturnedStatus = answers[kind % 4];
	if (!e || p->sm.smss < 0)
		return;
	struct command *command = command_of(e);
	if (!command->asked)
		return;
	port_header(&m.h, LPC_REPLY, sizeof(m), command->asked + (kind == 0xff));
	if (kind == 0xff || !io_say(p->sm.smss, &m, sizeof(m), -1))
		return;
	command->asked = 0;
	if (m.ReturnedStatus == STATUS_SUCCESS && command->child &&
	    command->child->life == REPORTED)
		command->child->life = RUNS;
}

static void say_command(const struct exec *e)
{
	struct ex_command m = { .count = 1 + io_take() % 4u };
	uint8_t odd = io_take();

	m.length = (uint32_t)io_take_bytes(m.arguments, 64);
	if (odd < 0x80) { /* as it has to be */
		m.count = 1;
		m.length = (uint32_t)strnlen(m.arguments, 63) + 1;
	} else if (odd >= 0xf0) {
		m.count = io_take_number();
		m.length = io_take_number();
	}
	port_header(&m.h, EX_COMMAND, sizeof(m), 0);
	io_say(e->port, &m, sizeof(m), -1);
}

static void say_input(const struct exec *e)
{
	struct command *command = command_of(e);
	struct ex_data m = { .length = io_take() };
	uint8_t odd = io_take();
	bool over = m.length == 0;

	for (uint32_t i = 0; i < m.length; i++)
		m.data[i] = (char)(command->said + i);
	if (odd == 0xff)
		m.length = (uint32_t)sizeof(m.data) + 1 + io_take_number() / 2;
	port_header(&m.h, EX_INPUT, sizeof(m), 0);
	if (!command->input_over && io_say(e->port, &m, sizeof(m), -1) && odd != 0xff)
		command->said += m.length;
	command->input_over = command->input_over || over || odd == 0xff;
}

/* Anything, with a type that is one mostly. */
static void say_anything(const struct exec *e)
{
	union {
		PORT_MESSAGE h;
		uint8_t bytes[512];
	} m = { 0 };
	uint16_t type = (uint16_t)(EX_COMMAND + io_take() % 5);
	size_t size = sizeof(m.h) + io_take();

	io_take_bytes(m.bytes + sizeof(m.h), size - sizeof(m.h));
	port_header(&m.h, type, size, 0);
	m.h.total_length = (uint16_t)(size + (io_take() == 0xff));
	io_say(e->port, &m, size, io_take() == 0xff ? io_open() : -1);
}

static void musessctl_acts(void)
{
	const struct exec *e = some_exec();
	uint8_t kind = io_take();

	if (!e || e->port < 0)
		return;
	switch (kind % 8) {
	case 0:
	case 1:
	case 2:
		if (e->state == WAITING)
			say_command(e);
		else
			say_input(e);
		break;
	case 3:
		say_input(e);
		break;
	case 4:
		io_set_room(e->port, io_take() % 4);
		break;
	case 5:
		io_set_room(e->port, IO_ANY);
		break;
	case 6:
		say_anything(e);
		break;
	default:
		io_end(e->port);
	}
}

static void write_output(const struct exec *e, int which)
{
	struct command *command = command_of(e);
	uint8_t bytes[512];
	size_t count = io_take();

	if (e->output[which] < 0 || count == 0)
		return;
	for (size_t i = 0; i < count; i++)
		bytes[i] = (uint8_t)(command->wrote[which] + i);
	if (io_say(e->output[which], bytes, count, -1))
		command->wrote[which] += (unsigned)count;
}

static void exit_child(const struct exec *e, struct child *child)
{
	struct command *command = command_of(e);
	uint8_t kind = io_take();
	int error = kind & 4 ? ENOENT : EACCES;

	if (child->life == RUNS && (kind & 3) == 3) /* it could not become its program */
		io_say(e->error, &error, sizeof(error), -1);
	if (kind & 8)
		die(child, CLD_KILLED, SIGSEGV);
	else
		die(child, CLD_EXITED, kind >> 4);
	for (int i = 0; i < 2; i++)
		command->due[i] = command->wrote[i];
}

static void command_acts(void)
{
	const struct exec *e = some_exec();
	uint8_t kind = io_take();
	struct child *child;

	if (!e || e->process <= 0)
		return;
	child = child_of(e->process);
	switch (kind % 8) {
	case 0:
	case 1:
		if (child->life == STARTED) {
			child->life = STOPPED;
			tell_of_child();
		}
		break;
	case 2:
	case 3:
		write_output(e, kind >> 3 & 1);
		break;
	case 4:
		exit_child(e, child);
		break;
	case 5:
		if (e->input >= 0)
			io_set_room(e->input, kind & 8 ? IO_ANY : io_take());
		break;
	case 6:
		if (e->input >= 0)
			io_end(e->input); /* it does not read */
		break;
	default:
		if (kind >= 0xc0 && child->life == RUNS)
			child->traced = child->was_traced = true;
		else if (e->output[kind >> 3 & 1] >= 0)
			io_end(e->output[kind >> 3 & 1]);
	}
}

/* The debuggers end. */
static void let_go(void)
{
	for (unsigned i = 0; i < child_count; i++)
		if (children[i].traced) {
			children[i].traced = false;
			if (children[i].life == DEAD)
				tell_of_child();
		}
}

static void last_acts(void)
{
	io_must(acts_ahead-- > 0, "it does not end");
	may_end = true;
	if (p->sm.smss >= 0)
		io_end(p->sm.smss);
	io_now += UINT64_C(10000000);
}

void fuzz_act(const struct pollfd *polls, nfds_t count)
{
	uint8_t action = 0x80;

	(void)polls;
	(void)count;
	if (io_left() == 0) {
		last_acts();
		return;
	}
	while (action & 0x80 && io_left() > 0) { /* all of them before psxss is woken */
		action = io_take();
		switch (action % 8) {
		case 0:
			create();
			break;
		case 1:
			smss_asks();
			break;
		case 2:
			smss_answers();
			break;
		case 3:
		case 4:
			musessctl_acts();
			break;
		case 5:
		case 6:
			command_acts();
			break;
		default:
			io_now += io_take() * UINT64_C(20000);
			forks_fail = (action & 0x78) == 0x78;
			if ((action & 0x78) == 0x68)
				let_go();
			if ((action & 0x78) == 0x70) {
				io_take_bytes(passwd, sizeof(passwd) - 1);
				passwd[sizeof(passwd) - 1] = 0;
			}
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *argv[] = { (char[]){ "psxss" }, (char[]){ "3" }, NULL };

	io_begin(data, size);
	child_count = command_count = 0;
	last_message = 0;
	acts_ahead = ENDING_ACTS;
	may_end = forks_fail = false;
	snprintf(passwd, sizeof(passwd), "joe:x:1000:1000:Joe:/home/joe:/bin/bash\n");
	io_must(psxss_main(2, argv) == 0 && may_end, "somebody else ended it");
	io_finish();
	return 0;
}
