/*
 * A subsystem of type 100 for tests with the real smss: it shakes hands, answers callbacks, and
 * says in its log what it was answered to the calls that are a subsystem's.
 *
 *   sm-subsystem SESSION
 *
 * The file act-extra beside it has a word for sessions other than the console:
 *     calls     LoadDefered, foreign sessions with psxss, ExecPgm; then stays
 *     impostor  a child of it shakes hands too; then stays
 *     other     a child of it listens at the SbApiPort that it names: smss must not take that
 *     twice     shakes hands a second time
 *     stay      no more than a subsystem has to do
 */
#include "log.h"
#include "ntstatus.h"
#include "subsystem-port.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define SM_PORT "/opt/musess/port/SmApiPort"
#define SB_PORT "/run/session/ExtraSbApiPort"

enum { TYPE = 100 };

static struct subsystem s = SUBSYSTEM_INIT;
static uint32_t completed; /* the foreign session that has ended */
static int32_t adopts;     /* what SbCreateProcess is answered */

static int32_t answer(void *data, SBAPIMSG *m, int *passed)
{
	(void)data;
	(void)passed;
	if (m->ApiNumber == SbForeignSessionCompleteApi)
		completed = m->u.ForeignSessionComplete.SessionId;
	return m->ApiNumber == SbCreateProcessApi ? adopts : STATUS_SUCCESS;
}

/* smss asks whether this is there: answered. */
static bool is_ping(void)
{
	PORT_MESSAGE m;

	if (recv(s.smss, &m, sizeof(m), MSG_PEEK) != sizeof(m) || m.type != SM_PING)
		return false;
	port_receive(s.smss, &m, sizeof(m), NULL);
	ping_answer(s.smss);
	return true;
}

/* Waits for something of smss, and answers callbacks. True where its port has something. */
static bool wait_for_smss(int milliseconds)
{
	struct pollfd p[2] = { { s.smss, POLLIN, 0 }, { subsystem_callback_port(&s), POLLIN, 0 } };

	if (poll(p, 2, milliseconds) < 0)
		return false;
	if (p[1].revents)
		subsystem_callback(&s, answer, NULL);
	return p[0].revents && !is_ping();
}

/* Makes a call, with PASSED beside it unless that is -1; *M is the reply. */
static int32_t call(SMAPIMSG *m, uint32_t number, int passed)
{
	m->ApiNumber = number;
	port_header(&m->h, LPC_REQUEST, sizeof(*m), number);
	if (port_send(s.smss, &m->h, passed) < 0)
		exit(3);
	while (!wait_for_smss(-1))
		;
	if (port_receive(s.smss, m, sizeof(*m), NULL) != sizeof(*m))
		exit(0); /* smss has gone */
	return m->ReturnedStatus;
}

static void say(const char *what, int32_t status)
{
	log_info("%s: %s", what, ntstatus_name(status));
}

static void load(const char *what, const char *name)
{
	SMAPIMSG m = { 0 };

	for (size_t i = 0; name[i]; i++)
		m.u.LoadDefered.SubsystemName[i] = (uint16_t)name[i];
	m.u.LoadDefered.SubsystemNameLength = (uint32_t)(2 * strlen(name));
	say(what, call(&m, SmLoadDeferedApi, -1));
}

/* Runs "exit 7" with psxss. */
static void foreign_session(void)
{
	struct ex_command command = { .count = 3, .length = 15, .arguments = "sh\0-c\0exit 7" };
	SMAPIMSG m = { .u.CreateForeignSession.SubsystemType = SUBSYSTEM_POSIX };
	struct ex_exit end = { 0 };
	uint32_t session;
	int pair[2];

	command.length = sizeof("sh\0-c\0exit 7");
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		exit(4);
	say("create", call(&m, SmCreateForeignSessionApi, pair[1]));
	session = m.u.CreateForeignSession.SessionId;
	close(pair[1]);
	port_header(&command.h, EX_COMMAND, sizeof(command), 0);
	port_send(pair[0], &command.h, -1);
	while (port_receive(pair[0], &end, sizeof(end), NULL) > 0 && end.h.type != EX_EXIT)
		;
	log_info("the command ended with %u", end.status);
	while (completed != session)
		wait_for_smss(1000);
	say("completed", STATUS_SUCCESS);
	m = (SMAPIMSG){ .u.TerminateForeignComplete.SessionId = session };
	say("terminate what has ended", call(&m, SmTerminateForeignSessionApi, -1));
	close(pair[0]);
}

/* A session that is ended before its command. */
static void terminated_session(void)
{
	SMAPIMSG m = { .u.CreateForeignSession.SubsystemType = SUBSYSTEM_POSIX };
	uint32_t session;
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		exit(4);
	say("create another", call(&m, SmCreateForeignSessionApi, pair[1]));
	session = m.u.CreateForeignSession.SessionId;
	m = (SMAPIMSG){ .u.SessionComplete.SessionId = session };
	say("complete what another serves", call(&m, SmSessionCompleteApi, -1));
	m = (SMAPIMSG){ .u.TerminateForeignComplete.SessionId = session };
	say("terminate", call(&m, SmTerminateForeignSessionApi, -1));
	m = (SMAPIMSG){ .u.CreateForeignSession.SubsystemType = 55 };
	say("create with nobody", call(&m, SmCreateForeignSessionApi, -1));
	close(pair[0]);
	close(pair[1]);
}

/* A child that stops, or does not; it exits with 9 when it is let go. */
static pid_t stopped_child(bool stops)
{
	siginfo_t info;
	pid_t pid = fork();

	if (pid == 0) {
		raise(stops ? SIGSTOP : SIGCONT);
		if (!stops)
			pause();
		_exit(9);
	}
	if (stops)
		waitid(P_PID, (id_t)pid, &info, WSTOPPED | WNOWAIT);
	return pid;
}

static void exec_pgm(const char *what, pid_t of, pid_t claimed, int32_t answered)
{
	SMAPIMSG m = { .u.ExecPgm.ProcessId = (uint32_t)claimed };
	int pidfd = of ? (int)syscall(SYS_pidfd_open, of, 0) : -1;

	adopts = answered;
	say(what, call(&m, SmExecPgmApi, pidfd));
	if (pidfd >= 0)
		close(pidfd);
}

static void exec_programs(void)
{
	pid_t pid = stopped_child(true), running = stopped_child(false);
	int status;

	exec_pgm("adopt without a pidfd", 0, pid, STATUS_SUCCESS);
	exec_pgm("adopt what is claimed", pid, pid + 1, STATUS_SUCCESS);
	exec_pgm("adopt what runs", running, running, STATUS_SUCCESS);
	exec_pgm("adopt csrss", 1, 1, STATUS_SUCCESS);
	exec_pgm("adopt", pid, pid, STATUS_SUCCESS);
	waitpid(pid, &status, 0);
	log_info("the adopted one ended with %d", WIFEXITED(status) ? WEXITSTATUS(status) : -1);
	pid = stopped_child(true);
	exec_pgm("refuse", pid, pid, STATUS_UNSUCCESSFUL);
	waitpid(pid, &status, 0);
	log_info(
	    "the refused one was ended by signal %d", WIFSIGNALED(status) ? WTERMSIG(status) : 0);
	kill(running, SIGKILL);
}

static int connect_smss(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = SM_PORT };
	int port = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	if (port < 0 || connect(port, (struct sockaddr *)&address, sizeof(address)) < 0)
		return -1;
	return port;
}

static void shake_hands(int port)
{
	struct msg_csr_connect m = { .subsystem_type = TYPE, .sb_port = SB_PORT };

	port_header(&m.h, CSR_CONNECT, sizeof(m), 1);
	if (port_send(port, &m.h, -1) < 0 || port_receive(port, &m, sizeof(m), NULL) <= 0)
		log_info("the handshake is cut off");
	else
		log_info("the handshake: %s", ntstatus_name(m.status));
}

static void impostor(void)
{
	int status;

	if (fork() == 0) {
		int port = connect_smss();
		if (port < 0)
			log_info("the impostor cannot connect");
		else
			shake_hands(port);
		_exit(0);
	}
	wait(&status);
	say("impostor", STATUS_SUCCESS);
}

/* Another process than the one that shakes hands listens where it says that it does. */
static int other_listens(void)
{
	int ready[2], port;
	char byte;

	if (pipe(ready) < 0)
		return 4;
	if (fork() == 0) {
		(void)!(subsystem_listen(SB_PORT) >= 0 && write(ready[1], "r", 1) == 1);
		pause();
	}
	(void)!read(ready[0], &byte, 1);
	port = connect_smss();
	shake_hands(port);
	pause();
	return 0;
}

static int act(const char *what)
{
	if (strcmp(what, "calls") == 0) {
		load("load Posix", "Posix");
		load("load Posix again", "Posix");
		load("load nothing", "None");
		load("load Windows", "Windows");
		foreign_session();
		terminated_session();
		exec_programs();
		log_info("all calls are made");
	} else if (strcmp(what, "impostor") == 0) {
		impostor();
	} else if (strcmp(what, "twice") == 0) {
		shake_hands(s.smss);
		return 5;
	}
	return 0;
}

static void read_word(const char *session, char word[16])
{
	FILE *f = strcmp(session, "0") != 0 ? fopen("/opt/musess/bin/act-extra", "re") : NULL;

	if (!f || fscanf(f, "%15s", word) != 1)
		word[0] = 0;
	if (f)
		fclose(f);
}

int main(int argc, char **argv)
{
	char what[16] = "";
	bool acted = false;

	log_process("extra");
	if (argc < 2)
		return 2;
	read_word(argv[1], what);
	log_session((uint32_t)strtoul(argv[1], NULL, 10));
	signal(SIGPIPE, SIG_IGN);
	if (strcmp(what, "other") == 0)
		return other_listens();
	if (subsystem_connect(&s, TYPE, SB_PORT) < 0)
		return 1;
	for (;;) {
		/* a call may come once the session runs, so that its log is not cut short */
		if (wait_for_smss(acted ? -1 : 300))
			return 0; /* nothing is asked for: it is the end of smss's port */
		if (!acted && act(what) != 0)
			return 5;
		acted = true;
	}
}
