/* A run, its report and its exit status. */
#include "run.h"

#include "engine.h"
#include "report.h"

#include <stdio.h>

void run_note_users(const struct options *o, uint64_t starts)
{
	uint64_t users = o->sm ? 0 : users_count(&o->users);

	if (users == 0 || starts <= users || o->end == END_LOGOFF)
		return;
	printf(
	    "\nsessions came back: %llu starts had %llu %s, none of whom logged off; a server that "
	    "keeps\nsessions gives earlier ones back, which is no session creation. Give more "
	    "users, or --end logoff.\n",
	    (unsigned long long)starts, (unsigned long long)users, users == 1 ? "user" : "users");
}

static int run_once(const struct options *o)
{
	struct summary summary = { 0 };
	int status = engine_run(o, o->out, &summary);
	unsigned crossed = 0;

	if (summary.run_count) {
		report_text(stdout, &summary);
		if (!o->reconnect)
			run_note_users(o, summary.started);
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
