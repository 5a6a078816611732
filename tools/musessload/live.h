/*
 * How a run goes, while it runs: a screen that takes keys where both standard input and standard
 * error are a terminal, else a line each second on standard error. Standard output is the
 * report's.
 */
#ifndef MUSESS_LOAD_LIVE_H
#define MUSESS_LOAD_LIVE_H

#include "engine.h"

struct live;

/* NULL: memory is short. The terminal is given back by live_end. */
struct live *live_begin(struct engine *engine);

/* Shows it anew. */
void live_show(struct live *live);

/* The terminal is what it was. NULL is allowed. */
void live_end(struct live *live);

#endif
