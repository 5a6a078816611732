/* Text as cells of the desktop's grid. Pure: no I/O. */
#ifndef MUSESS_CELLS_H
#define MUSESS_CELLS_H

#include "messages.h"

/* One code point of well-formed UTF-8 at *P, which moves behind it. Not at the end of the text. */
uint32_t cells_next_code(const char **p);

/* Fills COUNT cells with TEXT, cut off or followed by blanks. */
void cells_put(
    struct cell *cells, int count, const char *text, uint32_t foreground, uint32_t background);

#endif
