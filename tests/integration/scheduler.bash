# tests/integration/scheduler.bash: a scheduler on a store of its own, asked by curl.
# Use: load scheduler; setup_file() { scheduler_setup; }; teardown_file() { scheduler_teardown; }

SCHEDULER=${SCHEDULER_BIN:-$BATS_TEST_DIRNAME/../../build/bin/stube-scheduler}

scheduler_setup() {
	export T
	T=$(mktemp -d "${TMPDIR:-/tmp}/stube-scheduler.XXXXXX")
	scheduler_start "$@"
}

# Start, and wait until it serves. Its log is appended to $T/log.
scheduler_start() {
	# Sanitizers' reports go to files of their own.
	ASAN_OPTIONS=log_path=$T/asan "$SCHEDULER" --store "$T/store.db" --socket "$T/s.sock" --log-format json "$@" \
		2>> "$T/log" 3>&- &
	echo $! > "$T/pid"
	scheduler_wait "$@"
}
scheduler_wait() {
	local i
	for ((i = 0; i < 200; i++)); do
		curl -s -o "$T/ready" --unix-socket "$T/s.sock" http://localhost/readyz && return 0
		kill -0 "$(< "$T/pid")" 2> /dev/null || break
		sleep 0.05
	done
	echo "the scheduler does not serve:" >&2
	tail -5 "$T/log" >&2
	return 1
}
# Bytes as they are, over the Unix socket; prints what comes back within ten seconds.
raw() {
	python3 -c '
import socket, sys
s = socket.socket(socket.AF_UNIX)
s.settimeout(10)
s.connect(sys.argv[1])
try:
    s.sendall(sys.argv[2].encode().decode("unicode_escape").encode())
    while True:
        b = s.recv(65536)
        if not b:
            break
        sys.stdout.write(b.decode(errors="replace"))
        if b"\r\n\r\n" in b:
            break
except OSError:
    pass
' "$T/s.sock" "$1"
}
# [SIGNAL]; waits for the end.
# shellcheck disable=SC2120 # tests give it
scheduler_stop() {
	local pid
	pid=$(< "$T/pid")
	kill "-${1:-TERM}" "$pid" 2> /dev/null
	while kill -0 "$pid" 2> /dev/null; do sleep 0.02; done
	wait "$pid" 2> /dev/null || true
}
scheduler_teardown() {
	[ -e "$T/pid" ] && scheduler_stop
	local bad=0
	if compgen -G "$T/asan*" > /dev/null; then cat "$T"/asan* >&2; bad=1; fi
	rm -rf "$T"
	return $bad
}

# want CODE METHOD PATH [CURL-ARGUMENT...]: the answer must have that code; its body is in $BODY.
want() {
	local code=$1 method=$2 path=$3 got
	shift 3
	BODY=$T/body.${BATS_TEST_NUMBER:-0}
	got=$(curl -s -m 30 -o "$BODY" -D "$BODY.head" -w '%{http_code}' --unix-socket "$T/s.sock" -X "$method" \
		"$@" "http://localhost$path")
	[ "$got" = "$code" ] && return 0
	echo "$method $path: $got instead of $code" >&2
	cat "$BODY" >&2
	return 1
}
# The same with a JSON or YAML body, or with a merge patch.
send() {
	local code=$1 method=$2 path=$3 body=$4
	shift 4
	want "$code" "$method" "$path" -H 'Content-Type: application/json' --data-binary "$body" "$@"
}
patch() {
	local code=$1 path=$2 body=$3
	shift 3
	want "$code" PATCH "$path" -H 'Content-Type: application/merge-patch+json' --data-binary "$body" "$@"
}
field() {
	jq -r "$1" "$BODY"
}
# is JQ-FILTER EXPECTED: of the last body.
is() {
	local got
	got=$(field "$1")
	[ "$got" = "$2" ] && return 0
	echo "$1 is '$got', not '$2' in:" >&2
	cat "$BODY" >&2
	return 1
}

pod() { # NAME [JQ-FILTER]
	jq -nc --arg name "$1" '{apiVersion: "v1", kind: "Pod", metadata: {name: $name},
		spec: {containers: [{name: "c", image: "registry.example.org/web:1"}]}} | '"${2:-.}"
}
node() { # NAME [JQ-FILTER]
	jq -nc --arg name "$1" '{apiVersion: "v1", kind: "Node", metadata: {name: $name}} | '"${2:-.}"
}
# An object that no controller touches: a Lease outside the nodes' namespace.
export LEASES=/apis/coordination.k8s.io/v1/namespaces/default/leases
lease() { # NAME [JQ-FILTER]
	jq -nc --arg name "$1" '{apiVersion: "coordination.k8s.io/v1", kind: "Lease", metadata: {name: $name}, spec: {}} | '"${2:-.}"
}
deployment() { # NAME REPLICAS
	jq -nc --arg name "$1" --argjson n "$2" '{apiVersion: "apps/v1", kind: "Deployment", metadata: {name: $name},
		spec: {replicas: $n, selector: {matchLabels: {app: $name}}, template: {metadata: {labels: {app: $name}},
		spec: {containers: [{name: "c", image: "registry.example.org/web:1"}]}}}}'
}
namespace() { # NAME
	send 201 POST /api/v1/namespaces "{\"apiVersion\":\"v1\",\"kind\":\"Namespace\",\"metadata\":{\"name\":\"$1\"}}"
}
bind() { # NAMESPACE POD NODE
	send 201 POST "/api/v1/namespaces/$1/pods/$2/binding" \
		"{\"apiVersion\":\"v1\",\"kind\":\"Binding\",\"metadata\":{\"name\":\"$2\"},\"target\":{\"kind\":\"Node\",\"name\":\"$3\"}}"
}

# watch PATH: in the background, its lines in $W.
watch() {
	W=$T/watch.$BATS_TEST_NUMBER
	curl -sN -m 60 --unix-socket "$T/s.sock" "http://localhost$1" > "$W" 3>&- &
	WATCH=$!
}
watch_end() {
	[ -z "${WATCH:-}" ] && return 0
	kill "$WATCH" 2> /dev/null || true
	wait "$WATCH" 2> /dev/null || true
	WATCH=
}
# told JQ-FILTER EXPECTED: the watch's lines, joined by spaces; waited for.
told() {
	local i got
	for ((i = 0; i < 200; i++)); do
		got=$(jq -r "$1" "$W" 2> /dev/null | paste -sd' ')
		[ "$got" = "$2" ] && return 0
		sleep 0.05
	done
	echo "$1 is '$got', not '$2' in:" >&2
	cat "$W" >&2
	return 1
}
revision() {
	want 200 GET "/api/v1/pods?limit=1"
	field .metadata.resourceVersion
}
