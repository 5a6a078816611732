/*
 * csrss: what its files share. csrss.c is the process, and its ports; csrss-message.c reads
 * them, and says who is told what; csrss-frame.c draws.
 */
#ifndef MUSESS_CSRSS_H
#define MUSESS_CSRSS_H

#include "box.h"
#include "messages.h"
#include "subsystem-port.h"
#include "terminal.h"

#include <stdbool.h>

struct csrss {
	struct subsystem sm; /* smss and its callbacks; the session's id */
	int listener, winlogon, display;
	struct terminal *terminal;
	int columns, rows;        /* of the desktop, the status line included */
	struct msg_client client; /* who is at the screen, or was last */
	bool hello, command;      /* winlogon is there; it has a command */
	bool logon_sent;
	bool asks; /* rdpwd was given what was typed at the prompt, and has not answered */
	struct msg_choices choices; /* of the user, who says which session it shall be */
	struct boxes boxes;
	uint64_t lost_smss;      /* since when there is none; 0: there is one */
	uint64_t asked;          /* when a new one was last looked for */
	uint64_t input_told;     /* when smss was told of the last key or use of the mouse */
	uint64_t shell;          /* when the user's command was started */
	uint32_t unknown_layout; /* of the client's keyboard; 0: none */
	bool status_changed;
	bool wanted;   /* rdpwd asked for a frame */
	bool in_frame; /* its rows are being sent */
	int next_row;  /* of the terminal */
};

/* csrss-message.c */

/* One message of each peer, where it is there. 0, or -1 where the session ends: with smss's, as it should. */
int csrss_on_smss(struct csrss *c);
int csrss_on_winlogon(struct csrss *c);
int csrss_on_display(struct csrss *c);
/* What smss asks of a subsystem (subsystem_handler). There is one desktop, and no session of another kind. */
int32_t csrss_on_callback(void *data, SBAPIMSG *m, int *passed);
/* Box NUMBER (0: none) went for this reason: smss is told. 0 or -1. */
int csrss_respond(struct csrss *c, uint32_t number, uint32_t response);
/* The client is told why, and let go. */
void csrss_end_display(struct csrss *c, uint32_t reason);
/* rdpwd is gone. What the session comes to is smss's decision. 0 or -1. */
int csrss_display_lost(struct csrss *c);

/* csrss-frame.c */

/* Sends what changed, where rdpwd asked for it, as far as the port takes it. 0, or -1 where rdpwd is
   gone. */
int frame_send(struct csrss *c);
/* What was begun and is asked for is of no use any more: the display is another, or gone. */
void frame_forget(struct csrss *c);
/* All of the desktop is to be sent anew. */
void frame_redraw(struct csrss *c);

#endif
