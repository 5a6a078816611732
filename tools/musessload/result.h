/*
 * What a run of musessload leaves: a file of JSON lines that the engine (run) writes while it
 * measures and that report, compare and thresholds read, at any time and from any machine.
 *
 *   {"type":"run",...}      the first line: target, plan, options, machine (struct run_info)
 *   {"type":"session",...}  one session, when it has ended (struct result)
 *   {"type":"missed",...}   a start that was planned and could not be made (struct missed)
 *   {"type":"end",...}      the last line, unless the run was cut off (struct run_end)
 *
 * All times are microseconds, those of the plan since the run's begin. A phase that a session did
 * not reach is absent in the file and NOT_REACHED here. What is not in a file of an earlier build
 * has its zero.
 */
#ifndef MUSESS_LOAD_RESULT_H
#define MUSESS_LOAD_RESULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NOT_REACHED UINT64_MAX

/* A session's phases, each from the end of the one before; of a session of the SM API alone only
   LOAD_START and LOAD_STOP are reached. Their names are metrics of reports and thresholds. */
#define LOAD_PHASES(X)                                                                             \
	X(LOAD_TCP, "tcp", "TCP connection")                                                       \
	X(LOAD_X224, "x224", "X.224 connection request to its confirmation")                       \
	X(LOAD_TLS, "tls", "TLS handshake")                                                        \
	X(LOAD_NLA, "nla", "CredSSP")                                                              \
	X(LOAD_MCS, "mcs", "MCS connect to the client info")                                       \
	X(LOAD_ACTIVATION, "activation", "licence, capabilities, finalization")                    \
	X(LOAD_PICTURE, "first_picture", "to the first picture")                                   \
	X(LOAD_LOGGED_ON, "logon", "of --until logon: the server's word that the user is there")   \
	X(LOAD_SHELL, "shell", "until the picture is at rest: the shell's prompt is there")        \
	X(LOAD_START, "start_csr", "StartCsr, from the call to its answer")                        \
	X(LOAD_STOP, "stop_csr", "StopCsr, from the call to its answer")                           \
	X(LOAD_OTHER, "unaccounted", "the client's own time between the phases")

enum load_phase {
#define X(id, name, text) id,
	LOAD_PHASES(X)
#undef X
	    LOAD_PHASE_COUNT
};

/* How a session's creation went. The names are stable: files and thresholds have them. */
#define LOAD_ERRORS(X)                                                                             \
	X(LOAD_OK, "ok", "it reached what --until names, and was held")                            \
	X(LOAD_REFUSED, "refused", "the server refuses TCP connections")                           \
	X(LOAD_RESET, "reset", "the server closed or reset the connection")                        \
	X(LOAD_UNREACHABLE, "unreachable", "no route, or no answer to a TCP connection")           \
	X(LOAD_NEGOTIATION, "negotiation", "no security protocol that both sides allow")           \
	X(LOAD_TLS_FAILED, "tls_failed", "the TLS handshake failed")                               \
	X(LOAD_LOGON, "logon", "the logon was refused: a wrong user or password")                  \
	X(LOAD_PROTOCOL, "protocol", "what the server sends is not RDP")                           \
	X(LOAD_ERRINFO, "errinfo", "the server ended it with a Set Error Info PDU")                \
	X(LOAD_DEADLINE, "deadline", "the deadline passed")                                        \
	X(LOAD_SCRIPT, "script", "a step of the script did not come true")                         \
	X(LOAD_SM, "sm", "the session manager's status is no success")                             \
	X(LOAD_LOCAL, "local", "this machine has no descriptors, memory or processes left")        \
	X(LOAD_INTERRUPTED, "interrupted", "the run was interrupted")

enum load_error {
#define X(id, name, text) id,
	LOAD_ERRORS(X)
#undef X
	    LOAD_ERROR_COUNT
};

enum { LOAD_USER_SIZE = 128, LOAD_ADDRESS_SIZE = 48, LOAD_DETAIL_SIZE = 96, LOAD_ECHOES = 64 };

/* One session. */
struct result {
	uint64_t number; /* in the plan of all segments, from 0 */
	char user[LOAD_USER_SIZE];
	char from[LOAD_ADDRESS_SIZE]; /* source address, "" where the kernel chose */
	uint64_t planned;             /* when it was to start; of a closed loop: when it did */
	uint64_t started;             /* when it did; response time counts from planned, service
	                             time from here */
	uint64_t phase[LOAD_PHASE_COUNT];
	uint64_t total;             /* from started until what --until names, or NOT_REACHED */
	uint64_t held;              /* from there to its end; of one that did not get there: from
	                               started to its end */
	uint64_t echo[LOAD_ECHOES]; /* key press to picture, as the script measured it */
	unsigned echoes;
	enum load_error error;
	enum load_phase failed_in; /* where error is none of LOAD_OK */
	uint32_t errinfo; /* Set Error Info PDU, 0: none (of a good session too: its end) */
	int32_t status;   /* NTSTATUS of the SM API */
	char detail[LOAD_DETAIL_SIZE]; /* for people: an error-info's name, errno, an alert */
	bool certificate_mismatch;     /* accepted, counted and named */
	bool reconnected;              /* it came back to the session of an earlier one */
	bool not_logged_off; /* it was to, and the server did not end it: it was disconnected */
};

/* A start that was not made. */
struct missed {
	uint64_t number, planned;
	const char *why; /* "max-live", "late" (the engine was too slow); once "interrupted" */
};

/* The first line. Strings are the reader's, freed with the run (result-file.h). */
struct run_info {
	char *version, *target, *model, *until, *end, *security; /* model: rate, stages, storm,
	                                                            concurrency; target: HOST:PORT
	                                                            or the SM API port's path */
	char *command; /* the command line as it was given (a password is never on it) */
	char *host, *kernel, *processor; /* of the machine that ran it */
	unsigned processors;
	uint64_t memory;   /* bytes */
	uint64_t epoch_us; /* begin of the plan, microseconds of CLOCK_REALTIME */
	uint64_t seed;
	unsigned segment, segments;
	char *plan;                /* as given: "20/s", "0:0,2m:20/s", "1000" */
	uint64_t hold_us, planned; /* starts that the plan has; 0: a closed loop with no --count */
};

/* The last line. */
struct run_end {
	uint64_t duration_us;
	bool interrupted, aborted;     /* by Ctrl-C; by --abort-on-fail */
	bool stopped;                  /* by a key */
	unsigned rate_changes, pauses; /* by keys */
	uint64_t not_started; /* starts that the plan still had then, and that are not missed */
	uint64_t cpu_us;      /* processor time of the engine and its workers */
	uint64_t memory;      /* their private memory at the peak of live sessions, bytes */
	uint64_t memory_live; /* how many there were then; 0: none was held, it is not known */
	uint64_t live_peak;
	uint64_t late_us;    /* the latest start: actual minus planned */
	bool client_limited; /* it, not the server, was the limit */
	char *limit;         /* and why, for people; "" where not */
};

#endif
