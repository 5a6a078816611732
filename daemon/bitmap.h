/*
 * The two bitmap codecs that every client has, as far as text needs them: interleaved
 * RLE below 32 bits a pixel (MS-RDPBCGR 2.2.9.1.1.3.1.2.4) and planar RLE at 32
 * (MS-RDPEGDI 2.2.2.5.1). Both take pixels bottom row first, without padding between
 * rows, and never fail: the output buffer has to be as large as bitmap_bound says.
 *
 * Why not FreeRDP's encoders (measured with 3.10.3): interleaved_compress takes 64x64
 * pixels at most and writes streams that its own decoder reads back as something else, at
 * 24 bits always and at 15 and 16 now and then; planar is right, but takes three times the
 * processor time for text.
 */
#ifndef MUSESS_BITMAP_H
#define MUSESS_BITMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes of a pixel at BPP 15, 16, 24 or 32. */
static inline uint32_t bitmap_bytes(uint32_t bpp)
{
	return (bpp + 7) / 8;
}

/* The most bytes that the encoders write for WIDTH x HEIGHT pixels, whatever they show. */
size_t bitmap_bound(uint32_t width, uint32_t height, uint32_t bpp);

/*
 * Encodes WIDTH x HEIGHT pixels of 0x00RRGGBB: at most 65535 of them, at least 4 and at
 * most 8192 in a row, which is what clients take. BPP 32 gives planar, 15,
 * 16 and 24 interleaved. SKIP_ALPHA leaves the alpha plane out, which only a client may be
 * sent that has DRAW_ALLOW_SKIP_ALPHA; it means nothing below 32. Below 32 PIXELS is
 * overwritten. Returns the number of bytes written to OUT.
 */
size_t bitmap_encode(
    uint8_t *out, uint32_t *pixels, uint32_t width, uint32_t height, uint32_t bpp, bool skip_alpha);

/* The same for a rectangle of one COLOUR, at a cost that hardly grows with its size. */
size_t bitmap_encode_solid(
    uint8_t *out, uint32_t colour, uint32_t width, uint32_t height, uint32_t bpp, bool skip_alpha);

#endif
