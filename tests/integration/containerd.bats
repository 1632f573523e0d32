#!/usr/bin/env bats
# containerd starts, enters, pauses and removes containers with stube-runtime.
load engine

setup_file() {
	for program in containerd ctr podman; do
		command -v $program > /dev/null || skip "$program is not installed"
	done
	engine_start v2
	start_containerd
	make_image
}

teardown_file() {
	if [ -n "${DAEMON:-}" ]; then
		for task in $(ctr_at task ls -q 2> /dev/null); do
			ctr_at task kill -s KILL "$task" > /dev/null 2>&1 || true
			ctr_at task delete --force "$task" > /dev/null 2>&1 || true
		done
		kill "$DAEMON"
		while kill -0 "$DAEMON" 2> /dev/null; do sleep 0.05; done
	fi
	[ -z "${T:-}" ] || rmdir "$(engine_hierarchy)/${T##*.}" 2> /dev/null || true
	engine_stop
}

start_containerd() {
	cat > "$T/config.toml" <<-END
	version = 2
	root = "$T/root"
	state = "$T/state"
	disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.internal.v1.opt", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.devmapper"]
	[grpc]
	  address = "$T/sock"
	[ttrpc]
	  address = "$T/sock.ttrpc"
	END
	# With --uidmap ctr forgets what --runc-binary said: then containerd takes the runc of its PATH.
	mkdir "$T/bin"
	ln -s "$RUNTIME" "$T/bin/runc"
	PATH=$T/bin:$PATH nsenter -t "$HOLDER" -m -- containerd -c "$T/config.toml" > "$T/log" 2>&1 3>&- &
	DAEMON=$!
	export DAEMON
	for _ in {1..200}; do [ -S "$T/sock" ] && ctr_at version > /dev/null 2>&1 && return; sleep 0.05; done
	tail "$T/log" >&2
	return 1
}

# An OCI archive from busybox's tree; podman only packs it.
make_image() {
	tar -C "$T/rootfs" -cf "$T/rootfs.tar" .
	local store=(--root "$T/proot" --runroot "$T/prun" --tmpdir "$T/ptmp" --storage-driver=vfs)
	inside podman "${store[@]}" import "$T/rootfs.tar" localhost/busybox:test > "$T/import.log" 2>&1
	inside podman "${store[@]}" save --format oci-archive -o "$T/image.tar" localhost/busybox:test > /dev/null 2>&1
	ctr_at image import --snapshotter native "$T/image.tar" > /dev/null
}

ctr_at() {
	inside ctr -a "$T/sock" "$@" 3>&-
}

start() { # OPTION... ID COMMAND...
	local options=()
	while [[ "$1" == -* ]]; do options+=("$1"); shift; done
	ctr_at run "${options[@]}" --snapshotter native --runc-binary "$RUNTIME" --runc-root "$T/runc" \
		--cgroup "/${T##*.}/$1" localhost/busybox:test "$@"
}

@test "ctr run prints what the program prints and passes its exit status on" {
	run start --rm one sh -c 'echo hello; exit 7'
	[ "$status" -eq 7 ]
	[[ "$output" == *hello* ]]
}

@test "run -d, exec, pause, resume, ps, metrics, kill and delete work on one container" {
	start -d web sh -c 'sleep 100'
	run ctr_at task ls
	[[ "$output" =~ web\ +[0-9]+\ +RUNNING ]]
	run ctr_at task exec --exec-id e1 web sh -c 'echo inside as $(id -u); exit 5'
	[ "$status" -eq 5 ]
	[[ "$output" == *"inside as 0"* ]]
	ctr_at task pause web
	[[ "$(ctr_at task ls)" =~ web\ +[0-9]+\ +PAUSED ]]
	ctr_at task resume web
	[[ "$(ctr_at task ls)" =~ web\ +[0-9]+\ +RUNNING ]]
	pid=$(ctr_at task ls | awk '$1 == "web" { print $2 }')
	[[ "$(ctr_at task ps web)" == *"$pid"* ]]
	run ctr_at task metrics web
	[[ "$output" == *cpu.usage_usec* ]]
	ctr_at task kill -s KILL web
	for _ in {1..100}; do [[ "$(ctr_at task ls)" == *STOPPED* ]] && break; sleep 0.1; done
	run ctr_at task delete web
	[[ "$output" == *137* || "$status" -eq 137 || "$status" -eq 0 ]]
	ctr_at container rm web
	[ ! -e "/proc/$pid" ]
	[ ! -e "$(engine_hierarchy)/${T##*.}/web" ]
}

@test "the state that containerd's shim asks for lies below its own root" {
	start -d state sleep 100
	[ -s "$T/runc/default/state/state.json" ]
	ctr_at task kill -s KILL state
	for _ in {1..100}; do [[ "$(ctr_at task ls)" == *STOPPED* ]] && break; sleep 0.1; done
	ctr_at task delete state || true
	ctr_at container rm state
	[ ! -e "$T/runc/default/state" ]
}

@test "killing what has ended is recognised by containerd" {
	start -d ended true
	for _ in {1..100}; do [[ "$(ctr_at task ls)" == *STOPPED* ]] && break; sleep 0.1; done
	run ctr_at task kill ended
	[[ "$status" -eq 0 || "$output" == *"not found"* || "$output" == *"already finished"* ]]
	ctr_at task delete ended
	ctr_at container rm ended
}

@test "mounts, a read-only root, capabilities and a filter are as ctr asks" {
	mkdir -p "$T/vol"
	echo data > "$T/vol/file"
	run start --rm --read-only --cwd=/bin --env=A=b --cap-drop=CAP_CHOWN --seccomp \
		"--mount=type=bind,src=$T/vol,dst=/vol,options=rbind:ro" --mount=type=tmpfs,dst=/t,options=size=64k asked \
		sh -c 'exec 2>&1; id -u; echo $PWD $A; cat /vol/file; echo x > /vol/x; echo x > /x; grep -E "^(CapBnd|Seccomp):" /proc/self/status'
	[ "$status" -eq 0 ]
	[ "${lines[0]} ${lines[1]} ${lines[2]}" = "0 /bin b data" ]
	[[ "${lines[3]}" == *"/vol/x: Read-only file system"* ]]
	[[ "${lines[4]}" == *"/x: Read-only file system"* ]]
	[ "${lines[5]}" = $'CapBnd:\t00000000a80425fa' ]
	[ "${lines[6]}" = $'Seccomp:\t2' ]
}

@test "a user namespace by ctr's maps owns its root" {
	run start --rm --uidmap=0:100000:1000 --gidmap=0:100000:1000 mapped sh -c 'id -u; cat /proc/self/uid_map; stat -c %u:%g /bin/busybox'
	[ "$status" -eq 0 ]
	[ "${lines[0]}" = 0 ]
	[[ "${lines[1]}" =~ ^\ *0\ +100000\ +1000$ ]]
	[ "${lines[2]}" = 0:0 ]
}

@test "ctr run --tty and task exec --tty have a terminal" {
	start -d web sh -c 'sleep 300'
	for command in "run --rm --tty --snapshotter native --runc-binary $RUNTIME --runc-root $T/runc --cgroup /${T##*.}/tty localhost/busybox:test tty" \
		'task exec --tty --exec-id e2 web'; do
		printf 'exec nsenter -t %s -m -- ctr -a "%s" %s sh -c "test -t 0 && test -t 1 && echo a terminal"\n' "$HOLDER" "$T/sock" "$command" > "$T/terminal"
		timeout 60 script -qefc "sh $T/terminal" "$T/typescript" < /dev/null > "$T/screen" 3>&-
		[ "$(tr -d '\r' < "$T/screen" | grep -c 'a terminal$')" -eq 1 ]
	done
	# A second container in the network namespace of the first.
	pid=$(ctr_at task ls | awk '$1 == "web" { print $2 }')
	run start --rm "--with-ns=network:/proc/$pid/ns/net" joined stat -L -c %i /proc/self/ns/net
	[ "$output" = "$(stat -L -c %i "/proc/$pid/ns/net")" ]
	ctr_at task kill -s KILL web
	for _ in {1..100}; do [[ "$(ctr_at task ls)" == *STOPPED* ]] && break; sleep 0.1; done
	ctr_at task delete web || true
	ctr_at container rm web
}

@test "a program that does not exist fails with the words engines look for" {
	run start --rm missing /no/such/program
	[ "$status" -ne 0 ]
	[[ "${output,,}" == *"no such file or directory"* ]]
	[ ! -e "$T/runc/default/missing" ]
}
