/*
 * Certificates with OpenSSL. The self-signed one has an RSA key, for rdesktop refuses any
 * other; a configured P-256 key signs twenty times as fast and suits every other client.
 */
#include "certificate.h"

#include "log.h"
#include "replace.h"
#include "termsrv.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CERTIFICATE_NAME "certificate.pem"
#define KEY_NAME "key.pem"

enum { PEM_MAX = 1 << 20, VALID_DAYS = 3650 };

/* What can be wrong with a pair. */
static const char no_certificate[] = "no PEM certificate (-----BEGIN CERTIFICATE-----)";
static const char no_key[] =
    "no PEM private key without a passphrase (-----BEGIN PRIVATE KEY-----)";
static const char unfit[] = "does not fit the private key";

/* The whole of FD as a string; NULL with errno. */
static char *read_all(int fd)
{
	struct stat status;
	char *text;
	ssize_t got;

	if (fstat(fd, &status) < 0)
		return NULL;
	if (status.st_size > PEM_MAX) {
		errno = EFBIG;
		return NULL;
	}
	text = calloc(1, (size_t)status.st_size + 1);
	if (!text)
		return NULL;
	got = pread(fd, text, (size_t)status.st_size, 0);
	if (got >= 0)
		return text;
	free(text);
	return NULL;
}

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

/* What keeps C from being used; NULL: nothing. */
static const char *problem_of(const struct certificate *c)
{
	X509 *x = certificate_parse(c->pem);
	EVP_PKEY *key = certificate_parse_key(c->key_pem);
	const char *problem = NULL;

	if (!x)
		problem = no_certificate;
	else if (!key)
		problem = no_key;
	else if (X509_check_private_key(x, key) != 1)
		problem = unfit;
	ERR_clear_error();
	X509_free(x);
	EVP_PKEY_free(key);
	return problem;
}

/* The configured pair. */
static int check(const struct certificate *c, const struct musess_config *config)
{
	const char *problem = problem_of(c);

	if (problem == no_certificate)
		log_error("%s holds %s: name one that does (option Certificate)",
		    config->Certificate, problem);
	else if (problem == no_key)
		log_error("%s holds %s: name one that does (option PrivateKey)", config->PrivateKey,
		    problem);
	else if (problem)
		log_error("the certificate %s %s %s: name two that were made together (options "
		          "Certificate and PrivateKey)",
		    config->Certificate, problem, config->PrivateKey);
	return problem ? -1 : 0;
}

static X509 *self_signed(EVP_PKEY *key)
{
	X509 *x = X509_new();
	uint64_t serial;
	char host[64] = "musess";
	X509_NAME *name;

	gethostname(host, sizeof(host) - 1);
	if (!x || RAND_bytes((unsigned char *)&serial, sizeof(serial)) != 1)
		return x;
	X509_set_version(x, X509_VERSION_3);
	ASN1_INTEGER_set_uint64(X509_get_serialNumber(x), serial >> 1);
	X509_gmtime_adj(X509_getm_notBefore(x), -3600);
	X509_gmtime_adj(X509_getm_notAfter(x), VALID_DAYS * 86400L);
	X509_set_pubkey(x, key);
	name = X509_get_subject_name(x);
	X509_NAME_add_entry_by_txt(
	    name, "CN", MBSTRING_UTF8, (const unsigned char *)host, -1, -1, 0);
	X509_set_issuer_name(x, name);
	if (X509_sign(x, key, EVP_sha256()) == 0) {
		X509_free(x);
		return NULL;
	}
	return x;
}

static char *bio_text(BIO *bio)
{
	char *data;
	long length = BIO_get_mem_data(bio, &data);

	return strndup(data, (size_t)length);
}

static int make(struct certificate *c)
{
	EVP_PKEY *key = EVP_RSA_gen(2048);
	X509 *x = key ? self_signed(key) : NULL;
	BIO *out = BIO_new(BIO_s_mem()), *key_out = BIO_new(BIO_s_mem());

	if (x && out && key_out && PEM_write_bio_X509(out, x) == 1 &&
	    PEM_write_bio_PrivateKey(key_out, key, NULL, NULL, 0, NULL, NULL) == 1) {
		c->pem = bio_text(out);
		c->key_pem = bio_text(key_out);
	}
	BIO_free(out);
	BIO_free(key_out);
	X509_free(x);
	EVP_PKEY_free(key);
	if (c->pem && c->key_pem)
		return 0;
	log_error("cannot make a certificate: %s", ERR_error_string(ERR_get_error(), NULL));
	return -1;
}

static int keep(const char *name, const char *text)
{
	if (replace_file(TERMSRV_STATE, name, text, strlen(text)) == 0)
		return 0;
	log_error("cannot keep %s in the state directory: %s", name, strerror(errno));
	return -1;
}

/* Makes a pair, and keeps it. Without a certificate there is none to fit the new key, whenever this
   is interrupted: the next start makes both again. */
static int renew(struct certificate *c)
{
	certificate_forget(c);
	if (make(c) < 0)
		return -1;
	if (unlinkat(TERMSRV_STATE, CERTIFICATE_NAME, 0) < 0 && errno != ENOENT) {
		log_error("cannot remove %s from the state directory: %s", CERTIFICATE_NAME,
		    strerror(errno));
		return -1;
	}
	return keep(KEY_NAME, c->key_pem) < 0 ? -1 : keep(CERTIFICATE_NAME, c->pem);
}

/* *TEXT of the file NAME of the state directory; NULL where there is none. 0, or -1 after logging. */
static int read_kept(const char *name, char **text)
{
	int fd = openat(TERMSRV_STATE, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	int result = 0;

	if (fd >= 0)
		*text = read_all(fd);
	if (!*text && (fd >= 0 || errno != ENOENT)) {
		log_error("cannot read %s in the state directory: %s", name, strerror(errno));
		result = -1;
	}
	fd_close(&fd);
	return result;
}

/* The pair kept in the state directory, made where there is none that is whole: a disk that was full,
   or a machine that went down, may have left a part of one. */
static int own(struct certificate *c)
{
	const char *problem;

	if (read_kept(CERTIFICATE_NAME, &c->pem) < 0 || read_kept(KEY_NAME, &c->key_pem) < 0)
		return -1;
	if (!c->pem || !c->key_pem)
		return renew(c);
	problem = problem_of(c);
	if (!problem)
		return 0;
	log_warn("the state directory's tls/%s and tls/%s are no pair (%s): a new one is made",
	    CERTIFICATE_NAME, KEY_NAME, problem);
	return renew(c);
}

int certificate_load(struct certificate *c, const struct musess_config *config)
{
	*c = (struct certificate){ 0 };
	if (!config->Certificate[0])
		return own(c);
	c->pem = read_all(TERMSRV_CERTIFICATE);
	c->key_pem = read_all(TERMSRV_KEY);
	if (!c->pem || !c->key_pem) {
		log_error("cannot read %s: %s", c->pem ? config->PrivateKey : config->Certificate,
		    strerror(errno));
		return -1;
	}
	return check(c, config);
}

void certificate_forget(struct certificate *c)
{
	if (c->key_pem)
		explicit_bzero(c->key_pem, strlen(c->key_pem));
	free(c->pem);
	free(c->key_pem);
	c->pem = c->key_pem = NULL;
}
