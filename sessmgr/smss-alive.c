/*
 * Whether those that smss started are still there: who is stopped, or goes round in a loop, ends
 * nothing, and so nothing tells of it. Each is asked once in a PERIOD (SM_PING). Who has not answered
 * when two more are over is killed, and what follows is what follows a crash.
 *
 *   queue  all that are asked, in the order of their turns: who had one goes to its end. In a second
 *          only a part of them have theirs, so that thousands are not asked at once
 *   clock  time while this loop did not turn does not count: smss was stopped, or the machine, or there
 *          was too much to do, and nobody could be heard
 *
 * Busy machines are no case of their own: the deadline is generous, and who goes round in a loop uses
 * as much processor time as who works. Who is under a debugger is left alone.
 *
 * The service manager asks the same of smss, and is told from here, while the loop turns.
 */
#include "fault.h"
#include "log.h"
#include "smss.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

enum {
	TURN_US = 1000000,
	LATE_US = 2 * TURN_US,
	PERIOD_US = 30000000,
	SILENT_MAX = 2,
	DEBUGGER_US = 10000000
};

static TAILQ_HEAD(, client) queue = TAILQ_HEAD_INITIALIZER(queue);
static struct event *turn;
static uint64_t clock_now, turned; /* of it; when it was that by the machine's */
static uint64_t period = PERIOD_US, turn_us = TURN_US;
static unsigned count; /* of the queue */
static bool manager_waits;
static uint64_t waits_from;
static volatile sig_atomic_t debugger_comes;

static void enqueue(struct client *client)
{
	client->due = clock_now + period;
	TAILQ_INSERT_TAIL(&queue, client, in_queue);
}

void alive_watch(struct client *client, bool answers)
{
	client->watched = true;
	client->answers = answers;
	count++;
	enqueue(client);
}

void alive_forget(struct client *client)
{
	if (!client->watched)
		return;
	client->watched = false;
	count--;
	TAILQ_REMOVE(&queue, client, in_queue);
}

int alive_answer(struct client *client, const PORT_MESSAGE *m, int *passed)
{
	(void)m;
	(void)passed;
	client->asked = false;
	client->answers = true;
	return 0;
}

/* ---- who does not answer ---- */

static void end_service(struct client *client, unsigned seconds)
{
	const struct service *service = services_of(client);

	log_error("%s (process %d) has not answered for %u s: killed",
	    service ? service->name : "a service", client->pid, seconds);
}

static void end(struct client *client)
{
	const struct subsystem *subsystem = client->subsystem;
	unsigned seconds = (unsigned)(SILENT_MAX * period / 1000000);

	alive_forget(client);
	if (!subsystem)
		end_service(client, seconds);
	else
		log_error("session %u: %s (process %d) has not answered for %u s: killed",
		    subsystem->session->id, subsystem->name, client->pid, seconds);
	table_kill(client->smss, client->pid);
}

/* Again, who has not answered yet: an answer that met a full port was lost. */
static void ask(struct client *client)
{
	struct msg_plain m;

	port_header(&m.h, SM_PING, sizeof(m), 0);
	if (client_send(client, &m.h, -1) == 0 && !client->asked) {
		client->asked = true;
		client->silent = 0;
	}
}

/* Its turn has come. */
static void look_at(struct client *client)
{
	bool ends = client->subsystem && (client->subsystem->session->step == SESSION_ENDING ||
	                                     client->subsystem->pid != client->pid);

	if (ends)
		return; /* that has a deadline of its own */
	if (client->asked && process_traced(client->pid))
		client->silent = 0;
	else if (client->asked && client->answers && ++client->silent == SILENT_MAX)
		end(client);
	if (client->watched && (client->answers || !client->asked))
		ask(client);
}

/* ---- the service manager ---- */

/* A debugger is about to stop this process (SIGUSR2): told at once, as the loop may not turn any more. */
static void on_debugger(int signal_number)
{
	int error = errno;

	(void)signal_number;
	Smp->notify("WATCHDOG_USEC=0\n");
	debugger_comes = 1;
	errno = error;
}

static int expect_debugger(void)
{
	struct sigaction action = { .sa_handler = on_debugger, .sa_flags = SA_RESTART };

	return sigaction(SIGUSR2, &action, NULL);
}

/* It waits for smss again when no debugger has been there for a while. */
static bool waits_again(struct smss *smss)
{
	char text[64];

	if (process_traced(getpid()))
		waits_from = clock_now + DEBUGGER_US;
	if (clock_now < waits_from)
		return false;
	snprintf(text, sizeof(text), "WATCHDOG_USEC=%llu\n", (unsigned long long)smss->watchdog);
	smss->notify(text);
	return true;
}

static void tell_manager(struct smss *smss)
{
	if (!smss->watchdog)
		return;
	if (debugger_comes) {
		debugger_comes = 0;
		manager_waits = false;
		waits_from = clock_now + DEBUGGER_US;
	}
	manager_waits = manager_waits || waits_again(smss);
	if (manager_waits)
		smss->notify("WATCHDOG=1\n");
}

/* ---- turns ---- */

static void on_turn(int fd, short what, void *argument)
{
	uint64_t now = clock_us(), passed = now - turned;
	unsigned most = (unsigned)(count * turn_us / period) + 1;
	struct client *client;

	(void)fd;
	(void)what;
	turned = now;
	clock_now += passed < LATE_US ? passed : turn_us;
	tell_manager(argument);
	while (most-- > 0 && (client = TAILQ_FIRST(&queue)) && client->due <= clock_now) {
		TAILQ_REMOVE(&queue, client, in_queue);
		enqueue(client);
		look_at(client);
	}
}

int alive_init(struct smss *smss)
{
	struct timeval in;

	period = fault_wait("alive", PERIOD_US);
	turn_us = period / 4 < TURN_US ? period / 4 : TURN_US;
	if (smss->watchdog && smss->watchdog / 2 < turn_us)
		turn_us = smss->watchdog / 2;
	in = (struct timeval){ .tv_sec = (time_t)(turn_us / 1000000),
		.tv_usec = (suseconds_t)(turn_us % 1000000) };
	manager_waits = true;
	if (expect_debugger() < 0)
		return -1;
	turned = clock_us();
	turn = event_new(smss->base, -1, EV_PERSIST, on_turn, smss);
	return turn ? event_add(turn, &in) : -1;
}

void alive_finish(void)
{
	if (turn)
		event_free(turn);
	turn = NULL;
}
