#!/usr/bin/env python3
"""Shakes hands as an RDP client that knows ROOT alone, and prints the serial number of the
server's certificate.

    tests/tls-client.py ADDRESS:PORT ROOT [CIPHERS]

With CIPHERS, which OpenSSL knows, it speaks TLS 1.2 and offers those alone. Exits with 1 where ROOT does not
vouch for the certificate, and with 3 where the server accepts nothing of what is offered.
"""
import socket
import ssl
import sys

REQUEST = bytes.fromhex("030000130ee000000000000100080003000000")  # TLS or NLA


def main():
    host, port = sys.argv[1].rsplit(":", 1)
    context = ssl.create_default_context(cafile=sys.argv[2])
    context.check_hostname = False
    if len(sys.argv) > 3:
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers(sys.argv[3] + ":@SECLEVEL=0")
    with socket.create_connection((host.strip("[]"), int(port)), 30) as plain:
        plain.sendall(REQUEST)
        if len(plain.recv(19)) != 19:
            sys.exit("no answer to the connection request")
        try:
            with context.wrap_socket(plain) as tls:
                print(tls.getpeercert()["serialNumber"])
        except ssl.SSLCertVerificationError as error:
            sys.exit(f"{error.verify_message}")
        except ssl.SSLError as error:
            print(error.reason, file=sys.stderr)
            sys.exit(3)


main()
