/*
 * The SM API of a running service, spoken raw over MUSESS_SM_PORT: ids, statuses, and
 * callers that break the rules. The service has no session but the console's at the start,
 * and has none at the end; sm-api.sh starts it and looks at the processes.
 *
 * Each test has a connection of its own, with a time limit for answers; a second one is
 * the bystander that must not notice anything.
 */
#include "clock.h"
#include "messages.h"
#include "ntstatus.h"

#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <uchar.h>
#include <unistd.h>

#include <cmocka.h>

enum { PATIENCE = 30, ROWS = 64 };

static const char *port_path;
static int bystander;
static pid_t smss;

/* ---- talking to smss ---- */

static int sm_connect(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct timeval limit = { .tv_sec = PATIENCE };
	int port = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	assert_true(strlen(port_path) < sizeof(address.sun_path));
	memcpy(address.sun_path, port_path, strlen(port_path));
	assert_true(port >= 0);
	assert_return_code(setsockopt(port, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)), errno);
	assert_return_code(setsockopt(port, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)), errno);
	assert_return_code(connect(port, (struct sockaddr *)&address, sizeof(address)), errno);
	return port;
}

static void sm_send(int port, SMAPIMSG *m, uint32_t api)
{
	static uint32_t number = 1000;

	m->ApiNumber = api;
	port_header(&m->h, LPC_REQUEST, sizeof(*m), ++number);
	assert_return_code(port_send(port, &m->h, -1), errno);
}

static int32_t sm_receive(int port, SMAPIMSG *m)
{
	uint32_t number = m->h.message_id, api = m->ApiNumber;

	assert_int_equal(port_receive(port, m, sizeof(*m), NULL), sizeof(*m));
	assert_int_equal(m->h.type, LPC_REPLY);
	assert_int_equal(m->h.message_id, number);
	assert_int_equal(m->ApiNumber, api);
	return m->ReturnedStatus;
}

static int32_t sm_call(int port, SMAPIMSG *m, uint32_t api)
{
	sm_send(port, m, api);
	return sm_receive(port, m);
}

/* Starts a session with COMMAND; all of *M is the reply. */
static uint32_t start(int port, const char16_t *command, SMAPIMSG *m)
{
	*m = (SMAPIMSG){ .u.StartCsr.MuSessionId = SM_NO_MUSESSION };
	while (command && command[m->u.StartCsr.InitialCommandLength / 2]) {
		uint32_t n = m->u.StartCsr.InitialCommandLength / 2;
		m->u.StartCsr.InitialCommand[n] = command[n];
		m->u.StartCsr.InitialCommandLength += 2;
	}
	assert_int_equal(sm_call(port, m, SmStartCsrApi), STATUS_SUCCESS);
	return m->u.StartCsr.MuSessionId;
}

static int32_t stop(int port, uint32_t id)
{
	SMAPIMSG m = { .u.StopCsr.MuSessionId = id };

	return sm_call(port, &m, SmStopCsrApi);
}

static void ask(int port, uint16_t type)
{
	struct msg_plain m;

	port_header(&m.h, type, sizeof(m), 7);
	assert_return_code(port_send(port, &m.h, -1), errno);
}

/* The sessions, without the listener; returns how many. */
static size_t list(int port, struct msg_session rows[ROWS])
{
	struct msg_session row;
	size_t count = 0;

	ask(port, CTL_LIST);
	for (;;) {
		ssize_t got = port_receive(port, &row, sizeof(row), NULL);
		assert_true(got > 0);
		assert_int_equal(row.h.message_id, 7);
		if (row.h.type == CTL_END)
			return count;
		assert_int_equal(row.h.type, CTL_SESSION);
		assert_int_equal(got, sizeof(row));
		assert_true(count < ROWS);
		if (row.session != LISTENER_ID)
			rows[count++] = row;
	}
}

static size_t session_count(void)
{
	struct msg_session rows[ROWS];

	return list(bystander, rows);
}

/* smss answers somebody else, and soon. */
static void others_are_served(void)
{
	struct msg_version m;
	uint64_t begin = clock_us();

	ask(bystander, CTL_VERSION);
	assert_int_equal(port_receive(bystander, &m, sizeof(m), NULL), sizeof(m));
	assert_int_equal(m.h.type, CTL_VERSION);
	assert_true(clock_us() - begin < 1000000);
}

/* True once smss has closed PORT: unread answers come first. */
static bool is_cut_off(int port)
{
	char answer[PORT_MAX_MESSAGE];
	ssize_t got;

	do
		got = recv(port, answer, sizeof(answer), 0);
	while (got > 0);
	return got == 0 || errno == ECONNRESET || errno == EPIPE;
}

static size_t descriptors_of_smss(void)
{
	char path[64];
	size_t count = 0;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%d/fd", smss);
	d = opendir(path);
	assert_non_null(d);
	while (readdir(d))
		count++;
	closedir(d);
	return count;
}

/* smss closes ports in a turn of its own: COUNT is waited for. */
static void expect_descriptors(size_t count)
{
	uint64_t limit = clock_us() + PATIENCE * 1000000ull;

	while (descriptors_of_smss() != count && clock_us() < limit)
		usleep(1000);
	assert_int_equal(descriptors_of_smss(), count);
}

static int connect_both(void **state)
{
	static int port;

	bystander = sm_connect();
	port = sm_connect();
	others_are_served();
	*state = &port;
	return 0;
}

/* What a failed test left does not fail the next. */
static int close_both(void **state)
{
	struct msg_session rows[ROWS];

	close(*(int *)*state);
	for (size_t i = list(bystander, rows); i-- > 1;)
		stop(bystander, rows[i].session);
	close(bystander);
	return 0;
}

/* ---- ids ---- */

static void lowest_free_id(void **state)
{
	int port = *(int *)*state;
	SMAPIMSG first, second, third, again;

	assert_int_equal(start(port, NULL, &first), 1);
	assert_int_equal(start(port, u"sleep 1000", &second), 2);
	assert_int_equal(start(port, NULL, &third), 3);
	assert_int_equal(session_count(), 4);
	assert_int_equal(stop(port, 2), STATUS_SUCCESS);
	assert_int_equal(session_count(), 3);
	assert_int_equal(kill((pid_t)second.u.StartCsr.WindowsSubSysProcessId, 0), -1);
	assert_int_equal(start(port, NULL, &again), 2);
	assert_int_equal(stop(port, 1), STATUS_SUCCESS);
	assert_int_equal(stop(port, 3), STATUS_SUCCESS);
	assert_int_equal(start(port, NULL, &again), 1);
	assert_int_equal(stop(port, 1), STATUS_SUCCESS);
	assert_int_equal(stop(port, 2), STATUS_SUCCESS);
	assert_int_equal(stop(port, 2), STATUS_OBJECT_NAME_NOT_FOUND);
	assert_int_equal(session_count(), 1);
}

static void console(void **state)
{
	int port = *(int *)*state;
	struct msg_session rows[ROWS];
	SMAPIMSG m = { .u.StartCsr.MuSessionId = 0 };

	assert_int_equal(sm_call(port, &m, SmStartCsrApi), STATUS_SUCCESS);
	assert_int_equal(list(port, rows), 1);
	assert_int_equal(rows[0].session, 0);
	assert_true(rows[0].csrss != 0 && rows[0].winlogon != 0);
	assert_int_equal(m.u.StartCsr.WindowsSubSysProcessId, rows[0].csrss);
	assert_int_equal(m.u.StartCsr.InitialCommandProcessId, rows[0].winlogon);
	assert_int_equal(m.u.StartCsr.MuSessionId, 0);
}

/* ---- statuses ---- */

static const struct {
	const char *what;
	uint32_t api, session, length;
	char16_t command[3]; /* x follow */
	int32_t status;
} refused[] = {
	{ "call 7", 7, 0, 0, u"", STATUS_NOT_IMPLEMENTED },
	{ "call 8", 8, 0, 0, u"", STATUS_NOT_IMPLEMENTED },
	{ "call -1", ~0u, 0, 0, u"", STATUS_NOT_IMPLEMENTED },
	{ "CreateForeignSession of no subsystem", 0, 0, 0, u"", STATUS_INVALID_PARAMETER },
	{ "SessionComplete of no subsystem", 1, 0, 0, u"", STATUS_INVALID_PARAMETER },
	{ "TerminateForeignSession of no subsystem", 2, 0, 0, u"", STATUS_INVALID_PARAMETER },
	{ "ExecPgm of no subsystem", 3, 0, 0, u"", STATUS_ACCESS_DENIED },
	{ "LoadDefered of no name", 4, 0, 0, u"", STATUS_INVALID_PARAMETER },
	{ "LoadDefered of 66 bytes", 4, 66, 0, u"", STATUS_INVALID_PARAMETER },
	{ "LoadDefered of 5 bytes", 4, 5, 0, u"", STATUS_INVALID_PARAMETER },
	{ "LoadDefered of who is in no session", 4, 4, 'P' | 'o' << 16, u"",
	    STATUS_OBJECT_NAME_NOT_FOUND },
	{ "StopCsr of no session", 6, 2, 0, u"", STATUS_OBJECT_NAME_NOT_FOUND },
	{ "StopCsr of an id too high", 6, 70000, 0, u"", STATUS_OBJECT_NAME_NOT_FOUND },
	{ "StopCsr of -1", 6, ~0u, 0, u"", STATUS_OBJECT_NAME_NOT_FOUND },
	{ "StopCsr of the console", 6, 0, 0, u"", STATUS_ACCESS_DENIED },
	{ "StartCsr of a session", 5, 1, 0, u"", STATUS_ALREADY_COMMITTED },
	{ "StartCsr of a free id", 5, 2, 0, u"", STATUS_INVALID_PARAMETER },
	{ "StartCsr of an id too high", 5, ~0u - 1, 0, u"", STATUS_INVALID_PARAMETER },
	{ "257 bytes", 5, ~0u, 257, { 'a', 'b', 'c' }, STATUS_INVALID_PARAMETER },
	{ "258 bytes", 5, ~0u, 258, { 'a', 'b', 'c' }, STATUS_INVALID_PARAMETER },
	{ "-1 bytes", 5, ~0u, ~0u, { 'a', 'b', 'c' }, STATUS_INVALID_PARAMETER },
	{ "-2 bytes", 5, ~0u, ~1u, { 'a', 'b', 'c' }, STATUS_INVALID_PARAMETER },
	{ "258 bytes for the console", 5, 0, 258, { 'a', 'b', 'c' }, STATUS_INVALID_PARAMETER },
	{ "1 byte", 5, ~0u, 1, { 'a', 'b', 'c' }, STATUS_INVALID_PARAMETER },
	{ "5 bytes", 5, ~0u, 5, { 'a', 'b', 'c' }, STATUS_INVALID_PARAMETER },
	{ "a high surrogate at the end", 5, ~0u, 4, { 'a', 0xd83d }, STATUS_INVALID_PARAMETER },
	{ "a high surrogate alone", 5, ~0u, 6, { 0xd83d, 'a', 'b' }, STATUS_INVALID_PARAMETER },
	{ "two high surrogates", 5, ~0u, 4, { 0xd83d, 0xd83d }, STATUS_INVALID_PARAMETER },
	{ "a low surrogate alone", 5, ~0u, 4, { 0xde00, 'a' }, STATUS_INVALID_PARAMETER },
	{ "a null character", 5, ~0u, 6, { 'a', 0, 'b' }, STATUS_INVALID_PARAMETER },
};

static void statuses(void **state)
{
	int port = *(int *)*state;
	SMAPIMSG m;

	assert_int_equal(start(port, NULL, &m), 1);
	for (size_t i = 0; i < sizeof(refused) / sizeof(*refused); i++) {
		m = (SMAPIMSG){ .u.StartCsr.MuSessionId = refused[i].session };
		m.u.StartCsr.InitialCommandLength = refused[i].length;
		for (int c = 0; c < SM_COMMAND_CHARS; c++)
			m.u.StartCsr.InitialCommand[c] = c < 3 ? refused[i].command[c] : u'x';
		m.u.StartCsr.InitialCommandProcessId = 'x' << 16 | 'x'; /* behind it */
		if (sm_call(port, &m, refused[i].api) != refused[i].status)
			fail_msg("%s: %s", refused[i].what, ntstatus_name(m.ReturnedStatus));
	}
	assert_int_equal(session_count(), 2);
	assert_int_equal(stop(port, 1), STATUS_SUCCESS);
}

static void expect_command(const SMAPIMSG *m, const char *command)
{
	char path[64], line[1024] = "";
	const char *argument = line;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%u/cmdline", m->u.StartCsr.InitialCommandProcessId);
	/* it runs before the kernel shows its arguments */
	for (uint64_t end = clock_us() + PATIENCE * 1000000ull; !line[0] && clock_us() < end;) {
		f = fopen(path, "re");
		assert_non_null(f);
		(void)!fread(line, 1, sizeof(line) - 1, f);
		fclose(f);
	}
	assert_string_equal(argument, "winlogon"); /* ID PROGRAM COMMAND follow */
	for (int i = 0; i < 3; i++)
		argument += strlen(argument) + 1;
	assert_string_equal(argument, command);
}

static void commands(void **state)
{
	char16_t longest[SM_COMMAND_CHARS + 1] = u"sleep 1000 #";
	char text[SM_COMMAND_CHARS + 1] = "sleep 1000 #";
	int port = *(int *)*state;
	SMAPIMSG m;

	for (int i = 12; i < SM_COMMAND_CHARS; i++) {
		longest[i] = u'x';
		text[i] = 'x';
	}
	assert_int_equal(start(port, longest, &m), 1);
	assert_int_equal(m.u.StartCsr.InitialCommandLength, 256);
	expect_command(&m, text);
	assert_int_equal(start(port, u"sleep 1000 # \u00e9\u20ac\uffee\U0001f600 \u07ff", &m), 2);
	expect_command(&m, "sleep 1000 # \u00e9\u20ac\uffee\U0001f600 \u07ff");
	assert_int_equal(stop(port, 1), STATUS_SUCCESS);
	assert_int_equal(stop(port, 2), STATUS_SUCCESS);
}

/* A csrss that does not leave when it is told to keeps the first StopCsr waiting. */
static void stop_twice(void **state)
{
	int port = *(int *)*state;
	SMAPIMSG m, first = { .u.StopCsr.MuSessionId = 1 }, abandoned = first;

	assert_int_equal(start(port, NULL, &m), 1);
	assert_return_code(kill((pid_t)m.u.StartCsr.WindowsSubSysProcessId, SIGSTOP), errno);
	sm_send(port, &first, SmStopCsrApi);
	others_are_served();
	assert_int_equal(stop(bystander, 1), STATUS_DELETE_PENDING);
	assert_int_equal(sm_receive(port, &first), STATUS_SUCCESS);
	assert_int_equal(session_count(), 1);

	/* whoever waits for it may leave; the next may wait then */
	assert_int_equal(start(bystander, NULL, &m), 1);
	assert_return_code(kill((pid_t)m.u.StartCsr.WindowsSubSysProcessId, SIGSTOP), errno);
	sm_send(port, &abandoned, SmStopCsrApi);
	others_are_served();
	close(port);
	*(int *)*state = sm_connect();
	others_are_served();
	assert_int_equal(stop(bystander, 1), STATUS_SUCCESS);
	assert_int_equal(session_count(), 1);
}

/* ---- callers that break the rules ---- */

/* A session that was asked for is started, whoever is there to hear of it. */
static void leaves_at_once(void **state)
{
	enum { MANY = 16 };
	struct msg_session rows[ROWS];
	size_t before, running = 0;

	(void)state;
	before = descriptors_of_smss();
	for (int i = 0; i < MANY; i++) {
		SMAPIMSG m = { .u.StartCsr.MuSessionId = SM_NO_MUSESSION };
		int port = sm_connect();
		sm_send(port, &m, SmStartCsrApi);
		close(port);
	}
	for (uint64_t end = clock_us() + PATIENCE * 1000000ull; running < MANY; usleep(1000)) {
		size_t count = list(bystander, rows);
		assert_true(clock_us() < end);
		running = 0;
		for (size_t i = 1; i < count; i++)
			running += rows[i].state == WTS_IDLE;
	}
	for (size_t i = 1; i <= MANY; i++) {
		assert_int_equal(rows[i].session, i);
		assert_int_equal(stop(bystander, rows[i].session), STATUS_SUCCESS);
	}
	assert_int_equal(session_count(), 1);
	expect_descriptors(before);
}

static const struct {
	const char *what;
	size_t size;          /* of the packet */
	uint16_t data, total; /* lengths that its header says */
	uint16_t type;
	int descriptors;
} broken[] = {
	{ "an empty packet", 0, 0, 0, 0, 0 },
	{ "one byte", 1, 0, 0, 0, 0 },
	{ "half a header", 12, 0, 12, LPC_REQUEST, 0 },
	{ "a total length too large", 304, 280, 305, LPC_REQUEST, 0 },
	{ "a total length too small", 304, 280, 24, LPC_REQUEST, 0 },
	{ "a data length too large", 304, 281, 304, LPC_REQUEST, 0 },
	{ "a data length of 65535", 304, 65535, 304, LPC_REQUEST, 0 },
	{ "a call without its last byte", 303, 279, 303, LPC_REQUEST, 0 },
	{ "a call with a byte more", 305, 281, 305, LPC_REQUEST, 0 },
	{ "a call that is a header", 24, 0, 24, LPC_REQUEST, 0 },
	{ "a packet larger than any message", 20000, 19976, 20000, LPC_REQUEST, 0 },
	{ "a call with a descriptor", 304, 280, 304, LPC_REQUEST, 1 },
	{ "a call with two descriptors", 304, 280, 304, LPC_REQUEST, 2 },
	{ "a call with twenty descriptors", 304, 280, 304, LPC_REQUEST, 20 },
	{ "a list with a descriptor", 24, 0, 24, CTL_LIST, 1 },
	{ "a list with a byte more", 25, 1, 25, CTL_LIST, 0 },
	{ "a reply", 304, 280, 304, LPC_REPLY, 0 },
	{ "type 0", 24, 0, 24, 0, 0 },
	{ "an unknown type", 24, 0, 24, 0x7777, 0 },
	{ "a session's row", sizeof(struct msg_session), sizeof(struct msg_session) - 24,
	    sizeof(struct msg_session), CTL_SESSION, 0 },
	{ "csrss's handshake", sizeof(struct msg_csr_connect), sizeof(struct msg_csr_connect) - 24,
	    sizeof(struct msg_csr_connect), CSR_CONNECT, 0 },
	{ "csrss's disconnect", sizeof(struct msg_connection), sizeof(struct msg_connection) - 24,
	    sizeof(struct msg_connection), CSR_DISCONNECTED, 0 },
	{ "termsrv's readiness", sizeof(struct msg_listening), sizeof(struct msg_listening) - 24,
	    sizeof(struct msg_listening), TS_READY, 0 },
	{ "termsrv's client", sizeof(struct msg_client), sizeof(struct msg_client) - 24,
	    sizeof(struct msg_client), WS_CONNECT, 1 },
	{ "lsass's answer", sizeof(struct lsa_answer), sizeof(struct lsa_answer) - 24,
	    sizeof(struct lsa_answer), LSA_ANSWER, 0 },
	{ "a question for lsass alone", sizeof(struct lsa_request), sizeof(struct lsa_request) - 24,
	    sizeof(struct lsa_request), LSA_NTLM, 0 },
	{ "an account without its last byte", sizeof(struct lsa_request) - 1,
	    sizeof(struct lsa_request) - 25, sizeof(struct lsa_request) - 1, ACCT_ADD, 0 },
};

/* Sends SIZE bytes at DATA with COUNT copies of descriptor 0 beside them. */
static void send_raw(int port, const void *data, size_t size, int count)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(20 * sizeof(int))];
	} control = { 0 };
	struct iovec v = { .iov_base = (void *)(uintptr_t)data, .iov_len = size };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1 };

	if (count > 0) { /* all of them are descriptor 0 */
		m.msg_control = &control;
		m.msg_controllen = CMSG_SPACE((size_t)count * sizeof(int));
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN((size_t)count * sizeof(int));
	}
	assert_int_equal(sendmsg(port, &m, MSG_NOSIGNAL), size);
}

static void broken_messages(void **state)
{
	size_t before = descriptors_of_smss();
	SMAPIMSG session;

	(void)state;
	assert_int_equal(start(bystander, u"sleep 1000", &session), 1);
	for (size_t i = 0; i < sizeof(broken) / sizeof(*broken); i++) {
		union {
			PORT_MESSAGE h;
			char space[20000];
		} m = { .h = { .data_length = broken[i].data,
			    .total_length = broken[i].total,
			    .type = broken[i].type } };
		int port = sm_connect();
		send_raw(port, &m, broken[i].size, broken[i].descriptors);
		if (!is_cut_off(port))
			fail_msg("%s: not cut off", broken[i].what);
		close(port);
		others_are_served();
	}
	assert_return_code(kill((pid_t)session.u.StartCsr.InitialCommandProcessId, 0), errno);
	assert_int_equal(session_count(), 2);
	assert_int_equal(stop(bystander, 1), STATUS_SUCCESS);
	expect_descriptors(before);
}

/* What is not read is kept up to a bound. */
static void never_reads(void **state)
{
	int port = *(int *)*state, sent = 0;
	struct msg_plain m;

	port_header(&m.h, CTL_LIST, sizeof(m), 1);
	while (sent < 100000 && port_send(port, &m.h, -1) == 0)
		if (++sent % 1000 == 0)
			others_are_served();
	assert_true(sent >= 1000);
	assert_true(sent < 100000);
	assert_true(is_cut_off(port));
	others_are_served();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(lowest_free_id, connect_both, close_both),
		cmocka_unit_test_setup_teardown(console, connect_both, close_both),
		cmocka_unit_test_setup_teardown(statuses, connect_both, close_both),
		cmocka_unit_test_setup_teardown(commands, connect_both, close_both),
		cmocka_unit_test_setup_teardown(stop_twice, connect_both, close_both),
		cmocka_unit_test_setup_teardown(leaves_at_once, connect_both, close_both),
		cmocka_unit_test_setup_teardown(broken_messages, connect_both, close_both),
		cmocka_unit_test_setup_teardown(never_reads, connect_both, close_both),
	};
	const char *pid = getenv("MUSESS_PID");

	port_path = getenv("MUSESS_SM_PORT");
	if (!port_path || !pid) {
		fputs("MUSESS_SM_PORT and MUSESS_PID name a running service\n", stderr);
		return 2;
	}
	smss = (pid_t)strtol(pid, NULL, 10);
	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests_name("sm-api", tests, NULL, NULL);
}
