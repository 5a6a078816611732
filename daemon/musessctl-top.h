/*
 * What top shows, without the terminal and without asking anybody: a sample is what was
 * known of all sessions at one moment; two of them make rates; a view is a sample on a
 * screen, with a session that is selected.
 */
#ifndef MUSESS_MUSESSCTL_TOP_H
#define MUSESS_MUSESSCTL_TOP_H

#include "messages.h"
#include "proctree.h"
#include "tcpinfo.h"

#include <jansson.h>
#include <stdio.h>

struct top_row {
	struct msg_session session;
	bool processes;                  /* some were seen: TICKS and MEMORY are known */
	bool connection;                 /* it was seen: RECEIVED and SENT are known */
	uint64_t ticks, memory;          /* clock ticks, bytes */
	uint64_t received, sent;         /* bytes */
	double processor;                /* percent of one processor; negative: not known */
	double received_rate, sent_rate; /* bytes a second; negative: not known */
};

struct top_sample {
	uint64_t at; /* milliseconds */
	struct top_row *rows;
	size_t count;
};

/*
 * Makes a sample's rows of sessions (without the listener), processes and connections. Rates
 * are not known yet. Returns 0, or -1 where memory is short. top_free takes an empty one.
 */
int top_fill(struct top_sample *sample, const struct msg_session *sessions, size_t session_count,
    const struct proctree_entry *processes, size_t process_count, const struct tcpinfo *connections,
    size_t connection_count);
void top_free(struct top_sample *sample);

/* The rates of NOW's rows since BEFORE. HERTZ: clock ticks of a second. */
void top_rates(struct top_sample *now, const struct top_sample *before, double hertz);

/* "999", "1.2K", "345M": at most four characters below 1000 T. */
enum { TOP_SIZE_SIZE = 16 };
void top_size(double bytes, char text[TOP_SIZE_SIZE]);

/* The table, and the same as JSON: an object. A new reference; NULL where memory is short. */
void top_show(FILE *out, const struct top_sample *sample);
json_t *top_json(const struct top_sample *sample);

struct top_view {
	int width, height; /* of the terminal, in characters */
	size_t first;      /* row at the top of the screen */
	size_t selected;   /* row */
	char status[256];  /* the last line; "": what the keys do */
	char clock[16];    /* the time of day */
};

/* Moves the selection by STEPS, and with it what the screen shows. */
void top_move(struct top_view *view, const struct top_sample *sample, int steps);
/* Selects SESSION where it is still there, else what is at its place. */
void top_select(struct top_view *view, const struct top_sample *sample, uint32_t session);
/* Draws all of the screen, with escape sequences. */
void top_draw(FILE *out, const struct top_view *view, const struct top_sample *sample);

/* Keys. */
enum top_key {
	TOP_NONE,
	TOP_UP,
	TOP_DOWN,
	TOP_DISCONNECT,
	TOP_LOGOFF,
	TOP_MESSAGE,
	TOP_QUIT,
};
/* The first key of LENGTH bytes, at least one; sets *USED to how many are its own. */
enum top_key top_key(const char *bytes, size_t length, size_t *used);

/* A text that is being typed. */
struct top_text {
	char text[BOX_TEXT_SIZE];
	size_t length;
};
enum top_typed { TOP_TYPING, TOP_ENTERED, TOP_CANCELLED };
/* Takes one byte: a character's, Enter, Backspace, or Escape. */
enum top_typed top_type(struct top_text *text, char byte);

#endif
