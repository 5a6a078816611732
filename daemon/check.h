/*
 * What the configuration names on this machine: files, programs, addresses. The form of its values
 * is the table's matter (options.h).
 */
#ifndef MUSESS_CHECK_H
#define MUSESS_CHECK_H

#include "options.h"

/* Whether sessions can execute the subsystems' commands, and those for users, as far as a path
   tells; PROGRAMS is the directory of musess's own. 0, or -1 after writing a line to REPORT for each that they cannot. */
int check_commands(const struct musess_config *config, const char *programs, FILE *report);

/* Whether the file of events can be one, and is none that the service reads, NAME of the configuration
   among them. 0, or -1 after writing a line to REPORT. */
int check_events(const struct musess_config *config, const char *name, FILE *report);

/* --check-config: all of it, as the user who asks sees it. The certificate and the fonts termsrv looks
   at, which uses them. Says what is wrong, or is not as it should be, of the file NAME on standard
   error. 0 or -1. */
int check_configuration(const struct musess_config *config, const char *programs, const char *name);

#endif
