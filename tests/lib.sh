# What the end-to-end tests share: a daemon of their own, X servers without a screen, real
# RDP clients in them, typing, and what can be read on their screens. Sourced with the
# build directory as first argument; MUSESS_TEST_OUT says where pictures and logs are left.
#
#   . "$(dirname "$0")/lib.sh" "$1"
#   start_musess
#   connect mine xfreerdp3-nla-32
#   type_line mine 'echo $((6*7))'
#   wait_for_text mine '^42$' 10
#   stop_musess
#
# A client has a name, chosen by the test; window_of, pid_of and display_of are kept by
# it. Every process started here is ended, by its id, when the script ends.
set -euo pipefail
export LC_ALL=C.UTF-8

BUILD=$(realpath "$1")
BIN=$BUILD/bin
WORK=$(mktemp -d /tmp/musess-test.XXXXXX)
chmod 711 "$WORK"
OUT=${MUSESS_TEST_OUT:-$BUILD/tests-out/$(basename "$0" .sh)}
mkdir -p "$OUT"

# Clients remember certificates: they shall find none and leave none.
export HOME=$WORK/home
export XDG_CONFIG_HOME=$HOME/.config XDG_DATA_HOME=$HOME/.data XDG_CACHE_HOME=$HOME/.cache
mkdir -p "$HOME"

# Seconds in which anything that should happen has happened, sanitizers and a busy machine
# included. Nothing waits that long when all is well.
PATIENCE=30

# What needs another figure then asks for it.
sanitizer=no
! grep -q '^MUSESS_SANITIZE:BOOL=ON' "$BUILD/CMakeCache.txt" || sanitizer=yes

started=()
musess_pid='' musess_log=''
declare -A pid_of display_of window_of

fail() {
	echo "FAILED: $*" >&2
	if [ "$musess_log" ]; then
		echo "--- the daemon's log ends:" >&2
		tail -n 30 "$musess_log" >&2
	fi
	exit 1
}

# wait_until SECONDS COMMAND...: until COMMAND succeeds; fails when the time is over.
wait_until() {
	local end=$((SECONDS + $1 + 1))
	shift
	until "$@"; do
		[ $SECONDS -lt $end ] || return 1
		sleep 0.05
	done
}

ended() {
	! kill -0 "$1" 2>/dev/null
}

end_process() {
	kill "$1" 2>/dev/null || return 0
	wait_until 10 ended "$1" || kill -KILL "$1" 2>/dev/null || true
}

# Latest first: clients before the daemon's and the X servers' own end.
end_everything() {
	local status=$? i
	trap - EXIT
	for ((i = ${#started[@]} - 1; i >= 0; i--)); do
		end_process "${started[i]}"
	done 2>/dev/null
	if [ "$musess_log" ]; then
		cp "$musess_log" "$OUT/musessd.log"
	fi
	rm -rf "$WORK"
	exit $status
}
trap end_everything EXIT
trap 'exit 1' INT TERM HUP

# ---- the daemon

musess_answers_or_ended() {
	[ -e "$STATE/lab.env" ] || ended "$musess_pid"
}

# The lines of the configuration below [Sessions]. Where nobody counts sessions there may be
# idle ones.
config=('IdleWinStationPoolCount = 0')
limits=() # what follows them

# start_musess [option of musessd...]: sets STATE and what lab.env says. With STATE_AGAIN it is
# that of an earlier one, and stays.
STATE_AGAIN=''
start_musess() {
	printf '%s\n' '[Sessions]' "${config[@]}" "${limits[@]}" >"$WORK/musess.conf"
	chmod 644 "$WORK/musess.conf"
	STATE=${STATE_AGAIN:-$(mktemp -d "$WORK/state.XXXXXX")}
	musess_log=$WORK/musessd.log
	# The shell has its background processes ignore SIGINT, which is what stop_musess sends. A terminal
	# that this script may have would make SIGHUP the service's end.
	setsid env --default-signal=INT,QUIT,HUP "$BIN/musessd" --lab --state "$STATE" --port 0 \
		-c "$WORK/musess.conf" "$@" \
		>>"$musess_log" 2>&1 </dev/null &
	musess_pid=$!
	started+=("$musess_pid")
	wait_until $PATIENCE musess_answers_or_ended || fail "musessd wrote no lab.env"
	[ -e "$STATE/lab.env" ] || fail "musessd ended at once"
	. "$STATE/lab.env"
	: "$MUSESS_ADDRESS" "$MUSESS_USER" "$MUSESS_PASSWORD" "$MUSESS_SM_PORT"
}

musessctl() {
	"$BIN/musessctl" --socket "$MUSESS_SM_PORT" "$@"
}

now_ms() {
	local now=$EPOCHREALTIME
	echo $((${now/./} / 1000))
}

session_exists() {
	musessctl show "$1" >/dev/null 2>&1
}

session_gone() {
	! session_exists "$1"
}

# The state of session ID, as the list has it.
state_is() { # ID STATE
	local list
	list=$(musessctl list) && grep -qE " $1  $2( |\$)" <<<"$list"
}

wait_for_state() {
	wait_until $PATIENCE state_is "$1" "$2" || fail "session $1 is not $2: $(musessctl list)"
}

no_client_session() {
	local list
	list=$(musessctl list) && ! grep -qF 'rdp-tcp#' <<<"$list"
}

# status_of PID FIELD: of /proc/PID/status, each value a line.
status_of() {
	awk -v field="$2:" '$1 == field { for (i = 2; i <= NF; i++) print $i }' "/proc/$1/status"
}

# descendants PID: its children, theirs, and so on.
descendants() {
	ps -e -o pid=,ppid= | awk -v root="$1" '
		{ parent[$1] = $2 }
		END {
			for (p in parent) {
				for (q = p; q in parent && q != root; q = parent[q])
					;
				if (q == root && p != root)
					print p
			}
		}'
}

# PID has nothing of the log: its first three descriptors are /dev/null. A sanitizer reports there.
has_no_log() {
	[ $sanitizer = yes ] ||
		[ "$(stat -L -c %t:%T "/proc/$1/fd/0" "/proc/$1/fd/1" "/proc/$1/fd/2" | sort -u)" = 1:3 ]
}

# The process id namespaces of the processes given, but not this script's own.
pid_namespaces() {
	local pid
	for pid; do
		readlink "/proc/$pid/ns/pid" || true
	done 2>/dev/null | grep -vxF "$(readlink /proc/$$/ns/pid)" | sort -u || true
}

# now: the time as processes' start times count it.
now() {
	awk -v ticks="$(getconf CLK_TCK)" '{ print int($1 * ticks) }' /proc/uptime
}

# Processes in one of the NAMESPACES (lines) that were started by TIME. A namespace's number
# is given to another, of another service, as soon as it is free.
left_in() { # NAMESPACES TIME
	local pid
	for pid in /proc/[0-9]*; do
		readlink "$pid/ns/pid" | grep -qxF "$1" || continue
		awk -v pid="${pid#/proc/}" -v time="$2" \
			'{ sub(/.*\) /, ""); if ($20 <= time) print pid }' "$pid/stat" || true
	done 2>/dev/null
}

# A process id may be taken by another meanwhile; its start time tells the two apart.
process_births() {
	local pid
	for pid; do
		awk -v pid="$pid" '{ sub(/.*\) /, ""); print pid, $20 }' "/proc/$pid/stat" || true
	done 2>/dev/null | sort
}

is_gone() { # "PID BIRTH" lines
	local pid birth
	while read -r pid birth; do
		[ -z "$pid" ] || [ "$(process_births "$pid")" != "$pid $birth" ] || return 1
	done <<<"$1"
}

# As Ctrl-C does, then looks for what may not be left: processes, namespaces, mounts, and
# what a sanitizer had to say.
stop_musess() {
	local processes namespaces births time status=0
	mapfile -t processes < <(descendants "$musess_pid")
	namespaces=$(pid_namespaces "${processes[@]}")
	births=$(process_births "${processes[@]}")
	time=$(now)
	kill -"${1-INT}" "$musess_pid"
	wait_until $PATIENCE ended "$musess_pid" || fail "musessd does not end on SIG${1-INT}"
	wait "$musess_pid" || status=$?
	[ $status = 0 ] || fail "musessd ended with status $status"
	[ ! -e "$STATE/lab.env" ] && [ ! -e "$MUSESS_SM_PORT" ] || fail "musessd left $(ls "$STATE")"
	wait_until 5 is_gone "$births" || fail "musessd left processes: ${births//$'\n'/, }"
	[ -z "$namespaces" ] || [ -z "$(left_in "$namespaces" "$time")" ] ||
		fail "musessd left processes in a session's namespace: $(left_in "$namespaces" "$time")"
	! grep -qF "$STATE" /proc/self/mountinfo || fail "musessd left a mount"
	! grep -E 'ERROR: [A-Za-z]*Sanitizer|runtime error: ' "$musess_log" ||
		fail "a sanitizer found something"
}

# ---- X servers

# start_x NAME [DEPTH]: an X server of its own for the client NAME.
start_x() {
	local file=$WORK/display-$1
	: >"$file"
	# GLX brings visuals that have blue first; rdesktop takes one of them for 32 bpp, and shows
	# red and blue exchanged
	Xvfb -displayfd 3 -screen 0 "1280x1024x${2-24}" -nolisten tcp -noreset -extension GLX \
		3>"$file" >"$WORK/xvfb-$1.log" 2>&1 &
	started+=("$!")
	wait_until $PATIENCE grep -q . "$file" ||
		fail "Xvfb does not start: $(tail -n 3 "$WORK/xvfb-$1.log")"
	display_of[$1]=:$(<"$file")
}

# x NAME COMMAND...: COMMAND in the X server of NAME.
x() {
	local display=${display_of[$1]}
	shift
	DISPLAY=$display "$@"
}

# ---- clients: PROGRAM-SECURITY-BITS

client_kinds() {
	local version
	echo xfreerdp3-nla-32 xfreerdp3-tls-32 xfreerdp3-tls-24 xfreerdp3-nla-16
	version=$(. /etc/os-release && echo "$ID-${VERSION_ID-}")
	case $version in
	debian-13) echo "Debian 13 has no FreeRDP 2: its xfreerdp is tested on Debian 12" >&2 ;;
	*) echo xfreerdp2-nla-32 xfreerdp2-tls-16 ;;
	esac
	echo rdesktop-tls-32 rdesktop-tls-24 rdesktop-tls-16
}

# Further options for xfreerdp; /size is 1024x768 unless they say otherwise.
client_options=()

# client_command KIND USER PASSWORD: leaves the command line in the array client. Without a
# USER rdesktop sends no password: the desktop asks.
client_command() {
	local bits=${1##*-} security
	security=${1#*-}
	security=${security%-*}
	case $1 in
	xfreerdp3-*) client=(xfreerdp3) ;;
	xfreerdp2-*) client=(xfreerdp) ;;
	# It can do NLA by Kerberos alone: that fails, and it comes again for TLS.
	rdesktop-*)
		client=(rdesktop -D -g 1024x768 -a "$bits")
		[ -z "$2" ] || client+=(-u "$2" -p "$3")
		client+=("$MUSESS_ADDRESS")
		return
		;;
	*) fail "no such client: $1" ;;
	esac
	client+=("/v:$MUSESS_ADDRESS" "/u:$2" "/p:$3" "/sec:$security" "/bpp:$bits" /size:1024x768
		/cert:ignore -decorations "${client_options[@]}")
}

# start_client NAME KIND [USER PASSWORD]: it has an X server; its window is not waited for.
start_client() {
	local client
	client_command "$2" "${3-$MUSESS_USER}" "${4-$MUSESS_PASSWORD}"
	# rdesktop asks whether it may trust the certificate. (Not through x: the process id
	# would be that of a shell.)
	DISPLAY=${display_of[$1]} "${client[@]}" >"$OUT/$1.log" 2>&1 <<<yes &
	pid_of[$1]=$!
	started+=("$!")
}

find_window() {
	local window
	window=$(x "$1" xdotool search --onlyvisible --class 'freerdp|rdesktop' 2>/dev/null | tail -n 1)
	window_of[$1]=$window
	[ "$window" ]
}

window_or_end() {
	find_window "$1" || ended "${pid_of[$1]}"
}

# connect NAME KIND [USER PASSWORD]: until the client's window is at the top left corner and
# has the keyboard.
connect() {
	local depth=24
	[ "$2" != rdesktop-tls-16 ] || depth=16
	start_x "$1" $depth
	start_client "$@"
	wait_until $PATIENCE window_or_end "$1" || fail "$1: no window"
	[ "${window_of[$1]}" ] || fail "$1: the client ended: $(tail -n 5 "$OUT/$1.log")"
	x "$1" xdotool windowmove "${window_of[$1]}" 0 0 windowfocus "${window_of[$1]}" mousemove 500 700
}

# wait_for_end NAME SECONDS: until the client has ended by itself; leaves its exit status
# in client_status.
wait_for_end() {
	wait_until "$2" ended "${pid_of[$1]}" || fail "$1: the client does not end"
	client_status=0
	wait "${pid_of[$1]}" || client_status=$?
}

# ---- typing and looking

type_text() {
	x "$1" xdotool type --delay 12 -- "$2"
}

type_line() {
	type_text "$1" "$2"
	x "$1" xdotool key Return
}

# press NAME KEY...: as xdotool key names them.
press() {
	local name=$1
	shift
	x "$name" xdotool key -- "$@"
}

# screenshot NAME FILE: the client's window; the format is that of the file's name.
screenshot() {
	x "$1" import -silent -window "${window_of[$1]}" -depth 8 "$2"
}

# screen_text NAME: the text on the client's screen, a line for each row.
screen_text() {
	screenshot "$1" "$WORK/$1.ppm" && "$BIN/tests/screen-text" "$WORK/$1.ppm" 0 0
}

# Ended clients are noticed at once; what is not on the screen now never will be.
text_or_end() {
	screen_text "$1" >"$WORK/$1.text" 2>/dev/null || ended "${pid_of[$1]}" || return 1
	grep -qE -- "$2" "$WORK/$1.text" || ended "${pid_of[$1]}"
}

# wait_for_text NAME PATTERN SECONDS: until a line of the screen matches.
wait_for_text() {
	: >"$WORK/$1.text"
	wait_until "$3" text_or_end "$1" "$2" || true
	grep -qE -- "$2" "$WORK/$1.text" && return
	screenshot "$1" "$OUT/$1-failed.png" 2>/dev/null || true
	echo "--- the screen of $1:" >&2
	grep -v '^ *$' "$WORK/$1.text" >&2 || true
	! ended "${pid_of[$1]}" || echo "--- the client has ended: $(tail -n 5 "$OUT/$1.log")" >&2
	fail "$1: '$2' did not appear on the screen"
}

wait_for_prompt() {
	wait_for_text "$1" '[$#] *$' $PATIENCE
}
