/* Names of the numbers in messages.h, from the tables there; the answer to SM_PING. */
#include "messages.h"

int ping_answer(int port)
{
	struct msg_plain m;

	port_header(&m.h, SM_PING, sizeof(m), 0);
	return port_send(port, &m.h, -1);
}

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

bool end_reason_failed(uint32_t reason)
{
	return reason == END_WINLOGON_CRASH || reason == END_CSRSS_CRASH;
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

unsigned status_row(int32_t status)
{
	static const int32_t rows[STATUS_COUNT] = {
#define STATUS_ROW(name, number, text) name,
		NTSTATUS_TABLE(STATUS_ROW)
#undef STATUS_ROW
	};
	unsigned other = 0;

	for (unsigned i = 0; i < STATUS_COUNT; i++) {
		if (rows[i] == status)
			return i;
		if (rows[i] == STATUS_UNSUCCESSFUL)
			other = i;
	}
	return other;
}

unsigned end_reason_row(uint32_t reason)
{
	static const uint32_t rows[END_REASON_COUNT] = {
#define END_REASON_ROW(name, number, text) name,
		END_REASON_TABLE(END_REASON_ROW)
#undef END_REASON_ROW
	};

	for (unsigned i = 0; i < END_REASON_COUNT; i++)
		if (rows[i] == reason)
			return i;
	return 0;
}
