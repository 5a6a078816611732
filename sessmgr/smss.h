/*
 * smss, the session manager: what its files share. Single-threaded, driven by libevent,
 * never blocks.
 *
 *   struct smss      the service: its root, cgroup, clients, sessions, service processes
 *   struct session   one MuSession: its processes and how far its creation has come
 *   struct client    a connected port: an administrator, a subsystem, termsrv, lsass
 *
 * A session's life:
 *   SmpStartCsr -> LOADING   csrss is created, suspended, released
 *   its CSR_CONNECT -> STARTING   a helper starts winlogon in csrss's namespaces
 *   the helper's report -> RUNNING   StartCsr is answered
 *   StopCsr, or the end of csrss or winlogon -> ENDING   everything is killed
 *   all its children reaped -> the id is free, StopCsr is answered
 */
#ifndef MUSESS_SMSS_H
#define MUSESS_SMSS_H

#include "clock.h"
#include "messages.h"
#include "ntstatus.h"
#include "options.h"

#include <event2/event.h>
#include <stdbool.h>
#include <sys/queue.h>
#include <sys/types.h>

/* The functions that model smss keep their frames, so that a debugger shows them. */
#define SMP_FRAME __attribute__((noinline, noipa))
#ifdef __clang__
#undef SMP_FRAME
#define SMP_FRAME __attribute__((noinline, optnone))
#endif

/* Paths in the private root (smss-root.c); every session sees the same. */
#define ROOT_BIN "/opt/musess/bin"
#define ROOT_SM_PORT "/opt/musess/SmApiPort"
#define ROOT_AP_PORT "/run/Windows/ApiPort"

/* Host ids of sessions and service processes begin here, above what systemd and
   /etc/subuid hand out; each session slot has a span of them. */
#define HOST_ID_FIRST 0x70000000u
#define HOST_ID_SPAN 2048u

/* Ids inside a session. In user mode there is one, the user's. */
enum { CSRSS_UID = 999, USER_UID = 1000 };

enum client_role {
	CLIENT_ADMINISTRATOR, /* came in on the service's own port */
	CLIENT_SUBSYSTEM,     /* came in on \SmApiPort; known by its process id */
	CLIENT_TERMSRV,
	CLIENT_LSASS,
	CLIENT_ROLE_COUNT
};

struct queued_message;

struct client {
	LIST_ENTRY(client) entry;
	struct smss *smss;
	enum client_role role;
	int port;
	pid_t pid;               /* as the kernel reports it */
	struct session *session; /* CLIENT_SUBSYSTEM once it is recognised */
	struct event *readable, *writable;
	STAILQ_HEAD(, queued_message) queue; /* what the peer has not read yet */
	size_t queued;                       /* bytes */
	unsigned queued_descriptors;
	bool cut_off; /* its end is to be read in the next turn */
};

enum session_step { SESSION_LOADING, SESSION_STARTING, SESSION_RUNNING, SESSION_ENDING };

struct session {
	struct smss *smss;
	uint32_t id;
	uint32_t slot;       /* of the host's user ids; lowest free one */
	uint32_t generation; /* tells it from a later one of its id */
	enum session_step step;
	enum session_state state;
	pid_t csrss, helper, winlogon; /* 0: none, or reaped */
	int csrss_pidfd;
	struct process_start *csrss_start; /* until csrss has connected; NULL */
	struct client *subsystem;          /* csrss's connection */
	struct client *starter, *stopper;  /* who waits for StartCsr, StopCsr */
	bool awaits_client;                /* termsrv is to connect one */
	SMAPIMSG start_call, stop_call;
	char command[COMMAND_SIZE]; /* UTF-8; empty: the default initial command */
	struct event *timeout;
	int32_t status; /* why it failed, for the starter */
	enum end_reason reason;
	bool logon_process_died; /* winlogon ended first, and not with csrss */
	struct msg_session info; /* what list and show tell */
};

struct service {
	const char *name;
	enum client_role role;
	pid_t pid;
	struct client *client;
	bool ready;
	uint64_t started; /* microseconds */
	struct event *restart;
};

enum { SERVICE_LSASS, SERVICE_TERMSRV, SERVICE_COUNT };

/* A helper's report comes within moments; a process id that is older than this is another
   process's by now. */
enum { UNKNOWN_MAX = 256, UNKNOWN_US = 1000000 };

struct smss {
	const struct musess_config *config;
	struct event_base *base;
	bool privileged; /* ids of their own for every session, service processes too */
	bool stopping;
	int exit_status;
	int state_dir, accounts_dir, tls_dir; /* descriptors */
	int certificate, private_key;         /* descriptors of configured files, or -1 */
	int cgroup;                           /* of the sessions, or -1 */
	int admin_listener, sm_listener;
	int reports; /* where helpers report the process ids of what they started */
	int report_to;
	/* the last children that were reaped and not known, and when */
	struct {
		pid_t pid;
		uint64_t reaped;
	} unknown[UNKNOWN_MAX];
	unsigned unknown_count;
	struct event *admin_event, *sm_event, *report_event, *signals[5], *stop_deadline;
	LIST_HEAD(, client) clients;
	struct session **sessions; /* by id; capacity MaxInstanceCount + 1 */
	uint32_t capacity, session_count, last_generation;
	uint8_t *slots; /* in use: 1 */
	struct service services[SERVICE_COUNT];
	uint16_t listening_port;
	const char *lab_account, *lab_password; /* made at the start; NULL: none */
	bool account_asked, account_set;
	int32_t account_status;
	int (*ready)(struct smss *smss); /* called once when everything is up; 0 or -1 */
	bool was_ready;
};

/* smss-root.c: the private root. */

/* A mount namespace of this process's own; in user mode a user namespace too. Returns 0,
   or -1 after logging what to do. */
int root_unshare(bool privileged);

/* A descriptor of the directory PATH that has no way up to the rest of the host: for the
   service processes' state. Between root_unshare and root_enter. -1 with errno. */
int root_directory(const char *path);

/*
 * Moves into a root, mounted at MOUNT_POINT, that holds nothing but /usr, what of /etc
 * programs need, devices and musess's own programs (from BIN). Descriptors opened before
 * stay good. Returns 0, or -1 after logging.
 */
int root_enter(const char *bin, const char *mount_point);

/* Makes the root read-only, for sessions too. Returns 0, or -1 after logging. */
int root_seal(void);

/* smss-cgroup.c: a cgroup for each session, where the system delegates one. */

/* Opens the subtree for sessions; -1 where nothing is delegated. Moves smss aside. */
int cgroup_open(void);
/* Makes session ID's cgroup with its limits; returns its descriptor or -1. */
int cgroup_create(int parent, uint32_t id, const struct musess_config *config);
/* Removes session ID's cgroup, which must be empty. */
void cgroup_remove(int parent, uint32_t id);
/* Removes what cgroup_open made. */
void cgroup_close(int parent);

/* smss-process.c: process creation. All return a process id or -1 with errno. */

/* Prepares what children need (the session's system call filter). 0 or -1. */
int process_init(void);

/*
 * What smss and a process that it has just created share until that executes its program: a
 * page of memory, so that a suspended process needs no descriptor to wait on.
 */
struct process_start {
	_Atomic uint32_t state; /* a futex: enum process_state */
	int error;              /* of what failed before the program was executed */
	char what[120];         /* empty: nothing did */
};

enum process_state { PROCESS_SUSPENDED, PROCESS_RUNS, PROCESS_GIVEN_UP };

/* What process_create makes: a child in new namespaces, suspended until released. */
struct process_new {
	pid_t pid;
	int pidfd;                   /* owned by the caller */
	struct process_start *start; /* likewise: process_forget */
};

/*
 * The creation of a session's csrss, suspended before its first instruction: new
 * namespaces, ids SLOT of their own, CGROUP (or -1). Fills *NEW. Returns 0, or -1 with
 * errno and nothing left behind.
 */
int process_create(
    struct smss *smss, const struct session *session, int cgroup, struct process_new *new);
/* Lets it run. */
void process_release(struct process_start *start);
/* Lets go of it; NULL is allowed. */
void process_forget(struct process_start *start);
/* A helper that joins SESSION's namespaces and starts winlogon there as smss's child. */
pid_t process_start_winlogon(struct smss *smss, const struct session *session, int cgroup);
/* The host's user id of a service process: owner of its state. */
uid_t process_service_uid(const struct smss *smss, unsigned which);
/* Starts lsass or termsrv: 3 PORT, 4 its state directory, and for termsrv 5 the
   configuration, 6 and 7 the configured certificate and key. */
pid_t process_start_service(struct smss *smss, unsigned which, int port);
/* What a helper reports. */
struct process_report {
	uint32_t session;
	pid_t helper, winlogon; /* -1: it failed */
	int error;
};

/* smss-client.c: ports and their clients. */

/* Makes a client of PORT (owned from now on). NULL where memory is out (PORT closed). */
struct client *client_create(struct smss *smss, int port, enum client_role role, pid_t pid);
/* Cuts a client off and forgets it everywhere. NULL is allowed. */
void client_destroy(struct client *client);
/* Sends, or queues up to a bound; over it the client is destroyed and -1 returned. */
int client_send(struct client *client, const PORT_MESSAGE *message, int passed);
/* Listens at PATH. Returns the descriptor or -1 with errno. */
int client_listen(const char *path, unsigned mode);
/* Accepts what waits on the listeners. Callbacks for libevent. */
void client_accept(int listener, short what, void *smss);

/* smss-api.c: the SM API. */

/* One message from a client; decides by the dispatch tables. Returns 0, or -1 where the
   sender broke framing or policy and has to be cut off. */
int SmpApiLoop(struct client *client, PORT_MESSAGE *message, size_t size, int *passed);
/* Answers a call. */
void sm_reply(struct client *client, SMAPIMSG *call, int32_t status);

/* smss-session.c: the session table and a session's life. */

/* The lowest free id >= 1 (0 with CONSOLE); NULL with *STATUS where there is none. */
struct session *session_create(struct smss *smss, bool console, int32_t *status);
struct session *session_find(struct smss *smss, uint32_t id);
struct session *session_of_process(struct smss *smss, pid_t pid);
/* csrss has connected: the initial command comes next. */
void session_ready(struct session *session);
/* The line that says so. */
void session_log_started(const struct session *session);
/* A helper's report. */
void session_started(struct smss *smss, const struct process_report *report);
/* Ends it; REASON is told to the client at its screen. Safe to call twice. */
void session_stop(struct session *session, enum end_reason reason, int32_t status);
/* A child of smss was reaped: true where it belonged to a session. */
bool session_reaped(struct smss *smss, pid_t pid, int wait_status);
/* Starts the timer of csrss's connection. */
void session_expect(struct session *session, uint32_t milliseconds);

/* The chain of the transcript (lines 103-115). */
int32_t SmpStartCsr(SMAPIMSG *SmApiMsg, struct client *CallingClient, int CallPort);
int32_t SmpStopCsr(SMAPIMSG *SmApiMsg, struct client *CallingClient, int CallPort);
int32_t SmpLoadSubSystemsForMuSession(struct smss *smss, uint32_t *pMuSessionId,
    uint32_t *pWindowsSubSysProcessId, const char *InitialCommand);

/* smss-service.c: lsass and termsrv. */

/* Starts both. Returns 0 or -1 after logging. */
int services_start(struct smss *smss);
/* A child was reaped: true where it was a service process; restarts it. */
bool services_reaped(struct smss *smss, pid_t pid, int wait_status);
/* LSA_READY or TS_READY. Returns 0, or -1 where it was said before. */
int services_ready(struct client *client);
/* Ends both. */
void services_stop(struct smss *smss);
/* Calls ready once console, lsass and termsrv are up. */
void services_check(struct smss *smss);

/* smss-control.c: what musessctl asks. Each answers CLIENT with MESSAGE_ID. */

void control_list(struct client *client, uint32_t message_id);
void control_service(struct client *client, uint32_t message_id);
void control_version(struct client *client, uint32_t message_id);
/* An ACCT_ call: passed on to lsass, its answers passed back. */
void accounts_ask(struct client *client, const PORT_MESSAGE *call);
void accounts_answer(struct smss *smss, const PORT_MESSAGE *answer);
/* smss's own call (ACCT_ADD, ACCT_PASSWD); its answer is account_status, and then
   services_check runs. Returns 0 or -1. */
int accounts_set(struct smss *smss, uint16_t type, const char *name, const char *password);
/* CLIENT is gone: no answer may reach it. */
void accounts_forget(const struct client *client);
/* lsass is gone: everybody who waits is told. */
void accounts_fail(void);

/* smss.c */

/*
 * Runs the service until SIGINT or SIGTERM: everything in *SMSS that is a descriptor,
 * config, privileged and ready must be filled in, and root_enter done. Returns the exit
 * status.
 */
int smss_run(struct smss *smss);
/* Exit statuses of the service: 1 is any failure that was said. */
enum { EXIT_WINDOWS_SUBSYSTEM = 3, EXIT_WINDOWS_LOGON_PROCESS = 4 };

/* Begins the end of the service. */
void smss_stop(struct smss *smss, int exit_status);

#endif
