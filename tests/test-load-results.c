/*
 * Unit tests of what musessload keeps of a run: exact distributions, the summary, thresholds, and
 * the file of results, written to a disk that is full and read with its last line torn.
 */
#include "result-file.h"
#include "threshold.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TEXT_SIZE = 8192 };

static char directory[] = "/tmp/test-load-results.XXXXXX";
static char path[64], errors[64];
static struct summary summary;

static int make_directory(void **state)
{
	(void)state;
	if (!mkdtemp(directory))
		return -1;
	snprintf(path, sizeof(path), "%s/run.jsonl", directory);
	snprintf(errors, sizeof(errors), "%s/errors", directory);
	return 0;
}

static int remove_directory(void **state)
{
	(void)state;
	unlink(path);
	unlink(errors);
	return rmdir(directory);
}

static int clear(void **state)
{
	(void)state;
	summary_free(&summary);
	return 0;
}

/* ---- distributions ---- */

static void test_empty_dist(void **state)
{
	struct dist d = { 0 };

	(void)state;
	assert_int_equal(dist_percentile(&d, 50), 0);
	assert_int_equal(dist_max(&d), 0);
	assert_true(dist_mean(&d) == 0 && dist_deviation(&d) == 0);
	dist_free(&d);
}

/* Nearest rank, on the numbers 1 to 1000 in an order that is none. */
static void test_percentiles(void **state)
{
	struct dist d = { 0 };

	(void)state;
	for (uint64_t i = 0; i < 1000; i++)
		assert_int_equal(dist_add(&d, i * 619 % 1000 + 1), 0);
	assert_int_equal(dist_count(&d), 1000);
	assert_int_equal(dist_min(&d), 1);
	assert_int_equal(dist_percentile(&d, 50), 500);
	assert_int_equal(dist_percentile(&d, 50.01), 501);
	assert_int_equal(dist_percentile(&d, 99), 990);
	assert_int_equal(dist_percentile(&d, 99.9), 999);
	assert_int_equal(dist_percentile(&d, 99.99), 1000);
	assert_int_equal(dist_percentile(&d, 64.4), 644); /* of doubles it is a little more */
	assert_int_equal(dist_max(&d), 1000);
	assert_true(dist_mean(&d) == 500.5);
	assert_in_range((uint64_t)(dist_deviation(&d) * 1000), 288674, 288675);
	dist_free(&d);
}

/* What is added between two questions is merged into what is in order already. */
static void test_asked_in_between(void **state)
{
	struct dist d = { 0 };
	const uint64_t *samples;

	(void)state;
	for (uint64_t i = 0; i < 500; i++) {
		assert_int_equal(dist_add(&d, i * 7919 % 501), 0);
		if (i % 37 == 0)
			assert_in_range(dist_max(&d), dist_percentile(&d, 50), 500);
	}
	samples = dist_samples(&d);
	for (size_t i = 1; i < dist_count(&d); i++)
		assert_true(samples[i - 1] <= samples[i]);
	dist_free(&d);
}

/* ---- the summary ---- */

static struct result good_session(uint64_t number, uint64_t planned, uint64_t total)
{
	struct result r = { .number = number,
		.user = "lab0001",
		.planned = planned,
		.started = planned + 100,
		.total = total,
		.held = 5000 };

	for (int i = 0; i < LOAD_PHASE_COUNT; i++)
		r.phase[i] = NOT_REACHED;
	r.phase[LOAD_TCP] = 300;
	r.phase[LOAD_TLS] = total - 300;
	return r;
}

static struct result failed_session(uint64_t number, enum load_error error, const char *detail)
{
	struct result r = good_session(number, number * 1000, 400);

	r.total = r.phase[LOAD_TLS] = NOT_REACHED;
	r.error = error;
	r.failed_in = LOAD_TLS;
	snprintf(r.detail, sizeof(r.detail), "%s", detail);
	return r;
}

static void add(struct result r)
{
	assert_int_equal(summary_add_session(&summary, &r), 0);
}

static void test_names(void **state)
{
	(void)state;
	assert_int_equal(metric_find("first_picture"), LOAD_PICTURE);
	assert_int_equal(metric_find("total"), METRIC_TOTAL);
	assert_int_equal(metric_find("totals"), -1);
	assert_int_equal(load_phase_find("total"), -1);
	assert_int_equal(load_error_find("tls_failed"), LOAD_TLS_FAILED);
	assert_string_equal(metric_name(METRIC_RESPONSE), "response");
}

static void test_counts(void **state)
{
	struct result r = failed_session(3, LOAD_ERRINFO, "");
	struct missed missed = { .number = 9, .planned = 9000, .why = "max-live" };

	(void)state;
	add(good_session(0, 0, 1000));
	add(good_session(1, 1000, 2000));
	add(failed_session(2, LOAD_RESET, "ECONNRESET"));
	r.errinfo = 0x5;
	add(r);
	add(failed_session(4, LOAD_INTERRUPTED, ""));
	assert_int_equal(summary_add_missed(&summary, &missed), 0);
	assert_int_equal(summary.started, 5);
	assert_int_equal(summary.ok, 2);
	assert_int_equal(summary.failed, 2);
	assert_int_equal(summary.failed_in[LOAD_RESET][LOAD_TLS], 1);
	assert_true(summary_fail_ratio(&summary) == 0.5);
	assert_true(summary_missed_ratio(&summary) == 1.0 / 6);
	assert_string_equal(
	    summary.causes.rows[1].text, "ERRINFO_DISCONNECTED_BY_OTHER_CONNECTION");
	assert_int_equal(summary.errinfo.rows[0].count, 1);
	/* of those that got there, from the actual and from the planned start */
	assert_int_equal(dist_count(&summary.metric[METRIC_TOTAL]), 2);
	assert_int_equal(dist_max(&summary.metric[METRIC_TOTAL]), 2000);
	assert_int_equal(dist_max(&summary.metric[METRIC_RESPONSE]), 2100);
	assert_int_equal(dist_count(&summary.metric[LOAD_TCP]), 5);
}

/* Texts of servers are without end: those that no row is left for are one. */
static void test_many_causes(void **state)
{
	char text[32];

	(void)state;
	for (uint64_t i = 0; i < SUMMARY_COUNTS + 10; i++) {
		snprintf(text, sizeof(text), "reason %u\033[2J", (unsigned)i);
		add(failed_session(i, LOAD_RESET, text));
	}
	assert_int_equal(summary.causes.count, SUMMARY_COUNTS);
	assert_string_equal(summary.causes.rows[0].text, "reason 0?[2J");
	assert_string_equal(summary.causes.rows[SUMMARY_COUNTS - 1].text, "others");
	assert_int_equal(summary.causes.rows[SUMMARY_COUNTS - 1].count, 11);
}

static void add_run(uint64_t epoch_us, uint64_t duration_us)
{
	assert_int_equal(summary_add_run(&summary, &(struct run_info){ .epoch_us = epoch_us }), 0);
	assert_int_equal(
	    summary_add_end(&summary, &(struct run_end){ .duration_us = duration_us }), 0);
}

/* One run in the middle of another, and one a day later: the day is left out. */
static void test_align(void **state)
{
	(void)state;
	add_run(86400000000u + 5000000, 2000000);
	add_run(1000000, 3000000);
	add_run(2000000, 4000000);
	assert_int_equal(summary_align(&summary), 7000000);
	assert_int_equal(summary.runs[1].shift, 0);
	assert_int_equal(summary.runs[2].shift, 1000000);
	assert_int_equal(summary.runs[0].shift, 5000000);
}

static void test_rates(void **state)
{
	(void)state;
	assert_true(summary_rate_reached(&summary) == 0);
	for (uint64_t i = 0; i < 11; i++)
		add(good_session(
		    i, i * 100000, 1000 + i * 100000)); /* the server is half as fast */
	assert_true(summary_rate_planned(&summary) == 10);
	assert_true(summary_rate_reached(&summary) == 5);
}

static void test_client_limited(void **state)
{
	struct missed late = { .why = "late" };
	char text[128];

	(void)state;
	add(good_session(0, 0, 1000));
	assert_false(summary_client_limited(&summary, text, sizeof(text)));
	assert_int_equal(summary_add_missed(&summary, &late), 0);
	assert_true(summary_client_limited(&summary, text, sizeof(text)));
	assert_non_null(strstr(text, "1 starts"));
}

/* ---- thresholds ---- */

static enum threshold_state check(const char *text, char found[64])
{
	struct threshold t;
	char error[512];

	if (threshold_parse(&t, text, error, sizeof(error)) < 0)
		fail_msg("%s: %s", text, error);
	return threshold_check(&t, &summary, found, 64);
}

static void test_thresholds(void **state)
{
	char found[64];

	(void)state;
	assert_int_equal(check("p95(total)<800ms", found), THRESHOLD_UNKNOWN);
	assert_int_equal(check("fail<1%", found), THRESHOLD_UNKNOWN);
	assert_int_equal(check("rate>=1/s", found), THRESHOLD_UNKNOWN);
	for (uint64_t i = 1; i <= 100; i++)
		add(good_session(i, i * 100000, i * 1000));
	assert_int_equal(check("p95(total)<95001us", found), THRESHOLD_KEPT);
	assert_string_equal(found, "95.0ms");
	assert_int_equal(check("p95(total)<95ms", found), THRESHOLD_CROSSED);
	assert_int_equal(check("p95(total)<=95ms", found), THRESHOLD_KEPT);
	assert_int_equal(check("max(response)<=0.1001s", found), THRESHOLD_KEPT);
	assert_int_equal(check("min(total)>=1ms", found), THRESHOLD_KEPT);
	assert_int_equal(check("mean(total)>50.5ms", found), THRESHOLD_CROSSED);
	assert_int_equal(check("p99.9(tcp)<1m", found), THRESHOLD_KEPT);
	assert_int_equal(check("rate>=9/s", found), THRESHOLD_KEPT);
	assert_int_equal(check("rate>=11/s", found), THRESHOLD_CROSSED);
	assert_int_equal(check("fail<=0%", found), THRESHOLD_KEPT);
	add(failed_session(101, LOAD_LOGON, ""));
	assert_int_equal(check("fail<1%", found), THRESHOLD_KEPT);
	assert_string_equal(found, "0.99%");
	assert_int_equal(check("fail<0.5%", found), THRESHOLD_CROSSED);
	assert_int_equal(check(" fail < 1 % ", found), THRESHOLD_KEPT);
	assert_int_equal(check("p95( total )\t<= 800 ms", found), THRESHOLD_KEPT);
	assert_int_equal(check("missed<1%", found), THRESHOLD_KEPT);
}

static void test_bad_thresholds(void **state)
{
	static const char *const bad[][2] = { { "", "comparison" }, { "p95(total)", "comparison" },
		{ "p95(total)<", "number" }, { "p95(total)<1", "unit" },
		{ "p95(total)<1h", "unit" }, { "p95(total)<-1s", "number" },
		{ "p95(total)<nans", "number" }, { "p101(total)<1s", "statistic" },
		{ "p(total)<1s", "statistic" }, { "p95x(total)<1s", "statistic" },
		{ "median(total)<1s", "statistic" }, { "p95(totl)<1s", "first_picture" },
		{ "p95(total<1s", "cannot be measured" }, { "errors<1%", "cannot be measured" },
		{ "fail<1", "percentage" }, { "fail<101%", "percentage" }, { "rate>20", "second" },
		{ "p95(total)<1s && fail<1%", "unit" } };
	struct threshold t;
	char error[512];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		assert_int_equal(threshold_parse(&t, bad[i][0], error, sizeof(error)), -1);
		if (!strstr(error, bad[i][1]))
			fail_msg("%s: %s", bad[i][0], error);
	}
}

/* ---- the file ---- */

/* Standard error goes to a file until it is read. */
static int begin_errors(void)
{
	int old = dup(STDERR_FILENO), fd = open(errors, O_RDWR | O_CREAT | O_TRUNC, 0600);

	fflush(stderr);
	dup2(fd, STDERR_FILENO);
	close(fd);
	return old;
}

static void read_file(const char *name, char text[TEXT_SIZE])
{
	int fd = open(name, O_RDONLY);
	ssize_t got = read(fd, text, TEXT_SIZE - 1);

	close(fd);
	assert_in_range(got, 0, TEXT_SIZE - 1);
	text[got] = 0;
}

static void end_errors(int old, char text[TEXT_SIZE])
{
	fflush(stderr);
	dup2(old, STDERR_FILENO);
	close(old);
	read_file(errors, text);
}

static void write_text(const char *text, size_t length)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_int_equal(write(fd, text, length), length);
	close(fd);
}

/* Reads the file into the summary; SAID gets what was said about it. */
static int read_results(char said[TEXT_SIZE])
{
	int old = begin_errors(), status = result_read(path, &summary);

	end_errors(old, said);
	return status;
}

static void write_results(struct result_file *file)
{
	struct run_info info = { .version = "1",
		.target = "server:3389",
		.model = "rate",
		.plan = "20/s",
		.command = "musessload run \xff\xfe server",
		.seed = UINT64_MAX,
		.epoch_us = 1764089619123456,
		.planned = 3 };
	struct result r = good_session(0, 0, 1000);
	struct missed missed = { .number = 2, .planned = 100000, .why = "max-live" };
	struct run_end end = { .duration_us = 123456,
		.client_limited = true,
		.limit = "slow",
		.stopped = true,
		.rate_changes = 3,
		.not_started = 192 };

	result_file_write_run(file, &info);
	r.echo[0] = 17;
	r.echoes = 1;
	r.certificate_mismatch = r.reconnected = r.not_logged_off = true;
	result_file_write_session(file, &r);
	r = failed_session(1, LOAD_SM, "a\nb\"c");
	r.status = (int32_t)0xc000009a;
	r.errinfo = 0xc;
	result_file_write_session(file, &r);
	result_file_write_missed(file, &missed);
	result_file_write_end(file, &end);
}

/* What is written is read back, with nothing said. */
static void test_round_trip(void **state)
{
	struct result_file file = RESULT_FILE_NONE;
	char said[TEXT_SIZE];

	(void)state;
	result_file_write_run(&file, &(struct run_info){ 0 }); /* without a file: nothing */
	assert_int_equal(result_file_open(&file, path), 0);
	write_results(&file);
	assert_int_equal(result_file_close(&file), 0);
	assert_int_equal(read_results(said), 0);
	assert_string_equal(said, "");
	assert_int_equal(summary.run_count, 1);
	assert_string_equal(summary.runs[0].info.target, "server:3389");
	assert_string_equal(summary.runs[0].info.command, "musessload run ?? server");
	assert_string_equal(summary.runs[0].info.host, "");
	assert_true(summary.runs[0].info.seed == UINT64_MAX);
	assert_true(summary.runs[0].ended && summary.runs[0].end.client_limited);
	assert_int_equal(summary.runs[0].end.duration_us, 123456);
	assert_int_equal(summary.ok, 1);
	assert_int_equal(summary.errors[LOAD_SM], 1);
	assert_int_equal(summary.missed, 1);
	assert_int_equal(summary.certificate_mismatches, 1);
	assert_int_equal(summary.reconnected, 1);
	assert_int_equal(summary.not_logged_off, 1);
	assert_int_equal(summary.runs[0].end.rate_changes, 3);
	assert_int_equal(summary.runs[0].end.not_started, 192);
	assert_int_equal(dist_max(&summary.metric[METRIC_ECHO]), 17);
	assert_int_equal(dist_max(&summary.metric[METRIC_RESPONSE]), 1100);
	assert_int_equal(dist_count(&summary.metric[LOAD_TLS]), 1);
	assert_int_equal(summary.errinfo.rows[0].code, 0xc);
	assert_string_equal(summary.why.rows[0].text, "max-live");
	/* again: it is one distribution, of two runs */
	assert_int_equal(read_results(said), 0);
	assert_int_equal(summary.run_count, 2);
	assert_int_equal(dist_count(&summary.metric[METRIC_TOTAL]), 2);
}

/* Each write of a line is whole, or leaves nothing behind. */
static void test_full_disk(void **state)
{
	struct result_file file;
	struct rlimit limit, small = { 700, RLIM_INFINITY };
	struct result r = good_session(0, 0, 1000);
	char said[TEXT_SIZE], text[TEXT_SIZE];
	int old;

	(void)state;
	assert_int_equal(result_file_open(&file, path), 0);
	getrlimit(RLIMIT_FSIZE, &limit);
	old = begin_errors();
	setrlimit(RLIMIT_FSIZE, &small);
	for (int i = 0; i < 10; i++)
		result_file_write_session(&file, &r);
	setrlimit(RLIMIT_FSIZE, &limit);
	result_file_write_session(&file, &r); /* there is room again */
	assert_int_equal(result_file_close(&file), -1);
	end_errors(old, said);
	assert_non_null(strstr(said, "cannot write a result to"));
	assert_null(strstr(strstr(said, "cannot write") + 1, "cannot write"));
	read_file(path, text);
	assert_int_equal(text[strlen(text) - 1], '\n');
	assert_int_equal(read_results(text), 0);
	assert_string_equal(text, "");
	assert_in_range(summary.ok, 2, 9);
	snprintf(text, sizeof(text), "%u results are not in", 11 - (unsigned)summary.ok);
	assert_non_null(strstr(said, text));
}

/* The file of an earlier run makes way for one that has something in it. */
static void test_full_disk_from_the_start(void **state)
{
	static const char earlier[] = "what an earlier run found\n";
	struct rlimit limit, none = { 0, RLIM_INFINITY };
	struct result r = good_session(0, 0, 1000);
	char text[TEXT_SIZE], beside[sizeof(path) + 8];
	struct result_file file;
	int old;

	(void)state;
	write_text(earlier, sizeof(earlier) - 1);
	snprintf(beside, sizeof(beside), "%s.new", path);
	getrlimit(RLIMIT_FSIZE, &limit);
	old = begin_errors();
	assert_int_equal(result_file_open(&file, path), 0);
	setrlimit(RLIMIT_FSIZE, &none);
	result_file_write_session(&file, &r);
	setrlimit(RLIMIT_FSIZE, &limit);
	assert_int_equal(result_file_close(&file), -1);
	end_errors(old, text);
	read_file(path, text);
	assert_string_equal(text, earlier);
	assert_int_equal(access(beside, F_OK), -1);
	assert_int_equal(result_file_open(&file, path), 0);
	result_file_write_session(&file, &r);
	read_file(path, text); /* while the run goes on */
	assert_non_null(strstr(text, "session"));
	assert_int_equal(result_file_close(&file), 0);
	assert_int_equal(access(beside, F_OK), -1);
}

/* A device that is always full. */
static void test_no_space(void **state)
{
	struct result_file file;
	char said[TEXT_SIZE];
	int old = begin_errors();

	(void)state;
	assert_int_equal(result_file_open(&file, "/dev/full"), 0);
	write_results(&file);
	assert_int_equal(result_file_close(&file), -1);
	assert_int_equal(result_file_open(&file, "/nowhere/run.jsonl"), -1);
	end_errors(old, said);
	assert_non_null(strstr(said, "No space left on device"));
	assert_non_null(strstr(said, "5 results are not in /dev/full"));
	assert_non_null(strstr(said, "/nowhere/run.jsonl: No such file"));
}

#define SESSION                                                                                    \
	"{\"type\":\"session\",\"planned\":0,\"started\":0,\"total\":5,\"error\":\"ok\","          \
	"\"what a later build knows\":{}}"

static void test_torn_line(void **state)
{
	static const char torn[] = SESSION "\n" SESSION "\n{\"type\":\"session\",\"plan";
	static const char whole[] = SESSION "\n" SESSION;
	char said[TEXT_SIZE];

	(void)state;
	write_text(torn, sizeof(torn) - 1);
	assert_int_equal(read_results(said), 0);
	assert_int_equal(summary.ok, 2);
	assert_int_equal(summary.torn_files, 1);
	assert_int_equal(summary.bad_lines, 0);
	assert_non_null(strstr(said, "run.jsonl:3: the last line is torn"));
	/* only its end is missing */
	write_text(whole, sizeof(whole) - 1);
	assert_int_equal(read_results(said), 0);
	assert_int_equal(summary.ok, 4);
	assert_int_equal(summary.torn_files, 1);
	assert_non_null(strstr(said, "but all of it is there"));
}

/* An editor's mark at the begin changes nothing. */
static void test_mark(void **state)
{
	char said[TEXT_SIZE], marked[256];
	int length = snprintf(marked, sizeof(marked), "\xef\xbb\xbf%s\n", SESSION);

	(void)state;
	write_text(marked, (size_t)length);
	assert_int_equal(read_results(said), 0);
	assert_string_equal(said, "");
	assert_int_equal(summary.ok, 1);
	write_text(marked, 3);
	assert_int_equal(read_results(said), -1);
}

static void test_bad_lines(void **state)
{
	static const char lines[] =
	    "{\"type\":\"run\",\"version\":1}\n"                                    /* 1 */
	    "{\"type\":\"session\",\"error\":\"ok\",\"total\":-1}\n"                /* 2 */
	    "{\"type\":\"session\",\"error\":\"odd\"}\n"                            /* 3 */
	    "not json \033[2J\n" SESSION "\n"                                       /* 4, 5 */
	    "{\"type\":\"session\",\"error\":\"ok\",\"phases\":{\"tls\":1e300}}\n"  /* 6 */
	    "{\"type\":\"session\",\"error\":\"ok\",\"held\":99999999999999999}\n"; /* 7 */
	char said[TEXT_SIZE];

	(void)state;
	write_text(lines, sizeof(lines) - 1);
	assert_int_equal(read_results(said), 0);
	assert_int_equal(summary.started, 1);
	assert_int_equal(summary.bad_lines, 6);
	assert_non_null(strstr(said, "run.jsonl:1: the field \"version\""));
	assert_non_null(strstr(said, "run.jsonl:2: the field \"total\""));
	assert_non_null(strstr(said, "run.jsonl:3: the field \"error\""));
	assert_non_null(strstr(said, "run.jsonl:4: no JSON"));
	assert_non_null(strstr(said, "run.jsonl:6: the field \"tls\""));
	assert_non_null(strstr(said, "1 more"));
	assert_null(strchr(said, '\033'));
}

static void test_no_results(void **state)
{
	char said[TEXT_SIZE];

	(void)state;
	write_text("", 0);
	assert_int_equal(read_results(said), -1);
	assert_non_null(strstr(said, "no result"));
	write_text("root:x:0:0\n", 11);
	assert_int_equal(read_results(said), -1);
	assert_int_equal(result_read("/nowhere", &summary), -1);
	assert_int_equal(result_read("/tmp", &summary), -1);
	/* nor where there is no end */
	assert_int_equal(result_read("/dev/zero", &summary), -1);
	assert_int_equal(result_read("/dev/urandom", &summary), -1);
}

#define TEST(name) cmocka_unit_test_teardown(name, clear)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty_dist),
		cmocka_unit_test(test_percentiles),
		cmocka_unit_test(test_asked_in_between),
		cmocka_unit_test(test_names),
		TEST(test_counts),
		TEST(test_many_causes),
		TEST(test_align),
		TEST(test_rates),
		TEST(test_client_limited),
		TEST(test_thresholds),
		cmocka_unit_test(test_bad_thresholds),
		TEST(test_round_trip),
		TEST(test_full_disk),
		TEST(test_full_disk_from_the_start),
		TEST(test_no_space),
		TEST(test_torn_line),
		TEST(test_mark),
		TEST(test_bad_lines),
		TEST(test_no_results),
	};

	return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
