#include "fuzz-io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

struct item {
	uint8_t *bytes;
	size_t size, at;
	int passed;
};

static struct descriptor {
	bool open, ended, waiting;
	int room;
	unsigned first, count;
	struct item queue[IO_QUEUE];
} descriptors[IO_MAX];
static unsigned used;                   /* numbers so far: none comes twice in a run */
static unsigned open_count, travelling; /* beside messages that nobody has taken */

static const uint8_t *input;
static size_t left;

uint64_t io_now;

void io_must(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "fuzz: %s\n", what);
	abort();
}

/* ---- the input ---- */

void io_begin(const uint8_t *data, size_t size)
{
	input = data;
	left = size;
	used = open_count = travelling = 0;
	io_now = 1000000000;
}

size_t io_left(void)
{
	return used < IO_MAX - IO_SPARE ? left : 0;
}

uint8_t io_take(void)
{
	if (left == 0)
		return 0;
	left--;
	return *input++;
}

uint32_t io_take_number(void)
{
	uint32_t number = 0;

	for (int i = 0; i < 4; i++)
		number = number << 8 | io_take();
	return number;
}

size_t io_take_bytes(void *bytes, size_t size)
{
	size_t count = io_take();

	count = count > 0xf0 ? (count - 0xf0) * 64 : count;
	count = count < size ? count : size;
	count = count < left ? count : left;
	memset(bytes, 0, size);
	memcpy(bytes, input, count);
	input += count;
	left -= count;
	return count;
}

void io_take_text(char *text, size_t size)
{
	char bytes[2048];

	io_take_bytes(bytes, size < sizeof(bytes) ? size : sizeof(bytes));
	bytes[(size < sizeof(bytes) ? size : sizeof(bytes)) - 1] = 0;
	memset(text, 0, size);
	port_text_take(text, size, bytes);
}

/* ---- descriptors ---- */

static bool is_ours(int fd)
{
	return fd >= IO_FIRST && fd < IO_FIRST + IO_MAX;
}

/* The one behind FD, which has to be open. */
static struct descriptor *find(int fd)
{
	struct descriptor *d = &descriptors[fd - IO_FIRST];

	io_must(is_ours(fd) && d->open, "a descriptor that is closed is used");
	return d;
}

int io_open(void)
{
	struct descriptor *d = &descriptors[used];

	io_must(used < IO_MAX, "the fuzzer has too few descriptors");
	d->open = true;
	d->ended = d->waiting = false;
	d->room = IO_ANY;
	d->first = d->count = 0;
	open_count++;
	return IO_FIRST + (int)used++;
}

bool io_is_open(int fd)
{
	return is_ours(fd) && descriptors[fd - IO_FIRST].open;
}

unsigned io_held_count(void)
{
	return open_count - travelling;
}

bool io_say(int fd, const void *bytes, size_t size, int passed)
{
	struct descriptor *d = find(fd);
	struct item *item = &d->queue[(d->first + d->count) % IO_QUEUE];

	if (d->count == IO_QUEUE || d->ended) {
		if (passed >= 0)
			close(passed);
		return false;
	}
	item->bytes = malloc(size);
	io_must(item->bytes || size == 0, "no memory");
	if (size > 0)
		memcpy(item->bytes, bytes, size);
	item->size = size;
	item->at = 0;
	item->passed = passed;
	travelling += passed >= 0;
	d->count++;
	return true;
}

size_t io_waiting(int fd)
{
	const struct descriptor *d = find(fd);
	size_t total = 0;

	for (unsigned i = 0; i < d->count; i++) {
		const struct item *item = &d->queue[(d->first + i) % IO_QUEUE];
		total += item->size - item->at;
	}
	return total;
}

void io_end(int fd)
{
	find(fd)->ended = true;
}

bool io_has_ended(int fd)
{
	return find(fd)->ended;
}

void io_set_room(int fd, int room)
{
	find(fd)->room = room;
}

int io_room(int fd)
{
	return find(fd)->room;
}

static void drop_first(struct descriptor *d)
{
	travelling -= d->queue[d->first].passed >= 0;
	free(d->queue[d->first].bytes);
	d->first = (d->first + 1) % IO_QUEUE;
	d->count--;
}

/* What waits there is closed with it, what was passed too. */
static void close_one(struct descriptor *d)
{
	d->open = false;
	open_count--;
	while (d->count > 0) {
		int passed = d->queue[d->first].passed;
		drop_first(d);
		if (io_is_open(passed))
			close_one(&descriptors[passed - IO_FIRST]);
	}
}

void io_finish(void)
{
	for (unsigned i = 0; i < used; i++)
		if (descriptors[i].open)
			close_one(&descriptors[i]);
	io_must(open_count == 0, "descriptors are counted wrongly");
}

void io_set_waiting(int fd)
{
	find(fd)->waiting = true;
}

/* ---- what the process calls ---- */

static void await(const struct descriptor *d)
{
	if (d->waiting)
		fuzz_check();
	while (d->waiting && d->count == 0 && !d->ended)
		fuzz_act(NULL, 0);
}

int __real_close(int fd);
int __wrap_close(int fd);
int __wrap_close(int fd)
{
	if (!is_ours(fd))
		return __real_close(fd);
	close_one(find(fd));
	return 0;
}

static bool is_framed(const void *bytes, size_t size)
{
	const PORT_MESSAGE *h = bytes;

	return size >= sizeof(*h) && h->total_length == size && h->data_length == size - sizeof(*h);
}

ssize_t __wrap_port_receive(int port, void *buffer, size_t size, int *passed);
ssize_t __wrap_port_receive(int port, void *buffer, size_t size, int *passed)
{
	struct descriptor *d = find(port);
	struct item item;

	if (passed)
		*passed = -1;
	await(d);
	errno = EAGAIN;
	if (d->count == 0)
		return d->ended ? 0 : -1;
	item = d->queue[d->first];
	memcpy(buffer, item.bytes, item.size < size ? item.size : size);
	drop_first(d);
	if (item.size > size || !is_framed(buffer, item.size) || (item.passed >= 0 && !passed)) {
		if (item.passed >= 0)
			close(item.passed);
		fuzz_took(port, NULL, 0);
		errno = EBADMSG;
		return -1;
	}
	if (passed)
		*passed = item.passed;
	fuzz_took(port, buffer, item.size);
	return (ssize_t)item.size;
}

int __wrap_port_send(int port, const PORT_MESSAGE *m, int passed);
int __wrap_port_send(int port, const PORT_MESSAGE *m, int passed)
{
	struct descriptor *d = find(port);

	io_must(is_framed(m, m->total_length), "a message with wrong lengths is sent");
	io_must(passed == -1 || io_is_open(passed), "what is passed is not open");
	errno = d->ended ? EPIPE : EAGAIN;
	if (d->ended || d->room == 0)
		return -1;
	d->room -= d->room > 0;
	fuzz_sent(port, m, m->total_length, passed);
	return 0;
}

ssize_t __real_read(int fd, void *buffer, size_t size);
ssize_t __wrap_read(int fd, void *buffer, size_t size);
ssize_t __wrap_read(int fd, void *buffer, size_t size)
{
	struct descriptor *d;
	struct item *item;

	if (!is_ours(fd))
		return __real_read(fd, buffer, size);
	d = find(fd);
	await(d);
	errno = d->ended ? EIO : EAGAIN; /* of a terminal */
	if (d->count == 0)
		return d->ended ? 0 : -1;
	item = &d->queue[d->first];
	size = size < item->size - item->at ? size : item->size - item->at;
	memcpy(buffer, item->bytes + item->at, size);
	item->at += size;
	if (item->at == item->size)
		drop_first(d);
	fuzz_took(fd, buffer, size);
	return (ssize_t)size;
}

ssize_t __real_write(int fd, const void *buffer, size_t size);
ssize_t __wrap_write(int fd, const void *buffer, size_t size);
ssize_t __wrap_write(int fd, const void *buffer, size_t size)
{
	struct descriptor *d;

	if (!is_ours(fd))
		return __real_write(fd, buffer, size);
	d = find(fd);
	errno = d->ended ? EPIPE : EAGAIN;
	if (d->ended || d->room == 0)
		return -1;
	size = d->room > 0 && size > (size_t)d->room ? (size_t)d->room : size;
	d->room -= d->room > 0 ? (int)size : 0;
	fuzz_sent(fd, buffer, size, -1);
	return (ssize_t)size;
}

static int ready(struct pollfd *p, nfds_t count)
{
	int n = 0;

	for (nfds_t i = 0; i < count; i++) {
		p[i].revents = 0;
		if (p[i].fd < 0)
			continue;
		const struct descriptor *d = find(p[i].fd);
		if (d->ended)
			p[i].revents |= POLLHUP;
		if ((p[i].events & POLLIN) && (d->count > 0 || d->ended))
			p[i].revents |= POLLIN;
		if ((p[i].events & POLLOUT) && !d->ended && d->room != 0)
			p[i].revents |= POLLOUT;
		n += p[i].revents != 0;
	}
	return n;
}

int __real_poll(struct pollfd *p, nfds_t count, int timeout);
int __wrap_poll(struct pollfd *p, nfds_t count, int timeout);
int __wrap_poll(struct pollfd *p, nfds_t count, int timeout)
{
	uint64_t begin = io_now;
	int n;

	if (count == 1 && p->fd == STDERR_FILENO)
		return 0; /* the log: formatted, and not written */
	if (timeout == 0)
		return ready(p, count); /* it looks, and does not wait */
	fuzz_check();
	while ((n = ready(p, count)) == 0) {
		if (timeout >= 0 && io_now - begin >= (uint64_t)timeout * 1000)
			return 0;
		fuzz_act(p, count);
	}
	return n;
}

int __real_clock_gettime(clockid_t clock, struct timespec *now);
int __wrap_clock_gettime(clockid_t clock, struct timespec *now);
int __wrap_clock_gettime(clockid_t clock, struct timespec *now)
{
	if (clock != CLOCK_MONOTONIC)
		return __real_clock_gettime(clock, now);
	*now = (struct timespec){ .tv_sec = (time_t)(io_now / 1000000),
		.tv_nsec = (long)(io_now % 1000000) * 1000 };
	return 0;
}
