/*
 * musessctl's parts: a request is what the command line said and the connection to smss;
 * the commands' handlers make it, ask, receive, and show.
 */
#ifndef MUSESS_MUSESSCTL_H
#define MUSESS_MUSESSCTL_H

#include "messages.h"

#include <jansson.h>
#include <signal.h>

/* Exit statuses. */
enum {
	CTL_REFUSED = 1,       /* or smss was not reached */
	CTL_USAGE = 2,         /* the command line or its input is wrong */
	CTL_EXEC_FAILED = 125, /* exec's CTL_REFUSED: other numbers are the command's own */
};

/* Rows of the table of options in musessctl.c. */
enum option_id {
	OPTION_SOCKET,
	OPTION_JSON,
	OPTION_COMMAND,
	OPTION_COUNT,
	OPTION_DEST,
	OPTION_FOLLOW,
	OPTION_INTERVAL,
	OPTION_KD,
	OPTION_PASSWORD_FILE,
	OPTION_TIME,
	OPTION_TITLE,
	OPTION_WAIT,
	OPTION_VERSION,
	OPTION_HELP,
	OPTION_COMPLETE,
	OPTION_TOTAL
};
#define TAKES(option) (1u << (option))

struct command;
struct proctree_entry;

/* A copy without a port makes a connection of its own. */
struct request {
	const struct command *command;
	const char *path;    /* of smss's port */
	const char *operand; /* ID, NAME or SIZE; NULL: there is none */
	char *const *words;  /* what follows the operand, NULL at its end; see enum rest */
	const char *option[OPTION_TOTAL]; /* its argument, "" where it has none; NULL: not given */
	bool json;
	int port;          /* -1 until connected */
	uint64_t deadline; /* milliseconds of CLOCK_MONOTONIC; 0 until something was asked */
	uint32_t message_id;
};

/* For a request's deadline: there is none. */
#define CTL_NEVER UINT64_MAX

/* What a command takes behind its operand. */
enum rest {
	REST_NONE,
	REST_COMMAND, /* a command, behind "--" */
	REST_TEXT,    /* words */
};

struct command {
	const char *name;      /* one word or two */
	const char *windows;   /* what Windows' tool is called; NULL: there is none */
	const char *operand;   /* NULL: none; "[...]": it may be left out. What stands between '|'
	                          are kinds in capitals, and words; completion follows them */
	const char *arguments; /* all of them, for the help */
	const char *help;
	unsigned options; /* TAKES(...) of those that not every command takes */
	enum rest rest;
	int timeout;                      /* seconds until every answer must be there */
	int (*handler)(struct request *); /* returns an exit status */
};

/* Any answer. */
union answer {
	PORT_MESSAGE h;
	SMAPIMSG call;
	struct msg_session session;
	struct msg_process process;
	struct msg_version version;
	struct lsa_answer account;
	struct msg_pool pool;
	struct msg_exec exec;
	struct msg_control control;
	struct msg_drain drain;
	struct msg_reloaded reloaded;
	struct msg_stats stats;
	struct msg_event event;
};

/* Messages of one type, COUNT of them in room for CAPACITY. MESSAGES is freed by who
   asked. */
struct answers {
	void *messages;
	size_t count, capacity;
};

/* musessctl-request.c. Each says on standard error what went wrong, and then returns the
   exit status for it. */

int ctl_usage_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* CTL_REFUSED, in words of one's own. */
int ctl_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* HINT may be NULL. */
int ctl_refused(const struct request *r, int32_t status, const char *hint);
int ctl_bad_answer(const struct request *r);
/* errno says why. */
int ctl_failed(const struct request *r, const char *what);

/* The rest return 0 or such an exit status. */

/* Does nothing where there is a connection already. */
int ctl_connect(struct request *r);
/* Sends MESSAGE of TOTAL bytes; its header is filled in. */
int ctl_ask(struct request *r, PORT_MESSAGE *message, uint16_t type, size_t total);
/* Likewise, with descriptor PASSED beside it, which the caller keeps. */
int ctl_ask_passing(
    struct request *r, PORT_MESSAGE *message, uint16_t type, size_t total, int passed);
/* A message that is its type alone. */
int ctl_ask_plainly(struct request *r, uint16_t type);
/* Receives one answer to the last message asked: of the size that its type has, and with
   valid texts. */
int ctl_receive(const struct request *r, union answer *a);
/* Likewise to any message asked since the one of id FIRST. */
int ctl_receive_any(const struct request *r, uint32_t first, union answer *a);
/* Receives messages of type ITEM until one of type END comes, which is left in *LAST. */
int ctl_receive_list(
    const struct request *r, uint16_t item, uint16_t end, struct answers *list, union answer *last);
/* Connects, asks, and receives an answer of type EXPECTED. */
int ctl_call(struct request *r, PORT_MESSAGE *message, uint16_t type, size_t total,
    uint16_t expected, union answer *a);

/* True where TEXT (SIZE bytes, at most RELOAD_TEXT_SIZE) is terminated, and its lines are
   printable UTF-8. */
bool ctl_lines_valid(const char *text, size_t size);

/* Prints DOCUMENT and takes the reference; NULL: memory was short. */
int ctl_print_json(const struct request *r, json_t *document);
/* Likewise on one line, which is written at once. */
int ctl_print_json_line(const struct request *r, json_t *document);

/* An array of what JSON_OF makes of each message of LIST, SIZE bytes. A new reference; NULL
   where memory is short. */
json_t *ctl_array_json(
    const struct answers *list, size_t size, json_t *(*json_of)(const void *message));

/* musessctl-wait.c: for what runs until somebody ends it. */

/* From now on SIGINT, SIGTERM and SIGHUP, and SIGWINCH, are seen by ctl_wait alone. */
void ctl_catch_signals(void);
enum ctl_event {
	CTL_WAIT_OVER = 0,
	CTL_WAIT_SMSS = 1,    /* there is something to receive, be it smss's end */
	CTL_WAIT_INPUT = 2,   /* standard input can be read */
	CTL_WAIT_RESIZED = 4, /* the terminal has another size */
	CTL_WAIT_END = 8,     /* a signal asked for the end, or nobody reads standard output */
};
/* Waits for any of WANTED (enum ctl_event), at most until DEADLINE. Returns those that there are. */
unsigned ctl_wait(const struct request *r, unsigned wanted, uint64_t deadline);
/* Milliseconds of CLOCK_MONOTONIC. */
uint64_t ctl_now(void);

/* musessctl-find.c: which sessions are meant. */

/* A decimal number but NO_SESSION; and what is said where TEXT is none. */
bool ctl_parse_id(const char *text, uint32_t *id);
int ctl_bad_id(const struct request *r, const char *text);
/* Asks for the sessions, sorted by id, over the connection. Returns 0 or an exit status. */
int ctl_ask_sessions(struct request *r, struct answers *list);
/* Likewise, and keeps those only that NAME means: an id, a session name, or a user, in this
   order. NULL: all. */
int ctl_ask_meant(struct request *r, const char *name, struct answers *list);
/* The one session that NAME means. Nothing is asked of smss where it is a number. Returns 0 or
   an exit status. */
int ctl_find_session(struct request *r, const char *name, uint32_t *id);
/* Says that there is no such session, in Windows' words. Returns CTL_REFUSED. */
int ctl_no_session(const char *name);

/* The handlers. Each returns an exit status. */

/* musessctl-list.c */
int ctl_list(struct request *r);
int ctl_users(struct request *r);
int ctl_show(struct request *r);
/* musessctl-ps.c */
int ctl_ps(struct request *r);
/* Asks for the service's processes too, and finds all of them and of SESSIONS. Sets
   *PROCESSES, which the caller frees. */
int ctl_ask_processes(struct request *r, const struct answers *sessions,
    struct proctree_entry **processes, size_t *count);
/* musessctl-control.c */
int ctl_disconnect(struct request *r);
int ctl_connect_session(struct request *r);
int ctl_logoff(struct request *r);
int ctl_reset(struct request *r);
/* musessctl-message.c */
int ctl_message(struct request *r);
/* Fills in title and text. TITLE NULL: who it is from. Returns 0 or CTL_USAGE. */
int ctl_fill_box(struct msg_box *box, const char *title, const char *text);
/* musessctl-sm.c */
int ctl_start(struct request *r);
int ctl_stop(struct request *r);
/* musessctl-service.c */
int ctl_pool(struct request *r);
int ctl_drain(struct request *r);
/* The word for a mode; NULL: it is none. */
const char *ctl_drain_word(uint32_t mode);
int ctl_reload(struct request *r);
int ctl_version(struct request *r);
/* musessctl-stats.c */
int ctl_stats(struct request *r);
/* musessctl-events.c */
int ctl_events(struct request *r);
/* musessctl-top.c */
int ctl_top(struct request *r);
/* musessctl-exec.c: returns the command's own exit status, or CTL_USAGE or CTL_EXEC_FAILED. */
int ctl_exec(struct request *r);
/* musessctl-account.c */
int ctl_account_add(struct request *r);
int ctl_account_remove(struct request *r);
int ctl_account_list(struct request *r);
int ctl_account_passwd(struct request *r);

#endif
