#!/usr/bin/env bats
# Watches that come back after more changes than memory holds.

load scheduler
setup_file() { scheduler_setup; }
teardown_file() { scheduler_teardown; }
teardown() { watch_end; }

@test "after more changes than memory holds, the store's log tells what happened" {
	command -v python3 > /dev/null || skip "python3 is not installed"
	local from
	from=$(revision)
	send 201 POST $LEASES "$(lease early)"
	# 9000 changes of one Pod, over one connection.
	python3 - "$T/s.sock" <<-'EOF'
	import http.client, socket, sys
	c = http.client.HTTPConnection("localhost")
	c.sock = socket.socket(socket.AF_UNIX)
	c.sock.connect(sys.argv[1])
	for i in range(9000):
	    c.request("PATCH", "/apis/coordination.k8s.io/v1/namespaces/default/leases/early", '{"metadata":{"labels":{"n":"%d"}}}' % i,
	              {"Content-Type": "application/merge-patch+json"})
	    r = c.getresponse()
	    r.read()
	    assert r.status == 200, r.status
	EOF
	watch "$LEASES?watch=true&resourceVersion=$from"
	told '.object.metadata.labels.n // "new" | select(. == "new" or . == "8999")' 'new 8999'
	[ "$(wc -l < "$W")" -eq 9001 ]
}

@test "watches that come back after very long are told all of it, and hold up nobody" {
	command -v python3 > /dev/null || skip "python3 is not installed"
	namespace old
	run python3 - "$T" <<-'EOF'
	import http.client, json, socket, sys, threading, time
	T, BASE = sys.argv[1], "/apis/coordination.k8s.io/v1/namespaces/old/leases"
	def open_():
	    s = socket.socket(socket.AF_UNIX)
	    s.settimeout(120)
	    s.connect(T + "/s.sock")
	    return s
	def connection():
	    c = http.client.HTTPConnection("localhost")
	    c.sock = open_()
	    return c
	def ask(c, method, path, body=None, kind="application/json"):
	    c.request(method, path, body and json.dumps(body), {"Content-Type": kind})
	    r = c.getresponse()
	    text = r.read()
	    assert r.status < 300, text
	    return text
	def resident():
	    return [int(l.split()[1]) >> 10 for l in open("/proc/%s/status" % open(T + "/pid").read().strip()) if l.startswith("VmRSS")][0]
	c = connection()
	for i in range(6):
	    ask(c, "POST", BASE, {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata":
	        {"name": f"l{i}", "annotations": {"a": "x" * 20000}}, "spec": {}})
	old = json.loads(ask(c, "GET", BASE))["metadata"]["resourceVersion"]
	def change(i):
	    own = connection()
	    for k in range(400):
	        ask(own, "PATCH", f"{BASE}/l{i}", {"metadata": {"labels": {"n": str(k)}}}, "application/merge-patch+json")
	threads = [threading.Thread(target=change, args=(i,)) for i in range(6)]
	[t.start() for t in threads]
	[t.join() for t in threads]
	before, slowest = resident(), 0
	watchers = [open_() for _ in range(20)]
	for i, s in enumerate(watchers):
	    # A selector makes it look at what each was, too.
	    s.sendall(f"GET {BASE}?watch=true&resourceVersion={old}{'&labelSelector=n' if i % 2 else ''} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
	got = b""
	while got.count(b'"type":"') < 2400:
	    got += watchers[1].recv(1 << 20)
	    begun = time.monotonic()
	    ask(c, "GET", "/healthz")
	    slowest = max(slowest, time.monotonic() - begun)
	grown = resident() - before
	assert got.count(b'"type":"ADDED"') == 6 and got.count(b'"type":"MODIFIED"') == 2394
	print(f"slowest {slowest:.2f} s, grown by {grown} MiB")
	assert slowest < 2 and grown < 150
	EOF
	echo "# $output"
	[ "$status" -eq 0 ]
}
