/*
 * Fuzzer of smss: its dispatch tables and the state behind them, on tests/smss-harness.c. The
 * input is a list of actions: messages from everybody who may be there, and what the kernel
 * would tell of processes. Whatever comes, smss goes on, and nothing is left at the end but
 * what was freed.
 *
 * For libFuzzer as it is; with -DFUZZ_MAIN a program for AFL++, which reads one input.
 */
#include "log.h"
#include "smss-harness.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

enum { PORTS = 12, ACTIONS_MAX = 200 };

/* The other ends of clients' ports, in a ring. */
static int ports[PORTS];
static unsigned next_port;

static const uint8_t *input;
static size_t left;

static unsigned take(void)
{
	if (left == 0)
		return 0;
	left--;
	return *input++;
}

static void keep_port(int port)
{
	int *place = &ports[next_port++ % PORTS];

	fd_close(place);
	*place = port;
}

static int some_port(void)
{
	return ports[take() % PORTS];
}

/* A session, the console included, or NULL. */
static struct session *some_session(void)
{
	uint32_t slot = take() % 8;

	return slot < harness.smss.capacity ? harness.smss.slots[slot] : NULL;
}

/* A process of SESSION that was not reaped, or 0. */
static pid_t some_process(const struct session *session)
{
	unsigned skip = take() % 4;
	pid_t pid = 0;

	for (unsigned i = 0; i < harness.process_count; i++)
		if (harness.processes[i].generation == session->generation) {
			pid = harness.processes[i].pid;
			if (skip-- == 0)
				return pid;
		}
	return pid;
}

/* PID has ended: with csrss, which is process 1 there, all that is in the session's namespace,
   and before it. */
static void reap(const struct session *session, pid_t pid, int status)
{
	pid_t windows = session->windows ? session->windows->pid : 0;
	uint32_t generation = session->generation;
	unsigned i = 0;

	while (pid == windows && i < harness.process_count)
		if (harness.processes[i].generation == generation &&
		    harness.processes[i].pid != pid &&
		    harness.processes[i].pid != session->creator) {
			harness_reap(harness.processes[i].pid, SIGKILL);
			i = 0;
		} else {
			i++;
		}
	harness_reap(pid, status);
}

/* USUAL, or with one bit of it turned: odd, or too long. */
static uint32_t some_length(size_t usual)
{
	unsigned bit = take();

	return (uint32_t)usual ^ (bit & 0x80 ? 1u << bit % 32 : 0);
}

static SMAPIMSG some_call(void)
{
	static const char *const names[] = { "Posix", "Windows", "Extra", "More" };
	SMAPIMSG m = { 0 };
	unsigned number = take() % 8, kind = take();
	const char *name = names[kind % 4];

	if (number == SmStartCsrApi) {
		m.u.StartCsr.MuSessionId = kind & 1 ? SM_NO_MUSESSION : kind;
		m.u.StartCsr.InitialCommandLength = kind & 2 ? some_length(take()) : 0;
		for (int i = 0; i < 8; i++)
			m.u.StartCsr.InitialCommand[i] = (uint16_t)(kind & 4 ? take() << 8 : 'a');
	} else if (number == SmLoadDeferedApi) {
		m.u.LoadDefered.SubsystemNameLength = some_length(2 * strlen(name));
		for (size_t i = 0; name[i]; i++)
			m.u.LoadDefered.SubsystemName[i] = (uint16_t)name[i];
	} else if (number == SmCreateForeignSessionApi) {
		m.u.CreateForeignSession.SubsystemType = kind % 9;
	} else {
		m.u.SessionComplete.SessionId = kind % 16;
		m.u.SessionComplete.SessionStatus = (int32_t)take();
		m.h.client_view_size = take() % 4;
	}
	m.ApiNumber = number;
	return m;
}

static void call(void)
{
	int port = some_port();
	SMAPIMSG m = some_call();

	if (port >= 0)
		harness_send(port, &m.h, LPC_REQUEST, sizeof(m), take() & 1);
}

enum { RAW_MAX = 400, DESCRIPTORS_MAX = 3 };

/* LENGTH bytes as they are, with COUNT descriptors. */
static void send_raw(int port, void *data, size_t length, unsigned count)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(DESCRIPTORS_MAX * sizeof(int))];
	} control = { .header = { CMSG_LEN(count * sizeof(int)), SOL_SOCKET, SCM_RIGHTS } };
	const int fds[DESCRIPTORS_MAX] = { STDERR_FILENO, STDERR_FILENO, STDERR_FILENO };
	struct iovec vector = { data, length };
	struct msghdr m = { .msg_iov = &vector, .msg_iovlen = 1 };

	memcpy(CMSG_DATA(&control.header), fds, count * sizeof(int));
	if (count > 0) {
		m.msg_control = &control;
		m.msg_controllen = CMSG_SPACE(count * sizeof(int));
	}
	if (port >= 0)
		(void)!sendmsg(port, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* What need not be a message. */
static void raw(void)
{
	int port = some_port();
	size_t length = (take() | take() << 8) % (RAW_MAX + 1);
	unsigned descriptors = take() % (DESCRIPTORS_MAX + 1);
	uint8_t bytes[RAW_MAX] = { 0 };

	for (size_t i = 0; i < length; i++)
		bytes[i] = (uint8_t)take();
	send_raw(port, bytes, length, descriptors);
}

/* A call, some bytes of which are others: of its header, too. */
static void scribbled_call(void)
{
	int port = some_port();
	SMAPIMSG m = some_call();
	uint32_t generation = m.h.client_view_size;

	port_header(&m.h, LPC_REQUEST, sizeof(m), 77);
	m.h.client_view_size = generation;
	for (unsigned i = 0, count = take() % 8; i <= count; i++) {
		size_t at = (take() | take() << 8) % sizeof(m);
		((uint8_t *)&m)[at] = (uint8_t)take();
	}
	send_raw(port, &m, sizeof(m), take() % 2);
}

static void message(void)
{
	static const struct {
		uint16_t type;
		size_t size;
	} kinds[] = { { CSR_CONNECT, sizeof(struct msg_csr_connect) },
		{ CSR_SHELL, sizeof(struct msg_plain) },
		{ CSR_DISCONNECTED, sizeof(struct msg_plain) },
		{ TS_READY, sizeof(struct msg_listening) },
		{ WS_CONNECT, sizeof(struct msg_client) }, { WS_LOGON, sizeof(struct msg_user) },
		{ WS_PAINTED, sizeof(struct msg_painted) }, { LSA_READY, sizeof(struct msg_plain) },
		{ LSA_ANSWER, sizeof(struct lsa_answer) }, { ACCT_ADD, sizeof(struct lsa_request) },
		{ ACCT_REMOVE, sizeof(struct lsa_request) },
		{ ACCT_PASSWD, sizeof(struct lsa_request) },
		{ ACCT_ENTRY, sizeof(struct lsa_answer) }, { ACCT_LIST, sizeof(struct msg_plain) },
		{ LPC_REPLY, sizeof(SBAPIMSG) }, { CTL_VERSION, sizeof(struct msg_plain) },
		{ CTL_LIST, sizeof(struct msg_plain) }, { CTL_SERVICE, sizeof(struct msg_plain) },
		{ CTL_POOL, sizeof(struct msg_pool) }, { CTL_EXEC, sizeof(struct msg_exec) },
		{ LOG_LINE, sizeof(struct msg_log) } };
	union {
		PORT_MESSAGE h;
		struct msg_client client;
		struct msg_csr_connect connect;
		struct msg_pool pool;
		char bytes[1024];
	} m = { 0 };
	unsigned kind = take() % (sizeof(kinds) / sizeof(*kinds));
	int port = some_port();
	unsigned session = take(), flags = take();

	m.client.session = session % 8;
	m.client.generation = take();
	if (kinds[kind].type == WS_CONNECT)
		m.client.width = m.client.height = 800;
	else if (kinds[kind].type == CTL_POOL)
		m.pool.size = session % 5;
	else if (kinds[kind].type == CSR_CONNECT)
		m.connect = (struct msg_csr_connect){ .subsystem_type = session, .sb_port = "/x" };
	for (unsigned i = 0; flags & 4 && i < 16; i++)
		m.bytes[sizeof(PORT_MESSAGE) + take()] = (char)take();
	if (port >= 0)
		harness_send(port, &m.h, kinds[kind].type,
		    kinds[kind].size + (flags & 2 ? take() % 9 : 0), flags & 1);
}

/* What smss sent there, callbacks answered. */
static void answer(void)
{
	int port = some_port();
	int32_t status = (int32_t[]){ STATUS_SUCCESS, STATUS_UNSUCCESSFUL, STATUS_SUCCESS,
		STATUS_PENDING }[take() % 4];
	union {
		SBAPIMSG sb;
		char bytes[PORT_MAX_MESSAGE];
	} m;

	for (int i = 0; port >= 0 && i < 8; i++) {
		if (harness_receive(port, &m, sizeof(m)) != sizeof(m.sb) ||
		    m.sb.h.type != LPC_REQUEST)
			return;
		m.sb.ReturnedStatus = status;
		harness_send(port, &m.sb.h, LPC_REPLY, sizeof(m.sb), false);
	}
}

static void shake(struct session *session)
{
	pid_t pid = some_process(session);
	int32_t status;

	harness.fail_connect = take() % 8 == 0 ? EACCES : 0;
	if (pid)
		keep_port(harness_shake(pid, (uint32_t[]){ 2, 7, 100, 0 }[take() % 4], &status));
	keep_port(harness.sb_port);
	harness.sb_port = -1;
}

/* What the kernel would tell of a process that is to be adopted, and of one to be created. */
static void kernel(void)
{
	unsigned flags = take();

	harness.pidfd_inner = (pid_t)(flags % 16);
	harness.pidfd_suspended = flags & 16;
	harness.pidfd_gone = flags & 32;
	harness.fail_create = (flags & 192) == 192 ? EAGAIN : 0;
}

/* ---- clients at screens ---- */

/* The csrss of sessions that were brought up, by slot: its port is one of PORTS, while that is
   open. */
enum { SESSIONS = 8 };
static struct {
	uint32_t generation;
	int port;
} csrss_of[SESSIONS];

/* The port of SESSION's csrss, or some other. */
static int csrss_port(const struct session *session)
{
	if (session && session->slot < SESSIONS &&
	    csrss_of[session->slot].generation == session->generation)
		for (int i = 0; i < PORTS; i++)
			if (ports[i] == csrss_of[session->slot].port)
				return ports[i];
	return some_port();
}

static int termsrv = -1, administrator = -1;

/* A port of ROLE, made anew where it was cut off. */
static int port_of(int *port, enum client_role role)
{
	char byte;

	if (*port < 0 || (recv(*port, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0)) {
		fd_close(port);
		*port = harness_client(role, harness_pid());
	}
	return *port;
}

/* Nobody reads there what smss says: it is not to be cut off for that. */
static void read_away(int port)
{
	char bytes[PORT_MAX_MESSAGE];

	while (port >= 0 && harness_receive(port, bytes, sizeof(bytes)) > 0)
		;
}

static void some_user(char *user)
{
	static const char *const users[] = { "ann", "bob", "", "ann" };

	snprintf(user, USER_SIZE, "%s", users[take() % 4]);
}

static void termsrv_message(void)
{
	const struct session *session = some_session();
	uint32_t id = session ? session->id : NO_SESSION;
	uint32_t generation = session ? session->generation : 0;
	unsigned flags = take();
	int port = port_of(&termsrv, CLIENT_TERMSRV);

	if (flags % 4 < 2) {
		struct msg_client m = { .session = flags & 4 ? NO_SESSION : id,
			.generation = generation,
			.width = 800,
			.height = flags & 64 ? DESKTOP_MAX : DESKTOP_MIN,
			.h.message_id = take() };
		some_user(m.user);
		if (flags & 8 && session)
			memcpy(m.cookie, session->cookie, sizeof(m.cookie));
		harness_send(port, &m.h, WS_CONNECT, sizeof(m), (flags & 48) != 48);
	} else if (flags % 4 == 2) {
		struct msg_user m = { .session = id, .generation = generation };
		some_user(m.user);
		harness_send(port, &m.h, WS_LOGON, sizeof(m), false);
	} else if (flags & 4) {
		struct msg_cookie m = { .session = id };
		harness_send(port, &m.h, WS_COOKIE, sizeof(m), false);
	} else {
		struct msg_ws_event m = { .event = flags >> 4 & 3 };
		some_user(m.user);
		harness_send(port, &m.h, WS_EVENT, sizeof(m), false);
	}
	read_away(port);
}

static void csrss_message(void)
{
	const struct session *session = some_session();
	int port = csrss_port(session);
	unsigned kind = take() % 8, flags = take();
	struct msg_connection connection = { .connection = (session ? session->connection : 0) +
		                                           (flags % 8 == 7) };
	struct msg_choice choice = { .session = flags % 6 ? flags % 6 : NO_SESSION };
	struct msg_response response = { .number = flags % 8, .response = flags >> 3 & 1 };
	struct msg_csr_adopt adopt = { .generation = session ? session->generation : 0 };
	struct msg_plain plain = { 0 };
	struct msg_log line = { .level = flags >> 2 & 3, .owner = flags & 3, .text = "musess: x" };

	if (port < 0)
		return;
	if (kind < 2)
		harness_send(
		    port, &connection.h, CSR_DISPLAY, sizeof(connection), (flags & 48) != 48);
	else if (kind == 2)
		harness_send(port, &connection.h, CSR_DISCONNECTED, sizeof(connection), false);
	else if (kind == 3)
		harness_send(port, &choice.h, CSR_CHOICE, sizeof(choice), false);
	else if (kind == 4 && flags & 128)
		for (unsigned i = 0; i < (flags & 16 ? LOG_LINES_MAX + 2 : 1); i++)
			harness_send(port, &line.h, LOG_LINE, sizeof(line), false);
	else if (kind == 4)
		harness_send(port, &plain.h, CSR_INPUT, sizeof(plain), false);
	else if (kind == 5)
		harness_send(port, &response.h, CSR_RESPONSE, sizeof(response), false);
	else if (kind == 6)
		harness_send(port, &plain.h, CSR_SHELL, sizeof(plain), false);
	else
		harness_send(port, &adopt.h, CSR_ADOPT, sizeof(adopt), true);
	if (flags & 64)
		read_away(port);
}

/* A process in SESSION, which may ask about its own. */
static int user_port(struct session *session)
{
	pid_t pid = harness_pid();
	int port = harness_client(CLIENT_USER, pid);
	struct client *client;

	LIST_FOREACH(client, &harness.smss.clients, entry)
	if (client->pid == pid && session)
		client_set_session(client, session);
	return port;
}

/* What an administrator may ask, by him or by a user. */
static void control_message(void)
{
	static const uint16_t about_one[] = { CTL_DISCONNECT, CTL_CONNECT, CTL_LOGOFF, CTL_RESET };
	static const uint16_t plainly[] = { CTL_RELOAD, CTL_STATS, CTL_EVENTS, CTL_LIST };
	struct session *session = some_session(), *other = some_session();
	unsigned kind = take() % 16, flags = take();
	uint32_t id = session && (flags & 1) == 0 ? session->id : NO_SESSION;
	int port = port_of(&administrator, CLIENT_ADMINISTRATOR);

	if (flags & 64) {
		port = user_port(flags & 128 ? other : session);
		keep_port(port);
	}
	if (kind < 8) {
		struct msg_control m = { .session = id, .target = other ? other->id : 77 };
		harness_send(port, &m.h, about_one[kind % 4], sizeof(m), false);
	} else if (kind < 11) {
		struct msg_box m = {
			.session = id, .seconds = flags >> 2 & 3, .wait = flags & 2, .text = "x\ny"
		};
		m.text[0] = flags & 16 ? (char)take() : 'x';
		harness_send(port, &m.h, CTL_MESSAGE, sizeof(m), false);
	} else if (kind == 11) {
		struct msg_drain m = { .mode = flags % 5 };
		harness_send(port, &m.h, CTL_DRAIN, sizeof(m), false);
	} else {
		struct msg_plain m = { 0 };
		harness_send(port, &m.h, plainly[kind % 4], sizeof(m), false);
	}
	if (port == administrator)
		read_away(port);
}

/* The configuration that CTL_RELOAD reads, and whether there is another certificate. */
static int reload(struct smss *smss, struct musess_config *fresh, int *certificate, FILE *errors)
{
	unsigned flags = take();

	*certificate = -1;
	*fresh = *smss->config;
	if (flags % 8 == 7) {
		fprintf(errors, "it is bad\n");
		return -1;
	}
	fresh->fSingleSessionPerUser = flags & 1;
	fresh->MaxSessionsPerUser = flags >> 1 & 3;
	fresh->fDenyTSConnections = (flags & 48) == 48;
	fresh->MaxIdleTime = flags & 8 ? 5000 : 0;
	fresh->fResetBroken = flags >> 6 & 1;
	fresh->MaxDisconnectionTime = flags & 128 ? 9000 : 0;
	if (take() & 1)
		*certificate = open("/dev/null", O_RDONLY | O_CLOEXEC);
	return 0;
}

/* SESSION, if it is new, runs: the way there is long to find. */
static void bring_up(struct session *session)
{
	int csrss, sb;

	if (session->step != SESSION_LOADING || session->windows->client)
		return;
	harness_up(session, &csrss, &sb);
	if (session->slot < SESSIONS) {
		csrss_of[session->slot].generation = session->generation;
		csrss_of[session->slot].port = csrss;
	}
	keep_port(csrss);
	keep_port(sb);
}

/* Timers that run, but not those that smss sets to have its next turn. */
struct timers {
	const struct event *found[64];
	unsigned count;
};

static int collect(const struct event_base *base, const struct event *event, void *argument)
{
	struct timers *timers = argument;

	(void)base;
	if (event_get_fd(event) < 0 && event_pending(event, EV_TIMEOUT, NULL) &&
	    event != harness.smss.start_event && timers->count < 64)
		timers->found[timers->count++] = event;
	return 0;
}

static void time_is_up(void)
{
	struct timers timers = { .count = 0 };

	event_base_foreach_event(harness.smss.base, collect, &timers);
	if (timers.count > 0)
		event_active(
		    (struct event *)(uintptr_t)timers.found[take() % timers.count], EV_TIMEOUT, 1);
	harness_run();
}

static void in_session(unsigned action)
{
	struct session *session = some_session();
	pid_t pid;

	if (!session)
		return;
	switch (action) {
	case 0:
		harness_done(session, take() % 6 == 0 ? ENOMEM : 0);
		break;
	case 1:
		pid = some_process(session);
		if (pid)
			reap(session, pid, (int[]){ SIGKILL, 0, 1 << 8, SIGSEGV }[take() % 4]);
		break;
	case 2:
		shake(session);
		break;
	case 3:
		harness_unreported(session);
		break;
	default:
		bring_up(session);
	}
}

/* A client with a user comes, for whom a session is started and brought up where he has none. */
static void come(void)
{
	int port = port_of(&termsrv, CLIENT_TERMSRV);
	SMAPIMSG start = { .u.StartCsr.MuSessionId = SM_NO_MUSESSION };
	struct msg_client m = { .width = 800, .height = 600, .h.message_id = take() };
	struct session *session = NULL;

	some_user(m.user);
	harness_call(port, &start, SmStartCsrApi, false);
	for (uint32_t slot = 0; slot < harness.smss.capacity && slot < SESSIONS; slot++)
		if (harness.smss.slots[slot] && harness.smss.slots[slot]->id != 0 &&
		    harness.smss.slots[slot]->step == SESSION_LOADING)
			session = harness.smss.slots[slot];
	if (!session)
		return;
	bring_up(session);
	session = session->slot < SESSIONS ? harness.smss.slots[session->slot] : NULL;
	if (session) {
		m.session = session->id;
		m.generation = session->generation;
		harness_send(port, &m.h, WS_CONNECT, sizeof(m), true);
	}
	read_away(port);
}

static void act(void)
{
	static const enum client_role roles[] = { CLIENT_ADMINISTRATOR, CLIENT_TERMSRV,
		CLIENT_LSASS, CLIENT_ADMINISTRATOR };
	unsigned action = take() % 26;

	if (action < 5)
		in_session(action);
	else if (action == 5)
		kernel();
	else if (action < 9)
		call();
	else if (action < 11)
		message();
	else if (action == 11)
		answer();
	else if (action == 12)
		time_is_up();
	else if (action == 13)
		keep_port(harness_client(roles[take() % 4], harness_pid()));
	else if (action == 14)
		fd_close(&ports[take() % PORTS]);
	else if (action == 15)
		raw();
	else if (action == 16)
		scribbled_call();
	else if (action == 17)
		event_active(harness.smss.pool_event, EV_TIMEOUT, 1);
	else if (action < 20)
		termsrv_message();
	else if (action < 22)
		csrss_message();
	else if (action < 24)
		control_message();
	else if (action == 24)
		harness_pass(100 * take());
	else
		come();
	harness_run();
}

/* Says which of the checks it was: the trace of an optimized build does not. */
static void must(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "fuzz-smss: %s\n", what);
	abort();
}

static struct msg_stats counted; /* when it was last looked at */
static bool always_single;       /* fSingleSessionPerUser is and was 1 */

static void check_session(const struct session *s)
{
	const struct subsystem *subsystem;

	must(s->step != SESSION_ENDING || (!s->in_flight && !s->pooled),
	    "an ending session counts as another");
	must(s->step != SESSION_RUNNING || (!s->in_flight && s->windows && s->windows->pid > 0),
	    "a running one has no csrss");
	LIST_FOREACH(subsystem, &s->subsystems, entry)
	{
		must(!subsystem->connected || subsystem->pid > 0 || s->step == SESSION_ENDING,
		    "connected without a process");
		must(!subsystem->connected || TAILQ_EMPTY(&subsystem->waiting),
		    "who waits for what is there");
		/* whoever waits for it does not wait for ever */
		must(TAILQ_EMPTY(&subsystem->waiting) || subsystem->pid > 0 || subsystem->ordered ||
		         s->step != SESSION_RUNNING || s->creator > 0,
		    "who waits for what nobody does");
	}
}

/* One that its user comes back to. From one of which he is being logged off he is not: who logs on
   meanwhile gets another (is_of in smss-winstation.c). */
static bool is_users(const struct session *s)
{
	return s->logged_on && s->step == SESSION_RUNNING && s->leaving == END_NONE;
}

/* Who is at a screen is at that of a session that is there, and a user has one that he comes back
   to, unless he may have several. */
static void check_screen(const struct session *s)
{
	const struct session *other;

	must(s->connection == 0 || s->step == SESSION_ENDING ||
	         (s->step == SESSION_RUNNING && s->windows && s->windows->pid > 0),
	    "a client without a csrss");
	must(!s->logged_on || s->step == SESSION_ENDING || s->info.user[0],
	    "logged on without a user");
	must(s->step != SESSION_RUNNING || !s->logged_on ||
	         (s->connection == 0) == (s->state == WTS_DISCONNECTED),
	    "active without a client, or disconnected with one");
	if (!always_single || !is_users(s))
		return;
	LIST_FOREACH(other, table_users(&harness.smss, s->info.user), same_user)
	must(other == s || !is_users(other) || strcmp(other->info.user, s->info.user) != 0,
	    "a user has two sessions");
}

/* What is counted is never less than before. */
static void check_stats(void)
{
	const struct msg_stats *now = &harness.smss.stats;

	must(now->created >= counted.created && now->failed >= counted.failed &&
	         now->ended >= counted.ended && now->logons >= counted.logons &&
	         now->reconnects >= counted.reconnects && now->denied >= counted.denied &&
	         now->disconnects >= counted.disconnects && now->pool_hits >= counted.pool_hits &&
	         now->pool_misses >= counted.pool_misses,
	    "a count goes down");
	must(now->ended <= now->created, "more sessions ended than were created");
	counted = *now;
}

/* A process belongs to a session as long as it was not reaped. */
static void check_processes(void)
{
	for (unsigned i = 0; i < harness.process_count; i++) {
		bool found = false;
		for (uint32_t slot = 0; slot < harness.smss.capacity; slot++)
			found = found ||
			        (harness.smss.slots[slot] && harness.smss.slots[slot]->generation ==
			                                         harness.processes[i].generation);
		must(found, "a process outlives its session");
	}
}

/* Who waits is counted where it matters. */
static void check_calls(void)
{
	unsigned calls = 0, starts = 0, of_clients = 0;
	const struct client *client;
	const struct call *call;

	LIST_FOREACH(call, &harness.smss.calls, in_all)
	calls += call->client != NULL;
	LIST_FOREACH(client, &harness.smss.clients, entry)
	of_clients += client->calls;
	TAILQ_FOREACH(call, &harness.smss.starts, entry)
	starts++;
	must(calls == of_clients, "calls of clients");
	must(starts == harness.smss.queued_starts, "queued starts");
	must(starts == 0 || harness.smss.in_flight > 0, "a start waits for nobody");
}

/* What has to hold after each action. */
static void check(void)
{
	unsigned in_flight = 0, pooled = 0, ending = 0, sessions = 0;

	for (uint32_t slot = 0; slot < harness.smss.capacity; slot++) {
		const struct session *s = harness.smss.slots[slot];
		if (!s)
			continue;
		sessions++;
		in_flight += s->in_flight;
		pooled += s->pooled;
		ending += s->ends_idle;
		check_session(s);
		check_screen(s);
	}
	must(sessions == harness.smss.session_count, "sessions");
	must(in_flight == harness.smss.in_flight, "in flight");
	must(pooled == harness.smss.pooled_count, "pooled");
	must(ending == harness.smss.ending_idle, "ending idle");
	must(in_flight <= harness.smss.in_flight_max, "too many in flight");
	must(table_used(&harness.smss) + harness.smss.queued_starts <=
	         harness.config.MaxInstanceCount,
	    "too many sessions");
	must(harness.smss.pooled_count + harness.smss.ending_idle <= POOL_MAX, "too many idle");
	check_processes();
	check_calls();
	check_stats();
	always_single = always_single && harness.config.fSingleSessionPerUser;
}

static void configure(struct musess_config *config)
{
	unsigned flags = take();

	config_defaults(config);
	config->MaxInstanceCount = 5;
	config->IdleWinStationPoolCount = flags & 3;
	config->SessionIdPolicy = flags & 4 ? SESSION_ID_INCREASING : SESSION_ID_LOWEST;
	config->fSingleSessionPerUser = !(flags & 64);
	config->SessionCreation = flags & 8 ? SESSION_CREATION_SERIAL : SESSION_CREATION_PARALLEL;
	if (flags & 32) {
		snprintf(config->Optional, sizeof(config->Optional), "Posix More");
		memcpy(config->commands[3].name, "More", sizeof("More"));
		memcpy(config->commands[3].command, "more", sizeof("more"));
	}
	if (flags & 16) {
		snprintf(config->Required, sizeof(config->Required), "Windows Extra");
		memcpy(config->commands[2].name, "Extra", sizeof("Extra"));
		memcpy(config->commands[2].command, "extra", sizeof("extra"));
	}
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	signal(SIGPIPE, SIG_IGN);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct musess_config config;

	input = data;
	left = size;
	for (int i = 0; i < PORTS; i++)
		ports[i] = -1;
	next_port = 0;
	configure(&config);
	harness_begin(&config);
	harness.smss.reload = reload;
	harness.smss.state_dir =
	    open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC); /* no file is made there */
	memset(&counted, 0, sizeof(counted));
	memset(csrss_of, 0, sizeof(csrss_of));
	always_single = config.fSingleSessionPerUser;
	if (take() & 1)
		harness_console();
	keep_port(harness_client(CLIENT_ADMINISTRATOR, 1));
	keep_port(harness_client(CLIENT_TERMSRV, 1));
	for (int i = 0; left > 0 && i < ACTIONS_MAX; i++) {
		act();
		check();
	}
	for (int i = 0; i < PORTS; i++)
		fd_close(&ports[i]);
	fd_close(&termsrv);
	fd_close(&administrator);
	fd_close(&harness.smss.state_dir);
	harness_end();
	return 0;
}

#ifdef FUZZ_MAIN
int main(void)
{
	static uint8_t bytes[4096];
	size_t size;

	LLVMFuzzerInitialize(NULL, NULL);
	if (!freopen("/dev/null", "w", stderr)) /* smss's log */
		return 1;
	size = fread(bytes, 1, sizeof(bytes), stdin);
	return LLVMFuzzerTestOneInput(bytes, size);
}
#endif
