#!/bin/bash
# Every kind of client, in a real X server with real typing: logs on, has a command run,
# sees what it says, and logs off. Before that wrong passwords, after it two at once.
#
#   tests/clients.sh BUILD
. "$(dirname "$0")/lib.sh" "$1"

session_is_active() { # ID USER
	local list
	list=$(musessctl list) && grep -qE "rdp-tcp#[0-9]+ +$2 +$1 +Active" <<<"$list"
}

# A refused logon leaves a line with name and address, and takes no session id: whoever
# comes next gets 1.
refuse() {
	local kind=$1 name=refused-$1 user=${MUSESS_USER}x${1//[^a-z0-9]/}
	echo "== $kind, wrong password"
	start_x "$name"
	start_client "$name" "$kind" "$user" "not $MUSESS_PASSWORD"
	wait_for_end "$name" $PATIENCE
	[ $client_status != 0 ] || fail "$kind: a wrong password, and the client ends as if all were well"
	[ "$kind" != xfreerdp3-tls-32 ] || [ $client_status = 7 ] || fail "$kind: it says $client_status"
	wait_until 5 grep -qE "$user.*127\.0\.0\.1|127\.0\.0\.1.*$user" "$musess_log" ||
		fail "$kind: no log line has name and address of a refused logon"
	no_client_session || fail "$kind: a session after a wrong password"
}

log_on_and_off() {
	local kind=$1
	echo "== $kind"
	connect "$kind" "$kind"
	wait_for_prompt "$kind"
	wait_for_text "$kind" "^ *RDP-Tcp#[0-9]+ +session 1 +user $MUSESS_USER +client [^ -]" 5
	session_is_active 1 "$MUSESS_USER" || fail "$kind: session 1 is not in the list"
	type_line "$kind" 'echo $((6*7))-ok'
	wait_for_text "$kind" '^42-ok *$' $PATIENCE
	screenshot "$kind" "$OUT/$kind.png"
	type_line "$kind" exit
	wait_for_end "$kind" $PATIENCE
	wait_until 10 no_client_session || fail "$kind: its session is still there"
	case $kind in
	xfreerdp*) [ $client_status = 12 ] || fail "$kind: logged off, and it says $client_status" ;;
	esac
}

# The reason of an end reaches the client: its exit status is that of the Set Error Info PDU.
ended_by_administrator() {
	echo "== ended by an administrator"
	connect stopped xfreerdp3-tls-32
	wait_for_prompt stopped
	musessctl stop 1
	wait_for_end stopped $PATIENCE
	[ $client_status = 2 ] || fail "the client of a session that was stopped says $client_status"
}

# shell_says NAME COMMAND: whether COMMAND succeeds in the shell of NAME. The echo of the
# typing does not look like the answer.
question=100
shell_says() {
	question=$((question + 1))
	type_line "$1" "$2 && echo yes-\$(($question)) || echo no-\$(($question))"
	wait_for_text "$1" "^(yes|no)-$question *\$" $PATIENCE
	grep -qE "^yes-$question *\$" "$WORK/$1.text"
}

# shell_prints NAME TEXT: how the shell of NAME expands TEXT, left in printed.
shell_prints() {
	question=$((question + 1))
	type_line "$1" "echo \$(($question))=$2="
	wait_for_text "$1" "^$question=.*= *\$" $PATIENCE
	printed=$(sed -nE "s/^$question=(.*)= *\$/\1/p" "$WORK/$1.text")
}

kinds_of_namespace=(user pid mnt net ipc uts cgroup)
namespaces_expression='$(readlink /proc/self/ns/{user,pid,mnt,net,ipc,uts,cgroup} | tr -dc "0-9\n" | tr "\n" " ")'

# Every namespace of the three lists is another one.
namespaces_differ() {
	local here one other i
	read -ra here <<<"$(eval "echo $namespaces_expression")"
	read -ra one <<<"$1"
	read -ra other <<<"$2"
	for i in "${!kinds_of_namespace[@]}"; do
		[ "${one[i]}" ] && [ "${other[i]}" ] && [ "${one[i]}" != "${other[i]}" ] &&
			[ "${one[i]}" != "${here[i]}" ] && [ "${other[i]}" != "${here[i]}" ] ||
			fail "the ${kinds_of_namespace[i]} namespaces: ${one[i]}, ${other[i]}, here ${here[i]}"
	done
}

sees_only_its_own() {
	shell_says "$1" '[ "$(ps -p 1 -o comm=)" = csrss ]' || fail "$1: process 1 is not csrss"
	shell_says "$1" '[ $(ps -e -o pid= | wc -l) -lt 10 ]' || fail "$1: it sees many processes"
	shell_says "$1" '[ $(tail -n +3 /proc/net/dev | wc -l) = 1 ]' || fail "$1: more than lo"
}

two_at_once() {
	local first_name first_namespaces
	echo "== two at once"
	connect first xfreerdp3-nla-32
	connect second xfreerdp3-tls-32 "${MUSESS_USER}2"
	wait_for_prompt first
	wait_for_prompt second
	session_is_active 1 "$MUSESS_USER" || fail "no session 1"
	session_is_active 2 "${MUSESS_USER}2" || fail "no session 2"

	sees_only_its_own first
	sees_only_its_own second
	shell_says first 'touch /tmp/mark /dev/shm/mark && ipcmk -S 1 >/dev/null' ||
		fail "the first cannot make files"
	type_line first 'sleep 4242 &'
	shell_says first '[ -e /tmp/mark ] && [ -e /dev/shm/mark ]' || fail "no files in the first"
	shell_says first 'ipcs -s | grep -q 0x' || fail "no semaphore in the first"
	shell_says first 'pgrep -x sleep' || fail "no process in the first"
	! shell_says second '[ -e /tmp/mark ] || [ -e /dev/shm/mark ]' || fail "the second sees files"
	! shell_says second 'ipcs -s | grep -q 0x' || fail "the second sees its semaphore"
	! shell_says second 'pgrep -x sleep' || fail "the second sees processes"

	shell_prints first '$(uname -n)'
	first_name=$printed
	shell_prints second '$(uname -n)'
	[ "$first_name" != "$printed" ] && [ "$printed" != "$(uname -n)" ] ||
		fail "host names: $first_name, $printed, here $(uname -n)"
	shell_prints first "$namespaces_expression"
	first_namespaces=$printed
	shell_prints second "$namespaces_expression"
	namespaces_differ "$first_namespaces" "$printed"

	# The end of one is not that of the other, and a client that leaves ends its session.
	type_line second exit
	wait_for_end second $PATIENCE
	shell_says first true || fail "the first no longer answers"
	kill "${pid_of[first]}"
	wait_until 10 no_client_session || fail "a session is left"
}

# FreeRDP takes the program's for OpenSSL's (daemon/tls.c) as long as it is seen.
for function in SSL_CTX_new X509_dup; do
	nm -D "$BIN/termsrv" | grep " T $function\$" >/dev/null || fail "FreeRDP calls OpenSSL's $function for each connection"
done
# each client has a wrong password first: nobody waits for that here (tests/penalty.sh)
limits=('[Listener]' 'LogonPenaltyMax = none')
start_musess
for kind in xfreerdp3-nla-32 xfreerdp3-tls-32 rdesktop-tls-24; do
	refuse $kind
done
kinds=$(client_kinds)
for kind in $kinds; do
	log_on_and_off "$kind"
done
two_at_once
ended_by_administrator
stop_musess
echo "every client works; their pictures are in $OUT"
