/*
 * A connection and its hooks. FreeRDP calls them with its context, which begins a struct client:
 * that has the way back to ours.
 */
#include "rdp.h"

#include "clock.h"
#include "keys.h"
#include "rdp-hooks.h"
#include "rdp-log.h"
#include "zeroing.h"

#include <freerdp/input.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <winpr/ssl.h>
#include <winpr/synch.h>

enum { WIDTH = 1024, HEIGHT = 768 };

/* Cloned for each connection: making settings costs more than all that is set here. */
static rdpSettings *template;

/* ---- settings ---- */

static const size_t switched_off[] = {
	FreeRDP_RdpSecurity,
	FreeRDP_SupportGraphicsPipeline,
	FreeRDP_NetworkAutoDetect,

	FreeRDP_SupportMultitransport,
	FreeRDP_AudioPlayback,
	FreeRDP_AudioCapture,
	FreeRDP_DeviceRedirection,
	FreeRDP_RedirectClipboard,
	FreeRDP_CompressionEnabled,
	FreeRDP_BitmapCacheEnabled,
	FreeRDP_RemoteFxCodec,
	FreeRDP_NSCodec,
	FreeRDP_SurfaceCommandsEnabled,
	FreeRDP_SurfaceFrameMarkerEnabled,
	FreeRDP_SupportDynamicChannels,
	FreeRDP_AllowFontSmoothing,
};

static const size_t switched_on[] = {
	FreeRDP_SupportHeartbeatPdu, /* FreeRDP's shadow server fails without its channel */
	FreeRDP_AutoLogonEnabled,
	FreeRDP_DeactivateClientDecoding,
	FreeRDP_ExternalCertificateManagement,
	FreeRDP_AutoReconnectionEnabled,
	FreeRDP_DisableWallpaper,
	FreeRDP_DisableFullWindowDrag,
	FreeRDP_DisableMenuAnims,
	FreeRDP_DisableThemes,
};

static bool set_template(rdpSettings *s, const struct options *o)
{
	bool nla = o->security == SECURITY_NLA;

	for (size_t i = 0; i < sizeof(switched_off) / sizeof(*switched_off); i++)
		if (!freerdp_settings_set_bool(s, switched_off[i], FALSE))
			return false;
	for (size_t i = 0; i < sizeof(switched_on) / sizeof(*switched_on); i++)
		if (!freerdp_settings_set_bool(s, switched_on[i], TRUE))
			return false;
	return freerdp_settings_set_string(s, FreeRDP_ServerHostname, o->host) &&
	       freerdp_settings_set_uint32(s, FreeRDP_ServerPort, o->port) &&
	       /* FreeRDP's own limit, for activation too, is 15 s: the deadline is ours */
	       freerdp_settings_set_uint32(
	           s, FreeRDP_TcpConnectTimeout, (UINT32)(o->deadline / 1000)) &&
	       freerdp_settings_set_bool(s, FreeRDP_NlaSecurity, nla) &&
	       freerdp_settings_set_bool(s, FreeRDP_TlsSecurity, !nla) &&
	       freerdp_settings_set_uint32(s, FreeRDP_DesktopWidth, WIDTH) &&
	       freerdp_settings_set_uint32(s, FreeRDP_DesktopHeight, HEIGHT) &&
	       freerdp_settings_set_uint32(s, FreeRDP_ColorDepth, 32) &&
	       freerdp_settings_set_uint32(s, FreeRDP_KeyboardLayout, 0x409) &&
	       /* the deadline is outside: FreeRDP's own must not come before it */
	       freerdp_settings_set_uint32(
	           s, FreeRDP_TcpAckTimeout, (UINT32)(o->deadline / 1000) + 60000);
}

/* ---- making one ---- */

static freerdp *new_instance(rdpSettings *settings)
{
	freerdp *instance = freerdp_new();
	BOOL made;

	if (!instance) {
		freerdp_settings_free(settings);
		return NULL;
	}
	instance->ContextSize = sizeof(struct client);
	zeroing_leave_out();
	made =
	    settings ? freerdp_context_new_ex(instance, settings) : freerdp_context_new(instance);
	zeroing_as_usual();
	if (made)
		return instance;
	freerdp_free(instance);
	return NULL;
}

static void free_instance(freerdp *instance)
{
	if (!instance)
		return;
	freerdp_context_free(instance);
	freerdp_free(instance);
}

int rdp_warm_up(const struct options *options)
{
	freerdp *instance;

	setenv("TZ", ":/etc/localtime", 0); /* else each connection looks for it a thousand times */
	if (rdp_log_begin() < 0)
		return -1;
	winpr_InitializeSSL(WINPR_SSL_INIT_DEFAULT);
	freerdp_settings_free(template);
	template = NULL;
	instance = new_instance(NULL);
	if (instance && set_template(instance->context->settings, options))
		template = freerdp_settings_clone(instance->context->settings);
	if (instance)
		hooks_warm_up(instance->context, options);
	free_instance(instance);
	free_instance(template ? new_instance(freerdp_settings_clone(template)) : NULL);
	return template ? 0 : -1;
}

struct rdp *rdp_create(void)
{
	struct rdp *rdp = calloc(1, sizeof(*rdp));
	rdpSettings *settings = rdp ? freerdp_settings_clone(template) : NULL;

	if (rdp)
		rdp->socket = -1; /* before anything fails: 0 is somebody else's */
	if (settings)
		rdp->instance = new_instance(settings);
	if (!rdp || !rdp->instance || !hooks_install(rdp)) {
		rdp_destroy(rdp);
		return NULL;
	}
	rdp->marks.nla = freerdp_settings_get_bool(settings, FreeRDP_NlaSecurity);
	return rdp;
}

int rdp_name(struct rdp *rdp, const char *user, const char *password, const struct source *from,
    const struct rdp_cookie *cookie)
{
	rdpSettings *s = rdp->instance->context->settings;
	const char *backslash = strchr(user, '\\');
	size_t domain = backslash ? (size_t)(backslash - user) : 0;

	rdp->from = from;
	return freerdp_settings_set_string_len(s, FreeRDP_Domain, user, domain) &&
	               freerdp_settings_set_string(
	                   s, FreeRDP_Username, backslash ? backslash + 1 : user) &&
	               freerdp_settings_set_string(s, FreeRDP_Password, password) &&
	               (!cookie->given ||
	                   freerdp_settings_set_pointer_len(
	                       s, FreeRDP_ServerAutoReconnectCookie, &cookie->packet, 1))
	           ? 0
	           : -1;
}

void rdp_destroy(struct rdp *rdp)
{
	if (!rdp)
		return;
	free_instance(rdp->instance);
	if (rdp->socket >= 0)
		close(rdp->socket);
	screen_destroy(rdp->screen);
	free(rdp);
}

/* ---- using it ---- */

int rdp_connect(struct rdp *rdp)
{
	BOOL good;

	zeroing_leave_out(); /* FreeRDP cleans up by itself where it fails */
	rdp_log_keep(rdp->said, sizeof(rdp->said));
	good = freerdp_connect(rdp->instance);
	rdp_log_keep(NULL, 0);
	zeroing_as_usual();
	return good ? 0 : -1;
}

void rdp_cut(struct rdp *rdp, enum load_error why)
{
	int none = LOAD_OK, socket;

	atomic_compare_exchange_strong(&rdp->cut, &none, (int)why);
	socket = atomic_load(&rdp->socket);
	if (socket >= 0)
		shutdown(socket, SHUT_RDWR);
}

int rdp_serve(struct rdp *rdp)
{
	BOOL good;

	rdp_log_keep(rdp->said, sizeof(rdp->said));
	/* there are no channels, whose events freerdp_check_event_handles would look at too */
	do
		good = freerdp_check_fds(rdp->instance);
	while (good && !rdp->drained);
	rdp_log_keep(NULL, 0);
	return good && !freerdp_shall_disconnect_context(rdp->instance->context) ? 0 : -1;
}

void rdp_press(struct rdp *rdp, uint16_t key, bool down)
{
	UINT16 flags = down ? KBD_FLAGS_DOWN : KBD_FLAGS_RELEASE;

	if (key & KEYS_EXTENDED)
		flags |= KBD_FLAGS_EXTENDED;
	freerdp_input_send_keyboard_event(rdp->instance->context->input, flags, (UINT8)key);
}

void rdp_end(struct rdp *rdp, enum load_end how)
{
	if (how == END_DROP)
		shutdown(rdp->socket, SHUT_RDWR);
	else
		freerdp_abort_connect_context(rdp->instance->context);
	zeroing_leave_out();
	freerdp_disconnect(rdp->instance);
	zeroing_as_usual();
}

struct rdp_cookie rdp_cookie(const struct rdp *rdp)
{
	const ARC_SC_PRIVATE_PACKET *packet = freerdp_settings_get_pointer(
	    rdp->instance->context->settings, FreeRDP_ServerAutoReconnectCookie);
	struct rdp_cookie cookie = { 0 };

	if (packet && packet->cbLen) {
		cookie.given = true;
		cookie.packet = *packet;
	}
	return cookie;
}
