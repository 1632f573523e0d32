"""A client of a monitor's socket that says exactly what it is told: for tests of the protocol.
monitor-client.py SOCKET WORD... with WORD: hello, wait, attach, history, raw:HEX, signal:N, resize:R:C, input:TEXT,
flood:N (N bytes of input), reopen, start, recv (print one message), drain (print all until the end), sleep:S"""
import socket
import struct
import sys
import time

KIND = dict(hello=1, attach=2, start=3, input=4, input_end=5, resize=6, signal=7, wait=8, resume=9, reopen=10)
NAME = {64: "ok", 65: "error", 66: "out", 67: "err", 68: "behind", 69: "room", 70: "created", 71: "exited"}

s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
s.settimeout(10)
s.connect(sys.argv[1])


def send(kind, value=0, a=0, b=0, data=b""):
    try:
        s.send(struct.pack("=IiQQ", KIND[kind], value, a, b) + data)
    except OSError as e:
        print("send:", e.strerror)


def recv():
    try:
        m = s.recv(65536)
    except OSError as e:
        print("recv:", e.strerror)
        return False
    if not m:
        print("closed")
        return False
    kind, value, a, b = struct.unpack("=IiQQ", m[:24])
    print(f"{NAME.get(kind, kind)} {value} {m[24:].decode(errors='replace').strip()}".strip(), flush=True)
    return True


for word in sys.argv[2:]:
    op, _, rest = word.partition(":")
    if op == "hello":
        send("hello", int(rest or 1))
    elif op == "attach":
        send("attach", int(rest or 1))
    elif op == "history":
        send("attach", 5)
    elif op in ("wait", "start", "reopen"):
        send(op)
    elif op == "signal":
        send("signal", int(rest))
    elif op == "resize":
        rows, columns = rest.split(":")
        send("resize", 0, int(rows), int(columns))
    elif op == "input":
        send("input", data=rest.encode())
    elif op == "flood":
        for _ in range(int(rest) // 16384):
            send("input", data=b"x" * 16384)
    elif op == "raw":
        s.send(bytes.fromhex(rest))
    elif op == "recv":
        recv()
    elif op == "drain":
        while recv():
            pass
    elif op == "sleep":
        time.sleep(float(rest))
