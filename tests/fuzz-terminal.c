/*
 * Fuzzer of the emulator: programs' bytes with resizes between them, some without memory, and keys.
 * One emulator gets them as they are, another a byte at a time: both are the same in the end, and
 * sound at any time.
 *
 *   ff COLUMNS ROWS   a size (ff is part of no text)
 *   fe COLUMNS ROWS   the same while there is no memory
 *   fd KEY KEY MODS   a key
 */
#include "vt-check.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { RESIZE = 0xff, RESIZE_WITHOUT_MEMORY = 0xfe, KEY = 0xfd, MARK = KEY, AREA_MAX = 2048 };

static struct vt whole, bytewise;
static uint32_t answers[2]; /* a sum each */

static void check(bool holds)
{
	if (!holds)
		abort();
}

static void answer(void *user, const char *bytes, size_t count)
{
	uint32_t *sum = user;

	check(count > 0 && count < 64 && bytes[0] == '\033');
	for (size_t i = 0; i < count; i++)
		*sum = *sum * 31 + (uint8_t)bytes[i];
}

/* Small ones mostly: their edges are near. */
static int size_of(uint8_t byte, int most)
{
	return byte < 0xfa ? byte % 32 : most + 0xfc - byte;
}

static void resize(const uint8_t *bytes)
{
	int columns = size_of(bytes[1], COLUMNS_MAX), rows = size_of(bytes[2], ROWS_MAX), result;

	/* what is large in both takes its time, and shows no more */
	rows = columns * rows > AREA_MAX ? AREA_MAX / columns : rows;

	vt_no_memory = bytes[0] == RESIZE_WITHOUT_MEMORY;
	result = vt_resize(&whole, columns, rows);
	check(vt_resize(&bytewise, columns, rows) == result);
	check(result == 0 || vt_no_memory);
	vt_no_memory = false;
}

static void key(const uint8_t *bytes)
{
	char *out = malloc(VT_KEY_SIZE); /* of exactly this size, so that a byte too far is seen */
	uint32_t code =
	    bytes[1] < 0x80 ? KEY_ENTER + bytes[1] % 32u : (uint32_t)bytes[1] << 8 | bytes[2];

	check(out && vt_key(&whole, code, bytes[2], out) <= VT_KEY_SIZE);
	free(out);
}

static void write_text(const uint8_t *bytes, size_t count)
{
	vt_write(&whole, (const char *)bytes, count);
	for (size_t i = 0; i < count; i++)
		vt_write(&bytewise, (const char *)&bytes[i], 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	answers[0] = answers[1] = 0;
	vt_init(&whole, 20, 6, answer, &answers[0]);
	vt_init(&bytewise, 20, 6, answer, &answers[1]);
	check(vt_start(&whole) == 0 && vt_start(&bytewise) == 0);
	for (size_t i = 0; i < size;) {
		size_t n = 0;
		if (data[i] >= MARK && i + 2 < size) {
			if (data[i] == KEY)
				key(data + i);
			else
				resize(data + i);
			n = 3;
		} else {
			do
				n++;
			while (i + n < size && data[i + n] < MARK);
			write_text(data + i, n);
		}
		vt_check(&whole);
		i += n;
	}
	vt_check_same(&whole, &bytewise);
	check(answers[0] == answers[1]);
	vt_finish(&whole);
	vt_finish(&bytewise);
	return 0;
}
