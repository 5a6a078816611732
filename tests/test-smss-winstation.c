/*
 * Who is at which screen: clients that go and come, by a termsrv and csrss that the test plays.
 * The last test plays all of them at once, in a random order, thousands of times, and holds
 * what smss says against what every csrss has:
 *
 *   a client is at one screen, or was told why it is at none
 *   a session has one client, and smss knows which
 *   a user has one session (fSingleSessionPerUser)
 */
#include "smss-play.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- one at a time ---- */

static int termsrv;

static int begin(void **state)
{
	play_begin(state);
	termsrv = harness_client(CLIENT_TERMSRV, 3);
	return 0;
}

static int end(void **state)
{
	close(termsrv);
	return play_end(state);
}

static struct msg_client client_of(const char *user)
{
	struct msg_client m = {
		.session = NO_SESSION, .width = 800, .height = 600, .address = "192.0.2.1:5"
	};

	snprintf(m.user, sizeof(m.user), "%s", user);
	return m;
}

/* WS_CONNECT, and smss's answer. */
static struct msg_ws_session ask(struct msg_client *m)
{
	struct msg_ws_session answer;

	harness_send(termsrv, &m->h, WS_CONNECT, sizeof(*m), true);
	assert_int_equal(harness_receive(termsrv, &answer, sizeof(answer)), sizeof(answer));
	assert_int_equal(answer.h.type, WS_SESSION);
	return answer;
}

/* A new session, started for USER's client, who is at its screen then. */
static struct up logged_on(const char *user, struct msg_ws_session *answer)
{
	struct up up = { .session = begun(termsrv) };
	struct msg_client m = client_of(user);

	harness_up(up.session, &up.csrss, &up.sb);
	expect_reply(termsrv, STATUS_SUCCESS);
	m.session = up.session->id;
	m.generation = up.session->generation;
	*answer = ask(&m);
	return up;
}

/* The next message that csrss gets is of TYPE. */
static void expect_csrss(const struct up *up, uint16_t type, void *m, size_t size)
{
	const PORT_MESSAGE *h = m;

	memset(m, 0, size);
	assert_true(harness_receive(up->csrss, m, size) > 0);
	assert_int_equal(h->type, type);
}

static void leave(const struct up *up, uint32_t connection)
{
	struct msg_connection m = { .connection = connection };

	harness_send(up->csrss, &m.h, CSR_DISCONNECTED, sizeof(m), false);
}

static void comes_back(void **state)
{
	struct msg_client m = client_of("lab"), told;
	struct msg_ws_session answer;
	struct up up;

	(void)state;
	assert_int_equal(ask(&m).session, NO_SESSION); /* he has none */
	up = logged_on("lab", &answer);
	assert_int_equal(answer.session, up.session->id);
	expect_csrss(&up, CSR_CLIENT, &told, sizeof(told));
	leave(&up, told.connection + 1); /* of none that is known */
	assert_int_equal(up.session->state, WTS_ACTIVE);
	leave(&up, told.connection);
	assert_int_equal(up.session->state, WTS_DISCONNECTED);
	m = client_of("lab");
	m.width = 1024;
	answer = ask(&m);
	assert_int_equal(answer.session, up.session->id);
	assert_int_equal(up.session->state, WTS_ACTIVE);
	leave(&up, told.connection); /* the earlier client, late */
	assert_int_equal(up.session->state, WTS_ACTIVE);
	expect_csrss(&up, CSR_CLIENT, &told, sizeof(told));
	assert_int_equal(told.width, 1024);
	m = client_of("Lab"); /* another user */
	assert_int_equal(ask(&m).session, NO_SESSION);
	session_down(&up);
	m = client_of("lab");
	assert_int_equal(ask(&m).session, NO_SESSION);
}

/* Who has no user yet, or no client, is not kept. */
static void not_kept(void **state)
{
	struct msg_ws_session answer;
	struct msg_client told;
	struct up up = logged_on("", &answer);

	(void)state;
	assert_int_equal(up.session->state, WTS_CONNECTED);
	expect_csrss(&up, CSR_CLIENT, &told, sizeof(told));
	leave(&up, told.connection);
	assert_int_equal(up.session->step, SESSION_ENDING);
	session_down(&up);
}

/* The second of two that come at once gets the session of the first, and its own ends. */
static void two_at_once(void **state)
{
	struct msg_client m = client_of("lab");
	struct msg_ws_session answer;
	struct up first, second = { 0 };

	(void)state;
	assert_int_equal(ask(&m).session, NO_SESSION);
	second.session = begun(termsrv);
	harness_up(second.session, &second.csrss, &second.sb);
	expect_reply(termsrv, STATUS_SUCCESS);
	first = logged_on("lab", &answer);
	m = client_of("lab");
	m.session = second.session->id;
	m.generation = second.session->generation;
	answer = ask(&m);
	assert_int_equal(answer.session, first.session->id);
	assert_int_equal(second.session->step, SESSION_ENDING);
	session_down(&first);
	session_down(&second);
}

static void cookies(void **state)
{
	struct msg_ws_session first, second;
	struct up up = logged_on("lab", &first);
	struct msg_cookie cookie = { .session = up.session->id };
	struct msg_client m = client_of("lab");

	(void)state;
	harness_send(termsrv, &cookie.h, WS_COOKIE, sizeof(cookie), false);
	assert_int_equal(harness_receive(termsrv, &cookie, sizeof(cookie)), sizeof(cookie));
	assert_memory_equal(cookie.cookie, first.cookie, COOKIE_SIZE);
	assert_string_equal(cookie.user, "lab");
	m.session = up.session->id;
	m.generation = up.session->generation;
	memcpy(m.cookie, first.cookie, COOKIE_SIZE);
	second = ask(&m);
	assert_int_equal(second.session, up.session->id);
	assert_memory_not_equal(second.cookie, first.cookie, COOKIE_SIZE);
	m = client_of("lab");
	m.session = up.session->id;
	m.generation = up.session->generation;
	memcpy(m.cookie, first.cookie, COOKIE_SIZE); /* once */
	assert_int_equal(ask(&m).session, NO_SESSION);
	harness.config.fDisableAutoReconnect = 1;
	memcpy(m.cookie, second.cookie, COOKIE_SIZE);
	m.session = up.session->id;
	m.generation = up.session->generation;
	second = ask(&m);
	assert_memory_equal(second.cookie, (uint8_t[COOKIE_SIZE]){ 0 }, COOKIE_SIZE);
	session_down(&up);
}

/* lsass has done what an administrator asked of the account that USERS are. */
static void account_changes(uint16_t type, const char *users)
{
	int lsass = harness_client(CLIENT_LSASS, 9),
	    admin = harness_client(CLIENT_ADMINISTRATOR, 2);
	struct lsa_request request = { .user = "asked" };
	struct lsa_answer answer = { 0 };

	snprintf(answer.user, sizeof(answer.user), "%s", users);
	harness_send(admin, &request.h, type, sizeof(request), false);
	assert_int_equal(harness_receive(lsass, &request, sizeof(request)), sizeof(request));
	answer.h.message_id = request.h.message_id;
	harness_send(lsass, &answer.h, LSA_ANSWER, sizeof(answer), false);
	assert_int_equal(harness_receive(admin, &answer, sizeof(answer)), sizeof(answer));
	close(admin);
	close(lsass);
	harness_run();
}

/* Another password voids the cookie; without its account the session is nobody's. */
static void account_gone(void **state)
{
	static const char *const others[] = { "Lab", "la", "lab1*", "l" }, *const its[] = { "lab",
		"l*" };
	struct msg_ws_session first;
	struct up up = logged_on("lab", &first);
	struct msg_client m;
	struct msg_plain told;

	(void)state;
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
		account_changes(ACCT_REMOVE, others[i]);
	assert_memory_equal(up.session->cookie, first.cookie, COOKIE_SIZE);
	account_changes(ACCT_ADD, "lab");
	assert_memory_equal(up.session->cookie, first.cookie, COOKIE_SIZE);
	for (size_t i = 0; i < sizeof(its) / sizeof(*its); i++) {
		memset(up.session->cookie, 1, COOKIE_SIZE);
		account_changes(ACCT_PASSWD, its[i]);
		assert_memory_equal(up.session->cookie, (uint8_t[COOKIE_SIZE]){ 0 }, COOKIE_SIZE);
	}
	expect_csrss(&up, CSR_CLIENT, &m, sizeof(m));
	account_changes(ACCT_REMOVE, "l*");
	expect_csrss(&up, CSR_LOGOFF, &told, sizeof(told));
	m = client_of("lab");
	assert_int_equal(ask(&m).session, NO_SESSION);
	session_down(&up);
}

/* The user of two disconnected sessions is asked. */
static void chooses(void **state)
{
	struct msg_ws_session answer;
	struct msg_choices choices;
	struct msg_choice choice = { .session = 77 };
	struct msg_client told;
	struct msg_connection display = { 0 };
	struct msg_plain yield;
	struct up a, b, c;

	(void)state;
	harness.config.fSingleSessionPerUser = 0;
	a = logged_on("lab", &answer);
	expect_csrss(&a, CSR_CLIENT, &told, sizeof(told));
	leave(&a, told.connection);
	b = logged_on("lab", &answer);
	assert_int_equal(answer.session, a.session->id); /* the only disconnected one */
	assert_int_equal(b.session->step, SESSION_ENDING);
	session_down(&b);
	b = logged_on("lab", &answer);
	expect_csrss(&b, CSR_CLIENT, &told, sizeof(told));
	leave(&b, told.connection);
	expect_csrss(&a, CSR_CLIENT, &told, sizeof(told));
	leave(&a, told.connection);
	c = logged_on("lab", &answer);
	assert_int_equal(answer.session, c.session->id);
	assert_int_equal(c.session->state, WTS_CONNECT_QUERY);
	expect_csrss(&c, CSR_CHOICES, &choices, sizeof(choices));
	assert_int_equal(choices.count, 2);
	expect_csrss(&c, CSR_CLIENT, &told, sizeof(told));
	harness_send(c.csrss, &choice.h, CSR_CHOICE, sizeof(choice), false); /* none of his */
	expect_csrss(&c, CSR_CHOICES, &choices, sizeof(choices));
	assert_true(choices.refused);
	choice.session = b.session->id;
	harness_send(c.csrss, &choice.h, CSR_CHOICE, sizeof(choice), false);
	expect_csrss(&c, CSR_YIELD, &yield, sizeof(yield));
	display.connection = told.connection;
	harness_send(c.csrss, &display.h, CSR_DISPLAY, sizeof(display), true);
	assert_int_equal(c.session->step, SESSION_ENDING);
	assert_int_equal(b.session->state, WTS_ACTIVE);
	assert_int_equal(harness_receive(termsrv, &answer, sizeof(answer)), sizeof(answer));
	assert_int_equal(answer.session, b.session->id);
	session_down(&c);
	session_down(&b);
	session_down(&a);
}

/* What fewer may have. */
static void limits_on_sessions(void **state)
{
	struct msg_ws_session answer;
	struct msg_client m = client_of("lab");
	struct up up, other;

	(void)state;
	harness.config.fSingleSessionPerUser = 0;
	harness.config.MaxSessionsPerUser = 1;
	up = logged_on("lab", &answer);
	answer = ask(&m);
	assert_int_equal(answer.status, STATUS_ACCESS_DENIED);
	assert_int_equal(answer.reason, END_DENIED);
	other = logged_on("lab", &answer); /* it was started all the same */
	assert_int_equal(answer.status, STATUS_ACCESS_DENIED);
	assert_int_equal(other.session->step, SESSION_ENDING);
	session_down(&other);
	harness.config.MaxSessionsPerUser = 0;
	harness.config.fDenyTSConnections = 1;
	m = client_of("eve");
	assert_int_equal(ask(&m).status, STATUS_ACCESS_DENIED);
	session_down(&up);
}

/* ---- limits on time ---- */

static void expect_box(const struct up *up, const char *text)
{
	struct msg_box box;

	expect_csrss(up, CSR_MESSAGE, &box, sizeof(box));
	if (!strstr(box.text, text))
		fail_msg("\"%s\" is not in \"%s\"", text, box.text);
}

static void idle(void **state)
{
	struct msg_ws_session answer;
	struct msg_plain input = { 0 };
	struct msg_client told;
	struct msg_end end;
	struct up up;

	(void)state;
	harness.config.MaxIdleTime = 600000;
	up = logged_on("lab", &answer);
	expect_csrss(&up, CSR_CLIENT, &told, sizeof(told));
	harness_pass(470000);
	harness_send(up.csrss, &input.h, CSR_INPUT, sizeof(input), false);
	harness_pass(479000);
	assert_true(harness_receive(up.csrss, &told, sizeof(told)) < 0); /* no warning yet */
	harness_pass(1000);
	expect_box(&up, "disconnected in 2 minutes");
	harness_pass(60000);
	harness_send(up.csrss, &input.h, CSR_INPUT, sizeof(input), false);
	harness_pass(479000);
	assert_int_equal(up.session->state, WTS_ACTIVE);
	harness_pass(1000);
	expect_box(&up, "disconnected in 2 minutes");
	harness_pass(120000);
	expect_csrss(&up, CSR_DETACH, &end, sizeof(end));
	assert_int_equal(end.reason, END_IDLE_LIMIT);
	assert_int_equal(up.session->state, WTS_DISCONNECTED);
	harness_pass(100000000); /* MaxDisconnectionTime is never */
	assert_int_equal(up.session->state, WTS_DISCONNECTED);
	harness.config.MaxDisconnectionTime = 100000000;
	limits_reloaded(&harness.smss);
	assert_int_equal(up.session->step, SESSION_ENDING);
	session_down(&up);
}

/* A limit that is nearly reached when it comes into force: its warning goes by itself as well. */
static void late_warning(void **state)
{
	struct msg_ws_session answer;
	struct msg_client told;
	struct msg_box box;
	struct msg_end end;
	struct up up;

	(void)state;
	up = logged_on("lab", &answer);
	expect_csrss(&up, CSR_CLIENT, &told, sizeof(told));
	harness_pass(600000);
	harness.config.MaxIdleTime = 600300;
	limits_reloaded(&harness.smss);
	expect_csrss(&up, CSR_MESSAGE, &box, sizeof(box));
	assert_int_equal(box.seconds, 1);
	harness_pass(300);
	expect_csrss(&up, CSR_DETACH, &end, sizeof(end));
	assert_int_equal(end.reason, END_IDLE_LIMIT);
	session_down(&up);
}

static void connection_time(void **state)
{
	struct msg_ws_session answer;
	struct msg_plain input = { 0 };
	struct msg_client told;
	struct msg_end end;
	struct up up;

	(void)state;
	harness.config.MaxConnectionTime = 3600000;
	harness.config.fResetBroken = 1;
	up = logged_on("lab", &answer);
	expect_csrss(&up, CSR_CLIENT, &told, sizeof(told));
	harness_pass(3480000);
	expect_box(&up, "ended in 2 minutes");
	harness_send(up.csrss, &input.h, CSR_INPUT, sizeof(input), false); /* does not help */
	harness_pass(119000);
	assert_int_equal(up.session->step, SESSION_RUNNING);
	harness_pass(1000);
	expect_csrss(&up, CSR_TERMINATE, &end, sizeof(end));
	assert_int_equal(end.reason, END_TIME_LIMIT);
	session_down(&up);
}

/* Back in time, a session is not ended; and its time begins anew. */
static void disconnection_time(void **state)
{
	struct msg_ws_session answer;
	struct msg_client told, m = client_of("lab");
	struct up up;

	(void)state;
	harness.config.MaxDisconnectionTime = 60000;
	up = logged_on("lab", &answer);
	expect_csrss(&up, CSR_CLIENT, &told, sizeof(told));
	leave(&up, told.connection);
	harness_pass(59000);
	assert_int_equal(ask(&m).session, up.session->id);
	harness_pass(1000000);
	assert_int_equal(up.session->state, WTS_ACTIVE);
	expect_csrss(&up, CSR_CLIENT, &told, sizeof(told));
	leave(&up, told.connection);
	harness_pass(59000);
	assert_int_equal(up.session->state, WTS_DISCONNECTED);
	harness_pass(1000);
	assert_int_equal(up.session->step, SESSION_ENDING);
	assert_int_equal(up.session->reason, END_TIME_LIMIT);
	session_down(&up);
}

/* ---- administration ---- */

/* A call about a session; its answer's status, STATUS_PENDING where there is none yet. */
static int32_t call(int port, uint16_t type, uint32_t session, uint32_t target)
{
	struct msg_control m = { .session = session, .target = target };

	harness_send(port, &m.h, type, sizeof(m), false);
	return harness_receive(port, &m, sizeof(m)) == sizeof(m) ? m.status : STATUS_PENDING;
}

static void administrators(void **state)
{
	struct msg_ws_session answer;
	struct msg_client told;
	struct msg_plain plain;
	struct msg_end end;
	struct msg_connection display = { 0 };
	struct up a = logged_on("lab", &answer), b = logged_on("eve", &answer);

	(void)state;
	expect_csrss(&a, CSR_CLIENT, &told, sizeof(told));
	assert_int_equal(call(admin, CTL_DISCONNECT, 0, 0), STATUS_ACCESS_DENIED);
	assert_int_equal(call(admin, CTL_LOGOFF, 0, 0), STATUS_ACCESS_DENIED);
	assert_int_equal(call(admin, CTL_RESET, 0, 0), STATUS_ACCESS_DENIED);
	assert_int_equal(call(admin, CTL_CONNECT, 0, a.session->id), STATUS_ACCESS_DENIED);
	assert_int_equal(call(admin, CTL_DISCONNECT, 99, 0), STATUS_OBJECT_NAME_NOT_FOUND);
	assert_int_equal(call(admin, CTL_DISCONNECT, NO_SESSION, 0), STATUS_OBJECT_NAME_NOT_FOUND);
	/* eve's session gets lab's client */
	assert_int_equal(call(admin, CTL_CONNECT, b.session->id, a.session->id), STATUS_SUCCESS);
	expect_csrss(&a, CSR_YIELD, &plain, sizeof(plain));
	display.connection = told.connection;
	harness_send(a.csrss, &display.h, CSR_DISPLAY, sizeof(display), true);
	assert_int_equal(a.session->state, WTS_DISCONNECTED);
	assert_int_equal(b.session->state, WTS_ACTIVE);
	assert_string_equal(b.session->info.user, "eve");
	assert_int_equal(call(admin, CTL_DISCONNECT, a.session->id, 0), STATUS_UNSUCCESSFUL);
	assert_int_equal(call(admin, CTL_DISCONNECT, b.session->id, 0), STATUS_SUCCESS);
	expect_csrss(&b, CSR_CLIENT, &told, sizeof(told));
	expect_csrss(&b, CSR_CLIENT, &told, sizeof(told));
	expect_csrss(&b, CSR_DETACH, &end, sizeof(end));
	assert_int_equal(end.reason, END_ADMIN_DISCONNECT);
	/* programs have their time when a user is logged off */
	assert_int_equal(call(admin, CTL_LOGOFF, a.session->id, 0), STATUS_PENDING);
	expect_csrss(&a, CSR_LOGOFF, &plain, sizeof(plain));
	assert_int_equal(a.session->step, SESSION_RUNNING);
	assert_int_equal(call(admin, CTL_RESET, a.session->id, 0), STATUS_DELETE_PENDING);
	harness_pass(10000);
	assert_int_equal(a.session->step, SESSION_ENDING);
	assert_int_equal(a.session->reason, END_ADMIN_LOGOFF);
	session_down(&a);
	session_down(&b);
}

/* A later smss knows by the record alone that it was being logged off: csrss is told again, and has as long
   as any. */
static void logoff_after_restart(void **state)
{
	struct msg_ws_session answer;
	struct up a = logged_on("lab", &answer);
	struct subsystem *windows = a.session->windows;
	struct msg_csr_adopt adopt = { .generation = a.session->generation, .connection = 1 };
	struct msg_csr_connect connected;
	struct msg_plain plain;

	(void)state;
	a.session->leaving = END_ADMIN_LOGOFF;
	/* as it is found: without a port */
	windows->client->subsystem = windows->callback->subsystem = NULL;
	client_destroy(windows->client);
	client_destroy(windows->callback);
	windows->client = windows->callback = NULL;
	windows->connected = false;
	close(a.csrss);
	a.csrss = harness_client(CLIENT_SUBSYSTEM, windows->pid);
	harness_send(a.csrss, &adopt.h, CSR_ADOPT, sizeof(adopt), false);
	close(a.sb);
	assert_int_equal(
	    port_receive(a.csrss, &connected, sizeof(connected), &a.sb), sizeof(connected));
	assert_true(a.sb >= 0);
	expect_csrss(&a, CSR_LOGOFF, &plain, sizeof(plain));
	harness_pass(9000);
	assert_int_equal(a.session->step, SESSION_RUNNING);
	harness_pass(1000);
	assert_int_equal(a.session->step, SESSION_ENDING);
	assert_int_equal(a.session->reason, END_ADMIN_LOGOFF);
	session_down(&a);
}

/* A user's own session, and no other. */
static void users(void **state)
{
	struct msg_ws_session answer;
	struct up a = logged_on("lab", &answer), b = logged_on("eve", &answer);
	int user = harness_client(CLIENT_USER, harness_pid());
	struct client *client = LIST_FIRST(&harness.smss.clients);
	struct msg_plain ask_list = { 0 };
	struct msg_session row;

	(void)state;
	client_set_session(client, a.session);
	harness_send(user, &ask_list.h, CTL_LIST, sizeof(ask_list), false);
	assert_int_equal(harness_receive(user, &row, sizeof(row)), sizeof(row));
	assert_int_equal(row.session, a.session->id);
	assert_true(row.own);
	assert_int_equal(harness_receive(user, &row, sizeof(row)), sizeof(struct msg_plain));
	assert_int_equal(call(user, CTL_DISCONNECT, b.session->id, 0), STATUS_ACCESS_DENIED);
	assert_int_equal(call(user, CTL_LOGOFF, b.session->id, 0), STATUS_ACCESS_DENIED);
	assert_int_equal(call(user, CTL_LOGOFF, 99, 0), STATUS_ACCESS_DENIED);
	assert_int_equal(call(user, CTL_DISCONNECT, NO_SESSION, 0), STATUS_SUCCESS);
	assert_int_equal(a.session->state, WTS_DISCONNECTED);
	assert_int_equal(call(user, CTL_LOGOFF, a.session->id, 0), STATUS_PENDING);
	harness_pass(9000);
	session_logoff(a.session, END_USER_LOGOFF); /* again: he gets no more time */
	harness_pass(1000);
	assert_int_equal(a.session->reason, END_USER_LOGOFF);
	session_down(&a);
	assert_int_equal(harness_receive(user, &row, sizeof(row)), sizeof(struct msg_control));
	assert_int_equal(call(user, CTL_DISCONNECT, NO_SESSION, 0), STATUS_ACCESS_DENIED);
	session_down(&b);
	close(user);
}

static void boxes(void **state)
{
	struct msg_ws_session answer;
	struct up up = logged_on("lab", &answer);
	struct msg_box box = { .session = up.session->id, .wait = 1, .text = "two\nlines" };
	struct msg_response response = { .response = BOX_OK };
	struct msg_control reply;
	struct msg_client told;

	(void)state;
	expect_csrss(&up, CSR_CLIENT, &told, sizeof(told));
	harness_send(admin, &box.h, CTL_MESSAGE, sizeof(box), false);
	assert_true(harness_receive(admin, &reply, sizeof(reply)) < 0);
	expect_csrss(&up, CSR_MESSAGE, &box, sizeof(box));
	response.number = box.number + 1;
	harness_send(up.csrss, &response.h, CSR_RESPONSE, sizeof(response), false);
	assert_true(harness_receive(admin, &reply, sizeof(reply)) < 0);
	response.number = box.number;
	harness_send(up.csrss, &response.h, CSR_RESPONSE, sizeof(response), false);
	assert_int_equal(harness_receive(admin, &reply, sizeof(reply)), sizeof(reply));
	assert_int_equal(reply.status, STATUS_SUCCESS);
	assert_int_equal(reply.response, BOX_OK);
	memset(box.text, 0, sizeof(box.text));
	memcpy(box.text, "\x1b[2J", 4);
	harness_send(admin, &box.h, CTL_MESSAGE, sizeof(box), false);
	assert_int_equal(harness_receive(admin, &reply, sizeof(reply)), sizeof(reply));
	assert_int_equal(reply.status, STATUS_INVALID_PARAMETER);
	memcpy(box.text, "text", 5);
	harness_send(admin, &box.h, CTL_MESSAGE, sizeof(box), false);
	session_down(&up); /* with it goes whoever waits */
	assert_int_equal(harness_receive(admin, &reply, sizeof(reply)), sizeof(reply));
	assert_int_equal(reply.status, STATUS_DELETE_PENDING);
}

/* ---- all at once ---- */

enum { CLIENTS = 6, SESSIONS = 64, STEPS = 60000 };

/* A client and its worker. */
static struct player {
	enum { AWAY, ASKING, WAITS_START, STARTED, ASKING_AGAIN, SOMEWHERE, TOLD } where;
	uint32_t worker; /* number, and its name as an address */
	bool prompt;     /* it gave no user */
	unsigned user;
	uint32_t session, generation; /* that it was given */
	bool gone;                    /* it has closed its connection */
} players[CLIENTS];

/* A session's csrss, as it is: which client it has. */
static struct seat {
	struct session *session;
	uint32_t generation;
	int csrss, sb;
	int player; /* -1: none */
	uint32_t connection;
	bool choosing;
} seats[SESSIONS];

static unsigned long seed;
static uint32_t next_worker;

static unsigned dice(unsigned sides)
{
	seed = seed * 6364136223846793005ul + 1442695040888963407ul;
	return (unsigned)(seed >> 33) % sides;
}

static const char *const names[] = { "ann", "bob", "cyd" };

static struct player *player_of(uint32_t worker)
{
	for (int i = 0; i < CLIENTS; i++)
		if (players[i].worker == worker && players[i].where != AWAY)
			return &players[i];
	return NULL;
}

static bool is_seat(const struct seat *seat)
{
	return seat->session != NULL;
}

static bool alive(const struct seat *seat)
{
	for (uint32_t slot = 0; slot < harness.smss.capacity; slot++)
		if (harness.smss.slots[slot] == seat->session)
			return seat->session && seat->session->generation == seat->generation;
	return false;
}

static struct seat *free_seat(void)
{
	for (int i = 0; i < SESSIONS; i++)
		if (!is_seat(&seats[i]))
			return &seats[i];
	return NULL;
}

/* The client at SEAT is told why it is at no screen any more. */
static void tell(struct seat *seat)
{
	if (seat->player >= 0)
		players[seat->player].where = TOLD;
	seat->player = -1;
}

static void seat_client(struct seat *seat, const struct msg_client *m)
{
	struct player *p = player_of((uint32_t)strtoul(m->address, NULL, 10));

	tell(seat); /* replaced */
	seat->connection = m->connection;
	assert_non_null(p);
	if (p->gone) { /* its port is at its end at once */
		struct msg_connection gone = { .connection = seat->connection };
		p->where = TOLD;
		port_header(&gone.h, CSR_DISCONNECTED, sizeof(gone), 0);
		port_send(seat->csrss, &gone.h, -1);
		return;
	}
	seat->player = (int)(p - players);
	p->where = SOMEWHERE;
}

static void yield(struct seat *seat)
{
	struct msg_connection m = { .connection = seat->connection };
	int pair[2];

	if (seat->player < 0)
		return;
	seat->player = -1; /* on its way */
	assert_int_equal(port_pair(pair), 0);
	port_header(&m.h, CSR_DISPLAY, sizeof(m), 0);
	port_send(seat->csrss, &m.h, pair[0]);
	close(pair[0]);
	close(pair[1]);
}

/* csrss reads one message. */
static bool serve(struct seat *seat)
{
	union {
		PORT_MESSAGE h;
		struct msg_client client;
		struct msg_choices choices;
		struct msg_box box;
	} m;

	if (harness_receive(seat->csrss, &m, sizeof(m)) <= 0)
		return false;
	if (m.h.type == CSR_CLIENT)
		seat_client(seat, &m.client);
	else if (m.h.type == CSR_YIELD)
		yield(seat);
	else if (m.h.type == CSR_DETACH || m.h.type == CSR_TERMINATE)
		tell(seat);
	else if (m.h.type == CSR_CHOICES)
		seat->choosing = true;
	else if (m.h.type == CSR_USER)
		seat->choosing = false;
	return true;
}

/* A session that ends is reaped, and its csrss gone. */
static void bury(struct seat *seat)
{
	while (serve(seat))
		;
	tell(seat);
	if (alive(seat))
		harness_down(seat->session);
	close(seat->csrss);
	close(seat->sb);
	memset(seat, 0, sizeof(*seat));
}

static void player_asks(struct player *p, uint32_t session)
{
	struct msg_client m = client_of(p->prompt ? "" : names[p->user]);

	m.session = session;
	m.generation = p->generation;
	m.h.message_id = p->worker;
	snprintf(m.address, sizeof(m.address), "%u", p->worker);
	harness_send(termsrv, &m.h, WS_CONNECT, sizeof(m), true);
}

static void player_starts(struct player *p)
{
	SMAPIMSG m = { .ApiNumber = SmStartCsrApi, .u.StartCsr.MuSessionId = SM_NO_MUSESSION };

	m.h.message_id = p->worker;
	p->where = WAITS_START;
	harness_send(termsrv, &m.h, LPC_REQUEST, sizeof(m), false);
}

static void on_started(const SMAPIMSG *m)
{
	struct player *p = player_of(m->h.message_id);

	assert_int_equal(m->ReturnedStatus, STATUS_SUCCESS);
	assert_non_null(p);
	p->session = m->u.StartCsr.MuSessionId;
	p->generation = m->h.client_view_size;
	p->where = STARTED;
}

static void on_session(const struct msg_ws_session *m)
{
	struct player *p = player_of(m->h.message_id);

	if (!p || p->where == TOLD || p->where == SOMEWHERE)
		return;
	if (m->session != NO_SESSION) {
		/* at a screen once csrss has read so; told later at the latest */
		p->session = m->session;
		p->generation = m->generation;
		return;
	}
	if (m->status == STATUS_SUCCESS && p->where == ASKING)
		player_starts(p);
	else
		p->where = TOLD;
}

/* termsrv reads all that there is. */
static void serve_termsrv(void)
{
	union {
		PORT_MESSAGE h;
		SMAPIMSG call;
		struct msg_ws_session session;
	} m;

	while (harness_receive(termsrv, &m, sizeof(m)) > 0)
		if (m.h.type == LPC_REPLY && m.call.ApiNumber == SmStartCsrApi)
			on_started(&m.call);
		else if (m.h.type == WS_SESSION)
			on_session(&m.session);
}

/* A session that is being created comes up. */
static void bring_up(void)
{
	for (uint32_t slot = 0; slot < harness.smss.capacity; slot++) {
		struct session *s = harness.smss.slots[slot];
		struct seat *seat = free_seat();
		if (!s || s->id == 0 || s->step != SESSION_LOADING)
			continue;
		assert_non_null(seat);
		*seat = (struct seat){ .session = s, .generation = s->generation, .player = -1 };
		harness_up(s, &seat->csrss, &seat->sb);
		return;
	}
}

static void player_acts(struct player *p)
{
	struct msg_user user = { .session = p->session, .generation = p->generation };

	if (p->where == AWAY || p->where == TOLD) {
		*p = (struct player){ .where = ASKING,
			.worker = ++next_worker,
			.user = dice(3),
			.prompt = dice(4) == 0,
			.session = NO_SESSION };
		if (p->prompt)
			player_starts(p);
		else
			player_asks(p, NO_SESSION);
	} else if (p->where == STARTED) {
		p->where = ASKING_AGAIN;
		player_asks(p, p->session);
	} else if (p->where == SOMEWHERE && p->prompt) {
		p->prompt = false;
		snprintf(user.user, sizeof(user.user), "%s", names[p->user]);
		harness_send(termsrv, &user.h, WS_LOGON, sizeof(user), false);
	}
}

/* It closes its connection, wherever it is. */
static void player_leaves(struct player *p)
{
	p->gone = true;
	for (int i = 0; i < SESSIONS; i++)
		if (is_seat(&seats[i]) && seats[i].player == p - players) {
			struct msg_connection m = { .connection = seats[i].connection };
			seats[i].player = -1;
			p->where = TOLD;
			port_header(&m.h, CSR_DISCONNECTED, sizeof(m), 0);
			port_send(seats[i].csrss, &m.h, -1);
		}
}

static void seat_acts(struct seat *seat)
{
	struct msg_choice choice = { 0 };
	struct msg_control m = { 0 };

	if (!alive(seat) || seat->session->step == SESSION_ENDING) {
		if (dice(3) == 0)
			bury(seat);
		return;
	}
	switch (dice(24)) {
	case 0: /* the user logs off */
		harness_reap(seat->session->winlogon, 0);
		break;
	case 1:
		winstation_detach(seat->session, END_ADMIN_DISCONNECT);
		break;
	case 2: /* tscon */
		m.session =
		    seats[dice(SESSIONS)].session ? seats[0].session ? seats[0].session->id : 1 : 1;
		m.target = seat->session->id;
		harness_send(admin, &m.h, CTL_CONNECT, sizeof(m), false);
		harness_receive(admin, &m, sizeof(m));
		break;
	default:
		if (seat->choosing) {
			choice.session = dice(2)                         ? NO_SESSION
			                 : seats[dice(SESSIONS)].session ? 1 + dice(8)
			                                                 : NO_SESSION;
			harness_send(seat->csrss, &choice.h, CSR_CHOICE, sizeof(choice), false);
		} else {
			serve(seat);
			harness_run();
		}
	}
}

/* Everybody has read everything. */
static void settle(void)
{
	bool more = true;

	while (more) {
		more = false;
		serve_termsrv();
		for (int i = 0; i < SESSIONS; i++)
			while (is_seat(&seats[i]) && serve(&seats[i]))
				more = true;
		harness_run();
	}
	serve_termsrv();
}

static void check_seat(const struct seat *seat)
{
	const struct session *s = seat->session;

	if (!alive(seat) || s->step != SESSION_RUNNING)
		return;
	if (seat->player < 0 && s->connection)
		fail_msg("session %u: smss believes in a client that is gone", s->id);
	if (seat->player >= 0 && (!s->connection || s->connection != seat->connection))
		fail_msg("session %u: smss does not know its client", s->id);
	if (seat->player >= 0 && strtoul(s->info.address, NULL, 10) != players[seat->player].worker)
		fail_msg("session %u: smss takes its client for another", s->id);
	if (seat->player < 0 && s->state == WTS_ACTIVE)
		fail_msg("session %u is active without a client", s->id);
}

static void check(bool single)
{
	for (int i = 0; i < SESSIONS; i++)
		if (is_seat(&seats[i]))
			check_seat(&seats[i]);
	for (int p = 0; p < CLIENTS; p++) {
		unsigned at = 0;
		for (int i = 0; i < SESSIONS; i++)
			at += is_seat(&seats[i]) && seats[i].player == p;
		if (at != (players[p].where == SOMEWHERE))
			fail_msg("client %u is at %u screens, and %d", players[p].worker, at,
			    players[p].where);
		if (players[p].where == ASKING || players[p].where == ASKING_AGAIN)
			fail_msg("client %u was forgotten", players[p].worker);
	}
	for (unsigned u = 0; single && u < 3; u++) {
		unsigned count = 0;
		for (int i = 0; i < SESSIONS; i++)
			count += alive(&seats[i]) && seats[i].session->step == SESSION_RUNNING &&
			         seats[i].session->logged_on &&
			         strcmp(seats[i].session->info.user, names[u]) == 0;
		if (count > 1)
			fail_msg("%s has %u sessions", names[u], count);
	}
}

static void play(unsigned steps, bool single)
{
	harness.config.fSingleSessionPerUser = single;
	memset(players, 0, sizeof(players));
	memset(seats, 0, sizeof(seats));
	for (unsigned i = 0; i < steps; i++) {
		struct seat *seat = &seats[dice(SESSIONS)];
		switch (dice(8)) {
		case 0:
			player_acts(&players[dice(CLIENTS)]);
			break;
		case 1:
			if (dice(3) == 0)
				player_leaves(&players[dice(CLIENTS)]);
			break;
		case 2:
			bring_up();
			break;
		case 3:
			serve_termsrv();
			break;
		default:
			if (is_seat(seat))
				seat_acts(seat);
		}
		if (i % 16 == 0) {
			settle();
			check(single);
		}
	}
	for (int i = 0; i < SESSIONS; i++)
		if (is_seat(&seats[i]))
			bury(&seats[i]);
	settle();
}

static void races(void **state)
{
	int error = dup(STDERR_FILENO), null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	(void)state;
	dup2(null, STDERR_FILENO); /* thousands of log lines */
	for (int single = 0; single < 2; single++) {
		seed = 1;
		play(STEPS, single);
		end(NULL);
		begin(NULL);
	}
	dup2(error, STDERR_FILENO);
	close(error);
	close(null);
}

#define W(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = { W(comes_back), W(not_kept), W(two_at_once), W(cookies),
		W(account_gone), W(chooses), W(limits_on_sessions), W(idle), W(late_warning),
		W(connection_time), W(disconnection_time), W(administrators), W(users), W(boxes),
		W(races), W(logoff_after_restart) };

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests_name("smss-winstation", tests, NULL, NULL);
}
