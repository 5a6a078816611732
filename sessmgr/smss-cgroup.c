/*
 * A cgroup for each session, where the system delegates a subtree to this service:
 *
 *   OURS/service      smss and the service processes (a cgroup with controllers turned
 *                     on for its children may hold no process itself)
 *   OURS/sessions/N   session N, with pids.max and memory.max where those controllers are,
 *                     and an even share of the processors
 *
 * Where the unit musess-sessions.service is beside this service's, OURS is that one's cgroup, and
 * smss stays in its own: what systemd restarts has no sessions in it then. (termsrv and its workers stay,
 * too, as the journal would take their lines for the other unit's.)
 *
 * Delegated is what systemd marks so (Delegate=yes), or the root of a cgroup namespace in
 * which no systemd runs. Anything else belongs to somebody else and is left alone.
 */
#include "log.h"
#include "smss.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

/* cpu: sessions share processor time evenly, however many processes each has. */
static const char *controllers[] = { "pids", "memory", "cpu" };
enum { CONTROLLERS = sizeof(controllers) / sizeof(*controllers) };
#define SESSIONS_UNIT "musess-sessions.service"
#define SERVICE "musess-service"

/* This process's cgroup v2 path ("/a/b") into PATH. 0 or -1. */
static int own_path(char *path, size_t size)
{
	FILE *f = fopen("/proc/self/cgroup", "re");
	char line[1024];
	int result = -1;

	if (!f)
		return -1;
	while (result < 0 && fgets(line, sizeof(line), f))
		if (strncmp(line, "0::", 3) == 0) {
			line[strcspn(line, "\n")] = 0;
			result = snprintf(path, size, "%s", line + 3) < (int)size ? 0 : -1;
		}
	fclose(f);
	return result;
}

/* The cgroup PATH, where it is delegated to this process's user; -1: it is not. */
static int open_delegated(const char *path)
{
	static const char *mounts[] = { "/sys/fs/cgroup", "/sys/fs/cgroup/unified" };
	char full[1200];
	char mark[4] = "";

	for (size_t i = 0; i < 2; i++) {
		snprintf(full, sizeof(full), "%s%s", mounts[i], path);
		int dir = open(full, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (dir < 0)
			continue;
		if (faccessat(dir, "cgroup.procs", W_OK, 0) == 0 &&
		    (fgetxattr(dir, "trusted.delegate", mark, sizeof(mark)) > 0 ||
		        fgetxattr(dir, "user.delegate", mark, sizeof(mark)) > 0 ||
		        (strcmp(path, "/") == 0 && access("/run/systemd/system", F_OK) < 0)))
			return dir;
		close(dir);
	}
	return -1;
}

static bool apart; /* from smss's own cgroup */

/* Of the unit of sessions, if this process may move others there: for that the cgroup above both has to be
   its own as well (systemd/keep-cgroup). */
static int open_beside(void)
{
	char path[1024], beside[sizeof(path) + sizeof(SESSIONS_UNIT)];
	int dir = -1;

	if (own_path(path, sizeof(path)) == 0 && strlen(path) > 1) {
		*strrchr(path, '/') = 0;
		snprintf(beside, sizeof(beside), "%s/" SESSIONS_UNIT, path);
		dir = open_delegated(beside);
	}
	if (dir >= 0 && faccessat(dir, "../cgroup.procs", W_OK, 0) < 0)
		fd_close(&dir);
	return dir;
}

static int open_ours(void)
{
	char path[1024];
	int dir = open_beside();

	apart = dir >= 0;
	if (!apart && own_path(path, sizeof(path)) == 0)
		dir = open_delegated(path);
	return dir;
}

static int put(int dir, const char *name, const char *text)
{
	int fd = openat(dir, name, O_WRONLY | O_CLOEXEC), result;

	if (fd < 0)
		return -1;
	result = write(fd, text, strlen(text)) < 0 ? -1 : 0;
	close(fd);
	return result;
}

/* Turns on what the system has of them here, for what is below DIR. */
static void enable(int dir)
{
	char control[16];

	for (size_t i = 0; i < CONTROLLERS; i++) {
		snprintf(control, sizeof(control), "+%s", controllers[i]);
		put(dir, "cgroup.subtree_control", control);
	}
}

/* Removes sessions that an earlier run left. */
static void clear(int sessions)
{
	DIR *d = fdopendir(fcntl(sessions, F_DUPFD_CLOEXEC, 0));
	struct dirent *e;

	while (d && (e = readdir(d)))
		if (e->d_type == DT_DIR && e->d_name[0] != '.')
			unlinkat(sessions, e->d_name, AT_REMOVEDIR);
	if (d)
		closedir(d);
}

/* Of this service's sessions: the same when it is started again, and another service's is not. */
static char sessions_name[32];

int cgroup_open(uint64_t key)
{
	int own = open_ours(), sessions;
	char self[16];

	if (own < 0)
		return -1;
	snprintf(sessions_name, sizeof(sessions_name), "musess-%llx", (unsigned long long)key);
	if (!apart) {
		snprintf(self, sizeof(self), "%d", getpid());
		mkdirat(own, SERVICE, 0755);
		put(own, SERVICE "/cgroup.procs", self);
	}
	if (mkdirat(own, sessions_name, 0755) < 0 && errno != EEXIST) {
		close(own);
		return -1;
	}
	enable(own);
	sessions = openat(own, sessions_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (sessions >= 0) {
		clear(sessions);
		enable(sessions);
	}
	close(own);
	return sessions;
}

bool cgroup_bounds_memory(int parent)
{
	char text[256] = "", *word, *rest = NULL;
	int fd = parent < 0 ? -1 : openat(parent, "cgroup.subtree_control", O_RDONLY | O_CLOEXEC);
	bool found = false;

	if (fd >= 0 && read(fd, text, sizeof(text) - 1) < 0)
		text[0] = 0;
	fd_close(&fd);
	for (word = strtok_r(text, " \n", &rest); word; word = strtok_r(NULL, " \n", &rest))
		found = found || strcmp(word, "memory") == 0;
	return found;
}

int cgroup_create(int parent, uint32_t id, const struct musess_config *config)
{
	char name[16], text[32];
	int dir;

	if (parent < 0)
		return -1;
	snprintf(name, sizeof(name), "%u", id);
	if (mkdirat(parent, name, 0755) < 0 && errno != EEXIST)
		return -1;
	dir = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return -1;
	snprintf(text, sizeof(text), "%u", config->TasksMax);
	put(dir, "pids.max", text);
	snprintf(text, sizeof(text), "%llu", (unsigned long long)config->MemoryMax);
	put(dir, "memory.max", text);
	put(dir, "memory.swap.max", "0");
	return dir;
}

void cgroup_remove(int parent, uint32_t id)
{
	char name[16];

	if (parent < 0)
		return;
	snprintf(name, sizeof(name), "%u", id);
	if (unlinkat(parent, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
		log_warn("session %u's cgroup stays: %s", id, strerror(errno));
}

void cgroup_close(int parent)
{
	char self[16], control[16];
	int own;

	if (parent < 0)
		return;
	own = openat(parent, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	close(parent);
	if (own < 0)
		return;
	snprintf(self, sizeof(self), "%d", getpid());
	unlinkat(own, sessions_name, AT_REMOVEDIR);
	/* back to where this process came from, so that what it made can go; under systemd
	   that fails, and systemd removes the rest */
	for (size_t i = 0; i < CONTROLLERS; i++) {
		snprintf(control, sizeof(control), "-%s", controllers[i]);
		put(own, "cgroup.subtree_control", control);
	}
	if (!apart) {
		put(own, "cgroup.procs", self);
		unlinkat(own, SERVICE, AT_REMOVEDIR);
	}
	close(own);
}
