/*
 * What the fuzzers of a session's processes have in the kernel's place: descriptors, messages, pipes and
 * time in memory, behind the calls that the linker turns here (FUZZ_IO in CMakeLists.txt). The process
 * runs with its own main(); whenever it waits, the fuzzer goes on. What is closed twice, used after it
 * was closed, or never closed, is found.
 */
#ifndef MUSESS_FUZZ_IO_H
#define MUSESS_FUZZ_IO_H

#include "port.h"

#include <poll.h>

/* Numbers of descriptors that are in memory begin here. */
enum { IO_FIRST = 1000000, IO_MAX = 2048, IO_SPARE = 512, IO_QUEUE = 64, IO_ANY = -1 };

/* A new descriptor, which takes whatever is sent to it. */
int io_open(void);
ssize_t __wrap_port_receive(int port, void *buffer, size_t size, int *passed);
bool io_is_open(int fd);
/* How many are open and the process's: not beside a message that it has not taken. */
unsigned io_held_count(void);

/* Who reads there waits until there is something. */
void io_set_waiting(int fd);
/* What is read there next: a message, with PASSED beside it (-1: nothing), or bytes. Where too much waits
   already it is lost, and false returned. PASSED becomes the reader's. */
bool io_say(int fd, const void *bytes, size_t size, int passed);
/* How much waits there, in bytes. */
size_t io_waiting(int fd);
/* The peer has closed: that is read behind all that waits, and nothing can be sent any more. */
void io_end(int fd);
bool io_has_ended(int fd);
/* How many messages, or bytes, are taken before it blocks; IO_ANY: any number. */
void io_set_room(int fd, int room);
int io_room(int fd);

/* The input: bytes, and zeroes behind them. It is at its end too where descriptors become few. */
void io_begin(const uint8_t *data, size_t size);
size_t io_left(void);
uint8_t io_take(void);
uint32_t io_take_number(void);
/* Up to SIZE bytes of it, whose number comes first; what is left of BYTES is zero. */
size_t io_take_bytes(void *bytes, size_t size);
/* The same, as a text that messages may carry. */
void io_take_text(char *text, size_t size);
/* The process has ended: what it left open is closed. */
void io_finish(void);

/* Microseconds of CLOCK_MONOTONIC. */
extern uint64_t io_now;

/* Aborts, and says what does not hold. */
void io_must(bool holds, const char *what);

/* What each fuzzer has: */

/* Something happens, while the process waits for any of P. At the input's end, something after which it
   ends. */
void fuzz_act(const struct pollfd *p, nfds_t count);
/* The process has nothing more to do for now. */
void fuzz_check(void);
/* It took this message, or bytes, from FD; or sent them, with PASSED (-1: nothing) beside them, which stays
   its own. */
void fuzz_took(int fd, const void *bytes, size_t size);
void fuzz_sent(int fd, const void *bytes, size_t size, int passed);

#endif
