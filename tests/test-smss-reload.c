/*
 * The configuration is read again, and termsrv takes another certificate, or does not: who is told
 * what, and when.
 */
#include "smss-play.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static int termsrv;

/* What reading the files gives. */
static struct {
	bool bad, renewed;
	uint32_t limit;
	unsigned times;
} file;

static int read_file(struct smss *smss, struct musess_config *fresh, int *certificate, FILE *report)
{
	file.times++;
	*fresh = *smss->config;
	*certificate = -1;
	fresh->MaxSessionsPerUser = file.limit;
	if (file.bad)
		fprintf(report, "line 4: frob\n");
	else if (file.renewed)
		*certificate = open("/dev/null", O_RDONLY | O_CLOEXEC);
	return file.bad ? -1 : 0;
}

static int begin(void **state)
{
	play_begin(state);
	memset(&file, 0, sizeof(file));
	harness.smss.reload = read_file;
	harness.smss.certificate = -1;
	termsrv = harness_client(CLIENT_TERMSRV, 3);
	harness.smss.services[SERVICE_TERMSRV].ready = true;
	return 0;
}

static int end(void **state)
{
	fd_close(&termsrv);
	fd_close(&harness.smss.certificate);
	return play_end(state);
}

static void ask(int port)
{
	struct msg_plain m = { 0 };

	harness_send(port, &m.h, CTL_RELOAD, sizeof(m), false);
}

/* What PORT was answered; false: nothing. */
static bool answered(int port, struct msg_reloaded *m)
{
	if (harness_receive(port, m, sizeof(*m)) < 0)
		return false;
	assert_int_equal(m->h.type, CTL_RELOADED);
	return true;
}

/* Whether termsrv was asked to take a certificate. */
static bool offered(void)
{
	union {
		PORT_MESSAGE h;
		struct msg_ts_config config;
	} m;
	bool found = false;

	while (harness_receive(termsrv, &m, sizeof(m)) > 0)
		found = found || m.h.type == TS_CERTIFICATE;
	return found;
}

static void tell(int32_t status, const char *text)
{
	struct msg_ts_certificate m = { .status = status };

	memcpy(m.text, text, strlen(text));
	harness_send(termsrv, &m.h, TS_CERTIFICATE, sizeof(m), false);
}

static void without_another_certificate(void **state)
{
	struct msg_reloaded m;

	(void)state;
	file.limit = 3;
	ask(admin);
	assert_true(answered(admin, &m));
	assert_int_equal(m.status, STATUS_SUCCESS);
	assert_int_equal(m.changed, 1);
	assert_false(offered());
	file.bad = true;
	file.limit = 4;
	ask(admin);
	assert_true(answered(admin, &m));
	assert_int_equal(m.status, STATUS_INVALID_PARAMETER);
	assert_string_equal(m.text, "line 4: frob\n");
	assert_int_equal(harness.config.MaxSessionsPerUser, 3);
}

/* Nothing changes before termsrv has it. */
static void taken(void **state)
{
	struct msg_reloaded m;

	(void)state;
	file.renewed = true;
	file.limit = 3;
	ask(admin);
	assert_true(offered());
	assert_false(answered(admin, &m));
	assert_int_equal(harness.config.MaxSessionsPerUser, 0);
	assert_int_equal(harness.smss.certificate, -1);
	tell(STATUS_SUCCESS, "it is old\n");
	assert_true(answered(admin, &m));
	assert_int_equal(m.status, STATUS_SUCCESS);
	assert_string_equal(
	    m.text, "it is old\nclients that come from now on get the new certificate\n");
	assert_int_equal(harness.config.MaxSessionsPerUser, 3);
	assert_true(harness.smss.certificate >= 0);
}

static void refused(void **state)
{
	struct msg_reloaded m;

	(void)state;
	file.renewed = true;
	file.limit = 3;
	ask(admin);
	tell(STATUS_INVALID_PARAMETER, "it is rubbish\n");
	assert_true(answered(admin, &m));
	assert_int_equal(m.status, STATUS_INVALID_PARAMETER);
	assert_string_equal(m.text, "it is rubbish\n");
	assert_int_equal(harness.config.MaxSessionsPerUser, 0);
	assert_int_equal(harness.smss.certificate, -1);
}

/* What termsrv says goes to the log: lines of text, or termsrv ends. */
static void a_forged_line(void **state)
{
	struct msg_reloaded m;

	(void)state;
	file.renewed = true;
	ask(admin);
	tell(STATUS_SUCCESS, "a\x1b[2J");
	assert_true(closed(termsrv));
	assert_true(answered(admin, &m));
	assert_int_equal(m.status, STATUS_PORT_DISCONNECTED);
}

/* The next reload waits for the one whose termsrv is cut off, and must not wait for that one too. */
static void a_forged_line_and_a_signal(void **state)
{
	struct msg_reloaded m;

	(void)state;
	file.renewed = true;
	ask(admin);
	reload_signalled(&harness.smss);
	tell(STATUS_SUCCESS, "a\x1b[2J");
	assert_true(closed(termsrv));
	assert_true(answered(admin, &m));
	ask(admin);
	assert_true(answered(admin, &m));
	assert_int_equal(m.status, STATUS_PORT_DISCONNECTED);
	assert_int_equal(file.times, 3);
}

static void termsrv_is_gone(void **state)
{
	struct msg_reloaded m;

	(void)state;
	file.renewed = true;
	file.limit = 3;
	ask(admin);
	fd_close(&termsrv);
	harness_run();
	assert_true(answered(admin, &m));
	assert_int_equal(m.status, STATUS_PORT_DISCONNECTED);
	assert_int_equal(harness.config.MaxSessionsPerUser, 0);
	harness.smss.services[SERVICE_TERMSRV].ready = false;
	ask(admin); /* and before there is another */
	assert_true(answered(admin, &m));
	assert_int_equal(m.status, STATUS_PORT_DISCONNECTED);
}

static void one_at_a_time(void **state)
{
	int other = harness_client(CLIENT_ADMINISTRATOR, 8);
	struct msg_reloaded m;

	(void)state;
	file.renewed = true;
	ask(admin);
	ask(other);
	assert_true(answered(other, &m));
	assert_int_equal(m.status, STATUS_UNSUCCESSFUL);
	assert_int_equal(file.times, 1);
	/* a signal is not lost */
	reload_signalled(&harness.smss);
	reload_signalled(&harness.smss);
	assert_int_equal(file.times, 1);
	file.renewed = false;
	tell(STATUS_SUCCESS, "");
	assert_true(answered(admin, &m));
	assert_int_equal(m.status, STATUS_SUCCESS);
	assert_int_equal(file.times, 2);
	close(other);
}

/* Who asked has gone; termsrv says what nobody asked for. */
static void nobody_to_tell(void **state)
{
	int other = harness_client(CLIENT_ADMINISTRATOR, 8);

	(void)state;
	file.renewed = true;
	ask(other);
	close(other);
	harness_run();
	tell(STATUS_SUCCESS, "");
	assert_true(harness.smss.certificate >= 0);
	tell(STATUS_SUCCESS, "");
	assert_false(closed(termsrv));
}

int main(void)
{
#define RELOAD_TEST(test) cmocka_unit_test_setup_teardown(test, begin, end)
	const struct CMUnitTest tests[] = {
		RELOAD_TEST(without_another_certificate),
		RELOAD_TEST(taken),
		RELOAD_TEST(refused),
		RELOAD_TEST(a_forged_line),
		RELOAD_TEST(a_forged_line_and_a_signal),
		RELOAD_TEST(termsrv_is_gone),
		RELOAD_TEST(one_at_a_time),
		RELOAD_TEST(nobody_to_tell),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
