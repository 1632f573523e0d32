#!/usr/bin/env bats
# tests/integration/cluster-words.bats: what the commands for a cluster accept, say and leave alone, word by word.

bats_require_minimum_version 1.5.0
load ../cluster/lib.bash

SLEEPER='trap exit TERM; echo ready; while :; do sleep 0.1; done'

setup() {
	[ "$(id -u)" = 0 ] || skip 'needs root: agents make sandboxes'
	cluster_setup
	scheduler_start
}
teardown() { cluster_teardown; }

with_node() {
	agent_start a
	eventually node_ready a
}
running() { [ "$(stube get pod "$1" --output json | jq -r .status.phase)" = Running ]; }
labels_of() { stube get node "$1" --output json | jq -c '.metadata.labels'; }

@test "wrong words are usage errors; a manifest without objects is no success" {
	run --separate-stderr stube explain potato/x
	[ "$status" = 2 ]
	[ "$stderr" = "error: 'potato' is not one of pod|deployment|replicaset" ]
	run --separate-stderr stube rollout status pod x
	[ "$status" = 2 ]
	run --separate-stderr stube up now
	[ "$status" = 2 ]
	[ "${stderr_lines[0]}" = 'error: takes no operand' ]
	run --separate-stderr stube apply web.yaml
	[ "$status" = 2 ]
	[ "$stderr" = 'error: say which manifests: --file web.yaml' ]
	local verb
	for verb in apply delete plan get; do
		run --separate-stderr stube $verb --file - <<< '---'
		[ "$status" = 1 ]
		[ "$stderr" = 'error: no objects in standard input' ]
	done
	run --separate-stderr stube drain nowhere
	[ "$status" = 1 ]
	[ "$stderr" = "error: Node 'nowhere': not found" ]
	stube apply --file <(pod_manifest piped "$SLEEPER")
	[ "$(stube get --file <(pod_manifest piped "$SLEEPER") --output name)" = pod/piped ]
}

@test "labels and taints: set, kept, changed with --overwrite, taken away; apply leaves those of others" {
	cat > "$WORK/node.yaml" <<-END
		apiVersion: v1
		kind: Node
		metadata: {name: n1, labels: {disk: ssd}}
	END
	stube apply --file "$WORK/node.yaml"
	[ "$(stube label node n1 stube/protection-class=high kubernetes.io/hostname=n1)" = 'node/n1 labeled' ]
	[ "$(stube label node/n1 disk=ssd)" = 'node/n1 unchanged' ]
	run --separate-stderr stube label nodes n1 disk=hdd
	[ "$status" = 1 ]
	[ "${stderr_lines[0]}" = "error: node/n1 has the label 'disk' already, with 'ssd'" ]
	stube label nodes n1 disk=hdd --overwrite
	[ "$(labels_of n1)" = '{"disk":"hdd","stube/protection-class":"high","kubernetes.io/hostname":"n1"}' ]
	sed -i 's/, labels: {disk: ssd}//' "$WORK/node.yaml"
	[ "$(stube apply --file "$WORK/node.yaml")" = 'node/n1 configured' ]
	[ "$(labels_of n1)" = '{"stube/protection-class":"high","kubernetes.io/hostname":"n1"}' ]
	stube label node n1 stube/protection-class-
	[ "$(labels_of n1)" = '{"kubernetes.io/hostname":"n1"}' ]
	run --separate-stderr stube label nodes n1
	[ "$status" = 2 ]
	taints() { stube get node n1 --output json | jq -c '[.spec.taints[]? | select(.key | contains("kubernetes.io") | not) | "\(.key)=\(.value // ""):\(.effect)"]'; }
	[ "$(stube taint nodes n1 operator=commercial:NoSchedule maintenance:NoExecute)" = 'node/n1 tainted' ]
	[ "$(taints)" = '["operator=commercial:NoSchedule","maintenance=:NoExecute"]' ]
	run --separate-stderr stube taint nodes n1 operator=other:NoSchedule
	[ "$status" = 1 ]
	stube taint nodes n1 operator=other:NoSchedule --overwrite
	stube taint nodes n1 operator=other:PreferNoSchedule
	[ "$(taints)" = '["operator=other:NoSchedule","maintenance=:NoExecute","operator=other:PreferNoSchedule"]' ]
	stube taint nodes n1 operator:NoSchedule- maintenance-
	[ "$(taints)" = '["operator=other:PreferNoSchedule"]' ]
	[ "$(stube taint node/n1 operator-)" = 'node/n1 tainted' ]
	[ "$(taints)" = '[]' ]
	run --separate-stderr stube taint nodes n1 operator=x:Never
	[ "$status" = 2 ]
	[ "$stderr" = "error: 'operator=x:Never': 'Never' is not one of NoSchedule|PreferNoSchedule|NoExecute" ]
}

@test "tables: without headers, with labels; a watch in JSON is a line for each change" {
	pod_manifest one "$SLEEPER" | stube apply --file -
	[[ $(stube get pods --no-headers) =~ ^one\ +0/1\ +Pending ]]
	[[ $(stube get pods --show-labels | head -1) =~ \ LABELS$ ]]
	[[ $(stube get pods --no-headers --show-labels) =~ \ app=one$ ]]
	"$BIN/stube" get pods --watch --output json > "$WORK/seen" 2>&1 3>&- &
	watcher=$!
	seen() { [ "$(jq -r '"\(.type) \(.object.metadata.name)"' "$WORK/seen" | uniq | tr '\n' ' ')" = "$1" ]; }
	eventually seen 'ADDED one '
	stube label pod one x=y
	eventually seen 'ADDED one MODIFIED one '
	stube delete pod one
	eventually seen 'ADDED one MODIFIED one DELETED one '
	kill -INT $watcher
	wait $watcher
	[ "$(wc -l < "$WORK/seen")" = "$(jq -c . "$WORK/seen" | wc -l)" ]
}

@test "a command that is not there ends with 127, one that may not be executed with 126" {
	with_node
	pod_manifest one "$SLEEPER" | stube apply --file -
	eventually running one
	run -127 --separate-stderr stube exec pod/one -- /none
	[ "$status" = 127 ]
	run -127 --separate-stderr stube exec pod/one -- none
	[ "$status" = 127 ]
	run --separate-stderr stube exec pod/one -- /etc/passwd
	[ "$status" = 126 ]
	stube run --detach --name local example.org/box:1 -c "$SLEEPER"
	run -127 --separate-stderr stube exec local /none
	stube rm --force local
	[ "$status" = 127 ]
}

@test "explain says what a Pod with a place waits for" {
	with_node
	pod_manifest lost "$SLEEPER" | sed 's|example.org/box:1|example.org/none:1|' | stube apply --file -
	waits() { stube explain pod lost | grep -q "container 'main' waits: ErrImageNeverPull"; }
	eventually waits
	pod_manifest crash 'exit 3' | stube apply --file -
	crashes() { stube explain pod/crash | grep -q "container 'main' .*ended with 3 (Error) at 20"; }
	eventually crashes
	run --separate-stderr stube explain pods
	[ "$status" = 1 ]
}

@test "events --for are those of the Pod that is there, with --former of all of its name" {
	with_node
	pod_manifest twin "$SLEEPER" | stube apply --file -
	eventually running twin
	started() { stube events --for pod/twin --output json | jq -e '[.items[].reason] | index("Started")' > /dev/null; }
	eventually started
	former=$(stube get pod twin --output json | jq -r .metadata.uid)
	stube delete pod twin --timeout 30
	pod_manifest twin "$SLEEPER" | stube apply --file -
	eventually running twin
	eventually started
	[ "$(stube events --for pod/twin --output json | jq --arg uid "$former" '[.items[] | select(.involvedObject.uid == $uid)] | length')" = 0 ]
	[ "$(stube events --for pod/twin --former --output json | jq '[.items[].involvedObject.uid] | unique | length')" = 2 ]
	stube events --for node/a > /dev/null
}

@test "logs of several Pods: by selector, followed at once with their names; a bare name gets a hint" {
	with_node
	deployment_manifest web 2 'echo first; trap exit TERM; while :; do echo again; sleep 0.2; done' | stube apply --file - --wait --timeout 30
	both() { [ "$(grep -c ': first$' "$1")" = 2 ] && [ "$(grep ': again$' "$1" | sort -u | wc -l)" = 2 ]; }
	"$BIN/stube" logs --follow deployment/web > "$WORK/followed" 2>&1 3>&- &
	follower=$!
	eventually both "$WORK/followed"
	stube logs --selector app=web > "$WORK/selected"
	both "$WORK/selected"
	pod=$(stube get pods --output name | head -1)
	[ "$(stube logs "$pod" main | head -1)" = first ]
	run --separate-stderr stube logs "${pod#pod/}"
	[ "$status" = 1 ]
	[ "${stderr_lines[1]}" = "hint: A Pod of the cluster is named so: stube logs $pod" ]
	run --separate-stderr stube exec "${pod#pod/}" -- true
	[ "${stderr_lines[1]}" = "hint: A Pod of the cluster is named so: stube exec $pod" ]
	[[ $(stube explain deployment web) == *"runs on 'a'"* ]]
	[ "$(stube scale deployment web --replicas 1)" = 'deployment/web scaled' ]
	stube rollout status deployment web --timeout 30
	stube delete deployment web --timeout 30
	wait $follower # it ends with the last of its Pods
	[ "$(grep -vc '^web-[a-z0-9-]*: \(first\|again\)$' "$WORK/followed")" = 0 ]
}

@test "a Pod on its way out is in no drain's way" {
	with_node
	pod_manifest slow 'trap : TERM; echo ready; while :; do sleep 0.1; done' |
		sed 's/terminationGracePeriodSeconds: 1/terminationGracePeriodSeconds: 8/' | stube apply --file -
	eventually running slow
	stube delete pod slow --no-wait
	[ "$(stube drain a --plan)" = "All Pods of node 'a' find a place." ]
	stube drain a --timeout 30
	[ -z "$(stube get pods --output name)" ]
}
