/*
 * The screen of a run, and its plain lines. The screen is drawn in place, on a screen of the
 * terminal's own; nothing else is written to it before the terminal is what it was.
 */
#include "live.h"

#include "clock.h"
#include "format.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

typedef unsigned long long ull;

struct live {
	struct engine *engine;
	bool terminal;
	struct termios saved;
	struct event *keys;
	/* of the line or screen before, for rates */
	uint64_t at, started, reached;
	double start_rate, reach_rate;
};

/* ---- what is shown ---- */

static void measure(struct live *l)
{
	const struct engine *e = l->engine;
	uint64_t now = clock_us();
	double seconds = (double)(now - l->at) / 1e6;

	if (seconds <= 0.2)
		return; /* a key had it drawn: the rates are those of before */
	l->start_rate = (double)(e->started - l->started) / seconds;
	l->reach_rate = (double)(e->reached - l->reached) / seconds;
	l->at = now;
	l->started = e->started;
	l->reached = e->reached;
}

/* Starts per second that the plan has now; of this machine's segment. */
static double planned_rate(const struct engine *e)
{
	const struct plan *plan = &e->options->plan;

	if (e->paused || e->stopped)
		return 0;
	return plan_rate(plan, engine_plan_time(e)) * e->factor / plan->segments;
}

static double done_percent(const struct engine *e)
{
	const struct plan *plan = &e->options->plan;
	double percent;

	if (e->count)
		percent = 100.0 * (double)(plan->model == PLAN_CONCURRENCY ? e->started : e->next) /
		          (double)e->count;
	else
		percent = 100.0 * (double)(clock_us() - e->begin) / (double)plan->duration;
	return percent > 100 ? 100 : percent;
}

static const char *percentile(struct engine *e, double percent, char text[32])
{
	struct dist *dist = &e->totals;

	if (dist_count(dist) == 0)
		return "-";
	return format_time(text, 32, (double)dist_percentile(dist, percent));
}

static const char *state_of(const struct engine *e)
{
	return e->interrupts ? "ending its sessions; Ctrl-C again leaves at once"
	       : e->aborted  ? "a threshold is crossed: ending its sessions"
	       : e->stopped  ? "starts no more; waits for the sessions' end"
	       : e->paused   ? "paused"
	       : e->next >= e->count && e->count ? "all are started; waits for the sessions' end"
	                                         : "running";
}

static void show_line(const struct live *l)
{
	struct engine *e = l->engine;
	const struct summary *s = e->summary;
	char p50[32], p95[32], p99[32];

	fprintf(stderr,
	    "%5.0fs %3.0f%%  rate %.1f/s of %.1f/s, reached %.1f/s  live %llu  held %llu  ok %llu  "
	    "failed %llu  missed %llu  p50 %s p95 %s p99 %s\n",
	    (double)(clock_us() - e->begin) / 1e6, done_percent(e), l->start_rate, planned_rate(e),
	    l->reach_rate, (ull)e->pool.live, (ull)e->pool.reached, (ull)s->ok, (ull)s->failed,
	    (ull)s->missed, percentile(e, 50, p50), percentile(e, 95, p95), percentile(e, 99, p99));
}

/* ---- the screen ---- */

static void show_bar(FILE *out, const struct engine *e, int width)
{
	double percent = done_percent(e);
	int full;

	width = width > 70 ? 58 : width - 12;
	full = (int)(percent * width / 100);
	fputs("  [", out);
	for (int i = 0; i < width; i++)
		fputc(i < full ? '=' : ' ', out);
	fprintf(out, "] %3.0f%%\033[K\r\n", percent);
}

static void show_errors(FILE *out, const struct summary *s, int rows)
{
	for (unsigned i = LOAD_OK + 1; i < LOAD_ERROR_COUNT && rows > 0; i++)
		if (s->errors[i]) {
			fprintf(out, "    %-12s %8llu\033[K\r\n",
			    load_error_name((enum load_error)i), (ull)s->errors[i]);
			rows--;
		}
}

static void show_percentiles(FILE *out, struct engine *e)
{
	static const double percents[] = { 50, 90, 95, 99, 100 };
	static const char *const names[] = { "p50", "p90", "p95", "p99", "max" };
	char text[32];

	for (int i = 0; i < 5; i++)
		fprintf(out, "  %s %-9s", names[i], percentile(e, percents[i], text));
	fputs("\033[K\r\n", out);
}

static void show_screen(const struct live *l)
{
	struct engine *e = l->engine;
	const struct options *o = e->options;
	const struct summary *s = e->summary;
	struct winsize size = { 0 };
	double seconds = (double)(clock_us() - e->begin) / 1e6;

	ioctl(STDERR_FILENO, TIOCGWINSZ, &size);
	fprintf(stderr, "\033[H  musessload  %s  %s %s%s\033[K\r\n\033[K\r\n", o->target,
	    plan_model_name(o->plan.model), o->plan_text,
	    o->plan.model == PLAN_CONCURRENCY ? " (closed loop)" : "");
	show_bar(stderr, e, size.ws_col ? size.ws_col : 80);
	fprintf(stderr, "  %.0f s, %s\033[K\r\n\033[K\r\n", seconds, state_of(e));
	fprintf(stderr,
	    "  rate     planned %.1f/s (x %.2f)  started %.1f/s  reached %.1f/s\033[K\r\n",
	    planned_rate(e), e->factor, l->start_rate, l->reach_rate);
	fprintf(stderr,
	    "  sessions started %llu  live %llu of %llu  ok %llu  failed %llu  missed %llu"
	    "\033[K\r\n\033[K\r\n",
	    (ull)e->started, (ull)e->pool.live, (ull)o->max_live, (ull)s->ok, (ull)s->failed,
	    (ull)s->missed);
	show_percentiles(stderr, e);
	fputs("\033[K\r\n", stderr);
	show_errors(stderr, s, size.ws_row > 14 ? size.ws_row - 14 : 4);
	fputs("\033[K\r\n  + - rate   p pause   q no more starts   Ctrl-C end\033[K\033[J", stderr);
	fflush(stderr);
}

void live_show(struct live *l)
{
	if (!l)
		return;
	measure(l);
	if (l->terminal)
		show_screen(l);
	else
		show_line(l);
}

/* ---- keys ---- */

static void do_key(struct live *l, char key)
{
	switch (key) {
	case '+':
		engine_change_rate(l->engine, 1.1);
		break;
	case '-':
		engine_change_rate(l->engine, 1 / 1.1);
		break;
	case 'p':
		engine_pause(l->engine);
		break;
	case 'q':
		engine_stop(l->engine);
		break;
	default:
		break;
	}
}

static void on_keys(evutil_socket_t fd, short events, void *argument)
{
	struct live *l = argument;
	char keys[32];
	ssize_t got = read(fd, keys, sizeof(keys));

	(void)events;
	if (got <= 0) {
		event_del(l->keys); /* the terminal is gone */
		return;
	}
	for (ssize_t i = 0; i < got; i++)
		do_key(l, keys[i]);
	show_screen(l);
}

/* Keys come at once and unseen; Ctrl-C is still a signal. Returns 0 or -1. */
static int enter_terminal(struct live *l)
{
	struct termios raw;

	if (tcgetattr(STDIN_FILENO, &l->saved) < 0)
		return -1;
	raw = l->saved;
	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	raw.c_cc[VMIN] = 1;
	raw.c_cc[VTIME] = 0;
	raw.c_cc[VSUSP] = _POSIX_VDISABLE; /* a plan does not wait */
	if (tcsetattr(STDIN_FILENO, TCSAFLUSH, &raw) < 0)
		return -1;
	fputs("\033[?1049h\033[?25l\033[2J", stderr);
	return 0;
}

struct live *live_begin(struct engine *engine)
{
	struct live *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->engine = engine;
	l->at = clock_us();
	l->terminal = isatty(STDIN_FILENO) && isatty(STDERR_FILENO) && enter_terminal(l) == 0;
	if (l->terminal) {
		l->keys = event_new(engine->base, STDIN_FILENO, EV_READ | EV_PERSIST, on_keys, l);
		if (l->keys)
			event_add(l->keys, NULL);
		show_screen(l);
	}
	return l;
}

void live_end(struct live *l)
{
	if (!l)
		return;
	if (l->keys)
		event_free(l->keys);
	if (l->terminal) {
		fputs("\033[?25h\033[?1049l", stderr);
		fflush(stderr);
		tcsetattr(STDIN_FILENO, TCSAFLUSH, &l->saved);
	}
	free(l);
}
