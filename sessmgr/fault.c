/* Injected faults: one line in a file says where and how. */
#include "fault.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

static const char *const kinds[] = { "windows", "subsystem", "initial" };
static const char *kind_now = "none";

void fault_kind(unsigned kind)
{
	kind_now = kind < sizeof(kinds) / sizeof(*kinds) ? kinds[kind] : "none";
}

/* Process 1 of a namespace survives a signal from inside; a trap it does not. */
_Noreturn static void end_by_signal(void)
{
	kill(getpid(), SIGKILL);
	prctl(PR_SET_DUMPABLE, 0); /* no core */
	__builtin_trap();
}

/* The file's line in LINE (SIZE bytes), or "". Without malloc, and errno stays: the process may share
   its memory with another (spawn.h). */
static void read_line(char *line, size_t size)
{
	int error = errno, fd = open(FAULT_FILE, O_RDONLY | O_CLOEXEC);
	ssize_t got = fd < 0 ? 0 : read(fd, line, size - 1);

	line[got > 0 ? got : 0] = 0;
	if (fd >= 0)
		close(fd);
	errno = error;
}

int fault(const char *where, uint32_t session)
{
	char line[128] = "", place[64] = "", how[16] = "", kind[16] = "";

	if (session != 0)
		read_line(line, sizeof(line));
	if (sscanf(line, "%63s %15s %15s", place, how, kind) < 2)
		return 0;
	if (strcmp(place, where) != 0 || (kind[0] && strcmp(kind, kind_now) != 0))
		return 0;
	if (strcmp(how, "hang") == 0)
		for (;;)
			pause();
	if (strcmp(how, "kill") == 0)
		end_by_signal();
	errno = ENOMEM;
	return 1;
}

uint64_t fault_wait(const char *what, uint64_t us)
{
	char line[128] = "", place[64] = "", milliseconds[16] = "";

	read_line(line, sizeof(line));
	if (sscanf(line, "%63s wait %15s", place, milliseconds) != 2 || strcmp(place, what) != 0)
		return us;
	return strtoull(milliseconds, NULL, 10) * 1000;
}
