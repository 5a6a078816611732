# What the tests share in which clients misbehave, or the service is short of something. Sourced, after
# lib.sh and sm-lib.sh.

WARM=8 # workers that are kept ready: WARM_WORKERS
limited_uid=12346

# A client that leaves ends its session: what is left over is seen at once.
limits=('[Limits]' 'MaxDisconnectionTime = 1ms')

load() { # option of rdp-load...
	"$BUILD/bin/tests/rdp-load" "${MUSESS_ADDRESS##*:}" "${MUSESS_USER}%d" "$MUSESS_PASSWORD" "$@"
}

serves() {
	load >"$OUT/serves.log" || fail "the next client is not served: $(cat "$OUT/serves.log")"
}

processes_named() {
	local pid
	for pid in $(descendants "$musess_pid" | sort -n); do
		[ "$(cat "/proc/$pid/comm" 2>/dev/null)" != "$1" ] || echo "$pid"
	done
}

workers() {
	process_births $(processes_named rdpwd)
}

worker_count() {
	workers | wc -l
}

has_workers() {
	[ "$(worker_count)" = "$1" ]
}

# More workers than COUNT, looked for in a moment: they are not there for long.
workers_come() {
	local termsrv
	termsrv=$(main_of termsrv)
	[ "$(ps -o comm= --ppid "${termsrv:-1}" | grep -cx rdpwd)" -gt "$1" ]
}

# closed_within FROM TO FILE: FILE says that all were closed, and none outside of FROM to TO ms.
closed_within() {
	local first last
	read -r first last < <(sed -n 's/.*: \([0-9]*\) of \1 closed, from \([0-9]*\) to \([0-9]*\) ms/\2 \3/p' "$3")
	[ "$first" ] && [ "$first" -ge "$1" ] && [ "$last" -le "$2" ] ||
		fail "not closed between $1 and $2 ms: $(cat "$3")"
}

# start_bad COUNT KIND...: leaves their process ids in bad.
start_bad() {
	local count=$1 kind
	shift
	bad=()
	for kind; do
		"$BUILD/bin/tests/bad-client" "${MUSESS_ADDRESS##*:}" "$kind" "$count" >"$OUT/bad-$kind" &
		bad+=("$!")
		started+=("$!")
	done
}

any_bad() {
	kill -0 "${bad[@]}" 2>/dev/null
}

main_of() { # termsrv|lsass
	ps -o pid=,comm= --ppid "$musess_pid" | awk -v name="$1" '$2 == name { print $1 }'
}

nursery() {
	ps -o pid=,comm= --ppid "$(main_of termsrv)" | awk '$2 == "termsrv" { print $1 }'
}

serves_again() {
	load >"$OUT/serves-again.log" 2>&1
}

# limited OPTION...: a service for which prlimit has these, run by an ordinary user.
limited() {
	BIN=$WORK/limited
	mkdir -p "$BIN"
	ln -sf ../bin/musessctl "$BIN/musessctl"
	ln -sfn "$BUILD/bin/tests" "$BIN/tests" # for lib.sh
	printf '#!/bin/sh\nchown %s "$3"\nexec setpriv --reuid %s --regid %s --clear-groups prlimit %s "%s" "$@"\n' \
		$limited_uid $limited_uid $limited_uid "$*" "$WORK/bin/musessd" >"$BIN/musessd"
	chmod 755 "$BIN/musessd"
	start_musess
}
