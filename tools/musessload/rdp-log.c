/* FreeRDP's log. */
#include "rdp-log.h"

#include "run-info.h"

#include <stdio.h>
#include <string.h>
#include <winpr/wlog.h>

static _Thread_local char *kept;
static _Thread_local size_t kept_size;

static BOOL on_message(const wLogMessage *message)
{
	/* what OpenSSL says of a handshake comes behind FreeRDP's word that it failed */
	if (kept && (!*kept || strncmp(kept, "BIO_", 4) == 0) && message->TextString) {
		snprintf(kept, kept_size, "%s", message->TextString);
		load_clean(kept); /* a server's words may be in it */
	}
	return TRUE;
}

int rdp_log_begin(void)
{
	static wLogCallbacks callbacks = { .message = on_message };
	wLog *root = WLog_GetRoot();

	/* a prefix would name FreeRDP's context: that of the last connection, which may be freed */
	if (!WLog_SetLogAppenderType(root, WLOG_APPENDER_CALLBACK) ||
	    !WLog_ConfigureAppender(WLog_GetLogAppender(root), "callbacks", &callbacks) ||
	    !WLog_Layout_SetPrefixFormat(root, WLog_GetLogLayout(root), "") ||
	    !WLog_OpenAppender(root) || !WLog_SetLogLevel(root, WLOG_ERROR))
		return -1;
	return 0;
}

void rdp_log_keep(char *text, size_t size)
{
	kept = text;
	kept_size = size;
}
