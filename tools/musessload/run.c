/* A run, its report and its exit status. */
#include "run.h"

#include "engine.h"
#include "report.h"

#include <stdio.h>

static int run_once(const struct options *o)
{
	struct summary summary = { 0 };
	int status = engine_run(o, o->out, &summary);
	unsigned crossed = 0;

	if (summary.run_count) {
		report_text(stdout, &summary);
		crossed = threshold_report(stdout, o->threshold, o->thresholds, &summary);
	}
	summary_free(&summary);
	return crossed && status != LOAD_EXIT_INTERRUPTED ? LOAD_EXIT_THRESHOLD : status;
}

int run_main(int argc, char **argv)
{
	struct options options;
	int status = options_parse(&options, argc, argv);

	if (status < 0)
		status = options.max_search ? search_main(&options) : run_once(&options);
	options_finish(&options);
	return status;
}
