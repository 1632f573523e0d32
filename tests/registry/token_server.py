"""Token server of the tests: token_server.py DIR USER PASSWORD [CERT KEY]

Signs the tokens that docker-registry's `auth: token` expects (distribution "Token Authentication",
JWT with x5c) with DIR/key.pem and DIR/cert.pem; writes its port into DIR/port and one line a request
into DIR/requests (user, scopes, what was granted). USER may do everything; an anonymous client may
pull below public/. DIR/expires, if there, holds the lifetime of tokens in seconds. POST is the OAuth2
form: grant_type=password, or refresh_token with the token "identity-of-USER"."""
import base64
import http.server
import json
import os
import ssl
import subprocess
import sys
import time
import urllib.parse

folder, user, password = sys.argv[1:4]


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def certificate():
    with open(os.path.join(folder, "cert.pem")) as f:
        return "".join(line.strip() for line in f if "-----" not in line)


def lifetime():
    try:
        with open(os.path.join(folder, "expires")) as f:
            return int(f.read())
    except FileNotFoundError:
        return 300


def sign(access, subject):
    now = int(time.time())
    header = {"typ": "JWT", "alg": "RS256", "x5c": [certificate()]}
    claims = {
        "iss": "loopback-issuer", "sub": subject, "aud": "loopback-registry", "exp": now + lifetime(),
        "nbf": now - 10, "iat": now, "jti": os.urandom(8).hex(), "access": access,
    }
    text = b64(json.dumps(header).encode()) + "." + b64(json.dumps(claims).encode())
    signature = subprocess.run(
        ["openssl", "dgst", "-sha256", "-sign", os.path.join(folder, "key.pem")],
        input=text.encode(), stdout=subprocess.PIPE, check=True).stdout
    return text + "." + b64(signature)


def grant(scopes, subject):
    access = []
    for scope in " ".join(scopes).split():
        kind, name, actions = scope.split(":", 2)
        actions = actions.split(",")
        if subject != user:
            actions = [a for a in actions if a == "pull" and name.startswith("public/")]
        if actions:
            access.append({"type": kind, "name": name, "actions": actions})
    return access


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def reply(self, status, document):
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def give(self, scopes, subject, name):
        access = grant(scopes, subject)
        with open(os.path.join(folder, "requests"), "a") as f:
            f.write("%s user=%s scope=%s granted=%s\n" % (
                self.command, subject or "-", " ".join(scopes),
                ",".join(a["name"] + ":" + "+".join(a["actions"]) for a in access)))
        self.reply(200, {name: sign(access, subject), "expires_in": lifetime()})

    def denied(self):
        self.reply(401, {"errors": [{"code": "UNAUTHORIZED", "message": "wrong name or password"}]})

    def do_GET(self):
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)
        subject = ""
        given = self.headers.get("Authorization", "")
        if given:
            wanted = "Basic " + base64.b64encode((user + ":" + password).encode()).decode()
            if given != wanted:
                return self.denied()
            subject = user
        self.give(query.get("scope", []), subject, "token")

    def do_POST(self):
        length = int(self.headers.get("Content-Length", "0"))
        form = urllib.parse.parse_qs(self.rfile.read(length).decode())
        kind = form.get("grant_type", [""])[0]
        if kind == "password":
            good = form.get("username") == [user] and form.get("password") == [password]
        else:
            good = kind == "refresh_token" and form.get("refresh_token") == ["identity-of-" + user]
        if not good:
            return self.denied()
        self.give(form.get("scope", []), user, "access_token")


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
if len(sys.argv) > 4:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[4], sys.argv[5])
    server.socket = context.wrap_socket(server.socket, server_side=True)
with open(os.path.join(folder, "port.new"), "w") as port:
    port.write(str(server.server_address[1]))
os.rename(os.path.join(folder, "port.new"), os.path.join(folder, "port"))
server.serve_forever()
