#!/bin/bash
# The USDT probes that docs/probes.md lists: they are in the program, all of them, and strike
# while the service goes on.
#
#   tests/probes.sh BUILD     as root
. "$(dirname "$0")/lib.sh" "$1"
. "$(dirname "$0")/sm-lib.sh"
document=$(dirname "$0")/../docs/probes.md

# The names of the document's table.
documented() {
	awk -F'|' '/^\| `/ { print $2 }' "$document" | tr -d '` ' | tr , '\n' |
		awk '/^__/ { sub(/__entry$/, "", last); print last $0; next } { last = $0; print }' | sort
}

in_program() {
	readelf -n "$BUILD/bin/musessd" | awk '$1 == "Name:" { print $2 }' | sort -u
}

the_document_lists_them() {
	echo "== the list"
	diff <(documented) <(in_program) || fail "docs/probes.md (left) and musessd (right) differ"
}

# gdb at a probe of each kind, as docs/probes.md says.
gdb_stops() {
	local gdb status=0
	echo "== gdb"
	gdb -q -batch -nx -iex 'set sysroot /' "$BIN/musessd" -p "$musess_pid" -ex 'set pagination off' \
		-ex 'break -probe-stap musess:SmpStartCsr__return' \
		-ex 'break -probe-stap musess:session__state' -ex continue \
		-ex 'print/x $_probe_arg0' -ex 'print $_probe_arg1' -ex continue \
		-ex 'print $_probe_arg1' -ex detach >"$OUT/gdb.log" 2>&1 &
	gdb=$!
	started+=("$gdb")
	wait_until $PATIENCE grep -q "Breakpoint 2" "$OUT/gdb.log" || fail "gdb: $(cat "$OUT/gdb.log")"
	start_session --command 'sleep 1000'
	wait "$gdb" || status=$?
	[ $status = 0 ] || fail "gdb: status $status: $(cat "$OUT/gdb.log")"
	[ "$(grep -E '^\$' "$OUT/gdb.log")" = "$(printf '$1 = 0x1\n$2 = 0\n$3 = 259')" ] ||
		fail "other values: $(cat "$OUT/gdb.log")"
	musessctl stop "$session"
}

# What gdb is to do at each probe: to say its name and arguments, and to go on.
breakpoints() {
	local name arguments
	for name in $(in_program); do
		case $name in
		*__entry) arguments='%d\n", $_probe_arg0' ;;
		session__state | session__connect__state)
			arguments='%d %d %d\n", $_probe_arg0, $_probe_arg1, $_probe_arg2'
			;;
		subsystem__state)
			arguments='%d %d %d %s\n", $_probe_arg0, $_probe_arg1, $_probe_arg2, (char *)$_probe_arg3'
			;;
		*) arguments='%d %d\n", $_probe_arg0, $_probe_arg1' ;;
		esac
		printf '%s\n' "break -probe-stap musess:$name" commands silent \
			"printf \"$name $arguments" continue end
	done
}

# struck LINE...: gdb's lines of these probes, in this order.
struck() {
	local line at=0 found
	for line in "$@"; do
		found=$(tail -n +$((at + 1)) "$OUT/strikes" | grep -nxE -- "$line" | sed -n '1s/:.*//p') || true
		[ "$found" ] || fail "no '$line' after line $at of $OUT/strikes"
		at=$((at + found))
	done
}

# All of them, in the lives of a session made ahead and one that is not.
all_strike() {
	local gdb name idle
	echo "== each probe"
	musessctl pool 1 >/dev/null
	wait_until $PATIENCE eval 'musessctl list | grep -q Idle' || fail "no idle session"
	breakpoints >"$WORK/gdb"
	gdb -q -batch -nx -iex 'set sysroot /' "$BIN/musessd" -p "$musess_pid" -ex 'set pagination off' \
		-x "$WORK/gdb" -ex 'echo attached\n' -ex continue -ex detach >"$OUT/strikes" 2>"$OUT/gdb.log" &
	gdb=$!
	started+=("$gdb")
	wait_until $PATIENCE grep -q '^attached' "$OUT/strikes" || fail "gdb: $(cat "$OUT/gdb.log")"
	start_session
	idle=$session
	musessctl exec "$idle" -- true || fail "exec"
	start_session --command 'sleep 1000'
	musessctl stop "$session"
	musessctl stop "$idle"
	for name in "$session" "$idle"; do
		wait_until $PATIENCE grep -q "^session__state $name 4 " "$OUT/strikes" ||
			fail "session $name does not end"
	done
	kill -INT "$gdb"
	wait "$gdb" || true
	musessctl pool 0 >/dev/null
	for name in $(in_program); do
		grep -q "^$name [0-9-]" "$OUT/strikes" || fail "$name does not strike"
	done
	struck "session__taken $idle 0" "SmpStartCsr__return $idle 0" "subsystem__state $idle 0 259 Posix" \
		"subsystem__state $idle 1 0 Posix" "session__connect__state $idle 8 [0-9-]+" \
		"session__state $idle 3 [0-9-]+" "subsystem__state $idle 2 [0-9-]+ Posix" \
		"session__state $idle 4 [0-9-]+"
	struck "session__connect__state $session 9 0" "session__state $session 0 0" \
		"process_create__return $session 0" "SmpStartCsr__return $session 259" \
		"subsystem__state $session 0 259 Windows" "subsystem__state $session 1 0 Windows" \
		"session__state $session 1 0" "SmpExecuteInitialCommand__return $session 259" \
		"session__state $session 2 0" "session__connect__state $session 5 0" \
		"session__connect__state $session 8 [0-9-]+" "session__state $session 3 [0-9-]+" \
		"subsystem__state $session 2 [0-9-]+ Windows" "session__state $session 4 [0-9-]+"
}

# The document's own line, with this build's path. Not every machine lets anybody use BPF.
bpftrace_counts() {
	local script
	echo "== bpftrace"
	if ! bpftrace -e 'BEGIN { exit() }' >"$OUT/bpftrace.log" 2>&1; then
		echo "this machine's kernel allows no BPF: the line of docs/probes.md was NOT tried here"
		return
	fi
	script=$(sed -n "/bpftrace -e '/,/'\$/p" "$document" | sed "s/^ *bpftrace -e '//; s/'\$//")
	script=${script//\/usr\/local\/libexec\/musess\/musessd/$BIN/musessd}
	bpftrace -e "$script" >"$OUT/bpftrace.log" 2>&1 &
	local pid=$!
	started+=("$pid")
	wait_until $PATIENCE grep -q Attaching "$OUT/bpftrace.log" || fail "$(cat "$OUT/bpftrace.log")"
	sleep 2
	"$BUILD/bin/tests/sm-bench" "$MUSESS_SM_PORT" -n 20
	kill -INT "$pid"
	wait "$pid" || true
	grep -q '@us:' "$OUT/bpftrace.log" && grep -q '|@' "$OUT/bpftrace.log" ||
		fail "no histogram: $(cat "$OUT/bpftrace.log")"
}

the_document_lists_them
copy_programs
start_service root
gdb_stops
all_strike
bpftrace_counts
stop_musess
echo "the probes strike"
