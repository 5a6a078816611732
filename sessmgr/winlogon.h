/*
 * winlogon: what its files share. winlogon.c is the process, and runs the user's command;
 * winlogon-ask.c asks him who he is.
 */
#ifndef MUSESS_WINLOGON_H
#define MUSESS_WINLOGON_H

#include "messages.h"

/* What csrss says before the user's command runs. */
union told {
	PORT_MESSAGE h;
	struct msg_verdict verdict;
	struct msg_choices choices;
};

/* csrss's first message, with the terminal beside it; or, where TERMINAL is NULL, its answer to what was
   asked. 0: what it says of a user is text then; or -1 where it is none that is awaited. */
int winlogon_receive(int port, union told *told, int *terminal);

/* Asks what has to be known before it is known who logs on here: TOLD is WL_PROMPT or WL_CHOICES, and
   WL_LOGON or WL_VERDICT afterwards. 0, or -1. */
int winlogon_ask_user(int port, int terminal, union told *told);

#endif
