#!/usr/bin/python3
"""sd_notify(3) without libsystemd: notify-send.py SOCKET TEXT... (one datagram each, \\n as written)"""
import socket
import sys

sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
sock.connect(sys.argv[1])
for text in sys.argv[2:]:
    sock.send(text.replace("\\n", "\n").encode())
