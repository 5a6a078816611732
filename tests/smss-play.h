/*
 * What the tests of smss (tests/test-smss*.c) have in common: a harness with the console and an
 * administrator, and sessions that are brought up and down.
 */
#ifndef MUSESS_TESTS_SMSS_PLAY_H
#define MUSESS_TESTS_SMSS_PLAY_H

#include "smss-harness.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* The administrator's port. */
extern int admin;

/* A session that runs, and its csrss. */
struct up {
	struct session *session;
	int csrss, sb;
};

/* Before and after each test. */
int play_begin(void **state);
int play_end(void **state);
/* Both, with another configuration. */
void begin_again(const struct musess_config *config);
/* Asks for a session, which is begun then; NULL where it waits for its turn. */
struct session *begun(int port);
struct up session_up(void);
void session_down(struct up *up);
/* The next message at PORT is the answer STATUS. */
void expect_reply(int port, int32_t status);
/* Whether smss has closed PORT; what it sent before is thrown away. */
bool closed(int port);

/* The calls; the status of each, STATUS_PENDING where it is not answered yet. */
int32_t call_start(const char *command, SMAPIMSG *m);
int32_t call_stop(int port, uint32_t id, uint32_t generation);
int32_t call_load(const struct up *up, const char *name); /* by csrss */
int32_t call_exec(int port, uint32_t session, bool passed);

/* PID connects as a subsystem of TYPE; its port, and its SbApiPort in *SB. */
int connects(pid_t pid, uint32_t type, int *sb);
/* psxss of UP, which was asked for, likewise. */
int posix_up(const struct up *up, int *sb);
/* Begins again, with a second optional subsystem, Extra. */
enum { EXTRA_TYPE = 100 };
void begin_with_extra(void);

#define T(test) cmocka_unit_test_setup_teardown(test, play_begin, play_end)

#endif
