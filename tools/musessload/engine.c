/* The run. */
#include "engine.h"

#include "clock.h"
#include "live.h"
#include "machine.h"
#include "rdp.h"
#include "screen.h"
#include "session.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
	TICK_US = 250000,
	TICKS_PER_LINE = 4,
	SLICE_US =
	    5000,      /* of starting what is due: then signals, keys and results have their turn */
	LOOK_PART = 5, /* memory is looked at when there are a fifth more sessions: it takes time */
	LEAST_TO_JUDGE = 10, /* sessions, before a threshold may end the run */
	PATIENCE_US =
	    10000000, /* with workers that are to end sessions, beyond what those may take */
	LIMIT_LATE_US = 100000,
	LIMIT_BUSY = 85, /* percent */
};

/* ---- the plan's clock ---- */

uint64_t engine_plan_time(const struct engine *e)
{
	uint64_t now = clock_us();

	if (e->paused)
		return e->clock_plan;
	return e->clock_plan + (uint64_t)((double)(now - e->clock_at) * e->factor);
}

/* When, in real time, the plan's clock shows DUE. */
static uint64_t real_time(const struct engine *e, uint64_t due)
{
	uint64_t left = due > e->clock_plan ? due - e->clock_plan : 0;

	return e->clock_at + (uint64_t)((double)left / e->factor);
}

/* What changes the clock's pace begins with it where it is. */
static void set_clock(struct engine *e)
{
	e->clock_plan = engine_plan_time(e);
	e->clock_at = clock_us();
}

/* ---- starts ---- */

static void miss(struct engine *e, uint64_t number, uint64_t when, const char *why)
{
	struct missed missed = { .number = number, .planned = when - e->begin, .why = why };

	result_file_write_missed(&e->file, &missed);
	if (summary_add_missed(e->summary, &missed) < 0)
		e->broken = true;
}

/* When the session's hold is cut short, in real time; 0: it is not. */
static uint64_t end_by(const struct engine *e, uint64_t number)
{
	const struct options *o = e->options;
	uint64_t end = plan_end(&o->plan, number, o->hold, o->ramp_down);

	return end ? real_time(e, end) : 0;
}

static void start(struct engine *e, uint64_t number, uint64_t when)
{
	const struct options *o = e->options;
	struct order order = { .kind = ORDER_START,
		.number = number,
		.turn = plan_turn(&o->plan, number),
		.due = when,
		.end_by = end_by(e, number) };

	if (!plan_may_be_late(&o->plan) && clock_us() > when + LATE_US) {
		miss(e, number, when, "late");
	} else if (e->pool.live >= o->max_live) {
		miss(e, number, when, "max-live");
	} else if (pool_order(&e->pool, &order) < 0) {
		miss(e, number, when, "late");
		e->broken = true;
	} else {
		e->started++;
	}
	if (e->live_peak < e->pool.live)
		e->live_peak = e->pool.live;
}

static bool all_started(const struct engine *e)
{
	const struct plan *plan = &e->options->plan;

	if (e->stopped || (e->count && e->next == e->count))
		return true;
	return plan->model == PLAN_CONCURRENCY && plan->duration &&
	       clock_us() >= e->begin + plan->duration;
}

static void end_if_over(struct engine *e)
{
	if (e->broken || (all_started(e) && e->pool.live == 0))
		event_base_loopbreak(e->base);
}

/* Comes back to what is due in US, when all else that has happened has had its turn. */
static void wait_for_due(struct engine *e, uint64_t us)
{
	struct timeval wait = { (time_t)(us / 1000000), (suseconds_t)(us % 1000000) };

	event_add(e->due, &wait);
}

/* Open loop: starts what is due, and waits for the next. */
static void start_due(struct engine *e)
{
	const struct plan *plan = &e->options->plan;
	uint64_t slice_end = clock_us() + SLICE_US;

	while (!e->paused && !all_started(e)) {
		uint64_t number = plan_number(plan, e->next);
		uint64_t when = real_time(e, plan_due(plan, number)), now = clock_us();

		if (when > now || now >= slice_end) {
			wait_for_due(e, when > now ? when - now : 0);
			return;
		}
		e->next++;
		start(e, number, when);
	}
}

/* Closed loop: as many as there may be. */
static void fill_lanes(struct engine *e)
{
	uint64_t slice_end = clock_us() + SLICE_US;

	while (
	    !e->paused && !all_started(e) && !e->broken && e->pool.live < e->options->plan.lanes) {
		if (clock_us() >= slice_end) {
			wait_for_due(e, 0);
			return;
		}
		start(e, e->next++, clock_us());
	}
}

static void on_due(evutil_socket_t fd, short events, void *argument)
{
	struct engine *e = argument;

	(void)fd;
	(void)events;
	if (e->options->plan.model == PLAN_CONCURRENCY)
		fill_lanes(e);
	else
		start_due(e);
	end_if_over(e);
}

static void go_on(struct engine *e)
{
	if (e->options->plan.model == PLAN_CONCURRENCY)
		fill_lanes(e);
	else
		event_active(e->due, EV_TIMEOUT, 0);
}

/* ---- results ---- */

static void take_result(struct engine *e, const struct result *from)
{
	struct result r = *from;

	if (e->late < r.started - r.planned && !r.reconnected)
		e->late = r.started - r.planned;
	r.planned -= e->begin;
	r.started -= e->begin;
	result_file_write_session(&e->file, &r);
	if (summary_add_session(e->summary, &r) < 0)
		e->broken = true;
}

/* Sessions are ending: workers have this long to say of the next one that it has. */
static void have_patience(struct engine *e)
{
	const struct options *o = e->options;
	uint64_t us = PATIENCE_US + (o->sm ? o->deadline : SESSION_LOGOFF_US);
	struct timeval wait = { (time_t)(us / 1000000), (suseconds_t)(us % 1000000) };

	event_add(e->patience, &wait);
}

static void on_no_patience(evutil_socket_t fd, short events, void *argument)
{
	struct engine *e = argument;

	(void)fd;
	(void)events;
	e->gave_up = true;
	event_base_loopbreak(e->base);
}

static void on_report(void *context, const struct report *report)
{
	struct engine *e = context;

	if (e->ending)
		have_patience(e);
	if (report->kind == REPORT_LATE)
		miss(e, report->result.number, report->result.planned, "late");
	else if (report->kind == REPORT_REACHED) {
		e->reached++;
		dist_add(&e->totals, report->result.total);
	} else {
		take_result(e, &report->result);
	}
	if (e->options->plan.model == PLAN_CONCURRENCY)
		fill_lanes(e);
	end_if_over(e);
}

/* ---- while it runs ---- */

static void stop(struct engine *e)
{
	e->stopped = true;
	event_del(e->due);
	end_if_over(e);
}

/* Nothing more is started, and what was is ended in order. */
static void end_sessions(struct engine *e)
{
	e->ending = true;
	have_patience(e);
	pool_finish(&e->pool);
	stop(e);
}

/* Memory is looked at where there is more of it than before: at the peak it was then. */
static void look_at_memory(struct engine *e)
{
	uint64_t memory;

	if (e->pool.reached <= e->memory_reached + e->memory_reached / LOOK_PART)
		return;
	e->memory_reached = e->pool.reached;
	memory = pool_memory(&e->pool);
	if (e->memory < memory) {
		e->memory = memory;
		e->memory_live = e->pool.live;
	}
}

/* A run whose thresholds are crossed need not go on. */
static void look_at_thresholds(struct engine *e)
{
	const struct options *o = e->options;
	char found[128];

	if (!o->abort_on_fail || e->stopped || e->summary->started < LEAST_TO_JUDGE)
		return;
	for (unsigned i = 0; i < o->thresholds; i++)
		if (threshold_check(&o->threshold[i], e->summary, found, sizeof(found)) ==
		    THRESHOLD_CROSSED) {
			e->aborted = true;
			end_sessions(e);
			return;
		}
}

static void on_tick(evutil_socket_t fd, short events, void *argument)
{
	struct engine *e = argument;

	(void)fd;
	(void)events;
	look_at_memory(e);
	if (++e->ticks % TICKS_PER_LINE == 0) {
		look_at_thresholds(e);
		live_show(e->live);
	}
	end_if_over(e);
}

/* ---- what people ask for ---- */

void engine_change_rate(struct engine *e, double factor)
{
	set_clock(e);
	e->rate_changes++;
	e->factor = fmin(fmax(e->factor * factor, 0.01), 100);
	go_on(e);
}

void engine_pause(struct engine *e)
{
	set_clock(e);
	e->paused = !e->paused;
	e->pauses += e->paused;
	go_on(e);
}

void engine_stop(struct engine *e)
{
	e->key_stopped = e->key_stopped || !e->stopped;
	stop(e);
}

/* A second Ctrl-C is somebody who will not wait. Other signals say the same thing however often they come: `timeout`
   sends two at once, one to us and one to all of us. */
static void on_signal(evutil_socket_t number, short events, void *argument)
{
	struct engine *e = argument;

	(void)events;
	if (e->interrupts) {
		if (number == SIGINT) {
			e->interrupts++;
			event_base_loopbreak(e->base);
		}
		return;
	}
	e->interrupts = 1;
	end_sessions(e);
}

/* ---- begin and end ---- */

static void write_info(struct engine *e)
{
	const struct options *o = e->options;
	struct timespec now;
	struct run_info info = { .version = (char *)MUSESS_VERSION,
		.target = o->target,
		.model = (char *)plan_model_name(o->plan.model),
		.until = (char *)(o->sm ? "started" : options_until_name(o->until)),
		.end = (char *)(o->sm ? "stopped" : options_end_name(o->end)),
		.security = (char *)(o->sm                         ? "none"
		                     : o->security == SECURITY_NLA ? "nla"
		                                                   : "tls"),
		.command = o->command,
		.seed = o->seed,
		.segment = o->plan.segment,
		.segments = o->plan.segments,
		.plan = (char *)o->plan_text,
		.hold_us = o->hold,
		.planned = e->count };

	clock_gettime(CLOCK_REALTIME, &now);
	info.epoch_us = (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
	machine_describe(&info);
	result_file_write_run(&e->file, &info);
	if (summary_add_run(e->summary, &info) < 0)
		e->broken = true;
	machine_forget(&info);
}

static uint64_t processor_time(int who)
{
	struct rusage used;

	getrusage(who, &used);
	return (uint64_t)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1000000 +
	       (uint64_t)(used.ru_utime.tv_usec + used.ru_stime.tv_usec);
}

/* Whether we, and not the server, were the limit, and why. */
static bool is_limit(const struct engine *e, const struct run_end *end, char *why, size_t size)
{
	const struct options *o = e->options;
	struct machine_time now = machine_time();
	uint64_t all = now.all - e->machine_all, busy = now.busy - e->machine_busy;
	double ours = end->duration_us ? 100.0 * (double)end->cpu_us / (double)end->duration_us /
	                                     machine_processors()
	                               : 0;
	double total = all ? 100.0 * (double)busy / (double)all : 0;
	bool shared = o->sm;

	for (unsigned i = 0; i < o->addresses; i++)
		shared = shared || machine_has(&o->address[i].address, o->address[i].length);
	*why = 0;
	if (e->late > LIMIT_LATE_US)
		snprintf(why, size, "a start was %.0f ms late", (double)e->late / 1e3);
	else if (ours > LIMIT_BUSY)
		snprintf(why, size, "musessload used %.0f %% of this machine's processors", ours);
	else if (!shared && total > LIMIT_BUSY)
		snprintf(why, size, "this machine's processors were %.0f %% busy", total);
	return *why != 0;
}

static void write_end(struct engine *e, uint64_t cpu_before)
{
	char why[128];
	struct run_end end = { .duration_us = clock_us() - e->begin,
		.interrupted = e->interrupts > 0,
		.aborted = e->aborted,
		.stopped = e->key_stopped,
		.rate_changes = e->rate_changes,
		.pauses = e->pauses,
		.not_started = e->next < e->count ? e->count - e->next : 0,
		.cpu_us =
		    processor_time(RUSAGE_SELF) + processor_time(RUSAGE_CHILDREN) - cpu_before,
		.memory = e->memory,
		.memory_live = e->memory_live,
		.live_peak = e->live_peak,
		.late_us = e->late,
		.limit = why };

	end.client_limited = is_limit(e, &end, why, sizeof(why));
	result_file_write_end(&e->file, &end);
	if (summary_add_end(e->summary, &end) < 0)
		e->broken = true;
}

static int open_loop(struct engine *e)
{
	static const int numbers[] = { SIGINT, SIGTERM, SIGHUP };
	struct event_config *config = event_config_new();

	if (config) {
		event_config_set_flag(config, EVENT_BASE_FLAG_PRECISE_TIMER);
		e->base = event_base_new_with_config(config);
		event_config_free(config);
	}
	if (!e->base)
		return -1;
	for (int i = 0; i < 3; i++) {
		e->signals[i] = evsignal_new(e->base, numbers[i], on_signal, e);
		if (!e->signals[i] || event_add(e->signals[i], NULL) < 0)
			return -1;
	}
	e->due = event_new(e->base, -1, 0, on_due, e);
	e->tick = event_new(e->base, -1, EV_PERSIST, on_tick, e);
	e->patience = event_new(e->base, -1, 0, on_no_patience, e);
	return e->due && e->tick && e->patience ? 0 : -1;
}

/* Who was told to end by SIGTERM or SIGHUP may be told so again: the report comes all the same. */
static void close_signals(struct engine *e)
{
	sigset_t again, before;

	sigemptyset(&again);
	sigaddset(&again, SIGTERM);
	sigaddset(&again, SIGHUP);
	sigprocmask(SIG_BLOCK, &again, &before);
	for (int i = 0; i < 3; i++)
		if (e->signals[i])
			event_free(e->signals[i]);
	if (e->interrupts) {
		signal(SIGTERM, SIG_IGN);
		signal(SIGHUP, SIG_IGN);
	}
	sigprocmask(SIG_SETMASK, &before, NULL);
}

static void close_loop(struct engine *e)
{
	close_signals(e);
	if (e->due)
		event_free(e->due);
	if (e->tick)
		event_free(e->tick);
	if (e->patience)
		event_free(e->patience);
	if (e->base)
		event_base_free(e->base);
}

/* What workers inherit. Returns 0, or -1 after saying what is wrong. */
static int warm_up(const struct options *o)
{
	char error[512];

	signal(SIGPIPE, SIG_IGN);
	if (!o->sm && rdp_warm_up(o) < 0) {
		fprintf(stderr, "musessload: FreeRDP cannot be prepared: memory is short\n");
		return -1;
	}
	if (o->script.reads_screen && screen_warm_up(error, sizeof(error)) < 0) {
		fprintf(stderr, "musessload: %s\n", error);
		return -1;
	}
	return 0;
}

/* The run itself, when all is there. */
static void run_loop(struct engine *e)
{
	const struct timeval interval = { 0, TICK_US };
	struct machine_time time = machine_time();
	/* what workers used to make ready is not the run's */
	uint64_t cpu = processor_time(RUSAGE_SELF) + processor_time(RUSAGE_CHILDREN) +
	               pool_processor_time(&e->pool);

	e->machine_busy = time.busy;
	e->machine_all = time.all;
	e->begin = e->clock_at = clock_us();
	write_info(e);
	e->live = live_begin(e);
	event_add(e->tick, &interval);
	go_on(e);
	event_base_dispatch(e->base);
	if (e->interrupts < 2)
		look_at_memory(e);
	live_end(e->live);
	pool_end(&e->pool, e->interrupts > 1 || e->gave_up || e->broken);
	write_end(e, cpu);
}

int engine_run(const struct options *options, const char *file, struct summary *summary)
{
	struct engine e = { .options = options,
		.summary = summary,
		.file = RESULT_FILE_NONE,
		.factor = 1,
		.count = plan_count(&options->plan) };
	int status = LOAD_EXIT_FAILED;

	if (file && result_file_open(&e.file, file) < 0)
		return LOAD_EXIT_FAILED;
	e.pool.report = on_report;
	e.pool.context = &e;
	if (warm_up(options) == 0 && open_loop(&e) == 0 &&
	    pool_start(&e.pool, options, e.base) == 0) {
		run_loop(&e);
		status = e.interrupts                                     ? LOAD_EXIT_INTERRUPTED
		         : e.broken || summary->failed || summary->missed ? LOAD_EXIT_FAILED
		                                                          : LOAD_EXIT_OK;
	} else {
		if (e.interrupts)
			status = LOAD_EXIT_INTERRUPTED;
		else
			fprintf(stderr, "musessload: the run cannot begin: %s\n", strerror(errno));
		pool_end(&e.pool, true);
	}
	close_loop(&e);
	dist_free(&e.totals);
	if (result_file_close(&e.file) < 0 && status == LOAD_EXIT_OK)
		status = LOAD_EXIT_FAILED;
	return status;
}
