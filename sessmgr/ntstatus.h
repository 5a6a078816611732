/*
 * The statuses that the session manager answers with, by their public names. One
 * table: number, name, and what it says to a person.
 */
#ifndef MUSESS_NTSTATUS_H
#define MUSESS_NTSTATUS_H

#include <stdint.h>

#define NTSTATUS_TABLE(X)                                                                          \
	X(STATUS_SUCCESS, 0x00000000, "success")                                                   \
	X(STATUS_PENDING, 0x00000103, "the call is still running")                                 \
	X(STATUS_UNSUCCESSFUL, 0xc0000001, "the operation failed")                                 \
	X(STATUS_NOT_IMPLEMENTED, 0xc0000002, "this call does not exist")                          \
	X(STATUS_INVALID_PARAMETER, 0xc000000d, "a field of the request is out of bounds")         \
	X(STATUS_NO_MEMORY, 0xc0000017,                                                            \
	    "memory, processes, descriptors or session ids are used up")                           \
	X(STATUS_ALREADY_COMMITTED, 0xc0000021, "the session exists already")                      \
	X(STATUS_ACCESS_DENIED, 0xc0000022, "the caller may not do this")                          \
	X(STATUS_INVALID_PARAMETER_MIX, 0xc0000030, "these fields exclude one another")            \
	X(STATUS_OBJECT_NAME_NOT_FOUND, 0xc0000034, "no such session, image or account")           \
	X(STATUS_OBJECT_NAME_COLLISION, 0xc0000035, "an account of that name exists already")      \
	X(STATUS_PORT_DISCONNECTED, 0xc0000037, "the peer is gone")                                \
	X(STATUS_PORT_CONNECTION_REFUSED, 0xc0000041, "the subsystem is served already")           \
	X(STATUS_DELETE_PENDING, 0xc0000056, "the session is being ended")                         \
	X(STATUS_LOGON_FAILURE, 0xc000006d, "unknown user or wrong password")                      \
	X(STATUS_INVALID_IMAGE_FORMAT, 0xc000007b, "the file is no program for this machine")      \
	X(STATUS_IO_TIMEOUT, 0xc00000b5, "no answer in time")                                      \
	X(STATUS_NO_SUCH_PACKAGE, 0xc00000fe, "the session has no such subsystem")                 \
	X(STATUS_PROCESS_IS_TERMINATING, 0xc000010a, "the process is ending")

#define NTSTATUS_ENUM(name, number, text) name = (int32_t)(number),
enum ntstatus { NTSTATUS_TABLE(NTSTATUS_ENUM) };
#undef NTSTATUS_ENUM

/* The name of STATUS ("STATUS_NO_MEMORY"), or "STATUS_UNKNOWN". Never NULL. */
const char *ntstatus_name(int32_t status);

/* What STATUS says to a person, or "unknown status". Never NULL. */
const char *ntstatus_text(int32_t status);

#endif
