#!/usr/bin/env bats
# Watches: from now, from before, through selectors, over restarts; bookmarks, time limits, slow readers.

load scheduler
setup_file() { scheduler_setup; }
teardown_file() { scheduler_teardown; }
teardown() { watch_end; }

SHORT='.type[0:1] + ":" + (.object.metadata.name // "-")'

@test "a watch from a revision tells what came after it, in order" {
	local from
	from=$(revision)
	send 201 POST $LEASES "$(lease a)"
	watch "$LEASES?watch=true&resourceVersion=$from"
	send 201 POST $LEASES "$(lease b)"
	patch 200 $LEASES/a '{"metadata":{"labels":{"x":"y"}}}'
	# What changes nothing is no event.
	patch 200 $LEASES/a '{"metadata":{"labels":{"x":"y"}}}'
	want 200 DELETE $LEASES/a
	told "$SHORT" 'A:a A:b M:a D:a'
	# The last state of what is gone comes at the revision of its end.
	[ "$(jq -r 'select(.type == "DELETED") | .object.metadata.labels.x' "$W")" = y ]
	[ "$(jq -s '[.[].object.metadata.resourceVersion | tonumber] | . == (sort | unique)' "$W")" = true ]
	watch_end
	watch "$LEASES?watch=true&resourceVersion=$(jq -rs '.[-1].object.metadata.resourceVersion' "$W")"
	send 201 POST $LEASES "$(lease c)"
	told "$SHORT" 'A:c'
}

@test "a watch without a revision begins with what is there" {
	namespace present
	local n=/apis/coordination.k8s.io/v1/namespaces/present/leases
	send 201 POST $n "$(lease p1)"
	send 201 POST $n "$(lease p2)"
	watch "$n?watch=true&allowWatchBookmarks=true"
	told "$SHORT" 'A:p1 A:p2 B:-'
	[ "$(jq -r 'select(.type == "BOOKMARK") | .object.metadata.resourceVersion' "$W")" = "$(revision)" ]
	send 201 POST $n "$(lease p3)"
	told "$SHORT" 'A:p1 A:p2 B:- A:p3'
	watch_end
	watch "$n?watch=true&sendInitialEvents=true&allowWatchBookmarks=true&resourceVersionMatch=NotOlderThan&resourceVersion="
	told 'select(.type == "BOOKMARK") | .object.metadata.annotations["k8s.io/initial-events-end"]' true
}

@test "a watch that wants no initial events begins with what changes" {
	local from
	send 201 POST $LEASES "$(lease there)"
	from=$(revision)
	watch "$LEASES?watch=true&sendInitialEvents=false&allowWatchBookmarks=true&timeoutSeconds=9999999"
	# The bookmark tells that it has begun.
	told '.type' BOOKMARK
	send 201 POST $LEASES "$(lease came)"
	told "$SHORT" 'B:- A:came'
	[ "$(jq -r 'select(.type == "BOOKMARK") | .object.metadata.resourceVersion' "$W")" = "$from" ]
}

@test "what enters a selector is added, what leaves it is deleted" {
	namespace sel
	local n=/apis/coordination.k8s.io/v1/namespaces/sel/leases
	watch "$n?watch=true&labelSelector=tier%3Dfront"
	send 201 POST $n "$(lease p '.metadata.labels.tier = "back"')"
	patch 200 $n/p '{"metadata":{"labels":{"tier":"front"}}}'
	patch 200 $n/p '{"metadata":{"labels":{"more":"1"}}}'
	patch 200 $n/p '{"metadata":{"labels":{"tier":"back"}}}'
	patch 200 $n/p '{"metadata":{"labels":{"more":"2"}}}'
	patch 200 $n/p '{"metadata":{"labels":{"tier":"front"}}}'
	want 200 DELETE $n/p
	told "$SHORT" 'A:p M:p D:p A:p D:p'
}

@test "a node's watch sees a Pod when it is bound to it" {
	namespace bound
	local n=/api/v1/namespaces/bound/pods
	send 201 POST /api/v1/nodes "$(node w1)"
	send 201 POST /api/v1/nodes "$(node w2)"
	watch '/api/v1/pods?watch=true&fieldSelector=spec.nodeName%3Dw1'
	send 201 POST $n "$(pod mine)"
	send 201 POST $n "$(pod other)"
	bind bound mine w1
	bind bound other w2
	patch 200 $n/mine/status '{"status":{"phase":"Running"}}'
	patch 200 $n/other/status '{"status":{"phase":"Running"}}'
	want 200 DELETE "$n/other?gracePeriodSeconds=0"
	want 200 DELETE "$n/mine?gracePeriodSeconds=0"
	told "$SHORT" 'A:mine M:mine D:mine'
}

@test "a watch ends after timeoutSeconds, in good order" {
	run curl -sN -m 20 --unix-socket "$T/s.sock" "http://localhost$LEASES?watch=true&timeoutSeconds=1&resourceVersion=$(revision)"
	[ "$status" -eq 0 ] && [ -z "$output" ]
	want 400 GET "$LEASES?watch=true&timeoutSeconds=soon"
	want 400 GET "$LEASES?watch=maybe"
}

@test "a watch that is cut within a transaction goes on behind what it was told" {
	namespace cut
	local n=/api/v1/namespaces/cut from i
	send 201 POST /apis/apps/v1/namespaces/cut/deployments "$(deployment none 0)"
	local uid
	uid=$(field .metadata.uid)
	for i in 1 2 3 4; do
		send 201 POST $n/pods "$(pod "o$i" '.metadata.ownerReferences = [{apiVersion: "apps/v1", kind: "Deployment",
			name: "none", uid: "'"$uid"'", controller: true}]')"
	done
	from=$(revision)
	# All four lose their owner in one transaction.
	want 200 DELETE "/apis/apps/v1/namespaces/cut/deployments/none?propagationPolicy=Orphan"
	watch "$n/pods?watch=true&resourceVersion=$from"
	told "$SHORT" 'M:o1 M:o2 M:o3 M:o4'
	[ "$(jq -s '[.[].object.metadata.resourceVersion | tonumber] | . == (sort | unique)' "$W")" = true ]
	from=$(jq -rs '.[1].object.metadata.resourceVersion' "$W")
	watch_end
	watch "$n/pods?watch=true&resourceVersion=$from"
	told "$SHORT" 'M:o3 M:o4'
}

@test "a watch goes on after the scheduler was killed, and loses nothing" {
	local from
	send 201 POST $LEASES "$(lease before)"
	from=$(revision)
	send 201 POST $LEASES "$(lease k1)"
	patch 200 $LEASES/before '{"metadata":{"labels":{"k":"1"}}}'
	want 200 DELETE $LEASES/before
	scheduler_stop KILL
	scheduler_start
	watch "$LEASES?watch=true&resourceVersion=$from"
	send 201 POST $LEASES "$(lease k2)"
	told "$SHORT" 'A:k1 M:before D:before A:k2'
}

@test "a revision that is no longer kept, or never was, is answered 410: list again" {
	want 410 GET "$LEASES?watch=true&resourceVersion=99999999"
	is .reason Expired
	# A store whose log was cut, as it is after long.
	scheduler_stop
	sqlite3 "$T/store.db" 'DELETE FROM log WHERE place < (SELECT max(place) FROM log)'
	scheduler_start
	want 410 GET "$LEASES?watch=true&resourceVersion=3"
	is .reason Expired
	want 200 GET "$LEASES"
}

@test "a hundred watchers that do not read cost bounded memory, and others are served" {
	command -v python3 > /dev/null || skip "python3 is not installed"
	namespace slow
	local n=/api/v1/namespaces/slow/pods before after
	pod big '.spec.containers[0].env = [{name: "BIG", value: ("x" * 200000)}]' > "$T/big.json"
	send 201 POST $n "@$T/big.json"
	before=$(awk '/VmRSS/ { print $2 }' "/proc/$(< "$T/pid")/status")
	python3 - "$T/s.sock" <<-'EOF'
	import http.client, socket, sys
	def open_():
	    s = socket.socket(socket.AF_UNIX)
	    s.connect(sys.argv[1])
	    return s
	idle = []
	for i in range(100):
	    s = open_()
	    s.sendall(b"GET /api/v1/namespaces/slow/pods?watch=true HTTP/1.1\r\nHost: x\r\n\r\n")
	    idle.append(s)
	c = http.client.HTTPConnection("localhost")
	c.sock = open_()
	for i in range(200):
	    c.request("PATCH", "/api/v1/namespaces/slow/pods/big", '{"metadata":{"labels":{"n":"%d"}}}' % i,
	              {"Content-Type": "application/merge-patch+json"})
	    r = c.getresponse()
	    r.read()
	    assert r.status == 200, r.status
	rss = [int(l.split()[1]) for l in open("/proc/%s/status" % open(sys.argv[1].replace("s.sock", "pid")).read().strip())
	       if l.startswith("VmRSS")][0]
	open(sys.argv[1] + ".rss", "w").write(str(rss))
	EOF
	after=$(< "$T/s.sock.rss")
	echo "# $before kB before, $after kB with 100 watchers that do not read"
	# 200 changes of 200 kB each to 100 watchers would be 4 GB.
	[ $((after - before)) -lt 400000 ]
	want 200 GET "$n/big"
}
