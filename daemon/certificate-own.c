/*
 * The self-signed pair, which the state directory keeps. It has an RSA key, for rdesktop refuses
 * any other; a configured P-256 key signs twenty times as fast and suits every other client.
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
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CERTIFICATE_NAME "certificate.pem"
#define KEY_NAME "key.pem"

enum { PEM_MAX = 1 << 16, VALID_DAYS = 3650 };

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

/* The whole of FD as a string; NULL with errno. */
static char *read_all(int fd)
{
	struct stat status;
	char *text;

	if (fstat(fd, &status) < 0)
		return NULL;
	if (!S_ISREG(status.st_mode) || status.st_size > PEM_MAX) {
		errno = EFBIG;
		return NULL;
	}
	text = calloc(1, (size_t)status.st_size + 1);
	if (text && pread(fd, text, (size_t)status.st_size, 0) >= 0)
		return text;
	free(text);
	return NULL;
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

/* Why C is no pair to serve with, into PROBLEM; false where it is one. */
static bool find_problem(const struct certificate *c, char *problem, size_t size)
{
	FILE *report = fmemopen(problem, size, "w");
	X509 *x = certificate_parse(c->pem);
	bool found = !report || certificate_check(c, report) < 0;

	if (report)
		fclose(report);
	problem[found ? strcspn(problem, "\n") : 0] = 0;
	if (!found && X509_cmp_current_time(X509_get0_notAfter(x)) < 0) {
		found = true;
		snprintf(problem, size, "%s has expired", c->name);
	}
	X509_free(x);
	return found;
}

/* A part of a pair may be there, of a disk that was full or of a machine that went down. */
int certificate_own(struct certificate *c)
{
	char problem[256] = "";

	*c = (struct certificate){ .name = "tls/" CERTIFICATE_NAME, .key_name = "tls/" KEY_NAME };
	if (read_kept(CERTIFICATE_NAME, &c->pem) < 0 || read_kept(KEY_NAME, &c->key_pem) < 0)
		return -1;
	if (!c->pem || !c->key_pem)
		return renew(c);
	if (!find_problem(c, problem, sizeof(problem)))
		return 0;
	log_warn("in the state directory %s: a new one is made", problem);
	return renew(c);
}
