/*
 * Fuzzer of what the worker hears from csrss, which may be a stranger's, and from termsrv: on fuzz-io.c,
 * with the picture that tests/fuzz-draw.c has. (What it hears from its client is FreeRDP's and
 * tests/fuzz-rdp.sh's.)
 *
 * What has to hold: csrss gets one frame more for each that has come, and only while the client takes
 * them; what it says was typed goes to termsrv as a logon of this session, cut off where the message is;
 * the process ends where csrss or termsrv say so, and for nothing else.
 */
#include "fuzz-io.h"
#include "rdpwd.h"

#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

#define FONT "/usr/share/fonts/truetype/dejavu/DejaVuSansMono.ttf"
#define BOLD "/usr/share/fonts/truetype/dejavu/DejaVuSansMono-Bold.ttf"

static struct rdpwd w;
static freerdp_peer peer;
static jmp_buf ended;
static bool may_end, blocked;
static unsigned wanted; /* frames that csrss may be asked for */
static struct msg_credentials typed;
static unsigned logons, refusals; /* that are due */

void rdpwd_end(struct rdpwd *worker, uint32_t reason)
{
	(void)worker;
	(void)reason;
	io_must(may_end, "it ends for no reason");
	longjmp(ended, 1);
}

_Noreturn void __wrap__exit(int code);
_Noreturn void __wrap__exit(int code)
{
	io_must(may_end && code == 0, "it ends for no reason");
	longjmp(ended, 1);
}

int __real_setitimer(int which, const struct itimerval *new, struct itimerval *old);
int __wrap_setitimer(int which, const struct itimerval *new, struct itimerval *old);
int __wrap_setitimer(int which, const struct itimerval *new, struct itimerval *old)
{
	if (new->it_value.tv_sec) /* libFuzzer's own */
		return __real_setitimer(which, new, old);
	return 0;
}

static BOOL is_blocked(freerdp_peer *client)
{
	(void)client;
	return blocked;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	char error[256];

	(void)argc;
	(void)argv;
	w.glyphs = glyphs_create(FONT, BOLD, error, sizeof(error));
	io_must(w.glyphs != NULL, "there is no font");
	peer.IsWriteBlocked = is_blocked;
	return 0;
}

static void to_termsrv(const struct msg_rw_logon *m, size_t size)
{
	static const struct msg_rw_logon none;

	io_must(m->h.type == RW_LOGON && size == sizeof(*m) && logons-- > 0,
	    "termsrv is told something else");
	io_must(memcmp(m->user, typed.user, sizeof(m->user)) == 0 &&
	            memcmp(m->password, typed.password, sizeof(m->password)) == 0,
	    "somebody else logs on");
	io_must(m->session == w.session && !m->has_cookie && !m->unusable &&
	            memcmp(m->verifier, none.verifier, sizeof(m->verifier)) == 0 &&
	            memcmp(m->domain, none.domain, sizeof(m->domain)) == 0 &&
	            memcmp(m->station, none.station, sizeof(m->station)) == 0 &&
	            m->width == DESKTOP_MIN && m->height == DESKTOP_MIN,
	    "csrss says more than what was typed");
}

void fuzz_sent(int fd, const void *bytes, size_t size, int passed)
{
	const PORT_MESSAGE *h = bytes;
	const struct msg_verdict *verdict = bytes;

	io_must(passed < 0, "something is passed");
	if (fd == w.termsrv) {
		to_termsrv(bytes, size);
	} else if (h->type == DSP_VERDICT) {
		io_must(size == sizeof(*verdict) && refusals-- > 0, "nobody refused it");
	} else {
		io_must(fd == w.display && h->type == DSP_READY && size == sizeof(*h) &&
		            w.drawing && !w.suppressed && !blocked,
		    "a frame is asked for that nobody can show");
		io_must(wanted-- > 0, "more frames are asked for than came");
	}
}

void fuzz_took(int fd, const void *bytes, size_t size)
{
	const PORT_MESSAGE *h = bytes;
	const struct msg_end *end = bytes;

	if (size == 0) {
		may_end = true; /* rules were broken: the port is of no use */
	} else if (fd == w.display) {
		wanted += h->type == DSP_FRAME && size == sizeof(struct msg_frame);
		may_end = may_end || (h->type == DSP_END && size == sizeof(*end));
		if (h->type == DSP_CREDENTIALS && size == sizeof(typed)) {
			memcpy(&typed, bytes, size);
			logons = 1;
			may_end = may_end || w.termsrv < 0;
		}
	} else if (fd == w.termsrv) {
		refusals +=
		    h->type == RW_DENIED && size == sizeof(struct msg_rw_session) && w.display >= 0;
	}
}

void fuzz_check(void)
{
}

void fuzz_act(const struct pollfd *p, nfds_t count)
{
	(void)p;
	(void)count;
}

/* ---- what happens ---- */

/* A message of TYPE and SIZE mostly, with any content. */
static void anything(int fd, uint16_t type, size_t size, int passed)
{
	static union {
		PORT_MESSAGE h;
		uint8_t bytes[PORT_MAX_MESSAGE];
	} m;
	uint8_t odd = io_take();

	size = odd < 0xe0 ? size : sizeof(m.h) + io_take() * (odd & 15u) * 4u;
	size = size < sizeof(m) ? size : sizeof(m);
	memset(&m, 0, size);
	io_take_bytes(m.bytes + sizeof(m.h), size - sizeof(m.h));
	port_header(&m.h, odd < 0xf0 ? type : (uint16_t)io_take_number(), size, 0);
	m.h.total_length = (uint16_t)(size - (odd == 0xff));
	io_say(fd, &m, size, passed);
}

static void csrss_acts(void)
{
	static const struct {
		uint16_t type;
		size_t size;
	} usual[] = { { DSP_FRAME, sizeof(struct msg_frame) }, { DSP_END, sizeof(struct msg_end) },
		{ DSP_CREDENTIALS, sizeof(struct msg_credentials) },
		{ DSP_KEY, sizeof(struct msg_key) } };
	uint8_t kind = io_take();
	struct msg_row row = { .row = io_take(), .column = io_take(), .count = io_take() };

	if (w.display < 0)
		return;
	if (kind == 0xff) {
		may_end = true;
		io_end(w.display);
	} else if (kind & 1) {
		row.cells[0].code = kind;
		port_header(&row.h, DSP_ROW,
		    offsetof(struct msg_row, cells) + row.count * sizeof(*row.cells), 0);
		row.count += kind >= 0xf0;
		io_say(w.display, &row, row.h.total_length, -1);
	} else {
		anything(w.display, usual[kind / 2 % 4].type, usual[kind / 2 % 4].size,
		    kind == 0xfe ? io_open() : -1);
	}
	port_on_display(&w);
}

static void termsrv_acts(void)
{
	static const uint16_t types[] = { RW_SESSION, RW_DENIED, RW_COOKIE, RW_CLIENT };
	uint8_t kind = io_take();

	if (w.termsrv < 0)
		return;
	if (kind == 0xff) {
		may_end = may_end || w.display < 0;
		io_end(w.termsrv);
	} else {
		anything(w.termsrv, types[kind % 4], sizeof(struct msg_rw_session),
		    kind & 4 ? io_open() : -1);
	}
	port_on_termsrv(&w);
}

static void client_acts(void)
{
	uint8_t kind = io_take();

	blocked = kind & 1;
	w.suppressed = kind & 2;
	if (w.drawing || !(kind & 4))
		return;
	io_must(draw_init(&w.draw, w.glyphs, DESKTOP_MIN + kind, DESKTOP_MIN, 16, false) == 0,
	    "no memory");
	w.drawing = w.frame_due = true;
	wanted++;
}

/* Nobody holds a descriptor but the worker's two. */
static void check(void)
{
	io_must(io_held_count() == (w.termsrv >= 0) + (unsigned)(w.display >= 0),
	    "a descriptor was forgotten");
	io_must(logons == 0 || w.termsrv < 0, "what was typed is lost");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct glyphs *glyphs = w.glyphs;

	io_begin(data, size);
	draw_finish(&w.draw);
	memset(&w, 0, offsetof(struct rdpwd, draw));
	memset(&w.draw, 0, offsetof(struct draw, pixels));
	memset(&w.drawing, 0, sizeof(w) - offsetof(struct rdpwd, drawing));
	w.glyphs = glyphs;
	w.peer = &peer;
	w.termsrv = io_open();
	w.display = -1;
	w.session = NO_SESSION;
	may_end = blocked = false;
	wanted = logons = refusals = 0;
	if (setjmp(ended) == 0)
		while (io_left() > 0) {
			uint8_t action = io_take();
			if (action % 8 < 4)
				csrss_acts();
			else if (action % 8 < 6)
				termsrv_acts();
			else
				client_acts();
			port_ask_for_frame(&w);
			check();
		}
	io_finish();
	return 0;
}
