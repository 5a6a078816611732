/* The sub-command run: one run with its report, or a search for the highest rate. */
#ifndef MUSESS_LOAD_RUN_H
#define MUSESS_LOAD_RUN_H

#include "run-options.h"

/* ARGV[0] is "run". Returns the exit status. */
int run_main(int argc, char **argv);

/*
 * --max-search: runs of --duration each, at rates from --rate on, until it is known to 5 % which
 * is the highest that keeps the thresholds. Returns the exit status: LOAD_EXIT_THRESHOLD where no
 * rate kept them.
 */
int search_main(struct options *options);

/* Says so where fewer users than STARTS took turns, and nothing logged them off: later ones may have come back to the
   sessions of earlier ones, and measured that. */
void run_note_users(const struct options *options, uint64_t starts);

#endif
