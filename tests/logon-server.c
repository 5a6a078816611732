/*
 * An RDP server that says of each logon what it is told to, and shows a picture whatever it says: as servers do
 * that refuse a logon and show their own prompt. TLS alone; it ends no session.
 *
 *   [LISTEN=ADDRESS] logon-server WORD CERTIFICATE KEY
 *
 * Prints its port, then DOMAIN|USER of each client. A process for each connection.
 */
#include <arpa/inet.h>
#include <freerdp/crypto/certificate.h>
#include <freerdp/crypto/privatekey.h>
#include <freerdp/freerdp.h>
#include <freerdp/peer.h>
#include <freerdp/session.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { WAIT_MS = 50, LATE_MS = 500 };

/* What is said, in a Save Session Info PDU. */
static const struct word {
	const char *name;
	int delay;   /* milliseconds behind the picture */
	bool says;   /* anything at all */
	UINT32 type; /* INFO_TYPE_ */
	bool cookie, error;
	UINT32 error_type, error_data;
} words[] = {
	{ .name = "nothing" },
	{ .name = "logon", .says = true, .type = INFO_TYPE_LOGON_LONG },
	{ .name = "plain", .says = true, .type = INFO_TYPE_LOGON_PLAIN_NOTIFY, .delay = LATE_MS },
	{ .name = "cookie", .says = true, .type = INFO_TYPE_LOGON_EXTENDED_INF, .cookie = true },
	{ .name = "continues",
	    .says = true,
	    .type = INFO_TYPE_LOGON_EXTENDED_INF,
	    .error = true,
	    .error_type = LOGON_MSG_SESSION_CONTINUE,
	    .error_data = LOGON_FAILED_OTHER },
	{ .name = "wrong-password",
	    .says = true,
	    .type = INFO_TYPE_LOGON_EXTENDED_INF,
	    .error = true,
	    .error_type = 0xc000006d,
	    .error_data = LOGON_FAILED_BAD_PASSWORD },
	{ .name = "late-no",
	    .says = true,
	    .type = INFO_TYPE_LOGON_EXTENDED_INF,
	    .error = true,
	    .error_type = LOGON_MSG_NO_PERMISSION,
	    .error_data = LOGON_FAILED_OTHER,
	    .delay = LATE_MS },
};
static const struct word *word;
static bool activated;

static BOOL say(rdpContext *context)
{
	logon_info named = { .username = (char *)"somebody", .domain = (char *)"LAB" };
	logon_info_ex more = { .haveCookie = word->cookie,
		.LogonId = 7,
		.haveErrorInfo = word->error,
		.ErrorNotificationType = word->error_type,
		.ErrorNotificationData = word->error_data };
	void *data = word->type == INFO_TYPE_LOGON_EXTENDED_INF ? (void *)&more : &named;

	return context->update->SaveSessionInfo(context, word->type, data);
}

static BOOL on_activate(freerdp_peer *peer)
{
	static BYTE pixels[16 * 16 * 4];
	BITMAP_DATA rectangle = { .destRight = 15,
		.destBottom = 15,
		.width = 16,
		.height = 16,
		.bitsPerPixel = 32,
		.bitmapLength = sizeof(pixels),
		.bitmapDataStream = pixels };
	BITMAP_UPDATE update = { .number = 1, .rectangles = &rectangle };

	activated = true;
	return peer->context->update->BitmapUpdate(peer->context, &update);
}

static BOOL on_post_connect(freerdp_peer *peer)
{
	const rdpSettings *s = peer->context->settings;
	const char *domain = freerdp_settings_get_string(s, FreeRDP_Domain);
	const char *user = freerdp_settings_get_string(s, FreeRDP_Username);

	printf("%s|%s\n", domain ? domain : "", user ? user : "");
	fflush(stdout);
	return TRUE;
}

static bool prepare(freerdp_peer *peer, const char *certificate, const char *key)
{
	rdpSettings *s = peer->context->settings;

	peer->PostConnect = on_post_connect;
	peer->Activate = on_activate;
	return freerdp_settings_set_pointer_len(s, FreeRDP_RdpServerCertificate,
	           freerdp_certificate_new_from_file(certificate), 1) &&
	       freerdp_settings_set_pointer_len(
	           s, FreeRDP_RdpServerRsaKey, freerdp_key_new_from_file(key), 1) &&
	       freerdp_settings_set_bool(s, FreeRDP_RdpSecurity, FALSE) &&
	       freerdp_settings_set_bool(s, FreeRDP_NlaSecurity, FALSE) &&
	       freerdp_settings_set_bool(s, FreeRDP_TlsSecurity, TRUE) &&
	       freerdp_settings_set_uint32(s, FreeRDP_ColorDepth, 32) && peer->Initialize(peer);
}

static void serve(int fd, const char *certificate, const char *key)
{
	freerdp_peer *peer = freerdp_peer_new(fd);
	struct pollfd p = { fd, POLLIN, 0 };
	int waited = 0;
	bool said = false;

	if (!peer || !freerdp_peer_context_new(peer) || !prepare(peer, certificate, key))
		exit(1);
	while (peer->CheckFileDescriptor(peer)) {
		if (activated && !said && waited >= word->delay) {
			said = true;
			if (word->says && !say(peer->context))
				exit(1);
		}
		poll(&p, 1, WAIT_MS);
		waited += activated ? WAIT_MS : 0;
	}
	exit(0);
}

static int listen_somewhere(void)
{
	const char *where = getenv("LISTEN");
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t size = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	address.sin_addr.s_addr = inet_addr(where ? where : "127.0.0.1");
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, size) < 0 || listen(fd, 64) < 0 ||
	    getsockname(fd, (struct sockaddr *)&address, &size) < 0)
		return -1;
	printf("%u\n", ntohs(address.sin_port));
	fflush(stdout);
	return fd;
}

int main(int argc, char **argv)
{
	int listener, fd;

	for (size_t i = 0; argc == 4 && i < sizeof(words) / sizeof(*words); i++)
		if (strcmp(words[i].name, argv[1]) == 0)
			word = &words[i];
	if (!word) {
		fputs("Usage: logon-server WORD CERTIFICATE KEY\n", stderr);
		return 2;
	}
	signal(SIGCHLD, SIG_IGN);
	listener = listen_somewhere();
	while (listener >= 0 && (fd = accept(listener, NULL, NULL)) >= 0) {
		if (fork() == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			close(listener);
			serve(fd, argv[2], argv[3]);
		}
		close(fd);
	}
	perror("logon-server");
	return 1;
}
