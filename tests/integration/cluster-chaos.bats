#!/usr/bin/env bats
# tests/integration/cluster-chaos.bats: scheduler, agents and monitors are killed at random while there is work to do.

bats_require_minimum_version 1.5.0
load ../cluster/lib.bash

SLEEPER='trap exit TERM; while :; do sleep 0.2; done'
export LEASE=30s # nobody is lost for a kill: this is not about replacing

setup() {
	[ "$(id -u)" = 0 ] || skip 'needs root: agents make sandboxes'
	cluster_setup
	mkdir -m 1777 "$WORK/marks"
}
teardown() { cluster_teardown; }

# A Pod that leaves one line in its file each time that it is started, and is never to be started again.
once_manifest() {
	cat <<-END
		apiVersion: v1
		kind: Pod
		metadata: {name: $1, labels: {app: once}}
		spec:
		  restartPolicy: Never
		  terminationGracePeriodSeconds: 1
		  containers:
		    - name: main
		      image: example.org/box:1
		      imagePullPolicy: Never
		      args: [-c, "echo started >> /marks/$1; $SLEEPER"]
		      volumeMounts: [{name: marks, mountPath: /marks}]
		  volumes: [{name: marks, hostPath: {path: $WORK/marks}}]
	END
}

scheduler_again() {
	scheduler_kill
	sleep "0.$((RANDOM % 6))"
	"$BIN/stube-scheduler" --store "sqlite:$WORK/store.db" --socket "$WORK/run/scheduler.sock" --listen "$API" \
		--cert "$PKI/scheduler.crt" --key "$PKI/scheduler.key" --client-ca "$PKI/ca.crt" --lease "$LEASE" \
		>> "$WORK/scheduler.log" 2>&1 < /dev/null 3>&- &
	SCHEDULER=$!
	disown $SCHEDULER
}

agent_again() {
	agent_kill "$1"
	sleep "0.$((RANDOM % 6))"
	agent_start "$1"
}

a_monitor_dies() {
	local all
	mapfile -t all < <(cluster_monitors)
	[ ${#all[@]} = 0 ] || kill -KILL "${all[RANDOM % ${#all[@]}]}" 2> /dev/null || true
}

one_dies() {
	case $((RANDOM % 5)) in
	0) scheduler_again ;;
	1) agent_again a ;;
	2) agent_again b ;;
	*) a_monitor_dies ;;
	esac
}

# Name, uid and phase of every Pod, one a line.
pods() { stube get pods --output json | jq -r '.items[] | "\(.metadata.name) \(.metadata.uid) \(.status.phase)"'; }
settled() { pods > "$WORK/pods" && ! grep -q 'Pending\|null' "$WORK/pods" && [ "$(grep -c '^steady-.*Running' "$WORK/pods")" = 3 ]; }
empty() { [ -z "$(stube get pods --output name)" ]; }
quiet() { [ -z "$(cluster_monitors)" ]; }

# Prints nothing.
nothing() {
	run "$@"
	echo "left: $output"
	[ -z "$output" ]
}

@test "50 kills at random under load: nothing accepted is lost, no Pod is started twice or forgotten, nothing is left" {
	local seed=${CHAOS_SEED:-$RANDOM} round accepted=() deleted=() name steady
	echo "CHAOS_SEED=$seed"
	RANDOM=$seed
	scheduler_start
	agent_start a
	agent_start b
	eventually node_ready a
	eventually node_ready b
	deployment_manifest steady 3 "$SLEEPER" > "$WORK/steady.yaml"
	stube apply --file "$WORK/steady.yaml" --wait --timeout 60
	steady=$(pods | cut -d' ' -f1,2 | sort)

	for ((round = 1; round <= 50; round++)); do
		if [ $((round % 2)) = 0 ] && once_manifest "once-$round" | stube apply --file - > /dev/null 2>&1; then
			accepted+=("once-$round")
		fi
		if [ $((round % 7)) = 0 ] && [ ${#accepted[@]} -gt 2 ]; then
			name=${accepted[0]}
			! stube delete pod "$name" --no-wait > /dev/null 2>&1 || { accepted=("${accepted[@]:1}"); deleted+=("$name"); }
		fi
		one_dies
		sleep "0.$((RANDOM % 5))"
	done
	WAIT=60 eventually node_ready a
	WAIT=60 eventually node_ready b
	WAIT=90 eventually settled
	echo "accepted ${#accepted[@]}, deleted ${#deleted[@]}"
	[ ${#accepted[@]} -ge 5 ]
	for name in "${accepted[@]}"; do
		grep -q "^$name " "$WORK/pods" || { echo "lost: $name"; return 1; }
	done
	for name in "$WORK"/marks/*; do
		[ "$(wc -l < "$name")" = 1 ] || { echo "started $(wc -l < "$name") times: $name"; return 1; }
	done
	# The steady ones are those of the beginning: whatever died around them.
	[ "$(grep '^steady-' "$WORK/pods" | cut -d' ' -f1,2 | sort)" = "$steady" ]

	stube delete deployment steady --timeout 60
	[ ${#accepted[@]} = 0 ] || stube delete pods --selector app=once --timeout 60
	WAIT=60 eventually empty
	WAIT=60 eventually quiet
	for name in "${deleted[@]}"; do
		run ! stube get pod "$name"
	done
	for name in a b; do
		kill -TERM "${AGENT[$name]}"
		gone "${AGENT[$name]}"
		unset "AGENT[$name]"
	done
	kill -TERM "$SCHEDULER"
	gone "$SCHEDULER"
	SCHEDULER=
	nothing cluster_left
	nothing find "$WORK" -type s
	nothing find "$WORK/a/data" "$WORK/b/data" -path '*/ids/*' -type f ! -name lock
	nothing find "$WORK/a/data/agent/pods" "$WORK/b/data/agent/pods" -mindepth 1
}
