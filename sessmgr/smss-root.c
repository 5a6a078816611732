/*
 * The private root: a small tmpfs with read-only binds, made once. smss lives in it, and
 * every session's mount namespace is a copy of it, so that a new session mounts no more
 * than what is its own (/run, /proc, /dev/pts) and sees nothing else of the host.
 *
 *   /usr              the host's, read-only, without set-user-id
 *   /bin /lib ...     links into /usr, as on the host (or binds where they are directories)
 *   /etc              copies of what programs need; passwd and group lead to /run/session
 *   /dev              the devices of any container; pts and shm are each session's
 *   /proc             covered by each session's own
 *   /opt/musess/bin   musess's programs
 */
#include "log.h"
#include "smss.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Files and directories of /etc that programs read; missing ones are left out. */
static const char *etc_copies[] = { "alternatives", "bash.bashrc", "debian_version", "host.conf",
	"inputrc", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "locale.alias", "localtime",
	"login.defs", "magic", "mime.types", "nanorc", "os-release", "protocols", "services",
	"shells", "skel", "terminfo", "timezone", "vim", "xattr.conf" };

static const struct {
	const char *name, *text;
} etc_files[] = {
	{ "hosts", "127.0.0.1\tlocalhost\n::1\tlocalhost\n" },
	{ "nsswitch.conf",
	    "passwd: files\ngroup: files\nhosts: files\nservices: files\nprotocols: files\n" },
	{ "resolv.conf", "" },
	/* Debian's starts programs to find out what winlogon has set: so would every session. And
	   the host's profile.d has variables of the host's in it, which are nothing to a session */
	{ "profile", "# made by musess\n"
	             "if [ \"${BASH-}\" ] && [ \"${PS1-}\" ] && [ -r /etc/bash.bashrc ]; then\n"
	             "\t. /etc/bash.bashrc\n"
	             "\t[ ! -r /usr/share/bash-completion/bash_completion ] ||\n"
	             "\t\t. /usr/share/bash-completion/bash_completion\n"
	             "fi\n"
	             "for file in /etc/profile.d/*.sh; do\n"
	             "\t[ ! -r \"$file\" ] || . \"$file\"\n"
	             "done\n"
	             "unset file\n" },
	{ "profile.d/musess.sh", "PATH=$PATH:" ROOT_BIN "\n" }, /* musessctl, where not installed */
};

static const struct {
	const char *name, *target;
} links[] = {
	{ "etc/passwd", "../run/session/passwd" },
	{ "etc/group", "../run/session/group" },
	{ "etc/mtab", "../proc/self/mounts" },
	{ "dev/fd", "/proc/self/fd" },
	{ "dev/stdin", "/proc/self/fd/0" },
	{ "dev/stdout", "/proc/self/fd/1" },
	{ "dev/stderr", "/proc/self/fd/2" },
	{ "dev/ptmx", "pts/ptmx" },
	{ "var/tmp", "../tmp" },
	{ "var/run", "../run" },
};

static const char *directories[] = { "usr", "etc", "dev", "dev/pts", "dev/shm", "proc", "tmp",
	"run", "home", "root", "var", "var/log", "opt", "opt/musess", "opt/musess/bin",
	"opt/musess/port", "mnt", "srv" };
static const char *devices[] = { "null", "zero", "full", "random", "urandom", "tty" };
static const char *top_links[] = { "bin", "sbin", "lib", "lib32", "lib64", "libx32" };

enum { COPY_FILE_MAX = 1 << 20, COPY_DEPTH_MAX = 6 };

static int failed(const char *what, const char *name)
{
	log_error("cannot make the private root: %s %s: %s", what, name, strerror(errno));
	return -1;
}

/* Copies the file open at FROM to NAME in directory TO. */
static int copy_file(int from, int to, const char *name, const struct stat *status)
{
	char block[65536];
	ssize_t got;
	int out;

	if (status->st_size > COPY_FILE_MAX)
		return 0; /* nothing that programs need is that large */
	out = openat(
	    to, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444 | (status->st_mode & 0111));
	if (out < 0)
		return -1;
	while ((got = read(from, block, sizeof(block))) > 0)
		if (write(out, block, (size_t)got) != got) {
			got = -1;
			break;
		}
	close(out);
	return got < 0 ? -1 : 0;
}

static int copy_tree(int from_dir, const char *name, int to_dir, int depth);

static int copy_directory(int from, int to_dir, const char *name, int depth)
{
	int result = 0, to;
	struct dirent *e;
	DIR *d;

	if (mkdirat(to_dir, name, 0755) < 0)
		return -1;
	to = openat(to_dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	d = fdopendir(fcntl(from, F_DUPFD_CLOEXEC, 0));
	while (d && to >= 0 && result == 0 && (e = readdir(d)))
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			result = copy_tree(from, e->d_name, to, depth + 1);
	if (!d || to < 0)
		result = -1;
	if (d)
		closedir(d);
	fd_close(&to);
	return result;
}

/* Copies a file, link or directory. What not everybody may read, or is too deep, is left
   out. */
static int copy_tree(int from_dir, const char *name, int to_dir, int depth)
{
	char target[512];
	struct stat status;
	int result = 0, from;

	if (depth > COPY_DEPTH_MAX || fstatat(from_dir, name, &status, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	if (S_ISLNK(status.st_mode)) {
		ssize_t n = readlinkat(from_dir, name, target, sizeof(target) - 1);
		if (n < 0)
			return 0;
		target[n] = 0;
		return symlinkat(target, to_dir, name);
	}
	if ((!S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode)) || !(status.st_mode & S_IROTH))
		return 0;
	from = openat(from_dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (from < 0)
		return 0;
	if (S_ISREG(status.st_mode))
		result = copy_file(from, to_dir, name, &status);
	else
		result = copy_directory(from, to_dir, name, depth);
	close(from);
	return result;
}

static int fill_etc(int root)
{
	int etc = openat(root, "etc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int host = open("/etc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int result = etc < 0 || host < 0 ? failed("open", "/etc") : 0;

	for (size_t i = 0; result == 0 && i < sizeof(etc_copies) / sizeof(*etc_copies); i++)
		if (copy_tree(host, etc_copies[i], etc, 0) < 0)
			result = failed("copy /etc/", etc_copies[i]);
	if (result == 0 && mkdirat(etc, "profile.d", 0755) < 0 && errno != EEXIST)
		result = failed("make /etc/", "profile.d");
	for (size_t i = 0; result == 0 && i < sizeof(etc_files) / sizeof(*etc_files); i++) {
		size_t length = strlen(etc_files[i].text);
		int fd = openat(etc, etc_files[i].name, O_WRONLY | O_CREAT | O_CLOEXEC, 0444);
		if (fd < 0 || write(fd, etc_files[i].text, length) != (ssize_t)length)
			result = failed("write /etc/", etc_files[i].name);
		fd_close(&fd);
	}
	fd_close(&etc);
	fd_close(&host);
	return result;
}

/* Binds FROM, and what is mounted below it, to TO, which exists, with ATTRIBUTES added. */
static int bind_to(const char *from, const char *to, uint64_t attributes)
{
	struct mount_attr set = { .attr_set = attributes };

	if (mount(from, to, NULL, MS_BIND | MS_REC, NULL) < 0)
		return failed("bind", from);
	if (attributes && mount_setattr(AT_FDCWD, to, AT_RECURSIVE, &set, sizeof(set)) < 0)
		return failed("protect", from);
	return 0;
}

/* In the new root (the current directory): the top level's links or binds into /usr. */
static int top_level(const char *name)
{
	char from[64], target[128];
	struct stat status;

	snprintf(from, sizeof(from), "/%s", name);
	if (lstat(from, &status) < 0)
		return 0;
	if (S_ISLNK(status.st_mode)) {
		ssize_t n = readlink(from, target, sizeof(target) - 1);
		if (n < 0)
			return failed("read", from);
		target[n] = 0;
		return symlink(target, name) < 0 ? failed("link", name) : 0;
	}
	if (mkdir(name, 0755) < 0)
		return failed("mkdir", name);
	return bind_to(from, name, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID);
}

static int device(const char *name)
{
	char from[64], to[64];
	int fd;

	snprintf(from, sizeof(from), "/dev/%s", name);
	snprintf(to, sizeof(to), "dev/%s", name);
	fd = open(to, O_CREAT | O_WRONLY | O_CLOEXEC, 0666);
	if (fd < 0)
		return failed("create", to);
	close(fd);
	return bind_to(from, to, 0);
}

static int fill(const char *bin, const char *port)
{
	int root;

	for (size_t i = 0; i < sizeof(directories) / sizeof(*directories); i++)
		if (mkdir(directories[i], 0755) < 0)
			return failed("mkdir", directories[i]);
	for (size_t i = 0; i < sizeof(links) / sizeof(*links); i++)
		if (symlink(links[i].target, links[i].name) < 0)
			return failed("link", links[i].name);
	for (size_t i = 0; i < sizeof(top_links) / sizeof(*top_links); i++)
		if (top_level(top_links[i]) < 0)
			return -1;
	for (size_t i = 0; i < sizeof(devices) / sizeof(*devices); i++)
		if (device(devices[i]) < 0)
			return -1;
	root = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (root < 0 || fill_etc(root) < 0)
		return -1;
	close(root);
	if (bind_to("/usr", "usr", MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID) < 0 ||
	    bind_to(bin, &ROOT_BIN[1], MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID) < 0 ||
	    bind_to(port, &ROOT_SM_DIR[1], MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID) < 0)
		return -1;
	/* one that nothing covers: the kernel lets sessions mount their own only then */
	if (mount("proc", "proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0 &&
	    bind_to("/proc", "proc", 0) < 0)
		return -1;
	return 0;
}

static int write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), result;

	if (fd < 0)
		return -1;
	result = write(fd, text, strlen(text)) == (ssize_t)strlen(text) ? 0 : -1;
	close(fd);
	return result;
}

/* User mode: become root of a user namespace that holds this user alone. */
static int enter_user_namespace(void)
{
	char uid_map[32], gid_map[32];

	snprintf(uid_map, sizeof(uid_map), "0 %u 1", geteuid());
	snprintf(gid_map, sizeof(gid_map), "0 %u 1", getegid());
	if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0) {
		log_error(
		    "this system forbids user namespaces to ordinary users (%s): run as root, or "
		    "set the sysctls kernel.unprivileged_userns_clone=1, "
		    "kernel.apparmor_restrict_unprivileged_userns=0 and "
		    "user.max_user_namespaces and user.max_mnt_namespaces above 0, as far as they "
		    "exist here",
		    strerror(errno));
		return -1;
	}
	if (write_text("/proc/self/setgroups", "deny") < 0 ||
	    write_text("/proc/self/uid_map", uid_map) < 0 ||
	    write_text("/proc/self/gid_map", gid_map) < 0) {
		log_error("cannot map this user into a user namespace: %s", strerror(errno));
		return -1;
	}
	return 0;
}

static int enter_mount_namespace(void)
{
	if (unshare(CLONE_NEWNS) == 0)
		return 0;
	log_error("cannot make a mount namespace: %s: run as root with CAP_SYS_ADMIN, or as an "
	          "ordinary user, where the sysctl user.max_mnt_namespaces is above 0",
	    strerror(errno));
	return -1;
}

int root_unshare(bool privileged)
{
	if ((privileged ? enter_mount_namespace() : enter_user_namespace()) < 0)
		return -1;
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return failed("make private", "/");
	return 0;
}

int root_directory(const char *path)
{
	return (int)syscall(SYS_open_tree, AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
}

int root_enter(const char *bin, const char *port, const char *mount_point)
{
	if (mount("tmpfs", mount_point, "tmpfs", MS_NOSUID | MS_NODEV, "mode=755,size=8m") < 0 ||
	    chdir(mount_point) < 0)
		return failed("mount a tmpfs at", mount_point);
	umask(0);
	if (fill(bin, port) < 0)
		return -1;
	if (syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
		return failed("move into", mount_point);
	umask(077);
	return 0;
}

int root_seal(void)
{
	if (mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV, NULL) ==
	    0)
		return 0;
	return failed("make read-only", "/");
}
