/*
 * The SM API message, as the transcript shows it (shared/reference, lines 20-41): a
 * port message header, the number of the call, its status, and a union of the seven
 * calls. The layout is that of 32-bit Windows and is the same on every machine.
 *
 * One message is one SOCK_SEQPACKET packet. A request and its reply are the whole
 * structure (0x130 bytes), with h.message_id the same in both.
 */
#ifndef MUSESS_SMAPI_H
#define MUSESS_SMAPI_H

#include <stddef.h>
#include <stdint.h>

/* PORT_MESSAGE: sizes, kind of message, who sent it, and which request it belongs to. */
typedef struct _PORT_MESSAGE {
	uint16_t data_length;      /* bytes after this header */
	uint16_t total_length;     /* data_length + sizeof(PORT_MESSAGE) */
	uint16_t type;             /* LPC_REQUEST, LPC_REPLY, or a number of messages.h */
	uint16_t data_info_offset; /* always 0 */
	uint32_t process;          /* informative only: identity is what the kernel reports */
	uint32_t thread;
	uint32_t message_id;       /* chosen by the requester, repeated in the reply */
	uint32_t client_view_size; /* LPC's CallbackId too: in StartCsr's reply the session's
	                              generation; in termsrv's StopCsr the one that is meant */
} PORT_MESSAGE;

enum { LPC_REQUEST = 1, LPC_REPLY = 2, LPC_CONNECTION_REQUEST = 10 };

typedef enum _SMAPINUMBER {
	SmCreateForeignSessionApi = 0,
	SmSessionCompleteApi = 1,
	SmTerminateForeignSessionApi = 2,
	SmExecPgmApi = 3,
	SmLoadDeferedApi = 4,
	SmStartCsrApi = 5,
	SmStopCsrApi = 6,
	SmMaxApiNumber = 7
} SMAPINUMBER;

/* StartCsr with this id: allocate one. */
#define SM_NO_MUSESSION 0xffffffffu

enum { SM_COMMAND_CHARS = 128, SM_SUBSYSTEM_CHARS = 32 };

/* The three calls about foreign sessions have no documented payload but SessionComplete's;
   the fields here are musess's own. SessionId is an environment session's: it counts up from
   1 and has nothing to do with a MuSessionId. */
typedef struct _SMCREATEFOREIGNSESSION {
	uint32_t SubsystemType; /* of the subsystem that is to make it */
	uint32_t SessionId;     /* out */
} SMCREATEFOREIGNSESSION;

typedef struct _SMSESSIONCOMPLETE {
	uint32_t SessionId;
	int32_t SessionStatus;
} SMSESSIONCOMPLETE;

typedef struct _SMTERMINATEFOREIGNSESSION {
	uint32_t SessionId;
} SMTERMINATEFOREIGNSESSION;

typedef struct _SMEXECPGM {
	uint32_t ProcessId; /* as the caller's namespace numbers it; a pidfd is passed beside it */
	uint32_t DebugFlag; /* not 0: it stays suspended */
} SMEXECPGM;

typedef struct _SMLOADDEFERED {
	uint32_t SubsystemNameLength; /* bytes */
	uint16_t SubsystemName[SM_SUBSYSTEM_CHARS];
} SMLOADDEFERED;

typedef struct _SMSTARTCSR {
	uint32_t MuSessionId;          /* in: an id or SM_NO_MUSESSION; out: the session's */
	uint32_t InitialCommandLength; /* bytes; 0: the default initial command */
	uint16_t InitialCommand[SM_COMMAND_CHARS]; /* UTF-16, not terminated */
	uint32_t InitialCommandProcessId;          /* out */
	uint32_t WindowsSubSysProcessId;           /* out */
} SMSTARTCSR;

typedef struct _SMSTOPCSR {
	uint32_t MuSessionId;
} SMSTOPCSR;

typedef struct _SMAPIMSG {
	PORT_MESSAGE h;
	SMAPINUMBER ApiNumber;  /* what its sender wrote, a number of no call too */
	int32_t ReturnedStatus; /* an NTSTATUS; STATUS_PENDING while the call runs */
	union {
		SMCREATEFOREIGNSESSION CreateForeignSession;
		SMSESSIONCOMPLETE SessionComplete;
		SMTERMINATEFOREIGNSESSION TerminateForeignComplete;
		SMEXECPGM ExecPgm;
		SMLOADDEFERED LoadDefered;
		SMSTARTCSR StartCsr;
		SMSTOPCSR StopCsr;
	} u;
} SMAPIMSG;

/* Callbacks: smss asks a subsystem, over that one's SbApiPort. The numbers are ReactOS's
   (session-manager.md section 2), the layout is musess's own. */
typedef enum _SBAPINUMBER {
	SbCreateSessionApi = 0,          /* make an environment session */
	SbTerminateSessionApi = 1,       /* end it */
	SbForeignSessionCompleteApi = 2, /* one that this subsystem had made has ended */
	SbCreateProcessApi = 3,          /* a suspended process is adopted into this subsystem */
	SbMaxApiNumber = 4
} SBAPINUMBER;

typedef struct _SBCREATESESSION {
	uint32_t SessionId; /* the creator's port may be passed beside it */
} SBCREATESESSION;

typedef struct _SBTERMINATESESSION {
	uint32_t SessionId;
} SBTERMINATESESSION;

typedef struct _SBFOREIGNSESSIONCOMPLETE {
	uint32_t SessionId;
	int32_t SessionStatus;
} SBFOREIGNSESSIONCOMPLETE;

typedef struct _SBCREATEPROCESS {
	uint32_t ProcessId; /* ExecPgm's; a pidfd is passed beside it */
	uint32_t DebugFlag;
} SBCREATEPROCESS;

typedef struct _SBAPIMSG {
	PORT_MESSAGE h;
	uint32_t ApiNumber; /* SBAPINUMBER */
	int32_t ReturnedStatus;
	union {
		SBCREATESESSION CreateSession;
		SBTERMINATESESSION TerminateSession;
		SBFOREIGNSESSIONCOMPLETE ForeignSessionComplete;
		SBCREATEPROCESS CreateProcess;
	} u;
} SBAPIMSG;

_Static_assert(sizeof(SBAPIMSG) == 0x28, "SBAPIMSG");
_Static_assert(sizeof(PORT_MESSAGE) == 0x18, "PORT_MESSAGE");
_Static_assert(offsetof(SMAPIMSG, h) == 0x0, "h");
_Static_assert(offsetof(SMAPIMSG, ApiNumber) == 0x18, "ApiNumber");
_Static_assert(offsetof(SMAPIMSG, ReturnedStatus) == 0x1c, "ReturnedStatus");
_Static_assert(offsetof(SMAPIMSG, u) == 0x20, "u");
_Static_assert(offsetof(SMSTARTCSR, MuSessionId) == 0x0, "MuSessionId");
_Static_assert(offsetof(SMSTARTCSR, InitialCommandLength) == 0x4, "InitialCommandLength");
_Static_assert(offsetof(SMSTARTCSR, InitialCommand) == 0x8, "InitialCommand");
_Static_assert(offsetof(SMSTARTCSR, InitialCommandProcessId) == 0x108, "InitialCommandProcessId");
_Static_assert(offsetof(SMSTARTCSR, WindowsSubSysProcessId) == 0x10c, "WindowsSubSysProcessId");
_Static_assert(sizeof(SMSTARTCSR) == 0x110, "SMSTARTCSR");
_Static_assert(sizeof(SMAPIMSG) == 0x130, "SMAPIMSG");

#endif
