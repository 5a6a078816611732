/*
 * FreeRDP's contexts have 2.7 MB of tables for compression, which it writes zeros to when they
 * are made, and again when a connection ends. They come zeroed from calloc, and nothing uses them
 * where compression is off, as it is here: writing the zeros would be most of a connection's
 * memory, and a good part of its processor time in page faults. So this program has a memset of
 * its own, which leaves out large zeroings where it is told to.
 *
 * A program that is sanitized has not: there memset is the sanitizer's.
 */
#ifndef MUSESS_LOAD_ZEROING_H
#define MUSESS_LOAD_ZEROING_H

/* Between these two, this thread's calls of memset(p, 0, n) with n of 32 KiB or more do nothing. */
void zeroing_leave_out(void);
void zeroing_as_usual(void);

#endif
