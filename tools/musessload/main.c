/* musessload: load-tests whatever speaks RDP with session creations. */
#include "report.h"
#include "run-options.h"
#include "run.h"

#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>

static int print_help(FILE *out, int status)
{
	fputs("Usage: musessload run HOST[:PORT] ...     load a server, and measure it\n"
	      "       musessload report FILE...          what runs have measured\n"
	      "       musessload compare A B             what changed, and whether it is noise\n"
	      "       musessload --version\n"
	      "Each has --help.\n",
	    out);
	return status;
}

static int dispatch(int argc, char **argv)
{
	const char *word = argc > 1 ? argv[1] : "";

	if (strcmp(word, "run") == 0)
		return run_main(argc - 1, argv + 1);
	if (strcmp(word, "report") == 0)
		return report_main(argc - 1, argv + 1);
	if (strcmp(word, "compare") == 0)
		return compare_main(argc - 1, argv + 1);
	if (strcmp(word, "--complete") == 0) {
		options_print_completion();
		return LOAD_EXIT_OK;
	}
	if (strcmp(word, "--version") == 0) {
		printf("musessload %s\n", MUSESS_VERSION);
		return LOAD_EXIT_OK;
	}
	if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)
		return print_help(stdout, LOAD_EXIT_OK);
	fprintf(stderr, "musessload: %s%s\n", *word ? "there is no command " : "no command", word);
	return print_help(stderr, LOAD_EXIT_USAGE);
}

int main(int argc, char **argv)
{
	int status;

	setlocale(LC_CTYPE, "C.UTF-8");
	status = dispatch(argc, argv);
	if ((fflush(stdout) != 0 || ferror(stdout)) && status == LOAD_EXIT_OK) {
		fprintf(stderr, "musessload: cannot write: %s\n", strerror(errno));
		status = LOAD_EXIT_FAILED;
	}
	return status;
}
