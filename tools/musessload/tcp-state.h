/* What the kernel knows of a TCP connection: how many bytes came, and who closed it. */
#ifndef MUSESS_LOAD_TCP_STATE_H
#define MUSESS_LOAD_TCP_STATE_H

#include <stdint.h>

enum tcp_end { TCP_END_OPEN, TCP_END_CLOSED, TCP_END_RESET };

uint64_t tcp_bytes_received(int fd);

/* Whether the other end has closed it, or reset it. */
enum tcp_end tcp_ended(int fd);

#endif
