#!/bin/bash
# What those cost who have no account, and what others notice of it: counted, not timed.
#
#   tests/strangers.sh BUILD
. "$(dirname "$0")/lib.sh" "$1"
here=$(realpath "$(dirname "$0")")

load() { # ADDRESS ARGUMENT...: a client that comes from there
	"$BIN/tests/rdp-load" "${MUSESS_ADDRESS##*:}" "${@:2}" -b "$1"
}

strangers() {
	timeout 120 python3 "$here/strangers.py" "${MUSESS_ADDRESS##*:}" "$@"
}

# counted CAUSE: how many were refused for it.
counted() {
	musessctl stats --json | python3 -SEc 'import json, sys
print(json.load(sys.stdin)["refusals"].get(sys.argv[1], 0))' "$1"
}

is_counted() { # CAUSE NUMBER
	[ "$(counted "$1")" -ge "$2" ]
}

termsrv() {
	ps -o pid=,comm= --ppid "$musess_pid" | awk '$2 == "termsrv" { print $1 }'
}

warm_workers() {
	ps -o pid=,comm= --ppid "$(termsrv)" | awk '$2 == "rdpwd" { print $1 }' | sort
}

has_warm_workers() {
	[ "$(warm_workers | wc -l)" = 8 ]
}

start_musess
echo "== a picture that is asked for again and again"
load 127.0.0.2 '' '' -r 20 -k 5 >"$OUT/refresh.log" || fail "$(cat "$OUT/refresh.log")"
cat "$OUT/refresh.log"

echo "== who leaves before his turn costs no worker"
wait_until $PATIENCE has_warm_workers || fail "workers: $(warm_workers)"
before=$(warm_workers)
strangers leave 200 "$(termsrv)"
wait_until $PATIENCE is_counted handshake 200 || fail "they are not counted: $(musessctl stats)"
[ "$(warm_workers)" = "$before" ] || fail "workers were spent"

echo "== addresses have turns"
least=300
for round in 1 2 3 4 5 6 7 8; do
	wait_until $PATIENCE has_warm_workers || fail "workers: $(warm_workers)"
	strangers turn 300 "$(ps -o pid=,comm= --ppid "$(termsrv)" | awk '$2 == "termsrv" { print $1 }')" \
		>"$OUT/turn" || fail "$(cat "$OUT/turn")"
	echo "round $round: $(cat "$OUT/turn") of 300 were answered before the one"
	[ "$(cat "$OUT/turn")" -ge $least ] || least=$(cat "$OUT/turn")
	[ $least -ge 16 ] || break
done
# eight had all workers that there were; then it is his turn, and no eight of theirs come first. On a busy machine he
# may be late in seeing his answer: the best round counts.
[ $least -lt 16 ] || fail "the one had to wait for them"
echo "== lines of the log about strangers"
strangers rubbish 200 127.0.0.5
strangers rubbish 1 127.0.0.6
wait_until $PATIENCE is_counted not_rdp 201 || fail "they are not counted: $(musessctl stats)"
lines=$(grep -c '127\.0\.0\.5:[0-9]* sent no connection request' "$musess_log")
[ "$lines" -ge 10 ] && [ "$lines" -lt 30 ] || fail "200 have $lines lines"
grep -q '127\.0\.0\.6:[0-9]* sent no connection request' "$musess_log" || fail "another has none"
wait_until $PATIENCE grep -qE 'termsrv: warning: [0-9]+ lines about clients were not written' "$musess_log" ||
	fail "nobody says how many are missing"
[ "$(sed -nE 's/.*warning: ([0-9]+) lines about clients.*/\1/p' "$musess_log")" = $((200 - lines)) ] ||
	fail "$lines lines, and $(grep 'lines about clients' "$musess_log")"

echo "== events of connections"
events() {
	grep -c '"id":131,' "$STATE/events.jsonl"
}
# Each connection has an event, or is among those that the log counts.
all_accounted_for() {
	local unwritten
	unwritten=$(sed -nE 's/.*warning: ([0-9]+) connections have no event 131.*/\1/p
		s/.*warning: events of ([0-9]+) connections were lost.*/\1/p' "$musess_log" | paste -sd+)
	[ $(($(events) + ${unwritten:-0})) = "$(musessctl stats --json | python3 -SEc 'import json, sys
print(json.load(sys.stdin)["connections"])')" ]
}
before=$(events)
strangers leave 2000 "$(termsrv)"
wait_until $PATIENCE is_counted handshake 2200 || fail "they are not counted: $(musessctl stats)"
load 127.0.0.6 "$MUSESS_USER" "$MUSESS_PASSWORD" || fail "the next client is not served"
wait_until $PATIENCE all_accounted_for || fail "$(events) events: $(musessctl stats)"
[ $(($(events) - before)) -lt 1700 ] || fail "2000 connections have $(($(events) - before)) events"
grep -q '"id":131,.*"ClientIP":"127\.0\.0\.6:' "$STATE/events.jsonl" || fail "another has no event"
stop_musess

echo "== who says nothing makes room"
mkdir "$WORK/limited"
printf '#!/bin/sh\nulimit -n 256\nexec "%s" "$@"\n' "$BIN/musessd" >"$WORK/limited/musessd"
chmod 755 "$WORK/limited/musessd"
ln -s "$BIN/musessctl" "$BIN/tests" "$WORK/limited"
BIN=$WORK/limited start_musess
strangers silent 400 || fail "others keep the one out"
is_counted resources 400 || fail "nobody made room: $(musessctl stats)"
grep -q 'is refused: out of descriptors' "$musess_log" || fail "no line of the log"
load 127.0.0.3 "$MUSESS_USER" "$MUSESS_PASSWORD" || fail "an account is kept out"
stop_musess
