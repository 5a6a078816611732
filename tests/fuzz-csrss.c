/*
 * Fuzzer of csrss: the whole process, on fuzz-io.c. smss says what it may say, in any order; rdpwd, which
 * is a stranger's, and winlogon, which is the session's, say anything; programs write, time passes, peers
 * go, or do not read.
 *
 * What has to hold: nobody but smss ends csrss; a client is told of as gone once; its picture, at the end
 * of each frame, is the desktop; what is passed on is what was said, to whom and when it may be.
 */
#include "csrss.h"
#include "fuzz-io.h"
#include "vt.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int csrss_main(int argc, char **argv);

enum { NUMBERS = 64, ENDING_ACTS = 2 * IO_QUEUE, AREA_MAX = 4096, RATE_US = 1000000 };

static struct csrss *c;
static int master, slave; /* the programs' terminal */
static int acts_ahead;    /* once the input is at its end */
static bool may_end, slave_fails;

/* The client: what smss knows of it, and what it has of the desktop. */
static struct {
	uint32_t connection;
	bool attached, yields, cut;
	unsigned wanted; /* frames that it may get */
	bool known[ROWS_MAX];
	struct cell cells[ROWS_MAX][COLUMNS_MAX];
} client;

static uint32_t last_connection;
static bool waits[NUMBERS]; /* boxes that are not answered */
static uint32_t boxes;      /* of them there were so many */
static bool hello, began, asks, was_key, was_choice, was_shell, was_logoff, was_user;
static struct msg_credentials typed;
static bool was_typed;
static uint64_t input_told;

/* ---- calls of csrss ---- */

int conceal(void);
int conceal(void)
{
	return 0;
}

int __wrap_subsystem_listen(const char *path);
int __wrap_subsystem_listen(const char *path)
{
	(void)path;
	return io_open();
}

int __wrap_subsystem_connect(struct subsystem *s, uint32_t type, const char *sb_port);
int __wrap_subsystem_connect(struct subsystem *s, uint32_t type, const char *sb_port)
{
	(void)type;
	c = (struct csrss *)(void *)s; /* it comes first */
	s->sb_port = sb_port;
	s->smss = io_open();
	s->callbacks = io_open();
	s->session = 3;
	s->generation = 7;
	s->keep = io_take() % 4;
	return 0;
}

int __wrap_subsystem_ask_adoption(struct subsystem *s, uint32_t connection, uint64_t shell);
int __wrap_subsystem_ask_adoption(struct subsystem *s, uint32_t connection, uint64_t shell)
{
	(void)shell;
	io_must(connection == (c->display >= 0 ? client.connection : 0), "another client is named");
	client.attached = connection != 0; /* whatever smss was not told meanwhile */
	if (io_left() == 0 || io_take() % 2)
		return -1;
	s->smss = io_open();
	return 0;
}

int __wrap_accept4(int fd, struct sockaddr *address, socklen_t *size, int flags);
int __wrap_accept4(int fd, struct sockaddr *address, socklen_t *size, int flags)
{
	PORT_MESSAGE knock;

	(void)address;
	(void)size;
	(void)flags;
	return __wrap_port_receive(fd, &knock, sizeof(knock), NULL) > 0 ? io_open() : -1;
}

int __wrap_unlink(const char *path);
int __wrap_unlink(const char *path)
{
	(void)path;
	return 0;
}

int __wrap_posix_openpt(int flags);
int __wrap_posix_openpt(int flags)
{
	(void)flags;
	master = io_open();
	return master;
}

int __wrap_unlockpt(int fd);
int __wrap_unlockpt(int fd)
{
	(void)fd;
	return 0;
}

int __wrap_ioctl(int fd, unsigned long request, ...);
int __wrap_ioctl(int fd, unsigned long request, ...)
{
	io_must(fd == master && (request == TIOCGPTPEER || request == TIOCSWINSZ), "another ioctl");
	if (request == TIOCSWINSZ)
		return 0;
	if (slave_fails) {
		may_end = true;
		errno = ENFILE;
		return -1;
	}
	slave = io_open();
	return slave;
}

/* There is more room for one message, until there is less again. */
int __wrap_setsockopt(int fd, int level, int name, const int *value, socklen_t size);
int __wrap_setsockopt(int fd, int level, int name, const int *value, socklen_t size)
{
	static int before;

	(void)level;
	io_must(fd == c->display && name == SO_SNDBUF && size == sizeof(*value), "another option");
	if (*value < 212992) {
		io_set_room(fd, before);
		return 0;
	}
	before = io_room(fd);
	io_set_room(fd, before == 0 ? 1 : before);
	return 0;
}

/* ---- what smss is told ---- */

static void on_connection(const struct msg_connection *m, size_t size, int passed)
{
	io_must(size == sizeof(*m) && m->connection == client.connection && client.attached,
	    "of another client, or of one that is gone, is told");
	if (m->h.type == CSR_DISPLAY)
		io_must(client.yields && passed == c->display, "a client goes that should not");
	client.attached = client.yields = false;
}

static void on_response(const struct msg_response *m, size_t size)
{
	io_must(
	    size == sizeof(*m) && m->number > 0 && m->number <= boxes && waits[m->number % NUMBERS],
	    "a box is answered that is not there");
	io_must(m->response == BOX_TIMEOUT || (m->response == BOX_OK && was_key),
	    "a box is answered without a key");
	waits[m->number % NUMBERS] = false;
}

static void to_smss(const PORT_MESSAGE *h, size_t size, int passed)
{
	const void *m = h;

	io_must(passed < 0 || h->type == CSR_DISPLAY, "smss gets what it should not");
	if (h->type == CSR_DISCONNECTED || h->type == CSR_DISPLAY) {
		on_connection(m, size, passed);
	} else if (h->type == CSR_RESPONSE) {
		on_response(m, size);
	} else if (h->type == CSR_INPUT) {
		io_must(!input_told || io_now - input_told >= RATE_US, "smss is told of each key");
		input_told = io_now;
	} else if (h->type == CSR_CHOICE) {
		io_must(was_choice && size == sizeof(struct msg_choice), "nobody chose");
	} else if (h->type == CSR_SHELL) {
		io_must(was_shell, "there is no shell");
	} else if (h->type == LOG_LINE) {
		io_must(size == sizeof(struct msg_log) &&
		            ((const struct msg_log *)m)->owner <= LOG_WINLOGON,
		    "a line that is none, or rdpwd's");
	} else {
		io_must(h->type == CSR_LOGOFF && was_logoff, "smss is told something else");
	}
}

/* ---- what winlogon is told ---- */

static void to_winlogon(const PORT_MESSAGE *h, size_t size, int passed)
{
	const struct msg_verdict *m = (const void *)h;

	if (passed >= 0) {
		io_must(hello && !began && h->type >= WL_LOGON && h->type != WL_VERDICT,
		    "the terminal is given away twice, or to nobody");
		began = true;
	}
	if (h->type == WL_VERDICT && m->status == STATUS_SUCCESS) {
		io_must(size == sizeof(*m) && was_user && strcmp(m->user, c->client.user) == 0,
		    "a user logs on who was not found right");
	} else if (h->type == WL_VERDICT) {
		io_must(size == sizeof(*m) && asks, "an answer that nobody asked for");
		asks = false;
	} else if (h->type == WL_LOGON) {
		io_must(size == sizeof(*m) && passed >= 0 && m->user[0], "nobody logs on");
	} else {
		io_must(h->type == WL_LOGOFF || h->type == WL_CHOICES || passed >= 0,
		    "winlogon is told something else");
	}
}

/* ---- what the client has ---- */

static void on_row(const struct msg_row *m, size_t size)
{
	io_must(size == offsetof(struct msg_row, cells) + m->count * sizeof(*m->cells) &&
	            m->row < c->rows && m->column == 0 && m->count == c->columns,
	    "a row is not of the desktop");
	memcpy(client.cells[m->row], m->cells, m->count * sizeof(*m->cells));
	client.known[m->row] = true;
}

/* Rows that have changed again since they were sent come with the next one. */
static void check_picture(void)
{
	const struct vt *vt = (const void *)c->terminal; /* it comes first */
	struct cell cells[COLUMNS_MAX];

	io_must(vt->columns == c->columns && vt->rows == c->rows - 1,
	    "the terminal is not as large as the desktop");
	io_must(client.known[0], "there is no status line");
	for (int row = 0; row < c->rows - 1; row++) {
		if (vt->marks[row])
			continue;
		terminal_cells(c->terminal, row, cells, c->columns);
		box_draw(&c->boxes, row, c->rows - 1, cells, c->columns);
		io_must(client.known[row + 1] && memcmp(cells, client.cells[row + 1],
		                                     (size_t)c->columns * sizeof(*cells)) == 0,
		    "the client has another picture");
	}
}

static void to_display(const PORT_MESSAGE *h, size_t size)
{
	const struct msg_frame *frame = (const void *)h;

	if (h->type == DSP_CREDENTIALS) {
		io_must(was_typed && size == sizeof(typed) &&
		            memcmp(h + 1, &typed.h + 1, sizeof(typed) - sizeof(*h)) == 0,
		    "what was typed is not what is asked");
		asks = true;
		was_typed = false;
		return;
	}
	if (h->type == DSP_END)
		return;
	io_must(client.wanted > 0, "rows come that nobody asked for");
	if (h->type == DSP_ROW) {
		on_row((const void *)h, size);
		return;
	}
	io_must(h->type == DSP_FRAME && size == sizeof(*frame) && frame->cursor_row < c->rows &&
	            frame->cursor_column < c->columns,
	    "the cursor is not on the desktop");
	check_picture();
	client.wanted--;
}

void fuzz_sent(int fd, const void *bytes, size_t size, int passed)
{
	if (fd == c->sm.smss)
		to_smss(bytes, size, passed);
	else if (fd == c->winlogon)
		to_winlogon(bytes, size, passed);
	else if (fd == c->display)
		to_display(bytes, size);
	else
		io_must(fd == c->sm.callbacks || fd == master, "it is told to somebody else");
}

/* ---- what csrss is told ---- */

static void smss_says(const PORT_MESSAGE *h)
{
	const struct msg_client *m = (const void *)h;

	if (h->type == CSR_CLIENT) {
		client.connection = m->connection;
		client.attached = true;
		client.yields = client.cut = asks = false;
		client.wanted = m->wanted;
		memset(client.known, 0, sizeof(client.known));
	} else if (h->type == CSR_DETACH) {
		client.attached = false;
	} else if (h->type == CSR_YIELD) {
		client.yields = client.attached;
	} else if (h->type == CSR_USER) {
		was_user = true;
	} else if (h->type == CSR_MESSAGE) {
		const struct msg_box *box = (const void *)h;
		if (box->number)
			waits[box->number % NUMBERS] = true;
	} else if (h->type == CSR_TERMINATE) {
		may_end = true;
	} else if (h->type == CSR_CONNECT) {
		may_end = may_end || io_has_ended(c->sm.smss);
	}
}

static bool is_rdpwds(const PORT_MESSAGE *h, size_t size)
{
	const struct msg_key *key = (const void *)h;
	const struct msg_verdict *verdict = (const void *)h;

	if (h->type == DSP_KEY)
		return size == sizeof(*key) && key->code <= KEY_LAST;
	if (h->type == DSP_VERDICT)
		return size == sizeof(*verdict) && verdict->status != STATUS_SUCCESS;
	return (h->type == DSP_READY || h->type == DSP_INPUT) && size == sizeof(*h);
}

static void rdpwd_says(const PORT_MESSAGE *h, size_t size)
{
	client.cut = !is_rdpwds(h, size);
	client.wanted += h->type == DSP_READY && size == sizeof(*h);
	was_key = h->type == DSP_KEY;
}

static void winlogon_says(const PORT_MESSAGE *h, size_t size)
{
	hello = hello || (h->type == WL_HELLO && size == sizeof(struct msg_hello));
	was_typed = h->type == WL_CREDENTIALS && size == sizeof(typed) && c->display >= 0;
	if (was_typed)
		memcpy(&typed, h, size);
	was_choice = h->type == WL_CHOICE;
	was_shell = h->type == WL_SHELL;
	was_logoff = h->type == WL_LOGOFF;
}

void fuzz_took(int fd, const void *bytes, size_t size)
{
	if (size == 0 && fd == c->display) /* it broke the rules of messages */
		client.cut = true;
	else if (size == 0)
		return;
	else if (fd == c->sm.smss)
		smss_says(bytes);
	else if (fd == c->display)
		rdpwd_says(bytes, size);
	else if (fd == c->winlogon)
		winlogon_says(bytes, size);
}

/* ---- what happens ---- */

/* Small ones mostly: their edges are near. */
static uint16_t pixels(void)
{
	uint8_t byte = io_take();

	return (uint16_t)(byte < 0xf0 ? DESKTOP_MIN + byte : DESKTOP_MAX - io_take());
}

static void new_client(void)
{
	struct msg_client m = { .session = 3, .csrss = 1, .winlogon = 2 };
	uint8_t flags = io_take();

	m.width = pixels();
	m.height = pixels();
	if (m.width * m.height / (CELL_WIDTH * CELL_HEIGHT) > AREA_MAX)
		m.height = DESKTOP_MIN;
	m.connection = ++last_connection;
	m.wanted = flags & 1;
	for (int i = 0; i < PHASE_COUNT; i++)
		m.phase[i] = flags & 2 ? io_now - i * io_take() : 0;
	if (flags & 4)
		io_take_text(m.user, sizeof(m.user));
	io_take_text(m.station, sizeof(m.station));
	memcpy(m.winstation, "RDP-Tcp#1", 10);
	port_header(&m.h, CSR_CLIENT, sizeof(m), 0);
	io_say(c->sm.smss, &m, sizeof(m), flags & 8 ? -1 : io_open());
}

static void new_user(void)
{
	struct msg_user m = { .session = 3 };

	io_take_text(m.user, sizeof(m.user));
	if (!m.user[0])
		m.user[0] = 'u';
	port_header(&m.h, CSR_USER, sizeof(m), 0);
	io_say(c->sm.smss, &m, sizeof(m), -1);
}

static void choices(void)
{
	struct msg_choices m = { .count = 1 + io_take() % CHOICES_MAX };

	if (c->command) /* nobody logs on there */
		return;
	port_header(&m.h, CSR_CHOICES, sizeof(m), 0);
	io_say(c->sm.smss, &m, sizeof(m), -1);
}

static void box(void)
{
	struct msg_box m = { .session = 3, .seconds = io_take() % 8 };

	/* of fewer than there are places for */
	m.number = m.seconds < 6 && !waits[(boxes + 1) % NUMBERS] ? ++boxes : 0;
	io_take_bytes(m.title, sizeof(m.title));
	io_take_bytes(m.text, sizeof(m.text));
	port_header(&m.h, CSR_MESSAGE, sizeof(m), 0);
	io_say(c->sm.smss, &m, sizeof(m), -1);
}

static void reason(uint16_t type)
{
	struct msg_end m = { .reason = io_take() };

	port_header(&m.h, type, sizeof(m), 0);
	io_say(c->sm.smss, &m, sizeof(m), -1);
}

static void adopt(void)
{
	struct msg_csr_connect m = { .keep = io_take() % 4 };
	bool refused = m.keep == 3;

	m.status = refused ? STATUS_UNSUCCESSFUL : STATUS_SUCCESS;
	port_header(&m.h, CSR_CONNECT, sizeof(m), 0);
	io_say(c->sm.smss, &m, sizeof(m), refused ? -1 : io_open());
}

static void say_plain(int fd, uint16_t type)
{
	struct msg_plain m;

	port_header(&m.h, type, sizeof(m), 0);
	io_say(fd, &m, sizeof(m), -1);
}

static void smss_acts(void)
{
	if (c->sm.smss < 0)
		return;
	switch (io_take() % 12) {
	case 0:
	case 1:
		new_client();
		break;
	case 2:
		new_user();
		break;
	case 3:
		choices();
		break;
	case 4:
	case 5:
		box();
		break;
	case 6:
		reason(CSR_DETACH);
		break;
	case 7:
		say_plain(c->sm.smss, CSR_YIELD);
		break;
	case 8:
		say_plain(c->sm.smss, CSR_LOGOFF);
		break;
	case 9:
		adopt();
		break;
	case 10:
		may_end = may_end || c->sm.keep == 0;
		io_end(c->sm.smss);
		break;
	default:
		reason(CSR_TERMINATE);
	}
}

/* Any message from FD's peer: of a TYPE that is usual there and SIZE mostly, with any content. */
static void anything(int fd, uint16_t type, size_t size)
{
	union {
		PORT_MESSAGE h;
		uint8_t bytes[2048];
	} m = { 0 };
	uint8_t odd = io_take();

	size = odd < 0xf0 ? size : sizeof(m.h) + io_take() * 8u;
	type = odd < 0xf8 ? type : (uint16_t)io_take_number();
	size = size < sizeof(m) ? size : sizeof(m);
	io_take_bytes(m.bytes + sizeof(m.h), size - sizeof(m.h));
	port_header(&m.h, type, size, odd & 1 ? io_take_number() : 0);
	m.h.total_length = (uint16_t)(size - (odd == 0xff));
	io_say(fd, &m, size, odd == 0xfe ? io_open() : -1);
}

static void rdpwd_acts(void)
{
	static const struct {
		uint16_t type;
		size_t size;
	} usual[] = { { DSP_READY, sizeof(struct msg_plain) }, { DSP_KEY, sizeof(struct msg_key) },
		{ DSP_INPUT, sizeof(struct msg_plain) },
		{ DSP_VERDICT, sizeof(struct msg_verdict) }, { DSP_ROW, sizeof(struct msg_row) } };
	uint8_t kind = io_take();
	struct msg_key key = { .code = kind < 128 ? 'a' + kind % 26u : KEY_ENTER + kind % 26u };

	if (c->display < 0)
		return;
	if (kind % 16 == 0)
		io_end(c->display);
	else if (kind % 16 == 1)
		io_set_room(c->display, io_take() % 8);
	else if (kind % 16 == 2)
		io_set_room(c->display, IO_ANY);
	else if (kind % 16 < 8)
		say_plain(c->display, DSP_READY);
	else if (kind % 16 < 10) {
		port_header(&key.h, DSP_KEY, sizeof(key), 0);
		io_say(c->display, &key, sizeof(key), -1);
	} else {
		kind %= sizeof(usual) / sizeof(*usual);
		anything(c->display, usual[kind].type, usual[kind].size);
	}
}

static void winlogon_acts(void)
{
	static const struct {
		uint16_t type;
		size_t size;
	} usual[] = { { WL_HELLO, sizeof(struct msg_hello) },
		{ WL_CREDENTIALS, sizeof(struct msg_credentials) },
		{ WL_SHELL, sizeof(struct msg_process) }, { WL_CHOICE, sizeof(struct msg_choice) },
		{ WL_LOGOFF, sizeof(struct msg_plain) } };
	uint8_t kind = io_take();

	if (c->listener >= 0) {
		say_plain(c->listener, 1); /* it knocks */
		return;
	}
	if (c->winlogon < 0)
		return;
	if (kind % 16 == 15)
		io_end(c->winlogon);
	else if (kind % 16 == 14)
		io_set_room(c->winlogon, io_take() % 4 - 1);
	else
		anything(c->winlogon, usual[kind % 5].type, usual[kind % 5].size);
}

static void smss_asks(void)
{
	SBAPIMSG m = { .ApiNumber = io_take() % 6 };

	if (c->sm.callbacks < 0)
		return;
	port_header(&m.h, LPC_REQUEST, m.ApiNumber == 5 ? sizeof(m.h) : sizeof(m), 1);
	io_say(c->sm.callbacks, &m, m.h.total_length, m.ApiNumber & 1 ? io_open() : -1);
}

static void programs_write(void)
{
	char text[512];
	size_t count = io_take_bytes(text, sizeof(text));

	if (c->logon_sent && count > 0)
		io_say(master, text, count, -1);
}

/* Nothing more comes: smss ends csrss, or there is none for too long. */
static void last_acts(void)
{
	io_must(acts_ahead-- > 0, "it does not end");
	if (c->sm.smss >= 0 && !io_has_ended(c->sm.smss))
		reason(CSR_TERMINATE);
	io_now += UINT64_C(10000000);
	may_end = true;
}

void fuzz_act(const struct pollfd *p, nfds_t count)
{
	uint8_t action = 0x80;

	(void)p;
	(void)count;
	if (io_left() == 0) {
		last_acts();
		return;
	}
	while (action & 0x80 && io_left() > 0) { /* all of them before csrss is woken */
		action = io_take();
		switch (action % 8) {
		case 0:
		case 1:
			smss_acts();
			break;
		case 2:
		case 3:
			rdpwd_acts();
			break;
		case 4:
			winlogon_acts();
			break;
		case 5:
			programs_write();
			break;
		case 6:
			smss_asks();
			break;
		default:
			io_now += io_take() * UINT64_C(50000);
			slave_fails = (action & 0x78) == 0x78;
			may_end = may_end || c->lost_smss;
		}
	}
}

/* ---- what holds whenever csrss waits ---- */

void fuzz_check(void)
{
	const int held[] = { c->sm.smss, c->sm.callbacks, c->listener, c->winlogon, c->display,
		master, slave };
	unsigned open = 0, waiting = 0;

	for (size_t i = 0; i < sizeof(held) / sizeof(*held); i++) {
		io_must(held[i] < 0 || io_is_open(held[i]), "it holds what is closed");
		open += held[i] >= 0;
	}
	io_must(open == io_held_count(), "a descriptor was forgotten");
	io_must(client.attached == (c->display >= 0) || c->sm.smss < 0 || io_has_ended(c->sm.smss),
	    "smss thinks otherwise of the client");
	io_must(!client.cut || c->display < 0, "rdpwd said what is not its to say, and stays");
	io_must(!was_typed || c->display < 0 || io_has_ended(c->display),
	    "what was typed is lost, and winlogon waits");
	for (int i = 0; i < NUMBERS; i++)
		waiting += waits[i];
	io_must(waiting <= BOXES_MAX, "a box was forgotten");
	was_key = was_typed = was_choice = was_shell = was_logoff = was_user = false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *argv[] = { (char[]){ "csrss" }, (char[]){ "3" }, NULL };

	io_begin(data, size);
	memset(&client, 0, offsetof(typeof(client), known));
	memset(waits, 0, sizeof(waits));
	boxes = last_connection = 0;
	hello = began = asks = may_end = slave_fails = false;
	was_key = was_typed = was_choice = was_shell = was_logoff = was_user = false;
	input_told = 0;
	slave = -1;
	acts_ahead = ENDING_ACTS;
	csrss_main(2, argv);
	io_must(may_end, "somebody else ended it");
	io_finish();
	return 0;
}
