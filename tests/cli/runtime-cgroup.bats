#!/usr/bin/env bats
# Promises about cgroups, on the v2 hierarchy of this host, which may have no controllers at all.
load helpers

setup() { rt_setup; }
teardown() { rt_teardown; }

created() { # FILTER
	rt_bundle b "$(rt_sh 'sleep 60') | .linux.cgroupsPath = \"/$ID/web\"${1:+ | $1}"
	rt create -b "$T/b" --pid-file "$T/pid" "$ID" > "$T/out" 2>&1
}

# Run a script in a container with the filter.
go() { # SCRIPT [FILTER]
	rt_bundle b "$(rt_sh "$1") | .linux.cgroupsPath = \"/$ID/web\"${2:+ | $2}"
	run rt run -b "$T/b" "$ID"
}

need_no_controller() { # NAME: tests about its absence
	! grep -qw "$1" "$CGROUP/cgroup.controllers" || skip "the cgroup v2 hierarchy of this host has the controller $1"
}

@test "the container is born in its cgroup, and both levels of it go with the container" {
	created
	[ "$(sed -n 's/^0:://p' "/proc/$(cat "$T/pid")/cgroup")" = "/$ID/web" ]
	[ "$(cat "$CGROUP/$ID/web/cgroup.procs")" = "$(cat "$T/pid")" ]
	rt delete --force "$ID"
	[ ! -e "$CGROUP/$ID" ]
}

@test "without cgroupsPath the cgroup has the container's id and lies beside the caller's own" {
	rt_bundle b "$(rt_sh 'sleep 60')"
	rt create -b "$T/b" --pid-file "$T/pid" "$ID" > /dev/null 2>&1
	own=$(sed -n 's/^0:://p' /proc/self/cgroup)
	[ "$(sed -n 's/^0:://p' "/proc/$(cat "$T/pid")/cgroup")" = "${own%/*}/$ID" ]
	rt delete --force "$ID"
}

@test "a cgroup that has processes is refused, and they are left alone" {
	mkdir "$CGROUP/$ID"
	sleep 60 &
	other=$!
	echo "$other" > "$CGROUP/$ID/cgroup.procs"
	rt_bundle b ".linux.cgroupsPath = \"/$ID\""
	run rt run -b "$T/b" "$ID"
	[ "$status" -eq 1 ]
	[[ "$output" == *"cgroup '/$ID' is not empty"* ]]
	kill -0 "$other"
	kill "$other"
}

@test "a frozen cgroup is refused instead of hanging for ever" {
	mkdir "$CGROUP/$ID"
	echo 1 > "$CGROUP/$ID/cgroup.freeze"
	rt_bundle b ".linux.cgroupsPath = \"/$ID/web\""
	run timeout 10 "$RT_BIN" --root "$ROOT" run -b "$T/b" "$ID"
	[ "$status" -eq 1 ]
	[[ "$output" == *"is frozen: the container could never start"* ]]
	[ ! -e "$CGROUP/$ID/web" ]
}

@test "a path with .. and the form of the systemd manager are refused by name" {
	for path in ../x a/../../b system.slice:stube:web; do
		rm -rf "$T/b"
		rt_bundle b ".linux.cgroupsPath = \"$path\""
		run rt run -b "$T/b" "$ID"
		[ "$status" -eq 1 ]
		[[ "$output" == *"linux.cgroupsPath: '$path'"* ]]
	done
}

@test "defaults that engines always send are no limits" {
	go 'echo ran' '.linux.resources = {cpu: {shares: 1024}, pids: {limit: 0}, memory: {limit: -1, swap: -1}}'
	[ "$status" -eq 0 ]
	[ "$output" = ran ]
}

@test "a real limit whose controller is missing names field and controller, and leaves nothing behind" {
	need_no_controller memory
	go true '.linux.resources = {memory: {limit: 1048576}}'
	[ "$status" -eq 1 ]
	[[ "$output" == *"linux.resources.memory.limit: the controller 'memory' is not available in the cgroup v2 hierarchy at '$CGROUP'"* ]]
	[ ! -e "$CGROUP/$ID" ]
	[ ! -e "$ROOT/$ID" ]
}

@test "a limit on huge pages reaches the kernel" {
	grep -qw hugetlb "$CGROUP/cgroup.controllers" || skip "the cgroup v2 hierarchy of this host has no controller hugetlb"
	created '.linux.resources = {hugepageLimits: [{pageSize: "2MB", limit: 4194304}]}'
	[ "$(cat "$CGROUP/$ID/web/hugetlb.2MB.max")" = 4194304 ]
	rt delete --force "$ID"
}

@test "with cgroups disabled no cgroup is made, and a real limit is refused" {
	rt_bundle b "$(rt_sh 'grep 0:: /proc/self/cgroup')"
	run rt --cgroup-manager disabled run -b "$T/b" "$ID"
	[ "$status" -eq 0 ]
	[ "$output" = "$(grep 0:: /proc/self/cgroup)" ]
	rt_config b '.linux.resources = {pids: {limit: 5}}'
	run rt --cgroup-manager disabled run -b "$T/b" "$ID"
	[ "$status" -eq 1 ]
	[[ "$output" == *"linux.resources.pids.limit: cgroups are disabled"* ]]
}

@test "pause stops the processes where they stand, resume lets them go on" {
	rt_bundle b "$(rt_sh 'while :; do echo x >> /tmp/ticks; done') | .linux.cgroupsPath = \"/$ID/web\""
	rt create -b "$T/b" "$ID" > /dev/null 2>&1
	rt start "$ID"
	ticks=$T/b/rootfs/tmp/ticks
	for _ in {1..200}; do [ -s "$ticks" ] && break; sleep 0.02; done
	rt pause "$ID"
	[ "$(rt state "$ID" | jq -r .status)" = paused ]
	then=$(stat -c %s "$ticks")
	sleep 0.2
	[ "$(stat -c %s "$ticks")" -eq "$then" ]
	run rt pause "$ID"
	[ "$status" -eq 1 ]
	[[ "$output" == *"container not running"* ]]
	rt resume "$ID"
	for _ in {1..200}; do [ "$(stat -c %s "$ticks")" -gt "$then" ] && break; sleep 0.02; done
	[ "$(stat -c %s "$ticks")" -gt "$then" ]
	run rt resume "$ID"
	[ "$status" -eq 1 ]
	[[ "$output" == *"container not paused"* ]]
	rt delete --force "$ID"
}

@test "a paused container is killed and deleted by force" {
	created
	rt start "$ID"
	rt pause "$ID"
	rt delete --force "$ID"
	[ ! -e "$CGROUP/$ID" ]
	[ ! -e "$ROOT/$ID" ]
}

@test "cgroups that the container made below its own are removed with it" {
	created
	mkdir -p "$CGROUP/$ID/web/inner/most"
	rt delete --force "$ID"
	[ ! -e "$CGROUP/$ID" ]
}

# ---- devices: eBPF needs no controller ----

DEVICES='.linux.devices = [{path: "/dev/fuse", type: "c", major: 10, minor: 229, fileMode: 438, uid: 0, gid: 0}] | .process.capabilities |= map_values(. + ["CAP_MKNOD"])'

need_fuse() {
	grep -qw fuse /proc/misc || skip "the kernel has no fuse, whose node anybody may open"
}

@test "a device that no rule allows cannot be opened although its node is there" {
	go 'head -c0 /dev/null; (exec 3< /dev/fuse) 2>&1; echo end' "$DEVICES | .linux.resources.devices = [{allow: false, access: \"rwm\"}]"
	[ "$status" -eq 0 ]
	[[ "$output" == *"/dev/fuse: Operation not permitted"* ]]
	[ "${lines[-1]}" = end ]
}

@test "a device that a rule allows can be opened, for that kind of access only" {
	need_fuse
	go 'exec 3< /dev/fuse && echo read; (exec 4> /dev/fuse) 2> /dev/null || echo no write' "$DEVICES | .linux.resources.devices = [{allow: false, access: \"rwm\"}, {allow: true, type: \"c\", major: 10, minor: 229, access: \"r\"}]"
	[ "$status" -eq 0 ]
	[ "$output" = $'read\nno write' ]
}

@test "a privileged container's rule allows every device" {
	need_fuse
	go 'exec 3<> /dev/fuse && echo opened' "$DEVICES | .linux.resources.devices = [{allow: true, access: \"rwm\"}]"
	[ "$output" = opened ]
}

@test "the default devices work whatever the rules say" {
	go 'echo x > /dev/null && head -c1 /dev/zero > /dev/full; head -c4 /dev/urandom | wc -c' '.linux.resources.devices = [{allow: false, access: "rwm"}]'
	[[ "$output" == *"No space left on device"* ]]
	[ "${lines[-1]}" = 4 ]
}

@test "containers that share a parent come and go at once without losing it" {
	rt_bundle b "$(rt_args true)"
	for n in 1 2 3; do jq ".linux.cgroupsPath = \"/$ID/pod/$n\"" "$T/b/config.json" > "$T/b/$n.json"; done
	for n in 1 2 3; do
		(for _ in {1..10}; do rt run -b "$T/b" -f "$n.json" "$ID-$n" || echo "failed $n"; done) > "$T/out$n" 2>&1 &
	done
	wait
	[ "$(cat "$T"/out*)" = "" ]
	[ -z "$(find "$CGROUP/$ID" -mindepth 2 -type d 2> /dev/null)" ]
}
