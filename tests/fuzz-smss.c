/*
 * Fuzzer of smss: its dispatch tables and the state behind them, on tests/smss-harness.c. The
 * input is a list of actions: messages from everybody who may be there, and what the kernel
 * would tell of processes. Whatever comes, smss goes on, and nothing is left at the end but
 * what was freed.
 *
 * For libFuzzer as it is; with -DFUZZ_MAIN a program for AFL++, which reads one input.
 */
#include "smss-harness.h"

#include <errno.h>
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
		{ CTL_POOL, sizeof(struct msg_pool) }, { CTL_EXEC, sizeof(struct msg_exec) } };
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

/* SESSION, if it is new, runs: the way there is long to find. */
static void bring_up(struct session *session)
{
	int csrss, sb;

	if (session->step != SESSION_LOADING || session->windows->client)
		return;
	harness_up(session, &csrss, &sb);
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

static void act(void)
{
	static const enum client_role roles[] = { CLIENT_ADMINISTRATOR, CLIENT_TERMSRV,
		CLIENT_LSASS, CLIENT_ADMINISTRATOR };
	unsigned action = take() % 18;

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
	else
		event_active(harness.smss.pool_event, EV_TIMEOUT, 1);
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
}

static void configure(struct musess_config *config)
{
	unsigned flags = take();

	config_defaults(config);
	config->MaxInstanceCount = 5;
	config->IdleWinStationPoolCount = flags & 3;
	config->SessionIdPolicy = flags & 4 ? SESSION_ID_INCREASING : SESSION_ID_LOWEST;
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
