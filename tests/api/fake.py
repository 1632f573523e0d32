"""An API server and node agent that lies, stalls and breaks, for the tests of the API's client.

fake.py DIR [CA CERT KEY]

Listens on loopback ports, written into DIR/ports as "PLAIN TLS OTHER" (TLS asks for a client certificate; 0
without CERT), and on DIR/scheduler.sock and DIR/agent.sock. Every request is a line in DIR/log: "DOOR CN METHOD
PATH", with what matters of its headers and body. The first part of the path chooses the behaviour ("/cut/api/v1/...",
from a configuration's server "http://127.0.0.1:PORT/cut"): a method of Handler named do_ and it."""
import base64
import hashlib
import http.server
import json
import os
import socket
import socketserver
import ssl
import struct
import sys
import threading
import time
import urllib.parse

folder = sys.argv[1]
lock = threading.Lock()
counts = {}
ports = {}


def count(key):
    """How often this was called before."""
    with lock:
        counts[key] = counts.get(key, 0) + 1
        return counts[key] - 1


def namespace(name, version, uid=None, **more):
    return {"apiVersion": "v1", "kind": "Namespace",
            "metadata": {"name": name, "uid": uid or "uid-" + name, "resourceVersion": str(version), **more}}


def event(kind, item):
    return (json.dumps({"type": kind, "object": item}) + "\n").encode()


def failure(code, reason, message, **details):
    return {"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message, "reason": reason,
            "details": details, "code": code}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60
    door = "plain"

    def log_message(self, *args):
        pass

    def address_string(self):
        return "client"

    # ---- answers ----

    def say(self, status, body=b"", content_type="application/json", headers=()):
        if not isinstance(body, bytes):
            body = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def fail(self, code, reason, message, **details):
        self.say(code, failure(code, reason, message, **details))

    def stream(self, content_type="application/json"):
        self.send_response(200)
        self.send_header("Content-Type", content_type)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

    def chunk(self, data):
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.flush()

    def end(self):
        self.wfile.write(b"0\r\n\r\n")

    def cut(self):
        self.close_connection = True
        self.wfile.flush()
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def hold(self):
        """Silent until the client goes."""
        try:
            while self.connection.recv(4096):
                pass
        except OSError:
            pass
        self.close_connection = True

    # ---- requests ----

    def handle_any(self):
        length = int(self.headers.get("Content-Length") or 0)
        self.body = self.rfile.read(length) if length else b""
        url = urllib.parse.urlsplit(self.path)
        self.query = urllib.parse.parse_qs(url.query)
        name = ""
        if hasattr(self.connection, "getpeercert"):
            cert = self.connection.getpeercert() or {}
            name = dict(pair for part in cert.get("subject", ()) for pair in part).get("commonName", "")
        with lock, open(os.path.join(folder, "log"), "a", encoding="utf-8") as log:
            log.write(" ".join([self.door, name or "-", self.command, self.path, "agent=" + self.headers.get("User-Agent", ""),
                                "accept=" + self.headers.get("Accept", ""), "type=" + self.headers.get("Content-Type", ""),
                                "peer=%s" % id(self.connection), self.body.decode("utf-8", "replace")]) + "\n")
        parts = url.path.split("/")[1:]
        method = getattr(self, "do_" + parts[0].replace("-", "_"), None)
        if method is None:
            return self.do_truth(parts)
        return method(parts[1:])

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any

    # ---- truth ----

    def do_truth(self, parts):
        path = "/".join(parts)
        if path == "api/v1/namespaces" and self.command == "POST":
            return self.say(201, {**json.loads(self.body), **namespace(json.loads(self.body)["metadata"]["name"], 50)})
        if path == "api/v1/namespaces":
            return self.say(200, {"kind": "NamespaceList", "apiVersion": "v1", "metadata": {"resourceVersion": "10"},
                                  "items": [namespace("a", 1), namespace("b", 2)]})
        if path.startswith("api/v1/namespaces/") and len(parts) == 4:
            if parts[3] == "gone":
                return self.fail(404, "NotFound", 'namespaces "gone" not found', name="gone", kind="namespaces")
            if self.command == "DELETE":
                return self.say(200, {"kind": "Status", "apiVersion": "v1", "status": "Success"})
            return self.say(200, namespace(urllib.parse.unquote(parts[3]), 3, futureField=1))
        if parts[:3] == ["api", "v1", "nodes"]:
            return self.say(200, self.node(parts[3]))
        if len(parts) == 6 and parts[4] == "pods":
            return self.say(200, self.pod(parts[3], parts[5]))
        if parts[0] == "containerLogs":
            return self.logs(parts)
        if parts[0] == "exec":
            return self.exec(parts)
        if path == "metrics":
            return self.say(200, b"up 1\n", "text/plain")
        return self.fail(404, "NotFound", "no such path")

    def node(self, name):
        status = {"addresses": [{"type": "Hostname", "address": "nowhere.invalid"},
                                {"type": "InternalIP", "address": "127.0.0.1"}],
                  "daemonEndpoints": {"kubeletEndpoint": {"Port": ports["tls"]}}}
        if name == "silent":
            status = {}
        return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "uid": "n", "resourceVersion": "1"},
                "status": status}

    def pod(self, space, name):
        node = {"unbound": "", "silent": "silent"}.get(name, "node1")
        names = ["a", "b"] if name == "two" else ["main"]
        return {"apiVersion": "v1", "kind": "Pod",
                "metadata": {"name": name, "namespace": space, "uid": "p", "resourceVersion": "1"},
                "spec": {"nodeName": node, "containers": [{"name": n, "image": "x"} for n in names]}}

    # ---- wrong answers ----

    def do_text500(self, parts):
        self.say(500, b"<html>\x1b[31mOops</html>\n", "text/html")

    def do_forbidden(self, parts):
        self.fail(403, "Forbidden", "you may not")

    def do_conflict(self, parts):
        self.fail(409, "Conflict", "it has changed")

    def do_invalid(self, parts):
        self.fail(422, "Invalid", "spec.replicas: must not be negative")

    def do_elsewhere(self, parts):
        self.say(307, b"", headers=[("Location", "http://127.0.0.1:%d/stolen" % ports["other"])])

    def do_nojson(self, parts):
        self.say(200, b"{\"kind\": \"Namespace\",")

    def do_otherkind(self, parts):
        self.say(200, self.node("x"))

    def do_huge(self, parts):
        self.stream()
        try:
            for _ in range(8):
                self.chunk(b" " * (1 << 20))
            self.end()
        except OSError:
            self.close_connection = True

    def do_halfway(self, parts):
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        self.wfile.write(b"{\"kind\":")
        self.cut()

    # ---- lists ----

    def pages(self, total, padding):
        begin = int(self.query.get("continue", ["0"])[0])
        limit = int(self.query.get("limit", ["0"])[0]) or total
        items = [namespace("n%d" % i, i + 1, annotations={"note": "x" * padding}) for i in range(begin, min(total, begin + limit))]
        meta = {"resourceVersion": "99"}
        if begin + limit < total:
            meta["continue"] = str(begin + limit)
        try:
            self.say(200, {"kind": "NamespaceList", "apiVersion": "v1", "metadata": meta, "items": items})
        except OSError:
            self.close_connection = True

    def do_pages(self, parts):
        self.pages(1203, 10)

    def do_fat(self, parts):
        self.pages(120, 100_000)

    def do_notalist(self, parts):
        self.say(200, namespace("a", 1))

    # ---- watches ----

    def do_events(self, parts):
        self.stream()
        text = event("ADDED", namespace("a", 8)) + b"\r\n" + event("BOOKMARK", namespace("", 9)) + \
            event("WHATEVER", namespace("a", 9)) + event("MODIFIED", namespace("a", 10)) + event("DELETED", namespace("a", 11))
        for i in range(0, len(text), 7):
            self.chunk(text[i:i + 7])
        self.end()

    def do_expired(self, parts):
        self.stream()
        self.chunk(event("ADDED", namespace("a", 8)) + event("ERROR", failure(410, "Expired", "too old")))
        self.end()

    def do_torn(self, parts):
        self.stream()
        self.chunk(event("ADDED", namespace("a", 8)) + event("ADDED", namespace("b", 9))[:30])
        self.cut()

    def do_unended(self, parts):
        self.stream()
        self.chunk(event("ADDED", namespace("a", 8))[:-5])
        self.end()

    def do_garbage(self, parts):
        self.stream()
        self.chunk(b"{\"type\": 3}\n")
        self.end()

    def do_notjson(self, parts):
        self.stream()
        self.chunk(b"hello\n")
        self.end()

    def do_longline(self, parts):
        self.stream()
        try:
            for _ in range(300):
                self.chunk(b"x" * 65536)
        except OSError:
            pass
        self.close_connection = True

    def do_silent(self, parts):
        self.stream()
        self.chunk(event("ADDED", namespace("a", 8)))
        self.hold()

    def do_dribble(self, parts):
        self.stream()
        try:
            while True:
                self.chunk(b" ")
                time.sleep(0.1)
        except OSError:
            self.close_connection = True

    # ---- following ----

    def listed(self, version, *items):
        self.say(200, {"kind": "NamespaceList", "apiVersion": "v1", "metadata": {"resourceVersion": str(version)},
                       "items": list(items)})

    def do_story(self, parts):
        if "watch" not in self.query:
            if count("story lists") == 0:
                return self.listed(10, namespace("a", 1), namespace("b", 2))
            return self.listed(20, namespace("a", 11), namespace("c", 13, "another"), namespace("d", 14))
        chapter = count("story watches")
        self.stream()
        if chapter == 0:
            self.chunk(event("MODIFIED", namespace("a", 11)) + event("ADDED", namespace("x", 12))[:20])
            return self.cut()
        if chapter == 1:
            self.chunk(event("ADDED", namespace("a", 11)) + event("ADDED", namespace("c", 12)) +
                       event("ERROR", failure(410, "Expired", "too old")))
        elif chapter == 2:
            self.chunk(event("BOOKMARK", namespace("", 25)) + event("DELETED", namespace("never", 25)))
        else:
            self.chunk(event("MODIFIED", namespace("e", 26)) + event("DELETED", namespace("a", 27)))
        return self.end()

    def do_troubled(self, parts):
        if "watch" not in self.query:
            if count("troubled") < 2:
                return self.fail(500, "InternalError", "disk on fire")
            return self.listed(10)
        if count("troubled watches") < 1:
            return self.fail(503, "ServiceUnavailable", "starting")
        self.stream()
        self.chunk(event("ADDED", namespace("a", 11)))
        return self.end()

    def do_hurried(self, parts):
        if "watch" not in self.query:
            return self.listed(10)
        self.stream()
        return self.end()

    # ---- an agent ----

    def logs(self, parts):
        if parts[2] == "gone":
            return self.fail(404, "NotFound", "no such Pod here")
        self.stream("text/plain")
        for _ in range(3):
            self.chunk(b"line of " + "/".join(parts[1:]).encode() + b"\n")
        return self.end()

    def frame(self, opcode, data, fin=True, mask=False):
        head = bytes([(0x80 if fin else 0) | opcode])
        bit = 0x80 if mask else 0
        if len(data) < 126:
            head += bytes([bit | len(data)])
        elif len(data) < 65536:
            head += bytes([bit | 126]) + struct.pack(">H", len(data))
        else:
            head += bytes([bit | 127]) + struct.pack(">Q", len(data))
        self.wfile.write(head + (b"\0\0\0\0" if mask else b"") + data)
        self.wfile.flush()

    def take(self):
        """The next message of the client: opcode, bytes."""
        first, second = self.rfile.read(2)
        length = second & 127
        if length == 126:
            length, = struct.unpack(">H", self.rfile.read(2))
        elif length == 127:
            length, = struct.unpack(">Q", self.rfile.read(8))
        if not second & 128:
            raise ValueError("a client's frame without a mask")
        mask = self.rfile.read(4)
        data = self.rfile.read(length)
        key = int.from_bytes((mask * (length // 4 + 1))[:length], "big")
        return first & 15, (int.from_bytes(data, "big") ^ key).to_bytes(length, "big")

    def status(self, document):
        self.frame(2, b"\3" + json.dumps(document).encode())

    def exec(self, parts):
        pod = parts[2]
        if pod == "gone":
            return self.fail(404, "NotFound", "no such Pod here")
        accept = base64.b64encode(hashlib.sha1(
            (self.headers["Sec-WebSocket-Key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()).decode()
        self.close_connection = True
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "keep-alive, Upgrade")
        self.send_header("Sec-WebSocket-Accept", "x" * 28 if pod == "impostor" else accept)
        self.send_header("Sec-WebSocket-Protocol", "v1" if pod == "oldest" else self.headers["Sec-WebSocket-Protocol"])
        self.end_headers()
        return getattr(self, "exec_" + pod)()

    def exec_echo(self):
        while True:
            opcode, data = self.take()
            if opcode == 2 and data[:1] == b"\0":
                self.frame(2, b"\1" + data[1:])
            elif opcode == 2 and data == b"\xff\0":
                break
            elif opcode == 8:
                return
        self.status({"kind": "Status", "status": "Success"})
        self.take()

    def exec_three(self):
        self.frame(2, b"\1out\n")
        self.frame(2, b"\2wrong\n")
        self.status({**failure(500, "NonZeroExitCode", "command failed"), "details": {"causes": [
            {"reason": "ExitCode", "message": "3"}]}})
        self.take()

    def exec_pieces(self):
        self.frame(2, b"\1one ", fin=False)
        self.frame(9, b"ping")
        self.frame(0, b"two ", fin=False)
        self.frame(0, b"three\n")
        if self.take() != (10, b"ping"):
            raise ValueError("no pong")
        self.frame(2, b"\1" + b"x" * 300_000)
        self.frame(2, b"\1")
        self.frame(2, b"")
        self.frame(2, b"\x09unknown channel")
        self.status({"kind": "Status", "status": "Success"})
        self.take()

    def exec_notfound(self):
        self.status(failure(400, "BadRequest", "exec: 'x': no such file or directory"))
        self.take()

    def exec_closed(self):
        self.frame(2, b"\1begin\n")
        self.frame(8, b"\x03\xe8")
        self.take()

    def exec_torn(self):
        self.frame(2, b"\1begin\n")

    def exec_masked(self):
        self.frame(2, b"\1begin\n", mask=True)

    def exec_toolong(self):
        self.wfile.write(bytes([0x82, 127]) + struct.pack(">Q", 1 << 40))
        self.wfile.flush()
        self.hold()

    def exec_endless(self):
        try:
            while True:
                self.frame(2, b"\1" + b"y\n" * 8192)
        except OSError:
            pass

    def exec_sizes(self):
        """Tells the sizes of the terminal that come, until "end" is typed."""
        while True:
            _, data = self.take()
            if data[:1] == b"\4":
                self.frame(2, b"\1size " + data[1:] + b"\r\n")
            elif data[:1] == b"\0":
                self.frame(2, b"\1typed " + repr(data[1:]).encode() + b"\r\n")
                if b"q" in data:
                    break
        self.status({"kind": "Status", "status": "Success"})
        self.take()


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, door, context=None):
        super().__init__(("127.0.0.1", 0), type("H", (Handler,), {"door": door}))
        self.context = context

    def finish_request(self, request, client_address):
        if self.context:
            request.settimeout(20)
            request = self.context.wrap_socket(request, server_side=True, do_handshake_on_connect=False)
            try:
                request.do_handshake()
            except ssl.SSLError:
                # The alert arrives only when what the client has sent meanwhile does not reset the connection.
                request.shutdown(socket.SHUT_WR)
                while request.recv(4096):
                    pass
                raise
        super().finish_request(request, client_address)

    def handle_error(self, request, client_address):
        error = sys.exc_info()[1]
        with lock, open(os.path.join(folder, "errors"), "a", encoding="utf-8") as log:
            log.write("%s\n" % error)


class UnixServer(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True

    def __init__(self, name):
        super().__init__(os.path.join(folder, name), type("H", (Handler,), {"door": name}))


def main():
    context = None
    if len(sys.argv) > 2:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=sys.argv[2])
        context.load_cert_chain(sys.argv[3], sys.argv[4])
        context.verify_mode = ssl.CERT_REQUIRED
    servers = {"plain": Server("plain"), "tls": Server("tls", context), "other": Server("other")}
    for name, server in servers.items():
        ports[name] = server.server_address[1]
    everything = list(servers.values()) + [UnixServer("scheduler.sock"), UnixServer("agent.sock")]
    for server in everything[1:]:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    with open(os.path.join(folder, "ports.new"), "w", encoding="ascii") as f:
        f.write("%d %d %d\n" % (ports["plain"], ports["tls"], ports["other"]))
    os.rename(os.path.join(folder, "ports.new"), os.path.join(folder, "ports"))
    everything[0].serve_forever()


main()
