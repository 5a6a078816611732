/* RLIMIT_NOFILE, twice. */
#include "open-files.h"

#include <sys/resource.h>

static struct rlimit programs;

void open_files_raise(void)
{
	struct rlimit own;

	if (getrlimit(RLIMIT_NOFILE, &own) < 0)
		return;
	programs = (struct rlimit){ own.rlim_cur, own.rlim_cur };
	own.rlim_cur = own.rlim_max;
	setrlimit(RLIMIT_NOFILE, &own);
}

void open_files_limit(void)
{
	if (programs.rlim_max > 0)
		setrlimit(RLIMIT_NOFILE, &programs);
}
