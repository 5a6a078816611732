/*
 * Fuzzes the check of a proof of NTLMv2: what is in the message, sizes included, is any. Nothing is
 * read outside of it, and nothing but the right proof is right: the blob is proven with the password's
 * hash, then the same with one bit changed.
 */
#include "../daemon/ntlm.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/provider.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerInitialize(int *count, char ***arguments);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t hash[NTLM_HASH_SIZE] = "sixteen bytes 1";

int LLVMFuzzerInitialize(int *count, char ***arguments)
{
	(void)count;
	(void)arguments;
	return OSSL_PROVIDER_load(NULL, "default") && OSSL_PROVIDER_load(NULL, "legacy")
	           ? ntlm_init()
	           : -1;
}

/* The message's own allocation: AddressSanitizer sees a byte too far. */
static struct lsa_ntlm *message_of(const uint8_t *data, size_t size)
{
	struct lsa_ntlm *m = calloc(1, sizeof(*m));
	size_t head = sizeof(*m) - offsetof(struct lsa_ntlm, proof);

	if (!m)
		abort();
	memcpy(m->proof, data, size < head ? size : head);
	return m;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct lsa_ntlm *m = message_of(data, size);
	bool proven = ntlm_verify(hash, m);
	uint8_t proof[NTLM_HASH_SIZE];

	if (m->blob_size > sizeof(m->blob)) {
		if (proven)
			abort();
	} else {
		HMAC(EVP_md5(), hash, sizeof(hash), m->blob, m->blob_size, proof, NULL);
		if (proven && memcmp(proof, m->proof, sizeof(proof)) != 0)
			abort();
		memcpy(m->proof, proof, sizeof(proof));
		ntlm_verify(hash, m); /* as far as it goes with a proof that is right */
		m->proof[0] ^= 1;
		if (ntlm_verify(hash, m))
			abort();
	}
	free(m);
	return 0;
}
