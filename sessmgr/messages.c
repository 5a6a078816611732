/* Names of the numbers in messages.h, from the tables there. */
#include "messages.h"

const char *end_reason_text(uint32_t reason)
{
	switch (reason) {
#define END_REASON_CASE(name, number, text)                                                        \
	case number:                                                                               \
		return text;
		END_REASON_TABLE(END_REASON_CASE)
#undef END_REASON_CASE
	}
	return "unknown reason";
}

const char *session_state_text(uint32_t state)
{
	switch (state) {
#define SESSION_STATE_CASE(name, number, text)                                                     \
	case number:                                                                               \
		return text;
		SESSION_STATE_TABLE(SESSION_STATE_CASE)
#undef SESSION_STATE_CASE
	}
	return "?";
}
