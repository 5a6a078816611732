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

#define T(test) cmocka_unit_test_setup_teardown(test, play_begin, play_end)

#endif
