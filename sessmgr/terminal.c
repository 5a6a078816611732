/*
 * The pseudo-terminal, between its programs and the emulator.
 *
 * The emulator's screen is made when programs may come: by then the size of the client's is known.
 */
#include "terminal.h"

#include "vt.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <pty.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* A program that writes without end must not keep csrss from its ports: neither with many bytes, nor
   with few that each change every cell. */
enum { READ_MAX = 65536, BLOCK = 4096, BLOCK_MIN = 16, WORK_MAX = 1 << 22, BLOCK_WORK = 1 << 25 };
enum { OWN_MEMORY = 16384 };

struct terminal {
	struct vt vt;
	int master, slave; /* the slave is opened for programs, -1 until then */
};

void terminal_mark(struct terminal *t, int row)
{
	vt_mark(&t->vt, row);
}

/* What a key or an answer to a query makes programs read. Typing ahead of a program that
   does not read is dropped once the kernel's buffer is full, as on any terminal. */
static void send_bytes(void *user, const char *bytes, size_t count)
{
	struct terminal *t = user;

	(void)!write(t->master, bytes, count);
}

static int open_master(void)
{
	int fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);

	if (fd >= 0 && unlockpt(fd) == 0)
		return fd;
	fd_close(&fd);
	return -1;
}

static void set_size(struct terminal *t)
{
	struct winsize size = { .ws_row = (unsigned short)t->vt.rows,
		.ws_col = (unsigned short)t->vt.columns,
		.ws_xpixel = (unsigned short)(t->vt.columns * CELL_WIDTH),
		.ws_ypixel = (unsigned short)(t->vt.rows * CELL_HEIGHT) };

	ioctl(t->master, TIOCSWINSZ, &size);
}

void terminal_destroy(struct terminal *t)
{
	if (!t)
		return;
	vt_finish(&t->vt);
	fd_close(&t->master);
	fd_close(&t->slave);
	free(t);
}

/* A screen's cells are memory of their own, which the kernel zeroes a page at a time, as text reaches
   it; a heap's is cleared at once. */
static void keep_heap_small(void)
{
	mallopt(M_MMAP_THRESHOLD, OWN_MEMORY);
	mallopt(M_TOP_PAD, 0);
	malloc_trim(0); /* what the C library took ahead would do for them */
}

struct terminal *terminal_create(int columns, int rows)
{
	struct terminal *t;

	keep_heap_small();
	t = calloc(1, sizeof(*t));
	if (!t)
		return NULL;
	t->slave = -1;
	t->master = open_master();
	if (t->master < 0) {
		terminal_destroy(t);
		return NULL;
	}
	vt_init(&t->vt, columns, rows, send_bytes, t);
	set_size(t);
	return t;
}

int terminal_master(const struct terminal *t)
{
	return t->master;
}

int terminal_open_slave(struct terminal *t)
{
	if (vt_start(&t->vt) < 0)
		return -1;
	if (t->slave < 0)
		t->slave = ioctl(t->master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	return t->slave;
}

int terminal_resize(struct terminal *t, int columns, int rows)
{
	if (vt_resize(&t->vt, columns, rows) < 0)
		return -1;
	set_size(t);
	return 0;
}

/* Bytes that together change so many cells at most, as two can change all. */
static size_t block_size(const struct terminal *t)
{
	size_t size = BLOCK_WORK / ((size_t)t->vt.rows * (size_t)t->vt.columns);

	return size > BLOCK ? BLOCK : size < BLOCK_MIN ? BLOCK_MIN : size;
}

void terminal_read(struct terminal *t)
{
	char block[BLOCK];
	uint64_t before = t->vt.work;
	size_t total = 0;
	ssize_t got;

	while (total < READ_MAX && t->vt.work - before < WORK_MAX &&
	       (got = read(t->master, block, block_size(t))) > 0) {
		vt_write(&t->vt, block, (size_t)got);
		total += (size_t)got;
	}
}

void terminal_key(struct terminal *t, const struct msg_key *key)
{
	char bytes[VT_KEY_SIZE];

	if (t->slave >= 0) /* else there is nobody who would read it */
		send_bytes(t, bytes, vt_key(&t->vt, key->code, key->modifiers, bytes));
}

int terminal_take_dirty(struct terminal *t, int from)
{
	for (int row = from; row < t->vt.rows; row++)
		if (t->vt.marks[row]) {
			t->vt.marks[row] = false;
			return row;
		}
	return -1;
}

bool terminal_changed(const struct terminal *t)
{
	return t->vt.changed;
}

void terminal_cells(const struct terminal *t, int row, struct cell *cells, int count)
{
	vt_cells(&t->vt, row, cells, count);
}

bool terminal_cursor(struct terminal *t, int *row, int *column)
{
	t->vt.changed = memchr(t->vt.marks, true, (size_t)t->vt.rows) != NULL;
	*row = t->vt.row;
	*column = t->vt.column;
	return (t->vt.modes & VT_CURSOR_VISIBLE) != 0;
}
