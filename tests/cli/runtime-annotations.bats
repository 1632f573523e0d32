#!/usr/bin/env bats
# Promises of the annotations that callers of crun set.
load helpers

setup() { rt_setup; }
teardown() { rt_teardown; }

@test "keep_original_groups keeps the caller's supplementary groups" {
	[ "$(id -u)" = 0 ] || skip "needs root to have other groups"
	rt_bundle b "$(rt_sh 'grep Groups: /proc/self/status') | .process.user = {uid: 1000, gid: 1000} | .annotations[\"run.oci.keep_original_groups\"] = \"1\""
	run setpriv --groups 7,4242 "$RT_BIN" --root "$ROOT" run -b "$T/b" "$ID"
	echo "$output"
	[[ "$output" == *"7 4242"* ]]
	rt_config b "$(rt_sh 'grep Groups: /proc/self/status') | .process.user = {uid: 1000, gid: 1000}"
	run setpriv --groups 7,4242 "$RT_BIN" --root "$ROOT" run -b "$T/b" "$ID"
	[[ "$output" != *4242* ]]
}

@test "hooks.stdout and hooks.stderr collect what hooks print, the container's own included" {
	hook() { printf '{path: "/bin/sh", args: ["sh", "-c", "echo %s out; echo %s err >&2"]}' "$1" "$1"; }
	rt_bundle b "$(rt_args true) | .hooks = {
		createRuntime: [$(hook runtime)], createContainer: [$(hook container)], startContainer: [$(hook start)],
		poststart: [$(hook poststart)], poststop: [$(hook poststop)]}
		| .annotations = {\"run.oci.hooks.stdout\": \"$T/out\", \"run.oci.hooks.stderr\": \"$T/err\"}"
	echo "was there" > "$T/out"
	rt create -b "$T/b" "$ID" < /dev/null > "$T/create" 2>&1 3>&-
	rt start "$ID"
	rt delete --force "$ID"
	printf '%s\n' "was there" "runtime out" "container out" "start out" "poststart out" "poststop out" | diff - "$T/out"
	printf '%s err\n' runtime container start poststart poststop | diff - "$T/err"
	[ "$(stat -c %a "$T/err")" = 600 ]
}

@test "the program inherits nothing of the hooks' files" {
	rt_bundle b "$(rt_sh 'ls -l /proc/self/fd') | .hooks = {startContainer: [{path: \"/bin/true\"}]}
		| .annotations = {\"run.oci.hooks.stdout\": \"$T/hookfile\"}"
	run rt run -b "$T/b" "$ID"
	echo "$output"
	[ "$status" -eq 0 ]
	[[ "$output" != *hookfile* ]]
}

@test "a file for hooks that cannot be opened ends the start with the annotation's name" {
	rt_bundle b "$(rt_args true) | .hooks = {createRuntime: [{path: \"/bin/true\"}]} | .annotations = {\"run.oci.hooks.stderr\": \"$T/no/such/dir\"}"
	run rt run -b "$T/b" "$ID"
	[ "$status" -eq 1 ]
	[[ "$output" == *"annotations.run.oci.hooks.stderr: open '$T/no/such/dir': No such file or directory"* ]]
}

@test "seccomp_fail_unknown_syscall makes an error of the warning" {
	profile='.linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", syscalls: [{names: ["mkdir", "no_such_call"], action: "SCMP_ACT_ERRNO"}]}'
	rt_bundle b "$(rt_args true) | $profile"
	run rt run -b "$T/b" "$ID"
	[ "$status" -eq 0 ]
	[[ "$output" == *"unknown system call 'no_such_call'"* ]]
	# The compiled filter is cached by now; the names are looked at all the same.
	rt_config b "$(rt_args true) | $profile | .annotations = {\"run.oci.seccomp_fail_unknown_syscall\": \"1\"}"
	run rt run -b "$T/b" "$ID"
	[ "$status" -eq 1 ]
	[[ "$output" == *"linux.seccomp.syscalls[0].names[1]: unknown system call 'no_such_call'"* ]]
}

@test "delegate-cgroup: processes live in a cgroup of this name below the container's" {
	[ -e "$CGROUP/cgroup.procs" ] && [ -w "$CGROUP/cgroup.procs" ] || skip "no cgroup v2 that can be written"
	rt_bundle b "$(rt_sh 'grep ^0: /proc/self/cgroup; sleep 600') | .annotations = {\"run.oci.delegate-cgroup\": \"payload\"}
		| .linux.cgroupsPath = \"/$ID\" | .linux.namespaces += [{type: \"cgroup\"}] | $RT_USERNS"
	chmod 755 "$T"
	chown -R 100000:100000 "$T/b/rootfs"
	rt create -b "$T/b" "$ID" > "$T/out" 2>&1 < /dev/null 3>&-
	rt start "$ID"
	[ "$(cat "$CGROUP/$ID/payload/cgroup.procs")" = "$(rt_pid "$ID")" ]
	[ "$(stat -c %u "$CGROUP/$ID/payload" "$CGROUP/$ID/payload/cgroup.procs" "$CGROUP/$ID" | tr '\n' ' ')" = "100000 100000 0 " ]
	until [ -s "$T/out" ]; do sleep 0.05; done
	[ "$(cat "$T/out")" = "0::/payload" ]
	run rt exec "$ID" grep ^0: /proc/self/cgroup
	[ "$output" = "0::/payload" ]
	rt delete --force "$ID"
	[ ! -e "$CGROUP/$ID" ]
}

@test "delegate-cgroup: a path is refused" {
	[ -e "$CGROUP/cgroup.procs" ] && [ -w "$CGROUP/cgroup.procs" ] || skip "no cgroup v2 that can be written"
	rt_bundle b "$(rt_args true) | .annotations = {\"run.oci.delegate-cgroup\": \"../up\"}"
	run rt run -b "$T/b" "$ID"
	[ "$status" -eq 1 ]
	[[ "$output" == *"annotations.run.oci.delegate-cgroup: '../up' is not the name of a directory"* ]]
}

@test "what would not be the container that was asked for is refused by name, the rest is passed over" {
	for name in run.oci.handler run.oci.seccomp_bpf_data run.oci.seccomp.plugins run.oci.systemd.force_cgroup_v1; do
		rt_bundle b "$(rt_args true) | .annotations = {\"$name\": \"krun\"}"
		run rt run -b "$T/b" "$ID"
		echo "$output"
		[ "$status" -eq 1 ]
		[[ "$output" == *"annotations.$name: "* ]]
		rm -rf "$T/b"
	done
	rt_bundle b "$(rt_args true) | .annotations = {\"module.wasm.image/variant\": \"compat\", \"krun.cpus\": \"2\", \"run.oci.systemd.subgroup\": \"x\", \"a.b\": \"c\"}"
	run rt run -b "$T/b" "$ID"
	[ "$status" -eq 0 ]
	[ "$output" = "" ]
}

@test "features lists exactly the annotations that have an effect" {
	run jq -c '.potentiallyUnsafeConfigAnnotations | sort' <(rt features)
	[ "$output" = '["org.criu.config","org.stube.landlock","org.systemd.property.","run.oci.delegate-cgroup","run.oci.hooks.stderr","run.oci.hooks.stdout","run.oci.keep_original_groups","run.oci.mount_context_type","run.oci.pidfd_receiver","run.oci.seccomp.receiver","run.oci.seccomp_fail_unknown_syscall","run.oci.systemd.subgroup"]' ]
	run jq -r '.annotations["org.stube.landlock"]' <(rt features)
	[ "$output" = 1 ]
}
