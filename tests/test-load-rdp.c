/* musessload's connections where they cannot be made: what they have not got by then is nobody's. */
#include "rdp-hooks.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* cmocka wants the four above it */
#include <cmocka.h>

void hooks_warm_up(rdpContext *context, const struct options *options)
{
	(void)context;
	(void)options;
}

bool hooks_install(struct rdp *rdp)
{
	(void)rdp;
	return false;
}

/* A connection without hooks is given up. Its socket, which it never had, is not descriptor 0. */
static void test_no_hooks(void **state)
{
	static const struct options options = { .deadline = 1000000 };

	(void)state;
	assert_return_code(fcntl(0, F_GETFD), 0);
	assert_int_equal(rdp_warm_up(&options), 0);
	assert_null(rdp_create());
	assert_return_code(fcntl(0, F_GETFD), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_no_hooks) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
