/* The program's memset. Libraries find it before that of the C library. */
#include "zeroing.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <stddef.h>

static _Thread_local bool left_out;

void zeroing_leave_out(void)
{
	left_out = true;
}

void zeroing_as_usual(void)
{
	left_out = false;
}

#if !defined(__SANITIZE_ADDRESS__)

enum { LARGE = 32 << 10 };

typedef void *memset_function(void *, int, size_t);

/* Found before main; whoever is earlier has few bytes to set. */
static memset_function *found;

__attribute__((constructor)) static void find(void)
{
	void *address = dlsym(RTLD_NEXT, "memset");

	found = (memset_function *)address;
}

void *memset(void *p, int c, size_t n);
void *memset(void *p, int c, size_t n)
{
	volatile unsigned char *byte = p;

	if (left_out && c == 0 && n >= LARGE)
		return p;
	if (found)
		return found(p, c, n);
	while (n--)
		*byte++ = (unsigned char)c;
	return p;
}

#endif
