/*
 * What became of a connection: its phases, from the marks that the hooks made, and the name of
 * what ended it. FreeRDP says of most failures only that the transport failed; how far it had
 * come, whether the other end closed, and what was received tell them apart.
 */
#include "rdp.h"

#include "tcp-state.h"

#include <errno.h>
#include <string.h>

/* ---- phases ---- */

uint64_t rdp_reached(const struct rdp_marks *m, enum load_until until)
{
	switch (until) {
	case UNTIL_CONNECTED:
		return m->activated;
	case UNTIL_PICTURE:
		return m->picture;
	case UNTIL_LOGON: /* a server may say so while the connection is being activated */
		return m->logon > m->activated ? m->logon : m->logon ? m->activated : 0;
	case UNTIL_SHELL:
		return m->shell;
	}
	return 0;
}

/* Returns how much of it is in the session's total. */
static uint64_t set_phase(struct result *r, enum load_phase phase, uint64_t begin, uint64_t end)
{
	if (!begin || end < begin)
		return 0;
	r->phase[phase] = end - begin;
	return r->total != NOT_REACHED && end <= r->started + r->total ? end - begin : 0;
}

/* The logon is behind the first picture, or the picture is behind what was asked for. */
static uint64_t set_logon(const struct rdp_marks *m, struct result *r)
{
	uint64_t logon = rdp_reached(m, UNTIL_LOGON), from = m->activated, sum = 0;

	if (m->picture && (!logon || m->picture <= logon)) {
		sum = set_phase(r, LOAD_PICTURE, m->activated, m->picture);
		from = m->picture;
	}
	return logon ? sum + set_phase(r, LOAD_LOGGED_ON, from, logon) : sum;
}

void rdp_phases(const struct rdp_marks *m, enum load_until until, struct result *r)
{
	uint64_t sum = set_phase(r, LOAD_TCP, m->tcp_begin, m->tcp_end) +
	               set_phase(r, LOAD_X224, m->x224_begin, m->x224_end) +
	               set_phase(r, LOAD_TLS, m->tls_begin, m->tls_end) +
	               set_phase(r, LOAD_MCS, m->mcs_begin, m->mcs_end) +
	               set_phase(r, LOAD_ACTIVATION, m->mcs_end, m->activated);

	if (m->nla)
		sum += set_phase(r, LOAD_NLA, m->tls_end, m->mcs_begin);
	if (until == UNTIL_LOGON) {
		sum += set_logon(m, r);
	} else {
		sum += set_phase(r, LOAD_PICTURE, m->activated, m->picture);
		sum += set_phase(r, LOAD_SHELL, m->picture, m->shell);
	}
	if (r->total != NOT_REACHED)
		r->phase[LOAD_OTHER] = r->total > sum ? r->total - sum : 0;
}

/* The phase that it was in when it ended. */
static enum load_phase phase_of(const struct rdp_marks *m, enum load_until until)
{
	if (!m->tcp_end)
		return LOAD_TCP;
	if (!m->x224_end)
		return LOAD_X224;
	if (!m->tls_end)
		return LOAD_TLS;
	if (!m->mcs_begin)
		return LOAD_NLA;
	if (!m->mcs_end)
		return LOAD_MCS;
	if (!m->activated)
		return LOAD_ACTIVATION;
	if (until == UNTIL_LOGON)
		return LOAD_LOGGED_ON;
	return m->picture ? LOAD_SHELL : LOAD_PICTURE;
}

/* ---- errors ---- */

static const char *negotiation_text(uint32_t code)
{
	static const char *const texts[] = { "no failure", "SSL_REQUIRED_BY_SERVER",
		"SSL_NOT_ALLOWED_BY_SERVER", "SSL_CERT_NOT_ON_SERVER", "INCONSISTENT_FLAGS",
		"HYBRID_REQUIRED_BY_SERVER", "SSL_WITH_USER_AUTH_REQUIRED_BY_SERVER" };

	return code < sizeof(texts) / sizeof(*texts) ? texts[code] : "a code that is not known";
}

/* The protocol that the server chose, where it is none that was asked for; NULL: it is one. */
static const char *other_protocol(const struct rdp *rdp)
{
	enum { SSL = 1, HYBRID = 2, RDSTLS = 4, HYBRID_EX = 8, AAD = 16 };
	const uint32_t asked = rdp->marks.nla ? HYBRID | HYBRID_EX : SSL;

	if (!rdp->confirmed || rdp->chosen & asked)
		return NULL;
	switch (rdp->chosen) {
	case 0:
		return "the server chose RDP's own security";
	case SSL:
		return "the server chose TLS without NLA: --security tls";
	case HYBRID:
	case HYBRID_EX:
		return "the server chose NLA: --security nla";
	case RDSTLS:
		return "the server chose RDSTLS";
	case AAD:
		return "the server chose RDSAAD";
	default:
		return "the server chose a protocol that is not known";
	}
}

static enum load_error tcp_failure(int error)
{
	switch (error) {
	case ECONNREFUSED:
		return LOAD_REFUSED;
	case ECONNRESET:
		return LOAD_RESET;
	case EMFILE:
	case ENFILE:
	case ENOMEM:
	case ENOBUFS:
	case EADDRNOTAVAIL:
	case EADDRINUSE:
	case EAGAIN:
	case EACCES:
	case EPERM:
		return LOAD_LOCAL;
	default:
		return LOAD_UNREACHABLE;
	}
}

/* FreeRDP's errors that are about the user and the password. */
static bool is_logon_error(UINT32 error)
{
	switch (error) {
	case FREERDP_ERROR_AUTHENTICATION_FAILED:
	case FREERDP_ERROR_CONNECT_LOGON_FAILURE:
	case FREERDP_ERROR_CONNECT_WRONG_PASSWORD:
	case FREERDP_ERROR_CONNECT_ACCESS_DENIED:
	case FREERDP_ERROR_CONNECT_ACCOUNT_RESTRICTION:
	case FREERDP_ERROR_CONNECT_ACCOUNT_LOCKED_OUT:
	case FREERDP_ERROR_CONNECT_ACCOUNT_EXPIRED:
	case FREERDP_ERROR_CONNECT_ACCOUNT_DISABLED:
	case FREERDP_ERROR_CONNECT_PASSWORD_EXPIRED:
	case FREERDP_ERROR_CONNECT_PASSWORD_CERTAINLY_EXPIRED:
	case FREERDP_ERROR_CONNECT_PASSWORD_MUST_CHANGE:
	case FREERDP_ERROR_CONNECT_LOGON_TYPE_NOT_GRANTED:
	case FREERDP_ERROR_CONNECT_NO_OR_MISSING_CREDENTIALS:
		return true;
	default:
		return false;
	}
}

static void set_error(struct result *r, enum load_error error, const char *detail)
{
	r->error = error;
	snprintf(r->detail, sizeof(r->detail), "%s", detail);
}

/* The transport was read to its end, or what came on it was not RDP. */
static void transport_failure(const struct rdp *rdp, struct result *r)
{
	enum tcp_end end = tcp_ended(rdp->socket);
	const char *how = end == TCP_END_RESET    ? "reset by the server"
	                  : end == TCP_END_CLOSED ? "closed by the server"
	                                          : "lost";

	if (r->failed_in == LOAD_TLS &&
	    tcp_bytes_received(rdp->socket) > rdp->before_tls + 1 /* the FIN counts */)
		set_error(r, LOAD_TLS_FAILED, rdp->said);
	else if (freerdp_get_disconnect_ultimatum(rdp->instance->context))
		set_error(r, LOAD_RESET, "disconnected by the server");
	else if (rdp->lost || r->failed_in == LOAD_TLS)
		set_error(r, LOAD_RESET, how);
	else
		set_error(r, LOAD_PROTOCOL, rdp->said);
}

void rdp_failure(struct rdp *rdp, enum load_until until, struct result *r)
{
	freerdp *instance = rdp->instance;
	UINT32 last = freerdp_get_last_error(instance->context);
	enum load_error cut = (enum load_error)atomic_load(&rdp->cut);

	r->failed_in = phase_of(&rdp->marks, until);
	r->errinfo = freerdp_error_info(instance);
	if (*rdp->refused) {
		r->failed_in = LOAD_LOGGED_ON;
		set_error(r, LOAD_LOGON, rdp->refused);
	} else if (cut != LOAD_OK)
		set_error(r, cut, "");
	else if (rdp->tcp_error)
		set_error(r, tcp_failure(rdp->tcp_error), strerror(rdp->tcp_error));
	else if (r->errinfo)
		set_error(r, LOAD_ERRINFO, freerdp_get_error_info_name(r->errinfo));
	else if (rdp->failure_code)
		set_error(r, LOAD_NEGOTIATION, negotiation_text(rdp->failure_code));
	else if (other_protocol(rdp))
		set_error(r, LOAD_NEGOTIATION, other_protocol(rdp));
	else if (r->failed_in >= LOAD_NLA && is_logon_error(last))
		set_error(r, LOAD_LOGON, freerdp_get_last_error_name(last));
	else
		transport_failure(rdp, r);
}
