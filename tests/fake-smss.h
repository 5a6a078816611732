/*
 * For the tests of musessctl: runs the real program (its path is in MUSESSCTL), with the
 * test as its smss. A run that does not go as the test expects fails the test.
 */
#ifndef MUSESS_TESTS_FAKE_SMSS_H
#define MUSESS_TESTS_FAKE_SMSS_H

#include "../sessmgr/messages.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <sys/types.h>

enum { FAKE_PATIENCE = 20000 }; /* milliseconds for anything awaited */

/* One run of the program, and the smss it talks to. */
struct fake {
	char directory[64], path[100]; /* of the socket */
	bool powerless;                /* the program may not override file modes, even root's */
	int listener, port;            /* -1: none */
	pid_t pid;                     /* -1: not running */
	int output;                    /* its standard output in place of a file; -1: none */
	int out_file, error_file;
	char out[4 << 20], error[65536]; /* what it printed, once it has ended */
};

union fake_request {
	PORT_MESSAGE h;
	SMAPIMSG call;
	struct lsa_request account;
	struct msg_control control;
	struct msg_drain drain;
	struct msg_box box;
};

/* The sessions of the reference's sample of query session, in another order. */
enum { FAKE_LISTENER, FAKE_EVE, FAKE_CONSOLE, FAKE_LAB, FAKE_SAMPLE_COUNT };
extern const struct msg_session fake_sample[FAKE_SAMPLE_COUNT];

/* cmocka's fixture functions. */
int fake_setup(void **data);
int fake_teardown(void **data);

/* A cmocka test with them. */
#define FAKE_TEST(name) cmocka_unit_test_setup_teardown(name, fake_setup, fake_teardown)

/* Starts the program with INPUT as its standard input. The arguments end in NULL. */
void fake_run_with(struct fake *f, const char *input, ...);
#define fake_run(f, ...) fake_run_with(f, "", __VA_ARGS__, NULL)
/* Likewise, with words in an array that ends in NULL: the first is the program's name. */
void fake_run_words(struct fake *f, const char *input, char *const *words);

/* Waits until all that it has printed is TEXT, while it runs on. */
void fake_await_output(struct fake *f, const char *text);

/* The same on a terminal of its own, whose other end is returned; the caller closes it. */
int fake_run_on_terminal(struct fake *f, char *const *words);

/* Waits for its end. Returns its exit status, -1 where a signal ended it. */
int fake_exit_status(struct fake *f);
/* It has succeeded without a word on standard error. */
void fake_assert_success(struct fake *f);
/* It has failed, and printed nothing but what begins with MESSAGE. */
void fake_assert_failure(struct fake *f, int expected, const char *message);
/* It has succeeded, and printed JSON: a new reference; and JSON that equals EXPECTED, in
   which ' stands for ". */
json_t *fake_parse_output(struct fake *f);
void fake_assert_output_json(struct fake *f, const char *expected);

/* Waits until FD can be read. */
void fake_await(int fd);

/* Receives a request of TYPE, which has SIZE bytes; accepts the connection before. */
union fake_request fake_asked(struct fake *f, uint16_t type, size_t size);
/* Likewise one that is its type alone. Returns its message id. */
uint32_t fake_asked_plainly(struct fake *f, uint16_t type);

/* From now on the program's next connection is the one that is answered. Returns the one before,
   which the caller closes or puts back. */
int fake_next_connection(struct fake *f);

/* Sends MESSAGE as an answer. */
#define FAKE_ANSWER(f, message, type, id)                                                          \
	do {                                                                                       \
		port_header(&(message).h, type, sizeof(message), id);                              \
		assert_int_equal(port_send((f)->port, &(message).h, -1), 0);                       \
	} while (0)

void fake_answer_end(struct fake *f, uint32_t id);
/* Expects CTL_LIST, and answers with the sessions. */
void fake_answer_list(struct fake *f, const struct msg_session *sessions, size_t count);
/* Expects TYPE about SESSION (and TARGET), byte by byte, and answers it. */
void fake_answer_control(
    struct fake *f, uint16_t type, uint32_t session, uint32_t target, int32_t status);
/* Expects CTL_MESSAGE as BOX has it but for its header, and returns the message's id; answers it. */
uint32_t fake_asked_box(struct fake *f, const struct msg_box *box);
void fake_answer_box(
    struct fake *f, uint32_t id, uint32_t session, int32_t status, uint32_t response);
void fake_answer_call(struct fake *f, SMAPIMSG reply, int32_t status);
void fake_answer_account(struct fake *f, const union fake_request *r, int32_t status);

#endif
