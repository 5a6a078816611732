/*
 * Injected faults, in test builds alone (MUSESS_FAULTS). The file FAULT_FILE holds one line,
 * "WHERE HOW [KIND]": at the place WHERE the process that comes by fails, hangs or is killed, as
 * HOW says; with a KIND (windows, subsystem, initial) only where a process of that kind is being
 * created. The console's processes are spared. In any other build every place is 0.
 * The line "WHAT wait MILLISECONDS" makes a wait of smss's another.
 */
#ifndef MUSESS_FAULT_H
#define MUSESS_FAULT_H

#include <stdint.h>

#ifdef MUSESS_FAULTS

#define FAULT_FILE "/opt/musess/bin/fault"

/* Whether WHERE is to fail for SESSION (errno is ENOMEM then). Does not return where the
   process is to hang or to be killed. */
int fault(const char *where, uint32_t session);

/* How long smss waits for WHAT, where that are US microseconds in other builds. */
uint64_t fault_wait(const char *what, uint64_t us);

/* What this process, and who it forks, creates from now on: an enum process_kind. */
void fault_kind(unsigned kind);

#else

static inline uint64_t fault_wait(const char *what, uint64_t us)
{
	(void)what;
	return us;
}

static inline void fault_kind(unsigned kind)
{
	(void)kind;
}

static inline int fault(const char *where, uint32_t session)
{
	(void)where;
	(void)session;
	return 0;
}

#endif

#endif
