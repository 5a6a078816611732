/*
 * One RDP connection, on libfreerdp's client side: it is made, its phases are timed by hooks in
 * FreeRDP's transport, and pictures are noted, not decoded (unless a screen is given).
 *
 *   parent           rdp_warm_up          once, before workers are forked
 *   a worker         rdp_create, before a storm
 *   a thread         rdp_create, rdp_name, rdp_connect: FreeRDP blocks; rdp_cut from outside ends it
 *   the event loop   rdp_serve when its socket is readable; rdp_press; rdp_end; rdp_destroy
 *
 * Times are clock_us()'s; 0: not reached.
 */
#ifndef MUSESS_LOAD_RDP_H
#define MUSESS_LOAD_RDP_H

#include "result.h"
#include "run-options.h"
#include "screen.h"

#include <freerdp/freerdp.h>
#include <stdatomic.h>

struct rdp_marks {
	uint64_t tcp_begin, tcp_end, x224_begin, x224_end, tls_begin, tls_end, mcs_begin, mcs_end,
	    activated, picture, logon, shell;
	bool nla; /* CredSSP is between tls_end and mcs_begin */
};

/* The server's word for who comes back: FreeRDP's ARC_SC_PRIVATE_PACKET. */
struct rdp_cookie {
	bool given;
	ARC_SC_PRIVATE_PACKET packet;
};

struct rdp {
	freerdp *instance;
	bool drained;      /* the last look found no whole PDU */
	atomic_int socket; /* a duplicate of FreeRDP's, for the deadline and the event loop; -1 */
	atomic_int cut;    /* enum load_error: why it was cut off; LOAD_OK: it was not */
	const struct source *from;
	struct rdp_marks marks;
	uint64_t updates, last_update; /* pictures so far, and the last one's time */
	struct screen *screen;         /* pictures are decoded into it; NULL: they are not */
	/* what an error is told by */
	unsigned attempts;
	int tcp_error;                  /* errno of the TCP connection */
	bool confirmed;                 /* an X.224 Connection Confirm came */
	uint32_t chosen;                /* by it: the protocol; 0 is RDP's own security */
	uint32_t failure_code;          /* RDP_NEG_FAILURE's, 0: there was none */
	uint64_t before_tls;            /* bytes received before the TLS handshake */
	bool lost;                      /* the transport could not be read or written on */
	char said[LOAD_DETAIL_SIZE];    /* by FreeRDP */
	char refused[LOAD_DETAIL_SIZE]; /* what the server said of the logon that it refused; "" */
	bool name_differs;
	char certificate[64]; /* the name that the certificate is for */
};

/* Prepares what all connections have in common. Returns 0, or -1. */
int rdp_warm_up(const struct options *options);

/* A connection that is not made yet. Returns it, or NULL where memory or descriptors are short. */
struct rdp *rdp_create(void);

/* Whose it is to be (USER, or DOMAIN\USER), and from where. COOKIE brings it back to a session where it was given. Returns
   0, or -1 where memory is short. */
int rdp_name(struct rdp *rdp, const char *user, const char *password, const struct source *from,
    const struct rdp_cookie *cookie);

/* Connects and activates. Blocks until that is done, failed, or was cut off. Returns 0 or -1. */
int rdp_connect(struct rdp *rdp);

/* Ends whatever FreeRDP waits for, from any thread: WHY is the error it fails with then. */
void rdp_cut(struct rdp *rdp, enum load_error why);

/* Reads all that is there. Returns 0, or -1: the connection is lost. */
int rdp_serve(struct rdp *rdp);

/* A key of keys.h. */
void rdp_press(struct rdp *rdp, uint16_t key, bool down);

/* Closes it: in order (END_DISCONNECT), or without a word (END_DROP). */
void rdp_end(struct rdp *rdp, enum load_end how);

/* The cookie that the server gave it. */
struct rdp_cookie rdp_cookie(const struct rdp *rdp);

/* When it came to UNTIL; 0: it has not. */
uint64_t rdp_reached(const struct rdp_marks *marks, enum load_until until);

/* What became of the phases on the way to UNTIL; TOTAL of the result is set before. What came behind
   that is a phase too, and no part of the total. */
void rdp_phases(const struct rdp_marks *marks, enum load_until until, struct result *result);

/* Why it failed on the way to UNTIL: error, failed_in, errinfo, detail. */
void rdp_failure(struct rdp *rdp, enum load_until until, struct result *result);

/* NULL is allowed. */
void rdp_destroy(struct rdp *rdp);

#endif
