/*
 * The page (report.h): report-page.html, which is compiled in, with the document of report --json
 * and what its pictures need (timeline.h) in place of its marker. Nothing that came from a file is
 * written as HTML: it is in the document, where '<' is escaped, and the page's script puts it into
 * text nodes only.
 */
#include "report.h"
#include "timeline.h"

#include <string.h>

/* report-page.html; made by CMake. */
extern const char report_page[];

static const char marker[] = "@DATA@";

static json_t *page_json(struct summary *summary, const struct threshold *thresholds, size_t count)
{
	json_t *document = report_json(summary, thresholds, count), *curves = json_object();
	json_t *phases = json_array();

	for (unsigned i = 0; i < METRIC_COUNT; i++) {
		if (dist_count(&summary->metric[i]) == 0)
			continue;
		json_object_set_new(curves, metric_name(i), timeline_curve(&summary->metric[i]));
		if (i < LOAD_PHASE_COUNT)
			json_array_append_new(
			    phases, json_pack("[s,s]", metric_name(i), metric_text(i)));
	}
	if (json_object_set_new(document, "curves", curves) < 0 ||
	    json_object_set_new(document, "phases", phases) < 0 ||
	    json_object_set_new(document, "timeline", timeline_json(summary)) < 0) {
		json_decref(document);
		return NULL;
	}
	return document;
}

/* JSON that ends no script element: '<' stands in strings alone. */
static int write_escaped(const char *text, size_t length, void *out)
{
	for (size_t i = 0; i < length; i++)
		if (text[i] == '<')
			fputs("\\u003c", out);
		else
			fputc(text[i], out);
	return 0;
}

int report_html(
    FILE *out, struct summary *summary, const struct threshold *thresholds, size_t count)
{
	json_t *document = page_json(summary, thresholds, count);
	const char *data = strstr(report_page, marker);
	int status = -1;

	if (document) {
		fwrite(report_page, 1, (size_t)(data - report_page), out);
		status = json_dump_callback(
		    document, write_escaped, out, JSON_COMPACT | JSON_REAL_PRECISION(12));
		fputs(data + strlen(marker), out);
	}
	json_decref(document);
	return status;
}
