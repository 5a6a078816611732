/*
 * A session's own processes share an id with its programs, or may do so (user mode), and exec makes a
 * process one that these may trace. So smss executes them with a capability, which nobody may trace who
 * has it not; this gives it up when the process cannot be traced any more.
 */
#ifndef MUSESS_CONCEAL_H
#define MUSESS_CONCEAL_H

/* First of all: this process is nobody's to look into, and has no capability. 0, or -1 with errno; it has to
   end then. */
int conceal(void);

#endif
