/* The made-up half: process creation, cgroups, services; and the other ends of the ports. */
#include "smss-harness.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct harness harness;

enum { FIRST_PID = 100000000 };

/* ---- instead of smss-process.c, smss-cgroup.c and smss.c ---- */

int process_space_create(struct session *session)
{
	session->space = calloc(1, sizeof(*session->space));
	return session->space ? 0 : -1;
}

void process_space_destroy(struct session *session)
{
	free(session->space);
	session->space = NULL;
}

static void forget_orders(const struct session *session)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < harness.order_count; i++)
		if (harness.orders[i].session != session)
			harness.orders[kept++] = harness.orders[i];
	harness.order_count = kept;
}

void process_creator_dismiss(struct session *session)
{
	fd_close(&session->creator_port);
	forget_orders(session);
}

void process_creator_forget(struct session *session)
{
	process_creator_dismiss(session);
}

void process_creator_reports(struct session *session)
{
	if (harness.unread.session != session)
		return;
	harness.unread.session = NULL;
	session->creator_orders--;
	session_created(session, &harness.unread.report);
}

/* A process of SESSION that is there from now on. */
static pid_t new_process(const struct session *session)
{
	pid_t pid = harness_pid();

	harness.processes[harness.process_count++] =
	    (struct harness_process){ pid, session->generation };
	return pid;
}

/* As in smss-process.c: smss itself creates the console's csrss, and each where that is
   serial. */
static bool by_smss(const struct session *session, const struct process_order *order)
{
	return order->kind == PROCESS_WINDOWS &&
	       (session->id == 0 || harness.config.SessionCreation == SESSION_CREATION_SERIAL);
}

int process_create(struct session *session, const struct process_order *order, pid_t *pid)
{
	*pid = 0;
	errno = harness.fail_create ? harness.fail_create : ENOMEM;
	if (harness.fail_create || harness.order_count == HARNESS_ORDERS ||
	    harness.process_count + 2 > HARNESS_PROCESSES)
		return -1;
	if (by_smss(session, order)) {
		*pid = new_process(session);
		return 0;
	}
	if (session->creator && session->creator_port < 0) {
		errno = EBADF; /* it was told to leave */
		return -1;
	}
	if (!session->creator) {
		session->creator = new_process(session);
		if (table_add_process(session, NULL, session->creator) < 0)
			abort();
		session->creator_port = open("/dev/null", O_RDONLY | O_CLOEXEC);
	}
	session->creator_orders++;
	harness.orders[harness.order_count++] = (struct harness_order){ session, *order };
	return 0;
}

/* The C library's is not used: whoever is signalled here is made up. */
int kill(pid_t pid, int number)
{
	if (pid <= FIRST_PID)
		return (int)syscall(SYS_kill, pid, number);
	harness.signals[harness.signal_count % HARNESS_SIGNALS].pid = pid;
	harness.signals[harness.signal_count % HARNESS_SIGNALS].number = number;
	harness.signal_count++;
	return 0;
}

int harness_signal(pid_t pid)
{
	unsigned count =
	    harness.signal_count < HARNESS_SIGNALS ? harness.signal_count : HARNESS_SIGNALS;

	for (unsigned i = 1; i <= count; i++) {
		unsigned at = (harness.signal_count - i) % HARNESS_SIGNALS;
		if (harness.signals[at].pid == pid)
			return harness.signals[at].number;
	}
	return 0;
}

/* Nor here: smss's time passes when the test has it pass, however slow the machine is. */
int clock_gettime(clockid_t clock, struct timespec *now)
{
	if (clock != CLOCK_MONOTONIC && clock != CLOCK_MONOTONIC_COARSE)
		return (int)syscall(SYS_clock_gettime, clock, now);
	now->tv_sec = 1 + harness.passed / 1000;
	now->tv_nsec = harness.passed % 1000 * 1000000L;
	return 0;
}

void process_release(struct process_start *start)
{
	start->state = PROCESS_RUNS;
}

bool process_traced(pid_t pid)
{
	return pid == harness.traced;
}

uint64_t process_born(pid_t pid)
{
	return (uint64_t)pid;
}

/* The service is there already. */
int smss_begin_service(struct smss *smss)
{
	(void)smss;
	return 0;
}

/* Processes in sessions are made by harness_client alone. */
struct session *process_session(struct smss *smss, pid_t pid, uid_t uid)
{
	(void)smss;
	(void)pid;
	(void)uid;
	return NULL;
}

int process_connect(pid_t pid, const char *path)
{
	int pair[2];

	(void)pid;
	(void)path;
	errno = harness.fail_connect;
	if (harness.fail_connect || port_pair(pair) < 0)
		return -1;
	harness.sb_port = pair[1];
	return pair[0];
}

uint64_t process_namespace(pid_t pid)
{
	return (uint64_t)pid;
}

int process_identify(int pidfd, uint64_t namespace, pid_t *pid, pid_t *inner, bool *suspended)
{
	(void)pidfd;
	(void)namespace;
	*pid = FIRST_PID - 1;
	*inner = harness.pidfd_inner;
	*suspended = harness.pidfd_suspended;
	return harness.pidfd_gone ? -1 : 0;
}

pid_t process_start_service(struct smss *smss, unsigned which, int port)
{
	(void)smss;
	(void)which;
	(void)port;
	errno = ENOSYS;
	return -1;
}

/* Processes that are made up use nothing. */
bool usage_refresh(struct smss *smss)
{
	(void)smss;
	return false;
}

bool usage_running(void)
{
	return false;
}

void usage_figures(struct usage usage[USAGE_COUNT])
{
	memset(usage, 0, USAGE_COUNT * sizeof(*usage));
}

void usage_session(const struct session *session, struct session_usage *used)
{
	*used = (struct session_usage){ .threads = session->id };
}

void usage_adopted_ended(const struct session *session, const struct subsystem *subsystem)
{
	(void)session;
	(void)subsystem;
}

/* Closed at once, and counted. */
void bury_descriptor(struct smss *smss, int *fd)
{
	(void)smss;
	harness.buried += *fd >= 0;
	fd_close(fd);
}

int cgroup_create(int parent, uint32_t id, const struct musess_config *config)
{
	(void)parent;
	(void)id;
	(void)config;
	return -1;
}

void cgroup_remove(int parent, uint32_t id)
{
	(void)parent;
	(void)id;
}

void smss_stop(struct smss *smss, int exit_status)
{
	smss->stopping = true;
	smss->exit_status = exit_status;
}

/* ---- beginning and end ---- */

static int ready(struct smss *smss)
{
	(void)smss;
	return 0;
}

void harness_begin(const struct musess_config *from)
{
	struct smss *smss = &harness.smss;

	memset(&harness, 0, sizeof(harness));
	harness.last_pid = FIRST_PID;
	harness.sb_port = harness.console[0] = harness.console[1] = -1;
	config_defaults(&harness.config);
	harness.config.IdleWinStationPoolCount = 0;
	if (from)
		harness.config = *from;
	smss->config = &harness.config;
	smss->ready = ready;
	smss->cgroup = smss->admin_listener = smss->sm_listener = smss->rdp_listener = -1;
	Smp = smss;
	LIST_INIT(&smss->clients);
	LIST_INIT(&smss->calls);
	smss->base = event_base_new();
	if (!smss->base || table_init(smss, harness.config.MaxInstanceCount + EXTRA_SESSIONS) < 0 ||
	    subsystems_init(smss) < 0 || stats_init(smss) < 0 || start_init(smss) < 0)
		abort();
	smss->services[SERVICE_LSASS] = (struct service){ .name = "lsass", .role = CLIENT_LSASS };
	smss->services[SERVICE_TERMSRV] =
	    (struct service){ .name = "termsrv", .role = CLIENT_TERMSRV };
}

void harness_end(void)
{
	struct smss *smss = &harness.smss;

	smss->stopping = true;
	for (uint32_t slot = 0; slot < smss->capacity; slot++)
		if (smss->slots[slot])
			harness_down(smss->slots[slot]);
	while (!LIST_EMPTY(&smss->clients))
		client_destroy(LIST_FIRST(&smss->clients));
	accounts_fail();
	start_finish(smss);
	stats_finish(smss);
	harness_run();
	if (!LIST_EMPTY(&smss->calls) || smss->session_count || harness.process_count ||
	    harness.order_count)
		abort();
	event_base_free(smss->base);
	table_finish(smss);
	fd_close(&harness.sb_port);
	fd_close(&harness.console[0]);
	fd_close(&harness.console[1]);
}

void harness_run(void)
{
	for (int i = 0; i < 20; i++)
		event_base_loop(harness.smss.base, EVLOOP_NONBLOCK);
}

void harness_pass(unsigned milliseconds)
{
	harness.passed += milliseconds;
	harness_run();
}

pid_t harness_pid(void)
{
	return ++harness.last_pid;
}

int harness_client(enum client_role role, pid_t pid)
{
	struct client *client;
	int pair[2];

	if (port_pair(pair) < 0)
		abort();
	client = client_create(&harness.smss, pair[0], role, pid);
	if (!client)
		abort();
	for (int i = 0; i < SERVICE_COUNT; i++)
		if (harness.smss.services[i].role == role && role != CLIENT_ADMINISTRATOR) {
			harness.smss.services[i].client = client;
			harness.smss.services[i].pid = 0;
		}
	return pair[1];
}

/* ---- processes ---- */

/* The last order for SESSION, or NULL. */
static struct harness_order *last_order(const struct session *session)
{
	for (unsigned i = harness.order_count; i-- > 0;)
		if (harness.orders[i].session == session)
			return &harness.orders[i];
	return NULL;
}

/* It is nobody's any more. */
static void forget_process(pid_t pid)
{
	for (unsigned i = 0; i < harness.process_count; i++)
		if (harness.processes[i].pid == pid) {
			harness.processes[i] = harness.processes[--harness.process_count];
			return;
		}
}

/* The process that ORDER makes: the one that is there, where it was created and not reported. */
static pid_t order_process(const struct session *session, const struct harness_order *order)
{
	pid_t pid = session->space->starts[order->order.start].pid;

	return pid ? pid : new_process(session);
}

pid_t harness_done(struct session *session, int error)
{
	struct harness_order *order = last_order(session);
	struct process_report report;

	if (!order || (!error && harness.process_count == HARNESS_PROCESSES))
		return 0;
	report = (struct process_report){ order->order.kind, order->order.start, -1, error };
	if (!error)
		report.pid = order_process(session, order);
	else /* whoever created it has reaped it before he says so */
		forget_process(session->space->starts[report.start].pid);
	*order = harness.orders[--harness.order_count];
	session->creator_orders--;
	session_created(session, &report);
	harness_run();
	return error ? 0 : report.pid;
}

pid_t harness_unreported(struct session *session)
{
	const struct harness_order *order = last_order(session);
	pid_t pid;

	if (!order || harness.process_count == HARNESS_PROCESSES)
		return 0;
	pid = order_process(session, order);
	session->space->starts[order->order.start].pid = pid; /* the kernel tells it */
	return pid;
}

pid_t harness_unread(struct session *session)
{
	struct harness_order *order = last_order(session);
	pid_t pid = harness_unreported(session);

	if (pid) {
		harness.unread.session = session;
		harness.unread.report =
		    (struct process_report){ order->order.kind, order->order.start, pid, 0 };
		*order = harness.orders[--harness.order_count];
	}
	return pid;
}

void harness_reap(pid_t pid, int status)
{
	session_hear_of(&harness.smss, pid);
	forget_process(pid);
	session_reaped(&harness.smss, pid, status);
	harness_run();
}

int harness_shake(pid_t pid, uint32_t type, int32_t *status)
{
	struct msg_csr_connect m = { .subsystem_type = type, .sb_port = "/run/x" };
	int port = harness_client(CLIENT_SUBSYSTEM, pid);

	fd_close(&harness.sb_port);
	harness_send(port, &m.h, CSR_CONNECT, sizeof(m), false);
	*status = harness_receive(port, &m, sizeof(m)) > 0 ? m.status : STATUS_PORT_DISCONNECTED;
	return port;
}

void harness_up(struct session *session, int *csrss, int *sb)
{
	pid_t pid = session->windows->pid ? session->windows->pid : harness_done(session, 0);
	int32_t status;

	*csrss = harness_shake(pid, SUBSYSTEM_WINDOWS, &status);
	*sb = harness.sb_port;
	harness.sb_port = -1;
	harness_done(session, 0);
	harness_reap(session->creator, 0);
}

/* Whose turn it is to be reaped: csrss comes last, and before it the short-lived smss. 0: nobody
   is left. */
static pid_t next_to_end(const struct session *session)
{
	pid_t windows = session->windows ? session->windows->pid : 0;
	bool creator = false, csrss = false;

	for (unsigned i = 0; i < harness.process_count; i++) {
		const struct harness_process *p = &harness.processes[i];
		if (p->generation != session->generation)
			continue;
		creator = creator || p->pid == session->creator;
		csrss = csrss || p->pid == windows;
		if (p->pid != session->creator && p->pid != windows)
			return p->pid;
	}
	return creator ? session->creator : csrss ? windows : 0;
}

void harness_down(struct session *session)
{
	uint32_t generation = session->generation, slot = session->slot;
	struct session **slots = harness.smss.slots;

	session_stop(session, END_ADMIN_LOGOFF, STATUS_DELETE_PENDING);
	while (slots[slot] && slots[slot]->generation == generation) {
		pid_t pid = next_to_end(session);
		if (pid)
			harness_reap(pid, SIGKILL);
		else
			harness_run();
	}
}

void harness_console(void)
{
	UNICODE_STRING command = { .Buffer = "" };
	uint32_t id = 0, process = 0;

	if (SmpLoadSubSystemsForMuSession(&id, &process, &command) != STATUS_PENDING)
		abort();
	harness_up(session_find(&harness.smss, 0), &harness.console[0], &harness.console[1]);
	harness.smss.was_ready = true;
}

/* ---- messages ---- */

void harness_send(int port, PORT_MESSAGE *m, uint16_t type, size_t size, bool passed)
{
	int fd = passed ? open("/dev/null", O_RDWR | O_CLOEXEC) : -1;
	uint32_t generation = m->client_view_size, id = m->message_id;

	port_header(m, type, size, id ? id : 77);
	m->client_view_size = generation;
	(void)!port_send(port, m, fd);
	fd_close(&fd);
	harness_run();
}

ssize_t harness_receive(int port, void *buffer, size_t size)
{
	int passed = -1;
	ssize_t got = port_receive(port, buffer, size, &passed);

	fd_close(&passed);
	return got;
}

int32_t harness_call(int port, SMAPIMSG *m, uint32_t number, bool passed)
{
	ssize_t got;

	m->ApiNumber = number;
	harness_send(port, &m->h, LPC_REQUEST, sizeof(*m), passed);
	got = harness_receive(port, m, sizeof(*m));
	if (got == sizeof(*m) && m->h.type == LPC_REPLY)
		return m->ReturnedStatus;
	return got < 0 && errno == EAGAIN ? STATUS_PENDING : 1;
}
