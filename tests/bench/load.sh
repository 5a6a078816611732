# The service under load, by musessload: many sessions at a time, one after another, at once.
# Sourced by run, which has plain-server and the first service running.
#
#   HELD=2000 HELD_SECONDS=300   sessions that are held, and how long
#   RATE=8                       how many of them come a second: fewer than can be made, for their
#                                time to tell what each costs, and not how long it waited
#   STORM=1000                   connections at one instant
#   ENDURANCE=100000             sessions one after another

# load OUT OPTION...: musessload against the service; what it reports is in $work/OUT.txt.
load() {
	local out=$work/$1
	shift
	"$build/bin/musessload" run 127.0.0.1:13392 -u 'lab%05d' -p "$work/password" --security tls \
		--max-live 100000 --end disconnect -o "$out.jsonl" "$@" >"$out.txt" 2>"$out.log" || true
}

# of OUT EXPRESSION: of the run's sessions, as python has them: ok, a list of those that went well.
of() {
	python3 - "$work/$1.jsonl" "$2" <<-'END'
		import json, sys
		lines = [json.loads(line) for line in open(sys.argv[1])]
		ok = [s for s in lines if s["type"] == "session" and s["error"] == "ok"]
		failed = sum(s["type"] == "session" and s["error"] != "ok" for s in lines)
		missed = sum(s["type"] == "missed" for s in lines)

		def p(values, part):
		    values = sorted(values)
		    return values[min(len(values) - 1, int(len(values) * part))] / 1000 if values else 0

		def middle(some):
		    return p([s["total"] for s in some], 0.5)

		def last():
		    return max(s["started"] + s["total"] for s in ok) / 1e6
		print(eval(sys.argv[2]))
	END
}

# Descriptors, processes, mounts, cgroups and private memory of the service's processes.
state_of_service() {
	local pid pids=("$service" $(pgrep -P "$service" -x 'lsass|termsrv'))
	for pid in "${pids[@]}"; do
		printf '%s: %s descriptors, %s mounts, %s MB  ' "$(cat "/proc/$pid/comm")" \
			"$(ls "/proc/$pid/fd" | wc -l)" "$(wc -l <"/proc/$pid/mountinfo")" "$(private_mb "$pid")"
	done
	echo "cgroups: $(find "$cgroup_root/bench-$$-musess" -type d | wc -l)  processes: $(
		find "$cgroup_root/bench-$$-musess" -name cgroup.procs -exec cat {} + | wc -l)"
}

storm() {
	local steady all
	echo "storm of $STORM connections at one instant, beside as many 8 at a time"
	load steady --concurrency 8 --count "$STORM"
	load storm --storm "$STORM"
	steady=$(of steady 'f"{last():.2f}"') all=$(of storm 'f"{last():.2f}"')
	echo "  8 at a time    $(of steady 'f"ok {len(ok)} failed {failed}"') in $steady s"
	echo "  musessload     $(sed -n 's/^client *\(.* per connection\).*/\1/p' "$work/steady.txt"), 8 at a time"
	echo "  at once        $(of storm 'f"ok {len(ok)} failed {failed} missed {missed}"') in $all s, $(
		awk -v a="$all" -v b="$steady" 'BEGIN { printf "%.2f", a / b }') of that"
}

# growth LIVE: what one more costs beside LIVE sessions, and what the yardsticks cost there.
growth() {
	local i
	for i in 1 2 3; do
		echo "  beside $1"
		echo "    clone-limit  $("$work/clone-limit" 50)"
		echo "    musess       $("$build/bin/tests/sm-bench" "$MUSESS_SM_PORT" -n 50)"
		echo "    plain-server $("$work/rdp-probe" 13391 -n 50 -c 1)"
		echo "    musess       $("$work/rdp-probe" 13392 -n 50 -c 1 -u 'lab%d' -p "$MUSESS_PASSWORD")"
	done
}

# Held at full number, first untouched, then with a key pressed in each now and then.
held() {
	local before after wait
	wait=$((HELD / RATE + 90))
	echo "StartCsr and first picture, one after another, with 10 live"
	load ten --storm 10 --hold 40s &
	pids+=("$!")
	sleep 5
	growth 10
	wait "${pids[-1]}"
	unset 'pids[-1]'
	echo "$HELD connected sessions, held for $HELD_SECONDS s"
	# no multiple of the time between two starts, or many would press at the same instant for ever
	printf 'wait %ds\nrepeat %d\necho x\nwait 20010ms\nend\n' $wait $((HELD_SECONDS / 20)) >"$work/keys"
	load held --rate "$RATE/s" --count "$HELD" --hold $((wait + HELD_SECONDS))s --script "$work/keys" &
	pids+=("$!")
	sleep $((HELD / RATE + 10))
	echo "  live           $("$build/bin/musessctl" list | grep -c 'Active')"
	before=$(processor_us musess)
	sleep 20
	after=$(processor_us musess)
	awk -v us=$((after - before)) 'BEGIN { printf "  idle           %.2f %% of a core\n", us / 20e4 }'
	growth "$HELD"
	wait "${pids[-1]}"
	unset 'pids[-1]'
	echo "  in the end     $(of held 'f"ok {len(ok)} failed {failed} missed {missed}"')"
	echo "  a key's echo   $(of held '(lambda e: f"{len(e)} keys  p50 {p(e, .5):.1f} ms  p99 {p(e, .99):.1f} ms")([x for s in ok for x in s.get("echo", [])])')"
	echo "  first picture  $(of held 'f"p50 {middle(ok[10:60]):.1f} ms with 10 to 60 live, {middle(ok[-50:]):.1f} ms with the last 50 of {len(ok)}"')"
}

endurance() {
	echo "$ENDURANCE sessions one after another, 4 at a time"
	load first --concurrency 4 --count 1000
	sleep 3
	echo "  after 1000     $(state_of_service)"
	[ "$ENDURANCE" -le 2000 ] || load most --concurrency 4 --count $((ENDURANCE - 2000))
	load last --concurrency 4 --count 1000
	sleep 3
	echo "  after all      $(state_of_service)"
	echo "  time each      p50 $(of first 'f"{middle(ok):.1f} ms of the first 1000"'), $(
		of last 'f"{middle(ok):.1f} ms of the last 1000"')"
	[ ! -e "$work/most.jsonl" ] || echo "  between        $(of most 'f"ok {len(ok)} failed {failed}"')"
}
