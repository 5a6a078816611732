#!/usr/bin/env python3
"""Clients without an account, for tests/strangers.sh.

strangers.py PORT leave COUNT TERMSRV       COUNT send a request and close while termsrv stands still
strangers.py PORT turn COUNT NURSERY        the number of COUNT from 127.0.0.2 that are answered before one from
                                            127.0.0.3, who came when they waited already
strangers.py PORT silent COUNT              COUNT from 127.0.0.2 say nothing; whether one from 127.0.0.3 is answered
strangers.py PORT rubbish COUNT FROM        COUNT that do not speak RDP, from FROM
"""
import os
import select
import signal
import socket
import struct
import sys
import time

WARM_WORKERS = 8
REQUEST = struct.pack(">BBHBBHHB", 3, 0, 19, 14, 0xE0, 0, 0, 0) + struct.pack("<BBHI", 1, 0, 8, 1)


def come(port, source):
    s = socket.socket()
    s.bind((source, 0))
    s.settimeout(60)
    s.connect(("127.0.0.1", port))
    return s


def leave(port, count, termsrv):
    os.kill(int(termsrv), signal.SIGSTOP)
    try:
        for _ in range(int(count)):
            with come(port, "127.0.0.2") as s:
                s.sendall(REQUEST)
    finally:
        os.kill(int(termsrv), signal.SIGCONT)


def turn(port, count, nursery):
    try:
        os.nice(-15)  # to see his answer when it comes
    except PermissionError:
        pass
    os.kill(int(nursery), signal.SIGSTOP)
    try:
        others = [come(port, "127.0.0.2") for _ in range(int(count))]
        for s in others:
            s.sendall(REQUEST)
        answered = 0
        while answered < WARM_WORKERS:  # there are no more
            answered = len(select.select(others, [], [], 1)[0])
        one = come(port, "127.0.0.3")
        one.sendall(REQUEST)
        time.sleep(1)  # those that are answered are not under way any more
    finally:
        os.kill(int(nursery), signal.SIGCONT)
    if not one.recv(100).startswith(b"\3"):
        sys.exit("the one is not answered")
    print(len(select.select(others, [], [], 0)[0]))


def silent(port, count):
    others = [come(port, "127.0.0.2") for _ in range(int(count))]
    one = come(port, "127.0.0.3")
    others += [come(port, "127.0.0.2") for _ in range(int(count))]
    one.sendall(REQUEST)
    if not one.recv(100).startswith(b"\3"):
        sys.exit("the one is not answered")


def rubbish(port, count, source):
    for _ in range(int(count)):
        with come(port, source) as s:
            s.sendall(b"GET / HTTP/1.0\r\n\r\n")
            try:
                s.recv(100)
            except ConnectionError:
                pass


globals()[sys.argv[2]](int(sys.argv[1]), *sys.argv[3:])
