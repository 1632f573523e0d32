#!/usr/bin/env bats
# The object API over TLS: who somebody is by certificate, and what he may do then.

load scheduler

setup_file() {
	export T
	T=$(mktemp -d "${TMPDIR:-/tmp}/stube-scheduler.XXXXXX")
	cd "$T" || return
	authority ca
	authority stranger-ca
	certificate server /CN=scheduler ca 'subjectAltName=IP:127.0.0.1,DNS:localhost
extendedKeyUsage=serverAuth'
	local name
	for name in "admin /O=system:masters/CN=anna" "viewer /O=stube:viewers/CN=vera" "node1 /O=system:nodes/CN=system:node:n1" \
		"node2 /O=system:nodes/CN=system:node:n2" "nothing /CN=norbert"; do
		certificate "${name%% *}" "${name#* }" ca extendedKeyUsage=clientAuth
	done
	certificate forged /O=system:masters/CN=eve stranger-ca extendedKeyUsage=clientAuth
	scheduler_start --listen 127.0.0.1:0 --cert server.crt --key server.key --client-ca ca.crt --metrics 127.0.0.1:0
	ports
	as 201 admin POST /api/v1/namespaces/default/pods "$(pod p1 '.spec.volumes = [{name: "v", persistentVolumeClaim: {claimName: "data1"}}]')"
	as 201 admin POST /api/v1/namespaces/default/pods "$(pod p2)"
	as 201 admin POST /api/v1/namespaces/default/persistentvolumeclaims "$(claim data1)"
	as 201 admin POST /api/v1/namespaces/default/persistentvolumeclaims "$(claim data2)"
	as 201 node1 POST /api/v1/nodes "$(node n1 '.metadata.labels["stube/protection-class"] = "high"')"
	as 201 node2 POST /api/v1/nodes "$(node n2)"
	bind default p1 n1
	bind default p2 n2
}
teardown_file() { scheduler_teardown; }

authority() { # NAME
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=$1" -keyout "$1.key" \
		-out "$1.crt" -addext basicConstraints=critical,CA:true -addext keyUsage=critical,keyCertSign 2> /dev/null
}
certificate() { # NAME SUBJECT AUTHORITY EXTENSIONS
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "$2" -keyout "$T/$1.key" -out "$T/$1.csr" 2> /dev/null
	openssl x509 -req -in "$T/$1.csr" -CA "$T/$3.crt" -CAkey "$T/$3.key" -CAcreateserial -days 2 \
		-extfile <(printf '%s\n' "$4") -out "$T/$1.crt" 2> /dev/null
}
claim() {
	jq -nc --arg name "$1" '{apiVersion: "v1", kind: "PersistentVolumeClaim", metadata: {name: $name},
		spec: {accessModes: ["ReadWriteOnce"], resources: {requests: {storage: "1Gi"}}}}'
}
# The ports that the kernel chose, from the log's last start.
ports() {
	PORT=$(jq -r 'select(.msg == "listening" and .port) | .port' "$T/log" | tail -2 | head -1)
	METRICS=$(jq -r 'select(.msg == "listening" and .port) | .port' "$T/log" | tail -1)
	export PORT METRICS
}
# as CODE WHO METHOD PATH [JSON]: with that client certificate; "-": none.
as() {
	local code=$1 who=$2 method=$3 path=$4 got args=()
	BODY=$T/body.tls
	[ "$who" = - ] || args=(--cert "$T/$who.crt" --key "$T/$who.key")
	[ $# -lt 5 ] || args+=(-H "Content-Type: ${TYPE:-application/json}" --data-binary "$5")
	got=$(curl -s -m 20 -o "$BODY" -w '%{http_code}' --cacert "$T/ca.crt" "${args[@]}" -X "$method" "https://127.0.0.1:$PORT$path")
	[ "$got" = "$code" ] && return 0
	echo "$who $method $path: $got instead of $code" >&2
	cat "$BODY" >&2
	return 1
}
as_patch() {
	TYPE=application/merge-patch+json as "$1" "$2" PATCH "$3" "$4"
}
setup() { ports; }

P=/api/v1/namespaces/default/pods

@test "without a certificate nothing is to be had but signs of life" {
	local path
	for path in /healthz /livez /readyz /version; do as 200 - GET "$path"; done
	for path in /api /apis /metrics $P $P/p1 /api/v1/nodes /api/v1/secrets /nothing '/api/v1/pods?watch=true'; do
		as 401 - GET "$path"
		is .reason Unauthorized
	done
	as 401 - POST $P "$(pod x)"
}

@test "a certificate of another authority does not get past the handshake" {
	run curl -s -m 10 --cacert "$T/ca.crt" --cert "$T/forged.crt" --key "$T/forged.key" "https://127.0.0.1:$PORT$P"
	[ "$status" -ne 0 ] && [ -z "$output" ]
}

@test "a certificate without a role may nothing, and is told who it is" {
	as 403 nothing GET $P
	is .message "'norbert' may not list pods in namespace default"
	as 403 nothing GET /api
	as 200 nothing GET /version
}

@test "viewers read all and write nothing" {
	as 200 viewer GET $P
	as 200 viewer GET /api/v1/nodes/n1
	as 200 viewer GET /metrics
	as 200 viewer GET /apis
	as 403 viewer POST $P "$(pod x)"
	as 403 viewer DELETE $P/p1
	as 403 viewer DELETE $P
	as_patch 403 viewer $P/p1 '{"metadata":{"labels":{"a":"b"}}}'
	as 403 viewer GET "$P/p1/log"
	as 403 viewer POST "$P/p1/exec?command=id"
	is .message "'vera' may not create pods/exec 'p1' in namespace default"
}

@test "an agent sees its own Pods only" {
	as 200 node1 GET '/api/v1/pods?fieldSelector=spec.nodeName%3Dn1'
	is '[.items[].metadata.name] | join(" ")' p1
	as 200 node1 GET $P/p1
	as 403 node1 GET $P/p2
	as 403 node1 GET $P
	as 403 node1 GET '/api/v1/pods?fieldSelector=spec.nodeName%3Dn2'
	as 403 node1 GET '/api/v1/pods?fieldSelector=spec.nodeName!%3Dn1'
	as 403 node1 GET '/api/v1/pods?watch=true'
	as 404 node1 GET $P/gone
	as 403 node1 POST $P "$(pod x)"
	as 403 node1 POST $P/p2/binding '{"target":{"kind":"Node","name":"n1"}}'
	as 403 node1 GET /api/v1/namespaces
	as 403 node1 GET /apis/apps/v1/deployments
	as 403 node1 GET /apis/stube/v1/drain/n1
}

@test "an agent tells the status of its own Pods, and ends only what somebody has deleted" {
	as_patch 200 node1 $P/p1/status '{"status":{"phase":"Running"}}'
	as_patch 403 node1 $P/p2/status '{"status":{"phase":"Running"}}'
	as_patch 403 node1 $P/p1 '{"metadata":{"labels":{"a":"b"}}}'
	as 403 node1 DELETE "$P/p1?gracePeriodSeconds=0"
	is .message "'system:node:n1' may not delete pods 'p1' in namespace default: nobody has deleted it"
	as 201 admin POST $P "$(pod short)"
	bind default short n1
	as 200 admin DELETE $P/short
	as 403 node2 DELETE "$P/short?gracePeriodSeconds=0"
	as 200 node1 DELETE "$P/short?gracePeriodSeconds=0"
	as 404 admin GET $P/short
}

@test "an agent writes its own Node, but not what decides who may come to it" {
	as 200 node1 GET /api/v1/nodes/n1
	as 403 node1 GET /api/v1/nodes/n2
	as 403 node1 GET /api/v1/nodes
	as 200 node1 GET '/api/v1/nodes?fieldSelector=metadata.name%3Dn1'
	as 403 node1 POST /api/v1/nodes "$(node n3)"
	is .message "'system:node:n1' may not create nodes: it is another node's"
	as_patch 200 node1 /api/v1/nodes/n1 '{"metadata":{"labels":{"kernel":"6.12"}}}'
	as_patch 200 node1 /api/v1/nodes/n1/status '{"status":{"capacity":{"cpu":"4"}}}'
	as_patch 403 node1 /api/v1/nodes/n2/status '{"status":{"capacity":{"cpu":"4"}}}'
	as_patch 403 node1 /api/v1/nodes/n1 '{"metadata":{"labels":{"stube/protection-class":"very-high"}}}'
	as_patch 403 node1 /api/v1/nodes/n1 '{"metadata":{"labels":{"stube/protection-class":null}}}'
	as_patch 200 admin /api/v1/nodes/n1 '{"spec":{"unschedulable":true}}'
	as_patch 403 node1 /api/v1/nodes/n1 '{"spec":{"unschedulable":null}}'
	as 200 node1 GET /api/v1/nodes/n1
	as 403 node1 PUT /api/v1/nodes/n1 "$(jq -c '.spec = {}' "$BODY")"
	as_patch 200 admin /api/v1/nodes/n1 '{"spec":{"unschedulable":null},"metadata":{"labels":{"stube/protection-class":"very-high"}}}'
	as 403 node1 DELETE /api/v1/nodes/n1
}

@test "an agent reads the claims whose data it has, and no others" {
	local c=/api/v1/namespaces/default/persistentvolumeclaims
	as 200 node1 GET $c/data1
	is .status.phase Bound
	as 403 node2 GET $c/data1
	as 403 node1 GET $c/data2
	as 200 node1 GET $c
	is '[.items[].metadata.name] | join(" ")' data1
	as 200 node2 GET $c
	is '.items | length' 0
	as_patch 403 node1 $c/data1 '{"metadata":{"labels":{"a":"b"}}}'
}

@test "an agent keeps its own Lease, and tells Events of its own" {
	local l=/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases
	local lease='{"apiVersion":"coordination.k8s.io/v1","kind":"Lease","metadata":{"name":"NAME","namespace":"kube-node-lease"},"spec":{"holderIdentity":"NAME"}}'
	local event='{"apiVersion":"v1","kind":"Event","metadata":{"generateName":"e-","namespace":"default"},"involvedObject":{"kind":"Pod","namespace":"default","name":"NAME"},"reason":"Pulled","type":"Normal"}'
	as 201 node1 POST $l "${lease//NAME/n1}"
	is .spec.leaseDurationSeconds 40
	as_patch 200 node1 $l/n1 '{"spec":{"renewTime":"2026-11-24T00:00:01.000000Z"}}'
	as 403 node1 POST $l "${lease//NAME/n2}"
	as_patch 403 node2 $l/n1 '{"spec":{"holderIdentity":"n2"}}'
	as 201 node1 POST /api/v1/namespaces/default/events "${event//NAME/p1}"
	as 403 node1 POST /api/v1/namespaces/default/events "${event//NAME/p2}"
	is '.message | endswith(": it is about another node'"'"'s Pod")' true
	as 403 node1 GET /api/v1/events
}

@test "an agent's watch shows no other node's Pod, also after a restart" {
	local from
	as 200 admin GET $P
	from=$(field .metadata.resourceVersion)
	as_patch 200 admin $P/p2 '{"metadata":{"labels":{"secret":"x"}}}'
	as_patch 200 admin $P/p1 '{"metadata":{"labels":{"mine":"y"}}}'
	scheduler_stop KILL
	scheduler_start --listen 127.0.0.1:0 --cert "$T/server.crt" --key "$T/server.key" --client-ca "$T/ca.crt" --metrics 127.0.0.1:0
	ports
	as 200 node1 GET "/api/v1/pods?watch=true&timeoutSeconds=1&fieldSelector=spec.nodeName%3Dn1&resourceVersion=$from"
	[ "$(jq -r .object.metadata.name "$BODY" | paste -sd' ')" = p1 ]
	as 200 node1 GET "/api/v1/persistentvolumeclaims?watch=true&timeoutSeconds=1"
	[ "$(jq -r .object.metadata.name "$BODY" | paste -sd' ')" = data1 ]
}

@test "the metrics port gives figures and signs of life, and nothing else" {
	curl -s -m 10 "http://127.0.0.1:$METRICS/metrics" | grep -q '^apiserver_request_total'
	[ "$(curl -s -m 10 "http://127.0.0.1:$METRICS/healthz")" = ok ]
	[ "$(curl -s -m 10 -o /dev/null -w '%{http_code}' "http://127.0.0.1:$METRICS$P")" = 404 ]
	[ "$(curl -s -m 10 -o /dev/null -w '%{http_code}' -X POST "http://127.0.0.1:$METRICS/metrics")" = 405 ]
}

@test "certificates renewed on disk are used, and a broken one does not harm" {
	local i serial
	certificate new /CN=scheduler-new ca 'subjectAltName=IP:127.0.0.1
extendedKeyUsage=serverAuth'
	echo nonsense > "$T/server.crt.new"
	mv "$T/server.crt.new" "$T/server.crt"
	for ((i = 0; i < 200; i++)); do
		grep -q 'the certificates in use stay' "$T/log" && break
		sleep 0.05
	done
	as 200 admin GET /version
	cp "$T/new.key" "$T/server.key.new"
	cp "$T/new.crt" "$T/server.crt.new"
	mv "$T/server.key.new" "$T/server.key"
	mv "$T/server.crt.new" "$T/server.crt"
	for ((i = 0; i < 200; i++)); do
		serial=$(openssl s_client -connect "127.0.0.1:$PORT" < /dev/null 2> /dev/null | openssl x509 -noout -subject)
		[ "$serial" = "subject=CN = scheduler-new" ] && break
		sleep 0.05
	done
	[ "$serial" = "subject=CN = scheduler-new" ]
	kill -HUP "$(< "$T/pid")"
	as 200 admin GET /version
	# Of all that was refused and told, no key.
	! grep -q 'PRIVATE KEY' "$T/log"
}

@test "another user of this machine is known and may nothing" {
	[ "$(id -u)" -eq 0 ] || skip "needs root to become another user"
	chmod 755 "$T"
	chmod 666 "$T/s.sock"
	run setpriv --reuid=65534 --clear-groups curl -s -m 10 -o /dev/null -w '%{http_code}' --unix-socket "$T/s.sock" "http://localhost$P"
	[ "$output" = 403 ]
	run setpriv --reuid=65534 --clear-groups curl -s -m 10 -o /dev/null -w '%{http_code}' --unix-socket "$T/s.sock" http://localhost/healthz
	[ "$output" = 200 ]
}
