#!/bin/bash
# What a logon comes to, by what it is and not by where it was found: a failed one is counted as
# such, has Windows' two events and a line of the log, whether NLA, TLS or lsass found it, and
# whether the name is unknown or cannot be one. And a name with a domain is a name.
#
#   tests/logon.sh BUILD
. "$(dirname "$0")/lib.sh" "$1"

load() {
	"$BIN/tests/rdp-load" "${MUSESS_ADDRESS##*:}" "$@" >>"$OUT/clients.log" 2>&1
}

# refusals: each cause with its number, as "credentials=3".
refusals() {
	musessctl stats --json | python3 -SEc 'import json, sys
for cause, count in json.load(sys.stdin)["refusals"].items():
    if count:
        print(f"{cause}={count}", end=" ")'
}

refusals_are() {
	[ "$(refusals)" = "$1" ]
}

# failures: the users of events 4625, as NAME@DOMAIN, and how many events 140 there are.
failures() {
	python3 -SE - "$STATE/events.jsonl" <<-'END'
		import json, sys
		events = [json.loads(line) for line in open(sys.argv[1])]
		for e in events:
		    if e["id"] == 4625:
		        d = e["data"]
		        print(d["TargetUserName"], d["TargetDomainName"], d["IpAddress"], d["Status"])
		print(sum(e["id"] == 140 for e in events))
	END
}

failed=0 expected=
# fails USER COMMAND...: a logon that fails as USER.
fails() {
	local user=$1
	shift
	failed=$((failed + 1))
	expected+="$user 127.0.0.1 0xc000006d"$'\n'
	! "$@" >>"$OUT/clients.log" 2>&1 || fail "logged on: $*"
	wait_until $PATIENCE refusals_are "credentials=$failed " ||
		fail "$*: these were counted, not credentials=$failed: $(refusals)"
	[ "$(failures)" = "$expected$failed" ] || fail "$*: these events were written: $(failures)"
	[ "$(grep -c 'logon failed for user' "$musess_log")" = $failed ] || fail "$*: no line of the log"
}

# here nobody waits for having failed (tests/penalty.sh)
limits=('[Listener]' 'LogonPenaltyMax = none')
start_musess
musessctl account add other <<<"$MUSESS_PASSWORD" >/dev/null
long=$(printf 'n%.0s' {1..200})
echo "== failed logons"
fails "$MUSESS_USER " load "$MUSESS_USER" wrong
fails "$MUSESS_USER " load "$MUSESS_USER" wrong -a
fails 'nobody ' load nobody wrong
fails 'nobody ' load nobody wrong -a
fails "${long:0:127} " load "$long" wrong
fails "${long:0:127} " load "$long" wrong -a
fails "$MUSESS_USER " load "$MUSESS_USER" "${long//n/ä}"
fails 'with-a-control-?? ' load $'with-a-control-\xc2\x85' wrong
fails 'with-a-control-?? ' load $'with-a-control-\xc2\x85' wrong -a
fails 'nobody@corp.example ' load nobody@corp.example "$MUSESS_PASSWORD"
fails 'nobody@corp.example ' load nobody@corp.example "$MUSESS_PASSWORD" -a

echo "== a message that WinPR writes behind the end of"
fails 'short ' "$(dirname "$0")/short-nla.py" "$MUSESS_ADDRESS"
! grep -q 'was ended by signal' "$musess_log" || fail "a worker was ended by a signal"

echo "== a name with a domain"
for name in "other@corp.example" "CORP\\other"; do
	load "$name" "$MUSESS_PASSWORD" || fail "$name is refused by TLS"
	load "$name" "$MUSESS_PASSWORD" -a || fail "$name is refused by NLA"
done
musessctl users | grep -q '^ *other ' || fail "no user other: $(musessctl users)"
stop_musess
