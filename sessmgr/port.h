/*
 * Ports: SOCK_SEQPACKET sockets over which whole messages travel, descriptors beside
 * them. Every message begins with a PORT_MESSAGE whose lengths must match the packet.
 */
#ifndef MUSESS_PORT_H
#define MUSESS_PORT_H

#include "smapi.h"

#include <stdbool.h>
#include <sys/types.h>

/* The largest message of messages.h, in bytes; and how many descriptors the kernel lets travel beside
   one. */
enum { PORT_MAX_MESSAGE = 16384, PORT_DESCRIPTORS_MAX = 253 };

/* Fills the header of a message of TOTAL bytes. */
void port_header(PORT_MESSAGE *h, uint16_t type, size_t total, uint32_t message_id);

/*
 * Sends the message (its header says how long it is), with descriptor PASSED beside
 * it unless that is -1. Never blocks where PORT is non-blocking. The caller keeps
 * PASSED. Returns 0, or -1 with errno (EAGAIN: the peer does not read).
 */
int port_send(int port, const PORT_MESSAGE *message, int passed);

/*
 * Receives one message into BUFFER (SIZE bytes, aligned as PORT_MESSAGE). A passed
 * descriptor arrives in *PASSED (close-on-exec; -1 where there was none, or where this
 * process is out of descriptors); with PASSED NULL none is accepted. Returns the length, 0 where the peer closed, -1 with
 * errno: EAGAIN nothing there, EBADMSG a packet that breaks framing (too long, too
 * short, wrong lengths, a descriptor too many).
 */
ssize_t port_receive(int port, void *buffer, size_t size, int *passed);

/* What else came with a message: PASSED are the caller's to close, whatever was wrong with it. */
struct port_luggage {
	int passed[PORT_DESCRIPTORS_MAX];
	unsigned count;
};

/* Receives one message likewise. At most one descriptor may come along, and all that do are in
   *LUGGAGE: nothing is closed here. */
ssize_t port_receive_all(int port, void *buffer, size_t size, struct port_luggage *luggage);

/* Whether the peer of PORT has closed, and all that it sent was read. */
bool port_at_end(int port);

/* Has the kernel mark each message that PORT receives, so that port_at_end takes one without bytes
   for none. */
void port_mark(int port);

/* A connected pair of non-blocking, close-on-exec ports. Returns 0, or -1 with errno. */
int port_pair(int pair[2]);

/* Closes *FD unless it is -1, and leaves -1. */
void fd_close(int *fd);

/* Moves FD, of which each session has some, above those of which there are few: smss has the
   short-lived one copy its descriptors up to its port's, whose number is the lowest that is free.
   Returns the new number, or FD where there is none. */
int fd_keep(int fd);

/* True where TEXT (SIZE bytes of a message) is terminated and printable UTF-8. */
bool port_text_valid(const char *text, size_t size);

/* Copies TEXT (NULL: nothing) into FIELD (SIZE bytes, zero beforehand). Where it is longer, or no
   printable UTF-8, FIELD gets as much as there is place for, with a '?' for each byte that may not be
   there, and the result is false. */
bool port_text_take(char *field, size_t size, const char *text);

/* Fills FIELD (SIZE bytes) with as many whole lines of TEXT as there is place for, and zeros. */
void port_text_lines(char *field, size_t size, const char *text);

/* Length of the well-formed UTF-8 sequence at P (LEFT bytes), 0 where there is none, or only that of a
   control character beyond ASCII: C1's, and those that end lines or change the direction of text. */
size_t utf8_length(const unsigned char *p, size_t left);

#endif
