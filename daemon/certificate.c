/* Certificates with OpenSSL: read, parsed, and looked at before they are used. */
#include "certificate.h"

#include "configured.h"
#include "findings.h"
#include "log.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

X509 *certificate_parse(const char *pem)
{
	BIO *bio = BIO_new_mem_buf(pem, -1);
	X509 *x = PEM_read_bio_X509(bio, NULL, NULL, NULL);

	BIO_free(bio);
	return x;
}

EVP_PKEY *certificate_parse_key(const char *pem)
{
	/* an empty passphrase: without one OpenSSL would ask on the terminal */
	BIO *bio = BIO_new_mem_buf(pem, -1);
	EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, NULL, "");

	BIO_free(bio);
	return key;
}

/* Whether OpenSSL found none, and not one that it cannot read. */
static bool at_end(void)
{
	return ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
}

STACK_OF(X509) * certificate_parse_chain(const char *pem)
{
	STACK_OF(X509) *chain = sk_X509_new_null();
	BIO *bio = BIO_new_mem_buf(pem, -1);
	X509 *x = PEM_read_bio_X509(bio, NULL, NULL, NULL);

	X509_free(x);
	ERR_clear_error();
	while ((x = PEM_read_bio_X509(bio, NULL, NULL, NULL)))
		if (sk_X509_push(chain, x) == 0)
			X509_free(x);
	if (!at_end()) {
		sk_X509_pop_free(chain, X509_free);
		chain = NULL;
	}
	ERR_clear_error();
	BIO_free(bio);
	return chain;
}

/* The next SIZE bytes of FD as a string, or NULL with errno. (A worker's filter has no pread.) */
static char *read_text(int fd, uint64_t size)
{
	char *text = size <= CONFIGURED_MAX ? calloc(1, (size_t)size + 1) : NULL;

	if (text && read(fd, text, (size_t)size) == (ssize_t)size)
		return text;
	free(text);
	return NULL;
}

int certificate_read(struct certificate *c, const struct musess_config *config, int fd)
{
	struct configured_pair sizes;

	*c = (struct certificate){ .name = config->Certificate, .key_name = config->PrivateKey };
	if (lseek(fd, 0, SEEK_SET) < 0 || read(fd, &sizes, sizeof(sizes)) != sizeof(sizes))
		return -1;
	c->pem = read_text(fd, sizes.certificate);
	c->key_pem = read_text(fd, sizes.key);
	if (c->pem && c->key_pem)
		return 0;
	certificate_forget(c);
	return -1;
}

/* What there is to be said of it is said. */
static int check_logged(const struct certificate *c)
{
	struct findings report;
	FILE *out = findings_begin(&report);
	int result = out ? certificate_check(c, out) : -1;

	return findings_log(&report, result,
	    "name two that were made together, in PEM and without a passphrase (options "
	    "Certificate and PrivateKey)");
}

int certificate_load(struct certificate *c, const struct musess_config *config, int fd)
{
	if (!config->Certificate[0])
		return certificate_own(c);
	if (certificate_read(c, config, fd) == 0)
		return check_logged(c);
	log_error("no certificate came from smss: %s", strerror(errno));
	return -1;
}

void certificate_forget(struct certificate *c)
{
	if (c->key_pem)
		explicit_bzero(c->key_pem, strlen(c->key_pem));
	free(c->pem);
	free(c->key_pem);
	c->pem = c->key_pem = NULL;
}
