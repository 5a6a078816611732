/* The heap (brk's), as a mapping: what a process that forks often has of it in its children. */
#ifndef MUSESS_HEAP_H
#define MUSESS_HEAP_H

/* Finds it, by /proc. Where there is none, as with AddressSanitizer, heap_advise does nothing. */
void heap_find(void);

/* madvise's ADVICE for all of it. Needs no /proc. */
void heap_advise(int advice);

#endif
