/*
 * What a client says of its user: by NLA a proof, then the password itself; by TLS alone the
 * password, or nothing. termsrv is told, and lsass decides; nothing is decided here. What no account
 * can have (a name that is too long, say) is a logon that fails like any other.
 */
#include "clock.h"
#include "rdpwd.h"

#include <freerdp/session.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <winpr/sspi.h>
#include <winpr/string.h>

enum { AUTO_RECONNECT_SIZE = 28, CHALLENGE_SIZE = 8, THIRD_SIZE_MIN = 88 };

/* COUNT 16-bit units of TEXT into FIELD, as port_text_take does it. */
static bool take_wide(char *field, size_t size, const UINT16 *text, size_t count)
{
	size_t length;
	char *utf8;
	bool whole;

	if (count == 0)
		return true;
	utf8 = ConvertWCharNToUtf8Alloc((const WCHAR *)text, count, &length);
	whole = utf8 && strlen(utf8) == length;
	whole = port_text_take(field, size, utf8 ? utf8 : "?") && whole;
	free(utf8);
	return whole;
}

/* The proof is before the blob in the third message; what FreeRDP computes the hash's use from is
   that blob with the server's challenge before it. False where it is not the client's. */
static bool take_proof(struct lsa_ntlm *m, const SecBuffer *blob, const BYTE *key, const BYTE *mic,
    const SecBuffer *all)
{
	const uint8_t *challenge = blob->pvBuffer, *messages = all->pvBuffer, *at;

	if (blob->cbBuffer <= CHALLENGE_SIZE || blob->cbBuffer > sizeof(m->blob) ||
	    all->cbBuffer > sizeof(m->messages))
		return false;
	at = memmem(
	    messages, all->cbBuffer, challenge + CHALLENGE_SIZE, blob->cbBuffer - CHALLENGE_SIZE);
	if (!at || at - messages < NTLM_HASH_SIZE)
		return false;
	memcpy(m->proof, at - NTLM_HASH_SIZE, sizeof(m->proof));
	memcpy(m->key, key, sizeof(m->key));
	memcpy(m->mic, mic, sizeof(m->mic));
	memcpy(m->blob, challenge, blob->cbBuffer);
	m->blob_size = (uint32_t)blob->cbBuffer;
	memcpy(m->messages, messages, all->cbBuffer);
	m->messages_size = (uint32_t)all->cbBuffer;
	return true;
}

/*
 * Whether the third of the messages in ALL has room for a message integrity check, behind 72 bytes.
 * WinPR (3.10 to 3.15) takes it for as long as its last field lies, writes the check at its place all
 * the same, and has overwritten 16 bytes of its heap with zeros by now; the client's own 16 would follow.
 * What begins like a third message within it makes this one shorter, never longer.
 */
static bool third_has_room(const SecBuffer *all)
{
	static const uint8_t begin[] = "NTLMSSP\0\3\0\0"; /* and a zero */
	const uint8_t *messages = all->pvBuffer, *end = messages + all->cbBuffer, *third = NULL;

	for (const uint8_t *p = messages;
	    (p = memmem(p, (size_t)(end - p), begin, sizeof(begin))) != NULL; p++)
		third = p;
	return third && end - third >= THIRD_SIZE_MIN;
}

/* NLA: FreeRDP wants the NTOWFv2 of a user. lsass gives it for a proof that is right; for one that
   is not a random one, with which FreeRDP finds what a wrong password has it find. */
static SECURITY_STATUS on_hash(void *client, const SEC_WINNT_AUTH_IDENTITY *identity,
    const SecBuffer *blob, const BYTE *key, const BYTE *mic, const SecBuffer *messages, BYTE *hash)
{
	const freerdp_peer *peer = client;
	struct rdpwd *w = rdpwd_of(peer->context);
	struct lsa_ntlm m = { 0 };
	bool fits;

	if (!w->have_hash) {
		fits = take_wide(m.user, sizeof(m.user), identity->User, identity->UserLength);
		fits = take_wide(
		           m.domain, sizeof(m.domain), identity->Domain, identity->DomainLength) &&
		       fits;
		if (!fits || !take_proof(&m, blob, key, mic, messages))
			m.blob_size = m.messages_size = 0;
		port_header(&m.h, RW_NTLM, sizeof(m), 0);
		if (!third_has_room(messages)) {
			port_send(w->termsrv, &m.h, -1); /* it is a failed logon all the same */
			_exit(0);                        /* the heap is not to be used any more */
		}
		if (port_send(w->termsrv, &m.h, -1) < 0 ||
		    rdpwd_await(w, RW_NTLM_HASH, &w->hash, sizeof(w->hash)) < 0)
			return 0;
		w->have_hash = true;
	}
	memcpy(hash, w->hash.hash, sizeof(w->hash.hash));
	return 1;
}

/* Takes user, domain and password out of the settings. */
static void take_credentials(rdpSettings *s, struct msg_rw_logon *m)
{
	bool user = port_text_take(
	    m->user, sizeof(m->user), freerdp_settings_get_string(s, FreeRDP_Username));
	bool domain = port_text_take(
	    m->domain, sizeof(m->domain), freerdp_settings_get_string(s, FreeRDP_Domain));
	bool password = port_text_take(
	    m->password, sizeof(m->password), freerdp_settings_get_string(s, FreeRDP_Password));

	m->unusable = !user || !domain || !password;
	freerdp_settings_set_string(s, FreeRDP_Password, NULL);
}

/*
 * Before the credentials exist (TLS), or after they were proven and delegated (NLA): never
 * a decision. What NLA delegated is kept, for the client info that comes later overwrites
 * it; lsass checks that password once more, as it does not take this process's word that
 * the proof was right.
 */
static BOOL on_logon(freerdp_peer *peer, const SEC_WINNT_AUTH_IDENTITY *identity, BOOL automatic)
{
	struct rdpwd *w = rdpwd_of(peer->context);

	(void)identity;
	w->nla = automatic;
	w->negotiated = clock_us();
	if (automatic) {
		take_credentials(peer->context->settings, &w->logon);
		/* restricted administration and the like delegate nothing: that is no logon here */
		if (!w->logon.user[0] || !w->logon.password[0])
			w->logon.unusable = 1;
	}
	return TRUE;
}

/* The cookie of a client that was cut off: termsrv finds out whether it is right. */
static void take_cookie(rdpSettings *s, struct msg_rw_logon *m)
{
	const ARC_CS_PRIVATE_PACKET *cookie =
	    freerdp_settings_get_pointer(s, FreeRDP_ClientAutoReconnectCookie);

	if (!cookie || cookie->cbLen != AUTO_RECONNECT_SIZE)
		return;
	m->has_cookie = 1;
	m->logon_id = cookie->logonId;
	memcpy(m->verifier, cookie->securityVerifier, sizeof(m->verifier));
}

int peer_log_on(struct rdpwd *w, uint16_t width, uint16_t height)
{
	rdpSettings *s = w->peer->context->settings;
	struct msg_rw_logon *m = &w->logon;
	int sent;

	if (!w->nla)
		take_credentials(s, m);
	if (!port_text_take(m->station, sizeof(m->station),
	        freerdp_settings_get_string(s, FreeRDP_ClientHostname)))
		memset(m->station, 0, sizeof(m->station));
	m->width = width;
	m->height = height;
	take_cookie(s, m);
	m->session = NO_SESSION;
	m->negotiated = w->negotiated;
	port_header(&m->h, RW_LOGON, sizeof(*m), 0);
	sent = port_send(w->termsrv, &m->h, -1);
	explicit_bzero(m, sizeof(*m));
	return sent;
}

void peer_set_logon(freerdp_peer *peer)
{
	peer->Logon = on_logon;
	peer->SspiNtlmHashCallback = on_hash;
}
