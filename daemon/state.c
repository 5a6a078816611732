/* The state directory: STATE/accounts is lsass's, STATE/tls termsrv's, STATE/root empty. */
#include "state.h"

#include "event.h"
#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define EVENTS_FILE "events.jsonl" /* of a laboratory */

/* Two seconds. */
enum { LOCK_TRIES = 40, LOCK_PAUSE_NS = 50000000 };

static const char *const owned_files[][2] = { { "accounts", "accounts" },
	{ "accounts", "accounts.new" }, { "tls", "certificate.pem" },
	{ "tls", "certificate.pem.new" }, { "tls", "key.pem" }, { "tls", "key.pem.new" } };
static const char *const owned_directories[] = { "accounts", "tls", "root" };

/* Of \SmApiPort, beside the service's own. */
#define SM_DIRECTORY "sm"
/* So long a session goes on when smss has ended without a word. */
enum { KEEP_SECONDS = 60 };

static int failed(const char *what, const char *path)
{
	log_error("cannot %s %s: %s", what, path, strerror(errno));
	return -1;
}

/* Makes PATH and what is missing above it. */
static int make_path(const char *path)
{
	char part[256];

	snprintf(part, sizeof(part), "%s", path);
	for (char *slash = strchr(part + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = 0;
		if (mkdir(part, 0755) < 0 && errno != EEXIST)
			return -1;
		*slash = '/';
	}
	return mkdir(path, 0700) < 0 && errno != EEXIST ? -1 : 0;
}

/* Nobody else's while FD is open. Of an smss that was killed a child may have it for a moment more: one
   that shares its descriptors, or has not executed yet. 0 or -1. */
static int lock(int fd)
{
	const struct timespec pause = { .tv_nsec = LOCK_PAUSE_NS };
	int tries = LOCK_TRIES;

	while (flock(fd, LOCK_EX | LOCK_NB) < 0)
		if (--tries == 0 || nanosleep(&pause, NULL) < 0)
			return -1;
	return 0;
}

static int open_directory(struct state *state, const char *path)
{
	struct stat status;
	int fd;

	if (!path) {
		const char *temporary = getenv("TMPDIR");
		if (!temporary || temporary[0] != '/')
			temporary = "/tmp";
		snprintf(state->path, sizeof(state->path), "%s/musess-XXXXXX", temporary);
		if (!mkdtemp(state->path))
			return failed("make the state directory", state->path);
		state->temporary = true;
	} else if (path[0] != '/') {
		char here[128];
		if (!getcwd(here, sizeof(here)) ||
		    snprintf(state->path, sizeof(state->path), "%s/%s", here, path) >=
		        (int)sizeof(state->path))
			return failed("name the state directory", path);
	} else {
		snprintf(state->path, sizeof(state->path), "%s", path);
	}
	if (make_path(state->path) < 0)
		return failed("make the state directory", state->path);
	fd = open(state->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &status) < 0)
		return failed("open the state directory", state->path);
	if (status.st_uid != geteuid() || (status.st_mode & 077)) {
		log_error("the state directory %s must belong to user %u and be closed to others: "
		          "chown %u %s; chmod 700 %s",
		    state->path, geteuid(), geteuid(), state->path, state->path);
		return -1;
	}
	if (lock(fd) < 0) {
		log_error("another musessd uses %s: stop it, or choose another --state directory",
		    state->path);
		return -1;
	}
	return fd;
}

/* A service process's directory, owned by the ids that it will have. */
static int service_directory(
    const struct state *state, const struct smss *smss, const char *name, unsigned which)
{
	uid_t owner = process_service_uid(smss, which);
	char path[300];
	int fd, tree;

	/* an earlier run gave it away: back, so that no capability is needed to look inside */
	if (smss->privileged &&
	    fchownat(smss->state_dir, name, geteuid(), getegid(), AT_SYMLINK_NOFOLLOW) < 0)
		return failed("chown in the state directory", name);
	fd = openat(smss->state_dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return failed("open in the state directory", name);
	for (size_t i = 0; smss->privileged && i < sizeof(owned_files) / sizeof(*owned_files); i++)
		if (strcmp(owned_files[i][0], name) == 0 &&
		    fchownat(fd, owned_files[i][1], owner, owner, AT_SYMLINK_NOFOLLOW) < 0 &&
		    errno != ENOENT)
			log_warn(
			    "cannot chown %s/%s: %s", name, owned_files[i][1], strerror(errno));
	if (smss->privileged && fchown(fd, owner, owner) < 0) {
		close(fd);
		return failed("chown in the state directory", name);
	}
	close(fd);
	snprintf(path, sizeof(path), "%s/%s", state->path, name);
	tree = root_directory(path);
	return tree < 0 ? failed("open", path) : tree;
}

/* The configured file of events; a laboratory, which may have no journal, has one always. */
static int open_events(const struct state *state, const struct smss *smss)
{
	char path[sizeof(state->path) + sizeof("/" EVENTS_FILE)];

	if (smss->config->EventFile[0] || !smss->lab_account)
		return event_open(smss->config->EventFile, smss->config->EventFileMax);
	snprintf(path, sizeof(path), "%s/" EVENTS_FILE, state->path);
	return event_open(path, smss->config->EventFileMax);
}

static int listen_at(struct state *state, struct smss *smss, const char *port_path)
{
	char directory[sizeof(state->port_path)];
	int n;

	if (port_path)
		n = snprintf(state->port_path, sizeof(state->port_path), "%s", port_path);
	else
		n = snprintf(
		    state->port_path, sizeof(state->port_path), "%.200s/SmApiPort", state->path);
	if (n >= (int)sizeof(state->port_path)) {
		log_error(
		    "the state directory's path is too long for a socket in it: choose one of at "
		    "most %zu bytes",
		    sizeof(state->port_path) - sizeof("/SmApiPort"));
		return -1;
	}
	memcpy(directory, state->port_path, sizeof(directory));
	if (port_path && make_path(dirname(directory)) < 0)
		return failed("make the directory of", state->port_path);
	memcpy(directory, state->port_path, sizeof(directory));
	state->port_dir = open(dirname(directory), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	smss->admin_listener = client_listen(state->port_path, 0600);
	if (state->port_dir < 0 || smss->admin_listener < 0)
		return failed("listen at", state->port_path);
	/* the sessions' port has a directory of its own, which they see, and go on to see when this
	   smss has ended and another listens there */
	if (mkdirat(state->port_dir, SM_DIRECTORY, 0755) < 0 && errno != EEXIST)
		return failed("make " SM_DIRECTORY " beside", state->port_path);
	smss->sm_dir =
	    openat(state->port_dir, SM_DIRECTORY, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (smss->sm_dir < 0 || fchmod(smss->sm_dir, 0755) < 0)
		return failed("open " SM_DIRECTORY " beside", state->port_path);
	smss->record_dir = state->temporary ? -1 : state->port_dir;
	smss->keeps = state->temporary ? 0 : KEEP_SECONDS;
	return 0;
}

int state_programs(char directory[PROGRAMS_SIZE])
{
	ssize_t n = readlink("/proc/self/exe", directory, PROGRAMS_SIZE - 1);

	if (n <= 0)
		return failed("read", "/proc/self/exe");
	directory[n] = 0;
	*strrchr(directory, '/') = 0;
	return 0;
}

/* Services and sessions have users of their own. */
static int check_programs(const char *directory)
{
	static const char *const names[] = { "", "/csrss", "/lsass", "/metricsd", "/psxss",
		"/termsrv", "/winlogon" };
	char path[PROGRAMS_SIZE + 16];
	struct stat status;

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		snprintf(path, sizeof(path), "%s%s", directory, names[i]);
		if (stat(path, &status) == 0 &&
		    (status.st_mode & (S_IROTH | S_IXOTH)) == (S_IROTH | S_IXOTH))
			continue;
		log_error("%s cannot be executed by other users, and services and sessions have "
		          "users of their own: chmod -R go+rX %s (an umask takes that from what is "
		          "built)",
		    path, directory);
		return -1;
	}
	return 0;
}

/* Without it every session would end as soon as it has begun. */
static int check_shell(const struct musess_config *config)
{
	const char *shell = config->InitialProgram[0] ? "/bin/sh" : "/bin/bash";

	if (access(shell, X_OK) == 0)
		return 0;
	log_error("sessions need the shell %s (%s): install the package %s", shell, strerror(errno),
	    config->InitialProgram[0] ? "dash" : "bash");
	return -1;
}

int state_enter(struct state *state, struct smss *smss, const char *path, const char *port_path)
{
	char mount_point[300], port[300];
	struct stat status;

	*state = (struct state){ .parent = -1, .port_dir = -1 };
	umask(077);
	smss->state_dir = open_directory(state, path);
	if (smss->state_dir < 0)
		return -1;
	unlinkat(smss->state_dir, "lab.env", 0); /* of a run that was killed: untrue by now */
	if (state->temporary)
		state->parent = openat(smss->state_dir, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (size_t i = 0; i < sizeof(owned_directories) / sizeof(*owned_directories); i++)
		if (mkdirat(smss->state_dir, owned_directories[i], 0700) < 0 && errno != EEXIST)
			return failed("make in the state directory", owned_directories[i]);
	if (state_programs(state->programs) < 0)
		return -1;
	state->misconfigured = (smss->privileged && check_programs(state->programs) < 0) ||
	                       check_shell(smss->config) < 0 || open_events(state, smss) < 0;
	if (state->misconfigured || listen_at(state, smss, port_path) < 0)
		return -1;
	if (fstat(smss->state_dir, &status) < 0)
		return failed("look at the state directory", state->path);
	smss->cgroup = cgroup_open(status.st_ino);
	if (root_unshare(smss->privileged) < 0)
		return -1;
	smss->accounts_dir = service_directory(state, smss, "accounts", SERVICE_LSASS);
	smss->tls_dir = service_directory(state, smss, "tls", SERVICE_TERMSRV);
	if (smss->accounts_dir < 0 || smss->tls_dir < 0)
		return -1;
	snprintf(mount_point, sizeof(mount_point), "%s/root", state->path);
	snprintf(port, sizeof(port), "%.*s/" SM_DIRECTORY,
	    (int)(strrchr(state->port_path, '/') - state->port_path), state->port_path);
	return root_enter(state->programs, port, mount_point);
}

void state_leave(struct state *state, struct smss *smss)
{
	char name[64];

	if (state->port_dir >= 0 && state->port_path[0])
		unlinkat(state->port_dir, strrchr(state->port_path, '/') + 1, 0);
	if (smss->sm_dir >= 0)
		unlinkat(smss->sm_dir, "SmApiPort", 0);
	if (state->port_dir >= 0)
		unlinkat(state->port_dir, SM_DIRECTORY, AT_REMOVEDIR);
	cgroup_close(smss->cgroup);
	unlinkat(smss->state_dir, "lab.env", 0);
	if (!state->temporary || smss->state_dir < 0)
		return;
	for (size_t i = 0; i < sizeof(owned_files) / sizeof(*owned_files); i++) {
		snprintf(name, sizeof(name), "%s/%s", owned_files[i][0], owned_files[i][1]);
		unlinkat(smss->state_dir, name, 0);
	}
	unlinkat(smss->state_dir, EVENTS_FILE, 0);
	for (size_t i = 0; i < sizeof(owned_directories) / sizeof(*owned_directories); i++)
		unlinkat(smss->state_dir, owned_directories[i], AT_REMOVEDIR);
	unlinkat(state->parent, strrchr(state->path, '/') + 1, AT_REMOVEDIR);
}
