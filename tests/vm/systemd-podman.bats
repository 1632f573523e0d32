#!/usr/bin/env bats
# Podman with systemd's cgroup manager, root's and an ordinary user's. For the machines of tests/vm.
bats_require_minimum_version 1.5.0

setup_file() {
	[ "${MANAGER:-systemd}" = systemd ] || skip 'is about systemd'
	command -v podman > /dev/null || skip 'podman is not installed'
	PLACE=$(mktemp -d /tmp/stube-podman.XXXXXX)
	export PLACE
	mkdir -p "$PLACE/root/bin" "$PLACE/bin"
	cp /bin/busybox "$PLACE/root/bin/"
	for name in sh sleep cat echo true; do ln -s busybox "$PLACE/root/bin/$name"; done
	cp "${RT_BIN%/*}"/{stube-runtime,stube-systemd} "$PLACE/bin/"
	tar -C "$PLACE/root" -cf "$PLACE/image.tar" .
	chmod -R a+rX "$PLACE"
	cat > "$PLACE/life" <<-'X'
		set -eux
		podman() { command podman --storage-driver=vfs --runtime "$PLACE/bin/stube-runtime" --cgroup-manager=systemd --events-backend=file "$@"; }
		systemctl() { if [ "$(id -u)" = 0 ]; then command systemctl "$@"; else command systemctl --user "$@"; fi; }
		podman import "$PLACE/image.tar" busybox:test
		podman run --rm --network none busybox:test true
		podman run -d --name web --network none --memory 64m --pids-limit 30 --cpus 0.5 busybox:test sleep 600
		pid=$(podman inspect web --format '{{.State.Pid}}')
		group=/sys/fs/cgroup$(sed -n s/^0:://p "/proc/$pid/cgroup")
		[ "$(cat "$group/memory.max") $(cat "$group/pids.max") $(cat "$group/cpu.max")" = '67108864 30 50000 100000' ]
		unit=${group##*/}
		[ "$(systemctl show -P MemoryMax "$unit") $(systemctl show -P TasksMax "$unit") $(systemctl show -P CPUQuotaPerSecUSec "$unit")" = '67108864 30 500ms' ]
		podman exec web true
		podman pause web
		[ "$(cat "$group/cgroup.freeze")" = 1 ]
		podman unpause web
		podman rm -f -t 0 web
		[ -z "$(systemctl list-units --all --no-legend --plain 'libpod-*.scope' | grep -v conmon)" ]
		[ ! -e "$group" ]
	X
}
teardown_file() { rm -rf "$PLACE"; }

@test "root's Podman: limits are properties and files, nothing stays" {
	run bash "$PLACE/life"
	echo "$output"
	[ "$status" -eq 0 ]
}

@test "an ordinary user's Podman: the same, under the user's own systemd" {
	local user
	user=$(awk -F: '$3 == 1000 { print $1 }' /etc/passwd)
	[ -n "$user" ] || skip 'there is no user 1000'
	loginctl enable-linger "$user"
	for _ in {1..600}; do [ -S /run/user/1000/bus ] && break; sleep 0.05; done
	run su "$user" -c "cd; PLACE=$PLACE XDG_RUNTIME_DIR=/run/user/1000 bash $PLACE/life"
	echo "$output"
	[ "$status" -eq 0 ]
}
