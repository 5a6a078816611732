/* The program's SSL_CTX_new, X509_dup and i2d_PublicKey. FreeRDP finds them before OpenSSL's. */
#include "tls.h"

#include <dlfcn.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum {
	STEPS_MAX = 64,     /* of which each moves 16 KB of a chain */
	SECURITY_LEVEL = 1, /* FreeRDP's, of the context that it serves with */
};

static SSL_CTX *prepared;

/* Visible whatever the program is built with, or it would not be found. */
__attribute__((visibility("default"))) SSL_CTX *SSL_CTX_new(const SSL_METHOD *method)
{
	if (!prepared || method != TLS_server_method())
		return SSL_CTX_new_ex(NULL, NULL, method);
	SSL_CTX_up_ref(prepared);
	return prepared;
}

/* FreeRDP looks at its copies of the certificate, and changes none. A true one is encoded,
   decoded, and its key decoded once more. */
__attribute__((visibility("default"))) X509 *X509_dup(const X509 *x509)
{
	X509 *same = (X509 *)(uintptr_t)x509;

	return X509_up_ref(same) == 1 ? same : NULL;
}

/* The public key that FreeRDP had encoded first, in the nursery: the server's. It has that done after
   each handshake, for which OpenSSL asks every encoder that it has whether it is the one. */
static struct {
	EVP_PKEY *key; /* a reference: no other key has its address */
	unsigned char *encoded;
	int length;
} public_key;

static int encode(const EVP_PKEY *key, unsigned char **out)
{
	int (*real)(const EVP_PKEY *, unsigned char **);

	*(void **)&real = dlsym(RTLD_NEXT, "i2d_PublicKey");
	return real ? real(key, out) : -1;
}

static void keep(const EVP_PKEY *key)
{
	EVP_PKEY *same = (EVP_PKEY *)(uintptr_t)key;

	public_key.length = encode(key, &public_key.encoded);
	if (public_key.length > 0 && EVP_PKEY_up_ref(same) == 1)
		public_key.key = same;
}

/* The server has another. */
static void forget_public_key(void)
{
	EVP_PKEY_free(public_key.key);
	OPENSSL_free(public_key.encoded);
	public_key.key = NULL;
	public_key.encoded = NULL;
}

/* As OpenSSL's: the length, or -1; the encoded key to where *OUT points, which moves on, or to
   memory that becomes the caller's where that is NULL. */
__attribute__((visibility("default"))) int i2d_PublicKey(const EVP_PKEY *key, unsigned char **out)
{
	if (prepared && !public_key.encoded)
		keep(key);
	if (!public_key.encoded || key != public_key.key)
		return encode(key, out);
	if (!out)
		return public_key.length;
	if (!*out) {
		*out = OPENSSL_memdup(public_key.encoded, (size_t)public_key.length);
		return *out ? public_key.length : -1;
	}
	memcpy(*out, public_key.encoded, (size_t)public_key.length);
	*out += public_key.length;
	return public_key.length;
}

/* FreeRDP shows the server's certificate alone: a client that knows no more than the root needs those
   between. */
static bool add_chain(SSL_CTX *context, const struct certificate *certificate)
{
	STACK_OF(X509) *chain = certificate_parse_chain(certificate->pem);
	bool added = chain != NULL;

	for (X509 *x; added && (x = sk_X509_shift(chain));)
		if (SSL_CTX_add_extra_chain_cert(context, x) != 1) {
			X509_free(x);
			added = false;
		}
	sk_X509_pop_free(chain, X509_free);
	return added;
}

static bool set_key(SSL *server, const struct certificate *certificate)
{
	X509 *x509 = certificate_parse(certificate->pem);
	EVP_PKEY *key = certificate_parse_key(certificate->key_pem);
	bool set = x509 && key && SSL_use_certificate(server, x509) == 1 &&
	           SSL_use_PrivateKey(server, key) == 1;

	EVP_PKEY_free(key);
	X509_free(x509);
	return set;
}

/* What FreeRDP does with the certificate after a handshake, for NLA's binding to it. */
static void look_at_certificate(SSL *server)
{
	X509 *x509 = SSL_get_certificate(server);
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned size;

	if (x509)
		X509_digest(x509, EVP_sha256(), digest, &size);
}

/* Between the two, and a byte each way; whether both have got as far. */
static bool shake_hands(SSL *server, SSL *client)
{
	BIO *server_end, *client_end;
	int client_done = 0, server_done = 0;
	char byte = 0;

	if (BIO_new_bio_pair(&server_end, 0, &client_end, 0) != 1)
		return false;
	SSL_set_bio(server, server_end, server_end);
	SSL_set_bio(client, client_end, client_end);
	SSL_set_accept_state(server);
	SSL_set_connect_state(client);
	for (int i = 0; i < STEPS_MAX && (client_done != 1 || server_done != 1); i++) {
		client_done = SSL_do_handshake(client);
		server_done = SSL_do_handshake(server);
	}
	return client_done == 1 && server_done == 1 && SSL_write(client, &byte, 1) == 1 &&
	       SSL_read(server, &byte, 1) == 1 && SSL_write(server, &byte, 1) == 1 &&
	       SSL_read(client, &byte, 1) == 1;
}

/* Whether a client gets through to CONTEXT, which serves with CERTIFICATE. */
static bool serves(SSL_CTX *context, const struct certificate *certificate)
{
	SSL_CTX *client_context = SSL_CTX_new_ex(NULL, NULL, TLS_client_method());
	SSL *server = SSL_new(context), *client = NULL;
	bool through;

	if (client_context) {
		SSL_CTX_set_security_level(client_context, SECURITY_LEVEL);
		client = SSL_new(client_context);
	}
	through = server && client && set_key(server, certificate) && shake_hands(server, client);
	if (through)
		look_at_certificate(server);
	SSL_free(client);
	SSL_free(server);
	SSL_CTX_free(client_context);
	return through;
}

/* A server's that has the chain of CERTIFICATE; NULL where there cannot be one. */
static SSL_CTX *make_context(const struct certificate *certificate)
{
	SSL_CTX *context = SSL_CTX_new_ex(NULL, NULL, TLS_server_method());

	if (!context || !add_chain(context, certificate)) {
		SSL_CTX_free(context);
		return NULL;
	}
	SSL_CTX_set_security_level(context, SECURITY_LEVEL);
	/* all workers would have one key for them */
	SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
	SSL_CTX_set_num_tickets(context, 0);
	SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
	return context;
}

int tls_try(const struct certificate *certificate)
{
	SSL_CTX *context = make_context(certificate);
	bool through = context && serves(context, certificate);

	SSL_CTX_free(context);
	return through ? 0 : -1;
}

int tls_prepare(const struct certificate *certificate)
{
	SSL_CTX *context = make_context(certificate);
	bool through = context && serves(context, certificate);

	ERR_clear_error();
	if (!through) {
		SSL_CTX_free(context);
		return -1;
	}
	SSL_CTX_free(prepared);
	prepared = context;
	forget_public_key();
	return 0;
}
