/*
 * The configuration: a structure of values, and one table of options that is parser,
 * check, --dump-config and documentation in one.
 */
#ifndef MUSESS_OPTIONS_H
#define MUSESS_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum { OPTION_TEXT_SIZE = 256, SUBSYSTEM_NAME_SIZE = 33, SUBSYSTEMS_MAX = 8, POOL_MAX = 64 };

/* A subsystem's command, as [SubSystems] has it: NAME = COMMAND. */
struct subsystem_command {
	char name[SUBSYSTEM_NAME_SIZE];
	char command[OPTION_TEXT_SIZE];
};

enum session_id_policy { SESSION_ID_LOWEST, SESSION_ID_INCREASING };
enum session_creation { SESSION_CREATION_PARALLEL, SESSION_CREATION_SERIAL };

struct musess_config {
	/* [Listener] */
	uint32_t PortNumber;                  /* 1-65535; 0 with --port 0 only: any free port */
	char ListenAddress[OPTION_TEXT_SIZE]; /* an IPv4 or IPv6 address; "::" is both */
	uint32_t SecurityLayer;               /* 1: NLA and TLS are offered, 2: TLS alone */
	uint32_t UserAuthentication;          /* 1: NLA is required */
	char Certificate[OPTION_TEXT_SIZE];   /* path of a PEM file; empty: self-signed */
	char PrivateKey[OPTION_TEXT_SIZE];    /* likewise; both or neither */
	uint32_t LogonTimeout;                /* milliseconds from accept to logon */
	uint32_t
	    LogonPenaltyMax; /* milliseconds that an address waits after failed logons; 0: none */
	char LogonPenaltyExempt[OPTION_TEXT_SIZE]; /* addresses (networks.h) that never do */
	/* [Sessions] */
	uint32_t MaxInstanceCount; /* largest number of sessions, the console not counted */
	char InitialProgram[OPTION_TEXT_SIZE]; /* run for the user; empty: a login shell */
	uint32_t SubsystemTimeout;             /* milliseconds for csrss to connect */
	uint32_t TasksMax;                     /* processes and threads of one session */
	uint64_t MemoryMax;                    /* bytes of one session, where cgroups allow */
	uint32_t IdleWinStationPoolCount;      /* sessions made ahead, up to POOL_MAX */
	uint32_t SessionIdPolicy;              /* enum session_id_policy */
	uint32_t SessionCreation;              /* enum session_creation */
	/* [Limits]; times in milliseconds, 0: never */
	uint64_t MaxDisconnectionTime;  /* until a disconnected session ends */
	uint64_t MaxIdleTime;           /* without keyboard and mouse */
	uint64_t MaxConnectionTime;     /* of a client at a session */
	uint32_t fResetBroken;          /* 1: a session at a limit is ended, not disconnected */
	uint32_t fSingleSessionPerUser; /* 1: a user has one session, and takes it over */
	uint32_t MaxSessionsPerUser;    /* 0: any number */
	uint32_t
	    fDenyTSConnections; /* 1: no new sessions; those that are there can be come back to */
	uint32_t fDisableAutoReconnect; /* 1: clients get no cookie to come back with */
	uint32_t KeepAliveEnable;       /* 1: silent clients are asked whether they are there */
	uint32_t KeepAliveInterval;     /* minutes of silence */
	/* [SubSystems] */
	char Kmode[OPTION_TEXT_SIZE];    /* the session space's name */
	char Required[OPTION_TEXT_SIZE]; /* names, separated by blanks; Debug is ignored */
	char Optional[OPTION_TEXT_SIZE]; /* likewise; loaded on demand */
	char Execute[OPTION_TEXT_SIZE];  /* the initial command; empty: winlogon */
	struct subsystem_command commands[SUBSYSTEMS_MAX]; /* unused ones have no name */
	/* [Accounts] */
	uint32_t AccountPatterns; /* 1: an account's name may end in '*' */
	/* [Display] */
	char Font[OPTION_TEXT_SIZE];
	char FontBold[OPTION_TEXT_SIZE];
	/* [Events] */
	char EventFile[OPTION_TEXT_SIZE]; /* path of a file of JSON lines; empty: none */
	uint64_t EventFileMax;            /* bytes; 0: as many as come */
	uint32_t JournalEvents;           /* enum journal_events (event.h) */
	/* [Metrics] */
	uint32_t MetricsPort;                  /* 0: no endpoint */
	char MetricsAddress[OPTION_TEXT_SIZE]; /* an IPv4 or IPv6 address */
	uint32_t WindowsNames;                 /* 1: windows_exporter's names too */
};

/* Fills *CONFIG with the table's defaults. */
void config_defaults(struct musess_config *config);

/*
 * Reads the INI file at PATH over *CONFIG (defaults beforehand). Returns 0, or -1 after
 * writing to ERRORS one line for every mistake: "FILE:LINE: what was found; what is
 * allowed". A file that cannot be read is such a mistake too. On -1 *CONFIG must not
 * be used.
 */
int config_read(struct musess_config *config, const char *path, FILE *errors);
/* The same of FILE, which was opened at PATH. */
int config_read_file(struct musess_config *config, FILE *file, const char *path, FILE *errors);

/*
 * Sets one option by name from text, as in the file ("--port 4000" uses it). Returns 0,
 * or -1 with what was found and what is allowed in ERROR (ERROR_SIZE bytes).
 */
int config_set(struct musess_config *config, const char *name, const char *value, char *error,
    size_t error_size);

/*
 * Puts into *RUNNING what FRESH has of those options that may change while the service runs.
 * Of each other that differs REPORT gets a line. Returns how many were changed.
 */
unsigned config_apply(
    struct musess_config *running, const struct musess_config *fresh, FILE *report);

/* The command of the subsystem NAME (LENGTH bytes of it), or NULL where it has none. */
const char *config_subsystem_command(
    const struct musess_config *config, const char *name, size_t length);

/* Writes *CONFIG as a file that config_read reads back to the same values: sections in
   the table's order, each option's help as a comment above it. */
void config_dump(const struct musess_config *config, FILE *out);

#endif
