/*
 * What a session shows, as text: for scripts that wait for one. Bitmap updates are decoded into
 * a picture, and its cells compared with musess's glyphs (glyph-text.h). Of another server's
 * screen nothing is recognised.
 */
#ifndef MUSESS_LOAD_SCREEN_H
#define MUSESS_LOAD_SCREEN_H

#include <freerdp/update.h>
#include <regex.h>
#include <stdbool.h>
#include <stdint.h>

struct screen;

/* Renders the glyphs, once, before workers are forked. Returns 0, or -1 and in ERROR (SIZE bytes)
   which file is at fault. */
int screen_warm_up(char *error, size_t size);

/* A black picture. NULL: memory is short. */
struct screen *screen_create(uint16_t width, uint16_t height);
void screen_destroy(struct screen *screen); /* NULL is allowed */

/* What cannot be decoded is left as it was. */
void screen_update(struct screen *screen, const BITMAP_UPDATE *update);

/* Whether a line of the text matches. */
bool screen_matches(const struct screen *screen, const regex_t *pattern);

#endif
