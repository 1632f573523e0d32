# tests/integration/pods.bash: a node's Pods through tests/agent/pods-driver.c: a world of its own for each test.
# shellcheck source=tests/cli/local.bash
. "tests/cli/local.bash"

DRIVER_PROGRAM=${STUBE_PODS_DRIVER:-$PWD/build/release/tests/agent/pods-driver}
# shellcheck disable=SC2034 # of the tests
SERVE='trap "exit 0" TERM; echo ready; while :; do sleep 0.1; done'

pods_setup() {
	local_setup
	export DRIVER_BACKOFF_FIRST=${DRIVER_BACKOFF_FIRST:-200} DRIVER_BACKOFF_MAX=${DRIVER_BACKOFF_MAX:-800}
	# Packed once for each file of tests; each test has a copy of the store.
	if [ ! -d "$BATS_FILE_TMPDIR/store" ]; then
		stube image pack --quiet --entrypoint /bin/sh "$ROOT" localhost/t/sh:1 > /dev/null
		cp -aT "$STUBE_STORE" "$BATS_FILE_TMPDIR/store"
	else
		cp -aT "$BATS_FILE_TMPDIR/store" "$STUBE_STORE"
	fi
	: > "$WORK/out"
	mkfifo "$WORK/in"
	DRIVER=
	# UIDs of this test alone: cgroups are the machine's.
	TAG=t$(od -An -N4 -tx4 /dev/urandom | tr -d ' ')
	# shellcheck disable=SC2034 # of the tests
	A=$TAG-a B=$TAG-b
}

# Begin the driver; what it says is added to $WORK/out.
driver_start() {
	local lines
	lines=$(wc -l < "$WORK/out")
	"$DRIVER_PROGRAM" "$BIN" < "$WORK/in" >> "$WORK/out" 2>> "$WORK/err" 3>&- 4>&- &
	DRIVER=$!
	exec 4> "$WORK/in"
	eventually said_after "$lines" 'select(.kind == "ready")'
}
driver_end() {
	exec 4>&-
	wait "$DRIVER" || true
	DRIVER=
}
driver_kill() {
	kill -9 "$DRIVER"
	wait "$DRIVER" 2> /dev/null || true
	exec 4>&-
	DRIVER=
}
tell() { echo "$*" >&4; }

# Whether a line of the driver fits the jq filter; after so many lines.
said() { jq -e -s "[.[] | $1] | length > 0" < "$WORK/out" > /dev/null; }
said_after() { tail -n "+$(($1 + 1))" "$WORK/out" | jq -e -s "[.[] | $2] | length > 0" > /dev/null; }
count_said() { jq -s "[.[] | $1] | length" < "$WORK/out"; }
# The newest status of a Pod, through a filter.
status_of() { jq -r -s "[.[] | select(.kind == \"status\" and .uid == \"$1\")] | last | .status | $2" < "$WORK/out"; }
status_is() { [ "$(status_of "$1" "$2")" = "$3" ]; }
phase_is() { status_is "$1" .phase "$2"; }
gone() { said "select(.kind == \"gone\" and .uid == \"$1\")"; }
events_of() { jq -r -s ".[] | select(.kind == \"event\" and .uid == \"$1\") | .reason" < "$WORK/out"; }

# pod UID SCRIPT [JQ-FILTER]: a Pod of one container "main" that runs a shell script.
pod() {
	jq -cn --arg uid "$1" --arg script "$2" '{
		apiVersion: "v1", kind: "Pod", metadata: {name: $uid, namespace: "default", uid: $uid, generation: 1},
		spec: {terminationGracePeriodSeconds: 5, restartPolicy: "Always", nodeName: "driver", containers: [
			{name: "main", image: "localhost/t/sh:1", imagePullPolicy: "IfNotPresent", args: ["-c", $script]}]}} | '"${3:-.}"
}
deleted() { jq -c --argjson grace "${1:-2}" '.metadata += {deletionTimestamp: "2026-01-01T00:00:00Z", deletionGracePeriodSeconds: $grace}'; }

# pid UID INDEX|s: of the first process of the newest attempt.
pid() {
	local f
	f=$(find "$STUBE_RUN/agent/containers" -maxdepth 1 -name "$1-$2-*" -exec test -e {}/running.json \; -print | sort -V | tail -1)
	[ -n "$f" ] && jq .pid "$f/running.json"
}
no_pid() { [ -z "$(pid "$@")" ]; }
no_monitors() { [ -z "$(monitors)" ]; }
monitor_pid() { pgrep -f -- "^$BIN/stube-monitor .*--dir=$STUBE_RUN/agent/containers/$1-$2-" | head -1; }
ns() { readlink "/proc/$1/ns/$2"; }

# Nothing of any Pod: processes, mounts, cgroups, sockets, id records, folders.
nothing_left() {
	[ -z "$(monitors)" ] || return 1
	[ -z "$(find "$STUBE_RUN/agent/containers" "$STUBE_DATA/agent/containers" "$STUBE_DATA/agent/pods" -mindepth 1)" ] || return 1
	[ -z "$(find "$STUBE_DATA/ids" -type f ! -name lock)" ] || return 1
	! grep -F " $WORK/" /proc/self/mountinfo || return 1
	[ -z "$(find /sys/fs/cgroup/{unified/,}stube{,.slice} -maxdepth 3 -name "*$TAG*" 2> /dev/null)" ] || return 1
	[ -z "$(find "$STUBE_RUN" -type s)" ]
}

# What is left after a failure, too.
pods_teardown() {
	local f name
	if [ -n "$DRIVER" ]; then
		kill -9 "$DRIVER" 2> /dev/null
		wait "$DRIVER" 2> /dev/null
	fi
	for m in $(monitors); do kill -9 "$m"; done
	for f in "$STUBE_RUN"/agent/containers/*/running.json; do
		[ -e "$f" ] && kill -9 "$(jq .pid "$f")" 2> /dev/null
	done
	for f in "$STUBE_RUN"/agent/containers/*; do
		name=${f##*/}
		[ -e "$f" ] && "$BIN/stube-runtime" --root="$STUBE_RUN/agent/runtime" delete --force "$name" 2> /dev/null
	done
	local_teardown
}
