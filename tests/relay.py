#!/usr/bin/env python3
"""A way to a server that can be cut, as where a network goes: both ends see a reset.

    relay.py HOST PORT     prints its own port; SIGUSR1 cuts every connection, the next is served again
"""
import signal
import socket
import struct
import sys
import threading

ends, cut_ends = set(), set()


def forward(source, sink):
    try:
        while data := source.recv(65536):
            sink.sendall(data)
        if source not in cut_ends:
            sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def serve(client):
    server = socket.create_connection((sys.argv[1], int(sys.argv[2])))
    pair = {client, server}
    ends.update(pair)
    back = threading.Thread(target=forward, args=(server, client), daemon=True)
    back.start()
    forward(client, server)
    back.join()
    ends.difference_update(pair)
    cut_ends.difference_update(pair)
    for end in pair:
        end.close()


def cut(*_):
    for end in list(ends):
        cut_ends.add(end)
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        end.shutdown(socket.SHUT_RD)  # whoever reads from it closes both


def main():
    signal.signal(signal.SIGUSR1, cut)
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    while True:
        client, _ = listener.accept()
        threading.Thread(target=serve, args=(client,), daemon=True).start()


main()
