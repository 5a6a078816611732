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
bpftrace_counts
stop_musess
echo "the probes strike"
