/* Files of passwords (password-file.h). */
#include "password-file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_MAX = 16 << 20 };

size_t text_mark_length(const char *text)
{
	static const char mark[] = "\xef\xbb\xbf";

	return strncmp(text, mark, strlen(mark)) == 0 ? strlen(mark) : 0;
}

char *password_of_line(char *line, int first)
{
	size_t length;

	if (first)
		line += text_mark_length(line);
	length = strlen(line);
	if (length && line[length - 1] == '\r')
		line[length - 1] = 0;
	return line;
}

/* Of a file that others may read everybody knows the passwords; a pipe is its reader's alone. */
static int check_mode(int fd, const char *path, char *error, size_t size)
{
	struct stat st;

	if (fstat(fd, &st) < 0) {
		snprintf(error, size, "%s: %s", path, strerror(errno));
		return -1;
	}
	if (S_ISREG(st.st_mode) && (st.st_mode & S_IRWXO)) {
		snprintf(error, size, "%s: others may read or write it (mode %04o): chmod o= %s",
		    path, st.st_mode & 07777, path);
		return -1;
	}
	return 0;
}

/* Returns 0, or -1 with errno. */
static int read_all(int fd, char *text, size_t size, size_t *length)
{
	*length = 0;
	for (;;) {
		ssize_t got = read(fd, text + *length, size - *length);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -1;
		if (got == 0)
			return 0;
		*length += (size_t)got;
		if (*length == size) {
			errno = EFBIG;
			return -1;
		}
	}
}

/* Makes a password of each line. Returns 0, or -1 with a message. */
static int split(struct password_file *file, const char *path, char *error, size_t size)
{
	char *rest = file->text, *line;
	size_t lines = 1;

	for (size_t i = 0; i < file->length; i++)
		lines += file->text[i] == '\n';
	file->password = calloc(lines, sizeof(*file->password));
	if (!file->password || strlen(file->text) != file->length) {
		snprintf(
		    error, size, file->password ? "%s: it is no text" : "memory is short", path);
		return -1;
	}
	while ((line = strsep(&rest, "\n"))) {
		line = password_of_line(line, file->count == 0);
		if (!rest && !*line)
			break; /* behind the last line's end */
		if (!*line) {
			snprintf(error, size, "%s:%zu: there is no password in this line", path,
			    file->count + 1);
			return -1;
		}
		file->password[file->count++] = line;
	}
	if (file->count == 0)
		snprintf(error, size, "%s: there is no password in it", path);
	return file->count ? 0 : -1;
}

int password_file_read(struct password_file *file, const char *path, char *error, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), status;

	*file = (struct password_file){ 0 };
	if (fd < 0) {
		snprintf(error, size, "%s: %s", path, strerror(errno));
		return -1;
	}
	status = check_mode(fd, path, error, size);
	file->text = status == 0 ? calloc(1, FILE_MAX + 1) : NULL;
	if (file->text && read_all(fd, file->text, FILE_MAX, &file->length) == 0)
		status = split(file, path, error, size);
	else if (status == 0) {
		snprintf(error, size, "%s: %s", path, strerror(errno));
		status = -1;
	}
	close(fd);
	return status;
}

void password_file_finish(struct password_file *file)
{
	if (file->text)
		explicit_bzero(file->text, file->length);
	free(file->text);
	free(file->password);
	*file = (struct password_file){ 0 };
}
