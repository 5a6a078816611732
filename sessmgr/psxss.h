/*
 * psxss: what its files share. psxss.c is the process: smss, and the loop; psxss-exec.c the life of
 * an environment session; psxss-process.c makes a command's process.
 */
#ifndef MUSESS_PSXSS_H
#define MUSESS_PSXSS_H

#include "messages.h"
#include "subsystem-port.h"

#include <poll.h>
#include <signal.h>

enum { SESSIONS_MAX = 64 };
enum { EXIT_CANNOT = 126, EXIT_NOT_FOUND = 127 };

enum state { EMPTY, WAITING, STOPPING, ASKED, RUNNING, KILLED, ENDED };

struct exec {
	enum state state;
	uint32_t id;
	int port;            /* -1: musessctl is gone */
	pid_t process;       /* 0: none, or reaped; EMPTY and ENDED: it could not be so far */
	uint32_t message_id; /* of ExecPgm */
	int input, output[2];
	int error;        /* errno comes here where the command cannot be run */
	int left[2];      /* ENDED: bytes of each output that the command wrote */
	int refused;      /* errno; 0: smss did not refuse it */
	uint64_t kill_at; /* not 0: it has been hung up on; KILLED: it is waited for until then */
	bool in_held, out_held;
	uint32_t in_at; /* bytes of the input that have gone */
	struct ex_exit end;
	struct ex_data in, out;
};

struct psxss {
	struct subsystem sm;
	int children; /* SIGCHLD */
	uint32_t message_id;
	const char *session;
	char user[USER_SIZE], home[COMMAND_SIZE], shell[COMMAND_SIZE];
	struct exec execs[SESSIONS_MAX];
};

/* The descriptors of a session in the set that is polled. */
enum { PORT, INPUT, OUTPUT, ERRORS, EXEC_POLLS };

/* psxss-process.c */

/* Who the session's user is, without the C library's services, whose modules a session need not have.
   Asked before each command: the user may have logged on meanwhile. */
void process_find_user(struct psxss *p);
/* Splits the message's strings: WORDS, of EX_ARGUMENTS_MAX and a NULL. Returns false where they are not
   as EX_COMMAND has to be. */
bool process_split_command(struct ex_command *m, char **words);
/* Starts the command, which stops before it is the program. Returns 0, or -1 with errno. */
int process_start(const struct psxss *p, struct exec *e, char **words);

/* psxss-exec.c */

/* What to poll for a session. No input is taken while some is held. */
void exec_prepare(const struct exec *e, struct pollfd *polls);
/* Does what the set that was polled says. */
void exec_serve(struct psxss *p, struct exec *e, const struct pollfd *polls);
/* Looks whether its process has stopped or ended. */
void exec_on_child(struct psxss *p, struct exec *e);
/* ExecPgm is answered: the command runs, or may not. */
void exec_on_answer(struct psxss *p, struct exec *e, int32_t status);
/* Hangs up on the command; one that has not begun needs no time to end. */
void exec_hang_up(struct psxss *p, struct exec *e);
/* Whether its process runs, or is to, as far as is known. */
bool exec_is_under_way(const struct exec *e);
/* The time of grace is over: it is killed; or has been, and is waited for no longer. */
void exec_kill(struct psxss *p, struct exec *e);

#endif
