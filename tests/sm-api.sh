#!/bin/bash
# The session manager without RDP, against a running service: what a session consists of,
# what its end leaves, the SM API spoken raw (sm-api.c), musessctl.
#
#   tests/sm-api.sh BUILD root|user     the service as root, or as an ordinary user
export MUSESS_TEST_OUT=${MUSESS_TEST_OUT:-$1/tests-out/sm-api-$2}
. "$(dirname "$0")/lib.sh" "$1"
. "$(dirname "$0")/sm-lib.sh"
mode=$2

# processes_in NAMESPACE: the ids of all processes in that one ("pid:[1]").
processes_in() {
	find /proc/[0-9]*/ns/"${1%%:*}" -lname "${1/\[/\\[}" 2>/dev/null | cut -d/ -f3 || true
}

# The ids of all processes in process PID's process id namespace.
processes_beside() {
	processes_in "$(readlink "/proc/$1/ns/pid")"
}

namespaces_of() {
	readlink /proc/"$1"/ns/{user,pid,mnt,net,ipc,uts,cgroup}
}

# Each process of csrss CSRSS's session is locked in.
expect_isolation() { # CSRSS COUNT: how many there are at least
	local pid ids count=0
	for pid in $(processes_beside "$1"); do
		count=$((count + 1))
		grep -qx $'NoNewPrivs:\t1' "/proc/$pid/status" || fail "$pid: no_new_privs is off"
		grep -qx $'Seccomp:\t2' "/proc/$pid/status" || fail "$pid has no system call filter"
		[ "$(grep -cE '^Cap(Inh|Prm|Eff|Bnd|Amb):.0{16}$' "/proc/$pid/status")" = 5 ] ||
			fail "$pid has capabilities: $(grep ^Cap "/proc/$pid/status")"
		# real, effective, saved and file system's
		ids=$(awk '/^[UG]id:/ { for (i = 2; i <= 5; i++) print $i }' "/proc/$pid/status" | sort -u)
		case $mode in
		root) [ "$(head -n 1 <<<"$ids")" -ge $((0x70000000)) ] ||
			fail "$pid has ids of the host: $ids" ;;
		user) [ "$ids" = "$service_uid" ] || fail "$pid has ids of others: $ids" ;;
		esac
	done
	[ $count -ge "$2" ] || fail "$count processes in the session of $1"
}

expect_child_of_smss() { # PID NAME
	[ "$(status_of "$1" Name)" = "$2" ] || fail "$1 is no $2"
	[ "$(status_of "$1" PPid)" = "$musess_pid" ] || fail "the parent of $2 $1 is not smss"
}

expect_session() { # CSRSS WINLOGON
	expect_child_of_smss "$1" csrss
	expect_child_of_smss "$2" winlogon
	[ "$(status_of "$1" NSpid | tail -n +2)" = 1 ] || fail "csrss is not process 1"
	[ "$(status_of "$2" NSpid | wc -l)" = 2 ] || fail "winlogon is in no or in many namespaces"
	[ "$(namespaces_of "$1")" = "$(namespaces_of "$2")" ] || fail "winlogon is elsewhere"
	expect_isolation "$1" 2
	[ "$(tail -n +3 "/proc/$1/net/dev" | tr -d ' ' | cut -d: -f1)" = lo ] || fail "more than lo"
	nsenter -U -n -t "$1" --preserve-credentials bash -c 'exec 3<>/dev/udp/127.0.0.1/9' ||
		fail "lo is not up"
}

differ() { # LIST OTHER: lines of the same number differ
	! paste -d= <(echo "$1") <(echo "$2") | grep -E '^(.*)=\1$'
}

sessions_are_real() {
	local first second variable
	echo "== two sessions"
	start_session --command 'sleep 1000'
	expect_session "$csrss" "$winlogon"
	first=$csrss
	start_session --command 'sleep 1000'
	expect_session "$csrss" "$winlogon"
	second=$csrss
	wait_until $PATIENCE runs_command "$winlogon" || fail "the command does not run"
	expect_isolation "$second" 3
	for variable in MUSESSIONID=2 USER=system HOME=/home/system TERM=xterm-256color; do
		tr '\0' '\n' <"/proc/$(ps -o pid= --ppid "$winlogon" | tr -d ' ')/environ" |
			grep -xF $variable >/dev/null || fail "the command's environment has no $variable"
	done
	differ "$(namespaces_of $$)" "$(namespaces_of "$first")" || fail "a namespace is the host's"
	differ "$(namespaces_of "$first")" "$(namespaces_of "$second")" || fail "a namespace is shared"
	if [ "$mode" = root ]; then
		[ -z "$(comm -12 <(session_uids "$first") <(session_uids "$second"))" ] ||
			fail "two sessions have a user id in common"
	fi
	musessctl stop 1
	musessctl stop 2
}

session_uids() { # CSRSS
	local pid
	for pid in $(processes_beside "$1"); do
		status_of "$pid" Uid
	done | sort -u
}

everything_left() { # CSRSS: whether leave-much has got that far
	[ -e "/proc/$1/root/tmp/all-left" ] && [ "$(processes_beside "$1" | wc -l)" -ge 9 ]
}

# None of smss's children is in one of these. (Others may have got their numbers since.)
no_child_in() { # NAMESPACES
	local pid
	for pid in $(ps -o pid= --ppid "$musess_pid"); do
		! namespaces_of "$pid" 2>/dev/null | grep -xF "$1" || return 1
	done
}

nothing_is_left() {
	local births namespaces
	echo "== StopCsr leaves nothing"
	remember_traces
	for _ in 1 2 3; do
		start_session --command /opt/musess/bin/leave-much
		wait_until $PATIENCE everything_left "$csrss" || fail "leave-much does not run"
		! same_traces || fail "a session leaves no trace while it runs?"
		births=$(process_births $(processes_beside "$csrss"))
		[ "$(wc -l <<<"$births")" -ge 9 ] || fail "too few processes: $births"
		namespaces=$(namespaces_of "$csrss")
		musessctl stop 1
		# at once: StopCsr is answered when the last one is gone
		is_gone "$births" || fail "StopCsr left processes of $births"
		no_child_in "$namespaces" || fail "StopCsr left a namespace"
		wait_until 5 same_traces || fail "left: $(diff "$WORK/before" "$WORK/after")"
	done
}

short_commands() {
	for _ in {1..50}; do
		musessctl start --command true >/dev/null || return 1
	done
}

# Their end may be there before their beginning was noted: a session that began did not fail.
commands_that_end_at_once() {
	local pid others=()
	echo "== commands that end at once"
	for _ in 1 2 3 4; do
		short_commands &
		others+=($!)
	done
	for pid in "${others[@]}"; do
		wait "$pid" || fail "a command that ends at once was no session"
	done
	wait_until $PATIENCE sessions_are 0 || fail "they stay: $(musessctl list)"
	musessctl stats | grep -qE '^sessions failed +0$' || fail "some failed: $(musessctl stats)"
}

raw_api() {
	echo "== the SM API"
	MUSESS_PID=$musess_pid "$BUILD/bin/tests/sm-api"
	[ "$(grep -c 'does not read what it asked for' "$musess_log")" = 1 ] ||
		fail "one line in the log is enough for one that never reads"
}

# refused STATUS PATTERN ARGUMENT...: musessctl ends with STATUS and says PATTERN.
refused() {
	local expected=$1 pattern=$2 status=0
	shift 2
	musessctl "$@" >"$WORK/out" 2>"$WORK/err" </dev/null || status=$?
	[ $status = "$expected" ] || fail "musessctl $*: status $status: $(cat "$WORK/err")"
	[ ! -s "$WORK/out" ] || fail "musessctl $*: refused, and still an answer"
	grep -qE -- "$pattern" "$WORK/err" || fail "musessctl $*: $(cat "$WORK/err")"
}

# expect PATTERN ARGUMENT...: what musessctl says has a line like that.
expect() {
	local pattern=$1
	shift
	musessctl "$@" >"$WORK/out" || fail "musessctl $*: status $?"
	grep -qE -- "$pattern" "$WORK/out" || fail "musessctl $*: no $pattern in: $(cat "$WORK/out")"
}

# Every process of the service, each with its parent. (Workers come and go.)
ps_is_complete() {
	local pid parent image
	musessctl ps | awk 'NR > 1 { print $(NF - 2), $(NF - 1), $NF }' >"$WORK/ps"
	[ "$(cut -d' ' -f1 "$WORK/ps" | sort)" = "$({
		echo "$musess_pid"
		descendants "$musess_pid"
	} | sort)" ] || return 1
	while read -r pid parent image; do
		[ "$(status_of "$pid" PPid)" = "$parent" ] && [ "$(status_of "$pid" Name)" = "$image" ] ||
			return 1
	done <"$WORK/ps"
}

# The debugger's list has the lines of the transcript's, and a session's processes as they are.
kd_list() {
	local process='PROCESS [0-9a-f]{8} SessionId: (none|[0-9]+) Cid: [0-9a-f]{4,} Peb: [0-9a-f]{8} ParentCid: [0-9a-f]{4,}'
	local table='DirBase: [0-9a-f]{8} ObjectTable: [0-9a-f]{8} HandleCount: [0-9]+\.' pid entry
	musessctl ps --kd >"$OUT/kd"
	! sed 1d "$OUT/kd" | paste - - - | grep -vE "^$process	$table	Image: .+\$" ||
		fail "the lines above do not look like the transcript's"
	[ "$(sed -n 1p "$OUT/kd")" = '**** NT ACTIVE PROCESS DUMP ****' ] || fail "no head: $(head -n 1 "$OUT/kd")"
	for pid in "$csrss" "$winlogon"; do
		entry=$(grep -A2 "Cid: $(printf %04x "$pid") Peb" "$OUT/kd") || fail "no process $pid: $(cat "$OUT/kd")"
		grep -q "SessionId: $session .* ParentCid: $(printf %04x "$musess_pid")\$" <<<"$entry" || fail "$entry"
		grep -q "HandleCount: $(ls "/proc/$pid/fd" | wc -l)\.\$" <<<"$entry" || fail "$entry"
		grep -qx "Image: $(status_of "$pid" Name)" <<<"$entry" || fail "$entry"
	done
}

control() {
	local row
	echo "== musessctl"
	start_session --command 'sleep 1000'
	wait_until $PATIENCE runs_command "$winlogon" || fail "the command does not run"
	expect '^ console +0  Conn +wdcon$' list
	expect '^ +1  Idle$' list
	expect '^ rdp-tcp +65536  Listen +rdpwd$' list
	expect "$csrss" show 1
	expect "$winlogon" show 1
	for row in '"id": 1,' '"state": "Idle",' "\"csrss_pid\": $csrss," '"user": "",' '"width": null,'; do
		expect "^    $row" list --json
		expect "^  $row" show 1 --json
	done
	wait_until $PATIENCE ps_is_complete || fail "ps: $(cat "$WORK/ps")"
	kd_list
	refused 2 '' ps --kd --json
	refused 2 '' list --kd
	for row in smss lsass termsrv; do
		expect "^ +-  +[0-9]+ +[0-9]+  $row\$" ps
	done
	expect "^ +1 +$csrss +$musess_pid  csrss\$" ps
	expect "^ +1 +[0-9]+ +$winlogon  (sh|sleep)\$" ps
	expect "^    \"pid\": $csrss,\$" ps --json
	expect '^  "service": "[0-9.]+"' version --json
	expect '^  "id": 1$' stop 1 --json
	expect '^  "id": 1,' start --json
	musessctl stop 1
	refused 1 'STATUS_OBJECT_NAME_NOT_FOUND' stop 1
	refused 1 'Session ID 1 not found' show 1 --json
	refused 1 'STATUS_ACCESS_DENIED' stop 0
	refused 1 "no service at $WORK/none" list --socket "$WORK/none"
	refused 1 'Session name one not found' stop one
	refused 2 'no session id' stop 4294967295
	refused 2 'unknown command' frobnicate
	refused 2 'the command is empty' start --command ''
	refused 2 '258 bytes of UTF-16, and 256 are' start --command "$(printf '%129s' x)"
}

accounts() {
	echo "== accounts"
	(umask 077 && echo 'a fine password' >"$WORK/password")
	musessctl account add joe --password-file "$WORK/password"
	expect '^joe$' account list
	refused 1 'STATUS_OBJECT_NAME_COLLISION' account add joe --password-file "$WORK/password"
	musessctl account passwd joe <"$WORK/password"
	refused 1 'STATUS_OBJECT_NAME_NOT_FOUND' account passwd jim --password-file "$WORK/password"
	refused 1 'STATUS_ACCESS_DENIED.*AccountPatterns' account add 'j*' --password-file "$WORK/password"
	refused 2 '' account add ann
	expect '"name": "joe"' account list --json
	musessctl account remove joe
	refused 1 'STATUS_OBJECT_NAME_NOT_FOUND' account remove joe
	! musessctl account list | grep joe || fail "joe is still there"
}

# In user mode its directory alone keeps the port from others: smss cannot tell them apart.
others_may_not() {
	local status=0
	echo "== callers of another user"
	[ "$(stat -c %a "$STATE")" = 700 ] || fail "the state directory is open to others"
	if [ "$mode" = root ]; then
		chmod 711 "$STATE"
		chmod 666 "$MUSESS_SM_PORT"
	fi
	setpriv --reuid 54321 --regid 54321 --clear-groups \
		"$WORK/bin/musessctl" --socket "$MUSESS_SM_PORT" list >"$WORK/out" 2>&1 || status=$?
	chmod 700 "$STATE"
	[ $status = 1 ] || fail "another user: status $status: $(cat "$WORK/out")"
	grep -q 'only root and\|neither root' "$WORK/out" || fail "another user: $(cat "$WORK/out")"
	if [ "$mode" = root ]; then
		grep -q 'of user 54321 may not use the SM API port' "$musess_log" || fail "not logged"
	fi
	musessctl version >/dev/null
}

copy_programs
cp "$BUILD/bin/tests/sm-fake" "$WORK/bin/leave-much"
start_service "$mode"
nothing_is_left # first: later, what earlier sessions left would be no news
commands_that_end_at_once
sessions_are_real
raw_api
control
accounts
others_may_not
stop_musess
echo "the session manager works"
