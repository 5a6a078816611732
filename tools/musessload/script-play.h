/*
 * Plays a script in a session: a machine that is asked whenever a picture came or its time is
 * there, and says when to ask it again. It reads no clock, and reaches the session through
 * struct play_port.
 */
#ifndef MUSESS_LOAD_SCRIPT_PLAY_H
#define MUSESS_LOAD_SCRIPT_PLAY_H

#include "result.h"
#include "script.h"

enum {
	PLAY_REST_US = 250000,       /* a picture that does not change for so long is at rest */
	PLAY_REST_MOST_US = 5000000, /* a script begins then all the same */
	PLAY_ECHO_US = 2000000,      /* a key press that nothing shows by then has failed */
	PLAY_PAUSE_US = 20000, /* between an echo and the next key: the cursor's own picture */
};

struct play_port {
	void (*press)(void *context, uint16_t key, bool down);
	bool (*matches)(void *context, const regex_t *pattern);
	void *context;
};

enum play_state { PLAY_WAITING, PLAY_DONE, PLAY_FAILED };

struct play {
	const struct script *script;
	struct play_port port;
	bool begun;                  /* the picture was at rest */
	size_t step;                 /* of the script */
	size_t character;            /* of echo: the key that is next */
	unsigned left[SCRIPT_DEPTH]; /* of each repeat */
	uint64_t since;              /* when it began to wait; 0: it does not */
	uint64_t updates;            /* of before the key press */
	bool pressed, paused;
};

void play_init(struct play *play, const struct script *script, struct play_port port);

/*
 * Goes on at NOW; UPDATES pictures came so far, the last at LAST. Echoes go into RESULT, and so
 * does the detail of a failure. With PLAY_WAITING *WAKE is when to ask again, were there no
 * picture before.
 */
enum play_state play_go(struct play *play, uint64_t now, uint64_t updates, uint64_t last,
    struct result *result, uint64_t *wake);

/* Presses and releases what makes a character of a US keyboard. */
void play_character(const struct play_port *port, char c);

#endif
