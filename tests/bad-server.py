#!/usr/bin/env python3
"""A server that is bad, for what its clients do then.

    bad-server.py WHAT CERTIFICATE KEY     prints its port, and serves until it is ended

WHAT is <phase>-<sin>: what it does when a client has come to that phase.
    phases  tcp (accepted), x224 (its request was read), tls (it was confirmed: a ClientHello is
            awaited), mcs (TLS is there), nla (TLS is there, and CredSSP was agreed on)
    sins    reset, close, stall, rubbish; x224-failure is an RDP_NEG_FAILURE, x224-tls, x224-nla and x224-rdp choose
            that protocol and close, x224-old confirms without a word of protocols, as before there were any
"""
import os
import socket
import ssl
import struct
import sys
import threading
import time

PROTOCOL_TLS, PROTOCOL_NLA = 1, 2
CHOICES = {"rdp": 0, "tls": PROTOCOL_TLS, "nla": PROTOCOL_NLA}
HYBRID_REQUIRED = 5


def answer(kind, value):
    """An X.224 Connection Confirm with an RDP_NEG_RSP (2) or an RDP_NEG_FAILURE (3)."""
    return struct.pack(">BBHBBHHB", 3, 0, 19, 14, 0xD0, 0, 0x1234, 0) + struct.pack(
        "<BBHI", kind, 0, 8, value)


def sin(client, what):
    if what == "reset":
        raw = client if type(client) is socket.socket else socket.socket(fileno=client.detach())
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raw.close()
    elif what == "stall":
        time.sleep(3600)
    elif what == "rubbish":
        client.sendall(b"\x47" + bytes(range(1, 256)) * 8)
        time.sleep(3600)
    elif what == "failure":
        client.sendall(answer(3, HYBRID_REQUIRED))
    elif what in CHOICES:
        client.sendall(answer(2, CHOICES[what]))
    elif what == "old":
        client.sendall(struct.pack(">BBHBBHHB", 3, 0, 11, 6, 0xD0, 0, 0x1234, 0))
    client.close()


def serve(client, phase, what, context):
    try:
        if phase == "tcp":
            return sin(client, what)
        client.recv(4096)
        if phase == "x224":
            return sin(client, what)
        client.sendall(answer(2, PROTOCOL_NLA if phase == "nla" else PROTOCOL_TLS))
        if phase == "tls":
            return sin(client, what)
        client = context.wrap_socket(client, server_side=True)
        client.recv(1)
        sin(client, what)
    except OSError:
        client.close()


def main():
    phase, what = sys.argv[1].split("-")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[2], sys.argv[3])
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    while True:
        client, _ = listener.accept()
        threading.Thread(target=serve, args=(client, phase, what, context), daemon=True).start()


main()
