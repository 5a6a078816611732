/*
 * Clients that do not do what a client should, each kind up to a certain step, and then
 * wait to be closed.
 *
 *   bad-client PORT KIND [COUNT [ADDRESS]]
 *     COUNT of them at once, from ADDRESS; a KIND is one of the table below
 *
 * Prints one line: how many were closed by the server, and when, in milliseconds since
 * connect(). Exit status 0 where all were.
 */
#include "clock.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PATIENCE_MS = 60000, NEVER = -1, PROTOCOL_TLS = 1, PROTOCOL_NLA = 3 };

static uint16_t port;
static in_addr_t from_address = INADDR_ANY; /* network order */
static SSL_CTX *tls;

static void say(int socket, const void *data, size_t size)
{
	send(socket, data, size, MSG_NOSIGNAL);
}

/* Waits at most MS until the server closes; whatever it says is not heard. */
static bool closed_within(int socket, int ms)
{
	uint64_t until = clock_us() + (uint64_t)ms * 1000;
	struct pollfd p = { socket, POLLIN, 0 };
	char unread[4096];

	for (;;) {
		uint64_t now = clock_us();
		if (now >= until || poll(&p, 1, (int)((until - now + 999) / 1000)) <= 0)
			return false;
		if (recv(socket, unread, sizeof(unread), 0) <= 0)
			return true;
	}
}

/* ---- before the first packet is whole */

static const unsigned char request[] = { 3, 0, 0, 19, 14, 0xe0, 0, 0, 0, 0, 0, 1, 0, 8, 0,
	PROTOCOL_TLS, 0, 0, 0 };

static void silent(int socket)
{
	(void)socket;
}

static void rubbish(int socket)
{
	say(socket, "GET / HTTP/1.0\r\n\r\n", 18);
}

static void half(int socket)
{
	say(socket, request, sizeof(request) / 2);
}

static void half_and_close(int socket)
{
	half(socket);
	shutdown(socket, SHUT_WR);
}

/* A valid request, a byte a second. */
static void slow(int socket)
{
	for (size_t i = 0; i < sizeof(request); i++) {
		say(socket, request + i, 1);
		if (closed_within(socket, 1000)) {
			shutdown(socket, SHUT_RDWR);
			return;
		}
	}
}

/* ---- after it */

static void negotiate(int socket, unsigned char protocol)
{
	unsigned char packet[sizeof(request)];

	memcpy(packet, request, sizeof(packet));
	packet[15] = protocol;
	say(socket, packet, sizeof(packet));
	recv(socket, packet, sizeof(packet), MSG_WAITALL);
}

static void after_request(int socket)
{
	negotiate(socket, PROTOCOL_TLS);
}

static void rubbish_for_tls(int socket)
{
	negotiate(socket, PROTOCOL_TLS);
	rubbish(socket);
}

static size_t client_hello(char **hello)
{
	SSL *ssl = SSL_new(tls);
	BIO *out = BIO_new(BIO_s_mem());

	SSL_set_bio(ssl, BIO_new(BIO_s_mem()), out);
	SSL_connect(ssl); /* writes the hello, and then wants an answer */
	return (size_t)BIO_get_mem_data(out, hello);
}

static void half_hello(int socket)
{
	char *hello;
	size_t size = client_hello(&hello);

	negotiate(socket, PROTOCOL_TLS);
	say(socket, hello, size / 2);
}

/* A byte every 10 ms, so that its worker is never idle for long. */
static void dripping_hello(int socket)
{
	char *hello;
	size_t size = client_hello(&hello);

	negotiate(socket, PROTOCOL_TLS);
	for (size_t i = 0; i + 1 < size; i++) {
		say(socket, hello + i, 1);
		if (closed_within(socket, 10)) {
			shutdown(socket, SHUT_RDWR);
			return;
		}
	}
}

/* Everything up to TLS, then SIZE bytes of DATA in it. */
static void in_tls(int socket, unsigned char protocol, const void *data, int size)
{
	SSL *ssl = SSL_new(tls);

	negotiate(socket, protocol);
	SSL_set_fd(ssl, socket);
	if (SSL_connect(ssl) == 1 && size > 0)
		SSL_write(ssl, data, size);
}

static void before_nla(int socket)
{
	in_tls(socket, PROTOCOL_NLA, NULL, 0);
}

/* A TSRequest of 0x37 bytes, cut off in its NTLM token. */
static void half_nla(int socket)
{
	static const char begin[] = "\x30\x37\xa0\x03\x02\x01\x06\xa1\x30\x30\x2e\x30\x2c\xa0\x2a"
	                            "\x04\x28NTLMSSP\0\1";

	in_tls(socket, PROTOCOL_NLA, begin, sizeof(begin) - 1);
}

static void rubbish_for_nla(int socket)
{
	in_tls(socket, PROTOCOL_NLA, "GET / HTTP/1.0\r\n\r\n", 18);
}

static void before_mcs(int socket)
{
	in_tls(socket, PROTOCOL_TLS, NULL, 0);
}

/* An MCS Connect Initial of 0x190 bytes, cut off. */
static void half_mcs(int socket)
{
	in_tls(
	    socket, PROTOCOL_TLS, "\x03\x00\x01\x90\x02\xf0\x80\x7f\x65\x82\x01\x84\x04\x01", 14);
}

static void rubbish_for_mcs(int socket)
{
	in_tls(socket, PROTOCOL_TLS, "GET / HTTP/1.0\r\n\r\n", 18);
}

static const struct kind {
	const char *name;
	void (*act)(int socket);
} kinds[] = { { "silent", silent }, { "rubbish", rubbish }, { "half", half },
	{ "half-close", half_and_close }, { "slow", slow }, { "request", after_request },
	{ "tls-half", half_hello }, { "tls-drip", dripping_hello },
	{ "tls-rubbish", rubbish_for_tls }, { "nla", before_nla }, { "nla-half", half_nla },
	{ "nla-rubbish", rubbish_for_nla }, { "mcs", before_mcs }, { "mcs-half", half_mcs },
	{ "mcs-rubbish", rubbish_for_mcs } };

/* One such client. Returns when it was closed, in ms since connect(), or NEVER. */
static int act(const struct kind *kind)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr_in from = { .sin_family = AF_INET, .sin_addr.s_addr = from_address };
	int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	uint64_t begin = clock_us();

	if (s < 0 || bind(s, (struct sockaddr *)&from, sizeof(from)) < 0 ||
	    connect(s, (struct sockaddr *)&to, sizeof(to)) < 0)
		return NEVER;
	kind->act(s);
	return closed_within(s, PATIENCE_MS) ? (int)((clock_us() - begin) / 1000) : NEVER;
}

static int start(const struct kind *kind, unsigned count)
{
	int results[2];

	if (pipe(results) < 0)
		return -1;
	for (unsigned i = 0; i < count; i++) {
		pid_t pid = fork();
		if (pid == 0) {
			int ms = act(kind);
			_exit(write(results[1], &ms, sizeof(ms)) == sizeof(ms) ? 0 : 1);
		}
		if (pid < 0)
			return -1;
	}
	close(results[1]);
	return results[0];
}

int main(int argc, char **argv)
{
	unsigned count = argc > 3 ? (unsigned)strtoul(argv[3], NULL, 10) : 1, closed = 0;
	int first = PATIENCE_MS, last = 0, ms, results;
	const struct kind *kind = NULL;

	for (size_t i = 0; argc > 2 && i < sizeof(kinds) / sizeof(*kinds); i++)
		if (strcmp(argv[2], kinds[i].name) == 0)
			kind = &kinds[i];
	if (!kind || argc > 5 || (argc == 5 && inet_pton(AF_INET, argv[4], &from_address) != 1)) {
		fprintf(stderr, "usage: bad-client PORT KIND [COUNT [ADDRESS]]\n");
		return 2;
	}
	port = (uint16_t)strtoul(argv[1], NULL, 10);
	tls = SSL_CTX_new(TLS_client_method());
	results = tls ? start(kind, count) : -1;
	if (results < 0) {
		perror("bad-client");
		return 1;
	}
	while (read(results, &ms, sizeof(ms)) == sizeof(ms)) {
		closed += ms != NEVER;
		first = ms != NEVER && ms < first ? ms : first;
		last = ms > last ? ms : last;
	}
	while (wait(NULL) > 0)
		;
	printf("%s: %u of %u closed, from %d to %d ms\n", kind->name, closed, count, first, last);
	return closed == count ? 0 : 1;
}
