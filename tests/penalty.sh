#!/bin/bash
# What failed logons cost their address, with real clients from several addresses of the loopback
# network: after a few it is let in no more, whether it has the right password or not, while others
# are; the cause is counted, logged and an event; time and the configuration let it in again. And
# who has no credentials gets a part of the logon prompts.
#
#   tests/penalty.sh BUILD
. "$(dirname "$0")/lib.sh" "$1"

load() { # ADDRESS ARGUMENT...: a client that comes from there
	"$BIN/tests/rdp-load" "${MUSESS_ADDRESS##*:}" "${@:2}" -b "$1" >>"$OUT/clients.log" 2>&1
}

# counted CAUSE: how many were refused for it.
counted() {
	musessctl stats --json | python3 -SEc 'import json, sys
print(json.load(sys.stdin)["refusals"].get(sys.argv[1], 0))' "$1"
}

is_counted() { # CAUSE NUMBER
	[ "$(counted "$1")" -ge "$2" ]
}

has_event() { # ID ADDRESS
	grep -qF "\"id\":$1,\"level\":4,\"session\":null" "$STATE/events.jsonl" &&
		grep -F "\"id\":$1," "$STATE/events.jsonl" | grep -qF "\"Param1\":\"$2\""
}

lets_in() { # ADDRESS
	load "$1" "$MUSESS_USER" "$MUSESS_PASSWORD"
}

# failures ADDRESS NUMBER [ARGUMENT]: so many wrong passwords, one after the other.
failures() {
	local i before
	before=$(counted credentials)
	for ((i = 1; i <= $2; i++)); do
		! load "$1" "$MUSESS_USER" wrong "${@:3}" || fail "a wrong password is right"
		wait_until $PATIENCE is_counted credentials $((before + i)) ||
			fail "failure $i of $1 was not counted: $(musessctl stats)"
	done
}

# A wrong password, and then the right one is no good. Where the client took longer than its address
# had to wait, once more: the wait is twice as long with each.
fails_then_waits() {
	! load "$1" "$MUSESS_USER" wrong "${@:2}" || fail "a wrong password is right"
	! lets_in "$1"
}

is_kept_out() { # ADDRESS [ARGUMENT]
	wait_until 200 fails_then_waits "$@" || fail "$1 does not have to wait: $(musessctl stats)"
}

configure() { # OPTION...
	printf '%s\n' '[Listener]' "$@" '[Sessions]' "${config[@]}" >"$WORK/musess.conf"
	musessctl reload >>"$OUT/reload.log" || fail "reload: $(<"$OUT/reload.log")"
}

config=('IdleWinStationPoolCount = 0' 'MaxInstanceCount = 16')
start_musess
echo "== NLA: five are free, and one more is not"
failures 127.0.0.2 5 -a
lets_in 127.0.0.2 || fail "it has to wait after five failures already"
is_kept_out 127.0.0.2 -a
wait_until $PATIENCE has_event 1012 127.0.0.2 || fail "no event 1012"
is_counted penalty 1 || fail "nobody was refused for a penalty"

echo "== TLS: a flood"
! load 127.0.0.3 "$MUSESS_USER" wrong -n 60 -c 30 || fail "a wrong password is right"
failed=$(counted credentials)
[ "$failed" -le 40 ] || fail "$failed passwords were looked at, of 60 that came at a time"
is_kept_out 127.0.0.3
wait_until $PATIENCE has_event 1012 127.0.0.3 || fail "no event 1012"
grep -q '127\.0\.0\.3:[0-9]*: too many logons have failed: nobody is let in from there for [0-9]* s' \
	"$musess_log" || fail "no line of the log"

echo "== others do not wait"
lets_in 127.0.0.4 || fail "another address is kept out"

echo "== time lets it in again"
wait_until 100 lets_in 127.0.0.3 || fail "it is kept out for good"

echo "== exempt, and none"
is_kept_out 127.0.0.3
configure 'LogonPenaltyExempt = 192.0.2.1 127.0.0.0/30'
lets_in 127.0.0.3 || fail "it waits though it is exempt"
configure
is_kept_out 127.0.0.3
configure 'LogonPenaltyMax = none'
lets_in 127.0.0.3 || fail "it waits though nobody has to"

echo "== logon prompts: four, and two for an address"
before=$(counted prompts)
load 127.0.0.5 '' '' -n 2 -c 2 -k 30 &
started+=("$!")
two_prompts() {
	[ "$(musessctl list | grep -c 'rdp-tcp#')" = 2 ]
}
wait_until $PATIENCE two_prompts || fail "two prompts: $(musessctl list)"
! load 127.0.0.5 '' '' || fail "one address has three prompts of four"
[ "$(counted prompts)" = $((before + 1)) ] || fail "the third prompt: $(musessctl stats)"
load 127.0.0.6 '' '' || fail "another address has no prompt"
stop_musess
