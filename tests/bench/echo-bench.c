/*
 * Measures how long a key press takes to be seen: from sending the scancode to the bitmap
 * update that its echo causes, in a session's shell.
 *
 *   echo-bench PORT USER PASSWORD [KEYS]
 *
 * Prints: keys, p50, p99 and max in milliseconds. Exit status 0 where every key was echoed.
 */
#include "clock.h"

#include <freerdp/freerdp.h>
#include <freerdp/input.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <winpr/ssl.h>
#include <winpr/synch.h>
#include <winpr/wlog.h>

enum { SCANCODE_X = 0x2d, PATIENCE_US = 2000000 };

static unsigned updates;

static BOOL on_bitmap(rdpContext *context, const BITMAP_UPDATE *update)
{
	(void)context;
	(void)update;
	updates++;
	return TRUE;
}

static BOOL on_post_connect(freerdp *instance)
{
	instance->context->update->BitmapUpdate = on_bitmap;
	return TRUE;
}

/* Serves the connection until COUNT updates came, or until TIME. False when it is lost. */
static bool serve(freerdp *instance, unsigned count, uint64_t time)
{
	while (updates < count) {
		HANDLE handles[64];
		uint64_t now = clock_us();
		DWORD n = freerdp_get_event_handles(instance->context, handles, 64);

		if (now >= time)
			return true;
		WaitForMultipleObjects(n, handles, FALSE, (DWORD)((time - now) / 1000 + 1));
		if (!freerdp_check_event_handles(instance->context))
			return false;
	}
	return true;
}

static int ascending(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* Waits until nothing has been drawn for a while. */
static bool settle(freerdp *instance)
{
	unsigned before;

	do {
		before = updates;
		if (!serve(instance, UINT32_MAX, clock_us() + 300000))
			return false;
	} while (updates != before);
	return true;
}

/* Presses keys, one after the other is echoed. Returns how many were. */
static unsigned press(freerdp *instance, uint64_t *took, unsigned keys)
{
	rdpInput *input = instance->context->input;

	for (unsigned i = 0; i < keys; i++) {
		unsigned before = updates;
		uint64_t begin = clock_us();

		freerdp_input_send_keyboard_event(input, 0, SCANCODE_X);
		freerdp_input_send_keyboard_event(input, KBD_FLAGS_RELEASE, SCANCODE_X);
		if (!serve(instance, before + 1, begin + PATIENCE_US) || updates == before)
			return i;
		took[i] = clock_us() - begin;
		if (!serve(instance, UINT32_MAX, clock_us() + 20000)) /* the cursor's own */
			return i;
	}
	return keys;
}

static void print_times(uint64_t *took, unsigned done, unsigned keys)
{
	const unsigned median = done / 2, late = done * 99 / 100;

	qsort(took, done, sizeof(*took), ascending);
	printf("keys %u of %u echoed  p50 %.2f ms  p99 %.2f ms  max %.2f ms\n", done, keys,
	    (double)took[median] / 1e3, (double)took[late] / 1e3, (double)took[done - 1] / 1e3);
}

static int set_up(rdpSettings *s, char **argv)
{
	return freerdp_settings_set_string(s, FreeRDP_ServerHostname, "127.0.0.1") &&
	               freerdp_settings_set_uint32(
	                   s, FreeRDP_ServerPort, (UINT32)strtoul(argv[1], NULL, 10)) &&
	               freerdp_settings_set_string(s, FreeRDP_Username, argv[2]) &&
	               freerdp_settings_set_string(s, FreeRDP_Password, argv[3]) &&
	               freerdp_settings_set_bool(s, FreeRDP_IgnoreCertificate, TRUE) &&
	               freerdp_settings_set_bool(s, FreeRDP_SupportGraphicsPipeline, FALSE) &&
	               freerdp_settings_set_bool(s, FreeRDP_DeactivateClientDecoding, TRUE) &&
	               freerdp_settings_set_uint32(s, FreeRDP_ColorDepth, 32)
	           ? 0
	           : -1;
}

int main(int argc, char **argv)
{
	unsigned keys = argc > 4 ? (unsigned)strtoul(argv[4], NULL, 10) : 60, done;
	freerdp *instance = freerdp_new();
	uint64_t *took;

	if (argc < 4 || keys < 1) {
		fprintf(stderr, "usage: echo-bench PORT USER PASSWORD [KEYS]\n");
		return 2;
	}
	setenv("TZ", ":/etc/localtime", 0);
	WLog_SetLogLevel(WLog_GetRoot(), WLOG_OFF);
	winpr_InitializeSSL(WINPR_SSL_INIT_DEFAULT);
	took = calloc(keys, sizeof(*took));
	if (!took || !instance || !freerdp_context_new(instance) ||
	    set_up(instance->context->settings, argv) < 0) {
		free(took);
		return 1;
	}
	instance->PostConnect = on_post_connect;
	if (!freerdp_connect(instance) || !settle(instance)) {
		fprintf(stderr, "echo-bench: no session\n");
		free(took);
		return 1;
	}
	done = press(instance, took, keys);
	if (done > 0)
		print_times(took, done, keys);
	freerdp_disconnect(instance);
	freerdp_context_free(instance);
	freerdp_free(instance);
	free(took);
	return done == keys ? 0 : 1;
}
