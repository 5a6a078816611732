/*
 * smss's loop: signals, listeners, and the order of start and end.
 * Everything else happens in the callbacks of the other smss-*.c files.
 */
#include "smss.h"

#include "log.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

/* After the order to stop: leave when the last child is gone, termsrv's workers included,
   which are smss's own by then. */
static void leave_if_done(struct smss *smss)
{
	siginfo_t info;

	if (!smss->stopping || smss->session_count > 0)
		return;
	if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0)
		return;
	event_base_loopbreak(smss->base);
}

/* False where it has not ended. Before it is gone the kernel tells its own processor time from
   that of its children. */
static bool reap(struct smss *smss, pid_t pid)
{
	struct rusage used;
	uint64_t own = usage_of_process(pid);
	int status;

	session_hear_of(smss, pid);
	if (wait4(pid, &status, WNOHANG | __WALL, &used) != pid)
		return false;
	usage_reaped(smss, pid, own, &used);
	/* whoever is neither a session's nor a service is a worker that lost its parent */
	if (!usage_walked(smss, pid, &used) && !bury_reaped(smss, pid) &&
	    !session_reaped(smss, pid, status))
		services_reaped(smss, pid, status);
	return true;
}

void smss_reap(struct smss *smss, pid_t pid)
{
	if (reap(smss, pid))
		leave_if_done(smss);
}

/* False where no child has ended: the kernel asks each. */
static bool reap_any(struct smss *smss)
{
	siginfo_t info = { 0 };

	return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid > 0 &&
	       reap(smss, info.si_pid);
}

static void on_untold(int fd, short what, void *argument)
{
	struct smss *smss = argument;

	(void)fd;
	(void)what;
	while (reap_any(smss))
		;
	leave_if_done(smss);
}

enum { UNTOLD_US = 20000 };

/* The signal tells who has ended. Of those that end before it is read only the first is told:
   among thousands the others are looked for a little later, and not at each end. */
static void on_child(int fd, short what, void *argument)
{
	const struct timeval in = { .tv_usec = UNTOLD_US };
	struct smss *smss = argument;
	struct signalfd_siginfo child;

	(void)what;
	while (read(fd, &child, sizeof(child)) == sizeof(child))
		if (child.ssi_pid > 0) /* else the kernel had no memory to say who */
			reap(smss, (pid_t)child.ssi_pid);
	if (!event_pending(smss->untold_event, EV_TIMEOUT, NULL))
		event_add(smss->untold_event, &in);
	leave_if_done(smss);
}

/* For a restart: what goes on without it is left as it is, as if it had been killed. */
static void leave_sessions(struct smss *smss)
{
	if (!smss->keeps || smss->stopping) {
		log_warn("SIGUSR1 leaves the sessions to the next smss: nothing keeps them here");
		return;
	}
	log_info("smss ends, and leaves %u sessions to the next", smss->session_count);
	_exit(0);
}

static void on_end(int signal_number, short what, void *argument)
{
	struct smss *smss = argument;

	(void)what;
	if (signal_number == SIGUSR1) {
		leave_sessions(smss);
		return;
	}
	/* of a service it asks to read the configuration again; a terminal that is closed sends it
	   too, and nothing may be left then */
	if (signal_number == SIGHUP && !smss->terminal)
		reload_signalled(smss);
	else
		smss_stop(smss, 0);
}

/* Whoever is left, workers that came to this process when their termsrv ended included. */
static void kill_children(void)
{
	FILE *f = fopen("/proc/thread-self/children", "re");
	char *list = NULL, *next, *end;
	size_t size = 0;
	pid_t pid;

	if (f && getline(&list, &size, f) > 0)
		for (next = list; (pid = (pid_t)strtol(next, &end, 10)) > 0; next = end)
			kill(pid, SIGKILL);
	free(list);
	if (f)
		fclose(f);
}

static void on_stop_deadline(int fd, short what, void *argument)
{
	struct smss *smss = argument;

	(void)fd;
	(void)what;
	log_warn("not everything ended by itself: killed");
	kill_children();
	event_base_loopbreak(smss->base);
}

void smss_stop(struct smss *smss, int exit_status)
{
	struct timeval limit = { .tv_sec = 10 };

	if (smss->stopping)
		return;
	smss->stopping = true;
	smss->exit_status = exit_status;
	services_stop(smss);
	for (uint32_t slot = 0; slot < smss->capacity; slot++)
		if (smss->slots[slot])
			session_stop(
			    smss->slots[slot], END_ADMIN_DISCONNECT, STATUS_DELETE_PENDING);
	event_add(smss->stop_deadline, &limit);
	leave_if_done(smss);
}

enum { SIGNALS = sizeof((struct smss){ 0 }.signals) / sizeof(struct event *) };

static int init_children(struct smss *smss)
{
	sigset_t set;

	signal(SIGCHLD, SIG_DFL); /* whoever started it may have had it ignored */
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL); /* those that smss forks have their own */
	smss->child_signal = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (smss->child_signal < 0)
		return -1;
	smss->child_event =
	    event_new(smss->base, smss->child_signal, EV_READ | EV_PERSIST, on_child, smss);
	smss->untold_event = evtimer_new(smss->base, on_untold, smss);
	return smss->child_event && smss->untold_event ? event_add(smss->child_event, NULL) : -1;
}

/* The kernel counts epoll's watches by user, and one session can take all of them: where that is this
   user, the loop has none. */
static struct event_base *create_base(const struct smss *smss)
{
	struct event_config *config = event_config_new();
	struct event_base *base = NULL;

	if (config && (smss->privileged || event_config_avoid_method(config, "epoll") == 0))
		base = event_base_new_with_config(config);
	if (config)
		event_config_free(config);
	return base;
}

static int init_events(struct smss *smss)
{
	static const int numbers[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1 };

	smss->base = create_base(smss);
	if (!smss->base || init_children(smss) < 0)
		return -1;
	for (int i = 0; i < SIGNALS; i++) {
		smss->signals[i] = evsignal_new(smss->base, numbers[i], on_end, smss);
		if (!smss->signals[i] || event_add(smss->signals[i], NULL) < 0)
			return -1;
	}
	smss->admin_event =
	    event_new(smss->base, smss->admin_listener, EV_READ | EV_PERSIST, client_accept, smss);
	smss->sm_event =
	    event_new(smss->base, smss->sm_listener, EV_READ | EV_PERSIST, client_accept, smss);
	smss->stop_deadline = evtimer_new(smss->base, on_stop_deadline, smss);
	if (!smss->admin_event || !smss->sm_event || !smss->stop_deadline ||
	    event_add(smss->admin_event, NULL) < 0 || event_add(smss->sm_event, NULL) < 0)
		return -1;
	return stats_init(smss) < 0 || alive_init(smss) < 0 ? -1 : start_init(smss);
}

/* The console session is loaded when the manager starts. */
static int load_console(void)
{
	UNICODE_STRING command = { .Buffer = "" };
	uint32_t id = 0, process = 0;

	if (SmpLoadSubSystemsForMuSession(&id, &process, &command) == STATUS_PENDING)
		return 0;
	session_log_no_console();
	return -1;
}

static int begin(struct smss *smss)
{
	char path[64];

	LIST_INIT(&smss->clients);
	LIST_INIT(&smss->calls);
	smss->stats.since = (uint64_t)time(NULL);
	manage_init(smss);
	if (table_init(smss, smss->config->MaxInstanceCount + EXTRA_SESSIONS) < 0 ||
	    subsystems_init(smss) < 0 || process_init(smss) < 0)
		return -1;
	/* by its directory's descriptor: what sessions see of it is read-only */
	snprintf(path, sizeof(path), "/proc/self/fd/%d/SmApiPort", smss->sm_dir);
	smss->sm_listener = client_listen(path, 0666);
	if (smss->sm_listener < 0) {
		log_error("cannot listen at %s: %s", ROOT_SM_PORT, strerror(errno));
		return -1;
	}
	if (root_seal() < 0 || init_events(smss) < 0)
		return -1;
	if (smss->record_dir >= 0 && record_open(smss->record_dir, smss->capacity) < 0)
		return -1;
	return adopt_begin(smss);
}

int smss_begin_service(struct smss *smss)
{
	if (!session_find(smss, 0) && load_console() < 0)
		return -1;
	return services_start(smss);
}

static void finish(struct smss *smss)
{
	struct event *events[] = { smss->admin_event, smss->sm_event, smss->stop_deadline,
		smss->child_event, smss->untold_event };

	while (!LIST_EMPTY(&smss->clients))
		client_destroy(LIST_FIRST(&smss->clients));
	accounts_fail();
	start_finish(smss);
	stats_finish(smss);
	alive_finish();
	for (size_t i = 0; i < sizeof(events) / sizeof(*events); i++)
		if (events[i])
			event_free(events[i]);
	for (int i = 0; i < SIGNALS; i++)
		if (smss->signals[i])
			event_free(smss->signals[i]);
	for (int i = 0; i < SERVICE_COUNT; i++)
		if (smss->services[i].restart)
			event_free(smss->services[i].restart);
	fd_close(&smss->child_signal);
	fd_close(&smss->sm_listener);
	fd_close(&smss->rdp_listener);
	if (smss->base)
		event_base_free(smss->base);
	record_close(smss->record_dir);
	table_finish(smss);
}

int smss_run(struct smss *smss)
{
	Smp = smss;
	smss->sm_listener = smss->child_signal = -1;
	/* workers that outlive a termsrv must not become somebody else's children */
	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	signal(SIGPIPE, SIG_IGN);
	if (begin(smss) < 0)
		smss->exit_status = 1;
	else
		event_base_dispatch(smss->base);
	finish(smss);
	return smss->exit_status;
}
