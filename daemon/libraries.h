/* The libraries that a process was started with, before it forks others. */
#ifndef MUSESS_LIBRARIES_H
#define MUSESS_LIBRARIES_H

/*
 * Unmaps what libfreerdp3 is linked with for pictures, sound and X that a server of bitmap updates
 * never calls, and every library that only those need: of a hundred, nine in ten. A fork need not
 * copy them then, nor an exit undo them, and whoever takes a process over finds less to use. A call
 * into one would end the process.
 *
 * Maps the code of all others, and has forks copy its page tables. Without that a fork has none for
 * code, and a child comes to the kernel for every few pages of it that it executes. Needs /proc; this
 * part is left out where that is missing.
 */
void libraries_prepare(void);

#endif
