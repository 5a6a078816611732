/*
 * libvterm keeps the grid; here are one mark per row, the cursor, and the translation of
 * keys and cells. No scrollback is kept: nothing shows it.
 *
 * The grid is made when programs may come: by then the size of the client's screen is known. Its
 * other screen, for editors and the like, is made when a program asks for it.
 */
#include "terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <pty.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>
#include <vterm.h>

/* A program that writes without end must not keep csrss from its ports. */
enum { READ_MAX = 65536, FOREGROUND = 0xd3d7cf, BACKGROUND = 0x000000 };
enum { POPULATE_MIN = 65536, OTHER_SCREEN_MAX = 1049 };

/* The sixteen colours of programs; libvterm's own blue cannot be read on black. */
static const uint32_t palette[] = { 0x000000, 0xcc0000, 0x4e9a06, 0xc4a000, 0x3465a4, 0x75507b,
	0x06989a, 0xd3d7cf, 0x555753, 0xef2929, 0x8ae234, 0xfce94f, 0x729fcf, 0xad7fa8, 0x34e2e2,
	0xeeeeec };

struct terminal {
	VTerm *vterm;
	VTermScreen *screen;
	int master;
	int columns, rows;
	bool *marks; /* a row each */
	bool any;    /* a mark is set, or the cursor moved */
	VTermPos cursor;
	enum { TEXT, AFTER_ESCAPE, IN_SEQUENCE } input;
	unsigned number; /* of the sequence's numbers the last */
	bool asks_other; /* one of them is an other screen's */
	bool ascii_last; /* the last character was ASCII */
	bool cursor_visible;
};

void terminal_mark(struct terminal *t, int row)
{
	t->any = true;
	for (int i = row < 0 ? 0 : row; i < (row < 0 ? t->rows : row + 1) && i < t->rows; i++)
		t->marks[i] = true;
}

static int on_damage(VTermRect rect, void *user)
{
	for (int row = rect.start_row; row < rect.end_row; row++)
		terminal_mark(user, row);
	return 1;
}

static int on_cursor(VTermPos position, VTermPos old, int visible, void *user)
{
	struct terminal *t = user;

	(void)old;
	(void)visible;
	t->cursor = position;
	t->any = true;
	return 1;
}

static int on_property(VTermProp property, VTermValue *value, void *user)
{
	struct terminal *t = user;

	if (property == VTERM_PROP_CURSORVISIBLE) {
		t->cursor_visible = value->boolean;
		t->any = true;
	}
	return 1;
}

static const VTermScreenCallbacks callbacks = {
	.damage = on_damage,
	.movecursor = on_cursor,
	.settermprop = on_property,
};

/* What a key or an answer to a query makes programs read. Typing ahead of a program that
   does not read is dropped once the kernel's buffer is full, as on any terminal. */
static void on_output(const char *bytes, size_t length, void *user)
{
	struct terminal *t = user;

	(void)!write(t->master, bytes, length);
}

static int open_master(void)
{
	int fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);

	if (fd >= 0 && unlockpt(fd) == 0)
		return fd;
	fd_close(&fd);
	return -1;
}

static void set_size(struct terminal *t)
{
	struct winsize size = { .ws_row = (unsigned short)t->rows,
		.ws_col = (unsigned short)t->columns,
		.ws_xpixel = (unsigned short)(t->columns * CELL_WIDTH),
		.ws_ypixel = (unsigned short)(t->rows * CELL_HEIGHT) };

	ioctl(t->master, TIOCSWINSZ, &size);
}

static VTermColor rgb(uint32_t colour)
{
	VTermColor c;

	vterm_color_rgb(&c, (uint8_t)(colour >> 16), (uint8_t)(colour >> 8), (uint8_t)colour);
	return c;
}

void terminal_destroy(struct terminal *t)
{
	if (!t)
		return;
	if (t->vterm)
		vterm_free(t->vterm);
	fd_close(&t->master);
	free(t->marks);
	free(t);
}

/* A page at a time is dear where a whole screen is filled at once. */
static void *allocate(size_t size, void *user)
{
	const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	void *memory = calloc(1, size);
	uintptr_t from = ((uintptr_t)memory + page - 1) & ~(page - 1);

	(void)user;
	if (memory && size > POPULATE_MIN)
		madvise((void *)from, (uintptr_t)memory + size - from, MADV_POPULATE_WRITE);
	return memory;
}

static void release(void *memory, void *user)
{
	(void)user;
	free(memory);
}

static VTermAllocatorFunctions allocator = { .malloc = allocate, .free = release };

/* Makes the grid. 0, or -1 with errno. */
static int start(struct terminal *t)
{
	VTermColor foreground = rgb(FOREGROUND), background = rgb(BACKGROUND), colour;

	t->vterm = vterm_new_with_allocator(t->rows, t->columns, &allocator, NULL);
	if (!t->vterm)
		return -1;
	vterm_set_utf8(t->vterm, 1);
	vterm_output_set_callback(t->vterm, on_output, t);
	t->screen = vterm_obtain_screen(t->vterm);
	vterm_screen_set_callbacks(t->screen, &callbacks, t);
	vterm_screen_set_damage_merge(t->screen, VTERM_DAMAGE_ROW);
	vterm_state_set_default_colors(vterm_obtain_state(t->vterm), &foreground, &background);
	for (int i = 0; i < 16; i++) {
		colour = rgb(palette[i]);
		vterm_state_set_palette_color(vterm_obtain_state(t->vterm), i, &colour);
	}
	vterm_screen_reset(t->screen, 1);
	terminal_mark(t, -1);
	return 0;
}

struct terminal *terminal_create(int columns, int rows)
{
	struct terminal *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->columns = columns;
	t->rows = rows;
	t->cursor_visible = true;
	t->marks = calloc((size_t)rows, sizeof(*t->marks));
	t->master = open_master();
	if (!t->marks || t->master < 0) {
		terminal_destroy(t);
		return NULL;
	}
	set_size(t);
	terminal_mark(t, -1);
	return t;
}

int terminal_master(const struct terminal *t)
{
	return t->master;
}

int terminal_open_slave(struct terminal *t)
{
	if (!t->vterm && start(t) < 0)
		return -1;
	return ioctl(t->master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
}

int terminal_resize(struct terminal *t, int columns, int rows)
{
	bool *marks = calloc((size_t)rows, sizeof(*marks));

	if (!marks)
		return -1;
	free(t->marks);
	t->marks = marks;
	if (t->vterm && (columns != t->columns || rows != t->rows)) {
		vterm_set_size(t->vterm, rows, columns);
		vterm_screen_flush_damage(t->screen);
	}
	t->columns = columns;
	t->rows = rows;
	set_size(t);
	terminal_mark(t, -1);
	return 0;
}

/* C of a sequence's numbers. True where they ask for the other screen (xterm's private modes),
   at the sequence's end. */
static bool other_screen(struct terminal *t, unsigned char c)
{
	if (c >= '0' && c <= '9') {
		t->number = t->number > OTHER_SCREEN_MAX ? t->number : t->number * 10 + (c - '0');
		return false;
	}
	t->asks_other =
	    t->asks_other || t->number == 47 || t->number == 1047 || t->number == OTHER_SCREEN_MAX;
	t->number = 0;
	return c == 'h' && t->asks_other;
}

/*
 * Of what programs wrote, before libvterm gets it, two things have to be known. A program that asks
 * for the other screen gets one. And libvterm writes past the row where REP (CSI Ps b) repeats a
 * wide character, and does not end where it repeats one without width: such a REP is turned into
 * CAN, which drops it; no terminfo makes programs use it but for ASCII.
 */
static void look_through(struct terminal *t, char *bytes, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		unsigned char c = (unsigned char)bytes[i];
		if (c == 0x1b)
			t->input = AFTER_ESCAPE;
		else if (t->input == AFTER_ESCAPE) {
			t->input = c == '[' ? IN_SEQUENCE : TEXT;
			t->number = 0;
			t->asks_other = false;
		} else if (t->input == IN_SEQUENCE) {
			if (other_screen(t, c))
				vterm_screen_enable_altscreen(t->screen, 1);
			if (c < 0x40)
				continue;
			t->input = TEXT;
			if (c == 'b' && !t->ascii_last)
				bytes[i] = 0x18;
		} else if (t->input == TEXT && c >= 0x20)
			t->ascii_last = c < 0x7f;
	}
}

int terminal_read(struct terminal *t)
{
	char block[8192];
	size_t total = 0;
	ssize_t got;

	while (total < READ_MAX && (got = read(t->master, block, sizeof(block))) > 0) {
		look_through(t, block, (size_t)got);
		vterm_input_write(t->vterm, block, (size_t)got);
		total += (size_t)got;
	}
	vterm_screen_flush_damage(t->screen);
	/* EIO: every program has closed the other end */
	return total == 0 && errno != EAGAIN && errno != EINTR ? -1 : 0;
}

static VTermKey special_key(uint32_t code)
{
	static const VTermKey keys[] = {
		[0] = VTERM_KEY_ENTER,
		[KEY_TAB - KEY_ENTER] = VTERM_KEY_TAB,
		[KEY_BACKSPACE - KEY_ENTER] = VTERM_KEY_BACKSPACE,
		[KEY_ESCAPE - KEY_ENTER] = VTERM_KEY_ESCAPE,
		[KEY_UP - KEY_ENTER] = VTERM_KEY_UP,
		[KEY_DOWN - KEY_ENTER] = VTERM_KEY_DOWN,
		[KEY_LEFT - KEY_ENTER] = VTERM_KEY_LEFT,
		[KEY_RIGHT - KEY_ENTER] = VTERM_KEY_RIGHT,
		[KEY_INSERT - KEY_ENTER] = VTERM_KEY_INS,
		[KEY_DELETE - KEY_ENTER] = VTERM_KEY_DEL,
		[KEY_HOME - KEY_ENTER] = VTERM_KEY_HOME,
		[KEY_END - KEY_ENTER] = VTERM_KEY_END,
		[KEY_PAGE_UP - KEY_ENTER] = VTERM_KEY_PAGEUP,
		[KEY_PAGE_DOWN - KEY_ENTER] = VTERM_KEY_PAGEDOWN,
	};

	if (code >= KEY_F1 && code <= KEY_LAST)
		return (VTermKey)(VTERM_KEY_FUNCTION_0 + 1 + (int)(code - KEY_F1));
	return code >= KEY_ENTER && code < KEY_F1 ? keys[code - KEY_ENTER] : VTERM_KEY_NONE;
}

/* The character that CODE is with control, as xterm has it. */
static uint32_t control_of(uint32_t code)
{
	static const char digits[] = "\0\x1b\x1c\x1d\x1e\x1f\x7f"; /* 2 to 8 */

	if ((code >= '@' && code <= '_') || (code >= 'a' && code <= 'z') || code == ' ')
		return code & 0x1f;
	if (code >= '2' && code <= '8')
		return (uint32_t)digits[code - '2'];
	if (code == '/' || code == '-')
		return 0x1f;
	return code == '?' ? 0x7f : code;
}

/* What libvterm sends for characters with modifiers is not what TERM promises. */
static void character_key(struct terminal *t, uint32_t code, unsigned modifiers)
{
	if (modifiers & KEY_MOD_ALT)
		vterm_keyboard_unichar(t->vterm, 0x1b, VTERM_MOD_NONE);
	vterm_keyboard_unichar(
	    t->vterm, modifiers & KEY_MOD_CTRL ? control_of(code) : code, VTERM_MOD_NONE);
}

void terminal_key(struct terminal *t, const struct msg_key *key)
{
	unsigned kept = key->modifiers;
	VTermModifier modifiers = VTERM_MOD_NONE;

	if (!t->vterm)
		return; /* there is nobody who would read it */
	if (key->code < KEY_ENTER) {
		character_key(t, key->code, kept);
		return;
	}
	/* keys that stand for one character; but Shift+Tab is back-tab */
	if (key->code == KEY_ENTER || key->code == KEY_BACKSPACE || key->code == KEY_ESCAPE)
		kept &= KEY_MOD_ALT;
	else if (key->code == KEY_TAB)
		kept &= KEY_MOD_ALT | KEY_MOD_SHIFT;
	if (kept & KEY_MOD_SHIFT)
		modifiers |= VTERM_MOD_SHIFT;
	if (kept & KEY_MOD_ALT)
		modifiers |= VTERM_MOD_ALT;
	if (kept & KEY_MOD_CTRL)
		modifiers |= VTERM_MOD_CTRL;
	vterm_keyboard_key(t->vterm, special_key(key->code), modifiers);
}

int terminal_take_dirty(struct terminal *t, int from)
{
	for (int row = from; row < t->rows; row++)
		if (t->marks[row]) {
			t->marks[row] = false;
			return row;
		}
	return -1;
}

bool terminal_changed(const struct terminal *t)
{
	return t->any;
}

static uint32_t colour_of(const struct terminal *t, VTermColor colour)
{
	vterm_screen_convert_color_to_rgb(t->screen, &colour);
	return (uint32_t)colour.rgb.red << 16 | (uint32_t)colour.rgb.green << 8 | colour.rgb.blue;
}

void terminal_cells(const struct terminal *t, int row, struct cell *cells, int count)
{
	for (int column = 0; column < count; column++) {
		VTermPos position = { .row = row, .col = column };
		VTermScreenCell c;
		uint32_t foreground, background, attributes = 0;

		cells[column] = (struct cell){ ' ', FOREGROUND, BACKGROUND };
		if (!t->vterm || column >= t->columns ||
		    !vterm_screen_get_cell(t->screen, position, &c))
			continue;
		foreground = colour_of(t, c.attrs.reverse ? c.bg : c.fg);
		background = colour_of(t, c.attrs.reverse ? c.fg : c.bg);
		if (c.attrs.bold)
			attributes |= CELL_BOLD;
		if (c.attrs.underline)
			attributes |= CELL_UNDERLINE;
		/* the second half of a wide character has the code -1 */
		cells[column].code = c.chars[0] == (uint32_t)-1 ? 0 : c.chars[0] ? c.chars[0] : ' ';
		cells[column].foreground = foreground;
		cells[column].background = background | attributes << 24;
	}
}

bool terminal_cursor(struct terminal *t, int *row, int *column)
{
	t->any = false;
	for (int i = 0; i < t->rows; i++)
		t->any = t->any || t->marks[i];
	*row = t->cursor.row;
	*column = t->cursor.col;
	return t->cursor_visible;
}
