/* The modes: one table, from which they are set and reported. */
#include "vt-private.h"

static void select_screen(struct vt *vt, bool other)
{
	/* without memory for it, what is drawn on it is drawn on the first */
	if (other && vt_make_screen(vt, &vt->screens[1]) < 0)
		return;
	vt->modes = other ? vt->modes | VT_OTHER_SCREEN : vt->modes & ~(uint32_t)VT_OTHER_SCREEN;
	vt_mark(vt, -1);
}

static bool other_screen(const struct vt *vt)
{
	return (vt->modes & VT_OTHER_SCREEN) != 0;
}

static void set_screen(struct vt *vt, bool on)
{
	if (on != other_screen(vt))
		select_screen(vt, on);
}

/* It is blank when it is left. */
static void set_cleared_screen(struct vt *vt, bool on)
{
	if (!on && other_screen(vt))
		vt_erase_rows(vt, 0, vt->rows);
	set_screen(vt, on);
}

static void set_saved(struct vt *vt, bool on)
{
	if (on)
		vt_save(vt);
	else
		vt_restore(vt);
}

/* It is blank when it is entered, and the first one's cursor is where it was when it is left. */
static void set_screen_and_cursor(struct vt *vt, bool on)
{
	if (on == other_screen(vt))
		return;
	if (on)
		vt_save(vt);
	set_screen(vt, on);
	if (!on)
		vt_restore(vt);
	else if (other_screen(vt))
		vt_erase_rows(vt, 0, vt->rows);
}

static void reset_margins(struct vt *vt, bool on)
{
	(void)on;
	vt->left = 0;
	vt->right = vt->columns - 1;
	vt->wrap = false; /* it waited at a margin that is gone */
}

static void stay(struct vt *vt, bool on)
{
	(void)on;
	vt->wrap = false;
}

static void go_home(struct vt *vt, bool on)
{
	(void)on;
	vt_address(vt, 0, 0);
}

static void mark_all(struct vt *vt, bool on)
{
	(void)on;
	vt_mark(vt, -1);
}

/* Those without a bit are known and have no effect; the last three change screens themselves. */
static const struct mode {
	uint16_t number;
	bool private;
	uint32_t bit;
	void (*changed)(struct vt *vt, bool on); /* NULL: nothing follows */
} modes[] = {
	{ 4, false, VT_INSERT, NULL },
	{ 20, false, VT_NEW_LINE, NULL },
	{ 1, true, VT_CURSOR_KEYS, NULL },
	{ 3, true, 0, NULL }, /* 132 columns: the client's size is the terminal's */
	{ 4, true, 0, NULL }, /* smooth scrolling */
	{ 5, true, VT_REVERSE_SCREEN, mark_all },
	{ 6, true, VT_ORIGIN, go_home },
	{ 7, true, VT_AUTOWRAP, stay },
	{ 8, true, 0, NULL }, /* keys repeat: the client's matter */
	{ 9, true, VT_MOUSE_PRESS, NULL },
	{ 12, true, 0, NULL }, /* a cursor that blinks */
	{ 25, true, VT_CURSOR_VISIBLE, NULL },
	{ 66, true, VT_KEYPAD, NULL },
	{ 69, true, VT_MARGINS, reset_margins },
	{ 1000, true, VT_MOUSE_BUTTON, NULL },
	{ 1002, true, VT_MOUSE_DRAG, NULL },
	{ 1003, true, VT_MOUSE_ANY, NULL },
	{ 1004, true, VT_FOCUS, NULL },
	{ 1006, true, VT_MOUSE_SGR, NULL },
	{ 1034, true, 0, NULL }, /* 8-bit characters for Alt: they would be no UTF-8 */
	{ 2004, true, VT_PASTE, NULL },
	{ 1048, true, 0, set_saved },
	{ 47, true, VT_OTHER_SCREEN, set_screen },
	{ 1047, true, VT_OTHER_SCREEN, set_cleared_screen },
	{ 1049, true, VT_OTHER_SCREEN, set_screen_and_cursor },
};

static const struct mode *find(bool private, int number)
{
	for (unsigned i = 0; i < sizeof(modes) / sizeof(*modes); i++)
		if (modes[i].number == number && modes[i].private == private)
			return &modes[i];
	return NULL;
}

static void set_mode(struct vt *vt, const struct mode *m, bool on)
{
	if (m->bit != VT_OTHER_SCREEN)
		vt->modes = on ? vt->modes | m->bit : vt->modes & ~m->bit;
	if (m->changed)
		m->changed(vt, on);
}

void vt_set_modes(struct vt *vt, bool private, bool on)
{
	for (unsigned i = 0; i < vt->parser.count; i++) {
		const struct mode *m = find(private, vt_parameter(&vt->parser, i, 0));
		if (m)
			set_mode(vt, m, on);
		else
			vt->unknown++;
	}
}

int vt_mode_state(const struct vt *vt, bool private, int number)
{
	const struct mode *m = find(private, number);

	if (!m)
		return 0;
	return m->bit == 0 ? 4 : vt->modes & m->bit ? 1 : 2;
}
