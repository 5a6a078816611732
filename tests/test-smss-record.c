/* Unit tests of sessmgr/smss-record.c: what a later smss reads of what an earlier one wrote, which
   may have ended at any moment. */
#include "smss.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CAPACITY = 6 };

/* The file, as smss-record.c has it. */
struct file_header {
	uint32_t magic, version, size, capacity;
	char boot[40];
	uint32_t last_generation, last_id, last_connection, reserved;
};

struct file_copy {
	uint64_t number;
	struct record record;
};

static char directory[] = "/tmp/test-smss-record.XXXXXX";
static int dir;
static struct smss smss;
static struct subsystem windows;
static struct session session;

static int make_directory(void **state)
{
	(void)state;
	memcpy(directory + sizeof(directory) - 7, "XXXXXX", 6);
	if (!mkdtemp(directory))
		return -1;
	dir = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	smss = (struct smss){ .record_dir = dir, .capacity = CAPACITY };
	windows = (struct subsystem){ .pid = 1000 };
	session = (struct session){ .smss = &smss,
		.windows = &windows,
		.id = 7,
		.slot = 2,
		.generation = 41,
		.step = SESSION_RUNNING,
		.state = WTS_ACTIVE,
		.winlogon = 1001,
		.csrss_born = 555,
		.winlogon_born = 556,
		.connection = 9,
		.logged_on = true,
		.cookie = { 1, 2, 3 },
		.connected = 100,
		.input = 101,
		.info = { .session = 7, .user = "ann", .address = "192.0.2.1:5" } };
	return dir < 0 ? -1 : 0;
}

static int remove_directory(void **state)
{
	(void)state;
	record_close(dir);
	close(dir);
	return rmdir(directory);
}

/* As the next smss: what this one had stays. */
static void again(uint32_t capacity)
{
	record_close(-1);
	assert_int_equal(record_open(dir, capacity), 0);
}

static off_t copy_at(uint32_t slot, unsigned which)
{
	return (off_t)(sizeof(struct file_header) + (2 * slot + which) * sizeof(struct file_copy));
}

/* Reads or writes SIZE bytes of the file at AT. */
static void file_bytes(bool writing, off_t at, void *bytes, size_t size)
{
	int fd = openat(dir, "sessions", (writing ? O_WRONLY : O_RDONLY) | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(
	    writing ? pwrite(fd, bytes, size, at) : pread(fd, bytes, size, at), (ssize_t)size);
	close(fd);
}

static uint64_t copy_number(uint32_t slot, unsigned which)
{
	uint64_t number;

	file_bytes(false, copy_at(slot, which), &number, sizeof(number));
	return number;
}

/* Whoever wrote that copy ended while it was written. */
static void tear(uint32_t slot, unsigned which)
{
	uint64_t none = 0;
	char half[sizeof(struct record) / 2];

	memset(half, 0x5a, sizeof(half));
	file_bytes(true, copy_at(slot, which), &none, sizeof(none));
	file_bytes(true, copy_at(slot, which) + (off_t)sizeof(none), half, sizeof(half));
}

static unsigned newer_copy(uint32_t slot)
{
	return copy_number(slot, 0) < copy_number(slot, 1);
}

static unsigned records(void)
{
	struct record r;
	unsigned count = 0;

	for (uint32_t slot = 0; slot < record_capacity(); slot++)
		count += record_read(slot, &r);
	return count;
}

static void test_a_new_record_is_empty(void **state)
{
	struct stat status;

	(void)state;
	assert_int_equal(record_open(dir, CAPACITY), 0);
	assert_int_equal(record_capacity(), CAPACITY);
	assert_int_equal(records(), 0);
	assert_int_equal(fstatat(dir, "sessions", &status, 0), 0);
	assert_int_equal(status.st_mode & 0777, 0600);
}

static void test_without_one_nothing_is_recorded(void **state)
{
	(void)state;
	record_update(&session);
	record_clear(&session);
	record_counters(&smss);
	smss.last_id = 5;
	record_read_counters(&smss);
	assert_int_equal(smss.last_id, 5);
	assert_int_equal(record_capacity(), 0);
}

static void test_what_was_written_is_read(void **state)
{
	struct record r;

	(void)state;
	assert_int_equal(record_open(dir, CAPACITY), 0);
	memcpy(session.command, "sleep 5", 8);
	record_update(&session);
	again(CAPACITY);
	assert_int_equal(records(), 1);
	assert_true(record_read(2, &r));
	assert_int_equal(r.generation, 41);
	assert_int_equal(r.id, 7);
	assert_int_equal(r.step, SESSION_RUNNING);
	assert_int_equal(r.state, WTS_ACTIVE);
	assert_int_equal(r.csrss, 1000);
	assert_int_equal(r.winlogon, 1001);
	assert_int_equal(r.csrss_born, 555);
	assert_int_equal(r.winlogon_born, 556);
	assert_int_equal(r.connection, 9);
	assert_int_equal(r.logged_on, 1);
	assert_int_equal(r.pooled, 0);
	assert_int_equal(r.connected, 100);
	assert_int_equal(r.disconnected, 0);
	assert_int_equal(r.input, 101);
	assert_memory_equal(r.cookie, session.cookie, sizeof(r.cookie));
	assert_string_equal(r.command, "sleep 5");
	assert_string_equal(r.info.user, "ann");
	assert_string_equal(r.info.address, "192.0.2.1:5");
}

/* By another process, which is killed: nothing has to be written back. */
static void test_a_killed_writer(void **state)
{
	struct record r;
	int status;
	pid_t pid = fork();

	(void)state;
	if (pid == 0) {
		if (record_open(dir, CAPACITY) < 0)
			_exit(1);
		record_update(&session);
		smss.last_generation = 41;
		record_counters(&smss);
		kill(getpid(), SIGKILL);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	assert_int_equal(record_open(dir, CAPACITY), 0);
	assert_true(record_read(2, &r));
	assert_int_equal(r.generation, 41);
	record_read_counters(&smss);
	assert_int_equal(smss.last_generation, 41);
}

static void test_the_last_one_counts(void **state)
{
	struct record r;

	(void)state;
	assert_int_equal(record_open(dir, CAPACITY), 0);
	for (uint32_t i = 1; i <= 9; i++) {
		session.connection = i;
		record_update(&session);
		assert_true(record_read(2, &r));
		assert_int_equal(r.connection, i);
	}
	again(CAPACITY);
	assert_true(record_read(2, &r));
	assert_int_equal(r.connection, 9);
	/* and the next one is newer than it */
	session.connection = 10;
	record_update(&session);
	assert_true(record_read(2, &r));
	assert_int_equal(r.connection, 10);
}

static void test_a_process_that_is_gone_has_no_birth(void **state)
{
	struct record r;

	(void)state;
	assert_int_equal(record_open(dir, CAPACITY), 0);
	session.winlogon = 0;
	windows.pid = 0;
	record_update(&session);
	assert_true(record_read(2, &r));
	assert_int_equal(r.csrss, 0);
	assert_int_equal(r.csrss_born, 0);
	assert_int_equal(r.winlogon, 0);
	assert_int_equal(r.winlogon_born, 0);
	session.windows = NULL;
	record_update(&session);
	assert_true(record_read(2, &r));
	assert_int_equal(r.csrss, 0);
}

/* Whichever of the two copies is being written, the other one is whole. */
static void test_a_torn_copy_leaves_the_older(void **state)
{
	struct record r;

	(void)state;
	assert_int_equal(record_open(dir, CAPACITY), 0);
	session.connection = 1;
	record_update(&session);
	for (uint32_t i = 2; i < 6; i++) {
		session.connection = i;
		record_update(&session);
		tear(2, newer_copy(2));
		again(CAPACITY);
		assert_true(record_read(2, &r));
		assert_int_equal(r.connection, i - 1);
		assert_string_equal(r.info.user, "ann");
		session.connection = i; /* the torn one is written again, not what is left */
		record_update(&session);
		assert_true(record_read(2, &r));
		assert_int_equal(r.connection, i);
		tear(2, newer_copy(2));
		assert_true(record_read(2, &r));
		assert_int_equal(r.connection, i - 1);
		record_update(&session);
	}
}

static void test_a_torn_first_copy_is_none(void **state)
{
	struct record r;

	(void)state;
	assert_int_equal(record_open(dir, CAPACITY), 0);
	record_update(&session);
	tear(2, newer_copy(2));
	again(CAPACITY);
	assert_false(record_read(2, &r));
	assert_int_equal(records(), 0);
}

static void test_cleared(void **state)
{
	(void)state;
	assert_int_equal(record_open(dir, CAPACITY), 0);
	record_update(&session);
	record_update(&session);
	record_clear(&session);
	assert_int_equal(records(), 0);
	again(CAPACITY);
	assert_int_equal(records(), 0);
	assert_int_equal(copy_number(2, 0), 0);
	assert_int_equal(copy_number(2, 1), 0);
	record_update(&session);
	assert_int_equal(records(), 1);
}

static void test_counters(void **state)
{
	(void)state;
	assert_int_equal(record_open(dir, CAPACITY), 0);
	smss.last_generation = 41;
	smss.last_id = 12;
	smss.last_connection = 99;
	record_counters(&smss);
	memset(&smss, 0, sizeof(smss));
	again(CAPACITY);
	record_read_counters(&smss);
	assert_int_equal(smss.last_generation, 41);
	assert_int_equal(smss.last_id, 12);
	assert_int_equal(smss.last_connection, 99);
}

static void test_the_end_of_the_service_removes_it(void **state)
{
	(void)state;
	assert_int_equal(record_open(dir, CAPACITY), 0);
	record_update(&session);
	record_close(dir);
	assert_int_equal(faccessat(dir, "sessions", F_OK, 0), -1);
	assert_int_equal(record_open(dir, CAPACITY), 0);
	assert_int_equal(records(), 0);
}

/* ---- another file ---- */

/* The header's byte at OFFSET is another: it begins anew, with all that is in it. */
static void begins_anew(size_t offset)
{
	char byte;

	assert_int_equal(record_open(dir, CAPACITY), 0);
	record_update(&session);
	smss.last_id = 12;
	record_counters(&smss);
	record_close(-1);
	file_bytes(false, (off_t)offset, &byte, 1);
	byte ^= 1;
	file_bytes(true, (off_t)offset, &byte, 1);
	assert_int_equal(record_open(dir, CAPACITY), 0);
	assert_int_equal(record_capacity(), CAPACITY);
	assert_int_equal(records(), 0);
	record_read_counters(&smss);
	assert_int_equal(smss.last_id, 0);
	/* which is a good one */
	record_update(&session);
	again(CAPACITY);
	assert_int_equal(records(), 1);
}

static void test_of_another_kind(void **state)
{
	(void)state;
	begins_anew(offsetof(struct file_header, magic));
}

/* No build's records have it. */
static void test_of_no_size(void **state)
{
	(void)state;
	begins_anew(offsetof(struct file_header, size));
}

static void test_of_another_boot(void **state)
{
	(void)state;
	begins_anew(offsetof(struct file_header, boot) + 3);
}

/* It says that it has more than there is. */
static void test_too_short(void **state)
{
	int fd;

	(void)state;
	assert_int_equal(record_open(dir, CAPACITY), 0);
	record_update(&session);
	record_close(-1);
	fd = openat(dir, "sessions", O_WRONLY | O_CLOEXEC);
	assert_int_equal(ftruncate(fd, copy_at(2, 1)), 0);
	close(fd);
	assert_int_equal(record_open(dir, CAPACITY), 0);
	assert_int_equal(records(), 0);
	record_update(&session);
	again(CAPACITY);
	assert_int_equal(records(), 1);
}

static void test_a_link_is_not_followed(void **state)
{
	(void)state;
	assert_int_equal(symlinkat("elsewhere", dir, "sessions"), 0);
	assert_int_equal(record_open(dir, CAPACITY), -1);
	assert_int_equal(faccessat(dir, "elsewhere", F_OK, 0), -1);
	assert_int_equal(unlinkat(dir, "sessions", 0), 0);
}

/* ---- as many sessions as the configuration says ---- */

static void test_more_sessions(void **state)
{
	struct record r;

	(void)state;
	assert_int_equal(record_open(dir, CAPACITY), 0);
	record_update(&session);
	session.slot = CAPACITY; /* there is no room for it */
	record_update(&session);
	record_clear(&session);
	assert_int_equal(records(), 1);
	again(3 * CAPACITY);
	assert_int_equal(record_capacity(), 3 * CAPACITY);
	assert_int_equal(records(), 1);
	record_update(&session);
	again(3 * CAPACITY);
	assert_int_equal(records(), 2);
	assert_true(record_read(CAPACITY, &r));
	assert_true(record_read(2, &r));
}

/* The same while the service runs. */
static void test_more_sessions_at_once(void **state)
{
	struct record r;

	(void)state;
	assert_int_equal(record_grow(9), 0); /* there is none */
	assert_int_equal(record_open(dir, CAPACITY), 0);
	record_update(&session);
	assert_int_equal(record_grow(2), 0);
	assert_int_equal(record_capacity(), CAPACITY);
	assert_int_equal(record_grow(1000), 0);
	assert_int_equal(record_capacity(), 1000);
	assert_true(record_read(2, &r));
	session.slot = 999;
	record_update(&session);
	again(CAPACITY);
	assert_int_equal(record_capacity(), 1000);
	assert_int_equal(records(), 2);
	assert_true(record_read(999, &r));
	/* the file is large enough for more than it was begun anew for */
	record_close(-1);
	session.slot = 2;
	begins_anew(offsetof(struct file_header, magic));
	assert_int_equal(record_grow(50), 0);
	assert_int_equal(record_capacity(), 50);
	assert_int_equal(records(), 1);
}

/* A session in a slot that there would not be now is found all the same. */
static void test_fewer_sessions(void **state)
{
	struct record r;

	(void)state;
	assert_int_equal(record_open(dir, CAPACITY), 0);
	session.slot = CAPACITY - 1;
	record_update(&session);
	again(2);
	assert_int_equal(record_capacity(), CAPACITY);
	assert_true(record_read(CAPACITY - 1, &r));
	record_clear(&session);
	assert_int_equal(records(), 0);
}

/* ---- of another build ---- */

enum { STABLE = 40, OTHERS = 3 }; /* of each record; how many sessions it has */

/* How every build's record begins. */
struct stable {
	uint32_t generation, id, step, state;
	int32_t csrss, winlogon;
	uint64_t csrss_born, winlogon_born;
};

static off_t other_at(uint32_t slot, unsigned which, uint32_t size)
{
	return (off_t)(72 + (2 * slot + which) * (8 + (size_t)size));
}

/* A copy that says CONNECTION, where it is long enough: what of it this build does not know is 0x5a. */
static void write_other(
    uint32_t slot, unsigned which, uint32_t size, uint64_t number, uint32_t connection)
{
	char *bytes = test_malloc(size);
	struct record r = { .namespace = 77,
		.connection = connection,
		.logged_on = 1,
		.input = 101,
		.info = { .session = 7 + slot, .user = "ann" } };
	struct stable stable = { .generation = 41 + slot,
		.id = 7 + slot,
		.step = SESSION_RUNNING,
		.state = WTS_ACTIVE,
		.csrss = 1000,
		.winlogon = 1001,
		.csrss_born = 555,
		.winlogon_born = 556 };

	memset(bytes, 0x5a, size);
	memset(r.info.address, 'a', sizeof(r.info.address) - 1);
	memcpy(bytes, &r, size < sizeof(r) ? size : sizeof(r));
	memcpy(bytes, &stable, sizeof(stable));
	file_bytes(true, other_at(slot, which, size), &number, sizeof(number));
	file_bytes(true, other_at(slot, which, size) + 8, bytes, size);
	test_free(bytes);
}

/* What a build with records of SIZE bytes left: slot 0 written twice, 1 once, 2 never. */
static void make_other(uint32_t version, uint32_t size)
{
	struct file_header h;
	int fd;

	_Static_assert(sizeof(struct stable) == STABLE && sizeof(h) == 72, "as they are for ever");
	assert_int_equal(record_open(dir, OTHERS), 0); /* for its magic and boot */
	record_close(-1);
	file_bytes(false, 0, &h, sizeof(h));
	h.version = version;
	h.size = size;
	h.last_generation = 50;
	h.last_id = 12;
	h.last_connection = 99;
	fd = openat(dir, "sessions", O_WRONLY | O_TRUNC | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, other_at(OTHERS, 0, size)), 0);
	close(fd);
	file_bytes(true, 0, &h, sizeof(h));
	write_other(0, 0, size, 4, 30);
	write_other(0, 1, size, 5, 31);
	write_other(1, 0, size, 1, 32);
}

static ino_t file_number(void)
{
	struct stat status;

	assert_int_equal(fstatat(dir, "sessions", &status, 0), 0);
	assert_int_equal(status.st_mode & 0777, 0600);
	return status.st_ino;
}

/* The counters are make_other's, and no file but the record is there. */
static void check_taken_over(void)
{
	struct smss next = { 0 };

	record_read_counters(&next);
	assert_int_equal(next.last_generation, 50);
	assert_int_equal(next.last_id, 12);
	assert_int_equal(next.last_connection, 99);
	assert_int_equal(faccessat(dir, "sessions.new", F_OK, 0), -1);
}

static void check_stable(const struct record *r, uint32_t slot)
{
	assert_int_equal(r->generation, 41 + slot);
	assert_int_equal(r->id, 7 + slot);
	assert_int_equal(r->csrss, 1000);
	assert_int_equal(r->winlogon, 1001);
	assert_int_equal(r->csrss_born, 555);
	assert_int_equal(r->winlogon_born, 556);
}

/* Version 1 with records of SIZE bytes is read, and goes on as this build's. */
static void goes_on(uint32_t size)
{
	struct record r, again_r;

	make_other(1, size);
	assert_int_equal(record_open(dir, OTHERS), 0);
	assert_int_equal(record_capacity(), OTHERS);
	assert_int_equal(records(), 2);
	check_taken_over();
	for (uint32_t slot = 0; slot < 2; slot++) {
		assert_true(record_read(slot, &r));
		check_stable(&r, slot);
		assert_int_equal(r.step, SESSION_RUNNING);
		assert_int_equal(r.state, WTS_ACTIVE);
		assert_int_equal(r.namespace, 77);
		assert_int_equal(r.connection, 31 + slot);
		assert_int_equal(r.logged_on, 1);
		assert_int_equal(r.input, 101);
		assert_string_equal(r.info.user, "ann");
		/* what the other did not know */
		for (size_t i = size; i < sizeof(r); i++)
			assert_int_equal(((const char *)&r)[i], 0);
		if (size >= sizeof(r))
			assert_int_equal(r.info.address[sizeof(r.info.address) - 2], 'a');
	}
	/* and written as any */
	record_update(&session);
	again(OTHERS);
	assert_int_equal(records(), 3);
	assert_true(record_read(1, &again_r));
	assert_memory_equal(&again_r, &r, sizeof(r));
	check_taken_over();
}

static void test_of_this_build_stays_in_place(void **state)
{
	ino_t file;

	(void)state;
	make_other(1, sizeof(struct record));
	file = file_number();
	assert_int_equal(record_open(dir, OTHERS), 0);
	assert_int_equal(file_number(), file);
	assert_int_equal(records(), 2);
	check_taken_over();
}

static void test_of_an_older_build(void **state)
{
	(void)state;
	goes_on(sizeof(struct record) - 24);
}

/* One that no session can be is ended: by the numbers with which every build begins. */
static void test_impossible_is_ended(void **state)
{
	struct record r;

	(void)state;
	again(4);
	for (int which = 0; which < 3; which++) {
		struct session bad = session;
		if (which == 0)
			bad.state = (enum session_state)WTS_STATE_COUNT;
		else if (which == 1)
			memset(bad.info.user, 'a', sizeof(bad.info.user));
		else
			bad.info.station[0] = '\n';
		record_update(&bad);
		assert_true(record_read(bad.slot, &r));
		assert_int_equal(r.step, SESSION_ENDING);
		assert_int_equal(r.state, WTS_DOWN);
		assert_int_equal(r.generation, session.generation);
		assert_int_equal(r.winlogon, session.winlogon);
		assert_string_equal(r.info.user, "");
	}
}

static void test_of_a_later_build(void **state)
{
	(void)state;
	goes_on(sizeof(struct record) + 8);
	record_close(dir);
	goes_on(3 * sizeof(struct record));
}

static void test_of_another_build_for_more_sessions(void **state)
{
	(void)state;
	make_other(1, sizeof(struct record) - 8);
	assert_int_equal(record_open(dir, 1), 0);
	assert_int_equal(record_capacity(), OTHERS);
	record_close(dir);
	make_other(1, sizeof(struct record) - 8);
	assert_int_equal(record_open(dir, 100), 0);
	assert_int_equal(record_capacity(), 100);
	assert_int_equal(records(), 2);
	session.slot = 99;
	record_update(&session);
	again(OTHERS);
	assert_int_equal(records(), 3);
}

/* Of what this build does not know nothing is read but who is to be ended. */
static void ends(uint32_t version, uint32_t size)
{
	static const char nothing[sizeof(struct record)];
	struct record r;

	make_other(version, size);
	assert_int_equal(record_open(dir, OTHERS), 0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(records(), 2);
		check_taken_over();
		for (uint32_t slot = 0; slot < 2; slot++) {
			assert_true(record_read(slot, &r));
			check_stable(&r, slot);
			assert_int_equal(r.step, SESSION_ENDING);
			assert_int_equal(r.state, WTS_DOWN);
			assert_int_equal(r.info.session, 7 + slot);
			r.info.session = 0;
			assert_memory_equal((const char *)&r + STABLE, nothing, sizeof(r) - STABLE);
		}
		again(OTHERS); /* as this build's by now */
	}
}

static void test_of_another_version(void **state)
{
	(void)state;
	ends(2, sizeof(struct record));
	record_close(dir);
	ends(0, sizeof(struct record) + 64);
	record_close(dir);
	ends(0xffffffff, sizeof(struct record) - 64);
}

static void test_of_another_version_with_the_shortest_records(void **state)
{
	(void)state;
	ends(2, STABLE);
}

static void starts_empty(void)
{
	assert_int_equal(record_open(dir, OTHERS), 0);
	assert_int_equal(record_capacity(), OTHERS);
	assert_int_equal(records(), 0);
	smss.last_id = 5;
	record_read_counters(&smss);
	assert_int_equal(smss.last_id, 0);
	record_close(dir);
}

static void test_of_another_build_and_boot(void **state)
{
	char no = '?';

	(void)state;
	make_other(2, sizeof(struct record));
	file_bytes(true, offsetof(struct file_header, boot), &no, 1);
	starts_empty();
	make_other(1, sizeof(struct record) - 8);
	file_bytes(true, offsetof(struct file_header, boot), &no, 1);
	starts_empty();
}

static void test_of_another_build_but_impossible(void **state)
{
	static const uint32_t sizes[] = { 0, STABLE - 8, sizeof(struct record) - 4, 0xfffffff8 };
	static const uint32_t capacities[] = { OTHERS + 1, 0x80000000, 0xffffffff };
	uint32_t value;

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		make_other(i % 2 + 1, sizeof(struct record) - 8);
		value = sizes[i];
		file_bytes(true, offsetof(struct file_header, size), &value, sizeof(value));
		starts_empty();
	}
	for (size_t i = 0; i < sizeof(capacities) / sizeof(*capacities); i++) {
		make_other(i % 2 + 1, sizeof(struct record) - 8);
		value = capacities[i];
		file_bytes(true, offsetof(struct file_header, capacity), &value, sizeof(value));
		starts_empty();
	}
}

/* The other build ended while it wrote, too. */
static void test_of_another_build_torn(void **state)
{
	const uint32_t size = sizeof(struct record) - 8;
	struct record r;

	(void)state;
	make_other(1, size);
	write_other(0, 1, size, 0, 33); /* the older one counts */
	write_other(1, 0, size, 0, 34); /* none does */
	assert_int_equal(record_open(dir, OTHERS), 0);
	assert_int_equal(records(), 1);
	assert_true(record_read(0, &r));
	assert_int_equal(r.connection, 30);
}

/* What it had made is no matter. */
static void test_killed_before_all_is_taken_over(void **state)
{
	static const char half[100] = "half";
	int fd;

	(void)state;
	make_other(1, sizeof(struct record) - 8);
	for (int i = 0; i < 2; i++) { /* and where this build's record is there already */
		fd = openat(dir, "sessions.new", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
		assert_int_equal(write(fd, half, sizeof(half)), sizeof(half));
		close(fd);
		again(OTHERS);
		assert_int_equal(records(), 2);
		check_taken_over();
	}
}

static void test_what_cannot_be_taken_over_stays(void **state)
{
	const uint32_t size = sizeof(struct record) - 8;
	char before[4096], after[4096];
	size_t count = (size_t)other_at(OTHERS, 0, size);

	(void)state;
	make_other(1, size);
	count = count < sizeof(before) ? count : sizeof(before);
	file_bytes(false, 0, before, count);
	assert_int_equal(mkdirat(dir, "sessions.new", 0700), 0);
	assert_int_equal(record_open(dir, OTHERS), -1);
	assert_int_equal(record_capacity(), 0);
	file_bytes(false, 0, after, count);
	assert_memory_equal(before, after, count);
	assert_int_equal(unlinkat(dir, "sessions.new", AT_REMOVEDIR), 0);
	assert_int_equal(record_open(dir, OTHERS), 0);
	assert_int_equal(records(), 2);
}

int main(void)
{
#define RECORD_TEST(test) cmocka_unit_test_setup_teardown(test, make_directory, remove_directory)
	const struct CMUnitTest tests[] = {
		RECORD_TEST(test_a_new_record_is_empty),
		RECORD_TEST(test_without_one_nothing_is_recorded),
		RECORD_TEST(test_what_was_written_is_read),
		RECORD_TEST(test_a_killed_writer),
		RECORD_TEST(test_the_last_one_counts),
		RECORD_TEST(test_a_process_that_is_gone_has_no_birth),
		RECORD_TEST(test_a_torn_copy_leaves_the_older),
		RECORD_TEST(test_a_torn_first_copy_is_none),
		RECORD_TEST(test_cleared),
		RECORD_TEST(test_counters),
		RECORD_TEST(test_the_end_of_the_service_removes_it),
		RECORD_TEST(test_of_another_kind),
		RECORD_TEST(test_of_no_size),
		RECORD_TEST(test_of_another_boot),
		RECORD_TEST(test_too_short),
		RECORD_TEST(test_a_link_is_not_followed),
		RECORD_TEST(test_more_sessions),
		RECORD_TEST(test_more_sessions_at_once),
		RECORD_TEST(test_fewer_sessions),
		RECORD_TEST(test_of_this_build_stays_in_place),
		RECORD_TEST(test_of_an_older_build),
		RECORD_TEST(test_impossible_is_ended),
		RECORD_TEST(test_of_a_later_build),
		RECORD_TEST(test_of_another_build_for_more_sessions),
		RECORD_TEST(test_of_another_version),
		RECORD_TEST(test_of_another_version_with_the_shortest_records),
		RECORD_TEST(test_of_another_build_and_boot),
		RECORD_TEST(test_of_another_build_but_impossible),
		RECORD_TEST(test_of_another_build_torn),
		RECORD_TEST(test_killed_before_all_is_taken_over),
		RECORD_TEST(test_what_cannot_be_taken_over_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
