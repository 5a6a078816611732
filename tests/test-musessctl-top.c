/* musessctl top: rates, columns, screen and keys by themselves; then the program, in a pipe
   and on a terminal; and the counters of real connections. */
#include "../daemon/musessctl-top.h"
#include "../sessmgr/ntstatus.h"
#include "fake-smss.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

/* ---- sizes, keys, text ---- */

static void test_size(void **data)
{
	static const struct {
		double bytes;
		const char *text;
	} cases[] = { { 0, "0" }, { 0.4, "0" }, { 999, "999" }, { 999.5, "1.0K" }, { 1024, "1.0K" },
		{ 1536, "1.5K" }, { 9.94 * 1024, "9.9K" }, { 9.95 * 1024, "10K" },
		{ 999.0 * 1024, "999K" }, { 1000.0 * 1024, "1.0M" }, { 3.0 * (1 << 30), "3.0G" },
		{ 1e30, "867361737988E" } };
	char text[TOP_SIZE_SIZE];

	(void)data;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		top_size(cases[i].bytes, text);
		assert_string_equal(text, cases[i].text);
	}
}

static void test_keys(void **data)
{
	static const struct {
		const char *bytes;
		enum top_key key;
		size_t used;
	} cases[] = { { "k", TOP_UP, 1 }, { "j", TOP_DOWN, 1 }, { "d", TOP_DISCONNECT, 1 },
		{ "l", TOP_LOGOFF, 1 }, { "m", TOP_MESSAGE, 1 }, { "qq", TOP_QUIT, 1 },
		{ "x", TOP_NONE, 1 }, { "\033[A", TOP_UP, 3 }, { "\033OBd", TOP_DOWN, 3 },
		{ "\033[3~d", TOP_NONE, 4 }, { "\033[1;5A", TOP_UP, 6 }, { "\033", TOP_NONE, 1 },
		{ "\033d", TOP_NONE, 1 }, { "\033[", TOP_NONE, 2 }, { "\033[1;", TOP_NONE, 4 } };
	size_t used;

	(void)data;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		assert_int_equal(
		    top_key(cases[i].bytes, strlen(cases[i].bytes), &used), cases[i].key);
		assert_int_equal(used, cases[i].used);
	}
}

static void type_all(struct top_text *t, const char *bytes)
{
	for (; *bytes; bytes++)
		assert_int_equal(top_type(t, *bytes), TOP_TYPING);
}

static void test_typing(void **data)
{
	struct top_text t = { 0 };

	(void)data;
	type_all(&t, "a\xc3\xa4\xe2\x82\xac");
	assert_string_equal(t.text, "a\xc3\xa4\xe2\x82\xac");
	type_all(&t, "\x7f\b");
	assert_string_equal(t.text, "a");
	type_all(&t, "\t\x01 b");
	assert_string_equal(t.text, "a b");
	assert_int_equal(top_type(&t, '\r'), TOP_ENTERED);
	assert_int_equal(top_type(&t, '\033'), TOP_CANCELLED);
	type_all(&t, "\x7f\x7f\x7f\x7f");
	assert_string_equal(t.text, "");
	assert_int_equal(top_type(&t, '\n'), TOP_CANCELLED); /* nothing to send */
	for (int i = 0; i < 2 * BOX_TEXT_SIZE; i++)
		top_type(&t, 'x');
	assert_int_equal(strlen(t.text), BOX_TEXT_SIZE - 1);
}

/* ---- samples ---- */

static const struct msg_session sessions[] = {
	{ .session = 0, .state = WTS_CONNECTED, .winstation = "Console", .csrss = 10 },
	{ .session = 1,
	    .state = WTS_ACTIVE,
	    .winstation = "RDP-Tcp#1",
	    .user = "lab",
	    .address = "192.0.2.1:50000",
	    .csrss = 20 },
	{ .session = 2, .state = WTS_DISCONNECTED, .user = "eve", .csrss = 30 },
	{ .session = LISTENER_ID, .state = WTS_LISTEN, .winstation = "RDP-Tcp" },
};

/* TICKS and bytes are those of session 1; its two processes have ended, for their memory not
   to depend on the machine. */
static struct top_sample sample_of(uint64_t at, uint64_t ticks, uint64_t bytes)
{
	struct proctree_entry processes[] = {
		{ .pid = 0, .session = NO_SESSION, .ticks = 7, .resident = 1 },
		{ .pid = 0, .session = 1, .ticks = ticks, .resident = 1 },
		{ .pid = 0, .session = 1, .ticks = 5, .resident = 2 },
	};
	struct tcpinfo connections[] = { { "192.0.2.1:50000", bytes, 2 * bytes },
		{ "192.0.2.2:50000", 1, 2 } };
	struct top_sample sample = { .at = at };

	assert_int_equal(top_fill(&sample, sessions, 4, processes, 3, connections, 2), 0);
	return sample;
}

static void test_rates(void **data)
{
	struct top_sample before = sample_of(10000, 100, 4096), now = sample_of(12000, 150, 6144);
	char text[1024] = "", expected[1024], memory[TOP_SIZE_SIZE];
	FILE *out = fmemopen(text, sizeof(text), "w");
	const long page = sysconf(_SC_PAGESIZE);

	(void)data;
	assert_int_equal(now.count, 3);
	assert_false(now.rows[0].processes);
	assert_int_equal(now.rows[1].ticks, 155);
	assert_int_equal(now.rows[1].memory, 3 * page);
	assert_true(now.rows[1].processor < 0);
	top_rates(&now, &before, 100);
	assert_true(now.rows[1].processor > 24.99 && now.rows[1].processor < 25.01);
	assert_true(now.rows[0].processor < 0);
	top_size((double)(3 * page), memory);
	top_show(out, &now);
	fclose(out);
	snprintf(expected, sizeof(expected),
	    " SESSIONNAME       USERNAME                 ID  STATE   CPU %% MEMORY  IN/s OUT/s\n"
	    " console                                     0  Conn        -      -     -     -\n"
	    " rdp-tcp#1         lab                       1  Active   25.0 %6s  1.0K  2.0K\n"
	    "                   eve                       2  Disc        -      -     -     -\n",
	    memory);
	assert_string_equal(text, expected);
	top_free(&before);
	top_free(&now);
	top_free(&now);
}

/* A number that was given again, a client that came back, processes that ended, no time. */
static void test_rates_that_are_none(void **data)
{
	struct top_sample before = sample_of(10000, 100, 4096), now = sample_of(12000, 50, 4096);

	(void)data;
	top_rates(&now, &before, 100);
	assert_true(now.rows[1].processor == 0 && now.rows[1].received_rate == 0);
	now.rows[1].processor = now.rows[1].received_rate = -1;
	before.rows[1].session.csrss = 21;
	top_rates(&now, &before, 100);
	assert_true(now.rows[1].processor < 0 && now.rows[1].received_rate < 0);
	before.rows[1].session.csrss = 20;
	strcpy(before.rows[1].session.address, "192.0.2.1:50001");
	top_rates(&now, &before, 100);
	assert_true(now.rows[1].processor == 0 && now.rows[1].received_rate < 0);
	now.rows[1].processor = -1;
	now.at = before.at;
	top_rates(&now, &before, 100);
	assert_true(now.rows[1].processor < 0);
	before.count = 0;
	now.at = before.at + 1;
	top_rates(&now, &before, 100);
	assert_true(now.rows[1].processor < 0);
	top_free(&before);
	top_free(&now);
}

static void test_json(void **data)
{
	struct top_sample before = sample_of(0, 0, 0), now = sample_of(1000, 0, 0);
	json_t *document, *expected;

	(void)data;
	top_rates(&now, &before, 100);
	now.count = 2;
	document = top_json(&now);
	expected = json_pack("{s:[{s:i,s:b,s:s,s:s,s:s,s:n,s:n,s:n,s:n},"
	                     "{s:i,s:b,s:s,s:s,s:s,s:f,s:i,s:f,s:f}]}",
	    "sessions", "id", 0, "own", 0, "name", "Console", "user", "", "state", "Conn",
	    "processor_percent", "memory_bytes", "in_bytes_per_s", "out_bytes_per_s", "id", 1,
	    "own", 0, "name", "RDP-Tcp#1", "user", "lab", "state", "Active", "processor_percent",
	    0.0, "memory_bytes", (int)(3 * sysconf(_SC_PAGESIZE)), "in_bytes_per_s", 0.0,
	    "out_bytes_per_s", 0.0);
	assert_non_null(expected);
	assert_true(json_equal(document, expected));
	json_decref(document);
	json_decref(expected);
	top_free(&before);
	top_free(&now);
}

/* ---- the screen ---- */

static void test_selection(void **data)
{
	struct msg_session many[20] = { 0 };
	struct top_sample sample = { 0 }, none = { 0 };
	struct top_view view = { .width = 80, .height = 8 }; /* five rows */

	(void)data;
	for (uint32_t i = 0; i < 20; i++)
		many[i].session = 10 * i;
	assert_int_equal(top_fill(&sample, many, 20, NULL, 0, NULL, 0), 0);
	top_move(&view, &sample, -1);
	assert_int_equal(view.selected, 0);
	for (int i = 0; i < 7; i++)
		top_move(&view, &sample, 1);
	assert_int_equal(view.selected, 7);
	assert_int_equal(view.first, 3);
	top_move(&view, &sample, -5);
	assert_int_equal(view.selected, 2);
	assert_int_equal(view.first, 2);
	top_move(&view, &sample, 100);
	assert_int_equal(view.selected, 19);
	top_select(&view, &sample, 50);
	assert_int_equal(view.selected, 5);
	top_select(&view, &sample, 55); /* gone: the next */
	assert_int_equal(view.selected, 6);
	top_select(&view, &sample, 1000);
	assert_int_equal(view.selected, 19);
	view.height = 0;
	top_move(&view, &sample, 0);
	assert_int_equal(view.first, 19);
	top_select(&view, &none, 5);
	assert_int_equal(view.selected, 0);
	top_free(&sample);
}

static void test_draw(void **data)
{
	struct top_sample sample = sample_of(0, 0, 0);
	struct top_view view = { .width = 30, .height = 5, .selected = 1, .clock = "12:00:00" };
	char text[1024] = "";
	FILE *out = fmemopen(text, sizeof(text), "w");

	(void)data;
	top_draw(out, &view, &sample); /* two rows have room */
	fclose(out);
	assert_string_equal(text, "\033[H"
	                          "12:00:00  3 sessions  Active 1\033[K\r\n"
	                          " SESSIONNAME       USERNAME   \033[K\r\n"
	                          " console                      \033[K\r\n"
	                          "\033[7m rdp-tcp#1         lab        \033[m\033[K\r\n"
	                          "\033[J\033[5;1H"
	                          "Up/Down select  d disconnect  \033[K");
	top_free(&sample);
}

/* ---- connections ---- */

/* A socket's own address as messages write a client's. */
static void write_address(int fd, char text[ADDRESS_SIZE])
{
	union {
		struct sockaddr any;
		struct sockaddr_in four;
		struct sockaddr_in6 six;
	} a;
	socklen_t length = sizeof(a);
	char host[INET6_ADDRSTRLEN];

	memset(&a, 0, sizeof(a));
	assert_int_equal(getsockname(fd, &a.any, &length), 0);
	if (a.any.sa_family == AF_INET) {
		inet_ntop(AF_INET, &a.four.sin_addr, host, sizeof(host));
		snprintf(text, ADDRESS_SIZE, "%s:%u", host, ntohs(a.four.sin_port));
	} else {
		inet_ntop(AF_INET6, &a.six.sin6_addr, host, sizeof(host));
		snprintf(text, ADDRESS_SIZE, "[%s]:%u", host, ntohs(a.six.sin6_port));
	}
}

static void assert_counted(const char *peer, uint64_t received, uint64_t sent)
{
	size_t count;
	struct tcpinfo *all = tcpinfo_read(&count);
	const struct tcpinfo *t = tcpinfo_find(all, count, peer);

	assert_non_null(all);
	assert_non_null(t);
	assert_int_equal(t->received, received);
	assert_in_range(t->sent, sent, sent + 1); /* SYN may count as one */
	free(all);
}

/* Over loopback, from a client of FAMILY to a listener at HOST, an IPv6 address: what is sent
   one way and the other is counted. */
static void check_connection(int family, const char *host)
{
	struct sockaddr_in6 address = { .sin6_family = AF_INET6 };
	struct sockaddr_in four = { .sin_family = AF_INET };
	socklen_t length = sizeof(address);
	char peer[ADDRESS_SIZE], bytes[1000] = "";
	int listener = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0), server;
	int client = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	inet_pton(AF_INET6, host, &address.sin6_addr);
	if (listener < 0 || bind(listener, (struct sockaddr *)&address, sizeof(address)) < 0) {
		print_message("no IPv6 here\n");
		fd_close(&listener);
		close(client);
		return;
	}
	assert_int_equal(listen(listener, 1), 0);
	getsockname(listener, (struct sockaddr *)&address, &length);
	four.sin_port = address.sin6_port;
	four.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(family == AF_INET
	                     ? connect(client, (struct sockaddr *)&four, sizeof(four))
	                     : connect(client, (struct sockaddr *)&address, sizeof(address)),
	    0);
	server = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	assert_int_equal(send(client, bytes, 1000, 0), 1000);
	assert_int_equal(recv(server, bytes, 1000, MSG_WAITALL), 1000);
	assert_int_equal(send(server, bytes, 300, 0), 300);
	assert_int_equal(recv(client, bytes, 300, MSG_WAITALL), 300);
	write_address(client, peer);
	assert_counted(peer, 1000, 300);
	close(client);
	close(server);
	close(listener);
}

static void test_tcpinfo(void **data)
{
	(void)data;
	check_connection(AF_INET6, "::1");
	check_connection(AF_INET, "::ffff:127.0.0.1");
}

static void test_tcpinfo_find(void **data)
{
	static const struct tcpinfo all[] = { { "a:1", 1, 1 }, { "b:1", 2, 2 }, { "b:1", 3, 3 },
		{ "c:1", 4, 4 } };

	(void)data;
	assert_ptr_equal(tcpinfo_find(all, 4, "a:1"), &all[0]);
	assert_ptr_equal(tcpinfo_find(all, 4, "c:1"), &all[3]);
	assert_null(tcpinfo_find(all, 4, "b:1")); /* which? */
	assert_null(tcpinfo_find(all, 4, ""));
	assert_null(tcpinfo_find(all, 4, "a"));
	assert_null(tcpinfo_find(NULL, 0, "a:1"));
}

/* ---- the program ---- */

/* Answers one look: the sessions, and smss alone of the service's processes, which is this
   one. */
static void answer_look(struct fake *f, const struct msg_session *list, size_t count)
{
	struct msg_process smss = {
		.process = (uint32_t)getpid(), .session = NO_SESSION, .image = "smss"
	};
	uint32_t id;

	fake_answer_list(f, list, count);
	id = fake_asked_plainly(f, CTL_SERVICE);
	FAKE_ANSWER(f, smss, CTL_PROCESS, id);
	fake_answer_end(f, id);
}

static const char header[] =
    " SESSIONNAME       USERNAME                 ID  STATE   CPU % MEMORY  IN/s OUT/s\n";

static void test_snapshots(void **data)
{
	struct fake *f = *data;

	fake_run(f, "top", "--count", "2", "--interval", "0.1");
	for (int i = 0; i < 3; i++)
		answer_look(f, sessions + 1, 3);
	fake_assert_success(f);
	for (int i = 0; i < 2; i++) {
		char *end = strstr(f->out, "\n\n");
		assert_non_null(end);
		end[1] = 0;
		assert_int_equal(strncmp(f->out, header, strlen(header)), 0);
		assert_string_equal(f->out + strlen(header),
		    " rdp-tcp#1         lab                       1  Active      -      -     -    "
		    " -\n"
		    "                   eve                       2  Disc        -      -     -    "
		    " -\n");
		memmove(f->out, end + 2, strlen(end + 2) + 1);
	}
	assert_string_equal(f->out, "");
}

/* A session whose csrss is busy. */
static void test_snapshot_json(void **data)
{
	struct fake *f = *data;
	struct msg_session busy = sessions[1];
	pid_t pid = fork();
	json_t *document;
	const json_t *row;

	if (pid == 0)
		for (;;)
			;
	busy.csrss = (uint32_t)pid;
	fake_run(f, "top", "--count", "1", "--json", "--interval", "0.5");
	answer_look(f, &busy, 1);
	answer_look(f, &busy, 1);
	document = fake_parse_output(f);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	assert_ptr_equal(strchr(f->out, '\n'), f->out + strlen(f->out) - 1);
	row = json_array_get(json_object_get(document, "sessions"), 0);
	assert_true(json_real_value(json_object_get(row, "processor_percent")) > 1);
	assert_true(json_integer_value(json_object_get(row, "memory_bytes")) > 0);
	assert_true(json_is_null(json_object_get(row, "in_bytes_per_s")));
	json_decref(document);
}

/* In a session smss is not asked for processes. */
static void test_in_a_session(void **data)
{
	struct fake *f = *data;
	struct msg_session own = sessions[1];

	own.own = 1;
	fake_run(f, "top", "--count", "1", "--interval", "0.1");
	fake_answer_list(f, &own, 1);
	fake_answer_list(f, &own, 1);
	fake_assert_success(f);
	assert_non_null(strstr(f->out, "\n>rdp-tcp#1 "));
}

static void test_ends(void **data)
{
	struct fake *f = *data;

	fake_run(f, "top");
	answer_look(f, sessions, 4);
	kill(f->pid, SIGTERM);
	fake_assert_success(f);
	fake_run(f, "top", "--interval", "0.1");
	answer_look(f, sessions, 4);
	fake_asked_plainly(f, CTL_LIST);
	fd_close(&f->port);
	fake_assert_failure(f, 1, "musessctl: top: STATUS_PORT_DISCONNECTED: ");
}

static void test_usage(void **data)
{
	static const char *const intervals[] = { "", "0", "0.09", "86401", "x", "1x", "nan", "-1",
		"inf" };
	static const char *const counts[] = { "", "0", "-1", "x", "1.5", "4294967295" };
	struct fake *f = *data;

	for (size_t i = 0; i < sizeof(intervals) / sizeof(*intervals); i++) {
		fake_run(f, "top", "--interval", intervals[i]);
		fake_assert_failure(f, 2, "musessctl: top: \"");
	}
	for (size_t i = 0; i < sizeof(counts) / sizeof(*counts); i++) {
		fake_run(f, "top", "--count", counts[i]);
		fake_assert_failure(f, 2, "musessctl: top: \"");
	}
}

/* ---- on a terminal ---- */

struct screen {
	int terminal;
	size_t length;
	char seen[1 << 16];
};

/* Reads until TEXT was seen since the last time, and forgets what came before it. */
static void await_screen(struct screen *s, const char *text)
{
	struct pollfd p = { .fd = s->terminal, .events = POLLIN };
	char *found;

	while (!(found = strstr(s->seen, text))) {
		assert_int_equal(poll(&p, 1, FAKE_PATIENCE), 1);
		ssize_t got =
		    read(s->terminal, s->seen + s->length, sizeof(s->seen) - 1 - s->length);
		if (got <= 0)
			fail_msg("not on the screen: %s\n%s", text, s->seen);
		s->length += (size_t)got;
		s->seen[s->length] = 0;
	}
	found += strlen(text);
	s->length -= (size_t)(found - s->seen);
	memmove(s->seen, found, s->length + 1);
}

static void press(struct screen *s, const char *keys)
{
	assert_int_equal(write(s->terminal, keys, strlen(keys)), strlen(keys));
}

/* Starts it, with one look in all, and waits for the first picture. */
static struct screen *start_live(struct fake *f)
{
	char *words[] = { "musessctl", "top", "--interval", "86400", NULL };
	struct screen *s = calloc(1, sizeof(*s));

	assert_non_null(s);
	s->terminal = fake_run_on_terminal(f, words);
	answer_look(f, sessions, 4);
	await_screen(s, "\033[?1049h\033[?25l\033[2J");
	await_screen(s, "3 sessions  Active 1  Conn 1  Disc 1");
	await_screen(s, "\033[7m console ");
	await_screen(s, "q quit\033[K");
	return s;
}

static void end_live(struct fake *f, struct screen *s, int expected)
{
	await_screen(s, "\033[?25h\033[?1049l");
	assert_int_equal(fake_exit_status(f), expected);
	close(s->terminal);
	free(s);
}

/* Answers what a key asked for, which comes over a connection of its own. */
static void answer_action(struct fake *f, uint16_t type, uint32_t session, int32_t status)
{
	int view = fake_next_connection(f);

	fake_answer_control(f, type, session, 0, status);
	close(f->port);
	f->port = view;
}

static void test_live_keys(void **data)
{
	struct fake *f = *data;
	struct screen *s = start_live(f);

	press(s, "j");
	await_screen(s, "\033[7m rdp-tcp#1 ");
	press(s, "\033[B\033[B\033[A");
	await_screen(s, "\033[7m rdp-tcp#1 ");
	press(s, "d");
	await_screen(s, "Disconnect session 1 ...");
	answer_action(f, CTL_DISCONNECT, 1, STATUS_SUCCESS);
	await_screen(s, "Disconnect session 1: done");
	press(s, "jl");
	answer_action(f, CTL_LOGOFF, 2, STATUS_DELETE_PENDING);
	await_screen(s, "Log off session 2: the session is being ended");
	press(s, "q");
	end_live(f, s, 0);
}

/* The view goes on while a logoff takes its time, and other keys do what they do. */
static void test_live_while_asking(void **data)
{
	char *words[] = { "musessctl", "top", "--interval", "0.2", NULL };
	struct fake *f = *data;
	struct screen *s = calloc(1, sizeof(*s));
	struct msg_control done = { .session = 0 };
	int view, logoff;
	uint32_t id;

	assert_non_null(s);
	s->terminal = fake_run_on_terminal(f, words);
	answer_look(f, sessions, 4);
	await_screen(s, "3 sessions");
	press(s, "l");
	view = fake_next_connection(f);
	id = fake_asked(f, CTL_LOGOFF, sizeof(struct msg_control)).h.message_id;
	logoff = f->port;
	f->port = view;
	for (int i = 0; i < 3; i++)
		answer_look(f, sessions + 1, 3);
	await_screen(s, "2 sessions");
	f->port = logoff;
	FAKE_ANSWER(f, done, CTL_LOGOFF, id);
	f->port = view;
	close(logoff);
	for (int i = 0; i < 2; i++)
		answer_look(f, sessions + 1, 3);
	await_screen(s, "Log off session 0: done");
	kill(f->pid, SIGTERM);
	end_live(f, s, 0);
}

static void test_live_message(void **data)
{
	struct fake *f = *data;
	struct screen *s = start_live(f);
	struct msg_box box = { .session = 1, .text = "quit \xc3\xa4" };
	const struct passwd *p = getpwuid(geteuid());
	int view;

	if (p)
		snprintf(box.title, sizeof(box.title), "Message from %s", p->pw_name);
	else
		snprintf(box.title, sizeof(box.title), "Message from user %u", (unsigned)geteuid());
	press(s, "jmquit \xc3\xa4x");
	await_screen(s, "Message to session 1: quit \xc3\xa4x");
	press(s, "\x7f");
	await_screen(s, "Message to session 1: quit \xc3\xa4\033[K");
	press(s, "\r");
	view = fake_next_connection(f);
	fake_answer_box(f, fake_asked_box(f, &box), 1, STATUS_SUCCESS, BOX_ASYNC);
	close(f->port);
	f->port = view;
	await_screen(s, "Message to session 1: done");
	press(s, "mx\033");
	await_screen(s, "q quit");
	press(s, "m\xff\r");
	await_screen(s, "The message is not UTF-8");
	press(s, "q");
	end_live(f, s, 0);
}

static void test_live_ends(void **data)
{
	static const struct winsize size = { .ws_row = 10, .ws_col = 20 };
	struct fake *f = *data;
	struct screen *s = start_live(f);
	struct termios t;

	tcgetattr(s->terminal, &t);
	assert_int_equal(t.c_lflag & ECHO, 0);
	ioctl(s->terminal, TIOCSWINSZ, &size);
	await_screen(s, "\033[J\033[10;1HUp/Down select  d di\033[K");
	press(s, "\003"); /* Ctrl-C */
	await_screen(s, "\033[?25h\033[?1049l");
	assert_int_equal(fake_exit_status(f), 0);
	tcgetattr(s->terminal, &t);
	assert_true(t.c_lflag & ECHO && t.c_lflag & ICANON);
	close(s->terminal);
	free(s);
}

/* What went wrong is said where it stays. */
static void test_live_errors(void **data)
{
	struct fake *f = *data;
	struct screen *s = start_live(f);
	int view;

	press(s, "d");
	view = fake_next_connection(f);
	fake_asked(f, CTL_DISCONNECT, sizeof(struct msg_control));
	fd_close(&f->port);
	f->port = view;
	await_screen(s, "\033[?1049l");
	await_screen(s, "musessctl: top: STATUS_PORT_DISCONNECTED: ");
	assert_int_equal(fake_exit_status(f), 1);
	close(s->terminal);
	free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_size),
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_typing),
		cmocka_unit_test(test_rates),
		cmocka_unit_test(test_rates_that_are_none),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_selection),
		cmocka_unit_test(test_draw),
		cmocka_unit_test(test_tcpinfo),
		cmocka_unit_test(test_tcpinfo_find),
		FAKE_TEST(test_snapshots),
		FAKE_TEST(test_snapshot_json),
		FAKE_TEST(test_in_a_session),
		FAKE_TEST(test_ends),
		FAKE_TEST(test_usage),
		FAKE_TEST(test_live_keys),
		FAKE_TEST(test_live_while_asking),
		FAKE_TEST(test_live_message),
		FAKE_TEST(test_live_ends),
		FAKE_TEST(test_live_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
