#!/usr/bin/env bats
# tests/integration/cluster-rollout-faults.bats: scheduler and agents are killed while templates change and a namespace is emptied.

# shellcheck disable=SC2030,SC2031 # each test has a seed of its own
bats_require_minimum_version 1.5.0
load ../cluster/lib.bash

SLEEPER='trap exit TERM; while :; do sleep 0.2; done'
export LEASE=30s # nobody is lost for a kill

setup() {
	[ "$(id -u)" = 0 ] || skip 'needs root: agents make sandboxes'
	cluster_setup
	scheduler_start
	agent_start a
	agent_start b
	eventually node_ready a
	eventually node_ready b
}
teardown() { cluster_teardown; }

scheduler_again() {
	scheduler_kill
	scheduler_start
}
agent_again() {
	agent_kill "$1"
	agent_start "$1"
}

# web TEMPLATE-NUMBER: three replicas, two containers each.
web() {
	deployment_manifest web 3 "$SLEEPER" | sed "s|metadata: {labels: {app: web}}|metadata: {labels: {app: web, round: \"$1\"}}|"
	echo "        - {name: side, image: \"example.org/box:1\", imagePullPolicy: Never, args: [-c, \"$SLEEPER\"]}"
}
pods() { stube get pods --output json | jq -r '.items[] | "\(.metadata.labels.round) \(.status.phase) \(.metadata.deletionTimestamp)"'; }
exact() { [ "$(pods)" = "$(for _ in 1 2 3; do echo "$1 Running null"; done)" ]; }
sets() { stube get replicasets --output json | jq -r '.items[] | "\(.spec.template.metadata.labels.round) \(.spec.replicas) \(.status.replicas // 0)"' | sort -n; }

@test "a rollout at each kill: at the end exactly the newest template runs, and no ReplicaSet is doubled" {
	local round seed=${CHAOS_SEED:-$RANDOM}
	echo "CHAOS_SEED=$seed"
	RANDOM=$seed
	for ((round = 1; round <= 8; round++)); do
		web "$round" > "$WORK/web.yaml"
		stube apply --file "$WORK/web.yaml"
		sleep "0.$((RANDOM % 9))"
		case $((RANDOM % 4)) in
		0) agent_again a ;;
		1) agent_again b ;;
		*) scheduler_again ;;
		esac
	done
	WAIT=60 eventually exact 8
	stube rollout status web --timeout 30
	sets
	[ "$(sets | cut -d' ' -f1 | uniq -d)" = '' ]
	[ "$(sets | awk '{ sum += $2 } END { print sum }')" = 3 ]
	[ "$(sets | tail -n 1)" = '8 3 3' ]
}

@test "a namespace with many objects goes, whoever dies meanwhile" {
	local i seed=${CHAOS_SEED:-$RANDOM}
	echo "CHAOS_SEED=$seed"
	RANDOM=$seed
	printf 'apiVersion: v1\nkind: Namespace\nmetadata: {name: office}\n' | stube apply --file - > /dev/null
	for i in 1 2 3 4; do
		deployment_manifest "web$i" 2 "$SLEEPER"
		printf -- '---\napiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: data%s}\nspec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}\n---\n' "$i"
	done > "$WORK/all.yaml"
	stube apply --namespace office --file "$WORK/all.yaml" > /dev/null
	stube delete namespace office --no-wait
	for i in 1 2 3; do
		sleep "0.$((RANDOM % 5))"
		scheduler_again
		agent_again a
		sleep "0.$((RANDOM % 5))"
		agent_again b
	done
	gone_too() { ! stube get namespace office; }
	WAIT=60 eventually gone_too
	nothing_runs() { [ -z "$(cluster_monitors)" ]; }
	eventually nothing_runs
}
