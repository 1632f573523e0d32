# tests/integration/agent.bash: a cluster of a scheduler and agents in a world of its own for each test.
# shellcheck source=tests/integration/pods.bash
. "tests/integration/pods.bash"

# A scheduler on a Unix socket; its nodes are lost after LEASE seconds.
cluster_setup() {
	pods_setup
	SOCKET=$STUBE_RUN/scheduler.sock
	SCHEDULER='' AGENT='' RELAY=''
	mkdir -p "$STUBE_RUN" "$STUBE_DATA"
	chmod 700 "$STUBE_RUN" "$STUBE_DATA"
	scheduler_start
}

scheduler_start() {
	"$BIN/stube-scheduler" --store "$WORK/store.db" --socket "$SOCKET" --lease "${LEASE:-40}" \
		>> "$WORK/scheduler.log" 2>&1 3>&- 4>&- &
	SCHEDULER=$!
	eventually api GET /readyz
}
scheduler_kill() {
	kill -9 "$SCHEDULER"
	wait "$SCHEDULER" 2> /dev/null || true
	SCHEDULER=
}

# agent_start [OPTIONS]: node "one".
agent_start() {
	"${AGENT_PROGRAM:-$BIN/stube-agent}" --name one --programs "$BIN" "$@" >> "$WORK/agent.log" 2>&1 3>&- 4>&- &
	AGENT=$!
	eventually agent_get /healthz
}
agent_end() {
	kill -TERM "$AGENT"
	wait "$AGENT"
	AGENT=
}
agent_kill() {
	kill -9 "$AGENT"
	wait "$AGENT" 2> /dev/null || true
	AGENT=
}

# api METHOD PATH [BODY [TYPE]]: an answer that is not 2xx fails.
api() {
	curl -sS --fail-with-body --unix-socket "$SOCKET" -X "$1" -H "Content-Type: ${4:-application/json}" \
		${3:+--data-binary "$3"} "http://localhost$2"
}
# agent_get PATH [CURL-OPTIONS]
agent_get() {
	local path=$1
	shift
	curl -sS --fail-with-body --max-time 60 --unix-socket "$STUBE_RUN/agent.sock" "$@" "http://localhost$path"
}
no_containers() { [ -z "$(monitors)" ] && [ -z "$(find "$STUBE_RUN/agent/containers" "$STUBE_DATA/agent/pods" -mindepth 1)" ]; }

PODS=/api/v1/namespaces/default/pods
NODES=/api/v1/nodes

# apply NAME SCRIPT [JQ-FILTER]: create a Pod, and bind it to node "one" unless the scheduler is faster.
apply() {
	api POST "$PODS" "$(pod "$1" "$2" "del(.metadata.uid, .metadata.generation, .spec.nodeName) | ${3:-.}")" > /dev/null
	api POST "$PODS/$1/binding" "{\"apiVersion\":\"v1\",\"kind\":\"Binding\",\"metadata\":{\"name\":\"$1\"},\"target\":{\"kind\":\"Node\",\"name\":\"one\"}}" > /dev/null 2>&1 || true
	eventually bound "$1"
}
bound() { [ "$(api GET "$PODS/$1" | jq -r .spec.nodeName)" = one ]; }
pod_is() { [ "$(api GET "$PODS/$1" | jq -r "$2")" = "$3" ]; }
runs() { pod_is "$1" .status.phase Running; }
no_pod() { ! api GET "$PODS/$1" > /dev/null 2>&1; }
uid_of() { api GET "$PODS/$1" | jq -r .metadata.uid; }
node_ready() { api GET "$NODES/one" | jq -e '.status.conditions[] | select(.type == "Ready") | .status == "'"${1:-True}"'"' > /dev/null; }
events() { api GET /api/v1/namespaces/default/events | jq -r ".items[] | select(.involvedObject.name == \"$1\") | .reason"; }

# exec_in POD QUERY [CLIENT-OPTIONS]: a command over the WebSocket of the Unix socket.
exec_in() {
	local pod=$1 query=$2
	shift 2
	timeout 120 python3 tests/integration/exec-client.py "$@" "unix:$STUBE_RUN/agent.sock" "/exec/default/$pod/main?$query"
}

cluster_teardown() {
	local p
	for p in $AGENT $SCHEDULER $RELAY; do
		kill -9 "$p" 2> /dev/null
		wait "$p" 2> /dev/null
	done
	[ -n "${BATS_TEST_COMPLETED-}" ] || tail -n 30 "$WORK/agent.log" "$WORK/scheduler.log"
	pods_teardown
}
