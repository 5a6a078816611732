/*
 * The life of an environment session: its states are told in psxss.c.
 */
#include "psxss.h"

#include "clock.h"
#include "log.h"
#include "ntstatus.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { GRACE = 1000000 /* microseconds */ };

/* Everything is closed, and smss told. */
static void complete(struct psxss *p, struct exec *e)
{
	SMAPIMSG m = { .ApiNumber = SmSessionCompleteApi, .ReturnedStatus = STATUS_PENDING };

	fd_close(&e->port);
	fd_close(&e->input);
	fd_close(&e->output[0]);
	fd_close(&e->output[1]);
	fd_close(&e->error);
	m.u.SessionComplete.SessionId = e->id;
	m.u.SessionComplete.SessionStatus = STATUS_SUCCESS;
	port_header(&m.h, LPC_REQUEST, sizeof(m), ++p->message_id);
	port_send(p->sm.smss, &m.h, -1); /* one that is gone is noticed in the loop */
	e->state = EMPTY;
}

/* The last message, once nothing is before it. Who was hung up on waits for no reader. */
static void finish(struct psxss *p, struct exec *e)
{
	if (e->state != ENDED)
		return;
	if (e->port >= 0 && !e->kill_at && (e->out_held || e->left[0] > 0 || e->left[1] > 0))
		return;
	port_header(&e->end.h, EX_EXIT, sizeof(e->end), 0);
	if (e->port >= 0 && port_send(e->port, &e->end.h, -1) < 0 && errno == EAGAIN && !e->kill_at)
		return;
	complete(p, e);
}

/* No command runs any longer. */
static void end(struct psxss *p, struct exec *e, uint32_t status, int error)
{
	e->state = ENDED;
	e->in_held = false;
	e->end.status = status;
	e->end.error = error;
	fd_close(&e->input);
	/* what comes later is another process's, and that could go on forever */
	for (int i = 0; i < 2; i++)
		if (e->output[i] < 0 || ioctl(e->output[i], FIONREAD, &e->left[i]) < 0)
			e->left[i] = 0;
	finish(p, e);
}

/* The process has ended: how? */
static void end_as(struct psxss *p, struct exec *e, const siginfo_t *how)
{
	int error = 0;

	if (e->refused)
		end(p, e, EXIT_CANNOT, e->refused);
	else if (read(e->error, &error, sizeof(error)) == sizeof(error) && error > 0)
		end(p, e, error == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT, error);
	else if (how->si_code == CLD_EXITED)
		end(p, e, (uint32_t)how->si_status & 0xff, 0);
	else
		end(p, e, 128 + (uint32_t)how->si_status, 0);
}

void exec_hang_up(struct psxss *p, struct exec *e)
{
	if (e->state == WAITING) {
		complete(p, e);
	} else if (e->state == ENDED) {
		e->kill_at = 1;
		finish(p, e);
	} else if (!e->kill_at) {
		e->kill_at = clock_us();
		if (e->state == RUNNING) {
			e->kill_at += GRACE;
			kill(-e->process, SIGHUP);
			kill(-e->process, SIGCONT); /* one that is stopped would not hear it */
		} else {
			kill(e->process, SIGKILL); /* it may not have its group yet */
		}
	}
}

/* musessctl is gone, or does what it may not. */
static void lose_port(struct psxss *p, struct exec *e)
{
	fd_close(&e->port);
	exec_hang_up(p, e);
}

bool exec_is_under_way(const struct exec *e)
{
	return e->state >= STOPPING && e->state <= KILLED;
}

void exec_kill(struct psxss *p, struct exec *e)
{
	const siginfo_t killed = { .si_code = CLD_KILLED, .si_status = SIGKILL };

	if (e->state == KILLED) {
		end_as(p, e, &killed);
		return;
	}
	kill(-e->process, SIGKILL);
	kill(e->process, SIGKILL);
	e->state = KILLED;
	e->kill_at = clock_us() + GRACE;
	exec_on_child(p, e); /* it may have ended before */
}

/* It has stopped: smss is told, with the process beside it. */
static void ask_smss(struct psxss *p, struct exec *e)
{
	SMAPIMSG m = { .ApiNumber = SmExecPgmApi, .ReturnedStatus = STATUS_PENDING };
	int process = (int)syscall(SYS_pidfd_open, e->process, 0);

	m.u.ExecPgm.ProcessId = (uint32_t)e->process;
	e->message_id = ++p->message_id;
	e->state = ASKED;
	port_header(&m.h, LPC_REQUEST, sizeof(m), e->message_id);
	if (process < 0 || port_send(p->sm.smss, &m.h, process) < 0)
		kill(e->process, SIGKILL);
	fd_close(&process);
}

void exec_on_child(struct psxss *p, struct exec *e)
{
	int what = WEXITED | WNOHANG | (e->state == STOPPING ? WSTOPPED : 0);
	/* one that was hung up on is reaped when its time is over */
	bool grace = e->kill_at && exec_is_under_way(e) && e->state != KILLED;
	siginfo_t how = { 0 };

	if (waitid(P_PID, (id_t)e->process, &how, what | WNOWAIT) < 0 || how.si_pid == 0)
		return;
	if (how.si_code == CLD_STOPPED) {
		waitid(P_PID, (id_t)e->process, &how, WSTOPPED | WNOHANG);
		if (!e->kill_at)
			ask_smss(p, e);
	} else if (!grace) {
		waitid(P_PID, (id_t)e->process, &how, WEXITED | WNOHANG);
		e->process = 0;
		if (exec_is_under_way(e))
			end_as(p, e, &how);
	}
}

static int error_of(int32_t status)
{
	return status == STATUS_NO_MEMORY ? ENOMEM : status == STATUS_ACCESS_DENIED ? EACCES : EIO;
}

void exec_on_answer(struct psxss *p, struct exec *e, int32_t status)
{
	if (status == STATUS_SUCCESS) {
		e->state = RUNNING;
		return;
	}
	log_warn("smss refused a command: %s", ntstatus_name(status));
	e->refused = error_of(status);
	exec_kill(p, e);
}

/* ---- musessctl and the pipes ---- */

static void on_command(struct psxss *p, struct exec *e, struct ex_command *m)
{
	char *words[EX_ARGUMENTS_MAX + 1];

	if (!process_split_command(m, words)) {
		lose_port(p, e);
		return;
	}
	process_find_user(p);
	e->state = STOPPING;
	if (process_start(p, e, words) < 0)
		end(p, e, EXIT_CANNOT, errno);
}

/* As much of the held input as the pipe takes. */
static void write_input(struct exec *e)
{
	ssize_t wrote = 0;

	if (!e->in_held)
		return;
	if (e->input >= 0 && e->in.length > 0)
		wrote = write(e->input, e->in.data + e->in_at, e->in.length - e->in_at);
	if (wrote < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (wrote < 0 || e->in.length == 0)
		fd_close(&e->input); /* its end, or nobody reads: the rest is for nothing */
	e->in_at += wrote > 0 ? (uint32_t)wrote : 0;
	e->in_held = e->input >= 0 && e->in_at < e->in.length;
}

static void on_port(struct psxss *p, struct exec *e)
{
	union {
		PORT_MESSAGE h;
		struct ex_command command;
		struct ex_data data;
	} m;
	ssize_t got = port_receive(e->port, &m, sizeof(m), NULL);

	if (got < 0 && errno == EAGAIN)
		return;
	if (got == sizeof(m.command) && m.h.type == EX_COMMAND && e->state == WAITING) {
		on_command(p, e, &m.command);
	} else if (got == sizeof(m.data) && m.h.type == EX_INPUT && e->state != WAITING &&
	           m.data.length <= sizeof(m.data.data)) {
		e->in = m.data;
		e->in_at = 0;
		e->in_held = e->state != ENDED;
		write_input(e);
	} else {
		lose_port(p, e);
	}
}

static void send_output(struct psxss *p, struct exec *e)
{
	if (!e->out_held)
		return;
	if (e->port >= 0 && port_send(e->port, &e->out.h, -1) < 0 && errno == EAGAIN)
		return;
	e->out_held = false; /* that the port is gone is noticed where it is read */
	finish(p, e);
}

static void read_output(struct psxss *p, struct exec *e, int i)
{
	size_t size = sizeof(e->out.data);
	ssize_t got;

	if (e->state == ENDED && (size_t)e->left[i] < size)
		size = (size_t)e->left[i];
	got = read(e->output[i], e->out.data, size);
	if (got < 0 && (errno == EAGAIN || errno == EINTR) && e->state != ENDED)
		return;
	if (got <= 0) { /* or another process has read what was left */
		fd_close(&e->output[i]);
		e->left[i] = 0;
		finish(p, e);
		return;
	}
	memset(e->out.data + got, 0, sizeof(e->out.data) - (size_t)got);
	e->out.stream = (uint32_t)i + 1;
	e->out.length = (uint32_t)got;
	port_header(&e->out.h, EX_OUTPUT, sizeof(e->out), 0);
	e->out_held = true;
	if (e->state == ENDED)
		e->left[i] -= (int)got;
	send_output(p, e);
}

static bool wants_output(const struct exec *e, int i)
{
	return !e->out_held && (e->state != ENDED || e->left[i] > 0);
}

void exec_prepare(const struct exec *e, struct pollfd *polls)
{
	bool send = e->out_held || e->state == ENDED;

	polls[PORT] = (struct pollfd){ e->port,
		(short)((e->in_held ? 0 : POLLIN) | (send ? POLLOUT : 0)), 0 };
	polls[INPUT] = (struct pollfd){ e->in_held ? e->input : -1, POLLOUT, 0 };
	for (int i = 0; i < 2; i++)
		polls[OUTPUT + i] =
		    (struct pollfd){ wants_output(e, i) ? e->output[i] : -1, POLLIN, 0 };
	if (e->state == EMPTY)
		for (int i = 0; i < EXEC_POLLS; i++)
			polls[i].fd = -1;
}

void exec_serve(struct psxss *p, struct exec *e, const struct pollfd *polls)
{
	if ((polls[PORT].revents & POLLHUP) && e->state != EMPTY && e->port >= 0) {
		lose_port(p, e);
		return;
	}
	if ((polls[PORT].revents & (POLLIN | POLLERR)) && e->state != EMPTY)
		on_port(p, e);
	if ((polls[PORT].revents & POLLOUT) && e->state != EMPTY) {
		send_output(p, e);
		finish(p, e);
	}
	if (polls[INPUT].revents && e->state != EMPTY)
		write_input(e);
	for (int i = 0; i < 2; i++) {
		bool ready = polls[OUTPUT + i].revents ||
		             (e->state == ENDED && (polls[PORT].revents & POLLOUT));
		if (ready && e->state != EMPTY && e->output[i] >= 0 && wants_output(e, i))
			read_output(p, e, i);
	}
}
