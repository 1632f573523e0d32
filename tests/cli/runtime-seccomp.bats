#!/usr/bin/env bats
# Promises of linux.seccomp: enforced, for exec too, and compiled only once.
load helpers

setup() { rt_setup; }
teardown() { rt_teardown; }

NO_MKDIR='.linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", architectures: ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"], syscalls: [{names: ["mkdir", "mkdirat"], action: "SCMP_ACT_ERRNO", errnoRet: 28}]}'

cache() { ls "$ROOT/.cache/seccomp"; }

@test "a call that the filter refuses fails with the profile's errno, others go on" {
	rt_bundle b "$(rt_sh 'mkdir /tmp/x; cat /proc/self/status | grep Seccomp:; touch /tmp/y && echo written') | $NO_MKDIR"
	run rt run -b "$T/b" "$ID"
	[ "$status" -eq 0 ]
	[[ "$output" == *"can't create directory '/tmp/x': No space left on device"* ]]
	[[ "$output" == *$'Seccomp:\t2'* ]]
	[ "${lines[-1]}" = written ]
}

@test "a process that joins later is under the same filter" {
	rt_bundle b "$(rt_sh 'sleep 60') | $NO_MKDIR"
	rt create -b "$T/b" "$ID" > /dev/null 2>&1
	rt start "$ID"
	run rt exec "$ID" mkdir /tmp/x
	[ "$status" -ne 0 ]
	[[ "$output" == *"No space left on device"* ]]
}

@test "a killing action ends the program with SIGSYS" {
	rt_bundle b "$(rt_args mkdir /tmp/x) | $NO_MKDIR | .linux.seccomp.syscalls[0] |= (.action = \"SCMP_ACT_KILL_PROCESS\" | del(.errnoRet))"
	run rt run -b "$T/b" "$ID"
	[ "$status" -eq 159 ]
}

@test "the filter is compiled at the first start and read from the cache at the second" {
	rt_bundle b "$NO_MKDIR"
	rt run -b "$T/b" "$ID"
	[ "$(cache | wc -l)" -eq 1 ]
	file=$ROOT/.cache/seccomp/$(cache)
	[ "$(stat -c %a "$file")" = 600 ]
	before=$(stat -c %i "$file")
	rt run -b "$T/b" "$ID"
	[ "$(stat -c %i "$file")" = "$before" ]
	[ "$(cache | wc -l)" -eq 1 ]
}

@test "a cache that somebody else could have filled is not read, and the start succeeds" {
	rt_bundle b "$(rt_sh 'mkdir /tmp/x') | $NO_MKDIR"
	run rt run -b "$T/b" "$ID"
	file=$ROOT/.cache/seccomp/$(cache)
	# Every instruction becomes "return ALLOW": as if another user had got hold of the file.
	size=$(stat -c %s "$file")
	filter=$(od -An -tu4 -j12 -N4 "$file")
	for ((at = size - filter; at < size; at += 8)); do
		printf '\x06\x00\x00\x00\x00\x00\xff\x7f' | dd of="$file" bs=1 seek="$at" conv=notrunc 2> /dev/null
	done
	# Believed, it would allow the call; that it is ours alone is what makes it believed.
	rm -rf "$T/b/rootfs/tmp/x"
	run rt run -b "$T/b" "$ID"
	[ "$output" = "" ]
	chmod 666 "$file"
	rm -rf "$T/b/rootfs/tmp/x"
	run rt run -b "$T/b" "$ID"
	[[ "$output" == *"No space left on device"* ]]
	[ "$(stat -c %a "$file")" = 600 ]
}

@test "a filter that refuses everything, exit included, ends the start and is said" {
	for action in ERRNO KILL TRAP; do
		rt_bundle b ".linux.seccomp = {defaultAction: \"SCMP_ACT_$action\"}"
		run timeout 20 "$RT_BIN" --root "$ROOT" run -b "$T/b" "$ID"
		[ "$status" -eq 1 ]
		[[ "$output" == *"the process was killed before it by signal "*"linux.seccomp has to allow execve(2)"* ]]
	done
	[ ! -e "$CGROUP/$ID" ]
}

@test "an unknown action is refused with its place in the document" {
	rt_bundle b "$NO_MKDIR | .linux.seccomp.syscalls[0].action = \"SCMP_ACT_NONE\""
	run rt run -b "$T/b" "$ID"
	[ "$status" -eq 1 ]
	[[ "$output" == *"linux.seccomp.syscalls[0].action: unknown seccomp action 'SCMP_ACT_NONE'"* ]]
}
