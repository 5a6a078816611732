/*
 * Waiting without an end: what follows events or shows a live view sleeps here, until smss
 * or a key has something to say. Signals are blocked everywhere else, so that none is lost
 * between a look at its flag and the sleep.
 */
#include "musessctl.h"

#include <poll.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t ended, resized;
static sigset_t while_waiting;

uint64_t ctl_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void note(int number)
{
	if (number == SIGWINCH)
		resized = 1;
	else
		ended = 1;
}

void ctl_catch_signals(void)
{
	static const int signals[] = { SIGHUP, SIGINT, SIGTERM, SIGWINCH };
	struct sigaction action = { .sa_handler = note };
	sigset_t blocked;

	sigemptyset(&blocked);
	for (size_t i = 0; i < sizeof(signals) / sizeof(*signals); i++) {
		sigaddset(&blocked, signals[i]);
		sigaction(signals[i], &action, NULL);
	}
	sigprocmask(SIG_BLOCK, &blocked, &while_waiting);
	for (size_t i = 0; i < sizeof(signals) / sizeof(*signals); i++)
		sigdelset(&while_waiting, signals[i]);
	signal(SIGPIPE, SIG_IGN); /* a write says it, and the wait sees it before */
}

static struct timespec time_until(uint64_t deadline)
{
	uint64_t now = ctl_now(), left = now < deadline ? deadline - now : 0;

	return (struct timespec){ (time_t)(left / 1000), (long)(left % 1000) * 1000000 };
}

unsigned ctl_wait(const struct request *r, unsigned wanted, uint64_t deadline)
{
	/* output wants nothing, and is told when its reader goes all the same */
	struct pollfd p[] = { { STDOUT_FILENO, 0, 0 },
		{ wanted & CTL_WAIT_SMSS ? r->port : -1, POLLIN, 0 },
		{ wanted & CTL_WAIT_INPUT ? STDIN_FILENO : -1, POLLIN, 0 } };
	struct timespec left = time_until(deadline);
	unsigned events = CTL_WAIT_OVER;

	if (ppoll(p, 3, deadline == CTL_NEVER ? NULL : &left, &while_waiting) > 0) {
		if (p[0].revents & (POLLERR | POLLHUP))
			events |= CTL_WAIT_END;
		if (p[1].revents)
			events |= CTL_WAIT_SMSS;
		if (p[2].revents)
			events |= CTL_WAIT_INPUT;
	}
	if (ended)
		events |= CTL_WAIT_END;
	if (resized)
		events |= CTL_WAIT_RESIZED;
	resized = 0;
	return events;
}
