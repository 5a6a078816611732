/* Names and texts of the statuses: one table in ntstatus.h. */
#include "ntstatus.h"

static const struct {
	int32_t status;
	const char *name;
	const char *text;
} table[] = {
#define NTSTATUS_ROW(name, number, text) { name, #name, text },
	NTSTATUS_TABLE(NTSTATUS_ROW)
#undef NTSTATUS_ROW
};

const char *ntstatus_name(int32_t status)
{
	for (unsigned i = 0; i < sizeof(table) / sizeof(*table); i++)
		if (table[i].status == status)
			return table[i].name;
	return "STATUS_UNKNOWN";
}

const char *ntstatus_text(int32_t status)
{
	for (unsigned i = 0; i < sizeof(table) / sizeof(*table); i++)
		if (table[i].status == status)
			return table[i].text;
	return "unknown status";
}
