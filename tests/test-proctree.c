/* The walk through /proc: the rules on made-up processes, musessctl's ps on real ones. */
#include "../daemon/proctree.h"
#include "fake-smss.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static void assert_parsed(const char *line, pid_t pid, pid_t parent, const char *image)
{
	struct proctree_entry e;

	assert_int_equal(proctree_parse(line, &e), 0);
	assert_int_equal(e.pid, pid);
	assert_int_equal(e.parent, parent);
	assert_string_equal(e.image, image);
}

static void test_proctree_parse(void **data)
{
	static const char *const bad[] = { "", "12", "12 ", "12 bash S 1 1", "12 (bash",
		"12 (bash)", "12 (bash) S", "12 (bash) S ", "12 (bash) S 1", "12 (bash) SS 1 1",
		"12 (bash) S -1 1", "x (bash) S 1 1", "12 )bash( S 1 1", "99999999999 (bash) S 1 1",
		"12 (bash) S 99999999999999999999 1" };
	struct proctree_entry e;

	(void)data;
	assert_parsed("12 (bash) S 1 12 12 0", 12, 1, "bash");
	assert_parsed("4194303 () R 4194302 1", 4194303, 4194302, "");
	assert_parsed("12 (a) S 7 (b) c) Z 1 12", 12, 1, "a) S 7 (b) c");
	assert_parsed("12 (a\n\033[2J\x7f) S 1 12", 12, 1, "a??[2J?");
	assert_parsed("12 (\xc3\xa4) S 1 12", 12, 1, "\xc3\xa4");
	assert_parsed("12 (x\xc3\xa4\xe2\x82) S 1 12", 12, 1, "x????");
	assert_parsed(
	    "12 (0123456789012345678901234567890123456789012345678901234567890123) S 1 12", 12, 1,
	    "012345678901234567890123456789012345678901234567890123456789012");
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_int_equal(proctree_parse(bad[i], &e), -1);
	/* each number is that of its field */
	assert_int_equal(proctree_parse("12 (a) S 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 "
	                                "22 23 24 25 26 27 28 29 30 31 32 33 34 35 36 37 38 39 40 "
	                                "41 42 43 44 45 46 47 48 49 50 51 52\n",
	                     &e),
	    0);
	assert_int_equal(e.parent, 4);
	assert_int_equal(e.ticks, 14 + 15 + 16 + 17);
	assert_int_equal(e.own, 14 + 15);
	assert_int_equal(e.user, 14 + 16);
	assert_int_equal(e.faults, 10 + 11 + 12 + 13);
	assert_int_equal(e.threads, 20);
	assert_int_equal(e.started, 22);
	assert_int_equal(e.size, 23);
	assert_int_equal(e.resident, 24);
	assert_int_equal(e.code, 26);
	assert_int_equal(e.arguments, 48);
}

static void test_proctree_rollup(void **data)
{
	static const char *const bad[] = { "", "Private_Clean: 1 kB\nPrivate_Dirty: 2 kB\n",
		"\nPrivate_Clean:        4 kB\n", "\nPrivate_Clean: 1 kB\nPrivate_Dirty: 2",
		"\nPrivate_Clean: kB\nPrivate_Dirty: 2 kB\n" };
	struct proctree_entry own = { .pid = getpid() }, gone = { .pid = 0, .resident = 3 };
	uint64_t bytes;

	(void)data;
	assert_int_equal(
	    proctree_parse_rollup("1-2 ---p 00000000 00:00 0 [rollup]\nRss:  9 kB\n"
	                          "Private_Clean:        4 kB\nPrivate_Dirty:       12 kB\n"
	                          "Swap: 0 kB\n",
	        &bytes),
	    0);
	assert_int_equal(bytes, 16 * 1024);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_int_equal(proctree_parse_rollup(bad[i], &bytes), -1);
	assert_in_range(proctree_memory(&own), 4096, 1 << 30);
	assert_int_equal(proctree_memory(&gone), 3 * sysconf(_SC_PAGESIZE));
}

static void test_proctree_assign(void **data)
{
	struct proctree_entry e[] = {
		{ .pid = 30, .parent = 20 },                           /* the shell's child */
		{ .pid = 1, .parent = 0 }, { .pid = 10, .parent = 1 }, /* smss */
		{ .pid = 11, .parent = 10 },                           /* termsrv */
		{ .pid = 90, .parent = 11 },                           /* rdpwd */
		{ .pid = 12, .parent = 10 },                           /* csrss of 1 */
		{ .pid = 13, .parent = 10 },                           /* winlogon of 1 */
		{ .pid = 20, .parent = 13 },                           /* its shell */
		{ .pid = 14, .parent = 10 }, /* a child of smss that it did not name */
		{ .pid = 21, .parent = 14 }, /* and that one's */
		{ .pid = 15, .parent = 1 },  /* took csrss's id: not smss's */
		{ .pid = 17, .parent = 1, .started = 170 }, /* an earlier smss's csrss of 3 */
		{ .pid = 18, .parent = 1, .started = 181 }, /* not its winlogon: that was older */
		{ .pid = 23, .parent = 17 }, { .pid = 22, .parent = 15 },
		{ .pid = 40, .parent = 41 }, { .pid = 41, .parent = 40 }, /* a circle */
		{ .pid = 50, .parent = 49 }, /* its parent has vanished */
		{ .pid = 16, .parent = 10 }, /* csrss of 0 */
	};
	struct proctree_root roots[] = { { 16, 0, 0 }, { 10, NO_SESSION, 0 }, { 11, NO_SESSION, 0 },
		{ 13, 1, 0 }, { 12, 1, 0 }, { 15, 2, 0 }, { 17, 3, 170 }, { 18, 3, 180 } };
	static const struct {
		pid_t pid;
		uint32_t session;
	} expected[] = { { 10, NO_SESSION }, { 11, NO_SESSION }, { 90, NO_SESSION }, { 16, 0 },
		{ 12, 1 }, { 13, 1 }, { 20, 1 }, { 30, 1 }, { 17, 3 }, { 23, 3 } };
	size_t count = proctree_assign(e, sizeof(e) / sizeof(*e), roots, 8, 10);

	(void)data;
	assert_int_equal(count, sizeof(expected) / sizeof(*expected));
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(e[i].pid, expected[i].pid);
		assert_int_equal(e[i].session, expected[i].session);
	}
}

/* A tree of processes, parents first. smss is the test's child. */
enum { SMSS, TERMSRV, RDPWD, STARTING, CSRSS, WINLOGON, SHELL, EDITOR, TREE_COUNT };
static const struct {
	const char *name;
	int parent;
} tree[TREE_COUNT] = {
	[SMSS] = { "smss", -1 },
	[TERMSRV] = { "termsrv", SMSS },
	[RDPWD] = { "rdpwd", TERMSRV },
	[STARTING] = { "csrss", SMSS }, /* of a session that began a moment ago */
	[CSRSS] = { "csrss", SMSS },
	[WINLOGON] = { "winlogon", SMSS },
	[SHELL] = { "sh", WINLOGON },
	[EDITOR] = { "vi (\033[2J) x", SHELL },
};

struct announcement {
	int number;
	pid_t pid;
};

/* In the child: starts its own children, each of which does the same, says who it is, and
   stays while its parent does. */
static void be_process(int number, int announce)
{
	struct announcement a;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (int i = 0; i < TREE_COUNT; i++)
		if (tree[i].parent == number && fork() == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			number = i;
			i = -1;
		}
	prctl(PR_SET_NAME, tree[number].name);
	a = (struct announcement){ number, getpid() };
	if (write(announce, &a, sizeof(a)) != sizeof(a))
		_exit(1);
	for (;;)
		pause();
}

static void start_tree(pid_t pids[TREE_COUNT])
{
	int announce[2];

	assert_int_equal(pipe2(announce, O_CLOEXEC), 0);
	pid_t smss = fork();
	assert_true(smss >= 0);
	if (smss == 0)
		be_process(SMSS, announce[1]);
	for (int i = 0; i < TREE_COUNT; i++) {
		struct announcement a;
		fake_await(announce[0]);
		assert_int_equal(read(announce[0], &a, sizeof(a)), sizeof(a));
		pids[a.number] = a.pid;
	}
	close(announce[0]);
	close(announce[1]);
}

static void stop_tree(const pid_t pids[TREE_COUNT])
{
	kill(pids[SMSS], SIGKILL);
	assert_int_equal(waitpid(pids[SMSS], NULL, 0), pids[SMSS]);
}

static void answer_processes(struct fake *f, const pid_t pids[TREE_COUNT], pid_t gone)
{
	struct msg_process smss = { .process = (uint32_t)pids[SMSS], .image = "smss" };
	struct msg_process termsrv = { .process = (uint32_t)pids[TERMSRV], .image = "termsrv" };
	struct msg_session sessions[] = { fake_sample[FAKE_EVE], fake_sample[FAKE_LAB] };
	uint32_t id;

	sessions[0].csrss = (uint32_t)gone;
	sessions[0].winlogon = 0;
	sessions[1].csrss = (uint32_t)pids[CSRSS];
	sessions[1].winlogon = (uint32_t)pids[WINLOGON];
	fake_answer_list(f, sessions, 2);
	id = fake_asked_plainly(f, CTL_SERVICE);
	smss.session = termsrv.session = NO_SESSION;
	FAKE_ANSWER(f, termsrv, CTL_PROCESS, id);
	FAKE_ANSWER(f, smss, CTL_PROCESS, id);
	fake_answer_end(f, id);
}

/* A process that has ended, and was one of smss's, as far as anybody can tell. */
static pid_t ended_process(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	return pid;
}

static int by_number(const void *a, const void *b)
{
	return *(const pid_t *)a - *(const pid_t *)b;
}

/* The rows of those processes of the tree, which belong together, by their ids. */
static void append_rows(char *text, const pid_t pids[TREE_COUNT], const int *which, size_t count)
{
	pid_t sorted[TREE_COUNT];

	for (size_t i = 0; i < count; i++)
		sorted[i] = pids[which[i]];
	qsort(sorted, count, sizeof(*sorted), by_number);
	for (size_t i = 0; i < count; i++) {
		int n = 0;
		while (pids[n] != sorted[i])
			n++;
		bool service = n <= RDPWD;
		pid_t parent = n == SMSS ? getpid() : pids[tree[n].parent];
		sprintf(text + strlen(text), "%-44s%s%7d%8d  %s\n",
		    service ? "" : " lab                   rdp-tcp#1", service ? "-" : "1",
		    sorted[i], parent, n == EDITOR ? "vi (?[2J) x" : tree[n].name);
	}
}

static void test_ps(void **data)
{
	static const int service[] = { SMSS, TERMSRV, RDPWD },
	                 session[] = { CSRSS, WINLOGON, SHELL, EDITOR };
	struct fake *f = *data;
	char expected[4096];
	pid_t pids[TREE_COUNT];

	start_tree(pids);
	strcpy(expected, " USERNAME              SESSIONNAME         ID    PID  PARENT  IMAGE\n");
	append_rows(expected, pids, service, 3);
	append_rows(expected, pids, session, 4);
	fake_run(f, "ps");
	answer_processes(f, pids, ended_process());
	fake_assert_success(f);
	assert_string_equal(f->out, expected);
	stop_tree(pids);
}

static void test_ps_json(void **data)
{
	struct fake *f = *data;
	pid_t pids[TREE_COUNT];
	json_t *array, *editor = NULL, *termsrv = NULL, *p;
	size_t i;

	start_tree(pids);
	fake_run(f, "ps", "--json");
	answer_processes(f, pids, ended_process());
	array = fake_parse_output(f);
	assert_int_equal(json_array_size(array), 7);
	json_array_foreach(array, i, p)
	{
		json_int_t pid = json_integer_value(json_object_get(p, "pid"));
		editor = pid == pids[EDITOR] ? p : editor;
		termsrv = pid == pids[TERMSRV] ? p : termsrv;
	}
	json_t *wanted =
	    json_pack("{s:i, s:s, s:s, s:i, s:i, s:s}", "session", 1, "user", "lab", "session_name",
	        "RDP-Tcp#1", "pid", pids[EDITOR], "parent", pids[SHELL], "image", "vi (?[2J) x");
	assert_true(json_equal(editor, wanted));
	json_decref(wanted);
	wanted = json_pack("{s:n, s:s, s:s, s:i, s:i, s:s}", "session", "user", "", "session_name",
	    "", "pid", pids[TERMSRV], "parent", pids[SMSS], "image", "termsrv");
	assert_true(json_equal(termsrv, wanted));
	json_decref(wanted);
	json_decref(array);
	stop_tree(pids);
}

/* Processes begin and end all the while: those that stay are listed every time. */
static void test_ps_while_processes_vanish(void **data)
{
	struct fake *f = *data;
	pid_t pids[TREE_COUNT], gone = ended_process(), churn;

	start_tree(pids);
	churn = fork();
	if (churn == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;) {
			pid_t pid = fork();
			if (pid == 0)
				_exit(0);
			waitpid(pid, NULL, 0);
		}
	}
	for (int turn = 0; turn < 20; turn++) {
		fake_run(f, "ps", "--json");
		answer_processes(f, pids, gone);
		json_t *array = fake_parse_output(f);
		assert_int_equal(json_array_size(array), 7);
		json_decref(array);
	}
	kill(churn, SIGKILL);
	assert_int_equal(waitpid(churn, NULL, 0), churn);
	stop_tree(pids);
}

static void test_ps_without_smss(void **data)
{
	struct fake *f = *data;

	fake_run(f, "ps");
	fake_answer_list(f, fake_sample, FAKE_SAMPLE_COUNT);
	fake_answer_end(f, fake_asked_plainly(f, CTL_SERVICE));
	fake_assert_failure(f, 1, "musessctl: ps: what answers at ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_proctree_parse),
		cmocka_unit_test(test_proctree_rollup),
		cmocka_unit_test(test_proctree_assign),
		FAKE_TEST(test_ps),
		FAKE_TEST(test_ps_json),
		FAKE_TEST(test_ps_while_processes_vanish),
		FAKE_TEST(test_ps_without_smss),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
