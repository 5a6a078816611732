/*
 * Fuzzes penalties: any order of failures, questions and time, in a small table. Each wait is within its
 * bounds, what a failure leads to is what is left then, and time alone lets everybody in.
 * Networks of options too: the text before the first zero.
 */
#include "../daemon/penalty.h"

#include "networks.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SOURCES = 4 };
#define MOST ((uint64_t)600 * 1000000)

static void check(bool good)
{
	if (!good)
		abort();
}

/* One of 256 addresses, of both families, some in one network. */
static struct in6_addr host_of(uint8_t number)
{
	struct in6_addr host = { .s6_addr = { 0x20, 1 } };

	if (number & 1)
		host = (struct in6_addr){ .s6_addr = { [10] = 0xff, [11] = 0xff, [12] = 192 } };
	host.s6_addr[number & 1 ? 14 : 5] = number >> 5;
	host.s6_addr[number & 1 ? 15 : 7] = number >> 1 & 15;
	return host;
}

static void check_networks(const uint8_t *data, size_t size)
{
	struct network networks[NETWORKS_MAX];
	char text[256] = "";
	int count;

	memcpy(text, data, size < sizeof(text) ? size : sizeof(text) - 1);
	count = networks_parse(text, networks);
	check(count >= -1 && count <= NETWORKS_MAX);
	for (int i = 0; i < count; i++) {
		check(networks[i].bits <= 128);
		check(networks_hold(networks, (size_t)count, &networks[i].address));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct penalty *p = penalty_create(SOURCES);
	uint64_t now = 1;

	check(p != NULL);
	check_networks(data, size);
	for (size_t i = 0; i + 1 < size; i += 2) {
		struct in6_addr host = host_of(data[i]);
		uint64_t before = penalty_left(p, &host, now), wait;
		check(before <= MOST);
		if (data[i + 1] & 1) {
			wait = penalty_add(p, &host, now, MOST);
			check(wait <= MOST && penalty_left(p, &host, now) >= wait);
		}
		now += ((uint64_t)1 << (data[i + 1] >> 3)) & ~1u;
	}
	for (unsigned number = 0; number < 256; number++) {
		struct in6_addr host = host_of((uint8_t)number);
		check(penalty_left(p, &host, now + MOST) == 0);
	}
	penalty_destroy(p);
	return 0;
}
