/* The command line of `musessload run`: what is taken, and what contradicts what. */
#include "run-options.h"

#include <getopt.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
/* cmocka wants the four above it */
#include <cmocka.h>

enum { WORDS = 32 };
static char password_file[] = "/tmp/test-load-options.XXXXXX";

/* Parses LINE, words between blanks; "@" stands for a user and a file of one password. What is
   said on standard error goes to SAID. */
static int parse(struct options *o, const char *line, char said[512])
{
	char *copy = strdup(line), *rest = copy, *word, *argv[WORDS] = { "run" };
	int argc = 1, saved = dup(STDERR_FILENO), pipes[2], status;
	ssize_t got;

	while ((word = strsep(&rest, " ")))
		if (strcmp(word, "@") == 0) {
			argv[argc++] = "-ulab%d";
			argv[argc++] = "--password-file";
			argv[argc++] = password_file;
		} else {
			argv[argc++] = word;
		}
	assert_int_equal(pipe(pipes), 0);
	dup2(pipes[1], STDERR_FILENO);
	close(pipes[1]);
	optind = 0; /* getopt begins anew */
	status = options_parse(o, argc, argv);
	dup2(saved, STDERR_FILENO);
	close(saved);
	got = read(pipes[0], said, 511);
	said[got > 0 ? got : 0] = 0;
	close(pipes[0]);
	free(copy);
	return status;
}

static void check_bad(const char *line, const char *want)
{
	struct options o;
	char said[512];

	if (parse(&o, line, said) != LOAD_EXIT_USAGE || !strstr(said, want))
		fail_msg("%s: said \"%s\", not \"%s\"", line, said, want);
	options_finish(&o);
}

static void check_good(struct options *o, const char *line)
{
	char said[512];

	if (parse(o, line, said) != -1)
		fail_msg("%s: %s", line, said);
}

static void test_good(void **data)
{
	struct options o;

	(void)data;
	check_good(&o, "127.0.0.1 @ --rate 20/s --duration 10s --hold 30s --threshold fail<1%");
	assert_string_equal(o.target, "127.0.0.1:3389");
	assert_int_equal(o.plan.count, 200);
	assert_int_equal(o.hold, 30000000);
	assert_int_equal(o.until, UNTIL_PICTURE);
	assert_int_equal(o.security, SECURITY_NLA);
	assert_int_equal(o.max_live, 2000);
	assert_int_equal(o.thresholds, 1);
	assert_string_equal(o.users.pattern, "lab%d");
	options_finish(&o);
	check_good(&o, "[::1]:33 @ --storm 3000 --until shell --end drop --security tls");
	assert_string_equal(o.target, "[::1]:33");
	assert_int_equal(o.max_live, 3000);
	options_finish(&o);
	check_good(
	    &o, "--concurrency 8 --count 10 @ 127.0.0.1:1 --connect-from 127.0.0.2,127.0.0.3");
	assert_int_equal(o.sources, 2);
	assert_int_equal(o.plan.lanes, 8);
	options_finish(&o);
	check_good(&o, "--sm /run/x --stages 0:1,5s:1");
	assert_string_equal(o.target, "/run/x");
	options_finish(&o);
}

static void test_bad(void **data)
{
	(void)data;
	check_bad("", "target has no host");
	check_bad("127.0.0.1 x @ --storm 1", "\"x\" is too many");
	check_bad("127.0.0.1:0 @ --storm 1", "\"0\" is no port");
	check_bad("127.0.0.1 @", "there is no plan");
	check_bad("127.0.0.1 @ --rate 5 --storm 3", "--rate and --storm contradict");
	check_bad("127.0.0.1 @ --stages 0:1,1s:1 --concurrency 3 --count 3", "contradict");
	check_bad("127.0.0.1 @ --rate 0 --count 3", "starts nothing");
	check_bad("127.0.0.1 @ --rate x --count 3", "no rate");
	check_bad("127.0.0.1 @ --rate 5", "needs an end");
	check_bad(
	    "127.0.0.1 @ --rate 5 --count 3 --duration 3s", "--duration and --count contradict");
	check_bad("127.0.0.1 @ --rate 5 --duration 0", "no time in which");
	check_bad("127.0.0.1 @ --rate 5 --duration 10",
	    "\"10\" is no time: 30s, 500ms and 2m are, a number needs its unit");
	check_bad("127.0.0.1 @ --rate 5 --count 3 --hold 10", "needs its unit");
	check_bad("127.0.0.1 @ --stages 0:0,10:5/s", "needs its unit");
	check_bad("127.0.0.1 @ --rate 5 --count 0", "\"0\" is no number");
	check_bad("127.0.0.1 @ --storm 5 --count 5", "--count contradicts");
	check_bad("127.0.0.1 @ --stages 0:1,1s:1 --duration 5s", "--duration contradicts");
	check_bad("127.0.0.1 @ --stages 0:0", "no start");
	check_bad("127.0.0.1 @ --storm 5 --max-live 3", "contradict");
	check_bad("127.0.0.1 @ --concurrency 5", "needs an end");
	check_bad("127.0.0.1 @ --concurrency 5 --count 3", "never that many");
	check_bad("127.0.0.1 @ --concurrency 5 --count 9 --segment 1/2", "no plan to share");
	check_bad("127.0.0.1 @ --concurrency 5 --count 9 --ramp-down 1s", "--ramp-down");
	check_bad("127.0.0.1 @ --concurrency 5 --duration 9s --seed 1", "--seed needs --count");
	check_bad("127.0.0.1 @ --storm 3 --segment 4/4", "none for this one");
	check_bad("127.0.0.1 @ --storm 3 --segment 5/4", "no K/N");
	check_bad("127.0.0.1 @ --storm 3 --seed x", "no number");
	check_bad("127.0.0.1 @ --storm 3 --until there", "none of connected");
	check_bad("127.0.0.1 @ --storm 3 --end well", "none of disconnect");
	check_bad("127.0.0.1 @ --storm 3 --security rdp", "none of nla");
	check_bad("127.0.0.1 @ --storm 3 --deadline 1ms", "too short");
	check_bad("127.0.0.1 @ --storm 3 --reconnect --end logoff", "no session to come back to");
	check_bad("127.0.0.1 @ --storm 3 --connect-from ::1", "not of one family");
	check_bad("127.0.0.1 @ --storm 3 --connect-from here", "no address");
	check_bad("127.0.0.1 @ --storm 3 --script /nonexistent", "No such file");
	check_bad("127.0.0.1 @ --storm 3 --script /dev/null", "no step in it");
	check_bad("127.0.0.1 @ --storm 3 --threshold nonsense", "--threshold");
	check_bad("127.0.0.1 @ --storm 3 --threshold "
	          "p95(total)<0000000000000000000000000000000000000000000000000800ms",
	    "longer than 63 bytes");
	check_bad("127.0.0.1 @ --storm 3 --abort-on-fail", "needs a --threshold");
	check_bad("127.0.0.1 @ --storm 3 --max-search", "needs --rate");
	check_bad("127.0.0.1 @ --rate 3 --duration 1s --max-search", "needs a --threshold");
	check_bad("127.0.0.1 -u lab --storm 3", "no password");
	check_bad("127.0.0.1 --storm 3 --password-file x", "who logs on");
	check_bad("127.0.0.1 -u lab%s --password-file x --storm 3", "understood");
	check_bad("127.0.0.1 -u lab --password-file /nonexistent --storm 3", "No such file");
	check_bad("--sm --storm 3 @", "--sm and --user contradict");
	check_bad("--sm --storm 3 --reconnect", "--sm and --reconnect contradict");
}

/* A password for each of two users: no more of them at a time. */
static void test_short_file(void **data)
{
	FILE *file = fopen(password_file, "a");
	struct options o;

	(void)data;
	assert_non_null(file);
	fputs("another\n", file);
	fclose(file);
	check_bad("127.0.0.1 @ --storm 3", "too short: it has the passwords of 2 users");
	check_good(&o, "127.0.0.1 @ --rate 1 --count 30 --max-live 2");
	options_finish(&o);
}

static int make_file(void **data)
{
	int fd = mkstemp(password_file);

	(void)data;
	return fd >= 0 && write(fd, "secret\n", 7) == 7 ? close(fd) : -1;
}

static int remove_file(void **data)
{
	(void)data;
	return unlink(password_file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_short_file),
	};

	return cmocka_run_group_tests(tests, make_file, remove_file);
}
