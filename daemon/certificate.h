/*
 * The server's certificate and private key: the configured ones, or a self-signed pair
 * that is made once and kept in termsrv's state directory.
 */
#ifndef MUSESS_CERTIFICATE_H
#define MUSESS_CERTIFICATE_H

#include "options.h"

#include <openssl/types.h>

struct certificate {
	char *pem;     /* the certificate, with its chain */
	char *key_pem; /* its private key */
};

/* Loads, or makes; checks that they fit one another. Returns 0, or -1 after logging. */
int certificate_load(struct certificate *certificate, const struct musess_config *config);

/* The first certificate in PEM, or its private key: the caller's, or NULL where there is none. */
X509 *certificate_parse(const char *pem);
EVP_PKEY *certificate_parse_key(const char *pem);

/* Wipes and frees both. */
void certificate_forget(struct certificate *certificate);

#endif
