#!/usr/bin/env bats
# Promises to a user who may not make cgroups.
load helpers

setup() {
	rt_setup
	[ "$(id -u)" = 0 ] || skip "needs root, to become another user"
	chmod 755 "$T"
	cp "$RT_BIN" "$T/stube-runtime"
	mkdir "$T/home"
	rt_bundle b "$(rt_sh 'sleep 60') | .linux.namespaces = ([\"user\", \"pid\", \"mount\", \"ipc\", \"uts\"] | map({type: .})) | .linux.uidMappings = [{containerID: 0, hostID: 65534, size: 1}] | .linux.gidMappings = .linux.uidMappings | .mounts = [.mounts[0]] | .linux.resources.devices = [{allow: false, access: \"rwm\"}] | del(.linux.maskedPaths, .linux.readonlyPaths)"
	chown -R 65534:65534 "$T/home" "$T/b"
	ROOT=$T/home/stube-runtime
}
teardown() { rt_teardown; }

user() {
	setpriv --reuid 65534 --regid 65534 --clear-groups \
		env -i PATH=/bin:/usr/bin HOME="$T/home" XDG_RUNTIME_DIR="$T/home" "$T/stube-runtime" "$@"
}

@test "a container without limits runs without a cgroup of its own, and is found, killed and deleted" {
	user run -d -b "$T/b" "$ID" > /dev/null 2>&1
	pid=$(user state "$ID" | jq .pid)
	[ "$(cat "/proc/$pid/cgroup")" = "$(cat /proc/self/cgroup)" ]
	[ "$(user ps -f json "$ID")" = "[$pid]" ]
	run user pause "$ID"
	[ "$status" -eq 1 ]
	[[ "$output" == *"has no cgroup of its own"* ]]
	user kill --all "$ID" KILL
	for _ in {1..100}; do [ "$(user state "$ID" | jq -r .status)" = stopped ] && break; sleep 0.02; done
	user delete "$ID"
	[ ! -e "$ROOT/$ID" ]
}

@test "a limit, or a path that was asked for, is an error that says what is missing" {
	for change in '.linux.resources.pids = {limit: 5}' '.linux.cgroupsPath = "/stube-nobody"'; do
		jq "$change" "$T/b/config.json" > "$T/b/changed.json"
		run user run -b "$T/b" -f changed.json "$ID"
		[ "$status" -eq 1 ]
		[[ "$output" == *"Permission denied"*"need a cgroup that was delegated to this user"* ]]
		[ ! -e "$ROOT/$ID" ]
	done
}

@test "the user's compiled filters lie in the user's own cache" {
	jq '.process.args = ["true"] | .linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", syscalls: [{names: ["mkdir"], action: "SCMP_ACT_ERRNO"}]}' "$T/b/config.json" > "$T/b/changed.json"
	user run -b "$T/b" -f changed.json "$ID"
	[ "$(find "$T/home/.cache/stube/seccomp" -type f | wc -l)" -eq 1 ]
	[ ! -e "$ROOT/.cache" ]
}
