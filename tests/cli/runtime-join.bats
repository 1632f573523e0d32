#!/usr/bin/env bats
# Promises about namespaces that are joined by path, and about users without rights.
load helpers

setup() { rt_setup; }
teardown() {
	[ -z "${HOLDER:-}" ] || kill -9 "$HOLDER" 2> /dev/null || true
	rt_teardown
}

# A process that holds namespaces: holder UNSHARE-OPTIONS; its pid in HOLDER.
holder() {
	unshare "$@" --fork --kill-child sh -c "echo ready > $T/ready; exec sleep 100" 3>&- &
	HOLDER=$!
	for _ in {1..100}; do [ -s "$T/ready" ] && break; sleep 0.02; done
	INSIDE=$(pgrep -P "$HOLDER")
}

join() { # TYPE...: jq filter that gives these namespaces the holder's paths
	local f='.' t
	for t in "$@"; do
		f="$f | .linux.namespaces |= (map(select(.type != \"$t\")) + [{type: \"$t\", path: \"/proc/$INSIDE/ns/$(file_of "$t")\"}])"
	done
	echo "$f"
}
file_of() {
	case $1 in network) echo net ;; mount) echo mnt ;; *) echo "$1" ;; esac
}

@test "network, ipc, uts, cgroup and pid namespaces are joined by path" {
	holder --net --ipc --uts --pid --cgroup
	rt_bundle b "$(rt_sh 'for n in net ipc uts pid cgroup; do readlink /proc/self/ns/$n; done; echo $$') | $(join network ipc uts cgroup pid) | del(.hostname)"
	run rt run -b "$T/b" "$ID"
	[ "$status" -eq 0 ]
	i=0
	for n in net ipc uts pid cgroup; do
		[ "${lines[$i]}" = "$(readlink "/proc/$INSIDE/ns/$n")" ]
		i=$((i + 1))
	done
	[ "${lines[5]}" -gt 1 ]
}

@test "the recorded pid of a container in a joined pid namespace is the host's" {
	holder --pid
	rt_bundle b "$(rt_sh 'sleep 50; true') | $(join pid)"
	rt create -b "$T/b" --pid-file "$T/pid" "$ID" > /dev/null 2>&1
	rt start "$ID"
	sleep 0.1
	[[ "$(tr '\0' ' ' < "/proc/$(cat "$T/pid")/cmdline")" == "sh -c "* ]]
	run rt exec "$ID" readlink /proc/self/ns/pid
	[ "$output" = "$(readlink "/proc/$INSIDE/ns/pid")" ]
}

@test "a joined time namespace is entered" {
	holder --time --boottime 2000000
	rt_bundle b "$(rt_sh 'cut -d. -f1 /proc/uptime') | $(join time)"
	run rt run -b "$T/b" "$ID"
	[ "$output" -gt 2000000 ]
}

@test "a user namespace and those it owns are joined, the rest is made inside" {
	holder --user --map-root-user --net --uts
	rt_bundle b "$(rt_sh 'for n in user net uts; do readlink /proc/self/ns/$n; done; id -u') | $(join user network uts) | del(.hostname) | .mounts |= map(select(.type != \"devpts\"))"
	run rt run -b "$T/b" "$ID"
	[ "$status" -eq 0 ]
	[ "${lines[0]}" = "$(readlink "/proc/$INSIDE/ns/user")" ]
	[ "${lines[1]}" = "$(readlink "/proc/$INSIDE/ns/net")" ]
	[ "${lines[2]}" = "$(readlink "/proc/$INSIDE/ns/uts")" ]
	[ "${lines[3]}" = 0 ]
}

@test "a new user namespace works beside a joined network of the host's" {
	holder --net
	rt_bundle b "$(rt_sh 'readlink /proc/self/ns/net; id -u; cat /proc/self/uid_map; ls /sys/class/net') | $RT_USERNS | $(join network)"
	run rt run -b "$T/b" "$ID"
	[ "$status" -eq 0 ]
	[ "${lines[0]}" = "$(readlink "/proc/$INSIDE/ns/net")" ]
	[ "${lines[1]}" = 0 ]
	[[ "${lines[2]}" == *100000* ]]
}

@test "a path that is no namespace, or of another type, is refused by name" {
	rt_bundle b '.linux.namespaces |= map(select(.type != "network")) + [{type: "network", path: "/etc/passwd"}]'
	run rt run -b "$T/b" "$ID"
	[ "$status" -eq 1 ]
	[[ "$output" == *"linux.namespaces[4].path: '/etc/passwd' is no namespace"* ]]
	rt_config b '.linux.namespaces |= map(select(.type != "network")) + [{type: "network", path: "/proc/self/ns/uts"}]'
	run rt run -b "$T/b" "$ID"
	[[ "$output" == *"is a namespace of type uts, not network"* ]]
}

@test "overlapping id maps are refused by index" {
	rt_bundle b "$RT_USERNS | .linux.uidMappings += [{containerID: 70000, hostID: 100010, size: 5}]"
	run rt run -b "$T/b" "$ID"
	[ "$status" -eq 1 ]
	[[ "$output" == *"linux.uidMappings"*"overlaps"* ]]
}

# As an ordinary user: no rights, own directories, a user namespace of one id.
ordinary() {
	chmod 711 "$T"
	mkdir -p "$T/run"
	chown -R 4321:4321 "$T/b" "$T/run"
	ROOT=$T/run/state
	setpriv --reuid 4321 --regid 4321 --clear-groups "$@"
}
ONE_ID='.linux.namespaces += [{type: "user"}] | .linux.uidMappings = [{containerID: 0, hostID: 4321, size: 1}] | .linux.gidMappings = .linux.uidMappings'

@test "an ordinary user runs a container with a map of one id" {
	rt_bundle b "$(rt_sh 'id -u; cat /proc/self/uid_map; grep CapEff /proc/self/status; echo x > /dev/null; echo y > /made') | $ONE_ID"
	run ordinary "$RT_BIN" --root "$T/run/state" run -b "$T/b" "$ID"
	[ "$status" -eq 0 ]
	[ "${lines[0]}" = 0 ]
	[[ "${lines[1]}" =~ 4321[[:space:]]+1$ ]]
	[ "$(stat -c %u "$T/b/rootfs/made")" = 4321 ]
}

@test "an ordinary user creates, starts and enters a container" {
	rt_bundle b "$(rt_sh 'sleep 50; true') | $ONE_ID"
	ordinary "$RT_BIN" --root "$T/run/state" create -b "$T/b" "$ID" > /dev/null 2>&1
	setpriv --reuid 4321 --regid 4321 --clear-groups "$RT_BIN" --root "$T/run/state" start "$ID"
	run setpriv --reuid 4321 --regid 4321 --clear-groups "$RT_BIN" --root "$T/run/state" exec "$ID" sh -c 'id -u; hostname'
	[ "$status" -eq 0 ]
	[ "${lines[0]}" = 0 ]
	[ "${lines[1]}" = stube ]
	ROOT=$T/run/state
}

@test "an ordinary user gets more ids from newuidmap, and a word about subuid when refused" {
	rt_bundle b "$(rt_sh 'cat /proc/self/uid_map') | $ONE_ID | .linux.uidMappings += [{containerID: 1, hostID: 300000, size: 1000}] | .linux.gidMappings = .linux.uidMappings"
	chmod 711 "$T"
	echo 'stube4321:x:4321:4321::/:/bin/sh' | cat /etc/passwd - > "$T/passwd"
	echo '4321:300000:1000' > "$T/subid"
	mkdir "$T/run"
	chown -R 4321:4321 "$T/b" "$T/run"
	run unshare -m --propagation private bash -c '
		mount --bind "$1/passwd" /etc/passwd; mount --bind "$1/subid" /etc/subuid; mount --bind "$1/subid" /etc/subgid
		setpriv --reuid 4321 --regid 4321 --clear-groups "$2" --root "$1/run/state" run -b "$1/b" "$3"' _ "$T" "$RT_BIN" "$ID"
	[ "$status" -eq 0 ]
	[[ "${lines[1]}" =~ 1[[:space:]]+300000[[:space:]]+1000$ ]]
	run ordinary "$RT_BIN" --root "$T/run/state" run -b "$T/b" "$ID"
	[ "$status" -eq 1 ]
	[[ "$output" == *"/etc/subuid"* ]]
}
