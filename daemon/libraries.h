/* Libraries that a process was started with and has no use for. */
#ifndef MUSESS_LIBRARIES_H
#define MUSESS_LIBRARIES_H

/*
 * Unmaps what libfreerdp3 is linked with for pictures, sound and X that a server of bitmap updates
 * never calls, and every library that only those need: of a hundred, nine in ten. A fork need not
 * copy them then, nor an exit undo them, and whoever takes a process over finds less to use. A call
 * into one would end the process.
 */
void libraries_drop(void);

#endif
