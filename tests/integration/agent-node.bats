#!/usr/bin/env bats
# tests/integration/agent-node.bats: a node and its scheduler: registration, Pods, logs, commands, restarts, lost contact.
load agent

setup() { cluster_setup; }
teardown() { cluster_teardown; }

@test "a node registers with what it has, its labels and taints, and is ready" {
	agent_start --label topology.kubernetes.io/zone=dc-1 --taint gpu=yes:NoSchedule --reserve-cpu 500m --max-pods 7 \
		--address 192.0.2.9
	eventually node_ready
	node=$(api GET "$NODES/one")
	jq -e '.metadata.labels == {"kubernetes.io/hostname": "one", "kubernetes.io/os": "linux",
		"kubernetes.io/arch": .status.nodeInfo.architecture, "topology.kubernetes.io/zone": "dc-1"}' <<< "$node"
	jq -e '.spec.taints | map(select(.key == "gpu")) == [{key: "gpu", value: "yes", effect: "NoSchedule"}]' <<< "$node"
	jq -e '.status.addresses == [{type: "InternalIP", address: "192.0.2.9"}, {type: "Hostname", address: "one"}]' <<< "$node"
	jq -e '.status.capacity.pods == "7" and .status.allocatable.cpu != .status.capacity.cpu' <<< "$node"
	jq -e '.status.nodeInfo.containerRuntimeVersion | startswith("stube-runtime://")' <<< "$node"
	jq -e '.metadata.annotations["stube/supported"] | test("^[0-9.]+ [0-9a-f]{16}$")' <<< "$node"
	jq -e '[.status.conditions[] | .type] | sort == ["DiskPressure", "MemoryPressure", "PIDPressure", "Ready"]' <<< "$node"
	jq -e '.status.images[0].names == ["localhost/t/sh:1"]' <<< "$node"
	[ "$(api GET /apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/one | jq -r .spec.holderIdentity)" = one ]
	[ "$(events one)" = Starting ]
}

@test "a node that is known keeps what others gave it, and gets its own labels again" {
	agent_start --label a=1 --taint gpu=yes:NoSchedule
	eventually node_ready
	agent_end
	api PATCH "$NODES/one" '{"metadata":{"labels":{"a":"2","by":"hand"}},"spec":{"taints":null,"unschedulable":true}}' \
		application/merge-patch+json > /dev/null
	agent_start --label a=1 --taint gpu=yes:NoSchedule
	eventually agent_get /readyz
	node=$(api GET "$NODES/one")
	jq -e '.metadata.labels.a == "1" and .metadata.labels.by == "hand" and .spec.unschedulable' <<< "$node"
	jq -e '[.spec.taints // [] | .[] | select(.key == "gpu")] == []' <<< "$node"
}

@test "a machine that was started anew is told as an event, with its new boot id" {
	agent_start
	eventually node_ready
	agent_end
	api PATCH "$NODES/one/status" '{"status":{"nodeInfo":{"bootID":"00000000-0000-4000-8000-000000000000"}}}' \
		application/merge-patch+json > /dev/null
	agent_start
	rebooted() { events one | grep -qx Rebooted; }
	eventually rebooted
	told() { [ "$(api GET "$NODES/one" | jq -r .status.nodeInfo.bootID)" = "$(cat /proc/sys/kernel/random/boot_id)" ]; }
	eventually told
}

@test "the protection class that an administrator gave stays, whatever the options say" {
	agent_start --label stube/protection-class=very-high
	eventually node_ready
	[ "$(api GET "$NODES/one" | jq -r '.metadata.labels["stube/protection-class"]')" = very-high ]
	api PATCH "$NODES/one" '{"metadata":{"labels":{"stube/protection-class":"high"}}}' application/merge-patch+json > /dev/null
	agent_end
	agent_start --label stube/protection-class=very-high
	eventually agent_get /readyz
	[ "$(api GET "$NODES/one" | jq -r '.metadata.labels["stube/protection-class"]')" = high ]
	grep -q 'the node keeps its protection class: only an administrator changes it node=one class=high option=very-high' \
		"$WORK/agent.log"
}

@test "a Node that was removed is registered again by its agent" {
	LEASE=3
	scheduler_kill
	scheduler_start
	agent_start
	eventually node_ready
	old=$(api GET "$NODES/one" | jq -r .metadata.uid)
	api DELETE "$NODES/one" > /dev/null
	registered_anew() { [ "$(api GET "$NODES/one" | jq -r .metadata.uid)" != "$old" ] && node_ready; }
	eventually registered_anew || eventually registered_anew
}

@test "a Pod bound to the node runs, tells its status and its story, and goes when it is deleted" {
	agent_start
	eventually node_ready
	apply web 'echo hello; exec sleep 1000'
	eventually runs web
	api GET "$PODS/web" | jq -e '.status | .containerStatuses[0].ready and .hostIP != null
		and (.containerStatuses[0].imageID | test("^localhost/t/sh(:1)?@sha256:"))
		and ([.conditions[] | select(.type == "Ready") | .status] == ["True"])'
	pid=$(pid "$(uid_of web)" 0)
	[ -d "/proc/$pid" ]
	api DELETE "$PODS/web" > /dev/null
	eventually no_pod web
	[ ! -d "/proc/$pid" ]
	events web | grep -qx Started
	eventually no_containers
}

@test "a Pod that ends by itself has succeeded, one that fails is restarted or has failed" {
	agent_start
	eventually node_ready
	apply once 'exit 0' '.spec.restartPolicy = "Never"'
	apply bad 'exit 7' '.spec.restartPolicy = "Never"'
	apply again 'exit 7'
	eventually pod_is once .status.phase Succeeded
	eventually pod_is bad .status.phase Failed
	pod_is bad '.status.containerStatuses[0].state.terminated.exitCode' 7
	eventually pod_is again '.status.containerStatuses[0].lastState.terminated.exitCode' 7
	metrics=$(agent_get /metrics)
	grep -q '^kubelet_pod_start_duration_seconds_count [1-9]' <<< "$metrics"
}

@test "logs: all, the last lines, since, with times, limited, of the run before, followed to the end" {
	agent_start
	eventually node_ready
	apply web 'i=1; while [ $i -le 50 ]; do echo line $i; i=$((i + 1)); done; echo err >&2; until [ -e /tmp/end ]; do sleep 0.1; done; echo over; exit 3'
	wrote() { [ "$(agent_get /containerLogs/default/web/main | wc -l)" -ge 51 ]; }
	eventually wrote
	log=/containerLogs/default/web/main
	[ "$(agent_get $log | head -1)" = "line 1" ]
	[ "$(agent_get "$log?tailLines=2")" = "$(printf 'line 50\nerr')" ]
	[ "$(agent_get "$log?tailLines=0" | wc -c)" = 0 ]
	[ "$(agent_get "$log?limitBytes=9")" = "$(printf 'line 1\nli')" ]
	agent_get "$log?tailLines=1&timestamps=true" | grep -qE '^20[0-9-]+T[0-9:]+\.[0-9]{9}Z err$'
	[ "$(agent_get "$log?sinceTime=2020-01-01T00:00:00Z" | wc -l)" = 51 ]
	[ "$(agent_get "$log?sinceTime=2999-01-01T00:00:00Z" | wc -l)" = 0 ]
	run agent_get "$log?previous=true"
	[[ "$output" == *"container 'main' of Pod 'default/web' has not run before"* ]]
	run agent_get "$log?tailLines=x"
	[[ "$output" == *"tailLines: 'x' is no whole number"* ]]
	# A reader that follows gets the rest, and its end with the container's.
	agent_get "$log?follow=true&tailLines=1" -N > "$WORK/followed" 3>&- &
	follower=$!
	followed() { grep -qx err "$WORK/followed"; }
	eventually followed
	exec_in web 'command=touch&command=/tmp/end'
	wait $follower
	[ "$(cat "$WORK/followed")" = "$(printf 'err\nover')" ]
	again() { [ "$(agent_get "$log?previous=true&tailLines=1")" = over ]; }
	eventually again || eventually again
}

@test "commands: output, exit code, input, a terminal, and what cannot be run" {
	agent_start
	eventually node_ready
	apply web 'exec sleep 1000'
	eventually runs web
	run exec_in web 'command=sh&command=-c&command=echo%20out;echo%20err%20>%262;exit%203'
	[ "$status" = 3 ]
	[ "$(sort <<< "$output")" = "$(printf 'err\nout')" ]
	[ "$(seq 100000 | exec_in web 'command=wc&command=-l&stdin=true' --stdin)" = 100000 ]
	# A size may arrive after the command has begun.
	size='until%20[%20"$(stty%20size%202>/dev/null)"%20=%20"33%2091"%20];do%20sleep%20.1;done;stty%20size'
	[ "$(exec_in web "command=sh&command=-c&command=$size&tty=true&stdin=true" --size 91x33 | tr -d '\r')" = "33 91" ]
	[ "$(exec_in web 'command=echo&command=four' --protocol v4.channel.k8s.io)" = four ]
	run exec_in web 'command=/nope'
	[ "$status" = 125 ]
	[[ "$output" == *'exec: "/nope": no such file or directory' ]]
	run exec_in web 'stdin=true'
	[[ "$output" == *"command: required but missing"* ]]
	run exec_in nobody 'command=true'
	[[ "$output" == *"Pod 'default/nobody' is not on this node"* ]]
	run exec_in web 'command=true' --protocol v9.channel.k8s.io
	[[ "$output" == "400 "*"none of the subprotocols is known here"* ]]
	run agent_get '/exec/default/web/main?command=true'
	[[ "$output" == *"commands are run over a WebSocket"* ]]
}

@test "a command passes megabytes unchanged in both directions, also to a reader that sleeps" {
	agent_start
	eventually node_ready
	apply web 'exec sleep 1000'
	eventually runs web
	head -c 5000000 /dev/urandom > "$WORK/big"
	exec_in web 'command=cat&stdin=true' --stdin --slow 1 < "$WORK/big" > "$WORK/back"
	cmp "$WORK/big" "$WORK/back"
}

@test "a command whose caller hangs up is hung up, and its session goes" {
	agent_start
	eventually node_ready
	apply web 'exec sleep 1000'
	eventually runs web
	exec_in web 'command=sh&command=-c&command=echo%20begun;exec%20sleep%20999' --hang-up begun
	no_command() { ! exec_in web 'command=ps' | grep -q 'sleep 999'; }
	eventually no_command
	no_session() { [ -z "$(find "$STUBE_RUN/agent/containers" -path '*/exec/*')" ]; }
	eventually no_session
}

@test "the agent's stop and its death leave services running; the next agent adopts them untouched" {
	agent_start
	eventually node_ready
	apply web 'exec sleep 1000'
	eventually runs web
	pid=$(pid "$(uid_of web)" 0)
	# Since when it has been ready is what rollouts count by: what the next agent tells of it changes nothing.
	version=$(api GET "$PODS/web" | jq -r .metadata.resourceVersion)
	told() { grep -c 'verb=patch resource=pods/status.* name=web' "$WORK/scheduler.log"; }
	before=$(told)
	sleep 1.1
	agent_end
	[ -d "/proc/$pid" ]
	agent_start
	eventually agent_get /readyz
	agent_get /metrics | grep -qE '^stube_agent_adopted_total [1-9]'
	[ "$(pid "$(uid_of web)" 0)" = "$pid" ]
	agent_kill
	[ -d "/proc/$pid" ]
	agent_start
	eventually agent_get /readyz
	pod_is web '.status.containerStatuses[0].restartCount' 0
	[ "$(exec_in web 'command=echo&command=still%20here')" = "still here" ]
	told_again() { [ "$(told)" -ge $((before + 2)) ]; }
	eventually told_again
	[ "$(api GET "$PODS/web" | jq -r .metadata.resourceVersion)" = "$version" ]
}

@test "services go on while the scheduler is away, and what happened meanwhile is told when it is back" {
	agent_start
	eventually node_ready
	apply web 'until [ -e /tmp/end ]; do sleep 0.1; done; exit 5' '.spec.restartPolicy = "Never"'
	eventually runs web
	scheduler_kill
	not_reachable() { ! agent_get /readyz > /dev/null 2>&1 && agent_get /healthz; }
	exec_in web 'command=touch&command=/tmp/end'
	scheduler_start
	eventually pod_is web .status.phase Failed
	pod_is web '.status.containerStatuses[0].state.terminated.exitCode' 5
}

@test "an agent that finds no scheduler serves what runs, and says so" {
	agent_start
	eventually node_ready
	apply web 'exec sleep 1000'
	eventually runs web
	pid=$(pid "$(uid_of web)" 0)
	agent_end
	scheduler_kill
	agent_start
	[ -d "/proc/$pid" ]
	[ "$(exec_in web 'command=echo&command=alone')" = alone ]
	run agent_get '/readyz?verbose'
	[[ "$output" == *"[-]api failed"* && "$output" == *"[+]threads ok"* ]]
	agent_get /metrics | grep -qx 'stube_agent_api_reachable 0'
	scheduler_start
	eventually agent_get /readyz || eventually agent_get /readyz
}

@test "a lost lease stops what may be replaced elsewhere, and keeps what asked to be kept" {
	LEASE=2
	scheduler_kill
	scheduler_start
	agent_start
	eventually node_ready
	apply moves 'exec sleep 1000' '.spec.terminationGracePeriodSeconds = 1'
	apply stays 'exec sleep 1000' '.metadata.annotations["stube/on-node-loss"] = "keep"'
	eventually runs moves
	eventually runs stays
	moves=$(pid "$(uid_of moves)" 0) stays=$(pid "$(uid_of stays)" 0)
	scheduler_kill
	stopped() { [ ! -d "/proc/$moves" ]; }
	eventually stopped || eventually stopped
	[ -d "/proc/$stays" ]
	grep -q 'the lease has run out' "$WORK/agent.log"
	scheduler_start
	eventually agent_get /readyz || eventually agent_get /readyz
	[ -d "/proc/$stays" ]
}

@test "a Pod with a field that this agent does not know is refused by name, not run as if it had not said it" {
	# As a newer scheduler would say it.
	python3 tests/integration/newer-server.py "$WORK/newer.sock" "$SOCKET" '"hostAliases"' '"guestLevels"' 3>&- &
	RELAY=$!
	cat > "$WORK/config" <<-END
		apiVersion: v1
		kind: Config
		clusters: [{name: c, cluster: {server: "unix://$WORK/newer.sock"}}]
		users: [{name: u, user: {}}]
		contexts: [{name: x, context: {cluster: c, user: u}}]
		current-context: x
	END
	chmod 600 "$WORK/config"
	agent_start --config "$WORK/config"
	eventually node_ready
	apply future 'exec sleep 1000' '.spec.hostAliases = [{ip: "192.0.2.1", hostnames: ["x"]}]'
	apply web 'exec sleep 1000'
	eventually pod_is future .status.reason UnsupportedField
	pod_is future .status.phase Failed
	pod_is future .status.message "spec.guestLevels: unknown key" ||
		api GET "$PODS/future" | jq -re '.status.message | select(startswith("spec.guestLevels: "))'
	events future | grep -qx UnsupportedField
	! events future | grep -qxE "Pulled|Started"
	eventually runs web
	[ -z "$(pid "$(uid_of future)" 0)" ]
	api DELETE "$PODS/future" > /dev/null
	eventually no_pod future
}

@test "a claim's data outlives its Pods, and waits for the next one on this node" {
	agent_start
	eventually node_ready
	api POST /api/v1/namespaces/default/persistentvolumeclaims '{"apiVersion":"v1","kind":"PersistentVolumeClaim",
		"metadata":{"name":"data"},"spec":{"accessModes":["ReadWriteOnce"],"resources":{"requests":{"storage":"1Mi"}}}}' > /dev/null
	mount='.spec.volumes = [{name: "d", persistentVolumeClaim: {claimName: "data"}}]
		| .spec.containers[0].volumeMounts = [{name: "d", mountPath: "/data"}] | .spec.restartPolicy = "Never"'
	apply first 'echo applications > /data/file' "$mount"
	eventually pod_is first .status.phase Succeeded
	api DELETE "$PODS/first" > /dev/null
	eventually no_pod first
	apply second 'cat /data/file' "$mount"
	eventually pod_is second .status.phase Succeeded
	[ "$(agent_get /containerLogs/default/second/main)" = applications ]
	# A later Pod of a claim that the node knows no change of, after a restart of the agent.
	agent_kill
	agent_start
	apply third 'cat /data/file' "$mount"
	eventually pod_is third .status.phase Succeeded
}

@test "an evicted Pod ends in order and goes, and the node gets none while it is cordoned" {
	agent_start
	eventually node_ready
	apply web 'trap "exit 0" TERM; while :; do sleep 0.1; done'
	eventually runs web
	pid=$(pid "$(uid_of web)" 0)
	api PATCH "$NODES/one" '{"spec":{"unschedulable":true}}' application/merge-patch+json > /dev/null
	api POST "$PODS/web/eviction" '{"apiVersion":"policy/v1","kind":"Eviction","metadata":{"name":"web"}}' > /dev/null
	eventually no_pod web
	[ ! -d "/proc/$pid" ]
	eventually no_containers
}

@test "a hang-up signal has the configuration read and the labels set again; the services do not notice" {
	agent_start --label a=1
	eventually node_ready
	apply web 'exec sleep 1000'
	eventually runs web
	pid=$(pid "$(uid_of web)" 0)
	api PATCH "$NODES/one" '{"metadata":{"labels":{"a":"2"}}}' application/merge-patch+json > /dev/null
	kill -HUP "$AGENT"
	relabelled() { [ "$(api GET "$NODES/one" | jq -r .metadata.labels.a)" = 1 ]; }
	eventually relabelled
	[ -d "/proc/$pid" ]
}

@test "the service manager is told when the agent is ready, also without a scheduler, and when it stops" {
	scheduler_kill
	python3 -c '
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
while True:
	print(s.recv(4096).decode(), flush=True)
' "$WORK/notify" > "$WORK/notified" 3>&- 4>&- &
	RELAY=$!
	eventually test -S "$WORK/notify"
	NOTIFY_SOCKET=$WORK/notify agent_start
	told() { grep -q "$1" "$WORK/notified"; }
	eventually told READY=1
	agent_end
	eventually told STOPPING=1
}

@test "the socket is for root; methods and paths that are not there are refused as the API does" {
	agent_start
	[ "$(stat -c %a "$STUBE_RUN/agent.sock")" = 600 ]
	run agent_get /nothing
	[ "$output" = "$(printf '%s' "$output")" ]
	[[ "$output" == *'"reason":"NotFound"'* ]]
	run curl -sS --unix-socket "$STUBE_RUN/agent.sock" -X DELETE http://localhost/pods
	[[ "$output" == *'"code":405'* ]]
	agent_get /pods | jq -e '.kind == "PodList" and .items == []'
	[ "$(agent_get /livez)" = ok ]
}

@test "metrics are in Prometheus' grammar, with a sample for each running container" {
	agent_start --metrics 127.0.0.1:0
	eventually node_ready
	apply web 'exec sleep 1000'
	eventually runs web
	agent_get /metrics > "$WORK/metrics"
	python3 tests/integration/metrics-check.py "$WORK/metrics"
	grep -q '^container_cpu_usage_seconds_total{namespace="default",pod="web",container="main"} ' "$WORK/metrics"
	grep -qE '^container_memory_working_set_bytes\{.*container="main"\} [1-9]' "$WORK/metrics"
	grep -qx 'kubelet_running_pods 1' "$WORK/metrics"
	grep -qx 'kubelet_running_containers{container_state="running"} 1' "$WORK/metrics"
	eventually grep -qE '^kubelet_pod_start_duration_seconds_count 1$' "$WORK/metrics"
	grep -qx 'kubelet_runtime_operations_errors_total{operation_type="pull_image"} 0' "$WORK/metrics"
	grep -qx 'kubelet_runtime_operations_errors_total{operation_type="start_container"} 0' "$WORK/metrics"
	# A counter that Pods leave behind never falls.
	apply again 'exit 3'
	restarted() { agent_get /metrics | grep -qE '^stube_agent_container_restarts_total [1-9]'; }
	eventually restarted
	api DELETE "$PODS/again" > /dev/null
	eventually no_pod again
	restarted
	# The log has the story of a Pod, too.
	grep -q 'pod=again .*reason=Started' "$WORK/agent.log"
}
