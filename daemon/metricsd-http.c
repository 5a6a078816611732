/*
 * The HTTP side: libevent's evhttp, and what it has no bounds for. It frees connections by itself
 * and tells nobody: each is held by a reference of ours, and looked at every now and then, until
 * evhttp has let go of it (its callbacks are gone) or its time is over.
 */
#include "metricsd.h"

#include "clock.h"
#include "log.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <event2/listener.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <time.h>

enum { LOOK_US = 100000, LOOK_SOON_US = 1000 };

static struct event_base *base;
static struct evconnlistener *listener;
static struct event *look;
static void (*on_wanted)(void);

static struct {
	struct bufferevent *bev; /* NULL: free */
	uint64_t since;
} connections[CONNECTIONS_MAX];
static unsigned connection_count;

static struct evhttp_request *waiting[CONNECTIONS_MAX]; /* for a text; each of a connection */
static unsigned waiting_count;

static char *text;
static size_t text_size;
static uint64_t text_since; /* 0: there is none */

/* ---- connections ---- */

static void look_again(void)
{
	const struct timeval in = { .tv_usec = LOOK_US };

	if (connection_count > 0 && !event_pending(look, EV_TIMEOUT, NULL))
		event_add(look, &in);
}

/* Whether evhttp has freed it: all that is left is our reference. */
static bool let_go(struct bufferevent *bev)
{
	bufferevent_event_cb event = NULL;

	bufferevent_getcb(bev, NULL, NULL, &event, NULL);
	return event == NULL;
}

static void on_look(int fd, short what, void *argument)
{
	uint64_t now = clock_us();

	(void)fd;
	(void)what;
	(void)argument;
	for (int i = 0; i < CONNECTIONS_MAX; i++) {
		struct bufferevent *bev = connections[i].bev;
		if (!bev)
			continue;
		if (let_go(bev)) {
			bufferevent_decref(bev);
			connections[i].bev = NULL;
			connection_count--;
		} else if (now - connections[i].since > SECONDS_MAX * UINT64_C(1000000)) {
			shutdown(bufferevent_getfd(bev), SHUT_RDWR); /* evhttp reads its end */
		}
	}
	if (connection_count < CONNECTIONS_MAX)
		evconnlistener_enable(listener);
	look_again();
}

/* Whether its request is whole, and waits for a text. */
static bool waits_for_text(const struct bufferevent *bev)
{
	for (unsigned i = 0; i < waiting_count; i++) {
		struct evhttp_connection *c = evhttp_request_get_connection(waiting[i]);
		if (c && evhttp_connection_get_bufferevent(c) == bev)
			return true;
	}
	return false;
}

/* All places are taken: the one that has been slow for longest leaves its place to the next. */
static void give_way(void)
{
	const struct timeval soon = { .tv_usec = LOOK_SOON_US };
	int oldest = -1;

	for (int i = 0; i < CONNECTIONS_MAX; i++)
		if (!waits_for_text(connections[i].bev) &&
		    (oldest < 0 || connections[i].since < connections[oldest].since))
			oldest = i;
	if (oldest < 0)
		return;
	shutdown(bufferevent_getfd(connections[oldest].bev), SHUT_RDWR); /* evhttp reads its end */
	event_add(look, &soon);
}

/* evhttp has accepted a connection. Its socket is not known here yet. */
static struct bufferevent *on_connection(struct event_base *b, void *argument)
{
	struct bufferevent *bev = bufferevent_socket_new(b, -1, BEV_OPT_CLOSE_ON_FREE);
	int i = 0;

	(void)argument;
	while (connections[i].bev)
		i++; /* the listener rests when there is no place */
	if (!bev)
		return NULL;
	bufferevent_incref(bev);
	connections[i].bev = bev;
	connections[i].since = clock_us();
	if (++connection_count == CONNECTIONS_MAX) {
		evconnlistener_disable(listener);
		give_way();
	}
	look_again();
	return bev;
}

/* Out of descriptors, say: whoever waits would wake us again and again. */
static void on_no_connection(struct evconnlistener *l, void *argument)
{
	const struct timeval in = { .tv_usec = LOOK_US };

	(void)argument;
	evconnlistener_disable(l);
	event_add(look, &in);
}

/* ---- requests ---- */

static void reply(struct evhttp_request *request, int code, const char *reason, const char *type,
    const char *body, size_t size)
{
	struct evkeyvalq *headers = evhttp_request_get_output_headers(request);
	struct evbuffer *buffer = evbuffer_new();

	evhttp_add_header(headers, "Content-Type", type);
	evhttp_add_header(headers, "Connection", "close");
	if (buffer)
		evbuffer_add(buffer, body, size);
	evhttp_send_reply(request, code, reason, buffer);
	if (buffer)
		evbuffer_free(buffer);
}

static void reply_text(struct evhttp_request *request)
{
	static const char silent[] = "The session manager does not answer.\n";

	if (text_since)
		reply(request, HTTP_OK, "OK", "text/plain; version=0.0.4; charset=utf-8", text,
		    text_size);
	else
		reply(request, HTTP_SERVUNAVAIL, "Service Unavailable", "text/plain", silent,
		    sizeof(silent) - 1);
}

static void on_metrics(struct evhttp_request *request, void *argument)
{
	(void)argument;
	if (text_since && clock_us() - text_since < FRESH_US) {
		reply_text(request);
		return;
	}
	if (waiting_count == CONNECTIONS_MAX) { /* of connections that have gone since */
		evhttp_send_error(request, HTTP_SERVUNAVAIL, NULL);
		return;
	}
	waiting[waiting_count++] = request;
	if (waiting_count == 1)
		on_wanted();
}

static void on_root(struct evhttp_request *request, void *argument)
{
	static const char page[] = "<!DOCTYPE html>\n<title>musess</title>\n"
	                           "<p>musess: <a href=\"/metrics\">metrics</a></p>\n";

	(void)argument;
	reply(request, HTTP_OK, "OK", "text/html", page, sizeof(page) - 1);
}

void http_answer(const char *answer, size_t size)
{
	free(text);
	text = answer ? malloc(size) : NULL;
	text_since = text ? clock_us() : 0;
	text_size = text ? size : 0;
	if (text)
		memcpy(text, answer, size);
	/* one whose connection has gone is freed by this */
	while (waiting_count > 0)
		reply_text(waiting[--waiting_count]);
}

/* ---- beginning ---- */

/* A metricsd whose smss has ended may be a moment behind it: its port is waited for. */
static struct evhttp_bound_socket *bind_port(
    struct evhttp *http, const struct musess_config *config)
{
	const struct timespec pause = { .tv_nsec = 50000000 };
	struct evhttp_bound_socket *bound;

	for (int tries = 40;; tries--) {
		bound = evhttp_bind_socket_with_handle(
		    http, config->MetricsAddress, (uint16_t)config->MetricsPort);
		if (bound || errno != EADDRINUSE || tries == 0)
			return bound;
		nanosleep(&pause, NULL);
	}
}

int http_start(struct event_base *b, const struct musess_config *config, void (*wanted)(void))
{
	struct evhttp *http = evhttp_new(b);
	struct evhttp_bound_socket *bound;

	base = b;
	on_wanted = wanted;
	look = evtimer_new(base, on_look, NULL);
	if (!http || !look)
		return -1;
	evhttp_set_allowed_methods(http, EVHTTP_REQ_GET | EVHTTP_REQ_HEAD);
	evhttp_set_max_headers_size(http, HEADERS_MAX);
	evhttp_set_max_body_size(http, 0);
	evhttp_set_timeout(http, SECONDS_MAX);
	evhttp_set_bevcb(http, on_connection, NULL);
	evhttp_set_cb(http, "/metrics", on_metrics, NULL);
	evhttp_set_cb(http, "/", on_root, NULL);
	bound = bind_port(http, config);
	if (!bound) {
		log_error("cannot listen on %s port %u: %s: choose another MetricsPort or "
		          "MetricsAddress",
		    config->MetricsAddress, config->MetricsPort, strerror(errno));
		return -1;
	}
	listener = evhttp_bound_socket_get_listener(bound);
	evconnlistener_set_error_cb(listener, on_no_connection);
	return 0;
}
