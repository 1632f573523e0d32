#!/usr/bin/env bats
# Promises of the fields that set a process up: each effect is read back from the kernel, in the container.
load helpers

HELPERS=$BATS_TEST_DIRNAME/../../build/helpers

setup() { rt_setup; }
teardown() { rt_teardown; }

# Run a container whose only program says what the kernel knows about it: show JQ-FILTER
show() {
	rt_bundle b "$(rt_args show-process) | $1"
	cp "$HELPERS/show-process" "$T/b/rootfs/bin/"
	run rt run -b "$T/b" "$ID"
	rm -rf "$T/b"
	echo "$output"
}
scheduler() { echo ".process.scheduler = {policy: \"SCHED_$1\"} + ($2)"; }

@test "scheduler: OTHER, BATCH and IDLE with their nice value" {
	show "$(scheduler OTHER '{nice: 7}')"
	[[ "$output" == *"scheduler policy 0 flags 0 nice 7 priority 0 "* ]]
	show "$(scheduler BATCH '{nice: 3}')"
	[[ "$output" == *"scheduler policy 3 flags 0 nice 3 priority 0 "* ]]
	show "$(scheduler IDLE '{}')"
	[[ "$output" == *"scheduler policy 5 "* ]]
}

@test "scheduler: FIFO and RR with a priority, reset on fork" {
	run chrt -f 1 true
	[ "$status" -eq 0 ] || skip "no realtime scheduling here: $output"
	show "$(scheduler FIFO '{priority: 12, flags: ["SCHED_FLAG_RESET_ON_FORK"]}')"
	[[ "$output" == *"scheduler policy 1 flags 1 nice 0 priority 12 "* ]]
	show "$(scheduler RR '{priority: 99}')"
	[[ "$output" == *"scheduler policy 2 flags 0 nice 0 priority 99 "* ]]
}

@test "scheduler: DEADLINE with runtime, deadline and period" {
	run chrt -d --sched-runtime 1000000 --sched-deadline 10000000 --sched-period 20000000 0 true
	[ "$status" -eq 0 ] || skip "no deadline scheduling here: $output"
	show "$(scheduler DEADLINE '{runtime: 1000000, deadline: 10000000, period: 20000000, flags: ["SCHED_FLAG_RECLAIM", "SCHED_FLAG_DL_OVERRUN"]}')"
	[[ "$output" == *"scheduler policy 6 flags 6 nice 0 priority 0 runtime 1000000 deadline 10000000 period 20000000"* ]]
}

@test "scheduler: SCHED_FLAG_KEEP_PARAMS and SCHED_FLAG_KEEP_POLICY leave what was" {
	show "$(scheduler BATCH '{nice: 5, flags: ["SCHED_FLAG_KEEP_PARAMS"]}')"
	[[ "$output" == *"scheduler policy 0 flags 0 nice 0 "* ]]
	show "$(scheduler BATCH '{nice: 5, flags: ["SCHED_FLAG_KEEP_POLICY"]}')"
	[[ "$output" == *"scheduler policy 0 flags 0 nice 5 "* ]]
}

@test "scheduler: what the kernel would refuse is refused with the field" {
	show "$(scheduler FIFO '{}')"
	[[ "$output" == *"process.scheduler.priority: SCHED_FIFO needs a priority from 1 to 99"* ]]
	show "$(scheduler OTHER '{priority: 1}')"
	[[ "$output" == *"process.scheduler.priority: SCHED_OTHER has no priority"* ]]
	show "$(scheduler DEADLINE '{runtime: 2, deadline: 1}')"
	[[ "$output" == *"process.scheduler: SCHED_DEADLINE needs 0 < runtime <= deadline <= period"* ]]
	show "$(scheduler ISO '{}')"
	[ "$status" -eq 1 ]
	[[ "$output" == *"process.scheduler"* ]]
}

@test "ioPriority: every class with its level" {
	show '.process.ioPriority = {class: "IOPRIO_CLASS_BE", priority: 6}'
	[[ "$output" == *"io class 2 level 6"* ]]
	show '.process.ioPriority = {class: "IOPRIO_CLASS_IDLE"}'
	[[ "$output" == *"io class 3 level 0"* ]]
	run ionice -c1 -n3 true
	[ "$status" -eq 0 ] || skip "no realtime class here: $output"
	show '.process.ioPriority = {class: "IOPRIO_CLASS_RT", priority: 3}'
	[[ "$output" == *"io class 1 level 3"* ]]
}

@test "scheduler and ioPriority hold for exec, too" {
	rt_bundle b "$(rt_sh 'sleep 600') | .process.ioPriority = {class: \"IOPRIO_CLASS_BE\", priority: 6} | $(scheduler BATCH '{nice: 3}')"
	cp "$HELPERS/show-process" "$T/b/rootfs/bin/"
	rt create -b "$T/b" "$ID" > /dev/null 2>&1 < /dev/null 3>&-
	rt start "$ID"
	run rt exec "$ID" show-process
	[[ "$output" == *"scheduler policy 3 flags 0 nice 3 "*"io class 2 level 6"* ]]
}

@test "execCPUAffinity: initial and final for exec, never for the container's own process" {
	[ "$(nproc)" -ge 2 ] || skip "one processor only"
	rt_bundle b "$(rt_sh 'show-process > /tmp/own; sleep 600') | .process.execCPUAffinity = {initial: \"0\", final: \"1\"}"
	cp "$HELPERS/show-process" "$T/b/rootfs/bin/"
	rt create -b "$T/b" "$ID" > /dev/null 2>&1 < /dev/null 3>&-
	rt start "$ID"
	until grep -qs clocks "$T/b/rootfs/tmp/own"; do sleep 0.05; done
	grep "^affinity 0 1" "$T/b/rootfs/tmp/own"
	run rt exec "$ID" show-process
	[[ "$output" == *$'affinity 1\n'* ]]
	process() { jq ".process | .args = [\"show-process\"] | .execCPUAffinity = $1" "$T/b/config.json" > "$T/process.json"; }
	process '{initial: "0"}'
	run rt exec --process "$T/process.json" "$ID"
	[[ "$output" == *$'affinity 0\n'* ]]
	process '{initial: "0, 1"}'
	run rt exec --process "$T/process.json" "$ID"
	echo "$output"
	[[ "$output" == *$'affinity 0 1\n'* ]]
	process '{final: "1-0"}'
	run rt exec --process "$T/process.json" "$ID"
	[[ "$output" == *"execCPUAffinity.final: is not a list such as 0-3,7"* || "$output" == *"execCPUAffinity.final:"*"not a list such as 0-3,7"* ]]
}

@test "personality: LINUX32 shows a 32-bit machine, LINUX does not" {
	[ "$(uname -m)" = x86_64 ] || skip "the word is known for x86_64 only"
	show '.linux.personality = {domain: "LINUX32"}'
	[[ "$output" == *"personality 0x8"*"machine i686"* ]]
	show '.linux.personality = {domain: "LINUX"}'
	[[ "$output" == *"personality 0x0"*"machine x86_64"* ]]
	show '.linux.personality = {domain: "LINUX", flags: ["ADDR_NO_RANDOMIZE"]}'
	[ "$status" -eq 1 ]
	[[ "$output" == *"linux.personality.flags[0]: unknown personality flag"* ]]
}

@test "memoryPolicy: every mode, with nodes and flags" {
	modes=(
		DEFAULT '{}' 0x0 0x0 BIND '{nodes: "0"}' 0x2 0x1 INTERLEAVE '{nodes: "0"}' 0x3 0x1
		PREFERRED '{nodes: "0"}' 0x1 0x1 PREFERRED_MANY '{nodes: "0"}' 0x5 0x1 LOCAL '{}' 0x4 0x0
		WEIGHTED_INTERLEAVE '{nodes: "0"}' 0x6 0x1
		BIND '{nodes: "0", flags: ["MPOL_F_STATIC_NODES"]}' 0x8002 0x1
		INTERLEAVE '{nodes: "0", flags: ["MPOL_F_RELATIVE_NODES"]}' 0x4003 0x1
		BIND '{nodes: "0", flags: ["MPOL_F_NUMA_BALANCING"]}' 0x2002 0x1
	)
	"$HELPERS/show-process" | grep -q memory-policy || skip "this kernel has no NUMA"
	for ((i = 0; i < ${#modes[@]}; i += 4)); do
		show ".linux.memoryPolicy = {mode: \"MPOL_${modes[i]}\"} + ${modes[i + 1]}"
		[ "$status" -eq 0 ]
		[[ "$output" == *"memory-policy mode ${modes[i + 2]} nodes ${modes[i + 3]}"* ]]
	done
	show '.linux.memoryPolicy = {mode: "MPOL_BIND", nodes: "1000"}'
	[ "$status" -eq 1 ]
	[[ "$output" == *"linux.memoryPolicy"* ]]
}

@test "oomScoreAdj is written, on create and on exec" {
	rt_bundle b "$(rt_sh 'cat /proc/self/oom_score_adj') | .process.oomScoreAdj = 321"
	run rt run -b "$T/b" "$ID"
	[ "$output" = 321 ]
	rt_config b "$(rt_sh 'sleep 600') | .process.oomScoreAdj = 321"
	rt create -b "$T/b" "$ID" > /dev/null 2>&1 < /dev/null 3>&-
	rt start "$ID"
	run rt exec "$ID" cat /proc/self/oom_score_adj
	[ "$output" = 321 ]
	rt delete --force "$ID"
	rt_config b '.process.oomScoreAdj = 1001'
	run rt run -b "$T/b" "$ID"
	[[ "$output" == *"process.oomScoreAdj: "*1000* ]]
}

@test "hostname and domainname" {
	show '.hostname = "amt" | .domainname = "example.org"'
	[[ "$output" == *"names host amt domain example.org "* ]]
	show '.domainname = "example.org" | .linux.namespaces |= map(select(.type != "uts")) | del(.hostname)'
	[[ "$output" == *"domainname: needs a uts namespace"* ]]
}

@test "sysctl: of network, ipc and uts, with dots or slashes; one of the host is refused" {
	rt_bundle b "$(rt_sh 'cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/msgmax /proc/sys/fs/mqueue/msg_max /proc/sys/net/ipv4/conf/lo/rp_filter') | .linux.sysctl = {
		\"net.ipv4.ip_forward\": \"1\", \"kernel.msgmax\": \"4096\", \"fs/mqueue/msg_max\": \"17\", \"net/ipv4/conf/lo/rp_filter\": \"2\"}"
	run rt run -b "$T/b" "$ID"
	[ "$output" = $'1\n4096\n17\n2' ]
	rt_config b '.linux.sysctl = {"vm.swappiness": "1"}'
	run rt run -b "$T/b" "$ID"
	[[ "$output" == *"linux.sysctl.vm.swappiness: belongs to the host, not to a namespace"* ]]
	rt_config b '.linux.sysctl = {"net.ipv4.no_such_file": "1"}'
	run rt run -b "$T/b" "$ID"
	[ "$status" -eq 1 ]
	[[ "$output" == *"linux.sysctl: 'sys/net/ipv4/no_such_file'"*"No such file or directory"* ]]
}

@test "timeOffsets move the clocks of the container, and of what joins it" {
	[ -e /proc/self/ns/time ] || skip "this kernel has no time namespaces"
	read -r _ _ boottime _ monotonic < <("$HELPERS/show-process" | grep ^clocks)
	rt_bundle b "$(rt_sh 'show-process; sleep 600') | .linux.namespaces += [{type: \"time\"}]
		| .linux.timeOffsets = {boottime: {secs: 1000000}, monotonic: {secs: 5000000, nanosecs: 999}}"
	cp "$HELPERS/show-process" "$T/b/rootfs/bin/"
	rt create -b "$T/b" "$ID" > "$T/out" 2>&1 < /dev/null 3>&-
	rt start "$ID"
	until grep -q clocks "$T/out"; do sleep 0.05; done
	for text in "$(grep ^clocks "$T/out")" "$(rt exec "$ID" show-process | grep ^clocks)"; do
		read -r _ _ inside_boottime _ inside_monotonic <<< "$text"
		[ $((inside_boottime - boottime)) -ge 1000000 ] && [ $((inside_boottime - boottime)) -lt 1000300 ]
		[ $((inside_monotonic - monotonic)) -ge 5000000 ] && [ $((inside_monotonic - monotonic)) -lt 5000300 ]
	done
}

@test "apparmorProfile: a host without AppArmor is told" {
	[ "$(cat /sys/module/apparmor/parameters/enabled 2> /dev/null)" != Y ] || skip "AppArmor is enabled here"
	rt_bundle b '.process.apparmorProfile = "stube-test"'
	run rt run -b "$T/b" "$ID"
	[ "$status" -eq 1 ]
	[[ "$output" == *"process.apparmorProfile: 'stube-test': AppArmor is not enabled on this host"* ]]
	rt_config b '.process.apparmorProfile = ""'
	rt run -b "$T/b" "$ID"
}

@test "apparmorProfile is what the program runs under" {
	[ "$(cat /sys/module/apparmor/parameters/enabled 2> /dev/null)" = Y ] || skip "AppArmor is not enabled here"
	rt_bundle b "$(rt_sh 'cat /proc/self/attr/current') | .process.apparmorProfile = \"unconfined\""
	run rt run -b "$T/b" "$ID"
	[[ "$output" == unconfined* ]]
}

@test "selinuxLabel: a host without SELinux is told" {
	[ ! -e /sys/fs/selinux/enforce ] || skip "SELinux is enabled here"
	rt_bundle b '.process.selinuxLabel = "a:b:c:s0"'
	run rt run -b "$T/b" "$ID"
	[[ "$output" == *"process.selinuxLabel: 'a:b:c:s0': SELinux is not enabled on this host"* ]]
}

@test "selinuxLabel is what the program runs under, mountLabel what its tmpfs has" {
	[ -e /sys/fs/selinux/enforce ] || skip "SELinux is not enabled here"
	label=system_u:system_r:container_t:s0:c1,c2
	rt_bundle b "$(rt_sh 'cat /proc/self/attr/current; ls -dZ /dev/shm') | .process.selinuxLabel = \"$label\"
		| .linux.mountLabel = \"system_u:object_r:container_file_t:s0:c1,c2\""
	run rt run -b "$T/b" "$ID"
	[[ "$output" == *"$label"*"container_file_t:s0:c1,c2"* ]]
}

@test "intelRdt: a host without resctrl is told, and nothing is left" {
	! grep -q " resctrl " /proc/self/mounts || skip "resctrl is mounted here: unit tests alone cover what would change the host"
	rt_bundle b '.linux.intelRdt = {closID: "gold", memBwSchema: "MB:0=50"}'
	run rt run -b "$T/b" "$ID"
	[ "$status" -eq 1 ]
	[[ "$output" == *"linux.intelRdt: no resctrl file system is mounted on this host"* ]]
	[ ! -e "$ROOT/$ID" ]
	[ ! -e "$CGROUP/$ID" ]
	rt_config b '.linux.intelRdt = {closID: "info"}'
	run rt run -b "$T/b" "$ID"
	[[ "$output" == *"linux.intelRdt.closID: "*"is a directory of the kernel's own"* ]]
}

@test "a section for another system beside linux is passed over; alone, and for a virtual machine, refused" {
	rt_bundle b "$(rt_args echo started) | .windows = {layerFolders: [\"c:\"]}"
	run rt run -b "$T/b" "$ID"
	[ "$output" = started ]
	rt_config b '.freebsd = {} | del(.linux)'
	run rt run -b "$T/b" "$ID"
	[[ "$output" == *"freebsd: is for another system"* ]]
	rt_config b '.vm = {kernel: {path: "/boot/vmlinuz"}}'
	run rt run -b "$T/b" "$ID"
	[[ "$output" == *"vm: is not supported"* ]]
}
