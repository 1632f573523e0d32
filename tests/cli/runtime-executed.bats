#!/usr/bin/env bats
# Promises of start, run and exec: success means that the program was executed, not only that init went.
load helpers

setup() { rt_setup; }
teardown() { rt_teardown; }

# Init survives the loading of this filter and ends at its next call, execve(2).
NO_EXEC='.linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", architectures: ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"], syscalls: [{names: ["execve", "execveat"], action: "SCMP_ACT_KILL_PROCESS"}]}'

@test "run: an init that is killed before its exec is a failed start, with the signal and a hint" {
	rt_bundle b "$NO_EXEC"
	run rt run -b "$T/b" "$ID"
	[ "$status" -eq 1 ]
	[[ "$output" == *"execute program: the process was killed before it by signal 31"* ]]
	[[ "$output" == *"linux.seccomp has to allow execve(2)."* ]]
	[ ! -e "$ROOT/$ID" ]
}

@test "start: an init that is killed before its exec is a failed start" {
	rt_bundle b "$NO_EXEC"
	# A subreaper that never reaps, as an engine's monitor that is a moment late: prctl(PR_SET_CHILD_SUBREAPER).
	run perl -e 'syscall(157, 36, 1, 0, 0, 0); exit(system(@ARGV) >> 8)' \
		bash -c '"$0" --root "$1" create -b "$2" "$3" > /dev/null 2>&1 && "$0" --root "$1" start "$3"' \
		"$RT_BIN" "$ROOT" "$T/b" "$ID"
	[ "$status" -eq 1 ]
	[[ "$output" == *"execute program: the process ended before it"* ]]
	[ "$(rt state "$ID" | jq -r .status)" = stopped ]
}

@test "exec: a process that is killed before its exec is a failure of exec" {
	rt_bundle b "$(rt_sh 'sleep 60')"
	rt create -b "$T/b" "$ID" > /dev/null 2>&1
	rt start "$ID"
	jq "$NO_EXEC" "$ROOT/$ID/config.json" > "$T/config" && cat "$T/config" > "$ROOT/$ID/config.json"
	run rt exec "$ID" true
	[ "$status" -ne 0 ]
	[[ "$output" == *"the process was killed before it by signal 31"* ]]
}

@test "a program that ends at once was executed, however often it is tried" {
	rt_bundle b "$(rt_args false)"
	for _ in {1..20}; do
		run rt run -b "$T/b" "$ID"
		[ "$status" -eq 1 ]
		[ "$output" = "" ]
	done
}

@test "a program that is killed at once was executed: its status is the signal" {
	rt_bundle b "$(rt_sh 'kill -9 $$')"
	run rt run -b "$T/b" "$ID"
	# Process 1 ignores its own signals; a child of it does not.
	[ "$status" -eq 0 ]
	rt_config b "$(rt_sh 'sh -c "kill -9 \$\$"; exit $?')"
	run rt run -b "$T/b" "$ID"
	[ "$status" -eq 137 ]
	[[ "$output" != *"execute program"* ]]
}
