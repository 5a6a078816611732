#!/bin/bash
# The desktop in use, with real clients: the logon prompt, keyboards, keys, sizes, colours.
#
#   tests/desktop.sh BUILD
. "$(dirname "$0")/lib.sh" "$1"

log_off() {
	type_line "$1" exit
	wait_for_end "$1" $PATIENCE
	wait_until 10 no_client_session || fail "$1: its session is still there"
}

# TLS without credentials: the session starts, and winlogon asks.
prompt() {
	echo "== the logon prompt"
	connect prompt rdesktop-tls-24 '' ''
	wait_for_text prompt '^User name: *$' $PATIENCE
	wait_for_text prompt 'user - ' 5
	musessctl list | grep -qE 'rdp-tcp#1 +1 +Conn ' || fail "a session without a user is not Conn"
	type_line prompt "${MUSESS_USER}7"
	type_line prompt wrong
	wait_for_text prompt 'user name or password is incorrect' $PATIENCE
	grep -qF "${MUSESS_USER}7" "$musess_log" || fail "no log line of the wrong password"
	type_line prompt "${MUSESS_USER}7"
	type_line prompt "$MUSESS_PASSWORD"
	wait_for_text prompt "^${MUSESS_USER}7@session-1" $PATIENCE
	! grep -qF "$MUSESS_PASSWORD" "$WORK/prompt.text" || fail "the password is on the screen"
	wait_for_text prompt "user ${MUSESS_USER}7 " 5
	log_off prompt
}

# Keys that are no text: Tab goes on to the password, arrows and the like do nothing, Backspace takes
# back, and the client stays.
prompt_keys() {
	echo "== keys at the logon prompt"
	connect keys rdesktop-tls-24 '' ''
	wait_for_text keys '^User name: *$' $PATIENCE
	press keys Return Tab Left Up F5 Escape Delete
	type_text keys "${MUSESS_USER}8x"
	press keys Right BackSpace
	wait_for_text keys "^User name: ${MUSESS_USER}8 *\$" 5
	press keys Tab
	wait_for_text keys '^Password: *$' 5
	press keys Down
	type_line keys "$MUSESS_PASSWORD"
	wait_for_text keys "^${MUSESS_USER}8@session-[0-9]+" $PATIENCE
	! grep -qF "$MUSESS_PASSWORD" "$WORK/keys.text" || fail "the password is on the screen"
	# what the user's program gets is a terminal as it should be
	type_line keys 'stty -a | tr " ;" "\n\n" | grep -xE "icanon|echo|isig|iexten" | paste -sd,'
	wait_for_text keys '^isig,icanon,iexten,echo$' 5
	log_off keys
}

pool_is_full() {
	[ "$(musessctl pool)" = 'idle 2 of 2' ]
}

sessions_in() { # STATE
	musessctl list | awk -v state="$1" '{ for (i = 2; i <= NF; i++) if ($i == state) print $(i - 1) }'
}

# A logon takes an idle session, processes and all, and the pool is filled again.
made_ahead() {
	local id
	echo "== an idle session"
	wait_until $PATIENCE pool_is_full || fail "the pool: $(musessctl pool)"
	for id in $(sessions_in Idle); do
		musessctl show "$id" --json | grep _pid >"$WORK/idle.$id"
	done
	connect ahead xfreerdp3-nla-32
	wait_for_text ahead 'session [0-9]+ .*\(made ahead\) shell [0-9]' $PATIENCE
	screenshot ahead "$OUT/ahead.png"
	id=$(sessions_in Active)
	musessctl show "$id" --json | grep _pid | cmp - "$WORK/idle.$id" || fail "it is another session"
	wait_until $PATIENCE pool_is_full || fail "the pool: $(musessctl pool)"
	log_off ahead
}

three_tries() {
	local i
	echo "== three wrong tries at the prompt"
	connect tries rdesktop-tls-16 '' ''
	for i in 1 2 3; do
		wait_until $PATIENCE prompts tries "$i" || fail "no prompt $i"
		type_line tries nobody
		type_line tries wrong
	done
	wait_for_end tries $PATIENCE
	wait_until 10 no_client_session || fail "a session without a user is left"
}

prompts() { # NAME COUNT
	screen_text "$1" >"$WORK/$1.text" 2>/dev/null &&
		[ "$(grep -c '^User name:' "$WORK/$1.text")" = "$2" ]
}

# The keys that X calls y, z and shift-3 are others on a German and a British keyboard.
layout() { # NAME KLID TYPED EXPECTED
	echo "== layout $2"
	client_options=("/kbd:layout:$2")
	connect "$1" xfreerdp3-tls-32
	client_options=()
	wait_for_prompt "$1"
	type_line "$1" "$3"
	wait_for_text "$1" "$4" $PATIENCE
	press "$1" ctrl+c
	wait_for_text "$1" '\^C *$' $PATIENCE # what is typed before the shell has seen it is lost
	log_off "$1"
}

# What a key of the keypad means, into $keypad: it goes left, or is a 4, and Num Lock decides.
press_keypad() { # NAME WORD
	type_text "$1" 'echo x'
	press "$1" KP_Left
	type_line "$1" "$2"
	wait_for_text "$1" "^($2x|x4$2) *\$" $PATIENCE
	keypad=left
	! grep -qE "^x4$2 *\$" "$WORK/$1.text" || keypad=digit
}

# What the client's layout is taken for is on the screen, and in the log. Pause changes neither Num Lock
# nor Ctrl; an accent that fits no letter stays.
other_keys() {
	local kind before
	echo "== an unknown layout, Pause, accents"
	client_options=("/kbd:layout:0x0000041d")
	connect unknown xfreerdp3-tls-32
	client_options=()
	wait_for_text unknown 'keyboard 0x41d' $PATIENCE
	grep -qF 'keyboard layout 0x0000041d is not known' "$musess_log" || fail "no log line of the layout"
	log_off unknown
	for kind in xfreerdp3-tls-32 rdesktop-tls-24; do
		connect pause $kind
		wait_for_prompt pause
		press_keypad pause before
		before=$keypad
		press pause Pause
		press_keypad pause after
		[ "$keypad" = "$before" ] || fail "$kind: after Pause the keypad's 4 is \"$keypad\", before it was \"$before\""
		log_off pause
	done
	client_options=("/kbd:layout:0x00000407")
	connect accents xfreerdp3-tls-32
	client_options=()
	wait_for_prompt accents
	type_line accents 'echo =x=e'
	wait_for_text accents '^´xé *$' $PATIENCE
	log_off accents
}

keys() {
	local name=keys
	echo "== keys"
	connect $name xfreerdp3-nla-32
	wait_for_prompt $name
	type_text $name 'cho a-'
	press $name Home
	type_text $name e
	press $name End
	type_text $name cb
	press $name Left Left BackSpace Delete Right
	type_line $name ' + K'
	wait_for_text $name '^ab \+ K *$' $PATIENCE
	press $name Up
	wait_for_text $name '\$ echo ab \+ K *$' $PATIENCE
	press $name ctrl+u
	type_line $name 'sleep 1000'
	wait_for_text $name '^[^$]*\$ sleep 1000' $PATIENCE
	press $name ctrl+c
	wait_for_text $name '\^C' $PATIENCE
	type_line $name 'cat -v'
	press $name F1 F5 F12 alt+x Prior
	press $name Return ctrl+d
	wait_for_text $name '^\^\[OP\^\[\[15~\^\[\[24~\^\[x\^\[\[5~ *$' $PATIENCE
	log_off $name
}

# Characters that no key of the layout has come as Unicode events.
unicode() {
	echo "== Unicode events"
	client_options=(/kbd:unicode:on)
	connect unicode xfreerdp3-nla-32
	client_options=()
	x unicode setxkbmap de
	wait_for_prompt unicode
	type_line unicode 'echo äöüß'
	wait_for_text unicode '^äöüß *$' $PATIENCE
	log_off unicode
}

# The terminal is as large as the client: its rows are one fewer, for the status line.
size() { # WIDTH HEIGHT ROWS COLUMNS
	local name=size-$1
	echo "== size $1x$2"
	client_options=("/size:$1x$2")
	connect "$name" xfreerdp3-tls-16
	client_options=()
	wait_for_prompt "$name"
	type_line "$name" 'stty size'
	wait_for_text "$name" "^$3 $4 *\$" $PATIENCE
	log_off "$name"
}

pixel() { # NAME X Y
	screenshot "$1" "$WORK/$1.ppm" &&
		convert "$WORK/$1.ppm" -format "%[fx:int(255*p{$2,$3}.r+.5)] %[fx:int(255*p{$2,$3}.g+.5)] %[fx:int(255*p{$2,$3}.b+.5)]" info:
}

colour_is() { # NAME X Y COLOUR
	[ "$(pixel "$1" "$2" "$3" 2>/dev/null)" = "$4" ]
}

colours() { # KIND
	echo "== colours: $1"
	connect colours "$1"
	wait_for_prompt colours
	type_line colours 'clear; printf "\e[10;10H\e[48;2;10;200;30m%9s\e[11;10H\e[41m%9s\e[0m\n" "" ""'
	# row 10 of the terminal is the eleventh of the desktop: pixels 160 to 175
	wait_until $PATIENCE colour_is colours 100 168 '10 200 30' || fail "no green: $(pixel colours 100 168)"
	colour_is colours 100 184 '204 0 0' || fail "no red: $(pixel colours 100 184)"
	colour_is colours 60 168 '0 0 0' || fail "no black beside it"
	screenshot colours "$OUT/colours-$1.png"
	log_off colours
}

# What is typed is on the screen within 20 ms.
echoes() {
	echo "== echo"
	"$BUILD/bin/tests/echo-bench" "${MUSESS_ADDRESS##*:}" "$MUSESS_USER" "$MUSESS_PASSWORD" >"$OUT/echo"
	cat "$OUT/echo"
	awk '{ for (i = 1; i < NF; i++) if ($i == "p50") p50 = $(i + 1) } END { exit !(p50 > 0 && p50 < 20) }' \
		"$OUT/echo" || fail "the echo is late"
}

config=() # with idle sessions
start_musess
prompt
prompt_keys
made_ahead
three_tries
layout german 0x00000407 "echo zy-';" '^yzßäö *$'
layout british 0x00000809 'echo a#b' '^a£b *$'
layout american 0x00000409 'echo zy@~' '^zy@~ *$'
other_keys
keys
unicode
size 1021 767 46 127
size 640 480 29 80
for kind in xfreerdp3-nla-32 xfreerdp3-tls-24 rdesktop-tls-32 rdesktop-tls-24; do
	colours $kind
done
echoes
stop_musess
echo "the desktop works"
