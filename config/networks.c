/* Addresses with prefixes. Both families are handled in the form of the longer one. */
#include "networks.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

enum { BITS = 128, MAPPED_BITS = 96 };

static bool parse_address(const char *text, struct in6_addr *address, unsigned *most)
{
	struct in_addr in;

	*most = BITS;
	if (inet_pton(AF_INET6, text, address) == 1)
		return true;
	if (inet_pton(AF_INET, text, &in) != 1)
		return false;
	*most = BITS - MAPPED_BITS;
	*address = (struct in6_addr){ .s6_addr = { [10] = 0xff, [11] = 0xff } };
	memcpy(&address->s6_addr[12], &in, sizeof(in));
	return true;
}

/* The prefix in TEXT, at most MOST; -1 where it is none. */
static int parse_bits(const char *text, unsigned most)
{
	size_t digits = strspn(text, "0123456789");
	unsigned bits;

	if (digits == 0 || digits > 3 || text[digits])
		return -1;
	bits = (unsigned)strtoul(text, NULL, 10);
	return bits > most ? -1 : (int)bits;
}

static bool parse_one(const char *text, size_t length, struct network *n)
{
	char word[INET6_ADDRSTRLEN + 8] = "", *slash;
	unsigned most;
	int bits;

	if (length >= sizeof(word))
		return false;
	memcpy(word, text, length);
	slash = strchr(word, '/');
	if (slash)
		*slash = 0;
	if (!parse_address(word, &n->address, &most))
		return false;
	bits = slash ? parse_bits(slash + 1, most) : (int)most;
	if (bits < 0)
		return false;
	n->bits = (unsigned)bits + BITS - most;
	network_mask(&n->address, n->bits);
	return true;
}

int networks_parse(const char *text, struct network *networks)
{
	int count = 0;

	for (;;) {
		text += strspn(text, " \t");
		size_t length = strcspn(text, " \t");
		if (length == 0)
			return count;
		if (count == NETWORKS_MAX || !parse_one(text, length, &networks[count]))
			return -1;
		count++;
		text += length;
	}
}

void network_mask(struct in6_addr *address, unsigned bits)
{
	for (unsigned i = 0; i < sizeof(address->s6_addr); i++) {
		unsigned kept = bits > 8 * i ? bits - 8 * i : 0;
		if (kept < 8)
			address->s6_addr[i] &= (uint8_t)(0xff00 >> kept);
	}
}

bool networks_hold(const struct network *networks, size_t count, const struct in6_addr *address)
{
	for (size_t i = 0; i < count; i++) {
		struct in6_addr masked = *address;
		network_mask(&masked, networks[i].bits);
		if (IN6_ARE_ADDR_EQUAL(&masked, &networks[i].address))
			return true;
	}
	return false;
}

uint32_t network_hash(const struct in6_addr *address)
{
	uint32_t hash = 2166136261; /* FNV-1a's */

	for (unsigned i = 0; i < sizeof(address->s6_addr); i++)
		hash = (hash ^ address->s6_addr[i]) * 16777619;
	return hash ^ hash >> 16;
}
