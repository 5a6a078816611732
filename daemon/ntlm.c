/*
 * The proof of a password by NTLMv2 (MS-NLMP 3.3.2), and the message integrity check (3.1.5.1.2):
 *
 *   NTProofStr      HMAC-MD5 under NTOWFv2 of the blob: the server's challenge (8 bytes), then
 *                   what the client put behind the proof (NTLMv2_CLIENT_CHALLENGE, 2.2.2.7)
 *   session key     HMAC-MD5 under NTOWFv2 of NTProofStr; with a key that was exchanged that key,
 *                   decrypted with it by RC4
 *   MIC             HMAC-MD5 under the session key of the three messages
 */
#include "ntlm.h"

#include "log.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>

enum {
	CHALLENGE_SIZE = 8,
	PAIRS_AT = CHALLENGE_SIZE + 28, /* in the blob: AV_PAIR structures, 2.2.2.1 */
	PAIR_HEAD = 4,                  /* AvId, AvLen */
	AV_EOL = 0,
	AV_FLAGS = 6,
	FLAG_MIC = 2,
};

static EVP_CIPHER *rc4;

int ntlm_init(void)
{
	rc4 = EVP_CIPHER_fetch(NULL, "RC4", NULL);
	if (!rc4)
		log_error("NTLM needs RC4, which OpenSSL's legacy provider does not have: is the "
		          "package openssl-provider-legacy whole?");
	return rc4 ? 0 : -1;
}

void ntlm_finish(void)
{
	EVP_CIPHER_free(rc4);
	rc4 = NULL;
}

static uint16_t number(const uint8_t *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}

/* True where the blob's MsvAvFlags say that there is a message integrity check. */
static bool has_mic(const struct lsa_ntlm *m)
{
	const uint8_t *p = m->blob + PAIRS_AT, *end = m->blob + m->blob_size;

	while (end - p >= PAIR_HEAD && number(p) != AV_EOL) {
		uint16_t id = number(p), length = number(p + 2);
		p += PAIR_HEAD;
		if (end - p < length)
			return false;
		if (id == AV_FLAGS && length == 4)
			return p[0] & FLAG_MIC;
		p += length;
	}
	return false;
}

static bool hmac(const uint8_t key[NTLM_HASH_SIZE], const uint8_t *data, size_t size,
    uint8_t out[NTLM_HASH_SIZE])
{
	return HMAC(EVP_md5(), key, NTLM_HASH_SIZE, data, size, out, NULL) != NULL;
}

static bool decrypt(const uint8_t key[NTLM_HASH_SIZE], const uint8_t in[NTLM_HASH_SIZE],
    uint8_t out[NTLM_HASH_SIZE])
{
	EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
	int size = 0;
	bool good = context && EVP_DecryptInit_ex2(context, rc4, key, NULL, NULL) == 1 &&
	            EVP_DecryptUpdate(context, out, &size, in, NTLM_HASH_SIZE) == 1 &&
	            size == NTLM_HASH_SIZE;

	EVP_CIPHER_CTX_free(context);
	return good;
}

/* The session key that the exchange whose proof is PROOF ends in. */
static bool session_key(const uint8_t ntowfv2[NTLM_HASH_SIZE], const uint8_t proof[NTLM_HASH_SIZE],
    const struct lsa_ntlm *m, uint8_t key[NTLM_HASH_SIZE])
{
	static const uint8_t none[NTLM_HASH_SIZE];
	uint8_t base[NTLM_HASH_SIZE];
	bool good = hmac(ntowfv2, proof, NTLM_HASH_SIZE, base);

	if (memcmp(m->key, none, sizeof(none)) == 0)
		memcpy(key, base, sizeof(base));
	else
		good = good && decrypt(base, m->key, key);
	OPENSSL_cleanse(base, sizeof(base));
	return good;
}

bool ntlm_verify(const uint8_t ntowfv2[NTLM_HASH_SIZE], const struct lsa_ntlm *m)
{
	uint8_t proof[NTLM_HASH_SIZE], key[NTLM_HASH_SIZE], mic[NTLM_HASH_SIZE];

	if (m->blob_size < PAIRS_AT || m->blob_size > sizeof(m->blob) ||
	    m->messages_size > sizeof(m->messages))
		return false;
	/* all is computed, whether the proof fits or not: time does not tell what did not */
	bool made = hmac(ntowfv2, m->blob, m->blob_size, proof) &&
	            session_key(ntowfv2, proof, m, key) &&
	            hmac(key, m->messages, m->messages_size, mic);
	bool right = made && CRYPTO_memcmp(proof, m->proof, sizeof(proof)) == 0 &&
	             (!has_mic(m) || CRYPTO_memcmp(mic, m->mic, sizeof(mic)) == 0);
	OPENSSL_cleanse(proof, sizeof(proof));
	OPENSSL_cleanse(key, sizeof(key));
	return right;
}
