#!/usr/bin/env bats
# Promises of `mounts add` and `mounts remove`: mounts that come and go in a container that runs.
load helpers

setup() {
	rt_setup
	mkdir -p "$T/vol"
	echo content > "$T/vol/file"
}
teardown() { rt_teardown; }

# A container that runs until it is killed: alive [FILTER]
alive() {
	rt_bundle b "$(rt_args sleep 1000) | ${1:-.}"
	[ -z "${OPEN:-}" ] || chmod 777 "$T/b/rootfs"
	rt create -b "$T/b" "$ID" > "$T/out" 2>&1 < /dev/null || { cat "$T/out"; return 1; }
	rt start "$ID"
}
bind() { # DESTINATION [OPTION...]: document of one bind of $T/vol
	local destination=$1
	shift
	jq -nc --arg d "$destination" --arg s "$T/vol" \
		'[{destination: $d, type: "bind", source: $s, options: (["bind"] + $ARGS.positional)}]' --args -- "$@"
}
inside() { rt exec "$ID" sh -c "$1"; }

@test "a bind is added and removed again, with a document as crun takes it" {
	alive
	jq -n --arg s "$T/vol" '[{destination: "/foo/bar", type: "bind", source: $s, options: ["bind", "ro"]},
		{destination: "/foo/tmpfs", type: "tmpfs", source: "tmpfs"}]' > "$T/mounts.json"
	run rt mounts add "$ID" "$T/mounts.json"
	[ "$status" -eq 0 ]
	[ -z "$output" ]
	[ "$(inside 'cat /foo/bar/file')" = content ]
	run inside 'touch /foo/bar/new'
	[[ "$output" == *"Read-only file system"* ]]
	inside 'grep -q " /foo/tmpfs .* - tmpfs " /proc/self/mountinfo'
	rt mounts remove "$ID" "$T/mounts.json"
	run inside 'grep -c " /foo" /proc/self/mountinfo'
	[ "$output" = 0 ]
	[ "$(inside 'ls /foo/bar | wc -l')" = 0 ]
	[ "$(cat "$T/vol/file")" = content ]
}

@test "the document may be an object as in config.json, come from --file, standard input or the command line" {
	alive
	bind /one | jq '{mounts: .}' > "$T/object.json"
	rt mounts add "$ID" --file "$T/object.json"
	bind /two | rt mounts add "$ID" -
	rt mounts add "$ID" "$(bind /three)"
	[ "$(inside 'cat /one/file /two/file /three/file')" = $'content\ncontent\ncontent' ]
	rt mounts remove "$ID" '{"mounts": [{"destination": "/one"}, {"destination": "two/"}]}'
	run inside 'cat /one/file /two/file; cat /three/file'
	[ "${lines[2]}" = content ]
}

@test "a file, a socket and a device are bound onto files that are made" {
	alive
	python3 -c "import socket; socket.socket(socket.AF_UNIX).bind('$T/sock')"
	jq -n --arg t "$T" '[{destination: "/etc/one", source: ($t + "/vol/file")}, {destination: "/run/sock", source: ($t + "/sock")},
		{destination: "/dev/extra", source: "/dev/null"}]' > "$T/m"
	rt mounts add "$ID" "$T/m"
	run inside 'cat /etc/one; stat -c %F /run/sock; stat -c %F /dev/extra'
	[ "${lines[0]}" = content ]
	[ "${lines[1]}" = socket ]
	[ "${lines[2]}" = "character special file" ]
	rt mounts remove "$ID" "$T/m"
	[ "$(inside 'stat -c %s /etc/one')" = 0 ]
}

@test "options count as in config.json, and what lies below comes along with rbind" {
	alive
	unshare -m --propagation private bash -c "mkdir '$T/vol/sub'; mount -t tmpfs tmpfs '$T/vol/sub'; touch '$T/vol/sub/deep'; '$RT_BIN' --root '$ROOT' mounts add '$ID' '$(bind /a rbind nosuid nodev noexec rro nosymfollow)'"
	run inside 'grep " /a" /proc/self/mountinfo | cut -d" " -f5,6; ls /a/sub; touch /a/sub/x'
	[[ "${lines[0]}" == "/a ro,nosuid,nodev,noexec,"*nosymfollow* ]]
	[[ "${lines[1]}" == "/a/sub ro,"* ]]
	[ "${lines[2]}" = deep ]
	[[ "${lines[3]}" == *"Read-only file system"* ]]
	rt mounts remove "$ID" "$(bind /a)"
	[ "$(inside 'grep -c " /a" /proc/self/mountinfo' || true)" = 0 ]
}

@test "file systems belong to the container: proc shows its processes, sysfs its network" {
	alive '.mounts |= map(select(.destination != "/proc")) | .linux.maskedPaths = [] | .linux.readonlyPaths = []'
	rt mounts add "$ID" '[{"destination": "/proc", "type": "proc", "source": "proc"}, {"destination": "/net", "type": "sysfs", "source": "sysfs", "options": ["ro"]}]'
	run inside 'tr "\0" " " < /proc/1/cmdline; echo; ls /net/class/net'
	[[ "${lines[0]}" == "sleep 1000"* ]]
	[[ "${lines[*]}" == *lo* ]]
	[[ "${lines[*]}" != *eth0* ]]
}

@test "with a user namespace binds work, and an id-mapped one shows the owners inside" {
	OPEN=1 alive "$RT_USERNS"
	chown 1000:1000 "$T/vol/file"
	rt mounts add "$ID" "$(bind /plain)"
	rt mounts add "$ID" "$(bind /mapped idmap)"
	run inside 'stat -c %u /plain/file; stat -c %u /mapped/file; touch /mapped/new'
	[ "${lines[0]}" = 65534 ]
	[ "${lines[1]}" = 1000 ]
	[ "$(stat -c %u "$T/vol/new")" = 0 ]
	rt mounts add "$ID" '[{"destination": "/scratch", "type": "tmpfs", "source": "tmpfs", "options": ["size=64k"]}]'
	inside 'touch /scratch/x'
	rt mounts remove "$ID" '[{"destination": "/plain"}, {"destination": "/mapped"}, {"destination": "/scratch"}]'
	[ "$(inside 'grep -cE " /(plain|mapped|scratch)" /proc/self/mountinfo' || true)" = 0 ]
}

@test "own maps of a mount count without user namespace too" {
	alive
	chown 1000:1000 "$T/vol/file"
	map='[{containerID: 1000, hostID: 5000, size: 1}]'
	rt mounts add "$ID" "$(bind /m | jq -c "map(.uidMappings = $map | .gidMappings = $map)")"
	[ "$(inside 'stat -c %u:%g /m/file')" = 5000:5000 ]
}

@test "all or none: a failure takes back what came before, and names mount, source and destination" {
	alive
	run rt mounts add "$ID" "$(jq -nc --arg s "$T/vol" '[{destination: "/first", source: $s}, {destination: "/second", type: "tmpfs", source: "tmpfs"},
		{destination: "/third", type: "tmpfs", source: "none", options: ["size=banana"]}]')"
	[ "$status" -eq 1 ]
	[[ "$output" == *"container '$ID': change mounts: mounts[2]: mount 'tmpfs' of 'none' on '/third': option 'size=banana': tmpfs: Bad value for 'size'"* ]]
	[ "$(inside 'grep -cE " /(first|second|third)" /proc/self/mountinfo' || true)" = 0 ]
	run rt mounts add "$ID" "$(jq -nc '[{destination: "/x", source: "/no/such"}]')"
	[[ "$output" == *"mounts[0]: bind on '/x': source: open '/no/such': No such file or directory"* ]]
	run rt mounts remove "$ID" '[{"destination": "/first"}]'
	[[ "$output" == *"mounts[0]: destination '/first': nothing was added there"* ]]
}

@test "only what was added is removed: neither the container's own mounts nor what it put in the place" {
	alive '.process.capabilities |= map_values(. + ["CAP_SYS_ADMIN"])'
	for path in /proc /dev/shm /; do
		run rt mounts remove "$ID" "[{\"destination\": \"$path\"}]"
		[ "$status" -eq 1 ]
		[[ "$output" == *"nothing was added there"* ]]
	done
	rt mounts add "$ID" "$(bind /a)"
	inside 'umount /a; mount -t tmpfs tmpfs /a; touch /a/own'
	run rt mounts remove "$ID" "$(bind /a)"
	[ "$status" -eq 1 ]
	[[ "$output" == *"mounts[0]: unmount '/a': what is there now is not the mount that was added"* ]]
	inside 'test -e /a/own'
	inside 'umount /a; rm -r /a; ln -s /dev/shm /a'
	run rt mounts remove "$ID" "$(bind /a)"
	[[ "$output" == *"not the mount that was added"* ]]
	inside 'grep -q " /dev/shm " /proc/self/mountinfo'
}

@test "of two mounts on one destination the last goes first" {
	alive
	mkdir "$T/other"
	echo other > "$T/other/file"
	rt mounts add "$ID" "$(bind /a)"
	rt mounts add "$ID" "[{\"destination\": \"/a\", \"source\": \"$T/other\"}]"
	[ "$(inside 'cat /a/file')" = other ]
	rt mounts remove "$ID" "$(bind /a)"
	[ "$(inside 'cat /a/file')" = content ]
	rt mounts add "$ID" "[{\"destination\": \"/a\", \"source\": \"$T/other\"}]"
	rt mounts remove "$ID" '[{"destination": "/a"}, {"destination": "/a"}]'
	[ "$(inside 'ls /a | wc -l')" = 0 ]
	run rt mounts remove "$ID" "$(bind /a)"
	[ "$status" -eq 1 ]
}

@test "a mount in use goes from its path; who uses it keeps it until the end" {
	alive
	rt mounts add "$ID" "$(bind /a)"
	rt exec --detach --pid-file "$T/user" "$ID" sh -c 'cd /a && echo ready > /tmp/ready && while [ ! -e /tmp/go ]; do sleep 0.05; done; cat file > /tmp/kept'
	for _ in {1..200}; do [ -s "$T/b/rootfs/tmp/ready" ] && break; sleep 0.05; done
	rt mounts remove "$ID" "$(bind /a)"
	[ "$(inside 'ls /a | wc -l')" = 0 ]
	touch "$T/b/rootfs/tmp/go"
	for _ in {1..200}; do [ -s "$T/b/rootfs/tmp/kept" ] && break; sleep 0.05; done
	[ "$(cat "$T/b/rootfs/tmp/kept")" = content ]
}

@test "a container that waits, and one that is paused, can be given mounts; one that has ended cannot" {
	rt_bundle b "$(rt_args cat /early/file)"
	rt create -b "$T/b" "$ID" > "$T/out" 2>&1 < /dev/null
	rt mounts add "$ID" "$(bind /early)"
	rt start "$ID"
	for _ in {1..200}; do [ "$(rt state "$ID" | jq -r .status)" = stopped ] && break; sleep 0.05; done
	[ "$(cat "$T/out")" = content ]
	run rt mounts add "$ID" "$(bind /late)"
	[ "$status" -eq 1 ]
	[[ "$output" == *"container not running"* ]]
	rt delete "$ID"
	rm -rf "$T/b"
	alive
	rt pause "$ID"
	rt mounts add "$ID" "$(bind /a)"
	rt mounts remove "$ID" "$(bind /a)"
	rt mounts add "$ID" "$(bind /b)"
	rt resume "$ID"
	[ "$(inside 'cat /b/file')" = content ]
}

@test "a path of the container that leads out of its root stays inside; /proc cannot be covered" {
	mkdir "$T/host"
	alive
	ln -s "../../../../../../$T/host" "$T/b/rootfs/out"
	rt mounts add "$ID" "$(bind /out/place)"
	[ ! -e "$T/host/place" ]
	[ "$(inside "cat $T/host/place/file")" = content ]
	run rt mounts add "$ID" "$(bind /proc/sys)"
	[[ "$output" == *"mounts[0]: bind '$T/vol' on '/proc/sys': cannot be mounted because it is inside /proc"* ]]
	run rt mounts add "$ID" "$(bind /proc)"
	[[ "$output" == *"only a proc file system may be mounted on '/proc'"* ]]
	run rt mounts add "$ID" "$(bind / )"
	[[ "$output" == *"the root cannot be covered"* ]]
	run rt mounts add "$ID" "$(bind /a remount)"
	[[ "$output" == *"'remount' changes a mount"* ]]
	run rt mounts add "$ID" '[{"destination": "/etc", "type": "tmpfs", "options": ["tmpcopyup"]}]'
	[[ "$output" == *"'tmpcopyup' is for containers that do not run yet"* ]]
}

# The attack of CVE-2021-30465 against a container that runs: its processes exchange a directory of the destination
# with a link out of the root all the time. Wherever the mounts land, it is inside.
@test "a container that renames the destination all the time gets nothing mounted or made on the host" {
	mkdir -p "$T/host/vol"
	alive
	mkdir -p "$T/b/rootfs/real/vol"
	cat > "$T/race.py" <<-PY
		import ctypes, os, sys
		libc = ctypes.CDLL(None)
		os.chdir(sys.argv[1])
		os.symlink("../../../../../../../.." + sys.argv[2], "link")
		open("racing", "w").close()
		while not os.path.exists("stop"):
		    for a, b in ((b"real", b"link"), (b"real", b"link")):
		        libc.syscall(316, -100, a, -100, b, 2)  # renameat2(RENAME_EXCHANGE)
	PY
	python3 "$T/race.py" "$T/b/rootfs" "$T/host" 3>&- &
	racer=$!
	for _ in {1..200}; do [ -e "$T/b/rootfs/racing" ] && break; sleep 0.05; done
	added=0
	for i in {1..25}; do
		if rt mounts add "$ID" "$(bind "/real/vol/m$i")" 2> /dev/null; then added=$((added + 1)); fi
	done
	touch "$T/b/rootfs/stop"
	wait "$racer"
	[ "$added" -gt 0 ]
	[ -z "$(ls -A "$T/host/vol")" ]
	[ "$(grep -c " $T" /proc/self/mountinfo)" = 0 ]
	[ "$(inside 'grep -c "/vol/m" /proc/self/mountinfo')" = "$added" ]
}

@test "usage: what is missing or contradicts itself is said in one line" {
	alive
	run rt mounts add "$ID"
	[ "$status" -ne 0 ]
	[[ "${lines[0]}" == *"mounts: no document is given"* ]]
	run rt mounts add "$ID" '[{"source": "/srv"}]'
	[[ "$output" == *"mounts[0].destination: required but missing"* ]]
	run rt mounts add "$ID" '{"mount": []}'
	[[ "$output" == *"mounts: required but missing"* ]]
	run rt mounts add no-such "$(bind /a)"
	[[ "$output" == *"container 'no-such' does not exist"* ]]
	run rt mounts
	[ "$status" -eq 2 ]
	run rt mounts --help
	[[ "$output" == *add*remove* ]]
}
