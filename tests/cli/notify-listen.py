#!/usr/bin/python3
"""A service manager's socket: writes each datagram as a line of JSON, closes the descriptors of barriers.
notify-listen.py SOCKET FILE; '@NAME' is an abstract one."""
import array
import json
import os
import socket
import sys

path = sys.argv[1]
sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
sock.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
sock.bind("\0" + path[1:] if path[0] == "@" else path)
out = open(sys.argv[2], "w", buffering=1)
sock.settimeout(60)
while True:
    try:
        data, ancillary, _, _ = sock.recvmsg(8192, 256)
    except TimeoutError:
        break
    fds = array.array("i")
    sender = 0
    for level, kind, content in ancillary:
        if kind == socket.SCM_RIGHTS:
            fds.frombytes(content)
        if kind == socket.SCM_CREDENTIALS:
            sender = array.array("i", content)[0]
    print(json.dumps({"text": data.decode(), "sender": sender, "fds": len(fds)}), file=out)
    for fd in fds:
        os.close(fd)
