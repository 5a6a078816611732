/* A session's life. What happens to it comes from its thread, its socket, its timer and the
   parent; each time advance() looks what is due. */
#include "session.h"

#include "clock.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
	STACK_SIZE = 256 << 10, /* address space: what is used is less */
	SCREEN_WIDTH = 1024,
	SCREEN_HEIGHT = 768,
};

static void advance(struct session *s);

/* ---- the list, and the end ---- */

static void link_session(struct session *s)
{
	s->next = s->worker->sessions;
	if (s->next)
		s->next->previous = s;
	s->worker->sessions = s;
}

static void unlink_session(struct session *s)
{
	if (s->previous)
		s->previous->next = s->next;
	else
		s->worker->sessions = s->next;
	if (s->next)
		s->next->previous = s->previous;
}

static void drop_connection(struct session *s)
{
	if (s->readable)
		event_free(s->readable);
	s->readable = NULL;
	rdp_destroy(s->rdp);
	s->rdp = NULL;
}

static void destroy(struct session *s)
{
	unlink_session(s);
	drop_connection(s);
	rdp_destroy(s->prepared);
	if (s->timer)
		event_free(s->timer);
	free(s);
}

/* The session is over: its result is reported, and it is gone. */
static void finish(struct session *s)
{
	worker_report(s->worker, REPORT_ENDED, &s->result);
	destroy(s);
}

static void finish_locally(struct session *s, const char *detail)
{
	s->result.error = LOAD_LOCAL;
	snprintf(s->result.detail, sizeof(s->result.detail), "%s", detail);
	finish(s);
}

/* ---- connecting ---- */

static void cut(struct session *s, enum load_error why)
{
	struct rdp *rdp;

	atomic_store(&s->cut, (int)why);
	rdp = atomic_load(&s->rdp);
	if (rdp)
		rdp_cut(rdp, why);
}

/* The thread: it has nothing of the session but what is set before, and what it sets. */
static void *connect_thread(void *argument)
{
	struct session *s = argument;
	const struct options *o = s->worker->options;
	struct rdp *rdp;
	int wish;

	setpriority(PRIO_PROCESS, 0, 0); /* of this thread: it has inherited the event loop's */
	rdp = s->prepared ? s->prepared : rdp_create();
	if (rdp && rdp_name(rdp, s->result.user, users_password(&o->users, s->order.turn), s->from,
	               &s->cookie) < 0) {
		rdp_destroy(rdp);
		rdp = NULL;
	}
	s->prepared = NULL;
	if (rdp && o->script.reads_screen)
		rdp->screen = screen_create(SCREEN_WIDTH, SCREEN_HEIGHT);
	atomic_store(&s->rdp, rdp);
	wish = atomic_load(&s->cut);
	if (rdp && wish != LOAD_OK)
		rdp_cut(rdp, (enum load_error)wish);
	s->connected = rdp && rdp_connect(rdp) == 0;
	/* less than a page, so it is written whole; the other end is read until we end */
	if (write(s->worker->pipe[1], &s, sizeof(s)) != sizeof(s))
		abort();
	return NULL;
}

static int start_thread(struct session *s)
{
	pthread_attr_t attributes;
	pthread_t thread;
	int error;

	if (pthread_attr_init(&attributes))
		return -1;
	pthread_attr_setstacksize(&attributes, STACK_SIZE);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	error = pthread_create(&thread, &attributes, connect_thread, s);
	pthread_attr_destroy(&attributes);
	return error ? -1 : 0;
}

static void set_timer(struct session *s, uint64_t time)
{
	uint64_t now = clock_us(), left = time > now ? time - now : 0;
	struct timeval wait = { (time_t)(left / 1000000), (suseconds_t)(left % 1000000) };

	event_add(s->timer, &wait);
}

/* Begins to connect, the first time or again. */
static void connect_session(struct session *s)
{
	s->state = SESSION_CONNECTING;
	s->connected = false;
	set_timer(s, s->result.started + s->worker->options->deadline);
	if (start_thread(s) < 0)
		finish_locally(s, "no thread can be made");
}

static void on_timer(evutil_socket_t fd, short events, void *argument)
{
	struct session *s = argument;

	(void)fd;
	(void)events;
	if (s->state == SESSION_CONNECTING)
		cut(s, LOAD_DEADLINE);
	else
		advance(s);
}

void session_start(struct worker *w, const struct order *order)
{
	const struct options *o = w->options;
	struct result result = worker_result(order);
	struct session *s = calloc(1, sizeof(*s));

	users_name(&o->users, order->turn, result.user, sizeof(result.user));
	if (!s) {
		result.error = LOAD_LOCAL;
		worker_report(w, REPORT_ENDED, &result);
		return;
	}
	s->worker = w;
	s->prepared = worker_take_prepared(w);
	s->order = *order;
	s->result = result;
	link_session(s);
	if (o->sources) {
		s->from = &o->source[order->number % o->sources];
		snprintf(s->result.from, sizeof(s->result.from), "%s", s->from->text);
	}
	s->timer = event_new(w->base, -1, 0, on_timer, s);
	if (s->timer)
		connect_session(s);
	else
		finish_locally(s, "memory is short");
}

/* ---- ending ---- */

/* Whether the second connection came to the session of the first. */
static void compare_cookies(struct session *s)
{
	struct rdp_cookie now = rdp_cookie(s->rdp);
	struct result *r = &s->result;

	if (!now.given || !s->cookie.given)
		snprintf(r->detail, sizeof(r->detail),
		    "the server gave no cookie: not known whether it is the same session");
	else if (now.packet.logonId == s->cookie.packet.logonId)
		r->reconnected = true;
	else
		snprintf(r->detail, sizeof(r->detail), "another session: logon id %u, before %u",
		    now.packet.logonId, s->cookie.packet.logonId);
}

static void fill_result(struct session *s)
{
	struct result *r = &s->result;

	rdp_phases(&s->rdp->marks, s->worker->options->until, r);
	if (s->reached)
		r->held = clock_us() - s->reached;
	if (r->errinfo == 0)
		r->errinfo = freerdp_error_info(s->rdp->instance);
	r->certificate_mismatch = s->rdp->name_differs;
	if (s->again && r->error == LOAD_OK)
		compare_cookies(s);
	else if (r->not_logged_off)
		snprintf(r->detail, sizeof(r->detail), "the server did not log it off");
	else if (r->certificate_mismatch && r->error == LOAD_OK)
		snprintf(r->detail, sizeof(r->detail), "the certificate is for %.63s",
		    s->rdp->certificate);
}

/* Comes back to the session that was left, as a result of its own. */
static void reconnect(struct session *s)
{
	s->cookie = rdp_cookie(s->rdp);
	worker_report(s->worker, REPORT_RESULT, &s->result);
	drop_connection(s);
	s->order.due = clock_us();
	s->again = true;
	s->reached = 0;
	{
		struct result before = s->result;

		s->result = worker_result(&s->order);
		memcpy(s->result.user, before.user, sizeof(before.user));
		memcpy(s->result.from, before.from, sizeof(before.from));
	}
	connect_session(s);
}

/* The connection is closed, if it is not yet. */
static void end_session(struct session *s, bool open)
{
	const struct options *o = s->worker->options;

	fill_result(s);
	event_del(s->timer);
	if (open)
		rdp_end(s->rdp, o->end);
	if (o->reconnect && !s->again && !s->interrupted && s->result.error == LOAD_OK)
		reconnect(s);
	else
		finish(s);
}

static void fail(struct session *s, enum load_error error)
{
	rdp_cut(s->rdp, error);
	rdp_failure(s->rdp, s->worker->options->until, &s->result);
	end_session(s, false);
}

/* The server has closed it, or has refused the logon and shows its own prompt now. */
static void lost(struct session *s)
{
	bool open = *s->rdp->refused != 0;
	char how[LOAD_DETAIL_SIZE];

	if (s->state == SESSION_LOGGING_OFF && !open) {
		end_session(s, false);
		return;
	}
	rdp_failure(s->rdp, s->worker->options->until, &s->result);
	if (s->state == SESSION_HELD) {
		memcpy(how, s->result.detail, sizeof(how));
		snprintf(
		    s->result.detail, sizeof(s->result.detail), "while it was held: %.70s", how);
	}
	end_session(s, open);
}

static void press(void *context, uint16_t key, bool down)
{
	rdp_press(((struct session *)context)->rdp, key, down);
}

static bool matches(void *context, const regex_t *pattern)
{
	const struct rdp *rdp = ((struct session *)context)->rdp;

	return rdp->screen && screen_matches(rdp->screen, pattern);
}

/* The session's time is over. */
static void leave(struct session *s)
{
	struct play_port port = { press, matches, s };

	if (s->worker->options->end != END_LOGOFF) {
		end_session(s, true);
		return;
	}
	s->state = SESSION_LOGGING_OFF;
	for (const char *c = "exit\n"; *c; c++)
		play_character(&port, *c);
	set_timer(s, clock_us() + SESSION_LOGOFF_US);
}

/* ---- connected ---- */

static void reached(struct session *s, uint64_t when)
{
	const struct script *script = &s->worker->options->script;

	s->state = SESSION_HELD;
	s->reached = when;
	s->result.total = when - s->result.started;
	rdp_phases(&s->rdp->marks, s->worker->options->until, &s->result);
	worker_report(s->worker, REPORT_REACHED, &s->result);
	if (script->steps && !s->again) {
		play_init(&s->play, script, (struct play_port){ press, matches, s });
		s->playing = true;
	}
	advance(s);
}

/* Looks whether --until has come true. */
static void advance_waiting(struct session *s)
{
	struct rdp_marks *m = &((struct rdp *)s->rdp)->marks;
	enum load_until until = s->worker->options->until;
	uint64_t now = clock_us(), deadline = s->result.started + s->worker->options->deadline;
	uint64_t rest = ((struct rdp *)s->rdp)->last_update + PLAY_REST_US, when;

	if (until == UNTIL_SHELL && m->picture && now >= rest)
		m->shell = rest - PLAY_REST_US;
	when = rdp_reached(m, until);
	if (when)
		reached(s, when);
	else if (now >= deadline)
		fail(s, LOAD_DEADLINE);
	else
		set_timer(
		    s, until == UNTIL_SHELL && m->picture && rest < deadline ? rest : deadline);
}

/* When it is to end. */
static uint64_t end_of(const struct session *s)
{
	uint64_t end = s->reached + s->worker->options->hold;

	return s->order.end_by && s->order.end_by < end ? s->order.end_by : end;
}

static void advance_held(struct session *s)
{
	const struct rdp *rdp = s->rdp;
	uint64_t now = clock_us(), wake = UINT64_MAX, end = end_of(s);
	enum play_state state = PLAY_DONE;

	if (s->playing)
		state = play_go(&s->play, now, rdp->updates, rdp->last_update, &s->result, &wake);
	s->playing = state == PLAY_WAITING;
	if (state == PLAY_FAILED) {
		s->result.error = LOAD_SCRIPT;
		s->result.failed_in = LOAD_SHELL;
		end_session(s, true);
	} else if (s->playing)
		set_timer(s, wake);
	else if (now >= end || s->interrupted)
		leave(s);
	else
		set_timer(s, end);
}

static void advance(struct session *s)
{
	if (s->state != SESSION_CONNECTING && *s->rdp->refused) {
		lost(s);
		return;
	}
	switch (s->state) {
	case SESSION_CONNECTING:
		break;
	case SESSION_WAITING:
		advance_waiting(s);
		break;
	case SESSION_HELD:
		advance_held(s);
		break;
	case SESSION_LOGGING_OFF:
		if (!event_pending(s->timer, EV_TIMEOUT, NULL)) {
			s->result.not_logged_off = true;
			end_session(s, true);
		}
		break;
	}
}

static void on_readable(evutil_socket_t fd, short events, void *argument)
{
	struct session *s = argument;

	(void)fd;
	(void)events;
	if (rdp_serve(s->rdp) < 0)
		lost(s);
	else
		advance(s);
}

void session_connected(struct session *s)
{
	struct rdp *rdp = s->rdp;

	if (!rdp) {
		finish_locally(s, "no connection can be made: memory or descriptors are short");
		return;
	}
	if (!s->connected) {
		rdp_failure(rdp, s->worker->options->until, &s->result);
		end_session(s, false);
		return;
	}
	s->state = SESSION_WAITING;
	s->readable = event_new(s->worker->base, rdp->socket, EV_READ | EV_PERSIST, on_readable, s);
	if (!s->readable || event_add(s->readable, NULL) < 0)
		fail(s, LOAD_LOCAL);
	else if (s->interrupted)
		fail(s, LOAD_INTERRUPTED);
	else
		on_readable(rdp->socket, EV_READ, s); /* FreeRDP may have read it already */
}

void session_interrupt(struct session *s)
{
	s->interrupted = true;
	if (s->state == SESSION_CONNECTING)
		cut(s, LOAD_INTERRUPTED);
	else if (s->state == SESSION_WAITING)
		fail(s, LOAD_INTERRUPTED);
	else if (s->state == SESSION_HELD) {
		s->playing = false;
		leave(s);
	}
}
