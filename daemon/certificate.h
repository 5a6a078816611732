/*
 * The server's certificate and private key: the configured ones, or a self-signed pair
 * that is made once and kept in termsrv's state directory.
 *
 * smss, which finds the configured files, hands both on in one memory file (configured.h): what a
 * service has is what was looked at, whatever becomes of the files meanwhile.
 */
#ifndef MUSESS_CERTIFICATE_H
#define MUSESS_CERTIFICATE_H

#include "options.h"

#include <openssl/types.h>
#include <stdio.h>

struct certificate {
	char *pem;     /* the certificate, with its chain */
	char *key_pem; /* its private key */
	/* of the files, for messages; not owned */
	const char *name, *key_name;
};

/* Loads the pair that CONFIG names from the memory file FD, or one's own; looks at it, and logs what
   is to be said of it. Returns 0, or -1 after logging. */
int certificate_load(struct certificate *certificate, const struct musess_config *config, int fd);

/* The self-signed pair, made where there is none, or one that is not whole or has expired. 0, or -1
   after logging. */
int certificate_own(struct certificate *certificate);

/* The pair in the memory file FD, whose names CONFIG has. 0, or -1 with errno. */
int certificate_read(struct certificate *certificate, const struct musess_config *config, int fd);

/* Whether it can be served with: 0, and REPORT has a line for each thing that clients will not like;
   or -1, and REPORT has one that says why not. */
int certificate_check(const struct certificate *certificate, FILE *report);

/* The first certificate in PEM, or its private key: the caller's, or NULL where there is none. */
X509 *certificate_parse(const char *pem);
EVP_PKEY *certificate_parse_key(const char *pem);
/* The certificates behind the first: the caller's, or NULL where one cannot be read. */
STACK_OF(X509) * certificate_parse_chain(const char *pem);

/* Wipes and frees both. */
void certificate_forget(struct certificate *certificate);

#endif
