/*
 * The first packet of an RDP client: TPKT header, X.224 Connection Request, and in it a
 * routing token or cookie and the protocols that the client speaks (MS-RDPBCGR 2.2.1.1).
 * Pure: bytes in, verdict out, so that a listener can judge a client by bytes it only
 * peeked at.
 */
#ifndef MUSESS_X224_H
#define MUSESS_X224_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bounds of the TPKT's length in bytes. */
enum { X224_REQUEST_MIN = 11, X224_REQUEST_MAX = 512 };

enum x224_result { X224_NEED_MORE, X224_VALID, X224_INVALID };

struct x224_request {
	uint16_t length;    /* bytes of the whole packet */
	uint32_t protocols; /* requestedProtocols; 0 where there is no rdpNegReq */
	bool negotiation;   /* there is one */
	char cookie[64];    /* what follows "mstshash=", printable ASCII, cut short; or "" */
};

/*
 * Judges the SIZE bytes at DATA, the first that a client sent; bytes after the packet are
 * not looked at. Returns
 * X224_VALID      and fills *REQUEST;
 * X224_NEED_MORE  where the packet may still become valid; it is not worth calling again
 *                 before there are *NEEDED bytes in all;
 * X224_INVALID    as soon as no further byte can mend it; *WHY says what is wrong, for a
 *                 log line (static text).
 * What a result does not name is left as it was.
 */
enum x224_result x224_request_parse(const uint8_t *data, size_t size, size_t *needed,
    struct x224_request *request, const char **why);

#endif
