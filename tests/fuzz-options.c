/* Fuzzer of the configuration file: what is read without mistake is dumped and read back
   to the same values; a mistake is at least one line with the file's name. */
#include "options.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
	if (!holds)
		abort();
}

/* Reads BYTES as a file; the mistakes arrive in *ERRORS, which the caller frees. */
static int read_bytes(struct musess_config *config, const void *bytes, size_t size, char **errors)
{
	char path[32];
	size_t errors_size;
	FILE *out = open_memstream(errors, &errors_size);
	int fd = memfd_create("fuzz", MFD_CLOEXEC);

	check(out && fd >= 0 && write(fd, bytes, size) == (ssize_t)size);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	config_defaults(config);
	int result = config_read(config, path, out);
	close(fd);
	check(fclose(out) == 0);
	check((result < 0) == (errors_size > 0));
	for (const char *line = *errors; *line; line = strchr(line, '\n') + 1) {
		size_t length = strcspn(line, "\n");
		check(strncmp(line, path, strlen(path)) == 0);
		check(memmem(line, length, "; allowed: ", strlen("; allowed: ")) != NULL);
	}
	return result;
}

static void dump(const struct musess_config *config, char **text, size_t *size)
{
	FILE *out = open_memstream(text, size);

	check(out != NULL);
	config_dump(config, out);
	check(fclose(out) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct musess_config config, again;
	char *errors, *text, *text_again;
	size_t text_size, again_size;

	if (read_bytes(&config, data, size, &errors) == 0) {
		dump(&config, &text, &text_size);
		free(errors);
		check(read_bytes(&again, text, text_size, &errors) == 0);
		dump(&again, &text_again, &again_size);
		check(text_size == again_size && memcmp(text, text_again, text_size) == 0);
		free(text);
		free(text_again);
	}
	free(errors);
	return 0;
}
