/*
 * What a later smss has to know of the sessions: a file in memory (of the directory that the SM
 * API port is in, a tmpfs for a service), mapped, so that a change costs a copy and no system call.
 *
 *   header    which build and boot wrote it, and the counters that never go back
 *   record    one for each slot of the table, twice: the newer of the two copies that are whole
 *             counts, so that whoever dies while one is written leaves the other
 */
#include "log.h"
#include "smss.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define RECORD_FILE "sessions"

#define NEW_FILE "sessions.new"

/*
 * What it is, and of which build. Where builds differ:
 *
 *   fields are appended to struct record    its size tells; what both know is read
 *   anything else of it, or the protocol    RECORD_VERSION is another: what stays (smss.h) is
 *   between smss and csrss, changes         read, and the sessions are ended
 *
 * The header, the two copies and the number before each stay as they are.
 */
enum { RECORD_MAGIC = 0x6d757365, RECORD_VERSION = 1, BOOT_ID_SIZE = 40 };

struct header {
	uint32_t magic, version, size; /* of a record */
	uint32_t capacity;
	char boot[BOOT_ID_SIZE];
	uint32_t last_generation, last_id, last_connection, reserved;
};

struct copy {
	_Atomic uint64_t number; /* 0: it is being written; the higher one counts */
	struct record record;
};

struct pair {
	struct copy copies[2];
};

enum { STABLE_SIZE = 40, NUMBER_SIZE = sizeof(uint64_t) };

_Static_assert(sizeof(struct header) == 72 && offsetof(struct header, boot) == 16 &&
                   offsetof(struct header, last_generation) == 56,
    "another build reads the header");
_Static_assert(offsetof(struct copy, record) == NUMBER_SIZE &&
                   sizeof(struct copy) == NUMBER_SIZE + sizeof(struct record),
    "another build finds the copies by the size of a record");
_Static_assert(
    offsetof(struct record, generation) == 0 && offsetof(struct record, id) == 4 &&
        offsetof(struct record, step) == 8 && offsetof(struct record, state) == 12 &&
        offsetof(struct record, csrss) == 16 && offsetof(struct record, winlogon) == 20 &&
        offsetof(struct record, csrss_born) == 24 && offsetof(struct record, winlogon_born) == 32 &&
        offsetof(struct record, namespace) == STABLE_SIZE,
    "every build reads how a record begins");

/* Reading and writing the file itself takes no memory for what is not there, and fails where there is
   no room; the mapping is for what is known to have room. */
static struct header *map;
static size_t map_size;
static int record_file = -1;
static bool *roomy; /* by slot, below roomy_count: it has room in the file */
static uint32_t roomy_count;
static bool full; /* the log said so */

static struct pair *pairs(void)
{
	return (struct pair *)(void *)(map + 1);
}

static void read_boot_id(char *text)
{
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);

	memset(text, 0, BOOT_ID_SIZE);
	if (fd >= 0)
		(void)!read(fd, text, BOOT_ID_SIZE - 1);
	fd_close(&fd);
}

/* Whether the file of SIZE bytes with header H is a record of this boot, of whatever build. */
static bool readable(const struct header *h, uint64_t size)
{
	char boot[BOOT_ID_SIZE];
	uint64_t pair = 2 * (NUMBER_SIZE + (uint64_t)h->size);

	read_boot_id(boot);
	return h->magic == RECORD_MAGIC && memcmp(h->boot, boot, sizeof(boot)) == 0 &&
	       h->size >= STABLE_SIZE && h->size % _Alignof(struct copy) == 0 &&
	       size >= sizeof(*h) && h->capacity <= (size - sizeof(*h)) / pair;
}

static int write_at(int fd, const void *bytes, size_t size, uint64_t at)
{
	ssize_t put = pwrite(fd, bytes, size, (off_t)at);

	if (put >= 0 && (size_t)put != size)
		errno = ENOSPC;
	return put == (ssize_t)size ? 0 : -1;
}

static int begin_anew(int fd, uint32_t capacity)
{
	struct header h = { .magic = RECORD_MAGIC,
		.version = RECORD_VERSION,
		.size = sizeof(struct record),
		.capacity = capacity };

	read_boot_id(h.boot);
	/* zeroes: no page of it takes memory before a session does */
	return ftruncate(fd, 0) < 0 ? -1 : write_at(fd, &h, sizeof(h), 0);
}

static off_t place_of(uint32_t slot)
{
	return (off_t)(sizeof(*map) + slot * sizeof(struct pair));
}

/* Whether SLOT's pair can be written to where it is mapped. */
static bool has_room(uint32_t slot)
{
	struct pair same;
	bool room;

	if (roomy[slot])
		return true;
	room = pread(record_file, &same, sizeof(same), place_of(slot)) == sizeof(same) &&
	       write_at(record_file, &same, sizeof(same), (uint64_t)place_of(slot)) == 0;
	if (!room && !full)
		log_warn("no room for the record of a session: %s; a later smss will not find it",
		    strerror(errno));
	full = !room;
	roomy[slot] = room;
	return room;
}

/* Of no slot of CAPACITY more than before it is known yet. 0, or -1. */
static int grow_roomy(uint32_t capacity)
{
	bool *more = realloc(roomy, capacity * sizeof(*roomy));

	if (!more)
		return -1;
	roomy = more;
	for (; roomy_count < capacity; roomy_count++)
		roomy[roomy_count] = false;
	return 0;
}

/* ---- of another build ---- */

/* Into R what this build knows of the PAIR of one whose records have SIZE bytes. False: nothing. */
static bool read_pair(struct record *r, const char *pair, size_t size)
{
	uint64_t numbers[2];

	memcpy(&numbers[0], pair, NUMBER_SIZE);
	memcpy(&numbers[1], pair + NUMBER_SIZE + size, NUMBER_SIZE);
	if (numbers[0] < numbers[1])
		pair += NUMBER_SIZE + size;
	memset(r, 0, sizeof(*r));
	memcpy(r, pair + NUMBER_SIZE, size < sizeof(*r) ? size : sizeof(*r));
	return (numbers[0] || numbers[1]) && r->generation != 0;
}

/* Of a record of another version, or one that cannot be: nothing but what stays, and that it is to end. */
static void to_end(struct record *r)
{
	memset((char *)r + STABLE_SIZE, 0, sizeof(*r) - STABLE_SIZE);
	r->step = SESSION_ENDING;
	r->state = WTS_DOWN;
	r->info.session = r->id;
}

/* The records of FROM into FILE, as this build has them. How many, or -1. */
static int convert(const struct header *from, int file, uint32_t capacity)
{
	const size_t stride = 2 * (NUMBER_SIZE + (size_t)from->size);
	const char *pair = (const char *)(from + 1);
	struct header to = *from;
	struct copy copy = { .number = 1 };
	int count = 0;

	to.version = RECORD_VERSION;
	to.size = sizeof(struct record);
	to.capacity = capacity > from->capacity ? capacity : from->capacity;
	if (ftruncate(file, (off_t)(sizeof(to) + to.capacity * sizeof(struct pair))) < 0 ||
	    write_at(file, &to, sizeof(to), 0) < 0)
		return -1;
	for (uint32_t slot = 0; slot < from->capacity; slot++, pair += stride) {
		if (!read_pair(&copy.record, pair, from->size))
			continue;
		if (from->version != RECORD_VERSION)
			to_end(&copy.record);
		if (write_at(file, &copy, sizeof(copy), sizeof(to) + slot * sizeof(struct pair)) <
		    0)
			return -1;
		count++;
	}
	return count;
}

/*
 * *FD, of SIZE bytes, which another build wrote, becomes that of a file as this build has it. It
 * takes the other's place when all is in it: whoever is killed before leaves the other.
 */
static int renew(int dir, int *fd, uint64_t size, uint32_t capacity)
{
	int file = openat(dir, NEW_FILE, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	const struct header *from = MAP_FAILED;
	int count = -1;

	if (file >= 0)
		from = mmap(NULL, size, PROT_READ, MAP_SHARED, *fd, 0);
	if (from != MAP_FAILED)
		count = convert(from, file, capacity);
	if (count >= 0 && renameat(dir, NEW_FILE, dir, RECORD_FILE) < 0)
		count = -1;
	if (count >= 0 && from->version != RECORD_VERSION)
		log_warn(
		    "the sessions' record is of another version (%u, not %u): %d sessions, with "
		    "which this build cannot go on, are ended",
		    from->version, RECORD_VERSION, count);
	else if (count >= 0)
		log_info(
		    "the sessions' record is of another build: %d sessions are taken over", count);
	if (from != MAP_FAILED)
		munmap((void *)(uintptr_t)from, size);
	if (count < 0) {
		fd_close(&file);
		return -1;
	}
	fd_close(fd);
	*fd = file;
	return 0;
}

/* Whether a record of this boot is there, which is as this build has it then: 1 or 0; or -1. */
static int find_record(int dir, int *fd, uint32_t capacity)
{
	struct header h = { 0 };
	struct stat status;

	if (fstat(*fd, &status) < 0 || pread(*fd, &h, sizeof(h), 0) < 0)
		return -1;
	if (!readable(&h, (uint64_t)status.st_size))
		return 0;
	if (h.version == RECORD_VERSION && h.size == sizeof(struct record))
		return 1;
	return renew(dir, fd, (uint64_t)status.st_size, capacity) < 0 ? -1 : 1;
}

/* Maps what is in FD, made large enough for CAPACITY sessions. */
static int map_file(int fd, uint32_t capacity)
{
	struct stat status;

	map_size = sizeof(*map) + capacity * sizeof(struct pair);
	if (fstat(fd, &status) < 0)
		return -1;
	if ((size_t)status.st_size > map_size) /* of a run that allowed more */
		map_size = (size_t)status.st_size;
	else if (ftruncate(fd, (off_t)map_size) < 0)
		return -1;
	map = mmap(NULL, map_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		map = NULL;
	return map ? 0 : -1;
}

int record_open(int dir, uint32_t capacity)
{
	int fd = openat(dir, RECORD_FILE, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	int found = -1;

	if (fd >= 0) {
		unlinkat(dir, NEW_FILE, 0); /* of one that was killed before it was whole */
		found = find_record(dir, &fd, capacity);
	}
	if (found == 0 && begin_anew(fd, capacity) < 0)
		found = -1;
	record_file = fd;
	if (found < 0 || map_file(fd, capacity) < 0 ||
	    grow_roomy(map->capacity < capacity ? capacity : map->capacity) < 0) {
		log_error("cannot keep a record of the sessions: %s", strerror(errno));
		record_close(-1);
		return -1;
	}
	map->capacity = roomy_count;
	return 0;
}

int record_grow(uint32_t capacity)
{
	size_t size = sizeof(*map) + capacity * sizeof(struct pair);
	void *larger = map;

	if (!map || capacity <= map->capacity)
		return 0;
	if (size > map_size && ftruncate(record_file, (off_t)size) == 0)
		larger = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, record_file, 0);
	if (grow_roomy(capacity) < 0 || larger == MAP_FAILED ||
	    (size > map_size && larger == map)) {
		log_warn("no room on the record for more sessions: %s", strerror(errno));
		return -1;
	}
	if (larger != map) {
		munmap(map, map_size);
		map = larger;
		map_size = size;
	}
	map->capacity = capacity;
	return 0;
}

void record_close(int dir)
{
	if (map)
		munmap(map, map_size);
	if (map && dir >= 0)
		unlinkat(dir, RECORD_FILE, 0);
	map = NULL;
	fd_close(&record_file);
	free(roomy);
	roomy = NULL;
	roomy_count = 0;
}

void record_counters(const struct smss *smss)
{
	if (!map)
		return;
	map->last_generation = smss->last_generation;
	map->last_id = smss->last_id;
	map->last_connection = smss->last_connection;
}

void record_read_counters(struct smss *smss)
{
	if (!map)
		return;
	smss->last_generation = map->last_generation;
	smss->last_id = map->last_id;
	smss->last_connection = map->last_connection;
}

static void fill(struct record *r, const struct session *s)
{
	*r = (struct record){ .generation = s->generation,
		.id = s->id,
		.step = s->step,
		.state = s->state,
		.csrss = s->windows ? s->windows->pid : 0,
		.winlogon = s->winlogon,
		.csrss_born = s->windows && s->windows->pid ? s->csrss_born : 0,
		.winlogon_born = s->winlogon ? s->winlogon_born : 0,
		.awaits_client = s->awaits_client };
#define X(field) r->field = s->field;
	RECORD_SAME(X)
#undef X
	memcpy(r->cookie, s->cookie, sizeof(r->cookie));
	memcpy(r->command, s->command, sizeof(r->command));
}

void record_update(const struct session *session)
{
	struct pair *pair;
	unsigned older;
	uint64_t newest;

	if (!map || session->slot >= map->capacity || !has_room(session->slot))
		return;
	pair = &pairs()[session->slot];
	older = pair->copies[0].number > pair->copies[1].number;
	newest = pair->copies[!older].number;
	pair->copies[older].number = 0;
	atomic_thread_fence(memory_order_seq_cst);
	fill(&pair->copies[older].record, session);
	atomic_thread_fence(memory_order_seq_cst);
	pair->copies[older].number = newest + 1;
}

void record_clear(const struct session *session)
{
	if (!map || session->slot >= map->capacity || !has_room(session->slot))
		return;
	/* the newer one last: at no moment does the older one count */
	struct pair *pair = &pairs()[session->slot];
	unsigned older = pair->copies[0].number > pair->copies[1].number;
	pair->copies[older].number = 0;
	atomic_thread_fence(memory_order_seq_cst);
	pair->copies[!older].number = 0;
}

uint32_t record_capacity(void)
{
	return map ? map->capacity : 0;
}

/* Whether R is what a session can be: memory fails, and other builds have their mistakes. */
static bool is_sound(const struct record *r)
{
	const struct msg_session *info = &r->info;

	return r->step <= SESSION_ENDING && r->state < WTS_STATE_COUNT &&
	       port_text_valid(info->winstation, sizeof(info->winstation)) &&
	       port_text_valid(info->user, sizeof(info->user)) &&
	       port_text_valid(info->domain, sizeof(info->domain)) &&
	       port_text_valid(info->station, sizeof(info->station)) &&
	       port_text_valid(info->address, sizeof(info->address)) &&
	       memchr(r->command, 0, sizeof(r->command));
}

bool record_read(uint32_t slot, struct record *record)
{
	struct pair pair;
	const struct copy *newer;

	if (pread(record_file, &pair, sizeof(pair), place_of(slot)) != sizeof(pair))
		return false;
	newer = &pair.copies[pair.copies[0].number < pair.copies[1].number];
	if (newer->number == 0)
		return false;
	*record = newer->record;
	if (!is_sound(record))
		to_end(record);
	return record->generation != 0;
}
