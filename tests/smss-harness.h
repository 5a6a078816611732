/*
 * smss in one process, for tests of its logic: the real tables, sessions, subsystems,
 * callbacks, turns and clients, above process creation that is made up. A test plays
 * everybody else: administrators, termsrv and subsystems are the other ends of ports, and what
 * the kernel would tell of processes, and the monotonic clock, the test tells.
 *
 * Process ids are above any that the kernel gives out, so that no signal hits anybody.
 */
#ifndef MUSESS_TESTS_SMSS_HARNESS_H
#define MUSESS_TESTS_SMSS_HARNESS_H

#include "smss.h"

/* What smss asked process creation for and was not done yet. */
struct harness_order {
	struct session *session;
	struct process_order order;
};

/* One that was created and not reaped yet. */
struct harness_process {
	pid_t pid;
	uint32_t generation; /* of its session */
};

enum { HARNESS_ORDERS = 64, HARNESS_PROCESSES = 512, HARNESS_SIGNALS = 64 };

struct harness {
	struct smss smss;
	struct musess_config config;
	struct harness_order orders[HARNESS_ORDERS];
	unsigned order_count;
	struct harness_process processes[HARNESS_PROCESSES];
	unsigned process_count;
	struct {
		pid_t pid;
		int number;
	} signals[HARNESS_SIGNALS]; /* the latest that smss sent, in a ring */
	unsigned signal_count;
	struct { /* what harness_unread left */
		struct session *session;
		struct process_report report;
	} unread;
	int fail_create;  /* errno of every further creation; 0: none */
	int fail_connect; /* errno of connecting back; 0: it works */
	int sb_port;      /* the subsystem's end of the port that smss connected last */
	/* what process_identify tells */
	pid_t pidfd_inner;
	bool pidfd_gone, pidfd_suspended;
	int console[2];  /* the console's csrss: its port, its SbApiPort */
	unsigned buried; /* descriptors */
	pid_t last_pid;
	pid_t traced;    /* under a debugger */
	uint64_t passed; /* time, in milliseconds */
};

extern struct harness harness;

/* Begins with defaults, without a pool and without a console; FROM, where not NULL, is the
   configuration. */
void harness_begin(const struct musess_config *from);
/* Ends all of it: nothing may be left that was not freed. */
void harness_end(void);
/* Lets smss do what it has to do now. */
void harness_run(void);
/* That time passes; and runs. Otherwise none does. */
void harness_pass(unsigned milliseconds);
/* A client of ROLE that is process PID; returns the test's end. */
int harness_client(enum client_role role, pid_t pid);
/* A process id that nobody has. */
pid_t harness_pid(void);

/* The last order for SESSION is done: by a new process, or with ERROR where that is not 0.
   Returns its process id, or 0 where there is no such order. */
pid_t harness_done(struct session *session, int error);
/* The same, but who did it ends without a word of it, and is not reaped yet. */
pid_t harness_unreported(struct session *session);
/* The same, but smss has not read yet what it says. */
pid_t harness_unread(struct session *session);
/* The last signal that smss sent to PID, 0: none. */
int harness_signal(pid_t pid);
/* PID has ended with STATUS, as wait() says it. */
void harness_reap(pid_t pid, int status);
/* Process PID shakes hands as a subsystem of TYPE; returns its port to smss, *STATUS the
   answer's; its SbApiPort is harness.sb_port. */
int harness_shake(pid_t pid, uint32_t type, int32_t *status);
/* SESSION, which was just begun, runs; csrss's port in *CSRSS, its SbApiPort in *SB. */
void harness_up(struct session *session, int *csrss, int *sb);
/* SESSION is stopped, and every process of it reaped, csrss last: it is process 1 there. */
void harness_down(struct session *session);
/* Session 0 is loaded, and the service ready. */
void harness_console(void);

/* Sends message TYPE of SIZE bytes at M, with a descriptor where PASSED; and runs. */
void harness_send(int port, PORT_MESSAGE *m, uint16_t type, size_t size, bool passed);
/* What smss has sent there: its length, 0 at the end of the port, -1 nothing. A descriptor
   that comes along is closed. */
ssize_t harness_receive(int port, void *buffer, size_t size);
/* Makes call NUMBER, and runs; *M is the reply where there is one. Its status, STATUS_PENDING
   where there is none yet, and 1 where the port was closed. */
int32_t harness_call(int port, SMAPIMSG *m, uint32_t number, bool passed);

#endif
