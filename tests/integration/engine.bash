# tests/integration/engine.bash: what the tests of engines share: a place of their own, seen by nobody else.
# Use: load engine; setup_file() { engine_start hybrid; ... }; teardown_file() { engine_stop; }

RUNTIME=$BATS_TEST_DIRNAME/../../build/bin/stube-runtime

# A directory T and a mount namespace kept by a process. /sys/fs/cgroup in it looks like a host with cgroup v2
# alone ("v2"), or with v1 beside it ("hybrid"; the v1 part is an empty tmpfs, so engines litter nothing).
# "own": v2 alone, of which a cgroup of this test is the root: all that runs inside is below it and ends with it.
# Its network is its own as well.
engine_start() {
	[ "$(id -u)" = 0 ] || skip "needs root: mount namespaces and an engine's daemon"
	T=$(mktemp -d "${TMPDIR:-/tmp}/stube-engine.XXXXXX")
	export T RUNTIME
	if [ "$1" = own ]; then
		engine_own
	else
		unshare -m --propagation private sleep 900 3>&- &
		HOLDER=$!
	fi
	export HOLDER
	for _ in {1..500}; do
		[ "$(readlink "/proc/$HOLDER/ns/mnt")" != "$(readlink /proc/self/ns/mnt)" ] && break
		sleep 0.02
	done
	case $1 in
	v2)
		inside mount -t cgroup2 cgroup2 /sys/fs/cgroup
		;;
	own)
		engine_own_places
		;;
	*)
		inside mount -t tmpfs tmpfs /sys/fs/cgroup
		inside mkdir /sys/fs/cgroup/unified
		inside mount -t cgroup2 cgroup2 /sys/fs/cgroup/unified
		;;
	esac
	mkdir -p "$T/rootfs/bin"
	cp /bin/busybox "$T/rootfs/bin"
	for name in sh ls cat id sleep true echo grep mkdir stat stty head wc; do ln -s busybox "$T/rootfs/bin/$name"; done
}

inside() {
	if [ -n "${CGROUP:-}" ]; then
		timeout --foreground 120 "$T/inside" "$@"
	else
		timeout 120 nsenter -t "$HOLDER" -m -- "$@"
	fi
}

# The v2 hierarchy, seen from the host: what stays there is litter.
engine_hierarchy() {
	if [ -e /sys/fs/cgroup/cgroup.procs ]; then echo /sys/fs/cgroup; else echo /sys/fs/cgroup/unified; fi
}

# $T/inside COMMAND...: a program, so that others (script, for a terminal) can run it as well.
engine_own() {
	CGROUP=$(engine_hierarchy)/${T##*/}
	export CGROUP
	mkdir -p "$CGROUP/self"
	# shellcheck disable=SC2016 # the inner shells expand these
	bash -c 'echo $$ > "$CGROUP/cgroup.procs"
		exec unshare -m -C -n --propagation private sh -c "echo \$\$ > \"$CGROUP/self/cgroup.procs\"; exec sleep 900"' 3>&- &
	HOLDER=$!
	cat > "$T/inside" <<-END
		#!/bin/bash
		echo \$\$ > "$CGROUP/self/cgroup.procs" || exit
		exec nsenter -t $HOLDER -m -C -n -- "\$@"
	END
	chmod 755 "$T" "$T/inside"
}

# What engines share with everybody else (locks, sockets, settings, subordinate ids) is the test's own here; and
# Podman knows the runtime by the file that `make install` installs.
engine_own_places() {
	local file
	until inside sh -c '[ "$(cat /proc/self/cgroup | grep ^0::)" = 0::/self ]'; do sleep 0.02; done
	inside mount -t cgroup2 cgroup2 /sys/fs/cgroup
	inside ip link set lo up
	inside mount -t tmpfs tmpfs /run
	inside mount -t tmpfs -o mode=1777 tmpfs /dev/shm
	mkdir -p "$T/bin" "$T/etc" "$T/home" "$T/xdg"
	cp "$RUNTIME" "$T/bin/stube-runtime"
	printf '#!/bin/sh\necho "$*" >> "%s"\nexec "%s" "$@"\n' "$T/witness.log" "$T/bin/stube-runtime" > "$T/bin/witness"
	chmod 755 "$T/bin/witness"
	cp -a /etc/containers "$T/etc/containers"
	mkdir -p "$T/etc/containers/containers.conf.d"
	sed "s|@BINDIR@|$T/bin|g" "$BATS_TEST_DIRNAME/../../packaging/containers.conf" > "$T/etc/containers/containers.conf.d/50-stube.conf"
	# What this machine can: no limit can be raised without CAP_SYS_RESOURCE, none set without its controller.
	cat > "$T/etc/containers/containers.conf.d/90-machine.conf" <<-END
		[containers]
		default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
		pids_limit = -1
		netns = "none"
		[engine]
		cgroup_manager = "cgroupfs"
		events_logger = "file"
		runtime = "stube-runtime"
	END
	inside mount --bind "$T/etc/containers" /etc/containers
	for file in passwd group subuid subgid; do cp "/etc/$file" "$T/etc/$file" 2> /dev/null || : > "$T/etc/$file"; done
	echo "stubetest:x:54321:54321::$T/home:/bin/sh" >> "$T/etc/passwd"
	echo "stubetest:x:54321:" >> "$T/etc/group"
	printf 'stubetest:200000:65536\ncontainers:400000:655360\n' | tee "$T/etc/subuid" > "$T/etc/subgid"
	for file in passwd group subuid subgid; do
		if [ -e "/etc/$file" ]; then inside mount --bind "$T/etc/$file" "/etc/$file"; fi
	done
	chown 54321:54321 "$T/home" "$T/xdg"
	chmod 700 "$T/xdg"
}

# Podman on a store of its own, as root.
pod_own() {
	inside podman --root "$T/root" --runroot "$T/run" --tmpdir "$T/tmp" --storage-driver=vfs "$@" 3>&-
}

# The command as the ordinary user.
as_user() {
	# shellcheck disable=SC2016 # the inner shell expands it
	inside setpriv --reuid 54321 --regid 54321 --clear-groups env -i PATH="$PATH" HOME="$T/home" XDG_RUNTIME_DIR="$T/xdg" \
		USER=stubetest sh -c 'cd; exec "$@"' sh "$@" 3>&-
}

# Wait until the command says something that matches, up to 30 s.
until_says() { # PATTERN COMMAND...
	local pattern=$1 said
	shift
	for _ in {1..300}; do
		said=$("$@" 2>&1) || true
		# shellcheck disable=SC2053 # a pattern
		[[ "$said" == $pattern ]] && return
		sleep 0.1
	done
	echo "never said '$pattern': $said" >&2
	return 1
}

# All processes below the test's cgroup end, then its directories go.
engine_own_stop() {
	[ ! -e "$CGROUP/cgroup.kill" ] || echo 1 > "$CGROUP/cgroup.kill"
	for _ in {1..200}; do
		grep -qx 'populated 0' "$CGROUP/cgroup.events" 2> /dev/null && break
		sleep 0.05
	done
	find "$CGROUP" -depth -type d -exec rmdir {} + 2> /dev/null || true
	[ ! -e "$CGROUP" ] || echo "left: $CGROUP" >&2
}

engine_stop() {
	[ -n "${T:-}" ] || return 0
	[ -z "${HOLDER:-}" ] || kill "$HOLDER" 2> /dev/null || true
	[ -z "${CGROUP:-}" ] || engine_own_stop
	rm -rf --one-file-system "$T"
}
