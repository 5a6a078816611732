/* Written beside its place, and renamed. */
#include "whole-file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Makes the file beside its place, with the mode of the one that is there. It is nobody else's: the
   directory may be one that others write to, and what has its name there is removed, not written to. */
static int open_beside(struct whole_file *file, const struct stat *old)
{
	int fd;

	if (asprintf(&file->beside, "%s.new", file->path) < 0) {
		file->beside = NULL;
		errno = ENOMEM;
		return -1;
	}
	if (unlink(file->beside) < 0 && errno != ENOENT)
		return -1;
	fd = open(file->beside, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd >= 0 && old)
		(void)!fchmod(fd, old->st_mode & 0777);
	return fd;
}

int whole_file_open(struct whole_file *file, const char *path)
{
	struct stat old;
	bool there = stat(path, &old) == 0;
	int fd;

	*file = (struct whole_file){ .path = there ? realpath(path, NULL) : strdup(path) };
	if (!file->path)
		return -1;
	fd = there && !S_ISREG(old.st_mode) ? open(path, O_WRONLY | O_CLOEXEC)
	                                    : open_beside(file, there ? &old : NULL);
	if (fd < 0) {
		int error = errno;
		whole_file_end(file);
		errno = error;
	}
	return fd;
}

int whole_file_place(struct whole_file *file)
{
	if (!file->beside)
		return 0;
	if (rename(file->beside, file->path) < 0)
		return -1;
	free(file->beside);
	file->beside = NULL;
	return 0;
}

void whole_file_end(struct whole_file *file)
{
	if (file->beside)
		unlink(file->beside);
	free(file->beside);
	free(file->path);
	*file = (struct whole_file){ 0 };
}
