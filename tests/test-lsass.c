/*
 * lsass as smss runs it: the real program (its path is in LSASS), real ports, a directory
 * and namespaces of its own. The test is smss and termsrv. What lsass logs goes to a file
 * beside the directory; a line is there before the answer that it belongs to.
 */
#include "../daemon/sandbox.h"
#include "../sessmgr/messages.h"
#include "../sessmgr/ntstatus.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

enum { PATIENCE = 20000 }; /* milliseconds for any answer */

#define NAMESPACES (CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWPID)
#define ADDRESS "192.0.2.7:50000"

#if defined(__SANITIZE_ADDRESS__)
#define WITH_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WITH_ASAN 1
#endif
#endif

/* One lsass and what the test holds of it. */
struct fixture {
	char path[64]; /* of the directory that holds state/ and log */
	int state;     /* descriptor of state/ */
	pid_t pid;     /* -1: not running */
	int smss, termsrv;
};

/* ---- starting and ending ---- */

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		_exit(120);
	close(fd);
}

/* In the child: root of its user namespace is who the test was. */
static void map_ids(uid_t uid, gid_t gid)
{
	char line[64];

	write_file("/proc/self/setgroups", "deny");
	snprintf(line, sizeof(line), "0 %u 1", uid);
	write_file("/proc/self/uid_map", line);
	snprintf(line, sizeof(line), "0 %u 1", gid);
	write_file("/proc/self/gid_map", line);
}

/* As fork, into namespaces; the child is their root. */
static pid_t fork_into(unsigned long namespaces)
{
	uid_t uid = geteuid();
	gid_t gid = getegid();
	pid_t pid = (pid_t)syscall(SYS_clone, namespaces | SIGCHLD, NULL, NULL, NULL, NULL);

	if (pid == 0 && (namespaces & CLONE_NEWUSER))
		map_ids(uid, gid);
	if (pid < 0)
		fail_msg("clone with namespaces: %s", strerror(errno));
	return pid;
}

/* In the child: becomes lsass with its two descriptors, the log, and nothing else. */
static void exec_lsass(int port, int directory, int log)
{
	const char *program = getenv("LSASS");
	int high[] = { fcntl(port, F_DUPFD, 10), fcntl(directory, F_DUPFD, 10),
		fcntl(log, F_DUPFD, 10) };

	if (!program || dup2(high[0], 3) < 0 || dup2(high[1], 4) < 0 ||
	    dup2(high[2], STDERR_FILENO) < 0 || syscall(SYS_close_range, 5, ~0U, 0) < 0)
		_exit(121);
	execl(program, "lsass", LSASS_PATTERNS, (char *)NULL);
	_exit(122);
}

static int log_open(const struct fixture *f)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/log", f->path);
	int fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	return fd;
}

static void launch(struct fixture *f, unsigned long namespaces)
{
	int pair[2], log = log_open(f);

	assert_int_equal(port_pair(pair), 0);
	f->pid = fork_into(namespaces);
	if (f->pid == 0) {
		if (!namespaces && sandbox_drop_privileges() < 0)
			_exit(123);
		exec_lsass(pair[1], f->state, log);
	}
	close(log);
	close(pair[1]);
	f->smss = pair[0];
}

/* The exit status of the child, -1 where a signal ended it. */
static int ended(struct fixture *f)
{
	int status;

	assert_int_equal(waitpid(f->pid, &status, 0), f->pid);
	f->pid = -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* ---- talking ---- */

/* Receives one message into M. Returns its length, 0 where the port was closed. */
static size_t receive(int port, void *m, size_t size)
{
	struct pollfd readable = { .fd = port, .events = POLLIN };

	assert_int_equal(poll(&readable, 1, PATIENCE), 1);
	ssize_t got = port_receive(port, m, size, NULL);
	assert_true(got >= 0 || errno == ECONNRESET);
	return got < 0 ? 0 : (size_t)got;
}

static void assert_closed(int port)
{
	uint64_t buffer[64];

	assert_int_equal(receive(port, buffer, sizeof(buffer)), 0);
}

static struct lsa_answer answer_of(int port, uint16_t type, uint32_t id)
{
	struct lsa_answer a = { 0 };

	assert_int_equal(receive(port, &a, sizeof(a)), sizeof(a));
	assert_int_equal(a.h.type, type);
	assert_int_equal(a.h.message_id, id);
	return a;
}

static struct lsa_request request(uint16_t type, const char *user, const char *password)
{
	static uint32_t id;
	struct lsa_request r = { 0 };

	port_header(&r.h, type, sizeof(r), ++id);
	snprintf(r.user, sizeof(r.user), "%s", user);
	snprintf(r.password, sizeof(r.password), "%s", password);
	snprintf(r.address, sizeof(r.address), "%s", ADDRESS);
	return r;
}

static struct lsa_answer ask(int port, const struct lsa_request *r)
{
	assert_int_equal(port_send(port, &r->h, -1), 0);
	return answer_of(port, LSA_ANSWER, r->h.message_id);
}

static int32_t account(struct fixture *f, uint16_t type, const char *user, const char *password)
{
	struct lsa_request r = request(type, user, password);

	return ask(f->smss, &r).status;
}

/* The same, and whose account it was. */
static void assert_users(struct fixture *f, uint16_t type, const char *user, const char *users)
{
	struct lsa_request r = request(type, user, "new");
	struct lsa_answer a = ask(f->smss, &r);

	assert_int_equal(a.status, STATUS_SUCCESS);
	assert_string_equal(a.user, users);
}

/* Tries to log on. EXPECTED is the name that is answered; NULL: a failure is. */
static void assert_logon(
    struct fixture *f, const char *user, const char *password, const char *expected)
{
	struct lsa_request r = request(LSA_LOGON, user, password);
	struct lsa_answer a = ask(f->termsrv, &r);

	assert_int_equal(a.status, expected ? STATUS_SUCCESS : STATUS_LOGON_FAILURE);
	assert_string_equal(a.user, expected ? expected : "");
}

/* Asks for the list, and compares it with the names, COUNT of them. */
static void assert_list(struct fixture *f, const char *const *names, size_t count)
{
	struct msg_plain list;

	port_header(&list.h, ACCT_LIST, sizeof(list), 4711);
	assert_int_equal(port_send(f->smss, &list.h, -1), 0);
	for (size_t i = 0; i < count; i++)
		assert_string_equal(answer_of(f->smss, ACCT_ENTRY, 4711).user, names[i]);
	assert_int_equal(answer_of(f->smss, LSA_ANSWER, 4711).status, STATUS_SUCCESS);
}

/* Gives lsass a new port to termsrv; the test keeps the other end. */
static void give_port(struct fixture *f)
{
	struct msg_plain m;
	int pair[2];

	fd_close(&f->termsrv);
	assert_int_equal(port_pair(pair), 0);
	port_header(&m.h, LSA_PORT, sizeof(m), 0);
	assert_int_equal(port_send(f->smss, &m.h, pair[1]), 0);
	close(pair[1]);
	f->termsrv = pair[0];
}

static void start_lsass(struct fixture *f)
{
	struct msg_plain ready = { 0 };

	launch(f, NAMESPACES);
	if (receive(f->smss, &ready, sizeof(ready)) != sizeof(ready))
		fail_msg("lsass did not start: see its log in %s", f->path);
	assert_int_equal(ready.h.type, LSA_READY);
	give_port(f);
}

/* smss's port closes: lsass ends by itself, in order. */
static void stop_lsass(struct fixture *f)
{
	fd_close(&f->smss);
	assert_int_equal(ended(f), 0);
	fd_close(&f->termsrv);
}

/* ---- files ---- */

static char *read_at(int directory, const char *name)
{
	static char text[65536];
	int fd = openat(directory, name, O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	ssize_t got = read(fd, text, sizeof(text) - 1);
	assert_true(got >= 0);
	text[got] = 0;
	close(fd);
	return text;
}

static char *log_text(const struct fixture *f)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/log", f->path);
	return read_at(AT_FDCWD, path);
}

static void assert_logged(const struct fixture *f, const char *line)
{
	if (!strstr(log_text(f), line))
		fail_msg("not in the log: %s\n%s", line, log_text(f));
}

static void accounts_write(const struct fixture *f, const char *text)
{
	int fd = openat(f->state, "accounts", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

/* ---- fixture ---- */

static int set_up(void **data)
{
	static struct fixture f;
	char path[128];

	f = (struct fixture){
		.path = "/tmp/test-lsass.XXXXXX", .pid = -1, .smss = -1, .termsrv = -1
	};
	if (!mkdtemp(f.path))
		return -1;
	snprintf(path, sizeof(path), "%s/state", f.path);
	if (mkdir(path, 0700) < 0)
		return -1;
	f.state = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	*data = &f;
	return f.state < 0 ? -1 : 0;
}

static int tear_down(void **data)
{
	struct fixture *f = *data;
	char path[128];

	if (f->pid != -1) {
		kill(f->pid, SIGKILL);
		waitpid(f->pid, NULL, 0);
	}
	fd_close(&f->smss);
	fd_close(&f->termsrv);
	for (int i = 0; i < 4; i++) /* files of lsass's, directories that tests put in the way */
		(void)unlinkat(
		    f->state, i & 1 ? "accounts" : "accounts.new", i & 2 ? AT_REMOVEDIR : 0);
	fd_close(&f->state);
	snprintf(path, sizeof(path), "%s/state", f->path);
	int left = rmdir(path);
	snprintf(path, sizeof(path), "%s/log", f->path);
	(void)unlink(path);
	return rmdir(f->path) < 0 || left < 0 ? -1 : 0;
}

/* ---- tests ---- */

static void test_accounts(void **data)
{
	static const char *const two[] = { "joe", "lab*" }, *const one[] = { "lab*" };
	struct fixture *f = *data;
	struct stat st;

	start_lsass(f);
	assert_list(f, NULL, 0);
	assert_int_equal(account(f, ACCT_ADD, "joe", "secret"), STATUS_SUCCESS);
	assert_int_equal(account(f, ACCT_ADD, "JOE", "secret"), STATUS_OBJECT_NAME_COLLISION);
	assert_int_equal(account(f, ACCT_ADD, "j/oe", "secret"), STATUS_INVALID_PARAMETER);
	assert_int_equal(account(f, ACCT_ADD, "lab*", "secret"), STATUS_SUCCESS);
	assert_list(f, two, 2);
	assert_int_equal(account(f, ACCT_PASSWD, "Joe", "other"), STATUS_SUCCESS);
	assert_logon(f, "joe", "secret", NULL);
	assert_logon(f, "joe", "other", "joe");
	assert_int_equal(account(f, ACCT_PASSWD, "eve", "x"), STATUS_OBJECT_NAME_NOT_FOUND);
	assert_int_equal(account(f, ACCT_REMOVE, "joe", ""), STATUS_SUCCESS);
	assert_int_equal(account(f, ACCT_REMOVE, "joe", ""), STATUS_OBJECT_NAME_NOT_FOUND);
	assert_list(f, one, 1);
	assert_logon(f, "joe", "other", NULL);
	assert_int_equal(fstatat(f->state, "accounts", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(faccessat(f->state, "accounts.new", F_OK, 0), -1);
	stop_lsass(f);
	assert_null(strstr(log_text(f), "secret"));
	assert_null(strstr(read_at(f->state, "accounts"), "secret"));
}

static void test_users(void **data)
{
	struct fixture *f = *data;

	start_lsass(f);
	assert_int_equal(account(f, ACCT_ADD, "Joe", "secret"), STATUS_SUCCESS);
	assert_int_equal(account(f, ACCT_ADD, "Lab*", "pattern"), STATUS_SUCCESS);
	assert_users(f, ACCT_PASSWD, "jOE", "Joe");
	assert_users(f, ACCT_PASSWD, "LAB*", "lab*");
	assert_users(f, ACCT_REMOVE, "lab*", "lab*");
	assert_users(f, ACCT_REMOVE, "joe", "Joe");
	stop_lsass(f);
}

static void test_logon(void **data)
{
	struct fixture *f = *data;

	start_lsass(f);
	assert_int_equal(account(f, ACCT_ADD, "Joe", "secret"), STATUS_SUCCESS);
	assert_int_equal(account(f, ACCT_ADD, "lab*", "pattern"), STATUS_SUCCESS);
	assert_logon(f, "jOE", "secret", "Joe");
	assert_logon(f, "joe", "Secret", NULL);
	assert_logged(
	    f, "logon failed for user \"joe\" from " ADDRESS ": unknown user or wrong password\n");
	assert_logon(f, "eve", "secret", NULL);
	assert_logged(
	    f, "logon failed for user \"eve\" from " ADDRESS ": unknown user or wrong password\n");
	assert_logon(f, "e\"ve", "secret", NULL);
	assert_logged(f, "logon failed for user \"e?ve\" from ");
	assert_logon(f, "", "", NULL);
	assert_logon(f, "LAB7", "pattern", "lab7");
	assert_logon(f, "lab8", "pattern", "lab8");
	assert_logon(f, "lab8", "secret", NULL);
	assert_logon(f, "lab*", "pattern", NULL);
	assert_logon(f, "lab/../joe", "pattern", NULL);
	stop_lsass(f);
}

/* The exchange of MS-NLMP 4.2.4, which "User" of "Domain" makes with "Password". */
static const uint8_t ntlm_blob[] = { /* the server's challenge; what follows the proof */
	0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
	0, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0, 0, 0, 0, 2, 0, 12, 0, 'D', 0, 'o', 0,
	'm', 0, 'a', 0, 'i', 0, 'n', 0, 1, 0, 12, 0, 'S', 0, 'e', 0, 'r', 0, 'v', 0, 'e', 0, 'r', 0,
	0, 0, 0, 0, 0, 0, 0, 0
};
static const uint8_t ntlm_proof[] = { 0x68, 0xcd, 0x0a, 0xb8, 0x51, 0xe5, 0x1c, 0x96, 0xaa, 0xbc,
	0x92, 0x7b, 0xeb, 0xef, 0x6a, 0x1c };

static struct lsa_ntlm ntlm_request(const char *user, const uint8_t *proof)
{
	static uint32_t id = 1000;
	struct lsa_ntlm r = {
		.domain = "Domain", .address = ADDRESS, .blob_size = sizeof(ntlm_blob)
	};

	port_header(&r.h, LSA_NTLM, sizeof(r), ++id);
	snprintf(r.user, sizeof(r.user), "%s", user);
	memcpy(r.proof, proof, sizeof(r.proof));
	memcpy(r.blob, ntlm_blob, sizeof(ntlm_blob));
	return r;
}

static struct lsa_answer ask_ntlm(struct fixture *f, const struct lsa_ntlm *r)
{
	assert_int_equal(port_send(f->termsrv, &r->h, -1), 0);
	return answer_of(f->termsrv, LSA_ANSWER, r->h.message_id);
}

/* Each fails alike, and the hash that comes is neither the user's nor one that comes twice. */
static void assert_no_hash(struct fixture *f, const struct lsa_ntlm *r, const uint8_t *hash)
{
	static const uint8_t zero[NTLM_HASH_SIZE];
	struct lsa_answer first = ask_ntlm(f, r), second = ask_ntlm(f, r);

	assert_int_equal(first.status, STATUS_LOGON_FAILURE);
	assert_string_equal(first.user, "");
	assert_memory_not_equal(first.hash, hash, sizeof(first.hash));
	assert_memory_not_equal(first.hash, zero, sizeof(first.hash));
	assert_memory_not_equal(first.hash, second.hash, sizeof(first.hash));
}

/* The hash is for whoever proves the password, and for nobody who only has a name. */
static void test_ntlm(void **data)
{
	static const uint8_t expected[] = { 0x0c, 0x86, 0x8a, 0x40, 0x3b, 0xfd, 0x7a, 0x93, 0xa3,
		0x00, 0x1e, 0xf2, 0x2e, 0xf0, 0x2e, 0x3f }; /* MS-NLMP 4.2.4.1.1 */
	static const uint8_t none[NTLM_HASH_SIZE];
	struct fixture *f = *data;
	struct lsa_ntlm r;

	start_lsass(f);
	assert_int_equal(account(f, ACCT_ADD, "user", "Password"), STATUS_SUCCESS);
	assert_int_equal(account(f, ACCT_ADD, "other", "secret"), STATUS_SUCCESS);
	r = ntlm_request("User", ntlm_proof);
	struct lsa_answer a = ask_ntlm(f, &r);
	assert_int_equal(a.status, STATUS_SUCCESS);
	assert_string_equal(a.user, "user");
	assert_memory_equal(a.hash, expected, sizeof(expected));
	r.blob[20] ^= 1; /* another time */
	assert_no_hash(f, &r, expected);
	r = ntlm_request("User", none);
	assert_no_hash(f, &r, expected);
	r.blob_size = 0;
	assert_no_hash(f, &r, expected);
	r = ntlm_request("other", ntlm_proof);
	assert_no_hash(f, &r, expected);
	r = ntlm_request("Eve", ntlm_proof);
	assert_no_hash(f, &r, expected);
	assert_logged(f, "logon failed for user \"Eve\" from " ADDRESS);
	assert_logged(f, "logon failed for user \"User\" from " ADDRESS);
	stop_lsass(f);
}

/* What has no place in a message fails, and is a logon that failed like any other. */
static void test_unusable(void **data)
{
	struct fixture *f = *data;
	struct lsa_request r = request(LSA_LOGON, "joe", "secret");

	start_lsass(f);
	assert_int_equal(account(f, ACCT_ADD, "joe", "secret"), STATUS_SUCCESS);
	assert_int_equal(ask(f->termsrv, &r).status, STATUS_SUCCESS);
	r.unusable = 1;
	assert_int_equal(ask(f->termsrv, &r).status, STATUS_LOGON_FAILURE);
	assert_logged(f, "logon failed for user \"joe\" from " ADDRESS);
	stop_lsass(f);
}

static void test_domain(void **data)
{
	struct fixture *f = *data;
	struct lsa_request r = request(LSA_LOGON, "joe@corp.example", "secret");

	start_lsass(f);
	assert_int_equal(account(f, ACCT_ADD, "joe", "secret"), STATUS_SUCCESS);
	assert_string_equal(ask(f->termsrv, &r).domain, "corp.example");
	assert_logon(f, "joe@corp.example", "secret", "joe");
	assert_logon(f, "CORP\\JOE", "secret", "joe");
	assert_logon(f, "joe@corp.example", "wrong", NULL);
	stop_lsass(f);
}

/* A restart keeps the accounts, and the lines that are none. */
static void test_restart(void **data)
{
	static const char *const names[] = { "joe" };
	struct fixture *f = *data;

	accounts_write(f, "torn:$y$j9T$Zg");
	start_lsass(f);
	assert_logged(f, "accounts:1: ");
	assert_list(f, NULL, 0);
	assert_int_equal(account(f, ACCT_ADD, "joe", "secret"), STATUS_SUCCESS);
	stop_lsass(f);
	assert_memory_equal(read_at(f->state, "accounts"), "torn:$y$j9T$Zg\njoe:$y$", 22);
	start_lsass(f);
	assert_list(f, names, 1);
	assert_logon(f, "joe", "secret", "joe");
	assert_int_equal(account(f, ACCT_REMOVE, "joe", ""), STATUS_SUCCESS);
	assert_string_equal(read_at(f->state, "accounts"), "torn:$y$j9T$Zg\n");
	stop_lsass(f);
}

/* What cannot be written did not happen. */
static void test_write_fails(void **data)
{
	struct fixture *f = *data;

	start_lsass(f);
	assert_int_equal(mkdirat(f->state, "accounts.new", 0700), 0);
	assert_int_equal(account(f, ACCT_ADD, "joe", "secret"), STATUS_UNSUCCESSFUL);
	assert_logged(f, "cannot be written");
	assert_list(f, NULL, 0);
	assert_logon(f, "joe", "secret", NULL);
	assert_int_equal(unlinkat(f->state, "accounts.new", AT_REMOVEDIR), 0);
	assert_int_equal(account(f, ACCT_ADD, "joe", "secret"), STATUS_SUCCESS);
	stop_lsass(f);
}

static double seconds_of_logon(struct fixture *f)
{
	struct timespec before, after;

	clock_gettime(CLOCK_MONOTONIC, &before);
	assert_logon(f, "joe", "secret", "joe");
	clock_gettime(CLOCK_MONOTONIC, &after);
	return (double)(after.tv_sec - before.tv_sec) +
	       (double)(after.tv_nsec - before.tv_nsec) / 1e9;
}

/* The best of several: a busy machine may delay one answer, but yescrypt all. */
static void test_second_logon_is_fast(void **data)
{
	struct fixture *f = *data;
	double second = 1e9;

	start_lsass(f);
	assert_int_equal(account(f, ACCT_ADD, "joe", "secret"), STATUS_SUCCESS);
	double first = seconds_of_logon(f);
	for (int i = 0; i < 20; i++) {
		double one = seconds_of_logon(f);
		second = one < second ? one : second;
	}
	assert_true(first > 10 * second);
	stop_lsass(f);
}

/* Sends the bytes to termsrv's end, which is then closed; lsass lives. */
static void assert_cuts_termsrv(struct fixture *f, const PORT_MESSAGE *m, int passed)
{
	assert_int_equal(port_send(f->termsrv, m, passed), 0);
	assert_closed(f->termsrv);
	assert_list(f, NULL, 0);
	give_port(f);
	assert_logon(f, "joe", "secret", NULL);
}

static void test_bad_termsrv(void **data)
{
	struct fixture *f = *data;
	struct lsa_request r = request(LSA_LOGON, "joe", "x");

	start_lsass(f);
	memset(r.password, 'x', sizeof(r.password)); /* not terminated */
	assert_cuts_termsrv(f, &r.h, -1);
	assert_logged(f, "a bad message from termsrv: type 0x202, 544 bytes");
	r = request(LSA_LOGON, "j\noe", "x");
	assert_cuts_termsrv(f, &r.h, -1);
	r = request(ACCT_ADD, "joe", "secret"); /* smss's alone */
	assert_cuts_termsrv(f, &r.h, -1);
	r = request(WS_CONNECT, "joe", "secret");
	assert_cuts_termsrv(f, &r.h, -1);
	r = request(LSA_LOGON, "joe", "secret"); /* with a descriptor */
	assert_cuts_termsrv(f, &r.h, f->state);
	r = request(LSA_LOGON, "joe", "secret"); /* too short */
	port_header(&r.h, LSA_LOGON, sizeof(r) - 8, 1);
	assert_cuts_termsrv(f, &r.h, -1);
	r.h.data_length++; /* lengths that differ */
	assert_cuts_termsrv(f, &r.h, -1);
	struct lsa_ntlm n = ntlm_request("joe", ntlm_proof);
	n.blob_size = sizeof(n.blob) + 1;
	assert_cuts_termsrv(f, &n.h, -1);
	n = ntlm_request("joe", ntlm_proof);
	n.messages_size = sizeof(n.messages) + 1;
	assert_cuts_termsrv(f, &n.h, -1);
	n = ntlm_request("j\noe", ntlm_proof);
	assert_cuts_termsrv(f, &n.h, -1);
	assert_logged(f, "a packet from termsrv that is no message");
	stop_lsass(f);
}

static void test_bad_smss(void **data)
{
	struct fixture *f = *data;
	struct msg_plain m;

	start_lsass(f);
	port_header(&m.h, LSA_PORT, sizeof(m), 0); /* without its descriptor */
	assert_int_equal(port_send(f->smss, &m.h, -1), 0);
	assert_int_equal(ended(f), 1);
	assert_logged(f, "a bad message from smss: type 0x201, 24 bytes");
}

static void test_ping(void **data)
{
	struct fixture *f = *data;
	struct msg_plain m = { 0 };

	start_lsass(f);
	port_header(&m.h, SM_PING, sizeof(m), 0);
	assert_int_equal(port_send(f->smss, &m.h, -1), 0);
	assert_int_equal(receive(f->smss, &m, sizeof(m)), sizeof(m));
	assert_int_equal(m.h.type, SM_PING);
	stop_lsass(f);
}

static void test_new_port_replaces(void **data)
{
	struct fixture *f = *data;

	start_lsass(f);
	int old = f->termsrv;
	f->termsrv = -1;
	give_port(f);
	assert_closed(old);
	close(old);
	assert_logon(f, "joe", "secret", NULL);
	stop_lsass(f);
}

/* Asks, and reads no answer, until lsass takes no more or has closed the port. */
static void test_deaf_termsrv(void **data)
{
	struct fixture *f = *data;
	struct lsa_ntlm r = ntlm_request("joe", ntlm_proof);
	struct pollfd writable = { .fd = f->termsrv, .events = POLLOUT };

	start_lsass(f);
	writable.fd = f->termsrv;
	for (;;) {
		assert_int_equal(poll(&writable, 1, PATIENCE), 1);
		if (port_send(f->termsrv, &r.h, -1) < 0 && errno != EAGAIN)
			break;
	}
	assert_true(errno == EPIPE || errno == ECONNRESET);
	assert_list(f, NULL, 0);
	assert_logged(f, "termsrv does not read its answers: its port is closed");
	stop_lsass(f);
}

/* A list longer than the socket's buffer arrives whole, though smss begins late. */
static void test_long_list(void **data)
{
	enum { COUNT = 2000 };
	struct fixture *f = *data;
	struct msg_plain list;
	char *text = malloc(COUNT * 64), *p = text, name[32];

	assert_non_null(text);
	*p = 0;
	for (int i = 0; i < COUNT; i++)
		p += sprintf(p, "user%d:$y$a:a4f49c406510bdcab6824ee7c30fd852\n", i);
	accounts_write(f, text);
	free(text);
	start_lsass(f);
	port_header(&list.h, ACCT_LIST, sizeof(list), 9);
	/* the second request waits behind the answers to the first */
	assert_int_equal(port_send(f->smss, &list.h, -1), 0);
	assert_int_equal(port_send(f->smss, &list.h, -1), 0);
	for (int turn = 0; turn < 2; turn++) {
		for (int i = 0; i < COUNT; i++) {
			snprintf(name, sizeof(name), "user%d", i);
			assert_string_equal(answer_of(f->smss, ACCT_ENTRY, 9).user, name);
		}
		assert_int_equal(answer_of(f->smss, LSA_ANSWER, 9).status, STATUS_SUCCESS);
	}
	stop_lsass(f);
}

/* ---- locked in ---- */

static void assert_status_line(const char *status, const char *line)
{
	if (!strstr(status, line))
		fail_msg("not in /proc/PID/status: %s\n%s", line, status);
}

static void test_locked_in(void **data)
{
	struct fixture *f = *data;
	char path[64];

	start_lsass(f);
	snprintf(path, sizeof(path), "/proc/%d/status", f->pid);
	const char *status = read_at(AT_FDCWD, path);
	assert_status_line(status, "Name:\tlsass\n");
	assert_status_line(status, "CapInh:\t0000000000000000\n");
	assert_status_line(status, "CapPrm:\t0000000000000000\n");
	assert_status_line(status, "CapEff:\t0000000000000000\n");
	assert_status_line(status, "CapAmb:\t0000000000000000\n");
	assert_status_line(status, "NoNewPrivs:\t1\n");
#ifndef WITH_ASAN /* such a build of lsass has no filter */
	assert_status_line(status, "Seccomp:\t2\n");
#endif
	stop_lsass(f);
}

/* Without the right to mount it does not run unlocked. */
static void test_refuses_unlocked(void **data)
{
	struct fixture *f = *data;

	launch(f, 0);
	assert_closed(f->smss);
	assert_int_equal(ended(f), 1);
	assert_logged(f, "error: cannot lock in: no mount namespace with an empty root: ");
}

/* Without MD4 it says which package is missing. */
static void test_no_legacy_provider(void **data)
{
	struct fixture *f = *data;

	assert_int_equal(setenv("OPENSSL_MODULES", "/nonexistent", 1), 0);
	launch(f, NAMESPACES);
	assert_int_equal(unsetenv("OPENSSL_MODULES"), 0);
	assert_closed(f->smss);
	assert_int_equal(ended(f), EX_CONFIG);
	assert_logged(f, "openssl-provider-legacy");
}

static void test_unreadable_accounts(void **data)
{
	struct fixture *f = *data;

	assert_int_equal(mkdirat(f->state, "accounts", 0700), 0);
	launch(f, NAMESPACES);
	assert_closed(f->smss);
	assert_int_equal(ended(f), 1);
	assert_logged(f, "cannot be read: it is no regular file");
	assert_int_equal(unlinkat(f->state, "accounts", AT_REMOVEDIR), 0);
}

/* In the child: what an empty root without privileges must not allow. Returns the number
   of the first thing that went wrong. */
static int try_sandbox(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct caps[2] = { { 0 } };
	int entries = 0;

	if (sandbox_empty_root() < 0)
		return 1;
	if (sandbox_drop_privileges() < 0)
		return 2;
	DIR *root = opendir("/");
	while (root && readdir(root))
		entries++;
	if (entries != 2)
		return 3;
	if (access("/proc", F_OK) == 0 || access("../tmp", F_OK) == 0)
		return 4;
	if (open("/new", O_CREAT | O_WRONLY, 0600) >= 0 || mkdir("/new", 0700) == 0)
		return 5;
	if (mount("none", "/", "tmpfs", 0, NULL) == 0 || errno != EPERM)
		return 6;
	if (syscall(SYS_capget, &header, caps) < 0 || caps[0].effective || caps[0].permitted ||
	    caps[0].inheritable || caps[1].effective || caps[1].permitted || caps[1].inheritable)
		return 7;
	return chroot("/") == 0 || setgid(1) == 0 ? 8 : 0;
}

static void test_sandbox(void **data)
{
	struct fixture *f = *data;

	f->pid = fork_into(NAMESPACES);
	if (f->pid == 0)
		_exit(try_sandbox());
	assert_int_equal(ended(f), 0);
	/* the test's own files are where they were */
	assert_int_equal(access(f->path, F_OK), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_sandbox, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_refuses_unlocked, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_locked_in, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_accounts, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_users, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_logon, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_ntlm, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_unusable, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_domain, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_restart, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_write_fails, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_no_legacy_provider, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_unreadable_accounts, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_second_logon_is_fast, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_bad_termsrv, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_bad_smss, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_ping, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_new_port_replaces, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_deaf_termsrv, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_long_list, set_up, tear_down),
	};

	if (!getenv("LSASS")) {
		fprintf(stderr, "test-lsass: set LSASS to the path of the program\n");
		return 1;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
