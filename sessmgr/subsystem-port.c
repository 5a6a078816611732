/* The handshake of a subsystem with smss, and smss's callbacks. */
#include "subsystem-port.h"

#include "log.h"
#include "ntstatus.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define SM_PORT "/opt/musess/port/SmApiPort"

static int socket_at(const char *path, int flags, struct sockaddr_un *address)
{
	*address = (struct sockaddr_un){ .sun_family = AF_UNIX };
	snprintf(address->sun_path, sizeof(address->sun_path), "%s", path);
	return socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | flags, 0);
}

int subsystem_listen(const char *path)
{
	struct sockaddr_un address;
	int fd = socket_at(path, SOCK_NONBLOCK, &address);

	unlink(path);
	/* for everybody: smss has another id, and may lack what passes by modes; as many as can
	   wait, for smss does not, and who else comes must not be in its way */
	if (fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0 &&
	    chmod(path, 0666) == 0 && listen(fd, SOMAXCONN) == 0)
		return fd;
	fd_close(&fd);
	return -1;
}

/* smss answers; with its log where a sanitizer is built in (log_leave). */
static int shake_hands(struct subsystem *s, uint32_t type)
{
	struct msg_csr_connect m = { .subsystem_type = type };
	struct sockaddr_un address;
	int log = -1;

	snprintf(m.sb_port, sizeof(m.sb_port), "%s", s->sb_port);
	s->smss = socket_at(SM_PORT, 0, &address);
	port_header(&m.h, CSR_CONNECT, sizeof(m), 1);
	if (s->smss < 0 || connect(s->smss, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    port_send(s->smss, &m.h, -1) < 0 || port_receive(s->smss, &m, sizeof(m), &log) <= 0) {
		log_error("cannot connect to " SM_PORT ": %s", strerror(errno));
		return -1;
	}
	if (log >= 0)
		dup2(log, STDERR_FILENO);
	fd_close(&log);
	if (m.status != STATUS_SUCCESS) {
		log_error("smss refused this subsystem: %s", ntstatus_name(m.status));
		return -1;
	}
	log_through(&s->smss);
	s->session = m.session;
	s->generation = m.generation;
	s->keep = m.keep;
	return 0;
}

int subsystem_connect(struct subsystem *s, uint32_t type, const char *sb_port)
{
	s->sb_port = sb_port;
	s->listener = subsystem_listen(sb_port);
	if (s->listener < 0) {
		log_error("cannot listen at %s: %s", sb_port, strerror(errno));
		return -1;
	}
	return shake_hands(s, type);
}

int subsystem_callback_port(const struct subsystem *s)
{
	return s->listener >= 0 ? s->listener : s->callbacks;
}

/* smss is outside of the session's process id namespace, where nobody has an id here. */
static bool is_smss(int port)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);

	return getsockopt(port, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && peer.pid == 0;
}

/* smss connects: the only one that may. A program of the user can try to be first. */
static void take_connection(struct subsystem *s)
{
	int port = accept4(s->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (port < 0)
		return;
	if (!is_smss(port)) {
		close(port);
		return;
	}
	s->callbacks = port;
	fd_close(&s->listener);
	unlink(s->sb_port);
}

void subsystem_callback(struct subsystem *s, subsystem_handler *handler, void *data)
{
	SBAPIMSG m;
	int passed = -1;
	ssize_t got;

	if (s->listener >= 0) {
		take_connection(s);
		return;
	}
	got = port_receive(s->callbacks, &m, sizeof(m), &passed);
	if (got < 0 && errno == EAGAIN)
		return;
	if (got != sizeof(m) || m.h.type != LPC_REQUEST) {
		if (got != 0)
			log_warn("a callback that is none: its port is closed");
		fd_close(&passed);
		fd_close(&s->callbacks);
		return;
	}
	m.ReturnedStatus = handler(data, &m, &passed);
	fd_close(&passed);
	m.h.type = LPC_REPLY;
	if (port_send(s->callbacks, &m.h, -1) < 0)
		fd_close(&s->callbacks);
}

void subsystem_lose(struct subsystem *s)
{
	fd_close(&s->smss);
	fd_close(&s->callbacks);
}

int subsystem_ask_adoption(struct subsystem *s, uint32_t connection, uint64_t shell)
{
	struct msg_csr_adopt m = {
		.generation = s->generation, .connection = connection, .shell = shell
	};
	struct sockaddr_un address;

	s->smss = socket_at(SM_PORT, 0, &address);
	port_header(&m.h, CSR_ADOPT, sizeof(m), 1);
	if (s->smss >= 0 && connect(s->smss, (struct sockaddr *)&address, sizeof(address)) == 0 &&
	    port_send(s->smss, &m.h, -1) == 0)
		return 0;
	fd_close(&s->smss);
	return -1;
}

void subsystem_close(struct subsystem *s)
{
	fd_close(&s->smss);
	fd_close(&s->callbacks);
	if (s->listener >= 0)
		unlink(s->sb_port);
	fd_close(&s->listener);
}
