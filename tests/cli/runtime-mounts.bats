#!/usr/bin/env bats
# Promises about mounts and their options.
load helpers

setup() { rt_setup; }
teardown() {
	rt_teardown
}

ADMIN='.process.capabilities = (["CAP_SYS_ADMIN", "CAP_CHOWN", "CAP_DAC_OVERRIDE"] | {bounding: ., effective: ., permitted: .})'
volume() { # OPTION...: jq filter that binds $T/vol to /vol
	jq -nc --arg s "$T/vol" '{destination: "/vol", type: "bind", source: $s, options: $ARGS.positional}' --args -- "$@" |
		sed 's/^/.mounts += [/;s/$/]/'
}
go() {
	[ -e "$T/b" ] && rm -rf "$T/b"
	mkdir -p "$T/vol/sub"
	rt_bundle b "$1"
	run rt run -b "$T/b" "$ID"
}
# The same in a mount namespace of its own, where SETUP prepares $T/vol.
go_in() { # SETUP FILTER
	mkdir -p "$T/vol/sub"
	rt_bundle b "$2"
	run unshare -m --propagation private bash -c "cd '$T'; $1; '$RT_BIN' --root '$ROOT' run -b '$T/b' '$ID'"
}

@test "a directory and a file are bound, made in the root when missing" {
	mkdir -p "$T/vol"
	echo content > "$T/vol/file"
	go "$(rt_sh 'cat /vol/file /deep/er/file; echo more > /vol/new') | $(volume bind) | .mounts += [{destination: \"/deep/er/file\", type: \"bind\", source: \"$T/vol/file\", options: [\"bind\", \"ro\"]}]"
	[ "${lines[0]}" = content ]
	[ "${lines[1]}" = content ]
	[ "$(cat "$T/vol/new")" = more ]
	[ -f "$T/b/rootfs/deep/er/file" ]
}

@test "ro makes the mount read-only, rro what lies below it as well" {
	go_in 'mount -t tmpfs tmpfs vol/sub' "$(rt_sh 'echo a > /vol/a; echo b > /vol/sub/b && echo wrote') | $(volume rbind ro)"
	[[ "${lines[0]}" == *"Read-only file system"* ]]
	[ "${lines[1]}" = wrote ]
	rm -rf "$T/b"
	go_in 'mount -t tmpfs tmpfs vol/sub' "$(rt_sh 'echo a > /vol/a; echo b > /vol/sub/b && echo wrote') | $(volume rbind rro)"
	[[ "${lines[0]}" == *"Read-only file system"* ]]
	[[ "${lines[1]}" == *"Read-only file system"* ]]
}

@test "bind without r does not take what is mounted below" {
	go_in 'mount -t tmpfs tmpfs vol/sub; touch vol/sub/hidden' "$(rt_sh 'ls /vol/sub; echo end') | $(volume bind)"
	[ "$output" = end ]
}

@test "attributes are set as asked" {
	go "$(rt_sh 'grep " /vol " /proc/self/mountinfo | cut -d" " -f6') | $(volume bind nosuid nodev noexec noatime nodiratime nosymfollow)"
	for o in nosuid nodev noexec noatime nodiratime nosymfollow; do [[ "$output" == *$o* ]]; done
	go "$(rt_sh '/vol/true') | $(volume bind noexec)"
	[ "$status" -ne 0 ]
}

@test "propagation is private to the host unless asked for" {
	go "$(rt_sh 'grep " /vol " /proc/self/mountinfo') | $(volume rbind rprivate)"
	[[ "$output" != *shared:* && "$output" != *master:* ]]
	go "$(rt_sh 'grep " /vol " /proc/self/mountinfo') | $(volume rbind rshared)"
	[[ "$output" == *shared:* ]]
}

@test "with rootfsPropagation shared a shared volume is the host's peer" {
	go_in 'mount --bind vol vol; mount --make-shared vol; touch ready' "$(rt_sh 'mount -t tmpfs tmpfs /vol/sub; touch /vol/sub/made') | $ADMIN | $(volume rbind rshared) | .linux.rootfsPropagation = \"rshared\""
	[ "$status" -eq 0 ]
	rm -rf "$T/b"
	rt_bundle b "$(rt_sh 'mount -t tmpfs tmpfs /vol/sub; touch /vol/sub/made') | $ADMIN | $(volume rbind rshared) | .linux.rootfsPropagation = \"rshared\""
	run unshare -m --propagation private bash -c "cd '$T'; mount --bind vol vol; mount --make-shared vol; '$RT_BIN' --root '$ROOT' run -b b '$ID'; ls vol/sub"
	[ "$output" = made ]
}

@test "tmpfs takes its options, and a wrong one says what the kernel says" {
	go "$(rt_sh 'grep " /t " /proc/self/mountinfo; stat -c %a /t') | .mounts += [{destination: \"/t\", type: \"tmpfs\", source: \"tmpfs\", options: [\"size=64k\", \"mode=1770\", \"noexec\"]}]"
	[[ "${lines[0]}" == *noexec*size=64k* ]]
	[ "${lines[1]}" = 1770 ]
	# As mount(8) has them.
	go "$(rt_sh 'grep " /t " /proc/self/mountinfo; stat -c %a /t') | .mounts += [{destination: \"/t\", type: \"tmpfs\", source: \"tmpfs\", options: [\"size=64k,mode=1770,noexec\"]}]"
	[[ "${lines[0]}" == *noexec*size=64k* ]]
	[ "${lines[1]}" = 1770 ]
	go '.mounts += [{destination: "/t", type: "tmpfs", source: "tmpfs", options: ["nonsense=1"]}]'
	[[ "$output" == *"mounts[5]: mount 'tmpfs' on '/t': option 'nonsense=1': "*"nonsense"* ]]
	go '.mounts += [{destination: "/t", type: "nosuchfs", source: "x"}]'
	[[ "$output" == *"file system 'nosuchfs': No such device"* ]]
}

@test "tmpcopyup fills the tmpfs with what was there, with modes, owners and links" {
	mkdir -p "$T/b"
	go '.'
	mkdir -p "$T/b/rootfs/data/dir"
	echo text > "$T/b/rootfs/data/dir/file"
	chmod 751 "$T/b/rootfs/data/dir"
	chown 5:6 "$T/b/rootfs/data/dir/file"
	ln -s dir/file "$T/b/rootfs/data/link"
	rt_config b "$(rt_sh 'cat /data/link; stat -c "%a %u:%g" /data/dir /data/dir/file; echo changed > /data/dir/file') | .mounts += [{destination: \"/data\", type: \"tmpfs\", source: \"tmpfs\", options: [\"tmpcopyup\"]}]"
	run rt run -b "$T/b" "$ID"
	[ "${lines[0]}" = text ]
	[ "${lines[1]}" = "751 0:0" ]
	[ "${lines[2]}" = "644 5:6" ]
	[ "$(cat "$T/b/rootfs/data/dir/file")" = text ]
}

@test "a tmpfs takes the mode of the directory that it covers, unless an option or no directory says otherwise" {
	mkdir -p "$T/b"
	go '.'
	mkdir -p "$T/b/rootfs/data"
	echo text > "$T/b/rootfs/data/file"
	chown 5:6 "$T/b/rootfs/data"
	chmod 733 "$T/b/rootfs/data"
	covered() { # OPTIONS: mode and owner of /data, of a place that was not there, and whether they can be written
		rm -rf "$T/b/rootfs/new"
		rt_config b "$(rt_sh 'stat -c "%a %u:%g" /data /new; cat /data/file; echo x > /data/x') | .mounts += ([\"/data\", \"/new\"] | map({destination: ., type: \"tmpfs\", source: \"tmpfs\", options: [$1]}))"
		run rt run -b "$T/b" "$ID"
	}
	covered ''
	[ "${lines[0]} ${lines[1]}" = "733 0:0 1777 0:0" ]
	covered '"tmpcopyup"'
	[ "${lines[0]} ${lines[1]} ${lines[2]} $status" = "733 5:6 1777 0:0 text 0" ]
	covered '"tmpcopyup", "mode=0737", "uid=7"'
	[ "${lines[0]} ${lines[1]} ${lines[2]} $status" = "737 7:0 737 7:0 text 0" ]
	covered '"tmpcopyup", "ro", "noatime"'
	[ "${lines[0]} ${lines[2]}" = "733 5:6 text" ]
	[[ "${lines[3]}" == *"Read-only file system"* ]]
}

@test "an id-mapped mount shows other owners, with its own maps or the container's" {
	mkdir -p "$T/vol"
	touch "$T/vol/mine"
	chown 1000:1000 "$T/vol/mine"
	map='[{containerID: 1000, hostID: 5000, size: 10}]'
	go "$(rt_sh 'stat -c %u:%g /vol/mine') | $(volume bind) | .mounts[5].uidMappings = $map | .mounts[5].gidMappings = $map"
	[ "$output" = 5000:5000 ]
	rm -rf "$T/b"
	rt_bundle b "$(rt_sh 'stat -c %u:%g /vol/mine; touch /vol/new') | $RT_USERNS | $(volume bind idmap)"
	# The root is not the container's user's own, so the place must be there.
	mkdir "$T/b/rootfs/vol"
	run rt run -b "$T/b" "$ID"
	[ "$status" -eq 0 ]
	[ "${lines[0]}" = 1000:1000 ]
	[ "$(stat -c %u "$T/vol/new")" = 0 ]
}

@test "a new tmpfs is id-mapped by its own maps or the container's, without and with a user namespace" {
	map='[{containerID: 0, hostID: 5000, size: 10}]'
	tmpfs='.mounts += [{destination: "/vol", type: "tmpfs", source: "tmpfs", options: ["nosuid", "nodev", "mode=755", "size=64k"]}]'
	go "$(rt_sh 'stat -c %u:%g:%a /vol; grep " /vol " /proc/self/mountinfo') | $tmpfs | .mounts[5].uidMappings = $map | .mounts[5].gidMappings = $map"
	[ "${lines[0]}" = 5000:5000:755 ]
	[[ "${lines[1]}" == *nosuid*nodev*"size=64k"* ]]
	rm -rf "$T/b"
	rt_bundle b "$(rt_sh 'stat -c %u:%g /vol; touch /vol/new && stat -c %u /vol/new') | $RT_USERNS | $tmpfs | .mounts[5].options += [\"idmap\"]"
	mkdir "$T/b/rootfs/vol"
	chmod 755 "$T"
	run rt run -b "$T/b" "$ID"
	[ "$status" -eq 0 ]
	[ "$output" = $'0:0\n0' ]
	rt_config b "$(rt_args true) | $tmpfs | .mounts[5].options += [\"size=x\"] | .mounts[5].uidMappings = $map | .mounts[5].gidMappings = $map"
	run rt run -b "$T/b" "$ID"
	[ "$status" -eq 1 ]
	[[ "$output" == *"mounts[5]: "*"option 'size=x'"* ]]
}

@test "a mounted path can be remounted with other attributes" {
	go "$(rt_sh 'echo x > /vol/x') | $(volume bind) | .mounts += [{destination: \"/vol\", source: \"none\", options: [\"remount\", \"bind\", \"ro\"]}]"
	[[ "$output" == *"Read-only file system"* ]]
}

@test "overlay is mounted, also from a list of layers longer than the kernel takes at once" {
	lower=
	mkdir -p "$T/vol"
	for i in {1..12}; do
		mkdir -p "$T/vol/a-long-name-of-a-layer-$i"
		echo "$i" > "$T/vol/a-long-name-of-a-layer-$i/f$i"
		lower=$lower${lower:+:}$T/vol/a-long-name-of-a-layer-$i
	done
	[ ${#lower} -gt 255 ]
	go "$(rt_sh 'ls /o | wc -l') | .mounts += [{destination: \"/o\", type: \"overlay\", source: \"overlay\", options: [\"lowerdir=$lower\"]}]"
	[ "$output" = 12 ]
}

@test "without an own network namespace sysfs is the host's, bound, in a user namespace" {
	go "$(rt_sh 'ls /sys/class/net | wc -l; grep " /sys " /proc/self/mountinfo | cut -d" " -f6') | $RT_USERNS | .linux.namespaces |= map(select(.type != \"network\"))"
	[ "$status" -eq 0 ]
	[ "${lines[0]}" -ge 1 ]
	[[ "${lines[1]}" == ro* ]]
}

@test "the root cannot be covered, and a mount namespace is required" {
	go '.mounts += [{destination: "/", type: "tmpfs", source: "tmpfs"}]'
	[[ "$output" == *"mounts[5]: mount 'tmpfs' on '/': destination: the root cannot be covered"* ]]
	go '.linux.namespaces |= map(select(.type != "mount"))'
	[[ "$output" == *"linux.namespaces: a mount namespace is needed"* ]]
}

@test "--no-pivot runs without pivot_root" {
	rt_bundle b "$(rt_sh 'ls /; ls /proc/1/root/usr')"
	run rt run --no-pivot -b "$T/b" "$ID"
	[[ "$output" == *bin* ]]
	[[ "$output" == *"/proc/1/root/usr: No such file"* ]]
}

@test "/dev of the host, bound, is left as it is" {
	go "$(rt_sh 'stat -c %t:%T /dev/null; readlink /dev/ptmx; echo end') | .mounts |= map(select(.destination | startswith(\"/dev\") | not)) | .mounts += [{destination: \"/dev\", type: \"bind\", source: \"/dev\", options: [\"rbind\", \"ro\"]}]"
	[ "$status" -eq 0 ]
	[ "${lines[0]}" = 1:3 ]
	[ "${lines[1]}" = end ]
}

@test "HOME comes from the container's passwd unless the config has one" {
	go "$(rt_sh 'echo $HOME') | .process.user.uid = 1000"
	[ "$output" = /home/web ]
	go "$(rt_sh 'echo $HOME') | .process.user.uid = 77"
	[ "$output" = / ]
	go "$(rt_sh 'echo $HOME') | .process.env += [\"HOME=/given\"]"
	[ "$output" = /given ]
}
