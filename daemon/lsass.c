/*
 * lsass: the local security authority. It alone sees the accounts; it answers termsrv
 * about logons and smss about changes, one message after the other.
 *
 * Its descriptors, from smss, which starts it:
 *   2  the log
 *   3  the port to smss
 *   4  the directory in which the file "accounts" is its own
 * and, once smss has sent it, a port to termsrv.
 *
 * Its privilege: root of a user namespace of its own until the accounts are loaded, then
 * none: an empty root, no capabilities, and a seccomp filter, before the first message is
 * read. A bad message from termsrv ends that port, one from smss ends lsass (smss is the
 * one who starts it again).
 *
 * What keeps it from the next message: a yescrypt run (see accounts.h) at most, for one
 * message of each port is served by turns, smss's first; and an smss that does not read,
 * for SMSS_PATIENCE. A flood of wrong passwords waits in termsrv, which asks two questions at
 * a time, of each client's address in turn.
 */
#include "../sessmgr/log.h"
#include "../sessmgr/messages.h"
#include "../sessmgr/ntstatus.h"
#include "accounts.h"
#include "ntlm.h"
#include "replace.h"
#include "sandbox-filter.h"
#include "sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/rand.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

enum { SMSS_PORT = 3, DIRECTORY = SANDBOX_DIRECTORY };
enum { SMSS_PATIENCE = 10000 }; /* milliseconds */

#define ACCOUNTS_FILE "accounts"

#if defined(__SANITIZE_ADDRESS__)
#define WITH_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WITH_ASAN 1
#endif
#endif

struct lsass {
	int smss, termsrv; /* ports; -1: closed */
	int directory;
	struct accounts *accounts;
};

union message {
	PORT_MESSAGE h;
	struct msg_plain plain;
	struct lsa_request request;
	struct lsa_ntlm ntlm;
};

enum peer { FROM_SMSS, FROM_TERMSRV };
static const char *const peer_names[] = { "smss", "termsrv" };

/* ---- the file ---- */

static void report_line(size_t line, const char *problem)
{
	log_warn("%s:%zu: %s; the line is kept and ignored", ACCOUNTS_FILE, line, problem);
}

/* Reads SIZE bytes, fewer where the file ends early. Returns how many, or -1 with errno. */
static ssize_t read_all(int fd, char *buffer, size_t size)
{
	size_t used = 0;

	while (used < size) {
		ssize_t got = read(fd, buffer + used, size - used);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -1;
		if (got == 0)
			break;
		used += (size_t)got;
	}
	return (ssize_t)used;
}

/* The accounts in the open file, or NULL with errno. */
static struct accounts *accounts_from(int fd, bool patterns)
{
	struct accounts *accounts = NULL;
	struct stat st;

	if (fstat(fd, &st) < 0)
		return NULL;
	if (!S_ISREG(st.st_mode)) {
		errno = EINVAL;
		return NULL;
	}
	size_t size = (size_t)st.st_size;
	char *text = malloc(size + 1);
	ssize_t got = text ? read_all(fd, text, size) : -1;
	if (got >= 0)
		accounts = accounts_parse(text, (size_t)got, patterns, report_line);
	if (text)
		explicit_bzero(text, size);
	free(text);
	return accounts;
}

/* Loads the accounts; without a file there are none. Returns 0, or -1 after logging. */
static int accounts_load(struct lsass *l, bool patterns)
{
	int fd =
	    openat(l->directory, ACCOUNTS_FILE, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	if (fd < 0 && errno == ENOENT)
		l->accounts = accounts_parse("", 0, patterns, report_line);
	else if (fd >= 0)
		l->accounts = accounts_from(fd, patterns);
	if (!l->accounts)
		log_error("the file \"%s\" in the state directory cannot be read: %s",
		    ACCOUNTS_FILE, errno == EINVAL ? "it is no regular file" : strerror(errno));
	fd_close(&fd);
	return l->accounts ? 0 : -1;
}

/* Writes ACCOUNTS to the file. Returns a status. */
static int32_t accounts_save(const struct lsass *l, const struct accounts *accounts)
{
	size_t size;
	char *text = accounts_format(accounts, &size);

	if (!text)
		return STATUS_NO_MEMORY;
	int result = replace_file(l->directory, ACCOUNTS_FILE, text, size);
	if (result < 0)
		log_error("the file \"%s\" in the state directory cannot be written, accounts are "
		          "left as they were: %s",
		    ACCOUNTS_FILE, strerror(errno));
	explicit_bzero(text, size);
	free(text);
	return result < 0 ? STATUS_UNSUCCESSFUL : STATUS_SUCCESS;
}

/* ---- answers ---- */

/* Sends to smss, which may have to read what it has been sent first. Returns 0, or -1
   where it does not read at all. That it is gone shows at the next read. */
static int smss_send(struct lsass *l, const PORT_MESSAGE *message)
{
	struct pollfd writable = { .fd = l->smss, .events = POLLOUT };

	while (port_send(l->smss, message, -1) < 0) {
		if (errno == EPIPE || errno == ECONNRESET)
			return 0;
		if (errno != EAGAIN) {
			log_error("cannot send to smss: %s", strerror(errno));
			return -1;
		}
		if (poll(&writable, 1, SMSS_PATIENCE) == 0) {
			log_error("smss has not read its answers for %d s", SMSS_PATIENCE / 1000);
			return -1;
		}
	}
	return 0;
}

/* Sends ANSWER, of TYPE, for the request H. Returns 0, or -1 where its sender's port has
   to be closed. */
static int answer_send(
    struct lsass *l, enum peer to, const PORT_MESSAGE *h, uint16_t type, struct lsa_answer *answer)
{
	port_header(&answer->h, type, sizeof(*answer), h->message_id);
	if (to == FROM_SMSS)
		return smss_send(l, &answer->h);
	if (port_send(l->termsrv, &answer->h, -1) == 0 || errno == EPIPE || errno == ECONNRESET)
		return 0;
	log_warn("termsrv does not read its answers: its port is closed");
	return -1;
}

/* ---- the calls ---- */

static uint64_t milliseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void log_failure(const char *name, const char *from)
{
	char user[USER_SIZE], address[ADDRESS_SIZE];

	log_info("logon failed for user \"%s\" from %s: %s", log_quote(user, sizeof(user), name),
	    log_quote(address, sizeof(address), from), ntstatus_text(STATUS_LOGON_FAILURE));
}

static int on_logon(struct lsass *l, union message *m, int *passed)
{
	const struct lsa_request *r = &m->request;
	struct lsa_answer answer = { 0 };

	(void)passed;
	answer.status = accounts_logon(
	    l->accounts, r->user, r->unusable ? NULL : r->password, milliseconds(), answer.user);
	if (answer.status == STATUS_SUCCESS)
		accounts_domain(r->user, answer.domain);
	else
		log_failure(r->user, r->address);
	return answer_send(l, FROM_TERMSRV, &m->h, LSA_ANSWER, &answer);
}

/* The hash of an exchange that failed: NTLM goes on with it, and fails where it fails for a wrong
   password. Nobody may know it, for what it is would be as good as a password. */
static int random_hash(struct lsa_answer *answer)
{
	memset(answer->user, 0, sizeof(answer->user));
	answer->status = STATUS_LOGON_FAILURE;
	return RAND_bytes(answer->hash, sizeof(answer->hash)) == 1 ? 0 : -1;
}

/* Whoever asks has to have a proof of the password already: a name alone is worth nothing. */
static int on_ntlm(struct lsass *l, union message *m, int *passed)
{
	const struct lsa_ntlm *r = &m->ntlm;
	struct lsa_answer answer = { 0 };
	int result;

	(void)passed;
	answer.status = accounts_ntlm(l->accounts, r->user, r->domain, answer.user, answer.hash);
	if (!ntlm_verify(answer.hash, r))
		answer.status = STATUS_LOGON_FAILURE;
	if (answer.status != STATUS_SUCCESS) {
		log_failure(r->user, r->address);
		if (random_hash(&answer) < 0) {
			log_error("no random numbers are to be had");
			return -1;
		}
	}
	result = answer_send(l, FROM_TERMSRV, &m->h, LSA_ANSWER, &answer);
	explicit_bzero(&answer, sizeof(answer));
	return result;
}

static int on_port(struct lsass *l, union message *m, int *passed)
{
	(void)m;
	fd_close(&l->termsrv);
	l->termsrv = *passed;
	*passed = -1;
	return 0;
}

static int on_ping(struct lsass *l, union message *m, int *passed)
{
	(void)passed;
	port_header(&m->h, SM_PING, sizeof(m->plain), 0);
	return smss_send(l, &m->h);
}

static int32_t change(struct accounts *accounts, const struct lsa_request *r)
{
	switch (r->h.type) {
	case ACCT_ADD:
		return accounts_add(accounts, r->user, r->password);
	case ACCT_REMOVE:
		return accounts_remove(accounts, r->user);
	default:
		return accounts_passwd(accounts, r->user, r->password);
	}
}

static void log_change(const struct lsa_request *r)
{
	char user[USER_SIZE];

	log_info("account \"%s\" %s", log_quote(user, sizeof(user), r->user),
	    r->h.type == ACCT_ADD      ? "added"
	    : r->h.type == ACCT_REMOVE ? "removed"
	                               : "has a new password");
}

/* ACCT_ADD, ACCT_REMOVE, ACCT_PASSWD: made on a copy, which becomes the accounts only when
   the file has it. */
static int on_change(struct lsass *l, union message *m, int *passed)
{
	struct accounts *next = accounts_copy(l->accounts);
	struct lsa_answer answer = { .status = STATUS_NO_MEMORY };

	(void)passed;
	accounts_users(l->accounts, m->request.user, answer.user);
	if (next)
		answer.status = change(next, &m->request);
	if (answer.status == STATUS_SUCCESS)
		answer.status = accounts_save(l, next);
	if (answer.status == STATUS_SUCCESS) {
		struct accounts *old = l->accounts;
		l->accounts = next;
		next = old;
		log_change(&m->request);
	}
	accounts_destroy(next);
	return answer_send(l, FROM_SMSS, &m->h, LSA_ANSWER, &answer);
}

static int on_list(struct lsass *l, union message *m, int *passed)
{
	struct lsa_answer end = { .status = STATUS_SUCCESS };
	const char *name;

	(void)passed;
	for (size_t at = 0; (name = accounts_next(l->accounts, &at));) {
		struct lsa_answer entry = { 0 };
		memcpy(entry.user, name, strlen(name));
		if (answer_send(l, FROM_SMSS, &m->h, ACCT_ENTRY, &entry) < 0)
			return -1;
	}
	return answer_send(l, FROM_SMSS, &m->h, LSA_ANSWER, &end);
}

static bool request_valid(const union message *m)
{
	const struct lsa_request *r = &m->request;

	return port_text_valid(r->user, sizeof(r->user)) &&
	       port_text_valid(r->domain, sizeof(r->domain)) &&
	       port_text_valid(r->password, sizeof(r->password)) &&
	       port_text_valid(r->address, sizeof(r->address));
}

static bool ntlm_valid(const union message *m)
{
	const struct lsa_ntlm *r = &m->ntlm;

	return port_text_valid(r->user, sizeof(r->user)) &&
	       port_text_valid(r->domain, sizeof(r->domain)) &&
	       port_text_valid(r->address, sizeof(r->address)) && r->blob_size <= sizeof(r->blob) &&
	       r->messages_size <= sizeof(r->messages);
}

static bool plain_valid(const union message *m)
{
	(void)m;
	return true;
}

/* The policy: which message, how long, from whom, with a descriptor or not. A handler
   returns 0, or -1, after logging, where the sender's port has to be closed. It may take
   the descriptor. */
static const struct call {
	uint16_t type;
	size_t size;
	enum peer from;
	bool descriptor;
	bool (*valid)(const union message *m);
	int (*handle)(struct lsass *l, union message *m, int *passed);
} calls[] = {
	{ SM_PING, sizeof(struct msg_plain), FROM_SMSS, false, plain_valid, on_ping },
	{ LSA_PORT, sizeof(struct msg_plain), FROM_SMSS, true, plain_valid, on_port },
	{ ACCT_ADD, sizeof(struct lsa_request), FROM_SMSS, false, request_valid, on_change },
	{ ACCT_REMOVE, sizeof(struct lsa_request), FROM_SMSS, false, request_valid, on_change },
	{ ACCT_PASSWD, sizeof(struct lsa_request), FROM_SMSS, false, request_valid, on_change },
	{ ACCT_LIST, sizeof(struct msg_plain), FROM_SMSS, false, plain_valid, on_list },
	{ LSA_LOGON, sizeof(struct lsa_request), FROM_TERMSRV, false, request_valid, on_logon },
	{ LSA_NTLM, sizeof(struct lsa_ntlm), FROM_TERMSRV, false, ntlm_valid, on_ntlm },
};

/* ---- the loop ---- */

/* The call that the message is by every column of the table, or NULL. */
static const struct call *call_of(
    enum peer from, const union message *m, size_t size, bool descriptor)
{
	for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++) {
		const struct call *c = &calls[i];
		if (c->type == m->h.type && c->size == size && c->from == from &&
		    c->descriptor == descriptor)
			return c->valid(m) ? c : NULL;
	}
	return NULL;
}

/* Serves the message of SIZE bytes (-1: a packet that is none). Returns 0 or -1. */
static int dispatch(struct lsass *l, enum peer from, union message *m, ssize_t size, int *passed)
{
	const struct call *c = size < 0 ? NULL : call_of(from, m, (size_t)size, *passed != -1);

	if (c)
		return c->handle(l, m, passed);
	if (size < 0)
		log_warn("a packet from %s that is no message", peer_names[from]);
	else
		log_warn("a bad message from %s: type 0x%x, %zd bytes", peer_names[from], m->h.type,
		    size);
	return -1;
}

/* Takes one message from a peer, if there is one. Closes the port where the peer has, or
   where it has to be. Returns -1 in the latter case. */
static int serve(struct lsass *l, enum peer from)
{
	int *port = from == FROM_SMSS ? &l->smss : &l->termsrv;
	union message m;
	int passed = -1, result;
	ssize_t got = port_receive(*port, &m, sizeof(m), &passed);

	if (got < 0 && errno == EAGAIN)
		return 0;
	if (got == 0 || (got < 0 && errno != EBADMSG)) {
		fd_close(port);
		return 0;
	}
	result = dispatch(l, from, &m, got, &passed);
	explicit_bzero(&m, sizeof(m));
	fd_close(&passed);
	if (result < 0)
		fd_close(port);
	return result;
}

/* Runs until smss's port closes. Returns the exit status. */
static int run(struct lsass *l)
{
	struct msg_plain ready;

	port_header(&ready.h, LSA_READY, sizeof(ready), 0);
	if (smss_send(l, &ready.h) < 0)
		return 1;
	while (l->smss != -1) {
		struct pollfd ports[] = { { .fd = l->smss, .events = POLLIN },
			{ .fd = l->termsrv, .events = POLLIN } };
		if (poll(ports, 2, accounts_expire(l->accounts, milliseconds())) < 0)
			continue; /* EINTR */
		if (ports[0].revents && serve(l, FROM_SMSS) < 0)
			return 1;
		if (ports[1].revents && l->smss != -1 && l->termsrv != -1)
			serve(l, FROM_TERMSRV);
	}
	return 0;
}

/* ---- locking in ---- */

#ifdef WITH_ASAN
/* AddressSanitizer maps, signals and symbolises in ways that no list of calls foresees,
   and its leak check wants to trace a process that cannot be traced: such a build goes
   without the filter, and its leaks are found by tests/test-accounts. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "detect_leaks=0";
}

static int filter_load(void)
{
	return 0;
}
#else
static int filter_load(void)
{
	struct sock_fprog filter;

	return sandbox_build_filter(SANDBOX_LSASS, &filter) < 0 ? -1 : bpf_load(&filter);
}
#endif

/* Before anything is read: nobody may look into this process, alive or dead. */
static int conceal(void)
{
	const struct rlimit none = { 0, 0 };

	umask(077);
	signal(SIGPIPE, SIG_IGN); /* the log's reader may go */
	if (prctl(PR_SET_NAME, "lsass") < 0 || prctl(PR_SET_DUMPABLE, 0) < 0 ||
	    setrlimit(RLIMIT_CORE, &none) < 0) {
		log_error("cannot keep memory from being dumped: %s", strerror(errno));
		return -1;
	}
	return 0;
}

/* From here on without files, capabilities, and all but a few system calls. */
static int lock_in(void)
{
	if (sandbox_empty_root() < 0) {
		log_error("cannot lock in: no mount namespace with an empty root: %s (smss starts "
		          "lsass as root of a user namespace of its own)",
		    strerror(errno));
		return -1;
	}
	if (sandbox_drop_privileges() < 0) {
		log_error("cannot lock in: capabilities cannot be dropped: %s", strerror(errno));
		return -1;
	}
	if (filter_load() < 0) {
		log_error("cannot lock in: the seccomp filter is refused: %s", strerror(errno));
		return -1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct lsass l = { .smss = SMSS_PORT, .termsrv = -1, .directory = DIRECTORY };
	bool patterns = argc > 1 && strcmp(argv[1], LSASS_PATTERNS) == 0;
	int status = 1;

	log_process("lsass");
	if (fcntl(l.smss, F_SETFD, FD_CLOEXEC) < 0 || fcntl(l.directory, F_SETFD, FD_CLOEXEC) < 0) {
		log_error("descriptors 3 and 4 are missing: lsass is started by smss");
		return 1;
	}
	if (conceal() < 0)
		return 1;
	if (accounts_init() < 0 || ntlm_init() < 0)
		return EX_CONFIG;
	if (accounts_load(&l, patterns) == 0 && lock_in() == 0)
		status = run(&l);
	accounts_destroy(l.accounts);
	ntlm_finish();
	accounts_finish();
	return status;
}
