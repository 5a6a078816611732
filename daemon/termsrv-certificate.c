/*
 * The certificate is another: it is looked at here, taken by the nursery, and the workers that have the
 * old one and no client yet are replaced. Those that have a client go on with theirs.
 */
#include "certificate.h"
#include "findings.h"
#include "termsrv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What smss is told when the nursery has answered. */
static struct msg_ts_certificate reply;

static int answer(struct termsrv *t, int32_t status)
{
	reply.status = status;
	port_header(&reply.h, TS_CERTIFICATE, sizeof(reply), 0);
	return port_send(t->smss, &reply.h, -1);
}

/* Looks at what is in FD. 0, or -1; what there is to be said is in the reply's text. */
static int check(const struct termsrv *t, int fd)
{
	struct certificate c;
	struct findings report;
	FILE *out = findings_begin(&report);
	char *text;
	int result = -1;

	if (out && certificate_read(&c, &t->config, fd) == 0) {
		result = certificate_check(&c, out);
		certificate_forget(&c);
	}
	text = findings_text(&report);
	port_text_lines(reply.text, sizeof(reply.text), text ? text : "memory is short\n");
	result = text ? result : -1;
	free(text);
	return result;
}

int certificate_offered(struct termsrv *t, int fd)
{
	struct msg_plain m;

	memset(&reply, 0, sizeof(reply));
	port_header(&m.h, RW_CERTIFICATE, sizeof(m), 0);
	if (check(t, fd) == 0 && port_send(t->nursery, &m.h, fd) == 0)
		return 0;
	return answer(t, STATUS_INVALID_PARAMETER);
}

int certificate_taken(struct termsrv *t, int error)
{
	if (error) {
		snprintf(reply.text, sizeof(reply.text), "FreeRDP cannot use the certificate: %s\n",
		    strerror(error));
		return answer(t, STATUS_INVALID_PARAMETER);
	}
	worker_replace_warm(t);
	return answer(t, STATUS_SUCCESS);
}
