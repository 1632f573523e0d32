#!/usr/bin/env bats
# tests/integration/cluster-cli.bats: the commands for a cluster, against a real scheduler and real agents.

bats_require_minimum_version 1.5.0
load ../cluster/lib.bash

SLEEPER='trap exit TERM; echo ready; while :; do sleep 0.1; done'

setup() {
	[ "$(id -u)" = 0 ] || skip 'needs root: agents make sandboxes'
	cluster_setup
	scheduler_start
}
teardown() { cluster_teardown; }

both_nodes() {
	agent_start a --label stube/protection-class=very-high --label topology.kubernetes.io/zone=south
	agent_start b --label topology.kubernetes.io/zone=north
	eventually node_ready a
	eventually node_ready b
}

@test "apply creates, leaves unchanged, configures; --dry-run changes nothing; delete waits" {
	deployment_manifest web 2 "$SLEEPER" > "$WORK/web.yaml"
	[ "$(stube apply --file "$WORK/web.yaml" --dry-run)" = 'deployment/web created (dry run)' ]
	run --separate-stderr stube get deployment web
	[ "$status" = 1 ]
	[[ $stderr == "error: Deployment 'web' in namespace 'default': not found"* ]]
	[ "$(stube apply --file "$WORK/web.yaml")" = 'deployment/web created' ]
	[ "$(stube apply --file "$WORK/web.yaml")" = 'deployment/web unchanged' ]
	sed -i 's/replicas: 2/replicas: 1/' "$WORK/web.yaml"
	[ "$(stube apply --file - < "$WORK/web.yaml")" = 'deployment/web configured' ]
	[ "$(stube get deployment web --output json | jq .spec.replicas)" = 1 ]
	[ "$(stube delete --file "$WORK/web.yaml")" = 'deployment/web deleted' ]
	[ -z "$(stube get all --output name)" ]
	[ "$(stube delete deployment web --ignore-missing)" = '' ]
}

@test "what was applied and is in the manifest no more goes; what others set stays" {
	deployment_manifest web 1 "$SLEEPER" | sed 's/metadata: {name: web}/metadata: {name: web, labels: {a: "1", b: "2"}}/; /replicas/d' > "$WORK/web.yaml"
	stube apply --file "$WORK/web.yaml"
	stube scale web --replicas 3
	[[ $(stube plan --file "$WORK/web.yaml" || true) == 'deployment/web stays as it is'* ]]
	sed -i 's/, b: "2"//' "$WORK/web.yaml"
	stube apply --file "$WORK/web.yaml"
	[ "$(stube get deployment web --output json | jq -c '[.metadata.labels, .spec.replicas]')" = '[{"a":"1"},3]' ]
}

@test "what kubectl create deployment prints applies as it is" {
	command -v kubectl > /dev/null || skip 'kubectl is not here'
	kubectl create deployment web --image=example.org/box:1 --replicas=2 --port=8080 --dry-run=client -o yaml > "$WORK/web.yaml"
	[ "$(stube apply --file "$WORK/web.yaml")" = 'deployment/web created' ]
	# kubectl asks a server which kinds there are before it prints a Pod.
	kubectl --kubeconfig "$STUBE_CONFIG" run one --image=example.org/box:1 --dry-run=client -o yaml > "$WORK/one.yaml"
	[ "$(stube apply --file "$WORK/one.yaml")" = 'pod/one created' ]
	kubectl create namespace office --dry-run=client -o yaml > "$WORK/office.yaml"
	[ "$(stube apply --file "$WORK/office.yaml")" = 'namespace/office created' ]
}

@test "a wrong manifest names file, line and field, and nothing of it is sent" {
	{ deployment_manifest web 1 "$SLEEPER"; echo ---; pod_manifest one "$SLEEPER"; } > "$WORK/all.yaml"
	sed -i 's/  containers:/  containerz:/' "$WORK/all.yaml"
	run --separate-stderr stube apply --file "$WORK/all.yaml"
	[ "$status" = 1 ]
	echo "$stderr"
	[[ $stderr == *"$WORK/all.yaml:1"*"containerz"* ]]
	[ -z "$(stube get all --output name)" ]
	deployment_manifest web 1 "$SLEEPER" | sed 's/image:/lifecycle: {preStop: {exec: {command: [x]}}}, image:/' > "$WORK/web.yaml"
	run --separate-stderr stube apply --file "$WORK/web.yaml"
	[ "$status" = 1 ]
	[[ ${stderr_lines[0]} == "error: $WORK/web.yaml:12:"*": spec.template.spec.containers[0].lifecycle: is not supported" ]]
}

@test "a Deployment rolls out, its Pods run, and get, describe, events, logs, exec show them" {
	both_nodes
	deployment_manifest web 2 "$SLEEPER" > "$WORK/web.yaml"
	run stube apply --file "$WORK/web.yaml" --wait --timeout 30
	echo "$output"
	[ "$status" = 0 ]
	[ "${lines[0]}" = 'deployment/web created' ]
	[ "${lines[-1]}" = 'deployment/web: complete, 2 available' ]
	run stube get deployments
	[ "${lines[0]}" = 'NAME   READY   UP-TO-DATE   AVAILABLE   AGE' ]
	[[ ${lines[1]} =~ ^web\ +2/2\ +2\ +2\ +[0-9]+s$ ]]
	[ "$(stube get pods --selector app=web --output json | jq '[.items[].status.phase] == ["Running", "Running"]')" = true ]
	[ "$(stube get pods --selector app=other --output name)" = '' ]
	pod=$(stube get pods --output name | head -1)
	[ "$(stube logs "$pod")" = ready ]
	[ "$(stube logs deployment/web | sort -u | wc -l)" = 2 ]
	[ "$(stube exec "$pod" echo hello)" = hello ]
	run stube exec "$pod" -- sh -c 'exit 7'
	[ "$status" = 7 ]
	[ "$(echo text | stube exec --interactive "$pod" cat)" = text ]
	run stube describe "$pod"
	[[ $output == *'Status:           Running'* ]]
	[[ $output == *'Events:'* ]]
	stube events --for "$pod" --output json | jq -r '.items[].reason' > "$WORK/reasons"
	grep -n -x -e Scheduled -e Created -e Started "$WORK/reasons"
	[ "$(grep -x -e Scheduled -e Started "$WORK/reasons" | tr '\n' ' ')" = 'Scheduled Started ' ]
}

@test "rollout: a new image, history, undo, restart; the cluster never has too few" {
	both_nodes
	deployment_manifest web 2 "$SLEEPER" > "$WORK/web.yaml"
	stube apply --file "$WORK/web.yaml" --wait --timeout 30
	sed -i 's/echo ready/echo second/' "$WORK/web.yaml"
	stube apply --file "$WORK/web.yaml" --wait --timeout 30
	words() { [ "$(stube logs deployment/web | sed 's/^[^ ]*: //' | sort -u)" = "$1" ]; }
	eventually words second
	run stube rollout history web
	[[ ${lines[1]} == 1* && ${lines[2]} == 2* ]]
	[ "$(stube rollout undo web)" = 'deployment/web goes back to revision 1' ]
	stube rollout status web --timeout 30
	eventually words ready
	before=$(stube get pods --output name | sort)
	stube rollout restart web
	stube rollout status web --timeout 30
	all_new() { [ -z "$(comm -12 <(echo "$before") <(stube get pods --output name | sort))" ]; }
	eventually all_new # the last old one may be on its way out
	run --separate-stderr stube rollout undo web --to-revision 99
	[ "$status" = 1 ]
	[ "$stderr" = "error: Deployment 'web' has no revision 99" ]
}

@test "explain and plan name each node's reason; protection need is held" {
	both_nodes
	deployment_manifest id 2 "$SLEEPER" | sed 's/labels: {app: id}}/labels: {app: id, stube\/protection-need: very-high}}/' > "$WORK/id.yaml"
	run stube plan --file "$WORK/id.yaml"
	echo "$output"
	[ "$status" = 0 ]
	[[ $output == *'deployment/id would be created'*'2 on a'*'All instances find a place.'* ]]
	stube apply --file "$WORK/id.yaml" --wait --timeout 30
	[ "$(stube get pods --output json | jq -r '[.items[].spec.nodeName] | unique | join(" ")')" = a ]
	sed -e 's/name: id/name: big/; s/app: id/app: big/g' -e 's/args:/resources: {requests: {memory: 900Gi}}, args:/' "$WORK/id.yaml" > "$WORK/big.yaml"
	run stube plan --file "$WORK/big.yaml"
	[ "$status" = 3 ]
	[[ $output == *'Not all instances find a place.'* ]]
	run stube apply --file "$WORK/big.yaml" --wait --timeout 1
	[ "$status" = 3 ]
	explained() { stube explain deployment/big | grep -q 'not enough memory'; }
	eventually explained
	run stube explain deployment/big
	[[ $output == *'protection class'* ]]
	[ "$(stube explain deployment/big --output json | jq -s '.[0].nodes | map(.node) | sort == ["a", "b"]')" = true ]
}

@test "drain asks first, moves Pods, and uncordon takes the node back" {
	both_nodes
	deployment_manifest web 2 "$SLEEPER" > "$WORK/web.yaml"
	stube apply --file "$WORK/web.yaml" --wait --timeout 30
	run stube drain a --plan
	[ "$status" = 0 ]
	stube drain a --timeout 30
	[ -z "$(stube get pods --output json | jq -r '.items[] | select(.spec.nodeName == "a" and .metadata.deletionTimestamp == null).metadata.name')" ]
	stube nodes | grep -q '^a .*Ready,Cordoned'
	run --separate-stderr stube drain b --timeout 30
	[ "$status" = 1 ]
	[[ $stderr == "error: drain node 'b': some of its Pods find no other place"* ]]
	stube uncordon a
	run ! grep -q Cordoned <(stube nodes)
}

@test "a Pod that nobody would make anew is not drained away without --force" {
	both_nodes
	pod_manifest alone "$SLEEPER" | stube apply --file -
	running() { [ "$(stube get pod alone --output json | jq -r .status.phase)" = Running ]; }
	eventually running
	node=$(stube get pod alone --output json | jq -r .spec.nodeName)
	run --separate-stderr stube drain "$node"
	[ "$status" = 1 ]
	[[ ${stderr_lines[0]} == "error: drain node '$node': nobody would make pod 'alone' anew" ]]
	stube drain "$node" --force --timeout 30
	[ -z "$(stube get pods --output name)" ]
}

@test "top shows what nodes and Pods use and ask for" {
	both_nodes
	deployment_manifest web 1 "$SLEEPER" | sed 's/args:/resources: {requests: {cpu: 50m, memory: 16Mi}}, args:/' > "$WORK/web.yaml"
	stube apply --file "$WORK/web.yaml" --wait --timeout 30
	stube top nodes --output json > "$WORK/top"
	[ "$(jq -r '[.[].pods | tonumber] | add' "$WORK/top")" = 1 ]
	[ "$(jq -r '[.[].cpuRequested | split("m")[0] | tonumber] | add' "$WORK/top")" = 50 ]
	[[ $(jq -r '.[0].memory' "$WORK/top") =~ ^[0-9]+Mi$ ]]
	[[ $(jq -r '.[0].cpu' "$WORK/top") =~ ^[0-9]+m$ ]]
	stube top pods --output json > "$WORK/top"
	[[ $(jq -r '.[0].memory' "$WORK/top") =~ ^[0-9]+Mi$ ]]
	[[ $(jq -r '.[0].cpu' "$WORK/top") =~ ^[0-9]+m$ ]]
}

@test "get --watch prints every change, and ends on INT" {
	"$BIN/stube" get namespaces --watch --output name > "$WORK/seen" 2>&1 3>&- &
	watcher=$!
	eventually grep -q namespace/default "$WORK/seen"
	printf 'apiVersion: v1\nkind: Namespace\nmetadata: {name: office}\n' | stube apply --file -
	eventually grep -q namespace/office "$WORK/seen"
	kill -INT $watcher
	wait $watcher
}

@test "wrong words are told in one line with the choices" {
	run --separate-stderr stube get potatoes
	[ "$status" = 2 ]
	[ "$stderr" = "error: 'potatoes' is not one of namespaces|nodes|pods|persistentvolumeclaims|events|deployments|replicasets|leases" ]
	run --separate-stderr stube delete pods
	[ "$status" = 2 ]
	[ "$stderr" = 'error: all pods: say so with --all, or choose with --selector' ]
	run --separate-stderr stube rollout undo pod/x
	[ "$stderr" = "error: 'pod' is not one of deployment" ]
	run --separate-stderr stube logs pod/none
	[[ $stderr == "error: Pod 'none' in namespace 'default': not found"* ]]
}

@test "without a cluster every command says how to get one" {
	scheduler_kill
	unset STUBE_CONFIG
	rm -f "$WORK/run/scheduler.sock"
	HOME=$WORK/home run --separate-stderr stube get pods
	[ "$status" = 1 ]
	echo "$stderr"
	[[ $stderr == *'stube up'* ]]
}
