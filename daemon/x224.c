/*
 * The packet, with the bounds that are checked:
 *
 *    0  3, reserved, length of the packet (16 bits, big endian)        TPKT
 *    4  bytes that follow this one, 0xe0, destination reference 0,
 *       source reference, class 0                                      X.224
 *   11  optional: a routing token or cookie that CR LF ends
 *       optional: type 1, flags, length 8, requestedProtocols          rdpNegReq
 *       optional, after it: type 6, flags, length 36, 32 bytes         correlation info
 *
 * The source reference, the flags and the correlation id are the client's own business.
 */
#include "x224.h"

#include <string.h>

enum {
	TPKT_SIZE = 4,
	HEADER_SIZE = 11,
	NEGOTIATION_TYPE = 1,
	NEGOTIATION_SIZE = 8,
	CORRELATION_TYPE = 6,
	CORRELATION_SIZE = 36,
};

static const struct {
	uint8_t offset, value;
	const char *why;
} fixed_bytes[] = {
	{ 0, 3, "not RDP: no TPKT header" },
	{ 5, 0xe0, "not an X.224 connection request" },
	{ 6, 0, "its X.224 destination reference is not 0" },
	{ 7, 0, "its X.224 destination reference is not 0" },
	{ 10, 0, "its X.224 class is not 0" },
};

static const char cookie_prefix[] = "Cookie: mstshash=";

/* Routing tokens: of a load balancer's cookie, and of connection brokers. */
static const char *const token_prefixes[] = { "Cookie: msts=", "tsv://", "mth://" };

static uint16_t packet_length(const uint8_t *data)
{
	return (uint16_t)(data[2] << 8 | data[3]);
}

/* What is wrong with as much of the header as there is; NULL: nothing so far. */
static const char *header_fault(const uint8_t *data, size_t size)
{
	for (size_t i = 0; i < sizeof(fixed_bytes) / sizeof(*fixed_bytes); i++)
		if (fixed_bytes[i].offset < size &&
		    data[fixed_bytes[i].offset] != fixed_bytes[i].value)
			return fixed_bytes[i].why;
	if (size < TPKT_SIZE)
		return NULL;
	if (packet_length(data) < X224_REQUEST_MIN || packet_length(data) > X224_REQUEST_MAX)
		return "its TPKT length is out of bounds";
	if (size > TPKT_SIZE && data[TPKT_SIZE] + TPKT_SIZE + 1 != packet_length(data))
		return "its X.224 length does not fit its TPKT length";
	return NULL;
}

static bool begins_with(const uint8_t *data, size_t size, const char *prefix)
{
	return size >= strlen(prefix) && memcmp(data, prefix, strlen(prefix)) == 0;
}

static bool is_token(const uint8_t *data, size_t size)
{
	for (size_t i = 0; i < sizeof(token_prefixes) / sizeof(*token_prefixes); i++)
		if (begins_with(data, size, token_prefixes[i]))
			return true;
	return false;
}

static void copy_cookie(struct x224_request *request, const uint8_t *text, size_t length)
{
	size_t n = 0;

	for (; n < length && n + 1 < sizeof(request->cookie); n++)
		request->cookie[n] = text[n] < 0x7f ? (char)text[n] : '?';
	request->cookie[n] = 0;
}

/* Takes the token or cookie, if any, off the front. Returns what is wrong, or NULL. */
static const char *take_cookie(struct x224_request *request, const uint8_t **data, size_t *size)
{
	size_t prefix = strlen(cookie_prefix), length = 0;
	bool cookie = begins_with(*data, *size, cookie_prefix);

	if (!cookie && !is_token(*data, *size))
		return NULL;
	while (length < *size && (*data)[length] >= ' ')
		length++;
	if (*size - length < 2 || memcmp(*data + length, "\r\n", 2) != 0)
		return "its cookie does not end in CR LF";
	if (cookie)
		copy_cookie(request, *data + prefix, length - prefix);
	*data += length + 2;
	*size -= length + 2;
	return NULL;
}

/* True where DATA is a structure of that type whose length field says SIZE. */
static bool is_structure(const uint8_t *data, size_t size, uint8_t type)
{
	return data[0] == type && data[2] == size && data[3] == 0;
}

/* What follows the cookie. Returns what is wrong, or NULL. */
static const char *take_negotiation(struct x224_request *request, const uint8_t *data, size_t size)
{
	if (size == 0)
		return NULL;
	if (size < NEGOTIATION_SIZE || !is_structure(data, NEGOTIATION_SIZE, NEGOTIATION_TYPE))
		return "it holds neither cookie nor rdpNegReq";
	request->negotiation = true;
	request->protocols = (uint32_t)data[4] | (uint32_t)data[5] << 8 | (uint32_t)data[6] << 16 |
	                     (uint32_t)data[7] << 24;
	data += NEGOTIATION_SIZE;
	size -= NEGOTIATION_SIZE;
	if (size != 0 &&
	    (size != CORRELATION_SIZE || !is_structure(data, CORRELATION_SIZE, CORRELATION_TYPE)))
		return "its rdpNegReq is followed by rubbish";
	return NULL;
}

enum x224_result x224_request_parse(const uint8_t *data, size_t size, size_t *needed,
    struct x224_request *request, const char **why)
{
	struct x224_request result = { 0 };
	const char *fault = header_fault(data, size);

	if (!fault && (size < TPKT_SIZE || size < packet_length(data))) {
		*needed = size < TPKT_SIZE ? (size_t)TPKT_SIZE : packet_length(data);
		return X224_NEED_MORE;
	}
	if (!fault) {
		const uint8_t *rest = data + HEADER_SIZE;
		result.length = packet_length(data);
		size = result.length - (size_t)HEADER_SIZE;
		fault = take_cookie(&result, &rest, &size);
		if (!fault)
			fault = take_negotiation(&result, rest, size);
	}
	if (fault) {
		*why = fault;
		return X224_INVALID;
	}
	*request = result;
	return X224_VALID;
}
