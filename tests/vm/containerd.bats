#!/usr/bin/env bats
# containerd with its default limits and its own, for both cgroup managers. For the machines of tests/vm.
bats_require_minimum_version 1.5.0

setup_file() {
	for program in containerd ctr; do
		command -v $program > /dev/null || skip "$program is not installed"
	done
	T=$(mktemp -d /tmp/stube-containerd.XXXXXX)
	export T MANAGER=${MANAGER:-cgroupfs}
	mkdir -p "$T/rootfs/bin"
	cp /bin/busybox build/helpers/load "$T/rootfs/bin/"
	for name in sh sleep cat true; do ln -s busybox "$T/rootfs/bin/$name"; done
	cat > "$T/config.toml" <<-X
		version = 2
		root = "$T/root"
		state = "$T/state"
		disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.internal.v1.opt", "io.containerd.snapshotter.v1.overlayfs", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.devmapper"]
		[grpc]
		  address = "$T/sock"
		[ttrpc]
		  address = "$T/sock.ttrpc"
	X
	# A service of its own: what it starts is not of the test's cgroup.
	systemd-run --quiet --unit stube-containerd --property Delegate=yes --property KillMode=process \
		containerd -c "$T/config.toml" || return
	for _ in {1..1200}; do [ -S "$T/sock" ] && ctr_at version > /dev/null 2>&1 && break; sleep 0.05; done
}
teardown_file() {
	systemctl stop stube-containerd
	umount -R "$T"/state/* 2> /dev/null || :
	rm -rf "$T"
}
setup() {
	ID=e$BATS_TEST_NUMBER
	case $MANAGER in
	systemd) GROUP=/sys/fs/cgroup/engines.slice/ctr-$ID.scope PLACE=(--runc-systemd-cgroup --cgroup "engines.slice:ctr:$ID") ;;
	*) GROUP=/sys/fs/cgroup/engines/$ID PLACE=(--cgroup "/engines/$ID") ;;
	esac
}
teardown() {
	ctr_at task kill -s KILL "$ID" > /dev/null 2>&1 || :
	ctr_at task delete --force "$ID" > /dev/null 2>&1 || :
	ctr_at container rm "$ID" > /dev/null 2>&1 || :
	[ ! -e "$GROUP" ]
	[ -z "$(systemctl list-units --all --no-legend --plain 'ctr-*')" ]
}

ctr_at() { timeout 120 ctr -a "$T/sock" "$@" 3>&-; }
start() { # OPTION... ID COMMAND...
	local options=()
	while [[ "$1" == -* ]]; do options+=("$1"); shift; done
	ctr_at run "${options[@]}" --runc-binary "$RT_BIN" --runc-root "$T/runc" "${PLACE[@]}" --rootfs "$T/rootfs" "$@"
}
file() { cat "$GROUP/$1"; }
told() { systemctl show -P "$1" "ctr-$ID.scope"; }

@test "ctr run with containerd's defaults" {
	run start --rm "$ID" sh -c 'echo hello; exit 7'
	echo "$output"
	[ "$status" -eq 7 ]
	[[ "$output" == *hello* ]]
}

@test "limits of ctr are the kernel's; exec, pause, metrics and kill reach the container; nothing stays" {
	start -d --memory-limit=67108864 --cpu-quota=50000 --cpu-period=100000 "$ID" sleep 1000
	[ "$(file memory.max) $(file cpu.max)" = '67108864 50000 100000' ]
	# containerd's default shares, and its default device rules.
	[ "$(file cpu.weight)" = 100 ]
	if [ "$MANAGER" = systemd ]; then
		[ "$(told MemoryMax) $(told CPUQuotaPerSecUSec)" = '67108864 500ms' ]
	fi
	ctr_at task exec --exec-id one "$ID" true
	run ctr_at task exec --exec-id two "$ID" load mknod /node c 1 11
	echo "$output"
	[[ "$output" == *ok* ]]
	run ctr_at task exec --exec-id three "$ID" load open /node r
	echo "$output"
	[[ "$output" == *EPERM* ]]
	ctr_at task pause "$ID"
	[ "$(file cgroup.freeze)" = 1 ]
	ctr_at task resume "$ID"
	run ctr_at task metrics "$ID"
	echo "$output"
	[[ "$output" == *memory.usage_limit*67108864* ]]
	ctr_at task kill -s KILL "$ID"
	ctr_at task delete "$ID" || [ $? = 137 ]
}

# Of a kill that ends the container containerd may not tell: systemd takes the cgroup away while containerd still looks.
@test "what takes more memory than ctr allowed is killed, and containerd's event says so" {
	ctr -a "$T/sock" events > "$T/events" 2>&1 3>&- &
	local watcher=$!
	start -d --memory-limit=16777216 "$ID" sh -c 'load memory 100; exec sleep 1000'
	for _ in {1..1200}; do grep -q /tasks/oom "$T/events" && break; sleep 0.05; done
	kill $watcher
	cat "$T/events"
	grep /tasks/oom "$T/events"
	[[ "$(ctr_at task ls)" =~ $ID\ +[0-9]+\ +RUNNING ]]
	ctr_at task kill -s KILL "$ID"
	ctr_at task delete "$ID" || [ $? = 137 ]
}
