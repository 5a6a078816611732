/* Injected faults: one line in a file says where and how. */
#include "fault.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
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

int fault(const char *where, uint32_t session)
{
	char place[64] = "", how[16] = "", kind[16] = "";
	FILE *f = session == 0 ? NULL : fopen(FAULT_FILE, "re");

	if (!f)
		return 0;
	if (fscanf(f, "%63s %15s %15s", place, how, kind) < 2)
		place[0] = 0;
	fclose(f);
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
