/*
 * USDT probes of provider musess: a no-operation each until somebody attaches to it, with
 * bpftrace or gdb. docs/probes.md lists them.
 *
 *   Smp…__entry(session)           a function of the chain is entered
 *   Smp…__return(session, status)  it returns
 *   session__taken(session, status)   an idle session, or one to be, is a StartCsr's
 *   session__connect__state(session, state, status)   it is in another state (enum session_state)
 *   session__state(session, step, status)   a session is in another step (enum session_step)
 *   subsystem__state(session, state, status, name)   a subsystem is in another state
 */
#ifndef MUSESS_PROBE_H
#define MUSESS_PROBE_H

#include <sys/sdt.h>

#define PROBE_ENTRY(function, session) DTRACE_PROBE1(musess, function##__entry, session)
#define PROBE_RETURN(function, session, status)                                                    \
	DTRACE_PROBE2(musess, function##__return, session, status)
#define PROBE_TAKEN(session, status) DTRACE_PROBE2(musess, session__taken, session, status)
#define PROBE_STATE(session, step, status)                                                         \
	DTRACE_PROBE3(musess, session__state, session, step, status)

#define PROBE_CONNECT_STATE(session, state, status)                                                \
	DTRACE_PROBE3(musess, session__connect__state, session, state, status)

enum probe_subsystem { PROBE_CREATED, PROBE_CONNECTED, PROBE_GONE };

#define PROBE_SUBSYSTEM(session, state, status, name)                                              \
	DTRACE_PROBE4(musess, subsystem__state, session, state, status, name)

#endif
