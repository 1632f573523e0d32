#!/usr/bin/env bats
# Promises about what is mounted where: kinds of sources, places in the image, types, order, users without rights.
load helpers

setup() {
	rt_setup
	mkdir -p "$T/vol"
	echo content > "$T/vol/file"
	rt_bundle b
	R=$T/b/rootfs
}
teardown() { rt_teardown; }

go() { # SCRIPT MOUNTS [FILTER]: run it with these mounts (a JSON list, in jq's form) more
	rt_config b "$(rt_sh "$1") | ${3:-.} | .mounts += $2"
	run rt run -b "$T/b" "$ID"
}

@test "files, sockets and devices are bound; a file covers a file, a directory a directory" {
	python3 -c "import socket; socket.socket(socket.AF_UNIX).bind('$T/sock')"
	mkfifo "$T/fifo"
	echo old > "$R/etc/there"
	go 'cat /etc/there; stat -c %F /run/sock /run/fifo /dev/zilch; echo x > /dev/zilch' "[
		{destination: \"/etc/there\", source: \"$T/vol/file\"}, {destination: \"/run/sock\", source: \"$T/sock\"},
		{destination: \"/run/fifo\", source: \"$T/fifo\"}, {destination: \"/dev/zilch\", source: \"/dev/null\"}]"
	[ "$status" -eq 0 ]
	[ "$output" = $'content\nsocket\nfifo\ncharacter special file' ]
	go true "[{destination: \"/etc\", source: \"$T/vol/file\"}]"
	[ "$status" -eq 1 ]
	[[ "$output" == *"mounts[5]: bind '$T/vol/file' on '/etc': the source is no directory, the destination is one"* ]]
	go true "[{destination: \"/etc/passwd\", source: \"$T/vol\"}]"
	[[ "$output" == *"mounts[5]: bind '$T/vol' on '/etc/passwd': "*"Not a directory"* ]]
}

@test "a link in the image is followed inside the root, also one that leads to nothing" {
	ln -s ../run/resolve/stub.conf "$R/etc/resolv.conf"
	ln -s "$T/escape" "$R/out"
	ln -s /bin "$R/usr"
	go 'cat /run/resolve/stub.conf /etc/resolv.conf; ls -d /bin/new; cat /out/deep/f' "[
		{destination: \"/etc/resolv.conf\", source: \"$T/vol/file\"},
		{destination: \"/usr/new\", source: \"$T/vol\"}, {destination: \"/out/deep/f\", source: \"$T/vol/file\"}]"
	[ "$output" = $'content\ncontent\n/bin/new\ncontent' ]
	[ ! -e "$T/escape" ]
	[ -f "$R$T/escape/deep/f" ]
	[ -L "$R/etc/resolv.conf" ]
}

@test "a relative destination counts from the root, with a warning; dots stay inside" {
	go 'cat /data/file /up/file' "[{destination: \"data\", source: \"$T/vol\"}, {destination: \"/../../up\", source: \"$T/vol\"}]"
	[ "$status" -eq 0 ]
	[[ "$output" == *"mounts[5].destination: 'data' is not an absolute path, read as '/data'"* ]]
	[[ "$output" == *content*content* ]]
	[ -d "$R/up" ]
}

@test "the listed order counts: a later mount lies on an earlier one" {
	go 'cat /a/b/file; ls /a' "[{destination: \"/a\", type: \"tmpfs\", source: \"tmpfs\"}, {destination: \"/a/b\", source: \"$T/vol\"}]"
	[ "$output" = $'content\nb' ]
	go 'ls /a' "[{destination: \"/a/b\", source: \"$T/vol\"}, {destination: \"/a\", type: \"tmpfs\", source: \"tmpfs\"}]"
	[ -z "$output" ]
}

@test "below /dev, /dev/shm and /sys, and in a read-only root, mounts work; the root stays read-only" {
	go 'cat /dev/x/file /dev/shm/y/file /opt/z/file; ls /sys/fs/cgroup > /dev/null && echo cgroup; touch /new' "[
		{destination: \"/dev/x\", source: \"$T/vol\"}, {destination: \"/dev/shm/y\", source: \"$T/vol\"},
		{destination: \"/sys/fs/cgroup\", type: \"cgroup\", source: \"cgroup\", options: [\"ro\"]},
		{destination: \"/opt/z\", source: \"$T/vol\", options: [\"ro\"]}]" '.root.readonly = true'
	[ "${lines[0]}${lines[1]}${lines[2]}${lines[3]}" = contentcontentcontentcgroup ]
	[[ "${lines[4]}" == *"Read-only file system"* ]]
}

@test "mount points cannot be made in a file system that is mounted read-only: the error says where" {
	go true "[{destination: \"/ro\", source: \"$T/vol\", options: [\"ro\"]}, {destination: \"/ro/none/there\", type: \"tmpfs\", source: \"tmpfs\"}]"
	[ "$status" -eq 1 ]
	[[ "$output" == *"mounts[6]: mount 'tmpfs' on '/ro/none/there': make directory '/ro/none': Read-only file system"* ]]
	[ ! -e "$T/vol/none" ]
}

@test "type none and no type are binds by their options; other types are file systems" {
	go 'cat /a/file /b/file /c/file; grep " /d " /proc/self/mountinfo | grep -o -- "- ramfs"' "[
		{destination: \"/a\", type: \"none\", source: \"$T/vol\", options: [\"rbind\"]}, {destination: \"/b\", source: \"$T/vol\"},
		{destination: \"/c\", type: \"bind\", source: \"$T/vol\"}, {destination: \"/d\", type: \"ramfs\", source: \"ramfs\"}]"
	[ "$output" = $'content\ncontent\ncontent\n- ramfs' ]
}

@test "mqueue, devpts, overlay with an upper layer, and hugetlbfs where the kernel has it" {
	mkdir -p "$T/up" "$T/work"
	go 'grep -o " /dev/mqueue .*- mqueue" /proc/self/mountinfo | grep -c mqueue; cat /o/file; echo new > /o/made' "[
		{destination: \"/dev/mqueue\", type: \"mqueue\", source: \"mqueue\", options: [\"nosuid\"]},
		{destination: \"/o\", type: \"overlay\", source: \"overlay\", options: [\"lowerdir=$T/vol\", \"upperdir=$T/up\", \"workdir=$T/work\"]}]"
	[ "$output" = $'1\ncontent' ]
	[ -f "$T/up/made" ]
	[ ! -e "$T/vol/made" ]
	grep -q hugetlbfs /proc/filesystems || skip "this kernel has no hugetlbfs"
	go 'grep -o -- "- hugetlbfs .*" /proc/self/mountinfo' '[{destination: "/huge", type: "hugetlbfs", source: "none", options: ["pagesize=2M", "size=4M"]}]'
	[[ "$output" == "- hugetlbfs none "*"pagesize=2M"* ]]
}

@test "a fuse file system says what is missing, with the mount's name" {
	go true '[{destination: "/f", type: "fuse", source: "none"}]'
	[ "$status" -eq 1 ]
	[[ "$output" == *"mounts[5]: mount 'fuse' of 'none' on '/f': "* ]]
}

@test "a tmpfs without mode looks like the directory that it covers; with one as asked" {
	mkdir -m 0710 "$R/place"
	go 'stat -c %a /place /other /new' '[{destination: "/place", type: "tmpfs", source: "tmpfs", options: ["ro"]},
		{destination: "/other", type: "tmpfs", source: "tmpfs", options: ["mode=0123"]}, {destination: "/new", type: "tmpfs", source: "tmpfs"}]'
	[ "$output" = $'710\n123\n1777' ]
}

@test "a cgroup mount never shows the host's root of the hierarchy" {
	for ns in '.' '.linux.namespaces += [{type: "cgroup"}]'; do
		for type in cgroup cgroup2; do
			go 'ls /sys/fs/cgroup/cgroup.procs; grep -c . /sys/fs/cgroup/cgroup.procs' \
				"[{destination: \"/sys/fs/cgroup\", type: \"$type\", source: \"cgroup\", options: [\"ro\", \"nosuid\"]}]" "$ns"
			[ "$status" -eq 0 ]
			[ "${lines[0]}" = /sys/fs/cgroup/cgroup.procs ]
			[ "${lines[1]}" -lt 10 ]
		done
	done
}

@test "a missing file system, source or option names mount, destination, type and the kernel's reason" {
	go true '[{destination: "/x", type: "nosuchfs", source: "/dev/none"}]'
	[[ "$output" == *"mounts[5]: mount 'nosuchfs' of '/dev/none' on '/x': file system 'nosuchfs': No such device"* ]]
	go true '[{destination: "/x", type: "tmpfs", source: "tmpfs", options: ["size=1x"]}]'
	[[ "$output" == *"mounts[5]: mount 'tmpfs' on '/x': option 'size=1x': tmpfs: Bad value for 'size': Invalid argument"* ]]
	go true '[{destination: "/x", type: "ext4", source: "/no/disk"}]'
	[[ "$output" == *"mounts[5]: mount 'ext4' of '/no/disk' on '/x': new file system 'ext4': "*"/no/disk: Can't lookup blockdev"* ]]
	go true '[{destination: "/x", type: "overlay", source: "overlay", options: ["lowerdir=/no/such"]}]'
	[[ "$output" == *"mounts[5]: mount 'overlay' on '/x': option 'lowerdir=/no/such': "*"No such file or directory"* ]]
	go true '[{destination: "/x", type: "bind"}]'
	[[ "$output" == *"mounts[5]: bind on '/x': source: required for a bind mount"* ]]
	go true '[{destination: "/x", options: ["remount", "ro"]}]'
	[[ "$output" == *"mounts[5]: remount '/x': open '/x': No such file or directory"* ]]
	go true '[{destination: "/etc", options: ["remount", "bind", "ro"]}]'
	[[ "$output" == *"mounts[5]: remount '/etc': set attributes: Invalid argument"* ]]
	go true '[{destination: "/x", type: "ramfs", uidMappings: [{containerID: 0, hostID: 1, size: 1}], gidMappings: [{containerID: 0, hostID: 1, size: 1}]}]'
	[[ "$output" == *"mounts[5]: mount 'ramfs' on '/x': uidMappings: only bind mounts and tmpfs can be id-mapped"* ]]
}

@test "without rights binds, tmpfs and proc work; what cannot work is an error that names it" {
	chmod 755 "$T"
	chown -R 1000:1000 "$T/b" "$T/vol"
	mkdir -m 700 "$T/own-state"
	chown 1000 "$T/own-state"
	cat > "$T/filter" <<-'EOF'
		.linux.namespaces = (["pid", "mount", "ipc", "uts", "user"] | map({type: .})) |
		.linux.uidMappings = [{containerID: 0, hostID: 1000, size: 1}] | .linux.gidMappings = .linux.uidMappings |
		.mounts |= map(select(.destination != "/dev/pts"))
	EOF
	rootless() { # SCRIPT MOUNTS
		rt_config b "$(rt_sh "$1") | $(cat "$T/filter") | .mounts += $2"
		run setpriv --reuid 1000 --regid 1000 --clear-groups "$RT_BIN" --root "$T/own-state" --cgroup-manager disabled run -b "$T/b" "$ID"
	}
	rootless 'cat /m/file; echo x > /t/y && cat /t/y; stat -c %u /m/file' "[{destination: \"/m\", source: \"$T/vol\", options: [\"rbind\", \"nosuid\", \"ro\"]},
		{destination: \"/t\", type: \"tmpfs\", source: \"tmpfs\", options: [\"size=64k\"]}]"
	[ "$output" = $'content\nx\n0' ]
	rootless true "[{destination: \"/m\", source: \"$T/vol\", options: [\"bind\", \"idmap\"]}]"
	[[ "$output" == *"mounts[4]: bind on '/m': an id-mapped mount needs CAP_SYS_ADMIN"* ]]
	rootless true "[{destination: \"/m\", source: \"/no/such\"}]"
	[[ "$output" == *"mounts[4]: bind on '/m': source: open '/no/such': No such file or directory"* ]]
	rootless true '[{destination: "/x", type: "ext4", source: "/dev/none"}]'
	[[ "$output" == *"mounts[4]: mount 'ext4' of '/dev/none' on '/x': "*"Operation not permitted"* ]]
	mkdir -m 700 "$T/secret" "$T/secret/in"
	rootless true "[{destination: \"/m\", source: \"$T/secret/in\"}]"
	[[ "$output" == *"mounts[4]: bind '$T/secret/in' on '/m': open '$T/secret/in': Permission denied"* ]]
}

@test "without rights mounts are added to a container that runs too" {
	chmod 755 "$T"
	chown -R 1000:1000 "$T/b" "$T/vol"
	mkdir -m 700 "$T/own-state"
	chown 1000 "$T/own-state"
	own() { setpriv --reuid 1000 --regid 1000 --clear-groups "$RT_BIN" --root "$T/own-state" --cgroup-manager disabled "$@"; }
	rt_config b "$(rt_args sleep 1000) | .linux.namespaces = ([\"pid\", \"mount\", \"ipc\", \"uts\", \"user\"] | map({type: .})) |
		.linux.uidMappings = [{containerID: 0, hostID: 1000, size: 1}] | .linux.gidMappings = .linux.uidMappings | .mounts |= map(select(.destination != \"/dev/pts\"))"
	own create -b "$T/b" --pid-file "$T/vol/pid" "$ID" > "$T/out" 2>&1 < /dev/null
	own start "$ID"
	own mounts add "$ID" '[{"destination": "/t", "type": "tmpfs", "source": "tmpfs"}]'
	own exec "$ID" touch /t/x
	run own mounts add "$ID" "[{\"destination\": \"/m\", \"source\": \"$T/vol\", \"options\": [\"rbind\", \"ro\"]}]"
	[ "$status" -eq 0 ]
	[ "$(own exec "$ID" cat /m/file)" = content ]
	own mounts remove "$ID" '[{"destination": "/t"}, {"destination": "/m"}]'
	run own exec "$ID" grep -cE ' /[tm] ' /proc/self/mountinfo
	[ "$output" = 0 ]
	mkdir "$T/b/rootfs/inside"
	run own mounts add "$ID" '[{"destination": "/m", "source": "/inside"}]'
	[[ "$output" == *"mounts[0]: bind on '/m': source: open '/inside': No such file or directory"* ]]
	own delete --force "$ID"
}
