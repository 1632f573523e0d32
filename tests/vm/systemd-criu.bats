#!/usr/bin/env bats
# Checkpoint and restore under systemd's manager: the scope goes with the processes, and comes back with them, its limits
# those of the new configuration. For the machine of tests/vm that is emulated: CRIU works there.
bats_require_minimum_version 1.5.0
load vm

setup_file() {
	PATH=$PATH:/usr/sbin:/sbin
	criu check > /dev/null 2>&1 || skip "criu check: $(criu check 2>&1 | grep -v 'Diag module\|tun:' | tail -1)"
	vm_bundle
}
teardown_file() { [ -z "${BUNDLES:-}" ] || rm -rf "$BUNDLES"; }
setup() {
	vm_setup
	PATH=$PATH:/usr/sbin:/sbin
	UNIT=stube-$ID.scope DIR=$(cgroup_dir)
	rm -rf "$T"/images*
}
teardown() {
	vm_teardown
	no_unit
}

COUNT='i=0; while :; do i=$((i+1)); echo $i > /dev/shm/count; sleep 0.1; done'
count() { cat "/proc/$(rt_pid "$ID")/root/dev/shm/count" 2> /dev/null || echo 0; }
counts_on() { # NUMBER
	above() { [ "$(count)" -gt "$1" ]; }
	wait_for above "$1"
}
no_unit() { [ -z "$(systemctl list-units --all --no-legend --plain "$UNIT")" ]; }
told() { systemctl show -P "$1" "$UNIT"; }
with_limits() { config "{memory: {limit: $1}, pids: {limit: $2}, devices: [{allow: false, access: \"rwm\"}]}" . sh -c "$COUNT"; }
back() {
	rt restore -d -b "$T/b" --image-path "$T/images" "$ID" > "$T/out" 2>&1 < /dev/null || { cat "$T/out"; return 1; }
}

@test "a container goes into files with its scope, and comes back in a new one with the new limits" {
	local first run
	with_limits 67108864 50
	rt run -d -b "$T/b" "$ID" > "$T/out" 2>&1 < /dev/null || { cat "$T/out"; return 1; }
	run=$(told InvocationID)
	counts_on 2
	rt checkpoint --image-path "$T/images" "$ID" || { tail -20 "$T/images/dump.log"; return 1; }
	[ ! -e "$DIR" ]
	no_unit
	with_limits 100663296 60
	back
	first=$(count)
	[ "$first" -gt 2 ]
	counts_on "$first"
	[ "$(told ActiveState) $(told MemoryMax) $(told TasksMax)" = 'active 100663296 60' ]
	[ "$(told InvocationID)" != "$run" ]
	[ "$(value memory.max) $(value pids.max)" = '100663296 60' ]
	# Neither the process that held the scope is there any more, nor CRIU.
	grep -qx "0::/vmtest.slice/$UNIT" "/proc/$(rt_pid "$ID")/cgroup"
	for pid in $(cat "$DIR/cgroup.procs"); do [[ "$(cat "/proc/$pid/comm" 2> /dev/null)" != @(stube-*|criu) ]]; done
	systemctl daemon-reload
	rt update --memory 134217728 "$ID"
	[ "$(told MemoryMax) $(value memory.max)" = '134217728 134217728' ]
	run rt exec "$ID" sh -c 'mknod /dev/kmsg c 1 11 2> /dev/null; cat /dev/kmsg'
	[ "$status" -ne 0 ]
	rt pause "$ID"
	[ "$(rt state "$ID" | jq -r .status)" = paused ]
	rt resume "$ID"
}

@test "a container with a cgroup namespace, left running and in another scope at the same time" {
	with_limits 67108864 50
	jq '.linux.namespaces += [{type: "cgroup"}] | .mounts += [{destination: "/sys/fs/cgroup", type: "cgroup", source: "cgroup", options: ["ro"]}]' "$T/b/config.json" > "$T/config"
	cp "$T/config" "$T/b/config.json"
	rt run -d -b "$T/b" "$ID" > "$T/out" 2>&1 < /dev/null || { cat "$T/out"; return 1; }
	counts_on 2
	rt checkpoint --leave-running --image-path "$T/images" "$ID"
	counts_on "$(count)"
	[ "$(told ActiveState)" = active ]
	rt delete --force "$ID"
	back
	counts_on "$(count)"
	[ "$(rt exec "$ID" sh -c 'cat /proc/self/cgroup')" = 0::/ ]
	[ -n "$(rt exec "$ID" cat /sys/fs/cgroup/cgroup.procs)" ]
	[ "$(told MemoryMax)" = 67108864 ]
}

@test "a restore that CRIU refuses leaves no scope; one in the foreground ends with it" {
	with_limits 67108864 50
	rt run -d -b "$T/b" "$ID" > "$T/out" 2>&1 < /dev/null || { cat "$T/out"; return 1; }
	counts_on 2
	rt checkpoint --image-path "$T/images" "$ID"
	mkdir "$T/images.kept"
	mv "$T"/images/pagemap-*.img "$T/images.kept/"
	run rt restore -d -b "$T/b" --image-path "$T/images" "$ID"
	echo "$output"
	[ "$status" -eq 1 ]
	[[ "$output" == *"criu failed: "* ]]
	[ ! -e "$ROOT/$ID" ]
	[ ! -e "$DIR" ]
	no_unit
	mv "$T"/images.kept/* "$T/images/"
	rt restore -b "$T/b" --image-path "$T/images" "$ID" > "$T/out" 2>&1 < /dev/null &
	local foreground=$! status=0
	here() { [ -d "$DIR" ] && [ "$(rt state "$ID" | jq -r .status)" = running ]; }
	for _ in {1..120}; do here && break; kill -0 $foreground || break; sleep 0.2; done
	here || { cat "$T/out"; tail -20 "$T/images/restore.log"; return 1; }
	rt kill "$ID" KILL
	wait $foreground || status=$?
	cat "$T/out"
	[ "$status" -eq 137 ]
	! grep 'out of memory' "$T/out"
	[ ! -e "$ROOT/$ID" ]
	no_unit
}
