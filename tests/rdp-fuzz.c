/* Which packets are changed; how is mutate.c's. */
#include "rdp-fuzz.h"

#include <poll.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <unistd.h>

/* The first packet that is changed is one of so many, and of later ones one in so many; a stream, of
   which one in so many connections has one, is changed in one of so many parts of it. */
enum { FIRST = 40, LATER = 4, STREAM = 8, PART = 3, ROOM = 4096 };

void rdp_fuzz_begin(struct rdp_fuzz *f, uint64_t number)
{
	f->mutate.state = number;
	f->first_changed = 1 + mutate_below(&f->mutate, FIRST);
}

void rdp_fuzz_packet(struct rdp_fuzz *f, unsigned number, wStream *s)
{
	size_t size = Stream_GetPosition(s);

	if (number < f->first_changed || size == 0 ||
	    (number > f->first_changed && mutate_below(&f->mutate, LATER)) ||
	    !Stream_EnsureCapacity(s, size + ROOM))
		return;
	size = mutate_packet(&f->mutate, Stream_Buffer(s), size, Stream_Capacity(s));
	Stream_SetPosition(s, size);
}

/* One part from FROM to TO. False at the end. */
static bool pass(struct mutate *change, int from, int to)
{
	uint8_t part[8192 + ROOM];
	ssize_t got = recv(from, part, sizeof(part) - ROOM, 0);
	size_t size = got > 0 ? (size_t)got : 0;

	if (size && change && mutate_below(change, PART) == 0)
		size = mutate_packet(change, part, size, sizeof(part));
	return size && send(to, part, size, MSG_NOSIGNAL) == (ssize_t)size;
}

static void relay(struct rdp_fuzz *f, int client, int server)
{
	struct pollfd p[2] = { { client, POLLIN, 0 }, { server, POLLIN, 0 } };

	pass(NULL, client, server); /* the X.224 request */
	while (poll(p, 2, -1) > 0)
		if ((p[0].revents && !pass(&f->mutate, client, server)) ||
		    (p[1].revents && !pass(NULL, server, client)))
			break;
	_exit(0);
}

int rdp_fuzz_way(struct rdp_fuzz *f, int socket)
{
	int pair[2];
	pid_t pid;

	if (mutate_below(&f->mutate, STREAM))
		return socket;
	f->first_changed = UINT32_MAX;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return -1;
	pid = fork();
	if (pid == 0) {
		close(pair[0]);
		relay(f, pair[1], socket);
	}
	close(pair[1]);
	close(socket);
	return pair[0];
}

void rdp_fuzz_use(rdpContext *context)
{
	static const RECTANGLE_16 area = { 0, 0, 64, 64 };
	rdpInput *input = context->input;

	freerdp_input_send_synchronize_event(input, 0);
	freerdp_input_send_keyboard_event(input, 0, 0x1e);
	freerdp_input_send_keyboard_event(input, KBD_FLAGS_RELEASE, 0x1e);
	freerdp_input_send_unicode_keyboard_event(input, 0, 0xe4);
	freerdp_input_send_mouse_event(input, PTR_FLAGS_MOVE, 5, 5);
	freerdp_input_send_extended_mouse_event(input, PTR_XFLAGS_DOWN, 5, 5);
	context->update->RefreshRect(context, 1, &area);
	context->update->SuppressOutput(context, 0, NULL);
	context->update->SuppressOutput(context, 1, &area);
}
