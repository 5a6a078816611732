/* Fuzzer of musessload's scripts: whatever is in one, reading it comes to an end, and what was read is played in a session
   that notes what it gets: keys that are keyboards', each released, and no more echoes than a session keeps. */
#include "keys.h"
#include "script-play.h"

#include <regex.h>
#include <stdlib.h>
#include <string.h>

enum { ROUNDS = 200 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
	if (!holds)
		abort();
}

/* The C library's regular expressions are its own, and somebody who writes a script may wait for them as long as he
   likes (script.c is built with these in their place). */
int fuzz_regcomp(regex_t *pattern, const char *text, int flags);
void fuzz_regfree(regex_t *pattern);

int fuzz_regcomp(regex_t *pattern, const char *text, int flags)
{
	(void)flags;
	if (strchr(text, '['))
		return REG_EBRACK;
	pattern->re_nsub = 1;
	return 0;
}

void fuzz_regfree(regex_t *pattern)
{
	check(pattern->re_nsub == 1); /* once, and only what was made */
	pattern->re_nsub = 2;
}

/* The session. Its screen is at chance: the input says when a picture comes and when a text is there. */
struct session {
	const uint8_t *chance;
	size_t left;
	unsigned down;
};

static unsigned draw(struct session *s)
{
	return s->left ? s->chance[--s->left] : 7;
}

static void press(void *context, uint16_t key, bool down)
{
	struct session *s = context;

	check(key > 0 && (key & ~KEYS_EXTENDED) < 0x80);
	check(down || s->down > 0);
	s->down += down ? 1u : -1u;
	check(s->down <= SCRIPT_KEYS);
}

static bool matches(void *context, const regex_t *pattern)
{
	check(pattern->re_nsub == 1);
	return draw(context) % 2;
}

static void play_it(const struct script *script, struct session *s)
{
	struct play play;
	struct result result = { 0 };
	uint64_t now = 1000000, updates = 0, last = now, wake = 0;
	enum play_state state = PLAY_WAITING;

	play_init(&play, script, (struct play_port){ press, matches, s });
	for (int i = 0; i < ROUNDS && state == PLAY_WAITING; i++) {
		unsigned chance = draw(s);

		if (chance % 3 == 0) {
			updates++;
			last = now;
		}
		wake = UINT64_MAX;
		state = play_go(&play, now, updates, last, &result, &wake);
		check(s->down == 0);
		check(state != PLAY_WAITING || (wake >= now && wake != UINT64_MAX));
		now = chance % 2 && state == PLAY_WAITING ? wake : now + chance * 1000;
	}
	check(result.echoes <= LOAD_ECHOES);
	check(
	    state != PLAY_DONE || (play.step == script->steps && result.echoes == script->echoes));
	check(state != PLAY_FAILED || *result.detail);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct session session = { .chance = data, .left = size };
	struct script script = { 0 };
	FILE *in = size ? fmemopen((void *)(uintptr_t)data, size, "r") : NULL;
	char error[256] = "";

	if (in && script_read(&script, in, "fuzz", error, sizeof(error)) == 0) {
		check(script.steps > 0 && script.echoes <= LOAD_ECHOES);
		play_it(&script, &session);
	} else if (in) {
		check(strncmp(error, "fuzz:", strlen("fuzz:")) == 0);
	}
	script_finish(&script);
	if (in)
		fclose(in);
	return 0;
}
