#!/usr/bin/env bats
# tests/integration/cluster-partition.bats: a node whose network is cut lives on; a scheduler that is away comes back.

bats_require_minimum_version 1.5.0
load ../cluster/lib.bash

# Writes down each tenth of a second, by the clock of the one kernel, that this instance runs.
# shellcheck disable=SC2016 # expanded in the container
CLOCKED='trap exit TERM; while read -r up rest < /proc/uptime; do echo $up >> /marks/$HOSTNAME; sleep 0.1; done'

setup() {
	[ "$(id -u)" = 0 ] || skip 'needs root: agents make sandboxes'
	cluster_setup
	mkdir -m 1777 "$WORK/marks"
	export LEASE=4s
	# Paths of sockets are the same in every network namespace.
	unset STUBE_CONFIG
	HOLDERS=()
	namespace LAN
	"$BIN/stube" pki issue scheduler --dir "$PKI" --address 10.77.0.1 > /dev/null
	API=10.77.0.1:6443
	on "$LAN" ip link set lo up
	on "$LAN" ip link add name lan type bridge
	on "$LAN" ip address add 10.77.0.1/24 dev lan
	on "$LAN" ip link set lan up
}

teardown() {
	local pid failed=0
	cluster_teardown || failed=1
	for pid in "${HOLDERS[@]}"; do kill -KILL "$pid" 2> /dev/null || true; done
	return $failed
}

# namespace VARIABLE: a network namespace, held by a process whose pid is put there.
namespace() {
	unshare --net sleep infinity 3>&- &
	disown $!
	HOLDERS+=($!)
	printf -v "$1" %s $!
	eventually other_network $!
}
other_network() { [ "$(readlink "/proc/$1/ns/net")" != "$(readlink /proc/self/ns/net)" ]; }
on() { nsenter --target "$1" --net "${@:2}"; }

scheduler_on_lan() {
	nsenter --target "$LAN" --net "$BIN/stube-scheduler" --store "sqlite:$WORK/store.db" --socket "$WORK/run/scheduler.sock" --listen "$API" \
		--cert "$PKI/scheduler.crt" --key "$PKI/scheduler.key" --client-ca "$PKI/ca.crt" --lease "$LEASE" \
		>> "$WORK/scheduler.log" 2>&1 < /dev/null 3>&- &
	SCHEDULER=$!
	disown $SCHEDULER
	eventually stube get namespaces
}

# machine NAME NUMBER: its network card is in the LAN, its agent runs.
machine() {
	local net
	namespace net
	on "$net" ip link set lo up
	on "$LAN" ip link add "to-$1" type veth peer name eth0 netns "$net"
	on "$LAN" ip link set "to-$1" master lan up
	on "$net" ip address add "10.77.0.$2/24" dev eth0
	on "$net" ip link set eth0 up
	"$BIN/stube" pki issue node "$1" --dir "$PKI" --address "10.77.0.$2" --server "https://$API" > /dev/null
	mkdir -p "$WORK/$1"
	STUBE_RUN=$WORK/$1/run STUBE_DATA=$WORK/$1/data nsenter --target "$net" --net "$BIN/stube-agent" --config "$PKI/node-$1.conf" \
		--name "$1" --address "10.77.0.$2" --listen "10.77.0.$2:0" --store "$STUBE_STORE" \
		>> "$WORK/$1.log" 2>&1 < /dev/null 3>&- &
	# shellcheck disable=SC2034 # ended by cluster_teardown
	AGENT[$1]=$!
	disown $!
	eventually node_ready "$1"
}

# service POLICY: one replica, named like its policy.
service() {
	deployment_manifest "$1" 1 "$CLOCKED" | sed \
		-e "s|metadata: {labels: {app: $1}}|metadata: {labels: {app: $1}, annotations: {stube/on-node-loss: $1}}|" \
		-e "s|args:|volumeMounts: [{name: marks, mountPath: /marks}], args:|"
	echo "      volumes: [{name: marks, hostPath: {path: $WORK/marks}}]"
}
start_services() {
	local policy
	for policy in replace keep stop; do service "$policy" > "$WORK/$policy.yaml"; done
	stube apply --file "$WORK/replace.yaml" --file "$WORK/keep.yaml" --file "$WORK/stop.yaml" --wait --timeout 30
}

# pods POLICY: "NAME NODE PHASE REASON RESTARTS" of each.
pods() {
	stube get pods --selector "app=$1" --output json | jq -r '.items[] |
		"\(.metadata.name) \(.spec.nodeName) \(.status.phase) \(.status.reason // "-") \(.status.containerStatuses[0].restartCount // 0)"'
}
one_runs() { [[ "$(pods "$1")" == *" $2 Running "* ]] && [ "$(pods "$1" | wc -l)" = 1 ]; }
marks_of() { find "$WORK/marks" -name "$1-*" | sort; }
writes() { local before; before=$(wc -l < "$1"); sleep 0.5; [ "$(wc -l < "$1")" -gt "$before" ]; }
silent() { ! writes "$1"; }
lost_events() { stube events --output json | jq -r '.items[] | select(.reason == "NodeNotReady").message'; }
not_ready() { ! node_ready "$1"; }

# No instance wrote before the one that it follows had written for the last time.
one_after_another() {
	local file
	for file in $(marks_of "$1"); do echo "$(head -n 1 "$file") $(tail -n 1 "$file") ${file##*/}"; done | sort -n |
		awk '{ print } NR > 1 && $1 <= last { bad = 1 } { last = $2 } END { exit bad }'
}
# No gap of a second in what one instance wrote: it is the same process.
without_gap() { awk 'NR > 1 && $1 - last > 1.5 { exit 1 } { last = $1 }' "$1"; }

@test "a node that is cut off: replace never has two at once, keep goes on untouched, stop is not replaced" {
	local old keep stop
	scheduler_on_lan
	machine a 2
	start_services
	old=$(marks_of replace) keep=$(marks_of keep) stop=$(marks_of stop)
	machine b 3

	on "$LAN" ip link set to-a down
	eventually not_ready a
	eventually one_runs replace b
	one_after_another replace
	silent "$old"
	silent "$stop"
	[[ "$(pods stop)" == *' a Failed NodeLost '* ]]
	[ "$(pods stop | wc -l)" = 1 ]
	one_runs keep a
	writes "$keep"

	on "$LAN" ip link set to-a up
	eventually node_ready a
	eventually one_runs replace b
	one_runs keep a
	[ "$(pods keep)" = "${keep##*/} a Running - 0" ]
	writes "$keep"
	without_gap "$keep"
	silent "$old"
	running_again() { [ "$(pods stop | grep -c ' Running ')" = 1 ]; }
	eventually running_again
	one_after_another replace
	one_after_another stop
	[ "$(marks_of keep | wc -l)" = 1 ]
}

# away COMMAND...: what makes the scheduler be away and come back, for longer than the lease.
lost_by() {
	local keep name
	scheduler_on_lan
	machine a 2
	machine b 3
	start_services
	keep=$(marks_of keep)
	"$@"
	eventually node_ready a
	eventually node_ready b
	for name in replace keep stop; do
		running() { [ "$(pods "$1" | grep -c ' Running ')" = 1 ] && [ "$(pods "$1" | wc -l)" = 1 ]; }
		eventually running "$name"
	done
	sleep 5 # a lease later nobody has been declared lost, either
	[ -z "$(lost_events)" ]
	without_gap "$keep"
	[ "$(marks_of replace | wc -l) $(marks_of keep | wc -l) $(marks_of stop | wc -l)" = '1 1 1' ]
}

@test "a scheduler that was dead for longer than the lease declares nobody lost" {
	dead() { scheduler_kill; sleep 6; scheduler_on_lan; }
	lost_by dead
}

@test "a scheduler that stood still for longer than the lease declares nobody lost" {
	still() { kill -STOP "$SCHEDULER"; sleep 6; kill -CONT "$SCHEDULER"; }
	lost_by still
}
