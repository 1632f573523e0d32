#!/usr/bin/python3
"""Take a terminal's master over a Unix socket, type INPUT, save what it prints: console-recv.py SOCKET FILE INPUT"""
import array
import os
import select
import socket
import sys
import time

listener = socket.socket(socket.AF_UNIX)
# Who sees the socket may connect to it.
listener.bind(sys.argv[1] + ".new")
listener.listen()
os.rename(sys.argv[1] + ".new", sys.argv[1])
listener.settimeout(20)
conn, _ = listener.accept()
data, ancillary, _, _ = conn.recvmsg(4096, socket.CMSG_SPACE(4))
master = array.array("i", ancillary[0][2])[0]
if sys.argv[3]:
    os.write(master, sys.argv[3].encode())
with open(sys.argv[2], "wb", 0) as out:
    end = time.time() + 20
    while time.time() < end:
        if not select.select([master], [], [], 0.1)[0]:
            continue
        try:
            got = os.read(master, 4096)
        except OSError:
            break
        if not got:
            break
        out.write(got)
