#!/bin/bash
# The session manager's policies, with real processes: ids, how many sessions are created at a
# time and by whom, the pool of idle sessions, the subsystem list, the calls of a subsystem.
#
#   tests/sm-policies.sh BUILD root|user     the service as root, or as an ordinary user
export MUSESS_TEST_OUT=${MUSESS_TEST_OUT:-$1/tests-out/sm-policies-$2}
. "$(dirname "$0")/lib.sh" "$1"
. "$(dirname "$0")/sm-lib.sh"
mode=$2

misbehave() { # csrss|winlogon HOW: as sm-fake does, in sessions that are started from now on
	echo "$2" >"$WORK/bin/act-$1"
}

logged() {
	grep -qE -- "$1" "$musess_log" || fail "no line in the log like: $1"
}

wait_logged() {
	wait_until $PATIENCE grep -qE -- "$1" "$musess_log" || fail "no line in the log like: $1"
}

states_are() { # COUNT STATE
	[ "$(musessctl list | awk -v s="$2" '$NF == s || $(NF - 1) == s' | grep -c "$2")" = "$1" ]
}

# ---- ids

expect_ids() { # ID...: those of new sessions
	local id
	for id; do
		start_session
		[ "$session" = "$id" ] || fail "a new session has id $session, not $id"
	done
}

ids_increase() {
	echo "== ids that increase"
	config=("${plain[@]}" 'SessionIdPolicy = increasing')
	start_service "$mode"
	expect_ids 1 2 3
	musessctl stop 2
	musessctl stop 3
	expect_ids 4 5
	musessctl stop 4
	expect_ids 6
	stop_musess
}

# An id is taken until the last process is gone: here csrss, which does not want to leave.
ids_wait() {
	local stopper
	echo "== an id is free when the last process is gone"
	config=("${plain[@]}")
	start_service "$mode"
	expect_ids 1 2
	kill -STOP "$csrss"
	musessctl stop 2 &
	stopper=$!
	wait_until 5 states_are 1 Down || fail "session 2 is not being ended: $(musessctl list)"
	expect_ids 3
	wait "$stopper" || fail "stop"
	expect_ids 2
	stop_musess
}

# ---- how many at a time

# In seconds: all that is to be seen while a start hangs is looked at before.
hangs=15
[ $sanitizer = no ] || hangs=45

# Sessions of which csrss says nothing: each is in creation until its time is up.
hang_starts() { # COUNT
	misbehave csrss silent
	starters=()
	for _ in $(seq "$1"); do
		musessctl start >>"$WORK/hung" 2>&1 &
		starters+=("$!")
	done
}

children() { # NAME: how many children of smss have it
	ps -o comm= --ppid "$musess_pid" | grep -cx "$1" || true
}

children_are() { # NAME COUNT
	[ "$(children "$1")" = "$2" ]
}

# Every csrss that is not the console's, wherever it hangs in the tree.
new_csrss() {
	descendants "$musess_pid" | while read -r pid; do
		[ "$(cat "/proc/$pid/comm" 2>/dev/null)" = csrss ] && tr '\0' ' ' <"/proc/$pid/cmdline" |
			grep -qv '^csrss 0 ' && echo "$pid"
	done
	true
}

new_csrss_are() {
	[ "$(new_csrss | wc -l)" = "$1" ]
}

one_at_a_time() {
	local pid
	echo "== serial"
	config=("${plain[@]}" 'SessionCreation = serial' "SubsystemTimeout = ${hangs}s")
	start_service "$mode"
	hang_starts 3
	wait_until $PATIENCE new_csrss_are 1 || fail "no csrss"
	for _ in 1 2 3 4 5; do
		sleep 0.1
		new_csrss_are 1 || fail "more than one session in creation: $(musessctl list)"
		sessions_are 1 || fail "more than one session in creation: $(musessctl list)"
		children_are smss 0 || fail "a short-lived smss, before csrss is there"
	done
	pid=$(new_csrss)
	[ "$(status_of "$pid" PPid)" = "$musess_pid" ] || fail "csrss's parent is not smss"
	misbehave csrss real # the next of the queue
	for pid in "${starters[@]:0:1}"; do
		! wait "$pid" || true
	done
	wait "${starters[@]}" || true
	grep -c STATUS_IO_TIMEOUT "$WORK/hung" | grep -qx 1 || fail "$(cat "$WORK/hung")"
	[ "$(grep -c '^session' "$WORK/hung")" = 2 ] || fail "who waited got nothing: $(cat "$WORK/hung")"
	rm "$WORK/hung"
	stop_musess
}

many_at_a_time() {
	local most pid parent
	echo "== parallel"
	most=$(nproc)
	[ "$most" -ge 4 ] || most=4
	config=("${plain[@]}" "SubsystemTimeout = ${hangs}s")
	start_service "$mode"
	hang_starts $((most + 2))
	wait_until $PATIENCE children_are smss "$most" || fail "$(children smss) are in flight, not $most"
	for _ in 1 2 3 4 5; do
		sleep 0.1
		children_are smss "$most" || fail "$(children smss) are in flight, not $most"
		sessions_are "$most" || fail "more than $most sessions: $(musessctl list)"
	done
	new_csrss_are "$most" || fail "$(new_csrss | wc -l) csrss for $most sessions"
	for pid in $(new_csrss); do
		parent=$(status_of "$pid" PPid)
		[ "$parent" != "$musess_pid" ] && [ "$(status_of "$parent" Name)" = smss ] &&
			[ "$(status_of "$parent" PPid)" = "$musess_pid" ] ||
			fail "csrss $pid has the parent $parent, no short-lived smss"
	done
	misbehave csrss real
	wait "${starters[@]}" || true
	[ "$(grep -c STATUS_IO_TIMEOUT "$WORK/hung")" = "$most" ] &&
		[ "$(grep -c '^session' "$WORK/hung")" = 2 ] || fail "who waited: $(cat "$WORK/hung")"
	rm "$WORK/hung"
	children_are smss 0 || fail "a short-lived smss has not left"
	start_session
	for pid in "$csrss" "$winlogon"; do
		[ "$(status_of "$pid" PPid)" = "$musess_pid" ] || fail "$pid is not smss's child in the end"
	done
	stop_musess
}

# Thousands may ask at once: no more than MaxInstanceCount is kept.
too_many_wait() {
	local starter answered
	echo "== the queue is bounded"
	config=("${plain[@]}" 'SubsystemTimeout = 1s' 'MaxInstanceCount = 6')
	start_service "$mode"
	hang_starts 9
	wait "${starters[@]}" || true
	[ "$(grep -c STATUS_NO_MEMORY "$WORK/hung")" = 3 ] || fail "$(cat "$WORK/hung")"
	rm "$WORK/hung"
	misbehave csrss real
	sessions_are 0 || fail "sessions are left"
	stop_musess
}

# ---- the pool

pool_is() {
	[ "$(musessctl pool)" = "$1" ]
}

wait_pool() {
	wait_until $PATIENCE pool_is "$1" || fail "the pool is '$(musessctl pool)', not '$1'"
}

failures_are() {
	[ "$(grep -c 'an idle session failed' "$musess_log")" = "$1" ]
}

pool() {
	local first failures
	echo "== the pool"
	config=()
	start_service "$mode"
	wait_pool 'idle 2 of 2'
	states_are 2 Idle || fail "the list: $(musessctl list)"
	first=$(musessctl show 1 --json | grep _pid)
	start_session
	[ "$session" = 1 ] || fail "session $session is not the first of the pool"
	[ "$(musessctl show 1 --json | grep _pid)" = "$first" ] || fail "it is another session 1"
	wait_pool 'idle 2 of 2'
	sessions_are 3 || fail "$(musessctl list)"
	start_session --command 'sleep 1000' # that is none of the pool's
	[ "$session" = 4 ] || fail "a session with a command is $session"
	musessctl exec 2 -- true # what is done in an idle session is not left for the next
	musessctl ps | grep -q ' 2 .*  psxss$' || fail "ps: $(musessctl ps)"
	musessctl ps --kd | grep -qx 'Image: psxss' || fail "ps --kd: $(musessctl ps --kd)"
	wait_pool 'idle 2 of 2'
	sessions_are 5 || fail "an idle session was used, and is one still: $(musessctl list)"
	musessctl stop 2
	start_session
	[ "$session" = 3 ] || fail "the next idle session is $session"
	musessctl stop 3
	wait_pool 'idle 2 of 2'
	echo "== its size"
	musessctl pool 4 >/dev/null
	wait_pool 'idle 4 of 4'
	musessctl pool 1 >/dev/null
	wait_pool 'idle 1 of 1'
	wait_until $PATIENCE sessions_are 3 || fail "$(musessctl list)"
	musessctl pool 0 >/dev/null
	wait_until $PATIENCE sessions_are 2 || fail "$(musessctl list)"
	start_session
	[ "$(musessctl pool)" = 'idle 0 of 0' ] || fail "$(musessctl pool)"
	echo "== idle sessions that fail"
	misbehave csrss exit
	musessctl pool 1 >/dev/null
	wait_logged 'an idle session failed: the next is made in 2 s'
	wait_logged 'an idle session failed: the next is made in 4 s'
	musessctl start --command 'sleep 1' >/dev/null 2>&1 && fail "csrss is to exit"
	misbehave csrss real
	start_session --command 'sleep 1000' # nobody else waits for that
	wait_pool 'idle 1 of 1'
	failures=$(grep -c 'an idle session failed' "$musess_log")
	kill -KILL "$(musessctl list --json | python3 -c 'import json, sys
print([s["csrss_pid"] for s in json.load(sys.stdin) if s["state"] == "Idle"][-1])')" || fail "no idle csrss"
	wait_until $PATIENCE failures_are $((failures + 1)) || fail "nobody noticed that an idle csrss was killed"
	wait_pool 'idle 1 of 1'
	stop_musess
}

# ---- the subsystem list

starts_not() { # STATUS
	local status=0
	musessctl start >"$WORK/out" 2>&1 || status=$?
	[ $status = 1 ] && grep -q "$1" "$WORK/out" || fail "status $status, not $1: $(cat "$WORK/out")"
	sessions_are 0 || fail "a session is left"
}

own_subsystems() { # Extra's COMMAND
	config=("${plain[@]}" 'SubsystemTimeout = 2s' '[SubSystems]'
		'Required = Debug Windows Extra Unheard-of' "Extra = $1")
}

own_of_session() { # ID
	ps -o pid=,args= --ppid "$musess_pid" | awk -v id="$1" '$2 == "sm-subsystem" && $3 == id { print $1 }'
}

subsystem_list() {
	local extra status=0
	echo "== an own subsystem"
	own_subsystems sm-subsystem
	start_service "$mode"
	logged 'Required names Unheard-of, which has no command: skipped'
	start_session
	extra=$(own_of_session 1)
	[ "$(readlink "/proc/$extra/ns/pid")" = "$(readlink "/proc/$csrss/ns/pid")" ] ||
		fail "the own subsystem is not in the session"
	kill -KILL "$extra"
	wait_until 5 sessions_are 0 || fail "a Required subsystem is gone, its session is not"
	stop_musess
	echo "== the console's own subsystem"
	start_service "$mode"
	kill -KILL "$(own_of_session 0)"
	wait_until $PATIENCE ended "$musess_pid" || fail "the console's is gone, the service is not"
	wait "$musess_pid" || status=$?
	[ $status = 3 ] || fail "the service ended with status $status"
	logged 'the console session is gone: the service ends \(Windows SubSystem: Extra\)'
}

# What a session's subsystem is answered.
subsystem_calls() {
	local line
	echo "== the calls of a subsystem"
	misbehave extra calls
	own_subsystems sm-subsystem
	start_service "$mode"
	start_session --command 'sleep 1000'
	wait_logged 'sm-subsystem\[1\]: all calls are made'
	while read -r line; do
		logged "sm-subsystem\\[1\\]: $line\$"
	done <<-'EOT'
		load Posix: STATUS_SUCCESS
		load Posix again: STATUS_SUCCESS
		load nothing: STATUS_OBJECT_NAME_NOT_FOUND
		load Windows: STATUS_OBJECT_NAME_NOT_FOUND
		create: STATUS_SUCCESS
		the command ended with 7
		completed: STATUS_SUCCESS
		terminate what has ended: STATUS_OBJECT_NAME_NOT_FOUND
		create another: STATUS_SUCCESS
		complete what another serves: STATUS_OBJECT_NAME_NOT_FOUND
		terminate: STATUS_SUCCESS
		create with nobody: STATUS_NO_SUCH_PACKAGE
		adopt without a pidfd: STATUS_INVALID_PARAMETER
		adopt what is claimed: STATUS_INVALID_PARAMETER
		adopt what runs: STATUS_INVALID_PARAMETER
		adopt csrss: STATUS_INVALID_PARAMETER
		adopt: STATUS_SUCCESS
		the adopted one ended with 9
		refuse: STATUS_UNSUCCESSFUL
		the refused one was ended by signal 9
	EOT
	[ "$(children psxss)" = 1 ] || fail "psxss is there $(children psxss) times"
	kill -KILL "$(ps -o pid=,comm= --ppid "$musess_pid" | awk '$2 == "psxss" { print $1 }')"
	wait_logged 'Posix was ended by signal 9'
	session_exists 1 || fail "an Optional subsystem took the session with it"
	[ "$(musessctl exec 1 -- echo again)" = again ] || fail "it is not loaded again"
	misbehave extra stay
	stop_musess
}

# In each of many fresh sessions, while the machine has other things to do.
executes_every_time() {
	local i busy=()
	echo "== exec in fresh sessions"
	config=("${plain[@]}")
	start_service "$mode"
	for _ in $(seq "$(nproc)"); do
		timeout 60 sh -c 'while :; do :; done' &
		busy+=("$!")
		started+=("$!")
	done
	for ((i = 0; i < 40; i++)); do
		start_session
		[ "$(musessctl exec "$session" -- echo "$i")" = $i ] || fail "exec in session number $i"
		musessctl stop "$session"
	done
	for i in "${busy[@]}"; do end_process "$i"; done
	stop_musess
}

# bad_subsystem HOW STATUS PATTERN: its session is not made, and the log says why.
bad_subsystem() {
	echo "== a subsystem: $1"
	misbehave extra "$1"
	starts_not "$2"
	logged "$3"
}

# Who shakes hands has to be the process that smss had made, and to listen itself; once.
bad_subsystems() {
	own_subsystems sm-subsystem
	start_service "$mode"
	bad_subsystem other STATUS_PORT_DISCONNECTED 'is refused as a subsystem: STATUS_ACCESS_DENIED'
	echo "== a subsystem: impostor"
	misbehave extra impostor
	start_session --command 'sleep 1000'
	wait_logged 'sm-subsystem\[1\]: impostor: STATUS_SUCCESS'
	logged 'the handshake is cut off|the impostor cannot connect'
	# which of them depends on whether another subsystem is still awaited
	logged 'process [0-9]+ (is no subsystem|sent message 0x400 of [0-9]+ bytes, which is not its to send)'
	session_exists 1 || fail "an impostor took the session with it"
	musessctl stop 1
	echo "== a subsystem: twice"
	misbehave extra twice
	musessctl start --command 'sleep 1000' >/dev/null 2>&1 || true
	wait_logged 'is refused as a subsystem: STATUS_PORT_CONNECTION_REFUSED'
	wait_until 5 sessions_are 0 || fail "a session is left"
	misbehave extra stay
	stop_musess
}

images() {
	echo "== images"
	own_subsystems sm-subsystem
	start_service "$mode"
	mv "$WORK/bin/sm-subsystem" "$WORK/bin/away"
	starts_not STATUS_OBJECT_NAME_NOT_FOUND
	echo 'no program' >"$WORK/bin/sm-subsystem"
	chmod 755 "$WORK/bin/sm-subsystem"
	starts_not STATUS_INVALID_IMAGE_FORMAT
	mv "$WORK/bin/away" "$WORK/bin/sm-subsystem"
	start_session
	stop_musess
}

runs_sleep() { # WINLOGON
	ps -o args= --ppid "$1" | grep -q 'sleep 4321'
}

execute() {
	echo "== Execute"
	config=("${plain[@]}" '[SubSystems]' 'Execute = sleep 4321' 'Required = Debug Windows Posix' 'Optional =')
	start_service "$mode"
	start_session
	wait_until $PATIENCE runs_sleep "$winlogon" ||
		fail "the initial command is another: $(ps -o args= --ppid "$winlogon")"
	[ "$(musessctl exec 1 -- echo Required)" = Required ] || fail "a Required Posix is not used"
	stop_musess
}

copy_programs
mkdir "$WORK/bin/real"
mv "$WORK/bin/csrss" "$WORK/bin/winlogon" "$WORK/bin/real"
cp "$BUILD/bin/tests/sm-fake" "$WORK/bin/csrss"
cp "$BUILD/bin/tests/sm-fake" "$WORK/bin/winlogon"
cp "$BUILD/bin/tests/sm-subsystem" "$WORK/bin/"
misbehave csrss real
misbehave winlogon real
misbehave extra stay
chmod -R a+rX "$WORK/bin"
plain=("${config[@]}")
ids_increase
ids_wait
one_at_a_time
many_at_a_time
too_many_wait
pool
subsystem_list
subsystem_calls
executes_every_time
bad_subsystems
images
execute
echo "the policies hold"
