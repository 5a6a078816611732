/* A new file is written beside the old one, and takes its place when all of it is on the disk. */
#include "replace.h"

#include "../sessmgr/log.h"
#include "../sessmgr/port.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int write_all(int fd, const char *text, size_t size)
{
	while (size > 0) {
		ssize_t written = write(fd, text, size);
		if (written < 0 && errno != EINTR)
			return -1;
		if (written > 0) {
			text += written;
			size -= (size_t)written;
		}
	}
	return 0;
}

/* Makes a rename in the directory last. It may be an O_PATH descriptor, hence openat. */
static void directory_sync(int directory)
{
	int fd = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	/* the change is made and seen; only a power failure could still undo it */
	if (fd < 0 || fsync(fd) < 0)
		log_warn("the state directory cannot be synchronised: %s", strerror(errno));
	fd_close(&fd);
}

/* Makes the file and writes it. 0, or -1 with errno. */
static int write_new(int directory, const char *name, const char *text, size_t size)
{
	/* one that an interrupted process left would keep its mode and its owner */
	if (unlinkat(directory, name, 0) < 0 && errno != ENOENT)
		return -1;
	int fd =
	    openat(directory, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -1;
	bool written = write_all(fd, text, size) == 0 && fsync(fd) == 0;
	int error = errno;
	if (close(fd) == 0 && written)
		return 0;
	errno = written ? errno : error;
	return -1;
}

int replace_file(int directory, const char *name, const char *text, size_t size)
{
	char new_name[64];

	if (snprintf(new_name, sizeof(new_name), "%s.new", name) >= (int)sizeof(new_name)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	if (write_new(directory, new_name, text, size) < 0 ||
	    renameat(directory, new_name, directory, name) < 0) {
		int error = errno;
		unlinkat(directory, new_name, 0);
		errno = error;
		return -1;
	}
	directory_sync(directory);
	return 0;
}
