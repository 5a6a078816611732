/* See smss-play.h. */
#include "smss-play.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

int admin;

int play_begin(void **state)
{
	(void)state;
	harness_begin(NULL);
	harness_console();
	admin = harness_client(CLIENT_ADMINISTRATOR, 1);
	return 0;
}

int play_end(void **state)
{
	(void)state;
	close(admin);
	harness_end();
	return 0;
}

void begin_again(const struct musess_config *config)
{
	struct musess_config copy = *config;

	play_end(NULL);
	harness_begin(&copy);
	harness_console();
	admin = harness_client(CLIENT_ADMINISTRATOR, 1);
}

struct session *begun(int port)
{
	SMAPIMSG m = { .u.StartCsr.MuSessionId = SM_NO_MUSESSION };
	uint32_t generation = harness.smss.last_generation;

	assert_int_equal(harness_call(port, &m, SmStartCsrApi, false), STATUS_PENDING);
	for (uint32_t slot = 0; slot < harness.smss.capacity; slot++)
		if (harness.smss.slots[slot] &&
		    harness.smss.slots[slot]->generation == generation + 1)
			return harness.smss.slots[slot];
	return NULL;
}

void expect_reply(int port, int32_t status)
{
	SMAPIMSG m;

	assert_int_equal(harness_receive(port, &m, sizeof(m)), sizeof(m));
	if (m.ReturnedStatus != status)
		fail_msg("%s, not %s", ntstatus_name(m.ReturnedStatus), ntstatus_name(status));
}

struct up session_up(void)
{
	struct up up = { .session = begun(admin) };

	assert_non_null(up.session);
	harness_up(up.session, &up.csrss, &up.sb);
	expect_reply(admin, STATUS_SUCCESS);
	assert_int_equal(up.session->step, SESSION_RUNNING);
	return up;
}

void session_down(struct up *up)
{
	harness_down(up->session);
	close(up->csrss);
	close(up->sb);
}

bool closed(int port)
{
	char buffer[PORT_MAX_MESSAGE];
	ssize_t got;

	while ((got = harness_receive(port, buffer, sizeof(buffer))) > 0)
		;
	return got == 0;
}

int32_t call_start(const char *command, SMAPIMSG *m)
{
	*m = (SMAPIMSG){ .u.StartCsr.MuSessionId = SM_NO_MUSESSION };
	for (size_t i = 0; i < strlen(command); i++)
		m->u.StartCsr.InitialCommand[i] = (uint16_t)command[i];
	m->u.StartCsr.InitialCommandLength = (uint32_t)(2 * strlen(command));
	return harness_call(admin, m, SmStartCsrApi, false);
}

int32_t call_stop(int port, uint32_t id, uint32_t generation)
{
	SMAPIMSG m = { .u.StopCsr.MuSessionId = id };

	m.h.client_view_size = generation;
	return harness_call(port, &m, SmStopCsrApi, false);
}

static void name(SMAPIMSG *m, const char *text)
{
	*m = (SMAPIMSG){ .u.LoadDefered.SubsystemNameLength = (uint32_t)(2 * strlen(text)) };
	for (size_t i = 0; text[i] && i < SM_SUBSYSTEM_CHARS; i++)
		m->u.LoadDefered.SubsystemName[i] = (uint16_t)text[i];
}

int32_t call_load(const struct up *up, const char *text)
{
	SMAPIMSG m;

	name(&m, text);
	return harness_call(up->csrss, &m, SmLoadDeferedApi, false);
}

int32_t call_exec(int port, uint32_t session, bool passed)
{
	struct msg_exec m = { .session = session };

	harness_send(port, &m.h, CTL_EXEC, sizeof(m), passed);
	return harness_receive(port, &m, sizeof(m)) == sizeof(m) ? m.status : STATUS_PENDING;
}

int posix_up(const struct up *up, int *sb)
{
	int32_t status;
	int port = harness_shake(harness_done(up->session, 0), SUBSYSTEM_POSIX, &status);

	assert_int_equal(status, STATUS_SUCCESS);
	*sb = harness.sb_port;
	harness.sb_port = -1;
	if (up->session->creator)
		harness_reap(up->session->creator, 0);
	return port;
}

void begin_with_extra(void)
{
	struct musess_config config = harness.config;

	snprintf(config.Optional, sizeof(config.Optional), "Posix Extra");
	snprintf(config.commands[2].name, sizeof(config.commands[2].name), "Extra");
	snprintf(config.commands[2].command, sizeof(config.commands[2].command), "extra");
	begin_again(&config);
}

int connects(pid_t pid, uint32_t type, int *sb)
{
	int32_t status;
	int port = harness_shake(pid, type, &status);

	assert_int_equal(status, STATUS_SUCCESS);
	*sb = harness.sb_port;
	harness.sb_port = -1;
	return port;
}
