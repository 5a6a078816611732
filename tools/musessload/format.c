/* How reports write times and sizes (format.h). */
#include "format.h"

#include <math.h>
#include <stdio.h>

const char *format_time(char *text, size_t size, double us)
{
	if (us < 999.5)
		snprintf(text, size, "%.0fus", us);
	else if (us < 99950)
		snprintf(text, size, us < 9995 ? "%.2fms" : "%.1fms", us / 1e3);
	else if (us < 999500)
		snprintf(text, size, "%.0fms", us / 1e3);
	else if (us < 119.5e6)
		snprintf(text, size, us < 99.95e6 ? "%.2fs" : "%.0fs", us / 1e6);
	else
		snprintf(text, size, "%ldm%02lds", lround(us / 1e6) / 60, lround(us / 1e6) % 60);
	return text;
}

const char *format_bytes(char *text, size_t size, double bytes)
{
	if (bytes < 1e6)
		snprintf(text, size, "%.0f kB", bytes / 1e3);
	else if (bytes < 1e9)
		snprintf(text, size, "%.1f MB", bytes / 1e6);
	else
		snprintf(text, size, "%.1f GB", bytes / 1e9);
	return text;
}

const char *format_difference(char *text, size_t size, double us)
{
	char time[32];

	snprintf(text, size, "%s%s", us < 0 ? "-" : "+", format_time(time, sizeof(time), fabs(us)));
	return text;
}
