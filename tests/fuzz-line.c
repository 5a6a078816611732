/*
 * Fuzzes the line at a prompt: any bytes, and the text is what a message may carry, with its terminator
 * in its place; what goes to the screen is bounded, and nothing of it where the line is hidden.
 */
#include "../sessmgr/line.h"

#include "port.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool good)
{
	if (!good)
		abort();
}

static void type(const uint8_t *data, size_t size, size_t room, bool shown, int columns)
{
	char *text = malloc(room), *echo = malloc(room + LINE_ECHO_MORE);
	struct line line;

	check(text && echo);
	line_begin(&line, "Name: ", text, room, shown);
	for (size_t i = 0; i < size; i++) {
		line_take(&line, (char)data[i], i < size / 2 ? columns : columns / 2, echo);
		check(line.used < room && strlen(text) == line.used);
		check(port_text_valid(text, room));
		check(strlen(echo) < room + LINE_ECHO_MORE && (shown || !*echo));
	}
	free(text);
	free(echo);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2)
		return 0;
	type(data + 2, size - 2, 1 + data[0] % 32, data[0] & 0x80, data[1]);
	return 0;
}
