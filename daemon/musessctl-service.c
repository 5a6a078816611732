/* What concerns the service as a whole: pool, drain, reload, version. */
#include "musessctl-show.h"
#include "musessctl.h"
#include "ntstatus.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* ---- pool ---- */

enum { POOL_MAX = 64 };

int ctl_pool(struct request *r)
{
	struct msg_pool m = { .size = POOL_ASK };
	union answer answer;
	int status;

	if (r->operand && (!ctl_parse_id(r->operand, &m.size) || m.size > POOL_MAX))
		return ctl_usage_error(
		    "pool: \"%s\" is no size: a number from 0 to %d is", r->operand, POOL_MAX);
	status = ctl_call(r, &m.h, CTL_POOL, sizeof(m), CTL_POOL, &answer);
	if (status)
		return status;
	if (answer.pool.status != STATUS_SUCCESS)
		return ctl_refused(r, answer.pool.status, NULL);
	if (r->json)
		return ctl_print_json(
		    r, json_pack("{s:I, s:I}", "size", (json_int_t)answer.pool.size, "idle",
		           (json_int_t)answer.pool.idle));
	printf("idle %u of %u\n", answer.pool.idle, answer.pool.size);
	return 0;
}

/* ---- drain ---- */

/* The modes by their numbers: the operand, and what change logon says of it. */
static const struct {
	const char *word, *text;
} drains[] = {
	[DRAIN_OFF] = { "off", "Session logins are currently ENABLED" },
	[DRAIN_UNTIL_RESTART] = { "until-restart",
	    "New user logons are DISABLED until the server is restarted, but reconnections to "
	    "existing sessions are ENABLED" },
	[DRAIN_ON] = { "on",
	    "New user logons are DISABLED, but reconnections to existing sessions are ENABLED" },
};
enum { DRAIN_COUNT = sizeof(drains) / sizeof(*drains) };

const char *ctl_drain_word(uint32_t mode)
{
	return mode < DRAIN_COUNT ? drains[mode].word : NULL;
}

int ctl_drain(struct request *r)
{
	struct msg_drain m = { .mode = DRAIN_ASK };
	union answer answer;
	int status;

	for (uint32_t mode = 0; r->operand && mode < DRAIN_COUNT; mode++)
		if (strcmp(r->operand, drains[mode].word) == 0)
			m.mode = mode;
	if (r->operand && m.mode == DRAIN_ASK)
		return ctl_usage_error(
		    "drain: \"%s\": allowed are on, off and until-restart", r->operand);
	status = ctl_call(r, &m.h, CTL_DRAIN, sizeof(m), CTL_DRAIN, &answer);
	if (status)
		return status;
	if (answer.drain.status != STATUS_SUCCESS)
		return ctl_refused(r, answer.drain.status, NULL);
	if (!ctl_drain_word(answer.drain.mode))
		return ctl_bad_answer(r);
	if (r->json)
		return ctl_print_json(
		    r, json_pack("{s:s}", "drain", drains[answer.drain.mode].word));
	puts(drains[answer.drain.mode].text);
	return 0;
}

/* ---- reload ---- */

/* The file is bad: each line says why. */
static int not_reloaded(const struct request *r, char *text, int32_t status)
{
	for (char *rest, *line = strtok_r(text, "\n", &rest); line;
	    line = strtok_r(NULL, "\n", &rest))
		ctl_error("reload: %s", line);
	return ctl_refused(r, status, "the running values stay");
}

static json_t *lines_json(char *text)
{
	json_t *array = json_array();

	for (char *rest, *line = strtok_r(text, "\n", &rest); line;
	    line = strtok_r(NULL, "\n", &rest))
		json_array_append_new(array, json_string(line));
	return array;
}

/* The service has the directories of its start; where a path leads to another by now, what it read is
   not what is meant. 0, or the exit status after saying so. */
static int compare_files(const struct named_file *files)
{
	int result = 0;

	for (unsigned i = 0; i < NAMED_FILES; i++) {
		char directory[NAMED_PATH_SIZE], *slash;
		struct stat status = { 0 };

		if (!files[i].path[0])
			continue;
		snprintf(directory, sizeof(directory), "%s", files[i].path);
		slash = strrchr(directory, '/');
		if (slash)
			slash[slash == directory] = 0;
		if (stat(directory, &status) < 0
		        ? errno == EACCES
		        : status.st_dev == files[i].device && status.st_ino == files[i].inode)
			continue;
		result = ctl_error("reload: %s is another directory than at the service's start, "
		                   "which still reads the %s of that one: restart the service",
		    directory, strrchr(files[i].path, '/') + 1);
	}
	return result;
}

int ctl_reload(struct request *r)
{
	struct msg_plain m;
	union answer answer;
	char *text = answer.reloaded.text;
	int status = ctl_call(r, &m.h, CTL_RELOAD, sizeof(m), CTL_RELOADED, &answer);

	if (status)
		return status;
	if (answer.reloaded.status != STATUS_SUCCESS)
		return not_reloaded(r, text, answer.reloaded.status);
	status = compare_files(answer.reloaded.files);
	if (status && !*text && answer.reloaded.changed == 0)
		return status;
	if (r->json)
		return ctl_print_json(r,
		           json_pack("{s:I, s:o}", "changed", (json_int_t)answer.reloaded.changed,
		               "lines", lines_json(text))) ||
		       status;
	if (*text)
		printf("%s%s", text, text[strlen(text) - 1] == '\n' ? "" : "\n");
	printf("%u option%s changed\n", answer.reloaded.changed,
	    answer.reloaded.changed == 1 ? "" : "s");
	return status;
}

/* ---- version ---- */

int ctl_version(struct request *r)
{
	struct msg_plain m;
	union answer answer;
	int status = ctl_call(r, &m.h, CTL_VERSION, sizeof(m), CTL_VERSION, &answer);

	if (status == 0 && r->json)
		return ctl_print_json(r, json_pack("{s:s, s:s}", "musessctl", MUSESS_VERSION,
		                             "service", answer.version.version));
	if (!r->json)
		printf("musessctl %s\n", MUSESS_VERSION);
	if (status == 0)
		printf("service   %s\n", answer.version.version);
	return status;
}
