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
word late-no 1 '"error":"logon".*"total":[0-9]+.*"failed_in":"logon","detail":"while it was held: .*NO_PERMISSION' --hold 5s
says '^  logon +2  the logon was refused'

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
