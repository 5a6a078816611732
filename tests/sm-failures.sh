#!/bin/bash
# What goes wrong in one session, or with its processes, is that session's alone; ids,
# descriptors and memory come back.
#
#   tests/sm-failures.sh BUILD root|user     the service as root, or as an ordinary user
export MUSESS_TEST_OUT=${MUSESS_TEST_OUT:-$1/tests-out/sm-failures-$2}
. "$(dirname "$0")/lib.sh" "$1"
. "$(dirname "$0")/sm-lib.sh"
mode=$2

no_session() {
	local list
	list=$(musessctl list) && [ "$(wc -l <<<"$list")" = 3 ] # its head, console, listener
}

# misbehave csrss|winlogon HOW: in the sessions that are started from now on.
misbehave() {
	echo "$2" >"$WORK/bin/act-$1"
}

# start_fails HOW STATUS: a csrss that does HOW gets StartCsr the answer STATUS, and the id is
# free for the next.
start_fails() {
	local status=0
	echo "== csrss: $1"
	misbehave csrss "$1"
	musessctl start >"$WORK/out" 2>&1 || status=$?
	misbehave csrss real
	[ $status = 1 ] && grep -qE "$2" "$WORK/out" || fail "$1: status $status: $(cat "$WORK/out")"
	no_session || fail "$1: a session is left"
	start_session
	[ "$session" = 1 ] || fail "$1: its id is not free"
	musessctl stop 1
}

logged() {
	grep -qE -- "$1" "$musess_log" || fail "no line in the log like: $1"
}

bad_csrss() {
	local begin took
	begin=$(now_ms)
	start_fails silent STATUS_IO_TIMEOUT
	took=$(($(now_ms) - begin))
	[ $took -ge 500 ] || fail "a silent csrss had $took ms, and 500 are its due"
	start_fails mute STATUS_IO_TIMEOUT
	start_fails exit STATUS_UNSUCCESSFUL
	start_fails rubbish STATUS_PORT_DISCONNECTED
	start_fails type STATUS_PORT_DISCONNECTED
	logged 'is refused as a subsystem: STATUS_ACCESS_DENIED'
	start_fails mix STATUS_PORT_DISCONNECTED
	logged 'is refused as a subsystem: STATUS_INVALID_PARAMETER_MIX'
	start_fails name STATUS_PORT_DISCONNECTED
	logged 'is refused as a subsystem: STATUS_INVALID_PARAMETER$'
	echo "== csrss: calls"
	misbehave csrss calls # once it is recognised: StartCsr may be answered before its end
	musessctl start >"$WORK/out" 2>&1 || true
	misbehave csrss real
	wait_until 5 no_session || fail "calls: a session is left"
	for number in 0 1 2; do
		logged "csrss\\[1\\]: call $number: STATUS_INVALID_PARAMETER"
	done
	for number in 3 4 5 6; do
		logged "csrss\\[1\\]: call $number: STATUS_ACCESS_DENIED"
	done
	logged 'csrss\[1\]: call 7: STATUS_NOT_IMPLEMENTED'
	mv "$WORK/bin/csrss" "$WORK/bin/away"
	echo "== no csrss"
	! musessctl start 2>"$WORK/out" || fail "a session without csrss"
	grep -q STATUS_OBJECT_NAME_NOT_FOUND "$WORK/out" || fail "no csrss: $(cat "$WORK/out")"
	no_session || fail "no csrss, but a session"
	mv "$WORK/bin/away" "$WORK/bin/csrss"
}

# StartCsr is answered that it runs, as it did; then the session ends by itself.
bad_winlogon() {
	echo "== winlogon ends at once"
	misbehave winlogon exit
	for _ in 1 2 3 4 5; do
		musessctl start >"$WORK/out" 2>&1 || fail "winlogon ran: $(cat "$WORK/out")"
		wait_until 5 no_session || fail "a session without winlogon"
	done
	misbehave winlogon real
	echo "== no winlogon"
	mv "$WORK/bin/winlogon" "$WORK/bin/away"
	musessctl start >/dev/null 2>&1 || true
	wait_until 5 no_session || fail "a session without winlogon"
	mv "$WORK/bin/away" "$WORK/bin/winlogon"
	logged 'session 1: cannot start the initial command: /opt/musess/bin/winlogon: No such file'
}

# forged_by csrss|winlogon: what it says stands under its name, and little of it.
forged_by() {
	local begin lines=$WORK/lines
	echo "== $1 forges lines"
	begin=$(($(wc -l <"$musess_log") + 1))
	misbehave "$1" forge
	musessctl start >"$WORK/out" 2>&1 || true
	wait_until $PATIENCE no_session || fail "$1 floods the log: its session is left"
	misbehave "$1" real
	tail -n +$begin "$musess_log" >"$lines"
	grep -qF "musess: $1[1]: warning: musess? lsass: logon failed for user" "$lines" &&
		grep -qF "musess: $1[1]: one?musess? lsass: logon failed for user" "$lines" &&
		grep -qE '[0-9]+ lines of csrss\[1\] were not written' "$lines" ||
		fail "$1: its lines are not there: $(cat "$lines")"
	! grep 'musess: lsass: ' "$lines" || fail "$1 has forged a line"
	[ "$(grep -cF "$1[1]: " "$lines")" = 30 ] && [ "$(wc -l <"$lines")" -lt 50 ] ||
		fail "$1 floods the log: $(wc -l <"$lines") lines"
}

forged_lines() {
	forged_by csrss
	logged 'session 1: winlogon ended with status 4 \(no way to csrss\)'
	forged_by winlogon
}

too_many() {
	echo "== too many sessions"
	for _ in 1 2 3 4; do
		start_session
	done
	! musessctl start 2>"$WORK/out" || fail "more sessions than MaxInstanceCount"
	grep -q STATUS_NO_MEMORY "$WORK/out" || fail "too many: $(cat "$WORK/out")"
	musessctl stop 2
	start_session
	[ "$session" = 2 ] || fail "the id that came free is not given out"
	for i in 1 2 3 4; do
		musessctl stop $i
	done
}

count_of() { # LABEL: of musessctl stats
	musessctl stats | sed -n "s/^$1 *//p"
}

# Each that ended so is told of with REASON, once, and counted.
has_failed() { # REASON COUNT
	[ "$(grep -c "\"id\":40,.*\"Session\":2,\"Reason\":$1}" "$STATE/events.jsonl")" = "$2" ] ||
		fail "event 40 of reason $1: $(grep '"id":40,' "$STATE/events.jsonl")"
}

# one_dies WHAT: kills WHAT of session 2 of three.
one_dies() {
	local victim failed
	failed=$(count_of 'sessions failed')
	echo "== killed: $1"
	start_session --command 'sleep 1000'
	start_session --command 'sleep 1000'
	case $1 in
	csrss) victim=$csrss ;;
	winlogon) victim=$winlogon ;;
	shell)
		wait_until $PATIENCE runs_command "$winlogon" || fail "the command does not run"
		victim=$(ps -o pid= --ppid "$winlogon")
		;;
	esac
	start_session
	kill -KILL $victim
	wait_until 5 session_gone 2 || fail "$1 is gone, its session is not"
	session_exists 1 && session_exists 3 || fail "$1 of session 2 took others with it"
	case $1 in
	csrss) has_failed 24 1 ;;
	winlogon) has_failed 23 1 ;;
	shell) failed=$((failed - 1)) ;;
	esac
	[ "$(count_of 'sessions failed')" = $((failed + 1)) ] || fail "$1: $(musessctl stats)"
	musessctl stop 1
	musessctl stop 3
	no_session || fail "$1: sessions are left"
}

# limit_descriptors SOFT-LIMIT: as the service's own user, who needs no privilege for that.
limit_descriptors() {
	local own=(setpriv --reuid $service_uid --regid $service_uid --clear-groups)
	[ "$mode" = user ] || own=()
	"${own[@]}" prlimit --pid "$musess_pid" --nofile="$1:"
}

waits_for_descriptors() {
	local pid ticks lines
	echo "== out of descriptors"
	ticks=$(awk '{ print $14 + $15 }' "/proc/$musess_pid/stat")
	lines=$(wc -l <"$musess_log")
	# there is no place for one more; fewer than it has would be an error of poll, with which user mode waits
	# (and sessions' are above all others: port.c)
	limit_descriptors "$(find "/proc/$musess_pid/fd" -type l | awk -F/ '$NF < 4096' | wc -l)"
	musessctl version >"$WORK/out" 2>&1 &
	pid=$!
	started+=("$pid")
	wait_until 5 grep -q 'a connection to smss waits' "$musess_log" || fail "no line in the log"
	sleep 1 # of trying in vain
	ticks=$(($(awk '{ print $14 + $15 }' "/proc/$musess_pid/stat") - ticks))
	lines=$(($(wc -l <"$musess_log") - lines))
	[ $ticks -lt 30 ] || fail "smss was busy for $ticks ticks, waiting for descriptors"
	[ $lines -lt 30 ] || fail "smss wrote $lines lines, waiting for descriptors"
	limit_descriptors 1024
	wait_until 5 ended "$pid" || fail "the one who waited is not served"
	wait "$pid" || fail "the one who waited: $(cat "$WORK/out")"
}

# Its descriptors, its children, and its memory in kB; but for AddressSanitizer, which keeps
# what was freed and where: 0 then.
footprint() {
	ls "/proc/$musess_pid/fd" | wc -l
	ps -o pid= --ppid "$musess_pid" | wc -l
	if grep -q libasan "/proc/$musess_pid/maps"; then
		echo 0
	else
		awk '/^RssAnon:/ { print $2 }' "/proc/$musess_pid/status"
	fi
}

same_footprint() {
	local now
	mapfile -t now < <(footprint)
	[ "${now[0]}" = "${before[0]}" ] && [ "${now[1]}" = "${before[1]}" ] &&
		[ $((now[2] * 5)) -le $((before[2] * 6)) ]
}

# What is closed by a child of smss takes a moment.
footprint_rests() {
	mapfile -t before < <(footprint)
	sleep 0.1
	[ "$(footprint | head -n 2)" = "$(printf '%s\n' "${before[@]:0:2}")" ]
}

many() {
	local before
	echo "== 400 sessions"
	"$BUILD/bin/tests/sm-bench" "$MUSESS_SM_PORT" -c 4 -n 20
	wait_until 5 footprint_rests || fail "it does not rest: ${before[*]}"
	for _ in 1 2; do
		"$BUILD/bin/tests/sm-bench" "$MUSESS_SM_PORT" -c 4 -n 200
		no_session || fail "sessions are left"
	done
	wait_until 5 same_footprint || fail "descriptors, children, kB: were ${before[*]}, are $(footprint)"
}

# The console is the system's own: with it everything ends, and the service says why. In order:
# the reason is in the log first; clients are told; when the service ends no process is left.
console_dies() { # PROCESS STATUS REASON
	local births status=0 begin
	echo "== killed: the console's $1"
	begin=$(($(wc -l <"$musess_log") + 1))
	start_session
	connect "$1" xfreerdp3-tls-32
	wait_for_prompt "$1"
	births=$(process_births $(descendants "$musess_pid"))
	kill -KILL "$(musessctl show 0 --json | sed -n "s/.*\"$1_pid\": \([0-9]*\),/\1/p")"
	wait_until $PATIENCE ended "$musess_pid" || fail "the console is gone, the service is not"
	is_gone "$births" || fail "processes are left: $births"
	wait "$musess_pid" || status=$?
	[ $status = "$2" ] || fail "the service ended with status $status"
	wait_for_end "$1" $PATIENCE
	grep -q ERRINFO_RPC_INITIATED_DISCONNECT "$OUT/$1.log" || fail "the client was not told"
	tail -n +$begin "$musess_log" | grep -oE 'the console session is gone: .*|session [12] has ended: .*' |
		sed 's/session [12]/session/' >"$WORK/order"
	diff "$WORK/order" - <<-EOT || fail "another order"
		the console session is gone: the service ends ($3)
		session has ended: disconnected by an administrator (reason 1)
		session has ended: disconnected by an administrator (reason 1)
	EOT
}

new_lines_say() { # FIRST-LINE PATTERN
	tail -n "+$1" "$musess_log" | grep -E -- "$2" >/dev/null # all of it: tail may have more to write
}

# A process of the console ends at once: the service says so, before it was ready or after, whichever
# came first, and looks for no other reason.
console_never_runs() { # PROCESS REASON
	local begin=$(($(wc -l <"$musess_log") + 1))
	echo "== ends at once: the console's $1"
	cp /bin/false "$WORK/bin/$1"
	(start_service "$mode") >/dev/null 2>&1 || true
	wait_until $PATIENCE new_lines_say $begin \
		"the console session (ended before the service was ready|is gone: the service ends) \\($2\\)" ||
		fail "the service without $1 does not end: $(tail -n "+$begin" "$musess_log")"
	! new_lines_say $begin 'cannot load the console session' || fail "another reason is given, too"
	cp "$WORK/bin/real/$1" "$WORK/bin/$1"
}

failed_sessions() {
	musessctl stats | awk '/^ *sessions failed/ { print $3 }'
}

# command_ends COMMAND LINE REASON FAILED: a session with COMMAND ends for REASON, of which there is a
# LINE in the log, and FAILED have failed more.
command_ends() {
	local begin=$(($(wc -l <"$musess_log") + 1)) before
	before=$(failed_sessions)
	musessctl start --command "$1" >"$WORK/out" 2>&1 || fail "$1: $(cat "$WORK/out")"
	wait_until $PATIENCE no_session || fail "$1: it is there still"
	new_lines_say $begin "$2" && new_lines_say $begin "session 1 has .*\(reason $3\)" ||
		fail "$1: $(tail -n "+$begin" "$musess_log")"
	[ $(($(failed_sessions) - before)) = "$4" ] || fail "$1: $(failed_sessions) after $before have failed"
}

# What cannot be executed is no logoff, and what a program ends with is its own matter.
commands() {
	local command
	echo "== commands that cannot be executed"
	printf '#!/nothere\n' >"$WORK/bin/script"
	chmod 755 "$WORK/bin/script"
	for command in /nothere nothere 'nothere -x' /etc/passwd /usr 'exec nothere' /opt/musess/bin/script; do
		command_ends "$command" "the user's command $command cannot be executed: " 23 1
	done
	for command in 'exit 127' "sh -c 'exit 127'" 'bash -c "exit 126"' true 'cd /' '. /etc/profile' 'exec true'; do
		command_ends "$command" 'logged off by the user' 12 0
	done
}

copy_programs
mkdir "$WORK/bin/real"
mv "$WORK/bin/csrss" "$WORK/bin/winlogon" "$WORK/bin/real"
cp "$BUILD/bin/tests/sm-fake" "$WORK/bin/csrss"
cp "$BUILD/bin/tests/sm-fake" "$WORK/bin/winlogon"
misbehave csrss real
misbehave winlogon real
chmod -R a+rX "$WORK/bin"
config+=('SubsystemTimeout = 500ms' 'MaxInstanceCount = 4')
start_service "$mode"
config=("${config[0]}")
bad_csrss
bad_winlogon
forged_lines
too_many
stop_musess

cp "$WORK/bin/real/"* "$WORK/bin"
trap '' CHLD # a service that is started by one who ignores its children's ends has to see its own
start_service "$mode"
trap - CHLD
for process in csrss winlogon shell; do
	one_dies $process
done
many
commands
waits_for_descriptors
ln -s "$BUILD/bin/tests" "$BIN/tests" # for lib.sh
console_dies csrss 3 'Windows SubSystem'
start_service "$mode"
console_dies winlogon 4 'Windows Logon Process'
console_never_runs csrss 'Windows SubSystem'
console_never_runs winlogon 'Windows Logon Process'
echo "failures stay where they happen"
