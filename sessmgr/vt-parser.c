/*
 * The state machine is one table: for each state and each character the action and the next
 * state. Whatever enters ESCAPE, CSI_ENTRY or DCS_ENTRY begins a sequence with nothing collected.
 */
#include "vt-parser.h"

enum state {
	GROUND, /* a zeroed parser is here */
	ESCAPE,
	ESCAPE_INTERMEDIATE,
	CSI_ENTRY,
	CSI_PARAM,
	CSI_INTERMEDIATE,
	CSI_IGNORE,
	DCS_ENTRY,
	DCS_PARAM,
	DCS_INTERMEDIATE,
	DCS_PASSTHROUGH,
	DCS_IGNORE,
	OSC_STRING,
	SOS_PM_APC_STRING,
	STATES
};

/* What the table has beside enum vt_action. */
enum { COLLECT = VT_STRING + 1, PARAM, HOOK };

/* Characters above C1 are all alike. */
enum { OTHER = 0xa0, CHARACTERS };

/* Three intermediate characters are more than any sequence has. */
enum { COLLECTED_LIMIT = 0x10000 };

#define TO(action, state) ((action) << 4 | (state))

/* C0's controls but those that end a sequence. */
#define C0(action, state)                                                                          \
	[0x00 ... 0x17] = TO(action, state), [0x19] = TO(action, state),                           \
	          [0x1c ... 0x1f] = TO(action, state)
#define ANYWHERE                                                                                   \
	[0x18] = TO(VT_EXECUTE, GROUND), [0x1a] = TO(VT_EXECUTE, GROUND),                          \
	[0x80 ... 0x8f] = TO(VT_EXECUTE, GROUND), [0x90] = TO(VT_NONE, DCS_ENTRY),                 \
	[0x91 ... 0x97] = TO(VT_EXECUTE, GROUND), [0x98] = TO(VT_NONE, SOS_PM_APC_STRING),         \
	[0x99 ... 0x9a] = TO(VT_EXECUTE, GROUND), [0x9b] = TO(VT_NONE, CSI_ENTRY),                 \
	[0x9d] = TO(VT_NONE, OSC_STRING), [0x9e ... 0x9f] = TO(VT_NONE, SOS_PM_APC_STRING)
/* ESC and ST. */
#define ENDS(action) [0x1b] = TO(action, ESCAPE), [0x9c] = TO(action, GROUND)

static const uint8_t table[STATES][CHARACTERS] = {
	[GROUND] = { ANYWHERE, ENDS(VT_NONE), C0(VT_EXECUTE, GROUND),
	    [0x20 ... 0x7e] = TO(VT_PRINT, GROUND), [OTHER] = TO(VT_PRINT, GROUND) },
	[ESCAPE] = { ANYWHERE, ENDS(VT_NONE), C0(VT_EXECUTE, ESCAPE),
	    [0x20 ... 0x2f] = TO(COLLECT, ESCAPE_INTERMEDIATE),
	    [0x30 ... 0x4f] = TO(VT_ESCAPE, GROUND), [0x50] = TO(VT_NONE, DCS_ENTRY),
	    [0x51 ... 0x57] = TO(VT_ESCAPE, GROUND), [0x58] = TO(VT_NONE, SOS_PM_APC_STRING),
	    [0x59 ... 0x5a] = TO(VT_ESCAPE, GROUND), [0x5b] = TO(VT_NONE, CSI_ENTRY),
	    [0x5c] = TO(VT_ESCAPE, GROUND), [0x5d] = TO(VT_NONE, OSC_STRING),
	    [0x5e ... 0x5f] = TO(VT_NONE, SOS_PM_APC_STRING),
	    [0x60 ... 0x7e] = TO(VT_ESCAPE, GROUND), [0x7f] = TO(VT_NONE, ESCAPE),
	    [OTHER] = TO(VT_NONE, GROUND) },
	[ESCAPE_INTERMEDIATE] = { ANYWHERE, ENDS(VT_NONE), C0(VT_EXECUTE, ESCAPE_INTERMEDIATE),
	    [0x20 ... 0x2f] = TO(COLLECT, ESCAPE_INTERMEDIATE),
	    [0x30 ... 0x7e] = TO(VT_ESCAPE, GROUND), [0x7f] = TO(VT_NONE, ESCAPE_INTERMEDIATE),
	    [OTHER] = TO(VT_NONE, GROUND) },
	[CSI_ENTRY] = { ANYWHERE, ENDS(VT_NONE), C0(VT_EXECUTE, CSI_ENTRY),
	    [0x20 ... 0x2f] = TO(COLLECT, CSI_INTERMEDIATE), [0x30 ... 0x3b] = TO(PARAM, CSI_PARAM),
	    [0x3c ... 0x3f] = TO(COLLECT, CSI_PARAM), [0x40 ... 0x7e] = TO(VT_CONTROL, GROUND),
	    [0x7f] = TO(VT_NONE, CSI_ENTRY), [OTHER] = TO(VT_NONE, CSI_IGNORE) },
	[CSI_PARAM] = { ANYWHERE, ENDS(VT_NONE), C0(VT_EXECUTE, CSI_PARAM),
	    [0x20 ... 0x2f] = TO(COLLECT, CSI_INTERMEDIATE), [0x30 ... 0x3b] = TO(PARAM, CSI_PARAM),
	    [0x3c ... 0x3f] = TO(VT_NONE, CSI_IGNORE), [0x40 ... 0x7e] = TO(VT_CONTROL, GROUND),
	    [0x7f] = TO(VT_NONE, CSI_PARAM), [OTHER] = TO(VT_NONE, CSI_IGNORE) },
	[CSI_INTERMEDIATE] = { ANYWHERE, ENDS(VT_NONE), C0(VT_EXECUTE, CSI_INTERMEDIATE),
	    [0x20 ... 0x2f] = TO(COLLECT, CSI_INTERMEDIATE),
	    [0x30 ... 0x3f] = TO(VT_NONE, CSI_IGNORE), [0x40 ... 0x7e] = TO(VT_CONTROL, GROUND),
	    [0x7f] = TO(VT_NONE, CSI_INTERMEDIATE), [OTHER] = TO(VT_NONE, CSI_IGNORE) },
	[CSI_IGNORE] = { ANYWHERE, ENDS(VT_NONE), C0(VT_EXECUTE, CSI_IGNORE),
	    [0x20 ... 0x3f] = TO(VT_NONE, CSI_IGNORE), [0x40 ... 0x7e] = TO(VT_NONE, GROUND),
	    [0x7f] = TO(VT_NONE, CSI_IGNORE), [OTHER] = TO(VT_NONE, CSI_IGNORE) },
	[DCS_ENTRY] = { ANYWHERE, ENDS(VT_NONE), C0(VT_NONE, DCS_ENTRY),
	    [0x20 ... 0x2f] = TO(COLLECT, DCS_INTERMEDIATE),
	    [0x30 ... 0x3b] = TO(VT_NONE, DCS_PARAM), [0x3c ... 0x3f] = TO(COLLECT, DCS_PARAM),
	    [0x40 ... 0x7e] = TO(HOOK, DCS_PASSTHROUGH), [0x7f] = TO(VT_NONE, DCS_ENTRY),
	    [OTHER] = TO(VT_NONE, DCS_IGNORE) },
	[DCS_PARAM] = { ANYWHERE, ENDS(VT_NONE), C0(VT_NONE, DCS_PARAM),
	    [0x20 ... 0x2f] = TO(COLLECT, DCS_INTERMEDIATE),
	    [0x30 ... 0x3b] = TO(VT_NONE, DCS_PARAM), [0x3c ... 0x3f] = TO(VT_NONE, DCS_IGNORE),
	    [0x40 ... 0x7e] = TO(HOOK, DCS_PASSTHROUGH), [0x7f] = TO(VT_NONE, DCS_PARAM),
	    [OTHER] = TO(VT_NONE, DCS_IGNORE) },
	[DCS_INTERMEDIATE] = { ANYWHERE, ENDS(VT_NONE), C0(VT_NONE, DCS_INTERMEDIATE),
	    [0x20 ... 0x2f] = TO(COLLECT, DCS_INTERMEDIATE),
	    [0x30 ... 0x3f] = TO(VT_NONE, DCS_IGNORE), [0x40 ... 0x7e] = TO(HOOK, DCS_PASSTHROUGH),
	    [0x7f] = TO(VT_NONE, DCS_INTERMEDIATE), [OTHER] = TO(VT_NONE, DCS_IGNORE) },
	[DCS_PASSTHROUGH] = { ANYWHERE, ENDS(VT_STRING), C0(VT_NONE, DCS_PASSTHROUGH),
	    [0x20 ... 0x7f] = TO(VT_NONE, DCS_PASSTHROUGH),
	    [OTHER] = TO(VT_NONE, DCS_PASSTHROUGH) },
	[DCS_IGNORE] = { ANYWHERE, ENDS(VT_NONE), C0(VT_NONE, DCS_IGNORE),
	    [0x20 ... 0x7f] = TO(VT_NONE, DCS_IGNORE), [OTHER] = TO(VT_NONE, DCS_IGNORE) },
	[OSC_STRING] = { ANYWHERE, ENDS(VT_NONE),
	    [0x00 ... 0x06] = TO(VT_NONE, OSC_STRING), [0x07] = TO(VT_NONE, GROUND),
	    [0x08 ... 0x17] = TO(VT_NONE, OSC_STRING), [0x19] = TO(VT_NONE, OSC_STRING),
	    [0x1c ... 0x7f] = TO(VT_NONE, OSC_STRING), [OTHER] = TO(VT_NONE, OSC_STRING) },
	[SOS_PM_APC_STRING] = { ANYWHERE, ENDS(VT_NONE), C0(VT_NONE, SOS_PM_APC_STRING),
	    [0x20 ... 0x7f] = TO(VT_NONE, SOS_PM_APC_STRING),
	    [OTHER] = TO(VT_NONE, SOS_PM_APC_STRING) },
};

/* The first byte of a character. Returns whether it is all of it. The bounds of the next one leave
   out surrogates, what is above U+10FFFF, and longer forms of what has a shorter one. */
static bool begin_character(struct vt_parser *p, uint8_t byte)
{
	p->left = byte < 0xc2 || byte > 0xf4 ? 0 : byte < 0xe0 ? 1 : byte < 0xf0 ? 2 : 3;
	p->low = byte == 0xe0 ? 0xa0 : byte == 0xf0 ? 0x90 : 0x80;
	p->high = byte == 0xed ? 0x9f : byte == 0xf4 ? 0x8f : 0xbf;
	p->partial = byte & (0x3fu >> p->left);
	if (p->left > 0)
		return false;
	p->code = byte < 0x80 ? byte : VT_REPLACEMENT;
	return true;
}

/* Returns whether CODE is a character that is complete. */
static bool decode(struct vt_parser *p, uint8_t byte, bool *again)
{
	if (p->left == 0)
		return begin_character(p, byte);
	if (byte < p->low || byte > p->high) {
		p->left = 0;
		p->code = VT_REPLACEMENT;
		*again = true;
		return true;
	}
	p->low = 0x80;
	p->high = 0xbf;
	p->partial = p->partial << 6 | (byte & 0x3fu);
	p->code = p->partial;
	return --p->left == 0;
}

static void clear(struct vt_parser *p)
{
	p->collected = 0;
	p->subordinate = 0;
	p->count = 0;
	p->full = false;
}

static void begin_parameter(struct vt_parser *p, bool subordinate)
{
	if (p->count == VT_PARAMETERS_MAX) {
		p->full = true;
		return;
	}
	p->parameters[p->count] = 0;
	if (subordinate)
		p->subordinate |= 1u << p->count;
	p->count++;
}

/* A digit, a semicolon or a colon. */
static void parameter(struct vt_parser *p)
{
	uint32_t value;

	if (p->count == 0)
		begin_parameter(p, false);
	if (p->code > '9') {
		begin_parameter(p, p->code == ':');
	} else if (!p->full) {
		value = p->parameters[p->count - 1] * 10u + (p->code - '0');
		p->parameters[p->count - 1] = (uint16_t)(value < UINT16_MAX ? value : UINT16_MAX);
	}
}

static void collect(struct vt_parser *p)
{
	/* one too many stays too many, and is no sequence's */
	p->collected =
	    p->collected < COLLECTED_LIMIT ? p->collected << 8 | p->code : COLLECTED_LIMIT;
}

enum vt_action vt_parse(struct vt_parser *p, uint8_t byte, bool *again)
{
	uint8_t to, action;

	if (!decode(p, byte, again))
		return VT_NONE;
	to = table[p->state][p->code < OTHER ? p->code : OTHER];
	action = to >> 4;
	p->state = to & 0xf;
	if (p->state == ESCAPE || p->state == CSI_ENTRY || p->state == DCS_ENTRY)
		clear(p);
	if (action <= VT_STRING)
		return action;
	if (action == COLLECT)
		collect(p);
	else if (action == PARAM)
		parameter(p);
	else
		p->string = p->collected << 8 | p->code;
	return VT_NONE;
}

unsigned vt_subordinates(const struct vt_parser *p, unsigned i)
{
	unsigned n = 0;

	while (i + n + 1 < p->count && p->subordinate >> (i + n + 1) & 1)
		n++;
	return n;
}
