/* The mapping that the kernel names [heap]: where it begins is found once, where it ends brk knows. */
#include "heap.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

extern char end[]; /* the linker's: of the program's data */

static char *begin;

void heap_find(void)
{
	FILE *f = fopen("/proc/self/maps", "re");
	const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	char *after_data = end + (-(uintptr_t)end & (page - 1));
	char line[256];
	char *rest;

	while (f && fgets(line, sizeof(line), f))
		if ((rest = strstr(line, "[heap]")))
			begin =
			    (char *)strtoull(line, &rest, 16); // NOLINT(performance-no-int-to-ptr)
	if (f)
		fclose(f);
	/* where addresses are not random, older kernels have the program's own data in it */
	if (begin && begin < after_data)
		begin = after_data;
}

void heap_advise(int advice)
{
	if (begin)
		madvise(begin, (size_t)((char *)sbrk(0) - begin), advice);
}
