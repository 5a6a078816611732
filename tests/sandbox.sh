#!/bin/bash
# What a session can do, and what it cannot: inside.c tries it there. Here is what is seen
# of that from the host: the mounts, the log, how smss answers meanwhile.
#
#   tests/sandbox.sh BUILD root|user     the service as root, or as an ordinary user
# In a mount namespace of its own, which is shared as the host's is: what the service mounts
# would come here, and what others mount meanwhile does not.
if [ "${MUSESS_OWN_MOUNTS-}" != yes ]; then
	MUSESS_OWN_MOUNTS=yes exec unshare --mount sh -c 'mount --make-rshared / && exec "$@"' sh \
		bash "$0" "$@"
fi

export MUSESS_TEST_OUT=${MUSESS_TEST_OUT:-$1/tests-out/sandbox-$2}
. "$(dirname "$0")/lib.sh" "$1"
. "$(dirname "$0")/sm-lib.sh"
mode=$2
TASKS=200

# in_session NAME COMMAND: COMMAND in a session of its own; its output is $OUT/NAME, and its
# exit status its last line.
in_session() {
	local name=$1
	echo "$2" >"$WORK/bin/command"
	start_session --command \
		'sh /opt/musess/bin/command >/tmp/output 2>&1; echo $? >/tmp/status; sleep 1000'
	wait_until 120 test -s "/proc/$csrss/root/tmp/status" ||
		fail "$name: it does not end: $(tail -n 3 "/proc/$csrss/root/tmp/output")"
	cat "/proc/$csrss/root/tmp/output" "/proc/$csrss/root/tmp/status" >"$OUT/$name"
	! ended "$csrss" && ! ended "$winlogon" || fail "$name: csrss or winlogon has ended"
	musessctl stop "$session"
}

# inside COMMAND [argument...]: inside.c in a session finds all well.
inside() {
	echo "== $1"
	in_session "$1" "/opt/musess/bin/inside $*"
	! grep -v '^ok \|^0$' "$OUT/$1" || fail "$1: see above, and $OUT/$1"
	[ "$(tail -n 1 "$OUT/$1")" = 0 ] || fail "$1: its status is $(tail -n 1 "$OUT/$1")"
	grep -q '^ok ' "$OUT/$1" || fail "$1: nothing was tried"
}

# says NAME COMMAND PATTERN: what COMMAND says in a session, as a line.
says() {
	in_session "$1" "$2"
	grep -qxE -- "$3" "$OUT/$1" || fail "'$2' in a session: $(cat "$OUT/$1")"
}

# But for those of clients, which come and go with their clipboards.
mounts_of_host() {
	cut -d' ' -f 3- /proc/self/mountinfo | grep -v com.freerdp.client.cliprdr
}

expected_mounts='/
/dev/full
/dev/null
/dev/pts
/dev/random
/dev/shm
/dev/tty
/dev/urandom
/dev/zero
/home
/opt/musess/bin
/opt/musess/port
/proc
/run
/tmp
/usr'

# What lies below the session's own /proc, covered, is not its business: as an ordinary user
# smss has to keep the host's there. Where a host's /bin and so on are no links, they are
# mounts as well.
mounts() {
	local found options
	echo "== mounts"
	in_session mounts 'cat /proc/self/mountinfo'
	awk 'NF > 5 { options[$5] = $6 } END { for (m in options) print m, options[m] }' "$OUT/mounts" |
		grep -vE '^/(bin|sbin|lib|lib32|lib64|libx32|proc/.*) ' | sort >"$WORK/mounts"
	found=$(cut -d' ' -f 1 "$WORK/mounts")
	[ "$found" = "$expected_mounts" ] || fail "the session's mounts: $found"
	while read -r found options; do
		case $found in
		/ | /usr | /opt/*) [[ ,$options, == ,ro,*nosuid,* ]] ;;
		/proc | /run | /tmp | /home | /dev/shm) [[ ,$options, == *,nosuid,*nodev,* ]] ;;
		esac || fail "$found is mounted with $options"
	done <"$WORK/mounts"
}

# Root's own program on the host, with set-user-id, is the user's in a session.
set_user_id() {
	local own=1000
	echo "== set-user-id"
	says ids '/opt/musess/bin/root-inside ids' "$own $own $own"
	says su 'su -c true </dev/null; echo status $?' 'status [1-9].*'
	says sudo 'command -v sudo && ! sudo -n true; echo status $?' 'status .*'
	says copy 'cp /opt/musess/bin/inside /tmp/c; chmod 6755 /tmp/c; /tmp/c ids' "$own $own $own"
}

works() {
	inside works
	echo "== programs"
	says id 'id' 'uid=1000\(system\) gid=1000\(system\) groups=1000\(system\).*'
	says whoami 'whoami' system
	says tty 'tty </dev/tty' /dev/tty
	says terminal 'readlink /proc/$$/fd/0' '/dev/pts/0'
	says script 'script -qc tty /dev/null </dev/null | tr -d "\r"' '/dev/pts/1'
	says locale 'locale charmap' UTF-8
	says ps '[ "$(ps -e -o comm= | grep -vxE "csrss|winlogon|sh|ps|grep")" ] || echo own' own
	says hostname 'hostname || uname -n' 'session-1'
	says environment 'echo "$USER $LOGNAME $HOME $PWD $SHELL $TERM $MUSESSIONID $SESSIONNAME"' \
		'system system /home/system /home/system /bin/bash xterm-256color 1 Services'
}

# slowest FILE: the longest that musessctl takes until FILE is there, in microseconds.
slowest() {
	local begin end worst=0
	until [ -s "$1" ]; do
		sleep 0.01
		begin=${EPOCHREALTIME/./}
		musessctl version >/dev/null || return 1
		end=${EPOCHREALTIME/./}
		[ $((end - begin)) -le $worst ] || worst=$((end - begin))
	done
	echo "$worst"
}

# Others are answered while a session knocks at smss's door; it takes little of the log, and who does
# nothing else is ended.
knocks() {
	local lines worst
	echo "== connections to smss"
	lines=$(wc -l <"$musess_log")
	start_session --command 'I=/opt/musess/bin/inside; cd /tmp; $I knock 100 >output; $I knock 90000; echo $? >status; sleep 999'
	worst=$(slowest "/proc/$csrss/root/tmp/status") || fail "smss does not answer"
	cp "/proc/$csrss/root/tmp/output" "$OUT/knock"
	grep -qx 'ok knock' "$OUT/knock" || fail "$(cat "$OUT/knock")"
	[ "$(cat "/proc/$csrss/root/tmp/status")" = 137 ] || fail "who floods smss is not killed"
	echo "musessctl waited for $worst us at most"
	[ "$worst" -lt 1000000 ] || fail "musessctl waited for $worst us"
	grep -q "session $session: process [0-9]* floods" "$musess_log" || fail "nobody is told"
	lines=$(($(wc -l <"$musess_log") - lines))
	[ $lines -gt 1 ] && [ $lines -lt 200 ] || fail "that took $lines lines of the log"
	musessctl stop "$session"
}

# Every variable that a shell has: winlogon's, and bash's own.
shells='PATH|USER|LOGNAME|HOME|SHELL|TERM|LC_CTYPE|SESSIONNAME|CLIENTNAME|MUSESSIONID|MUSESS_SM_PORT|PWD|OLDPWD|SHLVL|_'
services='PATH|LC_ALL|TZ|HOME|LD_BIND_NOW|MALLOC_ARENA_MAX|EVENT_NOEPOLL'

sleeps() {
	ps -o comm= --ppid "$winlogon" | grep -qx sleep
}

# What the service, and the host's shells, have in their environment is in none of its processes'.
environments() {
	local pid
	echo "== environments"
	start_session --command 'exec sleep 1000'
	wait_until $PATIENCE sleeps || fail "the command does not run"
	for pid in $(descendants "$musess_pid"); do
		tr '\0' '\n' <"/proc/$pid/environ" | sed "s/^/$(cat "/proc/$pid/comm"): /"
	done 2>/dev/null >"$OUT/environments"
	for pid in csrss winlogon lsass termsrv sleep; do
		grep -q "^$pid: PATH=" "$OUT/environments" || fail "$pid has no PATH: $(cat "$OUT/environments")"
	done
	! grep -E '(CUDA_HOME|LIBRARY_PATH)=' "$OUT/environments" || fail "see above"
	! grep -vE "^[^ ]+: ($shells|$services)=" "$OUT/environments" || fail "variables that nobody gave them"
	musessctl stop "$session"
}

# Whoever reads what strangers write has nothing of the log, where a line could be anybody's.
without_log() {
	local pid name main
	[ $sanitizer = no ] || return 0 # it reports there
	musessctl exec 1 -- true
	main=$(ps -o pid=,comm= --ppid "$musess_pid" | awk '$2 == "termsrv" { print $1 }')
	for pid in $(descendants "$musess_pid"); do
		name=$(cat "/proc/$pid/comm" 2>/dev/null) || continue
		case $name in
		csrss | winlogon | psxss | rdpwd | bash) ;;
		termsrv) [ "$pid" = "$main" ] || continue ;; # its nursery reads nothing
		*) continue ;;
		esac
		echo "$name"
		[ -z "$(find "/proc/$pid/fd" -lname "$musess_log")" ] || fail "$name has the log"
		[ "$name" = bash ] || has_no_log "$pid" || fail "$name has something else"
	done >"$WORK/without-log"
	[ "$(sort -u "$WORK/without-log" | xargs)" = 'bash csrss psxss rdpwd termsrv winlogon' ] ||
		fail "not all are there: $(cat "$WORK/without-log")"
}

sanitizer_reports() { # COUNT
	[ "$(grep -c 'ERROR: AddressSanitizer' "$musess_log")" = "$1" ]
}

# What a sanitizer finds in them is in the log nevertheless, where stop_musess looks for it.
reports() {
	local found=0 pid
	[ $sanitizer = yes ] || return 0
	echo "== a sanitizer's reports"
	start_session --command 'sleep 1000'
	for pid in "$winlogon" "$csrss" "$(for pid in $(descendants "$musess_pid"); do
		grep -lx rdpwd "/proc/$pid/comm"
	done 2>/dev/null | head -n 1 | cut -d/ -f 3)"; do
		found=$((found + 1))
		kill -SEGV "$pid"
		wait_until $PATIENCE sanitizer_reports $found || fail "$found: no report"
	done
	: >"$musess_log"
}

# With a client: who that is, in the session's environment.
environment_with_client() {
	local csrss
	echo "== a client's session"
	connect client xfreerdp3-nla-32
	wait_for_prompt client
	type_line client 'env >/tmp/env; tty >/tmp/tty; inside=done; echo $inside-typing'
	wait_for_text client '^done-typing *$' $PATIENCE
	csrss=$(musessctl show 1 --json | sed -n 's/.*"csrss_pid": \([0-9]*\),/\1/p')
	cp "/proc/$csrss/root/tmp/env" "$OUT/env"
	for line in "USER=$MUSESS_USER" "LOGNAME=$MUSESS_USER" "HOME=/home/$MUSESS_USER" \
		'TERM=xterm-256color' 'MUSESSIONID=1' 'SESSIONNAME=RDP-Tcp#[0-9]+' 'CLIENTNAME=.+'; do
		grep -qxE -- "$line" "$OUT/env" || fail "no $line in the environment: $(cat "$OUT/env")"
	done
	! grep -vE "^($shells)=" "$OUT/env" || fail "the shell has variables that nobody gave it"
	[ "$(cat "/proc/$csrss/root/tmp/tty")" = /dev/pts/0 ] || fail "its terminal is no /dev/pts/0"
	without_log
	type_line client exit
	wait_for_end client $PATIENCE
}

# Memory that belongs to no process is to be had where a cgroup bounds the session's.
memory() {
	local bounds=unbounded
	[ -z "$(find /sys/fs/cgroup -path "*/musess-$(stat -c %i "$STATE" | xargs printf %x)/*/memory.max" 2>/dev/null)" ] ||
		bounds=bounded
	echo "== memory, $bounds"
	inside memory $bounds
}

# One of musess's processes before it has made itself one that nobody may trace: here it is a program that
# never does, and ends by itself.
newcomer() {
	local output
	echo "== a newcomer"
	start_session --command \
		'/opt/musess/bin/inside newcomer psxss >/tmp/output; echo $? >/tmp/status; sleep 1000'
	output=/proc/$csrss/root/tmp/output
	wait_until $PATIENCE test -s "$output" || fail "inside newcomer says nothing"
	! musessctl exec "$session" -- true >"$WORK/exec" 2>&1 || fail "sleep did what psxss does"
	wait_until $PATIENCE test -s "/proc/$csrss/root/tmp/status" || fail "psxss did not come"
	cp "$output" "$OUT/newcomer"
	! grep -v '^ok ' "$OUT/newcomer" || fail "the user can look into a process of musess's"
	grep -q '^ok ptrace of psxss' "$OUT/newcomer" || fail "nothing was tried"
	musessctl stop "$session"
	cp --remove-destination "$BUILD/bin/psxss" "$WORK/bin/psxss" # the real one
}

# The kernel counts the descriptors that a user's sockets hold, of all sessions in user mode.
flight() {
	local holder
	echo "== descriptors under way"
	start_session --command '/opt/musess/bin/inside flight >/tmp/output'
	holder=$session
	wait_until $PATIENCE test -s "/proc/$csrss/root/tmp/output" || fail "inside flight says nothing"
	cp "/proc/$csrss/root/tmp/output" "$OUT/flight"
	! grep -v '^ok ' "$OUT/flight" || fail "nothing was tried"
	start_session
	[ "$(musessctl exec "$session" -- echo here)" = here ] || fail "no program runs in another session"
	"$BUILD/bin/tests/rdp-load" "${MUSESS_ADDRESS##*:}" "$MUSESS_USER" "$MUSESS_PASSWORD" >"$OUT/flight" ||
		fail "nobody logs on: $(cat "$OUT/flight")"
	musessctl stop "$session"
	musessctl stop "$holder"
}

# In user mode sessions can take all watches of epoll that smss's user may have.
watches() {
	local pid name
	for name in smss termsrv; do
		for pid in $musess_pid $(descendants "$musess_pid"); do
			[ "$(cat "/proc/$pid/comm" 2>/dev/null)" = $name ] || continue
			echo "$name $(find "/proc/$pid/fd" -lname '*eventpoll*' | wc -l)"
		done
	done >"$WORK/watchers"
	[ "$(wc -l <"$WORK/watchers")" -ge 2 ] || fail "$(cat "$WORK/watchers")"
	[ "$mode" = root ] || ! grep -v ' 0$' "$WORK/watchers" || fail "the service needs watches that sessions can take"
}

copy_programs
cp "$BUILD/bin/tests/inside" "$WORK/bin/inside"
cp "$BUILD/bin/tests/inside" "$WORK/bin/root-inside"
chmod 4755 "$WORK/bin/root-inside"
cp "$(command -v sleep)" "$WORK/bin/psxss" # its argument is the session's number
[ "$(setpriv --reuid $service_uid --clear-groups "$WORK/bin/root-inside" ids)" = "$service_uid 0 0" ] ||
	echo "/tmp ignores set-user-id here: that it has no effect is proven by the mounts alone"
config+=("TasksMax = $TASKS")
echo secret >"$WORK/secret"
chmod 644 "$WORK/secret"
# The host's, in this namespace, where there is the directory.
mkdir "$WORK/profile.d"
echo 'export CUDA_HOME=/host LIBRARY_PATH=/host' >"$WORK/profile.d/host.sh"
mount --bind "$WORK/profile.d" /etc/profile.d
export CUDA_HOME=/service LIBRARY_PATH=/service
before=$(mounts_of_host)
start_service "$mode"
ln -s "$BUILD/bin/tests" "$BIN/tests" # for lib.sh

mounts
inside forbidden "$WORK/secret" "$STATE" "$STATE/lab.env" "$STATE/accounts/accounts" \
	"$STATE/tls/key.pem" "$MUSESS_SM_PORT" "$BUILD" "$(realpath "$0")" "$HOME" /root/.bashrc \
	/root/.profile /var/lib /var/log/dpkg.log /var/lib/dpkg/status
memory
watches
newcomer
environments
echo "musess-test-$$" >"$WORK/abstract"
"$BUILD/bin/tests/inside" serve "musess-test-$$" >"$WORK/serves" &
started+=("$!")
wait_until 5 test -s "$WORK/serves" || fail "no abstract socket on the host"
inside network "${MUSESS_ADDRESS##*:}" "musess-test-$$"
set_user_id
works
inside bounded $TASKS
knocks
reports
environment_with_client
flight
[ "$(mounts_of_host)" = "$before" ] || fail "the host's mounts have changed: $(mounts_of_host)"
stop_musess
[ "$(mounts_of_host)" = "$before" ] || fail "the host's mounts have changed: $(mounts_of_host)"
echo "sessions are shut in, and work"
