#!/bin/bash
# The service's processes are killed, at random moments and under load, again and again: the
# clients that are there stay connected, their sessions live on, no process is left over, and no
# id is given twice.
#
#   tests/restarts.sh BUILD        MUSESS_KILLS=N: how often (12)
. "$(dirname "$0")/lib.sh" "$1"

KILLS=${MUSESS_KILLS-12} HELD=12 PROGRAMS=$BIN
# (each smss of a laboratory has its own password: clients that come with the last one's are no guessers)
config=('IdleWinStationPoolCount = 1' '[Limits]' 'MaxDisconnectionTime = 3s' '[Listener]' 'LogonPenaltyMax = none')

# start_kept: musessd under a keeper, which starts it again.
start_kept() {
	printf '%s\n' '[Sessions]' "${config[@]}" >"$WORK/musess.conf"
	chmod 644 "$WORK/musess.conf"
	STATE=$(mktemp -d "$WORK/state.XXXXXX")
	musess_log=$WORK/musessd.log
	port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
	env --default-signal=INT,QUIT,HUP "$BIN/tests/keeper" "$WORK/pid" \
		"$PROGRAMS/musessd" --lab --state "$STATE" --port "$port" -c "$WORK/musess.conf" \
		>>"$musess_log" 2>&1 </dev/null &
	keeper=$!
	started+=("$keeper")
	wait_until $PATIENCE test -e "$STATE/lab.env" || fail "musessd wrote no lab.env"
	. "$STATE/lab.env"
}

serves() {
	[ -e "$STATE/lab.env" ] && musessctl list >"$WORK/list" 2>/dev/null &&
		grep -q 'Listen' "$WORK/list"
}

smss_pid() {
	musess_pid=$(<"$WORK/pid") # empty while it is written
}

# The process ids of a service process, of smss's children.
service_pid() { # NAME
	local pid
	smss_pid
	for pid in $(cat "/proc/$musess_pid/task/$musess_pid/children" 2>/dev/null); do
		[ "$(cat "/proc/$pid/comm" 2>/dev/null)" != "$1" ] || echo "$pid"
	done | sed -n 1p
}

load() { # USER option of rdp-load...
	local user=$1
	shift
	"$BIN/tests/rdp-load" "$port" "$user" "$MUSESS_PASSWORD" "$@"
}

# Clients that come and go meanwhile: what becomes of them is not looked at.
busy() {
	while [ ! -e "$WORK/enough" ]; do
		. "$STATE/lab.env" || true # each smss has its own password
		timeout 20 "$BIN/tests/rdp-load" "$port" 'lab%d' "$MUSESS_PASSWORD" -n 6 -c 3 || true
		musessctl start --command 'sleep 1' || true
	done >/dev/null 2>&1
}

# The sessions of all csrss below the keeper, whatever smss they had.
csrss_ids() {
	ps -o args= -p "$(descendants "$keeper" | paste -sd,)" 2>/dev/null |
		awk '$1 == "csrss" { print $2 }' | sort -n || true
}

# A csrss without its smss may be there still while the next has its id for another session: never.
no_id_twice() {
	local twice
	twice=$(csrss_ids | uniq -d)
	[ -z "$twice" ] || fail "session ids given twice: $twice"
}

# held_sessions: id and csrss of the sessions of the held clients.
held_sessions() {
	musessctl list --json | python3 -c '
import json, sys
for s in json.load(sys.stdin):
    if s["user"].startswith("labheld"):
        print(s["id"], s["csrss_pid"], s["user"], s["state"])' | sort -n
}

all_held() {
	held_sessions >"$WORK/held" 2>/dev/null && [ "$(grep -c Active "$WORK/held")" = $HELD ]
}

kill_one() {
	local which=$1 pid
	smss_pid
	case $which in
	smss) pid=$musess_pid ;;
	leave) pid=$musess_pid ;;
	*) pid=$(service_pid "$which") ;;
	esac
	[ "$pid" ] || return 0
	if [ "$which" = leave ]; then
		kill -USR1 "$keeper"
	else
		kill -KILL "$pid" 2>/dev/null || return 0
	fi
	kills=$((kills + 1))
}

other_smss() {
	[ -s "$WORK/pid" ] && [ "$(<"$WORK/pid")" != "$musess_pid" ] && kill -0 "$(<"$WORK/pid")" 2>/dev/null
}

has_service() { # NAME
	[ "$(service_pid "$1")" ]
}

# Everything that is on no list is gone.
no_orphans() {
	local listed running
	listed=$(musessctl list --json | python3 -c '
import json, sys
print(*sorted(s["id"] for s in json.load(sys.stdin) if s["csrss_pid"]), sep="\n")')
	running=$(csrss_ids)
	[ "$listed" = "$running" ]
}

kills=0
start_kept
connect watched xfreerdp3-nla-32 "${MUSESS_USER}watched"
wait_for_prompt watched
type_line watched 'echo I-am-$((40+2))'
wait_for_text watched '^I-am-42' $PATIENCE
load 'labheld%d' -n $HELD -c $HELD -k 100000 >"$OUT/held.log" 2>&1 &
held=$!
started+=("$held")
wait_until $PATIENCE all_held || fail "the clients are not connected: $(cat "$WORK/held")"
cp "$WORK/held" "$WORK/before"
echo "== $KILLS kills under load"
busy &
started+=("$!")
whom=(smss smss smss lsass termsrv leave)
while [ $kills -lt "$KILLS" ]; do
	sleep "0.$((RANDOM % 9))"
	kill_one "${whom[RANDOM % ${#whom[@]}]}"
	no_id_twice
	[ $((RANDOM % 3)) = 0 ] || wait_until $PATIENCE serves || fail "nobody is served"
done
touch "$WORK/enough"
wait_until $PATIENCE serves || fail "nobody is served"
! ended "$held" || fail "a client was cut off: $(cat "$OUT/held.log")"
[ "$(musessctl ps --json | grep -c '"image": "\(csrss\|bash\)"')" -ge $((2 * HELD)) ] ||
	fail "the processes of old sessions are on no list: $(musessctl ps)"
held_sessions | cmp - "$WORK/before" || fail "sessions were lost: $(held_sessions | diff - "$WORK/before")"
type_line watched 'echo still-$((40+3))'
wait_for_text watched '^still-43' $PATIENCE
wait_for_text watched '^I-am-42' $PATIENCE
wait_until $PATIENCE no_orphans || fail "processes are left: csrss $(csrss_ids | tr '\n' ' '); $(musessctl list)"
echo "$kills kills: sessions lost 0, orphans 0, ids given twice 0"

# The next smss has not even said that it is ready, and its services are killed again.
echo "== killed before they are ready"
for which in termsrv lsass termsrv lsass; do
	kill_one smss
	wait_until $PATIENCE other_smss || fail "no other smss"
	wait_until $PATIENCE has_service "$which" || fail "the next smss starts no $which"
	kill_one "$which"
	wait_until $PATIENCE serves || fail "nobody is served after $which was killed at its start"
	held_sessions | cmp - "$WORK/before" || fail "sessions were lost: $(held_sessions | diff - "$WORK/before")"
done

# Its listening socket is kept: who connects now waits for the next termsrv.
echo "== who connects while there is no termsrv"
. "$STATE/lab.env"
kill -KILL "$(service_pid termsrv)"
load "${MUSESS_USER}meanwhile" >"$OUT/meanwhile.log" || fail "he is not served: $(cat "$OUT/meanwhile.log")"

echo "== without an smss the sessions end"
end_process "$held"
smss_pid
kill -TERM "$keeper"
wait_until $PATIENCE ended "$keeper" || fail "the keeper does not end"
wait_until $PATIENCE eval '[ -z "$(csrss_ids)" ]' || fail "sessions are left after a stop"

# What else a session is made of is there again, and who has used an idle one still has it.
echo "== another Required subsystem, and an idle session that was used"
config=('IdleWinStationPoolCount = 1' '[SubSystems]' 'Required = Posix Windows' 'Optional =')
start_kept
run_in() { # SESSION TEXT: a command in it says so
	[ "$(musessctl exec "$1" -- echo "$2" 2>/dev/null)" = "$2" ]
}
wait_until $PATIENCE session_exists 1 || fail "there is no idle session"
musessctl start --command 'sleep 1000'
wait_until $PATIENCE run_in 2 first || fail "a Required Posix is not there"
wait_until $PATIENCE run_in 1 idle || fail "there is none in the idle session"
for round in second third; do
	kill_one smss
	wait_until $PATIENCE other_smss || fail "no other smss"
	wait_until $PATIENCE serves || fail "nobody is served"
	wait_until $PATIENCE run_in 2 $round || fail "a Required Posix is not there again: $(musessctl list)"
	wait_until $PATIENCE run_in 1 $round || fail "nor in the idle session that was used"
	[ "$(musessctl start | sed 's/^session \([0-9]*\).*/\1/')" -gt 2 ] ||
		fail "an idle session that was used is somebody else's"
done
kill -KILL "$(musessctl ps | awk '$1 == 2 && $NF == "psxss" { print $(NF - 2) }')"
wait_until $PATIENCE session_gone 2 || fail "a Required subsystem is gone, its session is not"
smss_pid
kill -TERM "$keeper"
wait_until $PATIENCE ended "$keeper" || fail "the keeper does not end"

# A session is not left without what it cannot do without.
echo "== a Required subsystem that cannot be loaded again"
PROGRAMS=$WORK/bin # with places at which it can be made to fail (sessmgr/fault.h)
mkdir "$PROGRAMS"
find "$BIN" -maxdepth 1 -type f -exec cp {} "$PROGRAMS/" \;
cp "$BIN/tests/musessd-faults" "$PROGRAMS/musessd"
chmod -R a+rX "$PROGRAMS"
config=('[SubSystems]' 'Required = Posix Windows' 'Optional =')
start_kept
for place in SmpExecuteImage subsystem-list; do
	id=$(musessctl start --command 'sleep 1000' | sed 's/^session \([0-9]*\).*/\1/')
	wait_until $PATIENCE run_in "$id" first || fail "a Required Posix is not there"
	echo "$place fail subsystem" >"$PROGRAMS/fault"
	kill_one smss
	wait_until $PATIENCE other_smss || fail "no other smss"
	wait_until $PATIENCE serves || fail "nobody is served"
	wait_until $PATIENCE session_gone "$id" || fail "$place: its session goes on: $(musessctl list)"
	grep -qE "session $id has (ended|failed): out of memory" "$musess_log" || fail "$place: no line says why it ended"
	rm "$PROGRAMS/fault"
done
smss_pid
kill -TERM "$keeper"
wait_until $PATIENCE ended "$keeper" || fail "the keeper does not end"

# Whoever takes the port of metricsd, which is kept by nobody, keeps no user and no pool waiting.
ready_lines() { # LINES
	[ "$(grep -c 'ready on' "$musess_log")" -ge "$1" ]
}
scrape() {
	curl -sf "http://127.0.0.1:$metrics/metrics" -o "$WORK/scrape"
}
for pool in 0 1; do
	echo "== a stranger takes MetricsPort, $pool idle sessions"
	metrics=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
	config=("IdleWinStationPoolCount = $pool" '[Metrics]' "MetricsPort = $metrics")
	start_kept
	wait_until $PATIENCE scrape || fail "no metrics"
	python3 -c '
import socket, sys, time
open(sys.argv[2] + ".begun", "w").close()
while True:
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        s.bind(("127.0.0.1", int(sys.argv[1])))
        s.listen()
        break
    except OSError:
        s.close()
open(sys.argv[2], "w").close()
time.sleep(1000)' "$metrics" "$WORK/taken.$pool" &
	stranger=$!
	started+=("$stranger")
	wait_until $PATIENCE test -e "$WORK/taken.$pool.begun" || fail "no stranger"
	count=$(grep -c 'ready on' "$musess_log")
	kill_one smss
	wait_until $PATIENCE other_smss || fail "no other smss"
	wait_until $PATIENCE test -e "$WORK/taken.$pool" || fail "metricsd was faster than the stranger"
	wait_until $PATIENCE ready_lines $((count + 1)) || fail "a stranger keeps smss from being ready"
	. "$STATE/lab.env"
	load "${MUSESS_USER}after" >"$OUT/after.log" || fail "nobody logs on: $(cat "$OUT/after.log")"
	end_process "$stranger"
	wait_until $PATIENCE scrape || fail "no metrics when the port is free again"
	smss_pid
	kill -TERM "$keeper"
	wait_until $PATIENCE ended "$keeper" || fail "the keeper does not end"
done
echo "restarts lose nothing"
