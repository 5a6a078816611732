/* TCP_INFO. The kernel's header has all of it, and cannot stand beside the C library's. */
#include "tcp-state.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

enum { STATE_CLOSE = 7, STATE_CLOSE_WAIT = 8 };

uint64_t tcp_bytes_received(int fd)
{
	struct tcp_info info = { 0 };
	socklen_t size = sizeof(info);

	return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) == 0 ? info.tcpi_bytes_received
	                                                                : 0;
}

enum tcp_end tcp_ended(int fd)
{
	struct tcp_info info = { 0 };
	socklen_t size = sizeof(info);

	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) < 0)
		return TCP_END_OPEN;
	return info.tcpi_state == STATE_CLOSE        ? TCP_END_RESET
	       : info.tcpi_state == STATE_CLOSE_WAIT ? TCP_END_CLOSED
	                                             : TCP_END_OPEN;
}
