/*
 * Every row of smss's two dispatch tables, the handshake, and what holds for any client. What is
 * expected stands here a second time, from the reference (session-manager.md section 2), so that a
 * row that changes without reason fails.
 */
#include "smss-play.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* Who sends: an administrator, termsrv, lsass, a subsystem before and after its handshake, a
   subsystem over its SbApiPort, a user's process, metricsd. */
static const char senders[] = "ATLUSCPM";
enum { SENDERS = sizeof(senders) - 1 };

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
	case 'M':
		return harness_client(CLIENT_METRICSD, 1);
	case 'P':
		return harness_client(CLIENT_USER, 1);
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

/* A user's process, and metricsd, may make as few calls as lsass. */
static size_t answer_of(size_t kind)
{
	return senders[kind] == 'P' || senders[kind] == 'M' ? 2 : kind;
}

static void every_call(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++)
		for (size_t kind = 0; kind < SENDERS; kind++) {
			struct up up = session_up();
			int port = sender(senders[kind], &up);
			SMAPIMSG m = { 0 };
			int32_t status = harness_call(port, &m, calls[i].number, false);
			if (senders[kind] == 'C' ? status != 1
			                         : status != calls[i].answers[answer_of(kind)])
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
		for (size_t kind = 0; kind < SENDERS; kind++) {
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
	{ SM_PING, sizeof(struct msg_plain), "SLTM", false },
	{ CSR_CONNECT, sizeof(struct msg_csr_connect), "U", false },
	{ CSR_SHELL, sizeof(struct msg_plain), "S", false },
	{ CSR_LOGOFF, sizeof(struct msg_plain), "S", false },
	{ CSR_DISCONNECTED, sizeof(struct msg_connection), "S", false },
	{ CSR_DISPLAY, sizeof(struct msg_connection), "S", true },
	{ CSR_ADOPT, sizeof(struct msg_csr_adopt), "", false },
	{ CSR_CHOICE, sizeof(struct msg_choice), "S", false },
	{ CSR_INPUT, sizeof(struct msg_plain), "S", false },
	{ CSR_RESPONSE, sizeof(struct msg_response), "S", false },
	{ LPC_REPLY, sizeof(SBAPIMSG), "C", false },
	{ TS_READY, sizeof(struct msg_listening), "T", true },
	{ TS_LSASS, sizeof(struct msg_plain), "T", false },
	{ WS_CONNECT, sizeof(struct msg_client), "T", true },
	{ WS_LOGON, sizeof(struct msg_user), "T", false },
	{ WS_PAINTED, sizeof(struct msg_painted), "T", false },
	{ WS_EVENT, sizeof(struct msg_ws_event), "T", false },
	{ WS_COOKIE, sizeof(struct msg_cookie), "T", false },
	{ TS_FIGURES, sizeof(struct msg_ts_figures), "T", false },
	{ TS_CERTIFICATE, sizeof(struct msg_ts_certificate), "T", false },
	{ MT_READY, sizeof(struct msg_plain), "M", false },
	{ MT_LIST, sizeof(struct msg_plain), "M", false },
	{ LSA_READY, sizeof(struct msg_plain), "L", false },
	{ LSA_ANSWER, sizeof(struct lsa_answer), "L", false },
	{ ACCT_ENTRY, sizeof(struct lsa_answer), "L", false },
	{ ACCT_ADD, sizeof(struct lsa_request), "A", false },
	{ ACCT_REMOVE, sizeof(struct lsa_request), "A", false },
	{ ACCT_PASSWD, sizeof(struct lsa_request), "A", false },
	{ ACCT_LIST, sizeof(struct msg_plain), "A", false },
	{ CTL_LIST, sizeof(struct msg_plain), "AP", false },
	{ CTL_SERVICE, sizeof(struct msg_plain), "A", false },
	{ CTL_VERSION, sizeof(struct msg_plain), "AP", false },
	{ CTL_POOL, sizeof(struct msg_pool), "A", false },
	{ CTL_EXEC, sizeof(struct msg_exec), "A", true },
	{ CTL_DISCONNECT, sizeof(struct msg_control), "AP", false },
	{ CTL_CONNECT, sizeof(struct msg_control), "A", false },
	{ CTL_LOGOFF, sizeof(struct msg_control), "AP", false },
	{ CTL_RESET, sizeof(struct msg_control), "A", false },
	{ CTL_MESSAGE, sizeof(struct msg_box), "A", false },
	{ CTL_DRAIN, sizeof(struct msg_drain), "A", false },
	{ CTL_RELOAD, sizeof(struct msg_plain), "A", false },
	{ CTL_EVENTS, sizeof(struct msg_plain), "A", false },
	{ CTL_STATS, sizeof(struct msg_plain), "AM", false },
};
enum { ROWS = sizeof(rows) / sizeof(*rows) };

union any {
	PORT_MESSAGE h;
	struct msg_client client;
	struct msg_user user;
	struct msg_csr_connect connect;
	char space[2048];
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
		for (size_t kind = 0; kind < SENDERS; kind++) {
			char who = senders[kind];
			bool allowed = strchr(r->from, who) != NULL;
			if (cut_off(r->type, r->size, who, false) == allowed)
				fail_msg("message %x of %c", r->type, who);
			if (allowed && !cut_off(r->type, r->size + 1, who, false))
				fail_msg("message %x with a byte more", r->type);
			if (allowed && !cut_off(r->type, r->size - 1, who, false))
				fail_msg("message %x with a byte less", r->type);
			if (allowed && cut_off(r->type, r->size, who, true) == r->descriptor)
				fail_msg("message %x with a descriptor", r->type);
		}
}

/* A call is a whole SMAPIMSG, whatever it is and whoever makes it. */
static void calls_of_other_sizes(void **state)
{
	(void)state;
	for (size_t kind = 0; kind < SENDERS; kind++) {
		char who = senders[kind];
		assert_true(cut_off(LPC_REQUEST, sizeof(SMAPIMSG) + 1, who, false));
		assert_true(cut_off(LPC_REQUEST, sizeof(SMAPIMSG) - 1, who, false));
		assert_true(cut_off(LPC_REQUEST, sizeof(PORT_MESSAGE), who, false));
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
		CLIENT_LSASS, CLIENT_SUBSYSTEM, CLIENT_CALLBACK, CLIENT_USER, CLIENT_METRICSD };
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

/* What a session that ends still sends changes nothing, and is no offence. */
static void messages_of_ending_sessions(void **state)
{
	struct msg_csr_connect connect = { .subsystem_type = SUBSYSTEM_WINDOWS, .sb_port = "/x" };
	struct up up = session_up();
	struct session *session = begun(admin);
	int port = harness_client(CLIENT_SUBSYSTEM, harness_done(session, 0));
	struct msg_plain m = { 0 };
	struct msg_connection gone = { 0 };
	SBAPIMSG reply = { 0 };

	(void)state;
	session_stop(up.session, END_ADMIN_LOGOFF, STATUS_SUCCESS);
	harness_send(up.csrss, &m.h, CSR_SHELL, sizeof(m), false);
	harness_send(up.csrss, &gone.h, CSR_DISCONNECTED, sizeof(gone), false);
	harness_send(up.sb, &reply.h, LPC_REPLY, sizeof(reply), false);
	assert_false(closed(up.csrss));
	assert_false(closed(up.sb));
	assert_int_equal(up.session->reason, END_ADMIN_LOGOFF);
	session_stop(session, END_ADMIN_LOGOFF, STATUS_SUCCESS);
	harness_send(port, &connect.h, CSR_CONNECT, sizeof(connect), false);
	assert_int_equal(harness_receive(port, &connect, sizeof(connect)), sizeof(connect));
	assert_int_equal(connect.status, STATUS_PROCESS_IS_TERMINATING);
	assert_true(closed(port));
	close(port);
	session_down(&up);
}

/* ---- the listeners ---- */

static int knock(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int port = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	memcpy(address.sun_path, path, strlen(path));
	assert_int_equal(connect(port, (struct sockaddr *)&address, sizeof(address)), 0);
	return port;
}

static unsigned clients(void)
{
	const struct client *client;
	unsigned count = 0;

	LIST_FOREACH(client, &harness.smss.clients, entry)
	count++;
	return count;
}

/* On \SmApiPort only a subsystem's process is let in, once; what it is, the kernel says. */
static void listeners(void **state)
{
	char directory[] = "/tmp/test-smss.XXXXXX", path[64];
	struct session *session = begun(admin);
	unsigned before = clients();
	int ports[4], listener;

	(void)state;
	harness_done(session, 0);
	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/SmApiPort", directory);
	listener = client_listen(path, 0600);
	assert_true(listener >= 0);
	harness.smss.sm_listener = listener;
	ports[0] = knock(path); /* this process is nobody's */
	client_accept(listener, 0, &harness.smss);
	assert_int_equal(clients(), before);
	assert_true(closed(ports[0]));
	assert_int_equal(table_add_process(session, session->windows, getpid()), 0);
	ports[1] = knock(path);
	ports[2] = knock(path);
	client_accept(listener, 0, &harness.smss);
	assert_int_equal(clients(), before + 1);
	assert_true(closed(ports[2]));
	assert_false(closed(ports[1]));
	table_remove_process(&harness.smss, getpid());
	harness.smss.sm_listener = -1; /* an administrator's: this user may */
	ports[3] = knock(path);
	client_accept(listener, 0, &harness.smss);
	assert_int_equal(clients(), before + 2);
	for (size_t i = 0; i < sizeof(ports) / sizeof(*ports); i++)
		close(ports[i]);
	close(listener);
	unlink(path);
	rmdir(directory);
}

/* ---- accounts ---- */

/* What lsass was asked is answered to who asked, under his number. */
static void accounts(void **state)
{
	int lsass = harness_client(CLIENT_LSASS, 9),
	    other = harness_client(CLIENT_ADMINISTRATOR, 2);
	struct lsa_request request = { .user = "lab", .h.message_id = 31 };
	struct lsa_answer answer = { 0 };

	(void)state;
	harness_send(admin, &request.h, ACCT_ADD, sizeof(request), false);
	assert_int_equal(harness_receive(lsass, &request, sizeof(request)), sizeof(request));
	answer.h.message_id = request.h.message_id;
	harness_send(lsass, &answer.h, ACCT_ENTRY, sizeof(answer), false);
	answer.status = STATUS_OBJECT_NAME_COLLISION;
	harness_send(lsass, &answer.h, LSA_ANSWER, sizeof(answer), false);
	harness_send(lsass, &answer.h, LSA_ANSWER, sizeof(answer), false); /* nobody waits */
	assert_int_equal(harness_receive(admin, &answer, sizeof(answer)), sizeof(answer));
	assert_int_equal(answer.h.type, ACCT_ENTRY);
	assert_int_equal(harness_receive(admin, &answer, sizeof(answer)), sizeof(answer));
	assert_int_equal(answer.h.message_id, 31);
	assert_int_equal(answer.status, STATUS_OBJECT_NAME_COLLISION);
	assert_int_equal(harness_receive(admin, &answer, sizeof(answer)), -1);
	/* a pattern, where none is allowed; no text */
	request = (struct lsa_request){ .user = "lab*" };
	harness_send(admin, &request.h, ACCT_ADD, sizeof(request), false);
	assert_int_equal(harness_receive(admin, &answer, sizeof(answer)), sizeof(answer));
	assert_int_equal(answer.status, STATUS_ACCESS_DENIED);
	request = (struct lsa_request){ .user = "\x01" };
	harness_send(admin, &request.h, ACCT_REMOVE, sizeof(request), false);
	assert_int_equal(harness_receive(admin, &answer, sizeof(answer)), sizeof(answer));
	assert_int_equal(answer.status, STATUS_INVALID_PARAMETER);
	/* who asked leaves; lsass ends */
	request = (struct lsa_request){ .user = "lab" };
	harness_send(other, &request.h, ACCT_PASSWD, sizeof(request), false);
	close(other);
	harness_run();
	harness_send(admin, &request.h, ACCT_PASSWD, sizeof(request), false);
	close(lsass);
	harness_run();
	accounts_fail(); /* as when it is reaped */
	assert_int_equal(harness_receive(admin, &answer, sizeof(answer)), sizeof(answer));
	assert_int_equal(answer.status, STATUS_PORT_DISCONNECTED);
	harness_send(admin, &request.h, ACCT_PASSWD, sizeof(request), false);
	assert_int_equal(harness_receive(admin, &answer, sizeof(answer)), sizeof(answer));
	assert_int_equal(answer.status, STATUS_PORT_DISCONNECTED);
}

/* ---- who does not read ---- */

/* What is not read is kept up to a bound; then the client is cut off, and nobody else. */
static void never_reads(void **state)
{
	int deaf = harness_client(CLIENT_ADMINISTRATOR, 2);
	struct msg_plain m;
	SMAPIMSG call = { 0 };
	unsigned before = clients(), sent = 0;

	(void)state;
	port_header(&m.h, CTL_LIST, sizeof(m), 1);
	while (clients() == before && sent < 100000)
		if (port_send(deaf, &m.h, -1) == 0)
			sent++;
		else
			event_base_loop(harness.smss.base, EVLOOP_NONBLOCK);
	assert_int_equal(clients(), before - 1);
	assert_int_equal(harness_call(admin, &call, SmStartCsrApi, false), STATUS_SUCCESS);
	close(deaf);
}

/* LENGTH bytes, and COUNT descriptors beside them. */
static void send_luggage(int port, size_t length, size_t count)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(8 * sizeof(int))];
	} control = { .header = { CMSG_LEN(count * sizeof(int)), SOL_SOCKET, SCM_RIGHTS } };
	char bytes[64] = { 0 };
	struct iovec data = { bytes, length };
	struct msghdr m = { .msg_iov = &data,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = CMSG_SPACE(count * sizeof(int)) };

	for (size_t i = 0; i < count; i++)
		((int *)(void *)CMSG_DATA(&control.header))[i] = STDERR_FILENO;
	assert_int_equal(sendmsg(port, &m, 0), (ssize_t)length);
	harness_run();
}

/* What sessions pass smss does not close: what that takes is theirs to say. Nor a port of theirs,
   unless its end was read, for something may wait in it. */
static void what_sessions_pass(void **state)
{
	struct up up = session_up();
	int user = harness_client(CLIENT_USER, harness_pid()), other;
	struct msg_plain m = { 0 };

	(void)state;
	client_set_session(LIST_FIRST(&harness.smss.clients), up.session);
	harness_send(user, &m.h, CTL_VERSION, sizeof(m), true);
	assert_true(closed(user));
	assert_int_equal(harness.buried, 2); /* and its port */
	close(user);
	for (size_t length = 0; length < 2; length++) {
		harness.buried = 0;
		user = harness_client(CLIENT_USER, harness_pid());
		send_luggage(user, length * sizeof(m), 8);
		assert_true(closed(user));
		assert_int_equal(harness.buried, 9);
		close(user);
	}
	harness.buried = 0;
	user = harness_client(CLIENT_USER, harness_pid());
	close(user);
	harness_run();
	assert_int_equal(harness.buried, 0);
	/* an administrator is not a session's */
	other = harness_client(CLIENT_ADMINISTRATOR, 1);
	send_luggage(other, sizeof(m), 8);
	assert_true(closed(other));
	assert_int_equal(harness.buried, 0);
	close(other);
	session_down(&up);
}

/* How many of the messages at PORT smss has read. */
static unsigned answers(int port)
{
	struct msg_version m;
	unsigned count = 0;

	while (harness_receive(port, &m, sizeof(m)) == sizeof(m))
		count++;
	return count;
}

/* A user's message beyond so many in a while waits, and is read then. */
static void users_are_read_slowly(void **state)
{
	struct up up = session_up();
	int user = harness_client(CLIENT_USER, harness_pid());
	struct msg_plain m;

	(void)state;
	client_set_session(LIST_FIRST(&harness.smss.clients), up.session);
	port_header(&m.h, CTL_VERSION, sizeof(m), 1);
	for (int i = 0; i < 50; i++)
		assert_int_equal(port_send(user, &m.h, -1), 0);
	for (int i = 0; i < 10; i++)
		harness_run();
	assert_int_equal(answers(user), 20);
	harness_pass(100);
	assert_int_equal(answers(user), 20);
	harness_pass(100);
	assert_int_equal(answers(user), 10);
	/* one that waits may go, and its session may */
	for (int i = 0; i < 50; i++)
		assert_int_equal(port_send(user, &m.h, -1), 0);
	for (int i = 0; i < 10; i++)
		harness_run();
	session_down(&up);
	close(user);
	harness_pass(1000);
}

/* A process that was not let run cannot have knocked: who did had its number before. */
static void earlier_process_of_its_number(void **state)
{
	char directory[] = "/tmp/test-smss.XXXXXX", path[64];
	struct session *session = begun(admin);
	unsigned before = clients();
	int port;

	(void)state;
	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/SmApiPort", directory);
	harness.smss.sm_listener = client_listen(path, 0666);
	assert_int_equal(table_add_process(session, session->windows, getpid()), 0);
	port = knock(path);
	harness_done(session, 0); /* it has another number here: this process is the earlier one */
	assert_true(closed(port));
	assert_int_equal(clients(), before);
	table_remove_process(&harness.smss, getpid());
	close(port);
	close(harness.smss.sm_listener);
	harness.smss.sm_listener = -1;
	unlink(path);
	rmdir(directory);
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
		T(every_message), T(calls_of_other_sizes), T(no_other_message), T(handshakes),
		T(who_shakes_hands), T(ending_sessions), T(messages_of_ending_sessions),
		T(listeners), T(accounts), T(never_reads), T(what_sessions_pass),
		T(users_are_read_slowly), T(earlier_process_of_its_number), T(console_ends),
		T(console_csrss_ends) };

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests_name("smss", tests, NULL, NULL);
}
