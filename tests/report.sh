#!/bin/bash
# What musessload makes of results: reports in every form, thresholds, comparisons, and the page,
# which a real browser opens.
#
#   tests/report.sh BUILD
. "$(dirname "$0")/lib.sh" "$1"
load=$BIN/musessload
tests=$(realpath "$(dirname "$0")")
sample() {
	"$tests/load-sample.py" "$@"
}

# expect STATUS COMMAND...: its output is in $WORK/out, what it says of errors in $WORK/err.
expect() {
	local status=0
	"${@:2}" >"$WORK/out" 2>"$WORK/err" || status=$?
	[ $status = "$1" ] || fail "${*:2}: exit status $status, not $1: $(tail -n 3 "$WORK/err")"
}

says() { # FILE TEXT
	grep -qF -- "$2" "$WORK/$1" || fail "'$2' is not in: $(cat "$WORK/$1")"
}

json() { # EXPRESSION of the document d
	python3 -c "import json, sys; d = json.load(open('$WORK/out')); sys.exit(not ($1))" ||
		fail "not so: $1"
}

cd "$WORK"
sample 20000 1 1 >a.jsonl
sample 1000 1 2 >b.jsonl
sample 1000 1.2 3 >slow.jsonl
sample 200 1 4 model=concurrency plan=8 | head -c -30 >torn.jsonl

echo "--- the table, and what is exact of two files"
expect 0 "$load" report a.jsonl b.jsonl
[ ! -s err ] || fail "it says $(cat err)"
says out 'starts    planned 21002, made 21000, missed 2'
says out 'sessions  ok 20580, failed 420 (2%)'
says out 'rdp.example.net:3389, open loop at 50/s'
! grep -q 'CLOSED LOOP' out || fail "an open loop is called closed"
expect 0 "$load" report --json a.jsonl b.jsonl
json 'd["metrics"]["total"]["n"] == 20580 and d["sessions"]["failed"] == 420'
cat a.jsonl b.jsonl >both.jsonl
mv out two && expect 0 "$load" report --json both.jsonl
cmp -s out two || fail "two files and one of both differ: $(diff out two | head -n 5)"
python3 - <<'END' || fail "p99.9 is not that of the file"
import json, math
total = sorted(r["total"] for r in map(json.loads, open("both.jsonl")) if "total" in r)
said = json.load(open("out"))["metrics"]["total"]
for name, p in dict(p50=.5, p95=.95, p99=.99, p999=.999).items():
    assert said[name] == total[math.ceil(p * len(total)) - 1], name
END

echo "--- CSV, HdrHistogram's text"
expect 0 "$load" report --csv a.jsonl
[ "$(head -n 1 out | tr ',' '\n' | wc -l)" = "$(grep ^total out | tr ',' '\n' | wc -l)" ] ||
	fail "CSV: $(cat out)"
expect 0 "$load" report --hdr --metric tls b.jsonl
says out '1/(1-Percentile)'
grep -qE '^ +[0-9.]+ 1\.0+ +980$' out || fail "$(tail -n 4 out)"

echo "--- thresholds"
expect 0 "$load" report --threshold 'p95(total)<1s' --threshold 'fail<3%' b.jsonl
says out 'threshold fail<3%: kept (2%)'
expect 99 "$load" report --json --threshold 'p95(total)<1s' --threshold 'fail<1%' b.jsonl
says err 'threshold fail<1%: CROSSED (2%)'
json '[t["kept"] for t in d["thresholds"]] == [True, False]'

echo "--- what is wrong"
expect 0 "$load" report torn.jsonl
says err 'torn.jsonl:203: the last line is torn'
says out 'CLOSED LOOP'
expect 2 "$load" report
expect 2 "$load" report --threshold 'p95(total)<1' b.jsonl
says err 'needs a unit'
expect 2 "$load" report --metric total_ b.jsonl
expect 2 "$load" report --json --csv b.jsonl
expect 2 "$load" report nothing.jsonl
expect 2 "$load" report /etc/passwd
says err '/etc/passwd:1: no JSON'
expect 2 "$load" compare a.jsonl
expect 1 "$load" report --html=/dev/full b.jsonl
says err 'No space left on device'
# a report that cannot be written leaves the one before
echo earlier >page.html
! (ulimit -f 1 && "$load" report --html=page.html b.jsonl) 2>/dev/null || fail "no limit"
[ "$(cat page.html)" = earlier ] || fail "a report that failed took the place of the one before"
# whoever may write to the directory cannot have another file written by a link
echo other >victim
ln -sf victim page.html.new
"$load" report --html=page.html b.jsonl || fail "a link beside a report keeps it from being written"
[ "$(cat victim)" = other ] || fail "a report was written through a link beside it"
[ -f page.html ] && [ ! -L page.html ] || fail "the report is no file of its own"
rm page.html victim
[ ! -L page.html.new ] || fail "the link is left"

echo "--- compare"
expect 0 "$load" compare a.jsonl b.jsonl
! grep -E '^[a-z0-9_]+ +(better|worse|mixed)' out || fail "noise is taken for a difference"
expect 0 "$load" compare --json b.jsonl slow.jsonl
json 'd["metrics"]["total"]["verdict"] == "worse" and d["metrics"]["echo"]["verdict"] == "same"'
json '2000 < d["metrics"]["total"]["p50_difference"][0] < d["metrics"]["total"]["p50_difference"][1]'
expect 0 "$load" compare slow.jsonl b.jsonl
grep -qE '^total +better ' out || fail "$(cat out)"
! grep -q 'LOADS DIFFER' out || fail "loads that are alike are called different"
expect 0 "$load" compare b.jsonl torn.jsonl
says out 'LOADS DIFFER'

long_plan() { # LAST FILE: b.jsonl with a plan of many stages
	python3 -c '
import json, sys
for line in open("b.jsonl"):
    record = json.loads(line)
    if record["type"] == "run":
        record["plan"] = "1m:10/s " * 40 + sys.argv[1]
    print(json.dumps(record))' "$1" >"$2"
}
long_plan 1m:20/s long.jsonl
long_plan 1m:30/s longer.jsonl
expect 0 "$load" compare long.jsonl long.jsonl
! grep -q 'LOADS DIFFER' out || fail "long plans that are alike are called different"
expect 0 "$load" compare long.jsonl longer.jsonl
says out 'LOADS DIFFER'
grep -qE '^ +plan .*1m:20/s -> 1m:10/s .*1m:30/s$' out || fail "the plans' difference is not shown: $(cat out)"

expect 2 "$load" compare a.jsonl b.jsonl slow.jsonl
expect 2 "$load" compare a.jsonl vs
says err 'A1 A2 vs B1 B2'
for i in 1 2 3 4 5; do
	sample 300 1 "1$i" >"same$i.jsonl"
	sample 300 1.5 "2$i" >"slower$i.jsonl"
done
expect 0 "$load" compare same?.jsonl vs slower?.jsonl
grep -qE '^total +worse ' out || fail "$(cat out)"
says out 'A same1.jsonl same2.jsonl same3.jsonl same4.jsonl same5.jsonl -> B slower1.jsonl'
expect 0 "$load" compare --json same1.jsonl same2.jsonl vs same3.jsonl same4.jsonl same5.jsonl
json 'd["files"] == [2, 3] and {m["verdict"] for m in d["metrics"].values()} == {"same"}'
json 'd["metrics"]["total"]["n"] == [588, 882] and d["metrics"]["total"]["p50_p"] > 0.01'

cp same1.jsonl copy.jsonl
for again in same1.jsonl copy.jsonl; do
	expect 2 "$load" compare same1.jsonl "$again" vs slower1.jsonl slower2.jsonl
	says err 'are one run, which counts once'
done
expect 0 "$load" compare same1.jsonl copy.jsonl # of two sides

echo "--- the page, in a browser"
# browse PAGE OPTION...: what the page became in out; what its script had to say in err.
browse() {
	local page=$1
	shift
	timeout 120 chromium --headless --no-sandbox --disable-gpu --disable-dev-shm-usage \
		--hide-scrollbars --host-resolver-rules='MAP * ~NOTFOUND' --user-data-dir="$WORK/browser" \
		--enable-logging=stderr --virtual-time-budget=5000 "$@" "file://$WORK/$page" \
		>out 2>err || fail "chromium: $(tail -n 5 err)"
}
drawn() { # PAGE
	browse "$1" --dump-dom
	grep -q 'data-drawn="6"' out && ! grep -q 'CONSOLE' err
}
expect 99 "$load" report --html=page.html --threshold 'fail<1%' a.jsonl
expect 0 "$load" report --html=torn.html torn.jsonl
[ "$(stat -c %s page.html)" -lt 200000 ] || fail "the page has $(stat -c %s page.html) bytes"
! grep -oE '(src|href)="[^"]*"' page.html | grep -vF 'href="data:,"' | grep . ||
	fail "the page wants more than itself"
drawn page.html || fail "the page is not drawn: $(grep CONSOLE err)"
for part in curves waterfall heat rate live errors; do
	python3 - "$part" <<'END' || fail "nothing is drawn in $part"
import re, sys
part = re.search(r'id="%s"><svg.*?</svg>' % sys.argv[1], open("out").read(), re.S).group()
assert len(re.findall("<(rect|polyline)", part)) >= 1 and "NaN" not in part
END
done
[ "$(grep -o 'fill:var(--h[0-6])' out | wc -l)" -gt 300 ] || fail "the heat map is empty"
says out '&lt;/script&gt;&lt;img src=x onerror='
says out '✗ Crossed'
! grep -q '<img' out || fail "text of a file became markup"
drawn torn.html || fail "the torn file's page is not drawn: $(grep CONSOLE err)"
says out 'Closed loop.'
# that the check can fail
sed 's/"timeline"/"timelin"/' page.html >bad.html
! drawn bad.html || fail "a page whose script fails passes for drawn"

echo "--- few of many are good: the rate is theirs, no error is green, and no percentile is made up"
python3 - <<'END'
import json
with open("few.jsonl", "w") as few:
    for r in map(json.loads, open("b.jsonl")):
        if r.get("number", 0) >= 300:
            continue
        if r["type"] == "session" and r["error"] == "ok" and r["number"] % 100:
            r.update(error="script" if r["number"] % 2 else "deadline", failed_in="shell")
        if r["type"] == "end":
            r.update(stopped=True, not_started=700)
        print(json.dumps(r), file=few)
END
expect 0 "$load" report --json few.jsonl
json 'd["sessions"]["ok"] == 3 and d["metrics"]["total"]["n"] == 294 and d["rate"]["reached"] < 1'
json 'd["runs"][0]["changes"] == "stopped by a key, 700 starts of its plan not made"'
expect 0 "$load" report few.jsonl
says out 'NOT MADE AS PLANNED: stopped by a key, 700 starts'
expect 0 "$load" report --html=few.html few.jsonl
drawn few.html || fail "few.html is not drawn: $(grep CONSOLE err)"
says out 'Not made as planned:'
python3 - <<'END' || fail "the page of a few good sessions is not right"
import re
page = open("out").read()
legend = re.search(r'id="error-legend">(.*?)</div>', page, re.S).group(1)
assert len(re.findall("background", legend)) >= 3 and not re.search(r"--(c1|c3|c7|good)\)", legend), legend
rows = re.findall(r"<tr[^>]*><td>(\w+)</td>((?:<td>[^<]*</td>)+)</tr>", page)
cells = {name: re.findall("<td>([^<]*)</td>", rest) for name, rest in rows}
assert cells["total"][0] == "294" and cells["total"][7] == "–" and cells["total"][6] != "–", cells["total"]
END
head -n 61 a.jsonl >sixty.jsonl
expect 0 "$load" report sixty.jsonl
grep -qE '^total +58( +[0-9.]+ms){4} +- +[0-9.]+ms$' out || fail "p99 of 58 is made up: $(grep ^total out)"

echo "--- everything can be read: contrast as WCAG's AA has it"
python3 - page.html <<'END' || fail "there is too little contrast"
import re, sys
def light(colour):
    parts = [int(colour[i:i + 2], 16) / 255 for i in (1, 3, 5)]
    r, g, b = (x / 12.92 if x <= .04045 else ((x + .055) / 1.055) ** 2.4 for x in parts)
    return .2126 * r + .7152 * g + .0722 * b
def contrast(a, b):
    low, high = sorted((light(a), light(b)))
    return (high + .05) / (low + .05)
pairs = [(ink, back, 4.5) for ink in ("ink", "soft", "faint", "bad") for back in ("card", "page")]
pairs += [(kind, kind + "-back", 4.5) for kind in ("bad", "warn", "good", "note")]
pairs += [(colour, "card", 3) for colour in ["pale"] + ["c%d" % i for i in range(1, 10)]]
themes, colours, bad = re.findall(r":root \{(.*?)\}", open(sys.argv[1]).read(), re.S), {}, []
assert len(themes) == 2
for theme in themes:
    colours.update(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", theme))
    bad += [(a, b, contrast(colours[a], colours[b])) for a, b, least in pairs
            if contrast(colours[a], colours[b]) < least]
sys.exit(str(bad) if bad else 0)
END

echo "--- at 800 pixels the table is whole"
cat >narrow.html <<'END'
<body style="margin:0"><iframe src="page.html" style="width:800px;height:5000px;border:0"
  onload="let t = this.contentDocument.getElementById('table');
    document.body.dataset.cut = t.scrollWidth - t.clientWidth"></iframe>
END
browse narrow.html --allow-file-access-from-files --dump-dom
says out 'data-cut="0"'

echo "--- on a phone nothing is cut off; in both themes there is something to see"
cat >phone.html <<'END'
<body style="margin:0"><iframe src="page.html" style="width:360px;height:5000px;border:0"
  onload="document.body.dataset.width = this.contentDocument.documentElement.scrollWidth"></iframe>
END
browse phone.html --allow-file-access-from-files --dump-dom
says out 'data-width="360"'
for theme in light dark; do
	scheme=$([ $theme = dark ] && echo 0 || echo 1)
	for size in 1280,2600 500,4200; do
		browse page.html --blink-settings=preferredColorScheme="$scheme" --window-size="$size" \
			--screenshot="$OUT/page-$theme-${size%,*}.png"
		read -r colours mean < <(identify -format '%k %[fx:mean]\n' "$OUT/page-$theme-${size%,*}.png")
		[ "$colours" -gt 100 ] || fail "$theme $size: there are $colours colours"
		[ "$(awk -v m="$mean" 'BEGIN { print (m > 0.5 ? "light" : "dark") }')" = $theme ] ||
			fail "$theme $size: its mean brightness is $mean"
	done
done
echo "all is well"
