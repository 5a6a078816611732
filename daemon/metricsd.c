/*
 * metricsd: the metrics endpoint. A process of its own, as what it reads comes from strangers: it
 * has a user id, an empty root and a system call filter of its own, no capability, and no
 * descriptor but its listener, its connections and its port to smss.
 */
#include "metricsd.h"

#include "log.h"
#include "messages.h"
#include "metrics-text.h"
#include "sandbox-filter.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sysexits.h>
#include <unistd.h>

static struct event_base *base;
static struct musess_config config;
static struct event *deadline;
/* What smss is being asked for: the figures, then the sessions where they are wanted. */
static bool asked;
static struct msg_stats stats;
static struct msg_mt_session *sessions;
static size_t session_count, session_room;

static int ask(uint16_t type)
{
	struct msg_plain m;

	port_header(&m.h, type, sizeof(m), 0);
	return port_send(METRICSD_SMSS, &m.h, -1);
}

static void on_wanted(void)
{
	const struct timeval in = { .tv_sec = ANSWER_US / 1000000 };

	/* an answer that came too late for others is in time for these */
	if (!asked)
		asked = ask(CTL_STATS) == 0;
	event_add(deadline, &in);
}

static void on_deadline(int fd, short what, void *argument)
{
	(void)fd;
	(void)what;
	(void)argument;
	http_answer(NULL, 0);
}

/* Everything is there. */
static void answer(void)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	asked = false;
	event_del(deadline);
	if (out) {
		metrics_write(out, &stats);
		if (config.WindowsNames)
			metrics_write_windows(out, &stats, sessions, session_count);
	}
	if (!out || fclose(out) != 0) {
		free(text);
		text = NULL;
	}
	http_answer(text, size);
	free(text);
	session_count = 0;
}

static int add_session(const struct msg_mt_session *s)
{
	if (session_count == session_room) {
		size_t room = session_room ? 2 * session_room : 64;
		struct msg_mt_session *more = reallocarray(sessions, room, sizeof(*more));
		if (!more)
			return -1;
		sessions = more;
		session_room = room;
	}
	sessions[session_count++] = *s;
	return 0;
}

/* 0, or -1 where it makes no sense. */
static int on_message(const PORT_MESSAGE *m, size_t size)
{
	if (m->type == CTL_STATS && size == sizeof(stats)) {
		memcpy(&stats, m, size);
		if (config.WindowsNames)
			return ask(MT_LIST);
		answer();
		return 0;
	}
	if (m->type == SM_PING && size == sizeof(struct msg_plain)) {
		ping_answer(METRICSD_SMSS);
		return 0;
	}
	if (m->type == MT_SESSION && size == sizeof(*sessions))
		return add_session((const void *)m);
	if (m->type == CTL_END && size == sizeof(struct msg_plain)) {
		answer();
		return 0;
	}
	return -1;
}

static void on_smss(int port, short what, void *argument)
{
	union {
		PORT_MESSAGE h;
		struct msg_stats stats;
		struct msg_mt_session session;
	} m;
	ssize_t got = port_receive(port, &m, sizeof(m), NULL);

	(void)what;
	(void)argument;
	if (got < 0 && errno == EAGAIN)
		return;
	if (got <= 0 || on_message(&m.h, (size_t)got) < 0)
		event_base_loopbreak(base); /* without smss there is nothing to do */
}

int main(int argc, char **argv)
{
	static const int smss = METRICSD_SMSS;
	struct event *readable;
	struct msg_plain ready;

	(void)argv;
	log_process("metricsd");
	if (argc != 1 || fcntl(METRICSD_SMSS, F_GETFD) < 0) {
		log_error("started by smss only");
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); /* it may know users' names */
	if (pread(METRICSD_CONFIG, &config, sizeof(config), 0) != sizeof(config)) {
		log_error("no configuration came from smss");
		return 1;
	}
	close_range(METRICSD_SMSS + 1, ~0u, 0);
	base = event_base_new();
	deadline = base ? evtimer_new(base, on_deadline, NULL) : NULL;
	readable =
	    base ? event_new(base, METRICSD_SMSS, EV_READ | EV_PERSIST, on_smss, NULL) : NULL;
	if (!deadline || !readable || event_add(readable, NULL) < 0) {
		log_error("out of memory");
		return 1;
	}
	if (http_start(base, &config, on_wanted) < 0)
		return EX_CONFIG;
	/* from here on: accept, read, write; nothing of the host's network but who comes */
	if (sandbox_lock_in(SANDBOX_METRICSD) < 0) {
		log_error("cannot set up: %s", strerror(errno));
		return 1;
	}
	log_through(&smss);
	port_header(&ready.h, MT_READY, sizeof(ready), 0);
	port_send(METRICSD_SMSS, &ready.h, -1);
	event_base_dispatch(base);
	return 0;
}
