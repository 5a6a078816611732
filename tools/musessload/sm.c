/*
 * The SM API's sessions of a worker. A session is either waiting for its call to be sent, waiting
 * for an answer, or held. Calls that the port has no room for wait in a queue, in order.
 */
#include "sm.h"

#include "clock.h"
#include "ntstatus.h"
#include "port.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/un.h>
#include <unistd.h>

enum sm_state { SM_STARTING, SM_HELD, SM_STOPPING };

struct sm_session {
	TAILQ_ENTRY(sm_session) all;
	STAILQ_ENTRY(sm_session) unsent;
	struct sm_port *port;
	enum sm_state state;
	struct order order;
	struct result result;
	uint32_t call;    /* the message's id */
	uint32_t id;      /* the session's */
	uint64_t reached; /* when StartCsr was answered */
	uint64_t called;  /* when the call was made */
	struct event *timer;
};

struct sm_port {
	struct worker *worker;
	int fd; /* -1: there is no connection */
	uint32_t calls;
	bool finishing;
	struct event *readable, *writable;
	TAILQ_HEAD(, sm_session) sessions;
	STAILQ_HEAD(, sm_session) unsent;
	char why[LOAD_DETAIL_SIZE]; /* there is none */
};

static void end_session(struct sm_session *s)
{
	if (s->reached)
		s->result.held = clock_us() - s->reached;
	worker_report(s->port->worker, REPORT_ENDED, &s->result);
	TAILQ_REMOVE(&s->port->sessions, s, all);
	if (s->timer)
		event_free(s->timer);
	free(s);
}

static void fail(struct sm_session *s, enum load_error error, const char *detail)
{
	s->result.error = error;
	s->result.failed_in = s->state == SM_STARTING ? LOAD_START : LOAD_STOP;
	snprintf(s->result.detail, sizeof(s->result.detail), "%s", detail);
	end_session(s);
}

/* The port is gone, and so are all its sessions. */
static void lose_port(struct sm_port *p, enum load_error error, const char *why)
{
	struct sm_session *s, *next;

	snprintf(p->why, sizeof(p->why), "%s", why);
	if (p->fd >= 0) {
		event_del(p->readable);
		event_del(p->writable);
		close(p->fd);
	}
	p->fd = -1;
	STAILQ_INIT(&p->unsent);
	for (s = TAILQ_FIRST(&p->sessions); s; s = next) {
		next = TAILQ_NEXT(s, all);
		fail(s, error, why);
	}
}

/* ---- calls ---- */

/* Returns 0, or -1 with errno. */
static int send_call(struct sm_session *s)
{
	SMAPIMSG m = { .ApiNumber = s->state == SM_STARTING ? SmStartCsrApi : SmStopCsrApi };

	if (s->state == SM_STARTING)
		m.u.StartCsr.MuSessionId = SM_NO_MUSESSION;
	else
		m.u.StopCsr.MuSessionId = s->id;
	port_header(&m.h, LPC_REQUEST, sizeof(m), s->call);
	return port_send(s->port->fd, &m.h, -1);
}

static void send_unsent(evutil_socket_t fd, short events, void *argument)
{
	struct sm_port *p = argument;
	struct sm_session *s;

	(void)fd;
	(void)events;
	while ((s = STAILQ_FIRST(&p->unsent))) {
		if (send_call(s) < 0) {
			if (errno == EAGAIN || errno == ENOBUFS)
				event_add(p->writable, NULL);
			else
				lose_port(p, LOAD_RESET, strerror(errno));
			return;
		}
		STAILQ_REMOVE_HEAD(&p->unsent, unsent);
	}
}

static void call(struct sm_session *s, enum sm_state state)
{
	struct sm_port *p = s->port;
	struct timeval patience = { (time_t)(p->worker->options->deadline / 1000000),
		(suseconds_t)(p->worker->options->deadline % 1000000) };

	s->state = state;
	s->call = ++p->calls;
	s->called = clock_us();
	event_add(s->timer, &patience);
	STAILQ_INSERT_TAIL(&p->unsent, s, unsent);
	send_unsent(-1, 0, p);
}

/* Its hold is over, or an answer has not come by the deadline. */
static void on_timer(evutil_socket_t fd, short events, void *argument)
{
	struct sm_session *s = argument, *unsent;

	(void)fd;
	(void)events;
	if (s->state == SM_HELD) {
		call(s, SM_STOPPING);
		return;
	}
	STAILQ_FOREACH(unsent, &s->port->unsent, unsent)
	if (unsent == s)
		break;
	if (unsent)
		STAILQ_REMOVE(&s->port->unsent, s, sm_session, unsent);
	fail(s, LOAD_DEADLINE, "");
}

static void hold(struct sm_session *s)
{
	uint64_t end = s->reached + s->port->worker->options->hold, now = clock_us();
	struct timeval wait = { 0 };

	if (s->order.end_by && s->order.end_by < end)
		end = s->order.end_by;
	if (!s->port->finishing && end > now) {
		wait.tv_sec = (time_t)((end - now) / 1000000);
		wait.tv_usec = (suseconds_t)((end - now) % 1000000);
	}
	s->state = SM_HELD;
	event_add(s->timer, &wait);
}

/* ---- answers ---- */

static void started(struct sm_session *s, const SMAPIMSG *m)
{
	s->reached = clock_us();
	s->id = m->u.StartCsr.MuSessionId;
	s->result.phase[LOAD_START] = s->reached - s->called;
	s->result.total = s->reached - s->result.started;
	s->result.phase[LOAD_OTHER] = s->result.total - s->result.phase[LOAD_START];
	worker_report(s->port->worker, REPORT_REACHED, &s->result);
	hold(s);
}

static void take_answer(struct sm_port *p, const SMAPIMSG *m)
{
	struct sm_session *s;

	TAILQ_FOREACH(s, &p->sessions, all)
	/* the analyzer does not see that TAILQ_REMOVE takes the last one out */
	if (s->call == m->h.message_id && s->state != SM_HELD) // NOLINT(clang-analyzer-unix.Malloc)
		break;
	if (!s)
		return; /* it came after the deadline */
	s->result.status = m->ReturnedStatus;
	if (m->ReturnedStatus != STATUS_SUCCESS)
		fail(s, LOAD_SM, ntstatus_name(m->ReturnedStatus));
	else if (s->state == SM_STARTING)
		started(s, m);
	else {
		s->result.phase[LOAD_STOP] = clock_us() - s->called;
		end_session(s);
	}
}

static void on_readable(evutil_socket_t fd, short events, void *argument)
{
	struct sm_port *p = argument;
	SMAPIMSG m;
	ssize_t got = 0;

	(void)events;
	while (p->fd >= 0 && (got = port_receive(fd, &m, sizeof(m), NULL)) == sizeof(m))
		take_answer(p, &m);
	if (p->fd < 0 || (got < 0 && (errno == EAGAIN || errno == EINTR)))
		return;
	if (got == 0)
		lose_port(p, LOAD_RESET, "the session manager went away");
	else
		lose_port(p, LOAD_PROTOCOL, "what answers is no session manager");
}

/* ---- the port ---- */

static int open_port(struct sm_port *p, const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	p->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (p->fd < 0 || connect(p->fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    evutil_make_socket_nonblocking(p->fd) < 0) {
		snprintf(p->why, sizeof(p->why), "%.60s: %.30s", path, strerror(errno));
		fd_close(&p->fd);
		return -1;
	}
	p->readable = event_new(p->worker->base, p->fd, EV_READ | EV_PERSIST, on_readable, p);
	p->writable = event_new(p->worker->base, p->fd, EV_WRITE, send_unsent, p);
	return p->readable && p->writable ? event_add(p->readable, NULL) : -1;
}

struct sm_port *sm_create(struct worker *worker)
{
	struct sm_port *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->worker = worker;
	TAILQ_INIT(&p->sessions);
	STAILQ_INIT(&p->unsent);
	open_port(p, worker->options->target);
	return p;
}

void sm_start(struct sm_port *p, const struct order *order)
{
	struct sm_session *s = calloc(1, sizeof(*s));
	struct result result = worker_result(order);

	if (s) {
		s->port = p;
		s->order = *order;
		s->result = result;
		s->timer = event_new(p->worker->base, -1, 0, on_timer, s);
		TAILQ_INSERT_TAIL(&p->sessions, s, all);
	}
	if (!s) {
		result.error = LOAD_LOCAL;
		worker_report(p->worker, REPORT_ENDED, &result);
	} else if (!s->timer)
		fail(s, LOAD_LOCAL, "memory is short");
	else if (p->fd < 0)
		fail(s, LOAD_REFUSED, p->why);
	else
		call(s, SM_STARTING);
}

void sm_finish(struct sm_port *p)
{
	struct sm_session *s;

	p->finishing = true;
	TAILQ_FOREACH(s, &p->sessions, all)
	if (s->state == SM_HELD)
		event_active(s->timer, EV_TIMEOUT, 0);
}
