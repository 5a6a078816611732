/*
 * musessctl exec: a command in a session. smss passes one end of a port on to the session's
 * psxss; over the other the command goes, then standard input, and output and the end come
 * back. psxss runs with the rights of the session's user: nothing it sends is believed.
 *
 * One message of input is held until the port takes it, and nothing is read meanwhile.
 * Output is written as it comes, and no more is received before: who reads slowly slows
 * the command.
 */
#include "musessctl.h"
#include "ntstatus.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct relay {
	const struct request *request;
	int port;
	bool input_open; /* standard input has not ended, and psxss takes it */
	bool held;
	struct ex_data input;
};

/* What comes over the port. */
union ex_message {
	PORT_MESSAGE h;
	struct ex_data data;
	struct ex_exit end;
};

/* Sets *M from the command's words. Returns 0 or CTL_USAGE. */
static int encode_words(char *const *words, struct ex_command *m)
{
	for (; *words; words++) {
		size_t size = strlen(*words) + 1;
		if (m->count == EX_ARGUMENTS_MAX || size > sizeof(m->arguments) - m->length)
			return ctl_usage_error("exec: a command has at most %d words, and %d bytes",
			    EX_ARGUMENTS_MAX, EX_COMMAND_SIZE);
		memcpy(m->arguments + m->length, *words, size);
		m->length += (uint32_t)size;
		m->count++;
	}
	return 0;
}

/* Has smss pass a port on. Sets *PORT to our end of it. Returns 0 or an exit status. */
static int ask_for_port(struct request *r, uint32_t session, int *port)
{
	struct msg_exec m = { .session = session };
	union answer answer;
	int pair[2], status = ctl_connect(r);

	if (status)
		return status;
	if (port_pair(pair) < 0)
		return ctl_failed(r, "a port");
	status = ctl_ask_passing(r, &m.h, CTL_EXEC, sizeof(m), pair[1]);
	close(pair[1]);
	*port = pair[0];
	if (status == 0)
		status = ctl_receive(r, &answer);
	if (status)
		return status;
	if (answer.h.type != CTL_EXEC)
		return ctl_bad_answer(r);
	if (answer.exec.status != STATUS_SUCCESS)
		return ctl_refused(r, answer.exec.status, NULL);
	return 0;
}

/* Returns false after saying why. */
static bool write_all(const struct request *r, int fd, const char *data, size_t length)
{
	while (length > 0) {
		struct pollfd writable = { fd, POLLOUT, 0 };
		ssize_t wrote = write(fd, data, length);

		if (wrote < 0 && errno == EAGAIN) /* whoever shares the file made it so */
			poll(&writable, 1, -1);
		else if (wrote < 0 && errno != EINTR) {
			ctl_failed(r, fd == STDOUT_FILENO ? "standard output" : "standard error");
			return false;
		}
		if (wrote > 0) {
			data += wrote;
			length -= (size_t)wrote;
		}
	}
	return true;
}

static int strange_message(const struct relay *y)
{
	fprintf(stderr, "musessctl: %s %s: the session's psxss sent what is not its to send\n",
	    y->request->command->name, y->request->operand);
	return CTL_EXEC_FAILED;
}

/* The last message: what musessctl ends with. */
static int command_ended(const struct relay *y, const struct ex_exit *m)
{
	if (m->status > 255 || m->error < 0 || (m->error && m->status != 126 && m->status != 127))
		return strange_message(y);
	if (m->error)
		fprintf(stderr, "musessctl: %s: %s: %s\n", y->request->command->name,
		    y->request->words[0], strerror(m->error));
	return (int)m->status;
}

/* Returns an exit status, or -1 to go on. */
static int take_message(struct relay *y)
{
	union ex_message m;
	ssize_t got = port_receive(y->port, &m, sizeof(m), NULL);

	/* the peer closed with our input unread: what it sent before is still to come */
	if (got < 0 && (errno == EAGAIN || errno == ECONNRESET))
		return -1;
	if (got == 0) {
		ctl_refused(y->request, STATUS_PORT_DISCONNECTED, "the session has ended");
		return CTL_EXEC_FAILED;
	}
	if (got == sizeof(m.end) && m.h.type == EX_EXIT)
		return command_ended(y, &m.end);
	if (got != sizeof(m.data) || m.h.type != EX_OUTPUT || m.data.length == 0 ||
	    m.data.length > sizeof(m.data.data) || (m.data.stream != 1 && m.data.stream != 2))
		return strange_message(y);
	return write_all(y->request, m.data.stream == 1 ? STDOUT_FILENO : STDERR_FILENO,
	           m.data.data, m.data.length)
	           ? -1
	           : CTL_EXEC_FAILED;
}

static void send_input(struct relay *y)
{
	if (port_send(y->port, &y->input.h, -1) < 0) {
		if (errno == EAGAIN)
			return;
		y->input_open = false; /* what came before it is still to be read */
	}
	if (y->input.length == 0)
		y->input_open = false;
	y->held = false;
}

static void read_input(struct relay *y)
{
	ssize_t got = read(STDIN_FILENO, y->input.data, sizeof(y->input.data));

	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	y->input.length = got > 0 ? (uint32_t)got : 0; /* one that cannot be read has ended */
	memset(y->input.data + y->input.length, 0, sizeof(y->input.data) - y->input.length);
	port_header(&y->input.h, EX_INPUT, sizeof(y->input), 0);
	y->held = true;
	send_input(y);
}

/* Until the command has ended. Returns an exit status. */
static int relay(struct relay *y)
{
	int status = -1;

	while (status < 0) {
		struct pollfd p[2] = { { y->port, (short)(y->held ? POLLIN | POLLOUT : POLLIN), 0 },
			{ y->input_open && !y->held ? STDIN_FILENO : -1, POLLIN, 0 } };

		if (poll(p, 2, -1) < 0) {
			if (errno == EINTR)
				continue;
			ctl_failed(y->request, "poll");
			return CTL_EXEC_FAILED;
		}
		if (y->held && (p[0].revents & (POLLOUT | POLLHUP | POLLERR)))
			send_input(y);
		if (p[0].revents & (POLLIN | POLLHUP | POLLERR))
			status = take_message(y);
		if (status < 0 && p[1].revents)
			read_input(y);
	}
	return status;
}

int ctl_exec(struct request *r)
{
	static struct ex_command command;
	static struct relay y = { .port = -1, .input_open = true };
	uint32_t session;
	int status;

	status = encode_words(r->words, &command);
	if (status == 0)
		status = ctl_find_session(r, r->operand, &session);
	if (status == 0)
		status = ask_for_port(r, session, &y.port);
	y.request = r;
	port_header(&command.h, EX_COMMAND, sizeof(command), 0);
	if (status == 0 && port_send(y.port, &command.h, -1) < 0 && errno != EPIPE &&
	    errno != ECONNRESET)
		status = ctl_failed(r, "psxss");
	/* the exit statuses of commands are any number: ours is one that they seldom use */
	if (status == CTL_REFUSED)
		status = CTL_EXEC_FAILED;
	else if (status == 0)
		status = relay(&y);
	fd_close(&y.port);
	return status;
}
