/* Playing a script. */
#include "script-play.h"

#include "keys.h"

#include <stdio.h>
#include <string.h>

enum {
	LOOK_US = 50000,     /* how often a screen is read at most */
	STEPS_AT_ONCE = 100, /* other sessions want their turn */
};

void play_init(struct play *play, const struct script *script, struct play_port port)
{
	*play = (struct play){ .script = script, .port = port };
}

void play_character(const struct play_port *port, char c)
{
	bool shift;
	uint16_t key = keys_of_character(c, &shift);

	if (shift)
		port->press(port->context, KEYS_SHIFT, true);
	port->press(port->context, key, true);
	port->press(port->context, key, false);
	if (shift)
		port->press(port->context, KEYS_SHIFT, false);
}

static void press_together(const struct play_port *port, const struct script_step *step)
{
	for (unsigned i = 0; i < step->keys; i++)
		port->press(port->context, step->key[i], true);
	for (unsigned i = step->keys; i > 0; i--)
		port->press(port->context, step->key[i - 1], false);
}

static enum play_state failed(
    const struct play *play, struct result *result, const char *what, const char *which)
{
	snprintf(result->detail, sizeof(result->detail), "line %u: %s%.40s",
	    play->script->step[play->step].line, what, which);
	return PLAY_FAILED;
}

/* Whether TIME has passed since the step began to wait. Sets WAKE. */
static bool waited(struct play *play, uint64_t now, uint64_t time, uint64_t *wake)
{
	if (play->since == 0)
		play->since = now;
	*wake = play->since + time;
	return now >= *wake;
}

/* What a step says: it waits or has failed, or, with PLAY_DONE, the next one is due. */
static enum play_state wait_for_text(
    struct play *play, uint64_t now, struct result *result, uint64_t *wake)
{
	const struct script_step *step = &play->script->step[play->step];
	bool over = waited(play, now, step->time, wake);

	if (play->port.matches(play->port.context, &step->pattern))
		return PLAY_DONE;
	if (over)
		return failed(play, result, "the screen does not show ", step->text);
	if (*wake > now + LOOK_US)
		*wake = now + LOOK_US;
	return PLAY_WAITING;
}

/* Between two keys. True when the next may be pressed. */
static bool pause_is_over(struct play *play, uint64_t now, uint64_t *wake)
{
	if (play->paused && !waited(play, now, PLAY_PAUSE_US, wake))
		return false;
	play->paused = false;
	play->since = 0;
	return true;
}

static enum play_state echo(struct play *play, uint64_t now, uint64_t updates, uint64_t last,
    struct result *result, uint64_t *wake)
{
	const struct script_step *step = &play->script->step[play->step];

	if (play->pressed && updates != play->updates) {
		if (result->echoes < LOAD_ECHOES)
			result->echo[result->echoes++] =
			    last > play->since ? last - play->since : 0;
		play->pressed = false;
		play->paused = true;
		play->since = now;
		play->character++;
	}
	if (play->pressed) {
		if (waited(play, now, PLAY_ECHO_US, wake))
			return failed(
			    play, result, "no picture within 2 s of a key of ", step->text);
		return PLAY_WAITING;
	}
	if (!pause_is_over(play, now, wake))
		return PLAY_WAITING;
	if (!step->text[play->character])
		return PLAY_DONE;
	play->updates = updates;
	play->pressed = true;
	play->since = now;
	*wake = now + PLAY_ECHO_US;
	play_character(&play->port, step->text[play->character]);
	return PLAY_WAITING;
}

static enum play_state do_step(struct play *play, uint64_t now, uint64_t updates, uint64_t last,
    struct result *result, uint64_t *wake)
{
	const struct script_step *step = &play->script->step[play->step];

	switch (step->kind) {
	case SCRIPT_TYPE:
		for (const char *c = step->text; *c; c++)
			play_character(&play->port, *c);
		return PLAY_DONE;
	case SCRIPT_KEY:
		press_together(&play->port, step);
		return PLAY_DONE;
	case SCRIPT_WAIT:
		return waited(play, now, step->time, wake) ? PLAY_DONE : PLAY_WAITING;
	case SCRIPT_WAIT_TEXT:
		return wait_for_text(play, now, result, wake);
	case SCRIPT_ECHO:
		return echo(play, now, updates, last, result, wake);
	case SCRIPT_REPEAT:
		play->left[step->depth] = step->count;
		return PLAY_DONE;
	case SCRIPT_END:
		if (--play->left[step->depth] > 0)
			play->step = step->count; /* the repeat itself is not done again */
		return PLAY_DONE;
	}
	return PLAY_DONE;
}

/* Keys that are typed into a screen that is still being drawn are lost on some servers. */
static bool is_at_rest(struct play *play, uint64_t now, uint64_t last, uint64_t *wake)
{
	bool over = waited(play, now, PLAY_REST_MOST_US, wake);

	if (!over && now < last + PLAY_REST_US) {
		if (*wake > last + PLAY_REST_US)
			*wake = last + PLAY_REST_US;
		return false;
	}
	play->begun = true;
	play->since = 0;
	return true;
}

enum play_state play_go(struct play *play, uint64_t now, uint64_t updates, uint64_t last,
    struct result *result, uint64_t *wake)
{
	if (!play->begun && !is_at_rest(play, now, last, wake))
		return PLAY_WAITING;
	for (int steps = 0; play->step < play->script->steps; steps++) {
		enum play_state state;

		if (steps == STEPS_AT_ONCE) {
			*wake = now;
			return PLAY_WAITING;
		}
		state = do_step(play, now, updates, last, result, wake);

		if (state != PLAY_DONE)
			return state;
		play->step++;
		play->since = 0;
		play->character = 0;
	}
	return PLAY_DONE;
}
