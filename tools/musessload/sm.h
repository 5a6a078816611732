/*
 * --sm: a worker's sessions without RDP. StartCsr makes one, StopCsr ends it when its hold is
 * over, all over one connection to the SM API's port.
 */
#ifndef MUSESS_LOAD_SM_H
#define MUSESS_LOAD_SM_H

#include "worker.h"

struct sm_port;

/* Connects. Where that fails, every start reports why. NULL: memory is short. */
struct sm_port *sm_create(struct worker *worker);

void sm_start(struct sm_port *port, const struct order *order);

/* Every session that is held is stopped now. */
void sm_finish(struct sm_port *port);

#endif
