/*
 * Load: RDP clients that wait for their first picture, without decoding it. The parent is
 * warm and forks a lane for each connection at a time; the lanes begin together.
 *
 *   rdp-load PORT USER PASSWORD [-a] [-n CONNECTIONS] [-c LANES] [-k SECONDS] [-s PACKET]
 *            [-f SEED] [-b ADDRESS] [-r TIMES]
 *
 *   In USER, %d stands for the connection's number: users have sessions of their own.
 *
 *     -a  NLA; else TLS, with the credentials in the client info
 *     -b  come from there, an address of the loopback network
 *     -k  stay for so long after the first picture; one that is closed meanwhile has failed
 *     -s  be a client that stops: instead of sending its packet of that number (the X.224
 *         request is the first), wait to be closed. It succeeds where that happens.
 *     -f  be a client that changes what it sends at random, SEED says how, and gives up
 *         soon; no result is a failure
 *     -r  have the largest desktop, and ask so often for all of it again, by Refresh Rect and by
 *         Suppress Output; it succeeds where that comes fewer than a sixth as often. With -k
 *
 * Prints one line. Exit status 0 where all connections succeeded.
 */
#include "clock.h"
#include "messages.h"
#include "rdp-fuzz.h"

#include <arpa/inet.h>
#include <freerdp/freerdp.h>
#include <freerdp/transport_io.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>
#include <winpr/ssl.h>
#include <winpr/synch.h>
#include <winpr/wlog.h>

enum { PATIENCE_US = 300000000, FUZZ_PATIENCE_US = 300000, USED_US = 50000 };

static struct {
	UINT32 port;
	const char *user, *password;
	BOOL nla;
	unsigned connections, lanes, keep, stop_at, refresh;
	uint64_t fuzz;
	const char *from;
} options = { .user = "", .password = "", .connections = 1, .lanes = 1 };

/* How a lane tells of a connection. */
struct result {
	bool good;
	uint64_t us;
};

/* A lane's connection of the moment. */
static struct {
	int socket;
	unsigned written;
	bool painted, closed;
	uint64_t pixels; /* of all rectangles */
	struct rdp_fuzz fuzz;
} now;

static pTransportRWFkt write_pdu; /* FreeRDP's own */

static int on_connect(
    rdpContext *context, rdpSettings *settings, const char *host, int port, DWORD timeout)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)options.port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr_in from = { .sin_family = AF_INET };

	(void)context;
	(void)settings;
	(void)host;
	(void)port;
	(void)timeout;
	if (now.closed)
		return -1; /* FreeRDP would try once more */
	now.socket = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (now.socket >= 0 &&
	    ((options.from && (inet_pton(AF_INET, options.from, &from.sin_addr) != 1 ||
	                          bind(now.socket, (struct sockaddr *)&from, sizeof(from)) < 0)) ||
	        connect(now.socket, (struct sockaddr *)&to, sizeof(to)) < 0)) {
		close(now.socket);
		return -1;
	}
	if (options.fuzz)
		now.socket = rdp_fuzz_way(&now.fuzz, now.socket);
	return now.socket;
}

/* Reads and forgets, until the server closes. */
static bool wait_for_close(int socket)
{
	struct pollfd p = { socket, POLLIN, 0 };
	char unread[4096];

	while (poll(&p, 1, PATIENCE_US / 1000) > 0)
		if (recv(socket, unread, sizeof(unread), 0) <= 0)
			return true;
	return false;
}

static int on_write_pdu(rdpTransport *transport, wStream *s)
{
	if (++now.written != options.stop_at) {
		if (options.fuzz)
			rdp_fuzz_packet(&now.fuzz, now.written, s);
		return write_pdu(transport, s);
	}
	now.closed = wait_for_close(now.socket);
	return -1;
}

static BOOL on_bitmap(rdpContext *context, const BITMAP_UPDATE *update)
{
	(void)context;
	for (UINT32 i = 0; i < update->number; i++) {
		const BITMAP_DATA *r = &update->rectangles[i];
		now.pixels +=
		    (uint64_t)(r->destRight - r->destLeft + 1) * (r->destBottom - r->destTop + 1);
	}
	now.painted = true;
	return TRUE;
}

static BOOL on_post_connect(freerdp *instance)
{
	instance->context->update->BitmapUpdate = on_bitmap;
	return TRUE;
}

/* The user of connection NUMBER. */
static void user_name(char *name, size_t size, unsigned number)
{
	const char *mark = strstr(options.user, "%d");

	if (mark)
		snprintf(name, size, "%.*s%u%s", (int)(mark - options.user), options.user, number,
		    mark + 2);
	else
		snprintf(name, size, "%s", options.user);
}

static bool set_up(rdpContext *context, const char *user)
{
	rdpSettings *s = context->settings;
	rdpTransportIo io = *freerdp_get_io_callbacks(context);

	write_pdu = io.WritePdu;
	io.TCPConnect = on_connect;
	io.WritePdu = on_write_pdu;
	return freerdp_set_io_callbacks(context, &io) &&
	       freerdp_settings_set_string(s, FreeRDP_ServerHostname, "127.0.0.1") &&
	       freerdp_settings_set_uint32(s, FreeRDP_ServerPort, options.port) &&
	       /* for activation, too */
	       freerdp_settings_set_uint32(s, FreeRDP_TcpConnectTimeout, PATIENCE_US / 1000) &&
	       freerdp_settings_set_string(s, FreeRDP_Username, user) &&
	       freerdp_settings_set_string(s, FreeRDP_Password, options.password) &&
	       freerdp_settings_set_bool(s, FreeRDP_AutoLogonEnabled, TRUE) &&
	       freerdp_settings_set_bool(s, FreeRDP_IgnoreCertificate, TRUE) &&
	       freerdp_settings_set_bool(s, FreeRDP_NlaSecurity, options.nla) &&
	       freerdp_settings_set_bool(s, FreeRDP_TlsSecurity, !options.nla) &&
	       freerdp_settings_set_bool(s, FreeRDP_RdpSecurity, FALSE) &&
	       freerdp_settings_set_bool(s, FreeRDP_SupportGraphicsPipeline, FALSE) &&
	       freerdp_settings_set_bool(s, FreeRDP_DeactivateClientDecoding, TRUE) &&
	       freerdp_settings_set_uint32(s, FreeRDP_ColorDepth, 32);
}

static bool set_desktop(rdpSettings *s)
{
	return !options.refresh ||
	       (freerdp_settings_set_uint32(s, FreeRDP_DesktopWidth, DESKTOP_MAX) &&
	           freerdp_settings_set_uint32(s, FreeRDP_DesktopHeight, DESKTOP_MAX));
}

static void destroy(freerdp *instance)
{
	if (!instance)
		return;
	freerdp_context_free(instance);
	freerdp_free(instance);
}

static freerdp *create(unsigned number)
{
	char user[256];
	freerdp *instance = freerdp_new();

	user_name(user, sizeof(user), number);
	if (instance) {
		instance->ContextSize = sizeof(rdpContext);
		instance->PostConnect = on_post_connect;
		if (freerdp_context_new(instance) && set_up(instance->context, user) &&
		    set_desktop(instance->context->settings))
			return instance;
	}
	destroy(instance);
	return NULL;
}

/* Serves the connection until its picture, or, with ALWAYS, until TIME. False when lost. */
static bool serve(freerdp *instance, bool always, uint64_t time)
{
	while ((always || !now.painted) && clock_us() < time) {
		HANDLE handles[64];
		DWORD n = freerdp_get_event_handles(instance->context, handles, 64);

		WaitForMultipleObjects(n, handles, FALSE, 100);
		if (!freerdp_check_event_handles(instance->context))
			return false;
	}
	return true;
}

/* Asks for the desktop again and again. */
static bool refresh(rdpContext *context)
{
	RECTANGLE_16 all[255];

	for (unsigned i = 0; i < 255; i++)
		all[i] = (RECTANGLE_16){ 0, 0, DESKTOP_MAX - 1, DESKTOP_MAX - 1 };
	for (unsigned i = 0; i < options.refresh; i++)
		if (!context->update->RefreshRect(context, 255, all) ||
		    !context->update->SuppressOutput(context, 0, NULL) ||
		    !context->update->SuppressOutput(context, 1, all))
			return false;
	return true;
}

/* Desktops that came since the first picture began. */
static uint64_t desktops(void)
{
	return now.pixels / ((uint64_t)DESKTOP_MAX * DESKTOP_MAX);
}

static struct result try(freerdp *instance)
{
	struct result result = { 0 };
	uint64_t begin = clock_us();
	bool alive;

	memset(&now, 0, sizeof(now));
	alive = freerdp_connect(instance) && serve(instance, false, begin + PATIENCE_US);
	result.us = clock_us() - begin;
	result.good = options.stop_at ? now.closed : alive && now.painted;
	if (result.good && options.refresh)
		result.good = refresh(instance->context);
	if (result.good && options.keep)
		result.good = serve(instance, true, clock_us() + options.keep * 1000000ull);
	if (options.refresh) {
		printf("%u times the desktop was asked for, %llu times it came\n",
		    options.refresh * 2, (unsigned long long)desktops());
		fflush(stdout);
		result.good = result.good && desktops() > 0 && desktops() < options.refresh / 3;
	}
	freerdp_disconnect(instance);
	return result;
}

/* In a process of its own: what FreeRDP's client makes of the answers is nobody's interest. Whether it
   had a picture. */
static bool fuzz(freerdp *instance, unsigned number)
{
	struct itimerval patience = { .it_value.tv_usec = FUZZ_PATIENCE_US };
	pid_t pid = fork();
	int status;

	if (pid < 0)
		return false;
	if (pid > 0)
		return waitpid(pid, &status, 0) == pid && WIFEXITED(status) &&
		       WEXITSTATUS(status) == 0;
	setitimer(ITIMER_REAL, &patience, NULL);
	rdp_fuzz_begin(&now.fuzz, (options.fuzz << 32) + number);
	if (!freerdp_connect(instance) || !serve(instance, false, clock_us() + PATIENCE_US))
		_exit(1);
	rdp_fuzz_use(instance->context);
	serve(instance, true, clock_us() + USED_US);
	_exit(0);
}

/* A lane that fuzzes: each of its connections is a child's, from one instance that is ready. */
static void fuzz_lane(freerdp *instance, unsigned first, int results)
{
	for (unsigned i = first; i < options.connections; i += options.lanes) {
		struct result result = { .good = instance && fuzz(instance, i) };
		if (write(results, &result, sizeof(result)) < 0)
			_exit(1);
	}
	_exit(0);
}

/* A lane: the connections FIRST, FIRST + lanes, and so on, once the GATE is closed. */
static void lane(unsigned first, int gate, int results)
{
	freerdp *instance = create(first);
	char none;

	if (write(results, &(struct result){ 0 }, sizeof(struct result)) < 0 ||
	    read(gate, &none, 1) != 0)
		_exit(1);
	if (options.fuzz)
		fuzz_lane(instance, first, results);
	for (unsigned i = first; i < options.connections; i += options.lanes) {
		struct result result = { 0 };

		if (instance)
			result = try(instance);
		if (write(results, &result, sizeof(result)) < 0)
			_exit(1);
		destroy(instance);
		instance =
		    i + options.lanes < options.connections ? create(i + options.lanes) : NULL;
	}
	_exit(0);
}

/* Forks the lanes, and lets them begin when all are ready. The time when they did, or 0. */
static uint64_t start_lanes(int results[2])
{
	struct result ready;
	int gate[2];

	if (pipe(results) < 0 || pipe(gate) < 0)
		return 0;
	for (unsigned i = 0; i < options.lanes; i++) {
		pid_t pid = fork();
		if (pid < 0)
			return 0; /* the others find the gate closed and nobody to tell */
		if (pid == 0) {
			close(gate[1]);
			close(results[0]);
			lane(i, gate[0], results[1]);
		}
	}
	close(results[1]);
	for (unsigned i = 0; i < options.lanes; i++)
		if (read(results[0], &ready, sizeof(ready)) != sizeof(ready))
			return 0;
	close(gate[0]);
	close(gate[1]);
	return clock_us();
}

static int ascending(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static int report(uint64_t *took, unsigned good, uint64_t us)
{
	unsigned middle = good / 2;

	printf("%u of %u %s in %.2f s", good, options.connections,
	    options.stop_at ? "closed" : "painted", (double)us / 1e6);
	if (good) {
		qsort(took, good, sizeof(*took), ascending);
		printf("  min %.1f ms  p50 %.1f ms  max %.1f ms", (double)took[0] / 1e3,
		    (double)took[middle] / 1e3, (double)took[good - 1] / 1e3);
	}
	printf("\n");
	return good == options.connections || options.fuzz ? 0 : 1;
}

static int parse(int argc, char **argv)
{
	int option;

	while ((option = getopt(argc, argv, "ab:n:c:k:s:f:r:")) != -1) {
		unsigned value = optarg ? (unsigned)strtoul(optarg, NULL, 10) : 0;
		if (option == 'a')
			options.nla = TRUE;
		else if (option == 'b')
			options.from = optarg;
		else if (option == 'n')
			options.connections = value;
		else if (option == 'c')
			options.lanes = value;
		else if (option == 'k')
			options.keep = value;
		else if (option == 's')
			options.stop_at = value;
		else if (option == 'f')
			options.fuzz = value;
		else if (option == 'r')
			options.refresh = value;
		else
			return -1;
	}
	if (argc - optind != 3 || options.connections < 1 || options.lanes < 1)
		return -1;
	options.port = (UINT32)strtoul(argv[optind], NULL, 10);
	options.user = argv[optind + 1];
	options.password = argv[optind + 2];
	if (options.lanes > options.connections)
		options.lanes = options.connections;
	return 0;
}

/* What the lanes need not do each for themselves. */
static void warm_up(void)
{
	setenv("TZ", ":/etc/localtime", 0);
	WLog_SetLogLevel(WLog_GetRoot(), WLOG_OFF);
	winpr_InitializeSSL(WINPR_SSL_INIT_DEFAULT);
	destroy(create(0));
}

int main(int argc, char **argv)
{
	uint64_t begin, *took;
	struct result result;
	unsigned good = 0;
	int results[2], status;

	if (parse(argc, argv) < 0) {
		fprintf(stderr,
		    "usage: rdp-load PORT USER PASSWORD [-a] [-n CONNECTIONS] "
		    "[-c LANES] [-k SECONDS] [-s PACKET] [-f SEED] [-b ADDRESS] [-r TIMES]\n");
		return 2;
	}
	warm_up();
	took = calloc(options.connections, sizeof(*took));
	begin = took ? start_lanes(results) : 0;
	if (begin == 0) {
		perror("rdp-load");
		free(took);
		return 1;
	}
	while (read(results[0], &result, sizeof(result)) == sizeof(result))
		if (result.good)
			took[good++] = result.us;
	while (wait(NULL) > 0)
		;
	status = report(took, good, clock_us() - begin);
	free(took);
	return status;
}
