/*
 * Every row of smss's two dispatch tables, every status of session-manager.md section 2, and
 * the state behind them. What is expected stands here a second time, from the reference, so
 * that a row that changes without reason fails.
 */
#include "smss-harness.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* Who sends: an administrator, termsrv, lsass, a subsystem before and after its handshake, a
   subsystem over its SbApiPort. */
static const char senders[] = "ATLUSC";

static int admin;

/* A session that runs, and its csrss. */
struct up {
	struct session *session;
	int csrss, sb;
};

static int begin(void **state)
{
	(void)state;
	harness_begin(NULL);
	harness_console();
	admin = harness_client(CLIENT_ADMINISTRATOR, 1);
	return 0;
}

static int end(void **state)
{
	(void)state;
	close(admin);
	harness_end();
	return 0;
}

/* The same with a changed configuration. */
static void begin_again(const struct musess_config *config)
{
	struct musess_config copy = *config;

	end(NULL);
	harness_begin(&copy);
	harness_console();
	admin = harness_client(CLIENT_ADMINISTRATOR, 1);
}

/* Asks for a session, which is begun then. */
static struct session *begun(int port)
{
	SMAPIMSG m = { .u.StartCsr.MuSessionId = SM_NO_MUSESSION };
	uint32_t generation = harness.smss.last_generation;

	assert_int_equal(harness_call(port, &m, SmStartCsrApi, false), STATUS_PENDING);
	for (uint32_t slot = 0; slot < harness.smss.capacity; slot++)
		if (harness.smss.slots[slot] &&
		    harness.smss.slots[slot]->generation == generation + 1)
			return harness.smss.slots[slot];
	return NULL;
}

static void expect_reply(int port, int32_t status)
{
	SMAPIMSG m;

	assert_int_equal(harness_receive(port, &m, sizeof(m)), sizeof(m));
	if (m.ReturnedStatus != status)
		fail_msg("%s, not %s", ntstatus_name(m.ReturnedStatus), ntstatus_name(status));
}

static struct up session_up(void)
{
	struct up up = { .session = begun(admin) };

	assert_non_null(up.session);
	harness_up(up.session, &up.csrss, &up.sb);
	expect_reply(admin, STATUS_SUCCESS);
	assert_int_equal(up.session->step, SESSION_RUNNING);
	return up;
}

static void session_down(struct up *up)
{
	harness_down(up->session);
	close(up->csrss);
	close(up->sb);
}

static bool closed(int port)
{
	char buffer[PORT_MAX_MESSAGE];
	ssize_t got;

	while ((got = harness_receive(port, buffer, sizeof(buffer))) > 0)
		;
	return got == 0;
}

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
			end(NULL);
			begin(NULL);
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
			end(NULL);
			begin(NULL);
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
	end(NULL);
	begin(NULL);
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

/* ---- StartCsr, StopCsr ---- */

static void creation_fails(void **state)
{
	static const struct {
		int error;
		int32_t status;
	} cases[] = { { ENOMEM, STATUS_NO_MEMORY }, { EAGAIN, STATUS_NO_MEMORY },
		{ EMFILE, STATUS_NO_MEMORY }, { ENOSPC, STATUS_NO_MEMORY },
		{ EPERM, STATUS_ACCESS_DENIED }, { ENOENT, STATUS_OBJECT_NAME_NOT_FOUND },
		{ ENOEXEC, STATUS_INVALID_IMAGE_FORMAT }, { EIO, STATUS_UNSUCCESSFUL } };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct session *session = begun(admin);
		session->space->starts[0].executing = true;
		harness_done(session, cases[i].error);
		harness_down(session);
		expect_reply(admin, cases[i].status);
		/* the program of csrss itself could not be executed */
		session = begun(admin);
		pid_t pid = harness_done(session, 0);
		session->space->starts[0].executing = true;
		session->space->starts[0].error = cases[i].error;
		session->space->starts[0].what[0] = 'x';
		harness_reap(pid, 1 << 8);
		harness_down(session);
		expect_reply(admin, cases[i].status);
	}
	harness.fail_create = ENOMEM;
	SMAPIMSG m = { .u.StartCsr.MuSessionId = SM_NO_MUSESSION };
	assert_int_equal(harness_call(admin, &m, SmStartCsrApi, false), STATUS_NO_MEMORY);
	harness_run();
	assert_int_equal(harness.smss.session_count, 1);
	assert_int_equal(harness.smss.in_flight, 0);
}

static int32_t stop(int port, uint32_t id, uint32_t generation)
{
	SMAPIMSG m = { .u.StopCsr.MuSessionId = id };

	m.h.client_view_size = generation;
	return harness_call(port, &m, SmStopCsrApi, false);
}

static void stops(void **state)
{
	struct up up = session_up();
	int other = harness_client(CLIENT_ADMINISTRATOR, 2);

	(void)state;
	assert_int_equal(stop(admin, 9, 0), STATUS_OBJECT_NAME_NOT_FOUND);
	assert_int_equal(stop(admin, 0, 0), STATUS_ACCESS_DENIED);
	assert_int_equal(stop(admin, 1, up.session->generation + 1), STATUS_OBJECT_NAME_NOT_FOUND);
	assert_int_equal(stop(admin, 1, up.session->generation), STATUS_PENDING);
	assert_int_equal(stop(other, 1, 0), STATUS_DELETE_PENDING);
	session_down(&up);
	expect_reply(admin, STATUS_SUCCESS);
	close(other);
}

/* The id is free when the last process has been reaped, not before. */
static void ids(void **state)
{
	struct up first = session_up(), second = session_up(), third;
	struct session *session = first.session;
	pid_t csrss = session->windows->pid, winlogon = session->winlogon;

	(void)state;
	assert_int_equal(first.session->id, 1);
	assert_int_equal(second.session->id, 2);
	session_stop(session, END_ADMIN_LOGOFF, STATUS_SUCCESS);
	harness_reap(csrss, SIGKILL);
	assert_ptr_equal(session_find(&harness.smss, 1), session);
	third = session_up();
	assert_int_equal(third.session->id, 3);
	session_down(&third);
	harness_reap(winlogon, SIGKILL);
	assert_null(session_find(&harness.smss, 1));
	third = session_up();
	assert_int_equal(third.session->id, 1);
	close(first.csrss);
	close(first.sb);
	session_down(&second);
	session_down(&third);
}

static void increasing_ids(void **state)
{
	struct musess_config config = harness.config;
	struct up up;

	(void)state;
	config.SessionIdPolicy = SESSION_ID_INCREASING;
	begin_again(&config);
	for (uint32_t id = 1; id < 4; id++) {
		up = session_up();
		assert_int_equal(up.session->id, id);
		session_down(&up);
	}
	harness.smss.last_id = LISTENER_ID - 2;
	up = session_up();
	assert_int_equal(up.session->id, LISTENER_ID - 1);
	session_down(&up);
	up = session_up(); /* below the listener's */
	assert_int_equal(up.session->id, 1);
	session_down(&up);
}

/* A message for a session that had this id before reaches nobody. */
static void generations(void **state)
{
	int termsrv = harness_client(CLIENT_TERMSRV, 3), csrss, sb;
	struct session *session = begun(termsrv);
	struct msg_client m = { .session = 1, .width = 800, .height = 600 };
	SMAPIMSG reply;

	(void)state;
	harness_up(session, &csrss, &sb);
	assert_int_equal(harness_receive(termsrv, &reply, sizeof(reply)), sizeof(reply));
	assert_int_equal(reply.h.client_view_size, session->generation);
	m.generation = session->generation - 1;
	harness_send(termsrv, &m.h, WS_CONNECT, sizeof(m), true);
	assert_true(session->awaits_client);
	m.generation = session->generation;
	harness_send(termsrv, &m.h, WS_CONNECT, sizeof(m), true);
	assert_false(session->awaits_client);
	harness_down(session);
	close(csrss);
	close(sb);
	close(termsrv);
}

/* ---- turns ---- */

static void turns(enum session_creation creation, unsigned most)
{
	struct musess_config config = harness.config;
	struct session *sessions[64];
	int csrss, sb;

	config.SessionCreation = creation;
	begin_again(&config);
	assert_int_equal(harness.smss.in_flight_max, most);
	for (unsigned i = 0; i < most; i++)
		assert_non_null(sessions[i] = begun(admin));
	assert_null(begun(admin)); /* in the queue */
	assert_null(begun(admin));
	assert_int_equal(harness.smss.queued_starts, 2);
	harness_up(sessions[0], &csrss, &sb);
	expect_reply(admin, STATUS_SUCCESS);
	assert_int_equal(harness.smss.queued_starts, 1);
	assert_int_equal(harness.smss.in_flight, most);
	close(csrss);
	close(sb);
	/* a failure makes room as well */
	if (most > 1) {
		harness_down(sessions[1]);
		harness_run();
		assert_int_equal(harness.smss.queued_starts, 0);
	}
}

static void serial(void **state)
{
	(void)state;
	turns(SESSION_CREATION_SERIAL, 1);
}

static void parallel(void **state)
{
	long processors = sysconf(_SC_NPROCESSORS_ONLN);

	(void)state;
	turns(SESSION_CREATION_PARALLEL, processors > 4 ? (unsigned)processors : 4);
}

/* What an administrator asked for is begun, though he has left; what termsrv asked for is not. */
static void queue_without_clients(void **state)
{
	struct musess_config config = harness.config;
	int other, termsrv;
	struct session *session;

	(void)state;
	config.SessionCreation = SESSION_CREATION_SERIAL;
	begin_again(&config);
	session = begun(admin);
	other = harness_client(CLIENT_ADMINISTRATOR, 2);
	termsrv = harness_client(CLIENT_TERMSRV, 3);
	assert_null(begun(termsrv));
	assert_null(begun(other));
	close(other);
	close(termsrv);
	harness_run();
	assert_int_equal(harness.smss.queued_starts, 1);
	harness_down(session);
	harness_run();
	assert_int_equal(harness.smss.queued_starts, 0);
	assert_non_null(session_find(&harness.smss, 1));
}

static void too_many(void **state)
{
	struct musess_config config = harness.config;
	SMAPIMSG m = { .u.StartCsr.MuSessionId = SM_NO_MUSESSION };

	(void)state;
	config.MaxInstanceCount = 3;
	config.SessionCreation = SESSION_CREATION_SERIAL;
	begin_again(&config);
	begun(admin);
	begun(admin);
	begun(admin);
	assert_int_equal(harness_call(admin, &m, SmStartCsrApi, false), STATUS_NO_MEMORY);
	m = (SMAPIMSG){ .u.StartCsr.MuSessionId = 1 };
	assert_int_equal(harness_call(admin, &m, SmStartCsrApi, false), STATUS_ALREADY_COMMITTED);
}

/* ---- the pool ---- */

static uint32_t pool(uint32_t size, uint32_t *idle)
{
	struct msg_pool m = { .size = size };

	harness_send(admin, &m.h, CTL_POOL, sizeof(m), false);
	assert_int_equal(harness_receive(admin, &m, sizeof(m)), sizeof(m));
	assert_int_equal(
	    m.status, size != POOL_ASK && size > POOL_MAX ? STATUS_INVALID_PARAMETER : 0);
	*idle = m.idle;
	return m.size;
}

/* The idle session that is being made, or NULL. */
static struct session *being_made(void)
{
	for (uint32_t slot = 0; slot < harness.smss.capacity; slot++) {
		struct session *s = harness.smss.slots[slot];
		if (s && s->pooled && s->step != SESSION_RUNNING && s->step != SESSION_ENDING)
			return s;
	}
	return NULL;
}

static void make_now(void)
{
	event_active(harness.smss.pool_event, EV_TIMEOUT, 1);
	harness_run();
}

static void idle_sessions(void **state)
{
	struct session *idle;
	SMAPIMSG m = { .u.StartCsr.MuSessionId = SM_NO_MUSESSION };
	uint32_t count;
	int ports[4];

	(void)state;
	assert_int_equal(pool(POOL_ASK, &count), 0);
	assert_int_equal(pool(65, &count), 0);
	assert_int_equal(pool(2, &count), 2);
	make_now();
	idle = being_made();
	assert_non_null(idle);
	harness_up(idle, &ports[0], &ports[1]);
	assert_int_equal(idle->state, WTS_IDLE);
	assert_int_equal(pool(POOL_ASK, &count), 2);
	assert_int_equal(count, 1);
	/* a hit is answered at once; the next caller gets the one that is being made */
	assert_int_equal(harness_call(admin, &m, SmStartCsrApi, false), STATUS_SUCCESS);
	assert_int_equal(m.u.StartCsr.MuSessionId, idle->id);
	assert_int_equal(m.h.client_view_size, idle->generation);
	assert_false(idle->pooled);
	idle = being_made();
	if (!idle) {
		make_now();
		idle = being_made();
	}
	assert_non_null(idle);
	m = (SMAPIMSG){ .u.StartCsr.MuSessionId = SM_NO_MUSESSION };
	assert_int_equal(harness_call(admin, &m, SmStartCsrApi, false), STATUS_PENDING);
	assert_false(idle->pooled);
	harness_up(idle, &ports[2], &ports[3]);
	expect_reply(admin, STATUS_SUCCESS);
	/* a command of its own is none of the pool's */
	assert_int_equal(table_used(&harness.smss), 2);
	for (int i = 0; i < 4; i++)
		close(ports[i]);
}

static void pauses(void **state)
{
	static const uint32_t expected[] = { 2000, 4000, 8000, 16000, 32000, 60000, 60000 };
	uint32_t count;
	int csrss, sb;

	(void)state;
	pool(1, &count);
	for (size_t i = 0; i < sizeof(expected) / sizeof(*expected); i++) {
		make_now();
		assert_non_null(being_made());
		harness_done(being_made(), ENOMEM);
		harness_down(session_find(&harness.smss, 1));
		assert_int_equal(harness.smss.pool_pause, expected[i]);
	}
	make_now();
	harness_up(being_made(), &csrss, &sb);
	assert_int_equal(harness.smss.pool_pause, 0);
	assert_int_equal(pool(0, &count), 0);
	assert_int_equal(count, 0);
	assert_int_equal(harness.smss.pooled_count, 0);
	close(csrss);
	close(sb);
}

/* ---- LoadDefered ---- */

static void name(SMAPIMSG *m, const char *text)
{
	*m = (SMAPIMSG){ .u.LoadDefered.SubsystemNameLength = (uint32_t)(2 * strlen(text)) };
	for (size_t i = 0; text[i] && i < SM_SUBSYSTEM_CHARS; i++)
		m->u.LoadDefered.SubsystemName[i] = (uint16_t)text[i];
}

static int32_t load(const struct up *up, const char *text)
{
	SMAPIMSG m;

	name(&m, text);
	return harness_call(up->csrss, &m, SmLoadDeferedApi, false);
}

/* psxss of UP connects; its port. */
static int posix_up(const struct up *up, int *sb)
{
	int32_t status;
	int port = harness_shake(harness_done(up->session, 0), SUBSYSTEM_POSIX, &status);

	assert_int_equal(status, STATUS_SUCCESS);
	*sb = harness.sb_port;
	harness.sb_port = -1;
	if (up->session->creator)
		harness_reap(up->session->creator, 0);
	return port;
}

static void loads(void **state)
{
	struct up up = session_up();
	int port, sb;

	(void)state;
	assert_int_equal(load(&up, "None"), STATUS_OBJECT_NAME_NOT_FOUND);
	assert_int_equal(load(&up, "Windows"), STATUS_OBJECT_NAME_NOT_FOUND);
	assert_int_equal(load(&up, "\x01"), STATUS_OBJECT_NAME_NOT_FOUND);
	assert_int_equal(load(&up, ""), STATUS_INVALID_PARAMETER);
	assert_int_equal(load(&up, "123456789012345678901234567890123"), STATUS_INVALID_PARAMETER);
	assert_int_equal(load(&up, "Posix"), STATUS_PENDING);
	assert_int_equal(load(&up, "Posix"), STATUS_PENDING); /* it is begun once */
	assert_int_equal(harness.order_count, 1);
	port = posix_up(&up, &sb);
	expect_reply(up.csrss, STATUS_SUCCESS);
	expect_reply(up.csrss, STATUS_SUCCESS);
	assert_int_equal(load(&up, "Posix"), STATUS_SUCCESS);
	/* its end is its own; then it can be loaded again */
	harness_reap(subsystem_by_type(up.session, SUBSYSTEM_POSIX)->pid, SIGKILL);
	assert_int_equal(up.session->step, SESSION_RUNNING);
	close(port);
	close(sb);
	assert_int_equal(load(&up, "Posix"), STATUS_PENDING);
	/* the session ends meanwhile */
	harness_down(up.session);
	assert_true(closed(up.csrss));
	close(up.csrss);
	close(up.sb);
}

static void loads_fail(void **state)
{
	struct up up = session_up();
	struct subsystem *posix;

	(void)state;
	assert_int_equal(load(&up, "Posix"), STATUS_PENDING);
	harness_done(up.session, ENOMEM);
	expect_reply(up.csrss, STATUS_NO_MEMORY);
	/* who was to create it has not left yet: then it is begun */
	assert_int_equal(load(&up, "Posix"), STATUS_PENDING);
	assert_int_equal(harness.order_count, 0);
	harness_reap(up.session->creator, 0);
	assert_int_equal(harness.order_count, 1);
	/* that one ends without having done it */
	harness_reap(up.session->creator, SIGKILL);
	expect_reply(up.csrss, STATUS_UNSUCCESSFUL);
	/* time is up */
	assert_int_equal(load(&up, "Posix"), STATUS_PENDING);
	pid_t pid = harness_done(up.session, 0);
	posix = subsystem_of_process(&harness.smss, pid);
	event_active(posix->timeout, EV_TIMEOUT, 1);
	harness_run();
	expect_reply(up.csrss, STATUS_IO_TIMEOUT);
	harness_reap(pid, SIGKILL);
	assert_null(subsystem_by_name(up.session, "Posix", 5));
	session_down(&up);
}

/* A subsystem cannot make smss remember more than so many calls. */
static void calls_are_bounded(void **state)
{
	struct up up = session_up();

	(void)state;
	for (int i = 0; i < 16; i++)
		assert_int_equal(load(&up, "Posix"), STATUS_PENDING);
	assert_int_equal(load(&up, "Posix"), STATUS_NO_MEMORY);
	session_down(&up);
}

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

/* ---- foreign sessions ---- */

/* A session with psxss. */
struct pair {
	struct up up;
	int posix, sb;
};

static struct pair pair_up(void)
{
	struct pair p = { .up = session_up() };

	assert_int_equal(load(&p.up, "Posix"), STATUS_PENDING);
	p.posix = posix_up(&p.up, &p.sb);
	expect_reply(p.up.csrss, STATUS_SUCCESS);
	return p;
}

static void pair_down(struct pair *p)
{
	session_down(&p->up);
	close(p->posix);
	close(p->sb);
}

/* Takes a callback of kind API from SB, and answers it. Its foreign session, 0 for none. */
static uint32_t called_back(int sb, uint32_t api, int32_t status)
{
	SBAPIMSG m;

	if (harness_receive(sb, &m, sizeof(m)) != sizeof(m))
		return 0;
	assert_int_equal(m.ApiNumber, api);
	assert_int_equal(m.ReturnedStatus, STATUS_PENDING);
	m.ReturnedStatus = status;
	harness_send(sb, &m.h, LPC_REPLY, sizeof(m), false);
	return m.u.CreateSession.SessionId;
}

static uint32_t foreign(struct pair *p, int32_t status)
{
	SMAPIMSG m = { .u.CreateForeignSession.SubsystemType = SUBSYSTEM_POSIX };
	uint32_t session;

	assert_int_equal(
	    harness_call(p->up.csrss, &m, SmCreateForeignSessionApi, true), STATUS_PENDING);
	session = called_back(p->sb, SbCreateSessionApi, status);
	assert_true(session > 0);
	assert_int_equal(harness_receive(p->up.csrss, &m, sizeof(m)), sizeof(m));
	assert_int_equal(m.ReturnedStatus, status);
	if (status == STATUS_SUCCESS)
		assert_int_equal(m.u.CreateForeignSession.SessionId, session);
	return session;
}

static int32_t about(int port, uint32_t number, uint32_t session)
{
	SMAPIMSG m = { .u.SessionComplete.SessionId = session };

	return harness_call(port, &m, number, false);
}

static void foreign_sessions(void **state)
{
	struct pair p = pair_up();
	uint32_t first = foreign(&p, STATUS_SUCCESS), second = foreign(&p, STATUS_SUCCESS);

	(void)state;
	assert_int_equal(second, first + 1);
	foreign(&p, STATUS_NO_MEMORY);
	/* who serves it may complete it, who had it made may end it, and nobody else */
	assert_int_equal(about(p.up.csrss, 1, first), STATUS_OBJECT_NAME_NOT_FOUND);
	assert_int_equal(about(p.posix, 2, first), STATUS_OBJECT_NAME_NOT_FOUND);
	assert_int_equal(about(p.posix, 1, first), STATUS_SUCCESS);
	assert_int_equal(called_back(p.up.sb, SbForeignSessionCompleteApi, STATUS_SUCCESS), first);
	assert_int_equal(about(p.posix, 1, first), STATUS_OBJECT_NAME_NOT_FOUND);
	assert_int_equal(about(p.up.csrss, 2, second), STATUS_PENDING);
	assert_int_equal(called_back(p.sb, SbTerminateSessionApi, STATUS_SUCCESS), second);
	expect_reply(p.up.csrss, STATUS_SUCCESS);
	assert_int_equal(about(p.up.csrss, 2, second), STATUS_OBJECT_NAME_NOT_FOUND);
	pair_down(&p);
}

static void who_serves_ends(void **state)
{
	struct pair p = pair_up();
	uint32_t session = foreign(&p, STATUS_SUCCESS);

	(void)state;
	assert_int_equal(about(p.up.csrss, 2, session), STATUS_PENDING);
	harness_reap(subsystem_by_type(p.up.session, SUBSYSTEM_POSIX)->pid, SIGKILL);
	expect_reply(p.up.csrss, STATUS_PORT_DISCONNECTED);
	assert_int_equal(
	    called_back(p.up.sb, SbForeignSessionCompleteApi, STATUS_SUCCESS), session);
	pair_down(&p);
}

static void callbacks_time_out(void **state)
{
	struct pair p = pair_up();
	SMAPIMSG m = { .u.CreateForeignSession.SubsystemType = SUBSYSTEM_POSIX };
	SBAPIMSG late;

	(void)state;
	harness.config.SubsystemTimeout = 1;
	assert_int_equal(
	    harness_call(p.up.csrss, &m, SmCreateForeignSessionApi, false), STATUS_PENDING);
	usleep(5000);
	harness_run();
	expect_reply(p.up.csrss, STATUS_IO_TIMEOUT);
	assert_int_equal(harness_receive(p.sb, &late, sizeof(late)), sizeof(late));
	late.ReturnedStatus = STATUS_SUCCESS;
	harness_send(p.sb, &late.h, LPC_REPLY, sizeof(late), false); /* changes nothing */
	assert_int_equal(harness_receive(p.up.csrss, &m, sizeof(m)), -1);
	pair_down(&p);
}

static void foreign_sessions_are_bounded(void **state)
{
	struct pair p = pair_up();
	SMAPIMSG m = { .u.CreateForeignSession.SubsystemType = SUBSYSTEM_POSIX };

	(void)state;
	for (int i = 0; i < 64; i++)
		foreign(&p, STATUS_SUCCESS);
	assert_int_equal(
	    harness_call(p.up.csrss, &m, SmCreateForeignSessionApi, false), STATUS_NO_MEMORY);
	pair_down(&p);
}

/* ---- CTL_EXEC ---- */

static int32_t exec(int port, uint32_t session, bool passed)
{
	struct msg_exec m = { .session = session };

	harness_send(port, &m.h, CTL_EXEC, sizeof(m), passed);
	return harness_receive(port, &m, sizeof(m)) == sizeof(m) ? m.status : STATUS_PENDING;
}

static void executes(void **state)
{
	struct up up = session_up();
	int port, sb, other = harness_client(CLIENT_ADMINISTRATOR, 2);
	struct msg_exec m;
	uint32_t session;

	(void)state;
	assert_int_equal(exec(admin, 7, true), STATUS_OBJECT_NAME_NOT_FOUND);
	assert_int_equal(exec(admin, 1, false), STATUS_INVALID_PARAMETER);
	assert_int_equal(exec(admin, 1, true), STATUS_PENDING);
	assert_int_equal(exec(other, 1, true), STATUS_PENDING);
	close(other); /* before psxss is there */
	harness_run();
	port = posix_up(&up, &sb);
	session = called_back(sb, SbCreateSessionApi, STATUS_SUCCESS);
	assert_true(session > 0);
	assert_int_equal(harness_receive(admin, &m, sizeof(m)), sizeof(m));
	assert_int_equal(m.status, STATUS_SUCCESS);
	assert_int_equal(about(port, 1, session), STATUS_SUCCESS);
	/* who asked leaves: before psxss answers, and after */
	other = harness_client(CLIENT_ADMINISTRATOR, 2);
	assert_int_equal(exec(other, 1, true), STATUS_PENDING);
	close(other);
	harness_run();
	session = called_back(sb, SbCreateSessionApi, STATUS_SUCCESS);
	assert_int_equal(called_back(sb, SbTerminateSessionApi, STATUS_SUCCESS), session);
	other = harness_client(CLIENT_ADMINISTRATOR, 2);
	assert_int_equal(exec(other, 1, true), STATUS_PENDING);
	session = called_back(sb, SbCreateSessionApi, STATUS_SUCCESS);
	close(other);
	harness_run();
	assert_int_equal(called_back(sb, SbTerminateSessionApi, STATUS_SUCCESS), session);
	assert_int_equal(exec(admin, 1, true), STATUS_PENDING);
	harness_down(up.session);
	assert_int_equal(harness_receive(admin, &m, sizeof(m)), sizeof(m));
	assert_int_equal(m.status, STATUS_PORT_DISCONNECTED);
	close(up.csrss);
	close(up.sb);
	close(port);
	close(sb);
}

/* ---- ExecPgm ---- */

static void adoptions(void **state)
{
	struct up up = session_up();
	SMAPIMSG m = { .u.ExecPgm = { 12, 1 } };

	(void)state;
	harness.pidfd_inner = 12;
	harness.pidfd_suspended = true;
	/* with the debug flag it stays suspended: nothing is sent to it */
	assert_int_equal(harness_call(up.csrss, &m, SmExecPgmApi, true), STATUS_PENDING);
	assert_int_equal(called_back(up.sb, SbCreateProcessApi, STATUS_SUCCESS), 12);
	expect_reply(up.csrss, STATUS_SUCCESS);
	m = (SMAPIMSG){ .u.ExecPgm = { 12, 0 } };
	assert_int_equal(harness_call(up.csrss, &m, SmExecPgmApi, true), STATUS_PENDING);
	assert_int_equal(called_back(up.sb, SbCreateProcessApi, STATUS_NO_MEMORY), 12);
	expect_reply(up.csrss, STATUS_NO_MEMORY);
	m = (SMAPIMSG){ .u.ExecPgm = { 13, 0 } };
	assert_int_equal(harness_call(up.csrss, &m, SmExecPgmApi, true), STATUS_INVALID_PARAMETER);
	m = (SMAPIMSG){ .u.ExecPgm = { 12, 0 } };
	assert_int_equal(harness_call(up.csrss, &m, SmExecPgmApi, false), STATUS_INVALID_PARAMETER);
	harness.pidfd_suspended = false;
	m = (SMAPIMSG){ .u.ExecPgm = { 12, 0 } };
	assert_int_equal(harness_call(up.csrss, &m, SmExecPgmApi, true), STATUS_INVALID_PARAMETER);
	harness.pidfd_gone = true; /* or of another session: it has no subsystem here */
	m = (SMAPIMSG){ .u.ExecPgm = { 12, 0 } };
	assert_int_equal(harness_call(up.csrss, &m, SmExecPgmApi, true), STATUS_UNSUCCESSFUL);
	session_down(&up);
}

/* ---- the console ---- */

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

#define T(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = { T(every_call), T(descriptors_beside_calls),
		T(every_message), T(no_other_message), T(handshakes), T(who_shakes_hands),
		T(creation_fails), T(stops), T(ids), T(increasing_ids), T(generations), T(serial),
		T(parallel), T(queue_without_clients), T(too_many), T(idle_sessions), T(pauses),
		T(loads), T(loads_fail), T(calls_are_bounded), T(ending_sessions),
		T(foreign_sessions), T(who_serves_ends), T(callbacks_time_out),
		T(foreign_sessions_are_bounded), T(executes), T(adoptions), T(console_ends),
		T(console_csrss_ends) };

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests_name("smss", tests, NULL, NULL);
}
