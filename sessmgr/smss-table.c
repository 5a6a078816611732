/*
 * The session table. A session has a slot, which is also its block of host ids; an id, which
 * people and Windows' calls know; and a generation, which no other session ever had. Two hash
 * tables find it: by id, and by process, for what the kernel says of a sender is its process.
 */
#include "smss.h"

#include <stdlib.h>

enum { BUCKETS = 4096 };

struct pid_entry {
	LIST_ENTRY(pid_entry) entry;
	pid_t pid;
	struct session *session;
	struct subsystem *subsystem; /* NULL: winlogon, or the short-lived smss */
};

int table_init(struct smss *smss, uint32_t capacity)
{
	smss->capacity = capacity;
	smss->slots = calloc(capacity, sizeof(struct session *));
	smss->ids = calloc(BUCKETS, sizeof(*smss->ids));
	smss->pids = calloc(BUCKETS, sizeof(*smss->pids));
	return smss->slots && smss->ids && smss->pids ? 0 : -1;
}

void table_finish(struct smss *smss)
{
	free(smss->slots);
	free(smss->ids);
	free(smss->pids);
}

static struct id_bucket *id_bucket(struct smss *smss, uint32_t id)
{
	return &smss->ids[id % BUCKETS];
}

struct session *session_find(struct smss *smss, uint32_t id)
{
	struct session *session;

	LIST_FOREACH(session, id_bucket(smss, id), same_bucket)
	if (session->id == id)
		return session;
	return NULL;
}

/* 0 where every id is taken. */
static uint32_t free_id(struct smss *smss)
{
	uint32_t id = 0;

	for (uint32_t tried = 0; tried < LISTENER_ID - 1; tried++) {
		if (smss->config->SessionIdPolicy == SESSION_ID_INCREASING)
			id = smss->last_id = smss->last_id % (LISTENER_ID - 1) + 1;
		else
			id++;
		if (!session_find(smss, id))
			return id;
	}
	return 0;
}

int table_add(struct smss *smss, struct session *session, bool console)
{
	uint32_t slot = 0, id = 0;

	while (slot < smss->capacity && smss->slots[slot])
		slot++;
	if (slot == smss->capacity)
		return -1;
	if (!console && (id = free_id(smss)) == 0)
		return -1;
	session->smss = smss;
	session->slot = slot;
	session->id = id;
	if (++smss->last_generation == 0)
		smss->last_generation = 1;
	session->generation = smss->last_generation;
	smss->slots[slot] = session;
	smss->session_count++;
	LIST_INSERT_HEAD(id_bucket(smss, id), session, same_bucket);
	return 0;
}

void table_remove(struct session *session)
{
	struct smss *smss = session->smss;

	smss->slots[session->slot] = NULL;
	smss->session_count--;
	smss->ending_idle -= session->ends_idle;
	LIST_REMOVE(session, same_bucket);
}

static struct pid_bucket *pid_bucket(struct smss *smss, pid_t pid)
{
	return &smss->pids[(unsigned)pid % BUCKETS];
}

static struct pid_entry *find_process(struct smss *smss, pid_t pid)
{
	struct pid_entry *p;

	LIST_FOREACH(p, pid_bucket(smss, pid), entry)
	if (p->pid == pid)
		return p;
	return NULL;
}

struct session *session_of_process(struct smss *smss, pid_t pid)
{
	const struct pid_entry *p = find_process(smss, pid);

	return p ? p->session : NULL;
}

struct subsystem *subsystem_of_process(struct smss *smss, pid_t pid)
{
	const struct pid_entry *p = find_process(smss, pid);

	return p ? p->subsystem : NULL;
}

int table_add_process(struct session *session, struct subsystem *subsystem, pid_t pid)
{
	struct pid_entry *p = calloc(1, sizeof(*p));

	if (!p)
		return -1;
	p->pid = pid;
	p->session = session;
	p->subsystem = subsystem;
	LIST_INSERT_HEAD(pid_bucket(session->smss, pid), p, entry);
	return 0;
}

void table_remove_process(struct smss *smss, pid_t pid)
{
	struct pid_entry *p = find_process(smss, pid);

	if (!p)
		return;
	LIST_REMOVE(p, entry);
	free(p);
}

uint32_t table_used(const struct smss *smss)
{
	uint32_t console = session_find((struct smss *)(uintptr_t)smss, 0) ? 1 : 0;

	return smss->session_count - smss->pooled_count - smss->ending_idle - console;
}
