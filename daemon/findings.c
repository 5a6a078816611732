/* A report is a stream in memory. */
#include "findings.h"

#include "log.h"

#include <stdlib.h>
#include <string.h>

FILE *findings_begin(struct findings *r)
{
	*r = (struct findings){ 0 };
	r->out = open_memstream(&r->text, &r->size);
	return r->out;
}

char *findings_text(struct findings *r)
{
	if (r->out && fclose(r->out) == 0)
		return r->text;
	free(r->text);
	return NULL;
}

int findings_log(struct findings *r, int result, const char *hint)
{
	char *text = findings_text(r);

	if (!text) {
		log_error("memory is short");
		return -1;
	}
	if (result == 0 || !hint)
		log_lines(text, result == 0 ? log_warn : log_error);
	else
		log_error("%.*s: %s", (int)strcspn(text, "\n"), text, hint);
	free(text);
	return result;
}
