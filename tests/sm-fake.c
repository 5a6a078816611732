/*
 * A csrss or winlogon that misbehaves, and a user's program that leaves much behind. It
 * lies in the service's directory of programs in place of the real one, under its name;
 * beside it
 *
 *   act-csrss, act-winlogon   a word: what sessions other than the console's get
 *   real/                     the real programs
 */
#include "log.h"
#include "messages.h"
#include "ntstatus.h"

#include <fcntl.h>
#include <libgen.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BIN "/opt/musess/bin"
#define SM_PORT "/opt/musess/port/SmApiPort"
#define SB_PORT "/run/Windows/SbApiPort"
#define AP_PORT "/run/Windows/ApiPort"

enum { FLOOD = 3000 };

static int connect_to(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int port = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	if (port < 0 || connect(port, (struct sockaddr *)&address, sizeof(address)) < 0)
		exit(4); /* nobody takes lines for the log yet */
	return port;
}

static int sm_connect(void)
{
	return connect_to(SM_PORT);
}

static void stay(void)
{
	for (;;)
		pause();
}

/* A handshake that is wrong. Stays, so that smss has to end it. */
static void shake_hands(uint32_t type, const char *sb_port, size_t length)
{
	struct msg_csr_connect m = { .subsystem_type = type };
	int port = sm_connect();

	memcpy(m.sb_port, sb_port, length);
	port_header(&m.h, CSR_CONNECT, sizeof(m), 1);
	if (port_send(port, &m.h, -1) < 0)
		exit(5);
	stay();
}

/* A right one, after which lines for the log are taken. */
static void be_csrss(int port)
{
	static int smss;
	struct msg_csr_connect m = { .subsystem_type = SUBSYSTEM_WINDOWS, .sb_port = SB_PORT };
	struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = SB_PORT };
	int listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0), log = -1;

	smss = port;

	if (bind(listener, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    chmod(SB_PORT, 0666) < 0 || listen(listener, 1) < 0)
		exit(6);

	port_header(&m.h, CSR_CONNECT, sizeof(m), 1);
	if (port_send(port, &m.h, -1) == 0 && port_receive(port, &m, sizeof(m), &log) > 0)
		log_through(&smss);
}

/* Lines that are to look like another's, and then too many. */
static void forge(void)
{
	log_warn("musess: lsass: logon failed for user \"a\" from 192.0.2.1:1: x");
	log_info("one\nmusess: lsass: logon failed for user \"a\" from 192.0.2.1:1: x");
	for (int i = 0; i < FLOOD; i++)
		log_info("flood");
}

static int forge_as(const char *name)
{
	static int port;

	if (strcmp(name, "csrss") == 0) {
		be_csrss(sm_connect());
		forge();
		stay(); /* winlogon knocks in vain */
	}
	port = connect_to(AP_PORT);
	log_through(&port);
	forge();
	return 1;
}

/* What a subsystem is answered to each call of the SM API. */
static void make_calls(void)
{
	int32_t answers[SmMaxApiNumber + 1];
	int port = sm_connect();

	for (uint32_t i = 0; i <= SmMaxApiNumber; i++) {
		SMAPIMSG m = { .ApiNumber = i };
		m.u.StartCsr.MuSessionId = SM_NO_MUSESSION;
		port_header(&m.h, LPC_REQUEST, sizeof(m), i);
		if (port_send(port, &m.h, -1) < 0 ||
		    port_receive(port, &m, sizeof(m), NULL) != sizeof(m))
			exit(5);
		answers[i] = m.ReturnedStatus;
	}
	be_csrss(port);
	for (uint32_t i = 0; i <= SmMaxApiNumber; i++)
		log_info("call %u: %s", i, ntstatus_name(answers[i]));
}

static void rubbish(void)
{
	if (send(sm_connect(), "rubbish", 7, MSG_NOSIGNAL) != 7)
		exit(5);
	stay();
}

static int act(const char *name, const char *what)
{
	static const char endless[PORT_NAME_SIZE] = { [0 ... PORT_NAME_SIZE - 1] = 'x' };

	if (strcmp(what, "silent") == 0)
		stay();
	else if (strcmp(what, "mute") == 0 && sm_connect() >= 0)
		stay();
	else if (strcmp(what, "rubbish") == 0)
		rubbish();
	else if (strcmp(what, "type") == 0)
		shake_hands(SUBSYSTEM_WINDOWS + 1, "/x", 3);
	else if (strcmp(what, "mix") == 0)
		shake_hands(SUBSYSTEM_WINDOWS, "", 1);
	else if (strcmp(what, "name") == 0)
		shake_hands(SUBSYSTEM_WINDOWS, endless, sizeof(endless));
	else if (strcmp(what, "calls") == 0)
		make_calls();
	else if (strcmp(what, "forge") == 0)
		return forge_as(name);
	return 1; /* "exit" */
}

/* A daemon with a socket of each kind, a file and a semaphore. */
static int leave_much(void)
{
	struct sockaddr_un local = { .sun_family = AF_UNIX, .sun_path = "/tmp/left" };
	struct sockaddr_in network = { .sin_family = AF_INET, .sin_port = htons(3389) };
	int one = socket(AF_UNIX, SOCK_STREAM, 0), other = socket(AF_INET, SOCK_STREAM, 0);
	int semaphore = semget(IPC_PRIVATE, 1, IPC_CREAT | 0600);

	if (bind(one, (struct sockaddr *)&local, sizeof(local)) < 0 || listen(one, 1) < 0 ||
	    bind(other, (struct sockaddr *)&network, sizeof(network)) < 0 || listen(other, 1) < 0 ||
	    semaphore < 0 || open("/dev/shm/left", O_CREAT | O_RDWR, 0600) < 0)
		return 1;
	for (int i = 0; i < 5; i++)
		if (fork() == 0) {
			setsid();
			if (fork() == 0)
				stay();
			_exit(0);
		}
	if (open("/tmp/all-left", O_CREAT | O_RDWR, 0600) < 0)
		return 1;
	stay();
	return 0;
}

int main(int argc, char **argv)
{
	char path[64], what[16] = "real";
	const char *name = basename(argv[0]);
	FILE *f;

	if (strcmp(name, "leave-much") == 0)
		return leave_much();
	log_process(name);
	snprintf(path, sizeof(path), BIN "/act-%s", name);
	f = argc > 1 && strcmp(argv[1], "0") != 0 ? fopen(path, "re") : NULL;
	if (f && fscanf(f, "%15s", what) == 1 && strcmp(what, "real") != 0)
		return act(name, what);
	snprintf(path, sizeof(path), BIN "/real/%s", name);
	execv(path, argv);
	return 127;
}
