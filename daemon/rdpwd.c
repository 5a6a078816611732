/*
 * The worker's process: locked in, then a loop over its client, termsrv and csrss.
 */
#include "rdpwd.h"

#include "clock.h"
#include "log.h"
#include "sandbox-filter.h"
#include "sandbox.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>
#include <winpr/synch.h>

static struct rdpwd worker = { .socket = -1, .termsrv = -1, .display = -1, .session = NO_SESSION };
static struct sock_fprog filter;

enum { LINGER_US = 1000000 };

int rdpwd_prepare(struct nursery_kit *kit)
{
	worker.glyphs = kit->glyphs;
	if (sandbox_build_filter(SANDBOX_RDPWD, &filter) < 0) {
		log_error("cannot build the workers' system call filter");
		return -1;
	}
	return peer_prepare(&worker, kit);
}

int rdpwd_renew(const struct nursery_kit *kit)
{
	return peer_renew(&worker, kit);
}

/* Lets the client read what was sent: a socket that is closed over unread input sends a
   reset, which overtakes it. */
static void linger(int socket)
{
	struct pollfd p = { socket, POLLIN, 0 };
	uint64_t until = clock_us() + LINGER_US;
	char unread[4096];

	shutdown(socket, SHUT_WR);
	while (clock_us() < until && poll(&p, 1, LINGER_US / 1000) > 0)
		if (recv(socket, unread, sizeof(unread), 0) <= 0)
			return;
}

void rdpwd_end(struct rdpwd *w, uint32_t reason)
{
	freerdp_peer *peer = w->peer;

	/* before activation there is no share to tell it in */
	if (w->activated && reason != END_NONE) {
		/* at once: Close sends a Deactivate All first, after which FreeRDP's own client
		   takes no notice */
		freerdp_set_error_info(peer->context->rdp, reason);
		freerdp_send_error_info(peer->context->rdp);
		peer->Close(peer);
		for (int i = 0; i < 20 && peer->IsWriteBlocked(peer); i++) {
			struct pollfd p = { w->socket, POLLOUT, 0 };
			poll(&p, 1, 100);
			if (peer->DrainOutputBuffer(peer) < 0)
				break;
		}
		linger(w->socket);
	}
	/* the kernel frees faster than FreeRDP, and cannot get stuck */
	_exit(0);
}

int rdpwd_await(struct rdpwd *w, uint16_t type, void *message, size_t size)
{
	struct pollfd p = { w->termsrv, POLLIN, 0 };
	const PORT_MESSAGE *h = message;

	for (;;) {
		ssize_t got = port_receive(w->termsrv, message, size, NULL);
		if (got == (ssize_t)size && h->type == type)
			return 0;
		if (got >= 0 || errno != EAGAIN)
			return -1;
		if (poll(&p, 1, -1) < 0 && errno != EINTR)
			return -1;
	}
}

enum { PEER_EVENTS_MAX = 16, POLL_MAX = PEER_EVENTS_MAX + 3 };

/* Fills P with what FreeRDP waits for. Returns how many, 0 where the peer is gone. */
static unsigned peer_events(struct rdpwd *w, struct pollfd *p)
{
	HANDLE handles[PEER_EVENTS_MAX];
	DWORD count = w->peer->GetEventHandles(w->peer, handles, PEER_EVENTS_MAX);

	for (DWORD i = 0; i < count; i++)
		p[i] = (struct pollfd){ GetEventFileDescriptor(handles[i]), POLLIN, 0 };
	return count;
}

static int serve_peer(struct rdpwd *w, const struct pollfd *p, unsigned count)
{
	bool ready = false;

	for (unsigned i = 0; i < count; i++)
		ready = ready || p[i].revents;
	if (ready && !w->peer->CheckFileDescriptor(w->peer))
		return -1;
	if (w->peer->IsWriteBlocked(w->peer) && w->peer->DrainOutputBuffer(w->peer) < 0)
		return -1;
	return 0;
}

static void loop(struct rdpwd *w)
{
	for (;;) {
		struct pollfd p[POLL_MAX];
		unsigned count = peer_events(w, p);
		bool blocked = w->peer->IsWriteBlocked(w->peer);

		if (count == 0)
			return;
		p[count] = (struct pollfd){ w->termsrv, POLLIN, 0 };
		/* a blocked client stops csrss as well: its frames wait */
		p[count + 1] = (struct pollfd){ blocked ? -1 : w->display, POLLIN, 0 };
		p[count + 2] = (struct pollfd){ blocked ? w->socket : -1, POLLOUT, 0 };
		if (poll(p, count + 3, peer_timeout(w)) < 0 && errno != EINTR)
			return;
		if (serve_peer(w, p, count) < 0)
			return;
		if (p[count].revents)
			port_on_termsrv(w);
		if (p[count + 1].revents)
			port_on_display(w);
		if (w->ending && w->activated) {
			if (w->refused)
				peer_refuse_logon(w);
			rdpwd_end(w, w->reason);
		}
		if (peer_give_cookie(w) < 0 || peer_paint(w) < 0)
			return;
		port_ask_for_frame(w);
	}
}

static void on_alarm(int number)
{
	(void)number;
	_exit(1);
}

/* termsrv ends us at the deadline, and says so; this, later, is for the case that it is
   being replaced then.
   Process 1 of a namespace ignores a signal that it has no handler for. */
static void set_deadline(uint64_t deadline)
{
	uint64_t now = clock_us(), left = deadline > now ? deadline - now : 0;
	struct itimerval timer = { .it_value.tv_sec = (time_t)(left / 1000000 + 2) };

	signal(SIGALRM, on_alarm);
	setitimer(ITIMER_REAL, &timer, NULL);
}

/* Waits, warm, for a client. */
static void await_client(struct rdpwd *w)
{
	struct msg_plain warm;
	struct msg_rw_client m;
	struct pollfd p = { w->termsrv, POLLIN, 0 };
	int socket = -1;
	ssize_t got;

	port_header(&warm.h, RW_READY, sizeof(warm), 0);
	if (port_send(w->termsrv, &warm.h, -1) < 0)
		_exit(1);
	while (poll(&p, 1, -1) < 0 && errno == EINTR)
		;
	got = port_receive(w->termsrv, &m, sizeof(m), &socket);
	if (got == 0)
		_exit(0); /* termsrv is gone */
	if (got != sizeof(m) || m.h.type != RW_CLIENT || socket < 0)
		_exit(1);
	set_deadline(m.deadline);
	memcpy(w->address, m.address, sizeof(w->address));
	if (peer_connect(w, socket) < 0)
		_exit(1);
}

static void lock_in(void)
{
	/* there are no core dumps: termsrv, its parent, is not dumpable */
	struct rlimit files = { 64, 64 }, none = { 0, 0 };

	if (setrlimit(RLIMIT_NOFILE, &files) < 0 || setrlimit(RLIMIT_NPROC, &none) < 0 ||
	    sandbox_drop_privileges() < 0 || bpf_load(&filter) < 0) {
		log_error("cannot lock a worker in: %s", strerror(errno));
		_exit(1);
	}
}

void rdpwd_main(int port, const struct nursery_kit *kit)
{
	prctl(PR_SET_NAME, "rdpwd");
	prctl(PR_SET_PDEATHSIG, 0);
	memset(kit->title, 0, kit->title_size);
	memcpy(kit->title, "rdpwd", kit->title_size < 5 ? kit->title_size : 5);
	worker.termsrv = port;
	log_through(&worker.termsrv);
	if (nursery_own_events() < 0) {
		log_error("cannot give a worker its events: %s", strerror(errno));
		_exit(1);
	}
	lock_in();
	await_client(&worker);
	loop(&worker);
	_exit(0);
}
