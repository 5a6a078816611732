#!/bin/bash
# The metrics endpoint, read by a real Prometheus while there are real sessions: what it says is
# true, the dashboard's queries have data, and strangers who misuse it harm nobody.
#
#   tests/metrics.sh BUILD       as root
. "$(dirname "$0")/lib.sh" "$1"
source=$(realpath "$(dirname "$0")/..")
dashboard=$source/tools/grafana/musess.json

check() {
	/usr/bin/python3 "$source/tests/metrics-check.py" "$@"
}

free_port() {
	/usr/bin/python3 -c 'import socket
s = socket.socket()
s.bind(("127.0.0.1", 0))
print(s.getsockname()[1])'
}

processes_of() { # IMAGE
	musessctl ps --json | jq -r --arg image "$1" '.[] | select(.image == $image) | .pid'
}

# scrape: the text, in $WORK/text.
scrape() {
	check get "http://127.0.0.1:$port/metrics" >"$WORK/text" 2>"$WORK/status"
	[ "$(<"$WORK/status")" = 200 ] || return 1
}

# fresh: likewise, of what is now, for a text is given out for a second.
fresh() {
	sleep 1.1
	scrape || fail "/metrics is answered $(<"$WORK/status")"
}

# metric SAMPLE: the value of a line of the text.
metric() {
	awk -v sample="$1" '{ value = $NF; sub(/ [^ ]*$/, "") } $0 == sample { print value }' "$WORK/text"
}

# is SAMPLE VALUE, at_least SAMPLE VALUE: in the text.
is() {
	[ "$(metric "$1")" = "$2" ] || fail "$1 is $(metric "$1"), not $2"
}
at_least() {
	awk -v value="$(metric "$1")" -v least="$2" 'BEGIN { exit !(value != "" && value >= least) }' ||
		fail "$1 is $(metric "$1"), less than $2"
}

answers() { # STATUS URL
	check get "http://127.0.0.1:$port$2" 2>"$WORK/status" >"$WORK/body"
	[ "$(<"$WORK/status")" = "$1" ] || fail "$2 is answered $(<"$WORK/status")"
}

value() { # QUERY
	check value "http://127.0.0.1:$prometheus_port" "$1"
}

has_value() { # QUERY VALUE
	[ "$(value "$1")" = "$2" ]
}

load() { # USER PASSWORD [option of rdp-load...]
	"$BIN/tests/rdp-load" "${MUSESS_ADDRESS##*:}" "$@"
}

off_unless_configured() {
	echo "== off unless configured"
	start_musess
	musessctl ps --json >"$WORK/ps"
	! grep -q metricsd "$WORK/ps" || fail "metricsd runs"
	musessctl stats --json | jq -e '.processes.csrss.count >= 1 and .processes.metricsd.count == 0' \
		>/dev/null || fail "stats: $(musessctl stats)"
	stop_musess
}

documents() {
	echo "== documents and dashboard"
	check model "$dashboard"
	check rules "$dashboard" >"$WORK/dashboard.yml"
	check block "$source/docs/metrics.md" musess.rules.yml >"$WORK/rules.yml"
	check block "$source/docs/metrics.md" prometheus.yml >"$WORK/example.yml"
	promtool check rules "$WORK/dashboard.yml" "$WORK/rules.yml" >"$WORK/promtool" ||
		fail "$(<"$WORK/promtool")"
	promtool check config "$WORK/example.yml" >"$WORK/promtool" || fail "$(<"$WORK/promtool")"
}

start_prometheus() {
	prometheus_port=$(free_port)
	sed -e 's/scrape_interval: .*/scrape_interval: 1s/' -e "s/127.0.0.1:9177/127.0.0.1:$port/" \
		-e "1a rule_files: ['$WORK/rules.yml']" "$WORK/example.yml" >"$WORK/prometheus.yml"
	prometheus --config.file="$WORK/prometheus.yml" --storage.tsdb.path="$WORK/tsdb" \
		--web.listen-address="127.0.0.1:$prometheus_port" >"$OUT/prometheus.log" 2>&1 &
	started+=("$!")
	wait_until $PATIENCE has_value 'up{job="musess"}' 1 ||
		fail "Prometheus does not read it: $(tail -n 3 "$OUT/prometheus.log")"
}

# Sessions that come, stay, end, and are refused.
sessions() {
	echo "== sessions"
	load 'lab%d' "$MUSESS_PASSWORD" -a -n 6 -c 3 -k 1 >"$OUT/load.log" || fail "$(<"$OUT/load.log")"
	! load lab0 wrong -n 1 >>"$OUT/load.log" || fail "a wrong password is right"
	load 'lab%d' "$MUSESS_PASSWORD" -n 2 -c 2 -k 1 >>"$OUT/load.log" || fail "$(<"$OUT/load.log")"
	session=$(musessctl start | sed -n 's/^session \([0-9]*\):.*/\1/p')
	musessctl stop "$session" >/dev/null
	echo 'GET / HTTP/1.0' >"/dev/tcp/${MUSESS_ADDRESS/://}"
	musessctl drain until-restart >/dev/null
	! load labelled "$MUSESS_PASSWORD" -n 1 >>"$OUT/load.log" || fail "draining lets users in"
	musessctl drain off >/dev/null
}

# What it says is what happened, and what musessctl says.
figures() {
	echo "== figures"
	fresh
	promtool check metrics <"$WORK/text" >"$WORK/promtool" 2>&1 || fail "$(<"$WORK/promtool")"
	[ ! -s "$WORK/promtool" ] || fail "promtool: $(<"$WORK/promtool")"
	check documented "$source/docs/metrics.md" "$WORK/text"
	is 'musess_logons_total' 6
	is 'musess_reconnects_total' 2
	is 'musess_sessions{state="disconnected"}' 6
	is 'musess_disconnects_total{reason="none"}' 8
	is 'musess_session_ends_total{reason="admin_logoff"}' 1
	is 'musess_refusals_total{cause="credentials"}' 1
	is 'musess_refusals_total{cause="not_rdp"}' 1
	is 'musess_refusals_total{cause="draining"}' 1
	is 'musess_spinup_phase_seconds_count{phase="total"}' 6
	is 'musess_spinup_phase_seconds_bucket{phase="total",le="+Inf"}' 6
	is 'musess_spinup_phase_seconds_count{phase="shell"}' 6
	is 'musess_reconnect_seconds_count' 2
	is 'musess_pool_limit' 2
	at_least 'musess_pool_hits_total' 1
	is 'musess_processes{kind="smss"}' 1
	is 'musess_processes{kind="metricsd"}' 1
	is 'musess_processes{kind="shell"}' 6
	at_least 'musess_process_cpu_seconds_total{kind="rdpwd"}' 0.01
	at_least 'musess_process_anonymous_memory_bytes{kind="csrss"}' 100000
	at_least "musess_session_creations_total{result=\"created\",reason=\"success\"}" 8
	is "musess_session_creations_total{result=\"created\",reason=\"success\"}" \
		"$(metric 'musess_spinup_phase_seconds_count{phase="created"}')"
	musessctl stats --json >"$WORK/stats"
	[ "$(jq .logons "$WORK/stats")" = 6 ] && [ "$(jq .refusals.draining "$WORK/stats")" = 1 ] &&
		[ "$(jq .phases.total.count "$WORK/stats")" = 6 ] || fail "stats: $(<"$WORK/stats")"
}

# Sessions under Windows' names: each has one state that holds.
windows_names() {
	local name=windows_terminal_services_session_info sessions
	echo "== Windows' names"
	sessions=$(musessctl list --json | jq '[.[] | select(.id < 65536)] | length')
	[ "$(grep -c "^$name.* 1\$" "$WORK/text")" = "$sessions" ] || fail "not $sessions sessions"
	[ "$(grep -c "^$name.* 0\$" "$WORK/text")" = $((9 * sessions)) ] || fail "not ten states each"
	grep -q "^$name{session_name=\"RDP-Tcp#[0-9]*\",user=\"lab0\",host=\"[^\"]*\",state=\"disconnected\",id=\"[0-9]*\"} 1" \
		"$WORK/text" || fail "$(grep "^$name.* 1\$" "$WORK/text")"
	at_least 'windows_terminal_services_threads{session_name="Console"}' 2
	at_least 'windows_terminal_services_handles{session_name="Console"}' 4
	at_least 'windows_terminal_services_working_set_bytes{session_name="Console"}' 100000
}

# The processor time of what runs in sessions, and of what ran there.
processor_time() {
	local before
	echo "== processor time"
	fresh
	before=$(metric 'musess_process_cpu_seconds_total{kind="shell"}')
	session=$(musessctl start | sed -n 's/^session \([0-9]*\):.*/\1/p')
	musessctl exec "$session" -- \
		bash -c 'while [ "$(ps -o cputimes= $$)" -lt 2 ]; do for i in {1..20000}; do :; done; done' ||
		fail "exec: $?"
	fresh
	at_least 'musess_process_cpu_seconds_total{kind="shell"}' \
		"$(awk -v b="$before" 'BEGIN { print b + 1.9 }')"
	before=$(metric 'musess_process_cpu_seconds_total{kind="shell"}')
	musessctl stop "$session" >/dev/null
	fresh
	at_least 'musess_process_cpu_seconds_total{kind="shell"}' "$before"
	awk -v now="$(metric 'musess_process_cpu_seconds_total{kind="shell"}')" -v b="$before" \
		'BEGIN { exit !(now < b + 1) }' || fail "its time counts twice"
}

# Another smss's services: they begin anew, the counters of what they did go on.
services_are_killed() {
	local name pid old
	echo "== services are killed"
	fresh
	old=$(metric musess_connections_total)
	for name in termsrv metricsd; do
		pid=$(processes_of $name | head -n 1)
		kill -KILL "$pid"
		wait_until $PATIENCE ended "$pid" || fail "$name does not end"
		wait_until $PATIENCE scrape || fail "nothing is read after the end of $name"
	done
	wait_until $PATIENCE load 'lab0' "$MUSESS_PASSWORD" -n 1 >>"$OUT/load.log" || fail "no logon"
	fresh
	at_least musess_connections_total $((old + 1))
}

dashboard_has_data() {
	echo "== the dashboard's queries"
	wait_until $PATIENCE has_value 'sum(changes(musess_logons_total[1m])) > bool 0' 1 ||
		fail "Prometheus saw no logon"
	check queries "$dashboard" "http://127.0.0.1:$prometheus_port" || fail "see above"
	# a counter that goes back is one that lost something
	for name in musess_process_cpu_seconds_total musess_refusals_total musess_logons_total \
		musess_spinup_phase_seconds_count musess_connections_total; do
		has_value "sum(resets($name[10m]))" 0 || fail "$name went back: $(value "resets($name[10m])")"
	done
}

locked_in() {
	local pid left
	echo "== locked in"
	pid=$(processes_of metricsd)
	[ "$(status_of "$pid" CapEff)" = 0000000000000000 ] &&
		[ "$(status_of "$pid" CapPrm)" = 0000000000000000 ] || fail "metricsd has capabilities"
	[ "$(status_of "$pid" Seccomp)" = 2 ] || fail "metricsd has no filter of system calls"
	[ "$(status_of "$pid" NoNewPrivs)" = 1 ] || fail "metricsd may gain privileges"
	[ "$(status_of "$pid" Uid | sort -u | wc -l)" = 1 ] &&
		[ "$(status_of "$pid" Uid | head -n 1)" != "$(status_of "$(processes_of lsass)" Uid | head -n 1)" ] &&
		[ "$(status_of "$pid" Uid | head -n 1)" != 0 ] || fail "metricsd has another's user id"
	[ -z "$(ls -A "/proc/$pid/root/")" ] || fail "metricsd sees files: $(ls -A "/proc/$pid/root/")"
	left=$(find "/proc/$pid/fd" -type l -not -name '[012]' -not -lname 'socket:*' \
		-not -lname 'anon_inode:*' -not -lname 'pipe:*' -printf '%f %l\n')
	[ -z "$left" ] || fail "metricsd has descriptors: $left"
	has_no_log "$pid" || fail "metricsd has the log"
}

# Requests that are none, or too large, or of something else.
bad_requests() {
	local long
	echo "== bad requests"
	answers 200 /
	answers 404 /nothing
	answers 404 /metrics/../etc/passwd
	answers 200 '/metrics?name=x'
	long=$(printf '%09000d' 0)
	printf 'GET /metrics HTTP/1.1\r\nX: %s\r\n\r\n' "$long" | raw >"$WORK/raw"
	! grep -q '^HTTP/1.1 200' "$WORK/raw" || fail "a header of 9 KB is read"
	printf 'POST /metrics HTTP/1.1\r\nContent-Length: 1000000000\r\n\r\nx' | raw >"$WORK/raw"
	grep -qE '^HTTP/1.1 (405|413|501)' "$WORK/raw" || fail "POST: $(<"$WORK/raw")"
	head -c 100000 /dev/urandom | raw >"$WORK/raw"
	! grep -qa '^HTTP/1.1 200' "$WORK/raw" || fail "rubbish is answered"
	scrape || fail "it is not read any more"
}

# What is answered to standard input.
raw() {
	/usr/bin/python3 -c 'import socket, sys
s = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
s.settimeout(15)
try:
    s.sendall(sys.stdin.buffer.read())
    while data := s.recv(65536):
        sys.stdout.buffer.write(data)
except OSError:
    pass' "$port"
}

# As many as there are places for, who never end their requests: clients log on as ever, and who asks
# is served while they are there: the first of them leaves him its place.
crowd() {
	local pid before used lasted crowd_pid
	echo "== a crowd that is slow"
	pid=$(processes_of metricsd)
	before=$(awk '{ print $14 + $15 }' "/proc/$pid/stat")
	check crowd "$port" 64 >"$WORK/crowd" &
	crowd_pid=$!
	started+=("$crowd_pid")
	sleep 2
	[ "$(find "/proc/$pid/fd" -lname 'socket:*' | wc -l)" -le 66 ] || fail "it takes all of them"
	load 'lab%d' "$MUSESS_PASSWORD" -n 2 >>"$OUT/load.log" || fail "nobody gets in meanwhile"
	for _ in 1 2 3; do
		scrape || fail "who comes after them is not served"
	done
	[ "$(find "/proc/$pid/fd" -lname 'socket:*' | wc -l)" -ge 50 ] || fail "he was served when they had gone"
	wait "$crowd_pid" || fail "they keep their places"
	read -r lasted <"$WORK/crowd"
	used=$(($(awk '{ print $14 + $15 }' "/proc/$pid/stat") - before))
	echo "the first was closed after ${lasted% *} s, the last after ${lasted#* } s; $used ticks"
	[ "${lasted#* }" -ge 9 ] && [ "${lasted#* }" -le 20 ] || fail "closed after $lasted s"
	[ $used -lt 100 ] || fail "metricsd used $used ticks"
}

# However many ask, smss is asked once a second.
many_requests() {
	local before
	echo "== many requests"
	before=$(awk '{ print $14 + $15 + $16 + $17 }' "/proc/$musess_pid/stat")
	for ((i = 0; i < 300; i++)); do
		echo "http://127.0.0.1:$port/metrics"
	done | /usr/bin/python3 -c 'import sys, urllib.request
for line in sys.stdin:
    urllib.request.urlopen(line.strip()).read()'
	before=$(($(awk '{ print $14 + $15 + $16 + $17 }' "/proc/$musess_pid/stat") - before))
	echo "smss used $before ticks for 300 requests"
	[ $before -lt 100 ] || fail "smss used $before ticks"
}

# The sessions that an earlier smss had started are looked at too, and what they used stays counted
# when they end; counters begin anew.
another_smss() {
	local used
	echo "== another smss"
	kill -KILL "$musess_pid"
	{ wait "$musess_pid" || true; } 2>/dev/null
	rm -f "$STATE/lab.env"
	STATE_AGAIN=$STATE
	start_musess
	fresh
	is 'musess_session_ends_total{reason="admin_logoff"}' 0
	is 'musess_processes{kind="shell"}' 6
	at_least 'musess_process_cpu_seconds_total{kind="csrss"}' 0.001
	used=$(metric 'musess_process_cpu_seconds_total{kind="shell"}')
	for session in $(musessctl list --json | jq '.[] | select(.state == "Disc") | .id'); do
		musessctl stop "$session" >/dev/null
	done
	fresh
	is 'musess_processes{kind="shell"}' 0
	is 'musess_session_ends_total{reason="admin_logoff"}' 6
	at_least 'musess_process_cpu_seconds_total{kind="shell"}' "$used"
}

config=('IdleWinStationPoolCount = 2')
documents
off_unless_configured
port=$(free_port)
limits=('[Limits]' 'MaxDisconnectionTime = 1h' '[Metrics]' "MetricsPort = $port" 'WindowsNames = 1')
start_musess
start_prometheus
sessions
figures
windows_names
locked_in
processor_time
services_are_killed
dashboard_has_data
bad_requests
many_requests
crowd
another_smss
stop_musess
echo "what it says is true, and nobody who asks harms anybody"
