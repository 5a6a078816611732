/*
 * Files that the configuration names: found once by their paths, and from then on by their names in
 * the directories that they were in. A link in the last place may lead elsewhere on the same file
 * system by a relative path; smss's root has no other.
 */
#include "configured.h"

#include "log.h"
#include "port.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* One of them. */
struct file {
	char *path;
	const char *name; /* the last part of it */
	int directory;    /* -1: none */
};

/* What a path of the command line may begin in; empty: that is not known. */
static char start_directory[NAMED_PATH_SIZE];

static struct file config_file = { .directory = -1 };
enum { CERTIFICATE, KEY };
static struct file pair_files[] = { { .directory = -1 }, { .directory = -1 } };
static const char *const pair_words[] = { "certificate", "private key" };

/* Remembers the file at PATH. Where its directory is not there, opening it will say so. */
static void keep(struct file *file, const char *path)
{
	char *slash;

	free(file->path);
	fd_close(&file->directory);
	file->path = strdup(path);
	slash = file->path ? strrchr(file->path, '/') : NULL;
	file->name = slash ? slash + 1 : file->path;
	if (slash)
		*slash = 0;
	file->directory = open(!slash               ? "."
	                       : slash > file->path ? file->path
	                                            : "/",
	    O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (slash)
		*slash = '/';
}

static int open_file(const struct file *file)
{
	if (file->directory < 0) {
		errno = ENOENT;
		return -1;
	}
	return openat(file->directory, file->name, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
}

/* More about why FILE was not opened. */
static const char *more(const struct file *file)
{
	char target[2] = "";

	if (file->directory < 0 ||
	    readlinkat(file->directory, file->name, target, sizeof(target) - 1) <= 0 ||
	    target[0] != '/')
		return "";
	return " (it is a link by an absolute path, which is followed at the start alone: restart, "
	       "or link by a relative path)";
}

/* ---- the configuration file ---- */

const char *configured_keep(const char *path)
{
	keep(&config_file, path);
	if (!getcwd(start_directory, sizeof(start_directory)))
		start_directory[0] = 0;
	return config_file.path;
}

FILE *configured_open(FILE *report)
{
	int fd = open_file(&config_file);
	FILE *file = fd < 0 ? NULL : fdopen(fd, "r");

	if (file)
		return file;
	fprintf(report, "%s: %s%s; allowed: a file that can be read\n", config_file.path,
	    strerror(errno), more(&config_file));
	fd_close(&fd);
	return NULL;
}

/* ---- the certificate and its key ---- */

/* The bytes of WHICH, as many as are in *SIZE then; NULL after writing to REPORT why not. */
static char *read_file(unsigned which, uint64_t *size, FILE *report)
{
	const struct file *file = &pair_files[which];
	int fd = open_file(file);
	struct stat status = { 0 };
	char *bytes = NULL;

	if (fd >= 0 && fstat(fd, &status) == 0 && !S_ISREG(status.st_mode))
		errno = EINVAL;
	else if (fd >= 0 && status.st_size > CONFIGURED_MAX)
		errno = EFBIG;
	else if (fd >= 0 && (bytes = malloc((size_t)status.st_size + 1)) &&
	         read(fd, bytes, (size_t)status.st_size) != status.st_size) {
		free(bytes);
		bytes = NULL;
		errno = EIO;
	}
	*size = (uint64_t)status.st_size;
	if (!bytes)
		fprintf(report, "cannot read the %s %s: %s%s\n", pair_words[which], file->path,
		    strerror(errno), more(file));
	else if (status.st_mode & S_IWOTH)
		fprintf(report, "everybody on this machine may write to the %s %s: chmod o-w %s\n",
		    pair_words[which], file->path, file->path);
	if (bytes && which == KEY && (status.st_mode & S_IROTH))
		fprintf(report,
		    "everybody on this machine may read the private key %s: chmod o= %s, and make "
		    "another pair\n",
		    file->path, file->path);
	fd_close(&fd);
	return bytes;
}

/* Both in a memory file; -1 with errno. */
static int pair_file(const struct configured_pair *sizes, const char *certificate, const char *key)
{
	int fd = memfd_create("certificate", MFD_CLOEXEC);

	if (fd >= 0 && write(fd, sizes, sizeof(*sizes)) == sizeof(*sizes) &&
	    write(fd, certificate, sizes->certificate) == (ssize_t)sizes->certificate &&
	    write(fd, key, sizes->key) == (ssize_t)sizes->key)
		return fd;
	fd_close(&fd);
	return -1;
}

/* Reads the two. */
static int read_pair(int *pair, FILE *report)
{
	struct configured_pair sizes;
	char *certificate = read_file(CERTIFICATE, &sizes.certificate, report);
	char *key = certificate ? read_file(KEY, &sizes.key, report) : NULL;

	*pair = -1;
	if (certificate && key) {
		*pair = pair_file(&sizes, certificate, key);
		if (*pair < 0)
			fprintf(report, "cannot keep the certificate: %s\n", strerror(errno));
	}
	if (key)
		explicit_bzero(key, sizes.key);
	free(certificate);
	free(key);
	return *pair < 0 ? -1 : 0;
}

int configured_pair(const struct musess_config *config, int *pair, FILE *report)
{
	*pair = -1;
	if (!config->Certificate[0])
		return 0;
	keep(&pair_files[CERTIFICATE], config->Certificate);
	keep(&pair_files[KEY], config->PrivateKey);
	return read_pair(pair, report);
}

/* Whether the memory files A and B hold the same. */
static bool same_bytes(int a, int b)
{
	char of_a[4096], of_b[sizeof(of_a)];
	ssize_t got;
	off_t at = 0;

	do {
		got = pread(a, of_a, sizeof(of_a), at);
		if (got < 0 || pread(b, of_b, sizeof(of_b), at) != got ||
		    memcmp(of_a, of_b, (size_t)got) != 0)
			break;
		at += got;
	} while (got > 0);
	explicit_bzero(of_a, sizeof(of_a));
	explicit_bzero(of_b, sizeof(of_b));
	return got == 0;
}

int configured_pair_again(int old, int *pair, FILE *report)
{
	*pair = -1;
	if (old < 0)
		return 0;
	if (read_pair(pair, report) < 0)
		return -1;
	if (same_bytes(old, *pair))
		fd_close(pair);
	return 0;
}

/* ---- which they are ---- */

/* FILE's path from the root on, or none where that cannot be told. */
static void name_file(const struct file *file, struct named_file *named)
{
	struct stat status;
	int length = -1;

	if (file->path && file->directory >= 0 && fstat(file->directory, &status) == 0)
		length = snprintf(named->path, sizeof(named->path), "%s%s%s",
		    file->path[0] == '/' ? "" : start_directory, file->path[0] == '/' ? "" : "/",
		    file->path);
	if (length < 0 || length >= (int)sizeof(named->path) || named->path[0] != '/') {
		memset(named, 0, sizeof(*named));
		return;
	}
	named->device = status.st_dev;
	named->inode = status.st_ino;
}

void configured_name(struct named_file *files)
{
	_Static_assert(NAMED_FILES == 3, "a place for each");
	name_file(&config_file, &files[0]);
	name_file(&pair_files[CERTIFICATE], &files[1]);
	name_file(&pair_files[KEY], &files[2]);
}
