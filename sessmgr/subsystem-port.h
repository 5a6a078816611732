/*
 * What subsystem processes (csrss, psxss) have in common: their connection to \SmApiPort,
 * and the one that smss makes to their SbApiPort while they shake hands. smss alone is
 * trusted to be at either end: it is who listens at the first path, and who connects to the
 * second from outside of the session. Programs of the user may run by then.
 */
#ifndef MUSESS_SUBSYSTEM_PORT_H
#define MUSESS_SUBSYSTEM_PORT_H

#include "messages.h"

struct subsystem {
	int smss;            /* \SmApiPort; blocking; -1: smss has ended */
	int listener;        /* SbApiPort, until smss has connected; -1 then */
	int callbacks;       /* smss's connection to it; -1: there is none */
	uint32_t session;    /* as smss says */
	uint32_t generation; /* likewise */
	uint32_t keep;       /* seconds to wait for a new smss when this one has ended; 0: none */
	const char *sb_port; /* path of SbApiPort; kept, not copied */
};

/* No port is open yet. (clang-format 14 and 19 lay this out differently.) */
/* clang-format off */
#define SUBSYSTEM_INIT { .smss = -1, .listener = -1, .callbacks = -1 }
/* clang-format on */

/*
 * Answers a request of smss (its size and type are right) with a status. *PASSED is the
 * descriptor that came beside it, or -1; who keeps it leaves -1 there, or it is closed. The
 * union of M goes back with the reply, as the handler leaves it.
 */
typedef int32_t subsystem_handler(void *data, SBAPIMSG *m, int *passed);

/* Listens at PATH as a port for everybody who can reach it. A socket left there by a
   predecessor is replaced. Returns a non-blocking descriptor, or -1 with errno. */
int subsystem_listen(const char *path);

/*
 * Listens at SB_PORT and shakes hands with smss as a subsystem of TYPE; log lines go to smss from
 * then on, for S has to stay. Does not wait for smss's own connection. Returns 0, or -1.
 */
int subsystem_connect(struct subsystem *s, uint32_t type, const char *sb_port);

/* What to poll for reading on behalf of callbacks: the listener or the connection; -1: none. */
int subsystem_callback_port(const struct subsystem *s);

/* That one is ready: takes smss's connection, or one request, which HANDLER answers. A
   connection that ends or breaks the rules is closed. */
void subsystem_callback(struct subsystem *s, subsystem_handler *handler, void *data);

/* smss has ended: its ports are closed. */
void subsystem_lose(struct subsystem *s);
/*
 * Looks for a new smss, and tells it who this is: CONNECTION is the client at the screen, 0 none,
 * SHELL when the user's command was started. What it answers is read from the port (CSR_CONNECT, with the
 * callback port beside it), or the port's end, where it knows nothing of this session. Returns 0, or -1 where there is none.
 */
int subsystem_ask_adoption(struct subsystem *s, uint32_t connection, uint64_t shell);

/* Closes all of it. */
void subsystem_close(struct subsystem *s);

#endif
