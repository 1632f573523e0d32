#!/usr/bin/env bats
# Known attacks on OCI runtimes (CVE numbers in the titles): a hostile image or config must never reach the host.
load helpers

setup() { rt_setup; }
teardown() { rt_teardown; }

hostile() { # FILTER: bundle b, not yet run
	rt_bundle b "$1"
	R=$T/b/rootfs
	mkdir "$T/host"
}
go() {
	run timeout 20 "$RT_BIN" --root "$ROOT" run -b "$T/b" "$ID"
}
NO_DEV='.mounts |= map(select(.destination | startswith("/dev") | not))'

@test "CVE-2019-5736: the container's program /proc/self/exe is a sealed copy, and nothing of the host can be written" {
	hostile "$(rt_sh 'sleep 30; true')"
	before=$(sha256sum < "$RT_BIN")
	rt create -b "$T/b" --pid-file "$T/pid" "$ID" > /dev/null 2>&1
	exe=$(readlink "/proc/$(cat "$T/pid")/exe")
	[[ "$exe" == "/memfd:stube-init (deleted)" ]]
	run bash -c "exec 9> /proc/$(cat "$T/pid")/exe"
	[ "$status" -ne 0 ]
	run dd if=/dev/zero "of=/proc/$(cat "$T/pid")/exe" count=1 conv=notrunc
	[ "$status" -ne 0 ]
	rt start "$ID"
	# An exec whose program is /proc/self/exe executes stube-init itself, which then refuses.
	run rt exec "$ID" /proc/self/exe
	[ "$status" -ne 0 ]
	[ "$(sha256sum < "$RT_BIN")" = "$before" ]
}

@test "CVE-2019-16884: another file system on /proc is refused" {
	hostile '.mounts |= map(if .destination == "/proc" then {destination: "/proc", type: "tmpfs", source: "tmpfs"} else . end)'
	go
	[ "$status" -eq 1 ]
	[[ "$output" == *"only a proc file system may be mounted on '/proc'"* ]]
	rt_config b ".mounts |= map(if .destination == \"/proc\" then {destination: \"/proc\", type: \"bind\", source: \"$T/host\", options: [\"rbind\"]} else . end)"
	go
	[[ "$output" == *"only a proc file system may be mounted on '/proc'"* ]]
}

@test "CVE-2019-16884: mounts inside /proc are refused, but for the files that lxcfs fakes" {
	hostile ".mounts += [{destination: \"/proc/sys\", type: \"bind\", source: \"$T/host\", options: [\"bind\"]}]"
	go
	[ "$status" -eq 1 ]
	[[ "$output" == *"cannot be mounted because it is inside /proc"* ]]
	echo fake > "$T/host/uptime"
	rt_config b "$(rt_args cat /proc/uptime) | .mounts += [{destination: \"/proc/uptime\", type: \"bind\", source: \"$T/host/uptime\", options: [\"bind\"]}]"
	go
	[ "$output" = fake ]
}

@test "CVE-2019-16884: a link in the image to /proc does not hide a mount inside it" {
	hostile ".mounts += [{destination: \"/innocent/sys\", type: \"bind\", source: \"$T/host\", options: [\"bind\"]}]"
	ln -s /proc "$R/innocent"
	go
	[ "$status" -eq 1 ]
	[[ "$output" == *"inside /proc"* ]]
}

@test "CVE-2019-19921, CVE-2023-27561: /proc or /sys as a link in the image is refused" {
	for name in proc sys; do
		hostile '.'
		rmdir "$R/$name"
		mkdir "$R/elsewhere"
		ln -s elsewhere "$R/$name"
		go
		[ "$status" -eq 1 ]
		[[ "$output" == *"must be mounted on ordinary directory"* ]]
		rm -rf "$T/b" "$T/host"
	done
}

@test "masks hold in a /proc and a /sys that are read-only as a whole, however they are written" {
	hostile "$(rt_sh 'cat /proc/version /proc/uptime; ls -A /sys/kernel; echo x > /proc/sys/kernel/hostname') |
		.mounts |= map(.options = (.options // []) - [\"ro\"]) | .linux.readonlyPaths = [\"/proc\", \"/sys\", \"/tmp\"] |
		.linux.maskedPaths = [\"/proc/version\", \"//proc/./uptime\", \"/tmp/../sys/kernel\"]"
	go
	[ "$output" = "sh: can't create /proc/sys/kernel/hostname: Read-only file system" ]
}

@test "CVE-2021-30465: a destination that leads out of the root by links stays inside" {
	hostile ".mounts += [{destination: \"/a/b/c\", type: \"tmpfs\", source: \"tmpfs\"}]"
	ln -s "../../../../../../../../$T/host" "$R/a"
	mkdir -p "$T/host/b"
	go
	[ ! -e "$T/host/b/c" ]
	! grep -q "$T/host" /proc/self/mountinfo
}

@test "CVE-2021-30465, CVE-2024-45310: a racing rename never makes a mount or a file on the host" {
	hostile "$(rt_args true) | .mounts += [{destination: \"/race/in/side\", type: \"tmpfs\", source: \"tmpfs\"}]"
	mkdir -p "$R/race/in" "$T/host/in"
	ln -s "../../../../../../../..$T/host" "$R/link"
	/usr/bin/python3 - "$R" <<-'EOF' 3>&- &
		import ctypes, sys
		c = ctypes.CDLL(None)
		a, b = (sys.argv[1] + "/race").encode(), (sys.argv[1] + "/link").encode()
		while True: c.renameat2(-100, a, -100, b, 2)
	EOF
	racer=$!
	for i in {1..40}; do
		timeout 20 "$RT_BIN" --root "$ROOT" run -b "$T/b" "$ID$i" > /dev/null 2>&1 || true
	done
	kill $racer
	[ -z "$(ls "$T/host/in")" ]
	[ "$(ls "$T/host")" = in ]
}

@test "CVE-2022-29162: exec gives no inheritable capabilities" {
	hostile "$(rt_sh 'sleep 30; true')"
	rt create -b "$T/b" "$ID" > /dev/null 2>&1
	rt start "$ID"
	run rt exec --cap CAP_NET_RAW "$ID" grep CapInh /proc/self/status
	[[ "$output" == *0000000000000000 ]]
}

@test "CVE-2024-21626: a working directory below /proc/self/fd never leads outside" {
	hostile '.'
	for n in {3..20}; do
		rt_config b "$(rt_sh 'ls; cat ../../../../etc/hostname') | .process.cwd = \"/proc/self/fd/$n\""
		go
		[ "$status" -ne 0 ]
		[[ "$output" != *"$(cat /etc/hostname)"$'\n'* ]]
	done
	rt_config b "$(rt_sh 'sleep 30; true')"
	rt create -b "$T/b" "$ID" > /dev/null 2>&1
	rt start "$ID"
	for n in {3..20}; do
		run rt exec --cwd "/proc/self/fd/$n" "$ID" pwd
		[ "$status" -ne 0 ]
	done
}

@test "CVE-2025-31133: a planted /dev/null in the image is not what masks" {
	hostile "$(rt_sh 'cat /proc/keys | wc -c; echo x > /proc/sys/kernel/hostname; stat -c %F /dev/null') | $NO_DEV"
	ln -s /proc/sys/kernel/hostname "$R/dev/null"
	go
	[ "${lines[0]}" = 0 ]
	[ "${lines[${#lines[@]} - 1]}" = "character special file" ]
}

@test "CVE-2026-41579: /dev of the image as a link makes nothing in a directory of the host" {
	hostile "$(rt_args true) | $NO_DEV"
	rmdir "$R/dev"
	ln -s "$T/host" "$R/dev"
	go
	[ -z "$(ls -A "$T/host")" ]
	rm "$R/dev"
	ln -s "../../../../../../..$T/host" "$R/dev"
	go
	[ -z "$(ls -A "$T/host")" ]
}

@test "CVE-2026-88264, CVE-2026-88265: a planted /dev/null is replaced; no file changes its owner" {
	hostile "$(rt_args stat -c '%F %u' /dev/null) | $NO_DEV | .process.user.uid = 1000"
	echo secret > "$R/etc/victim"
	ln -s /etc/victim "$R/dev/null"
	run bash -c '"$0" --root "$1" run -b "$2" "$3" < /dev/null' "$RT_BIN" "$ROOT" "$T/b" "$ID"
	[ "$output" = "character special file 0" ]
	[ "$(stat -c %u "$R/etc/victim")" = 0 ]
	[ "$(cat "$R/etc/victim")" = secret ]
}

@test "a file on stdio keeps its owner, a pipe becomes the user's" {
	hostile "$(rt_sh 'stat -L -c %u /proc/self/fd/1 /proc/self/fd/2') | .process.user.uid = 1000"
	"$RT_BIN" --root "$ROOT" run -b "$T/b" "$ID" 2> "$T/err" | cat > "$T/out"
	[ "$(sed -n 1p "$T/out")" = 1000 ]
	[ "$(sed -n 2p "$T/out")" = 0 ]
}

@test "CVE-2025-52565: planted terminals and consoles are not followed" {
	hostile "$(rt_sh 'stat -c %F /dev/console; tty') | .process.terminal = true | .mounts |= map(select(.destination != \"/dev\"))"
	mkdir -p "$R/dev/pts" "$R/dev/shm"
	echo secret > "$R/etc/victim"
	ln -s /etc/victim "$R/dev/console"
	ln -s /etc/victim "$R/dev/ptmx"
	run script -qec "'$RT_BIN' --root '$ROOT' run -b '$T/b' '$ID'" /dev/null < /dev/null
	[[ "$output" == *"character special file"* ]]
	[ "$(cat "$R/etc/victim")" = secret ]
}

@test "a fake devpts gives no terminal" {
	hostile "$(rt_args true) | .process.terminal = true | .mounts |= map(select(.type != \"devpts\" and .destination != \"/dev\"))"
	mkdir -p "$R/dev/pts"
	mknod "$R/dev/pts/ptmx" c 5 2
	run script -qec "'$RT_BIN' --root '$ROOT' run -b '$T/b' '$ID'" /dev/null < /dev/null
	[ "$status" -eq 1 ]
	[[ "$output" == *"is not of a devpts file system"* ]]
}

@test "CVE-2023-25809: a cgroup mount that is read-only refuses writes" {
	hostile "$(rt_sh 'mkdir /sys/fs/cgroup/x') | .linux.namespaces += [{type: \"cgroup\"}] | .mounts += [{destination: \"/sys/fs/cgroup\", type: \"cgroup\", source: \"cgroup\", options: [\"ro\"]}]"
	go
	[[ "$output" == *"Read-only file system"* ]]
}

@test "nothing that the container mounts reaches the host, not even with shared propagation" {
	hostile "$(rt_sh 'mount -t tmpfs tmpfs /vol && mount | grep -c /vol') | .process.capabilities.bounding += [\"CAP_SYS_ADMIN\"] | .process.capabilities.effective += [\"CAP_SYS_ADMIN\"] | .process.capabilities.permitted += [\"CAP_SYS_ADMIN\"] | .mounts += [{destination: \"/vol\", type: \"bind\", source: \"$T/host\", options: [\"rbind\"]}]"
	run unshare -m --propagation private bash -c 'mount --bind "$1/host" "$1/host"; mount --make-shared "$1/host"; "$2" --root "$1/state" run -b "$1/b" "$3"; echo "host: $(grep -c "$1/host" /proc/self/mountinfo)"' _ "$T" "$RT_BIN" "$ID"
	[ "${lines[0]}" = 2 ]
	[ "${lines[1]}" = "host: 1" ]
}
