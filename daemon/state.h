/*
 * The state directory: what outlives a run (accounts, certificate), the SM API port, and
 * in a laboratory lab.env and events.jsonl. One musessd uses it at a time.
 */
#ifndef MUSESS_STATE_H
#define MUSESS_STATE_H

#include "smss.h"

enum { PROGRAMS_SIZE = 256 };

struct state {
	char path[256];
	char port_path[108];          /* of the SM API port */
	char programs[PROGRAMS_SIZE]; /* where musess's programs are, on the host */
	bool temporary;               /* removed at the end */
	bool misconfigured;           /* why it cannot be entered: not before that is put right */
	int parent;                   /* directory above a temporary one */
	int port_dir;                 /* directory of the SM API port */
};

/* Where musess's programs are, this one among them. 0, or -1 after logging. */
int state_programs(char directory[PROGRAMS_SIZE]);

/*
 * Makes the state directory PATH (NULL: a new private one in TMPDIR or /tmp, removed at the end)
 * with its subdirectories, takes its lock, listens at the SM API port (PORT_PATH, NULL:
 * in the directory), opens the configured event file, and moves this process
 * into its private root. Fills *STATE and the descriptors of *SMSS. Returns 0, or -1
 * after logging what to do.
 */
int state_enter(struct state *state, struct smss *smss, const char *path, const char *port_path);

/* Removes the SM API port, and all of a temporary state directory. */
void state_leave(struct state *state, struct smss *smss);

#endif
