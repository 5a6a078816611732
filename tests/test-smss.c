/*
 * Every row of smss's two dispatch tables, and the handshake. What is expected stands here a
 * second time, from the reference (session-manager.md section 2), so that a row that changes
 * without reason fails.
 */
#include "smss-play.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

/* Who sends: an administrator, termsrv, lsass, a subsystem before and after its handshake, a
   subsystem over its SbApiPort. */
static const char senders[] = "ATLUSC";

/* A new sender of a kind; *UP is a session's, which S and C need. */
static int sender(char kind, const struct up *up)
{
	pid_t pid;

	switch (kind) {
	case 'A':
		return harness_client(CLIENT_ADMINISTRATOR, 1);
	case 'T':
		return harness_client(CLIENT_TERMSRV, 1);
	case 'L':
		return harness_client(CLIENT_LSASS, 1);
	case 'U': /* of a session that is being created */
		pid = harness_done(begun(admin), 0);
		return harness_client(CLIENT_SUBSYSTEM, pid);
	default:
		return dup(kind == 'S' ? up->csrss : up->sb);
	}
}

/* ---- the tables ---- */

/* What a call without anything in it is answered. */
static const struct {
	uint32_t number;
	int32_t answers[5]; /* to A, T, L, U, S */
} calls[] = {
	{ 0, { STATUS_INVALID_PARAMETER, STATUS_INVALID_PARAMETER, STATUS_INVALID_PARAMETER,
	         STATUS_INVALID_PARAMETER, STATUS_NO_SUCH_PACKAGE } },
	{ 1, { STATUS_INVALID_PARAMETER, STATUS_INVALID_PARAMETER, STATUS_INVALID_PARAMETER,
	         STATUS_INVALID_PARAMETER, STATUS_OBJECT_NAME_NOT_FOUND } },
	{ 2, { STATUS_INVALID_PARAMETER, STATUS_INVALID_PARAMETER, STATUS_INVALID_PARAMETER,
	         STATUS_INVALID_PARAMETER, STATUS_OBJECT_NAME_NOT_FOUND } },
	{ 3, { STATUS_ACCESS_DENIED, STATUS_ACCESS_DENIED, STATUS_ACCESS_DENIED,
	         STATUS_ACCESS_DENIED, STATUS_INVALID_PARAMETER } },
	{ 4, { STATUS_INVALID_PARAMETER, STATUS_INVALID_PARAMETER, STATUS_ACCESS_DENIED,
	         STATUS_ACCESS_DENIED, STATUS_INVALID_PARAMETER } },
	{ 5, { STATUS_SUCCESS, STATUS_SUCCESS, STATUS_ACCESS_DENIED, STATUS_ACCESS_DENIED,
	         STATUS_ACCESS_DENIED } },
	{ 6, { STATUS_ACCESS_DENIED, STATUS_ACCESS_DENIED, STATUS_ACCESS_DENIED,
	         STATUS_ACCESS_DENIED, STATUS_ACCESS_DENIED } },
	{ 7, { STATUS_NOT_IMPLEMENTED, STATUS_NOT_IMPLEMENTED, STATUS_NOT_IMPLEMENTED,
	         STATUS_NOT_IMPLEMENTED, STATUS_NOT_IMPLEMENTED } },
	{ 0xffffffff, { STATUS_NOT_IMPLEMENTED, STATUS_NOT_IMPLEMENTED, STATUS_NOT_IMPLEMENTED,
	                  STATUS_NOT_IMPLEMENTED, STATUS_NOT_IMPLEMENTED } },
};

static void every_call(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++)
		for (size_t kind = 0; kind < 6; kind++) {
			struct up up = session_up();
			int port = sender(senders[kind], &up);
			SMAPIMSG m = { 0 };
			int32_t status = harness_call(port, &m, calls[i].number, false);
			if (senders[kind] == 'C' ? status != 1 : status != calls[i].answers[kind])
				fail_msg("call %u of %c: %s", calls[i].number, senders[kind],
				    ntstatus_name(status));
			close(port);
			play_end(NULL);
			play_begin(NULL);
			(void)up;
		}
}

/* A descriptor beside a call: 0 and 3 take one, from a subsystem. */
static void descriptors_beside_calls(void **state)
{
	(void)state;
	for (uint32_t number = 0; number < 8; number++)
		for (size_t kind = 0; kind < 6; kind++) {
			bool allowed = (number == 0 || number == 3) &&
			               (senders[kind] == 'U' || senders[kind] == 'S');
			struct up up = session_up();
			int port = sender(senders[kind], &up);
			SMAPIMSG m = { 0 };
			int32_t status = harness_call(port, &m, number, true);
			if (allowed != (status != 1))
				fail_msg("call %u of %c: %d", number, senders[kind], status);
			close(port);
			play_end(NULL);
			play_begin(NULL);
			(void)up;
		}
}

/* All other messages: who may send them, and whether a descriptor may come along. */
static const struct row {
	uint16_t type;
	size_t size;
	const char *from;
	bool descriptor;
} rows[] = {
	{ CSR_CONNECT, sizeof(struct msg_csr_connect), "U", false },
	{ CSR_SHELL, sizeof(struct msg_plain), "S", false },
	{ CSR_DISCONNECTED, sizeof(struct msg_plain), "S", false },
	{ LPC_REPLY, sizeof(SBAPIMSG), "C", false },
	{ TS_READY, sizeof(struct msg_listening), "T", false },
	{ WS_CONNECT, sizeof(struct msg_client), "T", true },
	{ WS_LOGON, sizeof(struct msg_user), "T", false },
	{ WS_PAINTED, sizeof(struct msg_painted), "T", false },
	{ LSA_READY, sizeof(struct msg_plain), "L", false },
	{ LSA_ANSWER, sizeof(struct lsa_answer), "L", false },
	{ ACCT_ENTRY, sizeof(struct lsa_answer), "L", false },
	{ ACCT_ADD, sizeof(struct lsa_request), "A", false },
	{ ACCT_REMOVE, sizeof(struct lsa_request), "A", false },
	{ ACCT_PASSWD, sizeof(struct lsa_request), "A", false },
	{ ACCT_LIST, sizeof(struct msg_plain), "A", false },
	{ CTL_LIST, sizeof(struct msg_plain), "A", false },
	{ CTL_SERVICE, sizeof(struct msg_plain), "A", false },
	{ CTL_VERSION, sizeof(struct msg_plain), "A", false },
	{ CTL_POOL, sizeof(struct msg_pool), "A", false },
	{ CTL_EXEC, sizeof(struct msg_exec), "A", true },
};
enum { ROWS = sizeof(rows) / sizeof(*rows) };

union any {
	PORT_MESSAGE h;
	struct msg_client client;
	struct msg_user user;
	struct msg_csr_connect connect;
	char space[1024];
};

/* The least with which a message of TYPE is not refused for its contents. */
static void fill(union any *m, uint16_t type)
{
	memset(m, 0, sizeof(*m));
	if (type == WS_CONNECT)
		m->client.width = m->client.height = DESKTOP_MIN;
	else if (type == WS_LOGON)
		m->user.user[0] = 'x';
	else if (type == CSR_CONNECT)
		m->connect = (struct msg_csr_connect){ .subsystem_type = SUBSYSTEM_WINDOWS,
			.sb_port = "/x" };
}

/* Sends it as a sender of KIND would. Whether it was cut off. */
static bool cut_off(uint16_t type, size_t size, char kind, bool passed)
{
	struct up up = session_up();
	int port = sender(kind, &up);
	union any m;
	bool result;

	fill(&m, type);
	harness_send(port, &m.h, type, size, passed);
	result = closed(port);
	close(port);
	session_down(&up);
	play_end(NULL);
	play_begin(NULL);
	return result;
}

static void every_message(void **state)
{
	(void)state;
	for (const struct row *r = rows; r < rows + ROWS; r++)
		for (size_t kind = 0; kind < 6; kind++) {
			char who = senders[kind];
			bool allowed = strchr(r->from, who) != NULL;
			/* the end of a session is the end of its port */
			bool ends = r->type == CSR_DISCONNECTED;
			if (!ends && cut_off(r->type, r->size, who, false) == allowed)
				fail_msg("message %x of %c", r->type, who);
			if (allowed && !cut_off(r->type, r->size + 1, who, false))
				fail_msg("message %x with a byte more", r->type);
			if (allowed && !cut_off(r->type, r->size - 1, who, false))
				fail_msg("message %x with a byte less", r->type);
			if (allowed && cut_off(r->type, r->size, who, true) == r->descriptor)
				fail_msg("message %x with a descriptor", r->type);
		}
}

static const struct row *find_row(unsigned type)
{
	for (const struct row *r = rows; r < rows + ROWS; r++)
		if (r->type == type)
			return r;
	return NULL;
}

/* No type has a handler but those of the table, whatever its size. */
static void no_other_message(void **state)
{
	static const enum client_role roles[] = { CLIENT_ADMINISTRATOR, CLIENT_TERMSRV,
		CLIENT_LSASS, CLIENT_SUBSYSTEM, CLIENT_CALLBACK };
	struct up up = session_up();
	struct client *client;
	SMAPIMSG whole = { 0 };
	int passed = -1;

	(void)state;
	for (size_t i = 0; i < sizeof(roles) / sizeof(*roles); i++) {
		int port = harness_client(roles[i], harness_pid());
		client = LIST_FIRST(&harness.smss.clients);
		for (unsigned type = 0; type < 0x10000; type++) {
			static const size_t sizes[] = { sizeof(PORT_MESSAGE), sizeof(SBAPIMSG),
				sizeof(SMAPIMSG) };
			for (int s = 0; !find_row(type) && s < 3; s++) {
				port_header(&whole.h, (uint16_t)type, sizes[s], 1);
				if (type == LPC_REQUEST && sizes[s] == sizeof(whole))
					continue; /* a call */
				if (SmpApiLoop(client, &whole.h, sizes[s], &passed) != -1)
					fail_msg("type %x of %zu bytes is taken", type, sizes[s]);
			}
		}
		close(port);
		harness_run();
	}
	session_down(&up);
}

/* ---- the handshake ---- */

static int32_t shake(uint32_t type, const char *name, size_t length)
{
	struct session *session = begun(admin);
	struct msg_csr_connect m = { .subsystem_type = type };
	int port = harness_client(CLIENT_SUBSYSTEM, harness_done(session, 0));

	memcpy(m.sb_port, name, length);
	harness_send(port, &m.h, CSR_CONNECT, sizeof(m), false);
	assert_int_equal(harness_receive(port, &m, sizeof(m)), sizeof(m));
	assert_true(m.status == STATUS_SUCCESS || session->step == SESSION_ENDING);
	close(port);
	harness_down(session);
	expect_reply(
	    admin, m.status == STATUS_SUCCESS ? STATUS_DELETE_PENDING : STATUS_PORT_DISCONNECTED);
	return m.status;
}

static void handshakes(void **state)
{
	char longest[PORT_NAME_SIZE];

	(void)state;
	memset(longest, 'x', sizeof(longest));
	assert_int_equal(shake(2, "/x", 3), STATUS_SUCCESS);
	assert_int_equal(shake(2, "", 1), STATUS_INVALID_PARAMETER_MIX);
	assert_int_equal(shake(0, "/x", 3), STATUS_INVALID_PARAMETER_MIX);
	assert_int_equal(shake(0, "", 1), STATUS_ACCESS_DENIED);
	assert_int_equal(shake(2, longest, sizeof(longest)), STATUS_INVALID_PARAMETER);
	longest[sizeof(longest) - 1] = 0;
	assert_int_equal(shake(2, longest, sizeof(longest)), STATUS_SUCCESS);
	assert_int_equal(shake(7, "/x", 3), STATUS_ACCESS_DENIED);
	harness.fail_connect = EACCES; /* another process listens there */
	assert_int_equal(shake(2, "/x", 3), STATUS_ACCESS_DENIED);
	harness.fail_connect = EMFILE;
	assert_int_equal(shake(2, "/x", 3), STATUS_NO_MEMORY);
}

static void who_shakes_hands(void **state)
{
	struct up up = session_up();
	struct msg_csr_connect m = { .subsystem_type = 2, .sb_port = "/x" };
	int32_t status;
	int port;

	(void)state;
	/* a process of the session that is no subsystem, and one of nobody's */
	port = harness_shake(up.session->winlogon, 2, &status);
	assert_int_equal(status, STATUS_ACCESS_DENIED);
	assert_true(closed(port));
	close(port);
	port = harness_shake(harness_pid(), 2, &status);
	assert_int_equal(status, STATUS_ACCESS_DENIED);
	close(port);
	assert_int_equal(up.session->step, SESSION_RUNNING);
	/* csrss's process with a second port, then over its own: that breaks the rules */
	port = harness_shake(up.session->windows->pid, 2, &status);
	assert_int_equal(status, STATUS_PORT_CONNECTION_REFUSED);
	close(port);
	assert_int_equal(up.session->step, SESSION_RUNNING);
	harness_send(up.csrss, &m.h, CSR_CONNECT, sizeof(m), false);
	assert_int_equal(up.session->step, SESSION_ENDING);
	session_down(&up);
}

/* ---- the end ---- */

static void ending_sessions(void **state)
{
	struct up up = session_up();

	(void)state;
	session_stop(up.session, END_ADMIN_LOGOFF, STATUS_SUCCESS);
	for (uint32_t number = 0; number < 5; number++) {
		struct client *client = up.session->windows->client;
		SMAPIMSG m = { .ApiNumber = number };
		int passed = -1;
		port_header(&m.h, LPC_REQUEST, sizeof(m), number);
		assert_int_equal(SmpApiLoop(client, &m.h, sizeof(m), &passed), 0);
	}
	struct msg_end end_message;
	assert_int_equal(
	    harness_receive(up.csrss, &end_message, sizeof(end_message)), sizeof(end_message));
	for (uint32_t number = 0; number < 5; number++)
		expect_reply(up.csrss, STATUS_PROCESS_IS_TERMINATING);
	session_down(&up);
}

static void console_ends(void **state)
{
	struct session *console = session_find(&harness.smss, 0);

	(void)state;
	harness_reap(console->winlogon, SIGKILL);
	harness_reap(console->windows->pid, SIGKILL);
	assert_true(harness.smss.stopping);
	assert_int_equal(harness.smss.exit_status, EXIT_WINDOWS_LOGON_PROCESS);
}

static void console_csrss_ends(void **state)
{
	struct session *console = session_find(&harness.smss, 0);

	(void)state;
	harness_reap(console->windows->pid, SIGKILL);
	harness_reap(console->winlogon, SIGKILL);
	assert_int_equal(harness.smss.exit_status, EXIT_WINDOWS_SUBSYSTEM);
}

int main(void)
{
	const struct CMUnitTest tests[] = { T(every_call), T(descriptors_beside_calls),
		T(every_message), T(no_other_message), T(handshakes), T(who_shakes_hands),
		T(ending_sessions), T(console_ends), T(console_csrss_ends) };

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests_name("smss", tests, NULL, NULL);
}
