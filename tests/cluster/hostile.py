"""Clients that lie, pry and dawdle, for the tests of the control plane: hostile.py GROUP SOCKET PORT CERTS PID

GROUP is one of those that GROUPS names, SOCKET and PORT are where the scheduler listens, CERTS is a folder
with ca.crt and for each NAME below NAME.crt and NAME.key, PID is the scheduler's process. Each row is a
promise with the function that tries to break it; a line "ok - PROMISE" or "not ok - PROMISE: WHY" is
written for each, and the exit status is 1 when one was broken."""
import http.client
import json
import os
import socket
import ssl
import sys
import time

group, socket_path, port, certs, pid = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4], int(sys.argv[5])
WAIT = 60  # seconds: nothing here takes long, but the machine may be busy
rows = []
MERGE = "application/merge-patch+json"
NODE_A, NODE_B = "/api/v1/nodes/a", "/api/v1/nodes/b"
PODS = "/api/v1/namespaces/default/pods"
EVENTS = "/api/v1/namespaces/default/events"
LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"


def row(of, promise):
    def add(function):
        rows.append((of, promise, function))
        return function
    return add


# ---- talking ----

class UnixConnection(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(WAIT)
        self.sock.connect(socket_path)


def context(who):
    c = ssl.create_default_context(cafile=certs + "/ca.crt")
    if who:
        c.load_cert_chain(f"{certs}/{who}.crt", f"{certs}/{who}.key")
    return c


def connection(who):
    """who: "local" (the Unix socket), None (TLS without a certificate), or a certificate's name"""
    if who == "local":
        return UnixConnection("localhost")
    return http.client.HTTPSConnection("127.0.0.1", port, context=context(who), timeout=WAIT)


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)


def call(who, method, path, body=None, kind="application/json", **headers):
    c = connection(who)
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    if body is not None:
        headers["Content-Type"] = kind
    if not isinstance(body, (bytes, str, type(None))):
        body = json.dumps(body)
    try:
        c.request(method, path, body, headers)
        r = c.getresponse()
        return Answer(r.status, r.headers, r.read())
    finally:
        c.close()


def patch(who, path, body):
    return call(who, "PATCH", path, body, MERGE)


def raw(data, who="local", wait=WAIT):
    """Bytes as they are; everything that comes back until the end."""
    s = socket.socket(socket.AF_UNIX) if who == "local" else socket.create_connection(("127.0.0.1", port))
    s.settimeout(wait)
    if who == "local":
        s.connect(socket_path)
    else:
        s = context(who).wrap_socket(s, server_hostname="127.0.0.1")
    with s:
        out = b""
        try:
            s.sendall(data)
            while piece := s.recv(65536):
                out += piece
        except (ConnectionError, ssl.SSLError):
            pass
        return out


def status_line(answer):
    return int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/1.") else None


def expect(is_, *wanted, about=""):
    assert is_ in wanted, f"{about}{is_!r} instead of {' or '.join(map(repr, wanted))}"


def refused(answer, *codes, says=None):
    """With a Status in JSON that names the code, and the words."""
    expect(answer.status, *codes, about=f"{answer.body[:300]!r}: ")
    s = answer.json
    expect(s["kind"], "Status")
    expect(s["code"], answer.status)
    assert says is None or says in s["message"], f"{s['message']!r} does not say {says!r}"


def taken(answer, *codes):
    expect(answer.status, *(codes or (200, 201)), about=f"{answer.body[:300]!r}: ")
    return answer.json


def resident():
    with open(f"/proc/{pid}/statm") as f:
        return int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def lives():
    taken(call("local", "GET", "/version"))


# ---- the world: two nodes, a Pod on each ----

def node(name, **more):
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, **more}}


def pod(name, **spec):
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name},
            "spec": {"containers": [{"name": "main", "image": "localhost/x:1"}], **spec}}


def event(name, about, **more):
    return {"apiVersion": "v1", "kind": "Event", "metadata": {"name": name, "namespace": "default"},
            "involvedObject": about, "reason": "Test", "type": "Normal", "message": "m", **more}


def world():
    for name in "ab":
        taken(call("node-" + name, "POST", "/api/v1/nodes", node(name, labels={
            "kubernetes.io/hostname": name, "stube/protection-class": "normal"})), 201, 409)
        taken(patch("local", f"/api/v1/nodes/{name}", {"spec": {"unschedulable": True, "taints": [
            {"key": "watched", "effect": "NoSchedule"}]}}))
        taken(call("local", "POST", PODS, pod("on-" + name)), 201, 409)
        # The scheduler writes into it, too, that there is no room.
        while not taken(call("local", "GET", f"{PODS}/on-{name}"))["spec"].get("nodeName"):
            taken(call("local", "POST", f"{PODS}/on-{name}/binding", {
                "apiVersion": "v1", "kind": "Binding", "metadata": {"name": "on-" + name},
                "target": {"kind": "Node", "name": name}}), 201, 409)


def about_pod(name, **more):
    return {"kind": "Pod", "namespace": "default", "name": name, **more}


# ---- access: a node's certificate in the wrong hands ----

@row("access", "a node writes no other node's Node, status, Lease, Pod or Events")
def _():
    status = {"status": {"phase": "Failed"}}
    for answer in (
            patch("node-a", NODE_B, {"metadata": {"labels": {"x": "y"}}}),
            patch("node-a", NODE_B + "/status", {"status": {}}),
            call("node-a", "PUT", NODE_B, node("b")),
            call("node-a", "POST", "/api/v1/nodes", node("c")),
            call("node-a", "POST", "/api/v1/nodes", {"apiVersion": "v1", "kind": "Node", "metadata": {"generateName": "a"}}),
            call("node-a", "POST", LEASES, {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
                                            "metadata": {"name": "b"}, "spec": {"holderIdentity": "b"}}),
            call("node-a", "POST", "/apis/coordination.k8s.io/v1/namespaces/default/leases", {
                "apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "a"}}),
            patch("node-a", PODS + "/on-b/status", status),
            patch("node-a", PODS + "/on-b", {"metadata": {"labels": {"x": "y"}}}),
            patch("node-a", PODS + "/on-a", {"metadata": {"labels": {"x": "y"}}}),
            call("node-a", "DELETE", PODS + "/on-b"),
            call("node-a", "DELETE", PODS + "/on-a"),
            call("node-a", "DELETE", PODS),
            call("node-a", "POST", PODS, pod("mine", nodeName="a")),
            call("node-a", "POST", PODS + "/on-b/binding", {"target": {"kind": "Node", "name": "a"}}),
            call("node-a", "POST", PODS + "/on-b/eviction", {}),
            call("node-a", "DELETE", NODE_A),
            call("node-a", "POST", "/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "x"}}),
            call("node-a", "POST", EVENTS, event("e1", about_pod("on-b"))),
            call("node-a", "POST", EVENTS, event("e2", {"kind": "Node", "name": "b"})),
            call("node-a", "POST", EVENTS, event("e3", {"kind": "Deployment", "namespace": "default", "name": "x"})),
            call("node-a", "GET", PODS + "/on-b"),
            call("node-a", "GET", PODS + "/on-b/log"),
            call("node-a", "GET", PODS + "/on-a/exec?command=id"),
            call("node-a", "GET", NODE_B)):
        refused(answer, 403)
    expect(taken(call("local", "GET", PODS + "/on-b"))["status"]["phase"], "Pending")


@row("access", "an Event that leaves out where its Pod is, or means it by its uid, is judged all the same")
def _():
    uid = taken(call("local", "GET", PODS + "/on-b"))["metadata"]["uid"]
    refused(call("node-a", "POST", EVENTS, event("e4", {"kind": "Pod", "name": "on-b"})), 403)
    refused(call("node-a", "POST", EVENTS, event("e5", {"kind": "Pod", "name": "gone", "uid": uid})), 403)
    refused(call("node-a", "POST", EVENTS, event("e6", about_pod("gone", uid=uid))), 403)
    taken(call("node-a", "POST", EVENTS, event("e7", about_pod("on-a"))), 201)
    refused(patch("node-a", EVENTS + "/e7", {"involvedObject": {"name": "on-b"}}), 403)
    refused(patch("node-b", EVENTS + "/e7", {"message": "it was not I"}), 403)
    taken(call("local", "DELETE", EVENTS + "/e7"))


@row("access", "a node raises neither its class nor what placement trusts, and stays cordoned and tainted")
def _():
    before = taken(call("local", "GET", NODE_A))
    for change in (
            {"metadata": {"labels": {"stube/protection-class": "very-high"}}},
            {"metadata": {"labels": {"stube/protection-class": None}}},
            {"metadata": {"labels": None}},
            {"spec": {"unschedulable": None}}, {"spec": {"taints": None}}, {"spec": {"taints": []}}, {"spec": None},
            {"spec": {"taints": [{"key": "watched", "effect": "PreferNoSchedule"}]}},
            {"spec": {"taints": [{"key": "watched", "effect": "NoSchedule"}, {"key": "more", "effect": "NoExecute"}]}},
            {"metadata": {"labels": {"kubernetes.io/hostname": "b"}}},
            {"metadata": {"labels": {"node-restriction.kubernetes.io/operator": "state"}}},
            {"metadata": {"ownerReferences": [{"apiVersion": "v1", "kind": "Node", "name": "x", "uid": "x", "controller": True}]}}):
        refused(patch("node-a", NODE_A, change), 403, says="administrator")
    whole = json.loads(json.dumps(before))
    whole["spec"] = {}
    refused(call("node-a", "PUT", NODE_A, whole), 403)
    refused(call("node-a", "PUT", NODE_A, node("a")), 403)
    after = taken(call("local", "GET", NODE_A))
    expect((after["spec"], after["metadata"]["labels"]), (before["spec"], before["metadata"]["labels"]))


@row("access", "a status carries nothing else in")
def _():
    before = taken(call("local", "GET", NODE_A))
    taken(patch("node-a", NODE_A + "/status", {
        "metadata": {"labels": {"stube/protection-class": "very-high"}, "annotations": {"x": "y"}, "ownerReferences": [
            {"apiVersion": "v1", "kind": "Node", "name": "x", "uid": "x", "controller": True}]},
        "spec": {"unschedulable": False, "taints": []}, "status": {"nodeInfo": {"kernelVersion": "9"}}}))
    after = taken(call("local", "GET", NODE_A))
    for part in ("labels", "annotations", "ownerReferences", "uid", "name"):
        expect(after["metadata"].get(part), before["metadata"].get(part))
    expect(after["spec"], before["spec"])
    pod_before = taken(call("local", "GET", PODS + "/on-a"))
    taken(patch("node-a", PODS + "/on-a/status", {
        "metadata": {"labels": {"x": "y"}, "deletionTimestamp": "2020-01-01T00:00:00Z"},
        "spec": {"containers": [{"name": "main", "image": "evil"}]}, "status": {"message": "m"}}))
    pod_after = taken(call("local", "GET", PODS + "/on-a"))
    expect(pod_after["spec"], pod_before["spec"])
    expect(pod_after["metadata"].get("deletionTimestamp"), None)
    refused(patch("node-a", PODS + "/on-a/status", {"metadata": {"uid": "x"}}), 409)


@row("access", "a node lists and follows its own Pods only, however it asks")
def _():
    own = "fieldSelector=spec.nodeName%3Da"
    items = taken(call("node-a", "GET", "/api/v1/pods?" + own))["items"]
    expect([p["metadata"]["name"] for p in items], ["on-a"])
    for query in ("", "fieldSelector=", "fieldSelector=spec.nodeName%3Db", "fieldSelector=spec.nodeName!%3Da",
                  "fieldSelector=spec.nodeName%3D", "labelSelector=x", "fieldSelector=spec.nodeName%3Db&" + own,
                  "fieldSelector=spec.nodeName!%3Db", "fieldSelector=metadata.name%3Don-b"):
        refused(call("node-a", "GET", "/api/v1/pods?" + query), 403)
        refused(call("node-a", "GET", "/api/v1/pods?watch=1&" + query), 403)
    items = taken(call("node-a", "GET", f"/api/v1/pods?{own}&fieldSelector=spec.nodeName%3Db"))["items"]
    expect([p["metadata"]["name"] for p in items], ["on-a"])
    expect(taken(call("node-a", "GET", f"/api/v1/pods?{own},spec.nodeName%3Db"))["items"], [])
    first = taken(call("local", "GET", "/api/v1/pods?limit=1"))["metadata"]["continue"]
    expect(taken(call("node-a", "GET", f"/api/v1/pods?{own}&continue={first}"))["items"], [])
    for path in ("/api/v1/nodes", "/api/v1/events", EVENTS, LEASES, "/apis/apps/v1/deployments", "/api/v1/namespaces"):
        refused(call("node-a", "GET", path), 403)
    for path in ("/metrics", "/apis/stube/v1/explain/default/on-b", "/apis/stube/v1/drain/a"):
        refused(call("node-a", "GET", path), 403)


@row("access", "a viewer and a stranger write nothing, nobody reads anything")
def _():
    for who in ("viewer", "stranger", "node-odd"):
        for answer in (
                call(who, "POST", PODS, pod("x")), call(who, "DELETE", PODS + "/on-a"), call(who, "DELETE", PODS),
                patch(who, PODS + "/on-a", {}), call(who, "PUT", NODE_A, node("a")),
                patch(who, PODS + "/on-a/status", {"status": {}}), call(who, "POST", EVENTS, event("x", about_pod("on-a"))),
                call(who, "GET", PODS + "/on-a/exec?command=id"), call(who, "GET", PODS + "/on-a/log")):
            refused(answer, 403)
    taken(call("viewer", "GET", "/api/v1/pods"))
    refused(call("stranger", "GET", "/api/v1/pods"), 403)
    refused(call("node-odd", "GET", "/api/v1/pods?fieldSelector=spec.nodeName%3Da"), 403)
    for path in ("/api/v1/pods", PODS + "/nothing", "/api", "/apis", "/metrics", "/apis/stube/v1/plan", "/x",
                 "/apis/stube/v1/explain/default/on-a", "//api/v1/pods", "/api/v1/pods?watch=1"):
        refused(call(None, "GET", path), 401)
    refused(call(None, "POST", PODS, pod("x")), 401)
    for path in ("/healthz", "/livez", "/readyz", "/version"):
        expect(call(None, "GET", path).status, 200)


@row("access", "where a node says its agent is, is an address and no way to another's")
def _():
    for address in ("10.0.0.2:10250/exec/default/on-b/main?command=id#", "x\r\nSet-Cookie: a=b", "b@10.0.0.2", "10.0.0.2/", "scheduler"):
        answer = patch("node-a", NODE_A + "/status", {"status": {"addresses": [{"type": "InternalIP", "address": address}],
                                                        "daemonEndpoints": {"kubeletEndpoint": {"Port": 10250}}}})
        if answer.status == 200:
            answer = call("local", "GET", PODS + "/on-a/log")
            assert "Location" not in answer.headers, answer.headers["Location"]
            refused(answer, 502, 503, says="node 'a'")
    taken(patch("node-a", NODE_A + "/status", {"status": {"addresses": [{"type": "InternalIP", "address": "192.0.2.1"}],
                                                          "daemonEndpoints": {"kubeletEndpoint": {"Port": 10250}}}}))
    answer = call("local", "GET", PODS + "/on-a/log")
    expect(answer.status, 307)
    expect(answer.headers["Location"], "https://192.0.2.1:10250/containerLogs/default/on-a/main")
    answer = call("local", "GET", PODS + "/on-a/log?sinceTime=%0d%0aX-Y:%20z&tailLines=1%26a=b")
    expect(answer.headers["Location"].split("?")[1], "tailLines=1%26a%3Db&sinceTime=%0D%0AX-Y%3A%20z")


@row("access", "what a node may write without a Pod of its own stays small")
def _():
    big = {f"l{i}": "v" * 60 for i in range(8000)}
    for body in (event("big1", {"kind": "Node", "name": "a"}, message="x" * 5000),
                 {**event("big2", {"kind": "Node", "name": "a"}), "metadata": {"name": "big2", "labels": big}},
                 {**event("big3", {"kind": "Node", "name": "a"}), "metadata": {"name": "big3", "annotations": {"a": "x" * 200000}}},
                 event("big4", {"kind": "Node", "name": "a", "fieldPath": "x" * 200000}),
                 event("big5", {"kind": "Node", "name": "a"}, reportingInstance="x" * 200000)):
        refused(call("node-a", "POST", EVENTS, body), 403, 422, 413)
    refused(patch("node-a", NODE_A, {"metadata": {"labels": big}}), 403, 422, 413)


def main():
    broken = 0
    world()
    for of, promise, function in rows:
        if of != group:
            continue
        try:
            function()
            lives()
            print(f"ok - {promise}", flush=True)
        except Exception as e:  # noqa: every way to fail is a broken promise
            broken += 1
            print(f"not ok - {promise}: {type(e).__name__}: {e}", flush=True)
    return 1 if broken else 0


sys.exit(main())
