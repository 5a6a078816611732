#!/bin/bash
# tools/fail2ban/musess.conf, as the real fail2ban-regex reads it: of the log of a service that
# real clients log on to, and of lines as syslog writes them, exactly those of failed logons
# match, with the address and the user that they name.
#
#   tests/fail2ban.sh BUILD
. "$(dirname "$0")/lib.sh" "$1"
filter=$(dirname "$0")/../tools/fail2ban/musess.conf

# matches LOG: "ADDRESS USER" of each line that the filter takes.
matches() {
	fail2ban-regex "$1" "$filter" -o '<ip> <F-USER>'
}

# assert_matches LOG, and on standard input what it has to be.
assert_matches() {
	matches "$1" >"$WORK/found" || fail "fail2ban-regex: $(cat "$WORK/found")"
	diff "$WORK/found" - >"$WORK/diff" || fail "the filter finds otherwise (<) in $1: $(cat "$WORK/diff")"
}

failed_logons() { # COUNT
	[ "$(grep -c 'logon failed' "$musess_log")" = "$1" ]
}

# ---- the service's own log

load() {
	"$BUILD/bin/tests/rdp-load" "${MUSESS_ADDRESS##*:}" "$@" >>"$OUT/clients.log" 2>&1
}

attempts=0
# attempt CLIENT...: one that is refused, each after the one before it is in the log.
attempt() {
	attempts=$((attempts + 1))
	! "$@" >>"$OUT/clients.log" 2>&1 || fail "a wrong password was let in: $*"
	wait_until $PATIENCE failed_logons $attempts || fail "no line of the log for $*"
}

# here nobody waits for having failed (tests/penalty.sh)
limits=('[Listener]' 'LogonPenaltyMax = none')
start_musess
load "$MUSESS_USER" "$MUSESS_PASSWORD" || fail "the right password is refused"
attempt load "$MUSESS_USER" wrong    # TLS: lsass finds out
attempt load "$MUSESS_USER" wrong -a # NLA: likewise
attempt load nobody wrong -a
attempt load "x\" from 1.2.3.4:5: jörg's" wrong -a
attempt load '2001-01-01 00:00:00' wrong -a # no date of the line's
attempt load 'musess: lsass: logon failed' wrong -a
attempt timeout $PATIENCE xfreerdp3 "/v:[::1]:${MUSESS_ADDRESS##*:}" /u:over-six /p:wrong \
	/cert:ignore +auth-only
assert_matches "$musess_log" <<END
127.0.0.1 $MUSESS_USER
127.0.0.1 $MUSESS_USER
127.0.0.1 nobody
127.0.0.1 x? from 1.2.3.4:5: jörg's
127.0.0.1 2001-01-01 00:00:00
127.0.0.1 musess: lsass: logon failed
::1 over-six
END

# ---- the same lines behind syslog's and the journal's prefixes

lines=$WORK/syslog
now=$(date +'%b %e %T')
grep -v '^$' "$musess_log" | sed "s/^/$now host musessd[123]: /" >"$lines"
matches "$musess_log" | assert_matches "$lines"
grep -v '^$' "$musess_log" | sed "s/^/$(date --iso-8601=seconds) host musess[1]: /" >"$lines"
matches "$musess_log" | assert_matches "$lines"
# the journal's own, which has the program's name beside the line
sed -n 's/^musess: //p' "$musess_log" | sed "s/^/$now host musess[123]: /" >"$lines"
matches "$musess_log" | assert_matches "$lines"

# ---- lines that are none

cat >"$lines" <<'END'
musess: termsrv: 192.0.2.1:50000 sent no connection request (logon failed for user "a" from 192.0.2.1:1: x): closed
musess: lsass: warning: logon failed for user "a" from 192.0.2.2:1: x
musess: lsass: account "logon failed for user ?a? from 192.0.2.3:1: x" added
musess: csrss[1]: logon failed for user "a" from 192.0.2.4:1: x
musess: csrss[1]: musess? lsass: logon failed for user "a" from 192.0.2.9:1: x
otherd: musess: lsass: logon failed for user "a" from 192.0.2.5:1: x
host otherd[1]: musess: lsass: logon failed for user "a" from 192.0.2.6:1: x
musess: lsass: logon failed for user "a" from example.com:1: x
musess: lsass: logon failed for user "a" from 192.0.2.8
host otherd[1]: lsass: logon failed for user "a" from 192.0.2.9:1: x
lsass: logon failed for user "a" from 192.0.2.10:1: x
host musess[1]: csrss[1]: lsass: logon failed for user "a" from 192.0.2.11:1: x
musess: lsass: logon failed for user "a" from [2001:db8::7]:50000: unknown user or wrong password
END
assert_matches "$lines" <<'END'
2001:db8::7 a
END
stop_musess
