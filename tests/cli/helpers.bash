# tests/cli/helpers.bash: bundles with busybox, private --root, and a clean-up that leaves nothing behind.
# Use: load helpers; setup() { rt_setup; }; teardown() { rt_teardown; }

RT_BIN=${RT_BIN:-$BATS_TEST_DIRNAME/../../build/bin/stube-runtime}

# A directory T for the test, the runtime's --root in it, and the prefix of container ids in $ID.
rt_setup() {
	T=$(mktemp -d "${TMPDIR:-/tmp}/stube-rt.XXXXXX")
	ROOT=$T/state
	ID=t${T##*.}
	# The hierarchy the runtime uses: v2 alone, or beside v1.
	CGROUP=/sys/fs/cgroup
	[ -e "$CGROUP/cgroup.procs" ] || CGROUP=/sys/fs/cgroup/unified
}

rt() {
	"$RT_BIN" --root "$ROOT" "$@"
}

# Make the bundle $T/NAME: rt_bundle NAME [JQ-FILTER]. Its root has busybox under the usual names: a copy of one tree for
# each file of tests, since thirty processes for each bundle took half of the time of all these tests.
rt_bundle() {
	local tree=$BATS_FILE_TMPDIR/tree
	[ -d "$tree" ] || rt_tree "$tree"
	cp -aT "$tree" "$T/$1"
	rt_config "$1" "${2:-.}"
}

rt_tree() {
	local name new=$1.new
	mkdir -p "$new/rootfs"/{bin,etc,tmp,proc,sys,dev,root}
	cp /bin/busybox "$new/rootfs/bin/busybox"
	for name in sh ls cat id mount ps env sleep true false echo stat grep head readlink tty stty touch \
		mkdir hostname ip kill dd wc sort cut pwd umount; do
		ln -s busybox "$new/rootfs/bin/$name"
	done
	printf 'root:x:0:0:root:/root:/bin/sh\nweb:x:1000:1000:web:/home/web:/bin/sh\n' > "$new/rootfs/etc/passwd"
	mv "$new" "$1"
}

# Write $T/NAME/config.json: the base below, changed by a jq filter.
rt_config() {
	jq -n --arg dir "$T/$1" "$RT_BASE | ${2:-.}" > "$T/$1/config.json"
}

RT_BASE='
{
  ociVersion: "1.0.2",
  process: {
    user: {uid: 0, gid: 0}, args: ["true"], cwd: "/",
    env: ["PATH=/bin", "TERM=xterm"],
    capabilities: (["CAP_KILL", "CAP_NET_BIND_SERVICE", "CAP_CHOWN"] | {bounding: ., effective: ., permitted: .}),
    noNewPrivileges: true
  },
  root: {path: "rootfs"},
  hostname: "stube",
  mounts: [
    {destination: "/proc", type: "proc", source: "proc"},
    {destination: "/dev", type: "tmpfs", source: "tmpfs", options: ["nosuid", "strictatime", "mode=755", "size=65536k"]},
    {destination: "/dev/pts", type: "devpts", source: "devpts", options: ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"]},
    {destination: "/dev/shm", type: "tmpfs", source: "shm", options: ["nosuid", "noexec", "nodev", "mode=1777"]},
    {destination: "/sys", type: "sysfs", source: "sysfs", options: ["nosuid", "noexec", "nodev", "ro"]}
  ],
  linux: {
    namespaces: ["pid", "mount", "ipc", "uts", "network"] | map({type: .}),
    maskedPaths: ["/proc/kcore", "/proc/keys", "/proc/acpi", "/sys/firmware"],
    readonlyPaths: ["/proc/sys", "/proc/sysrq-trigger"]
  }
}'

# jq filters that tests combine.
rt_args() { # WORD...: process.args
	local word words=
	for word; do
		word=${word//\\/\\\\}
		word=${word//\"/\\\"}
		word=${word//$'\n'/\\n}
		words+=,\"${word//$'\t'/\\t}\"
	done
	echo ".process.args = [${words:1}]"
}
rt_sh() { # SCRIPT: run by sh
	rt_args sh -c "$1"
}
# shellcheck disable=SC2034 # for the tests
RT_USERNS='.linux.namespaces += [{type: "user"}] | .linux.uidMappings = [{containerID: 0, hostID: 100000, size: 65536}] | .linux.gidMappings = .linux.uidMappings'

rt_pid() {
	jq .pid "$ROOT/$1/state.json"
}

# Kill what is left, by recorded pid or by the container's own cgroup; remove cgroups and directories.
rt_teardown() {
	local state pid
	for state in "$ROOT"/*/state.json; do
		[ -e "$state" ] || continue
		pid=$(jq -r .pid "$state")
		[ "$pid" -gt 1 ] 2> /dev/null && kill -9 "$pid" 2> /dev/null
	done
	for dir in "$CGROUP"/"$ID"*; do
		[ -d "$dir" ] || continue
		echo 1 > "$dir/cgroup.kill"
		for _ in {1..50}; do
			find "$dir" -depth -type d -exec rmdir {} + 2> /dev/null
			[ -d "$dir" ] || break
			sleep 0.1
		done
	done
	grep -q " $T" /proc/self/mountinfo && umount -R "$T"/* 2> /dev/null
	rm -rf "$T"
}
