/*
 * musessctl's parts: a request is what the command line said and the connection to smss;
 * the commands' handlers make it, ask, receive, and show.
 */
#ifndef MUSESS_MUSESSCTL_H
#define MUSESS_MUSESSCTL_H

#include "messages.h"

#include <jansson.h>

/* Exit statuses. */
enum {
	CTL_REFUSED = 1,       /* or smss was not reached */
	CTL_USAGE = 2,         /* the command line or its input is wrong */
	CTL_EXEC_FAILED = 125, /* exec's CTL_REFUSED: other numbers are the command's own */
};

struct command;

struct request {
	const struct command *command;
	const char *path;          /* of smss's port */
	const char *operand;       /* ID, NAME or SIZE; NULL: there is none */
	char *const *words;        /* what stands behind "--": exec's command, NULL at its end */
	const char *initial;       /* --command */
	const char *password_file; /* --password-file */
	bool json, kd;
	int port;          /* -1 until connected */
	uint64_t deadline; /* milliseconds of CLOCK_MONOTONIC; 0 until something was asked */
	uint32_t message_id;
};

/* What a command takes beside its operand: OPTION_WORDS is a command behind "--". */
enum {
	OPTION_COMMAND = 1,
	OPTION_PASSWORD_FILE = 2,
	OPTION_KD = 4,
	OPTION_NO_JSON = 8,
	OPTION_WORDS = 16
};

struct command {
	const char *name;      /* one word or two */
	const char *operand;   /* NULL: none; "[...]": it may be left out */
	const char *arguments; /* all of them, for the help */
	const char *help;
	unsigned options;
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
/* HINT may be NULL. */
int ctl_refused(const struct request *r, int32_t status, const char *hint);
int ctl_bad_answer(const struct request *r);
/* errno says why. */
int ctl_failed(const struct request *r, const char *what);

/* The rest return 0 or such an exit status. */

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
/* Receives messages of type ITEM until one of type END comes, which is left in *LAST. */
int ctl_receive_list(
    const struct request *r, uint16_t item, uint16_t end, struct answers *list, union answer *last);

/* Prints DOCUMENT and takes the reference; NULL: memory was short. */
int ctl_print_json(const struct request *r, json_t *document);

/* An array of what JSON_OF makes of each message of LIST, SIZE bytes. A new reference; NULL
   where memory is short. */
json_t *ctl_array_json(
    const struct answers *list, size_t size, json_t *(*json_of)(const void *message));

/* musessctl.c: a decimal number but NO_SESSION; and what is said where the operand is none. */
bool ctl_parse_id(const char *text, uint32_t *id);
int ctl_bad_id(const struct request *r);

/* musessctl-exec.c: a handler. Returns the command's own exit status, or CTL_USAGE or
   CTL_EXEC_FAILED. */
int ctl_exec(struct request *r);

/* musessctl-account.c: handlers. */
int ctl_account_add(struct request *r);
int ctl_account_remove(struct request *r);
int ctl_account_list(struct request *r);
int ctl_account_passwd(struct request *r);

#endif
