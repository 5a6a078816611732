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
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define RECORD_FILE "sessions"

/* What it is, and of which build: another number is another layout, or another protocol between
   smss and csrss. */
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

static struct header *map;
static size_t map_size;

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

/* Whether what was mapped is of this boot, and of a build like this one. */
static bool readable(uint64_t size)
{
	char boot[BOOT_ID_SIZE];

	read_boot_id(boot);
	return map->magic == RECORD_MAGIC && map->version == RECORD_VERSION &&
	       map->size == sizeof(struct record) && memcmp(map->boot, boot, sizeof(boot)) == 0 &&
	       size >= sizeof(*map) + map->capacity * sizeof(struct pair);
}

static void begin_anew(int fd, uint32_t capacity)
{
	/* zeroes: no page of it takes memory before a session does */
	if (ftruncate(fd, 0) < 0 || ftruncate(fd, (off_t)map_size) < 0)
		return;
	map->version = RECORD_VERSION;
	map->size = sizeof(struct record);
	map->capacity = capacity;
	read_boot_id(map->boot);
	map->magic = RECORD_MAGIC;
}

int record_open(int dir, uint32_t capacity)
{
	struct stat status;
	int fd = openat(dir, RECORD_FILE, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	int result = -1;

	map_size = sizeof(*map) + capacity * sizeof(struct pair);
	if (fd < 0 || fstat(fd, &status) < 0)
		goto done;
	if ((size_t)status.st_size > map_size) /* of a run that allowed more */
		map_size = (size_t)status.st_size;
	else if (ftruncate(fd, (off_t)map_size) < 0)
		goto done;
	map = mmap(NULL, map_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED) {
		map = NULL;
		goto done;
	}
	if (!readable((uint64_t)status.st_size))
		begin_anew(fd, capacity);
	else if (map->capacity < capacity)
		map->capacity = capacity;
	result = 0;
done:
	if (result < 0)
		log_error("cannot keep a record of the sessions: %s", strerror(errno));
	fd_close(&fd);
	return result;
}

int record_grow(int dir, uint32_t capacity)
{
	size_t size = sizeof(*map) + capacity * sizeof(struct pair);
	int fd, result = -1;
	void *larger;

	if (!map || capacity <= map->capacity)
		return 0;
	fd = openat(dir, RECORD_FILE, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 || (size > map_size && ftruncate(fd, (off_t)size) < 0))
		goto done;
	if (size > map_size) {
		larger = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		if (larger == MAP_FAILED)
			goto done;
		munmap(map, map_size);
		map = larger;
		map_size = size;
	}
	map->capacity = capacity;
	result = 0;
done:
	if (result < 0)
		log_warn("no room on the record for more sessions: %s", strerror(errno));
	fd_close(&fd);
	return result;
}

void record_close(int dir)
{
	if (map)
		munmap(map, map_size);
	if (map && dir >= 0)
		unlinkat(dir, RECORD_FILE, 0);
	map = NULL;
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
		.namespace = s->namespace,
		.connection = s->connection,
		.logged_on = s->logged_on,
		.pooled = s->pooled,
		.awaits_client = s->awaits_client,
		.leaving = s->leaving,
		.command_ended = s->command_ended,
		.connected = s->connected,
		.disconnected = s->disconnected,
		.input = s->input,
		.info = s->info };
	memcpy(r->cookie, s->cookie, sizeof(r->cookie));
	memcpy(r->command, s->command, sizeof(r->command));
}

void record_update(const struct session *session)
{
	struct pair *pair;
	unsigned older;
	uint64_t newest;

	if (!map || session->slot >= map->capacity)
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
	if (!map || session->slot >= map->capacity)
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

bool record_read(uint32_t slot, struct record *record)
{
	const struct pair *pair = &pairs()[slot];
	unsigned newer = pair->copies[0].number < pair->copies[1].number;

	if (pair->copies[newer].number == 0)
		return false;
	*record = pair->copies[newer].record;
	return record->generation != 0;
}
