#!/bin/bash
# Clients that do not do what they should, too many at once, and the service's processes killed:
# that is ended or refused, and everybody else served.
#
#   tests/bad-input.sh BUILD       as root; MUSESS_STORM=1000: how many come at once (300)
. "$(dirname "$0")/lib.sh" "$1"
. "$(dirname "$0")/sm-lib.sh"
. "$(dirname "$0")/bad-lib.sh"

# Milliseconds until logon in the service that is tested, and how late its end may be.
TIMEOUT=2000 LATE=1000
# All at once; a sanitizer's build needs more time for each.
STORM=${MUSESS_STORM-300} REPAIR=1500
if [ $sanitizer = yes ]; then
	STORM=${MUSESS_STORM-100} REPAIR=3000 TIMEOUT=6000 LATE=4000
fi

# still_works NAME: what is typed is run, and seen.
typed=1000
still_works() {
	typed=$((typed + 1))
	! ended "${pid_of[$1]}" || fail "$1: the client has ended"
	type_line "$1" "echo \$(($typed + 1000))x"
	wait_for_text "$1" "^$((typed + 1000))x *\$" "${2-$PATIENCE}"
}

# ---- what is closed, and when

# Silent ones have their time; the others may be found out before it is over.
all_closed_in_time() {
	local kind
	for kind; do
		case $kind in
		*rubbish | half-close) closed_within 0 $((TIMEOUT + LATE)) "$OUT/bad-$kind" ;;
		*) closed_within $((TIMEOUT - 20)) $((TIMEOUT + LATE)) "$OUT/bad-$kind" ;;
		esac
	done
	cat "${@/#/$OUT/bad-}"
}

no_whole_packet() {
	local kinds=(silent rubbish half half-close slow) before
	echo "== no whole first packet"
	before=$(workers)
	[ "$(wc -l <<<"$before")" = $((WARM + 1)) ] || fail "workers: $before"
	start_bad 20 "${kinds[@]}"
	while any_bad; do
		[ "$(workers)" = "$before" ] || fail "a worker was spent"
		sessions_are 1 || fail "a session was spent"
	done
	wait "${bad[@]}"
	all_closed_in_time "${kinds[@]}"
	[ "$(workers)" = "$before" ] || fail "a worker was spent"
}

stops_in_handshake() {
	local kinds=(request tls-half tls-rubbish nla nla-half nla-rubbish mcs mcs-half mcs-rubbish)
	echo "== stops inside TLS, NLA or MCS"
	start_bad 5 "${kinds[@]}"
	wait_until 2 workers_come $((2 * WARM)) || fail "they did not get as far as a worker"
	sessions_are 1 || fail "a session was spent"
	wait "${bad[@]}"
	all_closed_in_time "${kinds[@]}"
	wait_until 5 has_workers $((WARM + 1)) || fail "workers are left: $(worker_count)"
	! sed "1,${log_lines}d" "$musess_log" | grep 'session .* has started' ||
		fail "a session was spent"
}

# stops_at [option of rdp-load]: at each packet in turn, until there is a picture.
stops_at() {
	local k first=0 pids=()
	for k in {2..18}; do
		# users of their own: nobody is taken over
		"$BUILD/bin/tests/rdp-load" "${MUSESS_ADDRESS##*:}" "$MUSESS_USER-$k-%d" "$MUSESS_PASSWORD" \
			-n 2 -c 2 -s "$k" "$@" >"$OUT/stops-at-$k" &
		pids+=("$!")
	done
	for k in {2..18}; do
		wait "${pids[k - 2]}" && [ $first = 0 ] || { [ $first != 0 ] || first=$k; }
	done
	[ $first -ge 9 ] || fail "packet $first: $(cat "$OUT/stops-at-$first")"
	grep -q '^0 of' "$OUT/stops-at-$first" || fail "packet $first: $(cat "$OUT/stops-at-$first")"
	for ((k = 2; k < first; k++)); do
		awk -v from=$((TIMEOUT - 20)) -v to=$((TIMEOUT + LATE)) '
			{ for (i = 1; i <= NF; i++) { if ($i == "min") min = $(i + 1); if ($i == "max") max = $(i + 1) } }
			END { exit !($1 == 2 && min >= from && max <= to) }' "$OUT/stops-at-$k" ||
			fail "stopped at packet $k: $(cat "$OUT/stops-at-$k")"
	done
	echo "packets 2 to $((first - 1)): closed in time"
	wait_until 5 has_workers $((WARM + 1)) || fail "workers are left: $(worker_count)"
	wait_until 5 sessions_are 1 || fail "a session is left"
}

# slowest_of COUNT: how long the slowest of COUNT clients, one after the other, took to its
# first picture, in ms.
slowest_of() {
	load -n "$1" -c 1 >"$OUT/slowest.log" || fail "a client is not served: $(cat "$OUT/slowest.log")"
	sed -n 's/.* max \([0-9]*\)\..*/\1/p' "$OUT/slowest.log"
}

# The same of clients that come while the bad ones stall: once the 200 handshakes are over, which
# take a processor their time, and before the first is given up.
slowest_meanwhile() { # BOUND: one below it will do
	local took best=''
	while any_bad && [ "${best:-$1}" -ge "$1" ]; do
		took=$(slowest_of 5)
		! any_bad || [ "${best:-$took}" -lt "$took" ] || best=$took
	done
	echo "$best"
}

# others_are_served USUAL BOUND: in less than BOUND ms, meanwhile.
others_are_served() {
	local slowest
	slowest=$(slowest_meanwhile "$2")
	echo "a client takes $slowest ms meanwhile, $1 ms usually"
	[ "$slowest" ] || fail "the 200 were gone too soon to prove anything"
	[ "$slowest" -lt "$2" ] || fail "others notice it: $slowest ms"
}

many_stall() {
	local usual kind
	usual=$(slowest_of 5)
	for kind in tls-half nla-half; do
		echo "== 200 stall: $kind"
		start_bad 200 $kind
		wait_until 2 workers_come $((2 * WARM)) || fail "they did not get as far as a worker"
		still_works stays
		others_are_served "$usual" $((3 * usual + 1000))
		wait "${bad[@]}"
		# the last have waited for a worker before: 24 are served at a time, and count for half a
		# second each where FreeRDP polls
		closed_within $((TIMEOUT - 20)) $((TIMEOUT + 5 * LATE)) "$OUT/bad-$kind"
		cat "$OUT/bad-$kind"
		wait_until 5 has_workers $((WARM + 1)) || fail "workers are left: $(worker_count)"
	done
}

# One address keeps as many workers busy as it can: another's clients get their turn.
one_hogs() {
	local usual
	echo "== 200 of one address drip"
	usual=$(slowest_of 5)
	"$BUILD/bin/tests/bad-client" "${MUSESS_ADDRESS##*:}" tls-drip 200 127.0.0.2 >"$OUT/bad-tls-drip" &
	bad=("$!")
	started+=("$!")
	wait_until 2 workers_come $((2 * WARM)) || fail "they did not get as far as a worker"
	others_are_served "$usual" $((3 * usual + 500))
	wait "${bad[@]}"
	wait_until 5 has_workers $((WARM + 1)) || fail "workers are left: $(worker_count)"
}

# The clients of a storm want the processors too: a slow machine takes minutes, and most of each
# one's deadline is over before it sends its first packet.
storm() {
	echo "== $STORM at once"
	(umask 077 && printf '%s\n' "$MUSESS_PASSWORD" >"$WORK/password")
	"$BUILD/bin/musessload" run "127.0.0.1:${MUSESS_ADDRESS##*:}" -u "${MUSESS_USER}%05d" \
		-p "$WORK/password" --security tls --storm "$STORM" --max-live "$STORM" --deadline 300s \
		--end disconnect >"$OUT/storm.log" 2>&1 || fail "not all of $STORM at once were served: $(cat "$OUT/storm.log")"
	grep -E '^sessions|^total' "$OUT/storm.log"
	wait_until $PATIENCE sessions_are 1 || fail "sessions are left"
	still_works stays
}

# The deadline where none is configured.
by_default() {
	echo "== 10 s by default"
	start_musess
	start_bad 2 silent tls-half
	wait "${bad[@]}"
	for kind in silent tls-half; do
		closed_within 9980 11000 "$OUT/bad-$kind"
		cat "$OUT/bad-$kind"
	done
	stop_musess
}

# ---- something is killed

# The inode numbers of the sockets of PID.
sockets_of() {
	find "/proc/$1/fd" -lname 'socket:*' -printf '%l\n' 2>/dev/null | tr -dc '0-9\n'
}

# worker_of PID: the worker that serves the client PID.
worker_of() {
	local inode worker
	inode=$(awk -v own="$(sockets_of "$1" | tr '\n' ' ')" -v port="$(printf %04X "${MUSESS_ADDRESS##*:}")" '
		BEGIN { split(own, list); for (i in list) is_own[list[i]] = 1 }
		function port_of(address) { sub(/.*:/, "", address); return address }
		$10 in is_own && port_of($3) == port { client = port_of($2) }
		port_of($2) == port { server[port_of($3)] = $10 }
		END { print server[client] }' /proc/net/tcp /proc/net/tcp6)
	for worker in $(processes_named rdpwd); do
		! sockets_of "$worker" | grep -qx "${inode:-none}" || echo "$worker"
	done
}

process_of() { # csrss|winlogon ID
	musessctl show "$2" --json | sed -n "s/.*\"$1_pid\": \([0-9]*\),/\1/p"
}

painted_session() {
	session_exists "$1" && ps -o pid= --ppid "$(process_of winlogon "$1")" >/dev/null
}

# one_is_killed WHAT: in session 2, whose client is told or closed.
one_is_killed() {
	local client victim
	echo "== killed: $1 of a session"
	# not through load: the process id would be that of a shell
	"$BUILD/bin/tests/rdp-load" "${MUSESS_ADDRESS##*:}" "${MUSESS_USER}%d" "$MUSESS_PASSWORD" -k 60 \
		>"$OUT/killed-$1.log" &
	client=$!
	started+=("$client")
	wait_until $PATIENCE painted_session 2 || fail "no session 2"
	case $1 in
	rdpwd) victim=$(worker_of "$(ps -o pid= --ppid $client | tr -d ' ')") ;;
	shell) victim=$(ps -o pid= --ppid "$(process_of winlogon 2)") ;;
	*) victim=$(process_of "$1" 2) ;;
	esac
	[ "$victim" ] || fail "no $1"
	kill -KILL $victim
	wait_until 5 session_gone 2 || fail "$1 is gone, its session is not"
	wait_until 5 ended $client || fail "$1 is gone, its client is not"
	! wait $client || fail "$1 is gone, and its client says all was well"
	wait_until 5 has_workers $((WARM + 1)) || fail "workers are left: $(worker_count)"
	still_works stays
}

# service_is_killed NAME PID: sessions stay, and within a second and the time of its own
# spin-up the next client has its picture.
service_is_killed() {
	local begin took
	echo "== killed: $1"
	[[ $2 =~ ^[\ 0-9]+$ ]] || fail "no process of $1"
	begin=$(now_ms)
	kill -KILL $2
	wait_until 1 ended $2 || fail "it cannot be killed"
	wait_until 5 serves_again || fail "nobody is served without $1"
	took=$(($(now_ms) - begin))
	echo "the next client has its picture after $took ms"
	[ $took -lt $REPAIR ] || fail "the next client was served after $took ms"
	still_works stays
	wait_until 5 has_workers $((WARM + 1)) || fail "workers are left: $(worker_count)"
	sessions_are 1 || fail "sessions: $(musessctl list)"
}

# termsrv is killed amid logons: no session is left whose client it was to connect.
killed_under_load() {
	local client termsrv i noticed=0
	echo "== killed: termsrv under load"
	for i in 1 2 3 4 5 6 7 8 9; do
		termsrv=$(main_of termsrv)
		"$BUILD/bin/tests/rdp-load" "${MUSESS_ADDRESS##*:}" "${MUSESS_USER}%d" "$MUSESS_PASSWORD" \
			-n 400 -c 30 >"$OUT/under-load.log" &
		client=$!
		started+=("$client")
		# sooner or later: FreeRDP's client comes again where it has had no answer yet, and notices nothing
		sleep 0.$i
		kill -KILL "$termsrv"
		wait $client || noticed=$((noticed + 1))
		wait_until 5 sessions_are 1 || fail "sessions are left: $(musessctl list)"
		wait_until 5 serves_again || fail "nobody is served without termsrv"
		wait_until 5 has_workers $((WARM + 1)) || fail "workers are left: $(worker_count)"
		[ $noticed -lt 3 ] || break
	done
	[ $noticed -gt 0 ] || fail "termsrv was killed, and nobody noticed"
	still_works stays
}

# ---- how the processes that hear the network are locked in

has_nothing() { # NAME PID: no capability, no file
	local set
	for set in CapInh CapPrm CapEff CapAmb; do
		[ "$(status_of "$2" $set)" = 0000000000000000 ] || fail "$1: $set $(status_of "$2" $set)"
	done
	[ "$(status_of "$2" NoNewPrivs)" = 1 ] || fail "$1 may gain privileges"
	[ -z "$(ls -A "/proc/$2/root/")" ] || fail "$1 sees files: $(ls -A "/proc/$2/root/")"
}

has_no_network() { # NAME PID
	local own
	own=$(readlink "/proc/$2/ns/net")
	[ "$own" ] && [ "$own" != "$(readlink /proc/self/ns/net)" ] || fail "$1 has the host's network"
	own=$(nsenter -t "$2" -n cat /proc/net/dev | sed -n 's/^ *\([^ ]*\):.*/\1/p')
	[ "$own" = lo ] || fail "$1 has the interfaces $own"
	! nsenter -t "$2" -n grep -q 127.0.0.1 /proc/net/fib_trie || fail "lo is up for $1"
}

# Another process of the same user cannot look into it. Where an ordinary user runs the
# service, its namespaces are his, and nothing in them can be kept from him.
has_secrets() { # NAME PID
	[ "$(status_of "$musess_pid" Uid | head -n 1)" = 0 ] || return 0
	! setpriv --reuid "$(status_of "$2" Uid | head -n 1)" --clear-groups cat "/proc/$2/environ" \
		>/dev/null 2>&1 || fail "$1 can be looked into"
}

locked_in() {
	local worker namespaces descriptors pid
	echo "== locked in"
	worker=$(worker_of "${pid_of[stays]}")
	[ "$worker" ] || fail "no worker serves the client"
	for pid in $(processes_named rdpwd); do
		has_nothing rdpwd "$pid"
		has_no_network rdpwd "$pid"
		has_secrets rdpwd "$pid"
		[ "$(status_of "$pid" Seccomp)" = 2 ] || fail "rdpwd has no filter of system calls"
		awk '$1 == "NSpid:" && NF == 3 && $3 == 1 { found = 1 } END { exit !found }' \
			"/proc/$pid/status" || fail "rdpwd sees other processes"
	done
	namespaces=$(pid_namespaces $(processes_named rdpwd) | wc -l)
	[ "$namespaces" = $((WARM + 1)) ] || fail "workers share $namespaces namespaces"
	# its events, and three sockets: its client's and the two ports
	descriptors=$(find "/proc/$worker/fd" -type l -not -name '[012]' \
		-not -lname 'socket:*' -not -lname 'anon_inode:\[eventfd\]' -printf '%f %l\n')
	[ -z "$descriptors" ] || fail "rdpwd has descriptors: $descriptors"
	has_no_log "$worker" || fail "rdpwd has the log"
	[ "$(sockets_of "$worker" | wc -l)" = 3 ] || fail "rdpwd has sockets: $(sockets_of "$worker")"
	[ "$(status_of "$(main_of termsrv)" Seccomp)" = 2 ] || fail "termsrv has no filter of system calls"
	for name in termsrv lsass; do
		has_nothing $name "$(main_of $name)"
		has_secrets $name "$(main_of $name)"
	done
	has_no_network lsass "$(main_of lsass)"
}

# As an ordinary user.
locked_in_user() {
	limited --core=0
	connect stays xfreerdp3-nla-32
	wait_for_prompt stays
	wait_until 5 has_workers $((WARM + 1)) || fail "there are $(worker_count) workers"
	locked_in
	type_line stays exit
	wait_for_end stays $PATIENCE
	stop_musess TERM
}

copy_programs
BIN=$WORK/bin
by_default
locked_in_user
BIN=$WORK/bin
ln -s "$BUILD/bin/tests" "$BIN/tests" # for lib.sh
config+=('[Listener]' "LogonTimeout = ${TIMEOUT}ms")
start_musess
connect stays xfreerdp3-nla-32
wait_for_prompt stays
wait_until 5 has_workers $((WARM + 1)) || fail "there are $(worker_count) workers"
locked_in
log_lines=$(wc -l <"$musess_log")
no_whole_packet
stops_in_handshake
echo "== stops during activation"
stops_at
stops_at -a
many_stall
one_hogs
for process in csrss winlogon shell rdpwd; do
	one_is_killed $process
done
service_is_killed termsrv "$(main_of termsrv)"
service_is_killed lsass "$(main_of lsass)"
service_is_killed nursery "$(nursery)"
killed_under_load
type_line stays exit
wait_for_end stays $PATIENCE
stop_musess
config[-1]='LogonTimeout = 60s'
start_musess
connect stays xfreerdp3-nla-32
wait_for_prompt stays
storm
type_line stays exit
wait_for_end stays $PATIENCE
stop_musess
echo "what is bad is ended or refused, and nobody else notices"
