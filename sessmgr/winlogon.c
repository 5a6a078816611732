/*
 * winlogon: a session's initial command. It gets the user from csrss, or asks for one on
 * the desktop, makes the user's home, starts the user's command on the session's
 * terminal, and ends with it; that end is the logoff.
 *
 *   winlogon SESSION PROGRAM [COMMAND]
 *     PROGRAM  run for a user, empty: a login shell
 *     COMMAND  of StartCsr: run at once, nobody logs on
 */
#include "log.h"
#include "messages.h"
#include "ntstatus.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#define AP_PORT "/run/Windows/ApiPort"
#define SHELL "/bin/bash"

enum { NOT_FOUND = 127 };
enum { TRIES = 3, PROMPT_SECONDS = 120, EXIT_NO_LOGON = 3, USER_ID = 1000, CSRSS_ID = 999 };

static int fail(const char *what)
{
	log_error("%s: %s", what, strerror(errno));
	return -1;
}

static int connect_csrss(bool command)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = AP_PORT };
	struct msg_hello m = { .command = command };
	int port = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	port_header(&m.h, WL_HELLO, sizeof(m), 0);
	if (port >= 0 && connect(port, (struct sockaddr *)&address, sizeof(address)) == 0 &&
	    port_send(port, &m.h, -1) == 0)
		return port;
	return fail("cannot connect to " AP_PORT);
}

static void say(int terminal, const char *text)
{
	(void)!write(terminal, text, strlen(text));
}

/* Reads a line. Returns 0, or -1 at the terminal's end. What does not fit is cut off. */
static int read_line(int terminal, char *line, size_t size)
{
	size_t n = 0;
	char c;

	for (;;) {
		ssize_t got = read(terminal, &c, 1);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return -1;
		if (c == '\n' || c == '\r')
			break;
		if (n + 1 < size)
			line[n++] = c;
	}
	line[n] = 0;
	return 0;
}

static void echo(int terminal, bool on)
{
	struct termios t;

	if (tcgetattr(terminal, &t) < 0)
		return;
	if (on)
		t.c_lflag |= ECHO;
	else
		t.c_lflag &= ~(tcflag_t)ECHO;
	tcsetattr(terminal, TCSANOW, &t);
}

/* One question for name and password. Fills *VERDICT with lsass's answer. 0 or -1. */
static int ask_once(int port, int terminal, struct msg_verdict *verdict)
{
	struct msg_credentials m = { 0 };
	int result = -1;

	say(terminal, "User name: ");
	if (read_line(terminal, m.user, sizeof(m.user)) < 0)
		return -1;
	say(terminal, "Password:  ");
	echo(terminal, false);
	if (read_line(terminal, m.password, sizeof(m.password)) == 0) {
		say(terminal, "\n");
		port_header(&m.h, WL_CREDENTIALS, sizeof(m), 0);
		if (port_send(port, &m.h, -1) == 0 &&
		    port_receive(port, verdict, sizeof(*verdict), NULL) == sizeof(*verdict) &&
		    verdict->h.type == WL_VERDICT)
			result = 0;
	}
	echo(terminal, true);
	explicit_bzero(&m, sizeof(m));
	return result;
}

static void on_alarm(int number)
{
	(void)number;
	_exit(EXIT_NO_LOGON);
}

/* The logon prompt: TRIES tries in PROMPT_SECONDS, for nobody knows yet who has this session.
   0, or -1. */
static int ask(int port, int terminal, struct msg_verdict *verdict)
{
	signal(SIGALRM, on_alarm);
	alarm(PROMPT_SECONDS);
	say(terminal, "\r\nThis session has no user yet. Please log on.\r\n\r\n");
	for (int i = 0; i < TRIES; i++) {
		if (ask_once(port, terminal, verdict) < 0)
			return -1;
		if (verdict->status == STATUS_SUCCESS) {
			alarm(0);
			return 0;
		}
		say(terminal, "The user name or password is incorrect.\r\n\r\n");
	}
	return -1;
}

static int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644), result;

	if (fd < 0)
		return fail(path);
	result = write(fd, text, strlen(text)) == (ssize_t)strlen(text) ? 0 : fail(path);
	close(fd);
	return result;
}

/* The user's place in the session: passwd, group, home. */
static int make_user(const char *user, char *home, size_t size)
{
	char text[1024];

	snprintf(home, size, "/home/%s", user);
	snprintf(text, sizeof(text),
	    "root:x:0:0:root:/root:/usr/sbin/nologin\n"
	    "csrss:x:%d:%d:session subsystem:/:/usr/sbin/nologin\n"
	    "%s:x:%d:%d:%s:%s:" SHELL "\n"
	    "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n",
	    CSRSS_ID, CSRSS_ID, user, USER_ID, USER_ID, user, home);
	if (write_file("/run/session/passwd", text) < 0)
		return -1;
	snprintf(text, sizeof(text),
	    "root:x:0:\ntty:x:5:\ncsrss:x:%d:\n%s:x:%d:\nnogroup:x:65534:\n", CSRSS_ID, user,
	    USER_ID);
	if (write_file("/run/session/group", text) < 0)
		return -1;
	return mkdir(home, 0700) < 0 && errno != EEXIST ? fail(home) : 0;
}

static void set_environment(const struct msg_verdict *v, const char *session, const char *home)
{
	clearenv();
	setenv("PATH", "/usr/local/bin:/usr/bin:/bin:/usr/local/games:/usr/games", 1);
	setenv("USER", v->user, 1);
	setenv("LOGNAME", v->user, 1);
	setenv("HOME", home, 1);
	setenv("SHELL", SHELL, 1);
	setenv("TERM", "xterm-256color", 1);
	setenv("LANG", "C.UTF-8", 1);
	setenv("SESSIONNAME", v->winstation[0] ? v->winstation : "Services", 1);
	setenv("CLIENTNAME", v->station, 1);
	setenv("MUSESSIONID", session, 1);
}

/* In the child: the user's command on the terminal. Does not return. */
static void run(int terminal, const char *home, const char *program, const char *command)
{
	setsid();
	if (ioctl(terminal, TIOCSCTTY, 0) < 0 && errno != EIO) /* the session ends already */
		fail("cannot take the terminal");
	for (int fd = 0; fd < 3; fd++)
		dup2(terminal, fd);
	if (chdir(home) < 0)
		fail(home);
	signal(SIGPIPE, SIG_DFL);
	if (!command && !program[0])
		execl(SHELL, "-bash", (char *)NULL);
	else
		execl("/bin/sh", "sh", "-c", command ? command : program, (char *)NULL);
	fail("cannot start the user's command (is there a shell, " SHELL "?)");
	_exit(127);
}

/* Starts the user's command and stays until it ends. */
static int log_on(int port, int terminal, const struct msg_verdict *v, char **argv)
{
	struct msg_process m = { .image = "shell" };
	char home[USER_SIZE + 8];
	char quoted[128];
	pid_t child;
	int status = 0;

	if (make_user(v->user, home, sizeof(home)) < 0)
		return -1;
	set_environment(v, argv[1], home);
	child = fork();
	if (child < 0)
		return fail("cannot start the user's command");
	if (child == 0)
		run(terminal, home, argv[2], argv[3]);
	close(terminal);
	m.process = (uint32_t)child;
	port_header(&m.h, WL_SHELL, sizeof(m), 0);
	port_send(port, &m.h, -1);
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	/* of the shell that is to run it */
	if ((argv[3] || argv[2][0]) && WIFEXITED(status) && WEXITSTATUS(status) == NOT_FOUND)
		log_warn("the command was not found: %s",
		    log_quote(quoted, sizeof(quoted), argv[3] ? argv[3] : argv[2]));
	return 0;
}

int main(int argc, char **argv)
{
	struct msg_verdict v = { 0 };
	int port, terminal = -1;

	log_process("winlogon");
	if (argc < 3) {
		log_error("started by smss only");
		return 2;
	}
	log_session((uint32_t)strtoul(argv[1], NULL, 10));
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	signal(SIGPIPE, SIG_IGN);
	port = connect_csrss(argv[3] != NULL);
	if (port < 0 || port_receive(port, &v, sizeof(v), &terminal) <= 0 || terminal < 0)
		return 1;
	if (v.h.type == WL_PROMPT && ask(port, terminal, &v) < 0)
		return EXIT_NO_LOGON;
	return log_on(port, terminal, &v, argv) < 0 ? 1 : 0;
}
