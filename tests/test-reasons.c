/*
 * Why sessions end: the number goes to clients, which have a name for each of them, and none that
 * says something else.
 */
#include "messages.h"

#include <freerdp/error.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

/* The names of clients, and that of END_NONE, which is not sent. */
static void clients_have_names(void **state)
{
	static const struct {
		uint32_t reason;
		const char *name;
	} names[] = {
		{ END_NONE, "ERRINFO_SUCCESS" },
		{ END_ADMIN_DISCONNECT, "ERRINFO_RPC_INITIATED_DISCONNECT" },
		{ END_ADMIN_LOGOFF, "ERRINFO_RPC_INITIATED_LOGOFF" },
		{ END_IDLE_LIMIT, "ERRINFO_IDLE_TIMEOUT" },
		{ END_TIME_LIMIT, "ERRINFO_LOGON_TIMEOUT" },
		{ END_REPLACED, "ERRINFO_DISCONNECTED_BY_OTHER_CONNECTION" },
		{ END_OUT_OF_MEMORY, "ERRINFO_OUT_OF_MEMORY" },
		{ END_DENIED, "ERRINFO_SERVER_DENIED_CONNECTION" },
		{ END_USER_DISCONNECT, "ERRINFO_RPC_INITIATED_DISCONNECT_BY_USER" },
		{ END_USER_LOGOFF, "ERRINFO_LOGOFF_BY_USER" },
		{ END_WINLOGON_CRASH, "ERRINFO_SERVER_WINLOGON_CRASH" },
		{ END_CSRSS_CRASH, "ERRINFO_SERVER_CSRSS_CRASH" },
	};

	(void)state;
	assert_int_equal(sizeof(names) / sizeof(*names), END_REASON_COUNT);
	for (unsigned i = 0; i < END_REASON_COUNT; i++) {
		assert_int_equal(end_reason_row(names[i].reason), i);
		assert_string_equal(freerdp_get_error_info_name(names[i].reason), names[i].name);
	}
}

static void what_failed(void **state)
{
	(void)state;
	assert_true(end_reason_failed(END_CSRSS_CRASH));
	assert_true(end_reason_failed(END_WINLOGON_CRASH));
	assert_false(end_reason_failed(END_NONE));
	assert_false(end_reason_failed(END_OUT_OF_MEMORY));
	assert_false(end_reason_failed(END_DENIED));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(clients_have_names),
		cmocka_unit_test(what_failed) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
