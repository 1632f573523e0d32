"""Clients that lie, pry and dawdle, for the tests of the control plane: hostile.py GROUP SOCKET PORT CERTS PID

GROUP is one of those that GROUPS names, SOCKET and PORT are where the scheduler listens, CERTS is a folder
with ca.crt and for each NAME below NAME.crt and NAME.key, PID is the scheduler's process. Each row is a
promise with the function that tries to break it; a line "ok - PROMISE" or "not ok - PROMISE: WHY" is
written for each, and the exit status is 1 when one was broken."""
import http.client
import json
import os
import resource
import socket
import ssl
import sys
import time
import warnings

warnings.simplefilter("ignore", DeprecationWarning)  # old versions of TLS are spoken on purpose
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
        except (ConnectionError, ssl.SSLError, TimeoutError):
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
        # The scheduler writes into it, too, that there is no room; and what an earlier group deleted may just be going.
        while not (taken(call("local", "GET", f"{PODS}/on-{name}"), 200, 404).get("spec") or {}).get("nodeName"):
            taken(call("local", "POST", PODS, pod("on-" + name)), 201, 409)
            taken(call("local", "POST", f"{PODS}/on-{name}/binding", {
                "apiVersion": "v1", "kind": "Binding", "metadata": {"name": "on-" + name},
                "target": {"kind": "Node", "name": name}}), 201, 404, 409)


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
        if address == "scheduler":
            taken(answer)
        else:
            refused(answer, 422, says="is neither an IP address nor a host name")
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


# ---- paths ----

@row("paths", "a path means one thing, whatever is escaped, doubled or left out in it")
def _():
    for path, codes in (
            ("/api/v1/namespaces/default/pods/on-a/", (404,)), ("//api/v1/pods", (404,)), ("/api//v1/pods", (404,)),
            ("/api/v1/namespaces//pods", (404,)), ("/api/v1/namespaces/default/pods//status", (404,)),
            ("/api/v1/namespaces/default/../default/pods/on-a", (404,)), ("/api/v1/namespaces/./pods", (404,)),
            ("/api/v1/namespaces/default/pods/..", (404,)), ("/api/v1/namespaces/default/pods/On-A", (404,)),
            ("/api/v1/namespaces/Default/pods", (404,)), ("/API/v1/pods", (404,)), ("/api/v1/pods/on-a", (404,)),
            ("/api/v1/Pods", (404,)), ("/api/v1/nodes/a/status/x", (404,)), ("/api/v1/nodes/a/scale", (404,)),
            ("/api/v1/namespaces/default/nodes/a", (404,)), ("/apis/v1/pods", (404,)), ("/apis/apps/v1/pods", (404,)),
            ("/api/v1/namespaces/default/pods/" + "x" * 300, (404,)), ("/api/v1/namespaces/" + "x" * 64 + "/pods", (404,)),
            ("/api/v1/namespaces/default/pods/a%01b", (404,)), ("/api/v1/namespaces/default/pods/a%ffb", (404,)),
            ("/api/v1/namespaces/a%01b/pods/c", (404,)), ("/api/v1/namespaces/default%01on-a/pods", (404,)),
            ("/api/v1/namespaces/default/pods/a%00b", (400,)), ("/api/v1/pods%", (400,)), ("/api/v1/pods%zz", (400,)),
            ("/api/v1/pods?%00", (400,)), ("/api/v1/pods?" + "&".join(f"a{i}=1" for i in range(100)), (400,))):
        for who in ("local", "admin"):
            refused(call(who, "GET", path), *codes)
    expect(taken(call("local", "GET", "/api/v1/namespaces%2fdefault%2Fpods%2Fon-a"))["metadata"]["name"], "on-a")
    refused(call("node-a", "GET", "/api/v1/namespaces%2fdefault%2Fpods%2Fon-b"), 403)
    refused(call("node-a", "GET", "/api/v1/namespaces/default/pods/on%2Db"), 403)


@row("paths", "a name that is no text comes back as JSON that is, and does not forge a line of the log")
def _():
    for name in ("%ff%fe", "%c0%af", "%ed%a0%80", "a%0a%7b%22level%22%3a%22error%22%7d", "%1b%5b2J", "%e2%80%ae"):
        for method, path in (("DELETE", PODS + "/" + name), ("GET", "/api/v1/namespaces/default/pods/" + name),
                             ("PUT", f"/api/v1/namespaces/{name}/pods/x"), ("GET", "/" + name)):
            for who in ("local", "node-a", "stranger"):
                answer = call(who, method, path)
                assert answer.status in (400, 403, 404), answer.status
                answer.body.decode("utf-8")
                answer.json


@row("paths", "other methods are refused by name")
def _():
    for method in ("HEAD", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "get", "X" * 30):
        answer = call("local", method, PODS + "/on-a")
        expect(answer.status, *((200,) if method == "HEAD" else (400, 405)), about=method + ": ")
    expect(call("local", "HEAD", PODS).body, b"")
    expect(call("local", "HEAD", "/api/v1/pods?watch=1&timeoutSeconds=1").status, 200)
    refused(call("local", "POST", "/version", {}), 405)
    refused(call("local", "POST", "/api/v1/pods", pod("x")), 405)
    refused(call("local", "PATCH", PODS, "{}", MERGE), 405)


@row("paths", "numbers and flags in a query are numbers and flags")
def _():
    huge = str(2**64)
    for query in ("limit=-1", "limit=x", "limit=" + huge, "limit=1e3", "limit=0x10", "limit=%201", "watch=maybe",
                  "watch=1&timeoutSeconds=-1", "watch=1&timeoutSeconds=" + huge, "watch=1&timeoutSeconds=" + str(2**63),
                  "watch=1&resourceVersion=-1", "watch=1&resourceVersion=x", "watch=1&resourceVersion=" + huge,
                  "resourceVersion=x", "resourceVersion=1.5", "continue=zz", "continue=31", "continue=312f2f", "continue=312f", "continue=31002f2f",
                  "continue=" + "61" * 4000, "continue=" + "2d31" + "2f612f62", "dryRun=Some", "allowWatchBookmarks=2&watch=1"):
        answer = call("local", "GET", "/api/v1/pods?" + query)
        if query in ("continue=312f2f",):
            taken(answer)
        elif "dryRun" in query:
            refused(answer, 400)
        else:
            refused(answer, 400, 410)
    refused(call("local", "GET", f"/api/v1/pods?resourceVersion={2**64 - 1}"), 504)
    refused(call("local", "GET", f"/api/v1/pods?watch=1&resourceVersion={2**64 - 1}"), 410)
    expect(len(taken(call("local", "GET", "/api/v1/pods?limit=1&limit=5"))["items"]), 1)
    for query in ("gracePeriodSeconds=-1", "gracePeriodSeconds=" + huge, "gracePeriodSeconds=99999999999", "propagationPolicy=x"):
        refused(call("local", "DELETE", PODS + "/on-a?" + query), 400)
    for options in ({"gracePeriodSeconds": -1}, {"gracePeriodSeconds": 2**63}, {"gracePeriodSeconds": 1.5}, {"gracePeriodSeconds": "1"},
                    {"preconditions": {"uid": "other"}}, {"preconditions": {"resourceVersion": "1"}}, {"x": 1}, [1], "x", 5):
        refused(call("local", "DELETE", PODS + "/on-a", options), 400, 409)
    for selector in ("a=b=c", "a in", "a in (", "in (a)", "=b", "a>1", "!", ",", "a" * 70000, "a," * 300 + "a", "%ff", "a in (" + "b," * 2000 + "b)"):
        answer = call("local", "GET", "/api/v1/pods?labelSelector=" + selector.replace(" ", "%20"))
        expect(answer.status, 400 if len(selector) < 30000 else 414)
    for selector in ("a=b", "spec.nodeName", "spec.nodeName>a", "metadata.name=a,", "=", "metadata.name=a," * 300 + "metadata.name=a"):
        refused(call("local", "GET", "/api/v1/pods?fieldSelector=" + selector), 400)


# ---- bodies ----

def make(kind, name, **more):
    version = {"Pod": "v1", "Deployment": "apps/v1"}[kind]
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name}, **more}


def deployment(name, **spec):
    labels = {"app": name}
    return make("Deployment", name, spec={"selector": {"matchLabels": labels}, "replicas": 0, "template": {
        "metadata": {"labels": labels}, "spec": {"containers": [{"name": "main", "image": "localhost/x:1"}]}}, **spec})


@row("bodies", "what is not an object of that kind is refused with what is wrong")
def _():
    deep = "[" * 100000
    for body in ("", "{", "null", "[]", "5", '"x"', "{}", "\xff", "{\"a\":1,\"a\":2}", deep, '{"kind":"Pod"' + " " * 1000,
                 '{"apiVersion":"v1","kind":"Pod","metadata":' + '{"a":' * 200 + "1" + "}" * 200 + "}",
                 '{"apiVersion":"v1","kind":"Node","metadata":{"name":"x"}}', '{"apiVersion":"v2","kind":"Pod","metadata":{"name":"x"}}',
                 '{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a\\u0000b"},"spec":{}}',
                 '{"apiVersion":"v1","kind":"Pod","metadata":{"name":"\\ud800"},"spec":{}}',
                 '\ufeff{"apiVersion":"v1"}', json.dumps(pod("x")) + "{}", json.dumps(pod("x")) + "\0"):
        refused(call("local", "POST", PODS, body.encode("latin-1") if body == "\xff" else body.encode()), 400, 422, 413)
    for name in ("a/b", "..", ".", "", "a b", "A", "-a", "a-", "a..b", "x" * 254, "a\nb", "a\u202eb", 5, None, ["a"], {"a": 1}):
        refused(call("local", "POST", PODS, pod(name)), 400, 422)
    for name in ("a/", "A", "x" * 300, "a\nb", "."):
        body = pod(None)
        body["metadata"] = {"generateName": name}
        refused(call("local", "POST", PODS, body), 400, 422)
    for namespace in ("other", "a/b", "", 5):
        body = pod("x")
        body["metadata"]["namespace"] = namespace
        answer = call("local", "POST", PODS, body)
        if namespace == "":
            taken(answer)
            call("local", "DELETE", PODS + "/x?gracePeriodSeconds=0")
        else:
            refused(answer, 400, 422)
    refused(call("local", "POST", "/api/v1/namespaces/nowhere/pods", pod("x")), 404)


@row("bodies", "numbers that do not fit are refused, not cut")
def _():
    for replicas in (-1, 2**31, 2**63, 2**64, 1e99, 1.5, "3", True, -2**63, 10**60):
        refused(call("local", "POST", "/apis/apps/v1/namespaces/default/deployments", deployment("x", replicas=replicas)), 400, 422)
    taken(call("local", "POST", "/apis/apps/v1/namespaces/default/deployments", deployment("num")), 201)
    scale = "/apis/apps/v1/namespaces/default/deployments/num/scale"
    for replicas in (-1, 2**31, 2**63, 2**64, 1e99, 1.5, "3", None, True):
        refused(patch("local", scale, {"spec": {"replicas": replicas}}), 400, 422)
        refused(call("local", "PUT", scale, {"spec": {"replicas": replicas}}), 400, 422)
    for body in (None, {}, [], 5, {"spec": 5}, {"spec": []}):
        refused(call("local", "PUT", scale, body), 400, 422)
    for quantity in ("-1", "1e16", "9223372036854775808", "1.1.1", "NaN", "Inf", "1Ei", "0x10", "", " 1", "1 ", "--1", "1e99999999999", "9" * 5000, -1, 1e300):
        body = pod("x")
        body["spec"]["containers"][0]["resources"] = {"requests": {"cpu": quantity}}
        refused(call("local", "POST", PODS, body), 400, 422)
    for seconds in (-1, 2**63, 1.5, "1"):
        refused(call("local", "POST", PODS, pod("x", terminationGracePeriodSeconds=seconds)), 400, 422)
    for when in ("yesterday", "2026-13-01T00:00:00Z", "9999999-01-01T00:00:00Z", "1969-12-31T23:59:59Z", "2026-11-24T00:00:00+99:00", "", 5):
        refused(call("node-a", "POST", EVENTS, event("t", {"kind": "Node", "name": "a"}, lastTimestamp=when)), 400, 422)
    taken(call("local", "DELETE", "/apis/apps/v1/namespaces/default/deployments/num"))


@row("bodies", "huge requests and huge nodes add up to no room and no crash")
def _():
    most = "9223372036854775"
    taken(patch("node-a", NODE_A + "/status", {"status": {"capacity": {"cpu": most, "memory": most, "pods": most},
                                                          "allocatable": {"cpu": most, "memory": most, "pods": most},
                                                          "conditions": [{"type": "Ready", "status": "True"}]}}))
    taken(patch("local", NODE_A, {"spec": {"unschedulable": None, "taints": None}}))
    for i in range(6):
        body = pod(f"huge-{i}")
        body["spec"]["containers"] = [{"name": f"c{k}", "image": "localhost/x:1", "resources": {"requests": {"cpu": most, "memory": most}}}
                                      for k in range(3)]
        taken(call("local", "POST", PODS, body), 201, 422)
    time.sleep(0.5)
    for i in range(6):
        answer = call("local", "GET", f"{PODS}/huge-{i}")
        if answer.status == 200:
            expect(answer.json["spec"].get("nodeName"), None)
            taken(call("local", "DELETE", f"{PODS}/huge-{i}?gracePeriodSeconds=0"))
    taken(patch("local", NODE_A, {"spec": {"unschedulable": True}}))


@row("bodies", "a patch changes no identity, and says so where it would")
def _():
    before = taken(call("local", "GET", PODS + "/on-a"))["metadata"]
    for change in ({"name": "other"}, {"namespace": "kube-system"}, {"uid": "x"}, {"resourceVersion": "1"}):
        refused(patch("local", PODS + "/on-a", {"metadata": change}), 400, 409, 422)
    for change in ({"spec": {"nodeName": "b"}}, {"spec": {"nodeName": None}}, {"spec": None}, {"spec": {"containers": []}},
                   {"kind": "Node"}, {"apiVersion": "v2"}, {"metadata": None}, {"metadata": 5}, {"x": 1}, [1], 5, "null",
                   {"spec": {"serviceAccountName": "root"}}, {"metadata": {"finalizers": ["x"]}}):
        refused(patch("local", PODS + "/on-a", change), 400, 409, 422)
    taken(patch("local", PODS + "/on-a", {"metadata": {"creationTimestamp": "2001-01-01T00:00:00Z", "generation": 99, "deletionTimestamp": "2001-01-01T00:00:00Z",
                                                      "deletionGracePeriodSeconds": 1}, "status": {"phase": "Failed"}}))
    after = taken(call("local", "GET", PODS + "/on-a"))
    for name in ("name", "namespace", "uid", "creationTimestamp"):
        expect(after["metadata"][name], before[name])
    expect(after["metadata"].get("deletionTimestamp"), None)
    expect(after["status"]["phase"], "Pending")
    jsons, twice = "application/json-patch+json", {"op": "copy", "from": "/spec", "path": "/spec/spec"}
    for steps in ({}, [1], [{"op": "add", "path": "/spec/nodeName", "value": "b"}], [twice] * 900, [twice] * 1001,
                  [{"op": "copy", "from": "/metadata/labels", "path": "/metadata/labels/x"}] * 64,
                  [{"op": "copy", "from": "/spec/containers", "path": "/spec/containers/-"}] * 64,
                  [{"op": "replace", "path": "", "value": pod("other")}], [{"op": "remove", "path": "/metadata/name"}],
                  [{"op": "test", "path": "/a" * 500, "value": 1}], [{"op": "add", "path": "/x~", "value": 1}]):
        refused(call("local", "PATCH", PODS + "/on-a", json.dumps(steps), jsons), 400, 409, 413, 422)
    for change in ({"spec": {"containers": [{"image": "x"}]}}, {"spec": {"containers": [{"$patch": "replace"}]}}, {"$patch": "delete"},
                   {"spec": {"$patch": "replace"}}, {"spec": {"$retainKeys": []}}, {"x" + str(i): 1 for i in range(5000)},
                   {"spec": {"volumes": [{"name": f"v{i}"} for i in range(5000)]}}, {"spec": {"containers": [[[]]]}}):
        refused(call("local", "PATCH", PODS + "/on-a", json.dumps(change), "application/strategic-merge-patch+json"), 400, 409, 413, 422)
    for kind in ("application/apply-patch+yaml", "text/plain", "application/json", "application/merge-patch+jsonx"):
        refused(call("local", "PATCH", PODS + "/on-a", "{}", kind), 415)
    refused(call("local", "POST", PODS, "<xml/>", "application/xml"), 415)
    refused(call("local", "POST", PODS, json.dumps(pod("x")), "application/vnd.kubernetes.protobuf"), 415)
    refused(call("local", "POST", PODS, "a: &a [x]\nb: [*a,*a]\n", "application/yaml"), 400, 422)
    refused(call("local", "POST", PODS, "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{chr(98 + i)}: &{chr(98 + i)} [{','.join(['*' + chr(97 + i)] * 9)}]\n" for i in range(12)), "application/yaml"), 400, 413, 422)


@row("bodies", "a body in gzip is refused, not taken for its bytes")
def _():
    import gzip
    refused(call("local", "POST", PODS, gzip.compress(json.dumps(pod("zip")).encode()), Content_Encoding="gzip"), 400, 415)
    refused(call("local", "GET", PODS + "/zip"), 404)


# ---- watches ----

class Watch:
    def __init__(self, who, path):
        self.c = connection(who)
        self.c.request("GET", path)
        self.r = self.c.getresponse()

    def next(self):
        line = self.r.readline()
        return json.loads(line) if line else None

    def until(self, kind):
        out = []
        while (e := self.next()) and e["type"] != kind:
            out.append(e)
        return out + [e]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.c.close()


@row("watches", "between a list and its watch nothing is lost and nothing doubled")
def _():
    import threading
    base = "/api/v1/namespaces/default/events"

    def write():
        for i in range(200):
            name = f"race-{i}"
            taken(call("local", "POST", base, event(name, {"kind": "Node", "name": "a"})), 201)
            taken(patch("local", f"{base}/{name}", {"count": 2}))
            if i % 2:
                taken(call("local", "DELETE", f"{base}/{name}"))
        taken(call("local", "POST", base, event("race-end", {"kind": "Node", "name": "a"})), 201)
    writer = threading.Thread(target=write)
    writer.start()
    views = []
    while writer.is_alive() and len(views) < 20:
        l = taken(call("local", "GET", base))
        views.append(({o["metadata"]["name"]: o for o in l["items"]}, Watch("local", base + "?watch=1&resourceVersion=" + l["metadata"]["resourceVersion"])))
    writer.join()
    final = {o["metadata"]["name"]: o["metadata"]["resourceVersion"] for o in taken(call("local", "GET", base))["items"]}
    for seen, w in views:
        last = 0
        while "race-end" not in seen:
            e = w.next()
            o = e["object"]
            name, revision = o["metadata"]["name"], int(o["metadata"]["resourceVersion"])
            assert revision > last, f"{revision} after {last}"
            last = revision
            if e["type"] == "ADDED":
                assert name not in seen, f"{name} twice"
            else:
                assert name in seen, f"{e['type']} of {name}, which is not there"
            if e["type"] == "DELETED":
                del seen[name]
            else:
                seen[name] = o
        expect({n: o["metadata"]["resourceVersion"] for n, o in seen.items()}, final)
        w.c.close()
    for name in final:
        call("local", "DELETE", f"{base}/{name}")


@row("watches", "a watch with a selector tells what comes into it and what leaves it")
def _():
    now = taken(call("local", "GET", "/api/v1/nodes"))["metadata"]["resourceVersion"]
    with Watch("local", f"/api/v1/nodes?watch=1&labelSelector=in%3Dit&resourceVersion={now}") as w:
        for label in ("it", "it2", "it", None):
            taken(patch("local", NODE_A, {"metadata": {"labels": {"in": label}}}))
        kinds = [w.next()["type"] for _ in range(4)]
        expect(kinds, ["ADDED", "DELETED", "ADDED", "DELETED"])


@row("watches", "a revision that is yet to come, or of another life of the store, ends in 410")
def _():
    refused(call("local", "GET", "/api/v1/pods?watch=1&resourceVersion=999999999"), 410)
    refused(call("node-a", "GET", "/api/v1/pods?watch=1&resourceVersion=999999999&fieldSelector=spec.nodeName%3Da"), 410)


@row("watches", "a watch ends after its time, and a bookmark tells where it stood")
def _():
    with Watch("local", "/api/v1/pods?watch=1&timeoutSeconds=1&allowWatchBookmarks=true") as w:
        told = []
        while e := w.next():
            told.append(e)
        assert told and told[-1]["type"] == "BOOKMARK", told
        assert int(told[-1]["object"]["metadata"]["resourceVersion"]) > 0


@row("watches", "a Namespace on its way out takes nothing in, and goes when it is empty")
def _():
    spaces = "/api/v1/namespaces"
    taken(call("local", "POST", spaces, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "leaving"}}), 201)
    taken(call("local", "POST", spaces + "/leaving/pods", pod("x", nodeSelector={"no": "where"})), 201)
    taken(call("local", "DELETE", spaces + "/leaving"))
    refused(call("local", "POST", spaces + "/leaving/pods", pod("y")), 403, 404)
    refused(call("local", "DELETE", spaces + "/default"), 403)
    refused(call("local", "DELETE", spaces + "/kube-node-lease"), 403)


@row("watches", "two who delete, create and patch one object see one order of it")
def _():
    import threading
    path, outcomes = "/apis/apps/v1/namespaces/default/deployments", []

    def fight(n):
        for i in range(30):
            outcomes.append(call("local", "POST", path, deployment("fought")).status)
            outcomes.append(patch("local", path + "/fought", {"metadata": {"annotations": {"by": f"{n}-{i}"}}}).status)
            outcomes.append(call("local", "DELETE", path + "/fought").status)
    threads = [threading.Thread(target=fight, args=(n,)) for n in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert set(outcomes) <= {200, 201, 404, 409}, set(outcomes)
    assert outcomes.count(201), "nobody made it"
    refused(call("local", "GET", path + "/fought"), 404)


# ---- wire: what is no HTTP, or too slow ----

HEAD = b"Host: x\r\n"


@row("wire", "what is no HTTP is refused or cut, and costs nobody else anything")
def _():
    good = b"GET /version HTTP/1.1\r\n" + HEAD + b"Connection: close\r\n\r\n"
    for data, codes in (
            (good, (200,)),
            (b"GET /version HTTP/1.0\r\n\r\n", (200,)),
            (b"GET /version HTTP/1.1\r\nConnection: close\r\n\r\n", (400,)),
            (b"GET /version HTTP/9.9\r\n" + HEAD + b"\r\n", (400, 505, None)),
            (b"GET /version\r\n\r\n", (400, None)),
            (b"\r\n\r\n" + good, (200, 400)),
            (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 600 + b"\r\n\r\n", (400, None)),
            (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", (400, 505, None)),
            (b"GET http://elsewhere/api/v1/pods HTTP/1.1\r\n" + HEAD + b"Connection: close\r\n\r\n", (200, 400)),
            (b"OPTIONS * HTTP/1.1\r\n" + HEAD + b"Connection: close\r\n\r\n", (400,)),
            (b"GET /" + b"x" * 100000 + b" HTTP/1.1\r\n" + HEAD + b"\r\n", (400, 414, 431)),
            (b"GET /version HTTP/1.1\r\n" + HEAD + b"X: " + b"y" * 100000 + b"\r\n\r\n", (400, 413, 431)),
            (b"GET /version HTTP/1.1\r\n" + HEAD + b"".join(b"X%d: y\r\n" % i for i in range(20000)) + b"\r\n", (400, 413, 431)),
            (b"GET /version HTTP/1.1\r\nHost : x\r\nBad Header: y\r\nConnection: close\r\n\r\n", (400,)),
            (b"POST /api/v1/nodes HTTP/1.1\r\n" + HEAD + b"Content-Length: -1\r\n\r\n", (400, 413)),
            (b"POST /api/v1/nodes HTTP/1.1\r\n" + HEAD + b"Content-Length: 99999999999999999999999\r\n\r\n", (400, 413)),
            (b"POST /api/v1/nodes HTTP/1.1\r\n" + HEAD + b"Content-Length: 2000000\r\nExpect: 100-continue\r\n\r\n", (413,)),
            (b"POST /api/v1/nodes HTTP/1.1\r\n" + HEAD + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n", (400, 413, None)),
            (b"POST /api/v1/nodes HTTP/1.1\r\n" + HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", (400, None)),
            (b"POST /api/v1/nodes HTTP/1.1\r\n" + HEAD + b"Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n2;a=b\r\n{}\r\n0\r\nX: y\r\n\r\n", (400, 422)),
            (b"GET /api/v1/pods HTTP/1.1\r\n" + HEAD + b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\nConnection: close\r\n\r\n", (200,)),
            (b"GET /api/v1/pods HTTP/1.1\r\n" + HEAD + b"Connection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\nHTTP2-Settings: AAAA\r\n\r\n", (200,))):
        answer = raw(data)
        code = status_line(answer)
        assert code in codes, f"{data[:60]!r}: {answer[:120]!r}"
    lives()


@row("wire", "what is said in one request is not taken for the next")
def _():
    smuggled = b"DELETE /api/v1/nodes/b HTTP/1.1\r\n" + HEAD + b"Connection: close\r\n\r\n"
    for head in (b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b"Content-Length: 0\r\nContent-Length: %d\r\n\r\n" % len(smuggled),
                 b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n", b"Content-Length: +%d\r\n\r\n" % len(smuggled)):
        raw(b"POST /api/v1/namespaces/default/pods HTTP/1.1\r\n" + HEAD + head + smuggled, who="node-a", wait=2)
        taken(call("local", "GET", NODE_B))
    many = raw((b"GET /version HTTP/1.1\r\n" + HEAD + b"\r\n") * 200 + b"GET /version HTTP/1.1\r\n" + HEAD + b"Connection: close\r\n\r\n")
    expect(many.count(b"HTTP/1.1 200"), 201)


# ---- tls ----

def handshake(who, version=None, ciphers=None, sni="127.0.0.1"):
    c = context(who)
    if version:
        c.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        c.maximum_version = version
        c.set_ciphers((ciphers or "ALL") + ":@SECLEVEL=0")
    with socket.create_connection(("127.0.0.1", port)) as s, c.wrap_socket(s, server_hostname=sni) as t:
        t.settimeout(WAIT)
        t.sendall(b"GET /api/v1/pods HTTP/1.1\r\n" + HEAD + b"Connection: close\r\n\r\n")
        out = b""
        while piece := t.recv(65536):
            out += piece
        return status_line(out)


@row("tls", "a certificate that is not by our authority, not for clients, or of no one name, ends the handshake")
def _():
    expect(handshake("admin"), 200)
    expect(handshake(None), 401)
    for who in ("foreign", "as-server", "two-names", "no-name", "expired", "itself"):
        try:
            code = handshake(who)
        except (ssl.SSLError, ConnectionError):
            continue
        assert code is None, f"{who}: {code}"


@row("tls", "old versions and weak ciphers are not spoken")
def _():
    expect(handshake("admin", ssl.TLSVersion.TLSv1_2), 200)
    for version in (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1):
        try:
            handshake("admin", version)
            raise AssertionError(f"{version} was spoken")
        except (ssl.SSLError, ConnectionError):
            pass
    for ciphers in ("NULL", "aNULL", "RC4", "3DES", "EXPORT"):
        try:
            handshake("admin", ssl.TLSVersion.TLSv1_2, ciphers)
            raise AssertionError(f"{ciphers} was spoken")
        except (ssl.SSLError, ConnectionError):
            pass


@row("tls", "plain HTTP, a torn handshake and bytes in front of it are cut")
def _():
    for data in (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\x16\x03\x01", b"\x80\x2e\x01\x00\x02", os.urandom(4096), b""):
        with socket.create_connection(("127.0.0.1", port)) as s:
            s.settimeout(WAIT)
            s.sendall(data)
            if data.startswith(b"GET"):
                try:
                    assert not s.recv(100).startswith(b"HTTP")
                except ConnectionError:
                    pass
    lives()


# ---- bounds ----

def room():
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def opened(count, who="unix"):
    out = []
    for _ in range(count):
        s = socket.socket(socket.AF_UNIX) if who == "unix" else socket.create_connection(("127.0.0.1", port))
        if who == "unix":
            s.connect(socket_path)
        out.append(s)
    return out


def closed(sockets):
    for s in sockets:
        s.close()


@row("bounds", "thousands of idle, slow and half-said connections cost little each")
def _():
    lives()
    before = resident()
    count = min(2000, room() // 8)
    idle = opened(count) + opened(count, "tls")
    lives()
    for s in idle[:count]:
        s.send(b"POST /api/v1/nodes HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\nX: " + b"y" * 2000)
    lives()
    taken(call("admin", "GET", "/version"))
    grown = resident() - before
    closed(idle)
    assert grown < (16 << 20) + 2 * count * 40960, f"{grown >> 20} MiB for {2 * count} connections"


@row("bounds", "bodies that never end are bounded together")
def _():
    before = resident()
    slow = opened(min(300, room() // 8))
    for s in slow:
        s.setblocking(False)
        try:
            s.send(b"POST /api/v1/nodes HTTP/1.1\r\nHost: x\r\nContent-Length: 1500000\r\n\r\n")
        except BlockingIOError:
            pass
    block = b" " * 65536
    for _ in range(24):
        for s in slow:
            try:
                s.send(block)
            except (BlockingIOError, ConnectionError):
                pass
        lives()
    grown = resident() - before
    closed(slow)
    assert grown < 300 << 20, f"{grown >> 20} MiB"


@row("bounds", "readers of large lists and watches who do not read hold little")
def _():
    base = "/api/v1/namespaces/default/events"
    for i in range(60):
        body = event(f"large-{i}", {"kind": "Node", "name": "a"})
        body["metadata"]["annotations"] = {"a": "x" * 250000}
        taken(call("local", "POST", base, body), 201, 409)
    before = resident()
    stuck = opened(100)
    for i, s in enumerate(stuck):
        s.sendall(b"GET " + base.encode() + (b"?watch=1" if i % 2 else b"") + b" HTTP/1.1\r\nHost: x\r\n\r\n")
    time.sleep(1)
    lives()
    for i in range(60):
        taken(patch("local", f"{base}/large-{i}", {"count": i + 2}))
    grown = resident() - before
    closed(stuck)
    for i in range(60):
        taken(call("local", "DELETE", f"{base}/large-{i}"))
    assert grown < 450 << 20, f"{grown >> 20} MiB for 100 readers"


@row("bounds", "a body that blows up when it is read is bounded, and gives its memory back")
def _():
    labels = {f"a{i}": "" for i in range(90000)}
    many = [json.dumps({**pod("x"), "metadata": {"name": "x", "labels": labels}}), "[" + "1," * 700000 + "1]",
            '{"apiVersion":"v1","kind":"Pod","metadata":{"name":"x"},"spec":{"containers":[' + "{}," * 400000 + "{}]}}",
            "[" + "[]," * 400000 + "[]]", '{"a":' + json.dumps("\u0001" * 250000) + "}"]
    lives()
    before, slowest = resident(), 0
    for _ in range(3):
        for body in many:
            begun = time.monotonic()
            refused(call("local", "POST", PODS, body), 400, 413, 422)
            slowest = max(slowest, time.monotonic() - begun)
    grown = resident() - before
    assert grown < 256 << 20, f"{grown >> 20} MiB"
    assert slowest < 20, f"{slowest} s"


@row("crowd", "one host's connections leave room for those of others")
def _():
    sockets = opened(700, "tls")
    time.sleep(0.5)
    lives()
    other = socket.create_connection(("127.0.0.1", port), source_address=("127.0.0.2", 0))
    other.settimeout(WAIT)
    with context("admin").wrap_socket(other, server_hostname="127.0.0.1") as s:
        s.sendall(b"GET /version HTTP/1.1\r\nHost: x\r\n\r\n")
        expect(status_line(s.recv(64)), 200)
    try:
        call("admin", "GET", "/version")
        raise AssertionError("the host had more connections than its share")
    except (ssl.SSLError, ConnectionError):
        pass
    closed(sockets)


@row("bounds", "a node that asks for all that has been, over and over, holds up nobody and fills no memory")
def _():
    base = "/api/v1/namespaces/default/pods"
    old = taken(call("local", "GET", base))["metadata"]["resourceVersion"]
    for i in range(200):
        taken(patch("local", base + "/on-a", {"metadata": {"annotations": {"a": chr(97 + i % 26) * 250000}}}))
    ask = f"GET /api/v1/pods?watch=1&resourceVersion={old}&fieldSelector=spec.nodeName%3Da HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    asked = []
    for _ in range(30):
        s = context("node-a").wrap_socket(socket.create_connection(("127.0.0.1", port)), server_hostname="127.0.0.1")
        s.settimeout(WAIT)
        asked.append(s)
    before, slowest = resident(), 0
    for s in asked:
        s.sendall(ask)
    for _ in range(40):
        begun = time.monotonic()
        lives()
        slowest = max(slowest, time.monotonic() - begun)
    grown = resident() - before
    codes = [status_line(s.recv(64)) for s in asked]
    closed(asked)
    taken(patch("local", base + "/on-a", {"metadata": {"annotations": {"a": None}}}))
    assert set(codes) == {200}, codes
    assert slowest < 5, f"{slowest} s"
    assert grown < 200 << 20, f"{grown >> 20} MiB"


@row("bounds", "a node's Events are rationed")
def _():
    made = refusals = 0
    c = connection("node-b")
    for i in range(4000):
        c.request("POST", EVENTS, json.dumps(event(f"flood-{i}", {"kind": "Node", "name": "b"})), {"Content-Type": "application/json"})
        r = c.getresponse()
        r.read()
        made += r.status == 201
        refusals += r.status == 429
        if refusals:
            break
    c.close()
    assert refusals, f"{made} Events were taken"
    taken(call("node-a", "POST", EVENTS, event("calm", {"kind": "Node", "name": "a"})), 201)
    taken(patch("node-b", NODE_B + "/status", {"status": {}}))
    taken(call("local", "DELETE", EVENTS + "?fieldSelector=involvedObject.kind%3DNode"))


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
