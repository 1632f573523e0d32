# tests/integration/engine.bash: what the tests of engines share: a place of their own, seen by nobody else.
# Use: load engine; setup_file() { engine_start hybrid; ... }; teardown_file() { engine_stop; }

RUNTIME=$BATS_TEST_DIRNAME/../../build/bin/stube-runtime

# A directory T and a mount namespace kept by a process. /sys/fs/cgroup in it looks like a host with cgroup v2
# alone ("v2"), or with v1 beside it ("hybrid"; the v1 part is an empty tmpfs, so engines litter nothing).
engine_start() {
	[ "$(id -u)" = 0 ] || skip "needs root: mount namespaces and an engine's daemon"
	T=$(mktemp -d "${TMPDIR:-/tmp}/stube-engine.XXXXXX")
	export T RUNTIME
	unshare -m --propagation private sleep 900 3>&- &
	HOLDER=$!
	export HOLDER
	for _ in {1..100}; do
		[ "$(readlink "/proc/$HOLDER/ns/mnt")" != "$(readlink /proc/self/ns/mnt)" ] && break
		sleep 0.02
	done
	if [ "$1" = v2 ]; then
		inside mount -t cgroup2 cgroup2 /sys/fs/cgroup
	else
		inside mount -t tmpfs tmpfs /sys/fs/cgroup
		inside mkdir /sys/fs/cgroup/unified
		inside mount -t cgroup2 cgroup2 /sys/fs/cgroup/unified
	fi
	mkdir -p "$T/rootfs/bin"
	cp /bin/busybox "$T/rootfs/bin"
	for name in sh ls cat id sleep true echo grep; do ln -s busybox "$T/rootfs/bin/$name"; done
}

inside() {
	timeout 120 nsenter -t "$HOLDER" -m -- "$@"
}

# The v2 hierarchy, seen from the host: what stays there is litter.
engine_hierarchy() {
	if [ -e /sys/fs/cgroup/cgroup.procs ]; then echo /sys/fs/cgroup; else echo /sys/fs/cgroup/unified; fi
}

engine_stop() {
	[ -n "${T:-}" ] || return 0
	[ -z "${HOLDER:-}" ] || kill "$HOLDER" 2> /dev/null || true
	rm -rf --one-file-system "$T"
}
