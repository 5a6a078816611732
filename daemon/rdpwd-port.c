/*
 * What the worker hears from csrss and termsrv. csrss is its session's, and may be a stranger's as the
 * client is: what it says is pictures, and no more.
 */
#include "ntstatus.h"
#include "rdpwd.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

void port_on_display(struct rdpwd *w)
{
	union {
		PORT_MESSAGE h;
		struct msg_row row;
		struct msg_frame frame;
		struct msg_end end;
		struct msg_credentials credentials;
	} m;
	ssize_t got = port_receive(w->display, &m, sizeof(m), NULL);

	if (got < 0 && errno == EAGAIN)
		return;
	if (got <= 0)
		rdpwd_end(w, END_CSRSS_CRASH); /* else it says why */
	if (m.h.type == DSP_ROW || m.h.type == DSP_FRAME) {
		if (draw_message(w->drawing ? &w->draw : NULL, &m.h, (size_t)got))
			w->frame_due = w->framed = true;
	} else if (m.h.type == DSP_END && got == sizeof(m.end)) {
		rdpwd_end(w, m.end.reason);
	} else if (m.h.type == DSP_CREDENTIALS && got == sizeof(m.credentials)) {
		if (w->termsrv < 0) /* nobody could check them: the client is to come again */
			rdpwd_end(w, END_ADMIN_DISCONNECT);
		struct msg_rw_logon logon = {
			.session = w->session, .width = DESKTOP_MIN, .height = DESKTOP_MIN
		};
		memcpy(logon.user, m.credentials.user, sizeof(logon.user));
		memcpy(logon.password, m.credentials.password, sizeof(logon.password));
		port_header(&logon.h, RW_LOGON, sizeof(logon), 0);
		port_send(w->termsrv, &logon.h, -1);
		explicit_bzero(&logon, sizeof(logon));
		explicit_bzero(&m, sizeof(m));
	}
}

/* It is the client's from now on; an earlier one is void. */
static void take_cookie(struct rdpwd *w, const struct msg_rw_session *m)
{
	static const uint8_t none[COOKIE_SIZE];

	w->session = m->session;
	memcpy(w->cookie, m->cookie, sizeof(w->cookie));
	w->cookie_due = memcmp(w->cookie, none, sizeof(none)) != 0;
}

static void on_session(struct rdpwd *w, const struct msg_rw_session *m, int *passed)
{
	struct itimerval never = { 0 };

	if (w->display >= 0 || *passed < 0)
		return;
	w->display = *passed;
	*passed = -1;
	take_cookie(w, m);
	setitimer(ITIMER_REAL, &never, NULL);
}

/* No session; or, in one, lsass's verdict on what was typed at its prompt. */
static void on_denied(struct rdpwd *w, const struct msg_rw_session *m)
{
	struct msg_verdict verdict = { .status = m->status };

	if (w->display >= 0) {
		port_header(&verdict.h, DSP_VERDICT, sizeof(verdict), 0);
		port_send(w->display, &verdict.h, -1);
		return;
	}
	w->ending = true; /* as soon as the client can be told */
	w->reason = m->reason;
	w->refused = m->status == STATUS_LOGON_FAILURE;
}

void port_on_termsrv(struct rdpwd *w)
{
	struct msg_rw_session m;
	int passed = -1;
	ssize_t got = port_receive(w->termsrv, &m, sizeof(m), &passed);

	if (got < 0 && errno == EAGAIN)
		return;
	if (got == sizeof(m) && m.h.type == RW_SESSION) {
		on_session(w, &m, &passed);
	} else if (got == sizeof(m) && m.h.type == RW_COOKIE) {
		take_cookie(w, &m);
	} else if (got == sizeof(m) && m.h.type == RW_DENIED) {
		on_denied(w, &m);
	} else if (got <= 0) {
		if (w->display < 0)
			_exit(0);      /* nobody is left to give us a session */
		fd_close(&w->termsrv); /* it is replaced; the session goes on */
	}
	fd_close(&passed);
}

void port_ask_for_frame(struct rdpwd *w)
{
	struct msg_plain m;

	if (!w->frame_due || !w->drawing || w->display < 0 || w->suppressed ||
	    w->peer->IsWriteBlocked(w->peer))
		return;
	w->frame_due = false;
	port_header(&m.h, DSP_READY, sizeof(m), w->unknown_layout);
	port_send(w->display, &m.h, -1);
}
