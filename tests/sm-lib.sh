# What the tests of the session manager (sm-*.sh) share: a service that runs from a copy of its
# programs, as root or as an ordinary user, and sessions without a client. Sourced after
# lib.sh, by root: an ordinary user's view of /proc would hide what is looked for.
[ "$(id -u)" = 0 ] || fail "this test runs as root; it starts the ordinary user's service itself"

service_uid=12345

# A copy, which the ordinary user can reach and the test can change.
copy_programs() {
	mkdir "$WORK/bin"
	find "$BUILD/bin" -maxdepth 1 -type f -exec cp {} "$WORK/bin/" \;
	chmod -R a+rX "$WORK/bin"
}

# start_service root|user [option of musessd...]
start_service() {
	local mode=$1
	shift
	BIN=$WORK/bin
	if [ "$mode" = user ]; then
		BIN=$WORK/user
		mkdir -p "$BIN"
		ln -sf ../bin/musessctl "$BIN/musessctl"
		# lib.sh gives --lab --state DIRECTORY first
		printf '#!/bin/sh\nchown %s "$3"\nexec setpriv --reuid %s --regid %s --clear-groups "%s" "$@"\n' \
			$service_uid $service_uid $service_uid "$WORK/bin/musessd" >"$BIN/musessd"
		chmod 755 "$BIN/musessd"
	fi
	start_musess "$@"
	export MUSESS_SM_PORT
}

# start_session [--command COMMAND]: sets session, csrss and winlogon.
start_session() {
	local answer
	answer=$(musessctl start "$@")
	read -r _ session _ csrss _ winlogon <<<"${answer//[:,]/}"
	[ "$winlogon" ] || fail "start: $answer"
}

# The command of winlogon WINLOGON has been started.
runs_command() {
	ps -o pid= --ppid "$1" >/dev/null
}

# What of a session can be seen from outside of it: the list, mounts, ports, cgroups, smss's
# descriptors, and processes, of which those below termsrv come and go.
traces() {
	cat "/proc/$musess_pid/mountinfo"
	grep -F "$WORK" /proc/self/mountinfo || true # others mount and unmount meanwhile
	grep -cF "$STATE" /proc/net/unix || true
	find /sys/fs/cgroup -type d -name "musess-$(stat -c %i "$STATE" | xargs printf %x)" -exec find {} -mindepth 1 \; \
		2>/dev/null || true
	ps -e -o pid=,ppid=,comm= | awk -v root="$musess_pid" '
		{ parent[$1] = $2; name[$1] = $3 }
		END {
			for (p in parent) {
				below = 0
				for (q = p; q in parent && q != root; q = parent[q])
					below = below || q != p && name[q] == "termsrv"
				if (q == root && p != root && !below)
					print "process", p
			}
		}' | sort
	find "$STATE" | sort
	find "/proc/$musess_pid/fd" -type l -printf '%l\n' | sed 's/:\[.*//' | sort | uniq -c
	musessctl list # last: for a moment it leaves a connection
}

same_traces() {
	traces >"$WORK/after"
	cmp -s "$WORK/before" "$WORK/after"
}

traces_rest() {
	traces >"$WORK/before"
	sleep 0.1
	same_traces
}

# What later traces are to be the same as, once what was under way is over.
remember_traces() {
	wait_until 5 traces_rest || fail "it does not rest: $(diff "$WORK/before" "$WORK/after")"
}

sessions_are() { # COUNT, the console not counted
	local list
	list=$(musessctl list) && [ "$(wc -l <<<"$list")" = $((3 + $1)) ] # head, console, listener
}
