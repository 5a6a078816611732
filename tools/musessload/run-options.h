/*
 * What `musessload run` was asked to do. The table in run-options.c is the parser, the help and the
 * words of the shell's completion.
 */
#ifndef MUSESS_LOAD_RUN_OPTIONS_H
#define MUSESS_LOAD_RUN_OPTIONS_H

#include "plan.h"
#include "result.h"
#include "script.h"
#include "threshold.h"
#include "users.h"

#include <sys/socket.h>

/* Exit statuses. */
enum {
	LOAD_EXIT_OK = 0,
	LOAD_EXIT_FAILED = 1, /* some sessions failed, or the run could not be made */
	LOAD_EXIT_USAGE = 2,
	LOAD_EXIT_THRESHOLD = 99,
	LOAD_EXIT_INTERRUPTED = 130,
};

enum load_security { SECURITY_NLA, SECURITY_TLS };
enum load_until { UNTIL_CONNECTED, UNTIL_PICTURE, UNTIL_LOGON, UNTIL_SHELL };
enum load_end { END_DISCONNECT, END_LOGOFF, END_DROP };

enum { SOURCES_MAX = 64, THRESHOLDS_MAX = 32, ADDRESSES_MAX = 16 };

struct address {
	struct sockaddr_storage address;
	socklen_t length;
};

struct source {
	char text[LOAD_ADDRESS_SIZE];
	struct address address;
};

struct options {
	char *target; /* HOST:PORT, or the path of the SM API's port */
	char *host;
	uint16_t port;
	struct address
	    address[ADDRESSES_MAX]; /* what HOST stands for: the first that answers is taken */
	unsigned addresses;
	bool sm;

	struct plan plan;
	const char *plan_text;              /* as it was given */
	uint64_t hold, ramp_down, deadline; /* microseconds */
	uint64_t max_live;
	uint64_t seed;

	struct users users;
	enum load_security security;
	enum load_until until;
	enum load_end end;
	bool reconnect;
	struct source source[SOURCES_MAX];
	unsigned sources;
	struct script script;

	const char *out; /* the file of results, or NULL */
	struct threshold threshold[THRESHOLDS_MAX];
	unsigned thresholds;
	bool abort_on_fail, max_search;
	char *command; /* the command line */
};

const char *options_until_name(enum load_until until);
const char *options_end_name(enum load_end end);

/*
 * Parses the command line of `run` (ARGV[0] is that word), and reads the files it names. Returns
 * -1 to go on, or an exit status: --help was asked for, or what is wrong has been said. The
 * caller finishes OPTIONS in any case.
 */
int options_parse(struct options *options, int argc, char **argv);
void options_finish(struct options *options);

/* For the shell's completion: a line for each option of `run`, --NAME=ARGUMENT. */
void options_print_completion(void);

#endif
