/* xorshift64*, and some ways to be wrong. */
#include "mutate.h"

#include <string.h>

enum { TPKT_SIZE = 4, CHANGES_MAX = 4 };

uint32_t mutate_below(struct mutate *m, uint32_t bound)
{
	m->state = m->state ? m->state : 1;
	m->state ^= m->state >> 12;
	m->state ^= m->state << 25;
	m->state ^= m->state >> 27;
	return (uint32_t)((m->state * UINT64_C(0x2545f4914f6cdd1d)) >> 32) % bound;
}

/* ---- one change each: at least an octet is there ---- */

static size_t flip(struct mutate *m, uint8_t *packet, size_t size, size_t room)
{
	(void)room;
	packet[mutate_below(m, (uint32_t)size)] ^= (uint8_t)(1u << mutate_below(m, 8));
	return size;
}

/* Up to four octets that lengths and counts are wrong with. */
static size_t put_number(struct mutate *m, uint8_t *packet, size_t size, size_t room)
{
	static const uint8_t numbers[] = { 0, 1, 0x7f, 0x80, 0x81, 0x82, 0x84, 0xff };
	size_t at = mutate_below(m, (uint32_t)size), count = 1 + mutate_below(m, 4);
	uint8_t number = numbers[mutate_below(m, sizeof(numbers))];

	(void)room;
	for (; count > 0 && at < size; count--, at++)
		packet[at] = number;
	return size;
}

static size_t cut(struct mutate *m, uint8_t *packet, size_t size, size_t room)
{
	(void)packet;
	(void)room;
	return 1 + mutate_below(m, (uint32_t)size);
}

/* A part once more, in its place or behind it. */
static size_t repeat(struct mutate *m, uint8_t *packet, size_t size, size_t room)
{
	size_t from = mutate_below(m, (uint32_t)size);
	size_t count = 1 + mutate_below(m, (uint32_t)(size - from));

	if (count > room - size)
		return size;
	memmove(packet + from + count, packet + from, size - from);
	return size + count;
}

static size_t leave_out(struct mutate *m, uint8_t *packet, size_t size, size_t room)
{
	size_t from = mutate_below(m, (uint32_t)size);
	size_t count = mutate_below(m, (uint32_t)(size - from));

	(void)room;
	memmove(packet + from, packet + from + count, size - from - count);
	return size - count;
}

/* ---- NTLM's messages, whose lengths in front are those of DER ---- */

/* Writes a DER element's head in front of END: TAG and the length of what is there up to STOP. Returns
   where it begins. */
static uint8_t *der_head(uint8_t *end, const uint8_t *stop, uint8_t tag)
{
	size_t length = (size_t)(stop - end);

	*--end = (uint8_t)length;
	*--end = (uint8_t)(length >> 8);
	*--end = 0x82;
	*--end = tag;
	return end;
}

static uint8_t *find_token(uint8_t *packet, size_t size)
{
	for (size_t i = 0; i + 8 <= size; i++)
		if (memcmp(packet + i, "NTLMSSP", 8) == 0)
			return packet + i;
	return NULL;
}

/* A TSRequest (MS-CSSP 2.2.1) around the message, shortened, and right but for that. */
static size_t cut_token(struct mutate *m, uint8_t *packet, size_t size, size_t room)
{
	static const uint8_t version[] = { 0xa0, 3, 2, 1, 6 };
	uint8_t *token = find_token(packet, size), *begin, *stop;
	size_t length, head = sizeof(version) + 24;

	if (!token || room - size < head)
		return cut(m, packet, size, room);
	length = mutate_below(m, (uint32_t)(size - (size_t)(token - packet)) + 1);
	memmove(packet + head, token, length);
	begin = packet + head;
	stop = begin + length;
	begin = der_head(begin, stop, 0x04);
	begin = der_head(begin, stop, 0xa0);
	begin = der_head(begin, stop, 0x30);
	begin = der_head(begin, stop, 0x30);
	begin = der_head(begin, stop, 0xa1);
	begin -= sizeof(version);
	memcpy(begin, version, sizeof(version));
	begin = der_head(begin, stop, 0x30);
	memmove(packet, begin, (size_t)(stop - begin));
	return (size_t)(stop - begin);
}

static size_t (*const changes[])(struct mutate *, uint8_t *, size_t, size_t) = { flip, flip,
	put_number, put_number, cut, repeat, leave_out, cut_token };

size_t mutate_packet(struct mutate *m, uint8_t *packet, size_t size, size_t room)
{
	unsigned count = 1 + mutate_below(m, CHANGES_MAX);
	int tpkt = size > TPKT_SIZE && packet[0] == 3;

	while (count-- > 0 && size > 0)
		size = changes[mutate_below(m, sizeof(changes) / sizeof(*changes))](
		    m, packet, size, room);
	if (tpkt && size > TPKT_SIZE && mutate_below(m, 2)) {
		packet[0] = 3;
		packet[2] = (uint8_t)(size >> 8);
		packet[3] = (uint8_t)size;
	}
	return size;
}
