"""A registry that lies, stalls and leads astray, for the tests of the client: hostile.py DIR [CERT KEY]

Listens on three loopback ports, written into DIR/ports as "A B C": A is the registry, B another origin
that a client may be led to, C is A behind TLS (0 without CERT). Every request is a line in DIR/log:
"A GET /path auth=yes range=..." with auth=no when there was no Authorization header.

The first part of the repository's name chooses the behaviour ("short/x"): a method of Handler whose
name is do_ followed by it, with "-" as "_". It gets what is asked for: blob, manifest, tags, upload.
What no behaviour changes is answered truthfully. All repositories hold one blob, DIR/blob, and one
manifest, DIR/manifest."""
import base64
import email.utils
import hashlib
import http.server
import json
import os
import random
import re
import socket
import ssl
import struct
import sys
import threading
import time

folder = sys.argv[1]
blob = random.Random(4).randbytes(300_000)
blob_digest = "sha256:" + hashlib.sha256(blob).hexdigest()
manifest = json.dumps({
    "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
    "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": blob_digest, "size": len(blob)},
    "layers": []}).encode()
manifest_digest = "sha256:" + hashlib.sha256(manifest).hexdigest()
manifest_type = "application/vnd.oci.image.manifest.v1+json"
BASIC = "Basic " + base64.b64encode(b"amt:geheim").decode()
lock = threading.Lock()
counts = {}
uploads = {}
ports = {}


def count(key):
    """How often this was called before."""
    with lock:
        counts[key] = counts.get(key, 0) + 1
        return counts[key] - 1


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60

    def log_message(self, *args):
        pass

    # ---- answers ----

    def say(self, status, body=b"", headers=()):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        if not any(n in ("Content-Length", "Transfer-Encoding") for n, _ in headers):
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def fail(self, status, code="DENIED", message="no", headers=()):
        body = json.dumps({"errors": [{"code": code, "message": message}]}).encode()
        self.say(status, body, list(headers) + [("Content-Type", "application/json")])

    def drop(self):
        """A reset in the middle."""
        self.wfile.flush()
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True

    def here(self, path, server=None):
        scheme = "https" if (server or self.server.name) == "C" else "http"
        return "%s://127.0.0.1:%d%s" % (scheme, ports[server or self.server.name], path)

    def redirect(self, url, status=307):
        self.say(status, headers=[("Location", url)])

    def auth(self):
        return self.headers.get("Authorization", "")

    def start(self):
        m = re.match(r"bytes=(\d+)-$", self.headers.get("Range", ""))
        return int(m.group(1)) if m else 0

    def serve_blob(self, data=blob, limit=None):
        """The blob from where it was asked for; at most `limit` bytes, then the connection is cut."""
        start = self.start()
        headers = [("Content-Type", "application/octet-stream"), ("Content-Length", str(len(data) - start))]
        if start:
            headers.append(("Content-Range", "bytes %d-%d/%d" % (start, len(data) - 1, len(data))))
        self.send_response(206 if start else 200)
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        part = data[start:] if limit is None else data[start:start + limit]
        self.wfile.write(part)
        if limit is not None and start + limit < len(data):
            self.close_connection = True

    def serve_manifest(self, digest=manifest_digest, body=manifest, headers=()):
        own = [("Content-Type", manifest_type)]
        if digest:
            own.append(("Docker-Content-Digest", digest))
        self.say(200, body, own + list(headers))

    # ---- dispatch ----

    def handle_any(self):
        with lock, open(os.path.join(folder, "log"), "a") as f:
            f.write("%s %s %s auth=%s range=%s\n" % (
                self.server.name, self.command, self.path, self.auth().split(" ")[0] or "no",
                self.headers.get("Range", "-")))
        path, _, self.query = self.path.partition("?")
        if path == "/v2/":
            return self.say(200, b"{}")
        if path.startswith("/token"):
            return self.token(path[len("/token"):])
        m = re.match(r"/v2/([^/]+)/([^/]+)/(manifests|blobs/uploads|blobs|tags)/(.*)$", path)
        if not m:
            return self.fail(404, "NAME_UNKNOWN", "no such path")
        self.repository = m.group(1) + "/" + m.group(2)
        self.kind = {"blobs/uploads": "upload"}.get(m.group(3), m.group(3).rstrip("s"))
        self.rest = m.group(4)
        behaviour = getattr(self, "do_" + m.group(1).replace("-", "_"), None)
        if behaviour is None or behaviour() is False:
            self.honest()

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = lambda self: self.handle_any()

    def honest(self):
        if self.kind == "blob":
            if self.rest != blob_digest:
                return self.fail(404, "BLOB_UNKNOWN", "blob unknown to registry")
            return self.serve_blob()
        if self.kind == "manifest":
            if self.command == "PUT":
                body = self.body()
                return self.say(201, headers=[("Docker-Content-Digest", "sha256:" + hashlib.sha256(body).hexdigest())])
            return self.serve_manifest()
        if self.kind == "tag":
            return self.say(200, json.dumps({"name": self.repository, "tags": ["1", "2"]}).encode())
        return self.upload()

    def body(self):
        return self.rfile.read(int(self.headers.get("Content-Length", "0")))

    # ---- uploads: location() is what behaviours change ----

    def location(self, session):
        return "/v2/%s/blobs/uploads/%s?_state=secret" % (self.repository, session)

    def upload(self):
        if self.command == "POST":
            session = "s%d" % count("session")
            uploads[session] = b""
            return self.say(202, headers=[("Location", self.location(session)), ("Range", "0-0")])
        session = self.rest
        if session not in uploads:
            self.body()
            return self.fail(404, "BLOB_UPLOAD_UNKNOWN", "no such upload")
        if self.command == "GET":
            return self.say(204, headers=[("Location", self.location(session)),
                                          ("Range", "0-%d" % max(0, len(uploads[session]) - 1))])
        uploads[session] += self.body()
        if self.command == "PATCH":
            return self.say(202, headers=[("Location", self.location(session)),
                                          ("Range", "0-%d" % (len(uploads[session]) - 1))])
        digest = "sha256:" + hashlib.sha256(uploads[session]).hexdigest()
        if "digest=" + digest not in self.query:
            return self.fail(400, "DIGEST_INVALID", "provided digest did not match uploaded content")
        self.say(201, headers=[("Docker-Content-Digest", digest), ("Location", "/v2/x")])

    # ---- authentication ----

    def demand(self, realm, scope="repository:x:pull", error=None):
        value = 'Bearer realm="%s",service="hostile",scope="%s"' % (realm, scope)
        if error:
            value += ',error="%s"' % error
        self.fail(401, "UNAUTHORIZED", "authentication required", [("WWW-Authenticate", value)])

    def token(self, how):
        """/token/HOW"""
        tokens = {"/plain": "good", "/injected": "good\r\nX-Evil: 1", "/empty": "", "/spaces": "a b"}
        if how == "/redirect":
            return self.redirect(self.here("/token/plain", "B"))
        if how == "/garbage":
            return self.say(200, b"<html>")
        if how == "/endless":
            return self.endless(200)
        if how == "/scope":
            wide = "push" in self.query
            return self.say(200, json.dumps({"token": "wide" if wide else "narrow"}).encode())
        if how == "/once":
            return self.say(200, json.dumps({"token": "once%d" % count("once")}).encode())
        if how == "/strange-expiry":
            return self.say(200, b'{"token": "good", "expires_in": -5}')
        self.say(200, json.dumps({"token": tokens.get(how, "good")}).encode())

    def with_token(self, realm, good=("Bearer good",)):
        if self.auth() in good:
            return False
        self.demand(realm)

    def do_basic(self):
        if self.auth() == BASIC:
            return False
        self.fail(401, "UNAUTHORIZED", "authentication required", [("WWW-Authenticate", 'Basic realm="x"')])

    def do_realm_plain(self):
        return self.with_token(self.here("/token/plain"))

    def do_realm_other(self):
        return self.with_token(self.here("/token/plain", "B"))

    def do_realm_redirect(self):
        return self.with_token(self.here("/token/redirect"))

    def do_realm_link_local(self):
        return self.with_token("http://169.254.169.254/token")

    def do_realm_file(self):
        return self.with_token("file:///etc/passwd")

    def do_realm_http(self):
        return self.with_token(self.here("/token/plain", "A"))

    def do_token_injected(self):
        return self.with_token(self.here("/token/injected"))

    def do_token_empty(self):
        return self.with_token(self.here("/token/empty"))

    def do_token_spaces(self):
        return self.with_token(self.here("/token/spaces"))

    def do_token_garbage(self):
        return self.with_token(self.here("/token/garbage"))

    def do_token_endless(self):
        return self.with_token(self.here("/token/endless"))

    def do_token_strange_expiry(self):
        return self.with_token(self.here("/token/strange-expiry"))

    def do_token_once(self):
        """Each token is good for one request, as if it had expired at the next."""
        if self.auth().startswith("Bearer once") and count(self.auth()) == 0:
            n = int((re.search(r"page=(\d)", self.query) or [0, 0])[1])
            return self.page(["t%d" % n], "/v2/token-once/x/tags/list?page=%d" % (n + 1) if n < 2 else None)
        self.demand(self.here("/token/once"))

    def do_token_refused(self):
        self.demand(self.here("/token/plain"))

    def do_wider_scope(self):
        if self.auth() == "Bearer wide":
            return False
        if self.auth() == "Bearer narrow":
            return self.demand(self.here("/token/scope"), "repository:x:pull,push", "insufficient_scope")
        self.demand(self.here("/token/scope"))

    def do_challenge_garbage(self):
        self.fail(401, headers=[("WWW-Authenticate", 'Bearer realm="unclosed')])

    def do_challenge_none(self):
        self.fail(401)

    def do_challenge_unknown(self):
        self.fail(401, headers=[("WWW-Authenticate", "Negotiate abcd==")])

    def do_forbidden(self):
        self.fail(403, "DENIED", "requested access is \x1b[31mdenied\x07")

    # ---- redirects: the client has credentials, so that what it must not send is there to be seen ----

    def led(self, url):
        """First authenticate, then be led away."""
        if self.server.name == "B" or self.headers.get("X-Seen"):
            return False
        if self.auth() != BASIC:
            return self.do_basic()
        self.redirect(url)

    def do_redirect_other(self):
        return self.led(self.here(self.path, "B"))

    def do_redirect_back(self):
        if self.server.name == "B":
            return self.redirect(self.here("/v2/redirect-end/x/blobs/" + self.rest, "A"))
        return self.led(self.here(self.path, "B"))

    def do_redirect_loop(self):
        self.redirect(self.here(self.path + ("?x" if "?" not in self.path else "x")))

    def do_redirect_link_local(self):
        return self.led("http://169.254.169.254/latest/meta-data/")

    def do_redirect_mapped(self):
        return self.led("http://[::ffff:169.254.169.254]/latest/")

    def do_redirect_file(self):
        return self.led("file:///etc/passwd")

    def do_redirect_user(self):
        return self.led("http://amt:geheim@127.0.0.1:%d/" % ports["B"])

    def do_redirect_http(self):
        return self.led(self.here(self.path, "A"))

    def do_redirect_401(self):
        if self.server.name == "B":
            return self.fail(401, headers=[("WWW-Authenticate", 'Basic realm="give me"')])
        return self.led(self.here(self.path, "B"))

    def do_redirect_put(self):
        if self.kind == "blob":
            return self.fail(404)
        if self.command != "PUT":
            return False
        self.body()
        self.redirect(self.here(self.path, "B"), 302)

    # ---- blobs ----

    def do_cut(self):
        """100,000 bytes in each connection."""
        if self.kind != "blob":
            return False
        self.serve_blob(limit=100_000)

    def do_cut_forever(self):
        self.serve_blob(limit=1000 if self.start() == 0 else 0)

    def do_reset_once(self):
        if count(self.path) == 0:
            return self.drop()
        return False

    def do_silent(self):
        self.close_connection = True

    def do_long(self):
        self.say(200, blob + b"x")

    def chunked(self, data):
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.write(b"%x\r\n%s\r\n0\r\n\r\n" % (len(data), data))

    def do_long_chunked(self):
        self.chunked(blob + b"x")

    def do_short_chunked(self):
        self.chunked(blob[:1000])

    def do_short_length(self):
        self.say(200, blob[:1000])

    def do_wrong(self):
        self.serve_blob(b"x" + blob[1:])

    def do_gzip(self):
        if self.kind == "manifest":
            return self.serve_manifest(headers=[("Content-Encoding", "gzip")])
        self.say(200, blob, [("Content-Encoding", "gzip")])

    def do_range_ignored(self):
        if self.start():
            del self.headers["Range"]
            return False
        self.serve_blob(limit=100_000)

    def do_range_ignored_always(self):
        del self.headers["Range"]
        return False

    def ranged(self, content_range):
        start = self.start()
        if not start:
            return self.serve_blob(limit=100_000)
        self.say(206, blob[start:], [("Content-Range", content_range.replace("%d", str(start)))] if content_range else [])

    def do_range_start(self):
        self.ranged("bytes 0-299999/300000")

    def do_range_none(self):
        self.ranged(None)

    def do_range_size(self):
        self.ranged("bytes %d-299999/300001")

    def do_range_garbage(self):
        self.ranged("bytes %d-x/*")

    def do_range_416(self):
        if self.start():
            return self.fail(416, "RANGE_INVALID", "no")
        self.serve_blob(limit=100_000)

    def do_partial_first(self):
        self.say(206, blob[1:], [("Content-Range", "bytes 1-299999/300000")])

    def do_no_content(self):
        self.say(204)

    def do_stall(self):
        self.send_response(200)
        self.send_header("Content-Length", str(len(blob)))
        self.end_headers()
        self.wfile.write(blob[:1000])
        time.sleep(20)

    def do_drip(self):
        self.send_response(200)
        self.send_header("Content-Length", str(len(blob)))
        self.end_headers()
        for i in range(200):
            self.wfile.write(blob[i:i + 1])
            time.sleep(0.1)

    # ---- patience ----

    def do_429_seconds(self):
        if count(self.path) == 0:
            return self.fail(429, "TOOMANYREQUESTS", "slow down", [("Retry-After", "1")])
        return False

    def do_429_date(self):
        if count(self.path) == 0:
            when = email.utils.formatdate(time.time() + 2, usegmt=True)
            return self.fail(429, "TOOMANYREQUESTS", "slow down", [("Retry-After", when)])
        return False

    def do_429_absurd(self):
        self.fail(429, "TOOMANYREQUESTS", "pull rate limit", [("Retry-After", "86400")])

    def do_429_garbage(self):
        if count(self.path) == 0:
            return self.fail(429, headers=[("Retry-After", "-soon-")])
        return False

    def do_429_forever(self):
        self.fail(429, "TOOMANYREQUESTS", "slow down")

    def do_flapping(self):
        if count(self.path) < 2:
            return self.fail((503, 500)[counts[self.path] - 1], "UNAVAILABLE", "later")
        return False

    # ---- answers that are none ----

    def do_garbage(self):
        self.wfile.write(b"hello\r\n\r\n")
        self.close_connection = True

    def do_headers_long(self):
        self.send_response(200)
        for i in range(20):
            self.send_header("X-%d" % i, "x" * 8000)
        self.end_headers()
        self.close_connection = True

    def do_headers_many(self):
        self.send_response(200)
        for i in range(500):
            self.send_header("X-%d" % i, "x")
        self.end_headers()
        self.close_connection = True

    def endless(self, status):
        self.send_response(status)
        self.send_header("Content-Type", manifest_type)
        self.send_header("Connection", "close")
        self.end_headers()
        try:
            for _ in range(100_000):
                self.wfile.write(b" " * 65536)
        except OSError:
            pass
        self.close_connection = True

    def do_html(self):
        self.say(500, b"<html>\n<h1>broken \x1b[31m</h1>", [("Content-Type", "text/html")])

    def do_endless_error(self):
        self.endless(404)

    # ---- manifests ----

    def do_digest_lie(self):
        self.serve_manifest("sha256:" + "0" * 64)

    def do_digest_malformed(self):
        self.serve_manifest("sha256:../../../../etc/passwd")

    def do_digest_none(self):
        self.serve_manifest(None)

    def do_digest_sha512(self):
        self.serve_manifest("sha512:" + hashlib.sha512(manifest).hexdigest())

    def do_manifest_wrong(self):
        self.serve_manifest(body=manifest + b" ")

    def do_manifest_endless(self):
        self.endless(200)

    def do_type_none(self):
        self.say(200, manifest)

    # ---- tags ----

    def page(self, tags, link):
        self.say(200, json.dumps({"tags": tags}).encode(), [("Link", '<%s>; rel="next"' % link)] if link else [])

    def do_pages(self):
        n = int((re.search(r"page=(\d)", self.query) or [0, 0])[1])
        self.page(["t%d" % n], "/v2/pages/x/tags/list?page=%d" % (n + 1) if n < 2 else None)

    def do_link_loop(self):
        self.page(["a"], self.path)

    def do_link_other(self):
        if self.server.name == "B":
            return self.page(["b"], None)
        if self.auth() != BASIC:
            return self.do_basic()
        self.page(["a"], self.here(self.path, "B"))

    def do_link_link_local(self):
        self.page(["a"], "http://169.254.169.254/tags")

    def do_link_endless(self):
        self.page([], "/v2/link-endless/x/tags/list?page=%d" % count("link"))

    def do_tag_bad(self):
        self.page(["../../x"], None)

    def do_tags_null(self):
        self.page(None, None)

    # ---- uploads ----

    def new_session(self, location):
        if self.kind == "blob":
            self.fail(404)
        elif self.command == "POST":
            session = "s%d" % count("session")
            uploads[session] = b""
            self.say(202, headers=[("Location", location % session)] if location else [])
        else:
            return False

    def do_location_relative(self):
        return self.new_session("/v2/location-relative/x/blobs/uploads/%s")

    def do_location_absolute(self):
        return self.new_session(self.here("/v2/location-absolute/x/blobs/uploads/%s?a=b"))

    def do_location_other(self):
        if self.server.name == "A" and self.auth() != BASIC:
            return self.do_basic()
        return self.new_session(self.here("/v2/location-other/x/blobs/uploads/%s", "B"))

    def do_location_link_local(self):
        return self.new_session("http://169.254.169.254/%s")

    def do_location_http(self):
        return self.new_session(self.here("/v2/location-http/x/blobs/uploads/%s", "A"))

    def do_location_none(self):
        return self.new_session(None)

    def do_upload(self):
        if self.kind == "blob":
            return self.fail(404)
        return False

    def do_put_503_once(self):
        if self.kind == "blob":
            return self.fail(404)
        if self.command == "PUT" and count(self.path.partition("/uploads")[0]) == 0:
            self.body()
            return self.fail(503)
        return False

    def do_put_refused(self):
        if self.kind == "blob":
            return self.fail(404)
        if self.command != "PUT":
            return False
        self.fail(400, "SIZE_INVALID", "too big for us")  # without reading the body
        self.close_connection = True

    def do_put_lie(self):
        if self.kind == "manifest":
            self.body()
            return self.say(201, headers=[("Docker-Content-Digest", "sha256:" + "0" * 64)])
        if self.kind == "blob":
            return self.fail(404)
        if self.command != "PUT":
            return False
        self.body()
        self.say(201, headers=[("Docker-Content-Digest", "sha256:" + "0" * 64)])

    def do_patch_416(self):
        """The second chunk arrives only by half, and the registry says so."""
        if self.kind == "blob":
            return self.fail(404)
        if self.command == "PATCH" and count("patch " + self.rest) == 1:
            uploads[self.rest] += self.body()[:1234]
            return self.fail(416, "RANGE_INVALID", "out of order")
        return False

    def do_patch_cut(self):
        if self.kind == "blob":
            return self.fail(404)
        if self.command == "PATCH" and count("cut " + self.rest) == 1:
            uploads[self.rest] += self.body()[:999]
            return self.drop()
        return False


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request, address):
        pass

    def finish_request(self, request, address):
        # A TLS hello has no line end to wait for.
        if self.name != "C" and request.recv(1, socket.MSG_PEEK) == b"\x16":
            return
        super().finish_request(request, address)


def serve(name, context=None):
    server = Server(("127.0.0.1", 0), Handler)
    server.name = name
    ports[name] = server.server_address[1]
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=server.serve_forever, daemon=True).start()


serve("A")
serve("B")
ports["C"] = 0
if len(sys.argv) > 3:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(sys.argv[2], sys.argv[3])
    serve("C", tls)
for name, data in (("blob", blob), ("manifest", manifest), ("ports.new", b"%d %d %d\n" % tuple(ports[n] for n in "ABC"))):
    with open(os.path.join(folder, name), "wb") as f:
        f.write(data)
os.rename(os.path.join(folder, "ports.new"), os.path.join(folder, "ports"))
threading.Event().wait()
