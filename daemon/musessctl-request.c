/*
 * Talking to smss: one connection, whose requests are answered in order, each under the
 * number it was sent with. smss is trusted with what it says, not with how it says it.
 */
#include "musessctl.h"

#include "ntstatus.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

/* ---- what is said when it goes wrong ---- */

int ctl_usage_error(const char *format, ...)
{
	va_list arguments;

	fputs("musessctl: ", stderr);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputs("\nmusessctl --help lists the commands\n", stderr);
	return CTL_USAGE;
}

int ctl_error(const char *format, ...)
{
	va_list arguments;

	fputs("musessctl: ", stderr);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	return CTL_REFUSED;
}

int ctl_refused(const struct request *r, int32_t status, const char *hint)
{
	fprintf(stderr, "musessctl: %s%s%s: %s: %s%s%s\n", r->command->name, r->operand ? " " : "",
	    r->operand ? r->operand : "", ntstatus_name(status), ntstatus_text(status),
	    hint ? "; " : "", hint ? hint : "");
	return CTL_REFUSED;
}

int ctl_bad_answer(const struct request *r)
{
	fprintf(stderr, "musessctl: %s: what answers at %s is not this version's smss\n",
	    r->command->name, r->path);
	return CTL_REFUSED;
}

int ctl_failed(const struct request *r, const char *what)
{
	fprintf(stderr, "musessctl: %s: %s: %s\n", r->command->name, what, strerror(errno));
	return CTL_REFUSED;
}

static int cannot_connect(const struct request *r)
{
	switch (errno) {
	case ENOENT:
	case ENOTDIR:
	case ECONNREFUSED:
		fprintf(stderr,
		    "musessctl: no service at %s: is musess running? (--socket PATH or "
		    "MUSESS_SM_PORT names another)\n",
		    r->path);
		return CTL_REFUSED;
	case EACCES:
	case EPERM:
		fprintf(stderr,
		    "musessctl: no permission to use %s: only root and the service's own user "
		    "may\n",
		    r->path);
		return CTL_REFUSED;
	case EAGAIN:
		return ctl_refused(r, STATUS_IO_TIMEOUT, NULL);
	default:
		return ctl_failed(r, r->path);
	}
}

/* ---- talking to smss ---- */

int ctl_connect(struct request *r)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct timeval timeout = { .tv_sec = r->command->timeout };
	size_t length = strlen(r->path);

	if (r->port != -1)
		return 0;
	if (length == 0 || length >= sizeof(address.sun_path))
		return ctl_usage_error("the path of a socket has 1 to %zu bytes: \"%s\"",
		    sizeof(address.sun_path) - 1, r->path);
	memcpy(address.sun_path, r->path, length);
	r->port = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	/* a timeout for sending is one for connecting too */
	if (r->port < 0 ||
	    setsockopt(r->port, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)) < 0 ||
	    connect(r->port, (struct sockaddr *)&address, sizeof(address)) < 0)
		return cannot_connect(r);
	return 0;
}

/* smss closes the port of who may not use it, and that looks like its own end. */
static int disconnected(const struct request *r)
{
	return ctl_refused(r, STATUS_PORT_DISCONNECTED,
	    "it ended, or you are neither root nor the user it runs as");
}

int ctl_ask_passing(
    struct request *r, PORT_MESSAGE *message, uint16_t type, size_t total, int passed)
{
	if (!r->deadline)
		r->deadline = ctl_now() + (uint64_t)r->command->timeout * 1000;
	port_header(message, type, total, ++r->message_id);
	if (port_send(r->port, message, passed) == 0)
		return 0;
	if (errno == EAGAIN)
		return ctl_refused(r, STATUS_IO_TIMEOUT, NULL);
	return errno == EPIPE || errno == ECONNRESET ? disconnected(r) : ctl_failed(r, r->path);
}

int ctl_ask(struct request *r, PORT_MESSAGE *message, uint16_t type, size_t total)
{
	return ctl_ask_passing(r, message, type, total, -1);
}

int ctl_ask_plainly(struct request *r, uint16_t type)
{
	struct msg_plain message;

	return ctl_ask(r, &message.h, type, sizeof(message));
}

static size_t answer_size(uint16_t type)
{
	switch (type) {
	case LPC_REPLY:
		return sizeof(SMAPIMSG);
	case CTL_SESSION:
		return sizeof(struct msg_session);
	case CTL_PROCESS:
		return sizeof(struct msg_process);
	case CTL_VERSION:
		return sizeof(struct msg_version);
	case CTL_END:
		return sizeof(struct msg_plain);
	case CTL_POOL:
		return sizeof(struct msg_pool);
	case CTL_EXEC:
		return sizeof(struct msg_exec);
	case CTL_DISCONNECT:
	case CTL_CONNECT:
	case CTL_LOGOFF:
	case CTL_RESET:
	case CTL_MESSAGE:
		return sizeof(struct msg_control);
	case CTL_DRAIN:
		return sizeof(struct msg_drain);
	case CTL_RELOADED:
		return sizeof(struct msg_reloaded);
	case CTL_STATS:
		return sizeof(struct msg_stats);
	case CTL_EVENT:
		return sizeof(struct msg_event);
	case ACCT_ENTRY:
	case LSA_ANSWER:
		return sizeof(struct lsa_answer);
	default:
		return 0;
	}
}

bool ctl_lines_valid(const char *text, size_t size)
{
	char copy[RELOAD_TEXT_SIZE];

	memcpy(copy, text, size);
	for (size_t i = 0; i < size; i++)
		if (copy[i] == '\n')
			copy[i] = ' ';
	return port_text_valid(copy, size);
}

static bool answer_text_valid(const union answer *a)
{
	const struct msg_session *s = &a->session;

	switch (a->h.type) {
	case CTL_SESSION:
		return port_text_valid(s->winstation, sizeof(s->winstation)) &&
		       port_text_valid(s->user, sizeof(s->user)) &&
		       port_text_valid(s->domain, sizeof(s->domain)) &&
		       port_text_valid(s->station, sizeof(s->station)) &&
		       port_text_valid(s->address, sizeof(s->address));
	case CTL_PROCESS:
		return port_text_valid(a->process.image, sizeof(a->process.image));
	case CTL_VERSION:
		return port_text_valid(a->version.version, sizeof(a->version.version));
	case CTL_RELOADED:
		for (unsigned i = 0; i < NAMED_FILES; i++)
			if (!port_text_valid(a->reloaded.files[i].path, NAMED_PATH_SIZE))
				return false;
		return ctl_lines_valid(a->reloaded.text, sizeof(a->reloaded.text));
	case CTL_EVENT:
		return port_text_valid(a->event.json, sizeof(a->event.json));
	case ACCT_ENTRY:
	case LSA_ANSWER:
		return port_text_valid(a->account.user, sizeof(a->account.user));
	default:
		return true;
	}
}

/* Waits for something to read. Returns false when the time is over. */
static bool wait_for_answer(const struct request *r)
{
	struct pollfd readable = { .fd = r->port, .events = POLLIN };
	int ready;

	do {
		uint64_t now = ctl_now(), left = now < r->deadline ? r->deadline - now : 0;
		/* one that is too long for poll never comes */
		ready = poll(&readable, 1, left > INT_MAX ? -1 : (int)left);
	} while (ready < 0 && errno == EINTR);
	return ready > 0;
}

int ctl_receive_any(const struct request *r, uint32_t first, union answer *a)
{
	ssize_t got;

	if (!wait_for_answer(r))
		return ctl_refused(r, STATUS_IO_TIMEOUT, NULL);
	got = port_receive(r->port, a, sizeof(*a), NULL);
	if (got == 0 || (got < 0 && errno == ECONNRESET))
		return disconnected(r);
	if (got < 0 && errno != EBADMSG)
		return ctl_failed(r, r->path);
	if (got < 0 || (size_t)got != answer_size(a->h.type) || a->h.message_id < first ||
	    a->h.message_id > r->message_id || !answer_text_valid(a))
		return ctl_bad_answer(r);
	return 0;
}

int ctl_receive(const struct request *r, union answer *a)
{
	return ctl_receive_any(r, r->message_id, a);
}

int ctl_call(struct request *r, PORT_MESSAGE *message, uint16_t type, size_t total,
    uint16_t expected, union answer *a)
{
	int status = ctl_connect(r);

	if (status == 0)
		status = ctl_ask(r, message, type, total);
	if (status == 0)
		status = ctl_receive(r, a);
	return status == 0 && a->h.type != expected ? ctl_bad_answer(r) : status;
}

static int keep(const struct request *r, struct answers *list, const union answer *a, size_t size)
{
	if (list->count == list->capacity) {
		size_t capacity = list->capacity ? 2 * list->capacity : 64;
		void *larger = reallocarray(list->messages, capacity, size);
		if (!larger)
			return ctl_failed(r, "the list");
		list->messages = larger;
		list->capacity = capacity;
	}
	memcpy((char *)list->messages + list->count++ * size, a, size);
	return 0;
}

int ctl_receive_list(
    const struct request *r, uint16_t item, uint16_t end, struct answers *list, union answer *last)
{
	int status = ctl_receive(r, last);

	while (status == 0 && last->h.type == item) {
		status = keep(r, list, last, answer_size(item));
		if (status == 0)
			status = ctl_receive(r, last);
	}
	return status == 0 && last->h.type != end ? ctl_bad_answer(r) : status;
}

/* ---- answers to the caller ---- */

static int print_json(const struct request *r, json_t *document, size_t flags)
{
	int result = -1;

	errno = ENOMEM;
	if (document)
		result = json_dumpf(document, stdout, flags | JSON_REAL_PRECISION(15));
	json_decref(document);
	if (result < 0)
		return ctl_failed(r, "cannot write");
	putchar('\n');
	return 0;
}

int ctl_print_json(const struct request *r, json_t *document)
{
	return print_json(r, document, JSON_INDENT(2));
}

int ctl_print_json_line(const struct request *r, json_t *document)
{
	int status = print_json(r, document, JSON_COMPACT);

	fflush(stdout); /* an error is found at the end */
	return status;
}

json_t *ctl_array_json(
    const struct answers *list, size_t size, json_t *(*json_of)(const void *message))
{
	json_t *array = json_array();

	for (size_t i = 0; array && i < list->count; i++)
		if (json_array_append_new(array, json_of((char *)list->messages + i * size)) < 0) {
			json_decref(array);
			array = NULL;
		}
	return array;
}
