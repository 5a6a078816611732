#!/usr/bin/python3
"""What tests/metrics.sh needs of HTTP, JSON and the documents.

metrics-check.py get URL                 prints the body; on standard error its status
metrics-check.py block FILE NAME         the fenced block of a document that begins "# NAME"
metrics-check.py documented FILE TEXT    both have the same metrics
metrics-check.py model DASHBOARD         its panels have what they need, and do not overlap
metrics-check.py rules DASHBOARD         its queries as rules, for promtool
metrics-check.py queries DASHBOARD URL   each of them has data in the Prometheus at URL
metrics-check.py value URL QUERY         its one value
metrics-check.py crowd PORT COUNT        so many connections, that send a byte a second, until all are
                                         closed; prints how long the first and the last had
"""
import json
import math
import re
import select
import socket
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

# The endpoint's address is never somebody's proxy's.
urllib.request.install_opener(urllib.request.build_opener(urllib.request.ProxyHandler({})))


def get(url):
    try:
        with urllib.request.urlopen(url, timeout=20) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def query(url, expression):
    where = url + "/api/v1/query?" + urllib.parse.urlencode({"query": expression})
    status, body = get(where)
    if status != 200:
        sys.exit(f"{expression}: {body}")
    return json.loads(body)["data"]["result"]


def block(path, name):
    for found in re.findall(r"```yaml\n(.*?)```", open(path).read(), re.S):
        if found.startswith(f"# {name}\n"):
            return found
    sys.exit(f"{path} has no block {name}")


def documented(path, text):
    families = {line.split()[2] for line in open(text) if line.startswith("# TYPE ")}
    rows = [line.split("|")[1] for line in open(path) if line.startswith("| `")]
    names = set()
    for row in rows:
        names |= set(re.findall(r"`((?:musess|windows_terminal)_[a-z_]+)", row))
    if families != names:
        sys.exit(f"{path}: not there: {families - names}; not true: {names - families}")


def panels(dashboard):
    for panel in json.load(open(dashboard))["panels"]:
        if panel["type"] != "row":
            yield panel


def expressions(dashboard):
    whole = json.load(open(dashboard))
    for note in whole["annotations"]["list"]:
        yield note["name"], note["expr"]
    for panel in panels(dashboard):
        for target in panel["targets"]:
            yield panel["title"], target["expr"]


def plain(expression):
    return expression.replace("$__rate_interval", "5m").replace("$instance", ".*")


def overlap(one, other):
    return all(
        one[at] < other[at] + other[size] and other[at] < one[at] + one[size]
        for at, size in (("x", "w"), ("y", "h"))
    )


def model(dashboard):
    whole = json.load(open(dashboard))
    everything = whole["panels"]
    ids = [panel["id"] for panel in everything]
    assert len(set(ids)) == len(ids), "two panels have one id"
    variables = {variable["name"] for variable in whole["templating"]["list"]}
    for panel in everything:
        grid = panel["gridPos"]
        assert 0 <= grid["x"] and grid["x"] + grid["w"] <= 24, panel["title"]
        for other in everything:
            assert other is panel or not overlap(grid, other["gridPos"]), panel["title"]
    for panel in panels(dashboard):
        assert panel["description"] and panel["fieldConfig"]["defaults"]["unit"], panel["title"]
        assert panel["datasource"]["uid"] == "${datasource}", panel["title"]
        assert panel["targets"], panel["title"]
        references = [target["refId"] for target in panel["targets"]]
        assert len(set(references)) == len(references), panel["title"]
    for title, expression in expressions(dashboard):
        used = set(re.findall(r"\$(?!__)\{?(\w+)", expression))
        assert used <= variables, f"{title}: {used - variables}"
        assert "musess_" in expression, title


def queries(dashboard, url):
    empty = []
    for title, expression in expressions(dashboard):
        values = [float(sample["value"][1]) for sample in query(url, plain(expression))]
        if not any(math.isfinite(value) for value in values):
            empty.append(f"{title}: {expression}: {values}")
    if empty:
        sys.exit("no data:\n" + "\n".join(empty))
    print(sum(1 for _ in expressions(dashboard)), "queries have data")


def rules(dashboard):
    lines = [
        {"record": f"dashboard:query{number}", "expr": plain(expression)}
        for number, (_, expression) in enumerate(expressions(dashboard))
    ]
    return json.dumps({"groups": [{"name": "dashboard", "rules": lines}]})


def crowd(port, count):
    begin = time.monotonic()
    sockets = [socket.create_connection(("127.0.0.1", int(port))) for _ in range(int(count))]
    ends = []
    while sockets:
        for one in list(sockets):
            try:
                one.send(b"G" if time.monotonic() - begin < 1 else b"x")
            except OSError:
                pass
        readable, _, _ = select.select(sockets, [], [], 1)
        for one in readable:
            try:
                if one.recv(4096):
                    continue
            except OSError:
                pass
            sockets.remove(one)
            ends.append(time.monotonic() - begin)
        if time.monotonic() - begin > 60:
            sys.exit(f"{len(sockets)} are still there")
    print(f"{min(ends):.0f} {max(ends):.0f}")


def main(command, *words):
    if command == "get":
        status, body = get(*words)
        print(status, file=sys.stderr)
        print(body, end="")
    elif command == "value":
        result = query(*words)
        print(result[0]["value"][1] if len(result) == 1 else f"{len(result)} values")
    else:
        said = {
            "block": block,
            "documented": documented,
            "model": model,
            "rules": rules,
            "queries": queries,
            "crowd": crowd,
        }[command](*words)
        if said:
            print(said)


main(*sys.argv[1:])
