/* See smss-play.h. */
#include "smss-play.h"

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
