/* The sub-command `report` (report.h). */
#include "report.h"
#include "result-file.h"
#include "threshold.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

/* Exit statuses. */
enum { GOOD = 0, FAILED = 1, USAGE = 2, CROSSED = 99 };

enum form { FORM_TEXT, FORM_JSON, FORM_CSV, FORM_HDR, FORM_HTML };

enum { THRESHOLDS = 32 };

struct request {
	enum form form;
	const char *html; /* the page's file; NULL: standard output */
	unsigned metric;
	struct threshold thresholds[THRESHOLDS];
	size_t threshold_count;
};

static const char help[] =
    "Usage: musessload report [OPTION]... FILE...\n"
    "What the runs say whose results `musessload run --out FILE` wrote. Several files become one\n"
    "exact distribution.\n\n"
    "  --json             one JSON document\n"
    "  --csv              a line for each metric, times in microseconds\n"
    "  --hdr              a metric's percentiles, as HdrHistogram writes them, in milliseconds\n"
    "  --metric NAME      the metric of --hdr (default: total)\n"
    "  --html[=PAGE]      one page with everything in it, to open in a browser\n"
    "  --threshold T      exit with 99 where T is not kept: p95(total)<800ms, fail<1%,\n"
    "                     missed<1%, rate>=20/s; may be repeated\n"
    "  --help             print this and leave\n\n"
    "Exit status: 0; 1 the report cannot be written; 2 the command line or a file is wrong;\n"
    "99 a threshold is crossed.\n";

/* ---- the command line ---- */

static int usage_error(const char *what, const char *text)
{
	fprintf(stderr, "musessload report: %s%s\nmusessload report --help lists the options\n",
	    what, text);
	return USAGE;
}

static int add_threshold(struct request *r, const char *text)
{
	char error[512];

	if (r->threshold_count == THRESHOLDS)
		return usage_error("too many thresholds: ", text);
	if (threshold_parse(&r->thresholds[r->threshold_count], text, error, sizeof(error)) < 0) {
		fprintf(stderr, "musessload report: --threshold '%s': %s\n", text, error);
		return USAGE;
	}
	r->threshold_count++;
	return GOOD;
}

static int set_metric(struct request *r, const char *name)
{
	int metric = metric_find(name);

	if (metric < 0) {
		fprintf(stderr, "musessload report: --metric %s: there are", name);
		for (unsigned i = 0; i < METRIC_COUNT; i++)
			fprintf(stderr, "%s %s", i ? "," : "", metric_name(i));
		fputc('\n', stderr);
		return USAGE;
	}
	r->metric = (unsigned)metric;
	return GOOD;
}

static int set_form(struct request *r, enum form form)
{
	if (r->form != FORM_TEXT && r->form != form)
		return usage_error("one of --json, --csv, --hdr and --html at a time", "");
	r->form = form;
	return GOOD;
}

static int take_option(struct request *r, int option)
{
	switch (option) {
	case 'j':
		return set_form(r, FORM_JSON);
	case 'c':
		return set_form(r, FORM_CSV);
	case 'd':
		return set_form(r, FORM_HDR);
	case 'p':
		r->html = optarg;
		return set_form(r, FORM_HTML);
	case 'm':
		return set_metric(r, optarg);
	case 't':
		return add_threshold(r, optarg);
	default: /* getopt has said what */
		return usage_error("", "the options cannot be read");
	}
}

/* Returns -1 to go on, or an exit status. */
static int parse(struct request *r, int argc, char **argv)
{
	static const struct option options[] = { { "json", no_argument, NULL, 'j' },
		{ "csv", no_argument, NULL, 'c' }, { "hdr", no_argument, NULL, 'd' },
		{ "metric", required_argument, NULL, 'm' },
		{ "html", optional_argument, NULL, 'p' },
		{ "threshold", required_argument, NULL, 't' }, { "help", no_argument, NULL, 'h' },
		{ 0 } };
	int option;

	r->metric = METRIC_TOTAL;
	optind = 1;
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		int status;

		if (option == 'h') {
			fputs(help, stdout);
			return GOOD;
		}
		status = take_option(r, option);
		if (status != GOOD)
			return status;
	}
	if (optind == argc)
		return usage_error("no file of results", "");
	return -1;
}

/* ---- the report ---- */

/* Returns 0, or -1 where memory is short. */
static int write_json(FILE *out, const struct request *r, struct summary *summary)
{
	json_t *document = report_json(summary, r->thresholds, r->threshold_count);
	int status =
	    document ? json_dumpf(document, out, JSON_INDENT(2) | JSON_REAL_PRECISION(12)) : -1;

	json_decref(document);
	fputc('\n', out);
	return status;
}

/* Returns 0, or -1 where memory is short. */
static int write_form(FILE *out, const struct request *r, struct summary *summary)
{
	switch (r->form) {
	case FORM_TEXT:
		report_text(out, summary);
		break;
	case FORM_JSON:
		return write_json(out, r, summary);
	case FORM_CSV:
		report_csv(out, summary);
		break;
	case FORM_HDR:
		report_hdr(out, summary, r->metric);
		break;
	case FORM_HTML:
		return report_html(out, summary, r->thresholds, r->threshold_count);
	}
	return 0;
}

/* Returns an exit status. */
static int write_report(const struct request *r, struct summary *summary)
{
	const char *name = r->html ? r->html : "standard output";
	struct whole_file whole = { 0 };
	int fd = r->html ? whole_file_open(&whole, r->html) : -1, status;
	FILE *out = !r->html ? stdout : fd < 0 ? NULL : fdopen(fd, "w");

	if (!out) {
		fprintf(stderr, "musessload: cannot write %s: %s\n", name, strerror(errno));
		return FAILED;
	}
	errno = 0;
	status = write_form(out, r, summary);
	if (status < 0 && !errno)
		errno = ENOMEM;
	if (ferror(out) || fflush(out) != 0)
		status = -1;
	if (status < 0)
		fprintf(stderr, "musessload: cannot write %s: %s\n", name, strerror(errno));
	if (out != stdout && fclose(out) != 0)
		status = -1;
	if (status == 0 && whole_file_place(&whole) < 0) {
		fprintf(stderr, "musessload: cannot write %s: %s\n", name, strerror(errno));
		status = -1;
	}
	whole_file_end(&whole);
	return status < 0 ? FAILED : GOOD;
}

int report_main(int argc, char **argv)
{
	struct request r = { 0 };
	struct summary summary = { 0 };
	int status = parse(&r, argc, argv);

	if (status >= 0)
		return status;
	status = GOOD;
	for (int i = optind; i < argc && status == GOOD; i++)
		if (result_read(argv[i], &summary) < 0)
			status = USAGE;
	if (status == GOOD)
		status = write_report(&r, &summary);
	/* with the report, unless that is for a program */
	if (status == GOOD && threshold_report(r.form == FORM_TEXT ? stdout : stderr, r.thresholds,
	                          r.threshold_count, &summary))
		status = CROSSED;
	summary_free(&summary);
	return status;
}
