/*
 * What FreeRDP says of an error: the first message that it logs while a connection is made tells
 * more than any of its codes. Nothing is written anywhere.
 */
#ifndef MUSESS_LOAD_RDP_LOG_H
#define MUSESS_LOAD_RDP_LOG_H

#include <stddef.h>

/* Takes the log's messages, for all threads. Returns 0 or -1. */
int rdp_log_begin(void);

/* From now on, the first error of this thread goes into TEXT (SIZE bytes). NULL: nothing does. */
void rdp_log_keep(char *text, size_t size);

#endif
