/* Fuzzer of the file of results: whatever is in one, its reader and every report of it come to an
   end, with sums that agree and a page in which nothing of it is markup. */
#include "report.h"
#include "result-file.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
	if (!holds)
		abort();
}

static void check_sums(struct summary *s)
{
	uint64_t errors = 0;

	for (int i = 0; i < LOAD_ERROR_COUNT; i++)
		errors += s->errors[i];
	check(errors == s->started);
	check(s->point_count == s->started + s->missed);
	check(s->started == s->ok + s->failed + s->errors[LOAD_INTERRUPTED]);
	for (unsigned i = 0; i < METRIC_COUNT; i++)
		check(dist_percentile(&s->metric[i], 50) <= dist_max(&s->metric[i]));
}

static void check_page(struct summary *s)
{
	char *page = NULL, *end;
	size_t size;
	FILE *out = open_memstream(&page, &size);

	check(out && report_html(out, s, NULL, 0) == 0 && fclose(out) == 0);
	/* the data's element ends where the page ends it, and has no markup before */
	end = strstr(strstr(page, "id=\"data\">") + strlen("id=\"data\">"), "<");
	check(end && strncmp(end, "</script>\n<script>\n'use strict'", 29) == 0);
	free(page);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct summary summary = { 0 };
	FILE *in = size ? fmemopen((void *)(uintptr_t)data, size, "r") : NULL;
	FILE *out = fopen("/dev/null", "we");
	json_t *document;

	check(out != NULL);
	if (in && result_read_stream(in, "fuzz", &summary) == 0) {
		check_sums(&summary);
		report_text(out, &summary);
		report_csv(out, &summary);
		report_hdr(out, &summary, METRIC_TOTAL);
		document = report_json(&summary, NULL, 0);
		check(document != NULL);
		json_decref(document);
		check_page(&summary);
	}
	summary_free(&summary);
	if (in)
		fclose(in);
	fclose(out);
	return 0;
}
