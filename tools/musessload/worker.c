/* A worker's event loop. */
#include "worker.h"

#include "clock.h"
#include "rdp.h"
#include "session.h"
#include "sm.h"

#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

void worker_report(struct worker *w, enum report_kind kind, const struct result *result)
{
	struct report report = { .kind = kind, .result = *result };

	bufferevent_write(w->parent, &report, sizeof(report));
}

struct result worker_result(const struct order *order)
{
	struct result result = {
		.number = order->number,
		.planned = order->due,
		.started = clock_us(),
		.total = NOT_REACHED,
	};

	for (int i = 0; i < LOAD_PHASE_COUNT; i++)
		result.phase[i] = NOT_REACHED;
	return result;
}

static void finish_all(struct worker *w)
{
	if (w->sm)
		sm_finish(w->sm);
	for (struct session *s = w->sessions, *next; s; s = next) {
		next = s->next;
		session_interrupt(s);
	}
}

static void carry_out(struct worker *w, const struct order *order)
{
	if (order->kind == ORDER_FINISH) {
		finish_all(w);
	} else if (!plan_may_be_late(&w->options->plan) && clock_us() > order->due + LATE_US) {
		struct result late = worker_result(order);

		worker_report(w, REPORT_LATE, &late);
	} else if (w->sm) {
		sm_start(w->sm, order);
	} else {
		session_start(w, order);
	}
}

static void on_orders(struct bufferevent *parent, void *argument)
{
	struct evbuffer *input = bufferevent_get_input(parent);
	struct order order;

	while (evbuffer_get_length(input) >= sizeof(order)) {
		evbuffer_remove(input, &order, sizeof(order));
		carry_out(argument, &order);
	}
}

/* The parent has all results, or is no more: there is nothing left to do in order. */
static void on_end(struct bufferevent *parent, short events, void *argument)
{
	(void)parent;
	(void)argument;
	if (events & (BEV_EVENT_EOF | BEV_EVENT_ERROR))
		_exit(0);
}

static void on_connected(evutil_socket_t fd, short events, void *argument)
{
	struct session *s;

	(void)events;
	(void)argument;
	while (read(fd, &s, sizeof(s)) == sizeof(s))
		session_connected(s);
}

static int open_loop(struct worker *w, int port)
{
	struct event_config *config = event_config_new();

	if (config) {
		event_config_set_flag(config, EVENT_BASE_FLAG_PRECISE_TIMER);
		w->base = event_base_new_with_config(config);
		event_config_free(config);
	}
	/* threads write to it and may wait, the loop must not */
	if (!w->base || pipe2(w->pipe, O_CLOEXEC) < 0 || fcntl(w->pipe[0], F_SETFL, O_NONBLOCK) < 0)
		return -1;
	w->connected = event_new(w->base, w->pipe[0], EV_READ | EV_PERSIST, on_connected, w);
	w->parent = bufferevent_socket_new(w->base, port, 0);
	if (!w->connected || !w->parent || event_add(w->connected, NULL) < 0)
		return -1;
	bufferevent_setcb(w->parent, on_orders, NULL, on_end, w);
	return bufferevent_enable(w->parent, EV_READ | EV_WRITE);
}

struct rdp *worker_take_prepared(struct worker *w)
{
	return w->prepared_count > 0 ? w->prepared[--w->prepared_count] : NULL;
}

/* Where memory is short there are fewer: sessions make their own then. */
static void prepare(struct worker *w, unsigned ahead)
{
	struct rdp *rdp;

	w->prepared = calloc(ahead, sizeof(struct rdp *));
	while (w->prepared && w->prepared_count < ahead && (rdp = rdp_create()))
		w->prepared[w->prepared_count++] = rdp;
}

_Noreturn void worker_main(const struct options *options, int port, unsigned ahead)
{
	static struct worker w;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setpriority(PRIO_PROCESS, 0, WORKER_NICE);
	/* what ends the run is for the parent, which tells us: Ctrl-C and a terminal's end come to all of a process group,
	   and so does what `timeout` or a service manager sends */
	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	close_range(3, (unsigned)port - 1, 0); /* the parent's event loop, file and ports */
	close_range((unsigned)port + 1, ~0u, 0);
	/* an arena for each thread would cost memory, one for all would have the event loop wait; large tables that nobody writes to (zeroing.h)
	   cost none as long as they come fresh from the kernel, and not from what was freed */
	mallopt(M_ARENA_MAX, 2);
	mallopt(M_MMAP_THRESHOLD, 64 << 10);
	w.options = options;
	prepare(&w, ahead);
	if (write(port, "r", 1) != 1 || open_loop(&w, port) < 0)
		_exit(1);
	if (options->sm)
		w.sm = sm_create(&w);
	event_base_dispatch(w.base);
	_exit(1);
}
