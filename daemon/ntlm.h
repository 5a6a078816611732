/*
 * NTLM as lsass needs it: whether what a client sent proves that it knows a password. Pure: no
 * I/O. The password stands in here as its NTOWFv2 (accounts_ntlm); names are those of MS-NLMP.
 */
#ifndef MUSESS_NTLM_H
#define MUSESS_NTLM_H

#include "messages.h"

#include <stdbool.h>

/*
 * Once per process, after accounts_init, which loads OpenSSL's legacy provider: RC4 is in it.
 * Returns 0, or -1 after logging.
 */
int ntlm_init(void);

/* Undoes ntlm_init; before accounts_finish. */
void ntlm_finish(void);

/*
 * True where the proof in *M was made with NTOWFV2 for the server's challenge, and, where the client
 * says (MsvAvFlags, which the proof covers) that there is a message integrity check, where that is
 * right too. Sizes that are out of bounds prove nothing. What it costs does not depend on NTOWFV2.
 */
bool ntlm_verify(const uint8_t ntowfv2[NTLM_HASH_SIZE], const struct lsa_ntlm *m);

#endif
