/*
 * What a service manager is to musessd, for tests without one: runs COMMAND, and runs it again
 * whenever it was killed (SIGKILL), or left its sessions (SIGUSR1); every process that loses its
 * parent comes here and is reaped.
 *
 *   keeper PIDFILE COMMAND...
 *
 * PIDFILE has the process id of the one that runs. SIGTERM and SIGINT are passed on to it; with
 * its own end keeper ends, with its status.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile sig_atomic_t current, asked, leaving;

static void on_end(int number)
{
	asked = 1;
	if (current > 0)
		kill(current, number);
}

static void on_leave(int number)
{
	leaving = 1;
	if (current > 0)
		kill(current, number);
}

static void start(const char *file, char **command)
{
	FILE *f;

	leaving = 0;
	current = fork();
	if (current == 0) {
		signal(SIGTERM, SIG_DFL);
		signal(SIGINT, SIG_DFL);
		signal(SIGUSR1, SIG_DFL);
		execv(command[0], command);
		_exit(127);
	}
	f = fopen(file, "we");
	if (current < 0 || !f)
		exit(1);
	fprintf(f, "%d\n", (int)current);
	fclose(f);
}

int main(int argc, char **argv)
{
	struct sigaction end = { .sa_handler = on_end }, leave = { .sa_handler = on_leave };
	int status;
	pid_t pid;

	if (argc < 3)
		return 2;
	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	sigaction(SIGTERM, &end, NULL);
	sigaction(SIGINT, &end, NULL);
	sigaction(SIGUSR1, &leave, NULL);
	start(argv[1], argv + 2);
	for (;;) {
		pid = waitpid(-1, &status, 0);
		if (pid < 0 && errno != EINTR)
			return 1;
		if (pid != current)
			continue;
		if (!asked && (leaving || (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)))
			start(argv[1], argv + 2);
		else
			return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	}
}
