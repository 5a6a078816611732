/*
 * smss, the session manager: what its files share. Single-threaded, driven by libevent,
 * never blocks.
 *
 *   struct smss       the service: its root, cgroup, clients, sessions, service processes
 *   struct session    one MuSession: its processes and how far its creation has come
 *   struct subsystem  a known subsystem of a session: csrss, psxss; it is its process
 *   struct client     a connected port: an administrator, a subsystem, termsrv, lsass
 *   struct call       a call of the SM API that is answered later
 *
 * A session's life:
 *   SmpStartCsr -> LOADING   csrss is created, suspended, released; it connects; the other
 *                            Required subsystems likewise, one after another
 *   the last of them -> STARTING   the initial command (winlogon) is started
 *   its report, and the end of who started it -> RUNNING   StartCsr is answered
 *   WS_CONNECT -> its user's client is at its screen, until it goes, or another comes
 *   StopCsr, or the end of csrss or winlogon -> ENDING   everything is killed
 *   all its processes reaped -> the id is free, StopCsr is answered
 */
#ifndef MUSESS_SMSS_H
#define MUSESS_SMSS_H

#include "clock.h"
#include "messages.h"
#include "ntstatus.h"
#include "options.h"
#include "quota.h"

#include <event2/event.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/queue.h>
#include <sys/types.h>

/* Paths in the private root (smss-root.c); every session sees the same. */
#define ROOT_BIN "/opt/musess/bin"
#define ROOT_SM_DIR "/opt/musess/port"
#define ROOT_SM_PORT ROOT_SM_DIR "/SmApiPort"
#define ROOT_AP_PORT "/run/Windows/ApiPort"

/* Host ids of sessions and service processes begin here, above what systemd and
   /etc/subuid hand out; each session slot has a span of them. */
#define HOST_ID_FIRST 0x70000000u
#define HOST_ID_SPAN 2048u
enum { SERVICE_IDS = 16 }; /* of the service processes, before the sessions' */

/* Ids inside a session. In user mode there is one, the user's. */
enum { CSRSS_UID = 999, USER_UID = 1000 };

/* Sessions beyond MaxInstanceCount: the console and the pool's. */
enum { EXTRA_SESSIONS = 1 + POOL_MAX };

enum client_role {
	CLIENT_ADMINISTRATOR, /* came in on the service's own port */
	CLIENT_SUBSYSTEM,     /* came in on \SmApiPort; known by its process id */
	CLIENT_CALLBACK,      /* a subsystem's SbApiPort, to which smss has connected */
	CLIENT_TERMSRV,
	CLIENT_LSASS,
	CLIENT_METRICSD,
	CLIENT_USER, /* a process in a session, which came in on \SmApiPort */
	CLIENT_ROLE_COUNT
};

struct queued_message;
struct speaker;

struct client {
	LIST_ENTRY(client) entry;
	struct smss *smss;
	enum client_role role;
	int port;
	pid_t pid;                    /* as the kernel reports it */
	uint32_t follows;             /* events: under this message id; 0: it does not */
	uint32_t session_id, session; /* USER: its session's id and generation */
	struct subsystem *subsystem;  /* SUBSYSTEM once it is recognised, CALLBACK always */
	int passed;                   /* that came with the call under way; -1: none */
	unsigned calls;               /* that wait for an answer */
	struct event *readable, *writable;
	STAILQ_HEAD(, queued_message) queue; /* what the peer has not read yet */
	size_t queued;                       /* bytes */
	unsigned queued_descriptors;
	bool cut_off; /* its end is to be read in the next turn */
	struct quota messages;
	struct event *resume;    /* reading, of who has sent too many; NULL until it had to pause */
	struct speaker *speaker; /* smss-log.c; NULL until it had a line for the log */
	/* whether it is there still (smss-alive.c) */
	TAILQ_ENTRY(client) in_queue;
	bool watched;    /* it is in the queue */
	bool asked;      /* and has not answered */
	bool answers;    /* it is of a build that does */
	unsigned silent; /* turns since it was asked */
	uint64_t due;    /* its next turn */
};

/* A call that is answered later: one of the SM API, CTL_EXEC, or one about a session. */
struct call {
	TAILQ_ENTRY(call) entry; /* where it waits: the queue of starts, a subsystem */
	LIST_ENTRY(call) in_all;
	struct client *client; /* NULL once it is gone */
	union {
		PORT_MESSAGE h;
		SMAPIMSG sm;
		struct msg_exec exec;
		struct msg_control control;
		struct msg_box box;
	} m;
	int passed; /* that came with it; owned; -1: none */
};
TAILQ_HEAD(call_queue, call);

/* A subsystem of a session, known by its process. */
struct subsystem {
	LIST_ENTRY(subsystem) entry;
	struct session *session;
	char name[SUBSYSTEM_NAME_SIZE];
	const char *command;
	uint32_t type;  /* 0 until it has connected */
	bool required;  /* its end is the session's */
	bool connected; /* smss has its SbApiPort */
	pid_t pid;      /* 0: not created yet, or reaped */
	bool ordered;   /* its process is being created */
	bool failed;    /* it was, or had one, which is ended; who asks now waits for the next */
	unsigned start; /* its place in the session space */
	bool calling;   /* its process has a connection, which may have said nothing yet */
	struct client *client;   /* its connection; NULL before, and after its end */
	struct client *callback; /* its SbApiPort */
	struct event *timeout;
	struct call_queue waiting; /* who waits until it is loaded */
};

/*
 * The session space: memory that smss shares with the processes which it creates in a session
 * until they execute their programs, so that one that is suspended needs no descriptor to wait
 * on. One place for each subsystem and one for the initial command.
 */
struct process_start {
	_Atomic uint32_t state; /* a futex: enum process_state */
	pid_t pid;              /* as the kernel told; of what was not reported, too */
	int error;              /* of what failed before the program was executed */
	bool executing;         /* it was the program itself */
	char what[118];         /* empty: nothing did */
};

enum process_state { PROCESS_SUSPENDED, PROCESS_RUNS };
enum { SPACE_STARTS = SUBSYSTEMS_MAX + 1, SPACE_INITIAL_COMMAND = SUBSYSTEMS_MAX };

struct session_space {
	struct process_start starts[SPACE_STARTS];
};

/* What process_create is asked for, and what whoever does it reports. */
enum process_kind { PROCESS_WINDOWS, PROCESS_SUBSYSTEM, PROCESS_INITIAL_COMMAND };

struct process_order {
	enum process_kind kind;
	unsigned start;                 /* place in the session space */
	bool last;                      /* whoever does it leaves then */
	pid_t windows;                  /* process 1 of the session, but for PROCESS_WINDOWS */
	char command[OPTION_TEXT_SIZE]; /* the program and its arguments; of the initial command
	                                   what winlogon is to run */
};

struct process_report {
	enum process_kind kind;
	unsigned start;
	pid_t pid; /* -1: it failed */
	int error;
};

/* Where the client of a session is on its way to: while csrss is asked for its display port. */
struct move {
	uint32_t session, generation; /* the other session; generation 0: it is on no way */
	bool stop;                    /* this one ends then, else it is disconnected */
};

enum session_step {
	SESSION_LOADING,
	SESSION_STARTING,
	SESSION_RUNNING,
	SESSION_ENDING,
	SESSION_GONE /* it is about to be freed: probes alone see it */
};

struct session {
	struct smss *smss;
	uint32_t id;
	uint32_t slot;       /* of the table and of the host's user ids; lowest free one */
	uint32_t generation; /* tells it from a later one of its id */
	LIST_ENTRY(session) same_bucket;
	enum session_step step;
	enum session_state state;
	struct session_space *space;
	LIST_HEAD(, subsystem) subsystems;
	struct subsystem *windows;     /* csrss */
	unsigned next_required;        /* of smss->required: which is loaded next */
	pid_t winlogon;                /* 0: none, or reaped */
	pid_t creator;                 /* the short-lived smss that starts its processes */
	int creator_port, creator_far; /* the far end, until it has reported: it has its own then */
	struct event *creator_event;
	int creator_pidfd; /* -1: none */
	struct event *creator_end;
	unsigned creator_orders;        /* under way */
	struct call *starter, *stopper; /* who waits for StartCsr, StopCsr */
	bool awaits_client;             /* termsrv is to connect one */
	bool awaited;                   /* of an earlier smss: its csrss has not come yet */
	/* who is at its screen (smss-winstation.c) */
	LIST_ENTRY(session) same_user;
	bool of_user;        /* it is in the list of its user's sessions */
	bool logged_on;      /* its user's command was ordered: it is kept without a client */
	bool painted_early;  /* its picture was heard of before its shell */
	bool shell_told;     /* that its user's command was started */
	bool choosing;       /* the user says which session it shall be */
	uint32_t connection; /* smss's number of the client; 0: there is none */
	uint32_t csrss_id, winlogon_id;     /* what they were, for its last event */
	uint64_t csrss_born, winlogon_born; /* process_born */
	uint64_t namespace;                 /* process_namespace */
	uint32_t worker;                    /* termsrv's number of who serves it; NO_WORKER */
	struct move move;
	uint8_t cookie[COOKIE_SIZE]; /* with which its client may come back; zero: none */
	/* limits (smss-limits.c); microseconds */
	uint64_t connected, disconnected, input;
	struct event *limit;
	enum end_reason warned;     /* of which limit, since the last key */
	bool command_ended;         /* of the user; winlogon ends as it should */
	enum end_reason leaving;    /* why its user is being logged off; END_NONE: by himself */
	struct call_queue boxes;    /* who waits for a box to be answered */
	unsigned users;             /* connections of its users */
	struct quota knocks;        /* of theirs at \SmApiPort */
	bool in_flight;             /* counts as being created */
	bool pooled;                /* idle, made ahead: nobody has it */
	bool ends_idle;             /* it was, and ends */
	uint64_t ready_since;       /* microseconds; RUNNING since */
	char command[COMMAND_SIZE]; /* UTF-8; empty: the default initial command */
	struct event *timeout;
	int32_t status; /* why it failed, for the starter */
	enum end_reason reason;
	bool logon_process_died; /* winlogon ended first, and not with csrss */
	/* the Required subsystem that ran and ended first; empty: none */
	char died[SUBSYSTEM_NAME_SIZE];
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

/* The first two are always there, metricsd where it is configured: elsewhere it has no name. */
enum { SERVICE_LSASS, SERVICE_TERMSRV, SERVICE_METRICSD, SERVICE_COUNT };

/* A name of Required or Optional, with its command. */
struct known_name {
	char name[SUBSYSTEM_NAME_SIZE];
	const char *command;
};

LIST_HEAD(pid_bucket, pid_entry);
LIST_HEAD(id_bucket, session);
LIST_HEAD(user_bucket, session);

enum { NO_WORKER = 0xffffffff };

struct smss {
	struct musess_config *config; /* CTL_RELOAD changes it */
	/* Reads the configuration file again into *FRESH, and the configured certificate with its key
	   into *CERTIFICATE, a memory file, or -1 where it is the same: 0, or -1 with what is wrong in
	   REPORT. NULL where there is no configuration file. */
	int (*reload)(
	    struct smss *smss, struct musess_config *fresh, int *certificate, FILE *report);
	/* what that reads (struct msg_reloaded); NULL: nobody knows */
	void (*named)(struct named_file *files);
	struct event_base *base;
	bool privileged; /* ids of their own for every session, service processes too */
	bool stopping;
	uint32_t keeps; /* seconds that a csrss waits for a later smss; 0: it ends with this one */
	bool terminal;  /* SIGHUP tells that it was closed */
	int exit_status;
	int state_dir, accounts_dir, tls_dir; /* descriptors */
	int certificate;  /* the configured one with its key, in a memory file; or -1 */
	int rdp_listener; /* termsrv's, kept for the next: who connects meanwhile waits; or -1 */
	/* Has the service manager keep it too, where there is one. */
	void (*keep_listener)(int listener);
	/* Tells the service manager, where there is one, TEXT (sd_notify). */
	void (*notify)(const char *text);
	uint64_t watchdog; /* microseconds in which it wants to hear of smss; 0: it does not */
	int cgroup;        /* of the sessions, or -1 */
	int record_dir;    /* of the record; -1: none is kept */
	int sm_dir;        /* of \SmApiPort */
	int admin_listener, sm_listener;
	int child_signal;
	struct event *admin_event, *sm_event, *signals[5], *stop_deadline;
	struct event *child_event, *untold_event; /* of the ends of children */
	LIST_HEAD(, client) clients;
	LIST_HEAD(, call) calls; /* all that wait for an answer */
	/* the session table (smss-table.c) */
	struct session **slots; /* CAPACITY of them */
	uint32_t capacity, session_count, pooled_count, last_generation, last_id;
	uint32_t ending_idle; /* sessions */
	struct id_bucket *ids;
	struct pid_bucket *pids;
	struct user_bucket *users;
	uint32_t last_connection, last_box;
	enum drain_mode drain;         /* CTL_DRAIN's; fDenyTSConnections comes on top */
	struct msg_stats stats;        /* what is counted */
	struct call_queue stats_asked; /* who asks for it (smss-stats.c) */
	struct event *stats_deadline;
	/* the subsystem list */
	struct known_name required[SUBSYSTEMS_MAX], optional[SUBSYSTEMS_MAX];
	unsigned required_count, optional_count;
	/* the start of sessions (smss-start.c) */
	struct call_queue starts; /* StartCsr that waits for its turn */
	unsigned queued_starts, in_flight, in_flight_max;
	bool start_full;     /* a StartCsr that is about to be refused is one too many */
	uint32_t pool_size;  /* IdleWinStationPoolCount, now */
	uint32_t pool_pause; /* milliseconds; 0: none */
	uint64_t last_start; /* of a session that a StartCsr asked for; microseconds */
	struct event *start_event, *pool_event;
	struct service services[SERVICE_COUNT];
	pid_t digger; /* smss-bury.c; 0: none */
	uint16_t listening_port;
	const char *lab_account, *lab_password; /* made at the start; NULL: none */
	bool account_asked, account_set;
	int32_t account_status;
	int (*ready)(struct smss *smss); /* called once when everything is up; 0 or -1 */
	bool was_ready;
};

/* The one that runs in this process: where a debugger begins. */
extern struct smss *Smp;

/* A function of the chain: whoever attaches a debugger finds a frame of it in every build, one
   with link-time optimization included. */
#define SMP_FRAME __attribute__((noinline))

/* smss-root.c: the private root. */

/* A mount namespace of this process's own; in user mode a user namespace too. Returns 0,
   or -1 after logging what to do. */
int root_unshare(bool privileged);

/* A descriptor of the directory PATH that has no way up to the rest of the host: for the
   service processes' state. Between root_unshare and root_enter. -1 with errno. */
int root_directory(const char *path);

/*
 * Moves into a root, mounted at MOUNT_POINT, that holds nothing but /usr, what of /etc
 * programs need, devices, musess's own programs (from BIN) and the directory of \SmApiPort (from
 * PORT), which outlives this process. Descriptors opened before
 * stay good. Returns 0, or -1 after logging.
 */
int root_enter(const char *bin, const char *port, const char *mount_point);

/* Makes the root read-only, for sessions too. Returns 0, or -1 after logging. */
int root_seal(void);

/* smss-cgroup.c: a cgroup for each session, where the system delegates one. */

/* Opens the subtree for sessions, which KEY tells from those of other services; -1 where nothing
   is delegated. Moves smss aside. */
int cgroup_open(uint64_t key);
/* Whether sessions' cgroups below PARENT, which may be -1, have a limit of memory. */
bool cgroup_bounds_memory(int parent);
/* Makes session ID's cgroup with its limits; returns its descriptor or -1. */
int cgroup_create(int parent, uint32_t id, const struct musess_config *config);
/* Removes session ID's cgroup, which must be empty. */
void cgroup_remove(int parent, uint32_t id);
/* Removes what cgroup_open made. */
void cgroup_close(int parent);

/* smss-process.c: process creation. */

/* Prepares what children need (the session's system call filter). 0 or -1. */
int process_init(const struct smss *smss);
/* Makes SESSION's space. 0, or -1 with errno. */
int process_space_create(struct session *session);
/* Lets go of it; a session without one is allowed. */
void process_space_destroy(struct session *session);

/*
 * Creates a process of SESSION as ORDER says. csrss and subsystems are suspended before their
 * first instruction; the initial command runs. Where creation is serial, and for the console, smss creates csrss
 * itself, and *PID is its process id; everything else a short-lived smss does, which reports
 * (session_created), and *PID is 0. Returns 0, or -1 with errno and nothing left behind.
 */
SMP_FRAME int process_create(
    struct session *session, const struct process_order *order, pid_t *pid);
/* Lets a suspended process run. */
void process_release(struct process_start *start);
/* Ends the short-lived smss: at once, or when its order is done where it has one. */
void process_creator_dismiss(struct session *session);
/* It has ended, or is never to be: what smss kept of it is let go. */
void process_creator_forget(struct session *session);
/* What it reported and was not read yet. */
void process_creator_reports(struct session *session);
/* The host's user id of a service process: owner of its state. */
uid_t process_service_uid(const struct smss *smss, unsigned which);
/* Starts service WHICH: 3 PORT, 4 its state directory, 5 the configuration but for lsass, and for
   termsrv 6 the configured certificate and key, 7 the listener of an earlier one. Process id, or -1 with errno. */
pid_t process_start_service(struct smss *smss, unsigned which, int port);
/*
 * Connects to the socket at PATH as process PID sees it, without following links out of what
 * PID sees, and only where PID itself listens there. Never waits. Returns the port, or -1 with
 * errno (EACCES: somebody else listens).
 */
int process_connect(pid_t pid, const char *path);
/*
 * What the kernel says of the process behind PIDFD, which is in the process id NAMESPACE: its id
 * here into *PID, that in its innermost namespace into *INNER, and whether it is suspended. 0, or
 * -1 where it is gone, in another namespace, or PIDFD is no pidfd.
 */
int process_identify(int pidfd, uint64_t namespace, pid_t *pid, pid_t *inner, bool *suspended);
/* PID's state as /proc has it, 'Z' say; 0: it is gone. */
char process_state(pid_t pid);
/* Whether PID is under a debugger. */
bool process_traced(pid_t pid);
/* When PID was started, in ticks since the boot: with its number it is no other's. 0: it is gone. */
uint64_t process_born(pid_t pid);
/* The number of the process id namespace that PID is in; 0: it is gone, or may not be looked at. */
uint64_t process_namespace(pid_t pid);
/* The session that a process is in, as the kernel says: by its namespace and, where sessions have
   ids of their own, its id. NULL: none that runs. */
struct session *process_session(struct smss *smss, pid_t pid, uid_t uid);

/* smss-child.c: what the processes that smss forks do before they execute their programs. */

/* clone3 with what all children have in common; as clone3. The process id is in *TOLD before
   the child runs; NULL is allowed. Where PIDFD is not NULL the child's end is told by *PIDFD alone,
   which is the caller's to close, and not by SIGCHLD. */
pid_t child_spawn(uint64_t flags, int cgroup, pid_t *told, int *pidfd);
/* The namespaces of a session. */
extern const uint64_t child_session_namespaces;
/* Where memory is out the kernel ends this process, and those it forks, before services. Not for one
   that shares its memory: the kernel would look through all processes for the others. */
void child_end_before_services(void);
/* The child that becomes csrss: in new namespaces, suspended until it is released. */
_Noreturn void child_windows(const struct session *session, const struct process_order *order);
/* The short-lived smss: does what orders about SESSION arrive at PORT. */
_Noreturn void child_creator(const struct session *session, int port);
/* Writes the id maps of PID, a child of this process in a new user namespace of SESSION. 0, or
   -1 with errno. */
int child_map_session(const struct session *session, pid_t pid);
/* The child that becomes service WHICH once GO has a byte; FDS from 3 on, -1: /dev/null. */
enum { SERVICE_FDS = 5 };
_Noreturn void child_service(
    const struct smss *smss, unsigned which, const char *image, int go, const int *fds);
/* Writes MAP as the id maps of PID. 0, or -1 with errno. */
int child_map_ids(const struct smss *smss, pid_t pid, const char *map);
/* filter_prepare, after which children can load it. 0, or -1 after logging. */
int child_prepare(const struct smss *smss);

/* smss-client.c: ports and their clients. */

/* Makes a client of PORT (owned from now on). NULL where memory is out (PORT closed). */
struct client *client_create(struct smss *smss, int port, enum client_role role, pid_t pid);
/* Cuts a client off and forgets it everywhere. NULL is allowed. */
void client_destroy(struct client *client);
/* Whether what CLIENT does wrong is worth a line of the log: of users, who can do so without end, one
   a second is. */
bool client_may_be_logged(const struct client *client);
/* PID was reaped: what it had connected, and its children may hold, must not be taken for that
   of a later process of its id. */
void client_forget_process(struct smss *smss, pid_t pid);
/* Sends, or queues up to a bound; over it the client is destroyed and -1 returned. */
int client_send(struct client *client, const PORT_MESSAGE *message, int passed);
/* CLIENT, a process of a user, speaks for SESSION. */
void client_set_session(struct client *client, struct session *session);
/* Closes *FD, which CLIENT passed (NULL: who is gone, perhaps a session's), or has that done. */
void client_let_go(const struct client *client, int *fd);

/* Its process has ended: what it said of that for the log was not read yet, perhaps, and is now. NULL is
   allowed. */
void client_hear_out(struct client *client);

/* smss-log.c: the lines of those who have no log. */

/* LOG_LINE. 0, or -1 where it is none, or another's. */
int client_speaks(struct client *client, const PORT_MESSAGE *m, int *passed);
/* It is leaving: how much was left out is said. */
void client_says_no_more(struct client *client);

/* smss-accept.c: who is let in. */

/* Listens at PATH. Returns the descriptor or -1 with errno. */
int client_listen(const char *path, unsigned mode);
/* Accepts some of what waits at a listener. Callback for libevent. */
void client_accept(int listener, short what, void *smss);
/* Accepts all that waits at \SmApiPort now. */
void client_accept_waiting(struct smss *smss);

/* smss-bury.c: descriptors that came from sessions. */

/* Has *FD closed, without the time that takes, and leaves -1. Its number stays taken until then. */
void bury_descriptor(struct smss *smss, int *fd);
/* A child was reaped: true where it was who closed some. */
bool bury_reaped(struct smss *smss, pid_t pid);

/* Keeps CALL (SIZE bytes) of CLIENT, and PASSED, which it owns from now on. NULL where CLIENT
   has too many or memory is out; PASSED is closed then. */
struct call *call_keep(struct client *client, const PORT_MESSAGE *call, size_t size, int passed);
/* Answers it, where its client is still there, and frees it. NULL is allowed. */
void call_answer(struct call *call, int32_t status);
/* Frees it without an answer. */
void call_drop(struct call *call);

/* smss-api.c: the SM API. */

/* One message from a client; decides by the dispatch tables. Returns 0, or -1 where the
   sender broke framing or policy and has to be cut off. */
SMP_FRAME int SmpApiLoop(struct client *client, PORT_MESSAGE *message, size_t size, int *passed);
/* Answers a call. */
void sm_reply(struct client *client, SMAPIMSG *call, int32_t status);

/* smss-table.c: sessions by slot, by id and by process. */

/* Makes the table of CAPACITY sessions. 0 or -1. */
int table_init(struct smss *smss, uint32_t capacity);
void table_finish(struct smss *smss);
/*
 * Gives SESSION a slot, a generation, and an id by the policy: 0 with CONSOLE, else 1 or
 * higher. 0, or -1 where there is none.
 */
int table_add(struct smss *smss, struct session *session, bool console);
void table_remove(struct session *session);
struct session *session_find(struct smss *smss, uint32_t id);
/* The session that process PID, which is none of its subsystems perhaps, belongs to: as its
   csrss, another subsystem, winlogon, or short-lived smss. NULL where there is none. */
struct session *session_of_process(struct smss *smss, pid_t pid);
/* The known subsystem that is process PID, or NULL. */
struct subsystem *subsystem_of_process(struct smss *smss, pid_t pid);
/* PID belongs to SESSION from now on (SUBSYSTEM: as that one). 0, or -1: memory is out. */
int table_add_process(struct session *session, struct subsystem *subsystem, pid_t pid);
/* The same of a process that is no child of this smss: PIDFD, which is taken, tells of its end. */
int table_adopt_process(struct session *session, struct subsystem *subsystem, pid_t pid, int pidfd);
void table_remove_process(struct smss *smss, pid_t pid);
/* Kills a process of a session: a child, or one that was adopted. */
void table_kill(struct smss *smss, pid_t pid);
/* SESSION is in SLOT, and has its numbers already. 0, or -1 where that is taken. */
int table_add_at(struct smss *smss, struct session *session);
/* The sessions of USER that he logged on to, or is about to: a list to go through by same_user,
   in which others may be. */
struct user_bucket *table_users(struct smss *smss, const char *user);
/* SESSION is one of its user's, info.user, from now on. */
void table_add_user(struct session *session);
/* More sessions than before, or as many as there are. 0, or -1. */
int table_resize(struct smss *smss, uint32_t capacity);
/* How many sessions clients have or are to have: neither the console nor the pool's, nor what
   was the pool's and ends. */
uint32_t table_used(const struct smss *smss);

/* smss-session.c: a session's life. */

/* A session with a slot, an id and nothing else: neither its space nor a subsystem. NULL with
   *STATUS where there is none. */
struct session *session_create(struct smss *smss, bool console, int32_t *status);
/* The session of an earlier smss, in its SLOT. NULL where memory is out. */
struct session *session_restore(struct smss *smss, uint32_t slot, uint32_t id, uint32_t generation);
/* It is none after all: without a process. */
void session_forget(struct session *session);
/* A subsystem has connected, or none is left to be loaded: what comes next is begun. */
void session_advance(struct session *session);
/* The line that says why the service cannot start. */
void session_log_no_console(void);
/* The line that says that it runs. */
void session_log_started(const struct session *session);
/* query session's state of it. */
void session_set_state(struct session *session, enum session_state state);
/* A process of it was created. */
void session_created(struct session *session, const struct process_report *report);
/* Its short-lived smss is of no more use, without having reported what it was to. */
void session_creator_lost(struct session *session);
/* Ends it; REASON is told to the client at its screen. Safe to call twice. */
void session_stop(struct session *session, enum end_reason reason, int32_t status);
/* Its user's programs are told to end; what does not is killed. REASON as in session_stop. */
void session_logoff(struct session *session, enum end_reason reason);
/* SUBSYSTEM, which is Required, cannot be loaded or is gone: so is its session. */
void session_lose_subsystem(struct subsystem *subsystem, int32_t status);
/* A child of smss has ended, and is to be reaped now: whoever created it has ended before, and what he
   said of it may not be read yet. */
void session_hear_of(struct smss *smss, pid_t pid);
/* A child of smss was reaped: true where it belonged to a session. */
bool session_reaped(struct smss *smss, pid_t pid, int wait_status);
/* The status that tells ERROR of the creation of a process, and whether the program itself
   was the reason. */
int32_t session_status(int error, bool executing);

/* smss-record.c: what a later smss has to know of the sessions. */
struct record {
	/* with these every build begins a record, in this order: by them another one finds and ends
	   what it cannot go on with */
	uint32_t generation, id;
	uint32_t step, state;
	int32_t csrss, winlogon;
	uint64_t csrss_born, winlogon_born; /* process_born */
	/* what follows grows at its end alone; any other change of it, or of what it is made of, is
	   another RECORD_VERSION */
	uint64_t namespace;
	uint32_t connection, logged_on, pooled;
	uint32_t awaits_client, leaving, command_ended;
	uint8_t cookie[COOKIE_SIZE];
	uint64_t connected, disconnected, input;
	char command[COMMAND_SIZE];
	struct msg_session info;
};

/* The fields that are a session's as they are. */
#define RECORD_SAME(X)                                                                             \
	X(namespace)                                                                               \
	X(connection)                                                                              \
	X(logged_on)                                                                               \
	X(pooled)                                                                                  \
	X(leaving)                                                                                 \
	X(command_ended)                                                                           \
	X(connected)                                                                               \
	X(disconnected)                                                                            \
	X(input)                                                                                   \
	X(info)

/* Opens the record in DIR, that of an earlier smss, of another build perhaps, or a new one, for
   CAPACITY sessions. 0, or -1 after logging. Without it nothing is recorded. */
int record_open(int dir, uint32_t capacity);
/* For more sessions than before. 0, or -1 after logging: those beyond are not recorded. */
int record_grow(uint32_t capacity);
/* The service ends, and its sessions with it: nobody needs the record. */
void record_close(int dir);
void record_update(const struct session *session);
void record_clear(const struct session *session);
/* The numbers that are never given twice. */
void record_counters(const struct smss *smss);
void record_read_counters(struct smss *smss);
uint32_t record_capacity(void);
/* The record of a slot below the capacity. False where there is none. */
bool record_read(uint32_t slot, struct record *record);

/* smss-adopt.c: the sessions of an smss that has ended. */

/* Looks for them; smss_begin_service is called when they are there. 0, or -1. */
int adopt_begin(struct smss *smss);
/* CSR_ADOPT. */
int adopt_csrss(struct client *client, const PORT_MESSAGE *message, int *passed);
/* Whether there were any. */
bool adopt_any(void);
/* Whether this smss is in the place of one that ended without an order to stop: it is on record at
   least with its console. */
bool adopt_replaces(void);
/* SESSION has ended; perhaps it was awaited. True where it is an earlier smss's console, which this
   one ended to make its own. */
bool adopt_lost(struct session *session);

/* smss-winstation.c: who is at which session's screen. */

/* termsrv's messages about clients. Each returns 0, or -1 where the sender is cut off. */
int winstation_connect(struct client *client, const PORT_MESSAGE *message, int *passed);
int winstation_logon(struct client *client, const PORT_MESSAGE *message, int *passed);
int winstation_cookie(struct client *client, const PORT_MESSAGE *message, int *passed);
/* csrss's: its client is gone; hands it over; its user chose a session. */
int winstation_disconnected(struct client *client, const PORT_MESSAGE *message, int *passed);
int winstation_display(struct client *client, const PORT_MESSAGE *message, int *passed);
int winstation_choice(struct client *client, const PORT_MESSAGE *message, int *passed);
/* The client at SESSION's screen is told REASON and let go; the session is kept where its user
   has logged on, else ended. STATUS_SUCCESS, or why not. */
int32_t winstation_detach(struct session *session, enum end_reason reason);
/* The client at FROM's screen becomes TO's (tscon). STATUS_SUCCESS: it is on its way. */
int32_t winstation_move(struct session *from, struct session *to);
/* The client at SESSION's screen has gone while nobody looked. */
void winstation_lost(struct session *session);
/* termsrv is gone: what it knew of workers is not true any more. */
void winstation_forget_termsrv(struct smss *smss);

/* smss-alive.c: whether those that smss started are there still. */

/* 0 or -1. */
int alive_init(struct smss *smss);
void alive_finish(void);
/* CLIENT, a service or a subsystem, is asked from now on. Unless it ANSWERS, as each of this build does,
   it may leave the question unanswered until it has answered one. */
void alive_watch(struct client *client, bool answers);
/* It is asked no more. One that never was is allowed. */
void alive_forget(struct client *client);
/* SM_PING, the answer. */
int alive_answer(struct client *client, const PORT_MESSAGE *message, int *passed);
/* smss-audit.c: what the event stream says of sessions (docs/events.md). */

/* WS_EVENT. 0, or -1 where the sender is cut off. */
int audit_termsrv(struct client *client, const PORT_MESSAGE *message, int *passed);
/* The user of a client is known. */
void audit_authenticated(const char *user, const char *domain, const char *address);
/* A client at S's screen: the one of connection NAME. */
void audit_assigned(const struct session *s, const char *name);
/* S's user logs on to it, by the connection NAME; NULL: that was assigned before. */
void audit_logon(const struct session *s, const char *name);
/* His command runs. */
void audit_shell(const struct session *s);
/* Nobody is at S's screen any more, or, when ANOTHER comes, who was. Before its description
   changes. */
void audit_disconnect(const struct session *s, enum end_reason reason, bool another);
/* He has come back to it; REASON is END_REPLACED. */
void audit_reconnect(const struct session *s);
/* S is to end; it has ended. */
void audit_leaving(const struct session *s);
void audit_ended(const struct session *s);
/* csrss was told to end, and does not. */
void audit_slow_end(const struct session *s);
/* Its processes: a subsystem is to be loaded, and is or cannot be; IMAGE is to be executed, and
   is process PID. */
void audit_load(const struct session *s, const char *name);
void audit_loaded(const struct session *s, int32_t status);
void audit_execute(const struct session *s, const char *image);
void audit_executed(const struct session *s, pid_t pid);
/* It has started. */
void audit_started(const struct session *s);
/* Somebody was refused a new session, as the service drains. */
void audit_draining(void);
/* Its client has its first picture. */
void audit_painted(const struct session *s);

/* smss-limits.c: limits on time. */

/* 0, or -1. */
int limits_create(struct session *session);
void limits_destroy(struct session *session);
/* Something that limits depend on has changed: its client, or its user's input. */
void limits_changed(struct session *session);
/* Likewise of all sessions: the limits themselves. */
void limits_reloaded(struct smss *smss);
/* CSR_INPUT. */
int limits_input(struct client *client, const PORT_MESSAGE *message, int *passed);

/* smss-manage.c: what administrators do with sessions, and users with their own. */

int manage_disconnect(struct client *client, const PORT_MESSAGE *message, int *passed);
int manage_connect(struct client *client, const PORT_MESSAGE *message, int *passed);
int manage_logoff(struct client *client, const PORT_MESSAGE *message, int *passed);
int manage_reset(struct client *client, const PORT_MESSAGE *message, int *passed);
int manage_message(struct client *client, const PORT_MESSAGE *message, int *passed);
int manage_drain(struct client *client, const PORT_MESSAGE *message, int *passed);
int manage_events(struct client *client, const PORT_MESSAGE *message, int *passed);
/* CSR_RESPONSE. */
int manage_response(struct client *client, const PORT_MESSAGE *message, int *passed);
/* A box on SESSION's screen that nobody waits for. */
void manage_box(struct session *session, const char *title, const char *text, uint32_t seconds);
/* SESSION is gone: who waits for its boxes is told. */
void manage_forget_session(struct session *session);
/* Reads how the service drains from the state directory. */
void manage_init(struct smss *smss);
/* What administrators are told of it. */
enum drain_mode manage_drain_mode(const struct smss *smss);
/* Whether new sessions are refused. */
bool manage_draining(const struct smss *smss);

/* smss-reload.c: the configuration is read again. */

/* CTL_RELOAD; TS_CERTIFICATE of termsrv. */
int reload_asked(struct client *client, const PORT_MESSAGE *message, int *passed);
int reload_termsrv(struct client *client, const PORT_MESSAGE *message, int *passed);
/* SIGHUP: what CTL_RELOAD answers is in the log alone. */
void reload_signalled(struct smss *smss);
/* termsrv is gone: it does not answer. */
void reload_forget_termsrv(struct smss *smss);

/* smss-stats.c: what the service counts. */

/* 0 or -1. */
int stats_init(struct smss *smss);
void stats_finish(struct smss *smss);
/* CTL_STATS, MT_LIST; TS_FIGURES of termsrv. */
int stats_ask(struct client *client, const PORT_MESSAGE *message, int *passed);
int stats_list(struct client *client, const PORT_MESSAGE *message, int *passed);
int stats_termsrv(struct client *client, const PORT_MESSAGE *message, int *passed);
/* termsrv is gone: what it had counted stays counted. */
void stats_forget_termsrv(struct smss *smss);
/* CLIENT is gone: it is not answered. */
void stats_forget(struct smss *smss, const struct client *client);
/* Something that a round waits for is there. */
void stats_advance(struct smss *smss);
/* SESSION runs; its client has its first picture; it ends, after it RAN or before. */
void stats_created(struct session *session);
void stats_painted(struct session *session);
void stats_ended(struct session *session, bool ran);
/* A session goes on without its client; a client was refused. */
void stats_disconnected(struct smss *smss, enum end_reason reason);
void stats_refused(struct smss *smss, enum refusal cause);

/* smss-usage.c: what processes use. */

struct rusage;
/* Begins to look at those that are there, unless that was done a moment ago. Whether it is under
   way: stats_advance is called when it is done. */
bool usage_refresh(struct smss *smss);
bool usage_running(void);
/* What was found last, and of SESSION; all 0 where nothing was. */
void usage_figures(struct usage usage[USAGE_COUNT]);
void usage_session(const struct session *session, struct session_usage *used);
/* The processor time of process PID alone, in microseconds; 0 where it is gone. */
uint64_t usage_of_process(pid_t pid);
/* PID was reaped, and is in the tables still: OWN is its usage_of_process before, USED what the
   kernel told. */
void usage_reaped(struct smss *smss, pid_t pid, uint64_t own, const struct rusage *used);
/* True where that was who looked. */
bool usage_walked(struct smss *smss, pid_t pid, const struct rusage *used);
/* A process of an earlier smss has ended: SUBSYSTEM of SESSION, or (NULL) its winlogon. */
void usage_adopted_ended(const struct session *session, const struct subsystem *subsystem);

/* smss-chain.c: the chain of the transcript (lines 103-115). */

/* Text with its length, as the transcript shows it; UTF-8. */
typedef struct _UNICODE_STRING {
	uint16_t Length; /* bytes */
	uint16_t MaximumLength;
	char *Buffer; /* terminated */
} UNICODE_STRING;

SMP_FRAME int32_t SmpStartCsr(SMAPIMSG *SmApiMsg, struct client *CallingClient, int CallPort);
SMP_FRAME int32_t SmpStopCsr(SMAPIMSG *SmApiMsg, struct client *CallingClient, int CallPort);
SMP_FRAME int32_t SmpLoadSubSystemsForMuSession(
    uint32_t *pMuSessionId, uint32_t *pWindowsSubSysProcessId, UNICODE_STRING *InitialCommand);
/* Loads one subsystem of a session, and starts its initial command: STATUS_PENDING, or why
   not. */
SMP_FRAME int32_t SmpExecuteCommand(UNICODE_STRING *CommandLine, struct session *MuSession,
    struct subsystem *KnownSubSys, uint32_t *pProcessId);
SMP_FRAME int32_t SmpExecuteInitialCommand(
    struct session *MuSession, UNICODE_STRING *InitialCommand);

/* smss-subsystem.c: known subsystems. */

/* Reads the names of Required and Optional. 0, or -1 after logging. */
int subsystems_init(struct smss *smss);
/* A subsystem of SESSION that has no process yet. NULL where memory or places are out. */
struct subsystem *subsystem_create(struct session *session, const struct known_name *known);
/* Whoever waits for it is answered STATUS. */
void subsystem_destroy(struct subsystem *subsystem, int32_t status);
struct subsystem *subsystem_by_name(struct session *session, const char *name, size_t length);
/* The connected one of TYPE in SESSION, or NULL. */
struct subsystem *subsystem_by_type(struct session *session, uint32_t type);
/* It has to be created and to connect in SubsystemTimeout. */
void subsystem_expect(struct subsystem *subsystem);
/* Its process is there: it is let run. */
void subsystem_created(struct subsystem *subsystem, pid_t pid);
/* Begins what had to wait until a short-lived smss had left. */
void subsystem_load_waiting(struct session *session);
/* SESSION, which runs, gets the Required ones that it lacks, as they ended with an earlier smss. One
   that cannot be loaded ends it, as it would have when the session was made. */
void subsystem_load_required(struct session *session);
/* The one that every session has, csrss's; NULL where the configuration names none. */
const struct known_name *subsystem_windows(const struct smss *smss);
/* It cannot be loaded, or is gone: its session ends where that needs it. */
void subsystem_failed(struct subsystem *subsystem, int32_t status);
/* CSR_CONNECT. Returns 0, or -1 where the sender is refused. */
int subsystem_connect(struct client *client, const PORT_MESSAGE *message, int *passed);
/* The optional subsystem NAME (LENGTH bytes) of SESSION is to be loaded for CALL, which is
   answered, or led on to callback_exec, when it is. Takes CALL. False where that was refused. */
bool subsystem_demand(struct session *session, const char *name, size_t length, struct call *call);
int32_t SmpLoadDefered(SMAPIMSG *SmApiMsg, struct client *CallingClient, int CallPort);

/* smss-callback.c: callbacks over SbApiPorts, foreign sessions, ExecPgm. */

int32_t SmpCreateForeignSession(SMAPIMSG *SmApiMsg, struct client *CallingClient, int CallPort);
int32_t SmpSessionComplete(SMAPIMSG *SmApiMsg, struct client *CallingClient, int CallPort);
int32_t SmpTerminateForeignSession(SMAPIMSG *SmApiMsg, struct client *CallingClient, int CallPort);
int32_t SmpExecPgm(SMAPIMSG *SmApiMsg, struct client *CallingClient, int CallPort);
/* CTL_EXEC: POSIX is loaded, and gets CALL's port. Takes CALL. */
void callback_exec(struct subsystem *posix, struct call *call);
/* A subsystem's answer. 0, or -1 where it answers what it was not asked. */
int callback_reply(struct client *client, const SBAPIMSG *reply);
/* SUBSYSTEM is gone: what it was asked fails, its foreign sessions end. */
void callback_forget_subsystem(struct subsystem *subsystem);
/* CLIENT is gone: so are the foreign sessions that it had made. */
void callback_forget_client(const struct client *client);

/* smss-start.c: whose turn it is to be created, and the pool of idle sessions. */

/* 0 or -1. */
int start_init(struct smss *smss);
void start_finish(struct smss *smss);
/* Whether a StartCsr has to wait for its turn. */
bool start_must_wait(const struct smss *smss, const SMAPIMSG *call);
/* Keeps it until its turn comes. STATUS_PENDING, or why not. */
int32_t start_enqueue(struct smss *smss, struct client *client, const SMAPIMSG *call);
/* An idle session, or one that is being created to be one; nobody else's from now on. NULL
   where there is none. */
struct session *start_take_idle(struct smss *smss);
/* SESSION is nobody's idle session any more: an administrator does something in it. It may
   become one of MaxInstanceCount where those are not all taken. */
bool start_may_keep(const struct session *session);
void start_keep(struct session *session);
/* SESSION is created from now on; it is no more, in whatever way. */
void start_began(struct session *session);
void start_done(struct session *session);
/* SESSION, which is idle, ends: it is nobody's until it is gone. */
void start_idle_ends(struct session *session);
/* An idle session has failed. */
void start_pool_lost(struct smss *smss);
/* The pool is filled, soon. */
void start_refill(struct smss *smss);
/* SIZE becomes the pool's; POOL_ASK changes nothing. How many are idle into *IDLE. */
void start_resize(struct smss *smss, uint32_t size, uint32_t *idle);
/* termsrv is gone: nobody is to be told of what it asked for. */
void start_forget(struct smss *smss, const struct client *client);

/* smss-service.c: lsass, termsrv, metricsd. */

/* Starts them. Returns 0 or -1 after logging. */
int services_start(struct smss *smss);
/* A child was reaped: true where it was a service process; restarts it. */
bool services_reaped(struct smss *smss, pid_t pid, int wait_status);
/* The service whose port CLIENT is; NULL: it is none's. */
struct service *services_of(const struct client *client);
/* LSA_READY, TS_READY or MT_READY. Returns 0, or -1 where it was said before. */
int services_ready(struct client *client);
/* TS_LSASS of termsrv: its port to lsass broke. */
int services_reconnect(struct client *client, const PORT_MESSAGE *message, int *passed);
/* Ends them. */
void services_stop(struct smss *smss);
/* Calls ready once the console and the services are up. */
void services_check(struct smss *smss);

/* smss-control.c: what musessctl asks. Each answers CLIENT with MESSAGE_ID. */

/* All of the sessions for an administrator, else one's own. */
void control_list(struct client *client, uint32_t message_id);
/* The session that a process in it speaks for; NULL: it is none, or gone. */
struct session *client_session(const struct client *client);
void control_service(struct client *client, uint32_t message_id);
void control_version(struct client *client, uint32_t message_id);
void control_pool(struct client *client, const struct msg_pool *call);
/* Takes *PASSED. */
void control_exec(struct client *client, const struct msg_exec *call, int *passed);
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
/* Exit statuses of the service: 1 is any failure that was said, 2 a wrong command line, EX_CONFIG of
   sysexits.h what the configuration or the machine has to be put right for first. */
enum { EXIT_WINDOWS_SUBSYSTEM = 3, EXIT_WINDOWS_LOGON_PROCESS = 4 };

/* The sessions of an earlier smss are there: the console, lsass and termsrv follow. 0 or -1. */
int smss_begin_service(struct smss *smss);
/* Reaps the child PID, of whose end no SIGCHLD tells, if it has ended. */
void smss_reap(struct smss *smss, pid_t pid);
/* Begins the end of the service. */
void smss_stop(struct smss *smss, int exit_status);

#endif
