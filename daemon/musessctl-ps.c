/*
 * musessctl ps: every process of the service and of its sessions, as qprocess or a debugger
 * of Windows shows them. smss names the roots, /proc has the rest.
 */
#include "musessctl-line.h"
#include "musessctl-show.h"
#include "musessctl.h"
#include "proctree.h"

#include <stdlib.h>
#include <string.h>

/* ---- as qprocess shows them ---- */

enum {
	PS_USER = 1,
	PS_NAME = 23,
	PS_ID_END = 44,
	PS_PID_END = 51,
	PS_PARENT_END = 59,
	PS_IMAGE = 62
};

static void show_process(FILE *out, const struct proctree_entry *p, const struct msg_session *s)
{
	struct line l = { .out = out };
	char name[WINSTATION_SIZE];

	if (s) {
		line_put(&l, PS_USER, PS_NAME - PS_USER - 1, s->user);
		line_put(
		    &l, PS_NAME, PS_ID_END - line_digits(s->session) - PS_NAME, show_name(s, name));
	}
	if (p->session == NO_SESSION)
		line_put(&l, PS_ID_END, 1, "-");
	else
		line_put_number(&l, PS_ID_END, p->session);
	line_put_number(&l, PS_PID_END, (uint32_t)p->pid);
	line_put_number(&l, PS_PARENT_END, (uint32_t)p->parent);
	line_put(&l, PS_IMAGE, PROCTREE_IMAGE_SIZE, p->image);
	fputc('\n', out);
}

static void show_processes(FILE *out, const struct proctree_entry *processes, size_t count,
    const struct msg_session *sessions, size_t session_count)
{
	fputs(" USERNAME              SESSIONNAME         ID    PID  PARENT  IMAGE\n", out);
	for (size_t i = 0; i < count; i++)
		show_process(
		    out, &processes[i], show_find(sessions, session_count, processes[i].session));
}

/* ---- as a debugger shows them ---- */

static int by_start(const void *one, const void *other)
{
	const struct proctree_entry *a = one, *b = other;

	if (a->started != b->started)
		return a->started > b->started ? 1 : -1;
	return (a->pid > b->pid) - (a->pid < b->pid);
}

/* As a debugger of Windows shows them (the transcript, lines 120 to 175), the oldest first.
   PROCESSES is sorted anew. */
static void show_kd(FILE *out, struct proctree_entry *processes, size_t count)
{
	qsort(processes, count, sizeof(*processes), by_start);
	fputs("**** NT ACTIVE PROCESS DUMP ****\n", out);
	for (size_t i = 0; i < count; i++) {
		const struct proctree_entry *p = &processes[i];

		fprintf(out, "PROCESS %08llx SessionId: ", (unsigned long long)p->started);
		if (p->session == NO_SESSION)
			fputs("none", out);
		else
			fprintf(out, "%u", p->session);
		fprintf(out, " Cid: %04x Peb: %08x ParentCid: %04x\n", (unsigned)p->pid,
		    (unsigned)p->arguments, (unsigned)p->parent);
		/* no program may know where the kernel has a table of descriptors */
		fprintf(
		    out, "DirBase: %08x ObjectTable: 00000000 HandleCount: ", (unsigned)p->code);
		if (p->handles < 0)
			fputs("?", out);
		else
			fprintf(out, "%d", p->handles);
		fprintf(out, ".\nImage: %s\n", p->image);
	}
}

/* ---- JSON ---- */

static json_t *process_json(const struct proctree_entry *p, const struct msg_session *s)
{
	json_t *session =
	    p->session == NO_SESSION ? json_null() : json_integer((json_int_t)p->session);

	return json_pack("{s:o, s:s, s:s, s:i, s:i, s:s}", "session", session, "user",
	    s ? s->user : "", "session_name", s ? s->winstation : "", "pid", (int)p->pid, "parent",
	    (int)p->parent, "image", p->image);
}

static json_t *processes_json(const struct proctree_entry *processes, size_t count,
    const struct msg_session *sessions, size_t session_count)
{
	json_t *array = json_array();

	for (size_t i = 0; array && i < count; i++) {
		const struct proctree_entry *p = &processes[i];
		if (json_array_append_new(array,
		        process_json(p, show_find(sessions, session_count, p->session))) < 0) {
			json_decref(array);
			array = NULL;
		}
	}
	return array;
}

/* ---- asking ---- */

/* What smss names: the service's processes, and those of each session. Sets
   *MANAGER to smss. Freed by the caller; NULL where memory is short. */
static struct proctree_root *roots_of(
    const struct answers *service, const struct answers *sessions, size_t *count, pid_t *manager)
{
	const struct msg_process *p = service->messages;
	const struct msg_session *s = sessions->messages;
	struct proctree_root *roots =
	    calloc(service->count + 2 * sessions->count + 1, sizeof(*roots));

	*count = 0;
	*manager = 0;
	for (size_t i = 0; roots && i < service->count; i++) {
		roots[(*count)++] =
		    (struct proctree_root){ .pid = (pid_t)p[i].process, .session = p[i].session };
		if (p[i].session == NO_SESSION && strcmp(p[i].image, "smss") == 0)
			*manager = (pid_t)p[i].process;
	}
	for (size_t i = 0; roots && i < sessions->count; i++) {
		if (s[i].csrss)
			roots[(*count)++] = (struct proctree_root){ (pid_t)s[i].csrss, s[i].session,
				s[i].csrss_born };
		if (s[i].winlogon)
			roots[(*count)++] = (struct proctree_root){ (pid_t)s[i].winlogon,
				s[i].session, s[i].winlogon_born };
	}
	return roots;
}

int ctl_ask_processes(struct request *r, const struct answers *sessions,
    struct proctree_entry **processes, size_t *count)
{
	struct answers service = { 0 };
	struct proctree_root *roots = NULL;
	size_t root_count;
	union answer last;
	pid_t manager = 0;
	int status = ctl_ask_plainly(r, CTL_SERVICE);

	*processes = NULL;
	if (status == 0)
		status = ctl_receive_list(r, CTL_PROCESS, CTL_END, &service, &last);
	if (status == 0)
		roots = roots_of(&service, sessions, &root_count, &manager);
	if (roots && manager == 0)
		status = ctl_bad_answer(r);
	else if (roots)
		*processes = proctree_read(roots, root_count, manager, count);
	if (status == 0 && !*processes)
		status = ctl_failed(r, "/proc");
	free(roots);
	free(service.messages);
	return status;
}

static int show(const struct request *r, struct proctree_entry *processes, size_t count,
    const struct answers *list)
{
	if (r->json)
		return ctl_print_json(
		    r, processes_json(processes, count, list->messages, list->count));
	if (r->option[OPTION_KD])
		show_kd(stdout, processes, count);
	else
		show_processes(stdout, processes, count, list->messages, list->count);
	return 0;
}

int ctl_ps(struct request *r)
{
	struct answers list = { 0 };
	struct proctree_entry *processes = NULL;
	size_t count = 0;
	int status;

	if (r->json && r->option[OPTION_KD])
		return ctl_usage_error("ps: --kd and --json are two formats: choose one");
	status = ctl_connect(r);
	if (status == 0)
		status = ctl_ask_sessions(r, &list);
	if (status == 0)
		status = ctl_ask_processes(r, &list, &processes, &count);
	if (processes) /* only where all went well */
		status = show(r, processes, count, &list);
	free(processes);
	free(list.messages);
	return status;
}
