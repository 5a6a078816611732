#!/bin/bash
# musessload run against the service, and against servers that are bad: short runs of every model,
# what they write, their exit statuses, Ctrl-C, keys.
#
#   tests/load.sh BUILD
. "$(dirname "$0")/lib.sh" "$1"
. "$(dirname "$0")/load-lib.sh"
here=$(realpath "$(dirname "$0")")

# values KEY: of all sessions, one a line.
values() {
	sed -nE "/\"type\":\"session\"/s/.*\"$1\":([0-9]+).*/\1/p" "$run_file"
}

start_musess
(umask 077 && echo "$MUSESS_PASSWORD" >"$WORK/password" && echo wrong >"$WORK/wrong")

# ---- models

load_musess 0 --rate 8/s --count 12 --hold 500ms --seed 7 --threshold 'p95(total)<30s' --threshold 'fail<1%'
expect 12 '"type":"session".*"error":"ok"'
expect 12 '"nla":[0-9]+.*"first_picture":[0-9]+'
expect 1 '"type":"run".*"model":"rate","plan":"8/s"'
[ "$(sed -n '$s/.*"type":"\([a-z]*\)".*/\1/p' "$run_file")" = end ] || fail "there is no last line"
# starts wait for nobody: they are where the plan has them
[ "$(values planned | sort -n | tr '\n' ' ')" = "$(seq 0 125000 1375000 | tr '\n' ' ')" ] ||
	fail "these starts were not evenly spaced: $(values planned)"
says 'reached [0-9.]+/s'
says '^client +[0-9.]+ms of processor time'
users=$(sed -nE 's/.*"number":([0-9]+),"user":"(lab[0-9]+)".*/\1 \2/p' "$run_file" | sort -n)
[ "$(cut -d' ' -f2 <<<"$users" | sort -u | wc -l)" = 12 ] || fail "a seed changes whose turn it is, not who: $users"
load_musess 0 --rate 12/s --count 12 --seed 7 --security tls
[ "$users" = "$(sed -nE 's/.*"number":([0-9]+),"user":"(lab[0-9]+)".*/\1 \2/p' "$run_file" | sort -n)" ] ||
	fail "the same seed made another plan"
expect 0 '"nla":'

load_musess 0 --storm 20 --security tls --until shell --hold 300ms
expect 20 '"planned":0,.*"error":"ok".*"shell":[0-9]+'
load_musess 0 --storm 3 --until logon -u 'CORP\lab%04d'
expect 3 '"error":"ok".*"logon":[0-9]+'
load_musess 0 --concurrency 3 --count 9 --until connected --end drop
expect 9 '"error":"ok"'
says '[Cc]losed loop'
load_musess 0 --stages 0:0,1s:8/s,500ms:0 --hold 4s --ramp-down 500ms
expect 6 '"error":"ok"'
[ "$(values held | sort -n | tail -n 1)" -lt 3500000 ] || fail "the ramp did not end sessions"
load_musess 1 --rate 20/s --count 10 --max-live 5 --hold 2s
expect 5 '"type":"missed".*"max-live"'
load_musess 0 --rate 20/s --count 9 --segment 2/3 --connect-from 127.0.0.2,127.0.0.3
expect 3 '"number":[147],.*"from":"127.0.0.[23]"'

# ---- ends

load_musess 0 --storm 3 --hold 300ms --end logoff
expect 3 '"errinfo":12'
load_musess 0 --storm 3 --hold 800ms --end drop --reconnect --until shell
expect 6 '"error":"ok"'
expect 3 '"reconnected":true'

# ---- scripts

cat >"$WORK/script" <<'END'
wait-text '[$#] *$' 30s
type echo $((6*7))\n
wait-text '^42$' 30s
repeat 2
	echo abc
	key ctrl u
	wait 50ms
end
END
load_musess 0 --rate 4/s --count 4 --script "$WORK/script"
expect 4 '"echo":\[([0-9]+,){5}[0-9]+\]'
says '^echo +24 '
echo 'wait-text never 300ms' >"$WORK/script"
load_musess 1 --storm 2 --script "$WORK/script"
expect 2 '"error":"script".*line 1: the screen does not show never'

# ---- the session manager alone

load 0 --sm "$MUSESS_SM_PORT" --rate 20/s --count 20 --hold 200ms --out "$run_file"
expect 20 '"error":"ok".*"start_csr":[0-9]+,"stop_csr":[0-9]+'
load 1 --sm "$WORK/none" --storm 2 --out "$run_file"
expect 2 '"error":"refused".*No such file'

# ---- thresholds, and the search

load_musess 99 --storm 2 --threshold 'p50(total)<1us'
says 'p50\(total\)<1us: CROSSED'
load_musess 99 --rate 10/s --duration 60s --threshold 'max(tcp)<1us' --abort-on-fail
expect 1 '"type":"end".*"aborted":true'
says 'NOT MADE AS PLANNED: aborted by a threshold, [0-9]+ starts of its plan not made'
# a rate whose starts are missed is not reached: more than four do not fit
load_musess 0 --max-search --rate 2/s --duration 1s --hold 1s --max-live 4 --threshold 'max(total)<30s'
says '^highest rate that kept the thresholds: 4.00/s \(4.12/s did not\)'
[ -s "$run_file.2" ] || fail "the second try has no file"
[ -z "$(grep -h -o '"user":"lab[0-9]*"' "$run_file".[0-9] | sort | uniq -d)" ] || fail "a try has the users of another"

# ---- interrupted

load_and_signal() { # SIGNALS OPTION...: leaves status
	local signals=$1 pid i
	shift
	rm -f "$run_file"
	: >"$WORK/lines" # those of the run before have what is waited for
	env --default-signal=INT "$LOAD" run "$MUSESS_ADDRESS" -u 'lab%04d' --password-file "$WORK/password" \
		--out "$run_file" "$@" >"$WORK/report" 2>"$WORK/lines" &
	pid=$!
	started+=("$pid")
	wait_until $PATIENCE grep -q 'reached [1-9]' "$WORK/lines" || fail "nothing is reached: $(cat "$WORK/lines")"
	births=$(process_births "$pid" $(descendants "$pid"))
	for ((i = 0; i < signals; i++)); do
		kill -INT "$pid"
		sleep 0.1
	done
	wait_until $PATIENCE ended "$pid" || fail "Ctrl-C does not end it"
	status=0
	wait "$pid" || status=$?
	wait_until 5 is_gone "$births" || fail "it left processes: $births"
}
load_and_signal 1 --rate 5/s --duration 120s --hold 100s
[ $status = 130 ] || fail "interrupted: status $status"
says '^sessions +ok [1-9]'
[ "$(lines '"type":"session"')" -ge 2 ] || fail "results were lost"
expect 0 '"error":"(reset|local|errinfo)"'
not_started=$(sed -nE 's/.*"type":"end".*"not_started":([0-9]+).*/\1/p' "$run_file")
[ $(($(lines '"type":"(session|missed)"') + not_started)) = 600 ] || fail "a start is neither made nor missed nor left"
wait_until $PATIENCE no_client_session || fail "sessions have clients: $(musessctl list)"
# a session that takes long to end: it is typed into, and does not log off
printf 'type exec sleep 1000\\n\n' >"$WORK/script"
load_and_signal 2 --rate 5/s --duration 120s --hold 100s --end logoff --script "$WORK/script"
[ $status = 130 ] || fail "interrupted twice: status $status"

# ---- keys, on a terminal

python3 - "$LOAD" run "$MUSESS_ADDRESS" -u 'lab%04d' --password-file "$WORK/password" \
	--rate 4/s --duration 60s --hold 200ms --out "$run_file" >"$WORK/screen" <<'END' || fail "keys: $(tail -c 2000 "$WORK/screen")"
import os, pty, select, sys, time
pid, terminal = pty.fork()
if pid == 0:
    os.execv(sys.argv[1], sys.argv[1:])
seen = b""
def until(text, patience=20):
    global seen
    end = time.time() + patience
    while text not in seen:
        if time.time() > end:
            sys.exit("%r is not on the screen" % text)
        if select.select([terminal], [], [], 0.1)[0]:
            try:
                seen += os.read(terminal, 65536)
            except OSError:
                sys.exit("it ended")
    sys.stdout.buffer.write(seen)
    seen = seen.split(text, 1)[1]  # what came with it is looked for next
until(b"running")
os.write(terminal, b"++")
until(b"planned 4.8/s (x 1.21)")
os.write(terminal, b"-p")
until(b"paused")
os.write(terminal, b"p")
until(b"running")
until(b"ok 1")
os.write(terminal, b"q")
until(b"\x1b[?1049l")
until(b"sessions  ok")
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
END
expect 0 '"type":"missed"'
expect 1 '"type":"end".*"stopped":true,"rate_changes":3,"pauses":1,"not_started":[1-9]'
grep -q 'NOT MADE AS PLANNED: stopped by a key, its rate changed by a key (3), paused by a key (1)' "$WORK/screen" ||
	fail "the report does not say what keys did: $(tail -n 30 "$WORK/screen")"

# ---- bad servers

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=elsewhere.example \
	-keyout "$WORK/key.pem" -out "$WORK/cert.pem" -days 2 2>/dev/null

# bad WHAT PATTERN [OPTION...]: every one of three sessions is named so, or of as many as storm says.
bad() {
	local what=$1 pattern=$2 count=${storm-3} pid
	shift 2
	: >"$WORK/port"
	python3 "$here/bad-server.py" "$what" "$WORK/cert.pem" "$WORK/key.pem" >"$WORK/port" 2>"$WORK/bad.log" &
	pid=$!
	started+=("$pid")
	wait_until $PATIENCE test -s "$WORK/port" || fail "bad-server: $(cat "$WORK/bad.log")"
	load 1 "127.0.0.1:$(<"$WORK/port")" -u lab --password-file "$WORK/password" --storm "$count" --deadline 20s \
		--out "$run_file" "$@"
	end_process "$pid"
	expect "$count" "\"type\":\"session\".*$pattern"
}
soon=(--deadline 2s)
tls=(--security tls)
for phase in tcp x224; do
	# some of many find it out when they write, the others when they read
	storm=200 bad $phase-reset '"error":"reset"'
	bad $phase-close '"error":"reset".*"failed_in":"x224"'
	bad $phase-stall '"error":"deadline".*"failed_in":"x224"' "${soon[@]}"
	bad $phase-rubbish '"error":"protocol".*"failed_in":"x224","detail":"[^"]'
done
bad x224-failure '"error":"negotiation".*HYBRID_REQUIRED_BY_SERVER'
bad x224-tls '"error":"negotiation".*chose TLS'
bad x224-nla '"error":"negotiation".*chose NLA' "${tls[@]}"
for what in rdp old; do
	bad x224-$what '"error":"negotiation".*"failed_in":"x224","detail":"the server chose RDP.s own security'
done
bad tls-reset '"error":"reset".*"failed_in":"tls"' "${tls[@]}"
bad tls-stall '"error":"deadline".*"failed_in":"tls"' "${soon[@]}" "${tls[@]}"
bad tls-rubbish '"error":"tls_failed".*"failed_in":"tls"' "${tls[@]}"
bad nla-close '"error":"reset".*"failed_in":"nla".*"certificate_mismatch":true'
bad nla-stall '"error":"deadline".*"failed_in":"nla"' "${soon[@]}"
bad mcs-reset '"error":"reset".*"failed_in":"mcs"' "${tls[@]}"
bad mcs-stall '"error":"deadline".*"failed_in":"mcs"' "${soon[@]}" "${tls[@]}"
bad mcs-rubbish '"error":"protocol".*"failed_in":"mcs"' "${tls[@]}"
says 'certificates of another name, accepted: 3'
load 1 127.0.0.1:1 -u lab --password-file "$WORK/password" --storm 2 --out "$run_file"
expect 2 '"error":"refused".*"failed_in":"tcp"'
load 1 "$MUSESS_ADDRESS" -u lab --password-file "$WORK/wrong" --storm 1 --out "$run_file"
expect 1 '"error":"logon".*"failed_in":"nla"'
for until in logon first-picture; do
	load 1 "$MUSESS_ADDRESS" -u lab --password-file "$WORK/wrong" --storm 1 --security tls --until $until --out "$run_file"
	expect 1 '"error":"logon".*"failed_in":"logon",("errinfo":7,)?"detail":"[^"]*BAD_PASSWORD[^"]*0xc000006d'
done

# ---- other bad input

load 2 "$MUSESS_ADDRESS" -u lab --password-file "$WORK/none" --storm 1
load 2 "$MUSESS_ADDRESS" -u lab --password-file /dev/null --storm 1
load 2 "$MUSESS_ADDRESS" -u lab --password-file "$WORK/password" --storm 1 --rate 3
load 1 "$MUSESS_ADDRESS" -u lab --password-file "$WORK/password" --storm 1 --out "$WORK/none/file"
grep -qF "$WORK/none/file" "$WORK/lines" || fail "the file is not named: $(cat "$WORK/lines")"

# A full disk: said, and the run goes on; what was written before it is whole.
load_musess 0 --storm 4 --security tls
( ulimit -f 2 && exec "$LOAD" run "$MUSESS_ADDRESS" -u 'lab%04d' --password-file "$WORK/password" \
	--storm 12 --out "$run_file" >"$WORK/report" 2>"$WORK/lines") && fail "lost lines are no success"
grep -qF "$run_file" "$WORK/lines" || fail "a full disk is not said: $(cat "$WORK/lines")"
says '^sessions +ok 12'
"$LOAD" report "$run_file" >/dev/null || fail "what was written is not whole"

stop_musess
