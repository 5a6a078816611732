#!/bin/bash
# Clients whose packets are wrong, against the service as it ships: workers, their sandbox, their warmed
# parent. No worker may be ended by a signal, and whoever comes next is served.
#
#   tests/fuzz-rdp.sh BUILD
#
#   FUZZ_RDP_CONNECTIONS=300   with TLS, and as many with NLA
#   FUZZ_RDP_SEED=1            another makes other packets; the same, the same
. "$(dirname "$0")/lib.sh" "$1"
. "$(dirname "$0")/bad-lib.sh"
count=${FUZZ_RDP_CONNECTIONS-300} seed=${FUZZ_RDP_SEED-1}

# fuzz NAME [OPTION...]: some get as far as a picture, and some do not, or nothing was tried.
fuzz() {
	local name=$1 painted
	shift
	load -n "$count" -c 10 -f "$seed" "$@" >"$OUT/$name.log" || fail "$name: $(cat "$OUT/$name.log")"
	echo "$name: $(cat "$OUT/$name.log")"
	read -r painted _ <"$OUT/$name.log"
	[ "$painted" -gt 0 ] && [ "$painted" -lt "$count" ] || fail "$name: $painted of $count have a picture"
}

# what is changed may be a password: nobody waits for that (tests/penalty.sh)
limits=('[Listener]' 'LogonPenaltyMax = none')
start_musess
before=$(nursery)
fuzz tls
fuzz nla -a
serves
! grep -E 'was ended by signal|has ended \(' "$musess_log" || fail "a process was ended by what a client sent"
[ "$(nursery)" = "$before" ] || fail "the nursery was started again"
stop_musess
