# What the tests of musessload share: runs, and what their files and reports have. Sourced after lib.sh.
LOAD=$BIN/musessload
run_file=$WORK/run.jsonl

# load STATUS OPTION...: a run that has to end with STATUS; its report is in $WORK/report.
load() {
	local want=$1 status=0
	shift
	rm -f "$run_file"
	"$LOAD" run "$@" >"$WORK/report" 2>"$WORK/lines" || status=$?
	[ $status = "$want" ] || fail "status $status, not $want: run $*: $(cat "$WORK/lines" "$WORK/report")"
}

# The same with a user for each session, and a file.
load_musess() {
	local want=$1
	shift
	load "$want" "$MUSESS_ADDRESS" -u 'lab%04d' --password-file "$WORK/password" --out "$run_file" "$@"
}

# lines PATTERN: how many lines of the file have it.
lines() {
	grep -cE -- "$1" "$run_file" || true
}

expect() { # NUMBER PATTERN
	[ "$(lines "$2")" = "$1" ] || fail "$(lines "$2") lines, not $1, have $2: $(head -c 3000 "$run_file")"
}

says() { # PATTERN: the report does
	grep -qE -- "$1" "$WORK/report" || fail "the report does not say '$1': $(cat "$WORK/report")"
}

