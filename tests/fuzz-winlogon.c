/*
 * Fuzzer of winlogon: the whole process, on fuzz-io.c. csrss says anything, what it may say mostly; the
 * user types anything at the prompts; time passes, and the user's command ends in any way.
 *
 * What has to hold: the command is that of the user whom csrss named, and nobody's else; his password is
 * not shown; what is asked of csrss is a text; and once the command runs, WL_LOGOFF ends it, whatever
 * else was said.
 */
#include "fuzz-io.h"
#include "winlogon.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int winlogon_main(int argc, char **argv);

enum { TRIES_MAX = 3, ENDING_ACTS = 2 * IO_QUEUE, CHILD = 77, GRACE_US = 5000000 };

static int port, terminal, process; /* -1: not there yet */
static int acts_ahead;
static jmp_buf ended; /* by _exit */
static uint64_t alarm_at;
static void (*alarm_handler)(int);

static bool told_first, hidden, runs, logoff, hung_up, traced;
static uint64_t logoff_at;
static unsigned tries;
static bool answered;        /* what was asked last */
static struct msg_verdict v; /* what csrss said of the user last */
static char user[2 * USER_SIZE];
static int status;
static struct {
	int fd;
	char text[4096];
	size_t size;
} file;

/* ---- calls of winlogon ---- */

int conceal(void);
int conceal(void)
{
	return 0;
}

int __wrap_socket(int domain, int type, int protocol);
int __wrap_socket(int domain, int type, int protocol)
{
	(void)domain;
	(void)type;
	(void)protocol;
	port = io_open();
	io_set_waiting(port);
	return port;
}

int __wrap_connect(int fd, const struct sockaddr *address, socklen_t size);
int __wrap_connect(int fd, const struct sockaddr *address, socklen_t size)
{
	(void)address;
	(void)size;
	io_must(fd == port, "it connects something else");
	return 0;
}

int __wrap_tcgetattr(int fd, struct termios *t);
int __wrap_tcgetattr(int fd, struct termios *t)
{
	io_must(fd == terminal && io_is_open(fd), "not the terminal");
	memset(t, 0, sizeof(*t));
	return 0;
}

int __wrap_tcsetattr(int fd, int when, const struct termios *t);
int __wrap_tcsetattr(int fd, int when, const struct termios *t)
{
	(void)when;
	(void)t;
	io_must(fd == terminal && io_is_open(fd), "not the terminal");
	return 0;
}

unsigned __wrap_alarm(unsigned seconds);
unsigned __wrap_alarm(unsigned seconds)
{
	alarm_at = seconds ? io_now + seconds * UINT64_C(1000000) : 0;
	return 0;
}

void (*__wrap_signal(int number, void (*handler)(int)))(int);
void (*__wrap_signal(int number, void (*handler)(int)))(int)
{
	if (number == SIGALRM)
		alarm_handler = handler;
	return SIG_DFL;
}

_Noreturn void __wrap__exit(int code);
_Noreturn void __wrap__exit(int code)
{
	io_must(code == WINLOGON_NO_LOGON && !runs, "it ends in the middle");
	longjmp(ended, 1);
}

int __wrap_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...)
{
	io_must(flags & O_NONBLOCK, "what is there may be waited for");
	io_must(strcmp(path, "/run/session/passwd") == 0 || strcmp(path, "/run/session/group") == 0,
	    "another file is written");
	file.size = 0;
	file.fd = io_open();
	return file.fd;
}

int __wrap_mkdir(const char *path, mode_t mode);
int __wrap_mkdir(const char *path, mode_t mode)
{
	io_must(mode == 0700 && strncmp(path, "/home/", 6) == 0 && strcmp(path + 6, v.user) == 0,
	    "another home");
	return 0;
}

int __wrap_clearenv(void);
int __wrap_clearenv(void)
{
	memset(user, 0, sizeof(user));
	return 0;
}

int __wrap_setenv(const char *name, const char *value, int replace);
int __wrap_setenv(const char *name, const char *value, int replace)
{
	(void)replace;
	io_must(strlen(value) < COMMAND_SIZE, "a value is too long");
	if (strcmp(name, "USER") == 0)
		memcpy(user, value, strlen(value) + 1);
	return 0;
}

pid_t spawn_sharing(int (*child)(void *), void *argument, char *stack, uint64_t flags, pid_t *told);
pid_t spawn_sharing(int (*child)(void *), void *argument, char *stack, uint64_t flags, pid_t *told)
{
	(void)child;
	(void)argument;
	(void)stack;
	(void)flags;
	(void)told;
	io_must(answered && v.status == STATUS_SUCCESS, "a user has not logged on");
	io_must(strcmp(user, v.user) == 0, "another user's command is started");
	errno = EAGAIN;
	runs = io_take() != 0xff;
	return runs ? CHILD : -1;
}

long __wrap_syscall(long number, ...);
long __wrap_syscall(long number, ...)
{
	io_must(number == SYS_pidfd_open, "another system call");
	process = io_open();
	return process;
}

int __wrap_kill(pid_t pid, int number);
int __wrap_kill(pid_t pid, int number)
{
	io_must(pid == -CHILD && runs, "somebody else is killed");
	if (number == SIGHUP)
		io_must(logoff && !hung_up, "hung up without a logoff");
	else
		io_must(number == SIGKILL && hung_up && io_now - logoff_at >= GRACE_US,
		    "killed too early");
	hung_up = true;
	return 0;
}

pid_t __wrap_waitpid(pid_t pid, int *how, int options);
pid_t __wrap_waitpid(pid_t pid, int *how, int options)
{
	io_must(pid == CHILD, "it waits for somebody else");
	if (traced) { /* by who does not wait for it: it cannot be reaped */
		io_must(options & WNOHANG, "it would wait for ever");
		return 0;
	}
	*how = status;
	return pid;
}

/* ---- what it says, and is told ---- */

static void check_passwd(void)
{
	const char *at = file.text;
	unsigned lines = 0, fields = 0;

	for (; *at; at++) {
		fields += *at == ':';
		lines += *at == '\n';
	}
	io_must((lines == 4 && fields == 24) || (lines == 5 && fields == 15),
	    "passwd or group can be read in another way");
}

static void on_terminal(const char *bytes, size_t size)
{
	/* a line's beginning is kept, and at its end there is a new one */
	if (size == 1 && *bytes == '\n')
		hidden = false;
	io_must(!hidden || size == 0 || (size == 2 && memcmp(bytes, "\0337", 2) == 0),
	    "a password is shown");
	if (size == 11 && memcmp(bytes, "Password:  ", 11) == 0)
		hidden = true;
}

static void to_csrss(const PORT_MESSAGE *h, size_t size)
{
	const struct msg_credentials *m = (const void *)h;

	if (h->type == LOG_LINE) {
		io_must(size == sizeof(struct msg_log), "a line that is none");
	} else if (h->type == WL_CREDENTIALS) {
		io_must(size == sizeof(*m) && !runs && ++tries <= TRIES_MAX, "too many tries");
		io_must(m->user[0] && port_text_valid(m->user, sizeof(m->user)) && m->password[0] &&
		            port_text_valid(m->password, sizeof(m->password)),
		    "what was typed is no text");
		answered = false;
	} else if (h->type == WL_CHOICE) {
		answered = false;
	} else {
		io_must(h->type == WL_HELLO || (runs && h->type == WL_SHELL) ||
		            (runs && h->type == WL_LOGOFF),
		    "csrss is told something else");
	}
}

void fuzz_sent(int fd, const void *bytes, size_t size, int passed)
{
	io_must(passed < 0, "something is passed");
	if (fd == port) {
		to_csrss(bytes, size);
	} else if (fd == terminal) {
		on_terminal(bytes, size);
	} else {
		io_must(fd == file.fd && size < sizeof(file.text), "not to be written to");
		memcpy(file.text, bytes, size);
		file.text[size] = 0;
		check_passwd();
	}
}

void fuzz_took(int fd, const void *bytes, size_t size)
{
	const PORT_MESSAGE *h = bytes;

	if (fd != port || size == 0)
		return;
	if ((h->type == WL_VERDICT || h->type == WL_LOGON) && size == sizeof(v)) {
		answered = told_first == (h->type == WL_VERDICT);
		if (!runs)
			memcpy(&v, bytes, size);
	}
	if (runs && h->type == WL_LOGOFF) {
		logoff = true;
		logoff_at = io_now;
	}
	told_first = true;
}

void fuzz_check(void)
{
	io_must(!logoff || hung_up, "a logoff is not heard");
}

/* ---- what happens ---- */

static void csrss_acts(void)
{
	union {
		PORT_MESSAGE h;
		struct msg_verdict verdict;
		struct msg_choices choices;
	} m = { 0 };
	static const uint16_t types[] = { WL_LOGON, WL_PROMPT, WL_CHOICES, WL_VERDICT, WL_VERDICT,
		WL_LOGOFF, WL_HELLO, DSP_KEY };
	uint8_t kind = io_take(), odd = io_take();
	uint16_t type = types[kind % 8];
	size_t size = type == WL_LOGON || type == WL_VERDICT ? sizeof(m.verdict)
	              : type == WL_CHOICES                   ? sizeof(m.choices)
	                                                     : sizeof(m.h);
	int passed = -1;

	if (size == sizeof(m.verdict)) {
		m.verdict.status = kind & 16 ? STATUS_LOGON_FAILURE : STATUS_SUCCESS;
		io_take_bytes(m.verdict.user, sizeof(m.verdict.user) - (odd < 0xf0));
		if (odd == 0xf1)
			memset(m.verdict.user, 'a', sizeof(m) - offsetof(struct msg_verdict, user));
	} else if (size == sizeof(m.choices)) {
		m.choices.count = odd < 0xf0 ? odd % (CHOICES_MAX + 1) : io_take_number();
		for (uint32_t i = 0; i < m.choices.count && i < CHOICES_MAX; i++) {
			m.choices.choices[i].session = io_take();
			m.choices.choices[i].started = (uint64_t)io_take() << (odd & 63);
		}
	}
	size = odd == 0xff ? sizeof(m.h) + io_take() : size;
	if (terminal < 0 && odd < 0xfe) {
		terminal = passed = io_open();
		io_set_waiting(terminal);
	}
	port_header(&m.h, type, size, 0);
	io_say(port, &m, size, passed);
}

static void user_types(void)
{
	char text[512];
	size_t count = io_take_bytes(text, sizeof(text));

	if (!io_is_open(terminal))
		return;
	if (count > 0)
		io_say(terminal, text, count, -1);
	io_say(terminal, "\r", 1, -1);
}

static void command_ends(void)
{
	static const int ways[] = { 0, 1 << 8, 127 << 8, SIGKILL };

	if (process < 0 || !io_is_open(process))
		return;
	uint8_t way = io_take();
	status = ways[way % 4];
	traced = way >= 0xc0;
	io_end(process); /* readable */
}

static void last_acts(void)
{
	io_must(acts_ahead-- > 0, "it does not end");
	if (io_is_open(terminal))
		io_end(terminal);
	if (port >= 0 && io_is_open(port))
		io_end(port);
	command_ends();
	io_now += GRACE_US;
}

/* It listens for a logoff, until there was one. */
static void check_listens(const struct pollfd *p, nfds_t count)
{
	bool listens = false;

	for (nfds_t i = 0; i < count; i++)
		listens = listens || p[i].fd == port;
	io_must(listens || logoff || io_has_ended(port), "a logoff would not be heard");
}

void fuzz_act(const struct pollfd *p, nfds_t count)
{
	if (runs)
		check_listens(p, count);
	if (io_left() == 0) {
		last_acts();
		return;
	}
	switch (io_take() % 8) {
	case 0:
	case 1:
		csrss_acts();
		break;
	case 2:
	case 3:
	case 4:
		user_types();
		break;
	case 5:
		command_ends();
		break;
	case 6:
		io_now += io_take() * UINT64_C(500000);
		if (alarm_at && io_now >= alarm_at)
			alarm_handler(SIGALRM);
		break;
	default:
		if (io_take() % 16 == 0)
			io_end(port);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *argv[] = { (char[]){ "winlogon" }, (char[]){ "3" }, (char[]){ "" }, NULL, NULL };
	int code;

	io_begin(data, size);
	port = terminal = process = file.fd = -1;
	acts_ahead = ENDING_ACTS;
	alarm_at = logoff_at = 0;
	told_first = hidden = runs = logoff = hung_up = traced = answered = false;
	tries = 0;
	status = 0;
	memset(&v, 0, sizeof(v));
	if (io_take() & 1)
		argv[3] = (char[]){ "true" };
	if (setjmp(ended) == 0) {
		code = winlogon_main(argv[3] ? 4 : 3, argv);
		io_must((code == 0) == runs && (runs || code == 1 || code == WINLOGON_NO_LOGON),
		    "it ends with another status");
	}
	io_finish();
	return 0;
}
