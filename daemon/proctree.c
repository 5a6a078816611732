/*
 * Who belongs to whom in /proc. The entries are an array sorted by process id, in which
 * each process's ancestors are looked up until a root is met.
 */
#include "proctree.h"

#include "messages.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A process may call itself anything, half a character and escape sequences included. */
static void copy_image(char *image, const char *name, size_t length)
{
	if (length >= PROCTREE_IMAGE_SIZE)
		length = PROCTREE_IMAGE_SIZE - 1;
	memcpy(image, name, length);
	image[length] = 0;
	for (size_t i = 0; i < length; i++)
		if ((unsigned char)image[i] < 0x20 || image[i] == 0x7f)
			image[i] = '?';
	if (port_text_valid(image, PROCTREE_IMAGE_SIZE))
		return;
	for (size_t i = 0; i < length; i++)
		if ((unsigned char)image[i] >= 0x80)
			image[i] = '?';
}

/* A number that ends in a blank. Returns what follows it, or NULL. */
static const char *parse_pid(const char *text, pid_t *pid)
{
	char *end;
	long number;

	if (!isdigit((unsigned char)*text))
		return NULL;
	errno = 0;
	number = strtol(text, &end, 10);
	*pid = (pid_t)number;
	return errno == 0 && number == *pid && *end == ' ' ? end + 1 : NULL;
}

/* The numbers of the line's end, which begins with field 4. */
static void parse_numbers(const char *text, struct proctree_entry *entry)
{
	const char *blank = text;

	for (int field = 4; blank; field++) {
		uint64_t number = strtoull(text, NULL, 10);
		if (field >= 10 && field <= 13)
			entry->faults += number;
		else if (field >= 14 && field <= 17) {
			entry->ticks += number;
			entry->own += field <= 15 ? number : 0;
			entry->user += field % 2 == 0 ? number : 0;
		} else if (field == 20)
			entry->threads = number;
		else if (field == 23)
			entry->size = number;
		else if (field == 22)
			entry->started = number;
		else if (field == 24)
			entry->resident = number;
		else if (field == 26)
			entry->code = number;
		else if (field == 48)
			entry->arguments = number;
		blank = strchr(text, ' ');
		text = blank ? blank + 1 : text;
	}
}

int proctree_parse(const char *line, struct proctree_entry *entry)
{
	const char *open, *close;

	*entry = (struct proctree_entry){ .session = NO_SESSION, .handles = -1 };
	/* "12 (name) S 1 ...": the name may hold blanks and parentheses, the rest has none */
	open = parse_pid(line, &entry->pid);
	close = strrchr(line, ')');
	if (!open || *open != '(' || !close || close < open || close[1] != ' ' || !close[2] ||
	    close[3] != ' ' || !parse_pid(close + 4, &entry->parent))
		return -1;
	copy_image(entry->image, open + 1, (size_t)(close - open - 1));
	parse_numbers(close + 4, entry);
	return 0;
}

/* The kilobytes behind KEY, which begins a line. Returns false where there are none. */
static bool add_kilobytes(const char *text, const char *key, uint64_t *bytes)
{
	const char *at = strstr(text, key);
	char *end;
	uint64_t number;

	if (!at)
		return false;
	at += strlen(key);
	number = strtoull(at, &end, 10);
	*bytes += number * 1024;
	return end > at && strncmp(end, " kB\n", 4) == 0;
}

int proctree_parse_rollup(const char *text, uint64_t *bytes)
{
	*bytes = 0;
	return add_kilobytes(text, "\nPrivate_Clean:", bytes) &&
	               add_kilobytes(text, "\nPrivate_Dirty:", bytes)
	           ? 0
	           : -1;
}

uint64_t proctree_memory(const struct proctree_entry *entry)
{
	char path[64], text[4096];
	uint64_t bytes;
	ssize_t got;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", entry->pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	got = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (fd >= 0)
		close(fd);
	text[got > 0 ? got : 0] = 0;
	return proctree_parse_rollup(text, &bytes) == 0
	           ? bytes
	           : entry->resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

static int by_pid(const void *one, const void *other)
{
	const struct proctree_entry *a = one, *b = other;

	return (a->pid > b->pid) - (a->pid < b->pid);
}

/* NO_SESSION is the largest number, and comes first. */
static int by_session(const void *one, const void *other)
{
	const struct proctree_entry *a = one, *b = other;
	uint32_t first = a->session + 1, second = b->session + 1;

	return first != second ? (first > second) - (first < second) : by_pid(a, b);
}

static int root_by_pid(const void *one, const void *other)
{
	const struct proctree_root *a = one, *b = other;

	return (a->pid > b->pid) - (a->pid < b->pid);
}

struct search {
	const struct proctree_entry *entries;
	size_t count;
	const struct proctree_root *roots;
	size_t root_count;
	pid_t manager;
};

static const struct proctree_root *root_of(const struct search *s, const struct proctree_entry *of)
{
	/* ids taken by others meanwhile could make a circle */
	for (size_t steps = 0; of && steps < s->count; steps++) {
		const struct proctree_root *root = NULL;
		struct proctree_entry parent = { .pid = of->parent };
		struct proctree_root key = { .pid = of->pid };

		root = bsearch(&key, s->roots, s->root_count, sizeof(key), root_by_pid);
		if (root && (of->parent == s->manager || (of->pid == s->manager && steps == 0) ||
		                (root->born && root->born == of->started)))
			return root;
		of = bsearch(&parent, s->entries, s->count, sizeof(parent), by_pid);
	}
	return NULL;
}

size_t proctree_assign(struct proctree_entry *entries, size_t count, struct proctree_root *roots,
    size_t root_count, pid_t manager)
{
	struct search search = { entries, count, roots, root_count, manager };
	size_t owned = 0;

	qsort(entries, count, sizeof(*entries), by_pid);
	qsort(roots, root_count, sizeof(*roots), root_by_pid);
	for (size_t i = 0; i < count; i++) {
		const struct proctree_root *root = root_of(&search, &entries[i]);
		entries[i].owned = root != NULL;
		if (root)
			entries[i].session = root->session;
	}
	for (size_t i = 0; i < count; i++)
		if (entries[i].owned)
			entries[owned++] = entries[i];
	qsort(entries, owned, sizeof(*entries), by_session);
	return owned;
}

/* Returns 0, or -1 where process NAME has ended. */
static int read_process(int proc, const char *name, struct proctree_entry *entry)
{
	char path[300], line[1024];
	ssize_t got;
	int fd;

	snprintf(path, sizeof(path), "%s/stat", name);
	fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	got = read(fd, line, sizeof(line) - 1);
	close(fd);
	if (got <= 0)
		return -1;
	line[got] = 0;
	return proctree_parse(line, entry);
}

/* Returns the array with room for one more than COUNT, or NULL, and then it is freed. */
static struct proctree_entry *grow(struct proctree_entry *entries, size_t count)
{
	struct proctree_entry *larger;

	if (count & (count - 1)) /* it doubles at powers of two */
		return entries;
	larger = reallocarray(entries, count ? 2 * count : 1, sizeof(*entries));
	if (!larger)
		free(entries);
	return larger;
}

struct proctree_entry *proctree_walk(size_t *count)
{
	DIR *proc = opendir("/proc");
	struct proctree_entry *entries = proc ? grow(NULL, 0) : NULL;
	const struct dirent *d;

	*count = 0;
	while (entries && (d = readdir(proc))) {
		if (!isdigit((unsigned char)d->d_name[0]) ||
		    read_process(dirfd(proc), d->d_name, &entries[*count]) < 0)
			continue;
		entries = grow(entries, ++*count);
	}
	if (proc)
		closedir(proc);
	return entries;
}

int proctree_handles(pid_t pid)
{
	char path[32];
	int count = 0;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	d = opendir(path);
	if (!d)
		return -1;
	for (const struct dirent *e; (e = readdir(d));)
		count += e->d_name[0] != '.';
	closedir(d);
	return count;
}

struct proctree_entry *proctree_read(
    struct proctree_root *roots, size_t root_count, pid_t manager, size_t *count)
{
	struct proctree_entry *entries = proctree_walk(count);

	if (!entries)
		return NULL;
	*count = proctree_assign(entries, *count, roots, root_count, manager);
	for (size_t i = 0; i < *count; i++)
		entries[i].handles = proctree_handles(entries[i].pid);
	return entries;
}
