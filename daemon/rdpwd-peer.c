/*
 * The FreeRDP peer: its settings, and what it calls. The security protocols are TLS and
 * NLA with NTLM; everything else is off, for reasons in shared/reference/freerdp-server.md
 * (RDSTLS, Kerberos and standard RDP security have known faults in shipped versions).
 */
#include "clock.h"
#include "log.h"
#include "ntstatus.h"
#include "rdpwd.h"
#include "tls.h"

#include <fcntl.h>
#include <freerdp/channels/channels.h>
#include <freerdp/crypto/certificate.h>
#include <freerdp/crypto/privatekey.h>
#include <freerdp/error.h>
#include <freerdp/session.h>
#include <freerdp/transport_io.h>
#include <netinet/in.h>
#include <openssl/tls1.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <winpr/ssl.h>
#include <winpr/stream.h>
#include <winpr/wlog.h>
#include <winpr/wtsapi.h>

/* REFRESH_PAUSE_US: between two pictures that the client asked for, as a large one costs much and asking little. */
enum { INPUT_PAUSE_US = 1000000, REFRESH_PAUSE_US = 250000 };

static pTransportRWFkt read_pdu; /* FreeRDP's own */

/*
 * rdesktop 1.9 sends two 16-bit numbers in its MCS Erect Domain Request where T.125's
 * encoding has length-prefixed integers, and FreeRDP refuses the byte left over. The
 * numbers mean nothing to anybody: they are put right.
 */
static int on_read_pdu(rdpTransport *transport, wStream *s)
{
	static const BYTE wrong[] = { 0x03, 0, 0, 0x0c, 0x02, 0xf0, 0x80, 0x04, 0, 1, 0, 1 };
	static const BYTE right[] = { 0x03, 0, 0, 0x0c, 0x02, 0xf0, 0x80, 0x04, 1, 0, 1, 0 };
	int status = read_pdu(transport, s);

	if (status == sizeof(wrong) && memcmp(Stream_Buffer(s), wrong, sizeof(wrong)) == 0)
		memcpy(Stream_Buffer(s), right, sizeof(right));
	return status;
}

/* csrss tells the user of a layout that is not known; clients that name none have Unicode events. */
static void choose_layout(struct rdpwd *w, uint32_t layout)
{
	w->unknown_layout = keymap_init(&w->keymap, layout) ? 0 : layout;
	if (w->unknown_layout)
		log_info("%s: keyboard layout 0x%08x is not known: it is taken for %s", w->address,
		    layout, keymap_layout(&w->keymap));
}

/* The client info is there: its credentials go to lsass while activation goes on. */
static BOOL on_post_connect(freerdp_peer *peer)
{
	struct rdpwd *w = rdpwd_of(peer->context);
	rdpSettings *s = peer->context->settings;
	uint16_t width = draw_bounded(freerdp_settings_get_uint32(s, FreeRDP_DesktopWidth));
	uint16_t height = draw_bounded(freerdp_settings_get_uint32(s, FreeRDP_DesktopHeight));
	uint32_t depth = freerdp_settings_get_uint32(s, FreeRDP_ColorDepth);

	if (!draw_has_depth(depth)) {
		log_info(
		    "%s: a client of %u bits a pixel is not served: 15, 16, 24 and 32 are: closed",
		    w->address, depth);
		return FALSE;
	}
	freerdp_settings_set_uint32(s, FreeRDP_DesktopWidth, width);
	freerdp_settings_set_uint32(s, FreeRDP_DesktopHeight, height);
	/* what is drawn is encoded already: a second time costs more than a picture of it, and
	   two megabytes of history */
	freerdp_settings_set_bool(s, FreeRDP_CompressionEnabled, FALSE);
	choose_layout(w, freerdp_settings_get_uint32(s, FreeRDP_KeyboardLayout));
	return peer_log_on(w, width, height) == 0;
}

static BOOL on_activate(freerdp_peer *peer)
{
	struct rdpwd *w = rdpwd_of(peer->context);
	rdpSettings *s = peer->context->settings;

	draw_finish(&w->draw); /* activated once more, after a resize */
	w->drawing = false;
	if (draw_init(&w->draw, w->glyphs,
	        (uint16_t)freerdp_settings_get_uint32(s, FreeRDP_DesktopWidth),
	        (uint16_t)freerdp_settings_get_uint32(s, FreeRDP_DesktopHeight),
	        (uint8_t)freerdp_settings_get_uint32(s, FreeRDP_ColorDepth),
	        freerdp_settings_get_bool(s, FreeRDP_DrawAllowSkipAlpha)) < 0)
		return FALSE;
	w->drawing = w->activated = true;
	w->frame_due = true;
	w->active = clock_us();
	return TRUE;
}

static BOOL on_refresh(rdpContext *context, BYTE count, const RECTANGLE_16 *areas)
{
	struct rdpwd *w = rdpwd_of(context);

	for (BYTE i = 0; w->drawing && i < count; i++)
		draw_ask(&w->draw, areas[i].left, areas[i].top, areas[i].right, areas[i].bottom);
	return TRUE;
}

static BOOL on_suppress(rdpContext *context, BYTE allow, const RECTANGLE_16 *area)
{
	struct rdpwd *w = rdpwd_of(context);

	(void)area;
	w->suppressed = !allow;
	if (allow && w->drawing)
		draw_ask_all(&w->draw);
	return TRUE;
}

static void send_keys(struct rdpwd *w, const struct key_out *keys, unsigned count)
{
	for (unsigned i = 0; i < count && w->display >= 0; i++) {
		struct msg_key m = { .code = keys[i].code, .modifiers = keys[i].modifiers };
		port_header(&m.h, DSP_KEY, sizeof(m), 0);
		port_send(w->display, &m.h, -1); /* csrss that does not read drops keys */
	}
}

static BOOL on_scancode(rdpInput *input, UINT16 flags, UINT8 code)
{
	struct rdpwd *w = rdpwd_of(input->context);
	enum keymap_prefix prefix = flags & KBD_FLAGS_EXTENDED    ? KEYMAP_E0
	                            : flags & KBD_FLAGS_EXTENDED1 ? KEYMAP_E1
	                                                          : KEYMAP_PLAIN;
	struct key_out keys[KEYMAP_KEYS];

	send_keys(
	    w, keys, keymap_scancode(&w->keymap, !(flags & KBD_FLAGS_RELEASE), prefix, code, keys));
	return TRUE;
}

static BOOL on_unicode(rdpInput *input, UINT16 flags, UINT16 code)
{
	struct rdpwd *w = rdpwd_of(input->context);
	struct key_out keys[KEYMAP_KEYS];

	send_keys(w, keys, keymap_unicode(&w->keymap, !(flags & KBD_FLAGS_RELEASE), code, keys));
	return TRUE;
}

static void on_input(struct rdpwd *w)
{
	uint64_t now = clock_us();
	struct msg_plain m;

	if (w->display < 0 || now - w->input_told < INPUT_PAUSE_US)
		return;
	w->input_told = now;
	port_header(&m.h, DSP_INPUT, sizeof(m), 0);
	port_send(w->display, &m.h, -1);
}

/* The desktop has no use for the mouse but that its user is there. */
static BOOL on_mouse(rdpInput *input, UINT16 flags, UINT16 x, UINT16 y)
{
	(void)flags;
	(void)x;
	(void)y;
	on_input(rdpwd_of(input->context));
	return TRUE;
}

static BOOL on_synchronize(rdpInput *input, UINT32 flags)
{
	keymap_sync(&rdpwd_of(input->context)->keymap, flags);
	return TRUE;
}

/* Whether FreeRDP can do with it what it does after each handshake. */
static bool has_public_key(const rdpCertificate *certificate)
{
	BYTE *public_key = NULL;
	DWORD size = 0;
	bool has =
	    certificate && freerdp_certificate_get_public_key(certificate, &public_key, &size);

	free(public_key);
	return has;
}

static int set_certificate(rdpSettings *s, const struct nursery_kit *kit)
{
	rdpCertificate *certificate = freerdp_certificate_new_from_pem(kit->certificate.pem);
	rdpPrivateKey *key = freerdp_key_new_from_pem(kit->certificate.key_pem);

	if (!key || !has_public_key(certificate) || tls_prepare(&kit->certificate) < 0) {
		log_error(
		    "FreeRDP cannot use the certificate or its key: a PEM file with an RSA or EC "
		    "key is needed");
		freerdp_certificate_free(certificate);
		freerdp_key_free(key);
		return -1;
	}
	has_public_key(certificate); /* tls.c keeps it, encoded, for every connection */
	/* OpenSSL keeps what it finds out about a certificate with it; nobody asks who issued it */
	freerdp_certificate_verify(certificate, NULL);
	return freerdp_settings_set_pointer_len(s, FreeRDP_RdpServerCertificate, certificate, 1) &&
	               freerdp_settings_set_pointer_len(s, FreeRDP_RdpServerRsaKey, key, 1)
	           ? 0
	           : -1;
}

/* What has forward secrecy and authenticated encryption, for TLS 1.2; TLS 1.3 has nothing else. */
static int set_tls(rdpSettings *s)
{
	return freerdp_settings_set_uint16(s, FreeRDP_TLSMinVersion, TLS1_2_VERSION) &&
	               freerdp_settings_set_string(
	                   s, FreeRDP_AllowedTlsCiphers, "ECDHE+AESGCM:ECDHE+CHACHA20")
	           ? 0
	           : -1;
}

static int set_security(rdpSettings *s, const struct nursery_kit *kit)
{
	return set_tls(s) == 0 && freerdp_settings_set_bool(s, FreeRDP_RdpSecurity, FALSE) &&
	               freerdp_settings_set_bool(s, FreeRDP_RdstlsSecurity, FALSE) &&
	               freerdp_settings_set_bool(s, FreeRDP_AadSecurity, FALSE) &&
	               freerdp_settings_set_bool(
	                   s, FreeRDP_TlsSecurity, !kit->config->UserAuthentication) &&
	               freerdp_settings_set_bool(
	                   s, FreeRDP_NlaSecurity, kit->config->SecurityLayer != 2) &&
	               freerdp_settings_set_string(
	                   s, FreeRDP_AuthenticationPackageList, "!kerberos")
	           ? 0
	           : -1;
}

static int set_features(rdpSettings *s)
{
	/* a client that was promised GFX may refuse bitmap updates */
	static const FreeRDP_Settings_Keys_Bool off[] = { FreeRDP_SupportGraphicsPipeline,
		FreeRDP_RemoteFxCodec, FreeRDP_NSCodec, FreeRDP_SurfaceCommandsEnabled,
		/* with it FreeRDP's clients exchange red and blue of planar bitmaps */
		FreeRDP_DrawAllowDynamicColorFidelity, FreeRDP_SupportMultitransport,
		FreeRDP_NetworkAutoDetect, FreeRDP_HasExtendedMouseEvent };
	static const FreeRDP_Settings_Keys_Bool on[] = { FreeRDP_UnicodeInput, FreeRDP_RefreshRect,
		FreeRDP_SuppressOutput, FreeRDP_SupportErrorInfoPdu, FreeRDP_FastPathOutput,
		FreeRDP_FastPathInput, FreeRDP_AutoReconnectionEnabled };

	for (size_t i = 0; i < sizeof(off) / sizeof(*off); i++)
		if (!freerdp_settings_set_bool(s, off[i], FALSE))
			return -1;
	for (size_t i = 0; i < sizeof(on) / sizeof(*on); i++)
		if (!freerdp_settings_set_bool(s, on[i], TRUE))
			return -1;
	return freerdp_settings_set_uint32(s, FreeRDP_ColorDepth, 32) ? 0 : -1;
}

static void set_callbacks(freerdp_peer *peer)
{
	rdpUpdate *update = peer->context->update;
	rdpInput *input = peer->context->input;

	peer_set_logon(peer);
	peer->PostConnect = on_post_connect;
	peer->Activate = on_activate;
	update->RefreshRect = on_refresh;
	update->SuppressOutput = on_suppress;
	input->KeyboardEvent = on_scancode;
	input->UnicodeKeyboardEvent = on_unicode;
	input->SynchronizeEvent = on_synchronize;
	input->MouseEvent = on_mouse;
	input->ExtendedMouseEvent = on_mouse;
}

static int set_transport(rdpContext *context)
{
	rdpTransportIo io = *freerdp_get_io_callbacks(context);

	read_pdu = io.ReadPdu;
	io.ReadPdu = on_read_pdu;
	return freerdp_set_io_callbacks(context, &io) ? 0 : -1;
}

int peer_renew(struct rdpwd *w, const struct nursery_kit *kit)
{
	return set_certificate(w->peer->context->settings, kit);
}

int peer_prepare(struct rdpwd *w, const struct nursery_kit *kit)
{
	freerdp_peer *peer;

	setenv("TZ", ":/etc/localtime", 0);
	WLog_SetLogLevel(WLog_GetRoot(), WLOG_OFF);
	winpr_InitializeSSL(WINPR_SSL_INIT_DEFAULT);
	WTSRegisterWtsApiFunctionTable(FreeRDP_InitWtsApi());
	w->socket = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	peer = w->socket < 0 ? NULL : freerdp_peer_new(w->socket);
	if (!peer)
		return -1;
	w->peer = peer;
	peer->ContextSize = sizeof(struct peer_context);
	if (!freerdp_peer_context_new(peer))
		return -1;
	((struct peer_context *)(void *)peer->context)->rdpwd = w;
	/* a client may send keys before it says which keyboard it has */
	keymap_init(&w->keymap, 0x409);
	set_callbacks(peer);
	if (peer_renew(w, kit) < 0 || set_security(peer->context->settings, kit) < 0 ||
	    set_features(peer->context->settings) < 0 || set_transport(peer->context) < 0)
		return -1;
	return peer->Initialize(peer) ? 0 : -1;
}

int peer_connect(struct rdpwd *w, int socket)
{
	struct sockaddr_storage address;
	socklen_t size = sizeof(address);

	if (dup2(socket, w->socket) < 0 || fcntl(w->socket, F_SETFL, O_NONBLOCK) < 0)
		return -1;
	close(socket);
	if (getpeername(w->socket, (struct sockaddr *)&address, &size) < 0)
		return -1;
	return freerdp_peer_set_local_and_hostname(w->peer, &address) ? 0 : -1;
}

int peer_give_cookie(struct rdpwd *w)
{
	logon_info_ex info = { .haveCookie = TRUE, .LogonId = w->session };
	rdpContext *context = w->peer->context;
	BOOL sent;

	if (!w->cookie_due || !w->activated)
		return 0;
	w->cookie_due = false;
	memcpy(info.ArcRandomBits, w->cookie, sizeof(info.ArcRandomBits));
	sent = context->update->SaveSessionInfo(context, INFO_TYPE_LOGON_EXTENDED_INF, &info);
	explicit_bzero(&info, sizeof(info));
	return sent ? 0 : -1;
}

void peer_refuse_logon(struct rdpwd *w)
{
	logon_info_ex info = { .haveErrorInfo = TRUE,
		.ErrorNotificationType = (UINT32)STATUS_LOGON_FAILURE,
		.ErrorNotificationData = LOGON_FAILED_BAD_PASSWORD };
	rdpContext *context = w->peer->context;

	context->update->SaveSessionInfo(context, INFO_TYPE_LOGON_EXTENDED_INF, &info);
}

static int report_painted(struct rdpwd *w)
{
	struct msg_painted m = {
		.session = w->session, .active = w->active, .painted = clock_us()
	};

	w->painted = true;
	port_header(&m.h, RW_PAINTED, sizeof(m), 0);
	port_send(w->termsrv, &m.h, -1); /* it may be being replaced: only a figure is lost */
	return 0;
}

static bool may_paint(const struct rdpwd *w)
{
	return w->drawing && w->display >= 0 && !w->suppressed && w->framed;
}

/* How long what the client asked for has to wait yet. */
static uint64_t refresh_wait(const struct rdpwd *w)
{
	uint64_t passed = clock_us() - w->refreshed;

	return passed < REFRESH_PAUSE_US ? REFRESH_PAUSE_US - passed : 0;
}

int peer_timeout(const struct rdpwd *w)
{
	if (!may_paint(w) || !draw_is_asked(&w->draw) || w->peer->IsWriteBlocked(w->peer))
		return -1;
	return (int)(refresh_wait(w) / 1000 + 1);
}

/* The next rectangle: of what has changed, then of what the client asked for again. */
static bool next_rectangle(struct rdpwd *w, BITMAP_DATA *rectangle)
{
	if (draw_next(&w->draw, rectangle))
		return true;
	if (!draw_is_asked(&w->draw) || refresh_wait(w) > 0)
		return false;
	w->refreshed = clock_us();
	draw_answer(&w->draw);
	return draw_next(&w->draw, rectangle);
}

int peer_paint(struct rdpwd *w)
{
	rdpUpdate *update = w->peer->context->update;
	BITMAP_DATA rectangle;

	if (!may_paint(w))
		return 0;
	while (!w->peer->IsWriteBlocked(w->peer) && next_rectangle(w, &rectangle)) {
		BITMAP_UPDATE bitmap = { .number = 1, .rectangles = &rectangle };
		if (!update->BitmapUpdate(w->peer->context, &bitmap))
			return -1;
	}
	if (!w->painted)
		report_painted(w);
	return 0;
}
