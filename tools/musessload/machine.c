/* What /proc and the kernel say. */
#include "machine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

struct machine_time machine_time(void)
{
	enum { IDLE = 3, WAIT = 4, FIELDS = 7 };
	FILE *f = fopen("/proc/stat", "re");
	struct machine_time time = { 0 };
	char line[256] = "", *rest = line + strlen("cpu ");

	if (!f)
		return time;
	if (!fgets(line, sizeof(line), f) || strncmp(line, "cpu ", strlen("cpu ")) != 0)
		rest = line + strlen(line);
	for (int i = 0; i < FIELDS; i++) {
		uint64_t ticks = strtoull(rest, &rest, 10);

		time.all += ticks;
		if (i != IDLE && i != WAIT)
			time.busy += ticks;
	}
	fclose(f);
	return time;
}

/* The text behind KEY and a colon, of the first such line of PATH. Allocated; "" where there is
   none. */
static char *find_line(const char *path, const char *key)
{
	FILE *f = fopen(path, "re");
	char line[512], *found = NULL;

	while (f && !found && fgets(line, sizeof(line), f)) {
		char *colon = strchr(line, ':');

		if (strncmp(line, key, strlen(key)) != 0 || !colon)
			continue;
		line[strcspn(line, "\n")] = 0;
		found = strdup(colon + 1 + strspn(colon + 1, " \t"));
	}
	if (f)
		fclose(f);
	return found ? found : strdup("");
}

unsigned machine_processors(void)
{
	long count = sysconf(_SC_NPROCESSORS_ONLN);

	return count > 0 ? (unsigned)count : 1;
}

void machine_describe(struct run_info *info)
{
	struct utsname name = { 0 };
	long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);

	uname(&name);
	info->host = strdup(name.nodename);
	info->kernel = strdup(name.release);
	info->processor = find_line("/proc/cpuinfo", "model name");
	info->processors = machine_processors();
	info->memory = pages > 0 && page > 0 ? (uint64_t)pages * (uint64_t)page : 0;
}

void machine_forget(struct run_info *info)
{
	free(info->host);
	free(info->kernel);
	free(info->processor);
	info->host = info->kernel = info->processor = NULL;
}

bool machine_has(const struct sockaddr_storage *address, socklen_t length)
{
	/* what can be bound to is here: no port is taken, as it is closed at once */
	struct sockaddr_storage any = *address;
	int fd = socket(address->ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool here;

	memset((char *)&any + sizeof(any.ss_family), 0, 2); /* the port, of both families */
	here = fd >= 0 && bind(fd, (const struct sockaddr *)&any, length) == 0;
	if (fd >= 0)
		close(fd);
	return here;
}

unsigned machine_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return 1024;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	return limit.rlim_cur > 1000000 ? 1000000 : (unsigned)limit.rlim_cur;
}
