/*
 * What is wrong with a certificate and its key, and what clients will say of it. Nothing here
 * depends on who issued it: clients decide whom they trust.
 */
#include "certificate.h"

#include "tls.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Bits of security below which clients refuse keys and signatures: RSA of 2048 bits has 112. */
enum { STRONG_BITS = 112 };

/* ---- what keeps it from being used ---- */

static const char *openssl_reason(void)
{
	const char *reason = ERR_reason_error_string(ERR_peek_error());

	return reason ? reason : "no reason given";
}

/* Whether FreeRDP and clients of RDP have a use for such a KEY. */
static bool known(const EVP_PKEY *key)
{
	static const char *const curves[] = { SN_X9_62_prime256v1, SN_secp384r1, SN_secp521r1 };
	char curve[64] = "";

	if (EVP_PKEY_is_a(key, "RSA"))
		return true;
	if (!EVP_PKEY_is_a(key, "EC") ||
	    EVP_PKEY_get_group_name(key, curve, sizeof(curve), NULL) != 1)
		return false;
	for (size_t i = 0; i < sizeof(curves) / sizeof(*curves); i++)
		if (strcmp(curve, curves[i]) == 0)
			return true;
	return false;
}

/* What kind of KEY it is, into TEXT. */
static const char *describe(const EVP_PKEY *key, char *text, size_t size)
{
	char curve[64];

	if (EVP_PKEY_get_group_name(key, curve, sizeof(curve), NULL) == 1)
		snprintf(text, size, "%s on %s", EVP_PKEY_get0_type_name(key), curve);
	else
		snprintf(text, size, "%s", EVP_PKEY_get0_type_name(key));
	return text;
}

/* True where it can be used; else REPORT has why not. */
static bool usable(
    const struct certificate *c, X509 *x, EVP_PKEY *key, const STACK_OF(X509) * chain, FILE *report)
{
	char kind[128];

	ERR_clear_error();
	if (!x)
		fprintf(
		    report, "%s holds no PEM certificate (-----BEGIN CERTIFICATE-----)\n", c->name);
	else if (!key)
		fprintf(report,
		    "%s holds no PEM private key without a passphrase (-----BEGIN PRIVATE "
		    "KEY-----)\n",
		    c->key_name);
	else if (!chain)
		fprintf(
		    report, "%s holds a certificate of the chain that cannot be read\n", c->name);
	else if (X509_check_private_key(x, key) != 1)
		fprintf(report, "the certificate %s does not fit the private key %s\n", c->name,
		    c->key_name);
	else if (!known(key))
		fprintf(report,
		    "the certificate %s has a key that clients have no use for, %s; allowed: RSA, "
		    "or EC on P-256, P-384 or P-521\n",
		    c->name, describe(key, kind, sizeof(kind)));
	else if (tls_try(c) < 0)
		fprintf(report, "no client could be served with the certificate %s: %s\n", c->name,
		    openssl_reason());
	else
		return true;
	return false;
}

/* ---- what clients will say ---- */

/* TIME as people write it, into TEXT. */
static const char *format_time(const ASN1_TIME *time, char *text, size_t size)
{
	struct tm tm;

	if (ASN1_TIME_to_tm(time, &tm) != 1 || strftime(text, size, "%Y-%m-%d %H:%M UTC", &tm) == 0)
		snprintf(text, size, "an unknown time");
	return text;
}

static void warn_of_time(const char *which, const X509 *x, FILE *report)
{
	char text[64];

	if (X509_cmp_current_time(X509_get0_notAfter(x)) < 0)
		fprintf(report, "%s has expired on %s: clients warn of it or refuse it\n", which,
		    format_time(X509_get0_notAfter(x), text, sizeof(text)));
	if (X509_cmp_current_time(X509_get0_notBefore(x)) > 0)
		fprintf(report, "%s is not valid before %s: clients warn of it or refuse it\n",
		    which, format_time(X509_get0_notBefore(x), text, sizeof(text)));
}

static void warn_of_strength(const char *which, X509 *x, FILE *report)
{
	EVP_PKEY *key = X509_get0_pubkey(x);
	int digest = NID_undef, bits = 0;

	if (key && EVP_PKEY_get_security_bits(key) < STRONG_BITS)
		fprintf(report,
		    "%s has a weak key, %s of %d bits: clients refuse it; RSA takes 2048 or more\n",
		    which, EVP_PKEY_get0_type_name(key), EVP_PKEY_get_bits(key));
	/* who signed for himself is trusted for what he is */
	if (X509_get_signature_info(x, &digest, NULL, &bits, NULL) == 1 && bits < STRONG_BITS &&
	    X509_self_signed(x, 0) != 1)
		fprintf(report, "%s is signed with the weak digest %s: clients refuse it\n", which,
		    OBJ_nid2sn(digest));
}

static void warn_of_purpose(const char *which, X509 *x, FILE *report)
{
	if (X509_check_purpose(x, X509_PURPOSE_SSL_SERVER, 0) != 1)
		fprintf(report,
		    "%s is not for servers, as its key usage says: clients warn of it or refuse "
		    "it\n",
		    which);
}

/* X, and those of CHAIN behind it, each of which is to have issued the one before. */
static void warn(const char *name, X509 *x, STACK_OF(X509) * chain, FILE *report)
{
	char which[400];
	X509 *issuer;

	snprintf(which, sizeof(which), "the certificate %s", name);
	warn_of_purpose(which, x, report);
	for (int i = 0;; i++, x = issuer) {
		warn_of_time(which, x, report);
		warn_of_strength(which, x, report);
		issuer = sk_X509_value(chain, i);
		if (!issuer)
			return;
		if (X509_check_issued(issuer, x) != X509_V_OK)
			fprintf(report,
			    "certificate %d in %s did not issue the one before it: clients may not "
			    "find their way to the root\n",
			    i + 2, name);
		snprintf(which, sizeof(which), "certificate %d in %s", i + 2, name);
	}
}

int certificate_check(const struct certificate *c, FILE *report)
{
	X509 *x = certificate_parse(c->pem);
	EVP_PKEY *key = certificate_parse_key(c->key_pem);
	STACK_OF(X509) *chain = certificate_parse_chain(c->pem);
	bool good = usable(c, x, key, chain, report);

	if (good)
		warn(c->name, x, chain, report);
	ERR_clear_error();
	sk_X509_pop_free(chain, X509_free);
	X509_free(x);
	EVP_PKEY_free(key);
	return good ? 0 : -1;
}
