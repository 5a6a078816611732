/* The machine that makes the load: what it is, and what the load costs it. */
#ifndef MUSESS_LOAD_MACHINE_H
#define MUSESS_LOAD_MACHINE_H

#include "result.h"

#include <stdbool.h>
#include <sys/socket.h>

/* Processor time of all processors since the machine began, in clock ticks. */
struct machine_time {
	uint64_t busy, all;
};
struct machine_time machine_time(void);

/* Fills host, kernel, processor, processors and memory. What is not known is "". */
void machine_describe(struct run_info *info);

/* Frees what machine_describe filled. */
void machine_forget(struct run_info *info);

unsigned machine_processors(void);

/* Whether ADDRESS is one of this machine's: what it uses is used by both ends then. */
bool machine_has(const struct sockaddr_storage *address, socklen_t length);

/* Allows as many descriptors as this process may have. Returns how many that are. */
unsigned machine_descriptors(void);

#endif
