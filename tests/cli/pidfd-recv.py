#!/usr/bin/python3
"""Take a pidfd over a Unix socket, say whose it is, and kill that process: pidfd-recv.py SOCKET FILE"""
import array
import re
import signal
import socket
import sys

listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1])
listener.listen()
listener.settimeout(60)
conn, _ = listener.accept()
data, ancillary, _, _ = conn.recvmsg(64, socket.CMSG_SPACE(4))
fd = array.array("i", ancillary[0][2])[0]
pid = re.search(r"^Pid:\s*(\d+)", open(f"/proc/self/fdinfo/{fd}").read(), re.M).group(1)
with open(sys.argv[2], "w") as out:
    print(data.decode(), pid, file=out)
conn.recv(1)
signal.pidfd_send_signal(fd, signal.SIGKILL)
