#!/usr/bin/env bats
# Limits under systemd's manager with real controllers: what systemctl tells and what the kernel's files say are the same,
# before and after a reload and an update; nothing stays. For the machines of tests/vm: root, systemd, all of cgroup v2.
bats_require_minimum_version 1.5.0
load ../cli/helpers

setup_file() {
	[ "${MANAGER:-systemd}" = systemd ] || skip 'is about systemd'
	BUNDLES=$(mktemp -d /tmp/stube-systemd.XXXXXX)
	export BUNDLES
	T=$BUNDLES
	rt_bundle b
	chmod 755 "$BUNDLES"
}
teardown_file() { rm -rf "$BUNDLES"; }
setup() {
	T=$BUNDLES ROOT=$BUNDLES/state ID=s$BATS_TEST_NUMBER
	UNIT=stube-$ID.scope
	GROUP=/sys/fs/cgroup/lab.slice/$UNIT
}
teardown() {
	rt delete --force "$ID"
	[ -z "$(systemctl list-units --all --no-legend --plain "$UNIT")" ]
	[ ! -e "$GROUP" ]
}

managed() { rt --systemd-cgroup "$@"; }
until_true() { for _ in {1..1200}; do "$@" && return; sleep 0.05; done; echo "never true: $*"; return 1; }
file() { cat "$GROUP/$1"; }
told() { # PROPERTY VALUE
	local now
	now=$(systemctl show -P "$1" "$UNIT")
	echo "$1=$now, expected $2"
	[ "$now" = "$2" ]
}
config() { # SCRIPT FILTER
	rt_config b "$(rt_sh "$1") | .linux.cgroupsPath = \"lab.slice:stube:$ID\" | $2"
}
container() { # SCRIPT FILTER
	config "$@"
	managed run -d -b "$T/b" "$ID" > "$T/out" 2>&1 || { cat "$T/out"; return 1; }
}

@test "every limit is in the file and in the property, before and after a reload and an update" {
	container 'sleep 600' '.linux.resources = {memory: {limit: 67108864, swap: 67108864, reservation: 33554432}, pids: {limit: 20}, cpu: {shares: 2048, quota: 33500, period: 50000}, unified: {"memory.high": "60000000"}}'
	values() { echo "$(file memory.max) $(file memory.low) $(file memory.high) $(file pids.max) $(file cpu.max) $(file cpu.weight)"; }
	told MemoryMax 67108864
	told MemoryLow 33554432
	told MemoryHigh 60000000
	told TasksMax 20
	told CPUWeight 174
	told CPUQuotaPerSecUSec 670ms
	told CPUQuotaPeriodUSec 50ms
	[ "$(values)" = '67108864 33554432 59998208 20 33500 50000 174' ]
	systemctl daemon-reload
	told MemoryMax 67108864
	told TasksMax 20
	told CPUQuotaPerSecUSec 670ms
	[ "$(values)" = '67108864 33554432 59998208 20 33500 50000 174' ]
	rt update --memory 33554432 --memory-swap -1 --pids-limit -1 --cpu-quota 20000 "$ID"
	told MemoryMax 33554432
	told TasksMax infinity
	told CPUQuotaPerSecUSec 400ms
	systemctl daemon-reload
	[ "$(file memory.max) $(file pids.max) $(file cpu.max)" = '33554432 max 20000 50000' ]
}

@test "a part of a percent is exact in the kernel, and rounded up to a whole one where systemd writes it again" {
	container 'sleep 600' '.linux.resources = {cpu: {quota: 33300, period: 50000}}'
	[ "$(file cpu.max)" = '33300 50000' ]
	told CPUQuotaPerSecUSec 670ms
	rt update --cpu-quota 12345 "$ID"
	[ "$(file cpu.max)" = '12345 50000' ]
	told CPUQuotaPerSecUSec 250ms
	systemctl daemon-reload
	[[ "$(file cpu.max)" =~ ^(12345|12500)\ 50000$ ]]
}

@test "a limit of memory that ends the container is no failure of update" {
	container 'x=a; for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23; do x=$x$x; done; while sleep 1; do :; done' '.linux.resources = {memory: {limit: 134217728, swap: 134217728}}'
	large() { [ "$(file memory.current)" -gt 8388608 ]; }
	until_true large
	rt update --memory 1048576 --memory-swap 1048576 "$ID"
	stopped() { [ "$(rt state "$ID" | jq -r .status)" = stopped ]; }
	until_true stopped
}

@test "a container without limits has none, where systemd has defaults" {
	container 'sleep 600' .
	[ "$(file memory.max) $(file memory.low) $(file pids.max) $(file cpu.max) $(file cpu.weight)" = 'max 0 max max 100000 100' ]
}

@test "a container of one process starts: the process that held its scope does not count" {
	config true '.linux.resources = {pids: {limit: 1}}'
	managed run -b "$T/b" "$ID"
	container 'exec sleep 600' '.linux.resources = {pids: {limit: 1}}'
	[ "$(file pids.max) $(file pids.current)" = '1 1' ]
	told TasksMax 1
}

@test "a limit of memory that leaves next to nothing is no obstacle for the process that held the scope" {
	config true '.linux.resources = {memory: {limit: 524288}}'
	managed run -b "$T/b" "$ID"
}

@test "device rules outlive a reload, and systemd has none of its own" {
	container 'sleep 600' '.linux.devices = [{path: "/dev/loop", type: "b", major: 7, minor: 0, fileMode: 438}] | .linux.resources = {devices: [{allow: false, access: "rwm"}]}'
	told DevicePolicy auto
	told DeviceAllow ''
	rt update --pids-limit 10 "$ID"
	systemctl daemon-reload
	rt exec "$ID" head -c1 /dev/null
	rt exec "$ID" sh -c 'head -c1 /dev/loop 2>&1' | grep 'not permitted'
}

@test "limits of a disk are in the file and in the property" {
	local device number
	for device in /dev/ubda /dev/vda; do [ ! -e $device ] || number=$((0x$(stat -c %t $device))):$((0x$(stat -c %T $device))); done
	container 'sleep 600' ".linux.resources = {blockIO: {throttleWriteBpsDevice: [{major: ${number%:*}, minor: ${number#*:}, rate: 1048576}]}}"
	[ "$(file io.max)" = "$number rbps=max wbps=1048576 riops=max wiops=max" ]
	systemctl show "$UNIT" | grep -x "IOWriteBandwidthMax=/dev/block/$number 1048576"
}

@test "an ordinary user's limits are those of the user's own systemd" {
	local user
	user=$(awk -F: '$3 == 1000 { print $1 }' /etc/passwd)
	[ -n "$user" ] || skip 'there is no user 1000'
	systemctl start user@1000.service
	install -d -o 1000 -g 1000 "$T/home"
	config 'sleep 600' '.linux.cgroupsPath = null | .linux.namespaces = (["user", "pid", "mount", "ipc", "uts", "cgroup"] | map({type: .})) | .linux.uidMappings = [{containerID: 0, hostID: 1000, size: 1}] | .linux.gidMappings = .linux.uidMappings | .mounts = [.mounts[0]] | del(.linux.maskedPaths, .linux.readonlyPaths) | .linux.resources = {memory: {limit: 33554432}, pids: {limit: 20}, cpu: {quota: 20000, period: 100000}}'
	chown -R 1000:1000 "$T/b"
	as_user() { setpriv --reuid 1000 --regid 1000 --clear-groups env -i PATH="$PATH" HOME="$T/home" XDG_RUNTIME_DIR=/run/user/1000 "$@"; }
	theirs() { as_user "$RT_BIN" --root "$T/home/state" "$@"; }
	theirs --systemd-cgroup run -d -b "$T/b" "$ID" > "$T/out" 2>&1 || { cat "$T/out"; return 1; }
	GROUP=/sys/fs/cgroup$(jq -r .cgroup "$T/home/state/$ID/state.json")
	[[ "$GROUP" == *"/user@1000.service/user.slice/$UNIT" ]]
	[ "$(file memory.max) $(file pids.max) $(file cpu.max)" = '33554432 20 20000 100000' ]
	[ "$(as_user systemctl --user show -P MemoryMax "$UNIT") $(as_user systemctl --user show -P TasksMax "$UNIT")" = '33554432 20' ]
	theirs update --memory 16777216 "$ID"
	[ "$(file memory.max)" = 16777216 ]
	[ "$(as_user systemctl --user show -P MemoryMax "$UNIT")" = 16777216 ]
	theirs delete --force "$ID"
	[ -z "$(as_user systemctl --user list-units --all --no-legend --plain "$UNIT")" ]
}
