/* The workers, from the parent's side. */
#include "pool.h"

#include "clock.h"
#include "machine.h"
#include "proctree.h"
#include "worker.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { WORKERS_MAX = 256, SPARE_FDS = 64, END_MS = 5000 };

static void tell(struct pool *pool, enum report_kind kind, const struct result *result)
{
	struct report report = { .kind = kind, .result = *result };

	pool->report(pool->context, &report);
}

/* ---- what workers say ---- */

static void end_start(struct pool_worker *w, struct start *start)
{
	w->pool->reached -= start->reached > 0;
	w->pool->live--;
	w->live--;
	TAILQ_REMOVE(&w->starts, start, link);
	free(start);
}

/* The worker says no more of what it has: what is known of it by now is its result. */
static void report_what_is_known(struct pool_worker *w, enum load_error error, const char *why)
{
	struct start *start;

	while ((start = TAILQ_FIRST(&w->starts))) {
		/* the analyzer does not see that TAILQ_REMOVE takes the last one out */
		struct result result = start->result; // NOLINT(clang-analyzer-unix.Malloc)

		result.error = error;
		if (w->pool->options->sm)
			result.failed_in = start->reached ? LOAD_STOP : LOAD_START;
		else
			result.failed_in = start->reached ? LOAD_SHELL : LOAD_TCP;
		result.held = clock_us() - (start->reached ? start->reached : result.started);
		snprintf(result.detail, sizeof(result.detail), "%s", why);
		end_start(w, start);
		tell(w->pool, REPORT_ENDED, &result);
	}
}

static void lose_worker(struct pool_worker *w)
{
	bufferevent_free(w->port);
	w->port = NULL;
	report_what_is_known(w, LOAD_LOCAL, "its worker ended");
}

/* Those that come to --until are among the last, those that end among the first. */
static struct start *find_start(struct pool_worker *w, const struct report *report)
{
	struct start *start;

	if (report->kind == REPORT_REACHED) {
		TAILQ_FOREACH_REVERSE(start, &w->starts, start_list, link)
		if (start->order.number == report->result.number)
			break;
	} else {
		TAILQ_FOREACH(start, &w->starts, link)
		/* as above */
		if (start->order.number == // NOLINT(clang-analyzer-unix.Malloc)
		    report->result.number)
			break;
	}
	return start;
}

/* Before the worker says anything of it. */
static void begin_start(struct pool_worker *w, struct start *start)
{
	struct result *r = &start->result;

	start->reached = 0;
	*r = worker_result(&start->order);
	r->started = r->planned;
	users_name(&w->pool->options->users, start->order.turn, r->user, sizeof(r->user));
}

/* What a start's result would be, were nothing more said of it. */
static void note_report(struct pool_worker *w, struct start *start, const struct report *report)
{
	switch ((enum report_kind)report->kind) {
	case REPORT_REACHED:
		start->result = report->result;
		start->reached = report->result.started + report->result.total;
		w->pool->reached++;
		break;
	case REPORT_RESULT: /* the second connection is of the same order, and begins now */
		w->pool->reached -= start->reached > 0;
		start->order.due = clock_us();
		begin_start(w, start);
		break;
	case REPORT_ENDED:
	case REPORT_LATE:
		end_start(w, start);
		break;
	}
}

static void take_report(struct pool_worker *w, const struct report *report)
{
	struct start *start = find_start(w, report);

	if (start)
		note_report(w, start, report);
	w->pool->report(w->pool->context, report);
}

static void on_reports(struct bufferevent *port, void *argument)
{
	struct evbuffer *input = bufferevent_get_input(port);
	struct report report;

	while (evbuffer_get_length(input) >= sizeof(report)) {
		evbuffer_remove(input, &report, sizeof(report));
		take_report(argument, &report);
	}
}

static void on_event(struct bufferevent *port, short events, void *argument)
{
	(void)port;
	if (events & (BEV_EVENT_EOF | BEV_EVENT_ERROR))
		lose_worker(argument);
}

/* ---- making them ---- */

/* Sessions at a time, at most. */
static uint64_t most_live(const struct options *o)
{
	uint64_t most = o->plan.model == PLAN_CONCURRENCY ? o->plan.lanes : plan_count(&o->plan);

	return most < o->max_live ? most : o->max_live;
}

/* One per processor, more where a process may not have as many descriptors. */
static unsigned workers_needed(const struct options *o)
{
	unsigned descriptors = machine_descriptors();
	unsigned each = descriptors > SPARE_FDS + WORKER_SESSION_FDS
	                    ? (descriptors - SPARE_FDS) / WORKER_SESSION_FDS
	                    : 1;
	uint64_t most = most_live(o), count = machine_processors();
	uint64_t for_descriptors = o->sm ? 1 : (most + each - 1) / each;

	count = count > for_descriptors ? count : for_descriptors;
	count = count > most ? most : count;
	count = count > WORKERS_MAX ? WORKERS_MAX : count;
	return count > 0 ? (unsigned)count : 1;
}

/* Forks it; its port is left in *PORT. */
static int fork_worker(
    struct pool_worker *w, const struct options *options, unsigned ahead, int *port)
{
	int pair[2];

	TAILQ_INIT(&w->starts);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
		return -1;
	w->pid = fork();
	if (w->pid == 0)
		worker_main(options, pair[1], ahead);
	close(pair[1]);
	*port = pair[0];
	return w->pid > 0 ? 0 : -1;
}

static void on_ready(evutil_socket_t fd, short events, void *base)
{
	(void)fd;
	(void)events;
	event_base_loopbreak(base);
}

/* Waits until it has made ready what it makes ahead, or a signal ends the run. */
static int open_port(struct pool_worker *w, int port, struct event_base *base)
{
	char ready;

	if (event_base_once(base, port, EV_READ, on_ready, base, NULL) < 0)
		return -1;
	event_base_dispatch(base);
	if (read(port, &ready, 1) != 1) {
		errno = ECHILD;
		return -1;
	}
	w->port = bufferevent_socket_new(base, port, BEV_OPT_CLOSE_ON_FREE);
	if (!w->port)
		return -1;
	bufferevent_setcb(w->port, on_reports, NULL, on_event, w);
	return bufferevent_enable(w->port, EV_READ | EV_WRITE);
}

int pool_start(struct pool *pool, const struct options *options, struct event_base *base)
{
	unsigned count = workers_needed(options), ahead = 0;
	int ports[WORKERS_MAX] = { 0 };

	pool->options = options;
	/* a storm is all at once: what can be made ready before is */
	if (options->plan.model == PLAN_STORM && !options->sm)
		ahead = (unsigned)((most_live(options) + count - 1) / count);
	pool->workers = calloc(count, sizeof(*pool->workers));
	if (!pool->workers)
		return -1;
	fflush(NULL); /* what is buffered is written once */
	for (; pool->count < count; pool->count++) {
		pool->workers[pool->count].pool = pool;
		if (fork_worker(&pool->workers[pool->count], options, ahead, &ports[pool->count]) <
		    0)
			return -1;
	}
	for (unsigned i = 0; i < count; i++)
		if (open_port(&pool->workers[i], ports[i], base) < 0)
			return -1;
	return 0;
}

/* ---- using them ---- */

static struct pool_worker *least_loaded(const struct pool *pool)
{
	struct pool_worker *best = NULL;

	for (unsigned i = 0; i < pool->count; i++) {
		struct pool_worker *w = &pool->workers[i];

		if (w->port && (!best || w->live < best->live))
			best = w;
	}
	return best;
}

int pool_order(struct pool *pool, const struct order *order)
{
	struct pool_worker *w = least_loaded(pool);
	struct start *start = w ? malloc(sizeof(*start)) : NULL;

	if (!start || bufferevent_write(w->port, order, sizeof(*order)) < 0) {
		free(start);
		return -1;
	}
	start->order = *order;
	begin_start(w, start);
	TAILQ_INSERT_TAIL(&w->starts, start, link);
	w->live++;
	pool->live++;
	return 0;
}

void pool_finish(struct pool *pool)
{
	const struct order order = { .kind = ORDER_FINISH };

	for (unsigned i = 0; i < pool->count; i++)
		if (pool->workers[i].port)
			bufferevent_write(pool->workers[i].port, &order, sizeof(order));
}

uint64_t pool_processor_time(const struct pool *pool)
{
	uint64_t sum = 0;
	struct timespec used;
	clockid_t clock;

	for (unsigned i = 0; i < pool->count; i++)
		if (clock_getcpuclockid(pool->workers[i].pid, &clock) == 0 &&
		    clock_gettime(clock, &used) == 0)
			sum += (uint64_t)used.tv_sec * 1000000 + (uint64_t)used.tv_nsec / 1000;
	return sum;
}

uint64_t pool_memory(const struct pool *pool)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < pool->count; i++)
		if (pool->workers[i].port)
			sum += proctree_memory(
			    &(struct proctree_entry){ .pid = pool->workers[i].pid });
	return sum;
}

static void wait_for(const struct pool_worker *w, uint64_t until)
{
	const struct timespec moment = { .tv_nsec = 2000000 };
	pid_t ended;

	while ((ended = waitpid(w->pid, NULL, WNOHANG)) == 0 && clock_us() < until)
		nanosleep(&moment, NULL);
	if (ended)
		return;
	kill(w->pid, SIGKILL);
	while (waitpid(w->pid, NULL, 0) < 0 && errno == EINTR)
		;
}

void pool_end(struct pool *pool, bool at_once)
{
	uint64_t until = at_once ? 0 : clock_us() + END_MS * UINT64_C(1000);

	for (unsigned i = 0; i < pool->count; i++) {
		struct pool_worker *w = &pool->workers[i];

		if (w->port) {
			/* it is closed only when the event loop runs, which is over */
			shutdown(bufferevent_getfd(w->port), SHUT_RDWR);
			bufferevent_free(w->port);
			w->port = NULL;
		}
		report_what_is_known(w, LOAD_INTERRUPTED, "not waited for");
	}
	for (unsigned i = 0; i < pool->count; i++)
		if (pool->workers[i].pid > 0)
			wait_for(&pool->workers[i], until);
	free(pool->workers);
	*pool = (struct pool){ 0 };
}
