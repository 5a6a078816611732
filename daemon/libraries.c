/*
 * The dynamic linker's list of what is loaded, as a graph (DT_NEEDED): what is reached from the
 * unused, and not from the program on other ways, goes.
 */
#include "libraries.h"

#include "port.h"

#include <fcntl.h>
#include <link.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { LIBRARIES_MAX = 256 };

/* The beginnings of their names. A library that libfreerdp3 calls for more than this does not
   belong here. */
static const char *const unused[] = { "libavcodec.", "libavutil.", "libswresample.", "libswscale.",
	"libX11.", "libxkbfile." };

enum { NEEDED = 1, UNUSED = 2 };

static struct {
	const struct link_map *library;
	unsigned reached; /* NEEDED: from the program; UNUSED: from one of the unused */
} loaded[LIBRARIES_MAX];
static unsigned loaded_count;

static bool is_unused(const char *name)
{
	for (size_t i = 0; i < sizeof(unused) / sizeof(*unused); i++)
		if (strncmp(name, unused[i], strlen(unused[i])) == 0)
			return true;
	return false;
}

static const char *base_name(const struct link_map *library)
{
	const char *slash = strrchr(library->l_name, '/');

	return slash ? slash + 1 : library->l_name;
}

/* Marks number I, and what it needs. */
static void reach(unsigned i, unsigned how)
{
	const char *names = NULL;

	if (loaded[i].reached & how)
		return;
	loaded[i].reached |= how;
	for (const ElfW(Dyn) *d = loaded[i].library->l_ld; d->d_tag != DT_NULL; d++)
		if (d->d_tag == DT_STRTAB)
			names = (const char *)d->d_un.d_ptr; /* the linker has made it an address */
	for (const ElfW(Dyn) *d = loaded[i].library->l_ld; names && d->d_tag != DT_NULL; d++) {
		const char *name = names + d->d_un.d_val;
		if (d->d_tag != DT_NEEDED || (how == NEEDED && is_unused(name)))
			continue;
		for (unsigned other = 0; other < loaded_count; other++)
			if (strcmp(base_name(loaded[other].library), name) == 0)
				reach(other, how);
	}
}

/* Lists what is loaded. 0, or -1 where it is too much. */
static int list(void)
{
	loaded_count = 0;
	for (const struct link_map *l = _r_debug.r_map; l; l = l->l_next) {
		if (loaded_count == LIBRARIES_MAX)
			return -1;
		loaded[loaded_count].library = l;
		loaded[loaded_count++].reached = 0;
	}
	return 0;
}

static void drop(const struct dl_phdr_info *library)
{
	const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	uintptr_t end = 0;

	for (unsigned i = 0; i < library->dlpi_phnum; i++) {
		const ElfW(Phdr) *h = &library->dlpi_phdr[i];
		if (h->p_type == PT_LOAD && h->p_vaddr + h->p_memsz > end)
			end = h->p_vaddr + h->p_memsz;
	}
	end = (library->dlpi_addr + end + page - 1) & ~(page - 1);
	munmap((void *)library->dlpi_addr, end - library->dlpi_addr);
}

/* A fork copies the page tables of a mapping only if one page of it is the process's own. Writing a
   byte to where it is, through a file that may write to what is not writable, makes it so. */
static void keep_mapped(const struct dl_phdr_info *library, int memory)
{
	for (unsigned i = 0; i < library->dlpi_phnum; i++) {
		const ElfW(Phdr) *h = &library->dlpi_phdr[i];
		uintptr_t begin = library->dlpi_addr + h->p_vaddr;
		char byte;

		if (h->p_type != PT_LOAD || (h->p_flags & PF_W))
			continue;
		if (pread(memory, &byte, 1, (off_t)begin) == 1)
			(void)!pwrite(memory, &byte, 1, (off_t)begin);
		if (h->p_flags & PF_X)
			madvise((void *)begin, h->p_memsz, MADV_POPULATE_READ);
	}
}

static int prepare(struct dl_phdr_info *library, size_t size, void *argument)
{
	const int *memory = argument;
	unsigned i = 0;

	(void)size;
	while (i < loaded_count && loaded[i].library->l_addr != library->dlpi_addr)
		i++;
	if (i < loaded_count && loaded[i].reached == UNUSED)
		drop(library);
	else if (i < loaded_count)
		keep_mapped(library, *memory);
	return 0;
}

void libraries_prepare(void)
{
	int memory;

	if (list() < 0)
		return;
	reach(0, NEEDED); /* the program is the list's first */
	for (unsigned i = 1; i < loaded_count; i++)
		if (is_unused(base_name(loaded[i].library)))
			reach(i, UNUSED);
	memory = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
	dl_iterate_phdr(prepare, &memory);
	fd_close(&memory);
}
