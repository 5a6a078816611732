/* Whom a run goes to, and from where. */
#include "run-parse.h"

#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

enum { RDP_PORT = 3389 };

/* HOST, HOST:PORT, [V6] or [V6]:PORT; a bare V6 address too. Returns 0 or an exit status. */
static int split_target(struct options *o, const char *text)
{
	const char *colon = strrchr(text, ':'), *end = text + strlen(text);
	uint64_t port = RDP_PORT;

	if (*text == '[') {
		end = strchr(text, ']');
		if (!end || (end[1] && end[1] != ':'))
			return usage_error("%s: the address has no ] at its end", text);
		colon = end[1] ? end + 1 : NULL;
		text++;
	} else if (colon && strchr(text, ':') != colon) {
		colon = NULL; /* an IPv6 address */
	} else if (colon) {
		end = colon;
	}
	if (colon && parse_whole(colon + 1, 1, 65535, &port) < 0)
		return usage_error("%s: \"%s\" is no port", text, colon + 1);
	o->host = strndup(text, (size_t)(end - text));
	o->port = (uint16_t)port;
	if (!o->host || !*o->host)
		return usage_error("the target has no host: HOST[:PORT]");
	return asprintf(&o->target, strchr(o->host, ':') ? "[%s]:%u" : "%s:%u", o->host, o->port) <
	               0
	           ? LOAD_EXIT_FAILED
	           : 0;
}

static struct address address_of(const struct addrinfo *found)
{
	struct address a = { .length = found->ai_addrlen };

	memcpy(&a.address, found->ai_addr, found->ai_addrlen);
	return a;
}

/* All addresses of the host, in the order in which they are to be tried. Returns 0 or an exit status. */
static int resolve(struct options *o)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *found = NULL;
	char service[8];
	int error;

	snprintf(service, sizeof(service), "%u", o->port);
	error = getaddrinfo(o->host, service, &hints, &found);
	if (error) {
		usage_error("%s: %s", o->host, gai_strerror(error));
		return LOAD_EXIT_FAILED;
	}
	for (const struct addrinfo *i = found; i && o->addresses < ADDRESSES_MAX; i = i->ai_next)
		o->address[o->addresses++] = address_of(i);
	freeaddrinfo(found);
	return 0;
}

static int take_sm_target(struct options *o, const char *operand)
{
	const char *path = operand ? operand : getenv("MUSESS_SM_PORT");

	o->target = strdup(path && *path ? path : SM_PORT);
	if (!o->target)
		return LOAD_EXIT_FAILED;
	if (strlen(o->target) >= sizeof(((struct sockaddr_un *)0)->sun_path))
		return usage_error("%s: the path of a port is not that long", o->target);
	return 0;
}

int take_target(struct options *o, int count, char **words)
{
	int status;

	if (count > 1)
		return usage_error("run takes one target; \"%s\" is too many", words[1]);
	if (o->sm)
		return take_sm_target(o, count ? words[0] : NULL);
	if (count == 0)
		return usage_error("whom to load? musessload run HOST[:PORT] ...; see --help");
	status = split_target(o, words[0]);
	return status ? status : resolve(o);
}

/* ---- sources ---- */

/* Only the host's addresses of the source's family can be connected to. Returns 0 or an exit status. */
static int keep_family(struct options *o, const struct source *s)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < o->addresses; i++)
		if (o->address[i].address.ss_family == s->address.address.ss_family)
			o->address[kept++] = o->address[i];
	o->addresses = kept;
	if (kept)
		return 0;
	return usage_error("--connect-from: %s and %s are not of one family", s->text, o->host);
}

static int add_source(struct options *o, const char *text)
{
	struct addrinfo hints = { .ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_STREAM }, *found;
	struct source *s = &o->source[o->sources];

	if (o->sources == SOURCES_MAX)
		return usage_error("--connect-from: there are more than %d", SOURCES_MAX);
	if (strlen(text) >= sizeof(s->text) || getaddrinfo(text, NULL, &hints, &found))
		return usage_error("--connect-from: \"%s\" is no address", text);
	s->address = address_of(found);
	freeaddrinfo(found);
	snprintf(s->text, sizeof(s->text), "%s", text);
	o->sources++;
	return keep_family(o, s);
}

int take_sources(struct options *o, const char *text)
{
	char *copy = strdup(text), *rest = copy, *one;
	int status = copy ? 0 : LOAD_EXIT_FAILED;

	while (status == 0 && (one = strsep(&rest, ",")))
		status = add_source(o, one);
	free(copy);
	return status;
}
