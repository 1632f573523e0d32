#!/usr/bin/env bats
# Promises of the annotation org.stube.landlock (docs/landlock.md).
load helpers

setup() {
	rt_setup
	ABI=$(python3 -c 'import ctypes; print(ctypes.CDLL(None).syscall(444, None, 0, 1))')
	[ "$ABI" -ge 1 ] || skip "this kernel has no Landlock"
}
teardown() { rt_teardown; }

# The annotation as a jq filter: landlock JQ-OBJECT
landlock() { echo ".annotations[\"org.stube.landlock\"] = ($1 | tojson)"; }

# Everything may be read and executed, writing is for /data and /dev alone.
ONLY_DATA='{
	ruleset: {handledAccessFS: ["write_file", "make_reg", "make_dir", "remove_file"]},
	rules: {pathBeneath: [{allowedAccess: ["write_file", "make_reg", "make_dir", "remove_file"], paths: ["/data", "/dev"]}]}
}'

WRITE='echo x > /tmp/x && echo wrote tmp; echo x > /data/x && echo wrote data; mkdir /etc/d && echo made; true'

@test "a write outside of the allowed tree fails, inside it works" {
	rt_bundle b "$(rt_sh "$WRITE") | $(landlock "$ONLY_DATA")"
	mkdir "$T/b/rootfs/data"
	run rt run -b "$T/b" "$ID"
	echo "$output"
	[ "$status" -eq 0 ]
	[[ "$output" == *"can't create /tmp/x: Permission denied"* ]]
	[[ "$output" == *"can't create directory '/etc/d': Permission denied"* ]]
	[[ "$output" == *"wrote data"* ]]
	[[ "$output" != *"wrote tmp"* ]]
	[ ! -e "$T/b/rootfs/tmp/x" ]
}

@test "the same writes work without the annotation" {
	rt_bundle b "$(rt_sh "$WRITE")"
	mkdir "$T/b/rootfs/data"
	run rt run -b "$T/b" "$ID"
	[[ "$output" == *"wrote tmp"*"wrote data"*"made"* ]]
}

@test "a process that joins later is restricted as well" {
	rt_bundle b "$(rt_sh 'sleep 600') | $(landlock "$ONLY_DATA")"
	mkdir "$T/b/rootfs/data"
	rt create -b "$T/b" "$ID" > /dev/null 2>&1
	rt start "$ID"
	run rt exec "$ID" sh -c "$WRITE"
	[[ "$output" == *"can't create /tmp/x: Permission denied"* ]]
	[[ "$output" == *"wrote data"* ]]
}

@test "without no_new_privs it holds too, and the capability it took is gone afterwards" {
	rt_bundle b "$(rt_sh "$WRITE grep CapEff /proc/self/status") | $(landlock "$ONLY_DATA") | .process.noNewPrivileges = false"
	sed -i 's/true grep/grep/' "$T/b/config.json"
	mkdir "$T/b/rootfs/data"
	run rt run -b "$T/b" "$ID"
	echo "$output"
	[[ "$output" == *"can't create /tmp/x: Permission denied"* ]]
	[[ "$output" == *$'CapEff:\t0000000000000421'* ]]
}

@test "it stands together with a seccomp filter and an ordinary user" {
	rt_bundle b "$(rt_sh "$WRITE grep Seccomp: /proc/self/status") | $(landlock "$ONLY_DATA") | .process.user = {uid: 1000, gid: 1000}
		| .linux.seccomp = {defaultAction: \"SCMP_ACT_ALLOW\", syscalls: [{names: [\"landlock_restrict_self\", \"landlock_create_ruleset\"], action: \"SCMP_ACT_ERRNO\"}]}"
	sed -i 's/true grep/grep/' "$T/b/config.json"
	mkdir -m 777 "$T/b/rootfs/data"
	chmod 777 "$T/b/rootfs/tmp"
	run rt run -b "$T/b" "$ID"
	echo "$output"
	[[ "$output" == *"can't create /tmp/x: Permission denied"* ]]
	[[ "$output" == *"wrote data"*$'Seccomp:\t2'* ]]
}

@test "a path of a rule is resolved in the container's root: no symbolic link leads to the host" {
	rt_bundle b "$(rt_sh "$WRITE") | $(landlock "$ONLY_DATA")"
	mkdir "$T/b/rootfs/real" "$T/outside"
	ln -s /real "$T/b/rootfs/data"
	run rt run -b "$T/b" "$ID"
	[[ "$output" == *"wrote data"* ]]
	[ -e "$T/b/rootfs/real/x" ]
	rm "$T/b/rootfs/data"
	ln -s "$T/outside" "$T/b/rootfs/data"
	run rt run -b "$T/b" "$ID"
	[ "$status" -eq 1 ]
	[[ "$output" == *"landlock rules: annotations.org.stube.landlock: rules.pathBeneath[0].paths[0]:"*"No such file or directory"* ]]
}

@test "a path that is not there is an error; with bestEffort it is passed over" {
	rt_bundle b "$(rt_sh "$WRITE") | $(landlock "$ONLY_DATA")"
	run rt run -b "$T/b" "$ID"
	[ "$status" -eq 1 ]
	[[ "$output" == *"rules.pathBeneath[0].paths[0]"*"'/data'"*"No such file or directory"* ]]
	rt_config b "$(rt_sh "$WRITE") | $(landlock "$ONLY_DATA + {bestEffort: true}")"
	run rt run -b "$T/b" "$ID"
	[ "$status" -eq 0 ]
	[[ "$output" == *"can't create /tmp/x: Permission denied"* ]]
}

@test "a program that no rule lets execute does not start" {
	rt_bundle b "$(rt_sh 'echo started') | $(landlock '{ruleset: {handledAccessFS: ["execute"]}, rules: {pathBeneath: [{allowedAccess: ["execute"], paths: ["/etc"]}]}}')"
	run rt run -b "$T/b" "$ID"
	[ "$status" -ne 0 ]
	[[ "$output" == *"exec: \"/bin/sh\": permission denied"* ]]
}

@test "TCP ports that no rule names cannot be bound, those named can" {
	[ "$ABI" -ge 4 ] || skip "this kernel's Landlock (version $ABI) knows no ports"
	rt_bundle b "$(rt_sh 'busybox timeout 1 busybox nc -l -p 80; echo 80: $?; busybox timeout 1 busybox nc -l -p 8080; echo 8080: $?') | $(landlock '{
		ruleset: {handledAccessNetwork: ["bind_tcp"]}, rules: {networkPort: [{allowedAccess: ["bind_tcp"], ports: [8080]}]}}')"
	run rt run -b "$T/b" "$ID"
	echo "$output"
	[[ "$output" == *"bind: Permission denied"*"80: 1"* ]]
	[[ "$output" == *"8080: 143"* ]]
}

@test "a scope keeps signals within the container's first process and what it started" {
	[ "$ABI" -ge 6 ] || skip "this kernel's Landlock (version $ABI) knows no scopes"
	rt_bundle b "$(rt_sh 'trap "echo got it" TERM; while :; do sleep 0.1; done') | $(landlock '{ruleset: {scoped: ["signal"]}}')"
	rt create -b "$T/b" "$ID" > /dev/null 2>&1
	rt start "$ID"
	run rt exec "$ID" kill -TERM 1
	echo "$output"
	[ "$status" -ne 0 ]
	[[ "$output" == *"Operation not permitted"* ]]
}

@test "what is wrong with the document is said with its place, and nothing starts" {
	cases=(
		'{rulesets: {}}' "rulesets: unknown field"
		'{}' "ruleset: required but missing"
		'{ruleset: {}}' "ruleset: must handle something"
		'{ruleset: {handledAccessFS: ["write"]}}' "ruleset.handledAccessFS[0]: unknown file system right 'write'"
		'{ruleset: {handledAccessFS: ["execute"]}, rules: {pathBeneath: [{allowedAccess: ["read_dir"], paths: ["/"]}]}}' "rules.pathBeneath[0].allowedAccess[0]: 'read_dir' is not handled by the ruleset"
		'{ruleset: {handledAccessFS: ["execute"]}, rules: {pathBeneath: [{allowedAccess: ["execute"], paths: ["bin"]}]}}' "rules.pathBeneath[0].paths[0]"
		'{ruleset: {handledAccessNetwork: ["bind_tcp"]}, rules: {networkPort: [{allowedAccess: ["bind_tcp"], ports: [65536]}]}}' "rules.networkPort[0].ports[0]"
	)
	rt_bundle b
	for ((i = 0; i < ${#cases[@]}; i += 2)); do
		rt_config b "$(landlock "${cases[i]}")"
		run rt run -b "$T/b" "$ID"
		echo "$output"
		[ "$status" -eq 1 ]
		[[ "$output" == *"annotations.org.stube.landlock:"*"${cases[i + 1]}"* ]]
		[ ! -e "$ROOT/$ID" ]
	done
	rt_config b '.annotations["org.stube.landlock"] = "no json"'
	run rt run -b "$T/b" "$ID"
	[[ "$output" == *"annotations.org.stube.landlock:"* ]]
}
