#!/usr/bin/env bats
# What a container inherits, and what happens when a command hangs or a pid is used again.
load helpers

setup() { rt_setup; }
teardown() { rt_teardown; }

running() { # FILTER: container $ID runs
	rt_bundle b "$(rt_args sleep 60) | ${1:-.}"
	rt create -b "$T/b" "$ID" 3>&- > "$T/out" 2>&1
	rt start "$ID" 3>&-
}

@test "CVE-2024-21626: a program below /proc/self/fd never comes from the host, on exec neither" {
	caps='["CAP_SYS_PTRACE", "CAP_DAC_OVERRIDE", "CAP_KILL"]'
	running ".process.capabilities = ($caps | {bounding: ., effective: ., permitted: .})"
	for n in {3..20}; do
		run rt exec "$ID" "/proc/self/fd/$n/1/root/bin/busybox" true
		[ "$status" -ne 0 ]
		run rt exec "$ID" "/proc/self/fd/$n/self/status"
		[ "$status" -ne 0 ]
		[[ "$output" != *"permission denied"* ]]
	done
}

@test "the filter need not allow what the runtime does before the program" {
	calls='["execve", "exit_group", "exit", "brk", "arch_prctl", "mmap", "munmap", "mprotect", "read", "write", "getuid", "prlimit64", "readlink", "getrandom", "set_tid_address", "set_robust_list", "rseq", "uname", "fstat", "newfstatat", "prctl", "geteuid"]'
	rt_bundle b ".linux.seccomp = {defaultAction: \"SCMP_ACT_KILL_PROCESS\", syscalls: [{names: $calls, action: \"SCMP_ACT_ALLOW\"}]}"
	run rt run -b "$T/b" "$ID"
	[ "$output" = "" ]
	[ "$status" -eq 0 ]
}

@test "signals that the caller ignores are not ignored in the container" {
	rt_bundle b "$(rt_args grep SigIgn /proc/self/status)"
	run bash -c 'trap "" PIPE HUP INT; exec "$0" --root "$1" run -b "$2" "$3"' "$RT_BIN" "$ROOT" "$T/b" "$ID"
	echo "status $status: $output"
	[ "$status" -eq 0 ]
	[[ $output == SigIgn:*0000000000000000 ]]
	# posix_spawn of glibc ignores its threads' signals, 32 and 33, in the child: make does so, for one.
	run /usr/bin/python3 -c 'import os, sys; os.waitpid(os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ), 0)' \
		"$RT_BIN" --root "$ROOT" run -b "$T/b" "$ID"
	echo "$output"
	[[ $output == SigIgn:*0000000000000000 ]]
}

@test "a container that waits cannot be inspected by a neighbour without CAP_SYS_PTRACE" {
	rt_bundle b "$(rt_args true)"
	rt create -b "$T/b" --pid-file "$T/pid" "$ID" 3>&- > "$T/out" 2>&1
	run setpriv --bounding-set=-sys_ptrace --inh-caps=-sys_ptrace readlink "/proc/$(cat "$T/pid")/exe"
	[ "$status" -ne 0 ]
}

@test "a memory policy without nodes is set" {
	rt_bundle b "$(rt_args true) | .linux.memoryPolicy = {mode: \"MPOL_LOCAL\"}"
	run rt run -b "$T/b" "$ID"
	[ "$output" = "" ]
	[ "$status" -eq 0 ]
}

@test "exec does not pass on the socket activation of its caller" {
	running .
	LISTEN_FDS=1 run rt exec "$ID" env
	[ "$status" -eq 0 ]
	[[ "$output" != *LISTEN_* ]]
}

@test "a bind mount without a type on /dev changes nothing in the host's directory" {
	rt_bundle b ".mounts = [{destination: \"/dev\", source: \"$T/dev\"}]"
	mkdir "$T/dev"
	touch "$T/dev/ptmx"
	run rt run -b "$T/b" "$ID"
	[ "$(ls "$T/dev")" = ptmx ]
	[ ! -L "$T/dev/ptmx" ]
}

@test "exec does not pass on the session keyring of its caller" {
	running '.linux.maskedPaths = []'
	cat > "$T/keys.py" <<-'PY'
	import ctypes, os, sys
	libc = ctypes.CDLL(None, use_errno=True)
	# x86-64: add_key 248, keyctl 250; JOIN_SESSION_KEYRING 1, SETPERM 5; the possessor's rights only.
	if libc.syscall(250, 1, b"stube-test") < 0:
	    sys.exit(77)
	key = libc.syscall(248, b"user", b"stube-secret", b"x", 1, -3)
	libc.syscall(250, 5, key, 0x3f000000)
	os.execv(sys.argv[1], sys.argv[1:])
	PY
	run /usr/bin/python3 "$T/keys.py" /bin/cat /proc/keys
	[ "$status" -ne 77 ] || skip "the kernel has no keyrings"
	[[ "$output" == *stube-secret* ]]
	run /usr/bin/python3 "$T/keys.py" "$RT_BIN" --root "$ROOT" exec "$ID" cat /proc/keys
	[ "$status" -eq 0 ]
	[[ "$output" != *stube-secret* ]]
}

@test "a poststart hook that fails stops the container that start began" {
	rt_bundle b "$(rt_args sleep 60) | .hooks.poststart = [{path: \"/bin/false\"}]"
	rt create -b "$T/b" "$ID" 3>&- > "$T/out" 2>&1
	run rt start "$ID" 3>&-
	[ "$status" -ne 0 ]
	[[ "$output" == *"poststart hook #1"* ]]
	for _ in {1..100}; do # a killed process takes its moment to go
		status=$(rt state "$ID" | jq -r .status)
		[ "$status" != stopped ] || break
		sleep 0.05
	done
	[ "$status" = stopped ]
}

@test "a pid of an earlier boot is nobody's" {
	running .
	[ "$(rt state "$ID" | jq -r .status)" = running ]
	pid=$(rt_pid "$ID")
	[ "$(jq -r .bootId "$ROOT/$ID/state.json")" = "$(cat /proc/sys/kernel/random/boot_id)" ]
	jq '.bootId = "00000000-0000-4000-8000-000000000000"' "$ROOT/$ID/state.json" > "$T/new"
	chmod 600 "$T/new"
	cp "$T/new" "$ROOT/$ID/state.json"
	[ "$(rt state "$ID" | jq -r .status)" = stopped ]
	run rt kill "$ID" KILL
	[ "$status" -ne 0 ]
	kill -0 "$pid"
}

@test "delete --force ends a create that hangs in a hook" {
	rt_bundle b ".hooks.createRuntime = [{path: \"/bin/sleep\", args: [\"sleep\", \"47\"]}]"
	rt create -b "$T/b" "$ID" 3>&- > "$T/out" 2>&1 &
	creator=$!
	for _ in {1..100}; do [ -e "$ROOT/$ID/start" ] && break; sleep 0.02; done
	sleep 0.2
	run timeout 20 "$RT_BIN" --root "$ROOT" delete --force "$ID"
	[ "$status" -eq 0 ]
	[ ! -e "$ROOT/$ID" ]
	[ ! -e "$CGROUP/$ID" ]
	run wait "$creator"
	[ "$status" -ne 0 ]
}

@test "delete --force ends a start that hangs in a hook" {
	rt_bundle b '.hooks.startContainer = [{path: "/bin/sleep", args: ["sleep", "48"]}]'
	rt create -b "$T/b" "$ID" 3>&- > "$T/out" 2>&1
	rt start "$ID" 3>&- > "$T/out" 2>&1 &
	sleep 0.2
	run timeout 20 "$RT_BIN" --root "$ROOT" delete --force "$ID"
	[ "$status" -eq 0 ]
	[ ! -e "$ROOT/$ID" ]
	wait $! || true
}
