#!/usr/bin/env python3
"""Logs on by NLA as "short" with an NTLM AUTHENTICATE message whose last field lies at its beginning: WinPR takes
the message for 28 bytes long, and has a message integrity check at 72.

    tests/short-nla.py ADDRESS:PORT

Exits with 1 where the server closes the connection without a word, else with 0.
"""
import socket
import ssl
import struct
import sys

NEGOTIATE = bytes.fromhex("4e544c4d5353500001000000b78208e2" + "00" * 16 + "0a0063450000000f")
USER = "short".encode("utf-16-le")


def field(length, place):
    return struct.pack("<HHI", length, length, place)


def authenticate():
    # a proof; an NTLMv2 client challenge with MsvAvFlags, which says that there is a check
    response = bytes(16) + b"\1\1" + bytes(26) + struct.pack("<HHIHHI", 6, 4, 2, 0, 0, 0)
    fields = [field(0, 88), field(len(response), 88), field(0, 88), field(len(USER), 88 + len(response)), field(0, 88),
              field(16, 12)]
    head = b"NTLMSSP\0" + struct.pack("<I", 3) + b"".join(fields) + NEGOTIATE[12:16] + bytes(8)
    return head + b"\xaa" * 16 + response + USER


def der(tag, body):
    size = len(body)
    length = bytes([size]) if size < 128 else b"\x82" + struct.pack(">H", size)
    return bytes([tag]) + length + body


def ts_request(token):
    tokens = der(0x30, der(0x30, der(0xA0, der(4, token))))
    return der(0x30, der(0xA0, der(2, b"\6")) + der(0xA1, tokens))


def main():
    host, port = sys.argv[1].rsplit(":", 1)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with socket.create_connection((host.strip("[]"), int(port)), 30) as plain:
        plain.sendall(bytes.fromhex("030000130ee000000000000100080003000000"))
        plain.recv(19)
        with context.wrap_socket(plain, suppress_ragged_eofs=True) as tls:
            tls.sendall(ts_request(NEGOTIATE))
            if b"NTLMSSP\0\2" not in tls.recv(4096):
                sys.exit(2)
            tls.sendall(ts_request(authenticate()))
            try:
                answer = tls.recv(4096)
            except OSError:
                answer = b""
            sys.exit(0 if answer else 1)


main()
