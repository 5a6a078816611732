/* Looks at what the configuration names, and changes nothing. */
#include "check.h"

#include "configured.h"
#include "findings.h"
#include "log.h"
#include "port.h"
#include "smss.h"
#include "termsrv.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- commands ---- */

/* Whether PATH is below what sessions have of this machine. */
static bool in_sessions(const char *path)
{
	static const char *const places[] = { "/usr/", "/bin/", "/sbin/", "/lib/", "/lib32/",
		"/lib64/", "/libx32/" };

	for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++)
		if (strncmp(path, places[i], strlen(places[i])) == 0)
			return true;
	return false;
}

/* Whether sessions have what PATH leads to. Of what is not there its name says it. */
static bool seen(const char *path)
{
	char *real = realpath(path, NULL);
	bool within = in_sessions(path) && (!real || in_sessions(real));

	free(real);
	return within;
}

/* The program that TEXT begins with, for the option NAME; PROGRAMS has those without a path. */
static int check_command(const char *name, const char *text, const char *programs, FILE *report)
{
	int length = (int)strcspn(text, " \t");
	bool absolute = text[0] == '/', own = strncmp(text, ROOT_BIN "/", sizeof(ROOT_BIN)) == 0;
	char path[2 * OPTION_TEXT_SIZE];
	struct stat status;

	if (own)
		snprintf(path, sizeof(path), "%s%.*s", programs, length - (int)strlen(ROOT_BIN),
		    text + strlen(ROOT_BIN));
	else
		snprintf(path, sizeof(path), "%s%s%.*s", absolute ? "" : programs,
		    absolute ? "" : "/", length, text);
	if (own ? strstr(path, "/../") != NULL : absolute && !seen(path)) {
		fprintf(report,
		    "%s is \"%s\", and sessions see nothing of %s; allowed: a program "
		    "below /usr\n",
		    name, text, path);
		return -1;
	}
	if (stat(path, &status) == 0 && !S_ISREG(status.st_mode))
		errno = EACCES;
	else if (access(path, X_OK) == 0)
		return 0;
	fprintf(report, "%s is \"%s\", and %s cannot be executed: %s\n", name, text, path,
	    strerror(errno));
	return -1;
}

/* What a shell runs in a session: a program by its path can be looked at. */
static int check_text(const char *name, const char *text, const char *programs, FILE *report)
{
	size_t length = strcspn(text, " \t");

	if (text[0] != '/' || strcspn(text, "\"'\\`$*?[]{}();&|<>~#=") < length)
		return 0;
	return check_command(name, text, programs, report);
}

/* Of the OPTION's NAMES smss skips those without a command: that is said, and no more. */
static void warn_of_names(
    const struct musess_config *config, const char *option, const char *names, FILE *report)
{
	for (names += strspn(names, " \t"); *names; names += strspn(names, " \t")) {
		int length = (int)strcspn(names, " \t");
		if (!(length == 5 && strncmp(names, "Debug", 5) == 0) &&
		    !config_subsystem_command(config, names, (size_t)length))
			fprintf(report, "%s names %.*s, which has no command: it is skipped\n",
			    option, length, names);
		names += length;
	}
}

int check_commands(const struct musess_config *config, const char *programs, FILE *report)
{
	int result = 0;

	for (size_t i = 0; i < SUBSYSTEMS_MAX; i++)
		if (config->commands[i].name[0] &&
		    check_command(config->commands[i].name, config->commands[i].command, programs,
		        report) < 0)
			result = -1;
	if (check_text("Execute", config->Execute, programs, report) < 0)
		result = -1;
	return check_text("InitialProgram", config->InitialProgram, programs, report) < 0 ? -1
	                                                                                  : result;
}

/* ---- addresses ---- */

static int check_address(const char *option, const char *text, FILE *report)
{
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };
	struct sockaddr_in in = { .sin_family = AF_INET };
	bool six = inet_pton(AF_INET6, text, &in6.sin6_addr) == 1;
	int fd = socket(six ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), bound = 0;

	if (!six)
		inet_pton(AF_INET, text, &in.sin_addr);
	if (fd >= 0) /* to any port */
		bound = six ? bind(fd, (struct sockaddr *)&in6, sizeof(in6))
		            : bind(fd, (struct sockaddr *)&in, sizeof(in));
	if (bound < 0)
		fprintf(report, "%s is \"%s\": %s; allowed: an address that this machine has\n",
		    option, text, strerror(errno));
	fd_close(&fd);
	return bound;
}

/* ---- the file of events ---- */

/* Whether one of the files that are read is that of STATUS. */
static bool is_read(const struct musess_config *config, const char *name, const struct stat *status)
{
	const char *const files[] = { name, config->Certificate, config->PrivateKey, config->Font,
		config->FontBold };
	struct stat other;

	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++)
		if (stat(files[i], &other) == 0 && other.st_dev == status->st_dev &&
		    other.st_ino == status->st_ino)
			return true;
	return false;
}

int check_events(const struct musess_config *config, const char *name, FILE *report)
{
	const char *path = config->EventFile;
	char directory[OPTION_TEXT_SIZE];
	struct stat status;
	bool there = lstat(path, &status) == 0;
	char *slash;

	if (!path[0])
		return 0;

	snprintf(directory, sizeof(directory), "%s", path);
	slash = strrchr(directory, '/');
	if (slash)
		slash[slash == directory] = 0;
	if (there && S_ISLNK(status.st_mode))
		errno = ELOOP;
	else if (there && S_ISDIR(status.st_mode))
		errno = EISDIR;
	else if (there && (!S_ISREG(status.st_mode) || is_read(config, name, &status)))
		errno = EINVAL;
	else if ((!there || access(path, R_OK | W_OK) == 0) &&
	         /* the directory gets the next file when this one is full */
	         access(directory, W_OK | X_OK) == 0)
		return 0;
	fprintf(report,
	    "EventFile is \"%s\": %s; allowed: a file of its own, and no link, that this user may "
	    "write to, in a directory of which that is true as well\n",
	    path, strerror(errno));
	return -1;
}

/* ---- what termsrv uses ---- */

/* The descriptors that termsrv has then; never returns. */
static void run_termsrv(const char *programs, int config, int pair)
{
	char path[OPTION_TEXT_SIZE + sizeof("/termsrv")];
	char *argv[] = { "termsrv", TERMSRV_CHECK, NULL };
	int high = fcntl(config, F_DUPFD, TERMSRV_LISTENER), null = open("/dev/null", O_RDONLY);
	int high_pair = fcntl(pair < 0 ? null : pair, F_DUPFD, TERMSRV_LISTENER);

	snprintf(path, sizeof(path), "%s/termsrv", programs);
	if (dup2(high, TERMSRV_CONFIG) >= 0 && dup2(high_pair, TERMSRV_CERTIFICATE) >= 0 &&
	    close_range(TERMSRV_CERTIFICATE + 1, ~0u, 0) == 0)
		execv(path, argv);
	log_error("cannot execute %s: %s", path, strerror(errno));
	_exit(127);
}

/* It says itself what is wrong. */
static int check_by_termsrv(const struct musess_config *config, const char *programs, int pair)
{
	int fd = memfd_create("musess.conf", MFD_CLOEXEC), status = -1;
	struct musess_config rest = *config;
	pid_t pid = -1;

	if (pair < 0) /* there is none, or that has been said */
		rest.Certificate[0] = 0;
	if (fd >= 0 && write(fd, &rest, sizeof(rest)) == sizeof(rest))
		pid = fork();
	if (pid == 0)
		run_termsrv(programs, fd, pair);
	if (pid < 0)
		log_error("cannot have termsrv look at it: %s", strerror(errno));
	else
		waitpid(pid, &status, 0);
	fd_close(&fd);
	return status == 0 ? 0 : -1;
}

/* ---- all of it ---- */

static int check_named(const struct musess_config *config, const char *programs, const char *name,
    int *pair, FILE *report)
{
	int result = check_commands(config, programs, report);

	warn_of_names(config, "Required", config->Required, report);
	warn_of_names(config, "Optional", config->Optional, report);
	if (check_address("ListenAddress", config->ListenAddress, report) < 0)
		result = -1;
	if (config->MetricsPort &&
	    check_address("MetricsAddress", config->MetricsAddress, report) < 0)
		result = -1;
	if (check_events(config, name, report) < 0)
		result = -1;
	return configured_pair(config, pair, report) < 0 ? -1 : result;
}

int check_configuration(const struct musess_config *config, const char *programs, const char *name)
{
	char *text, *rest, *line;
	struct findings report;
	FILE *out = findings_begin(&report);
	int pair = -1, result = out ? check_named(config, programs, name, &pair, out) : -1;

	text = findings_text(&report);
	if (!text) {
		fd_close(&pair);
		return -1;
	}
	for (rest = text; (line = strsep(&rest, "\n"));)
		if (*line)
			log_complaint("%s: %s", name, line);
	free(text);
	if (check_by_termsrv(config, programs, pair) < 0)
		result = -1;
	fd_close(&pair);
	return result;
}
