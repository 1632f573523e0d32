#!/usr/bin/env bats
# A container that has its cgroup to distribute: systemd as its program, a container inside a container; for both managers.
# The inner root is the machine's own tree, written over in memory. For the machines of tests/vm.
bats_require_minimum_version 1.5.0
load vm

setup_file() {
	vm_bundle
	local root=$BUNDLES/b/rootfs over=$BUNDLES/over
	rm -rf "$root" && mkdir "$root" "$over"
	mount -t tmpfs -o mode=755 tmpfs "$over"
	mkdir -p "$over"/{work,upper/etc/systemd/system,upper/opt}
	cp build/helpers/load "$over/upper/opt/"
	cp "${RT_BIN%/*}"/{stube-runtime,stube-systemd} "$over/upper/opt/"
	: > "$over/upper/etc/fstab"
	# Far less than Debian's own targets: what makes a service manager, and one service with a limit.
	cat > "$over/upper/etc/systemd/system/inside.target" <<-'X'
		[Unit]
		Requires=basic.target dbus.socket
		After=basic.target dbus.socket
		Wants=worker.service
		AllowIsolate=yes
	X
	cat > "$over/upper/etc/systemd/system/worker.service" <<-'X'
		[Service]
		ExecStart=/opt/load memory 1 100000
		MemoryMax=24M
		TasksMax=7
	X
	printf '[Service]\nExecStart=/opt/load memory 100\nMemoryMax=16M\nMemorySwapMax=0\n' > "$over/upper/etc/systemd/system/hog.service"
	# A root of its own for those of another user.
	mkdir -p "$BUNDLES/b/plain"/{bin,proc,sys,dev,tmp}
	cp /bin/busybox "$BUNDLES/b/plain/bin/"
	ln -s busybox "$BUNDLES/b/plain/bin/cat"
	chmod 755 "$BUNDLES" "$BUNDLES/b"
	mount -t overlay -o "lowerdir=/,upperdir=$over/upper,workdir=$over/work" overlay "$root"
}
teardown_file() {
	umount "$BUNDLES/b/rootfs" "$BUNDLES/over"
	rm -rf "$BUNDLES"
}
setup() { vm_setup; DIR=$(cgroup_dir); }
teardown() { vm_teardown; }

CAPS='["CAP_CHOWN","CAP_DAC_OVERRIDE","CAP_FOWNER","CAP_FSETID","CAP_KILL","CAP_NET_BIND_SERVICE","CAP_SETFCAP","CAP_SETGID","CAP_SETPCAP","CAP_SETUID","CAP_SYS_CHROOT"] | {bounding: ., effective: ., permitted: .}'
# A cgroup namespace, the cgroup writable, memory of its own where service managers want it.
OWN_CGROUP='.root.readonly = false | .process.noNewPrivileges = false | del(.linux.readonlyPaths)
	| .linux.namespaces += [{type: "cgroup"}]
	| .process.env = ["PATH=/usr/sbin:/usr/bin:/sbin:/bin", "container=oci"]
	| .mounts += [{destination: "/sys/fs/cgroup", type: "cgroup", source: "cgroup", options: ["rw", "nosuid", "noexec", "nodev"]},
		{destination: "/run", type: "tmpfs", source: "tmpfs", options: ["mode=755"]},
		{destination: "/run/lock", type: "tmpfs", source: "tmpfs"},
		{destination: "/tmp", type: "tmpfs", source: "tmpfs"},
		{destination: "/var/log/journal", type: "tmpfs", source: "tmpfs"}]'
LIMITS='{memory: {limit: 268435456}, pids: {limit: 200}, cpu: {quota: 90000, period: 100000}}'

start_container() { # FILTER WORD...
	local filter=$1
	shift
	config "$LIMITS" "$OWN_CGROUP | $filter" "$@"
	rt run -d -b "$T/b" "$ID" > "$T/out" 2>&1 < /dev/null || { cat "$T/out"; return 1; }
}
inside() { rt exec "$ID" "$@"; }
start_systemd() { # CAPABILITIES
	start_container ".process.capabilities = ($1)" /lib/systemd/systemd --unit=inside.target
	# First whether it listens, then until it is done.
	up() { [[ "$(inside systemctl is-system-running --wait 2>&1)" =~ ^(running|degraded)$ ]]; }
	wait_for up || { inside systemctl list-jobs; inside systemctl --failed; return 1; }
}

@test "systemd as a container's program: its services have limits of their own, the container is as any other" {
	start_systemd "$CAPS"
	[ "$(inside systemctl is-system-running)" = running ] || { inside systemctl --failed; return 1; }
	[ "$(inside systemctl is-active inside.target worker.service | sort -u)" = active ]
	[ "$(cat "$DIR/system.slice/worker.service/memory.max") $(cat "$DIR/system.slice/worker.service/pids.max")" = '25165824 7' ]
	# Ours is what was asked for, whatever goes on below, and nobody inside can change it.
	[ "$(value memory.max) $(value pids.max) $(value cpu.max)" = '268435456 200 90000 100000' ]
	run inside sh -c 'echo max > /sys/fs/cgroup/memory.max'
	[ "$status" -ne 0 ]
	[ "$(value memory.max)" = 268435456 ]
	# One of its services dies of its own limit, and of nothing else.
	inside systemctl start hog.service
	ended() { [ "$(inside systemctl show -P Result hog.service)" = oom-kill ]; }
	wait_for ended
	# There is no place for processes in the container's own cgroup any more.
	[ -n "$(value cgroup.subtree_control)" ]
	[ "$(inside cat /proc/self/cgroup)" = 0::/init.scope ]
	[ "$(rt ps -f json "$ID" | jq length)" -ge 3 ]
	rt pause "$ID"
	[ "$(rt state "$ID" | jq -r .status)" = paused ]
	rt resume "$ID"
	rt update --memory 201326592 --pids-limit 150 "$ID"
	[ "$(value memory.max) $(value pids.max)" = '201326592 150' ]
	[ "$(rt events --stats "$ID" | jq .data.pids.current)" -ge 3 ]
	[ "$(inside systemctl is-active worker.service)" = active ]
	# The signal that ends a systemd in good order.
	rt kill "$ID" RTMIN+3
	stopped() { [ "$(rt state "$ID" | jq -r .status)" = stopped ]; }
	wait_for stopped
}

ALL='["CAP_SYS_ADMIN","CAP_CHOWN","CAP_DAC_OVERRIDE","CAP_FOWNER","CAP_KILL","CAP_MKNOD","CAP_NET_ADMIN","CAP_SETGID","CAP_SETPCAP","CAP_SETUID","CAP_SYS_CHROOT"] | {bounding: ., effective: ., permitted: .}'
# A bundle for the inner container, on the outer's /tmp; its config is for the root of the outer.
INNER_SETUP='set -e
	mkdir -p /tmp/i/rootfs/bin /tmp/i/rootfs/proc /tmp/i/rootfs/dev /tmp/i/rootfs/sys /tmp/i/rootfs/tmp
	cp /opt/load /bin/busybox /tmp/i/rootfs/bin/
	inner() { # PATH RESOURCES WORD...
		path=$1 resources=$2
		shift 2
		jq -n --arg path "$path" "{ociVersion: \"1.0.2\", process: {user: {uid: 0, gid: 0}, cwd: \"/\", env: [\"PATH=/bin\"], args: \$ARGS.positional},
			root: {path: \"rootfs\"}, mounts: [{destination: \"/proc\", type: \"proc\", source: \"proc\"}],
			linux: {cgroupsPath: \$path, resources: $resources, namespaces: ([\"pid\", \"mount\", \"ipc\", \"uts\", \"cgroup\"] | map({type: .}))}}" \
			--args -- "$@" > /tmp/i/config.json
	}
'

@test "a container inside a container: limits of both, with a place of its own for the outer's processes" {
	start_container ".process.capabilities = ($ALL) | .annotations = {\"run.oci.delegate-cgroup\": \"mine\"}" sh -c 'while :; do sleep 1000; done'
	inside sh -c "$INNER_SETUP"'
		inner /inner "{memory: {limit: 16777216, swap: 16777216}, pids: {limit: 12}}" load fork 100
		/opt/stube-runtime --cgroup-manager=cgroupfs run -b /tmp/i one
	' > "$T/out" 2>&1 || { cat "$T/out"; return 1; }
	cat "$T/out"
	grep -x '11 EAGAIN' "$T/out"
	run inside sh -c "$INNER_SETUP"'
		inner /inner "{memory: {limit: 16777216, swap: 16777216}}" load memory 100
		/opt/stube-runtime --cgroup-manager=cgroupfs run -b /tmp/i two
	'
	echo "$output"
	[ "$status" -eq 137 ]
	[[ "$output" == *'out of memory (linux.resources.memory.limit)'* ]]
	[ "$(rt state "$ID" | jq -r .status)" = running ]
}

@test "a container inside a container, under the systemd inside: a scope of it, limits as properties" {
	start_systemd "$ALL"
	inside sh -c "$INNER_SETUP"'
		inner system.slice:inner:one "{memory: {limit: 16777216, swap: 16777216}, pids: {limit: 12}}" load memory 1 100000
		/opt/stube-runtime --systemd-cgroup run -d -b /tmp/i one
		systemctl show -P MemoryMax -P TasksMax -P ActiveState inner-one.scope
		cat /sys/fs/cgroup/system.slice/inner-one.scope/memory.max
		/opt/stube-runtime update --memory 33554432 --memory-swap 33554432 one
		systemctl show -P MemoryMax inner-one.scope
		/opt/stube-runtime delete --force one
		systemctl is-active inner-one.scope || :
	' > "$T/said" 2>&1 < /dev/null || { cat "$T/said"; return 1; }
	cat "$T/said"
	[ "$(grep -v touched "$T/said" | tr '\n' ' ')" = '16777216 12 active 16777216 33554432 inactive ' ]
	[ "$(rt state "$ID" | jq -r .status)" = running ]
	# The whole of it goes at once: vm_teardown.
}

@test "in a user namespace the container's root owns the cgroup, and makes others below it" {
	local map='[{containerID: 0, hostID: 100000, size: 65536}]'
	start_container ".root.path = \"plain\" | .process.capabilities = ($CAPS) | .linux.namespaces += [{type: \"user\"}] | .linux.uidMappings = $map | .linux.gidMappings = $map
		| .mounts |= map(select(.destination | IN(\"/proc\", \"/dev\", \"/sys/fs/cgroup\", \"/tmp\", \"/sys\")))" busybox sleep 100000
	[ "$(stat -c %u "$DIR" "$DIR/cgroup.procs" "$DIR/memory.max" | tr '\n' ' ')" = '100000 100000 0 ' ]
	inside busybox sh -ec 'cd /sys/fs/cgroup; mkdir own part; echo 1 > own/cgroup.procs; echo $$ > own/cgroup.procs
		echo "+memory +pids" > cgroup.subtree_control; echo 16777216 > part/memory.max; cat part/memory.max'
	[ "$(cat "$DIR/part/memory.max")" = 16777216 ]
	[ "$(inside cat /proc/self/cgroup)" = 0::/own ]
	run inside busybox sh -c 'echo max > /sys/fs/cgroup/memory.max'
	[ "$status" -ne 0 ]
}
