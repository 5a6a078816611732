#!/usr/bin/env python3
"""Results as musessload writes them, the same ones for the same arguments.

load-sample.py SESSIONS SLOWER SEED [FIELD=VALUE]... > FILE

The sessions take SLOWER times as long; one in fifty fails. FIELDs are those of the first line.
"""
import json
import random
import sys

PHASES = dict(tcp=300, x224=900, tls=6000, nla=9000, mcs=2500, activation=4200,
              first_picture=5200, shell=14000, unaccounted=400)
RATE = 50
HOLD_US = 2_000_000
# what a server, or a name, might try to do to a page
DETAIL = "</script><img src=x onerror=\"document.title='broken'\">"


def line(**fields):
    print(json.dumps(fields, separators=(",", ":")))


def session(number, slower, numbers):
    planned = number * 1_000_000 // RATE
    phases = {name: int(us * slower * numbers.lognormvariate(0, .25))
              for name, us in PHASES.items()}
    fields = dict(type="session", number=number, user=f"lab{number:04d}", planned=planned,
                  started=planned + numbers.randrange(300))
    if number % 50 == 7:
        reached = dict(list(phases.items())[:2])
        return dict(fields, error="reset", failed_in="tls", phases=reached, held=1500,
                    detail=DETAIL)
    return dict(fields, error="ok", phases=phases, total=sum(phases.values()), held=HOLD_US,
                errinfo=12, echo=[numbers.randrange(2000, 9000)])


def main():
    count, slower = int(sys.argv[1]), float(sys.argv[2])
    numbers = random.Random(int(sys.argv[3]))
    run = dict(type="run", version="0.1.0", target="rdp.example.net:3389", model="rate",
               plan=f"{RATE}/s", planned=count, hold_us=HOLD_US, until="shell", end="logoff",
               security="nla", seed=1, segment=1, segments=1, epoch_us=1764089619123456 + int(sys.argv[3]),
               command="musessload run rdp.example.net -u lab%04d --rate 50/s",
               host="<img src=x>", kernel="6.1.0", processor="A processor", processors=8,
               memory=1 << 35)
    line(**dict(run, **dict(pair.split("=", 1) for pair in sys.argv[4:])))
    for number in range(count):
        line(**session(number, slower, numbers))
    line(type="missed", number=count, planned=count * 1_000_000 // RATE, why="max-live")
    line(type="end", duration_us=count * 1_000_000 // RATE + HOLD_US, interrupted=False,
         aborted=False, cpu_us=6000 * count, memory=120_000_000, live_peak=100, late_us=300,
         client_limited=False, limit="")


main()
