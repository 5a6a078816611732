#!/bin/bash
# Sessions whose clients go and come, with real clients: disconnected, come back to, taken over,
# chosen from, moved, ended by limits; the reasons that clients are told, and the events.
#
#   tests/reconnect.sh BUILD
. "$(dirname "$0")/lib.sh" "$1"

# The exit status of xfreerdp is the number of the Set Error Info PDU.
ended_with() { # NAME STATUS
	wait_for_end "$1" $PATIENCE
	[ $client_status = "$2" ] || fail "$1: the client says $client_status, not $2"
}

csrss_of() {
	musessctl show "$1" --json | sed -n 's/.*"csrss_pid": \([0-9]*\).*/\1/p'
}

# A client that is killed, as one whose network is gone, says nothing. (Its shell's word of it is
# nobody's interest.)
kill_client() {
	kill -KILL "${pid_of[$1]}"
	wait "${pid_of[$1]}" 2>/dev/null || true
}

log_off() {
	type_line "$1" exit
	ended_with "$1" 12
	wait_until $PATIENCE no_client_session || fail "$1: its session is still there"
}

# start_relay: a way to the service that can be cut; leaves relay_pid and relay_port.
start_relay() {
	: >"$WORK/relay"
	python3 "$(dirname "$0")/relay.py" 127.0.0.1 "${MUSESS_ADDRESS##*:}" >"$WORK/relay" 2>"$OUT/relay.log" &
	relay_pid=$!
	started+=("$!")
	wait_until $PATIENCE test -s "$WORK/relay" || fail "no relay: $(cat "$OUT/relay.log")"
	relay_port=$(<"$WORK/relay")
}

# events_are LINE ID...: of those written since, these are there in this order; and each has the
# fields of Windows (shared/reference, session-manager.md section 4), in their order.
events_are() {
	local since=$1
	shift
	tail -n +"$since" "$STATE/events.jsonl" >"$WORK/events"
	python3 - "$WORK/events" "$@" <<-'END' || fail "events, not in this order, or without their fields: $*"
		import json, sys

		user_address = ["User", "SessionID", "Address"]
		station = ["AccountName", "AccountDomain", "LogonID", "SessionName", "ClientName",
		           "ClientAddress"]
		fields = {
		    131: ["ConnType", "ClientIP"], 65: ["ConnectionName"],
		    66: ["ConnectionName", "SessionID"], 140: ["IPString"], 261: ["listenerName"],
		    1149: ["Param1", "Param2", "Param3"], 1070: [], 21: user_address, 22: user_address,
		    24: user_address, 25: user_address, 23: ["User", "SessionID"],
		    41: ["User", "SessionID"], 42: ["User", "SessionID"], 39: ["TargetSession", "Source"],
		    40: ["Session", "Reason"], 57: ["SessionID", "InitCmdPid", "Win32kPid"],
		    58: ["SessionID", "InitCmdPid", "Win32kPid"], 4778: station, 4779: station,
		}
		events = [json.loads(line) for line in open(sys.argv[1])]
		for e in events:
		    wanted = fields.get(e["id"])
		    # SMSS has a 23 and a 24 too
		    if wanted is not None and "SMSS" not in e["channel"] and list(e["data"]) != wanted:
		        sys.exit(f"event {e['id']} has the fields {list(e['data'])}, not {wanted}")
		rest = iter(str(e["id"]) for e in events)
		if not all(wanted in rest for wanted in sys.argv[2:]):
		    sys.exit(f"these were written: {[e['id'] for e in events]}")
	END
}

# What a refused logon leaves.
refused() {
	echo "== a wrong password"
	mark
	start_x wrong
	start_client wrong xfreerdp3-tls-32 "$MUSESS_USER" wrong
	wait_for_end wrong $PATIENCE
	[ $client_status = 7 ] || fail "a wrong password, and the client says $client_status"
	wait_until $PATIENCE has_event "$since" 140 || fail "no event"
	events_are "$since" 131 65 261 4625 140
}

# A client is asked whether it is there: the kernel has a timer for it.
keep_alive() {
	connect alive xfreerdp3-tls-32
	wait_for_prompt alive
	ss -Htno "sport = :${MUSESS_ADDRESS##*:}" | grep -qE 'timer:\((keepalive,[0-5]?[0-9]sec|on)' ||
		fail "no keep-alive: $(ss -Htno "sport = :${MUSESS_ADDRESS##*:}")"
	log_off alive
}

event_count() {
	wc -l <"$STATE/events.jsonl"
}

has_event() { # SINCE ID
	tail -n +"$1" "$STATE/events.jsonl" | grep -qF "\"id\":$2,"
}

mark() {
	since=$(($(event_count) + 1))
}

# The session goes on without its client, and is there for the next, in that one's size.
come_back() {
	local csrss
	echo "== a client that is killed, and the next"
	mark
	connect first xfreerdp3-nla-32
	wait_for_prompt first
	events_are "$since" 131 65 261 1149 4624 66 41 42 21 22
	type_line first 'sleep 4242 & echo before-$((40+2))'
	wait_for_text first '^before-42' $PATIENCE
	csrss=$(csrss_of 1)
	mark
	kill_client first
	wait_for_state 1 Disc
	events_are "$since" 24 40 4779 102 103
	mark
	client_options=(/size:800x600)
	connect second xfreerdp3-tls-24
	client_options=()
	wait_for_text second 'reconnected|back in' $PATIENCE
	wait_for_text second '^before-42' $PATIENCE
	events_are "$since" 1149 4624 25 40 4778
	[ "$(csrss_of 1)" = "$csrss" ] || fail "it has another csrss"
	type_line second 'pgrep -x sleep >/dev/null && stty size'
	wait_for_text second '^36 100 *$' $PATIENCE
	musessctl list | grep -qE 'rdp-tcp#1 +lab +1 +Active' || fail "$(musessctl list)"
}

# The other client is told that it was replaced. (Goes on where come_back ends.)
take_over() {
	echo "== taken over by another client"
	mark
	connect third xfreerdp3-nla-32
	wait_for_text third '^before-42' $PATIENCE
	ended_with second 5
	events_are "$since" 1149 24 4779 25 40 4778
	mark
	log_off third
	events_are "$since" 4647 23 4634
}

# The last row of a large desktop is the last row of a small one, and a program that has the whole screen
# goes on in it.
come_back_smaller() {
	echo "== a smaller desktop, the large one being full"
	connect large xfreerdp3-nla-32
	wait_for_prompt large
	type_line large 'seq 100; echo last-$((40+2)); seq -f line%g 100 | less'
	wait_for_text large '^line40 *$' $PATIENCE
	kill_client large
	wait_for_state 1 Disc
	client_options=(/size:640x480)
	connect small xfreerdp3-tls-24
	client_options=()
	wait_for_text small '^line20 *$' $PATIENCE
	type_text small G
	wait_for_text small '^line100 *$' $PATIENCE
	type_text small q
	wait_for_text small '^last-42 *$' $PATIENCE
	type_line small 'echo after-$((40+2))'
	wait_for_text small '^after-42 *$' $PATIENCE
	log_off small
}

rdesktop_too() {
	echo "== rdesktop, and a window that is closed"
	connect closed rdesktop-tls-24
	wait_for_prompt closed
	type_line closed 'echo rdesktop-$((40+2))'
	wait_for_text closed '^rdesktop-42' $PATIENCE
	x closed xdotool windowclose "${window_of[closed]}"
	wait_for_end closed $PATIENCE
	wait_for_state 1 Disc
	connect back rdesktop-tls-16
	wait_for_text back '^rdesktop-42' $PATIENCE
	type_line back exit
	wait_for_end back $PATIENCE
	wait_until $PATIENCE no_client_session || fail "its session is still there"
}

# Without a password the cookie alone brings the client back, and a new one comes with it.
auto_reconnect() {
	local client i
	echo "== a connection that is cut, and a client that comes back by itself"
	start_x auto
	start_relay
	client=(xfreerdp3 "/v:127.0.0.1:$relay_port" /sec:tls /size:1024x768 /cert:ignore -decorations
		/u:nobody /p: +auto-reconnect /auto-reconnect-max-retries:9 +print-reconnect-cookie)
	# (what it says is read while it runs)
	DISPLAY=${display_of[auto]} stdbuf -oL "${client[@]}" >"$OUT/auto.log" 2>&1 </dev/null &
	pid_of[auto]=$!
	started+=("$!")
	wait_until $PATIENCE window_or_end auto || fail "auto: no window"
	x auto xdotool windowmove "${window_of[auto]}" 0 0 windowfocus "${window_of[auto]}" mousemove 500 700
	wait_for_text auto '^User name: *$' $PATIENCE
	type_line auto "$MUSESS_USER"
	type_line auto "$MUSESS_PASSWORD"
	wait_for_prompt auto
	for i in 1 2; do
		type_line auto "echo before-\$((40+$i))"
		wait_for_text auto "^before-4$i" $PATIENCE
		mark
		kill -USR1 "$relay_pid"
		wait_until $PATIENCE has_event "$since" 25 || fail "auto: it does not come back"
		wait_for_text auto 'reconnected' $PATIENCE
		wait_for_text auto "^before-4$i" $PATIENCE
	done
	[ "$(grep -o 'Reconnect-cookie: .*' "$OUT/auto.log" | sort -u | wc -l)" = 3 ] ||
		fail "the cookie is not renewed: $(grep -o 'Reconnect-cookie: .*' "$OUT/auto.log")"
	kill_client auto
	wait_for_state 1 Disc
}

# The first of the cookies was used, and is good for nothing.
used_cookie() {
	local cookie
	echo "== a cookie that was used"
	cookie=$(sed -n 's/.*Reconnect-cookie: //p' "$OUT/auto.log" | head -n 1)
	client_options=("/reconnect-cookie:$cookie")
	connect used xfreerdp3-tls-32 nobody ''
	client_options=()
	wait_for_text used '^User name: *$' $PATIENCE
	wait_for_state 1 Disc
	kill_client used
}

# The last one is good once.
good_cookie() {
	local cookie
	echo "== the last cookie"
	cookie=$(sed -n 's/.*Reconnect-cookie: //p' "$OUT/auto.log" | tail -n 1)
	client_options=("/reconnect-cookie:$cookie")
	connect good xfreerdp3-tls-32 nobody ''
	client_options=()
	wait_for_text good '^before-42' $PATIENCE
	log_off good
}

# Several disconnected sessions: the user chooses, by number.
choose() {
	echo "== which of two"
	connect one xfreerdp3-nla-32
	connect two xfreerdp3-nla-32
	wait_for_prompt one
	wait_for_prompt two
	type_line one 'echo I-am-$((1))'
	wait_for_text one '^I-am-1' $PATIENCE
	type_line two 'echo I-am-$((2))'
	wait_for_text two '^I-am-2' $PATIENCE
	kill_client one
	kill_client two
	wait_for_state 1 Disc
	wait_for_state 2 Disc
	connect three xfreerdp3-nla-32
	wait_for_text three '^ +1  20[0-9-]+ ' $PATIENCE
	wait_for_text three '^ +2  20[0-9-]+ ' $PATIENCE
	screenshot three "$OUT/choose.png"
	wait_for_state 3 ConnQ
	type_line three 77
	type_line three 1
	wait_for_text three '^I-am-1' $PATIENCE
	wait_until $PATIENCE session_gone 3 || fail "the session that asked is left"
	# the one that is left needs no choice; a logon prompt leads to it as well
	connect four rdesktop-tls-24 '' ''
	wait_for_text four '^User name: *$' $PATIENCE
	type_line four "$MUSESS_USER"
	type_line four "$MUSESS_PASSWORD"
	wait_for_text four '^I-am-2' $PATIENCE
	kill_client three
	kill_client four
	wait_for_state 1 Disc
	wait_for_state 2 Disc
	connect five xfreerdp3-tls-32
	wait_for_text five 'for a new session' $PATIENCE
	press five Return
	wait_for_prompt five
	musessctl list | grep -qE 'rdp-tcp#3 +lab +3 +Active' || fail "no new session: $(musessctl list)"
}

write_limits() {
	printf '%s\n' '[Sessions]' 'IdleWinStationPoolCount = 0' '[Limits]' "$@" >"$WORK/musess.conf"
}

reloaded() { # COUNT
	[ "$(grep -cE 'the configuration was (read again|not read)' "$musess_log")" = "$1" ]
}

# reload LINE...: the limits while the service runs.
reloads=0
reload() {
	write_limits "$@"
	kill -HUP "$musess_pid"
	reloads=$((reloads + 1))
	wait_until $PATIENCE reloaded $reloads || fail "SIGHUP does nothing"
}

limits() {
	echo "== limits, changed while the service runs"
	reload 'MaxIdleTime = 8s' 'MaxDisconnectionTime = 2s' 'KeepAliveEnable = 0'
	connect idle xfreerdp3-nla-32
	wait_for_text idle 'This session has been idle' $PATIENCE
	screenshot idle "$OUT/idle.png"
	! ss -Htno state established "sport = :${MUSESS_ADDRESS##*:}" | grep -q keepalive ||
		fail "keep-alive is on still"
	ended_with idle 3
	wait_until $PATIENCE no_client_session || fail "a session is left"
	wait_until $PATIENCE session_gone 1 || fail "a disconnected session does not end"
	reload 'MaxConnectionTime = 4s' 'fResetBroken = 1'
	connect limited xfreerdp3-nla-32
	wait_for_text limited 'The time limit of this session' $PATIENCE
	ended_with limited 4
	wait_until $PATIENCE session_gone 1 || fail "its session is left"
	reload 'MaxConnectionTime = 4 fortnights'
	grep -qE 'musess.conf:4: MaxConnectionTime is "4 fortnights"' "$musess_log" ||
		fail "the mistake has no line in the log"
	connect still xfreerdp3-nla-32
	ended_with still 4 # as before
	wait_until $PATIENCE session_gone 1 || fail "its session is left"
}

# No new sessions; those that are there can be come back to.
denied() {
	echo "== fDenyTSConnections"
	reload
	connect inside xfreerdp3-nla-32
	wait_for_prompt inside
	type_line inside 'echo inside-$((40+2))'
	wait_for_text inside '^inside-42' $PATIENCE
	kill_client inside
	wait_for_state 1 Disc
	reload 'fDenyTSConnections = 1'
	mark
	start_x outside
	start_client outside xfreerdp3-tls-32 "${MUSESS_USER}2"
	ended_with outside 7
	events_are "$since" 1149 1070
	connect again xfreerdp3-nla-32
	wait_for_text again '^inside-42' $PATIENCE
	log_off again
}

start_musess
refused
keep_alive
come_back
take_over
come_back_smaller
rdesktop_too
auto_reconnect
used_cookie
good_cookie
limits
denied
stop_musess
config+=('[Limits]' 'fSingleSessionPerUser = 0')
start_musess
choose
stop_musess
echo "sessions are come back to"
