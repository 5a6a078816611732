#!/bin/bash
# musessload against servers that are not musess: Debian's xrdp with Xorg sessions, and FreeRDP's
# shadow server, which shows one desktop to all. They run in namespaces of their own, with users that exist
# there alone, and end with them.
#
#   tests/load-others.sh BUILD
set -euo pipefail

if [ "${1-}" != inside ]; then
	[ "$(id -u)" = 0 ] || exec unshare -Ur "$0" "$@"
	exec unshare -m -p -n -i -u -f --mount-proc --kill-child --propagation private \
		"$(realpath "$0")" inside "$@"
fi
shift
. "$(dirname "$0")/lib.sh" "$1"
LOAD=$BIN/musessload
ip link set lo up

for program in xrdp xrdp-sesman Xorg freerdp-shadow-cli3; do
	command -v $program >/dev/null || fail "$program is not installed: tools/dependencies test"
done

count() { # FILE PATTERN
	grep -c -- "$2" "$1" || true
}

listens() {
	ss -Hltn "sport = :$1" | grep -q .
}

# ---- xrdp

# Users of this mount namespace alone; the files' owners stay what they are.
make_users() {
	local i
	mkdir -p "$WORK/etc" "$WORK/homes"
	chmod 755 "$WORK" "$WORK/homes"
	cp /etc/passwd /etc/shadow /etc/group "$WORK/etc"
	for i in {1..6}; do
		echo "load$i:x:$((47000 + i)):47000::$WORK/homes/load$i:/bin/bash" >>"$WORK/etc/passwd"
		echo "load$i:$(openssl passwd -6 secret):19000:0:99999:7:::" >>"$WORK/etc/shadow"
		mkdir "$WORK/homes/load$i"
		chown $((47000 + i)):47000 "$WORK/homes/load$i"
	done
	echo 'load:x:47000:' >>"$WORK/etc/group"
	for i in passwd shadow group; do
		mount --bind "$WORK/etc/$i" "/etc/$i"
	done
}

start_xrdp() {
	mkdir "$WORK/xrdp"
	openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=xrdp -days 2 \
		-keyout "$WORK/xrdp/key.pem" -out "$WORK/xrdp/cert.pem" 2>/dev/null
	sed -E "s|^certificate=.*|certificate=$WORK/xrdp/cert.pem|; s|^key_file=.*|key_file=$WORK/xrdp/key.pem|
		s|^port=3389|port=4489|; s|^LogFile=.*|LogFile=$OUT/xrdp.log|; s|^autorun=.*|autorun=Xorg|
		s|^EnableSyslog=.*|EnableSyslog=false|" /etc/xrdp/xrdp.ini >"$WORK/xrdp/xrdp.ini"
	printf '#!/bin/sh\nexec sleep 600\n' >"$WORK/xrdp/wm"
	chmod 755 "$WORK/xrdp" "$WORK/xrdp/wm"
	sed -E "s|^EnableUserWindowManager=.*|EnableUserWindowManager=false|
		s|^DefaultWindowManager=.*|DefaultWindowManager=$WORK/xrdp/wm|
		s|^LogFile=.*|LogFile=$OUT/sesman.log|; s|^EnableSyslog=.*|EnableSyslog=false|" \
		/etc/xrdp/sesman.ini >"$WORK/xrdp/sesman.ini"
	mount -t tmpfs none /run
	mkdir -p /run/xrdp/sockdir
	chmod 1777 /run/xrdp/sockdir
	mount -t tmpfs none /tmp/.X11-unix 2>/dev/null || mkdir -p /tmp/.X11-unix
	chmod 1777 /tmp/.X11-unix
	xrdp-sesman --nodaemon --config "$WORK/xrdp/sesman.ini" >"$OUT/sesman.out" 2>&1 &
	started+=("$!")
	xrdp --nodaemon --config "$WORK/xrdp/xrdp.ini" >"$OUT/xrdp.out" 2>&1 &
	started+=("$!")
	wait_until $PATIENCE listens 4489 || fail "xrdp does not listen: $(tail -n 5 "$OUT"/xrdp.*)"
}

make_users
start_xrdp
(umask 077 && echo secret >"$WORK/password")
"$LOAD" run 127.0.0.1:4489 -u load%d --password-file "$WORK/password" --security tls \
	--storm 6 --hold 2s --until shell --out "$OUT/xrdp.jsonl" \
	--threshold 'fail<1%' || fail "xrdp: status $?"
[ "$(count "$OUT/xrdp.jsonl" '"error":"ok"')" = 6 ] || fail "xrdp: not all sessions are good"
[ "$(ps -e -o comm= | grep -c '^Xorg')" = 6 ] || fail "xrdp: no Xorg for each user: $(ps -e -o comm=)"

# ---- FreeRDP's shadow server

start_x shadow
DISPLAY=${display_of[shadow]} freerdp-shadow-cli3 /port:4490 /sec:tls -auth >"$OUT/shadow.log" 2>&1 &
started+=("$!")
wait_until $PATIENCE listens 4490 || fail "the shadow server does not listen: $(tail -n 5 "$OUT/shadow.log")"
"$LOAD" run 127.0.0.1:4490 -u load --password-file "$WORK/password" --security tls \
	--concurrency 2 --count 6 --hold 500ms --out "$OUT/shadow.jsonl" || fail "shadow: status $?"
[ "$(count "$OUT/shadow.jsonl" '"error":"ok"')" = 6 ] || fail "shadow: not all sessions are good"
echo "xrdp and FreeRDP's shadow server: all good"
