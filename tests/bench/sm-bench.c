/*
 * Measures the session manager alone: StartCsr, no RDP, one after another or LANES at a
 * time, each session counted when StartCsr is answered: its initial command then runs.
 *
 *   sm-bench PORT-PATH [-n SESSIONS] [-c LANES] [-k]
 *     -k  keep all sessions until the last is started (else each is stopped at once)
 *
 * Prints: sessions, per second, p50 and p99 of a StartCsr in milliseconds.
 */
#include "clock.h"
#include "ntstatus.h"
#include "port.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { LANES_MAX = 64 };

static int port;
static uint64_t *began, *took;
static uint32_t *ids;

static void call(uint32_t api, uint32_t number, uint32_t session)
{
	SMAPIMSG m = { .ApiNumber = api };

	m.u.StartCsr.MuSessionId = session; /* StopCsr's is at the same place */
	port_header(&m.h, LPC_REQUEST, sizeof(m), number);
	if (port_send(port, &m.h, -1) < 0) {
		perror("sm-bench: send");
		exit(1);
	}
}

static void receive(SMAPIMSG *m)
{
	if (port_receive(port, m, sizeof(*m), NULL) != sizeof(*m)) {
		fprintf(stderr, "sm-bench: the service went away\n");
		exit(1);
	}
	if (m->ReturnedStatus != STATUS_SUCCESS) {
		fprintf(stderr, "sm-bench: call %u: %s\n", m->ApiNumber,
		    ntstatus_name(m->ReturnedStatus));
		exit(1);
	}
}

static void start(uint32_t number)
{
	began[number] = clock_us();
	call(SmStartCsrApi, number, SM_NO_MUSESSION);
}

static int ascending(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void stop_all(uint32_t count)
{
	SMAPIMSG m;

	for (uint32_t i = 0; i < count; i++) {
		call(SmStopCsrApi, i, ids[i]);
		receive(&m);
	}
}

static double run(uint32_t sessions, uint32_t lanes, int keep)
{
	uint32_t started = 0, done = 0, stopping = 0;
	uint64_t begin = clock_us();
	SMAPIMSG m;

	while (started < lanes && started < sessions)
		start(started++);
	while (done < sessions || stopping > 0) {
		receive(&m);
		if (m.ApiNumber == SmStopCsrApi) {
			stopping--;
			continue;
		}
		took[m.h.message_id] = clock_us() - began[m.h.message_id];
		ids[done++] = m.u.StartCsr.MuSessionId;
		if (!keep) {
			call(SmStopCsrApi, 0, m.u.StartCsr.MuSessionId);
			stopping++;
		}
		if (started < sessions)
			start(started++);
	}
	return (double)(clock_us() - begin) / 1e6;
}

static double milliseconds(uint32_t rank)
{
	return (double)took[rank] / 1e3;
}

int main(int argc, char **argv)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	uint32_t sessions = 200, lanes = 1;
	int option, keep = 0;
	double seconds;

	while ((option = getopt(argc, argv, "n:c:k")) != -1)
		if (option == 'n')
			sessions = (uint32_t)strtoul(optarg, NULL, 10);
		else if (option == 'c')
			lanes = (uint32_t)strtoul(optarg, NULL, 10);
		else if (option == 'k')
			keep = 1;
		else
			return 2;
	if (optind + 1 != argc || sessions < 1 || lanes < 1 || lanes > LANES_MAX) {
		fprintf(stderr, "usage: sm-bench PORT-PATH [-n SESSIONS] [-c LANES] [-k]\n");
		return 2;
	}
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", argv[optind]);
	port = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (port < 0 || connect(port, (struct sockaddr *)&address, sizeof(address)) < 0) {
		perror("sm-bench: connect");
		return 1;
	}
	began = calloc(sessions, sizeof(*began));
	took = calloc(sessions, sizeof(*took));
	ids = calloc(sessions, sizeof(*ids));
	seconds = run(sessions, lanes, keep);
	if (keep)
		stop_all(sessions);
	qsort(took, sessions, sizeof(*took), ascending);
	printf("StartCsr %u  lanes %u  %.1f/s  p50 %.2f ms  p99 %.2f ms\n", sessions, lanes,
	    sessions / seconds, milliseconds(sessions / 2), milliseconds(sessions * 99 / 100));
	return 0;
}
