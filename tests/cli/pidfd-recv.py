#!/usr/bin/python3
"""Take a pidfd over a Unix socket, say whose it is, and kill that process once SOCKET.kill exists:
pidfd-recv.py SOCKET FILE"""
import array
import os
import re
import signal
import socket
import sys
import time

listener = socket.socket(socket.AF_UNIX)
# Who sees the socket may connect to it.
listener.bind(sys.argv[1] + ".new")
listener.listen()
os.rename(sys.argv[1] + ".new", sys.argv[1])
listener.settimeout(60)
conn, _ = listener.accept()
data, ancillary, _, _ = conn.recvmsg(64, socket.CMSG_SPACE(4))
fd = array.array("i", ancillary[0][2])[0]
pid = re.search(r"^Pid:\s*(\d+)", open(f"/proc/self/fdinfo/{fd}").read(), re.M).group(1)
with open(sys.argv[2] + ".new", "w") as out:
    print(data.decode(), pid, file=out)
os.rename(sys.argv[2] + ".new", sys.argv[2])
# Not before the runtime has told its caller that all went well.
for _ in range(3000):
    if os.path.exists(sys.argv[1] + ".kill"):
        break
    time.sleep(0.02)
signal.pidfd_send_signal(fd, signal.SIGKILL)
