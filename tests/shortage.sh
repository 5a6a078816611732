#!/bin/bash
# The service has too little of what it needs: it says what and ends, or refuses some, and serves
# the others.
#
#   tests/shortage.sh BUILD       as root
. "$(dirname "$0")/lib.sh" "$1"
. "$(dirname "$0")/sm-lib.sh"
. "$(dirname "$0")/bad-lib.sh"

# ---- what the service needs to start

# In a process id namespace, and with a /tmp, of its own: nothing may be left in either.
# $WORK is found at /mnt there.
# What the configuration or the machine has to be put right for first has EX_CONFIG of sysexits.h.
wanted=78
refuses() { # NAME PATTERN COMMAND...
	local name=$1 pattern=$2 file=$OUT/refuses-$1
	shift 2
	timeout -k 1 60 unshare --pid --fork --mount --mount-proc sh -c 'mount --bind "$0" /mnt &&
		mount -t tmpfs -o mode=1777 none /tmp && cd / && "$@" 2>/mnt/errors >/mnt/output
		echo $? >/mnt/status
		for pid in /proc/[0-9]*; do [ "$pid" = /proc/1 ] || cat "$pid/comm"; done >/mnt/left
		ls -A /tmp >>/mnt/left' "$WORK" "$@"
	mv "$WORK/errors" "$file"
	[ "$(cat "$WORK/status")" = $wanted ] || fail "$name: status $(cat "$WORK/status"): $(cat "$file")"
	[ "$(grep -c 'error: ' "$file")" = 1 ] || fail "$name: not one clear line: $(cat "$file")"
	grep -qE "error: $pattern" "$file" || fail "$name: $(cat "$file")"
	grep -vxE 'cat|sh' "$WORK/left" >"$WORK/left.other" || true
	[ ! -s "$WORK/left.other" ] || fail "$name: left behind: $(cat "$WORK/left.other")"
	echo "$name: $(grep 'error: ' "$file")"
}

lab_service=(/mnt/bin/musessd --lab --port 0)

refuses_certificate() { # NAME PATTERN CERTIFICATE KEY
	printf '[Listener]\nCertificate = /mnt/%s\nPrivateKey = /mnt/%s\n' "$3" "$4" >"$WORK/$1.conf"
	refuses "$1" "$2" "${lab_service[@]}" -c "/mnt/$1.conf"
}

refuses_events() { # NAME PATTERN FILE
	printf '[Events]\nEventFile = %s\n' "$3" >"$WORK/$1.conf"
	refuses "$1" "$2" "${lab_service[@]}" -c "/mnt/$1.conf"
}

# For an ordinary user who may have no namespaces of KIND: there are none for the user
# namespace that he is in.
refuses_namespaces() { # KIND PATTERN
	local no_more=(setpriv --ambient-caps=-all --inh-caps=-all)
	[ "$1" = user ] || no_more=(unshare -U --map-user=1000 --map-group=1000)
	wanted=1 refuses "$1-namespaces" "$2" setpriv --reuid $limited_uid --regid $limited_uid --clear-groups \
		unshare -U --map-user=1000 --map-group=1000 --keep-caps \
		sh -c 'echo 0 >/proc/sys/user/max_$0_namespaces && exec "$@"' "$1" \
		"${no_more[@]}" "${lab_service[@]}"
}

starts_only_with_all() {
	local kind
	echo "== what is missing is said"
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$WORK/a.key" \
		-out "$WORK/a.pem" -days 2 -subj /CN=a 2>/dev/null
	openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$WORK/b.key" 2>/dev/null
	echo rubbish >"$WORK/rubbish.pem"
	printf '[Display]\nFont = /nonexistent\n' >"$WORK/font.conf"
	refuses_certificate no-certificate 'cannot read the certificate /mnt/none.pem' none.pem a.key
	refuses_certificate no-key 'cannot read the private key /mnt/none.pem' a.pem none.pem
	refuses_certificate no-pem '/mnt/rubbish.pem holds no PEM certificate' rubbish.pem a.key
	refuses_certificate no-pem-key '/mnt/rubbish.pem holds no PEM private key' a.pem rubbish.pem
	openssl req -x509 -newkey rsa:512 -nodes -keyout "$WORK/short.key" -out "$WORK/short.pem" -days 2 \
		-subj /CN=a 2>/dev/null
	refuses_certificate short-key 'no client could be served with the certificate /mnt/short.pem: ' \
		short.pem short.key
	refuses_certificate unfit 'the certificate /mnt/a.pem does not fit' a.pem b.key
	refuses_events no-directory 'EventFile is "/mnt/none/events.jsonl": No such file or directory' \
		/mnt/none/events.jsonl
	refuses_events not-writable 'cannot open the event file /proc/events.jsonl' \
		/proc/events.jsonl
	refuses_events link 'EventFile is "/proc/self": Too many levels' /proc/self
	printf '[SubSystems]\nPosix = nothing -x\n' >"$WORK/command.conf"
	refuses no-command 'Posix is "nothing -x", and /mnt/bin/nothing cannot be executed' \
		"${lab_service[@]}" -c /mnt/command.conf
	refuses no-font 'font /nonexistent .* install' "${lab_service[@]}" -c /mnt/font.conf
	refuses port-in-use "port ${MUSESS_ADDRESS##*:} is in use" \
		/mnt/bin/musessd --lab --port "${MUSESS_ADDRESS##*:}"
	refuses no-shell 'sessions need the shell /bin/bash .* install' \
		sh -c 'mount --bind /dev/null /usr/bin/bash && exec "$@"' sh "${lab_service[@]}"
	chmod 700 "$WORK/bin/lsass"
	refuses modes '/mnt/bin/lsass cannot be executed by other users.* chmod -R go\+rX /mnt/bin' \
		"${lab_service[@]}"
	chmod 755 "$WORK/bin/lsass"
	refuses_namespaces user '.* user.max_user_namespaces'
	refuses_namespaces mnt '.* user.max_mnt_namespaces'
	for kind in pid net ipc uts; do
		refuses_namespaces $kind '.* user.max_\*_namespaces'
	done
	refuses cut-down-root 'root without the capabilities CAP_SYS_ADMIN' \
		setpriv --bounding-set -sys_admin --inh-caps -sys_admin "${lab_service[@]}"
	refuses few-ids '.* do not exist in this user namespace' unshare -U -r "${lab_service[@]}"
}

# What the state directory $1 has of the pair is whole.
whole_pair() {
	local certificate='' key=''
	[ ! -e "$1/tls/certificate.pem" ] ||
		certificate=$(openssl x509 -in "$1/tls/certificate.pem" -noout -pubkey) || return 1
	[ ! -e "$1/tls/key.pem" ] || key=$(openssl pkey -in "$1/tls/key.pem" -pubout) || return 1
	[ -z "$certificate" ] || [ -z "$key" ] || [ "$certificate" = "$key" ]
}

ready_or_ended() { # LOG
	grep -q 'is ready' "$1" || ended "$musess_pid"
}

# Starts in the state directory $1, and ends: $2 is the log.
starts_or_says() {
	local status=0
	env --default-signal=INT "$BIN/musessd" --lab --state "$1" --port 0 >"$2" 2>&1 &
	musess_pid=$!
	started+=("$musess_pid")
	wait_until $PATIENCE ready_or_ended "$2" || fail "neither ready nor ended: $(cat "$2")"
	kill -INT "$musess_pid" 2>/dev/null || true
	wait "$musess_pid" || status=$?
	grep -q 'is ready' "$2" || { [ $status = 1 ] && grep -q 'error: .*: No space' "$2"; } ||
		fail "status $status: $(cat "$2")"
}

# In a state directory with no room, or too little, each file is whole or is not there; and what an
# earlier run could not finish is made again. The sessions' record is there, too: where there is no
# room for one's the service goes on.
a_full_disk() {
	local state=$WORK/full/state pages file
	echo "== a full disk"
	mkdir "$WORK/full"
	trap 'status=$?; umount -l "$WORK/full" 2>/dev/null || true; (exit $status); end_everything' EXIT
	mount -t tmpfs -o mode=700,size=256k musess-test "$WORK/full"
	for pages in 0 1 2 3 4 5 6 7 8; do
		rm -rf "$state" "$WORK/full/filler"
		mkdir -m 700 "$state" "$state/tls" "$state/accounts" "$state/root"
		cat /dev/zero >"$WORK/full/filler" 2>/dev/null || true
		truncate -s -$((pages * 4096)) "$WORK/full/filler"
		starts_or_says "$state" "$OUT/full-$pages.log"
		whole_pair "$state" || fail "$pages pages: half a certificate: $(ls -l "$state/tls")"
		echo "$pages pages: $(grep -E 'error: |is ready' "$OUT/full-$pages.log")"
	done
	rm "$WORK/full/filler"
	for file in none key.pem certificate.pem; do
		[ $file = none ] || truncate -s 100 "$state/tls/$file"
		STATE_AGAIN=$state
		start_musess
		serves
		STATE_AGAIN=''
		stop_musess
		[ -s "$state/tls/key.pem" ] && [ -s "$state/tls/certificate.pem" ] && whole_pair "$state" ||
			fail "no pair in place of a part of $file"
		[ $file = none ] || grep -q 'warning: .*: a new one is made' "$musess_log" ||
			fail "a part of $file is not said"
	done
	STATE_AGAIN=$state
	start_musess
	STATE_AGAIN=''
	cat /dev/zero >"$WORK/full/filler" 2>/dev/null || true
	load -n 20 -c 20 -k 1 || fail "no sessions without a record of them"
	grep -q 'warning: no room for the record of a session: No space' "$musess_log" ||
		fail "a record that has no room is not said"
	stop_musess
	umount "$WORK/full"
}

# In the foreground of a terminal that is closed the service ends; elsewhere SIGHUP has it read its
# configuration again (tests/reconnect.sh).
terminal_is_closed() {
	echo "== a terminal that is closed"
	python3 - "$BIN/musessd" <<-'END' || fail "the service does not end with its terminal"
		import os, pty, select, sys, time

		pid, terminal = pty.fork()
		if pid == 0:
		    os.execv(sys.argv[1], [sys.argv[1], "--lab", "--port", "0"])
		text, end = b"", time.time() + 30
		while b"is ready" not in text and time.time() < end:
		    if select.select([terminal], [], [], 1)[0]:
		        text += os.read(terminal, 65536)
		os.close(terminal)
		while time.time() < end:
		    done, status = os.waitpid(pid, os.WNOHANG)
		    if done:
		        sys.exit(status != 0 or b"is ready" not in text)
		    time.sleep(0.1)
		os.kill(pid, 9)
		sys.exit(1)
	END
}

# ---- too little to go on

out_of_descriptors() {
	echo "== out of descriptors"
	limited --nofile=64:64
	serves
	start_bad 200 silent
	wait_until 5 grep -q 'is refused: out of descriptors' "$musess_log" || fail "no line in the log"
	! ended "$musess_pid" || fail "the service has ended"
	wait "${bad[@]}"
	closed_within 0 11000 "$OUT/bad-silent"
	serves
	load -n 100 -c 100 -k 1 >"$OUT/descriptors.log" || true # those who wait may all be served
	cat "$OUT/descriptors.log"
	grep -q '^0 of' "$OUT/descriptors.log" && fail "nobody was served, with 64 descriptors"
	wait_until $PATIENCE sessions_are 0 || fail "sessions are left"
	serves
	stop_musess
}

# Nothing of the service can have more memory than it has: neither smss, termsrv nor workers
# that are forked then. A sanitizer ends the process instead of telling it.
out_of_memory() {
	local pid
	[ $sanitizer = no ] || return 0
	echo "== out of memory"
	start_musess
	serves
	for pid in "$musess_pid" "$(main_of termsrv)" "$(nursery)"; do
		prlimit --pid "$pid" --as="$(awk '$1 == "VmSize:" { print $2 * 1024 }' "/proc/$pid/status"):"
	done
	# more at once than smss has space for in what it has mapped already
	load -n 100 -c 100 -k 10 >"$OUT/memory.log" && fail "100 clients without memory"
	cat "$OUT/memory.log"
	grep -qi 'out of memory\|Cannot allocate memory' "$musess_log" || fail "no line in the log"
	for pid in "$musess_pid" "$(main_of termsrv)" "$(nursery)"; do
		! ended "$pid" || fail "the service has ended"
		prlimit --pid "$pid" --as=unlimited:
	done
	wait_until $PATIENCE sessions_are 0 || fail "sessions are left"
	wait_until $PATIENCE serves_again || fail "nobody is served"
	stop_musess
}

out_of_processes() {
	echo "== out of processes"
	limited --nproc=60:60
	serves
	load -n 40 -c 40 -k 10 >"$OUT/processes.log" || true # those who wait may all be served
	cat "$OUT/processes.log"
	grep -q '^0 of' "$OUT/processes.log" && fail "nobody was served, with 60 processes"
	grep -qE 'warning: .*(Resource temporarily unavailable|out of memory, processes)' "$musess_log" ||
		fail "no line in the log"
	! ended "$musess_pid" || fail "the service has ended"
	wait_until $PATIENCE sessions_are 0 || fail "sessions are left"
	wait_until $PATIENCE has_workers $WARM || fail "there are $(worker_count) workers"
	serves
	stop_musess
}

# Whoever has no account gets a part of the sessions, and the others still theirs.
prompts() {
	local host prompts=()
	echo "== logon prompts are a part"
	config+=('MaxInstanceCount = 16') # four prompts, and two from one address
	start_musess
	unset 'config[-1]'
	! "$BUILD/bin/tests/rdp-load" "${MUSESS_ADDRESS##*:}" '' '' -n 3 -c 3 -k 4 >"$OUT/prompts.log" ||
		fail "three have a prompt"
	grep -q '^2 of 3 painted' "$OUT/prompts.log" || fail "$(cat "$OUT/prompts.log")"
	wait_until $PATIENCE sessions_are 0 || fail "prompts are left"
	for host in 1 2; do
		"$BUILD/bin/tests/rdp-load" "${MUSESS_ADDRESS##*:}" '' '' -b 127.0.0.$host -n 2 -c 2 -k 8 \
			>"$OUT/prompts-$host.log" &
		started+=("$!")
		prompts+=("$!")
	done
	wait_until $PATIENCE sessions_are 4 || fail "no prompts: $(cat "$OUT"/prompts-?.log)"
	! "$BUILD/bin/tests/rdp-load" "${MUSESS_ADDRESS##*:}" '' '' -b 127.0.0.3 >"$OUT/prompts.log" ||
		fail "a fifth prompt"
	load -n 6 -c 6 -k 1 || fail "accounts find no session"
	for host in 1 2; do
		wait "${prompts[host - 1]}" || fail "$(cat "$OUT/prompts-$host.log")"
	done
	grep -q 'came without credentials and is refused' "$musess_log" || fail "no line in the log"
	stop_musess QUIT
}

copy_programs
BIN=$WORK/bin
start_musess
starts_only_with_all
stop_musess
terminal_is_closed
a_full_disk
out_of_descriptors
out_of_processes
BIN=$WORK/bin
out_of_memory
prompts
echo "what is short is said, and those who can be are served"
