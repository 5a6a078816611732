#!/bin/bash
# Whoever does not answer is noticed: each process that smss started is stopped (SIGSTOP), and is
# replaced as after a crash; but not one that stands still for a moment only, or under a debugger, nor
# anybody because smss itself was stopped. A port between two services that both live is made anew.
#
#   tests/alive.sh BUILD
. "$(dirname "$0")/lib.sh" "$1"
. "$(dirname "$0")/sm-lib.sh"

PERIOD=2 # of smss-alive.c, seconds: 30 elsewhere. Who has not answered for two is killed.

pid_of_service() { # NAME: of smss's children
	ps -o pid=,comm= --ppid "$musess_pid" | awk -v name="$1" '$2 == name { print $1 }'
}

nursery() {
	ps -o pid=,comm= --ppid "$(pid_of_service termsrv)" | awk '$2 == "termsrv" { print $1 }'
}

services() {
	for service in lsass termsrv metricsd; do
		pid_of_service $service
	done | paste -sd' '
}

said() { # PATTERN
	grep -qE -- "$1" "$musess_log"
}

said_nothing() {
	! said 'has not answered' || fail "$1: $(grep 'has not answered' "$musess_log")"
}

is_new() { # NAME PID
	local pid
	pid=$(pid_of_service "$1")
	[ "$pid" ] && [ "$pid" != "$2" ]
}

# Somebody honest logs on, and metrics are to be had.
serves() {
	"$BIN/tests/rdp-load" "${MUSESS_ADDRESS##*:}" 'labnew%d' "$MUSESS_PASSWORD" -n 2 -c 1 >"$WORK/load" 2>&1 ||
		fail "$1: nobody logs on: $(cat "$WORK/load")"
	curl -sf "http://127.0.0.1:$metrics/metrics" >"$WORK/scrape" || fail "$1: no metrics"
	state_is 1 Active || fail "$1: the client that was there is gone: $(musessctl list)"
}

serves_again() {
	(serves "$1") >/dev/null 2>&1
}

moment() {
	local before
	echo "== stopped for a moment"
	before=$(services)
	kill -STOP $before "$csrss"
	sleep $PERIOD
	kill -CONT $before "$csrss"
	sleep $((3 * PERIOD))
	said_nothing "for a moment"
	[ "$(services)" = "$before" ] || fail "other services: $(services), not $before"
	serves "after a moment"
}

debugger() {
	echo "== under a debugger"
	timeout 60 gdb -nx -batch -iex 'set debuginfod enabled off' -p "$csrss" \
		-ex "shell touch $WORK/attached; sleep $((5 * PERIOD))" -ex detach >"$OUT/gdb.log" 2>&1 ||
		fail "gdb: $(cat "$OUT/gdb.log")"
	[ -e "$WORK/attached" ] || fail "gdb: $(cat "$OUT/gdb.log")"
	sleep $((3 * PERIOD))
	said_nothing "under a debugger"
	session_exists "$session" || fail "the session ended under a debugger"
}

manager_stopped() {
	local before
	echo "== smss is stopped"
	before=$(services)
	kill -STOP "$musess_pid"
	sleep $((4 * PERIOD))
	kill -CONT "$musess_pid"
	sleep $((2 * PERIOD))
	said_nothing "after smss was stopped"
	[ "$(services)" = "$before" ] || fail "other services: $(services), not $before"
}

everybody() {
	local service
	declare -A old
	echo "== stopped for good: lsass, termsrv, metricsd, csrss"
	for service in lsass termsrv metricsd; do
		old[$service]=$(pid_of_service $service)
	done
	kill -STOP "${old[@]}" "$csrss"
	for service in lsass termsrv metricsd; do
		wait_until $PATIENCE is_new $service "${old[$service]}" || fail "$service is not replaced"
		said "$service \(process ${old[$service]}\) has not answered for [0-9]+ s: killed" ||
			fail "no line says why $service was killed"
	done
	wait_until $PATIENCE session_gone "$session" || fail "session $session goes on without its csrss"
	said "session $session: Windows \(process $csrss\) has not answered" || fail "no line says why session $session ended"
	said "session $session has failed: a subsystem process" || fail "session $session has another reason"
	wait_until $PATIENCE serves_again "" || serves "after all were stopped"
}

workers_maker() {
	local termsrv
	echo "== the nursery of workers"
	termsrv=$(pid_of_service termsrv)
	kill -STOP "$(nursery)"
	wait_until $PATIENCE is_new termsrv "$termsrv" || fail "termsrv is not replaced"
	wait_until $PATIENCE serves_again "" || serves "after the nursery was stopped"
}

psxss() {
	local psxss
	echo "== psxss"
	musessctl exec 1 -- true || fail "exec"
	psxss=$(descendants "$musess_pid" | xargs ps -o pid=,comm= -p | awk '$2 == "psxss" { print $1 }')
	kill -STOP "$psxss"
	wait_until $PATIENCE said "session 1: Posix \(process $psxss\) has not answered" || fail "psxss is not noticed"
	wait_until $PATIENCE musessctl exec 1 -- true || fail "exec after psxss was stopped"
	serves "after psxss was stopped"
}

# As if one of the two had closed it.
shut_down_port() {
	python3 - "$(pid_of_service lsass)" <<-'EOF'
		import ctypes, os, socket, sys
		pid = int(sys.argv[1])
		pidfd = os.pidfd_open(pid)
		for fd in range(4, 16):
		    if not os.path.exists(f"/proc/{pid}/fd/{fd}"):
		        continue
		    own = ctypes.CDLL(None, use_errno=True).syscall(438, pidfd, fd, 0)  # pidfd_getfd
		    if os.readlink(f"/proc/self/fd/{own}").startswith("socket:"):
		        socket.socket(fileno=own).shutdown(socket.SHUT_RDWR)
		        print("shut down")
	EOF
}

port_between() {
	local before
	echo "== the port between lsass and termsrv"
	before=$(services)
	[ "$(shut_down_port)" = 'shut down' ] || fail "the port cannot be broken"
	serves "after the port broke"
	said 'the port between termsrv and lsass broke' || fail "no line says that the port broke"
	[ "$(services)" = "$before" ] || fail "other services: $(services), not $before"
}

copy_programs
mkdir "$WORK/bin/tests"
cp "$BUILD/bin/tests/rdp-load" "$WORK/bin/tests/"
cp "$BUILD/bin/tests/musessd-faults" "$WORK/bin/musessd"
echo "alive wait ${PERIOD}000" >"$WORK/bin/fault"
chmod 644 "$WORK/bin/fault"
metrics=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
limits=('[Limits]' 'MaxDisconnectionTime = 1s' '[Metrics]' "MetricsPort = $metrics")
start_service root
"$BIN/tests/rdp-load" "${MUSESS_ADDRESS##*:}" 'labheld%d' "$MUSESS_PASSWORD" -n 1 -c 1 -k 1000000 >"$OUT/held.log" 2>&1 &
started+=("$!")
wait_for_state 1 Active
start_session --command 'sleep 1000'
serves "at first"
moment
debugger
manager_stopped
everybody
workers_maker
psxss
port_between
stop_musess
echo "whoever does not answer is noticed"
