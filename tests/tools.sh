#!/bin/bash
# What a new user runs first: tools/run and tools/dependencies, and the laboratory that they start.
# Programs that would install something are others here, which say what they were asked.
#
#   tests/tools.sh BUILD
. "$(dirname "$0")/lib.sh" "$1"
top=$(realpath "$(dirname "$0")/..")

# ---- without installing anything

# stub NAME [COMMAND]: NAME is in PATH, writes a line to $WORK/asked, and is COMMAND.
stub() {
	mkdir -p "$WORK/stubs"
	printf '#!/bin/sh\necho "%s $*" >>"%s/asked"\n%s\n' "$1" "$WORK" "${2-}" >"$WORK/stubs/$1"
	chmod 755 "$WORK/stubs/$1"
}

asked() {
	grep -q "^$1" "$WORK/asked"
}

stubbed() {
	: >"$WORK/asked"
	PATH=$WORK/stubs:$PATH "$@" >"$WORK/output" 2>&1
}

help_is_help() {
	local name
	echo "== help"
	for name in apt-get apt-cache dpkg-query cmake sudo; do
		stub "$name"
	done
	for name in --help -h; do
		stubbed "$top/tools/run" $name || fail "tools/run $name: $(cat "$WORK/output")"
		grep -q -- '--user NAME' "$WORK/output" || fail "tools/run $name says $(cat "$WORK/output")"
		[ ! -s "$WORK/asked" ] || fail "tools/run $name runs $(cat "$WORK/asked")"
	done
	! stubbed "$top/tools/dependencies" --help || fail "tools/dependencies knows --help"
	! grep -v '^dpkg-query' "$WORK/asked" || fail "tools/dependencies --help runs the above"
}

# A mistake is found before anything is installed or built.
options() {
	local words option
	echo "== options"
	for words in -x --hlep --stat=x --lab=x '--port' '--port 0 -c' 'console' '--port 0 now' -- --user; do
		# shellcheck disable=SC2086
		! stubbed "$top/tools/run" $words || fail "tools/run takes $words"
		grep -q '^tools/run: .*\(no option\|needs a\)' "$WORK/output" ||
			fail "tools/run $words says $(cat "$WORK/output")"
		[ ! -s "$WORK/asked" ] || fail "tools/run $words runs $(cat "$WORK/asked")"
	done
	for option in $("$BIN/musessd" --help | grep -oE -- "(^|[ ,])--?[a-z][a-z-]*" | tr -d " ,"); do
		grep -qE -- "[[:space:]]$option[ )=*]" "$top/tools/run" || fail "tools/run does not know musessd's $option"
	done
}

# As on a machine with nothing on it: the cause is said, and nothing is left behind.
no_network() {
	echo "== no network"
	stub dpkg-query 'exit 1'
	stub sudo 'exec "$@"'
	stub tee 'cat >/dev/null'
	stub rm
	stub apt-cache 'exit 100'
	stub apt-get 'case "$*" in
		*indextargets*) echo "Debian bookworm http://deb.debian.org/debian" ;;
		*update*) echo "E: Temporary failure resolving"; exit 100 ;;
	esac'
	! stubbed "$top/tools/dependencies" || fail "it does without a network"
	grep -q 'Temporary failure resolving' "$WORK/output" || fail "the cause: $(cat "$WORK/output")"
	grep -q 'apt cannot update its lists' "$WORK/output" || fail "not said: $(cat "$WORK/output")"
	! asked tee || fail "a source is added that nobody could look into"
	! asked 'apt-get install' || fail "what apt does not know is installed"
	# it goes while the source is being added
	stub apt-get 'case "$*" in
		*indextargets*) echo "Debian bookworm http://deb.debian.org/debian" ;;
		*update*) ! grep -q "^tee" "'"$WORK"'/asked" || exit 100 ;;
		*install*) exit 100 ;;
	esac'
	! stubbed "$top/tools/dependencies" || fail "it does without packages"
	! asked tee || asked 'rm -f /etc/apt/sources.list.d/musess-backports.list' ||
		fail "a source of apt is left: $(cat "$WORK/asked")"
}

# ---- a laboratory

lab_is_ready() {
	grep -q 'ready on port' "$WORK/lab.log" || ended "$lab"
}

# start_lab COMMAND...: leaves the path of its lab.env in env.
start_lab() {
	: >"$WORK/lab.log" # that of the laboratory before has what is waited for
	env --default-signal=INT "$@" >"$WORK/lab.log" 2>&1 </dev/null &
	lab=$!
	started+=("$lab")
	wait_until $PATIENCE lab_is_ready || fail "no laboratory: $(cat "$WORK/lab.log")"
	! ended "$lab" || fail "the laboratory ended: $(cat "$WORK/lab.log")"
	env=$(sed -n "s/^  \. '\(.*\)'\(.*\)/\1\2/p" "$WORK/lab.log")
}

stop_lab() {
	kill -INT "$lab"
	wait "$lab" || fail "the laboratory ends with $?: $(cat "$WORK/lab.log")"
}

variables() {
	local output
	echo "== lab.env"
	mkdir "$WORK/temporary"
	start_lab TMPDIR="$WORK/temporary" "$BIN/musessd" --lab --port 0
	case $env in
	"$WORK"/temporary/musess-*/lab.env) ;;
	*) fail "TMPDIR is not where the laboratory is: $env" ;;
	esac
	# programs have what the shell has read
	output=$(env -i sh -c '. "$0" && exec "$@"' "$env" "$BIN/musessctl" list) || fail "lab.env exports nothing"
	grep -q console <<<"$output" || fail "musessctl list: $output"
	[ "$(env -i sh -c '. "$0" && exec printenv MUSESS_USER' "$env")" = lab ] || fail "no MUSESS_USER"
	output=$(env -i sh -c '. "$0" && exec "$@"' "$env" "$BIN/musessctl" events 2>&1) || true
	grep -qF "${env%/lab.env}/events.jsonl has the rest" <<<"$output" || fail "events: $output"
	[ -s "${env%/lab.env}/events.jsonl" ] || fail "there is no such file of events"
	stop_lab
	[ -z "$(ls -A "$WORK/temporary")" ] || fail "left: $(ls -A "$WORK/temporary")"
}

# A checkout that is built, in a mount that cannot be written to. (--user needs nothing of it either.)
read_only() {
	echo "== a checkout that cannot be written to"
	mkdir -p "$WORK/checkout/build/bin"
	cp -r "$top/tools" "$WORK/checkout/"
	find "$BIN" -maxdepth 1 -type f -exec cp {} "$WORK/checkout/build/bin/" \;
	chmod -R a+rX "$WORK/checkout"
	start_lab unshare --mount sh -c 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" &&
		exec "$0/tools/run" --port 0' "$WORK/checkout"
	grep -q 'what is built there is run' "$WORK/lab.log" || fail "not said: $(cat "$WORK/lab.log")"
	stop_lab
	rm "$WORK/checkout/build/bin/musessd"
	! unshare --mount sh -c 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" &&
		exec "$0/tools/run" --port 0' "$WORK/checkout" 2>"$WORK/lab.log" || fail "it runs what is not there"
	grep -q 'nothing is built there' "$WORK/lab.log" || fail "not said: $(cat "$WORK/lab.log")"
}

# Where a way is barred, the place is named.
barred() {
	echo "== a place that the user may not enter"
	cp "$BIN/musessd" "$WORK/checkout/build/bin/"
	chmod 700 "$WORK/checkout/build"
	! unshare --mount sh -c 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" &&
		exec "$0/tools/run" --user nobody' "$WORK/checkout" 2>"$WORK/lab.log" || fail "it runs there"
	grep -q "nobody cannot enter $WORK/checkout/build: chmod o+x" "$WORK/lab.log" ||
		fail "the wrong hint: $(cat "$WORK/lab.log")"
}

# Built and installed with an umask that takes all from others: programs and directories are for everybody.
modes() {
	local wrong
	echo "== modes of what is installed"
	(umask 077 && DESTDIR=$WORK/installed cmake --install "$BUILD" >"$WORK/output" 2>&1) ||
		fail "$(cat "$WORK/output")"
	wrong=$(find "$WORK/installed" ! -type l \( ! -perm -o=r -o -type d ! -perm -o=x -o -perm -o=w \))
	[ -z "$wrong" ] || fail "not for everybody: $wrong"
	[ "$(readlink -f "$WORK/installed/usr/local/sbin/musessd")" = "$WORK/installed/usr/local/libexec/musess/musessd" ] ||
		fail "musessd is not in root's PATH"
}

help_is_help
options
no_network
variables
read_only
barred
modes
echo "what a new user runs first does what it says"
