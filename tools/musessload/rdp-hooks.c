/* Hooks in FreeRDP's transport, and its callbacks. */
#include "rdp-hooks.h"

#include "clock.h"

#include <errno.h>
#include <fcntl.h>
#include <freerdp/primary.h>
#include <freerdp/session.h>
#include <freerdp/transport_io.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

enum { LOOK_MS = 100 }; /* how often a TCP connection that is being made looks whether it is cut */

static rdpTransportIo original;
static const struct options *options;

static struct rdp *rdp_of(rdpContext *context)
{
	return ((struct client *)context)->rdp;
}

static struct rdp *rdp_of_transport(rdpTransport *transport)
{
	return rdp_of(transport_get_context(transport));
}

/* The first time counts: a server that redirects has some phases twice. */
static void mark(uint64_t *time)
{
	if (*time == 0)
		*time = clock_us();
}

/* ---- the TCP connection ---- */

/* Waits until FD is connected, until END. Returns 0, or -1 with errno. */
static int await_connection(struct rdp *rdp, int fd, uint64_t end)
{
	struct pollfd p = { fd, POLLOUT, 0 };
	int error = 0;
	socklen_t size = sizeof(error);

	for (;;) {
		int ready = poll(&p, 1, LOOK_MS);

		if (atomic_load(&rdp->cut) != LOAD_OK) {
			errno = ECANCELED;
			return -1;
		}
		if (ready > 0)
			break;
		if (clock_us() >= end) {
			errno = ETIMEDOUT;
			return -1;
		}
	}
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
		return -1;
	errno = error;
	return error ? -1 : 0;
}

/* Connects FD to TO, until END. Returns 0, or -1 with errno. */
static int connect_from(struct rdp *rdp, int fd, const struct address *to, uint64_t end)
{
	const int on = 1;

	if (rdp->from) {
		/* a port only when the other end is known, or they run out */
		setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
		if (bind(fd, (const struct sockaddr *)&rdp->from->address.address,
		        rdp->from->address.length) < 0)
			return -1;
	}
	if (connect(fd, (const struct sockaddr *)&to->address, to->length) < 0 &&
	    (errno != EINPROGRESS || await_connection(rdp, fd, end) < 0))
		return -1;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	return fcntl(fd, F_SETFL, 0);
}

/* The event loop and the deadline have a duplicate: its number stays ours until the end. */
static int keep_socket(struct rdp *rdp, int fd)
{
	int old = atomic_load(&rdp->socket);
	int kept = old >= 0 ? dup3(fd, old, O_CLOEXEC) : fcntl(fd, F_DUPFD_CLOEXEC, 0);

	if (kept < 0)
		return -1;
	atomic_store(&rdp->socket, kept);
	if (atomic_load(&rdp->cut) == LOAD_OK)
		return 0;
	errno = ECANCELED;
	return -1;
}

/* Returns a socket that is connected to TO by END, or -1 with errno. */
static int connect_to(struct rdp *rdp, const struct address *to, uint64_t end)
{
	int fd = socket(to->address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int error;

	if (fd >= 0 && connect_from(rdp, fd, to, end) == 0 && keep_socket(rdp, fd) == 0)
		return fd;
	error = errno;
	if (fd >= 0)
		close(fd);
	errno = error;
	return -1;
}

/* Tries the host's addresses in their order, from the one on that the worker's last connection was made to. Each but
   the last has its part of the deadline. */
static int first_connection(struct rdp *rdp)
{
	static atomic_uint good;
	unsigned first = atomic_load(&good);
	int fd = -1, error = 0;

	mark(&rdp->marks.tcp_begin);
	for (unsigned i = 0; i < options->addresses && fd < 0; i++) {
		unsigned which = (first + i) % options->addresses;
		bool last = i + 1 == options->addresses;

		if (i && atomic_load(&rdp->cut) != LOAD_OK)
			break;
		fd = connect_to(rdp, &options->address[which],
		    last ? UINT64_MAX : clock_us() + options->deadline / options->addresses);
		if (fd >= 0)
			atomic_store(&good, which);
		else if (error == 0 || error == ECONNREFUSED)
			error = errno; /* that nobody listens at another address says less */
	}
	if (fd < 0)
		rdp->tcp_error = error;
	else
		mark(&rdp->marks.tcp_end);
	return fd;
}

static int on_connect(
    rdpContext *context, rdpSettings *settings, const char *host, int port, DWORD timeout)
{
	struct rdp *rdp = rdp_of(context);
	int fd;

	if (rdp->attempts++ == 0)
		return first_connection(rdp);
	/* FreeRDP tries again what has failed: that would be another session's time */
	if (freerdp_settings_get_uint32(settings, FreeRDP_RedirectionFlags) == 0)
		return -1;
	fd = original.TCPConnect(context, settings, host, port, timeout);
	if (fd >= 0 && keep_socket(rdp, fd) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

/* ---- X.224, TLS, and what is written and read ---- */

static int on_write_pdu(rdpTransport *transport, wStream *s)
{
	struct rdp *rdp = rdp_of_transport(transport);
	int written;

	mark(&rdp->marks.x224_begin);
	written = original.WritePdu(transport, s);
	if (written < 0)
		rdp->lost = true;
	return written;
}

/* What an X.224 Connection Confirm says: with an RDP_NEG_RSP or an RDP_NEG_FAILURE in it, or, of an old
   server, with neither. */
static void note_confirm(struct rdp *rdp, const BYTE *pdu, size_t length)
{
	enum { TPKT = 3, CONFIRM = 0xd0, RESPONSE = 2, FAILURE = 3 };
	uint32_t value;

	if (length < 11 || pdu[0] != TPKT || pdu[5] != CONFIRM)
		return;
	rdp->confirmed = true;
	rdp->chosen = rdp->failure_code = 0;
	if (length < 19)
		return;
	value = (uint32_t)pdu[15] | (uint32_t)pdu[16] << 8 | (uint32_t)pdu[17] << 16 |
	        (uint32_t)pdu[18] << 24;
	if (pdu[11] == RESPONSE)
		rdp->chosen = value;
	else if (pdu[11] == FAILURE)
		rdp->failure_code = value;
}

static SSIZE_T on_read_bytes(rdpTransport *transport, BYTE *data, size_t bytes)
{
	SSIZE_T got = original.ReadBytes(transport, data, bytes);

	if (got < 0)
		rdp_of_transport(transport)->lost = true;
	return got;
}

/* Reads until S has LENGTH bytes. Returns 1, or 0 where they are not all there yet, or -1. */
static int read_until(rdpTransport *transport, wStream *s, size_t length)
{
	size_t have = Stream_GetPosition(s);
	SSIZE_T got;

	if (have >= length)
		return 1;
	if (!Stream_EnsureCapacity(s, length))
		return -1;
	got = on_read_bytes(transport, Stream_Pointer(s), length - have);
	if (got < 0)
		return -1;
	Stream_Seek(s, (size_t)got);
	return have + (size_t)got == length;
}

/* As FreeRDP's own, which reads a PDU's header byte by byte, and looks at events for each: no PDU
   has fewer than four bytes. */
static int read_pdu(rdpTransport *transport, wStream *s)
{
	BOOL incomplete = FALSE;
	SSIZE_T length = 0;
	int status = read_until(transport, s, 4);

	while (status == 1 && length == 0) {
		length = transport_parse_pdu(transport, s, &incomplete);
		if (length == 0 && incomplete)
			status = read_until(transport, s, Stream_GetPosition(s) + 1);
		else if (length <= 0 || (size_t)length < Stream_GetPosition(s))
			status = -1;
	}
	if (status == 1)
		status = read_until(transport, s, (size_t)length);
	if (status != 1)
		return status;
	Stream_SealLength(s);
	Stream_SetPosition(s, 0);
	return (int)length;
}

static int on_read_pdu(rdpTransport *transport, wStream *s)
{
	struct rdp *rdp = rdp_of_transport(transport);
	int length = read_pdu(transport, s);

	rdp->drained = length <= 0;
	if (length > 0 && rdp->marks.tls_begin == 0) {
		rdp->before_tls += (uint64_t)length;
		note_confirm(rdp, Stream_Buffer(s), (size_t)length);
	}
	return length;
}

static BOOL on_tls_connect(rdpTransport *transport)
{
	struct rdp *rdp = rdp_of_transport(transport);
	BOOL good;

	mark(&rdp->marks.x224_end);
	mark(&rdp->marks.tls_begin);
	good = original.TLSConnect(transport);
	if (good)
		mark(&rdp->marks.tls_end);
	return good;
}

/* FreeRDP's states: the first of them after CredSSP, and the first after the client info. */
static void on_state(void *context, const ConnectionStateChangeEventArgs *e)
{
	struct rdp *rdp = rdp_of(context);

	if (e->state == CONNECTION_STATE_MCS_CREATE_REQUEST)
		mark(&rdp->marks.mcs_begin);
	else if (e->state == CONNECTION_STATE_CONNECT_TIME_AUTO_DETECT_REQUEST ||
	         e->state == CONNECTION_STATE_LICENSING)
		mark(&rdp->marks.mcs_end);
}

/* ---- the certificate ---- */

static bool matches(X509 *certificate, const char *host)
{
	return X509_check_ip_asc(certificate, host, 0) == 1 ||
	       X509_check_host(certificate, host, 0, 0, NULL) == 1;
}

/* All connections see the same certificate, as a rule: it is read once. */
static struct {
	pthread_mutex_t lock;
	BYTE pem[16384];
	size_t length;
	bool differs;
	char name[64];
} last_seen = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void read_certificate(const BYTE *pem, size_t length, const char *host)
{
	BIO *bio = BIO_new_mem_buf(pem, (int)length);
	X509 *certificate = bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;

	last_seen.length = 0;
	last_seen.differs = !certificate || !matches(certificate, host);
	snprintf(last_seen.name, sizeof(last_seen.name), "nobody");
	if (certificate)
		X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName,
		    last_seen.name, sizeof(last_seen.name));
	if (length <= sizeof(last_seen.pem)) {
		memcpy(last_seen.pem, pem, length);
		last_seen.length = length;
	}
	X509_free(certificate);
	BIO_free(bio);
}

/* Every certificate is good enough: it is the server's speed that is asked about. */
static int on_certificate(
    freerdp *instance, const BYTE *data, size_t length, const char *host, UINT16 port, DWORD flags)
{
	struct rdp *rdp = rdp_of(instance->context);

	(void)port;
	(void)flags;
	pthread_mutex_lock(&last_seen.lock);
	if (length == 0 || length != last_seen.length || memcmp(data, last_seen.pem, length) != 0)
		read_certificate(data, length, host);
	rdp->name_differs = last_seen.differs;
	memcpy(rdp->certificate, last_seen.name, sizeof(rdp->certificate));
	pthread_mutex_unlock(&last_seen.lock);
	return 1;
}

/* ---- the logon ---- */

/* Whether the server gives up the logon, or only says how it goes on: [MS-RDPBCGR] 2.2.10.1.1.4.1.1,
   whose type is an NTSTATUS or one of these. */
static bool is_refusal(uint32_t type, uint32_t data)
{
	switch (type) {
	case LOGON_MSG_SESSION_CONTINUE:
	case LOGON_MSG_BUMP_OPTIONS:
	case LOGON_MSG_RECONNECT_OPTIONS:
		return false;
	default:
		return (int32_t)type < 0 && data != LOGON_WARNING;
	}
}

static BOOL on_session_info(rdpContext *context, UINT32 type, void *data)
{
	const logon_info_ex *more = type == INFO_TYPE_LOGON_EXTENDED_INF ? data : NULL;
	struct rdp *rdp = rdp_of(context);
	char what[48], why[48];

	/* only who is logged on has a cookie to come back with */
	if (!more || more->haveCookie)
		mark(&rdp->marks.logon);
	if (more && more->haveErrorInfo &&
	    is_refusal(more->ErrorNotificationType, more->ErrorNotificationData))
		snprintf(rdp->refused, sizeof(rdp->refused), "%.44s %.44s",
		    freerdp_get_logon_error_info_data_ex(
		        more->ErrorNotificationData, why, sizeof(why)),
		    freerdp_get_logon_error_info_type_ex(
		        more->ErrorNotificationType, what, sizeof(what)));
	return TRUE;
}

/* ---- pictures ---- */

static void note_picture(rdpContext *context)
{
	struct rdp *rdp = rdp_of(context);

	rdp->last_update = clock_us();
	rdp->updates++;
	if (rdp->marks.picture == 0)
		rdp->marks.picture = rdp->last_update;
}

static BOOL on_bitmap(rdpContext *context, const BITMAP_UPDATE *update)
{
	struct rdp *rdp = rdp_of(context);

	note_picture(context);
	if (rdp->screen)
		screen_update(rdp->screen, update);
	return TRUE;
}

/* Whatever else paints: it was not asked for, and some servers send it all the same. */
#define PAINTS(name, type)                                                                         \
	static BOOL on_##name(rdpContext *context, type update)                                    \
	{                                                                                          \
		(void)update;                                                                      \
		note_picture(context);                                                             \
		return TRUE;                                                                       \
	}
PAINTS(surface, const SURFACE_BITS_COMMAND *)
PAINTS(opaque_rect, const OPAQUE_RECT_ORDER *)
PAINTS(multi_opaque_rect, const MULTI_OPAQUE_RECT_ORDER *)
PAINTS(screen_block, const SCRBLT_ORDER *)
PAINTS(memory_block, MEMBLT_ORDER *)
PAINTS(pattern_block, PATBLT_ORDER *)

static BOOL on_pre_connect(freerdp *instance)
{
	void *orders = freerdp_settings_get_pointer_writable(
	    instance->context->settings, FreeRDP_OrderSupport);

	/* FreeRDP says just before that it can draw all of them */
	memset(orders, 0, 32);
	return TRUE;
}

static BOOL on_post_connect(freerdp *instance)
{
	rdpUpdate *update = instance->context->update;

	mark(&rdp_of(instance->context)->marks.activated);
	update->BitmapUpdate = on_bitmap;
	update->SurfaceBits = on_surface;
	update->primary->OpaqueRect = on_opaque_rect;
	update->primary->MultiOpaqueRect = on_multi_opaque_rect;
	update->primary->ScrBlt = on_screen_block;
	update->primary->MemBlt = on_memory_block;
	update->primary->PatBlt = on_pattern_block;
	return TRUE;
}

/* ---- putting them in ---- */

void hooks_warm_up(rdpContext *context, const struct options *o)
{
	original = *freerdp_get_io_callbacks(context);
	options = o;
}

bool hooks_install(struct rdp *rdp)
{
	wEventType events[] = { DEFINE_EVENT_ENTRY(ConnectionStateChange) };
	freerdp *instance = rdp->instance;
	rdpTransportIo io = *freerdp_get_io_callbacks(instance->context);

	((struct client *)instance->context)->rdp = rdp;
	io.TCPConnect = on_connect;
	io.TLSConnect = on_tls_connect;
	io.WritePdu = on_write_pdu;
	io.ReadPdu = on_read_pdu;
	io.ReadBytes = on_read_bytes;
	instance->PreConnect = on_pre_connect;
	instance->PostConnect = on_post_connect;
	instance->VerifyX509Certificate = on_certificate;
	instance->context->update->SaveSessionInfo = on_session_info;
	/* a client has no such event but where somebody adds it */
	PubSub_AddEventTypes(instance->context->pubSub, events, 1);
	return freerdp_set_io_callbacks(instance->context, &io) &&
	       PubSub_SubscribeConnectionStateChange(instance->context->pubSub, on_state) >= 0;
}
