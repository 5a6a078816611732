/*
 * The parts of reading run's command line: run-options.c has the table, run-target.c what is
 * connected to, run-plan.c the plan and what contradicts what in it.
 */
#ifndef MUSESS_LOAD_RUN_PARSE_H
#define MUSESS_LOAD_RUN_PARSE_H

#include "run-options.h"

#define SM_PORT "/run/musess/SmApiPort"

enum { MAX_LIVE_MOST = 1000000 };

/* What stands between the options as they were given and a plan. */
struct parse {
	struct options *o;
	const char *user, *password_file, *script, *from;
	const char *rate, *stages, *storm, *concurrency;
	const char *duration, *count, *seed, *segment;
	bool max_live_given, hold_given, until_given, end_given, security_given, help;
};

/* Says what is wrong. Returns LOAD_EXIT_USAGE. */
int usage_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A whole number from LEAST to MOST. Returns 0 or -1. */
int parse_whole(const char *text, uint64_t least, uint64_t most, uint64_t *value);

/* The time that OPTION has. As all below returns 0 or an exit status, after saying why. */
int take_time(const char *option, const char *text, uint64_t *us);

/* The words that are no options: the target, whose name is looked up. */
int take_target(struct options *o, int count, char **words);

/* The addresses of --connect-from, once the target is known. */
int take_sources(struct options *o, const char *text);

/* The plan that the options make. */
int make_plan(struct parse *p);

#endif
