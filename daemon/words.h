/*
 * The words by which metrics and musessctl stats call the rows of the tables in messages.h and
 * ntstatus.h: lower case, as labels and JSON's keys are written.
 */
#ifndef MUSESS_WORDS_H
#define MUSESS_WORDS_H

enum words {
	WORDS_STATE,   /* enum session_state: "active" */
	WORDS_STATUS,  /* rows of NTSTATUS_TABLE: "no_memory" */
	WORDS_END,     /* rows of END_REASON_TABLE: "admin_logoff" */
	WORDS_REFUSAL, /* enum refusal */
	WORDS_SPINUP,  /* enum spinup */
	WORDS_USAGE,   /* enum usage_kind */
};
enum { WORD_SIZE = 40 };

/* How many rows there are. */
unsigned words_count(enum words which);

/* That of ROW, below the count, into WORD, which is returned. */
const char *word_of(enum words which, unsigned row, char word[WORD_SIZE]);

#endif
