/* What there is to be said of something that was looked at, a line each: gathered first, as what became
   of it says how it is logged. */
#ifndef MUSESS_FINDINGS_H
#define MUSESS_FINDINGS_H

#include <stdio.h>

struct findings {
	FILE *out; /* NULL where memory is short */
	char *text;
	size_t size;
};

/* Begins one, for lines that are written to OUT. Returns that. */
FILE *findings_begin(struct findings *report);

/* Ends it, and logs its lines: as warnings where RESULT is 0; else as errors, or, with a HINT what to do,
   the first of them with that behind it. Returns RESULT, or -1 where memory was short. */
int findings_log(struct findings *report, int result, const char *hint);

/* Ends it with its text, the caller's; NULL where memory was short. */
char *findings_text(struct findings *report);

#endif
