#!/usr/bin/env bats
# Promises of checkpoint and restore that need no kernel support: what CRIU is asked for, refusals, failures, and what
# becomes of the container's record, cgroup and processes. A stand-in (fake-criu.py) speaks CRIU's side; that real
# processes come back is proven by runtime-criu-real.bats alone.
load helpers

setup() {
	rt_setup
	export FAKE_DIR=$T/fake
	mkdir "$FAKE_DIR" "$T/bin"
	echo ok > "$FAKE_DIR/mode"
	cp "$BATS_TEST_DIRNAME/fake-criu.py" "$T/bin/criu"
	chmod 755 "$T/bin/criu"
}
teardown() {
	[ ! -e "$FAKE_DIR/pid" ] || kill -9 "$(cat "$FAKE_DIR/pid")" 2> /dev/null || true
	rt_teardown
}

cr() { # the runtime with the stand-in
	"$RT_BIN" --root "$ROOT" --criu "$T/bin/criu" "$@"
}

start() { # [JQ-FILTER]: a container that runs
	rm -rf "$T/b"
	rt_bundle b "$(rt_sh 'sleep 1000') | .linux.cgroupsPath = \"/$ID/web\" | ${1:-.}"
	rt run -d -b "$T/b" "$ID" > /dev/null 2>&1 < /dev/null
}

request() { # JQ-FILTER over the request
	jq -c "$1" "$FAKE_DIR/request.json"
}

status_of() {
	rt state "$ID" | jq -r .status
}

images() { # what a checkpoint leaves for a restore
	mkdir -p "$T/images"
	echo "${1:-[\"\", \"\", \"\"]}" > "$T/images/descriptors.json"
}

@test "without criu the commands say so in one line, and everything else works" {
	start
	for command in "checkpoint --image-path $T/images $ID" "restore -b $T/b --image-path $T/images $ID-2"; do
		# shellcheck disable=SC2086 # words
		run "$RT_BIN" --root "$ROOT" --criu "$T/none/criu" $command
		[[ "$status" -eq 1 && "${lines[0]}" == *"--criu: '$T/none/criu' is no program"* && ${#lines[@]} -eq 1 ]]
	done
	run rt --criu criu2 checkpoint "$ID"
	[[ "$status" -eq 1 && "$output" == *"--criu: 'criu2' is no path of a program"* ]]
	[ "$(status_of)" = running ]
	[ ! -e "$T/images" ]
}

@test "a checkpoint deletes the container and asks CRIU for what only the runtime knows" {
	mkdir "$T/volume"
	start '.mounts += [{destination: "/volume/", type: "bind", source: "'"$T/volume"'", options: ["rbind"]}, {destination: "/linked", type: "bind", source: "'"$T/volume"'"}]'
	pid=$(rt_pid "$ID")
	cr checkpoint --image-path "$T/a/images" "$ID"
	run rt state "$ID"
	[[ "$status" -eq 1 && "$output" == *"does not exist"* ]]
	[ ! -e "$CGROUP/$ID" ]
	[ ! -e "/proc/$pid/root/bin" ]
	[ "$(stat -c %a "$T/a/images")" = 700 ]
	mode=3
	[ "$CGROUP" = /sys/fs/cgroup ] || mode=0 # v1 hierarchies beside it are not the container's
	[ "$(request 'del(.ext_mnt, .external, .images_dir_fd, .work_dir_fd)')" = "$(jq -nSc --arg c "$CGROUP/$ID/web" \
		'{empty_ns: 1073741824, freeze_cgroup: $c, log_file: "dump.log", log_level: 4, manage_cgroups: true, manage_cgroups_mode: '$mode', notify_scripts: true, orphan_pts_master: true, pid: '"$pid"', type: "DUMP"}')" ]

	# Masked files, as far as this kernel has them.
	masked=$(for f in /proc/kcore /proc/keys; do [ ! -e "$f" ] || echo ",\"$f /dev/null\""; done | tr -d '\n')
	[ "$(request '[.ext_mnt[] | "\(.key) \(.val)"]')" = "[\"/volume /volume\",\"/linked /linked\"$masked]" ]
	# stdin was the host's /dev/null, which the container's own mounts do not lead to.
	[[ "$(request .external)" =~ ^\[\"file\[[0-9a-f]+:[0-9a-f]+\]\" ]]
	[ "$(jq -r '.[0]' "$T/a/images/descriptors.json")" = "$(request -r '.external[0]' 2> /dev/null || jq -r '.external[0]' "$FAKE_DIR/request.json")" ]
}

@test "a link on the way to a mount is followed for CRIU, its name stays the configured one" {
	mkdir "$T/volume"
	rt_bundle b "$(rt_sh 'sleep 1000') | .mounts += [{destination: \"/link/data\", type: \"bind\", source: \"$T/volume\"}]"
	mkdir "$T/b/rootfs/real"
	ln -s real "$T/b/rootfs/link"
	rt run -d -b "$T/b" "$ID" > /dev/null 2>&1 < /dev/null
	cr checkpoint --image-path "$T/images" "$ID"
	[ "$(request '.ext_mnt[0]')" = '{"key":"/real/data","val":"/link/data"}' ]
}

@test "each option reaches CRIU under its own name" {
	start
	mkdir -p "$T/before"
	table=(
		"--leave-running|.leave_running|true"
		"--tcp-established|.tcp_established|true"
		"--tcp-skip-in-flight|.tcp_skip_in_flight|true"
		"--skip-in-flight|.tcp_skip_in_flight|true"
		"--tcp-close|.tcp_close|true"
		"--ext-unix-sk|.ext_unix_sk|true"
		"--shell-job|.shell_job|true"
		"--file-locks|.file_locks|true"
		"--link-remap|.link_remap|true"
		"--lazy-pages|.lazy_pages|true"
		"--auto-dedup|.auto_dedup|true"
		"--empty-ns network|.empty_ns|1073741824"
		"--manage-cgroups-mode soft|.manage_cgroups_mode|3"
		"--manage-cgroups-mode full|.manage_cgroups_mode|4"
		"--manage-cgroups-mode strict|.manage_cgroups_mode|5"
		"--manage-cgroups-mode ignore|.manage_cgroups_mode|0"
		"--network-lock iptables|.network_lock|1"
		"--network-lock nftables|.network_lock|2"
		"--network-lock skip|.network_lock|3"
		"--page-server 192.0.2.1:1234|.ps|{\"address\":\"192.0.2.1\",\"port\":1234}"
		"--page-server [2001:db8::1]:1234|.ps|{\"address\":\"2001:db8::1\",\"port\":1234}"
		"--parent-path ../before|[.parent_img, .track_mem]|[\"../before\",true]"
		"--pre-dump|[.type, .track_mem]|[\"PRE_DUMP\",true]"
		"--status-fd 9|.status_fd|9"
	)
	for row in "${table[@]}"; do
		IFS='|' read -r options filter expected <<< "$row"
		# shellcheck disable=SC2086 # words
		cr checkpoint --leave-running --image-path "$T/images" $options "$ID" 9> "$T/nine"
		got=$(request "$filter")
		[ "$got" = "$expected" ] || { echo "$options: $got"; false; }
		# What was not asked for is not sent, but for what every request has.
		[[ "$options" == --shell* || "$(request .shell_job)" = null ]]
	done
	[ "$(status_of)" = running ]
}

@test "options that cannot be meant are refused before anything happens" {
	start
	table=(
		"--parent-path /abs|--parent-path: '/abs' must be relative to --image-path"
		"--parent-path ../none|--parent-path: '../none' in --image-path: No such file or directory"
		"--page-server nowhere|--page-server: 'nowhere' is no ADDRESS:PORT"
		"--page-server host:0|--page-server: 'host:0' is no ADDRESS:PORT"
		"--page-server host:99999|--page-server: 'host:99999' is no ADDRESS:PORT"
		"--network-lock ebtables|--network-lock: 'ebtables' is not one of"
		"--manage-cgroups-mode some|--manage-cgroups-mode: 'some' is not one of"
		"--empty-ns mount|--empty-ns: 'mount' is not supported"
		"--status-fd 99|--status-fd: descriptor 99 is not open"
	)
	for row in "${table[@]}"; do
		# shellcheck disable=SC2086 # words
		run cr checkpoint --image-path "$T/images" ${row%%|*} "$ID"
		[[ "$status" -eq 1 && "$output" == *"${row#*|}"* ]] || { echo "$row: $output"; false; }
	done
	run cr checkpoint --status-fd 9 "$ID" 9< /dev/null
	[[ "$status" -eq 1 && "$output" == *"--status-fd: descriptor 9 cannot be written"* ]]
	[ ! -e "$FAKE_DIR/request.json" ]
	[ "$(status_of)" = running ]
}

@test "what CRIU cannot bring back is refused by the name of its field" {
	rt_bundle b "$(rt_sh 'sleep 1000')"
	rt create -b "$T/b" "$ID" > /dev/null 2>&1 < /dev/null
	run cr checkpoint --image-path "$T/images" "$ID"
	[[ "$status" -eq 1 && "$output" == *"cannot checkpoint a container in the state 'created'"* ]]
	rt start "$ID"
	# Read from the copy that the state keeps.
	cp "$ROOT/$ID/config.json" "$T/kept"
	change() { jq "$1" "$T/kept" > "$ROOT/$ID/config.json"; }
	change '.mounts += [{destination: "/m", type: "bind", source: "/", options: ["idmap"]}]'
	run cr checkpoint --image-path "$T/images" "$ID"
	[[ "$status" -eq 1 && "$output" == *"mounts[5]: CRIU cannot restore an id-mapped mount"* ]]
	change '.linux.namespaces += [{type: "cgroup", path: "/proc/self/ns/cgroup"}]'
	run cr checkpoint --image-path "$T/images" "$ID"
	[[ "$status" -eq 1 && "$output" == *"linux.namespaces[5].path: CRIU cannot restore into a cgroup namespace"* ]]
	change '.linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", listenerPath: "/run/agent"}'
	run cr checkpoint --image-path "$T/images" "$ID"
	[[ "$status" -eq 1 && "$output" == *"linux.seccomp.listenerPath: CRIU cannot restore a listener"* ]]
	[ "$(status_of)" = running ]
	[ ! -e "$T/images" ]
}

@test "CRIU's own options come from the file of the annotation, an empty one means none" {
	start '.annotations = {"org.criu.config": "/etc/own.conf"}'
	cr checkpoint --leave-running --image-path "$T/images" "$ID"
	[ "$(request .config_file)" = '"/etc/own.conf"' ]
	rt delete -f "$ID"
	start '.annotations = {"org.criu.config": ""}'
	cr checkpoint --leave-running --image-path "$T/images" "$ID"
	[ "$(request .config_file)" = null ]
}

@test "namespaces that are joined by path are external to a dump and found again by a restore" {
	rt_bundle pod "$(rt_sh 'sleep 1000')"
	rt run -d -b "$T/pod" "$ID-pod" > /dev/null 2>&1 < /dev/null
	ns=/proc/$(rt_pid "$ID-pod")/ns
	start '.linux.namespaces |= map(if .type == "network" then .path = "'"$ns"'/net" elif .type == "ipc" then .path = "'"$ns"'/ipc" else . end)'
	cr checkpoint --image-path "$T/images" "$ID"
	[ "$(request .external | jq -c 'map(select(startswith("net")))')" = "[\"net[$(stat -Lc %i "$ns/net")]:extRootNetNS\"]" ]
	images
	cr restore -d -b "$T/b" --image-path "$T/images" "$ID" < /dev/null
	[ "$(request '[.inherit_fd[].key]')" = '["extRootNetNS"]' ]
	[ "$(request .join_ns)" = "[{\"ns\":\"ipc\",\"ns_file\":\"$ns/ipc\"}]" ]
	# The descriptor is open in criu under that very number.
	[[ " $(sed -n 2p "$FAKE_DIR/seen") " == *" $(request '.inherit_fd[0].fd') "* ]]
}

@test "a restore makes cgroup, root and record, and asks for the sources of the mounts" {
	mkdir "$T/volume"
	start '.mounts += [{destination: "/volume", type: "bind", source: "'"$T/volume"'"}]'
	cr checkpoint --image-path "$T/images" "$ID"
	rm -r "$T/b/rootfs/volume"
	images
	cr restore -d -b "$T/b" --image-path "$T/images" --pid-file "$T/pid" "$ID" < /dev/null
	pid=$(cat "$FAKE_DIR/pid")
	[ "$(cat "$T/pid")" = "$pid" ]
	[ "$(status_of)" = running ]
	[ "$(rt state "$ID" | jq -c '[.pid, .bundle, .id]')" = "[$pid,\"$T/b\",\"$ID\"]" ]
	mode=3
	[ "$CGROUP" = /sys/fs/cgroup ] || mode=0
	[ "$(request 'del(.images_dir_fd, .work_dir_fd)')" = "$(jq -nSc --arg t "$T" --arg id "$ID" \
		'{cg_root: [{path: "/\($id)/web"}], empty_ns: 1073741824, evasive_devices: true,
		  ext_mnt: [{key: "/volume", val: "\($t)/volume"}, {key: "/dev/null", val: "/dev/null"}],
		  log_file: "restore.log", log_level: 4, manage_cgroups: true, manage_cgroups_mode: '$mode', notify_scripts: true,
		  orphan_pts_master: true, root: "\($t)/state/\($id)/criu-root", rst_sibling: true, type: "RESTORE"}')" ]
	# criu itself ran in the new cgroup, with the root mounted for it alone.
	[ "$(head -1 "$FAKE_DIR/seen")" = "/$ID/web" ]
	grep -q " $ROOT/$ID/criu-root " "$FAKE_DIR/seen"
	# What CRIU forgets is inherited from it.
	grep -qx 'NoNewPrivs:	1' "$FAKE_DIR/seen"
	[ -z "$(grep criu-root /proc/self/mountinfo)" ]
	[ ! -e "$ROOT/$ID/criu-root" ]
	[ -d "$T/b/rootfs/volume" ]
	# The process of the stand-in lies in a network namespace of its own, as the container's will.
	nsenter -t "$pid" -n ip addr show lo | grep -q 'LOOPBACK,UP'
	rt delete -f "$ID"
	[ ! -e "$CGROUP/$ID" ]
	[ ! -e "/proc/$pid/root/bin" ]
}

@test "options of a restore reach CRIU under their own names" {
	start
	cr checkpoint --image-path "$T/images" "$ID"
	images
	table=(
		"--tcp-established|.tcp_established|true" "--tcp-close|.tcp_close|true" "--ext-unix-sk|.ext_unix_sk|true"
		"--shell-job|.shell_job|true" "--file-locks|.file_locks|true" "--lazy-pages|.lazy_pages|true"
		"--auto-dedup|.auto_dedup|true" "--manage-cgroups-mode strict|.manage_cgroups_mode|5"
		"--network-lock nftables|.network_lock|2" "--lsm-profile apparmor:web|.lsm_profile|\"apparmor:web\""
		"--lsm-mount-context system_u:x|.lsm_mount_context|\"system_u:x\""
		"--no-pivot --no-new-keyring --no-subreaper --leave-running --parent-path ../x --link-remap|.leave_running|null"
	)
	for row in "${table[@]}"; do
		IFS='|' read -r options filter expected <<< "$row"
		# shellcheck disable=SC2086 # words
		cr restore -d -b "$T/b" --image-path "$T/images" $options "$ID" < /dev/null
		got=$(request "$filter")
		[ "$got" = "$expected" ] || { echo "$options: $got"; false; }
		rt delete -f "$ID"
	done
}

@test "standard streams: pipes of the start and files of the host are the restore's own" {
	rt_bundle b "$(rt_sh 'exec 1> /dev/null; sleep 1000')"
	echo > "$T/log"
	# stdin a pipe, stdout a pipe that the program has closed since, stderr a file.
	rt run -d -b "$T/b" "$ID" < <(exec sleep 60 3>&-) > >(exec cat > /dev/null 3>&-) 2> "$T/log"
	pid=$(rt_pid "$ID")
	for _ in {1..200}; do [ "$(readlink "/proc/$pid/fd/1")" = /dev/null ] && break; sleep 0.05; done
	cr checkpoint --image-path "$T/images" "$ID"
	keys=$(jq -c . "$T/images/descriptors.json")
	[[ "$keys" =~ ^\[\"pipe:\[[0-9]+\]\",\"pipe:\[[0-9]+\]\",\"file\[[0-9a-f]+:[0-9a-f]+\]\"\]$ ]]
	cr restore -d -b "$T/b" --image-path "$T/images" "$ID" < /dev/null > "$T/out" 2> "$T/err"
	[ "$(request '[.inherit_fd[].key]')" = "$keys" ]
	[ "$(request '[.inherit_fd[].fd] | map(. > 2) | all')" = true ]
}

@test "hooks of the network run once the namespaces exist, before the processes do" {
	start
	cr checkpoint --image-path "$T/images" "$ID"
	images
	printf '#!/bin/sh\ncat > "%s/$1"\n' "$T" > "$T/hook"
	chmod 755 "$T/hook"
	rt_config b "$(rt_sh 'sleep 1000')"' | .hooks = ({prestart: 1, createRuntime: 2, createContainer: 3, startContainer: 4, poststart: 5, poststop: 6} | with_entries(.value = [{path: "'"$T/hook"'", args: ["hook", .key], env: ["PATH=/usr/bin:/bin"]}]))'
	cr restore -d -b "$T/b" --image-path "$T/images" "$ID" < /dev/null
	pid=$(cat "$FAKE_DIR/pid")
	for hook in prestart createRuntime; do
		[ "$(jq -c '[.status, .pid, .id]' "$T/$hook")" = "[\"creating\",$pid,\"$ID\"]" ]
	done
	[ ! -e "$T/createContainer" ] && [ ! -e "$T/startContainer" ] && [ ! -e "$T/poststart" ]
	# A checkpoint ends the container as delete does.
	cr checkpoint --image-path "$T/images" "$ID"
	[ "$(jq -r .status "$T/poststop")" = stopped ]
}

@test "a dump that fails leaves the container running, with CRIU's reasons in the error" {
	start
	before=$(cat "$ROOT/$ID/state.json")
	echo freeze fail > "$FAKE_DIR/mode"
	run cr checkpoint --image-path "$T/images" --work-path "$T/work" "$ID"
	[ "$status" -eq 1 ]
	[ "$output" = "error: container '$ID': criu failed: mnt: first reason; mnt: second ?[31mreason" ]
	[ "$(status_of)" = running ]
	[ "$(cat "$ROOT/$ID/state.json")" = "$before" ]
	[ -e "$T/work/dump.log" ]
	echo freeze die > "$FAKE_DIR/mode"
	run cr checkpoint --image-path "$T/images" "$ID"
	[[ "$status" -eq 1 && "$output" == *"criu failed: signal 9 (Killed)" ]]
	[ "$(status_of)" = running ]
	echo early > "$FAKE_DIR/mode"
	run cr checkpoint --image-path "$T/images2" "$ID"
	[[ "$status" -eq 1 && "$output" == *"criu failed: vdso: Unexpected rt vDSO area bounds" ]]
	echo errno > "$FAKE_DIR/mode"
	run cr checkpoint --image-path "$T/images2" "$ID"
	[[ "$status" -eq 1 && "$output" == *"criu failed: told by criu" ]]
	echo garbage > "$FAKE_DIR/mode"
	run cr checkpoint --image-path "$T/images2" "$ID"
	[[ "$status" -eq 1 && "$output" == *"criu: criu sent a message that is none" ]]
	printf '#!/none\n' > "$T/bin/criu"
	run cr checkpoint --image-path "$T/images2" "$ID"
	[[ "$status" -eq 1 && "$output" == *"criu failed: execute '$T/bin/criu': No such file or directory" ]]
	[ "$(status_of)" = running ]
	# A paused one stays paused.
	cp "$BATS_TEST_DIRNAME/fake-criu.py" "$T/bin/criu"
	rt pause "$ID"
	echo fail > "$FAKE_DIR/mode"
	run cr checkpoint --image-path "$T/images" "$ID"
	[ "$status" -eq 1 ]
	[ "$(status_of)" = paused ]
}

@test "a restore that fails leaves neither record nor cgroup nor process" {
	start
	cr checkpoint --image-path "$T/images" "$ID"
	nothing() {
		[ ! -e "$ROOT/$ID" ] && [ ! -e "$CGROUP/$ID" ] && [ ! -e "$T/pid" ]
		[ ! -e "$FAKE_DIR/pid" ] || [ ! -e "/proc/$(cat "$FAKE_DIR/pid")/root/bin" ]
	}
	run cr restore -d -b "$T/b" --image-path "$T/none" "$ID"
	[[ "$status" -eq 1 && "$output" == *"--image-path: open '$T/none': No such file"* ]]
	nothing
	rm "$T/images/descriptors.json"
	run cr restore -d -b "$T/b" --image-path "$T/images" "$ID"
	[[ "$status" -eq 1 && "$output" == *"--image-path: 'descriptors.json': "*"No such file"* ]]
	nothing
	images '{"no": "list"}'
	run cr restore -d -b "$T/b" --image-path "$T/images" "$ID"
	[[ "$status" -eq 1 && "$output" == *"descriptors.json:1:1: expected "* ]]
	nothing
	images
	for mode in early-refusal fail die garbage early errno; do
		echo "$mode" > "$FAKE_DIR/mode"
		run cr restore -d -b "$T/b" --image-path "$T/images" --pid-file "$T/pid" "$ID"
		[[ "$status" -eq 1 && "$output" == *"criu"* ]]
		nothing
	done
	echo ok > "$FAKE_DIR/mode"
	run cr restore -d -b "$T/b" --image-path "$T/images" --pid-file "$T/no/pid" "$ID"
	[[ "$status" -eq 1 && "$output" == *"pid file '$T/no/pid'"* ]]
	nothing
	# A hook that fails ends it; its own words are the error, not CRIU's.
	rt_config b "$(rt_sh 'sleep 1000')"' | .hooks.createRuntime = [{path: "/bin/false"}]'
	run cr restore -d -b "$T/b" --image-path "$T/images" "$ID"
	[[ "$status" -eq 1 && "$output" == *"container '$ID': error running createRuntime hook #1: '/bin/false': exit status 1"* ]]
	nothing
	rt_config b "$(rt_sh 'sleep 1000') | .mounts += [{destination: \"/v\", type: \"bind\", source: \"$T/gone\"}]"
	run cr restore -d -b "$T/b" --image-path "$T/images" "$ID"
	[[ "$status" -eq 1 && "$output" == *"mounts[5]: source: open '$T/gone': No such file"* ]]
	nothing
}

@test "the id of a container that exists is not restored over" {
	start
	images
	run cr restore -d -b "$T/b" --image-path "$T/images" "$ID"
	[[ "$status" -eq 1 && "$output" == *"container with given ID already exists"* ]]
	[ "$(status_of)" = running ]
	[ ! -e "$FAKE_DIR/request.json" ]
}

@test "a restored terminal goes to the console socket, or to the caller's own" {
	rt_bundle b "$(rt_sh 'sleep 1000') | .process.terminal = true"
	images
	echo terminal > "$FAKE_DIR/mode"
	/usr/bin/python3 "$BATS_TEST_DIRNAME/console-recv.py" "$T/console" "$T/console.out" "" 3>&- &
	for _ in {1..100}; do [ -S "$T/console" ] && break; sleep 0.05; done
	cr restore -d -b "$T/b" --image-path "$T/images" --console-socket "$T/console" "$ID"
	wait $!
	grep -q 'from the restored' "$T/console.out"
	rt delete -f "$ID"
	run cr restore -d -b "$T/b" --image-path "$T/images" "$ID"
	[[ "$status" -eq 1 && "$output" == *"process.terminal: needs --console-socket"* ]]
	rt_config b "$(rt_sh 'sleep 1000')"
	run cr restore -d -b "$T/b" --image-path "$T/images" --console-socket "$T/console" "$ID"
	[[ "$status" -eq 1 && "$output" == *"--console-socket: process.terminal is not set"* ]]
}

@test "in the foreground the restore waits, passes on the status and deletes" {
	start
	cr checkpoint --image-path "$T/images" "$ID"
	images
	rm -f "$FAKE_DIR/pid"
	cr restore -b "$T/b" --image-path "$T/images" "$ID" < /dev/null 3>&- &
	for _ in {1..200}; do [ "$(rt state "$ID" 2> /dev/null | jq -r .status)" = running ] && break; sleep 0.05; done
	kill -TERM "$(cat "$FAKE_DIR/pid")"
	wait $! && status=0 || status=$?
	[ "$status" -eq 143 ]
	[ ! -e "$ROOT/$ID" ]
	[ ! -e "$CGROUP/$ID" ]
}

@test "engines find the commands and their options by the words they look for" {
	rt checkpoint --help > /dev/null
	run rt restore --lsm-mount-context
	[[ "$status" -eq 2 && "$output" == *"requires an argument"* ]]
}
