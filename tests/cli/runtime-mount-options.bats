#!/usr/bin/env bats
# Every word of the specification's table of mount options, and crun's, read back inside a container.
load helpers

setup() {
	rt_setup
	mkdir -p "$T/vol"
	rt_bundle b
}
teardown() { rt_teardown; }

# Mount N of the rows on /mN, all in one container; the lines of mountinfo for them, in order:
# "OPTIONS TAGS - TYPE SOURCE SUPER-OPTIONS". Row: TYPE WORD[,WORD...] EXPECTED; SOURCE is $T/vol for binds.
read_back() { # ROW...
	local mounts
	mounts=$(jq -nc --arg s "$T/vol" '$ARGS.positional | to_entries | map((.value | split(" ")) as [$type, $words] |
		{destination: "/m\(.key)", type: $type, source: (if $type == "bind" then $s else $type end),
		options: ((if $type == "bind" then ["rbind"] else [] end) + ($words | split(",")))})' --args -- "$@")
	rt_config b "$(rt_sh 'grep -E " /m[0-9]+ " /proc/self/mountinfo | cut -d" " -f6-') | .mounts += $mounts"
	run rt run -b "$T/b" "$ID"
	[ "$status" -eq 0 ] || { echo "$output"; return 1; }
}
# Each row's EXPECTED is a list of words that must be there, or (with !) must not.
check() { # ROW...
	local row words expected word i=0 line failed=0 mounts
	read_back "$@" || return 1
	mapfile -t mounts < <(printf '%s\n' "${lines[@]}" | grep -v '^time=\|^warning')
	for row in "$@"; do
		read -r _ words expected <<< "$row"
		line=${mounts[$i]// - / }
		line=",${line// /,},"
		for word in $expected; do
			case $word in
			!*) [[ "$line" != *",${word#!}"[,:]* ]] || { echo "$words: '${word#!}' in: $line"; failed=1; } ;;
			*) [[ "$line" == *",$word"[,:]* ]] || { echo "$words: no '$word' in: $line"; failed=1; } ;;
			esac
		done
		i=$((i + 1))
	done
	return $failed
}

@test "attributes of a mount: set, taken back, the last word wins" {
	for type in tmpfs bind; do
		check "$type ro ro" "$type rw rw !ro" "$type ro,rw !ro" "$type rw,ro ro" \
			"$type nosuid nosuid" "$type nosuid,suid !nosuid" "$type nodev nodev" "$type nodev,dev !nodev" \
			"$type noexec noexec" "$type noexec,exec !noexec" "$type nosymfollow nosymfollow" \
			"$type nosymfollow,symfollow !nosymfollow" "$type nodiratime nodiratime" \
			"$type nodiratime,diratime !nodiratime" "$type noatime noatime !relatime" \
			"$type noatime,atime relatime !noatime" "$type relatime relatime" "$type strictatime !relatime !noatime" \
			"$type norelatime !relatime !noatime" "$type strictatime,nostrictatime relatime" \
			"$type defaults rw relatime"
	done
}

@test "recursive attributes: set and taken back" {
	for type in tmpfs bind; do
		check "$type rro ro" "$type rro,rrw !ro" "$type rnosuid nosuid" "$type rnosuid,rsuid !nosuid" \
			"$type rnodev nodev" "$type rnodev,rdev !nodev" "$type rnoexec noexec" "$type rnoexec,rexec !noexec" \
			"$type rnosymfollow nosymfollow" "$type rnosymfollow,rsymfollow !nosymfollow" \
			"$type rnodiratime nodiratime" "$type rnodiratime,rdiratime !nodiratime" "$type rnoatime noatime" \
			"$type rnoatime,ratime relatime !noatime" "$type rrelatime relatime" "$type rstrictatime !relatime !noatime" \
			"$type rnorelatime !relatime !noatime" "$type rstrictatime,rnostrictatime relatime" \
			"$type ro,rrw !ro" "$type nosuid,rro ro nosuid"
	done
}

@test "recursive attributes reach every mount below" {
	rt_config b "$(rt_sh 'grep -E " /m/" /proc/self/mountinfo | cut -d" " -f6') | .mounts += [{destination: \"/m\", type: \"bind\", source: \"$T/vol\",
		options: [\"rbind\", \"rro\", \"rnosuid\", \"rnodev\", \"rnoexec\", \"rnoatime\", \"rnodiratime\", \"rnosymfollow\"]}]"
	mkdir "$T/vol/a" "$T/vol/b"
	run unshare -m --propagation private bash -c "cd '$T'; mount -t tmpfs tmpfs vol/a; mount -t tmpfs tmpfs vol/b; mkdir vol/b/c; mount -t tmpfs tmpfs vol/b/c; '$RT_BIN' --root '$ROOT' run -b b '$ID'"
	[ "${#lines[@]}" -eq 3 ]
	for i in 0 1 2; do
		[ "${lines[$i]}" = "ro,nosuid,nodev,noexec,noatime,nodiratime,nosymfollow" ]
	done
}

@test "options of a file system; those that only some know are accepted by all" {
	check "tmpfs sync sync" "tmpfs sync,async !sync" "tmpfs dirsync dirsync" "tmpfs lazytime lazytime" \
		"tmpfs lazytime,nolazytime !lazytime" "tmpfs mand mand" "tmpfs mand,nomand !mand" \
		"tmpfs iversion rw" "tmpfs noiversion rw" "tmpfs acl rw" "tmpfs noacl rw" "tmpfs silent rw" \
		"tmpfs loud rw" "tmpfs size=64k,nr_inodes=50 size=64k nr_inodes=50" "tmpfs size=1m,mode=0700,uid=5 mode=700 uid=5" \
		"ramfs mode=0711 rw" "overlay lowerdir=/bin:/etc,ro ro lowerdir=/bin:/etc" \
		"tmpfs tmpcopyup rw" "tmpfs copyup rw"
}

@test "propagation: each value, of one mount or of all below" {
	for type in tmpfs bind; do
		check "$type private !shared !master !unbindable" "$type rprivate !shared !master !unbindable" \
			"$type shared shared" "$type rshared shared" "$type slave !shared" "$type rslave !shared" \
			"$type unbindable unbindable" "$type runbindable unbindable" "$type shared,private !shared"
	done
}

@test "a slave of the host's shared mount receives what is mounted there; a private one does not" {
	for how in rslave rprivate; do
		[ -e "$T/vol/sub" ] || mkdir "$T/vol/sub"
		rt_config b "$(rt_sh 'echo ready; until [ -e /m/go ]; do sleep 0.05; done; ls /m/sub') | .linux.rootfsPropagation = \"rslave\" | .mounts += [{destination: \"/m\", type: \"bind\", source: \"$T/vol\", options: [\"rbind\", \"$how\"]}]"
		run timeout 60 unshare -m --propagation private bash -c "cd '$T'; mount --bind vol vol; mount --make-shared vol
			'$RT_BIN' --root '$ROOT' run -b b '$ID' | { read -r ready; mount -t tmpfs tmpfs vol/sub; touch vol/sub/late vol/go; cat; }"
		rm "$T/vol/go"
		[ "$how" = rprivate ] && [ -z "$output" ] || [ "$output" = late ]
	done
}

@test "rootfsPropagation: each value is the root's" {
	for how in private rprivate slave rslave shared rshared unbindable runbindable; do
		rt_config b "$(rt_sh 'grep " / / \| [^ ]* / " /proc/self/mountinfo | grep " / [^ ]*," | tail -n1 | sed "s/ - .*//"') | .linux.rootfsPropagation = \"$how\""
		run rt run -b "$T/b" "$ID"
		[ "$status" -eq 0 ]
		case $how in
		*shared) [[ "$output" == *shared:* ]] ;;
		*unbindable) [[ "$output" == *" unbindable"* ]] ;;
		*) [[ "$output" != *shared:* && "$output" != *unbindable* ]] ;;
		esac
	done
	rt_config b '.linux.rootfsPropagation = "sideways"'
	run rt run -b "$T/b" "$ID"
	[[ "$output" == *"linux.rootfsPropagation: unknown mount propagation 'sideways'"* ]]
}

@test "what features lists is the table of this file, and no more" {
	# Words that stand in some test of mounts.
	rt features | jq -r '.mountOptions[]' > "$T/words"
	[ "$(wc -l < "$T/words")" -gt 60 ]
	while read -r word; do
		grep -qE "(^|[^a-z-])$word([^a-z-]|\$)" "$BATS_TEST_DIRNAME"/runtime-mount-options.bats "$BATS_TEST_DIRNAME"/runtime-mounts.bats || {
			echo "no test of '$word'"
			false
		}
	done < "$T/words"
}

@test "copy-symlink makes the link again; src-nofollow and dest-nofollow bind and cover links" {
	echo text > "$T/vol/text"
	ln -s /some/where "$T/link"
	ln -s vol/text "$T/good"
	ln -s nowhere "$T/b/rootfs/covered"
	ln -s nowhere "$T/b/rootfs/hidden"
	rt_config b "$(rt_sh 'readlink /made; cat /covered; readlink /hidden; cat /plain') | .mounts += [
		{destination: \"/made\", source: \"$T/link\", options: [\"bind\", \"copy-symlink\"]},
		{destination: \"/plain\", source: \"$T/vol/text\", options: [\"bind\", \"copy-symlink\"]},
		{destination: \"/covered\", source: \"$T/good\", options: [\"bind\", \"dest-nofollow\"]},
		{destination: \"/hidden\", source: \"$T/link\", options: [\"bind\", \"dest-nofollow\", \"src-nofollow\"]}]"
	run rt run -b "$T/b" "$ID"
	[ "$output" = $'/some/where\ntext\n/some/where\ntext' ]
	# Once more: the link is there already. Another one is an error.
	run rt run -b "$T/b" "$ID"
	[ "$status" -eq 0 ]
	ln -sfn /else "$T/link"
	run rt run -b "$T/b" "$ID"
	[[ "$output" == *"mounts[5]: link '/else' on '/made': something else is there"* ]]
	rt_config b ".mounts += [{destination: \"/x\", source: \"$T/link\", options: [\"bind\", \"copy-symlink\", \"src-nofollow\"]}]"
	run rt run -b "$T/b" "$ID"
	[[ "$output" == *"mounts[5]: bind on '/x': options: 'copy-symlink' contradicts"* ]]
}

@test "idmap with maps of its own, relative ones, and for all below with ridmap" {
	touch "$T/vol/mine"
	chown 1000:1000 "$T/vol/mine"
	mkdir "$T/vol/sub"
	bind() { jq -nc --arg s "$T/vol" --arg o "$1" '{destination: "/m", source: $s, options: ["rbind", $o]}'; }
	try() { # FILTER OPTION
		rt_config b "$(rt_sh 'stat -c %u:%g /m/mine; stat -c %u /m/sub/deep') | $1 | .mounts += [$(bind "$2")]"
		run unshare -m --propagation private bash -c "cd '$T'; mount -t tmpfs tmpfs vol/sub; touch vol/sub/deep; chown 1000 vol/sub/deep; '$RT_BIN' --root '$ROOT' run -b b '$ID'"
	}
	try . 'idmap=uids=1000-5000-1;gids=1000-6000-1'
	[ "$output" = $'5000:6000\n1000' ]
	try . 'idmap=uids=0-0-1#1000-7000-1'
	[ "${lines[0]}" = 7000:1000 ]
	try . 'ridmap=uids=1000-5000-1;gids=1000-6000-1'
	[ "$output" = $'5000:6000\n5000' ]
	mkdir "$T/b/rootfs/m" 2> /dev/null || true
	chmod 777 "$T/b/rootfs"
	try "$RT_USERNS" 'idmap=uids=@1000-33-1;gids=@1000-44-1'
	[ "${lines[0]}" = 33:44 ]
	try "$RT_USERNS" ridmap
	[ "$output" = $'1000:1000\n1000' ]
	try "$RT_USERNS" 'idmap=uids=@1000-70000-1'
	[[ "$output" == *"mounts[5]: bind on '/m': idmap=uids=@1000-70000-1: uids: 1000-70000-1: not in one range of the container's map"* ]]
	try . 'idmap=uids=1-2'
	[[ "$output" == *"idmap=uids=1-2: uids: expected FIRST-SHOWN-SIZE"* ]]
	try . idmap
	[[ "$output" == *"mounts[5]: bind on '/m': idmap: neither the mount nor linux has uidMappings"* ]]
}

@test "idmap in a user namespace that is joined by path takes that namespace's maps" {
	touch "$T/vol/mine"
	chown 1000:1000 "$T/vol/mine"
	mkdir "$T/b/rootfs/m"
	unshare -U --kill-child --fork bash -c "echo ready > '$T/ready'; exec sleep 100" 3>&- &
	holder=$!
	for _ in {1..100}; do [ -s "$T/ready" ] && break; sleep 0.05; done
	inside=$(pgrep -P "$holder")
	echo "0 100000 65536" > "/proc/$inside/gid_map"
	echo "0 100000 65536" > "/proc/$inside/uid_map"
	rt_config b "$(rt_sh 'stat -c %u:%g /m/mine') | .linux.namespaces += [{type: \"user\", path: \"/proc/$inside/ns/user\"}] | .mounts += [{destination: \"/m\", source: \"$T/vol\", options: [\"bind\", \"idmap\"]}]"
	run rt run -b "$T/b" "$ID"
	kill -9 "$holder"
	[ "$output" = 1000:1000 ]
}

@test "remount changes attributes, and options of the file system where it is no bind" {
	rt_config b "$(rt_sh 'grep " /m " /proc/self/mountinfo') | .mounts += [{destination: \"/m\", type: \"tmpfs\", source: \"tmpfs\", options: [\"size=64k\"]},
		{destination: \"/m\", type: \"tmpfs\", source: \"tmpfs\", options: [\"remount\", \"size=128k\", \"nosuid\"]}]"
	run rt run -b "$T/b" "$ID"
	[[ "$output" == *" rw,nosuid,"*"size=128k"* ]]
	rt_config b '.mounts += [{destination: "/bin", options: ["remount", "size=1"]}]'
	run rt run -b "$T/b" "$ID"
	[ "$status" -eq 1 ]
	[[ "$output" == *"mounts[5]: remount '/bin': "* ]]
}

@test "a word that is no option of a bind mount is said to be ignored" {
	rt_config b ".mounts += [{destination: \"/m\", source: \"$T/vol\", options: [\"bind\", \"nosuidd\", \"lazytime\"]}]"
	run rt run -b "$T/b" "$ID"
	[ "$status" -eq 0 ]
	[[ "$output" == *"mounts[5].options: 'nosuidd' is no option of a bind mount, ignored"* ]]
	[[ "$output" == *"mounts[5].options: 'lazytime' is no option of a bind mount, ignored"* ]]
}

@test "linux.mountLabel without SELinux is passed over with a warning, as crun does" {
	[ ! -e /sys/fs/selinux/enforce ] || skip "SELinux is enabled here"
	rt_config b "$(rt_sh 'echo runs') | .linux.mountLabel = \"system_u:object_r:container_file_t:s0:c1,c2\""
	run rt run -b "$T/b" "$ID"
	[ "$status" -eq 0 ]
	[[ "$output" == *"linux.mountLabel: SELinux is not enabled on this host, 'system_u:object_r:container_file_t:s0:c1,c2' ignored"* ]]
	[[ "$output" == *runs* ]]
}
