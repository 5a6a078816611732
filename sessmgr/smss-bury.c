/*
 * The end of descriptors that came from sessions. To close the last one of a large memory file, or of
 * a port in whose queue such a one waits, is work of the kernel's, as much as the sender likes, and
 * whoever closes does it. Here that is a child which has smss's memory and descriptors, and
 * closes some of these.
 *
 *   waiting   smss uses them no more; they are open still, so that their numbers are nobody else's
 *   dug       those that the child is closing; it writes nothing, smss forgets them when it has ended
 */
#include "log.h"
#include "smss.h"
#include "spawn.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Both grow, by so many. */
enum { GRAVES = 256 };

static int *waiting, *dug;
static unsigned waiting_size, dug_size, waiting_count, dug_count;

/* No call of it fails: errno is smss's. */
static int dig(void *argument)
{
	(void)argument;
	for (unsigned i = 0; i < dug_count; i++)
		syscall(SYS_close_range, dug[i], dug[i], 0);
	_exit(0);
}

/* In which no handler of smss's runs. */
static pid_t spawn_without_signals(void)
{
	SPAWN_STACK_OF(stack);
	sigset_t all, own;
	pid_t pid;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &own);
	pid = spawn_sharing(dig, NULL, stack, CLONE_FILES, NULL);
	sigprocmask(SIG_SETMASK, &own, NULL);
	return pid;
}

static void begin_digging(struct smss *smss)
{
	int *empty = dug;
	unsigned size = dug_size;

	dug = waiting;
	dug_size = waiting_size;
	dug_count = waiting_count;
	waiting = empty;
	waiting_size = size;
	waiting_count = 0;
	smss->digger = spawn_without_signals();
	if (smss->digger > 0)
		return;
	log_warn("cannot leave it to a child to close what sessions passed: %s", strerror(errno));
	smss->digger = 0;
	while (dug_count > 0)
		fd_close(&dug[--dug_count]);
}

/* A place for one more. The descriptors that smss may have bound how many there are. */
static bool has_grave(void)
{
	int *more;

	if (waiting_count < waiting_size)
		return true;
	more = reallocarray(waiting, waiting_size + GRAVES, sizeof(*waiting));
	if (!more)
		return false;
	waiting = more;
	waiting_size += GRAVES;
	return true;
}

void bury_descriptor(struct smss *smss, int *fd)
{
	if (*fd < 0)
		return;
	if (smss->stopping || !has_grave()) {
		fd_close(fd);
		return;
	}
	waiting[waiting_count++] = *fd;
	*fd = -1;
	if (!smss->digger)
		begin_digging(smss);
}

bool bury_reaped(struct smss *smss, pid_t pid)
{
	if (!smss->digger || pid != smss->digger)
		return false;
	smss->digger = 0;
	if (waiting_count > 0)
		begin_digging(smss);
	return true;
}
