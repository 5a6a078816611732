#!/bin/bash
# What an administrator does with sessions and with the service, and a user with his own session,
# end to end: musessctl, smss, csrss, and real clients, which are told the reason of each end.
#
#   tests/admin.sh BUILD
. "$(dirname "$0")/lib.sh" "$1"
. "$(dirname "$0")/sm-lib.sh"

copy_programs
ln -s "$BUILD/bin/tests" "$WORK/bin/tests"
mkdir "$WORK/user"
ln -s "$BUILD/bin/tests" "$WORK/user/tests"

# The reason is in the client's log, as the Set Error Info PDU had it.
ended_because() { # NAME HEXADECIMAL
	wait_for_end "$1" $PATIENCE
	grep -qE "rdp_print_errinfo.*\(0x0*$2\)" "$OUT/$1.log" ||
		fail "$1: not told reason 0x$2: $(grep -i errinfo "$OUT/$1.log")"
}

# expect PATTERN COMMAND...: it succeeds, and a line that it says is PATTERN.
expect() {
	local pattern=$1 said
	shift
	said=$(musessctl "$@" 2>&1) || fail "$*: exit status $?: $said"
	grep -qE -- "$pattern" <<<"$said" || fail "$*: \"$pattern\" is not in: $said"
}

# quiet COMMAND...: it succeeds, and says nothing.
quiet() {
	local said
	said=$(musessctl "$@" 2>&1) || fail "$*: exit status $?: $said"
	[ -z "$said" ] || fail "$*: says $said"
}

# refused PATTERN COMMAND...: exit status 1, with PATTERN as a line on standard error alone.
refused() {
	local pattern=$1 status=0
	shift
	musessctl "$@" >"$WORK/said" 2>"$WORK/errors" || status=$?
	[ $status = 1 ] || fail "$*: exit status $status: $(cat "$WORK/said" "$WORK/errors")"
	[ ! -s "$WORK/said" ] || fail "$*: refused, but says $(<"$WORK/said")"
	grep -qxE -- "musessctl: $pattern" "$WORK/errors" || fail "$*: says $(<"$WORK/errors")"
}

# json EXPRESSION COMMAND...: of the document D, for Python.
json() {
	local expression=$1
	shift
	musessctl "$@" --json >"$WORK/json" || fail "$* --json: exit status $?"
	python3 -SEc 'import json, sys; D = json.load(sys.stdin); sys.exit(not ('"$expression"'))' \
		<"$WORK/json" || fail "$*: not $expression: $(<"$WORK/json")"
}

# ask NAME COMMAND...: musessctl in the background; what it says is in NAME.said. By itself, so
# that its process id is not that of a shell, and with the signals that the shell had it ignore.
declare -A asked
ask() {
	local name=$1
	shift
	env --default-signal=INT "$BIN/musessctl" --socket "$MUSESS_SM_PORT" "$@" \
		>"$OUT/$name.said" 2>"$OUT/$name.errors" </dev/null &
	asked[$name]=$!
	started+=("$!")
}

answered() { # NAME PATTERN: it ends with 0, and said PATTERN alone
	local status=0
	wait_until $PATIENCE ended "${asked[$1]}" || fail "$1: no answer"
	wait "${asked[$1]}" || status=$?
	[ $status = 0 ] || fail "$1: exit status $status: $(<"$OUT/$1.errors")"
	grep -qxE -- "$2" "$OUT/$1.said" && [ "$(wc -l <"$OUT/$1.said")" = 1 ] ||
		fail "$1: says $(<"$OUT/$1.said")"
}

took_ms() { # BEGIN FROM TO: since BEGIN
	local took=$(($(now_ms) - $1))
	[ $took -ge "$2" ] && [ $took -le "$3" ] || fail "it took $took ms"
	echo "   took $took ms"
}

not_on_screen() { # NAME TEXT
	screen_text "$1" >"$WORK/$1.text" && ! grep -qF -- "$2" "$WORK/$1.text"
}

# The same service anew. What its end leaves behind is looked for elsewhere, by stop_musess.
restart() {
	kill -INT "$musess_pid"
	wait_until $PATIENCE ended "$musess_pid" || fail "musessd does not end on SIGINT"
	wait "$musess_pid" || fail "musessd ended with status $?"
	STATE_AGAIN=$STATE
	start_service root
	STATE_AGAIN=''
}

# ---- the administrator

looks() {
	echo "== who is there"
	expect '^ rdp-tcp#1 +lab +1  Active +rdpwd' list
	expect '^ rdp-tcp#2 +lab2 +2  Active +rdpwd' list
	expect '^ console +0  Conn +wdcon' list
	expect '^ rdp-tcp +65536  Listen +rdpwd' list
	! musessctl list | grep '^>' || fail "the administrator is in a session"
	expect '^ rdp-tcp#2 +lab2 +2  Active' list lab2
	[ "$(musessctl list lab2 | wc -l)" = 2 ] || fail "$(musessctl list lab2)"
	expect '^ lab2 +rdp-tcp#2 +2  Active +[.0-9]+  20' users
	[ "$(musessctl users | wc -l)" = 3 ] || fail "$(musessctl users)"
	expect '^state +Active' show rdp-tcp#1
	expect '^desktop +1024x768' show lab
	json '[s["id"] for s in D] == [0, 1, 2, 65536] and not any(s["own"] for s in D)' list
	json 'D["user"] == "lab2" and D["total_ms"] > 0 and D["phases_ms"]["painted"] > 0' show 2
	expect '^ rdp-tcp#1 +lab +1  Active +[0-9]+\.[0-9] +[0-9.]+[KM]' top --count 1 --interval 0.2
	json '[s["id"] for s in D["sessions"]] == [0, 1, 2]' top --count 1 --interval 0.2
	expect '^  Active +2$' stats
	json 'D["logons"] == 2 and D["sessions"]["Active"] == 2 and D["drain"] == "off"' stats
}

messages() {
	local begin
	echo "== messages"
	ask answer message 1 --wait --title Question 'Is there tea?'
	wait_for_text one 'Is there tea\?' $PATIENCE
	screen_text one | grep -q Question || fail "the box has no title"
	not_on_screen two 'tea' || fail "it is on another's screen"
	sleep 1.1 # what is typed as it comes up is no answer
	press one Return
	answered answer 'Message to session rdp-tcp#1 responded to by user'
	wait_until $PATIENCE not_on_screen one 'tea' || fail "the box stays"
	begin=$(now_ms)
	ask expired message '*' --wait --time 6 'For all of you'
	wait_for_text one 'For all of you' $PATIENCE
	wait_for_text two 'For all of you' $PATIENCE
	wait_until $PATIENCE ended "${asked[expired]}" || fail "the boxes stay"
	took_ms "$begin" 6000 14000
	[ "$(sort "$OUT/expired.said")" = "$(printf 'Timeout on message to session %s before user response\n' \
		rdp-tcp#1 rdp-tcp#2)" ] || fail "$(<"$OUT/expired.said")"
	json '[(m["id"], m["response"]) for m in D] == [(2, None)]' message lab2 'Only two'
	wait_for_text two 'Only two' $PATIENCE
	not_on_screen one 'Only' || fail "it is on another's screen"
	sleep 1.1
	press two space
	wait_until $PATIENCE not_on_screen two 'Only' || fail "the box stays"
}

# Session 2 goes on without its client, is shown to another's, and that one is replaced in turn.
disconnects_and_connects() {
	echo "== disconnect and connect"
	type_line two 'echo two-$((40+2))'
	wait_for_text two '^two-42' $PATIENCE
	quiet disconnect lab2
	ended_because two 1
	expect '^ +lab2 +2  Disc *$' list
	expect '^ lab2 +2  Disc ' users
	refused 'Could not disconnect sessionID 2: STATUS_UNSUCCESSFUL: .*' disconnect 2
	quiet connect 2 --dest rdp-tcp#1
	wait_for_text one '^two-42' $PATIENCE
	wait_for_state 1 Disc
	wait_for_state 2 Active
	type_line one 'echo typed-$((40+2))'
	wait_for_text one '^typed-42' $PATIENCE
	refused 'Could not connect sessionID 1 to sessionID 1: .*' connect 1 --dest 1
	connect three xfreerdp3-tls-32 lab2
	wait_for_text three '^typed-42' $PATIENCE
	ended_because one 5
}

ends() {
	local begin csrss
	echo "== log off and reset"
	type_line three "exec bash -c \"trap '' HUP; echo stubborn-\$((40+2)); sleep 4242; sleep 4243\""
	wait_for_text three '^stubborn-42' $PATIENCE
	begin=$(now_ms)
	quiet logoff 2
	took_ms "$begin" 4900 12000 # END_MS of winlogon.c
	ended_because three 2
	session_gone 2 || fail "it is there still"
	begin=$(now_ms)
	json 'D["id"] == 1' logoff lab
	took_ms "$begin" 0 4000
	session_gone 1 || fail "it is there still"
	connect four xfreerdp3-nla-32
	wait_for_prompt four
	csrss=$(musessctl show 1 --json | sed -n 's/.*"csrss_pid": \([0-9]*\).*/\1/p')
	type_line four "exec bash -c \"trap '' HUP; echo stubborn-\$((40+2)); sleep 4242; sleep 4243\""
	wait_for_text four '^stubborn-42' $PATIENCE
	begin=$(now_ms)
	quiet reset rdp-tcp#1
	took_ms "$begin" 0 4000
	ended_because four 2
	ended "$csrss" || fail "csrss lives on"
	wait_until $PATIENCE no_client_session || fail "a session is left: $(musessctl list)"
}

refusals() {
	local command
	echo "== what is refused"
	for command in disconnect logoff reset; do
		refused 'Could not .* sessionID 0: STATUS_ACCESS_DENIED: .*; the console .*' $command 0
		refused 'Could not .* sessionID 0: STATUS_ACCESS_DENIED: .*' $command console
		refused 'Session ID 99 not found' $command 99
		refused 'Session name nobody not found' $command nobody
	done
	refused '.*: name one' disconnect
	refused '.*: name one' logoff
	refused 'Could not connect .*: STATUS_OBJECT_NAME_NOT_FOUND: [^;]*' connect 99 --dest 0
	refused 'Could not connect .*: STATUS_OBJECT_NAME_NOT_FOUND: [^;]*' connect 0 --dest 99
	refused 'Session name nobody not found' connect 0 --dest nobody
	refused 'Session ID 99 not found' show 99
	refused 'No session exists for nobody' list nobody
	refused 'No User exists for nobody' users nobody
	refused 'No User exists for \*' users
	refused 'nobody does not exist or is disconnected' message nobody 'Hello'
	refused '\* does not exist or is disconnected' message '*' 'Hello'
	refused '99 does not exist or is disconnected' message 99 'Hello'
}

drains() {
	echo "== drain"
	expect '^Session logins are currently ENABLED$' drain
	connect five xfreerdp3-nla-32
	wait_for_prompt five
	quiet disconnect 1
	ended_because five 1
	expect '^New user logons are DISABLED until the server is restarted' drain until-restart
	json 'D["drain"] == "until-restart"' stats
	start_x six
	start_client six xfreerdp3-nla-32 lab3
	ended_because six 7
	connect seven xfreerdp3-nla-32
	wait_for_text seven 'reconnected|back in' $PATIENCE
	json 'D["denied"] == 1 and D["reconnects"] >= 1 and D["drain"] == "until-restart"' stats
	quiet logoff lab
	ended_because seven 2
	stop_followers
	restart
	json 'D["drain"] == "off"' drain
	json 'D["drain"] == "on"' drain on
	restart
	expect '^New user logons are DISABLED, but reconnections' drain
	json 'D["drain"] == "off"' drain off
}

write_config() {
	printf '%s\n' '[Sessions]' 'IdleWinStationPoolCount = 0' '[Limits]' "$@" >"$WORK/musess.conf"
}

# Limits that a file has which was read while the service ran, and not one that is bad.
reloads() {
	echo "== reload"
	write_config 'MaxIdleTime = 4s'
	expect '^1 option changed$' reload
	expect '^0 options changed$' reload
	start_x idle
	start_client idle xfreerdp3-nla-32
	wait_until $PATIENCE state_is 1 Active || fail "idle: no session"
	write_config 'MaxIdleTime = 4 fortnights' 'MaxConnection = 2s'
	refused '.*musess.conf:4: MaxIdleTime is "4 fortnights".*' reload
	grep -qE 'musess.conf:5: .*MaxConnection' "$WORK/errors" || fail "$(<"$WORK/errors")"
	grep -qE 'the running values stay' "$WORK/errors" || fail "$(<"$WORK/errors")"
	ended_because idle 3
	write_config 'MaxConnectionTime = 2s'
	json 'D["changed"] == 2' reload
	start_client idle xfreerdp3-nla-32
	ended_because idle 4
	write_config
	json 'D["changed"] == 1' reload
	quiet reset 1
}

# ---- events

follow() {
	ask followed events -f
	ask parsed events -f --json
	ask cut events -f --json
	sleep 0.5
	kill -KILL "${asked[cut]}" # nothing that others notice
	wait "${asked[cut]}" 2>/dev/null || true
}

stop_followers() {
	local name status
	for name in followed parsed; do
		status=0
		ended "${asked[$name]}" && fail "events -f has ended: $(<"$OUT/$name.errors")"
		kill -INT "${asked[$name]}"
		wait_until $PATIENCE ended "${asked[$name]}" || fail "events -f does not end on SIGINT"
		wait "${asked[$name]}" || status=$?
		[ $status = 0 ] && [ ! -s "$OUT/$name.errors" ] ||
			fail "events -f: $status: $(<"$OUT/$name.errors")"
	done
	[ "$(wc -l <"$OUT/followed.said")" = "$(wc -l <"$OUT/parsed.said")" ] ||
		fail "events -f shows more, or less, with --json"
	# the same as the file has, from the first one on, in order
	python3 -SE - "$OUT/parsed.said" "$STATE/events.jsonl" <<-'END' || fail "events -f --json: $OUT/parsed.said"
		import json, sys
		seen = [json.loads(line) for line in open(sys.argv[1])]
		kept = [json.loads(line) for line in open(sys.argv[2])]
		at = kept.index(seen[0])
		assert len(seen) > 50 and seen == kept[at:at + len(seen)]
		assert {131, 1149, 21, 22, 24, 25, 40, 39, 23, 4624, 4778, 4779, 1070} <= {e["id"] for e in seen}
	END
	! grep -vE '^20[0-9-]+T[0-9:.]+Z [^ ]+ [0-9]+ .' "$OUT/followed.said" || fail "no line of events"
}

# ---- in a session

# Each is refused with exit status 1, and a reason.
refused_inside() { # COMMAND...
	local said
	said=$(musessctl exec 2 -- sh -c 'for c; do
			/opt/musess/bin/musessctl $c 2>&1 </dev/null
			status=$?
			[ $status = 1 ] || echo "$c: exit status $status"
		done' sh "$@")
	[ "$(grep -c '^musessctl: .' <<<"$said")" = $# ] && ! grep -qv '^musessctl: ' <<<"$said" ||
		fail "in a session: $said"
}

in_session() { # root|user
	local session csrss winlogon name=$1
	echo "== in a session of the service as $1"
	start_session --command 'sleep 1000'
	[ "$session" = 1 ] || fail "another's session is $session"
	connect "$name" xfreerdp3-nla-32
	wait_for_prompt "$name"
	type_line "$name" 'musessctl list; musessctl users; echo status-$?'
	wait_for_text "$name" '^status-0' $PATIENCE
	[ "$(grep -cE '^>rdp-tcp#2 +lab +2  Active' "$WORK/$name.text")" = 1 ] &&
		[ "$(grep -cE '^>lab +rdp-tcp#2 +2  Active' "$WORK/$name.text")" = 1 ] &&
		! grep -qE 'console|Listen|system|rdp-tcp#1' "$WORK/$name.text" ||
		fail "in a session: $(grep -v '^ *$' "$WORK/$name.text")"
	# a command that psxss runs is in the session as well
	expect '^>rdp-tcp#2 +lab +2  Active' exec 2 -- /opt/musess/bin/musessctl list
	[ "$(musessctl exec 2 -- /opt/musess/bin/musessctl list | wc -l)" = 2 ] || fail "it sees more than its own"
	refused_inside 'disconnect 1' 'logoff 1' 'disconnect 0' 'logoff 0' 'logoff 99' 'show 1' \
		'list 0' 'reset 1' 'reset 2' 'connect 1 --dest 2' 'message 2 x' 'drain on' 'pool 3' \
		reload stats 'events -f' start 'stop 1' 'stop 2' 'account list'
	state_is 1 Idle && state_is 2 Active || fail "$(musessctl list)"
	json 'D["drain"] == "off"' drain
	json 'D["size"] == 0' pool
	# whatever the environment says of it
	type_line "$name" 'MUSESSIONID=1 musessctl disconnect'
	ended_because "$name" B
	wait_for_state 2 Disc
	connect "$name" xfreerdp3-tls-32
	wait_for_text "$name" '^status-0' $PATIENCE
	type_line "$name" 'musessctl logoff'
	ended_because "$name" C
	wait_until $PATIENCE session_gone 2 || fail "it is there still: $(musessctl list)"
	musessctl stop 1
}

start_service root
follow
connect one xfreerdp3-nla-32
connect two xfreerdp3-nla-32 lab2
wait_for_prompt one
wait_for_prompt two
looks
messages
disconnects_and_connects
ends
refusals
drains
reloads
in_session root
stop_musess
start_service user
in_session user
stop_musess
echo "an administrator's work is done"
