/* Messages over SOCK_SEQPACKET: one packet, one message, checked lengths. */
#include "port.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

void port_header(PORT_MESSAGE *h, uint16_t type, size_t total, uint32_t message_id)
{
	*h = (PORT_MESSAGE){
		.data_length = (uint16_t)(total - sizeof(*h)),
		.total_length = (uint16_t)total,
		.type = type,
		.message_id = message_id,
	};
}

int port_send(int port, const PORT_MESSAGE *message, int passed)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct iovec data = { .iov_base = (void *)(uintptr_t)message,
		.iov_len = message->total_length };
	struct msghdr m = { .msg_iov = &data, .msg_iovlen = 1 };
	ssize_t sent;

	if (passed != -1) {
		m.msg_control = &control;
		m.msg_controllen = sizeof(control.space);
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&control.header), &passed, sizeof(int));
	}
	do
		sent = sendmsg(port, &m, MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	return sent < 0 ? -1 : 0;
}

/* Takes the descriptors out of M. */
static void take_luggage(struct msghdr *m, struct port_luggage *luggage)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		size_t size = c->cmsg_len - CMSG_LEN(0);
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		memcpy(luggage->passed, CMSG_DATA(c), size);
		luggage->count = (unsigned)(size / sizeof(int));
	}
}

/* Whether the GOT bytes at BUFFER are a message, with what came along. */
static bool well_formed(
    const void *buffer, ssize_t got, int flags, const struct port_luggage *luggage)
{
	const PORT_MESSAGE *h = buffer;
	/* cut off with none at all: we are out of descriptors, which is not the sender's fault */
	bool lost = luggage->count == 0 && (flags & MSG_CTRUNC);

	return luggage->count <= 1 && !(flags & MSG_TRUNC) && (lost || !(flags & MSG_CTRUNC)) &&
	       (size_t)got >= sizeof(*h) && h->total_length == got &&
	       h->data_length == (size_t)got - sizeof(*h);
}

ssize_t port_receive_all(int port, void *buffer, size_t size, struct port_luggage *luggage)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(PORT_DESCRIPTORS_MAX * sizeof(int)) +
		           CMSG_SPACE(sizeof(struct ucred))];
	} control;
	struct iovec data = { .iov_base = buffer, .iov_len = size };
	struct msghdr m = { .msg_iov = &data, .msg_iovlen = 1, .msg_control = control.space };
	ssize_t got;

	luggage->count = 0;
	do { /* a peer that left something unread when it closed: said once, before what it has sent */
		m.msg_controllen = sizeof(control.space);
		got = recvmsg(port, &m, MSG_CMSG_CLOEXEC);
	} while (got < 0 && (errno == EINTR || errno == ECONNRESET));
	if (got < 0)
		return got;
	take_luggage(&m, luggage);
	if (got == 0 || well_formed(buffer, got, m.msg_flags, luggage))
		return got;
	errno = EBADMSG;
	return -1;
}

ssize_t port_receive(int port, void *buffer, size_t size, int *passed)
{
	struct port_luggage luggage;
	ssize_t got = port_receive_all(port, buffer, size, &luggage);
	int error = errno;

	if (passed)
		*passed = got > 0 && luggage.count > 0 ? luggage.passed[--luggage.count] : -1;
	if (got > 0 && luggage.count > 0) { /* nobody wants it */
		got = -1;
		error = EBADMSG;
	}
	while (luggage.count > 0)
		close(luggage.passed[--luggage.count]);
	errno = error;
	return got;
}

bool port_at_end(int port)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(struct ucred))];
	} control;
	char byte;
	struct iovec data = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr m = { .msg_iov = &data, .msg_iovlen = 1, .msg_control = control.space };
	ssize_t got;

	do { /* as above */
		m.msg_controllen = sizeof(control.space);
		got = recvmsg(port, &m, MSG_PEEK | MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	} while (got < 0 && (errno == EINTR || errno == ECONNRESET));
	return got == 0 && m.msg_controllen == 0;
}

void port_mark(int port)
{
	setsockopt(port, SOL_SOCKET, SO_PASSCRED, &(int){ 1 }, sizeof(int));
}

int port_pair(int pair[2])
{
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair);
}

void fd_close(int *fd)
{
	if (*fd != -1)
		close(*fd);
	*fd = -1;
}

/* Above what one word of the kernel's map of full words stands for, which Linux before 6.1.107 and 6.6.48
   copies whole: in the copy numbers would be taken that are not. */
enum { FIRST_KEPT = 4096 };

int fd_keep(int fd)
{
	int kept = fcntl(fd, F_DUPFD_CLOEXEC, FIRST_KEPT);

	if (kept < 0)
		return fd;
	close(fd);
	return kept;
}

/* The controls of C1; and those that end a line or turn the order of what is shown (Unicode's Bidi_Control), by
   which one name or address looks like another: U+061C, 200E, 200F, 2028 to 202E, 2066 to 2069. */
static bool is_control(const unsigned char *p, size_t length)
{
	if (length == 2)
		return (p[0] == 0xc2 && p[1] < 0xa0) || (p[0] == 0xd8 && p[1] == 0x9c);
	if (length != 3 || p[0] != 0xe2)
		return false;
	return p[1] == 0x80 ? p[2] == 0x8e || p[2] == 0x8f || (p[2] >= 0xa8 && p[2] <= 0xae)
	                    : p[1] == 0x81 && p[2] >= 0xa6 && p[2] <= 0xa9;
}

size_t utf8_length(const unsigned char *p, size_t left)
{
	size_t length = p[0] < 0x80                   ? 1
	                : p[0] >= 0xc2 && p[0] < 0xe0 ? 2
	                : (p[0] & 0xf0) == 0xe0       ? 3
	                : p[0] >= 0xf0 && p[0] < 0xf5 ? 4
	                                              : 0;

	if (length == 0 || length > left)
		return 0;
	for (size_t i = 1; i < length; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
	    (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
		return 0; /* overlong, a surrogate, or beyond Unicode */
	return is_control(p, length) ? 0 : length;
}

bool port_text_valid(const char *text, size_t size)
{
	const unsigned char *p = (const unsigned char *)text;
	size_t end = strnlen(text, size);

	if (end == size)
		return false;
	for (size_t at = 0; at < end;) {
		size_t length = utf8_length(p + at, end - at);
		if (length == 0 || p[at] < 0x20 || p[at] == 0x7f)
			return false;
		at += length;
	}
	return true;
}

bool port_text_take(char *field, size_t size, const char *text)
{
	const unsigned char *p = (const unsigned char *)text;
	size_t left = text ? strlen(text) : 0, used = 0;
	bool whole = true;

	while (left > 0) {
		size_t length = utf8_length(p, left);
		bool good = length > 0 && p[0] >= 0x20 && p[0] != 0x7f;
		length = good ? length : 1;
		whole = whole && good;
		if (used + length >= size)
			return false;
		memcpy(field + used, good ? (const char *)p : "?", length);
		used += length;
		p += length;
		left -= length;
	}
	return whole;
}

void port_text_lines(char *field, size_t size, const char *text)
{
	size_t length = strlen(text);

	if (length >= size)
		for (length = size - 1; length > 0 && text[length - 1] != '\n';)
			length--;
	memset(field, 0, size);
	memcpy(field, text, length);
}
