#!/bin/bash
# musessload against servers that are not musess: Debian's xrdp with Xorg sessions, and FreeRDP's
# shadow server, which shows one desktop to all. They run in namespaces of their own, with users that exist
# there alone, and end with them.
#
#   tests/load-others.sh BUILD
set -euo pipefail
. "$(dirname "$0")/xrdp-lib.sh"
[ "${1-}" = inside ] || alone "$0" "$@"
shift
own_tmp "$1"
. "$(dirname "$0")/lib.sh" "$1"
LOAD=$BIN/musessload

for program in xrdp xrdp-sesman Xorg freerdp-shadow-cli3; do
	command -v $program >/dev/null || fail "$program is not installed: tools/dependencies test"
done

count() { # FILE PATTERN
	grep -c -- "$2" "$1" || true
}

# ---- xrdp

make_users 6
start_xrdp
(umask 077 && echo secret >"$WORK/password")
"$LOAD" run 127.0.0.1:4489 -u load%d --password-file "$WORK/password" --security tls \
	--storm 6 --hold 2s --until shell --out "$OUT/xrdp.jsonl" \
	--threshold 'fail<1%' || fail "xrdp: status $?"
[ "$(count "$OUT/xrdp.jsonl" '"error":"ok"')" = 6 ] || fail "xrdp: not all sessions are good"
[ "$(ps -e -o comm= | grep -c '^Xorg')" = 6 ] || fail "xrdp: no Xorg for each user: $(ps -e -o comm=)"

# what docs/load-testing.md says of xrdp: it shows its prompt to a user whom it refuses, and says nothing. (Should this
# fail, xrdp has learnt it: so much the better, and the documentation is to be changed.)
(umask 077 && echo wrong >"$WORK/wrong")
xrdp_once() { # OPTION...
	"$LOAD" run 127.0.0.1:4489 -u load1 --security tls --storm 1 --hold 3s --out "$OUT/xrdp.jsonl" "$@"
}
xrdp_once --password-file "$WORK/wrong" || fail "xrdp: a refused logon shows no picture, or is said"
! xrdp_once --password-file "$WORK/wrong" --until logon --deadline 5s ||
	fail "xrdp: a refused logon is one"
[ "$(count "$OUT/xrdp.jsonl" '"error":"deadline".*"failed_in":"logon"')" = 1 ] ||
	fail "xrdp: $(cat "$OUT/xrdp.jsonl")"

# ---- FreeRDP's shadow server

start_x shadow
DISPLAY=${display_of[shadow]} freerdp-shadow-cli3 /port:4490 /sec:tls -auth >"$OUT/shadow.log" 2>&1 &
started+=("$!")
wait_until $PATIENCE listens 4490 || fail "the shadow server does not listen: $(tail -n 5 "$OUT/shadow.log")"
"$LOAD" run 127.0.0.1:4490 -u load --password-file "$WORK/password" --security tls \
	--concurrency 2 --count 6 --hold 500ms --out "$OUT/shadow.jsonl" || fail "shadow: status $?"
[ "$(count "$OUT/shadow.jsonl" '"error":"ok"')" = 6 ] || fail "shadow: not all sessions are good"
echo "xrdp and FreeRDP's shadow server: all good"
