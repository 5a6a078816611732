/*
 * Unit tests of sessmgr/event.c and event-sink.c: every row of the table, the JSON document, the
 * journal's datagram, and the file. The clocks are the test's own.
 */
#include "event.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* ---- the clocks ---- */

static struct timespec wall = { 1764089619, 123456789 }, monotonic = { 1000, 0 };

int __wrap_clock_gettime(clockid_t clock, struct timespec *t);
int __wrap_clock_gettime(clockid_t clock, struct timespec *t)
{
	*t = clock == CLOCK_REALTIME ? wall : monotonic;
	return 0;
}

/* ---- what was written ---- */

static char seen[EVENT_JSON_SIZE];
static size_t seen_length;
static unsigned seen_count;

static void subscriber(const char *json, size_t length)
{
	assert_true(length < EVENT_JSON_SIZE);
	assert_int_equal(strlen(json), length);
	assert_null(strchr(json, '\n'));
	memcpy(seen, json, length + 1);
	seen_length = length;
	seen_count++;
}

/* The last document; the caller lets go of it. */
static json_t *parse(const char *text)
{
	json_error_t error;
	json_t *document = json_loads(text, JSON_REJECT_DUPLICATES, &error);

	if (!document)
		fail_msg("%s: %s", error.text, text);
	return document;
}

static const char *text_of(json_t *document)
{
	return json_string_value(json_object_get(document, "text"));
}

static int set_up(void **state)
{
	(void)state;
	seen_count = 0;
	event_subscribe(subscriber);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	event_close();
	event_journal_choose(JOURNAL_EVENTS_OUTCOMES);
	monotonic.tv_sec += 3600; /* the log may say again what is lost */
	return 0;
}

/* ---- the table ---- */

/* Values that are told from one another. */
static void sample(enum event_name name, union event_value *values)
{
	static char texts[EVENT_FIELDS_MAX][32];
	const struct event_definition *d = event_definition(name);

	for (size_t i = 0; i < d->count; i++)
		switch (d->fields[i].type) {
		case EVENT_TEXT:
			snprintf(texts[i], sizeof(texts[i]), "value-%zu", i);
			values[i].text = texts[i];
			break;
		case EVENT_NUMBER:
			values[i].number = 4000000000u + (uint32_t)i;
			break;
		case EVENT_HEX:
			values[i].number = 0xc0000060u + (uint32_t)i;
			break;
		case EVENT_LOGON_ID:
			values[i].logon_id = 0xc000006d00000000u + i;
			break;
		}
}

static void check_field(const struct event_definition *d, size_t i, json_t *data, const char *text)
{
	json_t *value = json_object_get(data, d->fields[i].name);
	char expected[32];

	switch (d->fields[i].type) {
	case EVENT_TEXT:
		snprintf(expected, sizeof(expected), "value-%zu", i);
		assert_string_equal(json_string_value(value), expected);
		break;
	case EVENT_NUMBER:
		snprintf(expected, sizeof(expected), "%zu", 4000000000u + i);
		assert_true(json_is_integer(value));
		assert_int_equal(json_integer_value(value), 4000000000u + i);
		break;
	case EVENT_HEX:
		snprintf(expected, sizeof(expected), "0xc000006%zx", i);
		assert_string_equal(json_string_value(value), expected);
		break;
	case EVENT_LOGON_ID:
		snprintf(expected, sizeof(expected), "0xc000006d%08zx", i);
		assert_string_equal(json_string_value(value), expected);
		break;
	}
	char place[3] = { '%', (char)('1' + i), 0 };
	if (strstr(d->text, place))
		assert_non_null(strstr(text, expected));
}

static void check_row(enum event_name name)
{
	const struct event_definition *d = event_definition(name);
	union event_value values[EVENT_FIELDS_MAX];
	size_t i = 0;
	const char *key;
	json_t *value;

	sample(name, values);
	event_write_values(name, 7, values);
	json_t *document = parse(seen);
	json_t *data = json_object_get(document, "data");
	assert_int_equal(json_object_size(document), 8);
	assert_string_equal(json_string_value(json_object_get(document, "channel")), d->channel);
	assert_int_equal(json_integer_value(json_object_get(document, "id")), d->id);
	assert_int_equal(json_integer_value(json_object_get(document, "level")), d->level);
	assert_int_equal(json_integer_value(json_object_get(document, "session")), 7);
	assert_int_equal(json_object_size(data), d->count);
	json_object_foreach(data, key, value) /* in the table's order */
	    assert_string_equal(key, d->fields[i++].name);
	assert_null(strchr(text_of(document), '%'));
	for (i = 0; i < d->count; i++)
		check_field(d, i, data, text_of(document));
	json_decref(document);
}

/* A placeholder stands for a field that is there; the text has one for each but SMSS's flags. */
static void check_placeholders(const struct event_definition *d)
{
	assert_in_range(d->level, 0, 5);
	for (const char *p = strchr(d->text, '%'); p; p = strchr(p + 1, '%'))
		assert_in_range(p[1], '1', '0' + d->count);
	assert_null(strchr(d->text, '"'));
}

static void test_every_row(void **state)
{
	(void)state;
	for (unsigned name = 0; name < EVENT_COUNT; name++) {
		check_placeholders(event_definition(name));
		check_row(name);
		for (unsigned other = 0; other < name; other++)
			assert_false(
			    event_definition(name)->id == event_definition(other)->id &&
			    event_definition(name)->channel == event_definition(other)->channel);
	}
}

/* The ids and field names that administrators' queries name. */
static void test_names(void **state)
{
	static const struct {
		enum event_name name;
		uint32_t id;
		const char *fields;
	} known[] = {
		{ EVENT_CORE_ACCEPTED, 131, "ConnType ClientIP " },
		{ EVENT_CORE_ASSIGNED, 66, "ConnectionName SessionID " },
		{ EVENT_RCM_RECEIVED, 261, "listenerName " },
		{ EVENT_RCM_AUTHENTICATED, 1149, "Param1 Param2 Param3 " },
		{ EVENT_LSM_LOGON, 21, "User SessionID Address " },
		{ EVENT_LSM_LOGOFF, 23, "User SessionID " },
		{ EVENT_LSM_DISCONNECTED_BY, 39, "TargetSession Source " },
		{ EVENT_LSM_DISCONNECT_REASON, 40, "Session Reason " },
		{ EVENT_LSM_STARTED, 57, "SessionID InitCmdPid Win32kPid " },
		{ EVENT_LSM_TRANSITION_FAILED, 36,
		    "SessionId State StateName Event EventName ErrorCode " },
		{ EVENT_SECURITY_RECONNECTED, 4778,
		    "AccountName AccountDomain LogonID SessionName ClientName ClientAddress " },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
		const struct event_definition *d = event_definition(known[i].name);
		char fields[256] = "";
		for (size_t f = 0; f < d->count; f++)
			snprintf(fields + strlen(fields), sizeof(fields) - strlen(fields), "%s ",
			    d->fields[f].name);
		assert_int_equal(d->id, known[i].id);
		assert_string_equal(fields, known[i].fields);
	}
}

/* The file's bytes; the caller frees them. */
static char *read_path(const char *path)
{
	FILE *f = fopen(path, "re");
	char *text = NULL;
	size_t size = 0;

	if (!f)
		fail_msg("%s: %s", path, strerror(errno));
	if (getdelim(&text, &size, 0, f) < 0)
		text[0] = 0;
	fclose(f);
	return text;
}

/* docs/events.md has each row: below its channel, with its fields and the text's first line. */
static void test_documentation(void **state)
{
	char *document = read_path(EVENTS_MD);

	(void)state;
	for (unsigned name = 0; name < EVENT_COUNT; name++) {
		const struct event_definition *d = event_definition(name);
		char heading[128], row[512];
		size_t used = (size_t)snprintf(row, sizeof(row), "\n| %u | ", d->id);
		for (size_t i = 0; i < d->count; i++)
			used += (size_t)snprintf(row + used, sizeof(row) - used, "%s%s",
			    i > 0 ? ", " : "", d->fields[i].name);
		snprintf(row + used, sizeof(row) - used, "%s | %.*s", d->count ? "" : "none",
		    (int)strcspn(d->text, "\n"), d->text);
		snprintf(heading, sizeof(heading), "\n### %s\n", d->channel);
		const char *section = strstr(document, heading);
		if (!section || !strstr(section, row))
			fail_msg("docs/events.md lacks:%s%s", heading, row);
	}
	free(document);
}

/* ---- the document ---- */

static void test_document(void **state)
{
	(void)state;
	event_write(EVENT_LSM_LOGON, 3, "MUSESS\\j\xc3\xb6rg", 3, "192.0.2.7");
	const char *record = strstr(seen, "\"record\":");
	assert_non_null(record);
	const char *channel = strchr(record, ',');
	*strchr(record, ':') = 0; /* its number depends on the tests before */
	assert_string_equal(seen, "{\"time\":\"2025-11-25T16:53:39.123456Z\",\"record\"");
	assert_string_equal(channel,
	    ",\"channel\":\"Microsoft-Windows-TerminalServices-LocalSessionManager/Operational\","
	    "\"id\":21,\"level\":4,\"session\":3,\"text\":\"Remote Desktop Services: Session logon "
	    "succeeded:\\n\\nUser: MUSESS\\\\j\xc3\xb6rg\\nSession ID: 3\\nSource Network "
	    "Address: 192.0.2.7\",\"data\":{\"User\":\"MUSESS\\\\j\xc3\xb6rg\",\"SessionID\":3,"
	    "\"Address\":\"192.0.2.7\"}}");
}

static void test_records_are_counted(void **state)
{
	json_int_t numbers[3];

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		event_write(EVENT_CORE_TERMINATED, NO_SESSION);
		json_t *document = parse(seen);
		numbers[i] = json_integer_value(json_object_get(document, "record"));
		assert_true(json_is_null(json_object_get(document, "session")));
		json_decref(document);
	}
	assert_int_equal(numbers[1], numbers[0] + 1);
	assert_int_equal(numbers[2], numbers[0] + 2);
	event_subscribe(NULL);
	event_write(EVENT_CORE_TERMINATED, NO_SESSION);
	assert_int_equal(seen_count, 3);
}

static void assert_user(const char *given, const char *expected)
{
	event_write(EVENT_LSM_LOGOFF, 1, .User = given, .SessionID = 1);
	json_t *document = parse(seen);
	json_t *data = json_object_get(document, "data");
	assert_string_equal(json_string_value(json_object_get(data, "User")), expected);
	assert_non_null(strstr(text_of(document), expected));
	json_decref(document);
}

static void test_odd_text(void **state)
{
	(void)state;
	assert_user("", "");
	assert_user(NULL, "");
	assert_user("a\"b\\c/%1", "a\"b\\c/%1");
	assert_user("a\nb\tc\x1b[2J\x7f", "a?b?c?[2J?");
	assert_user("\xff\xc3", "??");
	assert_user("\xc3(", "?(");
	assert_user("\xe2\x82", "??");
	assert_user("\xed\xa0\x80", "???"); /* a surrogate */
	assert_user("\xc2\x9b", "??");      /* a control character */
	assert_user("\xf0\x9f\x98\x80 \xe2\x82\xac", "\xf0\x9f\x98\x80 \xe2\x82\xac");
}

/* Makes TEXT each of the event's texts. Returns whether it has one. */
static bool set_texts(enum event_name name, union event_value *values, const char *text)
{
	bool has_text = false;

	for (size_t i = 0; i < event_definition(name)->count; i++)
		if (event_definition(name)->fields[i].type == EVENT_TEXT) {
			values[i].text = text;
			has_text = true;
		}
	return has_text;
}

/* Every text too long, in all lengths of characters, and all that have to be escaped. */
static void test_long_text(void **state)
{
	static const char *const characters[] = { "x", "\"", "\xc3\xb6", "\xe2\x82\xac",
		"\xf0\x9f\x98\x80", "\n" };
	static char text[4 * EVENT_JSON_SIZE + 1];
	union event_value values[EVENT_FIELDS_MAX];

	(void)state;
	for (size_t c = 0; c < sizeof(characters) / sizeof(*characters); c++) {
		size_t length = strlen(characters[c]);
		for (size_t i = 0; i + length < sizeof(text); i += length)
			memcpy(text + i, characters[c], length);
		for (unsigned name = 0; name < EVENT_COUNT; name++) {
			sample(name, values);
			bool has_text = set_texts(name, values, text);
			event_write_values(name, UINT32_MAX - 1, values);
			json_t *document = parse(seen); /* UTF-8 too */
			assert_true(!has_text || seen_length > EVENT_JSON_SIZE / 2);
			json_decref(document);
		}
	}
}

/* What the processes' messages can hold is never cut. */
static void test_longest_names_are_whole(void **state)
{
	char user[USER_SIZE] = "", domain[DOMAIN_SIZE] = "", station[STATION_SIZE] = "",
	     address[ADDRESS_SIZE] = "", winstation[WINSTATION_SIZE] = "";

	(void)state;
	memset(user, 'u', sizeof(user) - 1);
	memset(domain, 'd', sizeof(domain) - 1);
	memset(station, 's', sizeof(station) - 1);
	memset(address, 'a', sizeof(address) - 1);
	memset(winstation, 'w', sizeof(winstation) - 1);
	event_write(EVENT_SECURITY_LOGON_FAILED, NO_SESSION, user, domain, UINT32_MAX,
	    "Unknown user name or bad password.", UINT32_MAX, UINT32_MAX, station, address, 65535);
	assert_non_null(strstr(seen, user));
	assert_non_null(strstr(seen, station));
	event_write(EVENT_SECURITY_LOGON, UINT32_MAX - 1, user, domain, UINT64_MAX, 10, station,
	    address, 65535);
	assert_non_null(strstr(seen, user));
	event_write(EVENT_SECURITY_DISCONNECTED, UINT32_MAX - 1, user, domain, UINT64_MAX,
	    winstation, station, address);
	assert_non_null(strstr(seen, user));
	assert_non_null(strstr(seen, address));
	event_write(EVENT_RCM_AUTHENTICATED, NO_SESSION, user, domain, address);
	assert_non_null(strstr(seen, user));
}

/* ---- the journal ---- */

static char datagram[4 * EVENT_JSON_SIZE];
static size_t datagram_length;

/* The value of FIELD in the datagram, parsed as journald does; NULL where there is none. The
   caller frees it. */
static char *journal_value(const char *field)
{
	const char *p = datagram, *end = datagram + datagram_length;

	while (p < end) {
		const char *line_end = memchr(p, '\n', (size_t)(end - p));
		assert_non_null(line_end);
		const char *equals = memchr(p, '=', (size_t)(line_end - p));
		assert_non_null(equals); /* no value has lines of its own */
		for (const char *c = p; c < equals; c++)
			assert_true(
			    isupper((unsigned char)*c) || isdigit((unsigned char)*c) || *c == '_');
		if (strlen(field) == (size_t)(equals - p) && memcmp(p, field, strlen(field)) == 0)
			return strndup(equals + 1, (size_t)(line_end - equals - 1));
		p = line_end + 1;
	}
	return NULL;
}

static void assert_journal(const char *field, const char *expected)
{
	char *value = journal_value(field);

	if (expected) {
		assert_non_null(value);
		assert_string_equal(value, expected);
	} else {
		assert_null(value);
	}
	free(value);
}

static int journal_pair(void)
{
	int pair[2];

	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
	event_journal_set(pair[0]);
	return pair[1];
}

static void receive(int journal)
{
	ssize_t got = recv(journal, datagram, sizeof(datagram), 0);

	assert_true(got > 0);
	datagram_length = (size_t)got;
}

static void test_journal(void **state)
{
	int journal = journal_pair();

	(void)state;
	event_write(EVENT_LSM_LOGON, 3, "alice\nMESSAGE=forged", 3, "192.0.2.7");
	receive(journal);
	assert_journal("MESSAGE", "Remote Desktop Services: Session logon succeeded: User: "
	                          "alice?MESSAGE=forged; Session ID: 3; Source Network Address: "
	                          "192.0.2.7");
	assert_journal("PRIORITY", "6");
	assert_journal("SYSLOG_IDENTIFIER", "musess");
	assert_journal(
	    "EVENT_CHANNEL", "Microsoft-Windows-TerminalServices-LocalSessionManager/Operational");
	assert_journal("EVENT_ID", "21");
	assert_journal("SESSION_ID", "3");
	assert_journal("DATA_USER", "alice?MESSAGE=forged");
	assert_journal("DATA_SESSIONID", "3");
	assert_journal("DATA_ADDRESS", "192.0.2.7");
	json_t *document = parse(seen);
	char number[32];
	snprintf(number, sizeof(number), "%lld",
	    (long long)json_integer_value(json_object_get(document, "record")));
	assert_journal("EVENT_RECORD", number);
	json_decref(document);

	event_write(EVENT_LSM_TRANSITION_FAILED, NO_SESSION, 2, 5, "CsrConnected", 6,
	    "EvCsrInitialized", (int32_t)0x80070102); /* no sign of 64 bits */
	receive(journal);
	assert_journal("MESSAGE", "An error occurred when transitioning from CsrConnected in "
	                          "response to EvCsrInitialized. (ErrorCode 0x80070102)");
	assert_journal("PRIORITY", "3");
	assert_journal("SESSION_ID", NULL);
	assert_journal("DATA_ERRORCODE", "0x80070102");
	close(journal);
}

/* Which rows are written, as the documentation lists them. */
static void test_choice(void **state)
{
	union event_value values[EVENT_FIELDS_MAX];
	int journal = journal_pair();
	char *document = read_path(EVENTS_MD), listed[256] = "The outcomes are ";
	size_t used = strlen(listed);

	(void)state;
	for (unsigned name = 0; name < EVENT_COUNT; name++) {
		const struct event_definition *d = event_definition(name);
		sample(name, values);
		for (unsigned which = 0; which <= JOURNAL_EVENTS_NONE; which++) {
			event_journal_choose(which);
			event_write_values(name, 1, values);
			ssize_t got = recv(journal, datagram, sizeof(datagram), 0);
			bool wanted =
			    which == JOURNAL_EVENTS_ALL ||
			    (which == JOURNAL_EVENTS_OUTCOMES && d->kind == EVENT_OUTCOME);
			assert_int_equal(got > 0, wanted);
		}
		if (d->kind == EVENT_OUTCOME)
			used +=
			    (size_t)snprintf(listed + used, sizeof(listed) - used, "%u, ", d->id);
	}
	listed[used - 2] = 0;
	if (!strstr(document, listed))
		fail_msg("docs/events.md lacks: %s", listed);
	free(document);
	close(journal);
}

/* Headings, sentences and values in one line. */
static void test_one_line(void **state)
{
	int journal = journal_pair();

	(void)state;
	event_journal_choose(JOURNAL_EVENTS_ALL);
	event_write(EVENT_SECURITY_LOGOFF, 3, "alice", "", 77, 10);
	receive(journal);
	assert_journal("MESSAGE",
	    "An account was logged off. Subject: Account Name: alice; Account "
	    "Domain:; Logon ID: 0x4d; Logon Type: 10");
	assert_journal("PRIORITY", "5");
	close(journal);
}

/* All rows, as long as they get, are datagrams that can be parsed. */
static void test_journal_of_every_row(void **state)
{
	static char text[EVENT_JSON_SIZE];
	union event_value values[EVENT_FIELDS_MAX];
	int journal = journal_pair();

	(void)state;
	event_journal_choose(JOURNAL_EVENTS_ALL);
	memset(text, '\\', sizeof(text) - 1);
	for (unsigned name = 0; name < EVENT_COUNT; name++) {
		sample(name, values);
		set_texts(name, values, text);
		event_write_values(name, 1, values);
		receive(journal);
		assert_journal("NO_SUCH_FIELD", NULL);
		char id[16];
		snprintf(id, sizeof(id), "%u", event_definition(name)->id);
		assert_journal("EVENT_ID", id);
	}
	close(journal);
}

/* What the log gets is in a file meanwhile. */
static int log_begin(void)
{
	char template[] = "/tmp/musess-event-log.XXXXXX";
	int saved = dup(STDERR_FILENO), fd = mkstemp(template);

	assert_true(saved >= 0 && fd >= 0);
	unlink(template);
	dup2(fd, STDERR_FILENO);
	close(fd);
	return saved;
}

static void log_end(int saved, char *text, size_t size)
{
	ssize_t got = pread(STDERR_FILENO, text, size - 1, 0);

	dup2(saved, STDERR_FILENO);
	close(saved);
	assert_true(got >= 0);
	text[got] = 0;
}

/* A journal that does not read is not waited for; the log says so once a minute. */
static void test_journal_is_full(void **state)
{
	int journal = journal_pair(), log = log_begin();
	uint64_t before = event_lost();
	char text[1024];

	(void)state;
	event_journal_choose(JOURNAL_EVENTS_ALL);
	while (event_lost() < before + 5)
		event_write(EVENT_CORE_TERMINATED, NO_SESSION);
	monotonic.tv_sec += 59;
	event_write(EVENT_CORE_TERMINATED, NO_SESSION);
	monotonic.tv_sec += 1;
	receive(journal);
	event_write(EVENT_CORE_TERMINATED, NO_SESSION); /* is taken, and says what was lost */
	assert_int_equal(event_lost(), before + 6);
	log_end(log, text, sizeof(text));
	assert_string_equal(text,
	    "musess: musess: warning: 1 events were lost that the journal did not take: Resource "
	    "temporarily unavailable\n"
	    "musess: musess: warning: 5 events were lost that the journal did not take: Resource "
	    "temporarily unavailable\n");
	close(journal);
}

static void test_no_journal(void **state)
{
	(void)state;
	unsetenv("JOURNAL_STREAM");
	event_journal_open();
	event_write(EVENT_CORE_TERMINATED, NO_SESSION);
	assert_int_equal(seen_count, 1);
}

/* ---- the file ---- */

static char directory[64];

static const char *in_directory(const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	return path;
}

static int make_directory(void **state)
{
	set_up(state);
	snprintf(directory, sizeof(directory), "/tmp/musess-event.XXXXXX");
	return mkdtemp(directory) ? 0 : -1;
}

static int remove_directory(void **state)
{
	tear_down(state);
	unlink(in_directory("events.jsonl"));
	unlink(in_directory("events.jsonl.1"));
	return rmdir(directory);
}

static void append(const char *bytes)
{
	int fd =
	    open(in_directory("events.jsonl"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

	assert_int_equal(write(fd, bytes, strlen(bytes)), strlen(bytes));
	close(fd);
}

/* Each line of the file is a document, but as many as BROKEN, which begin one. */
static void assert_lines(const char *name, unsigned whole, unsigned broken)
{
	char *text = read_path(in_directory(name)), *next;

	for (char *line = text; *line; line = next + 1) {
		next = strchr(line, '\n');
		assert_non_null(next);
		*next = 0;
		json_t *document = json_loads(line, 0, NULL);
		assert_true((document ? whole : broken) > 0);
		document ? whole-- : broken--;
		json_decref(document);
	}
	assert_int_equal(whole, 0);
	assert_int_equal(broken, 0);
	free(text);
}

static void write_one(void)
{
	event_write(EVENT_LSM_LOGON, 3, "alice", 3, "192.0.2.7");
}

static void test_file(void **state)
{
	struct stat status;
	mode_t mask = umask(077);
	char *text;

	(void)state;
	assert_int_equal(event_open(in_directory("events.jsonl"), 0), 0);
	umask(mask);
	write_one();
	text = read_path(in_directory("events.jsonl"));
	assert_int_equal(strncmp(text, seen, seen_length), 0);
	assert_string_equal(text + seen_length, "\n");
	free(text);
	assert_int_equal(stat(in_directory("events.jsonl"), &status), 0);
	assert_int_equal(status.st_mode & 07777, 0640);
	event_close();
	event_write(EVENT_CORE_TERMINATED, NO_SESSION); /* nobody is there */

	assert_int_equal(chmod(in_directory("events.jsonl"), 0600), 0);
	assert_int_equal(event_open(in_directory("events.jsonl"), 0), 0);
	write_one();
	assert_lines("events.jsonl", 2, 0);
	assert_int_equal(stat(in_directory("events.jsonl"), &status), 0);
	assert_int_equal(status.st_mode & 07777, 0600); /* its owner's choice */
}

/* It never has more than it may: the one before is kept. */
static void test_file_is_full(void **state)
{
	uint64_t lost = event_lost();
	struct stat status;
	size_t line;

	(void)state;
	assert_int_equal(event_open(in_directory("events.jsonl"), 2000), 0);
	write_one();
	line = seen_length + 1;
	for (int i = 0; i < 100; i++) {
		write_one();
		assert_int_equal(stat(in_directory("events.jsonl"), &status), 0);
		assert_in_range(status.st_size, line, 2000);
	}
	assert_int_equal(stat(in_directory("events.jsonl.1"), &status), 0);
	assert_in_range(status.st_size, 2000 - line, 2000);
	event_close();
	/* one that was larger before is turned over at once */
	assert_int_equal(event_open(in_directory("events.jsonl"), line), 0);
	write_one();
	assert_lines("events.jsonl", 1, 0);
	/* what cannot be is lost, and the file grows no more */
	assert_int_equal(unlink(in_directory("events.jsonl.1")), 0);
	assert_int_equal(mkdir(in_directory("events.jsonl.1"), 0700), 0);
	write_one();
	assert_lines("events.jsonl", 1, 0);
	assert_int_equal(event_lost(), lost + 1);
	assert_int_equal(rmdir(in_directory("events.jsonl.1")), 0);
	write_one();
	assert_lines("events.jsonl", 1, 0);
	assert_lines("events.jsonl.1", 1, 0);
	event_close();
}

/* One line is more than the bound: a file has one, and no more. */
static void test_file_for_no_line(void **state)
{
	struct stat status;

	(void)state;
	assert_int_equal(event_open(in_directory("events.jsonl"), 10), 0);
	for (int i = 0; i < 20; i++) {
		write_one();
		assert_int_equal(stat(in_directory("events.jsonl"), &status), 0);
		assert_int_equal(status.st_size, seen_length + 1);
	}
	event_close();
}

/* The next file cannot be made when the one before is full: one event is lost, and no more. */
static void test_no_next_file(void **state)
{
	uint64_t lost = event_lost();
	struct rlimit own, few;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &own), 0);
	assert_int_equal(event_open(in_directory("events.jsonl"), 10), 0);
	write_one();
	few = own;
	few.rlim_cur = 0;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	write_one();
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &own), 0);
	assert_int_equal(event_lost(), lost + 1);
	write_one();
	assert_int_equal(event_lost(), lost + 1);
	assert_lines("events.jsonl", 1, 0);
	event_close();
}

static void test_reopen(void **state)
{
	char from[128];

	(void)state;
	assert_int_equal(event_reopen(), 0); /* there is none */
	assert_int_equal(event_open(in_directory("events.jsonl"), 0), 0);
	write_one();
	snprintf(from, sizeof(from), "%s", in_directory("events.jsonl"));
	assert_int_equal(rename(from, in_directory("events.jsonl.1")), 0);
	write_one();
	assert_int_equal(event_reopen(), 0);
	write_one();
	assert_lines("events.jsonl.1", 2, 0);
	assert_lines("events.jsonl", 1, 0);
}

static void test_reopen_fails(void **state)
{
	int log;
	char from[128], text[1024];

	(void)state;
	assert_int_equal(event_open(in_directory("events.jsonl"), 0), 0);
	snprintf(from, sizeof(from), "%s", in_directory("events.jsonl"));
	assert_int_equal(rename(from, in_directory("events.jsonl.1")), 0);
	assert_int_equal(symlink("/etc/passwd", from), 0);
	log = log_begin();
	assert_int_equal(event_reopen(), -1);
	log_end(log, text, sizeof(text));
	assert_non_null(strstr(text, "cannot open the event file "));
	write_one();
	assert_lines("events.jsonl.1", 1, 0);
}

static void test_open_fails(void **state)
{
	int log = log_begin();
	char text[2048], long_path[1024] = "/";

	(void)state;
	memset(long_path + 1, 'x', sizeof(long_path) - 2);
	assert_int_equal(event_open("", 0), 0);
	assert_int_equal(event_open("/nonexistent/events.jsonl", 0), -1);
	event_close();
	assert_int_equal(event_open("/proc/events.jsonl", 0), -1);
	event_close();
	assert_int_equal(event_open("/tmp/", 0), -1);
	event_close();
	assert_int_equal(event_open(long_path, 0), -1);
	log_end(log, text, sizeof(text));
	assert_non_null(strstr(text,
	    "cannot open the directory /nonexistent of the event file: No such file or directory: "
	    "make it, or name another file (EventFile)\n"));
	assert_non_null(strstr(text, "cannot open the event file /proc/events.jsonl: "));
	assert_non_null(strstr(text, "too long"));
}

static void test_full_disk(void **state)
{
	uint64_t before = event_lost();
	int log = log_begin();
	char text[1024];

	(void)state;
	assert_int_equal(event_open("/dev/full", 0), 0);
	for (int i = 0; i < 100; i++)
		write_one();
	log_end(log, text, sizeof(text));
	assert_int_equal(event_lost(), before + 100);
	assert_int_equal(seen_count, 100);
	assert_string_equal(text, "musess: musess: warning: 1 events were lost that the event file "
	                          "did not take: No space left on device\n");
}

/* As on a disk that gets full, and has room again: the kernel takes part of a line. */
static void test_torn_line_is_ended(void **state)
{
	struct rlimit unlimited, limit;
	int log = log_begin();
	char text[1024];

	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &unlimited);
	limit = unlimited;
	assert_int_equal(event_open(in_directory("events.jsonl"), 0), 0);
	write_one();
	limit.rlim_cur = seen_length + 1 + 40;
	setrlimit(RLIMIT_FSIZE, &limit);
	write_one(); /* 40 bytes of it */
	write_one(); /* nothing of it */
	limit.rlim_cur++;
	setrlimit(RLIMIT_FSIZE, &limit);
	write_one(); /* the end of the line before, and nothing of it */
	setrlimit(RLIMIT_FSIZE, &unlimited);
	signal(SIGXFSZ, SIG_DFL);
	write_one();
	write_one();
	log_end(log, text, sizeof(text));
	assert_lines("events.jsonl", 3, 1);
}

/* A line that an earlier run, or a machine that was cut off, did not end. */
static void test_torn_line_of_before(void **state)
{
	(void)state;
	append("{\"time\":");
	assert_int_equal(event_open(in_directory("events.jsonl"), 0), 0);
	write_one();
	write_one();
	assert_lines("events.jsonl", 2, 1);
}

/* Nobody reads it: nothing waits, and whoever reads later finds no lines that run into one
   another. */
static void test_pipe(void **state)
{
	uint64_t before = event_lost();
	int log = log_begin(), fd;
	char text[65536 + 1], rest[1024];
	ssize_t got;

	(void)state;
	assert_int_equal(mkfifo(in_directory("events.jsonl"), 0600), 0);
	assert_int_equal(event_open(in_directory("events.jsonl"), 0), 0);
	while (event_lost() == before)
		write_one();
	log_end(log, rest, sizeof(rest));
	fd = open(in_directory("events.jsonl"), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	got = read(fd, text, sizeof(text) - 1);
	assert_true(got > 0);
	write_one();
	got += read(fd, text + got, sizeof(text) - 1 - (size_t)got);
	text[got] = 0;
	assert_int_equal(text[got - 1], '\n');
	assert_non_null(strstr(text, "\"}}\n{\"time\":"));
	close(fd);
}

/* ---- what it costs ---- */

static uint64_t process_us(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000 +
	       (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

static void test_cost(void **state)
{
	enum { EVENTS = 10000 };
	char bytes[8192];
	int journal = journal_pair();
	uint64_t start;

	(void)state;
	assert_int_equal(event_open(in_directory("events.jsonl"), 0), 0);
	start = process_us();
	for (int i = 0; i < EVENTS; i++) {
		event_write(EVENT_SECURITY_LOGON, 3, "alice", "MUSESS", 0x3e7, 10, "PC",
		    "192.0.2.7", 50000);
		(void)!recv(journal, bytes, sizeof(bytes), 0);
	}
	print_message("%.1f us of processor time an event, its reader's included\n",
	    (double)(process_us() - start) / EVENTS);
	assert_int_equal(seen_count, EVENTS);
	close(journal);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
#define FILE_TEST(function)                                                                        \
	cmocka_unit_test_setup_teardown(function, make_directory, remove_directory)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_every_row),
		TEST(test_names),
		TEST(test_documentation),
		TEST(test_document),
		TEST(test_records_are_counted),
		TEST(test_odd_text),
		TEST(test_long_text),
		TEST(test_longest_names_are_whole),
		TEST(test_journal),
		TEST(test_choice),
		TEST(test_one_line),
		TEST(test_journal_of_every_row),
		TEST(test_journal_is_full),
		TEST(test_no_journal),
		FILE_TEST(test_file),
		FILE_TEST(test_file_is_full),
		FILE_TEST(test_file_for_no_line),
		FILE_TEST(test_no_next_file),
		FILE_TEST(test_reopen),
		FILE_TEST(test_reopen_fails),
		FILE_TEST(test_open_fails),
		FILE_TEST(test_full_disk),
		FILE_TEST(test_torn_line_is_ended),
		FILE_TEST(test_torn_line_of_before),
		FILE_TEST(test_pipe),
		FILE_TEST(test_cost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
