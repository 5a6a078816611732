/* What has to hold of the emulator at any time, for its tests and its fuzzer. */
#ifndef MUSESS_VT_CHECK_H
#define MUSESS_VT_CHECK_H

#include "vt.h"

/* Ends the program, with a word, where the state of VT is none that may be. */
void vt_check(const struct vt *vt);

/* In what of all that programs or users could see two of them differ; NULL: in nothing. */
const char *vt_difference(const struct vt *a, const struct vt *b);

/* Ends the program where there is such a difference, or one in marks. */
void vt_check_same(const struct vt *a, const struct vt *b);

/* The screen as text: rows, without blanks at their ends, with '|' between them. Returns TEXT. */
const char *vt_text(const struct vt *vt, char *text, size_t size);

/* While it is set, calloc fails: link with --wrap=calloc. */
extern bool vt_no_memory;

#endif
