/* What the filter of termsrv and its workers lets through where a call can be of both kinds. */
#include "../daemon/sandbox-filter.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static bool set(int socket, int level, int option)
{
	const struct linger value = { 1, 1 }; /* is a number for the others */

	return setsockopt(socket, level, option, &value, sizeof(value)) == 0;
}

/* In a child, with the filter. */
static int try_options(int socket)
{
	struct sock_fprog filter;

	if (sandbox_build_filter(NULL, 0, &filter) < 0 ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || bpf_load(&filter) < 0)
		return 1;
	if (!set(socket, SOL_SOCKET, SO_KEEPALIVE) || !set(socket, SOL_SOCKET, SO_RCVLOWAT) ||
	    !set(socket, IPPROTO_TCP, TCP_NODELAY))
		return 2;
	if (set(socket, SOL_SOCKET, SO_LINGER) || errno != EPERM)
		return 3;
	return set(socket, IPPROTO_TCP, TCP_ULP) || errno != EPERM ? 4 : 0;
}

static void no_socket_lingers(void **state)
{
	int s = socket(AF_INET, SOCK_STREAM, 0), status = -1;
	pid_t pid;

	(void)state;
	assert_true(set(s, SOL_SOCKET, SO_LINGER)); /* without it */
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(try_options(s));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	close(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(no_socket_lingers) };

	return cmocka_run_group_tests_name("sandbox-filter", tests, NULL, NULL);
}
