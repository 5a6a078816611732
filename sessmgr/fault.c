/* Injected faults: one line in a file says where and how. */
#include "fault.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int fault(const char *where, uint32_t session)
{
	char place[64] = "", how[16] = "";
	FILE *f = session == 0 ? NULL : fopen(FAULT_FILE, "re");

	if (!f)
		return 0;
	if (fscanf(f, "%63s %15s", place, how) != 2)
		place[0] = 0;
	fclose(f);
	if (strcmp(place, where) != 0)
		return 0;
	if (strcmp(how, "hang") == 0)
		for (;;)
			pause();
	if (strcmp(how, "kill") == 0)
		kill(getpid(), SIGKILL);
	errno = ENOMEM;
	return 1;
}
