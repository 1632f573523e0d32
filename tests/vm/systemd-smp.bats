#!/usr/bin/env bats
# Limits under systemd that want two processors and all controllers: file, property and effect are the same before and after
# a reload and an update. For the machine of tests/vm that is emulated.
bats_require_minimum_version 1.5.0
load vm

setup_file() { vm_bundle; }
teardown_file() { rm -rf "$BUNDLES"; }
setup() {
	vm_setup
	UNIT=stube-$ID.scope DIR=$(cgroup_dir)
}
teardown() { vm_teardown; }

told() { # PROPERTY VALUE
	local now
	now=$(systemctl show -P "$1" "$UNIT")
	echo "$1=$now, expected $2"
	[ "$now" = "$2" ]
}
allowed() { # the spinner, by the kernel
	local now
	now=$(awk '$1 == "Cpus_allowed_list:" { print $2 } $1 == "Mems_allowed_list:" { print "m" $2 }' "/proc/$(rt_pid "$ID")/status" | tr '\n' ' ')
	echo "allowed: $now"
	[ "$now" = "$1 m0 " ]
}
# Ticks of each processor that were not idle while the spinner had a second of processor time.
busy() {
	local now=$(($(awk '$1 == "usage_usec" { print $2 }' "$DIR/cpu.stat") + 1000000))
	awk '/^cpu[01] / { print $2 + $3 + $4 }' /proc/stat > "$T/before"
	while [ "$(awk '$1 == "usage_usec" { print $2 }' "$DIR/cpu.stat")" -lt $now ]; do sleep 0.1; done
	awk '/^cpu[01] / { print $2 + $3 + $4 }' /proc/stat | paste "$T/before" - | awk '{ print $2 - $1 }' | tr '\n' ' '
}

@test "AllowedCPUs and AllowedMemoryNodes: where the processes run, before and after a reload and an update" {
	local ticks
	began '{cpu: {cpus: "1", mems: "0"}}' load spin 10000000
	told AllowedCPUs 1
	told AllowedMemoryNodes 0
	[ "$(value cpuset.cpus) $(value cpuset.mems)" = '1 0' ]
	allowed 1
	read -ra ticks <<< "$(busy)"
	echo "busy: ${ticks[*]}"
	[ "${ticks[1]}" -ge 80 ]
	systemctl daemon-reload
	told AllowedCPUs 1
	allowed 1
	rt update --cpuset-cpus 0 "$ID"
	told AllowedCPUs 0
	allowed 0
	systemctl daemon-reload
	told AllowedCPUs 0
	[ "$(value cpuset.cpus.effective)" = 0 ]
	allowed 0
	run rt update --cpuset-cpus 7 "$ID"
	echo "$output"
	[ "$status" -ne 0 ]
	[[ "$output" == *linux.resources.cpu.cpus* ]]
	allowed 0
	rt update --cpuset-cpus 0-1 "$ID"
	told AllowedCPUs 0-1
	allowed 0-1
}

@test "IOWeight, a device's weight and io.max: file and property, before and after a reload and an update" {
	local disk other
	disk=$(lsblk -nrdo MAJ:MIN /dev/vda) other=$(lsblk -nrdo MAJ:MIN /dev/vdb)
	# A device's own weight is the business of the kernel's cost model, which is off.
	echo "$other enable=1" > /sys/fs/cgroup/io.cost.qos
	began "{blockIO: {weight: 500, weightDevice: [{major: ${other%:*}, minor: ${other#*:}, weight: 1000}],
		throttleWriteBpsDevice: [{major: ${disk%:*}, minor: ${disk#*:}, rate: 1048576}],
		throttleReadIOPSDevice: [{major: ${disk%:*}, minor: ${disk#*:}, rate: 500}]}}" sleep 100000
	same() {
		told IOWeight "$1"
		told IODeviceWeight "/dev/block/$other 10000"
		told IOWriteBandwidthMax "/dev/block/$disk $2"
		told IOReadIOPSMax "/dev/block/$disk 500"
		echo "io.weight: $(value io.weight); io.max: $(value io.max)"
		[ "$(value io.weight)" = "default $1 $other 10000" ]
		[ "$(value io.max)" = "$disk rbps=max wbps=$2 riops=500 wiops=max" ]
	}
	same 4950 1048576
	systemctl daemon-reload
	same 4950 1048576
	rt update --blkio-weight 100 "$ID"
	same 910 1048576
	echo "{\"blockIO\": {\"throttleWriteBpsDevice\": [{\"major\": ${disk%:*}, \"minor\": ${disk#*:}, \"rate\": 2097152}]}}" > "$T/resources"
	rt update -r "$T/resources" "$ID"
	same 910 2097152
	systemctl daemon-reload
	same 910 2097152
	# And it is kept: 6 MiB at 2 MiB a second.
	local took
	took=$(rt exec "$ID" load write /tmp/data 6144)
	echo "took $took ms"
	[ "$took" -ge 2400 ]
}
