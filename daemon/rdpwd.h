/*
 * rdpwd, the worker: one process, one connection. It inherits a FreeRDP peer from the
 * nursery, locks itself in, gets its client's socket from termsrv and, once the client has
 * logged on, a port to the session's csrss. Every byte that a client sends is parsed here
 * and nowhere else; the process dies with its connection.
 *
 * Its descriptors: /dev/null (its log lines go to termsrv, and FreeRDP has none), the port to
 * termsrv, the client's socket, the port to csrss, and the peer's events. It has no file system,
 * no network to make sockets in, and sees no other process.
 */
#ifndef MUSESS_RDPWD_H
#define MUSESS_RDPWD_H

#include "draw.h"
#include "keymap.h"
#include "messages.h"
#include "nursery.h"

#include <freerdp/freerdp.h>
#include <freerdp/peer.h>

struct rdpwd {
	freerdp_peer *peer;
	int socket;  /* the client's; a placeholder until there is one */
	int termsrv; /* port */
	int display; /* port to csrss, -1 before the session */
	const struct glyphs *glyphs;
	struct keymap keymap;
	uint32_t unknown_layout; /* the client's; 0: it is known */
	struct draw draw;
	bool drawing;    /* draw is made: the client is activated */
	bool suppressed; /* the client does not want pictures now */
	bool nla;
	struct msg_rw_logon logon; /* credentials, until termsrv has them */
	bool activated;
	bool frame_due;  /* csrss may send the next frame */
	bool framed;     /* the first one is there: before it there is nothing to show */
	bool painted;    /* and out */
	bool ending;     /* for this reason, as soon as the client can be told: */
	uint32_t reason; /* enum end_reason */
	bool refused;    /* what it ends for is the password that the client sent */
	uint32_t session;
	uint8_t cookie[COOKIE_SIZE]; /* to come back with; zero: none */
	bool cookie_due;             /* the client is to get it */
	uint64_t input_told;         /* when csrss was told that the mouse was used */
	uint64_t refreshed;          /* when the client got what it had asked for again */
	struct lsa_answer hash;      /* kept: FreeRDP may ask more than once */
	bool have_hash;
	char address[ADDRESS_SIZE];
	uint64_t negotiated, active;
};

/* FreeRDP's context of the connection, and whose it is. */
struct peer_context {
	rdpContext context;
	struct rdpwd *rdpwd;
};

static inline struct rdpwd *rdpwd_of(rdpContext *context)
{
	return ((struct peer_context *)(void *)context)->rdpwd;
}

/* rdpwd.c */

/* In the nursery: everything that can be done before there is a client. 0, or -1. */
int rdpwd_prepare(struct nursery_kit *kit);
/* In the nursery, later: its workers have KIT's certificate from now on. 0, or -1 after logging, and
   they have the one of before. */
int rdpwd_renew(const struct nursery_kit *kit);
/* In a worker: serves one connection and ends. */
void rdpwd_main(int port, const struct nursery_kit *kit) __attribute__((noreturn));
/* Waits for the answer to a question that FreeRDP blocks for. 0, or -1. */
int rdpwd_await(struct rdpwd *w, uint16_t type, void *message, size_t size);
/* Tells the client why and ends the process. */
void rdpwd_end(struct rdpwd *w, uint32_t reason) __attribute__((noreturn));

/* rdpwd-port.c */

/* A message of csrss, where it is there. Ends the process where the session has ended. */
void port_on_display(struct rdpwd *w);
/* A message of termsrv likewise. */
void port_on_termsrv(struct rdpwd *w);
/* Asks csrss for the next frame once the last one is out. What csrss said before its end is read from
   the port still: that it is gone is no matter here. */
void port_ask_for_frame(struct rdpwd *w);

/* rdpwd-peer.c */

/* Makes the peer, unconnected, on a placeholder socket. 0, or -1 after logging. */
int peer_prepare(struct rdpwd *w, const struct nursery_kit *kit);
/* The peer has KIT's certificate from now on. 0, or -1 after logging. */
int peer_renew(struct rdpwd *w, const struct nursery_kit *kit);
/* The socket in place of the placeholder. 0 or -1. */
int peer_connect(struct rdpwd *w, int socket);
/* Sends pictures as far as the client takes them. 0, or -1 where it is gone. */
int peer_paint(struct rdpwd *w);
/* Milliseconds until there may be something to paint, though nobody sends anything; or -1. */
int peer_timeout(const struct rdpwd *w);
/* Gives the client the cookie with which it may come back, once it can take it. 0, or -1 where it
   is gone. */
int peer_give_cookie(struct rdpwd *w);
/* Tells the client, which is activated, that its password is wrong (MS-RDPBCGR 2.2.10.1.1.4.1.1). */
void peer_refuse_logon(struct rdpwd *w);

/* rdpwd-logon.c */

/* What the peer calls about the client's credentials. */
void peer_set_logon(freerdp_peer *peer);
/* Sends termsrv the credentials, and the desktop's size in pixels. 0, or -1 where termsrv is gone. */
int peer_log_on(struct rdpwd *w, uint16_t width, uint16_t height);

#endif
