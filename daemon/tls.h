/*
 * TLS, made ready before a client comes. FreeRDP makes a TLS context for every connection, for
 * which OpenSSL looks up each algorithm that it knows: that is most of what the server's side of a
 * handshake takes. Workers have one from the nursery instead, and with it what OpenSSL keeps of a
 * handshake that was made there.
 */
#ifndef MUSESS_TLS_H
#define MUSESS_TLS_H

#include "certificate.h"

/* Whether a client gets through a handshake with CERTIFICATE. 0, or -1, and OpenSSL's errors have
   the reason. */
int tls_try(const struct certificate *certificate);

/* In the nursery: makes the context that FreeRDP gets from then on in this process and those forked
   from it, and shakes hands with itself, with CERTIFICATE. 0, or -1, and the one of before stays. */
int tls_prepare(const struct certificate *certificate);

#endif
