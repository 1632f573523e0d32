#!/usr/bin/env bats
# Podman starts, enters, pauses and removes containers with stube-runtime, on a hybrid host and on a v2 one.
bats_require_minimum_version 1.5.0
load engine

LIMITS=(--network none --pids-limit=-1 --ulimit nofile=1024:1024 --ulimit nproc=1024:1024)

setup_file() {
	command -v podman > /dev/null || skip "podman is not installed"
	engine_start hybrid
	ln -s "$RUNTIME" "$T/crun"
	inside tar -C "$T/rootfs" -cf "$T/rootfs.tar" .
	podman_with "$RUNTIME" import "$T/rootfs.tar" busybox:test > "$T/import.log" 2>&1
}

teardown_file() {
	[ -z "${T:-}" ] || podman_with "$RUNTIME" rm -f -t 0 --all > /dev/null 2>&1 || true
	[ -z "${T:-}" ] || rmdir "$(engine_hierarchy)"/libpod_parent{/conmon,} 2> /dev/null || true
	engine_stop
}

podman_with() { # RUNTIME ARGUMENT...
	local runtime=$1
	shift
	inside podman --root "$T/root" --runroot "$T/run" --tmpdir "$T/tmp" --cgroup-manager=cgroupfs \
		--storage-driver=vfs --events-backend=file --runtime "$runtime" "$@" 3>&-
}

pod() {
	podman_with "$RUNTIME" "$@"
}

@test "podman run prints what the program prints and passes its exit status on" {
	run pod run --rm "${LIMITS[@]}" busybox:test sh -c 'echo hello; exit 7'
	[ "$status" -eq 7 ]
	[ "$output" = hello ]
}

@test "the container is in a cgroup of its own in the v2 hierarchy" {
	run pod run --rm "${LIMITS[@]}" busybox:test grep 0:: /proc/self/cgroup
	[ "$status" -eq 0 ]
	[[ "$output" =~ ^0::/libpod_parent/libpod-[0-9a-f]{64}$ ]]
}

@test "podman's seccomp profile is in force, and no new privileges are had" {
	run pod run --rm --security-opt no-new-privileges "${LIMITS[@]}" busybox:test grep -E '^(Seccomp|NoNewPrivs):' /proc/self/status
	[ "$output" = $'NoNewPrivs:\t1\nSeccomp:\t2' ]
}

@test "podman run --rootfs needs no image" {
	run pod run --rm "${LIMITS[@]}" --rootfs "$T/rootfs" echo rootfs
	[ "$status" -eq 0 ]
	[ "$output" = rootfs ]
}

@test "run -d, exec, pause, unpause, logs and rm -f work on one container" {
	run pod run -d --name web "${LIMITS[@]}" busybox:test sh -c 'echo logged; sleep 100'
	[ "$status" -eq 0 ]
	run pod exec web sh -c 'echo inside as $(id -u); exit 5'
	[ "$status" -eq 5 ]
	[ "$output" = "inside as 0" ]
	pid=$(pod inspect --format '{{.State.Pid}}' web)
	cgroup=$(engine_hierarchy)$(sed -n 's/^0:://p' "/proc/$pid/cgroup")
	pod pause web
	[ "$(pod inspect --format '{{.State.Status}}' web)" = paused ]
	[ "$(cat "$cgroup/cgroup.freeze")" = 1 ]
	pod unpause web
	[ "$(pod inspect --format '{{.State.Status}}' web)" = running ]
	[ "$(cat "$cgroup/cgroup.freeze")" = 0 ]
	[ "$(pod logs web)" = logged ]
	pod rm -f -t 0 web
	[ ! -e "/proc/$pid" ]
	[ ! -e "$cgroup" ]
}

@test "podman stop ends the program by its signal" {
	pod run -d --name stop "${LIMITS[@]}" busybox:test sh -c 'trap "echo bye; exit 3" TERM; while :; do sleep 0.1; done'
	pod stop -t 20 stop
	[ "$(pod inspect --format '{{.State.ExitCode}}' stop)" = 3 ]
	[ "$(pod logs stop)" = bye ]
	pod rm stop
}

@test "a terminal is had by -t" {
	run pod run --rm -t "${LIMITS[@]}" busybox:test sh -c 'test -t 0 && test -t 1 && echo terminal'
	[ "$status" -eq 0 ]
	[[ "$output" == *terminal* ]]
}

@test "a program that does not exist is podman's status 127, one that is no program 126" {
	run -127 pod run --rm "${LIMITS[@]}" busybox:test /no/such/program
	run pod run --rm "${LIMITS[@]}" busybox:test /bin
	[ "$status" -eq 126 ]
}

@test "a real limit without its controller is refused with the words that help" {
	grep -qw pids "$(engine_hierarchy)/cgroup.controllers" && skip "the cgroup v2 hierarchy of this host has the controller pids"
	run pod run --rm --network none --pids-limit=20 --ulimit nofile=1024:1024 --ulimit nproc=1024:1024 busybox:test true
	[ "$status" -ne 0 ]
	[[ "$output" == *"linux.resources.pids.limit: the controller 'pids' is not available"* ]]
}

@test "under the name crun it serves --cgroups=disabled" {
	run podman_with "$T/crun" run --rm --cgroups=disabled --network none --ulimit nofile=1024:1024 --ulimit nproc=1024:1024 \
		busybox:test grep 0:: /proc/self/cgroup
	[ "$status" -eq 0 ]
	[ "$output" = "$(grep 0:: /proc/self/cgroup)" ]
}

@test "on a host with cgroup v2 alone the same works" {
	inside umount /sys/fs/cgroup/unified /sys/fs/cgroup
	inside mount -t cgroup2 cgroup2 /sys/fs/cgroup
	run pod run --rm --name two "${LIMITS[@]}" busybox:test sh -c 'grep 0:: /proc/self/cgroup; ls /sys/fs/cgroup/cgroup.procs'
	[ "$status" -eq 0 ]
	[ "${lines[0]}" = 0::/ ]
	[ "${lines[1]}" = /sys/fs/cgroup/cgroup.procs ]
}

@test "nothing is left in the hierarchy" {
	pod rm -f -t 0 --all > /dev/null
	run find "$(engine_hierarchy)/libpod_parent" -mindepth 1 -maxdepth 1 -name 'libpod-*' -newer "$T/import.log"
	[ "$output" = "" ] || [[ "$output" == *"No such file"* ]]
}
