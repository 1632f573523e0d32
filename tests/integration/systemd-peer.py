#!/usr/bin/env python3
"""One end of the socket between stube-runtime and stube-systemd.

systemd-peer.py ask PROGRAM WORD...   be the runtime: start the helper, send a request, print "STATUS CODE TEXT" of the reply
    WORDs: start|stop|update|attach  name=N  user  invocation=HEX  cut=BYTES  byte=AT:VALUE  empty  close  kill
systemd-peer.py serve WORD            be the helper: silence|die|garbage|version|long|nul
"""
import os, signal, socket, struct, subprocess, sys

OPS = {"start": 1, "stop": 2, "update": 3, "attach": 4}


def text(value):
    value = value.encode()
    return struct.pack("<H", len(value)) + value


def request(words):
    op, user, fields = 1, 0, {"name": "stube-peer.scope", "invocation": ""}
    for word in words:
        if word in OPS:
            op = OPS[word]
        elif word == "user":
            user = 1
        elif "=" in word:
            key, value = word.split("=", 1)
            fields[key] = value
    message = bytearray(struct.pack("<IHBBII", 0x51737453, 1, op, user, 10000, os.getpid()))
    message += text(fields["name"]) + text(fields["invocation"]) + text("") + struct.pack("<H", 0)
    if "byte" in fields:
        at, value = fields["byte"].split(":")
        message[int(at)] = int(value)
    if "cut" in fields:
        message = message[: int(fields["cut"])]
    return bytes(message)


def ask(program, words):
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    child = subprocess.Popen([program, str(theirs.fileno())], pass_fds=[theirs.fileno()])
    theirs.close()
    if "close" not in words:
        try:
            ours.send(b"" if "empty" in words else request(words))
            reply = ours.recv(1 << 16)
        except ConnectionResetError:
            reply = b""
        if reply:
            magic, version, code, length = struct.unpack_from("<IHIH", reply)
            print(code, reply[12 : 12 + length].decode())
        else:
            print("no reply")
    if "kill" in words:
        child.send_signal(signal.SIGKILL)
    ours.close()
    print("status", child.wait(timeout=60))


def serve(word):
    sock = socket.socket(fileno=3)
    sock.recv(1 << 16)
    if word == "silence":
        signal.pause()
    if word == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    reply = struct.pack("<IHI", 0x52737453, 1, 0) + text("") + text("0123456789abcdef0123456789abcdef")
    if word == "garbage":
        reply = b"\xff" * 100
    if word == "version":
        reply = struct.pack("<IH", 0x52737453, 7) + reply[6:]
    if word == "long":
        reply += b"x" * 60000
    if word == "nul":
        reply = struct.pack("<IHI", 0x52737453, 1, 5) + text("a\0b") + text("")
    sock.send(reply)
    sock.recv(1)


if sys.argv[1] == "ask":
    ask(sys.argv[2], sys.argv[3:])
else:
    serve(sys.argv[2])
