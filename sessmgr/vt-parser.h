/*
 * Bytes that programs write, as actions: UTF-8 is decoded, and Paul Williams' published state
 * machine of DEC's VT500 (vt100.net/emu/dec_ansi_parser) tells text from control functions. What
 * differs from it: a colon separates sub-parameters (ITU T.416), BEL ends an operating system
 * command as in xterm, and strings are kept nowhere. Pure: no I/O, no allocation.
 */
#ifndef MUSESS_VT_PARSER_H
#define MUSESS_VT_PARSER_H

#include <stdbool.h>
#include <stdint.h>

enum { VT_PARAMETERS_MAX = 32, VT_REPLACEMENT = 0xfffd };

/* What there is to be done after a byte. */
enum vt_action {
	VT_NONE,
	VT_PRINT,   /* the character CODE */
	VT_EXECUTE, /* the control character CODE, of C0 or C1 */
	VT_ESCAPE,  /* the escape sequence of COLLECTED and the final character CODE */
	VT_CONTROL, /* the control sequence of COLLECTED, the parameters and the final character CODE */
	VT_STRING /* a device control string has ended that began as STRING says */
};

struct vt_parser {
	uint8_t state;
	uint8_t left, low,
	    high;         /* of a character in UTF-8: bytes to come, bounds of the next one */
	uint8_t count;    /* of parameters that were begun */
	bool full;        /* there were more: they are left out */
	uint32_t partial; /* the character so far */
	uint32_t code;
	uint32_t collected;   /* private marker and intermediate characters, the last one lowest */
	uint32_t string;      /* COLLECTED and the final character of a device control string */
	uint32_t subordinate; /* bit I: a colon is before parameter I */
	uint16_t parameters[VT_PARAMETERS_MAX];
};

/* Takes one byte. *AGAIN becomes true where the byte has only shown that the character before is
   cut off: it is to be given once more. A zeroed parser is at the beginning. */
enum vt_action vt_parse(struct vt_parser *p, uint8_t byte, bool *again);

/* Whether the next byte from 0x20 to 0x7e is text. */
static inline bool vt_parser_idle(const struct vt_parser *p)
{
	return p->state == 0 && p->left == 0;
}

/* Parameter I, or OTHERWISE where it is 0 or left out. At most 65535. */
static inline int vt_parameter(const struct vt_parser *p, unsigned i, int otherwise)
{
	return i < p->count && p->parameters[i] > 0 ? p->parameters[i] : otherwise;
}

/* How many sub-parameters follow parameter I. */
unsigned vt_subordinates(const struct vt_parser *p, unsigned i);

#endif
