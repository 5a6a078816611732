/* The laboratory: musessd --lab, with an account made on the spot. */
#ifndef MUSESS_LAB_H
#define MUSESS_LAB_H

#include "state.h"

/* The account that --lab makes: every user whose name begins with "lab". */
#define LAB_ACCOUNT "lab*"
#define LAB_USER "lab"

enum { LAB_PASSWORD_SIZE = 17 };

/* A random password. Returns 0 or -1. */
int lab_password(char password[LAB_PASSWORD_SIZE]);

/* Writes lab.env, complete once it exists, and prints how to connect. Returns 0, or -1
   after logging. */
int lab_announce(const struct state *state, const struct smss *smss);

#endif
