#!/usr/bin/env bats
# An ordinary user's Podman with stube-runtime: subordinate ids, volumes, network, exec, and what is refused with words.
bats_require_minimum_version 1.5.0
load engine

setup_file() {
	for program in podman newuidmap setpriv; do
		command -v $program > /dev/null || skip "$program is not installed"
	done
	engine_start own
	for file in subuid subgid; do [ -e /etc/$file ] || skip "this host has no /etc/$file to cover"; done
	# Before the first podman: its user's namespaces stay as they are then.
	ordinary_device tun /dev/net/tun 10 200
	ordinary_device fuse /dev/fuse 10 229
	tar -C "$T/rootfs" -cf "$T/rootfs.tar" .
	as_user podman --storage-driver=vfs import "$T/rootfs.tar" busybox:test > "$T/import.log" 2>&1 || skip "an ordinary user's podman does not work here: $(tail -1 "$T/import.log")"
}

teardown_file() {
	[ -z "${T:-}" ] || rootless rm -f -t 0 --all > /dev/null 2>&1 || true
	engine_stop
}

# Here the device is everybody's, as it is on a desktop; elsewhere it stays root's.
ordinary_device() { # NAME PATH MAJOR MINOR
	[ ! -e "$2" ] || { mknod -m 666 "$T/$1" c "$3" "$4" && inside mount --bind "$T/$1" "$2"; } || true
}

rootless() {
	as_user podman --storage-driver=vfs "$@"
}

one() { # OPTION... -- COMMAND
	local options=()
	while [ "$1" != -- ]; do options+=("$1"); shift; done
	shift
	rootless run --rm "${options[@]}" busybox:test sh -c "exec 2>&1; $1"
}

@test "the user is root inside, with the subordinate ids, a filter and only what was allowed" {
	run one -- 'id -u; cat /proc/self/uid_map; grep -E "^(CapBnd|Seccomp):" /proc/self/status'
	[ "$status" -eq 0 ]
	[ "${lines[0]}" = 0 ]
	[[ "${lines[1]}" =~ ^\ *0\ +54321\ +1$ ]]
	[[ "${lines[2]}" =~ ^\ *1\ +200000\ +65536$ ]]
	[ "${lines[3]}" = $'CapBnd:\t00000000800405fb' ]
	[ "${lines[4]}" = $'Seccomp:\t2' ]
}

@test "keep-id keeps the id, and a volume its owner" {
	as_user mkdir "$T/home/vol"
	run one --userns keep-id -v "$T/home/vol:/vol" -- 'id -u; echo text > /vol/file; stat -c %u:%g /vol/file'
	[ "$output" = $'54321\n54321:54321' ]
	[ "$(stat -c %u:%g "$T/home/vol/file")" = 54321:54321 ]
	run one --user 5 --read-only -v "$T/home/vol:/vol:ro" -- 'id -u; cat /vol/file; echo x > /vol/file; echo x > /x'
	[ "${lines[0]} ${lines[1]}" = "5 text" ]
	[[ "${lines[2]}" == *"Read-only file system"* && "${lines[3]}" == *"Read-only file system"* ]]
}

@test "--privileged has every capability and the host's devices, which Podman binds" {
	run one --privileged -- 'grep CapEff /proc/self/status; stat -c %t:%T /dev/null /dev/zero; echo x > /dev/null && echo written'
	[ "$status" -eq 0 ]
	[ "${lines[0]}" = "$(grep CapBnd /proc/self/status | sed s/Bnd/Eff/)" ] || [ "${lines[0]}" = $'CapEff:\t000001ffffffffff' ]
	[ "${lines[1]} ${lines[2]} ${lines[3]}" = "1:3 1:5 written" ]
}

@test "exec, logs, top, kill and rm work on one container, and a terminal is had" {
	rootless run -d --name r busybox:test sh -c 'echo logged; sleep 300'
	run rootless exec -u 5 r sh -c 'id -u; exit 4'
	[ "$status" -eq 4 ]
	[ "$output" = 5 ]
	run -127 rootless exec r /no/such/program
	[ "$(rootless logs r)" = logged ]
	[[ "$(rootless top r)" == *"sleep 300"* ]]
	run rootless exec -t r sh -c 'test -t 1 && echo a terminal'
	[[ "$output" == *"a terminal"* ]]
	rootless kill r
	[ "$(rootless wait r)" = 137 ]
	rootless rm r
}

@test "without a cgroup of its own it cannot be paused or limited, and both are said" {
	rootless run -d --name r busybox:test sleep 300
	run rootless pause r
	[ "$status" -ne 0 ]
	[[ "$output" == *"has no cgroup of its own"* ]]
	rootless rm -f -t 0 r
	run one --memory 50m -- true
	[ "$status" -ne 0 ]
	[[ "$output" == *cgroup* && "${output,,}" == *"permission denied"* ]]
}

@test "slirp4netns gives it a network" {
	command -v slirp4netns > /dev/null || skip "slirp4netns is not installed"
	as_user sh -c 'exec 9<> /dev/net/tun' 2> /dev/null || skip "an ordinary user cannot open /dev/net/tun here"
	run one --network slirp4netns -- 'cat /proc/net/dev'
	[ "$status" -eq 0 ]
	[[ "$output" == *tap0:* ]]
}

@test "its root may lie on fuse-overlayfs" {
	command -v fuse-overlayfs > /dev/null || skip "fuse-overlayfs is not installed"
	as_user sh -c 'exec 9<> /dev/fuse' 2> /dev/null || skip "an ordinary user cannot open /dev/fuse here"
	local fuse=(--root "$T/home/fuse" --runroot "$T/xdg/fuse" --storage-driver=overlay --storage-opt overlay.mount_program=/usr/bin/fuse-overlayfs)
	as_user podman "${fuse[@]}" import "$T/rootfs.tar" busybox:test > /dev/null 2>&1
	run as_user podman "${fuse[@]}" run --rm busybox:test sh -c 'head -1 /proc/self/mountinfo; echo text > /x; cat /x'
	[ "$status" -eq 0 ]
	[[ "${lines[0]}" == *fuse.fuse-overlayfs* ]]
	[ "${lines[1]}" = text ]
}

@test "keep-groups keeps the user's groups" {
	run inside setpriv --reuid 54321 --regid 54321 --groups 54321,54399 env -i PATH="$PATH" HOME="$T/home" XDG_RUNTIME_DIR="$T/xdg" \
		sh -c 'cd; exec podman --storage-driver=vfs run --rm --group-add keep-groups busybox:test grep Groups: /proc/self/status' 3>&-
	[ "$status" -eq 0 ]
	# Seen from inside: one that is mapped to nothing, which is the kernel's overflow id.
	[[ "$output" == *65534* ]]
}
