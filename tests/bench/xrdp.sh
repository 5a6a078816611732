#!/bin/bash
# Debian's xrdp with Xorg sessions and musess, one after the other, each with the same load: clients that
# come at one instant, until each has the last picture of a session that starts. As root.
#
#   tests/bench/xrdp.sh BUILD       SESSIONS=20
set -euo pipefail
. "$(dirname "$0")/../xrdp-lib.sh"
[ "${1-}" = inside ] || alone "$0" "$@"
shift
own_tmp "$1"
. "$(dirname "$0")/../lib.sh" "$1"
SESSIONS=${SESSIONS-20}

# have_displays: as many sessions have an X server that xrdp is connected to. A picture at rest is no sign of
# that: xrdp shows its own while it waits.
have_displays() {
	[ "$(find /run/xrdp/sockdir -name 'xrdp_display_*' | wc -l)" -ge "$SESSIONS" ]
}

# rate NAME PORT USER [CONDITION]: sessions per second, into rate_of[NAME]: when the last one's picture was
# there, and CONDITION true.
declare -A rate_of
rate() {
	local load until=0
	"$BIN/musessload" run "127.0.0.1:$2" -u "$3" --password-file "$WORK/password-$1" --security tls \
		--storm "$SESSIONS" --until shell --deadline 300s --hold 10s --out "$WORK/$1.jsonl" >"$WORK/$1.txt" 2>&1 &
	load=$!
	started+=("$load")
	if [ "${4-}" ]; then
		wait_until 120 "$4" || fail "$1: not all sessions come: $(find /run/xrdp /tmp/.X11-unix; ps -e -o comm= | sort | uniq -c)"
		until=$(date +%s%6N)
	fi
	wait $load || fail "$1: $(cat "$WORK/$1.txt")"
	rate_of[$1]=$(jq -s --argjson n "$SESSIONS" --argjson until "$until" '
		(.[] | select(.type == "run") | .epoch_us) as $begin
		| ([.[] | select(.type == "session") | .started + .total] | max) as $last
		| $n / ([$last, $until - $begin] | max) * 1e6' "$WORK/$1.jsonl")
	printf '  %-12s %s sessions, %.2f a second\n' "$1" "$SESSIONS" "${rate_of[$1]}"
}

make_users "$SESSIONS"
start_xrdp
config+=('[Limits]' 'MaxDisconnectionTime = 1ms')
start_musess
(
	umask 077
	echo secret >"$WORK/password-xrdp"
	printf '%s\n' "$MUSESS_PASSWORD" >"$WORK/password-musess"
)
rate xrdp 4489 load%d have_displays
rate musess "${MUSESS_ADDRESS##*:}" lab%d
awk -v a="${rate_of[musess]}" -v b="${rate_of[xrdp]}" 'BEGIN { printf "  %.1f times as many\n", a / b }'
