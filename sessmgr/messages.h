/*
 * Every message between musess's processes but the SM API's own (smapi.h). All begin
 * with a PORT_MESSAGE whose type is one of enum message_type; each has a fixed size,
 * except DSP_ROW, which is as long as its cells. Numbers, widths and sizes are the
 * same on every machine. Strings are UTF-8, terminated, the rest of the field zero.
 *
 * The ports:
 *   termsrv - smss     made by smss, given to termsrv when it starts   SM API, TS_, WS_
 *   lsass   - smss     likewise                                        LSA_READY, ACCT_
 *   termsrv - lsass    a pair made by smss, one end sent to each       LSA_
 *   rdpwd   - termsrv  a pair made by termsrv for each worker          RW_
 *   csrss   - smss     csrss connects to \SmApiPort                    CSR_
 *   rdpwd   - csrss    a pair made by termsrv, passed on by smss       DSP_
 *   winlogon - csrss   winlogon connects to the session's ApiPort      WL_
 *   musessctl - smss   musessctl connects to the service's SmApiPort   SM API, CTL_, ACCT_
 *   psxss   - smss     psxss connects to \SmApiPort                     SM API, CSR_CONNECT
 *   smss - csrss, psxss  smss connects to their SbApiPort               SBAPIMSG (smapi.h)
 *   musessctl - psxss  a pair made by musessctl, passed on by smss      EX_
 *   musessctl - smss   in a session it connects to \SmApiPort          CTL_ about its own session
 *   metricsd - smss    made by smss, given to metricsd when it starts  CTL_STATS, MT_
 * Over those between smss and what it started, and on to the nursery, SM_PING goes too.
 * LOG_LINE goes to smss from csrss, psxss, termsrv and metricsd, to csrss from winlogon, to termsrv from
 * rdpwd.
 */
#ifndef MUSESS_MESSAGES_H
#define MUSESS_MESSAGES_H

#include "ntstatus.h"
#include "port.h"

enum message_type {
	/* smss and each that it started */
	SM_PING = 0x80, /* are you there? Answered with the same type, from the loop */
	/* termsrv and smss */
	TS_READY = 0x100, /* termsrv listens */
	TS_LSASS,         /* to termsrv: a new port to lsass, passed beside it; to smss: it broke */
	WS_CONNECT,       /* a client for a session, or for whichever its user has (NO_SESSION); the
	                     display port is passed beside it */
	WS_LOGON,         /* the user of a session that began without one */
	WS_PAINTED,       /* the client has its first picture */
	WS_SESSION,     /* to termsrv: the session that a worker's client has; WS_CONNECT's answer,
	                     and when the client was moved to another */
	WS_COOKIE,      /* what a client has to know to come back to a session; answered with the
	                     same type */
	WS_EVENT,       /* to smss: an event that only termsrv sees */
	TS_CONFIG,      /* to termsrv: what of its configuration has changed */
	TS_FIGURES,     /* to termsrv: what has it counted? Answered with the same type */
	TS_CERTIFICATE, /* to termsrv: another certificate with its key, passed beside it; answered with
	                   the same type */
	/* lsass */
	LSA_READY = 0x200, /* to smss: accounts are loaded */
	LSA_PORT,          /* to lsass: a new port to termsrv, passed beside it */
	LSA_LOGON,         /* is this the user's password? */
	LSA_NTLM,          /* does this NTLM exchange prove the user's password? */
	LSA_ANSWER,        /* to either, and to the ACCT_ calls */
	/* accounts: musessctl - smss - lsass */
	ACCT_ADD = 0x280,
	ACCT_REMOVE,
	ACCT_PASSWD,
	ACCT_LIST,
	ACCT_ENTRY, /* one account of the list; LSA_ANSWER ends it */
	/* rdpwd and termsrv */
	RW_READY = 0x300, /* a warm worker */
	RW_CLIENT,        /* to rdpwd: its client; the socket is passed beside it */
	RW_NTLM,          /* to termsrv: what a client proves by NLA (struct lsa_ntlm) */
	RW_NTLM_HASH,     /* its answer (struct lsa_answer) */
	RW_LOGON,         /* to termsrv: credentials and the client's description */
	RW_SESSION,       /* to rdpwd: the session; the display port is passed beside it */
	RW_DENIED,        /* to rdpwd: no; with a status and a reason */
	RW_PAINTED,       /* to termsrv: the first picture is out */
	RW_COOKIE,      /* to rdpwd: its client was moved to this session (struct msg_rw_session) */
	RW_CERTIFICATE, /* to the nursery: another certificate, passed beside it; answered with the same
	                   type (struct msg_process: an errno in session) */
	/* csrss and smss */
	CSR_CONNECT = 0x400, /* to smss: the handshake; smss answers with the same type */
	CSR_CLIENT,          /* to csrss: WS_CONNECT, the display port passed beside it */
	CSR_USER,            /* to csrss: WS_LOGON */
	CSR_SHELL,           /* to smss: winlogon has started the user's command */
	CSR_DISCONNECTED,    /* to smss: the client is gone */
	CSR_TERMINATE,       /* to csrss: the session ends for this reason */
	CSR_DETACH,          /* to csrss: the client is told this reason and let go */
	CSR_YIELD,           /* to csrss: the client shall be another session's */
	CSR_DISPLAY,         /* to smss: CSR_YIELD's answer, the display port passed beside it */
	CSR_INPUT,           /* to smss: keyboard or mouse were used; at most once a second */
	CSR_LOGOFF,          /* to csrss: the user's programs are to end; to smss: they have */
	CSR_MESSAGE,         /* to csrss: a box on the screen */
	CSR_RESPONSE,        /* to smss: how it was answered */
	CSR_CHOICES,         /* to csrss: the user has these sessions already; which shall it be? */
	CSR_ADOPT,  /* to smss: a csrss that has lost its smss; answered by CSR_CONNECT, with a
	                        callback port beside it */
	CSR_CHOICE, /* to smss: that one, or NO_SESSION: the new one */
	/* rdpwd and csrss */
	DSP_READY = 0x500, /* to csrss: one more frame may come; the message id is the number of the
	                      client's keyboard layout where that is not known, else 0 */
	DSP_ROW,           /* to rdpwd: cells of one row */
	DSP_FRAME,         /* to rdpwd: end of a frame; cursor */
	DSP_KEY,           /* to csrss: a key or character */
	DSP_CREDENTIALS,   /* to rdpwd: what was typed at the logon prompt */
	DSP_VERDICT,       /* to csrss: that was wrong */
	DSP_END,           /* to rdpwd: the session ends for this reason */
	DSP_INPUT,         /* to csrss: the mouse was used; at most once a second */
	/* winlogon and csrss */
	WL_HELLO = 0x600, /* winlogon is there */
	WL_LOGON,         /* to winlogon: the user; the terminal passed beside it */
	WL_PROMPT,        /* to winlogon: ask for the user; the terminal passed beside it */
	WL_CREDENTIALS,   /* to csrss: what was typed */
	WL_VERDICT,       /* to winlogon: right or wrong */
	WL_SHELL,         /* to csrss: the user's command runs */
	WL_LOGOFF,        /* to winlogon: end the user's command; to csrss: it has ended */
	WL_CHOICES, /* to winlogon: ask which session it shall be; the terminal passed beside it */
	WL_CHOICE,  /* to csrss: what the user said */
	/* musessctl and smss */
	CTL_LIST = 0x700, /* the sessions: a CTL_SESSION each, then CTL_END */
	CTL_SESSION,
	CTL_SERVICE, /* the service's processes, and what sessions have beside csrss and winlogon: a
	                CTL_PROCESS each, then CTL_END */
	CTL_PROCESS,
	CTL_VERSION, /* answered with the same type */
	CTL_END,
	CTL_POOL, /* the idle sessions, or how many there shall be; answered with the same type */
	CTL_EXEC, /* a Posix session in a session; one end of a port for EX_ is passed beside it;
	             answered with the same type */
	/* about one session, each answered with the same type (struct msg_control): */
	CTL_DISCONNECT, /* its client is let go */
	CTL_CONNECT,    /* it gets the client that is at TARGET's screen (tscon) */
	CTL_LOGOFF,     /* its user is logged off: programs have a moment to end */
	CTL_RESET,      /* it is ended at once */
	CTL_MESSAGE,    /* a box on its screen (struct msg_box); answered by a msg_control */
	CTL_DRAIN,      /* whether new sessions are refused; answered with the same type */
	CTL_RELOAD,     /* the configuration is read again; answered by a CTL_RELOADED */
	CTL_RELOADED,
	CTL_STATS,  /* answered with the same type (struct msg_stats) */
	CTL_EVENTS, /* a CTL_EVENT for each event from now on, without an end */
	CTL_EVENT,
	/* musessctl and psxss, over the port that CTL_EXEC passed */
	EX_COMMAND = 0x800, /* to psxss: what to run; once, and first */
	EX_INPUT,           /* to psxss: its standard input; no bytes: the end of it */
	EX_OUTPUT,          /* to musessctl: what it wrote */
	EX_EXIT,            /* to musessctl: how it ended; the last message */
	/* metricsd and smss; CTL_STATS is metricsd's to ask too */
	MT_READY = 0x900, /* metricsd listens */
	MT_LIST,          /* the sessions under Windows' names: an MT_SESSION each, then CTL_END */
	MT_SESSION,
	/* from who has no log to who has it, or passes it on */
	LOG_LINE = 0xa00,
};

enum {
	USER_SIZE = 128, /* bytes of a user's name with its terminator */
	DOMAIN_SIZE = 64,
	PASSWORD_SIZE = 256,
	STATION_SIZE = 64,    /* the client's computer name */
	ADDRESS_SIZE = 64,    /* "192.0.2.1:50000", "[2001:db8::1]:50000" */
	WINSTATION_SIZE = 32, /* "RDP-Tcp#3", "Console" */
	PORT_NAME_SIZE = 240, /* of a subsystem's SbApiPort */
	COMMAND_SIZE = 512,
	IMAGE_SIZE = 16,
	VERSION_SIZE = 32,
};

/* Bounds of a client's desktop in pixels, and the size of a cell. */
enum {
	DESKTOP_MIN = 200,
	DESKTOP_MAX = 8192,
	CELL_WIDTH = 8,
	CELL_HEIGHT = 16,
	COLUMNS_MAX = DESKTOP_MAX / CELL_WIDTH,
	ROWS_MAX = DESKTOP_MAX / CELL_HEIGHT,
};

/* The phases of a spin-up, in microseconds of CLOCK_MONOTONIC; 0: not reached. */
enum phase {
	PHASE_ACCEPT,     /* the connection was accepted */
	PHASE_REQUEST,    /* its first packet was whole */
	PHASE_NEGOTIATED, /* TLS, and NLA where used, are done */
	PHASE_LOGON,      /* the credentials were found right */
	PHASE_START_CSR,  /* StartCsr was called */
	PHASE_CSRSS,      /* csrss connected to the SM API port */
	PHASE_WINLOGON,   /* the initial command was started */
	PHASE_ANSWERED,   /* StartCsr was answered */
	PHASE_SHELL,      /* the user's command was started */
	PHASE_ACTIVE,     /* the client is activated */
	PHASE_PAINTED,    /* the first picture is out */
	PHASE_COUNT
};

/* Why a session or a connection ends. The numbers are those of the Set Error Info PDU
   (MS-RDPBCGR 2.2.5.1.1) and of LocalSessionManager's event 40. */
#define END_REASON_TABLE(X)                                                                        \
	X(END_NONE, 0x0, "the client has gone")                                                    \
	X(END_ADMIN_DISCONNECT, 0x1, "disconnected by an administrator")                           \
	X(END_ADMIN_LOGOFF, 0x2, "logged off by an administrator")                                 \
	X(END_IDLE_LIMIT, 0x3, "the idle limit was reached")                                       \
	X(END_TIME_LIMIT, 0x4, "the time limit was reached")                                       \
	X(END_REPLACED, 0x5, "replaced by another connection")                                     \
	X(END_OUT_OF_MEMORY, 0x6, "out of memory, processes or descriptors")                       \
	X(END_DENIED, 0x7, "the server denied the connection")                                     \
	X(END_USER_DISCONNECT, 0xb, "disconnected by the user")                                    \
	X(END_USER_LOGOFF, 0xc, "logged off by the user")                                          \
	X(END_WINLOGON_CRASH, 0x17, "the session's logon process failed")                          \
	X(END_CSRSS_CRASH, 0x18, "a subsystem process of the session failed")
#define END_REASON_ENUM(name, number, text) name = number,
enum end_reason { END_REASON_TABLE(END_REASON_ENUM) };
#undef END_REASON_ENUM

/* What END_REASON says to a person. Never NULL. */
const char *end_reason_text(uint32_t reason);
/* Whether it is that something of musess failed. */
bool end_reason_failed(uint32_t reason);

/* lsass's argument where names of accounts may end in '*' (AccountPatterns). */
#define LSASS_PATTERNS "patterns"

/* csrss's exit status where it got no pseudo-terminal, before smss takes lines from it; winlogon's where
   nobody logged on, and where csrss takes none. */
enum { CSRSS_NO_TERMINAL = 10, WINLOGON_NO_LOGON = 3, WINLOGON_NO_CSRSS = 4 };

/* MuSessionId of no session. */
#define NO_SESSION 0xffffffffu

/* A message that is its type alone: *_READY, LSA_PORT, TS_LSASS, RW_READY, CSR_SHELL,
   CSR_YIELD, CSR_INPUT, CSR_LOGOFF, DSP_READY, DSP_INPUT, WL_PROMPT, WL_LOGOFF, CTL_LIST,
   CTL_SERVICE, CTL_END, CTL_RELOAD, CTL_STATS, TS_FIGURES and TS_CERTIFICATE (the questions), RW_CERTIFICATE, CTL_EVENTS,
   ACCT_LIST, MT_LIST, SM_PING. */
struct msg_plain {
	PORT_MESSAGE h;
};

/* Answers SM_PING over PORT. As port_send. */
int ping_answer(int port);

/* The random bits of auto-reconnection (MS-RDPBCGR 2.2.4.2): 16 bytes; all zero: none. */
enum { COOKIE_SIZE = 16 };

/* WS_CONNECT, CSR_CLIENT: who is at the screen of a session. USER is empty where the
   client sent no credentials: winlogon asks. WS_CONNECT's message id is the worker's number. */
struct msg_client {
	PORT_MESSAGE h;
	uint32_t session;
	uint16_t width, height; /* pixels */
	uint64_t phase[PHASE_COUNT];
	char user[USER_SIZE];
	char domain[DOMAIN_SIZE];
	char station[STATION_SIZE];
	char address[ADDRESS_SIZE];
	char winstation
	    [WINSTATION_SIZE];    /* WS_CONNECT: the connection's name; CSR_CLIENT: the session's */
	uint32_t generation;      /* of StartCsr's reply: tells it from a later one of its id */
	uint32_t csrss, winlogon; /* filled in by smss */
	uint32_t connection; /* smss's number of it: CSR_DISCONNECTED and CSR_DISPLAY repeat it */
	uint8_t cookie[COOKIE_SIZE]; /* WS_CONNECT: with which it came back to SESSION */
	uint32_t wanted;             /* CSR_CLIENT: rdpwd asked for a frame that did not come yet */
	uint32_t reserved;
};

/* WS_SESSION. Without a session and with STATUS_SUCCESS the user has none yet. The message id
   is the worker's number. */
struct msg_ws_session {
	PORT_MESSAGE h;
	uint32_t session; /* NO_SESSION: none */
	uint32_t generation;
	int32_t status;
	uint32_t reason;             /* enum end_reason, where STATUS says no */
	uint8_t cookie[COOKIE_SIZE]; /* for the next time */
};

/* WS_COOKIE: SESSION asks; in the answer COOKIE is zero where there is none. */
struct msg_cookie {
	PORT_MESSAGE h; /* message_id: the worker's number */
	uint32_t session;
	uint32_t generation;
	uint8_t cookie[COOKIE_SIZE];
	char user[USER_SIZE];
	char domain[DOMAIN_SIZE];
};

/* WS_EVENT: that a connection request came (its name in WINSTATION), why a logon failed, or that its
   address has to wait for that. */
enum ws_event { WS_EVENT_REQUEST, WS_EVENT_LOGON_FAILED, WS_EVENT_PENALTY, WS_EVENT_COUNT };
struct msg_ws_event {
	PORT_MESSAGE h;
	uint32_t event; /* enum ws_event */
	int32_t status;
	char user[USER_SIZE];
	char domain[DOMAIN_SIZE];
	char station[STATION_SIZE];
	char address[ADDRESS_SIZE];
	char winstation[WINSTATION_SIZE];
};

/* CSR_DISCONNECTED, CSR_DISPLAY. */
struct msg_connection {
	PORT_MESSAGE h;
	uint32_t connection; /* of CSR_CLIENT */
	uint32_t wanted;     /* CSR_DISPLAY: as in struct msg_client */
};

/* TS_READY: the port that termsrv listens on. */
struct msg_listening {
	PORT_MESSAGE h;
	uint32_t port;
	uint32_t reserved;
};

/* WS_LOGON, CSR_USER. */
struct msg_user {
	PORT_MESSAGE h;
	uint32_t session;
	uint32_t generation;
	char user[USER_SIZE];
};

/* WS_PAINTED, RW_PAINTED. */
struct msg_painted {
	PORT_MESSAGE h;
	uint32_t session;
	uint32_t generation;      /* WS_PAINTED only */
	uint64_t active, painted; /* microseconds, as phases */
};

/* TS_CONFIG. */
enum { NETWORKS_SIZE = 256 };
struct msg_ts_config {
	PORT_MESSAGE h;
	uint32_t KeepAliveEnable, KeepAliveInterval, MaxInstanceCount;
	uint32_t LogonPenaltyMax;
	char LogonPenaltyExempt[NETWORKS_SIZE];
};

/* TS_CERTIFICATE, the answer: whether it is taken, and what there is to be said of it. */
struct msg_ts_certificate {
	PORT_MESSAGE h;
	int32_t status;
	uint32_t reserved;
	char text[1024]; /* lines */
};

/* LSA_LOGON, ACCT_ADD, ACCT_REMOVE, ACCT_PASSWD. */
struct lsa_request {
	PORT_MESSAGE h;       /* message_id: repeated in the answer */
	char user[USER_SIZE]; /* an account's name for ACCT_: may end in '*' */
	char domain[DOMAIN_SIZE];
	char password[PASSWORD_SIZE];
	char address[ADDRESS_SIZE]; /* of the client, for the log */
	uint32_t
	    unusable; /* LSA_LOGON, not 0: what the client sent has no place here, it can only fail */
	uint32_t reserved;
};

/* RW_NTLM, LSA_NTLM: what a client sent to prove a password (MS-NLMP 3.3.2 and 3.1.5.1.2). USER and
   DOMAIN are as sent. Where they have no place here they are cut, and BLOB_SIZE is 0: the exchange
   can only fail. The message id is repeated in the answer. */
enum { NTLM_HASH_SIZE = 16, NTLM_BLOB_SIZE = 2048, NTLM_MESSAGES_SIZE = 6144 };
struct lsa_ntlm {
	PORT_MESSAGE h;
	char user[USER_SIZE];
	char domain[DOMAIN_SIZE];
	char address[ADDRESS_SIZE];    /* of the client, for the log; termsrv fills it in */
	uint8_t proof[NTLM_HASH_SIZE]; /* NTProofStr, as sent */
	uint8_t key[NTLM_HASH_SIZE];   /* EncryptedRandomSessionKey; zero: no key was exchanged */
	uint8_t mic[NTLM_HASH_SIZE];   /* as sent; zero where the client sent none */
	uint32_t blob_size;            /* bytes of it */
	uint32_t messages_size;        /* likewise */
	uint8_t blob[NTLM_BLOB_SIZE];  /* the server's challenge, and what followed the proof */
	uint8_t messages[NTLM_MESSAGES_SIZE]; /* all three, with zeroes where the MIC was */
};

/* LSA_ANSWER, RW_NTLM_HASH, ACCT_ENTRY (user only). */
struct lsa_answer {
	PORT_MESSAGE h;
	int32_t status;
	uint32_t reserved;
	char user[USER_SIZE];     /* as the account file spells it; ACCT_REMOVE, ACCT_PASSWD: whose
	                                 account it was, with a '*' at the end what their names begin with */
	char domain[DOMAIN_SIZE]; /* LSA_LOGON: what the name carried (alice@corp.example) */
	uint8_t hash[NTLM_HASH_SIZE]; /* LSA_NTLM: NTOWFv2; random where STATUS is a failure */
};

/* RW_CLIENT. */
struct msg_rw_client {
	PORT_MESSAGE h;
	uint64_t deadline; /* microseconds of CLOCK_MONOTONIC, until logon */
	char address[ADDRESS_SIZE];
};

/* RW_LOGON. USER or PASSWORD may be empty: no credentials. */
enum { VERIFIER_SIZE = 16 };
struct msg_rw_logon {
	PORT_MESSAGE h;
	uint16_t width, height;
	uint32_t session;    /* NO_SESSION, or the session whose winlogon asked */
	uint64_t negotiated; /* phase */
	char user[USER_SIZE];
	char domain[DOMAIN_SIZE];
	char password[PASSWORD_SIZE];
	char station[STATION_SIZE];
	uint32_t logon_id; /* of the client's auto-reconnect cookie (MS-RDPBCGR 2.2.4.3) */
	uint32_t has_cookie;
	uint8_t verifier[VERIFIER_SIZE];
	uint32_t unusable; /* not 0: user, domain or password have no place here and are cut */
	uint32_t reserved;
};

/* RW_SESSION, RW_COOKIE and RW_DENIED, which is also the answer to a wrong RW_LOGON from a logon prompt;
   a right one goes its way through smss (WS_LOGON, CSR_USER). */
struct msg_rw_session {
	PORT_MESSAGE h;
	uint32_t session;
	int32_t status;
	uint32_t reason;             /* enum end_reason */
	uint8_t cookie[COOKIE_SIZE]; /* zero: none is given to the client */
	uint32_t reserved;
};

/* CSR_CONNECT: type and callback port's name from a subsystem; status and session from smss,
   with the log beside it. The types are an image's (MS: IMAGE_SUBSYSTEM_*): csrss serves
   WINDOWS_GUI, psxss POSIX_CUI. */
enum { SUBSYSTEM_WINDOWS = 2, SUBSYSTEM_POSIX = 7 };
struct msg_csr_connect {
	PORT_MESSAGE h;
	uint32_t subsystem_type;
	int32_t status;
	uint32_t session;
	uint32_t generation;
	uint32_t keep; /* in the answer: seconds to wait for a new smss, should this one end */
	uint32_t reserved;
	char sb_port[PORT_NAME_SIZE];
};

/* CSR_ADOPT. */
struct msg_csr_adopt {
	PORT_MESSAGE h;
	uint32_t generation; /* of CSR_CONNECT's answer */
	uint32_t connection; /* of the client at its screen; 0: none */
	uint64_t shell;      /* when the user's command was started; 0: it was not */
};

/* CSR_TERMINATE, CSR_DETACH, DSP_END. */
struct msg_end {
	PORT_MESSAGE h;
	uint32_t reason; /* enum end_reason */
	uint32_t reserved;
};

/* A cell of the grid: a code point, its colours as 0xRRGGBB, and attributes. A wide
   character is followed by a cell with code 0. */
enum { CELL_BOLD = 1, CELL_UNDERLINE = 2 };
struct cell {
	uint32_t code;
	uint32_t foreground; /* the top byte is 0 */
	uint32_t background; /* the top byte holds the attributes */
};

/* DSP_ROW: COUNT cells of ROW from COLUMN on. */
struct msg_row {
	PORT_MESSAGE h;
	uint16_t row, column, count, reserved;
	struct cell cells[COLUMNS_MAX];
};

/* DSP_FRAME: ends a frame. */
struct msg_frame {
	PORT_MESSAGE h;
	uint16_t cursor_row, cursor_column, cursor_visible, reserved;
};

/* DSP_KEY. */
enum { KEY_MOD_SHIFT = 1, KEY_MOD_ALT = 2, KEY_MOD_CTRL = 4 };
enum key_special { /* code of a key that is no character; 0x110000 and above */
	KEY_ENTER = 0x110000,
	KEY_TAB,
	KEY_BACKSPACE,
	KEY_ESCAPE,
	KEY_UP,
	KEY_DOWN,
	KEY_LEFT,
	KEY_RIGHT,
	KEY_INSERT,
	KEY_DELETE,
	KEY_HOME,
	KEY_END,
	KEY_PAGE_UP,
	KEY_PAGE_DOWN,
	KEY_F1, /* to KEY_F1 + 11 */
	KEY_LAST = KEY_F1 + 11
};
struct msg_key {
	PORT_MESSAGE h;
	uint32_t code;      /* a Unicode code point or enum key_special */
	uint32_t modifiers; /* KEY_MOD_* */
};

/* DSP_CREDENTIALS, WL_CREDENTIALS. */
struct msg_credentials {
	PORT_MESSAGE h;
	char user[USER_SIZE];
	char password[PASSWORD_SIZE];
};

/* DSP_VERDICT, WL_VERDICT; WL_LOGON with status 0. */
struct msg_verdict {
	PORT_MESSAGE h;
	int32_t status;
	uint32_t session;
	char user[USER_SIZE];
	char station[STATION_SIZE];
	char winstation[WINSTATION_SIZE];
};

/* CSR_CHOICES, WL_CHOICES: the disconnected sessions of a user, the latest first. */
enum { CHOICES_MAX = 16 };
struct session_choice {
	uint32_t session;
	uint32_t reserved;
	uint64_t started;      /* seconds since 1970 */
	uint64_t disconnected; /* likewise */
};
struct msg_choices {
	PORT_MESSAGE h;
	uint32_t count;
	uint32_t refused; /* not 0: what was chosen last is not there any more */
	struct session_choice choices[CHOICES_MAX];
};

/* CSR_CHOICE, WL_CHOICE. */
struct msg_choice {
	PORT_MESSAGE h;
	uint32_t session; /* NO_SESSION: a new one */
	uint32_t reserved;
};

/* CSR_MESSAGE, CTL_MESSAGE: a box on the screen, until it is answered or its time is over. */
enum { BOX_TITLE_SIZE = 64, BOX_TEXT_SIZE = 1024, BOX_SECONDS_MAX = 86400 };
struct msg_box {
	PORT_MESSAGE h;
	uint32_t session;
	uint32_t seconds; /* until it goes by itself; 0: never */
	uint32_t wait;    /* CTL_MESSAGE: not 0: the answer is that of the user */
	uint32_t number;  /* CSR_MESSAGE: CSR_RESPONSE repeats it */
	char title[BOX_TITLE_SIZE];
	char text[BOX_TEXT_SIZE];
};

/* How a box ended; the numbers are WTSSendMessage's. */
enum box_response { BOX_ASYNC = 32001, BOX_TIMEOUT = 32000, BOX_OK = 1 };

/* CSR_RESPONSE. */
struct msg_response {
	PORT_MESSAGE h;
	uint32_t number;
	uint32_t response; /* enum box_response */
};

/* WL_HELLO: COMMAND is not 0 where StartCsr named a command: nobody logs on. */
struct msg_hello {
	PORT_MESSAGE h;
	uint32_t command;
	uint32_t reserved;
};

/* WL_SHELL, CTL_PROCESS: a process as its own process id namespace numbers it. */
struct msg_process {
	PORT_MESSAGE h;
	uint32_t process;
	uint32_t session; /* NO_SESSION: of the service */
	char image[IMAGE_SIZE];
};

/* Session states, MS: WTS_CONNECTSTATE_CLASS; the names are query session's. */
#define SESSION_STATE_TABLE(X)                                                                     \
	X(WTS_ACTIVE, 0, "Active")                                                                 \
	X(WTS_CONNECTED, 1, "Conn")                                                                \
	X(WTS_CONNECT_QUERY, 2, "ConnQ")                                                           \
	X(WTS_SHADOW, 3, "Shadow")                                                                 \
	X(WTS_DISCONNECTED, 4, "Disc")                                                             \
	X(WTS_IDLE, 5, "Idle")                                                                     \
	X(WTS_LISTEN, 6, "Listen")                                                                 \
	X(WTS_RESET, 7, "Reset")                                                                   \
	X(WTS_DOWN, 8, "Down")                                                                     \
	X(WTS_INIT, 9, "Init")
#define SESSION_STATE_ENUM(name, number, text) name = number,
enum session_state { SESSION_STATE_TABLE(SESSION_STATE_ENUM) WTS_STATE_COUNT };
#undef SESSION_STATE_ENUM

/* The name of a state, "?" for a number that is none. Never NULL. */
const char *session_state_text(uint32_t state);

/* The listener's row in the list has this id or a higher one (query session). */
enum { LISTENER_ID = 65536 };

/* CTL_SESSION. */
struct msg_session {
	PORT_MESSAGE h;
	uint32_t session;
	uint32_t state;           /* enum session_state */
	uint32_t csrss, winlogon; /* process ids on the host, 0: none */
	uint16_t width, height;
	uint32_t own; /* not 0: it is the caller's */
	/* seconds since 1970; 0: none */
	uint64_t started, logon, disconnected, input;
	uint64_t phase[PHASE_COUNT];
	char winstation[WINSTATION_SIZE]; /* "RDP-Tcp#3", "Console", "RDP-Tcp" for the listener */
	char user[USER_SIZE];
	char domain[DOMAIN_SIZE];
	char station[STATION_SIZE];
	char address[ADDRESS_SIZE];
	uint64_t csrss_born, winlogon_born; /* clock ticks since boot, 0: not known */
};

/* CTL_POOL. */
#define POOL_ASK 0xffffffffu /* as size: change nothing */
struct msg_pool {
	PORT_MESSAGE h;
	uint32_t size; /* IdleWinStationPoolCount: how many there shall be */
	uint32_t idle; /* in the answer: how many there are */
	int32_t status;
	uint32_t reserved;
};

/* CTL_DISCONNECT, CTL_CONNECT, CTL_LOGOFF, CTL_RESET, and their answers; CTL_MESSAGE's answer. */
struct msg_control {
	PORT_MESSAGE h;
	uint32_t session;  /* NO_SESSION: the caller's */
	uint32_t target;   /* CTL_CONNECT: whose client it gets */
	int32_t status;    /* in the answer */
	uint32_t response; /* CTL_MESSAGE's answer: enum box_response */
};

/* CTL_DRAIN: the numbers are those of MS: TSServerDrainMode but 3, which asks. */
enum drain_mode { DRAIN_OFF, DRAIN_UNTIL_RESTART, DRAIN_ON, DRAIN_ASK };
struct msg_drain {
	PORT_MESSAGE h;
	uint32_t mode; /* in the answer: that it is now */
	int32_t status;
};

/* CTL_RELOADED: TEXT has a line for every mistake, or for every option that takes effect only
   with a restart. */
enum { RELOAD_TEXT_SIZE = 8192, NAMED_FILES = 3, NAMED_PATH_SIZE = 512 };
struct msg_reloaded {
	PORT_MESSAGE h;
	int32_t status;
	uint32_t changed; /* options that have another value now */
	char text[RELOAD_TEXT_SIZE];
	/* the files that were read, by absolute paths, and which directory each was in: whoever asks can
	   see whether that is the one that the path leads to. No path: there is none, or it is no text. */
	struct named_file {
		char path[NAMED_PATH_SIZE];
		uint64_t device, inode;
	} files[NAMED_FILES];
};

/* What a client, or an attempt to log on, was refused for; the names are those of metrics. STATUS is
   that of the failed logon that it is, for Windows' events; 0: it is none. */
/* clang-format off */
#define REFUSAL_TABLE(X)                                                                           \
	X(REFUSAL_NOT_RDP, "not_rdp", "the first packet was no connection request", 0)             \
	X(REFUSAL_SILENT, "silent", "no whole connection request came in LogonTimeout", 0)         \
	X(REFUSAL_HANDSHAKE, "handshake", "the client, or its worker, ended before a logon", 0)    \
	X(REFUSAL_LATE, "late", "no logon in LogonTimeout", 0)                                     \
	X(REFUSAL_CREDENTIALS, "credentials", "unknown user or wrong password",                    \
	    STATUS_LOGON_FAILURE)                                                                  \
	X(REFUSAL_PENALTY, "penalty", "logons from its address have failed: it has to wait", 0)    \
	X(REFUSAL_PROMPTS, "prompts", "too many sessions show a logon prompt", 0)                  \
	X(REFUSAL_DRAINING, "draining", "the service drains", 0)                                   \
	X(REFUSAL_USER_LIMIT, "user_limit", "MaxSessionsPerUser is reached", 0)                    \
	X(REFUSAL_FULL, "full", "MaxInstanceCount is reached", 0)                                  \
	X(REFUSAL_CREATION, "creation", "the session could not be created", 0)                     \
	X(REFUSAL_RESOURCES, "resources", "out of memory or descriptors", 0)
/* clang-format on */
#define REFUSAL_ENUM(name, word, text, status) name,
enum refusal { REFUSAL_TABLE(REFUSAL_ENUM) REFUSAL_COUNT };
#undef REFUSAL_ENUM

/* TS_FIGURES, the answer: what termsrv has now, and has counted since it was started. */
struct msg_ts_figures {
	PORT_MESSAGE h;
	uint32_t waiting; /* connections that wait for a worker */
	uint32_t logons;  /* workers whose client has not logged on yet */
	uint32_t warm;    /* workers that wait for a client */
	uint32_t reserved;
	uint64_t connections; /* whose first packet was a connection request */
	uint64_t refusals[REFUSAL_COUNT];
};

/* Times that are counted: of each the number of those that are at most as long as a bound and
   longer than the one before it (histogram.h), and their sum. */
enum { HISTOGRAM_BUCKETS = 16 };
struct histogram {
	uint64_t sum; /* microseconds */
	uint64_t counts[HISTOGRAM_BUCKETS];
};

/* The phases of a spin-up that are counted, each from the one before it that was reached. The
   first three are those of creation, of each session, the pool's too; the others those of a
   client's way into a new session, when it has its first picture. */
#define SPINUP_TABLE(X)                                                                            \
	X(SPINUP_CSRSS, "csrss", "StartCsr to csrss's connection")                                 \
	X(SPINUP_WINLOGON, "winlogon", "until the initial command was started")                    \
	X(SPINUP_CREATED, "created", "a session's creation, from StartCsr until it runs")          \
	X(SPINUP_REQUEST, "request", "accept until the first packet was whole")                    \
	X(SPINUP_NEGOTIATED, "negotiated", "until TLS, and NLA, were done; waiting for a worker")  \
	X(SPINUP_LOGON, "logon", "until the credentials were found right")                         \
	X(SPINUP_START_CSR, "start_csr", "until StartCsr had its turn")                            \
	X(SPINUP_ANSWERED, "answered", "until StartCsr was answered")                              \
	X(SPINUP_SHELL, "shell", "until the user's command was started")                           \
	X(SPINUP_ACTIVE, "active", "until the client was activated")                               \
	X(SPINUP_PAINTED, "painted", "until the first picture was out")                            \
	X(SPINUP_TOTAL, "total", "accept to the first picture")
#define SPINUP_ENUM(name, word, text) name,
enum spinup { SPINUP_TABLE(SPINUP_ENUM) SPINUP_COUNT };
#undef SPINUP_ENUM

/* Processes by what they are. */
#define USAGE_TABLE(X)                                                                             \
	X(USAGE_SMSS, "smss")                                                                      \
	X(USAGE_LSASS, "lsass")                                                                    \
	X(USAGE_TERMSRV, "termsrv") /* and the nursery */                                          \
	X(USAGE_METRICSD, "metricsd")                                                              \
	X(USAGE_RDPWD, "rdpwd")                                                                    \
	X(USAGE_CSRSS, "csrss")                                                                    \
	X(USAGE_WINLOGON, "winlogon")                                                              \
	X(USAGE_SUBSYSTEM, "subsystem") /* psxss, say */                                           \
	X(USAGE_SHELL, "shell")         /* and whatever users run in it */
#define USAGE_ENUM(name, word) name,
enum usage_kind { USAGE_TABLE(USAGE_ENUM) USAGE_COUNT };
#undef USAGE_ENUM

struct usage {
	uint64_t processes; /* now */
	uint64_t processor; /* microseconds since smss was started, of those that have ended too */
	uint64_t resident, anonymous; /* bytes now; what several share counts in each */
};

enum {
	STATUS_COUNT = 0
#define NTSTATUS_ONE(name, number, text) +1
	NTSTATUS_TABLE(NTSTATUS_ONE),
	END_REASON_COUNT = 0
#define END_REASON_ONE(name, number, text) +1
	END_REASON_TABLE(END_REASON_ONE)
};
#undef NTSTATUS_ONE
#undef END_REASON_ONE

/* The row of STATUS in NTSTATUS_TABLE, that of STATUS_UNSUCCESSFUL where it has none; of REASON in
   END_REASON_TABLE, that of END_NONE. */
unsigned status_row(int32_t status);
unsigned end_reason_row(uint32_t reason);

/* CTL_STATS, the answer. Counts are since SINCE, when smss was started. */
struct msg_stats {
	PORT_MESSAGE h;
	uint64_t since;                      /* seconds since 1970 */
	uint64_t sessions[WTS_STATE_COUNT];  /* by state, now */
	uint64_t created, failed, ended;     /* sessions, since then; the pool's too */
	uint64_t logons, reconnects, denied; /* clients that got a session, one of theirs, none */
	uint64_t disconnects;
	uint64_t pool_hits, pool_misses; /* StartCsr by which an idle session was taken, or not */
	uint32_t queued, in_flight;      /* StartCsr that waits; sessions that are being created */
	uint32_t pool_size, pool_idle;
	uint32_t max_instances, drain;                /* MaxInstanceCount; enum drain_mode */
	uint64_t failures[STATUS_COUNT];              /* FAILED, by row of NTSTATUS_TABLE */
	uint64_t ends[END_REASON_COUNT];              /* ENDED, by row of END_REASON_TABLE */
	uint64_t disconnections[END_REASON_COUNT];    /* DISCONNECTS, likewise */
	uint64_t refusals[REFUSAL_COUNT];             /* termsrv's too */
	uint64_t connections;                         /* as in struct msg_ts_figures */
	uint32_t waiting, logging_on, warm, reserved; /* likewise */
	struct histogram spinup[SPINUP_COUNT];
	struct histogram reconnect; /* accept to the first picture, of a session that was there */
	struct usage usage[USAGE_COUNT];
	char version[VERSION_SIZE];
};

/* MT_SESSION: a session as windows_exporter describes it, and what all its processes use. */
struct session_usage {
	uint64_t handles, threads; /* open descriptors */
	uint64_t user, system; /* microseconds of processor time outside and inside the kernel */
	uint64_t resident, anonymous, size; /* bytes */
	uint64_t faults;
};
struct msg_mt_session {
	PORT_MESSAGE h;
	uint32_t session, state; /* enum session_state */
	struct session_usage used;
	char winstation[WINSTATION_SIZE];
	char name[USER_SIZE];
	char station[STATION_SIZE];
};

/* LOG_LINE: a line for the log. Which process says it, and of which session, is for who receives it to
   know. */
enum { LOG_TEXT_SIZE = 512 };
enum log_owner {
	LOG_OWN,      /* the sender's */
	LOG_WINLOGON, /* csrss passes it on */
	LOG_RDPWD,    /* termsrv passes it on */
};
struct msg_log {
	PORT_MESSAGE h;
	uint32_t level;   /* enum log_level */
	uint32_t owner;   /* enum log_owner */
	uint32_t session; /* LOG_RDPWD: as termsrv says; NO_SESSION: none */
	uint32_t reserved;
	char text[LOG_TEXT_SIZE];
};

/* CTL_EVENT: one JSON document, without a newline. */
enum { EVENT_JSON_SIZE = 2048 };
struct msg_event {
	PORT_MESSAGE h;
	char json[EVENT_JSON_SIZE];
};

/* CTL_EXEC: its answer comes when psxss has the port. */
struct msg_exec {
	PORT_MESSAGE h;
	uint32_t session; /* MuSessionId */
	int32_t status;
};

/* EX_COMMAND: COUNT strings, each with its terminator, one behind the other. */
enum { EX_COMMAND_SIZE = 8192, EX_DATA_SIZE = 4096, EX_ARGUMENTS_MAX = 1024 };
struct ex_command {
	PORT_MESSAGE h;
	uint32_t count;
	uint32_t length; /* bytes of them all */
	char arguments[EX_COMMAND_SIZE];
};

/* EX_INPUT, EX_OUTPUT. */
struct ex_data {
	PORT_MESSAGE h;
	uint32_t stream; /* EX_OUTPUT: 1 standard output, 2 standard error */
	uint32_t length;
	char data[EX_DATA_SIZE];
};

/* EX_EXIT. */
struct ex_exit {
	PORT_MESSAGE h;
	uint32_t status; /* its exit status, or 128 + the signal that ended it */
	int32_t error;   /* errno where it could not be run: STATUS is 127 or 126 then */
};

/* CTL_VERSION. */
struct msg_version {
	PORT_MESSAGE h;
	char version[VERSION_SIZE];
};

_Static_assert(sizeof(struct cell) == 12, "cell");
_Static_assert(sizeof(struct msg_row) <= PORT_MAX_MESSAGE, "the largest message");
_Static_assert(offsetof(struct msg_row, cells) == 32, "msg_row");
_Static_assert(sizeof(struct msg_client) == 512, "msg_client");
_Static_assert(sizeof(struct ex_command) <= PORT_MAX_MESSAGE, "EX_COMMAND");
_Static_assert(sizeof(struct lsa_request) == 544, "lsa_request");
_Static_assert(sizeof(struct lsa_ntlm) == 8528, "lsa_ntlm");
_Static_assert(sizeof(struct lsa_answer) == 240, "lsa_answer");
_Static_assert(sizeof(struct msg_rw_logon) == 584, "msg_rw_logon");
_Static_assert(sizeof(struct msg_session) == 536, "msg_session");
_Static_assert(sizeof(struct msg_stats) <= PORT_MAX_MESSAGE, "CTL_STATS");

#endif
