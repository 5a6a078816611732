/*
 * Whether a proof of NTLMv2 is right: with the values that MS-NLMP 4.2.4 publishes, each byte of
 * which counts; and the message integrity check under the session key that it publishes.
 */
#include "../daemon/ntlm.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/provider.h>
#include <string.h>

/* NTOWFv2("Password", "User", "Domain"), 4.2.4.1.1 */
static const uint8_t ntowfv2[] = { 0x0c, 0x86, 0x8a, 0x40, 0x3b, 0xfd, 0x7a, 0x93, 0xa3, 0x00, 0x1e,
	0xf2, 0x2e, 0xf0, 0x2e, 0x3f };
/* the server's challenge of 4.2.1, and "temp" of 4.2.4.1.3 */
static const uint8_t blob[] = { 0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 1, 1, 0, 0, 0, 0, 0,
	0, 0, 0, 0, 0, 0, 0, 0, 0, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0, 0, 0, 0, 2, 0,
	12, 0, 'D', 0, 'o', 0, 'm', 0, 'a', 0, 'i', 0, 'n', 0, 1, 0, 12, 0, 'S', 0, 'e', 0, 'r', 0,
	'v', 0, 'e', 0, 'r', 0, 0, 0, 0, 0, 0, 0, 0, 0 };
/* 4.2.4.2.2: the first 16 bytes of the response */
static const uint8_t proof[] = { 0x68, 0xcd, 0x0a, 0xb8, 0x51, 0xe5, 0x1c, 0x96, 0xaa, 0xbc, 0x92,
	0x7b, 0xeb, 0xef, 0x6a, 0x1c };
/* 4.2.4.1.2 and 4.2.4.2.3: the base key, and the random key (16 times 0x55) encrypted with it */
static const uint8_t base_key[] = { 0x8d, 0xe4, 0x0c, 0xca, 0xdb, 0xc1, 0x4a, 0x82, 0xf1, 0x5c,
	0xb0, 0xad, 0x0d, 0xe9, 0x5c, 0xa3 };
static const uint8_t encrypted_key[] = { 0xc5, 0xda, 0xd2, 0x54, 0x4f, 0xc9, 0x79, 0x90, 0x94, 0xce,
	0x1c, 0xe9, 0x0b, 0xc9, 0xd0, 0x3e };
/* an AV_PAIR: MsvAvFlags, there is a message integrity check */
static const uint8_t flags[] = { 6, 0, 4, 0, 2, 0, 0, 0 };

static void published(struct lsa_ntlm *m)
{
	*m = (struct lsa_ntlm){ .blob_size = sizeof(blob) };
	memcpy(m->blob, blob, sizeof(blob));
	memcpy(m->proof, proof, sizeof(proof));
	memcpy(m->key, encrypted_key, sizeof(encrypted_key));
}

static void hmac(const uint8_t key[NTLM_HASH_SIZE], const uint8_t *data, size_t size,
    uint8_t out[NTLM_HASH_SIZE])
{
	assert_non_null(HMAC(EVP_md5(), key, NTLM_HASH_SIZE, data, size, out, NULL));
}

static void test_published(void **unused)
{
	struct lsa_ntlm m;

	(void)unused;
	published(&m);
	assert_true(ntlm_verify(ntowfv2, &m));
}

/* A bit that is another makes it wrong: of the blob, of the proof, of the password's hash. */
static void test_each_bit(void **unused)
{
	uint8_t other[sizeof(ntowfv2)];
	struct lsa_ntlm m;

	(void)unused;
	for (size_t i = 0; i < 8 * sizeof(blob); i++) {
		published(&m);
		m.blob[i / 8] ^= (uint8_t)(1 << i % 8);
		assert_false(ntlm_verify(ntowfv2, &m));
	}
	for (size_t i = 0; i < 8 * sizeof(proof); i++) {
		published(&m);
		m.proof[i / 8] ^= (uint8_t)(1 << i % 8);
		assert_false(ntlm_verify(ntowfv2, &m));
		published(&m);
		memcpy(other, ntowfv2, sizeof(other));
		other[i / 8] ^= (uint8_t)(1 << i % 8);
		assert_false(ntlm_verify(other, &m));
	}
}

static void test_sizes(void **unused)
{
	static const uint32_t bad[] = { 0, 1, 8, 35, sizeof(blob) - 1, sizeof(blob) + 1,
		NTLM_BLOB_SIZE, NTLM_BLOB_SIZE + 1, UINT32_MAX };
	struct lsa_ntlm m;

	(void)unused;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		published(&m);
		m.blob_size = bad[i];
		assert_false(ntlm_verify(ntowfv2, &m));
	}
	published(&m);
	m.messages_size = NTLM_MESSAGES_SIZE + 1;
	assert_false(ntlm_verify(ntowfv2, &m));
}

/* The published exchange with MsvAvFlags put into the blob, and proven anew: FLAGS, or others. */
static void with_flags(struct lsa_ntlm *m, const uint8_t *pair, size_t size)
{
	size_t end = sizeof(blob) - 8; /* MsvAvEOL, and four bytes behind it */

	published(m);
	memcpy(m->blob + end, pair, size);
	memcpy(m->blob + end + size, blob + end, 8);
	m->blob_size = (uint32_t)(sizeof(blob) + size);
	memcpy(m->messages, "the three messages", 18);
	m->messages_size = 18;
	hmac(ntowfv2, m->blob, m->blob_size, m->proof);
}

/* Its MIC where no key is exchanged: the session key follows from the proof. */
static void sign_with_base_key(struct lsa_ntlm *m)
{
	uint8_t key[NTLM_HASH_SIZE];

	memset(m->key, 0, sizeof(m->key));
	hmac(ntowfv2, m->proof, sizeof(m->proof), key);
	hmac(key, m->messages, m->messages_size, m->mic);
}

static void test_mic(void **unused)
{
	struct lsa_ntlm m;

	(void)unused;
	with_flags(&m, flags, sizeof(flags));
	assert_false(ntlm_verify(ntowfv2, &m)); /* the proof is right, and the MIC is not there */
	sign_with_base_key(&m);
	assert_true(ntlm_verify(ntowfv2, &m));
	m.mic[15] ^= 1;
	assert_false(ntlm_verify(ntowfv2, &m));
	m.mic[15] ^= 1;
	m.messages[3] ^= 1;
	assert_false(ntlm_verify(ntowfv2, &m));
	m.messages[3] ^= 1;
	m.key[0] = 1;
	assert_false(ntlm_verify(ntowfv2, &m));
}

/* The keys as published: 0x55… is what the exchanged key is, once decrypted with the base key. */
static void test_exchanged_key(void **unused)
{
	uint8_t random_key[NTLM_HASH_SIZE], base[NTLM_HASH_SIZE], sealed[NTLM_HASH_SIZE];
	EVP_CIPHER *rc4 = EVP_CIPHER_fetch(NULL, "RC4", NULL);
	EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
	struct lsa_ntlm m;
	int size;

	(void)unused;
	memset(random_key, 0x55, sizeof(random_key));
	hmac(ntowfv2, proof, sizeof(proof), base);
	assert_memory_equal(base, base_key, sizeof(base));
	with_flags(&m, flags, sizeof(flags));
	hmac(ntowfv2, m.proof, sizeof(m.proof), base);
	assert_int_equal(EVP_EncryptInit_ex2(context, rc4, base, NULL, NULL), 1);
	assert_int_equal(EVP_EncryptUpdate(context, sealed, &size, random_key, 16), 1);
	memcpy(m.key, sealed, sizeof(m.key));
	hmac(random_key, m.messages, m.messages_size, m.mic);
	assert_true(ntlm_verify(ntowfv2, &m));
	m.key[7] ^= 0x10;
	assert_false(ntlm_verify(ntowfv2, &m));
	EVP_CIPHER_CTX_free(context);
	EVP_CIPHER_free(rc4);
}

/* Pairs that say nothing of a MIC, or say it where they may not be read. */
static void test_pairs(void **unused)
{
	static const struct {
		uint8_t pairs[16];
		size_t size;
		bool mic; /* is asked for */
	} cases[] = {
		{ { 6, 0, 4, 0, 0, 0, 0, 0 }, 8, false },
		{ { 6, 0, 4, 0, 3, 0, 0, 0 }, 8, true },
		{ { 6, 0, 2, 0, 2, 0 }, 6, false }, /* too short for flags */
		{ { 9, 0, 0xff, 0xff, 6, 0, 4, 0, 2, 0, 0, 0 }, 12, false }, /* past the end */
		{ { 0, 0, 0, 0, 6, 0, 4, 0, 2, 0, 0, 0 }, 12, false },       /* behind MsvAvEOL */
		{ { 9, 0, 0, 0, 6, 0, 4, 0, 2, 0, 0, 0 }, 12, true },
		{ { 10, 0, 1, 0, 6, 6, 0, 4, 0, 2, 0, 0, 0 }, 13, true },
	};
	struct lsa_ntlm m;

	(void)unused;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		with_flags(&m, cases[i].pairs, cases[i].size);
		if (ntlm_verify(ntowfv2, &m) == cases[i].mic)
			fail_msg("case %zu", i);
		sign_with_base_key(&m);
		assert_true(ntlm_verify(ntowfv2, &m));
	}
}

static int set_up(void **unused)
{
	(void)unused;
	return OSSL_PROVIDER_load(NULL, "default") && OSSL_PROVIDER_load(NULL, "legacy")
	           ? ntlm_init()
	           : -1;
}

static int tear_down(void **unused)
{
	(void)unused;
	ntlm_finish();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_published),
		cmocka_unit_test(test_each_bit),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_mic),
		cmocka_unit_test(test_exchanged_key),
		cmocka_unit_test(test_pairs),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
