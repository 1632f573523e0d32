#!/usr/bin/env bats
# The attacks of runtime-attacks.bats against older runtimes that are open to them: what fails here is a real attack. A peer
# that has been mended is passed over with that reason.
load helpers

setup() { rt_setup; }
teardown() { rt_teardown; }

# peer NAME: its path; the test is passed over where it is not installed.
peer() {
	PEER=$(command -v "$1") || skip "$1 is not installed"
}
hostile() { # FILTER
	rt_bundle b "$1"
	R=$T/b/rootfs
	mkdir -p "$T/host"
}
# One run of the peer in a plain v2 hierarchy of its own mount namespace, without cgroups where it can.
peer_run() {
	local manager=
	[ "${PEER##*/}" != crun ] || manager='--cgroup-manager disabled'
	run timeout 20 unshare -m --propagation private sh -c \
		'mount -t cgroup2 cgroup2 /sys/fs/cgroup; peer=$1; shift; exec "$peer" "$@"' _ "$PEER" --root "$T/peer" $manager \
		run -b "$T/b" "$ID" < "${STDIN:-/dev/null}"
}
ours() { run timeout 20 "$RT_BIN" --root "$ROOT" run -b "$T/b" "$ID"; }
# succeeded WHAT: the attack did what it is for; else the peer is no proof any more.
succeeded() {
	eval "$1" || skip "this $(basename "$PEER") is not open to it: $("$PEER" --version | head -1)"
}
NO_DEV='.mounts |= map(select(.destination | startswith("/dev") | not))'

@test "CVE-2026-41579: /dev of the image as a link makes entries in a directory of the host, with an older crun" {
	peer crun
	hostile "$(rt_args true) | $NO_DEV"
	rmdir "$R/dev"
	ln -s "$T/host" "$R/dev"
	peer_run
	succeeded '[ -n "$(ls -A "$T/host")" ]'
	find "$T/host" -mindepth 1 -delete
	ours
	[ -z "$(ls -A "$T/host")" ]
}

@test "CVE-2026-41579: the same with an older runc" {
	peer runc
	hostile "$(rt_args true) | $NO_DEV"
	rmdir "$R/dev"
	ln -s "$T/host" "$R/dev"
	peer_run
	succeeded '[ -n "$(ls -A "$T/host")" ]'
	find "$T/host" -mindepth 1 -delete
	ours
	[ -z "$(ls -A "$T/host")" ]
}

@test "CVE-2026-88264: a planted /dev/null gives a file of the image to the container's user, with an older crun" {
	peer crun
	hostile "$(rt_args true) | $NO_DEV | .process.user.uid = 1000"
	echo secret > "$R/etc/victim"
	ln -s /etc/victim "$R/dev/null"
	peer_run
	succeeded '[ "$(stat -c %u "$R/etc/victim")" = 1000 ]'
	chown 0 "$R/etc/victim"
	ln -sf /etc/victim "$R/dev/null"
	ours
	[ "$(stat -c %u "$R/etc/victim")" = 0 ]
}

@test "CVE-2026-30892: exec --user with a number that is none runs as root, with an older crun" {
	peer crun
	hostile "$(rt_sh 'sleep 100; true') | .process.user.uid = 1000"
	rt create -b "$T/b" "$ID" > /dev/null 2>&1
	rt start "$ID"
	for user in 4294967296 -1; do
		unshare -m --propagation private sh -c 'mount -t cgroup2 cgroup2 /sys/fs/cgroup
			crun="$1 --root $2 --cgroup-manager disabled"
			$crun run -d -b "$3" "$4" < /dev/null > /dev/null 2>&1
			$crun exec --user "$5" "$4" id -u
			$crun delete -f "$4"' _ "$PEER" "$T/peer" "$T/b" "$ID-peer" $user > "$T/out" 2>&1 3>&- || true
		succeeded 'grep -qx 0 "$T/out"'
		run rt exec --user=$user "$ID" id -u
		[ "$status" -ne 0 ]
		[[ "$output" == *"'$user' is no user or group id"* ]]
	done
}
