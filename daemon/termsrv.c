/*
 * termsrv's start and its loop: the listening socket, connections until their first
 * packet is whole, and the ports to smss, lsass and the nursery.
 */
#include "termsrv.h"

#include "certificate.h"
#include "glyphs.h"
#include "log.h"
#include "nursery.h"
#include "sandbox-filter.h"
#include "x224.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

struct connection *connection_at(struct fair_node *place)
{
	return (void *)((char *)place - offsetof(struct connection, place));
}

void connection_destroy(struct connection *c)
{
	fair_remove(c->requested ? &c->t->queue : &c->t->silent, &c->place);
	if (c->readable)
		event_free(c->readable);
	if (c->deadline)
		event_free(c->deadline);
	fd_close(&c->socket);
	free(c);
}

bool connection_left(const struct connection *c)
{
	struct pollfd p = { c->socket, POLLRDHUP, 0 };

	return poll(&p, 1, 0) > 0;
}

static void refuse(struct termsrv *t, const char *address, const char *why)
{
	outcome_refused(t, REFUSAL_RESOURCES);
	if (!quota_take(&t->refusal_lines, 1, LINE_US, clock_us()))
		return; /* one line a second says it */
	log_warn("a connection%s%s is refused: %s", address ? " from " : "", address ? address : "",
	    why);
}

void connection_keep_out(struct termsrv *t, const char *address)
{
	outcome_refused(t, REFUSAL_PENALTY);
	if (!quota_take(&t->penalty_lines, 1, LINE_US, clock_us()))
		return; /* one line a second says it */
	log_info("%s is refused: too many logons from there have failed", address);
}

static void on_silent(int fd, short what, void *argument)
{
	struct connection *c = argument;

	(void)fd;
	(void)what;
	if (outcome_may_log(c->t, &c->host))
		log_info("%s sent no whole connection request in %u ms: closed", c->address,
		    c->t->config.LogonTimeout);
	outcome_refused(c->t, REFUSAL_SILENT);
	connection_destroy(c);
}

/* While it waits its client has nothing to say: it leaves, or sends what it should not, and is not looked
   at any more. */
static void on_left(int socket, short what, void *argument)
{
	struct connection *c = argument;

	(void)socket;
	(void)what;
	if (!connection_left(c)) {
		event_del(c->readable);
		return;
	}
	outcome_refused(c->t, REFUSAL_HANDSHAKE);
	connection_destroy(c);
}

/* Wakes us when the client has left, and not for what it has sent. */
static int watch_for_end(struct connection *c)
{
	int many = 2 * X224_REQUEST_MAX;

	event_free(c->readable);
	c->readable = NULL;
	if (setsockopt(c->socket, SOL_SOCKET, SO_RCVLOWAT, &many, sizeof(many)) < 0)
		return -1;
	c->readable = event_new(c->t->base, c->socket, EV_READ | EV_PERSIST, on_left, c);
	return c->readable && event_add(c->readable, NULL) == 0 ? 0 : -1;
}

/* A whole, valid first packet: from here on the connection is worth a worker. */
static void enqueue(struct connection *c)
{
	if (!fair_has_room(&c->t->queue, &c->host, c->t->room) || watch_for_end(c) < 0) {
		refuse(c->t, c->address, "too many from there wait already");
		connection_destroy(c);
		return;
	}
	event_free(c->deadline);
	c->deadline = NULL;
	fair_remove(&c->t->silent, &c->place);
	c->requested = clock_us();
	fair_push(&c->t->queue, &c->place, &c->host);
	snprintf(c->name, sizeof(c->name), "RDP-Tcp#%u", c->t->last_connection++);
	outcome_request(c->t, c->name, c->address, &c->host);
	c->t->counted.connections++;
	worker_dispatch(c->t);
}

/* Peeks at the first packet; the kernel wakes us only when what is missing may be there. */
static void on_first_packet(int socket, short what, void *argument)
{
	struct connection *c = argument;
	uint8_t data[X224_REQUEST_MAX];
	struct x224_request request;
	const char *why = NULL;
	size_t needed = 0;
	int lowat;
	ssize_t got = recv(socket, data, sizeof(data), MSG_PEEK | MSG_DONTWAIT);

	(void)what;
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got <= 0) {
		outcome_refused(c->t, REFUSAL_NOT_RDP);
		connection_destroy(c); /* a port scan or a health check: not worth a line */
		return;
	}
	switch (x224_request_parse(data, (size_t)got, &needed, &request, &why)) {
	case X224_VALID:
		enqueue(c);
		return;
	case X224_NEED_MORE:
		lowat = (int)needed;
		if (c->wanted != needed &&
		    setsockopt(socket, SOL_SOCKET, SO_RCVLOWAT, &lowat, sizeof(lowat)) == 0) {
			c->wanted = needed;
			return;
		}
		why = "it ends in the middle"; /* woken before the bytes came: none will */
		break;
	case X224_INVALID:
		break;
	}
	if (outcome_may_log(c->t, &c->host))
		log_info("%s sent no connection request (%s): closed", c->address, why);
	outcome_refused(c->t, REFUSAL_NOT_RDP);
	connection_destroy(c);
}

/* The client's address, of IPv4 in its IPv6 form, and as text with its port. */
static void take_address(struct connection *c, const struct sockaddr_storage *from)
{
	char text[INET6_ADDRSTRLEN] = "?";
	const struct sockaddr_in *in = (const void *)from;
	struct sockaddr_in6 in6; /* the port is at the same place in both families */

	memcpy(&in6, from, sizeof(in6));
	c->from = in6.sin6_addr;
	if (from->ss_family == AF_INET) {
		c->from = (struct in6_addr){ .s6_addr = { [10] = 0xff, [11] = 0xff } };
		memcpy(&c->from.s6_addr[12], &in->sin_addr, sizeof(in->sin_addr));
	}
	if (IN6_IS_ADDR_V4MAPPED(&c->from)) {
		inet_ntop(AF_INET, &c->from.s6_addr[12], text, sizeof(text));
		snprintf(c->address, sizeof(c->address), "%s:%u", text, ntohs(in6.sin6_port));
	} else {
		inet_ntop(AF_INET6, &c->from, text, sizeof(text));
		snprintf(c->address, sizeof(c->address), "[%s]:%u", text, ntohs(in6.sin6_port));
	}
	if (IN6_IS_ADDR_LINKLOCAL(&c->from))
		memcpy(&c->from.s6_addr[LINK_PLACE], &in6.sin6_scope_id, sizeof(uint32_t));
}

/* A client that is silent for so many MINUTES is asked, and given up when it has not answered for
   as long again; what is sent to it and not acknowledged tells the same. */
static void keep_alive(int socket, uint32_t minutes)
{
	int on = 1, idle = (int)minutes * 60, count = 6, interval = idle / count;
	unsigned limit = minutes * 120000;

	setsockopt(socket, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	setsockopt(socket, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle));
	setsockopt(socket, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof(interval));
	setsockopt(socket, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof(count));
	setsockopt(socket, IPPROTO_TCP, TCP_USER_TIMEOUT, &limit, sizeof(limit));
}

#define OUT_OF_DESCRIPTORS "out of descriptors (raise LimitNOFILE)"

/* Of whoever has most connections that have said nothing yet, the oldest goes. Whether there was one. */
static bool make_room(struct termsrv *t)
{
	struct fair_node *place = fair_largest(&t->silent);
	struct connection *c = place ? connection_at(place) : NULL;

	if (!c)
		return false;
	refuse(t, c->address, OUT_OF_DESCRIPTORS);
	connection_destroy(c);
	return true;
}

static void add_connection(struct termsrv *t, int socket, const struct sockaddr_storage *from)
{
	struct timeval limit = { .tv_sec = t->config.LogonTimeout / 1000,
		.tv_usec = t->config.LogonTimeout % 1000 * 1000 };
	struct connection *c = calloc(1, sizeof(*c));
	int on = 1;

	if (!c) {
		refuse(t, NULL, "out of memory");
		close(socket);
		return;
	}
	c->t = t;
	c->socket = socket;
	c->accepted = clock_us();
	take_address(c, from);
	c->host = penalty_source(&c->from);
	if (outcome_wait(t, &c->from) > 0) {
		connection_keep_out(t, c->address);
		connection_destroy(c);
		return;
	}
	setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (t->config.KeepAliveEnable)
		keep_alive(socket, t->config.KeepAliveInterval);
	c->readable = event_new(t->base, socket, EV_READ | EV_PERSIST, on_first_packet, c);
	c->deadline = evtimer_new(t->base, on_silent, c);
	if (!c->readable || !c->deadline || event_add(c->readable, NULL) < 0 ||
	    event_add(c->deadline, &limit) < 0) {
		refuse(t, c->address, "out of memory");
		connection_destroy(c);
		return;
	}
	if (t->silent.count + t->queue.count >= t->room && !make_room(t)) {
		refuse(t, c->address, OUT_OF_DESCRIPTORS);
		connection_destroy(c);
		return;
	}
	fair_push(&t->silent, &c->place, &c->host);
}

/* Out of descriptors: where no silent one can make room, the spare one lets us take this connection and
   close it, so that its client is not left hanging and the listener does not spin. */
static void shed(struct termsrv *t)
{
	int socket;

	if (make_room(t))
		return;
	fd_close(&t->spare);
	socket = accept4(t->listener, NULL, NULL, SOCK_CLOEXEC);
	fd_close(&socket);
	t->spare = fcntl(TERMSRV_SMSS, F_DUPFD_CLOEXEC, 0);
	refuse(t, NULL, OUT_OF_DESCRIPTORS);
}

static void on_accept(int listener, short what, void *argument)
{
	struct termsrv *t = argument;

	(void)what;
	for (int i = 0; i < 64; i++) {
		struct sockaddr_storage from = { 0 };
		socklen_t size = sizeof(from);
		int socket = accept4(
		    listener, (struct sockaddr *)&from, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (socket >= 0) {
			add_connection(t, socket, &from);
			continue;
		}
		if (errno == EMFILE || errno == ENFILE)
			shed(t);
		else if (errno != EAGAIN && errno != ECONNABORTED && errno != EINTR)
			refuse(t, NULL, strerror(errno));
		return;
	}
}

static void on_resume(int fd, short what, void *argument)
{
	(void)fd;
	(void)what;
	worker_dispatch(argument);
}

static void on_refill(int fd, short what, void *argument)
{
	(void)fd;
	(void)what;
	worker_refill(argument);
}

static const struct timeval lsass_pause = { .tv_sec = 1 };

static void on_lsass(int port, short what, void *argument)
{
	struct termsrv *t = argument;
	struct lsa_answer m;
	ssize_t got = port_receive(port, &m, sizeof(m), NULL);

	(void)what;
	if (got < 0 && errno == EAGAIN)
		return;
	if (got > 0 && logon_lsass(t, &m.h, (size_t)got) == 0)
		return;
	event_free(t->lsass_event);
	t->lsass_event = NULL;
	fd_close(&t->lsass);
	event_add(t->lsass_lost, &lsass_pause);
}

/* A new lsass has been introduced by then: if not, the old one is there still. */
static void on_lsass_lost(int fd, short what, void *argument)
{
	struct termsrv *t = argument;
	struct msg_plain m;

	(void)fd;
	(void)what;
	port_header(&m.h, TS_LSASS, sizeof(m), 0);
	port_send(t->smss, &m.h, -1);
	event_add(t->lsass_lost, &lsass_pause);
}

static void on_smss(int port, short what, void *argument)
{
	struct termsrv *t = argument;
	union {
		PORT_MESSAGE h;
		SMAPIMSG call;
		struct msg_ws_session session;
		struct msg_cookie cookie;
	} m;
	int passed = -1;
	ssize_t got = port_receive(port, &m, sizeof(m), &passed);

	(void)what;
	if (got < 0 && errno == EAGAIN)
		return;
	if (got <= 0 || logon_smss(t, &m.h, (size_t)got, &passed) < 0) {
		event_base_loopbreak(t->base); /* without smss there is nothing to do */
	} else if (t->lsass >= 0 && !t->lsass_event) {
		t->lsass_event = event_new(t->base, t->lsass, EV_READ | EV_PERSIST, on_lsass, t);
		event_add(t->lsass_event, NULL);
		event_del(t->lsass_lost);
		logon_ask_again(t);
	}
	fd_close(&passed);
}

/* A child's number is nobody else's until it is reaped: it is reaped when that cannot become another's. */
static void reap(struct termsrv *t)
{
	siginfo_t ended = { 0 };
	int status;

	while (waitid(P_ALL, 0, &ended, WEXITED | WNOHANG | WNOWAIT) == 0 && ended.si_pid > 0 &&
	       worker_may_be_reaped(t, ended.si_pid)) {
		if (waitpid(ended.si_pid, &status, WNOHANG) == ended.si_pid)
			worker_reaped(t, ended.si_pid, status);
		ended.si_pid = 0;
	}
}

static void on_nursery(int port, short what, void *argument)
{
	struct termsrv *t = argument;
	struct msg_process m;
	ssize_t got = port_receive(port, &m, sizeof(m), NULL);

	(void)what;
	if (got < 0 && errno == EAGAIN)
		return;
	if (got != sizeof(m)) {
		log_error("the nursery of workers is gone");
		event_base_loopbreak(t->base);
		return;
	}
	if (m.h.type == SM_PING) {
		ping_answer(t->smss);
		return;
	}
	if (m.h.type == RW_CERTIFICATE) {
		certificate_taken(t, (int)m.session);
		return;
	}
	/* session carries an error where there is no process */
	worker_born(t, m.h.message_id, (pid_t)m.process, (int)m.session);
	reap(t);
}

static void on_child(int signal_number, short what, void *argument)
{
	(void)signal_number;
	(void)what;
	reap(argument);
}

static int listen_failed(const struct musess_config *config, int fd)
{
	if (errno == EADDRINUSE)
		log_error(
		    "port %u is in use: stop what listens there (ss -ltnp), or choose another "
		    "PortNumber (--port)",
		    config->PortNumber);
	else if (errno == EACCES)
		log_error("port %u needs privilege: choose one of 1024 or above, or set the sysctl "
		          "net.ipv4.ip_unprivileged_port_start=%u",
		    config->PortNumber, config->PortNumber);
	else
		log_error("cannot listen on %s port %u: %s", config->ListenAddress,
		    config->PortNumber, strerror(errno));
	fd_close(&fd);
	return -1;
}

/* A termsrv whose smss has ended may be a moment behind it: its port is waited for. */
static int bind_port(int fd, const struct sockaddr *address, socklen_t size)
{
	const struct timespec pause = { .tv_nsec = 50000000 };

	for (int tries = 40; bind(fd, address, size) < 0; tries--)
		if (errno != EADDRINUSE || tries == 0 || nanosleep(&pause, NULL) < 0)
			return -1;
	return 0;
}

/* The listening socket. Its backlog is as large as the system allows. */
static int open_listener(const struct musess_config *config)
{
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6,
		.sin6_port = htons((uint16_t)config->PortNumber) };
	struct sockaddr_in in = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)config->PortNumber) };
	bool six = inet_pton(AF_INET6, config->ListenAddress, &in6.sin6_addr) == 1;
	int on = 1, off = 0;
	int fd = socket(six ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0 && six && strcmp(config->ListenAddress, "::") == 0 && errno == EAFNOSUPPORT) {
		six = false; /* a machine without IPv6 */
		fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	} else if (!six) {
		inet_pton(AF_INET, config->ListenAddress, &in.sin_addr);
	}
	if (fd < 0)
		return listen_failed(config, fd);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (six)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
	if (bind_port(fd, six ? (struct sockaddr *)&in6 : (struct sockaddr *)&in,
	        six ? sizeof(in6) : sizeof(in)) < 0 ||
	    listen(fd, 1 << 16) < 0)
		return listen_failed(config, fd);
	return fd;
}

static struct event *watch(struct termsrv *t, int fd, event_callback_fn callback)
{
	struct event *e = event_new(t->base, fd, EV_READ | EV_PERSIST, callback, t);

	return e && event_add(e, NULL) == 0 ? e : NULL;
}

/* The loop's own clock stands still while an event is worked on: a deadline set then, by a
   process that waits for a processor in between, would be early by as much. */
static struct event_base *exact_base(void)
{
	struct event_config *config = event_config_new();
	struct event_base *base = NULL;

	if (config && event_config_set_flag(config, EVENT_BASE_FLAG_NO_CACHE_TIME) == 0)
		base = event_base_new_with_config(config);
	if (config)
		event_config_free(config);
	return base;
}

/* Connections that have no worker leave a third of the descriptors to those that have one. */
static unsigned room_for_connections(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) < 0)
		return 0;
	return files.rlim_cur < INT_MAX ? (unsigned)files.rlim_cur / 3 * 2 : INT_MAX;
}

static int init_loop(struct termsrv *t)
{
	t->base = exact_base();
	t->workers = calloc(WORKERS_MAX, sizeof(*t->workers));
	t->turns = calloc(WORKERS_MAX, sizeof(*t->turns));
	if (!t->base || !t->workers || !t->turns)
		return -1;
	fair_init(&t->silent);
	fair_init(&t->queue);
	fair_init(&t->logons);
	TAILQ_INIT(&t->warm);
	TAILQ_INIT(&t->fresh);
	fair_init(&t->questions);
	outcome_configure(t, t->config.LogonPenaltyExempt);
	t->lsass = -1;
	t->room = room_for_connections();
	t->spare = fcntl(TERMSRV_SMSS, F_DUPFD_CLOEXEC, 0);
	t->smss_event = watch(t, t->smss, on_smss);
	t->nursery_event = watch(t, t->nursery, on_nursery);
	t->accept_event = watch(t, t->listener, on_accept);
	t->resume = evtimer_new(t->base, on_resume, t);
	t->refill = evtimer_new(t->base, on_refill, t);
	t->lsass_lost = evtimer_new(t->base, on_lsass_lost, t);
	t->child_event = evsignal_new(t->base, SIGCHLD, on_child, t);
	return outcome_init(t) == 0 && t->smss_event && t->nursery_event && t->accept_event &&
	               t->resume && t->refill && t->lsass_lost && t->child_event &&
	               event_add(t->child_event, NULL) == 0
	           ? 0
	           : -1;
}

static uint32_t bound_port(int listener)
{
	struct sockaddr_in6 address = { 0 }; /* the port is at the same place in both families */
	socklen_t size = sizeof(address);

	if (getsockname(listener, (struct sockaddr *)&address, &size) < 0)
		return 0;
	return ntohs(address.sin6_port);
}

/* The listener of an earlier termsrv, where it is at the same place: who has connected to it
   meanwhile is served. -1 where there is none. */
static int take_listener(const struct musess_config *config)
{
	struct sockaddr_storage address = { 0 };
	socklen_t size = sizeof(address), length = sizeof(int);
	char text[INET6_ADDRSTRLEN] = "";
	int listens = 0;

	if (getsockopt(TERMSRV_LISTENER, SOL_SOCKET, SO_ACCEPTCONN, &listens, &length) < 0 ||
	    !listens || getsockname(TERMSRV_LISTENER, (struct sockaddr *)&address, &size) < 0)
		return -1;
	if (address.ss_family == AF_INET6)
		inet_ntop(AF_INET6, &((struct sockaddr_in6 *)(void *)&address)->sin6_addr, text,
		    sizeof(text));
	else
		inet_ntop(AF_INET, &((struct sockaddr_in *)(void *)&address)->sin_addr, text,
		    sizeof(text));
	if (bound_port(TERMSRV_LISTENER) != config->PortNumber ||
	    strcmp(text, config->ListenAddress) != 0)
		return -1;
	return fcntl(TERMSRV_LISTENER, F_DUPFD_CLOEXEC, 0);
}

/* 0, or an exit status. */
static int read_config(struct termsrv *t)
{
	if (pread(TERMSRV_CONFIG, &t->config, sizeof(t->config), 0) == sizeof(t->config))
		return 0;
	log_error("no configuration came from smss");
	return 1;
}

static int make_glyphs(const struct musess_config *config, const struct glyphs **glyphs)
{
	char error[256];

	*glyphs = glyphs_create(config->Font, config->FontBold, error, sizeof(error));
	if (!*glyphs)
		log_error("%s", error);
	return *glyphs ? 0 : -1;
}

/* For --check-config: whether it can use what the configuration names. An exit status. */
static int check(void)
{
	static struct termsrv t;
	struct certificate certificate = { 0 };
	const struct glyphs *glyphs;
	int status = read_config(&t);

	if (status)
		return status;
	if (t.config.Certificate[0] &&
	    certificate_load(&certificate, &t.config, TERMSRV_CERTIFICATE) < 0)
		status = EX_CONFIG;
	certificate_forget(&certificate);
	if (make_glyphs(&t.config, &glyphs) < 0)
		status = EX_CONFIG;
	return status;
}

/* 0, or an exit status. */
static int prepare(struct termsrv *t, struct nursery_kit *kit)
{
	int status = read_config(t);

	if (status)
		return status;
	t->smss = TERMSRV_SMSS;
	t->listener = take_listener(&t->config);
	if (t->listener < 0)
		t->listener = open_listener(&t->config);
	if (t->listener < 0)
		return EX_CONFIG;
	if (certificate_load(&kit->certificate, &t->config, TERMSRV_CERTIFICATE) < 0)
		return t->config.Certificate[0] ? EX_CONFIG : 1;
	kit->config = &t->config;
	return make_glyphs(&t->config, &kit->glyphs) < 0 ? EX_CONFIG : 0;
}

int main(int argc, char **argv)
{
	static struct termsrv t;
	static struct nursery_kit kit;
	struct msg_listening ready = { 0 };
	struct rlimit files;
	int status;

	log_process("termsrv");
	if (argc == 2 && strcmp(argv[1], TERMSRV_CHECK) == 0)
		return check();
	if (argc != 1 || fcntl(TERMSRV_SMSS, F_GETFD) < 0) {
		log_error("started by smss only");
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	/* it holds the certificate's key: no core dump, nobody looks into it or its workers */
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	kit.title = argv[0];
	kit.title_size = strlen(argv[0]);
	status = prepare(&t, &kit);
	if (status)
		return status;
	t.nursery = nursery_start(&kit);
	if (t.nursery < 0)
		return 1;
	certificate_forget(&kit.certificate);
	for (int fd = TERMSRV_STATE; fd <= TERMSRV_LISTENER; fd++)
		close(fd);
	if (init_loop(&t) < 0 || sandbox_lock_in(SANDBOX_TERMSRV) < 0) {
		log_error("cannot set up: %s", strerror(errno));
		return 1;
	}
	log_through(&t.smss);
	ready.port = bound_port(t.listener);
	port_header(&ready.h, TS_READY, sizeof(ready), 0);
	port_send(t.smss, &ready.h, t.listener); /* for the next termsrv */
	worker_refill(&t);
	event_base_dispatch(t.base);
	return 0;
}
