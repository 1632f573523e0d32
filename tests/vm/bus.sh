#!/usr/bin/env bash
# The bus lab: a real systemd as process 1 in namespaces of this machine, with the real D-Bus, without real limits.
#   bus.sh up DIR            boot it (0.3 s); DIR, which is made, belongs to the lab until it is down
#   bus.sh in DIR COMMAND... run a command inside, as a service of its own; its output, its status
#   bus.sh down DIR          end it and leave nothing
# Inside, the machine's files are seen, and changes to them stay there; /tmp is empty; the user "lab" (1500) has a systemd
# and a bus of its own after `loginctl enable-linger lab`. Needs root and the packages systemd, dbus, libpam-systemd,
# dbus-user-session.
#
# Outside, nothing may change. So systemd gets a child cgroup (in the root cgroup it would move every process of the
# machine), and /sys and /proc/sys are read-only before it starts (its services would write the machine's settings).
set -euo pipefail
die() { echo "bus.sh: $*" >&2; exit 125; }

# Units and users, in the lab's own layers.
furnish() { # ROOT
	local units=$1/etc/systemd/system unit
	mount -t tmpfs -o mode=755 tmpfs "$units"
	for unit in systemd-sysctl systemd-random-seed systemd-update-utmp systemd-binfmt systemd-sysusers systemd-firstboot \
		systemd-machine-id-commit systemd-pcrphase systemd-pcrphase-sysinit systemd-boot-system-token systemd-hwdb-update \
		ldconfig systemd-update-done systemd-remount-fs systemd-modules-load kmod-static-nodes systemd-udev-trigger \
		systemd-udevd systemd-journal-flush systemd-tmpfiles-setup-dev systemd-timesyncd modprobe@; do
		ln -s /dev/null "$units/$unit.service"
	done
	for unit in proc-sys-fs-binfmt_misc.automount sys-kernel-config.mount sys-kernel-debug.mount sys-kernel-tracing.mount \
		dev-hugepages.mount dev-mqueue.mount sys-fs-fuse-connections.mount getty.target systemd-tmpfiles-clean.timer \
		systemd-ask-password-wall.path systemd-ask-password-console.path remote-fs.target timers.target paths.target \
		systemd-udevd-control.socket systemd-udevd-kernel.socket; do
		ln -s /dev/null "$units/$unit"
	done
	printf '[Unit]\nRequires=basic.target dbus.socket lab-ready.service\nAfter=basic.target dbus.socket\n' > "$units/lab.target"
	# shellcheck disable=SC2016
	printf '[Unit]\nRequires=dbus.service\nAfter=basic.target dbus.service\n[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/sh -c "echo up > /run/lab/ready"\n' \
		> "$units/lab-ready.service"
	: > "$1/etc/fstab"
	echo 0123456789abcdef0123456789abcdef > "$1/etc/machine-id"
	echo lab:x:1500:1500::/tmp/lab:/bin/sh >> "$1/etc/passwd"
	echo lab:x:1500: >> "$1/etc/group"
	echo 'lab:*:19000:0:99999:7:::' >> "$1/etc/shadow"
}

# In the new namespaces: the root, then systemd. Only what it needs of /dev; the files of the checkout as they are.
boot() { # DIR
	local root=$1/root d
	mount -t proc proc "$root/proc"
	mount -t sysfs -o ro sysfs "$root/sys"
	mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
	for d in sys sysrq-trigger; do
		[ -e "$root/proc/$d" ] && mount --bind "$root/proc/$d" "$root/proc/$d"
	done
	mount --bind "$root/proc/sys/net" "$root/proc/sys/net"
	mount -o remount,bind,ro "$root/proc/sys"
	[ ! -e "$root/proc/sysrq-trigger" ] || mount -o remount,bind,ro "$root/proc/sysrq-trigger"
	mount -t tmpfs -o mode=755 dev "$root/dev"
	mkdir "$root"/dev/{pts,shm}
	for d in null zero full random urandom tty; do
		touch "$root/dev/$d"
		mount --bind "/dev/$d" "$root/dev/$d"
	done
	mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts "$root/dev/pts"
	ln -s pts/ptmx "$root/dev/ptmx"
	ln -s /proc/self/fd "$root/dev/fd"
	touch "$root/dev/console"
	mount -t tmpfs -o mode=755 run "$root/run"
	mount -t tmpfs -o mode=1777 tmp "$root/tmp"
	mkdir "$root/run/lab" "$root/tmp/lab"
	chown 1500:1500 "$root/tmp/lab"
	mount --bind "$1/share" "$root/run/lab"
	mkdir -p "$root$PWD"
	mount --bind "$PWD" "$root$PWD"
	mount -o remount,bind,ro "$root$PWD"
	hostname lab
	ip link set lo up
	cd "$root"
	mkdir run/old
	pivot_root . run/old
	umount -l /run/old
	exec env -i container=lab PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --unit=lab.target --show-status=0 --log-target=console
}

# With a mount namespace of its own: the child cgroup and the root's layers.
outer() { # DIR
	local group
	group=$1/cgroup/$(cat "$1/name")
	mkdir "$1"/{cgroup,layers,root}
	mount -t cgroup2 cgroup2 "$1/cgroup"
	mkdir "$group"
	echo $$ > "$group/cgroup.procs"
	mount -t tmpfs tmpfs "$1/layers"
	mkdir "$1"/layers/{upper,work}
	mount -t overlay -o "lowerdir=/,upperdir=$1/layers/upper,workdir=$1/layers/work" overlay "$1/root"
	furnish "$1/root"
	exec unshare --pid --cgroup --uts --ipc --net --mount --fork --kill-child --propagation private "$0" boot "$1"
}

up() { # DIR
	local init
	mkdir -p "$1/share"
	echo "stube-bus-$$-$RANDOM" > "$1/name"
	mkfifo "$1/share/ready"
	setsid unshare --mount --propagation private "$0" outer "$1" < /dev/null > "$1/console" 2>&1 3>&- &
	echo $! > "$1/outer"
	# The word comes from a service that runs after the bus; a lab that dies before it says why on its console.
	if ! timeout 60 cat "$1/share/ready" > /dev/null; then
		cat "$1/console" >&2
		down "$1"
		die 'the lab did not boot'
	fi
	init=$(cat "/proc/$(cat "$1/outer")/task/$(cat "$1/outer")/children")
	echo "${init%% *}" > "$1/init"
}

inside() { # DIR COMMAND...
	local dir=$1
	shift
	# systemd puts its own variables into the words of a command; two dollars are one.
	set -- "${@//\$/\$\$}"
	exec nsenter --target "$(cat "$dir/init")" --all --wd=/ -- env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin \
		systemd-run --quiet --pipe --wait --collect -p LogLevelMax=0 -p "WorkingDirectory=$PWD" -- "$@"
}

down() { # DIR
	[ -e "$1/outer" ] || return 0
	# --kill-child: process 1 of the lab ends with it, and everybody in the lab with process 1.
	kill -9 "$(cat "$1/outer")" 2> /dev/null || true
	# shellcheck disable=SC2016
	unshare --mount --propagation private bash -c '
		mkdir -p "$1/cgroup"
		mount -t cgroup2 cgroup2 "$1/cgroup" || exit
		group=$1/cgroup/$(cat "$1/name")
		for _ in {1..500}; do
			[ -d "$group" ] || break
			echo 1 > "$group/cgroup.kill" 2> /dev/null
			find "$group" -depth -type d -exec rmdir {} + 2> /dev/null
			sleep 0.01
		done
		umount -l "$1/cgroup"' _ "$1"
	rm -rf --one-file-system "$1"
}

[ $# -ge 2 ] || die 'usage: bus.sh up|in|down DIR [COMMAND...]'
verb=$1
shift
case $verb in
up | down | outer | boot) "$verb" "$1" ;;
in) inside "$@" ;;
*) die "'$verb' is not one of up|in|down" ;;
esac
