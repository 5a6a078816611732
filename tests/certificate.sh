#!/bin/bash
# The configured certificate: what clients get of it, what is said of it, and how it is renewed.
#
#   tests/certificate.sh BUILD
. "$(dirname "$0")/lib.sh" "$1"
here=$(dirname "$0")
chmod 755 "$WORK"

# ---- certificates

key() { # NAME [option of genpkey...]
	local name=$1
	shift
	[ $# -gt 0 ] || set -- -algorithm EC -pkeyopt ec_paramgen_curve:P-256
	openssl genpkey "$@" -out "$WORK/$name.key" 2>/dev/null
}

# issue NAME ISSUER SERIAL [option of x509...]: for the key NAME; its own issuer signs for itself.
issue() {
	local name=$1 issuer=$2 serial=$3 from=(-CA "$WORK/$2.pem" -CAkey "$WORK/$2.key")
	shift 3
	[ "$issuer" != "$name" ] || from=(-signkey "$WORK/$name.key")
	openssl req -new -key "$WORK/$name.key" -subj "/CN=$name" -out "$WORK/request"
	openssl x509 -req -in "$WORK/request" "${from[@]}" -set_serial "$serial" -out "$WORK/$name.pem" \
		"$@" 2>/dev/null
}

authority() { # NAME ISSUER
	printf 'basicConstraints=critical,CA:TRUE\nkeyUsage=keyCertSign\n' >"$WORK/authority"
	key "$1"
	issue "$1" "$2" 1 -days 9 -extfile "$WORK/authority"
}

# server NAME SERIAL: its certificate, that of the authority between, and the key.
server() {
	key "$1"
	issue "$1" middle "$2" -days 9
	cat "$WORK/$1.pem" "$WORK/middle.pem" >"$WORK/$1.chain"
}

# configure CERTIFICATE KEY: by their names in $WORK.
configure() {
	limits=('[Listener]' "Certificate = $WORK/$1" "PrivateKey = $WORK/$2")
}

# The serial number of what a client gets, which knows the root alone.
served() {
	"$here/tls-client.py" "$MUSESS_ADDRESS" "$WORK/root.pem"
}

is_served() { # SERIAL
	local got
	got=$(served) || fail "no certificate $1"
	[ "$got" = "$1" ] || fail "the certificate $got is served, not $1"
}

# says PATTERN: in a line of the log, in musess's own words.
says() {
	grep -qE "$1" "$musess_log" || fail "not said: $1"
}

# ---- tests

warns_of() { # CERTIFICATE KEY PATTERN...
	local pattern
	configure "$1" "$2"
	start_musess
	shift 2
	for pattern; do
		says "warning: $pattern"
	done
	[ "$(grep -c 'warning: ' "$musess_log")" = $# ] || fail "more than $# warnings"
	stop_musess
	: >"$musess_log"
}

warnings() {
	echo "== what clients will not like is said"
	key old
	# OpenSSL 3.0 takes a number of days below 0, later ones a time
	issue old middle 0x10 -days -1 ||
		issue old middle 0x10 -not_before 20250101000000Z -not_after 20250201000000Z
	warns_of old.pem old.key "the certificate $WORK/old.pem has expired on 20[0-9-]+ [0-9:]+ UTC"
	key weak -algorithm RSA -pkeyopt rsa_keygen_bits:1024
	issue weak weak 0x11 -days 9
	warns_of weak.pem weak.key "the certificate $WORK/weak.pem has a weak key, RSA of 1024 bits"
	key other
	printf 'extendedKeyUsage=clientAuth\n' >"$WORK/usage"
	issue other other 0x12 -days 9 -extfile "$WORK/usage"
	warns_of other.pem other.key "the certificate $WORK/other.pem is not for servers"
	cat "$WORK/a.pem" "$WORK/root.pem" "$WORK/middle.pem" >"$WORK/order.pem"
	warns_of order.pem a.key "certificate 2 in $WORK/order.pem did not issue the one before it" \
		"certificate 3 in $WORK/order.pem did not issue the one before it"
	chmod 644 "$WORK/a.key"
	warns_of a.chain a.key "everybody on this machine may read the private key $WORK/a.key"
	chmod 600 "$WORK/a.key"
	warns_of a.chain a.key
}

# refused PATTERN: reload says so, and what was served is served.
refused() {
	local output
	! output=$(musessctl reload 2>&1) || fail "reload takes it: $output"
	grep -qE "$1" <<<"$output" || fail "reload says: $output"
	is_served "$2"
}

takes() { # SERIAL
	local output
	output=$(musessctl reload) || fail "reload: $output"
	grep -q 'clients that come from now on get the new certificate' <<<"$output" ||
		fail "reload says nothing of a certificate: $output"
	is_served "$1"
}

put() { # FROM TO: as whoever renews a file should
	cp -p "$WORK/$1" "$WORK/new"
	mv "$WORK/new" "$WORK/$2"
}

serial_is() {
	[ "$(served 2>/dev/null)" = "$1" ]
}

termsrv_is_new() {
	local now
	now=$(pgrep -P "$musess_pid" -x termsrv) && [ "$now" != "$termsrv" ]
}

# More is to be said of a chain than a message has place for: whole lines of it are.
long_chain() {
	local name termsrv warnings
	echo "== a chain with many faults"
	for name in ä xä; do
		name=$(printf "$name%.0s" {1..40})
		put a.chain "$name.pem"
		put a.key "$name.key"
		configure "$name.pem" "$name.key"
		start_musess
		is_served AA
		termsrv=$(pgrep -P "$musess_pid" -x termsrv)
		cp "$WORK/b.key" "$WORK/$name.key"
		cat "$WORK"/{b,middle,a,b,a,b,a,b,a,b,a,b,a}.pem >"$WORK/$name.pem"
		musessctl reload >"$WORK/reload" 2>&1 || fail "reload: $(cat "$WORK/reload")"
		is_served BB
		warnings=$(grep -c "^certificate .* did not issue the one before it: .* to the root\$" "$WORK/reload")
		[ "$warnings" -ge 4 ] || fail "few warnings: $(cat "$WORK/reload")"
		[ "$(grep -c '^certificate ' "$WORK/reload")" = "$warnings" ] || fail "part of one: $(cat "$WORK/reload")"
		! termsrv_is_new || fail "termsrv was ended for what it said"
		stop_musess
	done
}

renewal() {
	local holder termsrv
	echo "== a renewed certificate"
	put a.chain live.pem
	put a.key live.key
	configure live.pem live.key
	start_musess
	is_served AA
	[ "$(musessctl reload)" = '0 options changed' ] || fail "a certificate that is the same is taken"
	# who has a session keeps it
	"$BIN/tests/rdp-load" "${MUSESS_ADDRESS##*:}" "$MUSESS_USER" "$MUSESS_PASSWORD" -n 1 -k 30 \
		>"$WORK/holder" &
	holder=$!
	started+=("$holder")
	wait_for_state 1 Active
	put b.chain live.pem
	refused "the certificate $WORK/live.pem does not fit the private key $WORK/live.key" AA
	put b.key live.key
	takes BB
	echo rubbish >"$WORK/live.pem"
	refused "$WORK/live.pem holds no PEM certificate" BB
	rm "$WORK/live.pem"
	refused "cannot read the certificate $WORK/live.pem" BB
	echo "== another termsrv has what was taken last"
	termsrv=$(pgrep -P "$musess_pid" -x termsrv)
	kill -KILL "$termsrv"
	wait_until $PATIENCE termsrv_is_new || fail "no new termsrv"
	wait_until $PATIENCE serial_is BB || fail "the new termsrv serves $(served)"
	put a.chain live.pem
	put a.key live.key
	kill -HUP "$musess_pid"
	wait_until $PATIENCE serial_is AA || fail "SIGHUP takes no certificate"
	! ended "$holder" && state_is 1 Active || fail "a session was cut off: $(cat "$WORK/holder")"
	stop_musess
}

# As programs do that keep each certificate, and a link to the last.
links() {
	echo "== a link to the last one"
	mkdir "$WORK/archive" "$WORK/live"
	cp "$WORK/a.chain" "$WORK/archive/chain1.pem"
	cp "$WORK/a.key" "$WORK/archive/key1.pem"
	cp "$WORK/b.chain" "$WORK/archive/chain2.pem"
	cp "$WORK/b.key" "$WORK/archive/key2.pem"
	ln -s ../archive/chain1.pem "$WORK/live/chain.pem"
	ln -s ../archive/key1.pem "$WORK/live/key.pem"
	configure live/chain.pem live/key.pem
	start_musess
	is_served AA
	ln -sfn ../archive/chain2.pem "$WORK/live/chain.pem"
	ln -sfn ../archive/key2.pem "$WORK/live/key.pem"
	takes BB
	stop_musess
}

# What the directory of the start has is not what its path leads to any more.
replaced() {
	echo "== a directory in the place of another"
	mkdir "$WORK/certs" "$WORK/certs.new"
	cp -p "$WORK/a.chain" "$WORK/certs/c.pem"
	cp -p "$WORK/a.key" "$WORK/certs/k.pem"
	cp -p "$WORK/b.chain" "$WORK/certs.new/c.pem"
	cp -p "$WORK/b.key" "$WORK/certs.new/k.pem"
	configure certs/c.pem certs/k.pem
	start_musess
	mv "$WORK/certs" "$WORK/certs.old"
	refused "$WORK/certs is another directory than at the service's start, .* the c.pem of that one: restart" AA
	mv "$WORK/certs.new" "$WORK/certs"
	refused "$WORK/certs is another directory than at the service's start, .* the k.pem of that one: restart" AA
	mv "$WORK/certs" "$WORK/certs.new"
	mv "$WORK/certs.old" "$WORK/certs"
	musessctl reload || fail "the directory of the start is back, and refused"
	ln -sf "$WORK/certs.new/c.pem" "$WORK/certs/c.pem"
	refused 'cannot read the certificate .*: No such file .*a link by an absolute path' AA
	stop_musess
}

# checks PATTERN...: --check-config says each, and nothing else, and fails where that is said last.
checks() {
	printf '%s\n' "${limits[@]}" >"$WORK/check.conf"
	checks_file "$WORK/check.conf" "$@"
}

checks_file() { # FILE PATTERN...
	local output status=0 pattern lines=0 file=$1
	shift
	output=$(timeout $PATIENCE "$BIN/musessd" --check-config -c "$file" 2>&1) || status=$?
	for pattern; do
		grep -qE "$pattern" <<<"$output" || fail "not said: $pattern: $output"
		lines=$((lines + 1))
	done
	[ "$(wc -l <<<"$output")" = $lines ] || fail "more than $lines lines: $output"
	[ $status = $wanted ] || fail "--check-config ends with $status: $output"
}

# Not only its form.
check_config() {
	local c=$WORK/check.conf wanted=78
	echo "== --check-config"
	limits=('[Listener]' "Certificate = $WORK/none.pem" "PrivateKey = $WORK/a.key" 'ListenAddress = 192.0.2.99'
		'[SubSystems]' 'Windows = none 1' 'Posix = /var/none' '[Display]' 'Font = /none.ttf'
		'[Events]' 'EventFile = /none/events.jsonl')
	checks "^$c: cannot read the certificate $WORK/none.pem: No such file" \
		"^$c: ListenAddress is \"192.0.2.99\": Cannot assign" \
		"^$c: Windows is \"none 1\", and .*/none cannot be executed: No such file" \
		"^$c: Posix is \"/var/none\", and sessions see nothing of /var/none" \
		"^$c: EventFile is \"/none/events.jsonl\": No such file" \
		'error: font /none.ttf'
	configure a.chain b.key
	checks "error: the certificate $WORK/a.chain does not fit the private key $WORK/b.key"
	ln -s elsewhere "$WORK/link"
	limits=('[Events]' "EventFile = $WORK/link")
	checks "^$c: EventFile is .*symbolic links"
	mkfifo "$WORK/fifo"
	limits=('[Events]' "EventFile = $WORK/fifo" '[Display]' "Font = $WORK/fifo")
	checks "^$c: EventFile is .*Invalid argument; allowed: a file of its own" "error: font $WORK/fifo is no file"
	limits=('[Events]' "EventFile = $c")
	checks "^$c: EventFile is .*Invalid argument"
	printf '#!/bin/sh\n' >"$WORK/program"
	chmod 755 "$WORK/program"
	limits=('[Sessions]' 'InitialProgram = /usr/nothere -x' '[SubSystems]' 'Execute = /nothere'
		"Windows = /usr/..$WORK/program" 'Posix = /library/x')
	checks "^$c: Windows is .*, and sessions see nothing of /usr/.." "^$c: Posix is .*sessions see nothing of /library/x" \
		"^$c: Execute is \"/nothere\", and sessions see nothing" \
		"^$c: InitialProgram is \"/usr/nothere -x\", and /usr/nothere cannot be executed: No such file"
	wanted=78 checks_file "$WORK/fifo" "^$WORK/fifo: it is no file"
	limits=('[Metrics]' 'MetricsPort = 3389')
	checks "^$c:2: PortNumber and MetricsPort are the same"
	wanted=0
	limits=('[Metrics]' 'MetricsPort = 3389' '[Listener]' 'ListenAddress = 127.0.0.2')
	checks "^$c: no mistakes$"
	limits=('[SubSystems]' 'Required = Windows Foo' 'Optional = Posix Bar')
	checks "^$c: Required names Foo, which has no command" "^$c: Optional names Bar, which has no command" \
		"^$c: no mistakes$"
	limits=('[Sessions]' 'InitialProgram = /usr/bin/env -i sh' '[SubSystems]' 'Execute = /bin/sh -c "exit 0"')
	checks "^$c: no mistakes$"
	cp "$WORK/a.key" "$WORK/open.key"
	cp "$WORK/a.chain" "$WORK/open.pem"
	chmod 602 "$WORK/open.key" "$WORK/open.pem"
	configure open.pem open.key
	checks "^$c: everybody on this machine may write to the private key $WORK/open.key" \
		"^$c: everybody on this machine may write to the certificate $WORK/open.pem" "^$c: no mistakes$"
	configure old.pem old.key
	checks "warning: the certificate $WORK/old.pem has expired" "^$c: no mistakes$"
	[ ! -e "$WORK/events.jsonl" ] && limits=('[Events]' "EventFile = $WORK/events.jsonl")
	checks "^$c: no mistakes$"
	[ ! -e "$WORK/events.jsonl" ] || fail "--check-config makes a file"
}

# NAME [option of genpkey...]: a certificate of the authority's for such a key.
of_kind() {
	key "$@"
	issue "$1" root 0x20 -days 9
}

# What OpenSSL serves with and clients do not take, or FreeRDP: it is refused wherever it is looked at.
kinds() {
	local name wanted what='a key that clients have no use for'
	echo "== kinds of keys"
	of_kind brainpool -algorithm EC -pkeyopt ec_paramgen_curve:brainpoolP256r1
	of_kind koblitz -algorithm EC -pkeyopt ec_paramgen_curve:secp256k1
	of_kind pss -algorithm RSA-PSS -pkeyopt rsa_keygen_bits:2048
	of_kind ed25519 -algorithm ED25519
	of_kind ed448 -algorithm ED448
	openssl dsaparam -out "$WORK/dsa" 1024 2>/dev/null
	openssl gendsa -out "$WORK/dsa.key" "$WORK/dsa" 2>/dev/null
	issue dsa root 0x21 -days 9
	of_kind short -algorithm RSA -pkeyopt rsa_keygen_bits:512
	of_kind p384 -algorithm EC -pkeyopt ec_paramgen_curve:P-384
	of_kind p521 -algorithm EC -pkeyopt ec_paramgen_curve:P-521
	of_kind rsa -algorithm RSA -pkeyopt rsa_keygen_bits:3072
	put a.chain live.pem
	put a.key live.key
	configure live.pem live.key
	start_musess
	for name in brainpool koblitz pss ed25519 ed448 dsa short; do
		[ $name != short ] || what='no client could be served with the certificate .*: ee key too small'
		put $name.pem live.pem
		put $name.key live.key
		refused "$what" AA
		wanted=78
		configure $name.pem $name.key
		checks "$what"
	done
	for name in p384 p521 rsa; do
		put $name.pem live.pem
		put $name.key live.key
		takes 20
		wanted=0
		configure $name.pem $name.key
		checks 'no mistakes$'
	done
	stop_musess
}

offers() { # STATUS CIPHERS
	local status=0
	"$here/tls-client.py" "$MUSESS_ADDRESS" "$STATE/tls/certificate.pem" "$2" >"$WORK/out" 2>&1 || status=$?
	[ $status = "$1" ] || fail "a client that offers $2: status $status: $(cat "$WORK/out")"
}

# With the service's own certificate, which is RSA: what is known to be weak would do for it.
suites() {
	echo "== cipher suites of TLS 1.2"
	limits=()
	start_musess
	for suite in ECDHE-RSA-AES128-GCM-SHA256 ECDHE-RSA-AES256-GCM-SHA384 ECDHE-RSA-CHACHA20-POLY1305; do
		offers 0 $suite
	done
	# without forward secrecy, and with CBC
	for suite in AES128-GCM-SHA256 AES256-SHA ECDHE-RSA-AES128-SHA ECDHE-RSA-AES256-SHA384; do
		offers 3 $suite
	done
	stop_musess
}

authority root root
authority middle root
server a 0xAA
server b 0xBB
echo "== the chain"
configure a.chain a.key
start_musess
is_served AA
stop_musess
warnings
long_chain
renewal
links
replaced
check_config
kinds
suites
echo "certificates are served whole, looked at, and renewed"
