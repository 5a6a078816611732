/* The hooks of a connection in FreeRDP: they note times, and what an error is told by. */
#ifndef MUSESS_LOAD_RDP_HOOKS_H
#define MUSESS_LOAD_RDP_HOOKS_H

#include "rdp.h"

/* FreeRDP's context, and behind it whose it is. */
struct client {
	rdpContext context;
	struct rdp *rdp;
};

/* Keeps FreeRDP's own functions, those of CONTEXT, and whom all connections go to. */
void hooks_warm_up(rdpContext *context, const struct options *options);

/* Puts the hooks into a connection that is not made yet. */
bool hooks_install(struct rdp *rdp);

#endif
