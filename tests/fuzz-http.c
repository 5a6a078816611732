/*
 * Fuzzer of metricsd's HTTP: evhttp as metricsd-http.c sets it up, with real connections on the loopback
 * interface, whose bytes come in parts, of many clients at once, while smss answers, does not, and time
 * passes. Every answer is HTTP and whole, what is said of sessions keeps to its lines, and when the clients
 * are gone nothing is left of them.
 *
 *   ff N     client N is spoken for from here on; it connects where it has not; N = ff: all connect
 *   fe N     smss answers: a session's names are made of N and of what was sent; N = 0: it does not answer
 *   fd N     N tenths of a second pass
 *   fc N     the client sends nothing more (even), or is gone (odd)
 *   others   are sent, as they are
 */
#include "metrics-text.h"
#include "metricsd.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* More than there are places, and fewer than wait at the port. */
enum { CLIENTS = CONNECTIONS_MAX + 16, DESCRIPTORS = 1024, MARK = 0xfc };
enum { ROUNDS_MAX = 10 * SECONDS_MAX + 2, PATIENCE_MS = 20 };
enum { SELECT = 0xff, ANSWER = 0xfe, TIME = 0xfd, END = 0xfc, ALL = 0xff };

static struct client {
	int socket; /* -1: none */
	bool answered;
	uint64_t since;
} clients[CLIENTS];
static struct event_base *base;
static struct sockaddr_in address;
static int listener;
static bool crowded;      /* somebody had to wait for a place */
static int quiet;         /* events that there are without a client */
static uint64_t deadline; /* of the answer that is wanted; 0: none is */
static uint64_t passed;   /* what libevent's and metricsd's clock is ahead, in nanoseconds */

static void check(bool holds)
{
	if (!holds)
		abort();
}

/* In place of the C library's, for libevent too: time passes when the input says so, and only then. */
int clock_gettime(clockid_t clock, struct timespec *now)
{
	if (clock == CLOCK_REALTIME) /* libFuzzer's own */
		return (int)syscall(SYS_clock_gettime, clock, now);
	now->tv_sec = 1000 + (time_t)(passed / 1000000000);
	now->tv_nsec = (long)(passed % 1000000000);
	return 0;
}

static int events(void)
{
	return event_base_get_num_events(base, EVENT_BASE_COUNT_ADDED);
}

static void answer(const char *text, size_t size)
{
	deadline = 0;
	http_answer(text, size);
}

/* smss has its time for an answer, as metricsd.c gives it. */
static void pass(unsigned tenths)
{
	passed += (uint64_t)tenths * 100000000;
	if (deadline && passed >= deadline)
		answer(NULL, 0);
}

static void on_wanted(void)
{
	check(!deadline);
	deadline = passed + ANSWER_US * UINT64_C(1000);
}

/* The port that http_start has bound. */
static void find_port(void)
{
	for (int fd = 0; fd < DESCRIPTORS; fd++) {
		socklen_t size = sizeof(int);
		int listens = 0;

		if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) == 0 && listens) {
			size = sizeof(address);
			check(getsockname(fd, (struct sockaddr *)&address, &size) == 0);
			listener = fd;
			return;
		}
	}
	abort();
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static const struct musess_config config = { .MetricsAddress = "127.0.0.1" };

	(void)argc;
	(void)argv;
	signal(SIGPIPE, SIG_IGN); /* as metricsd does */
	base = event_base_new();
	check(base && http_start(base, &config, on_wanted) == 0);
	find_port();
	quiet = events();
	for (int i = 0; i < CLIENTS; i++)
		clients[i].socket = -1;
	return 0;
}

/* What has come is served, and what is due done. */
static void turn(void)
{
	for (int i = 0; i < 3; i++)
		event_base_loop(base, EVLOOP_NONBLOCK);
}

/* What the client is answered: it begins as HTTP does (evhttp gives back the request's version). Returns
   whether there may be more. */
static bool read_answer(struct client *c)
{
	static char text[65536];
	ssize_t got;

	while ((got = recv(c->socket, text, sizeof(text), MSG_DONTWAIT)) > 0) {
		check(c->answered || (got >= 5 && memcmp(text, "HTTP/", 5) == 0));
		c->answered = true;
	}
	return got < 0 && errno == EAGAIN;
}

/* Nobody stays for longer than a connection may, however much it has to say. */
static void check_stays(void)
{
	const uint64_t most = (SECONDS_MAX + 1) * UINT64_C(1000000000);

	for (int i = 0; i < CLIENTS && !crowded; i++)
		if (clients[i].socket >= 0 && passed - clients[i].since > most) {
			struct pollfd p = { clients[i].socket, POLLIN, 0 };
			/* its end may be on its way */
			check(!read_answer(&clients[i]) ||
			      (poll(&p, 1, PATIENCE_MS) == 1 && !read_answer(&clients[i])));
		}
}

/* With a reset, so that no port stays occupied. */
static void leave(struct client *c)
{
	const struct linger reset = { .l_onoff = 1 };

	if (c->socket < 0)
		return;
	read_answer(c);
	setsockopt(c->socket, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	close(c->socket);
	c->socket = -1;
}

static bool is_crowded(void)
{
	int n = 0;

	for (int i = 0; i < CLIENTS; i++)
		n += clients[i].socket >= 0;
	return n >= CONNECTIONS_MAX;
}

static void come(struct client *c)
{
	int before;

	if (c->socket >= 0)
		return;
	turn(); /* who went is gone */
	before = events();
	c->answered = false;
	c->since = passed;
	crowded = crowded || is_crowded();
	c->socket = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	check(c->socket >= 0 &&
	      connect(c->socket, (const struct sockaddr *)&address, sizeof(address)) == 0);
	turn();
	/* its beginning may be on its way, too */
	for (int ms = 0; !crowded && events() <= before && ms < PATIENCE_MS; ms++) {
		struct pollfd p = { listener, POLLIN, 0 };
		poll(&p, 1, 1);
		turn();
	}
}

/* A label's text: its end is a quotation mark that no backslash precedes. */
static const char *label_end(const char *at)
{
	for (; *at != '"'; at++) {
		check(*at != 0 && *at != '\n');
		if (*at == '\\') {
			at++;
			check(*at == '\\' || *at == '"' || *at == 'n');
		}
	}
	return at;
}

/* Each line is a comment, or a name, its labels and a number. */
static const char *check_line(const char *at)
{
	if (*at == '#')
		return strchr(at, '\n') + 1;
	at += strcspn(at, "{ \n");
	while (*at == '{' || *at == ',') {
		at++;
		at += strspn(at, "abcdefghijklmnopqrstuvwxyz_");
		check(at[0] == '=' && at[1] == '"');
		at = label_end(at + 2) + 1;
		check(*at == ',' || *at == '}');
		if (*at == '}')
			at++;
	}
	check(*at == ' ');
	at += 1 + strspn(at + 1, "0123456789.");
	check(*at == '\n');
	return at + 1;
}

/* Names are what clients and users chose. */
static void fill(char *name, size_t size, const uint8_t *bytes, size_t count, uint8_t seed)
{
	size_t length = count < size - 1 ? count : size - 1;

	memcpy(name, bytes, length);
	if (length > 0)
		name[length - 1] = (char)seed;
}

static void smss_answers(uint8_t seed, const uint8_t *bytes, size_t count)
{
	static const struct msg_stats stats = { .version = "1" };
	struct msg_mt_session session = { .session = seed };
	char *text = NULL;
	size_t size = 0;
	FILE *out;

	if (seed == 0) {
		answer(NULL, 0);
		return;
	}
	fill(session.winstation, sizeof(session.winstation), bytes, count, seed);
	fill(session.name, sizeof(session.name), bytes, count, seed);
	fill(session.station, sizeof(session.station), bytes, count, seed);
	out = open_memstream(&text, &size);
	check(out != NULL);
	if (seed & 1)
		metrics_write(out, &stats);
	metrics_write_windows(out, &stats, &session, 1);
	check(fclose(out) == 0 && strlen(text) == size);
	for (const char *at = text; *at;)
		at = check_line(at);
	answer(text, size);
	free(text);
}

/* A mark and its number, after SENT bytes at DATA. */
static struct client *obey(struct client *c, const uint8_t *data, size_t sent)
{
	uint8_t number = data[sent + 1];

	switch (data[sent]) {
	case SELECT:
		c = &clients[number % CLIENTS];
		for (int i = 0; number == ALL && i < CLIENTS; i++)
			come(&clients[i]);
		come(c);
		break;
	case ANSWER:
		smss_answers(number, data, sent);
		break;
	case TIME:
		pass(number);
		break;
	case END:
		if (number & 1)
			leave(c);
		else if (c->socket >= 0)
			shutdown(c->socket, SHUT_WR);
		break;
	default:
		break;
	}
	turn();
	check_stays();
	return c;
}

static void say(struct client *c, const uint8_t *bytes, size_t count)
{
	come(c);
	/* one that was shut out already takes nothing */
	send(c->socket, bytes, count, MSG_NOSIGNAL | MSG_DONTWAIT);
	turn();
	read_answer(c);
}

/* Until nothing is left: that takes no longer than a connection may. */
static void end_all(void)
{
	int rounds = 0;

	for (int i = 0; i < CLIENTS; i++)
		leave(&clients[i]);
	while (events() != quiet) {
		check(rounds++ < ROUNDS_MAX);
		pass(1);
		turn();
	}
	answer(NULL, 0); /* nor of the text */
	turn();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct client *c = &clients[0];
	size_t from = 0;

	crowded = false;
	for (size_t i = 0; i < size;) {
		size_t n = 0;
		while (i + n < size && data[i + n] < MARK)
			n++;
		if (n > 0) {
			say(c, data + i, n);
			from = i;
		}
		i += n;
		if (i + 1 >= size)
			break;
		c = obey(c, data + from, i - from);
		i += 2;
		from = i;
	}
	end_all();
	return 0;
}
