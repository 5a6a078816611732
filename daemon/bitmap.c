/*
 * Interleaved and planar RLE, encoding only.
 *
 * Interleaved is a stream of orders over the pixels in a row, across line ends: "as the
 * line below in the picture" (BACKGROUND; black on the first line), "this colour n
 * times" and "these n pixels". Of the orders there are, these three do; the decoder's
 * foreground colour is never used.
 *
 * Planar is a byte of flags and then each colour by itself: alpha, red, green, blue. The
 * first line of a plane holds values, every other the difference to the line before,
 * sign in the lowest bit. Each line is segments of up to 15 bytes as they are and a
 * run of the last one; a run is 3 to 47 long, or none.
 */
#include "bitmap.h"

#include <string.h>

enum order { ORDER_BACKGROUND = 0x0, ORDER_COLOUR = 0x3, ORDER_PIXELS = 0x4 };
enum { ORDER_MEGA = 0xf0 };
enum { PLANAR_RLE = 0x10, PLANAR_NO_ALPHA = 0x20 };
enum { RUN_MIN = 3, RUN_MAX = 47, RAW_MAX = 15, SHORT_RUN_MAX = 15, LINE_MAX = 8192 };

size_t bitmap_bound(uint32_t width, uint32_t height, uint32_t bpp)
{
	/* planar: a control byte for every 15 as they are; interleaved: an order's header
	   of at most 3 bytes is earned back by every run but the last */
	if (bpp == 32)
		return 1 + 4 * (size_t)height * (width + width / RAW_MAX + 1);
	return 16 + (size_t)height * width * (bitmap_bytes(bpp) + 1);
}

static uint32_t native(uint32_t colour, uint32_t bpp)
{
	uint32_t red = colour >> 16 & 0xff, green = colour >> 8 & 0xff, blue = colour & 0xff;

	if (bpp == 15)
		return red >> 3 << 10 | green >> 3 << 5 | blue >> 3;
	if (bpp == 16)
		return red >> 3 << 11 | green >> 2 << 5 | blue >> 3;
	return colour & 0xffffff;
}

static uint8_t *put_order(uint8_t *out, enum order order, uint32_t count)
{
	if (count < 32) {
		*out++ = (uint8_t)((uint32_t)order << 5 | count);
	} else if (count < 256 + 32) {
		*out++ = (uint8_t)((uint32_t)order << 5);
		*out++ = (uint8_t)(count - 32);
	} else {
		*out++ = (uint8_t)(ORDER_MEGA | (uint32_t)order);
		*out++ = count & 0xff;
		*out++ = (uint8_t)(count >> 8);
	}
	return out;
}

static uint8_t *put_pixels(uint8_t *out, const uint32_t *pixels, uint32_t count, uint32_t bytes)
{
	for (uint32_t i = 0; i < count; i++) {
		*out++ = pixels[i] & 0xff;
		*out++ = pixels[i] >> 8 & 0xff;
		if (bytes == 3)
			*out++ = pixels[i] >> 16 & 0xff;
	}
	return out;
}

/* How many pixels from AT on are those one line before. Stops at the end of the first
   line, because decoders take the two cases apart by the order's first pixel. */
static uint32_t background_run(const uint32_t *pixels, uint32_t at, uint32_t total, uint32_t width)
{
	uint32_t end = at;

	if (at < width) {
		while (end < width && pixels[end] == 0)
			end++;
	} else {
		while (end < total && pixels[end] == pixels[end - width])
			end++;
	}
	return end - at;
}

static uint32_t colour_run(const uint32_t *pixels, uint32_t at, uint32_t total)
{
	uint32_t end = at + 1;

	while (end < total && pixels[end] == pixels[at])
		end++;
	return end - at;
}

/* Two background orders in a row would mean a foreground pixel between them: runs are
   taken as long as they go, so that none follows another but at the first line's end,
   where that rule does not hold. */
static size_t interleaved(
    uint8_t *out, const uint32_t *pixels, uint32_t width, uint32_t total, uint32_t bytes)
{
	uint8_t *const first = out;
	uint32_t at = 0, raw = 0; /* RAW pixels before AT are not written yet */

	while (at < total) {
		uint32_t run = background_run(pixels, at, total, width);
		enum order order = run >= RUN_MIN ? ORDER_BACKGROUND : ORDER_COLOUR;

		if (order == ORDER_COLOUR)
			run = colour_run(pixels, at, total);
		if (run < RUN_MIN) {
			at++;
			raw++;
			continue;
		}
		if (raw > 0)
			out = put_pixels(
			    put_order(out, ORDER_PIXELS, raw), pixels + at - raw, raw, bytes);
		out = put_order(out, order, run);
		if (order == ORDER_COLOUR)
			out = put_pixels(out, pixels + at, 1, bytes);
		at += run;
		raw = 0;
	}
	if (raw > 0)
		out = put_pixels(put_order(out, ORDER_PIXELS, raw), pixels + at - raw, raw, bytes);
	return (size_t)(out - first);
}

/* What is left of a run after TAKE of it must not be 1 or 2, which no segment can say. */
static uint32_t take_of_run(uint32_t run, uint32_t most)
{
	if (run <= most)
		return run;
	return run - most < RUN_MIN ? most - RUN_MIN : most;
}

/* RAW bytes as they are, then a RUN of the last of them; 0 or at least RUN_MIN. */
static uint8_t *put_segment(uint8_t *out, const uint8_t *raw, uint32_t raw_size, uint32_t run)
{
	while (raw_size > 0) {
		uint32_t size = raw_size < RAW_MAX ? raw_size : RAW_MAX;
		uint32_t take = size == raw_size ? take_of_run(run, SHORT_RUN_MAX) : 0;

		*out++ = (uint8_t)(size << 4 | take);
		memcpy(out, raw, size);
		out += size;
		raw += size;
		raw_size -= size;
		run -= take;
	}
	while (run > 0) {
		uint32_t take = take_of_run(run, RUN_MAX);

		if (take >= 32)
			*out++ = (uint8_t)((take - 32) << 4 | 2);
		else if (take >= 16)
			*out++ = (uint8_t)((take - 16) << 4 | 1);
		else
			*out++ = (uint8_t)take;
		run -= take;
	}
	return out;
}

static uint8_t *put_line(uint8_t *out, const uint8_t *line, uint32_t width)
{
	uint32_t at = 0, raw = 0;
	uint8_t last = 0;

	while (at < width) {
		uint32_t end = at;

		while (end < width && line[end] == last)
			end++;
		if (end - at >= RUN_MIN) {
			out = put_segment(out, line + at - raw, raw, end - at);
			raw = 0;
			at = end;
		}
		if (at < width) {
			end = end > at ? end : at + 1;
			raw += end - at;
			at = end;
			last = line[at - 1];
		}
	}
	return put_segment(out, line + at - raw, raw, 0);
}

static uint8_t *put_plane(
    uint8_t *out, const uint32_t *pixels, uint32_t width, uint32_t height, unsigned shift)
{
	uint8_t line[LINE_MAX];
	const uint32_t *before = pixels;

	for (uint32_t x = 0; x < width; x++)
		line[x] = (uint8_t)(pixels[x] >> shift);
	out = put_line(out, line, width);
	for (uint32_t y = 1; y < height; y++) {
		pixels += width;
		for (uint32_t x = 0; x < width; x++) {
			int8_t delta = (int8_t)((pixels[x] >> shift) - (before[x] >> shift));

			line[x] = (uint8_t)((uint8_t)delta << 1 ^ (delta < 0 ? 0xff : 0));
		}
		out = put_line(out, line, width);
		before = pixels;
	}
	return out;
}

/* Planes that are the same, as all are in a picture of greys, are encoded once. */
static uint8_t *put_colours(uint8_t *out, const uint32_t *pixels, uint32_t width, uint32_t height)
{
	uint8_t *begin = out;
	uint32_t differ = 0; /* low byte: blue from green, next: green from red */

	for (uint32_t i = 0; i < width * height; i++)
		differ |= pixels[i] ^ pixels[i] >> 8;
	out = put_plane(out, pixels, width, height, 16);
	for (int shift = 8; shift >= 0; shift -= 8) {
		size_t size = (size_t)(out - begin);

		begin = out;
		if ((differ >> shift & 0xff) == 0)
			out = (uint8_t *)memcpy(out, out - size, size) + size;
		else
			out = put_plane(out, pixels, width, height, (unsigned)shift);
	}
	return out;
}

static uint8_t *put_solid_plane(uint8_t *out, uint8_t value, uint32_t width, uint32_t height)
{
	size_t size;

	if (value == 0)
		out = put_segment(out, NULL, 0, width);
	else
		out = put_segment(out, &value, 1, width - 1);
	size = (size_t)(put_segment(out, NULL, 0, width) - out);
	for (uint32_t y = 2; y < height; y++)
		memcpy(out + (y - 1) * size, out, size);
	return out + (height - 1) * size;
}

size_t bitmap_encode(
    uint8_t *out, uint32_t *pixels, uint32_t width, uint32_t height, uint32_t bpp, bool skip_alpha)
{
	uint8_t *end = out;
	uint32_t total = width * height;

	if (bpp < 32) {
		for (uint32_t i = 0; bpp < 24 && i < total; i++)
			pixels[i] = native(pixels[i], bpp);
		return interleaved(out, pixels, width, total, bitmap_bytes(bpp));
	}
	*end++ = PLANAR_RLE | (skip_alpha ? PLANAR_NO_ALPHA : 0);
	if (!skip_alpha)
		end = put_solid_plane(end, 0xff, width, height);
	return (size_t)(put_colours(end, pixels, width, height) - out);
}

size_t bitmap_encode_solid(
    uint8_t *out, uint32_t colour, uint32_t width, uint32_t height, uint32_t bpp, bool skip_alpha)
{
	uint8_t *end = out;

	if (bpp < 32) {
		colour = native(colour, bpp);
		end = put_order(end, ORDER_COLOUR, width * height);
		end = put_pixels(end, &colour, 1, bitmap_bytes(bpp));
		return (size_t)(end - out);
	}
	*end++ = PLANAR_RLE | (skip_alpha ? PLANAR_NO_ALPHA : 0);
	if (!skip_alpha)
		end = put_solid_plane(end, 0xff, width, height);
	for (int shift = 16; shift >= 0; shift -= 8)
		end = put_solid_plane(end, (uint8_t)(colour >> shift), width, height);
	return (size_t)(end - out);
}
