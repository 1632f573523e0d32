#!/usr/bin/env bats
# The object API over its Unix socket: verbs, rules, pages, errors.

load scheduler
setup_file() { scheduler_setup; }
teardown_file() { scheduler_teardown; }

P=/api/v1/namespaces/default/pods

@test "an object can be made, read, replaced, patched and deleted" {
	send 201 POST $LEASES "$(lease web)"
	is .metadata.namespace default
	want 200 GET $LEASES/web
	local seen
	seen=$(< "$BODY")
	send 200 PUT $LEASES/web "$(jq -c '.metadata.labels.app = "web"' <<< "$seen")"
	is .metadata.labels.app web
	patch 200 $LEASES/web '{"metadata":{"labels":{"app":null,"tier":"front"}}}'
	is '.metadata.labels | tojson' '{"tier":"front"}'
	want 200 DELETE $LEASES/web
	is .status Success
	is .details.uid "$(jq -r .metadata.uid <<< "$seen")"
	want 404 GET $LEASES/web
	is .reason NotFound
	is .message "leases 'web' not found"
}

@test "a write against an old resourceVersion is a conflict, and one without a resourceVersion is not" {
	send 201 POST $LEASES "$(lease conflict)"
	local old
	old=$(< "$BODY")
	patch 200 $LEASES/conflict '{"metadata":{"labels":{"a":"1"}}}'
	send 409 PUT $LEASES/conflict "$old"
	is .reason Conflict
	is .message "leases 'conflict' has been changed meanwhile; read it and try again"
	patch 409 $LEASES/conflict "{\"metadata\":{\"resourceVersion\":\"1\",\"labels\":{\"a\":\"2\"}}}"
	send 200 PUT $LEASES/conflict "$(jq -c 'del(.metadata.resourceVersion)' <<< "$old")"
	send 409 POST $LEASES "$(lease conflict)"
	is .reason AlreadyExists
}

@test "twenty clients that patch at once all get in" {
	send 201 POST $P "$(pod busy)"
	local i pids=()
	for i in {1..20}; do
		curl -s -o /dev/null --unix-socket "$T/s.sock" -X PATCH -H 'Content-Type: application/merge-patch+json' \
			-d "{\"metadata\":{\"labels\":{\"l$i\":\"x\"}}}" "http://localhost$P/busy" 3>&- &
		pids+=($!)
	done
	wait "${pids[@]}"
	want 200 GET $P/busy
	is '.metadata.labels | length' 20
}

@test "status is written through /status only, and /status writes nothing else" {
	send 201 POST $P "$(pod state)"
	patch 200 $P/state '{"status":{"phase":"Running"}}'
	is .status.phase Pending
	patch 200 $P/state/status '{"status":{"phase":"Running"},"metadata":{"labels":{"a":"b"}}}'
	is .status.phase Running
	is .metadata.labels null
	want 200 GET $P/state/status
	is .status.phase Running
}

@test "a wrong manifest names line and field" {
	send 422 POST $P '{"apiVersion":"v1","kind":"Pod","metadata":{"name":"bad"},"spec":{"containers":[{"name":"c","image":"i",
"livenesProbe":{}}]}}'
	is .reason Invalid
	is .message "body:2:16: spec.containers[0].livenesProbe: unknown field"
	want 422 POST $P -H 'Content-Type: application/yaml' --data-binary $'apiVersion: v1\nkind: Pod\nmetadata:\n  name: bad\nspec:\n  containers:\n  - name: c\n    image: i\n    securityContext:\n      privileged: true\n'
	is .message "body:10:19: spec.containers[0].securityContext.privileged: is not supported"
	send 422 POST $P '{"apiVersion":"v1","kind":"Node","metadata":{"name":"bad"}}'
	send 400 POST $P '{"apiVersion":"v1",'
	is .reason BadRequest
	send 400 POST $P ''
	send 400 POST $P "$(pod bad '.metadata.namespace = "other"')"
	is .message "metadata.namespace: 'other' is not the path's 'default'"
	send 400 PUT $LEASES/conflict "$(lease other)"
	send 404 POST /api/v1/namespaces/nowhere/pods "$(pod bad)"
	is .message "namespaces 'nowhere' not found"
	want 404 GET $P/bad
}

@test "YAML is understood as JSON is" {
	want 201 POST $P -H 'Content-Type: application/yaml' --data-binary $'apiVersion: v1\nkind: Pod\nmetadata: {name: yaml}\nspec:\n  containers:\n  - name: c\n    image: i\n'
	is .metadata.name yaml
	want 400 POST $P -H 'Content-Type: application/yaml' --data-binary $'a: 1\n---\nb: 2\n'
	is .message "body: holds 2 documents; one request writes one object"
}

@test "content types that mean something else are answered 415 and name what is understood" {
	want 415 POST $P -d "$(pod form)"
	is .message "content type 'application/x-www-form-urlencoded': use application/json or application/yaml"
	send 415 PATCH $P/web '{}'
	is .message "content type 'application/json': patches are application/merge-patch+json, application/json-patch+json or application/strategic-merge-patch+json"
	want 200 PATCH $LEASES/conflict -H 'Content-Type: application/strategic-merge-patch+json' -d '{"metadata":{"labels":{"s":"1"}}}'
	is .metadata.labels.s 1
	want 400 PATCH $LEASES/conflict -H 'Content-Type: application/json-patch+json' -d '{}'
	want 400 PATCH $LEASES/conflict -H 'Content-Type: application/json-patch+json' -d '[{"op":"add","path":"x","value":1}]'
	want 422 PATCH $LEASES/conflict -H 'Content-Type: application/json-patch+json' -d '[{"op":"remove","path":"/spec/none"}]'
	want 422 PATCH $LEASES/conflict -H 'Content-Type: application/json-patch+json' -d '[{"op":"replace","path":"/metadata/name","value":"x"}]'
	want 200 PATCH $LEASES/conflict -H 'Content-Type: application/json-patch+json' -d '[{"op":"replace","path":"/metadata/labels/s","value":"2"}]'
	is .metadata.labels.s 2
	want 200 GET $LEASES/conflict -H 'Accept: application/json;as=Table;v=v1;g=meta.k8s.io,application/json'
	is .kind Lease
}

@test "lists are narrowed by labels and fields" {
	namespace lists
	local i
	for i in 1 2 3; do
		send 201 POST /api/v1/namespaces/lists/pods "$(pod "p$i" ".metadata.labels = {app: \"a$i\", all: \"yes\"}")"
	done
	want 200 GET "/api/v1/namespaces/lists/pods?labelSelector=app%20in%20(a1,a3)"
	is '[.items[].metadata.name] | join(",")' p1,p3
	is .kind PodList
	want 200 GET "/api/v1/namespaces/lists/pods?labelSelector=all%3Dyes,app!%3Da1"
	is '[.items[].metadata.name] | join(",")' p2,p3
	want 200 GET "/api/v1/pods?fieldSelector=metadata.namespace%3Dlists,metadata.name%3Dp2"
	is '[.items[].metadata.name] | join(",")' p2
	want 400 GET "/api/v1/pods?fieldSelector=spec.colour%3Dred"
	want 400 GET "/api/v1/pods?labelSelector=%3D%3D"
	is .reason BadRequest
}

@test "a list comes in pages that together hold everything once" {
	namespace pages
	local i token='' all='' n=0 first=''
	for i in {10..34}; do send 201 POST /api/v1/namespaces/pages/pods "$(pod "p$i")"; done
	while :; do
		want 200 GET "/api/v1/namespaces/pages/pods?limit=10&continue=$token"
		all+=$(field '[.items[].metadata.name] | join(" ")')' '
		first=${first:-$(field .metadata.resourceVersion)}
		is .metadata.resourceVersion "$first"
		token=$(field '.metadata.continue // ""')
		n=$((n + 1))
		# What comes meanwhile is told by a watch from the first page's revision on.
		[ $n -ne 1 ] || send 201 POST /api/v1/namespaces/pages/pods "$(pod p09)"
		[ -n "$token" ] || break
	done
	[ "$n" -eq 3 ]
	[ "$all" = "$(echo p{10..34}) " ]
	want 400 GET '/api/v1/namespaces/pages/pods?continue=abc'
	want 400 GET '/api/v1/namespaces/pages/pods?limit=-1'
}

@test "a long list arrives whole, in pieces" {
	namespace long
	local i big
	big=$(head -c 60000 /dev/zero | tr '\0' x)
	for i in {1..40}; do
		pod "p$i" ".metadata.annotations.big = \"$big\"" > "$T/big.json"
		send 201 POST /api/v1/namespaces/long/pods "@$T/big.json"
	done
	want 200 GET /api/v1/namespaces/long/pods
	is '.items | length' 40
	is '[.items[].metadata.annotations.big | length] | unique | tojson' '[60000]'
}

@test "a resourceVersion that is not reached yet, or no longer kept for lists, is said so" {
	want 504 GET '/api/v1/pods?resourceVersion=99999999'
	# By this clients know that they have to list anew.
	is '.details | [.causes[0].reason, .retryAfterSeconds] | join(" ")' 'ResourceVersionTooLarge 1'
	is .reason Timeout
	want 422 GET '/api/v1/pods?resourceVersion=1&resourceVersionMatch=Foo'
	want 422 GET '/api/v1/pods?watch=true&resourceVersionMatch=Foo'
	want 200 GET '/api/v1/pods?limit=9223372036854775807'
	want 410 GET '/api/v1/pods?resourceVersion=1&resourceVersionMatch=Exact'
	want 200 GET '/api/v1/pods?resourceVersion=0'
}

@test "a dry run is answered as the write would be and stores nothing" {
	send 201 POST "$P?dryRun=All&fieldManager=test&fieldValidation=Strict&pretty=true" "$(pod dry)"
	is .status.phase Pending
	want 404 GET $P/dry
	send 422 POST "$P?dryRun=All" "$(pod dry '.spec.nodeName = "a"')"
	want 200 DELETE "$LEASES/conflict?dryRun=All"
	want 200 GET $LEASES/conflict
	want 400 DELETE "$LEASES/conflict?dryRun=Some"
}

@test "a bound Pod is deleted in two steps: its time to end, then its agent's word" {
	send 201 POST /api/v1/nodes "$(node n1)"
	send 201 POST $P "$(pod graceful)"
	bind default graceful n1
	want 200 GET $P/graceful
	is .spec.nodeName n1
	is '.status.conditions[] | select(.type == "PodScheduled") | .status' True
	want 200 DELETE $P/graceful
	is .kind Pod
	is .metadata.deletionGracePeriodSeconds 30
	send 422 DELETE $P/graceful '{"ignoreStoreReadErrorWithClusterBreakingPotential":true}'
	send 200 DELETE $P/graceful '{"apiVersion":"v1","kind":"DeleteOptions","gracePeriodSeconds":7,
		"ignoreStoreReadErrorWithClusterBreakingPotential":false}'
	is .metadata.deletionGracePeriodSeconds 7
	send 409 DELETE $P/graceful '{"preconditions":{"uid":"other"},"gracePeriodSeconds":0}'
	want 200 DELETE "$P/graceful?gracePeriodSeconds=0"
	is .status Success
	want 404 GET $P/graceful
}

@test "a Pod is bound once, and evicted as deleted" {
	send 201 POST /api/v1/nodes "$(node n2)"
	send 201 POST $P "$(pod bound)"
	bind default bound n2
	send 409 POST $P/bound/binding '{"target":{"kind":"Node","name":"n2"}}'
	is .message "pods 'bound' is bound to node 'n2' already"
	send 400 POST $P/bound/binding '{"target":{"kind":"Pod","name":"n2"}}'
	send 422 POST $P "$(pod sneaky '.spec.nodeName = "n2"')"
	send 201 POST $P/bound/eviction '{"apiVersion":"policy/v1","kind":"Eviction","metadata":{"name":"bound"},"deleteOptions":{"gracePeriodSeconds":3}}'
	want 200 GET $P/bound
	is .metadata.deletionGracePeriodSeconds 3
}

@test "a collection is deleted by selector" {
	namespace many
	local i
	for i in 1 2 3; do send 201 POST /api/v1/namespaces/many/pods "$(pod "p$i" ".metadata.labels.n = \"$i\"")"; done
	want 200 DELETE '/api/v1/namespaces/many/pods?labelSelector=n!%3D2'
	is '[.items[].metadata.name] | join(",")' p1,p3
	want 200 GET /api/v1/namespaces/many/pods
	is '[.items[].metadata.name] | join(",")' p2
}

@test "replicas are changed through /scale" {
	local d=/apis/apps/v1/namespaces/default/deployments
	send 201 POST $d "$(deployment scaled 2)"
	want 200 GET $d/scaled/scale
	is .kind Scale
	is .spec.replicas 2
	is .status.selector app=scaled
	local old
	old=$(< "$BODY")
	patch 200 $d/scaled/scale '{"spec":{"replicas":5}}'
	is .spec.replicas 5
	send 409 PUT $d/scaled/scale "$(jq -c '.spec.replicas = 1' <<< "$old")"
	send 422 PUT $d/scaled/scale '{"spec":{"replicas":-1}}'
	send 400 PUT $d/scaled/scale '{"metadata":{"name":"other"},"spec":{"replicas":1}}'
	want 200 GET $d/scaled
	is .spec.replicas 5
	is .metadata.generation 2
	want 404 GET $P/bound/scale
}

@test "log and exec lead to the agent of the Pod's node" {
	send 201 POST /api/v1/nodes "$(node n3)"
	patch 200 /api/v1/nodes/n3/status '{"status":{"addresses":[{"type":"InternalIP","address":"192.0.2.7"}],"daemonEndpoints":{"kubeletEndpoint":{"Port":10250}}}}'
	send 201 POST $P "$(pod talking '.spec.containers += [{name: "d", image: "i"}]')"
	want 400 GET $P/talking/log
	is .message "pod 'talking' is on no node yet"
	bind default talking n3
	want 400 GET $P/talking/log
	is .message "container: pod 'talking' has many, name one of c, d"
	want 307 GET "$P/talking/log?container=d&follow=true&tailLines=5"
	grep -qi '^location: https://192.0.2.7:10250/containerLogs/default/talking/d?follow=true&tailLines=5' "$BODY.head"
	want 307 POST "$P/talking/exec?container=c&command=ls&command=a%26b&stdout=true"
	grep -qi '^location: https://192.0.2.7:10250/exec/default/talking/c?command=ls&command=a%26b&stdout=true' "$BODY.head"
}

@test "a Namespace takes nothing new once it is going, and goes when it is empty" {
	namespace leaving
	send 201 POST /api/v1/nodes "$(node n4)"
	send 201 POST /api/v1/namespaces/leaving/pods "$(pod p)"
	bind leaving p n4
	want 200 DELETE /api/v1/namespaces/leaving
	is .status.phase Terminating
	send 403 POST /api/v1/namespaces/leaving/pods "$(pod q)"
	is .message "namespace 'leaving' is being removed: nothing can be made in it"
	# Its agent has ended the Pod.
	want 200 DELETE '/api/v1/namespaces/leaving/pods/p?gracePeriodSeconds=0'
	local i
	for ((i = 0; i < 200; i++)); do
		want 404 GET /api/v1/namespaces/leaving 2> /dev/null && break
		sleep 0.05
	done
	want 404 GET /api/v1/namespaces/leaving
	want 403 DELETE /api/v1/namespaces/default
	is .reason Forbidden
}

@test "a node's Lease is renewed without a revision, and gone when nobody renews it" {
	scheduler_stop
	# Long enough for three requests on a loaded machine.
	scheduler_start --lease 6
	local l=/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases i
	local lease='{"apiVersion":"coordination.k8s.io/v1","kind":"Lease","metadata":{"name":"n1","namespace":"kube-node-lease"},"spec":{"holderIdentity":"n1","leaseDurationSeconds":600}}'
	send 201 POST $l "$lease"
	is .spec.leaseDurationSeconds 6
	local revision
	revision=$(field .metadata.resourceVersion)
	for i in 1 2 3; do
		patch 200 $l/n1 "{\"spec\":{\"renewTime\":\"2026-11-24T00:00:0$i.000000Z\"}}"
		is .metadata.resourceVersion "$revision"
	done
	want 200 GET $l/n1
	is .spec.renewTime 2026-11-24T00:00:03.000000Z
	for ((i = 0; i < 600; i++)); do
		want 404 GET $l/n1 2> /dev/null && break
		sleep 0.05
	done
	want 404 GET $l/n1
	patch 404 $l/n1 '{"spec":{"renewTime":"2026-11-24T00:00:09.000000Z"}}'
	send 201 POST $l "$lease"
}

@test "what there is can be found out: versions, groups, resources" {
	want 200 GET /api
	is '.versions[0]' v1
	want 200 GET /apis
	is '[.groups[].name] | join(" ")' 'apps coordination.k8s.io'
	want 200 GET /apis/apps
	is .preferredVersion.groupVersion apps/v1
	want 200 GET /apis/apps/v1
	is '[.resources[].name] | join(" ")' 'deployments deployments/status deployments/scale replicasets replicasets/status replicasets/scale'
	want 200 GET /api/v1
	is '.resources[] | select(.name == "pods") | .shortNames[0]' po
	is '.resources[] | select(.name == "nodes") | .namespaced' false
	is '.resources[] | select(.name == "pods/eviction") | .kind' Eviction
	want 200 GET /version
	is .minor 33
	want 200 GET /readyz
	[ "$(< "$BODY")" = ok ]
	want 404 GET /apis/batch/v1
	want 404 GET /api/v1/secrets
	want 404 GET //api/v1/pods
	want 404 GET $P/bound/portforward
	want 405 POST /api/v1/pods
	want 405 PUT $P
	is .reason MethodNotAllowed
	want 405 DELETE /version
}

@test "too much, too deep, or not HTTP at all is refused, and the server goes on" {
	head -c 1700000 /dev/zero | tr '\0' ' ' > "$T/large"
	send 413 POST $P "@$T/large"
	is .reason RequestEntityTooLarge
	# Small enough to be read, too large to be kept.
	head -c 100000 /dev/zero | tr '\0' x > "$T/value"
	pod large | jq -c --rawfile v "$T/value" '.spec.containers[0].env = [range(12) | {name: "K\(.)", value: $v}]' > "$T/large"
	send 413 POST $P "@$T/large"
	printf '%s' "$(printf '[%.0s' {1..2000})" > "$T/deep"
	send 400 POST $P "@$T/deep"
	raw 'NON SENSE HTTP/1.1\r\n\r\n' | grep -q '^HTTP/1.[01] 400'
	[ -z "$(raw 'NONSENSE\r\n\r\n')" ]
	raw "GET /healthz HTTP/1.1\r\nHost: x\r\nX-Long: $(head -c 100000 /dev/zero | tr '\0' x)\r\n\r\n" | grep -q '^HTTP/1.[01] 4'
	printf '{"metadata":{"name":"a\\u0000b"}}' > "$T/nul"
	send 400 POST $P "@$T/nul"
	want 404 GET "$P/%2e%2e%2fweb"
	want 200 GET /healthz
}

@test "each write leaves one line that says who did what" {
	send 201 POST $P "$(pod audited)"
	local revision
	revision=$(field .metadata.resourceVersion)
	send 409 POST $P "$(pod audited)"
	run jq -c 'select(.msg == "audit" and .verb == "create" and .name == "audited") | [.who, .uid, .resource, .namespace, .code, .resourceVersion]' "$T/log"
	[ "${lines[0]}" = "[\"local:administrator\",\"$(id -u)\",\"pods\",\"default\",\"201\",\"$revision\"]" ]
	run jq -c 'select(.msg == "audit" and .code == "409" and .verb == "create") | .resource' "$T/log"
	[ "${#lines[@]}" -ge 1 ]
	# Reading is no write.
	run jq -c 'select(.msg == "audit" and .verb == "get")' "$T/log"
	[ -z "$output" ]
}

@test "figures are Prometheus' text format with the conventional names" {
	want 200 GET /metrics
	local name
	for name in apiserver_request_total apiserver_request_duration_seconds_bucket scheduler_schedule_attempts_total \
		scheduler_scheduling_attempt_duration_seconds_bucket apiserver_storage_objects stube_nodes stube_watchers \
		stube_store_commits_total stube_store_bytes process_resident_memory_bytes process_cpu_seconds_total \
		process_start_time_seconds; do
		grep -q "^${name}[{ ]" "$BODY" || { echo "no $name"; false; }
	done
	grep -q '^apiserver_request_total{verb="create",resource="pods",code="201"} [0-9]' "$BODY"
	# Each sample belongs to a family declared before it, each family is declared once, each series comes once.
	run awk '
		/^# HELP / { if (seen[$3]++) print "twice: " $3; next }
		/^# TYPE / { type[$3] = $4; if ($4 !~ /^(counter|gauge|histogram)$/) print "type: " $0; next }
		/^#/ || /^$/ { print "line: " $0; next }
		!/^[a-zA-Z_:][a-zA-Z0-9_:]*({[a-zA-Z_]+="[^"]*"(,[a-zA-Z_]+="[^"]*")*})? -?([0-9.]+(e[-+]?[0-9]+)?|\+Inf|NaN)$/ { print "sample: " $0; next }
		{ series = $1; if (all[series]++) print "twice: " series
		  name = series; sub(/{.*/, "", name); base = name; sub(/_(bucket|sum|count)$/, "", base)
		  if (!(name in type) && !(type[base] == "histogram")) print "undeclared: " name }' "$BODY"
	[ -z "$output" ] || { echo "$output"; false; }
	if command -v promtool > /dev/null; then promtool check metrics < "$BODY"; fi
}
