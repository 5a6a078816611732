/*
 * What the TCP connections of this network namespace have carried, as the kernel counts it
 * (TCP_INFO over NETLINK_SOCK_DIAG, which everybody may ask). A connection is known by its
 * peer, written as the messages write a client's address. IPv4 in IPv6 is IPv4.
 */
#ifndef MUSESS_TCPINFO_H
#define MUSESS_TCPINFO_H

#include "messages.h"

struct tcpinfo {
	char peer[ADDRESS_SIZE];
	uint64_t received, sent; /* bytes; those sent are known to have arrived */
};

/*
 * Reads the established ones, sorted by their peers. Returns the array, which the caller
 * frees, *COUNT of them; NULL with errno.
 */
struct tcpinfo *tcpinfo_read(size_t *count);

/* The connection of that peer. NULL: there is none, or several, and nobody can tell which. */
const struct tcpinfo *tcpinfo_find(
    const struct tcpinfo *connections, size_t count, const char *peer);

#endif
