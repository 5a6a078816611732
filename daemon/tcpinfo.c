/* Two dumps of the kernel's sockets, of IPv4 and of IPv6, into one array. */
#include "tcpinfo.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/tcp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { STATE_ESTABLISHED = 1 }; /* the kernel's TCP_ESTABLISHED, which a header of glibc has too */

struct dump {
	struct tcpinfo *all;
	size_t count, capacity;
};

static void write_peer(char peer[ADDRESS_SIZE], const struct inet_diag_msg *m)
{
	char address[INET6_ADDRSTRLEN] = "";
	struct in6_addr six;
	const void *from = m->id.idiag_dst;
	bool four = m->idiag_family == AF_INET;

	memcpy(&six, from, sizeof(six));
	if (!four && IN6_IS_ADDR_V4MAPPED(&six)) {
		from = six.s6_addr + 12;
		four = true;
	}
	inet_ntop(four ? AF_INET : AF_INET6, from, address, sizeof(address));
	snprintf(peer, ADDRESS_SIZE, four ? "%s:%u" : "[%s]:%u", address, ntohs(m->id.idiag_dport));
}

/* The counters, from the attributes behind M. Returns false where this kernel has none. */
static bool read_counters(const struct nlmsghdr *h, struct tcpinfo *t)
{
	const struct inet_diag_msg *m = NLMSG_DATA(h);
	int left = (int)(h->nlmsg_len - NLMSG_LENGTH(sizeof(*m)));
	struct tcp_info info;

	for (const struct rtattr *a = (const struct rtattr *)(m + 1); RTA_OK(a, left);
	    a = RTA_NEXT(a, left)) {
		if (a->rta_type != INET_DIAG_INFO ||
		    RTA_PAYLOAD(a) <
		        offsetof(struct tcp_info, tcpi_bytes_received) + sizeof(uint64_t))
			continue;
		memset(&info, 0, sizeof(info));
		memcpy(&info, RTA_DATA(a),
		    RTA_PAYLOAD(a) < sizeof(info) ? RTA_PAYLOAD(a) : sizeof(info));
		t->received = info.tcpi_bytes_received;
		t->sent = info.tcpi_bytes_acked;
		return true;
	}
	return false;
}

/* Returns 0, or -1 with errno. */
static int take_socket(struct dump *d, const struct nlmsghdr *h)
{
	const struct inet_diag_msg *m = NLMSG_DATA(h);

	if (h->nlmsg_len < NLMSG_LENGTH(sizeof(*m)))
		return 0;
	if (d->count == d->capacity) {
		size_t capacity = d->capacity ? 2 * d->capacity : 64;
		struct tcpinfo *larger = reallocarray(d->all, capacity, sizeof(*larger));
		if (!larger)
			return -1;
		d->all = larger;
		d->capacity = capacity;
	}
	if (read_counters(h, &d->all[d->count]))
		write_peer(d->all[d->count++].peer, m);
	return 0;
}

/* The messages of one packet. Returns 0, 1 at the dump's end, or -1 with errno. */
static int take_packet(struct dump *d, const char *packet, size_t length)
{
	for (const struct nlmsghdr *h = (const struct nlmsghdr *)packet; NLMSG_OK(h, length);
	    h = NLMSG_NEXT(h, length)) {
		if (h->nlmsg_type == NLMSG_DONE)
			return 1;
		if (h->nlmsg_type == NLMSG_ERROR) {
			errno = EPROTO;
			return -1;
		}
		if (h->nlmsg_type == SOCK_DIAG_BY_FAMILY && take_socket(d, h) < 0)
			return -1;
	}
	return 0;
}

/* Returns 0, or -1 with errno. */
static int dump_family(struct dump *d, int netlink, uint8_t family)
{
	struct {
		struct nlmsghdr h;
		struct inet_diag_req_v2 r;
	} request = {
		.h = { .nlmsg_len = sizeof(request),
		    .nlmsg_type = SOCK_DIAG_BY_FAMILY,
		    .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
		.r = { .sdiag_family = family,
		    .sdiag_protocol = IPPROTO_TCP,
		    .idiag_ext = 1 << (INET_DIAG_INFO - 1),
		    .idiag_states = 1 << STATE_ESTABLISHED },
	};
	_Alignas(struct nlmsghdr) char packet[32768];
	int result = 0;

	if (send(netlink, &request, sizeof(request), 0) < 0)
		return -1;
	while (result == 0) {
		ssize_t got = recv(netlink, packet, sizeof(packet), 0);
		if (got <= 0)
			return -1;
		result = take_packet(d, packet, (size_t)got);
	}
	return result < 0 ? -1 : 0;
}

static int by_peer(const void *one, const void *other)
{
	return strcmp(((const struct tcpinfo *)one)->peer, ((const struct tcpinfo *)other)->peer);
}

struct tcpinfo *tcpinfo_read(size_t *count)
{
	int netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	struct timeval patience = { .tv_sec = 1 };
	struct dump d = { .all = malloc(sizeof(*d.all)), .capacity = 1 };
	bool done =
	    netlink >= 0 && d.all &&
	    setsockopt(netlink, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) == 0 &&
	    dump_family(&d, netlink, AF_INET) == 0 && dump_family(&d, netlink, AF_INET6) == 0;
	int error = errno;

	fd_close(&netlink);
	if (!done) {
		free(d.all);
		errno = error;
		return NULL;
	}
	qsort(d.all, d.count, sizeof(*d.all), by_peer);
	*count = d.count;
	return d.all;
}

const struct tcpinfo *tcpinfo_find(
    const struct tcpinfo *connections, size_t count, const char *peer)
{
	const struct tcpinfo *end = connections + count, *found;
	struct tcpinfo key = { 0 };

	if (!count || !*peer)
		return NULL;
	snprintf(key.peer, sizeof(key.peer), "%s", peer);
	found = bsearch(&key, connections, count, sizeof(key), by_peer);
	if (!found || (found > connections && by_peer(found - 1, found) == 0) ||
	    (found + 1 < end && by_peer(found + 1, found) == 0))
		return NULL;
	return found;
}
