/* The process of a command: who runs it, its pipes, and how it becomes the program. */
#include "psxss.h"

#include "open-files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define SEARCH_PATH "/usr/local/bin:/usr/bin:/bin:/usr/local/games:/usr/games"

enum { USER_ID = 1000, PASSWD_SIZE = 16384 };

/* One line of /etc/passwd; true where it is the session's user. */
static bool parse_passwd(struct psxss *p, char *line)
{
	enum { NAME, PASSWORD, USER, GROUP, COMMENT, HOME, SHELL, FIELDS };
	char *fields[FIELDS], *rest = line;

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

/* The user may have put anything in its place: nothing that is waited for, or has no end, is read. */
static void read_passwd(char *text, size_t size)
{
	int fd = open("/etc/passwd", O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct stat status;
	ssize_t got = 0;

	if (fd >= 0 && fstat(fd, &status) == 0 && S_ISREG(status.st_mode))
		got = read(fd, text, size - 1);
	text[got > 0 ? got : 0] = 0;
	fd_close(&fd);
}

void process_find_user(struct psxss *p)
{
	char text[PASSWD_SIZE], *rest = text, *line;

	snprintf(p->user, sizeof(p->user), "system");
	snprintf(p->home, sizeof(p->home), "/");
	snprintf(p->shell, sizeof(p->shell), "/bin/bash");
	read_passwd(text, sizeof(text));
	while ((line = strsep(&rest, "\n")))
		if (parse_passwd(p, line))
			break;
}

bool process_split_command(struct ex_command *m, char **words)
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
	open_files_limit();
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

int process_start(const struct psxss *p, struct exec *e, char **words)
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
