/* Where a table has no words, its names are taken: behind the first '_', in lower case. */
#include "words.h"

#include "messages.h"

#include <ctype.h>
#include <string.h>

#define NAME(name, number, text) #name,
#define WORD(name, word, ...) "_" word,
static const char *const states[] = { SESSION_STATE_TABLE(NAME) };
static const char *const statuses[] = { NTSTATUS_TABLE(NAME) };
static const char *const ends[] = { END_REASON_TABLE(NAME) };
static const char *const refusals[] = { REFUSAL_TABLE(WORD) };
static const char *const spinups[] = { SPINUP_TABLE(WORD) };
static const char *const usages[] = { USAGE_TABLE(WORD) };

#define TABLE(names) { names, sizeof(names) / sizeof(*(names)) }
static const struct {
	const char *const *names;
	unsigned count;
} tables[] = {
	[WORDS_STATE] = TABLE(states),
	[WORDS_STATUS] = TABLE(statuses),
	[WORDS_END] = TABLE(ends),
	[WORDS_REFUSAL] = TABLE(refusals),
	[WORDS_SPINUP] = TABLE(spinups),
	[WORDS_USAGE] = TABLE(usages),
};

unsigned words_count(enum words which)
{
	return tables[which].count;
}

const char *word_of(enum words which, unsigned row, char word[WORD_SIZE])
{
	const char *name = strchr(tables[which].names[row], '_') + 1;
	size_t i = 0;

	for (; name[i] && i < WORD_SIZE - 1; i++)
		word[i] = (char)tolower((unsigned char)name[i]);
	word[i] = 0;
	return word;
}
