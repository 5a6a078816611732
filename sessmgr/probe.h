/*
 * USDT probes of provider musess: a no-operation each until somebody attaches to it, with
 * bpftrace or gdb. docs/probes.md lists them.
 *
 *   Smp…__entry(session)           a function of the chain is entered
 *   Smp…__return(session, status)  it returns
 *   session__state(session, step, status)   a session is in another step (enum session_step)
 */
#ifndef MUSESS_PROBE_H
#define MUSESS_PROBE_H

#include <sys/sdt.h>

#define PROBE_ENTRY(function, session) DTRACE_PROBE1(musess, function##__entry, session)
#define PROBE_RETURN(function, session, status)                                                    \
	DTRACE_PROBE2(musess, function##__return, session, status)
#define PROBE_STATE(session, step, status)                                                         \
	DTRACE_PROBE3(musess, session__state, session, step, status)

#endif
