#!/bin/bash
# The transcript of Windows' smss under kd, replayed with tools/musess-kd on a service in
# use: the same commands in the same order, a real client between them, and output that
# replay-check.py holds against the transcript. Then how the debugger may end.
#
#   tests/replay.sh BUILD root|user     the service, and the debugger, as root or as a user
export MUSESS_TEST_OUT=${MUSESS_TEST_OUT:-$1/tests-out/replay-$2}
tests=$(realpath "$(dirname "$0")")
. "$tests/lib.sh" "$1"
. "$tests/sm-lib.sh"
mode=$2
transcript=$tests/../../shared/reference/000_b07dda27bc522790.txt

# ---- the debugger: kd_pid, its output in kd_out, commands through descriptor 5

kd_command=()
prepare_kd() {
	mkdir "$WORK/tools"
	cp -r "$tests/../tools/musess-kd" "$tests/../tools/kd" "$WORK/tools/"
	chmod -R a+rX "$WORK/tools"
	kd_command=("$WORK/tools/musess-kd")
	[ "$mode" = root ] || kd_command=(setpriv --reuid $service_uid --regid $service_uid
		--clear-groups "${kd_command[@]}")
}

prompts() {
	grep -c '^0: kd> ' "$kd_out" || true
}

# The prompt that follows the last command is there.
asks() {
	[ "$(prompts)" -ge $((kd_count + 1)) ] || ended "$kd_pid"
}

start_kd() { # FILE
	kd_out=$1 kd_count=0
	rm -f "$WORK/kd.in"
	mkfifo "$WORK/kd.in"
	env --default-signal=INT,QUIT,HUP "${kd_command[@]}" --pid "$musess_pid" \
		<"$WORK/kd.in" >"$kd_out" 2>&1 &
	kd_pid=$!
	disown # the shell shall not tell how it ended
	started+=("$kd_pid")
	exec 5>"$WORK/kd.in"
	expect_prompt
}

expect_prompt() {
	wait_until $PATIENCE asks || fail "no prompt: $(tail -n 5 "$kd_out")"
	! ended "$kd_pid" || fail "the debugger ended: $(tail -n 5 "$kd_out")"
}

say() { # COMMAND: without waiting for its end
	echo "$1" >&5
	kd_count=$((kd_count + 1))
}

kd() { # COMMAND
	say "$1"
	expect_prompt
}

# What the last command had to say.
answer() {
	awk '/^0: kd> ./ { text = ""; next } { text = text $0 "\n" } END { printf "%s", text }' "$kd_out"
}

expect_answer() { # PATTERN
	grep -qE -- "$1" <<<"$(answer)" || fail "no '$1' in: $(answer)"
}

# Its end, by q or a signal, and smss's freedom.
await_kd_end() {
	wait_until $PATIENCE ended "$kd_pid" || fail "the debugger does not end"
	exec 5>&-
	[ "$(status_of "$musess_pid" TracerPid)" = 0 ] || fail "smss is still under the debugger"
}

# ---- the transcript

same_processes() {
	local before
	before=$(descendants "$musess_pid" | sort)
	sleep 0.5
	[ "$(descendants "$musess_pid" | sort)" = "$before" ]
}

# The process that the list has and that was not there before.
new_process() {
	comm -13 <(sort "$WORK/processes") <(descendants "$musess_pid" | sort)
}

new_process_is_empty() {
	local pid
	pid=$(new_process)
	[[ $pid =~ ^[0-9]+$ ]] && [ -z "$(ls "/proc/$pid/fd")" ]
}

look_at_message() { # ADDRESS
	local union
	union=$(printf '0x%x' $(($1 + 0x20)))
	kd "dx -r1 ((smss!_SMAPIMSG *)$1)"
	kd "dx -r1 (*((smss!__unnamed *)$union))"
	kd "dx -r1 (*((smss!_SMSTARTCSR *)$union))"
}

replay() {
	local message
	echo "== the transcript"
	start_kd "$OUT/session.txt"
	kd 'bp smss!SmpStartCsr'
	kd 'bp smss!process_create'
	say g
	start_x client
	start_client client xfreerdp3-nla-32
	expect_prompt
	# workers are made meanwhile, for the next clients
	wait_until $PATIENCE same_processes || fail "the processes do not come to rest"
	descendants "$musess_pid" >"$WORK/processes"
	kd kc
	kd dv
	message=$(answer | sed -n 's/^SmApiMsg = //p')
	[ "$message" ] || fail "dv names no message: $(answer)"
	look_at_message "$message"
	kd dv
	look_at_message "$message"
	kd t
	kd dv
	kd gu
	kd kc
	kd dv
	kd gu
	wait_until $PATIENCE new_process_is_empty ||
		fail "not one new process without descriptors, but: $(new_process)"
	kd '!process 0 0'
	python3 "$tests/replay-check.py" "$kd_out" "$WORK/processes" "$transcript" ||
		fail "the session is not the transcript's: $kd_out"
	# in user mode csrss, winlogon, termsrv and lsass keep theirs from others of their user
	[ "$mode" = user ] || ! grep -qF 'HandleCount: ?' "$kd_out" || fail "root is not told of descriptors"
	kd '!session 1'
	expect_answer "Cid: $(printf %04x "$(new_process)") "
	kd 'bc *'
	say g
	wait_until $PATIENCE window_or_end client || fail "the client has no window"
	x client xdotool windowmove "${window_of[client]}" 0 0 windowfocus "${window_of[client]}"
	wait_for_prompt client
	kill -INT "$kd_pid"
	expect_prompt
	expect_answer '^Break instruction exception'
	say q
	await_kd_end
}

# ---- what else

# The next session starts, and the one of the replay still works.
serves() {
	start_session --command 'sleep 1000'
	musessctl stop "$session"
	ended "${pid_of[client]}" && fail "the client of the replay has ended"
	true
}

a_second_client() {
	echo "== a second client"
	connect second xfreerdp3-tls-32 "${MUSESS_USER}2" # who would take the first one's session over otherwise
	wait_for_prompt second
	type_line second 'echo $((6*7))'
	wait_for_text second '^42 *$' $PATIENCE
	type_line client 'echo $((7*8))'
	wait_for_text client '^56 *$' $PATIENCE
}

words() {
	echo "== words"
	start_kd "$OUT/words.txt"
	kd 'bp smss!SmpStartCzr'
	expect_answer "^Couldn't resolve error at 'smss!SmpStartCzr'.*smss!SmpStartCsr"
	kd 'bp smss!SmpStartCsr'
	kd 'bp smss!SmpStopCsr'
	kd bl
	expect_answer '^0 e [0-9a-f]+ 0001 \(0001\) smss!SmpStartCsr$'
	kd 'bc 0'
	kd bl
	expect_answer '^1 e [0-9a-f]+ 0001 \(0001\) smss!SmpStopCsr$'
	kd 'bc 7'
	expect_answer 'no breakpoint 7'
	kd 'dx -r1 ((smss!_SMAPIMSG *)0x10)'
	expect_answer 'Cannot access memory'
	kd 'dx -r3 Smp'
	expect_answer '^\[\+0x000\] config : 0x[0-9a-f]+ \[Type: musess_config \*\]$'
	kd 'bp 0x10'
	expect_answer 'nothing at 0x10'
	kd 'dx -r1 ((smss!_NOTHING *)0x10)'
	expect_answer "Couldn't resolve type"
	kd frobnicate
	expect_answer 'Syntax error'
	kd '!session 77'
	expect_answer 'no session 77'
	kd '!session'
	expect_answer '^Valid Sessions: 0 1 2$'
	say q
	await_kd_end
	serves
}

stop_in_startcsr() { # FILE: and a caller waits for its session
	start_kd "$1"
	kd 'bp smss!SmpStartCsr'
	say g
	musessctl start --command 'sleep 1000' >"$WORK/start" 2>&1 &
	caller=$!
	started+=("$caller")
	expect_prompt
	expect_answer '^Breakpoint 0 hit$'
}

is_answered() {
	wait "$caller" || fail "start: $(cat "$WORK/start")"
	musessctl stop "$(sed -n 's/^session \([0-9]*\):.*/\1/p' "$WORK/start")"
	serves
}

ends() {
	local ending
	for ending in KILL TERM HUP; do
		echo "== SIG$ending while smss stands still"
		stop_in_startcsr "$OUT/$ending.txt"
		kill -$ending "$kd_pid"
		await_kd_end
		is_answered
	done
	echo "== SIGTERM while smss runs"
	start_kd "$OUT/running.txt"
	kd 'bp smss!SmpStartCsr'
	say g
	sleep 0.5
	kill "$kd_pid"
	await_kd_end
	serves
	echo "== a script that ends"
	printf 'bp smss!SmpStartCsr\ng\n' | timeout $PATIENCE "${kd_command[@]}" --pid "$musess_pid" \
		>"$OUT/script.txt" || fail "status $?: $(cat "$OUT/script.txt")"
	serves
}

refused() { # PATTERN COMMAND...
	local pattern=$1 status=0
	shift
	"$@" </dev/null >"$WORK/out" 2>&1 || status=$?
	[ $status = 1 ] && grep -qE "$pattern" "$WORK/out" || fail "status $status: $(cat "$WORK/out")"
}

refusals() {
	local nobody=(setpriv --reuid 54321 --regid 54321 --clear-groups)
	echo "== refusals"
	refused 'no smss of musess' "${kd_command[@]}" --pid $$
	refused 'no process id' "${kd_command[@]}" --pid one
	refused 'may not be debugged|cannot debug' "${nobody[@]}" "$WORK/tools/musess-kd" --pid "$musess_pid"
	start_kd "$OUT/first.txt"
	refused "under a debugger already: process $kd_pid" "${kd_command[@]}" --pid "$musess_pid"
	say q
	await_kd_end
}

copy_programs
prepare_kd
# smss stands still for a while: nobody shall lose patience. One csrss at a time, as Windows
# started them then, and none ahead.
config+=('SessionCreation = serial' '[Listener]' 'LogonTimeout = 10m')
start_service "$mode"
ln -s "$BUILD/bin/tests" "$BIN/tests" # lib.sh looks for screen-text there
replay
a_second_client
words
ends
refusals
stop_musess
echo "the transcript is replayed"
