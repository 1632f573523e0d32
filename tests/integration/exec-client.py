#!/usr/bin/env python3
# tests/integration/exec-client.py: run a command over an agent's WebSocket, as kubectl does: our stdin, stdout, stderr
# are its channels; we end with its exit code, 125 for any other failure.
#   exec-client.py [--protocol P] [--size WxH] [--hang-up TEXT] [--slow SECONDS] unix:PATH|HOST:PORT /exec/... [CA CERT KEY]
import argparse, base64, json, os, select, socket, ssl, struct, sys, threading, time


def connect(where, tls):
    if where.startswith("unix:"):
        s = socket.socket(socket.AF_UNIX)
        s.connect(where[5:])
        return s
    host, port = where.rsplit(":", 1)
    s = socket.create_connection((host, int(port)))
    context = ssl.create_default_context(cafile=tls[0])
    if len(tls) == 3:
        context.load_cert_chain(tls[1], tls[2])
    return context.wrap_socket(s, server_hostname=host)


def read_exactly(s, n):
    data = b""
    while len(data) < n:
        piece = s.recv(n - len(data))
        if not piece:
            raise EOFError
        data += piece
    return data


def read_message(s):
    message = b""
    while True:
        head = read_exactly(s, 2)
        length = head[1] & 127
        if length == 126:
            length = struct.unpack(">H", read_exactly(s, 2))[0]
        elif length == 127:
            length = struct.unpack(">Q", read_exactly(s, 8))[0]
        message += read_exactly(s, length)
        if head[0] & 0x80:
            return head[0] & 15, message


lock = threading.Lock()


def send(s, payload, opcode=2):
    mask = os.urandom(4)
    head = bytes([0x80 | opcode])
    if len(payload) < 126:
        head += bytes([0x80 | len(payload)])
    elif len(payload) < 65536:
        head += bytes([0x80 | 126]) + struct.pack(">H", len(payload))
    else:
        head += bytes([0x80 | 127]) + struct.pack(">Q", len(payload))
    key = (mask * (len(payload) // 4 + 1))[: len(payload)]
    body = (int.from_bytes(payload, "big") ^ int.from_bytes(key, "big")).to_bytes(len(payload), "big")
    with lock:
        s.sendall(head + mask + body)


def pump(s):
    while True:
        data = os.read(0, 32768)
        if not data:
            send(s, b"\xff\x00")
            return
        send(s, b"\x00" + data)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--protocol", default="v5.channel.k8s.io")
    p.add_argument("--size")
    p.add_argument("--hang-up")
    p.add_argument("--slow", type=float, default=0)
    p.add_argument("--stdin", action="store_true")
    p.add_argument("where")
    p.add_argument("path")
    p.add_argument("tls", nargs="*")
    a = p.parse_args()
    s = connect(a.where, a.tls)
    s.sendall(
        (
            f"GET {a.path} HTTP/1.1\r\nHost: agent\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}\r\nSec-WebSocket-Version: 13\r\n"
            f"Sec-WebSocket-Protocol: {a.protocol}\r\n\r\n"
        ).encode()
    )
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += read_exactly(s, 1)
    status = int(head.split()[1])
    if status != 101:
        sys.stderr.write(f"{status} ")
        sys.stderr.write(s.recv(65536).decode())
        return 125
    if a.size:
        width, height = a.size.split("x")
        send(s, b"\x04" + json.dumps({"Width": int(width), "Height": int(height)}).encode())
    if a.stdin:
        threading.Thread(target=pump, args=(s,), daemon=True).start()
    time.sleep(a.slow)
    seen = b""
    while True:
        opcode, message = read_message(s)
        if opcode == 8:
            sys.stderr.write("closed without a Status\n")
            return 125
        if opcode != 2 or not message:
            continue
        channel, data = message[0], message[1:]
        if channel in (1, 2):
            out = sys.stdout.buffer if channel == 1 else sys.stderr.buffer
            out.write(data)
            out.flush()
            seen += data
            if a.hang_up and a.hang_up.encode() in seen:
                s.close()
                return 0
        elif channel == 3:
            result = json.loads(data)
            if result["status"] == "Success":
                return 0
            if result.get("reason") != "NonZeroExitCode":
                sys.stderr.write(result["message"] + "\n")
                return 125
            return int(result["details"]["causes"][0]["message"])


try:
    sys.exit(main())
except (EOFError, ConnectionError):
    sys.stderr.write("cut off\n")
    os._exit(124)
