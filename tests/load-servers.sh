#!/bin/bash
# musessload against small servers that do one thing each, and what it makes of signals and addresses.
#
#   tests/load-servers.sh BUILD
. "$(dirname "$0")/lib.sh" "$1"
. "$(dirname "$0")/load-lib.sh"
here=$(realpath "$(dirname "$0")")

openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=localhost -days 2 \
	-keyout "$WORK/key.pem" -out "$WORK/cert.pem" 2>/dev/null
(umask 077 && echo secret >"$WORK/password")

# serve COMMAND...: a server, whose first line is its port; leaves that in port, and its process in server.
serve() {
	: >"$WORK/served"
	"$@" "$WORK/cert.pem" "$WORK/key.pem" >"$WORK/served" 2>"$WORK/server.log" &
	server=$!
	started+=("$server")
	wait_until $PATIENCE test -s "$WORK/served" || fail "$*: $(cat "$WORK/server.log")"
	port=$(head -n 1 "$WORK/served")
}

# load_port STATUS OPTION...: against what serves.
load_port() {
	local want=$1
	shift
	load "$want" "127.0.0.1:$port" --password-file "$WORK/password" --out "$run_file" "$@"
}
storm=(-u lab --security tls --storm 2)

echo "--- a logon: what a picture cannot tell, the server may say"
# word WORD STATUS PATTERN OPTION...: each of two sessions is so.
word() {
	serve "$BIN/tests/logon-server" "$1"
	load_port "$2" "${storm[@]}" "${@:4}"
	end_process "$server"
	expect 2 "\"type\":\"session\".*$3"
}
word nothing 0 '"error":"ok"' --hold 1s
word nothing 1 '"error":"deadline".*"failed_in":"logon"' --until logon --deadline 1s
word continues 0 '"error":"ok"' --hold 1s
word continues 1 '"error":"deadline"' --until logon --deadline 1s
for said in logon plain cookie; do
	word $said 0 '"error":"ok".*"logon":[0-9]+' --until logon
done
for until in first-picture logon; do
	word wrong-password 1 '"error":"logon".*"failed_in":"logon","detail":".*BAD_PASSWORD.*0xc000006d' --hold 2s --until $until
done
word logon 1 '"error":"negotiation".*--security tls' --security nla
word late-no 1 '"error":"logon".*"total":[0-9]+.*"failed_in":"logon","detail":"while it was held: .*NO_PERMISSION' --hold 5s
says '^  logon +2  the logon was refused'

echo "--- a domain is sent as one"
serve "$BIN/tests/logon-server" logon
load_port 0 -u 'CORP\lab%04d' --security tls --storm 2 --until logon
expect 2 '"user":"CORP\\\\lab000[12]"'
for user in lab0001 lab0002; do
	grep -qxF "CORP|$user" "$WORK/served" || fail "sent: $(cat "$WORK/served")"
done
load_port 0 -u lab --security tls --storm 1 --until logon
grep -qxF "|lab" "$WORK/served" || fail "sent: $(cat "$WORK/served")"
end_process "$server"

echo "--- phases make the total up; what comes behind it is no part of it"
serve "$BIN/tests/logon-server" nothing
load_port 0 "${storm[@]}" --until connected --hold 1s
python3 - "$run_file" <<'END' || fail "the phases do not make the total up: $(cat "$run_file")"
import json, sys
sessions = [r for r in map(json.loads, open(sys.argv[1])) if r["type"] == "session"]
for s in sessions:
    p = s["phases"]
    assert "first_picture" in p
    assert sum(p.values()) - p["first_picture"] == s["total"] and p["unaccounted"] < s["total"]
END
end_process "$server"

echo "--- a session that was to log off and did not is said"
serve "$BIN/tests/logon-server" logon
load_port 0 "${storm[@]}" --end logoff --until logon
expect 2 '"error":"ok".*"detail":"the server did not log it off".*"not_logged_off":true'
says 'not logged off by the server within 10 s, and disconnected: 2'

echo "--- what a run knows is in its file, whatever ends it"
# begin OPTION...: a run that goes on, in a process group of its own, as $run; until sessions are held.
begin() {
	rm -f "$run_file"
	: >"$WORK/lines"
	setsid env --default-signal=INT,TERM "$LOAD" run "127.0.0.1:$port" -u 'lab%04d' --security tls \
		--password-file "$WORK/password" --out "$run_file" "$@" >"$WORK/report" 2>"$WORK/lines" &
	run=$!
	started+=("$run")
	wait_until $PATIENCE grep -qF '  held 4  ' "$WORK/lines" || fail "nothing is held: $(cat "$WORK/lines")"
}
finish() { # STATUS
	local status=0
	wait_until $PATIENCE ended "$run" || fail "it does not end"
	wait "$run" || status=$?
	[ $status = "$1" ] || fail "status $status, not $1: $(cat "$WORK/lines" "$WORK/report")"
}
storm=(--storm 4 --hold 100s)
begin "${storm[@]}"
kill -TERM -"$run" # its workers get it too
kill -TERM "$run" || true # and it gets it twice, as from timeout, unless it has ended by then
finish 130
expect 4 '"error":"ok".*"total":[0-9]+'
begin "${storm[@]}"
worker=$(descendants "$run" | head -n 1)
kill -KILL "$worker"
wait_until $PATIENCE grep -q '"error":"local"' "$run_file" || fail "a killed worker's sessions are not in the file"
kill -INT "$run"
finish 130
expect 4 '"user":"lab000[1-4]".*"phases":.*"first_picture":[0-9]+.*"total":[0-9]+'
grep -q '"error":"local".*"held":[0-9]*.*"detail":"its worker ended"' "$run_file" || fail "$(cat "$run_file")"
begin "${storm[@]}"
worker=$(descendants "$run" | head -n 1)
kill -STOP "$worker"
kill -TERM "$run"
finish 130
expect 4 '"type":"session".*"total":[0-9]+'
grep -q '"error":"interrupted".*"held":[0-9]*.*"detail":"not waited for"' "$run_file" || fail "$(cat "$run_file")"
ended "$worker" || fail "a stopped worker is left"
# one that stops while it makes ready what a storm needs
setsid "$LOAD" run "127.0.0.1:$port" -u lab --security tls --password-file "$WORK/password" --storm 2000 \
	>"$WORK/report" 2>"$WORK/lines" &
run=$!
started+=("$run")
has_workers() { descendants "$run" | grep -q .; }
wait_until $PATIENCE has_workers || fail "it has no workers"
worker=$(descendants "$run")
kill -STOP $worker
kill -TERM "$run"
finish 130
for i in $worker; do
	ended "$i" || fail "a stopped worker is left"
done
begin "${storm[@]}" --end logoff
kill -INT "$run"
sleep 0.3
kill -INT "$run"
finish 130
expect 4 '"error":"interrupted".*"first_picture":[0-9]+.*"total":[0-9]+'

echo "--- one signal ends any plan, and what that still had is a figure"
# ends_at_once STARTS SIGNAL OPTION...
ends_at_once() {
	local made
	begin "${@:3}" --max-live 4 --hold 100s
	kill -"$2" "$run"
	finish 130
	expect 4 '"type":"session"'
	made=$(lines '"type":"(session|missed)"')
	expect 1 "\"type\":\"end\".*\"interrupted\":true.*\"not_started\":$(($1 - made))[,}]"
	says "interrupted, $(($1 - made)) starts of its plan not made"
}
ends_at_once $((24 * 3600 * 50)) TERM --rate 50/s --duration 24h
ends_at_once $((60 * 1000000)) INT --rate 1000000/s --duration 60s # nor does it hear of it late

echo "--- a plan of less than one start makes that one"
load 0 "127.0.0.1:$port" -u lab --password-file "$WORK/password" --security tls --rate 1/h --duration 1ms --out "$run_file"
expect 1 '"type":"session"'
says 'planned 1, made 1,'

echo "--- tries of a search have users and a plan of their own"
load 0 "127.0.0.1:$port" -u 'lab%d' --password-file "$WORK/password" --security tls --out "$run_file" \
	--max-search --seed 3 --rate 2/s --duration 1s --hold 1s --max-live 4 --threshold 'fail<1%'
grep -h -o '"user":"lab[0-9]*"' "$run_file".* >"$WORK/users"
[ "$(sort "$WORK/users" | uniq -d | wc -l)" = 0 ] || fail "tries share users: $(sort "$WORK/users" | uniq -d)"
highest=$(tr -dc '0-9\n' <"$WORK/users" | sort -n | tail -n 1)
turns=$(grep -h '"type":"run"' "$run_file".* | sed -E 's/.*"planned":([0-9]+).*/\1/' | awk "{ sum += \$1 } END { print sum }")
[ "$highest" -le "$turns" ] || fail "user $highest of $turns is nobody's turn"
! grep -q '^sessions came back' "$WORK/report" || fail "users that are enough: $(cat "$WORK/report")"
for i in 1 2 3 4; do echo secret; done >"$WORK/passwords"
chmod 600 "$WORK/passwords"
search=(--security tls --max-search --rate 4/s --duration 1s --max-live 4 --threshold 'fail>50%') # 4, 2 and 1 start
load 99 "127.0.0.1:$port" -u lab --password-file "$WORK/password" "${search[@]}"
says '^sessions came back: 7 starts had 1 user,'
load 99 "127.0.0.1:$port" -u 'lab%d' --password-file "$WORK/passwords" "${search[@]}"
says '^sessions came back: 7 starts had 4 users,'
load 0 "127.0.0.1:$port" -u lab --password-file "$WORK/password" --security tls --rate 2/s --duration 1s
says '^sessions came back: 2 starts had 1 user,'
grep -q '"plan":"4/s"' "$run_file.2" || fail "the second try's plan is not its own: $(head -n 1 "$run_file.2")"
end_process "$server"

echo "--- all addresses of a name are tried"
# (The C library sorts them, but not those that are equally far from 127.0.0.1.)
LISTEN=127.0.0.6 serve "$BIN/tests/logon-server" logon
cp -a /etc "$WORK/etc" 2>/dev/null || true # (an empty machine has no file to put another over; some are root's alone)
printf '127.0.0.%d several.test\n' 4 5 6 7 >"$WORK/etc/hosts"
cat >"$WORK/elsewhere" <<END
#!/bin/sh
exec unshare $([ "$(id -u)" = 0 ] || echo -r) -m sh -c 'mount --bind "$WORK/etc" /etc && exec "\$@"' sh "$LOAD" "\$@"
END
chmod +x "$WORK/elsewhere"
LOAD=$WORK/elsewhere load 0 "several.test:$port" -u lab --password-file "$WORK/password" --security tls --out "$run_file" \
	--storm 4
expect 4 '"error":"ok"'
LOAD=$WORK/elsewhere load 0 "several.test:$port" -u lab --password-file "$WORK/password" --security tls --out "$run_file" \
	--storm 1 --connect-from 127.0.0.3
expect 1 '"error":"ok"'
end_process "$server"
LOAD=$WORK/elsewhere load 1 "several.test:$port" -u lab --password-file "$WORK/password" --security tls --out "$run_file" \
	--storm 1
expect 1 '"error":"refused"'
