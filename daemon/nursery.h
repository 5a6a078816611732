/*
 * The nursery: a process between termsrv and the workers. It is locked into empty
 * namespaces once, holds a FreeRDP peer that is made but not connected, and forks workers
 * that have all this from the start: what does not need the client is done before it
 * comes. The workers are termsrv's children, not the nursery's.
 */
#ifndef MUSESS_NURSERY_H
#define MUSESS_NURSERY_H

#include "certificate.h"
#include "glyphs.h"

struct nursery_kit {
	const struct musess_config *config;
	const struct glyphs *glyphs;
	struct certificate certificate;
	char *title; /* argv[0], where ps looks for a worker's name */
	size_t title_size;
};

/*
 * Forks it. Before any thread exists. Returns a port: an RW_READY with a descriptor asks
 * for a worker that has it as its port; each is answered by a msg_process, in order: the
 * worker's process id, or 0 and an errno in session. -1 after logging.
 */
int nursery_start(struct nursery_kit *kit);

/* In a worker: gives it events of its own. Returns 0, or -1 with errno. */
int nursery_own_events(void);

#endif
