# Debian's xrdp with Xorg sessions, in namespaces of the caller's own (alone), with users that exist there alone
# and end with them. Sourced before lib.sh, whose functions some of these use.

# alone FILE BUILD: runs FILE again in such namespaces, as "FILE inside BUILD", with a loopback that is up. A root
# without CAP_NET_ADMIN, a container's, has it in a user namespace alone: the network is made there.
alone() {
	[ "$(id -u)" = 0 ] || exec unshare -Ur "$@"
	exec unshare -m -p -i -u -f --mount-proc --kill-child --propagation private bash -euc '
		mount -t tmpfs none /mnt
		: >/mnt/network
		unshare -U -r -m --net=/mnt/network ip link set lo up
		exec nsenter --net=/mnt/network "$1" inside "$2"' \
		alone "$(realpath "$1")" "$(realpath "$2")"
}

# own_tmp BUILD: a /tmp of their own, where these scripts and BUILD are found all the same: X servers that
# are killed leave locks there.
own_tmp() {
	local kept=("$(realpath "$(dirname "${BASH_SOURCE[0]}")/..")" "$1") i
	for i in 0 1; do
		mkdir "/mnt/$i"
		mount --bind "${kept[i]}" "/mnt/$i"
	done
	mount -t tmpfs -o mode=1777 none /tmp
	for i in 0 1; do
		[[ ${kept[i]} = /tmp/* ]] || continue
		mkdir -p "${kept[i]}"
		mount --bind "/mnt/$i" "${kept[i]}"
	done
}

# make_users COUNT: load1 and so on, whose password is secret, in this mount namespace; the files'
# owners stay what they are.
make_users() {
	local i
	mkdir -p "$WORK/etc" "$WORK/homes"
	chmod 755 "$WORK" "$WORK/homes"
	cp /etc/passwd /etc/shadow /etc/group "$WORK/etc"
	for ((i = 1; i <= $1; i++)); do
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

listens() {
	ss -Hltn "sport = :$1" | grep -q .
}

# On port 4489. Its window manager waits, so that a session costs what xrdp and Xorg do.
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
	mkdir -m 1777 /tmp/.X11-unix
	xrdp-sesman --nodaemon --config "$WORK/xrdp/sesman.ini" >"$OUT/sesman.out" 2>&1 &
	started+=("$!")
	xrdp --nodaemon --config "$WORK/xrdp/xrdp.ini" >"$OUT/xrdp.out" 2>&1 &
	started+=("$!")
	wait_until $PATIENCE listens 4489 || fail "xrdp does not listen: $(tail -n 5 "$OUT"/xrdp.*)"
}
