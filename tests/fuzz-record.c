/*
 * Fuzzer of the sessions' record as the next smss reads it: a file of any bytes, of this build or
 * another. Whatever is in it, each record that is read has numbers and texts that can be a
 * session's, and one that is written is read back.
 */
#include "smss.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

enum { MAGIC = 0x6d757365, BOOT_AT = 16, BOOT_SIZE = 40, CAPACITY = 4 };

/* In memory: a disk has the fuzzer wait. */
static char directory[] = "/dev/shm/fuzz-record.XXXXXX";
static char boot[BOOT_SIZE];
static int dir;

static void leave(void)
{
	unlinkat(dir, "sessions", 0);
	unlinkat(dir, "sessions.new", 0);
	rmdir(directory);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);

	(void)argc;
	(void)argv;
	if (fd < 0 || read(fd, boot, sizeof(boot) - 1) < 0 || !mkdtemp(directory))
		abort();
	close(fd);
	dir = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	atexit(leave);
	return dir < 0 ? 1 : 0;
}

/* The bytes, as a file of this boot with a head that can be, unless the first says otherwise: next to
   none would be read else. */
static void write_file(const uint8_t *data, size_t size)
{
	static uint8_t bytes[65536];
	/* magic, version, the size of a record, how many there are */
	const uint32_t head[] = { MAGIC, 1 + (data[1] % 8 == 7), 40 + 8 * (data[2] % 160),
		1 + data[3] % 4 };
	int fd = openat(dir, "sessions", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	memcpy(bytes, data, size);
	if (bytes[0] % 8 != 7 && size >= BOOT_AT + BOOT_SIZE) {
		memcpy(bytes, head, sizeof(head));
		memcpy(bytes + BOOT_AT, boot, sizeof(boot));
	}
	if (fd < 0 || write(fd, bytes, size) != (ssize_t)size)
		abort();
	close(fd);
}

static void must(bool holds)
{
	if (!holds)
		abort();
}

static void check(const struct record *r)
{
	must(r->generation != 0 && r->step <= SESSION_GONE && r->state < WTS_STATE_COUNT);
	must(memchr(r->command, 0, sizeof(r->command)) != NULL);
	must(port_text_valid(r->info.user, sizeof(r->info.user)));
	must(port_text_valid(r->info.domain, sizeof(r->info.domain)));
	must(port_text_valid(r->info.station, sizeof(r->info.station)));
	must(port_text_valid(r->info.address, sizeof(r->info.address)));
	must(port_text_valid(r->info.winstation, sizeof(r->info.winstation)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct session session = { .generation = 7, .id = 3, .slot = CAPACITY - 1 };
	struct record r;

	if (size < BOOT_AT || size > 65536)
		return 0;
	write_file(data, size);
	if (record_open(dir, CAPACITY) < 0)
		return 0;
	must(record_capacity() >= CAPACITY);
	for (uint32_t slot = 0; slot < record_capacity(); slot++)
		if (record_read(slot, &r))
			check(&r);
	record_update(&session);
	must(record_read(session.slot, &r) && r.generation == 7 && r.id == 3);
	record_clear(&session);
	must(!record_read(session.slot, &r));
	record_close(-1);
	return 0;
}
