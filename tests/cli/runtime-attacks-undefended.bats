#!/usr/bin/env bats
# What each defence is for: an attack fails against the released runtime and against the runtime for the tests
# (base/defence.h), and the same attack succeeds against the latter once the defences in its way are left out.
#
# Where a list of defences is left out, each of them alone stops the attack, which is shown as well. A hook stands for
# the second container that shares a volume or the root and would win the race at that moment. What attacks reach lies
# in the test's own directory: "the host" is $T/host, never anything of the machine.
# CVE-2026-88264 has no switch: no code here opens /dev/null of the image again; runtime-attacks-peers.bats shows it
# with an older crun. CVE-2025-24965 is about a handler that is not there; its rule (files made in the root) is tested.
load helpers

RELEASED=$BATS_TEST_DIRNAME/../../build/bin/stube-runtime
UNDEFENDED=$BATS_TEST_DIRNAME/../../build/undefended/bin/stube-runtime
INIT=$BATS_TEST_DIRNAME/../../build/undefended/bin/stube-init
NO_DEV='.mounts |= map(select(.destination | startswith("/dev") | not))'

setup_file() {
	# Always of the source as it is now; nothing to do after `make check`.
	MAKEFLAGS='' make -s -C "$BATS_TEST_DIRNAME/../.." MODE=undefended build/undefended/bin/stube-runtime >&2
}
setup() { rt_setup; }
teardown() { rt_teardown; }

hostile() { # FILTER: bundle b, not yet run, and the host's directory
	rt_bundle b "$1"
	R=$T/b/rootfs
	HOST=$T/host
	OUT="../../../../../../../..$HOST" # a link in the image to it
	mkdir -p "$HOST"
}
go() {
	run timeout 20 "$RT_BIN" --root "$ROOT" run -b "$T/b" "$ID"
}
started() { # container that stays, for an exec
	rt create -b "$T/b" "$ID" > /dev/null 2>&1 < /dev/null && rt start "$ID"
}
in_terminal() {
	run timeout 20 script -qec "'$RT_BIN' --root '$ROOT' run -b '$T/b' '$ID'" /dev/null < /dev/null
}
racer() { # SCRIPT [HOOK]: jq filter for a hook that does what the other container would do at that moment
	jq -nc '[{path: "/bin/sh", args: ["sh", "-c", $ARGS.positional[0]]}]' --args "$1" | sed "s/^/.hooks.${2:-createContainer} = /"
}

# One round on a fresh bundle: round BINARY DEFENCES-LEFT-OUT ATTACK; its status is that of the attack, 0: succeeded.
round() {
	rt_teardown
	rt_setup
	RT_BIN=$1
	export STUBE_UNDEFENDED=$2
	"$3"
}
# only_without DEFENCE[,DEFENCE] ATTACK
only_without() {
	local defence
	! round "$RELEASED" "$1" "$2" || { echo "succeeds against the released runtime: $output"; return 1; }
	! round "$UNDEFENDED" '' "$2" || { echo "succeeds with all defences: $output"; return 1; }
	case $1 in
	*,*)
		for defence in ${1//,/ }; do
			! round "$UNDEFENDED" "$defence" "$2" || { echo "succeeds without $defence alone: $output"; return 1; }
		done
		;;
	esac
	round "$UNDEFENDED" "$1" "$2" || { echo "fails without $1: $output"; return 1; }
}

# ---- the runtime's own program ----

# The container's first process waits for one that executes /proc/self/exe, keeps its file, ends it, writes.
overwrite() {
	# shellcheck disable=SC2016 # for the container's shell
	hostile "$(rt_sh 'while [ -z "$found" ]; do
			for p in /proc/[0-9]*; do
				case $(readlink $p/exe) in *stube-init*) found=${p#/proc/}; break ;; esac
			done
		done
		exec 9< /proc/$found/exe
		kill -9 $found
		while (echo pwned > /proc/self/fd/9) 2>&1 | grep -q busy; do :; done
		echo > /tmp/done
		sleep 100' 2> /dev/null)"
	cp "$INIT" "$HOST/stube-init"
	export STUBE_UNDEFENDED_IMAGE=$HOST/stube-init
	started || return
	run timeout 20 "$RT_BIN" --root "$ROOT" exec "$ID" /proc/self/exe pause
	for _ in {1..200}; do
		[ ! -e "$R/tmp/done" ] || break
		sleep 0.1
	done
	[ -e "$R/tmp/done" ] && [ "$(head -c 5 "$HOST/stube-init")" = pwned ]
}
@test "CVE-2019-5736: the program that enters a container is overwritten from inside when it is a file and no sealed copy" {
	only_without sealed-image overwrite
}

# ---- /proc and /sys ----

fake_proc() { # DIR
	mkdir -p "$1/sys/kernel"
	: > "$1/sys/kernel/domainname"
}
# Of those a container may set, the one whose file in /proc is the same in all namespaces: a mount on it is seen.
SYSCTL='.linux.sysctl = {"kernel.domainname": "written"}'

volume_on_proc() {
	hostile "$(rt_args true) | $SYSCTL | .mounts |= map(if .destination == \"/proc\" then {destination: \"/proc\", type: \"bind\", source: \"$T/host\", options: [\"rbind\"]} else . end)"
	fake_proc "$HOST"
	go
	[ "$(cat "$HOST/sys/kernel/domainname")" = written ]
}
@test "CVE-2019-16884: a volume on /proc takes the runtime's writes when it is neither refused nor passed by" {
	only_without proc-filesystem,proc-descriptor volume_on_proc
}

# The link leads to the true one for the mount, and elsewhere when masks and read-only paths are set.
swapped_link() {
	# shellcheck disable=SC2016 # for the container's shell
	hostile "$(rt_sh 'echo pwned > /real/sys/kernel/hostname; cat /real/sys/kernel/hostname') | $(racer "rm '$T/b/rootfs/proc'; ln -s fake '$T/b/rootfs/proc'")"
	rmdir "$R/proc"
	mkdir -p "$R/real" "$R/fake/sys"
	ln -s real "$R/proc"
	go
	[ "${lines[${#lines[@]} - 1]}" = pwned ]
}
@test "CVE-2019-19921, CVE-2023-27561, CVE-2023-28642: a link for /proc that is swapped keeps masks away" {
	only_without proc-links,paths-by-mount swapped_link
}

# A directory that carries a mount can be moved by those who do not see that mount; the mount goes along.
moved_mount() {
	hostile "$(rt_sh 'cat /real/version; echo pwned > /real/sys/kernel/hostname; cat /real/sys/kernel/hostname') |
		.linux.maskedPaths += [\"/proc/version\"] |
		$(racer "mv '$T/b/rootfs/proc' '$T/b/rootfs/real'; ln -s fake '$T/b/rootfs/proc'" createRuntime)"
	mkdir -p "$R/fake/sys"
	go
	[[ "$output" == *Linux* || "$output" == *pwned* ]]
}
@test "CVE-2019-19921: a /proc that is moved and replaced keeps masks away" {
	only_without paths-by-mount moved_mount
}

# A true proc file system, with a file of the attacker's choice over one that the runtime will write.
covered_file() {
	hostile "$(rt_args true) | $SYSCTL | .mounts |= map(if .destination == \"/proc\" then {destination: \"/proc\", type: \"bind\", source: \"$T/p\", options: [\"rbind\"]} else . end)"
	touch "$HOST/victim"
	mkdir "$T/p"
	run timeout 20 unshare -m --propagation private sh -c 'mount -t proc proc "$1/p" &&
		mount --bind "$1/host/victim" "$1/p/sys/kernel/domainname" &&
		exec "$2" --root "$3" run -b "$1/b" "$4"' _ "$T" "$RT_BIN" "$ROOT" "$ID"
	[ "$(cat "$HOST/victim")" = written ]
}
@test "CVE-2025-52881: a file over one below /proc takes what the runtime writes there" {
	only_without proc-descriptor covered_file
}

# ---- paths out of the root ----

mount_outside() {
	hostile "$(rt_args true) | .mounts += [{destination: \"/a/b/c\", type: \"tmpfs\", source: \"tmpfs\"}] |
		$(racer "grep ' $T/host/b/c ' /proc/self/mountinfo > '$T/seen'")"
	mkdir "$HOST/b"
	ln -s "$OUT" "$R/a"
	go
	[ -s "$T/seen" ]
}
@test "CVE-2021-30465: a link for a destination takes the mount out of the root" {
	only_without in-root mount_outside
}

directory_outside() {
	hostile "$(rt_args true) | .mounts += [{destination: \"/a/new/deep\", type: \"tmpfs\", source: \"tmpfs\"}]"
	ln -s "$OUT" "$R/a"
	go
	[ -d "$HOST/new/deep" ]
}
@test "CVE-2024-45310: a link on the way to a destination has directories made on the host" {
	only_without in-root directory_outside
}

file_outside() {
	hostile "$(rt_args true) | .mounts += [{destination: \"/a/file\", type: \"bind\", source: \"$T/source\", options: [\"bind\"]}]"
	touch "$T/source"
	ln -s "$OUT" "$R/a"
	go
	[ -f "$HOST/file" ]
}
@test "CVE-2025-24965: a link on the way to a file has it made on the host" {
	only_without in-root file_outside
}

nodes_outside() {
	hostile "$(rt_args true) | $NO_DEV"
	rmdir "$R/dev"
	ln -s "$OUT" "$R/dev"
	go
	[ -c "$HOST/null" ]
}
@test "CVE-2026-41579, CVE-2026-47766: a link for /dev has device nodes made on the host" {
	only_without in-root nodes_outside
}

# ---- cgroups ----

cgroup_outside() {
	hostile "$(rt_args mkdir "/sys/fs/cgroup/outside") | .linux.cgroupsPath = \"/$ID-all/$ID\" | .mounts += [{destination: \"/sys/fs/cgroup\", type: \"cgroup\", source: \"cgroup\"}]"
	go
	[ -d "$CGROUP/$ID-all/outside" ]
}
@test "CVE-2023-25809: without a cgroup namespace the host's hierarchy is written to, unless only the own part is mounted" {
	only_without cgroup-own cgroup_outside
}

# ---- descriptors ----

secret() {
	echo "of the host" > "$HOST/secret"
}
leaked_descriptor() {
	hostile "$(rt_args cat /proc/self/fd/7/secret)"
	secret
	go 7< "$HOST"
	[ "$output" = "of the host" ]
}
@test "CVE-2024-21626: a descriptor that the caller leaks leads the program out of its root" {
	only_without close-range leaked_descriptor
}

directory_of_descriptor() {
	hostile "$(rt_sh 'cat secret; echo pwned > made') | .process.cwd = \"/proc/self/fd/7\""
	secret
	go 7< "$HOST"
	[ "$output" = "of the host" ] && [ -e "$HOST/made" ]
}
@test "CVE-2024-21626: the working directory /proc/self/fd/N lies on the host" {
	only_without close-range,cwd-in-root directory_of_descriptor
}

exec_in_directory_of_descriptor() {
	hostile "$(rt_sh 'sleep 100; true')"
	secret
	started || return
	run timeout 20 "$RT_BIN" --root "$ROOT" exec --cwd /proc/self/fd/7 "$ID" cat secret 7< "$HOST"
	[ "$output" = "of the host" ]
}
@test "CVE-2024-21626: so does that of an exec" {
	only_without close-range,cwd-in-root exec_in_directory_of_descriptor
}

# ---- devices and terminals ----

mask_of_choice() {
	hostile "$(rt_args cat /proc/version) | $NO_DEV | .linux.maskedPaths = [\"/proc/version\"] |
		$(racer "rm '$T/b/rootfs/dev/null'; ln -s ../proc/version '$T/b/rootfs/dev/null'")"
	go
	[[ "$output" == Linux* ]]
}
@test "CVE-2025-31133: a /dev/null of the image's choice masks nothing" {
	only_without null-device mask_of_choice
}

console_of_choice() {
	# shellcheck disable=SC2016 # for the container's shell
	hostile "$(rt_sh 'echo pwned > /dev/console; echo "name: $(cat /proc/sys/kernel/hostname)"') | .process.terminal = true | $NO_DEV |
		.mounts += [{destination: \"/terminals\", type: \"devpts\", source: \"devpts\", options: [\"newinstance\", \"ptmxmode=0666\"]}]"
	mkdir "$R/dev/pts"
	ln -s ../../terminals/ptmx "$R/dev/pts/ptmx"
	ln -s ../../proc/sys/kernel/hostname "$R/dev/pts/0"
	in_terminal
	[[ "$output" == *"name: pwned"* ]]
}
@test "CVE-2025-52565: a planted /dev/pts/0 makes /dev/console a writable file of /proc" {
	only_without console-descriptor console_of_choice
}

console_outside() {
	hostile "$(rt_args true) | .process.terminal = true | .mounts |= map(select(.destination != \"/dev\"))"
	ln -s "$OUT/console" "$R/dev/console"
	mkdir "$R/dev/pts" "$R/dev/shm"
	in_terminal
	[ -e "$HOST/console" ]
}
@test "CVE-2025-52565: a planted /dev/console has a file made on the host" {
	only_without console-exact console_outside
}

# All three descriptors are files of the test: nothing of the machine may change its owner.
file_on_stdio() {
	hostile "$(rt_args true) | .process.user.uid = 1000"
	touch "$HOST/in"
	output=
	timeout 20 "$RT_BIN" --root "$ROOT" run -b "$T/b" "$ID" < "$HOST/in" > "$HOST/log" 2> "$HOST/errors"
	[ "$(stat -c %u "$HOST/log")" = 1000 ]
}
@test "CVE-2026-88265: a file of the host on stdio becomes the container user's" {
	only_without pipes-only file_on_stdio
}

# ---- users and capabilities ----

inheriting_program() { # bin/chown may use what it inherits, and an ordinary user runs it
	cp /bin/busybox "$R/bin/chown"
	setcap cap_chown+ei "$R/bin/chown"
	touch "$R/etc/victim"
}
inherited_by_run() {
	hostile "$(rt_args chown 1000 /etc/victim) | .process.user.uid = 1000 | .process.noNewPrivileges = false"
	inheriting_program
	go
	[ "$(stat -c %u "$R/etc/victim")" = 1000 ]
}
@test "CVE-2022-24769, CVE-2022-27650: an ordinary user gains capabilities by files when they are inheritable" {
	only_without inheritable-empty inherited_by_run
}

inherited_by_exec() {
	hostile "$(rt_sh 'sleep 100; true') | .process.noNewPrivileges = false"
	inheriting_program
	started || return
	run timeout 20 "$RT_BIN" --root "$ROOT" exec --cap CAP_CHOWN --user 1000 "$ID" chown 1000 /etc/victim
	[ "$(stat -c %u "$R/etc/victim")" = 1000 ]
}
@test "CVE-2022-29162: so does one of an exec" {
	only_without inheritable-empty inherited_by_exec
}

root_by_number() {
	hostile "$(rt_sh 'sleep 100; true') | .process.user.uid = 1000"
	started || return
	run timeout 20 "$RT_BIN" --root "$ROOT" exec --user=4294967296 "$ID" id -u
	[ "$output" = 0 ]
}
@test "CVE-2026-30892: a number that is no user id makes root" {
	only_without user-digits root_by_number
}

# ---- the build for the tests ----

names() {
	(cd "$BATS_TEST_DIRNAME/../.." && grep -rohE 'DEFENCE\("[a-z-]+"\)' base oci runtime cmd) | sed 's/.*"\(.*\)".*/\1/' | sort -u
}

@test "released programs know no defence that could be left out" {
	for name in STUBE_UNDEFENDED defence_stands $(names); do
		run grep -c -F -w -e "$name" "$RELEASED" "${RELEASED%runtime}init"
		[ "${lines[0]##*:}" = 0 ]
		[ "${lines[1]##*:}" = 0 ]
	done
	# What is looked for would be found.
	grep -q STUBE_UNDEFENDED "$UNDEFENDED"
	grep -q sealed-image "$UNDEFENDED"
}

@test "each defence that can be left out has an attack above" {
	[ "$(names | wc -l)" -ge 14 ]
	for name in $(names); do
		grep -qE "^	only_without ([a-z-]+,)*$name(,[a-z-]+)* " "$BATS_TEST_FILENAME"
	done
}

@test "docs/attacks.md and the tests know the same attacks" {
	local docs=$BATS_TEST_DIRNAME/../../docs/attacks.md
	[ "$(grep -oE '\b20[0-9]{2}-[0-9]{4,5}\b' "$docs" | sort -u)" = \
		"$(grep -h '^@test' "$BATS_TEST_DIRNAME"/runtime-attacks{,-peers,-undefended}.bats | grep -oE '\b20[0-9]{2}-[0-9]{4,5}\b' | sort -u)" ]
	for name in $(names); do
		grep -qE "[ ,;|]$name[ ,;]" "$docs"
	done
}
