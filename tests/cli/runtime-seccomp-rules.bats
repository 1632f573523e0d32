#!/usr/bin/env bats
# Promises of linux.seccomp, word by word: actions, errnos, operators, flags, architectures, listeners.
# The calls that rules are about are umask (95; 60 for i386), which always succeeds, and getpgrp (111).
load helpers

HELPERS=$BATS_TEST_DIRNAME/../../build/helpers
UMASK=95

setup() {
	rt_setup
	[ "$(uname -m)" = x86_64 ] || skip "numbers of system calls are those of x86_64"
}
teardown() {
	[ -z "${AGENT:-}" ] || kill "$AGENT"
	rt_teardown
}

# Run `syscall ARGUMENTS` under a profile: try "ARGUMENTS" JQ-OBJECT
try() {
	[ -d "$T/b" ] || rt_bundle b
	cp "$HELPERS/syscall" "$T/b/rootfs/bin/"
	# shellcheck disable=SC2086 # words
	rt_config b "$(rt_args syscall $1) | .linux.seccomp = ($2)"
	run rt run -b "$T/b" "$ID"
	echo "$1 under $2: $status $output"
}
rule() { # ACTION [MORE]: everything allowed but umask
	echo "{defaultAction: \"SCMP_ACT_ALLOW\", syscalls: [{names: [\"umask\"], action: \"SCMP_ACT_$1\"} + (${2:-{\}})]}"
}
# What the helper needs, and getrandom (318) as the highest number.
LIST='["read", "write", "open", "openat", "close", "fstat", "newfstatat", "stat", "mmap", "mprotect", "munmap", "brk", "rt_sigaction", "rt_sigprocmask",
	"ioctl", "access", "faccessat", "execve", "exit", "exit_group", "arch_prctl", "uname", "fcntl", "getcwd", "readlink", "readlinkat", "set_tid_address",
	"set_robust_list", "prlimit64", "getrandom", "futex", "capset", "prctl", "sendto", "sendmsg", "close_range", "landlock_restrict_self"]'

@test "ALLOW and LOG let the call through" {
	try "$UMASK 7" "$(rule ALLOW)"
	[ "$output" = 18 ]
	try "$UMASK 7" "$(rule LOG)"
	[ "$output" = 18 ]
}

@test "ERRNO answers with EPERM, or with errnoRet" {
	try "$UMASK 7" "$(rule ERRNO)"
	[ "$output" = EPERM ]
	try "$UMASK 7" "$(rule ERRNO '{errnoRet: 38}')"
	[ "$output" = ENOSYS ]
	try "$UMASK 7" "$(rule ERRNO '{errnoRet: 13}')"
	[ "$output" = EACCES ]
}

@test "TRACE without a tracer is ENOSYS" {
	try "$UMASK 7" "$(rule TRACE '{errnoRet: 5}')"
	[ "$output" = ENOSYS ]
}

@test "KILL, KILL_THREAD, KILL_PROCESS and TRAP end the program with SIGSYS" {
	for action in KILL KILL_THREAD KILL_PROCESS TRAP; do
		try "$UMASK 7" "$(rule "$action")"
		[ "$status" -eq 159 ]
		[ "$output" = "" ]
	done
}

@test "an errno for an action that takes none is refused" {
	try "$UMASK 7" "$(rule KILL '{errnoRet: 1}')"
	[[ "$output" == *"linux.seccomp.syscalls[0].errnoRet: SCMP_ACT_KILL takes no errno"* ]]
	try "$UMASK 7" '{defaultAction: "SCMP_ACT_ALLOW", defaultErrnoRet: 1}'
	[[ "$output" == *"linux.seccomp.defaultErrnoRet: SCMP_ACT_ALLOW takes no errno"* ]]
}

@test "defaultErrnoRet answers what the profile leaves out; calls newer than the profile get ENOSYS" {
	profile="{defaultAction: \"SCMP_ACT_ERRNO\", defaultErrnoRet: 13, syscalls: [{names: ($LIST - [\"close_range\", \"landlock_restrict_self\"]), action: \"SCMP_ACT_ALLOW\"}]}"
	try "$UMASK 7" "$profile"
	[ "$output" = EACCES ]
	try "440 0" "$profile"
	[ "$output" = ENOSYS ]
	try "100000 0" "$profile"
	[ "$output" = ENOSYS ]
	profile="{defaultAction: \"SCMP_ACT_ERRNO\", syscalls: [{names: $LIST, action: \"SCMP_ACT_ALLOW\"}]}"
	try "$UMASK 7" "$profile"
	[ "$output" = EPERM ]
	# landlock_restrict_self (446) is named now, so 440 is old and refused.
	try "440 0" "$profile"
	[ "$output" = EPERM ]
}

@test "every operator compares 64 bits of an argument" {
	rows=( # operator, value, valueTwo, refused, allowed
		EQ 7 0 7 8 NE 7 0 8 7 LT 7 0 6 7 LE 7 0 7 8 GT 7 0 8 7 GE 7 0 7 6 MASKED_EQ 0xf0 0x20 0x2f 0x3f
		EQ 0x100000007 0 0x100000007 7 GT 0xffffffff 0 0x100000000 0xffffffff
	)
	for ((i = 0; i < ${#rows[@]}; i += 5)); do
		profile=$(rule ERRNO "{args: [{index: 0, op: \"SCMP_CMP_${rows[i]}\", value: $((rows[i + 1])), valueTwo: $((rows[i + 2]))}]}")
		try "$UMASK ${rows[i + 3]}" "$profile"
		[ "$output" = EPERM ]
		try "$UMASK ${rows[i + 4]}" "$profile"
		[ "$output" = 18 ]
	done
}

@test "conditions on several arguments hold together, on one argument either" {
	both='{args: [{index: 0, op: "SCMP_CMP_EQ", value: 7}, {index: 5, op: "SCMP_CMP_EQ", value: 9}]}'
	try "$UMASK 7 0 0 0 0 9" "$(rule ERRNO "$both")"
	[ "$output" = EPERM ]
	try "$UMASK 7 0 0 0 0 8" "$(rule ERRNO "$both")"
	[ "$output" = 18 ]
	either='{args: [{index: 0, op: "SCMP_CMP_EQ", value: 7}, {index: 0, op: "SCMP_CMP_EQ", value: 9}]}'
	for value in 7 9; do
		try "$UMASK $value" "$(rule ERRNO "$either")"
		[ "$output" = EPERM ]
	done
	try "$UMASK 8" "$(rule ERRNO "$either")"
	[ "$output" = 18 ]
	try "$UMASK 8" "$(rule ERRNO '{args: [{index: 6, op: "SCMP_CMP_EQ", value: 7}]}')"
	[[ "$output" == *"linux.seccomp.syscalls[0].args[0].index"* ]]
}

@test "architectures: a rule covers those listed, calls of others kill" {
	run "$HELPERS/syscall" --i386 20
	[[ "$output" =~ ^[0-9]+$ ]] || skip "this kernel runs no 32-bit calls"
	try "--i386 60 7" "$(rule ERRNO '{errnoRet: 28}') + {architectures: [\"SCMP_ARCH_X86_64\", \"SCMP_ARCH_X86\"]}"
	[ "$output" = ENOSPC ]
	try "--i386 20" "$(rule ERRNO) + {architectures: [\"SCMP_ARCH_X86_64\", \"SCMP_ARCH_X86\"]}"
	[[ "$output" =~ ^[0-9]+$ ]]
	try "--i386 20" "$(rule ERRNO) + {architectures: [\"SCMP_ARCH_X86_64\"]}"
	[ "$status" -eq 159 ]
	# Of machines that these programs cannot be for: no obstacle.
	try "$UMASK 7" "$(rule ERRNO) + {architectures: [\"SCMP_ARCH_AARCH64\", \"SCMP_ARCH_S390X\", \"SCMP_ARCH_LOONGARCH64\"]}"
	[ "$output" = EPERM ]
}

@test "every flag that this kernel knows is taken" {
	for flag in $(rt features | jq -r '.linux.seccomp.supportedFlags[]'); do
		[ "$flag" != SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV ] || continue
		try "$UMASK 7" "$(rule ERRNO) + {flags: [\"$flag\"]}"
		[ "$output" = EPERM ]
	done
	try "$UMASK 7" "$(rule ERRNO) + {flags: [\"SECCOMP_FILTER_FLAG_TSYNC\", \"SECCOMP_FILTER_FLAG_LOG\", \"SECCOMP_FILTER_FLAG_SPEC_ALLOW\"]}"
	[ "$output" = EPERM ]
	try "$UMASK 7" "$(rule ERRNO) + {flags: [\"SECCOMP_FILTER_FLAG_NONE\"]}"
	[[ "$output" == *"linux.seccomp.flags[0]: unknown seccomp flag 'SECCOMP_FILTER_FLAG_NONE'"* ]]
}

agent() { # ERRNO
	python3 "$BATS_TEST_DIRNAME/seccomp-agent.py" "$T/agent.sock" "$T/agent.json" "$1" > "$T/agent.log" 2>&1 3>&- < /dev/null &
	AGENT=$!
	until [ -S "$T/agent.sock" ]; do sleep 0.05; done
}

@test "NOTIFY asks the agent at listenerPath, which gets the container's state and metadata" {
	agent 28
	try "$UMASK 7" "$(rule NOTIFY) + {listenerPath: \"$T/agent.sock\", listenerMetadata: \"what: ever\", flags: [\"SECCOMP_FILTER_FLAG_TSYNC\", \"SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV\"]}"
	[ "$status" -eq 0 ]
	[ "$output" = ENOSPC ]
	jq -e --arg id "$ID" '.fds == ["seccompFd"] and .metadata == "what: ever" and .state.id == $id and .pid == .state.pid and .pid > 1 and (.ociVersion | startswith("1."))' "$T/agent.json"
}

@test "NOTIFY for a process that joins later sends its own listener" {
	agent 28
	rt_bundle b "$(rt_sh 'sleep 600') | .linux.seccomp = ($(rule NOTIFY) + {listenerPath: \"$T/agent.sock\"})"
	cp "$HELPERS/syscall" "$T/b/rootfs/bin/"
	rt create -b "$T/b" "$ID" > /dev/null 2>&1 < /dev/null 3>&-
	rt start "$ID"
	init=$(jq .pid "$T/agent.json")
	run rt exec "$ID" syscall "$UMASK" 7
	echo "$output"
	[ "$output" = ENOSPC ]
	[ "$(jq .pid "$T/agent.json")" != "$init" ]
	[ "$(jq .state.pid "$T/agent.json")" = "$init" ]
}

@test "the annotation run.oci.seccomp.receiver stands in for listenerPath, which wins" {
	agent 28
	profile=$(rule NOTIFY)
	rt_bundle b
	cp "$HELPERS/syscall" "$T/b/rootfs/bin/"
	rt_config b "$(rt_args syscall "$UMASK" 7) | .linux.seccomp = ($profile) | .annotations = {\"run.oci.seccomp.receiver\": \"$T/agent.sock\"}"
	run rt run -b "$T/b" "$ID"
	[ "$output" = ENOSPC ]
	rt_config b "$(rt_args syscall "$UMASK" 7) | .linux.seccomp = ($profile + {listenerPath: \"$T/none.sock\"}) | .annotations = {\"run.oci.seccomp.receiver\": \"$T/agent.sock\"}"
	run rt run -b "$T/b" "$ID"
	[ "$status" -ne 0 ]
	[[ "$output" == *"linux.seccomp.listenerPath: "*"none.sock"* ]]
}

@test "NOTIFY without an agent's path, and as the default, is refused; an agent that is not there ends the start" {
	try "$UMASK 7" "$(rule NOTIFY)"
	[[ "$output" == *"linux.seccomp.syscalls[0].action: SCMP_ACT_NOTIFY needs linux.seccomp.listenerPath"* ]]
	try "$UMASK 7" "{defaultAction: \"SCMP_ACT_NOTIFY\", listenerPath: \"/x\"}"
	[[ "$output" == *"linux.seccomp.defaultAction: SCMP_ACT_NOTIFY cannot be the default action"* ]]
	try "$UMASK 7" "$(rule ERRNO) + {listenerMetadata: \"x\"}"
	[[ "$output" == *"linux.seccomp.listenerMetadata: needs listenerPath"* ]]
	try "$UMASK 7" "$(rule NOTIFY) + {listenerPath: \"$T/none.sock\"}"
	[ "$status" -ne 0 ]
	[[ "$output" == *"linux.seccomp.listenerPath: "* ]]
	[ ! -e "$ROOT/$ID" ]
}
