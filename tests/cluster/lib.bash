# tests/cluster/lib.bash: a cluster of its own for each test file: one scheduler and agents on loopback, certificates, an image.
#
#	cluster_setup                     $WORK, certificates, folders, an image example.org/box:1 for all agents
#	scheduler_start, scheduler_kill   on $API, its Unix socket in $STUBE_RUN
#	agent_start NAME [OPTIONS]        with folders $WORK/NAME/{run,data}; agent_kill NAME; AGENT[NAME] is its pid
#	cluster_teardown                  ends all of it and fails when something is left behind
#
# stube is the command line as an administrator; as_node NAME is curl with a node's certificate.

BIN=$PWD/build/bin
declare -gA AGENT

free_port() { /usr/bin/python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

cluster_setup() {
	WORK=$(mktemp -d "${TMPDIR:-/tmp}/stube-cluster.XXXXXX")
	chmod 755 "$WORK"
	PKI=$WORK/pki
	API=127.0.0.1:$(free_port)
	export STUBE_RUN=$WORK/run STUBE_DATA=$WORK/data STUBE_CONFIG=$PKI/admin-erika.conf STUBE_STORE=$WORK/images
	mkdir -m 700 "$WORK/run" "$WORK/data"
	"$BIN/stube" pki init --dir "$PKI" > /dev/null
	"$BIN/stube" pki issue scheduler --dir "$PKI" --address 127.0.0.1 > /dev/null
	"$BIN/stube" pki issue admin erika --dir "$PKI" --server "https://$API" > /dev/null
	cluster_image
}

# A tree of busybox, packed once; each agent gets the store by --store.
cluster_image() {
	local root=$WORK/root a
	mkdir -p "$root"/{bin,dev,etc,proc,run,sys,tmp,srv,data}
	cp /bin/busybox "$root/bin/"
	for a in sh cat echo sleep ls id true false env touch trap date ps httpd kill head; do ln -sf busybox "$root/bin/$a"; done
	printf 'root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000::/srv:/bin/sh\n' > "$root/etc/passwd"
	printf 'root:x:0:\napp:x:1000:\n' > "$root/etc/group"
	"$BIN/stube" image pack "$root" example.org/box:1 --entrypoint /bin/sh > /dev/null
}

stube() { "$BIN/stube" "$@"; }

scheduler_start() {
	"$BIN/stube-scheduler" --store "sqlite:$WORK/store.db" --socket "$WORK/run/scheduler.sock" --listen "$API" \
		--cert "$PKI/scheduler.crt" --key "$PKI/scheduler.key" --client-ca "$PKI/ca.crt" --lease "${LEASE:-5s}" "$@" \
		>> "$WORK/scheduler.log" 2>&1 < /dev/null 3>&- &
	SCHEDULER=$!
	disown $SCHEDULER
	eventually stube get namespaces
}

scheduler_kill() {
	kill -KILL "$SCHEDULER" 2> /dev/null || true
	gone "$SCHEDULER"
}

agent_start() {
	local name=$1
	shift
	[ -e "$PKI/node-$name.conf" ] ||
		"$BIN/stube" pki issue node "$name" --dir "$PKI" --address 127.0.0.1 --server "https://$API" > /dev/null
	mkdir -p "$WORK/$name"
	STUBE_RUN=$WORK/$name/run STUBE_DATA=$WORK/$name/data "$BIN/stube-agent" --config "$PKI/node-$name.conf" \
		--name "$name" --address 127.0.0.1 --listen 127.0.0.1:0 --store "$STUBE_STORE" "$@" \
		>> "$WORK/$name.log" 2>&1 < /dev/null 3>&- &
	AGENT[$name]=$!
	disown "${AGENT[$name]}"
}

agent_kill() {
	kill -KILL "${AGENT[$1]}" 2> /dev/null || true
	gone "${AGENT[$1]}"
	unset "AGENT[$1]"
}

# Ended with all its threads, so that its locks are free: its program file is given up before them.
gone() {
	local i tasks
	for ((i = 0; i < 200; i++)); do
		tasks=("/proc/$1/task"/*)
		[ -e "${tasks[0]}" ] || return 0
		[ ${#tasks[@]} -gt 1 ] || ! grep -q '^State:.Z' "/proc/$1/status" 2> /dev/null || return 0
		sleep 0.02
	done
	return 1
}

node_ready() { [ "$(stube nodes --output json | jq -r --arg n "$1" '.items[] | select(.metadata.name == $n).status.conditions[] | select(.type == "Ready").status')" = True ]; }

# Wait up to a minute (or $WAIT seconds) for a command to succeed; a look costs more than a wait, so looks get rarer.
eventually() {
	local waited pause=75
	for ((waited = 0; waited < ${WAIT:-60} * 1000; waited += pause)); do
		"$@" > /dev/null 2>&1 && return 0
		pause=$((pause < 300 ? pause + 25 : 300))
		sleep "0.$pause"
	done
	echo "never became true: $*"
	tail -n 5 "$WORK"/*.log
	return 1
}

# Processes of this cluster's monitors; what runs below them is found by its parents.
cluster_monitors() { pgrep -f -- "^$BIN/stube-monitor .*$WORK/" || true; }
below() {
	local child
	for child in $(pgrep -P "$1"); do below "$child"; echo "$child"; done
}

# Anything of this cluster that is still there: mounts, processes.
cluster_left() {
	grep -oF " $WORK/" /proc/self/mountinfo | sort -u | sed 's/^/mount below/'
	local file words
	for file in /proc/[0-9]*/cmdline; do
		[ "$file" != "/proc/$$/cmdline" ] || continue
		mapfile -d '' -t words 2> /dev/null < "$file" || continue
		case "${words[0]:-}" in *stube-*) [[ ${words[*]} != *"$WORK"* ]] || echo "process ${words[*]}" ;; esac
	done
}

cluster_teardown() {
	local pid monitor i left
	# Killed in the middle of their work: pins of layers stay, as after a crash, and go here.
	for pid in "${AGENT[@]}" ${SCHEDULER:-}; do kill -KILL "$pid" 2> /dev/null || true; done
	for monitor in $(cluster_monitors); do
		for pid in $(below "$monitor") "$monitor"; do kill -KILL "$pid" 2> /dev/null || true; done
	done
	grep -F " $WORK/" /proc/self/mountinfo | awk '{ print $5 }' | sort -r | xargs -r umount -l
	for ((i = 0; i < 50; i++)); do
		left=$(cluster_left)
		[ -n "$left" ] || break
		sleep 0.1
	done
	[ -z "$left" ] || echo "left behind: $left"
	rm -rf "$WORK"
	[ -z "$left" ]
}

# pod NAME [COMMAND] [EXTRA LINES OF SPEC]: a Pod that is nobody's.
pod_manifest() {
	cat <<-END
		apiVersion: v1
		kind: Pod
		metadata: {name: $1, labels: {app: $1}}
		spec:
		  terminationGracePeriodSeconds: 1
		  containers:
		    - {name: main, image: "example.org/box:1", imagePullPolicy: Never, args: [-c, "$2"]}
	END
}

# deployment_manifest NAME REPLICAS COMMAND
deployment_manifest() {
	cat <<-END
		apiVersion: apps/v1
		kind: Deployment
		metadata: {name: $1}
		spec:
		  replicas: $2
		  selector: {matchLabels: {app: $1}}
		  template:
		    metadata: {labels: {app: $1}}
		    spec:
		      terminationGracePeriodSeconds: 1
		      containers:
		        - {name: main, image: "example.org/box:1", imagePullPolicy: Never, args: [-c, "$3"]}
	END
}
