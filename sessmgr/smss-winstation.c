/*
 * Who is at which session's screen.
 *
 *   connection   smss's number of a client at a screen; csrss repeats it, so that what it says
 *                of an earlier client is known for that
 *   arbitration  which session the client of a user gets: one of his, or a new one; decided in
 *                one turn, here alone, so that two clients never get one session
 *   move         a client on its way from one session's csrss to another's: the first is asked
 *                for its display port (CSR_YIELD), and what it passes is passed on
 *
 * A client whose user is known comes twice where he has no session yet: termsrv asks for
 * whichever he has (WS_CONNECT for NO_SESSION), is told none, calls StartCsr, and comes again
 * with the new one. Should he have one by then, the new one ends.
 */
#include "log.h"
#include "smss.h"

#include <string.h>
#include <sys/random.h>
#include <unistd.h>

static const uint8_t no_cookie[COOKIE_SIZE];

static bool is_running(const struct session *s)
{
	return s && s->step == SESSION_RUNNING && s->windows && s->windows->client && s->id != 0;
}

/* The session that a message of termsrv is about; NULL where it is gone. */
static struct session *named_session(struct smss *smss, uint32_t id, uint32_t generation)
{
	struct session *s = session_find(smss, id);

	return is_running(s) && s->generation == generation ? s : NULL;
}

static void answer_worker(
    struct smss *smss, uint32_t worker, const struct session *s, int32_t status, uint32_t reason)
{
	struct msg_ws_session m = { .session = s ? s->id : NO_SESSION,
		.generation = s ? s->generation : 0,
		.status = status,
		.reason = reason };

	if (worker == NO_WORKER)
		return;
	if (s)
		memcpy(m.cookie, s->cookie, sizeof(m.cookie));
	port_header(&m.h, WS_SESSION, sizeof(m), worker);
	client_send(smss->services[SERVICE_TERMSRV].client, &m.h, -1);
	explicit_bzero(&m, sizeof(m));
}

/* ---- arbitration ---- */

static bool is_of(const struct session *s, const char *user)
{
	/* who logs on while he is being logged off gets another */
	return s->logged_on && s->leaving == END_NONE && is_running(s) &&
	       strcmp(s->info.user, user) == 0;
}

/* How many sessions USER has, SELF not counted. */
static unsigned sessions_of(struct smss *smss, const char *user, const struct session *self)
{
	const struct session *s;
	unsigned count = 0;

	LIST_FOREACH(s, table_users(smss, user), same_user)
	count += s != self && is_of(s, user);
	return count;
}

/*
 * The session that USER's client comes to: his only one, wherever its client is
 * (fSingleSessionPerUser), or the one that is disconnected. *CHOICES is how many of these
 * there are; where there are several he is to say which, and it is NULL.
 */
static struct session *arbitrate(
    struct smss *smss, const char *user, const struct session *self, unsigned *choices)
{
	struct session *s, *best = NULL;
	bool single = smss->config->fSingleSessionPerUser;

	*choices = 0;
	LIST_FOREACH(s, table_users(smss, user), same_user)
	{
		if (s == self || !is_of(s, user))
			continue;
		if (s->state == WTS_DISCONNECTED)
			++*choices;
		else if (!single)
			continue;
		/* the one that was disconnected last; else one that a client is at */
		if (!best || s->disconnected > best->disconnected)
			best = s;
	}
	/* where there is no room for the session that would ask: the last one */
	if (!self && table_used(smss) >= smss->config->MaxInstanceCount)
		return best;
	return single || *choices < 2 ? best : NULL;
}

/* Why USER may not have a session more than he has; STATUS_SUCCESS: he may. */
static int32_t may_have_new(struct smss *smss, const char *user, const struct session *self)
{
	uint32_t max = smss->config->MaxSessionsPerUser;
	char quoted[USER_SIZE];

	log_quote(quoted, sizeof(quoted), user);
	if (manage_draining(smss)) {
		log_info("no new session for user \"%s\": the service drains", quoted);
		audit_draining();
		stats_refused(smss, REFUSAL_DRAINING);
		return STATUS_ACCESS_DENIED;
	}
	if (max && sessions_of(smss, user, self) >= max) {
		log_info("no new session for user \"%s\": MaxSessionsPerUser is %u", quoted, max);
		stats_refused(smss, REFUSAL_USER_LIMIT);
		return STATUS_ACCESS_DENIED;
	}
	return STATUS_SUCCESS;
}

/* ---- a client at a screen ---- */

/* The user's command runs, or will: the session is his. */
static void logged_on(struct session *s)
{
	s->logged_on = true;
	s->choosing = false;
	s->info.logon = (uint64_t)time(NULL);
	s->smss->stats.logons++;
}

static void renew_cookie(struct session *s)
{
	memset(s->cookie, 0, sizeof(s->cookie));
	if (s->smss->config->fDisableAutoReconnect || !s->logged_on)
		return;
	/* what cannot be had at once is not waited for: the client has to log on then */
	if (getrandom(s->cookie, sizeof(s->cookie), GRND_NONBLOCK) != sizeof(s->cookie))
		memset(s->cookie, 0, sizeof(s->cookie));
}

/* Of a session that was there before only the client's phases are new: one of them its worker told. */
static void take_phases(struct session *s, const struct msg_client *message, bool again)
{
	uint64_t *phase = s->info.phase, latest = 0, now = clock_us();

	if (again) {
		memset(phase, 0, sizeof(s->info.phase));
		phase[PHASE_ANSWERED] = now;
	}
	for (int i = PHASE_ACCEPT; i < PHASE_START_CSR; i++) {
		phase[i] = message->phase[i] ? clock_within(message->phase[i], latest, now) : 0;
		latest = phase[i] ? phase[i] : latest;
	}
}

/* MESSAGE's client is at the screen of S now; whoever was there is told that it is replaced by
   csrss. DISPLAY is the port to it. AGAIN: the session is not new. It is recorded as a whole, and
   before csrss hears of it: a later smss asks csrss which client it has. */
static void attach(struct session *s, struct msg_client *message, uint32_t worker, int display,
    bool again, enum session_state state)
{
	struct msg_session *info = &s->info;

	if (++s->smss->last_connection == 0)
		s->smss->last_connection = 1;
	s->connection = s->smss->last_connection;
	s->worker = worker;
	s->awaits_client = s->painted_early = false;
	memset(&s->move, 0, sizeof(s->move));
	if (!again) {
		memcpy(info->user, message->user, sizeof(info->user));
		memcpy(info->domain, message->domain, sizeof(info->domain));
	}
	memcpy(info->station, message->station, sizeof(info->station));
	memcpy(info->address, message->address, sizeof(info->address));
	info->width = message->width;
	info->height = message->height;
	take_phases(s, message, again);
	info->disconnected = 0;
	s->disconnected = 0;
	s->connected = s->input = clock_us();
	info->input = (uint64_t)time(NULL);
	renew_cookie(s);
	memcpy(message->user, info->user, sizeof(message->user));
	memcpy(message->winstation, info->winstation, sizeof(message->winstation));
	memcpy(message->phase, info->phase, sizeof(message->phase));
	message->session = s->id;
	message->csrss = (uint32_t)s->windows->pid;
	message->winlogon = (uint32_t)s->winlogon;
	message->connection = s->connection;
	memset(message->cookie, 0, sizeof(message->cookie));
	record_counters(s->smss);
	session_set_state(s, state);
	port_header(&message->h, CSR_CLIENT, sizeof(*message), 0);
	client_send(s->windows->client, &message->h, display);
	answer_worker(s->smss, worker, s, STATUS_SUCCESS, END_NONE);
	limits_changed(s);
}

/* The client of a user comes (back) to S, which is his. */
static void reconnect(struct session *s, struct msg_client *message, uint32_t worker, int display)
{
	char user[USER_SIZE];

	log_event("session %u: user \"%s\" reconnects from %s%s", s->id,
	    log_quote(user, sizeof(user), s->info.user), message->address,
	    s->connection ? ", replacing another client" : "");
	if (s->connection)
		audit_disconnect(s, END_REPLACED, true);
	s->smss->stats.reconnects++;
	attach(s, message, worker, display, true, WTS_ACTIVE);
	audit_reconnect(s);
}

/* ---- choosing ---- */

static void add_choice(struct msg_choices *m, const struct session *s)
{
	unsigned at = m->count;

	/* the latest first; of more than can be shown the earliest are left out */
	if (at == CHOICES_MAX) {
		if (s->info.disconnected < m->choices[--at].disconnected)
			return;
	} else {
		m->count++;
	}
	for (; at > 0 && m->choices[at - 1].disconnected < s->info.disconnected; at--)
		m->choices[at] = m->choices[at - 1];
	m->choices[at] = (struct session_choice){
		.session = s->id, .started = s->info.logon, .disconnected = s->info.disconnected
	};
}

/* The user of S has several disconnected sessions: winlogon asks which it shall be. False where
   there is none any more. */
static bool ask_choice(struct session *s, bool refused)
{
	struct msg_choices m = { .refused = refused };
	const struct session *other;

	LIST_FOREACH(other, table_users(s->smss, s->info.user), same_user)
	if (other != s && is_of(other, s->info.user) && other->state == WTS_DISCONNECTED)
		add_choice(&m, other);
	if (m.count == 0)
		return false;
	s->choosing = true;
	session_set_state(s, WTS_CONNECT_QUERY);
	port_header(&m.h, CSR_CHOICES, sizeof(m), 0);
	client_send(s->windows->client, &m.h, -1);
	return true;
}

/* winlogon, which waits for a user, goes on with S's. */
static void log_on(struct session *s)
{
	struct msg_user m = { .session = s->id };

	if (may_have_new(s->smss, s->info.user, s) != STATUS_SUCCESS) {
		session_stop(s, END_DENIED, STATUS_ACCESS_DENIED);
		return;
	}
	table_add_user(s);
	logged_on(s);
	renew_cookie(s);
	audit_logon(s, NULL);
	session_set_state(s, WTS_ACTIVE);
	memcpy(m.user, s->info.user, sizeof(m.user));
	port_header(&m.h, CSR_USER, sizeof(m), 0);
	client_send(s->windows->client, &m.h, -1);
	record_update(s);
	answer_worker(s->smss, s->worker, s, STATUS_SUCCESS, END_NONE);
	limits_changed(s);
}

/* ---- moves ---- */

/* FROM's client is to be TO's; csrss is asked for it. */
static void begin_move(struct session *from, const struct session *to, bool stop)
{
	struct msg_plain m;

	from->move = (struct move){ to->id, to->generation, stop };
	port_header(&m.h, CSR_YIELD, sizeof(m), 0);
	client_send(from->windows->client, &m.h, -1);
}

static void set_disconnected(struct session *s)
{
	s->connection = 0;
	s->worker = NO_WORKER;
	memset(&s->move, 0, sizeof(s->move));
	s->disconnected = clock_us();
	s->info.disconnected = (uint64_t)time(NULL);
	s->info.width = s->info.height = 0;
	session_set_state(s, WTS_DISCONNECTED);
	limits_changed(s);
}

/* S, which its user has logged on to, goes on without a client. */
static void disconnect(struct session *s, enum end_reason reason)
{
	char user[USER_SIZE];

	audit_disconnect(s, reason, false);
	set_disconnected(s);
	stats_disconnected(s->smss, reason);
	log_event("session %u: user \"%s\" is disconnected: %s (reason %u)", s->id,
	    log_quote(user, sizeof(user), s->info.user), end_reason_text(reason), reason);
}

/* Nobody is at S's screen any more, for REASON. */
static void client_gone(struct session *s, enum end_reason reason)
{
	if (s->logged_on)
		disconnect(s, reason);
	else
		session_stop(s, reason, STATUS_SUCCESS);
}

/* What WS_CONNECT said of the client at S's screen. */
static void describe_client(const struct session *s, struct msg_client *m, uint32_t wanted)
{
	*m = (struct msg_client){
		.width = s->info.width, .height = s->info.height, .wanted = wanted
	};
	memcpy(m->user, s->info.user, sizeof(m->user));
	memcpy(m->domain, s->info.domain, sizeof(m->domain));
	memcpy(m->station, s->info.station, sizeof(m->station));
	memcpy(m->address, s->info.address, sizeof(m->address));
	memcpy(m->phase, s->info.phase, sizeof(m->phase));
}

/* The session that FROM's client was on its way to is gone, or somebody else's: back. */
static void move_back(struct session *from, struct msg_client *m, int display)
{
	bool choosing = from->choosing, stop = from->move.stop;

	attach(from, m, from->worker, display, from->logged_on, from->state);
	if (!stop)
		return;
	if (!choosing || !ask_choice(from, true))
		log_on(from);
}

int winstation_display(struct client *client, const PORT_MESSAGE *m, int *passed)
{
	const struct msg_connection *message = (const void *)m;
	struct session *from = client->subsystem->session, *to;
	uint32_t worker = from->worker;
	struct msg_client moved;
	bool stop = from->move.stop;

	if (!from->move.generation || message->connection != from->connection)
		return 0; /* it has another client by now; this one's port closes */
	to = named_session(client->smss, from->move.session, from->move.generation);
	describe_client(from, &moved, message->wanted);
	if (*passed < 0) {
		log_warn(
		    "session %u: the port to its client is lost: out of descriptors", from->id);
		client_gone(from, END_OUT_OF_MEMORY);
		return 0;
	}
	/* whoever chose a session may have it only as long as nobody else has */
	if (!to || !to->logged_on || (stop && from->choosing && to->connection)) {
		move_back(from, &moved, *passed);
		return 0;
	}
	if (stop)
		session_stop(from, END_REPLACED, STATUS_SUCCESS);
	else
		disconnect(from, END_ADMIN_DISCONNECT);
	reconnect(to, &moved, worker, *passed);
	return 0;
}

int32_t winstation_move(struct session *from, struct session *to)
{
	if (!is_running(from) || !is_running(to) || !to->logged_on || from == to)
		return STATUS_OBJECT_NAME_NOT_FOUND;
	if (!from->connection || !from->logged_on || from->move.generation)
		return STATUS_UNSUCCESSFUL;
	begin_move(from, to, false);
	return STATUS_SUCCESS;
}

int winstation_choice(struct client *client, const PORT_MESSAGE *m, int *passed)
{
	const struct msg_choice *message = (const void *)m;
	struct session *s = client->subsystem->session, *to;

	(void)passed;
	if (!s->choosing || s->step != SESSION_RUNNING || s->move.generation)
		return 0; /* winlogon may be late: the client has gone, say */
	to = session_find(client->smss, message->session);
	if (message->session == NO_SESSION)
		log_on(s);
	else if (to && to != s && is_of(to, s->info.user) && to->state == WTS_DISCONNECTED)
		begin_move(s, to, true);
	else if (!ask_choice(s, true))
		log_on(s);
	return 0;
}

/* ---- termsrv's messages ---- */

static bool client_valid(const struct msg_client *m)
{
	return port_text_valid(m->user, sizeof(m->user)) &&
	       port_text_valid(m->domain, sizeof(m->domain)) &&
	       port_text_valid(m->station, sizeof(m->station)) &&
	       port_text_valid(m->address, sizeof(m->address)) &&
	       port_text_valid(m->winstation, sizeof(m->winstation)) && m->width >= DESKTOP_MIN &&
	       m->width <= DESKTOP_MAX && m->height >= DESKTOP_MIN && m->height <= DESKTOP_MAX;
}

static void deny(struct session *fresh, struct smss *smss, uint32_t worker, int32_t status,
    enum end_reason reason)
{
	if (fresh)
		session_stop(fresh, reason, status);
	smss->stats.denied++;
	answer_worker(smss, worker, NULL, status, reason);
}

/* The new session FRESH is its client's. */
static void connect_fresh(
    struct session *fresh, struct msg_client *message, uint32_t worker, int display, bool choose)
{
	char name[WINSTATION_SIZE]; /* the connection's */
	enum session_state state = WTS_ACTIVE;

	memcpy(name, message->winstation, sizeof(name));
	memcpy(fresh->info.user, message->user, sizeof(message->user));
	if (message->user[0] && !(choose && ask_choice(fresh, false))) {
		table_add_user(fresh);
		logged_on(fresh);
	} else {
		state = message->user[0] ? WTS_CONNECT_QUERY : WTS_CONNECTED;
	}
	attach(fresh, message, worker, display, false, state);
	if (fresh->logged_on)
		audit_logon(fresh, name);
	else
		audit_assigned(fresh, name);
}

/* A client that comes back with a cookie, which is good once. */
static struct session *by_cookie(struct smss *smss, const struct msg_client *m)
{
	struct session *s = named_session(smss, m->session, m->generation);

	return s && s->logged_on && s->leaving == END_NONE &&
	               memcmp(s->cookie, m->cookie, COOKIE_SIZE) == 0
	           ? s
	           : NULL;
}

int winstation_connect(struct client *client, const PORT_MESSAGE *m, int *passed)
{
	struct msg_client message = *(const struct msg_client *)(const void *)m;
	bool cookie = memcmp(message.cookie, no_cookie, COOKIE_SIZE) != 0;
	struct smss *smss = client->smss;
	struct session *fresh = NULL, *target = NULL;
	uint32_t worker = m->message_id;
	unsigned choices = 0;
	int32_t status = STATUS_SUCCESS;

	if (!client_valid(&message))
		return -1;
	message.wanted = 0;
	if (message.user[0] && (cookie || message.session == NO_SESSION))
		audit_authenticated(message.user, message.domain, message.address);
	if (!cookie && message.session != NO_SESSION) {
		fresh = named_session(smss, message.session, message.generation);
		if (!fresh || !fresh->awaits_client) { /* it has ended meanwhile */
			answer_worker(smss, worker, NULL, STATUS_DELETE_PENDING, END_CSRSS_CRASH);
			return 0;
		}
	}
	if (*passed < 0) {
		log_warn("%s: the port to a client is lost: out of descriptors", message.address);
		stats_refused(smss, REFUSAL_RESOURCES);
		deny(fresh, smss, worker, STATUS_NO_MEMORY, END_OUT_OF_MEMORY);
		return 0;
	}
	if (cookie)
		target = by_cookie(smss, &message);
	else if (message.user[0])
		target = arbitrate(smss, message.user, fresh, &choices);
	if (!cookie && !target && message.user[0] && choices == 0)
		status = may_have_new(smss, message.user, fresh);
	if (status != STATUS_SUCCESS) {
		deny(fresh, smss, worker, status, END_DENIED);
	} else if (target) {
		if (fresh)
			session_stop(fresh, END_REPLACED, STATUS_SUCCESS);
		reconnect(target, &message, worker, *passed);
	} else if (fresh) {
		connect_fresh(fresh, &message, worker, *passed, choices > 0);
	} else {
		answer_worker(smss, worker, NULL, STATUS_SUCCESS, END_NONE);
	}
	return 0;
}

/* The user of a session that began without one. */
int winstation_logon(struct client *client, const PORT_MESSAGE *m, int *passed)
{
	const struct msg_user *message = (const void *)m;
	struct session *s = named_session(client->smss, message->session, message->generation);
	struct session *target;
	unsigned choices;

	(void)passed;
	if (!port_text_valid(message->user, sizeof(message->user)) || !message->user[0])
		return -1;
	if (!s || !s->connection || s->info.user[0])
		return 0;
	memcpy(s->info.user, message->user, sizeof(message->user));
	audit_authenticated(s->info.user, s->info.domain, s->info.address);
	target = arbitrate(client->smss, message->user, s, &choices);
	if (target)
		begin_move(s, target, true);
	else if (choices == 0 || !ask_choice(s, false))
		log_on(s);
	return 0;
}

int winstation_cookie(struct client *client, const PORT_MESSAGE *m, int *passed)
{
	struct msg_cookie message = *(const struct msg_cookie *)(const void *)m;
	const struct session *s = session_find(client->smss, message.session);

	(void)passed;
	memset(message.cookie, 0, sizeof(message.cookie));
	memset(message.user, 0, sizeof(message.user));
	memset(message.domain, 0, sizeof(message.domain));
	if (is_running(s) && s->logged_on) {
		message.generation = s->generation;
		memcpy(message.cookie, s->cookie, sizeof(message.cookie));
		memcpy(message.user, s->info.user, sizeof(message.user));
		memcpy(message.domain, s->info.domain, sizeof(message.domain));
	}
	port_header(&message.h, WS_COOKIE, sizeof(message), m->message_id);
	client_send(client, &message.h, -1);
	explicit_bzero(&message, sizeof(message));
	return 0;
}

void winstation_forget_termsrv(struct smss *smss)
{
	for (uint32_t slot = 0; slot < smss->capacity; slot++)
		if (smss->slots[slot])
			smss->slots[slot]->worker = NO_WORKER;
}

/* ---- the end of a connection ---- */

int winstation_disconnected(struct client *client, const PORT_MESSAGE *m, int *passed)
{
	const struct msg_connection *message = (const void *)m;
	struct session *s = client->subsystem->session;

	(void)passed;
	if (s->step == SESSION_RUNNING && s->connection && message->connection == s->connection)
		client_gone(s, END_NONE);
	return 0;
}

void winstation_lost(struct session *s)
{
	client_gone(s, END_NONE);
}

int32_t winstation_detach(struct session *s, enum end_reason reason)
{
	struct msg_end m = { .reason = reason };

	if (!is_running(s) || !s->connection)
		return STATUS_UNSUCCESSFUL;
	if (s->logged_on) {
		port_header(&m.h, CSR_DETACH, sizeof(m), 0);
		client_send(s->windows->client, &m.h, -1);
	}
	client_gone(s, reason);
	return STATUS_SUCCESS;
}
