/*
 * lsass, termsrv and, where it is configured, metricsd: started, the first two connected with
 * one another, and started again when they end. A service that ends by itself before all were ever
 * ready has said why: the start fails, unless there are sessions that would be lost with it.
 */
#include "log.h"
#include "smss.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

/* A service that ends sooner than this after its start is started again only after it. */
enum { RESTART_PAUSE_US = 500000 };
/* termsrv asks for another port to lsass once in a second at most: so many in so long is no termsrv. */
enum { RECONNECTS_MAX = 30, RECONNECTS_US = 10000000 };

static int start(struct smss *smss, unsigned which)
{
	struct service *service = &smss->services[which];
	int pair[2];

	if (port_pair(pair) < 0)
		return -1;
	service->ready = false;
	service->started = clock_us();
	service->pid = process_start_service(smss, which, pair[1]);
	close(pair[1]);
	if (service->pid < 0) {
		service->pid = 0;
		close(pair[0]);
		return -1;
	}
	service->client = client_create(smss, pair[0], service->role, service->pid);
	if (!service->client)
		return -1;
	alive_watch(service->client, true); /* it answers when it has got ready */
	return 0;
}

static void restart_in(struct service *service, uint64_t us)
{
	struct timeval in = { .tv_sec = (time_t)(us / 1000000),
		.tv_usec = (suseconds_t)(us % 1000000) };

	event_add(service->restart, &in);
}

static void on_restart(int fd, short what, void *argument)
{
	struct smss *smss = argument;

	(void)fd;
	(void)what;
	for (unsigned i = 0; i < SERVICE_COUNT; i++)
		if (smss->services[i].name && smss->services[i].pid == 0 && !smss->stopping &&
		    start(smss, i) < 0) {
			log_error(
			    "cannot start %s again: %s", smss->services[i].name, strerror(errno));
			restart_in(&smss->services[i], RESTART_PAUSE_US);
		}
}

int services_start(struct smss *smss)
{
	smss->services[SERVICE_LSASS] = (struct service){ .name = "lsass", .role = CLIENT_LSASS };
	smss->services[SERVICE_TERMSRV] =
	    (struct service){ .name = "termsrv", .role = CLIENT_TERMSRV };
	if (smss->config->MetricsPort)
		smss->services[SERVICE_METRICSD] =
		    (struct service){ .name = "metricsd", .role = CLIENT_METRICSD };
	for (unsigned i = 0; i < SERVICE_COUNT && smss->services[i].name; i++) {
		smss->services[i].restart = evtimer_new(smss->base, on_restart, smss);
		if (!smss->services[i].restart || start(smss, i) < 0) {
			log_error("cannot start %s: %s", smss->services[i].name, strerror(errno));
			return -1;
		}
	}
	return 0;
}

/* Whether the start is none without it. In a later smss's a stranger may have taken the port that metricsd
   had before: that is no reason to serve nobody. */
static bool is_needed(const struct service *service)
{
	return service->name && (service->role != CLIENT_METRICSD || !adopt_replaces());
}

/* Whether its end is that of the whole service. */
static bool is_fatal(const struct smss *smss, const struct service *service, int wait_status)
{
	bool killed = WIFSIGNALED(wait_status) && WTERMSIG(wait_status) == SIGKILL;

	return !smss->was_ready && !killed && !adopt_any() && is_needed(service);
}

bool services_reaped(struct smss *smss, pid_t pid, int wait_status)
{
	struct service *service = NULL;
	uint64_t age;

	for (int i = 0; i < SERVICE_COUNT; i++)
		if (smss->services[i].pid == pid)
			service = &smss->services[i];
	if (!service)
		return false;
	service->pid = 0;
	client_hear_out(service->client);
	client_destroy(service->client);
	if (service == &smss->services[SERVICE_LSASS]) {
		accounts_fail();
		smss->account_asked = smss->account_set; /* else the next one is asked */
	}
	if (smss->stopping)
		return true;
	if (is_fatal(smss, service, wait_status)) {
		if (WIFSIGNALED(wait_status))
			log_error(
			    "%s was ended by signal %d", service->name, WTERMSIG(wait_status));
		/* what is wrong is the configuration, where the service says so */
		smss_stop(smss, WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == EX_CONFIG
		                    ? EX_CONFIG
		                    : 1);
		return true;
	}
	log_warn("%s has ended (%s %d): it is started again", service->name,
	    WIFSIGNALED(wait_status) ? "signal" : "status",
	    WIFSIGNALED(wait_status) ? WTERMSIG(wait_status) : WEXITSTATUS(wait_status));
	age = clock_us() - service->started;
	restart_in(service, age > RESTART_PAUSE_US ? 0 : RESTART_PAUSE_US - age);
	return true;
}

/* Both are up: they get a port to one another. */
static void introduce(struct smss *smss)
{
	struct msg_plain to_termsrv, to_lsass;
	int pair[2];

	port_header(&to_termsrv.h, TS_LSASS, sizeof(to_termsrv), 0);
	port_header(&to_lsass.h, LSA_PORT, sizeof(to_lsass), 0);
	if (port_pair(pair) < 0) {
		log_error("cannot connect termsrv with lsass: %s", strerror(errno));
		return;
	}
	client_send(smss->services[SERVICE_TERMSRV].client, &to_termsrv.h, pair[0]);
	client_send(smss->services[SERVICE_LSASS].client, &to_lsass.h, pair[1]);
	close(pair[0]);
	close(pair[1]);
}

struct service *services_of(const struct client *client)
{
	struct service *services = client->smss->services;

	for (int i = 0; i < SERVICE_COUNT; i++)
		if (services[i].client == client)
			return &services[i];
	return NULL;
}

int services_ready(struct client *client)
{
	struct smss *smss = client->smss;
	const struct service *metricsd = &smss->services[SERVICE_METRICSD];
	struct service *service = services_of(client);

	if (service && service->ready)
		return -1;
	if (service)
		service->ready = true;
	if (client != metricsd->client && smss->services[SERVICE_LSASS].ready &&
	    smss->services[SERVICE_TERMSRV].ready)
		introduce(smss);
	services_check(smss);
	return 0;
}

int services_reconnect(struct client *client, const PORT_MESSAGE *message, int *passed)
{
	static struct quota asked;
	struct smss *smss = client->smss;

	(void)message;
	(void)passed;
	if (!quota_take(&asked, RECONNECTS_MAX, RECONNECTS_US, clock_us()))
		return -1;
	if (!smss->services[SERVICE_LSASS].ready || !smss->services[SERVICE_TERMSRV].ready)
		return 0; /* they are introduced when they are */
	log_warn("the port between termsrv and lsass broke: they get another");
	introduce(smss);
	return 0;
}

/* The laboratory's account: made, or given its new password. True once that is done. */
static bool account_ready(struct smss *smss)
{
	uint16_t type = ACCT_ADD;

	if (!smss->lab_account)
		return true;
	if (smss->account_set && smss->account_status == STATUS_SUCCESS)
		return true;
	if (smss->account_set && smss->account_status == STATUS_OBJECT_NAME_COLLISION) {
		type = ACCT_PASSWD;
		smss->account_asked = false;
	} else if (smss->account_set) {
		log_error("cannot make the account %s: %s", smss->lab_account,
		    ntstatus_text(smss->account_status));
		smss_stop(smss, 1);
		return false;
	}
	if (!smss->account_asked) {
		smss->account_set = false;
		smss->account_asked = true;
		accounts_set(smss, type, smss->lab_account, smss->lab_password);
	}
	return false;
}

void services_check(struct smss *smss)
{
	struct session *console = session_find(smss, 0);

	if (smss->was_ready || smss->stopping)
		return;
	for (int i = 0; i < SERVICE_COUNT; i++)
		if (is_needed(&smss->services[i]) && !smss->services[i].ready)
			return;
	if (!account_ready(smss) || !console || console->step != SESSION_RUNNING)
		return;
	smss->was_ready = true;
	session_log_started(console);
	if (smss->ready(smss) < 0)
		smss_stop(smss, 1);
	start_refill(smss);
}

void services_stop(struct smss *smss)
{
	for (int i = 0; i < SERVICE_COUNT; i++)
		if (smss->services[i].pid > 0)
			kill(smss->services[i].pid, SIGKILL);
}
