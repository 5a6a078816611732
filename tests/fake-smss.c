/* The program is run with its output in files; the test answers on the socket meanwhile. */
#include "fake-smss.h"

#include <errno.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

const struct msg_session fake_sample[FAKE_SAMPLE_COUNT] = {
	{ .session = LISTENER_ID, .state = WTS_LISTEN, .winstation = "RDP-Tcp" },
	{ .session = 2, .state = WTS_DISCONNECTED, .user = "eve", .csrss = 80, .winlogon = 81 },
	{ .session = 0, .state = WTS_CONNECTED, .winstation = "Console" },
	{ .session = 1,
	    .state = WTS_ACTIVE,
	    .csrss = 1748,
	    .winlogon = 1750,
	    .width = 1024,
	    .height = 768,
	    .started = 1700000000,
	    .logon = 1700000001,
	    .phase = { 5000000, 5001500, 5020000, 5021000, 5021250, 5024000, 5030000, 5030500, 0,
	        5029000, 5041125 },
	    .winstation = "RDP-Tcp#1",
	    .user = "lab",
	    .domain = "LAB",
	    .station = "DESK-7",
	    .address = "[2001:db8::7]:50000" },
};

/* ---- running it ---- */

static int make_listener(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 8), 0);
	return fd;
}

int fake_setup(void **data)
{
	struct fake *f = calloc(1, sizeof(*f));

	if (!getenv("MUSESSCTL"))
		fail_msg("MUSESSCTL is not set: the path of the program to test");
	assert_non_null(f);
	snprintf(f->directory, sizeof(f->directory), "/tmp/test-musessctl.XXXXXX");
	assert_non_null(mkdtemp(f->directory));
	snprintf(f->path, sizeof(f->path), "%s/SmApiPort", f->directory);
	f->listener = make_listener(f->path);
	f->port = f->pid = f->output = f->out_file = f->error_file = -1;
	*data = f;
	return 0;
}

static void end_run(struct fake *f)
{
	fd_close(&f->port);
	fd_close(&f->out_file);
	fd_close(&f->error_file);
	if (f->pid > 0) {
		kill(f->pid, SIGKILL);
		waitpid(f->pid, NULL, 0);
	}
	f->pid = -1;
}

int fake_teardown(void **data)
{
	struct fake *f = *data;

	end_run(f);
	fd_close(&f->listener);
	unlink(f->path);
	rmdir(f->directory);
	free(f);
	return 0;
}

/* A file in memory that begins with TEXT. */
static int memory_file(const char *text)
{
	int fd = memfd_create("test", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	return fd;
}

/* Root that may not pass by the permissions of files, after an exec too: what a container
   manager left to be inherited goes as well. */
static int lose_power(void)
{
	cap_t own = cap_get_proc();
	int result = -1;

	if (own && cap_clear_flag(own, CAP_INHERITABLE) == 0 && cap_set_proc(own) == 0)
		result = prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, 0, 0, 0);
	cap_free(own);
	return result;
}

/* In the child: becomes the program with WORDS as its arguments. */
static void exec_musessctl(const struct fake *f, char *const *words)
{
	char program[512];

	if (!getenv("MUSESSCTL"))
		_exit(122);
	snprintf(program, sizeof(program), "%s", getenv("MUSESSCTL"));
	setenv("MUSESS_SM_PORT", f->path, 1);
	setenv("TZ", "UTC", 1);
	if (f->powerless && geteuid() == 0 && lose_power() < 0)
		_exit(121);
	execv(program, words);
	_exit(122);
}

void fake_run_words(struct fake *f, const char *input, char *const *words)
{
	int input_file = memory_file(input);

	end_run(f);
	f->out_file = memory_file("");
	f->error_file = memory_file("");
	f->pid = fork();
	assert_true(f->pid >= 0);
	if (f->pid == 0) {
		dup2(input_file, STDIN_FILENO);
		dup2(f->output < 0 ? f->out_file : f->output, STDOUT_FILENO);
		dup2(f->error_file, STDERR_FILENO);
		exec_musessctl(f, words);
	}
	close(input_file);
}

void fake_run_with(struct fake *f, const char *input, ...)
{
	char *words[16] = { "musessctl" };
	int n = 1;
	va_list arguments;

	va_start(arguments, input);
	while ((words[n] = va_arg(arguments, char *)))
		n++;
	va_end(arguments);
	fake_run_words(f, input, words);
}

static void read_file(int fd, char *text, size_t size)
{
	ssize_t got = pread(fd, text, size - 1, 0);

	assert_true(got >= 0);
	text[got] = 0;
}

void fake_await_output(struct fake *f, const char *text)
{
	for (int i = 0; i < FAKE_PATIENCE / 10; i++) {
		read_file(f->out_file, f->out, sizeof(f->out));
		if (strcmp(f->out, text) == 0)
			return;
		usleep(10000);
	}
	assert_string_equal(f->out, text);
}

/* Waits for its end. Returns its exit status, -1 where a signal ended it. */
int fake_exit_status(struct fake *f)
{
	int status;

	assert_int_equal(waitpid(f->pid, &status, 0), f->pid);
	f->pid = -1;
	read_file(f->out_file, f->out, sizeof(f->out));
	read_file(f->error_file, f->error, sizeof(f->error));
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* It has succeeded without a word on standard error. */
void fake_assert_success(struct fake *f)
{
	int status = fake_exit_status(f);

	assert_string_equal(f->error, "");
	assert_int_equal(status, 0);
}

/* It has failed, and printed nothing but what begins with MESSAGE. */
void fake_assert_failure(struct fake *f, int expected, const char *message)
{
	int status = fake_exit_status(f);

	if (strncmp(f->error, message, strlen(message)) != 0)
		assert_string_equal(f->error, message);
	assert_string_equal(f->out, "");
	assert_int_equal(status, expected);
}

json_t *fake_parse_output(struct fake *f)
{
	json_error_t error;

	fake_assert_success(f);
	json_t *document = json_loads(f->out, 0, &error);
	if (!document)
		fail_msg("no JSON: %s\n%s", error.text, f->out);
	return document;
}

/* The document equals EXPECTED, which is JSON in which ' stands for ". */
void fake_assert_output_json(struct fake *f, const char *expected)
{
	char text[4096];
	json_t *wanted, *document = fake_parse_output(f);

	snprintf(text, sizeof(text), "%s", expected);
	for (char *p = text; (p = strchr(p, '\''));)
		*p = '"';
	wanted = json_loads(text, 0, NULL);
	assert_non_null(wanted);
	if (!json_equal(document, wanted))
		assert_string_equal(f->out, text);
	json_decref(wanted);
	json_decref(document);
}

int fake_run_on_terminal(struct fake *f, char *const *words)
{
	int terminal;

	end_run(f);
	f->out_file = memory_file("");
	f->error_file = memory_file("");
	f->pid = forkpty(&terminal, NULL, NULL, NULL);
	assert_true(f->pid >= 0);
	if (f->pid == 0)
		exec_musessctl(f, words);
	return terminal;
}

/* ---- being smss ---- */

void fake_await(int fd)
{
	struct pollfd readable = { .fd = fd, .events = POLLIN };

	assert_int_equal(poll(&readable, 1, FAKE_PATIENCE), 1);
}

/* Receives a request of TYPE, which has SIZE bytes; accepts the connection before. */
union fake_request fake_asked(struct fake *f, uint16_t type, size_t size)
{
	union fake_request r = { 0 };

	if (f->port < 0) {
		fake_await(f->listener);
		f->port = accept4(f->listener, NULL, NULL, SOCK_CLOEXEC);
	}
	fake_await(f->port);
	assert_int_equal(port_receive(f->port, &r, sizeof(r), NULL), size);
	assert_int_equal(r.h.type, type);
	return r;
}

int fake_next_connection(struct fake *f)
{
	int before = f->port;

	f->port = -1;
	return before;
}

uint32_t fake_asked_plainly(struct fake *f, uint16_t type)
{
	return fake_asked(f, type, sizeof(struct msg_plain)).h.message_id;
}

void fake_answer_end(struct fake *f, uint32_t id)
{
	struct msg_plain end;

	FAKE_ANSWER(f, end, CTL_END, id);
}

/* Expects CTL_LIST, and answers with the sessions. */
void fake_answer_list(struct fake *f, const struct msg_session *sessions, size_t count)
{
	uint32_t id = fake_asked_plainly(f, CTL_LIST);

	for (size_t i = 0; i < count; i++) {
		struct msg_session copy = sessions[i];
		FAKE_ANSWER(f, copy, CTL_SESSION, id);
	}
	fake_answer_end(f, id);
}

void fake_answer_call(struct fake *f, SMAPIMSG reply, int32_t status)
{
	reply.ReturnedStatus = status;
	FAKE_ANSWER(f, reply, LPC_REPLY, reply.h.message_id);
}

void fake_answer_account(struct fake *f, const union fake_request *r, int32_t status)
{
	struct lsa_answer answer = { .status = status };

	FAKE_ANSWER(f, answer, LSA_ANSWER, r->h.message_id);
}

void fake_answer_control(
    struct fake *f, uint16_t type, uint32_t session, uint32_t target, int32_t status)
{
	union fake_request r = fake_asked(f, type, sizeof(struct msg_control));
	struct msg_control expected = { .h = r.h, .session = session, .target = target };

	assert_memory_equal(&r.control, &expected, sizeof(expected));
	expected.session = session == NO_SESSION ? 7 : session;
	expected.status = status;
	FAKE_ANSWER(f, expected, type, r.h.message_id);
}

uint32_t fake_asked_box(struct fake *f, const struct msg_box *box)
{
	union fake_request r = fake_asked(f, CTL_MESSAGE, sizeof(struct msg_box));
	struct msg_box expected = *box;

	expected.h = r.h;
	assert_string_equal(r.box.title, box->title);
	assert_string_equal(r.box.text, box->text);
	assert_memory_equal(&r.box, &expected, sizeof(expected));
	return r.h.message_id;
}

void fake_answer_box(
    struct fake *f, uint32_t id, uint32_t session, int32_t status, uint32_t response)
{
	struct msg_control answer = { .session = session, .status = status, .response = response };

	FAKE_ANSWER(f, answer, CTL_MESSAGE, id);
}
