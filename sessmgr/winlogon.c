/*
 * winlogon: a session's initial command. It gets the user from csrss, or asks for one on
 * the desktop, and which session it shall be where he has several; makes the user's home,
 * starts the user's command on the session's terminal, and ends with it; that end is the
 * logoff.
 *
 *   winlogon SESSION PROGRAM [COMMAND]
 *     PROGRAM  run for a user, empty: a login shell; what only a shell understands, by sh
 *     COMMAND  of StartCsr: run at once, nobody logs on
 */
#include "winlogon.h"

#include "conceal.h"
#include "log.h"
#include "open-files.h"
#include "spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define AP_PORT "/run/Windows/ApiPort"
#define SM_PORT "/opt/musess/port/SmApiPort"
#define SHELL "/bin/bash"

enum { NOT_FOUND = 127 };
enum { USER_ID = 1000, CSRSS_ID = 999 };
enum { END_MS = 5000 }; /* for the user's command, when he is logged off */

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
	return -1;
}

/* Whatever a command of musessctl exec has put there: it is not waited for. */
static int write_file(const char *path, const char *text)
{
	int fd = open(
	        path, O_WRONLY | O_CREAT | O_TRUNC | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC, 0644),
	    result;

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
	setenv("LC_CTYPE", "C.UTF-8", 1); /* all else is C: LANG would open a dozen files more */
	setenv("SESSIONNAME", v->winstation[0] ? v->winstation : "Services", 1);
	setenv("CLIENTNAME", v->station, 1);
	setenv("MUSESSIONID", session, 1);
	setenv("MUSESS_SM_PORT", SM_PORT, 1); /* for musessctl */
}

enum { WORDS_MAX = 128 };

struct command {
	int terminal;
	const char *home, *text; /* an empty text: a login shell */
	char copy[COMMAND_SIZE], *words[WORDS_MAX];
	char **program; /* the words, of which a shell has to understand nothing; NULL: it has */
	int error;      /* why there is no such process; 0: there is */
};

/* The text in words, where it has nothing that is a shell's alone to understand. */
static void split(struct command *c)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	                            "0123456789 \t/._-+:,@%";
	size_t length = strlen(c->text), count = 0;
	char *rest = c->copy, *word;

	if (length >= sizeof(c->copy) || strspn(c->text, plain) != length)
		return;
	memcpy(c->copy, c->text, length + 1);
	while ((word = strsep(&rest, " \t")) && count < WORDS_MAX - 1)
		if (*word)
			c->words[count++] = word;
	if (count > 0 && !word)
		c->program = c->words + (count > 1 && strcmp(c->words[0], "exec") == 0);
}

/* In the child: the user's command on the terminal. */
static int run(void *argument)
{
	struct command *c = argument;

	setsid();
	if (ioctl(c->terminal, TIOCSCTTY, 0) < 0 && errno != EIO) /* the session ends already */
		fail("cannot take the terminal");
	for (int fd = 0; fd < 3; fd++)
		dup2(c->terminal, fd);
	if (chdir(c->home) < 0)
		fail(c->home);
	signal(SIGPIPE, SIG_DFL);
	open_files_limit();
	if (c->program)
		execvp(c->program[0], c->program);
	else if (c->text[0])
		execl("/bin/sh", "sh", "-c", c->text, (char *)NULL);
	else
		execl(SHELL, "-bash", (char *)NULL);
	c->error = errno;
	_exit(NOT_FOUND);
}

/* In a child: whether a shell has the word that could not be executed for a command of its own. */
static int ask_shell(void *argument)
{
	const struct command *c = argument;

	execl("/bin/sh", "sh", "-c", "command -v \"$1\" >/dev/null 2>&1", "sh", c->program[0],
	    (char *)NULL);
	_exit(NOT_FOUND);
}

static int end_of(pid_t child, int options)
{
	int status = 0;

	while (waitpid(child, &status, options) < 0 && errno == EINTR)
		;
	return status;
}

/* Starts it, or -1 with errno: that it cannot be executed is no logoff. */
static pid_t start(struct command *c)
{
	SPAWN_STACK_OF(stack);
	pid_t child = spawn_sharing(run, c, stack, CLONE_VFORK, NULL), asked;
	int error = c->error;

	if (child < 0 || error == 0)
		return child;
	end_of(child, 0);
	if (c->program && !strchr(c->program[0], '/')) {
		asked = spawn_sharing(ask_shell, c, stack, CLONE_VFORK, NULL);
		if (asked > 0 && end_of(asked, 0) == 0) {
			c->program = NULL;
			c->error = 0;
			return start(c);
		}
	}
	errno = error;
	return -1;
}

/* Waits for the user's command; csrss may say that he is logged off: then it is told to end, as
   a terminal that is closed tells, and made to a little later. */
static int await(int port, pid_t child)
{
	int process = (int)syscall(SYS_pidfd_open, child, 0), timeout = -1;
	struct pollfd p[] = { { process, POLLIN, 0 }, { port, POLLIN, 0 } };
	struct msg_plain m;

	while (process >= 0 && !(p[0].revents & POLLIN)) {
		int ready = poll(p, 2, timeout);
		if (ready < 0 && errno != EINTR)
			break;
		if (ready == 0) {
			kill(-child, SIGKILL);
			timeout = -1;
		} else if (ready > 0 && p[1].revents) {
			ssize_t got = port_receive(port, &m, sizeof(m), NULL);
			bool ends = got > 0 && m.h.type == WL_LOGOFF;
			if (ends || got == 0) /* once; at the end of csrss everything ends */
				p[1].fd = -1;
			if (ends) {
				kill(-child, SIGHUP);
				timeout = END_MS;
			}
		}
	}
	if (process >= 0)
		close(process);
	/* dead, it cannot be reaped where a debugger of the user's holds on to it: then how it ended is not
	   known */
	return end_of(child, p[0].revents & POLLIN ? WNOHANG : 0);
}

/* Where a child can write to it that has a copy of the memory (spawn.h, under a sanitizer). */
static struct command *make_command(int terminal, const char *home, char **argv)
{
	struct command *c =
	    mmap(NULL, sizeof(*c), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (c == MAP_FAILED)
		return NULL;
	c->terminal = terminal;
	c->home = home;
	c->text = argv[3] ? argv[3] : argv[2];
	split(c);
	return c;
}

static void say_started(int port, pid_t child)
{
	struct msg_process m = { .image = "shell", .process = (uint32_t)child };

	port_header(&m.h, WL_SHELL, sizeof(m), 0);
	port_send(port, &m.h, -1);
}

/* Starts the user's command and stays until it ends. */
static int log_on(int port, int terminal, const struct msg_verdict *v, char **argv)
{
	char home[USER_SIZE + 8], quoted[128];
	struct command *c;
	struct msg_plain m;
	pid_t child;
	int status;

	if (make_user(v->user, home, sizeof(home)) < 0)
		return -1;
	set_environment(v, argv[1], home);
	c = make_command(terminal, home, argv);
	child = c ? start(c) : -1;
	if (child < 0) {
		log_error("the user's command %s cannot be executed: %s",
		    log_quote(quoted, sizeof(quoted), c && c->text[0] ? c->text : SHELL),
		    strerror(errno));
		return -1;
	}
	close(terminal);
	say_started(port, child);
	status = await(port, child);
	/* an smss that is not this process's parent learns in this way that it ends as it should */
	port_header(&m.h, WL_LOGOFF, sizeof(m), 0);
	port_send(port, &m.h, -1);
	/* what it is that the shell did not find, or whether it ended like this, only the shell knows */
	if (c->text[0] && !c->program && WIFEXITED(status) && WEXITSTATUS(status) == NOT_FOUND)
		log_warn(
		    "the command was not found: %s", log_quote(quoted, sizeof(quoted), c->text));
	return 0;
}

int main(int argc, char **argv)
{
	union told told = { 0 };
	int port, terminal = -1;

	log_process("winlogon");
	if (argc < 3) {
		log_error("started by smss only");
		return 2;
	}
	log_session((uint32_t)strtoul(argv[1], NULL, 10));
	if (conceal() < 0)
		return 1;
	open_files_raise();
	signal(SIGPIPE, SIG_IGN);
	port = connect_csrss(argv[3] != NULL);
	if (port < 0)
		return WINLOGON_NO_CSRSS;
	log_through(&port);
	if (winlogon_receive(port, &told, &terminal) < 0 || terminal < 0)
		return 1;
	if (told.h.type != WL_LOGON && winlogon_ask_user(port, terminal, &told) < 0)
		return WINLOGON_NO_LOGON;
	return log_on(port, terminal, &told.verdict, argv) < 0 ? 1 : 0;
}
