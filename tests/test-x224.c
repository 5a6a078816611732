/* Unit tests of daemon/x224.c, with packets as real clients send them. */
#include "x224.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Protocols: 1 TLS, 2 NLA, 8 NLA with early user authorization. */
static const struct sample {
	const char *name;
	const char *bytes;
	uint16_t length;
	bool negotiation;
	uint32_t protocols;
	const char *cookie;
} samples[] = {
	{ "xfreerdp 2 and 3, rdesktop 1.9",
	    "\x03\x00\x00\x2b\x26\xe0\x00\x00\x00\x00\x00"
	    "Cookie: mstshash=alice\r\n"
	    "\x01\x00\x08\x00\x03\x00\x00\x00",
	    43, true, 3, "alice" },
	{ "xfreerdp /sec:tls",
	    "\x03\x00\x00\x2b\x26\xe0\x00\x00\x00\x00\x00"
	    "Cookie: mstshash=alice\r\n"
	    "\x01\x00\x08\x00\x01\x00\x00\x00",
	    43, true, 1, "alice" },
	{ "xfreerdp /sec:rdp",
	    "\x03\x00\x00\x23\x1e\xe0\x00\x00\x00\x00\x00"
	    "Cookie: mstshash=alice\r\n",
	    35, false, 0, "alice" },
	{ "xfreerdp /load-balance-info",
	    "\x03\x00\x00\x37\x32\xe0\x00\x00\x00\x00\x00"
	    "Cookie: msts=3640205228.15629.0000\r\n"
	    "\x01\x00\x08\x00\x03\x00\x00\x00",
	    55, true, 3, "" },
	{ "rdesktop -u ''",
	    "\x03\x00\x00\x26\x21\xe0\x00\x00\x00\x00\x00"
	    "Cookie: mstshash=\r\n"
	    "\x01\x00\x08\x00\x03\x00\x00\x00",
	    38, true, 3, "" },
	{ "mstsc of old, a source reference",
	    "\x03\x00\x00\x2a\x25\xe0\x00\x00\x12\x34\x00"
	    "Cookie: mstshash=carl\r\n"
	    "\x01\x00\x08\x00\x00\x00\x00\x00",
	    42, true, 0, "carl" },
	{ "mstsc with correlation info",
	    "\x03\x00\x00\x4e\x49\xe0\x00\x00\x00\x00\x00"
	    "Cookie: mstshash=carl\r\n"
	    "\x01\x08\x08\x00\x0b\x00\x00\x00"
	    "\x06\x00\x24\x00\x9a\x1b\x2c\x3e\x4f\x50\x61\x72\x83\x94\xa5\xb6\xc7\xd8\xe9\xfa"
	    "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
	    78, true, 11, "carl" },
	{ "mstsc by way of a connection broker",
	    "\x03\x00\x00\x3c\x37\xe0\x00\x00\x00\x00\x00"
	    "tsv://MS Terminal Services Plugin.1.lab\r\n"
	    "\x01\x00\x08\x00\x0b\x00\x00\x00",
	    60, true, 11, "" },
	{ "a client without cookie",
	    "\x03\x00\x00\x13\x0e\xe0\x00\x00\x00\x00\x00"
	    "\x01\x00\x08\x00\x01\x00\x00\x00",
	    19, true, 1, "" },
	{ "the shortest", "\x03\x00\x00\x0b\x06\xe0\x00\x00\x00\x00\x00", 11, false, 0, "" },
};
enum { SAMPLES = sizeof(samples) / sizeof(*samples) };

/* Judges a copy of exactly SIZE bytes, so that AddressSanitizer sees a byte too far. */
static enum x224_result parse(
    const void *bytes, size_t size, size_t *needed, struct x224_request *request, const char **why)
{
	uint8_t *copy = malloc(size + !size);

	assert_non_null(copy);
	memcpy(copy, bytes, size);
	*why = NULL;
	enum x224_result result = x224_request_parse(copy, size, needed, request, why);
	free(copy);
	return result;
}

static void assert_invalid(const void *bytes, size_t size, const char *part)
{
	struct x224_request request;
	size_t needed;
	const char *why;

	assert_int_equal(parse(bytes, size, &needed, &request, &why), X224_INVALID);
	assert_non_null(why);
	if (!strstr(why, part))
		fail_msg("'%s' does not say '%s'", why, part);
}

static void test_real_clients(void **state)
{
	(void)state;
	for (const struct sample *s = samples; s < samples + SAMPLES; s++) {
		struct x224_request request = { 0 };
		size_t needed;
		const char *why;
		if (parse(s->bytes, s->length, &needed, &request, &why) != X224_VALID)
			fail_msg("%s: %s", s->name, why ? why : "more wanted");
		assert_int_equal(request.length, s->length);
		assert_int_equal(request.negotiation, s->negotiation);
		assert_int_equal(request.protocols, s->protocols);
		assert_string_equal(request.cookie, s->cookie);
	}
}

static void test_truncated(void **state)
{
	(void)state;
	for (const struct sample *s = samples; s < samples + SAMPLES; s++)
		for (size_t n = 0; n < s->length; n++) {
			struct x224_request request;
			size_t needed = 0;
			const char *why;
			assert_int_equal(
			    parse(s->bytes, n, &needed, &request, &why), X224_NEED_MORE);
			assert_int_equal(needed, n < 4 ? 4 : s->length);
		}
}

/* Every wrong byte of the header is refused once it is there, not later. */
static void test_refused_early(void **state)
{
	static const struct {
		size_t offset;
		uint8_t value;
		const char *part;
	} wrong[] = {
		{ 0, 0x16, "TPKT header" }, /* TLS */
		{ 0, 'G', "TPKT header" },  /* HTTP */
		{ 2, 3, "TPKT length" },    /* 768 and more */
		{ 3, 10, "TPKT length" },
		{ 4, 0x25, "X.224 length" },
		{ 4, 0x27, "X.224 length" },
		{ 5, 0xd0, "connection request" },
		{ 5, 0xf0, "connection request" },
		{ 6, 1, "destination" },
		{ 7, 1, "destination" },
		{ 10, 0x40, "class" },
	};
	uint8_t bytes[43];

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		memcpy(bytes, samples[0].bytes, sizeof(bytes));
		bytes[wrong[i].offset] = wrong[i].value;
		size_t there = wrong[i].offset + 1;
		if (there == 3)
			there = 4; /* the length is two bytes */
		for (; there <= sizeof(bytes); there++)
			assert_invalid(bytes, there, wrong[i].part);
	}
}

static void test_length_bounds(void **state)
{
	struct x224_request request;
	size_t needed = 0;
	const char *why;

	(void)state;
	assert_invalid("\x03\x00\x00\x0a", 4, "TPKT length");
	assert_invalid("\x03\x00\x02\x01", 4, "TPKT length");
	assert_invalid("\x03\x00\xff\xff", 4, "TPKT length");
	assert_int_equal(parse("\x03\x00\x02\x00", 4, &needed, &request, &why), X224_NEED_MORE);
	assert_int_equal(needed, X224_REQUEST_MAX);
	/* a length indicator cannot say more than 255, so that no longer packet is whole */
	assert_invalid("\x03\x00\x02\x00\xff", 5, "X.224 length");
}

/* A packet of these bytes after the X.224 header. */
static size_t packet(uint8_t *out, const char *body, size_t size)
{
	static const uint8_t header[] = { 3, 0, 0, 0, 0, 0xe0, 0, 0, 0, 0, 0 };

	memcpy(out, header, sizeof(header));
	memcpy(out + sizeof(header), body, size);
	out[3] = (uint8_t)(size + sizeof(header));
	out[4] = (uint8_t)(out[3] - 5);
	return out[3];
}

#define ASSERT_BODY_INVALID(body, part)                                                            \
	do {                                                                                       \
		uint8_t bytes[256];                                                                \
		assert_invalid(bytes, packet(bytes, body, sizeof(body) - 1), part);                \
	} while (0)

static void test_refused_bodies(void **state)
{
	(void)state;
	ASSERT_BODY_INVALID("Cookie: mstshash=alice", "CR LF");
	ASSERT_BODY_INVALID("Cookie: mstshash=alice\r", "CR LF");
	ASSERT_BODY_INVALID("Cookie: mstshash=alice\n\r", "CR LF");
	ASSERT_BODY_INVALID("Cookie: mstshash=al\0ice\r\n", "CR LF");
	ASSERT_BODY_INVALID("Cookie: mstshash=al\x1b[2J\r\n", "CR LF");
	ASSERT_BODY_INVALID("Cookie: msts=1.2.3", "CR LF");
	ASSERT_BODY_INVALID("Cookie: mstshash", "neither");
	ASSERT_BODY_INVALID("Cookie: other=alice\r\n", "neither");
	ASSERT_BODY_INVALID("rubbish", "neither");
	ASSERT_BODY_INVALID("\x01", "neither");
	ASSERT_BODY_INVALID("\x01\x00\x08\x00\x03\x00\x00", "neither");
	ASSERT_BODY_INVALID("\x02\x00\x08\x00\x03\x00\x00\x00", "neither");
	ASSERT_BODY_INVALID("\x01\x00\x09\x00\x03\x00\x00\x00", "neither");
	ASSERT_BODY_INVALID("\x01\x00\x08\x01\x03\x00\x00\x00", "neither");
	ASSERT_BODY_INVALID("Cookie: mstshash=a\r\nCookie: mstshash=b\r\n", "neither");
	ASSERT_BODY_INVALID("\x01\x00\x08\x00\x03\x00\x00\x00rubbish", "rubbish");
	ASSERT_BODY_INVALID("\x01\x00\x08\x00\x03\x00\x00\x00\x00", "rubbish");
	ASSERT_BODY_INVALID("\x01\x08\x08\x00\x03\x00\x00\x00\x06\x00\x24\x00", "rubbish");
	ASSERT_BODY_INVALID("\x01\x08\x08\x00\x03\x00\x00\x00"
	                    "\x07\x00\x24\x00"
	                    "0123456789abcdef0123456789abcdef",
	    "rubbish");
	ASSERT_BODY_INVALID("\x01\x08\x08\x00\x03\x00\x00\x00"
	                    "\x06\x00\x24\x00"
	                    "0123456789abcdef0123456789abcdef.",
	    "rubbish");
}

static void test_all_protocol_bits(void **state)
{
	struct x224_request request;
	uint8_t bytes[256];
	size_t needed, size = packet(bytes, "\x01\xff\x08\x00\x78\x56\x34\xf2", 8);
	const char *why;

	(void)state;
	assert_int_equal(parse(bytes, size, &needed, &request, &why), X224_VALID);
	assert_int_equal(request.protocols, 0xf2345678);
}

static void test_cookie_is_printable(void **state)
{
	static const char body[] = "Cookie: mstshash=J\xc3\xb6rg\x7f\r\n";
	struct x224_request request;
	uint8_t bytes[256];
	size_t needed, size = packet(bytes, body, sizeof(body) - 1);
	const char *why;

	(void)state;
	assert_int_equal(parse(bytes, size, &needed, &request, &why), X224_VALID);
	assert_string_equal(request.cookie, "J??rg?");
}

static void test_cookie_is_cut(void **state)
{
	char name[101] = "", body[160];
	struct x224_request request;
	uint8_t bytes[256];
	size_t needed, size;
	const char *why;

	(void)state;
	memset(name, 'x', sizeof(name) - 1);
	snprintf(body, sizeof(body), "Cookie: mstshash=%s\r\n", name);
	size = packet(bytes, body, strlen(body));
	assert_int_equal(parse(bytes, size, &needed, &request, &why), X224_VALID);
	name[sizeof(request.cookie) - 1] = 0;
	assert_string_equal(request.cookie, name);
}

static void test_later_bytes_are_ignored(void **state)
{
	struct x224_request request;
	char bytes[100];
	size_t needed;
	const char *why;

	(void)state;
	memset(bytes, 0xff, sizeof(bytes));
	memcpy(bytes, samples[0].bytes, samples[0].length);
	assert_int_equal(parse(bytes, sizeof(bytes), &needed, &request, &why), X224_VALID);
	assert_int_equal(request.length, samples[0].length);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_real_clients),
		cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_refused_early),
		cmocka_unit_test(test_length_bounds),
		cmocka_unit_test(test_refused_bodies),
		cmocka_unit_test(test_all_protocol_bits),
		cmocka_unit_test(test_cookie_is_printable),
		cmocka_unit_test(test_cookie_is_cut),
		cmocka_unit_test(test_later_bytes_are_ignored),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
