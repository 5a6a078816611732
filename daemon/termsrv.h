/*
 * termsrv: what its files share. It owns the listening socket, looks at each connection's
 * first packet, and hands the connection to a warm worker (rdpwd), for which it speaks
 * with lsass and smss. It never reads a connection's bytes, it only peeks at the first
 * packet; FreeRDP runs in the workers.
 *
 *   connection   accepted, its first packet awaited; then queued for a worker
 *   worker       an rdpwd: FRESH until it says it is warm, then WARM, then one
 *                connection's for good
 *
 * A worker's way: FRESH -> WARM -> HANDSHAKE (RW_CLIENT) -> LOGON (RW_LOGON, lsass, or the
 *   cookie of a session) -> CONNECTING (WS_CONNECT: to a session that its user has) -> STARTING
 *   (StartCsr, where he has none) -> CONNECTING (to that) -> SESSION (RW_SESSION), or it is
 *   denied, or it dies
 */
#ifndef MUSESS_TERMSRV_H
#define MUSESS_TERMSRV_H

#include "clock.h"
#include "fair.h"
#include "log.h"
#include "messages.h"
#include "networks.h"
#include "ntstatus.h"
#include "options.h"
#include "pace.h"
#include "penalty.h"

#include <event2/event.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <sys/queue.h>
#include <sys/types.h>

/* Descriptors that smss gives to termsrv. */
enum {
	TERMSRV_SMSS = 3,
	TERMSRV_STATE = 4,
	TERMSRV_CONFIG = 5,
	TERMSRV_CERTIFICATE = 6, /* and its key (configured.h) */
	TERMSRV_LISTENER = 7     /* of an earlier termsrv; or none */
};

/* Started with this word it looks at its configuration, and leaves. */
#define TERMSRV_CHECK "--check"

enum {
	WARM_WORKERS = 8,
	/* handshakes at a time, so that each is served well within its deadline when
	   thousands come at once; one whose worker has used no processor time for IDLE_US
	   waits for its client and does not count, nor does one that has taken STALLED_US */
	HANDSHAKES_MAX = 24,
	HOST_HANDSHAKES_MAX = HANDSHAKES_MAX / 2, /* of one address, while others wait */
	IDLE_US = 25000,
	STALLED_US = 500000,
	WORKERS_MAX = 32768,
	LOGONS_MAX = 1024, /* workers without a logon; fair_has_room says how many of one address */
	LINE_US = 1000000, /* of what is told once in such a time */
	RETRY_US = 100000, /* after a worker could not be made */
	WORKER_LINES_MAX = 10 * LOG_LINES_MAX, /* who writes more in that time is ended */
	PROMPT_TRIES = 3,
	PROMPTS_PART = 4,      /* of MaxInstanceCount may sessions that have no user be one part, */
	HOST_PROMPTS_PART = 2, /* and of those one part for one address */
	/* questions that lsass has at a time: one that it works on, and the next */
	QUESTIONS_MAX = 2,
};

enum worker_step {
	WORKER_FRESH,
	WORKER_WARM,
	WORKER_HANDSHAKE,
	WORKER_LOGON,
	WORKER_STARTING,
	WORKER_CONNECTING,
	WORKER_SESSION
};

/* What became of the client's cookie: smss is asked about it; it was right, and smss has to say
   whether it still is. */
enum cookie_step { COOKIE_NONE, COOKIE_ASKED, COOKIE_USED };

struct termsrv;

/* Where the number of its link is in an address of a link (fe80::/64, which has zeros there): two links
   may have the same address. */
enum { LINK_PLACE = 4 };

struct worker {
	TAILQ_ENTRY(worker) entry; /* of the warm ones */
	struct termsrv *t;
	uint32_t slot;
	uint16_t turn; /* of the slot: an answer for an earlier worker is not ours */
	enum worker_step step;
	pid_t pid;
	int port;
	struct event *readable, *deadline;
	char address[ADDRESS_SIZE];
	struct in6_addr from;     /* its client's address (LINK_PLACE), of IPv4 in its IPv6 form */
	struct in6_addr host;     /* whose share that has (penalty_source) */
	uint64_t handed;          /* when it got its connection */
	uint64_t looked, used;    /* when it was last looked at; processor time by then */
	bool idle;                /* then it had used none since it was looked at before */
	struct msg_client client; /* for smss: grows as the connection does */
	int display;              /* rdpwd's end of the port to csrss, while CONNECTING; or -1 */
	bool started;             /* StartCsr was called: it is the last WS_CONNECT */
	enum cookie_step cookie;
	uint8_t verifier[VERIFIER_SIZE];
	struct lsa_request question; /* to lsass, asked again should lsass be replaced */
	struct lsa_ntlm *proof;      /* likewise: that is the question while it is not NULL */
	struct fair_node waiting;    /* while it waits for its turn at lsass */
	struct fair_node logon;      /* while it has a client that has no session */
	bool asking;                 /* lsass has not answered, or was not even asked */
	bool asked_hash;             /* one proof per connection */
	bool painted;                /* its first picture is out */
	unsigned prompts;            /* what was typed at its logon prompt, times */
	bool denied;                 /* it was told no, and is to end */
	bool refused;                /* what became of it is noted (termsrv-outcome.c) */
	struct quota lines;          /* of its for the log */
	unsigned unsaid;             /* those that were too many */
};

struct connection {
	struct fair_node place; /* among the silent ones, or then in the queue */
	struct termsrv *t;
	int socket;
	size_t wanted;          /* bytes that it wakes us for */
	struct event *readable; /* the first packet; then that the client has left */
	struct event *deadline;
	char address[ADDRESS_SIZE];
	char name[WINSTATION_SIZE]; /* that Windows would give it */
	struct in6_addr from, host; /* as a worker's */
	uint64_t accepted, requested;
};

/* A logon whose client left while lsass had the question. */
struct left_logon {
	uint32_t number; /* the question's */
	bool counted;    /* it had a session, or was refused for something else */
	struct in6_addr from;
	struct msg_ws_event who; /* what the event of its failure says */
};

struct termsrv {
	struct musess_config config;
	struct event_base *base;
	int smss, lsass, nursery, listener;
	int spare; /* given up to accept, and close, one more connection when out of them */
	struct event *smss_event, *lsass_event, *nursery_event, *accept_event, *child_event,
	    *resume, *refill, *lsass_lost;
	struct fair_queue silent,
	    queue;     /* connections: without a whole first packet; that wait for a worker */
	unsigned room; /* for both together, as descriptors allow */
	struct fair_queue logons; /* workers with a client that has no session */
	TAILQ_HEAD(, worker) warm, fresh;
	unsigned warm_count, fresh_count;
	uint32_t births_asked,
	    births_told;     /* workers that the nursery was to make, and of which it has told */
	uint32_t await_told; /* a child has ended that may be one it has not told of until then */
	bool awaits_told;
	struct worker **workers; /* by slot */
	uint16_t *turns;
	uint32_t slots_used; /* slots below this one were used at some time */
	struct quota refusal_lines, penalty_lines;
	uint32_t last_connection;              /* for their names */
	struct quota failure_lines;            /* of a worker */
	struct fair_queue questions;           /* to lsass */
	unsigned asked;                        /* questions that it has and did not answer */
	struct left_logon left[QUESTIONS_MAX]; /* of these */
	unsigned left_count;
	struct penalty *penalty;
	struct pace lines, requests;         /* of the log about strangers; events of connections */
	uint64_t lost[WS_EVENT_COUNT];       /* events that smss did not take */
	struct event *tell;                  /* of what these have not written */
	struct network exempt[NETWORKS_MAX]; /* from that */
	size_t exempt_count;
	struct msg_ts_figures counted;
};

/* Closes and forgets a connection that has no worker yet. */
void connection_destroy(struct connection *c);
/* Whether its client has closed it. */
bool connection_left(const struct connection *c);
/* The connection whose place that is. */
struct connection *connection_at(struct fair_node *place);
/* Notes that a connection from ADDRESS is closed, as that has to wait for failed logons. */
void connection_keep_out(struct termsrv *t, const char *address);

/* termsrv-worker.c */

/* Asks the nursery for workers until enough are warm or on their way. */
void worker_refill(struct termsrv *t);
/* Hands queued connections to warm workers. */
void worker_dispatch(struct termsrv *t);
/* The nursery's answer: the process id of worker NUMBER, which may be warm already, or an
   error. */
void worker_born(struct termsrv *t, uint32_t number, pid_t pid, int error);
/* Forgets the worker; ends its process and what it left half-made. */
void worker_destroy(struct worker *w);
/* Whether a child that has ended is not one that the nursery has still to tell of. If it is,
   worker_born comes first. */
bool worker_may_be_reaped(struct termsrv *t, pid_t pid);
/* A child was reaped. */
void worker_reaped(struct termsrv *t, pid_t pid, int wait_status);
/* The worker that NUMBER (of a request) stands for; NULL where it is gone. */
struct worker *worker_of(struct termsrv *t, uint32_t number);
uint32_t worker_number(const struct worker *w);
/* Tells the worker no; it tells its client and ends. */
void worker_deny(struct worker *w, int32_t status, enum end_reason reason);

/* Those that have no client yet and were forked before now: others take their place. */
void worker_replace_warm(struct termsrv *t);

/* termsrv-certificate.c: 0, or -1 where smss does not read. */

/* TS_CERTIFICATE: with FD, which stays the caller's. */
int certificate_offered(struct termsrv *t, int fd);
/* The nursery's answer: 0, or an errno. */
int certificate_taken(struct termsrv *t, int error);

/* termsrv-logon.c */

/* Messages from a worker about its logon. Each returns 0, or -1 to end the worker. */
int logon_hash(struct worker *w, const struct lsa_ntlm *m);
int logon_request(struct worker *w, const struct msg_rw_logon *m);
int logon_painted(struct worker *w, const struct msg_painted *m);
/* A message from lsass, or from smss. Return 0, or -1 where it makes no sense. */
int logon_lsass(struct termsrv *t, const PORT_MESSAGE *m, size_t size);
int logon_smss(struct termsrv *t, PORT_MESSAGE *m, size_t size, int *passed);
/* Asks a new lsass what the old one did not answer. */
void logon_ask_again(struct termsrv *t);
/* The worker ends: its question is forgotten. A session of its own is given back when StartCsr is
   answered, or by csrss. */
void logon_abandon(struct worker *w);

/* termsrv-outcome.c */

/* 0, or -1 without memory. */
int outcome_init(struct termsrv *t);
/* Whether the log may have a line about the client of HOST, who has no account yet. Those that it may not are
   counted, and told of together. */
bool outcome_may_log(struct termsrv *t, const struct in6_addr *host);
/* An event that smss is told of: a request came as connection NAME. Of more than an address may have there is
   only how many. */
void outcome_request(
    struct termsrv *t, const char *name, const char *address, const struct in6_addr *host);
/* Takes the addresses that failed logons cost nothing: EXEMPT is a checked option's text. */
void outcome_configure(struct termsrv *t, const char *exempt);
/* Whether failed logons cost the address FROM nothing. */
bool outcome_exempt(const struct termsrv *t, const struct in6_addr *from);
/* How long HOST has to wait for failed logons, in microseconds; 0: not at all. */
uint64_t outcome_wait(const struct termsrv *t, const struct in6_addr *from);
/* A connection that has no worker is refused, for CAUSE. */
void outcome_refused(struct termsrv *t, enum refusal cause);
/* The worker's client is refused, for CAUSE; USER and DOMAIN are what it said of itself, NULL where
   it said nothing. What became of a client is noted once, but each of its tries at a logon prompt. */
void outcome_worker(struct worker *w, enum refusal cause, const char *user, const char *domain);
/* The worker leaves, and lsass has its question about USER: the answer decides what it was. */
void outcome_left(struct worker *w, const char *user, const char *domain);
/* That is the answer to question NUMBER of one who left; one who is not known is nobody. */
void outcome_after(struct termsrv *t, uint32_t number, bool right);
/* None of these will be answered. */
void outcome_forget(struct termsrv *t);

#endif
