/* Unit tests of config/options.c, and of config/musess.conf against its table. */
#include "options.h"

#include <ctype.h>
#include <ini.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
/* cmocka wants some of those above it */
#include <cmocka.h>

/* What config_read wrote, the file's name cut off each line. */
static char errors[16384];

static void read_errors(const char *text, const char *path)
{
	size_t used = 0;

	for (; *text; text = strchr(text, '\n') + 1) {
		assert_memory_equal(text, path, strlen(path));
		assert_int_equal(text[strlen(path)], ':');
		const char *rest = text + strlen(path) + 1;
		size_t length = (size_t)(strchr(rest, '\n') + 1 - rest);
		assert_true(used + length < sizeof(errors));
		memcpy(errors + used, rest, length);
		used += length;
	}
	errors[used] = 0;
}

static int read_path(struct musess_config *config, const char *path)
{
	char *text;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	config_defaults(config);
	int result = config_read(config, path, out);
	assert_int_equal(fclose(out), 0);
	read_errors(text, path);
	free(text);
	return result;
}

static int read_bytes(struct musess_config *config, const char *bytes, size_t size)
{
	char path[32];
	int fd = memfd_create("test", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, size), size);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	int result = read_path(config, path);
	close(fd);
	return result;
}

static void assert_read(struct musess_config *config, const char *text)
{
	if (read_bytes(config, text, strlen(text)) != 0)
		fail_msg("%s", errors);
	assert_string_equal(errors, "");
}

static void assert_mistakes(const char *text, const char *expected)
{
	struct musess_config config;

	assert_int_equal(read_bytes(&config, text, strlen(text)), -1);
	assert_string_equal(errors, expected);
}

/* The dump of a configuration; the caller frees it. */
static char *dump(const struct musess_config *config)
{
	char *text;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	config_dump(config, out);
	assert_int_equal(fclose(out), 0);
	return text;
}

static void assert_same(const struct musess_config *a, const struct musess_config *b)
{
	char *one = dump(a), *other = dump(b);

	assert_string_equal(one, other);
	free(one);
	free(other);
}

static void test_defaults(void **state)
{
	struct musess_config c;

	(void)state;
	config_defaults(&c);
	assert_int_equal(c.PortNumber, 3389);
	assert_string_equal(c.ListenAddress, "::");
	assert_int_equal(c.SecurityLayer, 1);
	assert_int_equal(c.UserAuthentication, 0);
	assert_string_equal(c.Certificate, "");
	assert_string_equal(c.PrivateKey, "");
	assert_int_equal(c.LogonTimeout, 10000);
	assert_int_equal(c.MaxInstanceCount, 4000);
	assert_string_equal(c.InitialProgram, "");
	assert_int_equal(c.SubsystemTimeout, 60000);
	assert_int_equal(c.TasksMax, 512);
	assert_int_equal(c.MemoryMax, 1ull << 30);
	assert_int_equal(c.AccountPatterns, 0);
	assert_string_equal(c.Font, "/usr/share/fonts/truetype/dejavu/DejaVuSansMono.ttf");
	assert_string_equal(c.FontBold, "/usr/share/fonts/truetype/dejavu/DejaVuSansMono-Bold.ttf");
	assert_string_equal(c.EventFile, "");
	assert_int_equal(c.MetricsPort, 0);
	assert_string_equal(c.MetricsAddress, "127.0.0.1");
	assert_int_equal(c.WindowsNames, 0);
}

/* Every option set to something else, in the ways that a file may be written. */
static const char everything[] = "\xef\xbb\xbf; a mark, CR LF and both kinds of comment\r\n"
                                 "# [Nothing]\r\n"
                                 "[Listener]\r\n"
                                 "PortNumber=4000\r\n"
                                 "\tListenAddress\t=\t127.0.0.1\t\r\n"
                                 "  SecurityLayer = 1\n"
                                 "\n"
                                 "   \n"
                                 "UserAuthentication: 1\n"
                                 "Certificate = /etc/musess/a;b = c.pem\n"
                                 "PrivateKey = /etc/musess/#key\n"
                                 "LogonTimeout = 1500\n"
                                 "[Display]\n"
                                 "Font = /a\n"
                                 "FontBold = /b\n"
                                 "[Sessions]\n"
                                 "MaxInstanceCount = 007\n"
                                 "InitialProgram = sh -c \"echo a ; b=1 # Jörg\"\n"
                                 "SubsystemTimeout = 5 m\n"
                                 "TasksMax = 16\n"
                                 "MemoryMax = 1T\n"
                                 "[Accounts]\n"
                                 "AccountPatterns = 1\n"
                                 "[Events]\n"
                                 "EventFile = /var/log/musess/events.jsonl\n"
                                 "[Metrics]\n"
                                 "MetricsPort = 9177\n"
                                 "MetricsAddress = ::1\n"
                                 "WindowsNames = 1\n"
                                 "[Listener]";

static void test_everything(void **state)
{
	struct musess_config c;

	(void)state;
	assert_read(&c, everything);
	assert_int_equal(c.PortNumber, 4000);
	assert_string_equal(c.ListenAddress, "127.0.0.1");
	assert_int_equal(c.SecurityLayer, 1);
	assert_int_equal(c.UserAuthentication, 1);
	assert_string_equal(c.Certificate, "/etc/musess/a;b = c.pem");
	assert_string_equal(c.PrivateKey, "/etc/musess/#key");
	assert_int_equal(c.LogonTimeout, 1500);
	assert_int_equal(c.MaxInstanceCount, 7);
	assert_string_equal(c.InitialProgram, "sh -c \"echo a ; b=1 # Jörg\"");
	assert_int_equal(c.SubsystemTimeout, 300000);
	assert_int_equal(c.TasksMax, 16);
	assert_int_equal(c.MemoryMax, 1ull << 40);
	assert_int_equal(c.AccountPatterns, 1);
	assert_string_equal(c.Font, "/a");
	assert_string_equal(c.FontBold, "/b");
	assert_string_equal(c.EventFile, "/var/log/musess/events.jsonl");
	assert_int_equal(c.MetricsPort, 9177);
	assert_string_equal(c.MetricsAddress, "::1");
	assert_int_equal(c.WindowsNames, 1);
}

static void test_dump_is_read_back(void **state)
{
	struct musess_config c, again;
	char error[256], *text;

	(void)state;
	assert_read(&c, everything);
	text = dump(&c);
	assert_read(&again, text);
	assert_memory_equal(&c, &again, sizeof(c));
	free(text);

	/* --port 0 reaches termsrv by way of a dump */
	assert_int_equal(config_set(&c, "PortNumber", "0", error, sizeof(error)), 0);
	text = dump(&c);
	assert_read(&again, text);
	assert_int_equal(again.PortNumber, 0);
	assert_same(&c, &again);
	free(text);
}

static void test_longest_text(void **state)
{
	struct musess_config c, again;
	char text[512], longest[OPTION_TEXT_SIZE] = "", *dumped;

	(void)state;
	memset(longest, 'x', sizeof(longest) - 1);
	snprintf(text, sizeof(text),
	    "[Sessions]\nInitialProgram = %s  \n[Accounts]\nAccountPatterns = 1\n", longest);
	assert_read(&c, text);
	assert_string_equal(c.InitialProgram, longest);
	assert_int_equal(c.AccountPatterns, 1);
	dumped = dump(&c);
	assert_read(&again, dumped);
	assert_same(&c, &again);
	free(dumped);

	snprintf(text, sizeof(text), "[Sessions]\nInitialProgram = %sx\nTasksMax = 1\n", longest);
	assert_mistakes(text,
	    "2: InitialProgram is \"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\", too long; "
	    "allowed: up to 255 bytes of UTF-8, or nothing\n"
	    "3: TasksMax is \"1\", out of bounds; allowed: a number from 16 to 32768\n");
}

static void test_units(void **state)
{
	static const struct {
		const char *name, *value;
		uint64_t result; /* 0: refused */
	} cases[] = {
		{ "LogonTimeout", "1000", 1000 },
		{ "LogonTimeout", "1000ms", 1000 },
		{ "LogonTimeout", "1s", 1000 },
		{ "LogonTimeout", "600s", 600000 },
		{ "LogonTimeout", "10 m", 600000 },
		{ "LogonTimeout", "999", 0 },
		{ "LogonTimeout", "601s", 0 },
		{ "LogonTimeout", "1h", 0 },
		{ "LogonTimeout", "1S", 0 },
		{ "LogonTimeout", "1.5s", 0 },
		{ "LogonTimeout", "1G", 0 },
		{ "LogonTimeout", "s", 0 },
		{ "LogonTimeout", "", 0 },
		{ "LogonTimeout", "5124095576030432h", 0 }, /* 2^64 and more, in milliseconds */
		{ "MemoryMax", "16777216", 1 << 24 },
		{ "MemoryMax", "16384K", 1 << 24 },
		{ "MemoryMax", "16M", 1 << 24 },
		{ "MemoryMax", "1024G", 1ull << 40 },
		{ "MemoryMax", "16777215", 0 },
		{ "MemoryMax", "1025G", 0 },
		{ "MemoryMax", "17179869185G", 0 }, /* 2^64 + 1G */
		{ "MemoryMax", "99999999999999999999", 0 },
		{ "MemoryMax", "1s", 0 },
		{ "TasksMax", "16", 16 },
		{ "TasksMax", "15", 0 },
		{ "TasksMax", "32768", 32768 },
		{ "TasksMax", "32769", 0 },
		{ "TasksMax", "4294967312", 0 }, /* 2^32 + 16 */
		{ "TasksMax", "0x20", 0 },
		{ "TasksMax", "1K", 0 },
		{ "TasksMax", "-20", 0 },
		{ "TasksMax", "+20", 0 },
		{ "TasksMax", "any", 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct musess_config c;
		char error[256] = "";
		config_defaults(&c);
		int result = config_set(&c, cases[i].name, cases[i].value, error, sizeof(error));
		if ((result == 0) != (cases[i].result != 0))
			fail_msg("%s = %s: %d %s", cases[i].name, cases[i].value, result, error);
		if (result < 0) {
			assert_memory_equal(error, cases[i].name, strlen(cases[i].name));
			assert_non_null(strstr(error, "; allowed: "));
			continue;
		}
		assert_int_equal(*cases[i].name == 'L'   ? c.LogonTimeout
		                 : *cases[i].name == 'M' ? c.MemoryMax
		                                         : c.TasksMax,
		    cases[i].result);
	}
}

static void test_set(void **state)
{
	struct musess_config c, before;
	char error[256];

	(void)state;
	config_defaults(&c);
	assert_int_equal(config_set(&c, "PortNumber", "65535", error, sizeof(error)), 0);
	assert_int_equal(c.PortNumber, 65535);
	assert_int_equal(config_set(&c, "PortNumber", "0", error, sizeof(error)), 0);
	assert_int_equal(c.PortNumber, 0);
	assert_int_equal(config_set(&c, "ListenAddress", "2001:db8::1", error, sizeof(error)), 0);
	assert_string_equal(c.ListenAddress, "2001:db8::1");
	before = c;
	assert_int_equal(config_set(&c, "PortNumber", "65536", error, sizeof(error)), -1);
	assert_string_equal(error,
	    "PortNumber is \"65536\", out of bounds; allowed: a number from 1 "
	    "to 65535, or any");
	assert_int_equal(config_set(&c, "Port", "1", error, sizeof(error)), -1);
	assert_string_equal(error, "\"Port\" is no option; allowed: those of --dump-config");
	assert_memory_equal(&c, &before, sizeof(c));
}

static void test_every_mistake_is_reported(void **state)
{
	(void)state;
	assert_mistakes("Font = /x\n"
	                "[Listner]\n"
	                "PortNumber = 70000\n"
	                "[Listener]\n"
	                "  foo\n"
	                "PortNumbr = 3\n"
	                "  SecurityLayer = 0\n"
	                "SecurityLayer = 1\n"
	                "LogonTimeout = 10 parsecs\n"
	                "\n"
	                "userauthentication = 2\n"
	                "UserAuthentication = 2\n"
	                "ListenAddress = localhost\n"
	                "[Sessions]\n"
	                "colour = green\n"
	                "TasksMax = -4\n"
	                "MaxInstanceCount =\n"
	                "AccountPatterns = 1\n"
	                "= 5\n"
	                "[Display] # or not\n"
	                "FontBold = DejaVu\n"
	                "[Accounts",
	    "1: Font stands before any section; allowed: in [Display]\n"
	    "2: \"[Listner]\" is no section; allowed: [Listener], [Sessions], [Limits], "
	    "[SubSystems], "
	    "[Accounts], [Display], [Events], [Metrics]\n"
	    "3: PortNumber is \"70000\", out of bounds; allowed: a number from 1 to 65535, or any\n"
	    "5: \"foo\" is neither; allowed: [Section], Name = value, # comment\n"
	    "6: \"PortNumbr\" is no option; allowed: the nearest is PortNumber, in [Listener]\n"
	    "7: SecurityLayer is \"0\", out of bounds; allowed: a number from 1 to 2; RDP standard "
	    "security is not offered\n"
	    "8: SecurityLayer is set again; allowed: once, which line 7 did\n"
	    "9: LogonTimeout is \"10 parsecs\", not in a known unit; allowed: a time from 1s to "
	    "10m; "
	    "units are h, m, s, ms; without one, ms\n"
	    "11: \"userauthentication\" is no option; allowed: the nearest is UserAuthentication, "
	    "in "
	    "[Listener]\n"
	    "12: UserAuthentication is \"2\", out of bounds; allowed: 0 or 1\n"
	    "13: ListenAddress is \"localhost\", not an address; allowed: an IPv4 or IPv6 address\n"
	    "15: \"colour\" is no option; allowed: MaxInstanceCount, InitialProgram, "
	    "SubsystemTimeout, TasksMax, MemoryMax, IdleWinStationPoolCount, SessionIdPolicy, "
	    "SessionCreation\n"
	    "16: TasksMax is \"-4\", out of bounds; allowed: a number from 16 to 32768\n"
	    "17: MaxInstanceCount is \"\", not a number; allowed: a number from 1 to 30000\n"
	    "18: AccountPatterns stands in another section; allowed: in [Accounts]\n"
	    "19: \"\" is no option; allowed: MaxInstanceCount, InitialProgram, SubsystemTimeout, "
	    "TasksMax, MemoryMax, IdleWinStationPoolCount, SessionIdPolicy, SessionCreation\n"
	    "20: \"[Display] # or not\" is no section; allowed: [Listener], [Sessions], "
	    "[Limits], [SubSystems], [Accounts], "
	    "[Display], [Events], [Metrics]\n"
	    "21: FontBold is \"DejaVu\", not an absolute path; allowed: an absolute path of up to "
	    "255 bytes\n"
	    "22: \"[Accounts\" is no section; allowed: [Listener], [Sessions], [Limits], "
	    "[SubSystems], "
	    "[Accounts], [Display], [Events], [Metrics]\n");
}

static void test_port_zero_in_a_file(void **state)
{
	struct musess_config c;

	(void)state;
	assert_mistakes("[Listener]\nPortNumber = 0\n",
	    "2: PortNumber is \"0\", out of bounds; allowed: a number from 1 to 65535, or any\n");
	assert_read(&c, "[Listener]\nPortNumber = any\n");
	assert_int_equal(c.PortNumber, 0);
}

static void test_bytes_that_are_no_text(void **state)
{
	static const char zero[] = "[Display]\nFont = /a\0b\nFontBold = \n";
	struct musess_config c;

	(void)state;
	assert_int_equal(read_bytes(&c, zero, sizeof(zero) - 1), -1);
	assert_string_equal(errors,
	    "2: a byte of value 0; allowed: text\n"
	    "3: FontBold is \"\", empty; allowed: an absolute path of up to 255 bytes\n");
	assert_mistakes("[Sessions]\nInitialProgram = \x1b[2J\n\x1b[2J\n",
	    "2: InitialProgram is \"?[2J\", not printable UTF-8; allowed: up to 255 bytes of "
	    "UTF-8, "
	    "or nothing\n"
	    "3: \"?[2J\" is neither; allowed: [Section], Name = value, # comment\n");
	assert_mistakes("[Sessions]\nInitialProgram = \xff\n",
	    "2: InitialProgram is \"\xff\", not printable UTF-8; allowed: up to 255 bytes of "
	    "UTF-8, "
	    "or nothing\n");
}

static void test_contradictions(void **state)
{
	struct musess_config c;

	(void)state;
	assert_mistakes(
	    "[Listener]\nUserAuthentication = 1\nPrivateKey = /k\nSecurityLayer = 2\n\n",
	    "4: UserAuthentication = 1 requires NLA, SecurityLayer = 2 rules it out; allowed: one "
	    "of "
	    "the two\n"
	    "3: only one of Certificate and PrivateKey is set; allowed: both or neither\n");
	assert_mistakes("[Listener]\nCertificate = /c\n",
	    "2: only one of Certificate and PrivateKey is set; allowed: both or neither\n");
	/* a mistake in one half is reported as that alone */
	assert_mistakes("[Listener]\nCertificate = /c\nPrivateKey = k\n",
	    "3: PrivateKey is \"k\", not an absolute path; allowed: an absolute path of up to 255 "
	    "bytes, or nothing\n");
	assert_read(&c, "[Listener]\nUserAuthentication = 1\nSecurityLayer = 1\n");
	assert_read(&c, "[Listener]\nUserAuthentication = 0\nSecurityLayer = 2\n");
	assert_read(&c, "[Listener]\nCertificate = /c\nPrivateKey = /k\n");
}

static void test_words(void **state)
{
	struct musess_config c;

	(void)state;
	assert_read(&c, "");
	assert_int_equal(c.IdleWinStationPoolCount, 2);
	assert_int_equal(c.SessionIdPolicy, SESSION_ID_LOWEST);
	assert_int_equal(c.SessionCreation, SESSION_CREATION_PARALLEL);
	assert_read(&c, "[Sessions]\nSessionIdPolicy = increasing\nSessionCreation = serial\n"
	                "IdleWinStationPoolCount = 0\n");
	assert_int_equal(c.IdleWinStationPoolCount, 0);
	assert_int_equal(c.SessionIdPolicy, SESSION_ID_INCREASING);
	assert_int_equal(c.SessionCreation, SESSION_CREATION_SERIAL);
	assert_mistakes("[Sessions]\nSessionIdPolicy = low\nSessionCreation = serial parallel\n"
	                "IdleWinStationPoolCount = 65\n[SubSystems]\nKmode = ntoskrnl\n",
	    "2: SessionIdPolicy is \"low\", none of these; allowed: lowest or increasing\n"
	    "3: SessionCreation is \"serial parallel\", none of these; allowed: parallel or "
	    "serial\n"
	    "4: IdleWinStationPoolCount is \"65\", out of bounds; allowed: a number from 0 to "
	    "64\n"
	    "6: Kmode is \"ntoskrnl\", none of these; allowed: win32k\n");
}

static void test_penalty(void **state)
{
	struct musess_config running, fresh;
	char *report = NULL;
	size_t size;
	FILE *out;

	(void)state;
	assert_read(&running, "");
	assert_int_equal(running.LogonPenaltyMax, 600000);
	assert_string_equal(running.LogonPenaltyExempt, "");
	assert_read(&fresh, "[Listener]\nLogonPenaltyMax = none\n"
	                    "LogonPenaltyExempt = 192.0.2.7 10.0.0.0/8 2001:db8::/32\n");
	assert_int_equal(fresh.LogonPenaltyMax, 0);
	assert_string_equal(fresh.LogonPenaltyExempt, "192.0.2.7 10.0.0.0/8 2001:db8::/32");
	out = open_memstream(&report, &size);
	assert_int_equal(config_apply(&running, &fresh, out), 2); /* while the service runs */
	fclose(out);
	assert_string_equal(report, "");
	free(report);
	assert_string_equal(running.LogonPenaltyExempt, fresh.LogonPenaltyExempt);
	assert_mistakes("[Listener]\nLogonPenaltyMax = 25h\nLogonPenaltyExempt = 192.0.2.7/33\n",
	    "2: LogonPenaltyMax is \"25h\", out of bounds; allowed: a time of up to 24h, or none; "
	    "units are h, m, s, ms; without one, ms\n"
	    "3: LogonPenaltyExempt is \"192.0.2.7/33\", not all addresses; allowed: addresses of "
	    "IPv4 and IPv6, each with a prefix (192.0.2.0/24) or without, or nothing\n");
}

static void assert_command(const struct musess_config *c, const char *name, const char *expected)
{
	const char *command = config_subsystem_command(c, name, strlen(name));

	if (expected)
		assert_string_equal(command, expected);
	else
		assert_null(command);
}

static void test_subsystems(void **state)
{
	struct musess_config c, again;
	char *text;

	(void)state;
	assert_read(&c, "");
	assert_string_equal(c.Kmode, "win32k");
	assert_string_equal(c.Required, "Debug Windows");
	assert_string_equal(c.Optional, "Posix");
	assert_string_equal(c.Execute, "");
	assert_command(&c, "Windows", "csrss");
	assert_command(&c, "Posix", "psxss");
	assert_command(&c, "Debug", NULL);
	assert_command(&c, "", NULL);
	/* the names may come before the lists */
	assert_read(&c, "[SubSystems]\nOs2-ss = /opt/os2ss -v\nRequired = Windows  Os2-ss\n"
	                "Optional =\nExecute = sleep 5 ; true\nPosix = /bin/psx\n");
	assert_string_equal(c.Optional, "");
	assert_string_equal(c.Execute, "sleep 5 ; true");
	assert_command(&c, "Os2-ss", "/opt/os2ss -v");
	assert_command(&c, "Posix", "/bin/psx");
	text = dump(&c);
	assert_read(&again, text);
	assert_memory_equal(&c, &again, sizeof(c));
	free(text);
}

static void test_bad_subsystems(void **state)
{
	(void)state;
	assert_mistakes("[SubSystems]\nWindoes = csrss\nOs2 = a/b\nRequired = Windows Os2\n",
	    "3: Os2 is \"a/b\", not an absolute path; allowed: a program of musess or an absolute "
	    "path, and arguments\n"
	    "2: \"Windoes\" is no option; allowed: the nearest is Windows, in [SubSystems]\n");
	assert_mistakes("[SubSystems]\nWindows =\nOptional = Posix Posix\n",
	    "2: Windows is \"\", empty; allowed: a program of musess or an absolute path, and "
	    "arguments\n"
	    "3: Optional is \"Posix Posix\", with a name twice; allowed: names of letters, digits, "
	    "_ and -, up to 32 each, or nothing\n");
	assert_mistakes("[SubSystems]\nRequired = Windows 2x\n",
	    "2: Required is \"Windows 2x\", no list of names; allowed: names of letters, digits, _ "
	    "and -, up to 32 each\n");
	assert_mistakes("[SubSystems]\nRequired =\n",
	    "2: Required is \"\", empty; allowed: names of letters, digits, _ and -, up to 32 "
	    "each\n");
	assert_mistakes("[SubSystems]\nRequired = Debug\n",
	    "2: Required does not name Windows; allowed: a list with it\n");
	assert_mistakes("[SubSystems]\nRequired = Windows Posix\n",
	    "2: a subsystem is Required and Optional; allowed: one of the two\n");
	assert_mistakes("[SubSystems]\nX = a\nX = b\nOptional = X\n",
	    "3: X is set again; allowed: once, which line 2 did\n");
	assert_mistakes(
	    "[SubSystems]\nOptional = A B C D E F G\nA=a\nB=b\nC=c\nD=d\nE=e\nF=f\nG=g\n",
	    "9: G is one too many; allowed: 8 subsystems\n");
}

static void test_unreadable(void **state)
{
	struct musess_config c;

	(void)state;
	assert_int_equal(read_path(&c, "/nonexistent/musess.conf"), -1);
	assert_string_equal(
	    errors, " No such file or directory; allowed: a file that can be read\n");
	assert_int_equal(read_path(&c, "/"), -1);
	assert_string_equal(errors, " Is a directory; allowed: a file that can be read\n");
	assert_int_equal(read_path(&c, "/dev/zero"), -1);
	assert_string_equal(errors, " it is no file; allowed: a file that can be read\n");
}

static void test_empty_file(void **state)
{
	struct musess_config c, defaults;

	(void)state;
	config_defaults(&defaults);
	assert_read(&c, "");
	assert_same(&c, &defaults);
}

/* inih's options that a build of it may have the other way round. */
static void test_other_builds_of_inih(void **state)
{
	bool *const switches[] = { &ini_allow_multiline, &ini_allow_inline_comments, &ini_allow_bom,
		&ini_allow_no_value, &ini_use_stack, &ini_allow_realloc, &ini_stop_on_first_error };

	for (size_t i = 0; i < sizeof(switches) / sizeof(*switches); i++) {
		*switches[i] = !*switches[i];
		test_everything(state);
		test_longest_text(state);
		test_every_mistake_is_reported(state);
		*switches[i] = !*switches[i];
	}
}

/* config/musess.conf with the # before every option taken away; the caller frees it. */
static void uncomment(char **text, size_t *size)
{
	FILE *file = fopen(MUSESS_CONF, "re"), *out;
	char *line = NULL;
	size_t line_size = 0;

	if (!file)
		abort();
	out = open_memstream(text, size);
	assert_non_null(out);
	while (getline(&line, &line_size, file) >= 0)
		fputs(*line == '#' && isalpha((unsigned char)line[1]) ? line + 1 : line, out);
	free(line);
	fclose(file);
	assert_int_equal(fclose(out), 0);
}

static void test_shipped_file(void **state)
{
	struct musess_config c, defaults;
	char *dumped, *text;
	size_t size;

	(void)state;
	uncomment(&text, &size);
	config_defaults(&defaults);
	dumped = dump(&defaults);
	assert_int_equal(*text, '#');
	assert_non_null(strstr(text, "\n["));
	assert_string_equal(strstr(text, "\n[") + 1, dumped); /* below the file's own comment */
	assert_read(&c, text);
	assert_same(&c, &defaults);
	if (read_path(&c, MUSESS_CONF) < 0)
		fail_msg("%s", errors);
	assert_same(&c, &defaults);
	free(dumped);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_everything),
		cmocka_unit_test(test_dump_is_read_back),
		cmocka_unit_test(test_longest_text),
		cmocka_unit_test(test_units),
		cmocka_unit_test(test_set),
		cmocka_unit_test(test_every_mistake_is_reported),
		cmocka_unit_test(test_port_zero_in_a_file),
		cmocka_unit_test(test_bytes_that_are_no_text),
		cmocka_unit_test(test_contradictions),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_penalty),
		cmocka_unit_test(test_subsystems),
		cmocka_unit_test(test_bad_subsystems),
		cmocka_unit_test(test_unreadable),
		cmocka_unit_test(test_empty_file),
		cmocka_unit_test(test_other_builds_of_inih),
		cmocka_unit_test(test_shipped_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
