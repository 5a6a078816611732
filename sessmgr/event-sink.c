/*
 * The journal and the file of events, which never has more bytes than it may: when it is full it is
 * renamed, with .1 behind its name, in the place of the last one, and a new one begins.
 *
 * The journal's socket, and the file's directory, are opened while their paths can be reached;
 * later, in smss's private root, they cannot. The file is opened again by its name in that
 * directory.
 *
 * A line of the file that was written in part, and could not be completed, is ended before the
 * next one, so that no two lines run into one another.
 */
#include "event-sink.h"

#include "clock.h"
#include "log.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define JOURNAL_SOCKET "/run/systemd/journal/socket"
enum { SAY_US = 60000000 }; /* how often the log says what was lost */

struct sink {
	const char *what;
	int fd;        /* -1: none */
	uint64_t lost; /* since the log said so */
	uint64_t said; /* when; 0: never */
	int error;     /* of the last one that was lost */
};

static struct sink journal = { .what = "the journal", .fd = -1 };
static struct sink file = { .what = "the event file", .fd = -1 };
static int directory = -1; /* of the file */
static char path[512];     /* of the file, for the log */
static const char *name;   /* the last part of it */
static bool torn;          /* the file ends within a line */
static uint64_t room;      /* bytes that it may still get */
static uint64_t most;      /* that it may have; 0: as many as come */
static uint64_t all_lost;
static enum journal_events chosen;

uint64_t event_lost(void)
{
	return all_lost;
}

/* What became of a line: where one was lost, the log says so, in its time. */
static void account(struct sink *sink, bool written)
{
	uint64_t now;

	if (!written) {
		sink->error = errno;
		sink->lost++;
		all_lost++;
	}
	if (sink->lost == 0)
		return;
	now = clock_us();
	if (sink->said && now - sink->said < SAY_US)
		return;
	log_warn("%" PRIu64 " events were lost that %s did not take: %s", sink->lost, sink->what,
	    strerror(sink->error));
	sink->lost = 0;
	sink->said = now;
}

/* ---- the journal ---- */

void event_journal_open(void)
{
	const struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = JOURNAL_SOCKET };
	int fd;

	if (!getenv("JOURNAL_STREAM"))
		return;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		fd_close(&fd);
	event_journal_set(fd);
}

void event_journal_set(int socket)
{
	fd_close(&journal.fd);
	journal.fd = socket;
	event_journal_choose(chosen);
}

void event_journal_choose(enum journal_events which)
{
	chosen = which;
	log_journal_has_events(journal.fd >= 0 && chosen != JOURNAL_EVENTS_NONE);
}

static bool is_chosen(const struct event_definition *definition)
{
	return chosen == JOURNAL_EVENTS_ALL ||
	       (chosen == JOURNAL_EVENTS_OUTCOMES && definition->kind == EVENT_OUTCOME);
}

/* A VALUE is one line: what has been made printable. */
static void journal_field(struct buffer *out, const char *field, const char *value)
{
	buffer_text(out, field);
	buffer_text(out, "=");
	buffer_text(out, value);
	buffer_text(out, "\n");
}

/* A field by Windows' name; with DATA_ before it, none is taken for another. */
static void journal_data(struct buffer *out, const char *field, const char *value)
{
	char upper[64] = "DATA_";
	size_t used = strlen(upper);

	for (; *field && used < sizeof(upper) - 1; field++)
		upper[used++] = (char)toupper((unsigned char)*field);
	journal_field(out, upper, value);
}

/* syslog's priority of Windows' level; an audit's is notice. */
static unsigned priority(uint32_t level)
{
	static const unsigned char priorities[] = { 5, 2, 3, 4, 6, 7 };

	return priorities[level];
}

/* TEXT in one line, as the journal's readers show an entry: what stood in lines of their own is
   behind a semicolon, or behind the heading or the sentence above it. */
static void message(struct buffer *out, const char *text)
{
	buffer_text(out, "MESSAGE=");
	while (*text) {
		size_t length = strcspn(text, "\n\t"), gap = strspn(text + length, "\n\t");
		const char *between = text + length;
		bool tabs = strcspn(between, "\n") >= gap;
		bool heading = length > 0 && strchr(".:", between[-1]) && *between == '\n';

		buffer_add(out, text, length);
		if (between[gap])
			buffer_text(out, tabs || heading ? " " : "; ");
		text = between + gap;
	}
	buffer_text(out, "\n");
}

void event_sink_journal(const struct event_record *r)
{
	char bytes[4 * EVENT_JSON_SIZE];
	struct buffer out = { .bytes = bytes, .size = sizeof(bytes) };

	if (journal.fd < 0 || !is_chosen(r->definition))
		return;
	message(&out, r->text);
	buffer_format(
	    &out, "PRIORITY=%u\nSYSLOG_IDENTIFIER=musess\n", priority(r->definition->level));
	journal_field(&out, "EVENT_CHANNEL", r->definition->channel);
	buffer_format(
	    &out, "EVENT_ID=%" PRIu32 "\nEVENT_RECORD=%" PRIu64 "\n", r->definition->id, r->number);
	if (r->session != NO_SESSION)
		buffer_format(&out, "SESSION_ID=%" PRIu32 "\n", r->session);
	for (size_t i = 0; i < r->definition->count; i++)
		journal_data(&out, r->definition->fields[i].name, r->values[i]);
	account(&journal, send(journal.fd, bytes, out.used, MSG_NOSIGNAL) == (ssize_t)out.used);
}

/* ---- the file ---- */

/* Opens the file in its directory, and makes it. Nothing waits, were it a pipe; no link is
   followed, as it would lead elsewhere in another root. */
static int open_in_directory(void)
{
	int flags = O_RDWR | O_APPEND | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW | O_CLOEXEC;
	int fd = openat(directory, name, flags);

	if (fd < 0 && errno == ENOENT) {
		fd = openat(directory, name, flags | O_CREAT | O_EXCL, 0640);
		if (fd >= 0)
			fchmod(fd, 0640); /* whatever the umask was */
	}
	return fd;
}

/* Whether the file was left so, when the machine had no room or was cut off. */
static bool ends_within_line(int fd)
{
	struct stat status;
	char last;

	return fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_size > 0 &&
	       pread(fd, &last, 1, status.st_size - 1) == 1 && last != '\n';
}

/* How many bytes more it may get. What is no file grows by itself. */
static uint64_t room_in(int fd)
{
	struct stat status;

	if (!most || fstat(fd, &status) < 0 || !S_ISREG(status.st_mode))
		return UINT64_MAX;
	return (uint64_t)status.st_size < most ? most - (uint64_t)status.st_size : 0;
}

int event_reopen(void)
{
	int fd;

	if (directory < 0)
		return 0;
	fd = open_in_directory();
	if (fd < 0) {
		log_error("cannot open the event file %s: %s: name a file, and no link, in a "
		          "directory that user %u may write to (EventFile)",
		    path, strerror(errno), geteuid());
		return -1;
	}
	fd_close(&file.fd);
	file.fd = fd;
	torn = ends_within_line(fd);
	room = room_in(fd);
	return 0;
}

/* The file is full: it is the one before from now on, and a new one begins. 0 or -1 with errno. */
static int turn_over(void)
{
	char before[sizeof(path)];

	snprintf(before, sizeof(before), "%s.1", name);
	/* it may have been done, and only the next file not been made */
	if (renameat(directory, name, directory, before) < 0 && errno != ENOENT)
		return -1;
	return event_reopen();
}

int event_open(const char *file_path, uint64_t bytes)
{
	char parent[sizeof(path)];
	char *slash;

	most = bytes;
	if (!*file_path)
		return 0;
	if (snprintf(path, sizeof(path), "%s", file_path) >= (int)sizeof(path)) {
		log_error("the path of the event file is too long: %s", file_path);
		return -1;
	}
	memcpy(parent, path, sizeof(parent));
	slash = strrchr(parent, '/');
	name = path + (slash - parent) + 1;
	slash[slash == parent] = 0; /* the root is its own parent's name */
	directory = open(parent, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (directory < 0) {
		log_error("cannot open the directory %s of the event file: %s: make it, or name "
		          "another file (EventFile)",
		    parent, strerror(errno));
		return -1;
	}
	return event_reopen();
}

void event_sink_file(const struct event_record *r)
{
	char line[EVENT_JSON_SIZE + 2];
	struct buffer out = { .bytes = line, .size = sizeof(line) };
	size_t done = 0;
	ssize_t n;

	if (file.fd < 0)
		return;
	if (torn)
		buffer_text(&out, "\n");
	buffer_add(&out, r->json, r->json_length);
	buffer_text(&out, "\n");
	if (out.used > room && turn_over() < 0) {
		account(&file, false);
		return;
	}
	errno = ENOSPC; /* what a write that takes nothing means */
	while (done < out.used && (n = write(file.fd, line + done, out.used - done)) > 0)
		done += (size_t)n;
	room -= done < room ? done : room; /* one line may be more than the bound */
	if (done > 0)
		torn = line[done - 1] != '\n';
	account(&file, done == out.used);
}

void event_close(void)
{
	fd_close(&file.fd);
	fd_close(&directory);
	event_journal_set(-1);
	event_subscribe(NULL);
}
