/* Fuzzer of the first packet: every prefix of the input is judged, as a listener would. */
#include "x224.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
	if (!holds)
		abort();
}

static void check_request(const struct x224_request *request, size_t size)
{
	const char *end = memchr(request->cookie, 0, sizeof(request->cookie));

	check(request->length <= size && request->length >= X224_REQUEST_MIN);
	check(request->negotiation || request->protocols == 0);
	check(end != NULL);
	for (const char *p = request->cookie; p < end; p++)
		check(*p >= ' ' && *p < 0x7f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum x224_result before = X224_NEED_MORE;
	size_t wanted = 0, limit = size < X224_REQUEST_MAX ? size : X224_REQUEST_MAX;

	for (size_t n = 0; n <= limit; n++) {
		struct x224_request request = { 0 };
		const char *why = NULL;
		size_t needed = 0;
		/* of exactly this size, so that a byte too far is seen */
		uint8_t *prefix = malloc(n + !n);
		check(prefix != NULL);
		memcpy(prefix, data, n);
		enum x224_result result = x224_request_parse(prefix, n, &needed, &request, &why);
		free(prefix);
		check(before == X224_NEED_MORE || result == before); /* a verdict stands */
		check((result == X224_INVALID) == (why != NULL));
		check(result != X224_VALID || n >= wanted);
		if (result == X224_NEED_MORE)
			check(needed > n && needed <= X224_REQUEST_MAX && needed >= wanted);
		if (result == X224_VALID)
			check_request(&request, n);
		wanted = needed;
		before = result;
	}
	return 0;
}
