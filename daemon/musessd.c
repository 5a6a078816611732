/*
 * musessd: options, configuration, privileges; then this process is smss.
 */
#include "check.h"
#include "configured.h"
#include "event.h"
#include "findings.h"
#include "lab.h"
#include "log.h"
#include "options.h"
#include "state.h"

#include <fcntl.h>
#include <getopt.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>

#define DEFAULT_STATE "/var/lib/musess"
#define DEFAULT_PORT_PATH "/run/musess/SmApiPort"

static struct state state;
static int notify_socket = -1;

/* Of the service manager's descriptor store: the one that it keeps, and the number of the first
   that it gives. */
#define LISTENER_NAME "rdp-listener"
enum { FIRST_KEPT = 3 };

struct arguments {
	const char *config, *state, *port;
	bool check, dump, lab;
};

static const char usage[] =
    "Usage: musessd [OPTION]...\n"
    "Emulates the spin-up of RDP sessions: a session of its own for every client.\n\n"
    "  -c, --config FILE   read the configuration from FILE (default: built-in values)\n"
    "      --check-config  check it, and what it names, and leave\n"
    "      --dump-config   print it with all defaults and leave\n"
    "      --lab           make an account on the spot and say how to connect\n"
    "      --state DIR     keep accounts and certificate in DIR (default: " DEFAULT_STATE ",\n"
    "                      with --lab a new private directory, removed at the end)\n"
    "      --port N        listen on port N, 0: on any free one\n"
    "      --version       print the version and leave\n"
    "      --help          print this and leave\n";

/* Fills *A. Returns -1 to go on, or an exit status. */
static int parse(int argc, char **argv, struct arguments *a)
{
	enum { CHECK = 256, DUMP, LAB, STATE, PORT, VERSION, HELP };
	static const struct option options[] = { { "config", required_argument, NULL, 'c' },
		{ "check-config", no_argument, NULL, CHECK },
		{ "dump-config", no_argument, NULL, DUMP }, { "lab", no_argument, NULL, LAB },
		{ "state", required_argument, NULL, STATE },
		{ "port", required_argument, NULL, PORT },
		{ "version", no_argument, NULL, VERSION }, { "help", no_argument, NULL, HELP },
		{ 0 } };
	int option;

	while ((option = getopt_long(argc, argv, "c:", options, NULL)) != -1)
		switch (option) {
		case 'c':
			a->config = optarg;
			break;
		case CHECK:
			a->check = true;
			break;
		case DUMP:
			a->dump = true;
			break;
		case LAB:
			a->lab = true;
			break;
		case STATE:
			a->state = optarg;
			break;
		case PORT:
			a->port = optarg;
			break;
		case VERSION:
			printf("musessd %s\n", MUSESS_VERSION);
			return 0;
		case HELP:
			fputs(usage, stdout);
			return 0;
		default:
			fputs("musessd --help lists the options\n", stderr);
			return 2;
		}
	if (optind < argc) {
		fprintf(stderr, "musessd: '%s' is no option; musessd --help lists them\n",
		    argv[optind]);
		return 2;
	}
	return -1;
}

/* The command line, for when the configuration is read again. */
static struct arguments arguments;

/* Defaults, those of --lab on top. */
static void set_defaults(const struct arguments *a, struct musess_config *config)
{
	char error[256];

	config_defaults(config);
	if (a->lab) /* where load tests would pile them up */
		config_set(config, "MaxDisconnectionTime", "1m", error, sizeof(error));
}

/* Whether this user namespace has all COUNT ids from FIRST on. */
static bool ids_mapped(unsigned long first, unsigned long count)
{
	FILE *f = fopen("/proc/self/uid_map", "re");
	bool mapped = false;
	char line[128];

	while (f && fgets(line, sizeof(line), f)) { /* first here, first outside, how many */
		char *p = line;
		unsigned long inside = strtoul(p, &p, 10);
		strtoul(p, &p, 10);
		unsigned long length = strtoul(p, &p, 10);
		mapped = mapped || (first >= inside && first + count <= inside + length);
	}
	if (f)
		fclose(f);
	return mapped;
}

static bool has_ids(const struct musess_config *config)
{
	return ids_mapped(HOST_ID_FIRST,
	    ((unsigned long)config->MaxInstanceCount + EXTRA_SESSIONS + 1) * HOST_ID_SPAN);
}

static bool has_capabilities(void)
{
	static const cap_value_t needed[] = { CAP_SYS_ADMIN, CAP_SETUID, CAP_SETGID, CAP_CHOWN };
	cap_t own = cap_get_proc();
	bool all = own != NULL;

	for (size_t i = 0; all && i < sizeof(needed) / sizeof(*needed); i++) {
		cap_flag_value_t value = CAP_CLEAR;
		all = cap_get_flag(own, needed[i], CAP_EFFECTIVE, &value) == 0 && value == CAP_SET;
	}
	cap_free(own);
	return all;
}

#define TOO_FEW_IDS "%s: MaxInstanceCount is %u, and there are not as many ids here"

/* Where sessions have ids of their own there have to be enough. */
static int check_ids(
    bool privileged, const struct musess_config *config, const char *name, FILE *report)
{
	if (!privileged || has_ids(config))
		return 0;
	fprintf(report, TOO_FEW_IDS "\n", name, config->MaxInstanceCount);
	return -1;
}

static int read_file(struct musess_config *config, const char *path)
{
	char *text = NULL;
	size_t size;
	FILE *report = open_memstream(&text, &size);
	int result = report ? config_read(config, path, report) : -1;

	if (report && fclose(report) == 0)
		log_lines(text, log_complaint);
	free(text);
	return result;
}

/* The configuration is to be looked at, and not more. An exit status. */
static int look(const struct arguments *a, const struct musess_config *config)
{
	const char *name = a->config ? a->config : "built-in configuration";
	char programs[PROGRAMS_SIZE];

	if (a->dump) {
		config_dump(config, stdout);
		return 0;
	}
	if (state_programs(programs) < 0)
		return 1;
	if (check_configuration(config, programs, name) < 0)
		return EX_CONFIG;
	if (has_capabilities() && !has_ids(config)) {
		log_complaint(TOO_FEW_IDS, name, config->MaxInstanceCount);
		return EX_CONFIG;
	}
	printf("%s: no mistakes\n", name);
	return 0;
}

static int read_config(const struct arguments *a, struct musess_config *config)
{
	char error[256];

	set_defaults(a, config);
	if (a->config && read_file(config, a->config) < 0)
		return EX_CONFIG;
	if (a->port && config_set(config, "PortNumber", a->port, error, sizeof(error)) < 0) {
		fprintf(stderr, "musessd: --port: %s\n", error);
		return 2;
	}
	return a->dump || a->check ? look(a, config) : -1;
}

static int reload_config(
    struct smss *smss, struct musess_config *fresh, int *certificate, FILE *report)
{
	FILE *file = configured_open(report);
	int result;

	*certificate = -1;
	if (!file)
		return -1;
	set_defaults(&arguments, fresh);
	result = config_read_file(fresh, file, arguments.config, report);
	fclose(file);
	if (arguments.port)
		fresh->PortNumber = smss->config->PortNumber;
	if (result == 0)
		result = check_ids(smss->privileged, fresh, arguments.config, report);
	return result < 0 ? -1 : configured_pair_again(smss->certificate, certificate, report);
}

/*
 * Whether sessions can have ids of their own, into *PRIVILEGED: what a root that was not cut
 * down has. One that was may be no user either: its sessions would have root's id. Returns 0,
 * or -1 after logging what to do.
 */
static int choose_mode(bool *privileged, const struct musess_config *config)
{
	*privileged = has_capabilities();
	if (*privileged && !has_ids(config)) {
		log_error("the ids from %u on, which %u sessions get, do not exist in this user "
		          "namespace: run as an ordinary user (tools/run --user NAME)",
		    HOST_ID_FIRST, config->MaxInstanceCount);
		return -1;
	}
	if (!*privileged && geteuid() == 0) {
		log_error("root without the capabilities CAP_SYS_ADMIN, CAP_SETUID, CAP_SETGID and "
		          "CAP_CHOWN cannot keep sessions apart from itself: grant them, or run as "
		          "an ordinary user (tools/run --user NAME)");
		return -1;
	}
	return 0;
}

/* Commands, and the file of events. 0, or -1 after logging. */
static int look_at_named(const struct musess_config *config)
{
	char programs[PROGRAMS_SIZE];
	struct findings report;
	FILE *out = findings_begin(&report);
	int result =
	    out && state_programs(programs) == 0 ? check_commands(config, programs, out) : -1;

	if (out && check_events(config, arguments.config ? arguments.config : "", out) < 0)
		result = -1;
	return findings_log(&report, result, NULL);
}

/* The configured one with its key, into *PAIR. 0, or -1 after logging what to do. */
static int open_certificate(const struct musess_config *config, int *pair)
{
	struct findings report;
	FILE *out = findings_begin(&report);
	int result = out ? configured_pair(config, pair, out) : -1;

	return findings_log(&report, result,
	    "name one that this user can read, or leave Certificate and PrivateKey empty, and one "
	    "is made");
}

/* What the configuration names, while it can be reached. */
static int open_named(const struct musess_config *config, int *pair)
{
	return look_at_named(config) < 0 ? -1 : open_certificate(config, pair);
}

/* Connects to the service manager's socket while its path can still be reached. */
static void notify_open(void)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	size_t length = path ? strlen(path) : 0;

	if (length < 2 || length >= sizeof(address.sun_path))
		return;
	memcpy(address.sun_path, path, length);
	if (path[0] == '@')
		address.sun_path[0] = 0;
	notify_socket = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (notify_socket >= 0 &&
	    connect(notify_socket, (struct sockaddr *)&address,
	        (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length)) < 0)
		fd_close(&notify_socket);
}

/* What it does not read in time is lost: nobody waits for it. */
static void notify(const char *text)
{
	if (notify_socket >= 0)
		(void)!send(notify_socket, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* Microseconds in which it wants to hear of this process; 0: it does not. */
static uint64_t watchdog(void)
{
	const char *us = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");

	if (notify_socket < 0 || !us || (pid && strtol(pid, NULL, 10) != getpid()))
		return 0;
	return strtoull(us, NULL, 10);
}

static ino_t kept; /* the socket that the service manager has; 0: none */

/* The service manager keeps it, beyond the end of this process. It is told of each once: it has room
   for one, and complains. */
static void keep_listener(int listener)
{
	static char text[] = "FDSTORE=1\nFDNAME=" LISTENER_NAME "\n";
	struct stat status;
	struct iovec part = { text, sizeof(text) - 1 };
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct msghdr message = { .msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control.space) };

	control.header.cmsg_level = SOL_SOCKET;
	control.header.cmsg_type = SCM_RIGHTS;
	control.header.cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(&control.header), &listener, sizeof(int));
	if (notify_socket < 0 || fstat(listener, &status) < 0 || status.st_ino == kept)
		return;
	if (kept)
		notify("FDSTOREREMOVE=1\nFDNAME=" LISTENER_NAME "\n");
	if (sendmsg(notify_socket, &message, MSG_NOSIGNAL) >= 0)
		kept = status.st_ino;
}

/* What it kept; -1: nothing. */
static int kept_listener(void)
{
	const char *pid = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS"),
	           *names = getenv("LISTEN_FDNAMES");
	struct stat status;

	if (!pid || !count || !names || strtol(pid, NULL, 10) != getpid() ||
	    strcmp(count, "1") != 0 || strcmp(names, LISTENER_NAME) != 0)
		return -1;
	if (fstat(FIRST_KEPT, &status) == 0)
		kept = status.st_ino;
	return FIRST_KEPT;
}

static int on_ready(struct smss *smss)
{
	if (smss->lab_account && lab_announce(&state, smss) < 0)
		return -1;
	log_info("ready on port %u%s", smss->listening_port,
	    smss->privileged ? "" : " (user mode: sessions share this user's id on the host)");
	notify("READY=1\nSTATUS=accepting RDP connections\n");
	return 0;
}

/* The name that ps shows, as short as the processes of the transcript have it. */
static void become_smss(int argc, char **argv)
{
	size_t size = (size_t)(argv[argc - 1] + strlen(argv[argc - 1]) - argv[0]);

	memset(argv[0], 0, size);
	memcpy(argv[0], "smss", size < 5 ? size : 4);
	prctl(PR_SET_NAME, "smss");
	log_process("smss");
}

/*
 * One descriptor or more for each of thousands of sessions. The other limits are those of all
 * sessions together, as their maker's; only a privileged root may raise them.
 */
static void raise_limits(void)
{
	static const int counted[] = { RLIMIT_NPROC, RLIMIT_SIGPENDING, RLIMIT_MSGQUEUE,
		RLIMIT_MEMLOCK };
	const struct rlimit none = { RLIM_INFINITY, RLIM_INFINITY };
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
	for (size_t i = 0; i < sizeof(counted) / sizeof(*counted); i++)
		setrlimit(counted[i], &none);
}

/* Standard output and error go to every process of the service, sessions' included: where
   they are a terminal, none may read from it what is typed there. */
static void write_only(int fd)
{
	const char *terminal = ttyname(fd);
	int again = terminal ? open(terminal, O_WRONLY | O_NOCTTY | O_CLOEXEC) : -1;

	if (again < 0)
		return;
	dup2(again, fd);
	close(again);
}

/* Whether there is one that can be closed. */
static bool has_terminal(void)
{
	int fd = open("/dev/tty", O_RDONLY | O_NOCTTY | O_CLOEXEC);
	bool has = fd >= 0;

	fd_close(&fd);
	return has;
}

int main(int argc, char **argv)
{
	struct musess_config config;
	char password[LAB_PASSWORD_SIZE];
	struct smss smss = { .config = &config,
		.ready = on_ready,
		.state_dir = -1,
		.sm_dir = -1,
		.record_dir = -1,
		.rdp_listener = -1,
		.keep_listener = keep_listener,
		.notify = notify,
		.accounts_dir = -1,
		.tls_dir = -1,
		.certificate = -1,
		.cgroup = -1,
		.admin_listener = -1 };
	int status = parse(argc, argv, &arguments);

	if (status < 0)
		status = read_config(&arguments, &config);
	if (status >= 0)
		return status;
	if (arguments.lab) {
		if (lab_password(password) < 0)
			return 1;
		smss.lab_account = LAB_ACCOUNT;
		smss.lab_password = password;
	}
	smss.rdp_listener = kept_listener();
	/* what else the caller left open is not ours to hand on */
	close_range(smss.rdp_listener < 0 ? FIRST_KEPT : FIRST_KEPT + 1, ~0u, 0);
	if (smss.rdp_listener >= 0)
		fcntl(smss.rdp_listener, F_SETFD, FD_CLOEXEC);
	if (arguments.config) {
		arguments.config = configured_keep(arguments.config);
		smss.reload = reload_config;
		smss.named = configured_name;
	}
	smss.terminal = has_terminal();
	if (open_named(&config, &smss.certificate) < 0 ||
	    choose_mode(&smss.privileged, &config) < 0)
		return EX_CONFIG;
	raise_limits();
	write_only(STDOUT_FILENO);
	write_only(STDERR_FILENO);
	notify_open();
	smss.watchdog = watchdog();
	event_journal_open();
	event_journal_choose(config.JournalEvents);
	if (state_enter(&state, &smss,
	        arguments.state ? arguments.state
	        : arguments.lab ? NULL
	                        : DEFAULT_STATE,
	        arguments.lab || arguments.state ? NULL : DEFAULT_PORT_PATH) == 0) {
		become_smss(argc, argv);
		status = smss_run(&smss);
		notify("STOPPING=1\n");
	} else {
		status = state.misconfigured ? EX_CONFIG : 1;
	}
	event_close();
	state_leave(&state, &smss);
	return status;
}
