/* lab.env for scripts, and lines to paste for people. */
#include "lab.h"

#include "log.h"
#include "replace.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

int lab_password(char password[LAB_PASSWORD_SIZE])
{
	/* 32 characters that are hard to mistake for one another: 5 bits each */
	static const char alphabet[] = "abcdefghjkmnpqrstuvwxyz234567890";
	unsigned char random[LAB_PASSWORD_SIZE - 1];

	if (getrandom(random, sizeof(random), 0) != sizeof(random))
		return -1;
	for (size_t i = 0; i < sizeof(random); i++)
		password[i] = alphabet[random[i] % 32];
	password[sizeof(random)] = 0;
	return 0;
}

/* This machine's first address that others can reach, or the loopback address. */
static void own_address(char *text, size_t size)
{
	struct ifaddrs *list, *a;

	snprintf(text, size, "127.0.0.1");
	if (getifaddrs(&list) < 0)
		return;
	for (a = list; a; a = a->ifa_next)
		if (a->ifa_addr && a->ifa_addr->sa_family == AF_INET &&
		    !(a->ifa_flags & IFF_LOOPBACK) && (a->ifa_flags & IFF_UP)) {
			const struct sockaddr_in *in = (const void *)a->ifa_addr;
			inet_ntop(AF_INET, &in->sin_addr, text, (socklen_t)size);
			break;
		}
	freeifaddrs(list);
}

/* The address to connect to from this machine and from others. */
static void addresses(const struct smss *smss, char *local, char *remote, size_t size)
{
	const char *configured = smss->config->ListenAddress;

	snprintf(local, size, "127.0.0.1");
	own_address(remote, size);
	if (strcmp(configured, "::") == 0 || strcmp(configured, "0.0.0.0") == 0)
		return;
	snprintf(local, size, strchr(configured, ':') ? "[%s]" : "%s", configured);
	snprintf(remote, size, "%s", local);
}

/* TEXT with a shell's quotes around it. 0, or -1 where it does not fit. */
static int shell_quote(char *quoted, size_t size, const char *text)
{
	size_t n = 0;

	quoted[n++] = '\'';
	for (; *text && n + 6 < size; text++) {
		if (*text == '\'') { /* end, one that is escaped, begin */
			memcpy(quoted + n, "'\\'", 3);
			n += 3;
		}
		quoted[n++] = *text;
	}
	quoted[n++] = '\'';
	quoted[n] = 0;
	return *text ? -1 : 0;
}

static int write_env(const struct state *state, const struct smss *smss, const char *address)
{
	char text[1024], port[512];
	int quoted = shell_quote(port, sizeof(port), state->port_path);
	int n = snprintf(text, sizeof(text),
	    "export MUSESS_ADDRESS='%s:%u'\nexport MUSESS_USER='%s'\n"
	    "export MUSESS_PASSWORD='%s'\nexport MUSESS_SM_PORT=%s\n",
	    address, smss->listening_port, LAB_USER, smss->lab_password, port);

	if (quoted == 0 && replace_file(smss->state_dir, "lab.env", text, (size_t)n) == 0)
		return 0;
	log_error("cannot write %s/lab.env: %s", state->path, strerror(errno));
	return -1;
}

int lab_announce(const struct state *state, const struct smss *smss)
{
	char local[64], remote[64], port_path[512], programs[1024], path[1024];
	const char *password = smss->lab_password;
	unsigned port = smss->listening_port;

	addresses(smss, local, remote, sizeof(local));
	if (write_env(state, smss, local) < 0 ||
	    shell_quote(port_path, sizeof(port_path), state->port_path) < 0 ||
	    shell_quote(programs, sizeof(programs), state->programs) < 0 ||
	    shell_quote(path, sizeof(path), state->path) < 0)
		return -1;
	printf("\nmusess is ready for RDP clients.\n\n"
	       "  address   %s:%u   (from this machine: %s:%u)\n"
	       "  user      %s        (or any name that begins with %s)\n"
	       "  password  %s\n\n"
	       "Lines to paste (FreeRDP 2 has the first one's as xfreerdp):\n\n"
	       "  xfreerdp3 /v:%s:%u /u:%s /p:%s /cert:ignore\n"
	       "  rdesktop -u %s -p %s %s:%u\n"
	       "  mstsc /v:%s:%u\n\n"
	       "  MUSESS_SM_PORT=%s %s/musessctl list\n"
	       "  . %s/lab.env\n\n"
	       "Ctrl-C ends it, with every session.\n\n",
	    remote, port, local, port, LAB_USER, LAB_USER, password, local, port, LAB_USER,
	    password, LAB_USER, password, local, port, remote, port, port_path, programs, path);
	fflush(stdout);
	return 0;
}
