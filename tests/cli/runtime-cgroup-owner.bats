#!/usr/bin/env bats
# Promises about whom a container's cgroup belongs to: runtime-spec config-linux.md, "Cgroup ownership".
load helpers

setup() {
	rt_setup
	holder=
	[ -w "$CGROUP/cgroup.procs" ] || skip "no cgroup v2 that can be written"
	chmod 755 "$T"
}
teardown() {
	[ -z "$holder" ] || kill "$holder"
	rt_teardown
}

CGROUP_RW='.mounts += [{destination: "/sys/fs/cgroup", type: "cgroup", source: "cgroup", options: ["nosuid", "noexec", "nodev", "rw"]}]'
CGROUP_NS='.linux.namespaces += [{type: "cgroup"}]'

created() { # FILTER
	if [ ! -e "$T/b" ]; then
		rt_bundle b
		chown -R 100000:100000 "$T/b/rootfs"
	fi
	rt_config b "$(rt_sh 'sleep 60') | .linux.cgroupsPath = \"/$ID\" | $1"
	rt create -b "$T/b" "$ID" > "$T/out" 2>&1 < /dev/null 3>&-
}

# Whose the container's cgroup and its files are: "UID UID..." without repetition.
owners() {
	stat -c %u "$CGROUP/$ID" "$CGROUP/$ID"/* | sort -un | tr '\n' ' '
}

@test "with user and cgroup namespace and a writable mount the cgroup is the user's, in just the kernel's list of files" {
	created "$RT_USERNS | $CGROUP_NS | $CGROUP_RW"
	[ "$(stat -c %u:%g "$CGROUP/$ID")" = 100000:0 ]
	for file in "$CGROUP/$ID"/*; do
		expected=0
		grep -qx "${file##*/}" /sys/kernel/cgroup/delegate && expected=100000
		echo "# $file"
		[ "$(stat -c %u "$file")" = "$expected" ]
	done
	[ "$(stat -c %u "$CGROUP")" = 0 ]
	rt start "$ID"
	rt exec "$ID" sh -c 'mkdir /sys/fs/cgroup/child && echo $$ > /sys/fs/cgroup/child/cgroup.procs && grep -q 0::/child /proc/self/cgroup'
	# Limits stay the host's.
	run rt exec "$ID" sh -c 'echo 0 > /sys/fs/cgroup/cgroup.max.descendants'
	[[ "$output" == *"ermission denied"* ]]
	rt delete --force "$ID"
	[ ! -e "$CGROUP/$ID" ]
}

@test "the owner is the user of the process, not the namespace's root" {
	created "$RT_USERNS | $CGROUP_NS | $CGROUP_RW | .process.user = {uid: 1000, gid: 1000}"
	[ "$(owners)" = "0 101000 " ]
	rt delete --force "$ID"
	# The map of the namespace counts, also where it comes by path and config.json has none.
	unshare --user sleep 60 3>&- &
	holder=$!
	for _ in {1..500}; do
		[ "$(readlink "/proc/$holder/ns/user")" != "$(readlink /proc/self/ns/user)" ] && break
		sleep 0.02
	done
	echo 0 200000 1000 > "/proc/$holder/uid_map"
	echo 0 200000 1000 > "/proc/$holder/gid_map"
	created "$CGROUP_NS | $CGROUP_RW | .process.user = {uid: 7, gid: 7}
		| .linux.namespaces += [{type: \"user\", path: \"/proc/$holder/ns/user\"}]"
	[ "$(owners)" = "0 200007 " ]
	rt delete --force "$ID"
	# Without a user namespace, too.
	created "$CGROUP_NS | $CGROUP_RW | .process.user = {uid: 1000, gid: 1000}"
	[ "$(owners)" = "0 1000 " ]
}

@test "the owner stays where the mount is read-only or missing, the namespace is the host's, or the cgroup was there before" {
	for filter in "$CGROUP_NS" "$CGROUP_RW" \
		"$CGROUP_NS | $CGROUP_RW | .mounts[-1].options += [\"ro\"]" \
		"$CGROUP_NS | $CGROUP_RW | .mounts[-1].source = \"other\""; do
		created "$RT_USERNS | $filter"
		[ "$(owners)" = "0 " ]
		rt delete --force "$ID"
	done
	mkdir "$CGROUP/$ID"
	created "$RT_USERNS | $CGROUP_NS | $CGROUP_RW"
	[ "$(owners)" = "0 " ]
}
