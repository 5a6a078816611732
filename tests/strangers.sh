#!/bin/bash
# What those cost who have no account, and what others notice of it: counted, not timed.
#
#   tests/strangers.sh BUILD
. "$(dirname "$0")/lib.sh" "$1"

load() { # ADDRESS ARGUMENT...: a client that comes from there
	"$BIN/tests/rdp-load" "${MUSESS_ADDRESS##*:}" "${@:2}" -b "$1"
}

start_musess
echo "== a picture that is asked for again and again"
load 127.0.0.2 '' '' -r 20 -k 5 >"$OUT/refresh.log" || fail "$(cat "$OUT/refresh.log")"
cat "$OUT/refresh.log"
stop_musess
