#!/bin/bash
# The installed service under systemd, on machines that are made for it: started, used by a
# client, stopped, started again.
#
#   tests/systemd.sh BUILD     on Debian 12 and 13
#   tests/systemd.sh --here    on this machine, where systemd runs and nothing is of value
#
# It needs root. The machines are fresh-machine's, where that is in ../shared/tools, seen from
# the checkout; elsewhere one is booted from a copy of this system. It takes about a minute a
# machine; most of that is packages.
set -euo pipefail
export LC_ALL=C.UTF-8 HOME=/root # a unit has none, and clients want one
cd "$(dirname "$0")/.."

fail() {
	echo "FAILED: $*" >&2
	systemctl status --no-pager --lines=30 musess >&2 || true
	exit 1
}

# wait_until SECONDS COMMAND...
wait_until() {
	local end=$((SECONDS + $1 + 1))
	shift
	until "$@"; do
		[ $SECONDS -lt $end ] || return 1
		sleep 0.1
	done
}

on_machines() {
	local tool=../shared/tools/fresh-machine suite
	if [ ! -x "$tool" ]; then
		own_machine
		return
	fi
	for suite in bookworm trixie; do
		echo "== $suite"
		"$tool" --boot "$suite" . -- ./tests/systemd.sh --here
	done
}

# This system as a machine: its root under an overlay, booted with its own systemd into
# nothing but this test.
own_machine() {
	local top=$PWD root
	echo "== a copy of this system"
	work=$(mktemp -d /var/tmp/musess-machine.XXXXXX)
	trap 'umount "$work/root" "$work" 2>/dev/null; rm -rf "$work"' EXIT
	mount -t tmpfs -o size=4g musess-test "$work"
	mkdir "$work/changes" "$work/work" "$work/root"
	root=$work/root
	mount -t overlay -o "lowerdir=/,upperdir=$work/changes,workdir=$work/work" musess-test "$root"
	rm -rf "${root:?}/src-test" "$root/etc/resolv.conf"
	mkdir "$root/src-test"
	tar -C "$top" --exclude=./build\* --exclude=./.git -cf - . | tar -C "$root/src-test" -xf -
	cp /etc/resolv.conf "$root/etc/resolv.conf"
	cat >"$root/etc/systemd/system/musess-test.service" <<-'EOF'
		[Unit]
		After=basic.target
		[Service]
		Type=oneshot
		ExecStart=/bin/sh -c 'cd /src-test; ./tests/systemd.sh --here >/test.out 2>&1; echo $? >/test.status; systemctl poweroff --no-block'
	EOF
	cat >"$root/etc/systemd/system/musess-test.target" <<-'EOF'
		[Unit]
		Requires=basic.target musess-test.service
		After=basic.target
	EOF
	SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1 systemd-nspawn --quiet --register=no --keep-unit \
		--directory="$root" --resolv-conf=off --boot systemd.unit=musess-test.target \
		>"$work/console" 2>&1 || true
	cat "$root/test.out" 2>/dev/null || tail "$work/console"
	[ "$(cat "$root/test.status" 2>/dev/null)" = 0 ]
}

install_musess() {
	local log
	log=$(mktemp)
	./tools/dependencies build
	DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
		freerdp3-x11 gdb xvfb >"$log" 2>&1 || { tail "$log" && exit 1; }
	cmake -S . -B build -DMUSESS_WERROR=ON >"$log" 2>&1 &&
		cmake --build build -j "$(nproc)" >>"$log" 2>&1 &&
		(umask 077 && cmake --install build) >>"$log" 2>&1 &&
		gcc -D_GNU_SOURCE -static -o /usr/local/libexec/musess/inside tests/inside.c >>"$log" 2>&1 ||
		{ tail "$log" && exit 1; }
	printf '[Sessions]\nTasksMax = 100\nMemoryMax = 256M\n' >>/etc/musess/musess.conf
	systemctl daemon-reload
}

# The umask of who installs is not that of who uses it.
modes() {
	local wrong
	echo "== modes"
	wrong=$(find /usr/local /etc/musess /etc/sysusers.d ! -type l \( ! -perm -o=r -o -type d ! -perm -o=x -o -perm -o=w \))
	[ -z "$wrong" ] || fail "not for everybody: $wrong"
}

unit_file() {
	local units=/etc/systemd/system complaints
	echo "== the units"
	complaints=$(systemd-analyze verify $units/musess.service $units/musess-sessions.service 2>&1) ||
		fail "the units: $complaints"
	[ -z "$complaints" ] || fail "the units: $complaints"
}

property() {
	systemctl show --value -p "$1" musess
}

# systemctl returns when the service is ready: what follows needs no patience.
starts() {
	echo "== start"
	systemctl start musess || fail "it does not start"
	[ "$(systemctl is-active musess)" = active ] || fail "it is not active"
	pid=$(property MainPID)
	cgroup=/sys/fs/cgroup$(property ControlGroup)
	sessions_cgroup=/sys/fs/cgroup$(systemctl show --value -p ControlGroup musess-sessions)
	sessions_cgroup+=/musess-$(printf %x "$(stat -c %i /var/lib/musess)")
	musessctl list >/tmp/list || fail "musessctl"
	grep -qE '^ *console ' /tmp/list || fail "no console: $(cat /tmp/list)"
	grep -qE 'rdp-tcp.*Listen' /tmp/list || fail "nobody listens: $(cat /tmp/list)"
	in_journal 'ready on port 3389' || fail "no line in the journal"
}

# As installed it finds its own files, and the running smss.
debugger() {
	echo "== musess-kd"
	musess-kd >/tmp/kd 2>&1 <<<'!process 0 0' || fail "musess-kd: $(cat /tmp/kd)"
	grep -q 'Image: csrss' /tmp/kd || fail "musess-kd knows no csrss: $(cat /tmp/kd)"
	[ "$(systemctl is-active musess)" = active ] || fail "musess-kd ended the service"
	musessctl list >/dev/null || fail "smss does not go on after musess-kd"
}

unprivileged() {
	local capabilities
	echo "== privileges"
	[ "$(awk '/^Uid:/ { print $2 }' "/proc/$pid/status")" != 0 ] || fail "smss runs as root"
	capabilities=$(awk '/^CapPrm:/ { print $2 }' "/proc/$pid/status")
	# chown 0, setgid 6, setuid 7, sys_admin 21
	[ "$capabilities" = 00000000002000c1 ] || fail "smss has the capabilities $capabilities"
}

in_journal() {
	journalctl -b -u musess -o cat | grep -E -- "$1" >/dev/null
}

# has_priority N PATTERN: a line of musess is there, at that level and at no other.
has_priority() {
	local others
	journalctl -b -t musess -p "$1..$1" -o cat | grep -E -- "$2" >/dev/null || fail "no '$2' at level $1"
	others=$(journalctl -b -t musess -o json | grep -E -- "$2" | grep -v "\"PRIORITY\":\"$1\"") || true
	[ -z "$others" ] || fail "'$2' is not at level $1 alone: $others"
}

# What is asked below is about entries from here on.
journal_mark() {
	cursor=$(journalctl -b -n 0 --show-cursor | sed -n 's/^-- cursor: //p')
}

# Entries of the service and of systemd about it since then, one a line.
journal_since() {
	journalctl --sync
	journalctl -b -q -u musess --after-cursor="$cursor" -o cat
}

# Its program's name is beside each line, and no part of it.
named_once() {
	local lines
	lines=$(journalctl -b -u musess -t musessd -o cat; journalctl -b -t musess -o cat | grep musess:) || true
	[ -z "$lines" ] || fail "lines that name musess once more: $lines"
}

# A wrong password is refused; what the right one is good for is seen later.
accounts() {
	echo "== accounts"
	password=$(od -An -N8 -tx1 /dev/urandom | tr -d ' ')
	musessctl account add tester <<<"$password" || fail "account add"
	musessctl account list | grep tester >/dev/null || fail "the account is not listed"
	! xfreerdp3 /v:127.0.0.1 /u:tester /p:wrong /cert:ignore +auth-only >/dev/null 2>&1 ||
		fail "a wrong password is good enough"
	wait_until 5 in_journal 'logon failed for user "tester" from 127\.0\.0\.1' ||
		fail "no line about a wrong password"
}

active_session() {
	musessctl list | grep -E "rdp-tcp#[0-9]+ +tester +$1 +Active" >/dev/null
}

start_x() {
	export DISPLAY=:9
	Xvfb $DISPLAY -screen 0 1024x768x24 -nolisten tcp >/dev/null 2>&1 &
	wait_until 20 test -S /tmp/.X11-unix/X9 || fail "no X server"
}

connects() {
	xfreerdp3 /v:127.0.0.1 /u:tester "/p:$password" /cert:ignore >/tmp/client.log 2>&1 &
	client=$!
	wait_until 20 active_session 1 || fail "no session: $(tail -n 5 /tmp/client.log)"
}

# csrss_of ID: its process id.
csrss_of() {
	musessctl show "$1" --json | sed -n 's/.*"csrss_pid": \([0-9]*\),/\1/p'
}

# start COMMAND: in a new session, whose id it leaves in session.
start() {
	local answer
	answer=$(musessctl start --command "$1") || fail "start"
	answer=${answer#session }
	session=${answer%%:*}
}

# Its logon is in the journal as an event, with Windows' fields.
in_journal_as_event() {
	journalctl -b -t musess EVENT_ID=21 DATA_USER=tester -o json | grep '"DATA_SESSIONID":"1"' >/dev/null
}

# What the unit takes away is not missed in a session: tests/inside.c there.
inside() {
	local output
	start "/opt/musess/bin/inside $* >/tmp/output; echo >/tmp/end; sleep 1000"
	output=/proc/$(csrss_of "$session")/root/tmp
	wait_until 60 test -e "$output/end" || fail "inside $1 does not end"
	! grep -v '^ok ' "$output/output" || fail "inside $1: see above"
	[ -s "$output/output" ] || fail "inside $1 said nothing"
	musessctl stop "$session"
}

# has pids|memory: the kernel gives cgroups that controller here. Where a host has it in the
# old hierarchy, a machine on it has none.
has() {
	grep -qw "$1" "$sessions_cgroup/../cgroup.controllers" && return
	echo "there is no $1 controller on this machine: no limit to look at"
	return 1
}

limit_is() { # FILE VALUE
	[ "$(cat "$1")" = "$2" ] || fail "$1 is $(cat "$1")"
}

# Session ID has a cgroup below that of the sessions' unit, with its limits and its processes.
session_cgroup() {
	local directory=$sessions_cgroup/$1 csrss
	[ -d "$directory" ] || fail "session $1 has no cgroup: $(find "$cgroup" "$sessions_cgroup" -type d)"
	csrss=$(csrss_of "$1")
	grep -qx "$csrss" "$directory/cgroup.procs" || fail "csrss is not in it"
	[ "$(wc -l <"$directory/cgroup.procs")" -ge 3 ] || fail "not all its processes are in it"
	! has pids || limit_is "$directory/pids.max" 100
	! has memory || limit_is "$directory/memory.max" $((256 << 20))
}

# What takes more memory than it may is ended; the service goes on.
memory_is_bounded() {
	local events
	start 'tail /dev/zero; sleep 1000'
	events=$sessions_cgroup/$session/memory.events
	wait_until 20 grep -q 'oom_kill [1-9]' "$events" || fail "no end of memory: $(cat "$events")"
	[ "$(systemctl is-active musess)" = active ] || fail "one session's memory ended the service"
	active_session 1 || fail "one session's memory ended another"
	musessctl stop "$session"
}

pool_is() {
	[ "$(musessctl pool)" = "$1" ]
}

# Idle sessions are there before anybody comes, and again afterwards; psxss gets its callbacks.
idle_sessions() {
	echo "== idle sessions, exec"
	wait_until 20 pool_is 'idle 2 of 2' || fail "the pool: $(musessctl pool)"
	[ "$(musessctl exec 1 -- id -un)" = tester ] || fail "exec: $(musessctl exec 1 -- id -un 2>&1)"
	musessctl pool 0 >/dev/null
	wait_until 20 pool_is 'idle 0 of 0' || fail "the pool: $(musessctl pool)"
}

sessions() {
	echo "== sessions"
	wait_until 20 pool_is 'idle 2 of 2' || fail "the pool: $(musessctl pool)"
	start_x
	journal_mark
	connects
	wait_until 10 in_journal_as_event || fail "no event in the journal"
	[ "$(journal_since | wc -l)" = 1 ] || fail "a logon is not one line of the journal: $(journal_since)"
	idle_sessions
	session_cgroup 1
	inside works
	inside forbidden /var/lib/musess /run/musess/SmApiPort
	inside bounded 100
	! has memory || memory_is_bounded
}

smss_is_new() {
	[ "$(property MainPID)" != "$pid" ] && [ "$(property MainPID)" != 0 ] &&
		[ "$(systemctl is-active musess)" = active ]
}

# The session of before, with its client, csrss and cgroup, is served by another smss.
same_session() {
	wait_until 20 smss_is_new || fail "no new smss"
	pid=$(property MainPID)
	wait_until 20 active_session 1 || fail "session 1 is lost: $(musessctl list)"
	[ "$(csrss_of 1)" = "$csrss" ] || fail "session 1 has another csrss"
	kill -0 "$client" 2>/dev/null || fail "its client was cut off"
	session_cgroup 1
	[ "$(musessctl exec 1 -- id -un)" = tester ] || fail "exec in an old session"
}

# What lives on when smss does not.
restarts() {
	csrss=$(csrss_of 1)
	echo "== smss is killed"
	kill -KILL "$pid"
	same_session
	echo "== restart"
	journal_mark
	systemctl restart musess || fail "it does not restart"
	same_session
	! journal_since | grep -F 'Cannot store more fds' || fail "systemd is given the listener twice"
	# systemd has three lines for each process that stays in a unit: of one client's worker
	! journal_since | grep -E 'process [0-9]+ \((csrss|winlogon|bash)\)' || fail "a session was in the service's cgroup"
	[ "$(journal_since | wc -l)" -le 15 ] || fail "a restart is more than 15 lines of the journal: $(journal_since)"
	in_journal 'leaves [0-9]+ sessions to the next' || fail "no line in the journal"
	echo "== reload"
	systemctl reload musess || fail "it does not reload"
	wait_until 10 in_journal 'the configuration was read again' || fail "no line in the journal"
	has_priority 6 'the configuration was read again'
	every_event
}

# Asked for more, the journal gets the steps of a session as well.
every_event() {
	local conf=/etc/musess/musess.conf
	cp $conf /tmp/few.conf
	printf '[Events]\nJournalEvents = all\n' >>$conf
	! in_journal 'Loading the subsystem' || fail "a step is in the journal, and was not asked for"
	systemctl reload musess || fail "it does not reload"
	musessctl start --command true >/dev/null || fail "start"
	wait_until 10 in_journal 'Loading the subsystem Windows in session' || fail "no step is in the journal"
	cp /tmp/few.conf $conf
	systemctl reload musess || fail "it does not reload"
}

watchdog_is() {
	[ "$(property WatchdogUSec)" = "$1" ]
}

# systemd asks smss. One that does nothing any more is replaced, and nothing is lost with it; one that
# somebody debugs has all the time that he takes, and is asked again afterwards.
watchdog() {
	local drop_in=/run/systemd/system/musess.service.d
	echo "== smss hangs"
	csrss=$(csrss_of 1)
	# musess-kd has been there
	wait_until 20 watchdog_is 1min || fail "the watchdog's time is $(property WatchdogUSec)"
	mkdir -p $drop_in
	printf '[Service]\nWatchdogSec=4\n' >$drop_in/watchdog.conf
	systemctl daemon-reload
	systemctl restart musess || fail "it does not restart"
	same_session
	sleep 9
	[ "$(property MainPID)" = "$pid" ] || fail "an smss that is there was ended"
	kill -STOP "$pid"
	same_session
	in_journal "Failed with result 'watchdog'" || fail "it was not systemd that ended it"
	echo "== a debugger on smss"
	(sleep 13 && echo '!process 0 0') | musess-kd >/tmp/kd 2>&1 || fail "musess-kd: $(cat /tmp/kd)"
	grep -q 'Image: lsass' /tmp/kd || fail "musess-kd knows no lsass: $(cat /tmp/kd)"
	[ "$(property MainPID)" = "$pid" ] || fail "an smss that is debugged was ended"
	wait_until 20 watchdog_is 4s || fail "smss is not watched again: $(property WatchdogUSec)"
	kill -STOP "$pid"
	same_session
	rm -r $drop_in
	systemctl daemon-reload
	systemctl restart musess || fail "it does not restart"
	same_session
}

# A mistake is said to who reloads or starts the service, and nothing is tried again and again.
broken_configuration() {
	local output conf=/etc/musess/musess.conf
	echo "== a broken configuration"
	musessd --check-config -c $conf >/dev/null || fail "musessd finds mistakes"
	cp $conf /tmp/good.conf
	echo 'Frob = 1' >>$conf
	! output=$(musessd --check-config -c $conf 2>&1) || fail "musessd finds no mistake"
	grep -q '"Frob" is no option' <<<"$output" || fail "musessd says: $output"
	! systemctl reload musess 2>/dev/null || fail "systemctl reload takes it"
	has_priority 3 'Frob.* is no option'
	[ "$(systemctl is-active musess)" = active ] && [ "$(property MainPID)" = "$pid" ] ||
		fail "a reload that failed ended the service"
	printf '[Display]\nFont = /none.ttf\n' >$conf
	! systemctl reload musess 2>/dev/null || fail "systemctl reload takes a font that is not there"
	stops
	for output in '[Display] Font = /none.ttf' '[Listener] Certificate = /none.pem PrivateKey = /none.pem' \
		'[Sessions] MaxInstanceCount = many'; do
		sed 's/ \([A-Z][A-Za-z]* =\)/\n\1/g' <<<"$output" >$conf
		systemctl reset-failed musess 2>/dev/null || true
		! systemctl start musess 2>/dev/null || fail "it starts with $output"
		sleep 1 # ten tries, formerly
		[ "$(property SubState) $(property NRestarts) $(property ExecMainStatus)" = 'failed 0 78' ] ||
			fail "with $output: $(property SubState), $(property NRestarts) restarts, $(property ExecMainStatus)"
	done
	cp /tmp/good.conf $conf
	systemctl reset-failed musess
	starts
	stops
}

stops() {
	local begin=$SECONDS
	echo "== stop"
	systemctl stop musess || fail "it does not stop"
	[ $((SECONDS - begin)) -lt 10 ] || fail "it took $((SECONDS - begin)) s to stop"
	[ "$(property Result)" = success ] || fail "the result is $(property Result)"
}

stopped_clean() {
	! ps -e -o comm= | grep -xE 'smss|csrss|winlogon|lsass|termsrv|rdpwd' || fail "processes are left"
	[ ! -e "$cgroup" ] || fail "its cgroup is left: $(find "$cgroup" -type d)"
	[ ! -e "$sessions_cgroup" ] || fail "sessions' cgroups are left: $(find "$sessions_cgroup" -type d)"
	[ "$(cut -d' ' -f 3- /proc/self/mountinfo)" = "$mounts" ] || fail "mounts are left"
	[ ! -e /run/musess ] || fail "/run/musess is left"
	wait_until 10 eval "! kill -0 $client 2>/dev/null" || fail "the client has not noticed"
	journalctl -b -t musess EVENT_ID=40 DATA_SESSION=1 DATA_REASON=1 | grep . >/dev/null ||
		fail "no line in the journal about the session's end"
	has_priority 6 'logon failed for user'
}

here() {
	[ -d /run/systemd/system ] || fail "no systemd runs here"
	install_musess
	modes
	unit_file
	mounts=$(cut -d' ' -f 3- /proc/self/mountinfo)
	starts
	unprivileged
	debugger
	accounts
	sessions
	restarts
	watchdog
	stops
	stopped_clean
	starts
	musessctl account list | grep tester >/dev/null || fail "the account is gone"
	connects
	stops
	starts
	broken_configuration
	named_once
	systemd-analyze security musess.service --offline=no --no-pager
	echo "the unit starts, serves and stops"
}

case ${1-} in
--here) here ;;
*) on_machines ;;
esac
