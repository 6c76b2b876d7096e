"""Sends a request over TLS and prints how the answer ended: "clean" (with close_notify) or "cut".

usage: tls_ending.py PORT
"""

import socket
import ssl
import sys

context = ssl.create_default_context()
context.check_hostname = False
context.verify_mode = ssl.CERT_NONE
context.options &= ~getattr(ssl, "OP_IGNORE_UNEXPECTED_EOF", 0)  # set by default in some versions
plain = socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=30)
connection = context.wrap_socket(plain, suppress_ragged_eofs=False)
connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
try:
    while connection.recv(65536):
        pass
    print("clean")
except ssl.SSLError as error:
    if "EOF" not in str(error):
        raise
    print("cut")
