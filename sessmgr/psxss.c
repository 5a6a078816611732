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
 *   KILLED    and not reaped yet
 *   ENDED     reaped (or never was): what it wrote is passed on, then EX_EXIT
 *
 * Who closes the port, or smss with SbTerminateSession, has the command's process group
 * hung up on, and killed GRACE later. Its leader is not reaped before, for its id is the
 * group's. What a command leaves in the background is pid 1's. One that a debugger of the user's
 * holds on to cannot be reaped even when it is dead: GRACE after it was killed it has ended all the
 * same, and is reaped when it can be.
 */
#include "psxss.h"

#include "clock.h"
#include "conceal.h"
#include "log.h"
#include "ntstatus.h"
#include "open-files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define SB_PORT "/run/session/PosixSbApiPort"

enum { SMSS, CALLBACKS, CHILDREN, COMMON_POLLS };
enum { POLLS = COMMON_POLLS + SESSIONS_MAX * EXEC_POLLS };

static void on_children(struct psxss *p)
{
	struct signalfd_siginfo info;

	/* signals of one kind are counted as one: look at all */
	while (read(p->children, &info, sizeof(info)) == sizeof(info))
		;
	for (int i = 0; i < SESSIONS_MAX; i++)
		if (p->execs[i].process)
			exec_on_child(p, &p->execs[i]);
}

/* ---- smss ---- */

/* Returns -1 when smss is gone. */
static int on_smss(struct psxss *p)
{
	SMAPIMSG m;
	ssize_t got = port_receive(p->sm.smss, &m, sizeof(m), NULL);

	if (got <= 0)
		return got < 0 && errno == EAGAIN ? 0 : -1;
	if (m.h.type == SM_PING)
		ping_answer(p->sm.smss);
	if (got != sizeof(m) || m.h.type != LPC_REPLY || m.ApiNumber != SmExecPgmApi)
		return 0; /* SessionComplete's says nothing */
	for (int i = 0; i < SESSIONS_MAX; i++) {
		struct exec *e = &p->execs[i];
		if (e->state == ASKED && e->message_id == m.h.message_id && !e->kill_at)
			exec_on_answer(p, e, m.ReturnedStatus);
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
	struct exec *place = NULL;

	if (*passed < 0 || !take_port(*passed) || find_session(p, id))
		return STATUS_INVALID_PARAMETER;
	/* one whose process is still to be reaped is the last choice */
	for (int i = 0; i < SESSIONS_MAX; i++)
		if (p->execs[i].state == EMPTY && (!place || place->process))
			place = &p->execs[i];
	if (!place)
		return STATUS_NO_MEMORY;
	*place = (struct exec){ .state = WAITING,
		.id = id,
		.port = *passed,
		.input = -1,
		.output = { -1, -1 },
		.error = -1 };
	*passed = -1;
	return STATUS_SUCCESS;
}

static int32_t terminate_session(struct psxss *p, uint32_t id)
{
	struct exec *e = find_session(p, id);

	if (!e)
		return STATUS_OBJECT_NAME_NOT_FOUND;
	exec_hang_up(p, e);
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

/* ---- the loop ---- */

/* Milliseconds until somebody's time of grace is over; -1: nobody's runs. */
static int kill_due(struct psxss *p)
{
	uint64_t now = clock_us();
	int wait = -1;

	for (int i = 0; i < SESSIONS_MAX; i++) {
		struct exec *e = &p->execs[i];
		if (exec_is_under_way(e) && e->kill_at && e->kill_at <= now)
			exec_kill(p, e);
		if (!exec_is_under_way(e) || !e->kill_at)
			continue;
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
			exec_prepare(
			    &p->execs[i], polls + COMMON_POLLS + (ptrdiff_t)i * EXEC_POLLS);
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
			exec_serve(
			    p, &p->execs[i], polls + COMMON_POLLS + (ptrdiff_t)i * EXEC_POLLS);
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
	open_files_raise();
	signal(SIGPIPE, SIG_IGN);
	p.children = watch_children();
	if (p.children < 0 || subsystem_connect(&p.sm, SUBSYSTEM_POSIX, SB_PORT) < 0)
		return 1;
	status = loop(&p) < 0 ? 1 : 0;
	subsystem_close(&p.sm);
	return status;
}
