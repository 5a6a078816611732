/* How wide characters are, from Unicode's data: the C library's wcwidth needs a locale, and a session's
   static csrss has none. */
#include "vt-private.h"

struct vt_range {
	uint32_t first, last;
};
#include "vt-width-table.h"

static bool contains(const struct vt_range *ranges, size_t count, uint32_t code)
{
	size_t from = 0;

	while (from < count) {
		size_t middle = from + (count - from) / 2;
		if (code > ranges[middle].last)
			from = middle + 1;
		else
			count = middle;
	}
	/* COUNT is where it would be */
	return code >= ranges[from].first && code <= ranges[from].last;
}

#define IN(ranges, code)                                                                           \
	((code) <= (ranges)[sizeof(ranges) / sizeof(*(ranges)) - 1].last &&                        \
	    contains(ranges, sizeof(ranges) / sizeof(*(ranges)), code))

int vt_width(uint32_t code)
{
	if (code < none[0].first)
		return 1;
	return IN(none, code) ? 0 : IN(wide, code) ? 2 : 1;
}
